/* options.h - a copy of a client's options, for whoever keeps them longer than the caller does. */
#ifndef SMTP_CLIENT_OPTIONS_H
#define SMTP_CLIENT_OPTIONS_H

#include "client/smtp_client.h"

/** Gives the options copies and references of their own. False: out of memory; clear all the same. */
bool smtp_client_options_copy(struct smtp_client_options *options) SMTP_MUST_CHECK;
void smtp_client_options_clear(struct smtp_client_options *options);

#endif
