/* send_options.c - see send_options.h. */
#include "harness/cli/send_options.h"

#include "common/bytes.h"

#include <string.h>
#include <sysexits.h>

#define PROGRAM SMTP_SEND_PROGRAM

#define MESSAGE_ROWS 11
#define SENDMAIL_ROWS 6
#define TELL_ROWS 6

static struct smtp_cli_option with_letter(char letter, struct smtp_cli_option option)
{
    option.letter = letter;
    return option;
}

static void add_message_rows(struct smtp_send_options *options,
                             struct smtp_cli_option rows[MESSAGE_ROWS])
{
    rows[0] = smtp_cli_heading("The message and who gets it (without --subject, --text, --html,\n"
                               "--attach and --header it is read whole, and sent as it is):");
    rows[1] = smtp_cli_text("from", "ADDR", &options->from,
                            "'Ann Lee <ann@example.com>' (you, at this host)");
    rows[2] = smtp_cli_texts("to", "ADDR", &options->to, "more than once, or parted by commas");
    rows[3] = smtp_cli_texts("cc", "ADDR", &options->cc, "likewise");
    rows[4] = smtp_cli_texts("bcc", "ADDR", &options->bcc,
                             "likewise; in the envelope alone, like ADDRESS");
    rows[5] = smtp_cli_text("subject", "TEXT", &options->subject, "UTF-8, as all texts");
    rows[6] = smtp_cli_text("text", "TEXT", &options->text, "or @FILE, or - for standard input");
    rows[7] = smtp_cli_text("html", "TEXT", &options->html, "likewise; beside a text, the other");
    rows[8] = smtp_cli_texts("attach", "FILE", &options->attachments, "more than once");
    rows[9] = smtp_cli_texts("header", "FIELD", &options->headers,
                             "a further 'NAME: VALUE'; more than once");
    rows[10] = smtp_cli_texts("file", "FILE", &options->files,
                              "a whole message (standard input); more than once");
}

static void add_sendmail_rows(struct smtp_send_options *options,
                              struct smtp_cli_option rows[SENDMAIL_ROWS])
{
    rows[0] = smtp_cli_heading("As sendmail (in a script: exec smtp-harness send -q URL \"$@\"):");
    rows[1] = smtp_cli_flag('t', "from-header", &options->from_header,
                            "envelope from the header too; Bcc is left out, a\n"
                            "missing From, Date or Message-ID is added");
    rows[2] = with_letter('f', smtp_cli_text("reverse-path", "ADDR", &options->reverse_path,
                                             "where failures go to; '' for <> (--from)"));
    rows[3] = with_letter(
        'F', smtp_cli_text("full-name", "NAME", &options->full_name, "yours, where From is made"));
    rows[4] = smtp_cli_flag('i', "ignore-dots", &options->ignore_dots,
                            "as it is here: a dot on a line ends nothing");
    rows[5] = with_letter('o', smtp_cli_texts("option", "WORD", &options->sendmail_options,
                                              "-oi, -oem, -odb and so on: nothing comes of them"));
}

static void add_tell_rows(struct smtp_send_options *options, struct smtp_cli_option rows[TELL_ROWS])
{
    rows[0] = smtp_cli_heading("What it tells:");
    rows[1] =
        smtp_cli_flag('v', "verbose", &options->verbose, "draws the dialogue, on standard error");
    rows[2] = smtp_cli_flag(0, "explain", &options->explain, "and says what each line means");
    rows[3] = smtp_cli_text("record", "PATH", &options->record,
                            "the dialogue, into a file or a directory");
    rows[4] = smtp_cli_flag(0, "json", &options->json, "an object a recipient, and one for all");
    rows[5] = smtp_cli_flag('q', "quiet", &options->quiet, "nothing but errors");
}

void smtp_send_options_use(struct smtp_send_options *options, smtp_cli_reader *reader, void *user)
{
    struct smtp_cli_option
        rows[MESSAGE_ROWS + SENDMAIL_ROWS + TELL_ROWS + SMTP_CLI_MAIL_ROWS + SMTP_CLI_CLIENT_ROWS];
    struct smtp_cli_option *at = rows;
    *options = (struct smtp_send_options){
        .words = {.name = "URL [ADDRESS]...", .min = 1, .max = SIZE_MAX}};
    add_message_rows(options, at);
    add_tell_rows(options, at += MESSAGE_ROWS);
    add_sendmail_rows(options, at += TELL_ROWS);
    smtp_cli_mail_options_use(&options->mail, PROGRAM, at += SENDMAIL_ROWS);
    smtp_cli_client_options_use(&options->client, PROGRAM, at + SMTP_CLI_MAIL_ROWS);
    const struct smtp_cli_usage usage = {
        .program = PROGRAM,
        .about = "Sends one message to smtp://host, smtp://user:password@host:587, smtps://host,\n"
                 "lmtp://host or unix:PATH. Exit status by sysexits: 0 accepted for all, 75 try\n"
                 "again (for some), 69 refused, 77 no login, 76 TLS or protocol, 64 to 78 before.",
        .words = &options->words,
        .first = "from to subject text attach file from-header verbose json tls",
        .examples = {"smtp-harness send smtp://127.0.0.1:2525 --to bob@example.com --subject Hi",
                     "smtp-harness send smtps://mx.test --ca ca.pem --to bob@x.test --attach a.pdf",
                     "smtp-harness send smtp://127.0.0.1:2525 -v -f ann@x.test bob@x.test <mail"},
        .options = rows,
        .option_count = sizeof rows / sizeof *rows,
    };
    reader(&usage, user);
}

/* ---- what it means ---- */

bool smtp_send_options_compose(const struct smtp_send_options *options)
{
    return options->subject != NULL || options->text != NULL || options->html != NULL ||
           options->attachments.count > 0 || options->headers.count > 0;
}

static size_t count_standard_inputs(const struct smtp_send_options *options)
{
    const char *const texts[] = {options->text, options->html};
    size_t count = 0;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        count += texts[i] != NULL && (strcmp(texts[i], "-") == 0 || strcmp(texts[i], "@-") == 0);
    }
    for (size_t i = 0; i < options->files.count; i++) {
        count += strcmp(options->files.items[i], "-") == 0;
    }
    for (size_t i = 0; i < options->attachments.count; i++) {
        count += strcmp(options->attachments.items[i], "-") == 0;
    }
    return count;
}

static bool check_consistency(const struct smtp_send_options *options)
{
    bool compose = smtp_send_options_compose(options);
    if (compose && (options->files.count > 0 || options->from_header)) {
        smtp_cli_wrong(PROGRAM,
                       "%s takes a whole message; --subject, --text, --html, --attach and "
                       "--header make one",
                       options->files.count > 0 ? "--file" : "-t");
        return false;
    }
    if (count_standard_inputs(options) > 1) {
        smtp_cli_wrong(PROGRAM, "standard input can be read once: \"-\" is given more often");
        return false;
    }
    for (const char *at = options->full_name; at != NULL && *at != '\0'; at++) {
        if (smtp_is_control((unsigned char)*at)) {
            smtp_cli_wrong(PROGRAM,
                           "--full-name holds the control octet 0x%02X, which would add to "
                           "the header",
                           (unsigned char)*at);
            return false;
        }
    }
    if (options->json && options->quiet) {
        smtp_cli_wrong(PROGRAM, "--json and --quiet exclude each other");
        return false;
    }
    bool nobody =
        options->to.count + options->cc.count + options->bcc.count == 0 && options->words.count < 2;
    if (nobody && !options->from_header) {
        smtp_cli_wrong(PROGRAM, "there is no address: --to ADDR, an address behind the URL, or -t "
                                "for those in the message's header");
        return false;
    }
    return true;
}

int smtp_send_options_apply(struct smtp_send_options *options)
{
    options->verbose = options->verbose || options->explain;
    int wrong = smtp_cli_client_options_apply(&options->client, options->words.items[0]);
    if (wrong == 0 &&
        (!check_consistency(options) || !smtp_cli_mail_options_apply(&options->mail))) {
        wrong = EX_USAGE;
    }
    return wrong;
}

void smtp_send_options_clear(struct smtp_send_options *options)
{
    smtp_cli_mail_options_clear(&options->mail);
    smtp_cli_client_options_clear(&options->client);
}
