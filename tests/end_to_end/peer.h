/* peer.h - a scripted server on a thread: what a server of one's own choosing cannot be made to do.
 * The script is the dialogue from the server's side, a step a line; peer.c has the steps. */
#ifndef SMTP_TESTS_END_TO_END_PEER_H
#define SMTP_TESTS_END_TO_END_PEER_H

#include "common/address.h"
#include "common/tls.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct peer {
    const char *script;
    int listener;
    int fd;
    struct smtp_address address;
    bool drip;                  /* every octet in a write of its own */
    struct ssl_ctx_st *context; /* of [tls]; NULL: none */
    struct smtp_tls *tls;       /* NULL: in the clear */
    bool ended;                 /* the client's close_notify came */
    char in[65536];
    size_t in_len;
    char content[4096]; /* of the last message, dots and end mark as they came */
    size_t content_len;
    char failure[400]; /* "": all went as written */
    pthread_t thread;
};

void peer_start(struct peer *peer, const char *script); /* on a free port of 127.0.0.1 */
/** The same with a certificate to show in the step [tls]. */
void peer_start_tls(struct peer *peer, const struct smtp_identity *identity, const char *script);
/** The same as another shows, whose sessions it would resume. */
void peer_start_like(struct peer *peer, const struct peer *other, const char *script);
void peer_start_at(struct peer *peer, const char *where, const char *script);
/** Waits for the script's end; it must have gone as written. */
void peer_stop(struct peer *peer);
/** When a step that waits is given up. */
uint64_t peer_deadline(void);

#endif
