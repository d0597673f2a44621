/* floor_source.c - a source that only moves octets: every write is made before the clock starts,
 * and of what comes back only the lines are counted and their first digit is looked at. Knows: how
 * many replies each write is owed. Does not know: what they say. */
#include "common/clock.h"
#include "tests/bench/floor.h"
#include "tests/bench/raw_client.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define EVENTS_A_TURN 256
#define PATIENCE_MS 10000 /* no reply for so long: the server hangs */
#define LINE_OCTETS 72    /* a line of content with its CRLF */

#define MAIL "MAIL FROM:<ann@example.com>\r\n"
#define RCPT "RCPT TO:<bob@example.com>\r\n"
#define DATA "DATA\r\n"
#define HEADER "From: ann@example.com\r\nTo: bob@example.com\r\nSubject: floor\r\n\r\n"

/* One write of a transaction, and how many replies it is owed. */
struct source_step {
    const char *octets;
    size_t len;
    unsigned reply_count;
};

struct source_session {
    int fd;
    size_t step;
    unsigned replies_due;
    bool at_line_start; /* the next octet is a reply's first */
};

struct source {
    struct source_step steps[4];
    size_t step_count;
    uint64_t message_count;
    uint64_t window; /* messages in one step; 1 but with BDAT */
    uint64_t started;
    uint64_t done;
    char *content;                   /* owned */
    char *chunks;                    /* owned; a window of whole messages */
    struct source_session *sessions; /* owned */
    size_t session_count;
    int epoll_fd;
    char octets[1 << 16];
};

/* ---- before the clock starts ---- */

/* Exactly size_octets of content in whole lines, then the final dot. NULL: out of memory. */
static char *make_content(size_t size_octets, size_t *len)
{
    static const char dot[] = ".\r\n";
    char *content = malloc(size_octets + sizeof dot - 1);
    if (content == NULL) {
        return NULL;
    }
    memset(content, 'x', size_octets);
    memcpy(content, HEADER, sizeof HEADER - 1);
    size_t at = sizeof HEADER - 1;
    while (at < size_octets) {
        size_t left = size_octets - at;
        size_t line = left < 2 * LINE_OCTETS ? left : LINE_OCTETS; /* the last may be longer */
        memcpy(content + at + line - 2, "\r\n", 2);
        at += line;
    }
    memcpy(content + size_octets, dot, sizeof dot - 1);
    *len = size_octets + sizeof dot - 1;
    return content;
}

static void add_step(struct source *source, const char *octets, size_t len, unsigned reply_count)
{
    source->steps[source->step_count++] = (struct source_step){octets, len, reply_count};
}

/* As many whole messages as a window takes; all messages are in whole windows. */
static bool make_window(struct source *source, const struct floor_load *load, size_t content_len)
{
    char head[sizeof(MAIL RCPT) + 40];
    size_t chunk_len = content_len - (sizeof ".\r\n" - 1);
    int head_len = snprintf(head, sizeof head, MAIL RCPT "BDAT %zu LAST\r\n", chunk_len);
    size_t len = (size_t)head_len + chunk_len;
    source->window = len < FLOOR_WINDOW ? FLOOR_WINDOW / len : 1;
    source->message_count =
        (load->message_count + source->window - 1) / source->window * source->window;
    source->chunks = malloc(len * (size_t)source->window);
    for (size_t i = 0; source->chunks != NULL && i < source->window; i++) {
        memcpy(source->chunks + i * len, head, (size_t)head_len);
        memcpy(source->chunks + i * len + head_len, source->content, chunk_len);
    }
    return source->chunks != NULL;
}

static bool make_steps(struct source *source, const struct floor_load *load)
{
    size_t content_len = 0;
    source->content = make_content(load->size_octets, &content_len);
    if (source->content == NULL) {
        return false;
    }
    source->window = 1;
    if (load->way == FLOOR_BDAT) {
        if (!make_window(source, load, content_len)) {
            return false;
        }
        size_t len = content_len - (sizeof ".\r\n" - 1);
        len += (size_t)snprintf(NULL, 0, MAIL RCPT "BDAT %zu LAST\r\n", len);
        add_step(source, source->chunks, len * (size_t)source->window,
                 3 * (unsigned)source->window);
        return true;
    }
    if (load->way == FLOOR_PIPELINED) {
        add_step(source, MAIL RCPT DATA, sizeof(MAIL RCPT DATA) - 1, 3);
    } else {
        add_step(source, MAIL, sizeof MAIL - 1, 1);
        add_step(source, RCPT, sizeof RCPT - 1, 1);
        add_step(source, DATA, sizeof DATA - 1, 1);
    }
    add_step(source, source->content, content_len, 1);
    return true;
}

static bool open_sessions(struct source *source, const struct floor_load *load)
{
    source->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    source->sessions = calloc(load->session_count, sizeof *source->sessions);
    if (source->epoll_fd < 0 || source->sessions == NULL) {
        return false;
    }
    for (size_t i = 0; i < load->session_count; i++) {
        struct source_session *session = &source->sessions[i];
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = session};
        session->fd = raw_client_open_from(load->from, load->port);
        session->at_line_start = true;
        if (session->fd < 0) {
            return false;
        }
        source->session_count++;
        if (epoll_ctl(source->epoll_fd, EPOLL_CTL_ADD, session->fd, &event) != 0) {
            return false;
        }
    }
    return true;
}

static void close_source(struct source *source)
{
    for (size_t i = 0; i < source->session_count; i++) {
        close(source->sessions[i].fd);
    }
    if (source->epoll_fd >= 0) {
        close(source->epoll_fd);
    }
    free(source->sessions);
    free(source->content);
    free(source->chunks);
    free(source);
}

static struct source *open_source(const struct floor_load *load)
{
    struct source *source = calloc(1, sizeof *source);
    if (source == NULL) {
        return NULL;
    }
    source->epoll_fd = -1;
    source->message_count = load->message_count;
    if (!make_steps(source, load) || !open_sessions(source, load)) {
        close_source(source);
        return NULL;
    }
    return source;
}

/* ---- while it runs ---- */

static bool send_step(struct source *source, struct source_session *session)
{
    const struct source_step *step = &source->steps[session->step];
    session->replies_due = step->reply_count;
    ssize_t written = write(session->fd, step->octets, step->len);
    if (written < 0) { /* the socket is full only where one message is larger than it */
        written = 0;
    }
    return (size_t)written == step->len ||
           raw_client_write(session->fd, step->octets + written, step->len - (size_t)written);
}

static bool start_message(struct source *source, struct source_session *session)
{
    session->step = 0;
    if (source->started == source->message_count) {
        return true; /* this session has nothing left to do */
    }
    source->started += source->window;
    return send_step(source, session);
}

/* False: a refusal, or a reply that nothing was said for. */
static bool count_replies(struct source_session *session, const char *at, size_t len)
{
    const char *end = at + len;
    while (at < end) {
        if (session->at_line_start && ((*at != '2' && *at != '3') || session->replies_due == 0)) {
            return false;
        }
        const char *line_feed = memchr(at, '\n', (size_t)(end - at));
        session->at_line_start = line_feed != NULL;
        if (line_feed == NULL) {
            return true;
        }
        session->replies_due--;
        at = line_feed + 1;
    }
    return true;
}

static bool advance(struct source *source, struct source_session *session)
{
    ssize_t len = read(session->fd, source->octets, sizeof source->octets);
    if (len <= 0) {
        fputs("floor source: lost a connection\n", stderr);
        return false;
    }
    if (!count_replies(session, source->octets, (size_t)len)) {
        fprintf(stderr, "floor source: not a reply to step %zu: %.*s\n", session->step, (int)len,
                source->octets);
        return false;
    }
    if (session->replies_due > 0) {
        return true;
    }
    if (++session->step < source->step_count) {
        return send_step(source, session);
    }
    source->done += source->window;
    return start_message(source, session);
}

static bool turn(struct source *source)
{
    struct epoll_event events[EVENTS_A_TURN];
    int count = epoll_wait(source->epoll_fd, events, EVENTS_A_TURN, PATIENCE_MS);
    if (count <= 0) {
        fputs("floor source: no reply came\n", stderr);
        return false;
    }
    for (int i = 0; i < count; i++) {
        if (!advance(source, events[i].data.ptr)) {
            return false;
        }
    }
    return true;
}

static bool send_all(struct source *source)
{
    for (size_t i = 0; i < source->session_count; i++) {
        if (!start_message(source, &source->sessions[i])) {
            return false;
        }
    }
    while (source->done < source->message_count) {
        if (!turn(source)) {
            return false;
        }
    }
    return true;
}

int floor_source(const struct floor_load *load)
{
    struct source *source = open_source(load);
    if (source == NULL) {
        fputs("floor source: could not start\n", stderr);
        return 1;
    }
    uint64_t start_ns = smtp_clock_now_ns();
    bool sent = send_all(source);
    double seconds = (double)(smtp_clock_now_ns() - start_ns) / 1e9;
    if (sent) {
        printf("messages %" PRIu64 " seconds %.6f rate %.0f\n", source->done, seconds,
               (double)source->done / seconds);
    }
    close_source(source);
    return sent ? 0 : 1;
}
