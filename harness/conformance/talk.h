/* talk.h - one connection of a scenario in raw octets, as either end: what is written goes out as it is, what
 * comes is taken line by line or reply by reply. Everything is kept for the dialogue that a failure shows.
 * All of it follows check.h: after a verdict nothing is done, and every wait ends. */
#ifndef SMTP_HARNESS_CONFORMANCE_TALK_H
#define SMTP_HARNESS_CONFORMANCE_TALK_H

#include "common/tls.h"
#include "harness/conformance/check.h"
#include "harness/dialogue/wire.h"

/** A reply, whole. Its octets live until the talk's next read. */
struct smtp_talk_reply {
    int code; /* 0: none came */
    size_t line_count;
    struct smtp_span octets; /* with every CRLF */
};

struct smtp_talk {
    struct smtp_check *check;
    struct smtp_talk *before; /* the check's last one before it */
    bool is_client;           /* we are */
    bool
        is_content; /* what the client writes: after 354, until the next reply or whoever knows better says so */
    struct smtp_dialogue_wire wire;
    struct smtp_talk_reply reply; /* the last that came */
    struct smtp_buffer taken;     /* the last line or reply */
    struct smtp_buffer said;      /* what we wrote last, for details; its first 512 octets */
    struct smtp_harness_transcript *transcript;
    struct smtp_buffer keywords; /* of the last EHLO reply: its lines behind the first */
};

/* ---- making one; each is the check's and lives until its end ---- */

/** On a connected socket, taken over. Never NULL: where none can be had the check is decided, and the talk is
 *  check->nowhere, on which nothing is done. */
struct smtp_talk *smtp_talk_new(struct smtp_check *check, int fd, bool is_client);
/** A handshake, as client with the suite's trust; a failure fails the check. */
void smtp_talk_begin_tls(struct smtp_talk *talk);
/** The same, and a failure decides nothing: whether it succeeded. max_version: TLS1_2_VERSION and the like, 0: any. */
bool smtp_talk_try_tls(struct smtp_talk *talk, int min_version, int max_version);
/** As server, with that identity; whether it succeeded. */
bool smtp_talk_accept_tls(struct smtp_talk *talk, const struct smtp_identity *identity);

/* ---- writing ---- */

/** Octets as they are. A peer that takes no more decides nothing: the next read tells. */
void smtp_talk_put(struct smtp_talk *talk, struct smtp_span octets);
/** A string literal with any octets in it, NUL too. */
#define smtp_talk_put_literal(talk, literal) smtp_talk_put((talk), SMTP_SPAN(literal))
/** The text as it is, nothing added. */
void smtp_talk_write(struct smtp_talk *talk, const char *format, ...) SMTP_PRINTF(2, 3);
/** A line: CRLF is added. */
void smtp_talk_line(struct smtp_talk *talk, const char *format, ...) SMTP_PRINTF(2, 3);
/** A line of two parts, the second of which is shown as "***", in the dialogue as in every detail. */
void smtp_talk_secret_line(struct smtp_talk *talk, const char *before, const char *secret);
/** Says that nothing more comes, and still listens. */
void smtp_talk_half_close(struct smtp_talk *talk);
void smtp_talk_close(struct smtp_talk *talk);
void smtp_talk_reset(struct smtp_talk *talk);

/* ---- reading ----
 * `codes` are what is acceptable, parted by spaces: "250", "2yz", "503 554", "4yz 5yz". What stands behind "~" is
 * no breach but a warning: "501 ~5yz". */

/** Reads a whole reply, which must be well formed; returns its code. None, or another code, fails the check. */
int smtp_talk_expect(struct smtp_talk *talk, const char *codes);
/** The same for whatever code; the end of the connection fails the check. */
int smtp_talk_read(struct smtp_talk *talk);
/** A line and the reply to it. */
int smtp_talk_ask(struct smtp_talk *talk, const char *codes, const char *format, ...)
    SMTP_PRINTF(3, 4);
/** The two for a step that is not what the rule is about: a reply that breaks no rule skips. A server may be too busy, or
 *  greylist (4yz), and may want a login or TLS first (530: RFC 4954 6, RFC 3207 4). */
int smtp_talk_expect_step(struct smtp_talk *talk, const char *codes);
int smtp_talk_step(struct smtp_talk *talk, const char *codes, const char *format, ...)
    SMTP_PRINTF(3, 4);
/** A line and the reply, whatever its code. */
int smtp_talk_try(struct smtp_talk *talk, const char *format, ...) SMTP_PRINTF(2, 3);
/** A reply, or 0 where the connection ended or nothing came within the time: decides nothing. ANY_TIME: as long as
 *  the check lasts. */
#define SMTP_TALK_ANY_TIME ((uint64_t)1 << 32)
int smtp_talk_read_if(struct smtp_talk *talk, uint64_t within_ms);
/** Whether the last reply's code is among these. */
bool smtp_talk_is(const struct smtp_talk *talk, const char *codes);
/** Line i (0-based) of the last reply without code, separator and CRLF. */
struct smtp_span smtp_talk_text(const struct smtp_talk *talk, size_t i);
/** The length of the enhanced code (RFC 2034 4) that such a text begins with; 0: it has none. */
size_t smtp_talk_enhanced_len(struct smtp_span text);

/** Waits until octets are there, or the end; false: neither came within that time. Decides nothing. */
bool smtp_talk_waits_for(struct smtp_talk *talk, uint64_t within_ms);
/** All octets that have come and were not taken. Lives until the next read. */
struct smtp_span smtp_talk_untaken(const struct smtp_talk *talk);
void smtp_talk_take(struct smtp_talk *talk, size_t len);
/** Nothing comes for quiet_ms, the end neither: else the check fails. why: as a detail begins, "a reply to half a line". */
void smtp_talk_stays_silent(struct smtp_talk *talk, const char *why);
/** The peer closes the connection and sends nothing more. */
void smtp_talk_ends(struct smtp_talk *talk);
/** Whether the connection is at its end, nothing untaken. */
bool smtp_talk_is_over(const struct smtp_talk *talk);

/* ---- for this folder ---- */

/** Makes check->nowhere; false: out of memory. */
bool smtp_talk_make_nowhere(struct smtp_check *check);
/** Closes every connection of the check; what was said stays. */
void smtp_talk_hang_up(struct smtp_check *check);
void smtp_talk_log(struct smtp_talk *talk, enum smtp_server_log_kind kind, struct smtp_span text);

#endif
