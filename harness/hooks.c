/* hooks.c - see hooks.h. One `user` serves a whole table, so that every hook of the caller's needs
 * its stand-in here to be given the caller's own. Runs on the server's threads; changes nothing. */
#include "harness/hooks.h"

static enum smtp_server_verdict on_connect(void *user,
                                           const struct smtp_server_session_info *session,
                                           struct smtp_server_reply *reply)
{
    const struct smtp_harness_hooks *hooks = user;
    return hooks->caller.connect(hooks->caller.user, session, reply);
}

static enum smtp_server_verdict on_helo(void *user, const struct smtp_server_session_info *session,
                                        const char *name, bool extended,
                                        struct smtp_server_reply *reply)
{
    const struct smtp_harness_hooks *hooks = user;
    return hooks->caller.helo(hooks->caller.user, session, name, extended, reply);
}

static enum smtp_server_verdict on_starttls(void *user,
                                            const struct smtp_server_session_info *session,
                                            struct smtp_server_reply *reply)
{
    const struct smtp_harness_hooks *hooks = user;
    return hooks->caller.starttls(hooks->caller.user, session, reply);
}

static enum smtp_server_verdict on_auth(void *user, const struct smtp_server_session_info *session,
                                        const struct smtp_server_credentials *credentials,
                                        struct smtp_server_reply *reply)
{
    const struct smtp_harness_hooks *hooks = user;
    return hooks->caller.auth(hooks->caller.user, session, credentials, reply);
}

static bool on_find_password(void *user, const struct smtp_server_session_info *session,
                             const char *identity, char password[SMTP_SERVER_SECRET_SIZE])
{
    const struct smtp_harness_hooks *hooks = user;
    return hooks->caller.find_password(hooks->caller.user, session, identity, password);
}

static enum smtp_server_verdict on_mail(void *user, const struct smtp_server_session_info *session,
                                        const char *reverse_path, const char *parameters,
                                        struct smtp_server_reply *reply)
{
    const struct smtp_harness_hooks *hooks = user;
    return hooks->caller.mail(hooks->caller.user, session, reverse_path, parameters, reply);
}

static enum smtp_server_verdict on_rcpt(void *user, const struct smtp_server_session_info *session,
                                        const char *forward_path, const char *parameters,
                                        struct smtp_server_reply *reply)
{
    const struct smtp_harness_hooks *hooks = user;
    return hooks->caller.rcpt(hooks->caller.user, session, forward_path, parameters, reply);
}

static enum smtp_server_verdict on_data(void *user, const struct smtp_server_session_info *session,
                                        struct smtp_server_reply *reply)
{
    const struct smtp_harness_hooks *hooks = user;
    return hooks->caller.data(hooks->caller.user, session, reply);
}

static enum smtp_server_verdict on_message(void *user,
                                           const struct smtp_server_session_info *session,
                                           struct smtp_message *message,
                                           struct smtp_server_reply *reply)
{
    const struct smtp_harness_hooks *hooks = user;
    return hooks->caller.message(hooks->caller.user, session, message, reply);
}

static enum smtp_server_verdict on_vrfy(void *user, const struct smtp_server_session_info *session,
                                        const char *argument, struct smtp_server_reply *reply)
{
    const struct smtp_harness_hooks *hooks = user;
    return hooks->caller.vrfy(hooks->caller.user, session, argument, reply);
}

static enum smtp_server_verdict on_expn(void *user, const struct smtp_server_session_info *session,
                                        const char *argument, struct smtp_server_reply *reply)
{
    const struct smtp_harness_hooks *hooks = user;
    return hooks->caller.expn(hooks->caller.user, session, argument, reply);
}

static enum smtp_server_verdict on_unknown(void *user,
                                           const struct smtp_server_session_info *session,
                                           const char *verb, const char *argument,
                                           struct smtp_server_reply *reply)
{
    const struct smtp_harness_hooks *hooks = user;
    return hooks->caller.unknown(hooks->caller.user, session, verb, argument, reply);
}

static void on_reset(void *user, const struct smtp_server_session_info *session)
{
    const struct smtp_harness_hooks *hooks = user;
    hooks->caller.reset(hooks->caller.user, session);
}

static void on_close(void *user, const struct smtp_server_session_info *session)
{
    const struct smtp_harness_hooks *hooks = user;
    hooks->caller.close(hooks->caller.user, session);
}

static void on_log(void *user, const struct smtp_server_session_info *session,
                   const struct smtp_server_log_entry *entry)
{
    const struct smtp_harness_hooks *hooks = user;
    smtp_harness_transcripts_log(hooks->transcripts, session->number, entry);
    if (hooks->caller.log != NULL) {
        hooks->caller.log(hooks->caller.user, session, entry);
    }
}

void smtp_harness_hooks_wrap(struct smtp_harness_hooks *hooks, struct smtp_server_hooks *table)
{
    hooks->caller = *table;
    *table = (struct smtp_server_hooks){
        .user = hooks,
        .connect = hooks->caller.connect != NULL ? on_connect : NULL,
        .helo = hooks->caller.helo != NULL ? on_helo : NULL,
        .starttls = hooks->caller.starttls != NULL ? on_starttls : NULL,
        .auth = hooks->caller.auth != NULL ? on_auth : NULL,
        .find_password = hooks->caller.find_password != NULL ? on_find_password : NULL,
        .mail = hooks->caller.mail != NULL ? on_mail : NULL,
        .rcpt = hooks->caller.rcpt != NULL ? on_rcpt : NULL,
        .data = hooks->caller.data != NULL ? on_data : NULL,
        .message = hooks->caller.message != NULL ? on_message : NULL,
        .vrfy = hooks->caller.vrfy != NULL ? on_vrfy : NULL,
        .expn = hooks->caller.expn != NULL ? on_expn : NULL,
        .unknown = hooks->caller.unknown != NULL ? on_unknown : NULL,
        .reset = hooks->caller.reset != NULL ? on_reset : NULL,
        .close = hooks->caller.close != NULL ? on_close : NULL,
        .log = on_log,
    };
}
