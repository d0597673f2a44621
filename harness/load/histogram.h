/* histogram.h - how often something took how long, kept so that percentiles are true to 1.6 % whatever the range, and two
 * can be added up. Knows nothing of what is measured. */
#ifndef SMTP_HARNESS_LOAD_HISTOGRAM_H
#define SMTP_HARNESS_LOAD_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

/* 64 buckets for each doubling, from 64 ns to 2^42 ns (73 minutes); below that one a nanosecond. */
#define SMTP_HISTOGRAM_PART_BITS 6
#define SMTP_HISTOGRAM_BITS 42
#define SMTP_HISTOGRAM_BUCKETS                                                                     \
    ((SMTP_HISTOGRAM_BITS - SMTP_HISTOGRAM_PART_BITS + 1) << SMTP_HISTOGRAM_PART_BITS)

/** All zero: empty. */
struct smtp_histogram {
    uint64_t buckets[SMTP_HISTOGRAM_BUCKETS];
    uint64_t count;
    uint64_t max_ns;
};

void smtp_histogram_add(struct smtp_histogram *histogram, uint64_t ns);
void smtp_histogram_merge(struct smtp_histogram *histogram, const struct smtp_histogram *other);
/** As long as that, or less, took so many percent (0 to 100) of them: never less than it was; 0 where there is none. */
uint64_t smtp_histogram_percentile(const struct smtp_histogram *histogram, double percent);

/** The longest time that falls into a bucket. */
uint64_t smtp_histogram_bucket_top_ns(size_t bucket);
/** The bucket of a time. */
size_t smtp_histogram_bucket(uint64_t ns);

#endif
