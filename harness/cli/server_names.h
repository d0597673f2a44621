/* server_names.h - the server's EHLO keywords and limits by name, as the verbs with a server take them. */
#ifndef SMTP_HARNESS_CLI_SERVER_NAMES_H
#define SMTP_HARNESS_CLI_SERVER_NAMES_H

#include "harness/cli/options.h"
#include "server/smtp_server.h"

/** Turns each keyword of the list on or off; option: "offer" or "hide", for the complaint, which names
 *  those that are known. */
bool smtp_cli_set_keywords(const char *program, const char *option,
                           const struct smtp_cli_texts *keywords, bool on,
                           struct smtp_server_keywords *out);

/** Sets each limit of the list, "NAME=N"; the complaint names those that are known. */
bool smtp_cli_set_limits(const char *program, const struct smtp_cli_texts *settings,
                         struct smtp_server_limits *out);

#endif
