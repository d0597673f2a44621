/* content_source.c - draws content from its source and finds out, where that is possible
 * beforehand, how long it is and whether it is 8-bit. Knows: reading and rewinding. Does not know:
 * the session. */
#include "client/content_source.h"

#include "client/protocol/content.h"
#include "common/error.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MEASURE_BLOCK 16384

struct smtp_content smtp_content_text(const char *text)
{
    return smtp_content_memory(text, text != NULL ? strlen(text) : 0);
}

struct smtp_content smtp_content_memory(const void *bytes, size_t len)
{
    return (struct smtp_content){.kind = SMTP_CONTENT_MEMORY, .from.memory = {bytes, len}};
}

struct smtp_content smtp_content_file(FILE *file)
{
    return (struct smtp_content){.kind = SMTP_CONTENT_FILE, .from.file = file};
}

struct smtp_content smtp_content_fd(int fd)
{
    return (struct smtp_content){.kind = SMTP_CONTENT_FD, .from.fd = fd};
}

struct smtp_content smtp_content_callback(smtp_content_read *read, void *user)
{
    return (struct smtp_content){.kind = SMTP_CONTENT_CALLBACK, .from.callback = {read, user}};
}

void smtp_client_source_init(struct smtp_client_source *source, const struct smtp_content *content)
{
    *source = (struct smtp_client_source){
        .content = *content,
        .prefix = {content->before.bytes, content->before.len},
        .facts.bits = SMTP_CLIENT_BITS_UNKNOWN,
    };
}

static size_t copy_from(const char *bytes, size_t len, size_t *at, char *out, size_t capacity)
{
    size_t left = len - *at, taken = left < capacity ? left : capacity;
    if (taken > 0) {
        memcpy(out, bytes + *at, taken);
    }
    *at += taken;
    return taken;
}

static ssize_t read_file(FILE *file, char *bytes, size_t capacity)
{
    errno = 0;
    size_t len = fread(bytes, 1, capacity, file);
    return len == 0 && ferror(file) ? -1 : (ssize_t)len;
}

static ssize_t read_fd(int fd, char *bytes, size_t capacity)
{
    ssize_t len;
    do {
        len = read(fd, bytes, capacity);
    } while (len < 0 && errno == EINTR);
    return len;
}

static ssize_t read_any(struct smtp_client_source *source, char *bytes, size_t capacity)
{
    const struct smtp_content *content = &source->content;
    switch (content->kind) {
    case SMTP_CONTENT_FILE:
        return read_file(content->from.file, bytes, capacity);
    case SMTP_CONTENT_FD:
        return read_fd(content->from.fd, bytes, capacity);
    case SMTP_CONTENT_CALLBACK:
        errno = 0;
        return content->from.callback.read(content->from.callback.user, bytes, capacity);
    case SMTP_CONTENT_MEMORY:
        break;
    }
    return (ssize_t)copy_from(content->from.memory.bytes, content->from.memory.len,
                              &source->memory_at, bytes, capacity);
}

enum smtp_status smtp_client_source_read(struct smtp_client_source *source, char *bytes,
                                         size_t capacity, size_t *len, struct smtp_error *error)
{
    if (source->prefix_at < source->prefix.len) {
        *len = copy_from(source->prefix.bytes, source->prefix.len, &source->prefix_at, bytes,
                         capacity);
        return SMTP_OK;
    }
    ssize_t got = read_any(source, bytes, capacity);
    *len = got > 0 ? (size_t)got : 0;
    if (got < 0 || *len > capacity) {
        int reason = errno;
        return smtp_error_set(error, SMTP_SOURCE_FAILED, reason,
                              "the content could not be read: %s",
                              reason != 0 ? smtp_errno_text(reason) : "its callback failed");
    }
    return SMTP_OK;
}

/* ---- reading it again ---- */

off_t smtp_client_content_position(const struct smtp_content *content)
{
    struct stat about;
    if (content->kind == SMTP_CONTENT_MEMORY || content->kind == SMTP_CONTENT_CALLBACK) {
        return content->kind == SMTP_CONTENT_MEMORY ? 0 : -1;
    }
    bool is_file = content->kind == SMTP_CONTENT_FILE;
    if (is_file && content->from.file == NULL) {
        return -1;
    }
    int fd = is_file ? fileno(content->from.file) : content->from.fd;
    if (fd < 0 || fstat(fd, &about) != 0 || !S_ISREG(about.st_mode)) {
        return -1;
    }
    return is_file ? ftello(content->from.file) : lseek(fd, 0, SEEK_CUR);
}

enum smtp_status smtp_client_content_return(const struct smtp_content *content, off_t position,
                                            struct smtp_error *error)
{
    bool back = content->kind == SMTP_CONTENT_MEMORY ||
                (content->kind == SMTP_CONTENT_FILE
                     ? fseeko(content->from.file, position, SEEK_SET) == 0
                     : lseek(content->from.fd, position, SEEK_SET) == position);
    return back ? SMTP_OK
                : smtp_error_set(error, SMTP_SOURCE_FAILED, errno,
                                 "the content's file could not be rewound: %s",
                                 smtp_errno_text(errno));
}

/* ---- measuring ---- */

/* given: octets that it consists of. */
static void set_facts(struct smtp_client_source *source, const struct smtp_client_encoder *encoder,
                      uint64_t given)
{
    bool binary = source->facts.body == SMTP_BODY_BINARYMIME; /* nothing is repaired */
    source->facts.size_known = true;
    source->facts.size_bytes = binary ? given : encoder->size_bytes;
    source->facts.bits = encoder->eight_bit ? SMTP_CLIENT_EIGHT_BIT : SMTP_CLIENT_SEVEN_BIT;
    source->facts.has_long_line = encoder->long_line && !binary;
    source->facts.needs_no_repair = !encoder->repaired;
    source->facts.needs_no_stuffing = !encoder->stuffed;
}

static void measure_memory(struct smtp_client_source *source)
{
    struct smtp_client_encoder encoder;
    struct smtp_span all = {source->content.from.memory.bytes, source->content.from.memory.len};
    size_t at = source->memory_at;
    smtp_client_encoder_init(&encoder);
    (void)smtp_client_encoder_feed(&encoder, source->prefix.bytes, source->prefix.len, NULL);
    (void)smtp_client_encoder_feed(&encoder, all.bytes + at, all.len - at, NULL);
    (void)smtp_client_encoder_finish(&encoder, NULL);
    source->in_one_piece = source->prefix.len == 0 && at == 0;
    set_facts(source, &encoder, source->prefix.len + all.len - at);
}

static enum smtp_status measure_file(struct smtp_client_source *source, off_t position,
                                     struct smtp_error *error)
{
    struct smtp_client_encoder encoder;
    char block[MEASURE_BLOCK];
    size_t len = 0, prefix_at = source->prefix_at;
    uint64_t given = 0;
    enum smtp_status status;
    smtp_client_encoder_init(&encoder);
    do {
        status = smtp_client_source_read(source, block, sizeof(block), &len, error);
        (void)smtp_client_encoder_feed(&encoder, block, status == SMTP_OK ? len : 0, NULL);
        given += len;
    } while (status == SMTP_OK && len > 0);
    source->prefix_at = prefix_at;
    if (status == SMTP_OK) {
        status = smtp_client_content_return(&source->content, position, error);
    }
    if (status == SMTP_OK) {
        (void)smtp_client_encoder_finish(&encoder, NULL);
        set_facts(source, &encoder, given);
    }
    return status;
}

enum smtp_status smtp_client_source_check(const struct smtp_client_source *source,
                                          struct smtp_error *error)
{
    const struct smtp_content *content = &source->content;
    bool missing = (content->kind == SMTP_CONTENT_MEMORY && content->from.memory.bytes == NULL) ||
                   (content->kind == SMTP_CONTENT_FILE && content->from.file == NULL) ||
                   (content->kind == SMTP_CONTENT_CALLBACK && content->from.callback.read == NULL);
    return missing ? smtp_error_set(error, SMTP_BAD_ARGUMENT, 0, "the content's source is NULL")
                   : SMTP_OK;
}

enum smtp_status smtp_client_source_measure(struct smtp_client_source *source,
                                            struct smtp_error *error)
{
    const struct smtp_content *content = &source->content;
    enum smtp_status status = smtp_client_source_check(source, error);
    if (status != SMTP_OK) {
        return status;
    }
    if (content->kind == SMTP_CONTENT_MEMORY) {
        measure_memory(source);
        return SMTP_OK;
    }
    off_t position = smtp_client_content_position(content);
    return position < 0 ? SMTP_OK : measure_file(source, position, error);
}
