/* dialogue_rows.c - see dialogue_rows.h. A row is "TIME TG client -> server | explanation": T marks TLS,
 * G the group. All text is escaped to ASCII, so that an octet is a column; the marks are counted. */
#include "harness/report/dialogue_rows.h"

#include "harness/report/text.h"

#include <string.h>

#define TIME_COLUMNS 6
#define PREFIX_COLUMNS (TIME_COLUMNS + 4) /* " TG " */
#define ARROW_COLUMNS 4                   /* " -> " */
#define BESIDE_FROM 120                   /* columns in which explanations stand beside */
#define ROWS_MAX 4 /* of one line; then it is clipped (its explanation is not) */
#define INDENT 2   /* of what goes on below */
#define TEXT_MAX                                                                                   \
    2048 /* what fills ROWS_MAX, or explains MAIL with all parameters; more is clipped */

/** The marks, each one column wide but the arrows, which are two. */
struct marks {
    const char *tls, *arrows[2], *groups[5], *rule, *beside, *below, *clipped;
    size_t clipped_columns;
};
static const struct marks all_marks[] = {
    {"║", {"─→", "←─"}, {" ", "┌", "├", "│", "└"}, "═", "│", "·", "…", 1},
    {"#", {"->", "<-"}, {" ", "/", "+", "|", "\\"}, "=", "|", ":", "...", 3},
};

static const struct marks *marks_of(const struct smtp_dialogue_look *look)
{
    return &all_marks[look->ascii];
}

/** Where what stands. */
struct layout {
    size_t left, right, across; /* columns of each side, and of what goes across both */
    size_t beside;              /* of explanations; 0: they stand below */
};

static struct layout layout_of(const struct smtp_dialogue_look *look)
{
    size_t margin = strlen(look->margin), beside = 0;
    size_t dialogue = look->columns > margin + SMTP_DIALOGUE_COLUMNS_MIN / 2
                          ? look->columns - margin
                          : SMTP_DIALOGUE_COLUMNS_MIN / 2;
    if (look->explain && look->columns >= BESIDE_FROM) {
        size_t room = look->columns * 5 / 8 - margin; /* for the dialogue */
        beside = dialogue - room - strlen(" | ");
        dialogue = room;
    }
    size_t across = dialogue - PREFIX_COLUMNS, sides = across - ARROW_COLUMNS;
    return (struct layout){sides / 2, sides - sides / 2, across, beside};
}

/* ---- colours ---- */

static void set_colour(FILE *out, const struct smtp_dialogue_look *look,
                       enum smtp_dialogue_colour colour)
{
    static const char *const codes[] = {"", "2", "32", "36", "33", "31"};
    if (look->colour && colour != SMTP_DIALOGUE_PLAIN) {
        fprintf(out, "\033[%sm", codes[colour]);
    }
}

static void end_colour(FILE *out, const struct smtp_dialogue_look *look,
                       enum smtp_dialogue_colour colour)
{
    if (look->colour && colour != SMTP_DIALOGUE_PLAIN) {
        fputs("\033[0m", out);
    }
}

/* ---- text broken into rows ---- */

struct text {
    char bytes[TEXT_MAX];
    size_t len;
    size_t at;   /* what is drawn so far */
    size_t rows; /* that it has been broken into so far */
    bool cut;    /* there were more octets than have room */
};

static void escape_into(struct text *text, struct smtp_span octets)
{
    text->len = text->at = text->rows = 0;
    text->cut = false;
    for (size_t i = 0; i < octets.len; i++) {
        char escaped[5];
        size_t len = smtp_text_escape_octet((unsigned char)octets.bytes[i], escaped);
        if (text->len + len > sizeof text->bytes) {
            text->cut = true;
            return;
        }
        memcpy(text->bytes + text->len, escaped, len);
        text->len += len;
    }
}

static bool is_done(const struct text *text)
{
    return text->rows > 0 && text->at == text->len;
}

/** The most octets up to `width` that end inside no escape. */
static size_t whole_len(const struct text *text, size_t width)
{
    const char *rest = text->bytes + text->at;
    size_t len = 0, next = 0;
    while (next <= width && next < text->len - text->at) {
        len = next;
        next += rest[len] != '\\' ? 1 : rest[len + 1] == 'x' ? strlen("\\xHH") : strlen("\\\\");
    }
    return next <= width ? next : len;
}

/** How much of the text goes into a row of `width`: up to a blank in its second half, better none inside
 *  parentheses; else all that fits. */
static size_t row_len(const struct text *text, size_t width)
{
    const char *rest = text->bytes + text->at;
    size_t len = text->len - text->at;
    if (len <= width) {
        return len;
    }
    const char *blank = memrchr(rest, ' ', width + 1);
    if (blank == NULL || blank <= rest + width / 2) {
        return whole_len(text, width);
    }
    size_t whole = (size_t)(blank - rest);
    const char *opened = memrchr(rest, '(', whole);
    bool inside = opened != NULL && memchr(opened, ')', whole - (size_t)(opened - rest)) == NULL;
    bool may_end_before = inside && opened > rest + width / 2 && opened[-1] == ' ';
    return may_end_before ? (size_t)(opened - 1 - rest) : whole;
}

/** Draws the next row of the text and returns the columns it took, never more than `width`. last: clips
 *  what does not fit. Where the text was cut, its end is clipped in any case. */
static size_t draw_part(FILE *out, const struct marks *marks, struct text *text, size_t width,
                        bool last)
{
    size_t indent = text->rows > 0 ? INDENT : 0;
    bool is_end = text->len - text->at <= width - indent;
    bool clip = is_end ? text->cut : last;
    size_t len = clip ? whole_len(text, width - indent - marks->clipped_columns)
                      : row_len(text, width - indent);
    fprintf(out, "%*s%.*s%s", (int)indent, "", (int)len, text->bytes + text->at,
            clip ? marks->clipped : "");
    text->at = clip ? text->len : text->at + len;
    text->at += text->at < text->len && text->bytes[text->at] == ' ';
    text->rows++;
    return indent + len + (clip ? marks->clipped_columns : 0);
}

/* ---- rows ---- */

static void draw_prefix(FILE *out, const struct smtp_dialogue_look *look,
                        const struct smtp_dialogue_row *row, size_t number)
{
    const struct marks *marks = marks_of(look);
    enum smtp_dialogue_group group = row->group;
    if (number > 0) { /* of a line that goes on */
        bool ends = group == SMTP_DIALOGUE_ALONE || group == SMTP_DIALOGUE_LAST;
        group = ends ? SMTP_DIALOGUE_ALONE : SMTP_DIALOGUE_BETWEEN;
    }
    fputs(look->margin, out);
    set_colour(out, look, SMTP_DIALOGUE_DIM);
    fprintf(out, "%*s ", TIME_COLUMNS, number > 0 ? "" : row->time);
    end_colour(out, look, SMTP_DIALOGUE_DIM);
    set_colour(out, look, SMTP_DIALOGUE_GREEN);
    fputs(row->tls ? marks->tls : " ", out);
    end_colour(out, look, SMTP_DIALOGUE_GREEN);
    fprintf(out, "%s ", marks->groups[group]);
}

/** The columns of both sides; returns how many were filled. */
static size_t draw_sides(FILE *out, const struct smtp_dialogue_look *look,
                         const struct smtp_dialogue_row *row, const struct layout *layout,
                         struct text *text)
{
    const struct marks *marks = marks_of(look);
    bool server = row->side == SMTP_DIALOGUE_SERVER, last = text->rows + 1 == ROWS_MAX;
    bool arrow = row->arrow && text->rows == 0;
    size_t width = row->side == SMTP_DIALOGUE_ACROSS ? layout->across
                   : server                          ? layout->right
                                                     : layout->left;
    size_t filled = 0;
    if (is_done(text)) {
        return 0;
    }
    if (server) {
        fprintf(out, "%*s %s ", (int)layout->left, "", arrow ? marks->arrows[1] : "  ");
        filled = layout->left + ARROW_COLUMNS;
    }
    set_colour(out, look, row->colour);
    size_t drawn = draw_part(out, marks, text, width, last);
    end_colour(out, look, row->colour);
    if (arrow && !server) {
        fprintf(out, "%*s %s", (int)(width - drawn), "", marks->arrows[0]);
        drawn = width + ARROW_COLUMNS - 1;
    }
    return filled + drawn;
}

/** Explanations below stand across both sides. */
static void draw_below(FILE *out, const struct smtp_dialogue_look *look,
                       const struct smtp_dialogue_row *row, const struct layout *layout,
                       struct text *explained)
{
    while (!is_done(explained)) {
        draw_prefix(out, look, row, 1);
        set_colour(out, look, SMTP_DIALOGUE_DIM);
        fprintf(out, "%s ", explained->rows == 0 ? marks_of(look)->below : " ");
        draw_part(out, marks_of(look), explained, layout->across - 2, false);
        end_colour(out, look, SMTP_DIALOGUE_DIM);
        fputc('\n', out);
    }
}

void smtp_dialogue_row_draw(FILE *out, const struct smtp_dialogue_look *look,
                            const struct smtp_dialogue_row *row)
{
    struct layout layout = layout_of(look);
    struct text text, explained;
    escape_into(&text, row->text);
    escape_into(&explained, smtp_span_of(row->explained));
    bool explains = look->explain && row->explained[0] != '\0';
    bool beside = explains && layout.beside > 0;
    for (size_t number = 0; !is_done(&text) || (beside && !is_done(&explained)); number++) {
        draw_prefix(out, look, row, number);
        size_t filled = draw_sides(out, look, row, &layout, &text);
        if (beside && !is_done(&explained)) {
            fprintf(out, "%*s %s ", (int)(layout.across - filled), "", marks_of(look)->beside);
            set_colour(out, look, SMTP_DIALOGUE_DIM);
            draw_part(out, marks_of(look), &explained, layout.beside, false);
            end_colour(out, look, SMTP_DIALOGUE_DIM);
        }
        fputc('\n', out);
    }
    if (explains && !beside) {
        draw_below(out, look, row, &layout, &explained);
    }
}

void smtp_dialogue_rule_draw(FILE *out, const struct smtp_dialogue_look *look, const char *time,
                             struct smtp_span text)
{
    const struct marks *marks = marks_of(look);
    struct layout layout = layout_of(look);
    struct text escaped;
    escape_into(&escaped, text);
    fputs(look->margin, out);
    set_colour(out, look, SMTP_DIALOGUE_DIM);
    fprintf(out, "%*s ", TIME_COLUMNS, time);
    end_colour(out, look, SMTP_DIALOGUE_DIM);
    set_colour(out, look, SMTP_DIALOGUE_GREEN);
    fprintf(out, "%s%s%s ", marks->rule, marks->rule, marks->rule);
    size_t column = draw_part(out, marks, &escaped, layout.across - 2, true) + 2;
    fputc(' ', out);
    for (; column < layout.across; column++) {
        fputs(marks->rule, out);
    }
    end_colour(out, look, SMTP_DIALOGUE_GREEN);
    fputc('\n', out);
}
