/* result.c - see result.h. */
#include "harness/load/result.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *smtp_load_phase_name(enum smtp_load_phase phase)
{
    static const char *const names[] = {
        [SMTP_LOAD_CONNECT] = "connect", [SMTP_LOAD_GREETING] = "greeting",
        [SMTP_LOAD_EHLO] = "EHLO",       [SMTP_LOAD_TLS] = "TLS",
        [SMTP_LOAD_AUTH] = "AUTH",       [SMTP_LOAD_MAIL] = "MAIL",
        [SMTP_LOAD_RCPT] = "RCPT",       [SMTP_LOAD_DATA] = "DATA",
        [SMTP_LOAD_DOT] = "dot",         [SMTP_LOAD_MESSAGE] = "message",
    };
    return names[phase];
}

void smtp_load_note_cause(struct smtp_load_result *result, const char *text, uint64_t count)
{
    size_t i = 0;
    while (i < result->cause_count && strcmp(result->causes[i].text, text) != 0) {
        i++;
    }
    if (i == SMTP_LOAD_CAUSES) {
        i--;
        snprintf(result->causes[i].text, SMTP_LOAD_CAUSE_SIZE, "other causes");
    } else if (i == result->cause_count) {
        result->cause_count++;
        snprintf(result->causes[i].text, SMTP_LOAD_CAUSE_SIZE, "%s", text);
    }
    result->causes[i].count += count;
}

static bool make_seconds(struct smtp_load_result *result, size_t count)
{
    if (count <= result->second_count) {
        return true;
    }
    uint64_t *seconds = realloc(result->seconds, count * sizeof *seconds);
    if (seconds == NULL) {
        return false;
    }
    memset(seconds + result->second_count, 0, (count - result->second_count) * sizeof *seconds);
    result->seconds = seconds;
    result->second_count = count;
    return true;
}

void smtp_load_note_second(struct smtp_load_result *result, size_t second)
{
    if (make_seconds(result, second + 1)) {
        result->seconds[second]++;
    }
}

bool smtp_load_result_merge(struct smtp_load_result *result, const struct smtp_load_result *other)
{
    for (size_t i = 0; i < SMTP_LOAD_PHASES; i++) {
        smtp_histogram_merge(&result->phases[i], &other->phases[i]);
    }
    for (size_t i = 0; i < other->cause_count; i++) {
        smtp_load_note_cause(result, other->causes[i].text, other->causes[i].count);
    }
    result->sent += other->sent;
    result->accepted += other->accepted;
    result->octets += other->octets;
    result->sessions_lost += other->sessions_lost;
    result->elapsed_ns =
        other->elapsed_ns > result->elapsed_ns ? other->elapsed_ns : result->elapsed_ns;
    result->interrupted = result->interrupted || other->interrupted;
    if (!make_seconds(result, other->second_count)) {
        return false;
    }
    for (size_t i = 0; i < other->second_count; i++) {
        result->seconds[i] += other->seconds[i];
    }
    return true;
}

void smtp_load_result_clear(struct smtp_load_result *result)
{
    free(result->seconds);
    *result = (struct smtp_load_result){.seconds = NULL};
}
