/* state.h - what a session knows, for the files of this folder only, from the ground up: state.c
 * changes it and speaks, steps.c asks before a step is done, auth.c logs the peer in, chunk.c reads BDAT, offers.c says which extensions
 * hold, decisions.c goes on once a step is decided, parameters.c takes those of MAIL and RCPT,
 * envelope.c acts on MAIL and RCPT, xclient.c on XCLIENT, inquiries.c on VRFY and EXPN, mail_data.c on
 * DATA and BDAT, verbs.c on all other commands, intake.c takes content in, lines.c cuts lines out of the
 * octets, session.c moves octets and time. Each calls only those before it. */
#ifndef SMTP_SERVER_PROTOCOL_STATE_H
#define SMTP_SERVER_PROTOCOL_STATE_H

#include "common/bytes.h"
#include "server/protocol/command.h"
#include "server/protocol/domain_set.h"
#include "server/protocol/session.h"
#include "server/protocol/transaction.h"

#define SMTP_SERVER_VERBS_MAX 20
#define SMTP_SERVER_STORAGE_KEPT 512u /* of each buffer, when it is empty */

/* Each is a bit in a verb's "legal in". */
enum smtp_server_state {
    SMTP_SERVER_CONNECTED,   /* greeted the peer, no HELO or EHLO yet */
    SMTP_SERVER_TURNED_AWAY, /* greeted it with a refusal: only QUIT is left (RFC 5321 3.1) */
    SMTP_SERVER_READY,       /* after HELO or EHLO, between transactions */
    SMTP_SERVER_MAIL,        /* a transaction is open, without a recipient */
    SMTP_SERVER_RCPT,        /* with at least one */
    SMTP_SERVER_CHUNKS,      /* between BDAT and BDAT of one message */
    SMTP_SERVER_CONTENT,     /* after 354 */
    SMTP_SERVER_CHUNK,       /* after BDAT: its octets come, to be kept or dropped */
    SMTP_SERVER_AUTH,        /* an exchange of AUTH is open: the next line is a response */
    SMTP_SERVER_HANDSHAKE,   /* TLS has the octets: nothing is taken, nothing is said */
    SMTP_SERVER_ENDED,
};

/** The chunk that a BDAT announced (RFC 3030 2). */
struct smtp_server_chunk {
    uint64_t octets;
    uint64_t left; /* of them still to come */
    bool last;
    bool well_formed;              /* nothing but LAST stood behind the count */
    bool dropped;                  /* it was refused; its reply is held until its octets are in */
    enum smtp_server_state before; /* where dropped: the state that it came in */
};

struct smtp_server_session {
    const struct smtp_server_session_config *config;
    uint64_t number;
    void *user;
    enum smtp_server_state state;
    bool lmtp;          /* LHLO in place of HELO and EHLO; a reply for each recipient */
    bool trusted;       /* may use XCLIENT */
    bool extended;      /* EHLO, not HELO */
    bool shutting_down; /* 421 as soon as no transaction is open */
    bool overlong;      /* the line that is coming in is over every limit; its octets are dropped */
    bool overlong_auth; /* and it is an AUTH command */
    bool overlong_bdat; /* or BDAT */
    bool utf8_inquiry;  /* the command is VRFY or EXPN with SMTPUTF8: its reply may hold UTF-8 */
    bool octets_behind; /* the line, or the content, is not the end of what was received */
    bool pipelined;     /* the line came before the reply to the one before it was out */
    bool met;           /* smtp_server_session_connected */
    bool content_whole; /* CONTENT is asked about octets with the end behind them */
    bool secrets_may_follow; /* after AUTH that did not log in: its client may have sent responses
                              * without waiting, which are commands now */
    char last_octet;         /* of an overlong line: its CR may come alone */
    int turned_away_with;    /* the greeting's code in SMTP_SERVER_TURNED_AWAY */
    size_t error_count;
    size_t command_count;
    uint16_t verb_uses
        [SMTP_SERVER_VERBS_MAX]; /* of each row of the verbs; kept where there is a limit */
    size_t mail_count;           /* MAIL commands in order, refused ones too */
    struct smtp_domain_set recipient_domains;
    struct smtp_buffer line;  /* the part of a line that came so far; it may be a secret */
    struct smtp_buffer texts; /* of an event, NUL-terminated; in AUTH the mechanism, and behind it
                               * the response */
    struct smtp_buffer out;   /* owed to the peer */
    struct smtp_buffer held;  /* replies that wait until a chunk's octets are in */
    bool holds;               /* what is said goes there */
    struct smtp_server_chunk chunk;
    char *peer;                       /* owned */
    char *helo;                       /* owned; NULL before HELO or EHLO */
    char *identity;                   /* owned; NULL: nobody logged in */
    bool identity_told;               /* by XCLIENT */
    bool spoken_for;                  /* by whoever connected: there was an XCLIENT */
    const struct smtp_tls_facts *tls; /* the driver's; NULL without TLS */
    struct smtp_transaction transaction;
    struct smtp_server_step step;         /* of an ASK_STEP */
    struct smtp_message *envelope_so_far; /* made for it; NULL: none */
    struct smtp_server_event event;
    bool event_waits;   /* for next_event */
    bool question_open; /* for answer */
    uint64_t step_deadline_ns;
    uint64_t session_deadline_ns;
};

/* ---- state.c ---- */

/** The one place where the state changes. From the end it does not. */
void smtp_server_session_enter(struct smtp_server_session *session, enum smtp_server_state state);
/** Out of memory, or a bound of our own: 421 and the end. */
void smtp_server_session_fail(struct smtp_server_session *session);
/** Content that was given as it came will not be asked about as a message: tells whom it was given. */
void smtp_server_session_drop_content(struct smtp_server_session *session);
/** The transaction is over, however; what was given of its content and not asked about is dropped. */
void smtp_server_session_clear_transaction(struct smtp_server_session *session);
/** Drops the open transaction, if any; the driver hears of it if it wants to. */
void smtp_server_session_reset(struct smtp_server_session *session);
/** Hands an event to the driver; a question waits for its answer. */
void smtp_server_session_raise(struct smtp_server_session *session,
                               const struct smtp_server_event *event, bool question);
/** In AUTH: overwrites the response, once the driver has seen it. */
void smtp_server_session_forget_response(struct smtp_server_session *session);
/** What a message of this session says of it. */
struct smtp_message_origin smtp_server_session_origin(const struct smtp_server_session *session);

/** The text with a NUL behind it, for an event: it lives until the next command, and may move when
 *  another is made. NULL: out of memory, and the session has ended. */
const char *smtp_server_session_text(struct smtp_server_session *session, struct smtp_span span);

/** Too many errors: 421 and the end. */
void smtp_server_session_check_limits(struct smtp_server_session *session);

/** Replies have enhanced status codes, but for those that never have. RFC 2033 5: LMTP has them always. */
static inline bool smtp_server_session_codes(const struct smtp_server_session *session)
{
    return session->config->keywords.enhanced_status_codes || session->lmtp;
}
/** Gives a reply. enhanced: NULL for those that have none (greeting, EHLO, 3yz: RFC 2034). */
void smtp_server_session_say(struct smtp_server_session *session, int code, const char *enhanced,
                             const char *text);
/** The same with what a hook filled in taking the place of what it names. */
void smtp_server_session_say_or(struct smtp_server_session *session,
                                const struct smtp_server_reply *reply, int code,
                                const char *enhanced, const char *text);
/** What is said from now on waits until it is released. */
void smtp_server_session_hold(struct smtp_server_session *session);
/** What was held is said so many times. */
void smtp_server_session_release(struct smtp_server_session *session, size_t times);
/** How often the outcome of what comes in is told: with LMTP the end of a message has a reply for each
 *  recipient (RFC 2033 4.2, 4.3). */
size_t smtp_server_session_replies_due(const struct smtp_server_session *session);
/** 501 5.5.4 with the syntax that was expected. */
void smtp_server_session_refuse_syntax(struct smtp_server_session *session, const char *syntax);
void smtp_server_session_log(const struct smtp_server_session *session,
                             enum smtp_server_log_kind kind, struct smtp_span text);
void smtp_server_session_note(const struct smtp_server_session *session, const char *format, ...)
    SMTP_PRINTF(2, 3);

/* ---- steps.c ---- */

/** Whether the driver wants to be asked before each step. */
bool smtp_server_wants_steps(const struct smtp_server_session *session);
/** Asks about a step that is no command. False: nobody wants to be asked. */
bool smtp_server_ask_step(struct smtp_server_session *session, enum smtp_server_step_kind kind);
/** Asks about a command line, without its CRLF. secret: it may be one that nobody may see. */
void smtp_server_ask_command(struct smtp_server_session *session, struct smtp_span line,
                             bool secret);
/** Whether the session waits for an answer to either. */
bool smtp_server_step_is_open(const struct smtp_server_session *session);
/** It is answered, or nobody will answer it. */
void smtp_server_forget_step(struct smtp_server_session *session);

/* ---- auth.c ---- */

/** The longest line that says what is offered, without its code: an EHLO line. */
#define SMTP_SERVER_OFFER_MAX 500

/** Whether AUTH is a verb at all: some mechanism is known, be it under TLS alone. */
bool smtp_server_knows_auth(const struct smtp_server_session_config *config);
/** Whether a mechanism is offered here and now. */
bool smtp_server_offers_auth(const struct smtp_server_session *session);
/** "AUTH PLAIN LOGIN", where smtp_server_offers_auth. */
void smtp_server_write_offer(const struct smtp_server_session *session,
                             char text[SMTP_SERVER_OFFER_MAX]);
/** The AUTH command: its argument. */
void smtp_server_begin_auth(struct smtp_server_session *session, struct smtp_span argument);
/** A line of the exchange, without its CRLF. */
void smtp_server_take_response(struct smtp_server_session *session, struct smtp_span line);
/** A line of the exchange was over the limit. */
void smtp_server_refuse_long_response(struct smtp_server_session *session);
/** Goes on with what the driver made of the response. */
void smtp_server_decide_auth(struct smtp_server_session *session,
                             const struct smtp_server_auth_answer *answer);

/* ---- chunk.c ---- */

extern const char smtp_server_bdat_syntax[];
/** A command line of BDAT announced a chunk: what is said of it is held. False: how long it is cannot be
 *  told, and the session has ended. readable: the line is within its limit and ends where it seems to. */
bool smtp_server_announce_chunk(struct smtp_server_session *session, struct smtp_span argument,
                                bool readable);
/** Its octets are content. */
void smtp_server_take_in_chunk(struct smtp_server_session *session);
/** It was refused, which was said: its octets are dropped. */
void smtp_server_drop_chunk(struct smtp_server_session *session);

/* ---- offers.c ---- */

/** The service extensions, in the order of the EHLO reply. */
enum smtp_server_offer {
    SMTP_OFFER_NONE,
    SMTP_OFFER_PIPELINING,
    SMTP_OFFER_SIZE,
    SMTP_OFFER_EIGHT_BIT_MIME,
    SMTP_OFFER_SMTPUTF8,
    SMTP_OFFER_CHUNKING,
    SMTP_OFFER_BINARY_MIME,
    SMTP_OFFER_DSN,
    SMTP_OFFER_ENHANCED_STATUS_CODES,
    SMTP_OFFER_STARTTLS,
    SMTP_OFFER_AUTH,
    SMTP_OFFER_REQUIRE_TLS,
    SMTP_OFFER_LIMITS,
    SMTP_OFFER_FUTURE_RELEASE,
    SMTP_OFFER_DELIVER_BY,
    SMTP_OFFER_MT_PRIORITY,
    SMTP_OFFER_XCLIENT,
    SMTP_OFFER_VRFY,
    SMTP_OFFER_EXPN,
    SMTP_OFFER_HELP,
};
/** The largest number of seconds in FUTURERELEASE and DELIVERBY: nine digits. */
#define SMTP_SERVER_SECONDS_MAX 999999999u

/** Whether it is switched on: it may be offered some time. */
bool smtp_server_knows(const struct smtp_server_session_config *config,
                       enum smtp_server_offer offer);
/** Whether it is offered here and now, to who says EHLO. */
bool smtp_server_offers(const struct smtp_server_session *session, enum smtp_server_offer offer);
/** Writes "\nKEYWORD values" for each that is offered, cut at `size`. */
void smtp_server_write_offers(const struct smtp_server_session *session, char *text, size_t size);
/** The longest that FUTURERELEASE takes. */
uint64_t smtp_server_hold_limit_s(const struct smtp_server_session_config *config);

/* ---- decisions.c ---- */

/** A reply that is left to the library. */
extern const struct smtp_server_reply smtp_server_own_words;
/** Asks the driver if it wants to be asked, else decides at once. event: its texts filled in. */
void smtp_server_session_ask(struct smtp_server_session *session,
                             const struct smtp_server_event *event);
/** Goes on with what was asked: the driver's answer, or acceptance where it was not asked. */
void smtp_server_decide(struct smtp_server_session *session, const struct smtp_server_event *event,
                        enum smtp_server_verdict verdict, const struct smtp_server_reply *reply);

/* ---- parameters.c ---- */

/** The longest MAIL line and the longest RCPT line with CRLF, extensions counted, where command lines
 *  have a limit. */
size_t smtp_server_mail_line_octets(const struct smtp_server_session_config *config);
size_t smtp_server_rcpt_line_octets(const struct smtp_server_session_config *config);
/** Takes the parameters behind a path. False: the refusal is said. */
bool smtp_server_take_parameters(struct smtp_server_session *session, struct smtp_span text,
                                 bool of_mail);

/* ---- envelope.c ---- */

extern const char smtp_server_mail_syntax[];
extern const char smtp_server_rcpt_syntax[];
void smtp_server_act_mail(struct smtp_server_session *session, struct smtp_span argument);
void smtp_server_act_rcpt(struct smtp_server_session *session, struct smtp_span argument);

/* ---- xclient.c ---- */

extern const char smtp_server_xclient_offer[]; /* its EHLO line */
extern const char smtp_server_xclient_syntax[];
bool smtp_server_knows_xclient(const struct smtp_server_session *session);
void smtp_server_act_xclient(struct smtp_server_session *session, struct smtp_span argument);

/* ---- inquiries.c ---- */

void smtp_server_act_vrfy(struct smtp_server_session *session, struct smtp_span argument);
void smtp_server_act_expn(struct smtp_server_session *session, struct smtp_span argument);
size_t smtp_server_inquiry_line_octets(const struct smtp_server_session_config *config);

/* ---- mail_data.c ---- */

void smtp_server_act_data(struct smtp_server_session *session, struct smtp_span argument);
/** The chunk was announced. */
void smtp_server_act_bdat(struct smtp_server_session *session, struct smtp_span argument);
/** Whether BDAT is a verb. */
bool smtp_server_knows_bdat(const struct smtp_server_session *session);

/* ---- verbs.c ---- */

/** The longest line that any verb, or an exchange of AUTH, may have. */
size_t smtp_server_longest_line(const struct smtp_server_session_config *config);
/** Whether a command line, without its CRLF, has a verb that is known. */
bool smtp_server_knows_verb(const struct smtp_server_session *session, struct smtp_span line);
/** Acts on one command line, without its CRLF. */
void smtp_server_execute(struct smtp_server_session *session, struct smtp_span line);
/** The command line was over the limit. */
void smtp_server_refuse_overlong(struct smtp_server_session *session, bool of_auth);

/* ---- intake.c ---- */

/** Takes octets of content up to the next dot to be removed, or the end; returns how many. */
size_t smtp_server_take_content(struct smtp_server_session *session, const char *bytes, size_t len);

/** Takes octets of a chunk; returns how many. */
size_t smtp_server_take_chunk(struct smtp_server_session *session, const char *bytes, size_t len);
/** Answers the chunk that is in, if there is one. */
void smtp_server_settle_chunk(struct smtp_server_session *session);
/** Octets of content may be there: what was asked about them is accepted. */
void smtp_server_go_on_with_content(struct smtp_server_session *session);
/** The content is whole, and what was asked about that is answered: refusal NULL where it was accepted. */
void smtp_server_finish_content(struct smtp_server_session *session,
                                const struct smtp_server_reply *refusal);

/* ---- lines.c ---- */

/** Takes one line, or the part of it that is there; returns the octets taken. */
size_t smtp_server_take_line(struct smtp_server_session *session, const char *bytes, size_t len);
/** What was asked about the command line is answered: refusal NULL where it was accepted. */
void smtp_server_finish_command(struct smtp_server_session *session,
                                const struct smtp_server_reply *refusal);

#endif
