/* scenarios_auth.c - AUTH as it should be: each mechanism, who is captured as who, and what never shows.
 * What goes wrong, by mistake or on purpose, is in scenarios_auth_wrong.c. */
#include "common/secret.h"
#include "harness/selftest/certificates.h"
#include "harness/selftest/scenarios.h"

#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>

#define SECRET "correct-horse"

/** The bounded defaults; ann can log in; the client requires TLS. */
static void let_ann_in(struct smtp_harness_options *options)
{
    static const struct smtp_server_user users[] = {{"ann", SECRET}};
    smtp_trial_options(options);
    options->server.auth.users = users;
    options->server.auth.user_count = 1;
    options->client.tls.policy = SMTP_CLIENT_TLS_REQUIRED;
}

/** ann logs in by the mechanism and sends; both ends agree on how. */
static bool logs_in(struct smtp_trial *trial, const struct smtp_harness_options *options,
                    const struct smtp_client_credentials *credentials, const char *expectation)
{
    struct smtp_ends ends;
    char line[64];
    snprintf(line, sizeof line, "C: AUTH %s", credentials->mechanism);
    return smtp_trial_open(trial, options, &ends) &&
           smtp_trial_is_ok(trial, line + 3, smtp_client_auth(ends.client, credentials),
                            ends.client) &&
           smtp_trial_is_number(trial, "the code", (uint64_t)smtp_client_reply(ends.client)->code,
                                235) &&
           smtp_trial_is_true(trial, "the client knows that it is logged in",
                              smtp_client_is_authenticated(ends.client)) &&
           smtp_trial_holds(trial, "the dialogue", smtp_harness_transcript(ends.harness, 1),
                            line) &&
           smtp_trial_arrives(trial, &ends, expectation);
}

static bool by_password(struct smtp_trial *trial, const char *mechanism)
{
    struct smtp_harness_options options;
    struct smtp_client_credentials credentials = {
        .identity = "ann", .password = SECRET, .mechanism = mechanism};
    let_ann_in(&options);
    options.server.auth.required = true;
    return logs_in(trial, &options, &credentials, "auth=ann tls~^TLS protocol=ESMTPSA");
}

/** Those that do not send the password need no TLS. */
static bool by_proof_in_the_clear(struct smtp_trial *trial, const char *mechanism)
{
    struct smtp_harness_options options;
    struct smtp_client_credentials credentials = {
        .identity = "ann", .password = SECRET, .mechanism = mechanism};
    let_ann_in(&options);
    options.client.tls.policy = SMTP_CLIENT_TLS_NEVER;
    return logs_in(trial, &options, &credentials, "auth=ann tls=\"\" protocol=ESMTPA");
}

static bool by_token(struct smtp_trial *trial, const char *mechanism)
{
    struct smtp_harness_options options;
    struct smtp_client_credentials credentials = {
        .identity = "ann", .token = SECRET, .mechanism = mechanism};
    let_ann_in(&options);
    return logs_in(trial, &options, &credentials, "auth=ann tls~^TLS protocol=ESMTPSA");
}

static bool auth_plain(struct smtp_trial *trial)
{
    return by_password(trial, "PLAIN");
}

static bool auth_login(struct smtp_trial *trial)
{
    return by_password(trial, "LOGIN");
}

static bool auth_cram_md5(struct smtp_trial *trial)
{
    return by_proof_in_the_clear(trial, "CRAM-MD5");
}

static bool auth_scram_sha_1(struct smtp_trial *trial)
{
    return by_proof_in_the_clear(trial, "SCRAM-SHA-1");
}

static bool auth_scram_sha_256(struct smtp_trial *trial)
{
    return by_proof_in_the_clear(trial, "SCRAM-SHA-256");
}

static bool auth_xoauth2(struct smtp_trial *trial)
{
    return by_token(trial, "XOAUTH2");
}

static bool auth_oauthbearer(struct smtp_trial *trial)
{
    return by_token(trial, "OAUTHBEARER");
}

/** Bound to the TLS connection: tls-unique in 1.2 (RFC 5929), tls-exporter in 1.3 (RFC 9266). */
static bool bound(struct smtp_trial *trial, const char *mechanism, int version,
                  const char *expectation)
{
    struct smtp_identity *identity = smtp_trial_identity(trial, SMTP_IDENTITY_SOUND);
    struct smtp_harness_options options;
    struct smtp_client_credentials credentials = {
        .identity = "ann", .password = SECRET, .mechanism = mechanism};
    if (identity == NULL) {
        return false;
    }
    let_ann_in(&options);
    options.server.tls.identity = identity;
    options.client.tls.context =
        smtp_trial_client_context(trial, smtp_identity_ca_pem(identity), version);
    return options.client.tls.context != NULL &&
           logs_in(trial, &options, &credentials, expectation);
}

static bool auth_scram_sha_1_plus(struct smtp_trial *trial)
{
    return bound(trial, "SCRAM-SHA-1-PLUS", TLS1_2_VERSION, "auth=ann tls=TLSv1.2");
}

static bool auth_scram_sha_256_plus(struct smtp_trial *trial)
{
    return bound(trial, "SCRAM-SHA-256-PLUS", TLS1_3_VERSION, "auth=ann tls=TLSv1.3");
}

/* ---- by the certificate ---- */

static bool auth_external(struct smtp_trial *trial)
{
    /* RFC 4422 A: whom the client's certificate names is who logs in */
    struct smtp_identity *identity = smtp_trial_identity(trial, SMTP_IDENTITY_SOUND);
    struct smtp_identity *ann =
        identity != NULL ? smtp_trial_client_identity(trial, identity, "ann") : NULL;
    struct smtp_harness_options options;
    struct smtp_client_credentials credentials = {.mechanism = "EXTERNAL"};
    if (ann == NULL) {
        return false;
    }
    let_ann_in(&options);
    options.server.tls.identity = identity;
    options.server.tls.client_ca_pem = smtp_identity_ca_pem(identity);
    options.client.tls.identity = ann;
    return logs_in(trial, &options, &credentials, "tls~^TLS auth=ann protocol=ESMTPSA");
}

/* ---- which mechanism ---- */

static bool strongest_offered(struct smtp_trial *trial)
{
    struct smtp_ends ends;
    struct smtp_harness_options options;
    let_ann_in(&options);
    return smtp_trial_open(trial, &options, &ends) &&
           smtp_trial_is_ok(trial, "login", smtp_client_login(ends.client, "ann", SECRET),
                            ends.client) &&
           smtp_trial_holds(trial, "the dialogue", smtp_harness_transcript(ends.harness, 1),
                            "C: AUTH SCRAM-SHA-256-PLUS ***\n") &&
           smtp_trial_arrives(trial, &ends, "auth=ann");
}

static bool initial_response_over_512(struct smtp_trial *trial)
{
    /* RFC 4954 4: with it the AUTH command would be longer than 512 octets, so it waits for 334 */
    char token[1000];
    memset(token, 't', sizeof token - 1);
    token[sizeof token - 1] = '\0';
    struct smtp_server_user users[] = {{"ann", token}};
    struct smtp_client_credentials credentials = {
        .identity = "ann", .token = token, .mechanism = "OAUTHBEARER"};
    struct smtp_harness_options options;
    struct smtp_ends ends;
    let_ann_in(&options);
    options.server.auth.users = users;
    return smtp_trial_open(trial, &options, &ends) &&
           smtp_trial_is_ok(trial, "AUTH", smtp_client_auth(ends.client, &credentials),
                            ends.client) &&
           smtp_trial_holds(trial, "the dialogue", smtp_harness_transcript(ends.harness, 1),
                            "C: AUTH OAUTHBEARER\nS: 334") &&
           smtp_trial_arrives(trial, &ends, "auth=ann");
}

static bool utf_8_credentials(struct smtp_trial *trial)
{
    /* RFC 4616 2, RFC 4013: a name and a password beyond ASCII, by each way they are prepared */
    static const struct smtp_server_user users[] = {
        {"j\xC3\xBCrgen", "pa\xC3\x9Fwort \xE2\x82\xAC"}};
    static const char *const mechanisms[] = {"PLAIN", "LOGIN", "SCRAM-SHA-256"};
    struct smtp_harness_options options;
    let_ann_in(&options);
    options.server.auth.users = users;
    struct smtp_harness *harness = smtp_trial_harness(trial, &options);
    for (size_t i = 0; harness != NULL && i < sizeof mechanisms / sizeof *mechanisms; i++) {
        struct smtp_client *client = smtp_harness_connect(harness);
        struct smtp_client_credentials credentials = {.identity = users[0].identity,
                                                      .password = users[0].password,
                                                      .mechanism = mechanisms[i]};
        if (client == NULL ||
            !smtp_trial_is_ok(trial, mechanisms[i], smtp_client_auth(client, &credentials),
                              client) ||
            !smtp_trial_send(trial, client, BOB, smtp_content_text("\n"), SMTP_OK, 250)) {
            return false;
        }
    }
    return harness != NULL &&
           smtp_trial_expect(trial, harness, "auth=j\xC3\xBCrgen protocol=ESMTPSA count=3");
}

/* ---- hooks ---- */

static enum smtp_server_verdict only_as_sales(void *user,
                                              const struct smtp_server_session_info *session,
                                              const struct smtp_server_credentials *credentials,
                                              struct smtp_server_reply *reply)
{
    (void)user;
    bool secret_fits = credentials->secret != NULL && strcmp(credentials->secret, SECRET) == 0;
    if (session->tls != NULL && secret_fits &&
        strcmp(credentials->authorization_identity, "sales") == 0) {
        return SMTP_ACCEPT;
    }
    return smtp_server_reply(reply, 535, "5.7.8", "%s may not be %s", credentials->identity,
                             credentials->authorization_identity);
}

static bool auth_hook(struct smtp_trial *trial)
{
    /* a program that checks passwords itself, and who may act as whom (RFC 4616 2) */
    struct smtp_client_credentials credentials = {.identity = "ann",
                                                  .password = SECRET,
                                                  .authorization_identity = "boss",
                                                  .mechanism = "PLAIN"};
    struct smtp_ends ends;
    struct smtp_harness_options options;
    let_ann_in(&options);
    options.server.auth.user_count = 0;
    options.server.hooks.auth = only_as_sales;
    if (!smtp_trial_open(trial, &options, &ends) ||
        !smtp_trial_is_status(trial, "AUTH as boss", smtp_client_auth(ends.client, &credentials),
                              SMTP_REFUSED_PERMANENT, ends.client) ||
        !smtp_trial_is_text(trial, "the hook's reply", smtp_client_reply(ends.client)->text,
                            "ann may not be boss")) {
        return false;
    }
    credentials.authorization_identity = "sales";
    return smtp_trial_is_ok(trial, "AUTH as sales", smtp_client_auth(ends.client, &credentials),
                            ends.client) &&
           smtp_trial_arrives(trial, &ends, "auth~. protocol=ESMTPSA");
}

/* ---- one call ---- */

static bool sends_by_url(struct smtp_trial *trial, struct smtp_harness *harness, const char *url,
                         const char *expectation)
{
    struct smtp_client_options options;
    struct smtp_error error = {.status = SMTP_OK};
    struct smtp_envelope envelope = {
        .reverse_path = ANN, .forward_paths = (const char *[]){BOB}, .forward_path_count = 1};
    smtp_client_options_init(&options);
    options.tls.ca_pem = smtp_harness_ca_pem(harness);
    enum smtp_status status =
        smtp_send_url(url, &options, &envelope, smtp_content_text("by URL\n"), &error);
    return (status == SMTP_OK || smtp_trial_fail(trial, "smtp_send_url: %s", error.message)) &&
           smtp_trial_count(trial, harness, 1) &&
           smtp_trial_captured(trial, harness, 0, ANN, BOB, SMTP_SPAN("by URL\r\n")) &&
           smtp_trial_expect(trial, harness, expectation);
}

static bool url_with(struct smtp_trial *trial, struct smtp_harness_options *options,
                     const char *user, const char *query, const char *expectation)
{
    static const struct smtp_server_user users[] = {{"ann@example.com", "p:s/%"}};
    options->server.auth.users = users;
    options->server.auth.user_count = 1;
    options->server.auth.required = true;
    struct smtp_harness *harness = smtp_trial_harness(trial, options);
    if (harness == NULL) {
        return false;
    }
    char url[200];
    const char *base = smtp_harness_url(harness), *address = strstr(base, "://") + strlen("://");
    snprintf(url, sizeof url, "%.*s%s@%s%s", (int)(address - base), base, user, address, query);
    return sends_by_url(trial, harness, url, expectation);
}

static bool send_url_starttls(struct smtp_trial *trial)
{
    /* RFC 3986 2.1: what stands in the URL is percent-decoded */
    struct smtp_harness_options options;
    smtp_trial_options(&options);
    return url_with(trial, &options, "ann%40example.com:p%3As%2F%25", "?tls=required",
                    "tls~^TLS auth=ann@example.com protocol=ESMTPSA");
}

static bool send_url_implicit_tls(struct smtp_trial *trial)
{
    struct smtp_harness_options options;
    smtp_trial_tls_options(&options);
    return url_with(trial, &options, "ann%40example.com:p%3As%2F%25", "?helo=client.test",
                    "helo=client.test tls~^TLS auth=ann@example.com protocol=ESMTPSA");
}

/* ---- what never shows ---- */

/** Neither the secret nor its base64 form, at any of its three alignments. */
static bool is_free_of(struct smtp_trial *trial, const char *what, const char *text,
                       const char *secret)
{
    bool found = strstr(text, secret) != NULL;
    for (size_t skipped = 0; skipped < 3 && !found; skipped++) {
        struct smtp_buffer base64 = SMTP_BUFFER(1024);
        size_t len = (strlen(secret) - skipped) / 3 * 3; /* whole groups: no padding */
        struct smtp_span part = {secret + skipped, len};
        if (smtp_base64_append(&base64, part) != SMTP_OK ||
            smtp_buffer_append(&base64, "", 1) != SMTP_OK) {
            return smtp_trial_fail(trial, "out of memory");
        }
        found = strstr(text, smtp_buffer_span(&base64).bytes) != NULL;
        smtp_buffer_free(&base64);
    }
    return smtp_trial_is_true(trial, what, !found);
}

static bool secrets_never_show(struct smtp_trial *trial)
{
    /* the log of either end and the transcript, by the ways that send the secret itself */
    static const char *const mechanisms[] = {"PLAIN", "LOGIN", "XOAUTH2", "OAUTHBEARER"};
    struct smtp_harness_options options;
    let_ann_in(&options);
    struct smtp_harness *harness = smtp_trial_harness(trial, &options);
    if (harness == NULL) {
        return false;
    }
    options.client.tls.ca_pem = smtp_harness_ca_pem(harness);
    const char *address = smtp_server_address(smtp_harness_server(harness), 0);
    for (size_t i = 0; i < sizeof mechanisms / sizeof *mechanisms; i++) {
        struct smtp_client *client = smtp_trial_client(trial, &options.client);
        struct smtp_client_credentials credentials = {.identity = "ann",
                                                      .mechanism = mechanisms[i],
                                                      .password = i < 2 ? SECRET : NULL,
                                                      .token = i < 2 ? NULL : SECRET};
        if (client == NULL ||
            !smtp_trial_is_ok(trial, "connect", smtp_client_connect(client, address, 0), client) ||
            !smtp_trial_is_ok(trial, mechanisms[i], smtp_client_auth(client, &credentials),
                              client) ||
            !smtp_trial_is_ok(trial, "QUIT", smtp_client_quit(client), client) ||
            !is_free_of(trial, "the server's log hides it", smtp_harness_transcript(harness, i + 1),
                        SECRET)) {
            return false;
        }
    }
    return smtp_trial_holds(trial, "the client's log", smtp_trial_said(trial),
                            "C: AUTH PLAIN ***\n") &&
           is_free_of(trial, "the client's log hides it", smtp_trial_said(trial), SECRET);
}

static const struct smtp_scenario rows[] = {
    {"auth-plain", "4616", "PLAIN under TLS", auth_plain},
    {"auth-login", "4954 4", "LOGIN under TLS", auth_login},
    {"auth-cram-md5", "2195", "CRAM-MD5 in the clear", auth_cram_md5},
    {"auth-scram-sha-1", "5802", "SCRAM-SHA-1 in the clear", auth_scram_sha_1},
    {"auth-scram-sha-256", "7677", "SCRAM-SHA-256 in the clear", auth_scram_sha_256},
    {"auth-scram-sha-1-plus", "5929 3", "bound to TLS 1.2 by tls-unique", auth_scram_sha_1_plus},
    {"auth-scram-sha-256-plus", "9266", "bound to TLS 1.3 by tls-exporter",
     auth_scram_sha_256_plus},
    {"auth-xoauth2", "4954 4", "a token, XOAUTH2", auth_xoauth2},
    {"auth-oauthbearer", "7628", "a token, OAUTHBEARER", auth_oauthbearer},
    {"auth-external", "4422 A", "the client's certificate logs in", auth_external},
    {"auth-strongest", "4954 4", "no mechanism named: the strongest offered", strongest_offered},
    {"auth-response-over-512", "4954 4", "too long for the command: after 334",
     initial_response_over_512},
    {"auth-utf-8", "4013", "a name and a password beyond ASCII", utf_8_credentials},
    {"auth-hook", "4954 4", "a hook checks passwords, and who acts as whom", auth_hook},
    {"send-url-starttls", "3986 3", "smtp://user:password@host in one call", send_url_starttls},
    {"send-url-implicit-tls", "8314 3.3", "smtps://user:password@host in one call",
     send_url_implicit_tls},
    {"auth-secrets-never-show", "4954 9", "neither log nor transcript has them",
     secrets_never_show},
};
const struct smtp_scenario_table smtp_scenarios_auth = {rows, sizeof rows / sizeof *rows};
