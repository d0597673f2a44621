/* address.c - see address.h.
 * Knows: how people write addresses, and sockaddr. Does not know: name servers (net.c asks them
 * when a client connects; a server never does). */
#include "common/address.h"

#include "common/bytes.h"
#include "common/error.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

static const char unix_prefix[] = "unix:";
#define UNIX_PATH_MAX (sizeof((struct sockaddr_un *)NULL)->sun_path - 1)
#define PORT_MAX 65535

static enum smtp_status parse_unix(const char *path, struct smtp_address *out,
                                   struct smtp_error *error)
{
    size_t len = strlen(path);
    if (len == 0 || len > UNIX_PATH_MAX) {
        return smtp_error_set(error, SMTP_BAD_ARGUMENT, 0,
                              "the path of unix:%s must have 1 to %zu octets, it has %zu", path,
                              UNIX_PATH_MAX, len);
    }
    out->kind = SMTP_ADDRESS_UNIX;
    memcpy(out->host, path, len + 1);
    return SMTP_OK;
}

static enum smtp_status parse_port(const char *text, const char *digits, struct smtp_address *out,
                                   struct smtp_error *error)
{
    uint64_t port = 0;
    if (!smtp_span_to_u64(smtp_span_of(digits), PORT_MAX, &port)) {
        return smtp_error_set(error, SMTP_BAD_ARGUMENT, 0,
                              "the port of \"%s\" must be a number from 0 to %d, it is \"%s\"",
                              text, PORT_MAX, digits);
    }
    out->port = (uint16_t)port;
    return SMTP_OK;
}

/* No host name or numeric address holds any of these; refusing them here keeps what is printed and
 * logged clean, too. */
static bool host_is_clean(const char *host, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)host[i];
        if (c == ' ' || c == '/' || c == '[' || c == ']' || smtp_is_control(c)) {
            return false;
        }
    }
    return true;
}

static enum smtp_status take_host(const char *text, const char *host, size_t len,
                                  struct smtp_address *out, struct smtp_error *error)
{
    if (len == 0 || len > SMTP_HOST_MAX) {
        return smtp_error_set(error, SMTP_BAD_ARGUMENT, 0,
                              "the host of \"%.80s\" must have 1 to %d octets, it has %zu", text,
                              SMTP_HOST_MAX, len);
    }
    if (!host_is_clean(host, len)) {
        return smtp_error_set(
            error, SMTP_BAD_ARGUMENT, 0,
            "the host of the address holds a control octet, a space, a slash or a bracket");
    }
    memcpy(out->host, host, len);
    out->host[len] = '\0';
    return SMTP_OK;
}

static enum smtp_status parse_bracketed(const char *text, struct smtp_address *out,
                                        struct smtp_error *error)
{
    const char *end = strchr(text, ']');
    if (end == NULL) {
        return smtp_error_set(error, SMTP_BAD_ARGUMENT, 0, "\"%s\" has '[' but no ']'", text);
    }
    enum smtp_status status = take_host(text, text + 1, (size_t)(end - text - 1), out, error);
    struct in6_addr unused;
    if (status == SMTP_OK && strchr(out->host, '%') == NULL &&
        inet_pton(AF_INET6, out->host, &unused) != 1) {
        return smtp_error_set(error, SMTP_BAD_ARGUMENT, 0,
                              "what is in brackets must be an IPv6 address, it is \"%s\"",
                              out->host);
    }
    if (status != SMTP_OK || end[1] == '\0') {
        return status;
    }
    if (end[1] != ':') {
        return smtp_error_set(error, SMTP_BAD_ARGUMENT, 0,
                              "after ']' in \"%s\" must come \":port\" or nothing", text);
    }
    return parse_port(text, end + 2, out, error);
}

enum smtp_status smtp_address_parse(const char *text, uint16_t default_port,
                                    struct smtp_address *out, struct smtp_error *error)
{
    *out = (struct smtp_address){.kind = SMTP_ADDRESS_TCP, .port = default_port};
    if (text == NULL) {
        return smtp_error_set(error, SMTP_BAD_ARGUMENT, 0, "the address is NULL");
    }
    if (strncmp(text, unix_prefix, sizeof unix_prefix - 1) == 0) {
        return parse_unix(text + sizeof unix_prefix - 1, out, error);
    }
    if (text[0] == '[') {
        return parse_bracketed(text, out, error);
    }
    const char *colon = strchr(text, ':');
    if (colon == NULL || strchr(colon + 1, ':') != NULL) {
        return take_host(text, text, strlen(text), out, error);
    }
    enum smtp_status status = take_host(text, text, (size_t)(colon - text), out, error);
    return status == SMTP_OK ? parse_port(text, colon + 1, out, error) : status;
}

void smtp_address_format(const struct smtp_address *address, char *text)
{
    if (address->kind == SMTP_ADDRESS_UNIX) {
        snprintf(text, SMTP_ADDRESS_TEXT_SIZE, "%s%s", unix_prefix, address->host);
        return;
    }
    bool v6 = strchr(address->host, ':') != NULL;
    snprintf(text, SMTP_ADDRESS_TEXT_SIZE, v6 ? "[%s]:%u" : "%s:%u", address->host,
             (unsigned)address->port);
}

static void from_unix(const struct sockaddr_un *from, socklen_t len, struct smtp_address *out)
{
    size_t path_at = offsetof(struct sockaddr_un, sun_path);
    size_t path_len = len > path_at ? strnlen(from->sun_path, len - path_at) : 0;
    out->kind = SMTP_ADDRESS_UNIX;
    memcpy(out->host, from->sun_path, path_len);
    out->host[path_len] = '\0';
}

bool smtp_address_of_socket(int fd, bool peer, struct smtp_address *out)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
        struct sockaddr_un local;
        struct sockaddr_storage room;
    } from = {.any.sa_family = AF_UNSPEC};
    socklen_t len = sizeof from;
    *out = (struct smtp_address){.kind = SMTP_ADDRESS_TCP};
    /* A peer that has gone already has no address any more: that is no fault. */
    int failed = peer ? getpeername(fd, &from.any, &len) : getsockname(fd, &from.any, &len);
    if (failed != 0) {
        memcpy(out->host, "unknown", sizeof "unknown");
        return false;
    }
    if (from.any.sa_family == AF_INET) {
        inet_ntop(AF_INET, &from.v4.sin_addr, out->host, sizeof out->host);
        out->port = ntohs(from.v4.sin_port);
    } else if (from.any.sa_family == AF_INET6) {
        inet_ntop(AF_INET6, &from.v6.sin6_addr, out->host, sizeof out->host);
        out->port = ntohs(from.v6.sin6_port);
    } else {
        from_unix(&from.local, len, out);
    }
    return true;
}

static bool to_unix(const struct smtp_address *address, struct sockaddr_un *out, socklen_t *out_len)
{
    size_t len = strlen(address->host);
    if (len == 0 || len > UNIX_PATH_MAX) {
        return false;
    }
    out->sun_family = AF_UNIX;
    memcpy(out->sun_path, address->host, len + 1);
    *out_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + 1);
    return true;
}

static bool to_v4(const char *host, uint16_t port, struct sockaddr_in *out, socklen_t *out_len)
{
    if (inet_pton(AF_INET, host, &out->sin_addr) != 1) {
        return false;
    }
    out->sin_family = AF_INET;
    out->sin_port = htons(port);
    *out_len = sizeof *out;
    return true;
}

static bool to_v6(const char *host, uint16_t port, struct sockaddr_in6 *out, socklen_t *out_len)
{
    if (inet_pton(AF_INET6, host, &out->sin6_addr) != 1) {
        return false;
    }
    out->sin6_family = AF_INET6;
    out->sin6_port = htons(port);
    *out_len = sizeof *out;
    return true;
}

enum smtp_status smtp_address_to_sockaddr(const struct smtp_address *address,
                                          struct sockaddr_storage *out, socklen_t *out_len,
                                          struct smtp_error *error)
{
    *out = (struct sockaddr_storage){0};
    if (address->kind == SMTP_ADDRESS_UNIX) {
        return to_unix(address, (struct sockaddr_un *)out, out_len)
                   ? SMTP_OK
                   : smtp_error_set(error, SMTP_BAD_ARGUMENT, 0,
                                    "the path of a Unix socket must have 1 to %zu octets",
                                    UNIX_PATH_MAX);
    }
    const char *host = address->host;
    if (smtp_span_equal_nocase(smtp_span_of(host), SMTP_SPAN("localhost"))) {
        host = "127.0.0.1";
    }
    if (to_v4(host, address->port, (struct sockaddr_in *)out, out_len) ||
        to_v6(host, address->port, (struct sockaddr_in6 *)out, out_len)) {
        return SMTP_OK;
    }
    return smtp_error_set(error, SMTP_BAD_ARGUMENT, 0,
                          "\"%s\" must be a numeric address or \"localhost\": no name is looked up",
                          address->host);
}
