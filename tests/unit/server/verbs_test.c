/* verbs_test.c - server/protocol/verbs.c: what the table says of single verbs. */
#include "tests/support/test.h"
#include "tests/unit/server/core.h"

#include <stdio.h>

TEST(verbs, rset_before_ehlo_is_no_greeting_rfc5321_4_1_4)
{
    struct core core = core_defaults();
    CORE_EXPECT(&core, "RSET\r\nMAIL FROM:<>\r\nEHLO c.test\r\nMAIL FROM:<>\r\n",
                "220 250/2.0.0 503/5.5.1 250 250/2.1.0");
}

TEST(verbs, a_missing_argument_is_answered_with_the_syntax_rfc5321_4_3_2)
{
    struct core core = core_defaults();
    core_open(&core);
    core_feed_text(&core, "EHLO\r\nHELO\r\n");
    expect_contains(core_output(&core), "501 5.5.4 Syntax: EHLO domain-or-literal\r\n");
    expect_contains(core_output(&core), "501 5.5.4 Syntax: HELO domain\r\n");
    core_clear(&core);
}

#define LONG_ARGUMENT 480 /* more than the room that is set aside for a verb */

static enum smtp_server_verdict expect_long_argument(const struct smtp_server_event *event,
                                                     struct smtp_server_reply *reply)
{
    expect_str(event->name, "XVERB-OF-SOMEBODY");
    expect_int(strlen(event->argument), LONG_ARGUMENT);
    expect_int(strspn(event->argument, "7"), LONG_ARGUMENT);
    return smtp_server_reply(reply, 250, "2.0.0", "Fine");
}

TEST(verbs, a_hook_sees_the_unknown_verb_and_its_whole_argument)
{
    char line[LONG_ARGUMENT + 32], argument[LONG_ARGUMENT + 1];
    struct core core = core_defaults();
    core.config.asks = 1u << SMTP_SERVER_ASK_UNKNOWN;
    core.decide = expect_long_argument;
    memset(argument, '7', LONG_ARGUMENT);
    argument[LONG_ARGUMENT] = '\0';
    snprintf(line, sizeof line, "XVERB-OF-SOMEBODY %s\r\n", argument);
    core_open(&core);
    core_feed_text(&core, line);
    expect_str(core_codes(&core), "220 250/2.0.0");
    core_clear(&core);
}
