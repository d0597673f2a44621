/* scenarios_fault_actions.c - what each action of a fault does, in raw octets and to this project's client; how
 * often; magic addresses. The stages are in scenarios_faults.c. */
#include "common/clock.h"
#include "harness/selftest/scenarios.h"

#include <string.h>
#include <unistd.h>

static bool add(struct smtp_trial *trial, struct smtp_harness *harness, const char *fault)
{
    return harness != NULL &&
           (smtp_harness_fault(harness, fault) == SMTP_OK ||
            smtp_trial_fail(trial, "the fault: %s", smtp_harness_failure(harness)));
}

/** A harness with the fault, and raw octets to it, greeting heard. */
static struct smtp_raw *faulty_wire(struct smtp_trial *trial, const char *fault)
{
    struct smtp_harness_options options;
    smtp_trial_options(&options);
    options.stop_ms = 0; /* what hangs is cut */
    struct smtp_harness *harness = smtp_trial_harness(trial, &options);
    return add(trial, harness, fault) ? smtp_trial_wire(trial, harness) : NULL;
}

/** Exactly these octets are the next that come. */
static bool hears(struct smtp_trial *trial, struct smtp_raw *wire, const char *octets)
{
    struct smtp_span part;
    enum smtp_status status = smtp_raw_hear(wire, octets, &part);
    return smtp_trial_is_status(trial, octets, status, SMTP_OK, NULL) &&
           smtp_trial_is_octets(trial, "what came", part, smtp_span_of(octets));
}

static bool reply(struct smtp_trial *trial)
{
    struct smtp_raw *wire =
        faulty_wire(trial, "any NOOP: reply 452 4.3.1 \"Not now\\nnor soon\" once");
    return wire != NULL && smtp_raw_says(trial, wire, "NOOP\r\n") &&
           hears(trial, wire, "452-4.3.1 Not now\r\n452 4.3.1 nor soon\r\n") &&
           smtp_raw_asks(trial, wire, "NOOP", "250");
}

static bool octets(struct smtp_trial *trial)
{
    struct smtp_raw *wire =
        faulty_wire(trial, "ehlo: octets \"250-other.test\\r\\n250 \\xff\\x01\\r\\n\" once");
    return wire != NULL && smtp_raw_says(trial, wire, "EHLO client.test\r\n") &&
           hears(trial, wire, "250-other.test\r\n250 \xff\x01\r\n") &&
           smtp_raw_asks(trial, wire, "MAIL FROM:<" ANN ">", "250"); /* it was done */
}

#define DELAY_MS 60

static bool delay(struct smtp_trial *trial)
{
    struct smtp_raw *wire = faulty_wire(trial, "any NOOP: delay 60 once");
    uint64_t begin_ns = smtp_clock_now_ns();
    return wire != NULL && smtp_raw_asks(trial, wire, "NOOP", "250") &&
           smtp_trial_is_true(trial, "it came later",
                              smtp_clock_now_ns() - begin_ns >= DELAY_MS * SMTP_NS_PER_MS) &&
           smtp_raw_asks(trial, wire, "NOOP", "250");
}

/** The reply to a dot comes when the client has given up; its next session hears its own replies. */
static bool late(struct smtp_trial *trial)
{
    struct smtp_harness_options options;
    const struct smtp_send_result *result = NULL;
    const struct smtp_envelope envelope = {
        .reverse_path = ANN, .forward_paths = (const char *[]){BOB}, .forward_path_count = 1};
    smtp_trial_options(&options);
    options.client.timeouts.final_ms = 30;
    options.stop_ms = 0;
    struct smtp_harness *harness = smtp_trial_harness(trial, &options);
    if (!add(trial, harness, "dot: reply 554 delay 1000 once")) {
        return false;
    }
    struct smtp_client *client = smtp_harness_client(harness);
    (void)!smtp_client_send(client, &envelope, smtp_content_text("x\n"), &result);
    return smtp_trial_is_true(trial, "it is after the dot", result->stage == SMTP_STAGE_DOT) &&
           smtp_trial_is_number(trial, "the code", (uint64_t)result->final_reply.code, 0) &&
           smtp_trial_is_true(trial, "the session is over", !smtp_client_is_connected(client)) &&
           smtp_trial_send(trial, smtp_harness_client(harness), BOB, smtp_content_text("y\n"),
                           SMTP_OK, 250);
}

static bool twice(struct smtp_trial *trial)
{
    struct smtp_raw *wire = faulty_wire(trial, "any NOOP: twice once");
    return wire != NULL && smtp_raw_asks(trial, wire, "NOOP", "250") &&
           smtp_raw_answers(trial, wire, "250") && smtp_raw_asks(trial, wire, "HELP", "214");
}

static bool drip(struct smtp_trial *trial)
{
    struct smtp_raw *wire = faulty_wire(trial, "any NOOP: reply 250 2.0.0 \"Hi\" drip 500/s once");
    uint64_t begin_ns = smtp_clock_now_ns();
    return wire != NULL && smtp_raw_says(trial, wire, "NOOP\r\n") &&
           hears(trial, wire, "250 2.0.0 Hi\r\n") && /* 14 octets, 2 ms each */
           smtp_trial_is_true(trial, "octet by octet",
                              smtp_clock_now_ns() - begin_ns >= UINT64_C(26) * SMTP_NS_PER_MS) &&
           smtp_raw_asks(trial, wire, "NOOP", "250");
}

static bool split(struct smtp_trial *trial)
{
    struct smtp_raw *wire =
        faulty_wire(trial, "any NOOP: reply 250 2.0.0 \"In pieces\" split 3 once");
    return wire != NULL && smtp_raw_says(trial, wire, "NOOP\r\n") &&
           hears(trial, wire, "250 2.0.0 In pieces\r\n") &&
           smtp_raw_asks(trial, wire, "NOOP", "250");
}

static bool garble(struct smtp_trial *trial)
{
    struct smtp_raw *wire = faulty_wire(trial, "any NOOP: reply 250 2.0.0 \"A\" garble once");
    return wire != NULL && smtp_raw_says(trial, wire, "NOOP\r\n") &&
           hears(trial, wire, "\xb2\xb5\xb0\xa0\xb2\xae\xb0\xae\xb0\xa0\xc1\r\n") &&
           smtp_raw_asks(trial, wire, "NOOP", "250");
}

static bool cut(struct smtp_trial *trial)
{
    struct smtp_raw *wire = faulty_wire(trial, "any NOOP: reply 250 2.0.0 \"A\" cut 5 once");
    return wire != NULL && smtp_raw_says(trial, wire, "NOOP\r\n") && hears(trial, wire, "250 2") &&
           smtp_raw_closes(trial, wire);
}

static bool close_after(struct smtp_trial *trial)
{
    struct smtp_raw *wire = faulty_wire(trial, "any NOOP: reply 250 close once");
    return wire != NULL && smtp_raw_asks(trial, wire, "NOOP", "250") &&
           smtp_raw_closes(trial, wire);
}

static bool close_silently(struct smtp_trial *trial)
{
    struct smtp_raw *wire = faulty_wire(trial, "any NOOP: close once");
    return wire != NULL && smtp_raw_says(trial, wire, "NOOP\r\n") && smtp_raw_closes(trial, wire);
}

/** The server says no more, and still takes what comes. */
static bool half_close(struct smtp_trial *trial)
{
    struct smtp_raw *wire = faulty_wire(trial, "any NOOP: half-close once");
    return wire != NULL && smtp_raw_says(trial, wire, "NOOP\r\n") && smtp_raw_closes(trial, wire) &&
           smtp_raw_says(trial, wire, "NOOP\r\n") && smtp_raw_says(trial, wire, "NOOP\r\n");
}

static bool reset(struct smtp_trial *trial)
{
    struct smtp_raw *wire = faulty_wire(trial, "any NOOP: reset once");
    char octet;
    return wire != NULL && smtp_raw_says(trial, wire, "NOOP\r\n") &&
           smtp_trial_is_true(trial, "a reset, not an end", read(wire->fd, &octet, 1) == -1);
}

/** Silence after the dot: the client gives up, and knows nothing of the delivery. */
static bool falls_silent(struct smtp_trial *trial, const char *fault)
{
    struct smtp_harness_options options;
    const struct smtp_send_result *result = NULL;
    const struct smtp_envelope envelope = {
        .reverse_path = ANN, .forward_paths = (const char *[]){BOB}, .forward_path_count = 1};
    smtp_trial_options(&options);
    options.client.timeouts.final_ms = 30;
    options.stop_ms = 0;
    struct smtp_harness *harness = smtp_trial_harness(trial, &options);
    if (!add(trial, harness, fault)) {
        return false;
    }
    struct smtp_client *client = smtp_harness_client(harness);
    enum smtp_status status =
        smtp_client_send(client, &envelope, smtp_content_text("x\n"), &result);
    return smtp_trial_is_status(trial, "smtp_client_send", status, SMTP_DELIVERY_UNKNOWN, client) &&
           smtp_trial_is_true(trial, "it is after the dot", result->stage == SMTP_STAGE_DOT) &&
           smtp_trial_send(trial, smtp_harness_client(harness), BOB, smtp_content_text("y\n"),
                           SMTP_OK, 250) &&
           smtp_trial_count(trial, harness, 1);
}

static bool hang(struct smtp_trial *trial)
{
    return falls_silent(trial, "dot: hang once");
}

static bool deaf(struct smtp_trial *trial)
{
    return falls_silent(trial, "dot: deaf once");
}

static bool certificate(struct smtp_trial *trial)
{
    struct smtp_harness_options options;
    smtp_trial_tls_options(&options);
    struct smtp_harness *harness = smtp_trial_harness(trial, &options);
    return add(trial, harness, "tls: certificate expired once") &&
           smtp_trial_is_true(trial, "no client connects", smtp_harness_connect(harness) == NULL) &&
           smtp_trial_holds(trial, "why", smtp_harness_failure(harness), "expired") &&
           smtp_trial_send(trial, smtp_harness_client(harness), BOB, smtp_content_text("y\n"),
                           SMTP_OK, 250);
}

/** A handshake that stops half-way. */
static bool stalled_handshake(struct smtp_trial *trial)
{
    struct smtp_harness_options options;
    smtp_trial_tls_options(&options);
    options.client.timeouts.handshake_ms = 100;
    options.stop_ms = 0;
    struct smtp_harness *harness = smtp_trial_harness(trial, &options);
    return add(trial, harness, "tls: cut 200 hang once") &&
           smtp_trial_is_true(trial, "no client connects", smtp_harness_connect(harness) == NULL) &&
           smtp_trial_holds(trial, "the plan", smtp_harness_faults(harness), "(due 1 of 1 ");
}

/* ---- how often ---- */

static bool fails_twice(struct smtp_trial *trial)
{
    struct smtp_ends ends;
    return smtp_trial_open(trial, NULL, &ends) &&
           add(trial, ends.harness, "rcpt bob@*: reply 450 4.7.1 times 2") &&
           smtp_trial_send(trial, ends.client, BOB, smtp_content_text("x\n"),
                           SMTP_REFUSED_TRANSIENT, 450) &&
           smtp_trial_send(trial, ends.client, BOB, smtp_content_text("x\n"),
                           SMTP_REFUSED_TRANSIENT, 450) &&
           smtp_trial_send(trial, ends.client, BOB, smtp_content_text("x\n"), SMTP_OK, 250) &&
           smtp_trial_count(trial, ends.harness, 1);
}

static bool rate(struct smtp_trial *trial)
{
    struct smtp_raw *wire = faulty_wire(trial, "any NOOP: reply 421 4.7.0 over 2/min");
    return wire != NULL && smtp_raw_asks(trial, wire, "NOOP", "250") &&
           smtp_raw_asks(trial, wire, "NOOP", "250") &&
           smtp_raw_asks(trial, wire, "NOOP", "421 4.7.0") && smtp_raw_closes(trial, wire);
}

static bool per_recipient(struct smtp_trial *trial)
{
    static const char *const listen[] = {"lmtp://127.0.0.1:0"};
    struct smtp_harness_options options;
    smtp_trial_options(&options);
    options.server.listen = listen;
    options.server.listen_count = 1;
    struct smtp_harness *harness = smtp_trial_harness(trial, &options);
    struct smtp_raw *wire = add(trial, harness, "dot carol@*: reply 452 4.2.2 once")
                                ? smtp_trial_wire(trial, harness)
                                : NULL;
    return wire != NULL && smtp_raw_asks(trial, wire, "LHLO client.test", "250") &&
           smtp_raw_asks(trial, wire, "MAIL FROM:<" ANN ">", "250") &&
           smtp_raw_asks(trial, wire, "RCPT TO:<" BOB ">", "250") &&
           smtp_raw_asks(trial, wire, "RCPT TO:<" CAROL ">", "250") &&
           smtp_raw_asks(trial, wire, "DATA", "354") &&
           smtp_raw_asks(trial, wire, "x\r\n.", "250") &&
           smtp_raw_answers(trial, wire, "452 4.2.2") && smtp_trial_count(trial, harness, 1);
}

static bool magic(struct smtp_trial *trial)
{
    struct smtp_ends ends;
    struct smtp_harness_options options;
    smtp_trial_options(&options);
    options.magic_addresses = true;
    return smtp_trial_open(trial, &options, &ends) &&
           smtp_trial_send(trial, ends.client, "bob+450-4.7.1@example.com",
                           smtp_content_text("x\n"), SMTP_REFUSED_TRANSIENT, 450) &&
           smtp_trial_send(trial, ends.client, BOB, smtp_content_text("x\n"), SMTP_OK, 250) &&
           smtp_trial_count(trial, ends.harness, 1);
}

static const struct smtp_scenario rows[] = {
    {"fault-reply", "5321 4.2.1", "a reply of several lines in place of a step", reply},
    {"fault-octets", "5321 4.1.1.1", "a whole EHLO answer replaced", octets},
    {"fault-delay", "5321 4.5.3.2", "a reply that comes later", delay},
    {"fault-late", "5321 4.5.3.2.6", "a reply after the client's deadline", late},
    {"fault-twice", "5321 4.2", "two replies for one command", twice},
    {"fault-drip", "5321 4.5.3.2", "a reply octet by octet", drip},
    {"fault-split", "5321 4.2", "a reply in segments", split},
    {"fault-garble", "5321 2.4", "a reply with its high bits set", garble},
    {"fault-cut", "5321 4.2", "a reply cut short", cut},
    {"fault-reply-close", "5321 3.8", "closed behind a reply", close_after},
    {"fault-close", "5321 3.8", "closed in place of a reply", close_silently},
    {"fault-half-close", "5321 3.8", "nothing more is said, what comes is read", half_close},
    {"fault-reset", "5321 3.8", "a reset of the connection", reset},
    {"fault-hang", "5321 4.5.3.2.6", "silence after the dot", hang},
    {"fault-deaf", "5321 4.5.3.2.6", "silence, and nothing is read", deaf},
    {"fault-certificate", "3207 4.1", "an expired certificate, once", certificate},
    {"fault-handshake", "3207 4.1", "a handshake that stops half-way", stalled_handshake},
    {"fault-times", "5321 4.5.4.1", "fails twice, and then accepts", fails_twice},
    {"fault-rate", "5321 3.8", "421 beyond a rate", rate},
    {"fault-recipient", "2033 4.2", "one recipient refused after the dot", per_recipient},
    {"fault-magic", "", "an address that spells its reply", magic},
};
const struct smtp_scenario_table smtp_scenarios_fault_actions = {rows, sizeof rows / sizeof *rows};
