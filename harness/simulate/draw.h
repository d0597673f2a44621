/* draw.h - numbers by chance that are the same for the same seed, on any machine. Knows no simulation. */
#ifndef SMTP_HARNESS_SIMULATE_DRAW_H
#define SMTP_HARNESS_SIMULATE_DRAW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Where a sequence stands: SplitMix64 (Steele, Lea, Flood 2014). */
struct smtp_draw {
    uint64_t state;
};

static inline uint64_t smtp_draw_next(struct smtp_draw *draw)
{
    uint64_t z = draw->state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/** The sequence of one run of a seed: as different from the next run's as from another seed's. */
static inline struct smtp_draw smtp_draw_of(uint64_t seed, uint64_t run)
{
    struct smtp_draw of_seed = {seed};
    return (struct smtp_draw){smtp_draw_next(&of_seed) ^ (run * 0xd1342543de82ef95u)};
}

/** 0 to limit - 1; limit: 1 to 2^32. */
static inline uint64_t smtp_draw_below(struct smtp_draw *draw, uint64_t limit)
{
    return ((smtp_draw_next(draw) >> 32) * limit) >> 32;
}

static inline bool smtp_draw_percent(struct smtp_draw *draw, unsigned percent)
{
    return smtp_draw_below(draw, 100) < percent;
}

#endif
