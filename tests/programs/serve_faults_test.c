/* serve_faults_test.c - faults, and addresses that spell their reply, by the options of `serve`. */
#include "tests/programs/serve.h"
#include "tests/support/files.h"
#include "tests/support/test.h"
#include "tests/support/wire.h"

#include <signal.h>
#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

/** `serve` with these options, as the shell reads them, and standard error in its output. */
static struct background start_serve(const char *options)
{
    char command[512];
    snprintf(command, sizeof command, "exec " SMTP_HARNESS " serve %s 2>&1", options);
    return start_process((const char *const[]){"/bin/sh", "-c", command, NULL});
}

/** The lines up to the first that begins with `end`, which is left in `line`. */
static void read_up_to(struct background *serve, const char *end, char line[256], char lines[4096])
{
    lines[0] = '\0';
    while (next_line(serve, line, 256) != NULL && strncmp(line, end, strlen(end)) != 0) {
        size_t len = strlen(lines);
        snprintf(lines + len, 4096 - len, "%s\n", line);
    }
}

/** The session past EHLO; what it said before it listened is in `lines`. */
static void begin(struct background *serve, struct smtp_wire *wire, char lines[4096])
{
    char line[256];
    read_up_to(serve, "listening on smtp://", line, lines);
    enter(wire, line + strlen("listening on "));
    expect_contains(smtp_wire_ask(wire, "MAIL FROM:<ann@example.com>"), "250 ");
}

TEST(serve_faults, the_plan_is_told_at_the_start_has_its_way_and_is_counted_at_the_end)
{
    struct smtp_wire wire;
    char line[256], lines[4096];
    struct background serve =
        start_serve("--fault 'rcpt bob@*: reply 450 4.7.1 \"Later\" times 2' --fault-seed 4711 "
                    "--fault 'any XYZ: reply 421 chance 1%'");
    begin(&serve, &wire, lines);
    expect_contains(lines, "faults:\n");
    expect_contains(lines, "rcpt bob@*: reply 450 4.7.1 \"Later\" times 2");
    expect_contains(lines, "4711");
    expect_str(smtp_wire_ask(&wire, "RCPT TO:<bob@example.com>"), "450 4.7.1 Later");
    expect_contains(smtp_wire_ask(&wire, "RCPT TO:<carol@example.com>"), "250 ");
    expect_str(smtp_wire_ask(&wire, "RCPT TO:<bob@example.com>"), "450 4.7.1 Later");
    expect_contains(smtp_wire_ask(&wire, "RCPT TO:<bob@example.com>"), "250 ");
    smtp_wire_close(&wire);
    kill(serve.pid, SIGTERM);
    char again[4096];
    read_up_to(&serve, "never", line, again);
    expect_contains(again, "rcpt bob@*: reply 450 4.7.1 \"Later\" times 2  (due 2 of 3 times)\n");
    expect_int(end_process(&serve, 0), 0);
}

TEST(serve_faults, an_address_spells_its_reply_where_that_is_switched_on)
{
    struct smtp_wire wire;
    char lines[4096];
    struct background serve = start_serve("--magic-addresses");
    begin(&serve, &wire, lines);
    expect_contains(smtp_wire_ask(&wire, "RCPT TO:<bob+452-4.2.2@example.com>"), "452 4.2.2 ");
    expect_contains(smtp_wire_ask(&wire, "RCPT TO:<bob+list@example.com>"), "250 ");
    smtp_wire_close(&wire);
    expect_int(end_process(&serve, SIGTERM), 0);
    serve = start_serve("");
    begin(&serve, &wire, lines);
    expect_str(lines, "");
    expect_contains(smtp_wire_ask(&wire, "RCPT TO:<bob+452-4.2.2@example.com>"), "250 ");
    smtp_wire_close(&wire);
    expect_int(end_process(&serve, SIGTERM), 0);
}

TEST(serve_faults, a_notation_that_does_not_parse_is_shown_with_its_place)
{
    expect_wrong(ARGV("serve", "--fault", "rcpt: reply 450", "--fault", "rcpt bob@*: repyl 450"),
                 "  rcpt bob@*: repyl 450\n              ^\n");
    expect_wrong(ARGV("serve", "--fault", ""), "--fault");
    expect_wrong(ARGV("serve", "--fault-seed", "x"), "--fault-seed takes a number from 1 to ");
    expect_wrong(ARGV("serve", "--fault-seed", "0"), "not '0'");
}

/** Sends over STARTTLS, trusting the authority in that file: 0, or what was wrong with the certificate. */
static void expect_sent(const char *url, const char *ca_file, int status, const char *complaint)
{
    struct ended ended =
        run_to_end(ARGV("send", url, "--ca", ca_file, "--tls", "required", "--from",
                        "ann@example.com", "--to", "bob@example.com", "--text", "Hi"));
    if (ended.exit_status != status) {
        SMTP_TEST_FAIL("exit status %d, not %d: %s", ended.exit_status, status, ended.err);
    }
    expect_contains(ended.err, complaint);
    ended_clear(&ended);
}

TEST(serve_faults, a_flawed_certificate_is_signed_by_the_server_s_own_authority)
{
    char folder[64], file[80], url[200];
    smtp_make_directory(folder);
    snprintf(file, sizeof file, "%s/ca.pem", folder);
    struct background serve = start_process(ARGV("serve", "--ca-file-out", file, "--fault",
                                                 "tls: certificate expired once", "--fault",
                                                 "tls: certificate wrong-name from 2 times 1"));
    hear_url(&serve, url, sizeof url);
    expect_sent(url, file, EX_PROTOCOL, "expired");
    expect_sent(url, file, EX_PROTOCOL, "is for wrong.invalid, not for 127.0.0.1");
    expect_sent(url, file, EX_OK, "");
    expect_int(end_process(&serve, SIGTERM), 0);
    smtp_remove_directory(folder);
}
