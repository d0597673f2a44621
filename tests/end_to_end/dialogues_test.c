/* dialogues_test.c - the RFCs' own dialogues (tests/dialogues/), each played as the client against this
 * project's server and as the server against this project's client. The table says what the server has to be
 * for it, and how the client is driven where not by the calls that its lines take. */
#include "harness/dialogue/dialogue.h"
#include "tests/end_to_end/as_written.h"
#include "tests/end_to_end/running_server.h"
#include "tests/support/files.h"
#include "tests/support/test.h"

#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#define ANSWERS_MAX 4

/** What the RFC's server says to one thing. */
struct answer {
    const char
        *to; /* a path or an argument as given, "path parameters", "connect", ". path" (LMTP) */
    int code;
    const char *enhanced; /* NULL: X.0.0 */
    const char *text;
};

struct row {
    const char *file;
    const char *offers; /* the keywords, parted by '|' */
    struct answer answers[ANSWERS_MAX];
    void (*drive)(const char *address, const char *text, const char *ca_pem); /* NULL: as written */
};

#define NO_SUCH_USER(path)                                                                         \
    {                                                                                              \
        {                                                                                          \
            path, 550, "5.1.1", "No such user here"                                                \
        }                                                                                          \
    }
#define USUAL "8BITMIME|SIZE|DSN|HELP"
#define CODES "ENHANCEDSTATUSCODES"

static const struct row rows[] = {
    {"rfc1870-8-size",
     "EXPN|HELP|SIZE 1000000",
     {{"ned@ymir.claremont.edu", 552, NULL, "Channel size limit exceeded"},
      {"ned@hmcvax.claremont.edu", 452, NULL, "Insufficient channel storage"}},
     NULL},
    {"rfc2033-4.2-lmtp",
     "LMTP|SIZE",
     {{"jones@foo.edu", 550, "5.1.1", "No such user here"},
      {". green@foo.edu", 452, "4.2.2", "<green@foo.edu> is temporarily over quota"}},
     NULL},
    {"rfc2033-4.2-no-recipient", "LMTP|SIZE", NO_SUCH_USER("jones@foo.edu"), NULL},
    {"rfc2034-6-enhanced-codes",
     CODES,
     {{"nosuchuser@dbc.mtview.ca.us", 550, "5.1.1", "Mailbox \"nosuchuser\" does not exist"},
      {"remoteuser@isi.edu", 551, "5.7.1",
       "Forwarding to remote hosts disabled\nSelect another host to act as your forwarder"}},
     NULL},
    /* Its own challenge is another one each time; so it is made to say this one, and to take the proof. */
    {"rfc2195-2-cram-md5",
     "AUTH PLAIN",
     {{"AUTH", 334, NULL, "PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+"},
      {"***", 235, NULL, "Authentication successful"}},
     NULL},
    {"rfc2852-5-deliver-by", "DELIVERBY", {{0}}, NULL},
    {"rfc2920-5-none-valid",
     "PIPELINING",
     {{"nsb@thumper.bellcore.com", 550, NULL, "remote mail not allowed"},
      {"galvin@tis.com", 550, NULL, "remote mail not allowed"},
      {"DATA", 554, NULL, "no valid recipients given"}}, /* its own is 503: RFC 5321 3.3 has both */
     drive_octets}, /* this client ends the transaction with RSET */
    {"rfc2920-5-one-by-one", "", {{0}}, NULL},
    /* This client waits for the reply to the content before QUIT, so that it can be told of a loss. */
    {"rfc2920-5-pipelined", "PIPELINING", {{0}}, drive_octets},
    {"rfc3030-4.1-chunking", "CHUNKING", {{0}}, NULL},
    /* This client says LAST with the last octets, and has no chunk of none. */
    {"rfc3030-4.2-binary", "PIPELINING|8BITMIME|CHUNKING|BINARYMIME", {{0}}, drive_octets},
    {"rfc3207-5-starttls", "8BITMIME|DSN|STARTTLS", {{0}}, NULL},
    {"rfc3461-10.1-submission", "DSN", {{0}}, NULL},
    {"rfc3461-10.2-relay", "DSN", {{0}}, NULL},
    {"rfc3461-10.3-relay-without", "HELP", NO_SUCH_USER("Dana@Ivory.EDU"), NULL},
    {"rfc3461-10.4-relay-never", "DSN", {{0}}, NULL},
    {"rfc3461-10.5-forwarding", "DSN", {{0}}, NULL},
    {"rfc4865-4-future-release", "FUTURERELEASE", {{0}}, NULL},
    {"rfc4954-5-mail-auth", CODES "|AUTH PLAIN", {{0}}, NULL},
    {"rfc4954-6-plain", CODES "|STARTTLS|AUTH PLAIN", {{0}}, NULL},
    {"rfc4954-6-plain-asked", CODES "|STARTTLS|AUTH PLAIN", {{0}}, NULL},
    {"rfc5321-3.1-no-service", "", {{"connect", 554, NULL, "No SMTP service here"}}, NULL},
    {"rfc5321-3.2-helo", "", {{"EHLO", 502, NULL, "Command not implemented"}}, NULL},
    {"rfc5321-3.4-forwarding",
     "HELP",
     {{"Jones@foo.com", 251, NULL, "User not local; will forward to <Jones@xyz.com>"},
      {"Postel@foo.com", 551, NULL, "User not local; please try <Postel@isi.edu>"}},
     NULL},
    {"rfc5321-3.5.1-ambiguous",
     "VRFY",
     {{"Smith", 553, NULL,
       "Ambiguous; Possibilities are\nJoe Smith <jsmith@foo.com>\nHarry Smith <hsmith@foo.com>\n"
       "Melvin Smith <dweep@foo.com>"},
      {"Jones", 553, NULL, "User ambiguous"}},
     NULL},
    {"rfc5321-3.5.1-expn",
     "EXPN",
     {{"Example-People", 250, NULL,
       "Jon Postel <Postel@isi.edu>\nFred Fonebone <Fonebone@physics.foo-u.edu>\n"
       "Sam Q. Smith <SQSmith@specific.generic.com>"},
      {"Executive-Washroom-List", 550, NULL, "Access Denied to You."}},
     NULL},
    {"rfc5321-3.8-shut-down",
     "HELP",
     {{"Jones@foo.com", 421, NULL, "Service not available, closing transmission channel"}},
     NULL},
    {"rfc5321-4.1.1-commands", "VRFY|HELP", {{0}}, NULL},
    {"rfc5321-4.1.2-source-route", "HELP", {{0}}, drive_octets}, /* F.2: clients should not */
    {"rfc5321-4.1.4-order", "HELP", {{0}}, drive_octets},        /* its calls keep the order */
    {"rfc5321-4.2.1-multiline",
     "",
     {{"NOOP", 250, NULL,
       "First line\nSecond line\n234 Text beginning with numbers\nThe last line"}},
     NULL},
    {"rfc5321-4.5.3-too-many", "HELP", {{"Brown@foo.com", 452, NULL, "Too many recipients"}}, NULL},
    {"rfc5321-d.1-typical", USUAL, NO_SUCH_USER("Green@foo.com"), NULL},
    {"rfc5321-d.2-aborted", USUAL, NO_SUCH_USER("Green@foo.com"), NULL},
    {"rfc5321-d.3-relayed-step-1", USUAL, {{0}}, NULL},
    {"rfc5321-d.3-relayed-step-2", "", {{0}}, NULL},
    {"rfc5321-d.4-verifying",
     USUAL "|VRFY",
     {{"Crispin", 250, NULL, "Mark Crispin <Admin.MRC@foo.com>"}},
     NULL},
    {"rfc6531-3-smtputf8", "8BITMIME|SMTPUTF8", {{0}}, NULL},
    {"rfc6710-10-priority",
     "SIZE 20000000|DSN|MT-PRIORITY|" CODES,
     {{"eljefe@example.net MT-PRIORITY=3", 250, "2.3.6",
       "<eljefe@example.net> sender ok\n2 is the new priority assigned to the message"}},
     NULL},
    {"rfc7504-3-no-mail", "", {{"connect", 521, NULL, "does not accept mail"}}, NULL},
    {"rfc7504-4-null-mx",
     "HELP",
     {{"bob@nomail.example", 556, NULL, "Domain does not accept mail"}},
     NULL},
    {"rfc8689-2-require-tls", "STARTTLS|REQUIRETLS", {{0}}, NULL},
    {"rfc9422-3-limits", "8BITMIME|SIZE 100000000|LIMITS|" CODES, {{0}}, NULL},
};
#define ROW_COUNT (sizeof rows / sizeof *rows)

/* ---- this project's server, as a row wants it ---- */

static const struct answer *answer_to(const struct row *row, const char *what)
{
    for (size_t i = 0; i < ANSWERS_MAX && row->answers[i].to != NULL; i++) {
        if (strcasecmp(row->answers[i].to, what) == 0) {
            return &row->answers[i];
        }
    }
    return NULL;
}

static enum smtp_server_verdict answer(const void *row, const char *what,
                                       struct smtp_server_reply *reply)
{
    const struct answer *found = answer_to(row, what);
    if (found == NULL) {
        return SMTP_ACCEPT;
    }
    enum smtp_server_verdict verdict =
        smtp_server_reply(reply, found->code, found->enhanced, "%s", found->text);
    bool closes = found->code == 421 || found->code == 521; /* RFC 5321 3.8, RFC 7504 3 */
    return closes ? SMTP_DISCONNECT : verdict;
}

static enum smtp_server_verdict on_connect(void *row,
                                           const struct smtp_server_session_info *session,
                                           struct smtp_server_reply *reply)
{
    (void)session;
    return answer(row, "connect", reply);
}

static enum smtp_server_verdict on_path(void *row, const struct smtp_server_session_info *session,
                                        const char *path, const char *parameters,
                                        struct smtp_server_reply *reply)
{
    char whole[512];
    (void)session;
    snprintf(whole, sizeof whole, "%s %s", path, parameters);
    return answer_to(row, path) != NULL ? answer(row, path, reply) : answer(row, whole, reply);
}

static enum smtp_server_verdict on_inquiry(void *row,
                                           const struct smtp_server_session_info *session,
                                           const char *argument, struct smtp_server_reply *reply)
{
    (void)session;
    return answer(row, argument, reply);
}

static enum smtp_server_verdict on_message(void *row,
                                           const struct smtp_server_session_info *session,
                                           struct smtp_message *message,
                                           struct smtp_server_reply *reply)
{
    char what[512];
    for (size_t i = 0; session->lmtp && i < smtp_message_recipient_count(message); i++) {
        snprintf(what, sizeof what, ". %s", smtp_message_forward_path(message, i));
        (void)answer(row, what, &reply[i]);
    }
    return SMTP_ACCEPT;
}

static bool on_step(void *row, const struct smtp_server_session_info *session,
                    const struct smtp_server_step *step, struct smtp_server_fault *fault)
{
    (void)session;
    (void)answer(row, step->verb, &fault->reply);
    return fault->reply.code != 0;
}

static bool offers(const struct row *row, const char *keyword)
{
    const char *at = row->offers;
    size_t len = strlen(keyword);
    while (*at != '\0' && (strncmp(at, keyword, len) != 0 || strchr("| ", at[len]) == NULL)) {
        at += strcspn(at, "|");
        at += *at == '|';
    }
    return *at != '\0';
}

static struct smtp_server_keywords keywords_of(const struct row *row)
{
    return (struct smtp_server_keywords){.pipelining = offers(row, "PIPELINING"),
                                         .size = offers(row, "SIZE"),
                                         .eight_bit_mime = offers(row, "8BITMIME"),
                                         .smtputf8 = offers(row, "SMTPUTF8"),
                                         .chunking = offers(row, "CHUNKING"),
                                         .binary_mime = offers(row, "BINARYMIME"),
                                         .dsn = offers(row, "DSN"),
                                         .enhanced_status_codes = offers(row, CODES),
                                         .require_tls = offers(row, "REQUIRETLS"),
                                         .limits = offers(row, "LIMITS"),
                                         .vrfy = offers(row, "VRFY"),
                                         .expn = offers(row, "EXPN"),
                                         .help = offers(row, "HELP"),
                                         .future_release = offers(row, "FUTURERELEASE"),
                                         .deliver_by = offers(row, "DELIVERBY"),
                                         .mt_priority = offers(row, "MT-PRIORITY")};
}

static struct smtp_server *server_of(const struct row *row, struct smtp_identity *identity)
{
    static const struct smtp_server_user test = {"test", "1234"};
    const char *listen = offers(row, "LMTP") ? "lmtp://127.0.0.1:0" : "127.0.0.1:0";
    const char *size = strstr(row->offers, "SIZE ");
    struct smtp_server_options options;
    smtp_server_options_init(&options);
    options.listen = &listen;
    options.listen_count = 1;
    options.keywords = keywords_of(row);
    options.limits.message_octets = size != NULL ? strtoul(size + 5, NULL, 10) : 0;
    options.limits.messages = options.limits.recipients = offers(row, "LIMITS") ? 1 : 100;
    options.limits.hold_s = 86400;
    options.tls.identity = identity;
    options.tls.mode = offers(row, "STARTTLS") ? SMTP_SERVER_TLS_OFFERED : SMTP_SERVER_TLS_OFF;
    options.auth.users = &test;
    options.auth.user_count = offers(row, "AUTH") ? 1 : 0;
    options.auth.mechanisms = "PLAIN";
    options.auth.plain_without_tls = !offers(row, "STARTTLS");
    options.hooks = (struct smtp_server_hooks){.user = (void *)(uintptr_t)row,
                                               .connect = on_connect,
                                               .mail = on_path,
                                               .rcpt = on_path,
                                               .message = on_message,
                                               .fault = on_step};
    options.hooks.vrfy = offers(row, "VRFY") && row->answers[0].to != NULL ? on_inquiry : NULL;
    options.hooks.expn = offers(row, "EXPN") ? on_inquiry : NULL;
    return started(&options);
}

/* ---- both roles ---- */

struct played {
    const struct row *row;
    char *text;
    struct smtp_identity *identity;
    struct smtp_dialogue *dialogue;
    struct smtp_dialogue_options options;
    struct smtp_dialogue_result result;
    int listener;
};

static void prepare(struct played *played, const struct row *row)
{
    char path[512];
    size_t len;
    struct smtp_harness_lines why = SMTP_HARNESS_LINES;
    *played = (struct played){.row = row, .options = {.step_timeout_ms = 5000}};
    snprintf(path, sizeof path, SMTP_DIALOGUES "/%s.smtp", row->file);
    played->text = smtp_read_file(path, &len);
    if (smtp_dialogue_parse(&played->dialogue, row->file, (struct smtp_span){played->text, len},
                            &why) != SMTP_OK) {
        SMTP_TEST_FAIL("%s", smtp_harness_lines_take(&why));
    }
    smtp_buffer_free(&why.buffer);
    expect_int(smtp_identity_new(&played->identity, NULL, NULL), SMTP_OK);
}

/* Adds its report to those of the others; false: it held. */
static bool failed(struct played *played, struct smtp_harness_lines *reports)
{
    bool held = played->result.outcome == SMTP_DIALOGUE_HELD;
    if (!held) {
        smtp_harness_lines_print(reports, "%s\n", played->result.report);
    }
    smtp_dialogue_result_clear(&played->result);
    smtp_dialogue_free(played->dialogue);
    smtp_identity_release(played->identity);
    free(played->text);
    return !held;
}

static void expect_none(unsigned failures, struct smtp_harness_lines *reports)
{
    char *text = smtp_harness_lines_take(reports);
    if (failures > 0) {
        SMTP_TEST_FAIL("%u of %zu dialogues went another way:\n%s", failures, ROW_COUNT, text);
    }
    free(text);
}

TEST_WITHIN(dialogues, each_is_played_as_the_client_against_this_server, 60)
{
    struct smtp_harness_lines reports = SMTP_HARNESS_LINES;
    unsigned failures = 0;
    for (size_t i = 0; i < ROW_COUNT; i++) {
        struct played played;
        prepare(&played, &rows[i]);
        struct smtp_server *server = server_of(&rows[i], played.identity);
        played.options.ca_pem = smtp_identity_ca_pem(played.identity);
        smtp_dialogue_play_client(played.dialogue, smtp_server_address(server, 0), &played.options,
                                  &played.result);
        smtp_server_free(server);
        failures += failed(&played, &reports);
    }
    expect_none(failures, &reports);
}

static void *play_server(void *user)
{
    struct played *played = user;
    smtp_dialogue_play_server(played->dialogue, played->listener, &played->options,
                              &played->result);
    return NULL;
}

TEST_WITHIN(dialogues, each_is_played_as_the_server_against_this_client, 60)
{
    struct smtp_harness_lines reports = SMTP_HARNESS_LINES;
    unsigned failures = 0;
    for (size_t i = 0; i < ROW_COUNT; i++) {
        const struct row *row = &rows[i];
        struct played played;
        pthread_t thread;
        char address[64];
        prepare(&played, row);
        played.options.identity = played.identity;
        played.listener = listen_somewhere(offers(row, "LMTP") ? "lmtp://" : "", address);
        expect_int(pthread_create(&thread, NULL, play_server, &played), 0);
        (row->drive != NULL ? row->drive : drive_as_written)(address, played.text,
                                                             smtp_identity_ca_pem(played.identity));
        pthread_join(thread, NULL);
        close(played.listener);
        failures += failed(&played, &reports);
    }
    expect_none(failures, &reports);
}

/* ---- the table ---- */

static const struct row *row_of(const char *file)
{
    for (size_t i = 0; i < ROW_COUNT; i++) {
        size_t len = strlen(rows[i].file);
        if (strncmp(rows[i].file, file, len) == 0 && strcmp(file + len, ".smtp") == 0) {
            return &rows[i];
        }
    }
    return NULL;
}

TEST(dialogues, every_file_is_in_the_table_and_names_its_rfc_first)
{
    DIR *directory = opendir(SMTP_DIALOGUES);
    size_t count = 0, len;
    expect_true(directory != NULL);
    for (struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory)) {
        if (entry->d_name[0] == '.') {
            continue;
        }
        char path[512];
        if (row_of(entry->d_name) == NULL) {
            SMTP_TEST_FAIL("tests/dialogues/%s has no row in dialogues_test.c", entry->d_name);
        }
        snprintf(path, sizeof path, SMTP_DIALOGUES "/%s", entry->d_name);
        char *text = smtp_read_file(path, &len);
        expect_true(strncmp(text, "# RFC ", 6) == 0);
        free(text);
        count++;
    }
    closedir(directory);
    expect_int(count, ROW_COUNT);
}
