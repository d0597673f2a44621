/* visit.c - see visit.h: runs the command and serves its connections until both are over. */
#include "harness/conformance/visit.h"

#include "common/clock.h"
#include "common/net.h"
#include "harness/command/running.h"
#include "harness/conformance/visit_run.h"
#include "harness/conformance/visit_task.h"

#include <stdlib.h>
#include <unistd.h>

#define TEMPORARY_STATUS 75 /* EX_TEMPFAIL */
#define COMMANDS_MAX ((size_t)16 << 20)
#define PLAIN_KEYWORDS "PIPELINING;8BITMIME;SMTPUTF8;DSN;CHUNKING;ENHANCEDSTATUSCODES;SIZE 10485760"

static void release_run(void *thing)
{
    struct smtp_visit_run *run = thing;
    smtp_buffer_free(&run->commands);
    smtp_buffer_free(&run->messages);
    smtp_buffer_free(&run->clear);
    smtp_buffer_free(&run->command.kept);
    free(run);
}

static const struct smtp_script no_script;

/** The complete server offers what the task asks for. */
static const char *plain_keywords(struct smtp_check *check, const struct smtp_task *task)
{
    return smtp_check_text(check, PLAIN_KEYWORDS "%s%s",
                           task->tls == SMTP_TASK_STARTTLS ? ";STARTTLS" : "",
                           task->login ? ";AUTH PLAIN LOGIN" : "");
}

static struct smtp_visit_run *make_run(struct smtp_check *check, const struct smtp_task *task,
                                       const struct smtp_script *script)
{
    struct smtp_visit_run *run = smtp_check_own(check, calloc(1, sizeof *run), release_run);
    if (run == NULL) {
        return NULL;
    }
    *run = (struct smtp_visit_run){.seen = {.check = check, .output = "", .clear = SMTP_SPAN("")},
                                   .task = task,
                                   .script = script != NULL ? script : &no_script,
                                   .keywords = script != NULL ? script->keywords
                                                              : plain_keywords(check, task),
                                   .tls_keywords = script != NULL ? script->tls_keywords : NULL,
                                   .command = {.pidfd = -1, .output = -1},
                                   .commands = SMTP_BUFFER(COMMANDS_MAX),
                                   .messages = SMTP_BUFFER(COMMANDS_MAX),
                                   .clear = SMTP_BUFFER(SMTP_VISIT_OCTETS_MAX)};
    return run;
}

/** What came of it, for a detail: its first line. */
static const char *what_it_wrote(const struct smtp_visit *visit)
{
    if (visit->output[0] == '\0') {
        return "and wrote nothing";
    }
    return smtp_check_text(visit->check, "and wrote %s",
                           smtp_check_show(visit->check, smtp_span_of(visit->output)));
}

/* ---- while it lasts ---- */

/** Serves those who have connected and are waiting, one after the other. */
static void serve_waiting(struct smtp_visit_run *run, int listener)
{
    for (;;) {
        int fd = smtp_check_goes_on(run->seen.check) ? smtp_net_accept(listener) : -1;
        if (fd < 0) {
            return;
        }
        smtp_visit_serve(run, fd);
    }
}

static bool is_in_time(const struct smtp_visit_run *run)
{
    const struct smtp_check *check = run->seen.check;
    return smtp_check_goes_on(check) && smtp_clock_now_ns() < check->deadline_ns;
}

static void serve_until_it_ends(struct smtp_visit_run *run, int listener)
{
    while (is_in_time(run) && !run->command.ended) {
        if (smtp_command_wait(&run->command, listener, run->seen.check->deadline_ns)) {
            serve_waiting(run, listener);
        }
    }
    smtp_command_wait(&run->command, -1, smtp_clock_now_ns()); /* it may have ended just now */
    smtp_command_kill(&run->command); /* what it left too, so that all connections end */
    if (run->command.ended) {
        serve_waiting(run, listener);
    }
}

static void judge_end(struct smtp_visit_run *run)
{
    struct smtp_visit *seen = &run->seen;
    const struct smtp_check_options *options = seen->check->options;
    struct smtp_span kept = smtp_buffer_span(&run->command.kept);
    seen->output = smtp_visit_keep(seen->check, kept).bytes;
    if (!run->command.ended) {
        smtp_check_fail(seen->check, "the command did not end in time, %s", what_it_wrote(seen));
        return;
    }
    seen->status = run->command.status;
    bool is_temporary = options->temporary_count == 0 && seen->status == TEMPORARY_STATUS;
    for (size_t i = 0; i < options->temporary_count; i++) {
        is_temporary = is_temporary || options->temporary[i] == seen->status;
    }
    seen->outcome = seen->status == 0 ? SMTP_VISIT_SENT
                    : is_temporary    ? SMTP_VISIT_LATER
                                      : SMTP_VISIT_REFUSED;
}

static void skip_interrupted(struct smtp_check *check)
{
    if (smtp_command_running_is_over(check->options->running)) {
        smtp_check_skip(check, "it was interrupted");
    }
}

static void run_command(struct smtp_visit_run *run, int listener, struct smtp_visit_told *told)
{
    struct smtp_check *check = run->seen.check;
    struct smtp_error error;
    if (smtp_command_start(&run->command, told->argv, told->environment, told->paths[1], &error) !=
        SMTP_OK) {
        smtp_check_skip(check, "%s", error.message);
        return;
    }
    smtp_command_running_add(check->options->running, &run->command);
    serve_until_it_ends(run, listener);
    smtp_command_running_remove(check->options->running, &run->command);
    smtp_command_finish(&run->command, smtp_check_text(check, "SMTP_CA_FILE=%s", told->paths[0]));
    skip_interrupted(check);
    judge_end(run);
}

/* ---- before it ---- */

static int listen_somewhere(struct smtp_check *check, uint16_t *port)
{
    struct smtp_address address;
    struct smtp_error error;
    int listener = -1;
    enum smtp_status status = smtp_address_parse("127.0.0.1:0", 0, &address, &error);
    if (status == SMTP_OK) {
        status = smtp_net_listen(&address, &listener, &error);
    }
    if (status != SMTP_OK) {
        smtp_check_skip(check, "%s", error.message);
        return -1;
    }
    smtp_address_of_socket(listener, false, &address);
    *port = address.port;
    return listener;
}

/** One for each visit: making it takes a millisecond, less than running any command. */
static struct smtp_identity *make_identity(struct smtp_check *check, enum smtp_identity_flaw flaw)
{
    const struct smtp_identity_options options = {.flaw = flaw};
    struct smtp_identity *identity = NULL;
    struct smtp_error error;
    if (smtp_identity_new(&identity, &options, &error) != SMTP_OK) {
        smtp_check_skip(check, "no certificate: %s", error.message);
    }
    return identity;
}

struct smtp_visit *smtp_visit(struct smtp_check *check, const struct smtp_task *task,
                              const struct smtp_script *script)
{
    static const struct smtp_task plain_task;
    struct smtp_visit_told told = {.directory = NULL};
    struct smtp_visit_place place = {.port = 0};
    skip_interrupted(check);
    if (!smtp_check_goes_on(check)) {
        return NULL;
    }
    struct smtp_visit_run *run = make_run(check, task != NULL ? task : &plain_task, script);
    int listener = run != NULL ? listen_somewhere(check, &place.port) : -1;
    if (listener < 0) {
        return NULL;
    }
    struct smtp_identity *identity = make_identity(check, run->script->flaw);
    if (identity != NULL) {
        run->identity = identity;
        place.ca_pem = smtp_identity_ca_pem(identity);
        if (smtp_visit_tell(&told, check, run->task, &place)) {
            run_command(run, listener, &told);
        }
    }
    smtp_visit_told_clear(&told);
    smtp_identity_release(identity);
    close(listener);
    run->identity = NULL;
    return smtp_check_goes_on(check) ? &run->seen : NULL;
}
