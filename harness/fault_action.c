/* fault_action.c - the words of the fault notation behind the ":", one row each: actions fill in what the server
 * is told, frequencies how often. */
#include "harness/fault_parse.h"

#include <stdlib.h>

#define DELAY_MS_MAX UINT64_C(86400000) /* a day */
#define OCTETS_S_MAX UINT64_C(1000000000)
#define RATE_MAX UINT64_C(1000000) /* an arrival is kept for each */
#define NS_PER_S UINT64_C(1000000000)
#define DEFAULT_TEXT "Fault on request"

/* In the order of enum smtp_identity_flaw. */
static const char *const flaws[] = {
    "",  "expired", "not-yet-valid", "wrong-name", "self-signed", "unknown-ca", "no-intermediate",
    NULL};

static const char *flaw_name(size_t i)
{
    return flaws[i + 1];
}

/* ---- pieces ---- */

static struct smtp_span next_word(struct smtp_fault_parser *parser)
{
    smtp_notation_skip_blanks(&parser->notation);
    return smtp_notation_word(&parser->notation);
}

/* `unit` may stand behind the number. */
static enum smtp_status take_number(struct smtp_fault_parser *parser, uint64_t min, uint64_t max,
                                    const char *unit, const char *what, uint64_t *out)
{
    struct smtp_span word = next_word(parser), number = word, end = smtp_span_of(unit);
    if (end.len > 0 && word.len > end.len &&
        memcmp(word.bytes + word.len - end.len, end.bytes, end.len) == 0) {
        number.len -= end.len;
    }
    if (smtp_span_to_u64(number, max, out) && *out >= min) {
        return SMTP_OK;
    }
    return smtp_notation_mistake(&parser->notation, word.bytes,
                                 "%s is expected here: %llu to %llu, in digits", what,
                                 (unsigned long long)min, (unsigned long long)max);
}

static int hex_value(char c)
{
    return c >= '0' && c <= '9'                 ? c - '0'
           : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10
                                                : -1;
}

/* One octet of a quoted text from *at on; -1: no escape of those known. A text has fewer of them. */
static int take_octet(const char **at, bool raw)
{
    const char *c = *at;
    if (*c != '\\') {
        *at = c + 1;
        return (unsigned char)*c;
    }
    *at = c + 2;
    if (c[1] == '"' || c[1] == '\\') {
        return c[1];
    }
    if (c[1] == 'n') {
        return '\n';
    }
    if (raw && (c[1] == 'r' || c[1] == 't')) {
        return c[1] == 'r' ? '\r' : '\t';
    }
    if (raw && c[1] == 'x' && hex_value(c[2]) >= 0 && hex_value(c[3]) >= 0) {
        *at = c + 4;
        return hex_value(c[2]) * 16 + hex_value(c[3]);
    }
    return -1;
}

/* A quoted text with its escapes resolved. A control octet cannot stand in it as it is. */
static enum smtp_status take_quoted(struct smtp_fault_parser *parser, bool raw, char *to,
                                    size_t max, size_t *len)
{
    struct smtp_notation *notation = &parser->notation;
    const char *open = notation->at;
    struct smtp_span inside;
    enum smtp_status status = smtp_notation_quoted(notation, &inside);
    if (status != SMTP_OK) {
        return status;
    }
    *len = 0;
    for (const char *at = inside.bytes; at < inside.bytes + inside.len;) {
        const char *place = at;
        int octet = smtp_is_control((unsigned char)*at) ? -1 : take_octet(&at, raw);
        if (octet < 0) {
            return smtp_notation_mistake(notation, place,
                                         raw ? "octets are escaped as \\r \\n \\t \\\" \\\\ \\xNN"
                                             : "a text knows \\n (another line) \\\" and \\\\");
        }
        if (*len == max) {
            return smtp_notation_mistake(notation, open, "this is longer than %zu octets", max);
        }
        to[(*len)++] = (char)octet;
    }
    return SMTP_OK;
}

#define UNUSED __attribute__((unused))

/* ---- replies ---- */

/* RFC 3463 2: class.subject.detail, the class as of the code (RFC 2034 4). */
static bool is_enhanced(struct smtp_span word, char class)
{
    size_t dots = 0, digits = 0;
    if (word.len < 5 || word.len > 9 || word.bytes[0] != class || word.bytes[1] != '.') {
        return false;
    }
    for (size_t i = 1; i < word.len; i++) {
        bool dot = word.bytes[i] == '.';
        if ((!dot && !smtp_is_digit((unsigned char)word.bytes[i])) ||
            (dot && i > 1 && digits == 0) || (!dot && digits == 3)) {
            return false;
        }
        dots += dot;
        digits = dot ? 0 : digits + 1;
    }
    return dots == 2 && digits > 0;
}

static enum smtp_status take_enhanced(struct smtp_fault_parser *parser)
{
    struct smtp_server_reply *reply = &parser->entry->fault.reply;
    struct smtp_span word = smtp_notation_word(&parser->notation);
    char class = (char)('0' + reply->code / 100);
    if (class == '3') {
        return smtp_notation_mistake(&parser->notation, word.bytes,
                                     "a 3yz reply has no enhanced status code");
    }
    if (!is_enhanced(word, class)) {
        return smtp_notation_mistake(&parser->notation, word.bytes,
                                     "an enhanced status code like %c.7.1 is expected here", class);
    }
    smtp_bytes_copy(reply->enhanced, word);
    reply->enhanced[word.len] = '\0';
    return SMTP_OK;
}

static enum smtp_status two_answers(struct smtp_fault_parser *parser, const char *place)
{
    return smtp_notation_mistake(&parser->notation, place, "reply and octets are two answers");
}

static enum smtp_status take_reply(struct smtp_fault_parser *parser,
                                   UNUSED const struct smtp_fault_word *row, const char *place)
{
    struct smtp_server_reply *reply = &parser->entry->fault.reply;
    uint64_t code;
    if (parser->entry->fault.replaced) {
        return two_answers(parser, place);
    }
    enum smtp_status status = take_number(parser, 200, 599, "", "a reply code", &code);
    if (status != SMTP_OK) {
        return status;
    }
    reply->code = (int)code;
    smtp_notation_skip_blanks(&parser->notation);
    if (smtp_is_digit((unsigned char)*parser->notation.at)) {
        status = take_enhanced(parser);
        smtp_notation_skip_blanks(&parser->notation);
    }
    size_t len = sizeof DEFAULT_TEXT - 1;
    smtp_bytes_copy(reply->text, SMTP_SPAN(DEFAULT_TEXT));
    if (status == SMTP_OK && *parser->notation.at == '"') {
        status = take_quoted(parser, false, reply->text, sizeof reply->text - 1, &len);
    }
    reply->text[len] = '\0';
    return status;
}

static enum smtp_status take_octets(struct smtp_fault_parser *parser,
                                    UNUSED const struct smtp_fault_word *row, const char *place)
{
    struct smtp_server_fault *fault = &parser->entry->fault;
    if (fault->reply.code != 0) {
        return two_answers(parser, place);
    }
    smtp_notation_skip_blanks(&parser->notation);
    if (*parser->notation.at != '"') {
        return smtp_notation_mistake(&parser->notation, parser->notation.at,
                                     "octets in quotes are expected here, like \"250 ok\\r\\n\"");
    }
    fault->replaced = true;
    return take_quoted(parser, true, fault->octets, sizeof fault->octets, &fault->octet_count);
}

/* ---- how it is said, and what comes then ---- */

static enum smtp_status take_delay(struct smtp_fault_parser *parser,
                                   UNUSED const struct smtp_fault_word *row,
                                   UNUSED const char *place)
{
    return take_number(parser, 1, DELAY_MS_MAX, "", "a number of milliseconds",
                       &parser->entry->fault.delay_ms);
}

static enum smtp_status take_twice(struct smtp_fault_parser *parser,
                                   UNUSED const struct smtp_fault_word *row,
                                   UNUSED const char *place)
{
    parser->entry->fault.twice = true;
    return SMTP_OK;
}

static enum smtp_status take_drip(struct smtp_fault_parser *parser,
                                  UNUSED const struct smtp_fault_word *row,
                                  UNUSED const char *place)
{
    return take_number(parser, 1, OCTETS_S_MAX, "/s", "a number of octets a second",
                       &parser->entry->fault.drip_octets_s);
}

static enum smtp_status take_split(struct smtp_fault_parser *parser,
                                   UNUSED const struct smtp_fault_word *row,
                                   UNUSED const char *place)
{
    uint64_t octets = 0;
    enum smtp_status status =
        take_number(parser, 1, OCTETS_S_MAX, "", "a number of octets", &octets);
    parser->entry->fault.split_octets = (size_t)octets;
    return status;
}

static enum smtp_status take_garble(struct smtp_fault_parser *parser,
                                    UNUSED const struct smtp_fault_word *row,
                                    UNUSED const char *place)
{
    parser->entry->fault.garbled = true;
    return SMTP_OK;
}

static enum smtp_status take_cut(struct smtp_fault_parser *parser,
                                 UNUSED const struct smtp_fault_word *row, UNUSED const char *place)
{
    uint64_t octets = 0;
    enum smtp_status status =
        take_number(parser, 0, OCTETS_S_MAX, "", "a number of octets", &octets);
    parser->entry->fault.cut = true;
    parser->entry->fault.cut_octets = (size_t)octets;
    return status;
}

static enum smtp_status take_ending(struct smtp_fault_parser *parser,
                                    const struct smtp_fault_word *row, const char *place)
{
    if (parser->entry->fault.ending != SMTP_GO_ON) {
        return smtp_notation_mistake(&parser->notation, place, "there is an ending already");
    }
    parser->entry->fault.ending = (enum smtp_server_ending)row->value;
    return SMTP_OK;
}

static enum smtp_status take_certificate(struct smtp_fault_parser *parser,
                                         UNUSED const struct smtp_fault_word *row,
                                         UNUSED const char *place)
{
    struct smtp_span word = next_word(parser);
    for (size_t i = 1; flaws[i] != NULL; i++) {
        if (smtp_span_equal(word, smtp_span_of(flaws[i]))) {
            parser->entry->has_certificate = true;
            parser->entry->flaw = (enum smtp_identity_flaw)i;
            return SMTP_OK;
        }
    }
    enum smtp_status status = smtp_notation_unknown(&parser->notation, word, "flaw", flaw_name);
    smtp_harness_lines_print(parser->notation.why, "flaws:");
    for (size_t i = 1; flaws[i] != NULL; i++) {
        smtp_harness_lines_print(parser->notation.why, " %s", flaws[i]);
    }
    smtp_harness_lines_print(parser->notation.why, "\n");
    return status;
}

/* ---- how often ---- */

static enum smtp_status take_once(struct smtp_fault_parser *parser,
                                  UNUSED const struct smtp_fault_word *row, const char *place)
{
    if (parser->entry->times != UINT64_MAX) {
        return smtp_notation_mistake(&parser->notation, place, "once and times exclude each other");
    }
    parser->entry->times = 1;
    return SMTP_OK;
}

static enum smtp_status take_times(struct smtp_fault_parser *parser,
                                   UNUSED const struct smtp_fault_word *row, const char *place)
{
    if (parser->entry->times != UINT64_MAX) {
        return smtp_notation_mistake(&parser->notation, place, "once and times exclude each other");
    }
    return take_number(parser, 1, UINT64_MAX - 1, "", "a number of times", &parser->entry->times);
}

static enum smtp_status take_every(struct smtp_fault_parser *parser,
                                   UNUSED const struct smtp_fault_word *row,
                                   UNUSED const char *place)
{
    return take_number(parser, 1, UINT64_MAX, "", "a number of steps", &parser->entry->every);
}

static enum smtp_status take_from(struct smtp_fault_parser *parser,
                                  UNUSED const struct smtp_fault_word *row,
                                  UNUSED const char *place)
{
    return take_number(parser, 1, UINT64_MAX, "", "the number of a step", &parser->entry->from);
}

/* "5%", "0.125%": in thousandths of a percent. */
static bool percentage(struct smtp_span word, uint64_t *out)
{
    if (word.len < 2 || word.bytes[--word.len] != '%') {
        return false;
    }
    const char *dot = memchr(word.bytes, '.', word.len);
    size_t whole = dot != NULL ? (size_t)(dot - word.bytes) : word.len;
    if (!smtp_span_to_u64((struct smtp_span){word.bytes, whole}, 100, out)) {
        return false;
    }
    *out *= 1000;
    uint64_t part = 0;
    if (dot == NULL) {
        return true;
    }
    struct smtp_span behind = {dot + 1, word.len - whole - 1};
    if (behind.len > 3 || !smtp_span_to_u64(behind, 999, &part)) {
        return false;
    }
    for (size_t i = behind.len; i < 3; i++) {
        part *= 10;
    }
    *out += part;
    return *out <= SMTP_FAULT_CERTAIN;
}

static enum smtp_status take_chance(struct smtp_fault_parser *parser,
                                    UNUSED const struct smtp_fault_word *row,
                                    UNUSED const char *place)
{
    struct smtp_span word = next_word(parser);
    if (percentage(word, &parser->entry->chance)) {
        return SMTP_OK;
    }
    return smtp_notation_mistake(&parser->notation, word.bytes,
                                 "a percentage is expected here: 0%% to 100%%, like 25%% or 0.5%%");
}

static enum smtp_status take_over(struct smtp_fault_parser *parser,
                                  UNUSED const struct smtp_fault_word *row,
                                  UNUSED const char *place)
{
    struct smtp_harness_fault_entry *entry = parser->entry;
    struct smtp_span word = next_word(parser), number = word;
    const char *slash = memchr(word.bytes, '/', word.len);
    struct smtp_span unit = SMTP_SPAN("");
    if (slash != NULL) {
        number.len = (size_t)(slash - word.bytes);
        unit = (struct smtp_span){slash, word.len - number.len};
    }
    bool second = smtp_span_equal(unit, SMTP_SPAN("/s"));
    if ((!second && !smtp_span_equal(unit, SMTP_SPAN("/min"))) ||
        !smtp_span_to_u64(number, RATE_MAX, &entry->over) || entry->over == 0) {
        return smtp_notation_mistake(&parser->notation, word.bytes,
                                     "a rate is expected here: N/s or N/min, N from 1 to %llu",
                                     (unsigned long long)RATE_MAX);
    }
    entry->over_ns = second ? NS_PER_S : 60 * NS_PER_S;
    entry->arrivals = calloc((size_t)entry->over, sizeof *entry->arrivals);
    return entry->arrivals != NULL ? SMTP_OK : SMTP_NO_MEMORY;
}

const struct smtp_fault_word smtp_fault_words[] = {
    {"reply", false, SMTP_FAULT_WITH_REPLY, take_reply, 0},
    {"octets", false, SMTP_FAULT_WITH_REPLY, take_octets, 0},
    {"delay", false, SMTP_FAULT_EVERY_STAGE, take_delay, 0},
    {"twice", false, SMTP_FAULT_WITH_REPLY, take_twice, 0},
    {"drip", false, SMTP_FAULT_WITH_OCTETS, take_drip, 0},
    {"split", false, SMTP_FAULT_WITH_OCTETS, take_split, 0},
    {"garble", false, SMTP_FAULT_WITH_OCTETS, take_garble, 0},
    {"cut", false, SMTP_FAULT_WITH_OCTETS, take_cut, 0},
    {"close", false, SMTP_FAULT_EVERY_STAGE, take_ending, SMTP_END_CLOSE},
    {"half-close", false, SMTP_FAULT_EVERY_STAGE, take_ending, SMTP_END_HALF_CLOSE},
    {"reset", false, SMTP_FAULT_EVERY_STAGE, take_ending, SMTP_END_RESET},
    {"hang", false, SMTP_FAULT_EVERY_STAGE, take_ending, SMTP_END_HANG},
    {"deaf", false, SMTP_FAULT_EVERY_STAGE, take_ending, SMTP_END_DEAF},
    {"certificate", false, SMTP_FAULT_TLS_ALONE, take_certificate, 0},
    {"once", true, SMTP_FAULT_EVERY_STAGE, take_once, 0},
    {"times", true, SMTP_FAULT_EVERY_STAGE, take_times, 0},
    {"every", true, SMTP_FAULT_EVERY_STAGE, take_every, 0},
    {"from", true, SMTP_FAULT_EVERY_STAGE, take_from, 0},
    {"chance", true, SMTP_FAULT_EVERY_STAGE, take_chance, 0},
    {"over", true, SMTP_FAULT_EVERY_STAGE, take_over, 0},
    {NULL, false, SMTP_FAULT_EVERY_STAGE, NULL, 0},
};
