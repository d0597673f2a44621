/* flow.h - messages sent through a session without a socket: a stream of them, as fast as the session
 * lets it, against a server that is a text. */
#ifndef SMTP_TESTS_UNIT_CLIENT_FLOW_H
#define SMTP_TESTS_UNIT_CLIENT_FLOW_H

#include "client/protocol/session.h"

#define FLOW_MESSAGES 4
#define FLOW_RECIPIENTS 8 /* of each, at most */

/** What is sent, and to a server that offers what. */
struct flow_of {
    const char *offered; /* keywords with their parameters, a line each: "PIPELINING\nCHUNKING\n" */
    bool lmtp;
    bool no_chunking;    /* options.chunking is false */
    size_t chunk_octets; /* 0: the default */
    bool size_unknown;
    bool in_one_piece; /* content is given whole where the session takes it so */
    size_t block;      /* else in blocks of so many octets; 0: one block */
    enum smtp_body body;
    bool by_steps; /* nothing is begun; content is that of the first message */
    size_t count;  /* messages; 0: one */
    struct {
        const char *recipients; /* parted by spaces; NULL: "b@x" */
        const char *content;    /* NULL: FLOW_CONTENT */
    } messages[FLOW_MESSAGES];
};
#define FLOW_CONTENT "Subject: x\n\n.a" /* 18 octets with its line ends */

struct flow {
    const struct flow_of *of;
    const char *what; /* for messages of failure */
    struct smtp_client_options options;
    struct smtp_client_session *session;
    struct smtp_buffer said; /* by the client, since the reply to EHLO */
    size_t compared;         /* of it */
    struct {
        struct smtp_envelope envelope;
        char recipients[80];
        const char *paths[FLOW_RECIPIENTS];
        enum smtp_status outcomes[FLOW_RECIPIENTS]; /* where it is done */
    } messages[FLOW_MESSAGES];
    size_t begun;
    size_t done;
    size_t given; /* octets of the content of the message begun last */
    bool wanted;
    uint64_t now_ns;
    char
        results[1000]; /* a line for each message that is done: "OK 250@final dot 550@RCPT", and for
                         * each reply to a single command: "OK 250@NOOP" */
};

/** Opens, says hello, begins what may be begun. */
void flow_open(struct flow *flow, const struct flow_of *of, const char *what);
void flow_close(struct flow *flow);
/** Writes at most `octets`; content follows where it is wanted. Returns how many went. */
size_t flow_write(struct flow *flow, size_t octets);
/** Octets of the server's, in pieces of so many; 0: in one. */
void flow_hear(struct flow *flow, const char *octets, size_t len, size_t piece);
/** Handles events, gives content, begins messages. */
void flow_go_on(struct flow *flow);

/** A whole dialogue behind EHLO: C: lines must come out, and nothing else may be on its way when the S:
 *  lines are said; [close] and [timeout]. */
void flow_play(struct flow *flow, const char *lines, size_t piece);

struct flow_dialogue {
    const char *what;
    struct flow_of of;
    const char *lines;
    const char *results; /* as struct flow has them */
    bool ended;          /* the session, afterwards */
};
/** Plays a dialogue, the server's octets in pieces of so many (0: whole lines), and compares. */
void flow_compare(const struct flow_dialogue *dialogue, const struct flow_of *of, size_t piece);

#define FLOW_FAIL(flow, ...)                                                                       \
    do {                                                                                           \
        char text_[2400];                                                                          \
        snprintf(text_, sizeof(text_), __VA_ARGS__);                                               \
        SMTP_TEST_FAIL("%s: %s", (flow)->what, text_);                                             \
    } while (0)

#endif
