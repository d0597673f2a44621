/* send.c - a whole message in one call: what must hold before it, its transaction, or several where the
 * server's LIMITS ask for that (limits.c, parts.c). Knows: that there is a result in any case. Does not know:
 * streams of messages (send_many.c). */
#include "client/client.h"
#include "common/clock.h"
#include "common/error.h"

enum smtp_status smtp_client_send_not_begun(struct smtp_client *client, enum smtp_status status,
                                            const struct smtp_send_result **result)
{
    bool by_reply = status == SMTP_REFUSED_TRANSIENT || status == SMTP_REFUSED_PERMANENT ||
                    status == SMTP_PROTOCOL_VIOLATION; /* else the last was to something before */
    client->unbegun = (struct smtp_send_result){
        .status = status,
        .stage = client->stage,
        .final_reply = by_reply ? client->reply : (struct smtp_reply){.text = ""}};
    *result = &client->unbegun;
    return status;
}

enum smtp_status smtp_client_send_prepare(struct smtp_client *client)
{
    enum smtp_status status = smtp_client_hello(client);
    client->stage = status == SMTP_OK ? SMTP_STAGE_NONE : client->stage;
    return status == SMTP_OK ? smtp_client_connection_check(client) : status;
}

enum smtp_status smtp_client_send_measure(struct smtp_client *client,
                                          const struct smtp_envelope *envelope,
                                          struct smtp_client_source *source)
{
    source->facts.body = envelope->mail != NULL ? envelope->mail->body : SMTP_BODY_DETECT;
    return smtp_client_source_measure(source, &client->error);
}

enum smtp_status smtp_client_send_one(struct smtp_client *client,
                                      const struct smtp_envelope *envelope,
                                      struct smtp_client_source *source,
                                      const struct smtp_send_result **result)
{
    struct smtp_client_event event;
    *result = NULL;
    enum smtp_status status =
        smtp_client_session_send(client->session, envelope, &source->facts, smtp_clock_now_ns());
    if (status != SMTP_OK) {
        client->error = *smtp_client_session_error(client->session);
        return status;
    }
    smtp_client_connection_run(client, source, &event);
    *result = smtp_client_session_result(client->session);
    return smtp_client_report_result(client, envelope);
}

static enum smtp_status send_source(struct smtp_client *client,
                                    const struct smtp_envelope *envelope,
                                    struct smtp_client_source *source,
                                    const struct smtp_send_result **result)
{
    const struct smtp_send_result *unasked = NULL;
    result = result != NULL ? result : &unasked;
    *result = NULL;
    enum smtp_status status = smtp_client_send_prepare(client);
    if (status == SMTP_OK) {
        status = smtp_client_send_measure(client, envelope, source);
    }
    if (status == SMTP_OK) {
        status = smtp_client_limits_admit(client, envelope, &source->facts);
    }
    if (status == SMTP_OK) {
        status = smtp_client_limits_count(client, envelope) == 1
                     ? smtp_client_send_one(client, envelope, source, result)
                     : smtp_client_parts_send(client, envelope, source, result);
    }
    return *result != NULL ? status : smtp_client_send_not_begun(client, status, result);
}

enum smtp_status smtp_client_send(struct smtp_client *client, const struct smtp_envelope *envelope,
                                  struct smtp_content content,
                                  const struct smtp_send_result **result)
{
    struct smtp_client_source source;
    client->stage = SMTP_STAGE_NONE;
    smtp_client_source_init(&source, &content);
    return send_source(client, envelope, &source, result);
}

/* The result points to the forward-paths, so the envelope lives as long: until the next call. */
enum smtp_status smtp_client_send_message(struct smtp_client *client, struct smtp_content message,
                                          const struct smtp_send_result **result)
{
    struct smtp_client_source source;
    const struct smtp_send_result *unasked = NULL;
    client->stage = SMTP_STAGE_NONE;
    smtp_client_source_init(&source, &message);
    smtp_client_envelope_clear(&client->envelope);
    enum smtp_status status = smtp_client_source_check(&source, &client->error);
    if (status == SMTP_OK) {
        status =
            smtp_client_envelope_read(&client->envelope, &source, &client->header, &client->error);
    }
    return status == SMTP_OK
               ? send_source(client, &client->envelope.envelope, &source, result)
               : smtp_client_send_not_begun(client, status, result != NULL ? result : &unasked);
}
