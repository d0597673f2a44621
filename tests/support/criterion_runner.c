/* criterion_runner.c - what the tests say to Criterion, where they run under it: that a check failed. Knows no SMTP. */
#include "test.h"

#include <stdarg.h>
#include <stdio.h>

void smtp_test_fail(const char *file, int line, const char *format, ...)
{
    char text[8192];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    struct criterion_assert_stats failed = {.message = text, .line = (unsigned)line, .file = file};
    criterion_send_assert(&failed);
    criterion_abort_test();
}
