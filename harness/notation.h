/* notation.h - what the notations of expectations and faults have in common: blanks, words, quoted texts, and
 * mistakes told with a caret under their place. Knows neither of them. */
#ifndef SMTP_HARNESS_NOTATION_H
#define SMTP_HARNESS_NOTATION_H

#include "harness/lines.h"

/** A text that is taken apart from its beginning on. */
struct smtp_notation {
    const char *kind;  /* "expectation", for mistakes */
    const char *start; /* NUL-terminated */
    const char *at;    /* what comes next */
    struct smtp_harness_lines *why;
};

bool smtp_notation_is_blank(char c);
void smtp_notation_skip_blanks(struct smtp_notation *notation);
/** Up to the next blank or the end; empty there. */
struct smtp_span smtp_notation_word(struct smtp_notation *notation);
/** What stands between two quotes, escapes as they are; `at` is on the first of them. */
enum smtp_status smtp_notation_quoted(struct smtp_notation *notation, struct smtp_span *inside)
    SMTP_MUST_CHECK;
/** A copy in which \" and \\ are " and \ and every other backslash is itself. NULL: out of memory. */
char *smtp_notation_unquote(struct smtp_span inside);

/** Says what is wrong, and where: SMTP_BAD_ARGUMENT. */
enum smtp_status smtp_notation_mistake(struct smtp_notation *notation, const char *place,
                                       const char *format, ...) SMTP_PRINTF(3, 4);
/** The same of a word that is none of those known, the near one suggested. what: "field"; name(i): the i-th
 *  that is known, NULL beyond. */
enum smtp_status smtp_notation_unknown(struct smtp_notation *notation, struct smtp_span word,
                                       const char *what, const char *(*name)(size_t i));

#endif
