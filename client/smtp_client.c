/* smtp_client.c - the public calls: each one puts an operation into the session, runs the
 * connection until it is over, and says what came of it. Does not know: octets (client/protocol/),
 * sockets (connection.c), what is said before the first message (hello.c), whole messages (send.c). */
#include "client/smtp_client.h"

#include "client/client.h"
#include "client/protocol/idn.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/utf8.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Of VRFY and EXPN: the line has 512 octets (RFC 5321 4.5.3.1.4). */
#define SMTP_CLIENT_NAME_MAX 500

enum smtp_status smtp_client_new(struct smtp_client **out,
                                 const struct smtp_client_options *options)
{
    *out = NULL;
    struct smtp_client_options defaults;
    if (options == NULL) {
        smtp_client_options_init(&defaults);
        options = &defaults;
    }
    enum smtp_status status = smtp_client_options_check(options, NULL);
    if (status != SMTP_OK) {
        return status;
    }
    struct smtp_client *client = calloc(1, sizeof(*client));
    if (client == NULL) {
        return SMTP_NO_MEMORY;
    }
    client->fd = -1;
    client->options = *options;
    client->reply.text = "";
    client->session = smtp_client_options_copy(&client->options) &&
                              smtp_client_options_make_ascii(&client->options)
                          ? smtp_client_session_new(&client->options)
                          : NULL;
    if (client->session == NULL) {
        smtp_client_free(client);
        return SMTP_NO_MEMORY;
    }
    *out = client;
    return SMTP_OK;
}

void smtp_client_free(struct smtp_client *client)
{
    if (client == NULL) {
        return;
    }
    smtp_client_close(client);
    smtp_client_session_free(client->session);
    smtp_client_envelope_clear(&client->envelope);
    smtp_buffer_free(&client->header);
    smtp_client_parts_clear(&client->joined);
    smtp_client_limits_forget(client);
    smtp_client_secure_clear(client);
    smtp_client_options_clear(&client->options);
    free(client);
}

void smtp_client_close(struct smtp_client *client)
{
    smtp_client_connection_close(client);
    if (client->session != NULL) {
        smtp_client_session_abandon(client->session, SMTP_CLOSED, "the connection was closed");
    }
}

/* ---- one command each ---- */

/* "MAIL FROM:<a@b>", for messages. */
static void describe(const struct smtp_client_command *command, char *out, size_t size)
{
    bool path =
        command->kind == SMTP_CLIENT_REVERSE_PATH || command->kind == SMTP_CLIENT_FORWARD_PATH;
    bool shown = path || command->kind == SMTP_CLIENT_DOMAIN;
    const char *argument = shown && command->argument != NULL ? command->argument : "";
    if (*command->verb == '\0') {
        snprintf(out, size, "the command");
    } else {
        snprintf(out, size, path ? "%s<%s>" : "%s%s", command->verb, argument);
    }
}

/* The operation that was queued, to its reply. what: it, for a message. */
static enum smtp_status await_reply(struct smtp_client *client, struct smtp_client_source *source,
                                    const char *what)
{
    struct smtp_client_event event;
    smtp_client_connection_run(client, source, &event);
    client->stage = event.stage;
    client->answered_each = client->lmtp && event.stage == SMTP_STAGE_DOT;
    bool of_content = event.stage == SMTP_STAGE_DOT || event.stage == SMTP_STAGE_CONTENT;
    return smtp_client_report_event(client, &event, of_content ? "the message" : what);
}

static enum smtp_status not_queued(struct smtp_client *client, enum smtp_status status)
{
    client->error = *smtp_client_session_error(client->session);
    return status;
}

enum smtp_status smtp_client_run(struct smtp_client *client, enum smtp_client_stage stage,
                                 const struct smtp_client_command *command,
                                 struct smtp_client_source *source)
{
    char what[300];
    enum smtp_status status = smtp_client_connection_check(client);
    if (status != SMTP_OK) {
        return status;
    }
    status = smtp_client_session_command(client->session, stage, command, smtp_clock_now_ns());
    describe(command, what, sizeof(what));
    return status == SMTP_OK ? await_reply(client, source, what) : not_queued(client, status);
}

static enum smtp_status run_text(struct smtp_client *client, enum smtp_client_stage stage,
                                 const char *verb, const char *argument)
{
    struct smtp_client_command command = {
        .verb = verb, .kind = SMTP_CLIENT_TEXT, .argument = argument};
    return smtp_client_run(client, stage, &command, NULL);
}

enum smtp_status smtp_client_mail(struct smtp_client *client, const char *reverse_path,
                                  const char *parameters)
{
    enum smtp_status status = smtp_client_hello(client);
    if (status != SMTP_OK) {
        return status;
    }
    struct smtp_client_command mail = {.verb = "MAIL FROM:",
                                       .kind = SMTP_CLIENT_REVERSE_PATH,
                                       .argument = reverse_path,
                                       .parameters = parameters};
    return smtp_client_run(client, SMTP_STAGE_MAIL, &mail, NULL);
}

enum smtp_status smtp_client_rcpt(struct smtp_client *client, const char *forward_path,
                                  const char *parameters)
{
    struct smtp_client_command rcpt = {.verb = "RCPT TO:",
                                       .kind = SMTP_CLIENT_FORWARD_PATH,
                                       .argument = forward_path,
                                       .parameters = parameters};
    return smtp_client_run(client, SMTP_STAGE_RCPT, &rcpt, NULL);
}

enum smtp_status smtp_client_data(struct smtp_client *client, struct smtp_content content)
{
    struct smtp_client_source source;
    smtp_client_source_init(&source, &content);
    enum smtp_status status = smtp_client_source_measure(&source, &client->error);
    if (status == SMTP_OK && client->fd >= 0) {
        status = smtp_client_session_check_content(client->session, &source.facts);
        status = status == SMTP_OK ? status : not_queued(client, status);
    }
    if (status != SMTP_OK) {
        return status;
    }
    struct smtp_client_command data = {.verb = "DATA"};
    return smtp_client_run(client, SMTP_STAGE_DATA, &data, &source);
}

enum smtp_status smtp_client_bdat(struct smtp_client *client, const void *octets, size_t len,
                                  bool last)
{
    struct smtp_span chunk = {octets, len};
    if (octets == NULL && len > 0) {
        return smtp_error_set(&client->error, SMTP_BAD_ARGUMENT, 0,
                              "the chunk of %zu octets is NULL", len);
    }
    enum smtp_status status = smtp_client_connection_check(client);
    if (status != SMTP_OK) {
        return status;
    }
    status = smtp_client_session_bdat(client->session, chunk, last, smtp_clock_now_ns());
    return status == SMTP_OK ? await_reply(client, NULL, "BDAT") : not_queued(client, status);
}

enum smtp_status smtp_client_rset(struct smtp_client *client)
{
    return run_text(client, SMTP_STAGE_RSET, "RSET", NULL);
}

/* None of these is answered by 3yz (RFC 5321 4.3.2). */
static enum smtp_status inquire(struct smtp_client *client, const char *verb, const char *argument)
{
    enum smtp_status status = run_text(client, SMTP_STAGE_COMMAND, verb, argument);
    if (status != SMTP_OK || client->reply.code / 100 != 3) {
        return status;
    }
    struct smtp_client_event event = {SMTP_CLIENT_EVENT_REPLY, SMTP_STAGE_COMMAND,
                                      SMTP_PROTOCOL_VIOLATION, client->reply};
    return smtp_client_report_event(client, &event, verb);
}

enum smtp_status smtp_client_noop(struct smtp_client *client)
{
    return inquire(client, "NOOP", NULL);
}

/* RFC 6531 3.7.4.2: a name in UTF-8 goes with SMTPUTF8 behind it, or nowhere. */
static enum smtp_status ask_about(struct smtp_client *client, const char *verb, const char *name)
{
    char argument[SMTP_CLIENT_NAME_MAX + sizeof(" SMTPUTF8")];
    struct smtp_span text = smtp_span_of(name != NULL ? name : "");
    if (!smtp_has_eight_bit(text)) {
        return inquire(client, verb, name);
    }
    if (!smtp_is_utf8(text) || text.len > SMTP_CLIENT_NAME_MAX) {
        return smtp_error_set(&client->error, SMTP_BAD_ARGUMENT, 0,
                              "%s: the name is no UTF-8, or longer than %d octets", verb,
                              SMTP_CLIENT_NAME_MAX);
    }
    if (!smtp_client_has_extension(client, "SMTPUTF8")) {
        return smtp_error_set(
            &client->error, SMTP_UNSUPPORTED, 0,
            "%s: the name is not ASCII, and needs SMTPUTF8, which the server does "
            "not offer",
            verb);
    }
    snprintf(argument, sizeof(argument), "%s SMTPUTF8", name);
    return inquire(client, verb, argument);
}

enum smtp_status smtp_client_vrfy(struct smtp_client *client, const char *name)
{
    return ask_about(client, "VRFY", name);
}

enum smtp_status smtp_client_expn(struct smtp_client *client, const char *list)
{
    return ask_about(client, "EXPN", list);
}

enum smtp_status smtp_client_help(struct smtp_client *client, const char *topic)
{
    return inquire(client, "HELP", topic);
}

enum smtp_status smtp_client_command(struct smtp_client *client, const char *line)
{
    return run_text(client, SMTP_STAGE_COMMAND, "", line);
}

/* ---- life of a connection ---- */

enum smtp_status smtp_client_quit(struct smtp_client *client)
{
    enum smtp_status status = run_text(client, SMTP_STAGE_QUIT, "QUIT", NULL);
    smtp_client_close(client);
    return status == SMTP_CLOSED ? SMTP_OK : status; /* closed is what was asked for */
}

void smtp_client_quit_quietly(struct smtp_client *client)
{
    char text[256];
    struct smtp_error error = client->error;
    struct smtp_reply reply = client->reply;
    snprintf(text, sizeof(text), "%s", reply.text);
    (void)smtp_client_quit(client);
    client->error = error;
    client->reply = reply;
    snprintf(client->refusal_text, sizeof(client->refusal_text), "%s", text);
    client->reply.text = client->refusal_text;
}

static enum smtp_status await_greeting(struct smtp_client *client)
{
    struct smtp_client_event event;
    smtp_client_connection_run(client, NULL, &event);
    enum smtp_status status = smtp_client_report_event(client, &event, "the connection was");
    if (status == SMTP_OK) {
        return status;
    }
    if (client->fd >= 0) {
        smtp_client_quit_quietly(client);
    } else {
        smtp_client_report_silence(client);
    }
    return status;
}

/* "lmtp://" or "smtp://" before the host; the rest is where it is. */
static enum smtp_status take_scheme(struct smtp_client *client, const char **host)
{
    static const char *const schemes[] = {"smtp://", "lmtp://"};
    client->lmtp = false;
    for (size_t i = 0; i < 2; i++) {
        size_t len = strlen(schemes[i]);
        if (strncasecmp(*host, schemes[i], len) == 0) {
            client->lmtp = i == 1;
            *host += len;
            return SMTP_OK;
        }
    }
    if (strncasecmp(*host, "smtps://", 8) == 0) {
        return smtp_error_set(&client->error, SMTP_BAD_ARGUMENT, 0,
                              "smtps:// is not taken here: leave it out, and set the option "
                              "tls.policy to SMTP_CLIENT_TLS_IMPLICIT");
    }
    return strstr(*host, "://") == NULL || strncmp(*host, "unix:", 5) == 0
               ? SMTP_OK
               : smtp_error_set(&client->error, SMTP_BAD_ARGUMENT, 0,
                                "before a host nothing but lmtp:// or smtp:// is known");
}

/* Into client->address. */
static enum smtp_status take_address(struct smtp_client *client, const char *host, uint16_t port)
{
    struct smtp_address *address = &client->address;
    enum smtp_status status = take_scheme(client, &host);
    if (status == SMTP_OK) {
        status = smtp_address_parse(host, client->lmtp ? SMTP_LMTP_PORT : SMTP_PORT, address,
                                    &client->error);
    }
    if (status != SMTP_OK || address->kind != SMTP_ADDRESS_TCP) {
        return status;
    }
    address->port = port != 0 ? port : address->port;
    if (client->lmtp && address->port == SMTP_PORT) { /* RFC 2033 5 */
        return smtp_error_set(&client->error, SMTP_BAD_ARGUMENT, 0,
                              "LMTP is never spoken on port 25, which is SMTP's: name the port of "
                              "the LMTP server, often 24 or %d",
                              SMTP_LMTP_PORT);
    }
    /* DNS and certificates know A-labels */
    return smtp_client_idn_copy(address->host, sizeof(address->host), address->host,
                                &client->error);
}

enum smtp_status smtp_client_aim(struct smtp_client *client, const char *host, uint16_t port)
{
    smtp_client_close(client);
    smtp_client_limits_forget(client);
    client->connections++;
    client->as_another = false;
    client->reply = (struct smtp_reply){.text = ""};
    if (host == NULL) {
        return smtp_error_set(&client->error, SMTP_BAD_ARGUMENT, 0, "the host is NULL");
    }
    return take_address(client, host, port);
}

enum smtp_status smtp_client_connect(struct smtp_client *client, const char *host, uint16_t port)
{
    enum smtp_status status = smtp_client_aim(client, host, port);
    status = status == SMTP_OK ? smtp_client_connection_open(client) : status;
    return status == SMTP_OK ? await_greeting(client) : status;
}

/* ---- what it knows ---- */

const struct smtp_reply *smtp_client_reply(const struct smtp_client *client)
{
    return &client->reply;
}

const struct smtp_reply *smtp_client_recipient_reply(const struct smtp_client *client, size_t i)
{
    if (!client->answered_each) {
        return NULL;
    }
    const struct smtp_send_result *result = smtp_client_session_result(client->session);
    return i < result->recipient_count ? &result->recipients[i].reply : NULL;
}

const struct smtp_error *smtp_client_error(const struct smtp_client *client)
{
    return &client->error;
}

bool smtp_client_is_connected(const struct smtp_client *client)
{
    return client->fd >= 0;
}

bool smtp_client_has_extension(const struct smtp_client *client, const char *keyword)
{
    return smtp_client_extension(client, keyword) != NULL;
}

const char *smtp_client_extension(const struct smtp_client *client, const char *keyword)
{
    return smtp_client_extensions_find(smtp_client_session_extensions(client->session), keyword);
}
