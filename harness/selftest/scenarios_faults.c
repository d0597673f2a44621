/* scenarios_faults.c - a fault at each stage of a session: the client hears it where it was put, and what comes
 * after it goes well. What each action does is in scenarios_fault_actions.c. */
#include "harness/selftest/scenarios.h"

#include <string.h>

static const char text[] = "Subject: Hi\n\nHello\n";

/** What the client is to hear of the fault. */
struct heard {
    enum smtp_status status;
    enum smtp_client_stage stage;
    int code; /* 0: none */
};

static bool open_faulty(struct smtp_trial *trial, const struct smtp_harness_options *options,
                        const char *fault, struct smtp_harness **harness)
{
    *harness = smtp_trial_harness(trial, options);
    return *harness != NULL &&
           (smtp_harness_fault(*harness, fault) == SMTP_OK ||
            smtp_trial_fail(trial, "the fault: %s", smtp_harness_failure(*harness)));
}

static enum smtp_status send_text(struct smtp_client *client,
                                  const struct smtp_send_result **result)
{
    const struct smtp_envelope envelope = {
        .reverse_path = ANN, .forward_paths = (const char *[]){BOB}, .forward_path_count = 1};
    return smtp_client_send(client, &envelope, smtp_content_text(text), result);
}

/** A client of the harness's options connects: its status, and the code it heard. */
static bool connects(struct smtp_trial *trial, struct smtp_harness *harness,
                     const struct smtp_client_options *options, enum smtp_status expected, int code,
                     struct smtp_client **out)
{
    struct smtp_client *client = smtp_trial_client(trial, options);
    *out = client;
    return client != NULL &&
           smtp_trial_is_status(trial, "smtp_client_connect",
                                smtp_client_connect(client, smtp_harness_url(harness), 0), expected,
                                client) &&
           (code == 0 ||
            smtp_trial_is_number(trial, "the code of the greeting",
                                 (uint64_t)smtp_client_reply(client)->code, (uint64_t)code));
}

/** After the fault: another client's message arrives, the only one. */
static bool then_arrives(struct smtp_trial *trial, struct smtp_harness *harness,
                         const struct smtp_client_options *options, size_t count)
{
    struct smtp_client *client;
    return connects(trial, harness, options, SMTP_OK, 0, &client) &&
           smtp_trial_is_ok(trial, "the next message", send_text(client, NULL), client) &&
           smtp_trial_count(trial, harness, count);
}

/** A message meets the fault, and the next arrives. */
static bool message_meets(struct smtp_trial *trial, const char *fault, struct heard heard)
{
    struct smtp_harness *harness;
    struct smtp_client *client;
    const struct smtp_send_result *result = NULL;
    if (!open_faulty(trial, NULL, fault, &harness) ||
        !connects(trial, harness, NULL, SMTP_OK, 0, &client)) {
        return false;
    }
    enum smtp_status status = send_text(client, &result);
    return smtp_trial_is_status(trial, "smtp_client_send", status, heard.status, client) &&
           smtp_trial_is_text(trial, "the stage", smtp_client_stage_name(result->stage),
                              smtp_client_stage_name(heard.stage)) &&
           smtp_trial_is_number(trial, "the code", (uint64_t)result->final_reply.code,
                                (uint64_t)heard.code) &&
           smtp_trial_holds(trial, "the plan", smtp_harness_faults(harness), "(due 1 of ") &&
           then_arrives(trial, harness, NULL, 1);
}

/* ---- before a command ---- */

static bool greeting_meets(struct smtp_trial *trial, const char *fault, enum smtp_status status,
                           int code)
{
    struct smtp_harness *harness;
    struct smtp_client *client;
    return open_faulty(trial, NULL, fault, &harness) &&
           connects(trial, harness, NULL, status, code, &client) &&
           then_arrives(trial, harness, NULL, 1);
}

static bool at_connect(struct smtp_trial *trial)
{
    return greeting_meets(trial, "connect: reply 421 4.3.2 once", SMTP_REFUSED_TRANSIENT, 421);
}

static bool at_greeting(struct smtp_trial *trial)
{
    return greeting_meets(trial, "greeting: reply 554 5.3.2 once", SMTP_REFUSED_PERMANENT, 554);
}

static bool at_ehlo(struct smtp_trial *trial)
{
    struct smtp_harness *harness;
    struct smtp_client *client;
    return open_faulty(trial, NULL, "ehlo: reply 502 5.5.1 once", &harness) &&
           connects(trial, harness, NULL, SMTP_OK, 0, &client) &&
           smtp_trial_is_ok(trial, "smtp_client_send", send_text(client, NULL), client) &&
           smtp_trial_expect(trial, harness, "protocol=SMTP count=1");
}

/** A client that wants TLS. */
static struct smtp_client_options secure_options(struct smtp_harness *harness)
{
    struct smtp_client_options options;
    smtp_client_options_init(&options);
    options.tls.policy = SMTP_CLIENT_TLS_REQUIRED;
    options.tls.ca_pem = smtp_harness_ca_pem(harness);
    return options;
}

static bool tls_meets(struct smtp_trial *trial, const char *fault, enum smtp_status expected)
{
    struct smtp_harness *harness;
    struct smtp_client *client;
    if (!open_faulty(trial, NULL, fault, &harness)) {
        return false;
    }
    struct smtp_client_options options = secure_options(harness);
    return connects(trial, harness, &options, SMTP_OK, 0, &client) &&
           smtp_trial_is_status(trial, "smtp_client_starttls", smtp_client_starttls(client),
                                expected, client) &&
           then_arrives(trial, harness, &options, 1) &&
           smtp_trial_expect(trial, harness, "tls~^TLS count=1");
}

static bool at_starttls(struct smtp_trial *trial)
{
    return tls_meets(trial, "starttls: reply 454 4.7.0 once", SMTP_REFUSED_TRANSIENT);
}

static bool at_tls(struct smtp_trial *trial)
{
    return tls_meets(trial, "tls: cut 100 once", SMTP_TLS_FAILED);
}

static bool at_auth(struct smtp_trial *trial)
{
    static const struct smtp_server_user users[] = {{"ann", "secret"}};
    struct smtp_harness_options options;
    struct smtp_harness *harness;
    struct smtp_client *client;
    smtp_trial_options(&options);
    options.server.auth.users = users;
    options.server.auth.user_count = 1;
    return open_faulty(trial, &options, "auth SCRAM-*: reply 454 4.7.0 once", &harness) &&
           connects(trial, harness, NULL, SMTP_OK, 0, &client) &&
           smtp_trial_is_status(trial, "the first login",
                                smtp_client_login(client, "ann", "secret"), SMTP_REFUSED_TRANSIENT,
                                client) &&
           smtp_trial_is_ok(trial, "the second login", smtp_client_login(client, "ann", "secret"),
                            client);
}

/* ---- the transaction ---- */

static bool at_mail(struct smtp_trial *trial)
{
    return message_meets(trial, "mail " ANN ": reply 451 4.3.0 once",
                         (struct heard){SMTP_REFUSED_TRANSIENT, SMTP_STAGE_MAIL, 451});
}

static bool at_rcpt(struct smtp_trial *trial)
{
    return message_meets(trial, "rcpt bob@*: reply 550 5.1.1 once",
                         (struct heard){SMTP_REFUSED_PERMANENT, SMTP_STAGE_RCPT, 550});
}

/** With a client that keeps to DATA. */
static bool at_data(struct smtp_trial *trial)
{
    struct smtp_harness_options options;
    struct smtp_harness *harness;
    struct smtp_client *client;
    const struct smtp_send_result *result = NULL;
    smtp_trial_options(&options);
    options.server.keywords.chunking = false;
    options.server.keywords.binary_mime = false;
    if (!open_faulty(trial, &options, "data bob@*: reply 451 4.3.0 once", &harness) ||
        !connects(trial, harness, NULL, SMTP_OK, 0, &client)) {
        return false;
    }
    enum smtp_status status = send_text(client, &result);
    return smtp_trial_is_status(trial, "smtp_client_send", status, SMTP_REFUSED_TRANSIENT,
                                client) &&
           smtp_trial_is_text(trial, "the stage", smtp_client_stage_name(result->stage), "DATA") &&
           then_arrives(trial, harness, NULL, 1);
}

static bool at_bdat(struct smtp_trial *trial)
{
    return message_meets(trial, "bdat bob@*: reply 452 4.3.1 once",
                         (struct heard){SMTP_REFUSED_TRANSIENT, SMTP_STAGE_DOT, 452});
}

static bool at_dot(struct smtp_trial *trial)
{
    return message_meets(trial, "dot bob@*: reply 554 5.6.0 once",
                         (struct heard){SMTP_REFUSED_PERMANENT, SMTP_STAGE_DOT, 554});
}

/** Raw: up to the content. */
static bool begins_content(struct smtp_trial *trial, struct smtp_raw *wire)
{
    return wire != NULL && smtp_raw_asks(trial, wire, "EHLO client.test", "250") &&
           smtp_raw_asks(trial, wire, "MAIL FROM:<" ANN ">", "250") &&
           smtp_raw_asks(trial, wire, "RCPT TO:<" BOB ">", "250") &&
           smtp_raw_asks(trial, wire, "DATA", "354");
}

static bool at_content(struct smtp_trial *trial)
{
    struct smtp_harness *harness;
    if (!open_faulty(trial, NULL, "content 5: close once", &harness)) {
        return false;
    }
    struct smtp_raw *wire = smtp_trial_wire(trial, harness);
    return begins_content(trial, wire) && smtp_raw_says(trial, wire, "four") &&
           smtp_raw_says(trial, wire, "and more\r\n") && smtp_raw_closes(trial, wire) &&
           then_arrives(trial, harness, NULL, 1);
}

/* ---- the rest ---- */

/** Raw: one line meets the fault, and the same line is well the next time. */
static bool line_meets(struct smtp_trial *trial, const char *fault, const char *line,
                       const char *wrong, const char *right)
{
    struct smtp_harness *harness;
    if (!open_faulty(trial, NULL, fault, &harness)) {
        return false;
    }
    struct smtp_raw *wire = smtp_trial_wire(trial, harness);
    return wire != NULL && smtp_raw_asks(trial, wire, line, wrong) &&
           smtp_raw_asks(trial, wire, line, right);
}

static bool at_rset(struct smtp_trial *trial)
{
    return line_meets(trial, "rset: reply 500 5.5.2 once", "RSET", "500 5.5.2", "250");
}

static bool at_quit(struct smtp_trial *trial)
{
    return line_meets(trial, "quit: reply 500 once", "QUIT", "500", "221");
}

static bool at_any(struct smtp_trial *trial)
{
    return line_meets(trial, "any \"NOOP *\": reply 500 once", "NOOP now", "500", "250");
}

static const struct smtp_scenario rows[] = {
    {"fault-connect", "5321 3.1", "a session refused before anything is said", at_connect},
    {"fault-greeting", "5321 3.1", "a greeting of 554", at_greeting},
    {"fault-ehlo", "5321 3.2", "EHLO is refused: HELO in its place", at_ehlo},
    {"fault-starttls", "3207 4", "STARTTLS is refused for now", at_starttls},
    {"fault-tls", "3207 4.1", "closed in the middle of the handshake", at_tls},
    {"fault-auth", "4954 6", "a login refused for now", at_auth},
    {"fault-mail", "5321 3.3", "MAIL is refused once", at_mail},
    {"fault-rcpt", "5321 3.3", "RCPT is refused once", at_rcpt},
    {"fault-data", "5321 3.3", "DATA is refused once", at_data},
    {"fault-bdat", "3030 2", "a chunk is refused once", at_bdat},
    {"fault-content", "5321 3.8", "closed in the middle of the content", at_content},
    {"fault-dot", "5321 4.1.1.4", "the whole message is refused once", at_dot},
    {"fault-rset", "5321 4.1.1.5", "RSET is refused once", at_rset},
    {"fault-quit", "5321 4.1.1.10", "QUIT is refused once", at_quit},
    {"fault-any", "5321 4.1.1.9", "any command by its whole line", at_any},
};
const struct smtp_scenario_table smtp_scenarios_faults = {rows, sizeof rows / sizeof *rows};
