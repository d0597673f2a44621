/* extensions_test.c - REQUIRETLS (RFC 8689), FUTURERELEASE (RFC 4865), DELIVERBY (RFC 2852) and
 * MT-PRIORITY (RFC 6710); VRFY, EXPN and HELP switched off; dates. */
#include "server/protocol/date_time.h"
#include "tests/support/test.h"
#include "tests/unit/server/core.h"

#include <stdio.h>

#define HELLO "EHLO c.test\r\n"

static struct core with_all(void)
{
    struct core core = core_defaults();
    core.config.keywords.future_release = true;
    core.config.keywords.deliver_by = true;
    core.config.keywords.mt_priority = true;
    return core;
}

static void expect_line(const struct core *prepared, const char *line)
{
    struct core core = *prepared;
    core_open(&core);
    core_feed_text(&core, HELLO);
    expect_contains(core_output(&core), line);
    core_clear(&core);
}

static void expect_no_line(const struct core *prepared, const char *word)
{
    struct core core = *prepared;
    core_open(&core);
    core_feed_text(&core, HELLO);
    expect_true(strstr(core_output(&core), word) == NULL);
    core_clear(&core);
}

/* Each parameter with MAIL gets the reply. */
static void expect_each(const struct core *prepared, const char *const *parameters, size_t count,
                        const char *code)
{
    for (size_t i = 0; i < count; i++) {
        char input[256], codes[64];
        int len = snprintf(input, sizeof input, HELLO "MAIL FROM:<a@x.test> %s\r\n", parameters[i]);
        snprintf(codes, sizeof codes, "220 250 %s", code);
        core_expect(prepared, input, (size_t)len, codes, (const char *const[]){NULL});
    }
}
#define EXPECT_EACH(prepared, parameters, code)                                                    \
    expect_each(prepared, parameters, sizeof(parameters) / sizeof *(parameters), code)

TEST(extensions, those_that_need_a_clock_are_off_by_default_and_555_rfc5321_4_1_1_11)
{
    static const char *const parameters[] = {
        "HOLDFOR=1", "HOLDUNTIL=2026-11-25T13:00:00Z", "BY=9;N", "MT-PRIORITY=0", "REQUIRETLS",
        "XYZ=1",
    };
    struct core core = core_defaults();
    expect_no_line(&core, "FUTURERELEASE");
    expect_no_line(&core, "DELIVERBY");
    expect_no_line(&core, "MT-PRIORITY");
    EXPECT_EACH(&core, parameters, "555/5.5.4");
}

/* ---- REQUIRETLS ---- */

static const struct smtp_tls_facts facts = {.version = "TLSv1.3", .cipher = "x"};

TEST(requiretls, is_offered_and_taken_under_tls_alone_rfc8689_2)
{
    struct core core = core_defaults();
    expect_no_line(&core, "REQUIRETLS");
    core.implicit_tls = &facts;
    expect_line(&core, "250-REQUIRETLS\r\n");
    CORE_EXPECT(&core,
                HELLO "MAIL FROM:<> REQUIRETLS=x\r\nMAIL FROM:<> REQUIRETLS REQUIRETLS\r\n"
                      "MAIL FROM:<> requiretls\r\nRCPT TO:<a@x> REQUIRETLS\r\n",
                "220 250 501/5.5.4 501/5.5.4 250/2.1.0 555/5.5.4");
    core.config.keywords.require_tls = false;
    expect_no_line(&core, "REQUIRETLS");
    CORE_EXPECT(&core, HELLO "MAIL FROM:<> REQUIRETLS\r\n", "220 250 555/5.5.4");
}

/* ---- FUTURERELEASE ---- */

/* rfc4865/4.2/futurerelease-offer */
TEST(futurerelease, is_offered_with_the_longest_hold_and_its_end_rfc4865_4_1)
{
    struct core core = with_all();
    expect_line(&core, "250-FUTURERELEASE 2592000 2026-12-25T12:00:00Z\r\n");
    core.config.limits.hold_s = 60;
    expect_line(&core, "250-FUTURERELEASE 60 2026-11-25T12:01:00Z\r\n");
    core.config.limits.hold_s = 0; /* no limit: nine digits */
    expect_line(&core, "250-FUTURERELEASE 999999999 2058-08-03T13:46:39Z\r\n");
}

/* rfc4865/4.2/futurerelease-limits */
TEST(futurerelease, what_is_within_the_limit_is_taken_rfc4865_4_2)
{
    static const char *const good[] = {
        "HOLDFOR=1",
        "HOLDFOR=3600",
        "holdfor=60",
        "HOLDUNTIL=2026-11-25T13:00:00Z",
        "HOLDUNTIL=2026-11-25T12:00:01Z",
        "HOLDUNTIL=2026-11-25T12:30:00.25Z",
        "HOLDUNTIL=2020-02-29T23:59:60Z", /* gone by: it is released at once */
    };
    struct core core = with_all();
    core.config.limits.hold_s = 3600;
    EXPECT_EACH(&core, good, "250/2.1.0");
}

TEST(futurerelease, beyond_it_malformed_or_both_is_501_rfc4865_4_2)
{
    static const char *const bad[] = {
        "HOLDFOR=3601",
        "HOLDFOR=0",
        "HOLDFOR=060",
        "HOLDFOR=-1",
        "HOLDFOR=+1",
        "HOLDFOR=1s",
        "HOLDFOR=",
        "HOLDFOR",
        "HOLDFOR=1000000000",
        "HOLDFOR=99999999999999999999",
        "HOLDUNTIL=2026-11-25T13:00:01Z",
        "HOLDUNTIL=9999-12-31T23:59:59Z",
        "HOLDUNTIL=2026-11-25T13:00:00",
        "HOLDUNTIL=2026-11-25T13:00:00+00:00",
        "HOLDUNTIL=2026-11-25t13:00:00z",
        "HOLDUNTIL=2026-11-25T13:00Z",
        "HOLDUNTIL=2026-11-31T12:00:00Z",
        "HOLDUNTIL=2026-13-01T12:00:00Z",
        "HOLDUNTIL=2026-11-25T12:00:00.Z",
        "HOLDUNTIL=soon",
        "HOLDUNTIL",
        "HOLDFOR=1 HOLDUNTIL=2026-11-25T12:00:01Z",
        "HOLDUNTIL=2026-11-25T12:00:01Z HOLDFOR=1",
        "HOLDFOR=1 HOLDFOR=1",
    };
    struct core core = with_all();
    core.config.limits.hold_s = 3600;
    EXPECT_EACH(&core, bad, "501/5.5.4");
}

TEST(futurerelease, a_refused_mail_leaves_no_hold_behind)
{
    struct core core = with_all();
    CORE_EXPECT(&core,
                HELLO "MAIL FROM:<> HOLDFOR=1 X\r\nMAIL FROM:<> HOLDUNTIL=2026-11-25T12:00:01Z\r\n",
                "220 250 555/5.5.4 250/2.1.0");
}

/* ---- DELIVERBY ---- */

TEST(deliverby, is_offered_with_its_least_time_if_there_is_one_rfc2852_3)
{
    struct core core = with_all();
    expect_line(&core, "250-DELIVERBY\r\n");
    core.config.limits.deliver_by_s = 240;
    expect_line(&core, "250-DELIVERBY 240\r\n");
}

TEST(deliverby, takes_a_time_a_mode_and_a_trace_rfc2852_4)
{
    static const char *const good[] = {
        "BY=120;R", "by=120;n", "BY=120;RT", "BY=120;nt",      "BY=-5;N",
        "BY=0;N",   "BY=+7;R",  "BY=1;N",    "BY=999999999;R", "BY=-999999999;NT",
    };
    struct core core = with_all();
    EXPECT_EACH(&core, good, "250/2.1.0");
}

TEST(deliverby, malformed_values_and_mode_r_without_time_are_501_rfc2852_4)
{
    static const char *const bad[] = {
        "BY",       "BY=",       "BY=;R",           "BY=120",          "BY=120;",       "BY=120;X",
        "BY=120;T", "BY=120;RX", "BY=120;RTT",      "BY=0;R",          "BY=-1;R",       "BY=+;R",
        "BY=--1;N", "BY=1.5;R",  "BY=1000000000;R", "BY=0000000001;R", "BY=1;R BY=1;R", "BY=x;R",
    };
    struct core core = with_all();
    EXPECT_EACH(&core, bad, "501/5.5.4");
}

TEST(deliverby, sooner_than_is_offered_is_555_for_mode_r_rfc2852_4)
{
    struct core core = with_all();
    core.config.limits.deliver_by_s = 240;
    CORE_EXPECT(&core,
                HELLO "MAIL FROM:<> BY=239;R\r\nMAIL FROM:<> BY=240;R\r\nRSET\r\n"
                      "MAIL FROM:<> BY=1;N\r\n",
                "220 250 555/5.5.4 250/2.1.0 250/2.0.0 250/2.1.0");
}

/* ---- MT-PRIORITY ---- */

TEST(mt_priority, takes_numbers_from_minus_9_to_9_rfc6710_4)
{
    static const char *const good[] = {"MT-PRIORITY=0", "MT-PRIORITY=9", "mt-priority=-9",
                                       "MT-PRIORITY=-1"};
    static const char *const bad[] = {
        "MT-PRIORITY",    "MT-PRIORITY=",
        "MT-PRIORITY=10", "MT-PRIORITY=-10",
        "MT-PRIORITY=+1", "MT-PRIORITY=-0",
        "MT-PRIORITY=00", "MT-PRIORITY=-",
        "MT-PRIORITY=x",  "MT-PRIORITY=1 MT-PRIORITY=1",
    };
    struct core core = with_all();
    expect_line(&core, "250-MT-PRIORITY\r\n");
    EXPECT_EACH(&core, good, "250/2.1.0");
    EXPECT_EACH(&core, bad, "501/5.5.4");
}

/* ---- lines ---- */

TEST(extensions, each_adds_to_the_mail_line_what_its_rfc_says)
{
    static const struct {
        struct smtp_server_keywords keywords;
        size_t octets;
    } rows[] = {
        {{.size = true}, 26},           /* RFC 1870 3 */
        {{.eight_bit_mime = true}, 17}, /* RFC 6152 2 */
        {{.smtputf8 = true}, 10},       /* RFC 6531 3.1 */
        {{.dsn = true}, 524},           /* RFC 3461 5.4 */
        {{.require_tls = true}, 11},    /* RFC 8689 3 */
        {{.future_release = true}, 34}, /* RFC 4865 4 */
        {{.deliver_by = true}, 17},     /* RFC 2852 3 */
        {{.mt_priority = true}, 15},    /* RFC 6710 3 */
        {{.size = true, .deliver_by = true}, 43},
        {{.pipelining = true}, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char input[4096];
        struct core core = core_defaults();
        core.config.keywords = rows[i].keywords;
        int len =
            snprintf(input, sizeof input, HELLO "MAIL FROM:<>%*s\r\nMAIL FROM:<>%*s\r\n",
                     (int)(513 + rows[i].octets - 14), "", (int)(512 + rows[i].octets - 14), "");
        core_open(&core);
        core_feed(&core, input, (size_t)len);
        expect_str(core_codes(&core), "220 250 500 250");
        core_clear(&core);
    }
}

/* ---- VRFY, EXPN, HELP ---- */

static enum smtp_server_verdict must_not_be_asked(const struct smtp_server_event *event,
                                                  struct smtp_server_reply *reply)
{
    (void)reply;
    SMTP_TEST_FAIL("asked: %s", event->argument);
    return SMTP_REFUSE;
}

TEST(inquiries, switched_off_they_are_502_offered_nowhere_and_asked_of_nobody_rfc5321_4_2_4)
{
    struct core core = core_defaults();
    core.config.keywords.vrfy = false;
    core.config.keywords.expn = false;
    core.config.keywords.help = false;
    core.config.asks = 1u << SMTP_SERVER_ASK_VRFY | 1u << SMTP_SERVER_ASK_EXPN;
    core.decide = must_not_be_asked;
    CORE_EXPECT(&core, HELLO "VRFY a\r\nVRFY\r\nEXPN a\r\nHELP\r\nHELP VRFY\r\nNOOP\r\n",
                "220 250 502/5.5.1 502/5.5.1 502/5.5.1 502/5.5.1 502/5.5.1 250/2.0.0");
    expect_no_line(&core, "VRFY");
    expect_no_line(&core, "EXPN");
    expect_no_line(&core, "HELP");
}

TEST(inquiries, expn_is_offered_only_where_a_hook_answers_it_rfc5321_3_5_2)
{
    struct core core = core_defaults();
    expect_line(&core, "VRFY\r\n250 HELP\r\n");
    expect_no_line(&core, "EXPN");
    CORE_EXPECT(&core, HELLO "EXPN a\r\nVRFY a\r\n", "220 250 502/5.5.1 252/2.0.0");
    core.config.asks = 1u << SMTP_SERVER_ASK_EXPN;
    expect_line(&core, "250-EXPN\r\n");
}

TEST(inquiries, help_lists_no_verb_that_is_switched_off_rfc5321_4_1_1_8)
{
    struct core core = core_defaults();
    core.config.keywords.vrfy = false;
    core_open(&core);
    core_feed_text(&core, "HELP\r\n");
    expect_true(strstr(core_output(&core), "VRFY") == NULL);
    core_clear(&core);
}

/* ---- dates ---- */

TEST(date_time, is_written_and_read_back_rfc3339_5_6)
{
    static const struct {
        int64_t unix_s;
        const char *text;
    } rows[] = {
        {0, "1970-01-01T00:00:00Z"},          {951782399, "2000-02-28T23:59:59Z"},
        {951782400, "2000-02-29T00:00:00Z"},  {951868800, "2000-03-01T00:00:00Z"},
        {1709164800, "2024-02-29T00:00:00Z"}, {4107542400, "2100-03-01T00:00:00Z"},
        {1798761599, "2026-12-31T23:59:59Z"}, {253402300799, "9999-12-31T23:59:59Z"},
        {978307199, "2000-12-31T23:59:59Z"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[SMTP_DATE_TIME_SIZE];
        int64_t unix_s = -1;
        smtp_date_time_write(rows[i].unix_s, text);
        expect_str(text, rows[i].text);
        expect_true(smtp_date_time_read(smtp_span_of(text), &unix_s));
        expect_int(unix_s, rows[i].unix_s);
    }
}

TEST(date_time, what_is_no_date_is_not_read_rfc3339_5_7)
{
    static const char *const bad[] = {
        "",
        "2026-11-25",
        "2026-02-29T00:00:00Z",
        "2100-02-29T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2026-01-00T00:00:00Z",
        "2026-01-32T00:00:00Z",
        "2026-01-01T24:00:00Z",
        "2026-01-01T00:60:00Z",
        "2026-01-01T00:00:61Z",
        "0000-01-01T00:00:00Z",
        "2026-01-01 00:00:00Z",
        "2026-1-01T00:00:00Z",
        "2026-01-01T00:00:00ZZ",
        "2026-01-01T00:00:00.5",
        "+026-01-01T00:00:00Z",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int64_t unix_s;
        if (smtp_date_time_read(smtp_span_of(bad[i]), &unix_s)) {
            SMTP_TEST_FAIL("taken: %s", bad[i]);
        }
    }
    int64_t before_1970 = 0;
    expect_true(smtp_date_time_read(SMTP_SPAN("1969-12-31T23:59:59.999Z"), &before_1970));
    expect_int(before_1970, -1);
}
