/* send_message_test.c - what the verb `send` makes of what it reads: long messages in little memory, and the
 * envelope in the headers that real programs write (RFC 5322 3.4, 3.6.6, 4.4). */
#include "tests/programs/send_program.h"
#include "tests/support/files.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <sys/stat.h>
#include <sysexits.h>

/* ---- long ones ---- */

#ifdef SMTP_PLAIN_RUNNER
#define PEAK_KIB 65536 /* with the sanitizer's own */
#else
#define PEAK_KIB 16384
#endif

static struct smtp_harness *begin_sink(void)
{
    struct smtp_harness_options options;
    send_options_init(&options);
    options.server.limits.message_octets = 0;
    options.server.mailbox = SMTP_MAILBOX_DISCARD;
    return send_begin_with(&options);
}

/** How the shell makes a message of that many octets. */
#define MAKE_LONG                                                                                  \
    "{ printf 'Subject: long\\n\\n'; yes 'a line of a message that goes on and on and on' | head " \
    "-c " TEST_LARGE_TEXT "; }"

/** Runs the command, in which $1 is the program, $2 the server, $3 a file. */
static void expect_sent_in_little_memory(const char *command, const char *url, const char *file)
{
    const char *const argv[] = {"/bin/sh", "-c", command, "sh", SMTP_HARNESS, url, file, NULL};
    struct ended ended = run_to_end(argv);
    expect_str(ended.out, "bob@example.com: ok, 250 2.0.0 OK: message 1\n");
    if (ended.peak_kib > PEAK_KIB) {
        SMTP_TEST_FAIL("%ld KiB of memory, at most %d are expected: %s", ended.peak_kib, PEAK_KIB,
                       command);
    }
    expect_ended(ended, 0, "");
}

static void expect_long(const char *command)
{
    char directory[64], file[96];
    struct smtp_harness *harness = begin_sink();
    smtp_make_directory(directory);
    snprintf(file, sizeof file, "%s/long", directory);
    expect_sent_in_little_memory(command, smtp_harness_url(harness), file);
    smtp_remove_directory(directory);
    smtp_harness_stop(harness);
}

TEST_WITHIN(send_long, a_large_message_on_a_pipe_takes_little_memory, 60)
{
    expect_long(MAKE_LONG " | \"$1\" send \"$2\" bob@example.com");
    expect_long("yes 'no field' | head -c " TEST_LARGE_TEXT
                " | \"$1\" send \"$2\" bob@example.com");
    expect_long(MAKE_LONG " | \"$1\" send --no-chunking -t \"$2\" bob@example.com");
}

TEST_WITHIN(send_long, a_large_file_takes_little_memory_whole_or_attached, 60)
{
    expect_long(MAKE_LONG " >\"$3\" && \"$1\" send \"$2\" --file \"$3\" bob@example.com");
    expect_long(MAKE_LONG " >\"$3\" && \"$1\" send \"$2\" --attach \"$3\" bob@example.com");
}

/* ---- the envelope in the header ---- */

static const struct {
    const char *message;
    const char *envelope; /* what is expected of it */
    const char *header;   /* what arrives of it, without Date and Message-ID */
} readings[] = {
    /* folding, comments, encoded words, groups (also in Bcc) */
    {"From: \"Lee, Ann\" <ann@example.com>\nTo: =?utf-8?Q?B=C3=B6b?= <bob@example.com>,\n"
     "\tcarol@example.com (Carol (the 2nd), not <eve@example.com>)\n"
     "Cc: Friends: dan@example.com, \"A; B\"\n <fay@example.com>;, gil@example.com\n"
     "Bcc: hidden: hal@example.com;\n\nx\n",
     "from=ann@example.com to=bob@example.com to=carol@example.com to=dan@example.com "
     "to=fay@example.com to=gil@example.com to=hal@example.com to!=eve@example.com",
     "From: \"Lee, Ann\" <ann@example.com>\r\nTo: =?utf-8?Q?B=C3=B6b?= <bob@example.com>,\r\n"
     "\tcarol@example.com (Carol (the 2nd), not <eve@example.com>)\r\n"
     "Cc: Friends: dan@example.com, \"A; B\"\r\n <fay@example.com>;, gil@example.com\r\n\r\nx\r\n"},
    /* obsolete syntax: blanks before the colon, a route, a dot in a name, empty members */
    {"FROM : ann@example.com\nto\t: B. Lee <@relay.example:bob@example.com>,, ,\nbCC : "
     "carol@example.com\n\nx\n",
     "from=ann@example.com to=bob@example.com to=carol@example.com",
     "FROM : ann@example.com\r\nto\t: B. Lee <@relay.example:bob@example.com>,, ,\r\n\r\nx\r\n"},
    /* sent on: only the Resent- fields count, and of both kinds Bcc is left out */
    {"Resent-From: carol@example.com\nResent-To: dan@example.com\nResent-Bcc: eve@example.com\n"
     "From: ann@example.com\nTo: bob@example.com\nBcc: fay@example.com\n\nx\n",
     "from=carol@example.com to=dan@example.com to=eve@example.com to!=bob@example.com "
     "to!=fay@example.com",
     "Resent-From: carol@example.com\r\nResent-To: dan@example.com\r\nFrom: ann@example.com\r\n"
     "To: bob@example.com\r\n\r\nx\r\n"},
    /* several senders: Sender is who sent it; CRLF; a folded Bcc goes as a whole */
    {"From: ann@example.com, bob@example.com\r\nSender: carol@example.com\r\nBcc:\r\n"
     " dan@example.com,\r\n\teve@example.com\r\nSubject: s\r\n\r\nx\r\n",
     "from=carol@example.com to=dan@example.com to=eve@example.com",
     "From: ann@example.com, bob@example.com\r\nSender: carol@example.com\r\nSubject: "
     "s\r\n\r\nx\r\n"},
    /* as a mbox has it */
    {"From ann@example.com Thu Nov 26 10:00:00 2026\nFrom: ann@example.com\nTo: bob@example.com\n"
     "Bcc: carol@example.com\n\nFrom me\n",
     "from=ann@example.com to=bob@example.com to=carol@example.com",
     "From: ann@example.com\r\nTo: bob@example.com\r\n\r\nFrom me\r\n"},
    /* a header section alone */
    {"From: ann@example.com\nTo: bob@example.com", "from=ann@example.com to=bob@example.com",
     "From: ann@example.com\r\nTo: bob@example.com\r\n"},
};

/** What comes behind the fields that are added in front. */
static const char *behind_the_added(const char *source)
{
    expect_true(strncmp(source, "Date: ", 6) == 0);
    const char *id = strstr(source, "\r\n") + 2;
    expect_true(strncmp(id, "Message-ID: <", 13) == 0);
    return strstr(id, "\r\n") + 2;
}

TEST(send_message, the_envelope_is_in_the_headers_that_programs_write)
{
    struct smtp_harness *harness = send_begin();
    for (size_t i = 0; i < sizeof readings / sizeof *readings; i++) {
        expect_ended(
            run_with_input(SEND("-q", smtp_harness_url(harness), "-t"), readings[i].message), 0,
            "");
        const struct smtp_harness_message *message =
            smtp_harness_wait(harness, readings[i].envelope);
        if (message == NULL) {
            SMTP_TEST_FAIL("reading %zu: %s", i, smtp_harness_failure(harness));
        }
        expect_str(behind_the_added(source_of(message)), readings[i].header);
    }
    smtp_harness_stop(harness);
}

/* RFC 5322 2.1: a message may have no header at all, as "df | sendmail root" has none. */
TEST(send_message, text_without_a_header_is_a_body_and_names_nobody)
{
    static const char text[] = "Not a field: x\nFrom: eve@example.com\nBcc: dan@example.com\n";
    struct smtp_harness *harness = send_begin();
    const char *url = smtp_harness_url(harness);
    expect_ended(run_with_input(SEND("-q", url, "bob@example.com"), text), 0, "");
    const struct smtp_harness_message *message = next_message(harness);
    expect_str(source_of(message),
               "Not a field: x\r\nFrom: eve@example.com\r\nBcc: dan@example.com\r\n");
    expect_ended(
        run_with_input(SEND("-q", url, "-t", "-f", "ann@example.com", "bob@example.com"), text), 0,
        "");
    message = next_message(harness);
    expect_str(smtp_harness_header(message, "From"), "ann@example.com");
    expect_str(smtp_harness_text(message),
               "Not a field: x\nFrom: eve@example.com\nBcc: dan@example.com\n");
    expect_int(smtp_harness_expect(harness, "from!=eve@example.com to=bob@example.com "
                                            "to!=dan@example.com count=2"),
               SMTP_OK);
    expect_ended(run_with_input(SEND("-q", url, "-t"), text), EX_DATAERR, "there is no address");
    smtp_harness_stop(harness);
}

TEST(send_message, a_header_that_names_nobody_for_certain_is_not_guessed_at)
{
    static const char *const messages[] = {
        "From: ann@example.com\nTo: bob@example.com; carol@example.com\n\nx\n",
        "From: ann@example.com\nTo: Bob Lee bob@example.com\n\nx\n",
        "From: ann@example.com\nTo: undisclosed-recipients:;\n\nx\n",
        "From: ann@example.com\nTo: \"Bob <bob@example.com>\n\nx\n",
        "From: ann@example.com\nTo: bob@exa mple.com\n\nx\n",
        "\nTo: bob@example.com\n",
    };
    struct smtp_harness *harness = send_begin();
    for (size_t i = 0; i < sizeof messages / sizeof *messages; i++) {
        struct ended ended =
            run_with_input(SEND("-q", smtp_harness_url(harness), "-t"), messages[i]);
        if (ended.exit_status != EX_DATAERR) {
            SMTP_TEST_FAIL("message %zu: exit status %d, %s", i, ended.exit_status, ended.err);
        }
        expect_ended(ended, EX_DATAERR, "smtp-harness send: ");
    }
    expect_int(smtp_harness_expect_none(harness, "", 0), SMTP_OK);
    smtp_harness_stop(harness);
}

/* ---- what may not be changed, and what is too long ---- */

static const char binary[] =
    "Subject: binary\r\nContent-Transfer-Encoding: Binary\r\n\r\none\ntwo\rthree";

static struct ended send_octets(const char *url, const char *option, const char *octets)
{
    const char *const argv[] = {
        "/bin/sh", "-c",         "printf %s \"$4\" | \"$1\" send -q $3 \"$2\" bob@example.com",
        "sh",      SMTP_HARNESS, url,
        option,    octets,       NULL};
    return run_to_end(argv);
}

TEST(send_message, that_says_it_is_binary_goes_as_binarymime_or_not_at_all_rfc_3030_3)
{
    struct smtp_harness_options options;
    send_options_init(&options);
    struct smtp_harness *harness = send_begin_with(&options);
    expect_ended(send_octets(smtp_harness_url(harness), "", binary), 0, "");
    expect_str(source_of(next_message(harness)), binary);
    smtp_harness_stop(harness);
    options.server.keywords.binary_mime = false;
    harness = send_begin_with(&options);
    struct ended ended = send_octets(smtp_harness_url(harness), "", binary);
    expect_int(ended.exit_status, EX_UNAVAILABLE);
    expect_contains(ended.err, "the content is BINARYMIME");
    ended_clear(&ended);
    smtp_harness_stop(harness);
}

TEST(send_message, with_a_line_over_998_octets_is_refused_unless_that_is_wanted_rfc_5322_2_1_1)
{
    char octets[2000] = "Subject: long\r\n\r\n";
    memset(octets + strlen(octets), 'x', 1500);
    struct smtp_harness_options options;
    send_options_init(&options);
    options.server.limits.text_line_octets = 0;
    struct smtp_harness *harness = send_begin_with(&options);
    struct ended ended = send_octets(smtp_harness_url(harness), "", octets);
    expect_int(ended.exit_status, EX_USAGE);
    expect_contains(ended.err, "more than 998 octets");
    ended_clear(&ended);
    expect_ended(send_octets(smtp_harness_url(harness), "--long-lines", octets), 0, "");
    smtp_harness_stop(harness);
}
