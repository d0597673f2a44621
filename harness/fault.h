/* fault.h - a plan of faults: the notation of smtp_harness.h taken apart, counted, and put into effect by a
 * hook table. The plan may be changed from any thread while a server runs; it has a lock of its own. */
#ifndef SMTP_HARNESS_FAULT_H
#define SMTP_HARNESS_FAULT_H

#include "harness/lines.h"
#include "server/smtp_server.h"

struct smtp_harness_faults;

/** An empty plan. seed 0: one is drawn. NULL: out of memory. */
struct smtp_harness_faults *smtp_harness_faults_new(uint64_t seed, bool magic_addresses);
/** Once no server has its table any more. NULL: nothing. */
void smtp_harness_faults_free(struct smtp_harness_faults *faults);

/** Adds one. SMTP_OK, SMTP_NO_MEMORY, or SMTP_BAD_ARGUMENT with lines in *why: what is wrong, the notation
 *  with a caret under the place, what would be right. */
enum smtp_status smtp_harness_faults_add(struct smtp_harness_faults *faults, const char *notation,
                                         struct smtp_harness_lines *why) SMTP_MUST_CHECK;
void smtp_harness_faults_clear(struct smtp_harness_faults *faults);

/** Certificates with a flaw are signed by this server's authority, so that whoever trusts it sees the flaw
 *  alone; before the server starts. Without it each is signed by an authority of its own. */
void smtp_harness_faults_use_server(struct smtp_harness_faults *faults, struct smtp_server *server);

/** The table that puts it into effect, to be asked before all others; the plan must outlive the server. */
struct smtp_server_hooks smtp_harness_faults_hooks(struct smtp_harness_faults *faults);

/** The plan as smtp_harness_faults of smtp_harness.h tells it; nothing where there is none. */
void smtp_harness_faults_tell(struct smtp_harness_faults *faults, struct smtp_harness_lines *lines);

#endif
