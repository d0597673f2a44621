/* kill_maildir.h - the book of what was sent into a Maildir and what was answered, and its comparison with what is there.
 * A book may be written by several threads; it is compared and summed up by one. Knows no server. */
#ifndef SMTP_TESTS_SOAK_KILL_MAILDIR_H
#define SMTP_TESTS_SOAK_KILL_MAILDIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum kill_answer {
    KILL_NOT_SENT, /* it cannot be there */
    KILL_UNKNOWN,  /* the end came before the answer to its final dot: it may be there, once */
    KILL_ACCEPTED, /* it must be there, once */
};

struct kill_sums {
    uint64_t answered, found; /* answered 250, and of these found */
    uint64_t unknown, unknown_found;
};

struct kill_book;

/** NULL: out of memory. */
struct kill_book *kill_book_new(uint64_t seed);
/** The number of a new message, and its content, which is the caller's; 0: there are too many, or no memory. */
uint64_t kill_book_next(struct kill_book *book, char **octets, size_t *len);
void kill_book_answer(struct kill_book *book, uint64_t number, enum kill_answer answer);
/** Looks at each message in new, and removes it. True: all is as it was answered; else says what is not. */
bool kill_book_compare(struct kill_book *book, const char *maildir);
struct kill_sums kill_book_sums(const struct kill_book *book);
void kill_book_free(struct kill_book *book);

/** All of it that is left. */
void kill_maildir_remove(const char *maildir, const char *folder, const char *ready);

#endif
