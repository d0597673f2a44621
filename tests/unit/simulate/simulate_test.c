/* simulate_test.c - harness/simulate: a run is its seed and its number, and many of them hold. That it catches what does not
 * hold is tried in tests/simulate/planted. */
#include "harness/simulate/simulate.h"
#include "tests/support/test.h"

static char *told(uint64_t seed, uint64_t run)
{
    char *text = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&text, &size);
    expect_int(smtp_simulate_told(seed, run, to, NULL), SMTP_OK);
    fclose(to);
    return text;
}

TEST_WITHIN(simulate, a_run_is_the_same_each_time, 60)
{
    for (uint64_t run = 0; run < 200; run++) {
        char *first = told(7, run), *again = told(7, run);
        expect_str(again, first);
        free(first);
        free(again);
    }
}

TEST(simulate, another_seed_is_another_run)
{
    char *one = told(1, 5), *other = told(2, 5), *next = told(1, 6);
    expect_true(strcmp(strchr(one, '\n'), strchr(other, '\n')) != 0);
    expect_true(strcmp(strchr(one, '\n'), strchr(next, '\n')) != 0);
    free(one);
    free(other);
    free(next);
}

TEST(simulate, a_dialogue_says_what_the_run_is_like_and_that_it_held)
{
    char *text = told(1, 0);
    expect_contains(text, "# seed 1, run 0: ");
    expect_contains(text, " S: 220 mx.sim.test ");
    expect_contains(text, "# all held\n");
    free(text);
}

TEST_WITHIN(simulate, many_runs_hold_and_meet_all_that_can_befall_them, 120)
{
    const struct smtp_simulation simulation = {.seed = 3, .first = 1000, .runs = 2000};
    struct smtp_simulation_result result;
    expect_int(smtp_simulate(&simulation, &result), SMTP_OK);
    expect_str(result.breach, "");
    expect_true(result.held);
    expect_int(result.counts.runs, 2000);
    expect_true(result.counts.kept > 1000);
    expect_true(result.counts.refused > 0 && result.counts.unknown > 0);
    expect_true(result.counts.faults > 0 && result.counts.breaks > 0);
    expect_true(result.counts.handshakes > 0 && result.counts.deadlines > 0);
}

static bool stop_soon(void *user, uint64_t done)
{
    (void)user;
    return done > 0;
}

TEST_WITHIN(simulate, who_looks_on_can_end_it, 60)
{
    const struct smtp_simulation simulation = {.seed = 1, .runs = 1000000, .look = stop_soon};
    struct smtp_simulation_result result;
    expect_int(smtp_simulate(&simulation, &result), SMTP_OK);
    expect_true(result.held && result.counts.runs < 5000);
}
