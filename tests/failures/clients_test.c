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

/* ---- under TLS, and logging in ---- */

/* The whole, also of a client's options. */
static void before_starttls(struct stage *stage)
{
    stage_defaults(stage);
    stage_secure(stage);
    stage_start(stage);
}

static void before_implicit_tls(struct stage *stage)
{
    static const char *const listen[] = {"smtps://127.0.0.1:0"};
    stage_defaults(stage);
    stage_secure(stage);
    stage->options.tls.mode = SMTP_SERVER_TLS_OFF;
    stage->options.listen = listen;
    stage->options.listen_count = 1;
    stage->client.tls.policy = SMTP_CLIENT_TLS_IMPLICIT;
    stage_start(stage);
}

static void before_login(struct stage *stage, const char *mechanisms)
{
    stage_defaults(stage);
    stage_ask_login(stage, mechanisms);
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

static void before_token(struct stage *stage)
{
    before_login(stage, "OAUTHBEARER");
}

static void before_scram(struct stage *stage)
{
    before_login(stage, "SCRAM-SHA-1");
}

static void before_scram_256(struct stage *stage)
{
    before_login(stage, "SCRAM-SHA-256");
}

static void before_scram_plus(struct stage *stage)
{
    stage_defaults(stage);
    stage_secure(stage);
    stage_ask_login(stage, "SCRAM-SHA-256-PLUS");
    stage_start(stage);
}

static void run_login(struct stage *stage)
{
    struct smtp_client *client = stage_connect(stage, 1);
    if (client == NULL) {
        return;
    }
    stage_told(stage, 1, smtp_client_auth(client, &stage_credentials));
    if (stage->letters[1].status == SMTP_OK && stage_send(stage, client, 1) == SMTP_OK) {
        (void)smtp_client_quit(client);
    }
    smtp_client_free(client);
}

/* ---- with all that may be asked for a message ---- */

static void before_asking(struct stage *stage)
{
    stage_defaults(stage);
    stage->options.keywords.dsn = true;
    stage_start(stage);
}

static void run_asking(struct stage *stage)
{
    static const struct smtp_mail_options mail = {.dsn_return = SMTP_DSN_RETURN_HEADERS,
                                                  .dsn_envelope_id = "QQ 1=2"};
    static const struct smtp_rcpt_options rcpt = {.notify = SMTP_NOTIFY_FAILURE | SMTP_NOTIFY_DELAY,
                                                  .original_recipient = "rfc822;b+c@example.com"};
    struct smtp_envelope envelope = *stage_envelope();
    struct smtp_client *client = stage_connect(stage, 1);
    envelope.mail = &mail;
    envelope.rcpt = &rcpt;
    if (client != NULL) {
        stage_told(stage, 1,
                   smtp_client_send(client, &envelope, smtp_content_text(stage_letter(1)), NULL));
    }
    smtp_client_free(client);
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
    struct smtp_client *client = stage_connect(stage, 1);
    if (client != NULL &&
        smtp_client_send_many(client, next_letter, letter_sent, stage) == SMTP_OK) {
        (void)smtp_client_quit(client);
    }
    smtp_client_free(client);
}

static const struct scenario scenarios[] = {
    {"by DATA, step by step", before_plain, stage_send_two, stage_finish},
    {"by BDAT, in chunks", before_bdat, stage_send_two, stage_finish},
    {"pipelined", before_pipelined, stage_send_two, stage_finish},
    {"LMTP", before_lmtp, stage_send_two, stage_finish},
    {"two loops", before_two_loops, stage_send_two, stage_finish},
    {"AUTH PLAIN", before_plain_login, run_login, stage_finish},
    {"AUTH CRAM-MD5", before_cram, run_login, stage_finish},
    {"AUTH OAUTHBEARER", before_token, run_login, stage_finish},
    {"AUTH SCRAM-SHA-1", before_scram, run_login, stage_finish},
    {"AUTH SCRAM-SHA-256", before_scram_256, run_login, stage_finish},
    {"AUTH SCRAM-SHA-256-PLUS", before_scram_plus, run_login, stage_finish},
    {"STARTTLS", before_starttls, stage_send_two, stage_finish},
    {"TLS from the first octet", before_implicit_tls, stage_send_two, stage_finish},
    {"DSN", before_asking, run_asking, stage_finish},
    {"a stream by BDAT", before_bdat, run_stream, stage_finish},
    {"a stream, pipelined", before_pipelined, run_stream, stage_finish},
};
enum {
    STEPS,
    CHUNKS,
    PIPELINED,
    LMTP,
    LOOPS,
    PLAIN,
    CRAM,
    TOKEN,
    SCRAM,
    SCRAM_256,
    SCRAM_PLUS,
    STARTTLS,
    IMPLICIT_TLS,
    ASKING,
    CHUNKS_STREAM,
    STREAM
};

BOTH_FAIL(a_client_that_sends_by_data, scenarios[STEPS])
BOTH_FAIL(a_client_that_sends_by_bdat, scenarios[CHUNKS])
BOTH_FAIL(a_client_that_pipelines, scenarios[PIPELINED])
BOTH_FAIL(a_client_that_speaks_lmtp, scenarios[LMTP])
BOTH_FAIL(a_server_of_two_loops, scenarios[LOOPS])
BOTH_FAIL(a_login_by_plain, scenarios[PLAIN])
BOTH_FAIL(a_login_by_cram_md5, scenarios[CRAM])
BOTH_FAIL(a_login_by_oauthbearer, scenarios[TOKEN])
BOTH_FAIL(a_login_by_scram, scenarios[SCRAM])
BOTH_FAIL(a_login_by_scram_sha_256, scenarios[SCRAM_256])
BOTH_FAIL(a_login_by_scram_plus, scenarios[SCRAM_PLUS])
BOTH_FAIL(starttls, scenarios[STARTTLS])
BOTH_FAIL(implicit_tls, scenarios[IMPLICIT_TLS])
BOTH_FAIL(asking_for_dsn, scenarios[ASKING])
BOTH_FAIL(a_stream_by_bdat, scenarios[CHUNKS_STREAM])
BOTH_FAIL(a_pipelined_stream, scenarios[STREAM])

OPENSSL_FAILS(a_login_by_cram_md5, scenarios[CRAM])
OPENSSL_FAILS(a_login_by_scram, scenarios[SCRAM])
OPENSSL_FAILS(a_login_by_scram_sha_256, scenarios[SCRAM_256])
OPENSSL_FAILS(a_login_by_scram_plus, scenarios[SCRAM_PLUS])
OPENSSL_FAILS(starttls, scenarios[STARTTLS])
OPENSSL_FAILS(implicit_tls, scenarios[IMPLICIT_TLS])
