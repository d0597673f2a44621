/* sending.c - see sending.h. */
#include "tests/peers/sending.h"

#include "tests/peers/program.h"
#include "tests/support/test.h"

#include <stdio.h>

const char *const sending_two[3] = {"bob@example.com", "carol@example.net", NULL};

void sending_begin(struct sending *sending, const struct smtp_harness_options *options)
{
    struct smtp_error error = {0};
    letters_make(sending->letters);
    sending->harness = smtp_harness_start(options, &error);
    expect_str(error.message, "");
    expect_true(sending->harness != NULL);
    unsigned port = smtp_harness_port(sending->harness);
    snprintf(sending->port, sizeof sending->port, "%u", port);
    snprintf(sending->address, sizeof sending->address, "127.0.0.1:%u", port);
    snprintf(sending->url, sizeof sending->url, "smtp://127.0.0.1:%u/peer.test", port);
}

void sending_end(struct sending *sending)
{
    smtp_harness_stop(sending->harness);
    letters_free(sending->letters);
}

char *sending_run(const char *const *argv, const void *input, size_t len)
{
    struct program program;
    program_start_with(&program, argv, input, len);
    int status = program_wait(&program);
    if (status != 0) {
        SMTP_TEST_FAIL("%s ended with %d: %s", argv[0], status, program.said);
    }
    char *said = program.said;
    program.said = NULL;
    program_free(&program);
    return said;
}

void sending_by_swaks(const struct sending *sending, const struct letter *letter,
                      const char *recipients, const char *const *more)
{
    struct arguments arguments = {0};
    arguments_add(&arguments,
                  (const char *[]){"swaks", "--server", "127.0.0.1", "--port", sending->port,
                                   "--helo", "peer.test", "--from", REVERSE_PATH, "--to",
                                   recipients, "--data", "-", "--hide-all", "--no-strip-from",
                                   "--timeout", "10", NULL});
    arguments_add(&arguments, more);
    free(sending_run(arguments.argv, letter->octets, letter->len - 2)); /* it adds a CRLF always */
}

const struct smtp_message *sending_message(const struct sending *sending, size_t i)
{
    expect_int(smtp_harness_wait_count(sending->harness, i + 1), SMTP_OK);
    return smtp_harness_envelope(smtp_harness_message(sending->harness, i));
}

void expect_sent(const struct sending *sending, size_t i, const struct letter *letter,
                 const char *const *recipients)
{
    const struct smtp_message *message = sending_message(sending, i);
    size_t count = 0, size_bytes = 0;
    expect_str(smtp_message_reverse_path(message), REVERSE_PATH);
    for (; recipients[count] != NULL; count++) {
        expect_str(smtp_message_forward_path(message, count), recipients[count]);
    }
    expect_int(smtp_message_recipient_count(message), count);
    const char *content = smtp_message_content(message, &size_bytes);
    expect_bytes(content, size_bytes, letter->octets, letter->len);
}
