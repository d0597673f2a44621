/* send_several_test.c - several messages of one call of `send`: one connection, each told, none without reason. */
#include "tests/programs/send_program.h"
#include "tests/support/files.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <sysexits.h>

struct letters {
    char directory[64];
    char paths[3][96];
};

/** One to each of them, by the header. */
static void write_letters(struct letters *letters, const char *const to[3])
{
    smtp_make_directory(letters->directory);
    for (int i = 0; i < 3; i++) {
        snprintf(letters->paths[i], sizeof letters->paths[i], "%s/%d.eml", letters->directory, i);
        FILE *file = fopen(letters->paths[i], "w");
        fprintf(file, "From: <ann@example.com>\nTo: <%s>\nSubject: letter %d\n\nhi\n", to[i], i);
        fclose(file);
    }
}

static struct ended send_letters(struct smtp_harness *harness, const struct letters *letters)
{
    return run_to_end(SEND("-t", smtp_harness_url(harness), "--file", letters->paths[0], "--file",
                           letters->paths[1], "--file", letters->paths[2]));
}

TEST(send_several, each_is_a_transaction_of_its_own_in_one_session)
{
    static const char *const to[] = {"bob@example.com", "carol@example.com", "dan@example.com"};
    struct smtp_harness *harness = send_begin();
    struct letters letters;
    write_letters(&letters, to);
    struct ended ended = send_letters(harness, &letters);
    expect_contains(ended.out, "/0.eml: bob@example.com: ok");
    expect_contains(ended.out, "/2.eml: dan@example.com: ok");
    expect_ended(ended, 0, "");
    for (int i = 0; i < 3; i++) {
        const struct smtp_message *captured = smtp_harness_envelope(next_message(harness));
        expect_int(smtp_message_recipient_count(captured), 1);
        expect_str(smtp_message_forward_path(captured, 0), to[i]);
        expect_int(smtp_message_session(captured), 1);
    }
    smtp_remove_directory(letters.directory);
    smtp_harness_stop(harness);
}

TEST(send_several, one_that_is_refused_keeps_no_other_back_and_is_the_exit_status)
{
    static const char *const to[] = {"bob@example.com", "carol+550-5.1.1@example.com",
                                     "dan@example.com"};
    struct smtp_harness *harness = send_begin();
    struct letters letters;
    write_letters(&letters, to);
    struct ended ended = send_letters(harness, &letters);
    expect_contains(ended.out, "/1.eml: carol+550-5.1.1@example.com: permanent, 550 5.1.1");
    expect_contains(ended.out, "/2.eml: dan@example.com: ok");
    expect_ended(ended, EX_UNAVAILABLE, "/1.eml: ");
    smtp_remove_directory(letters.directory);
    smtp_harness_stop(harness);
}

TEST(send_several, what_follows_a_lost_session_is_told_as_not_sent)
{
    static const char *const to[] = {"bob@example.com", "carol@example.com", "dan@example.com"};
    struct smtp_harness *harness = send_begin();
    struct letters letters;
    write_letters(&letters, to);
    expect_int(smtp_harness_fault(harness, "rcpt carol@*: close"), SMTP_OK);
    struct ended ended = send_letters(harness, &letters);
    expect_contains(ended.out, "/0.eml: bob@example.com: ok");
    expect_contains(ended.out, "/2.eml: dan@example.com: not-sent");
    expect_ended(ended, EX_TEMPFAIL, "/2.eml: not sent: the session had ended");
    smtp_remove_directory(letters.directory);
    smtp_harness_stop(harness);
}

TEST(send_several, none_is_sent_where_one_cannot_be_read)
{
    static const char *const to[] = {"bob@example.com", "carol@example.com", "dan@example.com"};
    struct smtp_harness *harness = send_begin();
    struct letters letters;
    write_letters(&letters, to);
    remove(letters.paths[2]);
    expect_ended(send_letters(harness, &letters), EX_NOINPUT, "/2.eml");
    expect_int(smtp_harness_expect_none(harness, "", 0), SMTP_OK);
    smtp_remove_directory(letters.directory);
    smtp_harness_stop(harness);
}

TEST(send_several, what_one_message_needs_is_not_asked_for_the_next)
{
    static const char *const to[] = {"bob@example.com", "carol@example.com", "dan@example.com"};
    struct smtp_harness *harness = send_begin();
    struct letters letters;
    write_letters(&letters, to);
    FILE *file = fopen(letters.paths[0], "w");
    fputs("From: <ann@example.com>\nTo: <bob@example.com>\nSubject: caf\xC3\xA9\n\nhi\n", file);
    fclose(file);
    expect_ended(send_letters(harness, &letters), 0, "");
    const struct smtp_message *first = smtp_harness_envelope(next_message(harness));
    expect_contains(smtp_message_mail_parameters(first), "SMTPUTF8");
    const struct smtp_message *second = smtp_harness_envelope(next_message(harness));
    expect_true(strstr(smtp_message_mail_parameters(second), "SMTPUTF8") == NULL);
    smtp_remove_directory(letters.directory);
    smtp_harness_stop(harness);
}
