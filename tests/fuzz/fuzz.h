/* fuzz.h - what the targets have in common: the input taken octet by octet, octets handed on in pieces, and a claim that
 * must hold. A target is a function of its input alone: no clock, no I/O. Knows no SMTP. */
#ifndef SMTP_TESTS_FUZZ_H
#define SMTP_TESTS_FUZZ_H

#include "common/bytes.h"

/** libFuzzer's, and replay.c's: one input. 0. */
int LLVMFuzzerTestOneInput(const uint8_t *octets, size_t len);

/** What is left of an input. */
struct fuzz_input {
    const uint8_t *at;
    size_t len;
};

/** The next octet; 0 behind the last. */
unsigned fuzz_octet(struct fuzz_input *input);
/** A number below the limit, 1 to 256, of one octet. */
unsigned fuzz_below(struct fuzz_input *input, unsigned limit);
/** What is left, as text. */
struct smtp_span fuzz_rest(const struct fuzz_input *input);
/** What is left up to the next octet `mark`, which is taken too. */
struct smtp_span fuzz_part(struct fuzz_input *input, char mark);

/** In which pieces octets are handed on: plain data, to be begun again from the same octet. */
struct fuzz_cuts {
    uint32_t state;
    size_t most; /* octets of a piece; 0: all in one */
};
/** 0: in one; 1: one by one; else at most so many, by chance. */
struct fuzz_cuts fuzz_cuts(unsigned octet);
/** How many of so many are left come next; at least 1. */
size_t fuzz_cut(struct fuzz_cuts *cuts, size_t left);

/** A copy of exactly that size, which a sanitizer sees any read beyond; free it. */
char *fuzz_copy(struct smtp_span octets);
/** The same with a NUL behind it, which ends it earlier where the octets hold one. */
char *fuzz_text(struct smtp_span octets);

void fuzz_append(struct smtp_buffer *to, const void *octets, size_t len);
void fuzz_print(struct smtp_buffer *to, const char *format, ...) SMTP_PRINTF(2, 3);
bool fuzz_alike(const struct smtp_buffer *a, const struct smtp_buffer *b);

_Noreturn void fuzz_breach(const char *file, int line, const char *format, ...) SMTP_PRINTF(3, 4);
#define FUZZ_HOLDS(condition)                                                                      \
    ((condition) ? (void)0 : fuzz_breach(__FILE__, __LINE__, "does not hold: %s", #condition))
/** Two buffers hold the same octets; both are told where they do not. */
#define FUZZ_ALIKE(a, b) fuzz_expect_alike(__FILE__, __LINE__, a, b)
void fuzz_expect_alike(const char *file, int line, const struct smtp_buffer *a,
                       const struct smtp_buffer *b);

#endif
