/* send_progress.c - see send_progress.h. */
#include "harness/cli/send_progress.h"

#define BEGIN_NS 1000000000ULL /* shorter ones are over before they are seen */
#define REDRAW_NS 100000000ULL
#define BAR_WIDTH 30
#define MIB (1024.0 * 1024.0)

static void draw(struct smtp_send_progress *progress, uint64_t now_ns)
{
    if (progress->total > 0 && progress->sent > progress->total) {
        progress->total = progress->sent; /* dots and line ends were added */
    }
    double seconds = (double)(now_ns - progress->begun_ns) / 1e9;
    double sent = (double)progress->sent / MIB;
    double speed = seconds > 0 ? sent / seconds : 0;
    if (progress->total == 0) {
        fprintf(progress->out, "\r%.1f MiB, %.1f MiB/s\033[K", sent, speed);
    } else {
        double part = (double)progress->sent / (double)progress->total;
        char bar[BAR_WIDTH + 1] = "";
        for (int i = 0; i < BAR_WIDTH; i++) {
            bar[i] = i < (int)(part * BAR_WIDTH) ? '#' : '.';
        }
        fprintf(progress->out, "\r[%s] %3d%%  %.1f of %.1f MiB, %.1f MiB/s\033[K", bar,
                (int)(part * 100), sent, (double)progress->total / MIB, speed);
    }
    fflush(progress->out);
    progress->drawn_ns = now_ns;
}

void smtp_send_progress_add(struct smtp_send_progress *progress, size_t octets, uint64_t now_ns)
{
    progress->begun_ns = progress->begun_ns == 0 ? now_ns : progress->begun_ns;
    progress->sent += octets;
    bool due = progress->drawn_ns == 0 ? now_ns - progress->begun_ns >= BEGIN_NS
                                       : now_ns - progress->drawn_ns >= REDRAW_NS;
    if (progress->out != NULL && due) {
        draw(progress, now_ns);
    }
}

void smtp_send_progress_end(struct smtp_send_progress *progress)
{
    if (progress->drawn_ns != 0) {
        fprintf(progress->out, "\r\033[K");
        fflush(progress->out);
    }
}
