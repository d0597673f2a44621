/* domain_set.h - the different domains that were named so far (RCPTDOMAINMAX, RFC 9422 4.3). */
#ifndef SMTP_SERVER_PROTOCOL_DOMAIN_SET_H
#define SMTP_SERVER_PROTOCOL_DOMAIN_SET_H

#include "common/bytes.h"

/** Zero-initialised it is empty. */
struct smtp_domain_set {
    void *root; /* of tsearch */
    size_t count;
};

/** Puts the domain in, unless it is there already, in whatever case. SMTP_LIMIT_EXCEEDED: it would be
 *  one more than `limit`. SMTP_NO_MEMORY. The time it takes grows with the logarithm of the count. */
enum smtp_status smtp_domain_set_add(struct smtp_domain_set *set, struct smtp_span domain,
                                     size_t limit) SMTP_MUST_CHECK;
/** Takes all out. */
void smtp_domain_set_clear(struct smtp_domain_set *set);

#endif
