/* lines.h - text put together piece by piece, and octets made safe to show. Knows ASCII and the
 * escapes of the dialogue notation, nothing of messages. */
#ifndef SMTP_HARNESS_LINES_H
#define SMTP_HARNESS_LINES_H

#include "common/bytes.h"

/** A text that grows; once memory fails it stays short and smtp_harness_lines_take gives NULL. */
struct smtp_harness_lines {
    struct smtp_buffer buffer;
    bool failed;
};

#define SMTP_HARNESS_LINES ((struct smtp_harness_lines){.buffer = SMTP_BUFFER(SIZE_MAX)})

void smtp_harness_lines_add(struct smtp_harness_lines *lines, struct smtp_span text);
void smtp_harness_lines_print(struct smtp_harness_lines *lines, const char *format, ...)
    SMTP_PRINTF(2, 3);
/** One line of a dialogue: printable ASCII as it is, a backslash doubled, CR and LF as \r and \n,
 *  every other octet, and a space at the very end, as \xNN: exact, and safe on a terminal. */
void smtp_harness_lines_escape(struct smtp_harness_lines *lines, struct smtp_span text);
/** For people: at most max octets and then "...", UTF-8 as it is, control octets escaped, a double
 *  quote before and behind. */
void smtp_harness_lines_quote(struct smtp_harness_lines *lines, struct smtp_span text, size_t max);
/** The text, NUL-terminated, to be freed by the caller; the lines are empty again. NULL: no memory.
 */
char *smtp_harness_lines_take(struct smtp_harness_lines *lines);

#endif
