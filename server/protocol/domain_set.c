/* domain_set.c - see domain_set.h. Knows that the case of ASCII letters makes no difference (RFC 5321
 * 2.4); a U-label and its A-label are two domains here. */
#include "server/protocol/domain_set.h"

#include <search.h>
#include <stdlib.h>

static int lower(char c)
{
    unsigned char octet = (unsigned char)c;
    return smtp_is_letter(octet) ? octet | 32 : octet;
}

static int compare(const void *a, const void *b)
{
    const struct smtp_span *one = a, *other = b;
    if (one->len != other->len) {
        return one->len < other->len ? -1 : 1;
    }
    for (size_t i = 0; i < one->len; i++) {
        int difference = lower(one->bytes[i]) - lower(other->bytes[i]);
        if (difference != 0) {
            return difference;
        }
    }
    return 0;
}

enum smtp_status smtp_domain_set_add(struct smtp_domain_set *set, struct smtp_span domain,
                                     size_t limit)
{
    if (tfind(&domain, &set->root, compare) != NULL) {
        return SMTP_OK;
    }
    if (set->count >= limit) {
        return SMTP_LIMIT_EXCEEDED;
    }
    struct smtp_span *kept = malloc(sizeof *kept + domain.len); /* its octets behind it */
    if (kept == NULL) {
        return SMTP_NO_MEMORY;
    }
    smtp_bytes_copy((char *)(kept + 1), domain);
    *kept = (struct smtp_span){(char *)(kept + 1), domain.len};
    if (tsearch(kept, &set->root, compare) == NULL) {
        free(kept);
        return SMTP_NO_MEMORY;
    }
    set->count++;
    return SMTP_OK;
}

void smtp_domain_set_clear(struct smtp_domain_set *set)
{
    tdestroy(set->root, free);
    *set = (struct smtp_domain_set){0};
}
