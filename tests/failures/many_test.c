/* many_test.c - the client's other faces, the pool, bulk sending, a URL, envelopes from headers, a PROXY header and
 * XCLIENT, and a server's life, with each allocation and each call failing in turn. */
#include "client/smtp_bulk.h"
#include "client/smtp_pool.h"
#include "server/smtp_mailbox.h"
#include "tests/failures/stages.h"
#include "tests/support/test.h"
#include "tests/support/wire.h"

#include <stdio.h>

static void before_any(struct stage *stage)
{
    stage_defaults(stage);
    stage_start(stage);
}

/* ---- pool ---- */

static void run_pool(struct stage *stage)
{
    struct smtp_client_pool *pool = NULL;
    struct smtp_client_target target = {.host = stage->address, .options = &stage->client};
    enum smtp_status status = smtp_client_pool_new(&pool, NULL);
    for (size_t i = 1; i <= 3; i++) {
        struct smtp_error error = {0};
        stage_told(stage, i,
                   status != SMTP_OK ? status
                                     : smtp_client_pool_send(pool, &target, stage_envelope(),
                                                             smtp_content_text(stage_letter(i)),
                                                             NULL, NULL, &error));
    }
    smtp_client_pool_free(pool);
}

/* ---- bulk ---- */

struct bulk {
    struct stage *stage;
    size_t next;
    size_t letter_at[4]; /* by place */
};

static enum smtp_bulk_more next_of_bulk(void *user, struct smtp_bulk_message *message)
{
    struct bulk *bulk = user;
    if (bulk->next == 4) {
        return SMTP_BULK_NONE;
    }
    size_t i = ++bulk->next;
    bulk->letter_at[message->place] = i;
    message->outgoing = (struct smtp_outgoing){.envelope = *stage_envelope(),
                                               .content = smtp_content_text(stage_letter(i))};
    stage_told(bulk->stage, i, SMTP_DELIVERY_UNKNOWN); /* until it is */
    return SMTP_BULK_MESSAGE;
}

static void sent_by_bulk(void *user, size_t place, const struct smtp_send_result *result)
{
    struct bulk *bulk = user;
    stage_told(bulk->stage, bulk->letter_at[place], result->status);
    bulk->letter_at[place] = 0;
}

static void run_bulk(struct stage *stage)
{
    struct bulk all = {.stage = stage};
    struct smtp_bulk *bulk = NULL;
    struct smtp_error error = {0};
    struct smtp_client_target target = {.host = stage->address, .options = &stage->client};
    const struct smtp_bulk_options options = {.sessions = 2, .in_flight = 2};
    const struct smtp_bulk_hooks hooks = {.next = next_of_bulk, .sent = sent_by_bulk, .user = &all};
    enum smtp_status status = smtp_bulk_new(&bulk, &target, &options, &hooks, &error);
    if (status == SMTP_OK) {
        status = smtp_bulk_run(bulk, &error);
    }
    smtp_bulk_free(bulk);
    for (size_t i = 0; i < 4; i++) {
        if (all.letter_at[i] != 0) {
            stage_wrong(stage, "letter %zu was never told of", all.letter_at[i]);
        }
    }
    if (status == SMTP_OK && all.next < 4) {
        stage_wrong(stage, "all is well, and %zu letters were not asked for", 4 - all.next);
    }
}

/* ---- one call ---- */

static void before_url(struct stage *stage)
{
    stage_defaults(stage);
    stage_ask_login(stage, "CRAM-MD5");
    stage_start(stage);
}

static void run_url(struct stage *stage)
{
    char url[SMTP_ADDRESS_TEXT_SIZE + 64];
    struct smtp_error error = {0};
    snprintf(url, sizeof url, "smtp://ann:secret@%s?tls=never&helo=client.example", stage->address);
    stage_told(stage, 1,
               smtp_send_url(url, &stage->client, stage_envelope(),
                             smtp_content_text(stage_letter(1)), &error));
}

/* ---- the envelope from the header, content from a file ---- */

static FILE *file_of(const char *text)
{
    FILE *file = tmpfile();
    expect_true(file != NULL);
    fputs(text, file);
    rewind(file);
    return file;
}

static void before_file(struct stage *stage)
{
    before_any(stage);
    stage->user =
        file_of("From: ann@example.com\r\nTo: bob@example.com, \"A B\" <c@example.com>\r\n"
                "Bcc: d@example.com\r\nSubject: letter\r\n\r\nBody\r\n");
}

static void run_file(struct stage *stage)
{
    struct smtp_client *client = stage_connect(stage, 1);
    if (client != NULL) {
        stage->letters[1].status =
            smtp_client_send_message(client, smtp_content_file(stage->user), NULL);
    }
    smtp_client_free(client);
}

static void after_file(struct stage *stage)
{
    size_t count = smtp_mailbox_count(smtp_server_mailbox(stage->server));
    enum smtp_status status = stage->letters[1].status;
    if (count > 1 || (status == SMTP_OK && count != 1) ||
        (status != SMTP_OK && status != SMTP_DELIVERY_UNKNOWN && status != SMTP_PARTLY_REFUSED &&
         count != 0) ||
        (stage->must_hold && status != SMTP_OK)) {
        stage_wrong(stage, "%zu messages are there, the sender was told %s", count,
                    smtp_status_name(status));
    }
    stage_send_another(stage);
    fclose(stage->user);
    stage_end(stage);
}

/* ---- who else it is ---- */

static void trust_peer(struct stage *stage)
{
    static const char *const peers[] = {"127.0.0.1"};
    stage_defaults(stage);
    stage->options.trusted_peers = peers;
    stage->options.trusted_peer_count = 1;
}

static void before_proxy(struct stage *stage)
{
    trust_peer(stage);
    stage->options.proxy_protocol = true;
    stage->client.proxy_header = "v2 192.0.2.1:40112 192.0.2.2:25";
    stage_start(stage);
}

static void run_one(struct stage *stage)
{
    struct smtp_client *client = stage_connect(stage, 1);
    if (client != NULL) {
        (void)stage_send(stage, client, 1);
    }
    smtp_client_free(client);
}

static void before_xclient(struct stage *stage)
{
    trust_peer(stage);
    stage->options.keywords.xclient = true;
    stage_start(stage);
}

static void run_xclient(struct stage *stage)
{
    struct smtp_client *client = stage_connect(stage, 1);
    if (client == NULL) {
        return;
    }
    enum smtp_status status = smtp_client_hello(client);
    if (status == SMTP_OK) {
        status = smtp_client_xclient(client, "NAME=a.example ADDR=192.0.2.1 HELO=c.example");
    }
    stage_told(stage, 1, status);
    if (status == SMTP_OK) {
        (void)stage_send(stage, client, 1);
    }
    smtp_client_free(client);
}

/* ---- a server's life ---- */

static void run_life(struct stage *stage)
{
    struct smtp_error error = {0};
    stage_defaults(stage);
    stage->options.workers = 3;
    stage->options.listen = smtp_own_loopback(); /* it is started again */
    stage->options.listen_count = 1;
    enum smtp_status status = smtp_server_new(&stage->server, &stage->options, &error);
    if (status == SMTP_OK) {
        status = smtp_server_start(stage->server, &error);
    }
    if (status == SMTP_OK) {
        smtp_server_stop(stage->server, 100);
        status = smtp_server_start(stage->server, &error);
    }
    stage->letters[1].status = status;
    if (status != SMTP_OK && error.message[0] == '\0') {
        stage_wrong(stage, "no word on why it failed: %s", smtp_status_name(status));
    }
}

/* One that could not be made is made now, one that could not be started is started. */
static void after_life(struct stage *stage)
{
    enum smtp_status status = stage->letters[1].status;
    struct smtp_error error = {0};
    if (stage->must_hold && status != SMTP_OK) {
        stage_wrong(stage, "its life: %s", smtp_status_name(status));
    }
    if (stage->server == NULL) {
        stage_start(stage);
    } else if (status != SMTP_OK && smtp_server_start(stage->server, &error) != SMTP_OK) {
        stage_wrong(stage, "it cannot be started afterwards: %s", error.message);
    }
    snprintf(stage->address, sizeof stage->address, "%s", smtp_server_address(stage->server, 0));
    stage_finish(stage);
}

static const struct scenario pool = {"a pool", before_any, run_pool, stage_finish},
                             bulk = {"bulk", before_any, run_bulk, stage_finish},
                             url = {"a URL", before_url, run_url, stage_finish},
                             file = {"a message from a file", before_file, run_file, after_file},
                             proxy = {"a PROXY header", before_proxy, run_one, stage_finish},
                             xclient = {"XCLIENT", before_xclient, run_xclient, stage_finish},
                             life = {"a server's life", NULL, run_life, after_life};

BOTH_FAIL(a_pool, pool)
BOTH_FAIL(bulk_sending, bulk)
BOTH_FAIL(sending_by_url, url)
BOTH_FAIL(a_message_from_a_file, file)
BOTH_FAIL(a_proxy_header, proxy)
BOTH_FAIL(xclient, xclient)
BOTH_FAIL(a_servers_life, life)
