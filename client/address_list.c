/* address_list.c - reads address lists (RFC 5322 3.4) in one pass, without recursion: each octet is
 * looked at once, and nesting is counted. Knows: mailboxes, groups, comments, quoted strings,
 * domain literals, obsolete routes and empty members. Does not know: header fields, what a valid
 * mailbox is. */
#include "client/address_list.h"

#include "common/error.h"

struct list {
    struct smtp_span in;
    size_t at;
    struct smtp_buffer *texts;
    size_t start;    /* in texts: where the current address begins */
    bool in_angle;   /* between < and > */
    bool angle_done; /* > came: the address is known */
    bool spaced;     /* white space or a comment stood before this octet */
    bool phrase;     /* words with space between them: a display name, or no address */
    bool in_group;
    size_t count;
};

static enum smtp_status malformed(const struct list *list, struct smtp_error *error,
                                  const char *what)
{
    return smtp_error_set(error, SMTP_BAD_ARGUMENT, 0,
                          "an address list cannot be read: %s, at octet %zu", what, list->at);
}

/* What `at` stands behind: a NUL would even part the address in two. */
static enum smtp_status unsafe(const struct list *list, char c, struct smtp_error *error)
{
    return smtp_error_set(error, SMTP_UNSAFE_ARGUMENT, 0,
                          "an address list holds the control octet 0x%02X at octet %zu",
                          (unsigned char)c, list->at);
}

static enum smtp_status put(struct list *list, char c)
{
    return smtp_buffer_append(list->texts, &c, 1);
}

static void start_over(struct list *list)
{
    list->texts->len = list->start;
    list->phrase = false;
}

/* What comes belongs to the current address or display name: are they two words? */
static void join_word(struct list *list, char next)
{
    size_t len = list->texts->len;
    if (list->spaced && len > list->start) {
        char last = smtp_buffer_span(list->texts).bytes[len - 1];
        bool glued = last == '.' || last == '@' || next == '.' || next == '@';
        list->phrase = list->phrase || !glued;
    }
    list->spaced = false;
}

static enum smtp_status skip_comment(struct list *list, struct smtp_error *error)
{
    size_t depth = 0;
    for (; list->at < list->in.len; list->at++) {
        char c = list->in.bytes[list->at];
        if (c == '\\') {
            list->at++;
        } else if (c == '(' && ++depth > SMTP_CLIENT_COMMENT_DEPTH_MAX) {
            return malformed(list, error, "comments are nested too deep");
        } else if (c == ')' && --depth == 0) {
            list->at++;
            list->spaced = true;
            return SMTP_OK;
        }
    }
    return malformed(list, error, "a comment does not end");
}

static enum smtp_status put_enclosed(struct list *list, char c, struct smtp_error *error)
{
    return smtp_is_control((unsigned char)c) && c != '\t' ? unsafe(list, c, error) : put(list, c);
}

/* A quoted string or domain literal, taken over with its marks; folding inside is undone. */
static enum smtp_status take_enclosed(struct list *list, char close, struct smtp_error *error)
{
    enum smtp_status status = put(list, list->in.bytes[list->at++]);
    while (list->at < list->in.len && status == SMTP_OK) {
        char c = list->in.bytes[list->at++];
        if (c == '\r' || c == '\n') {
            continue;
        }
        status = put_enclosed(list, c, error);
        if (c == close) {
            return status;
        }
        if (c == '\\' && list->at < list->in.len && status == SMTP_OK) {
            status = put_enclosed(list, list->in.bytes[list->at++], error);
        }
    }
    return status == SMTP_OK ? malformed(list, error, "a quotation does not end") : status;
}

static enum smtp_status finish_address(struct list *list, struct smtp_error *error)
{
    bool empty = list->texts->len == list->start;
    if (list->in_angle) {
        return malformed(list, error, "a > is missing");
    }
    if (empty && list->angle_done) {
        return malformed(list, error, "<> is no address");
    }
    if (!list->angle_done && list->phrase) {
        return malformed(list, error, "several words are no address");
    }
    enum smtp_status status = SMTP_OK;
    if (!empty) {
        status = put(list, '\0');
        list->count++;
        list->start = list->texts->len;
    }
    list->angle_done = list->phrase = list->spaced = false;
    return status;
}

/* The octets that part addresses. */
static enum smtp_status take_special(struct list *list, char c, struct smtp_error *error)
{
    list->at++;
    list->spaced = false;
    switch (c) {
    case '<':
        if (list->in_angle || list->angle_done) {
            return malformed(list, error, "a second < stands in one address");
        }
        start_over(list);
        list->in_angle = true;
        return SMTP_OK;
    case '>':
        if (!list->in_angle) {
            return malformed(list, error, "a > stands alone");
        }
        list->in_angle = false;
        list->angle_done = true;
        return list->phrase ? malformed(list, error, "space stands in an address") : SMTP_OK;
    case ':': /* the end of a route (RFC 5322 4.4), or a group begins */
        if (!list->in_angle && (list->in_group || list->angle_done)) {
            return malformed(list, error, "a : is out of place");
        }
        list->in_group = list->in_group || !list->in_angle;
        start_over(list);
        return SMTP_OK;
    case ';':
        if (!list->in_group) {
            return malformed(list, error, "a ; stands outside a group");
        }
        list->in_group = false;
        return finish_address(list, error);
    default: /* a comma */
        return list->in_angle ? put(list, c) : finish_address(list, error);
    }
}

static enum smtp_status take_octet(struct list *list, struct smtp_error *error)
{
    char c = list->in.bytes[list->at];
    switch (c) {
    case ' ':
    case '\t':
    case '\r':
    case '\n':
        list->spaced = true;
        list->at++;
        return SMTP_OK;
    case '(':
        return skip_comment(list, error);
    case '<':
    case '>':
    case ':':
    case ';':
    case ',':
        return take_special(list, c, error);
    default:
        break;
    }
    if (smtp_is_control((unsigned char)c)) {
        return unsafe(list, c, error);
    }
    if (list->angle_done) {
        return malformed(list, error, "something follows a >");
    }
    join_word(list, c);
    if (c == '"' || c == '[') {
        return take_enclosed(list, c == '"' ? '"' : ']', error);
    }
    list->at++;
    return put(list, c);
}

enum smtp_status smtp_client_address_list_read(struct smtp_span body, struct smtp_buffer *texts,
                                               size_t *count, struct smtp_error *error)
{
    struct list list = {.in = body, .texts = texts, .start = texts->len};
    enum smtp_status status = SMTP_OK;
    while (list.at < body.len && status == SMTP_OK) {
        status = take_octet(&list, error);
    }
    if (status == SMTP_OK) {
        status = finish_address(&list, error); /* a group whose ; is missing ends here too */
    }
    if (status != SMTP_OK) {
        texts->len = list.start;
    }
    *count += list.count;
    return status == SMTP_LIMIT_EXCEEDED || status == SMTP_NO_MEMORY
               ? smtp_error_set(error, status, 0, "no room for an address list")
               : status;
}
