/* server_tables_test.c - several hook tables in one server: their order, whose words are said, each one's
 * pointer, content on its way, and when they are released (smtp_server.h). */
#include "server/smtp_server.h"
#include "tests/end_to_end/running_server.h"
#include "tests/support/test.h"

#include <sched.h>
#include <stdio.h>

#define RECORD_SIZE 2000

/* What two tables saw, in order: each has a letter. Written on the loop's thread, read when a reply that
 * comes after it is here, or the server is gone. */
struct record {
    char text[RECORD_SIZE];
};
struct table {
    struct record *record;
    char letter;
    int refuses_mail;      /* with that code; 0: accepts, and says so where it is to */
    bool speaks;           /* gives a reply of its own where it accepts */
    int refuses_message;   /* with that code */
    size_t content_enough; /* octets; 0: all */
    size_t content_seen;
};

static void put(const struct table *table, const char *what)
{
    struct record *record = table->record;
    size_t len = strlen(record->text);
    snprintf(record->text + len, sizeof record->text - len, "%s%c:%s", len > 0 ? " " : "",
             table->letter, what);
}

static enum smtp_server_verdict decide(const struct table *table, int refusal, const char *what,
                                       struct smtp_server_reply *reply)
{
    put(table, what);
    if (refusal != 0) {
        return smtp_server_reply(reply, refusal, NULL, "%c refuses", table->letter);
    }
    return table->speaks ? smtp_server_reply(reply, 250, NULL, "%c accepts", table->letter)
                         : SMTP_ACCEPT;
}

static enum smtp_server_verdict on_connect(void *user, const struct smtp_server_session_info *info,
                                           struct smtp_server_reply *reply)
{
    (void)reply;
    expect_true(*info->user == NULL);
    *info->user = user;
    put(user, "connect");
    return SMTP_ACCEPT;
}

static enum smtp_server_verdict on_mail(void *user, const struct smtp_server_session_info *info,
                                        const char *path, const char *parameters,
                                        struct smtp_server_reply *reply)
{
    const struct table *table = user;
    (void)path, (void)parameters;
    expect_true(*info->user == user);
    return decide(table, table->refuses_mail, "mail", reply);
}

static enum smtp_server_verdict on_message(void *user, const struct smtp_server_session_info *info,
                                           struct smtp_message *message,
                                           struct smtp_server_reply *reply)
{
    const struct table *table = user;
    (void)message;
    expect_true(*info->user == user);
    return decide(table, table->refuses_message, "message", reply);
}

static enum smtp_server_verdict on_vrfy(void *user, const struct smtp_server_session_info *info,
                                        const char *argument, struct smtp_server_reply *reply)
{
    (void)info, (void)argument;
    return decide(user, 0, "vrfy", reply);
}

static bool on_content(void *user, const struct smtp_server_session_info *info,
                       const struct smtp_message *message, const char *octets, size_t len)
{
    struct table *table = user;
    (void)octets;
    expect_true(*info->user == user);
    expect_str(smtp_message_forward_path(message, 0), "a@b.example");
    expect_true(table->content_enough == 0 || table->content_seen < table->content_enough);
    if (table->content_seen == 0) {
        put(table, "content");
    }
    table->content_seen += len;
    return table->content_enough == 0 || table->content_seen < table->content_enough;
}

static void on_drop(void *user, const struct smtp_server_session_info *info)
{
    expect_true(*info->user == user);
    put(user, "drop");
}

static void on_reset(void *user, const struct smtp_server_session_info *info)
{
    expect_true(*info->user == user);
    put(user, "reset");
}

static void on_close(void *user, const struct smtp_server_session_info *info)
{
    expect_true(*info->user == user);
    put(user, "close");
}

static void on_release(void *user)
{
    put(user, "release");
}

static struct smtp_server_hooks hooks_of(struct table *table)
{
    return (struct smtp_server_hooks){.user = table,
                                      .connect = on_connect,
                                      .mail = on_mail,
                                      .message = on_message,
                                      .vrfy = on_vrfy,
                                      .reset = on_reset,
                                      .close = on_close,
                                      .release = on_release};
}

/* Two tables, A in options.hooks and B in options.receivers; the record goes with them. */
struct pair {
    struct record record;
    struct table a, b;
    struct smtp_server_options options;
    struct smtp_server_hooks receiver;
};

static void make_pair(struct pair *pair)
{
    *pair = (struct pair){.a = {.letter = 'A'}, .b = {.letter = 'B'}};
    pair->a.record = &pair->record;
    pair->b.record = &pair->record;
    smtp_server_options_init(&pair->options);
    pair->options.hooks = hooks_of(&pair->a);
    pair->receiver = hooks_of(&pair->b);
    pair->options.receivers = &pair->receiver;
    pair->options.receiver_count = 1;
}

static void make_streaming_pair(struct pair *pair)
{
    make_pair(pair);
    pair->options.hooks.content = on_content;
    pair->options.hooks.drop = on_drop;
    pair->receiver.content = on_content;
    pair->receiver.drop = on_drop;
}

static void end(struct smtp_wire *wire, struct smtp_server *server)
{
    expect_contains(smtp_wire_ask(wire, "QUIT"), "221 ");
    expect_true(smtp_wire_closed(wire));
    smtp_wire_close(wire);
    smtp_server_free(server);
}

TEST(server_tables, each_stage_asks_all_in_their_order_and_each_has_its_own_pointer)
{
    struct pair pair;
    struct smtp_wire wire;
    make_pair(&pair);
    struct smtp_server *server = started(&pair.options);
    open_content(&wire, server);
    expect_str(smtp_wire_ask(&wire, "x\r\n."), "250 2.0.0 OK: message 1");
    expect_contains(smtp_wire_ask(&wire, "MAIL FROM:<>"), "250 ");
    expect_contains(smtp_wire_ask(&wire, "RSET"), "250 ");
    end(&wire, server);
    expect_str(pair.record.text, "A:connect B:connect A:mail B:mail A:message B:message A:mail "
                                 "B:mail A:reset B:reset A:close B:close A:release B:release");
}

TEST(server_tables, the_first_that_fills_a_reply_in_has_the_word)
{
    struct pair pair;
    struct smtp_wire wire;
    make_pair(&pair);
    pair.b.speaks = true;
    struct smtp_server *server = started(&pair.options);
    greeted(&wire, server);
    expect_contains(smtp_wire_ask(&wire, "EHLO c.example"), "250 ");
    expect_str(smtp_wire_ask(&wire, "MAIL FROM:<>"), "250 2.0.0 B accepts");
    end(&wire, server);

    make_pair(&pair);
    pair.a.speaks = true;
    pair.b.speaks = true;
    server = started(&pair.options);
    greeted(&wire, server);
    expect_contains(smtp_wire_ask(&wire, "EHLO c.example"), "250 ");
    expect_str(smtp_wire_ask(&wire, "MAIL FROM:<>"), "250 2.0.0 A accepts");
    end(&wire, server);
}

TEST(server_tables, a_refusal_ends_the_asking_and_outweighs_what_was_said_before)
{
    struct pair pair;
    struct smtp_wire wire;
    make_pair(&pair);
    pair.a.refuses_mail = 550;
    struct smtp_server *server = started(&pair.options);
    greeted(&wire, server);
    expect_contains(smtp_wire_ask(&wire, "EHLO c.example"), "250 ");
    expect_str(smtp_wire_ask(&wire, "MAIL FROM:<>"), "550 5.0.0 A refuses");
    end(&wire, server);
    expect_str(pair.record.text, "A:connect B:connect A:mail A:close B:close A:release B:release");

    make_pair(&pair);
    pair.a.speaks = true;
    pair.b.refuses_mail = 451;
    server = started(&pair.options);
    greeted(&wire, server);
    expect_contains(smtp_wire_ask(&wire, "EHLO c.example"), "250 ");
    expect_str(smtp_wire_ask(&wire, "MAIL FROM:<>"), "451 4.0.0 B refuses");
    end(&wire, server);
}

TEST(server_tables, a_message_that_any_table_refuses_is_not_captured)
{
    struct pair pair;
    struct smtp_wire wire;
    make_pair(&pair);
    pair.b.refuses_message = 452;
    struct smtp_server *server = started(&pair.options);
    open_content(&wire, server);
    expect_str(smtp_wire_ask(&wire, "x\r\n."), "452 4.0.0 B refuses");
    expect_int(smtp_mailbox_captured(smtp_server_mailbox(server)), 0);
    end(&wire, server);
}

static enum smtp_server_verdict on_unknown(void *user, const struct smtp_server_session_info *info,
                                           const char *verb, const char *argument,
                                           struct smtp_server_reply *reply)
{
    (void)verb;
    return on_vrfy(user, info, argument, reply);
}

TEST(server_tables, inquiries_and_unknown_verbs_are_decided_by_the_first_table_that_has_them)
{
    struct pair pair;
    struct smtp_wire wire;
    make_pair(&pair);
    pair.b.speaks = true;
    pair.options.hooks.expn = pair.receiver.expn = on_vrfy;
    pair.options.hooks.unknown = pair.receiver.unknown = on_unknown;
    struct smtp_server *server = started(&pair.options);
    greeted(&wire, server);
    expect_contains(smtp_wire_ask(&wire, "EHLO c.example"), "250 ");
    expect_contains(smtp_wire_ask(&wire, "VRFY ann"), "252 ");
    expect_contains(smtp_wire_ask(&wire, "EXPN list"), "502 ");
    expect_contains(smtp_wire_ask(&wire, "XYZZY ann"), "500 ");
    end(&wire, server);

    make_pair(&pair);
    pair.options.hooks.vrfy = NULL;
    pair.b.speaks = true;
    server = started(&pair.options);
    greeted(&wire, server);
    expect_contains(smtp_wire_ask(&wire, "EHLO c.example"), "250 ");
    expect_str(smtp_wire_ask(&wire, "VRFY ann"), "250 2.0.0 B accepts");
    end(&wire, server);
}

static enum smtp_server_verdict take_secret(void *user, const struct smtp_server_session_info *info,
                                            const struct smtp_server_credentials *credentials,
                                            struct smtp_server_reply *reply)
{
    (void)reply;
    expect_true(*info->user == user);
    return strcmp(credentials->secret, "tanstaaftanstaaf") == 0 ? SMTP_ACCEPT : SMTP_REFUSE;
}

TEST(server_tables, a_login_is_decided_by_the_table_that_has_the_row)
{
    struct pair pair;
    struct smtp_wire wire;
    make_pair(&pair);
    pair.receiver.auth = take_secret;
    pair.options.auth.plain_without_tls = true;
    struct smtp_server *server = started(&pair.options);
    greeted(&wire, server);
    expect_contains(smtp_wire_ask(&wire, "EHLO c.example"), "AUTH PLAIN LOGIN");
    /* "\0tim\0tanstaaftanstaaf", RFC 4616 4 */
    expect_contains(smtp_wire_ask(&wire, "AUTH PLAIN AHRpbQB0YW5zdGFhZnRhbnN0YWFm"), "235 ");
    end(&wire, server);
}

/* ---- content on its way ---- */

TEST(server_tables, content_goes_to_each_before_its_message_until_it_wants_no_more)
{
    struct pair pair;
    struct smtp_wire wire;
    make_streaming_pair(&pair);
    pair.a.content_enough = 1;
    struct smtp_server *server = started(&pair.options);
    open_content(&wire, server);
    for (int i = 0; i < 5; i++) {
        expect_true(smtp_wire_send(&wire, "0123456789\r\n", 12));
        expect_true(smtp_wire_send(&wire, "..\r\n", 4));
    }
    expect_contains(smtp_wire_ask(&wire, "."), "250 ");
    expect_int(pair.b.content_seen, 5 * 12 + 5 * 3);
    pair.a.content_seen = 0; /* of the next message it wants some again */
    expect_contains(smtp_wire_ask(&wire, "MAIL FROM:<>"), "250 ");
    expect_contains(smtp_wire_ask(&wire, "RCPT TO:<a@b.example>"), "250 ");
    expect_contains(smtp_wire_ask(&wire, "DATA"), "354 ");
    expect_contains(smtp_wire_ask(&wire, "x\r\n."), "250 ");
    end(&wire, server);
    expect_str(pair.record.text, "A:connect B:connect A:mail B:mail A:content B:content A:message "
                                 "B:message A:mail B:mail A:content A:message B:message A:close "
                                 "B:close A:release B:release");
}

TEST(server_tables, content_of_a_refused_message_is_dropped_by_those_that_were_not_asked)
{
    struct pair pair;
    struct smtp_wire wire;
    make_streaming_pair(&pair);
    pair.a.refuses_message = 550;
    struct smtp_server *server = started(&pair.options);
    open_content(&wire, server);
    expect_str(smtp_wire_ask(&wire, "x\r\n."), "550 5.0.0 A refuses");
    end(&wire, server);
    expect_str(pair.record.text, "A:connect B:connect A:mail B:mail A:content B:content A:message "
                                 "B:drop A:close B:close A:release B:release");
}

TEST(server_tables, content_is_dropped_before_close_where_the_connection_ends)
{
    struct pair pair;
    struct smtp_wire wire;
    make_streaming_pair(&pair);
    struct smtp_server *server = started(&pair.options);
    open_content(&wire, server);
    expect_true(smtp_wire_send(&wire, "0123456789\r\n", 12));
    smtp_wire_close(&wire);
    while (smtp_server_session_count(server) > 0) {
        sched_yield();
    }
    smtp_server_free(server);
    expect_contains(pair.record.text, "A:content B:content A:drop B:drop A:close B:close");
}

TEST(server_tables, content_that_the_server_refuses_itself_is_dropped)
{
    struct pair pair;
    struct smtp_wire wire;
    make_streaming_pair(&pair);
    pair.options.limits.message_octets = 20;
    struct smtp_server *server = started(&pair.options);
    open_content(&wire, server);
    expect_true(smtp_wire_send(&wire, "0123456789\r\n", 12));
    expect_true(smtp_wire_send(&wire, "0123456789\r\n", 12));
    expect_contains(smtp_wire_ask(&wire, "."), "552 ");
    end(&wire, server);
    expect_true(strstr(pair.record.text, "message") == NULL);
    expect_true(pair.a.content_seen == 0 || strstr(pair.record.text, "A:drop B:drop") != NULL);
}

/* ---- the mailbox that keeps nothing ---- */

static enum smtp_server_verdict look(void *user, const struct smtp_server_session_info *info,
                                     struct smtp_message *message, struct smtp_server_reply *reply)
{
    size_t *kept = user;
    (void)info, (void)reply;
    smtp_message_content(message, kept);
    expect_int(smtp_message_size(message), 3);
    return SMTP_ACCEPT;
}

static void expect_discarded(struct smtp_server_options *options)
{
    struct smtp_wire wire;
    options->mailbox = SMTP_MAILBOX_DISCARD;
    struct smtp_server *server = started(options);
    struct smtp_mailbox *mailbox = smtp_server_mailbox(server);
    open_content(&wire, server);
    expect_str(smtp_wire_ask(&wire, "x\r\n."), "250 2.0.0 OK: message 1");
    expect_int(smtp_mailbox_captured(mailbox), 1);
    expect_int(smtp_mailbox_count(mailbox), 0);
    expect_true(smtp_mailbox_get(mailbox, 1) == NULL);
    expect_int(smtp_mailbox_wait(mailbox, 1, 0), SMTP_TIMED_OUT);
    smtp_wire_close(&wire);
    smtp_server_free(server);
}

TEST(server_tables, a_mailbox_that_discards_numbers_and_counts_and_keeps_nothing)
{
    struct smtp_server_options options;
    size_t kept = 99;
    smtp_server_options_init(&options);
    expect_discarded(&options);
    options.hooks.user = &kept;
    options.hooks.message = look;
    expect_discarded(&options);
    expect_int(kept, 3); /* a table that looks at the content has it */
    options.hooks.streaming = true;
    expect_discarded(&options);
    expect_int(kept, 0); /* none does */
}

/* ---- the options ---- */

TEST(server_tables, where_no_server_is_made_none_is_released)
{
    struct pair pair;
    struct smtp_server *server = NULL;
    struct smtp_error error = {0};
    make_pair(&pair);
    pair.options.workers = 0;
    expect_int(smtp_server_new(&server, &pair.options, &error), SMTP_BAD_ARGUMENT);
    expect_str(pair.record.text, "");
    pair.options.workers = 1;
    pair.options.receiver_count = 32;
    expect_int(smtp_server_new(&server, &pair.options, &error), SMTP_BAD_ARGUMENT);
    expect_contains(error.message, "receiver_count must be from 0 to 31, it is 32");
    pair.options.receiver_count = 1;
    pair.options.receivers = NULL;
    expect_int(smtp_server_new(&server, &pair.options, &error), SMTP_BAD_ARGUMENT);
    expect_contains(error.message, "receivers is NULL");
    expect_str(pair.record.text, "");
}

TEST(server_tables, stopping_and_starting_again_releases_nothing)
{
    struct pair pair;
    make_pair(&pair);
    struct smtp_server *server = started(&pair.options);
    smtp_server_stop(server, 1000);
    start(server);
    expect_str(pair.record.text, "");
    smtp_server_free(server);
    expect_str(pair.record.text, "A:release B:release");
}

static bool refuse_greeting(void *user, const struct smtp_server_session_info *info,
                            const struct smtp_server_step *step, struct smtp_server_fault *fault)
{
    (void)user, (void)info;
    fault->reply.code = step->kind == SMTP_STEP_GREETING ? 421 : 0;
    return step->kind == SMTP_STEP_GREETING;
}

TEST(server_tables, a_table_with_faults_alone_is_asked)
{
    struct smtp_server_options options;
    struct smtp_wire wire;
    smtp_server_options_init(&options);
    options.hooks.fault = refuse_greeting;
    struct smtp_server *server = started(&options);
    expect_true(smtp_wire_connect(&wire, smtp_server_address(server, 0)));
    expect_contains(smtp_wire_reply(&wire), "421 ");
    smtp_wire_close(&wire);
    smtp_server_free(server);
}
