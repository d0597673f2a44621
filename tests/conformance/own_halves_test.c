/* own_halves_test.c - this project's own server and client keep every rule, SHOULD as MUST: the server with every
 * extension over TCP, TLS and LMTP, delivering and relaying; the client as the program's verb `send`. */
#include "harness/conformance/arrivals.h"
#include "harness/conformance/suite.h"
#include "harness/conformance/visit.h"
#include "harness/smtp_harness.h"
#include "harness/smtp_relay.h"
#include "server/smtp_receivers.h"
#include "tests/conformance/server_proof.h"
#include "tests/support/files.h"
#include "tests/support/test.h"

#include <stdio.h>

#define TIMEOUT_MS 60000 /* a sanitizer and other tests beside it */
#define QUIET_MS 100

struct outcome {
    size_t counts[3]; /* by verdict */
    char failures[8000];
};

static void keep(void *user, const struct smtp_suite_result *result)
{
    struct outcome *outcome = user;
    outcome->counts[result->verdict]++;
    if (result->verdict == SMTP_FAIL) {
        size_t len = strlen(outcome->failures);
        snprintf(outcome->failures + len, sizeof outcome->failures - len, "\n%s: %s",
                 result->rule->id, result->detail);
    }
}

/** What a server that demands TLS and a login says to those who may not yet. */
static const char *const demands_ids[] = {"rfc3207", "rfc4954/6", "rfc8314"};

/** Every rule of that side that is not skipped is kept, and so many are not skipped. prefixes: all rules, or the first
 *  so many of demands_ids. */
static void expect_kept(enum smtp_rule_side side, const struct smtp_check_options *options,
                        size_t prefixes, size_t least)
{
    struct outcome outcome = {.failures = ""};
    const struct smtp_suite suite = {.side = side,
                                     .options = options,
                                     .prefixes = demands_ids,
                                     .prefix_count = prefixes,
                                     .jobs = 6,
                                     .tell = keep,
                                     .user = &outcome};
    expect_int(smtp_suite_run(&suite), SMTP_OK);
    if (outcome.counts[SMTP_FAIL] > 0) {
        SMTP_TEST_FAIL("%zu rules are not kept:%s", outcome.counts[SMTP_FAIL], outcome.failures);
    }
    if (outcome.counts[SMTP_PASS] < least) {
        SMTP_TEST_FAIL("only %zu rules were judged", outcome.counts[SMTP_PASS]);
    }
}

/** Where its messages go, the sink or the Maildir in `directory`, and who watches there. */
static struct smtp_server_hooks open_arrivals(bool with_sink, const char *directory,
                                              struct smtp_arrivals **arrivals)
{
    struct smtp_server_hooks hooks;
    struct smtp_error error;
    if (with_sink) {
        char next[32];
        expect_int(smtp_arrivals_new_sink(arrivals, 0, &error), SMTP_OK);
        snprintf(next, sizeof next, "127.0.0.1:%u", (unsigned)smtp_arrivals_port(*arrivals));
        expect_int(smtp_receiver_relay(&hooks, next, NULL, NULL, &error), SMTP_OK);
    } else {
        const struct smtp_maildir maildir = {.path = directory};
        expect_int(smtp_receiver_maildir(&hooks, &maildir, &error), SMTP_OK);
        expect_int(smtp_arrivals_new_maildir(arrivals, directory, &error), SMTP_OK);
    }
    return hooks;
}

static struct smtp_harness *start(const char *listen, const struct smtp_server_hooks *receiver,
                                  bool demands)
{
    static const struct smtp_server_user users[] = {{PROOF_USER, PROOF_PASSWORD}};
    struct smtp_harness_options options;
    struct smtp_error error;
    smtp_harness_options_init(&options);
    options.server.listen = &listen;
    options.server.listen_count = 1;
    options.server.auth.users = users;
    options.server.auth.user_count = 1;
    options.server.limits.message_octets = (uint64_t)1 << 20; /* content up to it is sent */
    options.server.auth.required = demands;
    options.server.tls.mode = demands ? SMTP_SERVER_TLS_REQUIRED : options.server.tls.mode;
    options.server.receivers = receiver;
    options.server.receiver_count = 1;
    struct smtp_harness *harness = smtp_harness_start(&options, &error);
    expect_true(harness != NULL);
    expect_int(smtp_harness_fault(harness, "rcpt *" PROOF_BAD "*: reply 550 5.1.1 \"Nobody\""),
               SMTP_OK);
    return harness;
}

enum own_server {
    OWN_TAKES_ALL,
    OWN_DEMANDS,     /* TLS and a login: the rules of that */
    OWN_IS_GIVEN_IT, /* the same, and every rule is judged behind them */
};

static void judge_server(const char *listen, bool with_sink, enum own_server what, size_t least)
{
    bool demands = what != OWN_TAKES_ALL;
    static const char *const recipients[] = {PROOF_RECIPIENT, PROOF_OTHER};
    struct smtp_arrivals *arrivals = NULL;
    char address[32], directory[64];
    smtp_make_directory(directory);
    const struct smtp_server_hooks receiver = open_arrivals(with_sink, directory, &arrivals);
    struct smtp_harness *harness = start(listen, &receiver, demands);
    snprintf(address, sizeof address, "127.0.0.1:%u", (unsigned)smtp_harness_port(harness));
    const struct smtp_check_options options = {
        .timeout_ms = TIMEOUT_MS,
        .quiet_ms = QUIET_MS,
        .address = address,
        .implicit_tls = strncmp(listen, "smtps:", 6) == 0,
        .starttls = what == OWN_IS_GIVEN_IT,
        .lmtp = strncmp(listen, "lmtp:", 5) == 0,
        .role = demands ? SMTP_ROLE_SUBMISSION : SMTP_ROLE_MX,
        .recipients = recipients,
        .recipient_count = 2,
        .bad_recipient = PROOF_BAD,
        .user = PROOF_USER,
        .password = PROOF_PASSWORD,
        .arrivals = arrivals,
    };
    expect_kept(SMTP_RULE_SERVER, &options, what == OWN_DEMANDS ? 3 : 0, least);
    smtp_harness_stop(harness);
    smtp_arrivals_free(arrivals);
    smtp_remove_directory(directory);
}

TEST_WITHIN(own_server, keeps_every_rule_over_tcp_as_a_relay, 120)
{
    judge_server("127.0.0.1:0", true, OWN_TAKES_ALL, 130);
}

TEST_WITHIN(own_server, keeps_every_rule_over_tls_as_a_relay, 120)
{
    judge_server("smtps://127.0.0.1:0", true, OWN_TAKES_ALL, 120);
}

TEST_WITHIN(own_server, keeps_every_rule_over_lmtp_into_a_maildir, 120)
{
    judge_server("lmtp://127.0.0.1:0", false, OWN_TAKES_ALL, 110);
}

TEST_WITHIN(own_server, that_demands_tls_and_a_login_keeps_the_rules_of_that, 60)
{
    judge_server("127.0.0.1:0", false, OWN_DEMANDS, 8);
}

TEST_WITHIN(own_server, that_demands_tls_and_a_login_keeps_every_rule_behind_them, 120)
{
    judge_server("127.0.0.1:0", true, OWN_IS_GIVEN_IT, 125);
}

TEST_WITHIN(own_client, keeps_every_rule, 180)
{
    char *const command[] = {OWN_DRIVER, SMTP_HARNESS, NULL};
    struct smtp_check_options options = {
        .timeout_ms = TIMEOUT_MS, .quiet_ms = QUIET_MS, .command = command};
    struct smtp_error error;
    expect_int(smtp_visit_abilities(&options, &options.abilities, &error), SMTP_OK);
    expect_kept(SMTP_RULE_CLIENT, &options, 0, 66);
}
