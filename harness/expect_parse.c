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
#include "harness/notation.h"

#include <stdlib.h>
#include <string.h>

struct parser {
    struct smtp_notation notation;
    struct smtp_harness_expectation *expectation;
};

/* ---- errors ---- */

static void show_fields(struct smtp_harness_lines *why)
{
    smtp_harness_lines_print(why, "fields:");
    for (const struct smtp_harness_expect_field *row = smtp_harness_expect_fields;
         row->name != NULL; row++) {
        smtp_harness_lines_print(why, " %s%s", row->name, row->named ? ".NAME" : "");
    }
    smtp_harness_lines_print(why, "\n");
}

static enum smtp_status mistake(struct parser *parser, const char *place, const char *what)
{
    return smtp_notation_mistake(&parser->notation, place, "%s", what);
}

static const char *field_name(size_t i)
{
    return smtp_harness_expect_fields[i].name;
}

static enum smtp_status unknown_field(struct parser *parser, struct smtp_span word)
{
    enum smtp_status status = smtp_notation_unknown(&parser->notation, word, "field", field_name);
    show_fields(parser->notation.why);
    return status;
}

/* ---- words ---- */

static bool starts_op(const char *at)
{
    return *at == '=' || *at == '~' || *at == '<' || *at == '>' ||
           (*at == '!' && (at[1] == '=' || at[1] == '~'));
}

/* A name ends at a blank or an operator. */
static struct smtp_span take_name_word(struct smtp_notation *notation)
{
    const char *start = notation->at;
    while (*notation->at != '\0' && !smtp_notation_is_blank(*notation->at) &&
           !starts_op(notation->at)) {
        notation->at++;
    }
    return (struct smtp_span){start, (size_t)(notation->at - start)};
}

/* A word or a quoted text into *out, which is the term's. */
static enum smtp_status take_text(struct parser *parser, bool up_to_op, char **out)
{
    struct smtp_notation *notation = &parser->notation;
    if (*notation->at != '"') {
        struct smtp_span word = up_to_op ? take_name_word(notation) : smtp_notation_word(notation);
        *out = strndup(word.bytes, word.len);
        return *out != NULL ? SMTP_OK : SMTP_NO_MEMORY;
    }
    struct smtp_span inside;
    enum smtp_status status = smtp_notation_quoted(notation, &inside);
    if (status == SMTP_OK && (*out = smtp_notation_unquote(inside)) == NULL) {
        status = SMTP_NO_MEMORY;
    }
    return status;
}

/* ---- a term's pieces ---- */

static struct smtp_span take_field_word(struct parser *parser)
{
    const char *start = parser->notation.at;
    while (*parser->notation.at != '\0' && *parser->notation.at != '.' &&
           *parser->notation.at != '"' && !smtp_notation_is_blank(*parser->notation.at) &&
           !starts_op(parser->notation.at)) {
        parser->notation.at++;
    }
    return (struct smtp_span){start, (size_t)(parser->notation.at - start)};
}

static enum smtp_status take_name(struct parser *parser, struct smtp_harness_term *term,
                                  const char *field_at)
{
    bool dot = *parser->notation.at == '.';
    if (!dot && !term->field->named) {
        return SMTP_OK;
    }
    if (dot && !term->field->named) {
        return mistake(parser, parser->notation.at, "this field takes no name");
    }
    if (!dot) {
        return mistake(parser, field_at, "this field needs a name, like header.Reply-To");
    }
    const char *name_at = ++parser->notation.at;
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
    for (const struct smtp_harness_expect_field *row = smtp_harness_expect_fields;
         row->name != NULL; row++) {
        if (smtp_span_equal(word, smtp_span_of(row->name))) {
            term->field = row;
            return take_name(parser, term, word.bytes);
        }
    }
    return unknown_field(parser, word);
}

/* What the field and what stands behind it leave of an operator. */
static enum smtp_status check_op(struct parser *parser, const struct smtp_harness_term *term,
                                 const char *op_at)
{
    bool number = smtp_harness_field_is_number(term->field);
    bool ordered = term->op == SMTP_HARNESS_AT_LEAST || term->op == SMTP_HARNESS_AT_MOST;
    char next = *parser->notation.at;
    if (number && smtp_harness_op_is_regex(term->op)) {
        return mistake(parser, op_at, "a number is compared by = != >= <=");
    }
    if (!number && ordered) {
        return mistake(parser, op_at, "a text is compared by = != ~ !~");
    }
    if (term->op == SMTP_HARNESS_EQUAL && (next == '=' || next == '~')) { /* == and =~ of others */
        return smtp_notation_mistake(&parser->notation, op_at,
                                     "an operator is one of = != ~ !~ >= <=; a value that begins "
                                     "with \"%c\" is quoted",
                                     next);
    }
    return SMTP_OK;
}

static enum smtp_status take_op(struct parser *parser, struct smtp_harness_term *term)
{
    static const struct {
        const char *text;
        enum smtp_harness_op op;
    } ops[] = {{"!=", SMTP_HARNESS_DIFFERENT}, {"!~", SMTP_HARNESS_MATCHES_NOT},
               {">=", SMTP_HARNESS_AT_LEAST},  {"<=", SMTP_HARNESS_AT_MOST},
               {"=", SMTP_HARNESS_EQUAL},      {"~", SMTP_HARNESS_MATCHES}};
    const char *op_at = parser->notation.at;
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        if (strncmp(op_at, ops[i].text, strlen(ops[i].text)) == 0) {
            parser->notation.at += strlen(ops[i].text);
            term->op = ops[i].op;
            return check_op(parser, term, op_at);
        }
    }
    return mistake(parser, op_at,
                   *op_at == '<' || *op_at == '>' ? "the operators are >= and <="
                                                  : "an operator is missing: = != ~ !~ >= <=");
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
    char reason[100];
    regerror(code, &term->regex, reason, sizeof reason);
    return code == REG_ESPACE ? SMTP_NO_MEMORY
                              : smtp_notation_mistake(&parser->notation, value_at,
                                                      "no regular expression: %s", reason);
}

static enum smtp_status take_value(struct parser *parser, struct smtp_harness_term *term)
{
    const char *value_at = parser->notation.at;
    if (*value_at == '\0' || smtp_notation_is_blank(*value_at)) {
        return mistake(parser, value_at, "a value is missing (\"\" for an empty one)");
    }
    enum smtp_status status = take_text(parser, false, &term->value);
    if (status != SMTP_OK) {
        return status;
    }
    if (*parser->notation.at != '\0' && !smtp_notation_is_blank(*parser->notation.at)) {
        return mistake(parser, parser->notation.at, "a blank is missing between two terms");
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
        return mistake(parser, parser->notation.at, "too many terms: at most 64");
    }
    struct smtp_harness_term *term = &expectation->terms[expectation->term_count++];
    const char *start = parser->notation.at;
    enum smtp_status status = take_field(parser, term);
    if (status != SMTP_OK) {
        return status;
    }
    bool spaced = smtp_notation_is_blank(*parser->notation.at);
    smtp_notation_skip_blanks(&parser->notation);
    status = take_op(parser, term);
    if (status != SMTP_OK) {
        return status;
    }
    if (spaced) {
        smtp_notation_skip_blanks(&parser->notation);
    }
    status = take_value(parser, term);
    term->source = (struct smtp_span){start, (size_t)(parser->notation.at - start)};
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
    struct parser parser = {{"expectation", expectation->text, expectation->text, why},
                            expectation};
    enum smtp_status status = SMTP_OK;
    for (smtp_notation_skip_blanks(&parser.notation);
         status == SMTP_OK && *parser.notation.at != '\0';
         smtp_notation_skip_blanks(&parser.notation)) {
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
