/* settings_test.c - server/settings.c: what of the options a session is made for. */
#include "server/settings.h"
#include "tests/support/test.h"

#include <time.h>

static struct smtp_server_keywords offered(const struct smtp_server_keywords *keywords)
{
    struct smtp_server_options options;
    struct smtp_server_settings settings;
    struct smtp_error error = {0};
    smtp_server_options_init(&options);
    options.keywords = *keywords;
    expect_int(smtp_server_settings_init(&settings, &options, &error), SMTP_OK);
    struct smtp_server_keywords result = settings.config.keywords;
    smtp_server_settings_clear(&settings);
    return result;
}

TEST(settings, smtputf8_is_not_offered_without_8bitmime_rfc6531_3_1)
{
    expect_true(
        offered(&(struct smtp_server_keywords){.smtputf8 = true, .eight_bit_mime = true}).smtputf8);
    expect_true(!offered(&(struct smtp_server_keywords){.smtputf8 = true}).smtputf8);
    expect_true(!offered(&(struct smtp_server_keywords){.eight_bit_mime = true}).smtputf8);
}

TEST(settings, binarymime_is_not_offered_without_chunking_and_8bitmime_rfc3030_3)
{
    expect_true(offered(&(struct smtp_server_keywords){
                            .binary_mime = true, .chunking = true, .eight_bit_mime = true})
                    .binary_mime);
    expect_true(!offered(&(struct smtp_server_keywords){.binary_mime = true, .chunking = true})
                     .binary_mime);
    expect_true(
        !offered(&(struct smtp_server_keywords){.binary_mime = true, .eight_bit_mime = true})
             .binary_mime);
}

TEST(settings, keywords_that_need_a_clock_or_trust_are_off_by_default)
{
    struct smtp_server_options options;
    smtp_server_options_init(&options);
    struct smtp_server_keywords by_default = offered(&options.keywords);
    expect_true(!by_default.future_release && !by_default.deliver_by && !by_default.mt_priority &&
                !by_default.xclient);
    expect_true(by_default.smtputf8 && by_default.binary_mime && by_default.dsn &&
                by_default.require_tls && by_default.limits);
}

TEST(settings, seconds_of_futurerelease_and_deliverby_have_nine_digits_at_most_rfc4865_4_1)
{
    struct smtp_server_options options;
    struct smtp_server_settings settings;
    struct smtp_error error = {0};
    smtp_server_options_init(&options);
    options.limits.hold_s = 1000000000;
    expect_int(smtp_server_settings_init(&settings, &options, &error), SMTP_BAD_ARGUMENT);
    expect_contains(error.message, "limits.hold_s must be from 0 to 999999999");
    options.limits.hold_s = 999999999;
    options.limits.deliver_by_s = 1000000000;
    expect_int(smtp_server_settings_init(&settings, &options, &error), SMTP_BAD_ARGUMENT);
    expect_contains(error.message, "limits.deliver_by_s must be from 0 to 999999999");
    options.limits.deliver_by_s = 999999999;
    expect_int(smtp_server_settings_init(&settings, &options, &error), SMTP_OK);
    smtp_server_settings_clear(&settings);
}

TEST(settings, the_time_of_day_is_in_seconds)
{
    struct smtp_server_options options;
    struct smtp_server_settings settings;
    struct smtp_error error = {0};
    smtp_server_options_init(&options);
    expect_int(smtp_server_settings_init(&settings, &options, &error), SMTP_OK);
    int64_t before = (int64_t)time(NULL);
    int64_t now = settings.config.unix_time_s();
    expect_true(now >= before - 1 && now <= (int64_t)time(NULL) + 1);
    smtp_server_settings_clear(&settings);
}
