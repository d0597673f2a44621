/* server_core.h - a server's core by itself, as a server with its defaults has one for each session. Knows no sockets. */
#ifndef SMTP_TESTS_BENCH_SERVER_CORE_H
#define SMTP_TESTS_BENCH_SERVER_CORE_H

#include "server/protocol/session.h"

/** Makes and opens one; NULL: out of memory. config is filled in, and lives as long as the session does. */
static inline struct smtp_server_session *
server_core_open(struct smtp_server_session_config *config, uint64_t now_ns)
{
    static const struct smtp_server_session_start start = {.number = 1, .peer = "127.0.0.1:1"};
    struct smtp_server_options options;
    smtp_server_options_init(&options);
    *config = (struct smtp_server_session_config){.hostname = "mx.test",
                                                  .greeting_text = "ESMTP",
                                                  .limits = options.limits,
                                                  .keywords = options.keywords,
                                                  .mechanisms_clear = "",
                                                  .mechanisms_tls = "",
                                                  .mechanisms_too_weak = ""};
    struct smtp_server_session *session = smtp_server_session_new(config, &start);
    if (session != NULL) {
        smtp_server_session_open(session, now_ns);
    }
    return session;
}

#endif
