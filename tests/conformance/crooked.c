/* crooked.c - see crooked.h. */
#include "tests/conformance/crooked.h"

#include "common/bytes.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define IDLE_MS 10000

struct crooked {
    int fd;
    const struct smtp_crooked *how;
    struct smtp_buffer heard;
    size_t fresh;   /* octets of the last read */
    char mail[256]; /* the last such line */
};

static void say(const struct crooked *crooked, const char *reply)
{
    ssize_t written = write(crooked->fd, reply, strlen(reply));
    (void)written; /* a client that is gone is seen at the next read */
}

/** Reads on; false: the client is gone. */
static bool hear(struct crooked *crooked)
{
    char octets[4096];
    struct pollfd item = {.fd = crooked->fd, .events = POLLIN};
    ssize_t len = poll(&item, 1, IDLE_MS) > 0 ? read(crooked->fd, octets, sizeof octets) : -1;
    if (len <= 0) {
        return false;
    }
    struct pollfd gone = {.fd = crooked->fd};
    (void)poll(&gone, 1, (int)crooked->how->lag_ms);
    crooked->fresh = 0;
    for (ssize_t i = 0; i < len; i++) {
        if (octets[i] != '\0' || !crooked->how->ignores_nul) {
            if (smtp_buffer_append(&crooked->heard, octets + i, 1) != SMTP_OK) {
                return false;
            }
            crooked->fresh++;
        }
    }
    return true;
}

/** Where `end` stands first in what was heard, from `from`; SIZE_MAX: nowhere. */
static size_t find(const struct crooked *crooked, size_t from, const char *end)
{
    struct smtp_span heard = smtp_buffer_span(&crooked->heard);
    const char *at =
        heard.len > from ? memmem(heard.bytes + from, heard.len - from, end, strlen(end)) : NULL;
    return at != NULL ? (size_t)(at - heard.bytes) : SIZE_MAX;
}

/** How many octets of what was heard the content is, its end included; 0: it is not there. */
static size_t content_len(const struct crooked *crooked)
{
    const char *ends[] = {"\r\n.\r\n", crooked->how->ends[0], crooked->how->ends[1]};
    size_t first = SIZE_MAX, len = 0;
    if (!crooked->how->needs_line_before_end && find(crooked, 0, ".\r\n") == 0) {
        return 3;
    }
    size_t from = crooked->how->needs_whole_end ? crooked->heard.len - crooked->fresh : 0;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        size_t at = ends[i] != NULL ? find(crooked, from, ends[i]) : SIZE_MAX;
        if (at != SIZE_MAX && crooked->how->misses_end != NULL &&
            crooked->how->misses_end(at, strlen(ends[i]))) {
            continue;
        }
        if (at < first) {
            first = at;
            len = at + strlen(ends[i]);
        }
    }
    return len;
}

/** The content of that many octets arrives when it was held for long enough; false: the client was gone before. */
static bool deliver(struct crooked *crooked, size_t len)
{
    struct pollfd item = {.fd = crooked->fd, .events = POLLIN};
    if (crooked->how->arrivals == NULL) {
        return true;
    }
    if (crooked->how->hold_ms > 0 && poll(&item, 1, (int)crooked->how->hold_ms) != 0) {
        return false;
    }
    struct smtp_buffer whole = SMTP_BUFFER(SIZE_MAX / 2);
    bool held = smtp_buffer_append(&whole, crooked->mail, strlen(crooked->mail)) == SMTP_OK &&
                smtp_buffer_append(&whole, smtp_buffer_span(&crooked->heard).bytes, len) == SMTP_OK;
    const struct smtp_arrival arrival = {.content = smtp_buffer_span(&whole)};
    smtp_arrivals_add(crooked->how->arrivals, &arrival);
    smtp_buffer_free(&whole);
    return held;
}

static bool take_content(struct crooked *crooked)
{
    size_t len;
    while ((len = content_len(crooked)) == 0) {
        if (!hear(crooked)) {
            return false;
        }
    }
    bool is_large = crooked->how->limit > 0 && len > crooked->how->limit + 3; /* and its end */
    say(crooked, is_large ? "552 Too large\r\n" : "250 Taken\r\n");
    bool goes_on = deliver(crooked, len);
    smtp_buffer_take(&crooked->heard, len);
    return goes_on;
}

static bool command(struct crooked *crooked, const char *line)
{
    if (strncasecmp(line, "DATA", 4) == 0) {
        say(crooked, "354 Go on\r\n");
        return take_content(crooked);
    }
    if (strncasecmp(line, "QUIT", 4) == 0) {
        say(crooked, "221 Bye\r\n");
        return false;
    }
    if (strncasecmp(line, "MAIL", 4) == 0) {
        snprintf(crooked->mail, sizeof crooked->mail, "X-Mail: %s\r\n", line);
    }
    if (crooked->how->refuses != NULL && crooked->how->refuses(line)) {
        say(crooked, "501 No\r\n");
        return true;
    }
    if (strncasecmp(line, "EHLO", 4) == 0) {
        say(crooked, "250-crooked.test\r\n250-");
        say(crooked, crooked->how->keyword != NULL ? crooked->how->keyword : "HELP");
        say(crooked, crooked->how->one_by_one ? "\r\n250 8BITMIME\r\n" : "\r\n250 PIPELINING\r\n");
        return true;
    }
    bool refused = strncasecmp(line, "RCPT", 4) == 0 && crooked->how->refuses_recipients;
    say(crooked, refused ? "550 No\r\n" : "250 Ok\r\n");
    return true;
}

void smtp_crooked_serve(int connection, const struct smtp_crooked *how)
{
    struct crooked crooked = {.fd = connection, .how = how, .heard = SMTP_BUFFER(SIZE_MAX / 2)};
    const char *end = how->line_end != NULL ? how->line_end : "\r\n";
    say(&crooked, "220 crooked.test\r\n");
    bool goes_on = true;
    while (goes_on) {
        size_t at = find(&crooked, 0, end);
        if (at == SIZE_MAX) {
            goes_on = hear(&crooked);
            continue;
        }
        char line[200] = "";
        memcpy(line, smtp_buffer_span(&crooked.heard).bytes,
               at < sizeof line ? at : sizeof line - 1);
        smtp_buffer_take(&crooked.heard, at + strlen(end));
        goes_on = command(&crooked, line);
    }
    smtp_buffer_free(&crooked.heard);
}
