/* smtp_status.c - names and texts of the statuses, and how an error is filled in. */
#include "common/smtp_status.h"

#include "common/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    const char *text;
} statuses[] = {
#define X(name, text) {#name, text},
    SMTP_STATUS_MAP(X)
#undef X
};

static const char unknown[] = "an unknown status";

const char *smtp_status_name(enum smtp_status status)
{
    return (unsigned)status < sizeof statuses / sizeof *statuses ? statuses[status].name : unknown;
}

const char *smtp_status_text(enum smtp_status status)
{
    return (unsigned)status < sizeof statuses / sizeof *statuses ? statuses[status].text : unknown;
}

enum smtp_status smtp_error_set(struct smtp_error *error, enum smtp_status status, int sys_errno,
                                const char *format, ...)
{
    if (error != NULL) {
        error->status = status;
        error->sys_errno = sys_errno;
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(error->message, sizeof error->message, format, arguments);
        va_end(arguments);
    }
    return status;
}

const char *smtp_errno_text(int sys_errno)
{
    const char *text = strerrordesc_np(sys_errno);
    return text != NULL ? text : "an unknown error of the system";
}
