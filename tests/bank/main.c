/* makegood-bank: `makegood bank` alone, for suites and benchmarks that measure processes apart. */
#include "bank/command.h"

int main(int argc, char **argv)
{
    return bank_command(argc, argv);
}
