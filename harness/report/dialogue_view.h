/* dialogue_view.h - a session drawn as two columns: the client left, the server right, with the time and
 * the direction of each line, what was pipelined, and where TLS is on. */
#ifndef SMTP_HARNESS_REPORT_DIALOGUE_VIEW_H
#define SMTP_HARNESS_REPORT_DIALOGUE_VIEW_H

#include "harness/transcript.h"

#include <stdio.h>

#define SMTP_DIALOGUE_COLUMNS 80     /* where it is written to no terminal */
#define SMTP_DIALOGUE_COLUMNS_MIN 60 /* narrower ones break the lines themselves */
#define SMTP_DIALOGUE_COLUMNS_MAX 200

struct smtp_dialogue_look {
    const char *margin; /* each row begins with it; borrowed */
    size_t columns;     /* margin included; from SMTP_DIALOGUE_COLUMNS_MIN to _MAX */
    bool colour;
    bool ascii;   /* marks of ASCII alone */
    bool explain; /* what each line means: beside it in 120 columns, else below it */
    size_t brief; /* at most the last so many lines, and of a reply its first and last; 0: all */
    const char *
        told; /* a failure's detail: what it quotes is shown in any case; NULL: nothing is. Borrowed */
};

/** What fits to where `out` leads: a terminal's width, colour where it is wanted, ASCII where the locale
 *  has no UTF-8; nothing is explained. */
struct smtp_dialogue_look smtp_dialogue_look_at(FILE *out, const char *margin);

/** Draws it all. Control octets are escaped; long lines go on below themselves where they have blanks;
 *  content is shown by its first lines and its size. */
void smtp_dialogue_draw(FILE *out, const struct smtp_harness_transcript *transcript,
                        const struct smtp_dialogue_look *look);

#endif
