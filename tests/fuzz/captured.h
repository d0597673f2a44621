/* captured.h - a message made by hand, for the targets that look at one. */
#ifndef SMTP_TESTS_FUZZ_CAPTURED_H
#define SMTP_TESTS_FUZZ_CAPTURED_H

#include "common/bytes.h"
#include "harness/message.h"

/** A view of a message from ann@example.com to bob@example.com; free it with smtp_harness_message_free. */
struct smtp_harness_message *fuzz_captured(struct smtp_span content);

#endif
