/* dialogue_parse_test.c - dialogues as text: what is read, and what is complained of where. */
#include "harness/dialogue/steps.h"
#include "tests/support/test.h"

#include <stdio.h>

static struct smtp_dialogue *read_whole(struct smtp_span text)
{
    struct smtp_dialogue *dialogue = NULL;
    struct smtp_harness_lines why = SMTP_HARNESS_LINES;
    enum smtp_status status = smtp_dialogue_parse(&dialogue, "a.smtp", text, &why);
    char *complaint = smtp_harness_lines_take(&why);
    expect_str(complaint, "");
    expect_int(status, SMTP_OK);
    free(complaint);
    return dialogue;
}

static const struct smtp_dialogue_part *part_at(const struct smtp_dialogue *dialogue, size_t step,
                                                size_t part)
{
    const struct smtp_dialogue_step *at = smtp_dialogue_step_at(dialogue, step);
    expect_true(part < at->part_count);
    return smtp_dialogue_parts(dialogue, at) + part;
}

static void expect_wrong_at(const char *text, const char *complaint)
{
    struct smtp_dialogue *dialogue = NULL;
    struct smtp_harness_lines why = SMTP_HARNESS_LINES;
    expect_int(smtp_dialogue_parse(&dialogue, "a.smtp", smtp_span_of(text), &why),
               SMTP_BAD_ARGUMENT);
    expect_true(dialogue == NULL);
    char *came = smtp_harness_lines_take(&why);
    expect_contains(came, complaint);
    free(came);
}

TEST(dialogue_parse, lines_of_both_with_their_speakers_and_numbers)
{
    struct smtp_dialogue *dialogue = read_whole(SMTP_SPAN("# about\n\nS: 220 hi\nC: QUIT\n"));
    expect_int(smtp_dialogue_step_count(dialogue), 2);
    expect_int(smtp_dialogue_step_at(dialogue, 0)->speaker, SMTP_DIALOGUE_SERVER);
    expect_int(smtp_dialogue_step_at(dialogue, 0)->line, 3);
    expect_int(smtp_dialogue_step_at(dialogue, 1)->speaker, SMTP_DIALOGUE_CLIENT);
    struct smtp_span said = part_at(dialogue, 1, 0)->octets;
    expect_bytes(said.bytes, said.len, "QUIT", 4);
    expect_true(smtp_dialogue_step_at(dialogue, 1)->has_crlf);
    smtp_dialogue_free(dialogue);
}

TEST(dialogue_parse, crlf_tabs_a_bom_and_no_final_newline_are_fine)
{
    struct smtp_dialogue *dialogue =
        read_whole(SMTP_SPAN("\xEF\xBB\xBFS:\t220 hi\r\n \t\r\n[starttls]\t\r\nC: a\tb"));
    expect_int(smtp_dialogue_step_count(dialogue), 3);
    struct smtp_span said = part_at(dialogue, 0, 0)->octets;
    expect_bytes(said.bytes, said.len, "220 hi", 6);
    said = part_at(dialogue, 2, 0)->octets;
    expect_bytes(said.bytes, said.len, "a\tb", 3);
    smtp_dialogue_free(dialogue);
}

TEST(dialogue_parse, escapes_stand_for_octets_nul_too)
{
    struct smtp_dialogue *dialogue =
        read_whole(SMTP_SPAN("C| \\x00\\xfF\\r\\n\\t\\\\\\...\\${A\\}\xC3\xA9"));
    struct smtp_span said = part_at(dialogue, 0, 0)->octets;
    expect_int(smtp_dialogue_step_at(dialogue, 0)->part_count, 1);
    expect_bytes(said.bytes, said.len, "\0\xff\r\n\t\\...${A}\xC3\xA9", 15);
    expect_true(!smtp_dialogue_step_at(dialogue, 0)->has_crlf);
    smtp_dialogue_free(dialogue);
}

TEST(dialogue_parse, wildcards_and_variables_are_parts)
{
    struct smtp_dialogue *dialogue = read_whole(SMTP_SPAN("S: 250 ...id ${ID=a\\}b} ${X}\n"));
    expect_int(part_at(dialogue, 0, 1)->kind, SMTP_DIALOGUE_ANY);
    const struct smtp_dialogue_part *variable = part_at(dialogue, 0, 3);
    expect_int(variable->kind, SMTP_DIALOGUE_VARIABLE);
    expect_bytes(variable->name.bytes, variable->name.len, "ID", 2);
    expect_true(variable->has_value);
    expect_bytes(variable->octets.bytes, variable->octets.len, "a}b", 3);
    expect_true(!part_at(dialogue, 0, 5)->has_value);
    smtp_dialogue_free(dialogue);
}

TEST(dialogue_parse, directives_with_their_times)
{
    struct smtp_dialogue *dialogue =
        read_whole(SMTP_SPAN("[compare codes]\n[session]\n[tls]\n[wait 2s +-100ms]\nS: 220 a\n"
                             "[within 500ms]\nC: QUIT\n[S close]\n[session]\nS: 220 b\n[C reset]"));
    expect_int(smtp_dialogue_session_count(dialogue), 2);
    expect_true(dialogue->compare_codes);
    const struct smtp_dialogue_step *wait = smtp_dialogue_step_at(dialogue, 1);
    expect_int(wait->kind, SMTP_DIALOGUE_WAIT);
    expect_int(wait->time_ns, 2000000000);
    expect_int(wait->tolerance_ns, 100000000);
    expect_int(smtp_dialogue_step_at(dialogue, 5)->kind, SMTP_DIALOGUE_CLOSE);
    expect_int(smtp_dialogue_step_at(dialogue, 5)->speaker, SMTP_DIALOGUE_SERVER);
    smtp_dialogue_free(dialogue);
}

TEST(dialogue_parse, a_mistake_is_shown_by_file_line_and_caret)
{
    expect_wrong_at("S: 220 hi\nC: a\\q\n", "a.smtp:2: there is no such escape\n"
                                            "  C: a\\q\n"
                                            "      ^\n"
                                            "escapes are \\xNN");
    expect_wrong_at("hello\n", "a.smtp:1: whose line this is is not said\n  hello\n  ^\n");
    expect_wrong_at("S: ${a b}\n", "this cannot stand in a variable's name\n"
                                   "  S: ${a b}\n"
                                   "        ^\n");
}

TEST(dialogue_parse, every_mistake_has_its_own_words)
{
    static const struct {
        const char *text, *complaint;
    } rows[] = {
        {"", "a.smtp:1: there is no line of a dialogue"},
        {"C: \\", "nothing stands behind the last backslash"},
        {"C: \\xg0", "\\x needs two hexadecimal digits"},
        {"C: \\x0", "\\x needs two hexadecimal digits"},
        {"C: ${}", "a variable has no name"},
        {"C: ${A", "'}' is missing"},
        {"C: ${A=b", "'}' is missing"},
        {"[startls]", "did you mean 'starttls'?"},
        {"[Sessoin]", "there is no such directive"},
        {"[compare code]", "'codes' is expected here"},
        {"[close]", "who does this is not said"},
        {"[C starttls]", "nobody alone does this"},
        {"[starttls", "']' is missing"},
        {"[", "']' is missing"},
        {"[]", "there is no such directive"},
        {"[starttls now]", "nothing can stand here"},
        {"[wait]", "a time is expected here"},
        {"[wait 50]", "a time is expected here"},
        {"[wait 2h]", "a time is expected here"},
        {"[wait 3601s]", "a time is expected here"},
        {"[wait 50ms 20ms]", "this cannot stand behind the time"},
        {"[within 50ms +-20ms]", "this cannot stand behind the time"},
        {"[wait 50ms]", "a.smtp:1: nothing comes behind this"},
        {"C: a\n[tls]", "a.smtp:2: [tls] is the first thing of a session"},
        {"C: a\n[S close]\nS: b", "a.smtp:3: the connection is closed before this"},
        {"C: a\n[S half-close]\nS: b", "a.smtp:3: who says this has closed its half before"},
        {"C: a\n[session]", "a.smtp:2: nothing is in this session"},
        {"S: ...", "nothing tells where these lines end"},
        {"S: ...\nC: QUIT", "a.smtp:1: nothing tells where these lines end"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        expect_wrong_at(rows[i].text, rows[i].complaint);
    }
}

/** Deterministic, so that a failure comes again. */
static unsigned next_number(unsigned *state)
{
    *state = *state * 1664525U + 1013904223U;
    return *state >> 8;
}

TEST(dialogue_parse, mutations_of_a_valid_dialogue_never_crash)
{
    static const char valid[] =
        "[compare codes]\n[tls]\nS: 220 ${A=b\\x41} ...\nC: EHLO ${nonce}\nS: ...\nS: 250 X\r\n"
        "[starttls]\nC| \\x00...end\n[wait 50ms +-20ms]\n[within 1s]\nS: 221\n[S half-close]\n"
        "[C close]\n[session]\nS: 1\n[C reset]\n";
    static const char pieces[] = "\\x${}[]:|CS.\n\r\t\0 =+-0s#\xFF";
    unsigned state = 1, read = 0;
    for (unsigned round = 0; round < 20000; round++) {
        char text[sizeof valid];
        size_t len = sizeof valid - 1;
        memcpy(text, valid, len);
        for (unsigned changes = next_number(&state) % 4 + 1; changes > 0; changes--) {
            text[next_number(&state) % len] = pieces[next_number(&state) % (sizeof pieces - 1)];
        }
        len -= next_number(&state) % 3 == 0 ? next_number(&state) % len : 0;
        char *exact = malloc(len); /* so that a sanitizer sees an octet beyond */
        memcpy(exact, text, len);
        struct smtp_dialogue *dialogue = NULL;
        struct smtp_harness_lines why = SMTP_HARNESS_LINES;
        enum smtp_status status =
            smtp_dialogue_parse(&dialogue, "m.smtp", (struct smtp_span){exact, len}, &why);
        char *complaint = smtp_harness_lines_take(&why);
        expect_true(status == SMTP_OK ? complaint[0] == '\0'
                                      : strncmp(complaint, "m.smtp:", 7) == 0);
        read += status == SMTP_OK;
        free(complaint);
        smtp_dialogue_free(dialogue);
        free(exact);
    }
    expect_true(read > 100 && read < 19000);
}
