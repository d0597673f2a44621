/* server_proof.c - see server_proof.h. */
#include "tests/conformance/server_proof.h"

#include "common/clock.h"
#include "common/net.h"
#include "harness/dialogue/dialogue.h"
#include "harness/smtp_relay.h"
#include "server/smtp_receivers.h"
#include "tests/conformance/proof.h"
#include "tests/support/files.h"
#include "tests/support/test.h"

#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#define TIMEOUT_MS 4000
#define MUTE_MS 1000
#define QUIET_MS 60
#define JOBS 6

/* 255 octets each */
#define TEN(octet) octet octet octet octet octet octet octet octet octet octet
#define LONG(octet)                                                                                \
    TEN(TEN(octet))                                                                                \
    TEN(TEN(octet))                                                                                \
    TEN(octet) TEN(octet) TEN(octet) TEN(octet) TEN(octet) octet octet octet octet octet
#define LONG_USER LONG("u")
#define LONG_PASSWORD LONG("p")

#define LATE_MAX 4

/** A message that arrives later. */
struct late {
    struct judgement *judgement;
    struct smtp_proof_mail mail;
    pthread_t thread;
};

/** One rule against one server. */
struct judgement {
    struct smtp_proof verdict;
    const struct smtp_server_proof *proof;
    bool wrong; /* the server breaks the rule */
    struct smtp_check_options options;
    struct smtp_arrivals *arrivals;
    char directory[64];
    char address[64];

    struct late late[LATE_MAX];
    size_t late_count;
    int late_end[2]; /* a pipe: closed, nothing more arrives */

    struct smtp_harness *harness;
    /* in place of it */
    struct smtp_dialogue *dialogue;
    int listener;
    pthread_t thread;
    atomic_bool over;
};

struct smtp_proof_kept {
    struct smtp_proof_kept *next;
    char *text;
};

const char *smtp_proof_text(struct smtp_proof_mail *mail, const char *format, ...)
{
    struct smtp_proof_kept *kept = calloc(1, sizeof *kept);
    va_list arguments;
    va_start(arguments, format);
    if (kept == NULL || vasprintf(&kept->text, format, arguments) < 0) {
        abort();
    }
    va_end(arguments);
    kept->next = mail->kept;
    mail->kept = kept;
    return kept->text;
}

static void clear_mail(struct smtp_proof_mail *mail)
{
    while (mail->kept != NULL) {
        struct smtp_proof_kept *next = mail->kept->next;
        free(mail->kept->text);
        free(mail->kept);
        mail->kept = next;
    }
}

/** Whether it is judged with that. */
static bool has(const struct judgement *judgement, enum smtp_proof_with what)
{
    const struct smtp_server_proof *proof = judgement->proof;
    return ((proof->with | (judgement->wrong ? 0u : proof->right_with)) & what) != 0;
}

/* ---- our own server ---- */

static bool (*mangle_of(const struct judgement *judgement))(struct smtp_proof_mail *)
{
    return judgement->wrong ? judgement->proof->mangle : judgement->proof->right_mangle;
}

static bool (*notify_of(const struct judgement *judgement))(struct smtp_proof_mail *)
{
    return judgement->wrong ? judgement->proof->notify : judgement->proof->right_notify;
}

static struct smtp_proof_mail mail_of(const struct smtp_message *message)
{
    size_t size = 0;
    const char *content = smtp_message_content(message, &size);
    struct smtp_proof_mail mail = {
        .arrival = {.content = {content, size}, .raw = {content, size}},
        .copies = 1,
    };
    mail.arrival.mail =
        smtp_span_of(smtp_proof_text(&mail, "MAIL FROM:<%s> %s", smtp_message_reverse_path(message),
                                     smtp_message_mail_parameters(message)));
    const char *rcpts = "";
    for (size_t i = 0; i < smtp_message_recipient_count(message); i++) {
        rcpts = smtp_proof_text(&mail, "%sRCPT TO:<%s> %s\n", rcpts,
                                smtp_message_forward_path(message, i),
                                smtp_message_rcpt_parameters(message, i));
    }
    mail.arrival.rcpts = smtp_span_of(rcpts);
    return mail;
}

static void arrive(struct judgement *judgement, const struct smtp_proof_mail *mail)
{
    for (unsigned copy = 0; copy < mail->copies; copy++) {
        smtp_arrivals_add(judgement->arrivals, &mail->arrival);
    }
}

static void *arrive_late(void *user)
{
    struct late *late = user;
    struct pollfd end = {.fd = late->judgement->late_end[0], .events = POLLIN};
    if (poll(&end, 1, (int)late->mail.late_ms) == 0) {
        arrive(late->judgement, &late->mail);
    }
    return NULL;
}

/** False: so many are late already. */
static bool begin_late(struct judgement *judgement, const struct smtp_proof_mail *mail)
{
    if (judgement->late_count == LATE_MAX) {
        return false;
    }
    if (judgement->late_count == 0) {
        expect_int(pipe(judgement->late_end), 0);
    }
    struct late *late = &judgement->late[judgement->late_count++];
    *late = (struct late){.judgement = judgement, .mail = *mail};
    expect_int(pthread_create(&late->thread, NULL, arrive_late, late), 0);
    return true;
}

static void end_late(struct judgement *judgement)
{
    if (judgement->late_count == 0) {
        return;
    }
    close(judgement->late_end[1]);
    for (size_t i = 0; i < judgement->late_count; i++) {
        pthread_join(judgement->late[i].thread, NULL);
        clear_mail(&judgement->late[i].mail);
    }
    close(judgement->late_end[0]);
}

static enum smtp_server_verdict mangle(void *user, const struct smtp_server_session_info *session,
                                       struct smtp_message *message,
                                       struct smtp_server_reply *reply)
{
    struct judgement *judgement = user;
    struct smtp_proof_mail mail = mail_of(message);
    if ((judgement->proof->with & PROOF_RELAY) != 0) {
        mail.sink_port = smtp_arrivals_port(judgement->arrivals);
    }
    (void)session;
    (void)reply;
    bool notifies = notify_of(judgement) != NULL && notify_of(judgement)(&mail);
    if (mangle_of(judgement)(&mail)) {
        if (mail.late_ms > 0 && begin_late(judgement, &mail)) {
            return SMTP_ACCEPT;
        }
        arrive(judgement, &mail);
    }
    if (notifies) {
        smtp_arrivals_add(judgement->arrivals, &mail.notification);
    }
    clear_mail(&mail);
    return has(judgement, PROOF_REFUSES) ? SMTP_REFUSE : SMTP_ACCEPT;
}

/** Where its messages go: through `mangle`, into a Maildir, or to the sink. False: nowhere else. */
static bool receive(struct judgement *judgement, struct smtp_server_hooks *table)
{
    struct smtp_error error;
    if (mangle_of(judgement) != NULL) {
        *table = (struct smtp_server_hooks){.user = judgement, .message = mangle};
        return true;
    }
    if (has(judgement, PROOF_MAILDIR)) {
        const struct smtp_maildir maildir = {.path = judgement->directory};
        expect_int(smtp_receiver_maildir(table, &maildir, &error), SMTP_OK);
        return true;
    }
    if (has(judgement, PROOF_RELAY)) {
        char next[32];
        snprintf(next, sizeof next, "127.0.0.1:%u",
                 (unsigned)smtp_arrivals_port(judgement->arrivals));
        expect_int(smtp_receiver_relay(table, next, NULL, NULL, &error), SMTP_OK);
        return true;
    }
    return false;
}

static void start_own(struct judgement *judgement)
{
    static const struct smtp_server_user users[] = {{PROOF_USER, PROOF_PASSWORD},
                                                    {LONG_USER, LONG_PASSWORD}};
    const struct smtp_server_proof *proof = judgement->proof;
    struct smtp_harness_options options;
    struct smtp_server_hooks table;
    struct smtp_error error;
    smtp_harness_options_init(&options);
    const char *listen = has(judgement, PROOF_LMTP)           ? "lmtp://127.0.0.1:0"
                         : has(judgement, PROOF_IMPLICIT_TLS) ? "smtps://127.0.0.1:0"
                                                              : "127.0.0.1:0";
    options.server.listen = &listen;
    options.server.listen_count = 1;
    options.server.auth.users = users;
    options.server.auth.user_count = 2;
    if (proof->configure != NULL) {
        proof->configure(&options);
    }
    if (judgement->wrong && proof->spoil != NULL) {
        proof->spoil(&options);
    }
    if (receive(judgement, &table)) {
        options.server.receivers = &table;
        options.server.receiver_count = 1;
    }
    judgement->harness = smtp_harness_start(&options, &error);
    if (judgement->harness == NULL) {
        smtp_proof_complain(&judgement->verdict, "our own server does not start: %s",
                            error.message);
        return;
    }
    for (size_t i = 0; judgement->wrong && i < 4 && proof->faults[i] != NULL; i++) {
        if (smtp_harness_fault(judgement->harness, proof->faults[i]) != SMTP_OK) {
            smtp_proof_complain(&judgement->verdict, "%s",
                                smtp_harness_failure(judgement->harness));
        }
    }
    expect_int(
        smtp_harness_fault(judgement->harness, "rcpt *" PROOF_BAD "*: reply 550 5.1.1 \"Nobody\""),
        SMTP_OK);
    snprintf(judgement->address, sizeof judgement->address, "127.0.0.1:%u",
             (unsigned)smtp_harness_port(judgement->harness));
}

/* ---- another ---- */

static const char *dialogue_of(const struct judgement *judgement)
{
    return judgement->wrong ? judgement->proof->dialogue : judgement->proof->right_dialogue;
}

static void (*serve_of(const struct judgement *judgement))(int, struct smtp_arrivals *)
{
    return judgement->wrong ? judgement->proof->serve : judgement->proof->right_serve;
}

static void read_dialogue(struct judgement *judgement)
{
    struct smtp_harness_lines why = SMTP_HARNESS_LINES;
    struct smtp_span text = smtp_span_of(dialogue_of(judgement));
    if (smtp_dialogue_parse(&judgement->dialogue, judgement->proof->id, text, &why) != SMTP_OK) {
        char *lines = smtp_harness_lines_take(&why);
        smtp_proof_complain(&judgement->verdict, "%s", lines);
        free(lines);
    }
}

static void play(struct judgement *judgement)
{
    const struct smtp_dialogue_options options = {.step_timeout_ms = TIMEOUT_MS};
    while (!judgement->over) { /* it may be asked more often than it has sessions */
        struct smtp_dialogue_result result;
        (void)smtp_dialogue_play_server(judgement->dialogue, judgement->listener, &options,
                                        &result);
        smtp_dialogue_result_clear(&result);
    }
}

static void *run_other(void *user)
{
    struct judgement *judgement = user;
    if (judgement->dialogue != NULL) {
        play(judgement);
        return NULL;
    }
    while (!judgement->over) {
        struct pollfd item = {.fd = judgement->listener, .events = POLLIN};
        int fd = poll(&item, 1, -1) > 0 ? smtp_net_accept(judgement->listener) : -1;
        if (fd >= 0) {
            serve_of(judgement)(fd, judgement->arrivals);
            close(fd);
        }
    }
    return NULL;
}

static void start_other(struct judgement *judgement)
{
    struct smtp_address address = {.kind = SMTP_ADDRESS_TCP, .host = "127.0.0.1"};
    struct smtp_error error;
    if (dialogue_of(judgement) != NULL) {
        read_dialogue(judgement);
    }
    if (judgement->verdict.complaint != NULL) {
        return;
    }
    expect_int(smtp_net_listen(&address, &judgement->listener, &error), SMTP_OK);
    smtp_address_of_socket(judgement->listener, false, &address);
    snprintf(judgement->address, sizeof judgement->address, "127.0.0.1:%u", (unsigned)address.port);
    expect_int(pthread_create(&judgement->thread, NULL, run_other, judgement), 0);
}

static void stop(struct judgement *judgement)
{
    smtp_harness_stop(judgement->harness);
    end_late(judgement);
    if (judgement->listener >= 0) {
        judgement->over = true;
        shutdown(judgement->listener, SHUT_RD);
        pthread_join(judgement->thread, NULL);
        close(judgement->listener);
    }
    smtp_dialogue_free(judgement->dialogue);
    smtp_arrivals_free(judgement->arrivals);
    if (judgement->directory[0] != '\0') {
        smtp_remove_directory(judgement->directory);
    }
}

/* ---- judging ---- */

static void watch_arrivals(struct judgement *judgement)
{
    struct smtp_error error;
    if (has(judgement, PROOF_MAILDIR)) {
        /* the receiver makes the folders, so it is there before anybody watches */
        struct smtp_server_hooks table;
        smtp_make_directory(judgement->directory);
        const struct smtp_maildir maildir = {.path = judgement->directory};
        expect_int(smtp_receiver_maildir(&table, &maildir, &error), SMTP_OK);
        table.release(table.user);
        expect_int(smtp_arrivals_new_maildir(&judgement->arrivals, judgement->directory, &error),
                   SMTP_OK);
    } else if (has(judgement, PROOF_RELAY)) {
        expect_int(smtp_arrivals_new_sink(&judgement->arrivals, 0, &error), SMTP_OK);
    }
}

static void give_login(struct judgement *judgement)
{
    struct smtp_check_options *options = &judgement->options;
    if (has(judgement, PROOF_LOGIN)) {
        options->user = PROOF_USER;
        options->password = PROOF_PASSWORD;
    } else if (has(judgement, PROOF_LONG_LOGIN)) {
        options->user = LONG_USER;
        options->password = LONG_PASSWORD;
    }
}

static void judge(void *item)
{
    struct judgement *judgement = item;
    static const char *const recipients[] = {PROOF_RECIPIENT, PROOF_OTHER};
    const struct smtp_server_proof *proof = judgement->proof;
    judgement->listener = -1;
    watch_arrivals(judgement);
    if (dialogue_of(judgement) != NULL || serve_of(judgement) != NULL) {
        start_other(judgement);
    } else {
        start_own(judgement);
    }
    judgement->options = (struct smtp_check_options){
        .timeout_ms = judgement->wrong && proof->is_mute ? MUTE_MS : TIMEOUT_MS,
        .quiet_ms = QUIET_MS,
        .slow = has(judgement, PROOF_SLOW),
        .slow_divisor = 1000,
        .address = judgement->address,
        .implicit_tls = has(judgement, PROOF_IMPLICIT_TLS),
        .starttls = has(judgement, PROOF_STARTTLS),
        .lmtp = has(judgement, PROOF_LMTP),
        .recipients = recipients,
        .recipient_count = 2,
        .bad_recipient = PROOF_BAD,
        .role = has(judgement, PROOF_MX)           ? SMTP_ROLE_MX
                : has(judgement, PROOF_SUBMISSION) ? SMTP_ROLE_SUBMISSION
                                                   : SMTP_ROLE_UNKNOWN,
        .arrivals = judgement->arrivals,
    };
    give_login(judgement);
    smtp_proof_judge(&judgement->verdict, &judgement->options);
    stop(judgement);
}

/* ---- all of a table ---- */

static struct judgement by_server(const struct smtp_server_proof *row, bool wrong)
{
    return (struct judgement){.verdict = {.side = SMTP_RULE_SERVER,
                                          .id = row->id,
                                          .by = wrong ? "the wrong server" : "the right server",
                                          .expected = wrong ? SMTP_FAIL : row->right_verdict,
                                          .detail = wrong ? row->detail : NULL,
                                          .warning = wrong ? NULL : row->right_warning},
                              .proof = row,
                              .wrong = wrong};
}

void smtp_server_proofs_hold(const struct smtp_server_proof *proofs, size_t count)
{
    struct judgement *judgements = calloc(2 * count, sizeof *judgements);
    expect_true(judgements != NULL);
    for (size_t i = 0; i < 2 * count; i++) {
        judgements[i] = by_server(&proofs[i / 2], i % 2 == 0);
    }
    smtp_proofs_hold(judgements, sizeof *judgements, 2 * count, judge, JOBS);
}
