/* floor_sink.c - a sink that only moves octets: one thread, one read and one write a turn, canned
 * replies by the first letter of a line, content forgotten as it comes.
 * Knows: line ends, and CRLF.CRLF under any split. Does not know: SMTP's order, limits, addresses;
 * it checks nothing and keeps nothing, which is why no server can be expected to pass it. */
#include "common/net.h"
#include "tests/bench/floor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define EVENTS_A_TURN 256

/* One connection. The listener and standard input are entered as sessions too, so that an event
 * always points to one. */
struct sink_session {
    int fd;
    char line[32]; /* the beginning of the line under way */
    size_t line_len;
    size_t chunk_left; /* octets of BDAT still to come */
    bool in_content;
    unsigned end_matched; /* octets of CRLF.CRLF seen at the end of the content so far */
};

struct sink {
    int epoll_fd;
    struct sink_session listener;
    struct sink_session input; /* standard input: its end is the sink's */
    char replies[4096];
    size_t replies_len;
    char octets[1 << 18];
};

/* ---- what is said ---- */

static void flush_replies(struct sink *sink, int fd)
{
    /* A reply that does not fit into the socket is lost, and its source notices. */
    if (sink->replies_len > 0 && write(fd, sink->replies, sink->replies_len) < 0) {
        perror("floor sink: write");
    }
    sink->replies_len = 0;
}

static void answer(struct sink *sink, int fd, const char *reply)
{
    size_t len = strlen(reply);
    if (len > sizeof sink->replies - sink->replies_len) {
        flush_replies(sink, fd);
    }
    memcpy(sink->replies + sink->replies_len, reply, len);
    sink->replies_len += len;
}

static void answer_line(struct sink *sink, struct sink_session *session)
{
    char verb = (char)(session->line[0] | 32);
    session->line[session->line_len] = '\0';
    session->line_len = 0;
    switch (verb) {
    case 'e':
        answer(sink, session->fd, "250-floor.test\r\n250-PIPELINING\r\n250 CHUNKING\r\n");
        return;
    case 'b':
        session->chunk_left = strtoull(session->line + 5, NULL, 10);
        return;
    case 'd':
        session->in_content = true;
        session->end_matched = 2; /* the CRLF of DATA: ".CRLF" is an empty message */
        answer(sink, session->fd, "354 Go on\r\n");
        return;
    case 'q':
        answer(sink, session->fd, "221 Bye\r\n");
        return;
    default:
        answer(sink, session->fd, "250 OK\r\n");
        return;
    }
}

/* ---- what is read; each returns where it stopped ---- */

static const char *skip_line(struct sink *sink, struct sink_session *session, const char *at,
                             const char *end)
{
    const char *line_feed = memchr(at, '\n', (size_t)(end - at));
    size_t len = (size_t)((line_feed != NULL ? line_feed : end) - at);
    size_t room = sizeof session->line - 1 - session->line_len;
    memcpy(session->line + session->line_len, at, len < room ? len : room);
    session->line_len += len < room ? len : room;
    if (line_feed == NULL) {
        return end;
    }
    answer_line(sink, session);
    return line_feed + 1;
}

static const char end_mark[] = {'\r', '\n', '.', '\r', '\n'};

/* Octet by octet while a part of the mark is matched: it may span two reads. */
static const char *follow_mark(struct sink_session *session, const char *at, const char *end)
{
    while (at < end && session->end_matched > 0 && session->end_matched < sizeof end_mark) {
        char octet = *at++;
        if (octet == end_mark[session->end_matched]) {
            session->end_matched++;
        } else {
            session->end_matched = octet == '\r' ? 1 : 0;
        }
    }
    return at;
}

/* How much of the mark the octets end with. */
static unsigned mark_at_end(const char *at, const char *end)
{
    for (size_t len = sizeof end_mark - 1; len > 0; len--) {
        if ((size_t)(end - at) >= len && memcmp(end - len, end_mark, len) == 0) {
            return (unsigned)len;
        }
    }
    return 0;
}

static const char *skip_content(struct sink *sink, struct sink_session *session, const char *at,
                                const char *end)
{
    at = follow_mark(session, at, end);
    if (session->end_matched == 0) {
        const char *mark = memmem(at, (size_t)(end - at), end_mark, sizeof end_mark);
        session->end_matched = mark != NULL ? sizeof end_mark : mark_at_end(at, end);
        at = mark != NULL ? mark + sizeof end_mark : end;
    }
    if (session->end_matched == sizeof end_mark) {
        session->in_content = false;
        answer(sink, session->fd, "250 OK\r\n");
    }
    return at;
}

static const char *skip_chunk(struct sink *sink, struct sink_session *session, const char *at,
                              const char *end)
{
    size_t here =
        (size_t)(end - at) < session->chunk_left ? (size_t)(end - at) : session->chunk_left;
    session->chunk_left -= here;
    if (session->chunk_left == 0) {
        answer(sink, session->fd, "250 OK\r\n");
    }
    return at + here;
}

static void serve(struct sink *sink, struct sink_session *session)
{
    ssize_t len = read(session->fd, sink->octets, sizeof sink->octets);
    if (len <= 0) {
        close(session->fd); /* leaves the epoll set by itself */
        free(session);
        return;
    }
    const char *at = sink->octets, *end = at + len;
    while (at < end) {
        at = session->in_content       ? skip_content(sink, session, at, end)
             : session->chunk_left > 0 ? skip_chunk(sink, session, at, end)
                                       : skip_line(sink, session, at, end);
    }
    flush_replies(sink, session->fd);
}

/* ---- the loop ---- */

static bool watch(struct sink *sink, struct sink_session *session)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = session};
    return epoll_ctl(sink->epoll_fd, EPOLL_CTL_ADD, session->fd, &event) == 0;
}

static void accept_all(struct sink *sink)
{
    int fd;
    while ((fd = smtp_net_accept(sink->listener.fd)) >= 0) {
        struct sink_session *session = calloc(1, sizeof *session);
        if (session == NULL) {
            close(fd);
            return;
        }
        session->fd = fd;
        if (!watch(sink, session)) {
            close(fd);
            free(session);
            return;
        }
        answer(sink, fd, "220 floor.test\r\n");
        flush_replies(sink, fd);
    }
}

static bool turn(struct sink *sink)
{
    struct epoll_event events[EVENTS_A_TURN];
    int count = epoll_wait(sink->epoll_fd, events, EVENTS_A_TURN, -1);
    for (int i = 0; i < count; i++) {
        struct sink_session *session = events[i].data.ptr;
        if (session == &sink->input) {
            char octet;
            if (read(STDIN_FILENO, &octet, 1) <= 0) {
                return false;
            }
        } else if (session == &sink->listener) {
            accept_all(sink);
        } else {
            serve(sink, session);
        }
    }
    return true;
}

static bool open_sink(struct sink *sink)
{
    struct smtp_address address = {.kind = SMTP_ADDRESS_TCP, .host = "127.0.0.1"};
    struct smtp_error error;
    if (smtp_net_listen(&address, &sink->listener.fd, &error) != SMTP_OK) {
        fprintf(stderr, "floor sink: %s\n", error.message);
        return false;
    }
    sink->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    sink->input.fd = STDIN_FILENO;
    if (sink->epoll_fd < 0 || !watch(sink, &sink->listener) || !watch(sink, &sink->input)) {
        perror("floor sink: epoll"); /* EPERM: standard input is a file */
        return false;
    }
    smtp_address_of_socket(sink->listener.fd, false, &address);
    printf("%u\n", (unsigned)address.port);
    return fflush(stdout) == 0;
}

int floor_sink(void)
{
    struct sink *sink = calloc(1, sizeof *sink);
    if (sink == NULL || !open_sink(sink)) {
        free(sink);
        return 1;
    }
    while (turn(sink)) {
    }
    free(sink);
    return 0;
}
