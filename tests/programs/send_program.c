/* send_program.c - see send_program.h. */
#include "tests/programs/send_program.h"

#include "tests/support/test.h"

void send_options_init(struct smtp_harness_options *options)
{
    smtp_harness_options_init(options);
    options->server.tls.mode = SMTP_SERVER_TLS_OFF;
    options->magic_addresses = true;
}

struct smtp_harness *send_begin_with(const struct smtp_harness_options *options)
{
    struct smtp_error error = {.status = SMTP_OK};
    struct smtp_harness *harness = smtp_harness_start(options, &error);
    expect_str(error.message, "");
    expect_true(harness != NULL);
    return harness;
}

struct smtp_harness *send_begin(void)
{
    struct smtp_harness_options options;
    send_options_init(&options);
    return send_begin_with(&options);
}

void expect_ended(struct ended ended, int exit_status, const char *err)
{
    if (ended.exit_status != exit_status) {
        SMTP_TEST_FAIL("exit status %d, expected %d:\n%s%s", ended.exit_status, exit_status,
                       ended.out, ended.err);
    }
    if (err[0] == '\0') {
        expect_str(ended.err, "");
    }
    expect_contains(ended.err, err);
    ended_clear(&ended);
}

const struct smtp_harness_message *next_message(struct smtp_harness *harness)
{
    const struct smtp_harness_message *message = smtp_harness_wait(harness, "");
    if (message == NULL) {
        SMTP_TEST_FAIL("%s", smtp_harness_failure(harness));
    }
    return message;
}

const char *source_of(const struct smtp_harness_message *message)
{
    size_t len;
    return smtp_message_content(smtp_harness_envelope(message), &len);
}
