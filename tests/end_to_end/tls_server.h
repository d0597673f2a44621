/* tls_server.h - for tests of TLS at the server: a diary of what it noticed, and clients that trust
 * it. */
#ifndef SMTP_TESTS_END_TO_END_TLS_SERVER_H
#define SMTP_TESTS_END_TO_END_TLS_SERVER_H

#include "server/smtp_server.h"
#include "tests/support/wire.h"

#include <pthread.h>

/** What the log hook was told of CONNECT, TLS, NOTE, REPLY and CLOSE, a line each, like "note: ...". */
struct diary {
    pthread_mutex_t lock;
    char text[16384];
    size_t len;
    int closes[2]; /* a pipe: an octet for each session that is over */
};

/** Sets the hooks log and close. */
void diary_open(struct diary *diary, struct smtp_server_options *options);
/** Waits until one more session is over. */
void diary_await_close(struct diary *diary);
/** Free no server before it; the text is good until diary_close. */
const char *diary_text(struct diary *diary);
void diary_close(struct diary *diary);

/** A client's context that trusts the authority; version: TLS1_2_VERSION, TLS1_3_VERSION, 0: either. */
struct ssl_ctx_st *trusting(const char *ca_pem, int version);
/** Connects to listener i; where it is a plain one, with EHLO and STARTTLS up to its 220. */
void ready_for_tls(struct smtp_wire *wire, const struct smtp_server *server, size_t i);
/** The same, and the handshake, up to the reply to an EHLO under TLS. */
void secured(struct smtp_wire *wire, const struct smtp_server *server, size_t i,
             struct ssl_ctx_st *context, struct ssl_session_st *session);
/** One message, from MAIL to the reply to QUIT and close_notify; then it is closed. */
void send_and_quit(struct smtp_wire *wire);

#endif
