/* content_before_test.c - octets that come before a message's content: read first, in any pieces, and measured
 * with it, from every kind of source. */
#include "client/content_source.h"
#include "tests/support/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#define BEFORE "Subject: x\n\n.\xC3"
#define REST "\xA4\nend"
#define WHOLE BEFORE REST

struct feed {
    const char *at;
};

static ssize_t feed_read(void *user, char *bytes, size_t capacity)
{
    struct feed *feed = user;
    size_t left = strlen(feed->at), len = left < capacity ? left : capacity;
    memcpy(bytes, feed->at, len);
    feed->at += len;
    return (ssize_t)len;
}

/** All that the source gives, `capacity` octets at a time. */
static void expect_source(struct smtp_client_source *source, size_t capacity, const char *expected)
{
    char all[64];
    size_t len = 0, got = 0;
    struct smtp_error error = {.status = SMTP_OK};
    do {
        expect_true(len + capacity <= sizeof all);
        expect_int(smtp_client_source_read(source, all + len, capacity, &got, &error), SMTP_OK);
        len += got;
    } while (got > 0);
    expect_bytes(all, len, expected, strlen(expected));
}

/** Measured or not, it gives all; known: what measuring finds. */
static void expect_content(struct smtp_content content, bool measured, size_t capacity, bool known)
{
    struct smtp_client_source source;
    struct smtp_error error = {.status = SMTP_OK};
    content.before.bytes = BEFORE;
    content.before.len = strlen(BEFORE);
    smtp_client_source_init(&source, &content);
    if (measured) {
        expect_int(smtp_client_source_measure(&source, &error), SMTP_OK);
        expect_int(source.facts.size_known, known);
        if (known) { /* line ends are mended, the last is added; the dot that is stuffed does not count */
            expect_int(source.facts.size_bytes, strlen(WHOLE) + 3 + 2);
            expect_int(source.facts.bits, SMTP_CLIENT_EIGHT_BIT);
            expect_true(!source.facts.needs_no_repair && !source.facts.needs_no_stuffing);
            expect_true(!source.in_one_piece);
        }
    }
    expect_source(&source, capacity, WHOLE);
}

static int make_pipe(void)
{
    int ends[2];
    expect_int(pipe2(ends, O_CLOEXEC), 0);
    expect_int(write(ends[1], REST, strlen(REST)), strlen(REST));
    close(ends[1]);
    return ends[0];
}

static int make_file(void)
{
    int fd = memfd_create("rest", MFD_CLOEXEC);
    expect_int(write(fd, "##" REST, 2 + strlen(REST)), 2 + strlen(REST));
    expect_int(lseek(fd, 2, SEEK_SET), 2);
    return fd;
}

TEST(client_content_before, it_is_read_first_and_measured_with_what_follows)
{
    for (size_t capacity = 1; capacity <= strlen(WHOLE); capacity++) {
        for (int measured = 0; measured < 2; measured++) {
            struct feed feed = {REST};
            int file = make_file(), other = make_file(), ends = make_pipe();
            FILE *stream = fdopen(other, "r");
            expect_true(stream != NULL);
            expect_int(fseek(stream, 2, SEEK_SET), 0);
            expect_content(smtp_content_text(REST), measured, capacity, true);
            expect_content(smtp_content_fd(file), measured, capacity, true);
            expect_content(smtp_content_file(stream), measured, capacity, true);
            expect_content(smtp_content_fd(ends), measured, capacity, false);
            expect_content(smtp_content_callback(feed_read, &feed), measured, capacity, false);
            close(file);
            close(ends);
            fclose(stream);
        }
    }
}

TEST(client_content_before, it_may_be_all_there_is)
{
    struct smtp_client_source source;
    struct smtp_error error = {.status = SMTP_OK};
    struct smtp_content content = smtp_content_text("");
    content.before.bytes = "A: b\r\n";
    content.before.len = 6;
    smtp_client_source_init(&source, &content);
    expect_int(smtp_client_source_measure(&source, &error), SMTP_OK);
    expect_int(source.facts.size_bytes, 6);
    expect_int(source.facts.bits, SMTP_CLIENT_SEVEN_BIT);
    expect_source(&source, 4, "A: b\r\n");
}
