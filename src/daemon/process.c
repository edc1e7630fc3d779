/* What the kernel says of this process. */
#include <dirent.h>
#include <inttypes.h>
#include <sys/resource.h>
#include <unistd.h>

#include "daemon/metrics.h"

static int64_t open_files(void)
{
    int64_t count = 0;
    DIR *folder = opendir("/proc/self/fd");
    for (const struct dirent *entry; folder && (entry = readdir(folder));)
        count += entry->d_name[0] != '.';
    if (folder)
        closedir(folder);
    return count > 0 ? count - 1 : 0; /* without the one that looks */
}

static int64_t time_ms(struct timeval time)
{
    return (int64_t)time.tv_sec * 1000 + time.tv_usec / 1000;
}

void process_look(int64_t started_s, struct process_seen *out)
{
    struct rusage usage = {0};
    struct rlimit limit = {0};
    int64_t pages[2] = {0, 0};
    FILE *file = fopen("/proc/self/statm", "re");
    if (file && fscanf(file, "%" SCNd64 " %" SCNd64, &pages[0], &pages[1]) != 2)
        pages[0] = pages[1] = 0;
    if (file)
        fclose(file);
    getrusage(RUSAGE_SELF, &usage);
    getrlimit(RLIMIT_NOFILE, &limit);
    *out = (struct process_seen){.cpu_ms = time_ms(usage.ru_utime) + time_ms(usage.ru_stime),
                                 .started_s = started_s,
                                 .resident_bytes = pages[1] * sysconf(_SC_PAGESIZE),
                                 .virtual_bytes = pages[0] * sysconf(_SC_PAGESIZE),
                                 .open_files = open_files(),
                                 .open_files_most = (int64_t)limit.rlim_cur};
}
