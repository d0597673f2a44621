/* expect.c - holds an expectation against messages and tells what came of it.
 * Knows: what each operator means for each kind of field. A field with several values (to,
 * header.NAME, attachment.NAME) holds when one of them does; != and !~ hold exactly where = and ~
 * do not. Does not know: the notation (expect_parse.c), where values come from (expect_field.c). */
#include "harness/expect.h"

#include "harness/expect_term.h"

#include <string.h>

/* Lets a pattern see past NUL octets and saves a copy; where a C library has it not, it sees up to
 * them. */
#ifndef REG_STARTEND
#define REG_STARTEND 0
#endif

/* Octets of a value in a failure: a long subject fits, a body does not. */
#define VALUE_SHOWN_MAX 200
#define VALUES_SHOWN_MAX 5

/* ---- comparing ---- */

/* "<a@b>" is written as often as "a@b". */
static struct smtp_span without_brackets(struct smtp_span path)
{
    if (path.len >= 2 && path.bytes[0] == '<' && path.bytes[path.len - 1] == '>') {
        return (struct smtp_span){path.bytes + 1, path.len - 2};
    }
    return path;
}

static size_t local_part_len(struct smtp_span path)
{
    const char *at = path.len > 0 ? memrchr(path.bytes, '@', path.len) : NULL;
    return at != NULL ? (size_t)(at - path.bytes) : path.len;
}

/* RFC 5321 2.4: local parts are case sensitive, domains are not. */
static bool same_path(struct smtp_span came, struct smtp_span expected)
{
    expected = without_brackets(expected);
    size_t local = local_part_len(expected);
    return local == local_part_len(came) &&
           smtp_span_equal((struct smtp_span){came.bytes, local},
                           (struct smtp_span){expected.bytes, local}) &&
           smtp_span_equal_nocase((struct smtp_span){came.bytes + local, came.len - local},
                                  (struct smtp_span){expected.bytes + local, expected.len - local});
}

static struct smtp_span without_line_end(struct smtp_span body)
{
    body.len -= body.len > 0 && body.bytes[body.len - 1] == '\n';
    return body;
}

static bool same(enum smtp_harness_field_kind kind, struct smtp_span came,
                 struct smtp_span expected)
{
    switch (kind) {
    case SMTP_HARNESS_FIELD_ADDRESS:
        return same_path(came, expected);
    case SMTP_HARNESS_FIELD_DOMAIN:
        return smtp_span_equal_nocase(came, expected);
    case SMTP_HARNESS_FIELD_BODY:
        return smtp_span_equal(without_line_end(came), without_line_end(expected));
    default:
        return smtp_span_equal(came, expected);
    }
}

static bool matches(const regex_t *regex, struct smtp_span came)
{
    regmatch_t all = {.rm_so = 0, .rm_eo = (regoff_t)came.len};
    return regexec(regex, came.bytes, 1, &all, REG_STARTEND) == 0;
}

static bool number_holds(const struct smtp_harness_term *term, uint64_t came)
{
    switch (term->op) {
    case SMTP_HARNESS_EQUAL:
        return came == term->number;
    case SMTP_HARNESS_DIFFERENT:
        return came != term->number;
    case SMTP_HARNESS_AT_LEAST:
        return came >= term->number;
    default:
        return came <= term->number;
    }
}

static bool one_value_fits(const struct smtp_harness_term *term,
                           const struct smtp_harness_message *message)
{
    struct smtp_span came;
    for (size_t i = 0; term->field->value(message, term->name, i, &came); i++) {
        if (term->has_regex ? matches(&term->regex, came)
                            : same(term->field->kind, came, smtp_span_of(term->value))) {
            return true;
        }
    }
    return false;
}

static bool term_holds(const struct smtp_harness_term *term,
                       const struct smtp_harness_message *message)
{
    if (term->field->kind == SMTP_HARNESS_FIELD_NUMBER) {
        return number_holds(term, term->field->number(message));
    }
    bool wanted = term->op == SMTP_HARNESS_EQUAL || term->op == SMTP_HARNESS_MATCHES;
    return one_value_fits(term, message) == wanted;
}

/* ---- the whole ---- */

static bool is_count(const struct smtp_harness_term *term)
{
    return term->field->kind == SMTP_HARNESS_FIELD_COUNT;
}

const char *smtp_harness_expectation_text(const struct smtp_harness_expectation *expectation)
{
    return expectation->term_count > 0 ? expectation->text : "any message";
}

size_t smtp_harness_expectation_terms(const struct smtp_harness_expectation *expectation)
{
    size_t terms = 0;
    for (size_t i = 0; i < expectation->term_count; i++) {
        terms += !is_count(&expectation->terms[i]);
    }
    return terms;
}

bool smtp_harness_expectation_counts(const struct smtp_harness_expectation *expectation)
{
    return smtp_harness_expectation_terms(expectation) < expectation->term_count;
}

size_t smtp_harness_expectation_held(const struct smtp_harness_expectation *expectation,
                                     const struct smtp_harness_message *message)
{
    size_t held = 0;
    for (size_t i = 0; i < expectation->term_count; i++) {
        const struct smtp_harness_term *term = &expectation->terms[i];
        held += !is_count(term) && term_holds(term, message);
    }
    return held;
}

bool smtp_harness_expectation_count_holds(const struct smtp_harness_expectation *expectation,
                                          uint64_t matched)
{
    for (size_t i = 0; i < expectation->term_count; i++) {
        const struct smtp_harness_term *term = &expectation->terms[i];
        if (is_count(term) && !number_holds(term, matched)) {
            return false;
        }
    }
    return matched > 0 || smtp_harness_expectation_counts(expectation);
}

bool smtp_harness_expectation_count_is_sure(const struct smtp_harness_expectation *expectation,
                                            uint64_t matched)
{
    for (size_t i = 0; i < expectation->term_count; i++) {
        const struct smtp_harness_term *term = &expectation->terms[i];
        if (is_count(term) && term->op != SMTP_HARNESS_AT_LEAST) {
            return false;
        }
    }
    return smtp_harness_expectation_count_holds(expectation, matched);
}

bool smtp_harness_expectation_count_can_hold(const struct smtp_harness_expectation *expectation,
                                             uint64_t matched)
{
    for (size_t i = 0; i < expectation->term_count; i++) {
        const struct smtp_harness_term *term = &expectation->terms[i];
        bool bounded =
            is_count(term) && (term->op == SMTP_HARNESS_EQUAL || term->op == SMTP_HARNESS_AT_MOST);
        if (bounded && matched > term->number) { /* it only grows */
            return false;
        }
    }
    return true;
}

/* ---- telling ---- */

static void show_values(const struct smtp_harness_term *term,
                        const struct smtp_harness_message *message,
                        struct smtp_harness_lines *lines)
{
    struct smtp_span came;
    size_t i = 0;
    for (; i < VALUES_SHOWN_MAX && term->field->value(message, term->name, i, &came); i++) {
        smtp_harness_lines_print(lines, i > 0 ? ", " : " ");
        smtp_harness_lines_quote(lines, came, VALUE_SHOWN_MAX);
    }
    if (i == 0) {
        smtp_harness_lines_print(lines, " none");
    } else if (term->field->value(message, term->name, i, &came)) {
        smtp_harness_lines_print(lines, ", ...");
    }
}

void smtp_harness_expectation_explain(const struct smtp_harness_expectation *expectation,
                                      const struct smtp_harness_message *message,
                                      struct smtp_harness_lines *lines)
{
    for (size_t i = 0; i < expectation->term_count; i++) {
        const struct smtp_harness_term *term = &expectation->terms[i];
        if (is_count(term)) {
            continue;
        }
        bool holds = term_holds(term, message);
        smtp_harness_lines_print(lines, "  %s  %.*s", holds ? "holds  " : "differs",
                                 (int)term->source.len, term->source.bytes);
        if (!holds) {
            smtp_harness_lines_print(lines, "\n           came:");
            if (term->field->kind == SMTP_HARNESS_FIELD_NUMBER) {
                smtp_harness_lines_print(lines, " %llu",
                                         (unsigned long long)term->field->number(message));
            } else {
                show_values(term, message, lines);
            }
        }
        smtp_harness_lines_print(lines, "\n");
    }
}
