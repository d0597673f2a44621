/* client.h - what a client holds; for the files of this folder. */
#ifndef SMTP_CLIENT_CLIENT_H
#define SMTP_CLIENT_CLIENT_H

#include "client/content_source.h"
#include "client/options.h"
#include "client/protocol/session.h"
#include "common/address.h"
#include "common/tls.h"

#define SMTP_CLIENT_READ_SIZE 4096 /* replies are short; the rest of a longer one comes next */

/** An envelope read from a message's header. */
struct smtp_client_header_envelope {
    struct smtp_envelope envelope;
    struct smtp_mail_options mail; /* SMTPUTF8, where the header holds UTF-8 */
    struct smtp_buffer texts;
    const char **forward_paths;
};

/** The result of a message that went in several transactions (parts.c). */
struct smtp_client_joined_result {
    struct smtp_send_result result;
    struct smtp_recipient_result *recipients; /* in the caller's order */
    struct smtp_client_kept_texts *texts;     /* of their replies */
};

struct smtp_client {
    struct smtp_client_options options; /* its strings are owned */
    struct smtp_client_session *session;
    int fd;               /* -1: not connected */
    uint64_t connections; /* that were made, or tried */
    bool lmtp;            /* LMTP is spoken on this connection (RFC 2033) */
    bool as_another;      /* XCLIENT was taken on it */
    bool
        answered_each; /* the last call brought a reply for each recipient, in the session's result */
    struct smtp_address address;
    uint64_t overall_deadline_ns;
    struct smtp_tls *tls; /* NULL: in the clear */
    uint64_t handshake_deadline_ns;
    size_t encrypted;                   /* octets of the session's that wait in tls, encrypted */
    struct ssl_ctx_st *tls_context;     /* made when it is first needed */
    struct ssl_session_st *tls_session; /* of the last connection, to be resumed with its server */
    struct smtp_address tls_session_address;
    struct smtp_reply reply;
    struct smtp_error error;
    enum smtp_client_stage stage;    /* of the last command */
    struct smtp_send_result unbegun; /* of a message whose transaction did not come to be */
    struct smtp_client_joined_result joined;
    char *
        *domains; /* of recipients, sorted; where the server limits how many a connection brings */
    size_t domain_count;
    char helo_name[SMTP_HOST_MAX + 1]; /* the one in use on this connection */
    char in[SMTP_CLIENT_READ_SIZE];    /* read and not yet taken by the session */
    size_t in_at;
    size_t in_len;
    char refusal_text[512]; /* of a greeting that was refused: QUIT's reply came after it */
    struct smtp_client_header_envelope envelope; /* of the message that send_message sends */
    struct smtp_buffer header; /* of the message that send_message sends, without Bcc */
};

/* ---- smtp_client.c ---- */
/** Runs one command to its end; source: the content of DATA, else NULL. */
enum smtp_status smtp_client_run(struct smtp_client *client, enum smtp_client_stage stage,
                                 const struct smtp_client_command *command,
                                 struct smtp_client_source *source) SMTP_MUST_CHECK;
/** A new connection is due: closes what is open, and finds out where it is to go, into client->address. */
enum smtp_status smtp_client_aim(struct smtp_client *client, const char *host, uint16_t port)
    SMTP_MUST_CHECK;
/** QUIT after a failure: that stays what the caller is told. */
void smtp_client_quit_quietly(struct smtp_client *client);

/* ---- connection.c ---- */
/** Connects; the greeting is still to come. */
enum smtp_status smtp_client_connection_open(struct smtp_client *client) SMTP_MUST_CHECK;
/** Its parts, for who connects by himself: client->fd is connected, and client->address says where to. After `entered`
 *  comes TLS where it is implicit, then `opened`. */
enum smtp_status smtp_client_connection_entered(struct smtp_client *client, uint64_t deadline_ns)
    SMTP_MUST_CHECK;
void smtp_client_connection_opened(struct smtp_client *client);
void smtp_client_connection_close(struct smtp_client *client);
/** Before an operation: hears what the server said unasked. SMTP_OK, or why nothing can be sent. */
enum smtp_status smtp_client_connection_check(struct smtp_client *client) SMTP_MUST_CHECK;
/** Moves octets until the operation is over: *event is its last. source: for content, or NULL. */
void smtp_client_connection_run(struct smtp_client *client, struct smtp_client_source *source,
                                struct smtp_client_event *event);
/** A block of content where the session takes one. False: not now. */
bool smtp_client_connection_give(struct smtp_client *client, struct smtp_client_source *source);
/** Waits, and reads or writes once. */
void smtp_client_connection_move(struct smtp_client *client);
/** Its parts, which do not wait: */
/** What was read already goes to the session, or what TLS holds. False: there is nothing. */
bool smtp_client_connection_take(struct smtp_client *client);
/** Reads what is there; the socket can be read. */
void smtp_client_connection_read(struct smtp_client *client);
/** Writes what the socket takes. */
void smtp_client_connection_write(struct smtp_client *client);
bool smtp_client_connection_wants_to_write(const struct smtp_client *client);

/** A line for the log. */
void smtp_client_note(const struct smtp_client *client, enum smtp_client_log_kind kind,
                      const char *text);

/* ---- secure.c: TLS, where client->tls is not NULL ---- */
/** Makes the context, where there is none yet; the connection is not touched. */
enum smtp_status smtp_client_secure_prepare(struct smtp_client *client) SMTP_MUST_CHECK;
/** Frees what outlives a connection. */
void smtp_client_secure_clear(struct smtp_client *client);
/** The whole handshake; prepare first. On failure the connection is closed and the error set. */
enum smtp_status smtp_client_secure_start(struct smtp_client *client) SMTP_MUST_CHECK;
/** The same in two halves, for who waits by himself: shake goes on until `until_ns`, 0 for what needs no waiting, then
 *  it is SMTP_TIMED_OUT while the handshake still has time. */
enum smtp_status smtp_client_secure_begin(struct smtp_client *client) SMTP_MUST_CHECK;
enum smtp_status smtp_client_secure_shake(struct smtp_client *client, uint64_t until_ns)
    SMTP_MUST_CHECK;
/** Octets that came already, into client->in; false: none. The session hears of an end. */
bool smtp_client_secure_take(struct smtp_client *client);
/** The same with what the socket has. SMTP_TIMED_OUT: nothing. */
enum smtp_status smtp_client_secure_read(struct smtp_client *client) SMTP_MUST_CHECK;
/** Whether something of TLS's own, or encrypted before, waits to be written. */
bool smtp_client_secure_wants_to_write(const struct smtp_client *client);
/** Writes what the socket takes, and tells the session. SMTP_TIMED_OUT: nothing. */
enum smtp_status smtp_client_secure_write(struct smtp_client *client) SMTP_MUST_CHECK;
/** Says that nothing more comes, as far as the socket takes it, and frees. */
void smtp_client_secure_end(struct smtp_client *client);

/* ---- auth.c ---- */
/** The connection's channel binding data, where it has TLS. */
struct smtp_client_binding_octets {
    char tls_unique[SMTP_TLS_BINDING_MAX];
    char tls_exporter[SMTP_TLS_BINDING_MAX];
};
/** The exchange that is due with these credentials, which were checked, on a connection that said hello; it, and what is in
 *  *bindings, lives until the exchange is over. SMTP_UNSUPPORTED says why there is none. */
struct smtp_client_sasl;
enum smtp_status smtp_client_auth_prepare(struct smtp_client *client,
                                          const struct smtp_client_credentials *credentials,
                                          struct smtp_client_binding_octets *bindings,
                                          struct smtp_client_sasl **out) SMTP_MUST_CHECK;

/* ---- hello.c ---- */
/** Whether STARTTLS is due now, by the policy and by what is offered. */
bool smtp_client_tls_is_due(const struct smtp_client *client);
/** Whether HELO may follow a refused EHLO. */
bool smtp_client_may_say_helo(const struct smtp_client *client);

/* ---- report.c: the error messages ---- */
/** What a REPLY or ENDED event says to a caller. what: the command, like "MAIL FROM:<a@b>". */
enum smtp_status smtp_client_report_event(struct smtp_client *client,
                                          const struct smtp_client_event *event, const char *what);
/** Where no greeting came: a port with TLS from the first octet gives none in the clear. */
void smtp_client_report_silence(struct smtp_client *client);
/** What a transaction's result says. */
enum smtp_status smtp_client_report_result(struct smtp_client *client,
                                           const struct smtp_envelope *envelope);

/* ---- send.c ---- */
/** Hello where nobody said it, and what the server said unasked. */
enum smtp_status smtp_client_send_prepare(struct smtp_client *client) SMTP_MUST_CHECK;
/** Finds out what can be known of the content of a message with this envelope. */
enum smtp_status smtp_client_send_measure(struct smtp_client *client,
                                          const struct smtp_envelope *envelope,
                                          struct smtp_client_source *source) SMTP_MUST_CHECK;
/** One transaction to its end, with nothing else in flight; *result is NULL where it was not begun. */
enum smtp_status smtp_client_send_one(struct smtp_client *client,
                                      const struct smtp_envelope *envelope,
                                      struct smtp_client_source *source,
                                      const struct smtp_send_result **result) SMTP_MUST_CHECK;
/** Nothing was sent of this message: there is a result all the same. */
enum smtp_status smtp_client_send_not_begun(struct smtp_client *client, enum smtp_status status,
                                            const struct smtp_send_result **result);

/* ---- limits.c: LIMITS (RFC 9422) ---- */
/** MAIL commands that the server still takes on this connection; UINT64_MAX: any number. */
uint64_t smtp_client_limits_mails_left(const struct smtp_client *client);
/** How many transactions the envelope needs here; 1 mostly. */
size_t smtp_client_limits_count(const struct smtp_client *client,
                                const struct smtp_envelope *envelope);
/** Before a message is sent: SMTP_LIMIT_EXCEEDED where the server takes no more of that kind on this
 *  connection. Its domains count from now on, unless something else keeps it from being sent. */
enum smtp_status smtp_client_limits_admit(struct smtp_client *client,
                                          const struct smtp_envelope *envelope,
                                          const struct smtp_client_content_facts *facts)
    SMTP_MUST_CHECK;
/** On a new connection nothing counts yet. */
void smtp_client_limits_forget(struct smtp_client *client);

/* ---- parts.c ---- */
/** The message in several transactions, with one result. SMTP_UNSUPPORTED: its content cannot be read
 *  again, and nothing was sent; *result is NULL where nothing was. */
enum smtp_status smtp_client_parts_send(struct smtp_client *client,
                                        const struct smtp_envelope *envelope,
                                        struct smtp_client_source *source,
                                        const struct smtp_send_result **result) SMTP_MUST_CHECK;
void smtp_client_parts_clear(struct smtp_client_joined_result *joined); /* frees */

/* ---- envelope.c ---- */
/** Reads the header section of source and somewhat beyond. end: how long it is. SMTP_LIMIT_EXCEEDED: it is
 *  longer than 1 MiB. */
enum smtp_status smtp_client_header_read(struct smtp_client_source *source,
                                         struct smtp_buffer *header, size_t *end,
                                         struct smtp_error *error) SMTP_MUST_CHECK;
/** Fills in the envelope from a header section; clear it in any case. lenient: what it does not name is NULL,
 *  or no recipient, else SMTP_BAD_ARGUMENT. */
enum smtp_status smtp_client_envelope_collect(struct smtp_client_header_envelope *out,
                                              struct smtp_span header, bool lenient,
                                              struct smtp_error *error) SMTP_MUST_CHECK;
/** Takes Bcc and Resent-Bcc out of the header section that `all` begins with. Returns its new length. */
size_t smtp_client_header_remove_bcc(struct smtp_buffer *all, size_t end);
/** Reads the header section of source, fills in the envelope, and leaves in source the message
 *  without Bcc. header: takes the header section; both live until the source is of no more use. */
enum smtp_status smtp_client_envelope_read(struct smtp_client_header_envelope *out,
                                           struct smtp_client_source *source,
                                           struct smtp_buffer *header, struct smtp_error *error)
    SMTP_MUST_CHECK;
void smtp_client_envelope_clear(struct smtp_client_header_envelope *envelope);

#endif
