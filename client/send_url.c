/* send_url.c - one message in one call, with all that its URL says. Does not know: how URLs are written
 * (url.c). */
#include "client/options.h"
#include "client/smtp_client.h"
#include "client/url.h"
#include "common/error.h"

#include <strings.h>

/* Without tls= in the URL the options may ask for more than its scheme does, never for less. */
static enum smtp_client_tls_policy choose_policy(const struct smtp_client_url *url,
                                                 enum smtp_client_tls_policy wanted)
{
    if (url->policy_said || url->implicit_tls || wanted <= url->policy) {
        return url->policy;
    }
    return wanted == SMTP_CLIENT_TLS_IMPLICIT ? SMTP_CLIENT_TLS_REQUIRED : wanted;
}

struct smtp_client_options smtp_client_url_options(const struct smtp_client_url *url,
                                                   const struct smtp_client_options *given)
{
    struct smtp_client_options options;
    smtp_client_options_init(&options);
    options = given != NULL ? *given : options;
    options.tls.policy = choose_policy(url, options.tls.policy);
    if (url->ca_file != NULL || url->insecure) { /* a context, or another text, would win over it */
        options.tls.context = NULL;
        options.tls.ca_pem = NULL;
        options.tls.ca_file = url->ca_file;
        options.tls.insecure = url->insecure;
    }
    options.tls.name = url->verify_name != NULL ? url->verify_name : options.tls.name;
    options.helo_name = url->helo_name != NULL ? url->helo_name : options.helo_name;
    options.chunking = options.chunking && !url->no_chunking;
    options.pipelining = options.pipelining && !url->no_pipelining;
    return options;
}

struct smtp_client_credentials smtp_client_url_credentials(const struct smtp_client_url *url)
{
    bool token = url->mechanism != NULL && (strcasecmp(url->mechanism, "XOAUTH2") == 0 ||
                                            strcasecmp(url->mechanism, "OAUTHBEARER") == 0);
    return (struct smtp_client_credentials){
        .identity = url->user,
        .password = token ? NULL : url->password,
        .token = token ? url->password : NULL,
        .mechanism = url->mechanism,
    };
}

static enum smtp_status send_over(struct smtp_client *client, const struct smtp_client_url *url,
                                  const struct smtp_envelope *envelope, struct smtp_content content)
{
    enum smtp_status status = smtp_client_connect(client, url->host, url->port);
    if (status == SMTP_OK && url->user != NULL) {
        struct smtp_client_credentials credentials = smtp_client_url_credentials(url);
        status = smtp_client_auth(client, &credentials);
    }
    if (status == SMTP_OK) {
        status = smtp_client_send(client, envelope, content, NULL);
    }
    return status;
}

/* What went wrong is told of the first failure: QUIT after it changes nothing. */
static void say_goodbye(struct smtp_client *client)
{
    if (smtp_client_is_connected(client)) {
        (void)smtp_client_quit(client);
    }
    smtp_client_free(client);
}

static enum smtp_status run(const struct smtp_client_url *url,
                            const struct smtp_client_options *given,
                            const struct smtp_envelope *envelope, struct smtp_content content,
                            struct smtp_error *error)
{
    struct smtp_client *client;
    struct smtp_client_options options = smtp_client_url_options(url, given);
    enum smtp_status status = smtp_client_options_check(&options, error);
    if (status != SMTP_OK) {
        return status;
    }
    status = smtp_client_new(&client, &options);
    if (status != SMTP_OK) {
        return smtp_error_set(error, status, 0, "out of memory for a client");
    }
    status = send_over(client, url, envelope, content);
    if (status != SMTP_OK) {
        *error = *smtp_client_error(client);
    }
    say_goodbye(client);
    return status;
}

enum smtp_status smtp_send_url(const char *url, const struct smtp_client_options *options,
                               const struct smtp_envelope *envelope, struct smtp_content content,
                               struct smtp_error *error)
{
    struct smtp_client_url parsed;
    struct smtp_error unasked = {0};
    error = error != NULL ? error : &unasked;
    *error = (struct smtp_error){0};
    enum smtp_status status = smtp_client_url_parse(&parsed, url, error);
    if (status == SMTP_OK) {
        status = run(&parsed, options, envelope, content, error);
        smtp_client_url_clear(&parsed);
    }
    return status;
}
