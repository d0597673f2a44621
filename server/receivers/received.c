/* received.c - the trace field that a server adds when it hands a message on (RFC 5321 4.4).
 * Knows: its clauses, the date, and where a line may be folded. Does not know: where it goes. */
#include "common/bytes.h"
#include "server/smtp_receivers.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define LINE_OCTETS 77 /* 78 without the CRLF, RFC 5322 2.1.1; one is for the ';' */
/* What a clause takes at most, so that with its keyword it stays far below the 998 octets of a line
 * (2.1.1), whatever the limits of the server are. */
#define HELO_MAX 255
#define PATH_MAX_OCTETS 512

/** The field so far. */
struct field {
    char *text;
    size_t size;
    size_t len;
    size_t column;
    bool is_full;
};

static void put(struct field *field, const char *text)
{
    size_t len = strlen(text);
    if (field->is_full || len >= field->size - field->len) {
        field->is_full = true;
        return;
    }
    memcpy(field->text + field->len, text, len + 1);
    field->len += len;
    field->column += len;
}

/* A space before a word of that length, on a new line where it does not fit into this one. */
static void part(struct field *field, size_t len)
{
    if (field->column + 1 + len > LINE_OCTETS) {
        put(field, "\r\n");
        field->column = 0;
    }
    put(field, " ");
}

/* A clause stays on one line where it can; else its value begins one. */
static void add(struct field *field, const char *keyword, const char *value)
{
    size_t whole = strlen(keyword) + 1 + strlen(value);
    part(field, whole < LINE_OCTETS ? whole : strlen(keyword));
    put(field, keyword);
    part(field, strlen(value));
    put(field, value);
}

/* What the peer said is checked when it comes; here nothing of it can end the field, a comment or a clause
 * all the same. Octets of UTF-8 stay where the message may hold them (RFC 6531 3.7.3). */
static void make_safe(char *text, bool utf8, const char *specials)
{
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (smtp_is_control(c) || (c >= 128 && !utf8) || strchr(specials, *text) != NULL) {
            *text = '?';
        }
    }
}

/* "([192.0.2.1])", or "" for a peer without an address. */
static void write_literal(const char *peer, char *text, size_t size)
{
    char host[INET6_ADDRSTRLEN] = "";
    unsigned char unused[sizeof(struct in6_addr)];
    const char *start = peer[0] == '[' ? peer + 1 : peer;
    const char *end = peer[0] == '[' ? strchr(peer, ']') : strrchr(peer, ':');
    size_t len = end != NULL ? (size_t)(end - start) : strlen(start);
    *text = '\0';
    if (len >= sizeof host) {
        return;
    }
    memcpy(host, start, len);
    if (inet_pton(AF_INET, host, unused) == 1) {
        snprintf(text, size, "([%s])", host);
    } else if (inet_pton(AF_INET6, host, unused) == 1) {
        snprintf(text, size, "([IPv6:%s])", host);
    }
}

/* RFC 5322 3.3. False: the year has not four digits. */
static bool write_date(int64_t unix_s, char *text, size_t size)
{
    static const char days[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const time_t seconds = (time_t)unix_s;
    struct tm tm;
    if (gmtime_r(&seconds, &tm) == NULL || tm.tm_year < 0 || tm.tm_year > 9999 - 1900) {
        return false;
    }
    snprintf(text, size, "%s, %d %s %d %02d:%02d:%02d +0000", days[tm.tm_wday], tm.tm_mday,
             months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
    return true;
}

/* A name that no limit of the RFC let in is left out rather than cut to another. */
static void add_from(struct field *field, const struct smtp_message *message, bool utf8)
{
    char helo[HELO_MAX + 1] = "unknown", literal[INET6_ADDRSTRLEN + sizeof "([IPv6:])"];
    size_t len = strlen(smtp_message_helo(message));
    if (len > 0 && len <= HELO_MAX) {
        memcpy(helo, smtp_message_helo(message), len + 1);
        make_safe(helo, utf8, " ();<>\\\",");
    }
    add(field, "from", helo);
    write_literal(smtp_message_peer(message), literal, sizeof literal);
    if (*literal != '\0') {
        part(field, strlen(literal));
        put(field, literal);
    }
}

/* Its number; a message that has none yet goes by its session. */
static void add_id(struct field *field, const struct smtp_message *message)
{
    char id[40];
    uint64_t number = smtp_message_number(message);
    snprintf(id, sizeof id, number > 0 ? "%" PRIu64 : "session-%" PRIu64,
             number > 0 ? number : smtp_message_session(message));
    add(field, "id", id);
}

/* One path at most: several would show recipients to each other (RFC 5321 7.6). */
static void add_for(struct field *field, const struct smtp_message *message, bool utf8)
{
    char value[PATH_MAX_OCTETS + sizeof "<>"];
    const char *path = smtp_message_forward_path(message, 0);
    if (smtp_message_recipient_count(message) != 1 || strlen(path) > PATH_MAX_OCTETS) {
        return;
    }
    snprintf(value, sizeof value, "<%s>", path);
    make_safe(value, utf8, "");
    add(field, "for", value);
}

size_t smtp_message_write_received(const struct smtp_message *message, const char *by,
                                   int64_t unix_s, char *text, size_t size)
{
    struct field field = {.text = text, .size = size, .is_full = size == 0};
    char date[64];
    const char *protocol = smtp_message_protocol(message);
    bool utf8 = strncmp(protocol, "UTF8", 4) == 0;
    if (!write_date(unix_s, date, sizeof date)) {
        return 0;
    }
    put(&field, "Received:");
    add_from(&field, message, utf8);
    add(&field, "by", by);
    if (*protocol != '\0') {
        add(&field, "with", protocol);
    }
    add_id(&field, message);
    add_for(&field, message, utf8);
    put(&field, ";");
    part(&field, strlen(date));
    put(&field, date);
    put(&field, "\r\n");
    return field.is_full ? 0 : field.len;
}
