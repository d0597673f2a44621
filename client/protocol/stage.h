/* stage.h - what is particular to each stage of the dialogue: its name, how long it may take, and what
 * a reply code means there. */
#ifndef SMTP_CLIENT_PROTOCOL_STAGE_H
#define SMTP_CLIENT_PROTOCOL_STAGE_H

#include "client/smtp_client.h"

/** Milliseconds until its reply must be there (RFC 5321 4.5.3.2); 0: for ever. */
uint64_t smtp_client_stage_timeout_ms(const struct smtp_client_timeouts *timeouts,
                                      enum smtp_client_stage stage);

/** SMTP_OK, SMTP_REFUSED_*, or SMTP_PROTOCOL_VIOLATION for a code that is no answer there. */
enum smtp_status smtp_client_stage_judge(enum smtp_client_stage stage, int code) SMTP_MUST_CHECK;

#endif
