/* proxy.c - see proxy.h.
 * Knows: both forms of the header, exactly. Does not know: who may send one (trusted.c), sockets. */
#include "server/proxy.h"

#include "common/bytes.h"

#include <arpa/inet.h>
#include <string.h>

#define SIGNATURE_SIZE 12
#define FIXED_SIZE 16 /* signature, version and command, family, length */
#define V4_SIZE 12    /* two addresses and two ports */
#define V6_SIZE 36
#define UNIX_SIZE 216 /* two paths */
#define UNIX_PATH_SIZE 108
#define TLV_CRC32C 0x03
#define PORT_MAX 65535

static const char signature[SIGNATURE_SIZE] = "\r\n\r\n\0\r\nQUIT\n";
static const char keyword[] = "PROXY ";

static enum smtp_server_proxy_progress malformed(struct smtp_server_proxy *proxy, const char *wrong)
{
    proxy->wrong = wrong;
    return SMTP_SERVER_PROXY_MALFORMED;
}

/* ---- version 1 ---- */

/* The text up to the next space, which is taken too; at the end all that is left. */
static struct smtp_span next_word(struct smtp_span *line)
{
    const char *space = line->len > 0 ? memchr(line->bytes, ' ', line->len) : NULL;
    struct smtp_span word = {line->bytes,
                             space != NULL ? (size_t)(space - line->bytes) : line->len};
    size_t taken = word.len + (space != NULL ? 1 : 0);
    *line = (struct smtp_span){line->bytes + taken, line->len - taken};
    return word;
}

static bool to_host(struct smtp_span word, int family, char *host)
{
    unsigned char address[sizeof(struct in6_addr)];
    if (word.len >= INET6_ADDRSTRLEN || memchr(word.bytes, '\0', word.len) != NULL) {
        return false;
    }
    smtp_bytes_copy(host, word);
    host[word.len] = '\0';
    /* as this machine writes it, so that one peer has one name */
    return inet_pton(family, host, address) == 1 &&
           inet_ntop(family, address, host, INET6_ADDRSTRLEN) != NULL;
}

/* "Heading zeroes are not permitted." */
static bool to_port(struct smtp_span word, uint16_t *port)
{
    uint64_t number;
    if (!smtp_span_to_u64(word, PORT_MAX, &number) || (word.len > 1 && word.bytes[0] == '0')) {
        return false;
    }
    *port = (uint16_t)number;
    return true;
}

static enum smtp_server_proxy_progress take_line(struct smtp_server_proxy *proxy)
{
    struct smtp_span line = {(const char *)proxy->octets + sizeof keyword - 1,
                             proxy->len - (sizeof keyword - 1) - 2};
    char unused[SMTP_HOST_MAX + 1];
    uint16_t unused_port;
    bool parted_wrongly = line.len > 0 && line.bytes[line.len - 1] == ' ';
    struct smtp_span protocol = next_word(&line);
    if (smtp_span_equal(protocol, SMTP_SPAN("UNKNOWN"))) {
        return SMTP_SERVER_PROXY_DONE; /* "the receiver must ignore anything presented before the CRLF" */
    }
    bool v4 = smtp_span_equal(protocol, SMTP_SPAN("TCP4"));
    if (!v4 && !smtp_span_equal(protocol, SMTP_SPAN("TCP6"))) {
        return malformed(proxy, "its protocol is none of TCP4, TCP6 and UNKNOWN");
    }
    int family = v4 ? AF_INET : AF_INET6;
    struct smtp_span source = next_word(&line), destination = next_word(&line);
    if (!to_host(source, family, proxy->source.host) || !to_host(destination, family, unused)) {
        return malformed(proxy, "its addresses are not two of the protocol's");
    }
    struct smtp_span source_port = next_word(&line), destination_port = next_word(&line);
    if (!to_port(source_port, &proxy->source.port) || !to_port(destination_port, &unused_port) ||
        line.len > 0 || parted_wrongly) {
        return malformed(proxy, "its ports are not two numbers from 0 to 65535 at the line's end");
    }
    proxy->named = true;
    return SMTP_SERVER_PROXY_DONE;
}

static enum smtp_server_proxy_progress step_line(struct smtp_server_proxy *proxy)
{
    size_t len = proxy->len;
    if (len == 0) {
        return SMTP_SERVER_PROXY_WAITS;
    }
    unsigned char last = proxy->octets[len - 1];
    if (len < sizeof keyword) {
        return last == (unsigned char)keyword[len - 1]
                   ? SMTP_SERVER_PROXY_WAITS
                   : malformed(proxy, "it begins with another octet than a PROXY header");
    }
    bool after_cr = proxy->octets[len - 2] == '\r';
    if (after_cr != (last == '\n')) {
        return malformed(proxy, "its line holds a CR or LF that is not of its end");
    }
    if (after_cr) {
        return take_line(proxy);
    }
    return len < SMTP_PROXY_LINE_MAX ? SMTP_SERVER_PROXY_WAITS
                                     : malformed(proxy, "its line is longer than 107 octets");
}

/* ---- version 2 ---- */

static size_t to_length(const unsigned char *octets)
{
    return (size_t)octets[0] << 8 | octets[1];
}

/* CRC32C (RFC 3720 appendix B.4) of the header with its own checksum, at `at`, taken as zero. */
static uint32_t checksum(const struct smtp_server_proxy *proxy, size_t at)
{
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < proxy->len; i++) {
        crc ^= i >= at && i < at + 4 ? 0 : proxy->octets[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = crc >> 1 ^ ((crc & 1) != 0 ? 0x82f63b78 : 0);
        }
    }
    return ~crc;
}

/* What comes behind the addresses; NULL: nothing is wrong with it. */
static const char *check_tlvs(const struct smtp_server_proxy *proxy, size_t at)
{
    while (at < proxy->len) {
        if (proxy->len - at < 3 || to_length(proxy->octets + at + 1) > proxy->len - at - 3) {
            return "its last TLV is longer than the header";
        }
        size_t value = at + 3, size = to_length(proxy->octets + at + 1);
        if (proxy->octets[at] == TLV_CRC32C) {
            uint32_t told;
            if (size != sizeof told) {
                return "its CRC32C has not 4 octets";
            }
            memcpy(&told, proxy->octets + value, sizeof told);
            if (ntohl(told) != checksum(proxy, value)) {
                return "its CRC32C does not match";
            }
        }
        at = value + size;
    }
    return NULL;
}

static void name_inet(struct smtp_server_proxy *proxy, int family)
{
    size_t size = family == AF_INET ? sizeof(struct in_addr) : sizeof(struct in6_addr);
    const unsigned char *addresses = proxy->octets + FIXED_SIZE;
    inet_ntop(family, addresses, proxy->source.host, sizeof proxy->source.host);
    proxy->source.port = (uint16_t)to_length(addresses + 2 * size);
    proxy->named = true;
}

/* A path goes into logs: one that is not plain text stays out. */
static void name_unix(struct smtp_server_proxy *proxy)
{
    const char *path = (const char *)proxy->octets + FIXED_SIZE;
    size_t len = strnlen(path, UNIX_PATH_SIZE);
    proxy->source.kind = SMTP_ADDRESS_UNIX;
    proxy->named = true;
    for (size_t i = 0; i < len; i++) {
        if (path[i] <= ' ' || path[i] > '~') {
            return;
        }
    }
    memcpy(proxy->source.host, path, len);
}

static enum smtp_server_proxy_progress take_binary(struct smtp_server_proxy *proxy)
{
    static const struct {
        unsigned char kind; /* family, then transport */
        size_t size;
    } kinds[] = {{0x00, 0},       {0x11, V4_SIZE},   {0x12, V4_SIZE},  {0x21, V6_SIZE},
                 {0x22, V6_SIZE}, {0x31, UNIX_SIZE}, {0x32, UNIX_SIZE}};
    size_t i = 0;
    if ((proxy->octets[12] & 0x0f) == 0) {
        return SMTP_SERVER_PROXY_DONE; /* LOCAL: the proxy's own connection, the rest is discarded */
    }
    while (i < sizeof kinds / sizeof *kinds && kinds[i].kind != proxy->octets[13]) {
        i++;
    }
    if (i == sizeof kinds / sizeof *kinds) {
        return malformed(proxy, "its address family or transport is not one of the protocol's");
    }
    if (proxy->len - FIXED_SIZE < kinds[i].size) {
        return malformed(proxy, "it is shorter than its addresses");
    }
    const char *wrong = kinds[i].size > 0 ? check_tlvs(proxy, FIXED_SIZE + kinds[i].size) : NULL;
    if (wrong != NULL) {
        return malformed(proxy, wrong);
    }
    if (kinds[i].kind == 0x11 || kinds[i].kind == 0x21) {
        name_inet(proxy, kinds[i].kind == 0x11 ? AF_INET : AF_INET6);
    } else if (kinds[i].kind == 0x31) {
        name_unix(proxy);
    } /* else nobody speaks SMTP over datagrams: "falls back to the UNSPEC mode" */
    return SMTP_SERVER_PROXY_DONE;
}

static enum smtp_server_proxy_progress step_binary(struct smtp_server_proxy *proxy)
{
    size_t len = proxy->len;
    if (len == 0) {
        return SMTP_SERVER_PROXY_WAITS;
    }
    if (len <= SIGNATURE_SIZE) {
        return proxy->octets[len - 1] == (unsigned char)signature[len - 1]
                   ? SMTP_SERVER_PROXY_WAITS
                   : malformed(proxy, "its signature is not that of version 2");
    }
    if (proxy->octets[12] != 0x20 && proxy->octets[12] != 0x21) {
        return malformed(proxy, "its version is not 2, or its command neither LOCAL nor PROXY");
    }
    if (len < FIXED_SIZE) {
        return SMTP_SERVER_PROXY_WAITS;
    }
    size_t whole = FIXED_SIZE + to_length(proxy->octets + 14);
    if (whole > SMTP_PROXY_HEADER_MAX) {
        return malformed(proxy, "it is longer than 4096 octets");
    }
    return len < whole ? SMTP_SERVER_PROXY_WAITS : take_binary(proxy);
}

enum smtp_server_proxy_progress smtp_server_proxy_receive(struct smtp_server_proxy *proxy,
                                                          const char *bytes, size_t len,
                                                          size_t *used)
{
    enum smtp_server_proxy_progress progress = SMTP_SERVER_PROXY_WAITS;
    *used = 0;
    while (*used < len && progress == SMTP_SERVER_PROXY_WAITS) {
        proxy->octets[proxy->len++] = (unsigned char)bytes[(*used)++];
        progress = proxy->octets[0] == '\r' ? step_binary(proxy) : step_line(proxy);
    }
    return progress;
}
