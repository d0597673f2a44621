/* fault_parse.h - the parser of faults between its two files: stages and patterns (fault_parse.c), actions and
 * frequencies (fault_action.c). */
#ifndef SMTP_HARNESS_FAULT_PARSE_H
#define SMTP_HARNESS_FAULT_PARSE_H

#include "harness/fault_plan.h"
#include "harness/notation.h"

struct smtp_fault_parser {
    struct smtp_notation notation;
    struct smtp_harness_fault_entry *entry;
    uint32_t taken; /* a bit for each row of smtp_fault_words */
    bool has_action;
};

/** At which stages an action has anything to act on. */
enum smtp_fault_scope {
    SMTP_FAULT_EVERY_STAGE,
    SMTP_FAULT_WITH_OCTETS, /* of ours: a reply, or a handshake */
    SMTP_FAULT_WITH_REPLY,
    SMTP_FAULT_TLS_ALONE,
};

/** An action or a frequency: its word, and what takes what stands behind it. */
struct smtp_fault_word {
    const char *name;
    bool is_frequency;
    enum smtp_fault_scope stages;
    enum smtp_status (*take)(struct smtp_fault_parser *parser, const struct smtp_fault_word *row,
                             const char *place);
    int value; /* of those that differ in it alone */
};

/** Actions first; the last has no name. */
extern const struct smtp_fault_word smtp_fault_words[];

#endif
