/* wire.c - see wire.h. */
#include "harness/simulate/wire.h"

void smtp_sim_wire_open(struct smtp_sim_wire *wire, const struct smtp_sim_manners *manners,
                        struct smtp_draw *draw)
{
    struct smtp_buffer octets = wire->octets;
    smtp_buffer_clear(&octets, SIZE_MAX);
    octets.max = SIZE_MAX;
    *wire = (struct smtp_sim_wire){.manners = manners, .draw = draw, .octets = octets};
}

void smtp_sim_wire_free(struct smtp_sim_wire *wire)
{
    smtp_buffer_free(&wire->octets);
}

/* When what is written now arrives. */
static uint64_t draw_due_ns(struct smtp_sim_wire *wire, uint64_t now_ns)
{
    const struct smtp_sim_manners *manners = wire->manners;
    uint64_t due_ns = now_ns;
    if (manners->late_ns > 0 && smtp_draw_percent(wire->draw, manners->late_percent)) {
        due_ns +=
            smtp_draw_below(wire->draw, manners->late_ns / SMTP_NS_PER_MS + 1) * SMTP_NS_PER_MS;
    }
    wire->last_ns = due_ns > wire->last_ns ? due_ns : wire->last_ns;
    return wire->last_ns;
}

static void add_piece(struct smtp_sim_wire *wire, size_t len, uint64_t now_ns)
{
    if (len == 0) {
        return;
    }
    if (wire->count < SMTP_SIM_PIECES) {
        wire->pieces[(wire->first + wire->count++) % SMTP_SIM_PIECES].len = 0;
    }
    size_t last = (wire->first + wire->count - 1) % SMTP_SIM_PIECES;
    wire->pieces[last].len += len;
    wire->pieces[last].due_ns = draw_due_ns(wire, now_ns);
}

/* Octets beyond the place where it breaks are lost, and with a reset all that are under way. */
static size_t break_off(struct smtp_sim_wire *wire, size_t len, uint64_t now_ns)
{
    uint64_t left = wire->breaks_at - wire->written;
    if (wire->breaks == SMTP_SIM_NO_BREAK || len <= left) {
        return len;
    }
    wire->broken = true;
    if (wire->breaks == SMTP_SIM_HALF_CLOSE) {
        wire->closed = true;
        wire->closed_ns = now_ns;
    }
    return (size_t)left;
}

size_t smtp_sim_wire_write(struct smtp_sim_wire *wire, struct smtp_span octets, uint64_t now_ns)
{
    if (wire->broken) {
        return octets.len;
    }
    size_t room = wire->manners->room - wire->octets.len;
    size_t taken = octets.len < room ? octets.len : room;
    size_t kept = break_off(wire, taken, now_ns);
    if (smtp_buffer_append(&wire->octets, octets.bytes, kept) != SMTP_OK) {
        wire->broken = true;
        return octets.len;
    }
    wire->written += kept;
    size_t cut = kept > 1 && smtp_draw_percent(wire->draw, wire->manners->cut_percent)
                     ? 1 + (size_t)smtp_draw_below(wire->draw, kept - 1)
                     : 0;
    add_piece(wire, cut, now_ns);
    add_piece(wire, kept - cut, now_ns);
    return taken;
}

void smtp_sim_wire_close(struct smtp_sim_wire *wire, uint64_t now_ns)
{
    if (!wire->closed && !wire->broken) {
        wire->closed = true;
        wire->closed_ns = draw_due_ns(wire, now_ns);
    }
}

bool smtp_sim_wire_is_reset(const struct smtp_sim_wire *wire)
{
    return wire->broken && wire->breaks == SMTP_SIM_RESET;
}

size_t smtp_sim_wire_read(struct smtp_sim_wire *wire, char *octets, size_t capacity,
                          uint64_t now_ns)
{
    size_t there = 0;
    for (size_t i = 0; i < wire->count; i++) {
        size_t place = (wire->first + i) % SMTP_SIM_PIECES;
        if (wire->pieces[place].due_ns > now_ns) {
            break;
        }
        there += wire->pieces[place].len;
    }
    size_t len = there < capacity ? there : capacity;
    if (len > 1 && smtp_draw_percent(wire->draw, wire->manners->cut_percent)) {
        len = 1 + (size_t)smtp_draw_below(wire->draw, len);
    }
    smtp_bytes_copy(octets, (struct smtp_span){smtp_buffer_span(&wire->octets).bytes, len});
    smtp_buffer_take(&wire->octets, len);
    for (size_t left = len; left > 0;) {
        size_t of_piece = wire->pieces[wire->first].len;
        size_t part = of_piece < left ? of_piece : left;
        wire->pieces[wire->first].len -= part;
        left -= part;
        if (part == of_piece) {
            wire->first = (wire->first + 1) % SMTP_SIM_PIECES;
            wire->count--;
        }
    }
    return len;
}

bool smtp_sim_wire_is_at_end(const struct smtp_sim_wire *wire, uint64_t now_ns)
{
    return wire->closed && wire->count == 0 && wire->closed_ns <= now_ns;
}

uint64_t smtp_sim_wire_due_ns(const struct smtp_sim_wire *wire)
{
    if (wire->count > 0) {
        return wire->pieces[wire->first].due_ns;
    }
    return wire->closed ? wire->closed_ns : SMTP_NEVER;
}
