/* dialogue_told.h - which lines of a session a failure's detail is about: those that it quotes. */
#ifndef SMTP_HARNESS_REPORT_DIALOGUE_TOLD_H
#define SMTP_HARNESS_REPORT_DIALOGUE_TOLD_H

#include "harness/transcript.h"

/** Whether the detail quotes that line, what stands behind its reply code, or the parameters behind its EHLO keyword.
 *  NULL quotes none. */
bool smtp_dialogue_is_told(const char *detail, struct smtp_span line);
/** Whether it quotes a line of that session. */
bool smtp_dialogue_tells(const char *detail, const struct smtp_harness_transcript *transcript);

#endif
