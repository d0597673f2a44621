/* record_names.h - text of a recorded dialogue: what the notation would read is escaped, what varies from run
 * to run is ${NAME=VALUE}, with a name of its own or wherever it occurs. Private to record.c. */
#ifndef SMTP_HARNESS_RECORD_NAMES_H
#define SMTP_HARNESS_RECORD_NAMES_H

#include "harness/lines.h"

#define SMTP_RECORD_LITERALS_MAX 64

/** What names are made of: DATE, DATE_2, ... */
enum smtp_record_base {
    SMTP_RECORD_DATE,
    SMTP_RECORD_MESSAGE_ID,
    SMTP_RECORD_BOUNDARY,
    SMTP_RECORD_IDENTIFIER,
    SMTP_RECORD_CHALLENGE,
    SMTP_RECORD_SECRET,
    SMTP_RECORD_OCTETS,
    SMTP_RECORD_UNTIL,
    SMTP_RECORD_PEER,
    SMTP_RECORD_BASES,
};

/** A value that has its name wherever it occurs. */
struct smtp_record_literal {
    struct smtp_span value; /* borrowed */
    enum smtp_record_base base;
    unsigned number;
    bool introduced; /* its ${NAME=VALUE} has been written */
};

/** All zero: none yet. */
struct smtp_record_names {
    unsigned counts[SMTP_RECORD_BASES];
    struct smtp_record_literal literals[SMTP_RECORD_LITERALS_MAX];
    size_t literal_count;
};

/** Text as it is. at_end: of a line, where a space is escaped. */
void smtp_record_plain(struct smtp_harness_lines *lines, struct smtp_span text, bool at_end);
/** Text in which what has a name is written by it. */
void smtp_record_text(struct smtp_record_names *names, struct smtp_harness_lines *lines,
                      struct smtp_span text, bool at_end);
/** From here on the value has a name, wherever it stands. False: it is too short for that. */
bool smtp_record_name(struct smtp_record_names *names, enum smtp_record_base base,
                      struct smtp_span value);
/** What varies, at this one place. */
void smtp_record_varying(struct smtp_record_names *names, struct smtp_harness_lines *lines,
                         enum smtp_record_base base, struct smtp_span value);
/** What must not be written: a name without a value. */
void smtp_record_secret(struct smtp_record_names *names, struct smtp_harness_lines *lines);

#endif
