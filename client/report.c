/* report.c - the client's error messages: which stage, what came, what to do. */
#include "client/client.h"
#include "common/error.h"

#include <string.h>

/* "550 5.1.1 No such user", the first line only. */
static void format_reply(const struct smtp_reply *reply, char *out, size_t size)
{
    int len = (int)strcspn(reply->text, "\n");
    if (reply->enhanced.class_digit != 0) {
        snprintf(out, size, "%d %d.%d.%d %.*s", reply->code, reply->enhanced.class_digit,
                 reply->enhanced.subject, reply->enhanced.detail, len, reply->text);
    } else {
        snprintf(out, size, "%d%s%.*s", reply->code, len > 0 ? " " : "", len, reply->text);
    }
}

static enum smtp_status report_refusal(struct smtp_client *client, enum smtp_status status,
                                       const char *what, const struct smtp_reply *reply)
{
    char shown[160];
    format_reply(reply, shown, sizeof(shown));
    if (status == SMTP_PROTOCOL_VIOLATION) {
        return smtp_error_set(&client->error, status, 0, "%.90s: unexpected reply: %s", what,
                              shown);
    }
    return smtp_error_set(&client->error, status, 0, "%.90s refused: %s", what, shown);
}

enum smtp_status smtp_client_report_event(struct smtp_client *client,
                                          const struct smtp_client_event *event, const char *what)
{
    client->reply = event->reply;
    if (event->status == SMTP_OK) {
        return SMTP_OK;
    }
    if (event->kind == SMTP_CLIENT_EVENT_ENDED) {
        client->error = *smtp_client_session_error(client->session);
        return event->status;
    }
    return report_refusal(client, event->status, what, &event->reply);
}

void smtp_client_report_silence(struct smtp_client *client)
{
    struct smtp_error *error = &client->error;
    bool silent = error->status == SMTP_CLOSED || error->status == SMTP_TIMED_OUT;
    size_t len = strlen(error->message);
    if (silent && client->options.tls.policy != SMTP_CLIENT_TLS_IMPLICIT) {
        snprintf(error->message + len, sizeof(error->message) - len,
                 "; if the port speaks TLS from the first octet (smtps), use implicit TLS");
    }
}

/* The recipient that the error message shows: the first whose end was not good. */
static size_t first_refused(const struct smtp_send_result *result)
{
    size_t i = 0;
    while (i + 1 < result->recipient_count && result->recipients[i].status == SMTP_OK) {
        i++;
    }
    return i;
}

enum smtp_status smtp_client_report_result(struct smtp_client *client,
                                           const struct smtp_envelope *envelope)
{
    const struct smtp_send_result *result = smtp_client_session_result(client->session);
    client->reply = result->final_reply;
    if (result->status == SMTP_OK) {
        return SMTP_OK;
    }
    const struct smtp_recipient_result *shown = &result->recipients[first_refused(result)];
    /* 421 ended the session; it may say nothing about this recipient, who may have been taken */
    if (shown->reply.code == 0 || shown->reply.code == 421) {
        client->error = *smtp_client_session_error(client->session);
        return result->status;
    }
    char what[300];
    switch (shown->stage) {
    case SMTP_STAGE_MAIL:
        snprintf(what, sizeof(what), "MAIL FROM:<%s>",
                 envelope->reverse_path != NULL ? envelope->reverse_path : "");
        break;
    case SMTP_STAGE_RCPT:
        snprintf(what, sizeof(what), "RCPT TO:<%s>", shown->forward_path);
        break;
    case SMTP_STAGE_DATA:
        snprintf(what, sizeof(what), "DATA");
        break;
    default:
        snprintf(what, sizeof(what), "the message");
    }
    return report_refusal(client, result->status, what, &shown->reply);
}
