/* limits.c - what a server's LIMITS (RFC 9422) mean for a message: whether it may be sent on this
 * connection, and in how many transactions. Knows: counts, and the domains that were named. Does not know:
 * how it is sent (parts.c). */
#include "client/client.h"
#include "common/error.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- MAILMAX and RCPTMAX ---- */

uint64_t smtp_client_limits_mails_left(const struct smtp_client *client)
{
    uint64_t max = smtp_client_session_extensions(client->session)->mail_max;
    uint64_t said = smtp_client_session_mail_count(client->session);
    return max == 0 ? UINT64_MAX : max - (said < max ? said : max);
}

/* The refused count too (RFC 9422 4.2), so that it is RCPT commands that are shared out. */
size_t smtp_client_limits_count(const struct smtp_client *client,
                                const struct smtp_envelope *envelope)
{
    uint64_t max = smtp_client_session_extensions(client->session)->rcpt_max;
    size_t count = envelope->forward_path_count;
    return max == 0 || count <= max ? 1 : (count - 1) / (size_t)max + 1;
}

static enum smtp_status check_mails(struct smtp_client *client,
                                    const struct smtp_envelope *envelope)
{
    uint64_t left = smtp_client_limits_mails_left(client);
    size_t transactions = smtp_client_limits_count(client, envelope);
    if (transactions <= left) {
        return SMTP_OK;
    }
    return smtp_error_set(&client->error, SMTP_LIMIT_EXCEEDED, 0,
                          "the message needs %zu transactions and the server takes %" PRIu64
                          " more on this connection (LIMITS MAILMAX=%" PRIu64 "): connect again%s",
                          transactions, left,
                          smtp_client_session_extensions(client->session)->mail_max,
                          transactions > 1 ? ", or send it to fewer recipients at once" : "");
}

/* ---- RCPTDOMAINMAX: of a whole session (RFC 9422 4.3) ---- */

static int compare_domains(const void *a, const void *b)
{
    return strcasecmp(*(const char *const *)a, *(const char *const *)b);
}

static const char *domain_of(const char *path)
{
    const char *at = path != NULL ? strrchr(path, '@') : NULL;
    return at != NULL ? at + 1 : ""; /* "postmaster" */
}

void smtp_client_limits_forget(struct smtp_client *client)
{
    for (size_t i = 0; i < client->domain_count; i++) {
        free(client->domains[i]);
    }
    free(client->domains);
    client->domains = NULL;
    client->domain_count = 0;
}

static bool is_known(const struct smtp_client *client, const char *domain)
{
    return client->domain_count > 0 && bsearch(&domain, client->domains, client->domain_count,
                                               sizeof(*client->domains), compare_domains) != NULL;
}

/* The envelope's domains that were not named on this connection, once each. */
static size_t find_new_domains(const struct smtp_client *client,
                               const struct smtp_envelope *envelope, const char **domains)
{
    size_t count = 0, kept = 0;
    for (size_t i = 0; i < envelope->forward_path_count; i++) {
        const char *domain = domain_of(envelope->forward_paths[i]);
        if (!is_known(client, domain)) {
            domains[count++] = domain;
        }
    }
    qsort(domains, count, sizeof(*domains), compare_domains);
    for (size_t i = 0; i < count; i++) {
        if (kept == 0 || strcasecmp(domains[kept - 1], domains[i]) != 0) {
            domains[kept++] = domains[i];
        }
    }
    return kept;
}

static bool remember(struct smtp_client *client, const char *const *domains, size_t count)
{
    size_t known = client->domain_count;
    char **grown = reallocarray(client->domains, known + count, sizeof(*grown));
    if (grown == NULL) {
        return false;
    }
    client->domains = grown;
    for (size_t i = 0; i < count; i++) {
        if ((grown[known + i] = strdup(domains[i])) == NULL) {
            return false;
        }
        client->domain_count++;
    }
    qsort(grown, client->domain_count, sizeof(*grown), compare_domains);
    return true;
}

static enum smtp_status admit_domains(struct smtp_client *client,
                                      const struct smtp_envelope *envelope,
                                      const struct smtp_client_content_facts *facts)
{
    uint64_t max = smtp_client_session_extensions(client->session)->rcpt_domain_max;
    if (max == 0) {
        return SMTP_OK;
    }
    enum smtp_status status = smtp_client_session_check_send(client->session, envelope, facts);
    if (status != SMTP_OK) { /* what is not sent does not count */
        client->error = *smtp_client_session_error(client->session);
        return status;
    }
    const char **domains = calloc(envelope->forward_path_count, sizeof(*domains));
    size_t count = domains != NULL ? find_new_domains(client, envelope, domains) : 0;
    size_t known = client->domain_count;
    if (known + count > max) {
        status = smtp_error_set(&client->error, SMTP_LIMIT_EXCEEDED, 0,
                                "the recipients have %zu domains beside the %zu named before, and "
                                "the server takes %" PRIu64 " on a connection (LIMITS "
                                "RCPTDOMAINMAX): %s",
                                count, known, max,
                                count > max ? "send to fewer at once, on several connections"
                                            : "connect again");
    } else if (domains == NULL || (count > 0 && !remember(client, domains, count))) {
        status = smtp_error_set(&client->error, SMTP_NO_MEMORY, 0, "out of memory for domains");
    }
    free(domains);
    return status;
}

enum smtp_status smtp_client_limits_admit(struct smtp_client *client,
                                          const struct smtp_envelope *envelope,
                                          const struct smtp_client_content_facts *facts)
{
    enum smtp_status status = check_mails(client, envelope);
    return status == SMTP_OK ? admit_domains(client, envelope, facts) : status;
}
