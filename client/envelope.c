/* envelope.c - makes an envelope from a message's header (RFC 5321 7.2 and B, RFC
 * 5322 3.6.2, 3.6.3, 3.6.6), and takes Bcc out of what is sent. Knows: which fields name whom, and that
 * UTF-8 in a header needs SMTPUTF8 (RFC 6531 3.4). Does not know: how addresses are written
 * (address_list.c). */
#include "client/address_list.h"
#include "client/client.h"
#include "client/header.h"
#include "common/error.h"
#include "common/utf8.h"

#include <stdlib.h>
#include <string.h>

/* Of a header section: bounds what a streamed message holds in memory. */
#define HEADER_MAX ((size_t)1 << 20)
#define READ_BLOCK 16384

enum field_kind { SENDER, FROM, TO, CC, BCC, DATE, MESSAGE_ID, FIELD_KINDS };

/* The two sets of fields: a message's own, and those of one who sends it on (RFC 5322 3.6.6). */
struct census {
    size_t own[FIELD_KINDS];
    size_t resent[FIELD_KINDS];
};

static bool classify(struct smtp_span name, enum field_kind *kind, bool *resent)
{
    static const char *const names[] = {
        [SENDER] = "Sender",
        [FROM] = "From",
        [TO] = "To",
        [CC] = "Cc",
        [BCC] = "Bcc",
        [DATE] = "Date",
        [MESSAGE_ID] = "Message-ID",
    };
    struct smtp_span prefix = SMTP_SPAN("Resent-");
    *resent = name.len > prefix.len &&
              smtp_span_equal_nocase((struct smtp_span){name.bytes, prefix.len}, prefix);
    if (*resent) {
        name = (struct smtp_span){name.bytes + prefix.len, name.len - prefix.len};
    }
    for (size_t i = 0; i < FIELD_KINDS; i++) {
        if (smtp_span_equal_nocase(name, smtp_span_of(names[i]))) {
            *kind = (enum field_kind)i;
            return true;
        }
    }
    return false;
}

static struct census count_fields(struct smtp_span header)
{
    struct census census = {{0}, {0}};
    struct smtp_client_field field;
    for (size_t at = 0; smtp_client_field_next(header, &at, &field);) {
        enum field_kind kind;
        bool resent;
        if (classify(field.name, &kind, &resent)) {
            (resent ? census.resent : census.own)[kind]++;
        }
    }
    return census;
}

/* SMTP_BAD_ARGUMENT for two Resent- blocks: whose addresses would count is not for us to guess. */
static enum smtp_status choose_set(const struct census *census, bool *resent,
                                   struct smtp_error *error)
{
    *resent = false;
    for (size_t i = 0; i < FIELD_KINDS; i++) {
        if (census->resent[i] > 1) {
            return smtp_error_set(error, SMTP_BAD_ARGUMENT, 0,
                                  "the message has more than one Resent- block: name its "
                                  "recipients apart from it");
        }
        *resent = *resent || census->resent[i] > 0;
    }
    return SMTP_OK;
}

/* The addresses of all fields of one kind. */
static enum smtp_status collect(struct smtp_span header, enum field_kind wanted, bool resent_wanted,
                                struct smtp_buffer *texts, size_t *count, struct smtp_error *error)
{
    struct smtp_client_field field;
    enum smtp_status status = SMTP_OK;
    for (size_t at = 0; status == SMTP_OK && smtp_client_field_next(header, &at, &field);) {
        enum field_kind kind;
        bool resent;
        if (classify(field.name, &kind, &resent) && kind == wanted && resent == resent_wanted) {
            status = smtp_client_address_list_read(field.body, texts, count, error);
        }
    }
    return status;
}

/* Sender, else the first of From; it becomes the first text. */
static enum smtp_status collect_reverse_path(struct smtp_span header, bool resent,
                                             struct smtp_buffer *texts, bool lenient, bool *found,
                                             struct smtp_error *error)
{
    size_t count = 0;
    enum smtp_status status = collect(header, SENDER, resent, texts, &count, error);
    if (status == SMTP_OK && count == 0) {
        status = collect(header, FROM, resent, texts, &count, error);
    }
    *found = count > 0;
    if (status != SMTP_OK || (lenient && count == 0)) {
        return status;
    }
    if (count == 0) {
        return smtp_error_set(error, SMTP_BAD_ARGUMENT, 0, "the message has no address in %s",
                              resent ? "Resent-From" : "From");
    }
    texts->len = strlen(smtp_buffer_span(texts).bytes) + 1;
    return SMTP_OK;
}

static enum smtp_status collect_all(struct smtp_client_header_envelope *out,
                                    struct smtp_span header, bool lenient, bool *has_reverse_path,
                                    struct smtp_error *error)
{
    static const enum field_kind recipients[] = {TO, CC, BCC};
    struct census census = count_fields(header);
    bool resent;
    size_t count = 0;
    enum smtp_status status = choose_set(&census, &resent, error);
    if (status == SMTP_OK) {
        status =
            collect_reverse_path(header, resent, &out->texts, lenient, has_reverse_path, error);
    }
    for (size_t i = 0; i < 3 && status == SMTP_OK; i++) {
        status = collect(header, recipients[i], resent, &out->texts, &count, error);
    }
    if (status == SMTP_OK && count == 0 && !lenient) {
        status = smtp_error_set(error, SMTP_BAD_ARGUMENT, 0, "the message has no address in %s",
                                resent ? "Resent-To, Resent-Cc or Resent-Bcc" : "To, Cc or Bcc");
    }
    out->envelope.forward_path_count = count;
    return status;
}

/* The texts have come to rest: the envelope can point to them. */
static enum smtp_status point_out(struct smtp_client_header_envelope *out, bool has_reverse_path)
{
    size_t count = out->envelope.forward_path_count;
    const char *at = smtp_buffer_span(&out->texts).bytes;
    out->forward_paths = calloc(count + 1, sizeof(*out->forward_paths));
    if (out->forward_paths == NULL) {
        return SMTP_NO_MEMORY;
    }
    if (has_reverse_path) {
        out->envelope.reverse_path = at;
        at += strlen(at) + 1;
    }
    for (size_t i = 0; i < count; i++) {
        out->forward_paths[i] = at;
        at += strlen(at) + 1;
    }
    out->envelope.forward_paths = out->forward_paths;
    return SMTP_OK;
}

/* Moves what is kept together; returns the new length of the header section. */
static size_t remove_bcc(char *bytes, size_t len)
{
    struct smtp_client_field field;
    size_t kept = 0;
    for (size_t at = 0; smtp_client_field_next((struct smtp_span){bytes, len}, &at, &field);) {
        enum field_kind kind;
        bool resent;
        if (classify(field.name, &kind, &resent) && kind == BCC) {
            continue;
        }
        memmove(bytes + kept, field.whole.bytes, field.whole.len);
        kept += field.whole.len;
    }
    return kept;
}

/* Reads up to the empty line that ends the header section, and somewhat beyond. */
enum smtp_status smtp_client_header_read(struct smtp_client_source *source,
                                         struct smtp_buffer *header, size_t *end,
                                         struct smtp_error *error)
{
    struct smtp_client_header_end search = SMTP_CLIENT_HEADER_END;
    smtp_buffer_free(header);
    *header = SMTP_BUFFER(HEADER_MAX + READ_BLOCK);
    bool found = false;
    for (;;) {
        found = found || smtp_client_header_end_find(&search, smtp_buffer_span(header));
        if (found && source->prefix_at == source->prefix.len) {
            break;
        }
        if (header->len >= HEADER_MAX) {
            return smtp_error_set(error, SMTP_LIMIT_EXCEEDED, 0,
                                  "the header section is longer than %zu octets", HEADER_MAX);
        }
        size_t len = 0;
        char *room = smtp_buffer_reserve(header, READ_BLOCK);
        if (room == NULL) {
            return smtp_error_set(error, SMTP_NO_MEMORY, 0, "out of memory for a header section");
        }
        enum smtp_status status = smtp_client_source_read(source, room, READ_BLOCK, &len, error);
        if (status != SMTP_OK) {
            return status;
        }
        if (len == 0) {
            break;
        }
        smtp_buffer_added(header, len);
    }
    *end = search.looked_at;
    return SMTP_OK;
}

enum smtp_status smtp_client_envelope_collect(struct smtp_client_header_envelope *out,
                                              struct smtp_span header, bool lenient,
                                              struct smtp_error *error)
{
    bool has_reverse_path = true;
    *out = (struct smtp_client_header_envelope){.texts = SMTP_BUFFER(2 * HEADER_MAX)};
    enum smtp_status status = collect_all(out, header, lenient, &has_reverse_path, error);
    if (status == SMTP_OK && point_out(out, has_reverse_path) != SMTP_OK) {
        status = smtp_error_set(error, SMTP_NO_MEMORY, 0, "out of memory for an envelope");
    }
    return status;
}

size_t smtp_client_header_remove_bcc(struct smtp_buffer *all, size_t end)
{
    char *bytes = all->bytes + all->start;
    size_t kept = remove_bcc(bytes, end);
    memmove(bytes + kept, bytes + end, all->len - end);
    all->len -= end - kept;
    return kept;
}

enum smtp_status smtp_client_envelope_read(struct smtp_client_header_envelope *out,
                                           struct smtp_client_source *source,
                                           struct smtp_buffer *header, struct smtp_error *error)
{
    size_t end = 0;
    *out = (struct smtp_client_header_envelope){.texts = SMTP_BUFFER(0)};
    enum smtp_status status = smtp_client_header_read(source, header, &end, error);
    if (status == SMTP_OK) {
        struct smtp_span fields = {smtp_buffer_span(header).bytes, end};
        status = smtp_client_envelope_collect(out, fields, false, error);
    }
    if (status != SMTP_OK) {
        return status;
    }
    struct smtp_span section = {header->bytes, smtp_client_header_remove_bcc(header, end)};
    out->mail.smtputf8 = smtp_has_eight_bit(section) && smtp_is_utf8(section);
    out->envelope.mail = &out->mail;
    source->prefix = smtp_buffer_span(header);
    source->prefix_at = 0;
    return SMTP_OK;
}

void smtp_client_envelope_clear(struct smtp_client_header_envelope *envelope)
{
    free(envelope->forward_paths);
    smtp_buffer_free(&envelope->texts);
    envelope->forward_paths = NULL;
}
