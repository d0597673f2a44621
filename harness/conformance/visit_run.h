/* visit_run.h - a visit while it lasts, for visit*.c: the command that runs and the sessions that are served to it. */
#ifndef SMTP_HARNESS_CONFORMANCE_VISIT_RUN_H
#define SMTP_HARNESS_CONFORMANCE_VISIT_RUN_H

#include "harness/command/run.h"
#include "harness/conformance/visit.h"

/** Of all that a client may say in a visit: no task is of more than some KiB, several visits run at a time, and what
 *  they hear is kept, some of it more than once. */
#define SMTP_VISIT_MIB_MAX 16
#define SMTP_VISIT_OCTETS_MAX ((size_t)SMTP_VISIT_MIB_MAX << 20)

struct smtp_visit_run {
    struct smtp_visit seen; /* the first, so that one can be had from the other */
    const struct smtp_task *task;
    const struct smtp_script *script;
    const char *keywords, *tls_keywords; /* of EHLO; as in smtp_script */
    struct smtp_command_run command;
    const struct smtp_identity *identity;
    struct smtp_buffer commands, messages, clear; /* what `seen` shows */
    size_t octets;                                /* heard so far, in the clear or in TLS */
};

struct smtp_visit_session {
    struct smtp_visit_run *run;
    struct smtp_talk *talk;
    unsigned number;
    bool in_tls, is_over;

    /* octets are counted from the connection's begin, or the handshake's end */
    uint64_t taken, kept; /* from what was heard; in `clear` */
    uint64_t
        before_reply; /* had come when our last reply was sent: what begins before it is early */

    bool had_hello, had_mail;
    struct smtp_span mail;
    struct smtp_buffer rcpts; /* as smtp_visit_message.rcpts */
    size_t rcpt_count;
    unsigned lines_wanted; /* of a plain login, behind the next */
    bool expects_line;     /* 334 was said */
    bool was_chunk_refused;
    size_t chunked; /* 1-based, its message by BDAT; 0: none */
    struct smtp_buffer chunks;
};

/* ---- visit_session.c ---- */

/** Serves one connection, taken over, until its end. */
void smtp_visit_serve(struct smtp_visit_run *run, int fd);
/** A copy that lives as long as the check. */
struct smtp_span smtp_visit_keep(struct smtp_check *check, struct smtp_span octets);

/* ---- visit_hear.c ---- */

/** More has come or the connection is at its end; false: the time is over, or all of the visit's is. */
bool smtp_visit_hear(struct smtp_visit_session *session, uint64_t until_ns);
/** Waits for the first octets of a handshake, or the end, and reads nothing. False: neither comes. */
bool smtp_visit_waits_for_octets(struct smtp_visit_session *session);
/** Hears for so long, or until the end. */
void smtp_visit_pause(struct smtp_visit_session *session, uint64_t ms);
/** A line with its LF, copied; false: none comes any more. */
bool smtp_visit_hear_line(struct smtp_visit_session *session, struct smtp_span *line);
/** The octets up to and with CRLF dot CRLF, copied; false: they end before it. */
bool smtp_visit_hear_content(struct smtp_visit_session *session, struct smtp_span *raw);
/** So many octets, copied; false: they end before. */
bool smtp_visit_hear_chunk(struct smtp_visit_session *session, uint64_t len,
                           struct smtp_span *chunk);
/** Ends our side and waits a little for the other, so that what was said last is not lost. */
void smtp_visit_part(struct smtp_visit_session *session);

/* ---- visit_plain.c ---- */

/** What a plain server says, whole lines; "" for nothing. name as smtp_answer.command. Lives as long as the check. */
const char *smtp_visit_plain(struct smtp_visit_session *session, const char *name,
                             struct smtp_span line);
/** Whether that is the n-th (0-based) word of the line, in any case. */
bool smtp_visit_has_word(struct smtp_span line, size_t n, const char *word);
struct smtp_span smtp_visit_word(struct smtp_span line, size_t n); /* empty: there is none */

/* ---- visit_seen.c ---- */

/** Whether a command of that name is meant; "*" is every command, but neither the connection nor what is no
 *  command line. */
bool smtp_visit_is_called(const char *wanted, const char *name);

#endif
