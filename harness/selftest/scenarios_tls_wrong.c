/* scenarios_tls_wrong.c - TLS as it must not be: certificates that are wrong, STARTTLS stripped,
 * commands and replies injected behind it, peers that do not speak TLS or never finish. */
#include "harness/selftest/certificates.h"
#include "harness/selftest/scenarios.h"

#include <stdio.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- wrong certificates ---- */

/** A client that requires TLS, trusts the authority and is connected; it has said nothing yet. */
static struct smtp_client *open_client(struct smtp_trial *trial, const struct smtp_identity *server,
                                       bool insecure, struct smtp_harness **harness)
{
    struct smtp_harness_options options;
    smtp_trial_options(&options);
    options.server.tls.identity = (struct smtp_identity *)(uintptr_t)server;
    options.client.tls.policy = SMTP_CLIENT_TLS_REQUIRED;
    options.client.tls.ca_pem = smtp_identity_ca_pem(server);
    options.client.tls.insecure = insecure;
    *harness = smtp_trial_harness(trial, &options);
    struct smtp_client *client =
        *harness != NULL ? smtp_trial_client(trial, &options.client) : NULL;
    if (client == NULL) {
        return NULL;
    }
    const char *address = smtp_server_address(smtp_harness_server(*harness), 0);
    return smtp_trial_is_ok(trial, "connect", smtp_client_connect(client, address, 0), client)
               ? client
               : NULL;
}

/** The handshake fails, the reason is told, and nothing more is said. */
static bool refuses(struct smtp_trial *trial, enum smtp_identity_flaw flaw, const char *why)
{
    struct smtp_identity *identity = smtp_trial_identity(trial, flaw);
    struct smtp_harness *harness;
    struct smtp_client *client =
        identity != NULL ? open_client(trial, identity, false, &harness) : NULL;
    return client != NULL &&
           smtp_trial_send(trial, client, BOB, smtp_content_text("secret\n"), SMTP_TLS_FAILED, 0) &&
           smtp_trial_holds(trial, "the reason", smtp_client_error(client)->message, why) &&
           smtp_trial_is_true(trial, "the client is not connected any more",
                              !smtp_client_is_connected(client)) &&
           smtp_trial_is_number(trial, "lines that the client said",
                                smtp_times(smtp_trial_said(trial), "C: "), 2) &&
           smtp_trial_holds(trial, "the last of them", smtp_trial_said(trial), "C: STARTTLS\n") &&
           smtp_trial_count(trial, harness, 0);
}

static bool certificate_expired(struct smtp_trial *trial)
{
    return refuses(trial, SMTP_IDENTITY_EXPIRED, "has expired");
}

static bool certificate_not_yet_valid(struct smtp_trial *trial)
{
    return refuses(trial, SMTP_IDENTITY_NOT_YET_VALID, "not yet valid");
}

static bool certificate_wrong_name(struct smtp_trial *trial)
{
    return refuses(trial, SMTP_IDENTITY_WRONG_NAME, "is for wrong.invalid, not for 127.0.0.1");
}

static bool certificate_self_signed(struct smtp_trial *trial)
{
    return refuses(trial, SMTP_IDENTITY_SELF_SIGNED, "self-signed");
}

static bool certificate_unknown_ca(struct smtp_trial *trial)
{
    return refuses(trial, SMTP_IDENTITY_UNKNOWN_CA, "unknown authority");
}

static bool certificate_no_intermediate(struct smtp_trial *trial)
{
    return refuses(trial, SMTP_IDENTITY_NO_INTERMEDIATE, "unknown authority");
}

static bool certificate_insecure(struct smtp_trial *trial)
{
    struct smtp_identity *identity = smtp_trial_identity(trial, SMTP_IDENTITY_EXPIRED);
    struct smtp_ends ends;
    ends.client = identity != NULL ? open_client(trial, identity, true, &ends.harness) : NULL;
    return ends.client != NULL && smtp_trial_arrives(trial, &ends, "tls~^TLS protocol=ESMTPS");
}

/* ---- somebody in between, RFC 3207 6 ---- */

/** A scripted server and a client of that policy, connected to it. */
struct pair {
    struct smtp_peer *peer;
    struct smtp_client *client;
};

static bool open_pair(struct smtp_trial *trial, const struct smtp_peer_step *steps, size_t count,
                      struct pair *pair)
{
    struct smtp_client_options options;
    smtp_client_options_init(&options);
    options.helo_name = "client.test";
    options.tls.policy = SMTP_CLIENT_TLS_REQUIRED;
    pair->peer = smtp_trial_peer(trial, steps, count);
    pair->client = pair->peer != NULL ? smtp_trial_client(trial, &options) : NULL;
    return pair->client != NULL &&
           smtp_trial_is_ok(trial, "connect",
                            smtp_client_connect(pair->client, smtp_peer_address(pair->peer), 0),
                            pair->client);
}

static const struct smtp_peer_step stripping[] = {
    SAY("220 peer.test ESMTP\r\n"),
    HEAR("EHLO client.test\r\n"),
    SAY("250-peer.test\r\n250 AUTH PLAIN\r\n"),
    HEAR("QUIT\r\n"),
    SAY("221 bye\r\n"),
};

static bool starttls_stripped(struct smtp_trial *trial)
{
    /* the offer was taken out on the way: nothing but QUIT is said */
    struct pair pair;
    return open_pair(trial, stripping, COUNT(stripping), &pair) &&
           smtp_trial_is_status(trial, "a login", smtp_client_login(pair.client, "ann", "secret"),
                                SMTP_UNSUPPORTED, pair.client) &&
           smtp_trial_send(trial, pair.client, BOB, smtp_content_text("secret\n"), SMTP_UNSUPPORTED,
                           0) &&
           smtp_trial_is_ok(trial, "QUIT", smtp_client_quit(pair.client), pair.client) &&
           smtp_peer_heard(trial, pair.peer, SMTP_SPAN("EHLO client.test\r\nQUIT\r\n"));
}

static const struct smtp_peer_step refusing_ehlo[] = {
    SAY("220 peer.test ESMTP\r\n"),
    HEAR("EHLO client.test\r\n"),
    SAY("502 EHLO is not known here\r\n"),
    HEAR("QUIT\r\n"),
    SAY("221 bye\r\n"),
};

static bool no_helo_without_tls(struct smtp_trial *trial)
{
    /* HELO offers nothing: falling back to it would give TLS up */
    struct pair pair;
    return open_pair(trial, refusing_ehlo, COUNT(refusing_ehlo), &pair) &&
           smtp_trial_send(trial, pair.client, BOB, smtp_content_text("secret\n"),
                           SMTP_REFUSED_PERMANENT, 0) &&
           smtp_trial_is_ok(trial, "QUIT", smtp_client_quit(pair.client), pair.client) &&
           smtp_peer_heard(trial, pair.peer, SMTP_SPAN("EHLO client.test\r\nQUIT\r\n"));
}

static const struct smtp_peer_step injecting[] = {
    SAY("220 peer.test ESMTP\r\n"),
    HEAR("EHLO client.test\r\n"),
    SAY("250-peer.test\r\n250 STARTTLS\r\n"),
    HEAR("STARTTLS\r\n"),
    SAY("220 go on\r\n250-peer.test\r\n250 AUTH PLAIN\r\n"),
};

static bool replies_injected(struct smtp_trial *trial)
{
    /* CVE-2020-15953, CVE-2021-22947: what came in the clear must not pass for replies under TLS */
    struct pair pair;
    return open_pair(trial, injecting, COUNT(injecting), &pair) &&
           smtp_trial_is_status(trial, "STARTTLS", smtp_client_starttls(pair.client),
                                SMTP_PROTOCOL_VIOLATION, pair.client) &&
           smtp_trial_holds(trial, "the reason", smtp_client_error(pair.client)->message,
                            "came behind the reply to STARTTLS") &&
           smtp_trial_is_true(trial, "the client is not connected any more",
                              !smtp_client_is_connected(pair.client)) &&
           smtp_peer_heard(trial, pair.peer, SMTP_SPAN("EHLO client.test\r\nSTARTTLS\r\n"));
}

static const struct smtp_peer_step refusing[] = {
    SAY("220 peer.test ESMTP\r\n"),
    HEAR("EHLO client.test\r\n"),
    SAY("250-peer.test\r\n250 STARTTLS\r\n"),
    HEAR("STARTTLS\r\n"),
    SAY("454 4.7.0 TLS is not available for now\r\n"),
    HEAR("QUIT\r\n"),
    SAY("221 bye\r\n"),
};

static bool starttls_refused(struct smtp_trial *trial)
{
    /* RFC 3207 4: 454, and the client decides: here it required TLS */
    struct pair pair;
    return open_pair(trial, refusing, COUNT(refusing), &pair) &&
           smtp_trial_send(trial, pair.client, BOB, smtp_content_text("secret\n"),
                           SMTP_REFUSED_TRANSIENT, 454) &&
           smtp_trial_is_ok(trial, "QUIT", smtp_client_quit(pair.client), pair.client) &&
           smtp_peer_heard(trial, pair.peer, SMTP_SPAN("EHLO client.test\r\nSTARTTLS\r\nQUIT\r\n"));
}

static bool commands_injected(struct smtp_trial *trial)
{
    /* CVE-2011-0411: what came glued to STARTTLS must not be taken for a command under TLS */
    struct smtp_harness *harness = smtp_trial_harness(trial, NULL);
    struct smtp_raw *wire = harness != NULL ? smtp_trial_wire(trial, harness) : NULL;
    return wire != NULL && smtp_raw_asks(trial, wire, "EHLO client.test", "250") &&
           smtp_raw_asks(trial, wire,
                         "STARTTLS\r\nMAIL FROM:<mallory@example.com>\r\nRCPT TO:<" BOB ">", "5") &&
           smtp_raw_closes(trial, wire) && smtp_trial_count(trial, harness, 0);
}

static bool forgotten_after_starttls(struct smtp_trial *trial)
{
    /* RFC 3207 4.2: neither EHLO nor MAIL count any more, and who sends is asked again */
    struct smtp_ends ends;
    if (!smtp_trial_open(trial, NULL, &ends)) {
        return false;
    }
    struct smtp_client *client = ends.client;
    return smtp_trial_is_ok(trial, "EHLO", smtp_client_ehlo(client), client) &&
           smtp_trial_is_ok(trial, "STARTTLS", smtp_client_starttls(client), client) &&
           smtp_trial_is_true(trial, "the client knows no keyword any more",
                              smtp_client_extension(client, "SIZE") == NULL) &&
           smtp_trial_is_status(trial, "MAIL without EHLO",
                                smtp_client_command(client, "MAIL FROM:<" ANN ">"),
                                SMTP_REFUSED_PERMANENT, client) &&
           smtp_trial_is_number(trial, "its code", (uint64_t)smtp_client_reply(client)->code,
                                503) &&
           smtp_trial_arrives(trial, &ends, "protocol=ESMTPS");
}

/* ---- peers that do not speak TLS ---- */

/** Reads until the other end closes, whatever it says before (an alert). */
static bool goes_away(struct smtp_trial *trial, struct smtp_raw *wire)
{
    struct smtp_span all;
    return smtp_trial_is_status(trial, "the end of the connection",
                                smtp_raw_hear(wire, "never said", &all), SMTP_CLOSED, NULL);
}

static bool plain_text_to_tls_port(struct smtp_trial *trial)
{
    struct smtp_harness_options options;
    smtp_trial_tls_options(&options);
    struct smtp_ends both;
    if (!smtp_trial_open(trial, &options, &both)) {
        return false;
    }
    struct smtp_raw *wire = smtp_trial_raw_wire(trial, both.harness);
    return wire != NULL && smtp_raw_says(trial, wire, "EHLO client.test\r\nQUIT\r\n") &&
           goes_away(trial, wire) && smtp_trial_arrives(trial, &both, "tls~^TLS");
}

/* The head of a TLS 1.2 client hello: record, handshake, version, and then NULs and line ends. */
static const char client_hello[] =
    "\x16\x03\x01\x00\x2f\x01\x00\x00\x2b\x03\x03\r\n\0\r\n\0\xC0\x2F";

static bool client_hello_to_plain_port(struct smtp_trial *trial)
{
    /* taken for what it is, not for a command: closed, since no reply could be read */
    struct smtp_ends both;
    if (!smtp_trial_open(trial, NULL, &both)) {
        return false;
    }
    struct smtp_raw *wire = smtp_trial_wire(trial, both.harness);
    return wire != NULL &&
           smtp_trial_is_ok(trial, "writing raw octets",
                            smtp_raw_say(wire, client_hello, sizeof client_hello - 1), NULL) &&
           smtp_raw_closes(trial, wire) && smtp_trial_arrives(trial, &both, "protocol=ESMTP");
}

static bool handshake_never_ends(struct smtp_trial *trial)
{
    struct smtp_harness_options options;
    smtp_trial_tls_options(&options);
    options.server.limits.handshake_timeout_ms = 20;
    struct smtp_harness *harness = smtp_trial_harness(trial, &options);
    struct smtp_raw *wire = harness != NULL ? smtp_trial_raw_wire(trial, harness) : NULL;
    return wire != NULL &&
           smtp_trial_is_ok(trial, "writing raw octets", smtp_raw_say(wire, client_hello, 5),
                            NULL) &&
           goes_away(trial, wire) && smtp_trial_count(trial, harness, 0);
}

static const struct smtp_scenario rows[] = {
    {"certificate-expired", "5280 6.1.3", "refused, and nothing more is said", certificate_expired},
    {"certificate-not-yet-valid", "5280 6.1.3", "refused, and nothing more is said",
     certificate_not_yet_valid},
    {"certificate-wrong-name", "7817 3", "refused, and nothing more is said",
     certificate_wrong_name},
    {"certificate-self-signed", "5280 6.1", "refused, and nothing more is said",
     certificate_self_signed},
    {"certificate-unknown-ca", "5280 6.1", "refused, and nothing more is said",
     certificate_unknown_ca},
    {"certificate-no-intermediate", "5280 6.1", "refused, and nothing more is said",
     certificate_no_intermediate},
    {"certificate-insecure", "3207 4.1", "a wrong one is taken where that was asked for",
     certificate_insecure},
    {"starttls-stripped", "3207 6", "the offer was taken out: nothing but QUIT", starttls_stripped},
    {"no-helo-without-tls", "3207 6", "EHLO refused: no HELO where TLS is required",
     no_helo_without_tls},
    {"starttls-refused", "3207 4.1", "454, and TLS is required: nothing but QUIT",
     starttls_refused},
    {"replies-injected", "3207 6", "octets behind 220, in the clear: closed", replies_injected},
    {"commands-injected", "3207 6", "octets behind STARTTLS, in the clear: closed",
     commands_injected},
    {"forgotten-after-starttls", "3207 4.2", "both ends forget what came before",
     forgotten_after_starttls},
    {"plain-text-to-tls-port", "8314 3", "closed, and the server goes on", plain_text_to_tls_port},
    {"client-hello-to-plain-port", "8314 3", "closed, and the server goes on",
     client_hello_to_plain_port},
    {"handshake-never-ends", "3207 4", "closed at the deadline", handshake_never_ends},
};
const struct smtp_scenario_table smtp_scenarios_tls_wrong = {rows, sizeof rows / sizeof *rows};
