/* client_bulk_test.c - many sessions at once (client/smtp_bulk.h) with a real server: every message is answered for once, and
 * what was accepted arrived once, whatever becomes of sessions. */
#include "client/smtp_bulk.h"
#include "common/clock.h"
#include "harness/smtp_harness.h"
#include "tests/support/test.h"

#include <stdio.h>

#define MESSAGES_MAX 500

/** What a test sends, and what it hears. */
struct bulk_test {
    size_t message_count, begun, accepted, refused;
    size_t answered[MESSAGES_MAX]; /* how often each */
    size_t at[2000];               /* the message in each place */
    char contents[MESSAGES_MAX][64];
    const char *forward_path;    /* of all */
    const char *odd_path;        /* of every third, NULL: the same */
    const char *content;         /* of all, NULL: one with its number */
    uint64_t due_ns, spacing_ns; /* 0: at once */
    bool was_early;
    size_t timed[32], lost;
    struct smtp_error lost_error;
    struct smtp_bulk *stops;       /* is stopped with the tenth result */
    bool cuts;                     /* and nothing is waited for then */
    struct smtp_server *goes_away; /* likewise */
};

static enum smtp_bulk_more next(void *user, struct smtp_bulk_message *message)
{
    struct bulk_test *test = user;
    if (test->begun == test->message_count) {
        return SMTP_BULK_NONE;
    }
    uint64_t due_ns = test->due_ns + test->begun * test->spacing_ns;
    if (test->spacing_ns > 0 && smtp_clock_now_ns() < due_ns) {
        message->due_ns = due_ns;
        return SMTP_BULK_LATER;
    }
    size_t i = test->begun++;
    test->at[message->place] = i;
    snprintf(test->contents[i], sizeof test->contents[i], "Subject: %zu\r\n\r\nhi\r\n", i);
    message->outgoing.envelope = (struct smtp_envelope){
        .reverse_path = "ann@example.com",
        .forward_paths =
            test->odd_path != NULL && i % 3 == 0 ? &test->odd_path : &test->forward_path,
        .forward_path_count = 1};
    message->outgoing.content =
        smtp_content_text(test->content != NULL ? test->content : test->contents[i]);
    return SMTP_BULK_MESSAGE;
}

static void sent(void *user, size_t place, const struct smtp_send_result *result)
{
    struct bulk_test *test = user;
    test->answered[test->at[place]]++;
    test->accepted += result->status == SMTP_OK;
    test->refused += result->status != SMTP_OK;
    if (test->stops != NULL && test->accepted + test->refused == 10) {
        (test->cuts ? smtp_bulk_cut : smtp_bulk_stop)(test->stops);
    }
    if (test->goes_away != NULL && test->accepted + test->refused == 10) {
        smtp_server_stop(test->goes_away, 0);
    }
}

static void timed(void *user, enum smtp_client_stage stage, uint64_t elapsed_ns)
{
    struct bulk_test *test = user;
    test->timed[stage]++;
    test->was_early = test->was_early || elapsed_ns > UINT64_C(60000000000);
}

static void lost(void *user, enum smtp_client_stage stage, const struct smtp_error *error)
{
    struct bulk_test *test = user;
    (void)stage;
    test->lost++;
    test->lost_error = *error;
}

static enum smtp_status run(struct bulk_test *test, struct smtp_harness *harness,
                            const struct smtp_client_options *client,
                            const struct smtp_client_credentials *credentials,
                            const struct smtp_bulk_options *options, bool stops)
{
    char host[80];
    struct smtp_bulk *bulk = NULL;
    struct smtp_error error;
    bool lmtp = strncmp(smtp_harness_url(harness), "lmtp", 4) == 0;
    snprintf(host, sizeof host, "%s%s", lmtp ? "lmtp://" : "", smtp_harness_host(harness));
    const struct smtp_client_target target = {.host = host,
                                              .port = smtp_harness_port(harness),
                                              .options = client,
                                              .credentials = credentials};
    const struct smtp_bulk_hooks hooks = {
        .next = next, .sent = sent, .timed = timed, .lost = lost, .user = test};
    test->forward_path = test->forward_path != NULL ? test->forward_path : "bob@example.com";
    expect_int(smtp_bulk_new(&bulk, &target, options, &hooks, &error), SMTP_OK);
    test->stops = stops ? bulk : NULL;
    enum smtp_status status = smtp_bulk_run(bulk, &error);
    smtp_bulk_free(bulk);
    return status;
}

static struct smtp_harness *start(const struct smtp_harness_options *options)
{
    struct smtp_error error;
    struct smtp_harness *harness = smtp_harness_start(options, &error);
    expect_true(harness != NULL);
    return harness;
}

static struct smtp_harness_options options_of(enum smtp_server_tls_mode tls)
{
    struct smtp_harness_options options;
    smtp_harness_options_init(&options);
    options.server.tls.mode = tls;
    options.magic_addresses = true;
    return options;
}

static struct smtp_client_options client_of(void)
{
    struct smtp_client_options client;
    smtp_client_options_init(&client);
    return client;
}

/** Every message that was begun has one result, and what was accepted is there, each once. */
static void expect_answered(struct bulk_test *test, struct smtp_harness *harness)
{
    bool seen[MESSAGES_MAX] = {false};
    for (size_t i = 0; i < test->begun; i++) {
        expect_int(test->answered[i], 1);
    }
    struct smtp_mailbox *mailbox = smtp_harness_mailbox(harness);
    expect_int(smtp_mailbox_count(mailbox), test->accepted);
    for (uint64_t n = 1; n <= smtp_mailbox_captured(mailbox); n++) {
        struct smtp_message *message = smtp_mailbox_get(mailbox, n);
        size_t number = MESSAGES_MAX;
        if (test->content == NULL) {
            sscanf(smtp_message_content(message, NULL), "Subject: %zu", &number);
            expect_true(number < test->begun && !seen[number]);
            seen[number] = true;
        }
        smtp_message_release(message);
    }
}

TEST(client_bulk, every_message_of_many_sessions_arrives_once_and_is_timed)
{
    struct bulk_test test = {.message_count = 300};
    struct smtp_harness_options options = options_of(SMTP_SERVER_TLS_OFF);
    struct smtp_harness *harness = start(&options);
    struct smtp_client_options client = client_of();
    const struct smtp_bulk_options bulk = {.sessions = 30, .in_flight = 1};
    expect_int(run(&test, harness, &client, NULL, &bulk, false), SMTP_OK);
    expect_int(test.accepted, 300);
    expect_answered(&test, harness);
    expect_int(test.timed[SMTP_STAGE_CONNECT], 30);
    expect_int(test.timed[SMTP_STAGE_GREETING], 30);
    expect_int(test.timed[SMTP_STAGE_EHLO], 30);
    expect_int(test.timed[SMTP_STAGE_MAIL], 300);
    expect_int(test.timed[SMTP_STAGE_RCPT], 300);
    expect_int(test.timed[SMTP_STAGE_DOT], 300);
    expect_int(test.timed[SMTP_STAGE_QUIT], 30);
    expect_int(test.lost, 0);
    expect_true(!test.was_early);
    smtp_harness_stop(harness);
}

TEST(client_bulk, messages_follow_each_other_unanswered_where_in_flight_says_so)
{
    static const bool by_bdat[] = {false, true};
    for (size_t i = 0; i < 2; i++) {
        struct bulk_test test = {.message_count = 300};
        struct smtp_harness_options options = options_of(SMTP_SERVER_TLS_OFF);
        struct smtp_harness *harness = start(&options);
        struct smtp_client_options client = client_of();
        client.chunking = by_bdat[i];
        const struct smtp_bulk_options bulk = {.sessions = 4, .in_flight = 64};
        expect_int(run(&test, harness, &client, NULL, &bulk, false), SMTP_OK);
        expect_int(test.accepted, 300);
        expect_answered(&test, harness);
        smtp_harness_stop(harness);
    }
}

static void expect_secure(enum smtp_client_tls_policy policy, const char *listen)
{
    struct bulk_test test = {.message_count = 60};
    struct smtp_server_user user = {"ann", "open sesame"};
    struct smtp_harness_options options = options_of(SMTP_SERVER_TLS_OFFERED);
    options.server.listen = &listen;
    options.server.listen_count = 1;
    options.server.auth.users = &user;
    options.server.auth.user_count = 1;
    options.server.auth.required = true;
    options.server.auth.mechanisms = "PLAIN CRAM-MD5";
    struct smtp_harness *harness = start(&options);
    struct smtp_client_options client = client_of();
    client.tls.policy = policy;
    client.tls.ca_pem = smtp_harness_ca_pem(harness);
    const struct smtp_client_credentials credentials = {.identity = "ann",
                                                        .password = "open sesame"};
    const struct smtp_bulk_options bulk = {.sessions = 6, .in_flight = 1, .session_messages = 5};
    expect_int(run(&test, harness, &client, &credentials, &bulk, false), SMTP_OK);
    expect_int(test.accepted, 60);
    expect_answered(&test, harness);
    expect_true(test.timed[SMTP_STAGE_STARTTLS] >= 12);
    expect_int(test.timed[SMTP_STAGE_AUTH], test.timed[SMTP_STAGE_STARTTLS]);
    struct smtp_message *message = smtp_mailbox_get(smtp_harness_mailbox(harness), 1);
    expect_str(smtp_message_protocol(message), "ESMTPSA");
    smtp_message_release(message);
    smtp_harness_stop(harness);
}

TEST(client_bulk, tls_and_a_login_come_before_the_first_message_of_each_session)
{
    expect_secure(SMTP_CLIENT_TLS_REQUIRED, "127.0.0.1:0");
    expect_secure(SMTP_CLIENT_TLS_IMPLICIT, "smtps://127.0.0.1:0");
}

TEST(client_bulk, a_wrong_password_and_an_untrusted_certificate_give_every_session_up)
{
    struct smtp_server_user user = {"ann", "open sesame"};
    struct smtp_harness_options options = options_of(SMTP_SERVER_TLS_OFFERED);
    options.server.auth.users = &user;
    options.server.auth.user_count = 1;
    struct smtp_harness *harness = start(&options);
    struct smtp_client_options client = client_of();
    const struct smtp_client_credentials wrong = {.identity = "ann", .password = "wrong"};
    const struct smtp_bulk_options bulk = {.sessions = 2, .in_flight = 1, .tries = 1};
    struct bulk_test test = {.message_count = 10};
    client.tls.policy = SMTP_CLIENT_TLS_REQUIRED;
    expect_int(run(&test, harness, &client, NULL, &bulk, false), SMTP_TLS_FAILED);
    client.tls.ca_pem = smtp_harness_ca_pem(harness);
    expect_int(run(&test, harness, &client, &wrong, &bulk, false), SMTP_REFUSED_PERMANENT);
    expect_int(test.lost, 4);
    expect_int(test.begun, 0);
    smtp_harness_stop(harness);
}

TEST(client_bulk, lmtp_is_spoken_where_the_host_says_so)
{
    static const char *const listen = "lmtp://127.0.0.1:0";
    struct bulk_test test = {.message_count = 50};
    struct smtp_harness_options options = options_of(SMTP_SERVER_TLS_OFF);
    options.server.listen = &listen;
    options.server.listen_count = 1;
    struct smtp_harness *harness = start(&options);
    struct smtp_client_options client = client_of();
    const struct smtp_bulk_options bulk = {.sessions = 3, .in_flight = 8};
    expect_int(run(&test, harness, &client, NULL, &bulk, false), SMTP_OK);
    expect_int(test.accepted, 50);
    expect_answered(&test, harness);
    smtp_harness_stop(harness);
}

TEST(client_bulk, a_refused_message_is_its_result_and_stops_nothing)
{
    struct bulk_test test = {.message_count = 90, .odd_path = "carol+550-5.1.1@example.com"};
    struct smtp_harness_options options = options_of(SMTP_SERVER_TLS_OFF);
    struct smtp_harness *harness = start(&options);
    struct smtp_client_options client = client_of();
    const struct smtp_bulk_options bulk = {.sessions = 5, .in_flight = 4};
    expect_int(run(&test, harness, &client, NULL, &bulk, false), SMTP_OK);
    expect_int(test.accepted, 60);
    expect_int(test.refused, 30);
    expect_int(test.lost, 0);
    expect_answered(&test, harness);
    smtp_harness_stop(harness);
}

TEST(client_bulk, a_session_that_is_lost_is_followed_by_another)
{
    struct bulk_test test = {.message_count = 120, .odd_path = "carol@example.com"};
    struct smtp_harness_options options = options_of(SMTP_SERVER_TLS_OFF);
    struct smtp_harness *harness = start(&options);
    struct smtp_client_options client = client_of();
    const struct smtp_bulk_options bulk = {.sessions = 4, .in_flight = 1};
    expect_int(smtp_harness_fault(harness, "rcpt carol@*: reset"), SMTP_OK);
    expect_int(run(&test, harness, &client, NULL, &bulk, false), SMTP_OK);
    expect_int(test.accepted, 80);
    expect_int(test.refused, 40);
    expect_int(test.lost, 40);
    expect_answered(&test, harness);
    smtp_harness_stop(harness);
}

TEST(client_bulk, a_session_brings_as_many_as_it_may_and_quits)
{
    struct bulk_test test = {.message_count = 60};
    struct smtp_harness_options options = options_of(SMTP_SERVER_TLS_OFF);
    options.server.limits.messages = 4; /* offered as LIMITS MAILMAX=4 (RFC 9422) */
    struct smtp_harness *harness = start(&options);
    struct smtp_client_options client = client_of();
    const struct smtp_bulk_options bulk = {.sessions = 3, .in_flight = 16};
    expect_int(run(&test, harness, &client, NULL, &bulk, false), SMTP_OK);
    expect_int(test.accepted, 60);
    expect_int(test.lost, 0);
    expect_true(test.timed[SMTP_STAGE_QUIT] >= 15);
    expect_answered(&test, harness);
    smtp_harness_stop(harness);
}

TEST(client_bulk, no_message_is_asked_for_before_it_is_due)
{
    struct bulk_test test = {.message_count = 40, .spacing_ns = 2000000};
    struct smtp_harness_options options = options_of(SMTP_SERVER_TLS_OFF);
    struct smtp_harness *harness = start(&options);
    struct smtp_client_options client = client_of();
    const struct smtp_bulk_options bulk = {.sessions = 5, .in_flight = 1};
    uint64_t begin_ns = smtp_clock_now_ns();
    test.due_ns = begin_ns;
    expect_int(run(&test, harness, &client, NULL, &bulk, false), SMTP_OK);
    expect_int(test.accepted, 40);
    expect_true(smtp_clock_now_ns() - begin_ns >= 39 * test.spacing_ns);
    expect_answered(&test, harness);
    smtp_harness_stop(harness);
}

TEST(client_bulk, what_is_stopped_begins_nothing_more_and_answers_for_the_rest)
{
    struct bulk_test test = {.message_count = MESSAGES_MAX};
    struct smtp_harness_options options = options_of(SMTP_SERVER_TLS_OFF);
    struct smtp_harness *harness = start(&options);
    struct smtp_client_options client = client_of();
    const struct smtp_bulk_options bulk = {.sessions = 4, .in_flight = 4};
    expect_int(run(&test, harness, &client, NULL, &bulk, true), SMTP_OK);
    expect_true(test.begun < MESSAGES_MAX);
    expect_true(test.accepted >= 10);
    expect_answered(&test, harness);
    smtp_harness_stop(harness);
}

/* One session of each waits, with the timeouts of RFC 5321 4.5.3.2: minutes. */
TEST(client_bulk, what_is_cut_waits_for_nothing_and_answers_for_all)
{
    static const char *const faults[] = {"greeting: hang once", "ehlo: hang once",
                                         "rcpt: hang once",     "content: hang once",
                                         "dot: hang once",      "quit: hang once"};
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        struct bulk_test test = {.message_count = MESSAGES_MAX, .cuts = true};
        struct smtp_harness_options options = options_of(SMTP_SERVER_TLS_OFF);
        struct smtp_harness *harness = start(&options);
        struct smtp_client_options client = client_of();
        const struct smtp_bulk_options bulk = {
            .sessions = 4, .in_flight = 4, .session_messages = 2};
        expect_int(smtp_harness_fault(harness, faults[i]), SMTP_OK);
        expect_int(run(&test, harness, &client, NULL, &bulk, true), SMTP_OK);
        expect_true(test.begun < MESSAGES_MAX);
        for (size_t k = 0; k < test.begun; k++) {
            expect_int(test.answered[k], 1);
        }
        smtp_harness_stop(harness);
    }
}

TEST(client_bulk, a_server_that_refuses_or_is_silent_ends_it_after_its_tries)
{
    static const struct {
        const char *fault;
        enum smtp_status status;
    } rows[] = {{"connect: reply 554 5.3.2", SMTP_REFUSED_PERMANENT},
                {"greeting: hang", SMTP_TIMED_OUT},
                {"ehlo: hang", SMTP_TIMED_OUT},
                {"greeting: close", SMTP_CLOSED}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct bulk_test test = {.message_count = 10};
        struct smtp_harness_options options = options_of(SMTP_SERVER_TLS_OFF);
        struct smtp_harness *harness = start(&options);
        struct smtp_client_options client = client_of();
        client.timeouts.greeting_ms = client.timeouts.command_ms = 50;
        const struct smtp_bulk_options bulk = {.sessions = 2, .in_flight = 1, .tries = 2};
        expect_int(smtp_harness_fault(harness, rows[i].fault), SMTP_OK);
        expect_int(run(&test, harness, &client, NULL, &bulk, false), rows[i].status);
        expect_int(test.begun, 0);
        expect_int(test.lost, 4);
        smtp_harness_stop(harness);
    }
}

TEST(client_bulk, a_server_that_goes_away_ends_it_after_its_tries)
{
    struct bulk_test test = {.message_count = MESSAGES_MAX};
    struct smtp_harness_options options = options_of(SMTP_SERVER_TLS_OFF);
    struct smtp_harness *harness = start(&options);
    struct smtp_client_options client = client_of();
    const struct smtp_bulk_options bulk = {.sessions = 2, .in_flight = 1, .tries = 2};
    test.goes_away = smtp_harness_server(harness);
    expect_int(run(&test, harness, &client, NULL, &bulk, false), SMTP_CONNECT_FAILED);
    expect_true(test.begun >= 10 && test.begun < MESSAGES_MAX);
    expect_true(test.lost <=
                6); /* each where the server ended it, and twice where there was none */
    smtp_harness_stop(harness);
}

TEST(client_bulk, content_that_needs_repair_and_stuffing_arrives_as_it_should)
{
    struct bulk_test test = {.message_count = 20, .content = "Subject: x\n\n.dot\n..\nend"};
    struct smtp_harness_options options = options_of(SMTP_SERVER_TLS_OFF);
    struct smtp_harness *harness = start(&options);
    struct smtp_client_options client = client_of();
    client.chunking = false;
    const struct smtp_bulk_options bulk = {.sessions = 3, .in_flight = 5};
    expect_int(run(&test, harness, &client, NULL, &bulk, false), SMTP_OK);
    expect_int(test.accepted, 20);
    struct smtp_message *message = smtp_mailbox_get(smtp_harness_mailbox(harness), 20);
    expect_str(smtp_message_content(message, NULL), "Subject: x\r\n\r\n.dot\r\n..\r\nend\r\n");
    smtp_message_release(message);
    smtp_harness_stop(harness);
}

TEST(client_bulk, what_cannot_be_is_told_before_anything_is_sent)
{
    struct smtp_bulk *bulk = NULL;
    struct smtp_error error;
    const struct smtp_bulk_hooks hooks = {.next = next, .sent = sent};
    const struct smtp_bulk_options none = {.sessions = 0, .in_flight = 1};
    const struct smtp_bulk_options many = {.sessions = 1, .in_flight = SMTP_BULK_IN_FLIGHT_MAX + 1};
    const struct smtp_bulk_options one = {.sessions = 1, .in_flight = 1};
    const struct smtp_client_target nowhere = {.host = NULL};
    const struct smtp_client_target smtps = {.host = "smtps://127.0.0.1"};
    const struct smtp_client_target closed = {.host = "unix:/nonexistent/socket"};
    struct smtp_client_options client = client_of();
    client.tls.policy = SMTP_CLIENT_TLS_REQUIRED;
    client.tls.ca_file = "/nonexistent/ca.pem";
    const struct smtp_client_target untrusting = {.host = "127.0.0.1:1", .options = &client};
    expect_int(smtp_bulk_new(&bulk, &closed, &none, &hooks, &error), SMTP_BAD_ARGUMENT);
    expect_int(smtp_bulk_new(&bulk, &closed, &many, &hooks, &error), SMTP_BAD_ARGUMENT);
    expect_int(smtp_bulk_new(&bulk, &nowhere, &one, &hooks, &error), SMTP_BAD_ARGUMENT);
    expect_int(smtp_bulk_new(&bulk, &untrusting, &one, &hooks, &error), SMTP_BAD_ARGUMENT);
    expect_true(bulk == NULL);
    expect_int(smtp_bulk_new(&bulk, &smtps, &one, &hooks, &error), SMTP_OK);
    expect_int(smtp_bulk_run(bulk, &error), SMTP_BAD_ARGUMENT);
    smtp_bulk_free(bulk);
    expect_int(smtp_bulk_new(&bulk, &closed, &one, &hooks, &error), SMTP_OK);
    expect_int(smtp_bulk_run(bulk, &error), SMTP_CONNECT_FAILED);
    smtp_bulk_free(bulk);
}
