/* url.h - what the URL of smtp_send_url says (RFC 3986). */
#ifndef SMTP_CLIENT_URL_H
#define SMTP_CLIENT_URL_H

#include "client/smtp_client.h"

/** Texts are decoded and owned; NULL: not said. */
struct smtp_client_url {
    bool implicit_tls; /* smtps: */
    bool lmtp;         /* lmtp: */
    char *user;
    char *password;
    char *
        host; /* as smtp_client_connect takes it: "lmtp://" where it is, an IPv6 address in brackets,
                 * "unix:PATH", a name in ASCII */
    uint16_t port; /* said, or the scheme's */
    bool policy_said;
    enum smtp_client_tls_policy policy; /* said, or the scheme's */
    char *ca_file;
    char *verify_name;
    bool insecure;
    char *mechanism;
    char *helo_name;
    bool no_chunking;
    bool no_pipelining;
};

/** Takes the text apart. SMTP_BAD_ARGUMENT names the part that is wrong and shows nothing of the URL,
 *  for a password may stand anywhere in one that is malformed; SMTP_UNSAFE_ARGUMENT: a control octet in
 *  its decoded form; SMTP_NO_MEMORY. On failure there is nothing to clear. */
enum smtp_status smtp_client_url_parse(struct smtp_client_url *out, const char *text,
                                       struct smtp_error *error) SMTP_MUST_CHECK;
/** What a client needs that goes where the URL says: what it says comes before what the options (NULL: the
 *  defaults) do. Borrows from both. */
struct smtp_client_options smtp_client_url_options(const struct smtp_client_url *url,
                                                   const struct smtp_client_options *given);
/** Where there is a user: what to log in with. Borrows from the URL. */
struct smtp_client_credentials smtp_client_url_credentials(const struct smtp_client_url *url);
/** Wipes the password and frees. */
void smtp_client_url_clear(struct smtp_client_url *url);

#endif
