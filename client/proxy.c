/* proxy.c - see proxy.h. Knows: both versions' octets. Does not know: when they are sent (connection.c). */
#include "client/proxy.h"

#include "common/address.h"
#include "common/error.h"

#include <arpa/inet.h>
#include <stdio.h>

/* One end, as numbers. */
struct end {
    int family; /* AF_INET or AF_INET6 */
    unsigned char octets[16];
    size_t len;
    uint16_t port;
};

static enum smtp_status malformed(struct smtp_error *error, const char *why)
{
    return smtp_error_set(error, SMTP_BAD_ARGUMENT, 0,
                          "the PROXY header: %s; like \"v2 192.0.2.1:40112 192.0.2.2:25\", \"v1 "
                          "[2001:db8::1]:40112 [2001:db8::2]:25\" or \"v1 unknown\"",
                          why);
}

/* Takes the next word off the front into out; one space stands before it, but for the first. */
static bool take_word(const char **rest, char *out, size_t size)
{
    size_t len = strcspn(*rest, " ");
    if (len == 0 || len >= size) {
        return false;
    }
    memcpy(out, *rest, len);
    out[len] = '\0';
    *rest += len + ((*rest)[len] == ' ' ? 1 : 0);
    return true;
}

static enum smtp_status take_end(const char **rest, struct end *end, struct smtp_error *error)
{
    char text[80];
    struct smtp_address address;
    if (!take_word(rest, text, sizeof(text))) {
        return malformed(error, "an address with its port is missing, or too long");
    }
    if (smtp_address_parse(text, 0, &address, NULL) != SMTP_OK ||
        address.kind != SMTP_ADDRESS_TCP || address.port == 0) {
        return malformed(error, "an address with its port is expected");
    }
    end->port = address.port;
    end->family = strchr(address.host, ':') != NULL ? AF_INET6 : AF_INET;
    end->len = end->family == AF_INET6 ? 16 : 4;
    return inet_pton(end->family, address.host, end->octets) == 1
               ? SMTP_OK
               : malformed(error, "an address is no IPv4 or IPv6 address");
}

static void write_text(struct smtp_client_proxy_header *out, const struct end *source,
                       const struct end *destination)
{
    char from[INET6_ADDRSTRLEN] = "", to[INET6_ADDRSTRLEN] = "";
    inet_ntop(source->family, source->octets, from, sizeof(from));
    inet_ntop(destination->family, destination->octets, to, sizeof(to));
    out->len = (size_t)snprintf(out->octets, sizeof(out->octets), "PROXY TCP%c %s %s %u %u\r\n",
                                source->family == AF_INET6 ? '6' : '4', from, to,
                                (unsigned)source->port, (unsigned)destination->port);
}

static void put(struct smtp_client_proxy_header *out, const void *octets, size_t len)
{
    memcpy(out->octets + out->len, octets, len);
    out->len += len;
}

static void put_u16(struct smtp_client_proxy_header *out, unsigned value)
{
    unsigned char octets[2] = {(unsigned char)(value >> 8), (unsigned char)(value & 0xFF)};
    put(out, octets, sizeof(octets));
}

/* ends NULL: unspecified. */
static void write_binary(struct smtp_client_proxy_header *out, const struct end *source,
                         const struct end *destination)
{
    static const char signature[] = "\r\n\r\n\0\r\nQUIT\n";
    unsigned char form[2] = {0x21, 0}; /* version 2, PROXY; then family and transport */
    if (source != NULL) {
        form[1] = source->family == AF_INET6 ? 0x21 : 0x11;
    }
    out->len = 0;
    put(out, signature, sizeof(signature) - 1);
    put(out, form, sizeof(form));
    put_u16(out, source != NULL ? (unsigned)(2 * source->len + 4) : 0);
    if (source != NULL) {
        put(out, source->octets, source->len);
        put(out, destination->octets, destination->len);
        put_u16(out, source->port);
        put_u16(out, destination->port);
    }
}

static enum smtp_status check_octets(const char *text, struct smtp_error *error)
{
    for (const char *at = text; *at != '\0'; at++) {
        if (smtp_is_control((unsigned char)*at)) {
            return smtp_error_set(error, SMTP_UNSAFE_ARGUMENT, 0,
                                  "the PROXY header holds the control octet 0x%02X",
                                  (unsigned char)*at);
        }
    }
    return SMTP_OK;
}

enum smtp_status smtp_client_proxy_header_make(struct smtp_client_proxy_header *out,
                                               const char *text, struct smtp_error *error)
{
    struct end source = {0}, destination = {0};
    enum smtp_status status = check_octets(text, error);
    if (status != SMTP_OK) {
        return status;
    }
    bool binary = strncmp(text, "v2 ", 3) == 0;
    if (!binary && strncmp(text, "v1 ", 3) != 0) {
        return malformed(error, "it begins with neither \"v1 \" nor \"v2 \"");
    }
    const char *rest = text + 3;
    if (strcmp(rest, "unknown") == 0 && binary) {
        write_binary(out, NULL, NULL);
        return SMTP_OK;
    }
    if (strcmp(rest, "unknown") == 0) {
        out->len = (size_t)snprintf(out->octets, sizeof(out->octets), "PROXY UNKNOWN\r\n");
        return SMTP_OK;
    }
    status = take_end(&rest, &source, error);
    status = status == SMTP_OK ? take_end(&rest, &destination, error) : status;
    if (status != SMTP_OK) {
        return status;
    }
    if (*rest != '\0' || text[strlen(text) - 1] == ' ') {
        return malformed(error, "something follows the destination");
    }
    if (source.family != destination.family) {
        return malformed(error, "source and destination are not of one family");
    }
    binary ? write_binary(out, &source, &destination) : write_text(out, &source, &destination);
    return SMTP_OK;
}
