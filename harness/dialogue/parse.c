/* parse.c - reads a dialogue line by line: whose line it is, what is no line, and whether the steps can follow
 * each other. Does not know how it is played. */
#include "harness/dialogue/steps.h"

#include <stdio.h>
#include <stdlib.h>

#define SHOWN_MAX 200 /* of a line in a complaint */

static const char line_remedy[] = "a line begins with 'C: ' or 'S: ' (a line of the client's or "
                                  "the server's), 'C| ' or 'S| ' (octets),\n"
                                  "'#' (a comment) or '[' (a directive)";

const struct smtp_dialogue_step *smtp_dialogue_step_at(const struct smtp_dialogue *dialogue,
                                                       size_t i)
{
    return (const struct smtp_dialogue_step *)(const void *)smtp_buffer_span(&dialogue->steps)
               .bytes +
           i;
}

const struct smtp_dialogue_part *smtp_dialogue_parts(const struct smtp_dialogue *dialogue,
                                                     const struct smtp_dialogue_step *step)
{
    if (step->part_count == 0) {
        return NULL;
    }
    return (const struct smtp_dialogue_part *)(const void *)smtp_buffer_span(&dialogue->parts)
               .bytes +
           step->first_part;
}

/** The line, each octet one column, with a caret under the place. */
static void complain(struct smtp_harness_lines *why, const struct smtp_dialogue *dialogue,
                     const struct smtp_dialogue_step *step,
                     const struct smtp_dialogue_mistake *mistake)
{
    size_t before = (size_t)(mistake->at - step->source.bytes);
    smtp_harness_lines_print(why, "%s:%u: %s\n", dialogue->name, step->line, mistake->what);
    if (before <= SHOWN_MAX) {
        smtp_harness_lines_print(why, "  ");
        for (size_t i = 0; i < step->source.len && i < SHOWN_MAX; i++) {
            bool shows = !smtp_is_control((unsigned char)step->source.bytes[i]) &&
                         (unsigned char)step->source.bytes[i] < 127;
            smtp_harness_lines_add(why, shows ? (struct smtp_span){step->source.bytes + i, 1}
                                              : SMTP_SPAN("?"));
        }
        smtp_harness_lines_print(why, "\n  %*s^\n", (int)before, "");
    }
    smtp_harness_lines_print(why, "%s\n", mistake->remedy);
}

static bool is_wrong(struct smtp_dialogue_mistake *mistake, const char *at, const char *what,
                     const char *remedy)
{
    mistake->at = at;
    mistake->remedy = remedy;
    snprintf(mistake->what, sizeof mistake->what, "%s", what);
    return false;
}

static bool read_speech(struct smtp_dialogue *dialogue, struct smtp_dialogue_step *step,
                        struct smtp_dialogue_mistake *mistake)
{
    struct smtp_span line = step->source;
    size_t mark = line.len > 2 && (line.bytes[2] == ' ' || line.bytes[2] == '\t') ? 3 : 2;
    struct smtp_span said = {line.bytes + mark, line.len - mark};
    step->kind = SMTP_DIALOGUE_SAY;
    step->speaker = line.bytes[0] == 'S' ? SMTP_DIALOGUE_SERVER : SMTP_DIALOGUE_CLIENT;
    step->has_crlf = line.bytes[1] == ':';
    if (step->has_crlf && smtp_span_equal(smtp_span_trim_end(said), SMTP_SPAN("..."))) {
        step->kind = SMTP_DIALOGUE_LINES;
        return true;
    }
    return smtp_dialogue_read_line(dialogue, step, said, mistake);
}

static bool add_step(struct smtp_dialogue *dialogue, const struct smtp_dialogue_step *step,
                     struct smtp_dialogue_mistake *mistake)
{
    mistake->no_memory = smtp_buffer_append(&dialogue->steps, step, sizeof *step) != SMTP_OK;
    return !mistake->no_memory || is_wrong(mistake, step->source.bytes, "out of memory", "");
}

static const struct smtp_dialogue_step *last_step(const struct smtp_dialogue *dialogue)
{
    size_t count = smtp_dialogue_step_count(dialogue);
    return count > 0 ? smtp_dialogue_step_at(dialogue, count - 1) : NULL;
}

static bool add_directive(struct smtp_dialogue *dialogue, struct smtp_dialogue_step *step,
                          struct smtp_dialogue_mistake *mistake)
{
    bool codes = false;
    if (!smtp_dialogue_read_directive(step, step->source, &codes, mistake)) {
        return false;
    }
    if (codes) {
        dialogue->compare_codes = true;
        return true;
    }
    if (step->kind == SMTP_DIALOGUE_SESSION && last_step(dialogue) == NULL) {
        return true; /* the first needs none */
    }
    dialogue->session_count += step->kind == SMTP_DIALOGUE_SESSION;
    return add_step(dialogue, step, mistake);
}

static bool read_source(struct smtp_dialogue *dialogue, struct smtp_dialogue_step *step,
                        struct smtp_dialogue_mistake *mistake)
{
    struct smtp_span line = step->source;
    struct smtp_span visible = smtp_span_trim_end(line);
    if (visible.len == 0 || line.bytes[0] == '#') {
        return true;
    }
    if (line.bytes[0] == '[') {
        return add_directive(dialogue, step, mistake);
    }
    bool has_mark = line.len >= 2 && (line.bytes[0] == 'C' || line.bytes[0] == 'S') &&
                    (line.bytes[1] == ':' || line.bytes[1] == '|');
    if (!has_mark) {
        return is_wrong(mistake, line.bytes, "whose line this is is not said", line_remedy);
    }
    return read_speech(dialogue, step, mistake) && add_step(dialogue, step, mistake);
}

static bool is_end(const struct smtp_dialogue_step *step)
{
    return step->kind == SMTP_DIALOGUE_CLOSE || step->kind == SMTP_DIALOGUE_HALF_CLOSE ||
           step->kind == SMTP_DIALOGUE_RESET;
}

/** What became of the connection before a step. */
struct so_far {
    bool is_over;
    bool has_ended[2]; /* by speaker: has said that nothing more comes */
};

/** Whether a step can stand where it does; `next` NULL: it is the last. */
static bool can_stand(const struct smtp_dialogue_step *step, const struct smtp_dialogue_step *next,
                      const struct so_far *so_far, struct smtp_dialogue_mistake *mistake)
{
    const char *at = step->source.bytes;
    bool goes_on = next != NULL && next->kind != SMTP_DIALOGUE_SESSION;
    bool speaks = step->kind <= SMTP_DIALOGUE_LINES || step->kind == SMTP_DIALOGUE_HALF_CLOSE;
    if (so_far->is_over && step->kind != SMTP_DIALOGUE_SESSION) {
        return is_wrong(mistake, at, "the connection is closed before this",
                        "write [session] before what another connection is for");
    }
    if (step->kind == SMTP_DIALOGUE_SESSION && !goes_on) {
        return is_wrong(mistake, at, "nothing is in this session",
                        "[session] stands before the lines of another connection");
    }
    if (so_far->has_ended[step->speaker] && speaks) {
        return is_wrong(mistake, at, "who says this has closed its half before",
                        "after [.. half-close] only the other one speaks");
    }
    if (step->kind == SMTP_DIALOGUE_LINES &&
        (!goes_on || next->speaker != step->speaker ||
         !(is_end(next) || (next->kind == SMTP_DIALOGUE_SAY && next->is_one_line)))) {
        return is_wrong(
            mistake, at, "nothing tells where these lines end",
            "behind '...' alone stands a line of the same speaker's that ends them, or that it "
            "closes");
    }
    if ((step->kind == SMTP_DIALOGUE_WAIT || step->kind == SMTP_DIALOGUE_WITHIN) && !goes_on) {
        return is_wrong(mistake, at, "nothing comes behind this",
                        "[wait] and [within] stand before what they are about");
    }
    return true;
}

static void go_on(struct so_far *so_far, const struct smtp_dialogue_step *step)
{
    if (step->kind == SMTP_DIALOGUE_SESSION) {
        *so_far = (struct so_far){.is_over = false};
    }
    so_far->is_over = step->kind == SMTP_DIALOGUE_CLOSE || step->kind == SMTP_DIALOGUE_RESET;
    if (step->kind == SMTP_DIALOGUE_HALF_CLOSE) {
        so_far->has_ended[step->speaker] = true;
    }
}

static bool check_order(const struct smtp_dialogue *dialogue, const struct smtp_dialogue_step **at,
                        struct smtp_dialogue_mistake *mistake)
{
    struct so_far so_far = {.is_over = false};
    size_t count = smtp_dialogue_step_count(dialogue);
    for (size_t i = 0; i < count; i++) {
        const struct smtp_dialogue_step *step = smtp_dialogue_step_at(dialogue, i);
        *at = step;
        if (!can_stand(step, i + 1 < count ? step + 1 : NULL, &so_far, mistake)) {
            return false;
        }
        bool begins = i == 0 || step[-1].kind == SMTP_DIALOGUE_SESSION;
        struct smtp_span source = smtp_span_trim_end(step->source);
        if (!begins && smtp_span_equal(source, SMTP_SPAN("[tls]"))) {
            return is_wrong(mistake, step->source.bytes, "[tls] is the first thing of a session",
                            "write [starttls] for a handshake later on");
        }
        go_on(&so_far, step);
    }
    return true;
}

static bool read_all(struct smtp_dialogue *dialogue, size_t len, struct smtp_dialogue_step *step,
                     struct smtp_dialogue_mistake *mistake)
{
    const char *at = dialogue->text, *end = at + len;
    if (len >= 3 && memcmp(at, "\xEF\xBB\xBF", 3) == 0) {
        at += 3;
    }
    for (unsigned number = 1; at < end; number++) {
        const char *lf = memchr(at, '\n', (size_t)(end - at));
        const char *stop = lf != NULL ? lf : end;
        size_t line_len = (size_t)(stop - at);
        line_len -= line_len > 0 && at[line_len - 1] == '\r';
        *step = (struct smtp_dialogue_step){.line = number, .source = {at, line_len}};
        if (!read_source(dialogue, step, mistake)) {
            return false;
        }
        at = lf != NULL ? lf + 1 : end;
    }
    if (smtp_dialogue_step_count(dialogue) == 0) {
        *step = (struct smtp_dialogue_step){.line = 1, .source = {dialogue->text, 0}};
        return is_wrong(mistake, dialogue->text, "there is no line of a dialogue in it",
                        line_remedy);
    }
    const struct smtp_dialogue_step *wrong = NULL;
    if (!check_order(dialogue, &wrong, mistake)) {
        *step = *wrong;
        return false;
    }
    return true;
}

enum smtp_status smtp_dialogue_parse(struct smtp_dialogue **out, const char *name,
                                     struct smtp_span text, struct smtp_harness_lines *why)
{
    *out = NULL;
    struct smtp_dialogue *dialogue = calloc(1, sizeof *dialogue);
    if (dialogue == NULL) {
        return SMTP_NO_MEMORY;
    }
    dialogue->steps = SMTP_BUFFER(SIZE_MAX / 2);
    dialogue->parts = SMTP_BUFFER(SIZE_MAX / 2);
    dialogue->session_count = 1;
    dialogue->name = strdup(name);
    dialogue->text = malloc(text.len + 1);
    dialogue->octets = malloc(text.len + 1);
    struct smtp_dialogue_mistake mistake = {.no_memory = true};
    struct smtp_dialogue_step step = {.line = 0};
    if (dialogue->name != NULL && dialogue->text != NULL && dialogue->octets != NULL) {
        smtp_bytes_copy(dialogue->text, text);
        dialogue->text[text.len] = '\0';
        mistake.no_memory = false;
        if (read_all(dialogue, text.len, &step, &mistake)) {
            *out = dialogue;
            return SMTP_OK;
        }
        if (!mistake.no_memory) {
            complain(why, dialogue, &step, &mistake);
        }
    }
    smtp_dialogue_free(dialogue);
    return mistake.no_memory ? SMTP_NO_MEMORY : SMTP_BAD_ARGUMENT;
}

void smtp_dialogue_free(struct smtp_dialogue *dialogue)
{
    if (dialogue != NULL) {
        free(dialogue->name);
        free(dialogue->text);
        free(dialogue->octets);
        smtp_buffer_free(&dialogue->steps);
        smtp_buffer_free(&dialogue->parts);
        free(dialogue);
    }
}

size_t smtp_dialogue_session_count(const struct smtp_dialogue *dialogue)
{
    return dialogue->session_count;
}
