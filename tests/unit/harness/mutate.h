/* mutate.h - a notation with some octets changed, taken out or put in, for tests of parsers. */
#ifndef SMTP_TESTS_UNIT_HARNESS_MUTATE_H
#define SMTP_TESTS_UNIT_HARNESS_MUTATE_H

#include <stddef.h>
#include <stdint.h>

/** The notation with `changes` changes, of the letters given and the same for the same *state, which is moved on;
 *  on the heap, without an octet to spare, so that a parser's step too far is seen. */
char *mutated(const char *notation, const char *letters, size_t changes, uint64_t *state);

#endif
