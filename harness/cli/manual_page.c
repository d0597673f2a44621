/* manual_page.c - smtp-harness.1, a section for each verb made from its table, and the examples of all; what the
 * notations are is told here in short, and what no table says. */
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
    {"TASKS",
     "What check client tells its command to do, by variables, by marks in arguments of its own, "
     "and on "
     "standard\n"
     "input, which is the message. SMTP_HOST SMTP_PORT SMTP_URL SMTP_CA_FILE ({host} {port} {url} "
     "{cafile}): where,\n"
     "and whom to trust. SMTP_FROM ({from}); SMTP_TO, an address a line ({to}: an argument for "
     "each); "
     "SMTP_MESSAGE\n"
     "({message}), a file; SMTP_MESSAGES, several files to be sent over one connection. SMTP_TLS: "
     "never "
     "or required\n"
     "(STARTTLS). SMTP_USER SMTP_PASSWORD SMTP_MECHANISM: a login. SMTP_HELO: the name for EHLO. "
     "SMTP_ENVID SMTP_RET\n"
     "SMTP_NOTIFY SMTP_ORCPT SMTP_REQUIRETLS (1). What a command does not heed is found out "
     "before, and "
     "the rules\n"
     "that need it are skipped. Its exit status: 0 sent, 75 (or --temporary) not now, else "
     "refused."},
};

/* Behind the examples, in the order that man-pages(7) asks for. */
static const char *const sections[][2] = {
    {"EXIT STATUS",
     ".TP\n.B 0\nAll held.\n"
     ".TP\n.B 1\nSomething did not hold; of serve: it ended before \\-\\-exit\\-after; of check: a "
     "MUST\nwas broken, with \\-\\-strict a SHOULD.\n"
     ".TP\n.B 2\nA wrong command line, or it could not run.\n"
     ".PP\nexec ends with its command's own status where that failed, 128 and the signal where "
     "one\n"
     "killed it, 124 after \\-\\-timeout. send ends with the statuses of\n.BR sysexits.h (3):\n"
     ".TP\n.B 0\nAccepted for all.\n"
     ".TP\n.B 64\nA wrong command line.\n"
     ".TP\n.B 65\nThe message is not one.\n"
     ".TP\n.B 66\nA file of the message cannot be read.\n"
     ".TP\n.B 69\nRefused for good.\n"
     ".TP\n.B 70\n.TQ\n.B 73\n.TQ\n.B 74\nOut of memory; a file cannot be made; reading or writing "
     "failed.\n"
     ".TP\n.B 75\nNot now, for one recipient at least: try again.\n"
     ".TP\n.B 76\nTLS failed, or what the server says is not SMTP.\n"
     ".TP\n.B 77\nThe login was refused.\n"
     ".TP\n.B 78\nA certificate, key or password of the command line cannot be used.\n"},
    {"ENVIRONMENT",
     ".TP\n.B NO_COLOR\nNo colour, on a terminal either.\n"
     ".TP\n.B SMTP_CA_FILE\nWhom send trusts, as PEM; \\-\\-ca goes before it.\n"
     ".TP\n.B SMTP_PASSWORD\nThe password of \\-\\-user of send and check, and of a user in the "
     "URL.\n"
     ".TP\n.B LISTEN_PID\n.TQ\n.B LISTEN_FDS\n.TQ\n.B LISTEN_FDNAMES\nSockets that serve is given "
     "by "
     "who starts it, like\n.BR systemd.socket (5).\n"
     ".PP\nexec gives its command\n.BR SMTP_HOST ,\n.BR SMTP_PORT ,\n.BR SMTP_URL ,\n"
     ".BR SMTP_USER \" and \" SMTP_PASSWORD\n(with \\-\\-auth) and\n.B SMTP_CA_FILE\n(with "
     "TLS).\n"},
    {"FILES",
     "It reads only what it is told to, and the system's authorities; what it writes by itself:\n"
     ".TP\n.I message\\-N.eml\n.TQ\n.I message\\-N.json\n.TQ\n.I session\\-N.smtp\n"
     "In the directory of exec's \\-\\-save: a message as it came, its envelope and decoded\n"
     "header, a session as a dialogue.\n"
     ".TP\n.I smtp\\-harness\\-ca.*\n"
     "In TMPDIR or /tmp while exec runs: what SMTP_CA_FILE and {cafile} name.\n"
     ".TP\n.I smtp\\-harness\\-check.*\n"
     "Directories there while check client runs: that, and the messages.\n"},
    {"SEE ALSO", ".BR sendmail (8),\n.BR swaks (1),\n.BR msmtp (1),\n.BR smtp\\-sink (1),\n"
                 ".BR sysexits.h (3),\n.BR systemd.socket (5)\n"
                 ".PP\nRFC 5321 (SMTP), RFC 2033 (LMTP), RFC 3207 (STARTTLS), RFC 4954 (AUTH), RFC "
                 "3030 (BDAT),\n"
                 "RFC 3461 (DSN), RFC 6531 (SMTPUTF8)\n"},
};

/* ---- examples ---- */

static const char *const further_examples[][2] = {
    {"A server for a test suite in the background, and its end:",
     "smtp-harness serve --background --ready-file url --pid-file pid --ca-file-out ca.pem\n"
     "SMTP_CA_FILE=ca.pem ./suite \"$(cat url)\"; kill \"$(cat pid)\""},
    {"What goes wrong is chosen: one recipient is refused twice and then taken, a reply is late:",
     "smtp-harness serve --fault 'rcpt bob@*: reply 450 4.7.1 times 2' --fault 'dot: delay 3000 "
     "once'"},
    {"In place of sendmail, as in PHP's sendmail_path:",
     "smtp-harness send -q smtp://127.0.0.1:2525 -t -i <mail"},
    {"What was said once is to be said again:",
     "smtp-harness exec --record said -- ./suite\n"
     "smtp-harness play said/*.smtp --connect smtp://127.0.0.1:2525"},
    {"Results for a build server, and what came, kept:",
     "smtp-harness exec --expect 'count=3' --junit mail.xml --save mail -- make test"},
};

static void begin_lines(FILE *out)
{
    fputs(".PP\n.nf\n.RS 4\n", out);
}

static void end_lines(FILE *out)
{
    fputs(".RE\n.fi\n", out);
}

static void write_examples(const struct smtp_cli_usage *usage, void *user)
{
    FILE *out = user;
    for (size_t i = 0; i < sizeof usage->examples / sizeof *usage->examples; i++) {
        write_line(usage->examples[i], out);
    }
}

static void write_all_examples(FILE *out)
{
    fputs(".SH EXAMPLES\n", out);
    for (size_t i = 0; i < sizeof further_examples / sizeof *further_examples; i++) {
        fputs(".PP\n", out);
        write_line(further_examples[i][0], out);
        begin_lines(out);
        write_line(further_examples[i][1], out);
        end_lines(out);
    }
    for (size_t i = 0; smtp_cli_verbs[i] != NULL; i++) {
        fprintf(out, ".PP\n%s:\n", smtp_cli_verbs[i]->name);
        begin_lines(out);
        smtp_cli_verbs[i]->describe(write_examples, out);
        end_lines(out);
    }
}

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
    write_all_examples(out);
    for (size_t i = 0; i < sizeof sections / sizeof *sections; i++) {
        fprintf(out, ".SH %s\n%s", sections[i][0], sections[i][1]);
    }
}
