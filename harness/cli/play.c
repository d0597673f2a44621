/* play.c - dialogue files played as either end, and what came of each told. Knows the order of things; what a dialogue
 * is and how it is played is harness/dialogue/. */
#include "common/clock.h"
#include "common/error.h"
#include "common/net.h"
#include "harness/cli/play_options.h"
#include "harness/cli/verbs.h"
#include "harness/cli/whole_file.h"
#include "harness/record.h"
#include "harness/report/report.h"

#include <errno.h>
#include <jansson.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROGRAM SMTP_PLAY_PROGRAM
#define FILE_MAX ((size_t)64 << 20) /* more is no dialogue */

struct play {
    struct smtp_play_options options;
    struct smtp_dialogue **dialogues; /* one a file */
    int listener;                     /* as server; else -1 */
    char address[SMTP_ADDRESS_TEXT_SIZE];
    struct smtp_report report;
    struct smtp_harness_lines recorded;
    bool cannot_run; /* one of them */
};

/* ---- the files ---- */

static bool read_stream(const char *path, FILE *in, struct smtp_buffer *text)
{
    for (;;) {
        char *room = smtp_buffer_reserve(text, 65536);
        if (room == NULL) {
            smtp_cli_wrong(PROGRAM, "%s is too large for a dialogue, or memory has run out", path);
            return false;
        }
        size_t len = fread(room, 1, 65536, in);
        smtp_buffer_added(text, len);
        if (len == 0 && ferror(in) != 0) {
            smtp_cli_wrong(PROGRAM, "cannot read %s: %s", path, smtp_errno_text(errno));
            return false;
        }
        if (len == 0) {
            return true;
        }
    }
}

static bool read_dialogue(const char *path, struct smtp_dialogue **out)
{
    struct smtp_buffer text = SMTP_BUFFER(FILE_MAX);
    FILE *in = fopen(path, "r");
    if (in == NULL) {
        smtp_cli_wrong(PROGRAM, "cannot read %s: %s", path, smtp_errno_text(errno));
        return false;
    }
    bool read = read_stream(path, in, &text);
    fclose(in);
    struct smtp_harness_lines why = SMTP_HARNESS_LINES;
    if (read && smtp_dialogue_parse(out, path, smtp_buffer_span(&text), &why) != SMTP_OK) {
        char *complaint = smtp_harness_lines_take(&why);
        fputs(complaint != NULL && complaint[0] != '\0' ? complaint : "out of memory\n", stderr);
        free(complaint);
        read = false;
    }
    smtp_buffer_free(&why.buffer);
    smtp_buffer_free(&text);
    return read;
}

/** All of them before the first is played. */
static bool read_files(struct play *play)
{
    size_t count = play->options.files.count;
    play->dialogues = calloc(count, sizeof(struct smtp_dialogue *));
    if (play->dialogues == NULL) {
        fprintf(stderr, PROGRAM ": out of memory\n");
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (!read_dialogue(play->options.files.items[i], &play->dialogues[i])) {
            return false;
        }
    }
    return true;
}

/* ---- the server's address ---- */

static bool write_ready_files(const struct play *play, const char *url)
{
    char line[SMTP_ADDRESS_TEXT_SIZE + 16];
    const struct smtp_play_options *options = &play->options;
    snprintf(line, sizeof line, "%s\n", url);
    return (options->ca_file_out == NULL ||
            smtp_cli_write_file(PROGRAM, options->ca_file_out,
                                smtp_identity_ca_pem(options->identity))) &&
           (options->ready_file == NULL || smtp_cli_write_file(PROGRAM, options->ready_file, line));
}

static void print_url(const struct play *play, const char *url)
{
    json_t *object = play->options.json ? json_pack("{s:[s]}", "listening", url) : NULL;
    if (object != NULL) {
        json_dumpf(object, stdout, JSON_COMPACT);
        putchar('\n');
        json_decref(object);
    } else {
        printf("%slistening on %s\n", play->options.tap ? "# " : "", url);
    }
    fflush(stdout);
}

static void take_away_files(const struct smtp_play_options *options)
{
    smtp_cli_take_file_away(options->ready_file);
    smtp_cli_take_file_away(options->ca_file_out);
}

static void asked_signals(sigset_t *signals)
{
    sigemptyset(signals);
    sigaddset(signals, SIGINT);
    sigaddset(signals, SIGTERM);
}

/** Where a signal ends the server: no file that says it listens stays behind. */
static void *await_signal(void *user)
{
    sigset_t signals;
    int number = 0;
    asked_signals(&signals);
    if (sigwait(&signals, &number) == 0) {
        take_away_files(user);
        pthread_sigmask(SIG_UNBLOCK, &signals, NULL);
        raise(number);
    }
    return NULL;
}

static bool watch_signals(struct play *play)
{
    pthread_t thread;
    sigset_t signals;
    asked_signals(&signals);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    if (pthread_create(&thread, NULL, await_signal, &play->options) != 0) {
        fprintf(stderr, PROGRAM ": no thread can be had\n");
        return false;
    }
    pthread_detach(thread); /* it ends with the process */
    return true;
}

static bool listen_there(struct play *play)
{
    struct smtp_error error = {.message = ""};
    char url[SMTP_ADDRESS_TEXT_SIZE + 16];
    if (smtp_net_listen(&play->options.address, &play->listener, &error) != SMTP_OK) {
        fprintf(stderr, PROGRAM ": %s\n", error.message);
        return false;
    }
    smtp_address_of_socket(play->listener, false, &play->options.address);
    smtp_address_format(&play->options.address, play->address);
    const char *scheme = play->options.is_lmtp                             ? "lmtp://"
                         : play->options.dialogue.implicit_tls             ? "smtps://"
                         : play->options.address.kind == SMTP_ADDRESS_UNIX ? ""
                                                                           : "smtp://";
    snprintf(url, sizeof url, "%s%s", scheme, play->address);
    if (!watch_signals(play) || !write_ready_files(play, url)) {
        return false;
    }
    print_url(play, url);
    return true;
}

/* ---- playing ---- */

/** All sessions of a result, with [session] between them. */
static void record_sessions(const struct smtp_dialogue_result *result,
                            struct smtp_harness_lines *lines)
{
    for (size_t i = 0; i < result->transcript_count && result->transcripts[i] != NULL; i++) {
        char *text = smtp_harness_record_text(result->transcripts[i]);
        if (lines->buffer.len > 0) {
            smtp_harness_lines_add(lines, SMTP_SPAN("[session]\n"));
        }
        smtp_harness_lines_add(lines, smtp_span_of(text != NULL ? text : "# out of memory\n"));
        free(text);
    }
}

static void report_one(struct play *play, struct smtp_report_result *told,
                       const struct smtp_dialogue_result *result)
{
    struct smtp_report_dialogue *dialogues = NULL;
    if (play->options.verbose) {
        dialogues = calloc(result->transcript_count + 1, sizeof *dialogues);
    }
    while (dialogues != NULL && told->dialogue_count < result->transcript_count &&
           result->transcripts[told->dialogue_count] != NULL) {
        dialogues[told->dialogue_count] =
            (struct smtp_report_dialogue){"", result->transcripts[told->dialogue_count]};
        told->dialogue_count++;
    }
    told->dialogues = dialogues;
    smtp_report_add(&play->report, told);
    free(dialogues);
}

static void play_one(struct play *play, size_t i)
{
    struct smtp_dialogue_result result;
    uint64_t begin_ns = smtp_clock_now_ns();
    enum smtp_dialogue_outcome outcome =
        play->listener >= 0 ? smtp_dialogue_play_server(play->dialogues[i], play->listener,
                                                        &play->options.dialogue, &result)
                            : smtp_dialogue_play_client(play->dialogues[i], play->address,
                                                        &play->options.dialogue, &result);
    if (play->options.record != NULL) {
        record_sessions(&result, &play->recorded);
    }
    struct smtp_report_result told = {
        .name = play->options.files.items[i],
        .rfc = "",
        .outcome = outcome == SMTP_DIALOGUE_HELD ? SMTP_REPORT_PASSED : SMTP_REPORT_FAILED,
        .elapsed_ns = smtp_clock_now_ns() - begin_ns,
        .detail = result.report != NULL ? result.report : "out of memory",
    };
    report_one(play, &told, &result);
    play->cannot_run = play->cannot_run || outcome == SMTP_DIALOGUE_CANNOT_RUN;
    smtp_dialogue_result_clear(&result);
}

static bool write_record(struct play *play)
{
    if (play->options.record == NULL) {
        return true;
    }
    char *text = smtp_harness_lines_take(&play->recorded);
    if (text == NULL) {
        fprintf(stderr, PROGRAM ": --record: out of memory\n");
    }
    bool written = text != NULL && smtp_cli_write_file(PROGRAM, play->options.record, text);
    free(text);
    return written;
}

static int play_into(struct play *play, struct smtp_report *also)
{
    const struct smtp_play_options *options = &play->options;
    size_t count = options->files.count;
    play->recorded = SMTP_HARNESS_LINES;
    play->report = (struct smtp_report){
        .form = options->tap    ? &smtp_report_tap
                : options->json ? &smtp_report_json
                                : &smtp_report_lines,
        .out = stdout,
        .colour = smtp_report_wants_colour(stdout),
        .explain = options->explain,
        .name = PROGRAM,
        .planned = count * options->repeat,
        .also = also,
    };
    for (size_t i = 0; i < count; i++) {
        int len = (int)strlen(options->files.items[i]);
        play->report.name_width = len > play->report.name_width ? len : play->report.name_width;
    }
    smtp_report_begin(&play->report);
    for (uint64_t round = 0; round < options->repeat; round++) {
        for (size_t i = 0; i < count; i++) {
            play_one(play, i);
        }
    }
    bool held = smtp_report_end(&play->report);
    bool written = write_record(play);
    if (play->cannot_run || !written || ferror(stdout) != 0) {
        return SMTP_EXIT_USAGE;
    }
    return held ? SMTP_EXIT_HELD : SMTP_EXIT_NOT_HELD;
}

static int play_all(struct play *play)
{
    if (play->options.junit == NULL) {
        return play_into(play, NULL);
    }
    struct smtp_cli_kept xml;
    if (!smtp_cli_keep(&xml)) {
        fprintf(stderr, PROGRAM ": out of memory\n");
        return SMTP_EXIT_USAGE;
    }
    struct smtp_report junit = {.form = &smtp_report_junit, .out = xml.stream, .name = PROGRAM};
    int status = play_into(play, &junit);
    bool whole = smtp_report_is_whole(&junit);
    return smtp_cli_put(PROGRAM, &xml, play->options.junit) && whole ? status : SMTP_EXIT_USAGE;
}

static int run(struct play *play)
{
    int wrong = smtp_play_options_apply(&play->options);
    if (wrong != 0) {
        return wrong;
    }
    if (!read_files(play)) {
        return SMTP_EXIT_USAGE;
    }
    if (play->options.listen == NULL) {
        smtp_address_format(&play->options.address, play->address);
        return play_all(play);
    }
    int status = listen_there(play) ? play_all(play) : SMTP_EXIT_USAGE;
    take_away_files(&play->options);
    return status;
}

static void clear(struct play *play)
{
    for (size_t i = 0; play->dialogues != NULL && i < play->options.files.count; i++) {
        smtp_dialogue_free(play->dialogues[i]);
    }
    free(play->dialogues);
    if (play->listener >= 0) {
        close(play->listener);
        if (play->options.address.kind == SMTP_ADDRESS_UNIX) {
            unlink(play->options.address.host);
        }
    }
    smtp_play_options_clear(&play->options);
}

static void describe(smtp_cli_reader *reader, void *user)
{
    struct smtp_play_options options = {.connect = NULL};
    smtp_play_options_use(&options, reader, user);
}

static int run_verb(int argc, char **argv)
{
    struct play play = {.listener = -1};
    struct smtp_cli_line line = {argc, argv, SMTP_CLI_RUN};
    smtp_play_options_use(&play.options, smtp_cli_parse_line, &line);
    if (line.parsed != SMTP_CLI_RUN) {
        return line.parsed == SMTP_CLI_HELP ? SMTP_EXIT_HELD : SMTP_EXIT_USAGE;
    }
    int status = run(&play);
    clear(&play);
    return status;
}

const struct smtp_cli_verb smtp_verb_play = {
    .name = "play",
    .about = "plays dialogue files as client or server, line by line",
    .run = run_verb,
    .describe = describe,
};
