/* sasl_scram_test.c - SCRAM against the exchanges that RFC 5802 and RFC 7677 print, to the last octet. */
#include "client/protocol/auth.h"
#include "client/sasl_scram.h"
#include "common/secret.h"
#include "tests/support/test.h"

/* A printed exchange. */
struct printed {
    struct smtp_client_scram_options options;
    const char *client_first, *server_first, *client_final, *server_final;
};

#define NONCE_1 "fyko+d2lbbFgONRv9qkxdawL"
#define NONCE_256 "rOprNGfwEbeRWgbNEkqO"
#define USER .flag = "n", .binding = {"", 0}, .identity = "user", .password = "pencil"

static const struct printed rfc5802 = {
    {USER, .nonce = NONCE_1},
    "n,,n=user,r=" NONCE_1,
    "r=" NONCE_1 "3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
    "c=biws,r=" NONCE_1 "3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
    "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
};
static const struct printed rfc7677 = {
    {USER, .sha256 = true, .nonce = NONCE_256},
    "n,,n=user,r=" NONCE_256,
    "r=" NONCE_256 "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
    "c=biws,r=" NONCE_256 "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
    "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
    "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
};

static void expect_said(struct smtp_client_scram *scram, const char *challenge, const char *answer)
{
    struct smtp_buffer said = SMTP_BUFFER(SMTP_CLIENT_RESPONSE_MAX);
    struct smtp_error error = {0};
    expect_int(smtp_client_scram_answer(scram, smtp_span_of(challenge), &said, &error), SMTP_OK);
    struct smtp_span span = smtp_buffer_span(&said);
    expect_bytes(span.bytes, span.len, answer, strlen(answer));
    smtp_buffer_free(&said);
}

/* Up to the server's last message. */
static struct smtp_client_scram *play(const struct printed *printed)
{
    struct smtp_client_scram *scram = NULL;
    struct smtp_error error = {0};
    expect_int(smtp_client_scram_new(&scram, &printed->options, &error), SMTP_OK);
    expect_said(scram, "", printed->client_first);
    expect_said(scram, printed->server_first, printed->client_final);
    expect_true(!smtp_client_scram_is_complete(scram));
    return scram;
}

static void expect_printed(const struct printed *printed)
{
    struct smtp_client_scram *scram = play(printed);
    expect_said(scram, printed->server_final, "");
    expect_true(smtp_client_scram_is_complete(scram));
    smtp_client_scram_free(scram);
}

TEST(sasl_scram, rfc5802_5_example_with_sha_1)
{
    expect_printed(&rfc5802);
}

TEST(sasl_scram, rfc7677_3_example_with_sha_256)
{
    expect_printed(&rfc7677);
}

/* RFC 5802 5: each octet of the signature counts, and there is no less and no more of it */
TEST(sasl_scram, a_signature_wrong_in_one_octet_is_wrong)
{
    const char *right = rfc5802.server_final;
    for (size_t at = 2; at < strlen(right) - 1; at++) {
        char final[64];
        struct smtp_error error = {0};
        struct smtp_client_scram *scram = play(&rfc5802);
        struct smtp_buffer said = SMTP_BUFFER(SMTP_CLIENT_RESPONSE_MAX);
        snprintf(final, sizeof final, "%s", right);
        final[at] = final[at] == 'A' ? 'E' : 'A';
        expect_int(smtp_client_scram_answer(scram, smtp_span_of(final), &said, &error),
                   SMTP_PROTOCOL_VIOLATION);
        expect_contains(error.message, "signature is wrong");
        expect_true(!smtp_client_scram_is_complete(scram));
        smtp_buffer_free(&said);
        smtp_client_scram_free(scram);
    }
}

/* RFC 5802 2.2 and 5.1, RFC 4013 3: U+00AD is left out, U+00AA becomes "a", and nothing is no name */
TEST(sasl_scram, identity_and_password_go_through_saslprep)
{
    struct printed prepared = rfc5802;
    prepared.options.identity = "u\xC2\xADser";
    prepared.options.password = "p\xC2\xAD"
                                "encil";
    expect_printed(&prepared);
    prepared.options.identity = "\xC2\xAA,=";
    prepared.client_first = "n,,n=a=2C=3D,r=" NONCE_1;
    struct smtp_client_scram *scram = NULL;
    struct smtp_error error = {0};
    expect_int(smtp_client_scram_new(&scram, &prepared.options, &error), SMTP_OK);
    expect_said(scram, "", prepared.client_first);
    smtp_client_scram_free(scram);
    prepared.options.identity = "\xC2\xAD";
    expect_int(smtp_client_scram_new(&scram, &prepared.options, &error), SMTP_BAD_ARGUMENT);
    expect_contains(error.message, "nothing of the identity");
    expect_true(scram == NULL);
}

TEST(sasl_scram, an_identity_that_fits_into_no_line_is_told)
{
    static char name[5 * SMTP_CLIENT_RESPONSE_MAX];
    struct smtp_client_scram_options options = rfc5802.options;
    struct smtp_client_scram *scram = NULL;
    struct smtp_error error = {0};
    memset(name, 'n', sizeof(name) - 1);
    options.identity = name;
    expect_int(smtp_client_scram_new(&scram, &options, &error), SMTP_LIMIT_EXCEEDED);
    expect_contains(error.message, "too long");
    expect_true(scram == NULL);
}
