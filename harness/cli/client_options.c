/* client_options.c - see client_options.h. Names in every complaint the option that is wrong, and never
 * a password. */
#include "harness/cli/client_options.h"

#include "client/options.h"
#include "common/bytes.h"
#include "common/error.h"
#include "common/secret.h"
#include "harness/nearest.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>
#include <unistd.h>

#define PASSWORD_MAX 4096
#define TIMEOUT_MAX_MS 86400000 /* a day */

enum { TLS_BY_URL, TLS_NEVER, TLS_OFFERED, TLS_REQUIRED };
static const char *const tls_choices[] = {"by-url", "never", "offered", "required", NULL};

/* ---- the command line ---- */

#define TLS_ROWS 7
#define AUTH_ROWS 6
#define SESSION_ROWS 10

static void add_tls_rows(struct smtp_cli_client_options *options,
                         struct smtp_cli_option rows[TLS_ROWS])
{
    rows[0] = smtp_cli_heading("TLS (smtps:// is TLS from the first octet):");
    rows[1] = smtp_cli_choice("tls", "WHEN", &options->tls, tls_choices,
                              "STARTTLS: never, offered, required (required\n"
                              "with a login, else offered)");
    rows[2] = smtp_cli_text("ca", "FILE", &options->ca_file,
                            "whom to trust, PEM (SMTP_CA_FILE, the system's)");
    rows[3] = smtp_cli_text("tls-name", "NAME", &options->tls_name,
                            "the certificate must be for it (the host)");
    rows[4] = smtp_cli_text("certificate", "FILE", &options->certificate_file,
                            "the client's own, with its chain behind it");
    rows[5] = smtp_cli_text("key", "FILE", &options->key_file, "its key (in the same file)");
    rows[6] = smtp_cli_flag(0, "insecure", &options->insecure, "any certificate will do");
}

static void add_auth_rows(struct smtp_cli_client_options *options,
                          struct smtp_cli_option rows[AUTH_ROWS])
{
    rows[0] = smtp_cli_heading("Login (or smtp://user:password@host):");
    rows[1] = smtp_cli_text("user", "NAME", &options->user,
                            "its password is in SMTP_PASSWORD, or in the");
    rows[2] = smtp_cli_text("password-file", "FILE", &options->password_file,
                            "first line of this; of OAuth, the token");
    rows[3] = smtp_cli_text("mechanism", "NAME", &options->mechanism,
                            "like SCRAM-SHA-256, EXTERNAL (the strongest)");
    rows[4] = smtp_cli_text("authorize-as", "NAME", &options->authorize_as, "whom to act as");
    rows[5] = smtp_cli_flag(0, "plain-without-tls", &options->plain_without_tls,
                            "sends passwords in the clear too");
}

static void add_session_rows(struct smtp_cli_client_options *options,
                             struct smtp_cli_option rows[SESSION_ROWS])
{
    rows[0] = smtp_cli_heading("The session:");
    rows[1] = smtp_cli_text("helo", "NAME", &options->helo_name, "for EHLO ([127.0.0.1])");
    rows[2] = smtp_cli_text("source", "ADDR", &options->source_address,
                            "the local address to connect from");
    rows[3] = smtp_cli_flag(0, "no-pipelining", &options->no_pipelining,
                            "one command at a time (RFC 2920)");
    rows[4] = smtp_cli_flag(0, "no-chunking", &options->no_chunking, "DATA, never BDAT (RFC 3030)");
    rows[9] = smtp_cli_flag(0, "long-lines", &options->long_lines,
                            "lines over 998 octets go out as they are");
    rows[5] = smtp_cli_number("chunk", &options->chunk_octets, 1, (uint64_t)1 << 30,
                              "octets of the longest chunk (1048576)");
    rows[6] = smtp_cli_text("proxy-header", "TEXT", &options->proxy_header,
                            "like 'v2 192.0.2.1:4011 192.0.2.2:25'");
    rows[7] =
        smtp_cli_text("xclient", "TEXT", &options->xclient, "like 'NAME=a.example ADDR=192.0.2.1'");
    rows[8] = smtp_cli_texts("timeout", "NAME=MS", &options->timeouts,
                             "like command=5000 or overall=60000; 0: none;\n"
                             "a wrong NAME lists them all; more than once");
}

void smtp_cli_client_options_use(struct smtp_cli_client_options *options, const char *program,
                                 struct smtp_cli_option rows[SMTP_CLI_CLIENT_ROWS])
{
    static_assert(TLS_ROWS + AUTH_ROWS + SESSION_ROWS == SMTP_CLI_CLIENT_ROWS, "all rows");
    *options = (struct smtp_cli_client_options){.program = program};
    smtp_client_options_init(&options->client);
    options->chunk_octets = options->client.chunk_octets;
    add_tls_rows(options, rows);
    add_auth_rows(options, rows += TLS_ROWS);
    add_session_rows(options, rows + AUTH_ROWS);
}

/* ---- timeouts ---- */

struct timeout {
    const char *name;
    size_t at; /* its member */
};
#define TIMEOUT(name)                                                                              \
    {                                                                                              \
#name, offsetof(struct smtp_client_timeouts, name##_ms)                                    \
    }
static const struct timeout timeouts[] = {TIMEOUT(connect), TIMEOUT(greeting), TIMEOUT(handshake),
                                          TIMEOUT(command), TIMEOUT(data),     TIMEOUT(content),
                                          TIMEOUT(final),   TIMEOUT(quit),     TIMEOUT(overall)};

static bool set_timeout(const char *program, const char *setting, struct smtp_client_timeouts *out)
{
    struct smtp_span name = {setting, strcspn(setting, "=")};
    for (size_t i = 0; i < sizeof timeouts / sizeof *timeouts; i++) {
        if (smtp_span_equal(smtp_span_of(timeouts[i].name), name) && setting[name.len] == '=') {
            uint64_t ms;
            if (smtp_span_to_u64(smtp_span_of(setting + name.len + 1), TIMEOUT_MAX_MS, &ms)) {
                *(uint64_t *)(void *)((char *)out + timeouts[i].at) = ms;
                return true;
            }
            smtp_cli_wrong(program, "--timeout %s= takes milliseconds from 0 to %d, not '%s'",
                           timeouts[i].name, TIMEOUT_MAX_MS, setting + name.len + 1);
            return false;
        }
    }
    char typed[32];
    snprintf(typed, sizeof typed, "%.*s", (int)name.len, setting);
    struct smtp_nearest nearest = {.typed = typed};
    for (size_t i = 0; i < sizeof timeouts / sizeof *timeouts; i++) {
        smtp_nearest_offer(&nearest, timeouts[i].name);
    }
    smtp_cli_wrong(
        program,
        "--timeout takes NAME=MS, not '%s'; NAME is one of connect, greeting, handshake, "
        "command, data, content, final, quit, overall" SMTP_NEAREST_FORMAT,
        setting, SMTP_NEAREST_ARGUMENTS(nearest));
    return false;
}

/* ---- what it means ---- */

static int wrong_pair(const struct smtp_cli_client_options *options, const char *one,
                      const char *other)
{
    smtp_cli_wrong(options->program, "%s and %s exclude each other", one, other);
    return EX_USAGE;
}

/** That each option can mean something beside the others and the URL. */
static int check_consistency(const struct smtp_cli_client_options *options)
{
    const struct smtp_client_url *url = &options->url;
    if (options->tls != TLS_BY_URL && url->implicit_tls) {
        return wrong_pair(options, "--tls", "smtps://");
    }
    if (options->tls != TLS_BY_URL && url->policy_said) {
        return wrong_pair(options, "--tls", "the URL's tls=");
    }
    if (options->user != NULL && url->user != NULL) {
        return wrong_pair(options, "--user", "the URL's user");
    }
    if (options->password_file != NULL && url->password != NULL) {
        return wrong_pair(options, "--password-file", "the URL's password");
    }
    if (options->insecure && options->ca_file != NULL) {
        return wrong_pair(options, "--insecure", "--ca");
    }
    if (options->key_file != NULL && options->certificate_file == NULL) {
        smtp_cli_wrong(options->program,
                       "--key needs --certificate FILE: the certificate it belongs to");
        return EX_USAGE;
    }
    bool login = options->user != NULL || url->user != NULL;
    if (!login && (options->password_file != NULL || options->authorize_as != NULL)) {
        smtp_cli_wrong(options->program, "--%s needs --user NAME: who logs in",
                       options->password_file != NULL ? "password-file" : "authorize-as");
        return EX_USAGE;
    }
    return 0;
}

static int apply_tls(struct smtp_cli_client_options *options)
{
    static const enum smtp_client_tls_policy policies[] = {
        [TLS_NEVER] = SMTP_CLIENT_TLS_NEVER,
        [TLS_OFFERED] = SMTP_CLIENT_TLS_WHEN_OFFERED,
        [TLS_REQUIRED] = SMTP_CLIENT_TLS_REQUIRED,
    };
    struct smtp_client_tls *tls = &options->client.tls;
    struct smtp_error error = {.status = SMTP_OK};
    if (options->tls != TLS_BY_URL) {
        options->url.policy = policies[options->tls];
        options->url.policy_said = true;
    } else if (options->user != NULL && !options->url.implicit_tls && !options->url.policy_said) {
        options->url.policy = SMTP_CLIENT_TLS_REQUIRED;
    }
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): nothing here sets the environment */
    tls->ca_file = options->ca_file != NULL ? options->ca_file : getenv("SMTP_CA_FILE");
    tls->name = options->tls_name;
    tls->insecure = options->insecure;
    if (options->ca_file != NULL && access(options->ca_file, R_OK) != 0) {
        smtp_cli_wrong(options->program, "--ca: cannot read %s: %s", options->ca_file,
                       smtp_errno_text(errno));
        return EX_CONFIG;
    }
    if (options->certificate_file != NULL &&
        smtp_identity_load(&tls->identity, options->certificate_file, options->key_file, &error) !=
            SMTP_OK) {
        tls->identity = NULL;
        smtp_cli_wrong(options->program, "%s", error.message);
        return EX_CONFIG;
    }
    return 0;
}

/** The first line of the file; NULL: why is said. */
static char *read_password(const struct smtp_cli_client_options *options)
{
    char *text = calloc(1, PASSWORD_MAX + 1);
    int fd = open(options->password_file, O_RDONLY | O_CLOEXEC);
    ssize_t len = fd >= 0 && text != NULL ? read(fd, text, PASSWORD_MAX) : -1;
    if (len < 0) {
        smtp_cli_wrong(options->program, "--password-file: cannot read %s: %s",
                       options->password_file, smtp_errno_text(errno));
        free(text);
        text = NULL;
    } else {
        text[strcspn(text, "\r\n")] = '\0';
    }
    if (fd >= 0) {
        close(fd);
    }
    return text;
}

static bool is_token(const char *mechanism)
{
    return mechanism != NULL &&
           (strcasecmp(mechanism, "XOAUTH2") == 0 || strcasecmp(mechanism, "OAUTHBEARER") == 0);
}

static int apply_login(struct smtp_cli_client_options *options)
{
    struct smtp_client_credentials *credentials = &options->credentials;
    *credentials = smtp_client_url_credentials(&options->url);
    credentials->identity = options->user != NULL ? options->user : credentials->identity;
    credentials->mechanism =
        options->mechanism != NULL ? options->mechanism : credentials->mechanism;
    credentials->authorization_identity = options->authorize_as;
    credentials->plain_without_tls = options->plain_without_tls;
    const char *secret = options->url.password;
    if (options->password_file != NULL) {
        options->password = read_password(options);
        secret = options->password;
        if (secret == NULL) {
            return EX_CONFIG;
        }
    }
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): nothing here sets the environment */
    secret = secret != NULL ? secret : getenv("SMTP_PASSWORD");
    bool external =
        credentials->mechanism != NULL && strcasecmp(credentials->mechanism, "EXTERNAL") == 0;
    bool login = credentials->identity != NULL;
    if (login && secret == NULL && !external) {
        smtp_cli_wrong(options->program,
                       "there is a user and no password: SMTP_PASSWORD or --password-file FILE");
        return EX_CONFIG;
    }
    if (!login && credentials->mechanism != NULL && !external) {
        smtp_cli_wrong(options->program, "--mechanism needs --user NAME: who logs in");
        return EX_USAGE;
    }
    bool token = is_token(credentials->mechanism);
    credentials->password = login && !token && !external ? secret : NULL;
    credentials->token = login && token ? secret : NULL;
    return 0;
}

static int apply_session(struct smtp_cli_client_options *options)
{
    struct smtp_client_options *client = &options->client;
    struct smtp_error error = {.status = SMTP_OK};
    client->helo_name = options->helo_name;
    client->source_address = options->source_address;
    client->proxy_header = options->proxy_header;
    client->pipelining = !options->no_pipelining;
    client->chunking = !options->no_chunking;
    client->long_lines = options->long_lines;
    client->chunk_octets = (size_t)options->chunk_octets;
    for (size_t i = 0; i < options->timeouts.count; i++) {
        if (!set_timeout(options->program, options->timeouts.items[i], &client->timeouts)) {
            return EX_USAGE;
        }
    }
    *client = smtp_client_url_options(&options->url, client);
    if (smtp_client_options_check(client, &error) != SMTP_OK) {
        smtp_cli_wrong(options->program, "%s", error.message);
        return EX_USAGE;
    }
    return 0;
}

static void wipe_word(const char *word)
{
    smtp_secret_wipe((char *)(uintptr_t)word, strlen(word)); /* argv's own: C17 5.1.2.2.1 */
}

/** An address, say, which belongs behind it. */
static bool is_url(const char *word)
{
    return strstr(word, "://") != NULL || strncmp(word, "unix:", strlen("unix:")) == 0;
}

int smtp_cli_client_options_apply(struct smtp_cli_client_options *options, const char *word)
{
    struct smtp_error error = {.status = SMTP_OK};
    if (!is_url(word)) {
        int shown = (int)strcspn(word, ":"); /* what is behind it may be a password */
        smtp_cli_wrong(options->program,
                       "the first word is the server's URL, like smtp://127.0.0.1:2525 or "
                       "unix:PATH, not '%.*s%s'",
                       shown, word, word[shown] == ':' ? ":..." : "");
        wipe_word(word);
        return EX_USAGE;
    }
    enum smtp_status status = smtp_client_url_parse(&options->url, word, &error);
    wipe_word(word);
    if (status != SMTP_OK) {
        smtp_cli_wrong(options->program, "%s", error.message);
        return EX_USAGE;
    }
    int wrong = check_consistency(options);
    wrong = wrong != 0 ? wrong : apply_tls(options);
    wrong = wrong != 0 ? wrong : apply_login(options);
    return wrong != 0 ? wrong : apply_session(options);
}

enum smtp_status smtp_cli_client_options_connect(const struct smtp_cli_client_options *options,
                                                 struct smtp_client *client,
                                                 enum smtp_client_stage *stage)
{
    const struct smtp_client_credentials *credentials = &options->credentials;
    *stage = SMTP_STAGE_CONNECT;
    enum smtp_status status = smtp_client_connect(client, options->url.host, options->url.port);
    if (status == SMTP_OK) {
        *stage = SMTP_STAGE_EHLO;
        status = smtp_client_hello(client);
    }
    if (status == SMTP_OK && options->xclient != NULL) {
        *stage = SMTP_STAGE_XCLIENT;
        status = smtp_client_xclient(client, options->xclient);
    }
    if (status == SMTP_OK && (credentials->identity != NULL || credentials->mechanism != NULL)) {
        *stage = SMTP_STAGE_AUTH;
        status = smtp_client_auth(client, credentials);
    }
    return status;
}

void smtp_cli_client_options_clear(struct smtp_cli_client_options *options)
{
    if (options->password != NULL) {
        smtp_secret_wipe(options->password, PASSWORD_MAX);
        free(options->password);
    }
    smtp_identity_release(options->client.tls.identity);
    smtp_client_url_clear(&options->url);
}
