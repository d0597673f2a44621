/* known_failures_server_test.c - what went wrong in other software that takes mail, and must not here: a test for each
 * row of tests/known_failures.tsv that is about what a server hears, over real sockets. Above each stands where it
 * happened. */
#include "server/smtp_receivers.h"
#include "tests/end_to_end/running_server.h"
#include "tests/end_to_end/tls_server.h"
#include "tests/support/files.h"
#include "tests/support/test.h"

#include <openssl/ssl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/resource.h>

#define COUNT(rows) (sizeof(rows) / sizeof *(rows))

static const struct smtp_server_user ann[] = {{"ann", "p1ssword-Xy"}};

static void with_ann(struct smtp_server_options *options)
{
    smtp_server_options_init(options);
    options->auth.users = ann;
    options->auth.user_count = 1;
    options->auth.plain_without_tls = true;
}

static void said_hello(struct smtp_wire *wire, const struct smtp_server *server)
{
    greeted(wire, server);
    expect_contains(smtp_wire_ask(wire, "EHLO c.example"), "250 ");
}

static uint64_t captured(struct smtp_server *server)
{
    return smtp_mailbox_captured(smtp_server_mailbox(server));
}

static long resident_kib(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

/* ---- TLS ---- */

/* CVE-2011-0411 and its kin, aiosmtpd#380, the fifteen of nostarttls.secvuln.info; a handshake that fails must not be
 * followed by mail in the clear (go-smtp) */
TEST(known_failures, starttls_command_injection)
{
    struct smtp_server_options options;
    struct smtp_wire wire;
    with_ann(&options);
    struct smtp_server *server = started(&options);
    said_hello(&wire, server);
    expect_true(smtp_wire_send(&wire, "STARTTLS\r\nMAIL FROM:<eve@x>\r\n", 28));
    const char *reply = smtp_wire_reply(&wire);
    expect_true(strncmp(reply, "220", 3) != 0);
    expect_true(smtp_wire_closed(&wire));
    smtp_wire_close(&wire);

    said_hello(&wire, server); /* what was said in the clear is forgotten */
    expect_contains(smtp_wire_ask(&wire, "AUTH PLAIN AGFubgBwMXNzd29yZC1YeQ=="), "235 ");
    expect_contains(smtp_wire_ask(&wire, "MAIL FROM:<eve@x>"), "250 ");
    expect_contains(smtp_wire_ask(&wire, "STARTTLS now"), "501 ");
    expect_contains(smtp_wire_ask(&wire, "STARTTLS"), "220 ");
    SSL_CTX *context = trusting(smtp_server_ca_pem(server), 0);
    expect_true(smtp_wire_secure(&wire, context, "127.0.0.1", NULL));
    expect_contains(smtp_wire_ask(&wire, "RCPT TO:<bob@x>"), "503 ");
    expect_contains(smtp_wire_ask(&wire, "MAIL FROM:<eve@x>"), "503 ");
    expect_contains(smtp_wire_ask(&wire, "EHLO c.example"), "AUTH ");
    smtp_wire_close(&wire);
    SSL_CTX_free(context);

    said_hello(&wire, server); /* a handshake that fails */
    expect_contains(smtp_wire_ask(&wire, "STARTTLS"), "220 ");
    expect_true(smtp_wire_send(&wire, "MAIL FROM:<eve@x>\r\n", 19));
    expect_true(smtp_wire_closed(&wire));
    smtp_wire_close(&wire);
    smtp_server_free(server);
}

/* ---- content and lines ---- */

/* CVE-2023-51764, -51765, -51766 (Postfix, Sendmail, Exim), aiosmtpd CVE-2024-27305, go-smtp#246, James CVE-2023-51747,
 * Postal CVE-2024-27938, Haraka#3268: with each of these some server ends the content where others do not */
TEST(known_failures, smtp_smuggling)
{
    static const char *const ends[] = {"\n.\n",       "\n.\r\n",     "\r\n.\n",   "\r.\r",
                                       "\r.\r\n",     "\r\n.\r",     "\n\n.\r\n", "\r\r\n.\r",
                                       "\r\n\r.\r\n", "\r\n.\r\r\n", "\r\r.\r\n", "\n.\r"};
    static const enum smtp_server_bare_line_end meanings[] = {SMTP_BARE_REFUSE, SMTP_BARE_ACCEPT};
    for (size_t i = 0; i < COUNT(ends) * COUNT(meanings); i++) {
        struct smtp_server_options options;
        struct smtp_wire wire;
        char content[200];
        smtp_server_options_init(&options);
        options.bare_line_end = meanings[i % COUNT(meanings)];
        struct smtp_server *server = started(&options);
        bool accepted = options.bare_line_end == SMTP_BARE_ACCEPT;
        open_content(&wire, server);
        int len =
            snprintf(content, sizeof content,
                     "one%sMAIL FROM:<eve@x>\r\nRCPT TO:<bob@x>\r\nDATA\r\ntwo\r\n.\r\nNOOP\r\n",
                     ends[i / COUNT(meanings)]);
        expect_true(smtp_wire_send(&wire, content, (size_t)len));
        expect_contains(smtp_wire_reply(&wire), accepted ? "250 2.0.0 OK: message 1" : "554 ");
        expect_contains(smtp_wire_reply(&wire), "250 "); /* NOOP's: nothing else was a command */
        expect_contains(smtp_wire_ask(&wire, "QUIT"), "221 ");
        expect_int(captured(server), accepted);
        smtp_wire_close(&wire);
        smtp_server_free(server);
    }
}

/* aiosmtpd, smtp-server and Haraka take a bare LF for the end of a command line */
TEST(known_failures, command_ended_by_bare_lf)
{
    struct smtp_server *server = started(NULL);
    struct smtp_wire wire;
    said_hello(&wire, server);
    expect_true(smtp_wire_send(&wire, "MAIL FROM:<a@x>\nRCPT TO:<b@x>\r\n", 31));
    expect_contains(smtp_wire_reply(&wire), "50"); /* one line, and no command */
    expect_contains(smtp_wire_ask(&wire, "RCPT TO:<b@x>"), "503 ");
    smtp_wire_close(&wire);
    smtp_server_free(server);
}

/* go-smtp#247: a client that ends content with LF.LF waits, and nobody says why */
TEST(known_failures, bare_lf_end_waits_in_silence)
{
    struct smtp_server_options options;
    struct smtp_wire wire;
    struct diary diary;
    smtp_server_options_init(&options);
    options.bare_line_end = SMTP_BARE_REFUSE_AND_CLOSE;
    struct smtp_server *server = started(&options);
    open_content(&wire, server);
    expect_true(smtp_wire_send(&wire, "one\n.\n", 6)); /* and nothing more: it waits */
    expect_contains(smtp_wire_reply(&wire), "554 ");
    expect_true(smtp_wire_closed(&wire));
    smtp_wire_close(&wire);
    smtp_server_free(server);

    smtp_server_options_init(&options);
    options.limits.content_timeout_ms = 100;
    diary_open(&diary, &options);
    server = started(&options);
    open_content(&wire, server);
    expect_true(smtp_wire_send(&wire, "one\n.\n", 6));
    expect_contains(smtp_wire_reply(&wire), "421 ");
    diary_await_close(&diary);
    expect_contains(diary_text(&diary), "bare LF at octet");
    smtp_wire_close(&wire);
    smtp_server_free(server);
    diary_close(&diary);
}

/** A line with so many x in it. */
static void send_long(struct smtp_wire *wire, const char *before, size_t count, const char *after)
{
    static char piece[65536];
    memset(piece, 'x', sizeof piece);
    expect_true(smtp_wire_send(wire, before, strlen(before)));
    while (count > 0) {
        size_t len = count < sizeof piece ? count : sizeof piece;
        expect_true(smtp_wire_send(wire, piece, len));
        count -= len;
    }
    expect_true(smtp_wire_send(wire, after, strlen(after)) && smtp_wire_send(wire, "\r\n", 2));
}

/* CVE-2013-1752, go-smtp#60, smtp-server 3.18.3 (commands) and 3.19.0 (PROXY headers) */
TEST_ALONE(known_failures, unbounded_line)
{
    enum { MUCH = 16 << 20 };
    struct smtp_server_options options;
    struct smtp_wire wire;
    with_ann(&options);
    struct smtp_server *server = started(&options);
    said_hello(&wire, server);
    send_one(server);
    long before_kib = resident_kib();
    send_long(&wire, "NOOP ", MUCH, "");
    expect_contains(smtp_wire_reply(&wire), "500 ");
    expect_contains(smtp_wire_ask(&wire, "AUTH LOGIN"), "334 ");
    send_long(&wire, "", MUCH, "");
    expect_contains(smtp_wire_reply(&wire), "500 ");
    expect_contains(smtp_wire_ask(&wire, "NOOP"), "250 ");
    expect_true(resident_kib() - before_kib < MUCH >> 10);
    smtp_wire_close(&wire);
    smtp_server_free(server);

    smtp_server_options_init(&options);
    static const char *const trusted[] = {"127.0.0.1"};
    options.proxy_protocol = true;
    options.trusted_peers = trusted;
    options.trusted_peer_count = 1;
    server = started(&options);
    expect_true(smtp_wire_connect(&wire, smtp_server_address(server, 0)));
    send_long(&wire, "PROXY TCP4 ", 4096, "");
    expect_true(smtp_wire_closed(&wire));
    smtp_wire_close(&wire);
    smtp_server_free(server);
}

/* chrj/smtpd#54: the tail of a long AUTH line was run as a command; go-smtp#309: the rest of an LMTP message that was too
 * big */
TEST(known_failures, overlong_desync)
{
    struct smtp_server_options options;
    struct smtp_wire wire;
    with_ann(&options);
    options.limits.message_octets = 1000;
    struct smtp_server *server = started(&options);
    said_hello(&wire, server);
    for (size_t len = 490; len < 530; len++) { /* the tail begins at each octet of it */
        send_long(&wire, "NOOP ", len, " QUIT");
        expect_true(smtp_wire_reply(&wire)[0] != '\0');
        expect_contains(smtp_wire_ask(&wire, "NOOP"), "250 ");
    }
    for (size_t len = 12200; len < 12400; len += 7) {
        send_long(&wire, "AUTH PLAIN ", len, "\r\nNOOP");
        expect_contains(smtp_wire_reply(&wire), "50");
        expect_contains(smtp_wire_reply(&wire), "250 ");
    }
    expect_contains(smtp_wire_ask(&wire, "MAIL FROM:<a@x>"), "250 ");
    expect_contains(smtp_wire_ask(&wire, "RCPT TO:<b@x>"), "250 ");
    expect_contains(smtp_wire_ask(&wire, "DATA"), "354 ");
    for (int i = 0; i < 400; i++) {
        expect_true(smtp_wire_send(&wire, "QUIT\r\n", 6));
    }
    expect_contains(smtp_wire_ask(&wire, "."), "552 ");
    expect_contains(smtp_wire_ask(&wire, "NOOP"), "250 ");
    expect_int(captured(server), 0);
    smtp_wire_close(&wire);
    smtp_server_free(server);
}

/* smtp-server#262 and #179, Mailpit, maildev#551: what one session, or all of them, may take */
TEST_ALONE(known_failures, unbounded_session)
{
    struct smtp_server_options options;
    struct smtp_wire wire, other;
    static char octets[65536];
    smtp_server_options_init(&options);
    options.limits.sessions = 1;
    options.limits.message_octets = 1 << 20;
    struct smtp_server *server = started(&options);
    said_hello(&wire, server);
    expect_true(smtp_wire_connect(&other, smtp_server_address(server, 0)));
    expect_contains(smtp_wire_reply(&other), "421 ");
    smtp_wire_close(&other);
    expect_contains(smtp_wire_ask(&wire, "MAIL FROM:<a@x>"), "250 ");
    for (int i = 0; i < 100; i++) {
        expect_contains(smtp_wire_ask(&wire, "RCPT TO:<b@x>"), "250 ");
    }
    expect_contains(smtp_wire_ask(&wire, "RCPT TO:<b@x>"), "452 ");
    expect_contains(smtp_wire_ask(&wire, "DATA"), "354 ");
    memset(octets, 'x', sizeof octets);
    for (size_t i = 998; i + 2 < sizeof octets; i += 1000) {
        memcpy(octets + i, "\r\n", 2);
    }
    memcpy(octets + sizeof octets - 2, "\r\n", 2);
    long before_kib = resident_kib();
    for (int i = 0; i < 1024; i++) { /* 64 MiB */
        expect_true(smtp_wire_send(&wire, octets, sizeof octets));
    }
    expect_contains(smtp_wire_ask(&wire, "."), "552 ");
    expect_true(resident_kib() - before_kib < 16 * 1024);
    smtp_wire_close(&wire);
    smtp_server_free(server);
}

/* ---- logins ---- */

/* libESMTP CVE-2019-19977 (a stack buffer for NTLM), Exim CVE-2026-45185 (BDAT, and TLS torn down under it), smtplib and
 * others: numbers and base64 that were believed */
TEST(known_failures, auth_and_bdat_overruns)
{
    static const char *const hostile[] = {"AUTH PLAIN ====",
                                          "AUTH PLAIN A",
                                          "AUTH PLAIN AA==A",
                                          "AUTH PLAIN =",
                                          "AUTH PLAIN AAAA",
                                          "AUTH CRAM-MD5 QQ",
                                          "AUTH NTLM TlRMTVNTUAA=",
                                          "AUTH",
                                          "AUTH SCRAM-SHA-256 biws",
                                          "BDAT 18446744073709551616",
                                          "BDAT 99999999999999999999999999",
                                          "BDAT -1",
                                          "BDAT 0x10",

                                          "BDAT",
                                          "MAIL FROM:<a@x> SIZE=99999999999999999999"};
    struct smtp_server_options options;
    struct smtp_wire wire;
    with_ann(&options);
    struct smtp_server *server = started(&options);
    said_hello(&wire, server);
    for (size_t i = 0; i < COUNT(hostile); i++) {
        const char *reply = smtp_wire_ask(&wire, hostile[i]);
        if (reply[0] != '5') {
            expect_contains(reply, "334 ");
            expect_contains(smtp_wire_ask(&wire, "*"), "501 ");
        }
        reply = smtp_wire_ask(&wire, "NOOP");
        if (reply[0] == '\0') { /* after a size that nobody can believe no octet is a command */
            expect_true(strncmp(hostile[i], "BDAT", 4) == 0);
            smtp_wire_close(&wire);
            said_hello(&wire, server);
            continue;
        }
        expect_contains(reply, "250 ");
    }
    smtp_wire_close(&wire);
    SSL_CTX *context = trusting(smtp_server_ca_pem(server), 0);
    for (int i = 0; i < 8; i++) { /* the end comes in the middle of a chunk, under TLS */
        secured(&wire, server, 0, context, NULL);
        expect_contains(smtp_wire_ask(&wire, "MAIL FROM:<a@x>"), "250 ");
        expect_contains(smtp_wire_ask(&wire, "RCPT TO:<b@x>"), "250 ");
        expect_true(smtp_wire_send(&wire, "BDAT 100000 LAST\r\nsome of it", 28));
        if (i % 2 == 0) {
            smtp_wire_reset(&wire);
        } else {
            smtp_wire_close(&wire);
        }
    }
    send_one(server);
    expect_int(captured(server), 1);
    SSL_CTX_free(context);
    smtp_server_free(server);
}

static enum smtp_server_verdict on_auth(void *user, const struct smtp_server_session_info *session,
                                        const struct smtp_server_credentials *credentials,
                                        struct smtp_server_reply *reply)
{
    (void)user;
    (void)session;
    return smtp_server_reply(reply,
                             strcmp(credentials->authorization_identity, "boss") == 0 ? 235 : 535,
                             NULL, "acting as %s", credentials->authorization_identity);
}

/* smtp-server 3.19.0: PLAIN's authorization identity was dropped, names held control octets, CRAM-MD5's challenge could
 * be guessed */
TEST(known_failures, sasl_details)
{
    struct smtp_server_options options;
    struct smtp_wire wire;
    char first[512];
    with_ann(&options);
    struct smtp_server *server = started(&options);
    said_hello(&wire, server);
    snprintf(first, sizeof first, "%s", smtp_wire_ask(&wire, "AUTH CRAM-MD5"));
    expect_contains(first, "334 ");
    expect_contains(smtp_wire_ask(&wire, "*"), "501 ");
    expect_true(strcmp(smtp_wire_ask(&wire, "AUTH CRAM-MD5"), first) != 0);
    expect_contains(smtp_wire_ask(&wire, "*"), "501 ");
    /* NUL ann CR LF NUL p; boss NUL ann NUL p1ssword-Xy */
    expect_contains(smtp_wire_ask(&wire, "AUTH PLAIN AGFubg0KAHA="), "5");
    expect_contains(smtp_wire_ask(&wire, "AUTH PLAIN Ym9zcwBhbm4AcDFzc3dvcmQtWHk="), "535 ");
    smtp_wire_close(&wire);
    smtp_server_free(server);

    with_ann(&options);
    options.hooks.auth = on_auth;
    server = started(&options);
    said_hello(&wire, server);
    expect_contains(smtp_wire_ask(&wire, "AUTH PLAIN Ym9zcwBhbm4AcDFzc3dvcmQtWHk="),
                    "acting as boss");
    smtp_wire_close(&wire);
    smtp_server_free(server);
}

struct leaks {
    atomic_uint count; /* log lines that hold a secret */
};

static void on_log(void *user, const struct smtp_server_session_info *session,
                   const struct smtp_server_log_entry *entry)
{
    static const char *const secrets[] = {"p1ssword-Xy",
                                          "AGFubgBwMXNzd29yZC1YeQ==", "cDFzc3dvcmQtWHk="};
    struct leaks *leaks = user;
    (void)session;
    for (size_t i = 0; i < COUNT(secrets); i++) {
        leaks->count += memmem(entry->text, entry->len, secrets[i], strlen(secrets[i])) != NULL;
    }
}

/* aiosmtpd answered with class and text of whatever went wrong in a handler (here the peer hears what kind of failure it was,
 * and no name of a file); aiosmtpd#233: passwords in the log */
TEST(known_failures, information_leak)
{
    char path[64];
    struct smtp_server_options options;
    struct smtp_server_hooks maildir;
    struct smtp_error error = {.message = ""};
    struct smtp_wire wire;
    struct leaks leaks = {0};
    with_ann(&options);
    smtp_make_directory(path);
    expect_int(smtp_receiver_maildir(&maildir, &(struct smtp_maildir){.path = path}, &error),
               SMTP_OK);
    options.receivers = &maildir;
    options.receiver_count = 1;
    options.hooks.user = &leaks;
    options.hooks.log = on_log;
    struct smtp_server *server = started(&options);
    smtp_remove_directory(path); /* under its feet */
    said_hello(&wire, server);
    expect_contains(smtp_wire_ask(&wire, "AUTH PLAIN AGFubgBwMXNzd29yZC1YeQ=="), "235 ");
    expect_contains(smtp_wire_ask(&wire, "MAIL FROM:<a@x>"), "250 ");
    expect_contains(smtp_wire_ask(&wire, "RCPT TO:<b@x>"), "250 ");
    expect_contains(smtp_wire_ask(&wire, "DATA"), "354 ");
    const char *reply = smtp_wire_ask(&wire, "Subject: x\r\n\r\nx\r\n.");
    expect_contains(reply, "451 ");
    expect_true(strstr(reply, "/tmp") == NULL);
    smtp_wire_close(&wire);
    greeted(&wire, server);
    expect_contains(smtp_wire_ask(&wire, "EHLO c.example"), "250 ");
    expect_contains(smtp_wire_ask(&wire, "AUTH LOGIN YW5u"), "334 ");
    expect_contains(smtp_wire_ask(&wire, "cDFzc3dvcmQtWHk="), "235 ");
    smtp_wire_close(&wire);
    smtp_server_free(server);
    expect_int(leaks.count, 0);
}

/* ---- what is accepted ---- */

/* Mailpit CVE-2026-23829: CR in an address went on into a header of the message */
TEST(known_failures, control_octets_in_addresses)
{
    static const char *const lines[] = {"RCPT TO:<b\rX: y@x>", "RCPT TO:<\"b\rX: y\"@x>",
                                        "RCPT TO:<b@x\x01>",   "RCPT TO:<b@x>\r",
                                        "MAIL FROM:<a\nb@x>",  "RCPT TO:<b\x7f@x>"};
    struct smtp_server *server = started(NULL);
    struct smtp_wire wire;
    greeted(&wire, server);
    expect_contains(smtp_wire_ask(&wire, "EHLO c\rX: y"), "50");
    expect_contains(smtp_wire_ask(&wire, "EHLO c.example"), "250 ");
    expect_contains(smtp_wire_ask(&wire, "MAIL FROM:<a@x>"), "250 ");
    for (size_t i = 0; i < COUNT(lines); i++) {
        expect_true(smtp_wire_ask(&wire, lines[i])[0] == '5');
    }
    expect_contains(smtp_wire_ask(&wire, "DATA"), "503 "); /* there is no recipient */
    smtp_wire_close(&wire);
    smtp_server_free(server);
}

/* cpython#76984, aiosmtpd#517, davidmoten/subethasmtp#75, go-smtp#309 */
TEST(known_failures, lmtp_reply_count)
{
    static const char *const listen[] = {"lmtp://127.0.0.1:0"};
    static const char *const contents[] = {"DATA\r\n", "BDAT 3 LAST\r\nx\r\n",
                                           "BDAT 2000 LAST\r\n"};
    struct smtp_server_options options;
    struct smtp_wire wire;
    static char much[2000];
    smtp_server_options_init(&options);
    options.listen = listen;
    options.listen_count = 1;
    options.limits.message_octets = 1000;
    struct smtp_server *server = started(&options);
    greeted(&wire, server);
    expect_contains(smtp_wire_ask(&wire, "LHLO c.example"), "250 ");
    memset(much, 'x', sizeof much);
    for (size_t i = 0; i < COUNT(contents); i++) {
        expect_contains(smtp_wire_ask(&wire, "MAIL FROM:<a@x>"), "250 ");
        for (int k = 0; k < 3; k++) {
            expect_contains(smtp_wire_ask(&wire, "RCPT TO:<b@x>"), "250 ");
            expect_contains(smtp_wire_ask(&wire, "RCPT TO:<b@>"), "501 ");
        }
        expect_true(smtp_wire_send(&wire, contents[i], strlen(contents[i])));
        if (i == 0) {
            expect_contains(smtp_wire_reply(&wire), "354 ");
            expect_true(smtp_wire_send(&wire, "x\r\n.\r\n", 6));
        } else if (i == 2) {
            expect_true(smtp_wire_send(&wire, much, sizeof much));
        }
        for (int k = 0; k < 3; k++) {
            expect_contains(smtp_wire_reply(&wire), i < 2 ? "250 " : "552 ");
        }
        expect_contains(smtp_wire_ask(&wire, "NOOP"), "250 2.0.0 OK");
    }
    expect_contains(smtp_wire_ask(&wire, "QUIT"), "221 ");
    smtp_wire_close(&wire);
    smtp_server_free(server);
}
