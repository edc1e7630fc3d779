/* The command `makegood bank`: simulated payment channels, for rehearsals, tests and benchmarks. */
#ifndef BANK_COMMAND_H
#define BANK_COMMAND_H

/* Answers until SIGTERM or SIGINT; argv[0] is the command's own name. Returns the exit code: 0, 1 a fault was told on
 * stderr, 2 misuse. */
int bank_command(int argc, char **argv);

#endif
