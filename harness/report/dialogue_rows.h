/* dialogue_rows.h - the rows of dialogue_view.c: time, marks, two columns, and an explanation beside or
 * below. Knows where what stands and how it is broken into rows, nothing of SMTP. */
#ifndef SMTP_HARNESS_REPORT_DIALOGUE_ROWS_H
#define SMTP_HARNESS_REPORT_DIALOGUE_ROWS_H

#include "harness/report/dialogue_view.h"

/** Which column, or none: across both. */
enum smtp_dialogue_side { SMTP_DIALOGUE_CLIENT, SMTP_DIALOGUE_SERVER, SMTP_DIALOGUE_ACROSS };

/** A row's part in a group of pipelined commands. */
enum smtp_dialogue_group {
    SMTP_DIALOGUE_ALONE,
    SMTP_DIALOGUE_FIRST,
    SMTP_DIALOGUE_WITHIN,  /* one of its commands */
    SMTP_DIALOGUE_BETWEEN, /* what came before the last of them */
    SMTP_DIALOGUE_LAST,
};

enum smtp_dialogue_colour {
    SMTP_DIALOGUE_PLAIN,
    SMTP_DIALOGUE_DIM,
    SMTP_DIALOGUE_GREEN,
    SMTP_DIALOGUE_CYAN,
    SMTP_DIALOGUE_YELLOW,
    SMTP_DIALOGUE_RED,
};

struct smtp_dialogue_row {
    enum smtp_dialogue_side side;
    enum smtp_dialogue_group group;
    enum smtp_dialogue_colour colour;
    bool arrow;            /* something went over the wire */
    bool tls;              /* under TLS */
    const char *time;      /* "" for none */
    struct smtp_span text; /* raw octets */
    const char *explained; /* ASCII; "" for nothing */
};

/** As many rows as it takes. */
void smtp_dialogue_row_draw(FILE *out, const struct smtp_dialogue_look *look,
                            const struct smtp_dialogue_row *row);
/** A line across both sides with the text (ASCII) in it. */
void smtp_dialogue_rule_draw(FILE *out, const struct smtp_dialogue_look *look, const char *time,
                             struct smtp_span text);

#endif
