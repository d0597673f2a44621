/* drawing.c - see figures.h: two panels in one SVG. Above, latency by percentile, the percentiles spread so that each nine
 * has the same room; below, messages accepted in each second. Light or dark, as the page it is on. */
#include "harness/load/figures.h"

#include <inttypes.h>
#include <math.h>

#define WIDTH 720.0
#define PANEL 200.0
#define LEFT 80.0
#define RIGHT 40.0
#define TOP 40.0
#define GAP 60.0
#define NINES 4.0 /* the axis ends at 99.99 % */

static double across(double part)
{
    return LEFT + part * (WIDTH - LEFT - RIGHT);
}

/** Above the axis of a panel that begins at `top`. */
static double height(double top, double part)
{
    return top + PANEL - part * PANEL;
}

static void text_at(FILE *out, double x, double y, const char *anchor, const char *text)
{
    fprintf(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>\n", x, y, anchor, text);
}

static void line(FILE *out, double x1, double y1, double x2, double y2)
{
    fprintf(out, "<path class=\"grid\" d=\"M%.1f %.1fL%.1f %.1f\"/>\n", x1, y1, x2, y2);
}

static void milliseconds(double ns, char text[32])
{
    snprintf(text, 32,
             ns >= 1e9   ? "%.3g s"
             : ns >= 1e6 ? "%.3g ms"
                         : "%.3g us",
             ns >= 1e9   ? ns / 1e9
             : ns >= 1e6 ? ns / 1e6
                         : ns / 1e3);
}

/** The next power of ten, so that the axis has round ends. */
static double decade_above(double value)
{
    return value > 1 ? ceil(log10(value)) : 1;
}

static void draw_latency(FILE *out, const struct smtp_histogram *message, double top)
{
    static const char *const names[] = {"0 %", "90 %", "99 %", "99.9 %", "99.99 %"};
    double most = decade_above((double)message->max_ns);
    double least = decade_above((double)smtp_histogram_percentile(message, 0)) - 1;
    char text[32];
    text_at(out, LEFT, top - 12, "start", "Latency of a message, by percentile");
    for (int i = 0; i <= (int)NINES; i++) {
        line(out, across(i / NINES), top, across(i / NINES), top + PANEL);
        text_at(out, across(i / NINES), top + PANEL + 18, "middle", names[i]);
    }
    for (int i = 0; i <= (int)lround(most - least); i++) {
        double decade = least + i;
        double y = height(top, (decade - least) / (most - least));
        line(out, LEFT, y, WIDTH - RIGHT, y);
        milliseconds(pow(10, decade), text);
        text_at(out, LEFT - 8, y + 4, "end", text);
    }
    fprintf(out, "<path class=\"curve\" d=\"");
    for (int i = 0; i <= 200; i++) {
        double nines = NINES * i / 200, percent = 100 * (1 - pow(10, -nines));
        double ns = (double)smtp_histogram_percentile(message, percent);
        fprintf(out, "%c%.1f %.1f", i == 0 ? 'M' : 'L', across(i / 200.0),
                height(top, (log10(ns > 1 ? ns : 1) - least) / (most - least)));
    }
    fprintf(out, "\"/>\n");
}

static void draw_throughput(FILE *out, const struct smtp_load_result *result, double top)
{
    uint64_t most = 1;
    char text[32];
    for (size_t i = 0; i < result->second_count; i++) {
        most = result->seconds[i] > most ? result->seconds[i] : most;
    }
    text_at(out, LEFT, top - 12, "start", "Messages accepted in each second");
    for (int i = 0; i <= 4; i++) {
        double y = height(top, i / 4.0);
        line(out, LEFT, y, WIDTH - RIGHT, y);
        snprintf(text, sizeof text, "%.0f", (double)most * i / 4);
        text_at(out, LEFT - 8, y + 4, "end", text);
    }
    size_t count = result->second_count;
    double each = 1.0 / (count > 0 ? (double)count : 1);
    for (size_t i = 0; i < count; i++) {
        double part = (double)result->seconds[i] / (double)most, x = across((double)i * each);
        fprintf(out, "<rect class=\"bar\" x=\"%.2f\" y=\"%.1f\" width=\"%.2f\" height=\"%.1f\"/>\n",
                x, height(top, part), (across(each) - LEFT) * 0.9, part * PANEL);
    }
    snprintf(text, sizeof text, "%zu s", count);
    text_at(out, LEFT, top + PANEL + 18, "middle", "0");
    text_at(out, WIDTH - RIGHT, top + PANEL + 18, "end", text);
}

void smtp_load_draw(FILE *out, const struct smtp_load_figures *figures)
{
    double all = TOP + 2 * PANEL + GAP + 40;
    fprintf(out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" "
            "viewBox=\"0 0 %.0f %.0f\" font-family=\"sans-serif\" font-size=\"12\">\n"
            "<style>text{fill:#333}.grid{stroke:#8884;fill:none}.curve{stroke:#2563eb;"
            "stroke-width:2;fill:none}.bar{fill:#2563eb}"
            "@media(prefers-color-scheme:dark){text{fill:#ccc}}</style>\n",
            WIDTH, all, WIDTH, all);
    draw_latency(out, &figures->result->phases[SMTP_LOAD_MESSAGE], TOP);
    draw_throughput(out, figures->result, TOP + PANEL + GAP);
    fprintf(out, "</svg>\n");
}
