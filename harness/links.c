/* links.c - see links.h. Of HTML it knows what the WHATWG standard's tokenizer makes of a tag (13.2.5), of its
 * character references the numeric ones and the five that URLs need; scripts and comments hold no links. */
#include "harness/links.h"

#include <stdlib.h>
#include <strings.h>

static const char *const schemes[] = {"http:", "https:", "mailto:"};

static bool starts_with(const char *text, const char *prefix)
{
    return strncasecmp(text, prefix, strlen(prefix)) == 0;
}

static bool has_scheme(const char *text)
{
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        if (starts_with(text, schemes[i])) {
            return true;
        }
    }
    return false;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f';
}

/* ---- character references ---- */

static void add_utf8(struct smtp_harness_lines *out, unsigned long point)
{
    char octets[4];
    size_t len = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    static const unsigned char leads[] = {0, 0x00, 0xc0, 0xe0, 0xf0};
    for (size_t i = len; i-- > 1; point >>= 6) {
        octets[i] = (char)(0x80 | (point & 0x3f));
    }
    octets[0] = (char)(leads[len] | point);
    smtp_harness_lines_add(out, (struct smtp_span){octets, len});
}

static bool is_character(unsigned long point)
{
    return point > 0 && point <= 0x10ffff && (point < 0xd800 || point > 0xdfff);
}

/* Of the "&" at text.bytes: what it stands for goes to *out. How many octets it is; 0: no reference. */
static size_t take_reference(struct smtp_span text, struct smtp_harness_lines *out)
{
    static const struct {
        const char *name, *text;
    } names[] = {{"&amp;", "&"}, {"&lt;", "<"}, {"&gt;", ">"}, {"&quot;", "\""}, {"&apos;", "'"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t len = strlen(names[i].name);
        if (text.len >= len && memcmp(text.bytes, names[i].name, len) == 0) {
            smtp_harness_lines_add(out, smtp_span_of(names[i].text));
            return len;
        }
    }
    bool hex = text.len > 3 && (text.bytes[2] | 32) == 'x';
    const char *digits = text.bytes + (hex ? 3 : 2);
    bool numeric = text.len > 3 && text.bytes[1] == '#' &&
                   (hex ? strchr("0123456789abcdefABCDEF", *digits) != NULL
                        : smtp_is_digit((unsigned char)*digits));
    if (!numeric) {
        return 0;
    }
    char *end;
    unsigned long point = strtoul(digits, &end, hex ? 16 : 10);
    if (*end != ';' || !is_character(point)) {
        return 0;
    }
    add_utf8(out, point);
    return (size_t)(end + 1 - text.bytes);
}

static void resolve(struct smtp_span value, struct smtp_harness_lines *out)
{
    while (value.len > 0) {
        size_t used = *value.bytes == '&' ? take_reference(value, out) : 0;
        if (used == 0) {
            smtp_harness_lines_add(out, (struct smtp_span){value.bytes, 1});
            used = 1;
        }
        value = (struct smtp_span){value.bytes + used, value.len - used};
    }
}

/* ---- HTML ---- */

struct attribute {
    struct smtp_span name, value;
};

/* The next attribute of a tag from *at on; false at the tag's end. */
static bool next_attribute(const char **at, struct attribute *out)
{
    const char *c = *at;
    while (is_blank(*c) || *c == '/') {
        c++;
    }
    out->name = (struct smtp_span){c, strcspn(c, " \t\r\n\f/>=")};
    out->name.len += out->name.len == 0 && *c == '='; /* a name may begin with it */
    c += out->name.len;
    *at = c;
    if (out->name.len == 0) {
        return false;
    }
    c += strspn(c, " \t\r\n\f");
    out->value = SMTP_SPAN("");
    if (*c != '=') {
        return true;
    }
    c++;
    c += strspn(c, " \t\r\n\f");
    bool quoted = *c == '"' || *c == '\'';
    const char end[] = {*c, '\0'};
    c += quoted;
    out->value = (struct smtp_span){c, strcspn(c, quoted ? end : " \t\r\n\f>")};
    c += out->value.len;
    *at = c + (quoted && *c != '\0');
    return true;
}

/* Behind what holds no tags, where `tag` ("<!--", "<script", "<style") begins it. */
static const char *skip_opaque(const char *tag)
{
    static const struct {
        const char *start, *end;
    } rows[] = {{"<!--", "-->"}, {"<script", "</script"}, {"<style", "</style"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (starts_with(tag, rows[i].start)) {
            const char *end = strcasestr(tag, rows[i].end);
            return end != NULL ? end + strlen(rows[i].end) : tag + strlen(tag);
        }
    }
    return tag;
}

/* The tag's link into *out, where it has one. *at: behind its name, then behind the tag. */
static bool take_href(const char **at, struct smtp_harness_lines *out)
{
    struct attribute attribute;
    bool found = false;
    while (next_attribute(at, &attribute)) {
        if (!found && smtp_span_equal_nocase(attribute.name, SMTP_SPAN("href"))) {
            while (attribute.value.len > 0 && is_blank(*attribute.value.bytes)) {
                attribute.value.bytes++;
                attribute.value.len--;
            }
            while (attribute.value.len > 0 &&
                   is_blank(attribute.value.bytes[attribute.value.len - 1])) {
                attribute.value.len--;
            }
            resolve(attribute.value, out);
            found = true;
        }
    }
    return found;
}

bool smtp_harness_link_in_html(const char *html, size_t *from, struct smtp_harness_lines *link)
{
    for (const char *at = html + *from; (at = strchr(at, '<')) != NULL;) {
        const char *behind = skip_opaque(at);
        if (behind != at) {
            at = behind;
            continue;
        }
        at++;
        if (!smtp_is_letter((unsigned char)*at)) {
            continue;
        }
        at += strcspn(at, " \t\r\n\f/>");
        struct smtp_harness_lines href = SMTP_HARNESS_LINES;
        bool found = take_href(&at, &href);
        char *text = smtp_harness_lines_take(&href);
        found = found && text != NULL && has_scheme(text);
        if (found) {
            smtp_harness_lines_add(link, smtp_span_of(text));
            *from = (size_t)(at - html);
        }
        free(text);
        if (found) {
            return true;
        }
    }
    return false;
}

/* ---- texts ---- */

/* Without what ends the sentence, and a bracket that is not opened in it. */
static size_t length_of(const char *link)
{
    size_t len = strcspn(link, " \t\r\n\f<>\"");
    const char *ends = memchr(link, '(', len) == NULL ? ".,;:!?'*_]})" : ".,;:!?'*_]}";
    while (len > 0 && strchr(ends, link[len - 1]) != NULL) {
        len--;
    }
    return len;
}

bool smtp_harness_link_in_text(const char *text, size_t *from, struct smtp_harness_lines *link)
{
    for (const char *at = text + *from; *at != '\0'; at++) {
        bool inside = at > text && (smtp_is_letter_or_digit((unsigned char)at[-1]));
        if (inside || !has_scheme(at)) {
            continue;
        }
        size_t len = length_of(at), scheme = strcspn(at, ":") + 1;
        if (len <= scheme) { /* the word alone */
            continue;
        }
        smtp_harness_lines_add(link, (struct smtp_span){at, len});
        *from = (size_t)(at + len - text);
        return true;
    }
    return false;
}

bool smtp_harness_link_next(const char *html, const char *text,
                            struct smtp_harness_link_place *place, struct smtp_harness_lines *link)
{
    if (!place->in_text && html != NULL && smtp_harness_link_in_html(html, &place->from, link)) {
        return true;
    }
    place->in_text = place->in_text || place->from == 0;
    return place->in_text && text != NULL && smtp_harness_link_in_text(text, &place->from, link);
}
