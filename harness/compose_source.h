/* compose_source.h - the octets that become a part of a composed message, and what is to be known of them
 * before they are encoded. Knows files; nothing of MIME. */
#ifndef SMTP_HARNESS_COMPOSE_SOURCE_H
#define SMTP_HARNESS_COMPOSE_SOURCE_H

#include "common/smtp_status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct smtp_harness_compose_facts {
    uint64_t octets;
    uint64_t high;         /* octets above 127 */
    uint64_t longest_line; /* octets, without its end */
    bool utf8, has_nul, has_bare_cr;
};

/** Opens a file, "-" for standard input, and measures it. What cannot be read twice is first copied into a
 *  temporary file that has no name. *fd: at its beginning; the caller closes it. SMTP_SOURCE_FAILED,
 *  SMTP_SYSTEM_FAILED (the copy), with sys_errno; the message names `what` and the path. */
enum smtp_status smtp_harness_compose_open(const char *path, const char *what, int *fd,
                                           struct smtp_harness_compose_facts *facts,
                                           struct smtp_error *error) SMTP_MUST_CHECK;
/** The same of a text in memory, which is put into such a file. */
enum smtp_status smtp_harness_compose_open_text(const char *text, int *fd,
                                                struct smtp_harness_compose_facts *facts,
                                                struct smtp_error *error) SMTP_MUST_CHECK;

#endif
