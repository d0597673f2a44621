/* mbox_test.c - server/receivers/mbox.c and print.c: the rows of their tables, called as a server calls
 * them. */
#include "common/clock.h"
#include "server/smtp_receivers.h"
#include "tests/support/files.h"
#include "tests/support/test.h"
#include "tests/support/wire.h"
#include "tests/unit/server/made_message.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

struct mbox_test {
    char directory[64];
    char path[80];
    struct smtp_server_hooks table;
    struct smtp_server_reply reply;
};

static void open_mbox(struct mbox_test *test)
{
    struct smtp_error error = {0};
    *test = (struct mbox_test){0};
    snprintf(test->path, sizeof test->path, "%s/mbox", smtp_make_directory(test->directory));
    if (smtp_receiver_mbox(&test->table, test->path, &error) != SMTP_OK) {
        SMTP_TEST_FAIL("%s", error.message);
    }
    expect_true(test->table.blocking && !test->table.streaming);
}

static void close_mbox(struct mbox_test *test)
{
    test->table.release(test->table.user);
    smtp_remove_directory(test->directory);
}

static int give(const struct smtp_server_hooks *table, const struct made *made,
                struct smtp_server_reply *reply)
{
    void *user = NULL;
    struct smtp_server_session_info session = made_session(&user);
    struct smtp_message *message = made_message(made);
    *reply = (struct smtp_server_reply){0};
    enum smtp_server_verdict verdict = table->message(table->user, &session, message, reply);
    smtp_message_release(message);
    return verdict == SMTP_ACCEPT ? 250 : reply->code;
}

static void put_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "wb");
    expect_true(file != NULL);
    fputs(text, file);
    fclose(file);
}

/* The file with the dates and Received fields left out, which are of now. Owned. */
static char *without_trace(const char *path)
{
    char *text = smtp_read_file(path, NULL), *to = text;
    for (char *line = text; *line != '\0';) {
        char *end = strchr(line, '\n');
        size_t len = end != NULL ? (size_t)(end - line) + 1 : strlen(line);
        bool from = strncmp(line, "From ", 5) == 0, trace = strncmp(line, "Received: ", 10) == 0;
        if (from) {
            /* "From address Wed Nov 25 17:00:00 2026" */
            const char *date = strchr(line + 5, ' ');
            expect_true(date != NULL && len - (size_t)(date - line) == 26);
            size_t kept = (size_t)(date - line);
            memmove(to, line, kept);
            to += kept;
            *to++ = '\n';
        } else if (!trace) {
            memmove(to, line, len);
            to += len;
        }
        line += len;
        while (trace && *line == ' ') {
            line = strchr(line, '\n') + 1;
        }
    }
    *to = '\0';
    return text;
}

static void expect_mbox(const struct mbox_test *test, const char *expected)
{
    char *text = without_trace(test->path);
    expect_str(text, expected);
    free(text);
}

#define HEAD "From ann@example.com\nReturn-Path: <ann@example.com>\n"

/* ---- what is in the file ---- */

TEST(mbox, a_message_begins_with_its_line_and_ends_with_an_empty_one_RFC_4155)
{
    struct mbox_test test;
    open_mbox(&test);
    expect_int(
        give(&test.table, &(struct made){.content = "Subject: hi\r\n\r\nhello\r\n"}, &test.reply),
        250);
    expect_mbox(&test, HEAD "Subject: hi\n\nhello\n\n");
    char *text = smtp_read_file(test.path, NULL);
    expect_contains(text, "\nReceived: from client.example ([192.0.2.1]) by server.example ");
    expect_true(strchr(text, '\r') == NULL);
    free(text);
    expect_int(give(&test.table, &(struct made){.content = "two\r\n"}, &test.reply), 250);
    expect_mbox(&test, HEAD "Subject: hi\n\nhello\n\n" HEAD "two\n\n");
    struct stat status;
    expect_int(stat(test.path, &status), 0);
    expect_int(status.st_mode & 0177, 0);
    close_mbox(&test);
}

TEST(mbox, the_null_reverse_path_is_MAILER_DAEMON)
{
    struct mbox_test test;
    open_mbox(&test);
    expect_int(give(&test.table, &(struct made){.from = "", .content = "x\r\n"}, &test.reply), 250);
    expect_mbox(&test, "From MAILER-DAEMON\nReturn-Path: <>\nx\n\n");
    close_mbox(&test);
}

TEST(mbox, no_address_parts_the_line_before_a_message)
{
    struct mbox_test test;
    open_mbox(&test);
    expect_int(give(&test.table,
                    &(struct made){.from = "\"a b\"@c.example\n\nFrom x", .content = "x\r\n"},
                    &test.reply),
               250);
    expect_mbox(&test, "From \"a?b\"@c.example??From?x\n"
                       "Return-Path: <\"a b\"@c.example??From x>\nx\n\n");
    close_mbox(&test);
}

TEST(mbox, lines_that_begin_like_a_message_get_one_sign_more)
{
    struct mbox_test test;
    open_mbox(&test);
    expect_int(
        give(&test.table,
             &(struct made){.content = "From a\r\n>From b\r\n>>From c\r\nFrom\r\nfrom d\r\n"
                                       " From e\r\nx From f\r\n> From g\r\nFrom: h\r\nFrom "},
             &test.reply),
        250);
    expect_mbox(&test, HEAD ">From a\n>>From b\n>>>From c\nFrom\nfrom d\n From e\nx From f\n"
                            "> From g\nFrom: h\n>From \n\n");
    close_mbox(&test);
}

TEST(mbox, content_without_a_last_line_end_gets_one)
{
    static const struct {
        const char *content, *expected;
    } rows[] = {{"", HEAD "\n"},
                {"x", HEAD "x\n\n"},
                {"x\r", HEAD "x\r\n\n"},
                {"\r\n", HEAD "\n\n"},
                {"x\n", HEAD "x\n\n"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct mbox_test test;
        open_mbox(&test);
        expect_int(give(&test.table, &(struct made){.content = rows[i].content}, &test.reply), 250);
        expect_mbox(&test, rows[i].expected);
        close_mbox(&test);
    }
}

TEST(mbox, binary_content_stays_but_for_the_quotes_RFC_3030_3)
{
    struct mbox_test test;
    open_mbox(&test);
    expect_int(give(&test.table,
                    &(struct made){.content = "a\r\nFrom b\r\n", .parameters = "BODY=BINARYMIME"},
                    &test.reply),
               250);
    expect_mbox(&test, HEAD "a\r\n>From b\r\n\n");
    close_mbox(&test);
}

TEST(mbox, what_is_there_is_kept_and_parted_from_what_comes)
{
    static const struct {
        const char *before, *between;
    } rows[] = {{"old\n\n", ""}, {"old\n", "\n"}, {"old", "\n\n"}, {"x", "\n\n"}, {"\n", ""}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct mbox_test test;
        char expected[200];
        open_mbox(&test);
        put_file(test.path, rows[i].before);
        expect_int(give(&test.table, &(struct made){.content = "x\r\n"}, &test.reply), 250);
        snprintf(expected, sizeof expected, "%s%s" HEAD "x\n\n", rows[i].before, rows[i].between);
        expect_mbox(&test, expected);
        close_mbox(&test);
    }
}

/* ---- what fails ---- */

TEST_ALONE(mbox, a_message_that_does_not_fit_is_452_and_the_file_is_as_it_was)
{
    static char large[300000];
    static const size_t lens[] = {200, 70000, sizeof large};
    memset(large, 'x', sizeof large);
    struct mbox_test test;
    open_mbox(&test);
    expect_int(give(&test.table, &(struct made){.content = "first\r\n"}, &test.reply), 250);
    char *before = smtp_read_file(test.path, NULL);
    for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
        smtp_limit_files(strlen(before) + lens[i]);
        expect_int(give(&test.table, &(struct made){.content = large, .len = lens[i]}, &test.reply),
                   452);
        expect_str(test.reply.enhanced, "4.3.1");
        char *after = smtp_read_file(test.path, NULL);
        expect_str(after, before);
        free(after);
    }
    smtp_limit_files(UINT64_MAX);
    expect_int(give(&test.table, &(struct made){.content = "room again\r\n"}, &test.reply), 250);
    expect_mbox(&test, HEAD "first\n\n" HEAD "room again\n\n");
    free(before);
    close_mbox(&test);
}

TEST(mbox, a_file_that_cannot_be_opened_any_more_is_451)
{
    struct mbox_test test;
    open_mbox(&test);
    expect_int(unlink(test.path), 0);
    expect_int(mkdir(test.path, 0700), 0);
    expect_int(give(&test.table, &(struct made){.content = "x\r\n"}, &test.reply), 451);
    expect_str(test.reply.enhanced, "4.3.0");
    close_mbox(&test);
}

TEST(mbox, a_file_that_was_moved_away_is_made_anew)
{
    struct mbox_test test;
    char moved[100];
    open_mbox(&test);
    snprintf(moved, sizeof moved, "%s.old", test.path);
    expect_int(rename(test.path, moved), 0);
    expect_int(give(&test.table, &(struct made){.content = "x\r\n"}, &test.reply), 250);
    expect_mbox(&test, HEAD "x\n\n");
    close_mbox(&test);
}

static void expect_no_mbox(const char *path, const char *why)
{
    struct smtp_server_hooks table;
    struct smtp_error error = {0};
    expect_int(smtp_receiver_mbox(&table, path, &error), SMTP_BAD_ARGUMENT);
    expect_contains(error.message, why);
    expect_true(table.release == NULL);
}

TEST(mbox, what_is_no_regular_file_is_none)
{
    char directory[64], path[80];
    unsigned descriptors = smtp_count_descriptors();
    smtp_make_directory(directory);
    expect_no_mbox(NULL, "(NULL)");
    expect_no_mbox(directory, "directory");
    expect_no_mbox("/dev/null", "no regular file");
    expect_no_mbox("/nowhere/mbox", "No such file");
    snprintf(path, sizeof path, "%s/link", directory);
    expect_int(symlink("/tmp/elsewhere", path), 0);
    expect_no_mbox(path, "symbolic links");
    snprintf(path, sizeof path, "%s/fifo", directory);
    expect_int(mkfifo(path, 0600), 0);
    expect_no_mbox(path, "no regular file");
    expect_int(smtp_count_descriptors(), descriptors);
    smtp_remove_directory(directory);
}

/* ---- several at once ---- */

#define THREADS 8
#define EACH 20

struct giver {
    const struct smtp_server_hooks *table;
    pthread_t thread;
    unsigned given;
    char letter;
};

static void *give_many(void *user)
{
    struct giver *own = user;
    struct smtp_server_reply reply;
    char content[2000];
    memset(content, own->letter, sizeof content);
    memcpy(content + sizeof content - 2, "\r\n", 2);
    for (unsigned i = 0; i < EACH; i++) {
        own->given += give(own->table, &(struct made){.content = content, .len = sizeof content},
                           &reply) == 250;
    }
    return NULL;
}

static unsigned give_from_threads(const struct smtp_server_hooks *table)
{
    static struct giver own[THREADS];
    unsigned given = 0;
    for (size_t i = 0; i < THREADS; i++) {
        own[i] = (struct giver){.table = table, .letter = (char)('a' + i)};
        expect_int(pthread_create(&own[i].thread, NULL, give_many, &own[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        expect_int(pthread_join(own[i].thread, NULL), 0);
        given += own[i].given;
    }
    return given;
}

/* Lines of content, each of one letter alone. */
static unsigned count_whole_lines(const char *path)
{
    unsigned count = 0;
    char *text = smtp_read_file(path, NULL);
    for (const char *line = text; *line != '\0';) {
        size_t len = strcspn(line, "\n");
        if (len == 1998) {
            char one[2] = {line[0], '\0'};
            expect_int(strspn(line, one), 1998);
            count++;
        }
        line += len + (line[len] == '\n' ? 1 : 0);
    }
    free(text);
    return count;
}

TEST(mbox, messages_that_come_at_once_are_not_mixed)
{
    struct mbox_test test;
    open_mbox(&test);
    expect_int(give_from_threads(&test.table), THREADS * EACH);
    expect_int(count_whole_lines(test.path), THREADS * EACH);
    close_mbox(&test);
}

/* One after the other here, as those of many sessions would be on few threads. */
TEST(mbox, messages_do_not_each_wait_anew_for_a_lock_that_is_never_let_go)
{
    struct mbox_test test;
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    open_mbox(&test);
    int fd = open(test.path, O_RDWR | O_CLOEXEC);
    expect_int(fcntl(fd, F_OFD_SETLK, &lock), 0);
    uint64_t start_ns = smtp_clock_now_ns();
    for (int i = 0; i < 20; i++) {
        expect_int(give(&test.table, &(struct made){.content = "x\r\n"}, &test.reply), 451);
    }
    expect_true(smtp_clock_now_ns() - start_ns <
                UINT64_C(8000000000)); /* 3 s, and moments for each */
    lock.l_type = F_UNLCK;
    expect_int(fcntl(fd, F_OFD_SETLK, &lock), 0);
    expect_int(give(&test.table, &(struct made){.content = "x\r\n"}, &test.reply), 250);
    expect_mbox(&test, HEAD "x\n\n");
    close(fd);
    close_mbox(&test);
}

static void *unlock_later(void *user)
{
    int *fd = user;
    struct flock lock = {.l_type = F_UNLCK, .l_whence = SEEK_SET};
    char octet;
    ssize_t len = read(fd[1], &octet, 1);
    expect_int(len, 1);
    expect_int(fcntl(fd[0], F_OFD_SETLK, &lock), 0);
    return NULL;
}

static void *tell_to_unlock(void *user)
{
    const struct mbox_test *test = user;
    struct smtp_server_reply reply;
    return give(&test->table, &(struct made){.content = "x\r\n"}, &reply) == 250 ? user : NULL;
}

TEST(mbox, waits_for_another_program_that_has_locked_the_file)
{
    struct mbox_test test;
    int pipe_ends[2];
    pthread_t unlocking, giving;
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    open_mbox(&test);
    expect_int(pipe(pipe_ends), 0);
    int fds[2] = {open(test.path, O_RDWR | O_CLOEXEC), pipe_ends[0]};
    expect_int(fcntl(fds[0], F_OFD_SETLK, &lock), 0);
    expect_int(pthread_create(&unlocking, NULL, unlock_later, fds), 0);
    expect_int(pthread_create(&giving, NULL, tell_to_unlock, &test), 0);
    expect_mbox(&test, ""); /* whatever it does by now, it does not write */
    expect_int(write(pipe_ends[1], "x", 1), 1);
    expect_int(pthread_join(unlocking, NULL), 0);
    void *given;
    expect_int(pthread_join(giving, &given), 0);
    expect_true(given != NULL);
    expect_mbox(&test, HEAD "x\n\n");
    close(fds[0]);
    close(pipe_ends[0]);
    close(pipe_ends[1]);
    close_mbox(&test);
}

/* How many descriptors of this process are of the file that fd is; asked by their names, as another thread may
 * be at any of them. */
static unsigned count_open(int fd)
{
    struct stat wanted, status;
    char name[32];
    unsigned count = 0;
    expect_int(fstat(fd, &wanted), 0);
    for (int i = 0; i < 64; i++) {
        snprintf(name, sizeof name, "/proc/self/fd/%d", i);
        count += stat(name, &status) == 0 && status.st_ino == wanted.st_ino &&
                 status.st_dev == wanted.st_dev;
    }
    return count;
}

TEST(mbox, a_file_that_is_replaced_while_its_lock_is_waited_for_gets_the_message)
{
    struct mbox_test test;
    char other[90];
    pthread_t giving;
    void *given;
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    open_mbox(&test);
    snprintf(other, sizeof other, "%s.new", test.path);
    int fd = open(test.path, O_RDWR | O_CLOEXEC);
    int new_fd = open(other, O_RDWR | O_CREAT | O_CLOEXEC, S_IRUSR | S_IWUSR);
    expect_true(fd >= 0 && new_fd >= 0);
    close(new_fd);
    expect_int(fcntl(fd, F_OFD_SETLK, &lock), 0);
    expect_int(pthread_create(&giving, NULL, tell_to_unlock, &test), 0);
    while (count_open(fd) < 2) {
        sched_yield(); /* until it has the old one open */
    }
    expect_int(rename(other, test.path), 0);
    close(fd);
    expect_int(pthread_join(giving, &given), 0);
    expect_true(given != NULL);
    expect_mbox(&test, HEAD "x\n\n");
    close_mbox(&test);
}

/* ---- print ---- */

TEST(print, envelope_and_content_between_two_lines)
{
    struct smtp_server_hooks table;
    struct smtp_server_reply reply;
    char *text = NULL;
    size_t len;
    FILE *file = open_memstream(&text, &len);
    expect_int(smtp_receiver_print(&table, file, NULL), SMTP_OK);
    expect_int(give(&table,
                    &(struct made){.content = "Subject: hi\r\n\r\nhello\r\nbare\nlast\rline",
                                   .parameters = "BODY=8BITMIME",
                                   .to = {"bob@example.com", "cat@example.com"}},
                    &reply),
               250);
    table.release(table.user);
    fclose(file);
    expect_str(text, "---------- MESSAGE FOLLOWS ----------\n"
                     "X-Peer: 192.0.2.1\n"
                     "X-Helo: client.example\n"
                     "X-Protocol: ESMTP\n"
                     "X-MailFrom: <ann@example.com> BODY=8BITMIME\n"
                     "X-RcptTo: <bob@example.com>\n"
                     "X-RcptTo: <cat@example.com>\n"
                     "Subject: hi\n\nhello\nbare\nlast\rline\n"
                     "------------ END MESSAGE ------------\n");
    free(text);
}

TEST(print, messages_that_come_at_once_are_not_mixed)
{
    struct smtp_server_hooks table;
    char path[80], directory[64];
    snprintf(path, sizeof path, "%s/out", smtp_make_directory(directory));
    FILE *file = fopen(path, "wb");
    expect_int(smtp_receiver_print(&table, file, NULL), SMTP_OK);
    expect_int(give_from_threads(&table), THREADS * EACH);
    expect_int(count_whole_lines(path), THREADS * EACH);
    table.release(table.user);
    fclose(file);
    smtp_remove_directory(directory);
}

TEST(print, what_cannot_be_printed_is_refused)
{
    struct smtp_server_hooks table;
    struct smtp_server_reply reply;
    FILE *full = fopen("/dev/full", "wb");
    expect_true(full != NULL);
    expect_int(smtp_receiver_print(&table, full, NULL), SMTP_OK);
    expect_int(give(&table, &(struct made){.content = "x\r\n"}, &reply), 452);
    expect_str(reply.enhanced, "4.3.1");
    table.release(table.user);
    fclose(full);
    struct smtp_error error = {0};
    expect_int(smtp_receiver_print(&table, NULL, &error), SMTP_BAD_ARGUMENT);
    expect_contains(error.message, "NULL");
}

TEST(print, a_peer_at_a_unix_socket_is_named_in_full)
{
    struct smtp_server_hooks table;
    struct smtp_server_reply reply;
    char *text = NULL;
    size_t len;
    FILE *file = open_memstream(&text, &len);
    struct smtp_message *message = made_message(&(struct made){.content = ""});
    void *user = NULL;
    struct smtp_server_session_info session = made_session(&user);
    session.peer = "unix:/run/a:b";
    expect_int(smtp_receiver_print(&table, file, NULL), SMTP_OK);
    expect_int(table.message(table.user, &session, message, &reply), SMTP_ACCEPT);
    expect_contains(text, "X-Peer: unix:/run/a:b\n");
    smtp_message_release(message);
    fclose(file);
    free(text);
}

/* Nothing of it stands before the next, which is taken again. */
TEST_ALONE(print, a_message_that_could_not_be_printed_leaves_nothing)
{
    struct smtp_server_hooks table;
    struct smtp_server_reply reply;
    char path[80], directory[64];
    size_t len;
    snprintf(path, sizeof path, "%s/out", smtp_make_directory(directory));
    FILE *file = fopen(path, "wb");
    expect_int(smtp_receiver_print(&table, file, NULL), SMTP_OK);
    smtp_limit_files(0);
    expect_int(give(&table, &(struct made){.content = "first\r\n"}, &reply), 452);
    smtp_limit_files(UINT64_MAX);
    expect_int(give(&table, &(struct made){.content = "second\r\n"}, &reply), 250);
    fclose(file);
    char *text = smtp_read_file(path, &len);
    expect_contains(text, "\nsecond\n");
    expect_true(strstr(text, "first") == NULL);
    free(text);
    smtp_remove_directory(directory);
}
