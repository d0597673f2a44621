/* tls_failure.h - what OpenSSL says of a failure, as one line that a person can act on. Leaves the
 * thread's error queue empty. */
#ifndef SMTP_COMMON_TLS_FAILURE_H
#define SMTP_COMMON_TLS_FAILURE_H

#include "common/bytes.h"
#include "common/smtp_status.h"

#include <openssl/ssl.h>
#include <stdbool.h>

/** What the error queue tells as a phrase, like "no start line"; constant or static to
 *  OpenSSL, never NULL. */
const char *smtp_tls_queue_reason(void);

/** Whether what has just failed did so for what it was given, of which the queue tells. The queue stays. */
bool smtp_tls_input_is_bad(void);
/** For all else that failed: sets and returns SMTP_NO_MEMORY or SMTP_TLS_FAILED, the text followed by why. */
enum smtp_status smtp_tls_failed(struct smtp_error *error, const char *format, ...)
    SMTP_PRINTF(2, 3);

/** A file of PEM to be read; what: it holds. Else SMTP_BAD_ARGUMENT, or as smtp_tls_failed. */
enum smtp_status smtp_tls_open_file(BIO **out, const char *file, const char *what,
                                    struct smtp_error *error) SMTP_MUST_CHECK;

/** What a verification found wrong: code as X509_V_ERR_*, the chain as far as it was built (NULL:
 *  none), the name that was to be found (NULL: none). */
void smtp_tls_explain_certificate(long code, const STACK_OF(X509) * chain, const char *name,
                                  char *text, size_t size);

/** Why the connection broke; first: the first octets that came from the peer. */
void smtp_tls_explain(const SSL *ssl, const char *name, struct smtp_span first, char *text,
                      size_t size);

/** Copies at most size - 1 octets, each octet but printable ASCII as '?', so that a text of the peer's can stand
 *  in a log and a NUL inside it hides nothing. */
void smtp_tls_copy_visible(char *to, size_t size, struct smtp_span from);

#endif
