/* harness.h - what a harness is made of; between harness.c, waiting.c and failure.c, and for the
 * parts of the program that look at more than smtp_harness.h shows. */
#ifndef SMTP_HARNESS_HARNESS_H
#define SMTP_HARNESS_HARNESS_H

#include "harness/fault.h"
#include "harness/lines.h"
#include "harness/smtp_harness.h"
#include "harness/transcript.h"

/** Belongs to one thread; the server's threads see hooks and transcripts alone. */
struct smtp_harness {
    struct smtp_server *server;
    struct smtp_harness_transcripts *transcripts;
    struct smtp_harness_faults *faults;
    bool asks_faults; /* the server asks them at each step */
    uint64_t wait_ms;
    uint64_t stop_ms;
    char *host;
    char *url;

    struct smtp_client_options client_options; /* what it points to is owned */
    struct smtp_client *client;                /* smtp_harness_client's; one of clients */
    struct smtp_buffer clients;                /* struct smtp_client *, all that were made */

    struct smtp_mailbox_cursor cursor; /* after the last message that has a view */
    struct smtp_buffer views;          /* struct smtp_harness_message *, in the order of capture */
    size_t waited;                     /* views up to here are behind the last wait */

    struct smtp_buffer texts; /* char *, all that were handed out */
    const char *failure;      /* one of texts, or constant */
};

/** The transcripts of its sessions. */
struct smtp_harness_transcripts *smtp_harness_transcripts(struct smtp_harness *harness);

/** Makes the lines a text of the harness's, which lives until it stops. NULL: out of memory. */
const char *smtp_harness_keep_text(struct smtp_harness *harness, char *text);

/** Views so far, and the i-th. */
size_t smtp_harness_view_count(const struct smtp_harness *harness);
struct smtp_harness_message *smtp_harness_view(const struct smtp_harness *harness, size_t i);
/** Waits for the next message and makes its view. False: none came within timeout_ms. */
bool smtp_harness_collect(struct smtp_harness *harness, uint64_t timeout_ms);

/** smtp_harness_expect, which waits until then (monotonic clock): for several that share a wait. */
enum smtp_status smtp_harness_expect_until(struct smtp_harness *harness, const char *expectation,
                                           uint64_t deadline_ns) SMTP_MUST_CHECK;

#endif
