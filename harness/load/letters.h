/* letters.h - what load is made of: content of a size, of sizes in a range, or files in turn; each with its stamp
 * (stamp.h) in front. Read alone once it is made: any thread may write letters. */
#ifndef SMTP_HARNESS_LOAD_LETTERS_H
#define SMTP_HARNESS_LOAD_LETTERS_H

#include "common/bytes.h"

#define SMTP_LETTER_MIN 128 /* octets, with the header */
#define SMTP_LETTER_MAX ((uint64_t)1 << 30)

struct smtp_letters;

/** Of min to max octets, stamp and header counted, the same for the same number. SMTP_BAD_ARGUMENT: beyond the bounds above. */
enum smtp_status smtp_letters_of_sizes(struct smtp_letters **out, uint64_t min, uint64_t max,
                                       struct smtp_error *error) SMTP_MUST_CHECK;
/** The files of a directory whose names end in ".eml", in the order of their names. SMTP_BAD_ARGUMENT: there is none, or one
 *  cannot be read. Bare CR and LF become CRLF. */
enum smtp_status smtp_letters_of_directory(struct smtp_letters **out, const char *path,
                                           struct smtp_error *error) SMTP_MUST_CHECK;
void smtp_letters_free(struct smtp_letters *letters); /* NULL: nothing */

/** Where a letter is written; {0} before the first. One thread at a time. */
struct smtp_letter {
    char *octets;
    size_t len, capacity;
    size_t kind; /* 1 + which of the files, or the size: what stands there already */
    uint64_t sum;
};

/** Writes the letter of that number. False: out of memory. */
bool smtp_letter_write(struct smtp_letter *letter, const struct smtp_letters *letters,
                       uint64_t number) SMTP_MUST_CHECK;
void smtp_letter_clear(struct smtp_letter *letter);

#endif
