/* parameters_test.c - server/protocol/parameters.c: which parameter is taken where, and how each of
 * the others is refused. */
#include "tests/support/test.h"
#include "tests/unit/server/core.h"

TEST(parameters, both_values_of_body_are_taken_in_any_case_rfc6152_2)
{
    struct core core = core_defaults();
    CORE_EXPECT(&core,
                "EHLO c.test\r\nMAIL FROM:<> BODY=7BIT\r\nRSET\r\nMAIL FROM:<> body=8bitMIME\r\n",
                "220 250 250/2.1.0 250/2.0.0 250/2.1.0");
}

TEST(parameters, none_is_taken_after_helo_rfc5321_4_1_1_11)
{
    struct core core = core_defaults();
    CORE_EXPECT(&core, "HELO c.test\r\nMAIL FROM:<> SIZE=1\r\nMAIL FROM:<> BODY=7BIT\r\n",
                "220 250 555/5.5.4 555/5.5.4");
}

TEST(parameters, those_of_mail_are_none_of_rcpt_rfc1870_3)
{
    struct core core = core_defaults();
    CORE_EXPECT(&core,
                "EHLO c.test\r\nMAIL FROM:<>\r\nRCPT TO:<b@y.test> SIZE=1\r\n"
                "RCPT TO:<b@y.test> BODY=7BIT\r\nDATA\r\n",
                "220 250 250/2.1.0 555/5.5.4 555/5.5.4 503/5.5.1");
}

TEST(parameters, a_size_of_20_digits_is_read_and_one_of_21_refused_rfc1870_3)
{
    struct core core = core_defaults();
    CORE_EXPECT(&core,
                "EHLO c.test\r\nMAIL FROM:<> SIZE=000000000000000000001\r\n"
                "MAIL FROM:<> SIZE=00000000000000000001\r\n",
                "220 250 501/5.5.4 250/2.1.0");
}

TEST(parameters, without_a_limit_any_size_is_taken_and_0_is_offered_rfc1870_4)
{
    struct core core = core_defaults();
    core.config.limits.message_octets = 0;
    CORE_EXPECT(&core,
                "EHLO c.test\r\nMAIL FROM:<> SIZE=99999999999999999999\r\nRCPT TO:<b@y.test>\r\n"
                "DATA\r\nx\r\n.\r\n",
                "220 250 250/2.1.0 250/2.1.5 354 250/2.0.0", "x\r\n");
    core_open(&core);
    core_feed_text(&core, "EHLO c.test\r\n");
    expect_contains(core_output(&core), "250-SIZE 0\r\n");
    core_clear(&core);
}
