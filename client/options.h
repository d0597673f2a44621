/* options.h - whether a client's options can be used, and a copy of them for whoever keeps them longer than
 * the caller does. */
#ifndef SMTP_CLIENT_OPTIONS_H
#define SMTP_CLIENT_OPTIONS_H

#include "client/smtp_client.h"

/** SMTP_BAD_ARGUMENT or SMTP_UNSAFE_ARGUMENT says what is wrong with a name or the PROXY header;
 *  SMTP_NO_MEMORY. */
enum smtp_status smtp_client_options_check(const struct smtp_client_options *options,
                                           struct smtp_error *error) SMTP_MUST_CHECK;
/** Gives the options copies and references of their own, names in ASCII. False: out of memory; clear all the same. */
bool smtp_client_options_copy(struct smtp_client_options *options) SMTP_MUST_CHECK;
void smtp_client_options_clear(struct smtp_client_options *options);

#endif
