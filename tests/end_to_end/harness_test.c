/* harness_test.c - the harness as its header promises it: both ends running, captured mail looked
 * at, assertions that hold and that fail. */
#undef NDEBUG /* the example asserts in every build */
#include "harness/smtp_harness.h"
#include "tests/support/test.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

static struct smtp_harness *start(uint64_t wait_ms)
{
    struct smtp_harness_options options;
    smtp_harness_options_init(&options);
    options.wait_ms = wait_ms;
    struct smtp_error error = {0};
    struct smtp_harness *harness = smtp_harness_start(&options, &error);
    expect_str(error.message, "");
    expect_true(harness != NULL);
    return harness;
}

static enum smtp_status send_with(struct smtp_client *client, const char *from, const char *to,
                                  const char *content)
{
    const char *paths[] = {to};
    struct smtp_envelope envelope = {
        .reverse_path = from, .forward_paths = paths, .forward_path_count = 1};
    expect_true(client != NULL);
    return smtp_client_send(client, &envelope, smtp_content_text(content), NULL);
}

static void send_to(struct smtp_harness *harness, const char *to, const char *content)
{
    expect_int(send_with(smtp_harness_client(harness), "ann@example.com", to, content), SMTP_OK);
}

/* Word for word the example of smtp_harness.h. */
TEST(harness, the_example_of_the_header_runs)
{
    struct smtp_harness *harness = smtp_harness_start(NULL, NULL);
    struct smtp_client *client = smtp_harness_client(harness);
    const char *to[] = {"bob@example.com"};
    struct smtp_envelope envelope = {
        .reverse_path = "ann@example.com", .forward_paths = to, .forward_path_count = 1};
    struct smtp_content content = smtp_content_text("Subject: Hi\n\nHello\n");
    assert(smtp_client_send(client, &envelope, content, NULL) == SMTP_OK);
    const struct smtp_harness_message *message;
    message = smtp_harness_wait(harness, "to=bob@example.com");
    assert(message != NULL && strcmp(smtp_harness_header(message, "Subject"), "Hi") == 0);
    smtp_harness_stop(harness);
}

TEST(harness, it_says_where_it_is)
{
    struct smtp_harness *harness = start(5000);
    char url[64];
    snprintf(url, sizeof url, "smtp://127.0.0.1:%u", smtp_harness_port(harness));
    expect_str(smtp_harness_host(harness), "127.0.0.1");
    expect_true(smtp_harness_port(harness) != 0);
    expect_str(smtp_harness_url(harness), url);
    expect_true(smtp_harness_mailbox(harness) == smtp_server_mailbox(smtp_harness_server(harness)));
    smtp_harness_stop(harness);
    smtp_harness_stop(NULL);
}

TEST(harness, ipv6_and_unix_listeners_are_connected_to)
{
    char path[64];
    snprintf(path, sizeof path, "unix:/tmp/smtp-harness-test-%ld", (long)getpid());
    const char *listens[] = {"[::1]:0", path};
    const char *hosts[] = {"::1", path};
    for (size_t i = 0; i < 2; i++) {
        struct smtp_harness_options options;
        smtp_harness_options_init(&options);
        options.server.listen = &listens[i];
        options.server.listen_count = 1;
        struct smtp_error error = {0};
        struct smtp_harness *harness = smtp_harness_start(&options, &error);
        if (harness == NULL && i == 0) {
            continue; /* a machine without IPv6 */
        }
        expect_str(error.message, "");
        expect_str(smtp_harness_host(harness), hosts[i]);
        expect_true(i == 0 ? strncmp(smtp_harness_url(harness), "smtp://[::1]:", 13) == 0
                           : strcmp(smtp_harness_url(harness), path) == 0);
        send_to(harness, "bob@example.com", "Subject: there\n\n");
        expect_true(smtp_harness_wait(harness, "subject=there") != NULL);
        smtp_harness_stop(harness);
    }
}

TEST(harness, a_start_that_fails_says_why)
{
    struct smtp_harness *first = start(5000);
    char listen[64];
    snprintf(listen, sizeof listen, "127.0.0.1:%u", smtp_harness_port(first));
    const char *listens[] = {listen};
    struct smtp_harness_options options;
    smtp_harness_options_init(&options);
    options.server.listen = listens;
    options.server.listen_count = 1;
    struct smtp_error error = {0};
    expect_true(smtp_harness_start(&options, &error) == NULL);
    expect_int(error.status, SMTP_LISTEN_FAILED);
    expect_contains(error.message, listen);
    smtp_harness_stop(first);
}

TEST(harness, the_client_is_the_same_each_time_and_comes_back_after_a_close)
{
    struct smtp_harness *harness = start(5000);
    struct smtp_client *client = smtp_harness_client(harness);
    expect_true(client != NULL && smtp_client_is_connected(client));
    expect_true(smtp_harness_client(harness) == client);
    expect_true(smtp_harness_connect(harness) != client);
    smtp_client_quit(client);
    expect_true(!smtp_client_is_connected(client));
    expect_true(smtp_harness_client(harness) == client);
    expect_true(smtp_client_is_connected(client));
    smtp_harness_stop(harness);
}

TEST(harness, a_client_that_cannot_connect_is_told)
{
    struct smtp_harness *harness = start(5000);
    smtp_server_stop(smtp_harness_server(harness), 0);
    expect_true(smtp_harness_connect(harness) == NULL);
    expect_contains(smtp_harness_failure(harness), "a client cannot connect: ");
    expect_contains(smtp_harness_failure(harness), "127.0.0.1");
    smtp_harness_stop(harness);
}

TEST(harness, a_wait_gives_the_next_match_after_the_last)
{
    struct smtp_harness *harness = start(200);
    send_to(harness, "bob@example.com", "Subject: one\n\n");
    send_to(harness, "carol@example.com", "Subject: two\n\n");
    send_to(harness, "bob@example.com", "Subject: three\n\n");
    const struct smtp_harness_message *first = smtp_harness_wait(harness, "to=bob@example.com");
    const struct smtp_harness_message *second = smtp_harness_wait(harness, "to=bob@example.com");
    expect_true(first != NULL && second != NULL);
    expect_str(smtp_harness_header(first, "subject"), "one");
    expect_str(smtp_harness_header(second, "subject"), "three");
    expect_str(smtp_harness_failure(harness), "");
    expect_true(smtp_harness_wait(harness, NULL) == NULL);
    expect_contains(smtp_harness_failure(harness), "expected within 200 ms: any message\n"
                                                   "3 messages were captured\n"
                                                   "an earlier wait took or passed 3 of them; ");
    smtp_harness_stop(harness);
}

struct delayed {
    struct smtp_harness *harness;
    struct smtp_client *client;
    int start[2];
};

static void *send_when_told(void *user)
{
    struct delayed *delayed = user;
    char octet;
    expect_int(read(delayed->start[0], &octet, 1), 1);
    expect_int(send_with(delayed->client, "ann@example.com", "late@example.com", "late\n"),
               SMTP_OK);
    return NULL;
}

TEST(harness, a_wait_wakes_when_the_message_comes)
{
    struct delayed delayed = {.harness = start(15000)};
    delayed.client = smtp_harness_connect(delayed.harness);
    expect_int(pipe(delayed.start), 0);
    pthread_t thread;
    expect_int(pthread_create(&thread, NULL, send_when_told, &delayed), 0);
    expect_int(write(delayed.start[1], "x", 1), 1);
    expect_true(smtp_harness_wait(delayed.harness, "to=late@example.com") != NULL);
    pthread_join(thread, NULL);
    close(delayed.start[0]);
    close(delayed.start[1]);
    smtp_harness_stop(delayed.harness);
}

TEST(harness, expect_none_fails_as_soon_as_the_message_comes)
{
    struct delayed delayed = {.harness = start(0)};
    delayed.client = smtp_harness_connect(delayed.harness);
    expect_int(pipe(delayed.start), 0);
    pthread_t thread;
    expect_int(pthread_create(&thread, NULL, send_when_told, &delayed), 0);
    expect_int(write(delayed.start[1], "x", 1), 1);
    expect_int(smtp_harness_expect_none(delayed.harness, "to=late@example.com", 1000000),
               SMTP_NOT_AS_EXPECTED);
    pthread_join(thread, NULL);
    close(delayed.start[0]);
    close(delayed.start[1]);
    smtp_harness_stop(delayed.harness);
}

/* The test's own bound is far below what it would be waited for. */
TEST(harness, a_count_that_can_no_longer_come_right_is_not_waited_for)
{
    struct smtp_harness *harness = start(1000000);
    send_to(harness, "bob@example.com", "a\n");
    send_to(harness, "bob@example.com", "b\n");
    expect_int(smtp_harness_expect(harness, "to=bob@example.com count<=1"), SMTP_NOT_AS_EXPECTED);
    expect_int(smtp_harness_expect(harness, "to=bob@example.com count=1"), SMTP_NOT_AS_EXPECTED);
    expect_int(smtp_harness_expect(harness, "to=bob@example.com count=2"), SMTP_OK);
    smtp_harness_stop(harness);
}

TEST(harness, wait_count_waits_for_so_many)
{
    struct smtp_harness *harness = start(100);
    send_to(harness, "bob@example.com", "a\n");
    expect_int(smtp_harness_wait_count(harness, 1), SMTP_OK);
    expect_int(smtp_harness_wait_count(harness, 2), SMTP_TIMED_OUT);
    expect_contains(smtp_harness_failure(harness), "2 messages; there are 1\n");
    expect_contains(smtp_harness_failure(harness), "C: MAIL FROM:<ann@example.com>");
    smtp_harness_stop(harness);
}

TEST(harness, expect_looks_at_all_and_counts)
{
    struct smtp_harness *harness = start(100);
    send_to(harness, "bob@example.com", "Subject: Welcome\n\n");
    send_to(harness, "bob@example.com", "Subject: Bye\n\n");
    expect_true(smtp_harness_wait(harness, "subject=Bye") != NULL);
    expect_int(smtp_harness_expect(harness, "subject~^Wel"), SMTP_OK);
    expect_int(smtp_harness_expect(harness, "to=bob@example.com count=2"), SMTP_OK);
    expect_int(smtp_harness_expect(harness, "to=carol@example.com count=0"), SMTP_OK);
    expect_int(smtp_harness_expect(harness, "count<=1"), SMTP_NOT_AS_EXPECTED);
    expect_contains(smtp_harness_failure(harness),
                    "2 matched\nmatches: message 1, from <ann@example.com> to <bob@example.com>, "
                    "subject \"Welcome\"\nmatches: message 2");
    expect_int(smtp_harness_expect(harness, "count=3"), SMTP_NOT_AS_EXPECTED);
    smtp_harness_stop(harness);
}

TEST(harness, a_failure_shows_the_nearest_message_and_what_was_said)
{
    struct smtp_harness *harness = start(50);
    send_to(harness, "bob@example.com", "Subject: Hi\n\nHello\n");
    send_to(harness, "carol@example.com", "Subject: Other\n\n");
    expect_int(
        smtp_harness_expect(harness, "from=ann@example.com to=bob@example.com subject~^Welcome"),
        SMTP_NOT_AS_EXPECTED);
    const char *failure = smtp_harness_failure(harness);
    expect_contains(
        failure, "expected within 50 ms: from=ann@example.com to=bob@example.com subject~^Welcome\n"
                 "2 messages were captured\n0 matched\n"
                 "nearest: message 1, from <ann@example.com> to <bob@example.com>, subject \"Hi\"\n"
                 "  holds    from=ann@example.com\n"
                 "  holds    to=bob@example.com\n"
                 "  differs  subject~^Welcome\n"
                 "           came: \"Hi\"\n"
                 "the last session, number 1:\n");
    expect_contains(failure, "  C: Subject: Hi\n");
    smtp_harness_stop(harness);
}

TEST(harness, of_messages_as_near_the_last_is_shown_and_none_that_matches)
{
    struct smtp_harness *harness = start(50);
    send_to(harness, "bob@example.com", "Subject: One\n\n");
    send_to(harness, "carol@example.com", "Subject: Two\n\n");
    send_to(harness, "dave@example.com", "Subject: Three\n\n");
    expect_true(smtp_harness_wait(harness, "to=erin@example.com") == NULL);
    expect_contains(smtp_harness_failure(harness), "nearest: message 3,");
    expect_int(smtp_harness_expect(harness, "to=dave@example.com count=2"), SMTP_NOT_AS_EXPECTED);
    expect_contains(smtp_harness_failure(harness), "1 matched\nmatches: message 3,");
    expect_contains(smtp_harness_failure(harness), "nearest: message 2,");
    smtp_harness_stop(harness);
}

TEST(harness, a_failure_names_five_recipients_and_the_number_of_the_others)
{
    static const char *const many[] = {"a@x", "b@x", "c@x", "d@x", "e@x", "f@x", "g@x"};
    struct smtp_harness *harness = start(0);
    struct smtp_envelope envelope = {
        .reverse_path = "ann@example.com", .forward_paths = many, .forward_path_count = 7};
    expect_int(smtp_client_send(smtp_harness_client(harness), &envelope,
                                smtp_content_text("Subject: x\n\n"), NULL),
               SMTP_OK);
    expect_true(smtp_harness_wait(harness, "to=h@x") == NULL);
    expect_contains(smtp_harness_failure(harness),
                    "to <a@x>, <b@x>, <c@x>, <d@x>, <e@x> and 2 more, subject \"x\"\n");
    smtp_harness_stop(harness);
}

TEST(harness, a_failure_is_no_longer_than_a_screen)
{
    struct smtp_harness *harness = start(10);
    char content[20000];
    for (size_t i = 0; i < sizeof content - 1; i++) {
        content[i] = i % 20 == 19 ? '\n' : 'x';
    }
    content[sizeof content - 1] = '\0';
    send_to(harness, "bob@example.com", content);
    expect_true(smtp_harness_wait(harness, "to=carol@example.com") == NULL);
    size_t lines = 0;
    for (const char *at = smtp_harness_failure(harness); (at = strchr(at, '\n')) != NULL; at++) {
        lines++;
    }
    expect_true(lines > 40 && lines < 55);
    expect_contains(smtp_harness_failure(harness), " lines]\n");
    smtp_harness_stop(harness);
}

TEST(harness, with_no_mail_and_no_session_the_failure_says_so)
{
    struct smtp_harness *harness = start(0);
    expect_true(smtp_harness_wait(harness, "to=bob@example.com") == NULL);
    expect_str(smtp_harness_failure(harness), "expected within 0 ms: to=bob@example.com\n"
                                              "no message was captured\n"
                                              "there was no session: nobody connected\n");
    smtp_harness_stop(harness);
}

TEST(harness, of_a_long_dialogue_the_first_12_and_the_last_28_lines_are_shown)
{
    struct smtp_harness *harness = start(0);
    char content[4000];
    size_t len = 0, first = 0, last = 0;
    for (int i = 0; i < 100; i++) {
        len += (size_t)snprintf(content + len, sizeof content - len, "line %d\n", i);
    }
    send_to(harness, "bob@example.com", content);
    expect_true(smtp_harness_wait(harness, "to=carol@example.com") == NULL);
    const char *start_of = strstr(smtp_harness_failure(harness), "the last session, number 1:\n");
    expect_true(start_of != NULL);
    const char *gap = strstr(start_of, "  [... ");
    expect_true(gap != NULL);
    for (const char *at = start_of; (at = strchr(at, '\n')) != NULL; at++) {
        first += at < gap;
        last += at > gap;
    }
    expect_int(first - 1, 12);
    expect_int(last - 1, 28);
    expect_contains(gap, "  C: line 99\n  S: 250 ");
    smtp_harness_stop(harness);
}

TEST(harness, expect_none_asserts_silence)
{
    struct smtp_harness *harness = start(5000);
    expect_int(smtp_harness_expect_none(harness, NULL, 0), SMTP_OK);
    send_to(harness, "bob@example.com", "Subject: one\n\n");
    expect_int(smtp_harness_expect_none(harness, "to=carol@example.com", 20), SMTP_OK);
    expect_int(smtp_harness_expect_none(harness, "to=bob@example.com", 20), SMTP_NOT_AS_EXPECTED);
    expect_contains(smtp_harness_failure(harness),
                    "expected none within 20 ms: to=bob@example.com\n"
                    "came: message 1, from <ann@example.com>");
    expect_true(smtp_harness_wait(harness, NULL) != NULL);
    expect_int(smtp_harness_expect_none(harness, "to=bob@example.com", 20), SMTP_OK);
    smtp_harness_stop(harness);
}

TEST(harness, a_malformed_expectation_is_told_at_once)
{
    struct smtp_harness *harness = start(60000);
    expect_int(smtp_harness_expect(harness, "sbject=x"), SMTP_BAD_ARGUMENT);
    expect_contains(smtp_harness_failure(harness), "is it \"subject\"?\n  sbject=x\n  ^\n");
    expect_true(smtp_harness_wait(harness, "to=") == NULL);
    expect_contains(smtp_harness_failure(harness), "a value is missing");
    expect_int(smtp_harness_expect_none(harness, "count=1", 60000), SMTP_BAD_ARGUMENT);
    expect_contains(smtp_harness_failure(harness), "count is for smtp_harness_expect alone");
    smtp_harness_stop(harness);
}

TEST(harness, what_was_cleared_matches_no_more)
{
    struct smtp_harness *harness = start(20);
    send_to(harness, "bob@example.com", "Subject: one\n\n");
    const struct smtp_harness_message *kept = smtp_harness_message(harness, 0);
    expect_true(kept != NULL);
    smtp_mailbox_clear(smtp_harness_mailbox(harness));
    expect_int(smtp_harness_expect(harness, "subject=one"), SMTP_NOT_AS_EXPECTED);
    send_to(harness, "bob@example.com", "Subject: two\n\n");
    expect_int(smtp_harness_expect(harness, "count=1"), SMTP_OK);
    expect_str(smtp_harness_header(kept, "Subject"), "one");
    smtp_harness_stop(harness);
}

TEST(harness, a_message_with_attachments_arrives_decoded)
{
    struct smtp_harness *harness = start(5000);
    send_to(harness, "bob@example.com",
            "Subject: =?iso-8859-1?q?Rechnung_f=FCr_M=E4rz?=\nMIME-Version: 1.0\n"
            "Content-Type: multipart/mixed; boundary=out\n\n"
            "--out\nContent-Type: multipart/alternative; boundary=in\n\n"
            "--in\nContent-Type: text/plain; charset=iso-8859-1\n"
            "Content-Transfer-Encoding: quoted-printable\n\n.dots first\nSch=F6nen Gru=DF\n"
            "--in\nContent-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: base64\n\n"
            "PHA+aGk8L3A+\n--in--\n"
            "--out\nContent-Type: application/pdf\nContent-Transfer-Encoding: base64\n"
            "Content-Disposition: attachment; filename*=utf-8''M%C3%A4rz.pdf\n\nJVBERgD/\n"
            "--out--\n");
    const struct smtp_harness_message *message = smtp_harness_wait(
        harness,
        "subject=\"Rechnung f\303\274r M\303\244rz\" attachments=1 "
        "attachment.M\303\244rz.pdf~^%PDF text~\"^Sch\303\266nen Gru\303\237$\" html=<p>hi</p>");
    expect_str(smtp_harness_failure(harness), "");
    expect_str(smtp_harness_text(message), ".dots first\nSch\303\266nen Gru\303\237");
    const struct smtp_harness_part *pdf = smtp_harness_part(message, 2);
    expect_str(pdf->name, "M\303\244rz.pdf");
    expect_bytes(pdf->bytes, pdf->size_bytes, "%PDF\0\377", 6);
    expect_int(smtp_message_number(smtp_harness_envelope(message)), 1);
    smtp_harness_stop(harness);
}

static enum smtp_server_verdict refuse_carol(void *user,
                                             const struct smtp_server_session_info *session,
                                             const char *forward_path, const char *parameters,
                                             struct smtp_server_reply *reply)
{
    (void)session;
    (void)parameters;
    __atomic_add_fetch((int *)user, 1, __ATOMIC_SEQ_CST);
    return strncmp(forward_path, "carol", 5) == 0
               ? smtp_server_reply(reply, 550, "5.1.1", "No such user")
               : SMTP_ACCEPT;
}

static void count_log(void *user, const struct smtp_server_session_info *session,
                      const struct smtp_server_log_entry *entry)
{
    (void)session;
    (void)entry;
    __atomic_add_fetch((int *)user, 1000, __ATOMIC_SEQ_CST);
}

TEST(harness, the_callers_hooks_are_called_with_their_own_user)
{
    int calls = 0;
    struct smtp_harness_options options;
    smtp_harness_options_init(&options);
    options.server.hooks =
        (struct smtp_server_hooks){.user = &calls, .rcpt = refuse_carol, .log = count_log};
    struct smtp_harness *harness = smtp_harness_start(&options, NULL);
    expect_int(send_with(smtp_harness_client(harness), "ann@example.com", "carol@example.com", "x"),
               SMTP_REFUSED_PERMANENT);
    smtp_client_quit(smtp_harness_client(harness));
    expect_contains(smtp_harness_transcript(harness, 1), "C: RCPT TO:<carol@example.com>\n");
    expect_contains(smtp_harness_transcript(harness, 1), "S: 550 5.1.1 No such user\n");
    smtp_harness_stop(harness);
    expect_int(calls % 1000, 1);
    expect_true(calls > 5000);
}

TEST(harness, a_transcript_is_the_whole_dialogue)
{
    struct smtp_harness_options options;
    smtp_harness_options_init(&options);
    options.client.pipelining = options.client.chunking = false;
    options.client.helo_name = "client.test";
    struct smtp_harness *harness = smtp_harness_start(&options, NULL);
    struct smtp_client *client = smtp_harness_client(harness);
    expect_int(smtp_client_command(client, "AUTH PLAIN AGFubgBzZWNyZXQ="), SMTP_REFUSED_PERMANENT);
    expect_int(smtp_client_rcpt(client, "early@example.com", NULL), SMTP_REFUSED_PERMANENT);
    send_to(harness, "bob@example.com", "Subject: a\n\n.dot\n");
    smtp_client_quit(client);
    const char *transcript = smtp_harness_transcript(harness, 1);
    expect_true(strstr(transcript, "AGFubgBzZWNyZXQ") == NULL);
    expect_contains(transcript, "S: 220 harness.test ESMTP\nC: AUTH PLAIN ***\nS: 50");
    expect_contains(transcript, "C: EHLO client.test\nS: 250-harness.test");
    expect_contains(transcript, "\nC: RCPT TO:<early@example.com>\nS: 503 ");
    expect_contains(transcript, "\nC: DATA\nS: 354 ");
    expect_contains(transcript, "\nC: Subject: a\nC:\nC: ..dot\nC: .\nS: 250 ");
    expect_contains(transcript, "\nC: QUIT\nS: 221 ");
    expect_str(smtp_harness_transcript(harness, 2), NULL);
    smtp_harness_stop(harness);
}

static struct smtp_harness *started_and_used(void)
{
    struct smtp_harness *harness = start(10000);
    send_to(harness, "bob@example.com",
            "Subject: =?utf-8?q?=C3=A9?=\nContent-Type: text/plain; charset=iso-8859-1\n\nx\n");
    expect_true(smtp_harness_wait(harness, "subject=\303\251 text=x session=1") != NULL);
    return harness;
}

/* All are up before the first stops: libuv closes descriptors by a bare system call, and the thread
 * sanitizer, which does not see that, takes their next use in another thread for a race. */
static void *one_whole_test(void *user)
{
    struct smtp_harness *harness = started_and_used();
    pthread_barrier_wait(user);
    smtp_harness_stop(harness);
    return NULL;
}

TEST(harness, several_harnesses_run_at_once)
{
    pthread_t threads[6];
    pthread_barrier_t all_are_up;
    expect_int(pthread_barrier_init(&all_are_up, NULL, 6), 0);
    for (size_t i = 0; i < 6; i++) {
        expect_int(pthread_create(&threads[i], NULL, one_whole_test, &all_are_up), 0);
    }
    for (size_t i = 0; i < 6; i++) {
        pthread_join(threads[i], NULL);
    }
    pthread_barrier_destroy(&all_are_up);
}

TEST(harness, one_comes_after_another)
{
    for (int i = 0; i < 20; i++) {
        smtp_harness_stop(started_and_used());
    }
}

TEST(harness, several_workers_share_the_transcripts)
{
    struct smtp_harness_options options;
    smtp_harness_options_init(&options);
    options.server.workers = 4;
    struct smtp_harness *harness = smtp_harness_start(&options, NULL);
    for (int i = 0; i < 12; i++) {
        struct smtp_client *client = smtp_harness_connect(harness);
        expect_int(send_with(client, "ann@example.com", "bob@example.com", "Subject: x\n\n"),
                   SMTP_OK);
    }
    expect_int(smtp_harness_expect(harness, "count=12"), SMTP_OK);
    for (uint64_t session = 1; session <= 12; session++) {
        expect_contains(smtp_harness_transcript(harness, session),
                        "C: BDAT 14 LAST\nC: Subject: x\nC:\nS: 250 ");
    }
    smtp_harness_stop(harness);
}

static void count_release(void *user)
{
    ++*(unsigned *)user;
}

static void count_commands(void *user, const struct smtp_server_session_info *session,
                           const struct smtp_server_log_entry *entry)
{
    (void)session;
    *(unsigned *)user += entry->kind == SMTP_LOG_COMMAND ? 100 : 0;
}

TEST(harness,
     hook_tables_are_released_once_whatever_comes_of_the_start_and_log_beside_the_transcript)
{
    unsigned hooks = 0, receiver = 0;
    struct smtp_server_hooks table = {.user = &receiver, .release = count_release};
    struct smtp_harness_options options;
    smtp_harness_options_init(&options);
    options.server.hooks =
        (struct smtp_server_hooks){.user = &hooks, .log = count_commands, .release = count_release};
    options.server.receivers = &table;
    options.server.receiver_count = 1;
    struct smtp_harness *harness = smtp_harness_start(&options, NULL);
    expect_true(harness != NULL);
    expect_int(smtp_client_noop(smtp_harness_client(harness)), SMTP_OK);
    expect_contains(smtp_harness_transcript(harness, 1), "C: NOOP\n");
    smtp_harness_stop(harness);
    expect_int(hooks, 101);
    expect_int(receiver, 1);

    options.server.workers = 0; /* no server is made of it */
    expect_true(smtp_harness_start(&options, NULL) == NULL);
    expect_int(hooks, 102);
    expect_int(receiver, 2);

    const char *taken = "unix:/dev/null/x"; /* one is made, and does not start */
    options.server.workers = 1;
    options.server.listen = &taken;
    options.server.listen_count = 1;
    expect_true(smtp_harness_start(&options, NULL) == NULL);
    expect_int(hooks, 103);
    expect_int(receiver, 3);
}

TEST(harness, an_lmtp_listener_is_told_and_its_client_speaks_it)
{
    const char *listen = "lmtp://127.0.0.1:0";
    struct smtp_harness_options options;
    smtp_harness_options_init(&options);
    options.server.listen = &listen;
    options.server.listen_count = 1;
    struct smtp_harness *harness = smtp_harness_start(&options, NULL);
    expect_true(harness != NULL);
    expect_true(strncmp(smtp_harness_url(harness), "lmtp://127.0.0.1:", 17) == 0);
    expect_int(smtp_client_mail(smtp_harness_client(harness), "", NULL), SMTP_OK);
    expect_contains(smtp_harness_transcript(harness, 1), "C: LHLO [127.0.0.1]\n");
    smtp_harness_stop(harness);
}
