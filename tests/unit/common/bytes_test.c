/* bytes_test.c - common/bytes.c */
#include "common/bytes.h"
#include "tests/support/test.h"

TEST(buffer, never_grows_beyond_its_bound)
{
    struct smtp_buffer buffer = SMTP_BUFFER(4);
    expect_int(smtp_buffer_append(&buffer, "abcd", 4), SMTP_OK);
    expect_int(smtp_buffer_append(&buffer, "e", 1), SMTP_LIMIT_EXCEEDED);
    expect_bytes(smtp_buffer_span(&buffer).bytes, buffer.len, "abcd", 4);
    smtp_buffer_free(&buffer);
}

TEST(buffer, takes_from_the_front_and_reuses_the_room)
{
    struct smtp_buffer buffer = SMTP_BUFFER(256);
    for (int i = 0; i < 1000; i++) {
        expect_int(smtp_buffer_append(&buffer, "0123456789", 10), SMTP_OK);
        if (i >= 10) {
            expect_bytes(smtp_buffer_span(&buffer).bytes, 10, "0123456789", 10);
            smtp_buffer_take(&buffer, 10);
        }
    }
    expect_int(buffer.len, 100);
    expect_int(buffer.capacity, 256);
    smtp_buffer_free(&buffer);
}

TEST(span, reads_decimal_numbers_up_to_a_bound)
{
    uint64_t value = 0;
    expect_true(smtp_span_to_u64(SMTP_SPAN("18446744073709551615"), UINT64_MAX, &value));
    expect_true(value == UINT64_MAX);
    expect_true(!smtp_span_to_u64(SMTP_SPAN("18446744073709551616"), UINT64_MAX, &value));
    expect_true(!smtp_span_to_u64(SMTP_SPAN("8"), 7, &value));
    expect_true(!smtp_span_to_u64(SMTP_SPAN(""), 7, &value));
    expect_true(!smtp_span_to_u64(SMTP_SPAN("-1"), 7, &value));
    expect_true(!smtp_span_to_u64(SMTP_SPAN("1 "), 7, &value));
}

/* In front of it stands what was taken already. */
TEST(buffer, what_waits_stays_whole_when_the_storage_grows_or_is_used_again)
{
    struct smtp_buffer buffer = SMTP_BUFFER(1 << 20);
    unsigned char next_in = 0, next_out = 0;
    for (int round = 0; round < 2000; round++) {
        for (int i = 0; i < 7 + round % 5; i++) {
            expect_int(smtp_buffer_append(&buffer, &next_in, 1), SMTP_OK);
            next_in++;
        }
        for (int i = 0; i < 5; i++) {
            expect_int((unsigned char)smtp_buffer_span(&buffer).bytes[0], next_out);
            smtp_buffer_take(&buffer, 1);
            next_out++;
        }
    }
    while (buffer.len > 0) {
        expect_int((unsigned char)smtp_buffer_span(&buffer).bytes[0], next_out);
        smtp_buffer_take(&buffer, 1);
        next_out++;
    }
    expect_int(next_out, next_in);
    smtp_buffer_free(&buffer);
}

TEST(buffer, storage_beyond_what_is_to_be_kept_is_given_back)
{
    struct smtp_buffer buffer = SMTP_BUFFER(1 << 20);
    expect_true(smtp_buffer_reserve(&buffer, 100000) != NULL);
    smtp_buffer_clear(&buffer, 1 << 20);
    expect_true(buffer.capacity >= 100000);
    smtp_buffer_clear(&buffer, 512);
    expect_int(buffer.capacity, 0);
    expect_int(buffer.max, 1 << 20);
    smtp_buffer_free(&buffer);
}

TEST(span, has_what_stands_in_it_anywhere)
{
    expect_true(smtp_span_has(SMTP_SPAN("a\0bc"), "bc"));
    expect_true(!smtp_span_has(SMTP_SPAN("abc"), "BC"));
    expect_true(!smtp_span_has(SMTP_SPAN("ab"), "abc"));
    expect_true(!smtp_span_has((struct smtp_span){NULL, 0}, "a"));
    expect_true(smtp_span_has_nocase(SMTP_SPAN("a\0bc"), "BC"));
    expect_true(!smtp_span_has_nocase(SMTP_SPAN("[b"), "{B"));
    expect_true(!smtp_span_has_nocase((struct smtp_span){NULL, 0}, "a"));
}

TEST(span, of_printable_ascii_alone_is_printable_wherever_another_octet_stands)
{
    char text[40];
    for (size_t len = 0; len < sizeof text; len++) {
        memset(text, ' ', len);
        memset(text, '~', len / 2);
        expect_true(smtp_is_printable((struct smtp_span){text, len}));
        for (size_t at = 0; at < len; at++) {
            char kept = text[at];
            for (int octet = 0; octet < 256; octet++) {
                text[at] = (char)octet;
                expect_int(smtp_is_printable((struct smtp_span){text, len}),
                           octet >= 32 && octet < 127);
            }
            text[at] = kept;
        }
    }
}

TEST(number, is_written_in_digits)
{
    const struct {
        uint64_t number;
        const char *digits;
    } rows[] = {
        {0, "0"}, {7, "7"}, {10, "10"}, {1024, "1024"}, {UINT64_MAX, "18446744073709551615"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char digits[SMTP_U64_DIGITS_MAX];
        size_t len = smtp_u64_write(rows[i].number, digits);
        expect_bytes(digits, len, rows[i].digits, strlen(rows[i].digits));
    }
}
