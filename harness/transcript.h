/* transcript.h - what each session said, kept from the server's log hook and told as a dialogue.
 * The hook runs on the server's threads, everything else on any thread: the transcripts have their
 * own lock, and are read from a copy. */
#ifndef SMTP_HARNESS_TRANSCRIPT_H
#define SMTP_HARNESS_TRANSCRIPT_H

#include "client/smtp_client.h"
#include "common/bytes.h"
#include "server/smtp_server.h"

/** All sessions of one server. */
struct smtp_harness_transcripts;

/** NULL: out of memory. */
struct smtp_harness_transcripts *smtp_harness_transcripts_new(void);
void smtp_harness_transcripts_free(struct smtp_harness_transcripts *transcripts);

/** Keeps one entry of the log. Any thread. */
void smtp_harness_transcripts_log(struct smtp_harness_transcripts *transcripts,
                                  uint64_t session_number,
                                  const struct smtp_server_log_entry *entry);

/** The number of the newest session that said something; 0: none. */
uint64_t smtp_harness_transcripts_last(struct smtp_harness_transcripts *transcripts);

/** One session as it stands now: a copy of the caller's, for one thread. */
struct smtp_harness_transcript;

/** NULL: no such session, or out of memory. Free with smtp_harness_transcript_free. */
struct smtp_harness_transcript *
smtp_harness_transcript_copy(struct smtp_harness_transcripts *transcripts, uint64_t number);
void smtp_harness_transcript_free(struct smtp_harness_transcript *transcript);

/** An empty one, for what is not a session of the server's: a client's log, a dialogue that is played.
 *  NULL: out of memory. */
struct smtp_harness_transcript *smtp_harness_transcript_new(void);
/** Keeps one entry; `time_ns` as given. Of one thread. */
void smtp_harness_transcript_add(struct smtp_harness_transcript *transcript,
                                 const struct smtp_server_log_entry *entry);
/** The same as smtp_client_options.log, with the transcript as its user: the time is now. */
void smtp_harness_transcript_client_log(void *transcript, enum smtp_client_log_kind kind,
                                        const char *text, size_t len);

/** One line of it. Content comes line by line, as SMTP_LOG_CONTENT. */
struct smtp_harness_transcript_line {
    enum smtp_server_log_kind kind;
    struct smtp_span text; /* octets as they came, without CRLF; lives as long as the copy */
    bool pipelined;        /* a command sent before the reply to the one before it had come */
    bool has_crlf;         /* false: content that goes on or stops without one */
    uint64_t time_ns;      /* monotonic clock, when (the last of) it was logged */
    uint64_t left_out;     /* octets that were not kept right after it; 0: none */
};

/** Where a reader of the copy is; {0} is the beginning. */
struct smtp_harness_transcript_place {
    size_t entry;
    size_t offset; /* into that entry's octets */
};

/** The next line; false at the end. */
bool smtp_harness_transcript_next(const struct smtp_harness_transcript *transcript,
                                  struct smtp_harness_transcript_place *place,
                                  struct smtp_harness_transcript_line *line);

/** The session as a dialogue: "C: " and "S: " lines, "C| " for content without its CRLF, "# " for
 *  the rest; NUL-terminated, to be freed by the caller. NULL: out of memory. */
char *smtp_harness_transcript_text(const struct smtp_harness_transcript *transcript);

#endif
