/* transaction.c - see transaction.h. Knows what a transaction is made of; whether a step is
 * allowed, and what the peer is told, is the session's business. */
#include "server/protocol/transaction.h"

#define TEXTS_MAX UINT32_MAX        /* a message finds its recipients by 32-bit places */
#define STORAGE_KEPT 1024           /* an idle session stays small */
#define DECLARED_TRUSTED (1u << 26) /* octets of a declared size for which room is set aside */

void smtp_transaction_init(struct smtp_transaction *transaction)
{
    *transaction = (struct smtp_transaction){
        .envelope = {.texts = SMTP_BUFFER(TEXTS_MAX), .places = SMTP_BUFFER(TEXTS_MAX)},
    };
}

static enum smtp_status append_path(struct smtp_buffer *texts, struct smtp_span path,
                                    struct smtp_span parameters)
{
    char *at = smtp_buffer_reserve(texts, path.len + parameters.len + 2);
    if (at == NULL) {
        return SMTP_NO_MEMORY;
    }
    smtp_bytes_copy(at, path);
    at[path.len] = '\0';
    smtp_bytes_copy(at + path.len + 1, parameters);
    at[path.len + 1 + parameters.len] = '\0';
    smtp_buffer_added(texts, path.len + parameters.len + 2);
    return SMTP_OK;
}

enum smtp_status smtp_transaction_set_reverse_path(struct smtp_transaction *transaction,
                                                   struct smtp_span path,
                                                   struct smtp_span parameters)
{
    return append_path(&transaction->envelope.texts, path, parameters);
}

enum smtp_status smtp_transaction_propose_recipient(struct smtp_transaction *transaction,
                                                    struct smtp_span path,
                                                    struct smtp_span parameters)
{
    struct smtp_message_envelope *envelope = &transaction->envelope;
    uint32_t place = (uint32_t)envelope->texts.len;
    enum smtp_status status = append_path(&envelope->texts, path, parameters);
    if (status == SMTP_OK) {
        status = smtp_buffer_append(&envelope->places, &place, sizeof place);
        if (status != SMTP_OK) {
            envelope->texts.len = place;
        }
    }
    return status;
}

static uint32_t last_place(const struct smtp_message_envelope *envelope)
{
    uint32_t place = 0; /* the reverse-path */
    if (envelope->places.len > 0) {
        struct smtp_span places = smtp_buffer_span(&envelope->places);
        smtp_bytes_copy((char *)&place,
                        (struct smtp_span){places.bytes + places.len - sizeof place, sizeof place});
    }
    return place;
}

void smtp_transaction_settle_recipient(struct smtp_transaction *transaction, bool accepted)
{
    struct smtp_message_envelope *envelope = &transaction->envelope;
    if (accepted) {
        envelope->recipient_count++;
        return;
    }
    envelope->texts.len = last_place(envelope);
    envelope->places.len -= sizeof(uint32_t);
}

void smtp_transaction_last_path(const struct smtp_transaction *transaction, const char **path,
                                const char **parameters)
{
    struct smtp_span texts = smtp_buffer_span(&transaction->envelope.texts);
    *path = texts.bytes + last_place(&transaction->envelope);
    *parameters = *path + smtp_span_of(*path).len + 1;
}

void smtp_transaction_begin_content(struct smtp_transaction *transaction, size_t line_limit,
                                    bool chunks)
{
    smtp_content_decoder_init(&transaction->decoder, line_limit, chunks);
    transaction->content_octets = 0;
    transaction->unwanted = false;
    transaction->bare_told = false;
    transaction->sated = false;
}

/* Where the first octets are all there will be, or the size was declared, the message has exactly
 * the room it needs from birth. */
bool smtp_transaction_open_message(struct smtp_transaction *transaction,
                                   const struct smtp_message_origin *origin, size_t first_octets,
                                   bool discard)
{
    uint64_t declared = transaction->declared_octets > DECLARED_TRUSTED
                            ? DECLARED_TRUSTED
                            : transaction->declared_octets;
    size_t capacity = declared > first_octets ? (size_t)declared : first_octets;
    transaction->message = smtp_message_new(&transaction->envelope, origin, discard ? 0 : capacity);
    return transaction->message != NULL;
}

void smtp_transaction_discard_content(struct smtp_transaction *transaction)
{
    smtp_message_release(transaction->message);
    transaction->message = NULL;
    transaction->unwanted = true;
}

struct smtp_message *smtp_transaction_take_message(struct smtp_transaction *transaction)
{
    smtp_message_finish(&transaction->message);
    struct smtp_message *message = transaction->message;
    transaction->message = NULL;
    return message;
}

void smtp_transaction_clear(struct smtp_transaction *transaction)
{
    smtp_message_release(transaction->message);
    transaction->message = NULL;
    transaction->declared_octets = 0;
    transaction->binary = false;
    transaction->data_came = false;
    transaction->chunk_failed = false;
    transaction->smtputf8 = false;
    transaction->held = false;
    transaction->envelope.recipient_count = 0;
    smtp_buffer_clear(&transaction->envelope.texts, STORAGE_KEPT);
    smtp_buffer_clear(&transaction->envelope.places, STORAGE_KEPT);
}

void smtp_transaction_free(struct smtp_transaction *transaction)
{
    smtp_transaction_clear(transaction);
    smtp_buffer_free(&transaction->envelope.texts);
    smtp_buffer_free(&transaction->envelope.places);
}
