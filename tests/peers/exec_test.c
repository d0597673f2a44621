/* exec_test.c - the program's verb `exec` around other clients: each verifies the server's certificate by
 * SMTP_CA_FILE, logs in, and sends one message. */
#include "tests/peers/program.h"
#include "tests/support/test.h"

#include <stdio.h>

#define SECONDS 60
#define SHELL "/bin/sh", "-c"
#define LETTER "printf 'Subject: Hello\\r\\n\\r\\nHello\\r\\n' | "

/** exec around the client, which sends a message with the subject Hello; both expectations, or one that differs. */
static void run_exec(const char *expectation, const char *const *client, int status,
                     const char *said)
{
    struct program exec;
    struct arguments arguments = {.count = 0};
    arguments_add(&arguments, (const char *[]){SMTP_HARNESS, "exec", "--tls-required", "--auth",
                                               "ann:secret", "--auth-required", "--wait", "1",
                                               "--expect", expectation, "--", NULL});
    arguments_add(&arguments, client);
    program_start(&exec, arguments.argv);
    int ended = program_wait(&exec);
    if (ended != status || strstr(exec.said, said) == NULL) {
        SMTP_TEST_FAIL("%s: exit status %d, not %d, or not said \"%s\": %s", client[0], ended,
                       status, said, exec.said);
    }
    program_free(&exec);
}

static void expect_around(const char *const *client)
{
    run_exec("from=ann@example.org to=bob@example.com subject=Hello tls~^TLSv1 auth=ann count=1",
             client, 0, "2 passed, 0 failed");
    run_exec("subject=Goodbye", client, 1, "came: \"Hello\"");
}

TEST_WITHIN(peers, exec_around_smtplib, SECONDS)
{
    expect_around(
        (const char *[]){"/usr/bin/python3", PEERS_SOURCE "/exec_smtplib.py", "Hello", NULL});
}

TEST_WITHIN(peers, exec_around_nodemailer, SECONDS)
{
    expect_around(
        (const char *[]){"/usr/bin/node", PEERS_SOURCE "/exec_nodemailer.js", "Hello", NULL});
}

TEST_WITHIN(peers, exec_around_msmtp, SECONDS)
{
    expect_around((const char *[]){
        SHELL,
        LETTER
        "exec msmtp --file=/dev/null --host={host} --port={port} --tls=on --tls-trust-file={cafile}"
        " --auth=on --user=$SMTP_USER --passwordeval='printenv SMTP_PASSWORD'"
        " --from=ann@example.org bob@example.com",
        NULL});
}

TEST_WITHIN(peers, exec_around_swaks, SECONDS)
{
    expect_around((const char *[]){
        SHELL,
        "exec swaks --server {host}:{port} --tls --tls-verify --tls-ca-path {cafile} --auth"
        " --auth-user $SMTP_USER --auth-password $SMTP_PASSWORD --from ann@example.org"
        " --to bob@example.com --h-Subject Hello",
        NULL});
}

TEST_WITHIN(peers, exec_around_curl, SECONDS)
{
    expect_around((const char *[]){
        SHELL,
        LETTER "exec curl -sS --ssl-reqd --cacert {cafile} --user $SMTP_USER:$SMTP_PASSWORD"
               " --mail-from ann@example.org --mail-rcpt bob@example.com --upload-file - {url}",
        NULL});
}

/* That they verify it at all. */
TEST_WITHIN(peers, exec_around_clients_that_refuse_a_certificate, SECONDS)
{
    struct program exec;
    program_start(&exec, (const char *[]){SMTP_HARNESS, "exec", "--auth", "ann:secret", "--flaw",
                                          "expired", "--none", "--", "/usr/bin/python3",
                                          PEERS_SOURCE "/exec_smtplib.py", "Hello", NULL});
    expect_int(program_wait(&exec), 1);
    expect_contains(exec.said, "CERTIFICATE_VERIFY_FAILED");
    expect_contains(exec.said, "ok    no mail is sent");
    program_free(&exec);
}
