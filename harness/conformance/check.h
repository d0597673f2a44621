/* check.h - one scenario while it runs: what it can rely on, and its verdict. The first thing said of the
 * verdict stands: from then on every call on this check and its connections does nothing and returns at
 * once (0, false, NULL or empty), so that a scenario is written straight on, with no test after each step.
 * Each wait is bounded, so that each scenario ends. A check belongs to one thread. */
#ifndef SMTP_HARNESS_CONFORMANCE_CHECK_H
#define SMTP_HARNESS_CONFORMANCE_CHECK_H

#include "common/bytes.h"
#include "harness/conformance/rule.h"
#include "harness/transcript.h"

enum smtp_verdict { SMTP_PASS, SMTP_FAIL, SMTP_SKIP };

struct smtp_arrivals; /* what the server delivered or relayed: arrivals.h */
struct smtp_command_running;

/** What a server is for, where rules differ. */
enum smtp_check_role {
    SMTP_ROLE_UNKNOWN,
    SMTP_ROLE_MX,         /* takes the world's mail for its own domains (port 25) */
    SMTP_ROLE_SUBMISSION, /* takes its users' mail for the world (ports 587 and 465) */
};

/** What a suite is told; {0} is the default everywhere. Borrowed while it runs. */
struct smtp_check_options {
    uint64_t timeout_ms; /* of a scenario, besides the minutes it is to wait; 0: 10 s */
    uint64_t quiet_ms;   /* for how long nothing must come where silence is the rule; 0: 200 ms */
    bool slow;           /* the rules that take minutes too */
    unsigned
        slow_divisor;    /* their times are parted by it, for tests of the suite itself; 0: by 1 */
    const char *ca_file; /* PEM; NULL: certificates of a server are not looked at */
    const char *user, *password; /* NULL: no login */

    /* a server */
    const char *address; /* "host:port", "[::1]:25", "unix:PATH" */
    bool implicit_tls;   /* TLS from the first octet */
    bool starttls;       /* every scenario begins inside TLS */
    enum smtp_check_role role;
    bool lmtp;          /* LHLO */
    const char *sender; /* NULL: postmaster@example.com */
    const char *const
        *recipients; /* accepted ones; none: postmaster, at the name in the greeting */
    size_t recipient_count;
    const char *bad_recipient;      /* a refused one; NULL: a name nobody has, there */
    struct smtp_arrivals *arrivals; /* NULL: nothing is seen of what arrives */

    /* a client: a command, run once or more a scenario */
    char *const *command; /* its words; NULL ends them */
    const int *temporary; /* exit statuses that say "later"; none: 75 */
    size_t temporary_count;
    struct smtp_command_running *running; /* what can end them all; NULL: nothing */
    unsigned abilities; /* of enum smtp_rule_need, what it can: smtp_visit_abilities finds out */
};

struct smtp_talk;

/** Scenarios read what stands first; the rest is for this folder. */
struct smtp_check {
    const struct smtp_check_options *options;
    const struct smtp_rule *rule;
    /** Addresses without angle brackets; where they were not given they are known once a greeting is. */
    const char *sender, *recipient, *other_recipient, *bad_recipient;
    const char *domain; /* of the greeting */
    /** A word of letters and digits that no other check has: in what it sends, so that it is found again. */
    char token[24];
    unsigned message_count; /* made with it */

    const char *tls_name;      /* that a server's certificate must be for */
    struct smtp_talk *nowhere; /* a connection that never was */
    struct smtp_talk *last;    /* the newest connection; NULL: none yet */
    uint64_t timeout_ms;
    uint64_t deadline_ns, quiet_ms;
    bool has_mode; /* of the sink: arrivals.h */
    bool is_decided;
    enum smtp_verdict verdict;
    char *detail;                 /* why it failed or was skipped */
    char *warning;                /* of something the rule leaves open; NULL: none */
    struct smtp_buffer owned;     /* of struct smtp_check_owned, released in reverse order */
    struct smtp_buffer dialogues; /* of struct smtp_report_dialogue */
};

/** The rule is broken: what was expected and what came, in a sentence or in lines. */
void smtp_check_fail(struct smtp_check *check, const char *format, ...) SMTP_PRINTF(2, 3);
/** It cannot be judged, and why not. */
void smtp_check_skip(struct smtp_check *check, const char *format, ...) SMTP_PRINTF(2, 3);
/** It holds, and nothing more needs to be looked at. */
void smtp_check_pass(struct smtp_check *check);
/** Not what the RFC suggests, yet no breach; the first warning is kept and the scenario goes on. */
void smtp_check_warn(struct smtp_check *check, const char *format, ...) SMTP_PRINTF(2, 3);
/** Fails with the text unless `holds`; returns whether the scenario still goes on. */
bool smtp_check_that(struct smtp_check *check, bool holds, const char *format, ...)
    SMTP_PRINTF(3, 4);
static inline bool smtp_check_goes_on(const struct smtp_check *check)
{
    return !check->is_decided;
}
/** A text that lives as long as the check; "" without memory, which decides the check. */
const char *smtp_check_text(struct smtp_check *check, const char *format, ...) SMTP_PRINTF(2, 3);
/** Octets as they are shown in a detail: quoted, escaped, cut at 200; the same lifetime. */
const char *smtp_check_show(struct smtp_check *check, struct smtp_span octets);

/** A time of minutes as it is to be waited. */
uint64_t smtp_check_slow_ms(const struct smtp_check *check, uint64_t ms);
/** Gives a scenario of minutes (SMTP_NEEDS_TIME) that much more time, no other one. */
void smtp_check_extend(struct smtp_check *check, uint64_t ms);

/* ---- for this folder ---- */

struct smtp_check_owned {
    void (*release)(void *thing);
    void *thing;
};
/** Keeps the thing until the check's end and returns it; NULL: it was NULL or memory failed, and the check is
 *  decided. */
void *smtp_check_own(struct smtp_check *check, void *thing, void (*release)(void *thing));
/** A transcript that a failure shows; title and transcript live as long as the check. */
void smtp_check_show_dialogue(struct smtp_check *check, const char *title,
                              const struct smtp_harness_transcript *transcript);
void smtp_check_clear(struct smtp_check *check);

#endif
