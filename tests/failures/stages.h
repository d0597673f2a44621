/* stages.h - what the scenarios of the drivers have in common: a server, its clients' options, letters that tell by
 * their number whether each arrived as often as its sender was told. */
#ifndef SMTP_TESTS_FAILURES_STAGES_H
#define SMTP_TESTS_FAILURES_STAGES_H

#include "tests/failures/each.h"

#define STAGE_WAIT_MS                                                                              \
    4000 /* nothing here takes as long: a wait that comes to its end is a failure */

/** Options as most want them; then what differs; then stage_start. */
void stage_defaults(struct stage *stage);
void stage_start(struct stage *stage);
/** In place of its own server: a socket of the scenario's that listens, whose address the stage has then. */
int stage_listen(struct stage *stage);
/** A folder of its own, removed by stage_end. */
void stage_make_folder(struct stage *stage);
/** The identity of the server that the options name, whose authority the clients trust: one for the process. */
void stage_secure(struct stage *stage);

/** Nobody sends who has not logged in, with stage_credentials. */
void stage_ask_login(struct stage *stage, const char *mechanisms);
extern const struct smtp_client_credentials stage_credentials;

/** Letter i (from 1) to "bob@example.com"; what it returns lives as long as the program. */
const char *stage_letter(size_t i);
const struct smtp_envelope *stage_envelope(void);
void stage_told(struct stage *stage, size_t i, enum smtp_status status);

/** A client that is connected. NULL: letter i's sender was told why not. */
struct smtp_client *stage_connect(struct stage *stage, size_t i);
/** Sends letter i, and tells. */
enum smtp_status stage_send(struct stage *stage, struct smtp_client *client, size_t i);
/** A scenario's run: two letters over a connection, or over a new one where the first was lost. */
void stage_send_two(struct stage *stage);

/** Whether what was told is true of what the mailbox holds, and, of a scenario in which nothing failed, all good. */
void stage_judge(struct stage *stage);
/** Whether letter i, which is there so many times, is as was told. */
void stage_judge_letter(struct stage *stage, size_t i, unsigned times);
/** The last letter over a client of its own, which must be there then. */
void stage_send_another(struct stage *stage);
/** All three, and frees what there is. */
void stage_finish(struct stage *stage);
void stage_end(struct stage *stage);

#endif
