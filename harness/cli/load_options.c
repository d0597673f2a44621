/* load_options.c - see load_options.h. */
#include "harness/cli/load_options.h"

#include "harness/cli/verbs.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROGRAM SMTP_LOAD_PROGRAM
#define LOAD_ROWS 14
#define LETTER_ROWS 6
#define TELL_ROWS 3
#define SESSIONS_MAX 100000
#define RECIPIENTS_MAX 100000
#define MESSAGES_DEFAULT 10000
#define RATE_DURATION_S 10
#define ADDRESS_SIZE 40
#define NS_PER_S UINT64_C(1000000000)

enum { WAY_STEP, WAY_PIPELINED, WAY_ACROSS, WAY_BDAT };
static const char *const ways[] = {"step", "pipelined", "across", "bdat", NULL};
/* in the order of enum smtp_load_scheme */
static const char *const schemes[] = {"smtp", "smtps", "lmtp", NULL};

/* ---- the command line ---- */

static void add_load_rows(struct smtp_load_options *options, struct smtp_cli_option rows[LOAD_ROWS])
{
    rows[0] = smtp_cli_heading("How much, and how fast:");
    rows[1] = smtp_cli_number("sessions", &options->sessions, 1, SESSIONS_MAX, "open at once (20)");
    rows[2] = smtp_cli_number("messages", &options->messages, 1, SMTP_TALLY_MAX, "in all (10000)");
    rows[3] = smtp_cli_number("duration", &options->duration_s, 1, 86400,
                              "seconds, in place of a number of messages");
    rows[4] = smtp_cli_number("warm-up", &options->warm_up_s, 1, 3600,
                              "seconds of it that do not count (0)");
    rows[5] = smtp_cli_number("rate", &options->rate, 1, 100000000,
                              "messages a second fall due, answered or not: a\n"
                              "message counts from then (as fast as can be)");
    rows[6] = smtp_cli_choice("way", "WAY", &options->way, ways,
                              "step: a command at a time; pipelined; across:\n"
                              "from message to message; bdat: the same by BDAT");
    rows[7] = smtp_cli_number("in-flight", &options->in_flight, 1, SMTP_BULK_IN_FLIGHT_MAX,
                              "messages of a session, across and by BDAT (64)");
    rows[8] = smtp_cli_number("session-messages", &options->session_messages, 1, SMTP_TALLY_MAX,
                              "then QUIT and a new session (any number)");
    rows[9] = smtp_cli_number("threads", &options->threads, 1, 64, "that send (1)");
    rows[10] =
        smtp_cli_heading("Without a URL the other end is in this process, and sees that each\n"
                         "message arrives once and whole:");
    rows[11] = smtp_cli_choice("as", "SCHEME", &options->scheme, schemes,
                               "what it speaks: smtp, smtps, lmtp; with --user\n"
                               "it wants that login");
    rows[12] = smtp_cli_number("workers", &options->workers, 1, 64, "its threads (1)");
    rows[13] = smtp_cli_flag(0, "merge", &options->merge,
                             "adds up what --json printed into FILEs, of loads\n"
                             "that ran at the same time; runs nothing");
}

static void add_letter_rows(struct smtp_load_options *options,
                            struct smtp_cli_option rows[LETTER_ROWS])
{
    rows[0] = smtp_cli_heading("The messages:");
    rows[1] = smtp_cli_text("size", "SIZE", &options->size,
                            "octets, a range like 1000-50000, or a directory\n"
                            "with .eml files, which take turns (1024)");
    rows[2] = smtp_cli_number("recipients", &options->recipients, 1, RECIPIENTS_MAX,
                              "of each message (1)");
    rows[3] = smtp_cli_texts("to", "ADDR", &options->to, "in their place; more than once");
    rows[4] = smtp_cli_text("from", "ADDR", &options->from, "the reverse-path (load@example.com)");
    rows[5] = smtp_cli_heading("What it tells:");
}

static void add_tell_rows(struct smtp_load_options *options, struct smtp_cli_option rows[TELL_ROWS])
{
    rows[0] =
        smtp_cli_flag(0, "json", &options->json, "a line of JSON, with every bucket of every time");
    rows[1] = smtp_cli_text("plot", "FILE", &options->plot,
                            "an SVG: latency by percentile, and throughput");
    rows[2] = smtp_cli_flag('q', "quiet", &options->quiet, "no line while it runs");
}

void smtp_load_options_use(struct smtp_load_options *options, smtp_cli_reader *reader, void *user)
{
    struct smtp_cli_option rows[LOAD_ROWS + LETTER_ROWS + TELL_ROWS + SMTP_CLI_CLIENT_ROWS];
    struct smtp_cli_option *at = rows;
    *options = (struct smtp_load_options){
        .words = {.name = "[URL]", .min = 0, .max = SIZE_MAX},
        .sessions = 20,
        .threads = 1,
        .workers = 1,
        .recipients = 1,
        .size = "1024",
        .from = "load@example.com",
        .way = WAY_PIPELINED,
    };
    add_load_rows(options, at);
    add_letter_rows(options, at += LOAD_ROWS);
    add_tell_rows(options, at += LETTER_ROWS);
    smtp_cli_client_options_use(&options->client, PROGRAM, at + TELL_ROWS);
    const struct smtp_cli_usage usage = {
        .program = PROGRAM,
        .about =
            "Sends many messages over many sessions, and tells how long each part of it took.\n"
            "Exit status 0: all were accepted (and arrived); 1: some were not; 2: it could\n"
            "not run.",
        .words = &options->words,
        .first = "sessions messages duration rate way size json plot",
        .examples = {"smtp-harness load --messages 100000 --way across",
                     "smtp-harness load smtp://127.0.0.1:2525 --rate 500 --duration 30",
                     "smtp-harness load --as smtps --sessions 1000 --plot load.svg"},
        .options = rows,
        .option_count = sizeof rows / sizeof *rows,
    };
    reader(&usage, user);
}

/* ---- what it means ---- */

/** A directory of such a name is given as "./2024-01". */
static bool is_size(const char *text)
{
    return strspn(text, "0123456789-") == strlen(text);
}

/** What is no number is 0, which no size is. */
static enum smtp_status make_sizes(struct smtp_load_options *options, struct smtp_error *error)
{
    const char *size = options->size, *dash = strchr(size, '-');
    struct smtp_span from = {size, dash != NULL ? (size_t)(dash - size) : strlen(size)};
    struct smtp_span to = smtp_span_of(dash != NULL ? dash + 1 : size);
    uint64_t min = 0, max = 0;
    (void)smtp_span_to_u64(from, SMTP_LETTER_MAX, &min);
    (void)smtp_span_to_u64(to, SMTP_LETTER_MAX, &max);
    return smtp_letters_of_sizes(&options->letters, min, max, error);
}

static int apply_size(struct smtp_load_options *options)
{
    struct smtp_error error = {.status = SMTP_OK};
    const char *size = options->size;
    enum smtp_status status = is_size(size)
                                  ? make_sizes(options, &error)
                                  : smtp_letters_of_directory(&options->letters, size, &error);
    return status == SMTP_OK ? 0 : smtp_cli_wrong(PROGRAM, "--size %s: %s", size, error.message);
}

/** --to, or as many as --recipients says. */
static int apply_recipients(struct smtp_load_options *options)
{
    size_t count = options->to.count > 0 ? options->to.count : (size_t)options->recipients;
    options->forward_paths = calloc(count, sizeof *options->forward_paths);
    options->addresses = options->to.count > 0 ? NULL : malloc(count * ADDRESS_SIZE);
    if (options->forward_paths == NULL || (options->to.count == 0 && options->addresses == NULL)) {
        return smtp_cli_failed(PROGRAM, "out of memory");
    }
    for (size_t i = 0; i < count; i++) {
        if (options->to.count > 0) {
            options->forward_paths[i] = options->to.items[i];
        } else {
            char *address = options->addresses + i * ADDRESS_SIZE;
            snprintf(address, ADDRESS_SIZE, "load-%zu@example.com", i + 1);
            options->forward_paths[i] = address;
        }
    }
    options->plan.forward_paths = options->forward_paths;
    options->plan.forward_path_count = count;
    return 0;
}

static int check_consistency(const struct smtp_load_options *options)
{
    bool across = options->way == WAY_ACROSS || options->way == WAY_BDAT;
    if (options->words.count > 1) {
        return smtp_cli_wrong(PROGRAM, "one URL at a time, not %zu", options->words.count);
    }
    if (options->in_flight > 0 && !across) {
        return smtp_cli_wrong(PROGRAM, "--in-flight is of --way across and --way bdat");
    }
    if (options->client.xclient != NULL) {
        return smtp_cli_wrong(PROGRAM, "--xclient is not said by load");
    }
    if (options->messages > 0 && options->duration_s > 0) {
        return smtp_cli_wrong(PROGRAM, "--messages or --duration, not both");
    }
    if (options->duration_s > 0 && options->warm_up_s >= options->duration_s) {
        return smtp_cli_wrong(PROGRAM,
                              "--warm-up is a part of --duration, and leaves nothing of it");
    }
    if (options->sessions < options->threads) {
        return smtp_cli_wrong(PROGRAM, "--threads %" PRIu64 " need as many --sessions, at least",
                              options->threads);
    }
    if (options->words.count == 1 && (options->scheme != SMTP_LOAD_SMTP || options->workers > 1)) {
        return smtp_cli_wrong(PROGRAM, "--as and --workers are for when there is no URL");
    }
    return 0;
}

static void apply_way(struct smtp_load_options *options)
{
    struct smtp_client_options *client = &options->client.client;
    bool across = options->way == WAY_ACROSS || options->way == WAY_BDAT;
    client->pipelining = client->pipelining && options->way != WAY_STEP;
    client->chunking = options->way == WAY_BDAT;
    options->plan.in_flight =
        across ? options->in_flight > 0 ? (size_t)options->in_flight : SMTP_BULK_IN_FLIGHT_MAX : 1;
}

static int apply_server(struct smtp_load_options *options)
{
    options->own = options->words.count == 0;
    snprintf(options->own_url, sizeof options->own_url, "%s://127.0.0.1", schemes[options->scheme]);
    int wrong = smtp_cli_client_options_apply(
        &options->client, options->own ? options->own_url : options->words.items[0]);
    if (wrong != 0) {
        return SMTP_EXIT_USAGE;
    }
    const struct smtp_client_credentials *credentials = &options->client.credentials;
    bool logs_in = credentials->identity != NULL || credentials->mechanism != NULL;
    options->target = (struct smtp_client_target){.host = options->client.url.host,
                                                  .port = options->client.url.port,
                                                  .options = &options->client.client,
                                                  .credentials = logs_in ? credentials : NULL};
    return 0;
}

int smtp_load_options_apply(struct smtp_load_options *options)
{
    int wrong = check_consistency(options);
    wrong = wrong != 0 ? wrong : apply_server(options);
    wrong = wrong != 0 ? wrong : apply_size(options);
    wrong = wrong != 0 ? wrong : apply_recipients(options);
    if (wrong != 0) {
        return wrong;
    }
    apply_way(options);
    struct smtp_load_plan *plan = &options->plan;
    plan->target = &options->target;
    plan->letters = options->letters;
    plan->reverse_path = options->from;
    plan->sessions = (size_t)options->sessions;
    plan->threads = (size_t)options->threads;
    plan->session_messages = options->session_messages;
    plan->rate = (double)options->rate;
    bool neither = options->messages == 0 && options->duration_s == 0;
    plan->messages = neither && options->rate == 0 ? MESSAGES_DEFAULT : options->messages;
    plan->duration_ns =
        (neither && options->rate > 0 ? RATE_DURATION_S : options->duration_s) * NS_PER_S;
    plan->warm_up_ns = options->warm_up_s * NS_PER_S;
    return 0;
}

void smtp_load_options_clear(struct smtp_load_options *options)
{
    smtp_letters_free(options->letters);
    free(options->forward_paths);
    free(options->addresses);
    smtp_cli_client_options_clear(&options->client);
}

void smtp_load_options_describe(const struct smtp_load_options *options, char *text, size_t size)
{
    const struct smtp_load_plan *plan = &options->plan;
    char much[64], rate[64] = "";
    if (plan->messages > 0) {
        snprintf(much, sizeof much, "%" PRIu64 " messages", plan->messages);
    } else {
        snprintf(much, sizeof much, "%" PRIu64 " s of messages", plan->duration_ns / NS_PER_S);
    }
    if (options->rate > 0) {
        snprintf(rate, sizeof rate, ", %" PRIu64 " due each second", options->rate);
    }
    bool of_size = is_size(options->size);
    snprintf(text, size, "%zu session%s, %s %s %s%s to %zu recipient%s, %s%s%s", plan->sessions,
             plan->sessions == 1 ? "" : "s", much, of_size ? "of" : "from", options->size,
             of_size ? " octets" : "", plan->forward_path_count,
             plan->forward_path_count == 1 ? "" : "s", ways[options->way], rate,
             options->own ? ", both ends here" : "");
}

struct smtp_load_own_options smtp_load_options_own(const struct smtp_load_options *options)
{
    size_t recipients = options->plan.forward_path_count;
    return (struct smtp_load_own_options){
        .scheme = (enum smtp_load_scheme)options->scheme,
        .tls = options->client.client.tls.policy == SMTP_CLIENT_TLS_REQUIRED,
        .credentials = options->target.credentials,
        .workers = (unsigned)options->workers,
        .recipients = recipients,
        .octets = 2 * SMTP_LETTER_MAX,
    };
}
