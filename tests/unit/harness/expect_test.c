/* expect_test.c - the expectation notation: what holds, what does not, and how mistakes are told.
 */
#include "captured.h"
#include "harness/expect.h"
#include "harness/message.h"
#include "mutate.h"
#include "tests/support/test.h"

static const char sample[] =
    "Subject: Welcome =?utf-8?q?Zo=C3=AB?=\r\nX-Tag: one\r\nX-Tag: two\r\n"
    "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nHello Bob,\r\nsee you.\r\n\r\n"
    "--b\r\nContent-Type: text/html\r\n\r\n<p>Hello\r\n"
    "--b\r\nContent-Disposition: attachment; filename=\"my file.pdf\"\r\n\r\n%PDF-1.7\r\n--b--\r\n";

static struct smtp_harness_expectation *parsed(const char *notation)
{
    struct smtp_harness_expectation *expectation;
    struct smtp_harness_lines why = SMTP_HARNESS_LINES;
    enum smtp_status status = smtp_harness_expectation_parse(notation, &expectation, &why);
    char *text = smtp_harness_lines_take(&why);
    expect_str(text, "");
    expect_int(status, SMTP_OK);
    free(text);
    return expectation;
}

static bool holds(const char *notation)
{
    struct smtp_harness_message *message = captured(sample, sizeof sample - 1);
    struct smtp_harness_expectation *expectation = parsed(notation);
    bool all = smtp_harness_expectation_held(expectation, message) ==
               smtp_harness_expectation_terms(expectation);
    smtp_harness_expectation_free(expectation);
    smtp_harness_message_free(message);
    return all;
}

/* RFC 5321 2.4: the local part with its case, the domain without. */
TEST(expect, addresses_compare_as_rfc5321_says)
{
    expect_true(holds("from=ann@EXAMPLE.com"));
    expect_true(!holds("from=Ann@example.com"));
    expect_true(!holds("from=ann@example.co"));
    expect_true(!holds("from=ann"));
    expect_true(holds("from=<ann@example.com>"));
    expect_true(holds("to=bob@example.com"));
    expect_true(holds("to=\"\\\"Carol Jones\\\"@example.org\""));
    expect_true(!holds("to!=bob@example.com"));
    expect_true(holds("to!=dave@example.com"));
    expect_true(holds("to~^bob@ to!~dave"));
}

/* The local part ends at the last @, RFC 5321 4.1.2. */
TEST(expect, an_at_sign_inside_quotes_belongs_to_the_local_part)
{
    struct smtp_harness_message *message =
        captured_from_to("\"a@b\"@x.test", "bob@y.test", "Subject: a\\b\r\n\r\n", 16);
    struct smtp_harness_expectation *same = parsed("from=\"\\\"a@b\\\"@X.TEST\"");
    struct smtp_harness_expectation *other = parsed("from=\"\\\"a@B\\\"@x.test\"");
    struct smtp_harness_expectation *backslash = parsed("subject=\"a\\\\b\"");
    expect_int(smtp_harness_expectation_held(same, message), 1);
    expect_int(smtp_harness_expectation_held(other, message), 0);
    expect_int(smtp_harness_expectation_held(backslash, message), 1); /* \\\\ is one */
    smtp_harness_expectation_free(same);
    smtp_harness_expectation_free(other);
    smtp_harness_expectation_free(backslash);
    smtp_harness_message_free(message);
}

TEST(expect, the_null_reverse_path_is_an_empty_value)
{
    struct smtp_harness_message *message = captured_from_to("", "postmaster", "", 0);
    struct smtp_harness_expectation *empty = parsed("from=\"\" to=postmaster");
    struct smtp_harness_expectation *brackets = parsed("from=<>");
    struct smtp_harness_expectation *other = parsed("from!=\"\"");
    expect_int(smtp_harness_expectation_held(empty, message), 2);
    expect_int(smtp_harness_expectation_held(brackets, message), 1);
    expect_int(smtp_harness_expectation_held(other, message), 0);
    smtp_harness_expectation_free(empty);
    smtp_harness_expectation_free(brackets);
    smtp_harness_expectation_free(other);
    smtp_harness_message_free(message);
}

TEST(expect, the_session_s_fields_compare)
{
    expect_true(holds("helo=CLIENT.test protocol=ESMTPSA session=2"));
    expect_true(!holds("protocol=SMTP"));
    expect_true(!holds("session=1"));
}

/* RFC 3207 and RFC 4954: over which TLS it came, and from whom. */
TEST(expect, tls_and_auth_are_empty_where_there_was_none)
{
    expect_true(holds("tls=TLSv1.3 auth=ann tls~^TLS auth!=\"\""));
    expect_true(!holds("tls=TLSv1.2"));
    expect_true(!holds("tls=\"\""));
    expect_true(!holds("auth=Ann"));
    struct smtp_harness_message *message = captured_from_to("a@b.test", "c@d.test", "", 0);
    struct smtp_harness_expectation *none = parsed("tls=\"\" auth=\"\" protocol=ESMTP");
    struct smtp_harness_expectation *some = parsed("tls~. auth~.");
    expect_int(smtp_harness_expectation_held(none, message), 3);
    expect_int(smtp_harness_expectation_held(some, message), 0);
    smtp_harness_expectation_free(none);
    smtp_harness_expectation_free(some);
    smtp_harness_message_free(message);
}

TEST(expect, header_fields_are_compared_decoded)
{
    expect_true(holds("subject=\"Welcome Zo\303\253\""));
    expect_true(holds("subject~\"^Welcome\""));
    expect_true(!holds("subject~\"^welcome$\""));
    expect_true(holds("header.x-tag=one header.X-Tag=two"));
    expect_true(!holds("header.X-Tag=three"));
    expect_true(holds("header.X-Tag!=three header.Nothing!=x"));
    expect_true(!holds("header.Nothing~\"\""));
}

TEST(expect, bodies_compare_but_for_the_last_line_end)
{
    expect_true(holds("text=\"Hello Bob,\nsee you.\""));
    expect_true(holds("text~\"^see you\\.$\""));
    expect_true(!holds("text=\"Hello Bob,\""));
    expect_true(holds("html=<p>Hello"));
    expect_true(holds("source~\"boundary=b\" source!~Received"));
}

TEST(expect, attachments_are_found_by_name)
{
    expect_true(holds("attachment.\"my file.pdf\"~\"^%PDF\""));
    expect_true(holds("attachment.\"my file.pdf\"=%PDF-1.7"));
    expect_true(!holds("attachment.other~."));
    expect_true(holds("attachments=1 attachments>=1 attachments<=1 attachments!=2"));
    expect_true(!holds("attachments>=2"));
}

TEST(expect, one_of_several_attachments_of_one_name_is_enough)
{
    struct smtp_harness_message *message =
        CAPTURED("Content-Type: multipart/mixed; boundary=b\r\n\r\n"
                 "--b\r\nContent-Disposition: attachment; filename=a.txt\r\n\r\none\r\n"
                 "--b\r\nContent-Disposition: attachment; filename=a.txt\r\n\r\ntwo\r\n--b--\r\n");
    struct smtp_harness_expectation *both = parsed("attachment.a.txt=one attachment.a.txt=two");
    struct smtp_harness_expectation *none = parsed("attachment.a.txt=three");
    expect_int(smtp_harness_expectation_held(both, message), 2);
    expect_int(smtp_harness_expectation_held(none, message), 0);
    smtp_harness_expectation_free(both);
    smtp_harness_expectation_free(none);
    smtp_harness_message_free(message);
}

TEST(expect, numbers_compare_and_blanks_around_an_operator_are_allowed)
{
    expect_true(holds("size >= 100 size <= 1000"));
    expect_true(!holds("size<=10"));
    expect_true(holds(" from = ann@example.com\tto = bob@example.com "));
}

TEST(expect, nothing_asked_holds_of_any_message)
{
    expect_true(holds(NULL));
    expect_true(holds(""));
    expect_true(holds("   "));
    expect_true(holds("count=1"));
}

TEST(expect, a_pattern_sees_past_nul_octets)
{
    struct smtp_harness_message *message = CAPTURED("Subject: x\r\n\r\na\0needle\r\n");
    struct smtp_harness_expectation *expectation = parsed("source~needle");
    expect_int(smtp_harness_expectation_held(expectation, message), 1);
    smtp_harness_expectation_free(expectation);
    smtp_harness_message_free(message);
}

TEST(expect, count_says_how_many_messages_must_match)
{
    static const struct {
        const char *notation;
        uint64_t matched;
        bool holds, can_hold;
    } rows[] = {
        {"to=a", 0, false, true},      {"to=a", 1, true, true},
        {"to=a", 9, true, true},       {"count=2", 1, false, true},
        {"count=2", 2, true, true},    {"count=2", 3, false, false},
        {"count=0", 0, true, true},    {"count=0", 1, false, false},
        {"count<=1", 2, false, false}, {"count>=2", 1, false, true},
        {"count!=1", 1, false, true},  {"count>=1 count<=2", 2, true, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct smtp_harness_expectation *expectation = parsed(rows[i].notation);
        expect_int(smtp_harness_expectation_count_holds(expectation, rows[i].matched),
                   rows[i].holds);
        expect_int(smtp_harness_expectation_count_can_hold(expectation, rows[i].matched),
                   rows[i].can_hold);
        smtp_harness_expectation_free(expectation);
    }
}

static void expect_mistake(const char *notation, const char *expected)
{
    struct smtp_harness_expectation *expectation;
    struct smtp_harness_lines why = SMTP_HARNESS_LINES;
    expect_int(smtp_harness_expectation_parse(notation, &expectation, &why), SMTP_BAD_ARGUMENT);
    expect_true(expectation == NULL);
    char *text = smtp_harness_lines_take(&why);
    expect_contains(text, expected);
    free(text);
}

TEST(expect, more_matches_change_nothing_where_count_asks_for_no_more_than_a_least)
{
    const struct {
        const char *notation;
        uint64_t matched;
        bool sure;
    } rows[] = {
        {"to=a", 0, false},     {"to=a", 1, true},      {"count>=2", 1, false},
        {"count>=2", 2, true},  {"count>=0", 0, true},  {"count=1", 1, false},
        {"count<=2", 1, false}, {"count!=1", 2, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct smtp_harness_expectation *expectation = parsed(rows[i].notation);
        expect_int(smtp_harness_expectation_count_is_sure(expectation, rows[i].matched),
                   rows[i].sure);
        smtp_harness_expectation_free(expectation);
    }
}

TEST(expect, each_mistake_is_told_with_a_caret_under_it)
{
    expect_mistake("to=a subjct~x", "the field \"subjct\" is not known; is it \"subject\"?\n"
                                    "  to=a subjct~x\n"
                                    "       ^\n"
                                    "fields: from to helo subject header.NAME ");
    expect_mistake("tls>=1", "a text is compared by");
    expect_mistake("tsl=x", "the field \"tsl\" is not known\n");
    expect_mistake("=x", "a field is missing\n  =x\n  ^\n");
    expect_mistake("to=\"Zo\303\253\" from", "an operator is missing: = != ~ !~ >= <=\n"
                                             "  to=\"Zo\303\253\" from\n"
                                             "               ^\n");
    expect_mistake("from= to=b",
                   "a value is missing (\"\" for an empty one)\n  from= to=b\n       ^\n");
    expect_mistake("to=\"abc", "this quote is not closed\n  to=\"abc\n     ^\n");
    expect_mistake("to=\"a\"from=b",
                   "a blank is missing between two terms\n  to=\"a\"from=b\n        ^\n");
    expect_mistake("size~1", "a number is compared by = != >= <=\n  size~1\n      ^\n");
    expect_mistake("to>=a", "a text is compared by = != ~ !~\n  to>=a\n    ^\n");
    expect_mistake("size>1", "the operators are >= and <=\n  size>1\n      ^\n");
    expect_mistake("size < 1", "the operators are >= and <=\n");
    expect_mistake("to==a",
                   "an operator is one of = != ~ !~ >= <=; a value that begins with \"=\" is "
                   "quoted\n  to==a\n    ^\n");
    expect_mistake("to=~a", "a value that begins with \"~\" is quoted\n");
    expect_mistake("Subject=x", "is it \"subject\"?\n");
    expect_mistake("attachement.x=1", "is it \"attachment\"?\n");
    expect_mistake("to=a count", "an operator is missing");
    expect_mistake("to=a count~1", "a number is compared by");
    expect_mistake("header.\"X", "this quote is not closed\n  header.\"X\n         ^\n");
    expect_mistake("size=10K", "decimal digits only\n  size=10K\n       ^\n");
    expect_mistake("size=-1", "decimal digits only");
    expect_mistake("size=18446744073709551616", "decimal digits only");
    expect_mistake("to~(", "no regular expression: ");
    expect_mistake("header=x", "needs a name, like header.Reply-To\n  header=x\n  ^\n");
    expect_mistake("header.=x", "a name is missing\n  header.=x\n         ^\n");
    expect_mistake("to.x=x", "this field takes no name\n  to.x=x\n    ^\n");
}

TEST(expect, more_terms_than_there_is_room_for_are_refused)
{
    char notation[65 * 5 + 1] = "";
    for (size_t i = 0; i < 65; i++) {
        memcpy(notation + i * 5, "to=a ", 6);
    }
    expect_mistake(notation, "too many terms: at most 64");
}

TEST(expect, every_cut_and_every_octet_of_a_notation_is_parsed_or_refused)
{
    static const char whole[] = "to=bob@x header.\"X y\"!~\"^a\\\"b\\\\c\" size >= 12 count=1";
    for (size_t len = 0; len < sizeof whole; len++) {
        for (int octet = 1; octet < 256; octet++) {
            char notation[sizeof whole + 1];
            memcpy(notation, whole, len);
            notation[len] = (char)octet;
            notation[len + 1] = '\0';
            struct smtp_harness_expectation *expectation;
            struct smtp_harness_lines why = SMTP_HARNESS_LINES;
            enum smtp_status status = smtp_harness_expectation_parse(notation, &expectation, &why);
            expect_int(status == SMTP_OK, why.buffer.len == 0);
            smtp_harness_expectation_free(expectation);
            free(smtp_harness_lines_take(&why));
        }
    }
}

TEST_WITHIN(expect, mutated_notations_parse_or_are_explained, 60)
{
    static const char *const seeds[] = {
        "to=bob@example.com subject~\"^Welcome\" count=1",
        "header.\"X y\"!~\"a\\\"b\\\\c\" attachment.\"my file.pdf\"~^%PDF size >= 12",
        "from!=\"\" helo = a.test protocol=ESMTPSA tls~^TLS auth!=x session<=2 attachments>=1",
    };
    uint64_t state = 20240229;
    size_t parses = 0;
    for (size_t round = 0; round < 20000; round++) {
        char *notation =
            mutated(seeds[round % 3], " \t\"\\=!~<>.([{*x9\001\303", round % 4, &state);
        struct smtp_harness_expectation *expectation;
        struct smtp_harness_lines why = SMTP_HARNESS_LINES;
        enum smtp_status status = smtp_harness_expectation_parse(notation, &expectation, &why);
        char *text = smtp_harness_lines_take(&why);
        expect_int(status == SMTP_OK, text[0] == '\0');
        expect_true(status == SMTP_OK || strstr(text, "^\n") != NULL);
        parses += status == SMTP_OK;
        smtp_harness_expectation_free(expectation);
        free(text);
        free(notation);
    }
    expect_true(parses > 5000 && parses < 15000); /* both happen */
}

TEST(expect, what_differs_is_told_term_by_term)
{
    struct smtp_harness_message *message = captured(sample, sizeof sample - 1);
    struct smtp_harness_expectation *expectation =
        parsed("from=ann@example.com to=dave@x.test subject=Bye size<=3 header.Cc=x count=1");
    struct smtp_harness_lines lines = SMTP_HARNESS_LINES;
    smtp_harness_expectation_explain(expectation, message, &lines);
    char *text = smtp_harness_lines_take(&lines);
    expect_contains(text, "  holds    from=ann@example.com\n"
                          "  differs  to=dave@x.test\n"
                          "           came: \"bob@example.com\", \"\"Carol Jones\"@Example.ORG\"\n"
                          "  differs  subject=Bye\n"
                          "           came: \"Welcome Zo\303\253\"\n"
                          "  differs  size<=3\n"
                          "           came: ");
    expect_contains(text, "  differs  header.Cc=x\n           came: none\n");
    free(text);
    smtp_harness_expectation_free(expectation);
    smtp_harness_message_free(message);
}

TEST(expect, what_came_is_clipped_and_safe_to_print)
{
    char content[1200] = "\r\n\033[31m";
    memset(content + 7, 'x', sizeof content - 7);
    struct smtp_harness_message *message = captured(content, sizeof content);
    struct smtp_harness_expectation *expectation = parsed("text=y");
    struct smtp_harness_lines lines = SMTP_HARNESS_LINES;
    smtp_harness_expectation_explain(expectation, message, &lines);
    char *text = smtp_harness_lines_take(&lines);
    expect_contains(text, "came: \"\\x1b[31mxxx");
    expect_contains(text, "xxx\"... (1198 octets)\n");
    expect_true(strlen(text) < 300);
    free(text);
    smtp_harness_expectation_free(expectation);
    smtp_harness_message_free(message);
}
