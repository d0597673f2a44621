/* drawn.h - in place of harness/simulate/draw.h, for the target both_ends: what the simulation draws by chance are the
 * octets of the input; behind its end chance goes on from there. Knows no simulation. */
#ifndef SMTP_HARNESS_SIMULATE_DRAW_H
#define SMTP_HARNESS_SIMULATE_DRAW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct smtp_draw {
    uint64_t state;
};

/** Of `octets` octets of the input, 1 to 8. */
uint64_t fuzz_drawn(struct smtp_draw *draw, unsigned octets);

static inline uint64_t smtp_draw_next(struct smtp_draw *draw)
{
    return fuzz_drawn(draw, 8);
}

static inline struct smtp_draw smtp_draw_of(uint64_t seed, uint64_t run)
{
    return (struct smtp_draw){seed ^ run};
}

static inline uint64_t smtp_draw_below(struct smtp_draw *draw, uint64_t limit)
{
    return fuzz_drawn(draw, limit <= 256 ? 1 : limit <= 65536 ? 2 : 4) % limit;
}

static inline bool smtp_draw_percent(struct smtp_draw *draw, unsigned percent)
{
    return smtp_draw_below(draw, 100) < percent;
}

#endif
