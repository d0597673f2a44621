/* tls_test.c - common/tls.c: the two ends of a connection joined in memory. Certificates and resumption
 * are tls_trust_test.c's. */
#include "common/tls.h"
#include "tests/support/test.h"
#include "tests/support/tls_pair.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
static const char *const version_names[] = {"TLSv1.2", "TLSv1.3"};

static void only_version(struct smtp_tls_pair *pair, int version)
{
    SSL_CTX_set_min_proto_version(pair->client_context, version);
    SSL_CTX_set_max_proto_version(pair->client_context, version);
}

/* What one end wrote comes out at the other, whole. */
static void expect_carried(struct smtp_tls *from, struct smtp_tls *to, enum smtp_delivery delivery,
                           struct smtp_span plain)
{
    expect_true(smtp_tls_write(from, plain));
    enum smtp_tls_progress progress;
    smtp_tls_pair_move(from, to, delivery, &progress);
    char *came = malloc(plain.len + 1);
    size_t at = 0, len = 0;
    while (at <= plain.len &&
           (progress = smtp_tls_read(to, came + at, plain.len + 1 - at, &len)) == SMTP_TLS_DONE) {
        expect_true(len > 0);
        at += len;
    }
    expect_int(progress, SMTP_TLS_WAITS);
    expect_bytes(came, at, plain.bytes, plain.len);
    free(came);
}

TEST(tls, handshake_and_octets_pass_whole_octet_by_octet_and_cut_at_and_in_every_record)
{
    struct smtp_tls_pair pair;
    smtp_tls_pair_make(&pair, SMTP_IDENTITY_SOUND);
    for (size_t v = 0; v < 2; v++) {
        only_version(&pair, versions[v]);
        for (int way = SMTP_DELIVER_WHOLE; way <= SMTP_DELIVER_HALVES; way++) {
            pair.delivery = (enum smtp_delivery)way;
            smtp_tls_pair_connect(&pair, "localhost", NULL);
            expect_true(smtp_tls_pair_shake(&pair));
            expect_carried(pair.client, pair.server, pair.delivery, SMTP_SPAN("EHLO client\r\n"));
            expect_carried(pair.server, pair.client, pair.delivery, SMTP_SPAN("250 OK\r\n"));
            expect_carried(pair.client, pair.server, pair.delivery, SMTP_SPAN(""));
            expect_str(smtp_tls_facts(pair.server)->version, version_names[v]);
            expect_str(smtp_tls_error(pair.server), "");
            expect_str(smtp_tls_error(pair.client), "");
        }
    }
    smtp_tls_pair_free(&pair);
}

TEST(tls, a_span_larger_than_many_records_comes_out_as_it_went_in)
{
    const size_t size = 700 * 1000;
    char *plain = malloc(size);
    for (size_t i = 0; i < size; i++) {
        plain[i] = (char)(i * 31 + i / 256);
    }
    struct smtp_tls_pair pair;
    smtp_tls_pair_make(&pair, SMTP_IDENTITY_SOUND);
    for (size_t v = 0; v < 2; v++) {
        only_version(&pair, versions[v]);
        smtp_tls_pair_connect(&pair, "localhost", NULL);
        expect_true(smtp_tls_pair_shake(&pair));
        struct smtp_span all = {plain, size};
        expect_carried(pair.client, pair.server, SMTP_DELIVER_WHOLE, all);
        expect_carried(pair.server, pair.client, SMTP_DELIVER_RECORDS, all);
    }
    smtp_tls_pair_free(&pair);
    free(plain);
}

/* The buffer that everything goes through has a bound; what is beyond it is refused, not dropped. */
/* The longest record that one write of a kind comes to, and how many there are. */
static size_t longest_record(struct smtp_tls *tls, size_t len, size_t *count)
{
    char *plain = calloc(len, 1);
    size_t longest = 0;
    expect_true(plain != NULL && smtp_tls_write(tls, (struct smtp_span){plain, len}));
    struct smtp_span wire = smtp_tls_pending(tls);
    *count = 0;
    for (size_t at = 0; at < wire.len; (*count)++) {
        const unsigned char *head = (const unsigned char *)wire.bytes + at;
        size_t record = ((size_t)head[3] << 8) + head[4]; /* RFC 8446 5.1 */
        longest = record > longest ? record : longest;
        at += record + 5;
    }
    smtp_tls_sent(tls, wire.len);
    free(plain);
    return longest;
}

TEST(tls, records_fit_a_segment_at_first_and_are_16_kib_for_bulk)
{
    struct smtp_tls_pair pair;
    smtp_tls_pair_make(&pair, SMTP_IDENTITY_SOUND);
    smtp_tls_pair_connect(&pair, "localhost", NULL);
    expect_true(smtp_tls_pair_shake(&pair));
    struct smtp_tls *const ends[] = {pair.client, pair.server};
    for (size_t i = 0; i < 2; i++) {
        size_t count;
        expect_true(longest_record(ends[i], 14000, &count) <= 1448);
        expect_int(count, 10);
        expect_true(longest_record(ends[i], 65536, &count) > 16384);
        expect_int(count, 5); /* the rest of the small ones, and four */
        expect_true(longest_record(ends[i], 40, &count) < 100);
        expect_int(count, 1);
    }
    smtp_tls_pair_free(&pair);
}

TEST(tls, undecrypted_octets_are_counted_and_bounded)
{
    struct smtp_tls_pair pair;
    smtp_tls_pair_make(&pair, SMTP_IDENTITY_SOUND);
    smtp_tls_pair_connect(&pair, "localhost", NULL);
    expect_true(smtp_tls_pair_shake(&pair));
    char *plain = calloc(1, (size_t)1 << 20);
    expect_true(smtp_tls_write(pair.client, (struct smtp_span){plain, (size_t)1 << 20}));
    struct smtp_span wire = smtp_tls_pending(pair.client);
    expect_true(wire.len > (size_t)1 << 20);
    expect_true(!smtp_tls_receive(pair.server, wire.bytes, wire.len));
    expect_true(smtp_tls_receive(pair.server, wire.bytes, 1000 * 1000));
    expect_int(smtp_tls_undecrypted(pair.server), 1000 * 1000);
    size_t len, sum = 0;
    while (smtp_tls_read(pair.server, plain, 5000, &len) == SMTP_TLS_DONE) {
        sum += len;
    }
    expect_int(smtp_tls_undecrypted(pair.server), 0);
    expect_true(sum > 980 * 1000 && sum < 1000 * 1000);
    free(plain);
    smtp_tls_pair_free(&pair);
}

TEST(tls, both_ends_know_version_cipher_name_asked_for_and_the_server_s_subject)
{
    struct smtp_tls_pair pair;
    smtp_tls_pair_make(&pair, SMTP_IDENTITY_SOUND);
    for (size_t v = 0; v < 2; v++) {
        only_version(&pair, versions[v]);
        smtp_tls_pair_connect(&pair, "harness.test", NULL);
        const struct smtp_tls_facts *client = smtp_tls_facts(pair.client);
        const struct smtp_tls_facts *server = smtp_tls_facts(pair.server);
        expect_str(client->version, "");
        expect_str(server->cipher, "");
        expect_true(smtp_tls_pair_shake(&pair));
        expect_str(client->version, version_names[v]);
        expect_str(server->version, version_names[v]);
        expect_contains(client->cipher, "AES");
        expect_str(server->cipher, client->cipher);
        expect_str(client->server_name, "harness.test");
        expect_str(server->server_name, "harness.test");
        expect_str(client->peer_subject, "localhost");
        expect_str(server->peer_subject, "");
        expect_true(!client->resumed && !server->resumed);
    }
    smtp_tls_pair_connect(&pair, "127.0.0.1", NULL); /* RFC 6066 3: no address in SNI */
    expect_true(smtp_tls_pair_shake(&pair));
    expect_str(smtp_tls_facts(pair.server)->server_name, "");
    smtp_tls_pair_free(&pair);
}

/* ---- the end ---- */

TEST(tls, an_end_that_was_said_is_told_from_a_cut)
{
    struct smtp_tls_pair pair;
    smtp_tls_pair_make(&pair, SMTP_IDENTITY_SOUND);
    for (size_t v = 0; v < 2; v++) {
        only_version(&pair, versions[v]);
        smtp_tls_pair_connect(&pair, "localhost", NULL);
        expect_true(smtp_tls_pair_shake(&pair));
        char plain[64];
        size_t len;
        enum smtp_tls_progress progress;
        expect_true(smtp_tls_write(pair.client, SMTP_SPAN("QUIT\r\n")));
        smtp_tls_pair_move(pair.client, pair.server, SMTP_DELIVER_WHOLE, &progress);
        expect_int(smtp_tls_read(pair.server, plain, sizeof plain, &len), SMTP_TLS_DONE);
        expect_int(smtp_tls_read(pair.server, plain, sizeof plain, &len), SMTP_TLS_WAITS);
        smtp_tls_shut_down(pair.client);
        smtp_tls_shut_down(pair.client);
        smtp_tls_pair_move(pair.client, pair.server, SMTP_DELIVER_OCTETS, &progress);
        expect_int(smtp_tls_read(pair.server, plain, sizeof plain, &len), SMTP_TLS_ENDED);
        expect_int(smtp_tls_read(pair.server, plain, sizeof plain, &len), SMTP_TLS_ENDED);
        expect_str(smtp_tls_error(pair.server), "");
        expect_carried(pair.server, pair.client, SMTP_DELIVER_WHOLE, SMTP_SPAN("221 Bye\r\n"));
        expect_true(!smtp_tls_write(pair.client, SMTP_SPAN("too late")));
    }
    smtp_tls_pair_free(&pair);
}

TEST(tls, shutting_down_before_the_handshake_is_over_says_nothing)
{
    struct smtp_tls_pair pair;
    smtp_tls_pair_make(&pair, SMTP_IDENTITY_SOUND);
    smtp_tls_pair_connect(&pair, "localhost", NULL);
    smtp_tls_shut_down(pair.server);
    expect_int(smtp_tls_pending(pair.server).len, 0);
    expect_true(!smtp_tls_write(pair.client, SMTP_SPAN("too early")));
    expect_int(smtp_tls_pending(pair.client).len, 0);
    expect_true(smtp_tls_pair_shake(&pair));
    smtp_tls_pair_free(&pair);
}

/* ---- what is no TLS, or not whole ---- */

TEST(tls, plain_smtp_at_either_end_is_named_and_breaks_the_connection)
{
    struct smtp_tls_pair pair;
    smtp_tls_pair_make(&pair, SMTP_IDENTITY_SOUND);
    smtp_tls_pair_connect(&pair, "localhost", NULL);
    struct smtp_span greeting = SMTP_SPAN("220 mail.example ESMTP\r\n");
    expect_int(smtp_tls_handshake(pair.client), SMTP_TLS_WAITS);
    expect_true(smtp_tls_receive(pair.client, greeting.bytes, greeting.len));
    expect_int(smtp_tls_handshake(pair.client), SMTP_TLS_BROKEN);
    expect_str(
        smtp_tls_error(pair.client),
        "expected TLS, came \"220 mail.example ESMTP\?\?\": the peer does not speak TLS here");
    struct smtp_span hello = SMTP_SPAN("EHLO client.example\r\n");
    expect_true(smtp_tls_receive(pair.server, hello.bytes, hello.len));
    expect_int(smtp_tls_handshake(pair.server), SMTP_TLS_BROKEN);
    expect_contains(smtp_tls_error(pair.server), "came \"EHLO client.example\?\?\"");
    size_t len;
    char plain[8];
    expect_int(smtp_tls_handshake(pair.server), SMTP_TLS_BROKEN);
    expect_int(smtp_tls_read(pair.server, plain, sizeof plain, &len), SMTP_TLS_BROKEN);
    expect_int(len, 0);
    expect_true(!smtp_tls_write(pair.server, SMTP_SPAN("x")));
    smtp_tls_pair_free(&pair);
}

TEST(tls, garbage_in_place_of_a_client_hello_breaks_and_nothing_else)
{
    static const struct smtp_span garbage[] = {
        SMTP_SPAN("\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00"), /* a client hello of one octet */
        SMTP_SPAN("\x16\x03\x01\xFF\xFF\x01\x00\xFF\xFB\x03\x03xxxxxxxx"),
        SMTP_SPAN("\x16\x03\x01\x00\x04\x02\x00\x00\x00"), /* a server hello */
        SMTP_SPAN("\x17\x03\x03\x00\x05hello"),            /* data at once */
        SMTP_SPAN("\x15\x03\x01\x00\x02\x02\x28"),         /* an alert at once */
        SMTP_SPAN("\x14\x03\x03\x00\x01\x01\x14\x03\x03\x00\x01\x01"),
        SMTP_SPAN("\x80\x0C\x01\x00\x02\x00\x03\x00\x00\x00\x00\x01\x00\x80"), /* SSL 2 */
        SMTP_SPAN("\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"),
        SMTP_SPAN("GET / HTTP/1.1\r\n\r\n"),
        SMTP_SPAN("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF"),
    };
    struct smtp_tls_pair pair;
    smtp_tls_pair_make(&pair, SMTP_IDENTITY_SOUND);
    for (size_t i = 0; i < sizeof garbage / sizeof *garbage; i++) {
        smtp_tls_pair_connect(&pair, NULL, NULL);
        enum smtp_tls_progress progress = SMTP_TLS_WAITS;
        for (size_t at = 0; at < garbage[i].len && progress == SMTP_TLS_WAITS; at++) {
            expect_true(smtp_tls_receive(pair.server, garbage[i].bytes + at, 1));
            progress = smtp_tls_handshake(pair.server);
            expect_int(ERR_peek_error(), 0);
        }
        if (progress == SMTP_TLS_WAITS) { /* a hello of 64 KiB: too much for what it says */
            expect_int(i, 1);
            continue;
        }
        expect_int(progress, SMTP_TLS_BROKEN);
        expect_true(smtp_tls_error(pair.server)[0] != '\0');
    }
    smtp_tls_pair_free(&pair);
}

TEST(tls, a_hello_cut_short_waits_wherever_it_is_cut)
{
    struct smtp_tls_pair pair;
    smtp_tls_pair_make(&pair, SMTP_IDENTITY_SOUND);
    smtp_tls_pair_connect(&pair, "localhost", NULL);
    expect_int(smtp_tls_handshake(pair.client), SMTP_TLS_WAITS);
    struct smtp_span hello = smtp_tls_pending(pair.client);
    for (size_t cut = 0; cut < hello.len; cut++) {
        struct smtp_tls *server = smtp_tls_new_server(pair.server_context);
        expect_true(smtp_tls_receive(server, hello.bytes, cut));
        expect_int(smtp_tls_handshake(server), SMTP_TLS_WAITS);
        expect_int(smtp_tls_pending(server).len, 0);
        smtp_tls_free(server);
    }
    smtp_tls_pair_free(&pair);
}

TEST(tls, a_record_that_was_tampered_with_gives_no_octets_and_an_alert)
{
    struct smtp_tls_pair pair;
    smtp_tls_pair_make(&pair, SMTP_IDENTITY_SOUND);
    for (size_t v = 0; v < 2; v++) {
        only_version(&pair, versions[v]);
        smtp_tls_pair_connect(&pair, "localhost", NULL);
        expect_true(smtp_tls_pair_shake(&pair));
        expect_true(smtp_tls_write(pair.client, SMTP_SPAN("MAIL FROM:<ann@example.com>\r\n")));
        char wire[256], plain[64];
        struct smtp_span pending = smtp_tls_pending(pair.client);
        expect_true(pending.len < sizeof wire);
        smtp_bytes_copy(wire, pending);
        wire[pending.len / 2] ^= 1;
        expect_true(smtp_tls_receive(pair.server, wire, pending.len));
        size_t len;
        expect_int(smtp_tls_read(pair.server, plain, sizeof plain, &len), SMTP_TLS_BROKEN);
        expect_int(len, 0);
        expect_contains(smtp_tls_error(pair.server), "bad record mac");
        enum smtp_tls_progress progress;
        expect_true(smtp_tls_pair_move(pair.server, pair.client, SMTP_DELIVER_WHOLE, &progress));
        expect_int(smtp_tls_read(pair.client, plain, sizeof plain, &len), SMTP_TLS_BROKEN);
        expect_str(smtp_tls_error(pair.client),
                   "the peer broke TLS off with the alert \"bad record mac\"");
    }
    smtp_tls_pair_free(&pair);
}

TEST(tls, versions_before_1_2_are_refused_rfc8996)
{
    struct smtp_tls_pair pair;
    smtp_tls_pair_make(&pair, SMTP_IDENTITY_SOUND);
    SSL_CTX_set_security_level(pair.client_context, 0);
    only_version(&pair, TLS1_1_VERSION);
    smtp_tls_pair_connect(&pair, "localhost", NULL);
    expect_true(!smtp_tls_pair_shake(&pair));
    expect_int(pair.server_progress, SMTP_TLS_BROKEN);
    expect_contains(smtp_tls_error(pair.server), "unsupported protocol");
    expect_contains(smtp_tls_error(pair.client), "alert \"protocol version\"");
    smtp_tls_pair_free(&pair);
}

/* OpenSSL takes an old entry of the thread's queue for the failure of a later call. */
TEST(tls, what_others_leave_in_the_error_queue_is_not_taken_for_ours)
{
    struct smtp_tls_pair pair;
    smtp_tls_pair_make(&pair, SMTP_IDENTITY_SOUND);
    smtp_tls_pair_connect(&pair, "localhost", NULL);
    ERR_raise(ERR_LIB_SSL, SSL_R_BAD_LENGTH);
    expect_int(smtp_tls_handshake(pair.client), SMTP_TLS_WAITS);
    ERR_raise(ERR_LIB_SSL, SSL_R_BAD_LENGTH);
    expect_int(smtp_tls_handshake(pair.server), SMTP_TLS_WAITS);
    expect_true(smtp_tls_pair_shake(&pair));
    char plain[8];
    size_t len;
    ERR_raise(ERR_LIB_SSL, SSL_R_BAD_LENGTH);
    expect_int(smtp_tls_read(pair.server, plain, sizeof plain, &len), SMTP_TLS_WAITS);
    expect_int(ERR_peek_error(), 0);
    ERR_raise(ERR_LIB_SSL, SSL_R_BAD_LENGTH);
    expect_true(smtp_tls_write(pair.server, SMTP_SPAN("x")));
    expect_int(ERR_peek_error(), 0);
    smtp_tls_pair_free(&pair);
}

/* ---- channel bindings ---- */

static size_t binding_of(struct smtp_tls_pair *pair, enum smtp_tls_binding kind, char *bytes)
{
    char server[SMTP_TLS_BINDING_MAX];
    size_t len = smtp_tls_binding(pair->server, kind, server);
    expect_int(smtp_tls_binding(pair->client, kind, bytes), len);
    expect_bytes(server, len, bytes, len);
    return len;
}

TEST(tls_binding, both_ends_agree_and_no_two_connections_do_rfc5929_rfc9266)
{
    struct smtp_tls_pair pair;
    smtp_tls_pair_make(&pair, SMTP_IDENTITY_SOUND);
    for (size_t v = 0; v < 2; v++) {
        only_version(&pair, versions[v]);
        size_t unique_len = versions[v] == TLS1_2_VERSION ? 12 : 0;
        struct ssl_session_st *session = NULL;
        char unique[3][SMTP_TLS_BINDING_MAX], exported[3][SMTP_TLS_BINDING_MAX];
        for (int i = 0; i < 3; i++) { /* the second resumes the first, the third none */
            smtp_tls_pair_connect(&pair, "localhost", i == 1 ? session : NULL);
            expect_int(binding_of(&pair, SMTP_TLS_EXPORTER, exported[i]), 0);
            expect_true(smtp_tls_pair_shake(&pair));
            expect_int(smtp_tls_facts(pair.client)->resumed, i == 1);
            expect_int(binding_of(&pair, SMTP_TLS_UNIQUE, unique[i]), unique_len);
            expect_int(binding_of(&pair, SMTP_TLS_EXPORTER, exported[i]), 32);
            char plain[8];
            size_t len;
            expect_int(smtp_tls_read(pair.client, plain, sizeof plain, &len), SMTP_TLS_WAITS);
            if (i == 0) {
                session = smtp_tls_session(pair.client);
            }
        }
        for (int i = 0; i < 3; i++) {
            int j = (i + 1) % 3;
            expect_true(memcmp(exported[i], exported[j], 32) != 0);
            expect_true(unique_len == 0 || memcmp(unique[i], unique[j], unique_len) != 0);
        }
        smtp_tls_session_free(session);
    }
    smtp_tls_pair_free(&pair);
}

/* Without an extended master secret a third party can make two connections with the same (RFC 7627). */
TEST(tls_binding, there_is_none_without_the_extended_master_secret_rfc9266_s4_2)
{
    struct smtp_tls_pair pair;
    smtp_tls_pair_make(&pair, SMTP_IDENTITY_SOUND);
    SSL_CTX_set_options(pair.client_context, SSL_OP_NO_EXTENDED_MASTER_SECRET);
    only_version(&pair, TLS1_2_VERSION);
    smtp_tls_pair_connect(&pair, "localhost", NULL);
    expect_true(smtp_tls_pair_shake(&pair));
    char bytes[SMTP_TLS_BINDING_MAX];
    expect_int(binding_of(&pair, SMTP_TLS_UNIQUE, bytes), 0);
    expect_int(binding_of(&pair, SMTP_TLS_EXPORTER, bytes), 0);
    smtp_tls_pair_free(&pair);
}
