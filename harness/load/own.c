/* own.c - see own.h. */
#include "harness/load/own.h"

#include "common/error.h"
#include "harness/load/stamp.h"
#include "server/smtp_server.h"

#include <stdio.h>
#include <stdlib.h>

struct smtp_load_own {
    struct smtp_server *server;
    struct smtp_tally arrived;
    atomic_uint_fast64_t damaged;
    char host[64];
};

static enum smtp_server_verdict look_at(void *user, const struct smtp_server_session_info *session,
                                        struct smtp_message *message,
                                        struct smtp_server_reply *reply)
{
    struct smtp_load_own *own = user;
    uint64_t number = 0;
    struct smtp_span content;
    (void)session;
    (void)reply;
    content.bytes = smtp_message_content(message, &content.len);
    if (!smtp_stamp_read(content, &number) || !smtp_tally_add(&own->arrived, number)) {
        atomic_fetch_add_explicit(&own->damaged, 1, memory_order_relaxed);
    }
    return SMTP_ACCEPT;
}

static void set_options(struct smtp_server_options *server,
                        const struct smtp_load_own_options *options, struct smtp_load_own *own)
{
    smtp_server_options_init(server);
    server->workers = options->workers;
    server->hooks = (struct smtp_server_hooks){.user = own, .message = look_at};
    server->mailbox = SMTP_MAILBOX_DISCARD;
    server->limits.recipients = options->recipients;
    server->limits.message_octets = options->octets;
    server->limits.sessions = 0;
    server->tls.mode = options->tls || options->scheme == SMTP_LOAD_SMTPS ? SMTP_SERVER_TLS_OFFERED
                                                                          : SMTP_SERVER_TLS_OFF;
}

enum smtp_status smtp_load_own_start(struct smtp_load_own **out,
                                     const struct smtp_load_own_options *options,
                                     struct smtp_error *error)
{
    static const char *const listen[] = {
        [SMTP_LOAD_SMTP] = "127.0.0.1:0",
        [SMTP_LOAD_SMTPS] = "smtps://127.0.0.1:0",
        [SMTP_LOAD_LMTP] = "lmtp://127.0.0.1:0",
    };
    struct smtp_server_options server;
    *out = NULL;
    struct smtp_load_own *own = calloc(1, sizeof *own);
    if (own == NULL) {
        return smtp_error_set(error, SMTP_NO_MEMORY, 0, "out of memory");
    }
    set_options(&server, options, own);
    server.listen = &listen[options->scheme];
    server.listen_count = 1;
    const struct smtp_client_credentials *credentials = options->credentials;
    struct smtp_server_user user = {NULL, NULL};
    if (credentials != NULL) {
        user = (struct smtp_server_user){credentials->identity, credentials->password != NULL
                                                                    ? credentials->password
                                                                    : credentials->token};
        server.auth.users = &user;
        server.auth.user_count = 1;
        server.auth.required = true;
        server.auth.plain_without_tls = credentials->plain_without_tls;
    }
    enum smtp_status status = smtp_server_new(&own->server, &server, error);
    status = status == SMTP_OK ? smtp_server_start(own->server, error) : status;
    if (status != SMTP_OK) {
        smtp_load_own_free(own);
        return status;
    }
    snprintf(own->host, sizeof own->host, "%s127.0.0.1:%u",
             options->scheme == SMTP_LOAD_LMTP ? "lmtp://" : "",
             (unsigned)smtp_server_port(own->server, 0));
    *out = own;
    return SMTP_OK;
}

const char *smtp_load_own_host(const struct smtp_load_own *own)
{
    return own->host;
}

const char *smtp_load_own_ca_pem(const struct smtp_load_own *own)
{
    return smtp_server_ca_pem(own->server);
}

void smtp_load_own_stop(struct smtp_load_own *own)
{
    smtp_server_stop(own->server, 1000);
}

const struct smtp_tally *smtp_load_own_arrived(const struct smtp_load_own *own)
{
    return &own->arrived;
}

uint64_t smtp_load_own_damaged(const struct smtp_load_own *own)
{
    return own->damaged;
}

void smtp_load_own_free(struct smtp_load_own *own)
{
    if (own != NULL) {
        smtp_server_free(own->server);
        smtp_tally_clear(&own->arrived);
        free(own);
    }
}
