/* nearest.h - which of some words a mistyped one was probably meant to be. */
#ifndef SMTP_HARNESS_NEAREST_H
#define SMTP_HARNESS_NEAREST_H

#include <stddef.h>

/** Keeps the best of the words offered; zero-initialise but for `typed`. */
struct smtp_nearest {
    const char *typed;
    const char *word; /* the best so far, NULL: none near enough */
    size_t distance;
};

/** Looks at one more word (borrowed). */
void smtp_nearest_offer(struct smtp_nearest *nearest, const char *word);

#endif
