/* known_failures_client_test.c - what went wrong in other software that sends mail, and must not here: a test for each
 * row of tests/known_failures.tsv that is about the client, over real sockets. Above each stands where it happened. */
#include "client/smtp_pool.h"
#include "harness/compose.h"
#include "harness/smtp_harness.h"
#include "tests/end_to_end/pair.h"
#include "tests/end_to_end/running_server.h"
#include "tests/support/test.h"

#include <stdio.h>

#define COUNT(rows) (sizeof(rows) / sizeof *(rows))
#define GREETED "S: 220 mx\nC: EHLO [127.0.0.1]\nS: 250-mx\n"
#define BYE "C: QUIT\nS: 221 bye\n[eof]\n"

static const char *const bob[] = {"bob@x"};
static const struct smtp_envelope to_bob = {
    .reverse_path = "ann@x", .forward_paths = bob, .forward_path_count = 1};

static bool is_refused_argument(enum smtp_status status)
{
    return status == SMTP_UNSAFE_ARGUMENT || status == SMTP_BAD_ARGUMENT;
}

/** What a peer that hears EHLO and QUIT alone is asked with: nothing of it may go out. */
static void refuse_all(const char *const texts[], size_t count,
                       enum smtp_status (*ask)(struct smtp_client *client, const char *text))
{
    struct pair pair = {0};
    pair_begin(&pair, SMTP_CLIENT_TLS_NEVER, SMTP_IDENTITY_SOUND,
               GREETED "S: 250-DSN\nS: 250-AUTH PLAIN\nS: 250-SMTPUTF8\nS: 250-8BITMIME\n"
                       "S: 250-VRFY\nS: 250 XCLIENT NAME ADDR\n" BYE);
    expect_int(pair_connect(&pair, "127.0.0.1"), SMTP_OK);
    expect_int(smtp_client_ehlo(pair.client), SMTP_OK);
    for (size_t i = 0; i < count; i++) {
        if (!is_refused_argument(ask(pair.client, texts[i]))) {
            SMTP_TEST_FAIL("taken: \"%s\"", texts[i]);
        }
    }
    expect_int(smtp_client_quit(pair.client), SMTP_OK);
    pair_end(&pair);
}

static enum smtp_status ask_mail(struct smtp_client *client, const char *text)
{
    return smtp_client_mail(client, text, NULL);
}

static enum smtp_status ask_rcpt(struct smtp_client *client, const char *text)
{
    return smtp_client_rcpt(client, text, NULL);
}

static enum smtp_status ask_parameter(struct smtp_client *client, const char *text)
{
    return smtp_client_mail(client, "ann@x", text);
}

static enum smtp_status ask_original(struct smtp_client *client, const char *text)
{
    const struct smtp_rcpt_options option = {.original_recipient = text};
    struct smtp_envelope envelope = to_bob;
    envelope.rcpt = &option;
    return smtp_client_send(client, &envelope, smtp_content_text("x\n"), NULL);
}

static enum smtp_status ask_credentials(struct smtp_client *client, const char *text)
{
    const struct smtp_client_credentials credentials = {
        .identity = text, .password = "secret", .mechanism = "PLAIN", .plain_without_tls = true};
    return smtp_client_auth(client, &credentials);
}

static enum smtp_status ask_helo(struct smtp_client *client, const char *text)
{
    struct smtp_client *other = NULL;
    struct smtp_client_options options;
    (void)client;
    smtp_client_options_init(&options);
    options.helo_name = text;
    enum smtp_status status = smtp_client_new(&other, &options);
    smtp_client_free(other);
    return status;
}

static enum smtp_status ask_proxy(struct smtp_client *client, const char *text)
{
    struct smtp_client *other = NULL;
    struct smtp_client_options options;
    (void)client;
    smtp_client_options_init(&options);
    options.proxy_header = text;
    enum smtp_status status = smtp_client_new(&other, &options);
    smtp_client_free(other);
    return status;
}

/* cpython#87290, CVE-2015-9096 (Ruby), GHSA-vvjj-xcjg-gr5g, GHSA-c7w3-x93f-qmm8 (nodemailer: name, envelope.size, and
 * the host of CONNECT), curl#22119, libESMTP and libetpan: addresses unchecked */
TEST(known_failures, crlf_injection)
{
    static const char *const mailboxes[] = {"a@x\r\nRSET",  "a@x\nRSET",  "a\rb@x",
                                            "\r\n@x",       "a@x\x01",    "a@x\x7f",
                                            "\"a\r\nb\"@x", "a@x>\r\nX:", "a@[1.2.3.4]\r\n"};
    static const char *const texts[] = {"x\r\nRSET", "x\nRSET", "x\rRSET", "x\x01"};
    static const char *const parameters[] = {"RET=HDRS\r\nRSET", "RET=HDRS\nX", "A=\x01",
                                             "RET=HDRS\r"};
    static const char *const helos[] = {"x\r\nMAIL FROM:<>", "x\ny", "[127.0.0.1]\r\n", "x y",
                                        "x>"};
    static const char *const proxies[] = {"v1 192.0.2.1:1 192.0.2.2:2\r\nEHLO x",
                                          "v1 192.0.2.1\r\n:1 192.0.2.2:2"};
    refuse_all(mailboxes, COUNT(mailboxes), ask_mail);
    refuse_all(mailboxes, COUNT(mailboxes), ask_rcpt);
    refuse_all(parameters, COUNT(parameters), ask_parameter);
    refuse_all(texts, COUNT(texts), smtp_client_command);
    refuse_all(texts, COUNT(texts), smtp_client_vrfy);
    refuse_all(texts, COUNT(texts), smtp_client_help);
    refuse_all(texts, COUNT(texts), ask_credentials);
    refuse_all(texts, COUNT(texts), smtp_client_xclient);
    refuse_all(helos, COUNT(helos), ask_helo);
    refuse_all(proxies, COUNT(proxies), ask_proxy);
}

/* MimeKit GHSA-g7hc-96xr-gvvx (quoted local part), Jakarta Mail CVE-2025-7962: U+760D and U+760A, cut to their low octet,
 * are CR and LF */
TEST(known_failures, unicode_narrowing)
{
    static const char *const quoted[] = {"\"a\rb\"@x", "\"a\nb\"@x", "\"a\\\r\\\nb\"@x"};
    static const char *const to[] = {"bob\xe7\x98\x8d\xe7\x98\x8aRSET@example.com"};
    struct smtp_envelope envelope = to_bob;
    struct smtp_harness *harness = smtp_harness_start(NULL, NULL);
    refuse_all(quoted, COUNT(quoted), ask_rcpt);
    envelope.forward_paths = to;
    expect_int(smtp_client_send(smtp_harness_client(harness), &envelope,
                                smtp_content_text("Subject: hi\n\nx\n"), NULL),
               SMTP_OK);
    struct smtp_message *message = smtp_mailbox_get(smtp_harness_mailbox(harness), 1);
    expect_str(smtp_message_forward_path(message, 0), to[0]);
    smtp_message_release(message);
    smtp_harness_stop(harness);
}

/* libcurl 8.16 took what stood behind the '>' of MAIL_RCPT into the command as it was */
TEST(known_failures, path_suffix)
{
    static const char *const paths[] = {"bob@x> NOTIFY=NEVER", "<bob@x> NOTIFY=NEVER", "bob@x>",
                                        "bob@x NOTIFY=NEVER",  "bob@x><eve@x",         "<bob@x"};
    static const char *const parameters[] = {"RET=A=B", "=X", "RET==", "-X=1"};
    static const char *const originals[] = {"rfc822;bob@x NOTIFY=NEVER\r\n", "rfc822;b\x01"};
    refuse_all(paths, COUNT(paths), ask_rcpt);
    refuse_all(parameters, COUNT(parameters), ask_parameter);
    refuse_all(originals, COUNT(originals), ask_original);
}

static enum smtp_status compose(const struct smtp_harness_compose *what)
{
    struct smtp_error error = {.status = SMTP_OK};
    FILE *out = tmpfile();
    expect_true(out != NULL);
    enum smtp_status status = smtp_harness_compose(what, out, &error);
    fclose(out);
    return status;
}

/* nodemailer 8.0.9 and 9.0.5 (List-*, header keys, DKIM tags), simple-java-mail#88 */
TEST(known_failures, header_injection)
{
    static const char *const more[] = {"x\r\nBcc: eve@x", "x\nBcc: eve@x", "x\rBcc: eve@x"};
    static const char *const fields[] = {
        "X: a\r\nBcc: eve@x", "X\r\nBcc: eve@x", "X: a\nb", "X\n: a", "X Y: a", ": a"};
    static const char *const people[] = {"Ann\r\nBcc: eve@x <ann@x>", "ann@x\r\nBcc: eve@x",
                                         "\"A\nBcc: e@x\" <ann@x>"};
    for (size_t i = 0; i < COUNT(more); i++) {
        struct smtp_harness_compose what = {.from = "ann@x", .to = {bob, 1}, .subject = more[i]};
        expect_true(is_refused_argument(compose(&what)));
    }
    for (size_t i = 0; i < COUNT(fields); i++) {
        struct smtp_harness_compose what = {
            .from = "ann@x", .to = {bob, 1}, .headers = {&fields[i], 1}};
        expect_true(is_refused_argument(compose(&what)));
    }
    for (size_t i = 0; i < COUNT(people); i++) {
        struct smtp_harness_compose from = {.from = people[i], .to = {bob, 1}};
        struct smtp_harness_compose to = {.from = "ann@x", .to = {&people[i], 1}};
        struct smtp_harness_compose cc = {.from = "ann@x", .to = {bob, 1}, .cc = {&people[i], 1}};
        expect_true(is_refused_argument(compose(&from)));
        expect_true(is_refused_argument(compose(&to)));
        expect_true(is_refused_argument(compose(&cc)));
    }
}

/* ---- TLS and logins ---- */

/* CVE-2016-0772 (smtplib), CVE-2021-22946 (curl), emailjs-smtp-client#20 (HELO after a refused EHLO) */
TEST(known_failures, starttls_stripping)
{
    static const char *const scripts[] = {
        GREETED "S: 250 PIPELINING\n" BYE,
        "S: 220 mx\nC: EHLO [127.0.0.1]\nS: 502 what\n" BYE,
        "S: 220 mx\nC: EHLO [127.0.0.1]\nS: 451 later\n" BYE,
        GREETED "S: 250 STARTTLS\nC: STARTTLS\nS: 454 no\n" BYE,
        GREETED "S: 250 XSTARTTLS\n" BYE,
    };
    for (size_t i = 0; i < COUNT(scripts); i++) {
        static struct pair pair;
        pair_begin(&pair, SMTP_CLIENT_TLS_REQUIRED, SMTP_IDENTITY_SOUND, scripts[i]);
        expect_int(pair_connect(&pair, "127.0.0.1"), SMTP_OK);
        expect_true(smtp_client_login(pair.client, "ann", "secret") != SMTP_OK);
        expect_true(smtp_client_is_connected(pair.client) == false ||
                    smtp_client_helo(pair.client) == SMTP_BAD_STATE);
        (void)smtp_client_quit(pair.client);
        pair_end(&pair);
    }
}

/* CVE-2020-15953 (libetpan#386), CVE-2021-22947 (curl), CVE-2021-38371 (Exim), nodemailer#1835 */
TEST(known_failures, starttls_response_injection)
{
    static const char *const injected[] = {"S: 250-mx\nS: 250 AUTH PLAIN\n", "S: 250 x\n",
                                           "S: 220 go\n"};
    for (size_t i = 0; i < COUNT(injected); i++) {
        static struct pair pair;
        char script[400];
        snprintf(script, sizeof script,
                 GREETED "S: 250 STARTTLS\nC: STARTTLS\nS: 220 go\n%s[eof]\n", injected[i]);
        pair_begin(&pair, SMTP_CLIENT_TLS_WHEN_OFFERED, SMTP_IDENTITY_SOUND, script);
        expect_int(pair_connect(&pair, "127.0.0.1"), SMTP_OK);
        expect_int(smtp_client_send(pair.client, &to_bob, smtp_content_text("x\n"), NULL),
                   SMTP_PROTOCOL_VIOLATION);
        expect_true(!smtp_client_is_connected(pair.client));
        pair_end(&pair);
    }
}

/* CVE-2017-15042 (Go's PlainAuth), davidmoten/subethasmtp#1 (AUTH offered before TLS) */
TEST(known_failures, plain_in_clear)
{
    static const struct smtp_server_user users[] = {{"ann", "secret"}};
    struct pair pair = {0};
    struct smtp_server_options options;
    struct smtp_wire wire;
    pair_begin(&pair, SMTP_CLIENT_TLS_NEVER, SMTP_IDENTITY_SOUND,
               GREETED "S: 250 AUTH PLAIN LOGIN XOAUTH2\n" BYE);
    expect_int(pair_connect(&pair, "127.0.0.1"), SMTP_OK);
    expect_int(smtp_client_login(pair.client, "ann", "secret"), SMTP_UNSUPPORTED);
    expect_int(smtp_client_quit(pair.client), SMTP_OK);
    pair_end(&pair);

    smtp_server_options_init(&options);
    options.auth.users = users;
    options.auth.user_count = 1;
    struct smtp_server *server = started(&options);
    greeted(&wire, server);
    const char *offered = smtp_wire_ask(&wire, "EHLO c.example");
    expect_true(strstr(offered, "PLAIN") == NULL && strstr(offered, "LOGIN") == NULL);
    expect_contains(smtp_wire_ask(&wire, "AUTH PLAIN AGFubgBzZWNyZXQ="), "538 5.7.11 ");
    expect_contains(smtp_wire_ask(&wire, "AUTH LOGIN"), "538 5.7.11 ");
    smtp_wire_close(&wire);
    smtp_server_free(server);
}

/* CVE-2014-0138 (curl: credentials), CVE-2026-4873 and CVE-2026-8286 (TLS settings) */
TEST(known_failures, connection_reuse)
{
    static const struct smtp_server_user users[] = {{"ann", "secret"}, {"cat", "other"}};
    static const struct smtp_client_credentials ann = {"ann", "secret", NULL, NULL, NULL, true},
                                                cat = {"cat", "other", NULL, NULL, NULL, true};
    enum { KINDS = 6 };
    struct smtp_server_options server_options;
    smtp_server_options_init(&server_options);
    server_options.auth.users = users;
    server_options.auth.user_count = 2;
    server_options.auth.plain_without_tls = true;
    struct smtp_server *server = started(&server_options);
    struct smtp_client_options plain, named, required, insecure;
    smtp_client_options_init(&plain);
    named = required = insecure = plain;
    named.helo_name = "c.example";
    required.tls.policy = insecure.tls.policy = SMTP_CLIENT_TLS_REQUIRED;
    required.tls.ca_pem = smtp_server_ca_pem(server);
    insecure.tls.insecure = true;
    const char *host = smtp_server_address(server, 0);
    const struct smtp_client_target targets[KINDS] = {
        {host, 0, &plain, NULL}, {host, 0, &named, NULL},    {host, 0, &plain, &ann},
        {host, 0, &plain, &cat}, {host, 0, &required, NULL}, {host, 0, &insecure, NULL}};
    struct smtp_client *first[KINDS], *again[KINDS];
    struct smtp_client_pool *pool = NULL;
    struct smtp_error error = {.message = ""};
    expect_int(smtp_client_pool_new(&pool, NULL), SMTP_OK);
    for (size_t i = 0; i < KINDS; i++) { /* each lies there when the next is asked for */
        expect_int(smtp_client_pool_take(pool, &targets[i], &first[i], &error), SMTP_OK);
        smtp_client_pool_give(pool, first[i]);
        expect_int(smtp_client_pool_count(pool), i + 1);
    }
    for (size_t i = 0; i < KINDS; i++) {
        expect_int(smtp_client_pool_take(pool, &targets[i], &again[i], &error), SMTP_OK);
        expect_true(again[i] == first[i]);
        smtp_client_pool_give(pool, again[i]);
    }
    smtp_client_pool_free(pool);
    smtp_server_free(server);
}

/* ---- content ---- */

struct dripping {
    const char *bytes;
    size_t len, at;
};

static ssize_t drip(void *user, char *bytes, size_t capacity)
{
    struct dripping *source = user;
    size_t len = capacity > 0 && source->at < source->len ? 1 : 0;
    memcpy(bytes, source->bytes + source->at, len);
    source->at += len;
    return (ssize_t)len;
}

static void expect_arrives(struct smtp_client *client, struct smtp_server *server,
                           struct smtp_content content, const char *expected, size_t len)
{
    size_t came_len = 0;
    struct smtp_mailbox *mailbox = smtp_server_mailbox(server);
    expect_int(smtp_client_send(client, &to_bob, content, NULL), SMTP_OK);
    struct smtp_message *message = smtp_mailbox_get(mailbox, smtp_mailbox_captured(mailbox));
    const char *came = smtp_message_content(message, &came_len);
    expect_bytes(came, came_len, expected, len);
    smtp_message_release(message);
}

static struct smtp_client *client_of(const struct smtp_server *server, bool chunking)
{
    struct smtp_client *client = NULL;
    struct smtp_client_options options;
    smtp_client_options_init(&options);
    options.chunking = chunking;
    expect_int(smtp_client_new(&client, &options), SMTP_OK);
    expect_int(smtp_client_connect(client, smtp_server_address(server, 0), 0), SMTP_OK);
    return client;
}

/* RUSTSEC-2021-0069 (lettre), curl#2304 (a dot that begins the message), curl#19193 (at a buffer's edge) */
TEST(known_failures, dot_stuffing)
{
    static const char *const texts[] = {".\r\n",           "..\r\n",        ".\r\n.\r\n",
                                        "a\r\n.\r\nb\r\n", "\r\n.\r\n\r\n", "a\r\n..b\r\n",
                                        ".a\r\n"};
    enum { EDGE = 65536, AROUND = 12, SIZE = EDGE + 64 };
    static char long_text[SIZE];
    struct smtp_server *server = started(NULL);
    struct smtp_client *client = client_of(server, false);
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct dripping source = {texts[i], strlen(texts[i]), 0};
        expect_arrives(client, server, smtp_content_text(texts[i]), texts[i], strlen(texts[i]));
        expect_arrives(client, server, smtp_content_callback(drip, &source), texts[i], source.len);
    }
    for (size_t edge = EDGE / 4; edge <= EDGE; edge *= 2) { /* and edges of smaller buffers */
        for (size_t dot = edge - AROUND; dot < edge + AROUND; dot++) {
            size_t len = dot;
            for (size_t i = 0; i < dot; i++) {
                size_t behind = (dot - 1 - i) % 64;
                long_text[i] = behind == 0 && i > 0 ? '\n' : behind == 1 ? '\r' : 'x';
            }
            memcpy(long_text + len, ".\r\n.\r\nRSET\r\n", 12);
            len += 12;
            expect_arrives(client, server, smtp_content_memory(long_text, len), long_text, len);
        }
    }
    smtp_client_free(client);
    smtp_server_free(server);
}

/* libetpan wrote commands into 513 octets by snprintf and did not look: without its CRLF both ends wait. mailio#216 */
TEST(known_failures, truncation)
{
    static char name[14000];
    struct smtp_server *server = started(NULL);
    struct smtp_client *client = client_of(server, true);
    for (size_t len = 1; len < sizeof name; len += len < 600 ? 1 : 997) {
        memset(name, 'x', len);
        memcpy(name + len, "", 1);
        enum smtp_status status = smtp_client_vrfy(client, name);
        bool whole = smtp_client_reply(client)->code == 252; /* the server has seen its CRLF */
        if (!(status == SMTP_OK && whole) && status != SMTP_LIMIT_EXCEEDED &&
            status != SMTP_REFUSED_PERMANENT) {
            SMTP_TEST_FAIL("%zu octets: %s", len, smtp_client_error(client)->message);
        }
        expect_int(smtp_client_noop(client), SMTP_OK); /* in step */
    }
    memset(name, 'x', 65);
    snprintf(name + 65, 20, "@example.com");
    expect_true(smtp_client_mail(client, name, NULL) != SMTP_OK); /* nothing was cut to fit */
    expect_int(smtp_client_noop(client), SMTP_OK);
    smtp_client_free(client);
    smtp_server_free(server);
}

/* ---- replies and headers that are hostile ---- */

/** The status of an EHLO that is answered by this. */
static enum smtp_status hello_answered(const char *lines)
{
    struct peer peer = {0};
    char *script = NULL;
    struct smtp_client *client = NULL;
    expect_true(asprintf(&script, "S: 220 mx\nC: EHLO [127.0.0.1]\n%s[ignore]\n", lines) > 0);
    peer_start(&peer, script);
    expect_int(smtp_client_new(&client, NULL), SMTP_OK);
    expect_int(smtp_client_connect(client, "127.0.0.1", peer.address.port), SMTP_OK);
    enum smtp_status status = smtp_client_ehlo(client);
    expect_true(status == SMTP_OK || !smtp_client_is_connected(client));
    smtp_client_free(client);
    peer_stop(&peer);
    free(script);
    return status;
}

static char *repeated(const char *before, const char *text, size_t count, const char *after)
{
    char *all = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&all, &len);
    fputs(before, out);
    for (size_t i = 0; i < count; i++) {
        fputs(text, out);
    }
    fputs(after, out);
    fclose(out);
    return all;
}

/* CVE-2013-1752 (smtplib's readline), Mailpit CVE-2026-67445, lettre's read_line without an end; curl#4287: EHLO lines that
 * are shorter than was thought */
TEST(known_failures, unbounded_reply)
{
    static const char *const short_lines[] = {"S: 250\n", "S: 250-\nS: 250 \n",
                                              "S: 250-S\nS: 250 \n",
                                              "S: 250-mx\nS: 250- \nS: 250-=\nS: 250 X=\n"};
    const struct {
        char *lines;
        enum smtp_status status;
    } rows[] = {
        {repeated("S: 250 ", "x", 20000, "\n"), SMTP_LIMIT_EXCEEDED},
        {repeated("", "S: 250-x\n", 2000, "S: 250 x\n"), SMTP_LIMIT_EXCEEDED},
        {repeated("", "S: 250-X\n", 500, "S: 250 x\n"), SMTP_OK},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        expect_int(hello_answered(rows[i].lines), rows[i].status);
        free(rows[i].lines);
    }
    for (size_t i = 0; i < COUNT(short_lines); i++) {
        (void)hello_answered(short_lines[i]); /* any answer, and nothing overrun */
    }
}

/** Sends a message with that To: field. */
static enum smtp_status send_to(struct smtp_client *client, char *field)
{
    char *message = repeated("From: ann@x\r\nTo: ", field, 1, "\r\nSubject: x\r\n\r\nx\r\n");
    enum smtp_status status = smtp_client_send_message(client, smtp_content_text(message), NULL);
    free(message);
    free(field);
    return status;
}

/* nodemailer 7.0.11: nested groups overflow the stack */
TEST(known_failures, parser_recursion)
{
    enum { DEEP = 200000 };
    static const char *const nested[] = {"(", "a:", "<", "\"", "[", "((a)", "a:b,"};
    struct smtp_harness *harness = smtp_harness_start(NULL, NULL);
    struct smtp_client *client = smtp_harness_client(harness);
    for (size_t i = 0; i < COUNT(nested); i++) {
        expect_true(send_to(client, repeated("", nested[i], DEEP, "bob@x")) != SMTP_OK);
    }
    char *parts =
        repeated("From: ann@x\r\nTo: bob@x\r\n",
                 "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n", 20000, "\r\nx\r\n");
    expect_int(smtp_client_send_message(client, smtp_content_text(parts), NULL), SMTP_OK);
    expect_true(smtp_harness_wait(harness, "to=bob@x header.From=ann@x") != NULL);
    free(parts);
    smtp_harness_stop(harness);
}

/* lettre parses the whole reply anew at each line, cpython#136063 (addresses), nodemailer GHSA-9h6g-pr28-7cqp: with what
 * is here a quadratic step would take minutes */
TEST(known_failures, quadratic_work)
{
    enum { MANY = 400000 };
    static const char *const hostile[] = {"(", ")", "<",    ">",     "\"\"", "\\", ",",  ":",
                                          ";", " ", "(\\)", "\r\n ", "a@",   "@a", "()a"};
    struct smtp_server_options options;
    smtp_server_options_init(&options);
    options.limits.text_line_octets = 0;
    struct smtp_server *server = started(&options);
    struct smtp_client *client = client_of(server, true);
    for (size_t i = 0; i < COUNT(hostile); i++) {
        (void)send_to(client, repeated("", hostile[i], MANY, ""));
        if (!smtp_client_is_connected(client)) {
            expect_int(smtp_client_connect(client, smtp_server_address(server, 0), 0), SMTP_OK);
        }
    }
    smtp_client_free(client);
    smtp_server_free(server);
    struct peer peer = {0};
    char *lines =
        repeated("S: 220 mx\nC: EHLO [127.0.0.1]\n", "S: 250-XWORD-AND-SOME-MORE-OF-IT-AND-MORE\n",
                 900, "S: 250 X\n[ignore]\n");
    peer_start(&peer, lines);
    peer.drip = true; /* octet by octet */
    expect_int(smtp_client_new(&client, NULL), SMTP_OK);
    expect_int(smtp_client_connect(client, "127.0.0.1", peer.address.port), SMTP_OK);
    expect_int(smtp_client_ehlo(client), SMTP_OK);
    smtp_client_free(client);
    peer_stop(&peer);
    free(lines);
}

/* ---- the end of a transaction ---- */

/* smtplib after a refused DATA, boulder#4036, nodemailer: a reply nobody waits for any more */
TEST(known_failures, transaction_left_open)
{
    static const char *const refusals[] = {
        "C: MAIL FROM:<ann@x>\nS: 451 no\n",
        "C: MAIL FROM:<ann@x>\nS: 250 ok\nC: RCPT TO:<bob@x>\nS: 550 no\n",
        "C: MAIL FROM:<ann@x>\nS: 250 ok\nC: RCPT TO:<bob@x>\nS: 250 ok\nC: DATA\nS: 452 no\n",
    };
    for (size_t i = 0; i < COUNT(refusals); i++) {
        static struct pair pair;
        char script[900];
        snprintf(script, sizeof script,
                 GREETED
                 "S: 250 DSN\n%sC: RSET\nS: 250 ok\nC: MAIL FROM:<ann@x>\nS: 250 ok\n"
                 "C: RCPT TO:<bob@x>\nS: 250 ok\nC: DATA\nS: 354 go\n[content]\nS: 250 ok\n" BYE,
                 refusals[i]);
        pair_begin(&pair, SMTP_CLIENT_TLS_NEVER, SMTP_IDENTITY_SOUND, script);
        expect_int(pair_connect(&pair, "127.0.0.1"), SMTP_OK);
        expect_true(smtp_client_send(pair.client, &to_bob, smtp_content_text("x\n"), NULL) !=
                    SMTP_OK);
        expect_int(smtp_client_send(pair.client, &to_bob, smtp_content_text("x\n"), NULL), SMTP_OK);
        expect_int(smtp_client_quit(pair.client), SMTP_OK);
        pair_end(&pair);
    }
}
