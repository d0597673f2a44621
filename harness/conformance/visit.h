/* visit.h - the server's part, played for a client under test: runs the command with a task, answers its sessions as
 * a script says, and keeps what it did. Made of talk.h; the same rules hold. */
#ifndef SMTP_HARNESS_CONFORMANCE_VISIT_H
#define SMTP_HARNESS_CONFORMANCE_VISIT_H

#include "harness/conformance/talk.h"
#include "harness/conformance/task.h"

struct smtp_visit;

/** One line of the script: it answers commands in place of what a plain server would say. */
struct smtp_answer {
    /** Whom: "connect" (the greeting), "EHLO" (LHLO too), "HELO", "MAIL", "RCPT", "DATA", "dot" (the end of the content), "BDAT",
     *  "AUTH", "line" (what follows a 334), "STARTTLS", "RSET", "NOOP", "VRFY", "QUIT", or "*": any command. */
    const char *command;
    const char *argument; /* a part its line must have (any case); NULL: any */
    unsigned session;     /* 1-based; 0: any */
    unsigned from,
        to; /* the how-many-th such command of the visit, 1-based; 0: the first, the last */
    /** Whole lines with CRLF, more than one reply too; NULL: as a plain server. "" says nothing. */
    const char *reply;
    uint64_t delay_ms; /* before it; the end of the connection ends it */
    enum smtp_then {
        SMTP_THEN_GO_ON,
        SMTP_THEN_CLOSE, /* with what the reply is */
        SMTP_THEN_RESET,
        SMTP_THEN_TLS, /* a handshake, like the plain answer to STARTTLS; with that */
    } then;
    /** In place of the reply; writes what it wants. What it reads itself is not kept. NULL: none. */
    void (*act)(struct smtp_visit *visit, struct smtp_talk *talk, struct smtp_span line);
};

struct smtp_script {
    const struct smtp_answer *answers; /* the first that fits is taken */
    size_t answer_count;
    /** Keywords of EHLO, spaces between parted by ';' like "SIZE 1000;8BITMIME;AUTH PLAIN LOGIN"; NULL: none. Offered in each EHLO unless tls_keywords says otherwise inside TLS. */
    const char *keywords;
    const char *tls_keywords;     /* NULL: the same but for STARTTLS */
    enum smtp_identity_flaw flaw; /* of the certificate */
    /** How long each reply waits, looking meanwhile whether the client sends before it has it. 0: not at all */
    uint64_t hold_ms;
    bool pair_lines; /* greeting and replies are several lines */
};
#define SMTP_SCRIPT(rows) .answers = (rows), .answer_count = sizeof(rows) / sizeof *(rows)

/** A command line as it came; so are a line behind 334 ("line") and the end of the content ("dot", early where the
 *  content was there before 354). */
struct smtp_visit_command {
    unsigned session;      /* 1-based */
    const char *name;      /* as smtp_answer.command names it */
    struct smtp_span line; /* without CRLF */
    bool in_tls;
    bool early;   /* was there before the reply to what was before it was sent */
    int code;     /* of our answer; 0: none */
    bool unheard; /* the client had closed its side before that answer was sent */
};

/** A message as it came. */
struct smtp_visit_message {
    unsigned session;
    struct smtp_span mail;  /* the MAIL line */
    struct smtp_span rcpts; /* the RCPT lines that were accepted, LF between */
    struct smtp_span raw;   /* DATA: the octets up to and with CRLF dot CRLF; BDAT: of all chunks */
    struct smtp_span content; /* the same unstuffed, without the dot */
    bool by_bdat, complete;
    size_t chunk_count;
};

enum smtp_visit_outcome { SMTP_VISIT_SENT, SMTP_VISIT_LATER, SMTP_VISIT_REFUSED };

/** What came of one run of the command. The check's; lives until its end. */
struct smtp_visit {
    struct smtp_check *check;
    const struct smtp_visit_command *commands;
    size_t command_count;
    const struct smtp_visit_message *messages;
    size_t message_count;
    unsigned session_count;
    struct smtp_span clear; /* all that came outside TLS, of all sessions */
    enum smtp_visit_outcome outcome;
    int status;         /* as a shell tells it */
    const char *output; /* what the command wrote, standard error too, its first 4 KiB */
};

/** Runs the command with the task and serves its connections, one after the other, until it has ended. A command
 *  that does not end in time fails the check and is killed with all it started. NULL: decided. script NULL: a complete
 *  plain server, that offers every extension and, where the task wants it, STARTTLS and AUTH PLAIN LOGIN.
 *  A scenario of minutes (SMTP_NEEDS_TIME) has as much more time as the delays that its script came to. */
struct smtp_visit *smtp_visit(struct smtp_check *check, const struct smtp_task *task,
                              const struct smtp_script *script);

/* ---- what was seen; of a visit that is NULL nothing was, and nothing is expected ---- */

/** How many such commands came (argument NULL: any). */
size_t smtp_visit_count(const struct smtp_visit *visit, const char *command, const char *argument);
/** The i-th (0-based) such command; NULL: there is none. */
const struct smtp_visit_command *smtp_visit_find(const struct smtp_visit *visit,
                                                 const char *command, size_t i);
/** Fails unless the outcome is one of these. */
void smtp_visit_expect(struct smtp_visit *visit, enum smtp_visit_outcome outcome);
/** Any but SENT. */
void smtp_visit_expect_not_sent(struct smtp_visit *visit);
/** Fails where the command came. why: how the detail begins, "MAIL after EHLO and HELO were refused". */
void smtp_visit_expect_none(struct smtp_visit *visit, const char *command, const char *why);
/** Fails unless one message came whole; gives it. */
const struct smtp_visit_message *smtp_visit_expect_message(struct smtp_visit *visit);

/** What the command of these options can, found out by running it. SMTP_OK, or why it cannot be run. */
enum smtp_status smtp_visit_abilities(const struct smtp_check_options *options, unsigned *abilities,
                                      struct smtp_error *error) SMTP_MUST_CHECK;

#endif
