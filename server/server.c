/* server.c - making, freeing and asking a server; life.c starts and stops it.
 * Does not know: sockets, sessions. */
#include "server/server.h"

#include "common/deadline.h"
#include "common/error.h"
#include "server/hooks.h"

#include <stdlib.h>

static enum smtp_status init_loops(struct smtp_server *server, struct smtp_error *error)
{
    unsigned count = server->settings.workers;
    server->loops = calloc(count, sizeof *server->loops);
    if (server->loops == NULL) {
        return smtp_error_set(error, SMTP_NO_MEMORY, 0, "out of memory");
    }
    for (unsigned i = 0; i < count; i++) {
        enum smtp_status status = smtp_server_loop_init(&server->loops[i], server, error);
        if (status != SMTP_OK) {
            while (i > 0) {
                smtp_server_loop_clear(&server->loops[--i]);
            }
            free(server->loops);
            server->loops = NULL;
            return status;
        }
    }
    return SMTP_OK;
}

static void clear_loops(struct smtp_server *server)
{
    for (unsigned i = 0; server->loops != NULL && i < server->settings.workers; i++) {
        smtp_server_loop_clear(&server->loops[i]);
    }
    free(server->loops);
}

/* The loops live as long as the server, running or not: smtp_server_request_stop may then come from
 * a signal handler at any time between new and free. */
static enum smtp_status init_parts(struct smtp_server *server, struct smtp_error *error)
{
    server->mailbox = smtp_mailbox_new();
    if (server->mailbox == NULL) {
        return smtp_error_set(error, SMTP_NO_MEMORY, 0, "out of memory");
    }
    smtp_mailbox_bound(server->mailbox, server->settings.ring_messages,
                       server->settings.ring_octets);
    enum smtp_status status = init_loops(server, error);
    if (status == SMTP_OK && smtp_server_acceptor_init(&server->acceptor, server) != SMTP_OK) {
        return smtp_error_set(error, SMTP_NO_MEMORY, 0, "out of memory");
    }
    return status;
}

static void free_parts(struct smtp_server *server)
{
    clear_loops(server);
    smtp_server_acceptor_clear(&server->acceptor);
    smtp_server_certificate_clear(&server->certificate);
    smtp_mailbox_free(server->mailbox);
    pthread_cond_destroy(&server->changed);
    pthread_mutex_destroy(&server->lock);
    smtp_server_settings_clear(&server->settings);
    free(server);
}

static enum smtp_status init_settings(struct smtp_server *server,
                                      const struct smtp_server_options *options,
                                      struct smtp_error *error)
{
    struct smtp_server_options defaults;
    if (options == NULL) {
        smtp_server_options_init(&defaults);
        options = &defaults;
    }
    enum smtp_status status = smtp_server_settings_init(&server->settings, options, error);
    if (status != SMTP_OK) {
        return status;
    }
    const struct smtp_server_tables *tables = &server->settings.tables;
    struct smtp_server_session_config *config = &server->settings.config;
    config->log = smtp_server_tables_take_log(tables) ? smtp_server_log : NULL;
    if (smtp_server_tables_take_content(tables)) {
        config->content = smtp_server_give_content;
        config->drop = smtp_server_drop_content;
    }
    status =
        smtp_server_certificate_init(&server->certificate, &server->settings, &options->tls, error);
    if (status != SMTP_OK) {
        smtp_server_certificate_clear(&server->certificate);
        smtp_server_settings_clear(&server->settings);
    }
    return status;
}

enum smtp_status smtp_server_new(struct smtp_server **out,
                                 const struct smtp_server_options *options,
                                 struct smtp_error *error)
{
    *out = NULL;
    struct smtp_server *server = calloc(1, sizeof *server);
    if (server == NULL) {
        return smtp_error_set(error, SMTP_NO_MEMORY, 0, "out of memory");
    }
    enum smtp_status status = init_settings(server, options, error);
    if (status != SMTP_OK) {
        free(server);
        return status;
    }
    pthread_mutex_init(&server->lock, NULL); /* neither can fail without attributes on Linux */
    pthread_cond_init(&server->changed, NULL);
    atomic_init(&server->stop_deadline_ns, SMTP_NEVER);
    status = init_parts(server, error);
    if (status != SMTP_OK) {
        free_parts(server);
        return status;
    }
    *out = server;
    return SMTP_OK;
}

void smtp_server_free(struct smtp_server *server)
{
    if (server != NULL) {
        smtp_server_stop(server, 0);
        smtp_server_tables_release(&server->settings.tables);
        free_parts(server);
    }
}

/* A reader takes the lock too; that is no change a caller could see. */
static void lock(const struct smtp_server *server)
{
    pthread_mutex_lock((pthread_mutex_t *)(uintptr_t)&server->lock);
}

static void unlock(const struct smtp_server *server)
{
    pthread_mutex_unlock((pthread_mutex_t *)(uintptr_t)&server->lock);
}

const char *smtp_server_address(const struct smtp_server *server, size_t i)
{
    if (i >= server->acceptor.count) {
        return NULL;
    }
    const char *text = server->acceptor.listeners[i].text;
    lock(server);
    bool started = text[0] != '\0';
    unlock(server);
    return started ? text : NULL;
}

uint16_t smtp_server_port(const struct smtp_server *server, size_t i)
{
    if (i >= server->acceptor.count) {
        return 0;
    }
    const struct smtp_server_listener *listener = &server->acceptor.listeners[i];
    lock(server);
    uint16_t port = listener->address.kind == SMTP_ADDRESS_TCP ? listener->address.port : 0;
    unlock(server);
    return port;
}

bool smtp_server_is_implicit_tls(const struct smtp_server *server, size_t i)
{
    return i < server->settings.listen_count && server->settings.listen[i].implicit_tls;
}

bool smtp_server_is_lmtp(const struct smtp_server *server, size_t i)
{
    return i < server->settings.listen_count && server->settings.listen[i].lmtp;
}

struct smtp_identity *smtp_server_identity(struct smtp_server *server)
{
    return smtp_server_certificate_identity(&server->certificate);
}

const char *smtp_server_ca_pem(struct smtp_server *server)
{
    return smtp_server_certificate_ca_pem(&server->certificate);
}

enum smtp_status smtp_server_set_certificate(struct smtp_server *server,
                                             struct smtp_identity *identity,
                                             struct ssl_ctx_st *context, struct smtp_error *error)
{
    return smtp_server_certificate_set(&server->certificate, identity, context, error);
}

struct smtp_mailbox *smtp_server_mailbox(struct smtp_server *server)
{
    return server->mailbox;
}

size_t smtp_server_session_count(const struct smtp_server *server)
{
    return atomic_load_explicit(&server->sessions_open, memory_order_relaxed);
}
