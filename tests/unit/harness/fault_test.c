/* fault_test.c - the notation of faults: what it comes to, how often each is due, and how mistakes are told. No
 * server: steps are handed to the hook table. */
#include "harness/fault.h"
#include "harness/fault_plan.h"
#include "mutate.h"
#include "tests/support/test.h"

#include <stdio.h>

/* ---- parsing ---- */

static struct smtp_harness_fault_entry parsed(const char *notation)
{
    struct smtp_harness_fault_entry entry;
    struct smtp_harness_lines why = SMTP_HARNESS_LINES;
    enum smtp_status status = smtp_harness_fault_parse(notation, &entry, &why);
    char *text = smtp_harness_lines_take(&why);
    expect_str(text, "");
    expect_int(status, SMTP_OK);
    free(text);
    return entry;
}

TEST(fault, a_reply_has_a_code_an_enhanced_code_and_a_text)
{
    struct smtp_harness_fault_entry entry =
        parsed("rcpt \"bob@*\": reply 450 4.7.1 \"Slow\\ndown \\\"Bob\\\" \\\\\" once");
    expect_int(entry.stage, SMTP_FAULT_RCPT);
    expect_str(entry.pattern, "bob@*");
    expect_int(entry.fault.reply.code, 450);
    expect_str(entry.fault.reply.enhanced, "4.7.1");
    expect_str(entry.fault.reply.text, "Slow\ndown \"Bob\" \\");
    expect_int(entry.times, 1);
    expect_true(!entry.fault.silent);
    smtp_harness_fault_clear(&entry);

    entry = parsed(" data :reply 354 ");
    expect_true(entry.pattern == NULL);
    expect_int(entry.fault.reply.code, 354);
    expect_str(entry.fault.reply.enhanced, "");
    expect_true(entry.fault.reply.text[0] != '\0');
    expect_int(entry.times, -1);
    smtp_harness_fault_clear(&entry);
}

TEST(fault, octets_hold_any_octet_with_nul)
{
    struct smtp_harness_fault_entry entry =
        parsed("ehlo: octets \"250-a\\r\\n\\x00\\xFf\\t\\\"\\\\\\n\" twice");
    expect_true(entry.fault.replaced && entry.fault.twice);
    expect_bytes(entry.fault.octets, entry.fault.octet_count, "250-a\r\n\0\377\t\"\\\n", 13);
    smtp_harness_fault_clear(&entry);
}

TEST(fault, an_ending_is_silent_unless_another_action_speaks)
{
    static const struct {
        const char *notation;
        enum smtp_server_ending ending;
        bool silent;
    } rows[] = {
        {"mail: close", SMTP_END_CLOSE, true},
        {"mail: half-close", SMTP_END_HALF_CLOSE, true},
        {"mail: delay 5 reset", SMTP_END_RESET, true},
        {"connect: hang", SMTP_END_HANG, true},
        {"content 100: deaf", SMTP_END_DEAF, true},
        {"mail: reply 250 reset", SMTP_END_RESET, false},
        {"mail: octets \"x\" hang", SMTP_END_HANG, false},
        {"mail: twice close", SMTP_END_CLOSE, false},
        {"tls: cut 200 hang", SMTP_END_HANG, false},
        {"tls: certificate expired", SMTP_GO_ON, false},
        {"mail: cut 3", SMTP_GO_ON, false},
        {"mail: drip 10/s", SMTP_GO_ON, false},
        {"mail: reply 421", SMTP_END_CLOSE, false}, /* RFC 5321 3.8 */
        {"mail: reply 421 hang", SMTP_END_HANG, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct smtp_harness_fault_entry entry = parsed(rows[i].notation);
        expect_int(entry.fault.ending, rows[i].ending);
        expect_int(entry.fault.silent, rows[i].silent);
        smtp_harness_fault_clear(&entry);
    }
}

TEST(fault, numbers_and_flaws_reach_the_server)
{
    struct smtp_harness_fault_entry entry =
        parsed("tls: delay 250 drip 100 split 3 garble cut 7 certificate no-intermediate");
    expect_int(entry.fault.delay_ms, 250);
    expect_int(entry.fault.drip_octets_s, 100);
    expect_int(entry.fault.split_octets, 3);
    expect_true(entry.fault.garbled && entry.fault.cut);
    expect_int(entry.fault.cut_octets, 7);
    expect_true(entry.has_certificate);
    expect_int(entry.flaw, SMTP_IDENTITY_NO_INTERMEDIATE);
    expect_contains(entry.fault.note, "fault: tls: delay 250");
    smtp_harness_fault_clear(&entry);
}

TEST(fault, a_pattern_may_hold_colons)
{
    static const struct {
        const char *notation, *pattern;
    } rows[] = {
        {"connect 127.0.0.1:*: close", "127.0.0.1:*"},
        {"connect \"127.0.0.1:*\": close", "127.0.0.1:*"},
        {"connect 127.0.0.1:* : close", "127.0.0.1:*"},
        {"mail \"\": close", ""},
        {"rcpt *@[[]IPv6:::1]: close", "*@[[]IPv6:::1]"},
        {"any \"NOOP *\":close", "NOOP *"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct smtp_harness_fault_entry entry = parsed(rows[i].notation);
        expect_str(entry.pattern, rows[i].pattern);
        smtp_harness_fault_clear(&entry);
    }
}

static void expect_mistake(const char *notation, const char *expected)
{
    struct smtp_harness_faults *faults = smtp_harness_faults_new(1, false);
    struct smtp_harness_lines why = SMTP_HARNESS_LINES;
    expect_int(smtp_harness_faults_add(faults, notation, &why), SMTP_BAD_ARGUMENT);
    char *text = smtp_harness_lines_take(&why);
    expect_contains(text, "the fault is malformed: ");
    expect_contains(text, expected);
    free(text);
    why = SMTP_HARNESS_LINES;
    smtp_harness_faults_tell(faults, &why); /* nothing of it is in the plan */
    expect_int(why.buffer.len, 0);
    smtp_harness_faults_free(faults);
}

TEST(fault, each_mistake_of_where_is_told_with_a_caret_under_it)
{
    expect_mistake(NULL, "a stage is missing");
    expect_mistake("", "a stage is missing");
    expect_mistake(": close", "a stage is missing, like in \"rcpt bob@*: reply 450 once\"\n"
                              "  : close\n  ^\n");
    expect_mistake("rctp a: close",
                   "the stage \"rctp\" is not known; is it \"rcpt\"?\n"
                   "  rctp a: close\n  ^\n"
                   "stages: connect greeting ehlo starttls tls auth mail rcpt data "
                   "bdat content dot rset quit any\n");
    expect_mistake("rcpt", "a \":\" is missing between where and what\n  rcpt\n      ^\n");
    expect_mistake("rcpt a b: close", "a \":\" is missing");
    expect_mistake("rcpt \"a: close", "this quote is not closed\n  rcpt \"a: close\n       ^\n");
    expect_mistake("quit a: close", "the stage quit takes no pattern\n  quit a: close\n       ^\n");
    expect_mistake("content x: close", "a number of octets is expected here, from 1 on\n"
                                       "  content x: close\n          ^\n");
    expect_mistake("content 0: close", "a number of octets");
    expect_mistake("mail: \001close", "a control octet");
    expect_mistake("rcpt Zo\303\253: clse",
                   "the word \"clse\" is not known; is it \"close\"?\n"
                   "  rcpt Zo\303\253: clse\n"
                   "            ^\n"
                   "actions: reply octets delay twice drip split garble cut "
                   "close half-close reset hang deaf certificate\n"
                   "frequencies: once times every from chance over\n");
}

TEST(fault, each_mistake_of_what_is_told_with_a_caret_under_it)
{
    expect_mistake("mail:", "an action is missing, like \"reply 450\" or \"close\"\n"
                            "  mail:\n       ^\n");
    expect_mistake("mail: once", "an action is missing");
    expect_mistake("mail: reply", "a reply code is expected here: 200 to 599, in digits\n"
                                  "  mail: reply\n             ^\n");
    expect_mistake("mail: reply 600", "a reply code is expected here");
    expect_mistake("mail: reply 45O", "a reply code is expected here");
    expect_mistake("mail: reply 450 5.1.1", "an enhanced status code like 4.7.1 is expected here\n"
                                            "  mail: reply 450 5.1.1\n"
                                            "                  ^\n");
    expect_mistake("mail: reply 450 4.1", "like 4.7.1");
    expect_mistake("mail: reply 450 4..1", "like 4.7.1");
    expect_mistake("mail: reply 450 4.1234.1", "like 4.7.1");
    expect_mistake("mail: reply 450 4.1.1.1", "like 4.7.1");
    expect_mistake("data: reply 354 3.0.0", "a 3yz reply has no enhanced status code");
    expect_mistake("mail: reply 450 \"a\\r\"", "a text knows \\n (another line) \\\" and \\\\\n"
                                               "  mail: reply 450 \"a\\r\"\n"
                                               "                    ^\n");
    expect_mistake("mail: reply 450 \"a\nb\"", "a text knows");
    expect_mistake("mail: reply 450 octets \"x\"", "reply and octets are two answers");
    expect_mistake("mail: octets \"x\" reply 450", "reply and octets are two answers");
    expect_mistake("mail: octets 250", "octets in quotes are expected here");
    expect_mistake("mail: octets \"\\x4\"", "octets are escaped as");
    expect_mistake("mail: octets \"\\", "this quote is not closed");
    expect_mistake("mail: delay 5ms", "a number of milliseconds is expected here: 1 to 86400000");
    expect_mistake("mail: delay 0", "a number of milliseconds");
    expect_mistake("mail: drip x/s", "a number of octets a second");
    expect_mistake("mail: split 0", "a number of octets");
    expect_mistake("mail: close close", "close stands here twice\n"
                                        "  mail: close close\n              ^\n");
    expect_mistake("mail: close hang", "there is an ending already");
    expect_mistake("mail: certificate expired", "certificate is of the stage tls alone");
    expect_mistake("tls: certificate expird",
                   "the flaw \"expird\" is not known; is it \"expired\"?\n"
                   "  tls: certificate expird\n                   ^\n"
                   "flaws: expired not-yet-valid wrong-name self-signed unknown-ca "
                   "no-intermediate\n");
    expect_mistake("tls: reply 454", "the stage tls has no reply to reply\n"
                                     "  tls: reply 454\n       ^\n");
    expect_mistake("tls: twice", "the stage tls has no reply");
    expect_mistake("content: garble", "the stage content has no reply");
}

TEST(fault, each_mistake_of_how_often_is_told_with_a_caret_under_it)
{
    expect_mistake("mail: close once times 2", "once and times exclude each other");
    expect_mistake("mail: close times 2 once", "once and times exclude each other");
    expect_mistake("mail: close times", "a number of times is expected here");
    expect_mistake("mail: close every 0", "a number of steps");
    expect_mistake("mail: close from -1", "the number of a step");
    expect_mistake("mail: close chance 5", "a percentage is expected here: 0% to 100%");
    expect_mistake("mail: close chance 101%", "a percentage");
    expect_mistake("mail: close chance 100.1%", "a percentage");
    expect_mistake("mail: close chance %", "a percentage");
    expect_mistake("mail: close chance 1.2345%", "a percentage");
    expect_mistake("mail: close over 10", "a rate is expected here: N/s or N/min");
    expect_mistake("mail: close over 10/h", "a rate is expected here");
    expect_mistake("mail: close over 0/s", "a rate is expected here");
    expect_mistake("mail: close over 1000001/s", "a rate is expected here");
    expect_mistake("mail: close onec", "the word \"onec\" is not known; is it \"once\"?");
}

TEST(fault, what_is_longer_than_the_server_takes_is_refused)
{
    char notation[20000];
    memset(notation, 'x', sizeof notation);
    memcpy(notation, "mail: reply 450 \"", 17);
    memcpy(notation + 17 + 400, "\"", 2);
    expect_mistake(notation, "this is longer than 399 octets");
    notation[17 + 399] = '"';
    notation[17 + 400] = '\0';
    struct smtp_harness_fault_entry entry = parsed(notation);
    expect_int(strlen(entry.fault.reply.text), 399);
    expect_true(strlen(entry.fault.note) < sizeof entry.fault.note);
    smtp_harness_fault_clear(&entry);
    memset(notation, 'x', sizeof notation);
    memcpy(notation, "mail: octets \"", 14);
    memcpy(notation + 14 + 4097, "\"", 2);
    expect_mistake(notation, "this is longer than 4096 octets");
}

/* Thousands of them: each parses, or is explained with a caret; the sanitizers see the rest. */
TEST_WITHIN(fault, mutated_notations_parse_or_are_explained, 60)
{
    static const char *const seeds[] = {
        "rcpt bob@*: reply 450 4.7.1 \"Slow\\ndown\" times 2 every 3 from 4",
        "ehlo *.test: octets \"250-x\\r\\n\\x00\\xff\" twice delay 12 drip 5/s split 1",
        "tls: certificate self-signed cut 200 hang chance 12.5%",
        "any \"MAIL *\": garble half-close over 10/min once",
        "content 1000: delay 5 reset over 3/s",
    };
    uint64_t state = 20240229;
    size_t parses = 0;
    for (size_t round = 0; round < 20000; round++) {
        char *notation =
            mutated(seeds[round % 5], " \t:\"\\x0%./*[]9a-\n\001\303", round % 4, &state);
        struct smtp_harness_fault_entry entry;
        struct smtp_harness_lines why = SMTP_HARNESS_LINES;
        enum smtp_status status = smtp_harness_fault_parse(notation, &entry, &why);
        char *text = smtp_harness_lines_take(&why);
        expect_int(status == SMTP_OK, text[0] == '\0');
        expect_true(status == SMTP_OK || strstr(text, "^\n") != NULL);
        parses += status == SMTP_OK;
        smtp_harness_fault_clear(&entry);
        free(text);
        free(notation);
    }
    expect_true(parses > 5000 && parses < 15000); /* both happen */
}

/* ---- how often ---- */

/* "x" for each of so many steps in which it is due; a step each gap_ns. */
static const char *pattern_of(const char *notation, size_t steps, uint64_t gap_ns, char *out)
{
    struct smtp_harness_fault_entry entry = parsed(notation);
    for (size_t i = 0; i < steps; i++) {
        out[i] = smtp_harness_fault_is_due(&entry, (i + 1) * gap_ns, 0, true) ? 'x' : '.';
    }
    out[steps] = '\0';
    expect_int(entry.steps, steps);
    smtp_harness_fault_clear(&entry);
    return out;
}

TEST(fault, frequencies_say_in_which_steps_it_is_due)
{
    char out[32];
    expect_str(pattern_of("mail: close", 4, 1, out), "xxxx");
    expect_str(pattern_of("mail: close once", 4, 1, out), "x...");
    expect_str(pattern_of("mail: close times 3", 5, 1, out), "xxx..");
    expect_str(pattern_of("mail: close every 3", 9, 1, out), "..x..x..x");
    expect_str(pattern_of("mail: close from 3", 5, 1, out), "..xxx");
    expect_str(pattern_of("mail: close from 3 once", 5, 1, out), "..x..");
    expect_str(pattern_of("mail: close every 2 from 3 times 2", 10, 1, out), "...x.x....");
    expect_str(pattern_of("mail: close chance 0%", 4, 1, out), "....");
    expect_str(pattern_of("mail: close chance 100%", 4, 1, out), "xxxx");
}

TEST(fault, a_rate_is_what_came_in_the_time_before)
{
    char out[32];
    const uint64_t ms = 1000000;
    expect_str(pattern_of("mail: close over 3/s", 8, 100 * ms, out), "...xxxxx");
    expect_str(pattern_of("mail: close over 3/s", 8, 334 * ms, out), "........");
    expect_str(pattern_of("mail: close over 3/s", 8, 333 * ms, out), "...xxxxx");
    expect_str(pattern_of("mail: close over 2/min", 5, 1000 * ms, out), "..xxx");
    expect_str(pattern_of("mail: close over 2/min", 5, 30000 * ms, out), ".....");
    expect_str(pattern_of("mail: close over 1/s once", 5, 1, out), ".x...");
}

/* ---- steps ---- */

struct talk {
    struct smtp_harness_faults *faults;
    struct smtp_server_hooks table;
    void *slot;
    struct smtp_server_session_info session;
    struct smtp_server_fault fault;
};

static void begin(struct talk *talk, uint64_t seed, bool magic)
{
    *talk = (struct talk){.faults = smtp_harness_faults_new(seed, magic)};
    talk->table = smtp_harness_faults_hooks(talk->faults);
    talk->session = (struct smtp_server_session_info){
        .number = 1, .peer = "127.0.0.1:4711", .helo = "", .identity = "", .user = &talk->slot};
}

static void end(struct talk *talk)
{
    talk->table.close(talk->table.user, &talk->session);
    expect_true(talk->slot == NULL);
    smtp_harness_faults_free(talk->faults);
}

static void add(struct talk *talk, const char *notation)
{
    struct smtp_harness_lines why = SMTP_HARNESS_LINES;
    expect_int(smtp_harness_faults_add(talk->faults, notation, &why), SMTP_OK);
    expect_int(why.buffer.len, 0);
}

static bool step(struct talk *talk, enum smtp_server_step_kind kind, const char *verb,
                 const char *argument)
{
    struct smtp_server_step at = {.kind = kind, .verb = verb, .argument = argument};
    talk->fault = (struct smtp_server_fault){0};
    return talk->table.fault(talk->table.user, &talk->session, &at, &talk->fault);
}

static bool content(struct talk *talk, uint64_t octets)
{
    struct smtp_server_step at = {
        .kind = SMTP_STEP_CONTENT, .verb = "", .argument = "", .content_octets = octets};
    talk->fault = (struct smtp_server_fault){0};
    return talk->table.fault(talk->table.user, &talk->session, &at, &talk->fault);
}

TEST(fault, each_stage_has_its_steps_and_no_others)
{
    static const struct {
        const char *stage;
        enum smtp_server_step_kind kind;
        const char *verb, *argument;
    } rows[] = {
        {"connect", SMTP_STEP_CONNECT, "", ""},
        {"greeting", SMTP_STEP_GREETING, "", ""},
        {"tls", SMTP_STEP_TLS, "", ""},
        {"content", SMTP_STEP_CONTENT, "", ""},
        {"dot", SMTP_STEP_END_OF_CONTENT, "", ""},
        {"ehlo", SMTP_STEP_COMMAND, "EHLO", "a"},
        {"ehlo", SMTP_STEP_COMMAND, "HELO", "a"},
        {"ehlo", SMTP_STEP_COMMAND, "LHLO", "a"},
        {"starttls", SMTP_STEP_COMMAND, "STARTTLS", ""},
        {"auth", SMTP_STEP_COMMAND, "AUTH", "PLAIN"},
        {"mail", SMTP_STEP_COMMAND, "MAIL", "FROM:<>"},
        {"rcpt", SMTP_STEP_COMMAND, "RCPT", "TO:<a@b>"},
        {"data", SMTP_STEP_COMMAND, "DATA", ""},
        {"bdat", SMTP_STEP_COMMAND, "BDAT", "5 LAST"},
        {"rset", SMTP_STEP_COMMAND, "RSET", ""},
        {"quit", SMTP_STEP_COMMAND, "QUIT", ""},
        {"any", SMTP_STEP_COMMAND, "NOOP", ""},
    };
    const size_t count = sizeof rows / sizeof *rows;
    for (size_t i = 0; i < count; i++) {
        struct talk talk;
        char notation[40];
        begin(&talk, 1, false);
        snprintf(notation, sizeof notation, "%s: delay 1", rows[i].stage);
        add(&talk, notation);
        for (size_t j = 0; j < count; j++) {
            struct smtp_server_step at = {.kind = rows[j].kind,
                                          .verb = rows[j].verb,
                                          .argument = rows[j].argument,
                                          .content_octets = 5};
            bool expected = strcmp(rows[i].stage, rows[j].stage) == 0 ||
                            (i == count - 1 && rows[j].kind == SMTP_STEP_COMMAND);
            talk.fault = (struct smtp_server_fault){0};
            expect_int(talk.table.fault(talk.table.user, &talk.session, &at, &talk.fault),
                       expected);
        }
        end(&talk);
    }
}

TEST(fault, a_pattern_is_of_the_path_the_name_the_peer_or_the_line)
{
    static const struct {
        const char *notation;
        enum smtp_server_step_kind kind;
        const char *verb, *argument;
        bool expected;
    } rows[] = {
        {"rcpt bob@*: close", SMTP_STEP_COMMAND, "RCPT", "TO:<Bob@Example.com> NOTIFY=NEVER", true},
        {"rcpt bob@*: close", SMTP_STEP_COMMAND, "RCPT", "TO:<rob@example.com>", false},
        {"rcpt bob@example.com: close", SMTP_STEP_COMMAND, "RCPT", "to: <bob@example.com>", true},
        {"rcpt \"*>*\": close", SMTP_STEP_COMMAND, "RCPT", "TO:<\"a\\\">b\"@x.test> A=1", true},
        {"rcpt bob: close", SMTP_STEP_COMMAND, "RCPT", "TO:bob x", true},
        {"mail \"\": close", SMTP_STEP_COMMAND, "MAIL", "FROM:<>", true},
        {"mail \"\": close", SMTP_STEP_COMMAND, "MAIL", "FROM:<a@b>", false},
        {"mail ?*: close", SMTP_STEP_COMMAND, "MAIL", "FROM:<> SIZE=1", false},
        {"mail *: close", SMTP_STEP_COMMAND, "MAIL", "", true},
        {"ehlo *.test: close", SMTP_STEP_COMMAND, "HELO", "client.TEST", true},
        {"auth PLAIN: close", SMTP_STEP_COMMAND, "AUTH", "LOGIN", false},
        {"connect 127.0.0.1:*: close", SMTP_STEP_CONNECT, "", "", true},
        {"connect 10.*: close", SMTP_STEP_CONNECT, "", "", false},
        {"any \"NOOP now\": close", SMTP_STEP_COMMAND, "NOOP", "now", true},
        {"any NOOP: close", SMTP_STEP_COMMAND, "NOOP", "now", false},
        {"any [!N]*: close", SMTP_STEP_COMMAND, "RSET", "", true},
        {"data bob@*: close", SMTP_STEP_COMMAND, "DATA", "", false}, /* there is no recipient */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct talk talk;
        begin(&talk, 1, false);
        add(&talk, rows[i].notation);
        expect_int(step(&talk, rows[i].kind, rows[i].verb, rows[i].argument), rows[i].expected);
        end(&talk);
    }
}

TEST(fault, the_first_that_is_due_has_its_way_and_all_are_counted)
{
    struct talk talk;
    begin(&talk, 1, false);
    add(&talk, "mail: reply 450 once");
    add(&talk, "mail: reply 451 once");
    add(&talk, "any: reply 452 from 4");
    static const int codes[] = {450, 451, 0, 452, 452};
    for (size_t i = 0; i < 5; i++) {
        expect_int(step(&talk, SMTP_STEP_COMMAND, "MAIL", "FROM:<>"), codes[i] != 0);
        expect_int(talk.fault.reply.code, codes[i]);
    }
    struct smtp_harness_lines lines = SMTP_HARNESS_LINES;
    smtp_harness_faults_tell(talk.faults, &lines);
    char *text = smtp_harness_lines_take(&lines);
    expect_str(text, "mail: reply 450 once  (due 1 of 5 times)\n"
                     "mail: reply 451 once  (due 1 of 5 times)\n"
                     "any: reply 452 from 4  (due 2 of 5 times)\n");
    free(text);
    smtp_harness_faults_clear(talk.faults);
    expect_true(!step(&talk, SMTP_STEP_COMMAND, "MAIL", "FROM:<>"));
    end(&talk);
}

TEST(fault, content_goes_wrong_once_in_each_content)
{
    struct talk talk;
    begin(&talk, 1, false);
    add(&talk, "content 100: delay 1");
    expect_true(!content(&talk, 50));
    expect_true(!content(&talk, 99));
    expect_true(content(&talk, 150));
    expect_true(!content(&talk, 500));
    expect_true(!step(&talk, SMTP_STEP_COMMAND, "BDAT", "10")); /* the same content goes on */
    expect_true(!content(&talk, 510));
    expect_true(!step(&talk, SMTP_STEP_END_OF_CONTENT, "", ""));
    expect_true(content(&talk, 1000)); /* another */
    end(&talk);
}

static void chances(uint64_t seed, char out[101])
{
    struct talk talk;
    begin(&talk, seed, false);
    add(&talk, "mail: reply 450 chance 25%");
    for (size_t i = 0; i < 100; i++) {
        out[i] = step(&talk, SMTP_STEP_COMMAND, "MAIL", "FROM:<>") ? 'x' : '.';
    }
    out[100] = '\0';
    struct smtp_harness_lines lines = SMTP_HARNESS_LINES;
    smtp_harness_faults_tell(talk.faults, &lines);
    char *text = smtp_harness_lines_take(&lines), expected[40];
    snprintf(expected, sizeof expected, "\nseed %llu\n", (unsigned long long)seed);
    expect_contains(text, expected);
    free(text);
    end(&talk);
}

TEST(fault, chance_is_the_same_for_the_same_seed)
{
    char one[101], again[101], other[101];
    chances(7, one);
    chances(7, again);
    chances(8, other);
    expect_str(one, again);
    expect_true(strcmp(one, other) != 0);
    size_t due = 0;
    for (size_t i = 0; i < 100; i++) {
        due += one[i] == 'x';
    }
    expect_true(due > 10 && due < 40);
}

TEST(fault, each_certificate_is_made_once)
{
    struct talk talk;
    begin(&talk, 1, false);
    add(&talk, "tls: certificate expired");
    expect_true(step(&talk, SMTP_STEP_TLS, "", ""));
    struct smtp_identity *first = talk.fault.identity;
    expect_true(first != NULL);
    expect_true(step(&talk, SMTP_STEP_TLS, "", ""));
    expect_true(talk.fault.identity == first);
    smtp_identity_release(first);
    smtp_identity_release(talk.fault.identity);
    end(&talk);
}

/* ---- addresses that spell their reply ---- */

TEST(fault, a_magic_address_spells_its_reply)
{
    static const struct {
        const char *path;
        enum smtp_server_verdict verdict;
        int code;
        const char *enhanced;
    } rows[] = {
        {"bob+450-4.7.1@example.com", SMTP_REFUSE, 450, "4.7.1"},
        {"bob+550@example.com", SMTP_REFUSE, 550, ""},
        {"+252-2.1.5@x", SMTP_ACCEPT, 252, "2.1.5"},
        {"a+b+421@x", SMTP_DISCONNECT, 421, ""},
        {"bob+450-5.7.1@example.com", SMTP_ACCEPT, 0, ""},
        {"bob+450-4.7@example.com", SMTP_ACCEPT, 0, ""},
        {"bob+450-4.7.1234@example.com", SMTP_ACCEPT, 0, ""},
        {"bob+450x@example.com", SMTP_ACCEPT, 0, ""},
        {"bob+4500@example.com", SMTP_ACCEPT, 0, ""},
        {"bob+45@example.com", SMTP_ACCEPT, 0, ""},
        {"bob+354@example.com", SMTP_ACCEPT, 0, ""},
        {"bob+490@example.com", SMTP_ACCEPT, 0, ""},
        {"bob+tag@example.com", SMTP_ACCEPT, 0, ""},
        {"bob450@example.com", SMTP_ACCEPT, 0, ""},
        {"\"bob+450\"@example.com", SMTP_ACCEPT, 0, ""},
        {"bob@a+450", SMTP_ACCEPT, 0, ""},
        {"postmaster+450", SMTP_ACCEPT, 0, ""},
        {"", SMTP_ACCEPT, 0, ""},
    };
    struct talk talk;
    begin(&talk, 1, true);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct smtp_server_reply reply = {0};
        expect_int(talk.table.rcpt(talk.table.user, &talk.session, rows[i].path, "", &reply),
                   rows[i].verdict);
        expect_int(reply.code, rows[i].code);
        expect_str(reply.enhanced, rows[i].enhanced);
    }
    expect_true(talk.table.mail == talk.table.rcpt);
    end(&talk);
    begin(&talk, 1, false);
    expect_true(talk.table.rcpt == NULL && talk.table.mail == NULL);
    end(&talk);
}
