/* hooks_test.c - the harness between a server and the caller's hooks. */
#include "harness/hooks.h"
#include "tests/support/test.h"

/* What the caller's hooks were given, one after another. */
struct calls {
    char text[512];
};

static enum smtp_server_verdict note(void *user, const char *hook, const char *a, const char *b)
{
    struct calls *calls = user;
    const char *pieces[] = {hook, "(", a, ",", b, ") "};
    for (size_t i = 0; i < 6; i++) {
        size_t len = strlen(calls->text);
        expect_true(len + strlen(pieces[i]) < sizeof calls->text);
        memcpy(calls->text + len, pieces[i], strlen(pieces[i]) + 1);
    }
    return SMTP_REFUSE;
}

#define SESSION const struct smtp_server_session_info *session
#define REPLY struct smtp_server_reply *reply

static enum smtp_server_verdict on_connect(void *user, SESSION, REPLY)
{
    reply->code = 554;
    return note(user, "connect", session->peer, "");
}
static enum smtp_server_verdict on_helo(void *user, SESSION, const char *name, bool extended, REPLY)
{
    return note(user, "helo", name, extended && session != NULL && reply != NULL ? "ehlo" : "?");
}
static enum smtp_server_verdict on_starttls(void *user, SESSION, REPLY)
{
    return note(user, session != NULL && reply != NULL ? "starttls" : "?", "", "");
}
static enum smtp_server_verdict on_auth(void *user, SESSION,
                                        const struct smtp_server_credentials *credentials, REPLY)
{
    return note(user, session != NULL && reply != NULL ? "auth" : "?", credentials->mechanism,
                credentials->identity);
}
static bool on_find_password(void *user, SESSION, const char *identity,
                             char password[SMTP_SERVER_SECRET_SIZE])
{
    memcpy(password, "found", sizeof "found");
    note(user, session != NULL ? "find_password" : "?", identity, "");
    return strcmp(identity, "ann") == 0;
}
static enum smtp_server_verdict on_mail(void *user, SESSION, const char *path, const char *more,
                                        REPLY)
{
    return note(user, session != NULL && reply != NULL ? "mail" : "?", path, more);
}
static enum smtp_server_verdict on_rcpt(void *user, SESSION, const char *path, const char *more,
                                        REPLY)
{
    return note(user, session != NULL && reply != NULL ? "rcpt" : "?", path, more);
}
static enum smtp_server_verdict on_data(void *user, SESSION, REPLY)
{
    return note(user, session != NULL && reply != NULL ? "data" : "?", "", "");
}
static enum smtp_server_verdict on_message(void *user, SESSION, struct smtp_message *message, REPLY)
{
    return note(user, session != NULL && reply != NULL ? "message" : "?",
                message == NULL ? "none" : "some", "");
}
static enum smtp_server_verdict on_vrfy(void *user, SESSION, const char *argument, REPLY)
{
    return note(user, session != NULL && reply != NULL ? "vrfy" : "?", argument, "");
}
static enum smtp_server_verdict on_expn(void *user, SESSION, const char *argument, REPLY)
{
    return note(user, session != NULL && reply != NULL ? "expn" : "?", argument, "");
}
static enum smtp_server_verdict on_unknown(void *user, SESSION, const char *verb,
                                           const char *argument, REPLY)
{
    return note(user, session != NULL && reply != NULL ? "unknown" : "?", verb, argument);
}
static void on_reset(void *user, SESSION)
{
    note(user, "reset", session->peer, "");
}
static void on_close(void *user, SESSION)
{
    note(user, "close", session->peer, "");
}
static void on_log(void *user, SESSION, const struct smtp_server_log_entry *entry)
{
    note(user, "log", session->peer, entry->text);
}

TEST(hooks, each_goes_through_with_its_arguments_verdict_and_user)
{
    struct calls calls = {""};
    struct smtp_server_hooks table = {
        .user = &calls,
        .connect = on_connect,
        .helo = on_helo,
        .starttls = on_starttls,
        .auth = on_auth,
        .find_password = on_find_password,
        .mail = on_mail,
        .rcpt = on_rcpt,
        .data = on_data,
        .message = on_message,
        .vrfy = on_vrfy,
        .expn = on_expn,
        .unknown = on_unknown,
        .reset = on_reset,
        .close = on_close,
        .log = on_log,
    };
    struct smtp_harness_hooks hooks = {.transcripts = smtp_harness_transcripts_new()};
    smtp_harness_hooks_wrap(&hooks, &table);
    struct smtp_server_session_info session = {.number = 1, .peer = "p"};
    struct smtp_server_reply reply = {0};
    struct smtp_server_log_entry entry = {SMTP_LOG_COMMAND, 0, "NOOP", 4};
    void *user = table.user;
    expect_true(user != &calls);
    expect_int(table.connect(user, &session, &reply), SMTP_REFUSE);
    expect_int(reply.code, 554);
    expect_int(table.helo(user, &session, "name", true, &reply), SMTP_REFUSE);
    expect_int(table.starttls(user, &session, &reply), SMTP_REFUSE);
    struct smtp_server_credentials credentials = {.mechanism = "PLAIN", .identity = "ann"};
    expect_int(table.auth(user, &session, &credentials, &reply), SMTP_REFUSE);
    char password[SMTP_SERVER_SECRET_SIZE];
    expect_true(table.find_password(user, &session, "ann", password));
    expect_str(password, "found");
    expect_true(!table.find_password(user, &session, "bob", password));
    expect_int(table.mail(user, &session, "a@b", "SIZE=1", &reply), SMTP_REFUSE);
    expect_int(table.rcpt(user, &session, "c@d", "X=1", &reply), SMTP_REFUSE);
    expect_int(table.data(user, &session, &reply), SMTP_REFUSE);
    expect_int(table.message(user, &session, NULL, &reply), SMTP_REFUSE);
    expect_int(table.vrfy(user, &session, "v", &reply), SMTP_REFUSE);
    expect_int(table.expn(user, &session, "e", &reply), SMTP_REFUSE);
    expect_int(table.unknown(user, &session, "XYZ", "u", &reply), SMTP_REFUSE);
    table.reset(user, &session);
    table.close(user, &session);
    table.log(user, &session, &entry);
    expect_str(calls.text, "connect(p,) helo(name,ehlo) starttls(,) auth(PLAIN,ann) "
                           "find_password(ann,) find_password(bob,) "
                           "mail(a@b,SIZE=1) rcpt(c@d,X=1) data(,) message(none,) vrfy(v,) "
                           "expn(e,) unknown(XYZ,u) reset(p,) close(p,) "
                           "log(p,NOOP) ");
    expect_int(smtp_harness_transcripts_last(hooks.transcripts), 1);
    smtp_harness_transcripts_free(hooks.transcripts);
}

/* Without its hook EXPN is not offered, VRFY is 252, and so on: see smtp_server.h. */
TEST(hooks, those_the_caller_has_not_stay_absent_but_for_log)
{
    struct smtp_server_hooks table = {0};
    struct smtp_harness_hooks hooks = {.transcripts = NULL};
    smtp_harness_hooks_wrap(&hooks, &table);
    expect_true(table.connect == NULL && table.helo == NULL && table.mail == NULL);
    expect_true(table.starttls == NULL && table.auth == NULL && table.find_password == NULL);
    expect_true(table.rcpt == NULL && table.data == NULL && table.message == NULL);
    expect_true(table.vrfy == NULL && table.expn == NULL && table.unknown == NULL);
    expect_true(table.reset == NULL && table.close == NULL && table.log != NULL);
}
