/* harness.c - a harness's life: the server, the clients, the views of what was captured, and all
 * that was handed out. Does not know: how expectations are waited for (waiting.c) or told
 * (failure.c). */
#include "harness/harness.h"

#include "client/options.h"
#include "common/address.h"
#include "common/error.h"
#include "harness/failure.h"
#include "harness/message.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- lists of pointers ---- */

static bool keep_pointer(struct smtp_buffer *list, void *pointer)
{
    return smtp_buffer_append(list, &pointer, sizeof pointer) == SMTP_OK;
}

static size_t pointer_count(const struct smtp_buffer *list)
{
    return list->len / sizeof(void *);
}

static void *pointer_at(const struct smtp_buffer *list, size_t i)
{
    void *pointer;
    memcpy(&pointer, list->bytes + list->start + i * sizeof pointer, sizeof pointer);
    return pointer;
}

const char *smtp_harness_keep_text(struct smtp_harness *harness, char *text)
{
    if (text != NULL && !keep_pointer(&harness->texts, text)) {
        free(text);
        return NULL;
    }
    return text;
}

/* ---- start ---- */

static const char *ca_of_the_server(void *user)
{
    return smtp_harness_ca_pem(user);
}

/* What the caller's options point to may be gone when the second client is made. Making a
 * certificate costs more than a whole test, so the clients ask for it when TLS begins. */
static bool copy_client_options(struct smtp_harness *harness,
                                const struct smtp_client_options *options)
{
    harness->client_options = *options;
    struct smtp_client_tls *tls = &harness->client_options.tls;
    if (tls->find_ca_pem == NULL) {
        tls->find_ca_pem = ca_of_the_server;
        tls->find_ca_user = harness;
    }
    return smtp_client_options_copy(&harness->client_options);
}

static struct smtp_harness *make(const struct smtp_harness_options *options)
{
    struct smtp_harness *harness = calloc(1, sizeof *harness);
    if (harness == NULL) {
        return NULL;
    }
    harness->wait_ms = options->wait_ms;
    harness->stop_ms = options->stop_ms;
    harness->clients = SMTP_BUFFER(SIZE_MAX);
    harness->views = SMTP_BUFFER(SIZE_MAX);
    harness->texts = SMTP_BUFFER(SIZE_MAX);
    harness->failure = "";
    harness->asks_faults = !options->without_faults;
    harness->transcripts = smtp_harness_transcripts_new();
    harness->faults = smtp_harness_faults_new(options->fault_seed, options->magic_addresses);
    if (harness->transcripts == NULL || harness->faults == NULL ||
        !copy_client_options(harness, &options->client)) {
        smtp_harness_stop(harness);
        return NULL;
    }
    return harness;
}

/* "127.0.0.1" and "smtp://127.0.0.1:41233"; for a Unix socket "unix:PATH" twice, and with LMTP
 * "lmtp://unix:PATH". The clients connect there: with TLS from the first octet where it is spoken so. */
static enum smtp_status note_address(struct smtp_harness *harness, struct smtp_error *error)
{
    const char *text = smtp_server_address(harness->server, 0);
    struct smtp_address address;
    enum smtp_status status = smtp_address_parse(text, 0, &address, error);
    if (status != SMTP_OK) {
        return status;
    }
    bool tcp = address.kind == SMTP_ADDRESS_TCP;
    harness->host = strdup(tcp ? address.host : text);
    bool implicit = smtp_server_is_implicit_tls(harness->server, 0);
    if (implicit) {
        harness->client_options.tls.policy = SMTP_CLIENT_TLS_IMPLICIT;
    }
    bool lmtp = smtp_server_is_lmtp(harness->server, 0);
    const char *scheme = lmtp ? "lmtp://" : !tcp ? "" : implicit ? "smtps://" : "smtp://";
    if (asprintf(&harness->url, "%s%s", scheme, text) < 0) {
        harness->url = NULL;
    }
    return harness->host != NULL && harness->url != NULL
               ? SMTP_OK
               : smtp_error_set(error, SMTP_NO_MEMORY, 0, "out of memory");
}

/* On the server's threads. */
static void log_entry(void *transcripts, const struct smtp_server_session_info *session,
                      const struct smtp_server_log_entry *entry)
{
    smtp_harness_transcripts_log(transcripts, session->number, entry);
}

/* The caller's tables, where no server took them over. */
static void release_tables(const struct smtp_server_options *options)
{
    if (options->hooks.release != NULL) {
        options->hooks.release(options->hooks.user);
    }
    for (size_t i = 0; i < options->receiver_count; i++) {
        if (options->receivers[i].release != NULL) {
            options->receivers[i].release(options->receivers[i].user);
        }
    }
}

/* The plan of faults before the caller's tables, the transcripts behind them. */
static enum smtp_status make_server(struct smtp_harness *harness,
                                    const struct smtp_server_options *given,
                                    struct smtp_error *error)
{
    struct smtp_server_options options = *given;
    struct smtp_server_hooks *tables = calloc(given->receiver_count + 2, sizeof *tables);
    if (tables == NULL) {
        return smtp_error_set(error, SMTP_NO_MEMORY, 0, "out of memory");
    }
    size_t count = 0;
    if (harness->asks_faults) {
        options.hooks = smtp_harness_faults_hooks(harness->faults);
        tables[count++] = given->hooks;
    }
    for (size_t i = 0; i < given->receiver_count; i++) {
        tables[count++] = given->receivers[i];
    }
    tables[count++] = (struct smtp_server_hooks){.user = harness->transcripts, .log = log_entry};
    options.receivers = tables;
    options.receiver_count = count;
    enum smtp_status status = smtp_server_new(&harness->server, &options, error);
    free(tables);
    return status;
}

static enum smtp_status start_server(struct smtp_harness *harness,
                                     const struct smtp_server_options *options,
                                     struct smtp_error *error)
{
    enum smtp_status status = make_server(harness, options, error);
    if (status != SMTP_OK) {
        harness->server = NULL;
        release_tables(options);
        return status;
    }
    smtp_harness_faults_use_server(harness->faults, harness->server);
    status = smtp_server_start(harness->server, error);
    return status == SMTP_OK ? note_address(harness, error) : status;
}

struct smtp_harness *smtp_harness_start(const struct smtp_harness_options *options,
                                        struct smtp_error *error)
{
    struct smtp_harness_options defaults;
    if (options == NULL) {
        smtp_harness_options_init(&defaults);
        options = &defaults;
    }
    struct smtp_harness *harness = make(options);
    if (harness == NULL) {
        release_tables(&options->server);
        smtp_error_set(error, SMTP_NO_MEMORY, 0, "out of memory");
        return NULL;
    }
    if (start_server(harness, &options->server, error) != SMTP_OK) {
        smtp_harness_stop(harness);
        return NULL;
    }
    return harness;
}

/* ---- stop ---- */

static void free_clients(struct smtp_harness *harness)
{
    for (size_t i = 0; i < pointer_count(&harness->clients); i++) {
        smtp_client_free(pointer_at(&harness->clients, i));
    }
    smtp_buffer_free(&harness->clients);
    smtp_client_options_clear(&harness->client_options);
}

static void free_handed_out(struct smtp_harness *harness)
{
    for (size_t i = 0; i < pointer_count(&harness->views); i++) {
        smtp_harness_message_free(pointer_at(&harness->views, i));
    }
    smtp_buffer_free(&harness->views);
    for (size_t i = 0; i < pointer_count(&harness->texts); i++) {
        free(pointer_at(&harness->texts, i));
    }
    smtp_buffer_free(&harness->texts);
}

void smtp_harness_stop(struct smtp_harness *harness)
{
    if (harness == NULL) {
        return;
    }
    free_clients(harness); /* first, so that no session of theirs keeps the server waiting */
    if (harness->server != NULL) {
        smtp_server_stop(harness->server, harness->stop_ms);
        smtp_server_free(harness->server);
    }
    smtp_harness_transcripts_free(harness->transcripts); /* no hook runs any more */
    smtp_harness_faults_free(harness->faults);
    free_handed_out(harness);
    free(harness->host);
    free(harness->url);
    free(harness);
}

/* ---- where it is ---- */

const char *smtp_harness_host(const struct smtp_harness *harness)
{
    return harness->host;
}

uint16_t smtp_harness_port(const struct smtp_harness *harness)
{
    return smtp_server_port(harness->server, 0);
}

const char *smtp_harness_url(const struct smtp_harness *harness)
{
    return harness->url;
}

const char *smtp_harness_ca_pem(struct smtp_harness *harness)
{
    return smtp_server_ca_pem(harness->server);
}

struct smtp_server *smtp_harness_server(struct smtp_harness *harness)
{
    return harness->server;
}

struct smtp_mailbox *smtp_harness_mailbox(struct smtp_harness *harness)
{
    return smtp_server_mailbox(harness->server);
}

struct smtp_harness_transcripts *smtp_harness_transcripts(struct smtp_harness *harness)
{
    return harness->transcripts;
}

/* ---- faults ---- */

enum smtp_status smtp_harness_fault(struct smtp_harness *harness, const char *fault)
{
    harness->failure = "";
    if (!harness->asks_faults) {
        smtp_harness_fail(harness, "a fault cannot be added",
                          "the harness was started without them");
        return SMTP_BAD_STATE;
    }
    struct smtp_harness_lines why = SMTP_HARNESS_LINES;
    enum smtp_status status = smtp_harness_faults_add(harness->faults, fault, &why);
    char *text = smtp_harness_lines_take(&why);
    const char *kept = smtp_harness_keep_text(harness, text);
    if (status != SMTP_OK) {
        harness->failure =
            kept != NULL && kept[0] != '\0' ? kept : "a fault cannot be added: out of memory\n";
    }
    return status;
}

void smtp_harness_clear_faults(struct smtp_harness *harness)
{
    smtp_harness_faults_clear(harness->faults);
}

const char *smtp_harness_faults(struct smtp_harness *harness)
{
    struct smtp_harness_lines lines = SMTP_HARNESS_LINES;
    smtp_harness_faults_tell(harness->faults, &lines);
    const char *text = smtp_harness_keep_text(harness, smtp_harness_lines_take(&lines));
    return text != NULL ? text : "";
}

/* ---- clients ---- */

static struct smtp_client *new_client(struct smtp_harness *harness)
{
    struct smtp_client *client = NULL;
    enum smtp_status status = smtp_client_new(&client, &harness->client_options);
    if (status != SMTP_OK) {
        smtp_harness_fail(harness, "a client cannot be made", smtp_status_text(status));
        return NULL;
    }
    if (!keep_pointer(&harness->clients, client)) {
        smtp_client_free(client);
        smtp_harness_fail(harness, "a client cannot be made", "out of memory");
        return NULL;
    }
    return client;
}

static struct smtp_client *connected(struct smtp_harness *harness, struct smtp_client *client)
{
    harness->failure = "";
    if (client == NULL || smtp_client_is_connected(client)) {
        return client;
    }
    bool lmtp = smtp_server_is_lmtp(harness->server, 0);
    const char *address = lmtp ? harness->url : smtp_server_address(harness->server, 0);
    if (smtp_client_connect(client, address, 0) != SMTP_OK) {
        smtp_harness_fail(harness, "a client cannot connect", smtp_client_error(client)->message);
        return NULL;
    }
    return client;
}

struct smtp_client *smtp_harness_client(struct smtp_harness *harness)
{
    if (harness->client == NULL) {
        harness->client = new_client(harness);
    }
    return harness->client != NULL ? connected(harness, harness->client) : NULL;
}

struct smtp_client *smtp_harness_connect(struct smtp_harness *harness)
{
    struct smtp_client *client = new_client(harness);
    return client != NULL ? connected(harness, client) : NULL;
}

/* ---- messages ---- */

size_t smtp_harness_view_count(const struct smtp_harness *harness)
{
    return pointer_count(&harness->views);
}

struct smtp_harness_message *smtp_harness_view(const struct smtp_harness *harness, size_t i)
{
    return pointer_at(&harness->views, i);
}

bool smtp_harness_collect(struct smtp_harness *harness, uint64_t timeout_ms)
{
    struct smtp_message *captured;
    struct smtp_mailbox_cursor cursor = harness->cursor;
    enum smtp_status status;
    do { /* what a ring gave up is never seen */
        status = smtp_mailbox_next(smtp_harness_mailbox(harness), &cursor, NULL, NULL, timeout_ms,
                                   &captured);
    } while (status == SMTP_LIMIT_EXCEEDED);
    if (status != SMTP_OK) {
        return false;
    }
    struct smtp_harness_message *view = smtp_harness_message_new(captured);
    if (view == NULL) {
        smtp_message_release(captured);
        return false;
    }
    if (!keep_pointer(&harness->views, view)) {
        smtp_harness_message_free(view);
        return false;
    }
    harness->cursor = cursor;
    return true;
}

const struct smtp_harness_message *smtp_harness_message(struct smtp_harness *harness, size_t i)
{
    while (i >= smtp_harness_view_count(harness)) {
        if (!smtp_harness_collect(harness, 0)) {
            return NULL;
        }
    }
    return smtp_harness_view(harness, i);
}

/* ---- the conversation ---- */

const char *smtp_harness_transcript(struct smtp_harness *harness, uint64_t number)
{
    struct smtp_harness_transcript *copy =
        smtp_harness_transcript_copy(harness->transcripts, number);
    if (copy == NULL) {
        return NULL;
    }
    char *text = smtp_harness_transcript_text(copy);
    smtp_harness_transcript_free(copy);
    return smtp_harness_keep_text(harness, text);
}
