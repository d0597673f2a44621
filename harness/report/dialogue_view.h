/* dialogue_view.h - a dialogue drawn as two columns: the client left, the server right. */
#ifndef SMTP_HARNESS_REPORT_DIALOGUE_VIEW_H
#define SMTP_HARNESS_REPORT_DIALOGUE_VIEW_H

#include <stdio.h>

#define SMTP_DIALOGUE_COLUMNS 80 /* what it fits into, whatever it is written to */

/** Draws "C: " and "S: " lines; other lines are notes, drawn across. Each row begins with margin.
 *  Long lines go on below where they have blanks, else they are clipped; content is shown by its first
 *  lines and its size; "[starttls]" is a line across both sides. */
void smtp_dialogue_draw(FILE *out, const char *dialogue, const char *margin);

#endif
