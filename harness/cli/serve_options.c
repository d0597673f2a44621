/* serve_options.c - see serve_options.h. */
#include "harness/cli/serve_options.h"

#include "common/secret.h"

#include <string.h>

#define PROGRAM SMTP_SERVE_PROGRAM

#define MESSAGE_ROWS 8
#define LIFE_ROWS 9

#define SECONDS_MAX (UINT64_C(365) * 24 * 60 * 60)

static void add_message_rows(struct smtp_serve_options *options,
                             struct smtp_cli_option rows[MESSAGE_ROWS])
{
    rows[0] = smtp_cli_heading("What becomes of messages (several: each of them; none: counted):");
    rows[1] =
        smtp_cli_flag(0, "print", &options->receivers.print, "prints each: envelope, then content");
    rows[2] = smtp_cli_flag(0, "json", &options->receivers.json,
                            "prints each as a line of JSON, behind a first one\n"
                            "that tells where it listens");
    rows[3] = smtp_cli_flag(0, "json-content", &options->receivers.json_content,
                            "with the content as it came in that line, too");
    rows[4] = smtp_cli_text("maildir", "DIR", &options->receivers.maildir,
                            "delivers into a Maildir, which is made if need be");
    rows[5] = smtp_cli_flag(0, "durable", &options->receivers.durable,
                            "of the Maildir: 250 only when it is on the disk");
    rows[6] = smtp_cli_text("mbox", "FILE", &options->receivers.mbox, "appends to an mbox file");
    rows[7] = smtp_cli_text("relay", "URL", &options->receivers.relay_url,
                            "to smtp://user:password@host:587?tls=required,\n"
                            "lmtp://host; its refusals are passed on");
}

static void add_life_rows(struct smtp_serve_options *options,
                          struct smtp_cli_option rows[LIFE_ROWS])
{
    rows[0] = smtp_cli_heading("How long it runs, and how it tells where:");
    rows[1] = smtp_cli_text("ready-file", "FILE", &options->tell.ready_file,
                            "the URLs, a line each, for as long as it listens");
    rows[2] = smtp_cli_text("ca-file-out", "FILE", &options->tell.ca_file,
                            "whom to trust, as PEM: name it in SMTP_CA_FILE");
    rows[3] = smtp_cli_flag(0, "background", &options->background,
                            "returns when it listens; the process goes on");
    rows[4] = smtp_cli_text("pid-file", "FILE", &options->tell.pid_file,
                            "the number of the process, until it ends");
    rows[5] = smtp_cli_number("exit-after", &options->life.exit_after, 1, INT64_MAX,
                              "messages; ends with 1 where it ends before");
    rows[6] = smtp_cli_number("idle-exit", &options->life.idle_exit_s, 1, SECONDS_MAX,
                              "seconds without a session; ends then");
    rows[7] = smtp_cli_number("drain", &options->life.drain_s, 0, SECONDS_MAX,
                              "seconds for open transactions at the end (1)");
    rows[8] = smtp_cli_text("run-as", "USER[:GROUP]", &options->run_as.text,
                            "of root's process: who it is once it listens;\n"
                            "the files that it writes are that user's");
}

void smtp_serve_options_use(struct smtp_serve_options *options, smtp_cli_reader *reader, void *user)
{
    struct smtp_cli_option rows[SMTP_CLI_SERVER_ROWS + MESSAGE_ROWS + LIFE_ROWS];
    *options = (struct smtp_serve_options){.life = {.drain_s = 1}};
    add_message_rows(options, rows);
    add_life_rows(options, rows + MESSAGE_ROWS);
    smtp_cli_server_options_use(&options->common, PROGRAM, rows + MESSAGE_ROWS + LIFE_ROWS);
    const struct smtp_cli_usage usage = {
        .program = PROGRAM,
        .about = "An SMTP server in the foreground, which takes all mail for everybody. At SIGINT\n"
                 "or SIGTERM it lets open transactions end; at a second one it ends at once.",
        .lone_word = "listen",
        .first = "listen print json maildir relay auth fault ready-file exit-after",
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
    if (options->tell.ca_file != NULL && (common->no_tls || common->certificate_file != NULL)) {
        smtp_cli_wrong(PROGRAM, "--%s and --ca-file-out exclude each other",
                       common->no_tls ? "no-tls" : "certificate");
        return false;
    }
    if (options->receivers.json && options->receivers.print) {
        smtp_cli_wrong(PROGRAM, "--json and --print exclude each other");
        return false;
    }
    if (options->receivers.json_content && !options->receivers.json) {
        smtp_cli_wrong(PROGRAM, "--json-content needs --json: the lines it is to be in");
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

/** The sockets that are there already come first, and 127.0.0.1:0 is for where there are none. */
static bool take_sockets(struct smtp_serve_options *options)
{
    struct smtp_cli_texts given = options->common.listen, *all = &options->common.listen;
    const struct smtp_serve_activation *activation = &options->activation;
    if (activation->count + given.count > SMTP_CLI_TEXTS_MAX) {
        smtp_cli_wrong(PROGRAM, "--listen and LISTEN_FDS together are more than %d",
                       SMTP_CLI_TEXTS_MAX);
        return false;
    }
    all->count = 0;
    for (size_t i = 0; i < activation->count; i++) {
        all->items[all->count++] = activation->listeners[i];
    }
    for (size_t i = 0; i < given.count; i++) {
        all->items[all->count++] = given.items[i];
    }
    return true;
}

/** What watches how long it is to run, behind all that may refuse a message. */
static void add_life(struct smtp_serve_options *options)
{
    const struct smtp_server_hooks table = smtp_serve_life_hooks(&options->life);
    if (smtp_serve_life_looks(&options->life)) {
        smtp_cli_server_options_add(&options->common, &table);
    }
}

bool smtp_serve_options_apply(struct smtp_serve_options *options)
{
    options->common.server.mailbox = SMTP_MAILBOX_DISCARD; /* nobody looks into it here */
    options->receivers.output_failed = smtp_serve_life_mute;
    options->receivers.output_user = &options->life;
    options->tell.json = options->receivers.json;
    options->tell.pid = options->background;
    options->tell.tls_required = options->common.tls_required;
    options->tell.auth_required = options->common.auth_required;
    options->tell.relays = options->receivers.relay_url != NULL;
    if (!is_consistent(options) || !smtp_serve_user_find(&options->run_as, PROGRAM) ||
        !take_sockets(options) || !smtp_cli_server_options_apply(&options->common) ||
        !can_hold(options) ||
        !smtp_serve_user_listen(&options->run_as, PROGRAM, &options->common.listen) ||
        !smtp_serve_user_become(&options->run_as, PROGRAM) ||
        !smtp_cli_server_options_record(&options->common) ||
        !smtp_cli_server_options_plan(&options->common, &options->faults) ||
        !smtp_serve_receivers_make(PROGRAM, &options->receivers, &options->common)) {
        return false;
    }
    add_life(options);
    return true;
}

void smtp_serve_options_clear(struct smtp_serve_options *options)
{
    char *url = (char *)(uintptr_t)options->receivers.relay_url; /* argv's own word */
    if (url != NULL) {
        smtp_secret_wipe(url, strlen(url));
    }
    smtp_cli_server_options_clear(&options->common);
}
