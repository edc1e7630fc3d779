/* The numbered SQL files, compiled in, and the command that applies them. */
#ifndef MAKEGOOD_MIGRATE_H
#define MAKEGOOD_MIGRATE_H

struct migration {
    int version;
    const char *name; /* the file's */
    const char *sql;
};

extern const struct migration migrations[]; /* ascending, ended by version 0 */

/* The oldest schema that this program can work on, that of the first release: what a newer one brought is not used there. */
#define SCHEMA_OLDEST 9

int migration_latest(void); /* the version that this program brings */

#endif
