/* submission.h - a harness that takes mail over TLS and after AUTH, and real programs that bring it. */
#ifndef SMTP_TESTS_PEERS_SUBMISSION_H
#define SMTP_TESTS_PEERS_SUBMISSION_H

#include "harness/smtp_harness.h"
#include "tests/peers/cells.h"
#include "tests/peers/letters.h"
#include "tests/peers/program.h"

#include <stdbool.h>

#define REVERSE_PATH "ann@example.org"
#define FORWARD_PATH "bob@example.com"

/** How one message is to be brought. */
struct submission {
    struct smtp_harness *harness;
    struct letter letters[LETTER_COUNT];
    char *directory;
    char *ca_file;         /* PEM */
    char *own_certificate; /* likewise, with its key: for EXTERNAL */
    enum way way;
    const char *version;   /* the newest TLS to speak: "TLSv1.2", NULL: 1.3 */
    const char *mechanism; /* how to log in; NULL: not at all */
    const char *user, *secret;
    size_t captured; /* messages so far */
};

/** A program that submits mail. */
struct peer {
    const char *name; /* as in the table */
    /** Its command line. */
    void (*compose)(struct arguments *arguments, const struct submission *submission);
    /** What it reads. */
    enum {
        AS_IT_IS,
        WITH_LF,
        WITHOUT_LAST_CRLF,
        AS_COMMANDS, /* MAIL to the final dot: it says nothing of that itself */
        AS_A_SESSION /* and EHLO and QUIT too */
    } reads;
    const char *lacks[2]; /* what it says where its build does not have the mechanism */
    bool ignores_names;   /* it does not verify whom the certificate is for */
    bool starttls_only;   /* or none */
};

/** The port for the submission's way. */
unsigned submission_port(const struct submission *submission);

/** Every letter, each way, TLS 1.2 and 1.3. */
void peer_delivers(const struct peer *peer);
/** A letter after a login by each mechanism that the server knows, each way, and without TLS. */
void peer_logs_in(const struct peer *peer);
/** One login with a name and a password beyond ASCII. */
void peer_logs_in_with_utf8(const struct peer *peer, const char *mechanism);
/** A wrong password or token, by each mechanism that has one: no message, and the peer is told. */
void peer_is_refused(const struct peer *peer);
/** Each certificate with a flaw, each way: the peer must not send. */
void peer_refuses_flaws(const struct peer *peer);

#endif
