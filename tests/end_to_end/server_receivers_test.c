/* server_receivers_test.c - receivers of a running server: print, mbox and several at once, by SMTP and by
 * LMTP. What each makes of a message is in tests/unit/server/. */
#include "server/smtp_receivers.h"
#include "tests/end_to_end/running_server.h"
#include "tests/support/files.h"
#include "tests/support/test.h"
#include "tests/support/wire.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

/** A server with these tables, and a directory for what they write. */
struct receiving {
    char directory[64];
    struct smtp_server_options options;
    struct smtp_server_hooks tables[3];
    struct smtp_server *server;
};

static void prepare(struct receiving *receiving)
{
    *receiving = (struct receiving){.server = NULL};
    smtp_server_options_init(&receiving->options);
    smtp_make_directory(receiving->directory);
    receiving->options.receivers = receiving->tables;
    receiving->options.mailbox = SMTP_MAILBOX_DISCARD;
}

static struct smtp_server_hooks *next_table(struct receiving *receiving)
{
    return &receiving->tables[receiving->options.receiver_count++];
}

static void path_in(const struct receiving *receiving, const char *name, char path[128])
{
    snprintf(path, 128, "%s/%s", receiving->directory, name);
}

static void add_mbox(struct receiving *receiving, char path[128])
{
    struct smtp_error error = {0};
    path_in(receiving, "mbox", path);
    if (smtp_receiver_mbox(next_table(receiving), path, &error) != SMTP_OK) {
        SMTP_TEST_FAIL("%s", error.message);
    }
}

static void add_maildir(struct receiving *receiving, char path[128])
{
    struct smtp_error error = {0};
    path_in(receiving, "Maildir", path);
    if (smtp_receiver_maildir(next_table(receiving),
                              &(struct smtp_maildir){.path = path, .durable = true},
                              &error) != SMTP_OK) {
        SMTP_TEST_FAIL("%s", error.message);
    }
}

static FILE *add_print(struct receiving *receiving, const char *path)
{
    FILE *file = fopen(path, "wb");
    expect_true(file != NULL);
    expect_int(smtp_receiver_print(next_table(receiving), file, NULL), SMTP_OK);
    return file;
}

static void open_server(struct receiving *receiving)
{
    receiving->server = started(&receiving->options);
}

static void close_server(struct receiving *receiving)
{
    smtp_server_free(receiving->server);
    smtp_remove_directory(receiving->directory);
}

TEST(server_receivers, print_has_said_all_before_the_250)
{
    struct receiving receiving;
    char path[128];
    prepare(&receiving);
    path_in(&receiving, "out", path);
    FILE *file = add_print(&receiving, path);
    open_server(&receiving);
    send_one(receiving.server);
    char *text = smtp_read_file(path, NULL);
    expect_str(text, "---------- MESSAGE FOLLOWS ----------\n"
                     "X-Peer: 127.0.0.1\n"
                     "X-Helo: client.example\n"
                     "X-Protocol: SMTP\n"
                     "X-MailFrom: <ann@example.com>\n"
                     "X-RcptTo: <bob@example.com>\n"
                     "Subject: hi\n\n.dot\n"
                     "------------ END MESSAGE ------------\n");
    free(text);
    close_server(&receiving);
    fclose(file); /* it is still the caller's */
}

TEST(server_receivers, the_mbox_has_the_message_before_the_250)
{
    struct receiving receiving;
    char path[128];
    prepare(&receiving);
    add_mbox(&receiving, path);
    open_server(&receiving);
    send_one(receiving.server);
    char *text = smtp_read_file(path, NULL);
    expect_true(strncmp(text, "From ann@example.com ", 21) == 0);
    expect_contains(text, "\nReturn-Path: <ann@example.com>\nReceived: from client.example "
                          "([127.0.0.1]) by harness.test with SMTP\n");
    expect_contains(text, " +0000\nSubject: hi\n\n.dot\n\n");
    free(text);
    close_server(&receiving);
}

#define SENDERS 6
#define EACH 15

static void *send_many(void *user)
{
    for (int i = 0; i < EACH; i++) {
        send_one(user);
    }
    return NULL;
}

static unsigned count_lines(const char *path, const char *line)
{
    unsigned count = 0;
    char *text = smtp_read_file(path, NULL);
    for (const char *at = strstr(text, line); at != NULL; at = strstr(at + 1, line)) {
        count++;
    }
    free(text);
    return count;
}

TEST(server_receivers, each_of_several_gets_every_message_of_many_sessions)
{
    struct receiving receiving;
    pthread_t threads[SENDERS];
    char mbox[128], maildir[128], out[128];
    prepare(&receiving);
    add_maildir(&receiving, maildir);
    add_mbox(&receiving, mbox);
    path_in(&receiving, "out", out);
    FILE *file = add_print(&receiving, out);
    receiving.options.workers = 2;
    receiving.options.mailbox = SMTP_MAILBOX_KEEP;
    open_server(&receiving);
    for (size_t i = 0; i < SENDERS; i++) {
        expect_int(pthread_create(&threads[i], NULL, send_many, receiving.server), 0);
    }
    for (size_t i = 0; i < SENDERS; i++) {
        expect_int(pthread_join(threads[i], NULL), 0);
    }
    expect_int(count_lines(mbox, "From ann@example.com "), SENDERS * EACH);
    expect_int(count_lines(out, "MESSAGE FOLLOWS"), SENDERS * EACH);
    expect_int(smtp_count_entries(maildir, "new", NULL, 0), SENDERS * EACH);
    expect_int(smtp_count_entries(maildir, "tmp", NULL, 0), 0);
    struct smtp_mailbox *mailbox = smtp_server_mailbox(receiving.server);
    expect_int(smtp_mailbox_count(mailbox), SENDERS * EACH);
    struct smtp_message *message = smtp_mailbox_get(mailbox, 1);
    size_t len;
    const char *content = smtp_message_content(message, &len);
    expect_bytes(content, len, "Subject: hi\r\n\r\n.dot\r\n", 21);
    smtp_message_release(message);
    close_server(&receiving);
    fclose(file);
}

/* One that refuses comes first, as smtp_receivers.h says; what comes later has nothing then. */
TEST(server_receivers, where_one_refuses_none_after_it_has_the_message)
{
    struct receiving receiving;
    struct smtp_wire wire;
    char maildir[128], mbox[128];
    prepare(&receiving);
    FILE *full = add_print(&receiving, "/dev/full");
    add_maildir(&receiving, maildir);
    add_mbox(&receiving, mbox);
    open_server(&receiving);
    open_content(&wire, receiving.server);
    expect_contains(smtp_wire_ask(&wire, "x\r\n."), "452 4.3.1 ");
    expect_int(smtp_count_entries(maildir, "new", NULL, 0), 0);
    expect_int(smtp_count_entries(maildir, "tmp", NULL, 0), 0);
    char *text = smtp_read_file(mbox, NULL);
    expect_str(text, "");
    expect_int(smtp_mailbox_captured(smtp_server_mailbox(receiving.server)), 0);
    free(text);
    smtp_wire_close(&wire);
    close_server(&receiving);
    fclose(full);
}

TEST(server_receivers, LMTP_gives_each_recipient_the_same_answer_RFC_2033_4_2)
{
    static const char *const listen[] = {"lmtp://127.0.0.1:0"};
    for (int full = 0; full < 2; full++) {
        struct receiving receiving;
        struct smtp_wire wire;
        char maildir[128], name[700];
        prepare(&receiving);
        FILE *file = add_print(&receiving, full ? "/dev/full" : "/dev/null");
        add_maildir(&receiving, maildir);
        receiving.options.listen = listen;
        receiving.options.listen_count = 1;
        open_server(&receiving);
        expect_true(smtp_wire_connect(&wire, smtp_server_address(receiving.server, 0)));
        expect_contains(smtp_wire_reply(&wire), "220 ");
        expect_contains(smtp_wire_ask(&wire, "LHLO c.example"), "250 ");
        expect_contains(smtp_wire_ask(&wire, "MAIL FROM:<>"), "250 ");
        expect_contains(smtp_wire_ask(&wire, "RCPT TO:<a@b.example>"), "250 ");
        expect_contains(smtp_wire_ask(&wire, "RCPT TO:<b@b.example>"), "250 ");
        expect_contains(smtp_wire_ask(&wire, "DATA"), "354 ");
        expect_contains(smtp_wire_ask(&wire, "x\r\n."), full ? "452 4.3.1 " : "250 ");
        expect_contains(smtp_wire_reply(&wire), full ? "452 4.3.1 " : "250 ");
        expect_int(smtp_count_entries(maildir, "new", name, sizeof name), full ? 0 : 1);
        if (!full) {
            char *text = smtp_read_file(name, NULL);
            expect_contains(text, "Return-Path: <>\n"
                                  "Received: from c.example ([127.0.0.1]) by harness.test with "
                                  "LMTP id session-1;\n");
            free(text);
        }
        smtp_wire_close(&wire);
        close_server(&receiving);
        fclose(file);
    }
}

/* ---- whose table it is ---- */

static void on_release(void *user)
{
    atomic_fetch_add((atomic_int *)user, 1);
}

TEST(server_receivers, a_table_is_released_once_and_only_by_a_server_that_was_made)
{
    atomic_int released = 0;
    const struct smtp_server_hooks tables[] = {{.user = &released, .release = on_release},
                                               {.user = &released, .release = on_release}};
    struct smtp_server_options options;
    struct smtp_server *server = NULL;
    smtp_server_options_init(&options);
    options.receivers = tables;
    options.receiver_count = 2;
    options.hooks = tables[0];
    options.workers = 0;
    expect_int(smtp_server_new(&server, &options, NULL), SMTP_BAD_ARGUMENT);
    expect_int(released, 0);
    options.workers = 1;
    server = started(&options);
    smtp_server_stop(server, 0);
    start(server); /* and not by a stop */
    expect_int(released, 0);
    smtp_server_free(server);
    expect_int(released, 3);
}
