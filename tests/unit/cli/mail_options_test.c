/* mail_options_test.c - what is asked for with MAIL and RCPT on a command line, as the client gets it. */
#include "client/protocol/parameters.h"
#include "harness/cli/mail_options.h"
#include "tests/support/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

struct given {
    struct smtp_cli_mail_options options;
    struct smtp_cli_option rows[SMTP_CLI_MAIL_ROWS];
};

/** Whether the words can be read and applied. */
static bool give(struct given *given, const char *const *words)
{
    char *argv[16] = {"send"};
    int argc = 1;
    smtp_cli_mail_options_use(&given->options, "test", given->rows);
    for (; words[argc - 1] != NULL; argc++) {
        argv[argc] = (char *)(uintptr_t)words[argc - 1];
    }
    const struct smtp_cli_usage usage = {
        .program = "test", .options = given->rows, .option_count = SMTP_CLI_MAIL_ROWS};
    expect_int(smtp_cli_parse(&usage, argc, argv), SMTP_CLI_RUN);
    return smtp_cli_mail_options_apply(&given->options);
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* ---- of MAIL ---- */

static const struct {
    const char *const *words;
    const char *parameters;
} mail_rows[] = {
    {WORDS(NULL), ""},
    {WORDS("--requiretls"), " REQUIRETLS"},
    {WORDS("-R", "full"), " RET=FULL"},
    {WORDS("--ret", "HDRS"), " RET=HDRS"},
    {WORDS("-V", "a b"), " ENVID=a+20b"},
    {WORDS("--hold-for", "60"), " HOLDFOR=60"},
    {WORDS("--hold-until", "2026-12-24T18:00:00Z"), " HOLDUNTIL=2026-12-24T18:00:00Z"},
    {WORDS("--by", "120;R"), " BY=120;R"},
    {WORDS("--by", "120;rt"), " BY=120;RT"},
    {WORDS("--by=-60;NT"), " BY=-60;NT"},
    {WORDS("--by", "0;N"), " BY=0;N"},
    {WORDS("--by", "999999999;R"), " BY=999999999;R"},
    {WORDS("--priority=-9"), " MT-PRIORITY=-9"},
    {WORDS("--priority", "0"), " MT-PRIORITY=0"},
    {WORDS("--priority", "9"), " MT-PRIORITY=9"},
    {WORDS("--auth-param", "ann@example.com"), " AUTH=ann@example.com"},
    {WORDS("--auth-param", ""), " AUTH=<>"},
    {WORDS("--auth-param", "<>"), " AUTH=<>"},
};

TEST(mail_options, each_is_the_parameter_of_mail_that_its_rfc_has)
{
    for (size_t i = 0; i < sizeof mail_rows / sizeof *mail_rows; i++) {
        struct given given;
        struct smtp_buffer line = SMTP_BUFFER(1024);
        struct smtp_error error = {.status = SMTP_OK};
        expect_true(give(&given, mail_rows[i].words));
        expect_int(smtp_client_mail_options_append(&line, &given.options.mail, &error), SMTP_OK);
        expect_int(smtp_buffer_append(&line, "", 1), SMTP_OK);
        expect_str(smtp_buffer_span(&line).bytes, mail_rows[i].parameters);
        smtp_buffer_free(&line);
        smtp_cli_mail_options_clear(&given.options);
    }
}

TEST(mail_options, body_and_smtputf8_are_for_the_client_to_declare)
{
    static const enum smtp_body bodies[] = {SMTP_BODY_7BIT, SMTP_BODY_8BITMIME,
                                            SMTP_BODY_BINARYMIME};
    const char *const names[] = {"7bit", "8BITMIME", "BinaryMIME"};
    struct given given;
    for (size_t i = 0; i < 3; i++) {
        expect_true(give(&given, WORDS("-B", names[i])));
        expect_int(given.options.mail.body, bodies[i]);
        smtp_cli_mail_options_clear(&given.options);
    }
    expect_true(give(&given, WORDS("--smtputf8")));
    expect_int(given.options.mail.body, SMTP_BODY_DETECT);
    expect_true(given.options.mail.smtputf8);
    smtp_cli_mail_options_clear(&given.options);
}

/* ---- of RCPT ---- */

static const char *const recipients[] = {"bob@example.com", "carol@example.com"};
static const struct smtp_envelope to_two = {.forward_paths = recipients, .forward_path_count = 2};

TEST(mail_options, those_of_rcpt_are_for_each_recipient)
{
    struct given given;
    struct smtp_cli_mail_asked asked = {0};
    struct smtp_envelope envelope = to_two;
    expect_true(
        give(&given, WORDS("-N", "success,Delay", "--orcpt", "old@example.com", "--rcpt-parameter",
                           "XA=1", "--rcpt-parameter", "XB", "--mail-parameter", "XC=2")));
    expect_true(smtp_cli_mail_asked_fill(&asked, &given.options, &envelope));
    for (size_t i = 0; i < 2; i++) {
        expect_int(envelope.rcpt[i].notify, SMTP_NOTIFY_SUCCESS | SMTP_NOTIFY_DELAY);
        expect_str(envelope.rcpt[i].original_recipient, "old@example.com");
        expect_str(envelope.rcpt_parameters[i], "XA=1 XB");
    }
    expect_str(envelope.mail_parameters, "XC=2");
    smtp_cli_mail_asked_clear(&asked);
    smtp_cli_mail_options_clear(&given.options);
}

TEST(mail_options, original_recipients_are_one_for_all_or_one_each)
{
    struct given given;
    struct smtp_cli_mail_asked asked = {0};
    struct smtp_envelope envelope = to_two;
    expect_true(give(&given, WORDS("--orcpt", "a@x", "--orcpt", "b@x")));
    expect_true(smtp_cli_mail_asked_fill(&asked, &given.options, &envelope));
    expect_str(envelope.rcpt[0].original_recipient, "a@x");
    expect_str(envelope.rcpt[1].original_recipient, "b@x");
    expect_true(envelope.rcpt_parameters == NULL && envelope.mail_parameters == NULL);
    smtp_cli_mail_asked_clear(&asked);
    smtp_cli_mail_options_clear(&given.options);
}

/* ---- what is none ---- */

/** What was said on standard error of words that cannot be applied, freed by the caller. */
static char *refuse(struct given *given, const char *const *words)
{
    int saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0), file = memfd_create("said", MFD_CLOEXEC);
    char *said = calloc(1, 512);
    expect_true(saved >= 0 && file >= 0 && said != NULL);
    expect_int(dup2(file, STDERR_FILENO), STDERR_FILENO);
    bool taken = give(given, words);
    expect_int(dup2(saved, STDERR_FILENO), STDERR_FILENO);
    expect_true(pread(file, said, 511, 0) >= 0);
    close(saved);
    close(file);
    if (taken) {
        SMTP_TEST_FAIL("%s %s was taken", words[0], words[1] != NULL ? words[1] : "");
    }
    return said;
}

TEST(mail_options, values_that_are_none_are_refused_with_the_option_s_name)
{
    const struct {
        const char *said;
        const char *const *words;
    } rows[] = {
        {"--body takes 7BIT", WORDS("-B", "8BIT")},
        {"not ''", WORDS("-B", "")},
        {"--ret takes full or hdrs, not 'header'", WORDS("-R", "header")},
        {"--notify takes never", WORDS("-N", "")},
        {"--notify takes never", WORDS("-N", "success,")},
        {"--notify takes never", WORDS("-N", "never,never,failure")},
        {"--notify takes never", WORDS("-N", "success failure")},
        {"--by takes SECONDS;MODE", WORDS("--by", "")},
        {"--by takes SECONDS;MODE", WORDS("--by", "120")},
        {"--by takes SECONDS;MODE", WORDS("--by", "120;")},
        {"--by takes SECONDS;MODE", WORDS("--by", ";R")},
        {"--by takes SECONDS;MODE", WORDS("--by", "+120;R")},
        {"--by takes SECONDS;MODE", WORDS("--by", "0;R")},
        {"--by takes SECONDS;MODE", WORDS("--by=-1;R")},
        {"--by takes SECONDS;MODE", WORDS("--by", "120;RN")},
        {"--by takes SECONDS;MODE", WORDS("--by", "1000000000;N")},
        {"--priority takes a number from -9 to 9", WORDS("--priority", "10")},
        {"--priority takes a number from -9 to 9", WORDS("--priority=-10")},
        {"--priority takes a number from -9 to 9", WORDS("--priority", "+1")},
        {"--priority takes a number from -9 to 9", WORDS("--priority", "")},
        {"--priority takes a number from -9 to 9", WORDS("--priority=-")},
        {"--hold-for and --hold-until exclude each other",
         WORDS("--hold-for", "1", "--hold-until", "2026-12-24T18:00:00Z")},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct given given;
        char *said = refuse(&given, rows[i].words);
        expect_contains(said, rows[i].said);
        free(said);
        smtp_cli_mail_options_clear(&given.options);
    }
}
