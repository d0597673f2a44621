/* server_lmtp_test.c - LMTP (RFC 2033) of a running server: where it is listened for, and what several
 * tables' replies for each recipient add up to. */
#include "server/smtp_server.h"
#include "tests/end_to_end/running_server.h"
#include "tests/support/test.h"

#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

/* Which recipients a table refuses, by their place. */
struct refusals {
    unsigned bits;
    int code;    /* 0: 550 */
    bool speaks; /* gives words to those it takes */
    bool all;
    atomic_uint asked;
    unsigned known; /* filled in before it was asked */
};

static enum smtp_server_verdict refuse_some(void *user, const struct smtp_server_session_info *info,
                                            struct smtp_message *message,
                                            struct smtp_server_reply *reply)
{
    struct refusals *refusals = user;
    expect_true(info->lmtp);
    expect_str(info->protocol, "LMTP");
    atomic_fetch_add(&refusals->asked, 1);
    if (refusals->all) {
        return smtp_server_reply(reply, 451, "4.3.0", "none of them");
    }
    for (size_t i = 0; i < smtp_message_recipient_count(message); i++) {
        refusals->known |= reply[i].code >= 400 ? 1u << i : 0;
        if ((refusals->bits & 1u << i) != 0) {
            (void)smtp_server_reply(&reply[i], refusals->code != 0 ? refusals->code : 550,
                                    refusals->code != 0 ? NULL : "5.2.1", "not %s",
                                    smtp_message_forward_path(message, i));
        } else if (refusals->speaks) {
            (void)smtp_server_reply(&reply[i], 250, NULL, "taken by %u", refusals->bits);
        }
    }
    return SMTP_ACCEPT;
}

static struct smtp_server *started_lmtp(struct smtp_server_options *options,
                                        struct smtp_server_hooks *receivers,
                                        struct refusals *refusals, size_t count, bool blocking)
{
    static const char *const listen[] = {"lmtp://127.0.0.1:0"};
    smtp_server_options_init(options);
    options->listen = listen;
    options->listen_count = 1;
    for (size_t i = 0; i < count; i++) {
        receivers[i] = (struct smtp_server_hooks){
            .user = &refusals[i], .message = refuse_some, .blocking = blocking};
    }
    options->receivers = receivers;
    options->receiver_count = count;
    return started(options);
}

static void to_content(struct smtp_wire *wire, const struct smtp_server *server)
{
    greeted(wire, server);
    expect_contains(smtp_wire_ask(wire, "LHLO c.example"), "250-");
    expect_contains(smtp_wire_ask(wire, "MAIL FROM:<>"), "250 ");
    expect_contains(smtp_wire_ask(wire, "RCPT TO:<a@b.example>"), "250 ");
    expect_contains(smtp_wire_ask(wire, "RCPT TO:<b@b.example>"), "250 ");
    expect_contains(smtp_wire_ask(wire, "RCPT TO:<c@b.example>"), "250 ");
    expect_contains(smtp_wire_ask(wire, "DATA"), "354 ");
}

TEST(server_lmtp, listens_where_lmtp_is_asked_for_rfc2033_4_1)
{
    struct smtp_server_options options;
    struct smtp_wire wire;
    char folder[] = "/tmp/smtp-lmtp-XXXXXX", path[64];
    expect_true(mkdtemp(folder) != NULL);
    snprintf(path, sizeof path, "lmtp://unix:%s/s", folder);
    const char *const listen[] = {path, "127.0.0.1:0", "LMTP://[::1]:0"};
    smtp_server_options_init(&options);
    options.listen = listen;
    options.listen_count = 3;
    struct smtp_server *server = started(&options);
    expect_str(smtp_server_address(server, 0), path + strlen("lmtp://"));
    expect_true(smtp_server_is_lmtp(server, 0));
    expect_true(!smtp_server_is_lmtp(server, 1));
    expect_true(smtp_server_is_lmtp(server, 2));
    expect_true(!smtp_server_is_lmtp(server, 3));
    expect_true(smtp_wire_connect(&wire, smtp_server_address(server, 0)));
    expect_contains(smtp_wire_reply(&wire), "LMTP");
    expect_contains(smtp_wire_ask(&wire, "EHLO c.example"), "500 ");
    expect_contains(smtp_wire_ask(&wire, "LHLO c.example"), "250-");
    smtp_wire_close(&wire);
    smtp_server_free(server);
    expect_int(rmdir(folder), 0);
}

TEST(server_lmtp, is_never_spoken_on_port_25_rfc2033_5)
{
    static const char *const listen[] = {"lmtp://127.0.0.1:25"};
    struct smtp_server_options options;
    struct smtp_server *server = NULL;
    struct smtp_error error = {0};
    smtp_server_options_init(&options);
    options.listen = listen;
    options.listen_count = 1;
    expect_int(smtp_server_new(&server, &options, &error), SMTP_BAD_ARGUMENT);
    expect_contains(error.message, "listen[0]: LMTP must not be spoken on port 25");
}

static void expect_merged(bool blocking)
{
    struct smtp_server_options options;
    struct smtp_server_hooks receivers[2];
    struct refusals refusals[2] = {{.bits = 1}, {.bits = 4}};
    struct smtp_wire wire;
    struct smtp_server *server = started_lmtp(&options, receivers, refusals, 2, blocking);
    to_content(&wire, server);
    expect_str(smtp_wire_ask(&wire, "x\r\n."), "550 5.2.1 not a@b.example");
    expect_str(smtp_wire_reply(&wire), "250 2.0.0 OK: message 1");
    expect_str(smtp_wire_reply(&wire), "550 5.2.1 not c@b.example");
    expect_int(refusals[0].known, 0);
    expect_int(refusals[1].known, 1);
    expect_int(smtp_mailbox_captured(smtp_server_mailbox(server)), 1);
    expect_contains(smtp_wire_ask(&wire, "QUIT"), "221 ");
    smtp_wire_close(&wire);
    smtp_server_free(server);
}

TEST(server_lmtp, a_recipient_refused_by_any_table_is_refused_and_the_others_are_not_rfc2033_4_2)
{
    expect_merged(false);
}

TEST(server_lmtp, likewise_where_the_tables_block)
{
    expect_merged(true);
}

TEST(server_lmtp, of_several_words_the_first_refusal_stands_else_the_first_rfc2033_4_2)
{
    struct smtp_server_options options;
    struct smtp_server_hooks receivers[3];
    struct refusals refusals[3] = {
        {.bits = 1, .code = 450}, {.bits = 4, .speaks = true}, {.bits = 1, .speaks = true}};
    struct smtp_wire wire;
    struct smtp_server *server = started_lmtp(&options, receivers, refusals, 3, false);
    to_content(&wire, server);
    expect_str(smtp_wire_ask(&wire, "x\r\n."), "450 4.0.0 not a@b.example");
    expect_str(smtp_wire_reply(&wire), "250 2.0.0 taken by 4");
    expect_str(smtp_wire_reply(&wire), "550 5.2.1 not c@b.example");
    expect_int(refusals[1].known, 1);
    expect_int(refusals[2].known, 5);
    expect_contains(smtp_wire_ask(&wire, "QUIT"), "221 ");
    smtp_wire_close(&wire);
    smtp_server_free(server);
}

TEST(server_lmtp, where_all_recipients_are_refused_nobody_else_is_asked_and_nothing_captured)
{
    struct smtp_server_options options;
    struct smtp_server_hooks receivers[2];
    struct refusals refusals[2] = {{.bits = 7}, {.bits = 0}};
    struct smtp_wire wire;
    struct smtp_server *server = started_lmtp(&options, receivers, refusals, 2, false);
    to_content(&wire, server);
    expect_str(smtp_wire_ask(&wire, "x\r\n."), "550 5.2.1 not a@b.example");
    expect_str(smtp_wire_reply(&wire), "550 5.2.1 not b@b.example");
    expect_str(smtp_wire_reply(&wire), "550 5.2.1 not c@b.example");
    expect_contains(smtp_wire_ask(&wire, "NOOP"), "250 ");
    expect_int(atomic_load(&refusals[1].asked), 0);
    expect_int(smtp_mailbox_captured(smtp_server_mailbox(server)), 0);
    smtp_wire_close(&wire);
    smtp_server_free(server);
}

TEST(server_lmtp, a_message_refused_as_a_whole_is_refused_for_each_recipient_rfc2033_4_2)
{
    struct smtp_server_options options;
    struct smtp_server_hooks receivers[2];
    struct refusals refusals[2] = {{.bits = 1}, {.all = true}};
    struct smtp_wire wire;
    struct smtp_server *server = started_lmtp(&options, receivers, refusals, 2, false);
    to_content(&wire, server);
    expect_str(smtp_wire_ask(&wire, "x\r\n."), "451 4.3.0 none of them");
    expect_str(smtp_wire_reply(&wire), "451 4.3.0 none of them");
    expect_str(smtp_wire_reply(&wire), "451 4.3.0 none of them");
    expect_contains(smtp_wire_ask(&wire, "NOOP"), "250 ");
    expect_int(smtp_mailbox_captured(smtp_server_mailbox(server)), 0);
    smtp_wire_close(&wire);
    smtp_server_free(server);
}
