/* transcript_test.c - what is kept of a session, how it is told, and what is never kept. */
#include "harness/transcript.h"
#include "tests/support/test.h"

#include <pthread.h>
#include <stdio.h>

static void say(struct smtp_harness_transcripts *all, uint64_t session,
                enum smtp_server_log_kind kind, const char *text, size_t len)
{
    struct smtp_server_log_entry entry = {kind, false, 100, text, len};
    smtp_harness_transcripts_log(all, session, &entry);
}
#define SAY(all, session, kind, literal) say(all, session, kind, literal, sizeof(literal) - 1)

static void expect_dialogue(struct smtp_harness_transcripts *all, uint64_t session,
                            const char *expected)
{
    struct smtp_harness_transcript *copy = smtp_harness_transcript_copy(all, session);
    expect_true(copy != NULL);
    char *text = smtp_harness_transcript_text(copy);
    expect_str(text, expected);
    free(text);
    smtp_harness_transcript_free(copy);
}

TEST(transcript, a_session_is_told_as_a_dialogue)
{
    struct smtp_harness_transcripts *all = smtp_harness_transcripts_new();
    SAY(all, 1, SMTP_LOG_CONNECT, "127.0.0.1:40112");
    SAY(all, 1, SMTP_LOG_REPLY, "220 harness.test ESMTP");
    SAY(all, 1, SMTP_LOG_COMMAND, "DATA");
    SAY(all, 1, SMTP_LOG_REPLY, "354 go on");
    SAY(all, 1, SMTP_LOG_CONTENT, "Subject: a\r\n\r");
    SAY(all, 1, SMTP_LOG_CONTENT, "\n..dot\r");
    SAY(all, 1, SMTP_LOG_CONTENT, "\n.\r\n");
    SAY(all, 1, SMTP_LOG_NOTE, "captured");
    SAY(all, 1, SMTP_LOG_REPLY, "250 ok");
    SAY(all, 1, SMTP_LOG_CLOSE, "QUIT");
    expect_dialogue(all, 1,
                    "# connected: 127.0.0.1:40112\nS: 220 harness.test ESMTP\nC: DATA\n"
                    "S: 354 go on\nC: Subject: a\nC:\nC: ..dot\nC: .\n# captured\nS: 250 ok\n"
                    "# closed: QUIT\n");
    smtp_harness_transcripts_free(all);
}

TEST(transcript, every_octet_can_be_told_from_every_other)
{
    struct smtp_harness_transcripts *all = smtp_harness_transcripts_new();
    SAY(all, 1, SMTP_LOG_COMMAND, "a\\b\tc\0d\177\351\r\n e ");
    SAY(all, 1, SMTP_LOG_CONTENT, "bare\rand\nhere\r\n  two\r\nopen end");
    SAY(all, 1, SMTP_LOG_COMMAND, "");
    expect_dialogue(all, 1,
                    "C: a\\\\b\\x09c\\x00d\\x7f\\xe9\\r\\n e\\x20\n"
                    "C: bare\\rand\\nhere\nC:   two\nC| open end\nC:\n");
    smtp_harness_transcripts_free(all);
}

TEST(transcript, sessions_are_kept_apart_and_the_last_is_known)
{
    struct smtp_harness_transcripts *all = smtp_harness_transcripts_new();
    expect_int(smtp_harness_transcripts_last(all), 0);
    SAY(all, 3, SMTP_LOG_COMMAND, "three");
    SAY(all, 1, SMTP_LOG_COMMAND, "one");
    expect_int(smtp_harness_transcripts_last(all), 3);
    expect_dialogue(all, 1, "C: one\n");
    expect_dialogue(all, 3, "C: three\n");
    expect_true(smtp_harness_transcript_copy(all, 2) == NULL);
    expect_true(smtp_harness_transcript_copy(all, 0) == NULL);
    expect_true(smtp_harness_transcript_copy(all, 4000) == NULL);
    smtp_harness_transcripts_free(all);
}

TEST(transcript, of_endlessly_many_sessions_the_first_100000_are_kept)
{
    struct smtp_harness_transcripts *all = smtp_harness_transcripts_new();
    SAY(all, 100000, SMTP_LOG_COMMAND, "kept");
    SAY(all, 100001, SMTP_LOG_COMMAND, "not kept");
    expect_dialogue(all, 100000, "C: kept\n");
    expect_true(smtp_harness_transcript_copy(all, 100001) == NULL);
    expect_int(smtp_harness_transcripts_last(all), 100000);
    smtp_harness_transcripts_free(all);
}

/* RFC 3207: where the octets of a handshake stand, which are no lines. */
TEST(transcript, says_where_tls_begins_and_what_it_came_to)
{
    struct smtp_harness_transcripts *all = smtp_harness_transcripts_new();
    SAY(all, 1, SMTP_LOG_COMMAND, "STARTTLS");
    SAY(all, 1, SMTP_LOG_REPLY, "220 2.0.0 go on");
    SAY(all, 1, SMTP_LOG_TLS, "TLSv1.3, TLS_AES_256_GCM_SHA384");
    SAY(all, 1, SMTP_LOG_COMMAND, "EHLO a");
    expect_dialogue(all, 1,
                    "C: STARTTLS\nS: 220 2.0.0 go on\n[starttls]\n"
                    "# TLSv1.3, TLS_AES_256_GCM_SHA384\nC: EHLO a\n");
    smtp_harness_transcripts_free(all);
}

TEST(transcript, content_beyond_the_bound_is_counted_not_kept)
{
    struct smtp_harness_transcripts *all = smtp_harness_transcripts_new();
    char *block = malloc(100000);
    expect_true(block != NULL);
    memset(block, 'x', 100000);
    for (int i = 0; i < 100; i++) {
        say(all, 1, SMTP_LOG_CONTENT, block, 100000);
    }
    free(block);
    SAY(all, 1, SMTP_LOG_REPLY, "250 ok");
    SAY(all, 1, SMTP_LOG_CONTENT, "more\r\n");
    struct smtp_harness_transcript *copy = smtp_harness_transcript_copy(all, 1);
    char *text = smtp_harness_transcript_text(copy);
    expect_int(strlen(text),
               3 + 1048576 + 1 +
                   strlen("# 8951424 octets left out\nS: 250 ok\n# 6 octets left out\n"));
    expect_contains(text, "x\n# 8951424 octets left out\nS: 250 ok\n# 6 octets left out\n");
    free(text);
    smtp_harness_transcript_free(copy);
    smtp_harness_transcripts_free(all);
}

TEST(transcript, a_million_commands_are_bounded_too)
{
    struct smtp_harness_transcripts *all = smtp_harness_transcripts_new();
    for (int i = 0; i < 1000000; i++) {
        SAY(all, 1, SMTP_LOG_COMMAND, "");
    }
    struct smtp_harness_transcript *copy = smtp_harness_transcript_copy(all, 1);
    char *text = smtp_harness_transcript_text(copy);
    expect_true(strlen(text) < 200000);
    expect_contains(text, "octets left out\n");
    free(text);
    smtp_harness_transcript_free(copy);
    smtp_harness_transcripts_free(all);
}

TEST(transcript, lines_come_with_their_time_and_kind)
{
    struct smtp_harness_transcripts *all = smtp_harness_transcripts_new();
    struct smtp_server_log_entry content = {SMTP_LOG_CONTENT, false, 12345, "a\r\nb", 4};
    smtp_harness_transcripts_log(all, 1, &content);
    struct smtp_harness_transcript *copy = smtp_harness_transcript_copy(all, 1);
    struct smtp_harness_transcript_place place = {0};
    struct smtp_harness_transcript_line line;
    expect_true(smtp_harness_transcript_next(copy, &place, &line));
    expect_int(line.kind, SMTP_LOG_CONTENT);
    expect_int(line.time_ns, 12345);
    expect_bytes(line.text.bytes, line.text.len, "a", 1);
    expect_true(line.has_crlf);
    expect_true(smtp_harness_transcript_next(copy, &place, &line));
    expect_bytes(line.text.bytes, line.text.len, "b", 1);
    expect_true(!line.has_crlf);
    expect_true(!smtp_harness_transcript_next(copy, &place, &line));
    smtp_harness_transcript_free(copy);
    smtp_harness_transcripts_free(all);
}

/* RFC 2920: a command is pipelined that goes out before what went before it is answered. */
TEST(transcript, a_client_pipelines_what_it_sends_before_an_answer)
{
    static const struct {
        enum smtp_client_log_kind kind;
        bool pipelined;
    } said[] = {{SMTP_CLIENT_LOG_COMMAND, false}, {SMTP_CLIENT_LOG_REPLY, false},
                {SMTP_CLIENT_LOG_COMMAND, false}, {SMTP_CLIENT_LOG_COMMAND, true},
                {SMTP_CLIENT_LOG_CONTENT, false}, {SMTP_CLIENT_LOG_COMMAND, true},
                {SMTP_CLIENT_LOG_REPLY, false},   {SMTP_CLIENT_LOG_NOTE, false},
                {SMTP_CLIENT_LOG_COMMAND, false}};
    struct smtp_harness_transcript *transcript = smtp_harness_transcript_new();
    for (size_t i = 0; i < sizeof said / sizeof *said; i++) {
        smtp_harness_transcript_client_log(transcript, said[i].kind, "a", 1);
    }
    struct smtp_harness_transcript_place place = {0};
    struct smtp_harness_transcript_line line;
    for (size_t i = 0; i < sizeof said / sizeof *said; i++) {
        expect_true(smtp_harness_transcript_next(transcript, &place, &line));
        expect_int(line.pipelined, said[i].pipelined);
    }
    expect_true(!smtp_harness_transcript_next(transcript, &place, &line));
    smtp_harness_transcript_free(transcript);
}

struct talker {
    struct smtp_harness_transcripts *all;
    uint64_t session;
};

static void *talk(void *user)
{
    const struct talker *talker = user;
    for (int i = 0; i < 500; i++) {
        SAY(talker->all, talker->session, SMTP_LOG_COMMAND, "NOOP");
    }
    return NULL;
}

TEST(transcript, several_threads_log_while_another_reads)
{
    struct smtp_harness_transcripts *all = smtp_harness_transcripts_new();
    pthread_t threads[4];
    struct talker talkers[4];
    for (uint64_t i = 0; i < 4; i++) {
        talkers[i] = (struct talker){all, i + 1};
        expect_int(pthread_create(&threads[i], NULL, talk, &talkers[i]), 0);
    }
    for (int i = 0; i < 50; i++) {
        smtp_harness_transcript_free(smtp_harness_transcript_copy(all, 4));
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    for (uint64_t i = 1; i <= 4; i++) {
        struct smtp_harness_transcript *copy = smtp_harness_transcript_copy(all, i);
        char *text = smtp_harness_transcript_text(copy);
        expect_int(strlen(text), 500 * strlen("C: NOOP\n"));
        free(text);
        smtp_harness_transcript_free(copy);
    }
    smtp_harness_transcripts_free(all);
}
