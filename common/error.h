/* error.h - filling in a struct smtp_error, and what the system says of an errno. */
#ifndef SMTP_COMMON_ERROR_H
#define SMTP_COMMON_ERROR_H

#include "common/smtp_status.h"

/** Fills in *error (NULL: nothing) and returns status, so that a failure is one line:
 *  `return smtp_error_set(error, SMTP_LISTEN_FAILED, errno, "...", ...)`. A message that is too
 *  long is cut. */
enum smtp_status smtp_error_set(struct smtp_error *error, enum smtp_status status, int sys_errno,
                                const char *format, ...) SMTP_PRINTF(4, 5);

/** Like "Connection refused": constant, never NULL, from any thread, which strerror() is not. */
const char *smtp_errno_text(int sys_errno);

#endif
