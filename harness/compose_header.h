/* compose_header.h - the header of a composed message (RFC 5322 3.6). */
#ifndef SMTP_HARNESS_COMPOSE_HEADER_H
#define SMTP_HARNESS_COMPOSE_HEADER_H

#include "harness/compose.h"

#include <gmime/gmime.h>

/** Whether all that goes into the header can: SMTP_BAD_ARGUMENT, SMTP_UNSAFE_ARGUMENT. */
enum smtp_status smtp_harness_compose_check(const struct smtp_harness_compose *what,
                                            struct smtp_error *error) SMTP_MUST_CHECK;
/** Fills the header in, after the check. */
void smtp_harness_compose_add_header(GMimeMessage *message,
                                     const struct smtp_harness_compose *what);

#endif
