/* xclient.c - XCLIENT, Postfix's: who the peer is to be, told to a server that trusts this client. Knows:
 * attributes and their encoding. Does not know: what the session forgets after it (client/protocol/). */
#include "client/client.h"
#include "client/protocol/extensions.h"
#include "client/protocol/xtext.h"
#include "common/error.h"
#include "common/utf8.h"

#include <strings.h>

#define XCLIENT_LINE_MAX 512 /* of XCLIENT, CRLF included; more attributes go in a second one */
#define ATTRIBUTE_NAME_MAX 20

static enum smtp_status bad(struct smtp_error *error, const char *why)
{
    return smtp_error_set(error, SMTP_BAD_ARGUMENT, 0,
                          "XCLIENT: %s; like \"NAME=a.example ADDR=192.0.2.1\"", why);
}

/* An IPv6 address is marked as one. */
static bool needs_mark(const char *name, struct smtp_span value)
{
    bool address = strcasecmp(name, "ADDR") == 0 || strcasecmp(name, "DESTADDR") == 0;
    struct smtp_span mark = SMTP_SPAN("IPV6:");
    bool marked = value.len >= mark.len &&
                  smtp_span_equal_nocase((struct smtp_span){value.bytes, mark.len}, mark);
    return address && !marked && memchr(value.bytes, ':', value.len) != NULL;
}

static enum smtp_status check_attribute(const char *name, struct smtp_span value,
                                        const char *offered, struct smtp_error *error)
{
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.bytes[i];
        if (smtp_is_control(c)) {
            return smtp_error_set(error, SMTP_UNSAFE_ARGUMENT, 0,
                                  "XCLIENT: %s holds the control octet 0x%02X", name, c);
        }
    }
    if (value.len == 0 || !smtp_is_utf8(value)) {
        return bad(error, "a value is empty, or no UTF-8");
    }
    if (!smtp_client_words_have(offered, name)) {
        return smtp_error_set(error, SMTP_UNSUPPORTED, 0,
                              "the server's XCLIENT takes no %s; it takes \"%.120s\"", name,
                              offered);
    }
    return SMTP_OK;
}

/* One "NAME=value", with a space before it, encoded. */
static enum smtp_status append_attribute(struct smtp_buffer *out, struct smtp_span attribute,
                                         const char *offered, struct smtp_error *error)
{
    char name[ATTRIBUTE_NAME_MAX + 1] = "";
    const char *equals = memchr(attribute.bytes, '=', attribute.len);
    size_t len = equals != NULL ? (size_t)(equals - attribute.bytes) : 0;
    if (len == 0 || len > ATTRIBUTE_NAME_MAX) {
        return bad(error, "attributes NAME=value are expected, parted by one space each");
    }
    for (size_t i = 0; i < len; i++) {
        if (!smtp_is_letter((unsigned char)attribute.bytes[i])) {
            return bad(error, "the name of an attribute holds more than letters");
        }
        name[i] = attribute.bytes[i];
    }
    struct smtp_span value = {equals + 1, attribute.len - len - 1};
    enum smtp_status status = check_attribute(name, value, offered, error);
    if (status == SMTP_OK) {
        status = smtp_buffer_append(out, " ", out->len > 0 ? 1 : 0);
    }
    status = status == SMTP_OK ? smtp_buffer_append(out, name, len) : status;
    status = status == SMTP_OK ? smtp_buffer_append(out, "=", 1) : status;
    if (status == SMTP_OK && needs_mark(name, value)) {
        status = smtp_buffer_append(out, "IPV6:", 5);
    }
    return status == SMTP_OK ? smtp_client_xtext_append_octets(out, value, error) : status;
}

static enum smtp_status append_all(struct smtp_buffer *out, const char *attributes,
                                   const char *offered, struct smtp_error *error)
{
    enum smtp_status status = SMTP_OK;
    const char *at = attributes;
    do {
        size_t len = strcspn(at, " ");
        status = append_attribute(out, (struct smtp_span){at, len}, offered, error);
        at += len;
    } while (status == SMTP_OK && *at++ == ' ');
    status = status == SMTP_OK ? smtp_buffer_append(out, "", 1) : status;
    if (status == SMTP_OK && strlen("XCLIENT ") + out->len + 1 > XCLIENT_LINE_MAX) {
        return smtp_error_set(error, SMTP_LIMIT_EXCEEDED, 0,
                              "XCLIENT: the line would be longer than %d octets; fewer "
                              "attributes at a time fit",
                              XCLIENT_LINE_MAX);
    }
    return status == SMTP_NO_MEMORY || status == SMTP_LIMIT_EXCEEDED
               ? smtp_error_set(error, status, 0, "no room for XCLIENT")
               : status;
}

enum smtp_status smtp_client_xclient(struct smtp_client *client, const char *attributes)
{
    if (attributes == NULL) {
        return bad(&client->error, "there are no attributes");
    }
    enum smtp_status status = smtp_client_hello(client);
    if (status != SMTP_OK) {
        return status;
    }
    const char *offered = smtp_client_extension(client, "XCLIENT");
    if (offered == NULL) {
        return smtp_error_set(&client->error, SMTP_UNSUPPORTED, 0,
                              "the server does not offer XCLIENT (to this client: it is for those "
                              "that it trusts)");
    }
    struct smtp_buffer line = SMTP_BUFFER(SMTP_CLIENT_COMMAND_MAX);
    status = append_all(&line, attributes, offered, &client->error);
    if (status == SMTP_OK) {
        struct smtp_client_command xclient = {
            .verb = "XCLIENT", .kind = SMTP_CLIENT_TEXT, .argument = smtp_buffer_span(&line).bytes};
        status = smtp_client_run(client, SMTP_STAGE_XCLIENT, &xclient, NULL);
        client->as_another = client->as_another || status == SMTP_OK;
    }
    smtp_buffer_free(&line);
    return status;
}
