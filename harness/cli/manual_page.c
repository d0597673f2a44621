/* manual_page.c - smtp-harness.1, a section for each verb made from its table; what the notations are is told
 * here in short. */
#include "harness/cli/manual.h"
#include "harness/cli/verbs.h"

#include <string.h>

/** Text as roff shows it: hyphens that can be copied, no line taken for a request. */
static void write_text(const char *text, size_t len, FILE *out)
{
    bool begins = true;
    for (size_t i = 0; i < len; i++) {
        char octet = text[i];
        if (begins && (octet == '.' || octet == '\'')) {
            fputs("\\&", out);
        }
        begins = octet == '\n';
        if (octet == '\\') {
            fputs("\\e", out);
        } else if (octet == '-') {
            fputs("\\-", out);
        } else {
            fputc(octet, out);
        }
    }
}

static void write_line(const char *text, FILE *out)
{
    write_text(text, strlen(text), out);
    fputc('\n', out);
}

static void write_option(const struct smtp_cli_option *option, FILE *out)
{
    if (option->kind == SMTP_CLI_HEADING) {
        fputs(".PP\n", out);
        write_line(option->help, out);
        return;
    }
    fputs(".TP\n.B ", out);
    if (option->letter != 0) {
        fprintf(out, "\\-%c, ", option->letter);
    }
    fputs("\\-\\-", out);
    write_text(option->name, strlen(option->name), out);
    if (option->value_name != NULL) {
        fputs(" \\fI", out);
        write_text(option->value_name, strlen(option->value_name), out);
        fputs("\\fP", out);
    }
    fputc('\n', out);
    write_line(option->help, out);
}

static void write_examples(const struct smtp_cli_usage *usage, FILE *out)
{
    fputs(".PP\nExamples:\n.PP\n.nf\n.RS 4\n", out);
    for (size_t i = 0; i < sizeof usage->examples / sizeof *usage->examples; i++) {
        write_line(usage->examples[i], out);
    }
    fputs(".RE\n.fi\n", out);
}

static void write_verb(const struct smtp_cli_usage *usage, void *user)
{
    FILE *out = user;
    fputs(".SH ", out);
    for (const char *at = strchr(usage->program, ' ') + 1; *at != '\0'; at++) {
        fputc(*at >= 'a' && *at <= 'z' ? *at - 'a' + 'A' : *at, out);
    }
    fputs("\n.B ", out);
    write_text(usage->program, strlen(usage->program), out);
    fputs("\n[OPTION]...\n", out);
    if (usage->words != NULL) {
        write_line(usage->words->name, out);
    }
    fputs(".PP\n", out);
    write_line(usage->about, out);
    for (size_t i = 0; i < usage->option_count; i++) {
        write_option(&usage->options[i], out);
    }
    write_examples(usage, out);
}

/* ---- what no table says ---- */

static const char *const notations[][2] = {
    {"EXPECTATIONS", "'FIELD OP VALUE ...': all must hold of one message. FIELD: from to helo "
                     "protocol session tls auth\n"
                     "subject header.NAME text html source size attachments attachment.NAME, and "
                     "count, how many messages\n"
                     "must match (at least one). OP: = != ~ !~ (POSIX extended regular "
                     "expressions) >= <=. VALUE: a word or\n"
                     "\"quoted\". Like 'to=bob@example.com subject~\"^Welcome\" count=1'."},
    {"FAULTS",
     "'STAGE [PATTERN]: ACTION... [FREQUENCY]...'. STAGE: connect greeting ehlo starttls tls auth "
     "mail rcpt\n"
     "data bdat content dot rset quit any. PATTERN: a glob, of the address for mail, rcpt, data, "
     "bdat and dot;\n"
     "for content how many octets. ACTION: reply CODE [ENHANCED] [\"TEXT\"], octets \"RAW\", delay "
     "MS, twice,\n"
     "drip N, split N, garble, cut N, close, half-close, reset, hang, deaf, certificate FLAW. "
     "FREQUENCY:\n"
     "once, times N, every N, from N, chance P%, over N/s, over N/min; none: always. Like\n"
     "'rcpt bob@*: reply 450 4.7.1 times 2'."},
    {"DIALOGUES",
     "Lines 'C: ...' of the client and 'S: ...' of the server, 'C|' and 'S|' for octets with no "
     "line end\n"
     "added; # comments; ... matches anything; ${NAME} and ${NAME=VALUE} for what varies; \\xNN "
     "\\r \\n \\t;\n"
     "[session] [tls] [starttls] [C close] [S half-close] [C reset] [wait 50ms] [within 500ms]\n"
     "[compare codes] on lines of their own."},
    {"EXIT STATUS", "0 all held, 1 something did not hold, 2 a wrong command line or it could not "
                    "run. send ends with the\n"
                    "statuses of sysexits.h; exec with its command's own where that failed."},
    {"ENVIRONMENT", "NO_COLOR: no colour. SMTP_CA_FILE: whom send trusts, as PEM. SMTP_PASSWORD: "
                    "the password of send's\n"
                    "--user. LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES: sockets that serve is given "
                    "by who starts it.\n"
                    "exec gives its command SMTP_HOST, SMTP_PORT, SMTP_URL, SMTP_USER, "
                    "SMTP_PASSWORD and SMTP_CA_FILE."},
    {"SEE ALSO", "sendmail(8), swaks(1), msmtp(1); RFC 5321."},
};

void smtp_manual_write_page(FILE *out)
{
    fputs(".TH SMTP\\-HARNESS 1 \"\" \"smtp\\-harness " SMTP_VERSION "\"\n"
          ".SH NAME\n"
          "smtp\\-harness \\- both ends of SMTP in one process, for tests\n"
          ".SH SYNOPSIS\n"
          ".B smtp\\-harness\n[VERB] [OPTION]...\n"
          ".SH DESCRIPTION\n"
          "A server that captures and clients that send. Without a verb it is selftest.\n",
          out);
    for (size_t i = 0; smtp_cli_verbs[i] != NULL; i++) {
        fprintf(out, ".TP\n.B %s\n", smtp_cli_verbs[i]->name);
        write_line(smtp_cli_verbs[i]->about, out);
    }
    for (size_t i = 0; smtp_cli_verbs[i] != NULL; i++) {
        smtp_cli_verbs[i]->describe(write_verb, out);
    }
    for (size_t i = 0; i < sizeof notations / sizeof *notations; i++) {
        fprintf(out, ".SH %s\n", notations[i][0]);
        write_line(notations[i][1], out);
    }
}
