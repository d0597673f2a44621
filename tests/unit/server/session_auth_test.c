/* session_auth_test.c - server/protocol/auth.c: the exchange of AUTH (RFC 4954 4), against the core
 * with mechanisms that the test plays. What is offered when, and what needs a login, stands in
 * session_login_test.c. */
#include "tests/support/test.h"
#include "tests/unit/server/core.h"

#include <stdio.h>

#define MS UINT64_C(1000000)
#define HELLO "EHLO c.test\r\n"
#define GREETED "220 250 "
#define RIGHT "AGFubgBzZWNyZXQ=" /* NUL ann NUL secret */
#define WRONG "AGFubgB3cm9uZw=="

static struct smtp_server_auth_answer challenge(const char *text)
{
    return (struct smtp_server_auth_answer){.step = SMTP_SERVER_AUTH_CHALLENGE,
                                            .challenge = smtp_span_of(text)};
}

static struct smtp_server_auth_answer step(enum smtp_server_auth_step step)
{
    return (struct smtp_server_auth_answer){.step = step, .identity = "ann"};
}

static struct smtp_server_auth_answer plain(const struct smtp_server_event *event)
{
    if (!event->has_response) {
        return challenge("");
    }
    return step(event->response.len == 0 ? SMTP_SERVER_AUTH_MALFORMED
                : smtp_span_equal(event->response, SMTP_SPAN("\0ann\0secret"))
                    ? SMTP_SERVER_AUTH_ACCEPTED
                    : SMTP_SERVER_AUTH_REFUSED);
}

static struct smtp_server_auth_answer login(const struct smtp_server_event *event)
{
    if (!event->has_response) {
        return challenge("Username:");
    }
    return smtp_span_equal(event->response, SMTP_SPAN("ann"))
               ? challenge("Password:")
               : step(smtp_span_equal(event->response, SMTP_SPAN("secret"))
                          ? SMTP_SERVER_AUTH_ACCEPTED
                          : SMTP_SERVER_AUTH_REFUSED);
}

/* The last word of the server comes in a 334, as 235 has no room for it. */
static struct smtp_server_auth_answer scram(const struct smtp_server_event *event, unsigned steps)
{
    static const char *const awaited[] = {"client-first", "client-final", ""};
    expect_true(steps < 3);
    expect_true(event->has_response);
    expect_bytes(event->response.bytes, event->response.len, awaited[steps],
                 strlen(awaited[steps]));
    return steps == 0   ? challenge("server-first")
           : steps == 1 ? challenge("v=server-final")
                        : step(SMTP_SERVER_AUTH_ACCEPTED);
}

static struct smtp_server_auth_answer play(const struct smtp_server_event *event, unsigned steps)
{
    expect_true(event->first == (steps == 0));
    if (strcmp(event->name, "PLAIN") == 0) {
        return plain(event);
    }
    if (strcmp(event->name, "LOGIN") == 0) {
        return login(event);
    }
    if (strcmp(event->name, "SCRAM-SHA-256") == 0) {
        return scram(event, steps);
    }
    expect_str(event->name, "CRAM-MD5");
    expect_true(event->has_response == (steps > 0));
    return steps == 0 ? challenge("<1.2@mx.test>") : step(SMTP_SERVER_AUTH_ACCEPTED);
}

static struct core with_auth(void)
{
    struct core core = core_defaults();
    core.config.mechanisms_clear = "SCRAM-SHA-256 CRAM-MD5 PLAIN LOGIN";
    core.config.mechanisms_tls = "SCRAM-SHA-256 CRAM-MD5 PLAIN LOGIN EXTERNAL";
    core.answer_auth = play;
    return core;
}

/* ---- the ordinary way ---- */

TEST(auth, plain_with_and_without_initial_response_rfc4954_4)
{
    struct core core = with_auth();
    CORE_EXPECT(&core, HELLO "AUTH PLAIN " RIGHT "\r\nNOOP\r\n", GREETED "235/2.7.0 250/2.0.0");
    CORE_EXPECT(&core, HELLO "auth plain\r\n" RIGHT "\r\nNOOP\r\n",
                GREETED "334 235/2.7.0 250/2.0.0");
}

TEST(auth, login_in_its_steps_and_with_the_name_at_once)
{
    struct core core = with_auth();
    CORE_EXPECT(&core, HELLO "AUTH LOGIN\r\nYW5u\r\nc2VjcmV0\r\nNOOP\r\n",
                GREETED "334 334 235/2.7.0 250/2.0.0");
    CORE_EXPECT(&core, HELLO "AUTH LOGIN YW5u\r\nc2VjcmV0\r\n", GREETED "334 235/2.7.0");
}

TEST(auth, the_last_word_of_scram_comes_in_a_334_before_235_rfc4954_4)
{
    struct core core = with_auth();
    CORE_EXPECT(&core,
                HELLO "AUTH SCRAM-SHA-256 Y2xpZW50LWZpcnN0\r\nY2xpZW50LWZpbmFs\r\n\r\nNOOP\r\n",
                GREETED "334 334 235/2.7.0 250/2.0.0");
}

TEST(auth, a_challenge_is_334_a_space_and_base64_and_nothing_else_rfc4954_4)
{
    struct core core = with_auth();
    core_open(&core);
    core_feed_text(&core, HELLO);
    core.output.len = 0;
    core_feed_text(&core, "AUTH PLAIN\r\n*\r\nAUTH LOGIN\r\nYW5u\r\n*\r\nAUTH CRAM-MD5\r\n");
    expect_str(core_output(&core), "334 \r\n501 5.7.0 Authentication cancelled\r\n"
                                   "334 VXNlcm5hbWU6\r\n334 UGFzc3dvcmQ6\r\n"
                                   "501 5.7.0 Authentication cancelled\r\n"
                                   "334 PDEuMkBteC50ZXN0Pg==\r\n");
    core_clear(&core);
}

static struct smtp_server_auth_answer challenge_at_length(const struct smtp_server_event *event,
                                                          unsigned steps)
{
    static char text[9001];
    (void)event;
    memset(text, 'x', sizeof text - 1);
    return steps == 0 ? challenge(text) : step(SMTP_SERVER_AUTH_ACCEPTED);
}

TEST(auth, a_long_challenge_is_one_line_rfc4954_4)
{
    struct core core = with_auth();
    core.answer_auth = challenge_at_length;
    core_open(&core);
    core_feed_text(&core, HELLO "AUTH PLAIN\r\n");
    const char *line = strstr(core_output(&core), "334 ");
    expect_true(line != NULL);
    expect_int(strcspn(line, "\r\n"), 4 + 12000);
    expect_int(strspn(line + 4, "eHh4"), 12000); /* "xxx" is "eHh4" */
    core_clear(&core);
}

/* ---- the initial response ---- */

static struct smtp_server_auth_answer want_empty(const struct smtp_server_event *event,
                                                 unsigned steps)
{
    expect_int(steps, 0);
    expect_true(event->first && event->has_response);
    expect_int(event->response.len, 0);
    return step(SMTP_SERVER_AUTH_ACCEPTED);
}

TEST(auth, an_equals_sign_is_an_empty_initial_response_rfc4954_4)
{
    struct core core = with_auth();
    core.answer_auth = want_empty;
    CORE_EXPECT(&core, HELLO "AUTH PLAIN =\r\n", GREETED "235/2.7.0");
    core.answer_auth = play;
    CORE_EXPECT(&core, HELLO "AUTH PLAIN =\r\nNOOP\r\n", GREETED "501/5.5.2 250/2.0.0");
}

TEST(auth, an_empty_line_is_an_empty_response_rfc4954_4)
{
    struct core core = with_auth();
    CORE_EXPECT(&core, HELLO "AUTH PLAIN\r\n\r\nNOOP\r\n", GREETED "334 501/5.5.2 250/2.0.0");
}

TEST(auth, later_an_equals_sign_is_no_base64_rfc4954_4)
{
    struct core core = with_auth();
    CORE_EXPECT(&core, HELLO "AUTH PLAIN\r\n=\r\nNOOP\r\n", GREETED "334 501/5.5.2 250/2.0.0");
}

TEST(auth, no_initial_response_where_the_server_speaks_first_rfc4954_4)
{
    struct core core = with_auth();
    CORE_EXPECT(&core, HELLO "AUTH CRAM-MD5 YW5u\r\nAUTH cram-md5 =\r\nAUTH CRAM-MD5\r\nYW5u\r\n",
                GREETED "501/5.7.0 501/5.7.0 334 235/2.7.0");
}

TEST(auth, a_third_argument_is_501_rfc4954_4)
{
    struct core core = with_auth();
    CORE_EXPECT(&core, HELLO "AUTH PLAIN " RIGHT " x\r\nAUTH PLAIN A GFu\r\nAUTH\r\nNOOP\r\n",
                GREETED "501/5.5.4 501/5.5.4 501/5.5.4 250/2.0.0");
}

static struct smtp_server_auth_answer want_nul_octets(const struct smtp_server_event *event,
                                                      unsigned steps)
{
    static const char octets[] = "\0\xff\0\r\n\0";
    (void)steps;
    expect_bytes(event->response.bytes, event->response.len, octets, sizeof octets - 1);
    return step(SMTP_SERVER_AUTH_ACCEPTED);
}

TEST(auth, every_octet_of_a_response_reaches_the_mechanism_rfc4954_4)
{
    struct core core = with_auth();
    core.answer_auth = want_nul_octets;
    CORE_EXPECT(&core, HELLO "AUTH PLAIN AP8ADQoA\r\n", GREETED "235/2.7.0");
}

/* ---- base64 ---- */

static struct smtp_server_auth_answer never(const struct smtp_server_event *event, unsigned steps)
{
    expect_true(!event->has_response);
    expect_int(steps, 0);
    return challenge("");
}

#define OCTETS(text)                                                                               \
    {                                                                                              \
        text, sizeof(text) - 1                                                                     \
    }
static const struct smtp_span no_base64[] = {
    OCTETS("AGFubgBzZWNyZXQ"),      /* no padding */
    OCTETS("AGFubgBzZWNyZXQ=="),    /* too much */
    OCTETS("AGFubgBzZWNyZXR="),     /* bits left over */
    OCTETS("AGFu=gBzZWNyZXQ="),     /* inside */
    OCTETS("=GFubgBzZWNyZXQ="),     /* at the front */
    OCTETS("AGFubgBzZWNyZXQ=AAAA"), /* something behind */
    OCTETS("AGFubgBzZWNyZXQ=\t"),
    OCTETS("AGFu\tbgBzZWNyZXQ="),
    OCTETS("AGFu!bgBzZWNyZXQ="),
    OCTETS("AGFubgBz-WNyZ_Q="), /* the alphabet of URLs */
    OCTETS("AGF\0bgBzZWNyZXQ="),
    OCTETS("AGFu\xc3\xbc"),
    OCTETS("=="),
    OCTETS("===="),
    OCTETS("A"),
    OCTETS("**"),
};

TEST(auth, what_is_no_base64_is_501_and_skipped_by_nobody_rfc4954_4)
{
    for (size_t i = 0; i < sizeof no_base64 / sizeof *no_base64; i++) {
        char input[256] = HELLO "AUTH PLAIN\r\n";
        size_t len = strlen(input);
        memcpy(input + len, no_base64[i].bytes, no_base64[i].len);
        len += no_base64[i].len;
        memcpy(input + len, "\r\nNOOP\r\n", 8);
        struct core core = with_auth();
        core.answer_auth = never;
        core_expect(&core, input, len + 8, GREETED "334 501/5.5.2 250/2.0.0",
                    (const char *const[]){NULL});
    }
}

TEST(auth, an_initial_response_that_is_no_base64_is_501_rfc4954_4)
{
    for (size_t i = 0; i < sizeof no_base64 / sizeof *no_base64; i++) {
        if (smtp_span_trim_end(no_base64[i]).len != no_base64[i].len) {
            continue; /* white space at the end of a command is none of it (RFC 5321 4.1.1) */
        }
        char input[256] = HELLO "AUTH PLAIN ";
        size_t len = strlen(input);
        memcpy(input + len, no_base64[i].bytes, no_base64[i].len);
        len += no_base64[i].len;
        memcpy(input + len, "\r\nNOOP\r\n", 8);
        struct core core = with_auth();
        core.answer_auth = never;
        core_expect(&core, input, len + 8, GREETED "501/5.5.2 250/2.0.0",
                    (const char *const[]){NULL});
    }
}

TEST(auth, a_response_with_spaces_around_it_is_501_rfc4954_4)
{
    struct core core = with_auth();
    CORE_EXPECT(&core,
                HELLO "AUTH PLAIN\r\n " RIGHT "\r\nAUTH PLAIN\r\n" RIGHT " \r\nAUTH PLAIN\r\n \r\n"
                      "AUTH PLAIN\r\n* \r\nAUTH PLAIN\r\n" RIGHT "\n\r\nNOOP\r\n",
                GREETED "334 501/5.5.2 334 501/5.5.2 334 501/5.5.2 334 501/5.5.2 334 501/5.5.2 "
                        "250/2.0.0");
}

/* ---- the end of an exchange ---- */

TEST(auth, an_asterisk_cancels_and_another_may_start_rfc4954_4)
{
    struct core core = with_auth();
    CORE_EXPECT(&core,
                HELLO "AUTH PLAIN\r\n*\r\nNOOP\r\nAUTH LOGIN\r\nYW5u\r\n*\r\nAUTH PLAIN " RIGHT
                      "\r\n",
                GREETED "334 501/5.7.0 250/2.0.0 334 334 501/5.7.0 235/2.7.0");
}

TEST(auth, the_driver_hears_of_what_ended_without_it_and_of_nothing_else)
{
    static const struct {
        const char *input;
        size_t cancelled;
    } rows[] = {
        {"AUTH PLAIN\r\n*\r\n", 1},
        {"AUTH PLAIN\r\n!\r\n", 1},
        {"AUTH LOGIN YW5u\r\n*\r\nAUTH PLAIN\r\n*\r\n", 2},
        {"AUTH PLAIN\r\n", 0},           /* it is open */
        {"AUTH PLAIN !\r\n", 0},         /* it never began */
        {"AUTH PLAIN " RIGHT "\r\n", 0}, /* accepted */
        {"AUTH PLAIN " WRONG "\r\n", 0}, /* refused */
        {"AUTH PLAIN =\r\nQUIT\r\n", 0}, /* malformed, by the driver's word */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct core core = with_auth();
        core_open(&core);
        core_feed_text(&core, HELLO);
        core_feed_text(&core, rows[i].input);
        expect_int(core.cancelled_count, rows[i].cancelled);
        core_clear(&core);
    }
}

TEST(auth, wrong_credentials_are_535_and_may_be_tried_again_rfc4954_4)
{
    struct core core = with_auth();
    CORE_EXPECT(&core,
                HELLO "AUTH PLAIN " WRONG "\r\nAUTH PLAIN " WRONG "\r\nAUTH PLAIN " WRONG "\r\n"
                      "AUTH PLAIN " RIGHT "\r\n",
                GREETED "535/5.7.8 535/5.7.8 535/5.7.8 235/2.7.0");
}

TEST(auth, failures_count_as_errors_of_the_peer_rfc4954_9)
{
    struct core core = with_auth();
    core.config.limits.errors = 3;
    CORE_EXPECT(&core,
                HELLO "AUTH PLAIN " WRONG
                      "\r\nAUTH PLAIN\r\n*\r\nAUTH PLAIN\r\n!\r\nAUTH PLAIN " RIGHT "\r\n",
                GREETED "535/5.7.8 334 501/5.7.0 334 501/5.5.2 421/4.7.0");
}

static struct smtp_server_auth_answer fail(const struct smtp_server_event *event, unsigned steps)
{
    (void)event;
    (void)steps;
    return step(SMTP_SERVER_AUTH_FAILED);
}

TEST(auth, a_failure_on_our_side_is_454_rfc4954_6)
{
    struct core core = with_auth();
    core.answer_auth = fail;
    core.config.limits.errors = 1; /* it is no error of the peer */
    CORE_EXPECT(&core, HELLO "AUTH PLAIN " RIGHT "\r\nNOOP\r\n", GREETED "454/4.7.0 250/2.0.0");
}

static struct smtp_server_auth_answer with_words(const struct smtp_server_event *event,
                                                 unsigned steps)
{
    static const struct smtp_server_reply welcome = {.code = 250,
                                                     .enhanced = "2.1.0",
                                                     .text = "Welcome"},
                                          weak = {.code = 534,
                                                  .enhanced = "5.7.9",
                                                  .text = "Choose a longer one"};
    (void)steps;
    struct smtp_server_auth_answer answer = plain(event);
    answer.reply = answer.step == SMTP_SERVER_AUTH_ACCEPTED ? &welcome : &weak;
    return answer;
}

TEST(auth, a_reply_of_the_hooks_takes_the_place_of_ours_but_a_login_is_235)
{
    struct core core = with_auth();
    core.answer_auth = with_words;
    core_open(&core);
    core_feed_text(&core, HELLO "AUTH PLAIN " WRONG "\r\nAUTH PLAIN " RIGHT "\r\n");
    expect_contains(core_output(&core), "534 5.7.9 Choose a longer one\r\n235 2.7.0 Welcome\r\n");
    core_clear(&core);
}

static struct smtp_server_auth_answer with_a_code(const struct smtp_server_event *event,
                                                  unsigned steps)
{
    static const struct smtp_server_reply welcome = {
        .code = 235, .enhanced = "2.5.0", .text = "Welcome"};
    struct smtp_server_auth_answer answer = with_words(event, steps);
    answer.reply = &welcome;
    return answer;
}

TEST(auth, the_enhanced_code_of_the_hook_takes_the_place_of_ours_at_235_rfc2034_4)
{
    struct core core = with_auth();
    core.answer_auth = with_a_code;
    core_open(&core);
    core_feed_text(&core, HELLO "AUTH PLAIN " RIGHT "\r\n");
    expect_contains(core_output(&core), "235 2.5.0 Welcome\r\n");
    core_clear(&core);
}

static struct smtp_server_auth_answer hang_up(const struct smtp_server_event *event, unsigned steps)
{
    (void)steps;
    struct smtp_server_auth_answer answer = plain(event);
    answer.disconnect = answer.step == SMTP_SERVER_AUTH_REFUSED;
    return answer;
}

TEST(auth, the_driver_may_end_the_session_after_the_reply)
{
    struct core core = with_auth();
    core.answer_auth = hang_up;
    CORE_EXPECT(&core, HELLO "AUTH PLAIN " WRONG "\r\nNOOP\r\n", GREETED "535/5.7.8");
    core_open(&core);
    core_feed_text(&core, HELLO "AUTH PLAIN\r\n" WRONG "\r\n");
    expect_true(smtp_server_session_ended(core.session));
    expect_int(core.cancelled_count, 0);
    core_clear(&core);
}

/* ---- long lines ---- */

/* An AUTH line, or one after it, of so many octets with its CRLF, and NOOP behind. */
static size_t make_long(char *input, const char *before, size_t line_octets)
{
    size_t len = strlen(before);
    const char *last = strrchr(before, '\n');
    size_t line_start = last == NULL ? 0 : (size_t)(last + 1 - before);
    memcpy(input, before, len);
    while (len < line_start + line_octets - 2) {
        input[len++] = 'A';
    }
    memcpy(input + len, "\r\nNOOP\r\n", 8);
    return len + 8;
}

static struct smtp_server_auth_answer accept_all(const struct smtp_server_event *event,
                                                 unsigned steps)
{
    (void)steps;
    return event->has_response ? step(SMTP_SERVER_AUTH_ACCEPTED) : challenge("");
}

static void expect_long(const char *before, size_t line_octets, const char *codes, size_t cancelled)
{
    static char input[200100];
    size_t len = make_long(input, before, line_octets);
    for (size_t piece = 7; piece < 2 * len; piece = piece * 3 + 1) {
        struct core core = with_auth();
        core.answer_auth = accept_all;
        core_open(&core);
        for (size_t at = 0; at < len; at += piece) {
            core_feed(&core, input + at, len - at < piece ? len - at : piece);
        }
        expect_str(core_codes(&core), codes);
        expect_int(core.cancelled_count, cancelled);
        core_clear(&core);
    }
}

TEST(auth, lines_of_12288_octets_are_taken_rfc4954_4)
{
    expect_long(HELLO "AUTH PLAIN\r\n", 12286, GREETED "334 235/2.7.0 250/2.0.0", 0); /* 4 * 3071 */
    expect_long(HELLO "AUTH PLAIN ", 11 + 12272 + 2, GREETED "235/2.7.0 250/2.0.0", 0);
}

TEST(auth, a_longer_response_is_500_once_and_the_session_in_step_rfc4954_4)
{
    expect_long(HELLO "AUTH PLAIN\r\n", 12288, GREETED "334 501/5.5.2 250/2.0.0",
                1); /* not 4 * n */
    expect_long(HELLO "AUTH PLAIN\r\n", 12289, GREETED "334 500/5.5.6 250/2.0.0", 1);
    expect_long(HELLO "AUTH PLAIN\r\n", 200000, GREETED "334 500/5.5.6 250/2.0.0", 1);
}

TEST(auth, a_longer_command_is_500_and_starts_nothing_rfc4954_6)
{
    expect_long(HELLO "AUTH PLAIN ", 12289, GREETED "500/5.5.6 250/2.0.0", 0);
    expect_long(HELLO "auth PLAIN ", 200000, GREETED "500/5.5.6 250/2.0.0", 0);
    expect_long(HELLO "AUTHPLAIN ", 200000, GREETED "500/5.5.2 250/2.0.0", 0);
}

TEST(auth, no_tail_of_a_line_that_is_too_long_is_a_command_or_a_response_rfc4954_4)
{
    struct core core = with_auth();
    core.config.limits.auth_line_octets = 64;
    CORE_EXPECT(&core,
                HELLO
                "AUTH PLAIN\r\n"
                "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\nRSET"
                "\r\nNOOP\r\nAUTH PLAIN " RIGHT "\r\n",
                GREETED "334 500/5.5.6 250/2.0.0 235/2.7.0");
}

TEST(auth, other_commands_keep_their_own_limit_rfc5321_4_5_3_1_4)
{
    char input[2048];
    struct core core = with_auth();
    int len = snprintf(input, sizeof input, "NOOP %0505d\r\nNOOP %0506d\r\nNOOP\r\n", 0, 0);
    core_expect(&core, input, (size_t)len, "220 250/2.0.0 500/5.5.2 250/2.0.0",
                (const char *const[]){NULL});
}

/* ---- time and the end ---- */

TEST(auth, a_part_of_a_response_buys_no_time_rfc5321_4_5_3_2_7)
{
    struct core core = with_auth();
    core_open(&core);
    core_feed_text(&core, HELLO "AUTH PLAIN\r\n");
    uint64_t asked_ns = core.now_ns;
    core.now_ns += 299999 * MS;
    core_feed_text(&core, "AGFu");
    expect_true(smtp_server_session_deadline_ns(core.session) == asked_ns + 300000 * MS);
    smtp_server_session_expire(core.session, asked_ns + 300000 * MS);
    core_settle(&core);
    expect_str(core_codes(&core), GREETED "334 421/4.4.2");
    expect_int(core.cancelled_count, 1);
    core_clear(&core);
}

TEST(auth, a_server_that_stops_says_421_in_an_exchange)
{
    struct core core = with_auth();
    core_open(&core);
    core_feed_text(&core, HELLO "AUTH PLAIN\r\nAGFu");
    smtp_server_session_shut_down(core.session, core.now_ns);
    core_settle(&core);
    expect_str(core_codes(&core), GREETED "334 421/4.3.2");
    expect_int(core.cancelled_count, 1);
    core_clear(&core);
}

/* A question is open: the driver answers, or the time is over before it does. */
TEST(auth, an_answer_after_the_end_changes_nothing)
{
    struct core core = with_auth();
    struct smtp_server_event event;
    core_open(&core);
    core_feed_text(&core, HELLO);
    smtp_server_session_receive(core.session, "AUTH PLAIN\r\n", 12, core.now_ns);
    expect_true(smtp_server_session_next_event(core.session, &event));
    expect_int(event.kind, SMTP_SERVER_ASK_AUTH);
    smtp_server_session_answer(core.session, SMTP_ACCEPT, NULL, core.now_ns); /* not of this kind */
    expect_true(!smtp_server_session_wants_input(core.session));
    smtp_server_session_expire(core.session, core.now_ns + 3600000 * MS);
    expect_true(smtp_server_session_next_event(core.session, &event));
    expect_int(event.kind, SMTP_SERVER_AUTH_CANCELLED);
    struct smtp_server_auth_answer answer = step(SMTP_SERVER_AUTH_ACCEPTED);
    smtp_server_session_answer_auth(core.session, &answer, core.now_ns);
    core_settle(&core);
    expect_str(core_codes(&core), GREETED "421/4.4.2");
    expect_str(smtp_server_session_identity(core.session), "");
    core_clear(&core);
}

/* ---- secrets ---- */

TEST(auth, a_response_is_overwritten_once_it_is_answered)
{
    struct core core = with_auth();
    struct smtp_server_event event;
    core_open(&core);
    core_feed_text(&core, HELLO);
    smtp_server_session_receive(core.session, "AUTH PLAIN " RIGHT "\r\n", 29, core.now_ns);
    expect_true(smtp_server_session_next_event(core.session, &event));
    expect_bytes(event.response.bytes, event.response.len, "\0ann\0secret", 11);
    struct smtp_server_auth_answer answer = step(SMTP_SERVER_AUTH_REFUSED);
    smtp_server_session_answer_auth(core.session, &answer, core.now_ns);
    for (size_t i = 0; i < event.response.len; i++) {
        expect_int(event.response.bytes[i], 0);
    }
    core_clear(&core);
}

TEST(auth, no_secret_is_in_the_log)
{
    static const char input[] =
        HELLO "AUTH PLAIN " WRONG "\r\nAUTH LOGIN\r\nYW5u\r\nd3Jvbmc=\r\n"
              "AUTH PLAIN\r\n*\r\nAUTH PLAIN\r\n\r\n"
              "AUTH  PLAIN  " RIGHT "\r\n\tauth\tPLAIN\t" RIGHT "\r\nNOOP\r\n";
    for (size_t cut = 0; cut < sizeof input; cut++) {
        struct core core = with_auth();
        core_log(&core);
        core_open(&core);
        core_feed(&core, input, cut);
        core_feed(&core, input + cut, sizeof input - 1 - cut);
        const char *log = core_log(&core);
        expect_contains(log, "C:AUTH PLAIN ***\nS:535 5.7.8 Authentication credentials invalid\n"
                             "C:AUTH LOGIN\nS:334 VXNlcm5hbWU6\nC:***\nS:334 UGFzc3dvcmQ6\nC:***\n"
                             "S:535 ");
        expect_contains(log, "C:AUTH PLAIN\nS:334 \nC:*\nS:501 ");
        expect_contains(log, "C:AUTH PLAIN\nS:334 \nC:\nS:501 ");
        expect_contains(log, "C:AUTH  PLAIN ***\n");
        expect_contains(log, "C:\tauth\tPLAIN ***\n");
        expect_true(strstr(log, "AGFu") == NULL && strstr(log, "YW5u") == NULL &&
                    strstr(log, "d3Jvbmc") == NULL);
        core_clear(&core);
    }
}

TEST(auth, responses_sent_behind_an_auth_that_was_refused_are_not_in_the_log)
{
    static const struct {
        const char *input;
        const char *log; /* of the commands that came */
    } cases[] = {
        {"AUTH NOSUCH\r\nYW5u\r\nd3Jvbmc=\r\n\r\n*\r\nNOOP\r\nXYZZY\r\n",
         "AUTH NOSUCH|***|***||*|NOOP|XYZZY|"},
        {"AUTH LOGIN\r\n?\r\nYW5u\r\nd3Jvbmc=\r\n", "AUTH LOGIN|***|***|***|"},
        {"AUTH LOGIN\r\n*\r\nYW5u\r\nAUTH NOSUCH\r\nd3Jvbmc=\r\n",
         "AUTH LOGIN|*|***|AUTH NOSUCH|***|"},
        {"AUTH PLAIN " WRONG "\r\nd3Jvbmc=\r\n", "AUTH PLAIN ***|***|"},
        {"AUTH PLAIN " RIGHT "\r\nXYZZY\r\nAUTH LOGIN\r\nd3Jvbmc=\r\n",
         "AUTH PLAIN ***|XYZZY|AUTH LOGIN|***|"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct core core = with_auth();
        core_log(&core);
        core_open(&core);
        core_feed_text(&core, "EHLO c.test\r\n");
        core_feed_text(&core, cases[i].input);
        char commands[256] = "";
        size_t len = 0;
        const char *at = strstr(core_log(&core), "C:EHLO");
        while ((at = strstr(at, "\nC:")) != NULL) {
            at += 3;
            len += (size_t)snprintf(commands + len, sizeof commands - len, "%.*s|",
                                    (int)strcspn(at, "\n"), at);
        }
        expect_str(commands, cases[i].log);
        core_clear(&core);
    }
}
