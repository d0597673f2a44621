/* options.h - whether a client's options can be used, copies of them for whoever keeps them longer than
 * the caller does, and whether two are the same. */
#ifndef SMTP_CLIENT_OPTIONS_H
#define SMTP_CLIENT_OPTIONS_H

#include "client/smtp_client.h"

/** SMTP_BAD_ARGUMENT or SMTP_UNSAFE_ARGUMENT says what is wrong with a name or the PROXY header;
 *  SMTP_NO_MEMORY. */
enum smtp_status smtp_client_options_check(const struct smtp_client_options *options,
                                           struct smtp_error *error) SMTP_MUST_CHECK;
/** Gives the options copies and references of their own. False: out of memory; clear all the same. */
bool smtp_client_options_copy(struct smtp_client_options *options) SMTP_MUST_CHECK;
/** Makes A-labels of the names in a copy that are not ASCII: so they go out, and so certificates have them.
 *  False: out of memory. */
bool smtp_client_options_make_ascii(struct smtp_client_options *options) SMTP_MUST_CHECK;
void smtp_client_options_clear(struct smtp_client_options *options);
/** Whether they are the same in every respect. */
bool smtp_client_options_alike(const struct smtp_client_options *a,
                               const struct smtp_client_options *b);

#endif
