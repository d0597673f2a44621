/* runs.c - the simulation by itself, for the builds with a bug planted in a core: `runs SEED RUNS`. Exit status 1 and "run N:
 * what has not held" at the first run that did not hold, else 0; SIGALRM ends what hangs in one. Knows nothing of bugs. */
#include "harness/simulate/simulate.h"

#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#define HANGS_S 20 /* a run takes milliseconds, and 1,024 of them are looked at together */

static bool look(void *user, uint64_t done)
{
    (void)user;
    (void)done;
    alarm(HANGS_S);
    return false;
}

int main(int argc, char **argv)
{
    struct smtp_simulation_result result;
    if (argc != 3) {
        fputs("usage: runs SEED RUNS\n", stderr);
        return 2;
    }
    const struct smtp_simulation simulation = {
        .seed = strtoull(argv[1], NULL, 10), .runs = strtoull(argv[2], NULL, 10), .look = look};
    alarm(HANGS_S);
    if (smtp_simulate(&simulation, &result) != SMTP_OK) {
        fputs("runs: out of memory\n", stderr);
        return 2;
    }
    if (!result.held) {
        printf("run %" PRIu64 ": %s\n", result.failed_run, result.breach);
    }
    return result.held ? 0 : 1;
}
