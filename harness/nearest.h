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

/** Behind a complaint: the near word, if there is one. */
#define SMTP_NEAREST_FORMAT "%s%s%s"
#define SMTP_NEAREST_ARGUMENTS(nearest)                                                            \
    (nearest).word != NULL ? "; did you mean '" : "",                                              \
        (nearest).word != NULL ? (nearest).word : "", (nearest).word != NULL ? "'?" : ""

/** Looks at one more word (borrowed). */
void smtp_nearest_offer(struct smtp_nearest *nearest, const char *word);

#endif
