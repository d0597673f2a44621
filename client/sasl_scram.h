/* sasl_scram.h - SCRAM-SHA-1 and SCRAM-SHA-256 (RFC 5802, RFC 7677), the client's side, and what of it
 * other mechanisms have too. Knows no connection. */
#ifndef SMTP_CLIENT_SASL_SCRAM_H
#define SMTP_CLIENT_SASL_SCRAM_H

#include "common/bytes.h"

/** What an exchange begins with; borrowed for the call alone. */
struct smtp_client_scram_options {
    bool sha256; /* else SHA-1 */
    /** RFC 5802 6: "n", the client does not bind; "y", it could, and the server did not offer it;
     *  "p=tls-unique", "p=tls-exporter": it binds. */
    const char *flag;
    struct smtp_span binding; /* the channel binding data; empty where the flag is no "p=" */
    const char *identity;
    const char *password;
    const char *authorization_identity; /* NULL or "": none */
    const char
        *nonce; /* printable ASCII without ','; NULL: a random one, as it must be but in tests */
};

/** One exchange. */
struct smtp_client_scram;

/** SMTP_BAD_ARGUMENT: SASLprep forbids the identity or the password, or leaves nothing of the
 *  identity; SMTP_NO_MEMORY, SMTP_LIMIT_EXCEEDED, SMTP_SYSTEM_FAILED. */
enum smtp_status smtp_client_scram_new(struct smtp_client_scram **out,
                                       const struct smtp_client_scram_options *options,
                                       struct smtp_error *error) SMTP_MUST_CHECK;
/** What struct smtp_client_mechanism wants; user: the exchange. */
enum smtp_status smtp_client_scram_answer(void *user, struct smtp_span challenge,
                                          struct smtp_buffer *response, struct smtp_error *error)
    SMTP_MUST_CHECK;
/** Whether the server has proved that it knows the password. */
bool smtp_client_scram_is_complete(const void *user);
/** Wipes and frees. NULL: nothing. */
void smtp_client_scram_free(struct smtp_client_scram *scram);

/** Appends a GS2 header (RFC 5801 4): the flag, and whom to act as. name: NULL or "": nobody else. */
enum smtp_status smtp_client_gs2_header(struct smtp_buffer *out, const char *flag, const char *name)
    SMTP_MUST_CHECK;
/** The text as SASLprep (RFC 4013) leaves it; the caller frees it with smtp_secret_free.
 *  SMTP_BAD_ARGUMENT: it forbids the text. */
enum smtp_status smtp_client_saslprep(char **out, const char *text, struct smtp_error *error)
    SMTP_MUST_CHECK;

#endif
