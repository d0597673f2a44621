/* relay_parameters.h - what a relay says with MAIL and RCPT to the next server: the parameters that were
 * given, as far as the next server takes them. Knows nothing of sessions. */
#ifndef SMTP_HARNESS_RELAY_PARAMETERS_H
#define SMTP_HARNESS_RELAY_PARAMETERS_H

#include "client/smtp_client.h"
#include "server/smtp_server.h"

/** What is to be known of both sessions beside the parameters. */
struct smtp_relay_ends {
    const struct smtp_client *client; /* said hello to the next server */
    bool tls_verified;                /* the next server's certificate was */
    bool authenticated;               /* who gave the parameters had logged in */
};

/** The parameters of MAIL for the next server, in text, which has room for strlen(given) + 2 octets.
 *  SMTP_REFUSE: it lacks what cannot be done without, and *reply says so. */
enum smtp_server_verdict smtp_relay_mail_parameters(const struct smtp_relay_ends *ends,
                                                    const char *given, char *text,
                                                    struct smtp_server_reply *reply);
/** The same of RCPT; nothing of them is refused. */
void smtp_relay_rcpt_parameters(const struct smtp_relay_ends *ends, const char *given, char *text);

/** Whether the parameters of MAIL say BODY=BINARYMIME (RFC 3030 3). */
bool smtp_relay_is_binary(const char *mail_parameters);

#endif
