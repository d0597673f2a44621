/* postfix.h - a real Postfix for one test, started by tests/peers/postfix, and the mail it delivered. */
#ifndef SMTP_TESTS_PEERS_POSTFIX_H
#define SMTP_TESTS_PEERS_POSTFIX_H

#include "tests/peers/letters.h"
#include "tests/peers/program.h"

struct postfix {
    struct program program;
    uint16_t port;
    uint16_t tls_port;   /* TLS from the first octet */
    char maildir[128];   /* what it delivers lies in new/ below it */
    size_t heard_octets; /* of its log, up to the last delivery */
    /* Who may log in; "" without a certificate. The token is for XOAUTH2 and OAUTHBEARER. */
    char user[64], password[64], token[512];
};

/** certificate: a PEM file with key and chain, and AUTH is required, over TLS; NULL: neither. */
void postfix_start(struct postfix *postfix, const char *certificate);
/** It tidies up after itself. */
void postfix_stop(struct postfix *postfix);

/** Waits until it has delivered that many further copies. */
void postfix_delivers(struct postfix *postfix, size_t count);
/** How many delivered copies of the letter have the words in the trace header (RFC 5321 4.4) before it.
 *  Each copy must have every octet of the letter. */
size_t postfix_has(const struct postfix *postfix, const struct letter *letter, const char *words);

#endif
