/* explain.h - what a line of a dialogue means, in a sentence, and which RFC says so. Knows words, codes
 * and keywords by their tables (explain_tables.c), nothing of the session they stand in. */
#ifndef SMTP_HARNESS_REPORT_EXPLAIN_H
#define SMTP_HARNESS_REPORT_EXPLAIN_H

#include "harness/lines.h"

/** One row: what is explained, the sentence without its full stop, and "RFC section". */
struct smtp_explanation {
    const char *word;
    const char *text;
    const char *rfc;
};

/** Each adds its sentences, like "ends the session (RFC 5321 4.1.1.10)", and nothing where it knows none. */

/** A command line: its verb and each parameter. */
void smtp_explain_command(struct smtp_harness_lines *to, struct smtp_span line);
/** The first line of a reply: its code, as an answer to the verb ("" for the greeting, "." for what follows
 *  content), and its enhanced code. */
void smtp_explain_reply(struct smtp_harness_lines *to, struct smtp_span verb,
                        struct smtp_span line);
/** A further line of the reply to EHLO: its keyword. */
void smtp_explain_keyword(struct smtp_harness_lines *to, struct smtp_span line);
/** The first line of content, and the dot that ends it. */
void smtp_explain_content(struct smtp_harness_lines *to, bool is_chunk);
void smtp_explain_end_of_content(struct smtp_harness_lines *to);

/** A command line's verb: all up to a blank. */
struct smtp_span smtp_explain_verb(struct smtp_span line);

/* ---- the tables; a row without word ends each ---- */

extern const struct smtp_explanation smtp_explain_verbs[];
/** Of MAIL, RCPT and XCLIENT, words as "MAIL SIZE". */
extern const struct smtp_explanation smtp_explain_parameters[];
/** Words as "VERB CODE", then as "CODE" alone: the first that fits counts. */
extern const struct smtp_explanation smtp_explain_codes[];
extern const struct smtp_explanation smtp_explain_keywords[];
/** Words as "4" and as ".1": RFC 3463's classes and subjects. */
extern const struct smtp_explanation smtp_explain_enhanced[];

#endif
