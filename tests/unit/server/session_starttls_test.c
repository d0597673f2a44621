/* session_starttls_test.c - server/protocol/: STARTTLS, TLS from the first octet, and what is 530
 * without (RFC 3207, RFC 8314), against the core: the test says when the handshake is over. */
#include "tests/support/test.h"
#include "tests/unit/server/core.h"

#define MS UINT64_C(1000000)
#define HELLO "EHLO client.test\r\n"
#define MESSAGE "MAIL FROM:<a@x.test>\r\nRCPT TO:<b@y.test>\r\nDATA\r\nx\r\n.\r\n"
#define TAKEN " 250/2.1.0 250/2.1.5 354 250/2.0.0"

static const struct smtp_tls_facts facts = {"TLSv1.3", "TLS_AES_256_GCM_SHA384", "mx.test", "",
                                            false};

static struct core with_starttls(void)
{
    struct core core = core_defaults();
    core.config.starttls = true;
    return core;
}

static void start_tls(struct core *core)
{
    expect_int(core->start_tls_count, 1);
    expect_true(!smtp_server_session_wants_input(core->session));
    smtp_server_session_tls_started(core->session, &facts, false, core->now_ns);
    core_settle(core);
}

/* `before` in the clear, then `inside` under TLS: whole, octet by octet, cut at every offset. */
static void expect_over_tls(const struct core *prepared, const char *before, const char *inside,
                            const char *codes)
{
    size_t len = strlen(inside);
    for (size_t cut = 0; cut <= len + 1; cut++) { /* a cut beyond the end is octet by octet */
        struct core core = *prepared;
        core_open(&core);
        core_feed_text(&core, before);
        start_tls(&core);
        if (cut <= len) {
            core_feed(&core, inside, cut);
            core_feed(&core, inside + cut, len - cut);
        }
        for (size_t i = 0; cut > len && i < len; i++) {
            core_feed(&core, inside + i, 1);
        }
        expect_str(core_codes(&core), codes);
        core_clear(&core);
    }
}

/* ---- the offer ---- */

TEST(starttls, ehlo_offers_it_until_tls_is_up_rfc3207_4_2)
{
    struct core core = with_starttls();
    core_open(&core);
    core_feed_text(&core, HELLO);
    expect_contains(core_output(&core), "250-ENHANCEDSTATUSCODES\r\n250-STARTTLS\r\n");
    core_feed_text(&core, "STARTTLS\r\n");
    expect_contains(core_output(&core), "220 2.0.0 Ready to start TLS\r\n");
    start_tls(&core);
    core.output.len = 0;
    core_feed_text(&core, HELLO);
    expect_true(strstr(core_output(&core), "STARTTLS") == NULL);
    core_clear(&core);
}

TEST(starttls, is_an_unknown_verb_where_it_is_not_offered_rfc5321_4_2_4)
{
    struct core core = core_defaults();
    CORE_EXPECT(&core, "STARTTLS\r\n" HELLO "STARTTLS\r\nHELP STARTTLS\r\nSTARTTLS x\r\nNOOP\r\n",
                "220 500/5.5.1 250 500/5.5.1 504/5.5.4 500/5.5.1 250/2.0.0");
    core_open(&core);
    core_feed_text(&core, HELLO "HELP\r\n");
    expect_true(strstr(core_output(&core), "STARTTLS") == NULL);
    expect_int(core.start_tls_count, 0);
    core_clear(&core);
}

TEST(starttls, is_in_the_help_where_it_is_offered)
{
    struct core core = with_starttls();
    core_open(&core);
    core_feed_text(&core, "HELP\r\nHELP starttls\r\n");
    expect_contains(core_output(&core), " QUIT STARTTLS VRFY");
    expect_contains(core_output(&core), "214 2.0.0 Syntax: STARTTLS\r\n");
    core_clear(&core);
}

/* ---- the command ---- */

TEST(starttls, takes_no_parameter_rfc3207_4)
{
    struct core core = with_starttls();
    CORE_EXPECT(&core, HELLO "STARTTLS x\r\nNOOP\r\nSTARTTLS 1.2\r\n" MESSAGE,
                "220 250 501/5.5.4 250/2.0.0 501/5.5.4" TAKEN, "x\r\n");
}

TEST(starttls, is_answered_220_however_it_is_cut_and_then_no_octet_is_taken_rfc3207_4)
{
    static const char input[] = "EHLO c.test\r\nStartTLS\r\n";
    size_t len = sizeof input - 1;
    for (size_t cut = 0; cut <= len; cut++) {
        struct core core = with_starttls();
        core_open(&core);
        core_feed(&core, input, cut);
        core_feed(&core, input + cut, len - cut);
        expect_str(core_codes(&core), "220 250 220/2.0.0");
        expect_int(core.start_tls_count, 1);
        expect_true(!smtp_server_session_wants_input(core.session));
        expect_true(!smtp_server_session_ended(core.session));
        /* what comes now is for TLS */
        expect_int(smtp_server_session_receive(core.session, "NOOP\r\n", 6, core.now_ns), 0);
        expect_int(smtp_server_session_pending(core.session).len, 0);
        core_clear(&core);
    }
}

/* RFC 3207 asks for no EHLO before it, and RFC 5321 4.1.4 for none before what is no mail
 * transaction. */
TEST(starttls, needs_no_ehlo_before_it_rfc3207_4)
{
    struct core core = with_starttls();
    expect_over_tls(&core, "STARTTLS\r\n", HELLO MESSAGE, "220 220/2.0.0 250" TAKEN);
    expect_over_tls(&core, "HELO c.test\r\nSTARTTLS\r\n", HELLO MESSAGE,
                    "220 250 220/2.0.0 250" TAKEN);
}

TEST(starttls, comes_last_of_a_pipelined_group_rfc3207_2)
{
    struct core core = with_starttls();
    expect_over_tls(&core, HELLO "NOOP\r\nSTARTTLS\r\n", HELLO, "220 250 250/2.0.0 220/2.0.0 250");
}

TEST(starttls, is_503_when_tls_is_up_rfc3207_4)
{
    struct core core = with_starttls();
    expect_over_tls(&core, HELLO "STARTTLS\r\n",
                    "STARTTLS\r\n" HELLO "STARTTLS\r\nSTARTTLS x\r\nNOOP\r\n",
                    "220 250 220/2.0.0 503/5.5.1 250 503/5.5.1 501/5.5.4 250/2.0.0");
}

/* ---- octets behind it ---- */

#define TAIL(octets)                                                                               \
    {                                                                                              \
        octets, sizeof(octets) - 1                                                                 \
    }
static const struct smtp_span tails[] = {
    TAIL("R"),
    TAIL("RSET"),
    TAIL("\r\n"),
    TAIL("\0"),
    TAIL("NOOP\r\n"),
    TAIL("RSET\r\nMAIL FROM:<evil@x.test>\r\nRCPT TO:<b@y.test>\r\nDATA\r\n"),
    TAIL("\x16\x03\x01\x02"), /* a ClientHello that did not wait for 220 */
};

static enum smtp_server_verdict never_asked_of_starttls(const struct smtp_server_event *event,
                                                        struct smtp_server_reply *reply)
{
    (void)reply;
    expect_true(event->kind != SMTP_SERVER_ASK_STARTTLS);
    return SMTP_ACCEPT;
}

static void expect_attack(const struct core *prepared, const char *first, size_t first_len,
                          const char *second, size_t second_len)
{
    struct core core = *prepared;
    core_log(&core);
    core_open(&core);
    core_feed(&core, first, first_len);
    core_feed(&core, second, second_len);
    expect_str(core_codes(&core), "220 250 503/5.5.1");
    expect_int(core.start_tls_count, 0);
    expect_true(smtp_server_session_ended(core.session));
    expect_contains(core_log(&core), "N:octets came behind STARTTLS\n");
    expect_true(strstr(core_log(&core), "evil") == NULL);
    smtp_server_session_tls_started(core.session, &facts, false, core.now_ns); /* changes nothing */
    expect_true(smtp_server_session_ended(core.session));
    expect_true(smtp_server_session_tls(core.session) == NULL);
    core_clear(&core);
}

/* RFC 3207 6, CVE-2011-0411: what came in the clear is never taken for what came under TLS. */
TEST(starttls, octets_glued_behind_it_end_the_session_rfc3207_6)
{
    struct core core = with_starttls();
    core.config.asks = 1u << SMTP_SERVER_ASK_STARTTLS | 1u << SMTP_SERVER_ASK_HELO;
    core.decide = never_asked_of_starttls;
    for (size_t i = 0; i < sizeof tails / sizeof *tails; i++) {
        char input[128] = HELLO "STARTTLS\r\n";
        size_t line_end = strlen(input);
        memcpy(input + line_end, tails[i].bytes, tails[i].len);
        for (size_t cut = 0; cut < line_end; cut++) {
            expect_attack(&core, input, cut, input + cut, line_end + tails[i].len - cut);
        }
    }
}

/* The octets are in another piece: they came after the decision, and are for TLS to judge. */
TEST(starttls, a_part_of_a_line_is_never_joined_with_what_comes_under_tls_rfc3207_6)
{
    struct core core = with_starttls();
    core_open(&core);
    core_feed_text(&core, "RSE");
    core_feed_text(&core, "T\r\nSTART");
    core_feed_text(&core, "TLS\r\n");
    expect_int(smtp_server_session_receive(core.session, "RSE", 3, core.now_ns), 0);
    start_tls(&core);
    core_feed_text(&core, "T\r\nNOOP\r\n");
    expect_str(core_codes(&core), "220 250/2.0.0 220/2.0.0 500/5.5.1 250/2.0.0");
    core_clear(&core);
}

/* ---- what the hook says ---- */

static enum smtp_server_verdict refuse_starttls(const struct smtp_server_event *event,
                                                struct smtp_server_reply *reply)
{
    (void)reply;
    return event->kind == SMTP_SERVER_ASK_STARTTLS ? SMTP_REFUSE : SMTP_ACCEPT;
}

TEST(starttls, refused_by_the_hook_it_is_454_and_the_session_goes_on_in_the_clear_rfc3207_4)
{
    struct core core = with_starttls();
    core.config.asks = 1u << SMTP_SERVER_ASK_STARTTLS;
    core.decide = refuse_starttls;
    static const char input[] = HELLO "STARTTLS\r\n";
    core_open(&core);
    core_feed(&core, input, sizeof input - 1);
    core_feed_text(&core, MESSAGE);
    expect_str(core_codes(&core), "220 250 454/4.7.0" TAKEN);
    expect_int(core.start_tls_count, 0);
    expect_str(smtp_message_protocol(core.messages[0]), "ESMTP");
    core_clear(&core);
}

static enum smtp_server_verdict word_starttls(const struct smtp_server_event *event,
                                              struct smtp_server_reply *reply)
{
    (void)event;
    return smtp_server_reply(reply, 250, "2.1.0", "Come in");
}

TEST(starttls, accepted_by_the_hook_it_is_220_whatever_the_code_given)
{
    struct core core = with_starttls();
    core.config.asks = 1u << SMTP_SERVER_ASK_STARTTLS;
    core.decide = word_starttls;
    core_open(&core);
    core_feed_text(&core, "STARTTLS\r\n");
    expect_contains(core_output(&core), "220 2.0.0 Come in\r\n");
    start_tls(&core);
    core_clear(&core);
}

/* ---- what is forgotten ---- */

TEST(starttls, all_the_peer_said_before_is_forgotten_rfc3207_4_2)
{
    struct core core = with_starttls();
    expect_over_tls(&core, HELLO "STARTTLS\r\n", "MAIL FROM:<a@x.test>\r\n" HELLO MESSAGE,
                    "220 250 220/2.0.0 503/5.5.1 250" TAKEN);
    expect_over_tls(&core, HELLO "MAIL FROM:<a@x.test>\r\nRCPT TO:<b@y.test>\r\nSTARTTLS\r\n",
                    "DATA\r\nRCPT TO:<b@y.test>\r\n" HELLO "RCPT TO:<b@y.test>\r\nDATA\r\n" MESSAGE,
                    "220 250 250/2.1.0 250/2.1.5 220/2.0.0 503/5.5.1 503/5.5.1 250 503/5.5.1 "
                    "503/5.5.1" TAKEN);
}

TEST(starttls, the_envelope_from_before_is_no_part_of_the_message_after_rfc3207_4_2)
{
    struct core core = with_starttls();
    core.config.asks = 1u << SMTP_SERVER_RESET;
    core_open(&core);
    core_feed_text(&core,
                   HELLO "MAIL FROM:<evil@x.test> SIZE=7\r\nRCPT TO:<evil@y.test>\r\nSTARTTLS\r\n");
    expect_int(core.reset_count, 0);
    start_tls(&core);
    expect_int(core.reset_count, 1);
    expect_str(smtp_server_session_helo(core.session), "");
    expect_str(smtp_server_session_protocol(core.session), "");
    expect_true(smtp_server_session_tls(core.session) == &facts);
    core_feed_text(&core, "EHLO inside.test\r\n" MESSAGE);
    expect_int(core.message_count, 1);
    expect_str(smtp_message_reverse_path(core.messages[0]), "a@x.test");
    expect_str(smtp_message_mail_parameters(core.messages[0]), "");
    expect_int(smtp_message_recipient_count(core.messages[0]), 1);
    expect_str(smtp_message_helo(core.messages[0]), "inside.test");
    core_clear(&core);
}

TEST(starttls, the_driver_hears_of_no_dropped_transaction_where_there_was_none)
{
    struct core core = with_starttls();
    core.config.asks = 1u << SMTP_SERVER_RESET;
    core_open(&core);
    core_feed_text(&core, HELLO "STARTTLS\r\n");
    start_tls(&core);
    expect_int(core.reset_count, 0);
    core_clear(&core);
}

TEST(starttls, the_message_says_what_it_came_over_rfc3848)
{
    struct core core = with_starttls();
    core_log(&core);
    core_open(&core);
    core_feed_text(&core, HELLO MESSAGE "STARTTLS\r\n");
    start_tls(&core);
    core_feed_text(&core, HELLO MESSAGE "HELO c.test\r\n" MESSAGE);
    expect_int(core.message_count, 3);
    expect_str(smtp_message_protocol(core.messages[0]), "ESMTP");
    expect_str(smtp_message_tls(core.messages[0]), "");
    expect_str(smtp_message_protocol(core.messages[1]), "ESMTPS");
    expect_str(smtp_message_tls(core.messages[1]), "TLSv1.3");
    expect_str(smtp_message_protocol(core.messages[2]), "SMTP");
    expect_str(smtp_message_tls(core.messages[2]), "TLSv1.3");
    expect_contains(core_log(&core), "S:220 2.0.0 Ready to start TLS\n"
                                     "T:TLSv1.3, TLS_AES_256_GCM_SHA384\nC:EHLO");
    core_clear(&core);
}

/* ---- time ---- */

TEST(starttls, a_handshake_has_30_seconds_and_then_the_session_ends_without_a_word)
{
    struct core core = with_starttls();
    core_open(&core);
    core_feed_text(&core, HELLO "STARTTLS\r\n");
    uint64_t deadline_ns = core.now_ns + 30000 * MS;
    expect_true(smtp_server_session_deadline_ns(core.session) == deadline_ns);
    smtp_server_session_expire(core.session, deadline_ns - 1);
    expect_true(!smtp_server_session_ended(core.session));
    smtp_server_session_expire(core.session, deadline_ns);
    core_settle(&core);
    expect_true(smtp_server_session_ended(core.session));
    expect_str(core_codes(&core), "220 250 220/2.0.0");
    core_clear(&core);
}

TEST(starttls, after_the_handshake_the_time_for_a_command_counts_anew)
{
    struct core core = with_starttls();
    core_open(&core);
    core_feed_text(&core, "STARTTLS\r\n");
    core.now_ns += 20000 * MS;
    start_tls(&core);
    expect_true(smtp_server_session_deadline_ns(core.session) == core.now_ns + 300000 * MS);
    smtp_server_session_expire(core.session, core.now_ns + 300000 * MS);
    core_settle(&core);
    expect_str(core_codes(&core), "220 220/2.0.0 421/4.4.2"); /* under TLS it is said */
    core_clear(&core);
}

TEST(starttls, the_session_may_run_out_of_time_in_the_handshake_without_a_word)
{
    struct core core = with_starttls();
    core.config.limits.handshake_timeout_ms = 0;
    core.config.limits.session_timeout_ms = 1000;
    core_open(&core);
    core_feed_text(&core, "STARTTLS\r\n");
    expect_true(smtp_server_session_deadline_ns(core.session) == core.now_ns + 1000 * MS);
    smtp_server_session_expire(core.session, core.now_ns + 1000 * MS);
    core_settle(&core);
    expect_str(core_codes(&core), "220 220/2.0.0");
    expect_true(smtp_server_session_ended(core.session));
    core_clear(&core);
}

TEST(starttls, a_server_that_stops_says_nothing_in_a_handshake)
{
    struct core core = with_starttls();
    core_open(&core);
    core_feed_text(&core, HELLO "MAIL FROM:<a@x.test>\r\nSTARTTLS\r\n");
    smtp_server_session_shut_down(core.session, core.now_ns);
    core_settle(&core);
    expect_true(smtp_server_session_ended(core.session));
    expect_str(core_codes(&core), "220 250 250/2.1.0 220/2.0.0");
    core_clear(&core);
}

TEST(starttls, a_server_that_stops_lets_no_transaction_begin_a_handshake)
{
    struct core core = with_starttls();
    core_open(&core);
    core_feed_text(&core, HELLO "MAIL FROM:<a@x.test>\r\n");
    smtp_server_session_shut_down(core.session, core.now_ns);
    core_feed_text(&core, "STARTTLS\r\n");
    expect_true(smtp_server_session_ended(core.session));
    expect_int(core.start_tls_count, 0);
    core_clear(&core);
}

/* ---- TLS from the first octet ---- */

TEST(implicit_tls, says_nothing_before_the_handshake_and_greets_after_it_rfc8314_3_3)
{
    struct core core = with_starttls();
    core.session = smtp_server_session_new(
        &core.config,
        &(struct smtp_server_session_start){.number = 1, .peer = "127.0.0.1:1", .user = &core});
    smtp_server_session_open_tls(core.session, core.now_ns);
    core_settle(&core);
    expect_str(core_output(&core), "");
    expect_true(!smtp_server_session_wants_input(core.session));
    expect_int(smtp_server_session_receive(core.session, HELLO, sizeof HELLO - 1, core.now_ns), 0);
    expect_true(smtp_server_session_deadline_ns(core.session) == core.now_ns + 30000 * MS);
    smtp_server_session_tls_started(core.session, &facts, true, core.now_ns);
    core_settle(&core);
    expect_str(core_output(&core), "220 mx.test ESMTP\r\n");
    core_clear(&core);
}

TEST(implicit_tls, a_handshake_that_never_ends_is_closed_without_a_word_rfc8314_3_3)
{
    struct core core = with_starttls();
    core.session = smtp_server_session_new(
        &core.config,
        &(struct smtp_server_session_start){.number = 1, .peer = "127.0.0.1:1", .user = &core});
    smtp_server_session_open_tls(core.session, core.now_ns);
    smtp_server_session_expire(core.session, core.now_ns + 30000 * MS);
    core_settle(&core);
    expect_str(core_output(&core), "");
    expect_true(smtp_server_session_ended(core.session));
    core_clear(&core);
}

TEST(implicit_tls, offers_no_starttls_and_the_message_says_tls_rfc3207_4_2)
{
    struct core core = with_starttls();
    core.implicit_tls = &facts;
    CORE_EXPECT(&core, HELLO "STARTTLS\r\n" MESSAGE, "220 250 503/5.5.1" TAKEN, "x\r\n");
    core_open(&core);
    core_feed_text(&core, HELLO MESSAGE);
    expect_true(strstr(core_output(&core), "STARTTLS") == NULL);
    expect_str(smtp_message_protocol(core.messages[0]), "ESMTPS");
    core_clear(&core);
}

static enum smtp_server_verdict turn_away(const struct smtp_server_event *event,
                                          struct smtp_server_reply *reply)
{
    (void)reply;
    return event->kind == SMTP_SERVER_ASK_CONNECT ? SMTP_REFUSE : SMTP_ACCEPT;
}

TEST(implicit_tls, the_hook_is_asked_about_the_connection_under_tls_rfc5321_3_1)
{
    struct core core = with_starttls();
    core.implicit_tls = &facts;
    core.config.asks = 1u << SMTP_SERVER_ASK_CONNECT;
    core.decide = turn_away;
    CORE_EXPECT(&core, HELLO "STARTTLS\r\nQUIT\r\n", "554 503/5.5.1 503/5.5.1 221/2.0.0");
}

/* ---- TLS required ---- */

TEST(tls_required, is_530_to_all_but_ehlo_noop_starttls_and_quit_rfc3207_4)
{
    struct core core = with_starttls();
    core.config.tls_required = true;
    CORE_EXPECT(&core,
                "MAIL FROM:<a@x.test>\r\nEHLO c.test\r\nHELO c.test\r\nMAIL FROM:<a@x.test>\r\n"
                "RCPT TO:<b@y.test>\r\nDATA\r\nRSET\r\nVRFY a\r\nEXPN a\r\nHELP\r\nXYZZY\r\n"
                "NOOP\r\nSTARTTLS x\r\nQUIT\r\n",
                "220 530/5.7.0 250 530/5.7.0 530/5.7.0 530/5.7.0 530/5.7.0 530/5.7.0 530/5.7.0 "
                "530/5.7.0 530/5.7.0 530/5.7.0 250/2.0.0 501/5.5.4 221/2.0.0");
    core_open(&core);
    core_feed_text(&core, "RSET\r\n");
    expect_contains(core_output(&core), "530 5.7.0 Must issue a STARTTLS command first\r\n");
    core_clear(&core);
}

TEST(tls_required, is_fulfilled_by_starttls_or_tls_from_the_first_octet_rfc3207_4)
{
    struct core core = with_starttls();
    core.config.tls_required = true;
    expect_over_tls(&core, HELLO "STARTTLS\r\n", HELLO MESSAGE "RSET\r\nHELO c.test\r\n",
                    "220 250 220/2.0.0 250" TAKEN " 250/2.0.0 250");
    core.implicit_tls = &facts;
    CORE_EXPECT(&core, HELLO MESSAGE, "220 250" TAKEN, "x\r\n");
}

TEST(tls_required, refusals_count_as_errors_of_the_peer)
{
    struct core core = with_starttls();
    core.config.tls_required = true;
    core.config.limits.errors = 2;
    CORE_EXPECT(&core, "MAIL FROM:<>\r\nMAIL FROM:<>\r\nNOOP\r\n",
                "220 530/5.7.0 530/5.7.0 421/4.7.0");
}
