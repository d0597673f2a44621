/* trial.h - one run of one scenario: makes the ends it needs, keeps the first thing that did not
 * hold, and takes everything down afterwards. Each check says what was expected and what came, and
 * returns whether it held, so that a scenario is a chain of `&&`. Knows no scenario. */
#ifndef SMTP_HARNESS_SELFTEST_TRIAL_H
#define SMTP_HARNESS_SELFTEST_TRIAL_H

#include "harness/report/report.h"
#include "harness/selftest/peer.h"
#include "harness/selftest/raw.h"
#include "harness/smtp_harness.h"

/* No wait of a scenario is longer: a lost one fails, never hangs. */
#define SMTP_TRIAL_LIMIT_MS 10000

struct smtp_trial;

struct smtp_scenario {
    const char *name;
    const char *rfc;   /* what it is held against, like "5321 4.5.2"; "": no RFC says it */
    const char *about; /* a few words for --list */
    bool (*run)(struct smtp_trial *trial);
};

/** A server and a client connected to it. */
struct smtp_ends {
    struct smtp_harness *harness;
    struct smtp_client *client;
};

/* ---- the ends; each is the trial's and lives until its end; NULL or false: a failure is noted
 * ---- */

/** The harness's defaults with every wait bounded by SMTP_TRIAL_LIMIT_MS. */
void smtp_trial_options(struct smtp_harness_options *options);
/** The same, and the server listens with TLS from the first octet. */
void smtp_trial_tls_options(struct smtp_harness_options *options);
/** options NULL: smtp_trial_options. */
struct smtp_harness *smtp_trial_harness(struct smtp_trial *trial,
                                        const struct smtp_harness_options *options);
bool smtp_trial_open(struct smtp_trial *trial, const struct smtp_harness_options *options,
                     struct smtp_ends *ends);
struct smtp_peer *smtp_trial_peer(struct smtp_trial *trial, const struct smtp_peer_step *steps,
                                  size_t step_count);
/** A client that is not connected, its dialogue kept. options NULL: the bounded defaults. */
struct smtp_client *smtp_trial_client(struct smtp_trial *trial,
                                      const struct smtp_client_options *options);
/** Raw octets to the harness's server, greeting heard. */
struct smtp_raw *smtp_trial_wire(struct smtp_trial *trial, struct smtp_harness *harness);
/** The same with nothing heard yet. */
struct smtp_raw *smtp_trial_raw_wire(struct smtp_trial *trial, struct smtp_harness *harness);
/** Memory that is freed at the end. */
char *smtp_trial_alloc(struct smtp_trial *trial, size_t size);
/** Keeps any thing (NULL: nothing) until the end, and returns it; NULL when there is no room, and
 *  it is released. */
void *smtp_trial_own(struct smtp_trial *trial, void *thing, void (*release)(void *thing));

/* ---- checks ---- */

/** Notes the failure (the first one counts) and returns false. */
bool smtp_trial_fail(struct smtp_trial *trial, const char *format, ...) SMTP_PRINTF(2, 3);
/** The system lacks what the scenario needs. Returns true: nothing failed. */
bool smtp_trial_skip(struct smtp_trial *trial, const char *format, ...) SMTP_PRINTF(2, 3);

bool smtp_trial_is_true(struct smtp_trial *trial, const char *what, bool held);
bool smtp_trial_is_number(struct smtp_trial *trial, const char *what, uint64_t came,
                          uint64_t expected);
bool smtp_trial_is_text(struct smtp_trial *trial, const char *what, const char *came,
                        const char *expected);
bool smtp_trial_holds(struct smtp_trial *trial, const char *what, const char *came,
                      const char *expected_part);
/** Octet for octet; says where they part. */
bool smtp_trial_is_octets(struct smtp_trial *trial, const char *what, struct smtp_span came,
                          struct smtp_span expected);
/** what: the call. client: whose error to tell, or NULL. */
bool smtp_trial_is_status(struct smtp_trial *trial, const char *what, enum smtp_status came,
                          enum smtp_status expected, const struct smtp_client *client);
/** The same for SMTP_OK. */
bool smtp_trial_is_ok(struct smtp_trial *trial, const char *what, enum smtp_status came,
                      const struct smtp_client *client);

/* ---- checks of a dialogue in raw octets ---- */

bool smtp_raw_says(struct smtp_trial *trial, struct smtp_raw *wire, const char *text);
/** The next reply begins with `code`, like "250" or "5". */
bool smtp_raw_answers(struct smtp_trial *trial, struct smtp_raw *wire, const char *code);
/** Both: a line without its CRLF, and the reply to it. */
bool smtp_raw_asks(struct smtp_trial *trial, struct smtp_raw *wire, const char *line,
                   const char *code);
bool smtp_raw_closes(struct smtp_trial *trial, struct smtp_raw *wire);
/** The peer's script is done, and this is all it heard. */
bool smtp_peer_heard(struct smtp_trial *trial, struct smtp_peer *peer, struct smtp_span expected);

/* ---- sending and looking at what was captured ---- */

/** One message to one recipient; expects the status, and of a refusal its code (0: none). */
bool smtp_trial_send(struct smtp_trial *trial, struct smtp_client *client, const char *forward_path,
                     struct smtp_content content, enum smtp_status expected, int code);
/** One message to bob@example.com: captured octet for octet, and the expectation holds of it. */
bool smtp_trial_arrives(struct smtp_trial *trial, const struct smtp_ends *ends,
                        const char *expectation);
/** smtp_harness_expect. */
bool smtp_trial_expect(struct smtp_trial *trial, struct smtp_harness *harness,
                       const char *expectation);
/** The mailbox comes to hold `count` messages, and holds no more. */
bool smtp_trial_count(struct smtp_trial *trial, struct smtp_harness *harness, size_t count);
/** Message i (0-based) has this envelope (forward-paths parted by ' ') and exactly these octets. */
bool smtp_trial_captured(struct smtp_trial *trial, struct smtp_harness *harness, size_t i,
                         const char *reverse_path, const char *forward_paths,
                         struct smtp_span content);

/** What the clients of smtp_trial_client have said and heard so far, in lines. */
const char *smtp_trial_said(struct smtp_trial *trial);
/** How often the text has the part. */
size_t smtp_times(const char *text, const char *part);

/* ---- for the runner ---- */

struct smtp_trial *smtp_trial_new(void);
/** Runs it: true when it held. */
bool smtp_trial_run(struct smtp_trial *trial, const struct smtp_scenario *scenario);
bool smtp_trial_was_skipped(const struct smtp_trial *trial);
const char *smtp_trial_detail(const struct smtp_trial *trial);
/** What all ends said; call once. They live until smtp_trial_free. */
const struct smtp_report_dialogue *smtp_trial_dialogues(struct smtp_trial *trial, size_t *count);
void smtp_trial_free(struct smtp_trial *trial);

#endif
