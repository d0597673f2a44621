/* server_options.c - see server_options.h. Names in every complaint the option that is wrong, and never
 * a password. */
#include "harness/cli/server_options.h"

#include "common/secret.h"
#include "harness/cli/server_names.h"
#include "harness/cli/whole_file.h"
#include "harness/record.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const bare_lf_choices[] = {"refuse", "close", "accept", NULL};
static const enum smtp_server_bare_line_end bare_lf_meanings[] = {
    SMTP_BARE_REFUSE, SMTP_BARE_REFUSE_AND_CLOSE, SMTP_BARE_ACCEPT};

/* In the order of enum smtp_identity_flaw. */
static const char *const flaw_choices[] = {
    "none",        "expired",    "not-yet-valid",   "wrong-name",
    "self-signed", "unknown-ca", "no-intermediate", NULL};

/* ---- the command line ---- */

#define LISTEN_ROWS 6
#define PROTOCOL_ROWS 8
#define TLS_ROWS 8
#define AUTH_ROWS 5
#define FAULT_ROWS 5

static void add_listen_rows(struct smtp_cli_server_options *options,
                            struct smtp_cli_option rows[LISTEN_ROWS])
{
    rows[0] = smtp_cli_heading("Where it listens:");
    rows[1] = smtp_cli_texts("listen", "ADDR", &options->listen,
                             "[::1]:25, smtps://127.0.0.1:465, unix:PATH,\n"
                             "lmtp://unix:PATH; more than once (127.0.0.1:0)");
    rows[2] = smtp_cli_text("hostname", "NAME", &options->server.hostname,
                            "the name in the greeting (harness.test)");
    rows[3] = smtp_cli_number("workers", &options->workers, 1, 64,
                              "loops, each on a thread of its own (1)");
    rows[4] = smtp_cli_texts("trust", "PEER", &options->trust,
                             "127.0.0.1, 10.0.0.0/8, unix:; it is believed what\n"
                             "it says with XCLIENT and PROXY; more than once");
    rows[5] = smtp_cli_flag(0, "proxy-protocol", &options->server.proxy_protocol,
                            "every connection begins with a PROXY header");
}

static void add_protocol_rows(struct smtp_cli_server_options *options,
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

static void add_tls_rows(struct smtp_cli_server_options *options,
                         struct smtp_cli_option rows[TLS_ROWS])
{
    rows[0] = smtp_cli_heading("TLS:");
    rows[1] = smtp_cli_flag(0, "no-tls", &options->no_tls, "STARTTLS is not offered");
    rows[2] =
        smtp_cli_flag(0, "tls-required", &options->tls_required, "no mail before STARTTLS: 530");
    rows[3] = smtp_cli_texts("certificate-name", "NAME", &options->certificate_names,
                             "a name or address it is for; more than once");
    rows[4] = smtp_cli_choice("flaw", "WHICH", &options->flaw, flaw_choices,
                              "a wrong one: expired, not-yet-valid, wrong-name,\n"
                              "self-signed, unknown-ca, no-intermediate");
    rows[5] = smtp_cli_text("certificate", "FILE", &options->certificate_file,
                            "your own, with its chain behind it (one is made)");
    rows[6] = smtp_cli_text("key", "FILE", &options->key_file, "its key (in the same file)");
    rows[7] = smtp_cli_text("client-ca", "FILE", &options->client_ca_file,
                            "whose client certificates are asked for and taken");
}

static void add_auth_rows(struct smtp_cli_server_options *options,
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

static void add_fault_rows(struct smtp_cli_server_options *options,
                           struct smtp_cli_option rows[FAULT_ROWS])
{
    rows[0] = smtp_cli_heading("What goes wrong, and what is recorded:");
    rows[1] = smtp_cli_texts("fault", "NOTATION", &options->faults,
                             "like 'rcpt bob@*: reply 450 4.7.1 times 2',\n"
                             "'dot: delay 3000 once'; more than once");
    rows[2] = smtp_cli_number("fault-seed", &options->fault_seed, 1, UINT64_MAX,
                              "for faults by chance (one is drawn and told)");
    rows[3] = smtp_cli_flag(0, "magic-addresses", &options->magic_addresses,
                            "bob+450-4.7.1@example.com gets that reply");
    rows[4] = smtp_cli_text("record", "DIR", &options->record,
                            "each session as a dialogue that `play` takes");
}

void smtp_cli_server_options_use(struct smtp_cli_server_options *options, const char *program,
                                 struct smtp_cli_option rows[SMTP_CLI_SERVER_ROWS])
{
    static_assert(LISTEN_ROWS + PROTOCOL_ROWS + TLS_ROWS + AUTH_ROWS + FAULT_ROWS ==
                      SMTP_CLI_SERVER_ROWS,
                  "all rows");
    *options = (struct smtp_cli_server_options){.program = program};
    smtp_server_options_init(&options->server);
    options->size_limit = options->server.limits.message_octets;
    options->recipient_limit = options->server.limits.recipients;
    options->line_limit = options->server.limits.text_line_octets;
    options->workers = options->server.workers;
    add_listen_rows(options, rows);
    add_protocol_rows(options, rows += LISTEN_ROWS);
    add_tls_rows(options, rows += PROTOCOL_ROWS);
    add_auth_rows(options, rows += TLS_ROWS);
    add_fault_rows(options, rows + AUTH_ROWS);
}

/* ---- what it means ---- */

static bool wrong_pair(const char *program, const char *one, const char *other)
{
    smtp_cli_wrong(program, "--%s and --%s exclude each other", one, other);
    return false;
}

static bool has_implicit_listener(const struct smtp_cli_server_options *options)
{
    for (size_t i = 0; i < options->listen.count; i++) {
        if (strncmp(options->listen.items[i], "smtps://", strlen("smtps://")) == 0) {
            return true;
        }
    }
    return false;
}

static bool has_known_schemes(const struct smtp_cli_server_options *options)
{
    static const char *const known[] = {"smtp://", "smtps://", "lmtp://", "unix:"};
    for (size_t i = 0; i < options->listen.count; i++) {
        const char *item = options->listen.items[i];
        bool is_known = strstr(item, "://") == NULL;
        for (size_t k = 0; k < sizeof known / sizeof *known; k++) {
            is_known = is_known || strncmp(item, known[k], strlen(known[k])) == 0;
        }
        if (!is_known) {
            smtp_cli_wrong(options->program,
                           "--listen takes HOST:PORT or unix:PATH, alone or behind smtp://, "
                           "smtps:// or lmtp://, not '%s'",
                           item);
            return false;
        }
    }
    return true;
}

/** That each option can mean something beside the others. */
static bool is_consistent(const struct smtp_cli_server_options *options)
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
    };
    for (size_t i = 0; i < sizeof need_tls / sizeof *need_tls; i++) {
        if (need_tls[i].given && options->no_tls) {
            return wrong_pair(options->program, "no-tls", need_tls[i].name);
        }
        if (need_tls[i].given && need_tls[i].of_a_made_certificate &&
            options->certificate_file != NULL) {
            return wrong_pair(options->program, "certificate", need_tls[i].name);
        }
    }
    if (options->key_file != NULL && options->certificate_file == NULL) {
        smtp_cli_wrong(options->program,
                       "--key needs --certificate FILE: the certificate it belongs to");
        return false;
    }
    if (options->auth.count == 0 && (options->auth_required || options->plain_without_tls ||
                                     options->auth_mechanisms != NULL)) {
        smtp_cli_wrong(options->program, "--%s needs --auth USER:PASSWORD: somebody who can log in",
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

static bool read_users(struct smtp_cli_server_options *options)
{
    for (size_t i = 0; i < options->auth.count; i++) {
        char *user = writable(options->auth.items[i]);
        char *colon = strchr(user, ':');
        if (colon == NULL || colon == user || colon[1] == '\0') {
            smtp_cli_wrong(options->program, "--auth takes USER:PASSWORD; %s in number %zu",
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

static bool make_identity(struct smtp_cli_server_options *options)
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
        smtp_cli_wrong(options->program, "%s", error.message);
        return false;
    }
    return true;
}

static bool apply_tls(struct smtp_cli_server_options *options)
{
    struct smtp_server_tls *tls = &options->server.tls;
    tls->mode = options->no_tls         ? SMTP_SERVER_TLS_OFF
                : options->tls_required ? SMTP_SERVER_TLS_REQUIRED
                                        : SMTP_SERVER_TLS_OFFERED;
    if (options->client_ca_file != NULL) {
        options->client_ca_pem = smtp_cli_read_file(options->program, options->client_ca_file);
        tls->client_ca_pem = options->client_ca_pem;
        if (tls->client_ca_pem == NULL) {
            return false;
        }
    }
    return make_identity(options);
}

static bool apply_auth(struct smtp_cli_server_options *options)
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

static bool apply_protocol(struct smtp_cli_server_options *options)
{
    struct smtp_server_options *server = &options->server;
    server->limits.message_octets = options->size_limit;
    server->limits.recipients = (size_t)options->recipient_limit;
    server->limits.text_line_octets = (size_t)options->line_limit;
    server->bare_line_end = bare_lf_meanings[options->bare_lf];
    return smtp_cli_set_keywords(options->program, "offer", &options->offer, true,
                                 &server->keywords) &&
           smtp_cli_set_keywords(options->program, "hide", &options->hide, false,
                                 &server->keywords) &&
           smtp_cli_set_limits(options->program, &options->limit, &server->limits);
}

/** On the server's threads, which know no program's name. */
static void complain_of_record(const char *message)
{
    fprintf(stderr, "smtp-harness: %s\n", message);
}

bool smtp_cli_server_options_record(struct smtp_cli_server_options *options)
{
    struct smtp_server_hooks table;
    struct smtp_error error = {.message = ""};
    if (options->record == NULL) {
        return true;
    }
    if (smtp_harness_recorder(&table, options->record, complain_of_record, &error) != SMTP_OK) {
        smtp_cli_wrong(options->program, "--record: %s", error.message);
        return false;
    }
    smtp_cli_server_options_add(options, &table);
    return true;
}

bool smtp_cli_server_options_apply(struct smtp_cli_server_options *options)
{
    struct smtp_server_options *server = &options->server;
    if (options->listen.count > 0) {
        server->listen = options->listen.items;
        server->listen_count = options->listen.count;
    }
    server->workers = (unsigned)options->workers;
    server->trusted_peers = options->trust.items;
    server->trusted_peer_count = options->trust.count;
    server->receivers = options->tables;
    return has_known_schemes(options) && is_consistent(options) && apply_protocol(options) &&
           apply_auth(options) && apply_tls(options);
}

/* ---- faults ---- */

static bool add_fault(const struct smtp_cli_server_options *options,
                      struct smtp_harness_faults *plan, const char *notation)
{
    struct smtp_harness_lines lines = SMTP_HARNESS_LINES;
    enum smtp_status status = smtp_harness_faults_add(plan, notation, &lines);
    char *why = smtp_harness_lines_take(&lines);
    if (status != SMTP_OK) {
        const char *said = status == SMTP_BAD_ARGUMENT && why != NULL ? why : "out of memory\n";
        smtp_cli_wrong(options->program, "--fault: %.*s", (int)strlen(said) - 1, said);
    }
    free(why);
    return status == SMTP_OK;
}

bool smtp_cli_server_options_plan(struct smtp_cli_server_options *options,
                                  struct smtp_harness_faults **plan)
{
    *plan = NULL;
    if (options->faults.count == 0 && !options->magic_addresses) {
        return true;
    }
    *plan = smtp_harness_faults_new(options->fault_seed, options->magic_addresses);
    if (*plan == NULL) {
        smtp_cli_failed(options->program, "--fault: out of memory");
        return false;
    }
    options->server.hooks = smtp_harness_faults_hooks(*plan);
    for (size_t i = 0; i < options->faults.count; i++) {
        if (!add_fault(options, *plan, options->faults.items[i])) {
            return false;
        }
    }
    return true;
}

/* ---- its end ---- */

void smtp_cli_server_options_add(struct smtp_cli_server_options *options,
                                 const struct smtp_server_hooks *table)
{
    options->tables[options->server.receiver_count++] = *table;
}

void smtp_cli_server_options_release_tables(struct smtp_cli_server_options *options)
{
    for (size_t i = 0; i < options->server.receiver_count; i++) {
        if (options->tables[i].release != NULL) {
            options->tables[i].release(options->tables[i].user);
        }
    }
    options->server.receiver_count = 0;
}

/** The words of the command line, even where it was never read that far. */
static void wipe_passwords(struct smtp_cli_server_options *options)
{
    for (size_t i = 0; i < options->auth.count; i++) {
        const char *word = options->auth.items[i];
        const char *password =
            options->users[i].password != NULL ? options->users[i].password : word;
        smtp_secret_wipe(writable(password), strlen(password));
    }
}

void smtp_cli_server_options_clear(struct smtp_cli_server_options *options)
{
    wipe_passwords(options);
    smtp_identity_release(options->server.tls.identity);
    free(options->client_ca_pem);
}
