/* growth.c - what one more of something costs where there are many, in memory and on one thread: processor time, the
 * least of several rounds.
 *     growth mailbox COUNT          with so many messages captured: to put one more, to take it by a cursor, to ask
 *                                   whether so many are there, to look up any of them; and the harness's wait and
 *                                   expect for the newest
 *     growth octets server SIZE     a message of that size that comes an octet at a time
 *     growth octets client LINES    a reply of so many lines that does
 * Prints "NAME_ns N ..." of one operation, or of one octet. Knows: the calls behind the public ones, where those would
 * need a socket. Does not know: what is flat enough (growth.py). */
#include "client/protocol/reply_reader.h"
#include "harness/smtp_harness.h"
#include "server/mailbox.h"
#include "server/message.h"
#include "tests/bench/server_core.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ROUNDS 7
#define OPERATIONS 500 /* of one round: together with all rounds few beside what was captured */
#define NOW_NS 1000000000u

static void fail(const char *what)
{
    fprintf(stderr, "growth: %s\n", what);
    exit(1);
}

static double used_ns(void)
{
    struct timespec used;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return (double)used.tv_sec * 1e9 + (double)used.tv_nsec;
}

/* What one operation of work costs. */
static double least_ns(void (*work)(void *user, size_t count), void *user, size_t count)
{
    double least = 0;
    for (int round = 0; round < ROUNDS; round++) {
        double before = used_ns();
        work(user, count);
        double each = (used_ns() - before) / (double)count;
        least = round == 0 || each < least ? each : least;
    }
    return least;
}

/* ---- captured messages ---- */

struct box {
    struct smtp_mailbox *mailbox;
    struct smtp_harness *harness;
    struct smtp_mailbox_cursor cursor;
    size_t made;
    uint64_t any; /* for numbers out of order */
};

static struct smtp_message *make_message(size_t number)
{
    char texts[64] = "ann@example.com"; /* and no parameters */
    uint32_t place = 17;
    int len = snprintf(texts + place, sizeof texts - place, "to-%zu@example.com", number);
    struct smtp_message_envelope envelope = {
        .texts = SMTP_BUFFER(sizeof texts),
        .places = SMTP_BUFFER(sizeof place),
        .recipient_count = 1,
    };
    const struct smtp_message_origin origin = {.session = 1,
                                               .helo = "client.example",
                                               .peer = "127.0.0.1:40112",
                                               .protocol = "ESMTP",
                                               .tls = "",
                                               .identity = ""};
    struct smtp_message *message = NULL;
    if (smtp_buffer_append(&envelope.texts, texts, place + (size_t)len + 2) == SMTP_OK &&
        smtp_buffer_append(&envelope.places, &place, sizeof place) == SMTP_OK) {
        message = smtp_message_new(&envelope, &origin, 0);
    }
    smtp_buffer_free(&envelope.texts);
    smtp_buffer_free(&envelope.places);
    if (message != NULL) {
        smtp_message_finish(&message);
    }
    return message;
}

static void put(void *user, size_t count)
{
    struct box *box = user;
    for (size_t i = 0; i < count; i++) {
        struct smtp_message *message = make_message(++box->made);
        if (message == NULL || smtp_mailbox_put(box->mailbox, message) != SMTP_OK) {
            fail("out of memory");
        }
    }
}

static void put_and_take(void *user, size_t count)
{
    struct box *box = user;
    for (size_t i = 0; i < count; i++) {
        struct smtp_message *message = NULL;
        put(box, 1);
        if (smtp_mailbox_next(box->mailbox, &box->cursor, NULL, NULL, 0, &message) != SMTP_OK) {
            fail("the cursor takes nothing");
        }
        smtp_message_release(message);
    }
}

static void ask_count(void *user, size_t count)
{
    const struct box *box = user;
    for (size_t i = 0; i < count; i++) {
        if (smtp_mailbox_wait(box->mailbox, box->made, 0) != SMTP_OK) {
            fail("messages are missing");
        }
    }
}

static void get_any(void *user, size_t count)
{
    struct box *box = user;
    for (size_t i = 0; i < count; i++) {
        box->any = box->any * UINT64_C(6364136223846793005) + 1442695040888963407u;
        struct smtp_message *message =
            smtp_mailbox_get(box->mailbox, (box->any >> 33) % box->made + 1);
        if (message == NULL) {
            fail("a message is missing");
        }
        smtp_message_release(message);
    }
}

static const char *newest(const struct box *box, char text[64])
{
    snprintf(text, 64, "to=to-%zu@example.com", box->made);
    return text;
}

static void harness_wait(void *user, size_t count)
{
    struct box *box = user;
    char text[64];
    for (size_t i = 0; i < count; i++) {
        put(box, 1);
        if (smtp_harness_wait(box->harness, newest(box, text)) == NULL) {
            fail("the newest is not waited for");
        }
    }
}

static void harness_expect(void *user, size_t count)
{
    struct box *box = user;
    char text[64];
    for (size_t i = 0; i < count; i++) {
        put(box, 1);
        if (smtp_harness_expect(box->harness, newest(box, text)) != SMTP_OK) {
            fail("the newest is not there");
        }
    }
}

static void grow_mailbox(size_t count)
{
    struct box box = {0};
    char text[64];
    box.harness = smtp_harness_start(NULL, NULL);
    if (box.harness == NULL) {
        fail("no harness");
    }
    box.mailbox = smtp_harness_mailbox(box.harness);
    put(&box, count);
    box.cursor = smtp_mailbox_now(box.mailbox);
    printf("put_ns %.1f", least_ns(put, &box, OPERATIONS));
    box.cursor = smtp_mailbox_now(box.mailbox);
    printf(" cursor_ns %.1f", least_ns(put_and_take, &box, OPERATIONS));
    printf(" count_ns %.1f", least_ns(ask_count, &box, OPERATIONS));
    printf(" get_ns %.1f", least_ns(get_any, &box, OPERATIONS));
    if (smtp_harness_wait(box.harness, newest(&box, text)) == NULL) { /* looks at all, once */
        fail("the newest is not waited for");
    }
    printf(" wait_ns %.1f", least_ns(harness_wait, &box, OPERATIONS));
    printf(" expect_ns %.1f\n", least_ns(harness_expect, &box, OPERATIONS));
    smtp_harness_stop(box.harness);
}

/* ---- octets that come one at a time ---- */

struct octets {
    struct smtp_server_session *session;
    char *bytes;
};

static void hear(struct smtp_server_session *session, const char *bytes, size_t len)
{
    struct smtp_server_event event;
    (void)smtp_server_session_receive(session, bytes, len, NOW_NS);
    while (smtp_server_session_next_event(session, &event)) {
        smtp_message_release(event.message);
        smtp_server_session_answer(session, SMTP_ACCEPT, NULL, NOW_NS);
    }
    smtp_server_session_sent(session, smtp_server_session_pending(session).len);
}

static void hear_each(void *user, size_t count)
{
    static const char begin[] =
        "MAIL FROM:<ann@example.com>\r\nRCPT TO:<bob@example.com>\r\nDATA\r\n";
    const struct octets *octets = user;
    hear(octets->session, begin, sizeof begin - 1);
    for (size_t i = 0; i < count; i++) {
        hear(octets->session, octets->bytes + i, 1);
    }
    hear(octets->session, ".\r\n", 3);
}

static void grow_server(size_t size)
{
    static const char ehlo[] = "EHLO client.example\r\n";
    struct smtp_server_session_config config;
    struct octets octets = {.session = server_core_open(&config, NOW_NS), .bytes = malloc(size)};
    if (octets.session == NULL || octets.bytes == NULL || size < 2) {
        fail("out of memory");
    }
    for (size_t i = 0; i < size; i++) { /* lines of 64 octets */
        size_t left = (size - i) % 64;
        octets.bytes[i] = left == 1 ? '\n' : left == 2 ? '\r' : 'x';
    }
    hear(octets.session, ehlo, sizeof ehlo - 1);
    printf("octet_ns %.2f\n", least_ns(hear_each, &octets, size));
    smtp_server_session_free(octets.session);
    free(octets.bytes);
}

static void read_each(void *user, size_t count)
{
    const char *bytes = user;
    struct smtp_client_reply_reader reader;
    struct smtp_error error;
    smtp_client_reply_reader_init(&reader);
    for (size_t i = 0; i < count; i++) {
        size_t used = 0;
        if (smtp_client_reply_reader_feed(&reader, bytes + i, 1, &used, &error) != SMTP_OK) {
            fail(error.message);
        }
    }
    if (!reader.complete) {
        fail("the reply is not whole");
    }
    smtp_client_reply_reader_clear(&reader);
}

static void grow_client(size_t lines)
{
    static const char line[] = "250-2.1.5 a line of a reply, as long as they are\r\n";
    size_t len = sizeof line - 1;
    char *bytes = malloc(lines * len + 1);
    if (bytes == NULL || lines == 0) {
        fail("out of memory");
    }
    for (size_t i = 0; i < lines; i++) {
        memcpy(bytes + i * len, line, len);
    }
    bytes[(lines - 1) * len + 3] = ' ';
    printf("octet_ns %.2f\n", least_ns(read_each, bytes, lines * len));
    free(bytes);
}

int main(int argc, char **argv)
{
    size_t count = argc > 2 ? strtoull(argv[argc - 1], NULL, 10) : 0;
    if (argc == 3 && strcmp(argv[1], "mailbox") == 0 && count > 0) {
        grow_mailbox(count);
    } else if (argc == 4 && strcmp(argv[1], "octets") == 0 && strcmp(argv[2], "server") == 0) {
        grow_server(count);
    } else if (argc == 4 && strcmp(argv[1], "octets") == 0 && strcmp(argv[2], "client") == 0) {
        grow_client(count);
    } else {
        fputs("usage: growth mailbox COUNT | octets server SIZE | octets client LINES\n", stderr);
        return 2;
    }
    return 0;
}
