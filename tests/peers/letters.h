/* letters.h - the messages that go to and come from every peer, as octets with CRLF line ends. */
#ifndef SMTP_TESTS_PEERS_LETTERS_H
#define SMTP_TESTS_PEERS_LETTERS_H

#include <stdbool.h>
#include <stddef.h>

struct letter {
    const char *name;
    char *octets; /* a NUL octet follows */
    size_t len;
    bool eight_bit;
};

#define LETTER_COUNT 4
enum {
    LETTER_PLAIN,
    LETTER_DOTS,      /* dots where they could end or change something, RFC 5321 4.5.2 */
    LETTER_EIGHT_BIT, /* RFC 6152 */
    LETTER_LARGE,     /* 1 MiB, lines of every length, some with a first dot */
};

/** Fills in all of them. */
void letters_make(struct letter letters[LETTER_COUNT]);
void letters_free(struct letter letters[LETTER_COUNT]);

/** Adds text to its end. */
void letter_add(struct letter *letter, const char *text);
/** The octets with LF line ends, freed by the caller. */
char *letter_with_lf(const struct letter *letter, size_t *len);
/** A whole transaction that brings it, as commands with CRLF, between two texts; freed by the caller. */
char *letter_as_commands(const struct letter *letter, const char *reverse_path,
                         const char *forward_path, const char *before, const char *behind,
                         size_t *len);
/** Text with LF line ends, with CRLF; freed by the caller. */
char *with_crlf(const char *text, size_t len, size_t *out_len);

#endif
