/* dialogue_view.c - draws a dialogue side by side in 80 columns.
 * Knows: the dialogue notation's "C: ", "C| " and "S: ", and that content stands between a 354
 * reply and a lone dot, or is as long as BDAT says. Does not know: colours, terminals, what is right or wrong in a dialogue. */
#include "harness/report/dialogue_view.h"

#include "common/bytes.h"
#include "harness/report/text.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define CONTENT_LINES_SHOWN 6
#define CELL_MAX SMTP_DIALOGUE_COLUMNS
#define ROWS_MAX 4                  /* of one line; then it is clipped */
#define REPLY_INDENT strlen("250-") /* what goes on stands below the text */

struct view {
    FILE *out;
    const char *margin;
    size_t cell;              /* columns of one side */
    struct smtp_span waiting; /* the client's last line, while it is not drawn; bytes NULL: none */
    unsigned unanswered;      /* the client's lines since the server's last one */
    bool in_content;
    uint64_t chunk_left; /* octets of BDAT's content still to come */
    size_t content_lines;
};

/** A dialogue is escaped already; what yet cannot be shown is escaped here. */
static size_t escape_rest(char octet, char *text)
{
    if (octet == '\\') {
        text[0] = octet;
        return 1;
    }
    return smtp_text_escape_octet((unsigned char)octet, text);
}

/** Writes the line escaped and padded or clipped to exactly `width` columns (pad false: at most).
 */
static void write_cell(FILE *out, struct smtp_span line, size_t width, bool pad)
{
    char cell[CELL_MAX + 1];
    size_t columns = 0, whole = 0; /* whole: up to where a "…" still fits behind */
    for (size_t i = 0; i < line.len; i++) {
        char text[5];
        size_t len = escape_rest(line.bytes[i], text);
        if (columns + len > width) {
            fprintf(out, "%.*s…%*s", (int)whole, cell, pad ? (int)(width - whole - 1) : 0, "");
            return;
        }
        memcpy(cell + columns, text, len);
        columns += len;
        whole = columns < width ? columns : whole;
    }
    fprintf(out, "%.*s%*s", (int)columns, cell, pad ? (int)(width - columns) : 0, "");
}

/** Takes off the line what fills `width` columns at least half, up to a blank; all of it where there is
 *  no such blank, as in base64, or where it is the last row. */
static struct smtp_span take_row(struct smtp_span *line, size_t width, bool last_row)
{
    struct smtp_span row = *line;
    const char *blank = NULL;
    if (line->len > width && !last_row) {
        blank = memrchr(line->bytes, ' ', width + 1);
    }
    if (blank != NULL && blank > line->bytes + width / 2) {
        row.len = (size_t)(blank - line->bytes);
    }
    size_t taken = row.len + (row.len < line->len);
    *line = (struct smtp_span){line->bytes + taken, line->len - taken};
    return row;
}

/** The server's line goes on below itself, indented: what it offers and why it refuses is read. */
static void draw_row(const struct view *view, struct smtp_span left, struct smtp_span right)
{
    for (size_t row = 1; row == 1 || right.len > 0; row++) {
        size_t indent = row > 1 ? REPLY_INDENT : 0;
        struct smtp_span part = take_row(&right, view->cell - indent, row == ROWS_MAX);
        fputs(view->margin, view->out);
        write_cell(view->out, left, view->cell, true);
        fprintf(view->out, part.len > 0 ? " │ %*s" : " │%*s", (int)indent, "");
        write_cell(view->out, part, view->cell - indent, false);
        fputc('\n', view->out);
        left.len = 0;
    }
}

static void draw_note(const struct view *view, struct smtp_span line)
{
    for (size_t row = 1; row == 1 || line.len > 0; row++) {
        size_t indent = row > 1 ? strlen("# ") : 0, width = 2 * view->cell + 3 - indent;
        fprintf(view->out, "%s%*s", view->margin, (int)indent, "");
        write_cell(view->out, take_row(&line, width, row == ROWS_MAX), width, false);
        fputc('\n', view->out);
    }
}

/** From here on the dialogue is sealed: a line across both sides. */
static void draw_starttls(const struct view *view, struct smtp_span line)
{
    fprintf(view->out, "%s══ %.*s ", view->margin, (int)line.len, line.bytes);
    for (size_t column = line.len + 4; column < 2 * view->cell + 3; column++) {
        fputs(column == view->cell + 1 ? "╪" : "═", view->out);
    }
    fputc('\n', view->out);
}

/** Draws the client's line that still waits for its answer, without one. */
static void flush_waiting(struct view *view)
{
    if (view->waiting.bytes != NULL) {
        draw_row(view, view->waiting, SMTP_SPAN(""));
        view->waiting.bytes = NULL;
    }
}

static void end_content(struct view *view)
{
    flush_waiting(view);
    if (view->content_lines > CONTENT_LINES_SHOWN) {
        char rest[40];
        int len =
            snprintf(rest, sizeof rest, "(%zu more)", view->content_lines - CONTENT_LINES_SHOWN);
        draw_row(view, (struct smtp_span){rest, (size_t)len}, SMTP_SPAN(""));
    }
    view->in_content = false;
    view->chunk_left = 0;
    view->content_lines = 0;
    view->unanswered = 0;
}

/** The octets that an escaped line stands for. */
static uint64_t octets_of(struct smtp_span line)
{
    uint64_t octets = 0;
    for (size_t i = 0; i < line.len; octets++) {
        bool escaped = line.bytes[i] == '\\' && i + 1 < line.len;
        i += !escaped ? 1 : line.bytes[i + 1] == 'x' ? 4 : 2;
    }
    return octets;
}

static void draw_chunk(struct view *view, struct smtp_span said, bool has_crlf)
{
    uint64_t octets = octets_of(said) + (has_crlf ? 2 : 0);
    view->content_lines++;
    if (view->content_lines <= CONTENT_LINES_SHOWN) {
        flush_waiting(view);
        view->waiting = said;
    }
    view->chunk_left -= octets < view->chunk_left ? octets : view->chunk_left;
    if (view->chunk_left == 0) {
        end_content(view);
    }
}

static void draw_command(struct view *view, struct smtp_span said)
{
    flush_waiting(view);
    view->waiting = said;
    view->unanswered++;
    struct smtp_span verb = {said.bytes, said.len < 5 ? said.len : 5};
    if (smtp_span_equal_nocase(verb, SMTP_SPAN("BDAT "))) {
        view->chunk_left = strtoull(said.bytes + 5, NULL, 10); /* a line end follows */
    }
}

static void draw_client(struct view *view, struct smtp_span said, bool has_crlf)
{
    if (view->chunk_left > 0) {
        draw_chunk(view, said, has_crlf);
        return;
    }
    bool is_end = smtp_span_equal(said, SMTP_SPAN("."));
    if (view->in_content && !is_end) {
        view->content_lines++;
        if (view->content_lines > CONTENT_LINES_SHOWN) {
            return;
        }
    }
    if (view->in_content && is_end) {
        end_content(view);
    }
    draw_command(view, said);
}

/** The answer stands beside the line it answers, where that is the only one it can belong to. */
static void draw_server(struct view *view, struct smtp_span said)
{
    if (view->waiting.bytes != NULL && view->unanswered == 1) {
        draw_row(view, view->waiting, said);
        view->waiting.bytes = NULL;
    } else {
        flush_waiting(view);
        draw_row(view, SMTP_SPAN(""), said);
    }
    view->unanswered = 0;
    view->chunk_left = 0;
    view->in_content = said.len >= 3 && memcmp(said.bytes, "354", 3) == 0;
}

/** Whose line it is, 'C', 'S' or 0, and what was said. */
static char speaker_of(struct smtp_span line, struct smtp_span *said)
{
    if (line.len < 2 || (line.bytes[1] != ':' && line.bytes[1] != '|')) {
        return 0;
    }
    size_t skipped = line.len > 2 ? 3 : 2; /* "C: " or, of an empty line, "C:" */
    *said = (struct smtp_span){line.bytes + skipped, line.len - skipped};
    return line.bytes[0] == 'C' || line.bytes[0] == 'S' ? line.bytes[0] : 0;
}

static void draw_line(struct view *view, struct smtp_span line)
{
    struct smtp_span said;
    char speaker = speaker_of(line, &said);
    if (speaker == 'C') {
        draw_client(view, said, line.bytes[1] == ':');
        return;
    }
    bool inside = view->in_content || (view->chunk_left > 0 && view->content_lines > 0);
    if (inside && speaker == 'S') {
        end_content(view);
    }
    if (speaker == 'S') {
        draw_server(view, said);
        return;
    }
    flush_waiting(view);
    if (smtp_span_equal(line, SMTP_SPAN("[starttls]"))) {
        draw_starttls(view, line);
    } else {
        draw_note(view, line);
    }
}

void smtp_dialogue_draw(FILE *out, const char *dialogue, const char *margin)
{
    struct view view = {.out = out, .margin = margin};
    view.cell = (SMTP_DIALOGUE_COLUMNS - strlen(margin) - 3) / 2;
    while (*dialogue != '\0') {
        size_t len = strcspn(dialogue, "\n");
        draw_line(&view, (struct smtp_span){dialogue, len});
        dialogue += len + (dialogue[len] == '\n');
    }
    if (view.in_content) {
        end_content(&view);
    }
    flush_waiting(&view);
}
