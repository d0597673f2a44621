/* figures.c - see figures.h: the table. */
#include "harness/load/figures.h"

#include <inttypes.h>

#define NS_PER_S 1e9

static const double percents[] = {50, 90, 99, 99.9, 100};
#define COLUMNS (sizeof percents / sizeof *percents)

double smtp_load_rate(const struct smtp_load_result *result)
{
    return result->elapsed_ns > 0
               ? (double)result->accepted / ((double)result->elapsed_ns / NS_PER_S)
               : 0;
}

bool smtp_load_held(const struct smtp_load_figures *figures)
{
    const struct smtp_load_verification *seen = &figures->verification;
    return figures->result->accepted == figures->result->sent &&
           figures->result->cause_count == 0 && seen->lost + seen->again + seen->damaged == 0;
}

/** "12,345", into text of 32. */
static const char *grouped(uint64_t value, char text[32])
{
    char digits[24];
    int len = snprintf(digits, sizeof digits, "%" PRIu64, value), at = 0;
    for (int i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0) {
            text[at++] = ',';
        }
        text[at++] = digits[i];
    }
    text[at] = '\0';
    return text;
}

/** "740 us", "1.25 ms", "3.1 s": three digits that count. */
static const char *duration(uint64_t ns, char text[32])
{
    static const char *const units[] = {"ns", "us", "ms", "s"};
    double value = (double)ns;
    size_t unit = 0;
    while (value >= 999.5 && unit < 3) {
        value /= 1000;
        unit++;
    }
    int decimals = unit == 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
    snprintf(text, 32, "%.*f %s", decimals, value, units[unit]);
    return text;
}

static void print_phase(FILE *out, enum smtp_load_phase phase,
                        const struct smtp_histogram *histogram)
{
    char text[32];
    fprintf(out, "%-9s %12s", smtp_load_phase_name(phase), grouped(histogram->count, text));
    for (size_t i = 0; i < COLUMNS; i++) {
        fprintf(out, " %9s", duration(smtp_histogram_percentile(histogram, percents[i]), text));
    }
    fprintf(out, "\n");
}

static void print_verification(FILE *out, const struct smtp_load_verification *seen)
{
    char text[32];
    if (!seen->verified) {
        return;
    }
    fprintf(out, "%s arrived whole", grouped(seen->arrived, text));
    const struct {
        uint64_t count;
        const char *what;
    } wrongs[] = {{seen->lost, "accepted and lost"},
                  {seen->again, "arrived more than once"},
                  {seen->damaged, "damaged"},
                  {seen->unasked, "arrived without a reply that said so"},
                  {seen->unseen, "accepted where nobody saw what arrived"}};
    bool all_well = true;
    for (size_t i = 0; i < sizeof wrongs / sizeof *wrongs; i++) {
        if (wrongs[i].count > 0) {
            fprintf(out, ", %s %s", grouped(wrongs[i].count, text), wrongs[i].what);
            all_well = false;
        }
    }
    fprintf(out, "%s\n", all_well ? ", each once; none is missing" : "");
}

void smtp_load_print(FILE *out, const struct smtp_load_figures *figures)
{
    const struct smtp_load_result *result = figures->result;
    char text[32];
    if (*figures->about != '\0') {
        fprintf(out, "%s\n\n", figures->about);
    }
    fprintf(out, "%-9s %12s %9s %9s %9s %9s %9s\n", "", "count", "p50", "p90", "p99", "p99.9",
            "max");
    for (int i = 0; i < SMTP_LOAD_PHASES; i++) {
        if (result->phases[i].count > 0) {
            print_phase(out, (enum smtp_load_phase)i, &result->phases[i]);
        }
    }
    fprintf(
        out, "\n%s messages/s, %.1f MB/s", grouped((uint64_t)(smtp_load_rate(result) + 0.5), text),
        result->elapsed_ns > 0 ? (double)result->octets * 1000 / (double)result->elapsed_ns : 0);
    fprintf(out, "; %s of", grouped(result->accepted, text));
    fprintf(out, " %s accepted", grouped(result->sent, text));
    fprintf(out, " in %s%s\n", duration(result->elapsed_ns, text),
            result->interrupted ? " (stopped early)" : "");
    print_verification(out, &figures->verification);
    for (size_t i = 0; i < result->cause_count; i++) {
        fprintf(out, "%12s  %s\n", grouped(result->causes[i].count, text), result->causes[i].text);
    }
}
