/* transaction.h - one mail transaction (RFC 5321 3.3): its commands in order, what each reply means
 * for whom, and the result per recipient. */
#ifndef SMTP_CLIENT_PROTOCOL_TRANSACTION_H
#define SMTP_CLIENT_PROTOCOL_TRANSACTION_H

#include "client/smtp_client.h"
#include "common/bytes.h"

struct smtp_client_transaction {
    size_t answered;          /* replies to RCPT */
    size_t taken;             /* of them 2yz */
    bool doomed;              /* no recipient can get it any more: content must not be sent */
    bool final_refused;       /* LMTP: a reply to the content was a refusal */
    size_t finals;            /* LMTP: recipients before this one are decided */
    enum smtp_status failure; /* what ended it other than refusals; SMTP_OK: nothing */
    struct smtp_send_result result;
    struct smtp_recipient_result *recipients;
    size_t *text_at; /* where in texts each recipient's reply text is, until the end */
    size_t capacity;
    size_t final_text_at;
    struct smtp_buffer texts;
};

void smtp_client_transaction_init(struct smtp_client_transaction *transaction);
void smtp_client_transaction_clear(struct smtp_client_transaction *transaction); /* frees */

/** Opens one; the storage of the last is used again. forward_paths: borrowed for as long as the result;
 *  NULL: not known. SMTP_NO_MEMORY. */
enum smtp_status smtp_client_transaction_begin(struct smtp_client_transaction *transaction,
                                               const char *const *forward_paths, size_t count)
    SMTP_MUST_CHECK;

/** The reply to MAIL, the next RCPT, DATA, a chunk or the final dot. judged: what it means
 *  (reply_status). */
enum smtp_status smtp_client_transaction_reply(struct smtp_client_transaction *transaction,
                                               enum smtp_client_stage stage,
                                               enum smtp_status judged,
                                               const struct smtp_reply *reply) SMTP_MUST_CHECK;

/** LMTP (RFC 2033 4.2): the reply to the content for the next recipient that was accepted. */
enum smtp_status smtp_client_transaction_reply_for_one(struct smtp_client_transaction *transaction,
                                                       enum smtp_status judged,
                                                       const struct smtp_reply *reply)
    SMTP_MUST_CHECK;

/** It ends here for all that are not refused yet: by a reply (421, or one that came too early) or,
 *  with reply NULL, without one. */
enum smtp_status smtp_client_transaction_fail(struct smtp_client_transaction *transaction,
                                              enum smtp_client_stage stage, enum smtp_status status,
                                              const struct smtp_reply *reply) SMTP_MUST_CHECK;

/** Works the result out; no transaction is open any more. */
void smtp_client_transaction_end(struct smtp_client_transaction *transaction);

#endif
