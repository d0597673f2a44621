/* login.c - see login.h. */
#include "tests/end_to_end/login.h"

#include "common/secret.h"
#include "common/tls.h"
#include "tests/support/test.h"

#include <gsasl.h>
#include <stdio.h>

const char *say(struct smtp_wire *wire, const char *command, const char *octets, size_t len)
{
    struct smtp_buffer line = SMTP_BUFFER(20000);
    expect_int(smtp_buffer_append(&line, command, strlen(command)), SMTP_OK);
    expect_int(smtp_base64_append(&line, (struct smtp_span){octets, len}), SMTP_OK);
    expect_int(smtp_buffer_append(&line, "\r\n", 2), SMTP_OK);
    struct smtp_span span = smtp_buffer_span(&line);
    expect_true(smtp_wire_send(wire, span.bytes, span.len));
    smtp_buffer_free(&line);
    return smtp_wire_reply(wire);
}

/* ---- libgsasl's client over the wire ---- */

static int channel_of(Gsasl *gsasl, Gsasl_session *session, Gsasl_property property)
{
    const struct smtp_wire *wire = gsasl_callback_hook_get(gsasl);
    char octets[SMTP_TLS_BINDING_MAX];
    enum smtp_tls_binding kind =
        property == GSASL_CB_TLS_UNIQUE ? SMTP_TLS_UNIQUE : SMTP_TLS_EXPORTER;
    if ((property != GSASL_CB_TLS_UNIQUE && property != GSASL_CB_TLS_EXPORTER) ||
        wire->tls == NULL || strstr(gsasl_mechanism_name(session), "-PLUS") == NULL) {
        return GSASL_NO_CALLBACK;
    }
    size_t len = smtp_tls_binding(wire->tls, kind, octets);
    struct smtp_buffer text = SMTP_BUFFER(200);
    if (len == 0) {
        return GSASL_NO_CALLBACK;
    }
    expect_int(smtp_base64_append(&text, (struct smtp_span){octets, len}), SMTP_OK);
    struct smtp_span span = smtp_buffer_span(&text);
    int status = gsasl_property_set_raw(session, property, span.bytes, span.len);
    smtp_buffer_free(&text);
    return status;
}

const char *log_in_bound_to(struct smtp_wire *wire, struct smtp_wire *channel,
                            const char *mechanism, const char *identity, const char *password)
{
    Gsasl *gsasl = NULL;
    Gsasl_session *client = NULL;
    char line[100];
    expect_int(gsasl_init(&gsasl), GSASL_OK);
    gsasl_callback_set(gsasl, channel_of);
    gsasl_callback_hook_set(gsasl, channel);
    expect_int(gsasl_client_start(gsasl, mechanism, &client), GSASL_OK);
    (void)gsasl_property_set(client, GSASL_AUTHID, identity);
    (void)gsasl_property_set(client, GSASL_PASSWORD, password);
    snprintf(line, sizeof line, "AUTH %s", mechanism);
    const char *reply = smtp_wire_ask(wire, line);
    int rc = GSASL_NEEDS_MORE;
    while (strncmp(reply, "334 ", 4) == 0) {
        char *response = NULL;
        if (rc == GSASL_NEEDS_MORE) {
            rc = gsasl_step64(client, reply + 4, &response);
        }
        if (rc != GSASL_OK && rc != GSASL_NEEDS_MORE) {
            SMTP_TEST_FAIL("the client of %s, at \"%s\": %s", mechanism, reply, gsasl_strerror(rc));
        }
        reply = smtp_wire_ask(wire, response != NULL ? response : "");
        gsasl_free(response);
    }
    expect_true(strncmp(reply, "235", 3) != 0 || rc == GSASL_OK);
    gsasl_finish(client);
    gsasl_done(gsasl);
    return reply;
}

const char *log_in(struct smtp_wire *wire, const char *mechanism, const char *identity,
                   const char *password)
{
    return log_in_bound_to(wire, wire, mechanism, identity, password);
}
