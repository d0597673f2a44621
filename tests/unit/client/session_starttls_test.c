/* session_starttls_test.c - what TLS changes in a session's core: what may go out before it is up, what
 * may not come behind 220, what is forgotten (RFC 3207, RFC 8314). The handshake itself is the
 * driver's. */
#include "client/protocol/session.h"
#include "common/deadline.h"
#include "tests/support/test.h"

#define MS SMTP_NS_PER_MS

struct core {
    struct smtp_client_options options;
    struct smtp_client_session *session;
};

static void open_core(struct core *core, enum smtp_client_tls_policy policy)
{
    smtp_client_options_init(&core->options);
    core->options.tls.policy = policy;
    core->session = smtp_client_session_new(&core->options);
    expect_true(core->session != NULL);
    smtp_client_session_open(core->session, 0, SMTP_NEVER);
}

/* Gives octets to the session: the event that they bring, kind ENDED for none. */
static struct smtp_client_event hear(struct core *core, const char *octets, size_t *used)
{
    struct smtp_client_event event = {.kind = SMTP_CLIENT_EVENT_ENDED};
    size_t taken = 0;
    smtp_client_session_receive(core->session, octets, strlen(octets), &taken, 0);
    (void)smtp_client_session_next_event(core->session, &event);
    if (used != NULL) {
        *used = taken;
    } else {
        expect_int(taken, strlen(octets));
    }
    return event;
}

static enum smtp_status say(struct core *core, enum smtp_client_stage stage, const char *verb)
{
    struct smtp_client_command command = {.verb = verb};
    return smtp_client_session_command(core->session, stage, &command, 0);
}

/* The octets that wait, all reported as sent. */
static void take_pending(struct core *core, char *out, size_t size)
{
    struct smtp_span parts[SMTP_CLIENT_PENDING_PARTS];
    size_t len = 0;
    int count = smtp_client_session_pending(core->session, parts);
    for (int i = 0; i < count; i++) {
        expect_true(len + parts[i].len < size);
        memcpy(out + len, parts[i].bytes, parts[i].len);
        len += parts[i].len;
    }
    out[len] = '\0';
    if (len > 0) {
        smtp_client_session_sent(core->session, len, 0);
    }
}

static void expect_says(struct core *core, enum smtp_client_stage stage, const char *verb)
{
    char out[200], wanted[200];
    expect_int(say(core, stage, verb), SMTP_OK);
    take_pending(core, out, sizeof(out));
    snprintf(wanted, sizeof(wanted), "%s\r\n", verb);
    expect_str(out, wanted);
}

static void up_to_220(struct core *core, enum smtp_client_tls_policy policy)
{
    open_core(core, policy);
    expect_int(hear(core, "220 mx\r\n", NULL).status, SMTP_OK);
    expect_says(core, SMTP_STAGE_EHLO, "EHLO c.example");
    hear(core, "250-mx\r\n250-STARTTLS\r\n250-PIPELINING\r\n250-SIZE 9\r\n250 AUTH PLAIN\r\n",
         NULL);
    expect_says(core, SMTP_STAGE_STARTTLS, "STARTTLS");
}

static const char *error_of(const struct core *core)
{
    return smtp_client_session_error(core->session)->message;
}

/* RFC 3207 4.2 */
TEST(client_session_starttls, all_that_was_known_is_forgotten_when_tls_is_up)
{
    struct core core;
    up_to_220(&core, SMTP_CLIENT_TLS_NEVER);
    expect_int(hear(&core, "220-go\r\n220 ahead\r\n", NULL).status, SMTP_OK);
    expect_true(!smtp_client_session_has_tls(core.session));
    smtp_client_session_tls_started(core.session, false, 0);
    expect_true(smtp_client_session_has_tls(core.session));
    expect_true(!smtp_client_session_greeted(core.session));
    const struct smtp_client_extensions *known = smtp_client_session_extensions(core.session);
    expect_true(known->count == 0 && !known->pipelining && !known->size);
    expect_true(smtp_client_extensions_find(known, "AUTH") == NULL);
    expect_says(&core, SMTP_STAGE_EHLO, "EHLO c.example");
    expect_int(hear(&core, "250 mx\r\n", NULL).status, SMTP_OK);
    expect_says(&core, SMTP_STAGE_COMMAND, "NOOP");
    smtp_client_session_free(core.session);
}

/* RFC 3207 6, CVE-2021-38371: one packet */
TEST(client_session_starttls, octets_behind_220_end_the_session_and_are_no_reply)
{
    static const char *const behind[] = {"250 fake\r\n", "2", "421 bye\r\n", "\r\n", "\x16\x03"};
    for (size_t i = 0; i < sizeof(behind) / sizeof(behind[0]); i++) {
        struct core core;
        char packet[40];
        size_t used = 0;
        up_to_220(&core, SMTP_CLIENT_TLS_NEVER);
        snprintf(packet, sizeof(packet), "220 go\r\n%s", behind[i]);
        expect_int(hear(&core, packet, &used).status, SMTP_OK);
        expect_int(used, 8);
        expect_true(!smtp_client_session_ended(core.session));
        hear(&core, packet + used, &used);
        expect_true(smtp_client_session_ended(core.session));
        expect_int(smtp_client_session_error(core.session)->status, SMTP_PROTOCOL_VIOLATION);
        expect_contains(error_of(&core), "behind the reply to STARTTLS, in the clear");
        smtp_client_session_free(core.session);
    }
}

/* RFC 3207 4: the client MUST give up any command but the handshake */
TEST(client_session_starttls, nothing_is_sent_in_the_clear_between_220_and_the_handshake)
{
    struct core core;
    char out[100];
    up_to_220(&core, SMTP_CLIENT_TLS_NEVER);
    expect_int(hear(&core, "220 go\r\n", NULL).status, SMTP_OK);
    expect_int(say(&core, SMTP_STAGE_EHLO, "EHLO c.example"), SMTP_BAD_STATE);
    expect_int(say(&core, SMTP_STAGE_COMMAND, "NOOP"), SMTP_BAD_STATE);
    expect_contains(error_of(&core), "awaits a TLS handshake");
    take_pending(&core, out, sizeof(out));
    expect_str(out, "");
    smtp_client_session_free(core.session);
}

/* RFC 3207 4: 220, 501 and 454 are its answers */
TEST(client_session_starttls, no_reply_but_220_begins_a_handshake)
{
    static const struct {
        const char *reply;
        enum smtp_status status;
    } rows[] = {{"454 no\r\n", SMTP_REFUSED_TRANSIENT},  {"501 no\r\n", SMTP_REFUSED_PERMANENT},
                {"502 no\r\n", SMTP_REFUSED_PERMANENT},  {"250 ok\r\n", SMTP_PROTOCOL_VIOLATION},
                {"221 ok\r\n", SMTP_PROTOCOL_VIOLATION}, {"334 ok\r\n", SMTP_PROTOCOL_VIOLATION},
                {"354 ok\r\n", SMTP_PROTOCOL_VIOLATION}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct core core;
        up_to_220(&core, SMTP_CLIENT_TLS_NEVER);
        struct smtp_client_event event = hear(&core, rows[i].reply, NULL);
        expect_int(event.status, rows[i].status);
        expect_int(event.stage, SMTP_STAGE_STARTTLS);
        expect_says(&core, SMTP_STAGE_COMMAND, "NOOP"); /* no handshake is due */
        smtp_client_session_free(core.session);
    }
}

TEST(client_session_starttls, a_second_one_is_not_sent)
{
    struct core core;
    up_to_220(&core, SMTP_CLIENT_TLS_NEVER);
    expect_int(hear(&core, "220 go\r\n", NULL).status, SMTP_OK);
    smtp_client_session_tls_started(core.session, false, 0);
    expect_int(say(&core, SMTP_STAGE_STARTTLS, "STARTTLS"), SMTP_BAD_STATE);
    expect_contains(error_of(&core), "up already");
    smtp_client_session_open(core.session, 0, SMTP_NEVER); /* the next connection has none */
    expect_true(!smtp_client_session_has_tls(core.session));
    smtp_client_session_free(core.session);
}

/* RFC 8314 5.2: capability discovery and STARTTLS, nothing else */
TEST(client_session_starttls, where_it_is_required_nothing_else_goes_out_before_it)
{
    static const struct {
        enum smtp_client_stage stage;
        const char *verb;
    } refused[] = {{SMTP_STAGE_HELO, "HELO c"},       {SMTP_STAGE_AUTH, "AUTH PLAIN"},
                   {SMTP_STAGE_MAIL, "MAIL FROM:<>"}, {SMTP_STAGE_RCPT, "RCPT TO:<a@b>"},
                   {SMTP_STAGE_DATA, "DATA"},         {SMTP_STAGE_RSET, "RSET"},
                   {SMTP_STAGE_COMMAND, "NOOP"},      {SMTP_STAGE_COMMAND, "EHLO c"}};
    struct core core;
    char out[100];
    open_core(&core, SMTP_CLIENT_TLS_REQUIRED);
    hear(&core, "220 mx\r\n", NULL);
    for (int greeted = 0; greeted < 2; greeted++) {
        for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
            expect_int(say(&core, refused[i].stage, refused[i].verb), SMTP_BAD_STATE);
            expect_contains(error_of(&core), "TLS is required");
        }
        expect_says(&core, SMTP_STAGE_EHLO, "EHLO c.example");
        hear(&core, "250-mx\r\n250 PIPELINING\r\n", NULL);
    }
    static const char *const to[] = {"bob@x"};
    const struct smtp_envelope envelope = {
        .reverse_path = "ann@x", .forward_paths = to, .forward_path_count = 1};
    const struct smtp_client_content_facts facts = {0};
    expect_int(smtp_client_session_send(core.session, &envelope, &facts, 0), SMTP_BAD_STATE);
    take_pending(&core, out, sizeof(out));
    expect_str(out, "");
    expect_says(&core, SMTP_STAGE_QUIT, "QUIT");
    smtp_client_session_free(core.session);
}

TEST(client_session_starttls, where_it_is_required_everything_goes_once_it_is_up)
{
    struct core core;
    up_to_220(&core, SMTP_CLIENT_TLS_REQUIRED);
    hear(&core, "220 go\r\n", NULL);
    smtp_client_session_tls_started(core.session, false, 0);
    expect_says(&core, SMTP_STAGE_HELO, "HELO c.example");
    hear(&core, "250 mx\r\n", NULL);
    expect_says(&core, SMTP_STAGE_COMMAND, "NOOP");
    smtp_client_session_free(core.session);
}

/* RFC 8314 3.3: the greeting comes under TLS, and its time runs from there */
TEST(client_session_starttls, a_connection_that_begins_with_tls_awaits_its_greeting_then)
{
    struct core core;
    open_core(&core, SMTP_CLIENT_TLS_IMPLICIT);
    core.options.timeouts.greeting_ms = 10;
    smtp_client_session_tls_started(core.session, true, 5 * MS);
    expect_int(smtp_client_session_deadline_ns(core.session), 15 * MS);
    expect_int(say(&core, SMTP_STAGE_EHLO, "EHLO c"), SMTP_BAD_STATE);
    struct smtp_client_event event = hear(&core, "220 mx\r\n", NULL);
    expect_int(event.stage, SMTP_STAGE_GREETING);
    expect_says(&core, SMTP_STAGE_COMMAND, "NOOP");
    smtp_client_session_free(core.session);
}

TEST(client_session_starttls, stages_have_names)
{
    expect_str(smtp_client_stage_name(SMTP_STAGE_STARTTLS), "STARTTLS");
    expect_str(smtp_client_stage_name(SMTP_STAGE_AUTH), "AUTH");
}
