/* secret_test.c - common/secret.c */
#include "common/secret.h"
#include "tests/support/test.h"

/* RFC 4648 10, and octets with their high bit set. */
static const struct {
    const char *octets, *text;
} vectors[] = {
    {"", ""},
    {"f", "Zg=="},
    {"fo", "Zm8="},
    {"foo", "Zm9v"},
    {"foob", "Zm9vYg=="},
    {"fooba", "Zm9vYmE="},
    {"foobar", "Zm9vYmFy"},
    {"\xFB\xEF\xFF", "++//"},
    {"\xFF\xFE", "//4="},
};
#define VECTORS (sizeof vectors / sizeof *vectors)

TEST(base64, the_vectors_of_rfc4648_s10_both_ways)
{
    for (size_t i = 0; i < VECTORS; i++) {
        struct smtp_buffer out = SMTP_BUFFER(64);
        expect_int(smtp_base64_append(&out, smtp_span_of(vectors[i].octets)), SMTP_OK);
        expect_bytes(smtp_buffer_span(&out).bytes, out.len, vectors[i].text,
                     strlen(vectors[i].text));
        smtp_buffer_clear(&out, 64);
        expect_int(smtp_base64_decode(&out, smtp_span_of(vectors[i].text)), SMTP_OK);
        expect_bytes(smtp_buffer_span(&out).bytes, out.len, vectors[i].octets,
                     strlen(vectors[i].octets));
        smtp_buffer_free(&out);
    }
}

TEST(base64, every_octet_and_every_length_survives)
{
    char octets[300];
    for (size_t i = 0; i < sizeof octets; i++) {
        octets[i] = (char)(i * 7);
    }
    for (size_t len = 0; len <= sizeof octets; len++) {
        struct smtp_buffer text = SMTP_BUFFER(500), again = SMTP_BUFFER(sizeof octets);
        expect_int(smtp_base64_append(&text, (struct smtp_span){octets, len}), SMTP_OK);
        expect_int(smtp_base64_decode(&again, smtp_buffer_span(&text)), SMTP_OK);
        expect_bytes(smtp_buffer_span(&again).bytes, again.len, octets, len);
        smtp_buffer_free(&text);
        smtp_buffer_free(&again);
    }
}

TEST(base64, what_is_none_is_refused_and_adds_nothing_rfc4648_s3)
{
    static const char *const bad[] = {
        "Z",          "Zg",       "Zg=",      "Zm9",      "=",      "==",           "====",
        "Z===",       "Zg==Zg==", "Zm8=Zm8=", "Zg=v",     "=Zg=",   "Zh==",         "Zm9=",
        "Zm+/=",      "Zg== ",    " Zg==",    "Zg==\r\n", "\nZg==", "Zm9v\r\nYmFy", "Zm9vYmE",
        "Zm9-",       "Zm9_",     "Zm9*",     "Zm 9v",    "Zm9v=",  "Zm9v====",     "Zm9\x80",
        "\xC3\xBCm9", "Zg==A",    "*",        "Zm9vZ===",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct smtp_buffer out = SMTP_BUFFER(64);
        expect_int(smtp_buffer_append(&out, "x", 1), SMTP_OK);
        if (smtp_base64_decode(&out, smtp_span_of(bad[i])) != SMTP_BAD_ARGUMENT) {
            expect_str("refused", bad[i]);
        }
        expect_bytes(smtp_buffer_span(&out).bytes, out.len, "x", 1);
        smtp_buffer_free(&out);
    }
    struct smtp_buffer out = SMTP_BUFFER(64);
    expect_int(smtp_base64_decode(&out, SMTP_SPAN("Zm\0v")), SMTP_BAD_ARGUMENT);
    expect_int(smtp_base64_decode(&out, SMTP_SPAN("Zg==\0\0\0\0")), SMTP_BAD_ARGUMENT);
    expect_int(out.len, 0);
    smtp_buffer_free(&out);
}

/* Of the 64 characters before "==" the four that leave no bit over, of those before "=" sixteen. */
TEST(base64, bits_left_over_must_be_zero_rfc4648_s3_5)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (unsigned i = 0; i < 64; i++) {
        struct smtp_buffer out = SMTP_BUFFER(64);
        char one[] = {'A', alphabet[i], '=', '='}, two[] = {'A', 'A', alphabet[i], '='};
        expect_int(smtp_base64_decode(&out, (struct smtp_span){one, 4}),
                   i % 16 == 0 ? SMTP_OK : SMTP_BAD_ARGUMENT);
        expect_int(smtp_base64_decode(&out, (struct smtp_span){two, 4}),
                   i % 4 == 0 ? SMTP_OK : SMTP_BAD_ARGUMENT);
        smtp_buffer_free(&out);
    }
}

TEST(base64, fits_to_the_last_octet_and_no_further)
{
    struct smtp_buffer out = SMTP_BUFFER(4);
    expect_int(smtp_base64_append(&out, SMTP_SPAN("foob")), SMTP_LIMIT_EXCEEDED);
    expect_int(smtp_base64_append(&out, SMTP_SPAN("foo")), SMTP_OK);
    expect_bytes(smtp_buffer_span(&out).bytes, out.len, "Zm9v", 4);
    smtp_buffer_clear(&out, 0);
    expect_int(smtp_base64_decode(&out, SMTP_SPAN("Zm9vYmE=")), SMTP_LIMIT_EXCEEDED);
    expect_int(smtp_base64_decode(&out, SMTP_SPAN("Zm9vYg==")), SMTP_OK);
    expect_bytes(smtp_buffer_span(&out).bytes, out.len, "foob", 4);
    smtp_buffer_free(&out);
}

TEST(secret, is_equal_only_in_all_octets_and_length)
{
    expect_true(smtp_secret_equal(SMTP_SPAN("tanstaaf"), SMTP_SPAN("tanstaaf")));
    expect_true(smtp_secret_equal(SMTP_SPAN(""), SMTP_SPAN("")));
    expect_true(smtp_secret_equal((struct smtp_span){NULL, 0}, SMTP_SPAN("")));
    expect_true(smtp_secret_equal(SMTP_SPAN("a\0b"), SMTP_SPAN("a\0b")));
    expect_true(!smtp_secret_equal(SMTP_SPAN("a\0b"), SMTP_SPAN("a\0c")));
    expect_true(!smtp_secret_equal(SMTP_SPAN("tanstaaf"), SMTP_SPAN("tanstaaF")));
    expect_true(!smtp_secret_equal(SMTP_SPAN("tanstaaf"), SMTP_SPAN("Tanstaaf")));
    expect_true(!smtp_secret_equal(SMTP_SPAN("tanstaaf"), SMTP_SPAN("tanstaa")));
    expect_true(!smtp_secret_equal(SMTP_SPAN("tanstaa"), SMTP_SPAN("tanstaaf")));
    expect_true(!smtp_secret_equal(SMTP_SPAN("tanstaaf"), SMTP_SPAN("")));
    expect_true(!smtp_secret_equal(SMTP_SPAN(""), SMTP_SPAN("tanstaaf")));
}

TEST(secret, wiping_leaves_nothing)
{
    char secret[] = "tanstaaftanstaaf";
    smtp_secret_wipe(secret, sizeof secret);
    for (size_t i = 0; i < sizeof secret; i++) {
        expect_int(secret[i], 0);
    }
    smtp_secret_wipe(NULL, 0);
    smtp_secret_free(NULL);
    smtp_secret_free(strdup("tanstaaf"));
    struct smtp_buffer buffer = SMTP_BUFFER(64);
    smtp_secret_free_buffer(&buffer);
    expect_int(smtp_buffer_append(&buffer, "tanstaaf", 8), SMTP_OK);
    smtp_secret_free_buffer(&buffer);
    expect_int(buffer.len, 0);
    expect_int(buffer.max, 64);
}
