/* serve.c - see serve.h. */
#include "tests/programs/serve.h"

#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>

static void expect_complaint(const char *const argv[], const char *complaint, bool points_to_help)
{
    struct ended ended = run_to_end(argv);
    expect_int(ended.exit_status, 2);
    expect_str(ended.out, "");
    expect_contains(ended.err, complaint);
    expect_true((strstr(ended.err, "--help'") != NULL) == points_to_help);
    ended_clear(&ended);
}

void expect_wrong(const char *const argv[], const char *complaint)
{
    expect_complaint(argv, complaint, true);
}

void expect_failed(const char *const argv[], const char *complaint)
{
    expect_complaint(argv, complaint, false);
}

void hear_url(struct background *serve, char *url, size_t capacity)
{
    char line[256];
    expect_true(next_line(serve, line, sizeof line) != NULL);
    expect_true(strncmp(line, "listening on ", 13) == 0);
    snprintf(url, capacity, "%s", line + 13);
}

const char *enter(struct smtp_wire *wire, const char *url)
{
    bool lmtp = strncmp(url, "lmtp://", 7) == 0;
    expect_true(smtp_wire_connect(wire, url + strlen(lmtp ? "lmtp://" : "smtp://")));
    expect_contains(smtp_wire_reply(wire), "220 ");
    const char *reply = smtp_wire_ask(wire, lmtp ? "LHLO c.example" : "EHLO c.example");
    expect_contains(reply, "250 ");
    return reply;
}
