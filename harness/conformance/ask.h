/* ask.h - the client's part, played against a server under test: sessions, transactions, and what its EHLO
 * offered. Made of talk.h; the same rules hold. */
#ifndef SMTP_HARNESS_CONFORMANCE_ASK_H
#define SMTP_HARNESS_CONFORMANCE_ASK_H

#include "common/address.h"
#include "harness/conformance/talk.h"

/** Connects to the server: *fd is the caller's. */
enum smtp_status smtp_ask_reach(const struct smtp_check_options *options, uint64_t deadline_ns,
                                struct smtp_address *address, int *fd, struct smtp_error *error)
    SMTP_MUST_CHECK;
/** A connection, TLS on it where that comes first, and nothing read yet. */
struct smtp_talk *smtp_ask_connect(struct smtp_check *check);
/** The same without TLS, which a server that begins with it does not expect. */
struct smtp_talk *smtp_ask_connect_clear(struct smtp_check *check);
/** The same and its greeting, which must be 220. */
struct smtp_talk *smtp_ask_greeted(struct smtp_check *check);
/** Greeted, where `starttls` is told: EHLO, STARTTLS and the handshake, behind which all is as at the beginning. */
void smtp_ask_begin_tls_if_told(struct smtp_talk *talk);
/** A session in which nothing was said yet: greeted, and that. */
struct smtp_talk *smtp_ask_fresh(struct smtp_check *check);
/** The same and EHLO (LHLO), answered 250; nobody is logged in. */
struct smtp_talk *smtp_ask_open(struct smtp_check *check);
/** The same, and logged in where a user is told and AUTH is offered: ready for a transaction. The last reply may be
 *  AUTH's. */
struct smtp_talk *smtp_ask_hello(struct smtp_check *check);
/** EHLO (LHLO) in an open session: keeps the keywords. */
void smtp_ask_ehlo(struct smtp_talk *talk);
/** "EHLO check.example" or LHLO. */
const char *smtp_ask_ehlo_line(const struct smtp_check *check);
/** STARTTLS, 220, the handshake; no EHLO. Skips where it is not offered. */
void smtp_ask_starttls(struct smtp_talk *talk);
/** A session in the clear, EHLO answered; skips where TLS comes first. */
struct smtp_talk *smtp_ask_hello_clear(struct smtp_check *check);
/** As smtp_ask_hello, inside TLS: implicit TLS or STARTTLS; skips where there is neither. */
struct smtp_talk *smtp_ask_secured(struct smtp_check *check);

/* ---- a login: rules that need one have SMTP_NEEDS_LOGIN ---- */

/** A session in which one may log in: EHLO answered, inside TLS where that is offered. */
struct smtp_talk *smtp_ask_for_login(struct smtp_check *check);
/** AUTH PLAIN or LOGIN with the suite's user, 235; skips where neither is offered. */
void smtp_ask_log_in(struct smtp_talk *talk);
/** The same where a user is told, and one of them is offered. A refusal skips, but for one of the place and not of the user
 *  (504, 530, 534, 538: RFC 4954 6): the session goes on without a login then. */
void smtp_ask_log_in_if_told(struct smtp_talk *talk);
/** Both. */
struct smtp_talk *smtp_ask_logged_in(struct smtp_check *check);
/** Whether AUTH is offered with that mechanism. */
bool smtp_ask_offers_mechanism(const struct smtp_talk *talk, const char *mechanism);
/** Texts that live as long as the check: base64, and the message of PLAIN (RFC 4616) in it. */
const char *smtp_ask_base64(struct smtp_check *check, struct smtp_span octets);
const char *smtp_ask_plain(struct smtp_check *check, const char *user, const char *password);

/* ---- what was offered ---- */

/** Whether the last EHLO reply has the keyword (any case). */
bool smtp_ask_offers(const struct smtp_talk *talk, const char *keyword);
/** Its parameters, "" for none; false: not offered. */
bool smtp_ask_parameters(const struct smtp_talk *talk, const char *keyword, struct smtp_span *out);
/** Skips unless the keyword is offered; returns whether the scenario goes on. */
bool smtp_ask_needs(struct smtp_talk *talk, const char *keyword);

/** Keeps the keywords of the last reply, one to an EHLO that was sent by other means. */
void smtp_ask_keep_keywords(struct smtp_talk *talk);

/* ---- transactions ---- */

/** MAIL FROM the suite's sender, 250. */
void smtp_ask_mail(struct smtp_talk *talk);
/** MAIL FROM another local part at the domain of the suite's sender; skips where that is not taken. */
void smtp_ask_mail_from(struct smtp_talk *talk, const char *sender);
/** Such a sender. */
const char *smtp_ask_sender(struct smtp_check *check, const char *local_part);
/** RCPT TO, 250 or 251. */
void smtp_ask_rcpt(struct smtp_talk *talk, const char *recipient);
/** MAIL FROM and one RCPT TO (the suite's sender and recipient), both 250. */
void smtp_ask_begin(struct smtp_talk *talk);
/** The same and DATA, 354. */
void smtp_ask_data(struct smtp_talk *talk);
/** A whole header with the token in its Subject and Message-ID, the empty line too. */
const char *smtp_ask_header(struct smtp_check *check);
/** A short message with it, dot included, for one write. */
const char *smtp_ask_message(struct smtp_check *check);
/** DATA and that message, 250 at its end. */
void smtp_ask_send(struct smtp_talk *talk);
/** A whole transaction with it. */
void smtp_ask_deliver(struct smtp_talk *talk);
/** The same, its content made of these octets (stuffed already, ending in CRLF), the dot added; the header
 *  with the token stands before it. */
void smtp_ask_deliver_body(struct smtp_talk *talk, struct smtp_span body);
/** NOOP is answered 250 and nothing else comes for a while: the session is in step, and goes on. */
void smtp_ask_in_step(struct smtp_talk *talk);
/** QUIT is answered 221 and nothing else comes: the session was in step. Takes no time, so that it is the better
 *  end of a scenario. */
void smtp_ask_quit(struct smtp_talk *talk);
/** Whether the server refuses bad_recipient; skips where it takes it. Inside a transaction. */
bool smtp_ask_bad_recipient(struct smtp_talk *talk);

#endif
