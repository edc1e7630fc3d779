/* A headless Chromium: see browser.h. Owns the process and both pipes; messages are JSON with a NUL behind each. */
#include "browser.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stage.h"

#define ANSWER_MS  30000
#define COMPLAINTS 8192
#define URLS_MAX   400
#define PROGRAM    "chromium"

static struct {
    pid_t pid;
    int to, from;
    char *heard; /* not yet a whole message */
    size_t heard_bytes;
    int last_id;
    char session[80];
    char password[100];
    bool loaded;
    char complaints[COMPLAINTS];
    char *urls[URLS_MAX];
    int url_count;
    char *said;
} browser = {.to = -1, .from = -1};

static json_t *call(const char *method, json_t *params);

/* --- the process ----------------------------------------------------------------------------------------------- */

static void become_chromium(int in, int out)
{
    char profile[120];
    snprintf(profile, sizeof(profile), "--user-data-dir=%s/chromium", world_folder);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int nowhere = open("/dev/null", O_RDWR);
    in = fcntl(in, F_DUPFD, 20);
    out = fcntl(out, F_DUPFD, 20);
    dup2(nowhere, STDOUT_FILENO);
    dup2(nowhere, STDERR_FILENO);
    dup2(in, 3);
    dup2(out, 4);
    setenv("HOME", world_folder, 1);
    execlp(PROGRAM, PROGRAM, "--headless=new", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu",
           "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking",
           "--disable-component-update", "--disable-extensions", "--hide-scrollbars", "--mute-audio",
           "--lang=en-US", "--force-color-profile=srgb", profile, NULL);
    _exit(127);
}

static void process_open(void)
{
    int down[2], up[2];
    assert_int_equal(pipe2(down, O_CLOEXEC), 0);
    assert_int_equal(pipe2(up, O_CLOEXEC), 0);
    fflush(stdout);
    browser.pid = fork();
    assert_true(browser.pid >= 0);
    if (browser.pid == 0)
        become_chromium(down[0], up[1]);
    close(down[0]);
    close(up[1]);
    browser.to = down[1];
    browser.from = up[0];
}

/* --- messages -------------------------------------------------------------------------------------------------- */

static void message_send(json_t *message)
{
    char *text = json_dumps(message, JSON_COMPACT);
    size_t length = strlen(text) + 1;
    for (size_t sent = 0; sent < length;) {
        ssize_t put = write(browser.to, text + sent, length - sent);
        assert_true(put > 0);
        sent += (size_t)put;
    }
    free(text);
}

/* The next message, or NULL when none came in time. */
static json_t *message_take(int64_t end_ms)
{
    for (;;) {
        char *end = browser.heard ? memchr(browser.heard, '\0', browser.heard_bytes) : NULL;
        if (end) {
            json_t *message = json_loads(browser.heard, 0, NULL);
            size_t used = (size_t)(end - browser.heard) + 1;
            browser.heard_bytes -= used;
            memmove(browser.heard, end + 1, browser.heard_bytes);
            assert_non_null(message);
            return message;
        }
        struct pollfd fd = {browser.from, POLLIN, 0};
        int64_t left_ms = end_ms - now_ms();
        if (left_ms <= 0 || poll(&fd, 1, (int)left_ms) <= 0)
            return NULL;
        browser.heard = realloc(browser.heard, browser.heard_bytes + 65536);
        assert_non_null(browser.heard);
        ssize_t got = read(browser.from, browser.heard + browser.heard_bytes, 65536);
        if (got <= 0)
            fail_msg("the browser went");
        browser.heard_bytes += (size_t)got;
    }
}

static const char *text_at(const json_t *json, const char *one, const char *two, const char *three)
{
    json = json_object_get(json, one);
    json = two ? json_object_get(json, two) : json;
    json = three ? json_object_get(json, three) : json;
    return json_is_string(json) ? json_string_value(json) : "";
}

/* Sent without waiting for what comes of it. */
static void tell(const char *method, json_t *params)
{
    json_t *message = json_pack("{si ss so}", "id", ++browser.last_id, "method", method, "params", params);
    if (*browser.session)
        json_object_set_new(message, "sessionId", json_string(browser.session));
    message_send(message);
    json_decref(message);
}

/* --- events ---------------------------------------------------------------------------------------------------- */

static void complain(const char *text)
{
    size_t length = strlen(browser.complaints);
    snprintf(browser.complaints + length, sizeof(browser.complaints) - length, "%s\n", text);
}

static void on_auth(const json_t *params)
{
    json_t *answer = *browser.password ? json_pack("{ss ss ss}", "response", "ProvideCredentials", "username",
                                                   "anybody", "password", browser.password)
                                       : json_pack("{ss}", "response", "CancelAuth");
    tell("Fetch.continueWithAuth", json_pack("{ss so}", "requestId", text_at(params, "requestId", NULL, NULL),
                                             "authChallengeResponse", answer));
}

static void event_take(const char *method, const json_t *params)
{
    if (strcmp(method, "Page.loadEventFired") == 0)
        browser.loaded = true;
    else if (strcmp(method, "Fetch.requestPaused") == 0)
        tell("Fetch.continueRequest",
             json_pack("{ss}", "requestId", text_at(params, "requestId", NULL, NULL)));
    else if (strcmp(method, "Fetch.authRequired") == 0)
        on_auth(params);
    else if (strcmp(method, "Runtime.exceptionThrown") == 0)
        complain(text_at(params, "exceptionDetails", "exception", "description"));
    else if (strcmp(method, "Log.entryAdded") == 0 &&
             strcmp(text_at(params, "entry", "level", NULL), "error") == 0)
        complain(text_at(params, "entry", "text", NULL));
    else if (strcmp(method, "Network.requestWillBeSent") == 0 && browser.url_count < URLS_MAX)
        browser.urls[browser.url_count++] = strdup(text_at(params, "request", "url", NULL));
}

static json_t *call(const char *method, json_t *params)
{
    int64_t end_ms = now_ms() + ANSWER_MS;
    tell(method, params);
    int id = browser.last_id;
    for (;;) {
        json_t *message = message_take(end_ms);
        if (!message)
            fail_msg("the browser does not answer %s", method);
        if (json_integer_value(json_object_get(message, "id")) == id) {
            json_t *result = json_incref(json_object_get(message, "result"));
            if (!result)
                fail_msg("%s: %s", method, text_at(message, "error", "message", NULL));
            json_decref(message);
            return result;
        }
        event_take(text_at(message, "method", NULL, NULL), json_object_get(message, "params"));
        json_decref(message);
    }
}

static void done(const char *method, json_t *params)
{
    json_decref(call(method, params));
}

/* --- pages ----------------------------------------------------------------------------------------------------- */

void browser_open(void)
{
    process_open();
    json_t *target = call("Target.createTarget", json_pack("{ss}", "url", "about:blank"));
    json_t *session =
        call("Target.attachToTarget",
             json_pack("{ss sb}", "targetId", text_at(target, "targetId", NULL, NULL), "flatten", 1));
    snprintf(browser.session, sizeof(browser.session), "%s", text_at(session, "sessionId", NULL, NULL));
    json_decref(target);
    json_decref(session);
    done("Page.enable", json_object());
    done("Runtime.enable", json_object());
    done("Log.enable", json_object());
    done("Network.enable", json_object());
    done("Fetch.enable", json_pack("{sb}", "handleAuthRequests", 1));
}

void browser_close(void)
{
    if (browser.pid > 0) {
        kill(browser.pid, SIGKILL);
        waitpid(browser.pid, NULL, 0);
        close(browser.to);
        close(browser.from);
    }
    for (int i = 0; i < browser.url_count; i++)
        free(browser.urls[i]);
    free(browser.heard);
    free(browser.said);
    memset(&browser, 0, sizeof(browser));
}

void browser_password(const char *password)
{
    snprintf(browser.password, sizeof(browser.password), "%s", password ? password : "");
}

void browser_screen(int width, int height, bool phone, bool dark)
{
    json_t *feature =
        json_pack("[{ss ss}]", "name", "prefers-color-scheme", "value", dark ? "dark" : "light");
    done("Emulation.setDeviceMetricsOverride",
         json_pack("{si si si sb}", "width", width, "height", height, "deviceScaleFactor", phone ? 2 : 1,
                   "mobile", phone));
    done("Emulation.setEmulatedMedia", json_pack("{so}", "features", feature));
}

void browser_go(const char *url)
{
    browser.complaints[0] = '\0';
    browser.loaded = false;
    done("Page.navigate", json_pack("{ss}", "url", url));
    for (int64_t end_ms = now_ms() + ANSWER_MS; !browser.loaded; browser_says("1"))
        if (now_ms() > end_ms)
            fail_msg("%s was not loaded", url);
}

const char *browser_says(const char *expression)
{
    json_t *result = call("Runtime.evaluate", json_pack("{ss sb sb}", "expression", expression,
                                                        "returnByValue", 1, "awaitPromise", 1));
    const json_t *value = json_object_get(json_object_get(result, "result"), "value");
    free(browser.said);
    browser.said =
        json_is_string(value) ? strdup(json_string_value(value)) : json_dumps(value, JSON_ENCODE_ANY);
    if (!browser.said)
        browser.said = strdup("");
    json_decref(result);
    return browser.said;
}

void browser_wait(const char *expression, int64_t deadline_ms)
{
    for (int64_t end_ms = now_ms() + deadline_ms; strcmp(browser_says(expression), "true") != 0; sleep_ms(50))
        if (now_ms() > end_ms)
            fail_msg("within %lld ms this did not become true: %s\n%s\n%s", (long long)deadline_ms,
                     expression, browser.complaints, browser_says("document.body.innerText"));
}

void browser_shot(const char *path)
{
    json_t *shot = call("Page.captureScreenshot", json_pack("{ss}", "format", "png"));
    const char *text = text_at(shot, "data", NULL, NULL);
    size_t length = strlen(text);
    unsigned char *bytes = malloc(length);
    assert_non_null(bytes);
    int count = EVP_DecodeBlock(bytes, (const unsigned char *)text, (int)length);
    for (size_t i = length; i > 0 && text[i - 1] == '='; i--)
        count--;
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, (size_t)count, file), count);
    fclose(file);
    free(bytes);
    json_decref(shot);
}

const char *browser_complaints(void)
{
    browser_says("1"); /* what was said meanwhile */
    return browser.complaints;
}

int browser_strays(const char *origin)
{
    int count = 0;
    for (int i = 0; i < browser.url_count; i++)
        count += strncmp(browser.urls[i], origin, strlen(origin)) != 0 &&
                 strncmp(browser.urls[i], "data:", 5) != 0;
    return count;
}
