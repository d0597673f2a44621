/* send_program.h - the program's verb `send` as a test uses it: the server that it sends to, how it ended, and
 * what arrived. Each ends the test where it fails. */
#ifndef SMTP_TESTS_PROGRAMS_SEND_PROGRAM_H
#define SMTP_TESTS_PROGRAMS_SEND_PROGRAM_H

#include "harness/smtp_harness.h"
#include "tests/programs/serve.h"

#define SEND(...) ARGV("send", __VA_ARGS__)

/** Options without TLS, since that takes a certificate; addresses spell their replies. */
void send_options_init(struct smtp_harness_options *options);
struct smtp_harness *send_begin_with(const struct smtp_harness_options *options);
struct smtp_harness *send_begin(void);
/** That it ended so, with this on standard error, "" for nothing. */
void expect_ended(struct ended ended, int exit_status, const char *err);
/** The next message. */
const struct smtp_harness_message *next_message(struct smtp_harness *harness);
const char *source_of(const struct smtp_harness_message *message);

#endif
