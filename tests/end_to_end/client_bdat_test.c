/* client_bdat_test.c - chunks over real sockets (RFC 3030): whole messages, single chunks, and what goes
 * wrong between them; against a scripted peer, and against this project's own server. */
#include "client/smtp_client.h"
#include "harness/smtp_harness.h"
#include "tests/end_to_end/peer.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <unistd.h>

#define EHLO(offers) "S: 220 mx\nC: EHLO [127.0.0.1]\nS: 250-mx\n" offers "S: 250 CHUNKING\n"
#define GROUPS "S: 250-PIPELINING\n"
#define MAIL "C: MAIL FROM:<ann@x>\n"
#define RCPT "C: RCPT TO:<bob@x>\n"
#define BYE "C: QUIT\nS: 221 bye\n[eof]\n"

static const char *const bob[] = {"bob@x"};
static const struct smtp_envelope to_bob = {
    .reverse_path = "ann@x", .forward_paths = bob, .forward_path_count = 1};

static struct smtp_client *connected(const struct peer *peer,
                                     const struct smtp_client_options *options)
{
    struct smtp_client *client = NULL;
    expect_int(smtp_client_new(&client, options), SMTP_OK);
    expect_int(smtp_client_connect(client, "127.0.0.1", peer->address.port), SMTP_OK);
    return client;
}

static void finish(struct smtp_client *client, struct peer *peer)
{
    expect_int(smtp_client_quit(client), SMTP_OK);
    smtp_client_free(client);
    peer_stop(peer);
}

static struct smtp_client_options in_chunks(size_t octets)
{
    struct smtp_client_options options;
    smtp_client_options_init(&options);
    options.chunk_octets = octets;
    return options;
}

/* ---- whole messages ---- */

/* RFC 3030 2: no dot is doubled, and none ends the message */
TEST(client_bdat, a_message_goes_in_one_chunk_behind_its_envelope)
{
    struct peer peer = {0};
    const struct smtp_send_result *result;
    peer_start(&peer, EHLO(GROUPS) MAIL RCPT "C: BDAT 15 LAST\n[octets 15]\n"
                                             "S: 250 ok\nS: 250 ok\nS: 250 2.0.0 taken\n" BYE);
    struct smtp_client *client = connected(&peer, NULL);
    expect_int(smtp_client_send(client, &to_bob, smtp_content_text("A: b\n\n.c\r\n.\n"), &result),
               SMTP_OK);
    expect_str(result->final_reply.text, "taken");
    expect_int(result->recipients[0].stage, SMTP_STAGE_DOT);
    finish(client, &peer);
    expect_bytes(peer.content, peer.content_len, "A: b\r\n\r\n.c\r\n.\r\n", 15);
}

TEST(client_bdat, without_pipelining_each_chunk_waits_for_its_reply)
{
    struct peer peer = {0};
    struct smtp_client_options options = in_chunks(6);
    peer_start(&peer, EHLO("") MAIL "S: 250 ok\n" RCPT "S: 250 ok\nC: BDAT 6\n[octets 6]\n"
                                    "S: 250 more\nC: BDAT 5 LAST\n[octets 5]\nS: 250 taken\n" BYE);
    struct smtp_client *client = connected(&peer, &options);
    expect_int(smtp_client_send(client, &to_bob, smtp_content_text("abc\r\ndefg"), NULL), SMTP_OK);
    finish(client, &peer);
}

TEST(client_bdat, the_option_chunking_switched_off_leaves_it_at_data)
{
    struct peer peer = {0};
    struct smtp_client_options options = in_chunks(100);
    options.chunking = false;
    peer_start(&peer, EHLO("") MAIL "S: 250 ok\n" RCPT "S: 250 ok\nC: DATA\nS: 354 go\n"
                                    "[content]\nS: 250 taken\n" BYE);
    struct smtp_client *client = connected(&peer, &options);
    expect_int(smtp_client_send(client, &to_bob, smtp_content_text("x\n"), NULL), SMTP_OK);
    finish(client, &peer);
}

/* RFC 3030 2: after 4yz or 5yz to a chunk no other is sent; RSET comes before anything else */
static void refuse_a_chunk(const char *script, enum smtp_status expected)
{
    struct peer peer = {0};
    struct smtp_client_options options = in_chunks(2);
    peer_start(&peer, script);
    struct smtp_client *client = connected(&peer, &options);
    expect_int(smtp_client_send(client, &to_bob, smtp_content_text("abcdef\r\n"), NULL), expected);
    expect_contains(smtp_client_error(client)->message, "no room");
    expect_int(smtp_client_send(client, &to_bob, smtp_content_text("\r\n"), NULL), SMTP_OK);
    finish(client, &peer);
}

#define UP_TO_A_CHUNK EHLO("") MAIL "S: 250 ok\n" RCPT "S: 250 ok\nC: BDAT 2\n[octets 2]\n"
#define THE_NEXT                                                                                   \
    "C: RSET\nS: 250 ok\n" MAIL "S: 250 ok\n" RCPT                                                 \
    "S: 250 ok\nC: BDAT 2 LAST\n[octets 2]\nS: 250 ok\n" BYE

TEST(client_bdat, after_452_to_a_chunk_comes_rset_and_the_next_message)
{
    refuse_a_chunk(UP_TO_A_CHUNK "S: 452 no room\n" THE_NEXT, SMTP_REFUSED_TRANSIENT);
}

TEST(client_bdat, after_552_to_a_chunk_comes_rset_and_the_next_message)
{
    refuse_a_chunk(UP_TO_A_CHUNK "S: 552 no room\n" THE_NEXT, SMTP_REFUSED_PERMANENT);
}

TEST(client_bdat, an_end_between_chunks_is_no_delivery)
{
    struct peer peer = {0};
    struct smtp_client_options options = in_chunks(2);
    const struct smtp_send_result *result;
    peer_start(&peer, UP_TO_A_CHUNK);
    struct smtp_client *client = connected(&peer, &options);
    expect_int(smtp_client_send(client, &to_bob, smtp_content_text("abcd\r\n"), &result),
               SMTP_CLOSED);
    expect_int(result->recipients[0].status, SMTP_CLOSED);
    expect_true(!smtp_client_is_connected(client));
    smtp_client_free(client);
    peer_stop(&peer);
}

TEST(client_bdat, an_end_behind_the_last_chunk_leaves_the_delivery_unknown)
{
    struct peer peer = {0};
    peer_start(&peer, EHLO("") MAIL "S: 250 ok\n" RCPT "S: 250 ok\nC: BDAT 3 LAST\n[octets 3]\n");
    struct smtp_client *client = connected(&peer, NULL);
    expect_int(smtp_client_send(client, &to_bob, smtp_content_text("a\r\n"), NULL),
               SMTP_DELIVERY_UNKNOWN);
    smtp_client_free(client);
    peer_stop(&peer);
}

/* Gives "abcd" twice, then fails. */
static ssize_t fail_soon(void *user, char *bytes, size_t capacity)
{
    int *calls = user;
    (void)capacity;
    memcpy(bytes, "abcd", 4);
    return (*calls)++ < 2 ? 4 : -1;
}

TEST(client_bdat, a_source_that_fails_sends_no_last_chunk)
{
    struct peer peer = {0};
    struct smtp_client_options options = in_chunks(4);
    int calls = 0;
    peer_start(&peer, EHLO("") MAIL "S: 250 ok\n" RCPT
                                    "S: 250 ok\nC: BDAT 4\n[octets 4]\nS: 250 more\n[eof]\n");
    struct smtp_client *client = connected(&peer, &options);
    expect_int(smtp_client_send(client, &to_bob, smtp_content_callback(fail_soon, &calls), NULL),
               SMTP_SOURCE_FAILED);
    expect_true(!smtp_client_is_connected(client));
    smtp_client_free(client);
    peer_stop(&peer);
    expect_bytes(peer.content, peer.content_len, "abcd", 4);
}

/* ---- BINARYMIME (RFC 3030 3) ---- */

static const char binary[] = "\n.\r\0\xff.\n";
#define BINARY_SIZE (sizeof(binary) - 1)
static const struct smtp_mail_options as_binary = {.body = SMTP_BODY_BINARYMIME};
#define BINARY_PEER                                                                                \
    EHLO(GROUPS "S: 250-SIZE\nS: 250-8BITMIME\nS: 250-BINARYMIME\n")                               \
    "C: MAIL FROM:<ann@x> SIZE=7 BODY=BINARYMIME\n" RCPT                                           \
    "C: BDAT 7 LAST\n[octets 7]\nS: 250 ok\nS: 250 ok\nS: 250 ok\n" BYE

static void send_binary(struct smtp_content content)
{
    struct peer peer = {0};
    struct smtp_envelope envelope = to_bob;
    envelope.mail = &as_binary;
    peer_start(&peer, BINARY_PEER);
    struct smtp_client *client = connected(&peer, NULL);
    expect_int(smtp_client_send(client, &envelope, content, NULL), SMTP_OK);
    finish(client, &peer);
    expect_bytes(peer.content, peer.content_len, binary, BINARY_SIZE);
}

TEST(client_bdat, binary_content_in_memory_goes_out_octet_for_octet)
{
    send_binary(smtp_content_memory(binary, BINARY_SIZE));
}

TEST(client_bdat, binary_content_of_a_file_goes_out_octet_for_octet)
{
    FILE *file = tmpfile();
    expect_true(file != NULL && fwrite(binary, 1, BINARY_SIZE, file) == BINARY_SIZE);
    rewind(file);
    send_binary(smtp_content_file(file));
    fclose(file);
}

TEST(client_bdat, binary_content_is_unsupported_where_binarymime_is_not_offered)
{
    struct peer peer = {0};
    struct smtp_envelope envelope = to_bob;
    envelope.mail = &as_binary;
    peer_start(&peer, EHLO("S: 250-8BITMIME\n") BYE);
    struct smtp_client *client = connected(&peer, NULL);
    expect_int(smtp_client_send(client, &envelope, smtp_content_memory(binary, BINARY_SIZE), NULL),
               SMTP_UNSUPPORTED);
    expect_contains(smtp_client_error(client)->message, "BINARYMIME");
    finish(client, &peer);
}

/* ---- chunk by chunk ---- */

TEST(client_bdat, single_chunks_go_out_as_they_are)
{
    struct peer peer = {0};
    peer_start(&peer, EHLO("") MAIL "S: 250 ok\n" RCPT "S: 250 ok\nC: BDAT 7\n[octets 7]\n"
                                    "S: 250 7 octets\nC: BDAT 0 LAST\nS: 250 2.6.0 taken\n" BYE);
    struct smtp_client *client = connected(&peer, NULL);
    expect_int(smtp_client_mail(client, "ann@x", NULL), SMTP_OK);
    expect_int(smtp_client_rcpt(client, "bob@x", NULL), SMTP_OK);
    expect_int(smtp_client_bdat(client, binary, BINARY_SIZE, false), SMTP_OK);
    expect_str(smtp_client_reply(client)->text, "7 octets");
    expect_int(smtp_client_data(client, smtp_content_text("x")), SMTP_BAD_STATE);
    expect_int(smtp_client_bdat(client, NULL, 0, true), SMTP_OK);
    expect_str(smtp_client_reply(client)->text, "taken");
    expect_true(smtp_client_recipient_reply(client, 0) == NULL);
    finish(client, &peer);
    expect_bytes(peer.content, peer.content_len, binary, BINARY_SIZE);
}

TEST(client_bdat, behind_a_refused_chunk_nothing_but_rset_goes_out)
{
    struct peer peer = {0};
    peer_start(&peer, EHLO("") MAIL "S: 250 ok\n" RCPT "S: 250 ok\nC: BDAT 1\n[octets 1]\n"
                                    "S: 452 full\nC: RSET\nS: 250 ok\n" BYE);
    struct smtp_client *client = connected(&peer, NULL);
    expect_int(smtp_client_mail(client, "ann@x", NULL), SMTP_OK);
    expect_int(smtp_client_rcpt(client, "bob@x", NULL), SMTP_OK);
    expect_int(smtp_client_bdat(client, "a", 1, false), SMTP_REFUSED_TRANSIENT);
    expect_contains(smtp_client_error(client)->message, "452 full");
    expect_int(smtp_client_bdat(client, "b", 1, true), SMTP_BAD_STATE);
    expect_int(smtp_client_noop(client), SMTP_BAD_STATE);
    expect_int(smtp_client_rset(client), SMTP_OK);
    finish(client, &peer);
}

TEST(client_bdat, a_chunk_that_cannot_go_says_why)
{
    struct peer peer = {0};
    struct smtp_client *client = NULL;
    peer_start(&peer, "S: 220 mx\nC: EHLO [127.0.0.1]\nS: 250 mx\n" MAIL "S: 250 ok\n" BYE);
    expect_int(smtp_client_new(&client, NULL), SMTP_OK);
    expect_int(smtp_client_bdat(client, "a", 1, true), SMTP_BAD_STATE);
    expect_contains(smtp_client_error(client)->message, "not connected");
    expect_int(smtp_client_connect(client, "127.0.0.1", peer.address.port), SMTP_OK);
    expect_int(smtp_client_mail(client, "ann@x", NULL), SMTP_OK);
    expect_int(smtp_client_bdat(client, NULL, 1, true), SMTP_BAD_ARGUMENT);
    expect_int(smtp_client_bdat(client, "a", 1, true), SMTP_UNSUPPORTED);
    expect_contains(smtp_client_error(client)->message, "CHUNKING");
    finish(client, &peer);
}

/* ---- with this project's server ---- */

#define LONG_SIZE ((size_t)3 << 20)

static char long_octet(size_t at)
{
    size_t column = at % 64;
    if (column >= 62) {
        return column == 62 ? '\r' : '\n';
    }
    return column == 0 ? '.' : (char)('a' + at / 64 % 26);
}

static ssize_t long_content(void *user, char *bytes, size_t capacity)
{
    size_t *at = user, len = 0;
    while (len < capacity && len < 1000 && *at < LONG_SIZE) {
        bytes[len++] = long_octet((*at)++);
    }
    return (ssize_t)len;
}

static void check_long(struct smtp_harness *harness)
{
    struct smtp_message *message = smtp_mailbox_get(smtp_harness_mailbox(harness), 1);
    size_t size = 0, at = 0;
    const char *content = smtp_message_content(message, &size);
    expect_int(size, LONG_SIZE);
    while (at < size && content[at] == long_octet(at)) {
        at++;
    }
    expect_int(at, LONG_SIZE);
    smtp_message_release(message);
}

TEST(client_bdat, a_long_message_of_unknown_size_arrives_in_chunks_unchanged)
{
    struct smtp_harness *harness = smtp_harness_start(NULL, NULL);
    struct smtp_client *client = smtp_harness_client(harness);
    size_t at = 0;
    expect_int(smtp_client_send(client, &to_bob, smtp_content_callback(long_content, &at), NULL),
               SMTP_OK);
    check_long(harness);
    smtp_harness_stop(harness);
}

TEST(client_bdat, a_long_message_in_memory_arrives_unchanged)
{
    struct smtp_harness *harness = smtp_harness_start(NULL, NULL);
    struct smtp_client *client = smtp_harness_client(harness);
    char *bytes = malloc(LONG_SIZE);
    for (size_t i = 0; i < LONG_SIZE; i++) {
        bytes[i] = long_octet(i);
    }
    expect_int(smtp_client_send(client, &to_bob, smtp_content_memory(bytes, LONG_SIZE), NULL),
               SMTP_OK);
    check_long(harness);
    smtp_harness_stop(harness);
    free(bytes);
}
