/* serve.h - the program's verb `serve` as a test uses it. */
#ifndef SMTP_TESTS_PROGRAMS_SERVE_H
#define SMTP_TESTS_PROGRAMS_SERVE_H

#include "tests/programs/process.h"
#include "tests/support/wire.h"

#include <stddef.h>

#define ARGV(...) ((const char *const[]){SMTP_HARNESS, __VA_ARGS__, NULL})

/** A wrong command line: exit status 2, nothing on standard output, this on standard error. */
void expect_wrong(const char *const argv[], const char *complaint);
/** The same where the line is right and something else is not: it points to no --help. */
void expect_failed(const char *const argv[], const char *complaint);
/** What stands behind "listening on " in its next line. */
void hear_url(struct background *serve, char *url, size_t capacity);
/** Connects to a URL that it told, past EHLO (with LMTP: LHLO): that reply. */
const char *enter(struct smtp_wire *wire, const char *url);

#endif
