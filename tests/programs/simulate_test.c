/* simulate_test.c - the verb simulate, as a shell sees it. */
#include "tests/programs/serve.h"
#include "tests/support/test.h"

TEST_WITHIN(simulate, tells_how_much_it_ran_and_that_all_held, 60)
{
    struct ended ended = run_to_end(ARGV("simulate", "--seed", "5", "--runs", "300"));
    expect_int(ended.exit_status, 0);
    expect_contains(ended.out, "300 runs in ");
    expect_contains(ended.out, " in the mailbox, ");
    expect_str(ended.err, "");
    ended_clear(&ended);
}

TEST_WITHIN(simulate, tells_one_run_as_a_dialogue_the_same_each_time, 60)
{
    struct ended ended = run_to_end(ARGV("simulate", "--seed", "5", "--run", "17"));
    struct ended again = run_to_end(ARGV("simulate", "--seed=5", "--run=17"));
    expect_int(ended.exit_status, 0);
    expect_contains(ended.out, "# seed 5, run 17: ");
    expect_contains(ended.out, "# all held\n");
    expect_str(again.out, ended.out);
    ended_clear(&ended);
    ended_clear(&again);
}

TEST(simulate, says_what_is_wrong_with_its_command_line)
{
    struct ended ended = run_to_end(ARGV("simulate", "--runs", "0"));
    expect_int(ended.exit_status, 2);
    expect_contains(ended.err, "--runs");
    ended_clear(&ended);
    ended = run_to_end(ARGV("simulate", "once"));
    expect_int(ended.exit_status, 2);
    expect_contains(ended.err, "once");
    ended_clear(&ended);
}
