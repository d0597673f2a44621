/* postfix.h - a real Postfix for one test, started by tests/peers/postfix, and the mail it delivered. */
#ifndef SMTP_TESTS_PEERS_POSTFIX_H
#define SMTP_TESTS_PEERS_POSTFIX_H

#include "tests/peers/letters.h"
#include "tests/peers/program.h"

struct postfix {
    struct program program;
    uint16_t port;
    uint16_t tls_port;   /* TLS from the first octet */
    uint16_t proxy_port; /* behind a PROXY header */
    char maildir[128];   /* what it delivers lies in new/ below it */
    size_t heard_octets; /* of its log, up to the last delivery */
    /* Who may log in; "" without a certificate. The token is for XOAUTH2 and OAUTHBEARER. */
    char user[64], password[64], token[512];
};

/** certificate: a PEM file with key and chain, and AUTH is required, over TLS; NULL: neither. */
void postfix_start(struct postfix *postfix, const char *certificate);
/** Where it hands mail on instead, like "lmtp:inet:127.0.0.1:2003". */
void postfix_start_to(struct postfix *postfix, const char *next);
/** It tidies up after itself. */
void postfix_stop(struct postfix *postfix);

/** Waits for the next line of its log with these words. */
void postfix_logs(struct postfix *postfix, const char *words);
/** Waits until it has delivered that many further copies. */
void postfix_delivers(struct postfix *postfix, size_t count);
/** How many delivered copies of the letter have the words in the trace header (RFC 5321 4.4) before it.
 *  Each copy must have every octet of the letter. */
size_t postfix_has(const struct postfix *postfix, const struct letter *letter, const char *words);
/** The first delivered message that has the words anywhere, freed by the caller; NULL: there is none. */
char *postfix_find(const struct postfix *postfix, const char *words);

#endif
