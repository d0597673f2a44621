/* scenarios_tls.c - TLS as it should be: both ways to begin it, each version, each policy of the client,
 * certificates as asked for. Attacks and wrong certificates are in scenarios_tls_wrong.c. */
#include "harness/selftest/certificates.h"
#include "harness/selftest/scenarios.h"

#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>

/** Which end of the dialogue came over TLS, as both ends know it. */
static bool has_tls(struct smtp_trial *trial, const struct smtp_client *client, const char *version)
{
    const struct smtp_tls_facts *facts = smtp_client_tls(client);
    return smtp_trial_is_true(trial, "the client knows of TLS", facts != NULL) && facts != NULL &&
           smtp_trial_holds(trial, "the client's TLS version", facts->version, version);
}

static bool starttls(struct smtp_trial *trial)
{
    /* RFC 3207: no file, no option; the harness's client trusts the harness's authority */
    struct smtp_ends ends;
    return smtp_trial_open(trial, NULL, &ends) &&
           smtp_trial_is_ok(trial, "EHLO", smtp_client_ehlo(ends.client), ends.client) &&
           smtp_trial_is_true(trial, "STARTTLS is offered",
                              smtp_client_has_extension(ends.client, "STARTTLS")) &&
           smtp_trial_is_ok(trial, "STARTTLS", smtp_client_starttls(ends.client), ends.client) &&
           smtp_trial_is_ok(trial, "EHLO again", smtp_client_ehlo(ends.client), ends.client) &&
           smtp_trial_is_true(trial, "STARTTLS is not offered any more",
                              !smtp_client_has_extension(ends.client, "STARTTLS")) &&
           has_tls(trial, ends.client, "TLSv1.3") &&
           smtp_trial_arrives(trial, &ends, "tls=TLSv1.3 protocol=ESMTPS auth=\"\"");
}

static bool implicit_tls(struct smtp_trial *trial)
{
    /* RFC 8314 3: TLS from the first octet, the greeting comes through it */
    struct smtp_ends ends;
    struct smtp_harness_options options;
    smtp_trial_tls_options(&options);
    return smtp_trial_open(trial, &options, &ends) &&
           smtp_trial_holds(trial, "the URL", smtp_harness_url(ends.harness),
                            "smtps://127.0.0.1:") &&
           smtp_trial_is_number(trial, "the greeting",
                                (uint64_t)smtp_client_reply(ends.client)->code, 220) &&
           has_tls(trial, ends.client, "TLSv1.") &&
           smtp_trial_arrives(trial, &ends, "tls~^TLSv1 protocol=ESMTPS") &&
           smtp_trial_is_true(trial, "STARTTLS is not offered inside TLS",
                              !smtp_client_has_extension(ends.client, "STARTTLS"));
}

static bool both_listeners(struct smtp_trial *trial)
{
    /* 587 and 465 of one server: the same mailbox */
    struct smtp_harness_options options;
    static const char *const listen[] = {"127.0.0.1:0", "smtps://127.0.0.1:0"};
    smtp_trial_options(&options);
    options.server.listen = listen;
    options.server.listen_count = 2;
    struct smtp_ends ends;
    if (!smtp_trial_open(trial, &options, &ends) ||
        !smtp_trial_arrives(trial, &ends, "tls=\"\" protocol=ESMTP")) {
        return false;
    }
    options.client.tls.policy = SMTP_CLIENT_TLS_IMPLICIT;
    options.client.tls.ca_pem = smtp_harness_ca_pem(ends.harness);
    struct smtp_client *client = smtp_trial_client(trial, &options.client);
    const char *address = smtp_server_address(smtp_harness_server(ends.harness), 1);
    return client != NULL &&
           smtp_trial_is_ok(trial, "connect", smtp_client_connect(client, address, 0), client) &&
           smtp_trial_send(trial, client, "carol@example.com", smtp_content_text("\n"), SMTP_OK,
                           250) &&
           smtp_trial_count(trial, ends.harness, 2) &&
           smtp_trial_expect(trial, ends.harness, "to=carol@example.com protocol=ESMTPS");
}

/** Everything with a context of the caller's that goes up to that version. */
static bool speaks(struct smtp_trial *trial, int newest, const char *expectation)
{
    struct smtp_identity *identity = smtp_trial_identity(trial, SMTP_IDENTITY_SOUND);
    if (identity == NULL) {
        return false;
    }
    struct smtp_ends ends;
    struct smtp_harness_options options;
    smtp_trial_options(&options);
    options.server.tls.identity = identity;
    options.client.tls.policy = SMTP_CLIENT_TLS_REQUIRED;
    options.client.tls.context =
        smtp_trial_client_context(trial, smtp_identity_ca_pem(identity), newest);
    return options.client.tls.context != NULL && smtp_trial_open(trial, &options, &ends) &&
           smtp_trial_arrives(trial, &ends, expectation);
}

static bool tls_1_2(struct smtp_trial *trial)
{
    return speaks(trial, TLS1_2_VERSION, "tls=TLSv1.2 protocol=ESMTPS");
}

static bool tls_1_3(struct smtp_trial *trial)
{
    return speaks(trial, TLS1_3_VERSION, "tls=TLSv1.3 protocol=ESMTPS");
}

static bool own_ssl_context(struct smtp_trial *trial)
{
    /* an SSL_CTX of the caller's on both ends; the server then has no authority to tell */
    struct smtp_identity *identity = smtp_trial_identity(trial, SMTP_IDENTITY_SOUND);
    struct smtp_ends ends;
    struct smtp_harness_options options;
    smtp_trial_options(&options);
    if (identity == NULL) {
        return false;
    }
    options.client.tls.policy = SMTP_CLIENT_TLS_REQUIRED;
    options.client.tls.context =
        smtp_trial_client_context(trial, smtp_identity_ca_pem(identity), TLS1_3_VERSION);
    options.server.tls.context = smtp_trial_server_context(trial, identity);
    return options.client.tls.context != NULL && options.server.tls.context != NULL &&
           smtp_trial_open(trial, &options, &ends) &&
           smtp_trial_is_text(trial, "the authority", smtp_harness_ca_pem(ends.harness), "") &&
           smtp_trial_arrives(trial, &ends, "tls~^TLS");
}

/* ---- policies ---- */

static bool policy(struct smtp_trial *trial, enum smtp_client_tls_policy client,
                   enum smtp_server_tls_mode server, const char *expectation)
{
    struct smtp_ends ends;
    struct smtp_harness_options options;
    smtp_trial_options(&options);
    options.client.tls.policy = client;
    options.server.tls.mode = server;
    return smtp_trial_open(trial, &options, &ends) && smtp_trial_arrives(trial, &ends, expectation);
}

static bool policy_never(struct smtp_trial *trial)
{
    return policy(trial, SMTP_CLIENT_TLS_NEVER, SMTP_SERVER_TLS_OFFERED, "tls=\"\" protocol=ESMTP");
}

static bool policy_when_offered(struct smtp_trial *trial)
{
    return policy(trial, SMTP_CLIENT_TLS_WHEN_OFFERED, SMTP_SERVER_TLS_OFFERED,
                  "tls~^TLS protocol=ESMTPS");
}

static bool policy_when_not_offered(struct smtp_trial *trial)
{
    return policy(trial, SMTP_CLIENT_TLS_WHEN_OFFERED, SMTP_SERVER_TLS_OFF,
                  "tls=\"\" protocol=ESMTP");
}

static bool policy_required(struct smtp_trial *trial)
{
    return policy(trial, SMTP_CLIENT_TLS_REQUIRED, SMTP_SERVER_TLS_REQUIRED,
                  "tls~^TLS protocol=ESMTPS");
}

static bool server_requires_tls(struct smtp_trial *trial)
{
    /* RFC 3207 4: 530 to all but EHLO, NOOP, STARTTLS and QUIT */
    struct smtp_harness_options options;
    smtp_trial_options(&options);
    options.server.tls.mode = SMTP_SERVER_TLS_REQUIRED;
    struct smtp_harness *harness = smtp_trial_harness(trial, &options);
    struct smtp_raw *wire = harness != NULL ? smtp_trial_wire(trial, harness) : NULL;
    return wire != NULL && smtp_raw_asks(trial, wire, "EHLO client.test", "250") &&
           smtp_raw_asks(trial, wire, "MAIL FROM:<" ANN ">", "530 5.7.0") &&
           smtp_raw_asks(trial, wire, "VRFY bob", "530") &&
           smtp_raw_asks(trial, wire, "NOOP", "250") && smtp_raw_asks(trial, wire, "QUIT", "221") &&
           smtp_raw_closes(trial, wire) && smtp_trial_count(trial, harness, 0);
}

/* ---- certificates ---- */

/** What a hook learned of the session's TLS. */
struct seen {
    char subject[32];
    char server_name[32];
    unsigned resumed, sessions;
};

static enum smtp_server_verdict look_at_tls(void *user,
                                            const struct smtp_server_session_info *session,
                                            const char *reverse_path, const char *parameters,
                                            struct smtp_server_reply *reply)
{
    (void)reverse_path;
    (void)parameters;
    struct seen *seen = user;
    if (session->tls == NULL) {
        return smtp_server_reply(reply, 550, NULL, "this came without TLS");
    }
    snprintf(seen->subject, sizeof seen->subject, "%s", session->tls->peer_subject);
    snprintf(seen->server_name, sizeof seen->server_name, "%s", session->tls->server_name);
    seen->resumed += session->tls->resumed;
    seen->sessions++;
    return SMTP_ACCEPT;
}

static bool name_differs_from_host(struct smtp_trial *trial)
{
    /* a test server at 127.0.0.1 stands in for mail.example.com */
    struct smtp_identity *identity = smtp_trial_identity_for(trial, "mail.example.com");
    struct seen seen = {.sessions = 0};
    struct smtp_ends ends;
    struct smtp_harness_options options;
    smtp_trial_options(&options);
    options.server.tls.identity = identity;
    options.client.tls.policy = SMTP_CLIENT_TLS_REQUIRED;
    options.client.tls.name = "mail.example.com";
    options.server.hooks.user = &seen;
    options.server.hooks.mail = look_at_tls;
    return identity != NULL && smtp_trial_open(trial, &options, &ends) &&
           smtp_trial_arrives(trial, &ends, "tls~^TLS") &&
           smtp_trial_is_text(trial, "the name the server was asked for", seen.server_name,
                              "mail.example.com");
}

static bool client_certificate(struct smtp_trial *trial)
{
    /* RFC 8446 4.4.2: asked for, verified by the authority of the server's choice */
    struct smtp_identity *identity = smtp_trial_identity(trial, SMTP_IDENTITY_SOUND);
    struct smtp_identity *ann =
        identity != NULL ? smtp_trial_client_identity(trial, identity, "ann") : NULL;
    if (ann == NULL) {
        return false;
    }
    struct seen seen = {.sessions = 0};
    struct smtp_ends ends;
    struct smtp_harness_options options;
    smtp_trial_options(&options);
    options.server.hooks.user = &seen;
    options.server.hooks.mail = look_at_tls;
    options.server.tls.identity = identity;
    options.server.tls.client_ca_pem = smtp_identity_ca_pem(identity);
    options.server.tls.client_certificate_required = true;
    options.client.tls.policy = SMTP_CLIENT_TLS_REQUIRED;
    options.client.tls.identity = ann;
    return smtp_trial_open(trial, &options, &ends) &&
           smtp_trial_arrives(trial, &ends, "tls~^TLS protocol=ESMTPS") &&
           smtp_trial_is_text(trial, "the subject in the hook", seen.subject, "ann");
}

static bool resumption(struct smtp_trial *trial)
{
    /* RFC 8446 2.2: the second handshake goes on from the first; the hook sees it */
    struct smtp_ends ends;
    struct seen seen = {.sessions = 0};
    struct smtp_harness_options options;
    smtp_trial_options(&options);
    options.server.hooks.user = &seen;
    options.server.hooks.mail = look_at_tls;
    options.client.tls.policy = SMTP_CLIENT_TLS_REQUIRED;
    if (!smtp_trial_open(trial, &options, &ends) ||
        !smtp_trial_send(trial, ends.client, BOB, smtp_content_text("one\n"), SMTP_OK, 250) ||
        !smtp_trial_is_ok(trial, "QUIT", smtp_client_quit(ends.client), ends.client) ||
        smtp_harness_client(ends.harness) != ends.client /* connects again */ ||
        !smtp_trial_send(trial, ends.client, BOB, smtp_content_text("two\n"), SMTP_OK, 250)) {
        return false;
    }
    return smtp_trial_is_number(trial, "sessions with TLS", seen.sessions, 2) &&
           smtp_trial_is_number(trial, "of them resumed", seen.resumed, 1) &&
           smtp_trial_is_true(trial, "the client knows", smtp_client_tls(ends.client)->resumed) &&
           smtp_trial_expect(trial, ends.harness, "protocol=ESMTPS count=2");
}

static bool connects_trusting(struct smtp_trial *trial, struct smtp_harness *harness,
                              const struct smtp_identity *identity, enum smtp_status expected)
{
    struct smtp_client_options options;
    smtp_client_options_init(&options);
    options.tls.policy = SMTP_CLIENT_TLS_REQUIRED;
    options.tls.ca_pem = smtp_identity_ca_pem(identity);
    struct smtp_client *client = smtp_trial_client(trial, &options);
    const char *address = smtp_server_address(smtp_harness_server(harness), 0);
    return client != NULL &&
           smtp_trial_is_ok(trial, "connect", smtp_client_connect(client, address, 0), client) &&
           smtp_trial_send(trial, client, BOB, smtp_content_text("new\n"), expected, 0);
}

static bool certificate_replaced(struct smtp_trial *trial)
{
    /* while the server runs: sessions that are open go on, new ones get the new certificate */
    struct smtp_identity *first = smtp_trial_identity(trial, SMTP_IDENTITY_SOUND);
    struct smtp_identity *second = smtp_trial_identity(trial, SMTP_IDENTITY_SOUND);
    struct smtp_ends ends;
    struct smtp_error error = {.status = SMTP_OK};
    struct smtp_harness_options options;
    smtp_trial_options(&options);
    options.server.tls.identity = first;
    options.client.tls.policy = SMTP_CLIENT_TLS_REQUIRED;
    options.client.tls.ca_pem = first != NULL ? smtp_identity_ca_pem(first) : NULL;
    return first != NULL && second != NULL && smtp_trial_open(trial, &options, &ends) &&
           smtp_trial_is_ok(trial, "EHLO", smtp_client_hello(ends.client), ends.client) &&
           smtp_trial_is_ok(
               trial, "smtp_server_set_certificate",
               smtp_server_set_certificate(smtp_harness_server(ends.harness), second, NULL, &error),
               NULL) &&
           smtp_trial_arrives(trial, &ends, "tls~^TLS") &&
           connects_trusting(trial, ends.harness, first, SMTP_TLS_FAILED) &&
           connects_trusting(trial, ends.harness, second, SMTP_OK) &&
           smtp_trial_count(trial, ends.harness, 2);
}

static const struct smtp_scenario rows[] = {
    {"starttls", "3207 4", "with no file prepared: EHLO, STARTTLS, EHLO, mail", starttls},
    {"implicit-tls", "8314 3.3", "smtps://: the greeting comes through TLS", implicit_tls},
    {"both-listeners", "8314 3.3", "plain and TLS ports of one server, one mailbox",
     both_listeners},
    {"tls-1-2", "5246", "a client that goes no further than TLS 1.2", tls_1_2},
    {"tls-1-3", "8446", "a client with TLS 1.3", tls_1_3},
    {"own-ssl-context", "", "an SSL_CTX of the caller's on both ends", own_ssl_context},
    {"tls-policy-never", "3207 4", "STARTTLS is offered and not used", policy_never},
    {"tls-policy-when-offered", "3207 4", "STARTTLS is offered and used", policy_when_offered},
    {"tls-policy-when-not-offered", "3207 4.1", "STARTTLS is not offered; in the clear",
     policy_when_not_offered},
    {"tls-policy-required", "3207 4", "both ends require it", policy_required},
    {"server-requires-tls", "3207 4", "530 until STARTTLS", server_requires_tls},
    {"name-differs-from-host", "7817 3", "the certificate is for a name, not for the host",
     name_differs_from_host},
    {"client-certificate", "3207 4.1", "its subject reaches the hook", client_certificate},
    {"tls-resumption", "8446 2.2", "the second handshake goes on from the first", resumption},
    {"certificate-replaced", "", "while the server runs", certificate_replaced},
};
const struct smtp_scenario_table smtp_scenarios_tls = {rows, sizeof rows / sizeof *rows};
