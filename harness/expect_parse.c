/* expect_parse.c - takes the expectation notation apart:
 *
 *     TERM = FIELD ["." NAME] OP VALUE; blanks part terms; blanks before OP allow blanks behind it
 *     OP   = "=" / "!=" / "~" / "!~" / ">=" / "<="
 *
 * NAME and VALUE are a word without blanks, or "quoted", in which \" and \\ stand for " and \ and
 * any other backslash for itself (so that regular expressions need no second one). Every mistake is
 * told with a caret under its place. Does not know messages.
 */
#include "harness/expect_term.h"
#include "harness/nearest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_SHOWN_MAX 40 /* octets of a mistyped word in an error line */

struct parser {
    const char *start; /* the notation */
    const char *at;
    struct smtp_harness_expectation *expectation;
    struct smtp_harness_lines *why;
};

/* ---- errors ---- */

static void show_fields(struct smtp_harness_lines *why)
{
    smtp_harness_lines_print(why, "fields:");
    for (const struct smtp_harness_field *row = smtp_harness_fields; row->name != NULL; row++) {
        smtp_harness_lines_print(why, " %s%s", row->name, row->named ? ".NAME" : "");
    }
    smtp_harness_lines_print(why, "\n");
}

/* The caret stands under letters, not octets: continuation octets of UTF-8 take no room. */
static void show_place(struct parser *parser, const char *place)
{
    smtp_harness_lines_print(parser->why, "  ");
    for (const char *c = parser->start; *c != '\0'; c++) {
        char shown = smtp_is_control((unsigned char)*c) ? ' ' : *c;
        smtp_harness_lines_add(parser->why, (struct smtp_span){&shown, 1});
    }
    smtp_harness_lines_print(parser->why, "\n  ");
    for (const char *c = parser->start; c < place; c++) {
        if (((unsigned char)*c & 0xc0) != 0x80) {
            smtp_harness_lines_print(parser->why, " ");
        }
    }
    smtp_harness_lines_print(parser->why, "^\n");
}

static enum smtp_status mistake(struct parser *parser, const char *place, const char *what)
{
    smtp_harness_lines_print(parser->why, "the expectation is malformed: %s\n", what);
    show_place(parser, place);
    return SMTP_BAD_ARGUMENT;
}

static enum smtp_status unknown_field(struct parser *parser, struct smtp_span word)
{
    char typed[NAME_SHOWN_MAX + 1], what[160];
    size_t len = word.len < NAME_SHOWN_MAX ? word.len : NAME_SHOWN_MAX;
    smtp_bytes_copy(typed, (struct smtp_span){word.bytes, len});
    typed[len] = '\0';
    struct smtp_nearest nearest = {.typed = typed};
    for (const struct smtp_harness_field *row = smtp_harness_fields; row->name != NULL; row++) {
        smtp_nearest_offer(&nearest, row->name);
    }
    if (nearest.word != NULL) {
        snprintf(what, sizeof what, "the field \"%s\" is not known; is it \"%s\"?", typed,
                 nearest.word);
    } else {
        snprintf(what, sizeof what, "the field \"%s\" is not known", typed);
    }
    mistake(parser, word.bytes, what);
    show_fields(parser->why);
    return SMTP_BAD_ARGUMENT;
}

/* ---- words ---- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void skip_blanks(struct parser *parser)
{
    while (is_blank(*parser->at)) {
        parser->at++;
    }
}

static bool starts_op(const char *at)
{
    return *at == '=' || *at == '~' || *at == '<' || *at == '>' ||
           (*at == '!' && (at[1] == '=' || at[1] == '~'));
}

static struct smtp_span take_word(struct parser *parser, bool up_to_op)
{
    const char *start = parser->at;
    while (*parser->at != '\0' && !is_blank(*parser->at) && !(up_to_op && starts_op(parser->at))) {
        parser->at++;
    }
    return (struct smtp_span){start, (size_t)(parser->at - start)};
}

static enum smtp_status take_quoted(struct parser *parser, char **out)
{
    const char *open = parser->at++;
    char *text = malloc(strlen(open)), *to = text;
    if (text == NULL) {
        return SMTP_NO_MEMORY;
    }
    while (*parser->at != '\0' && *parser->at != '"') {
        if (parser->at[0] == '\\' && (parser->at[1] == '"' || parser->at[1] == '\\')) {
            parser->at++;
        }
        *to++ = *parser->at++;
    }
    *to = '\0';
    *out = text;
    if (*parser->at != '"') {
        return mistake(parser, open, "this quote is not closed");
    }
    parser->at++;
    return SMTP_OK;
}

/* A word or a quoted text into *out, which is the term's even on failure. */
static enum smtp_status take_text(struct parser *parser, bool up_to_op, char **out)
{
    if (*parser->at == '"') {
        return take_quoted(parser, out);
    }
    struct smtp_span word = take_word(parser, up_to_op);
    *out = strndup(word.bytes, word.len);
    return *out != NULL ? SMTP_OK : SMTP_NO_MEMORY;
}

/* ---- a term's pieces ---- */

static struct smtp_span take_field_word(struct parser *parser)
{
    const char *start = parser->at;
    while (*parser->at != '\0' && *parser->at != '.' && *parser->at != '"' &&
           !is_blank(*parser->at) && !starts_op(parser->at)) {
        parser->at++;
    }
    return (struct smtp_span){start, (size_t)(parser->at - start)};
}

static enum smtp_status take_name(struct parser *parser, struct smtp_harness_term *term,
                                  const char *field_at)
{
    bool dot = *parser->at == '.';
    if (!dot && !term->field->named) {
        return SMTP_OK;
    }
    if (dot && !term->field->named) {
        return mistake(parser, parser->at, "this field takes no name");
    }
    if (!dot) {
        return mistake(parser, field_at, "this field needs a name, like header.Reply-To");
    }
    const char *name_at = ++parser->at;
    enum smtp_status status = take_text(parser, true, &term->name);
    if (status == SMTP_OK && term->name[0] == '\0') {
        return mistake(parser, name_at, "a name is missing");
    }
    return status;
}

static enum smtp_status take_field(struct parser *parser, struct smtp_harness_term *term)
{
    struct smtp_span word = take_field_word(parser);
    if (word.len == 0) {
        return mistake(parser, word.bytes, "a field is missing");
    }
    for (const struct smtp_harness_field *row = smtp_harness_fields; row->name != NULL; row++) {
        if (smtp_span_equal(word, smtp_span_of(row->name))) {
            term->field = row;
            return take_name(parser, term, word.bytes);
        }
    }
    return unknown_field(parser, word);
}

static enum smtp_status take_op(struct parser *parser, struct smtp_harness_term *term)
{
    static const struct {
        const char *text;
        enum smtp_harness_op op;
    } ops[] = {{"!=", SMTP_HARNESS_DIFFERENT}, {"!~", SMTP_HARNESS_MATCHES_NOT},
               {">=", SMTP_HARNESS_AT_LEAST},  {"<=", SMTP_HARNESS_AT_MOST},
               {"=", SMTP_HARNESS_EQUAL},      {"~", SMTP_HARNESS_MATCHES}};
    const char *op_at = parser->at;
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        if (strncmp(op_at, ops[i].text, strlen(ops[i].text)) == 0) {
            parser->at += strlen(ops[i].text);
            term->op = ops[i].op;
            bool number = smtp_harness_field_is_number(term->field);
            bool ordered = term->op == SMTP_HARNESS_AT_LEAST || term->op == SMTP_HARNESS_AT_MOST;
            if (number && smtp_harness_op_is_regex(term->op)) {
                return mistake(parser, op_at, "a number is compared by = != >= <=");
            }
            if (!number && ordered) {
                return mistake(parser, op_at, "a text is compared by = != ~ !~");
            }
            return SMTP_OK;
        }
    }
    return mistake(parser, op_at, "an operator is missing: = != ~ !~ >= <=");
}

static enum smtp_status check_number(struct parser *parser, struct smtp_harness_term *term,
                                     const char *value_at)
{
    if (!smtp_span_to_u64(smtp_span_of(term->value), UINT64_MAX, &term->number)) {
        return mistake(parser, value_at, "a number is missing: decimal digits only");
    }
    return SMTP_OK;
}

static enum smtp_status compile(struct parser *parser, struct smtp_harness_term *term,
                                const char *value_at)
{
    int code = regcomp(&term->regex, term->value, REG_EXTENDED | REG_NOSUB | REG_NEWLINE);
    if (code == 0) {
        term->has_regex = true;
        return SMTP_OK;
    }
    char reason[100], what[160];
    regerror(code, &term->regex, reason, sizeof reason);
    snprintf(what, sizeof what, "no regular expression: %s", reason);
    return code == REG_ESPACE ? SMTP_NO_MEMORY : mistake(parser, value_at, what);
}

static enum smtp_status take_value(struct parser *parser, struct smtp_harness_term *term)
{
    const char *value_at = parser->at;
    if (*value_at == '\0' || is_blank(*value_at)) {
        return mistake(parser, value_at, "a value is missing (\"\" for an empty one)");
    }
    enum smtp_status status = take_text(parser, false, &term->value);
    if (status != SMTP_OK) {
        return status;
    }
    if (*parser->at != '\0' && !is_blank(*parser->at)) {
        return mistake(parser, parser->at, "a blank is missing between two terms");
    }
    if (smtp_harness_field_is_number(term->field)) {
        return check_number(parser, term, value_at);
    }
    return smtp_harness_op_is_regex(term->op) ? compile(parser, term, value_at) : SMTP_OK;
}

static enum smtp_status take_term(struct parser *parser)
{
    struct smtp_harness_expectation *expectation = parser->expectation;
    if (expectation->term_count == SMTP_HARNESS_TERMS_MAX) {
        return mistake(parser, parser->at, "too many terms: at most 64");
    }
    struct smtp_harness_term *term = &expectation->terms[expectation->term_count++];
    const char *start = parser->at;
    enum smtp_status status = take_field(parser, term);
    if (status != SMTP_OK) {
        return status;
    }
    bool spaced = is_blank(*parser->at);
    skip_blanks(parser);
    status = take_op(parser, term);
    if (status != SMTP_OK) {
        return status;
    }
    if (spaced) {
        skip_blanks(parser);
    }
    status = take_value(parser, term);
    term->source = (struct smtp_span){start, (size_t)(parser->at - start)};
    return status;
}

enum smtp_status smtp_harness_expectation_parse(const char *notation,
                                                struct smtp_harness_expectation **out,
                                                struct smtp_harness_lines *why)
{
    struct smtp_harness_expectation *expectation = calloc(1, sizeof *expectation);
    *out = expectation;
    if (expectation == NULL || (expectation->text = strdup(notation ? notation : "")) == NULL) {
        smtp_harness_expectation_free(expectation);
        *out = NULL;
        return SMTP_NO_MEMORY;
    }
    struct parser parser = {expectation->text, expectation->text, expectation, why};
    enum smtp_status status = SMTP_OK;
    for (skip_blanks(&parser); status == SMTP_OK && *parser.at != '\0'; skip_blanks(&parser)) {
        status = take_term(&parser);
    }
    if (status != SMTP_OK) {
        smtp_harness_expectation_free(expectation);
        *out = NULL;
    }
    return status;
}

void smtp_harness_expectation_free(struct smtp_harness_expectation *expectation)
{
    if (expectation == NULL) {
        return;
    }
    for (size_t i = 0; i < expectation->term_count; i++) {
        struct smtp_harness_term *term = &expectation->terms[i];
        free(term->name);
        free(term->value);
        if (term->has_regex) {
            regfree(&term->regex);
        }
    }
    free(expectation->text);
    free(expectation);
}
