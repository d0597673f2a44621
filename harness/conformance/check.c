/* check.c - see check.h. Knows nothing of connections but that they are freed with the check. */
#include "harness/conformance/check.h"

#include "common/deadline.h"
#include "harness/conformance/suite.h"
#include "harness/lines.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define SHOWN_MAX ((size_t)200)

static void keep(char **text, const char *format, va_list arguments)
{
    if (*text == NULL && vasprintf(text, format, arguments) < 0) {
        *text = NULL;
    }
}

static void decide(struct smtp_check *check, enum smtp_verdict verdict, const char *format,
                   va_list arguments)
{
    if (!check->is_decided) {
        keep(&check->detail, format, arguments);
        check->is_decided = true;
        check->verdict = verdict;
    }
}

void smtp_check_fail(struct smtp_check *check, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    decide(check, SMTP_FAIL, format, arguments);
    va_end(arguments);
}

void smtp_check_skip(struct smtp_check *check, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    decide(check, SMTP_SKIP, format, arguments);
    va_end(arguments);
}

void smtp_check_pass(struct smtp_check *check)
{
    if (!check->is_decided) {
        check->is_decided = true;
        check->verdict = SMTP_PASS;
    }
}

void smtp_check_warn(struct smtp_check *check, const char *format, ...)
{
    if (check->is_decided) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    keep(&check->warning, format, arguments);
    va_end(arguments);
}

bool smtp_check_that(struct smtp_check *check, bool holds, const char *format, ...)
{
    if (check->is_decided || holds) {
        return !check->is_decided;
    }
    va_list arguments;
    va_start(arguments, format);
    decide(check, SMTP_FAIL, format, arguments);
    va_end(arguments);
    return false;
}

uint64_t smtp_check_slow_ms(const struct smtp_check *check, uint64_t ms)
{
    unsigned divisor = check->options->slow_divisor;
    return divisor > 1 ? ms / divisor : ms;
}

void smtp_check_extend(struct smtp_check *check, uint64_t ms)
{
    if ((check->rule->needs & SMTP_NEEDS_TIME) != 0 && check->deadline_ns != SMTP_NEVER) {
        check->deadline_ns += ms * SMTP_NS_PER_MS;
    }
}

void *smtp_check_own(struct smtp_check *check, void *thing, void (*release)(void *thing))
{
    struct smtp_check_owned owned = {.release = release, .thing = thing};
    if (thing == NULL || smtp_buffer_append(&check->owned, &owned, sizeof owned) != SMTP_OK) {
        if (thing != NULL) {
            release(thing);
        }
        smtp_check_skip(check, "out of memory");
        return NULL;
    }
    return thing;
}

const char *smtp_check_text(struct smtp_check *check, const char *format, ...)
{
    char *text = NULL;
    va_list arguments;
    va_start(arguments, format);
    int len = vasprintf(&text, format, arguments);
    va_end(arguments);
    text = smtp_check_own(check, len < 0 ? NULL : text, free);
    return text != NULL ? text : "";
}

const char *smtp_check_show(struct smtp_check *check, struct smtp_span octets)
{
    struct smtp_harness_lines lines = SMTP_HARNESS_LINES;
    smtp_harness_lines_quote(&lines, octets, SHOWN_MAX);
    const char *text = smtp_check_own(check, smtp_harness_lines_take(&lines), free);
    return text != NULL ? text : "";
}

void smtp_check_show_dialogue(struct smtp_check *check, const char *title,
                              const struct smtp_harness_transcript *transcript)
{
    struct smtp_report_dialogue dialogue = {.title = title, .transcript = transcript};
    if (smtp_buffer_append(&check->dialogues, &dialogue, sizeof dialogue) != SMTP_OK) {
        smtp_check_skip(check, "out of memory");
    }
}

void smtp_check_clear(struct smtp_check *check)
{
    const struct smtp_check_owned *owned = (const void *)smtp_buffer_span(&check->owned).bytes;
    for (size_t i = check->owned.len / sizeof *owned; i-- > 0;) {
        owned[i].release(owned[i].thing);
    }
    smtp_buffer_free(&check->owned);
    smtp_buffer_free(&check->dialogues);
    free(check->detail);
    free(check->warning);
}
