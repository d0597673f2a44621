/* letter_test.c - harness/simulate/letter.c: what must arrive is worked out right, by another way than the client's. */
#include "client/protocol/content.h"
#include "harness/simulate/letter.h"
#include "tests/support/test.h"

/* RFC 5321 2.3.8, 4.5.2: the client's encoder adds dots, which the server takes away, and the end mark. */
TEST(letter, what_is_expected_is_what_the_encoder_makes_without_its_dots)
{
    struct smtp_draw draw = smtp_draw_of(11, 0);
    struct smtp_sim_letter letter = {.number = 0};
    for (size_t i = 0; i < 2000; i++) {
        smtp_sim_letter_draw(&letter, i % 10, &draw);
        if (letter.mail.body == SMTP_BODY_BINARYMIME) {
            continue;
        }
        struct smtp_span source = smtp_buffer_span(&letter.source);
        struct smtp_span expected = smtp_buffer_span(&letter.expected);
        struct smtp_client_encoder encoder;
        char *made = malloc(2 * source.len + 8);
        smtp_client_encoder_init(&encoder);
        encoder.chunked = true; /* no dots */
        size_t len = smtp_client_encoder_feed(&encoder, source.bytes, source.len, made);
        len += smtp_client_encoder_finish(&encoder, made + len);
        expect_true(smtp_span_equal((struct smtp_span){made, len}, expected));
        free(made);
    }
    smtp_sim_letter_free(&letter);
}

TEST(letter, its_number_is_in_its_reverse_path)
{
    expect_int(smtp_sim_letter_number("l12@sim.test"), 12);
    expect_true(smtp_sim_letter_number("x12@sim.test") == SIZE_MAX);
    expect_true(smtp_sim_letter_number("l@sim.test") == SIZE_MAX);
    expect_true(smtp_sim_letter_number("") == SIZE_MAX);
}
