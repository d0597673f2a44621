/* trace.c - see trace.h. */
#include "harness/conformance/trace.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* ---- fields ---- */

/** The length of the field at `at` with its last CRLF; 0: the header is over. */
static size_t field_len(struct smtp_span content, size_t at)
{
    size_t begin = at;
    while (at < content.len) {
        const char *end = memmem(content.bytes + at, content.len - at, "\r\n", 2);
        if (end == NULL || (size_t)(end - content.bytes) == begin) {
            return 0;
        }
        at = (size_t)(end - content.bytes) + 2;
        if (at >= content.len || (content.bytes[at] != ' ' && content.bytes[at] != '\t')) {
            return at - begin;
        }
    }
    return 0;
}

static bool is_called(struct smtp_span content, size_t at, const char *name)
{
    size_t len = strlen(name);
    return content.len - at > len && content.bytes[at + len] == ':' &&
           smtp_span_equal_nocase((struct smtp_span){content.bytes + at, len}, smtp_span_of(name));
}

bool smtp_trace_find(struct smtp_span content, struct smtp_span *field)
{
    return smtp_trace_find_named(content, "Received", field);
}

bool smtp_trace_find_named(struct smtp_span content, const char *name, struct smtp_span *field)
{
    size_t at = 0, len;
    while ((len = field_len(content, at)) > 0) {
        if (is_called(content, at, name)) {
            *field = (struct smtp_span){content.bytes + at, len - 2};
            return true;
        }
        at += len;
    }
    *field = (struct smtp_span){"", 0};
    return false;
}

size_t smtp_trace_len(struct smtp_span content)
{
    /* a server may be several hops, and filter: RFC 7208 9.1, 8601 2, 8617 4.1, 6376 3.5 */
    static const char *const added[] = {
        "Received",      "Return-Path",           "Delivered-To",
        "X-Original-To", "Envelope-To",           "X-Envelope-To",
        "Delivery-date", "Received-SPF",          "Authentication-Results",
        "ARC-Seal",      "ARC-Message-Signature", "ARC-Authentication-Results",
        "DKIM-Signature"};
    size_t at = 0, len;
    while ((len = field_len(content, at)) > 0) {
        bool is_added = false;
        for (size_t i = 0; i < sizeof added / sizeof *added; i++) {
            is_added = is_added || is_called(content, at, added[i]);
        }
        if (!is_added) {
            break;
        }
        at += len;
    }
    return at;
}

/* ---- one field ---- */

struct writer {
    char *text;
    size_t len;
};

static void add(struct writer *writer, char octet)
{
    bool is_white = octet == ' ' || octet == '\t' || octet == '\r' || octet == '\n';
    bool has_space = writer->len == 0 || writer->text[writer->len - 1] == ' ';
    if ((!is_white || !has_space) && writer->len + 1 < SMTP_TRACE_MAX) {
        writer->text[writer->len++] = is_white ? ' ' : octet;
    }
}

static void end(struct writer *writer)
{
    writer->len -= writer->len > 0 && writer->text[writer->len - 1] == ' ';
    writer->text[writer->len] = '\0';
}

bool smtp_trace_parse(struct smtp_span field, struct smtp_trace *out)
{
    struct writer text = {out->text, 0}, comments = {out->comments, 0};
    size_t depth = 0;
    const char *colon = memchr(field.bytes, ':', field.len);
    if (colon == NULL) {
        return false;
    }
    for (const char *at = colon + 1; at < field.bytes + field.len; at++) {
        bool opens = *at == '(', closes = *at == ')' && depth > 0;
        depth += opens;
        add(depth > 0 || closes ? &comments : &text, *at);
        depth -= closes;
    }
    end(&text);
    end(&comments);
    char *semicolon = strrchr(out->text, ';');
    out->date[0] = '\0';
    if (semicolon != NULL) {
        size_t begin = semicolon[1] == ' ' ? 2 : 1;
        snprintf(out->date, sizeof out->date, "%s", semicolon + begin);
        *semicolon = '\0';
    }
    return true;
}

/** The next place of " clause " from there; NULL: none. */
static const char *find_clause(const char *text, const char *whole, const char *clause)
{
    size_t len = strlen(clause);
    for (const char *at = text; (at = strcasestr(at, clause)) != NULL; at++) {
        if ((at == whole || at[-1] == ' ') && at[len] == ' ') {
            return at + len + 1;
        }
    }
    return NULL;
}

bool smtp_trace_clause(const struct smtp_trace *trace, const char *clause,
                       char word[SMTP_TRACE_MAX])
{
    const char *at = find_clause(trace->text, trace->text, clause);
    word[0] = '\0';
    if (at != NULL) {
        snprintf(word, SMTP_TRACE_MAX, "%.*s", (int)strcspn(at, " "), at);
    }
    return at != NULL;
}

size_t smtp_trace_count(const struct smtp_trace *trace, const char *clause)
{
    size_t count = 0;
    for (const char *at = trace->text; (at = find_clause(at, trace->text, clause)) != NULL;) {
        count++;
    }
    return count;
}

/* ---- dates ---- */

static bool is_word_of(const char *list, const char **at)
{
    for (; *list != '\0'; list += 3) {
        if (strncasecmp(*at, list, 3) == 0) {
            *at += 3;
            return true;
        }
    }
    return false;
}

/** From `least` to `most` digits, of a number of at most `max`. */
static bool is_number(const char **at, size_t least, size_t most, unsigned max)
{
    unsigned number = 0;
    size_t len = 0;
    while (len < most && smtp_is_digit((unsigned char)(*at)[len])) {
        number = number * 10 + (unsigned)((*at)[len] - '0');
        len++;
    }
    *at += len;
    return len >= least && number <= max && !smtp_is_digit((unsigned char)**at);
}

static bool is_octet(const char **at, char octet)
{
    bool is = **at == octet;
    *at += is;
    return is;
}

static bool is_day_and_time(const char **at)
{
    if (is_word_of("MonTueWedThuFriSatSun", at) && !(is_octet(at, ',') && is_octet(at, ' '))) {
        return false;
    }
    return is_number(at, 1, 2, 31) && is_octet(at, ' ') &&
           is_word_of("JanFebMarAprMayJunJulAugSepOctNovDec", at) && is_octet(at, ' ') &&
           is_number(at, 4, 4, 9999) && is_octet(at, ' ') && is_number(at, 2, 2, 23) &&
           is_octet(at, ':') && is_number(at, 2, 2, 59) &&
           (!is_octet(at, ':') || is_number(at, 2, 2, 60)) && is_octet(at, ' ');
}

enum smtp_trace_date smtp_trace_judge_date(const char *date)
{
    const char *at = date;
    if (!is_day_and_time(&at)) {
        return SMTP_DATE_WRONG;
    }
    if (*at == '+' || *at == '-') {
        at++;
        return is_number(&at, 4, 4, 9959) && *at == '\0' ? SMTP_DATE_STRICT : SMTP_DATE_WRONG;
    }
    size_t letters = strspn(at, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");
    return letters > 0 && at[letters] == '\0' ? SMTP_DATE_OBSOLETE_ZONE : SMTP_DATE_WRONG;
}
