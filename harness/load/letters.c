/* letters.c - see letters.h. Where the same content stands in a letter's room from the time before, only the stamp is
 * written anew. */
#include "harness/load/letters.h"

#include "common/error.h"
#include "harness/load/stamp.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define HEADER "From: <load@example.com>\r\nTo: <load@example.com>\r\nSubject: load\r\n\r\n"
#define LINE_OCTETS 72

struct smtp_letters {
    uint64_t min, max;         /* octets; of sizes */
    struct smtp_buffer *files; /* or contents */
    size_t file_count;
};

/* ---- making ---- */

static enum smtp_status no_memory(struct smtp_error *error)
{
    return smtp_error_set(error, SMTP_NO_MEMORY, 0, "out of memory");
}

enum smtp_status smtp_letters_of_sizes(struct smtp_letters **out, uint64_t min, uint64_t max,
                                       struct smtp_error *error)
{
    *out = NULL;
    if (min < SMTP_LETTER_MIN || max < min || max > SMTP_LETTER_MAX) {
        return smtp_error_set(error, SMTP_BAD_ARGUMENT, 0,
                              "a size is %d to %" PRIu64
                              " octets, or a range of them like 1000-5000",
                              SMTP_LETTER_MIN, SMTP_LETTER_MAX);
    }
    *out = calloc(1, sizeof **out);
    if (*out == NULL) {
        return no_memory(error);
    }
    (*out)->min = min;
    (*out)->max = max;
    return SMTP_OK;
}

static int is_letter(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);
    return len > 4 && strcmp(entry->d_name + len - 4, ".eml") == 0;
}

/** Adds what a block of a file becomes: CR, LF and CRLF are each a CRLF. */
static enum smtp_status add_lines(struct smtp_buffer *to, struct smtp_span block, bool *after_cr)
{
    enum smtp_status status = SMTP_OK;
    for (size_t i = 0; i < block.len && status == SMTP_OK; i++) {
        char octet = block.bytes[i];
        bool ends = octet == '\r' || (octet == '\n' && !*after_cr);
        if (ends) {
            status = smtp_buffer_append(to, "\r\n", 2);
        } else if (octet != '\n') {
            status = smtp_buffer_append(to, &octet, 1);
        }
        *after_cr = octet == '\r';
    }
    return status;
}

static enum smtp_status read_letter(struct smtp_buffer *out, const char *path,
                                    struct smtp_error *error)
{
    char block[16384];
    size_t len;
    bool after_cr = false;
    FILE *file = fopen(path, "rbe");
    *out = SMTP_BUFFER(SMTP_LETTER_MAX);
    enum smtp_status status = SMTP_OK;
    if (file == NULL) {
        return smtp_error_set(error, SMTP_BAD_ARGUMENT, errno, "cannot read %.180s: %s", path,
                              smtp_errno_text(errno));
    }
    while (status == SMTP_OK && (len = fread(block, 1, sizeof block, file)) > 0) {
        status = add_lines(out, (struct smtp_span){block, len}, &after_cr);
    }
    struct smtp_span all = smtp_buffer_span(out);
    if (status == SMTP_OK && (all.len < 2 || memcmp(all.bytes + all.len - 2, "\r\n", 2) != 0)) {
        status = smtp_buffer_append(out, "\r\n", 2);
    }
    if (status != SMTP_OK) {
        smtp_error_set(error, status, 0, "%.180s: out of memory, or longer than %" PRIu64 " octets",
                       path, SMTP_LETTER_MAX);
    } else if (ferror(file)) {
        status = smtp_error_set(error, SMTP_BAD_ARGUMENT, errno, "cannot read %.180s: %s", path,
                                smtp_errno_text(errno));
    }
    fclose(file);
    return status;
}

static enum smtp_status read_all(struct smtp_letters *letters, const char *path,
                                 struct dirent **names, size_t count, struct smtp_error *error)
{
    enum smtp_status status = SMTP_OK;
    letters->files = calloc(count, sizeof *letters->files);
    if (letters->files == NULL) {
        return no_memory(error);
    }
    for (size_t i = 0; i < count && status == SMTP_OK; i++) {
        char *name = NULL;
        if (asprintf(&name, "%s/%s", path, names[i]->d_name) < 0) {
            return no_memory(error);
        }
        status = read_letter(&letters->files[letters->file_count++], name, error);
        free(name);
    }
    return status;
}

enum smtp_status smtp_letters_of_directory(struct smtp_letters **out, const char *path,
                                           struct smtp_error *error)
{
    struct dirent **names = NULL;
    *out = NULL;
    int count = scandir(path, &names, is_letter, alphasort);
    if (count < 0) {
        return smtp_error_set(error, SMTP_BAD_ARGUMENT, errno, "cannot read %.180s: %s", path,
                              smtp_errno_text(errno));
    }
    struct smtp_letters *letters = calloc(1, sizeof *letters);
    enum smtp_status status =
        letters == NULL ? no_memory(error)
        : count == 0    ? smtp_error_set(error, SMTP_BAD_ARGUMENT, 0,
                                         "%.180s has no file whose name ends in .eml", path)
                        : read_all(letters, path, names, (size_t)count, error);
    for (int i = 0; i < count; i++) {
        free(names[i]);
    }
    free(names);
    if (status != SMTP_OK) {
        smtp_letters_free(letters);
        return status;
    }
    *out = letters;
    return SMTP_OK;
}

void smtp_letters_free(struct smtp_letters *letters)
{
    for (size_t i = 0; letters != NULL && i < letters->file_count; i++) {
        smtp_buffer_free(&letters->files[i]);
    }
    if (letters != NULL) {
        free(letters->files);
    }
    free(letters);
}

/* ---- writing ---- */

/** Spread over the range, and the same for the same number. */
static uint64_t size_of(const struct smtp_letters *letters, uint64_t number)
{
    uint64_t spread = (number + 1) * UINT64_C(0x9E3779B97F4A7C15);
    return letters->min + (spread >> 16) % (letters->max - letters->min + 1);
}

static void write_lines(char *octets, size_t len)
{
    memset(octets, 'x', len);
    memcpy(octets, HEADER, sizeof HEADER - 1);
    for (size_t at = sizeof HEADER - 1; at + LINE_OCTETS < len; at += LINE_OCTETS) {
        memcpy(octets + at + LINE_OCTETS - 2, "\r\n", 2);
    }
    memcpy(octets + len - 2, "\r\n", 2);
    if (octets[len - 3] == '\r') { /* one line end, not the half of another */
        octets[len - 3] = 'x';
    }
}

static bool make_room(struct smtp_letter *letter, size_t len)
{
    if (len <= letter->capacity) {
        return true;
    }
    char *octets = realloc(letter->octets, len);
    if (octets == NULL) {
        return false;
    }
    letter->octets = octets;
    letter->capacity = len;
    return true;
}

bool smtp_letter_write(struct smtp_letter *letter, const struct smtp_letters *letters,
                       uint64_t number)
{
    bool of_files = letters->file_count > 0;
    size_t which = of_files ? (size_t)(number % letters->file_count) : 0;
    struct smtp_span file =
        of_files ? smtp_buffer_span(&letters->files[which]) : (struct smtp_span){NULL, 0};
    size_t len = of_files ? file.len + SMTP_STAMP_LEN : (size_t)size_of(letters, number);
    size_t kind = of_files ? 1 + which : len;
    if (letter->kind != kind) {
        if (!make_room(letter, len)) {
            return false;
        }
        letter->len = len;
        letter->kind = kind;
        char *rest = letter->octets + SMTP_STAMP_LEN;
        if (of_files) {
            smtp_bytes_copy(rest, file);
        } else {
            write_lines(rest, len - SMTP_STAMP_LEN);
        }
        letter->sum = smtp_stamp_sum((struct smtp_span){rest, len - SMTP_STAMP_LEN});
    }
    smtp_stamp_write(letter->octets, number, letter->sum);
    return true;
}

void smtp_letter_clear(struct smtp_letter *letter)
{
    free(letter->octets);
    *letter = (struct smtp_letter){0};
}
