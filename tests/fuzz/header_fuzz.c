/* header_fuzz.c - a message's header section at the client: its fields, its end under any split, the addresses in it, the
 * envelope made of them, and Bcc taken out. Knows: that fields are all of a section, and that a path the client would send is
 * one the server takes. Does not know: which addresses there are (unit tests). */
#include "client/address_list.h"
#include "client/client.h"
#include "client/header.h"
#include "client/protocol/path.h"
#include "server/protocol/path.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

static void check_addresses(struct smtp_span body)
{
    struct smtp_buffer texts = SMTP_BUFFER(SIZE_MAX);
    struct smtp_error error = {0};
    size_t count = 0, seen = 0;
    enum smtp_status status = smtp_client_address_list_read(body, &texts, &count, &error);
    FUZZ_HOLDS((status == SMTP_OK) == (error.message[0] == '\0'));
    if (status == SMTP_OK) {
        struct smtp_span all = smtp_buffer_span(&texts);
        FUZZ_HOLDS(all.len <= 2 * body.len + 1);
        FUZZ_HOLDS(all.len == 0 || all.bytes[all.len - 1] == '\0');
        for (size_t at = 0; at < all.len; seen++) {
            const char *one = all.bytes + at;
            FUZZ_HOLDS(one[0] != '\0' && strpbrk(one, "\r\n") == NULL);
            at += strlen(one) + 1;
        }
        FUZZ_HOLDS(seen == count);
    }
    smtp_buffer_free(&texts);
}

static void check_fields(struct smtp_span header)
{
    struct smtp_client_field field;
    size_t before = 0;
    for (size_t at = 0; smtp_client_field_next(header, &at, &field); before = at) {
        FUZZ_HOLDS(at > before && at <= header.len);
        FUZZ_HOLDS(field.whole.bytes == header.bytes + before && field.whole.len == at - before);
        FUZZ_HOLDS(field.name.len + field.body.len <= field.whole.len);
        check_addresses(field.body);
    }
    FUZZ_HOLDS(before == header.len);
}

/* However it comes, the section ends at the same octet. */
static size_t find_end(struct smtp_span all, unsigned cut_octet, bool *found)
{
    struct smtp_client_header_end search = SMTP_CLIENT_HEADER_END;
    struct fuzz_cuts cuts = fuzz_cuts(cut_octet);
    *found = false;
    for (size_t at = 0; at < all.len && !*found;) {
        at += fuzz_cut(&cuts, all.len - at);
        *found = smtp_client_header_end_find(&search, (struct smtp_span){all.bytes, at});
        FUZZ_HOLDS(search.looked_at <= at);
    }
    return search.looked_at;
}

static size_t check_end(struct smtp_span all, unsigned cut_octet)
{
    bool found = false, found_cut = false;
    size_t end = find_end(all, 0, &found);
    FUZZ_HOLDS(find_end(all, 1, &found_cut) == end && found == found_cut);
    FUZZ_HOLDS(find_end(all, cut_octet, &found_cut) == end && found == found_cut);
    FUZZ_HOLDS(!found || all.bytes[end] == '\r' || all.bytes[end] == '\n');
    return end;
}

static void check_envelope(struct smtp_span header, bool lenient)
{
    struct smtp_client_header_envelope envelope;
    struct smtp_error error = {0};
    enum smtp_status status = smtp_client_envelope_collect(&envelope, header, lenient, &error);
    FUZZ_HOLDS((status == SMTP_OK) == (error.message[0] == '\0'));
    FUZZ_HOLDS(status != SMTP_OK || lenient || envelope.envelope.forward_path_count > 0);
    for (size_t i = 0; status == SMTP_OK && i < envelope.envelope.forward_path_count; i++) {
        FUZZ_HOLDS(envelope.envelope.forward_paths[i][0] != '\0');
    }
    smtp_client_envelope_clear(&envelope);
}

static bool is_bcc(struct smtp_span name)
{
    return smtp_span_equal_nocase(name, SMTP_SPAN("Bcc")) ||
           smtp_span_equal_nocase(name, SMTP_SPAN("Resent-Bcc"));
}

/* What is sent has no Bcc, all its other fields, and all that follows them. */
static void check_message(struct smtp_span all, size_t end)
{
    struct smtp_content content = smtp_content_memory(all.bytes, all.len);
    struct smtp_client_header_envelope envelope;
    struct smtp_client_source source;
    struct smtp_buffer header = SMTP_BUFFER(0), expected = SMTP_BUFFER(SIZE_MAX);
    struct smtp_buffer sent = SMTP_BUFFER(SIZE_MAX);
    struct smtp_client_field field;
    struct smtp_error error = {0};
    smtp_client_source_init(&source, &content);
    if (smtp_client_envelope_read(&envelope, &source, &header, &error) == SMTP_OK) {
        struct smtp_span section = {all.bytes, end};
        for (size_t at = 0; smtp_client_field_next(section, &at, &field);) {
            if (!is_bcc(field.name)) {
                fuzz_append(&expected, field.whole.bytes, field.whole.len);
            }
        }
        fuzz_append(&expected, all.bytes + end, all.len - end);
        char block[7];
        size_t len = 0;
        do {
            FUZZ_HOLDS(smtp_client_source_read(&source, block, sizeof block, &len, &error) ==
                       SMTP_OK);
            fuzz_append(&sent, block, len);
        } while (len > 0);
        FUZZ_ALIKE(&sent, &expected);
    }
    smtp_client_envelope_clear(&envelope);
    smtp_buffer_free(&header);
    smtp_buffer_free(&expected);
    smtp_buffer_free(&sent);
}

int LLVMFuzzerTestOneInput(const uint8_t *octets, size_t len)
{
    struct fuzz_input input = {octets, len};
    unsigned cut_octet = fuzz_octet(&input);
    struct smtp_span rest = fuzz_rest(&input);
    char *copy = fuzz_copy(rest);
    struct smtp_span all = {copy, rest.len};
    size_t end = check_end(all, cut_octet);
    check_fields((struct smtp_span){copy, end});
    check_envelope((struct smtp_span){copy, end}, false);
    check_envelope((struct smtp_span){copy, end}, true);
    check_message(all, end);
    check_addresses(all);
    free(copy);
    return 0;
}
