/* name.c - see name.h. */
#include "harness/conformance/name.h"

#include <arpa/inet.h>

#define DOMAIN_OCTETS_MAX 255 /* RFC 5321 4.5.3.1.2 */
#define IPV6_TAG "IPv6:"

static bool is_let_dig(char octet)
{
    return smtp_is_letter((unsigned char)octet) || smtp_is_digit((unsigned char)octet);
}

/** sub-domain *("." sub-domain): letters, digits and hyphens, and no hyphen at an end. */
static bool is_domain(struct smtp_span text)
{
    char before = '.';
    for (size_t i = 0; i < text.len; i++) {
        char octet = text.bytes[i];
        bool fits = octet == '.' ? is_let_dig(before) : is_let_dig(octet) || octet == '-';
        if (!fits || (before == '.' && octet == '-')) {
            return false;
        }
        before = octet;
    }
    return text.len <= DOMAIN_OCTETS_MAX && is_let_dig(before);
}

/** An IPv4 address, or "IPv6:" and one; no other tag is registered. */
static bool is_address(struct smtp_span text)
{
    char address[INET6_ADDRSTRLEN];
    unsigned char octets[sizeof(struct in6_addr)];
    size_t tag = sizeof IPV6_TAG - 1;
    bool is_ipv6 = text.len >= tag &&
                   smtp_span_equal_nocase((struct smtp_span){text.bytes, tag}, SMTP_SPAN(IPV6_TAG));
    size_t begin = is_ipv6 ? tag : 0, len = text.len - begin;
    if (len >= sizeof address || memchr(text.bytes + begin, '\0', len) != NULL) {
        return false;
    }
    memcpy(address, text.bytes + begin, len);
    address[len] = '\0';
    return inet_pton(is_ipv6 ? AF_INET6 : AF_INET, address, octets) == 1;
}

bool smtp_name_is_host(struct smtp_span text)
{
    if (text.len > 2 && text.bytes[0] == '[' && text.bytes[text.len - 1] == ']') {
        return is_address((struct smtp_span){text.bytes + 1, text.len - 2});
    }
    return is_domain(text);
}

struct smtp_span smtp_name_first_word(struct smtp_span text)
{
    const char *space = text.len > 0 ? memchr(text.bytes, ' ', text.len) : NULL;
    return (struct smtp_span){text.bytes, space != NULL ? (size_t)(space - text.bytes) : text.len};
}

/** Whether a domain may go on with that octet: also with what is in no RFC's domain, and in many a name. */
static bool is_of_domain(char octet)
{
    return is_let_dig(octet) || octet == '-' || octet == '_' || (unsigned char)octet >= 0x80;
}

/** Likewise a local part: with atext of RFC 5322 3.2.3. */
static bool is_of_local_part(char octet)
{
    return is_of_domain(octet) || (octet != '\0' && strchr("!#$%&'*+/=?^`{|}~", octet) != NULL);
}

static bool begins_at(struct smtp_span text, size_t at, bool is_mailbox)
{
    char before = at > 0 ? text.bytes[at - 1] : ' ';
    return before != '.' && !(is_mailbox ? is_of_local_part(before) : is_of_domain(before));
}

/** A dot behind it belongs to it where a domain goes on beyond: else it ends a sentence. */
static bool ends_at(struct smtp_span text, size_t at)
{
    at += at < text.len && text.bytes[at] == '.';
    return at == text.len || !is_of_domain(text.bytes[at]);
}

bool smtp_name_stands_in(struct smtp_span text, const char *name)
{
    size_t len = strlen(name);
    const char *mark = strrchr(name, '@');
    size_t local = mark != NULL ? (size_t)(mark - name) : 0;
    struct smtp_span rest = {name + local, len - local};
    for (size_t at = 0; len > 0 && at + len <= text.len; at++) {
        const char *here = text.bytes + at;
        if (memcmp(here, name, local) == 0 &&
            smtp_span_equal_nocase((struct smtp_span){here + local, rest.len}, rest) &&
            begins_at(text, at, mark != NULL) && ends_at(text, at + len)) {
            return true;
        }
    }
    return false;
}
