/* serve_options.c - see serve_options.h. Names in every complaint the option that is wrong, and never
 * a password. */
#include "harness/cli/serve_options.h"

#include "common/secret.h"
#include "harness/cli/serve_names.h"
#include "harness/cli/whole_file.h"

#include <stdlib.h>
#include <string.h>

#define PROGRAM SMTP_SERVE_PROGRAM

static const char *const bare_lf_choices[] = {"refuse", "close", "accept", NULL};
static const enum smtp_server_bare_line_end bare_lf_meanings[] = {
    SMTP_BARE_REFUSE, SMTP_BARE_REFUSE_AND_CLOSE, SMTP_BARE_ACCEPT};

/* In the order of enum smtp_identity_flaw. */
static const char *const flaw_choices[] = {
    "none",        "expired",    "not-yet-valid",   "wrong-name",
    "self-signed", "unknown-ca", "no-intermediate", NULL};

/* ---- the command line ---- */

#define LISTEN_ROWS 7
#define MESSAGE_ROWS 6
#define PROTOCOL_ROWS 8
#define TLS_ROWS 9
#define AUTH_ROWS 5

static void add_listen_rows(struct smtp_serve_options *options,
                            struct smtp_cli_option rows[LISTEN_ROWS])
{
    rows[0] = smtp_cli_heading("Where it listens:");
    rows[1] = smtp_cli_texts("listen", "ADDR", &options->listen,
                             "[::1]:25, smtps://127.0.0.1:465, unix:PATH,\n"
                             "lmtp://unix:PATH; more than once (127.0.0.1:0)");
    rows[2] = smtp_cli_text("ready-file", "FILE", &options->ready_file,
                            "the URLs, a line each, for as long as it listens");
    rows[3] = smtp_cli_text("hostname", "NAME", &options->server.hostname,
                            "the name in the greeting (harness.test)");
    rows[4] = smtp_cli_number("workers", &options->workers, 1, 64,
                              "loops, each on a thread of its own (1)");
    rows[5] = smtp_cli_texts("trust", "PEER", &options->trust,
                             "127.0.0.1, 10.0.0.0/8, unix:; it is believed what\n"
                             "it says with XCLIENT and PROXY; more than once");
    rows[6] = smtp_cli_flag(0, "proxy-protocol", &options->server.proxy_protocol,
                            "every connection begins with a PROXY header");
}

static void add_message_rows(struct smtp_serve_options *options,
                             struct smtp_cli_option rows[MESSAGE_ROWS])
{
    rows[0] = smtp_cli_heading("What becomes of messages (several: each of them; none: counted):");
    rows[1] =
        smtp_cli_flag(0, "print", &options->receivers.print, "prints each: envelope, then content");
    rows[2] = smtp_cli_text("maildir", "DIR", &options->receivers.maildir,
                            "delivers into a Maildir, which is made if need be");
    rows[3] = smtp_cli_flag(0, "durable", &options->receivers.durable,
                            "of the Maildir: 250 only when it is on the disk");
    rows[4] = smtp_cli_text("mbox", "FILE", &options->receivers.mbox, "appends to an mbox file");
    rows[5] = smtp_cli_text("relay", "URL", &options->receivers.relay_url,
                            "to smtp://user:password@host:587?tls=required,\n"
                            "lmtp://host; its refusals are passed on");
}

static void add_protocol_rows(struct smtp_serve_options *options,
                              struct smtp_cli_option rows[PROTOCOL_ROWS])
{
    rows[0] = smtp_cli_heading("What it offers and takes:");
    rows[1] = smtp_cli_texts("offer", "KEYWORD", &options->offer,
                             "FUTURERELEASE, DELIVERBY, MT-PRIORITY, XCLIENT,\n"
                             "which are off, or another; more than once");
    rows[2] = smtp_cli_texts("hide", "KEYWORD", &options->hide,
                             "CHUNKING, DSN, VRFY or another; more than once");
    rows[3] = smtp_cli_texts("limit", "NAME=N", &options->limit,
                             "like messages=1 or errors=0, which means none;\n"
                             "a wrong NAME lists them all; more than once");
    rows[4] = smtp_cli_number("size-limit", &options->size_limit, 0, INT64_MAX,
                              "octets of a message (33554432); 0: none");
    rows[5] = smtp_cli_number("recipient-limit", &options->recipient_limit, 0, UINT32_MAX,
                              "recipients of a message (100); 0: none");
    rows[6] = smtp_cli_number("line-limit", &options->line_limit, 0, UINT32_MAX,
                              "octets of a line with CRLF (1000); 0: none");
    rows[7] = smtp_cli_choice("bare-lf", "HOW", &options->bare_lf, bare_lf_choices,
                              "a CR or LF alone: refuse, close, accept (refuse)");
}

static void add_tls_rows(struct smtp_serve_options *options, struct smtp_cli_option rows[TLS_ROWS])
{
    rows[0] = smtp_cli_heading("TLS:");
    rows[1] = smtp_cli_flag(0, "no-tls", &options->no_tls, "STARTTLS is not offered");
    rows[2] =
        smtp_cli_flag(0, "tls-required", &options->tls_required, "no mail before STARTTLS: 530");
    rows[3] = smtp_cli_text("ca-file-out", "FILE", &options->ca_file_out,
                            "whom to trust, as PEM: name it in SMTP_CA_FILE");
    rows[4] = smtp_cli_texts("certificate-name", "NAME", &options->certificate_names,
                             "a name or address it is for; more than once");
    rows[5] = smtp_cli_choice("flaw", "WHICH", &options->flaw, flaw_choices,
                              "a wrong one: expired, not-yet-valid, wrong-name,\n"
                              "self-signed, unknown-ca, no-intermediate");
    rows[6] = smtp_cli_text("certificate", "FILE", &options->certificate_file,
                            "your own, with its chain behind it (one is made)");
    rows[7] = smtp_cli_text("key", "FILE", &options->key_file, "its key (in the same file)");
    rows[8] = smtp_cli_text("client-ca", "FILE", &options->client_ca_file,
                            "whose client certificates are asked for and taken");
}

static void add_auth_rows(struct smtp_serve_options *options,
                          struct smtp_cli_option rows[AUTH_ROWS])
{
    rows[0] = smtp_cli_heading("Login:");
    rows[1] =
        smtp_cli_texts("auth", "USER:PASSWORD", &options->auth, "who can log in; more than once");
    rows[2] =
        smtp_cli_flag(0, "auth-required", &options->auth_required, "no mail before a login: 530");
    rows[3] = smtp_cli_text("auth-mechanisms", "LIST", &options->auth_mechanisms,
                            "like PLAIN,SCRAM-SHA-256 (all)");
    rows[4] = smtp_cli_flag(0, "plain-without-tls", &options->plain_without_tls,
                            "takes passwords in the clear too");
}

void smtp_serve_options_use(struct smtp_serve_options *options, smtp_cli_reader *reader, void *user)
{
    struct smtp_cli_option rows[LISTEN_ROWS + MESSAGE_ROWS + PROTOCOL_ROWS + TLS_ROWS + AUTH_ROWS];
    struct smtp_cli_option *end = rows;
    *options = (struct smtp_serve_options){.ready_file = NULL};
    smtp_server_options_init(&options->server);
    options->size_limit = options->server.limits.message_octets;
    options->recipient_limit = options->server.limits.recipients;
    options->line_limit = options->server.limits.text_line_octets;
    options->workers = options->server.workers;
    add_listen_rows(options, end);
    add_message_rows(options, end += LISTEN_ROWS);
    add_protocol_rows(options, end += MESSAGE_ROWS);
    add_tls_rows(options, end += PROTOCOL_ROWS);
    add_auth_rows(options, end += TLS_ROWS);
    const struct smtp_cli_usage usage = {
        .program = PROGRAM,
        .about = "An SMTP server in the foreground, which takes all mail for everybody. Ends with\n"
                 "exit status 0 at SIGINT or SIGTERM.",
        .examples = {"smtp-harness serve --listen 127.0.0.1:2525 --print --maildir /tmp/mail",
                     "smtp-harness serve --ready-file /tmp/url --ca-file-out /tmp/ca.pem &",
                     "smtp-harness serve --auth ann:secret --auth-required --tls-required"},
        .options = rows,
        .option_count = sizeof rows / sizeof *rows,
    };
    reader(&usage, user);
}

/* ---- what it means ---- */

static bool wrong_pair(const char *one, const char *other)
{
    smtp_cli_wrong(PROGRAM, "--%s and --%s exclude each other", one, other);
    return false;
}

static bool has_implicit_listener(const struct smtp_serve_options *options)
{
    for (size_t i = 0; i < options->listen.count; i++) {
        if (strncmp(options->listen.items[i], "smtps://", strlen("smtps://")) == 0) {
            return true;
        }
    }
    return false;
}

/** That each option can mean something beside the others. */
static bool is_consistent(const struct smtp_serve_options *options)
{
    const struct {
        const char *name;
        bool given, of_a_made_certificate;
    } need_tls[] = {
        {"tls-required", options->tls_required, false},
        {"listen smtps://", has_implicit_listener(options), false},
        {"client-ca", options->client_ca_file != NULL, false},
        {"certificate", options->certificate_file != NULL, false},
        {"key", options->key_file != NULL, false},
        {"certificate-name", options->certificate_names.count > 0, true},
        {"flaw", options->flaw != SMTP_IDENTITY_SOUND, true},
        {"ca-file-out", options->ca_file_out != NULL, true},
    };
    for (size_t i = 0; i < sizeof need_tls / sizeof *need_tls; i++) {
        if (need_tls[i].given && options->no_tls) {
            return wrong_pair("no-tls", need_tls[i].name);
        }
        if (need_tls[i].given && need_tls[i].of_a_made_certificate &&
            options->certificate_file != NULL) {
            return wrong_pair("certificate", need_tls[i].name);
        }
    }
    if (options->key_file != NULL && options->certificate_file == NULL) {
        smtp_cli_wrong(PROGRAM, "--key needs --certificate FILE: the certificate it belongs to");
        return false;
    }
    if (options->receivers.durable && options->receivers.maildir == NULL) {
        smtp_cli_wrong(PROGRAM, "--durable needs --maildir DIR: what is to be durable");
        return false;
    }
    if (options->auth.count == 0 && (options->auth_required || options->plain_without_tls ||
                                     options->auth_mechanisms != NULL)) {
        smtp_cli_wrong(PROGRAM, "--%s needs --auth USER:PASSWORD: somebody who can log in",
                       options->auth_required       ? "auth-required"
                       : options->plain_without_tls ? "plain-without-tls"
                                                    : "auth-mechanisms");
        return false;
    }
    return true;
}

/** The words are argv's own, which may be written to: C17 5.1.2.2.1. */
static char *writable(const char *word)
{
    return (char *)(uintptr_t)word;
}

static bool read_users(struct smtp_serve_options *options)
{
    for (size_t i = 0; i < options->auth.count; i++) {
        char *user = writable(options->auth.items[i]);
        char *colon = strchr(user, ':');
        if (colon == NULL || colon == user || colon[1] == '\0') {
            smtp_cli_wrong(PROGRAM, "--auth takes USER:PASSWORD; %s in number %zu",
                           colon == NULL   ? "there is no ':'"
                           : colon == user ? "there is no USER"
                                           : "there is no PASSWORD",
                           i + 1);
            return false;
        }
        *colon = '\0';
        options->users[i] = (struct smtp_server_user){user, colon + 1};
    }
    return true;
}

static bool make_identity(struct smtp_serve_options *options)
{
    struct smtp_error error = {.status = SMTP_OK};
    enum smtp_status status = SMTP_OK;
    if (options->certificate_file != NULL) {
        status = smtp_identity_load(&options->server.tls.identity, options->certificate_file,
                                    options->key_file, &error);
    } else if (options->certificate_names.count > 0 || options->flaw != SMTP_IDENTITY_SOUND) {
        struct smtp_identity_options made = {
            .names = options->certificate_names.count > 0 ? options->certificate_names.items : NULL,
            .name_count = options->certificate_names.count,
            .flaw = (enum smtp_identity_flaw)options->flaw};
        status = smtp_identity_new(&options->server.tls.identity, &made, &error);
    }
    if (status != SMTP_OK) {
        options->server.tls.identity = NULL;
        smtp_cli_wrong(PROGRAM, "%s", error.message);
        return false;
    }
    return true;
}

static bool apply_tls(struct smtp_serve_options *options)
{
    struct smtp_server_tls *tls = &options->server.tls;
    tls->mode = options->no_tls         ? SMTP_SERVER_TLS_OFF
                : options->tls_required ? SMTP_SERVER_TLS_REQUIRED
                                        : SMTP_SERVER_TLS_OFFERED;
    if (options->client_ca_file != NULL) {
        options->client_ca_pem = smtp_cli_read_file(PROGRAM, options->client_ca_file);
        tls->client_ca_pem = options->client_ca_pem;
        if (tls->client_ca_pem == NULL) {
            return false;
        }
    }
    return make_identity(options);
}

static bool apply_auth(struct smtp_serve_options *options)
{
    struct smtp_server_auth *auth = &options->server.auth;
    auth->users = options->users;
    auth->user_count = options->auth.count;
    auth->required = options->auth_required;
    auth->plain_without_tls = options->plain_without_tls;
    auth->mechanisms = options->auth_mechanisms;
    char *list = writable(options->auth_mechanisms);
    while (list != NULL && (list = strchr(list, ',')) != NULL) {
        *list = ' ';
    }
    return read_users(options);
}

static bool apply_protocol(struct smtp_serve_options *options)
{
    struct smtp_server_options *server = &options->server;
    server->limits.message_octets = options->size_limit;
    server->limits.recipients = (size_t)options->recipient_limit;
    server->limits.text_line_octets = (size_t)options->line_limit;
    server->bare_line_end = bare_lf_meanings[options->bare_lf];
    return smtp_serve_set_keywords(PROGRAM, "offer", &options->offer, true, &server->keywords) &&
           smtp_serve_set_keywords(PROGRAM, "hide", &options->hide, false, &server->keywords) &&
           smtp_serve_set_limits(PROGRAM, &options->limit, &server->limits);
}

/** Nobody looks into the mailbox here. RFC 4865 4.2: what is held is not released early. */
static bool apply_receivers(struct smtp_serve_options *options)
{
    struct smtp_server_options *server = &options->server;
    const struct smtp_serve_receivers *wanted = &options->receivers;
    if (server->keywords.future_release && (wanted->maildir != NULL || wanted->mbox != NULL)) {
        smtp_cli_wrong(PROGRAM,
                       "--offer FUTURERELEASE cannot be kept to with --%s, which delivers at "
                       "once: leave one of them out",
                       wanted->maildir != NULL ? "maildir" : "mbox");
        return false;
    }
    server->mailbox = SMTP_MAILBOX_DISCARD;
    server->receivers = options->tables;
    return smtp_serve_receivers_make(PROGRAM, &options->receivers, options->tables,
                                     &server->receiver_count);
}

bool smtp_serve_options_apply(struct smtp_serve_options *options)
{
    struct smtp_server_options *server = &options->server;
    if (options->listen.count > 0) {
        server->listen = options->listen.items;
        server->listen_count = options->listen.count;
    }
    server->workers = (unsigned)options->workers;
    server->trusted_peers = options->trust.items;
    server->trusted_peer_count = options->trust.count;
    return is_consistent(options) && apply_protocol(options) && apply_auth(options) &&
           apply_tls(options) && apply_receivers(options);
}

static void wipe(const char *word)
{
    if (word != NULL) {
        smtp_secret_wipe(writable(word), strlen(word));
    }
}

void smtp_serve_options_clear(struct smtp_serve_options *options)
{
    for (size_t i = 0; i < options->auth.count; i++) {
        wipe(options->users[i].password);
    }
    wipe(options->receivers.relay_url);
    smtp_identity_release(options->server.tls.identity);
    free(options->client_ca_pem);
}
