/* server_maildir_test.c - whole deliveries into a Maildir by a running server: what was answered 250 is
 * there, octet for octet, and nothing else is. The rows of the table alone are in
 * tests/unit/server/maildir_test.c. */
#include "client/smtp_client.h"
#include "server/smtp_receivers.h"
#include "tests/end_to_end/running_server.h"
#include "tests/support/files.h"
#include "tests/support/test.h"
#include "tests/support/wire.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

struct delivering {
    char path[80];
    struct smtp_server_options options;
    struct smtp_server_hooks table;
    struct smtp_server *server;
};

static void prepare(struct delivering *delivering, bool durable)
{
    struct smtp_error error = {0};
    smtp_server_options_init(&delivering->options);
    if (smtp_receiver_maildir(&delivering->table,
                              &(struct smtp_maildir){.path = smtp_make_directory(delivering->path),
                                                     .durable = durable},
                              &error) != SMTP_OK) {
        SMTP_TEST_FAIL("%s", error.message);
    }
    delivering->options.receivers = &delivering->table;
    delivering->options.receiver_count = 1;
    delivering->options.mailbox = SMTP_MAILBOX_DISCARD;
}

static void open_server(struct delivering *delivering, bool durable)
{
    prepare(delivering, durable);
    delivering->server = started(&delivering->options);
}

static void close_server(struct delivering *delivering)
{
    smtp_server_free(delivering->server);
    smtp_remove_directory(delivering->path);
}

static void expect_counts(const struct delivering *delivering, unsigned in_new, unsigned in_tmp)
{
    expect_int(smtp_count_entries(delivering->path, "new", NULL, 0), in_new);
    expect_int(smtp_count_entries(delivering->path, "tmp", NULL, 0), in_tmp);
}

/* Waits, bounded, until tmp has so many files: what a connection's end leads to comes a moment later. */
static void await_tmp(const struct delivering *delivering, unsigned count)
{
    for (int i = 0; i < 1000 && smtp_count_entries(delivering->path, "tmp", NULL, 0) != count;
         i++) {
        poll(NULL, 0, 10);
    }
    expect_int(smtp_count_entries(delivering->path, "tmp", NULL, 0), count);
}

/* ---- what is there ---- */

static void expect_whole_delivery(bool durable, unsigned workers)
{
    struct delivering delivering;
    char name[700];
    size_t len;
    prepare(&delivering, durable);
    delivering.options.workers = workers;
    delivering.server = started(&delivering.options);
    send_one(delivering.server);
    expect_int(smtp_count_entries(delivering.path, "new", name, sizeof name), 1);
    expect_counts(&delivering, 1, 0);
    char *text = smtp_read_file(name, &len);
    static const char head[] = "Return-Path: <ann@example.com>\nDelivered-To: bob@example.com\n"
                               "Received: from client.example ([127.0.0.1]) by harness.test with "
                               "SMTP\n id session-1 for <bob@example.com>; ";
    expect_true(strncmp(text, head, sizeof head - 1) == 0);
    static const char tail[] = " +0000\nSubject: hi\n\n.dot\n";
    expect_str(strstr(text, " +0000\n"), tail);
    free(text);
    close_server(&delivering);
}

TEST(server_maildir, what_was_answered_250_is_there_octet_for_octet)
{
    expect_whole_delivery(false, 1);
    expect_whole_delivery(true, 1);
    expect_whole_delivery(true, 3);
}

TEST(server_maildir, a_message_without_content_is_delivered)
{
    struct delivering delivering;
    struct smtp_wire wire;
    open_server(&delivering, true);
    open_content(&wire, delivering.server);
    expect_contains(smtp_wire_ask(&wire, "."), "250 ");
    expect_counts(&delivering, 1, 0);
    smtp_wire_close(&wire);
    close_server(&delivering);
}

TEST(server_maildir, several_messages_of_one_session_are_several_files)
{
    struct delivering delivering;
    struct smtp_wire wire;
    open_server(&delivering, true);
    greeted(&wire, delivering.server);
    expect_contains(smtp_wire_ask(&wire, "EHLO c.example"), "250 ");
    for (unsigned i = 1; i <= 5; i++) {
        expect_contains(smtp_wire_ask(&wire, "MAIL FROM:<>"), "250 ");
        expect_contains(smtp_wire_ask(&wire, "RCPT TO:<b@b.example>"), "250 ");
        expect_contains(smtp_wire_ask(&wire, "DATA"), "354 ");
        expect_contains(smtp_wire_ask(&wire, "x\r\n."), "250 ");
        expect_counts(&delivering, i, 0);
    }
    smtp_wire_close(&wire);
    close_server(&delivering);
}

TEST(server_maildir, Received_fields_that_are_there_stay_below_the_new_one_RFC_5321_4_4)
{
    struct delivering delivering;
    struct smtp_wire wire;
    char name[700];
    static const char content[] = "Received: third\nReceived: from second (no date)\n"
                                  "Received: from x by y; Thu, 1 Jan 1970 00:00:00 +0000\n\nhi\n";
    open_server(&delivering, false);
    open_content(&wire, delivering.server);
    expect_contains(smtp_wire_ask(&wire, "Received: third\r\nReceived: from second (no date)\r\n"
                                         "Received: from x by y; Thu, 1 Jan 1970 00:00:00 +0000\r\n"
                                         "\r\nhi\r\n."),
                    "250 ");
    expect_int(smtp_count_entries(delivering.path, "new", name, sizeof name), 1);
    char *text = smtp_read_file(name, NULL), *own = strstr(text, "Received: ");
    expect_true(strncmp(own, "Received: from c.example ([127.0.0.1]) by ", 42) == 0);
    expect_str(strstr(own, " +0000\n") + 7, content);
    free(text);
    smtp_wire_close(&wire);
    close_server(&delivering);
}

/* ---- what is not ---- */

TEST(server_maildir, a_session_that_dies_in_mid_content_leaves_nothing)
{
    struct delivering delivering;
    struct smtp_wire wire;
    for (int reset = 0; reset < 2; reset++) {
        open_server(&delivering, reset == 0);
        open_content(&wire, delivering.server);
        expect_true(smtp_wire_send(&wire, "Subject: hi\r\n\r\nhalf a mess", 26));
        await_tmp(&delivering, 1);
        if (reset) {
            smtp_wire_reset(&wire);
        } else {
            smtp_wire_close(&wire);
        }
        await_tmp(&delivering, 0);
        expect_counts(&delivering, 0, 0);
        close_server(&delivering);
    }
}

TEST(server_maildir, a_server_that_is_stopped_in_mid_content_leaves_nothing)
{
    struct delivering delivering;
    struct smtp_wire wire;
    open_server(&delivering, true);
    open_content(&wire, delivering.server);
    expect_true(smtp_wire_send(&wire, "half a mess", 11));
    await_tmp(&delivering, 1);
    smtp_server_stop(delivering.server, 0);
    expect_counts(&delivering, 0, 0);
    smtp_wire_close(&wire);
    close_server(&delivering);
}

TEST(server_maildir, content_that_the_server_refuses_leaves_nothing)
{
    struct delivering delivering;
    struct smtp_wire wire;
    prepare(&delivering, false);
    delivering.options.limits.message_octets = 100;
    delivering.server = started(&delivering.options);
    static const char *const refused[] = {
        "a bare \n line end\r\n.",
        "more than 100 octets: ........................................................\r\n"
        "more than 100 octets: ........................................................\r\n.",
    };
    for (size_t i = 0; i < 2; i++) {
        open_content(&wire, delivering.server);
        expect_contains(smtp_wire_ask(&wire, refused[i]), "55");
        expect_counts(&delivering, 0, 0);
        smtp_wire_close(&wire);
    }
    close_server(&delivering);
}

static enum smtp_server_verdict refuse_it(void *user,
                                          const struct smtp_server_session_info *session,
                                          struct smtp_message *message,
                                          struct smtp_server_reply *reply)
{
    (void)user;
    (void)session;
    (void)message;
    return smtp_server_reply(reply, 550, "5.7.1", "Not this one");
}

TEST(server_maildir, what_a_table_before_it_refuses_leaves_nothing)
{
    struct delivering delivering;
    struct smtp_wire wire;
    prepare(&delivering, true);
    delivering.options.hooks.message = refuse_it;
    delivering.server = started(&delivering.options);
    open_content(&wire, delivering.server);
    expect_contains(smtp_wire_ask(&wire, "x\r\n."), "550 5.7.1 ");
    expect_counts(&delivering, 0, 0);
    smtp_wire_close(&wire);
    close_server(&delivering);
}

/* ---- disks ---- */

static void send_large(struct smtp_wire *wire, size_t lines)
{
    char line[1000];
    memset(line, 'x', sizeof line);
    memcpy(line + sizeof line - 2, "\r\n", 2);
    for (size_t i = 0; i < lines; i++) {
        expect_true(smtp_wire_send(wire, line, sizeof line));
    }
}

TEST_ALONE(server_maildir, no_room_is_452_and_the_session_goes_on)
{
    static const size_t lines[] = {1, 100, 2000};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct delivering delivering;
        struct smtp_wire wire;
        open_server(&delivering, i == 1);
        smtp_limit_files(500 * lines[i]);
        open_content(&wire, delivering.server);
        send_large(&wire, lines[i]);
        expect_contains(smtp_wire_ask(&wire, "."), "452 4.3.1 ");
        expect_counts(&delivering, 0, 0);
        smtp_limit_files(UINT64_MAX);
        expect_contains(smtp_wire_ask(&wire, "MAIL FROM:<>"), "250 ");
        expect_contains(smtp_wire_ask(&wire, "RCPT TO:<b@b.example>"), "250 ");
        expect_contains(smtp_wire_ask(&wire, "DATA"), "354 ");
        expect_contains(smtp_wire_ask(&wire, "x\r\n."), "250 ");
        expect_counts(&delivering, 1, 0);
        smtp_wire_close(&wire);
        close_server(&delivering);
    }
}

static void keep_note(void *user, const struct smtp_server_session_info *session,
                      const struct smtp_server_log_entry *entry)
{
    (void)session;
    if (entry->kind == SMTP_LOG_NOTE) {
        snprintf(user, 100, "%.*s", (int)entry->len, entry->text);
    }
}

/* Root may write where modes forbid it, and not everybody can mount a disk read-only; where there is no
 * directory any more, nobody can make a file. */
TEST(server_maildir, where_no_file_can_be_made_it_is_451)
{
    static const char *const folders[] = {"tmp", "new"};
    for (size_t i = 0; i < 2; i++) {
        struct delivering delivering;
        struct smtp_wire wire;
        char folder[128], note[100] = "";
        prepare(&delivering, true);
        delivering.options.hooks = (struct smtp_server_hooks){.log = keep_note, .user = note};
        delivering.server = started(&delivering.options);
        snprintf(folder, sizeof folder, "%s/%s", delivering.path, folders[i]);
        expect_int(rmdir(folder), 0);
        open_content(&wire, delivering.server);
        expect_str(smtp_wire_ask(&wire, "x\r\n."), "451 4.3.0 The message cannot be stored");
        expect_int(smtp_count_entries(delivering.path, i == 0 ? "new" : "tmp", NULL, 0), 0);
        smtp_wire_close(&wire);
        close_server(&delivering);
        expect_str(note, "the message cannot be stored: No such file or directory");
    }
}

/* Mounts a disk of 256 KiB in the directory's place, for this process alone. False: this machine lets nobody
 * like us do so. */
static bool mount_small_disk(const char *path)
{
    return unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("tmpfs", path, "tmpfs", 0, "size=256k,mode=700") == 0;
}

/* The same with real disks, where they can be had. */
TEST_ALONE(server_maildir, a_full_disk_is_452_and_one_that_is_read_only_451)
{
    struct delivering delivering;
    struct smtp_wire wire;
    char disk[64];
    if (!mount_small_disk(smtp_make_directory(disk))) {
        fprintf(stderr, "no disk can be mounted here: limits of the process stood in for it\n");
        rmdir(disk);
        return;
    }
    smtp_server_options_init(&delivering.options);
    snprintf(delivering.path, sizeof delivering.path, "%s/m", disk);
    expect_int(smtp_receiver_maildir(
                   &delivering.table,
                   &(struct smtp_maildir){.path = delivering.path, .durable = true}, NULL),
               SMTP_OK);
    delivering.options.receivers = &delivering.table;
    delivering.options.receiver_count = 1;
    delivering.server = started(&delivering.options);
    open_content(&wire, delivering.server);
    send_large(&wire, 1000);
    expect_contains(smtp_wire_ask(&wire, "."), "452 4.3.1 ");
    expect_counts(&delivering, 0, 0);
    smtp_wire_close(&wire);
    open_content(&wire, delivering.server);
    expect_contains(smtp_wire_ask(&wire, "there is room\r\n."), "250 ");
    expect_counts(&delivering, 1, 0);
    smtp_wire_close(&wire);
    expect_int(mount("none", disk, NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
    open_content(&wire, delivering.server);
    expect_contains(smtp_wire_ask(&wire, "x\r\n."), "451 4.3.0 ");
    expect_counts(&delivering, 1, 0);
    smtp_wire_close(&wire);
    smtp_server_free(delivering.server);
    expect_int(umount2(disk, MNT_DETACH), 0);
    rmdir(disk);
}

/* ---- many and much ---- */

#define SENDERS 6
#define EACH 20

static void *send_many(void *user)
{
    for (int i = 0; i < EACH; i++) {
        send_one(user);
    }
    return NULL;
}

TEST(server_maildir, many_sessions_and_workers_lose_nothing)
{
    pthread_t threads[SENDERS];
    struct delivering delivering;
    prepare(&delivering, true);
    delivering.options.workers = 3;
    delivering.server = started(&delivering.options);
    for (size_t i = 0; i < SENDERS; i++) {
        expect_int(pthread_create(&threads[i], NULL, send_many, delivering.server), 0);
    }
    for (size_t i = 0; i < SENDERS; i++) {
        expect_int(pthread_join(threads[i], NULL), 0);
    }
    expect_counts(&delivering, SENDERS * EACH, 0);
    close_server(&delivering);
}

/* Octets as they are made: the file must have the same. */
struct stream {
    uint64_t left;
    uint64_t at;
};

#define STREAM_LINE 75 /* without its CRLF */

static char stream_octet(uint64_t at)
{
    uint64_t in_line = at % (STREAM_LINE + 2);
    return in_line < STREAM_LINE ? (char)('!' + (at / (STREAM_LINE + 2) + in_line) % 90)
                                 : "\r\n"[in_line - STREAM_LINE];
}

static ssize_t make_octets(void *user, char *bytes, size_t capacity)
{
    struct stream *stream = user;
    size_t len = capacity < stream->left ? capacity : (size_t)stream->left;
    for (size_t i = 0; i < len; i++) {
        bytes[i] = stream_octet(stream->at + i);
    }
    stream->at += len;
    stream->left -= len;
    return (ssize_t)len;
}

static long resident_kib(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

/* The content behind the trace, with LF for CRLF. */
static void expect_stream(const char *path, uint64_t lines)
{
    char line[STREAM_LINE + 3], expected[STREAM_LINE + 3];
    FILE *file = fopen(path, "rb");
    expect_true(file != NULL);
    do {
        expect_true(fgets(line, sizeof line, file) != NULL);
    } while (strstr(line, " +0000\n") == NULL);
    for (uint64_t i = 0; i < lines; i++) {
        for (size_t at = 0; at < STREAM_LINE; at++) {
            expected[at] = stream_octet(i * (STREAM_LINE + 2) + at);
        }
        memcpy(expected + STREAM_LINE, "\n", 2);
        expect_true(fgets(line, sizeof line, file) != NULL);
        expect_str(line, expected);
    }
    expect_int(getc(file), EOF);
    fclose(file);
}

/* 32 MiB, 16 under a sanitizer, or as many as SMTP_TEST_MAILDIR_MIB says; the whole of what this project claims with
 *     SMTP_TEST_MAILDIR_MIB=1024 build/dev/tests/end_to_end --filter 'server_maildir/content_of*' */
TEST_ALONE_WITHIN(server_maildir, content_of_any_size_is_streamed_in_constant_memory, 300)
{
    const char *wanted = getenv("SMTP_TEST_MAILDIR_MIB");
    uint64_t usual = TEST_LARGE_OCTETS > 16 << 20 ? 32 : 16;
    uint64_t lines =
        ((wanted != NULL ? strtoull(wanted, NULL, 10) : usual) << 20) / (STREAM_LINE + 2);
    struct stream stream = {.left = lines * (STREAM_LINE + 2)};
    struct delivering delivering;
    const char *to = "bob@example.com";
    char name[700];
    prepare(&delivering, false);
    delivering.options.limits.message_octets = 0;
    delivering.server = started(&delivering.options);
    send_one(delivering.server); /* what is allocated once is there */
    expect_int(smtp_count_entries(delivering.path, "new", name, sizeof name), 1);
    expect_int(unlink(name), 0);
    struct smtp_client *client = NULL;
    expect_int(smtp_client_new(&client, NULL), SMTP_OK);
    expect_int(smtp_client_connect(client, smtp_server_address(delivering.server, 0), 0), SMTP_OK);
    long before_kib = resident_kib();
    expect_int(smtp_client_send(client,
                                &(struct smtp_envelope){.reverse_path = "ann@example.com",
                                                        .forward_paths = &to,
                                                        .forward_path_count = 1},
                                smtp_content_callback(make_octets, &stream), NULL),
               SMTP_OK);
    long grown_kib = resident_kib() - before_kib;
    if (grown_kib > 8 * 1024) {
        SMTP_TEST_FAIL("it took %ld KiB of memory", grown_kib);
    }
    expect_int(smtp_client_quit(client), SMTP_OK);
    smtp_client_free(client);
    expect_int(smtp_count_entries(delivering.path, "new", name, sizeof name), 1);
    expect_stream(name, lines);
    close_server(&delivering);
}
