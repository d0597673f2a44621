/* core.h - drives a session core without a socket, for the tests of server/protocol/. */
#ifndef SMTP_TESTS_UNIT_SERVER_CORE_H
#define SMTP_TESTS_UNIT_SERVER_CORE_H

#include "common/bytes.h"
#include "server/protocol/session.h"

#define CORE_MESSAGES_MAX 16

/** What most sessions here begin with, and what is said to it, as core_codes tells it. */
#define CORE_OPENING "EHLO client.test\r\nMAIL FROM:<a@x.test>\r\nRCPT TO:<b@y.test>\r\n"
#define CORE_OPENED "220 250 250/2.1.0 250/2.1.5 "

/** What a test wants decided: called for each question; NULL accepts everything. reply: with LMTP and a
 *  message one for each recipient. */
typedef enum smtp_server_verdict core_decide(const struct smtp_server_event *event,
                                             struct smtp_server_reply *reply);
struct core;
/** What a test makes of a step of AUTH; NULL refuses everything. steps: those before it in the exchange,
 *  of which the first has none. */
typedef struct smtp_server_auth_answer core_answer_auth(const struct smtp_server_event *event,
                                                        unsigned steps);

struct core {
    struct smtp_server_session_config config;
    struct smtp_server_session *session;
    core_decide *decide;
    core_answer_auth *answer_auth;
    const struct smtp_tls_facts *implicit_tls; /* the connection begins with TLS; NULL: without */
    bool lmtp;
    bool trusted; /* the peer may use XCLIENT */
    uint64_t now_ns;
    struct smtp_buffer output; /* all the server said */
    struct smtp_buffer log;    /* "C:..." "S:..." "N:..." lines */
    struct smtp_message *messages[CORE_MESSAGES_MAX];
    size_t message_count;
    size_t reset_count;
    size_t start_tls_count;
    size_t cancelled_count;
    unsigned auth_steps;
    /* what config.content and config.drop were told, by core_take_content */
    struct smtp_buffer given;
    size_t given_wanted; /* after so many octets, no more */
    size_t give_count;
    size_t drop_count;
};

/** The defaults, nothing asked. Change its config, then core_open. */
struct core core_defaults(void);
/** Content is given as it comes, up to so many octets. Before core_open. */
void core_take_content(struct core *core, size_t wanted);
void core_open(struct core *core);
void core_feed(struct core *core, const char *bytes, size_t len);
void core_feed_text(struct core *core, const char *text);
/** Takes what is pending and handles events; core_feed does so too. */
void core_settle(struct core *core);
void core_clear(struct core *core);

/** All replies so far as codes with their enhanced codes: "220 250 250/2.1.0 501/5.5.4". */
const char *core_codes(const struct core *core);
/** NUL-terminated. */
const char *core_output(struct core *core);
const char *core_log(struct core *core);
const char *core_given(struct core *core);

/** Runs the whole input in a fresh session (as `prepared` is set up) whole, octet by octet, and cut
 *  at every offset; each time the replies must be `codes` and the contents captured `contents`, a
 *  list that ends with NULL. */
void core_expect(const struct core *prepared, const char *input, size_t len, const char *codes,
                 const char *const *contents);
#define CORE_EXPECT(prepared, text, codes, ...)                                                    \
    core_expect(prepared, "" text, sizeof(text) - 1, codes,                                        \
                (const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL})

#endif
