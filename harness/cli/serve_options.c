/* serve_options.c - see serve_options.h. */
#include "harness/cli/serve_options.h"

#include "common/secret.h"

#include <string.h>

#define PROGRAM SMTP_SERVE_PROGRAM

#define MESSAGE_ROWS 6
#define TELL_ROWS 3

static void add_message_rows(struct smtp_serve_options *options,
                             struct smtp_cli_option rows[MESSAGE_ROWS])
{
    rows[0] = smtp_cli_heading("What becomes of messages (several: each of them; none: counted):");
    rows[1] =
        smtp_cli_flag(0, "print", &options->receivers.print, "prints each: envelope, then content");
    rows[2] = smtp_cli_text("maildir", "DIR", &options->receivers.maildir,
                            "delivers into a Maildir, which is made if need be");
    rows[3] = smtp_cli_flag(0, "durable", &options->receivers.durable,
                            "of the Maildir: 250 only when it is on the disk");
    rows[4] = smtp_cli_text("mbox", "FILE", &options->receivers.mbox, "appends to an mbox file");
    rows[5] = smtp_cli_text("relay", "URL", &options->receivers.relay_url,
                            "to smtp://user:password@host:587?tls=required,\n"
                            "lmtp://host; its refusals are passed on");
}

static void add_tell_rows(struct smtp_serve_options *options,
                          struct smtp_cli_option rows[TELL_ROWS])
{
    rows[0] = smtp_cli_heading("How it tells where it is:");
    rows[1] = smtp_cli_text("ready-file", "FILE", &options->ready_file,
                            "the URLs, a line each, for as long as it listens");
    rows[2] = smtp_cli_text("ca-file-out", "FILE", &options->ca_file_out,
                            "whom to trust, as PEM: name it in SMTP_CA_FILE");
}

void smtp_serve_options_use(struct smtp_serve_options *options, smtp_cli_reader *reader, void *user)
{
    struct smtp_cli_option rows[SMTP_CLI_SERVER_ROWS + MESSAGE_ROWS + TELL_ROWS];
    *options = (struct smtp_serve_options){.ready_file = NULL};
    add_message_rows(options, rows);
    add_tell_rows(options, rows + MESSAGE_ROWS);
    smtp_cli_server_options_use(&options->common, PROGRAM, rows + MESSAGE_ROWS + TELL_ROWS);
    const struct smtp_cli_usage usage = {
        .program = PROGRAM,
        .about = "An SMTP server in the foreground, which takes all mail for everybody. Ends with\n"
                 "exit status 0 at SIGINT or SIGTERM.",
        .examples = {"smtp-harness serve --listen 127.0.0.1:2525 --print --maildir /tmp/mail",
                     "smtp-harness serve --ready-file /tmp/url --ca-file-out /tmp/ca.pem &",
                     "smtp-harness serve --auth ann:secret --auth-required --tls-required"},
        .options = rows,
        .option_count = sizeof rows / sizeof *rows,
    };
    reader(&usage, user);
}

/* ---- what it means ---- */

/** That each option can mean something beside the others. */
static bool is_consistent(const struct smtp_serve_options *options)
{
    const struct smtp_cli_server_options *common = &options->common;
    if (options->ca_file_out != NULL && (common->no_tls || common->certificate_file != NULL)) {
        smtp_cli_wrong(PROGRAM, "--%s and --ca-file-out exclude each other",
                       common->no_tls ? "no-tls" : "certificate");
        return false;
    }
    if (options->receivers.durable && options->receivers.maildir == NULL) {
        smtp_cli_wrong(PROGRAM, "--durable needs --maildir DIR: what is to be durable");
        return false;
    }
    return true;
}

/** RFC 4865 4.2: what is held is not released early. */
static bool can_hold(const struct smtp_serve_options *options)
{
    const struct smtp_serve_receivers *wanted = &options->receivers;
    if (options->common.server.keywords.future_release &&
        (wanted->maildir != NULL || wanted->mbox != NULL)) {
        smtp_cli_wrong(PROGRAM,
                       "--offer FUTURERELEASE cannot be kept to with --%s, which delivers at "
                       "once: leave one of them out",
                       wanted->maildir != NULL ? "maildir" : "mbox");
        return false;
    }
    return true;
}

bool smtp_serve_options_apply(struct smtp_serve_options *options)
{
    options->common.server.mailbox = SMTP_MAILBOX_DISCARD; /* nobody looks into it here */
    return is_consistent(options) && smtp_cli_server_options_apply(&options->common) &&
           can_hold(options) &&
           smtp_serve_receivers_make(PROGRAM, &options->receivers, &options->common);
}

void smtp_serve_options_clear(struct smtp_serve_options *options)
{
    char *url = (char *)(uintptr_t)options->receivers.relay_url; /* argv's own word */
    if (url != NULL) {
        smtp_secret_wipe(url, strlen(url));
    }
    smtp_cli_server_options_clear(&options->common);
}
