/* session.h - one SMTP session seen from the server: a state machine without I/O. Octets and the
 * time go in; octets, events and a deadline come out. See smtp_server.h for the meaning of the
 * options.
 *
 * The driver's loop:
 *     used = smtp_server_session_receive(s, bytes, len, now);
 *     while (smtp_server_session_next_event(s, &event)) {
 *         ... decide, then smtp_server_session_answer(s, verdict, reply, now) where the event asks
 *     }
 *     again while octets are left and used grows; then write smtp_server_session_pending(s) and
 *     report with smtp_server_session_sent.
 * A session with an open question takes no octets. Everything of one read is answered in one write.
 */
#ifndef SMTP_SERVER_PROTOCOL_SESSION_H
#define SMTP_SERVER_PROTOCOL_SESSION_H

#include "common/bytes.h"
#include "server/smtp_server.h"

struct smtp_server_session;

/** What a session is made for; shared by all sessions of a server and constant while any lives. */
struct smtp_server_session_config {
    const char *hostname;
    const char *greeting_text;
    enum smtp_server_bare_line_end bare_line_end;
    struct smtp_server_limits limits;
    struct smtp_server_keywords keywords; /* as they are offered: none without what it needs */
    /** The time of day in seconds since 1970-01-01 UTC, for FUTURERELEASE. */
    int64_t (*unix_time_s)(void);
    bool starttls;     /* offered while there is no TLS */
    bool tls_required; /* 530 without */
    bool auth_required;
    /** Mechanisms parted by spaces, "" for none: offered in the clear, and under TLS. EXTERNAL counts
     *  only where the peer showed a certificate. */
    const char *mechanisms_clear;
    const char *mechanisms_tls;
    const char *mechanisms_too_weak; /* known, not offered: 534 */
    /** The stages the driver wants to be asked about, bits 1u << SMTP_SERVER_ASK_...; all others
     *  are accepted (or, for VRFY, EXPN and unknown verbs, answered) without an event. */
    unsigned asks;
    /** Told of everything said, NULL for none; called from inside receive and answer. */
    void (*log)(void *user, enum smtp_server_log_kind kind, struct smtp_span text);
    /** Given content as it comes in, dots removed, NULL for none; called from inside receive. False: no
     *  more of it is wanted, though MESSAGE is asked all the same. The message has its envelope; it may move
     *  from call to call. */
    bool (*content)(void *user, const struct smtp_message *message, struct smtp_span octets);
    /** Content of which some was given will not be asked about as a MESSAGE: told once. NULL for none;
     *  called from inside any call, smtp_server_session_free included. */
    void (*drop)(void *user);
    bool discard_content; /* messages do not keep their content */
};

/** What a session is told of its connection. */
struct smtp_server_session_start {
    uint64_t number;
    const char *peer; /* copied */
    bool lmtp;        /* LHLO, and a reply for each recipient (RFC 2033) */
    bool trusted;     /* the peer may use XCLIENT */
    void *user;       /* for config->log, ->content and ->drop */
};

/** What happened. For the ASK events the session waits for smtp_server_session_answer. */
enum smtp_server_event_kind {
    SMTP_SERVER_ASK_CONNECT,
    SMTP_SERVER_ASK_HELO, /* name, extended */
    SMTP_SERVER_ASK_MAIL, /* path, parameters */
    SMTP_SERVER_ASK_RCPT, /* path, parameters */
    SMTP_SERVER_ASK_DATA,
    SMTP_SERVER_ASK_MESSAGE, /* message: always asked; the event's reference is the driver's */
    SMTP_SERVER_ASK_VRFY,    /* argument */
    SMTP_SERVER_ASK_EXPN,    /* argument */
    SMTP_SERVER_ASK_UNKNOWN, /* name (the verb), argument */
    SMTP_SERVER_ASK_STARTTLS,
    /** A step of AUTH: name (the mechanism, upper case), first (the exchange begins), has_response,
     *  response (decoded). Always asked; answered by smtp_server_session_answer_auth. */
    SMTP_SERVER_ASK_AUTH,
    /** AUTH ended without the driver: cancelled with "*", malformed, over-long, or the session ended:
     *  what it keeps of the exchange is of no more use. No answer. */
    SMTP_SERVER_AUTH_CANCELLED,
    /** The reply to STARTTLS is pending: write it, then hand octets to TLS and no more to the session
     *  until smtp_server_session_tls_started. No answer. */
    SMTP_SERVER_START_TLS,
    /** A step is about to be done: step. SMTP_ACCEPT: it is done. Otherwise it is not, and the reply stands in
     *  its place: for BDAT once the chunk's octets are in, and dropped; at the end of content for each
     *  recipient with LMTP. CONTENT can only be accepted. */
    SMTP_SERVER_ASK_STEP,
    SMTP_SERVER_RESET,  /* a transaction was dropped; only when (1u << SMTP_SERVER_RESET) is in asks
                        */
    SMTP_SERVER_CLOSED, /* no session says it: the driver's own, when one is over */
};

/** Its texts are NUL-terminated and live until the answer, or for RESET until the next call. */
struct smtp_server_event {
    enum smtp_server_event_kind kind;
    bool extended;
    bool first;
    bool has_response;
    const char *name;
    const char *path;       /* without brackets */
    const char *parameters; /* as given, "" for none */
    const char *argument;
    struct smtp_span response; /* wiped by the session after the answer */
    struct smtp_message *message;
    const struct smtp_server_step *step;
};

/** NULL: out of memory. The session has nothing pending until smtp_server_session_open. */
struct smtp_server_session *smtp_server_session_new(const struct smtp_server_session_config *config,
                                                    const struct smtp_server_session_start *start);
void smtp_server_session_free(struct smtp_server_session *session);

/** The connection is there, which is logged, and the time of the session runs. Called by the two that open
 *  where it was not before. */
void smtp_server_session_connected(struct smtp_server_session *session, uint64_t now_ns);
/** Asks for CONNECT or greets. */
void smtp_server_session_open(struct smtp_server_session *session, uint64_t now_ns);

/** Takes octets in; returns how many it took. Fewer than len: handle events, write what is pending,
 *  then call again with the rest. Once the session has ended it takes, and drops, everything. */
size_t smtp_server_session_receive(struct smtp_server_session *session, const char *bytes,
                                   size_t len, uint64_t now_ns);

/** What is owed to the peer; borrowed until the next call. */
struct smtp_span smtp_server_session_pending(const struct smtp_server_session *session);
void smtp_server_session_sent(struct smtp_server_session *session, size_t len);

/** Takes the event, if there is one. */
bool smtp_server_session_next_event(struct smtp_server_session *session,
                                    struct smtp_server_event *event);
/** Answers the question the last event asked. An empty reply (code 0) is the library's own, and so is
 *  NULL. reply: to MESSAGE under LMTP an array, one for each recipient; see smtp_server.h. */
void smtp_server_session_answer(struct smtp_server_session *session,
                                enum smtp_server_verdict verdict,
                                const struct smtp_server_reply *reply, uint64_t now_ns);

/** What a step of AUTH came to. */
enum smtp_server_auth_step {
    SMTP_SERVER_AUTH_CHALLENGE, /* 334 with the challenge, base64; the peer's response is asked about */
    SMTP_SERVER_AUTH_ACCEPTED,  /* 235: identity is logged in */
    SMTP_SERVER_AUTH_REFUSED,   /* 535 5.7.8, or the reply given */
    SMTP_SERVER_AUTH_MALFORMED, /* 501 5.5.2: the response is not of the mechanism's form */
    SMTP_SERVER_AUTH_FAILED,    /* 454 4.7.0: on our side */
};
struct smtp_server_auth_answer {
    enum smtp_server_auth_step step;
    struct smtp_span challenge;            /* of CHALLENGE */
    const char *identity;                  /* of ACCEPTED; copied */
    const struct smtp_server_reply *reply; /* NULL: the library's own */
    bool disconnect;                       /* after the reply */
};
void smtp_server_session_answer_auth(struct smtp_server_session *session,
                                     const struct smtp_server_auth_answer *answer, uint64_t now_ns);

/** The handshake is over (facts: borrowed until the session is freed): all that was known of the peer
 *  is forgotten (RFC 3207 4.2). greet: the connection began with TLS, and CONNECT is asked or the
 *  greeting given now. */
void smtp_server_session_tls_started(struct smtp_server_session *session,
                                     const struct smtp_tls_facts *facts, bool greet,
                                     uint64_t now_ns);
/** The connection begins with TLS: nothing is said, and its deadline is the handshake's. In place of
 *  smtp_server_session_open. */
void smtp_server_session_open_tls(struct smtp_server_session *session, uint64_t now_ns);

/** When smtp_server_session_expire is due; SMTP_NEVER for never. */
uint64_t smtp_server_session_deadline_ns(const struct smtp_server_session *session);
/** The deadline has passed: 421, and the session ends. Earlier: nothing. */
void smtp_server_session_expire(struct smtp_server_session *session, uint64_t now_ns);
/** The driver keeps the session waiting: only the time of the whole session runs. Else: that of the next
 *  step begins. */
void smtp_server_session_keep_waiting(struct smtp_server_session *session, bool waits,
                                      uint64_t now_ns);
/** The server stops. Between transactions: 421 now. Inside one: when it has ended. */
void smtp_server_session_shut_down(struct smtp_server_session *session, uint64_t now_ns);

/** The connection is lost: the session ends without a word. */
void smtp_server_session_cut(struct smtp_server_session *session);

/** The session has ended: close when nothing is pending any more. */
bool smtp_server_session_ended(const struct smtp_server_session *session);
/** Whether receive would take octets: false while a question is open, too much is pending, or it
 *  ended. */
bool smtp_server_session_wants_input(const struct smtp_server_session *session);

/** For the log of a command line: it came before the reply to the one before it was out. */
bool smtp_server_session_pipelined(const struct smtp_server_session *session);
/** Who the peer is, as far as is known: XCLIENT changes it. */
const char *smtp_server_session_peer(const struct smtp_server_session *session);
/** For hooks: "" before HELO or EHLO. */
const char *smtp_server_session_helo(const struct smtp_server_session *session);
const char *smtp_server_session_protocol(const struct smtp_server_session *session);
const char *smtp_server_session_identity(const struct smtp_server_session *session); /* "" */
const struct smtp_tls_facts *smtp_server_session_tls(const struct smtp_server_session *session);

#endif
