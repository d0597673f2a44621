/* maildir_test.c - server/receivers/maildir.c: the rows of its table, called as a server calls them. */
#include "server/receivers/delivery.h"
#include "server/smtp_receivers.h"
#include "tests/support/files.h"
#include "tests/support/test.h"
#include "tests/support/wire.h"
#include "tests/unit/server/made_message.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

struct maildir_test {
    char path[64];
    struct smtp_server_hooks table;
    void *user; /* of the one session */
    struct smtp_server_reply reply;
};

static void open_maildir(struct maildir_test *test, bool durable)
{
    struct smtp_error error = {0};
    *test = (struct maildir_test){0};
    smtp_make_directory(test->path);
    if (smtp_receiver_maildir(&test->table,
                              &(struct smtp_maildir){.path = test->path, .durable = durable},
                              &error) != SMTP_OK) {
        SMTP_TEST_FAIL("%s", error.message);
    }
    expect_true(test->table.streaming && test->table.content != NULL);
    expect_int(test->table.blocking, durable);
}

static void close_maildir(struct maildir_test *test)
{
    struct smtp_server_session_info session = made_session(&test->user);
    test->table.close(test->table.user, &session);
    test->table.release(test->table.user);
    smtp_remove_directory(test->path);
}

static bool give(struct maildir_test *test, const struct smtp_message *message, const char *octets,
                 size_t len)
{
    struct smtp_server_session_info session = made_session(&test->user);
    return test->table.content(test->table.user, &session, message, octets, len);
}

/* The code of the reply: 250 where it is accepted. */
static int finish(struct maildir_test *test, struct smtp_message *message)
{
    struct smtp_server_session_info session = made_session(&test->user);
    test->reply = (struct smtp_server_reply){0};
    enum smtp_server_verdict verdict =
        test->table.message(test->table.user, &session, message, &test->reply);
    expect_true((verdict == SMTP_ACCEPT) == (test->reply.code == 0));
    return verdict == SMTP_ACCEPT ? 250 : test->reply.code;
}

static void drop(struct maildir_test *test)
{
    struct smtp_server_session_info session = made_session(&test->user);
    test->table.drop(test->table.user, &session);
}

/* All its content in parts of `step` octets. */
static int deliver(struct maildir_test *test, const struct made *made, size_t step)
{
    size_t len;
    struct smtp_message *message = made_message(made);
    const char *content = smtp_message_content(message, &len);
    for (size_t at = 0; at < len; at += step) {
        size_t part = len - at < step ? len - at : step;
        if (!give(test, message, content + at, part)) {
            break;
        }
    }
    int code = finish(test, message);
    smtp_message_release(message);
    return code;
}

/* The one message in new, behind its Received field. Owned. */
static char *delivered(const struct maildir_test *test, char **head, size_t *len)
{
    char name[700];
    expect_int(smtp_count_entries(test->path, "new", name, sizeof name), 1);
    expect_int(smtp_count_entries(test->path, "tmp", NULL, 0), 0);
    *head = smtp_read_file(name, len);
    char *date = strstr(*head, " +0000\n");
    expect_true(date != NULL);
    char *content = date + strlen(" +0000\n");
    *len -= (size_t)(content - *head);
    return content;
}

static void expect_nothing(const struct maildir_test *test)
{
    expect_int(smtp_count_entries(test->path, "tmp", NULL, 0), 0);
    expect_int(smtp_count_entries(test->path, "new", NULL, 0), 0);
}

/* Whatever the parts it comes in. */
static void expect_delivered_as(const struct made *made, const char *expected, size_t expected_len)
{
    size_t whole = made->len > 0 ? made->len : strlen(made->content);
    for (size_t step = 1; step <= whole; step++) {
        struct maildir_test test;
        char *head;
        size_t len;
        open_maildir(&test, false);
        expect_int(deliver(&test, made, step), 250);
        const char *content = delivered(&test, &head, &len);
        expect_bytes(content, len, expected, expected_len);
        free(head);
        close_maildir(&test);
    }
}

#define EXPECT_DELIVERED(expected, ...)                                                            \
    expect_delivered_as(&(struct made){__VA_ARGS__}, expected, sizeof(expected) - 1)

/* ---- what is in the file ---- */

TEST(maildir, the_trace_comes_first_and_shows_no_recipient_the_others_RFC_5321_4_4_and_7_2)
{
    for (int two = 0; two < 2; two++) {
        struct maildir_test test;
        char *head;
        size_t len;
        open_maildir(&test, two);
        expect_int(deliver(&test,
                           &(struct made){.to = {"bob@example.com", two ? "cat@example.com" : NULL},
                                          .content = "Subject: hi\r\n\r\nhello\r\n"},
                           1000),
                   250);
        const char *content = delivered(&test, &head, &len);
        expect_bytes(content, len, "Subject: hi\n\nhello\n", 19);
        const char *start = two ? "Return-Path: <ann@example.com>\n"
                                  "Received: from client.example ([192.0.2.1]) by server.example "
                                : "Return-Path: <ann@example.com>\n"
                                  "Delivered-To: bob@example.com\n"
                                  "Received: from client.example ([192.0.2.1]) by server.example ";
        expect_true(strncmp(head, start, strlen(start)) == 0);
        expect_true(strchr(head, '\r') == NULL);
        free(head);
        close_maildir(&test);
    }
}

TEST(maildir, the_null_reverse_path_is_kept)
{
    struct maildir_test test;
    char *head;
    size_t len;
    open_maildir(&test, false);
    expect_int(deliver(&test, &(struct made){.from = "", .content = "x\r\n"}, 9), 250);
    delivered(&test, &head, &len);
    expect_true(strncmp(head, "Return-Path: <>\n", 16) == 0);
    free(head);
    close_maildir(&test);
}

TEST(maildir, CRLF_becomes_LF_at_any_split)
{
    EXPECT_DELIVERED("a\nb\n\nc\n", .content = "a\r\nb\r\n\r\nc\r\n");
    EXPECT_DELIVERED("\n", .content = "\r\n");
}

TEST(maildir, bare_CR_and_LF_that_were_accepted_stay)
{
    EXPECT_DELIVERED("a\rb\nc\r\r\nd\r", .content = "a\rb\nc\r\r\r\nd\r");
    EXPECT_DELIVERED("\r\r", .content = "\r\r");
}

TEST(maildir, binary_content_stays_as_it_is_RFC_3030_3)
{
    EXPECT_DELIVERED("a\r\n\0\r\xff\n\r", .content = "a\r\n\0\r\xff\n\r", .len = 8,
                     .parameters = "SIZE=8 body=BinaryMime");
    EXPECT_DELIVERED("a\n", .content = "a\r\n", .parameters = "BODY=8BITMIME");
    EXPECT_DELIVERED("a\n", .content = "a\r\n", .parameters = "XBODY=BINARYMIME BODY=BINARYMIMEX");
}

TEST(maildir, a_message_without_content_is_delivered)
{
    struct maildir_test test;
    char *head;
    size_t len;
    open_maildir(&test, false);
    expect_int(deliver(&test, &(struct made){.content = ""}, 1), 250);
    delivered(&test, &head, &len);
    expect_int(len, 0);
    free(head);
    close_maildir(&test);
}

TEST(maildir, content_around_the_size_of_a_block_is_whole)
{
    static char content[2 * SMTP_DELIVERY_BLOCK + 8], expected[2 * SMTP_DELIVERY_BLOCK + 8];
    for (size_t i = 0; i < sizeof content; i++) {
        content[i] = "0123456789abcdef\r\n"[i % 18];
    }
    for (size_t cut = 0; cut < 500; cut++) {
        struct maildir_test test;
        char *head;
        size_t len, expected_len = 0, size = sizeof content - cut;
        open_maildir(&test, false);
        expect_int(deliver(&test, &(struct made){.content = content, .len = size}, 4096 + cut),
                   250);
        for (size_t i = 0; i < size; i++) {
            if (content[i] != '\r' || i + 1 == size) {
                expected[expected_len++] = content[i];
            }
        }
        const char *found = delivered(&test, &head, &len);
        expect_bytes(found, len, expected, expected_len);
        free(head);
        close_maildir(&test);
        cut += cut > 30 ? 97 : 0;
    }
}

TEST_ALONE(maildir, names_and_modes_are_of_the_form)
{
    struct maildir_test test;
    char name[700];
    struct stat status;
    umask(0);
    open_maildir(&test, false);
    expect_int(deliver(&test, &(struct made){.content = "x\r\n"}, 9), 250);
    expect_int(smtp_count_entries(test.path, "new", name, sizeof name), 1);
    expect_int(stat(name, &status), 0);
    expect_int(status.st_mode & 07777, 0600);
    const char *base = strrchr(name, '/') + 1;
    long long seconds = 0;
    int micros = 0, pid = 0, number = 0, end = 0;
    unsigned random = 0;
    expect_int(
        sscanf(base, "%lld.M%6dP%dR%8xQ%d.%n", &seconds, &micros, &pid, &random, &number, &end), 5);
    expect_int(pid, getpid());
    expect_true(base[end] != '\0' && strpbrk(base, ":/ ") == NULL);
    static const char *const folders[] = {"tmp", "new", "cur"};
    for (size_t i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "%s/%s", test.path, folders[i]);
        expect_int(stat(name, &status), 0);
        expect_int(status.st_mode & 07777, 0700);
    }
    close_maildir(&test);
}

/* ---- what does not become a message ---- */

TEST(maildir, what_is_dropped_leaves_nothing)
{
    struct maildir_test test;
    struct smtp_message *message = made_message(&(struct made){.content = "x"});
    open_maildir(&test, false);
    drop(&test); /* nothing yet */
    expect_true(give(&test, message, "half a mess", 11));
    expect_int(smtp_count_entries(test.path, "tmp", NULL, 0), 1);
    drop(&test);
    expect_nothing(&test);
    drop(&test);
    expect_int(finish(&test, message), 250); /* and the next is not hurt */
    char *head;
    size_t len;
    delivered(&test, &head, &len);
    expect_int(len, 0);
    free(head);
    smtp_message_release(message);
    close_maildir(&test);
}

TEST(maildir, a_session_that_ends_in_mid_content_leaves_nothing)
{
    struct maildir_test test;
    struct smtp_message *message = made_message(&(struct made){.content = "x"});
    unsigned descriptors = smtp_count_descriptors();
    open_maildir(&test, false);
    expect_true(give(&test, message, "half a mess", 11));
    struct smtp_server_session_info session = made_session(&test.user);
    test.table.close(test.table.user, &session);
    expect_nothing(&test);
    expect_true(test.user == NULL);
    smtp_message_release(message);
    close_maildir(&test);
    expect_int(smtp_count_descriptors(), descriptors);
}

/* ---- what fails ---- */

TEST(maildir, the_replies_say_whether_there_is_room_RFC_3463_3_4)
{
    static const int full[] = {ENOSPC, EDQUOT, EFBIG}, broken[] = {EROFS, EACCES, EIO, ENOMEM};
    struct smtp_server_reply reply = {0};
    for (size_t i = 0; i < sizeof full / sizeof *full; i++) {
        expect_int(smtp_delivery_refuse(full[i], &reply), SMTP_REFUSE);
        expect_int(reply.code, 452);
        expect_str(reply.enhanced, "4.3.1");
    }
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        expect_int(smtp_delivery_refuse(broken[i], &reply), SMTP_REFUSE);
        expect_int(reply.code, 451);
        expect_str(reply.enhanced, "4.3.0");
    }
}

TEST_ALONE(maildir, no_room_for_a_message_is_452_and_nothing_is_left)
{
    static char content[3 * SMTP_DELIVERY_BLOCK];
    memset(content, 'x', sizeof content);
    struct maildir_test test;
    struct smtp_message *message = made_message(&(struct made){.content = "x"});
    open_maildir(&test, true);
    smtp_limit_files(SMTP_DELIVERY_BLOCK + 100);
    expect_true(give(&test, message, content, SMTP_DELIVERY_BLOCK));
    expect_true(!give(&test, message, content, sizeof content)); /* told while it comes */
    expect_nothing(&test);
    expect_true(!give(&test, message, content, 1)); /* and it stays so */
    expect_int(finish(&test, message), 452);
    expect_str(test.reply.enhanced, "4.3.1");
    expect_nothing(&test);
    smtp_limit_files(UINT64_MAX);
    expect_int(deliver(&test, &(struct made){.content = "room again\r\n"}, 100), 250);
    expect_int(smtp_count_entries(test.path, "new", NULL, 0), 1);
    smtp_message_release(message);
    close_maildir(&test);
}

TEST_ALONE(maildir, no_room_for_the_last_octets_is_452_and_nothing_is_left)
{
    struct maildir_test test;
    open_maildir(&test, false);
    smtp_limit_files(10);
    expect_int(deliver(&test, &(struct made){.content = "a short message\r\n"}, 100), 452);
    expect_nothing(&test);
    close_maildir(&test);
}

/* As a read-only directory would: nothing can be made in it. Not even by root, for whom modes are none. */
TEST(maildir, a_directory_that_takes_no_file_is_451)
{
    struct maildir_test test;
    char tmp[128];
    open_maildir(&test, false);
    snprintf(tmp, sizeof tmp, "%s/tmp", test.path);
    expect_int(rmdir(tmp), 0);
    expect_int(deliver(&test, &(struct made){.content = "lost?\r\n"}, 100), 451);
    expect_str(test.reply.enhanced, "4.3.0");
    expect_int(deliver(&test, &(struct made){.content = ""}, 100), 451);
    expect_int(smtp_count_entries(test.path, "new", NULL, 0), 0);
    close_maildir(&test);
}

TEST(maildir, a_message_that_cannot_be_moved_is_451_and_nothing_is_left)
{
    struct maildir_test test;
    char new[128];
    open_maildir(&test, true);
    snprintf(new, sizeof new, "%s/new", test.path);
    expect_int(rmdir(new), 0);
    expect_int(deliver(&test, &(struct made){.content = "lost?\r\n"}, 100), 451);
    expect_int(smtp_count_entries(test.path, "tmp", NULL, 0), 0);
    close_maildir(&test);
}

static void expect_no_maildir(const char *path, const char *why)
{
    struct smtp_server_hooks table;
    struct smtp_error error = {0};
    expect_int(smtp_receiver_maildir(&table, &(struct smtp_maildir){.path = path}, &error),
               SMTP_BAD_ARGUMENT);
    expect_contains(error.message, why);
    expect_true(table.release == NULL);
}

TEST(maildir, what_cannot_be_one_is_named)
{
    char path[64], file[128], folder[160];
    unsigned descriptors = smtp_count_descriptors();
    smtp_make_directory(path);
    expect_no_maildir(NULL, "empty");
    expect_no_maildir("", "empty");
    expect_no_maildir("/nowhere/at/all", "No such file");
    snprintf(file, sizeof file, "%s/file", path);
    close(open(file, O_CREAT | O_WRONLY, 0600));
    expect_no_maildir(file, "Not a directory");
    /* a link in the place of one of its directories leads elsewhere */
    snprintf(folder, sizeof folder, "%s/new", path);
    expect_int(symlink("/tmp", folder), 0);
    expect_no_maildir(path, "(new)");
    expect_int(smtp_count_descriptors(), descriptors);
    smtp_remove_directory(path);
}

/* ---- several at once ---- */

#define THREADS 8
#define EACH 25

struct deliverer {
    struct maildir_test test; /* the table is shared, the session is not */
    pthread_t thread;
    unsigned delivered;
};

static void *deliver_many(void *user)
{
    struct deliverer *own = user;
    for (unsigned i = 0; i < EACH; i++) {
        own->delivered +=
            deliver(&own->test, &(struct made){.content = "a\r\nmessage\r\n"}, 5) == 250;
    }
    return NULL;
}

TEST(maildir, sessions_at_once_do_not_lose_a_message)
{
    for (int durable = 0; durable < 2; durable++) {
        struct maildir_test test;
        static struct deliverer own[THREADS];
        unsigned delivered_count = 0;
        open_maildir(&test, durable);
        for (size_t i = 0; i < THREADS; i++) {
            own[i] = (struct deliverer){.test = test};
            expect_int(pthread_create(&own[i].thread, NULL, deliver_many, &own[i]), 0);
        }
        for (size_t i = 0; i < THREADS; i++) {
            expect_int(pthread_join(own[i].thread, NULL), 0);
            delivered_count += own[i].delivered;
        }
        expect_int(delivered_count, THREADS * EACH);
        expect_int(smtp_count_entries(test.path, "new", NULL, 0), THREADS * EACH);
        expect_int(smtp_count_entries(test.path, "tmp", NULL, 0), 0);
        close_maildir(&test);
    }
}
