/* serve_json.h - the receiver that prints each message as a line of JSON. */
#ifndef SMTP_HARNESS_CLI_SERVE_JSON_H
#define SMTP_HARNESS_CLI_SERVE_JSON_H

#include "server/smtp_server.h"

#include <stdio.h>

/** Each message as smtp_report_message tells it, numbered from 1, with "refused", a code, in those of "to" for
 *  whom another table has refused it (LMTP); one that cannot be written whole is
 *  refused, 452 4.3.1 where there is no room, else 451 4.3.0, and in a file nothing of it is left.
 *  file: borrowed until the release. */
enum smtp_status smtp_serve_json(struct smtp_server_hooks *out, FILE *file, bool with_content,
                                 struct smtp_error *error) SMTP_MUST_CHECK;

#endif
