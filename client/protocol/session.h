/* session.h - one SMTP or LMTP session seen from the client: a state machine without I/O. Octets and
 * the time go in; octets, events and a deadline come out. One operation at a time: a command, a chunk,
 * or a whole transaction; of the last, several may be in flight where the server offers PIPELINING.
 *
 * The driver's loop, after smtp_client_session_open and an operation:
 *     while (!smtp_client_session_next_event(s, &event)) {
 *         while smtp_client_session_takes_content: give a block of it, or its end
 *         write smtp_client_session_pending(s, ...), report with smtp_client_session_sent
 *         read, give to smtp_client_session_receive; at the end of file smtp_client_session_lost
 *         at smtp_client_session_deadline_ns: smtp_client_session_expire
 *     }
 * Reading goes first, so that a server that answers early is heard. CONTENT_WANTED comes once a message,
 * and is always of the one begun last: with DATA after 354; with BDAT behind MAIL and RCPT, before they
 * are even written where PIPELINING is offered, so that all goes in one write (over LMTP: its first chunk, once somebody
 * is accepted).
 *
 * A stream: with smtp_client_session_may_begin the next smtp_client_session_send is allowed, while
 * those before are still owed their replies. TRANSACTION_DONE comes in the order of the sends, once for
 * each, also where the session ends. */
#ifndef SMTP_CLIENT_PROTOCOL_SESSION_H
#define SMTP_CLIENT_PROTOCOL_SESSION_H

#include "client/protocol/auth.h"
#include "client/protocol/command.h"
#include "client/protocol/extensions.h"
#include "client/smtp_client.h"
#include "common/bytes.h"

struct smtp_client_session;

enum smtp_client_event_kind {
    SMTP_CLIENT_EVENT_REPLY,            /* to the greeting, a command, or the dot after it */
    SMTP_CLIENT_EVENT_CONTENT_WANTED,   /* 354 came, or a chunk may go */
    SMTP_CLIENT_EVENT_TRANSACTION_DONE, /* smtp_client_session_result has it */
    SMTP_CLIENT_EVENT_ENDED,            /* the session ended where a reply was owed */
};

struct smtp_client_event {
    enum smtp_client_event_kind kind;
    enum smtp_client_stage stage;
    enum smtp_status status; /* of REPLY and ENDED */
    struct smtp_reply reply; /* of REPLY; its text lives until the next receive */
};

/** What is known of a message before it is sent. */
struct smtp_client_content_facts {
    bool size_known;
    uint64_t size_bytes; /* repaired, without stuffed dots; with BINARYMIME: as it is given */
    enum { SMTP_CLIENT_SEVEN_BIT, SMTP_CLIENT_EIGHT_BIT, SMTP_CLIENT_BITS_UNKNOWN } bits;
    enum smtp_body body;    /* what the caller declares it as */
    bool needs_no_repair;   /* its line ends are CRLF, the last one too */
    bool needs_no_stuffing; /* and no line of it begins with a dot */
    bool has_long_line;     /* over SMTP_CLIENT_LINE_MAX octets, and it is not BINARYMIME */
};

/** options: borrowed for the session's life. NULL: out of memory. */
struct smtp_client_session *smtp_client_session_new(const struct smtp_client_options *options);
void smtp_client_session_free(struct smtp_client_session *session);

/** Hears of each reply how long after its command it came: after the last octet of the command, or of the content, was let
 *  go to be written; with GREETING, after the open. With LMTP the last of the replies to the content counts. */
typedef void smtp_client_session_timed(void *user, enum smtp_client_stage stage,
                                       uint64_t elapsed_ns);
void smtp_client_session_time(struct smtp_client_session *session, smtp_client_session_timed *timed,
                              void *user);

/** A new connection: all that was known is forgotten, and the greeting is awaited.
 *  overall_deadline_ns: of the whole connection, SMTP_NEVER for none. */
void smtp_client_session_open(struct smtp_client_session *session, uint64_t now_ns,
                              uint64_t overall_deadline_ns);
/** The same where LMTP is spoken (RFC 2033): LHLO, and after the content a reply each for the recipients
 *  that were accepted. HELO is SMTP_BAD_STATE. */
void smtp_client_session_open_lmtp(struct smtp_client_session *session, uint64_t now_ns,
                                   uint64_t overall_deadline_ns);
/** "EHLO ", or "LHLO " with LMTP: the verb of the command with SMTP_STAGE_EHLO. */
const char *smtp_client_session_hello_verb(const struct smtp_client_session *session);

/** Queues a command; a REPLY event follows (for DATA: CONTENT_WANTED after 354, then a REPLY to the
 *  dot; with LMTP one REPLY for all that come behind the dot: SMTP_OK, SMTP_PARTLY_REFUSED or
 *  SMTP_REFUSED_*, and the first refusal's reply where there was one; smtp_client_session_result has the
 *  recipients that RCPT accepted, with the reply to each). SMTP_BAD_STATE when the session
 *  ended, an operation is open, a chunk was refused and this is neither RSET nor QUIT, or it is DATA in a
 *  transaction of chunks; the failures of smtp_client_command_append: then nothing was queued. */
enum smtp_status smtp_client_session_command(struct smtp_client_session *session,
                                             enum smtp_client_stage stage,
                                             const struct smtp_client_command *command,
                                             uint64_t now_ns) SMTP_MUST_CHECK;

/** Queues one chunk, BDAT (RFC 3030), borrowed until the REPLY event: its stage is CONTENT, or DOT for the
 *  last one, which with LMTP counts as for DATA. SMTP_UNSUPPORTED: CHUNKING is not offered;
 *  SMTP_BAD_STATE as above, and after DATA in this transaction. */
enum smtp_status smtp_client_session_bdat(struct smtp_client_session *session,
                                          struct smtp_span chunk, bool last, uint64_t now_ns)
    SMTP_MUST_CHECK;

/** AUTH by a mechanism, borrowed until the REPLY event: the whole exchange. The status of the event is
 *  SMTP_OK, SMTP_REFUSED_*, or why the exchange was cancelled, which smtp_client_session_error says.
 *  SMTP_BAD_STATE also where AUTH succeeded before (RFC 4954 4); the failures of the mechanism's initial
 *  response: then nothing was queued. */
enum smtp_status smtp_client_session_auth(struct smtp_client_session *session,
                                          const struct smtp_client_mechanism *mechanism,
                                          uint64_t now_ns) SMTP_MUST_CHECK;
/** Whether AUTH succeeded on this connection, which has not ended. */
bool smtp_client_session_is_authenticated(const struct smtp_client_session *session);

/** Queues a whole transaction; the envelope is borrowed until TRANSACTION_DONE. All of it is checked
 *  before an octet goes out. BDAT carries the content where CHUNKING is offered and options.chunking says
 *  so, or its body is BINARYMIME; else DATA. SMTP_BAD_STATE where smtp_client_session_may_begin is false;
 *  SMTP_UNSUPPORTED where the message does not fit what the server offers. Where it fails, nothing was
 *  queued and those in flight go on. */
enum smtp_status smtp_client_session_send(struct smtp_client_session *session,
                                          const struct smtp_envelope *envelope,
                                          const struct smtp_client_content_facts *facts,
                                          uint64_t now_ns) SMTP_MUST_CHECK;
/** What smtp_client_session_send would find wrong with the envelope or the content; nothing is queued. */
enum smtp_status smtp_client_session_check_send(struct smtp_client_session *session,
                                                const struct smtp_envelope *envelope,
                                                const struct smtp_client_content_facts *facts)
    SMTP_MUST_CHECK;
/** SMTP_UNSUPPORTED where the content does not fit what the server offers. */
enum smtp_status smtp_client_session_check_content(struct smtp_client_session *session,
                                                   const struct smtp_client_content_facts *facts)
    SMTP_MUST_CHECK;
/** Whether smtp_client_session_send may be called now: no operation is open, no event waits; or with
 *  PIPELINING, all content of the transaction before is given and not too much is in flight. Ask again
 *  after each event and each smtp_client_session_sent. */
bool smtp_client_session_may_begin(const struct smtp_client_session *session);
#define SMTP_CLIENT_IN_FLIGHT_MAX 64 /* transactions */
/** Of the transaction of the last TRANSACTION_DONE; lives until the next smtp_client_session_send or
 *  smtp_client_session_open. */
const struct smtp_send_result *
smtp_client_session_result(const struct smtp_client_session *session);
/** MAIL commands on this connection, the refused too: for LIMITS (RFC 9422 4). */
uint64_t smtp_client_session_mail_count(const struct smtp_client_session *session);
/** Whether single commands may have left a transaction open, so that RSET is due before the next. */
bool smtp_client_session_may_be_open(const struct smtp_client_session *session);

/** The handshake is over: all that was known of the server is forgotten (RFC 3207 4.2), and EHLO is due.
 *  awaits_greeting: the connection began with TLS. */
void smtp_client_session_tls_started(struct smtp_client_session *session, bool awaits_greeting,
                                     uint64_t now_ns);
/** Whether TLS is up. While it is not and the policy requires it, every command but EHLO, STARTTLS and
 *  QUIT is SMTP_BAD_STATE, and nothing is sent. */
bool smtp_client_session_has_tls(const struct smtp_client_session *session);

/** Whether content, or its end, may be given now: not while much waits to be written; never again when the
 *  transaction is refused. */
bool smtp_client_session_takes_content(const struct smtp_client_session *session);
/** Content, encoded on the way: at most SMTP_CLIENT_BLOCK_MAX octets, copied. On failure the
 *  session has ended. */
#define SMTP_CLIENT_BLOCK_MAX 65536
enum smtp_status smtp_client_session_content(struct smtp_client_session *session, const char *bytes,
                                             size_t len, uint64_t now_ns) SMTP_MUST_CHECK;
/** Whether content of these facts goes out as it is, so that content_whole can take it. */
bool smtp_client_session_takes_whole(const struct smtp_client_session *session,
                                     const struct smtp_client_content_facts *facts);
/** The whole content, as above, in place of blocks; borrowed until the operation is over. Follow with
 *  smtp_client_session_content_end at once. */
void smtp_client_session_content_whole(struct smtp_client_session *session,
                                       struct smtp_span content, uint64_t now_ns);
/** No more comes. SMTP_SOURCE_FAILED: it was not as long as its facts said, and the session has ended. */
enum smtp_status smtp_client_session_content_end(struct smtp_client_session *session,
                                                 uint64_t now_ns) SMTP_MUST_CHECK;

/** *used < len: an event waits, handle it first. Nothing is taken after the end. */
void smtp_client_session_receive(struct smtp_client_session *session, const char *bytes, size_t len,
                                 size_t *used, uint64_t now_ns);
/** What to write, in order; returns how many parts. Borrowed until the next call. */
#define SMTP_CLIENT_PENDING_PARTS 3
int smtp_client_session_pending(const struct smtp_client_session *session,
                                struct smtp_span parts[SMTP_CLIENT_PENDING_PARTS]);
void smtp_client_session_sent(struct smtp_client_session *session, size_t len, uint64_t now_ns);
bool smtp_client_session_next_event(struct smtp_client_session *session,
                                    struct smtp_client_event *event);
uint64_t smtp_client_session_deadline_ns(const struct smtp_client_session *session);

/** The deadline has passed; earlier: nothing. */
void smtp_client_session_expire(struct smtp_client_session *session, uint64_t now_ns);
/** The connection ended, or writing failed and nothing more can be read. */
void smtp_client_session_lost(struct smtp_client_session *session);
/** The driver gives up (its content's source failed). */
void smtp_client_session_abandon(struct smtp_client_session *session, enum smtp_status status,
                                 const char *why);

/** Ended: close the connection. The error says why. */
bool smtp_client_session_ended(const struct smtp_client_session *session);
const struct smtp_error *smtp_client_session_error(const struct smtp_client_session *session);
/** Whether EHLO or HELO was accepted. */
bool smtp_client_session_greeted(const struct smtp_client_session *session);
const struct smtp_client_extensions *
smtp_client_session_extensions(const struct smtp_client_session *session);

#endif
