/* match.h - what came held against what a line of a dialogue says, and what is known under a name. Does no I/O. */
#ifndef SMTP_HARNESS_DIALOGUE_MATCH_H
#define SMTP_HARNESS_DIALOGUE_MATCH_H

#include "harness/dialogue/steps.h"

/** What is known under names; zero-initialise with SMTP_DIALOGUE_NAMES. */
struct smtp_dialogue_names {
    struct smtp_buffer entries; /* the later one of two of a name counts; bounded by names_max */
    struct smtp_buffer octets;
    struct smtp_span host, port; /* what ${host} and ${port} are by themselves */
};

#define SMTP_DIALOGUE_NAMES                                                                        \
    ((struct smtp_dialogue_names){.entries = SMTP_BUFFER((size_t)16 << 20),                        \
                                  .octets = SMTP_BUFFER((size_t)64 << 20)})

void smtp_dialogue_names_free(struct smtp_dialogue_names *names);
/** False: out of memory, or more than 64 MiB. Both are copied. */
bool smtp_dialogue_names_add(struct smtp_dialogue_names *names, struct smtp_span name,
                             struct smtp_span value);
/** Borrowed until the next add. False: nothing is known. */
bool smtp_dialogue_names_find(const struct smtp_dialogue_names *names, struct smtp_span name,
                              struct smtp_span *value);
/** Whether a name has a value of its own: host, port, date, nonce. */
bool smtp_dialogue_names_is_own(struct smtp_span name);

/** Appends a line as it is sent. SMTP_OK, SMTP_NO_MEMORY, SMTP_LIMIT_EXCEEDED, or SMTP_BAD_ARGUMENT where
 *  nothing is known of the variable *unknown. */
enum smtp_status smtp_dialogue_render(const struct smtp_dialogue *dialogue,
                                      const struct smtp_dialogue_step *step,
                                      struct smtp_dialogue_names *names, struct smtp_buffer *out,
                                      struct smtp_span *unknown) SMTP_MUST_CHECK;

enum smtp_dialogue_match {
    SMTP_DIALOGUE_MATCHES, /* the first *len octets are the step's; what is learned is known now */
    SMTP_DIALOGUE_DIFFERS, /* whatever more comes; *len: how many octets agree */
    SMTP_DIALOGUE_NEEDS_MORE,
};

/** Holds the octets, a line with its CRLF or as many as came, against a step. ended: no more come. *len: 0, or what
 *  it was when the same step needed more than the first of these octets; they are not looked at again. */
enum smtp_dialogue_match smtp_dialogue_match(const struct smtp_dialogue *dialogue,
                                             const struct smtp_dialogue_step *step,
                                             struct smtp_dialogue_names *names,
                                             struct smtp_span octets, bool ended, size_t *len);

/** The step's last octets can be anything: it goes on until the connection ends. */
bool smtp_dialogue_is_open(const struct smtp_dialogue *dialogue,
                           const struct smtp_dialogue_step *step,
                           const struct smtp_dialogue_names *names);

#endif
