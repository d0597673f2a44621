/* letter.c - see letter.h. */
#include "harness/simulate/letter.h"

#include <stdio.h>

#define LONG_OCTETS 20000 /* of a long letter, at most: more than any buffer on the way */

/* Pieces of content, the ones that matter most often. */
static const struct smtp_span pieces[] = {
    {"\r\n", 2},      {"\r\n", 2},         {"\r\n", 2},
    {"\r\n.", 3},     {"\n", 1},           {"\r", 1},
    {"\r\n.\r\n", 5}, {"\n.\n", 3},        {"\r.\r", 3},
    {".", 1},         {"..", 2},           {"\r\n..\r\n", 6},
    {"QUIT\r\n", 6},  {"DATA\r\n", 6},     {"\r\r\n", 3},
    {"a", 1},         {"a few words", 11}, {"Subject: x", 10},
    {" ", 1},         {"\t", 1},           {"MAIL FROM:<>", 12},
    {"\xc3\xa9", 2},  {"\xff", 1},         {"\0", 1},
};
static const struct smtp_span line = {
    "a line of some length, so that not all of them are short\r\n", 58};

static void put(struct smtp_buffer *to, const char *octets, size_t len)
{
    (void)!smtp_buffer_append(to, octets, len); /* their bound is beyond what is drawn */
}

static void draw_content(struct smtp_buffer *source, size_t number, struct smtp_draw *draw)
{
    char first[32];
    int len =
        snprintf(first, sizeof first, "%sNumber: %zu%s", smtp_draw_percent(draw, 10) ? "." : "",
                 number, smtp_draw_percent(draw, 90) ? "\r\n" : "\n");
    smtp_buffer_clear(source, SIZE_MAX);
    put(source, first, (size_t)len);
    if (smtp_draw_percent(draw, 3)) {
        static const char filling[] =
            "0123456789abcdefghijklmnopqrstuvwxyz and so on, and so on\r\n";
        size_t octets = (size_t)smtp_draw_below(draw, LONG_OCTETS);
        while (source->len < octets) {
            put(source, filling, sizeof filling - 1);
        }
    }
    bool plain = smtp_draw_percent(draw, 50);
    for (size_t left = (size_t)smtp_draw_below(draw, 16); left > 0; left--) {
        struct smtp_span piece =
            plain ? line : pieces[smtp_draw_below(draw, sizeof pieces / sizeof *pieces)];
        put(source, piece.bytes, piece.len);
    }
}

/* CR, LF and CRLF each end a line, and are CRLF on the way; the last line has one too. */
static void expect_repaired(struct smtp_buffer *expected, struct smtp_span source)
{
    bool open = false; /* a line */
    for (size_t i = 0; i < source.len; i++) {
        char c = source.bytes[i];
        if (c == '\n' && i > 0 && source.bytes[i - 1] == '\r') {
            continue; /* of a CRLF, which is there already */
        }
        open = c != '\r' && c != '\n';
        put(expected, open ? &c : "\r\n", open ? 1 : 2);
    }
    put(expected, "\r\n", open ? 2 : 0);
}

static void draw_envelope(struct smtp_sim_letter *letter, struct smtp_draw *draw)
{
    size_t count = 1 + (size_t)smtp_draw_below(draw, SMTP_SIM_RECIPIENTS);
    snprintf(letter->reverse_path, sizeof letter->reverse_path, "l%zu@sim.test", letter->number);
    for (size_t i = 0; i < count; i++) {
        snprintf(letter->recipients[i], sizeof letter->recipients[i], "r%zu@sim.test", i);
        letter->forward_paths[i] = letter->recipients[i];
    }
    letter->mail = (struct smtp_mail_options){
        .body = smtp_draw_percent(draw, 5) ? SMTP_BODY_BINARYMIME : SMTP_BODY_DETECT};
    letter->envelope = (struct smtp_envelope){.reverse_path = letter->reverse_path,
                                              .forward_paths = letter->forward_paths,
                                              .forward_path_count = count,
                                              .mail = &letter->mail};
}

void smtp_sim_letter_draw(struct smtp_sim_letter *letter, size_t number, struct smtp_draw *draw)
{
    struct smtp_buffer source = letter->source, expected = letter->expected;
    source.max = expected.max = SIZE_MAX;
    *letter = (struct smtp_sim_letter){.number = number, .source = source, .expected = expected};
    draw_envelope(letter, draw);
    draw_content(&letter->source, number, draw);
    smtp_buffer_clear(&letter->expected, SIZE_MAX);
    if (letter->mail.body == SMTP_BODY_BINARYMIME) {
        struct smtp_span all = smtp_buffer_span(&letter->source);
        put(&letter->expected, all.bytes, all.len);
    } else {
        expect_repaired(&letter->expected, smtp_buffer_span(&letter->source));
    }
}

void smtp_sim_letter_free(struct smtp_sim_letter *letter)
{
    smtp_buffer_free(&letter->source);
    smtp_buffer_free(&letter->expected);
}

size_t smtp_sim_letter_number(const char *reverse_path)
{
    const char *at = strchr(reverse_path, '@');
    uint64_t number = 0;
    bool is_one =
        reverse_path[0] == 'l' && at != NULL &&
        smtp_span_to_u64((struct smtp_span){reverse_path + 1, (size_t)(at - reverse_path) - 1},
                         SIZE_MAX, &number);
    return is_one ? (size_t)number : SIZE_MAX;
}
