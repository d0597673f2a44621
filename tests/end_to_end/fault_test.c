/* fault_test.c - faults that are chosen: a harness goes wrong as its plan says, heard by this project's client and
 * in raw octets. */
#include "harness/smtp_harness.h"
#include "tests/support/test.h"
#include "tests/support/wire.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>

static struct smtp_harness *start_with(const struct smtp_harness_options *options)
{
    struct smtp_error error = {0};
    struct smtp_harness *harness = smtp_harness_start(options, &error);
    expect_str(error.message, "");
    expect_true(harness != NULL);
    return harness;
}

static struct smtp_harness *start(const char *listen)
{
    struct smtp_harness_options options;
    smtp_harness_options_init(&options);
    options.server.listen = &listen;
    options.server.listen_count = 1;
    options.stop_ms = 0;
    options.wait_ms = 100;
    return start_with(&options);
}

static void add(struct smtp_harness *harness, const char *fault)
{
    enum smtp_status status = smtp_harness_fault(harness, fault);
    expect_str(smtp_harness_failure(harness), "");
    expect_int(status, SMTP_OK);
}

static void open_wire(struct smtp_wire *wire, struct smtp_harness *harness)
{
    expect_true(smtp_wire_connect(wire, smtp_server_address(smtp_harness_server(harness), 0)));
}

static enum smtp_status send_to(struct smtp_client *client, const char *to,
                                const struct smtp_send_result **result)
{
    const char *paths[] = {to};
    struct smtp_envelope envelope = {
        .reverse_path = "ann@example.com", .forward_paths = paths, .forward_path_count = 1};
    expect_true(client != NULL);
    return smtp_client_send(client, &envelope, smtp_content_text("Subject: Hi\n\nHello\n"), result);
}

/* ---- how often ---- */

TEST(faults, a_recipient_is_refused_twice_and_then_accepted)
{
    struct smtp_harness *harness = start("127.0.0.1:0");
    const struct smtp_send_result *result = NULL;
    add(harness, "rcpt bob@*: reply 450 4.7.1 \"Greylisted\" times 2");
    struct smtp_client *client = smtp_harness_client(harness);
    for (size_t i = 0; i < 2; i++) {
        expect_int(send_to(client, "bob@example.com", &result), SMTP_REFUSED_TRANSIENT);
        expect_int(result->recipients[0].reply.code, 450);
        expect_str(result->recipients[0].reply.text, "Greylisted");
        expect_int(result->recipients[0].reply.enhanced.detail, 1);
    }
    expect_int(send_to(client, "carol@example.com", NULL), SMTP_OK);
    expect_int(send_to(client, "bob@example.com", NULL), SMTP_OK);
    expect_str(smtp_harness_faults(harness),
               "rcpt bob@*: reply 450 4.7.1 \"Greylisted\" times 2  (due 2 of 3 times)\n");
    expect_int(smtp_mailbox_count(smtp_harness_mailbox(harness)), 2);
    smtp_harness_stop(harness);
}

/* RFC 5321 3.8: after 421 the server closes. */
TEST(faults, beyond_a_rate_421_is_said_and_the_session_closed)
{
    struct smtp_harness *harness = start("127.0.0.1:0");
    struct smtp_wire wire;
    add(harness, "mail: reply 421 4.7.0 over 3/min");
    open_wire(&wire, harness);
    expect_contains(smtp_wire_reply(&wire), "220");
    expect_contains(smtp_wire_ask(&wire, "EHLO client.test"), "250");
    for (size_t i = 0; i < 3; i++) {
        expect_contains(smtp_wire_ask(&wire, "MAIL FROM:<ann@example.com>"), "250 ");
        expect_contains(smtp_wire_ask(&wire, "RSET"), "250 ");
    }
    expect_contains(smtp_wire_ask(&wire, "MAIL FROM:<ann@example.com>"), "421 4.7.0 ");
    expect_true(smtp_wire_closed(&wire));
    smtp_wire_close(&wire);
    smtp_harness_stop(harness);
}

/* ---- a reply too late ---- */

TEST(faults, a_late_reply_does_not_answer_the_client_s_next_command)
{
    struct smtp_harness_options options;
    smtp_harness_options_init(&options);
    options.client.timeouts.final_ms = 50;
    options.stop_ms = 0;
    struct smtp_harness *harness = start_with(&options);
    const struct smtp_send_result *result = NULL;
    add(harness, "dot: reply 554 5.7.1 delay 600 once");
    struct smtp_client *client = smtp_harness_client(harness);
    (void)!send_to(client, "bob@example.com", &result);
    expect_int(result->stage, SMTP_STAGE_DOT);
    expect_int(result->recipients[0].reply.code, 0); /* nothing came */
    expect_true(!smtp_client_is_connected(client));
    smtp_harness_clear_faults(harness);
    client = smtp_harness_client(harness); /* anew */
    expect_int(send_to(client, "carol@example.com", &result), SMTP_OK);
    expect_int(result->recipients[0].reply.code, 250);
    smtp_harness_stop(harness);
}

TEST(faults, a_late_reply_is_said_before_those_to_what_was_pipelined_behind_it)
{
    struct smtp_harness *harness = start("127.0.0.1:0");
    struct smtp_wire wire;
    add(harness, "mail: reply 452 delay 100");
    open_wire(&wire, harness);
    expect_contains(smtp_wire_reply(&wire), "220");
    expect_contains(smtp_wire_ask(&wire, "EHLO client.test"), "250");
    static const char lines[] = "NOOP\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<c@d.test>\r\nNOOP\r\n";
    expect_true(smtp_wire_send(&wire, lines, sizeof lines - 1));
    expect_contains(smtp_wire_reply(&wire), "250 ");
    expect_contains(smtp_wire_reply(&wire), "452 ");
    expect_contains(smtp_wire_reply(&wire), "503 "); /* MAIL was not done */
    expect_contains(smtp_wire_reply(&wire), "250 ");
    smtp_wire_close(&wire);
    smtp_harness_stop(harness);
}

/* ---- octets as chosen ---- */

TEST(faults, a_whole_ehlo_answer_is_replaced)
{
    struct smtp_harness *harness = start("127.0.0.1:0");
    struct smtp_wire wire;
    add(harness, "ehlo: octets \"250-other.test\\r\\n250 SIZE 5\\r\\n\"");
    open_wire(&wire, harness);
    expect_contains(smtp_wire_reply(&wire), "220");
    expect_str(smtp_wire_ask(&wire, "EHLO client.test"), "250-other.test\n250 SIZE 5");
    expect_contains(smtp_wire_ask(&wire, "MAIL FROM:<a@b.test>"), "250 "); /* EHLO was done */
    smtp_wire_close(&wire);
    expect_int(send_to(smtp_harness_client(harness), "bob@example.com", NULL), SMTP_UNSUPPORTED);
    smtp_harness_stop(harness);
}

TEST(faults, one_command_has_two_replies)
{
    struct smtp_harness *harness = start("127.0.0.1:0");
    struct smtp_wire wire;
    add(harness, "any NOOP: twice once");
    open_wire(&wire, harness);
    expect_contains(smtp_wire_reply(&wire), "220");
    expect_contains(smtp_wire_ask(&wire, "NOOP"), "250 ");
    expect_contains(smtp_wire_reply(&wire), "250 ");
    expect_contains(smtp_wire_ask(&wire, "HELP"), "214 ");
    smtp_wire_close(&wire);
    smtp_harness_stop(harness);
}

/* ---- per recipient, RFC 2033 4.2 ---- */

TEST(faults, with_lmtp_the_dot_s_refusal_is_of_the_recipients_it_matches)
{
    struct smtp_harness *harness = start("lmtp://127.0.0.1:0");
    const char *to[] = {"bob@example.com", "carol@example.com", "dave@example.com",
                        "bob@example.org"};
    struct smtp_envelope envelope = {
        .reverse_path = "ann@example.com", .forward_paths = to, .forward_path_count = 4};
    const struct smtp_send_result *result = NULL;
    add(harness, "dot bob@*: reply 550 5.1.1 once");
    add(harness, "dot *.org: reply 451 4.3.0 once"); /* bob's has his already */
    add(harness, "dot carol@*: reply 452 4.2.2 once");
    struct smtp_client *client = smtp_harness_client(harness);
    enum smtp_status status =
        smtp_client_send(client, &envelope, smtp_content_text("x\n"), &result);
    expect_int(status, SMTP_PARTLY_REFUSED);
    static const int codes[] = {550, 452, 250, 550};
    for (size_t i = 0; i < 4; i++) {
        expect_int(result->recipients[i].reply.code, codes[i]);
    }
    expect_int(smtp_mailbox_count(smtp_harness_mailbox(harness)), 1);
    expect_int(smtp_client_send(client, &envelope, smtp_content_text("x\n"), NULL), SMTP_OK);
    smtp_harness_stop(harness);
}

TEST(faults, with_lmtp_the_dot_s_refusal_without_a_pattern_is_of_all)
{
    struct smtp_harness *harness = start("lmtp://127.0.0.1:0");
    const char *to[] = {"bob@example.com", "carol@example.com"};
    struct smtp_envelope envelope = {
        .reverse_path = "ann@example.com", .forward_paths = to, .forward_path_count = 2};
    const struct smtp_send_result *result = NULL;
    add(harness, "dot: reply 550 5.7.1 once");
    struct smtp_client *client = smtp_harness_client(harness);
    enum smtp_status status =
        smtp_client_send(client, &envelope, smtp_content_text("x\n"), &result);
    expect_int(status, SMTP_REFUSED_PERMANENT);
    expect_int(result->recipients[0].reply.code, 550);
    expect_int(result->recipients[1].reply.code, 550);
    expect_int(smtp_mailbox_count(smtp_harness_mailbox(harness)), 0);
    expect_int(smtp_client_send(client, &envelope, smtp_content_text("x\n"), NULL), SMTP_OK);
    smtp_harness_stop(harness);
}

TEST(faults, with_lmtp_a_last_chunk_for_nobody_has_no_reply_to_go_wrong)
{
    struct smtp_harness *harness = start("lmtp://127.0.0.1:0");
    struct smtp_wire wire;
    add(harness, "bdat: reply 251 once");
    open_wire(&wire, harness);
    expect_contains(smtp_wire_reply(&wire), "220");
    expect_contains(smtp_wire_ask(&wire, "LHLO client.test"), "250 ");
    expect_contains(smtp_wire_ask(&wire, "MAIL FROM:<ann@example.com>"), "250 ");
    expect_true(smtp_wire_send(&wire, "BDAT 3 LAST\r\nabc", 16));
    expect_contains(smtp_wire_ask(&wire, "NOOP"), "250 2.0.0 ");
    smtp_wire_close(&wire);
    smtp_harness_stop(harness);
}

/* ---- addresses that spell their reply ---- */

TEST(faults, magic_addresses_get_the_reply_they_spell)
{
    struct smtp_harness_options options;
    smtp_harness_options_init(&options);
    options.magic_addresses = true;
    struct smtp_harness *harness = start_with(&options);
    const struct smtp_send_result *result = NULL;
    struct smtp_client *client = smtp_harness_client(harness);
    expect_int(send_to(client, "bob+450-4.7.1@example.com", &result), SMTP_REFUSED_TRANSIENT);
    expect_int(result->recipients[0].reply.code, 450);
    expect_int(result->recipients[0].reply.enhanced.subject, 7);
    expect_int(send_to(client, "bob+550@example.com", &result), SMTP_REFUSED_PERMANENT);
    expect_int(send_to(client, "bob@example.com", NULL), SMTP_OK);
    expect_int(smtp_client_mail(client, "ann+552-5.3.4@example.com", NULL), SMTP_REFUSED_PERMANENT);
    expect_int(send_to(client, "bob+421@example.com", NULL), SMTP_REFUSED_TRANSIENT);
    expect_true(!smtp_client_is_connected(client)); /* RFC 5321 3.8 */
    smtp_harness_stop(harness);
}

TEST(faults, without_magic_addresses_a_plus_is_a_plus)
{
    struct smtp_harness *harness = start("127.0.0.1:0");
    expect_int(send_to(smtp_harness_client(harness), "bob+550@example.com", NULL), SMTP_OK);
    smtp_harness_stop(harness);
}

/* ---- the plan ---- */

TEST(faults, a_failure_shows_the_plan)
{
    struct smtp_harness *harness = start("127.0.0.1:0");
    add(harness, "rcpt: reply 550 once");
    expect_int(send_to(smtp_harness_client(harness), "bob@example.com", NULL),
               SMTP_REFUSED_PERMANENT);
    expect_int(smtp_harness_expect(harness, "to=bob@example.com"), SMTP_NOT_AS_EXPECTED);
    expect_contains(smtp_harness_failure(harness),
                    "the faults:\n  rcpt: reply 550 once  (due 1 of 1 times)\n");
    expect_contains(smtp_harness_failure(harness), "# fault: rcpt: reply 550 once");
    smtp_harness_clear_faults(harness);
    expect_str(smtp_harness_faults(harness), "");
    expect_int(smtp_harness_expect(harness, "to=bob@example.com"), SMTP_NOT_AS_EXPECTED);
    expect_true(strstr(smtp_harness_failure(harness), "the faults:") == NULL);
    smtp_harness_stop(harness);
}

TEST(faults, a_mistake_is_told_and_changes_nothing)
{
    struct smtp_harness *harness = start("127.0.0.1:0");
    expect_int(smtp_harness_fault(harness, "rcpt: replay 550"), SMTP_BAD_ARGUMENT);
    expect_contains(smtp_harness_failure(harness), "is it \"reply\"?\n  rcpt: replay 550\n"
                                                   "        ^\n");
    expect_str(smtp_harness_faults(harness), "");
    smtp_harness_stop(harness);
}

struct sender {
    struct smtp_harness *harness;
    struct smtp_client *client;
    atomic_bool stop;
    atomic_uint accepted, refused;
};

static void *keep_sending(void *user)
{
    struct sender *sender = user;
    while (!atomic_load(&sender->stop)) {
        enum smtp_status status = send_to(sender->client, "bob@example.com", NULL);
        atomic_fetch_add(status == SMTP_OK ? &sender->accepted : &sender->refused, 1);
    }
    return NULL;
}

/* Until one more of them has come than there were. */
static void wait_for_more(atomic_uint *count)
{
    unsigned before = atomic_load(count);
    while (atomic_load(count) <= before + 1) {
        sched_yield();
    }
}

TEST(faults, the_plan_changes_while_another_thread_sends)
{
    struct smtp_harness_options options;
    smtp_harness_options_init(&options);
    options.server.limits.errors = 0;
    struct smtp_harness *harness = start_with(&options);
    struct sender sender = {.harness = harness, .client = smtp_harness_connect(harness)};
    pthread_t thread;
    expect_int(pthread_create(&thread, NULL, keep_sending, &sender), 0);
    for (size_t i = 0; i < 5; i++) {
        wait_for_more(&sender.accepted);
        add(harness, "rcpt: reply 450");
        wait_for_more(&sender.refused);
        smtp_harness_clear_faults(harness);
        add(harness, "quit: close");
    }
    wait_for_more(&sender.accepted);
    atomic_store(&sender.stop, true);
    pthread_join(thread, NULL);
    smtp_harness_stop(harness);
}

/* ---- certificates ---- */

TEST(faults, each_flaw_of_a_certificate_is_seen_by_who_trusts_the_server)
{
    static const struct {
        const char *fault, *why;
    } rows[] = {
        {"tls: certificate expired once", "expired"},
        {"tls: certificate not-yet-valid once", "not yet valid"},
        {"tls: certificate wrong-name once", "is for wrong.invalid, not for 127.0.0.1"},
        {"tls: certificate self-signed once", "self-signed"},
        {"tls: certificate unknown-ca once", "issuer"},
        {"tls: certificate no-intermediate once", "issuer"},
    };
    struct smtp_harness *harness = start("smtps://127.0.0.1:0");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        add(harness, rows[i].fault);
        expect_true(smtp_harness_connect(harness) == NULL);
        expect_contains(smtp_harness_failure(harness), rows[i].why);
        struct smtp_client *client = smtp_harness_connect(harness);
        expect_str(smtp_harness_failure(harness), "");
        expect_int(send_to(client, "bob@example.com", NULL), SMTP_OK);
    }
    smtp_harness_stop(harness);
}
