/* smtp_status.h - how every function of the three libraries tells what came of a call.
 *
 * A function that can fail returns `enum smtp_status`. SMTP_OK is 0. What else came of it is said
 * in a `struct smtp_error` where the function has one: in storage of the caller's, with no
 * allocation.
 * A refusal by the server is an answer, not a fault: SMTP_REFUSED_* comes with the whole reply.
 * Everything here is constant and may be used from any thread.
 */
#ifndef SMTP_STATUS_H
#define SMTP_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

/* name, text; in groups by what the caller can do about it */
#define SMTP_STATUS_MAP(X)                                                                         \
    X(OK, "success")                                                                               \
    /* usage: mend the call */                                                                     \
    X(BAD_ARGUMENT, "an argument is out of its range or malformed")                                \
    X(UNSAFE_ARGUMENT, "an argument holds a control octet or would add to the command")            \
    X(BAD_STATE, "the call does not fit what was done before it")                                  \
    /* reaching the peer: mend the address or the peer */                                          \
    X(RESOLVE_FAILED, "the host name has no address")                                              \
    X(CONNECT_FAILED, "no address of the host took the connection")                                \
    X(LISTEN_FAILED, "the address cannot be listened on")                                          \
    X(TIMED_OUT, "the deadline passed first")                                                      \
    X(CLOSED, "the peer closed the connection")                                                    \
    X(PROTOCOL_VIOLATION, "the peer broke the protocol")                                           \
    X(TLS_FAILED, "TLS could not be set up, or the peer's certificate is not trusted")             \
    /* the peer's answer: a refusal, with its reply */                                             \
    X(REFUSED_TRANSIENT, "refused for now (4yz)")                                                  \
    X(REFUSED_PERMANENT, "refused for good (5yz)")                                                 \
    X(PARTLY_REFUSED, "accepted for some recipients and refused for others")                       \
    X(UNSUPPORTED, "the peer does not offer what this needs")                                      \
    /* after the final dot: the message may or may not have been taken */                          \
    X(DELIVERY_UNKNOWN, "the connection was lost after the content: unknown whether delivered")    \
    /* this side */                                                                                \
    X(LIMIT_EXCEEDED, "a limit of this side was reached, or one that the peer announced")          \
    X(SOURCE_FAILED, "the content's source could not be read")                                     \
    X(SYSTEM_FAILED, "the operating system refused a resource")                                    \
    X(NO_MEMORY, "out of memory")                                                                  \
    /* assertions */                                                                               \
    X(NOT_AS_EXPECTED, "what was captured is not what was expected")

enum smtp_status {
#define X(name, text) SMTP_##name,
    SMTP_STATUS_MAP(X)
#undef X
};

/** The status as a word, like "TIMED_OUT"; never NULL. */
const char *smtp_status_name(enum smtp_status status);

/** The status as a sentence's half, like "the deadline passed first"; never NULL. */
const char *smtp_status_text(enum smtp_status status);

#define SMTP_ERROR_MESSAGE_SIZE 256

/** What went wrong: the status, the errno of the failed system call or 0, and one line that says
 *  what was expected, what came and what to do. Plain data; copy it as you like. */
struct smtp_error {
    enum smtp_status status;
    int sys_errno;
    char message[SMTP_ERROR_MESSAGE_SIZE];
};

#ifdef __GNUC__
#define SMTP_MUST_CHECK __attribute__((warn_unused_result))
#define SMTP_PRINTF(format_index, first_index)                                                     \
    __attribute__((format(printf, format_index, first_index)))
#else
#define SMTP_MUST_CHECK
#define SMTP_PRINTF(format_index, first_index)
#endif

#ifdef __cplusplus
}
#endif
#endif
