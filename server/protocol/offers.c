/* offers.c - the service extensions that the reply to EHLO offers, and that hold then: one row an
 * extension, in the order in which they are named.
 * Knows: what each is switched on by, what else it needs here and now, and its line. Does not know:
 * what follows from it (parameters.c, verbs.c). */
#include "server/protocol/date_time.h"
#include "server/protocol/state.h"

#include <stdio.h>

#define LIMIT_MAX 999999 /* RFC 9422 3: six digits, the first of them no 0 */

/* ---- what is needed here and now ---- */

static bool has_tls(const struct smtp_server_session *session)
{
    return session->tls != NULL;
}

static bool has_no_tls(const struct smtp_server_session *session)
{
    return session->tls == NULL; /* RFC 3207 4.2 */
}

static bool is_trusted(const struct smtp_server_session *session)
{
    return session->trusted;
}

static bool has_expn_hook(const struct smtp_server_session *session)
{
    return (session->config->asks & (1u << SMTP_SERVER_ASK_EXPN)) != 0;
}

static bool is_limit(size_t limit)
{
    return limit >= 1 && limit <= LIMIT_MAX;
}

static bool has_limits(const struct smtp_server_session *session)
{
    const struct smtp_server_limits *limits = &session->config->limits;
    return is_limit(limits->messages) || is_limit(limits->recipients) ||
           is_limit(limits->recipient_domains);
}

/* ---- the lines that say more than a keyword ---- */

static void write_size(const struct smtp_server_session *session, char line[SMTP_SERVER_OFFER_MAX])
{
    snprintf(line, SMTP_SERVER_OFFER_MAX, "SIZE %llu", /* 0: no fixed maximum, RFC 1870 4 */
             (unsigned long long)session->config->limits.message_octets);
}

static void write_limits(const struct smtp_server_session *session,
                         char line[SMTP_SERVER_OFFER_MAX])
{
    const struct smtp_server_limits *limits = &session->config->limits;
    const struct {
        const char *name;
        size_t limit;
    } rows[] = {
        {"MAILMAX", limits->messages},
        {"RCPTMAX", limits->recipients},
        {"RCPTDOMAINMAX", limits->recipient_domains},
    };
    size_t at = (size_t)snprintf(line, SMTP_SERVER_OFFER_MAX, "LIMITS");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (is_limit(rows[i].limit)) {
            at += (size_t)snprintf(line + at, SMTP_SERVER_OFFER_MAX - at, " %s=%zu", rows[i].name,
                                   rows[i].limit);
        }
    }
}

uint64_t smtp_server_hold_limit_s(const struct smtp_server_session_config *config)
{
    uint64_t limit = config->limits.hold_s;
    return limit == 0 ? SMTP_SERVER_SECONDS_MAX : limit;
}

/* RFC 4865 4.1: the longest interval, and the time it ends when it begins now. */
static void write_future_release(const struct smtp_server_session *session,
                                 char line[SMTP_SERVER_OFFER_MAX])
{
    char until[SMTP_DATE_TIME_SIZE];
    uint64_t limit_s = smtp_server_hold_limit_s(session->config);
    smtp_date_time_write(session->config->unix_time_s() + (int64_t)limit_s, until);
    snprintf(line, SMTP_SERVER_OFFER_MAX, "FUTURERELEASE %llu %s", (unsigned long long)limit_s,
             until);
}

static void write_deliver_by(const struct smtp_server_session *session,
                             char line[SMTP_SERVER_OFFER_MAX])
{
    uint64_t least_s = session->config->limits.deliver_by_s;
    if (least_s == 0) {
        snprintf(line, SMTP_SERVER_OFFER_MAX, "DELIVERBY");
    } else {
        snprintf(line, SMTP_SERVER_OFFER_MAX, "DELIVERBY %llu", (unsigned long long)least_s);
    }
}

static void write_xclient(const struct smtp_server_session *session,
                          char line[SMTP_SERVER_OFFER_MAX])
{
    (void)session;
    snprintf(line, SMTP_SERVER_OFFER_MAX, "%s", smtp_server_xclient_offer);
}

/* ---- the table ---- */

#define SWITCH(name) offsetof(struct smtp_server_session_config, name)
#define NO_SWITCH SIZE_MAX

static const struct offer {
    const char *keyword;
    size_t switch_at; /* a bool of the configuration */
    bool (*has_what_it_needs)(
        const struct smtp_server_session *session); /* NULL: it needs nothing */
    void (*write)(const struct smtp_server_session *session,
                  char line[SMTP_SERVER_OFFER_MAX]); /* NULL: the keyword alone */
} offers[] = {
    [SMTP_OFFER_PIPELINING] = {"PIPELINING", SWITCH(keywords.pipelining), NULL, NULL},
    [SMTP_OFFER_SIZE] = {"SIZE", SWITCH(keywords.size), NULL, write_size},
    [SMTP_OFFER_EIGHT_BIT_MIME] = {"8BITMIME", SWITCH(keywords.eight_bit_mime), NULL, NULL},
    [SMTP_OFFER_SMTPUTF8] = {"SMTPUTF8", SWITCH(keywords.smtputf8), NULL, NULL},
    [SMTP_OFFER_CHUNKING] = {"CHUNKING", SWITCH(keywords.chunking), NULL, NULL},
    [SMTP_OFFER_BINARY_MIME] = {"BINARYMIME", SWITCH(keywords.binary_mime), NULL, NULL},
    [SMTP_OFFER_DSN] = {"DSN", SWITCH(keywords.dsn), NULL, NULL},
    [SMTP_OFFER_ENHANCED_STATUS_CODES] = {"ENHANCEDSTATUSCODES",
                                          SWITCH(keywords.enhanced_status_codes), NULL, NULL},
    [SMTP_OFFER_STARTTLS] = {"STARTTLS", SWITCH(starttls), has_no_tls, NULL},
    [SMTP_OFFER_AUTH] = {"AUTH", NO_SWITCH, smtp_server_offers_auth, smtp_server_write_offer},
    [SMTP_OFFER_REQUIRE_TLS] = {"REQUIRETLS", SWITCH(keywords.require_tls), has_tls, NULL},
    [SMTP_OFFER_LIMITS] = {"LIMITS", SWITCH(keywords.limits), has_limits, write_limits},
    [SMTP_OFFER_FUTURE_RELEASE] = {"FUTURERELEASE", SWITCH(keywords.future_release), NULL,
                                   write_future_release},
    [SMTP_OFFER_DELIVER_BY] = {"DELIVERBY", SWITCH(keywords.deliver_by), NULL, write_deliver_by},
    [SMTP_OFFER_MT_PRIORITY] = {"MT-PRIORITY", SWITCH(keywords.mt_priority), NULL, NULL},
    [SMTP_OFFER_XCLIENT] = {"XCLIENT", SWITCH(keywords.xclient), is_trusted, write_xclient},
    [SMTP_OFFER_VRFY] = {"VRFY", SWITCH(keywords.vrfy), NULL, NULL},
    [SMTP_OFFER_EXPN] = {"EXPN", SWITCH(keywords.expn), has_expn_hook, NULL},
    [SMTP_OFFER_HELP] = {"HELP", SWITCH(keywords.help), NULL, NULL},
};
#define OFFER_COUNT (sizeof offers / sizeof *offers)

bool smtp_server_knows(const struct smtp_server_session_config *config,
                       enum smtp_server_offer offer)
{
    size_t at = offers[offer].switch_at;
    return at == NO_SWITCH ? smtp_server_knows_auth(config) : *((const bool *)config + at);
}

/* LMTP has two of them in any case (RFC 2033 5). */
bool smtp_server_offers(const struct smtp_server_session *session, enum smtp_server_offer offer)
{
    bool of_lmtp = session->lmtp &&
                   (offer == SMTP_OFFER_PIPELINING || offer == SMTP_OFFER_ENHANCED_STATUS_CODES);
    return (of_lmtp || smtp_server_knows(session->config, offer)) &&
           (offers[offer].has_what_it_needs == NULL || offers[offer].has_what_it_needs(session));
}

void smtp_server_write_offers(const struct smtp_server_session *session, char *text, size_t size)
{
    size_t at = 0;
    for (size_t i = SMTP_OFFER_NONE + 1; i < OFFER_COUNT && at < size; i++) {
        char line[SMTP_SERVER_OFFER_MAX];
        if (!smtp_server_offers(session, (enum smtp_server_offer)i)) {
            continue;
        }
        if (offers[i].write != NULL) {
            offers[i].write(session, line);
        }
        at += (size_t)snprintf(text + at, size - at, "\n%s",
                               offers[i].write != NULL ? line : offers[i].keyword);
    }
}
