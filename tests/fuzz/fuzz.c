/* fuzz.c - see fuzz.h. */
#include "tests/fuzz/fuzz.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

unsigned fuzz_octet(struct fuzz_input *input)
{
    if (input->len == 0) {
        return 0;
    }
    input->len--;
    return *input->at++;
}

unsigned fuzz_below(struct fuzz_input *input, unsigned limit)
{
    return fuzz_octet(input) % limit;
}

struct smtp_span fuzz_rest(const struct fuzz_input *input)
{
    return (struct smtp_span){input->len > 0 ? (const char *)input->at : "", input->len};
}

struct smtp_span fuzz_part(struct fuzz_input *input, char mark)
{
    struct smtp_span part = fuzz_rest(input);
    const char *end = memchr(part.bytes, mark, part.len);
    if (end != NULL) {
        part.len = (size_t)(end - part.bytes);
        input->at += 1;
        input->len -= 1;
    }
    input->at += part.len;
    input->len -= part.len;
    return part;
}

struct fuzz_cuts fuzz_cuts(unsigned octet)
{
    return (struct fuzz_cuts){.state = octet, .most = octet};
}

size_t fuzz_cut(struct fuzz_cuts *cuts, size_t left)
{
    if (cuts->most == 0) {
        return left;
    }
    cuts->state = cuts->state * 1664525u + 1013904223u;
    size_t piece = 1 + (cuts->state >> 8) % cuts->most;
    return piece < left ? piece : left;
}

char *fuzz_copy(struct smtp_span octets)
{
    char *copy = malloc(octets.len > 0 ? octets.len : 1);
    FUZZ_HOLDS(copy != NULL);
    smtp_bytes_copy(copy, octets);
    return copy;
}

char *fuzz_text(struct smtp_span octets)
{
    char *copy = malloc(octets.len + 1);
    FUZZ_HOLDS(copy != NULL);
    smtp_bytes_copy(copy, octets);
    copy[octets.len] = '\0';
    char *fitting = strdup(copy);
    FUZZ_HOLDS(fitting != NULL);
    free(copy);
    return fitting;
}

void fuzz_append(struct smtp_buffer *to, const void *octets, size_t len)
{
    FUZZ_HOLDS(smtp_buffer_append(to, octets, len) == SMTP_OK);
}

void fuzz_print(struct smtp_buffer *to, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    int len = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    fuzz_append(to, text, (size_t)len < sizeof text ? (size_t)len : sizeof text - 1);
}

bool fuzz_alike(const struct smtp_buffer *a, const struct smtp_buffer *b)
{
    return smtp_span_equal(smtp_buffer_span(a), smtp_buffer_span(b));
}

void fuzz_breach(const char *file, int line, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "%s:%d: ", file, line);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    abort();
}

static void show(const char *name, const struct smtp_buffer *buffer)
{
    struct smtp_span text = smtp_buffer_span(buffer);
    fprintf(stderr, "%s, %zu octets: ", name, text.len);
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.bytes[i];
        fprintf(stderr, (c >= 32 && c < 127) || c == '\n' ? "%c" : "\\x%02x", c);
    }
    fputc('\n', stderr);
}

void fuzz_expect_alike(const char *file, int line, const struct smtp_buffer *a,
                       const struct smtp_buffer *b)
{
    if (!fuzz_alike(a, b)) {
        show("the one", a);
        show("the other", b);
        fuzz_breach(file, line, "two ways, two results");
    }
}
