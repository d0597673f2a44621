/* notation.c - see notation.h. */
#include "harness/notation.h"

#include "harness/nearest.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define NAME_SHOWN_MAX 40 /* octets of a mistyped word in an error line */

bool smtp_notation_is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

void smtp_notation_skip_blanks(struct smtp_notation *notation)
{
    while (smtp_notation_is_blank(*notation->at)) {
        notation->at++;
    }
}

struct smtp_span smtp_notation_word(struct smtp_notation *notation)
{
    const char *start = notation->at;
    while (*notation->at != '\0' && !smtp_notation_is_blank(*notation->at)) {
        notation->at++;
    }
    return (struct smtp_span){start, (size_t)(notation->at - start)};
}

enum smtp_status smtp_notation_quoted(struct smtp_notation *notation, struct smtp_span *inside)
{
    const char *open = notation->at++;
    while (*notation->at != '\0' && *notation->at != '"') {
        notation->at += notation->at[0] == '\\' && notation->at[1] != '\0' ? 2 : 1;
    }
    if (*notation->at != '"') {
        return smtp_notation_mistake(notation, open, "this quote is not closed");
    }
    *inside = (struct smtp_span){open + 1, (size_t)(notation->at - open) - 1};
    notation->at++;
    return SMTP_OK;
}

char *smtp_notation_unquote(struct smtp_span inside)
{
    char *text = malloc(inside.len + 1), *to = text;
    if (text == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < inside.len; i++) {
        bool pair = inside.bytes[i] == '\\' && i + 1 < inside.len &&
                    (inside.bytes[i + 1] == '"' || inside.bytes[i + 1] == '\\');
        *to++ = inside.bytes[pair ? ++i : i];
    }
    *to = '\0';
    return text;
}

/* The caret stands under letters, not octets: continuation octets of UTF-8 take no room. */
static void show_place(struct smtp_notation *notation, const char *place)
{
    smtp_harness_lines_print(notation->why, "  ");
    for (const char *c = notation->start; *c != '\0'; c++) {
        char shown = smtp_is_control((unsigned char)*c) ? ' ' : *c;
        smtp_harness_lines_add(notation->why, (struct smtp_span){&shown, 1});
    }
    smtp_harness_lines_print(notation->why, "\n  ");
    for (const char *c = notation->start; c < place; c++) {
        if (((unsigned char)*c & 0xc0) != 0x80) {
            smtp_harness_lines_print(notation->why, " ");
        }
    }
    smtp_harness_lines_print(notation->why, "^\n");
}

enum smtp_status smtp_notation_mistake(struct smtp_notation *notation, const char *place,
                                       const char *format, ...)
{
    char what[240];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    smtp_harness_lines_print(notation->why, "the %s is malformed: %s\n", notation->kind, what);
    show_place(notation, place);
    return SMTP_BAD_ARGUMENT;
}

enum smtp_status smtp_notation_unknown(struct smtp_notation *notation, struct smtp_span word,
                                       const char *what, const char *(*name)(size_t i))
{
    char typed[NAME_SHOWN_MAX + 1];
    size_t len = word.len < NAME_SHOWN_MAX ? word.len : NAME_SHOWN_MAX;
    for (size_t i = 0; i < len; i++) {
        typed[i] = smtp_is_control((unsigned char)word.bytes[i]) ? '?' : word.bytes[i];
    }
    typed[len] = '\0';
    struct smtp_nearest nearest = {.typed = typed};
    for (size_t i = 0; name(i) != NULL; i++) {
        smtp_nearest_offer(&nearest, name(i));
    }
    if (nearest.word == NULL) {
        return smtp_notation_mistake(notation, word.bytes, "the %s \"%s\" is not known", what,
                                     typed);
    }
    return smtp_notation_mistake(notation, word.bytes, "the %s \"%s\" is not known; is it \"%s\"?",
                                 what, typed, nearest.word);
}
