/* domain.c - what may stand as a domain (RFC 5321 4.1.2, 4.1.3).
 * Knows: labels of letters, digits and hyphens, address literals.
 * Does not know: names that are not ASCII (idn.c), or whether a name exists. */
#include "client/protocol/path.h"

#include <string.h>

#define IPV6_GROUPS 8

static bool is_hex(unsigned char c)
{
    return smtp_is_digit(c) || ((c | 32) >= 'a' && (c | 32) <= 'f');
}

static bool label_valid(struct smtp_span label)
{
    if (label.len == 0 || label.len > SMTP_CLIENT_LABEL_MAX || label.bytes[0] == '-' ||
        label.bytes[label.len - 1] == '-') {
        return false;
    }
    for (size_t i = 0; i < label.len; i++) {
        unsigned char c = (unsigned char)label.bytes[i];
        if (!smtp_is_letter_or_digit(c) && c != '-') {
            return false;
        }
    }
    return true;
}

/* Cuts the text before the first separator (or its end) off the front of *rest; false: nothing is
 * left. */
static bool next_part(struct smtp_span *rest, char separator, struct smtp_span *part)
{
    if (rest->bytes == NULL) {
        return false;
    }
    const char *end = rest->len > 0 ? memchr(rest->bytes, separator, rest->len) : NULL;
    if (end == NULL) {
        *part = *rest;
        *rest = (struct smtp_span){NULL, 0};
        return true;
    }
    part->bytes = rest->bytes;
    part->len = (size_t)(end - rest->bytes);
    *rest = (struct smtp_span){end + 1, rest->len - part->len - 1};
    return true;
}

static bool ipv4_valid(struct smtp_span text)
{
    struct smtp_span part;
    size_t parts = 0;
    while (next_part(&text, '.', &part)) {
        uint64_t value;
        if (part.len > 3 || !smtp_span_to_u64(part, 255, &value)) {
            return false;
        }
        parts++;
    }
    return parts == 4;
}

static bool group_valid(struct smtp_span group)
{
    for (size_t i = 0; i < group.len; i++) {
        if (!is_hex((unsigned char)group.bytes[i])) {
            return false;
        }
    }
    return group.len >= 1 && group.len <= 4;
}

/* Groups parted by ':', the last one an IPv4 address where allowed; how many, or -1. "" has none.
 */
static int count_groups(struct smtp_span text, bool ipv4_allowed)
{
    struct smtp_span part;
    int groups = 0;
    if (text.len == 0) {
        return 0;
    }
    while (next_part(&text, ':', &part)) {
        if (ipv4_allowed && text.bytes == NULL && ipv4_valid(part)) {
            groups += 2;
        } else if (group_valid(part)) {
            groups++;
        } else {
            return -1;
        }
    }
    return groups;
}

static bool ipv6_valid(struct smtp_span text)
{
    const char *gap = memmem(text.bytes, text.len, "::", 2);
    if (gap == NULL) {
        return count_groups(text, true) == IPV6_GROUPS;
    }
    struct smtp_span before = {text.bytes, (size_t)(gap - text.bytes)};
    struct smtp_span after = {gap + 2, text.len - before.len - 2};
    int first = count_groups(before, false), last = count_groups(after, true);
    /* "::" stands for two groups at least (RFC 5321 4.1.3) */
    return first >= 0 && last >= 0 && first + last <= IPV6_GROUPS - 2;
}

/* General-address-literal: Standardized-tag ":" 1*dcontent */
static bool general_literal_valid(struct smtp_span text)
{
    struct smtp_span tag;
    if (!next_part(&text, ':', &tag) || text.len == 0 || !label_valid(tag)) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        char c = text.bytes[i];
        if (c < 33 || c > 126 || c == '[' || c == '\\' || c == ']') {
            return false;
        }
    }
    return true;
}

static bool literal_valid(struct smtp_span text)
{
    struct smtp_span tag = SMTP_SPAN("IPv6:");
    if (text.len > tag.len &&
        smtp_span_equal_nocase((struct smtp_span){text.bytes, tag.len}, tag)) {
        return ipv6_valid((struct smtp_span){text.bytes + tag.len, text.len - tag.len});
    }
    return ipv4_valid(text) || general_literal_valid(text);
}

bool smtp_client_domain_valid(struct smtp_span domain)
{
    if (domain.len == 0 || domain.len > SMTP_CLIENT_DOMAIN_MAX) {
        return false;
    }
    if (domain.len > 2 && domain.bytes[0] == '[' && domain.bytes[domain.len - 1] == ']') {
        return literal_valid((struct smtp_span){domain.bytes + 1, domain.len - 2});
    }
    struct smtp_span label;
    while (next_part(&domain, '.', &label)) {
        if (!label_valid(label)) {
            return false;
        }
    }
    return true;
}
