/* serve_receivers.c - see serve_receivers.h. */
#include "harness/cli/serve_receivers.h"

#include "client/url.h"
#include "common/error.h"
#include "harness/smtp_relay.h"
#include "server/smtp_receivers.h"

#include <stdio.h>
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

static enum smtp_status make_print(const struct smtp_serve_receivers *wanted,
                                   struct smtp_server_hooks *out, struct smtp_error *error)
{
    (void)wanted;
    return smtp_receiver_print(out, stdout, error);
}

bool smtp_serve_receivers_make(const char *program, const struct smtp_serve_receivers *wanted,
                               struct smtp_cli_server_options *server)
{
    const struct {
        bool wanted;
        make_receiver *make;
    } rows[] = {
        {wanted->relay_url != NULL, make_relay}, /* the most likely to refuse comes first */
        {wanted->maildir != NULL, make_maildir},
        {wanted->mbox != NULL, make_mbox},
        {wanted->print, make_print},
    };
    struct smtp_error error = {.message = ""};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (!rows[i].wanted) {
            continue;
        }
        struct smtp_server_hooks table;
        if (rows[i].make(wanted, &table, &error) != SMTP_OK) {
            smtp_cli_wrong(program, "%s", error.message);
            return false;
        }
        smtp_cli_server_options_add(server, &table);
    }
    return true;
}
