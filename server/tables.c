/* tables.c - see tables.h. */
#include "server/tables.h"

#include "common/error.h"

#include <stdlib.h>

static bool is_empty(const struct smtp_server_hooks *hooks)
{
    return hooks->connect == NULL && hooks->helo == NULL && hooks->starttls == NULL &&
           hooks->auth == NULL && hooks->find_password == NULL && hooks->mail == NULL &&
           hooks->rcpt == NULL && hooks->data == NULL && hooks->content == NULL &&
           hooks->drop == NULL && hooks->message == NULL && hooks->vrfy == NULL &&
           hooks->expn == NULL && hooks->unknown == NULL && hooks->reset == NULL &&
           hooks->close == NULL && hooks->release == NULL && hooks->fault == NULL &&
           hooks->log == NULL;
}

enum smtp_status smtp_server_tables_init(struct smtp_server_tables *tables,
                                         const struct smtp_server_options *options,
                                         struct smtp_error *error)
{
    *tables = (struct smtp_server_tables){0};
    if (options->receiver_count > SMTP_SERVER_TABLES_MAX - 1) {
        return smtp_error_set(error, SMTP_BAD_ARGUMENT, 0,
                              "receiver_count must be from 0 to %d, it is %zu",
                              SMTP_SERVER_TABLES_MAX - 1, options->receiver_count);
    }
    if (options->receiver_count > 0 && options->receivers == NULL) {
        return smtp_error_set(error, SMTP_BAD_ARGUMENT, 0,
                              "receiver_count is %zu, and receivers is NULL",
                              options->receiver_count);
    }
    tables->rows = calloc(options->receiver_count + 1, sizeof *tables->rows);
    if (tables->rows == NULL) {
        return smtp_error_set(error, SMTP_NO_MEMORY, 0, "out of memory");
    }
    if (!is_empty(&options->hooks)) {
        tables->rows[tables->count++] = options->hooks;
    }
    for (size_t i = 0; i < options->receiver_count; i++) {
        tables->rows[tables->count++] = options->receivers[i];
    }
    return SMTP_OK;
}

void smtp_server_tables_clear(struct smtp_server_tables *tables)
{
    free(tables->rows);
    *tables = (struct smtp_server_tables){0};
}

void smtp_server_tables_release(const struct smtp_server_tables *tables)
{
    for (size_t i = 0; i < tables->count; i++) {
        if (tables->rows[i].release != NULL) {
            tables->rows[i].release(tables->rows[i].user);
        }
    }
}

/* ---- a row ---- */

bool smtp_server_hooks_have(const struct smtp_server_hooks *hooks, enum smtp_server_event_kind kind)
{
    switch (kind) {
    case SMTP_SERVER_ASK_CONNECT:
        return hooks->connect != NULL;
    case SMTP_SERVER_ASK_HELO:
        return hooks->helo != NULL;
    case SMTP_SERVER_ASK_MAIL:
        return hooks->mail != NULL;
    case SMTP_SERVER_ASK_RCPT:
        return hooks->rcpt != NULL;
    case SMTP_SERVER_ASK_DATA:
        return hooks->data != NULL;
    case SMTP_SERVER_ASK_MESSAGE:
        return hooks->message != NULL;
    case SMTP_SERVER_ASK_VRFY:
        return hooks->vrfy != NULL;
    case SMTP_SERVER_ASK_EXPN:
        return hooks->expn != NULL;
    case SMTP_SERVER_ASK_UNKNOWN:
        return hooks->unknown != NULL;
    case SMTP_SERVER_ASK_STARTTLS:
        return hooks->starttls != NULL;
    case SMTP_SERVER_ASK_STEP:
        return hooks->fault != NULL;
    case SMTP_SERVER_RESET:
        return hooks->reset != NULL;
    case SMTP_SERVER_CLOSED:
        return hooks->close != NULL;
    case SMTP_SERVER_ASK_AUTH: /* not a row of its own: see smtp_server_tables_auth */
    case SMTP_SERVER_AUTH_CANCELLED:
    case SMTP_SERVER_START_TLS:
        break;
    }
    return false;
}

enum smtp_server_verdict smtp_server_hooks_call(const struct smtp_server_hooks *hooks,
                                                const struct smtp_server_session_info *info,
                                                const struct smtp_server_event *event,
                                                struct smtp_server_reply *reply)
{
    void *user = hooks->user;
    switch (event->kind) {
    case SMTP_SERVER_ASK_CONNECT:
        return hooks->connect(user, info, reply);
    case SMTP_SERVER_ASK_HELO:
        return hooks->helo(user, info, event->name, event->extended, reply);
    case SMTP_SERVER_ASK_MAIL:
        return hooks->mail(user, info, event->path, event->parameters, reply);
    case SMTP_SERVER_ASK_RCPT:
        return hooks->rcpt(user, info, event->path, event->parameters, reply);
    case SMTP_SERVER_ASK_DATA:
        return hooks->data(user, info, reply);
    case SMTP_SERVER_ASK_MESSAGE:
        return hooks->message(user, info, event->message, reply);
    case SMTP_SERVER_ASK_VRFY:
        return hooks->vrfy(user, info, event->argument, reply);
    case SMTP_SERVER_ASK_EXPN:
        return hooks->expn(user, info, event->argument, reply);
    case SMTP_SERVER_ASK_UNKNOWN:
        return hooks->unknown(user, info, event->name, event->argument, reply);
    case SMTP_SERVER_ASK_STARTTLS:
        return hooks->starttls(user, info, reply);
    case SMTP_SERVER_RESET:
        hooks->reset(user, info);
        break;
    case SMTP_SERVER_CLOSED:
        hooks->close(user, info);
        break;
    case SMTP_SERVER_ASK_AUTH:
    case SMTP_SERVER_ASK_STEP: /* see disturb.c */
    case SMTP_SERVER_AUTH_CANCELLED:
    case SMTP_SERVER_START_TLS:
        break;
    }
    return SMTP_ACCEPT;
}

/* ---- all of them ---- */

unsigned smtp_server_tables_asks(const struct smtp_server_tables *tables)
{
    /* the mailbox takes the message; the certificate is made before 220, or 454 */
    unsigned asks = 1u << SMTP_SERVER_ASK_MESSAGE | 1u << SMTP_SERVER_ASK_STARTTLS;
    for (size_t i = 0; i < tables->count; i++) {
        for (unsigned kind = 0; kind <= SMTP_SERVER_RESET; kind++) {
            bool asked =
                smtp_server_hooks_have(&tables->rows[i], (enum smtp_server_event_kind)kind);
            asks |= asked ? 1u << kind : 0;
        }
    }
    return asks;
}

bool smtp_server_tables_take_content(const struct smtp_server_tables *tables)
{
    for (size_t i = 0; i < tables->count; i++) {
        if (tables->rows[i].content != NULL) {
            return true;
        }
    }
    return false;
}

bool smtp_server_tables_take_log(const struct smtp_server_tables *tables)
{
    for (size_t i = 0; i < tables->count; i++) {
        if (tables->rows[i].log != NULL) {
            return true;
        }
    }
    return false;
}

bool smtp_server_tables_stream(const struct smtp_server_tables *tables)
{
    for (size_t i = 0; i < tables->count; i++) {
        if (tables->rows[i].message != NULL && !tables->rows[i].streaming) {
            return false;
        }
    }
    return true;
}

const struct smtp_server_hooks *smtp_server_tables_auth(const struct smtp_server_tables *tables)
{
    for (size_t i = 0; i < tables->count; i++) {
        if (tables->rows[i].auth != NULL) {
            return &tables->rows[i];
        }
    }
    return NULL;
}

const struct smtp_server_hooks *
smtp_server_tables_passwords(const struct smtp_server_tables *tables)
{
    for (size_t i = 0; i < tables->count; i++) {
        if (tables->rows[i].find_password != NULL) {
            return &tables->rows[i];
        }
    }
    return NULL;
}
