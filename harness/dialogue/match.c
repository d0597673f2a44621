/* match.c - holds octets against the parts of a line. Between two wildcards stands a run of octets that are known;
 * each run is taken where it comes first, but the last one of a line stands at its end. So a line is looked through
 * once, whatever stands in it. */
#include "harness/dialogue/match.h"

struct matcher {
    const struct smtp_dialogue_part *parts;
    size_t part_count;
    bool is_line; /* the octets end where the step does */
    bool ended;
    struct smtp_dialogue_names *names;
    struct smtp_span octets;
    size_t agreed; /* octets of a run at the beginning that were held against it before */
};

/** The octets a part stands for; false: it can be anything. */
static bool octets_of(const struct smtp_dialogue_part *part,
                      const struct smtp_dialogue_names *names, struct smtp_span *octets)
{
    if (part->kind == SMTP_DIALOGUE_VARIABLE) {
        return smtp_dialogue_names_find(names, part->name, octets);
    }
    *octets = part->octets;
    return part->kind == SMTP_DIALOGUE_LITERAL;
}

/** The run of known octets from part `first` on: how many parts. */
static size_t run_of(const struct matcher *matcher, size_t first)
{
    struct smtp_span octets;
    size_t count = 0;
    while (first + count < matcher->part_count &&
           octets_of(&matcher->parts[first + count], matcher->names, &octets)) {
        count++;
    }
    return count;
}

static size_t run_len(const struct matcher *matcher, size_t first, size_t count)
{
    size_t len = 0;
    for (size_t i = 0; i < count; i++) {
        struct smtp_span octets = {"", 0};
        (void)octets_of(&matcher->parts[first + i], matcher->names, &octets);
        len += octets.len;
    }
    return len;
}

/** How many octets at `at` agree with the run; all of them: *whole. */
static size_t agrees(const struct matcher *matcher, size_t first, size_t count, size_t at,
                     bool *whole)
{
    size_t agreed = 0, before = first == 0 ? matcher->agreed : 0;
    for (size_t i = 0; i < count; i++) {
        struct smtp_span octets = {"", 0};
        (void)octets_of(&matcher->parts[first + i], matcher->names, &octets);
        size_t n = 0;
        if (agreed < before) {
            n = before - agreed < octets.len ? before - agreed : octets.len;
            agreed += n;
        }
        for (; n < octets.len; n++, agreed++) {
            if (at + agreed >= matcher->octets.len ||
                matcher->octets.bytes[at + agreed] != octets.bytes[n]) {
                *whole = false;
                return agreed;
            }
        }
    }
    *whole = true;
    return agreed;
}

static enum smtp_dialogue_match short_of(const struct matcher *matcher)
{
    return matcher->ended || matcher->is_line ? SMTP_DIALOGUE_DIFFERS : SMTP_DIALOGUE_NEEDS_MORE;
}

/** A run that stands at *at. */
static enum smtp_dialogue_match match_run(const struct matcher *matcher, size_t first, size_t count,
                                          size_t *at)
{
    bool whole = false;
    *at += agrees(matcher, first, count, *at, &whole);
    if (whole) {
        return SMTP_DIALOGUE_MATCHES;
    }
    return *at < matcher->octets.len ? SMTP_DIALOGUE_DIFFERS : short_of(matcher);
}

/** A run behind a wildcard that began at *at: *from is where the run was found, *at what is behind it. */
static enum smtp_dialogue_match find_run(const struct matcher *matcher, size_t first, size_t count,
                                         size_t *at, size_t *from)
{
    size_t len = run_len(matcher, first, count), last = matcher->octets.len;
    if (len > last || last - len < *at) {
        return short_of(matcher);
    }
    last -= len;
    bool is_last = first + count == matcher->part_count, whole = false;
    for (*from = is_last && matcher->is_line ? last : *at; *from <= last; ++*from) {
        agrees(matcher, first, count, *from, &whole);
        if (whole) {
            *at = *from + len;
            return SMTP_DIALOGUE_MATCHES;
        }
    }
    return short_of(matcher);
}

static bool learn(const struct matcher *matcher, size_t wildcard, size_t from, size_t to)
{
    const struct smtp_dialogue_part *part = &matcher->parts[wildcard];
    struct smtp_span value = {matcher->octets.bytes + from, to - from};
    return part->kind != SMTP_DIALOGUE_VARIABLE ||
           smtp_dialogue_names_add(matcher->names, part->name, value);
}

/** A wildcard that begins at *at, with the run behind it: *count parts. */
static enum smtp_dialogue_match match_wildcard(const struct matcher *matcher, size_t wildcard,
                                               size_t *at, size_t *count)
{
    size_t first = wildcard + 1, begin = *at, found = begin;
    *count = run_of(matcher, first);
    if (first == matcher->part_count) { /* open: all there is */
        if (!matcher->ended) {
            return SMTP_DIALOGUE_NEEDS_MORE;
        }
        *at = found = matcher->octets.len;
    } else if (*count > 0) {
        enum smtp_dialogue_match match = find_run(matcher, first, *count, at, &found);
        if (match != SMTP_DIALOGUE_MATCHES) {
            return match;
        }
    } /* else two wildcards side by side: this one is empty */
    return learn(matcher, wildcard, begin, found) ? SMTP_DIALOGUE_MATCHES : SMTP_DIALOGUE_DIFFERS;
}

static enum smtp_dialogue_match match_all(const struct matcher *matcher, size_t *at)
{
    *at = 0;
    for (size_t part = 0; part < matcher->part_count;) {
        size_t count = run_of(matcher, part);
        enum smtp_dialogue_match match;
        if (count > 0) {
            match = match_run(matcher, part, count, at);
        } else {
            match = match_wildcard(matcher, part, at, &count);
            count++;
        }
        if (match != SMTP_DIALOGUE_MATCHES) {
            return match;
        }
        part += count;
    }
    return SMTP_DIALOGUE_MATCHES;
}

enum smtp_dialogue_match smtp_dialogue_match(const struct smtp_dialogue *dialogue,
                                             const struct smtp_dialogue_step *step,
                                             struct smtp_dialogue_names *names,
                                             struct smtp_span octets, bool ended, size_t *len)
{
    struct matcher matcher = {.parts = smtp_dialogue_parts(dialogue, step),
                              .part_count = step->part_count,
                              .is_line = step->is_one_line,
                              .ended = ended,
                              .names = names,
                              .octets = octets,
                              .agreed = *len};
    size_t known_entries = names->entries.len, known_octets = names->octets.len;
    enum smtp_dialogue_match match = match_all(&matcher, len);
    if (match == SMTP_DIALOGUE_MATCHES && step->is_one_line && *len < octets.len) {
        match = SMTP_DIALOGUE_DIFFERS;
    }
    if (match != SMTP_DIALOGUE_MATCHES) { /* what was learned on the way is not so */
        names->entries.len = known_entries;
        names->octets.len = known_octets;
    }
    return match;
}

bool smtp_dialogue_is_open(const struct smtp_dialogue *dialogue,
                           const struct smtp_dialogue_step *step,
                           const struct smtp_dialogue_names *names)
{
    const struct smtp_dialogue_part *parts = smtp_dialogue_parts(dialogue, step);
    struct smtp_span octets;
    return step->part_count > 0 && !octets_of(&parts[step->part_count - 1], names, &octets);
}
