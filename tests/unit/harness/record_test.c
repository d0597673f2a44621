/* record_test.c - transcripts as dialogues that can be played: what stands where, and what has a name. */
#include "harness/record.h"
#include "tests/support/files.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <unistd.h>

/* A log: 'C', 'S', 'D' (content, with its CRLF), 'P' (a pipelined command), 'N', 'T', 'O' (connected), 'E'. */
struct said {
    char who;
    const char *text;
};

static struct smtp_harness_transcript *transcript_of(const struct said *said, size_t count)
{
    static const struct {
        char who;
        enum smtp_server_log_kind kind;
    } kinds[] = {{'C', SMTP_LOG_COMMAND}, {'P', SMTP_LOG_COMMAND}, {'S', SMTP_LOG_REPLY},
                 {'D', SMTP_LOG_CONTENT}, {'N', SMTP_LOG_NOTE},    {'T', SMTP_LOG_TLS},
                 {'O', SMTP_LOG_CONNECT}, {'E', SMTP_LOG_CLOSE}};
    struct smtp_harness_transcript *transcript = smtp_harness_transcript_new();
    for (size_t i = 0; i < count; i++) {
        size_t kind = 0;
        while (kinds[kind].who != said[i].who) {
            kind++;
        }
        const struct smtp_server_log_entry entry = {.kind = kinds[kind].kind,
                                                    .pipelined = said[i].who == 'P',
                                                    .text = said[i].text,
                                                    .len = strlen(said[i].text)};
        smtp_harness_transcript_add(transcript, &entry);
    }
    return transcript;
}

static void expect_recording_of(const struct said *said, size_t count, const char *expected)
{
    struct smtp_harness_transcript *transcript = transcript_of(said, count);
    char *text = smtp_harness_record_text(transcript);
    expect_str(text, expected);
    free(text);
    smtp_harness_transcript_free(transcript);
}

#define EXPECT_RECORDING(expected, ...)                                                            \
    expect_recording_of((const struct said[]){__VA_ARGS__},                                        \
                        sizeof((const struct said[]){__VA_ARGS__}) / sizeof(struct said),          \
                        expected)

TEST(record, a_code_with_no_space_behind_it_does_not_hide_what_the_notation_would_read)
{
    EXPECT_RECORDING("S: 250\\${x}\nS: 250\\...\n[C close]\n", {'S', "250${x}"}, {'S', "250..."});
}

TEST(record, a_session_is_told_in_order_with_its_end)
{
    EXPECT_RECORDING("# connected: 127.0.0.1:40112\n"
                     "S: 220 harness.test ESMTP\n"
                     "C: HELO a.example\n"
                     "S: 250 harness.test\n"
                     "C: QUIT\n"
                     "S: 221 Bye\n"
                     "# closed: the session ended\n"
                     "[S close]\n",
                     {'O', "127.0.0.1:40112"}, {'S', "220 harness.test ESMTP"},
                     {'C', "HELO a.example"}, {'S', "250 harness.test"}, {'C', "QUIT"},
                     {'S', "221 Bye"}, {'E', "the session ended"});
}

TEST(record, pipelined_commands_stand_before_the_replies_rfc2920_3_1)
{
    EXPECT_RECORDING("C: MAIL FROM:<a@a.example>\n"
                     "C: RCPT TO:<b@b.example>\n"
                     "C: DATA\n"
                     "S: 250 OK\n"
                     "S: 550 No\n"
                     "S: 354 Go\n"
                     "C: Hello\n"
                     "C: .\n"
                     "C: QUIT\n"
                     "S: 250 OK\n"
                     "S: 221 Bye\n"
                     "[S close]\n",
                     {'C', "MAIL FROM:<a@a.example>"}, {'S', "250 OK"},
                     {'P', "RCPT TO:<b@b.example>"}, {'S', "550 No"}, {'P', "DATA"},
                     {'S', "354 Go"}, {'D', "Hello\r\n.\r\n"}, {'S', "250 OK"}, {'P', "QUIT"},
                     {'S', "221 Bye"});
}

TEST(record, a_clients_log_of_a_pipeline_reads_the_same_rfc2920_3_1)
{
    EXPECT_RECORDING("C: MAIL FROM:<a@a.example>\n"
                     "C: DATA\n"
                     "S: 250 OK\n"
                     "S: 354 Go\n"
                     "C: .\n"
                     "S: 250 OK\n"
                     "[C close]\n",
                     {'C', "MAIL FROM:<a@a.example>"}, {'P', "DATA"}, {'S', "250 OK"},
                     {'S', "354 Go"}, {'D', ".\r\n"}, {'S', "250 OK"});
}

TEST(record, chunks_stand_behind_their_bdat_octet_for_octet_rfc3030_2)
{
    EXPECT_RECORDING("C: BDAT 5\n"
                     "C| a\\x01b\\rc\n"
                     "C: BDAT 4 LAST\n"
                     "C: d\n"
                     "C| e\n"
                     "S: 250 OK\n"
                     "S: 250 OK\n"
                     "# closed: the peer closed the connection\n"
                     "[C close]\n",
                     {'C', "BDAT 5"}, {'D', "a\001b\rc"}, {'S', "250 OK"}, {'P', "BDAT 4 LAST"},
                     {'D', "d\r\ne"}, {'S', "250 OK"}, {'E', "the peer closed the connection"});
}

TEST(record, what_the_notation_would_read_is_escaped)
{
    EXPECT_RECORDING("C: NOOP \\... \\${X} \\\\ \\x09 \\xff\\x20\n"
                     "S: 250 \\...\n"
                     "[C close]\n",
                     {'C', "NOOP ... ${X} \\ \t \xff "}, {'S', "250 ..."});
}

TEST(record, dates_and_message_ids_are_variables_rfc5322_3_6)
{
    EXPECT_RECORDING("C: MAIL FROM:<> SIZE=${OCTETS=99} BODY=8BITMIME\n"
                     "S: 250 OK\n"
                     "C: DATA\n"
                     "S: 354 Go\n"
                     "C: date: ${DATE=Wed, 25 Nov 2026 21:00:00 +0000}\n"
                     "C: Message-ID:\n"
                     "C:  ${MESSAGE_ID=<1234567@a.example>}\n"
                     "C: References: ${MESSAGE_ID}\n"
                     "C: Subject: Date: today\n"
                     "C:\n"
                     "C: Date: tomorrow, ${MESSAGE_ID}\n"
                     "C: .\n"
                     "S: 250 2.0.0 Ok: queued as ${ID=4BzXk1}\n"
                     "[C close]\n",
                     {'C', "MAIL FROM:<> SIZE=99 BODY=8BITMIME"}, {'S', "250 OK"}, {'C', "DATA"},
                     {'S', "354 Go"},
                     {'D', "date: Wed, 25 Nov 2026 21:00:00 +0000\r\nMessage-ID:\r\n "
                           "<1234567@a.example>\r\nReferences: <1234567@a.example>\r\nSubject: "
                           "Date: today\r\n\r\nDate: tomorrow, <1234567@a.example>\r\n.\r\n"},
                     {'S', "250 2.0.0 Ok: queued as 4BzXk1"});
}

TEST(record, boundaries_are_the_same_variable_wherever_they_occur_rfc2046_5_1_1)
{
    EXPECT_RECORDING("C: MAIL FROM:<>\n"
                     "S: 250 OK\n"
                     "C: BDAT ${OCTETS=11} LAST\n"
                     "C: Content-Type: multipart/mixed; Boundary=\"${BOUNDARY==-b12345678}\"\n"
                     "C:\n"
                     "C: --${BOUNDARY}\n"
                     "C: --${BOUNDARY}--\n"
                     "S: 250 11 octets\n"
                     "[C close]\n",
                     {'C', "MAIL FROM:<>"}, {'S', "250 OK"}, {'C', "BDAT 11 LAST"},
                     {'D', "Content-Type: multipart/mixed; Boundary=\"=-b12345678\"\r\n\r\n--=-"
                           "b12345678\r\n--=-b12345678--\r\n"},
                     {'S', "250 11 octets"});
}

TEST(record, secrets_are_variables_without_a_value_and_challenges_have_one_rfc4954_4)
{
    EXPECT_RECORDING(
        "# a secret, to be given with --set where this is played as the client: ${SECRET}\n"
        "# a secret, to be given with --set where this is played as the client: ${SECRET_2}\n"
        "C: AUTH PLAIN ${SECRET}\n"
        "S: 535 5.7.8 No\n"
        "C: AUTH LOGIN\n"
        "S: 334 ${CHALLENGE=VXNlcm5hbWU6}\n"
        "C: ${SECRET_2}\n"
        "S: 334\\x20\n"
        "C: *\n"
        "S: 501 5.7.0 Cancelled\n"
        "[C close]\n",
        {'C', "AUTH PLAIN ***"}, {'S', "535 5.7.8 No"}, {'C', "AUTH LOGIN"},
        {'S', "334 VXNlcm5hbWU6"}, {'C', "***"}, {'S', "334 "}, {'C', "*"},
        {'S', "501 5.7.0 Cancelled"});
}

TEST(record, a_proof_cannot_be_given_again_rfc2195_2)
{
    EXPECT_RECORDING(
        "# Its login answers a challenge, another one each time: this can be played as the "
        "server alone.\n"
        "# a secret, to be given with --set where this is played as the client: ${SECRET}\n"
        "C: AUTH CRAM-MD5\n"
        "S: 334 ${CHALLENGE=PDE4OT4=}\n"
        "C: ${SECRET}\n"
        "[C close]\n",
        {'C', "AUTH CRAM-MD5"}, {'S', "334 PDE4OT4="}, {'C', "***"});
}

TEST(record, the_number_of_a_message_is_a_variable)
{
    EXPECT_RECORDING("S: 250 2.0.0 OK: message ${ID=2}\n"
                     "S: 250 2.0.0 5 octets received\n"
                     "[C close]\n",
                     {'S', "250 2.0.0 OK: message 2"}, {'S', "250 2.0.0 5 octets received"});
}

TEST(record, tls_is_marked_where_it_begins)
{
    EXPECT_RECORDING("# TLSv1.3\n"
                     "[tls]\n"
                     "S: 220 harness.test\n"
                     "[C close]\n",
                     {'T', "TLSv1.3"}, {'S', "220 harness.test"});
    EXPECT_RECORDING("S: 220 harness.test\n"
                     "C: STARTTLS\n"
                     "S: 220 Go\n"
                     "# TLSv1.3\n"
                     "[starttls]\n"
                     "C: EHLO a.example\n"
                     "S: 250-harness.test\n"
                     "S: 250 FUTURERELEASE 99 ${UNTIL=2026-12-24T18:00:00Z}\n"
                     "# closed: connection reset by peer\n"
                     "[C reset]\n",
                     {'S', "220 harness.test"}, {'C', "STARTTLS"}, {'S', "220 Go"},
                     {'T', "TLSv1.3"}, {'C', "EHLO a.example"}, {'S', "250-harness.test"},
                     {'S', "250 FUTURERELEASE 99 2026-12-24T18:00:00Z"},
                     {'E', "connection reset by peer"});
}

TEST(record, the_peers_port_is_a_variable)
{
    EXPECT_RECORDING("# connected: 127.0.0.1:40112\n"
                     "S: 220 Hello ${PEER=127.0.0.1:40112}, your port is new\n"
                     "S: 250 ${PEER}\n"
                     "[C close]\n",
                     {'O', "127.0.0.1:40112"}, {'S', "220 Hello 127.0.0.1:40112, your port is new"},
                     {'S', "250 127.0.0.1:40112"});
}

TEST(record, a_long_line_is_cut_and_stays_one)
{
    enum { LEN = 1100 };
    char content[LEN + 3], *text;
    memset(content, 'x', LEN);
    memcpy(content + LEN, "\r\n", 3);
    const struct said said[] = {{'D', content}};
    struct smtp_harness_transcript *transcript = transcript_of(said, 1);
    text = smtp_harness_record_text(transcript);
    expect_int(strlen(text), LEN + strlen("C| \nC| \nC: \n"));
    expect_true(strncmp(text, "C| xxx", 6) == 0);
    expect_contains(text, "x\nC: xxx");
    free(text);
    smtp_harness_transcript_free(transcript);
}

TEST(record, what_was_left_out_is_said_at_the_top)
{
    struct smtp_harness_transcript *transcript = smtp_harness_transcript_new();
    static char much[3 << 20];
    const struct smtp_server_log_entry data = {.kind = SMTP_LOG_COMMAND, .text = "DATA", .len = 4};
    const struct smtp_server_log_entry content = {
        .kind = SMTP_LOG_CONTENT, .text = memset(much, 'a', sizeof much), .len = sizeof much};
    smtp_harness_transcript_add(transcript, &data);
    smtp_harness_transcript_add(transcript, &content);
    char *text = smtp_harness_record_text(transcript);
    expect_true(strncmp(text, "# 2097152 octets were left out of this recording: it cannot be pla",
                        60) == 0);
    free(text);
    smtp_harness_transcript_free(transcript);
}

TEST(record, nothing_said_is_an_empty_dialogue)
{
    struct smtp_harness_transcript *transcript = smtp_harness_transcript_new();
    char *text = smtp_harness_record_text(transcript);
    expect_str(text, "");
    free(text);
    smtp_harness_transcript_free(transcript);
}

/* ---- files ---- */

static void never(const char *message)
{
    SMTP_TEST_FAIL("complained: %s", message);
}

TEST_ALONE(record, a_file_is_whole_or_not_there)
{
    char directory[64], path[128];
    struct smtp_error error = {0};
    size_t len;
    smtp_make_directory(directory);
    snprintf(path, sizeof path, "%s/one.smtp", directory);
    struct smtp_harness_transcript *transcript =
        transcript_of((const struct said[]){{'C', "QUIT"}, {'S', "221 Bye"}}, 2);
    expect_int(smtp_harness_record_write(transcript, path, &error), SMTP_OK);
    char *text = smtp_read_file(path, &len);
    expect_str(text, "C: QUIT\nS: 221 Bye\n[S close]\n");
    free(text);
    smtp_limit_files(5);
    snprintf(path, sizeof path, "%s/two.smtp", directory);
    expect_int(smtp_harness_record_write(transcript, path, &error), SMTP_SYSTEM_FAILED);
    smtp_limit_files(UINT64_MAX);
    expect_contains(error.message, "two.smtp: ");
    expect_int(smtp_count_entries(directory, ".", NULL, 0), 1);
    smtp_harness_transcript_free(transcript);
    smtp_remove_directory(directory);
}

TEST(record, the_directory_is_made_or_the_reason_told)
{
    char directory[64], path[128];
    struct smtp_error error = {0};
    struct smtp_server_hooks table;
    smtp_make_directory(directory);
    snprintf(path, sizeof path, "%s/new", directory);
    for (int round = 0; round < 2; round++) {
        expect_int(smtp_harness_recorder(&table, path, never, &error), SMTP_OK);
        table.release(table.user);
    }
    expect_int(access(path, W_OK), 0);
    snprintf(path, sizeof path, "%s/missing/new", directory);
    expect_int(smtp_harness_recorder(&table, path, never, &error), SMTP_SYSTEM_FAILED);
    expect_contains(error.message, "cannot record in ");
    smtp_remove_directory(directory);
}
