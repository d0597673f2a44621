/* session_auth_test.c - AUTH (RFC 4954) as dialogues against the client's core, without a socket: S: lines
 * go in, C: lines must come out. Each runs with the server's octets whole and byte by byte; afterwards no
 * secret may be in the log or in the session's storage. */
#include "client/protocol/session_state.h"
#include "client/sasl.h"
#include "common/deadline.h"
#include "tests/support/test.h"

#include <stdio.h>

#define EHLO "S: 220 mx.test\nC: EHLO [127.0.0.1]\nS: 250-mx.test\n"
#define ANN                                                                                        \
    {                                                                                              \
        .identity = "ann", .password = "secret"                                                    \
    }
#define TIM                                                                                        \
    {                                                                                              \
        .identity = "tim", .password = "tanstaaftanstaaf"                                          \
    }
#define PLAIN_SECRET "AGFubgBzZWNyZXQ="
#define CRAM_CHALLENGE "PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+"
#define CRAM_RESPONSE "dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw"

struct dialogue {
    const char *what;
    struct smtp_client_credentials credentials;
    const char *lines; /* [close], [timeout]: the driver's doing */
    enum smtp_status status;
    const char *message; /* of the session's error holds this; NULL: there is a reply */
    bool ended;
};

static const struct dialogue dialogues[] = {
    {"PLAIN in the command", ANN,
     EHLO "S: 250 AUTH PLAIN LOGIN\nC: AUTH PLAIN " PLAIN_SECRET "\nS: 235 2.7.0 in\n", SMTP_OK,
     NULL, false},
    {"the mechanism in any case, the old form of the keyword, both forms together", ANN,
     EHLO "S: 250-AUTH=LOGIN\nS: 250 auth plain\nC: AUTH PLAIN " PLAIN_SECRET "\nS: 235 in\n",
     SMTP_OK, NULL, false},
    {"an authorization identity",
     {.identity = "ann", .password = "secret", .authorization_identity = "bob"},
     EHLO "S: 250 AUTH PLAIN\nC: AUTH PLAIN Ym9iAGFubgBzZWNyZXQ=\nS: 235 in\n",
     SMTP_OK,
     NULL,
     false},
    /* draft-murchison-sasl-login-00: in order, whatever the prompts say */
    {"LOGIN with the usual prompts", ANN,
     EHLO "S: 250 AUTH LOGIN\nC: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: YW5u\nS: 334 UGFzc3dvcmQ6\n"
          "C: c2VjcmV0\nS: 235 in\n",
     SMTP_OK, NULL, false},
    {"LOGIN with prompts that mislead, and empty ones", ANN,
     EHLO "S: 250 AUTH LOGIN\nC: AUTH LOGIN\nS: 334 UGFzc3dvcmQ6\nC: YW5u\nS: 334\nC: c2VjcmV0\n"
          "S: 235 in\n",
     SMTP_OK, NULL, false},
    {"CRAM-MD5 as in RFC 2195 2", TIM,
     EHLO "S: 250 AUTH CRAM-MD5\nC: AUTH CRAM-MD5\nS: 334 " CRAM_CHALLENGE "\nC: " CRAM_RESPONSE
          "\nS: 235 in\n",
     SMTP_OK, NULL, false},
    {"EXTERNAL without an authorization identity is =",
     {0},
     EHLO "S: 250 AUTH EXTERNAL\nC: AUTH EXTERNAL =\nS: 235 in\n",
     SMTP_OK,
     NULL,
     false},
    {"EXTERNAL with one",
     {.authorization_identity = "ann"},
     EHLO "S: 250 AUTH EXTERNAL\nC: AUTH EXTERNAL YW5u\nS: 235 in\n",
     SMTP_OK,
     NULL,
     false},
    {"a token",
     {.identity = "ann", .token = "secret", .mechanism = "xoauth2"},
     EHLO "S: 250 AUTH XOAUTH2\nC: AUTH XOAUTH2 dXNlcj1hbm4BYXV0aD1CZWFyZXIgc2VjcmV0AQE=\n"
          "S: 235 in\n",
     SMTP_OK,
     NULL,
     false},
    /* RFC 7628 3.2.3 */
    {"a token refused takes one dummy answer",
     {.identity = "ann", .token = "secret"},
     EHLO "S: 250 AUTH OAUTHBEARER\n"
          "C: AUTH OAUTHBEARER bixhPWFubiwBYXV0aD1CZWFyZXIgc2VjcmV0AQE=\n"
          "S: 334 eyJzdGF0dXMiOiJpbnZhbGlkX3Rva2VuIn0=\nC: AQ==\nS: 535 5.7.8 no\n",
     SMTP_REFUSED_PERMANENT,
     NULL,
     false},
    {"a token refused with XOAUTH2 takes an empty one",
     {.identity = "ann", .token = "secret", .mechanism = "XOAUTH2"},
     EHLO "S: 250 AUTH XOAUTH2\nC: AUTH XOAUTH2 dXNlcj1hbm4BYXV0aD1CZWFyZXIgc2VjcmV0AQE=\n"
          "S: 334 eyJzdGF0dXMiOiI0MDAifQ==\nC: \nS: 535 5.7.8 no\n",
     SMTP_REFUSED_PERMANENT,
     NULL,
     false},
    {"a token refused and then accepted",
     {.identity = "ann", .token = "secret"},
     EHLO "S: 250 AUTH OAUTHBEARER\n"
          "C: AUTH OAUTHBEARER bixhPWFubiwBYXV0aD1CZWFyZXIgc2VjcmV0AQE=\nS: 334 e30=\nC: AQ==\n"
          "S: 235 in\n",
     SMTP_PROTOCOL_VIOLATION,
     "accepted AUTH OAUTHBEARER before",
     true},
    /* the reply is an answer: 4954 4 and 6 */
    {"535", ANN, EHLO "S: 250 AUTH PLAIN\nC: AUTH PLAIN " PLAIN_SECRET "\nS: 535 5.7.8 no\n",
     SMTP_REFUSED_PERMANENT, NULL, false},
    {"454 is for now", ANN,
     EHLO "S: 250 AUTH PLAIN\nC: AUTH PLAIN " PLAIN_SECRET "\nS: 454 4.7.0 later\n",
     SMTP_REFUSED_TRANSIENT, NULL, false},
    {"538 in the middle", ANN,
     EHLO "S: 250 AUTH LOGIN\nC: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: YW5u\nS: 538 5.7.11 no\n",
     SMTP_REFUSED_PERMANENT, NULL, false},
    {"421", ANN, EHLO "S: 250 AUTH LOGIN\nC: AUTH LOGIN\nS: 421 bye\n", SMTP_REFUSED_TRANSIENT,
     "ended the session (stage: AUTH)", true},
    /* RFC 4954 4: an undecodable challenge is answered by "*" */
    {"a challenge that is no base64", TIM,
     EHLO "S: 250 AUTH CRAM-MD5\nC: AUTH CRAM-MD5\nS: 334 not!base64\nC: *\nS: 501 5.7.0 ok\n",
     SMTP_PROTOCOL_VIOLATION, "AUTH CRAM-MD5 was cancelled: the server's challenge is no base64",
     false},
    {"a challenge without its padding", TIM,
     EHLO "S: 250 AUTH CRAM-MD5\nC: AUTH CRAM-MD5\nS: 334 YQ\nC: *\nS: 501 ok\n",
     SMTP_PROTOCOL_VIOLATION, "no base64", false},
    {"a challenge of two lines", TIM,
     EHLO "S: 250 AUTH CRAM-MD5\nC: AUTH CRAM-MD5\nS: 334-YQ==\nS: 334 YQ==\nC: *\nS: 501 ok\n",
     SMTP_PROTOCOL_VIOLATION, "no base64", false},
    {"another 3yz than 334", ANN,
     EHLO "S: 250 AUTH LOGIN\nC: AUTH LOGIN\nS: 354 VXNlcm5hbWU6\nC: *\nS: 501 ok\n",
     SMTP_PROTOCOL_VIOLATION, "neither a challenge (334) nor an end", false},
    {"a refusal of the cancelling by another code", TIM,
     EHLO "S: 250 AUTH CRAM-MD5\nC: AUTH CRAM-MD5\nS: 334 !\nC: *\nS: 535 no\n",
     SMTP_PROTOCOL_VIOLATION, "no base64", false},
    {"success after it was cancelled", TIM,
     EHLO "S: 250 AUTH CRAM-MD5\nC: AUTH CRAM-MD5\nS: 334 !\nC: *\nS: 235 in\n",
     SMTP_PROTOCOL_VIOLATION, "went on with AUTH after it was cancelled", true},
    {"a challenge after it was cancelled", TIM,
     EHLO "S: 250 AUTH CRAM-MD5\nC: AUTH CRAM-MD5\nS: 334 !\nC: *\nS: 334 YQ==\n",
     SMTP_PROTOCOL_VIOLATION, "went on with AUTH after it was cancelled", true},
    {"421 after it was cancelled", TIM,
     EHLO "S: 250 AUTH CRAM-MD5\nC: AUTH CRAM-MD5\nS: 334 !\nC: *\nS: 421 bye\n",
     SMTP_REFUSED_TRANSIENT, "ended the session", true},
    {"success before the password was asked for", ANN,
     EHLO "S: 250 AUTH LOGIN\nC: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: YW5u\nS: 235 in\n",
     SMTP_PROTOCOL_VIOLATION, "accepted AUTH LOGIN before", true},
    {"success at once", TIM, EHLO "S: 250 AUTH CRAM-MD5\nC: AUTH CRAM-MD5\nS: 235 in\n",
     SMTP_PROTOCOL_VIOLATION, "accepted AUTH CRAM-MD5 before", true},
    {"more asked than there is to say", ANN,
     EHLO "S: 250 AUTH PLAIN\nC: AUTH PLAIN " PLAIN_SECRET "\nS: 334 \nC: *\nS: 501 ok\n",
     SMTP_PROTOCOL_VIOLATION, "asks for more", true},
    {"an empty challenge to CRAM-MD5", TIM,
     EHLO "S: 250 AUTH CRAM-MD5\nC: AUTH CRAM-MD5\nS: 334 \nC: *\nS: 501 ok\n",
     SMTP_PROTOCOL_VIOLATION, "the server's challenge is empty", true},
    {"octets behind a challenge, before it was answered", ANN,
     EHLO "S: 250 AUTH LOGIN\nC: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nS: 334 UGFzc3dvcmQ6\n",
     SMTP_PROTOCOL_VIOLATION, "nothing was asked for", true},
    {"lost in the middle", ANN,
     EHLO "S: 250 AUTH LOGIN\nC: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: YW5u\n[close]\n", SMTP_CLOSED,
     "stage: AUTH", true},
    {"silence in the middle", ANN,
     EHLO "S: 250 AUTH LOGIN\nC: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: YW5u\n[timeout]\n",
     SMTP_TIMED_OUT, "stage: AUTH", true},
};

struct play {
    const struct dialogue *dialogue;
    struct smtp_client_session *session;
    struct smtp_client_sasl *sasl;
    uint64_t now_ns;
    bool over;
    struct smtp_client_event last;
    char log[16384];
    size_t log_len;
};

#define PLAY_FAIL(play, ...)                                                                       \
    do {                                                                                           \
        char text_[400];                                                                           \
        snprintf(text_, sizeof(text_), __VA_ARGS__);                                               \
        SMTP_TEST_FAIL("%s: %s", (play)->dialogue->what, text_);                                   \
    } while (0)

static void keep_log(void *user, enum smtp_client_log_kind kind, const char *text, size_t len)
{
    struct play *play = user;
    const char *who = kind == SMTP_CLIENT_LOG_COMMAND ? "C: "
                      : kind == SMTP_CLIENT_LOG_REPLY ? "S: "
                                                      : "# ";
    play->log_len += (size_t)snprintf(play->log + play->log_len, sizeof(play->log) - play->log_len,
                                      "%s%.*s\n", who, (int)len, text);
}

static void begin_auth(struct play *play)
{
    const struct smtp_client_credentials *credentials = &play->dialogue->credentials;
    const struct smtp_client_sasl_kind *kind = NULL;
    struct smtp_error error = {0};
    struct smtp_client_sasl_setting setting = {
        .confidential = true,
        .offered =
            smtp_client_extensions_find(smtp_client_session_extensions(play->session), "AUTH"),
    };
    if (smtp_client_sasl_choose(&kind, credentials, &setting, &error) != SMTP_OK ||
        smtp_client_sasl_new(&play->sasl, kind, credentials, &setting, &error) != SMTP_OK ||
        smtp_client_session_auth(play->session, smtp_client_sasl_mechanism(play->sasl),
                                 play->now_ns) != SMTP_OK) {
        PLAY_FAIL(play, "AUTH does not begin: %s", error.message);
    }
}

static void handle_events(struct play *play)
{
    struct smtp_client_command ehlo = {
        .verb = "EHLO ", .kind = SMTP_CLIENT_DOMAIN, .argument = "[127.0.0.1]"};
    while (smtp_client_session_next_event(play->session, &play->last)) {
        if (play->last.kind == SMTP_CLIENT_EVENT_REPLY && play->last.stage == SMTP_STAGE_GREETING) {
            expect_int(
                smtp_client_session_command(play->session, SMTP_STAGE_EHLO, &ehlo, play->now_ns),
                SMTP_OK);
        } else if (play->last.kind == SMTP_CLIENT_EVENT_REPLY &&
                   play->last.stage == SMTP_STAGE_EHLO) {
            begin_auth(play);
        } else {
            play->over = true;
        }
    }
}

/* All S: lines up to the next other line, in pieces. */
static const char *hear(struct play *play, const char *at, size_t piece)
{
    char octets[1000];
    size_t len = 0, used = 0;
    while (strncmp(at, "S: ", 3) == 0) {
        size_t line = strcspn(at, "\n");
        len +=
            (size_t)snprintf(octets + len, sizeof(octets) - len, "%.*s\r\n", (int)line - 3, at + 3);
        at += line + 1;
    }
    for (size_t done = 0; done < len && !smtp_client_session_ended(play->session); done += used) {
        size_t part = piece > 0 && piece < len - done ? piece : len - done;
        smtp_client_session_receive(play->session, octets + done, part, &used, play->now_ns);
        handle_events(play);
    }
    return at;
}

static void expect_line(struct play *play, const char *line, size_t len)
{
    struct smtp_span parts[SMTP_CLIENT_PENDING_PARTS];
    int count = smtp_client_session_pending(play->session, parts);
    if (count != 1 || parts[0].len != len + 2 || memcmp(parts[0].bytes, line, len) != 0 ||
        memcmp(parts[0].bytes + len, "\r\n", 2) != 0) {
        PLAY_FAIL(play, "expected C: %.*s, came \"%.*s\"", (int)len, line,
                  count > 0 ? (int)parts[0].len : 0, count > 0 ? parts[0].bytes : "");
    }
    smtp_client_session_sent(play->session, 1, play->now_ns);
    smtp_client_session_sent(play->session, len + 1, play->now_ns);
}

static const char *play_step(struct play *play, const char *at, size_t piece)
{
    size_t line = strcspn(at, "\n");
    if (strncmp(at, "S: ", 3) == 0) {
        return hear(play, at, piece);
    }
    if (strncmp(at, "C: ", 3) == 0) {
        expect_line(play, at + 3, line - 3);
    } else if (strncmp(at, "[close]", 7) == 0) {
        smtp_client_session_lost(play->session);
    } else {
        play->now_ns = smtp_client_session_deadline_ns(play->session);
        smtp_client_session_expire(play->session, play->now_ns);
    }
    handle_events(play);
    return at + line + 1;
}

static bool holds(const char *bytes, size_t len, const char *part)
{
    return len > 0 && memmem(bytes, len, part, strlen(part)) != NULL;
}

/* No secret is left in the log, nor where the lines were. */
static void check_secrets(struct play *play)
{
    static const char *const secrets[] = {"secret",      "c2VjcmV0",   PLAIN_SECRET,
                                          CRAM_RESPONSE, "Z3ecmV0AQE", "YW5u"};
    for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++) {
        if (holds(play->log, play->log_len, secrets[i])) {
            PLAY_FAIL(play, "the log holds %s: %.300s", secrets[i], play->log);
        }
        if (holds(play->session->out.bytes, play->session->out.capacity, secrets[i])) {
            PLAY_FAIL(play, "the session still holds %s", secrets[i]);
        }
    }
    expect_true(play->session->auth.mechanism == NULL);
    expect_true(play->session->auth.initial.bytes == NULL);
}

static void check_end(struct play *play)
{
    const struct dialogue *row = play->dialogue;
    struct smtp_span parts[SMTP_CLIENT_PENDING_PARTS];
    if (!play->over || smtp_client_session_pending(play->session, parts) > 0) {
        PLAY_FAIL(play, "it does not end");
    }
    const char *message = smtp_client_session_error(play->session)->message;
    if (play->last.status != row->status || play->last.stage != SMTP_STAGE_AUTH) {
        PLAY_FAIL(play, "expected %s, came %s at %s: %s", smtp_status_name(row->status),
                  smtp_status_name(play->last.status), smtp_client_stage_name(play->last.stage),
                  message);
    }
    if (row->message != NULL && strstr(message, row->message) == NULL) {
        PLAY_FAIL(play, "expected \"%s\", came \"%s\"", row->message, message);
    }
    if (smtp_client_session_ended(play->session) != row->ended) {
        PLAY_FAIL(play, "the session %s", row->ended ? "goes on" : "ended");
    }
    if (smtp_client_session_is_authenticated(play->session) != (row->status == SMTP_OK)) {
        PLAY_FAIL(play, "whether it is logged in is wrong");
    }
    check_secrets(play);
}

/* The log of it: at least log_size octets. */
static void play(const struct dialogue *dialogue, size_t piece, struct play *play)
{
    struct smtp_client_options options;
    smtp_client_options_init(&options);
    *play = (struct play){.dialogue = dialogue, .now_ns = 1};
    options.log = keep_log;
    options.log_user = play;
    play->session = smtp_client_session_new(&options);
    smtp_client_session_open(play->session, play->now_ns, SMTP_NEVER);
    for (const char *at = dialogue->lines; *at != '\0';) {
        at = play_step(play, at, piece);
    }
    check_end(play);
    smtp_client_session_free(play->session);
    smtp_client_sasl_free(play->sasl);
}

TEST(session_auth, each_dialogue_goes_as_written_whole_and_byte_by_byte)
{
    static struct play one;
    for (size_t i = 0; i < sizeof(dialogues) / sizeof(dialogues[0]); i++) {
        play(&dialogues[i], 0, &one);
        play(&dialogues[i], 1, &one);
    }
}

TEST(session_auth, the_log_shows_the_exchange_without_its_secrets)
{
    static struct play one;
    static const struct dialogue login = {
        "LOGIN",
        ANN,
        EHLO "S: 250 AUTH LOGIN\nC: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: YW5u\n"
             "S: 334 UGFzc3dvcmQ6\nC: c2VjcmV0\nS: 235 in\n",
        SMTP_OK,
        NULL,
        false};
    static const struct dialogue cancelled = {"cancelled",
                                              ANN,
                                              EHLO "S: 250 AUTH PLAIN\nC: AUTH PLAIN " PLAIN_SECRET
                                                   "\nS: 334 \nC: *\nS: 501 ok\n",
                                              SMTP_PROTOCOL_VIOLATION,
                                              NULL,
                                              true};
    static const struct dialogue external = {
        "=",     {0},  EHLO "S: 250 AUTH EXTERNAL\nC: AUTH EXTERNAL =\nS: 235 in\n",
        SMTP_OK, NULL, false};
    play(&login, 0, &one);
    expect_contains(one.log, "C: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: ***\nS: 334 UGFzc3dvcmQ6\n"
                             "C: ***\nS: 235 in\n");
    play(&cancelled, 0, &one);
    expect_contains(one.log, "C: AUTH PLAIN ***\nS: 334 \nC: *\nS: 501 ok\n");
    play(&external, 0, &one);
    expect_contains(one.log, "C: AUTH EXTERNAL =\nS: 235 in\n");
}

/* ---- one step at a time ---- */

/** A session that has said EHLO, and what it logs. */
static struct smtp_client_session *greeted(struct smtp_client_options *options, struct play *play)
{
    *play = (struct play){.now_ns = 1};
    options->log = keep_log;
    options->log_user = play;
    play->session = smtp_client_session_new(options);
    smtp_client_session_open(play->session, 1, SMTP_NEVER);
    return play->session;
}

/* Hears these lines; the event that came of it has this status. */
static void heard(struct smtp_client_session *session, const char *octets, enum smtp_status status)
{
    struct smtp_client_event event;
    size_t used = 0;
    smtp_client_session_receive(session, octets, strlen(octets), &used, 2);
    expect_int(used, strlen(octets));
    expect_true(smtp_client_session_next_event(session, &event));
    expect_int(event.status, status);
}

/* Hears a challenge, and answers. */
static void challenged(struct smtp_client_session *session, const char *octets)
{
    struct smtp_client_event event;
    size_t used = 0;
    smtp_client_session_receive(session, octets, strlen(octets), &used, 2);
    expect_true(!smtp_client_session_next_event(session, &event));
}

/* What waits to be sent, which is sent then. */
static const char *line_of(struct smtp_client_session *session)
{
    static char line[SMTP_CLIENT_COMMAND_MAX + 1];
    struct smtp_span parts[SMTP_CLIENT_PENDING_PARTS];
    if (smtp_client_session_pending(session, parts) == 0) {
        return "";
    }
    memcpy(line, parts[0].bytes, parts[0].len);
    line[parts[0].len] = '\0';
    smtp_client_session_sent(session, parts[0].len, 2);
    return line;
}

/** A mechanism that says what it is told, as often as it is asked. */
struct parrot {
    struct smtp_client_mechanism mechanism;
    const char *word;
    enum smtp_status status;
    unsigned answers;
};

static enum smtp_status parrot_answer(void *user, struct smtp_span challenge,
                                      struct smtp_buffer *response, struct smtp_error *error)
{
    struct parrot *parrot = user;
    (void)challenge;
    (void)error;
    parrot->answers++;
    return parrot->status == SMTP_OK
               ? smtp_buffer_append(response, parrot->word, strlen(parrot->word))
               : parrot->status;
}

static bool parrot_is_complete(const void *user)
{
    (void)user;
    return true;
}

static void parrot_init(struct parrot *parrot, bool speaks_first, const char *word)
{
    *parrot = (struct parrot){
        .mechanism = {"PARROT", speaks_first, parrot, parrot_answer, parrot_is_complete},
        .word = word};
}

static void say_hello(struct smtp_client_session *session)
{
    struct smtp_client_command ehlo = {
        .verb = "EHLO ", .kind = SMTP_CLIENT_DOMAIN, .argument = "[127.0.0.1]"};
    heard(session, "220 mx\r\n", SMTP_OK);
    expect_int(smtp_client_session_command(session, SMTP_STAGE_EHLO, &ehlo, 1), SMTP_OK);
    expect_str(line_of(session), "EHLO [127.0.0.1]\r\n");
    heard(session, "250-mx\r\n250 AUTH PARROT\r\n", SMTP_OK);
}

/* RFC 4954 4: the whole line, CRLF included, has at most 512 octets */
TEST(session_auth, an_initial_response_that_does_not_fit_waits_for_a_bare_334)
{
    static struct play play;
    struct smtp_client_options options;
    struct parrot parrot;
    char word[373] = {0};
    memset(word, 'a', sizeof word - 1);
    /* "AUTH ", the name, a space, 496 octets (base64 of 372), CRLF */
    const struct {
        const char *name;
        bool fits;
        const char *prompt;
    } rows[] = {{"PARROT-8", true, NULL},
                {"PARROT--9", false, "334 \r\n"},
                {"PARROT--9", false, "334\r\n"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        smtp_client_options_init(&options);
        struct smtp_client_session *session = greeted(&options, &play);
        say_hello(session);
        parrot_init(&parrot, true, word);
        parrot.mechanism.name = rows[i].name;
        expect_int(smtp_client_session_auth(session, &parrot.mechanism, 1), SMTP_OK);
        const char *line = line_of(session);
        if (rows[i].fits) {
            expect_int(strlen(line), 512);
        } else {
            expect_str(line, "AUTH PARROT--9\r\n");
            challenged(session, rows[i].prompt);
            line = line_of(session); /* one line of base64, however long */
            expect_int(strlen(line), 498);
            expect_int(strcspn(line, "\r\n"), 496);
        }
        heard(session, "235 in\r\n", SMTP_OK);
        expect_int(parrot.answers, 1);
        expect_true(smtp_client_session_is_authenticated(session));
        smtp_client_session_free(session);
    }
}

TEST(session_auth, success_before_the_initial_response_was_sent_is_a_violation)
{
    static struct play play;
    struct smtp_client_options options;
    struct parrot parrot;
    char word[400] = {0};
    memset(word, 'a', sizeof word - 1);
    smtp_client_options_init(&options);
    struct smtp_client_session *session = greeted(&options, &play);
    say_hello(session);
    parrot_init(&parrot, true, word);
    expect_int(smtp_client_session_auth(session, &parrot.mechanism, 1), SMTP_OK);
    expect_str(line_of(session), "AUTH PARROT\r\n");
    heard(session, "235 in\r\n", SMTP_PROTOCOL_VIOLATION);
    expect_true(!smtp_client_session_is_authenticated(session));
    smtp_client_session_free(session);
}

/* RFC 4954 4: 12288 octets a line */
TEST(session_auth, a_response_longer_than_a_line_may_be_is_told_before_anything_is_sent)
{
    static struct play play;
    static char word[SMTP_CLIENT_RESPONSE_MAX + 2];
    struct smtp_client_options options;
    struct parrot parrot;
    smtp_client_options_init(&options);
    struct smtp_client_session *session = greeted(&options, &play);
    say_hello(session);
    memset(word, 'a', sizeof word - 1);
    parrot_init(&parrot, true, word);
    expect_int(smtp_client_session_auth(session, &parrot.mechanism, 1), SMTP_LIMIT_EXCEEDED);
    expect_contains(smtp_client_session_error(session)->message, "longer than");
    expect_str(line_of(session), "");
    expect_true(smtp_client_session_idle(session));
    smtp_client_session_free(session);
}

TEST(session_auth, a_server_that_asks_on_and_on_is_cancelled)
{
    static struct play play;
    struct smtp_client_options options;
    struct parrot parrot;
    smtp_client_options_init(&options);
    struct smtp_client_session *session = greeted(&options, &play);
    say_hello(session);
    parrot_init(&parrot, false, "");
    expect_int(smtp_client_session_auth(session, &parrot.mechanism, 1), SMTP_OK);
    expect_str(line_of(session), "AUTH PARROT\r\n");
    for (int i = 0; i < 10; i++) {
        challenged(session, "334 YQ==\r\n");
        expect_str(line_of(session), "\r\n");
    }
    challenged(session, "334 YQ==\r\n");
    expect_str(line_of(session), "*\r\n");
    heard(session, "501 ok\r\n", SMTP_PROTOCOL_VIOLATION);
    expect_contains(smtp_client_session_error(session)->message, "asks on and on");
    expect_true(smtp_client_session_idle(session));
    smtp_client_session_free(session);
}

/* RFC 4954 4: "*"; the session is good for another command */
TEST(session_auth, a_mechanism_that_fails_in_the_middle_cancels)
{
    static struct play play;
    struct smtp_client_options options;
    struct parrot parrot;
    smtp_client_options_init(&options);
    struct smtp_client_session *session = greeted(&options, &play);
    say_hello(session);
    parrot_init(&parrot, false, "");
    parrot.status = SMTP_NO_MEMORY;
    expect_int(smtp_client_session_auth(session, &parrot.mechanism, 1), SMTP_OK);
    expect_str(line_of(session), "AUTH PARROT\r\n");
    challenged(session, "334 YQ==\r\n");
    expect_str(line_of(session), "*\r\n");
    heard(session, "501 ok\r\n", SMTP_NO_MEMORY);
    expect_true(smtp_client_session_idle(session));
    expect_true(!smtp_client_session_is_authenticated(session));
    smtp_client_session_free(session);
}

/* RFC 4954 4: no second AUTH; RFC 3207 4.2 and a new connection: what was is forgotten */
TEST(session_auth, success_is_once_a_session_and_forgotten_with_it)
{
    static struct play play;
    struct smtp_client_options options;
    struct parrot parrot;
    smtp_client_options_init(&options);
    struct smtp_client_session *session = greeted(&options, &play);
    for (int i = 0; i < 3; i++) {
        say_hello(session);
        parrot_init(&parrot, true, "x");
        expect_true(!smtp_client_session_is_authenticated(session));
        expect_int(smtp_client_session_auth(session, &parrot.mechanism, 1), SMTP_OK);
        expect_int(smtp_client_session_auth(session, &parrot.mechanism, 1), SMTP_BAD_STATE);
        expect_str(line_of(session), "AUTH PARROT eA==\r\n");
        heard(session, "235 in\r\n", SMTP_OK);
        expect_true(smtp_client_session_is_authenticated(session));
        /* RFC 4954 4: nothing is forgotten, no EHLO is due */
        expect_true(smtp_client_session_greeted(session));
        expect_true(smtp_client_extensions_find(smtp_client_session_extensions(session), "AUTH") !=
                    NULL);
        expect_int(smtp_client_session_auth(session, &parrot.mechanism, 1), SMTP_BAD_STATE);
        expect_str(line_of(session), "");
        if (i == 0) { /* lost without an end */
            smtp_client_session_lost(session);
            expect_true(!smtp_client_session_is_authenticated(session));
        }
        smtp_client_session_open(session, 1, SMTP_NEVER);
    }
    say_hello(session);
    expect_int(smtp_client_session_auth(session, &parrot.mechanism, 1), SMTP_OK);
    (void)line_of(session);
    heard(session, "235 in\r\n", SMTP_OK);
    smtp_client_session_tls_started(session, false, 1);
    expect_true(!smtp_client_session_is_authenticated(session));
    smtp_client_session_free(session);
}

TEST(session_auth, nothing_of_it_is_sent_where_tls_is_required_and_not_up)
{
    static struct play play;
    struct smtp_client_options options;
    struct parrot parrot;
    smtp_client_options_init(&options);
    options.tls.policy = SMTP_CLIENT_TLS_REQUIRED;
    struct smtp_client_session *session = greeted(&options, &play);
    say_hello(session);
    parrot_init(&parrot, true, "x");
    expect_int(smtp_client_session_auth(session, &parrot.mechanism, 1), SMTP_BAD_STATE);
    expect_str(line_of(session), "");
    smtp_client_session_free(session);
}

TEST(session_auth, lines_of_auth_that_the_caller_writes_himself_are_masked_too)
{
    static struct play play;
    struct smtp_client_options options;
    smtp_client_options_init(&options);
    struct smtp_client_session *session = greeted(&options, &play);
    say_hello(session);
    static const char *const lines[] = {"auth  plain  c2VjcmV0", "AUTH LOGIN", "c2VjcmV0", "NOOP",
                                        "AUTH XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX x"};
    static const char *const replies[] = {"535 no\r\n", "334 \r\n", "535 no\r\n", "250 ok\r\n",
                                          "504 no\r\n"};
    for (size_t i = 0; i < 5; i++) {
        struct smtp_client_command command = {
            .verb = "", .kind = SMTP_CLIENT_TEXT, .argument = lines[i]};
        expect_int(smtp_client_session_command(session, SMTP_STAGE_COMMAND, &command, 1), SMTP_OK);
        (void)line_of(session);
        heard(session, replies[i], *replies[i] == '5' ? SMTP_REFUSED_PERMANENT : SMTP_OK);
    }
    expect_contains(play.log, "C: auth  plain  ***\nS: 535 no\nC: AUTH LOGIN\nS: 334 \nC: ***\n"
                              "S: 535 no\nC: NOOP\nS: 250 ok\nC: AUTH ***\nS: 504 no\n");
    smtp_client_session_free(session);
}
