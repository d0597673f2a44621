/* sending.h - a harness for one test, and programs that bring it mail. */
#ifndef SMTP_TESTS_PEERS_SENDING_H
#define SMTP_TESTS_PEERS_SENDING_H

#include "harness/smtp_harness.h"
#include "tests/peers/letters.h"

#define REVERSE_PATH "ann@example.org"

/** bob@example.com, carol@example.net, NULL */
extern const char *const sending_two[3];

struct sending {
    struct smtp_harness *harness;
    struct letter letters[LETTER_COUNT];
    char port[8];
    char address[32]; /* "127.0.0.1:PORT" */
    char url[64];     /* "smtp://127.0.0.1:PORT/peer.test" */
};

/** options: NULL for the defaults. */
void sending_begin(struct sending *sending, const struct smtp_harness_options *options);
void sending_end(struct sending *sending);

/** Runs it with these octets on its standard input; it must be content. What it said, freed by the
 *  caller. */
char *sending_run(const char *const *argv, const void *input, size_t len);

/** Has swaks bring the letter to these recipients (parted by commas), with these further options, up to a
 *  NULL. */
void sending_by_swaks(const struct sending *sending, const struct letter *letter,
                      const char *recipients, const char *const *more);

/** The i-th message, once it is there. */
const struct smtp_message *sending_message(const struct sending *sending, size_t i);
/** The i-th captured message is this letter, to these recipients. */
void expect_sent(const struct sending *sending, size_t i, const struct letter *letter,
                 const char *const *recipients);

#endif
