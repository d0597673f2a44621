/* trace.c - see trace.h. */
#include "harness/conformance/trace.h"

#include "harness/conformance/name.h"

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
    bool is_quoted = false;
    const char *colon = memchr(field.bytes, ':', field.len);
    if (colon == NULL) {
        return false;
    }
    for (const char *at = colon + 1; at < field.bytes + field.len; at++) {
        bool opens = *at == '(' && !is_quoted, closes = *at == ')' && depth > 0;
        bool is_pair = *at == '\\' && at + 1 < field.bytes + field.len;
        depth += opens;
        add(depth > 0 ? &comments : &text, *at);
        depth -= closes;
        is_quoted = is_quoted != (*at == '"' && depth == 0);
        if (is_pair) {
            add(depth > 0 ? &comments : &text, *++at);
        }
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

/* ---- its clauses ---- */

/* in the order of Opt-info and what stands before it (RFC 5321 4.4) */
static const char *const clauses[] = {"from", "by", "via", "with", "id", "for"};
#define CLAUSES (sizeof clauses / sizeof *clauses)
#define BY 1

static size_t clause_of(struct smtp_span word)
{
    size_t i = 0;
    while (i < CLAUSES && !smtp_span_equal_nocase(word, smtp_span_of(clauses[i]))) {
        i++;
    }
    return i;
}

/** The word at *at, up to a space that is not quoted; *at is behind it. Empty: there is none. */
static struct smtp_span next_word(const char **at)
{
    *at += **at == ' ';
    const char *begin = *at;
    bool is_quoted = false;
    for (; **at != '\0' && (is_quoted || **at != ' '); ++*at) {
        is_quoted = is_quoted != (**at == '"');
        *at += **at == '\\' && (*at)[1] != '\0';
    }
    return (struct smtp_span){begin, (size_t)(*at - begin)};
}

/** The next clause from *at and what it says, empty where that is missing; CLAUSES: there is none. */
static size_t next_clause(const char **at, struct smtp_span *says)
{
    for (struct smtp_span word; (word = next_word(at)).len > 0;) {
        size_t clause = clause_of(word);
        if (clause < CLAUSES) {
            const char *behind = *at;
            *says = next_word(&behind);
            bool is_missing = clause_of(*says) < CLAUSES;
            says->len = is_missing ? 0 : says->len;
            *at = is_missing ? *at : behind;
            return clause;
        }
    }
    *says = (struct smtp_span){"", 0};
    return CLAUSES;
}

bool smtp_trace_clause(const struct smtp_trace *trace, const char *clause,
                       char word[SMTP_TRACE_MAX])
{
    const char *at = trace->text;
    struct smtp_span says;
    size_t wanted = clause_of(smtp_span_of(clause)), found;
    while ((found = next_clause(&at, &says)) < CLAUSES && found != wanted) {
    }
    snprintf(word, SMTP_TRACE_MAX, "%.*s", (int)says.len, says.bytes);
    return found == wanted;
}

size_t smtp_trace_count(const struct smtp_trace *trace, const char *clause)
{
    const char *at = trace->text;
    struct smtp_span says;
    size_t count = 0, wanted = clause_of(smtp_span_of(clause));
    for (size_t found; (found = next_clause(&at, &says)) < CLAUSES;) {
        count += found == wanted;
    }
    return count;
}

const char *smtp_trace_judge_stamp(const struct smtp_trace *trace)
{
    const char *at = trace->text;
    struct smtp_span says;
    size_t least = 0;
    for (size_t clause; (clause = next_clause(&at, &says)) < CLAUSES; least = clause + 1) {
        if (clause < least) {
            return "FROM, BY, VIA, WITH, ID and FOR, each once at most, in that order";
        }
        if (says.len == 0) {
            return "something behind each of FROM, BY, VIA, WITH, ID and FOR";
        }
        if (clause <= BY && !smtp_name_is_host(says)) {
            return "a domain or an address literal behind FROM and BY";
        }
    }
    return NULL;
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
    if (is_word_of("MonTueWedThuFriSatSun", at)) {
        if (!is_octet(at, ',')) {
            return false;
        }
        (void)is_octet(at, ' '); /* the FWS before the day may be none */
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
