/* xclient_test.c - XCLIENT: who may say it, what it changes, and what is refused. */
#include "tests/support/test.h"
#include "tests/unit/server/core.h"

#include <stdio.h>

#define HELLO "EHLO c.test\r\n"

static struct core trusting(void)
{
    struct core core = core_defaults();
    core.config.keywords.xclient = true;
    core.trusted = true;
    return core;
}

static void expect_peer(const char *input, const char *peer)
{
    struct core core = trusting();
    core_open(&core);
    core_feed_text(&core, input);
    expect_str(smtp_server_session_peer(core.session), peer);
    core_clear(&core);
}

/* ---- who may ---- */

TEST(xclient, is_offered_to_trusted_peers_alone)
{
    struct core core = trusting();
    core_open(&core);
    core_feed_text(&core, HELLO);
    expect_contains(core_output(&core),
                    "250-XCLIENT NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT\r\n");
    core_clear(&core);
    core = trusting();
    core.trusted = false;
    core_open(&core);
    core_feed_text(&core, HELLO);
    expect_true(strstr(core_output(&core), "XCLIENT") == NULL);
    core_clear(&core);
}

TEST(xclient, of_a_peer_that_is_not_trusted_is_550_and_changes_nothing)
{
    struct core core = trusting();
    core.trusted = false;
    CORE_EXPECT(&core, "XCLIENT ADDR=192.0.2.1\r\n" HELLO "XCLIENT LOGIN=ann\r\nMAIL FROM:<>\r\n",
                "220 550/5.7.0 250 550/5.7.0 250/2.1.0");
    core_open(&core);
    core_feed_text(&core, "XCLIENT ADDR=192.0.2.1 LOGIN=ann\r\n");
    expect_str(smtp_server_session_peer(core.session), "127.0.0.1:1");
    expect_str(smtp_server_session_identity(core.session), "");
    core_clear(&core);
}

TEST(xclient, is_an_unknown_verb_where_it_is_off_rfc5321_4_2_4)
{
    struct core core = trusting();
    core.config.keywords.xclient = false;
    CORE_EXPECT(&core, HELLO "XCLIENT ADDR=192.0.2.1\r\n", "220 250 500/5.5.1");
}

/* ---- what it changes ---- */

TEST(xclient, the_session_is_as_after_the_connection)
{
    struct core core = trusting();
    CORE_EXPECT(&core,
                HELLO "XCLIENT ADDR=192.0.2.1 PORT=25 NAME=c.test HELO=c.test PROTO=ESMTP\r\n"
                      "MAIL FROM:<>\r\n" HELLO "MAIL FROM:<a@x>\r\nRCPT TO:<b@y>\r\nDATA\r\n.\r\n",
                "220 250 220 503/5.5.1 250 250/2.1.0 250/2.1.5 354 250/2.0.0", "");
    core_open(&core);
    core_feed_text(&core, HELLO "XCLIENT ADDR=192.0.2.1 PORT=25\r\n");
    expect_str(smtp_server_session_helo(core.session), "");
    expect_str(smtp_server_session_protocol(core.session), "");
    expect_str(smtp_server_session_peer(core.session), "192.0.2.1:25");
    core_feed_text(&core, HELLO "MAIL FROM:<>\r\nRCPT TO:<b@y>\r\nDATA\r\n.\r\n");
    expect_str(smtp_message_peer(core.messages[0]), "192.0.2.1:25");
    core_clear(&core);
}

TEST(xclient, it_needs_no_ehlo_before_it)
{
    struct core core = trusting();
    CORE_EXPECT(&core, "XCLIENT ADDR=192.0.2.1\r\nNOOP\r\n", "220 220 250/2.0.0");
}

TEST(xclient, the_peer_has_the_form_that_peers_have)
{
    expect_peer("XCLIENT ADDR=192.0.2.1\r\n", "192.0.2.1:0");
    expect_peer("XCLIENT PORT=65535 ADDR=192.0.2.1\r\n", "192.0.2.1:65535");
    expect_peer("xclient addr=ipv6:2001:db8::1 port=7\r\n", "[2001:db8::1]:7");
    expect_peer("XCLIENT ADDR=IPV6:1:2:3:4:5:6:192.168.100.200\r\n",
                "[1:2:3:4:5:6:192.168.100.200]:0");
    expect_peer("XCLIENT ADDR=+31+39+32.0.2.1 PORT=+32\r\n", "192.0.2.1:2");
    expect_peer("XCLIENT ADDR=[UNAVAILABLE]\r\n", "unknown:0");
    expect_peer("XCLIENT ADDR=[tempunavail] PORT=[UNAVAILABLE]\r\n", "unknown:0");
    expect_peer("XCLIENT PORT=9\r\n", "127.0.0.1:9");
    expect_peer("XCLIENT NAME=[UNAVAILABLE]\r\n", "127.0.0.1:1");
}

TEST(xclient, several_commands_add_up)
{
    struct core core = trusting();
    core_open(&core);
    core_feed_text(&core, "XCLIENT ADDR=192.0.2.1 LOGIN=ann\r\nXCLIENT PORT=4\r\n"
                          "XCLIENT NAME=a.test DESTADDR=192.0.2.9 DESTPORT=25\r\n");
    expect_str(core_codes(&core), "220 220 220 220");
    expect_str(smtp_server_session_peer(core.session), "192.0.2.1:4");
    expect_str(smtp_server_session_identity(core.session), "ann");
    core_clear(&core);
}

TEST(xclient, login_is_who_logged_in)
{
    struct core core = trusting();
    core.config.auth_required = true;
    core.config.mechanisms_clear = "PLAIN";
    core_open(&core);
    core_feed_text(&core, HELLO "MAIL FROM:<>\r\nXCLIENT LOGIN=ann+40x.test\r\n" HELLO
                                "MAIL FROM:<>\r\nRCPT TO:<b@y>\r\nDATA\r\n.\r\n");
    expect_str(core_codes(&core), "220 250 530/5.7.0 220 250 250/2.1.0 250/2.1.5 354 250/2.0.0");
    expect_str(smtp_message_identity(core.messages[0]), "ann@x.test");
    expect_str(smtp_message_protocol(core.messages[0]), "ESMTPA");
    core_feed_text(&core, "XCLIENT LOGIN=[UNAVAILABLE]\r\n" HELLO "MAIL FROM:<>\r\n");
    expect_str(smtp_server_session_identity(core.session), "");
    expect_str(core_codes(&core), "220 250 530/5.7.0 220 250 250/2.1.0 250/2.1.5 354 250/2.0.0 "
                                  "220 250 530/5.7.0");
    expect_str(smtp_server_session_protocol(core.session), "ESMTP");
    core_clear(&core);
}

static struct smtp_server_auth_answer let_in(const struct smtp_server_event *event, unsigned steps)
{
    (void)event;
    (void)steps;
    return (struct smtp_server_auth_answer){.step = SMTP_SERVER_AUTH_ACCEPTED,
                                            .identity = "the-proxy"};
}

TEST(xclient, whom_the_proxy_speaks_for_does_not_have_its_own_login)
{
    struct core core = trusting();
    core.config.mechanisms_clear = "PLAIN";
    core.answer_auth = let_in;
    core_open(&core);
    core_feed_text(&core, HELLO "AUTH PLAIN AGEAYg==\r\n");
    expect_str(smtp_server_session_identity(core.session), "the-proxy");
    core_feed_text(&core, "XCLIENT ADDR=192.0.2.1\r\n");
    expect_str(smtp_server_session_identity(core.session), "");
    core_clear(&core);
}

TEST(xclient, a_login_under_TLS_is_the_proxys_own_whatever_it_told_before_rfc3207_4_2)
{
    static const struct smtp_tls_facts facts = {"TLSv1.3", "TLS_AES_256_GCM_SHA384", "", "", false};
    struct core core = trusting();
    core.config.mechanisms_tls = "PLAIN";
    core.config.starttls = true;
    core.answer_auth = let_in;
    core_open(&core);
    core_feed_text(&core, "XCLIENT LOGIN=ann\r\n" HELLO "STARTTLS\r\n");
    smtp_server_session_tls_started(core.session, &facts, false, core.now_ns);
    core_feed_text(&core, HELLO "AUTH PLAIN AGEAYg==\r\n");
    expect_str(smtp_server_session_identity(core.session), "the-proxy");
    core_feed_text(&core, "XCLIENT ADDR=192.0.2.1\r\n");
    expect_str(smtp_server_session_identity(core.session), "");
    core_clear(&core);
}

TEST(xclient, whom_the_proxy_speaks_for_does_not_have_its_certificate)
{
    static const struct smtp_tls_facts facts = {"TLSv1.3", "TLS_AES_256_GCM_SHA384", "",
                                                "the-proxy", false};
    struct core core = trusting();
    core.config.mechanisms_tls = "PLAIN EXTERNAL";
    core.implicit_tls = &facts;
    core.answer_auth = let_in;
    CORE_EXPECT(&core, HELLO "AUTH EXTERNAL =\r\n", "220 250 235/2.7.0");
    CORE_EXPECT(&core, HELLO "XCLIENT ADDR=192.0.2.1\r\n" HELLO "AUTH EXTERNAL =\r\n",
                "220 250 220 250 504/5.5.4");
}

TEST(xclient, what_rfc9422_counts_a_session_is_counted_anew)
{
    struct core core = trusting();
    core.config.limits.messages = 1;
    core.config.limits.recipient_domains = 1;
    CORE_EXPECT(&core,
                HELLO "MAIL FROM:<>\r\nRCPT TO:<a@x>\r\nRSET\r\nXCLIENT ADDR=192.0.2.1\r\n" HELLO
                      "MAIL FROM:<>\r\nRCPT TO:<a@y>\r\n",
                "220 250 250/2.1.0 250/2.1.5 250/2.0.0 220 250 250/2.1.0 250/2.1.5");
}

static unsigned asked;

static enum smtp_server_verdict refuse_third(const struct smtp_server_event *event,
                                             struct smtp_server_reply *reply)
{
    (void)reply;
    return event->kind == SMTP_SERVER_ASK_CONNECT && ++asked == 3 ? SMTP_REFUSE : SMTP_ACCEPT;
}

TEST(xclient, the_connect_hook_is_asked_again_and_may_turn_the_peer_away)
{
    struct core core = trusting();
    asked = 0;
    core.config.asks = 1u << SMTP_SERVER_ASK_CONNECT;
    core.decide = refuse_third;
    core_open(&core);
    core_feed_text(&core, "XCLIENT ADDR=192.0.2.1\r\nXCLIENT ADDR=192.0.2.2\r\n" HELLO "QUIT\r\n");
    expect_str(core_codes(&core), "220 220 554 503/5.5.1 221/2.0.0");
    core_clear(&core);
}

/* ---- what is refused ---- */

TEST(xclient, inside_a_transaction_it_is_503_and_the_transaction_stays)
{
    struct core core = trusting();
    CORE_EXPECT(&core,
                HELLO "MAIL FROM:<>\r\nXCLIENT ADDR=192.0.2.1\r\nRCPT TO:<b@y>\r\n"
                      "XCLIENT ADDR=192.0.2.1\r\nDATA\r\n.\r\n",
                "220 250 250/2.1.0 503/5.5.1 250/2.1.5 503/5.5.1 354 250/2.0.0", "");
}

TEST(xclient, bad_syntax_is_501_and_changes_nothing)
{
    static const char *const bad[] = {
        "",
        " ",
        " ADDR",
        " ADDR=",
        " =x",
        " ADDR=192.0.2.256",
        " ADDR=192.0.2.1.1",
        " ADDR=2001:db8::1",
        " ADDR=IPV6:",
        " ADDR=IPV6:192.0.2.1",
        " ADDR=IPV6:[2001:db8::1]",
        " ADDR=[192.0.2.1]",
        " ADDR=localhost",
        " ADDR=192.0.2.1 PORT=0",
        " ADDR=192.0.2.1 PORT=65536",
        " ADDR=192.0.2.1 PORT=-1",
        " ADDR=192.0.2.1 PORT=x",
        " ADDR=192.0.2.1 ADDR=192.0.2.2",
        " ADDR=192.0.2.1 COLOUR=red",
        " ADDR=192.0.2.1 NAME=bad_name",
        " ADDR=192.0.2.1 PROTO=HTTP",
        " ADDR=192.0.2.1 PROTO=[UNAVAILABLE]",
        " ADDR=192.0.2.1 LOGIN=a+0D+0Ab",
        " ADDR=192.0.2.1 LOGIN=a+00",
        " ADDR=192.0.2.1 LOGIN=a+FF",
        " ADDR=192.0.2.1 LOGIN=+zz",
        " ADDR=192.0.2.1 HELO=a+0Ab",
        " ADDR=192.0.2.1 DESTADDR=x",
        " ADDR=192.0.2.1 DESTPORT=0",
        " ADDR=192.0.2.1,PORT=25",
        " LOGIN=ann ADDR",
        " LOGIN=ann HELO",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char input[256];
        struct core core = trusting();
        int len = snprintf(input, sizeof input, HELLO "XCLIENT%s\r\nMAIL FROM:<>\r\n", bad[i]);
        core_expect(&core, input, (size_t)len, "220 250 501/5.5.4 250/2.1.0",
                    (const char *const[]){NULL});
        core_open(&core);
        core_feed(&core, input, (size_t)len);
        expect_str(smtp_server_session_peer(core.session), "127.0.0.1:1");
        expect_str(smtp_server_session_identity(core.session), "");
        core_clear(&core);
    }
}

TEST(xclient, an_identity_of_255_octets_is_taken_and_a_longer_one_refused)
{
    char input[1024];
    struct core core = trusting();
    int len =
        snprintf(input, sizeof input, "XCLIENT LOGIN=%0255d\r\nXCLIENT LOGIN=%0256d\r\n", 0, 0);
    core_expect(&core, input, (size_t)len, "220 220 501/5.5.4", (const char *const[]){NULL});
}
