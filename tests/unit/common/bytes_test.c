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
