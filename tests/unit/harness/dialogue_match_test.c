/* dialogue_match_test.c - octets held against a line of a dialogue, and a line made of what is known. */
#include "harness/dialogue/match.h"
#include "tests/support/test.h"

#define MATCHES SMTP_DIALOGUE_MATCHES
#define DIFFERS SMTP_DIALOGUE_DIFFERS
#define NEEDS_MORE SMTP_DIALOGUE_NEEDS_MORE

static struct smtp_dialogue *read_one(const char *text)
{
    struct smtp_dialogue *dialogue = NULL;
    struct smtp_harness_lines why = SMTP_HARNESS_LINES;
    expect_int(smtp_dialogue_parse(&dialogue, "m.smtp", smtp_span_of(text), &why), SMTP_OK);
    smtp_buffer_free(&why.buffer);
    return dialogue;
}

/** The line's step against these octets; what is known of X afterwards, "-": nothing. */
static void expect_match(const char *line, struct smtp_span octets, bool ended,
                         enum smtp_dialogue_match expected, size_t expected_len, const char *x)
{
    struct smtp_dialogue *dialogue = read_one(line);
    struct smtp_dialogue_names names = SMTP_DIALOGUE_NAMES;
    expect_true(smtp_dialogue_names_add(&names, SMTP_SPAN("known"), SMTP_SPAN("abc")));
    size_t len = 0;
    enum smtp_dialogue_match came = smtp_dialogue_match(
        dialogue, smtp_dialogue_step_at(dialogue, 0), &names, octets, ended, &len);
    if (came != expected || len != expected_len) {
        SMTP_TEST_FAIL("%s against %.*s: expected %d at %zu, came %d at %zu", line, (int)octets.len,
                       octets.bytes, (int)expected, expected_len, (int)came, len);
    }
    struct smtp_span value = {"-", 1};
    (void)smtp_dialogue_names_find(&names, SMTP_SPAN("X"), &value);
    expect_bytes(value.bytes, value.len, x, strlen(x));
    smtp_dialogue_names_free(&names);
    smtp_dialogue_free(dialogue);
}

TEST(dialogue_match, a_line_without_wildcards_is_equal_octet_by_octet)
{
    expect_match("S: 250 OK", SMTP_SPAN("250 OK\r\n"), false, MATCHES, 8, "-");
    expect_match("S: 250 OK", SMTP_SPAN("250 Ok\r\n"), false, DIFFERS, 5, "-");
    expect_match("S: 250 OK", SMTP_SPAN("250 OK.\r\n"), false, DIFFERS, 6, "-");
    expect_match("S: 250 OK", SMTP_SPAN("250 O\r\n"), false, DIFFERS, 5, "-");
    expect_match("S: a\\x00b", SMTP_SPAN("a\0b\r\n"), false, MATCHES, 5, "-");
}

TEST(dialogue_match, octets_that_agreed_are_not_looked_at_again)
{
    struct smtp_dialogue *dialogue = read_one("C| abcdef");
    const struct smtp_dialogue_step *step = smtp_dialogue_step_at(dialogue, 0);
    struct smtp_dialogue_names names = SMTP_DIALOGUE_NAMES;
    size_t len = 0;
    expect_int(smtp_dialogue_match(dialogue, step, &names, SMTP_SPAN("abc"), false, &len),
               NEEDS_MORE);
    expect_int(len, 3);
    expect_int(smtp_dialogue_match(dialogue, step, &names, SMTP_SPAN("---de"), false, &len),
               NEEDS_MORE);
    expect_int(len, 5);
    expect_int(smtp_dialogue_match(dialogue, step, &names, SMTP_SPAN("-----f"), false, &len),
               MATCHES);
    expect_int(len, 6);
    smtp_dialogue_names_free(&names);
    smtp_dialogue_free(dialogue);
}

TEST(dialogue_match, three_dots_match_anything_in_between_and_to_the_end)
{
    expect_match("S: 250 ...", SMTP_SPAN("250 \r\n"), false, MATCHES, 6, "-");
    expect_match("S: 250 ...", SMTP_SPAN("250 and so on\r\n"), false, MATCHES, 15, "-");
    expect_match("S: ... id ... end", SMTP_SPAN("1 id 2 end\r\n"), false, MATCHES, 12, "-");
    expect_match("S: ...end", SMTP_SPAN("end, end\r\n"), false, MATCHES, 10, "-");
    expect_match("S: a...b", SMTP_SPAN("a\r\n"), false, DIFFERS, 1, "-");
    expect_match("S: ab...bc", SMTP_SPAN("abc\r\n"), false, DIFFERS, 2, "-");
    expect_match("S: 250 \\...", SMTP_SPAN("250 x\r\n"), false, DIFFERS, 4, "-");
}

TEST(dialogue_match, a_name_takes_what_stands_there_and_is_that_from_then_on)
{
    expect_match("S: id=${X};", SMTP_SPAN("id=42;\r\n"), false, MATCHES, 8, "42");
    expect_match("S: ${X}", SMTP_SPAN("\r\n"), false, MATCHES, 2, "");
    expect_match("S: ${X=default}!", SMTP_SPAN("other!\r\n"), false, MATCHES, 8, "other");
    expect_match("S: ${X}-${X}", SMTP_SPAN("ab-ab\r\n"), false, MATCHES, 7, "ab");
    expect_match("S: ${X}-${X}", SMTP_SPAN("ab-ac\r\n"), false, DIFFERS, 4, "-");
    expect_match("S: <${known}>", SMTP_SPAN("<abc>\r\n"), false, MATCHES, 7, "-");
    expect_match("S: <${known=z}>", SMTP_SPAN("<abd>\r\n"), false, DIFFERS, 3, "-");
    expect_match("S: ${X} no", SMTP_SPAN("yes\r\n"), false, DIFFERS, 0, "-"); /* not learned */
}

TEST(dialogue_match, octets_without_crlf_are_taken_as_far_as_they_go)
{
    expect_match("C| abc", SMTP_SPAN("abcdef"), false, MATCHES, 3, "-");
    expect_match("C| abc", SMTP_SPAN("ab"), false, NEEDS_MORE, 2, "-");
    expect_match("C| abc", SMTP_SPAN("ab"), true, DIFFERS, 2, "-");
    expect_match("C| abc", SMTP_SPAN("ax"), false, DIFFERS, 1, "-");
    expect_match("C| ${X}\\n", SMTP_SPAN("one\ntwo\n"), false, MATCHES, 4, "one");
    expect_match("C| ...\\n", SMTP_SPAN("one"), false, NEEDS_MORE, 0, "-");
    expect_match("C| a...", SMTP_SPAN("abc"), false, NEEDS_MORE, 1, "-");
    expect_match("C| a...", SMTP_SPAN("abc"), true, MATCHES, 3, "-");
    expect_match("C: a\\r\\nb", SMTP_SPAN("a\r\nb\r\nc"), false, MATCHES, 6, "-");
}

static void expect_sent(const char *line, const char *octets, size_t len)
{
    struct smtp_dialogue *dialogue = read_one(line);
    struct smtp_dialogue_names names = SMTP_DIALOGUE_NAMES;
    struct smtp_buffer out = SMTP_BUFFER(1000);
    struct smtp_span unknown = {"", 0};
    names.port = SMTP_SPAN("2525");
    expect_true(smtp_dialogue_names_add(&names, SMTP_SPAN("known"), SMTP_SPAN("abc")));
    expect_int(
        smtp_dialogue_render(dialogue, smtp_dialogue_step_at(dialogue, 0), &names, &out, &unknown),
        SMTP_OK);
    expect_bytes(smtp_buffer_span(&out).bytes, out.len, octets, len);
    smtp_buffer_free(&out);
    smtp_dialogue_names_free(&names);
    smtp_dialogue_free(dialogue);
}

TEST(dialogue_match, a_line_is_sent_with_what_is_known)
{
    expect_sent("C: a ${known=z} ${new=z} ${new}", "a abc z z\r\n", 11);
    expect_sent("C: and so on...", "and so on...\r\n", 14);
    expect_sent("C: ${port}", "2525\r\n", 6);
    expect_sent("C| \\x00", "\0", 1);
}

TEST(dialogue_match, a_name_that_nothing_is_known_of_is_not_sent)
{
    struct smtp_dialogue *dialogue = read_one("C: ${who}");
    struct smtp_dialogue_names names = SMTP_DIALOGUE_NAMES;
    struct smtp_buffer out = SMTP_BUFFER(1000);
    struct smtp_span unknown = {"", 0};
    expect_int(
        smtp_dialogue_render(dialogue, smtp_dialogue_step_at(dialogue, 0), &names, &out, &unknown),
        SMTP_BAD_ARGUMENT);
    expect_bytes(unknown.bytes, unknown.len, "who", 3);
    smtp_buffer_free(&out);
    smtp_dialogue_names_free(&names);
    smtp_dialogue_free(dialogue);
}
