/* proxy_fuzz.c - the PROXY header: the server's reader of any octets under any split, and the client's writer against it: what
 * the client says of a source, the server understands. */
#include "client/proxy.h"
#include "common/address.h"
#include "server/proxy.h"
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>

static struct smtp_buffer read_all(struct smtp_span octets, unsigned cut_octet, size_t *taken)
{
    struct smtp_buffer seen = SMTP_BUFFER(SIZE_MAX);
    struct smtp_server_proxy proxy = {0};
    struct fuzz_cuts cuts = fuzz_cuts(cut_octet);
    enum smtp_server_proxy_progress progress = SMTP_SERVER_PROXY_WAITS;
    *taken = 0;
    while (progress == SMTP_SERVER_PROXY_WAITS && *taken < octets.len) {
        struct smtp_span piece = {octets.bytes + *taken, fuzz_cut(&cuts, octets.len - *taken)};
        char *copy = fuzz_copy(piece);
        size_t used = 0;
        progress = smtp_server_proxy_receive(&proxy, copy, piece.len, &used);
        free(copy);
        FUZZ_HOLDS(used <= piece.len && proxy.len <= SMTP_PROXY_HEADER_MAX);
        FUZZ_HOLDS(progress != SMTP_SERVER_PROXY_WAITS || used == piece.len);
        *taken += used;
    }
    fuzz_print(&seen, "%d ", (int)progress);
    if (progress == SMTP_SERVER_PROXY_MALFORMED) {
        FUZZ_HOLDS(proxy.wrong != NULL);
        return seen; /* what is wrong is seen at different octets */
    }
    if (progress == SMTP_SERVER_PROXY_DONE && proxy.named) {
        char text[SMTP_ADDRESS_TEXT_SIZE];
        smtp_address_format(&proxy.source, text);
        fuzz_print(&seen, "%s ", text);
    }
    fuzz_print(&seen, "%zu", *taken);
    return seen;
}

static void check_writer(const char *text)
{
    struct smtp_client_proxy_header header;
    struct smtp_error error = {0};
    if (smtp_client_proxy_header_make(&header, text, &error) != SMTP_OK) {
        FUZZ_HOLDS(error.message[0] != '\0');
        return;
    }
    struct smtp_server_proxy proxy = {0};
    size_t used = 0;
    FUZZ_HOLDS(header.len <= SMTP_CLIENT_PROXY_MAX);
    FUZZ_HOLDS(smtp_server_proxy_receive(&proxy, header.octets, header.len, &used) ==
               SMTP_SERVER_PROXY_DONE);
    FUZZ_HOLDS(used == header.len);
    FUZZ_HOLDS(proxy.named == (strcmp(text + 3, "unknown") != 0));
    if (proxy.named) { /* written of the address that was read, it is the same header */
        char source[SMTP_ADDRESS_TEXT_SIZE], again[2 * SMTP_ADDRESS_TEXT_SIZE];
        struct smtp_client_proxy_header second;
        smtp_address_format(&proxy.source, source);
        const char *destination = strrchr(text, ' ');
        snprintf(again, sizeof again, "%.3s%s%s", text, source, destination);
        FUZZ_HOLDS(smtp_client_proxy_header_make(&second, again, &error) == SMTP_OK);
        FUZZ_HOLDS(second.len == header.len &&
                   memcmp(second.octets, header.octets, header.len) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *octets, size_t len)
{
    struct fuzz_input input = {octets, len};
    const unsigned cuts[] = {1, fuzz_octet(&input)};
    size_t taken = 0, taken_cut = 0;
    struct smtp_buffer whole = read_all(fuzz_rest(&input), 0, &taken);
    for (size_t i = 0; i < 2; i++) {
        struct smtp_buffer cut = read_all(fuzz_rest(&input), cuts[i], &taken_cut);
        FUZZ_ALIKE(&whole, &cut);
        smtp_buffer_free(&cut);
    }
    smtp_buffer_free(&whole);
    char *text = fuzz_text(fuzz_rest(&input));
    check_writer(text);
    free(text);
    return 0;
}
