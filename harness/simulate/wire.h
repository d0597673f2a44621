/* wire.h - one direction of a simulated connection: octets that were written, and when and in which pieces they can be
 * read. Knows: how a network treats octets. Does not know: what they say, clocks but the time it is told. */
#ifndef SMTP_HARNESS_SIMULATE_WIRE_H
#define SMTP_HARNESS_SIMULATE_WIRE_H

#include "common/bytes.h"
#include "common/deadline.h"
#include "harness/simulate/draw.h"

#define SMTP_SIM_SECOND_NS (1000 * SMTP_NS_PER_MS)

/** What becomes of a direction after so many octets. */
enum smtp_sim_break {
    SMTP_SIM_NO_BREAK,
    SMTP_SIM_DROP,       /* nothing more arrives, and nobody is told */
    SMTP_SIM_HALF_CLOSE, /* its reader sees the end; the other direction stays */
    SMTP_SIM_RESET,      /* both ends lose the connection, with all that is under way */
};

/** How it treats octets: fixed for a run. */
struct smtp_sim_manners {
    unsigned cut_percent;  /* of writes that arrive in two pieces; of reads that take only a part */
    unsigned late_percent; /* of pieces that do not arrive at once */
    uint64_t late_ns;      /* how late at most */
    size_t room;           /* octets under way, at most: a write takes what there is room for */
};

#define SMTP_SIM_PIECES 16

struct smtp_sim_wire {
    const struct smtp_sim_manners *manners; /* borrowed */
    struct smtp_draw *draw;                 /* borrowed: the run's */
    struct smtp_buffer octets;              /* under way, in order; owned */
    struct {
        size_t len;
        uint64_t due_ns;
    } pieces[SMTP_SIM_PIECES]; /* of them, a ring; what has no place joins the last */
    size_t first, count;
    uint64_t last_ns; /* when the last of them is due: none overtakes another */
    enum smtp_sim_break breaks;
    uint64_t breaks_at; /* after so many octets */
    uint64_t written;
    bool closed; /* by its writer, or by a half close: after the octets under way comes the end */
    uint64_t closed_ns;
    bool broken; /* what is written is lost */
};

/** For a new connection; the storage of the one before is kept. */
void smtp_sim_wire_open(struct smtp_sim_wire *wire, const struct smtp_sim_manners *manners,
                        struct smtp_draw *draw);
void smtp_sim_wire_free(struct smtp_sim_wire *wire);

/** How many octets it took: as many as there is room for. Those that are lost count as taken. */
size_t smtp_sim_wire_write(struct smtp_sim_wire *wire, struct smtp_span octets, uint64_t now_ns);
/** Its writer closes. */
void smtp_sim_wire_close(struct smtp_sim_wire *wire, uint64_t now_ns);
/** Whether it was reset: both ends have lost the connection. */
bool smtp_sim_wire_is_reset(const struct smtp_sim_wire *wire);

/** At most `capacity` octets of what has arrived; 0: nothing has. */
size_t smtp_sim_wire_read(struct smtp_sim_wire *wire, char *octets, size_t capacity,
                          uint64_t now_ns);
/** Whether all that came was read and no more will come. */
bool smtp_sim_wire_is_at_end(const struct smtp_sim_wire *wire, uint64_t now_ns);
/** When there is something to read, or the end; SMTP_NEVER. */
uint64_t smtp_sim_wire_due_ns(const struct smtp_sim_wire *wire);

#endif
