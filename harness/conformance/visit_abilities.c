/* visit_abilities.c - which words of its task a command heeds, found out by running it against plain servers. */
#include "common/error.h"
#include "harness/conformance/suite.h"
#include "harness/conformance/visit_run.h"

#include <stdio.h>

#define FROM "ability-from@example.com"
#define TO "ability-to@example.com"
#define OTHER_TO "ability-other@example.com"
#define HELO_NAME "ability.example"
#define MARK "ability-mark"

/** A command that awaits a greeting where TLS is to be begun waits for good; none that heeds its task takes longer. */
#define PROBE_TIMEOUT_MS 3000

static bool came(const struct smtp_visit *visit, const char *command, const char *argument)
{
    return smtp_visit_count(visit, command, argument) > 0;
}

static bool has_whole_message(const struct smtp_visit *visit)
{
    for (size_t i = 0; i < visit->message_count; i++) {
        if (visit->messages[i].complete) {
            return true;
        }
    }
    return false;
}

static bool content_has_mark(const struct smtp_visit *visit)
{
    for (size_t i = 0; i < visit->message_count; i++) {
        if (smtp_span_has_nocase(visit->messages[i].content, MARK)) {
            return true;
        }
    }
    return false;
}

static unsigned look_at_envelope(struct smtp_check *check, unsigned known)
{
    (void)known;
    static const char *const to[] = {TO, OTHER_TO, NULL};
    const struct smtp_task task = {
        .from = FROM,
        .to = to,
        .content =
            SMTP_SPAN("From: <" FROM ">\r\nTo: <" TO ">\r\nSubject: " MARK "\r\n\r\n" MARK "\r\n"),
        .helo = HELO_NAME};
    const struct smtp_visit *visit = smtp_visit(check, &task, NULL);
    if (visit == NULL) {
        return 0;
    }
    bool has_to = came(visit, "RCPT", TO);
    return (came(visit, "MAIL", FROM) ? SMTP_NEEDS_FROM : 0u) | (has_to ? SMTP_NEEDS_TO : 0u) |
           (has_to && came(visit, "RCPT", OTHER_TO) ? SMTP_NEEDS_SEVERAL : 0u) |
           (content_has_mark(visit) ? SMTP_NEEDS_CONTENT : 0u) |
           (came(visit, "EHLO", HELO_NAME) ? SMTP_NEEDS_HELO : 0u) | SMTP_NEEDS_SMTP;
}

static unsigned look_at_dsn(struct smtp_check *check, unsigned known)
{
    (void)known;
    const struct smtp_task task = {
        .envid = MARK, .ret = "HDRS", .notify = "SUCCESS,FAILURE", .orcpt = "rfc822;" OTHER_TO};
    const struct smtp_visit *visit = smtp_visit(check, &task, NULL);
    return came(visit, "MAIL", "ENVID=" MARK) && came(visit, "RCPT", "NOTIFY=") ? SMTP_NEEDS_DSN
                                                                                : 0u;
}

static unsigned look_at_messages(struct smtp_check *check, unsigned known)
{
    (void)known;
    const struct smtp_task task = {.message_count = 2};
    const struct smtp_visit *visit = smtp_visit(check, &task, NULL);
    return visit != NULL && visit->session_count == 1 && visit->message_count == 2 &&
                   visit->messages[1].complete
               ? SMTP_NEEDS_MESSAGES
               : 0u;
}

static unsigned look_at_lmtp(struct smtp_check *check, unsigned known)
{
    (void)known;
    const struct smtp_task task = {.lmtp = true};
    const struct smtp_visit *visit = smtp_visit(check, &task, NULL);
    return came(visit, "EHLO", "LHLO") ? SMTP_NEEDS_LMTP : 0u;
}

static unsigned look_at_starttls(struct smtp_check *check, unsigned known)
{
    (void)known;
    const struct smtp_task task = {.tls = SMTP_TASK_STARTTLS};
    const struct smtp_visit *visit = smtp_visit(check, &task, NULL);
    return came(visit, "STARTTLS", NULL) && has_whole_message(visit) ? SMTP_NEEDS_TLS : 0u;
}

static unsigned look_at_implicit_tls(struct smtp_check *check, unsigned known)
{
    (void)known;
    const struct smtp_task task = {.tls = SMTP_TASK_IMPLICIT_TLS};
    const struct smtp_visit *visit = smtp_visit(check, &task, NULL);
    return visit != NULL && has_whole_message(visit) ? SMTP_NEEDS_IMPLICIT_TLS : 0u;
}

/** Whether it logs in by that mechanism (NULL: any) where both are offered, in TLS where it can. */
static bool logs_in(struct smtp_check *check, bool has_tls, const char *mechanism)
{
    const struct smtp_task task = {.tls = has_tls ? SMTP_TASK_STARTTLS : SMTP_TASK_CLEAR,
                                   .login = true,
                                   .mechanism = mechanism};
    return came(smtp_visit(check, &task, NULL), "AUTH", mechanism);
}

static unsigned look_at_requiretls(struct smtp_check *check, unsigned known)
{
    if ((known & SMTP_NEEDS_TLS) == 0) {
        return 0;
    }
    const struct smtp_task task = {.tls = SMTP_TASK_STARTTLS, .requiretls = true};
    const struct smtp_script script = {.keywords = "STARTTLS", .tls_keywords = "REQUIRETLS"};
    const struct smtp_visit *visit = smtp_visit(check, &task, &script);
    return came(visit, "MAIL", "REQUIRETLS") ? SMTP_NEEDS_REQUIRETLS : 0u;
}

static unsigned look_at_login(struct smtp_check *check, unsigned known)
{
    bool has_tls = (known & SMTP_NEEDS_TLS) != 0;
    unsigned found = logs_in(check, has_tls, NULL) ? SMTP_NEEDS_LOGIN : 0u;
    if (found != 0 && logs_in(check, has_tls, "PLAIN") && logs_in(check, has_tls, "LOGIN")) {
        found |= SMTP_NEEDS_MECHANISM;
    }
    return found;
}

/* ---- all of them ---- */

/** A rule of our own, so that the suite makes its check. */
struct probe {
    struct smtp_rule rule; /* the first: a check knows it alone */
    unsigned (*look)(struct smtp_check *check, unsigned known);
    unsigned *abilities;
};

static void judge(struct smtp_check *check)
{
    const struct probe *probe = (const void *)check->rule;
    *probe->abilities |= probe->look(check, *probe->abilities);
}

struct came_out {
    enum smtp_verdict verdict;
    char detail[SMTP_ERROR_MESSAGE_SIZE];
};

static void keep_result(void *user, const struct smtp_suite_result *result)
{
    struct came_out *out = user;
    out->verdict = result->verdict;
    snprintf(out->detail, sizeof out->detail, "%s", result->detail);
}

enum smtp_status smtp_visit_abilities(const struct smtp_check_options *options, unsigned *abilities,
                                      struct smtp_error *error)
{
    static unsigned (*const looks[])(struct smtp_check * check, unsigned known) = {
        look_at_envelope, look_at_dsn,          look_at_messages, look_at_lmtp,
        look_at_starttls, look_at_implicit_tls, look_at_login,    look_at_requiretls};
    struct smtp_check_options quick = *options;
    if (quick.timeout_ms == 0 || quick.timeout_ms > PROBE_TIMEOUT_MS) {
        quick.timeout_ms = PROBE_TIMEOUT_MS;
    }
    *abilities = 0;
    for (size_t i = 0; i < sizeof looks / sizeof *looks; i++) {
        const struct probe probe = {
            .rule = {.id = "abilities", .requirement = "", .check = "", .judge = judge},
            .look = looks[i],
            .abilities = abilities};
        struct came_out out = {.verdict = SMTP_PASS};
        smtp_suite_judge(&probe.rule, &quick, keep_result, &out);
        if (out.verdict == SMTP_SKIP) {
            return smtp_error_set(error, SMTP_SYSTEM_FAILED, 0, "%s", out.detail);
        }
        if (out.verdict == SMTP_FAIL && i == 0) {
            return SMTP_OK; /* it does not even end: nothing more can be found out, yet judged it can be */
        }
    }
    return SMTP_OK;
}
