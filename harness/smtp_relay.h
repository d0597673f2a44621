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

/** The hook table of a relay. MAIL, RCPT and the message are asked of the next server as they come; its
 *  answers are passed on with code, enhanced code and text. Where it cannot be reached, or its session ends:
 *  451 4.4.1. Where that is after the content, unknown whether delivered: 451 4.4.2; the message may then
 *  come twice. Received is added (RFC 5321 4.4), Return-Path is not.
 *    Parameters  go on where the next server offers their extension, AUTH= as AUTH=<> where nobody had logged
 *                in (RFC 4954 5). Otherwise SMTPUTF8 is 550 5.6.7; REQUIRETLS, without verified TLS too, 550
 *                5.7.30; BODY=BINARYMIME, and 8-bit content at its end, 5.6.3; HOLDFOR, HOLDUNTIL and BY with
 *                mode R 550 5.3.3; the rest is left out (RFC 3461 5.2); where success was to be told, the sender gets
 *                a notification with action "relayed" by the next server (5.2.2).
 *    LMTP        A next server's answers for each recipient go on as such where this server speaks LMTP,
 *                too. Where it speaks SMTP a refusal of some is the answer for all: the message may come
 *                twice to the others, and is lost for nobody.
 *    Stopping    waits for a next server that says nothing, as long as the options' timeouts let it.
 *    Tables      that refuse recipients stand best before it: one behind it costs the envelope twice.
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
