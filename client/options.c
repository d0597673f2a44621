/* options.c - the client's defaults, and its own copy of what it is given. The waiting times are the
 * minimums of RFC 5321 4.5.3.2. */
#include "client/client.h"

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

#define TEXTS 5

/* Where the options hold texts. */
static void find_texts(struct smtp_client_options *options, const char **texts[TEXTS])
{
    texts[0] = &options->helo_name;
    texts[1] = &options->source_address;
    texts[2] = &options->tls.name;
    texts[3] = &options->tls.ca_file;
    texts[4] = &options->tls.ca_pem;
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

void smtp_client_options_clear(struct smtp_client_options *options)
{
    free_texts(options);
    smtp_identity_release(options->tls.identity);
    smtp_tls_context_release(options->tls.context);
}
