/* sasl_oauth.c - see sasl_oauth.h.
 * Knows: the GS2 header (RFC 5801 4), key=value pairs that 0x01 ends, bearer tokens. Does not know:
 * whether a token is good. */
#include "server/sasl_oauth.h"

#include "common/bytes.h"

#include <string.h>
#include <strings.h>

#define SEPARATOR '\x01'

/* Cuts the text at its first `end` and moves on behind it. NULL: there is none. */
static char *cut(char **at, char end)
{
    char *text = *at, *found = strchr(text, end);
    if (found == NULL) {
        return NULL;
    }
    *found = '\0';
    *at = found + 1;
    return text;
}

/* "Bearer" SP token; the scheme in any case (RFC 7235 2.1). NULL: another form. */
static const char *bearer_token(const char *value)
{
    static const char scheme[] = "Bearer ";
    if (strncasecmp(value, scheme, sizeof scheme - 1) != 0) {
        return NULL;
    }
    const char *token = value + sizeof scheme - 1;
    token += strspn(token, " ");
    size_t len = 0;
    for (const char *at = token; smtp_is_letter_or_digit((unsigned char)*at) ||
                                 (*at != '\0' && strchr("-._~+/", *at) != NULL);
         at++) {
        len++;
    }
    return len > 0 && token[len + strspn(token + len, "=")] == '\0' ? token : NULL;
}

bool smtp_server_xoauth2_parse(char *message, size_t len, struct smtp_server_oauth *out)
{
    char *at = message;
    if (strlen(message) != len) {
        return false;
    }
    const char *user = cut(&at, SEPARATOR);
    const char *auth = user != NULL ? cut(&at, SEPARATOR) : NULL;
    if (auth == NULL || at[0] != SEPARATOR || at[1] != '\0' || strncmp(user, "user=", 5) != 0 ||
        user[5] == '\0' || strncmp(auth, "auth=", 5) != 0) {
        return false;
    }
    *out = (struct smtp_server_oauth){.identity = user + 5, .token = bearer_token(auth + 5)};
    return out->token != NULL;
}

/* A saslname: "=2C" is a comma and "=3D" an equals sign, and there is no other '=' (RFC 5801 4). */
static bool decode_name(char *name)
{
    char *to = name;
    for (const char *from = name; *from != '\0'; from++) {
        if (*from != '=') {
            *to++ = *from;
            continue;
        }
        bool comma = strncmp(from, "=2C", 3) == 0;
        if (!comma && strncmp(from, "=3D", 3) != 0) {
            return false;
        }
        *to++ = comma ? ',' : '=';
        from += 2;
    }
    *to = '\0';
    return to > name;
}

/* "n," or "y,", since there is no channel binding, then perhaps "a=" and whom to act as, ",". */
static bool parse_header(char **at, struct smtp_server_oauth *out)
{
    const char *flag = cut(at, ',');
    if (flag == NULL || (strcmp(flag, "n") != 0 && strcmp(flag, "y") != 0)) {
        return false;
    }
    char *name = cut(at, ',');
    if (name == NULL || **at != SEPARATOR) {
        return false;
    }
    ++*at;
    out->identity = "";
    if (*name == '\0') {
        return true;
    }
    out->identity = name + 2;
    return strncmp(name, "a=", 2) == 0 && decode_name(name + 2);
}

static bool is_value(const char *value)
{
    for (; *value != '\0'; value++) {
        unsigned char c = (unsigned char)*value;
        if (c >= 127 || (c < ' ' && strchr("\t\r\n", c) == NULL)) {
            return false;
        }
    }
    return true;
}

bool smtp_server_oauthbearer_parse(char *message, size_t len, struct smtp_server_oauth *out)
{
    char *at = message;
    *out = (struct smtp_server_oauth){0};
    if (strlen(message) != len || !parse_header(&at, out)) {
        return false;
    }
    while (*at != SEPARATOR) {
        const char *pair = cut(&at, SEPARATOR);
        size_t key = 0;
        while (pair != NULL && smtp_is_letter((unsigned char)pair[key])) {
            key++;
        }
        if (key == 0 || pair[key] != '=' || !is_value(pair + key + 1)) {
            return false;
        }
        if (key != 4 || strncmp(pair, "auth", 4) != 0) {
            continue; /* host, port, and what nobody knows (RFC 7628 3.1) */
        }
        if (out->token != NULL || (out->token = bearer_token(pair + key + 1)) == NULL) {
            return false;
        }
    }
    return at[1] == '\0' && out->token != NULL;
}
