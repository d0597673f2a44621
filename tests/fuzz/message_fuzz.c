/* message_fuzz.c - the view of a captured message, whatever its content: header, texts, parts and links can be read, twice alike,
 * and hold no more than there is. Does not know what GMime should make of it. */
#include "harness/links.h"
#include "tests/fuzz/captured.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

static void check_fields(const struct smtp_harness_message *message)
{
    const struct smtp_harness_field *field;
    for (size_t i = 0; (field = smtp_harness_field(message, i)) != NULL; i++) {
        FUZZ_HOLDS(field->name != NULL && field->value != NULL);
        FUZZ_HOLDS(strchr(field->value, '\n') == NULL && strchr(field->value, '\r') == NULL);
        FUZZ_HOLDS(smtp_harness_header(message, field->name) != NULL);
        FUZZ_HOLDS(smtp_harness_header_at(message, field->name, 0) ==
                   smtp_harness_header(message, field->name));
    }
}

static void check_parts(const struct smtp_harness_message *message, size_t len)
{
    size_t count = smtp_harness_part_count(message);
    for (size_t i = 0; i < count; i++) {
        const struct smtp_harness_part *part = smtp_harness_part(message, i);
        FUZZ_HOLDS(part != NULL && part->content_type != NULL);
        FUZZ_HOLDS(part->size_bytes <= 3 * len + 16);
        char *copy = fuzz_copy((struct smtp_span){part->bytes, part->size_bytes});
        free(copy);
    }
    FUZZ_HOLDS(smtp_harness_part(message, count) == NULL);
}

static void check_links(const char *html, const char *text)
{
    struct smtp_harness_link_place place = {0};
    struct smtp_harness_lines link = SMTP_HARNESS_LINES;
    size_t most = (html != NULL ? strlen(html) : 0) + (text != NULL ? strlen(text) : 0);
    size_t count = 0;
    while (smtp_harness_link_next(html, text, &place, &link)) {
        FUZZ_HOLDS(++count <= most);
        smtp_buffer_clear(&link.buffer, SIZE_MAX);
    }
    smtp_buffer_free(&link.buffer);
}

int LLVMFuzzerTestOneInput(const uint8_t *octets, size_t len)
{
    struct fuzz_input input = {octets, len};
    struct smtp_harness_message *message = fuzz_captured(fuzz_rest(&input));
    check_fields(message);
    check_parts(message, len);
    const char *text = smtp_harness_text(message), *html = smtp_harness_html(message);
    FUZZ_HOLDS(smtp_harness_text(message) == text && smtp_harness_html(message) == html);
    check_links(html, text);
    smtp_harness_message_free(message);
    return 0;
}
