/* target.c - what makes two targets alike, and copies of them. A session that served a target with other
 * credentials, trust or names would do what its caller never asked for, so nothing is left out. */
#include "client/target.h"

#include "client/options.h"
#include "common/secret.h"

#include <stdlib.h>
#include <string.h>

#define TEXTS 5

/* Where the credentials hold texts. */
static void find_texts(struct smtp_client_credentials *credentials, const char **texts[TEXTS])
{
    texts[0] = &credentials->identity;
    texts[1] = &credentials->password;
    texts[2] = &credentials->token;
    texts[3] = &credentials->authorization_identity;
    texts[4] = &credentials->mechanism;
}

bool smtp_client_target_keep(struct smtp_client_kept_target *kept,
                             const struct smtp_client_target *target)
{
    const char **texts[TEXTS];
    kept->options = *target->options;
    bool complete = smtp_client_options_copy(&kept->options);
    kept->target = (struct smtp_client_target){strdup(target->host), target->port, &kept->options,
                                               target->credentials};
    complete = complete && kept->target.host != NULL;
    if (target->credentials == NULL) {
        return complete;
    }
    kept->credentials = *target->credentials;
    kept->target.credentials = &kept->credentials;
    find_texts(&kept->credentials, texts);
    for (size_t i = 0; i < TEXTS; i++) {
        const char *given = *texts[i];
        *texts[i] = given != NULL ? strdup(given) : NULL;
        complete = complete && (given == NULL || *texts[i] != NULL);
    }
    return complete;
}

void smtp_client_target_clear(struct smtp_client_kept_target *kept)
{
    const char **texts[TEXTS];
    free((void *)(uintptr_t)kept->target.host);
    smtp_client_options_clear(&kept->options);
    find_texts(&kept->credentials, texts);
    for (size_t i = 0; i < TEXTS; i++) {
        smtp_secret_free((void *)(uintptr_t)*texts[i]);
    }
    *kept = (struct smtp_client_kept_target){0};
}

static bool same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : smtp_secret_equal(smtp_span_of(a), smtp_span_of(b));
}

static bool same_credentials(const struct smtp_client_credentials *a,
                             const struct smtp_client_credentials *b)
{
    if (a == NULL || b == NULL) {
        return a == b;
    }
    struct smtp_client_credentials left = *a, right = *b;
    const char **left_texts[TEXTS], **right_texts[TEXTS];
    bool same = a->plain_without_tls == b->plain_without_tls;
    find_texts(&left, left_texts);
    find_texts(&right, right_texts);
    for (size_t i = 0; i < TEXTS; i++) {
        same = same && same_text(*left_texts[i], *right_texts[i]);
    }
    return same;
}

bool smtp_client_target_alike(const struct smtp_client_target *a,
                              const struct smtp_client_target *b)
{
    return strcmp(a->host, b->host) == 0 && a->port == b->port &&
           smtp_client_options_alike(a->options, b->options) &&
           same_credentials(a->credentials, b->credentials);
}
