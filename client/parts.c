/* parts.c - one message in several transactions, where the server takes fewer recipients in one (RCPTMAX,
 * RFC 9422 4.2). Knows: one result for all of them, what is left when the connection ends between them.
 * Does not know: why so many (limits.c). */
#include "client/client.h"
#include "common/error.h"

#include <stdlib.h>
#include <string.h>

/* ---- one result for all ---- */

/* Texts of one transaction's replies, which the session overwrites with the next. */
struct smtp_client_kept_texts {
    struct smtp_client_kept_texts *next;
    char bytes[];
};

void smtp_client_parts_clear(struct smtp_client_joined_result *joined)
{
    while (joined->texts != NULL) {
        struct smtp_client_kept_texts *next = joined->texts->next;
        free(joined->texts);
        joined->texts = next;
    }
    free(joined->recipients);
    *joined = (struct smtp_client_joined_result){0};
}

static bool is_refusal(enum smtp_status status)
{
    return status == SMTP_REFUSED_TRANSIENT || status == SMTP_REFUSED_PERMANENT;
}

/* Many recipients share one text: it is kept once. */
static size_t texts_size(const struct smtp_send_result *result)
{
    size_t size = strlen(result->final_reply.text) + 1;
    const char *last = NULL;
    for (size_t i = 0; i < result->recipient_count; i++) {
        const char *text = result->recipients[i].reply.text;
        size += text != last ? strlen(text) + 1 : 0;
        last = text;
    }
    return size;
}

static const char *keep_text(char **at, const char *text)
{
    char *kept = *at;
    size_t size = strlen(text) + 1;
    memcpy(kept, text, size);
    *at += size;
    return kept;
}

/* Takes a transaction's result over: of the recipients from `first`. */
static bool join(struct smtp_client_joined_result *joined, const struct smtp_send_result *part,
                 size_t first)
{
    struct smtp_send_result *whole = &joined->result;
    struct smtp_client_kept_texts *texts = malloc(sizeof(*texts) + texts_size(part));
    if (texts == NULL) {
        return false;
    }
    texts->next = joined->texts;
    joined->texts = texts;
    char *at = texts->bytes;
    const char *given = NULL, *kept = NULL;
    for (size_t i = 0; i < part->recipient_count; i++) {
        struct smtp_recipient_result *recipient = &joined->recipients[first + i];
        *recipient = part->recipients[i];
        kept = given != NULL && recipient->reply.text == given
                   ? kept
                   : keep_text(&at, recipient->reply.text);
        given = part->recipients[i].reply.text;
        recipient->reply.text = kept;
    }
    if (whole->status == SMTP_OK) { /* the first failure is told, else the last success */
        whole->final_reply = part->final_reply;
        whole->final_reply.text = keep_text(&at, part->final_reply.text);
        whole->stage = part->stage;
        whole->status = part->status;
    }
    bool failed = part->status != SMTP_OK && part->status != SMTP_PARTLY_REFUSED;
    whole->status = failed && !is_refusal(part->status) ? part->status : whole->status;
    whole->accepted_count += part->accepted_count;
    return true;
}

/* The transactions of the recipients from `first` never began. */
static void settle_rest(struct smtp_client_joined_result *joined, size_t first,
                        enum smtp_status status)
{
    struct smtp_send_result *whole = &joined->result;
    for (size_t i = first; i < whole->recipient_count; i++) {
        joined->recipients[i].status = status;
        joined->recipients[i].stage = SMTP_STAGE_MAIL;
    }
    if (first < whole->recipient_count && whole->status != SMTP_DELIVERY_UNKNOWN) {
        whole->status = status;
    }
}

/* RFC 5321 4.5.3.1.10 leaves it to the client what became of all. */
static void conclude(struct smtp_send_result *whole)
{
    size_t for_good = 0;
    for (size_t i = 0; i < whole->recipient_count; i++) {
        for_good += whole->recipients[i].status == SMTP_REFUSED_PERMANENT;
    }
    if (whole->status != SMTP_OK && whole->status != SMTP_PARTLY_REFUSED &&
        !is_refusal(whole->status)) {
        return;
    }
    if (whole->accepted_count > 0) {
        bool all = whole->accepted_count == whole->recipient_count;
        whole->status = all ? SMTP_OK : SMTP_PARTLY_REFUSED;
    } else {
        whole->status =
            for_good == whole->recipient_count ? SMTP_REFUSED_PERMANENT : SMTP_REFUSED_TRANSIENT;
    }
}

static bool begin_result(struct smtp_client_joined_result *joined,
                         const struct smtp_envelope *envelope)
{
    size_t count = envelope->forward_path_count;
    smtp_client_parts_clear(joined);
    joined->recipients = calloc(count, sizeof(*joined->recipients));
    if (joined->recipients == NULL) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        joined->recipients[i] = (struct smtp_recipient_result){
            .forward_path = envelope->forward_paths[i], .reply = {.text = ""}};
    }
    joined->result = (struct smtp_send_result){.stage = SMTP_STAGE_DOT,
                                               .recipient_count = count,
                                               .recipients = joined->recipients,
                                               .final_reply = {.text = ""}};
    return true;
}

/* ---- sending ---- */

/* The recipients from `first`, so many. */
static struct smtp_envelope part_of(const struct smtp_envelope *envelope, size_t first,
                                    size_t count)
{
    struct smtp_envelope part = *envelope;
    part.forward_paths += first;
    part.forward_path_count = count;
    part.rcpt_parameters = part.rcpt_parameters != NULL ? part.rcpt_parameters + first : NULL;
    part.rcpt = part.rcpt != NULL ? part.rcpt + first : NULL;
    return part;
}

/* Sends one part, with the content from its beginning. SMTP_OK: another can follow; else why not. */
static enum smtp_status send_part(struct smtp_client *client, const struct smtp_envelope *part,
                                  struct smtp_client_source source, off_t position, size_t first)
{
    const struct smtp_send_result *result = NULL;
    enum smtp_status status = smtp_client_content_return(&source.content, position, &client->error);
    if (status == SMTP_OK) {
        status = smtp_client_connection_check(client);
    }
    if (status == SMTP_OK) {
        status = smtp_client_send_one(client, part, &source, &result);
    }
    if (result == NULL) {
        settle_rest(&client->joined, first, status);
        return status;
    }
    if (!join(&client->joined, result, first)) {
        settle_rest(&client->joined, first, SMTP_NO_MEMORY);
        return SMTP_NO_MEMORY;
    }
    return client->fd >= 0 ? SMTP_OK : SMTP_CLOSED;
}

static void send_parts(struct smtp_client *client, const struct smtp_envelope *envelope,
                       const struct smtp_client_source *source)
{
    size_t max = (size_t)smtp_client_session_extensions(client->session)->rcpt_max;
    struct smtp_client_joined_result *joined = &client->joined;
    off_t position = smtp_client_content_position(&source->content);
    struct smtp_error first = {0};
    enum smtp_status status = SMTP_OK;
    for (size_t at = 0; at < envelope->forward_path_count && status == SMTP_OK; at += max) {
        size_t left = envelope->forward_path_count - at;
        struct smtp_envelope part = part_of(envelope, at, left < max ? left : max);
        status = send_part(client, &part, *source, position, at);
        if (joined->result.status != SMTP_OK && first.status == SMTP_OK) {
            first = client->error;
        }
        if (status == SMTP_CLOSED) {
            settle_rest(joined, at + part.forward_path_count, status);
        }
    }
    conclude(&joined->result);
    client->reply = joined->result.final_reply;
    if (joined->result.status != SMTP_OK) {
        client->error = first;
        client->error.status = joined->result.status;
    }
}

enum smtp_status smtp_client_parts_send(struct smtp_client *client,
                                        const struct smtp_envelope *envelope,
                                        struct smtp_client_source *source,
                                        const struct smtp_send_result **result)
{
    *result = NULL;
    if (smtp_client_content_position(&source->content) < 0) {
        return smtp_error_set(&client->error, SMTP_UNSUPPORTED, 0,
                              "the server's LIMITS take the %zu recipients only in several "
                              "transactions, and the content cannot be read again: give it as "
                              "memory or as a regular file",
                              envelope->forward_path_count);
    }
    enum smtp_status status =
        smtp_client_session_check_send(client->session, envelope, &source->facts);
    if (status != SMTP_OK) {
        client->error = *smtp_client_session_error(client->session);
        return status;
    }
    if (!begin_result(&client->joined, envelope)) {
        return smtp_error_set(&client->error, SMTP_NO_MEMORY, 0, "out of memory for %zu recipients",
                              envelope->forward_path_count);
    }
    send_parts(client, envelope, source);
    *result = &client->joined.result;
    return client->joined.result.status;
}
