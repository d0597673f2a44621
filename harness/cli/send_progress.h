/* send_progress.h - a bar on a terminal for content that takes longer than a second. Knows octets and time. */
#ifndef SMTP_HARNESS_CLI_SEND_PROGRESS_H
#define SMTP_HARNESS_CLI_SEND_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct smtp_send_progress {
    FILE *out;      /* NULL: nothing is drawn */
    uint64_t total; /* octets; 0: not known */
    uint64_t sent;
    uint64_t begun_ns; /* 0: not yet */
    uint64_t drawn_ns; /* 0: never */
};

/** So many octets more went out. */
void smtp_send_progress_add(struct smtp_send_progress *progress, size_t octets, uint64_t now_ns);
/** Takes the bar away. */
void smtp_send_progress_end(struct smtp_send_progress *progress);

#endif
