/* relay.c - see smtp_relay.h. One session with the next server for each of this server's, from its first
 * MAIL on; it outlives transactions, and where it ends the next MAIL begins another.
 * Knows: which step is asked of the next server when, and what its answers come to. Does not know: which
 * parameters go on (relay_parameters.c), octets, threads. */
#include "client/target.h"
#include "common/bytes.h"
#include "common/error.h"
#include "harness/relay_notice.h"
#include "harness/relay_parameters.h"
#include "harness/smtp_relay.h"
#include "server/smtp_receivers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NS_PER_S 1000000000
#define CHUNK_OCTETS ((size_t)1 << 20)
#define RECEIVED_MAX 100 /* RFC 5321 6.3: a message that has been on its way so often goes round */

struct relay {
    struct smtp_client_kept_target next; /* the next server */
};

/** A session's own, in *session->user. */
struct way {
    struct smtp_client *client;
    bool transaction;  /* the next server accepted MAIL */
    size_t recipients; /* and so many RCPT */
};

/* ---- answers ---- */

/** The next server cannot be reached, or its session has ended. */
static enum smtp_server_verdict gone(struct way *way, struct smtp_server_reply *reply)
{
    enum smtp_server_verdict verdict =
        smtp_server_reply(reply, 451, "4.4.1", "No way to the next server: %s",
                          smtp_client_error(way->client)->message);
    smtp_client_close(way->client);
    way->transaction = false;
    return verdict;
}

/** What the next server said, in its own words. */
static enum smtp_server_verdict pass_on(const struct smtp_reply *said,
                                        struct smtp_server_reply *reply)
{
    char enhanced[sizeof "5.999.999"];
    const struct smtp_enhanced_code *code = &said->enhanced;
    snprintf(enhanced, sizeof enhanced, "%d.%d.%d", code->class_digit, code->subject, code->detail);
    return smtp_server_reply(reply, said->code, code->class_digit != 0 ? enhanced : NULL, "%s",
                             said->text);
}

/** What a call of the client's comes to for ours. path_code: the enhanced code where it is the path that the
 *  client does not take. */
static enum smtp_server_verdict answer(struct way *way, enum smtp_status status,
                                       const char *path_code, struct smtp_server_reply *reply)
{
    const struct smtp_reply *said = smtp_client_reply(way->client);
    const char *message = smtp_client_error(way->client)->message;
    switch (status) {
    case SMTP_OK:
    case SMTP_PARTLY_REFUSED:
        return pass_on(said, reply);
    case SMTP_REFUSED_TRANSIENT:
    case SMTP_REFUSED_PERMANENT:
        return said->code != 421 ? pass_on(said, reply) : gone(way, reply);
    case SMTP_UNSUPPORTED:
        return smtp_server_reply(reply, 554, "5.6.3", "%s", message);
    case SMTP_BAD_ARGUMENT:
    case SMTP_UNSAFE_ARGUMENT:
        return smtp_server_reply(reply, 553, path_code, "%s", message);
    case SMTP_DELIVERY_UNKNOWN:
        gone(way, reply);
        return smtp_server_reply(reply, 451, "4.4.2",
                                 "The next server is lost after the content: unknown whether "
                                 "delivered");
    default:
        return gone(way, reply);
    }
}

/* ---- the session with the next server ---- */

static void free_way(struct way *way)
{
    if (way != NULL) {
        smtp_client_free(way->client);
        free(way);
    }
}

static struct way *way_of(const struct relay *relay, const struct smtp_server_session_info *session)
{
    struct way *way = *session->user;
    if (way == NULL) {
        way = calloc(1, sizeof *way);
        if (way != NULL && smtp_client_new(&way->client, relay->next.target.options) != SMTP_OK) {
            free_way(way);
            way = NULL;
        }
        *session->user = way;
    }
    return way;
}

static enum smtp_status connect_way(const struct relay *relay, struct way *way)
{
    const struct smtp_client_target *next = &relay->next.target;
    enum smtp_status status = smtp_client_connect(way->client, next->host, next->port);
    if (status == SMTP_OK) {
        status = smtp_client_hello(way->client);
    }
    if (status == SMTP_OK && next->credentials != NULL) {
        status = smtp_client_auth(way->client, next->credentials);
    }
    return status;
}

/** RSET, also where nothing is open: that is how an end is noticed that came while nothing was said. */
static bool begin_anew(struct way *way)
{
    bool lives = smtp_client_is_connected(way->client) && smtp_client_rset(way->client) == SMTP_OK;
    if (!lives) {
        smtp_client_close(way->client);
    }
    way->transaction = false;
    way->recipients = 0;
    return lives;
}

/** RFC 5321 3.3, appendix C: a source route is not passed on. */
static const char *without_route(const char *path)
{
    const char *colon = path[0] == '@' ? strchr(path, ':') : NULL;
    return colon != NULL ? colon + 1 : path;
}

/* ---- one step each ---- */

static enum smtp_server_verdict out_of_memory(struct smtp_server_reply *reply)
{
    return smtp_server_reply(reply, 451, "4.3.0", "Out of memory");
}

static enum smtp_server_verdict say_mail(struct way *way, const struct smtp_relay_ends *ends,
                                         const char *reverse_path, const char *given,
                                         struct smtp_server_reply *reply)
{
    char *parameters = malloc(strlen(given) + 2);
    if (parameters == NULL) {
        return out_of_memory(reply);
    }
    enum smtp_server_verdict verdict = smtp_relay_mail_parameters(ends, given, parameters, reply);
    if (verdict == SMTP_ACCEPT) {
        enum smtp_status status =
            smtp_client_mail(way->client, without_route(reverse_path), parameters);
        way->transaction = status == SMTP_OK;
        verdict = status == SMTP_OK ? SMTP_ACCEPT : answer(way, status, "5.1.7", reply);
    }
    free(parameters);
    return verdict;
}

static enum smtp_server_verdict begin(const struct relay *relay,
                                      const struct smtp_server_session_info *session,
                                      struct way *way, const char *reverse_path,
                                      const char *parameters, struct smtp_server_reply *reply)
{
    if (!begin_anew(way) && connect_way(relay, way) != SMTP_OK) {
        return gone(way, reply);
    }
    const struct smtp_relay_ends ends = {
        .client = way->client,
        .tls_verified = smtp_client_tls(way->client) != NULL && !relay->next.options.tls.insecure,
        .authenticated = session->identity[0] != '\0',
    };
    return say_mail(way, &ends, reverse_path, parameters, reply);
}

static enum smtp_server_verdict say_rcpt(struct way *way, const char *forward_path,
                                         const char *given, struct smtp_server_reply *reply)
{
    if (!way->transaction) {
        return gone(way, reply);
    }
    char *parameters = malloc(strlen(given) + 2);
    if (parameters == NULL) {
        return out_of_memory(reply);
    }
    smtp_relay_rcpt_parameters(&(struct smtp_relay_ends){.client = way->client}, given, parameters);
    enum smtp_status status =
        smtp_client_rcpt(way->client, without_route(forward_path), parameters);
    free(parameters);
    way->recipients += status == SMTP_OK;
    return answer(way, status, "5.1.3", reply);
}

/* ---- the message ---- */

/** Octet for octet (RFC 3030 3), the trace field in front as a chunk of its own. */
static enum smtp_status send_chunks(struct smtp_client *client, struct smtp_span received,
                                    struct smtp_span content)
{
    enum smtp_status status = smtp_client_bdat(client, received.bytes, received.len, false);
    while (status == SMTP_OK && content.len > CHUNK_OCTETS) {
        status = smtp_client_bdat(client, content.bytes, CHUNK_OCTETS, false);
        content = (struct smtp_span){content.bytes + CHUNK_OCTETS, content.len - CHUNK_OCTETS};
    }
    return status == SMTP_OK ? smtp_client_bdat(client, content.bytes, content.len, true) : status;
}

/** As text, which the client encodes anew: a line end or a dot that is none cannot pass. In one piece, so
 *  that the client can look for 8-bit octets before it begins. */
static enum smtp_status send_text(struct smtp_client *client, struct smtp_span received,
                                  struct smtp_span content)
{
    char *whole = malloc(received.len + content.len);
    if (whole == NULL) {
        return SMTP_NO_MEMORY;
    }
    smtp_bytes_copy(whole, received);
    smtp_bytes_copy(whole + received.len, content);
    enum smtp_status status =
        smtp_client_data(client, smtp_content_memory(whole, received.len + content.len));
    free(whole);
    return status;
}

/** The reply that stands for all where one has to: the first refusal for now, else the first for good, else
 *  the first. */
static const struct smtp_reply *worst_reply(const struct smtp_client *client)
{
    const struct smtp_reply *worst = smtp_client_recipient_reply(client, 0), *said;
    for (size_t i = 1; (said = smtp_client_recipient_reply(client, i)) != NULL; i++) {
        int was = worst->code / 100, is = said->code / 100;
        worst = (is == 4 && was != 4) || (is == 5 && was == 2) ? said : worst;
    }
    return worst;
}

/** The next server answered once: under LMTP that is the answer for each recipient. */
static enum smtp_server_verdict answer_once(struct way *way, enum smtp_status status,
                                            const struct smtp_server_session_info *session,
                                            struct smtp_server_reply *reply)
{
    enum smtp_server_verdict verdict = answer(way, status, "5.6.0", reply);
    for (size_t i = 1; i < way->recipients && session->lmtp; i++) {
        reply[i] = reply[0];
    }
    return verdict;
}

/** The next server speaks LMTP and answered for each recipient. Under LMTP each hears its own answer. Under
 *  SMTP there is one for all: where some refuse it is their refusal, so the message may come twice to those
 *  that took it, and is lost for nobody. */
static enum smtp_server_verdict answer_for_each(const struct way *way,
                                                const struct smtp_server_session_info *session,
                                                struct smtp_server_reply *reply)
{
    const struct smtp_reply *said;
    enum smtp_server_verdict verdict = SMTP_REFUSE;
    if (!session->lmtp) {
        return pass_on(worst_reply(way->client), reply);
    }
    for (size_t i = 0; (said = smtp_client_recipient_reply(way->client, i)) != NULL; i++) {
        if (pass_on(said, &reply[i]) == SMTP_ACCEPT) {
            verdict = SMTP_ACCEPT;
        }
    }
    return verdict;
}

/* How many Received fields the header section has. */
static size_t count_received(const struct smtp_message *message)
{
    size_t len, count = 0;
    const char *at = smtp_message_content(message, &len), *end = at + len;
    while (at < end && *at != '\r' && *at != '\n') {
        const char *lf = memchr(at, '\n', (size_t)(end - at));
        struct smtp_span name = {at, sizeof "Received:" - 1};
        count +=
            (size_t)(end - at) > name.len && smtp_span_equal_nocase(name, SMTP_SPAN("Received:"));
        at = lf != NULL ? lf + 1 : end;
    }
    return count;
}

static enum smtp_server_verdict say_content(struct way *way,
                                            const struct smtp_server_session_info *session,
                                            const struct smtp_message *message,
                                            struct smtp_server_reply *reply)
{
    char trace[SMTP_RECEIVED_MAX];
    struct smtp_span content, received = {.bytes = trace};
    int64_t unix_s = smtp_message_received_unix_ns(message) / NS_PER_S;
    received.len =
        smtp_message_write_received(message, session->hostname, unix_s, trace, sizeof trace);
    content.bytes = smtp_message_content(message, &content.len);
    bool binary = smtp_relay_is_binary(smtp_message_mail_parameters(message));
    enum smtp_status status = binary ? send_chunks(way->client, received, content)
                                     : send_text(way->client, received, content);
    way->transaction = false;
    enum smtp_server_verdict verdict = smtp_client_recipient_reply(way->client, 0) != NULL
                                           ? answer_for_each(way, session, reply)
                                           : answer_once(way, status, session, reply);
    if (status == SMTP_OK) {
        smtp_relay_notify(way->client, session->hostname, message);
    }
    return verdict;
}

/** Another table refused a recipient that the next server had accepted: the envelope once more, as it is. */
static enum smtp_server_verdict say_envelope(const struct relay *relay,
                                             const struct smtp_server_session_info *session,
                                             struct way *way, const struct smtp_message *message,
                                             struct smtp_server_reply *reply)
{
    enum smtp_server_verdict verdict =
        begin(relay, session, way, smtp_message_reverse_path(message),
              smtp_message_mail_parameters(message), reply);
    for (size_t i = 0; i < smtp_message_recipient_count(message) && verdict == SMTP_ACCEPT; i++) {
        verdict = say_rcpt(way, smtp_message_forward_path(message, i),
                           smtp_message_rcpt_parameters(message, i), reply);
    }
    return verdict;
}

/* ---- the table ---- */

static enum smtp_server_verdict on_mail(void *user, const struct smtp_server_session_info *session,
                                        const char *reverse_path, const char *parameters,
                                        struct smtp_server_reply *reply)
{
    struct way *way = way_of(user, session);
    return way != NULL ? begin(user, session, way, reverse_path, parameters, reply)
                       : out_of_memory(reply);
}

static enum smtp_server_verdict on_rcpt(void *user, const struct smtp_server_session_info *session,
                                        const char *forward_path, const char *parameters,
                                        struct smtp_server_reply *reply)
{
    (void)user;
    return say_rcpt(*session->user, forward_path, parameters, reply);
}

static enum smtp_server_verdict on_message(void *user,
                                           const struct smtp_server_session_info *session,
                                           struct smtp_message *message,
                                           struct smtp_server_reply *reply)
{
    struct way *way = *session->user;
    enum smtp_server_verdict verdict = SMTP_ACCEPT;
    if (!way->transaction) {
        return gone(way, reply);
    }
    if (count_received(message) > RECEIVED_MAX) {
        return smtp_server_reply(reply, 554, "5.4.6", "Too many hops: the message goes round");
    }
    if (way->recipients != smtp_message_recipient_count(message)) {
        verdict = say_envelope(user, session, way, message, reply);
    }
    return verdict == SMTP_ACCEPT ? say_content(way, session, message, reply) : verdict;
}

static void on_reset(void *user, const struct smtp_server_session_info *session)
{
    (void)user;
    struct way *way = *session->user;
    if (way != NULL && way->transaction) {
        (void)begin_anew(way);
    }
}

static void on_close(void *user, const struct smtp_server_session_info *session)
{
    (void)user;
    struct way *way = *session->user;
    if (way != NULL && smtp_client_is_connected(way->client)) {
        (void)smtp_client_quit(way->client);
    }
    free_way(way);
    *session->user = NULL;
}

/* ---- life ---- */

static void release(void *user)
{
    struct relay *relay = user;
    smtp_client_target_clear(&relay->next);
    free(relay);
}

static enum smtp_status fill(struct relay *relay, const char *host,
                             const struct smtp_client_options *options,
                             const struct smtp_client_credentials *credentials,
                             struct smtp_error *error)
{
    struct smtp_client_options defaults;
    smtp_client_options_init(&defaults);
    const struct smtp_client_target next = {host, 0, options != NULL ? options : &defaults,
                                            credentials};
    if (!smtp_client_target_keep(&relay->next, &next)) {
        return smtp_error_set(error, SMTP_NO_MEMORY, 0, "out of memory");
    }
    struct smtp_client *trial = NULL; /* so that options that no client takes are told now */
    enum smtp_status status = smtp_client_new(&trial, relay->next.target.options);
    smtp_client_free(trial);
    return status == SMTP_OK ? SMTP_OK
                             : smtp_error_set(error, status, 0, "the relay's client options: %s",
                                              smtp_status_text(status));
}

enum smtp_status smtp_receiver_relay(struct smtp_server_hooks *out, const char *host,
                                     const struct smtp_client_options *options,
                                     const struct smtp_client_credentials *credentials,
                                     struct smtp_error *error)
{
    *out = (struct smtp_server_hooks){.user = NULL};
    if (host == NULL) {
        return smtp_error_set(error, SMTP_BAD_ARGUMENT, 0, "the relay's next server is NULL");
    }
    struct relay *relay = calloc(1, sizeof *relay);
    if (relay == NULL) {
        return smtp_error_set(error, SMTP_NO_MEMORY, 0, "out of memory");
    }
    enum smtp_status status = fill(relay, host, options, credentials, error);
    if (status != SMTP_OK) {
        release(relay);
        return status;
    }
    *out = (struct smtp_server_hooks){
        .user = relay,
        .blocking = true,
        .mail = on_mail,
        .rcpt = on_rcpt,
        .message = on_message,
        .reset = on_reset,
        .close = on_close,
        .release = release,
    };
    return SMTP_OK;
}
