/* kill.c - ends `smtp-harness serve --maildir DIR --durable` by SIGKILL at random moments while messages arrive, and looks
 * into the Maildir: each message that was answered 250 is there, once and whole; nothing in new is half a message; nothing is
 * there that was refused. Then the next one starts on what is left.
 *     kill PROGRAM [ROUNDS [SEED]]     ROUNDS: 100
 * Knows: what was sent, and what the client was told. */
#include "client/smtp_client.h"
#include "common/clock.h"
#include "tests/soak/kill_maildir.h"
#include "tests/soak/soak.h"

#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SENDERS 6
#define ANSWERED_MAX 60     /* before the end of a round */
#define MOMENT_MAX_US 20000 /* beyond that */
#define READY_MS 20000
#define URL_SIZE 64

extern char **environ;

struct trial {
    const char *program;
    char folder[64], maildir[80], ready[80];
    char url[URL_SIZE];
    struct kill_book *book;
    atomic_uint answered; /* in this round */
    atomic_uint senders;  /* at work */
};

/* ---- the server ---- */

/* Its address, without the scheme. */
static bool read_ready(struct trial *trial)
{
    FILE *file = fopen(trial->ready, "re");
    char url[URL_SIZE] = "";
    bool got =
        file != NULL && fgets(url, sizeof url, file) != NULL && strncmp(url, "smtp://", 7) == 0;
    if (file != NULL) {
        fclose(file);
    }
    if (got) {
        url[strcspn(url, "\n")] = '\0';
        memcpy(trial->url, url + 7, sizeof url - 7);
    }
    return got;
}

static pid_t start_server(struct trial *trial)
{
    const char *const argv[] = {
        trial->program, "serve",     "--listen",     "127.0.0.1:0", "--no-tls", "--maildir",
        trial->maildir, "--durable", "--ready-file", trial->ready,  NULL};
    pid_t pid = -1;
    posix_spawn_file_actions_t actions;
    unlink(trial->ready);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    int failure =
        posix_spawn(&pid, trial->program, &actions, NULL, (char *const *)(uintptr_t)argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (failure != 0) {
        return -1;
    }
    uint64_t deadline_ns = smtp_deadline_after(smtp_clock_now_ns(), READY_MS);
    while (!read_ready(trial)) {
        if (waitpid(pid, NULL, WNOHANG) != 0 || smtp_clock_now_ns() > deadline_ns) {
            (void)kill(pid, SIGKILL);
            return -1;
        }
        soak_tick(1);
    }
    return pid;
}

/* ---- the senders ---- */

static enum kill_answer send_next(struct trial *trial, struct smtp_client *client)
{
    static const char *const to[] = {"bob@example.com"};
    const struct smtp_envelope envelope = {
        .reverse_path = "ann@example.com", .forward_paths = to, .forward_path_count = 1};
    char *octets = NULL;
    size_t len = 0;
    uint64_t number = kill_book_next(trial->book, &octets, &len);
    if (number == 0) {
        return KILL_NOT_SENT;
    }
    enum smtp_status status =
        smtp_client_send(client, &envelope, smtp_content_memory(octets, len), NULL);
    enum kill_answer answer = status == SMTP_OK                 ? KILL_ACCEPTED
                              : status == SMTP_DELIVERY_UNKNOWN ? KILL_UNKNOWN
                                                                : KILL_NOT_SENT;
    kill_book_answer(trial->book, number, answer);
    free(octets);
    return answer;
}

static void *send_on(void *user)
{
    struct trial *trial = user;
    struct smtp_client *client = NULL;
    if (smtp_client_new(&client, NULL) == SMTP_OK &&
        smtp_client_connect(client, trial->url, 0) == SMTP_OK) {
        while (send_next(trial, client) == KILL_ACCEPTED) {
            atomic_fetch_add(&trial->answered, 1);
        }
    }
    smtp_client_free(client);
    atomic_fetch_sub(&trial->senders, 1);
    return NULL;
}

/* Until so many are answered, and then a moment. */
static void await_moment(struct trial *trial, uint64_t *chance)
{
    unsigned enough = 1 + (unsigned)(soak_chance(chance) % ANSWERED_MAX);
    uint64_t deadline_ns = smtp_deadline_after(smtp_clock_now_ns(), READY_MS);
    while (atomic_load(&trial->answered) < enough && atomic_load(&trial->senders) > 0 &&
           smtp_clock_now_ns() < deadline_ns) {
        soak_tick(1);
    }
    uint64_t moment_ns = smtp_clock_now_ns() + soak_chance(chance) % MOMENT_MAX_US * 1000;
    while (smtp_clock_now_ns() < moment_ns) {
        sched_yield();
    }
}

/* ---- a round ---- */

static bool try_round(struct trial *trial, uint64_t *chance)
{
    pthread_t threads[SENDERS];
    size_t begun = 0;
    pid_t pid = start_server(trial);
    if (pid < 0) {
        puts("FAIL the server did not start on what was left");
        return false;
    }
    atomic_store(&trial->answered, 0);
    atomic_store(&trial->senders, SENDERS);
    while (begun < SENDERS && pthread_create(&threads[begun], NULL, send_on, trial) == 0) {
        begun++;
    }
    await_moment(trial, chance);
    int how = 0;
    bool killed = kill(pid, SIGKILL) == 0 && waitpid(pid, &how, 0) == pid && WIFSIGNALED(how);
    for (size_t i = 0; i < begun; i++) {
        pthread_join(threads[i], NULL);
    }
    if (!killed || begun < SENDERS) {
        puts("FAIL the server had ended by itself");
        return false;
    }
    return kill_book_compare(trial->book, trial->maildir);
}

/* After all that one starts, takes a message, and ends as it should. */
static bool try_last(struct trial *trial)
{
    struct smtp_client *client = NULL;
    int how = 0;
    pid_t pid = start_server(trial);
    bool held = pid > 0 && smtp_client_new(&client, NULL) == SMTP_OK &&
                smtp_client_connect(client, trial->url, 0) == SMTP_OK &&
                send_next(trial, client) == KILL_ACCEPTED;
    smtp_client_free(client);
    held = pid > 0 && kill(pid, SIGTERM) == 0 && waitpid(pid, &how, 0) == pid && how == 0 && held;
    return kill_book_compare(trial->book, trial->maildir) && held;
}

static bool make_folder(struct trial *trial)
{
    const char *base = getenv("TMPDIR");
    snprintf(trial->folder, sizeof trial->folder, "%.40s/soak-kill-XXXXXX",
             base != NULL ? base : "/tmp");
    bool made = mkdtemp(trial->folder) != NULL;
    snprintf(trial->maildir, sizeof trial->maildir, "%s/Mail", trial->folder);
    snprintf(trial->ready, sizeof trial->ready, "%s/ready", trial->folder);
    return made;
}

int main(int argc, char **argv)
{
    static struct trial trial;
    uint64_t rounds = soak_argument(argc, argv, 2, 100), done = 0;
    uint64_t seed = soak_argument(argc, argv, 3, (uint64_t)smtp_clock_unix_ns()), chance = seed;
    trial.program = argv[1];
    trial.book = kill_book_new(seed);
    if (argc < 2 || trial.book == NULL || !make_folder(&trial)) {
        fputs("usage: kill PROGRAM [ROUNDS [SEED]]\n", stderr);
        return 2;
    }
    bool held = true;
    while (held && done < rounds) {
        held = try_round(&trial, &chance);
        done += held;
    }
    held = held && try_last(&trial);
    struct kill_sums sums = kill_book_sums(trial.book);
    printf("%s kills during durable delivery: %" PRIu64 " (seed %" PRIu64 "); answered %" PRIu64
           ", found %" PRIu64 ", lost %" PRIu64 "; cut off before the answer %" PRIu64
           ", of which %" PRIu64 " are there\n",
           held ? "ok  " : "FAIL", done, seed, sums.answered, sums.found,
           sums.answered - sums.found, sums.unknown, sums.unknown_found);
    printf("figures kills=%" PRIu64 " answered=%" PRIu64 " found=%" PRIu64 " lost=%" PRIu64 "\n",
           done, sums.answered, sums.found, sums.answered - sums.found);
    kill_maildir_remove(trial.maildir, trial.folder, trial.ready);
    kill_book_free(trial.book);
    return held ? 0 : 1;
}
