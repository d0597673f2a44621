/* options.c - the client's defaults, whether what it is given can be used, and its own copy of that. The
 * waiting times are the minimums of RFC 5321 4.5.3.2. */
#include "client/client.h"
#include "client/protocol/idn.h"
#include "client/proxy.h"
#include "common/address.h"
#include "common/error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void smtp_client_options_init(struct smtp_client_options *options)
{
    *options = (struct smtp_client_options){
        .pipelining = true,
        .chunking = true,
        .chunk_octets = 1048576,
        .timeouts =
            {
                .connect_ms = 30000,
                .greeting_ms = 300000,
                .handshake_ms = 30000,
                .command_ms = 300000,
                .data_ms = 120000,
                .content_ms = 180000,
                .final_ms = 600000,
                .quit_ms = 5000,
            },
    };
}

#define TEXTS 6

/* Where the options hold texts. */
static void find_texts(struct smtp_client_options *options, const char **texts[TEXTS])
{
    texts[0] = &options->helo_name;
    texts[1] = &options->source_address;
    texts[2] = &options->tls.name;
    texts[3] = &options->tls.ca_file;
    texts[4] = &options->tls.ca_pem;
    texts[5] = &options->proxy_header;
}

static void free_texts(struct smtp_client_options *options)
{
    const char **texts[TEXTS];
    find_texts(options, texts);
    for (size_t i = 0; i < TEXTS; i++) {
        free((void *)(uintptr_t)*texts[i]);
        *texts[i] = NULL;
    }
}

/* ---- what can be used ---- */

static enum smtp_status check_helo_name(const char *name, struct smtp_error *error)
{
    if (name == NULL) {
        return SMTP_OK;
    }
    struct smtp_buffer line = SMTP_BUFFER(SMTP_CLIENT_COMMAND_MAX);
    struct smtp_client_command ehlo = {
        .verb = "EHLO ", .kind = SMTP_CLIENT_DOMAIN, .argument = name};
    enum smtp_status status = smtp_client_command_append(&line, &ehlo, error);
    smtp_buffer_free(&line);
    return status;
}

static enum smtp_status check_tls_name(const char *name, struct smtp_error *error)
{
    char ascii[SMTP_HOST_MAX + 1];
    struct smtp_error why = {.status = SMTP_OK};
    if (name == NULL || smtp_client_idn_copy(ascii, sizeof(ascii), name, &why) == SMTP_OK) {
        return SMTP_OK;
    }
    return smtp_error_set(error, why.status, 0, "the certificate's name: %.200s", why.message);
}

static enum smtp_status check_source_address(const char *address, struct smtp_error *error)
{
    struct smtp_address local = {.kind = SMTP_ADDRESS_TCP};
    struct sockaddr_storage where;
    socklen_t len = 0;
    bool fits = address == NULL || strlen(address) < sizeof local.host;
    snprintf(local.host, sizeof local.host, "%s", address != NULL ? address : "");
    if (address == NULL ||
        (fits && smtp_address_to_sockaddr(&local, &where, &len, NULL) == SMTP_OK)) {
        return SMTP_OK;
    }
    return smtp_error_set(error, SMTP_BAD_ARGUMENT, 0,
                          "source_address must be a numeric IPv4 or IPv6 address of this host, "
                          "like 127.0.0.1, not \"%.60s\"",
                          address);
}

enum smtp_status smtp_client_options_check(const struct smtp_client_options *options,
                                           struct smtp_error *error)
{
    struct smtp_client_proxy_header header;
    enum smtp_status status = check_helo_name(options->helo_name, error);
    if (status == SMTP_OK) {
        status = check_tls_name(options->tls.name, error);
    }
    if (status == SMTP_OK) {
        status = check_source_address(options->source_address, error);
    }
    if (status == SMTP_OK && options->proxy_header != NULL) {
        status = smtp_client_proxy_header_make(&header, options->proxy_header, error);
    }
    return status;
}

/* ---- a copy ---- */

bool smtp_client_options_copy(struct smtp_client_options *options)
{
    const char **texts[TEXTS];
    bool complete = true;
    find_texts(options, texts);
    for (size_t i = 0; i < TEXTS; i++) {
        const char *given = *texts[i];
        *texts[i] = given != NULL ? strdup(given) : NULL;
        complete = complete && (given == NULL || *texts[i] != NULL);
    }
    if (options->tls.identity != NULL) {
        smtp_identity_retain(options->tls.identity);
    }
    if (options->tls.context != NULL) {
        smtp_tls_context_retain(options->tls.context);
    }
    return complete;
}

static bool keep_ascii(const char **name)
{
    char ascii[SMTP_HOST_MAX + 1];
    if (*name == NULL || smtp_client_idn_copy(ascii, sizeof(ascii), *name, NULL) != SMTP_OK ||
        strcmp(ascii, *name) == 0) {
        return true;
    }
    char *kept = strdup(ascii);
    free((void *)(uintptr_t)*name);
    *name = kept;
    return kept != NULL;
}

bool smtp_client_options_make_ascii(struct smtp_client_options *options)
{
    return keep_ascii(&options->helo_name) && keep_ascii(&options->tls.name);
}

void smtp_client_options_clear(struct smtp_client_options *options)
{
    free_texts(options);
    smtp_identity_release(options->tls.identity);
    smtp_tls_context_release(options->tls.context);
}

static bool same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

bool smtp_client_options_alike(const struct smtp_client_options *a,
                               const struct smtp_client_options *b)
{
    struct smtp_client_options left = *a, right = *b;
    const char **left_texts[TEXTS], **right_texts[TEXTS];
    bool alike = true;
    find_texts(&left, left_texts);
    find_texts(&right, right_texts);
    for (size_t i = 0; i < TEXTS; i++) {
        alike = alike && same_text(*left_texts[i], *right_texts[i]);
    }
    return alike && a->pipelining == b->pipelining && a->chunking == b->chunking &&
           a->chunk_octets == b->chunk_octets &&
           memcmp(&a->timeouts, &b->timeouts, sizeof(a->timeouts)) == 0 &&
           a->tls.policy == b->tls.policy && a->tls.insecure == b->tls.insecure &&
           a->tls.find_ca_pem == b->tls.find_ca_pem && a->tls.find_ca_user == b->tls.find_ca_user &&
           a->tls.identity == b->tls.identity && a->tls.context == b->tls.context &&
           a->log == b->log && a->log_user == b->log_user;
}
