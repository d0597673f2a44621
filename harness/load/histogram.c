/* histogram.c - see histogram.h. */
#include "harness/load/histogram.h"

#include <stdbool.h>

#define PARTS ((uint64_t)1 << SMTP_HISTOGRAM_PART_BITS)

size_t smtp_histogram_bucket(uint64_t ns)
{
    const uint64_t longest = ((uint64_t)1 << SMTP_HISTOGRAM_BITS) - 1;
    uint64_t within = ns < longest ? ns : longest;
    if (within < PARTS) {
        return (size_t)within;
    }
    unsigned doubling = 63u - (unsigned)__builtin_clzll(within); /* at least PART_BITS */
    unsigned shift = doubling - SMTP_HISTOGRAM_PART_BITS;
    return (size_t)((uint64_t)(shift + 1) * PARTS + ((within >> shift) - PARTS));
}

uint64_t smtp_histogram_bucket_top_ns(size_t bucket)
{
    uint64_t doublings = bucket / PARTS, part = bucket % PARTS;
    if (doublings == 0) {
        return part;
    }
    return ((PARTS + part + 1) << (doublings - 1)) - 1;
}

void smtp_histogram_add(struct smtp_histogram *histogram, uint64_t ns)
{
    histogram->buckets[smtp_histogram_bucket(ns)]++;
    histogram->count++;
    histogram->max_ns = ns > histogram->max_ns ? ns : histogram->max_ns;
}

void smtp_histogram_merge(struct smtp_histogram *histogram, const struct smtp_histogram *other)
{
    for (size_t i = 0; i < SMTP_HISTOGRAM_BUCKETS; i++) {
        histogram->buckets[i] += other->buckets[i];
    }
    histogram->count += other->count;
    histogram->max_ns = other->max_ns > histogram->max_ns ? other->max_ns : histogram->max_ns;
}

uint64_t smtp_histogram_percentile(const struct smtp_histogram *histogram, double percent)
{
    double wanted = (double)histogram->count * percent / 100;
    uint64_t seen = 0;
    for (size_t i = 0; i < SMTP_HISTOGRAM_BUCKETS && histogram->count > 0; i++) {
        seen += histogram->buckets[i];
        if (seen > 0 && (double)seen >= wanted) {
            uint64_t top_ns = smtp_histogram_bucket_top_ns(i);
            bool is_last = i + 1 == SMTP_HISTOGRAM_BUCKETS; /* and has no top */
            return top_ns < histogram->max_ns && !is_last ? top_ns : histogram->max_ns;
        }
    }
    return histogram->max_ns;
}
