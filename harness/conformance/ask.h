/* ask.h - the client's part, played against a server under test: sessions, transactions, and what its EHLO
 * offered. Made of talk.h; the same rules hold. */
#ifndef SMTP_HARNESS_CONFORMANCE_ASK_H
#define SMTP_HARNESS_CONFORMANCE_ASK_H

#include "harness/conformance/talk.h"

/** A connection, TLS on it where that comes first, and nothing read yet. */
struct smtp_talk *smtp_ask_connect(struct smtp_check *check);
/** The same and its greeting, which must be 220. */
struct smtp_talk *smtp_ask_greeted(struct smtp_check *check);
/** The same and EHLO (LHLO), answered 250; with `starttls` also the handshake and EHLO again. */
struct smtp_talk *smtp_ask_hello(struct smtp_check *check);
/** EHLO (LHLO) in an open session: keeps the keywords. */
void smtp_ask_ehlo(struct smtp_talk *talk);
/** "EHLO check.example" or LHLO. */
const char *smtp_ask_ehlo_line(const struct smtp_check *check);
/** STARTTLS, 220, the handshake; no EHLO. Skips where it is not offered. */
void smtp_ask_starttls(struct smtp_talk *talk);
/** A session inside TLS, EHLO answered there: by implicit TLS or STARTTLS; skips where there is neither. */
struct smtp_talk *smtp_ask_secured(struct smtp_check *check);
/** AUTH PLAIN or LOGIN with the suite's user, 235; inside TLS where that is to be had. */
struct smtp_talk *smtp_ask_logged_in(struct smtp_check *check);

/** Whether the last EHLO reply has the keyword (any case). */
bool smtp_ask_offers(const struct smtp_talk *talk, const char *keyword);
/** Its parameters, "" for none; false: not offered. */
bool smtp_ask_parameters(const struct smtp_talk *talk, const char *keyword, struct smtp_span *out);
/** Skips unless the keyword is offered; returns whether the scenario goes on. */
bool smtp_ask_needs(struct smtp_talk *talk, const char *keyword);

/** MAIL FROM and one RCPT TO (the suite's sender and recipient), both 250. */
void smtp_ask_begin(struct smtp_talk *talk);
/** The same and DATA, 354. */
void smtp_ask_data(struct smtp_talk *talk);
/** A short message with the token in its header, dot included, for one write. */
const char *smtp_ask_message(struct smtp_check *check);
/** A whole transaction with that message, 250 at its end. */
void smtp_ask_deliver(struct smtp_talk *talk);
/** The same, its content made of these octets (stuffed already, ending in CRLF), the dot added; the header
 *  with the token stands before it. */
void smtp_ask_deliver_body(struct smtp_talk *talk, struct smtp_span body);
/** NOOP is answered 250 and nothing else comes: the session is in step. */
void smtp_ask_in_step(struct smtp_talk *talk);
/** Whether the server refuses bad_recipient; skips where it takes it. Inside a transaction. */
bool smtp_ask_bad_recipient(struct smtp_talk *talk);

#endif
