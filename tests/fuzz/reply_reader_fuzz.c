/* reply_reader_fuzz.c - the client's reader of replies under whatever a server says: the same replies however the octets are
 * split, within its bounds, each octet looked at once; and what an EHLO reply of that text would offer. */
#include "client/protocol/extensions.h"
#include "client/protocol/reply_reader.h"
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>

static void count_line(void *user, struct smtp_span line)
{
    size_t *lines = user;
    FUZZ_HOLDS(line.len <= SMTP_CLIENT_REPLY_LINE_MAX);
    FUZZ_HOLDS(line.len == 0 || memchr(line.bytes, '\n', line.len) == NULL);
    ++*lines;
}

static void note(const struct smtp_client_reply_reader *reader, struct smtp_buffer *seen)
{
    struct smtp_reply reply = smtp_client_reply_reader_reply(reader);
    size_t len = strlen(reply.text);
    FUZZ_HOLDS(reply.code >= 200 && reply.code <= 599);
    FUZZ_HOLDS(len <= SMTP_CLIENT_REPLY_MAX && reader->lines <= SMTP_CLIENT_REPLY_LINES_MAX);
    fuzz_print(seen, "%d %d.%d.%d ", reply.code, reply.enhanced.class_digit, reply.enhanced.subject,
               reply.enhanced.detail);
    fuzz_append(seen, reply.text, len);
    fuzz_append(seen, "\n", 1);
}

static struct smtp_buffer read_all(struct smtp_span octets, unsigned cut_octet)
{
    struct smtp_buffer seen = SMTP_BUFFER(SIZE_MAX);
    struct fuzz_cuts cuts = fuzz_cuts(cut_octet);
    struct smtp_client_reply_reader reader;
    struct smtp_error error = {0};
    enum smtp_status status = SMTP_OK;
    size_t lines = 0;
    smtp_client_reply_reader_init(&reader);
    reader.on_line = count_line;
    reader.user = &lines;
    for (size_t at = 0; at < octets.len && status == SMTP_OK;) {
        struct smtp_span piece = {octets.bytes + at, fuzz_cut(&cuts, octets.len - at)};
        char *copy = fuzz_copy(piece);
        size_t used = 0;
        status = smtp_client_reply_reader_feed(&reader, copy, piece.len, &used, &error);
        free(copy);
        FUZZ_HOLDS(used <= piece.len);
        FUZZ_HOLDS(used > 0 || status != SMTP_OK);
        FUZZ_HOLDS(status != SMTP_OK || used == piece.len || reader.complete);
        if (status == SMTP_OK && reader.complete) {
            note(&reader, &seen);
        }
        at += used;
    }
    FUZZ_HOLDS(reader.looked_at <= octets.len);
    FUZZ_HOLDS((status == SMTP_OK) == (error.message[0] == '\0'));
    fuzz_print(&seen, "%s, %zu lines", smtp_status_name(status), lines);
    smtp_client_reply_reader_clear(&reader);
    return seen;
}

static void read_offer(struct smtp_span octets)
{
    struct smtp_client_extensions extensions;
    char *text = fuzz_text(octets);
    smtp_client_extensions_init(&extensions);
    if (smtp_client_extensions_read(&extensions, text) == SMTP_OK) {
        FUZZ_HOLDS(extensions.count <= SMTP_CLIENT_EXTENSIONS_MAX);
        FUZZ_HOLDS(extensions.mail_max <= 999999 && extensions.rcpt_max <= 999999);
        FUZZ_HOLDS(extensions.pipelining ==
                   (smtp_client_extensions_find(&extensions, "PIPELINING") != NULL));
        FUZZ_HOLDS(extensions.size == (smtp_client_extensions_find(&extensions, "size") != NULL));
        struct smtp_span all = smtp_buffer_span(&extensions.texts);
        for (size_t at = 0; at < all.len;) { /* each keyword is found; of two the first */
            const char *keyword = all.bytes + at;
            FUZZ_HOLDS(smtp_client_extensions_find(&extensions, keyword) != NULL);
            at += strlen(keyword) + 1;
            (void)smtp_client_words_have(all.bytes + at, "PLAIN");
            at += strlen(all.bytes + at) + 1;
        }
    }
    smtp_client_extensions_clear(&extensions);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *octets, size_t len)
{
    struct fuzz_input input = {octets, len};
    const unsigned cuts[] = {1, fuzz_octet(&input)};
    struct smtp_buffer whole = read_all(fuzz_rest(&input), 0);
    for (size_t i = 0; i < 2; i++) {
        struct smtp_buffer cut = read_all(fuzz_rest(&input), cuts[i]);
        FUZZ_ALIKE(&whole, &cut);
        smtp_buffer_free(&cut);
    }
    smtp_buffer_free(&whole);
    read_offer(fuzz_rest(&input));
    return 0;
}
