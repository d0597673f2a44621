/* player.h - who plays a dialogue: what the steps of player.c and what tells of them (told.c) share. */
#ifndef SMTP_HARNESS_DIALOGUE_PLAYER_H
#define SMTP_HARNESS_DIALOGUE_PLAYER_H

#include "harness/dialogue/match.h"
#include "harness/dialogue/wire.h"

struct smtp_dialogue_player {
    const struct smtp_dialogue *dialogue;
    enum smtp_dialogue_speaker role;
    const struct smtp_dialogue_options *options;
    struct smtp_dialogue_result *result;
    uint64_t step_timeout_ms, accept_timeout_ms, tolerance_ms;

    const char *address; /* as client */
    int listener;        /* as server */
    struct ssl_ctx_st *context;
    struct smtp_identity *identity; /* made for the call; NULL: none was */
    char tls_name[256];             /* that the server's certificate must be for */
    char host[256], port[8];

    struct smtp_dialogue_names names;
    struct smtp_dialogue_wire wire;
    struct smtp_harness_transcript *transcript; /* of this session; the result's */
    struct smtp_harness_lines report;

    struct smtp_buffer to_say;               /* of steps side by side */
    const struct smtp_dialogue_step *saying; /* the first of them */
    const struct smtp_dialogue_step
        *not_taken; /* what the peer had gone before; NULL: all was taken */
    const struct smtp_dialogue_step *wait, *within; /* that the next step is about; NULL: none */
    uint64_t before_ns;                             /* when the step before was over */

    bool in_content;     /* between 354 and the dot */
    bool was_challenged; /* by 334 */
    uint64_t chunk_left; /* octets of BDAT still to come */
    bool last_was_clients;
};

/* ---- told.c ---- */

/** Keeps what was said of a step in the transcript. */
void smtp_dialogue_tell_said(struct smtp_dialogue_player *player,
                             const struct smtp_dialogue_step *step, struct smtp_span octets);
void smtp_dialogue_tell_note(struct smtp_dialogue_player *player, enum smtp_server_log_kind kind,
                             const char *text);

/** The report of what is not as written: the step, what is wrong in a phrase, and where `came` has octets, those,
 *  with a caret under octet `agreed` (SIZE_MAX: none). Returns false. */
bool smtp_dialogue_tell_divergence(struct smtp_dialogue_player *player,
                                   const struct smtp_dialogue_step *step, struct smtp_span came,
                                   size_t agreed, const char *format, ...) SMTP_PRINTF(5, 6);
/** The report of what cannot be run; step NULL: of none. Returns false. */
bool smtp_dialogue_tell_cannot(struct smtp_dialogue_player *player,
                               const struct smtp_dialogue_step *step, const char *format, ...)
    SMTP_PRINTF(3, 4);

/* ---- hear.c: the steps of the other end ---- */

/** The player's time for a step that begins now, [within] too. */
uint64_t smtp_dialogue_deadline(const struct smtp_dialogue_player *player);
bool smtp_dialogue_hear_step(struct smtp_dialogue_player *player,
                             const struct smtp_dialogue_step *step);
bool smtp_dialogue_hear_lines(struct smtp_dialogue_player *player,
                              const struct smtp_dialogue_step *step);
bool smtp_dialogue_hear_end(struct smtp_dialogue_player *player,
                            const struct smtp_dialogue_step *step);

/* ---- player.c: all steps ---- */

/** A handshake; it is told as of that step. False: the report says why. */
bool smtp_dialogue_secure(struct smtp_dialogue_player *player,
                          const struct smtp_dialogue_step *step);
/** All steps of a session, one at least, on the wire that is there; at the end it is closed. False: the report says
 *  why. */
bool smtp_dialogue_play_steps(struct smtp_dialogue_player *player,
                              const struct smtp_dialogue_step *first, size_t count);

#endif
