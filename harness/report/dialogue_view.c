/* dialogue_view.c - draws a dialogue side by side in 80 columns.
 * Knows: the dialogue notation's "C: ", "C| " and "S: ", and that content stands between a 354
 * reply and a lone dot. Does not know: colours, terminals, what is right or wrong in a dialogue. */
#include "harness/report/dialogue_view.h"

#include <stdbool.h>
#include <string.h>

#include "common/bytes.h"
#include "harness/report/text.h"

#define CONTENT_LINES_SHOWN 4
#define CELL_MAX SMTP_DIALOGUE_COLUMNS

struct view {
    FILE *out;
    const char *margin;
    size_t cell; /* columns of one side */
    bool in_content;
    size_t content_lines, content_octets;
};

/** Writes the line escaped and padded or clipped to exactly `width` columns (pad false: at most).
 */
static void write_cell(FILE *out, struct smtp_span line, size_t width, bool pad)
{
    char cell[CELL_MAX + 1];
    size_t columns = 0, whole = 0; /* whole: up to where a "…" still fits behind */
    for (size_t i = 0; i < line.len; i++) {
        char text[5];
        size_t len = smtp_text_escape_octet((unsigned char)line.bytes[i], text);
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

static void draw_left(const struct view *view, struct smtp_span line)
{
    fputs(view->margin, view->out);
    write_cell(view->out, line, view->cell, true);
    fputs(" │\n", view->out);
}

static void draw_right(const struct view *view, struct smtp_span line)
{
    fprintf(view->out, "%s%*s │ ", view->margin, (int)view->cell, "");
    write_cell(view->out, line, view->cell, false);
    fputc('\n', view->out);
}

static void draw_note(const struct view *view, struct smtp_span line)
{
    fputs(view->margin, view->out);
    write_cell(view->out, line, 2 * view->cell + 3, false);
    fputc('\n', view->out);
}

static void end_content(struct view *view)
{
    if (view->content_lines > CONTENT_LINES_SHOWN) {
        char rest[64];
        int len = snprintf(rest, sizeof rest, "(%zu lines more; %zu octets in all)",
                           view->content_lines - CONTENT_LINES_SHOWN, view->content_octets);
        draw_left(view, (struct smtp_span){rest, (size_t)len});
    }
    view->in_content = false;
    view->content_lines = view->content_octets = 0;
}

static void draw_client(struct view *view, struct smtp_span said)
{
    bool is_end = smtp_span_equal(said, SMTP_SPAN("."));
    if (view->in_content && !is_end) {
        view->content_lines++;
        view->content_octets += said.len + 2;
        if (view->content_lines > CONTENT_LINES_SHOWN) {
            return;
        }
    }
    if (view->in_content && is_end) {
        end_content(view);
    }
    draw_left(view, said);
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
        draw_client(view, said);
        return;
    }
    if (view->in_content) {
        end_content(view);
    }
    if (speaker == 0) {
        draw_note(view, line);
        return;
    }
    draw_right(view, said);
    view->in_content = said.len >= 3 && memcmp(said.bytes, "354", 3) == 0;
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
}
