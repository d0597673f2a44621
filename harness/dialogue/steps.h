/* steps.h - a dialogue taken apart: the steps of its sessions, and of a line its parts. What is read (parse.c,
 * line.c) and what plays it (player.c) meet here. */
#ifndef SMTP_HARNESS_DIALOGUE_STEPS_H
#define SMTP_HARNESS_DIALOGUE_STEPS_H

#include "harness/dialogue/dialogue.h"

enum smtp_dialogue_speaker { SMTP_DIALOGUE_CLIENT, SMTP_DIALOGUE_SERVER };

enum smtp_dialogue_part_kind {
    SMTP_DIALOGUE_LITERAL,
    SMTP_DIALOGUE_ANY,      /* "..." */
    SMTP_DIALOGUE_VARIABLE, /* "${NAME}", "${NAME=VALUE}" */
};

/** A part of a line; its octets are the dialogue's. */
struct smtp_dialogue_part {
    enum smtp_dialogue_part_kind kind;
    struct smtp_span name;   /* of a variable */
    struct smtp_span octets; /* of a literal; the variable's VALUE */
    bool has_value;
};

enum smtp_dialogue_step_kind {
    SMTP_DIALOGUE_SAY,   /* a line or octets: parts */
    SMTP_DIALOGUE_LINES, /* "..." alone: lines up to the one that the next step matches */
    SMTP_DIALOGUE_SESSION,
    SMTP_DIALOGUE_TLS,
    SMTP_DIALOGUE_CLOSE,
    SMTP_DIALOGUE_HALF_CLOSE,
    SMTP_DIALOGUE_RESET,
    SMTP_DIALOGUE_WAIT,
    SMTP_DIALOGUE_WITHIN,
};

#define SMTP_DIALOGUE_NO_TOLERANCE UINT64_MAX

struct smtp_dialogue_step {
    enum smtp_dialogue_step_kind kind;
    enum smtp_dialogue_speaker speaker; /* who says or does it; the client begins TLS */
    bool has_crlf;                      /* "C: ": CRLF is added; the last literal holds it */
    bool is_one_line;                   /* has_crlf, and no other CRLF stands in it */
    unsigned line;                      /* of the text, from 1 */
    struct smtp_span source;            /* that line, as reports show it */
    size_t first_part, part_count;
    uint64_t time_ns;      /* of [wait] and [within] */
    uint64_t tolerance_ns; /* of [wait]; SMTP_DIALOGUE_NO_TOLERANCE: who plays it says */
};

struct smtp_dialogue {
    char *name;
    char *text;               /* a copy; the sources are in it */
    char *octets;             /* what the escapes came to; the parts are in it */
    struct smtp_buffer steps; /* of struct smtp_dialogue_step */
    struct smtp_buffer parts; /* of struct smtp_dialogue_part */
    size_t octets_len;        /* used */
    size_t session_count;
    bool compare_codes;
};

static inline size_t smtp_dialogue_step_count(const struct smtp_dialogue *dialogue)
{
    return dialogue->steps.len / sizeof(struct smtp_dialogue_step);
}
const struct smtp_dialogue_step *smtp_dialogue_step_at(const struct smtp_dialogue *dialogue,
                                                       size_t i);
/** The parts of a step; NULL where it has none. */
const struct smtp_dialogue_part *smtp_dialogue_parts(const struct smtp_dialogue *dialogue,
                                                     const struct smtp_dialogue_step *step);

/** What is wrong with a line, and where. */
struct smtp_dialogue_mistake {
    const char *at;     /* in the line; NULL: nothing is wrong */
    char what[160];     /* "there is no escape \q" */
    const char *remedy; /* a sentence of what would be right */
    bool no_memory;
};

/** Takes what stands behind "C: " apart and adds its parts to the dialogue: line.c. False: *mistake. */
bool smtp_dialogue_read_line(struct smtp_dialogue *dialogue, struct smtp_dialogue_step *step,
                             struct smtp_span text, struct smtp_dialogue_mistake *mistake);
/** Takes "[...]" apart: directive.c; `codes` is "[compare codes]", which is no step. */
bool smtp_dialogue_read_directive(struct smtp_dialogue_step *step, struct smtp_span text,
                                  bool *codes, struct smtp_dialogue_mistake *mistake);

#endif
