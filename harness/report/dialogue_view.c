/* dialogue_view.c - see dialogue_view.h.
 * Knows: which lines belong together: pipelined commands, a reply and what it answers, content and where it ends.
 * Does not know: how rows are laid out (dialogue_rows.c), what lines mean (explain.c). */
#include "harness/report/dialogue_view.h"

#include "harness/report/dialogue_rows.h"
#include "harness/report/dialogue_told.h"
#include "harness/report/explain.h"
#include "harness/report/report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#define CONTENT_LINES_SHOWN 6

struct view {
    FILE *out;
    const struct smtp_dialogue_look *look;
    const struct smtp_harness_transcript *transcript;
    struct smtp_harness_transcript_place next; /* behind the line that is drawn */
    uint64_t begin_ns;
    char time[24]; /* of the line that is drawn */
    bool tls;
    bool in_group; /* a pipelined command is still to come */

    /* who answers what: replies come in the order of the commands */
    struct smtp_harness_transcript_place asked; /* behind the command that `verb` is of */
    struct smtp_span verb; /* which the next reply answers; "" for the greeting, "." for content */
    size_t unanswered;     /* commands, `verb` among them */
    bool verb_answered;    /* the next reply answers the command behind `asked` */
    bool inside_reply;     /* its last line is still to come */
    bool challenged;       /* the client's next line answers a 334 */
    bool in_content;       /* after a 354, up to the dot */

    size_t skipped, drawn; /* so many lines are not to be drawn; of all so far */
    size_t told;           /* of them, 1-based, the last that look->told quotes; 0: none */
    size_t left_out;       /* lines since one was drawn */
    size_t folded;         /* lines of a reply, since its first */
    struct smtp_span last_folded;

    size_t content_lines; /* of the content that is being drawn */
    size_t content_shown;
    uint64_t content_octets;
    char *explained[2]; /* by side, what was said last: it is not said again */
};

/* ---- lines of the transcript ---- */

static bool begins_with(struct smtp_span text, const char *start)
{
    size_t len = strlen(start);
    return text.len >= len && memcmp(text.bytes, start, len) == 0;
}

static bool is_command(const struct smtp_harness_transcript_line *line)
{
    return line->kind == SMTP_LOG_COMMAND && !smtp_span_equal(line->text, SMTP_SPAN("."));
}

static bool is_pipelined_next(const struct view *view)
{
    struct smtp_harness_transcript_place place = view->next;
    struct smtp_harness_transcript_line line;
    while (smtp_harness_transcript_next(view->transcript, &place, &line)) {
        if (is_command(&line)) {
            return line.pipelined;
        }
    }
    return false;
}

/** Goes on to the next command, and its verb; what answers a challenge is none. */
static void take_verb(struct view *view)
{
    struct smtp_harness_transcript_line line;
    bool challenged = false;
    while (smtp_harness_transcript_next(view->transcript, &view->asked, &line)) {
        if (is_command(&line) && !challenged) {
            view->verb = smtp_explain_verb(line.text);
            return;
        }
        challenged = line.kind == SMTP_LOG_REPLY ? begins_with(line.text, "334")
                                                 : challenged && !is_command(&line);
    }
}

/* ---- drawing ---- */

static void tell_time(struct view *view, uint64_t time_ns)
{
    uint64_t since_ns = time_ns > view->begin_ns ? time_ns - view->begin_ns : 0;
    double ms = (double)since_ns / 1e6;
    if (ms < 999999) {
        snprintf(view->time, sizeof view->time, ms < 9999 ? "%.1f" : "%.0f", ms);
    } else {
        snprintf(view->time, sizeof view->time, "%" PRIu64 "s", since_ns / 1000000000);
    }
}

/** Whether the next line is one of those to be drawn: where only they are counted, none. */
static bool comes_next(struct view *view, struct smtp_span text)
{
    bool only_counts = view->skipped == SIZE_MAX;
    view->drawn++;
    if (only_counts && smtp_dialogue_is_told(view->look->told, text)) {
        view->told = view->drawn;
    }
    if (only_counts || (view->drawn <= view->skipped && view->drawn != view->told)) {
        view->left_out++;
        return false;
    }
    if (view->left_out > 0) {
        fprintf(view->out, "%s(%zu lines before)\n", view->look->margin, view->left_out);
    }
    view->left_out = 0;
    return true;
}

/** The row as it is, and its explanation (taken; NULL: none), unless that was just said on this side. */
static void draw(struct view *view, struct smtp_dialogue_row row, char *explained)
{
    if (!comes_next(view, row.text)) {
        free(explained);
        return;
    }
    row.tls = view->tls;
    row.group =
        row.group == SMTP_DIALOGUE_ALONE && view->in_group ? SMTP_DIALOGUE_BETWEEN : row.group;
    row.explained = "";
    if (explained != NULL && explained[0] != '\0') {
        char **last = &view->explained[row.side == SMTP_DIALOGUE_SERVER];
        row.explained = *last != NULL && strcmp(*last, explained) == 0 ? "" : explained;
        smtp_dialogue_row_draw(view->out, view->look, &row);
        free(*last);
        *last = explained;
        return;
    }
    free(explained);
    smtp_dialogue_row_draw(view->out, view->look, &row);
}

static void draw_note(struct view *view, const char *what, struct smtp_span text)
{
    struct smtp_harness_lines note = SMTP_HARNESS_LINES;
    smtp_harness_lines_add(&note, smtp_span_of(what));
    smtp_harness_lines_add(&note, text);
    char *whole = smtp_harness_lines_take(&note);
    if (whole != NULL) {
        struct smtp_dialogue_row row = {.side = SMTP_DIALOGUE_ACROSS,
                                        .colour = SMTP_DIALOGUE_YELLOW,
                                        .time = view->time,
                                        .text = {whole, strlen(what) + text.len}};
        draw(view, row, NULL);
    }
    free(whole);
}

static void draw_left_out(struct view *view, uint64_t octets)
{
    char text[64];
    int len = snprintf(text, sizeof text, "%" PRIu64 " octets are not kept", octets);
    draw_note(view, "# ", (struct smtp_span){text, (size_t)len});
}

/* ---- content ---- */

static void end_content(struct view *view)
{
    if (view->content_lines == 0) {
        return;
    }
    char text[96];
    size_t more = view->content_lines - view->content_shown;
    int len = more > 0 ? snprintf(text, sizeof text, "(+%zu lines, ", more)
                       : snprintf(text, sizeof text, "(");
    len += snprintf(text + len, sizeof text - (size_t)len, "%" PRIu64 " octets)",
                    view->content_octets);
    struct smtp_dialogue_row row = {.side = SMTP_DIALOGUE_CLIENT,
                                    .colour = SMTP_DIALOGUE_DIM,
                                    .time = view->time,
                                    .text = {text, (size_t)len}};
    draw(view, row, NULL);
    view->content_lines = view->content_shown = 0;
    view->content_octets = 0;
}

static void draw_end_of_content(struct view *view)
{
    struct smtp_harness_lines meaning = SMTP_HARNESS_LINES;
    end_content(view);
    view->in_content = false;
    smtp_explain_end_of_content(&meaning);
    struct smtp_dialogue_row row = {
        .side = SMTP_DIALOGUE_CLIENT, .arrow = true, .time = view->time, .text = SMTP_SPAN(".")};
    draw(view, row, smtp_harness_lines_take(&meaning));
}

static void draw_content(struct view *view, const struct smtp_harness_transcript_line *line)
{
    if (view->in_content && line->has_crlf && smtp_span_equal(line->text, SMTP_SPAN("."))) {
        draw_end_of_content(view);
        return;
    }
    struct smtp_harness_lines meaning = SMTP_HARNESS_LINES;
    view->content_lines++;
    view->content_octets += line->text.len + (line->has_crlf ? 2 : 0) + line->left_out;
    if (view->content_lines == 1) {
        smtp_explain_content(&meaning, !view->in_content);
    }
    if (view->content_lines <= CONTENT_LINES_SHOWN ||
        smtp_dialogue_is_told(view->look->told, line->text)) {
        view->content_shown++;
        struct smtp_dialogue_row row = {.side = SMTP_DIALOGUE_CLIENT,
                                        .colour = SMTP_DIALOGUE_DIM,
                                        .arrow = true,
                                        .time = "",
                                        .text = line->text};
        draw(view, row, smtp_harness_lines_take(&meaning));
    }
}

/* ---- commands and replies ---- */

static enum smtp_dialogue_group group_of(struct view *view, bool pipelined)
{
    bool goes_on = is_pipelined_next(view);
    view->in_group = goes_on;
    if (goes_on) {
        return pipelined ? SMTP_DIALOGUE_WITHIN : SMTP_DIALOGUE_FIRST;
    }
    return pipelined ? SMTP_DIALOGUE_LAST : SMTP_DIALOGUE_ALONE;
}

static void draw_command(struct view *view, const struct smtp_harness_transcript_line *line)
{
    if (!is_command(line)) {
        draw_end_of_content(view);
        return;
    }
    struct smtp_harness_lines meaning = SMTP_HARNESS_LINES;
    if (view->challenged) {
        smtp_harness_lines_add(&meaning, SMTP_SPAN("answers the challenge (RFC 4954 4)"));
    } else {
        smtp_explain_command(&meaning, line->text);
        view->unanswered++;
    }
    view->challenged = view->in_content = false;
    struct smtp_dialogue_row row = {.side = SMTP_DIALOGUE_CLIENT,
                                    .group = group_of(view, line->pipelined),
                                    .arrow = true,
                                    .time = view->time,
                                    .text = line->text};
    draw(view, row, smtp_harness_lines_take(&meaning));
}

/** After a reply's last line: what the next one answers. */
static void end_reply(struct view *view, struct smtp_span line)
{
    view->challenged = begins_with(line, "334");
    view->in_content = begins_with(line, "354");
    if (view->in_content) {
        view->verb = SMTP_SPAN(".");
    }
    if (!view->challenged && !view->in_content && view->unanswered > 0) {
        view->unanswered--;
        view->verb_answered = true;
    }
}

static char *meaning_of_reply(const struct view *view, struct smtp_span line)
{
    struct smtp_harness_lines meaning = SMTP_HARNESS_LINES;
    bool hello = smtp_span_equal_nocase(view->verb, SMTP_SPAN("EHLO")) ||
                 smtp_span_equal_nocase(view->verb, SMTP_SPAN("LHLO"));
    if (!view->inside_reply) {
        smtp_explain_reply(&meaning, view->verb, line);
    } else if (hello) {
        smtp_explain_keyword(&meaning, line);
    }
    return smtp_harness_lines_take(&meaning);
}

/** A line of a reply that is neither its first nor its last: whether it is told by its number alone. */
static bool folds(struct view *view, struct smtp_span text)
{
    bool goes_on = text.len > 3 && text.bytes[3] == '-';
    if (view->look->brief == 0 || !view->inside_reply || !goes_on ||
        smtp_dialogue_is_told(view->look->told, text)) {
        return false;
    }
    view->folded++;
    view->last_folded = text;
    return true;
}

static void draw_folded(struct view *view)
{
    char text[64];
    int len = snprintf(text, sizeof text, "(+%zu lines)", view->folded);
    struct smtp_span number = {text, (size_t)len};
    struct smtp_dialogue_row row = {.side = SMTP_DIALOGUE_SERVER,
                                    .colour = SMTP_DIALOGUE_DIM,
                                    .time = view->time,
                                    .text = view->folded == 1 ? view->last_folded : number};
    if (view->folded > 0) {
        view->folded = 0;
        draw(view, row, NULL);
    }
}

static void draw_reply(struct view *view, const struct smtp_harness_transcript_line *line)
{
    if (folds(view, line->text)) {
        return;
    }
    draw_folded(view);
    static const enum smtp_dialogue_colour colours[] = {SMTP_DIALOGUE_GREEN, SMTP_DIALOGUE_CYAN,
                                                        SMTP_DIALOGUE_YELLOW, SMTP_DIALOGUE_RED};
    unsigned first = line->text.len > 0 ? (unsigned)(line->text.bytes[0] - '2') : 4;
    if (!view->inside_reply && view->verb_answered && view->unanswered > 0) {
        take_verb(view);
        view->verb_answered = false;
    }
    struct smtp_dialogue_row row = {.side = SMTP_DIALOGUE_SERVER,
                                    .colour = first < 4 ? colours[first] : SMTP_DIALOGUE_PLAIN,
                                    .arrow = true,
                                    .time = view->time,
                                    .text = line->text};
    draw(view, row, meaning_of_reply(view, line->text));
    view->inside_reply = line->text.len > 3 && line->text.bytes[3] == '-';
    if (!view->inside_reply) {
        end_reply(view, line->text);
    }
}

/* ---- the whole ---- */

static void draw_tls(struct view *view, struct smtp_span text)
{
    struct smtp_harness_lines rule = SMTP_HARNESS_LINES;
    smtp_harness_lines_add(&rule, SMTP_SPAN("TLS: "));
    smtp_harness_lines_add(&rule, text);
    char *whole = smtp_harness_lines_take(&rule);
    if (whole != NULL && comes_next(view, text)) {
        smtp_dialogue_rule_draw(view->out, view->look, view->time,
                                (struct smtp_span){whole, strlen("TLS: ") + text.len});
    }
    free(whole);
    view->tls = true;
}

/** Where a transcript has several sessions, one after the other. */
static void begin_session(struct view *view)
{
    view->tls = view->challenged = view->in_content = view->inside_reply = false;
    view->verb = SMTP_SPAN("");
    view->unanswered = 0;
    view->verb_answered = true;
    view->asked = view->next;
}

static void draw_line(struct view *view, const struct smtp_harness_transcript_line *line)
{
    if (line->kind != SMTP_LOG_CONTENT && line->kind != SMTP_LOG_NOTE) {
        end_content(view);
    }
    tell_time(view, line->time_ns);
    switch (line->kind) {
    case SMTP_LOG_COMMAND:
        draw_command(view, line);
        break;
    case SMTP_LOG_REPLY:
        draw_reply(view, line);
        break;
    case SMTP_LOG_CONTENT:
        draw_content(view, line);
        break;
    case SMTP_LOG_TLS:
        draw_tls(view, line->text);
        break;
    case SMTP_LOG_CONNECT:
        begin_session(view);
        draw_note(view, "# connected: ", line->text);
        break;
    case SMTP_LOG_CLOSE:
        draw_note(view, "# closed: ", line->text);
        view->tls = false;
        break;
    case SMTP_LOG_NOTE:
        if (begins_with(line->text, "connected to ")) { /* as the client says it */
            begin_session(view);
        }
        draw_note(view, "# ", line->text);
        break;
    }
    if (line->left_out > 0 && line->kind != SMTP_LOG_CONTENT) {
        draw_left_out(view, line->left_out);
    }
}

/** Draws all but so many lines, yet the one that is told (0: none); SIZE_MAX of them: none. Returns how many there
 *  are, and where only they are counted, *told. */
static size_t draw_behind(FILE *out, const struct smtp_harness_transcript *transcript,
                          const struct smtp_dialogue_look *look, size_t skipped, size_t *told)
{
    struct view view = {.out = out,
                        .look = look,
                        .transcript = transcript,
                        .verb = SMTP_SPAN(""),
                        .verb_answered = true,
                        .skipped = skipped,
                        .told = *told};
    struct smtp_harness_transcript_line line;
    while (smtp_harness_transcript_next(transcript, &view.next, &line)) {
        view.begin_ns = view.begin_ns == 0 ? line.time_ns : view.begin_ns;
        draw_line(&view, &line);
    }
    draw_folded(&view);
    end_content(&view);
    free(view.explained[0]);
    free(view.explained[1]);
    *told = view.told;
    return view.drawn;
}

void smtp_dialogue_draw(FILE *out, const struct smtp_harness_transcript *transcript,
                        const struct smtp_dialogue_look *look)
{
    size_t skipped = 0, told = 0;
    if (look->brief > 0) {
        size_t all = draw_behind(out, transcript, look, SIZE_MAX, &told);
        skipped = all > look->brief ? all - look->brief : 0;
    }
    draw_behind(out, transcript, look, skipped, &told);
}

/* ---- what fits ---- */

/** By the names that a locale is told by (POSIX): the first that is set counts. */
static bool has_utf8(void)
{
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        /* NOLINTNEXTLINE(concurrency-mt-unsafe): nothing here sets the environment */
        const char *locale = getenv(names[i]);
        if (locale != NULL && locale[0] != '\0') {
            return strcasestr(locale, "utf-8") != NULL || strcasestr(locale, "utf8") != NULL;
        }
    }
    return false;
}

static size_t columns_of(FILE *out)
{
    struct winsize size;
    if (ioctl(fileno(out), TIOCGWINSZ, &size) != 0 || size.ws_col == 0) {
        return SMTP_DIALOGUE_COLUMNS;
    }
    size_t columns = size.ws_col;
    columns = columns > SMTP_DIALOGUE_COLUMNS_MIN ? columns : SMTP_DIALOGUE_COLUMNS_MIN;
    return columns < SMTP_DIALOGUE_COLUMNS_MAX ? columns : SMTP_DIALOGUE_COLUMNS_MAX;
}

struct smtp_dialogue_look smtp_dialogue_look_at(FILE *out, const char *margin)
{
    return (struct smtp_dialogue_look){.margin = margin,
                                       .columns = columns_of(out),
                                       .colour = smtp_report_wants_colour(out),
                                       .ascii = !has_utf8()};
}
