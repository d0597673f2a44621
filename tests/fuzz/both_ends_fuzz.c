/* both_ends_fuzz.c - the client's core against the server's, between them a network and a clock, with faults: the simulation
 * (harness/simulate) with its chance taken from the input, and all that it says must hold. Does not know SMTP. */
#include "harness/simulate/world.h"
#include "tests/fuzz/fuzz.h"

static struct fuzz_input drawn;

uint64_t fuzz_drawn(struct smtp_draw *draw, unsigned octets)
{
    uint64_t number = 0;
    if (drawn.len == 0) { /* SplitMix64, as in draw.h */
        uint64_t z = draw->state += 0x9e3779b97f4a7c15u;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        return (z ^ (z >> 31)) >> (64 - 8 * octets);
    }
    for (unsigned i = 0; i < octets; i++) {
        number = number << 8 | fuzz_octet(&drawn);
    }
    return number;
}

int LLVMFuzzerTestOneInput(const uint8_t *octets, size_t len)
{
    static struct smtp_sim_counts counts;
    static struct smtp_sim_world *world;
    if (world == NULL) {
        world = smtp_sim_world_new(&counts);
        FUZZ_HOLDS(world != NULL);
    }
    drawn = (struct fuzz_input){octets, len};
    const char *breach = smtp_sim_world_run(world, 1, 1, NULL, NULL);
    if (breach != NULL) {
        fuzz_breach(__FILE__, __LINE__, "%s", breach);
    }
    return 0;
}
