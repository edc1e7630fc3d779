/* makegood replay: reads stored answers by the present rules and shows what would be decided differently. No network,
 * no database; writes nothing. One thread. */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/case_file.h"
#include "daemon/commands.h"
#include "daemon/config.h"
#include "daemon/mask.h"
#include "daemon/record.h"
#include "daemon/say.h"

#define COLUMNS 4

/* One line of the table: case, field, recorded, now. */
struct line {
    char *cells[COLUMNS];
};

struct replay {
    const struct config *config;
    const char *channel; /* of cases that name none; or NULL */
    char root[PATH_MAX];
    struct line *lines;
    size_t line_count;
    const char *name; /* of the case at hand, below root */
    int answers;
    int decided; /* differently */
    int read;    /* differently, though decided alike */
    bool faulty;
};

/* --- the table ------------------------------------------------------------------------------------------ */

static void cells_add(struct replay *replay, const char *const texts[COLUMNS])
{
    struct line *lines = realloc(replay->lines, (replay->line_count + 1) * sizeof(*lines));
    if (!lines) {
        replay->faulty = true;
        return;
    }
    replay->lines = lines;
    struct line *line = &lines[replay->line_count++];
    for (int i = 0; i < COLUMNS; i++)
        line->cells[i] = text_printable(texts[i], strlen(texts[i]));
}

static void line_add(struct replay *replay, const char *const texts[COLUMNS])
{
    if (replay->line_count == 0)
        cells_add(replay, (const char *const[]){"CASE", "DIFFERS IN", "RECORDED", "NOW"});
    cells_add(replay, texts);
}

static void on_differs(void *self, const char *field, const char *recorded, const char *present)
{
    struct replay *replay = self;
    line_add(replay, (const char *const[]){replay->name, field, recorded, present});
}

static const char *cell(const struct line *line, int column)
{
    return line->cells[column] ? line->cells[column] : "(out of memory)";
}

static int column_width(const struct replay *replay, int column)
{
    size_t width = 0;
    for (size_t i = 0; i < replay->line_count; i++) {
        size_t bytes = strlen(cell(&replay->lines[i], column));
        width = bytes > width ? bytes : width;
    }
    return (int)width;
}

static void table_print(const struct replay *replay)
{
    int widths[COLUMNS - 1];
    for (int column = 0; column < COLUMNS - 1; column++)
        widths[column] = column_width(replay, column);
    for (size_t i = 0; i < replay->line_count; i++) {
        const struct line *line = &replay->lines[i];
        bool again = i > 0 && strcmp(cell(line, 0), cell(line - 1, 0)) == 0;
        for (int column = 0; column < COLUMNS - 1; column++)
            printf("%-*s  ", widths[column], again && column == 0 ? "" : cell(line, column));
        printf("%s\n", cell(line, COLUMNS - 1));
    }
}

static void summary_print(const struct replay *replay)
{
    if (replay->line_count > 0)
        putchar('\n');
    printf("%d answer%s, %d would be decided differently", replay->answers, replay->answers == 1 ? "" : "s",
           replay->decided);
    if (replay->read > 0)
        printf(", %d read differently and decided alike", replay->read);
    printf("\n");
}

static void lines_drop(struct replay *replay)
{
    for (size_t i = 0; i < replay->line_count; i++)
        for (int column = 0; column < COLUMNS; column++)
            free(replay->lines[i].cells[column]);
    free(replay->lines);
}

/* --- one case ------------------------------------------------------------------------------------------- */

static bool channel_choose(const struct replay *replay, const char *folder, struct case_file *file,
                           struct trial *trial, const struct channel **out)
{
    const struct config *config = replay->config;
    const char *name = *file->order.channel ? file->order.channel : replay->channel;
    if (!name && config->channel_count == 1)
        name = config->policies[0].channel;
    for (int i = 0; name && i < config->channel_count; i++) {
        if (strcmp(config->policies[i].channel, name) != 0)
            continue;
        *out = config->channels[i];
        trial->policy = &config->policies[i];
        return true;
    }
    if (name)
        say_fault("%s: its channel %s is not in %s; add it, or move the answer away", folder, name,
                  config->file);
    else
        say_fault("%s: order.json names no channel; write --channel NAME", folder);
    return false;
}

static bool verdict_compare(struct replay *replay, const struct case_file *file, const struct trial *trial)
{
    char before[VERDICT_SAID_BYTES];
    char now[VERDICT_SAID_BYTES];
    json_t *present = record_verdict(&trial->verdict);
    record_verdict_say(file->verdict, before);
    record_verdict_say(present, now);
    json_decref(present);
    bool differs = strcmp(before, now) != 0;
    if (differs)
        line_add(replay, (const char *const[]){replay->name, "verdict", before, now});
    return differs;
}

/* Without a recorded verdict the evidence stands for it: the decision follows from it alone. */
static void case_compare(struct replay *replay, const struct case_file *file, const struct trial *trial)
{
    json_t *present = record_evidence(&trial->evidence);
    bool decided = file->verdict && verdict_compare(replay, file, trial);
    bool read = record_compare(file->evidence, present, on_differs, replay) > 0;
    json_decref(present);
    decided = decided || (read && !file->verdict);
    replay->answers++;
    replay->decided += decided;
    replay->read += read && !decided;
}

static void case_replay(struct replay *replay, const char *folder)
{
    char why[CASE_WHY_BYTES] = "";
    struct case_file file;
    struct trial trial = {0};
    const struct channel *channel = NULL;
    if (!case_read(&file, replay->root, folder, why)) {
        say_fault("%s", why);
        replay->faulty = true;
        return;
    }
    if (channel_choose(replay, folder, &file, &trial, &channel)) {
        struct response response = kept_response(&file.answer, file.trusted);
        trial.order = file.order;
        trial.has_amount = file.has_amount;
        channel->kind->interpret(channel, &file.order, &file.moment, &response, &trial.evidence);
        trial_decide(&trial);
        replay->name = strlen(folder) > strlen(replay->root) ? folder + strlen(replay->root) + 1 : folder;
        case_compare(replay, &file, &trial);
    } else {
        replay->faulty = true;
    }
    case_finish(&file);
}

/* --- all cases ------------------------------------------------------------------------------------------ */

static bool is_folder(const char *path)
{
    struct stat status;
    return lstat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

/* Every folder that holds a response, in the order of names; links are not followed. */
static void folder_walk(struct replay *replay, const char *folder)
{
    char path[PATH_MAX];
    struct dirent **names = NULL;
    int count = scandir(folder, &names, NULL, alphasort);
    if (count < 0) {
        say_fault("%s can not be read; name a folder of stored answers", folder);
        replay->faulty = true;
        return;
    }
    for (int i = 0; i < count; i++) {
        bool fits = snprintf(path, sizeof(path), "%s/%s", folder, names[i]->d_name) < (int)sizeof(path);
        if (fits && strcmp(names[i]->d_name, "response") == 0)
            case_replay(replay, folder);
        else if (fits && names[i]->d_name[0] != '.' && is_folder(path))
            folder_walk(replay, path);
        free(names[i]);
    }
    free(names);
}

static int replay_run(struct replay *replay, const char *folder)
{
    size_t length = strlen(folder);
    while (length > 1 && folder[length - 1] == '/')
        length--;
    snprintf(replay->root, sizeof(replay->root), "%.*s", (int)length, folder);
    folder_walk(replay, replay->root);
    if (replay->answers == 0 && !replay->faulty) {
        say_fault("%s holds no stored answer; makegood query --save %s makes one", replay->root,
                  replay->root);
        return 1;
    }
    table_print(replay);
    summary_print(replay);
    if (fflush(stdout) != 0 || replay->faulty)
        return 1;
    return replay->decided + replay->read > 0 ? EXIT_LOOK : 0;
}

int command_replay(const struct options *options)
{
    struct faults faults;
    struct config *config = NULL;
    struct replay *replay = calloc(1, sizeof(*replay));
    int code = 1;
    faults_init(&faults);
    if (!replay)
        say_fault("out of memory; free some");
    else if (config_load(&config, options->config_file, &faults) < 0)
        say_faults(stderr, &faults);
    else {
        replay->config = config;
        replay->channel = options->channel;
        code = replay_run(replay, options->operands[0]);
        lines_drop(replay);
    }
    free(replay);
    if (config)
        config_drop(config);
    faults_finish(&faults);
    return code;
}
