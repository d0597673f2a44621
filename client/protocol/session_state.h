/* session_state.h - what a session knows; for the files that make up the session (session.c:
 * commands and replies; session_tls.c: what TLS changes; session_auth.c: AUTH; session_send.c:
 * transactions and content). */
#ifndef SMTP_CLIENT_PROTOCOL_SESSION_STATE_H
#define SMTP_CLIENT_PROTOCOL_SESSION_STATE_H

#include "client/protocol/auth.h"
#include "client/protocol/content.h"
#include "client/protocol/reply_reader.h"
#include "client/protocol/session.h"
#include "client/protocol/transaction.h"

struct smtp_client_session {
    const struct smtp_client_options *options;
    struct smtp_client_reply_reader reader;
    struct smtp_client_extensions extensions;
    struct smtp_client_transaction transaction;
    struct smtp_client_encoder encoder;
    struct smtp_client_exchange auth;
    struct smtp_span whole;    /* borrowed content; goes out before `out` */
    struct smtp_buffer out;    /* command lines in order, or encoded content */
    struct smtp_buffer stages; /* an octet each: what is owed, then what stands in out unreleased */
    size_t owed;               /* replies to come */
    size_t released;           /* octets of out that may be sent */
    bool answerable;           /* some of what is owed for was sent (or the greeting is awaited) */
    bool content_open;         /* content may be given */
    bool content_unsent;       /* 354 came, and the final dot is not wholly sent */
    bool high_octets_refused;  /* content of unknown kind, and no 8BITMIME */
    bool sending;              /* a whole transaction is the open operation */
    bool greeted;              /* EHLO or HELO was accepted */
    bool extended;             /* and it was EHLO: parameters may be sent */
    bool smtputf8;             /* the last MAIL began a transaction of RFC 6531 */
    bool tls;                  /* TLS is up */
    bool handshake_due;        /* 220 to STARTTLS came: nothing more may come or go in the clear */
    bool ended;
    bool event_waits;
    struct smtp_client_event event;
    uint64_t deadline_ns;
    uint64_t overall_deadline_ns;
    struct smtp_error error;
};

/* ---- session.c ---- */
/** Queues one command behind the others, unreleased. */
enum smtp_status smtp_client_session_queue(struct smtp_client_session *session,
                                           enum smtp_client_stage stage,
                                           const struct smtp_client_command *command)
    SMTP_MUST_CHECK;
/** Forgets what was queued and not released. */
void smtp_client_session_unqueue(struct smtp_client_session *session);
/** Sets the deadline of what is owed first (RFC 5321 4.5.3.2: each reply and each block of content has
 *  its own time). */
void smtp_client_session_arm(struct smtp_client_session *session, uint64_t now_ns);
/** Lets go what may go now: one command, or with PIPELINING all. Sets the deadline. */
void smtp_client_session_release(struct smtp_client_session *session, uint64_t now_ns);
void smtp_client_session_raise(struct smtp_client_session *session,
                               enum smtp_client_event_kind kind, enum smtp_client_stage stage,
                               enum smtp_status status, const struct smtp_reply *reply);
void smtp_client_session_note(const struct smtp_client_session *session,
                              enum smtp_client_log_kind kind, struct smtp_span text);
/** The session is over, for a reason other than a reply. */
void smtp_client_session_end(struct smtp_client_session *session, enum smtp_status status,
                             const char *why);
bool smtp_client_session_idle(const struct smtp_client_session *session);
/** The dot's reply is owed from now on. */
enum smtp_status smtp_client_session_expect_dot(struct smtp_client_session *session)
    SMTP_MUST_CHECK;

/* ---- session_tls.c ---- */
/** Whether commands of this stage may go out as things stand; SMTP_BAD_STATE says why not. */
enum smtp_status smtp_client_session_check_state(struct smtp_client_session *session,
                                                 enum smtp_client_stage stage) SMTP_MUST_CHECK;

/* ---- session_send.c ---- */
/** 354 came: content is wanted. */
void smtp_client_session_begin_content(struct smtp_client_session *session, uint64_t now_ns);
/** A reply inside a transaction. */
void smtp_client_session_transaction_reply(struct smtp_client_session *session,
                                           enum smtp_client_stage stage, enum smtp_status judged,
                                           const struct smtp_reply *reply, uint64_t now_ns);
/** The transaction ends here, by a reply or (reply NULL) without one. */
void smtp_client_session_fail_transaction(struct smtp_client_session *session,
                                          enum smtp_client_stage stage, enum smtp_status status,
                                          const struct smtp_reply *reply);

/* ---- session_auth.c ---- */
/** A reply inside AUTH. */
void smtp_client_session_auth_reply(struct smtp_client_session *session, enum smtp_status judged,
                                    const struct smtp_reply *reply, uint64_t now_ns);
/** Drops an open exchange, and wipes what is left of it. Whether AUTH succeeded stays known. */
void smtp_client_session_forget_exchange(struct smtp_client_session *session);
/** Wipes the storage of out once all of it was sent, where it held a secret. */
void smtp_client_session_wipe_sent(struct smtp_client_session *session);
/** Logs a command line, with "***" in place of the secrets of AUTH. */
void smtp_client_session_note_command(const struct smtp_client_session *session,
                                      struct smtp_span line);

#endif
