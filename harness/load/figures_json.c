/* figures_json.c - see figures.h: JSON out and in. A histogram is its buckets that hold something, each as the longest time
 * that falls into it, in nanoseconds, and how many did. */
#include "common/error.h"
#include "harness/load/figures.h"

#include <jansson.h>
#include <stdlib.h>

/* ---- out ---- */

static json_t *number_of(uint64_t value)
{
    return json_integer((json_int_t)value);
}

static json_t *json_of_histogram(const struct smtp_histogram *histogram)
{
    static const struct {
        const char *name;
        double percent;
    } percents[] = {{"p50_ns", 50}, {"p90_ns", 90}, {"p99_ns", 99}, {"p99.9_ns", 99.9}};
    json_t *object = json_object(), *buckets = json_array();
    json_object_set_new(object, "count", number_of(histogram->count));
    for (size_t i = 0; i < sizeof percents / sizeof *percents; i++) {
        uint64_t ns = smtp_histogram_percentile(histogram, percents[i].percent);
        json_object_set_new(object, percents[i].name, number_of(ns));
    }
    json_object_set_new(object, "max_ns", number_of(histogram->max_ns));
    for (size_t i = 0; i < SMTP_HISTOGRAM_BUCKETS; i++) {
        if (histogram->buckets[i] > 0) {
            uint64_t top_ns = smtp_histogram_bucket_top_ns(i);
            json_array_append_new(
                buckets, json_pack("[I,I]", (json_int_t)top_ns, (json_int_t)histogram->buckets[i]));
        }
    }
    json_object_set_new(object, "buckets", buckets);
    return object;
}

static json_t *json_of_causes(const struct smtp_load_result *result)
{
    json_t *causes = json_array();
    for (size_t i = 0; i < result->cause_count; i++) {
        json_t *cause = json_pack("{s:s?, s:I}", "cause", result->causes[i].text, "count",
                                  (json_int_t)result->causes[i].count);
        if (cause == NULL) { /* a server's text that is no UTF-8 */
            cause = json_pack("{s:s, s:I}", "cause", "a reply that is no UTF-8", "count",
                              (json_int_t)result->causes[i].count);
        }
        json_array_append_new(causes, cause);
    }
    return causes;
}

static json_t *json_of_verification(const struct smtp_load_verification *seen)
{
    return seen->verified
               ? json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "arrived", (json_int_t)seen->arrived,
                           "lost", (json_int_t)seen->lost, "again", (json_int_t)seen->again,
                           "damaged", (json_int_t)seen->damaged, "unasked",
                           (json_int_t)seen->unasked, "unseen", (json_int_t)seen->unseen)
               : json_null();
}

bool smtp_load_print_json(FILE *out, const struct smtp_load_figures *figures)
{
    const struct smtp_load_result *result = figures->result;
    json_t *object = json_object(), *phases = json_object(), *seconds = json_array();
    json_object_set_new(object, "about", json_string(figures->about));
    json_object_set_new(object, "sent", number_of(result->sent));
    json_object_set_new(object, "accepted", number_of(result->accepted));
    json_object_set_new(object, "octets", number_of(result->octets));
    json_object_set_new(object, "elapsed_ns", number_of(result->elapsed_ns));
    json_object_set_new(object, "messages_per_s", json_real(smtp_load_rate(result)));
    json_object_set_new(object, "sessions_lost", number_of(result->sessions_lost));
    json_object_set_new(object, "interrupted", json_boolean(result->interrupted));
    for (int i = 0; i < SMTP_LOAD_PHASES; i++) {
        if (result->phases[i].count > 0) {
            json_object_set_new(phases, smtp_load_phase_name((enum smtp_load_phase)i),
                                json_of_histogram(&result->phases[i]));
        }
    }
    for (size_t i = 0; i < result->second_count; i++) {
        json_array_append_new(seconds, number_of(result->seconds[i]));
    }
    json_object_set_new(object, "phases", phases);
    json_object_set_new(object, "accepted_each_second", seconds);
    json_object_set_new(object, "failures", json_of_causes(result));
    json_object_set_new(object, "verification", json_of_verification(&figures->verification));
    bool printed = object != NULL && json_dumpf(object, out, JSON_COMPACT) == 0;
    fprintf(out, "\n");
    json_decref(object);
    return printed;
}

/* ---- in ---- */

static uint64_t whole(const json_t *object, const char *name)
{
    json_int_t value = json_integer_value(json_object_get(object, name));
    return value > 0 ? (uint64_t)value : 0;
}

static void read_histogram(struct smtp_histogram *histogram, const json_t *phase)
{
    size_t i;
    json_t *bucket;
    json_array_foreach(json_object_get(phase, "buckets"), i, bucket)
    {
        json_int_t top_ns = json_integer_value(json_array_get(bucket, 0));
        json_int_t count = json_integer_value(json_array_get(bucket, 1));
        if (top_ns >= 0 && count > 0) {
            histogram->buckets[smtp_histogram_bucket((uint64_t)top_ns)] += (uint64_t)count;
            histogram->count += (uint64_t)count;
        }
    }
    uint64_t max_ns = whole(phase, "max_ns");
    histogram->max_ns = max_ns > histogram->max_ns ? max_ns : histogram->max_ns;
}

static void read_causes(struct smtp_load_result *result, const json_t *object)
{
    size_t i;
    json_t *cause;
    json_array_foreach(json_object_get(object, "failures"), i, cause)
    {
        const char *text = json_string_value(json_object_get(cause, "cause"));
        if (text != NULL) {
            smtp_load_note_cause(result, text, whole(cause, "count"));
        }
    }
}

static bool read_seconds(struct smtp_load_result *read, const json_t *object)
{
    const json_t *seconds = json_object_get(object, "accepted_each_second");
    read->second_count = json_array_size(seconds);
    read->seconds = calloc(read->second_count + 1, sizeof *read->seconds);
    for (size_t i = 0; read->seconds != NULL && i < read->second_count; i++) {
        json_int_t count = json_integer_value(json_array_get(seconds, i));
        read->seconds[i] = count > 0 ? (uint64_t)count : 0;
    }
    return read->seconds != NULL;
}

static void read_verification(struct smtp_load_verification *seen, const json_t *object)
{
    const json_t *found = json_object_get(object, "verification");
    if (!json_is_object(found)) {
        seen->unseen += whole(object, "accepted");
        return;
    }
    seen->verified = true;
    seen->arrived += whole(found, "arrived");
    seen->lost += whole(found, "lost");
    seen->again += whole(found, "again");
    seen->damaged += whole(found, "damaged");
    seen->unasked += whole(found, "unasked");
    seen->unseen += whole(found, "unseen");
}

static bool read_result(struct smtp_load_result *read, const json_t *object)
{
    *read = (struct smtp_load_result){
        .sent = whole(object, "sent"),
        .accepted = whole(object, "accepted"),
        .octets = whole(object, "octets"),
        .elapsed_ns = whole(object, "elapsed_ns"),
        .sessions_lost = whole(object, "sessions_lost"),
        .interrupted = json_is_true(json_object_get(object, "interrupted")),
    };
    const json_t *phases = json_object_get(object, "phases");
    for (int i = 0; i < SMTP_LOAD_PHASES; i++) {
        read_histogram(&read->phases[i],
                       json_object_get(phases, smtp_load_phase_name((enum smtp_load_phase)i)));
    }
    read_causes(read, object);
    return read_seconds(read, object);
}

enum smtp_status smtp_load_read_json(const char *path, struct smtp_load_result *result,
                                     struct smtp_load_verification *verification,
                                     struct smtp_error *error)
{
    json_error_t wrong;
    json_t *object = json_load_file(path, 0, &wrong);
    if (object == NULL) {
        return smtp_error_set(error, SMTP_BAD_ARGUMENT, 0, "%.100s: %.100s", path, wrong.text);
    }
    if (!json_is_object(json_object_get(object, "phases")) ||
        !json_is_integer(json_object_get(object, "sent"))) {
        json_decref(object);
        return smtp_error_set(error, SMTP_BAD_ARGUMENT, 0,
                              "%.180s is not what load --json prints: it has no phases", path);
    }
    struct smtp_load_result *read = malloc(sizeof *read);
    bool merged = read != NULL && read_result(read, object) && smtp_load_result_merge(result, read);
    read_verification(verification, object);
    json_decref(object);
    if (read != NULL) {
        smtp_load_result_clear(read);
    }
    free(read);
    return merged ? SMTP_OK : smtp_error_set(error, SMTP_NO_MEMORY, 0, "out of memory");
}
