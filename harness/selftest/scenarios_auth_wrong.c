/* scenarios_auth_wrong.c - AUTH as it goes wrong: no login, a wrong one, at the wrong time, in the wrong
 * form, too weak, and servers that do not prove who they are. */
#include "common/secret.h"
#include "harness/selftest/scenarios.h"

#include <stdio.h>
#include <string.h>

#define SECRET "correct-horse"
#define PLAIN_ANN "AGFubgBjb3JyZWN0LWhvcnNl" /* NUL ann NUL correct-horse */
#define COUNT(array) (sizeof(array) / sizeof *(array))

static void let_ann_in(struct smtp_harness_options *options)
{
    static const struct smtp_server_user users[] = {{"ann", SECRET}};
    smtp_trial_options(options);
    options->server.auth.users = users;
    options->server.auth.user_count = 1;
}

/** A raw connection to a server that ann can log in to without TLS, too; EHLO said. */
static struct smtp_raw *open_wire(struct smtp_trial *trial, struct smtp_harness_options *options)
{
    options->server.auth.plain_without_tls = true;
    struct smtp_harness *harness = smtp_trial_harness(trial, options);
    struct smtp_raw *wire = harness != NULL ? smtp_trial_wire(trial, harness) : NULL;
    return wire != NULL && smtp_raw_asks(trial, wire, "EHLO client.test", "250") ? wire : NULL;
}

static bool says_goodbye(struct smtp_trial *trial, struct smtp_raw *wire)
{
    return smtp_raw_asks(trial, wire, "QUIT", "221") && smtp_raw_closes(trial, wire);
}

/* ---- no login, or a wrong one ---- */

static bool login_required(struct smtp_trial *trial)
{
    /* the article's closing remark: "permission denied because the login process is required".
     * RFC 4954 6: 530 5.7.0 to MAIL; the same session, once logged in, sends */
    struct smtp_ends ends;
    struct smtp_harness_options options;
    let_ann_in(&options);
    options.server.auth.required = true;
    options.client.tls.policy = SMTP_CLIENT_TLS_REQUIRED;
    if (!smtp_trial_open(trial, &options, &ends) ||
        !smtp_trial_send(trial, ends.client, BOB, smtp_content_text("no\n"), SMTP_REFUSED_PERMANENT,
                         530)) {
        return false;
    }
    return smtp_trial_holds(trial, "the dialogue", smtp_harness_transcript(ends.harness, 1),
                            "S: 530 5.7.0 ") &&
           smtp_trial_count(trial, ends.harness, 0) &&
           smtp_trial_is_ok(trial, "login", smtp_client_login(ends.client, "ann", SECRET),
                            ends.client) &&
           smtp_trial_arrives(trial, &ends, "auth=ann protocol=ESMTPSA");
}

static bool wrong_password(struct smtp_trial *trial)
{
    /* RFC 4954 6: 535 5.7.8, whoever it is; the session goes on */
    static const char *const mechanisms[] = {"PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-256"};
    static const char *const identities[] = {"ann", "nobody"};
    struct smtp_ends ends;
    struct smtp_harness_options options;
    let_ann_in(&options);
    options.client.tls.policy = SMTP_CLIENT_TLS_REQUIRED;
    if (!smtp_trial_open(trial, &options, &ends)) {
        return false;
    }
    for (size_t i = 0; i < COUNT(mechanisms) * COUNT(identities); i++) {
        struct smtp_client_credentials credentials = {
            .identity = identities[i % 2], .password = "wrong", .mechanism = mechanisms[i / 2]};
        if (!smtp_trial_is_status(trial, mechanisms[i / 2],
                                  smtp_client_auth(ends.client, &credentials),
                                  SMTP_REFUSED_PERMANENT, ends.client) ||
            !smtp_trial_is_number(trial, "the code", (uint64_t)smtp_client_reply(ends.client)->code,
                                  535)) {
            return false;
        }
    }
    return smtp_trial_is_number(
               trial, "times 535 5.7.8",
               smtp_times(smtp_harness_transcript(ends.harness, 1), "S: 535 5.7.8 "),
               COUNT(mechanisms) * COUNT(identities)) &&
           smtp_trial_arrives(trial, &ends, "auth=\"\" protocol=ESMTPS");
}

static bool no_weaker_retry(struct smtp_trial *trial)
{
    /* a refused password is not handed out in a form that tells more */
    struct smtp_ends ends;
    struct smtp_harness_options options;
    let_ann_in(&options);
    options.client.tls.policy = SMTP_CLIENT_TLS_REQUIRED;
    return smtp_trial_open(trial, &options, &ends) &&
           smtp_trial_is_status(trial, "login", smtp_client_login(ends.client, "ann", "wrong"),
                                SMTP_REFUSED_PERMANENT, ends.client) &&
           smtp_trial_is_number(trial, "AUTH commands",
                                smtp_times(smtp_harness_transcript(ends.harness, 1), "C: AUTH "),
                                1);
}

static bool mechanism_too_weak(struct smtp_trial *trial)
{
    /* RFC 4954 6: 534 5.7.9 */
    struct smtp_harness_options options;
    let_ann_in(&options);
    options.server.auth.too_weak = "PLAIN LOGIN CRAM-MD5";
    struct smtp_raw *wire = open_wire(trial, &options);
    return wire != NULL && smtp_raw_asks(trial, wire, "AUTH PLAIN " PLAIN_ANN, "534 5.7.9") &&
           smtp_raw_asks(trial, wire, "AUTH CRAM-MD5", "534 5.7.9") &&
           smtp_raw_asks(trial, wire, "AUTH NO-SUCH-ONE", "504") && says_goodbye(trial, wire);
}

static bool tls_needed_for_plain(struct smtp_trial *trial)
{
    /* RFC 4954 6: 538 5.7.11; neither offered nor taken in the clear */
    struct smtp_ends ends;
    struct smtp_harness_options options;
    struct smtp_client_credentials credentials = {
        .identity = "ann", .password = SECRET, .mechanism = "PLAIN"};
    let_ann_in(&options);
    if (!smtp_trial_open(trial, &options, &ends)) {
        return false;
    }
    struct smtp_raw *wire = smtp_trial_wire(trial, ends.harness);
    return wire != NULL && smtp_raw_asks(trial, wire, "EHLO client.test", "250") &&
           smtp_raw_asks(trial, wire, "AUTH PLAIN " PLAIN_ANN, "538 5.7.11") &&
           smtp_raw_asks(trial, wire, "AUTH LOGIN", "538 5.7.11") && says_goodbye(trial, wire) &&
           smtp_trial_is_status(trial, "PLAIN in the clear",
                                smtp_client_auth(ends.client, &credentials), SMTP_UNSUPPORTED,
                                ends.client) &&
           smtp_trial_is_number(trial, "AUTH commands of the client",
                                smtp_times(smtp_harness_transcript(ends.harness, 1), "C: AUTH "),
                                0);
}

/* ---- at the wrong time ---- */

static bool auth_twice(struct smtp_trial *trial)
{
    /* RFC 4954 4: 503 after a successful one */
    struct smtp_harness_options options;
    let_ann_in(&options);
    struct smtp_raw *wire = open_wire(trial, &options);
    return wire != NULL && smtp_raw_asks(trial, wire, "AUTH PLAIN " PLAIN_ANN, "235 2.7.0") &&
           smtp_raw_asks(trial, wire, "AUTH PLAIN " PLAIN_ANN, "503") && says_goodbye(trial, wire);
}

static bool auth_in_transaction(struct smtp_trial *trial)
{
    struct smtp_harness_options options;
    let_ann_in(&options);
    struct smtp_raw *wire = open_wire(trial, &options);
    return wire != NULL && smtp_raw_asks(trial, wire, "MAIL FROM:<" ANN ">", "250") &&
           smtp_raw_asks(trial, wire, "AUTH PLAIN " PLAIN_ANN, "503") &&
           smtp_raw_asks(trial, wire, "RSET", "250") &&
           smtp_raw_asks(trial, wire, "AUTH PLAIN " PLAIN_ANN, "235") && says_goodbye(trial, wire);
}

static bool auth_before_ehlo(struct smtp_trial *trial)
{
    struct smtp_harness_options options;
    let_ann_in(&options);
    options.server.auth.plain_without_tls = true;
    struct smtp_harness *harness = smtp_trial_harness(trial, &options);
    struct smtp_raw *wire = harness != NULL ? smtp_trial_wire(trial, harness) : NULL;
    return wire != NULL && smtp_raw_asks(trial, wire, "AUTH PLAIN " PLAIN_ANN, "503") &&
           smtp_raw_asks(trial, wire, "EHLO client.test", "250") && says_goodbye(trial, wire);
}

/* ---- in the wrong form ---- */

static bool auth_cancelled(struct smtp_trial *trial)
{
    /* RFC 4954 4: "*" gives up, 501; the next try is a new one */
    struct smtp_harness_options options;
    let_ann_in(&options);
    struct smtp_raw *wire = open_wire(trial, &options);
    return wire != NULL && smtp_raw_asks(trial, wire, "AUTH LOGIN", "334 ") &&
           smtp_raw_asks(trial, wire, "YW5u", "334 ") && smtp_raw_asks(trial, wire, "*", "501") &&
           smtp_raw_asks(trial, wire, "AUTH PLAIN", "334 ") &&
           smtp_raw_asks(trial, wire, PLAIN_ANN, "235") && says_goodbye(trial, wire);
}

static bool auth_bad_base64(struct smtp_trial *trial)
{
    /* RFC 4954 4: 501 5.5.2; an empty initial response is "=" */
    struct smtp_harness_options options;
    let_ann_in(&options);
    struct smtp_raw *wire = open_wire(trial, &options);
    return wire != NULL && smtp_raw_asks(trial, wire, "AUTH PLAIN !!!", "501 5.5.2") &&
           smtp_raw_asks(trial, wire, "AUTH LOGIN", "334 ") &&
           smtp_raw_asks(trial, wire, "YW5", "501 5.5.2") &&
           smtp_raw_asks(trial, wire, "AUTH PLAIN =", "5") &&
           smtp_raw_asks(trial, wire, "AUTH PLAIN " PLAIN_ANN, "235") && says_goodbye(trial, wire);
}

static bool auth_line_too_long(struct smtp_trial *trial)
{
    /* RFC 4954 4: 500 beyond 12288 octets, as one line; no tail of it is a command */
    struct smtp_harness_options options;
    let_ann_in(&options);
    struct smtp_raw *wire = open_wire(trial, &options);
    size_t size = 20000;
    char *line = smtp_trial_alloc(trial, size);
    if (wire == NULL || line == NULL) {
        return false;
    }
    memset(line, 'A', size - 1);
    memcpy(line, "AUTH PLAIN ", strlen("AUTH PLAIN "));
    bool held =
        smtp_raw_asks(trial, wire, line, "500") && smtp_raw_asks(trial, wire, "AUTH LOGIN", "334 ");
    memset(line, 'A', strlen("AUTH PLAIN "));
    return held && smtp_raw_asks(trial, wire, line, "500 5.5.6") &&
           smtp_raw_asks(trial, wire, "AUTH PLAIN " PLAIN_ANN, "235") && says_goodbye(trial, wire);
}

/* ---- servers that do not prove who they are ---- */

/** The last word of what was heard, decoded. */
static bool last_response(struct smtp_span heard, struct smtp_buffer *decoded)
{
    if (heard.len < 2) {
        return false;
    }
    size_t end = heard.len - 2, begin = end; /* without CRLF */
    while (begin > 0 && heard.bytes[begin - 1] != ' ' && heard.bytes[begin - 1] != '\n') {
        begin--;
    }
    return smtp_base64_decode(decoded, (struct smtp_span){heard.bytes + begin, end - begin}) ==
           SMTP_OK;
}

/** RFC 5802 5: the client's nonce with one's own behind it, a salt, a count. */
static bool make_server_first(struct smtp_span heard, struct smtp_buffer *answer)
{
    struct smtp_buffer first = SMTP_BUFFER(1024), message = SMTP_BUFFER(1024);
    bool made = last_response(heard, &first) && smtp_buffer_append(&first, "", 1) == SMTP_OK;
    const char *nonce = made ? strstr(smtp_buffer_span(&first).bytes, "r=") : NULL;
    struct smtp_span rest = SMTP_SPAN("SERVERS,s=c2FsdHNhbHQ=,i=4096");
    made = nonce != NULL && smtp_buffer_append(&message, nonce, strlen(nonce)) == SMTP_OK &&
           smtp_buffer_append(&message, rest.bytes, rest.len) == SMTP_OK &&
           smtp_buffer_append(answer, "334 ", 4) == SMTP_OK &&
           smtp_base64_append(answer, smtp_buffer_span(&message)) == SMTP_OK &&
           smtp_buffer_append(answer, "\r\n", 2) == SMTP_OK;
    smtp_buffer_free(&first);
    smtp_buffer_free(&message);
    return made;
}

/** "v=" and a signature that is none. */
#define WRONG_SIGNATURE "dj1BQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBPQ=="

static const struct smtp_peer_step wrong_signature[] = {
    SAY("220 peer.test ESMTP\r\n"),
    HEAR("EHLO client.test\r\n"),
    SAY("250-peer.test\r\n250 AUTH SCRAM-SHA-256 PLAIN\r\n"),
    HEAR("AUTH SCRAM-SHA-256 "),
    HEAR("\r\n"),
    MAKE(make_server_first),
    HEAR("\r\n"),
    SAY("334 " WRONG_SIGNATURE "\r\n"),
    HEAR("*\r\n"),
    SAY("501 5.7.0 given up\r\n"),
};

static const struct smtp_peer_step no_signature[] = {
    SAY("220 peer.test ESMTP\r\n"),
    HEAR("EHLO client.test\r\n"),
    SAY("250-peer.test\r\n250 AUTH SCRAM-SHA-256 PLAIN\r\n"),
    HEAR("AUTH SCRAM-SHA-256 "),
    HEAR("\r\n"),
    MAKE(make_server_first),
    HEAR("\r\n"),
    SAY("235 2.7.0 welcome, whoever you are\r\n"),
};

/** RFC 5802 3: a server that knows the password proves it; this one does not. */
static bool distrusts(struct smtp_trial *trial, const struct smtp_peer_step *steps, size_t count)
{
    struct smtp_client_options options;
    smtp_client_options_init(&options);
    options.helo_name = "client.test";
    struct smtp_peer *peer = smtp_trial_peer(trial, steps, count);
    struct smtp_client *client = peer != NULL ? smtp_trial_client(trial, &options) : NULL;
    struct smtp_span heard;
    return client != NULL &&
           smtp_trial_is_ok(trial, "connect",
                            smtp_client_connect(client, smtp_peer_address(peer), 0), client) &&
           smtp_trial_is_status(trial, "login", smtp_client_login(client, "ann", SECRET),
                                SMTP_PROTOCOL_VIOLATION, client) &&
           smtp_trial_is_true(trial, "the client is not logged in",
                              !smtp_client_is_authenticated(client)) &&
           smtp_trial_is_ok(trial, "the script", smtp_peer_finish(peer, &heard), NULL);
}

static bool scram_wrong_signature(struct smtp_trial *trial)
{
    return distrusts(trial, wrong_signature, COUNT(wrong_signature));
}

static bool scram_no_signature(struct smtp_trial *trial)
{
    return distrusts(trial, no_signature, COUNT(no_signature));
}

static const struct smtp_peer_step only_plain[] = {
    SAY("220 peer.test ESMTP\r\n"),
    HEAR("EHLO client.test\r\n"),
    SAY("250-peer.test\r\n250 AUTH PLAIN LOGIN XOAUTH2\r\n"),
    HEAR("QUIT\r\n"),
    SAY("221 bye\r\n"),
};

static bool no_password_in_the_clear(struct smtp_trial *trial)
{
    /* RFC 4954 4: not even where the server asks for it; the option plain_without_tls says so */
    struct smtp_client_options options;
    smtp_client_options_init(&options);
    options.helo_name = "client.test";
    struct smtp_peer *peer = smtp_trial_peer(trial, only_plain, COUNT(only_plain));
    struct smtp_client *client = peer != NULL ? smtp_trial_client(trial, &options) : NULL;
    struct smtp_span heard;
    return client != NULL &&
           smtp_trial_is_ok(trial, "connect",
                            smtp_client_connect(client, smtp_peer_address(peer), 0), client) &&
           smtp_trial_is_status(trial, "login", smtp_client_login(client, "ann", SECRET),
                                SMTP_UNSUPPORTED, client) &&
           smtp_trial_is_ok(trial, "QUIT", smtp_client_quit(client), client) &&
           smtp_trial_is_ok(trial, "the script", smtp_peer_finish(peer, &heard), NULL) &&
           smtp_trial_is_octets(trial, "what the peer heard", heard,
                                SMTP_SPAN("EHLO client.test\r\nQUIT\r\n"));
}

static const struct smtp_scenario rows[] = {
    {"login-required", "4954 6", "530 5.7.0 until the login, and then it is sent", login_required},
    {"wrong-password", "4954 6", "535 5.7.8, whoever it is, by each mechanism", wrong_password},
    {"no-weaker-retry", "4954 9", "a refused password is not tried in a weaker form",
     no_weaker_retry},
    {"auth-too-weak", "4954 6", "534 5.7.9", mechanism_too_weak},
    {"auth-needs-tls", "4954 6", "538 5.7.11 for a password in the clear", tls_needed_for_plain},
    {"auth-twice", "4954 4", "503 after a login", auth_twice},
    {"auth-in-transaction", "4954 4", "503, and the transaction is whole", auth_in_transaction},
    {"auth-before-ehlo", "4954 4", "503", auth_before_ehlo},
    {"auth-cancelled", "4954 4", "\"*\": 501, and a new try", auth_cancelled},
    {"auth-bad-base64", "4954 4", "501 5.5.2", auth_bad_base64},
    {"auth-line-too-long", "4954 4", "500, in the command and after 334", auth_line_too_long},
    {"scram-wrong-signature", "5802 5", "the server's proof is wrong: no login",
     scram_wrong_signature},
    {"scram-no-signature", "5802 5", "235 without a proof: no login", scram_no_signature},
    {"no-password-in-the-clear", "4954 9", "only PLAIN is offered, without TLS: not sent",
     no_password_in_the_clear},
};
const struct smtp_scenario_table smtp_scenarios_auth_wrong = {rows, sizeof rows / sizeof *rows};
