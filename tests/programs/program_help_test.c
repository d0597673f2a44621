/* program_help_test.c - how the program helps: what each verb's help and the manual's page show is what the program
 * takes, and what is said of mistakes that people make. */
#include "tests/programs/serve.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <sysexits.h>

#define VERBS_MAX 16

/** The verbs that the program's own help lists, each a word or two. */
struct verbs {
    char names[VERBS_MAX][32];
    char words[VERBS_MAX][2][16];
    size_t count;
};

static struct verbs list_verbs(void)
{
    struct verbs verbs = {.count = 0};
    struct ended ended = run_to_end(ARGV("--help"));
    for (const char *line = strstr(ended.out, "\n\n  "); line != NULL && verbs.count < VERBS_MAX;
         line = strchr(line + 2, '\n')) {
        char(*words)[16] = verbs.words[verbs.count], *name = verbs.names[verbs.count];
        int end = 0;
        line += strspn(line, "\n");
        if (sscanf(line, "  %15[a-z]%n", words[0], &end) != 1 || line[end] != ' ') {
            break;
        }
        bool has_second = line[end + 1] != ' ' && sscanf(line + end, " %15[a-z]", words[1]) == 1;
        snprintf(name, sizeof verbs.names[0], "%s%s%s", words[0], has_second ? " " : "", words[1]);
        verbs.count++;
        line -= 2;
    }
    ended_clear(&ended);
    expect_true(verbs.count >= 6);
    return verbs;
}

/** Runs verb i with these words. Beyond the last: the program itself. */
static struct ended run_verb(const struct verbs *verbs, size_t i, const char *word,
                             const char *other)
{
    if (i >= verbs->count) {
        return run_to_end(ARGV(word, other));
    }
    const char(*words)[16] = verbs->words[i];
    return words[1][0] != '\0' ? run_to_end(ARGV(words[0], words[1], word, other))
                               : run_to_end(ARGV(words[0], word, other));
}

/** How many lines the text has; none has more than 80 columns. */
static unsigned count_lines(const char *text)
{
    unsigned lines = 0;
    for (const char *line = text; *line != '\0'; lines++) {
        size_t len = strcspn(line, "\n");
        expect_true(len <= 80);
        line += len + (line[len] == '\n');
    }
    return lines;
}

/* ---- examples ---- */

/** The length of the command that begins here, up to a pipe, a redirection, a second command or the line's end. */
static size_t command_len(const char *line)
{
    char quote = '\0';
    size_t len = 0;
    for (; line[len] != '\0' && line[len] != '\n'; len++) {
        if (quote != '\0') {
            quote = line[len] == quote ? '\0' : quote;
        } else if (line[len] == '\'' || line[len] == '"') {
            quote = line[len];
        } else if (strchr("|<>&;)", line[len]) != NULL) {
            break;
        }
    }
    expect_true(quote == '\0');
    return len;
}

/** Reads the options of an example as the program does: --help at their end is reached only where all before it is
 *  right. */
static void expect_parses(const char *line)
{
    char example[256], script[600], folder[200];
    const char *command = strstr(line, "smtp-harness");
    expect_true(command != NULL);
    snprintf(example, sizeof example, "%.*s", (int)command_len(command), command);
    char *rest = strstr(example, " -- ");
    snprintf(folder, sizeof folder, "%s", SMTP_HARNESS);
    *strrchr(folder, '/') = '\0';
    if (rest != NULL) {
        *rest = '\0';
    }
    const char *verbless = strchr(example, ' ') == NULL ? " selftest" : "";
    snprintf(script, sizeof script, "PATH='%s':$PATH; %s%s --help", folder, example, verbless);
    struct ended ended = run_to_end((const char *const[]){"/bin/sh", "-c", script, NULL});
    if (ended.exit_status != 0 || strstr(ended.out, "Usage: smtp-harness ") == NULL) {
        SMTP_TEST_FAIL("%s: %s%s", example, ended.out, ended.err);
    }
    ended_clear(&ended);
}

/** Whether all lines of the text are examples, as many as were asked for. */
static unsigned expect_examples(const char *text)
{
    unsigned count = 0;
    for (const char *line = text; *line != '\0'; count++) {
        expect_true(strncmp(line, "  ", 2) == 0);
        expect_parses(line + 2);
        line += strcspn(line, "\n");
        line += *line == '\n';
    }
    return count;
}

TEST(program_help, fits_a_screen_and_ends_with_0_and_three_examples_whose_options_are_taken)
{
    struct verbs verbs = list_verbs();
    for (size_t i = 0; i <= verbs.count; i++) {
        struct ended ended = run_verb(&verbs, i, "--help", NULL);
        expect_int(ended.exit_status, 0);
        expect_contains(ended.out, "Usage: smtp-harness");
        expect_true(count_lines(ended.out) <= 24);
        const char *examples = strstr(ended.out, "\nExamples:\n");
        expect_true(examples != NULL);
        expect_int(expect_examples(examples + strlen("\nExamples:\n")), 3);
        ended_clear(&ended);
    }
}

TEST(program_help, of_all_options_fits_80_columns_and_can_be_asked_for_in_either_way)
{
    struct verbs verbs = list_verbs();
    for (size_t i = 0; i < verbs.count; i++) {
        struct ended all = run_verb(&verbs, i, "--help", "all");
        struct ended same = run_verb(&verbs, i, "--help=all", NULL);
        expect_true(count_lines(all.out) > 0);
        expect_str(same.out, all.out);
        ended_clear(&all);
        ended_clear(&same);
    }
}

/** As man shows it: hyphens that can be copied are hyphens. */
static void unescape(char *roff)
{
    char *to = roff;
    for (const char *at = roff; *at != '\0'; at++) {
        at += *at == '\\' && at[1] == '-';
        *to++ = *at;
    }
    *to = '\0';
}

TEST(program_help, the_page_of_the_manual_has_examples_whose_options_are_taken)
{
    struct ended ended = run_to_end(ARGV("manual", "man"));
    unescape(ended.out);
    const char *at = strstr(ended.out, "\n.SH EXAMPLES\n"), *end = strstr(ended.out, "\n.SH EXIT");
    unsigned count = 0;
    bool in_lines = false;
    expect_true(at != NULL && end != NULL && at < end);
    for (at++; at < end; at = strchr(at, '\n') + 1) {
        in_lines = strncmp(at, ".RS", 3) == 0 || (in_lines && at[0] != '.');
        if (in_lines && strncmp(at, "smtp-harness", 12) == 0) {
            expect_parses(at);
            count++;
        }
    }
    expect_true(count >= 3 * list_verbs().count);
    ended_clear(&ended);
}

TEST(program_help, the_manual_tells_of_each_verb_in_each_form)
{
    static const char *const forms[] = {"man", "bash", "zsh"};
    struct verbs verbs = list_verbs();
    for (size_t form = 0; form < sizeof forms / sizeof *forms; form++) {
        struct ended ended = run_to_end(ARGV("manual", forms[form]));
        expect_int(ended.exit_status, 0);
        for (size_t i = 0; i < verbs.count; i++) {
            expect_contains(ended.out, verbs.names[i]);
        }
        expect_contains(ended.out, "magic");
        expect_str(ended.err, "");
        ended_clear(&ended);
    }
    expect_wrong(ARGV("manual", "fish"), "man, bash or zsh, not 'fish'");
    expect_wrong(ARGV("manual", "man", "bash"), "'bash' is one word too many: it takes man|bash");
}

/* ---- near words ---- */

TEST(program_help, a_misspelt_verb_is_told_the_near_one_or_which_there_are)
{
    expect_wrong(ARGV("serv"), "there is no verb 'serv'; did you mean 'serve'?");
    expect_wrong(ARGV("Send"), "there is no verb 'Send'; did you mean 'send'?");
    expect_wrong(ARGV("help", "serve"), "did you mean '--help'?");
    expect_wrong(ARGV("version"), "did you mean '--version'?");
    expect_wrong(ARGV("xyzzy"), "there is no verb 'xyzzy'; there are selftest, serve, send,");
    expect_wrong(ARGV(""), "there is no verb ''; there are");
    expect_wrong(ARGV("chek", "server"), "there is no verb 'chek'; did you mean 'check'?");
}

TEST(program_help, a_verb_of_two_words_is_told_what_its_second_can_be)
{
    expect_wrong(ARGV("check"), "behind 'check' stands what is meant: server or client");
    expect_wrong(ARGV("check", "--strict"), "server or client");
    expect_wrong(ARGV("check", "smtp://ann:secret@127.0.0.1"), "server or client");
    expect_wrong(ARGV("check", "serv"),
                 "there is no verb 'check serv'; did you mean 'check server'?");
    struct ended ended = run_to_end(ARGV("check", "--help"));
    expect_int(ended.exit_status, 0);
    expect_contains(ended.out, "Usage: smtp-harness check server|client [OPTION]...");
    expect_contains(ended.out, "\n  check server  judges ");
    expect_contains(ended.out, "\n  check client  judges ");
    expect_true(strstr(ended.out, "  serve") == NULL);
    ended_clear(&ended);
}

TEST(program_help, an_option_that_is_another_verb_s_is_told_whose)
{
    expect_wrong(ARGV("serve", "--expect", "x"), "no option '--expect'; 'exec' has it\n");
    expect_wrong(ARGV("exec", "--maildir", "x", "--", "true"),
                 "'serve' and 'check server' have it\n");
    expect_wrong(ARGV("play", "--magic-addresses"), "'serve' and 'exec' have it\n");
    expect_wrong(ARGV("serve", "--verbose"),
                 "'selftest', 'send', 'exec', 'play', 'check server' and 'check client' have it\n");
    expect_wrong(ARGV("serve", "--xyzzy"), "there is no option '--xyzzy'\n");
}

TEST(program_help, a_letter_that_is_not_known_is_told_whose_it_is_or_the_near_one)
{
    expect_wrong(ARGV("serve", "-t"), "there is no option '-t'; 'send' has it: --from-header\n");
    expect_wrong(ARGV("exec", "-f", "ann@example.com"), "'send' has it: --reverse-path\n");
    expect_wrong(ARGV("play", "-oi"), "there is no option '-oi'; 'send' has it: --option\n");
    expect_wrong(ARGV("exec", "-V"), "there is no option '-V'; did you mean '-v'?");
    expect_wrong(ARGV("serve", "-print"), "there is no option '-print'; did you mean '--print'?");
    expect_wrong(ARGV("serve", "-x"), "there is no option '-x'\n");
}

TEST(program_help, a_value_that_is_not_known_is_told_the_near_one)
{
    expect_wrong(ARGV("serve", "--flaw", "expried"), "not 'expried'; did you mean 'expired'?");
    expect_wrong(ARGV("serve", "--bare-lf=acept"), "not 'acept'; did you mean 'accept'?");
    expect_wrong(ARGV("serve", "--bare-lf", "xyzzy"), "refuse|close|accept, not 'xyzzy'\n");
    expect_wrong(ARGV("serve", "--offer", "chunkng"), "did you mean 'CHUNKING'?");
    expect_wrong(ARGV("serve", "--limit", "mesages=1"), "did you mean 'messages'?");
    expect_wrong(ARGV("serve", "--limit", "messages"), "--limit takes NAME=N, not 'messages'");
}

/* ---- mistakes ---- */

TEST(program_help, words_in_the_wrong_place_are_told_what_belongs_there)
{
    expect_wrong(ARGV("serve", "127.0.0.1:2525"),
                 "'127.0.0.1:...' is not an option; did you mean '--listen 127.0.0.1:...'?");
    expect_wrong(ARGV("serve", "--", "x"), "'x' is not an option; did you mean '--listen x'?");
    expect_wrong(ARGV("selftest", "plain-text"), "did you mean '--only plain-text'?");
    expect_wrong(ARGV("play", "x", "--connect", "a", "--listen", "b"), "it plays one end");
    expect_wrong(ARGV("play"), "FILE... is missing");
    expect_wrong(ARGV("exec", "--"), "-- COMMAND [ARG]... is missing");
}

TEST(program_help, a_value_that_is_missing_is_not_taken_from_the_next_option)
{
    expect_wrong(ARGV("exec", "--junit", "--", "true"),
                 "--junit needs a value: FILE; '--' is none");
    expect_wrong(ARGV("serve", "--ready-file", "--print"), "FILE; '--print' is none (else write "
                                                           "--ready-file=--print)");
    expect_wrong(ARGV("serve", "--maildir", "--listen=127.0.0.1:0"),
                 "--maildir needs a value: DIR");
    expect_wrong(ARGV("serve", "--listen"), "--listen needs a value: ADDR");
    expect_wrong(ARGV("serve", "--workers", "--print"), "--workers needs a value: N");
}

TEST(program_help, a_value_that_is_empty_is_told_where_it_names_a_thing)
{
    static const char *const options[] = {"--ready-file", "--maildir", "--mbox",       "--relay",
                                          "--fault",      "--record",  "--certificate"};
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        char said[64];
        snprintf(said, sizeof said, "%s needs a value: ", options[i]);
        expect_wrong(ARGV("serve", options[i], ""), said);
    }
    expect_wrong(ARGV("exec", "--expect=", "--", "true"), "NOTATION; it is empty");
    expect_wrong(ARGV("exec", "--junit", "", "--", "true"), "FILE; it is empty");
    expect_wrong(ARGV("exec", "--report=-", "--junit=-", "--", "true"),
                 "--report - and --junit - exclude each other");
    expect_wrong(ARGV("serve", "--listen", ""), "must have 1 to 255 octets, it has 0");
}

TEST(program_help, an_address_that_is_none_is_told_what_one_looks_like)
{
    expect_wrong(ARGV("serve", "--listen", "http://127.0.0.1:0"),
                 "--listen takes HOST:PORT or unix:PATH");
    expect_wrong(ARGV("serve", "--listen", "127.0.0.1:99999"), "0 to 65535, it is \"99999\"");
    expect_wrong(ARGV("serve", "--listen", "127.0.0.1:smtp"), "0 to 65535, it is \"smtp\"");
    expect_wrong(ARGV("serve", "--relay", "mx.example"), "--relay: the URL's scheme is none of");
    expect_wrong(ARGV("play", "x", "--connect", "http://x"), "--connect takes smtp://, smtps://");
    expect_wrong(ARGV("play", "x", "--listen", "smtp://127.0.0.1:99999"), "it is \"99999\"");
    expect_wrong(ARGV("serve", "--exit-after="), "a number from 1 to 9223372036854775807, not ''");
}

/** send ends with sysexits. */
static void expect_send(const char *const argv[], int status, const char *complaint)
{
    struct ended ended = run_to_end(argv);
    expect_int(ended.exit_status, status);
    expect_contains(ended.err, complaint);
    ended_clear(&ended);
}

TEST(program_help, what_send_is_given_wrong_is_told_and_ends_with_its_own_status)
{
#define URL "smtp://127.0.0.1:1"
    expect_send(ARGV("send", "bob@example.com"), EX_USAGE,
                "the first word is the server's URL, like smtp://127.0.0.1:2525 or unix:PATH, not "
                "'bob@example.com'");
    expect_send(ARGV("send", "127.0.0.1:2525", "b@x"), EX_USAGE, "not '127.0.0.1:...'");
    expect_send(ARGV("send", URL, "--subject", "--to", "b@x"), EX_USAGE, "'--to' is none");
    expect_send(ARGV("send", "--listen", "x"), EX_USAGE, "'serve', 'exec' and 'play' have it");
    expect_send(ARGV("send", "-bs", URL), EX_USAGE, "there is no option '-bs'\n");
    expect_send(ARGV("send", URL, "b@x", "--tls", "requird"), EX_USAGE, "mean 'required'?");
    expect_send(ARGV("send", URL, "b@x", "--timeout", "comand=1"), EX_USAGE, "mean 'command'?");
    expect_send(ARGV("send", URL, "b@x", "--source", "eth0"), EX_USAGE,
                "source_address must be a numeric IPv4 or IPv6 address of this host, like "
                "127.0.0.1, not \"eth0\"");
    expect_send(ARGV("send", URL, "b@x", "--attach", "/tmp"), EX_NOINPUT,
                "--attach: cannot read /tmp: Is a directory");
    expect_send(ARGV("send", URL, "b@x", "--file", "/nonexistent"), EX_NOINPUT, "No such file");
}

TEST(program_help, files_that_cannot_be_are_told_with_the_reason)
{
    expect_wrong(ARGV("serve", "--mbox", "/tmp"), "the mbox /tmp cannot be opened");
    expect_wrong(ARGV("serve", "--maildir", "/etc/passwd"), "Not a directory");
    expect_wrong(ARGV("serve", "--record", "/etc/passwd"),
                 "--record: cannot record in /etc/passwd");
    expect_wrong(ARGV("serve", "--certificate", "/tmp"), "/tmp: expected PEM");
    expect_wrong(ARGV("play", "/tmp", "--connect", "a"), "cannot read /tmp: Is a directory");
    struct ended ended = run_to_end(ARGV("exec", "--save", "/etc/passwd", "--", "true"));
    expect_int(ended.exit_status, 2);
    expect_contains(ended.err, "--save: cannot make the directory /etc/passwd: ");
    ended_clear(&ended);
    ended = run_to_end(ARGV("exec", "make test"));
    expect_int(ended.exit_status, 2);
    expect_contains(ended.err, "No such file or directory; its words go without quotes");
    ended_clear(&ended);
    ended = run_to_end(ARGV("exec", "--expect", "to=b@x", "subject=Hi", "--", "true"));
    expect_int(ended.exit_status, 2);
    expect_contains(ended.err, "cannot run 'subject=Hi': No such file or directory; the command "
                               "begins at the first word");
    ended_clear(&ended);
}
