/* arrivals.h - where a suite sees what the server under test delivered or relayed: a Maildir it reads, or a
 * port where it is the next hop. A check's message is one with its token in the header; one that has it behind the
 * header tells of that message: a notification. Shared by all threads. */
#ifndef SMTP_HARNESS_CONFORMANCE_ARRIVALS_H
#define SMTP_HARNESS_CONFORMANCE_ARRIVALS_H

#include "harness/conformance/check.h"

/** What the next hop offers and does; checks that want the same run beside each other, others wait. */
enum smtp_arrivals_mode {
    SMTP_ARRIVALS_PLAIN, /* PIPELINING 8BITMIME SMTPUTF8 DSN CHUNKING BINARYMIME ENHANCEDSTATUSCODES SIZE */
    SMTP_ARRIVALS_NO_DSN, /* the same without DSN */
    SMTP_ARRIVALS_REFUSING, /* 550 5.1.1 at the end of each message of a check's, not of one that tells of it */
    SMTP_ARRIVALS_STARTTLS, /* offers STARTTLS with a certificate nobody trusts; no REQUIRETLS */
};

struct smtp_arrivals;

enum smtp_status smtp_arrivals_new_maildir(struct smtp_arrivals **out, const char *directory,
                                           struct smtp_error *error) SMTP_MUST_CHECK;
/** Listens on 127.0.0.1 and serves on a thread of its own. */
enum smtp_status smtp_arrivals_new_sink(struct smtp_arrivals **out, uint16_t port,
                                        struct smtp_error *error) SMTP_MUST_CHECK;
void smtp_arrivals_free(struct smtp_arrivals *arrivals); /* NULL: nothing */
bool smtp_arrivals_is_sink(const struct smtp_arrivals *arrivals);
uint16_t smtp_arrivals_port(const struct smtp_arrivals *arrivals); /* of a sink */

/** One message as it arrived; its octets live as long as the check. */
struct smtp_arrival {
    struct smtp_span
        content; /* CRLF line ends; as it is in a Maildir, or unstuffed from the wire */
    /* of a sink, "" else */
    struct smtp_span mail;  /* the MAIL line */
    struct smtp_span rcpts; /* the RCPT lines, LF between */
    struct smtp_span
        raw; /* all octets from the client in that transaction, MAIL's and the final dot's with them */
    bool refused; /* by the sink (SMTP_ARRIVALS_REFUSING): it was tried, and has not arrived */
};

/** The sink's mode for this check from now until its end: it begins with SMTP_ARRIVALS_PLAIN. Waits for those with
 *  another mode, and the check's time begins anew. Without a sink: nothing. */
void smtp_arrivals_use(struct smtp_check *check, enum smtp_arrivals_mode mode);
/** Waits for the check's first message; fails where none comes within the scenario's time. */
bool smtp_arrivals_wait(struct smtp_check *check, struct smtp_arrival *arrival);
/** Waits until `count` have come, in that order. */
bool smtp_arrivals_wait_many(struct smtp_check *check, struct smtp_arrival *arrivals, size_t count);
/** Waits for a message with that token in place of the check's; false: none came within the scenario's time, which decides
 *  nothing. */
bool smtp_arrivals_wait_for_token(struct smtp_check *check, const char *token);
/** How many messages of the check's there are, once none has come for quiet_ms. */
size_t smtp_arrivals_settled(struct smtp_check *check);
/** Waits for a notification about the check's message; fails where none comes within the scenario's time. */
bool smtp_arrivals_notified(struct smtp_check *check, struct smtp_arrival *arrival);
/** Whether one comes within ten quiet_ms, where none should or none need. Decides nothing. */
bool smtp_arrivals_notified_soon(struct smtp_check *check, struct smtp_arrival *arrival);
/** The same, counted from when the sink has refused the check's message; skips where it is not tried in the scenario's
 *  time, for until then nobody knows of a failure. */
bool smtp_arrivals_notified_of_refusal(struct smtp_check *check, struct smtp_arrival *arrival);

/* ---- for suite.c ---- */

/** The check is over: others may use the sink in another mode. */
void smtp_arrivals_leave(struct smtp_check *check);

/* ---- for arrivals_maildir.c and arrivals_sink.c ---- */

/** A message has come; its spans are copied. */
void smtp_arrivals_add(struct smtp_arrivals *arrivals, const struct smtp_arrival *arrival);
struct smtp_span smtp_arrivals_header(struct smtp_span content);
/** Whether the header is a notification's (RFC 3464 2), whose fields can name the message that it tells of. */
bool smtp_arrivals_is_notification(struct smtp_span header);
enum smtp_arrivals_mode smtp_arrivals_mode(struct smtp_arrivals *arrivals);
/** Who watches, on threads of its own; stop joins them. NULL: *error says why. */
struct smtp_arrivals_watch;
struct smtp_arrivals_watch *smtp_arrivals_watch_maildir(struct smtp_arrivals *arrivals,
                                                        const char *directory,
                                                        struct smtp_error *error);
void smtp_arrivals_stop_maildir(struct smtp_arrivals_watch *watch);
struct smtp_arrivals_sink;
struct smtp_arrivals_sink *smtp_arrivals_listen(struct smtp_arrivals *arrivals, uint16_t port,
                                                struct smtp_error *error);
uint16_t smtp_arrivals_sink_port(const struct smtp_arrivals_sink *sink);
void smtp_arrivals_stop_sink(struct smtp_arrivals_sink *sink);

#endif
