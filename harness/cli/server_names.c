/* server_names.c - see server_names.h. Knows every member of the server's keywords and limits; the server
 * itself knows which values they take. */
#include "harness/cli/server_names.h"

#include "common/bytes.h"
#include "harness/nearest.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define KNOWN_MAX 400 /* all the names in a row */

struct keyword {
    const char *name; /* as in the EHLO reply */
    size_t at;        /* its member */
};
#define KEYWORD(name, member)                                                                      \
    {                                                                                              \
        name, offsetof(struct smtp_server_keywords, member)                                        \
    }
static const struct keyword keywords[] = {
    KEYWORD("PIPELINING", pipelining),
    KEYWORD("SIZE", size),
    KEYWORD("8BITMIME", eight_bit_mime),
    KEYWORD("SMTPUTF8", smtputf8),
    KEYWORD("CHUNKING", chunking),
    KEYWORD("BINARYMIME", binary_mime),
    KEYWORD("DSN", dsn),
    KEYWORD("ENHANCEDSTATUSCODES", enhanced_status_codes),
    KEYWORD("REQUIRETLS", require_tls),
    KEYWORD("LIMITS", limits),
    KEYWORD("VRFY", vrfy),
    KEYWORD("EXPN", expn),
    KEYWORD("HELP", help),
    KEYWORD("FUTURERELEASE", future_release),
    KEYWORD("DELIVERBY", deliver_by),
    KEYWORD("MT-PRIORITY", mt_priority),
    KEYWORD("XCLIENT", xclient),
};
static const size_t keyword_count = sizeof keywords / sizeof *keywords;

struct limit {
    const char *name; /* its member's, with '-' */
    size_t at;
    size_t size; /* of the member: some are size_t, some uint64_t */
};
#define LIMIT(name, member)                                                                        \
    {                                                                                              \
        name, offsetof(struct smtp_server_limits, member),                                         \
            sizeof((struct smtp_server_limits *)0)->member                                         \
    }
static const struct limit limits[] = {
    LIMIT("local-part-octets", local_part_octets),
    LIMIT("domain-octets", domain_octets),
    LIMIT("path-octets", path_octets),
    LIMIT("command-line-octets", command_line_octets),
    LIMIT("text-line-octets", text_line_octets),
    LIMIT("recipients", recipients),
    LIMIT("message-octets", message_octets),
    LIMIT("errors", errors),
    LIMIT("commands", commands),
    LIMIT("each-command", each_command),
    LIMIT("messages", messages),
    LIMIT("sessions", sessions),
    LIMIT("auth-line-octets", auth_line_octets),
    LIMIT("recipient-domains", recipient_domains),
    LIMIT("hold-s", hold_s),
    LIMIT("deliver-by-s", deliver_by_s),
    LIMIT("handshake-timeout-ms", handshake_timeout_ms),
    LIMIT("command-timeout-ms", command_timeout_ms),
    LIMIT("content-timeout-ms", content_timeout_ms),
    LIMIT("session-timeout-ms", session_timeout_ms),
};
static const size_t limit_count = sizeof limits / sizeof *limits;

/** Adds a name to those before it. */
static void add_name(char known[KNOWN_MAX], const char *name)
{
    size_t len = strlen(known);
    snprintf(known + len, KNOWN_MAX - len, "%s%s", len > 0 ? ", " : "", name);
}

static bool *find_keyword(struct smtp_server_keywords *all, const char *name)
{
    for (size_t i = 0; i < keyword_count; i++) {
        if (smtp_span_equal_nocase(smtp_span_of(keywords[i].name), smtp_span_of(name))) {
            return (bool *)(void *)((char *)all + keywords[i].at);
        }
    }
    return NULL;
}

/** What is longer than any name is cut off. */
static const char *in_capitals(const char *word, char capitals[64])
{
    snprintf(capitals, 64, "%s", word);
    for (char *at = capitals; *at != '\0'; at++) {
        *at = (char)toupper((unsigned char)*at);
    }
    return capitals;
}

bool smtp_cli_set_keywords(const char *program, const char *option,
                           const struct smtp_cli_texts *list, bool on,
                           struct smtp_server_keywords *out)
{
    for (size_t i = 0; i < list->count; i++) {
        bool *keyword = find_keyword(out, list->items[i]);
        if (keyword == NULL) {
            char known[KNOWN_MAX] = "";
            char typed[64];
            struct smtp_nearest nearest = {.typed = in_capitals(list->items[i], typed)};
            for (size_t k = 0; k < keyword_count; k++) {
                add_name(known, keywords[k].name);
                smtp_nearest_offer(&nearest, keywords[k].name);
            }
            smtp_cli_wrong(program, "--%s does not know '%s'; it knows %s" SMTP_NEAREST_FORMAT,
                           option, list->items[i], known, SMTP_NEAREST_ARGUMENTS(nearest));
            return false;
        }
        *keyword = on;
    }
    return true;
}

/** The limit that "NAME=N" begins with, and N behind the '='. NULL: none. */
static const struct limit *find_limit(const char *setting, const char **number)
{
    struct smtp_span name = {setting, strcspn(setting, "=")};
    for (size_t i = 0; i < limit_count && setting[name.len] == '='; i++) {
        if (smtp_span_equal(smtp_span_of(limits[i].name), name)) {
            *number = setting + name.len + 1;
            return &limits[i];
        }
    }
    return NULL;
}

static bool set_limit(const char *program, const char *setting, struct smtp_server_limits *out)
{
    const char *number;
    uint64_t value;
    const struct limit *limit = find_limit(setting, &number);
    if (limit == NULL) {
        char known[KNOWN_MAX] = "", name[64];
        snprintf(name, sizeof name, "%.*s", (int)strcspn(setting, "="), setting);
        struct smtp_nearest nearest = {.typed = name};
        for (size_t i = 0; i < limit_count; i++) {
            add_name(known, limits[i].name);
            smtp_nearest_offer(&nearest, limits[i].name);
        }
        smtp_cli_wrong(program,
                       "--limit takes NAME=N, not '%s'; NAME is one of %s" SMTP_NEAREST_FORMAT,
                       setting, known, SMTP_NEAREST_ARGUMENTS(nearest));
        return false;
    }
    if (!smtp_span_to_u64(smtp_span_of(number), INT64_MAX, &value)) {
        smtp_cli_wrong(program, "--limit %s= takes a number, not '%s'", limit->name, number);
        return false;
    }
    size_t narrow = (size_t)value;
    const void *from = limit->size == sizeof value ? (const void *)&value : &narrow;
    memcpy((char *)out + limit->at, from, limit->size);
    return true;
}

bool smtp_cli_set_limits(const char *program, const struct smtp_cli_texts *settings,
                         struct smtp_server_limits *out)
{
    for (size_t i = 0; i < settings->count; i++) {
        if (!set_limit(program, settings->items[i], out)) {
            return false;
        }
    }
    return true;
}
