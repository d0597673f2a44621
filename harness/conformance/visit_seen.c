/* visit_seen.c - what was seen of a visit, and what a scenario expects of it. */
#include "harness/conformance/visit_run.h"

bool smtp_visit_is_called(const char *wanted, const char *name)
{
    bool is_command =
        strcmp(name, "connect") != 0 && strcmp(name, "dot") != 0 && strcmp(name, "line") != 0;
    return strcmp(wanted, name) == 0 || (is_command && strcmp(wanted, "*") == 0);
}

size_t smtp_visit_count(const struct smtp_visit *visit, const char *command, const char *argument)
{
    size_t count = 0;
    for (size_t i = 0; visit != NULL && i < visit->command_count; i++) {
        const struct smtp_visit_command *seen = &visit->commands[i];
        count += smtp_visit_is_called(command, seen->name) &&
                 (argument == NULL || smtp_span_has_nocase(seen->line, argument));
    }
    return count;
}

const struct smtp_visit_command *smtp_visit_find(const struct smtp_visit *visit,
                                                 const char *command, size_t i)
{
    for (size_t n = 0; visit != NULL && n < visit->command_count; n++) {
        if (smtp_visit_is_called(command, visit->commands[n].name) && i-- == 0) {
            return &visit->commands[n];
        }
    }
    return NULL;
}

static const char *outcome_name(enum smtp_visit_outcome outcome)
{
    static const char *const names[] = {"sent", "not now", "refused"};
    return names[outcome];
}

static const char *what_came(const struct smtp_visit *visit)
{
    struct smtp_check *check = visit->check;
    return smtp_check_text(
        check, "%s (exit status %d%s%s)", outcome_name(visit->outcome), visit->status,
        visit->output[0] != '\0' ? ", it wrote " : "",
        visit->output[0] != '\0' ? smtp_check_show(check, smtp_span_of(visit->output)) : "");
}

void smtp_visit_expect(struct smtp_visit *visit, enum smtp_visit_outcome outcome)
{
    if (visit != NULL && visit->outcome != outcome) {
        smtp_check_fail(visit->check, "expected the command to say: %s; it said: %s",
                        outcome_name(outcome), what_came(visit));
    }
}

void smtp_visit_expect_not_sent(struct smtp_visit *visit)
{
    if (visit != NULL && visit->outcome == SMTP_VISIT_SENT) {
        smtp_check_fail(visit->check,
                        "expected the command to say that it was not sent; it said: %s",
                        what_came(visit));
    }
}

void smtp_visit_expect_none(struct smtp_visit *visit, const char *command, const char *why)
{
    const struct smtp_visit_command *seen = smtp_visit_find(visit, command, 0);
    if (seen != NULL) {
        smtp_check_fail(visit->check, "%s; came %s", why,
                        smtp_check_show(visit->check, seen->line));
    }
}

const struct smtp_visit_message *smtp_visit_expect_message(struct smtp_visit *visit)
{
    const struct smtp_visit_message *found = NULL;
    size_t count = 0;
    for (size_t i = 0; visit != NULL && i < visit->message_count; i++) {
        if (visit->messages[i].complete) {
            found = &visit->messages[i];
            count++;
        }
    }
    if (visit != NULL && count != 1) {
        smtp_check_fail(visit->check, "expected one whole message, came %zu; the command said: %s",
                        count, what_came(visit));
        return NULL;
    }
    return visit != NULL && smtp_check_goes_on(visit->check) ? found : NULL;
}
