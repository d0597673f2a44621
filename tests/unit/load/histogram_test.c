/* histogram_test.c - harness/load/histogram.c: percentiles that are true to 1.6 %, and never too short. */
#include "harness/load/histogram.h"
#include "tests/support/test.h"

static struct smtp_histogram *make(void)
{
    return calloc(1, sizeof(struct smtp_histogram));
}

TEST(histogram, each_time_falls_into_a_bucket_whose_top_is_at_most_a_64th_above_it)
{
    for (uint64_t ns = 0; ns < UINT64_C(1) << 41; ns = ns + 1 + ns / 37) {
        size_t bucket = smtp_histogram_bucket(ns);
        uint64_t top_ns = smtp_histogram_bucket_top_ns(bucket);
        expect_true(bucket < SMTP_HISTOGRAM_BUCKETS);
        expect_true(top_ns >= ns);
        expect_true(top_ns - ns <= ns / 64);
        expect_true(bucket == 0 || smtp_histogram_bucket_top_ns(bucket - 1) < ns);
        expect_true(smtp_histogram_bucket(top_ns) == bucket);
    }
}

TEST(histogram, a_time_beyond_the_last_bucket_is_in_the_last_and_keeps_its_maximum)
{
    struct smtp_histogram *histogram = make();
    smtp_histogram_add(histogram, UINT64_MAX);
    expect_int(histogram->buckets[SMTP_HISTOGRAM_BUCKETS - 1], 1);
    expect_true(histogram->max_ns == UINT64_MAX);
    expect_true(smtp_histogram_percentile(histogram, 100) == UINT64_MAX);
    free(histogram);
}

TEST(histogram, percentiles_are_of_the_times_that_were_added)
{
    struct smtp_histogram *histogram = make();
    expect_int(smtp_histogram_percentile(histogram, 50), 0);
    for (uint64_t ns = 1; ns <= 1000; ns++) {
        smtp_histogram_add(histogram, ns * 1000);
    }
    const struct {
        double percent;
        uint64_t ns;
    } wanted[] = {{0, 1000},    {50, 500000},   {90, 900000},
                  {99, 990000}, {99.9, 999000}, {100, 1000000}};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        uint64_t ns = smtp_histogram_percentile(histogram, wanted[i].percent);
        expect_true(ns >= wanted[i].ns);
        expect_true(ns <= wanted[i].ns + wanted[i].ns / 64);
    }
    expect_int(histogram->max_ns, 1000000);
    free(histogram);
}

TEST(histogram, two_added_up_are_as_one_that_had_all)
{
    struct smtp_histogram *one = make(), *other = make(), *all = make();
    for (uint64_t i = 0; i < 500; i++) {
        uint64_t ns = i * i * 31;
        smtp_histogram_add(i % 3 == 0 ? one : other, ns);
        smtp_histogram_add(all, ns);
    }
    smtp_histogram_merge(one, other);
    expect_true(memcmp(one, all, sizeof *all) == 0);
    free(one);
    free(other);
    free(all);
}
