/* compose.h - a message made of what a person says: addresses, a subject, text, HTML, files (RFC 5322,
 * RFC 2045 to 2049, RFC 2231). Knows MIME through GMime; nothing of envelopes and of how it is sent. */
#ifndef SMTP_HARNESS_COMPOSE_H
#define SMTP_HARNESS_COMPOSE_H

#include "common/smtp_status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/** Text in UTF-8: given, or in a file; neither: there is none. */
struct smtp_harness_compose_text {
    const char *text;
    const char *path; /* "-": standard input */
};

/** What a transport takes, and so how what is not ASCII is encoded. */
enum smtp_harness_compose_octets {
    SMTP_COMPOSE_7BIT,   /* quoted-printable or base64, whichever is shorter */
    SMTP_COMPOSE_8BIT,   /* text as it is, where its lines fit (RFC 6152) */
    SMTP_COMPOSE_BINARY, /* files too (RFC 3030) */
};

/** A list of texts; borrowed. */
struct smtp_harness_compose_list {
    const char *const *items;
    size_t count;
};

struct smtp_harness_compose {
    const char
        *from; /* like "Ann Lee <ann@example.com>"; lists may stand in one text, "a@b, c@d" */
    struct smtp_harness_compose_list to, cc;
    const char *subject; /* NULL: none */
    struct smtp_harness_compose_text text, html;
    struct smtp_harness_compose_list attachments; /* paths; each has its file's name */
    /** "NAME: VALUE". Date and Message-ID are made where they are not among them; with both the same
     *  input gives the same octets. */
    struct smtp_harness_compose_list headers;
    enum smtp_harness_compose_octets octets;
};

/** Writes the message to `out`, which can seek, with CRLF line ends, holding no part of it whole. Text and HTML become
 *  multipart/alternative, files multipart/mixed around that.
 *  SMTP_OK; SMTP_BAD_ARGUMENT, SMTP_UNSAFE_ARGUMENT (an octet that would add to the header): the message
 *  names the part; SMTP_SOURCE_FAILED: a file cannot be read, why is in sys_errno; SMTP_SYSTEM_FAILED: `out`
 *  cannot be written, or nothing set aside; SMTP_NO_MEMORY. */
enum smtp_status smtp_harness_compose(const struct smtp_harness_compose *what, FILE *out,
                                      struct smtp_error *error) SMTP_MUST_CHECK;

#endif
