/* fault_parse.c - takes the fault notation of smtp_harness.h apart:
 *
 *     STAGE [PATTERN] ":" ACTION... [FREQUENCY...]
 *
 * Knows the stages, and which of the actions they can have; the actions and frequencies themselves are
 * fault_action.c's. Every mistake is told with a caret under its place. */
#include "harness/fault_parse.h"

#include <stdlib.h>

/* ---- stages ---- */

enum pattern_kind { NO_PATTERN, A_GLOB, A_NUMBER };

static const struct {
    const char *name;
    enum pattern_kind pattern;
} stages[] = {
    /* in the order of enum smtp_harness_fault_stage */
    {"connect", A_GLOB},  {"greeting", A_GLOB}, {"ehlo", A_GLOB},      {"starttls", NO_PATTERN},
    {"tls", NO_PATTERN},  {"auth", A_GLOB},     {"mail", A_GLOB},      {"rcpt", A_GLOB},
    {"data", A_GLOB},     {"bdat", A_GLOB},     {"content", A_NUMBER}, {"dot", A_GLOB},
    {"rset", NO_PATTERN}, {"quit", NO_PATTERN}, {"any", A_GLOB},
};
#define STAGE_COUNT (sizeof stages / sizeof *stages)

static const char *stage_name(size_t i)
{
    return i < STAGE_COUNT ? stages[i].name : NULL;
}

static enum smtp_status take_stage(struct smtp_fault_parser *parser)
{
    struct smtp_notation *notation = &parser->notation;
    struct smtp_span word = {notation->at, strcspn(notation->at, ": \t\r\n")};
    if (word.len == 0) {
        return smtp_notation_mistake(notation, word.bytes,
                                     "a stage is missing, like in \"rcpt bob@*: reply 450 once\"");
    }
    notation->at += word.len;
    for (size_t i = 0; i < STAGE_COUNT; i++) {
        if (smtp_span_equal(word, smtp_span_of(stages[i].name))) {
            parser->entry->stage = (enum smtp_harness_fault_stage)i;
            return SMTP_OK;
        }
    }
    enum smtp_status status = smtp_notation_unknown(notation, word, "stage", stage_name);
    smtp_harness_lines_print(notation->why, "stages:");
    for (size_t i = 0; i < STAGE_COUNT; i++) {
        smtp_harness_lines_print(notation->why, " %s", stages[i].name);
    }
    smtp_harness_lines_print(notation->why, "\n");
    return status;
}

/* ---- patterns ---- */

/* A word, whose last ':' is not its own, or a quoted text, with the ':' behind it. */
static enum smtp_status take_pattern_text(struct smtp_fault_parser *parser)
{
    struct smtp_notation *notation = &parser->notation;
    const char *start = notation->at;
    struct smtp_span text;
    if (*start == '"') {
        enum smtp_status status = smtp_notation_quoted(notation, &text);
        if (status != SMTP_OK) {
            return status;
        }
        parser->entry->pattern = smtp_notation_unquote(text);
    } else {
        text = smtp_notation_word(notation);
        if (text.len > 1 && text.bytes[text.len - 1] == ':') {
            text.len--;
            notation->at--;
        }
        parser->entry->pattern = strndup(text.bytes, text.len);
    }
    return parser->entry->pattern != NULL ? SMTP_OK : SMTP_NO_MEMORY;
}

static enum smtp_status check_pattern(struct smtp_fault_parser *parser, const char *place)
{
    struct smtp_harness_fault_entry *entry = parser->entry;
    switch (stages[entry->stage].pattern) {
    case NO_PATTERN:
        return smtp_notation_mistake(&parser->notation, place, "the stage %s takes no pattern",
                                     stages[entry->stage].name);
    case A_NUMBER:
        if (!smtp_span_to_u64(smtp_span_of(entry->pattern), UINT64_MAX, &entry->content_octets) ||
            entry->content_octets == 0) {
            return smtp_notation_mistake(&parser->notation, place,
                                         "a number of octets is expected here, from 1 on");
        }
        return SMTP_OK;
    default:
        return SMTP_OK;
    }
}

static enum smtp_status take_pattern(struct smtp_fault_parser *parser)
{
    struct smtp_notation *notation = &parser->notation;
    smtp_notation_skip_blanks(notation);
    const char *place = notation->at;
    enum smtp_status status = SMTP_OK;
    if (*place != ':' && *place != '\0') {
        status = take_pattern_text(parser);
        status = status == SMTP_OK ? check_pattern(parser, place) : status;
    }
    if (status != SMTP_OK) {
        return status;
    }
    smtp_notation_skip_blanks(notation);
    if (*notation->at != ':') {
        return smtp_notation_mistake(notation, notation->at,
                                     "a \":\" is missing between where and what");
    }
    notation->at++;
    return SMTP_OK;
}

/* ---- what happens, and how often ---- */

static void show_words(struct smtp_harness_lines *why)
{
    smtp_harness_lines_print(why, "actions:");
    for (size_t i = 0; smtp_fault_words[i].name != NULL; i++) {
        if (smtp_fault_words[i].is_frequency && !smtp_fault_words[i - 1].is_frequency) {
            smtp_harness_lines_print(why, "\nfrequencies:");
        }
        smtp_harness_lines_print(why, " %s", smtp_fault_words[i].name);
    }
    smtp_harness_lines_print(why, "\n");
}

static const char *word_name(size_t i)
{
    return smtp_fault_words[i].name;
}

static enum smtp_status check_stage(struct smtp_fault_parser *parser,
                                    const struct smtp_fault_word *row, const char *place)
{
    enum smtp_harness_fault_stage stage = parser->entry->stage;
    if (row->stages == SMTP_FAULT_TLS_ALONE && stage != SMTP_FAULT_TLS) {
        return smtp_notation_mistake(&parser->notation, place, "%s is of the stage tls alone",
                                     row->name);
    }
    if ((stage == SMTP_FAULT_TLS && row->stages == SMTP_FAULT_WITH_REPLY) ||
        (stage == SMTP_FAULT_CONTENT &&
         (row->stages == SMTP_FAULT_WITH_REPLY || row->stages == SMTP_FAULT_WITH_OCTETS))) {
        return smtp_notation_mistake(&parser->notation, place, "the stage %s has no reply to %s",
                                     stages[stage].name, row->name);
    }
    return SMTP_OK;
}

static enum smtp_status take_words(struct smtp_fault_parser *parser)
{
    struct smtp_notation *notation = &parser->notation;
    enum smtp_status status = SMTP_OK;
    for (smtp_notation_skip_blanks(notation); status == SMTP_OK && *notation->at != '\0';
         smtp_notation_skip_blanks(notation)) {
        struct smtp_span word = smtp_notation_word(notation);
        const struct smtp_fault_word *row = smtp_fault_words;
        while (row->name != NULL && !smtp_span_equal(word, smtp_span_of(row->name))) {
            row++;
        }
        if (row->name == NULL) {
            status = smtp_notation_unknown(notation, word, "word", word_name);
            show_words(notation->why);
            return status;
        }
        uint32_t bit = UINT32_C(1) << (row - smtp_fault_words);
        if ((parser->taken & bit) != 0) {
            return smtp_notation_mistake(notation, word.bytes, "%s stands here twice", row->name);
        }
        parser->taken |= bit;
        parser->has_action = parser->has_action || !row->is_frequency;
        status = check_stage(parser, row, word.bytes);
        status = status == SMTP_OK ? row->take(parser, row, word.bytes) : status;
    }
    return status;
}

/* What follows from the actions together. */
static void settle(struct smtp_harness_fault_entry *entry)
{
    struct smtp_server_fault *fault = &entry->fault;
    bool speaks = fault->reply.code != 0 || fault->replaced || fault->twice || fault->garbled ||
                  fault->drip_octets_s != 0 || fault->split_octets != 0 || fault->cut;
    fault->silent = fault->ending != SMTP_GO_ON && !speaks && !entry->has_certificate;
    entry->replies_alone =
        entry->stage == SMTP_FAULT_DOT && entry->pattern != NULL && fault->reply.code >= 400;
    /* RFC 5321 3.8: the server closes after 421. */
    if (fault->reply.code == 421 && fault->ending == SMTP_GO_ON && !entry->replies_alone) {
        fault->ending = SMTP_END_CLOSE;
    }
    struct smtp_span note = smtp_span_of(entry->text);
    static const char prefix[] = "fault: ";
    size_t room = sizeof fault->note - sizeof prefix;
    note.len = note.len < room ? note.len : room;
    while (note.len > 0 && ((unsigned char)note.bytes[note.len] & 0xc0) == 0x80) {
        note.len--; /* not in the middle of a UTF-8 sequence */
    }
    memcpy(fault->note, prefix, sizeof prefix);
    smtp_bytes_copy(fault->note + sizeof prefix - 1, note);
    fault->note[sizeof prefix - 1 + note.len] = '\0';
}

/* ---- the whole ---- */

static char *shown_text(const char *text)
{
    char *copy = strdup(text);
    for (char *c = copy; c != NULL && *c != '\0'; c++) {
        *c = smtp_is_control((unsigned char)*c) ? ' ' : *c;
    }
    return copy;
}

/* Blanks are; others would hide in the plan. */
static enum smtp_status refuse_controls(struct smtp_notation *notation)
{
    for (const char *c = notation->at; *c != '\0'; c++) {
        if (smtp_is_control((unsigned char)*c) && !smtp_notation_is_blank(*c)) {
            return smtp_notation_mistake(notation, c,
                                         "a control octet; in octets \"...\" it is "
                                         "written like \\x07");
        }
    }
    return SMTP_OK;
}

enum smtp_status smtp_harness_fault_parse(const char *text, struct smtp_harness_fault_entry *entry,
                                          struct smtp_harness_lines *why)
{
    text = text != NULL ? text : "";
    *entry = (struct smtp_harness_fault_entry){
        .times = UINT64_MAX, .every = 1, .from = 1, .chance = SMTP_FAULT_CERTAIN};
    entry->text = shown_text(text);
    if (entry->text == NULL) {
        return SMTP_NO_MEMORY;
    }
    struct smtp_fault_parser parser = {.notation = {"fault", text, text, why}, .entry = entry};
    enum smtp_status status = refuse_controls(&parser.notation);
    smtp_notation_skip_blanks(&parser.notation);
    status = status == SMTP_OK ? take_stage(&parser) : status;
    status = status == SMTP_OK ? take_pattern(&parser) : status;
    status = status == SMTP_OK ? take_words(&parser) : status;
    if (status == SMTP_OK && !parser.has_action) {
        status = smtp_notation_mistake(&parser.notation, parser.notation.at,
                                       "an action is missing, like \"reply 450\" or \"close\"");
    }
    if (status == SMTP_OK) {
        settle(entry);
    }
    return status;
}

void smtp_harness_fault_clear(struct smtp_harness_fault_entry *entry)
{
    free(entry->text);
    free(entry->pattern);
    free(entry->arrivals);
    smtp_identity_release(entry->identity);
}
