/* text.h - octets of any kind as text that is safe to show: on a terminal, in TAP, in JSON. */
#ifndef SMTP_HARNESS_REPORT_TEXT_H
#define SMTP_HARNESS_REPORT_TEXT_H

#include <stddef.h>
#include <stdio.h>

/** Writes printable ASCII as it is, CR LF and tab as \r \n \t, a backslash doubled, all else as
 *  \xNN: the escapes of the dialogue notation. */
void smtp_text_escape(FILE *out, const char *bytes, size_t len);

/** One escaped octet into text of 5 octets; returns its length. */
size_t smtp_text_escape_octet(unsigned char octet, char *text);

#endif
