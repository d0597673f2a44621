/* compose_test.c - messages made of what a person says, parsed back (RFC 5322, RFC 2045 to 2047, RFC 2231). */
#include "captured.h"
#include "common/bytes.h"
#include "harness/compose.h"
#include "harness/compose_header.h"
#include "harness/message.h"
#include "tests/support/files.h"
#include "tests/support/test.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static const char *const fixed[] = {"Date: Wed, 25 Nov 2026 10:00:00 +0000",
                                    "Message-ID: <1@example.com>"};

/** What is the same in most: from ann, with a fixed date and name. */
static struct smtp_harness_compose simple(void)
{
    return (struct smtp_harness_compose){.from = "ann@example.com", .headers = {fixed, 2}};
}

static struct smtp_harness_compose_list one(const char *const *item)
{
    return (struct smtp_harness_compose_list){item, 1};
}

/** The message as octets, NUL-terminated, owned. */
static char *compose(const struct smtp_harness_compose *what, size_t *len)
{
    struct smtp_error error = {.message = ""};
    char *octets = NULL;
    FILE *out = open_memstream(&octets, len);
    if (smtp_harness_compose(what, out, &error) != SMTP_OK) {
        SMTP_TEST_FAIL("not composed: %s", error.message);
    }
    fclose(out);
    return octets;
}

/** Parsed back; *octets is owned too. */
static struct smtp_harness_message *compose_view(const struct smtp_harness_compose *what,
                                                 char **octets)
{
    size_t len;
    *octets = compose(what, &len);
    return captured(*octets, len);
}

static void let_go(struct smtp_harness_message *message, char *octets)
{
    smtp_harness_message_free(message);
    free(octets);
}

static void expect_refused(const struct smtp_harness_compose *what, enum smtp_status status,
                           const char *complaint)
{
    struct smtp_error error = {.message = ""};
    char *octets = NULL;
    size_t len;
    FILE *out = open_memstream(&octets, &len);
    expect_int(smtp_harness_compose(what, out, &error), status);
    expect_contains(error.message, complaint);
    fclose(out);
    expect_int(len, 0); /* nothing was written */
    free(octets);
}

/** A file of that name in a directory of its own, removed with drop_file. */
static char *make_file(char directory[64], const char *name, const void *octets, size_t len)
{
    char *path = NULL;
    smtp_make_directory(directory);
    expect_true(asprintf(&path, "%s/%s", directory, name) > 0);
    FILE *file = fopen(path, "w");
    expect_true(file != NULL && fwrite(octets, 1, len, file) == len);
    fclose(file);
    return path;
}

static void drop_file(char directory[64], char *path)
{
    smtp_remove_directory(directory);
    free(path);
}

/* ---- the header ---- */

TEST(compose, plain_ascii_is_one_part_of_7bit_text)
{
    struct smtp_harness_compose what = simple();
    const char *to = "bob@example.com";
    size_t len;
    what.to = one(&to);
    what.subject = "Hi";
    what.text.text = "Hello\n.\nFrom here\n";
    char *octets = compose(&what, &len);
    expect_str(octets, "From: ann@example.com\r\n"
                       "Subject: Hi\r\n"
                       "To: bob@example.com\r\n"
                       "Date: Wed, 25 Nov 2026 10:00:00 +0000\r\n"
                       "Message-ID: <1@example.com>\r\n"
                       "MIME-Version: 1.0\r\n"
                       "Content-Type: text/plain; charset=us-ascii\r\n"
                       "Content-Transfer-Encoding: 7bit\r\n"
                       "\r\n"
                       "Hello\r\n.\r\nFrom here\r\n");
    free(octets);
}

TEST(compose, a_message_without_text_has_an_empty_one)
{
    struct smtp_harness_compose what = simple();
    char *octets;
    what.subject = "nothing to say";
    struct smtp_harness_message *message = compose_view(&what, &octets);
    expect_str(smtp_harness_text(message), "");
    expect_int(smtp_harness_part_count(message), 1);
    let_go(message, octets);
}

TEST(compose, names_and_subject_that_are_not_ascii_are_encoded_words_rfc2047)
{
    struct smtp_harness_compose what = simple();
    const char *to[] = {"J\xC3\xBCrgen M\xC3\xBCller <j@example.com>, \"Lee, Ann\" <l@example.com>",
                        "dan@example.com"};
    char *octets;
    what.from = "\xE5\xB1\xB1\xE7\x94\xB0 <y@example.com>";
    what.to = (struct smtp_harness_compose_list){to, 2};
    what.cc = one(&to[1]);
    what.subject =
        "Gr\xC3\xBC\xC3\x9F"
        "e an alle, die diese Zeile lesen, die so lang ist, dass sie gefaltet wird, \xE2\x9C\x93";
    struct smtp_harness_message *message = compose_view(&what, &octets);
    expect_str(smtp_harness_header(message, "Subject"), what.subject);
    expect_str(smtp_harness_header(message, "From"), what.from);
    expect_contains(smtp_harness_header(message, "To"),
                    "J\xC3\xBCrgen M\xC3\xBCller <j@example.com>");
    expect_contains(smtp_harness_header(message, "To"), "\"Lee, Ann\"\t<l@example.com>");
    expect_contains(smtp_harness_header(message, "To"), "dan@example.com");
    expect_str(smtp_harness_header(message, "Cc"), "dan@example.com");
    for (const char *at = octets; *at != '\0'; at++) {
        expect_true((unsigned char)*at < 128);
    }
    let_go(message, octets);
}

TEST(compose, a_domain_that_is_not_ascii_is_its_a_labels_beside_an_ascii_local_part)
{
    struct smtp_harness_compose what = simple();
    const char *to = "bob@b\xC3\xBC"
                     "cher.example";
    size_t len;
    what.to = one(&to);
    char *octets = compose(&what, &len);
    expect_contains(octets, "To: bob@xn--bcher-kva.example\r\n");
    free(octets);
}

TEST(compose, further_fields_are_added_and_encoded)
{
    struct smtp_harness_compose what = simple();
    const char *const headers[] = {fixed[0], fixed[1],
                                   "X-Mark:  Gr\xC3\xBC\xC3\x9F"
                                   "e",
                                   "X-Mark: 2", "Reply-To: J\xC3\xB6 <j@example.com>"};
    char *octets;
    what.headers = (struct smtp_harness_compose_list){headers, 5};
    struct smtp_harness_message *message = compose_view(&what, &octets);
    expect_str(smtp_harness_header_at(message, "X-Mark", 0), "Gr\xC3\xBC\xC3\x9F"
                                                             "e");
    expect_str(smtp_harness_header_at(message, "X-Mark", 1), "2");
    expect_str(smtp_harness_header(message, "Reply-To"), "J\xC3\xB6 <j@example.com>");
    expect_str(smtp_harness_header_at(message, "Date", 1), NULL);
    let_go(message, octets);
}

TEST(compose, date_and_message_id_are_made_where_nobody_gives_them_rfc5322_3_6)
{
    struct smtp_harness_compose what = {.from = "Ann <ann@b\xC3\xBC"
                                                "cher.example>"};
    char *octets[2], *id;
    struct smtp_harness_message *first = compose_view(&what, &octets[0]),
                                *second = compose_view(&what, &octets[1]);
    expect_true(smtp_harness_header(first, "Date") != NULL);
    expect_contains(smtp_harness_header(first, "Message-Id"), "@xn--bcher-kva.example>");
    id = strdup(smtp_harness_header(first, "Message-Id"));
    expect_true(strcmp(id, smtp_harness_header(second, "Message-Id")) != 0);
    free(id);
    let_go(first, octets[0]);
    let_go(second, octets[1]);
}

/* ---- the parts ---- */

TEST(compose, text_and_html_are_alternatives_and_files_stand_beside_them)
{
    static const char octets[] = "%PDF\0\r\n\n\r\xFF.\r\n";
    char directory[64], *all;
    char *path = make_file(directory,
                           "Gr\xC3\xBC\xC3\x9F"
                           "e & \"so\".pdf",
                           octets, sizeof octets);
    struct smtp_harness_compose what = simple();
    what.text.text = "Gr\xC3\xBC\xC3\x9F"
                     "e, which is a word of a text that is mostly ASCII = \n  end";
    what.html.text = "<p>Hi</p>\n";
    what.attachments = one((const char *const *)&path);
    struct smtp_harness_message *message = compose_view(&what, &all);
    expect_contains(smtp_harness_header(message, "Content-Type"), "multipart/mixed");
    expect_contains(all, "Content-Type: multipart/alternative");
    expect_contains(all, "Content-Transfer-Encoding: quoted-printable\r\n");
    expect_str(smtp_harness_text(message), what.text.text);
    expect_str(smtp_harness_html(message), "<p>Hi</p>\n");
    expect_int(smtp_harness_part_count(message), 3);
    const struct smtp_harness_part *part = smtp_harness_part(message, 2);
    expect_str(part->content_type, "application/pdf");
    expect_str(part->name, "Gr\xC3\xBC\xC3\x9F"
                           "e & \"so\".pdf");
    expect_true(part->attachment);
    expect_bytes(part->bytes, part->size_bytes, octets, sizeof octets);
    let_go(message, all);
    drop_file(directory, path);
}

TEST(compose, a_file_alone_is_the_only_part_of_a_mixed_message)
{
    char directory[64], *all;
    char *path = make_file(directory, "notes.txt", "a\nb", 3);
    struct smtp_harness_compose what = simple();
    what.attachments = one((const char *const *)&path);
    struct smtp_harness_message *message = compose_view(&what, &all);
    expect_int(smtp_harness_part_count(message), 1);
    expect_str(smtp_harness_part(message, 0)->content_type, "text/plain");
    expect_str(smtp_harness_part(message, 0)->name, "notes.txt");
    expect_bytes(smtp_harness_part(message, 0)->bytes, smtp_harness_part(message, 0)->size_bytes,
                 "a\nb", 3);
    expect_str(smtp_harness_text(message), NULL);
    let_go(message, all);
    drop_file(directory, path);
}

TEST(compose, text_of_many_octets_above_127_is_base64_with_crlf_inside_rfc2045_6_8)
{
    struct smtp_harness_compose what = simple();
    char *octets;
    what.text.text = "\xE5\xB1\xB1\n\xE7\x94\xB0\n";
    struct smtp_harness_message *message = compose_view(&what, &octets);
    expect_contains(octets, "Content-Transfer-Encoding: base64\r\n");
    expect_contains(octets, "\r\n5bGxDQrnlLANCg==\r\n");
    expect_str(smtp_harness_text(message), what.text.text);
    let_go(message, octets);
}

TEST(compose, text_as_it_is_where_the_transport_takes_8bit_rfc6152)
{
    struct smtp_harness_compose what = simple();
    size_t len;
    what.text.text = "\xE5\xB1\xB1\n";
    what.octets = SMTP_COMPOSE_8BIT;
    char *octets = compose(&what, &len);
    expect_contains(octets, "Content-Transfer-Encoding: 8bit\r\n\r\n\xE5\xB1\xB1\r\n");
    free(octets);
}

TEST(compose, a_file_goes_octet_for_octet_where_the_transport_takes_binary_rfc3030)
{
    static const char octets[] = "a\nb\r\n\0\xFF"
                                 "c";
    char directory[64];
    size_t len;
    char *path = make_file(directory, "x.bin", octets, sizeof octets - 1);
    struct smtp_harness_compose what = simple();
    what.attachments = one((const char *const *)&path);
    what.octets = SMTP_COMPOSE_BINARY;
    char *all = compose(&what, &len);
    expect_contains(all, "Content-Transfer-Encoding: binary\r\n");
    expect_true(memmem(all, len, octets, sizeof octets - 1) != NULL);
    free(all);
    drop_file(directory, path);
}

TEST(compose, line_ends_of_a_text_are_one_kind_whatever_came)
{
    struct smtp_harness_compose what = simple();
    size_t len;
    what.text.text = "a\r\nb\nc";
    char *octets = compose(&what, &len);
    expect_contains(octets, "\r\n\r\na\r\nb\r\nc");
    expect_true(strstr(octets, "\r\r") == NULL);
    free(octets);
}

TEST(compose, a_line_that_is_too_long_is_encoded_rfc5322_2_1_1)
{
    static char text[3002];
    struct smtp_harness_compose what = simple();
    char *octets;
    memset(text, 'x', sizeof text - 2);
    text[sizeof text - 2] = '\n';
    what.text.text = text;
    struct smtp_harness_message *message = compose_view(&what, &octets);
    expect_contains(octets, "Content-Transfer-Encoding: quoted-printable\r\n");
    expect_str(smtp_harness_text(message), text);
    for (const char *line = octets; line != NULL; line = strstr(line, "\r\n")) {
        line += line != octets ? 2 : 0;
        expect_true(strcspn(line, "\r") <= 78);
    }
    let_go(message, octets);
}

TEST(compose, a_line_of_998_octets_goes_as_it_is_and_one_more_does_not_rfc5322_2_1_1)
{
    static char text[1001];
    for (size_t len = 998; len <= 999; len++) {
        struct smtp_harness_compose what = simple();
        size_t octets_len;
        memset(text, 'x', len);
        memcpy(text + len, "\n", 2);
        what.text.text = text;
        char *octets = compose(&what, &octets_len);
        const char *encoding = strstr(octets, "Content-Transfer-Encoding: quoted-printable\r\n");
        expect_int(encoding != NULL, len == 999);
        free(octets);
    }
}

TEST(compose, what_fills_a_line_is_taken_and_one_octet_more_refused)
{
    char word[802], name[84];
    const char *header = name;
    for (int over = 0; over <= 1; over++) {
        struct smtp_harness_compose subject = simple(), field = simple();
        struct smtp_error error = {.message = ""};
        memset(word, 'x', sizeof word);
        word[800 + over] = '\0';
        subject.subject = word;
        memset(name, 'X', sizeof name);
        snprintf(name + 76 + over, 4, ": b");
        field.headers = one(&header);
        enum smtp_status status = over == 0 ? SMTP_OK : SMTP_BAD_ARGUMENT;
        expect_int(smtp_harness_compose_check(&subject, &error), status);
        expect_int(smtp_harness_compose_check(&field, &error), status);
    }
}

TEST(compose, characters_that_lie_across_blocks_are_whole)
{
    enum { SIZE = 200000 };
    static char text[SIZE + 1];
    char directory[64], *octets;
    for (size_t i = 0; i + 3 < SIZE; i += 3) {
        memcpy(text + i, i % 60 == 57 ? "ab\n" : "\xE5\xB1\xB1", 3);
    }
    for (size_t begin = 0; begin < 3; begin++) { /* at each place of the border */
        text[begin] = begin > 0 ? 'x' : text[begin];
        char *path = make_file(directory, "text", text + begin, strlen(text + begin));
        struct smtp_harness_compose what = simple();
        what.text.path = path;
        if (begin == 0) {
            struct smtp_harness_message *message = compose_view(&what, &octets);
            expect_str(smtp_harness_text(message), text);
            let_go(message, octets);
        } else { /* it begins inside a character */
            text[begin] = '\xB1';
            FILE *file = fopen(path, "w");
            fwrite(text + begin, 1, strlen(text + begin), file);
            fclose(file);
            expect_refused(&what, SMTP_BAD_ARGUMENT, "--text: the text is not UTF-8");
        }
        drop_file(directory, path);
    }
}

TEST(compose, the_same_input_gives_the_same_octets)
{
    char directory[64];
    size_t lens[2];
    char *path = make_file(directory, "a.csv", "1,2\n", 4);
    struct smtp_harness_compose what = simple();
    what.text.text = "a";
    what.html.text = "b";
    what.attachments = one((const char *const *)&path);
    char *first = compose(&what, &lens[0]), *second = compose(&what, &lens[1]);
    expect_bytes(first, lens[0], second, lens[1]);
    free(first);
    free(second);
    drop_file(directory, path);
}

TEST_ALONE(compose, what_cannot_be_rewound_is_read_once)
{
    char directory[64], *fifo = NULL, *octets;
    smtp_make_directory(directory);
    expect_true(asprintf(&fifo, "/dev/fd/%d", 0) > 0);
    int ends[2];
    expect_int(pipe(ends), 0);
    expect_true(write(ends[1], "through a pipe\n", 15) == 15);
    close(ends[1]);
    dup2(ends[0], 0);
    close(ends[0]);
    struct smtp_harness_compose what = simple();
    what.text.path = "-";
    struct smtp_harness_message *message = compose_view(&what, &octets);
    expect_str(smtp_harness_text(message), "through a pipe\n");
    let_go(message, octets);
    drop_file(directory, fifo);
}

/* ---- what is refused ---- */

TEST(compose, nothing_adds_a_field_to_the_header)
{
    const char *const injected[] = {"a\r\nBcc: x@x.test", "a\nb", "a\rb", "a\x01"};
    for (size_t i = 0; i < sizeof injected / sizeof *injected; i++) {
        char header[64];
        const char *const headers[] = {header}, *const list[] = {injected[i]};
        struct smtp_harness_compose what = simple();
        what.subject = injected[i];
        expect_refused(&what, SMTP_UNSAFE_ARGUMENT, "--subject holds the control octet 0x");
        what = simple();
        what.from = injected[i];
        expect_refused(&what, SMTP_UNSAFE_ARGUMENT, "--from holds");
        what = simple();
        what.to = one(list);
        expect_refused(&what, SMTP_UNSAFE_ARGUMENT, "--to holds");
        what = simple();
        what.cc = one(list);
        expect_refused(&what, SMTP_UNSAFE_ARGUMENT, "--cc holds");
        what = simple();
        snprintf(header, sizeof header, "X-A: %s", injected[i]);
        what.headers = one(headers);
        expect_refused(&what, SMTP_UNSAFE_ARGUMENT, "--header X-A holds");
    }
}

TEST(compose, a_header_that_is_none_or_is_made_by_others_is_refused)
{
    static const struct {
        const char *header, *complaint;
    } rows[] = {
        {"X-A", "'NAME: VALUE'"},
        {": b", "'NAME: VALUE'"},
        {"X A: b", "'NAME: VALUE'"},
        {"X-A\r\nX-B: b", "'NAME: VALUE'"},
        {"X-\xC3\xBC: b", "'NAME: VALUE'"},
        {"from: x@x.test", "that field is made by --from"},
        {"Bcc: x@x.test", "that field is made by --bcc"},
        {"Content-Type: text/html", "that field is made by the program"},
        {"MIME-Version: 2.0", "that field is made by the program"},
        {"X-A: \xFF", "is not UTF-8"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct smtp_harness_compose what = simple();
        what.headers = one(&rows[i].header);
        expect_refused(&what, SMTP_BAD_ARGUMENT, rows[i].complaint);
    }
    const char *const twice[] = {"Date: x", "date: y"};
    struct smtp_harness_compose what = simple();
    what.headers = (struct smtp_harness_compose_list){twice, 2};
    expect_refused(&what, SMTP_BAD_ARGUMENT, "may stand there once");
}

TEST(compose, of_several_who_wrote_it_the_first_sends_it_unless_another_is_named)
{
    const char *const named[] = {fixed[0], fixed[1], "Sender: eve@example.com"};
    struct smtp_harness_compose what = simple();
    size_t len;
    char *octets = compose(&what, &len);
    expect_true(strstr(octets, "Sender:") == NULL);
    free(octets);
    what.from = "ann@example.com, bob@example.com";
    octets = compose(&what, &len);
    expect_contains(octets, "\r\nSender: ann@example.com\r\n");
    free(octets);
    what.headers = (struct smtp_harness_compose_list){named, 3};
    octets = compose(&what, &len);
    expect_contains(octets, "\r\nSender: eve@example.com\r\n");
    expect_true(strstr(octets, "Sender: ann") == NULL);
    free(octets);
}

TEST(compose, what_no_line_can_hold_and_what_is_no_address_is_refused)
{
    static char word[2000];
    struct smtp_harness_compose what = simple();
    memset(word, 'x', sizeof word - 1);
    what.subject = word;
    expect_refused(&what, SMTP_BAD_ARGUMENT,
                   "--subject has a word, or blanks, of more than 800 octets");
    memset(word + 1, ' ', sizeof word - 3);
    expect_refused(&what, SMTP_BAD_ARGUMENT,
                   "--subject has a word, or blanks, of more than 800 octets");
    what = simple();
    what.from = "";
    expect_refused(&what, SMTP_BAD_ARGUMENT, "--from holds no address");
    what = simple();
    const char *to = "Bob <bob@example.com";
    what.to = one(&to);
    expect_refused(&what, SMTP_BAD_ARGUMENT, "");
}

TEST(compose, text_that_is_none_is_refused)
{
    char directory[64];
    char *path = make_file(directory, "text", "a\0b", 3);
    struct smtp_harness_compose what = simple();
    what.html.path = path;
    expect_refused(&what, SMTP_BAD_ARGUMENT, "--html: the text holds a NUL octet");
    what = simple();
    what.text.text = "latin \xFC";
    expect_refused(&what, SMTP_BAD_ARGUMENT, "--text: the text is not UTF-8");
    drop_file(directory, path);
}

TEST(compose, a_file_that_cannot_be_read_is_named_with_the_reason)
{
    struct smtp_harness_compose what = simple();
    const char *missing = "/nonexistent/a.pdf", *directory = "/tmp";
    what.attachments = one(&missing);
    expect_refused(&what, SMTP_SOURCE_FAILED,
                   "--attach: cannot read /nonexistent/a.pdf: No such file or directory");
    what.attachments = one(&directory);
    expect_refused(&what, SMTP_SOURCE_FAILED, "--attach: cannot read /tmp: Is a directory");
    what = simple();
    what.text.path = missing;
    expect_refused(&what, SMTP_SOURCE_FAILED, "--text: cannot read");
}

TEST_ALONE(compose, a_full_disk_is_told)
{
    static char text[100000];
    struct smtp_error error;
    struct smtp_harness_compose what = simple();
    FILE *out = tmpfile();
    memset(text, ' ', sizeof text - 1);
    what.text.text = text;
    smtp_limit_files(50000);
    expect_int(smtp_harness_compose(&what, out, &error), SMTP_SYSTEM_FAILED);
    smtp_limit_files(UINT64_MAX);
    expect_int(error.sys_errno, EFBIG);
    fclose(out);
}
