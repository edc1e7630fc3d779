/* Reads secret files. Runs on the thread that loads the configuration; never says a byte of what it read. */
#include "daemon/config_secret.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* False: relative, and there is no directory for those. */
static bool secret_locate(const char *name, char out[PATH_MAX], bool *out_handed)
{
    const char *directory = getenv("CREDENTIALS_DIRECTORY");
    bool handed = directory && *directory;
    if (*name == '/')
        snprintf(out, PATH_MAX, "%s", name);
    else if (handed)
        snprintf(out, PATH_MAX, "%s/%s", directory, name);
    size_t length = handed ? strlen(directory) : 0;
    *out_handed = handed && (*name != '/' || (strncmp(name, directory, length) == 0 && name[length] == '/'));
    return *name == '/' || handed;
}

/* What is wrong with the file itself, as one sentence; the service manager's files are guarded by their
 * folder. */
static bool secret_file_fits(const struct stat *file, const char *path, bool handed, enum secrecy secrecy,
                             char *why, size_t why_bytes)
{
    if (!S_ISREG(file->st_mode))
        snprintf(why, why_bytes, "%s is not a regular file; name the file that holds the secret", path);
    else if (!handed && secrecy == SECRECY_GUARDED && (file->st_mode & (S_IRWXG | S_IRWXO)) != 0)
        snprintf(why, why_bytes, "%s can be read or changed by others; run: chmod 0600 %s", path, path);
    else if (file->st_size > SECRET_BYTES)
        snprintf(why, why_bytes, "%s is larger than %d KiB; name the file that holds the secret alone", path,
                 SECRET_BYTES / 1024);
    else
        return true;
    return false;
}

static char *secret_take(int file, const char *path, char *why, size_t why_bytes)
{
    char *secret = calloc(1, SECRET_BYTES + 2);
    size_t length = 0;
    ssize_t got = secret ? 1 : 0;
    while (got > 0 && length <= SECRET_BYTES) {
        got = read(file, secret + length, SECRET_BYTES + 1 - length);
        length += got > 0 ? (size_t)got : 0;
    }
    if (length > 0 && secret[length - 1] == '\n')
        secret[--length] = '\0';
    if (!secret)
        snprintf(why, why_bytes, "%s", "");
    else if (got < 0)
        snprintf(why, why_bytes, "%s can not be read: %s", path, strerror(errno));
    else if (length > SECRET_BYTES)
        snprintf(why, why_bytes, "%s is larger than %d KiB; name the file that holds the secret alone", path,
                 SECRET_BYTES / 1024);
    else if (length == 0)
        snprintf(why, why_bytes, "%s is empty; write the secret into it", path);
    else if (strlen(secret) != length)
        snprintf(why, why_bytes, "%s holds a NUL byte; write the secret as text", path);
    else
        return secret;
    secret_drop(secret);
    return NULL;
}

char *secret_read(const char *name, enum secrecy secrecy, char *why, size_t why_bytes)
{
    char path[PATH_MAX];
    bool handed = false;
    if (!secret_locate(name, path, &handed)) {
        snprintf(
            why, why_bytes,
            "\"%.200s\" is relative, and $CREDENTIALS_DIRECTORY is not set; write an absolute path, or hand "
            "the file over by LoadCredential= of the systemd unit",
            name);
        return NULL;
    }
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat status;
    char *secret = NULL;
    if (file < 0 || fstat(file, &status) < 0)
        snprintf(why, why_bytes, "%s can not be opened: %s; create it, readable by the daemon alone", path,
                 strerror(errno));
    else if (secret_file_fits(&status, path, handed, secrecy, why, why_bytes))
        secret = secret_take(file, path, why, why_bytes);
    if (file >= 0)
        close(file);
    return secret;
}

void secret_drop(char *secret)
{
    if (secret)
        explicit_bzero(secret, SECRET_BYTES + 2);
    free(secret);
}
