/* names.c - what is known under the names of a dialogue, and the line that is sent with it. */
#include "common/clock.h"
#include "harness/dialogue/match.h"

#include <openssl/rand.h>
#include <stdio.h>
#include <time.h>

struct entry {
    size_t name, name_len, value, value_len; /* into octets */
};

void smtp_dialogue_names_free(struct smtp_dialogue_names *names)
{
    smtp_buffer_free(&names->entries);
    smtp_buffer_free(&names->octets);
}

bool smtp_dialogue_names_add(struct smtp_dialogue_names *names, struct smtp_span name,
                             struct smtp_span value)
{
    struct entry entry = {names->octets.len, name.len, names->octets.len + name.len, value.len};
    return smtp_buffer_append(&names->octets, name.bytes, name.len) == SMTP_OK &&
           smtp_buffer_append(&names->octets, value.bytes, value.len) == SMTP_OK &&
           smtp_buffer_append(&names->entries, &entry, sizeof entry) == SMTP_OK;
}

bool smtp_dialogue_names_find(const struct smtp_dialogue_names *names, struct smtp_span name,
                              struct smtp_span *value)
{
    const char *octets = smtp_buffer_span(&names->octets).bytes;
    const struct entry *entries =
        (const struct entry *)(const void *)smtp_buffer_span(&names->entries).bytes;
    for (size_t i = names->entries.len / sizeof *entries; i > 0; i--) {
        const struct entry *entry = &entries[i - 1];
        if (smtp_span_equal(name, (struct smtp_span){octets + entry->name, entry->name_len})) {
            *value = (struct smtp_span){octets + entry->value, entry->value_len};
            return true;
        }
    }
    return false;
}

/* ---- values of their own ---- */

/** RFC 5322 3.3, in UTC. */
static size_t write_date(char *text, size_t size)
{
    static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t now = (time_t)(smtp_clock_unix_ns() / 1000000000);
    struct tm at;
    if (gmtime_r(&now, &at) == NULL) {
        return 0;
    }
    int len =
        snprintf(text, size, "%s, %02d %s %04d %02d:%02d:%02d +0000", days[at.tm_wday], at.tm_mday,
                 months[at.tm_mon], at.tm_year + 1900, at.tm_hour, at.tm_min, at.tm_sec);
    return len > 0 ? (size_t)len : 0;
}

static size_t write_nonce(char *text, size_t size)
{
    unsigned char octets[8];
    size_t len = 0;
    if (RAND_bytes(octets, sizeof octets) != 1) {
        return 0;
    }
    for (size_t i = 0; i < sizeof octets && len + 3 <= size; i++) {
        len += (size_t)snprintf(text + len, 3, "%02x", octets[i]);
    }
    return len;
}

bool smtp_dialogue_names_is_own(struct smtp_span name)
{
    return smtp_span_equal(name, SMTP_SPAN("host")) || smtp_span_equal(name, SMTP_SPAN("port")) ||
           smtp_span_equal(name, SMTP_SPAN("date")) || smtp_span_equal(name, SMTP_SPAN("nonce"));
}

static struct smtp_span own_value(const struct smtp_dialogue_names *names, struct smtp_span name,
                                  char *text, size_t size)
{
    if (smtp_span_equal(name, SMTP_SPAN("host"))) {
        return names->host;
    }
    if (smtp_span_equal(name, SMTP_SPAN("port"))) {
        return names->port;
    }
    bool is_date = smtp_span_equal(name, SMTP_SPAN("date"));
    return (struct smtp_span){text, is_date ? write_date(text, size) : write_nonce(text, size)};
}

/* ---- sending ---- */

static enum smtp_status render_variable(const struct smtp_dialogue_part *part,
                                        struct smtp_dialogue_names *names, struct smtp_buffer *out)
{
    char text[64];
    struct smtp_span value = part->octets;
    if (!smtp_dialogue_names_find(names, part->name, &value)) {
        if (!part->has_value && !smtp_dialogue_names_is_own(part->name)) {
            return SMTP_BAD_ARGUMENT;
        }
        if (!part->has_value) {
            value = own_value(names, part->name, text, sizeof text);
        }
        if (!smtp_dialogue_names_add(names, part->name, value)) {
            return SMTP_NO_MEMORY;
        }
    }
    return smtp_buffer_append(out, value.bytes, value.len);
}

enum smtp_status smtp_dialogue_render(const struct smtp_dialogue *dialogue,
                                      const struct smtp_dialogue_step *step,
                                      struct smtp_dialogue_names *names, struct smtp_buffer *out,
                                      struct smtp_span *unknown)
{
    const struct smtp_dialogue_part *parts = smtp_dialogue_parts(dialogue, step);
    for (size_t i = 0; i < step->part_count; i++) {
        struct smtp_span octets =
            parts[i].kind == SMTP_DIALOGUE_ANY ? SMTP_SPAN("...") : parts[i].octets;
        enum smtp_status status = parts[i].kind == SMTP_DIALOGUE_VARIABLE
                                      ? render_variable(&parts[i], names, out)
                                      : smtp_buffer_append(out, octets.bytes, octets.len);
        if (status != SMTP_OK) {
            *unknown = parts[i].name;
            return status;
        }
    }
    return SMTP_OK;
}
