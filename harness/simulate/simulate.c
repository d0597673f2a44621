/* simulate.c - see simulate.h. */
#include "harness/simulate/simulate.h"

#include "harness/lines.h"
#include "harness/simulate/world.h"

#include <inttypes.h>
#include <stdlib.h>

#define LOOK_EVERY 1024
#define SHOWN_MAX 120 /* octets of a line, of which more is not needed to follow it */

enum smtp_status smtp_simulate(const struct smtp_simulation *simulation,
                               struct smtp_simulation_result *result)
{
    *result = (struct smtp_simulation_result){.held = true};
    struct smtp_sim_world *world = smtp_sim_world_new(&result->counts);
    if (world == NULL) {
        return SMTP_NO_MEMORY;
    }
    for (uint64_t i = 0; i < simulation->runs && result->held; i++) {
        uint64_t run = simulation->first + i;
        const char *breach = smtp_sim_world_run(world, simulation->seed, run, NULL, NULL);
        if (breach != NULL) {
            result->held = false;
            result->failed_run = run;
            snprintf(result->breach, sizeof result->breach, "%s", breach);
        }
        if (i % LOOK_EVERY == 0 && simulation->look != NULL &&
            simulation->look(simulation->user, i)) {
            break;
        }
    }
    smtp_sim_world_free(world);
    return SMTP_OK;
}

/* ---- as a dialogue ---- */

static void tell_line(FILE *to, uint64_t now_ns, size_t session, char who, struct smtp_span line)
{
    struct smtp_harness_lines shown = SMTP_HARNESS_LINES;
    bool whole =
        line.len >= 2 && line.bytes[line.len - 2] == '\r' && line.bytes[line.len - 1] == '\n';
    struct smtp_span text = {line.bytes, line.len - (whole ? 2 : 0)};
    bool cut = text.len > SHOWN_MAX;
    text.len = cut ? SHOWN_MAX : text.len;
    smtp_harness_lines_escape(&shown, text);
    char *escaped = smtp_harness_lines_take(&shown);
    const char *mark = who == '#' ? "" : whole ? ":" : "|"; /* C| is of no whole line */
    fprintf(to, "%10.3f %zu  %c%s %s%s\n", (double)now_ns / 1e9, session + 1, who, mark,
            escaped != NULL ? escaped : "(out of memory)", cut ? "..." : "");
    free(escaped);
}

static void tell(void *user, uint64_t now_ns, size_t session, char who, struct smtp_span text)
{
    FILE *to = user;
    while (text.len > 0) {
        const char *lf = memchr(text.bytes, '\n', text.len);
        size_t len = lf != NULL ? (size_t)(lf - text.bytes) + 1 : text.len;
        tell_line(to, now_ns, session, who, (struct smtp_span){text.bytes, len});
        text = (struct smtp_span){text.bytes + len, text.len - len};
    }
}

enum smtp_status smtp_simulate_told(uint64_t seed, uint64_t run, FILE *to, bool *held)
{
    struct smtp_sim_counts counts = {0};
    struct smtp_sim_world *world = smtp_sim_world_new(&counts);
    char *dialogue = NULL, what[400];
    size_t size = 0;
    FILE *kept = world != NULL ? open_memstream(&dialogue, &size) : NULL;
    if (kept == NULL) {
        smtp_sim_world_free(world);
        return SMTP_NO_MEMORY;
    }
    const char *breach = smtp_sim_world_run(world, seed, run, tell, kept);
    smtp_sim_world_describe(world, what, sizeof what);
    if (held != NULL) {
        *held = breach == NULL;
    }
    bool whole = fclose(kept) == 0;
    fprintf(to, "# seed %" PRIu64 ", run %" PRIu64 ": %s\n# seconds, session\n%s", seed, run, what,
            whole ? dialogue : "");
    fprintf(to, "# %s\n", breach != NULL ? breach : "all held");
    free(dialogue);
    smtp_sim_world_free(world);
    return whole ? SMTP_OK : SMTP_NO_MEMORY;
}
