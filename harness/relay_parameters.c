/* relay_parameters.c - see relay_parameters.h. A parameter that the next server does not offer is left
 * out where the message is as good without it, and refuses the message where it is not. */
#include "harness/relay_parameters.h"

#include "common/bytes.h"

#include <string.h>

struct row {
    const char *parameter; /* its keyword, or the whole of it */
    const char *extension; /* by which the next server takes it */
    const char *enhanced;  /* of the refusal where it does not; NULL: it is left out */
};

static const struct row mail_rows[] = {
    {"SIZE", "SIZE", NULL},
    {"BODY=8BITMIME", "8BITMIME", NULL}, /* content that is 8-bit in truth is refused at its end */
    {"BODY=BINARYMIME", "BINARYMIME", "5.6.3"},
    {"SMTPUTF8", "SMTPUTF8", "5.6.7"}, /* RFC 6531 3.7.4 */
    {"RET", "DSN", NULL},
    {"ENVID", "DSN", NULL},
    {"REQUIRETLS", "REQUIRETLS", "5.7.30"}, /* RFC 8689 5 */
    {"HOLDFOR", "FUTURERELEASE", "5.3.3"},  /* else it would come before its time */
    {"HOLDUNTIL", "FUTURERELEASE", "5.3.3"},
    {"BY", "DELIVERBY", NULL},
    {"MT-PRIORITY", "MT-PRIORITY", NULL},
    {"AUTH", "AUTH", NULL},
    {NULL, NULL, NULL},
};

static const struct row rcpt_rows[] = {
    {"NOTIFY", "DSN", NULL},
    {"ORCPT", "DSN", NULL},
    {NULL, NULL, NULL},
};

static const struct row *find(const struct row *rows, struct smtp_span parameter)
{
    const char *equals = parameter.len > 0 ? memchr(parameter.bytes, '=', parameter.len) : NULL;
    struct smtp_span keyword = {parameter.bytes, equals != NULL ? (size_t)(equals - parameter.bytes)
                                                                : parameter.len};
    for (; rows->parameter != NULL; rows++) {
        struct smtp_span name = smtp_span_of(rows->parameter);
        if (smtp_span_equal_nocase(name, keyword) || smtp_span_equal_nocase(name, parameter)) {
            return rows;
        }
    }
    return NULL;
}

/** The next parameter; moves *at behind it. */
static bool next(const char **at, struct smtp_span *parameter)
{
    *at += strspn(*at, " ");
    *parameter = (struct smtp_span){*at, strcspn(*at, " ")};
    *at += parameter->len;
    return parameter->len > 0;
}

static char *add(char *end, const char *text, struct smtp_span parameter)
{
    if (end > text) {
        *end++ = ' ';
    }
    smtp_bytes_copy(end, parameter);
    return end + parameter.len;
}

/** RFC 4954 5: who submitted it is passed on for those who were asked who they are, AUTH=<> for all others. */
static struct smtp_span as_said(const struct smtp_relay_ends *ends, const struct row *row,
                                struct smtp_span parameter)
{
    bool unproved = strcmp(row->parameter, "AUTH") == 0 && !ends->authenticated;
    return unproved ? SMTP_SPAN("AUTH=<>") : parameter;
}

/** Whether the next server takes it. REQUIRETLS only where the way to it can be trusted (RFC 8689 4.2.1). */
static bool is_taken(const struct smtp_relay_ends *ends, const struct row *row)
{
    return smtp_client_has_extension(ends->client, row->extension) &&
           (strcmp(row->parameter, "REQUIRETLS") != 0 || ends->tls_verified);
}

/** The refusal that is due where it is not taken; NULL: none. RFC 2852 4.1.4.2: what is to come back when
 *  it is late must not go where nobody looks at the time. */
static const char *refusal_of(const struct row *row, struct smtp_span parameter)
{
    bool return_when_late = strcmp(row->parameter, "BY") == 0 &&
                            (memmem(parameter.bytes, parameter.len, ";R", 2) != NULL ||
                             memmem(parameter.bytes, parameter.len, ";r", 2) != NULL);
    return return_when_late ? "5.3.3" : row->enhanced;
}

static enum smtp_server_verdict translate(const struct smtp_relay_ends *ends,
                                          const struct row *rows, const char *given, char *text,
                                          struct smtp_server_reply *reply)
{
    struct smtp_span parameter;
    char *end = text;
    while (next(&given, &parameter)) {
        const struct row *row = find(rows, parameter);
        if (row == NULL) {
            continue;
        }
        if (is_taken(ends, row)) {
            end = add(end, text, as_said(ends, row, parameter));
            continue;
        }
        const char *enhanced = refusal_of(row, parameter);
        if (enhanced != NULL) {
            return smtp_server_reply(
                reply, 550, enhanced, "The next server does not offer %s%s", row->extension,
                strcmp(row->parameter, "REQUIRETLS") == 0 ? " over TLS that was verified" : "");
        }
    }
    *end = '\0';
    return SMTP_ACCEPT;
}

enum smtp_server_verdict smtp_relay_mail_parameters(const struct smtp_relay_ends *ends,
                                                    const char *given, char *text,
                                                    struct smtp_server_reply *reply)
{
    return translate(ends, mail_rows, given, text, reply);
}

void smtp_relay_rcpt_parameters(const struct smtp_relay_ends *ends, const char *given, char *text)
{
    (void)translate(ends, rcpt_rows, given, text, NULL);
}

bool smtp_relay_is_binary(const char *mail_parameters)
{
    struct smtp_span parameter;
    while (next(&mail_parameters, &parameter)) {
        if (smtp_span_equal_nocase(parameter, SMTP_SPAN("BODY=BINARYMIME"))) {
            return true;
        }
    }
    return false;
}
