/* transaction.h - a mail transaction under way: envelope, declared size, content (RFC 5321 3.3). A
 * session has at most one; RSET drops it and leaves the session alone. */
#ifndef SMTP_SERVER_PROTOCOL_TRANSACTION_H
#define SMTP_SERVER_PROTOCOL_TRANSACTION_H

#include "common/bytes.h"
#include "server/message.h"
#include "server/protocol/content.h"

struct smtp_transaction {
    struct smtp_message_envelope envelope;
    uint64_t declared_octets; /* SIZE= of MAIL, RFC 1870; 0: none */
    bool smtputf8;            /* MAIL had SMTPUTF8: paths and the header may hold UTF-8, RFC 6531 */
    bool held;                /* MAIL had HOLDFOR or HOLDUNTIL, RFC 4865 */
    struct smtp_content_decoder decoder;
    uint64_t content_octets;      /* kept or not */
    struct smtp_message *message; /* NULL: no content yet, or it is not wanted any more */
    bool unwanted;                /* the content will be refused: take it in, keep nothing */
    bool bare_told;               /* the log has heard of its first bare CR or LF */
    bool binary;                  /* BODY=BINARYMIME: octets, not lines (RFC 3030 3) */
    bool data_came;               /* DATA was asked for, so that BDAT may not be (RFC 3030 2) */
    bool chunk_failed;            /* a chunk was refused, and so are all after it */
    bool given; /* content went to config->content, and nobody has said yet what becomes of it */
    bool sated; /* which wants no more of it */
};

void smtp_transaction_init(struct smtp_transaction *transaction);

/** Puts the reverse-path into a clear transaction. SMTP_OK, SMTP_LIMIT_EXCEEDED or SMTP_NO_MEMORY,
 *  then nothing changed.
 */
enum smtp_status smtp_transaction_set_reverse_path(struct smtp_transaction *transaction,
                                                   struct smtp_span path,
                                                   struct smtp_span parameters) SMTP_MUST_CHECK;
/** Puts a forward-path behind the others; it counts only once it is accepted. */
enum smtp_status smtp_transaction_propose_recipient(struct smtp_transaction *transaction,
                                                    struct smtp_span path,
                                                    struct smtp_span parameters) SMTP_MUST_CHECK;
/** The last proposed one counts, or is gone. */
void smtp_transaction_settle_recipient(struct smtp_transaction *transaction, bool accepted);
/** The last path put in and its parameters, NUL-terminated. */
void smtp_transaction_last_path(const struct smtp_transaction *transaction, const char **path,
                                const char **parameters);

/** DATA, or the first BDAT (chunks), was accepted: content follows. */
void smtp_transaction_begin_content(struct smtp_transaction *transaction, size_t line_limit,
                                    bool chunks);
/** Makes the message, where there is none yet. discard: it will keep no content. False: out of memory. */
bool smtp_transaction_open_message(struct smtp_transaction *transaction,
                                   const struct smtp_message_origin *origin, size_t first_octets,
                                   bool discard);
/** The content will be refused: what was kept of it goes. */
void smtp_transaction_discard_content(struct smtp_transaction *transaction);
/** The whole message, which was made; the caller's from now on. */
struct smtp_message *smtp_transaction_take_message(struct smtp_transaction *transaction);

/** Drops everything; small storage stays for the next one. */
void smtp_transaction_clear(struct smtp_transaction *transaction);
void smtp_transaction_free(struct smtp_transaction *transaction);

#endif
