/* trace.h - the trace field that a server adds to a message, taken apart (RFC 5321 4.4). Knows nothing of connections. */
#ifndef SMTP_HARNESS_CONFORMANCE_TRACE_H
#define SMTP_HARNESS_CONFORMANCE_TRACE_H

#include "common/bytes.h"

/** The first Received field of the content, CRLF within it too, without the last one; false: there is none. */
bool smtp_trace_find(struct smtp_span content, struct smtp_span *field);
/** The same of another name. */
bool smtp_trace_find_named(struct smtp_span content, const char *name, struct smtp_span *field);
/** Where the fields begin that no server adds: behind Received, Return-Path, Delivered-To and the like, and what filters
 *  tell of the message. */
size_t smtp_trace_len(struct smtp_span content);

#define SMTP_TRACE_MAX 2048

/** A field unfolded: its comments taken out, white space as one space. */
struct smtp_trace {
    char text
        [SMTP_TRACE_MAX]; /* "from client.example by server.example with ESMTP id 12 for <b@x>" */
    char comments[SMTP_TRACE_MAX];
    char date[SMTP_TRACE_MAX]; /* behind the last ';', comments taken out */
};
bool smtp_trace_parse(struct smtp_span field, struct smtp_trace *out);
/** What stands behind a clause's word ("from", "by", "with", "for"), up to the next space, into word; false: there is
 *  no such clause. */
bool smtp_trace_clause(const struct smtp_trace *trace, const char *clause,
                       char word[SMTP_TRACE_MAX]);
/** How often the clause stands there. */
size_t smtp_trace_count(const struct smtp_trace *trace, const char *clause);
/** Whether what stands before the date is that of a Stamp: NULL, or what was expected of it. Lenient with additional
 *  clauses, which stand anywhere, and says nothing of a clause that is missing. */
const char *smtp_trace_judge_stamp(const struct smtp_trace *trace);

enum smtp_trace_date { SMTP_DATE_STRICT, SMTP_DATE_OBSOLETE_ZONE, SMTP_DATE_WRONG };
/** date-time of RFC 5322 3.3 with a four-digit year, nothing behind it. */
enum smtp_trace_date smtp_trace_judge_date(const char *date);

#endif
