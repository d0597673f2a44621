/* smtp_client.h - the sending half of SMTP (RFC 5321): one connection, blocking calls, deadlines.
 *
 * Contract
 *   Ownership  Arguments are borrowed for the call. Replies and results belong to the client and
 *              live until its next call or smtp_client_free.
 *   Threads    A client belongs to one thread at a time. Different clients are independent. Nothing
 *              global is touched; SIGPIPE is never raised.
 *   Errors     Every call returns a status (smtp_status.h); smtp_client_error says it in a line. A
 *              refusal is SMTP_REFUSED_TRANSIENT (4yz) or SMTP_REFUSED_PERMANENT (5yz), with the
 *              whole reply in smtp_client_reply; the connection stays usable.
 *   Safety     No CR, LF, NUL or other control octet in any argument reaches the wire: the call
 *              fails with SMTP_UNSAFE_ARGUMENT before an octet is sent.
 *
 * Example: the article's client
 *     struct smtp_client *client;
 *     if (smtp_client_new(&client, NULL) != SMTP_OK) {
 *         return 1;
 *     }
 *     const char *to[] = {"bob@example.com"};
 *     struct smtp_envelope envelope = {.reverse_path = "ann@example.com", .forward_paths = to,
 *                                      .forward_path_count = 1};
 *     struct smtp_content content = smtp_content_text("Subject: hi\n\nHello\n");
 *     if (smtp_client_connect(client, "localhost", 1025) != SMTP_OK ||
 *         smtp_client_send(client, &envelope, content, NULL) != SMTP_OK ||
 *         smtp_client_quit(client) != SMTP_OK) {
 *         fprintf(stderr, "%s\n", smtp_client_error(client)->message);
 *     }
 *     smtp_client_free(client);
 */
#ifndef SMTP_CLIENT_H
#define SMTP_CLIENT_H

#include "smtp_status.h"
#include "smtp_tls.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SMTP_PORT 25              /* used where neither port nor address names one */
#define SMTP_SUBMISSION_PORT 587  /* RFC 6409: of smtp_send_url with a user */
#define SMTP_SUBMISSIONS_PORT 465 /* RFC 8314: with TLS from the first octet */
#define SMTP_LMTP_PORT 2003       /* of "lmtp://" */

struct smtp_client;

/* ---- what comes back ---- */

/** An enhanced status code, RFC 3463; class 0: the reply had none. */
struct smtp_enhanced_code {
    int class_digit; /* 2, 4 or 5 */
    int subject;     /* 0..999 */
    int detail;      /* 0..999 */
};

/** One whole reply, of one line or many. */
struct smtp_reply {
    int code;                           /* 200..599; 0: none came */
    struct smtp_enhanced_code enhanced; /* of the first line */
    const char *text; /* the lines without codes (neither kind), joined by '\n'; never NULL */
};

/** Where in the dialogue something happened. */
enum smtp_client_stage {
    SMTP_STAGE_NONE,
    SMTP_STAGE_CONNECT,
    SMTP_STAGE_GREETING,
    SMTP_STAGE_EHLO, /* LHLO too */
    SMTP_STAGE_HELO,
    SMTP_STAGE_STARTTLS, /* the command, and the handshake */
    SMTP_STAGE_AUTH,     /* the command, and the lines after it */
    SMTP_STAGE_MAIL,
    SMTP_STAGE_RCPT,
    SMTP_STAGE_DATA,    /* the command, up to 354 */
    SMTP_STAGE_CONTENT, /* the content on its way; a chunk of BDAT that is not the last */
    SMTP_STAGE_DOT,     /* after the final dot, or the last chunk */
    SMTP_STAGE_RSET,
    SMTP_STAGE_QUIT,
    SMTP_STAGE_XCLIENT,
    SMTP_STAGE_COMMAND, /* any other command */
};
/** The stage as a word, like "RCPT"; never NULL. */
const char *smtp_client_stage_name(enum smtp_client_stage stage);

/** What became of one recipient. */
struct smtp_recipient_result {
    const char *forward_path;     /* as given */
    enum smtp_status status;      /* SMTP_OK: the message was accepted for it */
    enum smtp_client_stage stage; /* where it was decided */
    struct smtp_reply reply;      /* that decided it; code 0 where the connection ended first */
};

/** What became of one message. */
struct smtp_send_result {
    enum smtp_status status;      /* what smtp_client_send returned */
    enum smtp_client_stage stage; /* where the first failure was; DOT when all was well */
    size_t recipient_count;
    const struct smtp_recipient_result *recipients; /* one each, in the order given */
    size_t accepted_count;
    struct smtp_reply final_reply; /* to the final dot, or to what failed before it */
};

/* ---- what goes in ---- */

/** What the content is declared as, with BODY= (RFC 6152, RFC 3030). */
enum smtp_body {
    SMTP_BODY_DETECT, /* by its octets: 8BITMIME where one is above 127, else nothing */
    SMTP_BODY_7BIT,
    SMTP_BODY_8BITMIME,
    SMTP_BODY_BINARYMIME, /* sent with BDAT, octet for octet: nothing is repaired */
};

/** What is sent back with a notification, RET of RFC 3461 4.3. */
enum smtp_dsn_return { SMTP_DSN_RETURN_UNSAID, SMTP_DSN_RETURN_FULL, SMTP_DSN_RETURN_HEADERS };

/** What is to happen when DELIVERBY's time has passed (RFC 2852). */
enum smtp_deliver_by { SMTP_DELIVER_BY_NONE, SMTP_DELIVER_BY_NOTIFY, SMTP_DELIVER_BY_RETURN };

/** What is asked for a message with MAIL; all zero: nothing. Each needs its extension: where the server
 *  does not offer it, sending is SMTP_UNSUPPORTED, and nothing is sent. Values are encoded by the client. */
struct smtp_mail_options {
    enum smtp_body body;
    bool smtputf8; /* the header holds UTF-8 (RFC 6531); said in any case where an address does */
    enum smtp_dsn_return dsn_return;
    const char *dsn_envelope_id; /* ENVID, plain text of 1..100 octets once in xtext; NULL: none */
    bool require_tls;            /* REQUIRETLS (RFC 8689); under TLS that was verified alone */
    uint64_t hold_for_s;         /* FUTURERELEASE (RFC 4865): 1..999999999; 0: none */
    const char *hold_until;      /* the same as a time, "2026-12-24T18:00:00Z"; NULL: none */
    enum smtp_deliver_by deliver_by;
    bool deliver_by_trace;
    int64_t deliver_by_s; /* -999999999..999999999; more than 0 with RETURN */
    bool has_priority;
    int priority; /* MT-PRIORITY (RFC 6710), -9..9 */
    const char
        *auth; /* who submitted it, AUTH= of RFC 4954 5: a mailbox, "" for <>; NULL: not said */
};

/** When a recipient's notifications are wanted, NOTIFY of RFC 3461 4.1, or-ed; 0: not said. */
enum {
    SMTP_NOTIFY_NEVER = 1,
    SMTP_NOTIFY_SUCCESS = 2,
    SMTP_NOTIFY_FAILURE = 4,
    SMTP_NOTIFY_DELAY = 8
};

struct smtp_rcpt_options {
    unsigned notify; /* NEVER stands alone */
    /** ORCPT: "bob@example.com" (of type rfc822, or utf-8 where it is not ASCII), or with its type,
     *  "rfc822;bob@example.com"; plain text. NULL: none. */
    const char *original_recipient;
};

/** The envelope (RFC 5321 2.3.1). Paths come without brackets: "ann@example.com",
 *  "\"john smith\"@example.com", "user@[127.0.0.1]", "postmaster". A local part that needs quoting
 *  is quoted; anything that is no path is SMTP_BAD_ARGUMENT or SMTP_UNSAFE_ARGUMENT. */
struct smtp_envelope {
    const char *reverse_path; /* NULL or "": the null reverse-path <> */
    const char *const *forward_paths;
    size_t forward_path_count; /* at least 1 */
    /** Further parameters, "KEYWORD=value KEYWORD", RFC 5321 4.1.2 grammar; NULL: none. Sent only
     *  after EHLO. SIZE, BODY and SMTPUTF8 are added by the client itself and refused here. */
    const char *mail_parameters;
    const char *const *rcpt_parameters;   /* one a recipient, entries may be NULL; NULL: none */
    const struct smtp_mail_options *mail; /* what is asked for the message; NULL: nothing */
    const struct smtp_rcpt_options *rcpt; /* one a recipient; NULL: nothing for any */
};

/** Reads up to capacity octets of content into bytes: how many, 0 at the end, -1 on failure. */
typedef ssize_t smtp_content_read(void *user, char *bytes, size_t capacity);

/** Where a message's content comes from. Plain data, made by the functions below, and `before` filled in
 *  where something comes before that; what it points to is borrowed for the call. Bare CR and bare LF become CRLF on the way, dots are stuffed, a
 *  missing last CRLF is added (RFC 5321 4.5.2); nothing else is changed. */
struct smtp_content {
    enum { SMTP_CONTENT_MEMORY, SMTP_CONTENT_FILE, SMTP_CONTENT_FD, SMTP_CONTENT_CALLBACK } kind;
    union {
        struct {
            const char *bytes;
            size_t len;
        } memory;
        FILE *file;
        int fd;
        struct {
            smtp_content_read *read;
            void *user;
        } callback;
    } from;
    struct {
        const char *bytes;
        size_t len;
    } before; /* octets that come first, like a header that was read off a pipe; len 0: none */
};
struct smtp_content smtp_content_text(const char *text);
struct smtp_content smtp_content_memory(const void *bytes, size_t len);
struct smtp_content smtp_content_file(FILE *file); /* from its position to its end */
struct smtp_content smtp_content_fd(int fd);       /* likewise; a pipe will do */
struct smtp_content smtp_content_callback(smtp_content_read *read, void *user);

/* ---- options ---- */

/** Milliseconds; 0 waits for ever. The minimums of RFC 5321 4.5.3.2 are the defaults. */
struct smtp_client_timeouts {
    uint64_t connect_ms;   /* 30000 */
    uint64_t greeting_ms;  /* 300000 */
    uint64_t handshake_ms; /* 30000: a whole TLS handshake */
    uint64_t command_ms;   /* 300000: EHLO, HELO, MAIL, RCPT, RSET, ... each */
    uint64_t data_ms;      /* 120000: until 354 */
    uint64_t content_ms;   /* 180000: for each block of content to be taken */
    uint64_t final_ms;     /* 600000: the reply to the final dot */
    uint64_t quit_ms;      /* 5000: the reply to QUIT */
    uint64_t overall_ms;   /* 0: from connect to the end of the connection */
};

enum smtp_client_log_kind {
    SMTP_CLIENT_LOG_COMMAND, /* one command line, without its CRLF */
    SMTP_CLIENT_LOG_REPLY,   /* one reply line, without its CRLF */
    SMTP_CLIENT_LOG_CONTENT, /* octets of content as sent */
    SMTP_CLIENT_LOG_NOTE,    /* connected, closed and the like */
    SMTP_CLIENT_LOG_TLS,     /* the handshake is over; "TLSv1.3, TLS_AES_256_GCM_SHA384" */
};
/** Called on the client's thread for everything said; text is not NUL-terminated. */
typedef void smtp_client_log(void *user, enum smtp_client_log_kind kind, const char *text,
                             size_t len);

/** When TLS is used (RFC 3207, RFC 8314). smtp_client_starttls can be called under any of them. */
enum smtp_client_tls_policy {
    SMTP_CLIENT_TLS_NEVER,        /* default: only where smtp_client_starttls is called */
    SMTP_CLIENT_TLS_WHEN_OFFERED, /* STARTTLS as soon as EHLO offers it; a failure ends the session */
    SMTP_CLIENT_TLS_REQUIRED, /* and nothing but EHLO, STARTTLS and QUIT is sent without; no HELO */
    SMTP_CLIENT_TLS_IMPLICIT, /* from the first octet */
};

/** Chain and name of the server's certificate are verified unless `insecure`. */
struct smtp_client_tls {
    enum smtp_client_tls_policy policy;
    const char *name; /* it must be for this domain name or address; NULL: the host connected to, or
                       * "localhost" with a Unix socket */
    const char *ca_file; /* PEM file of who is trusted; neither file nor text: the system's */
    const char *ca_pem;  /* the same as text */
    /** Called when the first handshake begins, where there is neither file nor text: the text, which
     *  lives as long as the client; "" or NULL: the system's. NULL: it is not asked for. */
    const char *(*find_ca_pem)(void *user);
    void *find_ca_user;
    bool insecure;                  /* any certificate will do: for tests alone */
    struct smtp_identity *identity; /* the client's certificate, NULL: none; retained */
    struct ssl_ctx_st *context; /* an SSL_CTX of the caller's in place of all but policy and name */
};

/** What to log in with. No control octet in any of it, with any mechanism (RFC 4013 2.3). The library
 *  wipes its copies of a secret when it has been used. */
struct smtp_client_credentials {
    const char *identity;               /* the user's name, UTF-8 */
    const char *password;               /* UTF-8; NULL where there is a token or a certificate */
    const char *token;                  /* for XOAUTH2 and OAUTHBEARER; NULL: none */
    const char *authorization_identity; /* whom to act as; NULL: the same */
    const char *mechanism;              /* "SCRAM-SHA-256"; NULL: the strongest offered */
    bool plain_without_tls;             /* PLAIN, LOGIN and tokens may be sent in the clear */
};

struct smtp_client_options {
    /** The name for EHLO: a domain or an address literal. NULL: the literal of the socket's own
     *  address, "[127.0.0.1]" (RFC 5321 4.1.4); nothing is looked up. */
    const char *helo_name;
    const char *source_address; /* numeric local address to connect from; NULL: any */
    bool pipelining;            /* true: use PIPELINING where it is offered (RFC 2920) */
    bool chunking;       /* true: BDAT in place of DATA where CHUNKING is offered (RFC 3030) */
    size_t chunk_octets; /* 1048576: the longest chunk, at least 1 */
    /** false: content with a line over 998 octets (RFC 5322 2.1.1) is SMTP_BAD_ARGUMENT, unless it is
     *  BINARYMIME; where that is not seen beforehand the connection ends. true: it goes out as it is, to
     *  test a server. */
    bool long_lines;
    /** A PROXY header to begin the connection with. NULL: none. Else "v1" or "v2", source, destination:
     *  "v2 192.0.2.1:40112 192.0.2.2:25", "v1 [2001:db8::1]:40112 [2001:db8::2]:25", "v1 unknown". */
    const char *proxy_header;
    struct smtp_client_timeouts timeouts;
    struct smtp_client_tls tls;
    smtp_client_log *log; /* NULL: none */
    void *log_user;
};
/** Sets every option to its default. */
void smtp_client_options_init(struct smtp_client_options *options);

/* ---- life ---- */

/** Makes a client that is not connected. options NULL: the defaults; they are copied.
 *  @return SMTP_OK, SMTP_BAD_ARGUMENT, SMTP_UNSAFE_ARGUMENT (helo_name), SMTP_NO_MEMORY. */
enum smtp_status smtp_client_new(struct smtp_client **out,
                                 const struct smtp_client_options *options) SMTP_MUST_CHECK;

/** Connects and reads the greeting. host: a name, an address, "host:port", "[IPv6]:port", or
 *  "unix:PATH"; with "lmtp://" before it, LMTP is spoken (RFC 2033): LHLO, and a result for each recipient
 *  from the server itself. port 0: the one in host, else SMTP_PORT (SMTP_LMTP_PORT). Each address the name
 *  has is tried in turn; a name that is not ASCII is looked up by its A-labels (RFC 5890). A connection that
 *  is still open is closed first, and all that was known of it forgotten.
 *  @return SMTP_OK; SMTP_RESOLVE_FAILED, SMTP_CONNECT_FAILED (the message says host, port and the
 *          reason), SMTP_TIMED_OUT, SMTP_CLOSED, SMTP_PROTOCOL_VIOLATION; SMTP_REFUSED_* for a
 *          greeting other than 220: QUIT is said and the connection closed. */
enum smtp_status smtp_client_connect(struct smtp_client *client, const char *host, uint16_t port)
    SMTP_MUST_CHECK;

/** STARTTLS and the handshake (RFC 3207), then EHLO is due again: all that was known is forgotten. Says
 *  EHLO first where nobody did.
 *  @return SMTP_OK; SMTP_UNSUPPORTED: not offered; SMTP_REFUSED_*; SMTP_TLS_FAILED: the handshake failed
 *          or the certificate is not trusted (the message says why), and the connection is closed;
 *          SMTP_PROTOCOL_VIOLATION: octets came behind the reply, in the clear, and it is closed;
 *          SMTP_BAD_STATE: TLS is up already. */
enum smtp_status smtp_client_starttls(struct smtp_client *client) SMTP_MUST_CHECK;

/** AUTH (RFC 4954): hello first where nobody said it (and STARTTLS where the policy says so), then one
 *  exchange by the named mechanism, or the strongest that the server offers and the credentials serve:
 *  SCRAM-SHA-256-PLUS, SCRAM-SHA-1-PLUS, SCRAM-SHA-256, SCRAM-SHA-1, CRAM-MD5, PLAIN, LOGIN with a
 *  password; OAUTHBEARER, XOAUTH2 with a token; EXTERNAL with neither. A refused secret is not tried again
 *  with a weaker one. A server that does not prove that it knows the password (SCRAM) has failed, and is
 *  left. CRAM-MD5, LOGIN and XOAUTH2 carry no authorization identity, and EXTERNAL nothing else.
 *  @return SMTP_OK; SMTP_REFUSED_* (535: wrong; 534: mechanism too weak; 538: TLS is needed);
 *          SMTP_UNSUPPORTED: no AUTH, or no mechanism that would do, is offered, or only such as would send
 *          the secret in the clear; SMTP_PROTOCOL_VIOLATION: a challenge that is none (the exchange was
 *          cancelled), or success without its proof, a wrong signature (the connection is closed);
 *          SMTP_BAD_STATE: a login succeeded before; SMTP_BAD_ARGUMENT (no UTF-8, credentials that the
 *          mechanism does not take), SMTP_UNSAFE_ARGUMENT: nothing was sent. */
enum smtp_status smtp_client_auth(struct smtp_client *client,
                                  const struct smtp_client_credentials *credentials)
    SMTP_MUST_CHECK;
/** The same with a name and a password. */
enum smtp_status smtp_client_login(struct smtp_client *client, const char *identity,
                                   const char *password) SMTP_MUST_CHECK;

/** Answers a challenge of AUTH, or gives the initial response: challenge NULL. *response, which need not
 *  be text, lives until the next call; a NULL pointer in it: none, the server shall begin. False: the
 *  exchange is cancelled with "*". */
typedef bool smtp_client_respond(void *user, const char *challenge, size_t challenge_len,
                                 const char **response, size_t *response_len);
/** AUTH by a mechanism of the caller's own, named as the server offers it; base64 is added and taken off. At
 *  most 10 challenges. Status as smtp_client_auth. */
enum smtp_status smtp_client_auth_with(struct smtp_client *client, const char *mechanism,
                                       smtp_client_respond *respond, void *user) SMTP_MUST_CHECK;

/** XCLIENT, Postfix's: tells a server that trusts this client who the peer is to be, like "NAME=a.example
 *  ADDR=192.0.2.1" (the values are encoded here). The session begins again: EHLO is due.
 *  SMTP_UNSUPPORTED: not offered, or not with that attribute. */
enum smtp_status smtp_client_xclient(struct smtp_client *client, const char *attributes)
    SMTP_MUST_CHECK;

/** Closes without QUIT. Idempotent. */
void smtp_client_close(struct smtp_client *client);
/** QUIT, waits for the reply, closes, whatever came. */
enum smtp_status smtp_client_quit(struct smtp_client *client);
/** Closes and frees. NULL: nothing. */
void smtp_client_free(struct smtp_client *client);

/* ---- one command each; the reply is in smtp_client_reply ---- */

enum smtp_status smtp_client_ehlo(struct smtp_client *client) SMTP_MUST_CHECK;
enum smtp_status smtp_client_helo(struct smtp_client *client) SMTP_MUST_CHECK;
/** EHLO, and HELO where that is refused (RFC 5321 3.2), unless either was accepted before. With LMTP: LHLO,
 *  as smtp_client_ehlo. */
enum smtp_status smtp_client_hello(struct smtp_client *client) SMTP_MUST_CHECK;
/** Says hello first where nobody did; parameters as in struct smtp_envelope, SIZE and BODY allowed.
 *  SMTP_UNSUPPORTED: one is of an extension that the server does not offer. */
enum smtp_status smtp_client_mail(struct smtp_client *client, const char *reverse_path,
                                  const char *parameters) SMTP_MUST_CHECK;
enum smtp_status smtp_client_rcpt(struct smtp_client *client, const char *forward_path,
                                  const char *parameters) SMTP_MUST_CHECK;
/** DATA, the content, the final dot. SMTP_DELIVERY_UNKNOWN when the connection ends after it. With LMTP a
 *  reply for each recipient that RCPT accepted: SMTP_OK, SMTP_PARTLY_REFUSED, or SMTP_REFUSED_* where all
 *  are refusals (_PERMANENT only if all are); see smtp_client_recipient_reply. */
enum smtp_status smtp_client_data(struct smtp_client *client, struct smtp_content content)
    SMTP_MUST_CHECK;
/** One chunk, BDAT (RFC 3030), octet for octet; the last one ends the message. After a chunk that was refused
 *  nothing but RSET and QUIT is sent (SMTP_BAD_STATE); nor is BDAT after DATA. SMTP_UNSUPPORTED:
 *  CHUNKING is not offered. */
enum smtp_status smtp_client_bdat(struct smtp_client *client, const void *octets, size_t len,
                                  bool last) SMTP_MUST_CHECK;
enum smtp_status smtp_client_rset(struct smtp_client *client) SMTP_MUST_CHECK;
enum smtp_status smtp_client_noop(struct smtp_client *client) SMTP_MUST_CHECK;
enum smtp_status smtp_client_vrfy(struct smtp_client *client, const char *name) SMTP_MUST_CHECK;
enum smtp_status smtp_client_expn(struct smtp_client *client, const char *list) SMTP_MUST_CHECK;
enum smtp_status smtp_client_help(struct smtp_client *client, const char *topic) SMTP_MUST_CHECK;
/** Any one line; a CRLF is added. 3yz is SMTP_OK too. */
enum smtp_status smtp_client_command(struct smtp_client *client, const char *line) SMTP_MUST_CHECK;

/* ---- whole messages ---- */

/** One message to all its recipients, in one transaction: hello where nobody said it, MAIL, RCPT
 *  each, DATA (in one write where PIPELINING is offered), the content, streamed; with BDAT where that is
 *  offered and options.chunking. Every way out leaves the session ready for the next message (RSET where
 *  needed) or closed. More recipients than the server's LIMITS (RFC 9422) take in one go in several
 *  transactions, where the content can be read again.
 *  A domain that is not ASCII goes as it is with SMTPUTF8, else as its A-labels; a local part needs
 *  SMTPUTF8.
 *  @param result  NULL, or set to the result, which lives until the client's next call.
 *  @return SMTP_OK: accepted for every recipient. SMTP_PARTLY_REFUSED: for some. SMTP_REFUSED_*:
 *          for none (_PERMANENT only if all are). SMTP_UNSUPPORTED: the server does not offer what
 *          the message needs: 8BITMIME for 8-bit content, a SIZE that it fits, SMTPUTF8 for an address,
 *          the extension of a parameter or an option; or LIMITS want several transactions, and the content
 *          can be read only once. SMTP_LIMIT_EXCEEDED: it takes no more messages, or domains, on one
 *          connection (LIMITS), and nothing was sent: connect again. SMTP_DELIVERY_UNKNOWN: the connection ended
 *          after the final dot.
 *          SMTP_SOURCE_FAILED: the connection is closed, so that no half message can count. */
enum smtp_status smtp_client_send(struct smtp_client *client, const struct smtp_envelope *envelope,
                                  struct smtp_content content,
                                  const struct smtp_send_result **result) SMTP_MUST_CHECK;

/** The same with the envelope from the message's own header: reverse-path from Sender, else the
 *  first address of From; forward-paths from To, Cc and Bcc; from their Resent- forms where there
 *  is one Resent- block (two are SMTP_BAD_ARGUMENT). Bcc and Resent-Bcc are left out of what is
 *  sent. A header that holds UTF-8 needs SMTPUTF8 (RFC 6531 3.4), which is SMTP_UNSUPPORTED where it is
 *  not offered. */
enum smtp_status smtp_client_send_message(struct smtp_client *client, struct smtp_content message,
                                          const struct smtp_send_result **result) SMTP_MUST_CHECK;

/** A message of a stream. Borrowed until its `sent`. */
struct smtp_outgoing {
    struct smtp_envelope envelope;
    struct smtp_content content;
};
/** Fills in the next message; false: there is none. Called for message 0, 1, 2, ... before those before it
 *  are answered for: what it hands out lives until their `sent`. */
typedef bool smtp_client_next(void *user, size_t index, struct smtp_outgoing *message);
/** What became of message `index`, in order, once each; the result lives until it returns. */
typedef void smtp_client_sent(void *user, size_t index, const struct smtp_send_result *result);
/** A stream of messages over one session. With PIPELINING the envelope of the next goes out behind the
 *  content of the one before (RFC 2920 3.1), with BDAT whole messages do (RFC 3030 4.2; not over LMTP), so that the way there and
 *  back is waited for once, not once a message. A refused message does not stop the stream; the end of the
 *  connection does, and then those that were not begun have no result; so does MAILMAX of LIMITS (RFC 9422),
 *  with the first that it keeps off.
 *  @param sent  may be NULL.
 *  @return SMTP_OK: all accepted for all; SMTP_PARTLY_REFUSED: some for some; SMTP_REFUSED_*: none;
 *          else what ended the session (SMTP_CLOSED: 421 too), or kept a message from being sent. */
enum smtp_status smtp_client_send_many(struct smtp_client *client, smtp_client_next *next,
                                       smtp_client_sent *sent, void *user) SMTP_MUST_CHECK;

/** Everything in one call: connects, TLS, AUTH, the message, QUIT.
 *      smtp://user:password@host:587?tls=required      smtps://user:password@host
 *      lmtp://host      lmtp://unix:/path      smtp://unix:/path      unix:path
 *  User, password, host and path percent-decoded (RFC 3986); a host that is not ASCII goes as its A-labels.
 *  Port: 465 with smtps, SMTP_LMTP_PORT with lmtp, else 587 with a user, else 25. The query, "&" between:
 *  tls=never|offered|required (smtp: required with a user, else offered), ca=FILE, name=NAME (to verify),
 *  insecure=1, auth=MECHANISM (of XOAUTH2 and OAUTHBEARER the password is the token), helo=NAME,
 *  chunking=no, pipelining=no. Anything else is SMTP_BAD_ARGUMENT with the part that is wrong, and no
 *  part of the URL is ever shown. options: NULL, or what the URL does not say; without tls= a stronger
 *  policy of theirs counts.
 *  @param error  NULL, or filled in: the same as smtp_client_error. */
enum smtp_status smtp_send_url(const char *url, const struct smtp_client_options *options,
                               const struct smtp_envelope *envelope, struct smtp_content content,
                               struct smtp_error *error) SMTP_MUST_CHECK;

/* ---- what it knows ---- */

/** NULL without TLS; lives until the connection ends. */
const struct smtp_tls_facts *smtp_client_tls(const struct smtp_client *client);
/** Whether AUTH succeeded on this connection. */
bool smtp_client_is_authenticated(const struct smtp_client *client);

/** The last reply; code 0 before any. */
const struct smtp_reply *smtp_client_reply(const struct smtp_client *client);
/** LMTP: the reply for the i-th recipient (0-based) that RCPT accepted, to the smtp_client_data or the last
 *  smtp_client_bdat that was the last call; NULL beyond the last, and with SMTP. */
const struct smtp_reply *smtp_client_recipient_reply(const struct smtp_client *client, size_t i);
/** What went wrong in the last call that failed; status SMTP_OK before any. */
const struct smtp_error *smtp_client_error(const struct smtp_client *client);
bool smtp_client_is_connected(const struct smtp_client *client);
/** Whether the last accepted EHLO reply has the keyword, in any case; false after HELO. */
bool smtp_client_has_extension(const struct smtp_client *client, const char *keyword);
/** The keyword's parameters as text, "" for none; NULL where it is not offered. */
const char *smtp_client_extension(const struct smtp_client *client, const char *keyword);

#ifdef __cplusplus
}
#endif
#endif
