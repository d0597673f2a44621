/* trusted.c - see trusted.h.
 * Knows: how networks are written (RFC 4632 3.1, RFC 4291 2.3). Does not know: what a trusted peer
 * may do. */
#include "server/trusted.h"

#include "common/bytes.h"
#include "common/error.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#define V4_BITS 32
#define V6_BITS 128
#define MAPPED_BITS 96 /* ::ffff:0:0/96, RFC 4291 2.5.5.2 */

static const unsigned char mapped[MAPPED_BITS / 8] = {[10] = 0xff, [11] = 0xff};
static const char unix_prefix[] = "unix:";

static bool same_bits(const unsigned char *a, const unsigned char *b, unsigned bits)
{
    unsigned whole = bits / 8, rest = bits % 8;
    return memcmp(a, b, whole) == 0 && (rest == 0 || (a[whole] ^ b[whole]) >> (8 - rest) == 0);
}

/* An address alone, with all of its bits. */
static bool parse_address(struct smtp_span text, struct smtp_server_network *out)
{
    char host[INET6_ADDRSTRLEN];
    if (text.len >= sizeof host) {
        return false;
    }
    smtp_bytes_copy(host, text);
    host[text.len] = '\0';
    *out = (struct smtp_server_network){.family = AF_INET, .bits = V4_BITS};
    if (inet_pton(AF_INET, host, out->address) == 1) {
        return true;
    }
    *out = (struct smtp_server_network){.family = AF_INET6, .bits = V6_BITS};
    return inet_pton(AF_INET6, host, out->address) == 1;
}

static void unmap(struct smtp_server_network *network)
{
    if (network->family == AF_INET6 && network->bits >= MAPPED_BITS &&
        memcmp(network->address, mapped, sizeof mapped) == 0) {
        network->family = AF_INET;
        network->bits -= MAPPED_BITS;
        memmove(network->address, network->address + sizeof mapped, V4_BITS / 8);
    }
}

static bool has_bits_beyond(const struct smtp_server_network *network)
{
    unsigned char masked[sizeof network->address] = {0};
    memcpy(masked, network->address, network->bits / 8);
    if (network->bits % 8 != 0) {
        masked[network->bits / 8] =
            network->address[network->bits / 8] & (unsigned char)(0xff00 >> network->bits % 8);
    }
    return memcmp(masked, network->address, network->family == AF_INET ? 4 : 16) != 0;
}

/* What is wrong with it; NULL: nothing. */
static const char *parse_entry(const char *text, struct smtp_server_network *out)
{
    if (strcmp(text, unix_prefix) == 0) {
        *out = (struct smtp_server_network){.family = AF_UNIX};
        return NULL;
    }
    const char *slash = strchr(text, '/');
    size_t len = slash != NULL ? (size_t)(slash - text) : strlen(text);
    if (!parse_address((struct smtp_span){text, len}, out)) {
        return "must be an IPv4 or IPv6 address without a port, such a network like 10.0.0.0/8, or "
               "unix:";
    }
    if (slash != NULL) {
        uint64_t bits;
        if (!smtp_span_to_u64(smtp_span_of(slash + 1), out->bits, &bits)) {
            return out->family == AF_INET ? "must have a number from 0 to 32 behind its slash"
                                          : "must have a number from 0 to 128 behind its slash";
        }
        out->bits = (unsigned)bits;
        if (has_bits_beyond(out)) {
            return "has bits beyond its prefix: write the network's first address, or more bits";
        }
    }
    unmap(out);
    return NULL;
}

enum smtp_status smtp_server_trusted_init(struct smtp_server_trusted *trusted,
                                          const char *const *entries, size_t count,
                                          struct smtp_error *error)
{
    *trusted = (struct smtp_server_trusted){0};
    if (count == 0) {
        return SMTP_OK;
    }
    trusted->networks = calloc(count, sizeof *trusted->networks);
    if (trusted->networks == NULL) {
        return smtp_error_set(error, SMTP_NO_MEMORY, 0, "out of memory");
    }
    trusted->count = count;
    for (size_t i = 0; i < count; i++) {
        const char *text = entries != NULL && entries[i] != NULL ? entries[i] : "";
        const char *wrong = parse_entry(text, &trusted->networks[i]);
        if (wrong != NULL) {
            smtp_server_trusted_clear(trusted);
            return smtp_error_set(error, SMTP_BAD_ARGUMENT, 0, "trusted_peers[%zu], \"%.60s\", %s",
                                  i, text, wrong);
        }
    }
    return SMTP_OK;
}

void smtp_server_trusted_clear(struct smtp_server_trusted *trusted)
{
    free(trusted->networks);
    *trusted = (struct smtp_server_trusted){0};
}

static bool parse_peer(const char *peer, struct smtp_server_network *out)
{
    if (strncmp(peer, unix_prefix, sizeof unix_prefix - 1) == 0) {
        *out = (struct smtp_server_network){.family = AF_UNIX};
        return true;
    }
    const char *end = peer[0] == '[' ? strchr(peer, ']') : strrchr(peer, ':');
    const char *host = peer[0] == '[' ? peer + 1 : peer;
    if (end == NULL || !parse_address((struct smtp_span){host, (size_t)(end - host)}, out)) {
        return false;
    }
    unmap(out);
    return true;
}

bool smtp_server_trusts(const struct smtp_server_trusted *trusted, const char *peer)
{
    struct smtp_server_network one;
    if (trusted->count == 0 || !parse_peer(peer, &one)) {
        return false;
    }
    for (size_t i = 0; i < trusted->count; i++) {
        const struct smtp_server_network *network = &trusted->networks[i];
        if (network->family == one.family &&
            same_bits(network->address, one.address, network->bits)) {
            return true;
        }
    }
    return false;
}
