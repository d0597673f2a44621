/* verbs_test.c - the program's verbs by their entries, with each allocation and each call failing in turn: they end with a
 * status that is true, and with a word on why where it is not 0. */
#include "harness/cli/verbs.h"
#include "harness/simulate/simulate.h"
#include "tests/failures/failing.h"
#include "tests/failures/stages.h"
#include "tests/support/test.h"

#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* What a verb says, kept away from the test's own words; NULL: it says nothing. */
struct said {
    int kept[2]; /* the streams as they were */
    int words;   /* a file in memory */
    int status;  /* of the verb */
    char input[80];
};
static struct said said;

static void listen_in(void)
{
    said.words = memfd_create("said", MFD_CLOEXEC);
    fflush(NULL);
    for (int i = 0; i < 2; i++) {
        said.kept[i] = dup(i + 1);
        dup2(said.words, i + 1);
    }
}

static void stop_listening(void)
{
    fflush(NULL);
    for (int i = 0; i < 2; i++) {
        dup2(said.kept[i], i + 1);
        close(said.kept[i]);
    }
}

/* A verb without its words is one that was not run. */
static void run_verb(const struct smtp_cli_verb *verb, char **argv)
{
    int argc = 0;
    while (argv[argc] != NULL) {
        argc++;
    }
    said.status = verb->run(argc, argv);
}

static void judge_verb(struct stage *stage)
{
    struct stat status;
    char words[300] = "";
    stop_listening();
    bool told = fstat(said.words, &status) == 0 && status.st_size > 0;
    ssize_t len = pread(said.words, words, sizeof words - 1, 0);
    words[len > 0 ? len : 0] = '\0';
    close(said.words);
    if (said.status != 0 && !told) {
        stage_wrong(stage, "it ended with %d, and not a word", said.status);
    }
    if (said.status != 0 && stage->must_hold) {
        stage_wrong(stage, "it ended with %d: %s", said.status, words);
    }
}

static void write_input(struct stage *stage, const char *text)
{
    stage_make_folder(stage);
    snprintf(said.input, sizeof said.input, "%s/input", stage->folder);
    FILE *file = fopen(said.input, "w");
    expect_true(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
}

/* ---- send ---- */

static void before_send(struct stage *stage)
{
    stage_defaults(stage);
    write_input(stage, stage_letter(1));
    stage_start(stage);
    listen_in();
}

static void run_send(struct stage *stage)
{
    char url[SMTP_ADDRESS_TEXT_SIZE + 8];
    snprintf(url, sizeof url, "smtp://%s", stage->address);
    char *argv[] = {"send",     "--tls", "never",           "-f", "ann@example.com", "--file",
                    said.input, url,     "bob@example.com", NULL};
    run_verb(&smtp_verb_send, argv);
    stage_told(stage, 1, said.status == 0 ? SMTP_OK : SMTP_DELIVERY_UNKNOWN);
}

static void after_send(struct stage *stage)
{
    judge_verb(stage);
    stage_finish(stage);
}

/* ---- play ---- */

static void before_play(struct stage *stage)
{
    stage_defaults(stage);
    write_input(stage,
                "S: 220 ...\nC: EHLO client.example\nS: ...\nS: 250 ...\nC: QUIT\nS: 221 ...\n");
    stage_start(stage);
    listen_in();
}

static void run_play(struct stage *stage)
{
    char url[SMTP_ADDRESS_TEXT_SIZE + 8];
    snprintf(url, sizeof url, "smtp://%s", stage->address);
    char *argv[] = {"play", said.input, "--connect", url, "--timeout", "700", "-v", NULL};
    run_verb(&smtp_verb_play, argv);
}

/* ---- simulate ---- */

static void before_simulation(struct stage *stage)
{
    (void)stage;
    listen_in();
}

static void run_simulation(struct stage *stage)
{
    char *argv[] = {"simulate", "--seed", "7", "--runs", "3", NULL};
    char *told[] = {"simulate", "--seed", "7", "--run", "1", NULL};
    (void)stage;
    run_verb(&smtp_verb_simulate, argv);
    if (said.status == 0) {
        run_verb(&smtp_verb_simulate, told);
    }
}

/* ---- serve ---- */

struct served {
    struct stage *stage;
    int listener;
    pthread_t client;
};

/* Sends until it is taken, or nobody listens any more: the verb ends with the first message. */
static void *be_client(void *user)
{
    const struct served *served = user;
    struct smtp_client *client = NULL;
    failing_spare_thread();
    expect_int(smtp_client_new(&client, &served->stage->client), SMTP_OK);
    while (smtp_client_connect(client, served->stage->address, 0) != SMTP_CONNECT_FAILED &&
           (!smtp_client_is_connected(client) ||
            smtp_client_send(client, stage_envelope(), smtp_content_text(stage_letter(1)), NULL) !=
                SMTP_OK)) {
        smtp_client_close(client);
    }
    smtp_client_free(client);
    return NULL;
}

static void before_serve(struct stage *stage)
{
    static struct served served;
    stage_defaults(stage);
    served.listener = stage_listen(stage);
    served.stage = stage;
    stage->user = &served;
    listen_in();
    expect_int(pthread_create(&served.client, NULL, be_client, &served), 0);
}

static void run_serve(struct stage *stage)
{
    char listener[24];
    snprintf(listener, sizeof listener, "fd:%d", ((struct served *)stage->user)->listener);
    char *argv[] = {"serve", "--listen", listener, "--exit-after", "1", NULL};
    run_verb(&smtp_verb_serve, argv);
}

/* The server has closed its listener, unless it was never made. */
static void after_serve(struct stage *stage)
{
    const struct served *served = stage->user;
    (void)close(served->listener);
    pthread_join(served->client, NULL);
    judge_verb(stage);
}

/* ---- exec ---- */

/* What comes is the client's, as the command says nothing; the verb waits for it. */
static void run_exec(struct stage *stage)
{
    char listener[24];
    snprintf(listener, sizeof listener, "fd:%d", ((struct served *)stage->user)->listener);
    char *argv[] = {"exec",     "--listen",           listener, "--wait", "1",
                    "--expect", "to=bob@example.com", "--",     "true",   NULL};
    run_verb(&smtp_verb_exec, argv);
}

static const struct scenario sending = {"send", before_send, run_send, after_send},
                             playing = {"play", before_play, run_play, after_send},
                             simulating = {"simulate", before_simulation, run_simulation,
                                           judge_verb},
                             serving = {"serve", before_serve, run_serve, after_serve},
                             executing = {"exec", before_serve, run_exec, after_serve};

BOTH_FAIL(the_verb_send, sending)
BOTH_FAIL(the_verb_play, playing)
BOTH_FAIL(the_verb_simulate, simulating)
BOTH_FAIL(the_verb_serve, serving)
BOTH_FAIL(the_verb_exec, executing)
