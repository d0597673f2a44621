/* rule.h - a rule of an RFC with the scenario that judges it. The rules stand in tables, one file a section
 * of an RFC: server/ has those that judge a server, client/ those that judge a client. */
#ifndef SMTP_HARNESS_CONFORMANCE_RULE_H
#define SMTP_HARNESS_CONFORMANCE_RULE_H

#include <stdbool.h>
#include <stddef.h>

struct smtp_check;

enum smtp_rule_side { SMTP_RULE_SERVER, SMTP_RULE_CLIENT };
enum smtp_rule_level { SMTP_MUST, SMTP_MUST_NOT, SMTP_SHOULD, SMTP_SHOULD_NOT };

/** What a scenario cannot do without; where it is not there the rule is skipped, with the reason. */
enum smtp_rule_need {
    /* of a server */
    SMTP_NEEDS_ARRIVALS = 1 << 0, /* --maildir or --sink */
    SMTP_NEEDS_SINK = 1 << 1,     /* --sink: to be the next hop */
    SMTP_NEEDS_OTHER = 1 << 2,    /* a second --recipient */
    SMTP_NEEDS_LMTP = 1 << 3,     /* the server speaks LMTP; for a client: it can */
    SMTP_NEEDS_SMTP = 1 << 4,     /* it does not */
    /* of both */
    SMTP_NEEDS_TLS = 1 << 5,   /* STARTTLS is offered, or TLS is spoken; a client can STARTTLS */
    SMTP_NEEDS_LOGIN = 1 << 6, /* --user and --password; a client can log in */
    SMTP_NEEDS_TIME = 1 << 7,  /* --slow */
    /* of a client: which words of its task (task.h) it heeds */
    SMTP_NEEDS_FROM = 1 << 8,
    SMTP_NEEDS_TO = 1 << 9,
    SMTP_NEEDS_SEVERAL = 1 << 10, /* recipients */
    SMTP_NEEDS_CONTENT = 1 << 11,
    SMTP_NEEDS_MESSAGES = 1 << 12, /* more than one over a connection */
    SMTP_NEEDS_HELO = 1 << 13,
    SMTP_NEEDS_DSN = 1 << 14,
    SMTP_NEEDS_REQUIRETLS = 1 << 15,
    SMTP_NEEDS_MECHANISM = 1 << 16,
    SMTP_NEEDS_IMPLICIT_TLS = 1 << 17,
};

struct smtp_rule {
    const char *id; /* "rfc5321/4.5.2/dot-unstuffing": RFC, section, slug */
    enum smtp_rule_level level;
    unsigned needs;          /* of enum smtp_rule_need */
    const char *requirement; /* a sentence; may end in "[known deviation: ...]" */
    const char *check;       /* what is done and what must come, a sentence or two */
    void (*judge)(struct smtp_check *check);
};

struct smtp_rule_table {
    const struct smtp_rule *rules;
    size_t count;
};
#define SMTP_RULE_TABLE(name, rows)                                                                \
    const struct smtp_rule_table name = {.rules = (rows), .count = sizeof(rows) / sizeof *(rows)}

/** "MUST NOT" and the like. */
const char *smtp_rule_level_name(enum smtp_rule_level level);
/** A rule that is broken only where the level is MUST or MUST NOT, or SHOULD counts too (--strict). */
bool smtp_rule_counts(enum smtp_rule_level level, bool strict);
/** "rfc5321/4.5.2/" of the id: what the rules of one section share. */
size_t smtp_rule_section_len(const char *id);
/** Whether the id begins with one of these; with none of them every rule is selected. */
bool smtp_rule_is_selected(const char *id, const char *const *prefixes, size_t count);

/** By RFC and section, numbers as numbers: for qsort. */
int smtp_rule_compare(const char *id, const char *other);

/** All rules of a side in the order of RFCs and sections; NULL beyond the last. */
const struct smtp_rule *smtp_rule_at(enum smtp_rule_side side, size_t i);

#endif
