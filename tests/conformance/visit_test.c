/* visit_test.c - the server's part for a client under test: what is kept of a session, what the script changes, how the
 * command hears of its task, and that every command ends in time with all that it started. The commands are small
 * shells and Python scripts. */
#include "common/clock.h"
#include "harness/conformance/suite.h"
#include "harness/conformance/visit.h"
#include "tests/support/test.h"

#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

/** Visits one command and looks at what was seen; the rule is there so that the suite makes the check. */
struct trial {
    struct smtp_rule rule; /* the first */
    const struct smtp_task *task;
    const struct smtp_script *script;
    void (*look)(struct smtp_visit *visit);
    uint64_t timeout_ms;
    enum smtp_verdict verdict;
    char detail[512];
    size_t dialogue_count;
    uint64_t elapsed_ns;
};

static void judge(struct smtp_check *check)
{
    const struct trial *trial = (const void *)check->rule;
    struct smtp_visit *visit = smtp_visit(check, trial->task, trial->script);
    if (visit != NULL && trial->look != NULL) {
        trial->look(visit);
    }
}

static void keep(void *user, const struct smtp_suite_result *result)
{
    struct trial *trial = user;
    trial->verdict = result->verdict;
    trial->dialogue_count = result->dialogue_count;
    trial->elapsed_ns = result->elapsed_ns;
    snprintf(trial->detail, sizeof trial->detail, "%s", result->detail);
}

static void visit(struct trial *trial, const char *const *command)
{
    const struct smtp_check_options options = {.timeout_ms =
                                                   trial->timeout_ms ? trial->timeout_ms : 8000,
                                               .quiet_ms = 50,
                                               .command = (char *const *)(uintptr_t)command};
    trial->rule = (struct smtp_rule){.id = "trial", .requirement = "", .check = "", .judge = judge};
    smtp_suite_judge(&trial->rule, &options, keep, trial);
}

#define SHELL(script) ((const char *const[]){"/bin/sh", "-c", (script), "{port}", NULL})
/** With `say(line)`, `hear()` and a connected socket. */
#define PYTHON(script)                                                                             \
    ((const char *const[]){                                                                        \
        PYTHON_PROGRAM, "-c",                                                                      \
        "import os,socket,sys,time\n"                                                              \
        "s=socket.create_connection((os.environ['SMTP_HOST'],int(os.environ['SMTP_PORT'])))\n"     \
        "f=s.makefile('rb')\n"                                                                     \
        "def hear():\n"                                                                            \
        "  while True:\n"                                                                          \
        "    l=f.readline()\n"                                                                     \
        "    if len(l)<4 or l[3:4]!=b'-': return l\n"                                              \
        "def say(x):\n"                                                                            \
        "  s.sendall(x.encode('latin1'))\n"                                                        \
        "def ask(x):\n"                                                                            \
        "  say(x+'\\r\\n')\n"                                                                      \
        "  return hear()\n" script,                                                                \
        "{port}", NULL})
#define WHOLE_SESSION                                                                              \
    "hear()\nask('EHLO me.example')\nask('MAIL FROM:<a@x>')\nask('RCPT TO:<b@x>')\n"               \
    "ask('DATA')\nask('Subject: x\\r\\n\\r\\n..dot\\r\\n.')\nask('QUIT')\n"

static void expect_pass(struct trial *trial)
{
    if (trial->verdict != SMTP_PASS) {
        SMTP_TEST_FAIL("%s", trial->detail);
    }
}

static void expect_span(struct smtp_span span, const char *text)
{
    char copy[1024];
    expect_true(span.len < sizeof copy);
    smtp_bytes_copy(copy, span);
    copy[span.len] = '\0';
    expect_str(copy, text);
}

/* ---- what is seen ---- */

static void look_at_whole_session(struct smtp_visit *visit)
{
    static const char *const names[] = {"EHLO", "MAIL", "RCPT", "DATA", "dot", "QUIT"};
    static const int codes[] = {250, 250, 250, 354, 250, 221};
    expect_int(visit->command_count, 6);
    for (size_t i = 0; i < 6; i++) {
        expect_str(visit->commands[i].name, names[i]);
        expect_int(visit->commands[i].code, codes[i]);
        expect_true(!visit->commands[i].early && !visit->commands[i].in_tls);
    }
    expect_span(smtp_visit_find(visit, "EHLO", 0)->line, "EHLO me.example");
    expect_true(smtp_visit_find(visit, "EHLO", 1) == NULL);
    expect_int(smtp_visit_count(visit, "RCPT", "<B@X>"), 1);
    expect_int(visit->session_count, 1);
    smtp_visit_expect(visit, SMTP_VISIT_SENT);
    smtp_visit_expect_none(visit, "RSET", "nothing was to be reset");
    const struct smtp_visit_message *message = smtp_visit_expect_message(visit);
    expect_true(message != NULL);
    expect_span(message->mail, "MAIL FROM:<a@x>");
    expect_span(message->rcpts, "RCPT TO:<b@x>");
    expect_span(message->raw, "Subject: x\r\n\r\n..dot\r\n.\r\n");
    expect_span(message->content, "Subject: x\r\n\r\n.dot\r\n");
    expect_true(message->complete && !message->by_bdat);
    expect_int(visit->clear.len, strlen("EHLO me.example\r\nMAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\n"
                                        "DATA\r\nSubject: x\r\n\r\n..dot\r\n.\r\nQUIT\r\n"));
}

TEST(visit, keeps_commands_codes_and_the_octets_of_the_content)
{
    struct trial trial = {.look = look_at_whole_session};
    visit(&trial, PYTHON(WHOLE_SESSION));
    expect_pass(&trial);
    expect_int(trial.dialogue_count, 1);
}

static void look_at_early(struct smtp_visit *visit)
{
    expect_true(smtp_visit_find(visit, "EHLO", 0)->early);
    expect_true(!smtp_visit_find(visit, "MAIL", 0)->early);
    expect_true(smtp_visit_find(visit, "RCPT", 0)->early);
    expect_true(smtp_visit_find(visit, "DATA", 0)->early);
    expect_true(!smtp_visit_find(visit, "dot", 0)->early);
    expect_true(smtp_visit_expect_message(visit) != NULL);
}

TEST(visit, tells_what_came_before_the_reply_to_what_was_before_it)
{
    struct trial trial = {.look = look_at_early, .script = &(struct smtp_script){.hold_ms = 30}};
    visit(&trial, PYTHON("say('EHLO x\\r\\n')\nhear()\nhear()\n"
                         "say('MAIL FROM:<a@x>\\r\\nRCPT TO:<b@x>\\r\\nDATA\\r\\n')\n"
                         "hear()\nhear()\nhear()\nask('x\\r\\n.')\nask('QUIT')\n"));
    expect_pass(&trial);
}

static void look_at_chunks(struct smtp_visit *visit)
{
    const struct smtp_visit_message *message = smtp_visit_expect_message(visit);
    expect_true(message != NULL && message->by_bdat);
    expect_int(message->chunk_count, 2);
    expect_span(message->raw, ".\r\nmore");
    expect_int(smtp_visit_count(visit, "BDAT", NULL), 2);
    expect_int(smtp_visit_count(visit, "QUIT", NULL), 1);
}

TEST(visit, takes_chunks_as_they_are)
{
    struct trial trial = {.look = look_at_chunks};
    visit(&trial, PYTHON("hear()\nask('EHLO x')\nask('MAIL FROM:<a@x>')\nask('RCPT TO:<b@x>')\n"
                         "say('BDAT 3\\r\\n.\\r\\n')\nhear()\nsay('BDAT 4 LAST\\r\\nmore')\n"
                         "assert hear()[:3]==b'250'\nask('QUIT')\n"));
    expect_pass(&trial);
}

static void look_at_lmtp(struct smtp_visit *visit)
{
    smtp_visit_expect(visit, SMTP_VISIT_SENT);
    expect_true(smtp_visit_expect_message(visit) != NULL);
}

TEST(visit, answers_for_each_recipient_in_LMTP_2033_4_2)
{
    struct trial trial = {.look = look_at_lmtp, .task = &(struct smtp_task){.lmtp = true}};
    visit(&trial, PYTHON("assert os.environ['SMTP_URL'].startswith('lmtp://')\n"
                         "hear()\nassert ask('EHLO x')[:3]==b'500'\nask('LHLO x')\n"
                         "ask('MAIL FROM:<a@x>')\nask('RCPT TO:<b@x>')\nask('RCPT TO:<c@x>')\n"
                         "ask('DATA')\nask('x\\r\\n.')\nassert hear()[:3]==b'250'\n"
                         "assert ask('NOOP')[:3]==b'250'\nask('QUIT')\n"));
    expect_pass(&trial);
}

static void look_at_tls(struct smtp_visit *visit)
{
    smtp_visit_expect(visit, SMTP_VISIT_SENT);
    expect_true(!smtp_visit_find(visit, "EHLO", 0)->in_tls);
    expect_true(smtp_visit_find(visit, "EHLO", 1)->in_tls);
    expect_int(smtp_visit_count(visit, "AUTH", "LOGIN"), 1);
    expect_int(smtp_visit_count(visit, "line", NULL), 2);
    expect_span(visit->clear, "EHLO x\r\nSTARTTLS\r\n");
}

TEST(visit, begins_TLS_and_takes_a_login_in_it)
{
    struct trial trial = {.look = look_at_tls,
                          .task = &(struct smtp_task){.tls = SMTP_TASK_STARTTLS, .login = true}};
    visit(&trial,
          PYTHON("import ssl\nhear()\nask('EHLO x')\nassert ask('STARTTLS')[:3]==b'220'\n"
                 "s=ssl.create_default_context(cafile=sys.argv[2] if len(sys.argv)>2 else "
                 "os.environ['SMTP_CA_FILE']).wrap_socket(s,server_hostname='127.0.0.1')\n"
                 "f=s.makefile('rb')\nask('EHLO x')\nassert ask('AUTH LOGIN')[:3]==b'334'\n"
                 "assert ask('dQ==')[:3]==b'334'\nassert ask('cA==')[:3]==b'235'\nask('QUIT')\n"));
    expect_pass(&trial);
}

static void look_at_distrust(struct smtp_visit *visit)
{
    smtp_visit_expect_not_sent(visit);
    smtp_visit_expect_none(visit, "MAIL", "the certificate is nobody's");
}

TEST(visit, a_certificate_can_be_flawed_and_a_client_that_does_not_take_it_fails_nothing)
{
    struct trial trial = {.look = look_at_distrust,
                          .task = &(struct smtp_task){.tls = SMTP_TASK_IMPLICIT_TLS},
                          .script = &(struct smtp_script){.flaw = SMTP_IDENTITY_SELF_SIGNED}};
    visit(&trial, PYTHON("import ssl\nassert os.environ['SMTP_URL'].startswith('smtps://')\n"
                         "ssl.create_default_context(cafile=os.environ['SMTP_CA_FILE'])"
                         ".wrap_socket(s,server_hostname='127.0.0.1')\n"));
    expect_pass(&trial);
}

/* ---- the script ---- */

static void look_at_script(struct smtp_visit *visit)
{
    expect_int(visit->session_count, 2);
    expect_int(smtp_visit_find(visit, "EHLO", 0)->code, 421);
    expect_int(smtp_visit_find(visit, "RCPT", 0)->code, 550);
    expect_int(smtp_visit_find(visit, "RCPT", 1)->code, 250);
    expect_int(smtp_visit_find(visit, "dot", 0)->code, 451);
    expect_span(smtp_visit_expect_message(visit)->rcpts, "RCPT TO:<c@x>");
    smtp_visit_expect(visit, SMTP_VISIT_LATER);
}

TEST(visit, answers_as_the_script_says)
{
    static const struct smtp_answer answers[] = {
        {"EHLO", .session = 1, .reply = "421 4.3.2 Not now\r\n", .then = SMTP_THEN_CLOSE},
        {"RCPT", .argument = "<B@", .reply = "550 5.1.1 Nobody\r\n"},
        {"dot", .reply = "451 4.3.0 Later\r\n"},
        {"NOOP", .from = 2, .to = 2, .reply = "250-Two\r\n250 lines\r\n"},
    };
    struct trial trial = {.look = look_at_script,
                          .script = &(struct smtp_script){SMTP_SCRIPT(answers)}};
    visit(&trial, PYTHON("hear()\nassert ask('EHLO x')[:3]==b'421' and hear()==b''\n"
                         "s.close()\nf.close()\n"
                         "s=socket.create_connection(('127.0.0.1',int(sys.argv[1])))\n"
                         "f=s.makefile('rb')\nhear()\nassert ask('EHLO x')==b'250 "
                         "check.example\\r\\n'\nask('MAIL FROM:<a@x>')\nask('RCPT TO:<b@x>')\n"
                         "assert ask('DATA')[:3]==b'554'\nask('RCPT TO:<c@x>')\nask('DATA')\n"
                         "ask('x\\r\\n.')\nassert ask('NOOP')[4:6]==b'2.'\n"
                         "assert ask('NOOP')==b'250 lines\\r\\n'\nsys.exit(75)\n"));
    expect_pass(&trial);
}

static void look_at_reset(struct smtp_visit *visit)
{
    smtp_visit_expect(visit, SMTP_VISIT_SENT);
    expect_int(visit->commands[0].code, 250); /* what it began to say */
}

static void act(struct smtp_visit *visit, struct smtp_talk *talk, struct smtp_span line)
{
    expect_span(line, "EHLO x");
    expect_int(visit->command_count, 1);
    smtp_talk_put_literal(talk, "250-\0\r\n");
    smtp_talk_reset(talk);
}

TEST(visit, a_script_can_act_by_itself)
{
    static const struct smtp_answer answers[] = {{"EHLO", .act = act}};
    struct trial trial = {.look = look_at_reset,
                          .script = &(struct smtp_script){SMTP_SCRIPT(answers)}};
    visit(&trial, PYTHON("hear()\nsay('EHLO x\\r\\n')\n"
                         "try:\n  f.readline()\n  f.readline()\n  sys.exit(1)\n"
                         "except ConnectionResetError:\n  pass\n"));
    expect_pass(&trial);
}

TEST(visit, a_reply_can_be_several_lines_each)
{
    struct trial trial = {.script = &(struct smtp_script){.pair_lines = true},
                          .look = look_at_lmtp};
    visit(&trial, PYTHON("assert f.readline()[:4]==b'220-' and f.readline()[:4]==b'220 '\n"
                         "ask('EHLO x')\nsay('MAIL FROM:<a@x>\\r\\n')\n"
                         "assert f.readline()[:4]==b'250-' and f.readline()[:4]==b'250 '\n"
                         "ask('RCPT TO:<b@x>')\nask('DATA')\nask('.')\nask('QUIT')\n"));
    expect_pass(&trial);
}

/* ---- the task ---- */

static void look_at_words(struct smtp_visit *visit)
{
    if (visit->status != 0) {
        SMTP_TEST_FAIL("%s", visit->output);
    }
}

TEST(visit, tells_the_task_by_arguments_environment_and_standard_input)
{
    static const char *const to[] = {"b@x", "c@x", NULL};
    const char *const command[] = {
        "/bin/sh",
        "-ec",
        "set -x; test $# = 8; test \"$1\" = \"smtp://127.0.0.1:$SMTP_PORT\"; test $2 = a@x;"
        "test $3 = b@x; test $4 = c@x; test $5 = --to=b@x,c@x; cmp - $6; cmp $6 $SMTP_MESSAGE;"
        "test $7 = $SMTP_CA_FILE; grep -q BEGIN $7; test $8 = 127.0.0.1; test $SMTP_TLS = never;"
        "test $SMTP_FROM = a@x; test \"$SMTP_TO\" = \"$(printf 'b@x\\nc@x')\";"
        "test $(printf '%s\\n' \"$SMTP_MESSAGES\" | wc -l) = 2; test $SMTP_HELO = h.example;"
        "test -z \"${SMTP_USER+x}$SMTP_MECHANISM\"; test $SMTP_ENVID = e; test $SMTP_RET = FULL;"
        "test $SMTP_NOTIFY = NEVER; test $SMTP_ORCPT = 'rfc822;x'; test $SMTP_REQUIRETLS = 1;"
        "test -n \"$PATH\"",
        "sh",
        "{url}",
        "{from}",
        "{to}",
        "--to={to}",
        "{message}",
        "{cafile}",
        "{host}",
        NULL};
    const struct smtp_task task = {.from = "a@x",
                                   .to = to,
                                   .message_count = 2,
                                   .helo = "h.example",
                                   .envid = "e",
                                   .ret = "FULL",
                                   .notify = "NEVER",
                                   .orcpt = "rfc822;x",
                                   .requiretls = true};
    struct trial trial = {.look = look_at_words, .task = &task};
    visit(&trial, command);
    expect_pass(&trial);
}

static void look_at_output(struct smtp_visit *visit)
{
    expect_int(visit->outcome, SMTP_VISIT_REFUSED);
    expect_int(visit->status, 128 + SIGKILL);
    expect_int(strlen(visit->output), 4096);
    expect_int(visit->session_count, 0);
}

TEST(visit, a_command_that_floods_its_output_is_read_and_its_first_4_KiB_kept)
{
    struct trial trial = {.look = look_at_output};
    visit(&trial, SHELL("head -c 1000000 /dev/zero | tr '\\0' x >&2; kill -9 $$"));
    expect_pass(&trial);
}

static void look_at_parallel(struct smtp_visit *visit)
{
    expect_int(visit->session_count, 12);
    expect_int(smtp_visit_count(visit, "QUIT", NULL), 12);
    smtp_visit_expect(visit, SMTP_VISIT_SENT);
}

TEST(visit, many_connections_at_a_time_are_served_one_after_the_other)
{
    struct trial trial = {.look = look_at_parallel};
    visit(&trial,
          PYTHON("import threading\nc=[s]+[socket.create_connection(('127.0.0.1',"
                 "int(sys.argv[1]))) for _ in range(11)]\n"
                 "def go(s):\n  f=s.makefile('rb')\n  f.readline()\n  s.sendall(b'QUIT\\r\\n')\n"
                 "  f.readline()\n  s.close()\n  f.close()\n"
                 "t=[threading.Thread(target=go,args=(x,)) for x in c]\n"
                 "f.close()\n[x.start() for x in t]\n[x.join() for x in t]\n"));
    expect_pass(&trial);
}

/* ---- bad commands ---- */

/** Whether any process has that word among its arguments. */
static bool is_running(const char *word)
{
    DIR *all = opendir("/proc");
    bool found = false;
    for (struct dirent *entry; all != NULL && (entry = readdir(all)) != NULL;) {
        char path[300], words[4096];
        snprintf(path, sizeof path, "/proc/%s/cmdline", entry->d_name);
        FILE *file = entry->d_name[0] >= '1' && entry->d_name[0] <= '9' ? fopen(path, "r") : NULL;
        if (file == NULL) {
            continue;
        }
        size_t len = fread(words, 1, sizeof words, file);
        fclose(file);
        found = found || memmem(words, len, word, strlen(word)) != NULL;
    }
    if (all != NULL) {
        closedir(all);
    }
    return found;
}

/** A killed process of which we are not the parent takes a moment. */
static void expect_gone(const char *word)
{
    for (uint64_t end_ns = smtp_clock_now_ns() + 5000 * SMTP_NS_PER_MS; is_running(word);) {
        expect_true(smtp_clock_now_ns() < end_ns);
    }
}

static void expect_fails_in_time(const char *const *command, uint64_t timeout_ms)
{
    struct trial trial = {.timeout_ms = timeout_ms};
    visit(&trial, command);
    expect_int(trial.verdict, SMTP_FAIL);
    expect_contains(trial.detail, "did not end in time");
    expect_true(trial.elapsed_ns >= timeout_ms * SMTP_NS_PER_MS);
    expect_true(trial.elapsed_ns < (timeout_ms + 2500) * SMTP_NS_PER_MS);
}

TEST(visit, a_command_that_hangs_is_killed_with_all_it_started)
{
    expect_fails_in_time(SHELL("sleep 7001 & trap '' TERM; sleep 7001"), 300);
    expect_gone("7001");
}

TEST(visit, a_command_that_connects_and_says_nothing_is_killed)
{
    expect_fails_in_time(PYTHON("time.sleep(7002)"), 1000);
    expect_gone("7002");
}

TEST(visit, a_command_that_never_stops_writing_or_talking_is_killed)
{
    expect_fails_in_time(SHELL("yes 7003"), 300);
    expect_fails_in_time(PYTHON("while True: ask('NOOP')"), 1000);
    expect_gone("7003");
}

TEST(visit, what_has_left_the_group_of_a_hanging_command_is_killed_too)
{
    expect_fails_in_time(
        PYTHON("import subprocess\nsubprocess.Popen(['sleep','7005'],start_new_session=True,"
               "stdin=subprocess.DEVNULL,stdout=subprocess.DEVNULL,stderr=subprocess.DEVNULL)\n"
               "time.sleep(7005)\n"),
        1000);
    expect_gone("7005");
}

TEST(visit, a_process_in_the_background_that_keeps_the_output_is_killed_too)
{
    struct trial trial = {.look = look_at_words};
    visit(&trial, PYTHON("import subprocess\n"
                         "subprocess.Popen(['sleep','7006'],start_new_session=True)\n"));
    expect_pass(&trial);
    expect_gone("7006");
}

TEST(visit, a_plain_client_of_a_server_that_awaits_TLS_is_killed)
{
    const struct smtp_task task = {.tls = SMTP_TASK_IMPLICIT_TLS};
    struct trial trial = {.task = &task, .timeout_ms = 800};
    visit(&trial, PYTHON("hear()"));
    expect_int(trial.verdict, SMTP_FAIL);
    expect_contains(trial.detail, "did not end in time");
}

static void look_at_left(struct smtp_visit *visit)
{
    smtp_visit_expect(visit, SMTP_VISIT_SENT);
    expect_int(visit->session_count, 1);
}

TEST(visit, what_a_command_leaves_behind_is_killed_at_its_end)
{
    struct trial trial = {.look = look_at_left};
    visit(&trial,
          PYTHON("import subprocess\nhear()\n"
                 "subprocess.Popen(['sleep','7004'],stdin=s.fileno(),stdout=s.fileno())\n"));
    expect_pass(&trial);
    expect_true(trial.elapsed_ns < 4000 * SMTP_NS_PER_MS);
    expect_gone("7004");
}

static void look_at_garbage(struct smtp_visit *visit)
{
    smtp_visit_expect(visit, SMTP_VISIT_REFUSED);
    expect_int(visit->message_count, 0);
    expect_int(smtp_visit_count(visit, "*", NULL), 3);
    expect_int(visit->commands[0].line.len, 4);
    expect_int(visit->commands[1].code, 500);
}

TEST(visit, garbage_is_kept_as_commands_that_nobody_knows)
{
    struct trial trial = {.look = look_at_garbage};
    visit(&trial, PYTHON("say('\\0\\xff\\r\\r\\r\\n\\r\\nHELP\\n')\nhear()\nhear()\nhear()\n"
                         "hear()\nsys.exit(1)"));
    expect_pass(&trial);
}

static void look_for_refusal(struct smtp_visit *visit)
{
    smtp_visit_expect(visit, SMTP_VISIT_REFUSED);
}

TEST(visit, an_outcome_that_is_not_the_expected_one_fails_with_the_status)
{
    struct trial trial = {.look = look_for_refusal};
    visit(&trial, SHELL("exit 0"));
    expect_int(trial.verdict, SMTP_FAIL);
    expect_contains(trial.detail, "exit status 0");
}

TEST(visit, a_command_that_is_not_there_is_told)
{
    const char *const command[] = {"/nowhere/at-all", NULL};
    const struct smtp_check_options options = {.command = (char *const *)(uintptr_t)command};
    unsigned abilities;
    struct smtp_error error;
    expect_int(smtp_visit_abilities(&options, &abilities, &error), SMTP_SYSTEM_FAILED);
    expect_contains(error.message, "cannot run '/nowhere/at-all': No such file");
}

/* ---- abilities ---- */

static unsigned abilities_of(const char *const *command)
{
    const struct smtp_check_options options = {
        .timeout_ms = 3000, .quiet_ms = 50, .command = (char *const *)(uintptr_t)command};
    unsigned abilities;
    struct smtp_error error;
    expect_int(smtp_visit_abilities(&options, &abilities, &error), SMTP_OK);
    return abilities;
}

TEST(visit, a_command_that_heeds_nothing_has_no_abilities)
{
    expect_int(abilities_of(SHELL("exit 0")) & ~(unsigned)SMTP_NEEDS_SMTP, 0);
}

TEST(visit, abilities_are_what_a_command_heeds)
{
    unsigned abilities = abilities_of(
        PYTHON("import ssl\ne=os.environ\nc=ssl.create_default_context(cafile=e['SMTP_CA_FILE'])\n"
               "tls=lambda s: c.wrap_socket(s,server_hostname=e['SMTP_HOST'])\n"
               "if e['SMTP_URL'][:5]=='smtps': s=tls(s); f=s.makefile('rb')\n"
               "hear()\nask('EHLO x')\nif e.get('SMTP_TLS')=='required':\n"
               "  ask('STARTTLS')\n  s=tls(s)\n  f=s.makefile('rb')\n  ask('EHLO x')\n"
               "if 'SMTP_USER' in e: ask('AUTH PLAIN AHUAcA==')\n"
               "ask('MAIL FROM:<%s>'%e['SMTP_FROM'])\n"
               "[ask('RCPT TO:<%s>'%x) for x in e['SMTP_TO'].split('\\n')]\nask('DATA')\n"
               "ask(open(e['SMTP_MESSAGE'],newline='').read()+'.')\nask('QUIT')\n"));
    expect_int(abilities, SMTP_NEEDS_SMTP | SMTP_NEEDS_FROM | SMTP_NEEDS_TO | SMTP_NEEDS_SEVERAL |
                              SMTP_NEEDS_CONTENT | SMTP_NEEDS_TLS | SMTP_NEEDS_IMPLICIT_TLS |
                              SMTP_NEEDS_LOGIN);
}

/* ---- many at a time ---- */

static void *visit_on_thread(void *user)
{
    struct trial *trial = user;
    visit(trial, PYTHON(WHOLE_SESSION));
    return NULL;
}

TEST(visit, many_run_at_a_time_on_threads)
{
    struct trial trials[8];
    pthread_t threads[8];
    for (size_t i = 0; i < 8; i++) {
        trials[i] = (struct trial){.look = look_at_whole_session};
        expect_int(pthread_create(&threads[i], NULL, visit_on_thread, &trials[i]), 0);
    }
    for (size_t i = 0; i < 8; i++) {
        pthread_join(threads[i], NULL);
        expect_pass(&trials[i]);
    }
}
