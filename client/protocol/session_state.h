/* session_state.h - what a session knows; for the files that make up the session (session.c: its life,
 * commands and what their replies teach; session_queue.c: octets out, and what is owed for them;
 * session_replies.c: replies in; session_end.c: the end; session_send.c: transactions;
 * session_content.c and session_chunks.c: content; session_steps.c: a transaction of single commands;
 * session_tls.c: what TLS changes; session_auth.c: AUTH). */
#ifndef SMTP_CLIENT_PROTOCOL_SESSION_STATE_H
#define SMTP_CLIENT_PROTOCOL_SESSION_STATE_H

#include "client/protocol/auth.h"
#include "client/protocol/content.h"
#include "client/protocol/reply_reader.h"
#include "client/protocol/session.h"
#include "client/protocol/transaction.h"

#define SMTP_CLIENT_NOT_SENT UINT64_MAX /* where an end is not known yet */

/** A reply that is owed, or will be when its command is released. Octets are counted from the beginning
 *  of the connection. */
struct smtp_client_owed {
    uint64_t end_at;   /* behind the last octet of what it answers */
    uint64_t begun_ns; /* when the last octet of what it answers was let go */
    enum smtp_client_stage stage;
    bool asked; /* the server was asked to go on, and may speak before an octet more is sent */
};

/** A transaction on its way. */
struct smtp_client_flight {
    struct smtp_client_transaction transaction;
    uint64_t end_at;    /* behind the last octet of its content */
    size_t owed;        /* replies, for what was released of it */
    size_t chunks_owed; /* of them to BDAT */
    bool chunked;       /* BDAT carries its content */
    bool opening;       /* the RSET before its MAIL is not answered yet */
    bool closed;        /* all of it is queued, so that another may follow */
    bool finished;      /* its result is worked out; TRANSACTION_DONE is due */
};

/** Content that is given now, of the transaction begun last, where BDAT carries it (RFC 3030). */
struct smtp_client_chunks {
    bool on;
    bool binary;             /* octet for octet */
    bool size_known;         /* what is left can be announced before it is there */
    bool begun;              /* one was announced */
    bool last;               /* LAST was announced */
    bool ended;              /* no more content comes */
    uint64_t left;           /* size_known: octets not announced yet */
    uint64_t missing;        /* size_known: octets not given yet */
    uint64_t open;           /* octets announced and not queued yet */
    struct smtp_span rest;   /* of content borrowed whole: not announced yet */
    struct smtp_buffer held; /* encoded, and in no chunk yet */
};

/** The transaction that goes on by single commands. */
struct smtp_client_steps {
    bool open;       /* MAIL was accepted, or a line that may have been MAIL */
    size_t accepted; /* RCPT commands, by 2yz */
    bool data;       /* DATA was said: no BDAT */
    bool chunks;     /* BDAT was said: no DATA */
    bool refused;    /* a chunk was refused: nothing but RSET and QUIT */
    bool finals;     /* LMTP: replies to the content came */
};

struct smtp_client_session {
    const struct smtp_client_options *options;
    struct smtp_client_reply_reader reader;
    struct smtp_client_extensions extensions;
    struct smtp_client_flight *flights[SMTP_CLIENT_IN_FLIGHT_MAX]; /* a ring; made when needed */
    size_t first;                                                  /* the flight begun first */
    size_t in_flight;
    struct smtp_client_transaction *told; /* whose result smtp_client_session_result gives */
    struct smtp_client_encoder encoder;
    struct smtp_client_chunks chunks;
    struct smtp_client_steps steps;
    struct smtp_client_exchange auth;
    struct smtp_buffer out;   /* command lines and encoded content, in order */
    struct smtp_span whole;   /* borrowed content, not sent yet */
    size_t whole_at;          /* it goes out behind so many octets of out */
    size_t released;          /* octets of out that may be sent */
    struct smtp_buffer owing; /* struct smtp_client_owed each: what is owed, then what will be */
    size_t owed;              /* replies to come */
    size_t finals;            /* LMTP: replies that came to the content of what is owed first */
    uint64_t sent_octets;
    uint64_t answered_octets; /* of them, those that replies came for */
    uint64_t mail_count;
    bool content_open;        /* content may be given */
    bool high_octets_refused; /* content of unknown kind, and no 8BITMIME */
    bool lmtp;
    bool greeted;       /* EHLO or HELO was accepted */
    bool extended;      /* and it was EHLO: parameters may be sent */
    bool smtputf8;      /* the last MAIL began a transaction of RFC 6531 */
    bool tls;           /* TLS is up */
    bool handshake_due; /* 220 to STARTTLS came: nothing more may come or go in the clear */
    bool ended;
    bool event_waits;
    struct smtp_client_event event;
    smtp_client_session_timed *timed; /* NULL: nobody measures */
    void *timed_user;
    uint64_t deadline_ns;
    uint64_t overall_deadline_ns;
    struct smtp_error error;
};

#define SMTP_CLIENT_KEPT_OCTETS 131072 /* storage an idle session keeps */
/** Borrowed content up to this size is copied, so that it goes in one part with what is behind it. */
#define SMTP_CLIENT_COPIED_MAX 4096

/* ---- session.c ---- */
void smtp_client_session_raise(struct smtp_client_session *session,
                               enum smtp_client_event_kind kind, enum smtp_client_stage stage,
                               enum smtp_status status, const struct smtp_reply *reply);
void smtp_client_session_note(const struct smtp_client_session *session,
                              enum smtp_client_log_kind kind, struct smtp_span text);
/** No operation is open, and no event waits. */
bool smtp_client_session_idle(const struct smtp_client_session *session);
/** A reply to a single command. */
void smtp_client_session_command_reply(struct smtp_client_session *session,
                                       enum smtp_client_stage stage, enum smtp_status judged,
                                       const struct smtp_reply *reply, uint64_t now_ns);

/* ---- session_queue.c ---- */
/** Whether commands go out in groups (RFC 2920). */
bool smtp_client_session_groups(const struct smtp_client_session *session);
/** What is owed first; NULL: nothing. */
const struct smtp_client_owed *smtp_client_session_front(const struct smtp_client_session *session);
/** Its stage: CONTENT, not DOT, until the last octet of the content was sent. */
enum smtp_client_stage smtp_client_session_front_stage(const struct smtp_client_session *session);
/** Its reply came, or the last of them. */
void smtp_client_session_take_front(struct smtp_client_session *session);
/** Octets that were sent or may be. */
uint64_t smtp_client_session_queued_octets(const struct smtp_client_session *session);
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
/** A reply is owed from now on that the server may give at once: to the connection, or to content
 *  whose end is not known yet. */
enum smtp_status smtp_client_session_expect(struct smtp_client_session *session,
                                            enum smtp_client_stage stage) SMTP_MUST_CHECK;
/** What is owed last answers all that is queued, and as many octets more that are about to be. */
void smtp_client_session_extend(struct smtp_client_session *session, uint64_t octets,
                                uint64_t now_ns);
/** Content stands at the end of out, reserved before: it goes out. */
void smtp_client_session_queue_content(struct smtp_client_session *session, size_t len);
/** Borrowed content goes out behind all that is queued; none other may be on its way. */
void smtp_client_session_queue_whole(struct smtp_client_session *session, struct smtp_span content);

/* ---- session_end.c ---- */
/** The session is over, for a reason other than a reply. */
void smtp_client_session_end(struct smtp_client_session *session, enum smtp_status status,
                             const char *why);
/** A reply ends the session: 421, or a refusal in the middle of content. */
void smtp_client_session_end_by_reply(struct smtp_client_session *session,
                                      enum smtp_client_stage stage, enum smtp_status status,
                                      const struct smtp_reply *reply);

/* ---- session_tls.c ---- */
/** Why commands of this stage may not go out as things stand; NULL: they may. */
const char *smtp_client_session_why_not(const struct smtp_client_session *session,
                                        enum smtp_client_stage stage);
/** The same as a status: SMTP_BAD_STATE, and the session's error says why. */
enum smtp_status smtp_client_session_check_state(struct smtp_client_session *session,
                                                 enum smtp_client_stage stage) SMTP_MUST_CHECK;

/* ---- session_send.c ---- */
/** The i-th of those in flight, in the order of their sends. */
struct smtp_client_flight *smtp_client_session_flight(const struct smtp_client_session *session,
                                                      size_t i);
/** The one begun first, and last; NULL: none is in flight. */
struct smtp_client_flight *smtp_client_session_first(const struct smtp_client_session *session);
struct smtp_client_flight *smtp_client_session_last(const struct smtp_client_session *session);
/** A reply inside the transaction begun first. more: others to the same content follow (LMTP). */
void smtp_client_session_transaction_reply(struct smtp_client_session *session,
                                           enum smtp_client_stage stage, enum smtp_status judged,
                                           const struct smtp_reply *reply, bool more,
                                           uint64_t now_ns);
/** The session ended, and the transaction with it, by a reply or (reply NULL) without one. */
void smtp_client_session_settle(struct smtp_client_flight *flight, enum smtp_client_stage stage,
                                enum smtp_status status, const struct smtp_reply *reply);
/** Whether an event waits, so that nothing more is heard. */
bool smtp_client_session_event_waits(const struct smtp_client_session *session);

/* ---- session_content.c ---- */
/** 354 came: content is wanted. */
void smtp_client_session_begin_content(struct smtp_client_session *session, uint64_t now_ns);
/** No more content is taken. */
void smtp_client_session_stop_content(struct smtp_client_session *session);
/** SMTP_UNSUPPORTED, and the end of the session, where the encoder met an octet above 127 that may not be
 *  sent (RFC 6152 3). */
enum smtp_status smtp_client_session_check_octets(struct smtp_client_session *session)
    SMTP_MUST_CHECK;

/* ---- session_chunks.c ---- */
/** Whether BDAT is to carry content of this body. */
bool smtp_client_session_uses_chunks(const struct smtp_client_session *session,
                                     enum smtp_body body);
/** A transaction begins whose content goes by BDAT. */
void smtp_client_session_prepare_chunks(struct smtp_client_session *session,
                                        const struct smtp_client_content_facts *facts);
/** Its content is wanted. */
void smtp_client_session_begin_chunks(struct smtp_client_session *session);
/** Queues what may go now. flush: also content that might have been the last chunk. */
void smtp_client_session_pump(struct smtp_client_session *session, bool flush, uint64_t now_ns);
bool smtp_client_session_takes_chunks(const struct smtp_client_session *session);
/** The same for BDAT as the calls of session.h without "chunk". */
enum smtp_status smtp_client_session_chunk_content(struct smtp_client_session *session,
                                                   struct smtp_span content, uint64_t now_ns)
    SMTP_MUST_CHECK;
void smtp_client_session_chunk_whole(struct smtp_client_session *session, struct smtp_span content,
                                     uint64_t now_ns);
enum smtp_status smtp_client_session_chunks_end(struct smtp_client_session *session,
                                                uint64_t now_ns) SMTP_MUST_CHECK;
/** Announces a chunk whose octets follow at once. */
enum smtp_status smtp_client_session_announce(struct smtp_client_session *session, uint64_t octets,
                                              bool last, uint64_t now_ns) SMTP_MUST_CHECK;

/* ---- session_steps.c ---- */
/** A single command goes out. */
void smtp_client_session_step(struct smtp_client_session *session, enum smtp_client_stage stage);
/** Its reply came. */
void smtp_client_session_step_reply(struct smtp_client_session *session,
                                    enum smtp_client_stage stage, enum smtp_status judged);
/** LMTP: a reply to the content, for the next recipient that was accepted. */
void smtp_client_session_step_final(struct smtp_client_session *session, enum smtp_status judged,
                                    const struct smtp_reply *reply, bool more, uint64_t now_ns);
/** LMTP: no further one comes. */
void smtp_client_session_step_failed(struct smtp_client_session *session, enum smtp_status status,
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
