/* smtp_relay.h - a receiver that hands every message on to another server while it comes in: what the next
 * server says to MAIL, RCPT and the content is what its client hears.
 *
 * Contract: as smtp_receivers.h. */
#ifndef SMTP_RELAY_H
#define SMTP_RELAY_H

#include "smtp_client.h"
#include "smtp_server.h"

#ifdef __cplusplus
extern "C" {
#endif

/** The hook table of a relay. MAIL, RCPT and the message are asked of the next server as they come; its refusals
 *  are passed on with code, enhanced code and text. Where it cannot be reached, or its session ends: 451
 *  4.4.1. Where it ends after the content, unknown whether delivered: 451 4.4.2; the message may then come
 *  twice. Of the parameters SIZE and BODY are the client's own affair; SMTPUTF8, RET, ENVID, NOTIFY, ORCPT,
 *  HOLDFOR, HOLDUNTIL, BY and MT-PRIORITY go on where the next server offers them (RFC 3461 5.2); SMTPUTF8
 *  that it does not offer is 550 5.6.7, REQUIRETLS without it, or without verified TLS, 550 5.7.30.
 *  Received is added (RFC 5321 4.4), Return-Path is not.
 *  @param host         the next server, as smtp_client_connect takes it ("lmtp://..." too).
 *  @param options      NULL: the defaults; copied.
 *  @param credentials  NULL: no login; copied, and wiped with the table. */
enum smtp_status smtp_receiver_relay(struct smtp_server_hooks *out, const char *host,
                                     const struct smtp_client_options *options,
                                     const struct smtp_client_credentials *credentials,
                                     struct smtp_error *error) SMTP_MUST_CHECK;

#ifdef __cplusplus
}
#endif
#endif
