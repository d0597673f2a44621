/* expect_term.h - one term of an expectation and the table of fields; between the expect files
 * only. */
#ifndef SMTP_HARNESS_EXPECT_TERM_H
#define SMTP_HARNESS_EXPECT_TERM_H

#include "harness/expect.h"

#include <regex.h>

enum smtp_harness_op {
    SMTP_HARNESS_EQUAL,
    SMTP_HARNESS_DIFFERENT,
    SMTP_HARNESS_MATCHES,
    SMTP_HARNESS_MATCHES_NOT,
    SMTP_HARNESS_AT_LEAST,
    SMTP_HARNESS_AT_MOST,
};

/** How a field's values compare. */
enum smtp_harness_field_kind {
    SMTP_HARNESS_FIELD_TEXT,    /* octet by octet */
    SMTP_HARNESS_FIELD_BODY,    /* the same but for one line end at the end */
    SMTP_HARNESS_FIELD_ADDRESS, /* local part octet by octet, domain in any case */
    SMTP_HARNESS_FIELD_DOMAIN,  /* in any case */
    SMTP_HARNESS_FIELD_NUMBER,
    SMTP_HARNESS_FIELD_COUNT, /* a number of messages, not of one */
};

/** A row: a field's name, and where its values come from. */
struct smtp_harness_expect_field {
    const char *name;
    enum smtp_harness_field_kind kind;
    bool named; /* written FIELD.NAME */
    /** The i-th value; false beyond the last. `name` is the one after the dot. */
    bool (*value)(const struct smtp_harness_message *message, const char *name, size_t i,
                  struct smtp_span *out);
    uint64_t (*number)(const struct smtp_harness_message *message);
};

/** The rows; the last has no name. */
extern const struct smtp_harness_expect_field smtp_harness_expect_fields[];

struct smtp_harness_term {
    const struct smtp_harness_expect_field *field;
    enum smtp_harness_op op;
    char *name;      /* of a named field; owned */
    char *value;     /* owned */
    uint64_t number; /* the value of a number */
    regex_t regex;   /* compiled where has_regex */
    bool has_regex;
    struct smtp_span source; /* as written, in the expectation's own text */
};

/* Far beyond what a person writes; keeps the parser without growth. */
#define SMTP_HARNESS_TERMS_MAX 64

struct smtp_harness_expectation {
    char *text; /* as written */
    size_t term_count;
    struct smtp_harness_term terms[SMTP_HARNESS_TERMS_MAX];
};

static inline bool smtp_harness_op_is_regex(enum smtp_harness_op op)
{
    return op == SMTP_HARNESS_MATCHES || op == SMTP_HARNESS_MATCHES_NOT;
}
static inline bool smtp_harness_field_is_number(const struct smtp_harness_expect_field *field)
{
    return field->kind == SMTP_HARNESS_FIELD_NUMBER || field->kind == SMTP_HARNESS_FIELD_COUNT;
}

#endif
