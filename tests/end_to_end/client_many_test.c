/* client_many_test.c - streams of messages over one session (smtp_client_send_many): how far they are
 * pipelined, what each message's result is, what ends the stream; against a scripted peer, and against this
 * project's own server. */
#include "client/smtp_client.h"
#include "harness/smtp_harness.h"
#include "tests/end_to_end/peer.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <unistd.h>

#define EHLO(offers) "S: 220 mx\nC: EHLO [127.0.0.1]\nS: 250-mx\n" offers "S: 250 PIPELINING\n"
#define ENVELOPE(n) "C: MAIL FROM:<" n "@x>\nC: RCPT TO:<bob@x>\n"
#define OK "S: 250 ok\n"
#define BYE "C: QUIT\nS: 221 bye\n[eof]\n"

/* ---- a stream of messages that are written down ---- */

#define MESSAGES_MAX 8

struct written {
    const char *from;
    const char *to; /* NULL: bob@x */
    struct smtp_content content;
};

struct stream {
    struct written messages[MESSAGES_MAX];
    const char *paths[MESSAGES_MAX][1];
    size_t count;
    size_t asked; /* calls of next that gave a message */
    size_t told;  /* calls of sent */
    enum smtp_status statuses[MESSAGES_MAX];
};

static bool give_next(void *user, size_t index, struct smtp_outgoing *message)
{
    struct stream *stream = user;
    if (index >= stream->count) {
        return false;
    }
    expect_int(index, stream->asked++);
    const struct written *written = &stream->messages[index];
    stream->paths[index][0] = written->to != NULL ? written->to : "bob@x";
    message->envelope = (struct smtp_envelope){.reverse_path = written->from,
                                               .forward_paths = stream->paths[index],
                                               .forward_path_count = 1};
    message->content = written->content;
    return true;
}

static void take_result(void *user, size_t index, const struct smtp_send_result *result)
{
    struct stream *stream = user;
    expect_int(index, stream->told++);
    stream->statuses[index] = result->status;
}

static struct smtp_client *connected(const struct peer *peer,
                                     const struct smtp_client_options *options)
{
    struct smtp_client *client = NULL;
    expect_int(smtp_client_new(&client, options), SMTP_OK);
    expect_int(smtp_client_connect(client, "127.0.0.1", peer->address.port), SMTP_OK);
    return client;
}

static enum smtp_status run(struct smtp_client *client, struct stream *stream)
{
    return smtp_client_send_many(client, give_next, take_result, stream);
}

static void finish(struct smtp_client *client, struct peer *peer)
{
    expect_int(smtp_client_quit(client), SMTP_OK);
    smtp_client_free(client);
    peer_stop(peer);
}

static struct stream three_texts(void)
{
    return (struct stream){.messages = {{"a", NULL, smtp_content_text("1\r\n")},
                                        {"b", NULL, smtp_content_text("2\r\n")},
                                        {"c", NULL, smtp_content_text("3\r\n")}},
                           .count = 3};
}

/* ---- how far it is pipelined ---- */

/* RFC 2920 3.1: the peer answers the dot only when the next envelope is there */
TEST(client_many, the_next_envelope_comes_behind_the_content_before)
{
    struct peer peer = {0};
    struct stream stream = three_texts();
    for (size_t i = 0; i < 3; i++) {
        stream.messages[i].from = i == 0 ? "a@x" : i == 1 ? "b@x" : "c@x";
    }
    peer_start(&peer,
               EHLO("") ENVELOPE("a") "C: DATA\n" OK OK "S: 354 go\n[content]\n" ENVELOPE(
                   "b") "C: DATA\n" OK OK OK
                        "S: 354 go\n[content]\n" ENVELOPE("c") "C: DATA\n" OK OK OK
                                                               "S: 354 go\n[content]\n" OK BYE);
    struct smtp_client *client = connected(&peer, NULL);
    expect_int(run(client, &stream), SMTP_OK);
    expect_int(stream.told, 3);
    finish(client, &peer);
}

/* RFC 3030 4.2: nothing is answered until all three messages are there */
TEST(client_many, with_bdat_whole_messages_are_on_their_way_at_once)
{
    struct peer peer = {0};
    struct stream stream = three_texts();
    for (size_t i = 0; i < 3; i++) {
        stream.messages[i].from = i == 0 ? "a@x" : i == 1 ? "b@x" : "c@x";
    }
    peer_start(
        &peer,
        EHLO("S: 250-CHUNKING\n") ENVELOPE("a") "C: BDAT 3 LAST\n[octets 3]\nC: RSET\n" ENVELOPE(
            "b") "C: BDAT 3 LAST\n[octets 3]\nC: RSET\n" ENVELOPE("c") "C: BDAT 3 LAST\n[octets "
                                                                       "3]\n" OK OK OK OK OK OK OK
                                                                           OK OK OK OK BYE);
    struct smtp_client *client = connected(&peer, NULL);
    expect_int(run(client, &stream), SMTP_OK);
    expect_int(stream.told, 3);
    finish(client, &peer);
}

TEST(client_many, without_pipelining_they_go_one_by_one)
{
    struct peer peer = {0};
    struct stream stream = {
        .messages = {{"a@x", NULL, smtp_content_text("1")}, {"b@x", NULL, smtp_content_text("2")}},
        .count = 2};
#define ONE(n)                                                                                     \
    "C: MAIL FROM:<" n "@x>\n" OK "C: RCPT TO:<bob@x>\n" OK "C: DATA\nS: 354 go\n[content]\n" OK
    peer_start(&peer, "S: 220 mx\nC: EHLO [127.0.0.1]\nS: 250 mx\n" ONE("a") ONE("b") BYE);
    struct smtp_client *client = connected(&peer, NULL);
    expect_int(run(client, &stream), SMTP_OK);
    finish(client, &peer);
}

/* ---- results ---- */

TEST(client_many, a_message_that_cannot_be_sent_has_its_result_in_order_and_the_others_go_on)
{
    struct peer peer = {0};
    struct stream stream = {
        .messages = {{"a@x", NULL, smtp_content_text("1\r\n")},
                     {"b@x\r\nRSET", NULL, smtp_content_text("2\r\n")},
                     {"c@x", NULL, smtp_content_text("far more than ten octets\r\n")},
                     {"d@x", "no path", smtp_content_text("4\r\n")},
                     {"e@x", NULL, {0}},
                     {"f@x", NULL, smtp_content_text("5\r\n")}},
        .count = 6};
    peer_start(&peer, EHLO("S: 250-SIZE 10\n") "C: MAIL FROM:<a@x> SIZE=3\nC: RCPT TO:<bob@x>\n"
                                               "C: DATA\n" OK OK
                                               "S: 354 go\n[content]\nC: MAIL FROM:<f@x> SIZE=3\n"
                                               "C: RCPT TO:<bob@x>\nC: DATA\n" OK OK OK
                                               "S: 354 go\n[content]\n" OK BYE);
    struct smtp_client *client = connected(&peer, NULL);
    expect_int(run(client, &stream), SMTP_UNSAFE_ARGUMENT);
    expect_contains(smtp_client_error(client)->message, "message 1: ");
    static const enum smtp_status expected[] = {SMTP_OK,           SMTP_UNSAFE_ARGUMENT,
                                                SMTP_UNSUPPORTED,  SMTP_BAD_ARGUMENT,
                                                SMTP_BAD_ARGUMENT, SMTP_OK};
    expect_int(stream.told, 6);
    for (size_t i = 0; i < 6; i++) {
        expect_int(stream.statuses[i], expected[i]);
    }
    finish(client, &peer);
}

TEST(client_many, a_refused_message_does_not_stop_the_stream)
{
    struct peer peer = {0};
    struct stream stream = {.messages = {{"a@x", NULL, smtp_content_text("1\r\n")},
                                         {"b@x", NULL, smtp_content_text("2\r\n")},
                                         {"c@x", NULL, smtp_content_text("3\r\n")}},
                            .count = 3};
    peer_start(&peer,
               EHLO("") ENVELOPE("a") "C: DATA\n" OK OK "S: 354 go\n[content]\n" ENVELOPE(
                   "b") "C: DATA\nS: 250 ok\nS: 550 no b\nS: 503 no\nS: 503 no\nC: RSET\n" OK
                   ENVELOPE("c") "C: DATA\n" OK OK "S: 354 go\n[content]\nS: 452 full\n" BYE);
    struct smtp_client *client = connected(&peer, NULL);
    expect_int(run(client, &stream), SMTP_PARTLY_REFUSED);
    expect_contains(smtp_client_error(client)->message, "message 1: MAIL FROM:<b@x> refused");
    expect_int(stream.statuses[0], SMTP_OK);
    expect_int(stream.statuses[1], SMTP_REFUSED_PERMANENT);
    expect_int(stream.statuses[2], SMTP_REFUSED_TRANSIENT);
    finish(client, &peer);
}

TEST(client_many, all_refused_for_good_is_told_as_that)
{
    struct peer peer = {0};
    struct stream stream = {.messages = {{"a@x", NULL, smtp_content_text("1\r\n")},
                                         {"b@x", NULL, smtp_content_text("2\r\n")}},
                            .count = 2};
#define NO(n) ENVELOPE(n) "C: DATA\nS: 550 no\nS: 503 no\nS: 503 no\nC: RSET\n" OK
    peer_start(&peer, EHLO("") NO("a") NO("b") BYE);
    struct smtp_client *client = connected(&peer, NULL);
    expect_int(run(client, &stream), SMTP_REFUSED_PERMANENT);
    finish(client, &peer);
}

TEST(client_many, no_message_at_all_is_no_failure)
{
    struct peer peer = {0};
    struct stream stream = {.count = 0};
    peer_start(&peer, EHLO("") BYE);
    struct smtp_client *client = connected(&peer, NULL);
    expect_int(run(client, &stream), SMTP_OK);
    finish(client, &peer);
}

TEST(client_many, without_a_connection_no_message_is_asked_for)
{
    struct smtp_client *client = NULL;
    struct stream stream = three_texts();
    expect_int(smtp_client_new(&client, NULL), SMTP_OK);
    expect_int(run(client, &stream), SMTP_BAD_STATE);
    expect_int(stream.asked, 0);
    smtp_client_free(client);
}

/* ---- the end of the connection ---- */

TEST(client_many, an_end_behind_a_dot_is_unknown_for_that_message_and_stops_the_stream)
{
    struct peer peer = {0};
    struct stream stream = three_texts();
    stream.messages[0].from = "a@x";
    stream.messages[1].from = "b@x";
    peer_start(&peer, EHLO("") ENVELOPE("a") "C: DATA\n" OK OK
                                             "S: 354 go\n[content]\n" ENVELOPE("b") "C: DATA\n");
    struct smtp_client *client = connected(&peer, NULL);
    expect_int(run(client, &stream), SMTP_DELIVERY_UNKNOWN);
    expect_int(stream.asked, 2);
    expect_int(stream.told, 2); /* the third was not begun */
    expect_int(stream.statuses[0], SMTP_DELIVERY_UNKNOWN);
    expect_int(stream.statuses[1], SMTP_CLOSED);
    expect_true(!smtp_client_is_connected(client));
    smtp_client_free(client);
    peer_stop(&peer);
}

/* All end at once: each has its own result still, and nobody waits for one more. */
TEST(client_many, an_end_behind_a_message_that_was_not_begun_leaves_each_its_own_result)
{
    struct peer peer = {0};
    struct stream stream = three_texts();
    stream.messages[0].from = "a@x";
    stream.messages[1].from = "b@x>";
    stream.messages[2].from = "c@x";
    peer_start(&peer,
               EHLO("S: 250-CHUNKING\n") ENVELOPE("a") "C: BDAT 3 LAST\nC: 1\nC: RSET\n" ENVELOPE(
                   "c") "C: BDAT 3 LAST\nC: 3\n");
    struct smtp_client *client = connected(&peer, NULL);
    expect_int(run(client, &stream), SMTP_DELIVERY_UNKNOWN);
    expect_int(stream.told, 3);
    expect_int(stream.statuses[0], SMTP_DELIVERY_UNKNOWN);
    expect_int(stream.statuses[1], SMTP_UNSAFE_ARGUMENT);
    expect_int(stream.statuses[2], SMTP_DELIVERY_UNKNOWN);
    smtp_client_free(client);
    peer_stop(&peer);
}

TEST(client_many, a_421_stops_the_stream_and_is_told_as_the_end)
{
    struct peer peer = {0};
    struct stream stream = three_texts();
    stream.messages[0].from = "a@x";
    stream.messages[1].from = "b@x";
    peer_start(&peer, EHLO("") ENVELOPE("a") "C: DATA\n" OK OK "S: 354 go\n[content]\n" ENVELOPE(
                          "b") "C: DATA\nS: 250 ok\nS: 421 bye\n");
    struct smtp_client *client = connected(&peer, NULL);
    expect_int(run(client, &stream), SMTP_CLOSED);
    expect_contains(smtp_client_error(client)->message, "421 bye");
    expect_int(stream.told, 2);
    expect_int(stream.statuses[0], SMTP_OK);
    expect_int(stream.statuses[1], SMTP_REFUSED_TRANSIENT);
    smtp_client_free(client);
    peer_stop(&peer);
}

static ssize_t fail(void *user, char *bytes, size_t capacity)
{
    (void)user;
    (void)bytes;
    (void)capacity;
    return -1;
}

TEST(client_many, a_source_that_fails_ends_the_session_behind_what_was_sent)
{
    struct peer peer = {0};
    struct stream stream = {.messages = {{"a@x", NULL, smtp_content_text("1\r\n")},
                                         {"b@x", NULL, smtp_content_callback(fail, NULL)},
                                         {"c@x", NULL, smtp_content_text("3\r\n")}},
                            .count = 3};
    peer_start(&peer, EHLO("") ENVELOPE("a") "C: DATA\n" OK OK "S: 354 go\n[content]\n" ENVELOPE(
                          "b") "C: DATA\n" OK OK OK "S: 354 go\n[eof]\n");
    struct smtp_client *client = connected(&peer, NULL);
    expect_int(run(client, &stream), SMTP_SOURCE_FAILED);
    expect_int(stream.told, 2);
    expect_int(stream.statuses[0], SMTP_OK);
    expect_int(stream.statuses[1], SMTP_SOURCE_FAILED);
    smtp_client_free(client);
    peer_stop(&peer);
}

/* ---- LIMITS ---- */

TEST(client_many, mailmax_stops_the_stream_with_the_first_message_that_it_keeps_off)
{
    struct peer peer = {0};
    struct stream stream = {.messages = {{"a@x", NULL, smtp_content_text("1\r\n")},
                                         {"b@x", NULL, smtp_content_text("2\r\n")},
                                         {"c@x", NULL, smtp_content_text("3\r\n")}},
                            .count = 3};
    peer_start(&peer, EHLO("S: 250-LIMITS MAILMAX=1\n")
                          ENVELOPE("a") "C: DATA\n" OK OK "S: 354 go\n[content]\n" OK BYE);
    struct smtp_client *client = connected(&peer, NULL);
    expect_int(run(client, &stream), SMTP_LIMIT_EXCEEDED);
    expect_int(stream.told, 2);
    expect_int(stream.statuses[0], SMTP_OK);
    expect_int(stream.statuses[1], SMTP_LIMIT_EXCEEDED);
    finish(client, &peer);
}

static const char *const two[] = {"bob@x", "cat@x"};

static bool give_pairs(void *user, size_t index, struct smtp_outgoing *message)
{
    (void)user;
    message->envelope = (struct smtp_envelope){
        .reverse_path = "ann@x", .forward_paths = two, .forward_path_count = index == 1 ? 2 : 1};
    message->content = smtp_content_text("x\r\n");
    return index < 3;
}

TEST(client_many, a_message_of_several_transactions_waits_for_the_session_for_itself)
{
    struct peer peer = {0};
#define TO(n)                                                                                      \
    "C: MAIL FROM:<ann@x>\nC: RCPT TO:<" n "@x>\nC: DATA\n" OK OK "S: 354 go\n[content]\n" OK
    peer_start(&peer,
               EHLO("S: 250-LIMITS RCPTMAX=1\n") TO("bob") TO("bob") TO("cat") TO("bob") BYE);
    struct smtp_client *client = connected(&peer, NULL);
    expect_int(smtp_client_send_many(client, give_pairs, NULL, NULL), SMTP_OK);
    finish(client, &peer);
}

static void count_results(void *user, size_t index, const struct smtp_send_result *result)
{
    size_t *count = user;
    expect_int(index, (*count)++);
    expect_int(result->status, SMTP_DELIVERY_UNKNOWN);
}

TEST(client_many, a_message_that_waits_when_the_session_ends_was_not_begun_and_has_no_result)
{
    struct peer peer = {0};
    size_t count = 0;
    peer_start(&peer, EHLO("S: 250-LIMITS RCPTMAX=1\n") ENVELOPE("ann") "C: DATA\n" OK OK
                                                                        "S: 354 go\n[content]\n");
    struct smtp_client *client = connected(&peer, NULL);
    expect_int(smtp_client_send_many(client, give_pairs, count_results, &count),
               SMTP_DELIVERY_UNKNOWN);
    expect_int(count, 1);
    smtp_client_free(client);
    peer_stop(&peer);
}

/* ---- with this project's server ---- */

struct mixed {
    size_t count;
    size_t size; /* of each content: whole lines */
    size_t told;
    char paths[64][24]; /* live until their sent: no more than 64 are in flight */
    const char *path[64][1];
    char *text;
    size_t at[64]; /* of the callbacks */
    FILE *files[64];
};

#define LINE 72

/* The octet that so many end with, itself included: lines of 70 octets and CRLF. */
static char octet_with(size_t left)
{
    return left % LINE == 1 ? '\n' : left % LINE == 2 ? '\r' : 'm';
}

static ssize_t some_of_it(void *user, char *bytes, size_t capacity)
{
    size_t *left = user;
    size_t len = *left < capacity ? *left : capacity;
    len = len < 700 ? len : 700;
    for (size_t i = 0; i < len; i++) {
        bytes[i] = octet_with((*left)--);
    }
    return (ssize_t)len;
}

/* Memory, file, callback in turn. */
static bool give_mixed(void *user, size_t index, struct smtp_outgoing *message)
{
    struct mixed *mixed = user;
    size_t i = index % 64;
    if (index >= mixed->count) {
        return false;
    }
    snprintf(mixed->paths[i], sizeof(mixed->paths[i]), "m%zu@x", index);
    mixed->path[i][0] = mixed->paths[i];
    message->envelope = (struct smtp_envelope){
        .reverse_path = "ann@x", .forward_paths = mixed->path[i], .forward_path_count = 1};
    if (index % 3 == 0) {
        message->content = smtp_content_memory(mixed->text, mixed->size);
    } else if (index % 3 == 1) {
        mixed->files[i] = tmpfile();
        expect_true(mixed->files[i] != NULL);
        expect_int(fwrite(mixed->text, 1, mixed->size, mixed->files[i]), mixed->size);
        rewind(mixed->files[i]);
        message->content = smtp_content_file(mixed->files[i]);
    } else {
        mixed->at[i] = mixed->size;
        message->content = smtp_content_callback(some_of_it, &mixed->at[i]);
    }
    return true;
}

static void take_mixed(void *user, size_t index, const struct smtp_send_result *result)
{
    struct mixed *mixed = user;
    expect_int(index, mixed->told++);
    expect_int(result->status, SMTP_OK);
    char path[24];
    snprintf(path, sizeof(path), "m%zu@x", index);
    expect_str(result->recipients[0].forward_path, path);
    if (index % 3 == 1) {
        fclose(mixed->files[index % 64]);
    }
}

static void send_mixed(const struct smtp_harness_options *options, size_t count, size_t size)
{
    static struct mixed mixed;
    struct smtp_error error = {0};
    struct smtp_harness *harness = smtp_harness_start(options, &error);
    expect_str(error.message, "");
    mixed = (struct mixed){.count = count, .size = size, .text = malloc(size)};
    for (size_t i = 0; i < size; i++) {
        mixed.text[i] = octet_with(size - i);
    }
    expect_int(smtp_client_send_many(smtp_harness_client(harness), give_mixed, take_mixed, &mixed),
               SMTP_OK);
    expect_int(mixed.told, count);
    struct smtp_mailbox *mailbox = smtp_harness_mailbox(harness);
    expect_int(smtp_mailbox_captured(mailbox), count);
    for (size_t i = 0; i < count; i++) {
        char path[24];
        struct smtp_message *message = smtp_mailbox_get(mailbox, i + 1);
        snprintf(path, sizeof(path), "m%zu@x", i);
        expect_str(smtp_message_forward_path(message, 0), path);
        expect_int(smtp_message_size(message), size);
        smtp_message_release(message);
    }
    smtp_harness_stop(harness);
    free(mixed.text);
}

TEST(client_many, five_hundred_messages_of_all_sources_arrive_once_each_in_order)
{
    send_mixed(NULL, 500, (size_t)20 * LINE);
}

TEST(client_many, long_messages_do_not_make_the_two_ends_wait_for_each_other)
{
    send_mixed(NULL, 30, (size_t)(TEST_LARGE_OCTETS > 10000000 ? 15000 : 5000) * LINE);
}

TEST(client_many, with_data_in_place_of_bdat_they_arrive_all_the_same)
{
    struct smtp_harness_options options;
    smtp_harness_options_init(&options);
    options.server.keywords.chunking = false;
    send_mixed(&options, 200, (size_t)40 * LINE);
}
