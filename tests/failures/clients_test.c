/* clients_test.c - a client and a server in one process, each way of sending, with each allocation and each call of
 * either failing in turn: what the sender is told is true, and the server takes the next letter. */
#include "tests/failures/stages.h"
#include "tests/support/test.h"

/* ---- one after the other ---- */

static void before_plain(struct stage *stage)
{
    stage_defaults(stage);
    stage->options.keywords.pipelining = false;
    stage->options.keywords.chunking = false;
    stage_start(stage);
}

static void before_bdat(struct stage *stage)
{
    stage_defaults(stage);
    stage->client.pipelining = false;
    stage->client.chunk_octets = 10;
    stage_start(stage);
}

static void before_pipelined(struct stage *stage)
{
    stage_defaults(stage);
    stage->client.chunking = false;
    stage_start(stage);
}

static void before_lmtp(struct stage *stage)
{
    static const char *const listen[] = {"lmtp://127.0.0.1:0"};
    stage_defaults(stage);
    stage->options.listen = listen;
    stage->options.listen_count = 1;
    stage_start(stage);
}

static void before_two_loops(struct stage *stage)
{
    stage_defaults(stage);
    stage->options.workers = 2;
    stage_start(stage);
}

/* Over a connection that was begun anew where the one before was lost. */
static void send_letters(struct stage *stage, struct smtp_client *client, size_t first, size_t last)
{
    for (size_t i = first; i <= last; i++) {
        enum smtp_status status = SMTP_OK;
        if (!smtp_client_is_connected(client)) {
            status = smtp_client_connect(client, stage->address, 0);
        }
        if (status == SMTP_OK) {
            status = smtp_client_send(client, stage_envelope(), smtp_content_text(stage_letter(i)),
                                      NULL);
        }
        stage_told(stage, i, status);
    }
}

static void run_letters(struct stage *stage)
{
    struct smtp_client *client = NULL;
    enum smtp_status status = smtp_client_new(&client, &stage->client);
    if (status != SMTP_OK) {
        stage_told(stage, 1, status);
        return;
    }
    send_letters(stage, client, 1, 2);
    (void)smtp_client_quit(client);
    smtp_client_free(client);
}

/* ---- logging in ---- */

static void before_login(struct stage *stage, const char *mechanisms)
{
    static const struct smtp_server_user users[] = {{"ann", "secret"}};
    stage_defaults(stage);
    stage->options.auth.users = users;
    stage->options.auth.user_count = 1;
    stage->options.auth.required = true;
    stage->options.auth.mechanisms = mechanisms;
    stage->options.auth.plain_without_tls = true;
    stage_start(stage);
}

static void before_plain_login(struct stage *stage)
{
    before_login(stage, "PLAIN");
}

static void before_cram(struct stage *stage)
{
    before_login(stage, "CRAM-MD5");
}

static void before_scram(struct stage *stage)
{
    before_login(stage, "SCRAM-SHA-1");
}

static void run_login(struct stage *stage)
{
    struct smtp_client *client = NULL;
    enum smtp_status status = smtp_client_new(&client, &stage->client);
    if (status == SMTP_OK) {
        status = smtp_client_connect(client, stage->address, 0);
    }
    if (status == SMTP_OK) {
        status = smtp_client_auth(client, &stage_credentials);
    }
    stage_told(stage, 1, status);
    if (status == SMTP_OK) {
        status =
            smtp_client_send(client, stage_envelope(), smtp_content_text(stage_letter(1)), NULL);
        stage_told(stage, 1, status);
        (void)smtp_client_quit(client);
    }
    smtp_client_free(client);
}

/* The whole, also of a client's options. */
static void before_starttls(struct stage *stage)
{
    stage_defaults(stage);
    stage_secure(stage);
    stage_start(stage);
}

/* ---- many ---- */

static bool next_letter(void *user, size_t index, struct smtp_outgoing *message)
{
    (void)user;
    *message = (struct smtp_outgoing){.envelope = *stage_envelope(),
                                      .content = smtp_content_text(stage_letter(index + 1))};
    return index < 4;
}

static void letter_sent(void *user, size_t index, const struct smtp_send_result *result)
{
    stage_told(user, index + 1, result->status);
}

static void run_stream(struct stage *stage)
{
    struct smtp_client *client = NULL;
    enum smtp_status status = smtp_client_new(&client, &stage->client);
    if (status == SMTP_OK) {
        status = smtp_client_connect(client, stage->address, 0);
    }
    if (status == SMTP_OK) {
        status = smtp_client_send_many(client, next_letter, letter_sent, stage);
    }
    if (status == SMTP_OK) {
        (void)smtp_client_quit(client);
    }
    smtp_client_free(client);
}

static const struct scenario scenarios[] = {
    {"by DATA, step by step", before_plain, run_letters, stage_finish},
    {"by BDAT, in chunks", before_bdat, run_letters, stage_finish},
    {"pipelined", before_pipelined, run_letters, stage_finish},
    {"LMTP", before_lmtp, run_letters, stage_finish},
    {"two loops", before_two_loops, run_letters, stage_finish},
    {"AUTH PLAIN", before_plain_login, run_login, stage_finish},
    {"AUTH CRAM-MD5", before_cram, run_login, stage_finish},
    {"AUTH SCRAM-SHA-1", before_scram, run_login, stage_finish},
    {"STARTTLS", before_starttls, run_letters, stage_finish},
    {"a stream by BDAT", before_bdat, run_stream, stage_finish},
    {"a stream, pipelined", before_pipelined, run_stream, stage_finish},
};
enum { STEPS, CHUNKS, PIPELINED, LMTP, LOOPS, PLAIN, CRAM, SCRAM, STARTTLS, CHUNKS_STREAM, STREAM };

BOTH_FAIL(a_client_that_sends_by_data, scenarios[STEPS])
BOTH_FAIL(a_client_that_sends_by_bdat, scenarios[CHUNKS])
BOTH_FAIL(a_client_that_pipelines, scenarios[PIPELINED])
BOTH_FAIL(a_client_that_speaks_lmtp, scenarios[LMTP])
BOTH_FAIL(a_server_of_two_loops, scenarios[LOOPS])
BOTH_FAIL(a_login_by_plain, scenarios[PLAIN])
BOTH_FAIL(a_login_by_cram_md5, scenarios[CRAM])
BOTH_FAIL(a_login_by_scram, scenarios[SCRAM])
BOTH_FAIL(starttls, scenarios[STARTTLS])
BOTH_FAIL(a_stream_by_bdat, scenarios[CHUNKS_STREAM])
BOTH_FAIL(a_pipelined_stream, scenarios[STREAM])
