/* serve_receivers.c - see serve_receivers.h. */
#include "harness/cli/serve_receivers.h"

#include "client/url.h"
#include "common/error.h"
#include "harness/cli/serve_json.h"
#include "harness/smtp_relay.h"
#include "server/smtp_receivers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef enum smtp_status make_receiver(const struct smtp_serve_receivers *wanted,
                                       struct smtp_server_hooks *out, struct smtp_error *error);

static enum smtp_status make_relay(const struct smtp_serve_receivers *wanted,
                                   struct smtp_server_hooks *out, struct smtp_error *error)
{
    struct smtp_client_url url;
    enum smtp_status status = smtp_client_url_parse(&url, wanted->relay_url, error);
    if (status != SMTP_OK) {
        return status;
    }
    const struct smtp_client_options options = smtp_client_url_options(&url, NULL);
    const struct smtp_client_credentials credentials = smtp_client_url_credentials(&url);
    char host[512];
    int len = strstr(url.host, "unix:") != NULL
                  ? snprintf(host, sizeof host, "%s", url.host)
                  : snprintf(host, sizeof host, "%s:%u", url.host, url.port);
    status = len < (int)sizeof host
                 ? smtp_receiver_relay(out, host, &options, url.user != NULL ? &credentials : NULL,
                                       error)
                 : smtp_error_set(error, SMTP_BAD_ARGUMENT, 0, "the URL's host is too long");
    smtp_client_url_clear(&url);
    return status;
}

static enum smtp_status make_maildir(const struct smtp_serve_receivers *wanted,
                                     struct smtp_server_hooks *out, struct smtp_error *error)
{
    const struct smtp_maildir maildir = {.path = wanted->maildir, .durable = wanted->durable};
    return smtp_receiver_maildir(out, &maildir, error);
}

static enum smtp_status make_mbox(const struct smtp_serve_receivers *wanted,
                                  struct smtp_server_hooks *out, struct smtp_error *error)
{
    return smtp_receiver_mbox(out, wanted->mbox, error);
}

/* ---- what writes to standard output ---- */

/** A receiver that is watched for whether it still can. */
struct watched {
    struct smtp_server_hooks table;
    void (*failed)(void *user, int sys_errno);
    void *user;
};

static enum smtp_server_verdict on_message(void *user,
                                           const struct smtp_server_session_info *session,
                                           struct smtp_message *message,
                                           struct smtp_server_reply *reply)
{
    const struct watched *watched = user;
    enum smtp_server_verdict verdict =
        watched->table.message(watched->table.user, session, message, reply);
    int sys_errno = errno;
    if (verdict != SMTP_ACCEPT && ferror(stdout) != 0) {
        watched->failed(watched->user, sys_errno != 0 ? sys_errno : EIO);
    }
    return verdict;
}

static void on_release(void *user)
{
    struct watched *watched = user;
    watched->table.release(watched->table.user);
    free(watched);
}

/** Puts the watch in the table's place. */
static enum smtp_status watch(const struct smtp_serve_receivers *wanted,
                              struct smtp_server_hooks *table, struct smtp_error *error)
{
    struct watched *watched = malloc(sizeof *watched);
    if (watched == NULL) {
        table->release(table->user);
        return smtp_error_set(error, SMTP_NO_MEMORY, 0, "out of memory");
    }
    *watched = (struct watched){*table, wanted->output_failed, wanted->output_user};
    *table = (struct smtp_server_hooks){
        .user = watched, .blocking = true, .message = on_message, .release = on_release};
    return SMTP_OK;
}

static enum smtp_status make_print(const struct smtp_serve_receivers *wanted,
                                   struct smtp_server_hooks *out, struct smtp_error *error)
{
    enum smtp_status status = smtp_receiver_print(out, stdout, error);
    return status == SMTP_OK ? watch(wanted, out, error) : status;
}

static enum smtp_status make_json(const struct smtp_serve_receivers *wanted,
                                  struct smtp_server_hooks *out, struct smtp_error *error)
{
    enum smtp_status status = smtp_serve_json(out, stdout, wanted->json_content, error);
    return status == SMTP_OK ? watch(wanted, out, error) : status;
}

/* ---- all of them ---- */

bool smtp_serve_receivers_make(const char *program, const struct smtp_serve_receivers *wanted,
                               struct smtp_cli_server_options *server)
{
    const struct {
        bool wanted;
        const char *option;
        make_receiver *make;
    } rows[] = {
        {wanted->relay_url != NULL, "relay", make_relay},
        {wanted->maildir != NULL, "maildir", make_maildir},
        {wanted->mbox != NULL, "mbox", make_mbox},
        {wanted->print, "print", make_print},
        {wanted->json, "json", make_json},
    };
    struct smtp_error error = {.message = ""};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (!rows[i].wanted) {
            continue;
        }
        struct smtp_server_hooks table;
        if (rows[i].make(wanted, &table, &error) != SMTP_OK) {
            smtp_cli_wrong(program, "--%s: %s", rows[i].option, error.message);
            return false;
        }
        smtp_cli_server_options_add(server, &table);
    }
    return true;
}
