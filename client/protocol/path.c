/* path.c - checks and writes paths (RFC 5321 4.1.2).
 * Knows: dot-strings, quoted strings, their limits and least quoting. An addr-spec is all it takes:
 * no brackets, no display name, no list, no source route, nothing after the domain. Octets above 127 are
 * UTF-8, and what becomes of them without SMTPUTF8. Does not know: commands, parameters; domains are in
 * domain.c and idn.c. */
#include "client/protocol/path.h"

#include "client/protocol/idn.h"
#include "common/error.h"
#include "common/utf8.h"

#include <string.h>

static bool is_atext(unsigned char c)
{
    return smtp_is_letter_or_digit(c) || c > 127 || /* RFC 6531 3.3: UTF8-non-ascii */
           (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c));
}

static bool is_dot_string(struct smtp_span text)
{
    bool atom_open = false;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.bytes[i];
        if (c == '.' ? !atom_open : !is_atext(c)) {
            return false;
        }
        atom_open = c != '.';
    }
    return atom_open;
}

/* Where the local part that begins with a quotation mark ends: behind its closing one. 0: never. */
static size_t quoted_end(struct smtp_span text)
{
    for (size_t i = 1; i < text.len; i++) {
        if (text.bytes[i] == '\\') {
            i++;
        } else if (text.bytes[i] == '"') {
            return i + 1;
        }
    }
    return 0;
}

/* What a quoted string stands for. */
static size_t unquote(struct smtp_span quoted, char *out)
{
    size_t len = 0;
    for (size_t i = 1; i + 1 < quoted.len; i++) {
        i += quoted.bytes[i] == '\\' ? 1 : 0;
        out[len++] = quoted.bytes[i];
    }
    return len;
}

static enum smtp_status append_local(struct smtp_buffer *out, struct smtp_span local)
{
    if (is_dot_string(local)) {
        return smtp_buffer_append(out, local.bytes, local.len);
    }
    char quoted[2 * SMTP_CLIENT_LOCAL_PART_MAX + 2];
    size_t len = 0;
    quoted[len++] = '"';
    for (size_t i = 0; i < local.len; i++) {
        if (local.bytes[i] == '"' || local.bytes[i] == '\\') {
            quoted[len++] = '\\';
        }
        quoted[len++] = local.bytes[i];
    }
    quoted[len++] = '"';
    return smtp_buffer_append(out, quoted, len);
}

static enum smtp_status bad_path(struct smtp_error *error, const char *text, const char *why)
{
    return smtp_error_set(error, SMTP_BAD_ARGUMENT, 0, "\"%.120s\" is no mailbox address: %s", text,
                          why);
}

/* Octets that no quoting makes right. The offending text is not repeated: it would carry the
 * control octet into the message. */
static enum smtp_status check_octets(struct smtp_span all, struct smtp_error *error)
{
    for (size_t i = 0; i < all.len; i++) {
        unsigned char c = (unsigned char)all.bytes[i];
        if (smtp_is_control(c)) {
            return smtp_error_set(error, SMTP_UNSAFE_ARGUMENT, 0,
                                  "an address holds the control octet 0x%02X at position %zu", c,
                                  i);
        }
        if (c > 127) {
            size_t len = smtp_utf8_character((struct smtp_span){all.bytes + i, all.len - i});
            if (len == 0) {
                return smtp_error_set(error, SMTP_BAD_ARGUMENT, 0,
                                      "an address holds the octet 0x%02X at position %zu, where it "
                                      "is no UTF-8",
                                      c, i);
            }
            i += len - 1;
        }
    }
    return SMTP_OK;
}

/* Octets outside quotes that would end the path or make it several; the rest may be quoted. */
static enum smtp_status check_unquoted(const char *text, struct smtp_span local,
                                       struct smtp_error *error)
{
    if (local.len == 0) {
        return bad_path(error, text, "nothing stands before the @");
    }
    if (local.bytes[0] == ' ' || local.bytes[local.len - 1] == ' ') {
        return bad_path(error, text, "spaces surround the local part");
    }
    for (size_t i = 0; i < local.len; i++) {
        if (strchr(",;:\"\\", local.bytes[i]) != NULL) {
            return bad_path(error, text, "it must be one address alone, specials in quotes");
        }
    }
    return SMTP_OK;
}

/* Takes the local part off the front of *rest, with its meaning in local (its quotes undone). */
static enum smtp_status take_local(const char *text, struct smtp_span *rest, char *local,
                                   size_t *local_len, struct smtp_error *error)
{
    struct smtp_span part = *rest;
    bool quoted = rest->len > 0 && rest->bytes[0] == '"';
    if (quoted) {
        part.len = quoted_end(*rest);
    } else {
        const char *at = memrchr(rest->bytes, '@', rest->len);
        part.len = at != NULL ? (size_t)(at - rest->bytes) : 0;
    }
    if (part.len == 0 || part.len == rest->len || rest->bytes[part.len] != '@') {
        return bad_path(error, text, "local-part@domain is expected");
    }
    if (part.len > 2 * SMTP_CLIENT_LOCAL_PART_MAX + 2) {
        return bad_path(error, text, "its local part is longer than 64 octets");
    }
    if (quoted) {
        *local_len = unquote(part, local);
    } else {
        enum smtp_status status = check_unquoted(text, part, error);
        if (status != SMTP_OK) {
            return status;
        }
        memcpy(local, part.bytes, part.len);
        *local_len = part.len;
    }
    *rest = (struct smtp_span){rest->bytes + part.len + 1, rest->len - part.len - 1};
    return SMTP_OK;
}

/* "<" or ">" outside quotes would close the path and let parameters follow. */
static bool has_bracket(struct smtp_span text)
{
    size_t skip = text.len > 0 && text.bytes[0] == '"' ? quoted_end(text) : 0;
    for (size_t i = skip; i < text.len; i++) {
        if (text.bytes[i] == '<' || text.bytes[i] == '>') {
            return true;
        }
    }
    return false;
}

static enum smtp_status append_domain(struct smtp_buffer *out, const char *text,
                                      struct smtp_span domain, bool smtputf8,
                                      struct smtp_error *error)
{
    size_t before = out->len;
    enum smtp_status status = smtp_client_idn_append(out, domain, error);
    if (status != SMTP_OK) {
        return status;
    }
    struct smtp_span all = smtp_buffer_span(out);
    if (!smtp_client_domain_valid((struct smtp_span){all.bytes + before, all.len - before})) {
        return bad_path(error, text, "no domain or address literal follows the @");
    }
    if (!smtputf8) {
        return SMTP_OK;
    }
    out->len = before;
    return smtp_buffer_append(out, domain.bytes, domain.len);
}

static enum smtp_status append_mailbox(struct smtp_buffer *out, const char *text, bool smtputf8,
                                       struct smtp_error *error)
{
    struct smtp_span rest = smtp_span_of(text);
    if (has_bracket(rest)) {
        return smtp_error_set(error, SMTP_UNSAFE_ARGUMENT, 0,
                              "\"%.120s\" holds < or > outside quotes; give the address alone",
                              text);
    }
    char local[2 * SMTP_CLIENT_LOCAL_PART_MAX + 2];
    size_t local_len = 0, before = out->len;
    enum smtp_status status = take_local(text, &rest, local, &local_len, error);
    if (status != SMTP_OK) {
        return status;
    }
    if (local_len > SMTP_CLIENT_LOCAL_PART_MAX) {
        return bad_path(error, text, "its local part is longer than 64 octets");
    }
    if (!smtputf8 && smtp_has_eight_bit((struct smtp_span){local, local_len})) {
        return smtp_error_set(
            error, SMTP_UNSUPPORTED, 0,
            "the local part of \"%.120s\" is not ASCII: that needs SMTPUTF8, which "
            "the server does not offer or MAIL did not say",
            text);
    }
    status = append_local(out, (struct smtp_span){local, local_len});
    if (status == SMTP_OK && out->len - before > SMTP_CLIENT_LOCAL_PART_MAX) {
        return bad_path(error, text, "its local part is longer than 64 octets");
    }
    status = status == SMTP_OK ? smtp_buffer_append(out, "@", 1) : status;
    status = status == SMTP_OK ? append_domain(out, text, rest, smtputf8, error) : status;
    if (status == SMTP_OK && out->len - before + 2 > SMTP_CLIENT_PATH_MAX) {
        return bad_path(error, text, "it is longer than 254 octets");
    }
    return status;
}

/* Nearly every mailbox is one, and goes out as it is: printable ASCII, a dot-string at a domain. */
static bool is_plain(struct smtp_span text)
{
    const char *at = text.len > 0 ? memchr(text.bytes, '@', text.len) : NULL;
    size_t local_len = at != NULL ? (size_t)(at - text.bytes) : 0;
    return local_len > 0 && local_len <= SMTP_CLIENT_LOCAL_PART_MAX &&
           text.len + 2 <= SMTP_CLIENT_PATH_MAX &&
           is_dot_string((struct smtp_span){text.bytes, local_len}) &&
           smtp_client_domain_valid((struct smtp_span){at + 1, text.len - local_len - 1});
}

enum smtp_status smtp_client_path_append(struct smtp_buffer *out, const char *text, bool forward,
                                         bool smtputf8, struct smtp_error *error)
{
    struct smtp_span all = smtp_span_of(text);
    bool printable = smtp_is_printable(all);
    enum smtp_status status = printable ? SMTP_OK : check_octets(all, error);
    if (status != SMTP_OK) {
        return status;
    }
    if (smtp_buffer_append(out, "<", 1) != SMTP_OK) {
        return smtp_error_set(error, SMTP_NO_MEMORY, 0, "out of memory for a command");
    }
    if ((printable && is_plain(all)) || (!forward && all.len == 0) ||
        (forward && smtp_span_equal_nocase(all, SMTP_SPAN("postmaster")))) {
        status = smtp_buffer_append(out, all.bytes, all.len);
    } else {
        status = append_mailbox(out, text, smtputf8, error);
    }
    status = status == SMTP_OK ? smtp_buffer_append(out, ">", 1) : status;
    return status == SMTP_NO_MEMORY || status == SMTP_LIMIT_EXCEEDED
               ? smtp_error_set(error, status, 0, "no room for a command")
               : status;
}
