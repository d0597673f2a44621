/* captured.h - messages made by hand, for tests of what looks at them. */
#ifndef SMTP_TESTS_UNIT_HARNESS_CAPTURED_H
#define SMTP_TESTS_UNIT_HARNESS_CAPTURED_H

#include "harness/smtp_harness.h"

/** A view of a message from ann@example.com to bob@example.com and "Carol Jones"@Example.ORG,
 *  which ann sent over TLS 1.3. */
struct smtp_harness_message *captured(const char *content, size_t len);
/** The same of a string literal. */
#define CAPTURED(literal) captured(literal, sizeof(literal) - 1)
/** The same from a reverse-path to one recipient, without TLS and AUTH. */
struct smtp_harness_message *captured_from_to(const char *from, const char *to, const char *content,
                                              size_t len);

#endif
