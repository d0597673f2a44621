/* directive.c - takes "[...]" of a dialogue apart, by one table. Suggests the near one where it is none. */
#include "common/deadline.h"
#include "harness/dialogue/steps.h"
#include "harness/nearest.h"

#include <stdio.h>

#define TIME_MAX UINT64_C(3600000) /* an hour: every wait is bounded */
#define WORDS_SIZE 64

static const char all_directives[] =
    "directives are [session], [tls], [starttls], [C close], [S close], [C half-close], [S "
    "half-close],\n"
    "[C reset], [S reset], [wait 50ms], [wait 50ms +-20ms], [within 500ms] and [compare codes]";
static const char time_remedy[] =
    "write a time as 50ms or 2s, at most an hour, and a tolerance behind it as +-20ms";

/** In lower case and as the notation's comment shows them; the speaker is parted off. */
static const struct directive {
    const char *words;
    enum smtp_dialogue_step_kind kind;
    bool has_speaker;
    bool has_time;
} directives[] = {
    {"session", SMTP_DIALOGUE_SESSION, false, false},
    {"tls", SMTP_DIALOGUE_TLS, false, false},
    {"starttls", SMTP_DIALOGUE_TLS, false, false},
    {"close", SMTP_DIALOGUE_CLOSE, true, false},
    {"half-close", SMTP_DIALOGUE_HALF_CLOSE, true, false},
    {"reset", SMTP_DIALOGUE_RESET, true, false},
    {"wait", SMTP_DIALOGUE_WAIT, false, true},
    {"within", SMTP_DIALOGUE_WITHIN, false, true},
};
#define COMPARE "compare codes"

static struct smtp_span next_word(struct smtp_span *rest)
{
    while (rest->len > 0 && (rest->bytes[0] == ' ' || rest->bytes[0] == '\t')) {
        rest->bytes++;
        rest->len--;
    }
    struct smtp_span word = {rest->bytes, 0};
    while (word.len < rest->len && word.bytes[word.len] != ' ' && word.bytes[word.len] != '\t') {
        word.len++;
    }
    rest->bytes += word.len;
    rest->len -= word.len;
    return word;
}

static bool is_wrong(struct smtp_dialogue_mistake *mistake, const char *at, const char *what,
                     const char *remedy)
{
    mistake->at = at;
    mistake->remedy = remedy;
    snprintf(mistake->what, sizeof mistake->what, "%s", what);
    return false;
}

/** "50ms" or "2s". */
static bool read_time(struct smtp_span word, uint64_t *time_ns)
{
    size_t digits = 0;
    while (digits < word.len && smtp_is_digit((unsigned char)word.bytes[digits])) {
        digits++;
    }
    struct smtp_span unit = {word.bytes + digits, word.len - digits};
    uint64_t number = 0;
    bool seconds = smtp_span_equal(unit, SMTP_SPAN("s"));
    if ((!seconds && !smtp_span_equal(unit, SMTP_SPAN("ms"))) ||
        !smtp_span_to_u64((struct smtp_span){word.bytes, digits},
                          seconds ? TIME_MAX / 1000 : TIME_MAX, &number)) {
        return false;
    }
    *time_ns = number * (seconds ? 1000 : 1) * SMTP_NS_PER_MS;
    return true;
}

static bool read_times(struct smtp_dialogue_step *step, struct smtp_span *rest,
                       struct smtp_dialogue_mistake *mistake)
{
    struct smtp_span word = next_word(rest);
    if (!read_time(word, &step->time_ns)) {
        return is_wrong(mistake, word.bytes, "a time is expected here", time_remedy);
    }
    word = next_word(rest);
    step->tolerance_ns = SMTP_DIALOGUE_NO_TOLERANCE;
    if (word.len == 0) {
        return true;
    }
    struct smtp_span tolerance = {word.bytes + 2, word.len > 2 ? word.len - 2 : 0};
    if (step->kind != SMTP_DIALOGUE_WAIT || word.len < 3 || memcmp(word.bytes, "+-", 2) != 0 ||
        !read_time(tolerance, &step->tolerance_ns)) {
        return is_wrong(mistake, word.bytes, "this cannot stand behind the time", time_remedy);
    }
    return true;
}

static bool is_unknown(struct smtp_span text, struct smtp_span word,
                       struct smtp_dialogue_mistake *mistake)
{
    char typed[WORDS_SIZE];
    snprintf(typed, sizeof typed, "%.*s", (int)(word.len < WORDS_SIZE ? word.len : WORDS_SIZE - 1),
             word.bytes);
    struct smtp_nearest nearest = {.typed = typed};
    for (size_t i = 0; i < sizeof directives / sizeof *directives; i++) {
        smtp_nearest_offer(&nearest, directives[i].words);
    }
    smtp_nearest_offer(&nearest, "compare");
    is_wrong(mistake, word.len > 0 ? word.bytes : text.bytes, "there is no such directive",
             all_directives);
    if (nearest.word != NULL) {
        snprintf(mistake->what, sizeof mistake->what,
                 "there is no such directive; did you mean '%s'?", nearest.word);
    }
    return false;
}

static bool read_words(struct smtp_dialogue_step *step, struct smtp_span text, bool *codes,
                       struct smtp_dialogue_mistake *mistake)
{
    struct smtp_span rest = text, begin = text, word = next_word(&rest);
    bool server = smtp_span_equal(word, SMTP_SPAN("S"));
    bool has_speaker = server || smtp_span_equal(word, SMTP_SPAN("C"));
    step->speaker = server ? SMTP_DIALOGUE_SERVER : SMTP_DIALOGUE_CLIENT;
    if (has_speaker) {
        begin = word;
        word = next_word(&rest);
    }
    *codes = !has_speaker && smtp_span_equal(word, SMTP_SPAN("compare"));
    if (*codes) {
        word = next_word(&rest);
        if (!smtp_span_equal(word, SMTP_SPAN("codes"))) {
            return is_wrong(mistake, word.bytes, "'codes' is expected here",
                            "what can be said is [" COMPARE "]");
        }
    }
    const struct directive *found = NULL;
    for (size_t i = 0; !*codes && i < sizeof directives / sizeof *directives; i++) {
        if (smtp_span_equal(word, smtp_span_of(directives[i].words))) {
            found = &directives[i];
        }
    }
    if (found == NULL && !*codes) {
        return is_unknown(text, word, mistake);
    }
    if (found != NULL && found->has_speaker != has_speaker) {
        return is_wrong(mistake, has_speaker ? begin.bytes : word.bytes,
                        has_speaker ? "nobody alone does this" : "who does this is not said",
                        has_speaker ? "leave C or S away" : "write C or S before it: [C close]");
    }
    step->kind = found != NULL ? found->kind : SMTP_DIALOGUE_SESSION;
    if (found != NULL && found->has_time && !read_times(step, &rest, mistake)) {
        return false;
    }
    word = next_word(&rest);
    return word.len == 0 || is_wrong(mistake, word.bytes, "nothing can stand here", all_directives);
}

bool smtp_dialogue_read_directive(struct smtp_dialogue_step *step, struct smtp_span text,
                                  bool *codes, struct smtp_dialogue_mistake *mistake)
{
    struct smtp_span line = smtp_span_trim_end(text);
    if (line.bytes[line.len - 1] != ']') {
        return is_wrong(mistake, line.bytes + line.len, "']' is missing",
                        "a directive stands on a line of its own, like [starttls]");
    }
    return read_words(step, (struct smtp_span){line.bytes + 1, line.len - 2}, codes, mistake);
}
