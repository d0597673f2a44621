/* exec_save.h - what a harness captured, as files. */
#ifndef SMTP_HARNESS_CLI_EXEC_SAVE_H
#define SMTP_HARNESS_CLI_EXEC_SAVE_H

#include <stdbool.h>

struct smtp_harness;

/** Writes message-N.eml (its octets), message-N.json (report/message_json.h) and session-N.smtp (record.h) into
 *  a directory, which is made if need be; each of them whole or not at all. False: what is wrong is said. */
bool smtp_exec_save(const char *program, const char *directory, struct smtp_harness *harness);

#endif
