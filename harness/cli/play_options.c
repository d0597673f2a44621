/* play_options.c - see play_options.h. */
#include "harness/cli/play_options.h"

#include <stdlib.h>
#include <string.h>

#define PROGRAM SMTP_PLAY_PROGRAM
#define HOUR_MS UINT64_C(3600000)
#define REPEAT_MAX UINT64_C(1000000)

void smtp_play_options_use(struct smtp_play_options *options, smtp_cli_reader *reader, void *user)
{
    options->repeat = 1;
    options->timeout_ms = 10000;
    options->accept_timeout_ms = 60000;
    options->tolerance_ms = 50;
    options->files.name = "FILE...";
    options->files.min = 1;
    options->files.max = SIZE_MAX;
    const struct smtp_cli_option rows[] = {
        smtp_cli_text("connect", "URL", &options->connect,
                      "plays the client, against the server there:\n"
                      "smtp://HOST:PORT, smtps://, lmtp://, unix:PATH"),
        smtp_cli_text("listen", "URL", &options->listen,
                      "plays the server there, and prints where that is;\n"
                      "port 0: a free one"),
        smtp_cli_texts("set", "NAME=VALUE", &options->set, "what ${NAME} is; may be given again"),
        smtp_cli_number("repeat", &options->repeat, 1, REPEAT_MAX, "plays all files N times (1)"),
        smtp_cli_text("record", "FILE", &options->record, "writes what was said as a dialogue"),
        smtp_cli_flag('v', "verbose", &options->verbose,
                      "shows each dialogue, client left, server right"),
        smtp_cli_flag(0, "explain", &options->explain, "and says what each line means"),
        smtp_cli_flag(0, "tap", &options->tap, "tells the results in TAP version 13"),
        smtp_cli_flag(0, "json", &options->json, "tells the results as JSON, one object a line"),
        smtp_cli_text("junit", "FILE", &options->junit, "tells them as JUnit's XML, too"),
        smtp_cli_number("timeout", &options->timeout_ms, 1, HOUR_MS,
                        "milliseconds that a step may take (10000)"),
        smtp_cli_number("accept-timeout", &options->accept_timeout_ms, 1, HOUR_MS,
                        "milliseconds to wait for a client (60000)"),
        smtp_cli_number("tolerance", &options->tolerance_ms, 1, HOUR_MS,
                        "milliseconds that a [wait] may be off (50)"),
        smtp_cli_text("ca", "FILE", &options->ca_file, "the authority to trust (the system's)"),
        smtp_cli_text("tls-name", "NAME", &options->tls_name,
                      "what the certificate must be for (the host)"),
        smtp_cli_flag(0, "insecure", &options->insecure, "any certificate will do"),
        smtp_cli_text("certificate", "FILE", &options->certificate_file,
                      "the own one, PEM (as server: one made in memory)"),
        smtp_cli_text("key", "FILE", &options->key_file, "its key (in the same file)"),
        smtp_cli_text("ready-file", "FILE", &options->ready_file,
                      "holds the URL once the server listens"),
        smtp_cli_text("ca-file-out", "FILE", &options->ca_file_out,
                      "is written the authority to trust the server by"),
    };
    const struct smtp_cli_usage usage = {
        .program = PROGRAM,
        .about = "Plays dialogues (C: and S: lines) as either end, up to the first thing that is\n"
                 "not as written. Exit status 0: all came so; 1: not; 2: it cannot be played.",
        .words = &options->files,
        .first = "connect listen set record verbose tap json junit ca insecure ready-file",
        .examples = {PROGRAM " hello.smtp --connect smtp://127.0.0.1:2525 -v",
                     PROGRAM " greeting.smtp --listen smtp://127.0.0.1:0 --ready-file url",
                     PROGRAM " *.smtp --connect smtp://localhost --set who=ann --tap"},
        .options = rows,
        .option_count = sizeof rows / sizeof *rows,
    };
    reader(&usage, user);
}

/** Fills address, is_lmtp and implicit_tls in. */
static int apply_url(struct smtp_play_options *options, const char *option, const char *url)
{
    static const struct {
        const char *scheme;
        uint16_t port; /* RFC 5321 4.5.4.2, RFC 8314 3.3, RFC 2033 5 */
        bool tls, lmtp;
    } schemes[] = {{"smtp://", 25, false, false},
                   {"smtps://", 465, true, false},
                   {"lmtp://", 24, false, true}};
    struct smtp_error error = {.message = ""};
    char text[SMTP_ADDRESS_TEXT_SIZE];
    uint16_t port = 25;
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        size_t len = strlen(schemes[i].scheme);
        if (strncmp(url, schemes[i].scheme, len) == 0) {
            url += len;
            port = schemes[i].port;
            options->is_lmtp = schemes[i].lmtp;
            options->dialogue.implicit_tls = schemes[i].tls;
            break;
        }
    }
    if (strstr(url, "://") != NULL && strncmp(url, "unix:", 5) != 0) {
        return smtp_cli_wrong(
            PROGRAM,
            "--%s takes smtp://, smtps:// or lmtp:// and HOST:PORT, or unix:PATH, "
            "not '%s'",
            option, url);
    }
    size_t len = strlen(url);
    len -= len > 0 && url[len - 1] == '/' && strncmp(url, "unix:", 5) != 0;
    if (len == 0 || len >= sizeof text) {
        return smtp_cli_wrong(PROGRAM, "--%s needs a host, like smtp://127.0.0.1:2525", option);
    }
    memcpy(text, url, len);
    text[len] = '\0';
    if (smtp_address_parse(text, port, &options->address, &error) != SMTP_OK) {
        return smtp_cli_wrong(PROGRAM, "--%s: %s", option, error.message);
    }
    return 0;
}

/** "NAME=VALUE". */
static int apply_set(struct smtp_play_options *options)
{
    static const char name_octets[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
    for (size_t i = 0; i < options->set.count; i++) {
        const char *given = options->set.items[i];
        size_t len = strspn(given, name_octets);
        if (len == 0 || given[len] != '=') {
            return smtp_cli_wrong(PROGRAM,
                                  "--set needs NAME=VALUE, the name of letters, digits, '_' and "
                                  "'-'");
        }
        options->names[i] = strndup(given, len);
        if (options->names[i] == NULL) {
            return smtp_cli_failed(PROGRAM, "out of memory");
        }
        options->variables[i] =
            (struct smtp_dialogue_variable){options->names[i], smtp_span_of(given + len + 1)};
    }
    options->dialogue.variables = options->variables;
    options->dialogue.variable_count = options->set.count;
    return 0;
}

/** Options of the role that is not played would do nothing. */
static int check_role(const struct smtp_play_options *options)
{
    const struct {
        const char *name;
        bool given, is_servers;
    } rows[] = {{"ready-file", options->ready_file != NULL, true},
                {"ca-file-out", options->ca_file_out != NULL, true},
                {"ca", options->ca_file != NULL, false},
                {"tls-name", options->tls_name != NULL, false},
                {"insecure", options->insecure, false}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (rows[i].given && rows[i].is_servers != (options->listen != NULL)) {
            return smtp_cli_wrong(PROGRAM, "--%s goes with --%s", rows[i].name,
                                  rows[i].is_servers ? "listen" : "connect");
        }
    }
    return 0;
}

static int apply_identity(struct smtp_play_options *options)
{
    struct smtp_error error = {.message = ""};
    enum smtp_status status = SMTP_OK;
    if (options->key_file != NULL && options->certificate_file == NULL) {
        return smtp_cli_wrong(PROGRAM, "--key needs --certificate FILE: the one it belongs to");
    }
    if (options->certificate_file != NULL && options->ca_file_out != NULL) {
        return smtp_cli_wrong(PROGRAM, "--certificate and --ca-file-out exclude each other");
    }
    if (options->certificate_file != NULL) {
        status = smtp_identity_load(&options->identity, options->certificate_file,
                                    options->key_file, &error);
    } else if (options->listen != NULL) {
        status = smtp_identity_new(&options->identity, NULL, &error);
    }
    options->dialogue.identity = options->identity;
    return status == SMTP_OK ? 0 : smtp_cli_wrong(PROGRAM, "%s", error.message);
}

int smtp_play_options_apply(struct smtp_play_options *options)
{
    options->verbose = options->verbose || options->explain;
    if (options->connect != NULL && options->listen != NULL) {
        return smtp_cli_wrong(PROGRAM,
                              "--connect and --listen exclude each other: it plays one end");
    }
    if (options->connect == NULL && options->listen == NULL) {
        return smtp_cli_wrong(PROGRAM,
                              "either --connect URL (to play the client) or --listen URL (to play "
                              "the server) is needed");
    }
    if (options->tap && options->json) {
        return smtp_cli_wrong(PROGRAM, "--tap and --json exclude each other");
    }
    options->dialogue = (struct smtp_dialogue_options){
        .step_timeout_ms = options->timeout_ms,
        .accept_timeout_ms = options->accept_timeout_ms,
        .tolerance_ms = options->tolerance_ms,
        .ca_file = options->ca_file,
        .verify_name = options->tls_name,
        .insecure = options->insecure,
    };
    bool connects = options->connect != NULL;
    int wrong = check_role(options);
    wrong = wrong != 0 ? wrong
                       : apply_url(options, connects ? "connect" : "listen",
                                   connects ? options->connect : options->listen);
    wrong = wrong != 0 ? wrong : apply_set(options);
    return wrong != 0 ? wrong : apply_identity(options);
}

void smtp_play_options_clear(struct smtp_play_options *options)
{
    for (size_t i = 0; i < SMTP_CLI_TEXTS_MAX; i++) {
        free(options->names[i]);
    }
    smtp_identity_release(options->identity);
}
