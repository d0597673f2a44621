/* auth.h - AUTH in a session (RFC 4954): what a mechanism is to the session, and how far an exchange
 * has come. */
#ifndef SMTP_CLIENT_PROTOCOL_AUTH_H
#define SMTP_CLIENT_PROTOCOL_AUTH_H

#include "client/smtp_client.h"
#include "common/bytes.h"

/* RFC 4954 4: a line of the exchange has at most 12288 octets, of base64. */
#define SMTP_CLIENT_RESPONSE_MAX 9216

/** One exchange of a SASL mechanism (RFC 4422), for the session to carry. */
struct smtp_client_mechanism {
    const char *name;  /* "SCRAM-SHA-256", as sent */
    bool speaks_first; /* it has an initial response */
    void *user;
    /** Appends the answer to a challenge; the initial response is one to an empty challenge. What is
     *  appended moves no octet of *response, which has room for SMTP_CLIENT_RESPONSE_MAX.
     *  Any failure ends the exchange; SMTP_PROTOCOL_VIOLATION, the server is not what it seems, ends
     *  the session. */
    enum smtp_status (*answer)(void *user, struct smtp_span challenge, struct smtp_buffer *response,
                               struct smtp_error *error);
    /** Whether all was said on both sides, so that the server may accept. */
    bool (*is_complete)(const void *user);
};

/** What a session knows of AUTH. */
struct smtp_client_exchange {
    const struct smtp_client_mechanism *mechanism; /* borrowed; NULL: no exchange is open */
    struct smtp_buffer initial; /* base64 with its NUL: the initial response that waits for a 334 */
    unsigned challenges;
    enum smtp_status failure; /* why "*" was sent; SMTP_OK: it was not */
    bool untrusted;           /* the session ends with the reply to that */
    bool challenged;          /* the last reply was 334: what is sent now answers it */
    bool secret_queued;       /* the session's storage holds a secret */
    bool authenticated;
};

#endif
