/* dialogue.h - dialogues of SMTP as text: read, and played as either end against any server or client, up to
 * the first thing that is not as written.
 *
 * Contract
 *   Ownership  A dialogue is immutable once read. A result is the caller's and cleared by it.
 *   Threads    One dialogue may be played by several threads at once; a call belongs to one thread.
 *   Bounds     Every wait is bounded by a step's time, so that each call ends.
 *
 * The notation (files *.smtp; lines end in LF or CRLF, the last one may have no end, a BOM is passed over)
 *   C: EHLO client.example     a line of the client's; CRLF is added
 *   S: 250-server.example      a line of the server's
 *   C| octets                  octets of the client's, and nothing added; S| of the server's. One space or tab
 *                              after the mark belongs to the mark; what follows counts to the line's end
 *   # anything                 a comment; so is an empty line
 * Lines of one speaker that follow each other are one write, so that pipelining is written as the RFCs do.
 * Within a line
 *   \xNN \r \n \t \\ \. \$ \}  an octet. Octets beyond ASCII may also stand as they are
 *   ...                        of what is received: anything, to the line's end or up to what follows it.
 *                              Three dots where they are sent; \... where exactly they are to be received
 *   C: ...                     alone: any number of lines received, none too, up to the first one that the
 *                              next line matches (which must be the same speaker's); sends nothing
 *   ${NAME}                    received: anything, kept under that name; or, where it is known, exactly that.
 *                              Sent: what is known under that name
 *   ${NAME=VALUE}              the same; where it is sent and not known it is VALUE from here on
 *   A name is letters, digits, '_' and '-'. What one session learned, the later ones know. Known from outside:
 *   what is set (`--set NAME=VALUE`). Where these names are sent and nothing else is known of them they have
 *   a value of their own: ${host} and ${port} of the peer's address (as server: of its own), ${date} (RFC 5322,
 *   now), ${nonce} (16 hexadecimal digits, other ones each time it is played).
 *   In a line with '|' `...` and a name not known yet end where the octets behind them come first; at the line's
 *   end only before [C close], [C half-close] or [C reset] of the same speaker.
 * On lines of their own
 *   [session]                  another session begins: another connection. The first needs none
 *   [tls]                      a handshake, as the first thing of a session
 *   [starttls]                 a handshake
 *   [C close]                  the client closes the connection, the server sees it; [S close] the other way.
 *                              Received: the end of the octets, or a reset
 *   [C half-close]             says that it sends nothing more, and still listens; [S half-close]
 *   [C reset]                  resets the connection (RST); [S reset]. Received: a reset and nothing else
 *   [wait 50ms]                whoever is next waits that long after what was before; the other end sees that it
 *                              did, within the tolerance given to who plays, or within its own:
 *   [wait 1s +-200ms]          (ms, s)
 *   [within 500ms]             what is received next must be whole that long after what was before
 *   [compare codes]            in this whole file replies received are compared by their code and by whether
 *                              they go on ("250-"), not by their text
 * A session that ends without [.. close] is closed by who plays, after all its steps. That something came that is
 * in no step does not hold either. */
#ifndef SMTP_HARNESS_DIALOGUE_H
#define SMTP_HARNESS_DIALOGUE_H

#include "harness/lines.h"
#include "harness/transcript.h"

/** A dialogue that was read. */
struct smtp_dialogue;

/** Reads one from memory (borrowed until it returns). name: as errors show it, like "greeting.smtp"; copied.
 *  SMTP_OK, SMTP_NO_MEMORY, or SMTP_BAD_ARGUMENT with lines in *why: "name:line: what is wrong", the line, a
 *  caret, what would be right. */
enum smtp_status smtp_dialogue_parse(struct smtp_dialogue **out, const char *name,
                                     struct smtp_span text, struct smtp_harness_lines *why)
    SMTP_MUST_CHECK;
void smtp_dialogue_free(struct smtp_dialogue *dialogue);                  /* NULL: nothing */
size_t smtp_dialogue_session_count(const struct smtp_dialogue *dialogue); /* 1 or more */

struct smtp_dialogue_variable {
    const char *name;
    struct smtp_span value;
};

/** How it is played; {0} is the default everywhere. Borrowed for the call. */
struct smtp_dialogue_options {
    uint64_t step_timeout_ms; /* how long each step, a connection too, may take; 0: 10 s */
    uint64_t
        accept_timeout_ms; /* how long a server waits for each connection; 0: step_timeout_ms */
    uint64_t tolerance_ms; /* of [wait] without one of its own; 0: 50 ms */
    const struct smtp_dialogue_variable *variables; /* what is known from outside */
    size_t variable_count;
    bool implicit_tls; /* every session begins with [tls], whether it says so or not */
    /* As client. Neither CA: the system's. The certificate must be for verify_name; NULL: the host. */
    const char *ca_file, *ca_pem, *verify_name;
    bool insecure; /* takes any certificate */
    /** As server: what is shown; NULL: one made for the call. As client: shown on request; NULL: none. */
    const struct smtp_identity *identity;
};

enum smtp_dialogue_outcome {
    SMTP_DIALOGUE_HELD,     /* all came as written */
    SMTP_DIALOGUE_DIVERGED, /* the report says where and how */
    SMTP_DIALOGUE_CANNOT_RUN, /* no connection could be had, or something of it was not known: the report */
};

struct smtp_dialogue_result {
    enum smtp_dialogue_outcome outcome;
    unsigned line;  /* of the text, from 1, where it diverged; 0: nowhere */
    size_t session; /* from 0, which one was the last to be played */
    /** In lines, the first "name:line: what is wrong", then what was expected, what came, and the lines before
     *  it; "" where it held. NULL: out of memory. */
    char *report;
    /** What was said, for each session of the dialogue; NULL: not begun. */
    struct smtp_harness_transcript **transcripts;
    size_t transcript_count;
};

/** Plays the client: a connection to `address` ("host:port", "[::1]:25", "unix:PATH") for each session. */
enum smtp_dialogue_outcome smtp_dialogue_play_client(const struct smtp_dialogue *dialogue,
                                                     const char *address,
                                                     const struct smtp_dialogue_options *options,
                                                     struct smtp_dialogue_result *result);
/** Plays the server: for each session takes the next connection of `listener`, a listening, non-blocking socket
 *  that stays the caller's. shutdown(listener, SHUT_RD) from another thread ends its wait. */
enum smtp_dialogue_outcome smtp_dialogue_play_server(const struct smtp_dialogue *dialogue,
                                                     int listener,
                                                     const struct smtp_dialogue_options *options,
                                                     struct smtp_dialogue_result *result);
void smtp_dialogue_result_clear(struct smtp_dialogue_result *result);

#endif
