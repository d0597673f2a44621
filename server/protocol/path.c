/* path.c - see path.h. Reads each octet once, from left to right; knows grammar and lengths. Does
 * not know which replies faults get, and never asks whether a domain exists. */
#include "server/protocol/path.h"

#include "common/utf8.h"

#include <string.h>

#define LABEL_MAX 63 /* RFC 1035 2.3.4 */

static unsigned char first(struct smtp_span text)
{
    return text.len > 0 ? (unsigned char)text.bytes[0] : 0;
}

static void skip(struct smtp_span *text, size_t len)
{
    text->bytes += len;
    text->len -= len;
}

static bool take(struct smtp_span *text, char c)
{
    if (text->len == 0 || text->bytes[0] != c) {
        return false;
    }
    skip(text, 1);
    return true;
}

static bool is_let_dig(unsigned char c)
{
    return smtp_is_letter_or_digit(c);
}

static bool is_ldh(unsigned char c)
{
    return is_let_dig(c) || c == '-';
}

/* How many octets are characters of a set of ASCII, or above U+007F. */
static size_t run_len(struct smtp_span text, bool (*is_of_set)(unsigned char c))
{
    size_t len = 0;
    while (len < text.len) {
        unsigned char c = (unsigned char)text.bytes[len];
        if (is_of_set(c)) {
            len++;
            continue;
        }
        struct smtp_span rest = {text.bytes + len, text.len - len};
        size_t more = c > 127 ? smtp_utf8_sequence(rest) : 0;
        if (more == 0) {
            break;
        }
        len += more;
    }
    return len;
}

/* sub-domain = Let-dig [Ldh-str], or a U-label, of which LABEL_MAX limits the A-label alone */
static bool take_label(struct smtp_span *text)
{
    size_t len = run_len(*text, is_ldh);
    if (len == 0 || text->bytes[0] == '-' || text->bytes[len - 1] == '-' ||
        (len > LABEL_MAX && !smtp_has_eight_bit((struct smtp_span){text->bytes, len}))) {
        return false;
    }
    skip(text, len);
    return true;
}

static bool take_domain(struct smtp_span *text)
{
    do {
        if (!take_label(text)) {
            return false;
        }
    } while (take(text, '.'));
    return true;
}

/* Four numbers of 0..255 parted by dots. Snum = 1*3DIGIT, a decimal number: leading zeros are
 * allowed (RFC 5321 4.1.3). */
bool smtp_is_ipv4(struct smtp_span text)
{
    for (int i = 0; i < 4; i++) {
        size_t len = 0;
        while (len < text.len && smtp_is_digit((unsigned char)text.bytes[len])) {
            len++;
        }
        uint64_t number;
        if (len > 3 || !smtp_span_to_u64((struct smtp_span){text.bytes, len}, 255, &number)) {
            return false;
        }
        skip(&text, len);
        if (i < 3 && !take(&text, '.')) {
            return false;
        }
    }
    return text.len == 0;
}

static bool is_hex(unsigned char c)
{
    return smtp_is_digit(c) || ((c | 32) >= 'a' && (c | 32) <= 'f');
}

/* Groups of 1..4 hex digits parted by ':', at most one "::", which stands for two groups at least, maybe
 * an IPv4 address as the last two groups: IPv6-addr of RFC 5321 4.1.3. */
bool smtp_is_ipv6(struct smtp_span text)
{
    int groups = 0;
    bool gap = false;
    if (text.len >= 2 && text.bytes[0] == ':' && text.bytes[1] == ':') {
        gap = true;
        skip(&text, 2);
    }
    while (text.len > 0) {
        size_t len = 0;
        while (len < text.len && is_hex((unsigned char)text.bytes[len])) {
            len++;
        }
        if (len < text.len && text.bytes[len] == '.') {
            return smtp_is_ipv4(text) && (gap ? groups + 2 <= 6 : groups + 2 == 8);
        }
        if (len == 0 || len > 4 || ++groups > 8) {
            return false;
        }
        skip(&text, len);
        if (text.len == 0) {
            break;
        }
        if (!take(&text, ':') || text.len == 0) {
            return false;
        }
        if (first(text) == ':') {
            if (gap) {
                return false;
            }
            gap = true;
            skip(&text, 1);
        }
    }
    return gap ? groups <= 6 : groups == 8;
}

/* "[1.2.3.4]", "[IPv6:...]" or "[tag:content]" */
static bool take_literal(struct smtp_span *text)
{
    static const struct smtp_span ipv6_tag = {"IPv6:", 5};
    const char *close = text->len > 0 ? memchr(text->bytes, ']', text->len) : NULL;
    if (first(*text) != '[' || close == NULL) {
        return false;
    }
    struct smtp_span inside = {text->bytes + 1, (size_t)(close - text->bytes) - 1};
    skip(text, inside.len + 2);
    if (inside.len >= ipv6_tag.len &&
        smtp_span_equal_nocase((struct smtp_span){inside.bytes, ipv6_tag.len}, ipv6_tag)) {
        skip(&inside, ipv6_tag.len);
        return smtp_is_ipv6(inside);
    }
    if (smtp_is_ipv4(inside)) {
        return true;
    }
    size_t tag_len = run_len(inside, is_ldh);
    bool tagged = !smtp_has_eight_bit(inside) && tag_len > 0 && tag_len + 1 < inside.len &&
                  inside.bytes[tag_len] == ':' && inside.bytes[tag_len - 1] != '-';
    for (size_t i = tag_len; tagged && i < inside.len; i++) { /* dcontent */
        unsigned char c = (unsigned char)inside.bytes[i];
        tagged = c > 32 && c < 127 && c != '[' && c != '\\';
    }
    return tagged;
}

static bool is_atext(unsigned char c)
{
    return is_let_dig(c) || (c != 0 && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

/* Dot-string = Atom *("." Atom) */
static bool take_dot_string(struct smtp_span *text)
{
    do {
        size_t len = run_len(*text, is_atext);
        if (len == 0) {
            return false;
        }
        skip(text, len);
    } while (take(text, '.'));
    return true;
}

/* Quoted-string: printable ASCII and space, of which backslash takes the next as it is, and characters
 * above U+007F, of which it takes none. */
static bool take_quoted_string(struct smtp_span *text)
{
    skip(text, 1);
    while (text->len > 0 && first(*text) != '"') {
        bool quoted = take(text, '\\');
        size_t len = first(*text) >= 32 && first(*text) < 127 ? 1 : 0;
        if (len == 0 && !quoted) {
            len = smtp_utf8_sequence(*text);
        }
        if (len == 0) {
            return false;
        }
        skip(text, len);
    }
    return take(text, '"');
}

static bool take_local_part(struct smtp_span *text)
{
    return first(*text) == '"' ? take_quoted_string(text) : take_dot_string(text);
}

/* A-d-l = At-domain *("," At-domain), then ":" (RFC 5321 4.1.2, appendix F.2) */
static bool take_source_route(struct smtp_span *text)
{
    do {
        if (!take(text, '@') || !take_domain(text)) {
            return false;
        }
    } while (take(text, ','));
    return take(text, ':');
}

static bool take_domain_or_literal(struct smtp_span *text)
{
    return first(*text) == '[' ? take_literal(text) : take_domain(text);
}

static bool is_postmaster(struct smtp_span text)
{
    static const struct smtp_span postmaster = {"postmaster", 10};
    return text.len > postmaster.len && text.bytes[postmaster.len] == '>' &&
           smtp_span_equal_nocase((struct smtp_span){text.bytes, postmaster.len}, postmaster);
}

/* Mailbox = Local-part "@" ( Domain / address-literal ) */
static enum smtp_path_fault take_mailbox(struct smtp_span *text,
                                         const struct smtp_server_limits *limits,
                                         struct smtp_span *domain)
{
    const char *local_part = text->bytes;
    if (!take_local_part(text)) {
        return SMTP_PATH_MALFORMED;
    }
    size_t local_part_len = (size_t)(text->bytes - local_part);
    if (!take(text, '@')) {
        return SMTP_PATH_MALFORMED;
    }
    domain->bytes = text->bytes;
    if (!take_domain_or_literal(text)) {
        return SMTP_PATH_MALFORMED;
    }
    domain->len = (size_t)(text->bytes - domain->bytes);
    if (local_part_len > limits->local_part_octets) {
        return SMTP_PATH_LOCAL_PART_TOO_LONG;
    }
    return domain->len > limits->domain_octets ? SMTP_PATH_DOMAIN_TOO_LONG : SMTP_PATH_OK;
}

static enum smtp_path_fault take_path(struct smtp_span *text, enum smtp_path_kind kind,
                                      const struct smtp_server_limits *limits,
                                      struct smtp_span *domain)
{
    if (!take(text, '<')) {
        return SMTP_PATH_MALFORMED;
    }
    if (kind == SMTP_REVERSE_PATH && take(text, '>')) {
        return SMTP_PATH_OK;
    }
    if (kind == SMTP_FORWARD_PATH && is_postmaster(*text)) {
        skip(text, sizeof "postmaster>" - 1);
        return SMTP_PATH_OK;
    }
    if (first(*text) == '@' && !take_source_route(text)) {
        return SMTP_PATH_MALFORMED;
    }
    enum smtp_path_fault fault = take_mailbox(text, limits, domain);
    if (fault != SMTP_PATH_OK) {
        return fault;
    }
    return take(text, '>') ? SMTP_PATH_OK : SMTP_PATH_MALFORMED;
}

enum smtp_path_fault smtp_path_read(struct smtp_span *text, enum smtp_path_kind kind,
                                    const struct smtp_server_limits *limits, struct smtp_path *path)
{
    struct smtp_span rest = *text;
    *path = (struct smtp_path){.domain = {"", 0}};
    enum smtp_path_fault fault = take_path(&rest, kind, limits, &path->domain);
    if (fault == SMTP_PATH_MALFORMED) {
        return smtp_has_eight_bit(*text) ? SMTP_PATH_EIGHT_BIT : SMTP_PATH_MALFORMED;
    }
    if (fault != SMTP_PATH_OK) {
        return fault;
    }
    size_t len = text->len - rest.len;
    if (len > limits->path_octets) {
        return SMTP_PATH_TOO_LONG;
    }
    path->text = (struct smtp_span){text->bytes + 1, len - 2};
    *text = rest;
    return SMTP_PATH_OK;
}

bool smtp_is_atom(struct smtp_span text)
{
    return text.len > 0 && run_len(text, is_atext) == text.len && !smtp_has_eight_bit(text);
}

bool smtp_is_domain_or_literal(struct smtp_span text, size_t max_octets)
{
    return text.len <= max_octets && !smtp_has_eight_bit(text) && take_domain_or_literal(&text) &&
           text.len == 0;
}
