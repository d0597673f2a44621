/* settings.c - see settings.h.
 * Knows: the range of each option. Does not know: what is done with it. */
#include "server/settings.h"

#include "common/clock.h"
#include "common/error.h"
#include "common/net.h"

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define WORKERS_MAX 64
#define LISTEN_MAX 64
#define HOSTNAME_MAX 255 /* a domain name, RFC 1035 2.3.4 */
/* The greeting must stay one reply line of 512 octets, RFC 5321 4.5.3.1.5. */
#define GREETING_MAX 200
#define ADDRESS_OCTETS_MAX 65535
#define COMMAND_LINE_MIN 64      /* "MAIL FROM:<...>" of a short address fits */
#define COMMAND_LINE_MAX 1048576 /* a session keeps one line in memory */
#define TEXT_LINE_MIN 3          /* one octet and its CRLF */
#define SECONDS_MAX 999999999    /* nine digits, RFC 4865 4.1, RFC 2852 3 */
#define SMTP_PORT 25

static const char *const default_listen[] = {"127.0.0.1:0"};
static const char default_hostname[] = "harness.test";
static const char default_greeting[] = "ESMTP";

static enum smtp_status check_range(const char *option, uint64_t value, uint64_t min, uint64_t max,
                                    struct smtp_error *error)
{
    if (value >= min && value <= max) {
        return SMTP_OK;
    }
    return smtp_error_set(error, SMTP_BAD_ARGUMENT, 0,
                          "%s must be from %" PRIu64 " to %" PRIu64 ", it is %" PRIu64, option, min,
                          max, value);
}

static enum smtp_status check_numbers(const struct smtp_server_options *options,
                                      struct smtp_error *error)
{
    const struct smtp_server_limits *limits = &options->limits;
    const struct {
        const char *option;
        uint64_t value, min, max;
    } rows[] = {
        {"workers", options->workers, 1, WORKERS_MAX},
        {"bare_line_end", (uint64_t)options->bare_line_end, SMTP_BARE_REFUSE, SMTP_BARE_ACCEPT},
        {"tls.mode", (uint64_t)options->tls.mode, SMTP_SERVER_TLS_OFFERED, SMTP_SERVER_TLS_OFF},
        {"mailbox", (uint64_t)options->mailbox, SMTP_MAILBOX_KEEP, SMTP_MAILBOX_RING},
        {"limits.local_part_octets", limits->local_part_octets, 1, ADDRESS_OCTETS_MAX},
        {"limits.domain_octets", limits->domain_octets, 1, ADDRESS_OCTETS_MAX},
        {"limits.path_octets", limits->path_octets, 2, ADDRESS_OCTETS_MAX},
        {"limits.command_line_octets", limits->command_line_octets, COMMAND_LINE_MIN,
         COMMAND_LINE_MAX},
        {"limits.each_command", limits->each_command, 0, UINT16_MAX - 1},
        {"limits.hold_s", limits->hold_s, 0, SECONDS_MAX},
        {"limits.deliver_by_s", limits->deliver_by_s, 0, SECONDS_MAX},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        enum smtp_status status =
            check_range(rows[i].option, rows[i].value, rows[i].min, rows[i].max, error);
        if (status != SMTP_OK) {
            return status;
        }
    }
    if (options->mailbox == SMTP_MAILBOX_RING && options->ring_messages == 0 &&
        options->ring_octets == 0) {
        return smtp_error_set(error, SMTP_BAD_ARGUMENT, 0,
                              "mailbox RING needs ring_messages or ring_octets");
    }
    if (limits->text_line_octets != 0 && limits->text_line_octets < TEXT_LINE_MIN) {
        return smtp_error_set(
            error, SMTP_BAD_ARGUMENT, 0,
            "limits.text_line_octets must be 0 (no limit) or at least %d, it is %zu", TEXT_LINE_MIN,
            limits->text_line_octets);
    }
    return SMTP_OK;
}

/* The text stands in a reply line: a CR or LF in it would write replies of its own. */
static enum smtp_status check_text(const char *option, const char *text, size_t min, size_t max,
                                   bool spaces, struct smtp_error *error)
{
    size_t len = strlen(text);
    if (len < min || len > max) {
        return smtp_error_set(error, SMTP_BAD_ARGUMENT, 0,
                              "%s must have %zu to %zu octets, it has %zu", option, min, max, len);
    }
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (smtp_is_control(c) || c >= 128 || (c == ' ' && !spaces)) {
            return smtp_error_set(error, SMTP_BAD_ARGUMENT, 0,
                                  "%s must be printable ASCII%s, octet %zu of it is %u", option,
                                  spaces ? "" : " without spaces", i + 1, c);
        }
    }
    return SMTP_OK;
}

static enum smtp_status copy_text(char **out, const char *text, struct smtp_error *error)
{
    *out = strdup(text);
    return *out != NULL ? SMTP_OK : smtp_error_set(error, SMTP_NO_MEMORY, 0, "out of memory");
}

static enum smtp_status copy_names(struct smtp_server_settings *settings,
                                   const struct smtp_server_options *options,
                                   struct smtp_error *error)
{
    const char *hostname = options->hostname != NULL ? options->hostname : default_hostname;
    const char *greeting =
        options->greeting_text != NULL ? options->greeting_text : default_greeting;
    enum smtp_status status = check_text("hostname", hostname, 1, HOSTNAME_MAX, false, error);
    if (status == SMTP_OK) {
        status = check_text("greeting_text", greeting, 0, GREETING_MAX, true, error);
    }
    if (status == SMTP_OK) {
        status = copy_text(&settings->hostname, hostname, error);
    }
    return status == SMTP_OK ? copy_text(&settings->greeting_text, greeting, error) : status;
}

/* RFC 3986 3.1: a scheme in either case. */
static bool take_scheme(const char **text, const char *scheme)
{
    size_t len = strlen(scheme);
    if (*text == NULL || strncasecmp(*text, scheme, len) != 0) {
        return false;
    }
    *text += len;
    return true;
}

/* "fd:3": a socket that somebody else has opened. */
static enum smtp_status parse_descriptor(struct smtp_server_listen *out, const char *number,
                                         struct smtp_error *error)
{
    uint64_t fd;
    if (!smtp_span_to_u64(smtp_span_of(number), INT_MAX, &fd)) {
        return smtp_error_set(error, SMTP_BAD_ARGUMENT, 0,
                              "a number of a descriptor was expected, like fd:3");
    }
    out->fd = (int)fd;
    return smtp_net_check_listener(out->fd, &out->address, error);
}

static enum smtp_status parse_address(struct smtp_server_listen *out, const char *text,
                                      struct smtp_error *error)
{
    struct sockaddr_storage unused;
    socklen_t unused_len;
    out->fd = -1;
    if (take_scheme(&text, "fd:")) {
        return parse_descriptor(out, text, error);
    }
    enum smtp_status status = smtp_address_parse(text, 0, &out->address, error);
    return status == SMTP_OK ? smtp_address_to_sockaddr(&out->address, &unused, &unused_len, error)
                             : status;
}

static enum smtp_status parse_listen(struct smtp_server_listen *out, const char *text, size_t i,
                                     struct smtp_error *error)
{
    struct smtp_error reason = {0};
    out->implicit_tls = take_scheme(&text, "smtps://");
    out->lmtp = !out->implicit_tls && take_scheme(&text, "lmtp://");
    if (!out->implicit_tls && !out->lmtp) {
        (void)take_scheme(&text, "smtp://");
    }
    enum smtp_status status = parse_address(out, text, &reason);
    if (status == SMTP_OK && out->lmtp && out->address.kind == SMTP_ADDRESS_TCP &&
        out->address.port == SMTP_PORT) {
        status = smtp_error_set(&reason, SMTP_BAD_ARGUMENT, 0,
                                "LMTP must not be spoken on port 25 (RFC 2033 5); take another");
    }
    return status == SMTP_OK
               ? SMTP_OK
               : smtp_error_set(error, status, 0, "listen[%zu]: %.230s", i, reason.message);
}

/* Each is closed by the one listener that has it. */
static enum smtp_status check_descriptors(const struct smtp_server_settings *settings,
                                          struct smtp_error *error)
{
    for (size_t i = 0; i < settings->listen_count; i++) {
        for (size_t k = 0; k < i && settings->listen[i].fd >= 0; k++) {
            if (settings->listen[k].fd == settings->listen[i].fd) {
                return smtp_error_set(error, SMTP_BAD_ARGUMENT, 0,
                                      "listen[%zu]: descriptor %d is listen[%zu] already", i,
                                      settings->listen[i].fd, k);
            }
        }
    }
    return SMTP_OK;
}

static enum smtp_status copy_listen(struct smtp_server_settings *settings,
                                    const struct smtp_server_options *options,
                                    struct smtp_error *error)
{
    const char *const *listen = options->listen != NULL ? options->listen : default_listen;
    size_t count = options->listen != NULL ? options->listen_count : 1;
    enum smtp_status status = check_range("listen_count", count, 1, LISTEN_MAX, error);
    if (status != SMTP_OK) {
        return status;
    }
    settings->listen = calloc(count, sizeof *settings->listen);
    if (settings->listen == NULL) {
        return smtp_error_set(error, SMTP_NO_MEMORY, 0, "out of memory");
    }
    settings->listen_count = count;
    for (size_t i = 0; i < count && status == SMTP_OK; i++) {
        status = parse_listen(&settings->listen[i], listen[i], i, error);
    }
    return status == SMTP_OK ? check_descriptors(settings, error) : status;
}

/* What goes with an SSL_CTX of the caller's own, it holds itself. */
static enum smtp_status copy_tls(struct smtp_server_settings *settings,
                                 const struct smtp_server_options *options,
                                 struct smtp_error *error)
{
    const struct smtp_server_tls *tls = &options->tls;
    if (tls->context != NULL && (tls->identity != NULL || tls->client_ca_pem != NULL)) {
        return smtp_error_set(error, SMTP_BAD_ARGUMENT, 0,
                              "tls.context stands in place of tls.identity and tls.client_ca_pem; "
                              "leave these NULL");
    }
    if (tls->client_certificate_required && tls->client_ca_pem == NULL) {
        return smtp_error_set(error, SMTP_BAD_ARGUMENT, 0,
                              "tls.client_certificate_required needs tls.client_ca_pem, which says "
                              "whose are taken");
    }
    settings->tls = tls->mode != SMTP_SERVER_TLS_OFF;
    for (size_t i = 0; i < settings->listen_count; i++) {
        settings->tls = settings->tls || settings->listen[i].implicit_tls;
    }
    settings->client_certificate_required = tls->client_certificate_required;
    return tls->client_ca_pem != NULL
               ? copy_text(&settings->client_ca_pem, tls->client_ca_pem, error)
               : SMTP_OK;
}

/* What cannot be without another is not offered without it (RFC 6531 3.1, RFC 3030 3). */
static struct smtp_server_keywords offered_of(const struct smtp_server_options *options)
{
    struct smtp_server_keywords keywords = options->keywords;
    keywords.smtputf8 = keywords.smtputf8 && keywords.eight_bit_mime;
    keywords.binary_mime = keywords.binary_mime && keywords.chunking && keywords.eight_bit_mime;
    return keywords;
}

static int64_t unix_time_s(void)
{
    return smtp_clock_unix_ns() / 1000000000;
}

static void set_config(struct smtp_server_settings *settings,
                       const struct smtp_server_options *options)
{
    settings->config = (struct smtp_server_session_config){
        .hostname = settings->hostname,
        .greeting_text = settings->greeting_text,
        .bare_line_end = options->bare_line_end,
        .limits = options->limits,
        .keywords = offered_of(options),
        .unix_time_s = unix_time_s,
        .starttls = options->tls.mode != SMTP_SERVER_TLS_OFF,
        .tls_required = options->tls.mode == SMTP_SERVER_TLS_REQUIRED,
        .auth_required = options->auth.required,
        .mechanisms_clear = settings->auth.mechanisms_clear,
        .mechanisms_tls = settings->auth.mechanisms_tls,
        .mechanisms_too_weak = settings->auth.too_weak,
        .asks = smtp_server_tables_asks(&settings->tables),
        .discard_content = settings->discards && smtp_server_tables_stream(&settings->tables),
    };
}

enum smtp_status smtp_server_settings_init(struct smtp_server_settings *settings,
                                           const struct smtp_server_options *options,
                                           struct smtp_error *error)
{
    *settings = (struct smtp_server_settings){.workers = options->workers,
                                              .proxy_protocol = options->proxy_protocol,
                                              .discards = options->mailbox == SMTP_MAILBOX_DISCARD};
    if (options->mailbox == SMTP_MAILBOX_RING) {
        settings->ring_messages = options->ring_messages;
        settings->ring_octets = options->ring_octets;
    }
    enum smtp_status status = check_numbers(options, error);
    if (status == SMTP_OK) {
        status = smtp_server_tables_init(&settings->tables, options, error);
    }
    if (status == SMTP_OK) {
        status = copy_names(settings, options, error);
    }
    if (status == SMTP_OK) {
        status = copy_listen(settings, options, error);
    }
    if (status == SMTP_OK) {
        status = copy_tls(settings, options, error);
    }
    if (status == SMTP_OK) {
        status = smtp_server_auth_settings_init(&settings->auth, options, &settings->tables, error);
    }
    if (status == SMTP_OK) {
        status = smtp_server_trusted_init(&settings->trusted, options->trusted_peers,
                                          options->trusted_peer_count, error);
    }
    if (status != SMTP_OK) {
        smtp_server_settings_clear(settings);
        return status;
    }
    set_config(settings, options);
    return SMTP_OK;
}

void smtp_server_settings_clear(struct smtp_server_settings *settings)
{
    free(settings->listen);
    free(settings->hostname);
    free(settings->greeting_text);
    free(settings->client_ca_pem);
    smtp_server_auth_settings_clear(&settings->auth);
    smtp_server_trusted_clear(&settings->trusted);
    smtp_server_tables_clear(&settings->tables);
    *settings = (struct smtp_server_settings){0};
}
