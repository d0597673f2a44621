/* url.c - takes the URL of smtp_send_url apart (RFC 3986 3): strictly, since what it guessed wrong would
 * go to the wrong host, or without TLS. Does not know: clients, sockets. */
#include "client/url.h"

#include "client/protocol/idn.h"
#include "common/bytes.h"
#include "common/error.h"
#include "common/secret.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum smtp_status wrong(struct smtp_error *error, const char *what)
{
    return smtp_error_set(error, SMTP_BAD_ARGUMENT, 0, "the URL's %s", what);
}

static bool is(struct smtp_span span, const char *text)
{
    return smtp_span_equal(span, smtp_span_of(text));
}

/* Cuts a span at the first of some octets: what stands before; the rest begins with that octet. */
static struct smtp_span cut_before(struct smtp_span *rest, const char *octets)
{
    size_t len = 0;
    while (len < rest->len && strchr(octets, rest->bytes[len]) == NULL) {
        len++;
    }
    struct smtp_span before = {rest->bytes, len};
    *rest = (struct smtp_span){rest->bytes + len, rest->len - len};
    return before;
}

static struct smtp_span without_first(struct smtp_span span)
{
    return (struct smtp_span){span.bytes + 1, span.len - 1};
}

/* ---- decoding ---- */

static int hex_value(char c)
{
    if (smtp_is_digit((unsigned char)c)) {
        return c - '0';
    }
    int letter = c | 32;
    return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

/* Where it is among what a part allows besides, it stands for all octets above 127 (RFC 3987). */
#define HIGH_OCTETS "\x80"

/* RFC 3986 2: unreserved, sub-delims, ":", and what the part allows besides. */
static bool is_allowed(char c, const char *also)
{
    unsigned char octet = (unsigned char)c;
    if (octet > 127) {
        return strstr(also, HIGH_OCTETS) != NULL;
    }
    return smtp_is_letter_or_digit(octet) || strchr("-._~!$&'()*+,;=:", c) != NULL ||
           strchr(also, c) != NULL;
}

/* The next octet, decoded; -1: none that may stand there. */
static int decode_octet(struct smtp_span *text, const char *also)
{
    char c = text->bytes[0];
    *text = without_first(*text);
    if (c != '%') {
        return is_allowed(c, also) ? (unsigned char)c : -1;
    }
    if (text->len < 2) {
        return -1;
    }
    int high = hex_value(text->bytes[0]), low = hex_value(text->bytes[1]);
    *text = (struct smtp_span){text->bytes + 2, text->len - 2};
    return high >= 0 && low >= 0 ? high * 16 + low : -1;
}

/* part: its name for a message; also: octets it may hold as they are. */
static enum smtp_status decode(char **out, struct smtp_span text, const char *also,
                               const char *part, struct smtp_error *error)
{
    size_t size = text.len + 1, len = 0;
    char *decoded = calloc(1, size);
    if (decoded == NULL) {
        return smtp_error_set(error, SMTP_NO_MEMORY, 0, "out of memory for a URL");
    }
    while (text.len > 0) {
        int octet = decode_octet(&text, also);
        bool control = octet >= 0 && smtp_is_control((unsigned char)octet);
        if (octet < 0 || control) {
            smtp_secret_wipe(decoded, size);
            free(decoded);
            return control ? smtp_error_set(error, SMTP_UNSAFE_ARGUMENT, 0,
                                            "the URL's %s holds a control octet", part)
                           : smtp_error_set(error, SMTP_BAD_ARGUMENT, 0,
                                            "the URL's %s holds an octet that must be "
                                            "percent-encoded, or a '%%' without two hexadecimal "
                                            "digits",
                                            part);
        }
        decoded[len++] = (char)octet;
    }
    *out = decoded;
    return SMTP_OK;
}

/* ---- the authority: user:password@host:port ---- */

static enum smtp_status take_user(struct smtp_client_url *url, struct smtp_span info,
                                  struct smtp_error *error)
{
    struct smtp_span name = cut_before(&info, ":");
    if (name.len == 0) {
        return wrong(error, "user is empty: user:password@ is expected, or no '@' at all");
    }
    enum smtp_status status = decode(&url->user, name, "", "user", error);
    if (status == SMTP_OK && info.len > 0) {
        status = decode(&url->password, without_first(info), "", "password", error);
    }
    return status;
}

/* A domain name or an IPv4 address. Nothing that smtp_client_connect would take for a port or a path. */
static bool is_host_name(const char *host)
{
    for (const char *at = host; *at != '\0'; at++) {
        unsigned char octet = (unsigned char)*at;
        if (!smtp_is_letter_or_digit(octet) && strchr("-._", *at) == NULL) {
            return false;
        }
    }
    return *host != '\0';
}

/* An internationalised name in its place as A-labels. */
static enum smtp_status make_ascii(char **host)
{
    char ascii[256]; /* RFC 1035 2.3.4 */
    enum smtp_status status = smtp_client_idn_copy(ascii, sizeof(ascii), *host, NULL);
    if (status == SMTP_OK) {
        char *kept = strdup(ascii);
        free(*host);
        *host = kept;
        status = kept != NULL ? SMTP_OK : SMTP_NO_MEMORY;
    }
    return status;
}

static bool is_ipv6_literal(struct smtp_span host)
{
    for (size_t i = 1; i + 1 < host.len; i++) {
        if (hex_value(host.bytes[i]) < 0 && host.bytes[i] != ':' && host.bytes[i] != '.') {
            return false;
        }
    }
    return host.len > 3 && host.bytes[host.len - 1] == ']' &&
           memchr(host.bytes, ':', host.len) != NULL;
}

static enum smtp_status take_host(struct smtp_client_url *url, struct smtp_span *rest,
                                  struct smtp_error *error)
{
    bool literal = rest->len > 0 && rest->bytes[0] == '[';
    struct smtp_span host = cut_before(rest, literal ? "]" : ":");
    if (literal && rest->len > 0) {
        host.len++;
        *rest = without_first(*rest);
    }
    enum smtp_status status = decode(&url->host, host, literal ? "[]" : HIGH_OCTETS, "host", error);
    if (status != SMTP_OK) {
        return status;
    }
    status = literal ? SMTP_OK : make_ascii(&url->host);
    if (status == SMTP_NO_MEMORY) {
        return smtp_error_set(error, SMTP_NO_MEMORY, 0, "out of memory for a URL");
    }
    if (status != SMTP_OK || !(literal ? is_ipv6_literal(host) : is_host_name(url->host))) {
        return wrong(error, "host is none: a name, an address or an [IPv6 address] is expected");
    }
    return SMTP_OK;
}

static enum smtp_status take_port(struct smtp_client_url *url, struct smtp_span rest,
                                  struct smtp_error *error)
{
    uint64_t port = 0;
    bool said = rest.len > 0;
    if (said && (rest.bytes[0] != ':' || !smtp_span_to_u64(without_first(rest), 65535, &port) ||
                 port == 0)) {
        return wrong(error, "port is none: a number from 1 to 65535 is expected");
    }
    if (said) {
        url->port = (uint16_t)port;
    } else if (url->implicit_tls) {
        url->port = SMTP_SUBMISSIONS_PORT;
    } else if (url->lmtp) {
        url->port = SMTP_LMTP_PORT;
    } else {
        url->port = url->user != NULL ? SMTP_SUBMISSION_PORT : SMTP_PORT;
    }
    return SMTP_OK;
}

/* "unix:" and the path behind the authority, up to the query. */
static enum smtp_status take_socket(struct smtp_client_url *url, struct smtp_span *rest,
                                    struct smtp_error *error)
{
    struct smtp_span path = cut_before(rest, "?#");
    char *decoded = NULL;
    enum smtp_status status = decode(&decoded, path, "/@", "path of a Unix socket", error);
    if (status != SMTP_OK) {
        return status;
    }
    if (asprintf(&url->host, "unix:%s", decoded) < 0) {
        url->host = NULL;
        status = smtp_error_set(error, SMTP_NO_MEMORY, 0, "out of memory for a URL");
    }
    free(decoded);
    return status;
}

/* path: what stands behind the authority. */
static enum smtp_status take_authority(struct smtp_client_url *url, struct smtp_span authority,
                                       struct smtp_span *path, struct smtp_error *error)
{
    enum smtp_status status = SMTP_OK;
    struct smtp_span rest = authority, info = cut_before(&rest, "@");
    if (rest.len == 0) {
        rest = authority;
    } else {
        rest = without_first(rest);
        if (memchr(rest.bytes, '@', rest.len) != NULL) {
            return wrong(error, "user or password holds an '@', which must be written %40");
        }
        status = take_user(url, info, error);
    }
    if (status == SMTP_OK && is(rest, "unix:") && path->len > 1 && path->bytes[0] == '/') {
        return take_socket(url, path, error);
    }
    if (status == SMTP_OK) {
        status = take_host(url, &rest, error);
    }
    return status == SMTP_OK ? take_port(url, rest, error) : status;
}

/* ---- the query: tls=required&ca=FILE ---- */

static enum smtp_status take_policy(struct smtp_client_url *url, struct smtp_span value,
                                    struct smtp_error *error)
{
    static const struct {
        const char *word;
        enum smtp_client_tls_policy policy;
    } words[] = {{"never", SMTP_CLIENT_TLS_NEVER},
                 {"offered", SMTP_CLIENT_TLS_WHEN_OFFERED},
                 {"required", SMTP_CLIENT_TLS_REQUIRED}};
    if (url->implicit_tls) {
        return wrong(error, "\"tls\" has no place with smtps:, which is TLS from the first octet");
    }
    if (url->policy_said) {
        return wrong(error, "\"tls\" stands there twice");
    }
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (is(value, words[i].word)) {
            url->policy = words[i].policy;
            url->policy_said = true;
            return SMTP_OK;
        }
    }
    return wrong(error, "\"tls\" is none of never, offered and required");
}

/* "no" is all it can be: what is not said is as the options have it. */
static enum smtp_status take_no(bool *out, struct smtp_span value, const char *key,
                                struct smtp_error *error)
{
    if (*out || !is(value, "no")) {
        return smtp_error_set(error, SMTP_BAD_ARGUMENT, 0,
                              "the URL's \"%s\" is not \"no\", or stands there twice", key);
    }
    *out = true;
    return SMTP_OK;
}

static enum smtp_status take_insecure(struct smtp_client_url *url, struct smtp_span value,
                                      struct smtp_error *error)
{
    if (url->insecure || !is(value, "1")) {
        return wrong(error, "\"insecure\" is not 1, or stands there twice");
    }
    url->insecure = true;
    return SMTP_OK;
}

static enum smtp_status take_text(char **out, struct smtp_span value, const char *key,
                                  struct smtp_error *error)
{
    char part[24];
    snprintf(part, sizeof(part), "\"%s\"", key);
    if (*out != NULL || value.len == 0) {
        return smtp_error_set(error, SMTP_BAD_ARGUMENT, 0,
                              "the URL's %s is empty, or stands there twice", part);
    }
    return decode(out, value, "/?@", part, error);
}

static enum smtp_status take_parameter(struct smtp_client_url *url, struct smtp_span parameter,
                                       struct smtp_error *error)
{
    struct smtp_span value = parameter, key = cut_before(&value, "=");
    const struct {
        const char *key;
        char **out;
    } texts[] = {{"ca", &url->ca_file},
                 {"name", &url->verify_name},
                 {"auth", &url->mechanism},
                 {"helo", &url->helo_name}};
    if (value.len == 0) {
        return wrong(error, "query holds a part that is not KEY=VALUE");
    }
    value = without_first(value);
    if (is(key, "tls")) {
        return take_policy(url, value, error);
    }
    if (is(key, "insecure")) {
        return take_insecure(url, value, error);
    }
    if (is(key, "chunking")) {
        return take_no(&url->no_chunking, value, "chunking", error);
    }
    if (is(key, "pipelining")) {
        return take_no(&url->no_pipelining, value, "pipelining", error);
    }
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (is(key, texts[i].key)) {
            return take_text(texts[i].out, value, texts[i].key, error);
        }
    }
    return wrong(error, "query holds a key that is none of tls, ca, name, insecure, auth, helo, "
                        "chunking and pipelining");
}

static enum smtp_status take_query(struct smtp_client_url *url, struct smtp_span query,
                                   struct smtp_error *error)
{
    enum smtp_status status = SMTP_OK;
    while (query.len > 0 && status == SMTP_OK) {
        query = without_first(query); /* the '?', or the '&' */
        status = take_parameter(url, cut_before(&query, "&"), error);
    }
    return status;
}

/* ---- all of it ---- */

/* "unix:PATH" alone, as a server tells its address: rest is all that it says of the host. */
static bool is_bare_socket(struct smtp_span text)
{
    struct smtp_span scheme = cut_before(&text, ":");
    return smtp_span_equal_nocase(scheme, SMTP_SPAN("unix")) && text.len > 1 &&
           text.bytes[1] != '?' && text.bytes[1] != '#';
}

static bool take_scheme(struct smtp_client_url *url, struct smtp_span *rest)
{
    struct smtp_span scheme = cut_before(rest, ":");
    url->implicit_tls = smtp_span_equal_nocase(scheme, SMTP_SPAN("smtps"));
    url->lmtp = smtp_span_equal_nocase(scheme, SMTP_SPAN("lmtp"));
    bool known =
        url->implicit_tls || url->lmtp || smtp_span_equal_nocase(scheme, SMTP_SPAN("smtp"));
    if (!known || rest->len < 3 || memcmp(rest->bytes, "://", 3) != 0) {
        return false;
    }
    *rest = (struct smtp_span){rest->bytes + 3, rest->len - 3};
    return true;
}

/* The host, as smtp_client_connect is told that LMTP is spoken there. */
static enum smtp_status mark_lmtp(struct smtp_client_url *url, struct smtp_error *error)
{
    char *marked = NULL;
    if (asprintf(&marked, "lmtp://%s", url->host) < 0) {
        return smtp_error_set(error, SMTP_NO_MEMORY, 0, "out of memory for a URL");
    }
    free(url->host);
    url->host = marked;
    return SMTP_OK;
}

static enum smtp_status take_all(struct smtp_client_url *url, struct smtp_span rest,
                                 struct smtp_error *error)
{
    enum smtp_status status;
    if (is_bare_socket(rest)) {
        rest = (struct smtp_span){rest.bytes + strlen("unix:"), rest.len - strlen("unix:")};
        status = take_socket(url, &rest, error);
    } else if (take_scheme(url, &rest)) {
        struct smtp_span authority = cut_before(&rest, "/?#");
        status = take_authority(url, authority, &rest, error);
    } else {
        return wrong(error, "scheme is none of smtp://, smtps://, lmtp:// and unix:");
    }
    if (status == SMTP_OK && url->lmtp) {
        status = mark_lmtp(url, error);
    }
    if (status != SMTP_OK) {
        return status;
    }
    if (rest.len > 0 && rest.bytes[0] == '/') {
        rest = without_first(rest);
    }
    if (rest.len > 0 && rest.bytes[0] != '?') {
        return wrong(error, "path or fragment is not empty; in a user or password '/' is written "
                            "%2F, '?' %3F and '#' %23");
    }
    if (!url->implicit_tls) {
        url->policy = url->user != NULL ? SMTP_CLIENT_TLS_REQUIRED : SMTP_CLIENT_TLS_WHEN_OFFERED;
    } else {
        url->policy = SMTP_CLIENT_TLS_IMPLICIT;
    }
    return take_query(url, rest, error);
}

enum smtp_status smtp_client_url_parse(struct smtp_client_url *out, const char *text,
                                       struct smtp_error *error)
{
    *out = (struct smtp_client_url){0};
    if (text == NULL) {
        return smtp_error_set(error, SMTP_BAD_ARGUMENT, 0, "the URL is NULL");
    }
    enum smtp_status status = take_all(out, smtp_span_of(text), error);
    if (status != SMTP_OK) {
        smtp_client_url_clear(out);
    }
    return status;
}

void smtp_client_url_clear(struct smtp_client_url *url)
{
    smtp_secret_free(url->user);
    smtp_secret_free(url->password);
    free(url->host);
    free(url->ca_file);
    free(url->verify_name);
    free(url->mechanism);
    free(url->helo_name);
    *url = (struct smtp_client_url){0};
}
