/* transaction.c - the results of one mail transaction (RFC 5321 3.3, 4.5.3.1.10).
 * Knows: what a reply at each stage means for each recipient, and what is left to say of the whole.
 * Does not know: octets, pipelining, deadlines (see session.c). */
#include "client/protocol/transaction.h"

#include <stdlib.h>
#include <string.h>

#define TEXTS_MAX                                                                                  \
    (256u                                                                                          \
     << 20) /* refusals of a very long recipient list; bounds a hostile server                \
                  */
#define TEXTS_KEPT 65536

void smtp_client_transaction_init(struct smtp_client_transaction *transaction)
{
    *transaction = (struct smtp_client_transaction){.texts = SMTP_BUFFER(TEXTS_MAX)};
}

void smtp_client_transaction_clear(struct smtp_client_transaction *transaction)
{
    free(transaction->recipients);
    free(transaction->text_at);
    smtp_buffer_free(&transaction->texts);
    smtp_client_transaction_init(transaction);
}

static enum smtp_status grow(struct smtp_client_transaction *transaction, size_t count)
{
    if (count <= transaction->capacity) {
        return SMTP_OK;
    }
    struct smtp_recipient_result *recipients = calloc(count, sizeof(*recipients));
    size_t *text_at = calloc(count, sizeof(*text_at));
    if (recipients == NULL || text_at == NULL) {
        free(recipients);
        free(text_at);
        return SMTP_NO_MEMORY;
    }
    free(transaction->recipients);
    free(transaction->text_at);
    transaction->recipients = recipients;
    transaction->text_at = text_at;
    transaction->capacity = count;
    return SMTP_OK;
}

enum smtp_status smtp_client_transaction_begin(struct smtp_client_transaction *transaction,
                                               const char *const *forward_paths, size_t count)
{
    smtp_buffer_clear(&transaction->texts, TEXTS_KEPT);
    if (grow(transaction, count) != SMTP_OK ||
        smtp_buffer_append(&transaction->texts, "", 1) != SMTP_OK) {
        return SMTP_NO_MEMORY; /* its first octet is the empty text */
    }
    for (size_t i = 0; i < count; i++) {
        transaction->recipients[i] = (struct smtp_recipient_result){
            .forward_path = forward_paths != NULL ? forward_paths[i] : ""};
        transaction->text_at[i] = 0;
    }
    transaction->answered = 0;
    transaction->taken = 0;
    transaction->doomed = transaction->final_refused = false;
    transaction->finals = 0;
    transaction->failure = SMTP_OK;
    transaction->final_text_at = 0;
    transaction->result = (struct smtp_send_result){
        .stage = SMTP_STAGE_DOT,
        .recipient_count = count,
        .recipients = transaction->recipients,
        .final_reply = {.text = ""},
    };
    return SMTP_OK;
}

static enum smtp_status keep_text(struct smtp_client_transaction *transaction,
                                  const struct smtp_reply *reply, size_t *at)
{
    *at = transaction->texts.len;
    return smtp_buffer_append(&transaction->texts, reply->text, strlen(reply->text) + 1);
}

static void note_first_failure(struct smtp_client_transaction *transaction,
                               enum smtp_client_stage stage)
{
    if (transaction->result.stage == SMTP_STAGE_DOT) {
        transaction->result.stage = stage;
    }
}

static void settle(struct smtp_client_transaction *transaction, size_t i,
                   enum smtp_client_stage stage, enum smtp_status status,
                   const struct smtp_reply *reply, size_t text_at)
{
    transaction->recipients[i].stage = stage;
    transaction->recipients[i].status = status;
    transaction->recipients[i].reply = *reply;
    transaction->text_at[i] = text_at;
}

/* One reply decides for every recipient that no reply before decided for. */
static enum smtp_status settle_rest(struct smtp_client_transaction *transaction,
                                    enum smtp_client_stage stage, enum smtp_status status,
                                    const struct smtp_reply *reply)
{
    size_t at = 0;
    if (keep_text(transaction, reply, &at) != SMTP_OK) {
        return SMTP_NO_MEMORY;
    }
    transaction->result.final_reply = *reply;
    transaction->final_text_at = at;
    for (size_t i = 0; i < transaction->result.recipient_count; i++) {
        if (transaction->recipients[i].stage == SMTP_STAGE_NONE) {
            settle(transaction, i, stage, status, reply, at);
        }
    }
    if (status != SMTP_OK) {
        note_first_failure(transaction, stage);
        transaction->doomed = true;
    }
    return SMTP_OK;
}

static enum smtp_status rcpt_reply(struct smtp_client_transaction *transaction,
                                   enum smtp_status judged, const struct smtp_reply *reply)
{
    size_t i = transaction->answered++;
    transaction->taken += judged == SMTP_OK;
    if (judged == SMTP_OK || transaction->doomed) {
        return SMTP_OK; /* doomed: MAIL was refused, and this says so again */
    }
    size_t at = 0;
    if (keep_text(transaction, reply, &at) != SMTP_OK) {
        return SMTP_NO_MEMORY;
    }
    settle(transaction, i, SMTP_STAGE_RCPT, judged, reply, at);
    if (transaction->final_text_at == 0) {
        transaction->result.final_reply = *reply;
        transaction->final_text_at = at;
    }
    note_first_failure(transaction, SMTP_STAGE_RCPT);
    transaction->doomed =
        transaction->answered == transaction->result.recipient_count && transaction->taken == 0;
    return SMTP_OK;
}

enum smtp_status smtp_client_transaction_reply(struct smtp_client_transaction *transaction,
                                               enum smtp_client_stage stage,
                                               enum smtp_status judged,
                                               const struct smtp_reply *reply)
{
    if (stage == SMTP_STAGE_RCPT) {
        return rcpt_reply(transaction, judged, reply);
    }
    if (transaction->doomed || (judged == SMTP_OK && stage != SMTP_STAGE_DOT)) {
        return SMTP_OK;
    }
    return settle_rest(transaction, stage, judged, reply);
}

enum smtp_status smtp_client_transaction_reply_for_one(struct smtp_client_transaction *transaction,
                                                       enum smtp_status judged,
                                                       const struct smtp_reply *reply)
{
    size_t i = transaction->finals, at = 0;
    while (i < transaction->result.recipient_count &&
           transaction->recipients[i].stage != SMTP_STAGE_NONE) {
        i++;
    }
    transaction->finals = i;
    if (i == transaction->result.recipient_count) {
        return SMTP_OK; /* MAIL was refused: decided for all */
    }
    if (keep_text(transaction, reply, &at) != SMTP_OK) {
        return SMTP_NO_MEMORY;
    }
    settle(transaction, i, SMTP_STAGE_DOT, judged, reply, at);
    if (!transaction->final_refused) {
        transaction->result.final_reply = *reply;
        transaction->final_text_at = at;
        transaction->final_refused = judged != SMTP_OK;
    }
    return SMTP_OK;
}

enum smtp_status smtp_client_transaction_fail(struct smtp_client_transaction *transaction,
                                              enum smtp_client_stage stage, enum smtp_status status,
                                              const struct smtp_reply *reply)
{
    static const struct smtp_reply none = {.text = ""};
    bool refusal = status == SMTP_REFUSED_TRANSIENT || status == SMTP_REFUSED_PERMANENT;
    if (!transaction->doomed && !refusal) {
        transaction->failure = status;
    }
    if (transaction->doomed) {
        return SMTP_OK;
    }
    return settle_rest(transaction, stage, status, reply != NULL ? reply : &none);
}

static enum smtp_status status_of_all(const struct smtp_client_transaction *transaction)
{
    const struct smtp_send_result *result = &transaction->result;
    size_t for_good = 0, for_now = 0;
    enum smtp_status other = SMTP_OK;
    for (size_t i = 0; i < result->recipient_count; i++) {
        enum smtp_status status = transaction->recipients[i].status;
        for_good += status == SMTP_REFUSED_PERMANENT;
        for_now += status == SMTP_REFUSED_TRANSIENT;
        if (status != SMTP_OK && status != SMTP_REFUSED_PERMANENT &&
            status != SMTP_REFUSED_TRANSIENT && other == SMTP_OK) {
            other = status;
        }
    }
    if (transaction->failure != SMTP_OK) {
        return transaction->failure;
    }
    if (result->accepted_count == result->recipient_count) {
        return SMTP_OK;
    }
    if (result->accepted_count > 0) {
        return SMTP_PARTLY_REFUSED;
    }
    if (for_good == result->recipient_count) {
        return SMTP_REFUSED_PERMANENT;
    }
    return for_now > 0 || other == SMTP_OK ? SMTP_REFUSED_TRANSIENT : other;
}

void smtp_client_transaction_end(struct smtp_client_transaction *transaction)
{
    struct smtp_send_result *result = &transaction->result;
    const char *texts = smtp_buffer_span(&transaction->texts).bytes;
    result->accepted_count = 0;
    for (size_t i = 0; i < result->recipient_count; i++) {
        transaction->recipients[i].reply.text = texts + transaction->text_at[i];
        result->accepted_count += transaction->recipients[i].status == SMTP_OK &&
                                  transaction->recipients[i].stage == SMTP_STAGE_DOT;
    }
    result->final_reply.text = texts + transaction->final_text_at;
    result->status = status_of_all(transaction);
}
