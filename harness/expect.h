/* expect.h - expectations: the notation 'FIELD OP VALUE ...' of smtp_harness.h taken apart, held
 * against messages, and told in lines when it does not hold. No threads, no waiting. */
#ifndef SMTP_HARNESS_EXPECT_H
#define SMTP_HARNESS_EXPECT_H

#include "harness/lines.h"
#include "harness/smtp_harness.h"

struct smtp_harness_expectation;

/** Takes the notation apart (NULL or "": any message). SMTP_OK, SMTP_NO_MEMORY, or
 *  SMTP_BAD_ARGUMENT with lines in *why: what is wrong, the notation with a caret under the place,
 *  what would be right. */
enum smtp_status smtp_harness_expectation_parse(const char *notation,
                                                struct smtp_harness_expectation **out,
                                                struct smtp_harness_lines *why) SMTP_MUST_CHECK;
void smtp_harness_expectation_free(struct smtp_harness_expectation *expectation);

/** As it was written; "any message" where it was empty. */
const char *smtp_harness_expectation_text(const struct smtp_harness_expectation *expectation);
/** Whether it has a `count` term. */
bool smtp_harness_expectation_counts(const struct smtp_harness_expectation *expectation);

/** How many terms there are, and how many hold of the message; `count` terms are not among them. */
size_t smtp_harness_expectation_terms(const struct smtp_harness_expectation *expectation);
size_t smtp_harness_expectation_held(const struct smtp_harness_expectation *expectation,
                                     const struct smtp_harness_message *message);

/** Whether so many matching messages are what `count` asks for (at least one where it asks
 *  nothing); whether they stay so however many more there are; and whether, with more to come, they can
 *  still be. */
bool smtp_harness_expectation_count_holds(const struct smtp_harness_expectation *expectation,
                                          uint64_t matched);
bool smtp_harness_expectation_count_is_sure(const struct smtp_harness_expectation *expectation,
                                            uint64_t matched);
bool smtp_harness_expectation_count_can_hold(const struct smtp_harness_expectation *expectation,
                                             uint64_t matched);

/** A line for each term, whether it holds of the message, and what came where it does not. */
void smtp_harness_expectation_explain(const struct smtp_harness_expectation *expectation,
                                      const struct smtp_harness_message *message,
                                      struct smtp_harness_lines *lines);

#endif
