/* smtp_server.h - the receiving half of SMTP (RFC 5321): a server on a thread of its own, and the
 * mailbox of what it captured.
 *
 * Contract
 *   Ownership  Options and hook tables are copied by smtp_server_new, strings included; the `user`
 *              pointers stay the caller's. What a hook is given is borrowed until it returns.
 *   Threads    smtp_server_new, _start, _run, _stop, _free and the readers may be called from any
 *              thread; _start, _run and _free by one at a time. Hooks run on the loop's thread that
 *              the session belongs to, or where their table blocks on one of libuv's pool; with
 *              workers > 1, or with such a table, hooks of different sessions run at once.
 *              Nothing global is touched: no signal handler, no atexit; SIGPIPE is never raised.
 *   Errors     See smtp_status.h. No function prints or exits.
 *
 * Example: the article's server, without its gotcha
 *     struct smtp_server *server;
 *     struct smtp_error error;
 *     if (smtp_server_new(&server, NULL, &error) != SMTP_OK ||
 *         smtp_server_start(server, &error) != SMTP_OK) {
 *         fprintf(stderr, "%s\n", error.message);
 *         return 1;
 *     }
 *     printf("listening on %s\n", smtp_server_address(server, 0));
 *     ... send mail to it, from this thread or any other ...
 *     smtp_server_stop(server, 1000);
 *     smtp_server_free(server);
 */
#ifndef SMTP_SERVER_H
#define SMTP_SERVER_H

#include "smtp_mailbox.h"
#include "smtp_status.h"
#include "smtp_tls.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct smtp_server;

/* ---- hooks: one table, every row optional, each stage of a session ---- */

/** What a hook answers. */
enum smtp_server_verdict {
    SMTP_ACCEPT,     /* go on; with the text of the reply where the hook gave one */
    SMTP_REFUSE,     /* give the reply and undo the step */
    SMTP_DISCONNECT, /* give the reply (421 where none was given), then close */
};

/** A reply for a hook to fill in; see smtp_server_reply. */
struct smtp_server_reply {
    int code;          /* 0: the library's own */
    char enhanced[12]; /* like "5.7.1"; "": X.0.0 of the code's class */
    char text[400];    /* lines are parted by '\n' */
    char note[100];    /* for the log alone, what no peer need know; "": none */
};

/** Fills *reply in: a code from 200 to 599, an enhanced status code (RFC 3463) or NULL, a text.
 *  Returns SMTP_ACCEPT for a 2yz or 3yz code and SMTP_REFUSE for any other, so that a hook can end
 *  with `return smtp_server_reply(reply, 550, "5.1.1", "No such user");`. CR and other control
 *  octets in the text become '?'. No note: it can be filled in behind this. */
enum smtp_server_verdict smtp_server_reply(struct smtp_server_reply *reply, int code,
                                           const char *enhanced, const char *format, ...)
    SMTP_PRINTF(4, 5);

/** Who a hook is called for. */
struct smtp_server_session_info {
    uint64_t number;      /* 1 for the server's first session */
    const char *hostname; /* this server's */
    const char *peer;     /* "127.0.0.1:40112", "unix:" */
    const char *proxy;    /* who connected, where a PROXY header or XCLIENT named the peer; "" */
    const char *helo;     /* "" before HELO, EHLO or LHLO */
    const char *protocol; /* as smtp_message_protocol; "" before */
    bool lmtp;            /* LMTP (RFC 2033), not SMTP */
    const char *identity; /* who logged in with AUTH; "" for nobody */
    const struct smtp_tls_facts *tls; /* NULL without TLS */
    void **user; /* yours, one a session, NULL at first; freed best in the close hook */
};

/** A line of a session's log, for the log hook. Secrets are masked before it is made. */
enum smtp_server_log_kind {
    SMTP_LOG_CONNECT, /* text: the peer */
    SMTP_LOG_COMMAND, /* text: a command line without its CRLF, octets as they came */
    SMTP_LOG_REPLY,   /* text: one reply line without its CRLF */
    SMTP_LOG_CONTENT, /* text: message octets as they came, dots still stuffed, any split */
    SMTP_LOG_NOTE,    /* text: what the server noticed, like "bare LF at octet 12 of the content" */
    SMTP_LOG_TLS, /* the handshake is over; text: like "TLSv1.3, TLS_AES_256_GCM_SHA384, resumed" */
    SMTP_LOG_CLOSE, /* text: why */
};
struct smtp_server_log_entry {
    enum smtp_server_log_kind kind;
    bool pipelined;   /* a command that came before the reply to the one before it was out */
    uint64_t time_ns; /* monotonic clock */
    const char *text; /* not NUL-terminated */
    size_t len;
};

/** What a client gave with AUTH (RFC 4954). */
struct smtp_server_credentials {
    const char *mechanism;              /* "PLAIN", "SCRAM-SHA-256", ... */
    const char *identity;               /* authentication identity: whose secret it is */
    const char *authorization_identity; /* whom to act as; "" for the same */
    const char *secret;                 /* the password of PLAIN and LOGIN, the token of XOAUTH2 and
                                         * OAUTHBEARER; NULL where it is not sent: it was proved */
};
#define SMTP_SERVER_SECRET_SIZE 4096

/* ---- faults: how a step goes wrong, for tests of what talks to this server ---- */

/** A step of a session, for the fault hook. */
enum smtp_server_step_kind {
    SMTP_STEP_CONNECT,        /* accepted; nothing is said, TLS has not begun */
    SMTP_STEP_TLS,            /* a handshake begins: at a smtps:// address, or after STARTTLS */
    SMTP_STEP_GREETING,       /* the greeting is to be said */
    SMTP_STEP_COMMAND,        /* a command line is whole; nothing of it is done */
    SMTP_STEP_CONTENT,        /* octets of content have come */
    SMTP_STEP_END_OF_CONTENT, /* the message is whole, by the dot or BDAT LAST; nobody has it yet */
};
struct smtp_server_step {
    enum smtp_server_step_kind kind;
    const char *verb;        /* of COMMAND: upper case, or what came in its place; else "" */
    const char *argument;    /* of COMMAND: as it came, but of AUTH its first word alone; else "" */
    uint64_t content_octets; /* of CONTENT: how many so far, dots removed */
    const struct smtp_message
        *message; /* of DATA, BDAT, CONTENT and END_OF_CONTENT: its envelope; else NULL */
};

/** What happens after the reply to a step. */
enum smtp_server_ending {
    SMTP_GO_ON,
    SMTP_END_CLOSE,      /* of both directions */
    SMTP_END_HALF_CLOSE, /* of ours: nothing more is said, what comes is read and dropped */
    SMTP_END_RESET,      /* TCP RST; with a Unix socket as CLOSE */
    SMTP_END_HANG,       /* silence: nothing more is said, what comes is read and dropped */
    SMTP_END_DEAF,       /* nothing more is said or read */
};

/** How a step goes wrong. All zero: not at all. HALF_CLOSE, HANG and DEAF last until the peer closes, the
 *  session's time is over, or the server stops (which does not wait for them). */
struct smtp_server_fault {
    uint64_t delay_ms; /* before the step is done, while nothing is read or said */
    /** A code of 400 to 599: the step is not done, and this is the reply. 200 to 399: it is done, and this
     *  is said in place of its reply. 0: its own reply. Where an END_OF_CONTENT is not done nothing is
     *  captured; CONTENT and TLS have no reply; a CONNECT's is said in the clear, then it closes. */
    struct smtp_server_reply reply;
    /** The step is done, and exactly these octets are said in place of its reply. */
    bool replaced;
    size_t octet_count;
    char octets[4096];
    bool silent;  /* no reply at all: the ending comes in its place, and the step is not done */
    bool twice;   /* the reply is said twice */
    bool garbled; /* its octets, but for CR and LF, have their high bit set */
    uint64_t drip_octets_s; /* it goes out octet by octet, so many a second; 0: at once */
    size_t split_octets;    /* it goes out in segments of so many octets; 0: in one */
    bool cut;               /* only its first cut_octets go out; with GO_ON it closes then */
    size_t cut_octets;
    enum smtp_server_ending ending;
    /** Of TLS: what this handshake shows in place of the server's certificate; a reference, which the
     *  server gives back. NULL: the server's own. */
    struct smtp_identity *identity;
    char note[160]; /* for the log, before what comes of it; "": none */
};

/** Each hook: `user` as given in the table; the session; what the stage is about; the reply it may
 *  fill in. Without the hook: accept, but for vrfy (252), expn (502) and unknown (500). Where a
 *  hook accepts, an empty *reply means the library's own text.
 *
 *  A server may have several tables (options.hooks, then options.receivers in their order): each stage asks
 *  all of them, until one does not accept, and of those that accept the first that fills its reply in has the
 *  word. For auth, find_password, vrfy, expn and unknown the first table with the row decides. Each table
 *  has a `*session->user` of its own. */
struct smtp_server_hooks {
    void *user;
    /** Its rows may take long (they wait for a disk or another server): they are called on threads of a
     *  pool (libuv's, of the whole process: 4, or UV_THREADPOOL_SIZE), never two at once for one session,
     *  and the session waits while the loop serves others. Nothing is read of it or said to it meanwhile; a
     *  deadline, a cut or a stop has its effect when the row has returned, and smtp_server_stop waits for
     *  that; rows that have not begun when its time is over are not called any more, but for close. Never on
     *  the pool are log, fault, content and drop, which must be quick (the loop's thread), and release. Where the table of either blocks, auth and find_password are both called on the pool. */
    bool blocking;
    /** It takes content as it comes, by its `content` row: `message` does not look at the message's. */
    bool streaming;
    /** A connection, before the greeting; and again after XCLIENT, when it speaks for another peer
     *  (`*session->user` stays what it is). SMTP_REFUSE greets with the reply (554 where none was
     *  given) and then waits for QUIT (RFC 5321 3.1). */
    enum smtp_server_verdict (*connect)(void *user, const struct smtp_server_session_info *session,
                                        struct smtp_server_reply *reply);
    /** HELO or EHLO (extended) with a well-formed name. */
    enum smtp_server_verdict (*helo)(void *user, const struct smtp_server_session_info *session,
                                     const char *name, bool extended,
                                     struct smtp_server_reply *reply);
    /** STARTTLS, before 220. */
    enum smtp_server_verdict (*starttls)(void *user, const struct smtp_server_session_info *session,
                                         struct smtp_server_reply *reply);
    /** Credentials, before 235. With a secret: nothing has been checked yet and the hook alone
     *  decides, in place of options.auth.users. Without one: the mechanism's proof held. SMTP_REFUSE
     *  without a reply is 535 5.7.8. Wiped when it returns. */
    enum smtp_server_verdict (*auth)(void *user, const struct smtp_server_session_info *session,
                                     const struct smtp_server_credentials *credentials,
                                     struct smtp_server_reply *reply);
    /** The password of an identity, for the mechanisms that never send it (CRAM-MD5, SCRAM-*), in
     *  place of options.auth.users. False: no such identity. */
    bool (*find_password)(void *user, const struct smtp_server_session_info *session,
                          const char *identity, char password[SMTP_SERVER_SECRET_SIZE]);
    /** MAIL: the reverse-path without its brackets ("" for <>) and the parameters as given. */
    enum smtp_server_verdict (*mail)(void *user, const struct smtp_server_session_info *session,
                                     const char *reverse_path, const char *parameters,
                                     struct smtp_server_reply *reply);
    /** RCPT, likewise. */
    enum smtp_server_verdict (*rcpt)(void *user, const struct smtp_server_session_info *session,
                                     const char *forward_path, const char *parameters,
                                     struct smtp_server_reply *reply);
    /** DATA, before 354; or the first BDAT of a transaction (RFC 3030), before its octets. */
    enum smtp_server_verdict (*data)(void *user, const struct smtp_server_session_info *session,
                                     struct smtp_server_reply *reply);
    /** Octets of content as they come in, dots removed, any split. The message has its envelope and no
     *  content yet. False: no more of it is wanted; `message` is asked all the same, and should refuse. */
    bool (*content)(void *user, const struct smtp_server_session_info *session,
                    const struct smtp_message *message, const char *octets, size_t len);
    /** Content of which some was given will not become a message: it was refused by the server itself or by
     *  a table before this one, or the transaction or the connection ended. */
    void (*drop)(void *user, const struct smtp_server_session_info *session);
    /** A whole message, before it is captured and answered. The message has no number yet. Retain
     *  it to keep it. SMTP_REFUSE: it is not captured. With LMTP `reply` is the first of an array, one for
     *  each recipient in order (RFC 2033 4.2): on SMTP_ACCEPT one that is filled in with a refusal refuses
     *  for that recipient alone; otherwise the first stands for all. Those whom a table before this one has
     *  refused are filled in already. What a table accepted it keeps where a later one refuses, or cannot be
     *  asked for want of memory: the client is told of that, and a message it sends again is there twice. */
    enum smtp_server_verdict (*message)(void *user, const struct smtp_server_session_info *session,
                                        struct smtp_message *message,
                                        struct smtp_server_reply *reply);
    /** VRFY and EXPN with their argument. EXPN is offered in the EHLO reply only with this hook. */
    enum smtp_server_verdict (*vrfy)(void *user, const struct smtp_server_session_info *session,
                                     const char *argument, struct smtp_server_reply *reply);
    enum smtp_server_verdict (*expn)(void *user, const struct smtp_server_session_info *session,
                                     const char *argument, struct smtp_server_reply *reply);
    /** A verb the library does not know, with its argument ("" for none). */
    enum smtp_server_verdict (*unknown)(void *user, const struct smtp_server_session_info *session,
                                        const char *verb, const char *argument,
                                        struct smtp_server_reply *reply);
    /** A transaction was dropped by RSET, HELO or EHLO. */
    void (*reset)(void *user, const struct smtp_server_session_info *session);
    /** The session is over; called once for each session, however often connect was asked. */
    void (*close)(void *user, const struct smtp_server_session_info *session);
    /** The server is freed: the table is of no more use. Not called where smtp_server_new fails. */
    void (*release)(void *user);
    /** Each step before it is done and before any other row is asked, on the loop's thread: true where it
     *  is to go wrong, as *fault (all zero when it is called) says then. Of several tables the first that
     *  says true. For TLS what goes wrong is the handshake: its octets are delayed, garbled and cut. */
    bool (*fault)(void *user, const struct smtp_server_session_info *session,
                  const struct smtp_server_step *step, struct smtp_server_fault *fault);
    /** Everything said, for logs and transcripts. */
    void (*log)(void *user, const struct smtp_server_session_info *session,
                const struct smtp_server_log_entry *entry);
};

/* ---- options ---- */

/** What to do with content that holds a CR or LF outside a CRLF pair (RFC 5321 2.3.8). None of them
 *  ever ends the content, which only CRLF.CRLF does. */
enum smtp_server_bare_line_end {
    SMTP_BARE_REFUSE,           /* default: take the content to its end, then refuse it (554) */
    SMTP_BARE_REFUSE_AND_CLOSE, /* refuse at once (554) and close */
    SMTP_BARE_ACCEPT,           /* keep the octets as they are */
};

/** Limits. 0 means no limit, but for the first four, which cannot be 0. */
struct smtp_server_limits {
    size_t local_part_octets;   /* 64, RFC 5321 4.5.3.1.1 */
    size_t domain_octets;       /* 255, 4.5.3.1.2 */
    size_t path_octets;         /* 256 with its brackets, 4.5.3.1.3 */
    size_t command_line_octets; /* 512 with CRLF, 4.5.3.1.4; at least 64 */
    size_t text_line_octets;    /* 1000 with CRLF, without the stuffed dot, 4.5.3.1.6 */
    size_t recipients;          /* 100 a transaction, 4.5.3.1.8; beyond it 452 */
    uint64_t message_octets;    /* 33554432 (32 MiB); offered with SIZE, RFC 1870 */
    size_t errors;              /* 100 refused commands a session, then 421 */
    size_t commands;            /* 0: none; commands a session, then 421 */
    size_t each_command;        /* 0: none, to 65534; of one verb a session, but QUIT; then 421 */
    size_t messages;            /* 0: none; MAIL commands a session, refused ones too, then 421 */
    size_t sessions;            /* 20000 at once; beyond it 421 as the greeting */
    size_t auth_line_octets;    /* 12288 with CRLF, RFC 4954 4: AUTH and the lines after it */
    size_t recipient_domains;   /* 0: none; different domains in RCPT a session; beyond it 452 */
    uint64_t hold_s;            /* 2592000 (30 days): the longest that FUTURERELEASE takes */
    uint64_t deliver_by_s;      /* 0: none; the shortest that DELIVERBY takes with mode R */
    uint64_t handshake_timeout_ms; /* 30000 for a PROXY header, and for a whole TLS handshake */
    uint64_t command_timeout_ms;   /* 300000 for one whole command, 4.5.3.2.7; then 421 */
    uint64_t content_timeout_ms;   /* 300000 without any octet of content; then 421 */
    uint64_t session_timeout_ms;   /* 3600000 for the whole session; then 421 */
};

/** Which EHLO keywords are offered and kept to; a parameter of one that is off is 555. LMTP offers PIPELINING
 *  and ENHANCEDSTATUSCODES in any case (RFC 2033 5). */
struct smtp_server_keywords {
    bool pipelining;     /* RFC 2920 */
    bool size;           /* RFC 1870 */
    bool eight_bit_mime; /* RFC 6152 */
    bool smtputf8;       /* RFC 6531; needs eight_bit_mime, else it is not offered */
    bool chunking;       /* BDAT, RFC 3030 */
    bool binary_mime;    /* RFC 3030; needs chunking and eight_bit_mime, else it is not offered */
    bool dsn;            /* RFC 3461 */
    bool enhanced_status_codes; /* RFC 2034 */
    bool require_tls;           /* RFC 8689; offered under TLS alone */
    bool limits; /* RFC 9422: limits.messages, .recipients, .recipient_domains, if any */
    bool vrfy;   /* off: 502 */
    bool expn;   /* offered where a hook answers it; off: 502 */
    bool help;   /* RFC 5321 4.1.1.8; off: 502 */
    /* Off by default: they need a clock that both ends share, or trust. */
    bool future_release; /* RFC 4865, up to limits.hold_s. The message is captured at once: not for
                          * tables that deliver at once, as the Maildir's and the mbox's */
    bool deliver_by;     /* RFC 2852, from limits.deliver_by_s */
    bool mt_priority;    /* RFC 6710 */
    bool xclient;        /* of options.trusted_peers alone */
};

/** TLS (RFC 3207, RFC 8314). */
enum smtp_server_tls_mode {
    SMTP_SERVER_TLS_OFFERED,  /* default: STARTTLS is offered */
    SMTP_SERVER_TLS_REQUIRED, /* and until then 530 to all but EHLO, NOOP, STARTTLS and QUIT */
    SMTP_SERVER_TLS_OFF,      /* STARTTLS is not known */
};
struct smtp_server_tls {
    enum smtp_server_tls_mode mode;
    /** The certificate. NULL, and no context: one is made in memory when it is first needed, for
     *  localhost, options.hostname and the addresses listened on; see smtp_server_ca_pem. Retained. */
    struct smtp_identity *identity;
    /** An SSL_CTX of the caller's, in place of it; its reference count goes up. NULL: none. */
    struct ssl_ctx_st *context;
    /** Whose client certificates are asked for and taken, as PEM; NULL: none is asked for. */
    const char *client_ca_pem;
    bool client_certificate_required;
};

/** One row of the user table. */
struct smtp_server_user {
    const char *identity;
    const char *password; /* for XOAUTH2 and OAUTHBEARER: the token */
};
/** AUTH (RFC 4954), offered where there is a user, or one of the hooks auth and find_password. */
struct smtp_server_auth {
    const struct smtp_server_user *users; /* copied */
    size_t user_count;
    bool required; /* MAIL and the like before a login are 530 5.7.0 */
    /** Offered, parted by spaces; NULL: "SCRAM-SHA-256-PLUS SCRAM-SHA-256 SCRAM-SHA-1-PLUS SCRAM-SHA-1
     *  CRAM-MD5 PLAIN LOGIN XOAUTH2 OAUTHBEARER EXTERNAL", each where it can work: -PLUS under TLS,
     *  EXTERNAL with a client certificate. */
    const char *mechanisms;
    /** Known, not offered, and answered 534 5.7.9, like "PLAIN LOGIN"; NULL: none. */
    const char *too_weak;
    /** Takes secrets in the clear too: without it PLAIN, LOGIN, XOAUTH2 and OAUTHBEARER are offered
     *  under TLS alone, and are 538 5.7.11 without. */
    bool plain_without_tls;
};

/** What becomes of an accepted message. */
enum smtp_server_mailbox_mode {
    SMTP_MAILBOX_KEEP,    /* default: the mailbox keeps it */
    SMTP_MAILBOX_DISCARD, /* it is counted and numbered; with no table that looks at it, a sink */
    SMTP_MAILBOX_RING, /* the mailbox keeps the last ones: a cursor that falls behind is told so */
};

struct smtp_server_options {
    /** Where to listen: "127.0.0.1:0", "[::1]:2525", "localhost:0", "unix:/path"; several at once.
     *  "smtps://127.0.0.1:0": TLS from the first octet (RFC 8314); "smtp://..." is the plain form;
     *  "lmtp://unix:/path", "lmtp://127.0.0.1:0": LMTP (RFC 2033).
     *  "fd:3", alone or behind one of these: a socket that listens already; the server takes it over at
     *  its first start, and a later one listens at its address anew.
     *  Numeric addresses only: no name is ever looked up. NULL: "127.0.0.1:0". Port 0: any free. */
    const char *const *listen;
    size_t listen_count;
    /** The name in the greeting and the EHLO reply. NULL: "harness.test". */
    const char *hostname;
    /** What follows the name in the greeting. NULL: "ESMTP", and "LMTP" where that is spoken. */
    const char *greeting_text;
    /** Loops, each on a thread of its own, 1..64; 1 by default. */
    unsigned workers;
    enum smtp_server_bare_line_end bare_line_end;
    struct smtp_server_limits limits;
    struct smtp_server_keywords keywords;
    struct smtp_server_tls tls;
    struct smtp_server_auth auth;
    /** Peers that are believed what they say of others, with XCLIENT and PROXY: "127.0.0.1", "::1",
     *  "10.0.0.0/8", "unix:". None by default. */
    const char *const *trusted_peers;
    size_t trusted_peer_count;
    /** Every connection begins with a PROXY header, version 1 or 2, and of another than a trusted peer it is
     *  closed at once: whether one comes is never guessed. */
    bool proxy_protocol;
    struct smtp_server_hooks hooks;
    /** Further tables, 31 at most, asked after `hooks`: what smtp_receivers.h makes, and the like. */
    const struct smtp_server_hooks *receivers;
    size_t receiver_count;
    enum smtp_server_mailbox_mode mailbox;
    /** Of RING: so many messages, and octets of their content, are kept; 0: any number; one of them is not 0. The
     *  newest message is kept in any case. */
    size_t ring_messages;
    uint64_t ring_octets;
};

/** Sets every option to its default. */
void smtp_server_options_init(struct smtp_server_options *options);

/* ---- life ---- */

/** Makes a server that does not listen yet. options NULL: the defaults.
 *  @return SMTP_OK, SMTP_BAD_ARGUMENT (which option, and its range), SMTP_NO_MEMORY. */
enum smtp_status smtp_server_new(struct smtp_server **out,
                                 const struct smtp_server_options *options,
                                 struct smtp_error *error) SMTP_MUST_CHECK;

/** Binds, listens, starts the threads, and returns when connections are accepted: from here on
 *  smtp_server_address tells the real ports. After smtp_server_stop it may be called again: a port
 *  that was free then stays the server's own (the same port again).
 *  @return SMTP_OK, SMTP_LISTEN_FAILED, SMTP_BAD_STATE (it runs already), SMTP_SYSTEM_FAILED. */
enum smtp_status smtp_server_start(struct smtp_server *server, struct smtp_error *error)
    SMTP_MUST_CHECK;

/** The other choice: the caller's thread becomes the (first) loop until somebody stops it. `ready`
 *  (may be NULL) is called on this thread when connections are accepted. */
enum smtp_status smtp_server_run(struct smtp_server *server, void (*ready)(void *user), void *user,
                                 struct smtp_error *error) SMTP_MUST_CHECK;

/** Stops accepting, lets open transactions end, says 421 to sessions that are between transactions,
 *  closes, and joins the threads. Sessions still open at the deadline are cut. Idempotent; from a
 *  hook it is smtp_server_request_stop. When it returns (elsewhere), no hook runs any more: one that
 *  blocks is waited for, whatever the deadline.
 *  @param deadline_ms  milliseconds for open transactions; 0 cuts at once. */
void smtp_server_stop(struct smtp_server *server, uint64_t deadline_ms);

/** Asks for the same and returns at once: async-signal-safe. Transactions have 1 s to end. The
 *  threads are joined by smtp_server_stop or smtp_server_free; smtp_server_run just returns. While
 *  the server does not run it asks for nothing: install signal handlers when it does (`ready`). */
void smtp_server_request_stop(struct smtp_server *server);

/** Stops (cutting) and frees, mailbox included; messages that others hold stay good. NULL:
 *  nothing. */
void smtp_server_free(struct smtp_server *server);

/* ---- what it tells ---- */

/** The real address of listener i: "127.0.0.1:41233", "[::1]:41234", "unix:/path"; NULL beyond the
 *  last, and before the first start. Borrowed until the next start or free. */
const char *smtp_server_address(const struct smtp_server *server, size_t i);
/** The real port of listener i; 0 for a Unix socket or beyond the last. */
uint16_t smtp_server_port(const struct smtp_server *server, size_t i);
/** Whether listener i speaks TLS from the first octet. */
bool smtp_server_is_implicit_tls(const struct smtp_server *server, size_t i);
/** Whether listener i speaks LMTP. */
bool smtp_server_is_lmtp(const struct smtp_server *server, size_t i);
/** The certificate authority that signed the server's certificate, as PEM; makes the certificate where
 *  there is none yet. "" where the certificate was loaded or is an SSL_CTX's, TLS is off, or it cannot
 *  be made. Lives until smtp_server_set_certificate or _free. */
const char *smtp_server_ca_pem(struct smtp_server *server);
/** The certificate itself, made where there is none yet: a reference of the caller's. NULL where
 *  smtp_server_ca_pem is "" but for a certificate that was loaded. */
struct smtp_identity *smtp_server_identity(struct smtp_server *server);
/** From now on new TLS connections get this certificate, or this SSL_CTX (one of them NULL), while the
 *  server runs or not. SMTP_OK; else the old one stays: SMTP_TLS_FAILED, SMTP_BAD_ARGUMENT,
 *  SMTP_NO_MEMORY. */
enum smtp_status smtp_server_set_certificate(struct smtp_server *server,
                                             struct smtp_identity *identity,
                                             struct ssl_ctx_st *context, struct smtp_error *error)
    SMTP_MUST_CHECK;
/** The mailbox; lives as long as the server. */
struct smtp_mailbox *smtp_server_mailbox(struct smtp_server *server);
/** Sessions open now. */
size_t smtp_server_session_count(const struct smtp_server *server);

#ifdef __cplusplus
}
#endif
#endif
