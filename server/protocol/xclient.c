/* xclient.c - XCLIENT, by which a trusted peer says for whom it speaks: an extension of Postfix, as its
 * XCLIENT_README describes it.
 * Knows: the attributes, their values, and what they change. Does not know: who is trusted (the driver
 * does). What EHLO will say again, or nobody asks for, is looked at and forgotten: NAME, PROTO, HELO,
 * DESTADDR, DESTPORT. */
#include "common/utf8.h"
#include "server/protocol/path.h"
#include "server/protocol/state.h"
#include "server/protocol/xtext.h"

#include <stdio.h>
#include <stdlib.h>

#define VALUE_MAX 255  /* decoded: a name or an identity */
#define ADDRESS_MAX 47 /* an IPv6 address in brackets */
#define PORT_MAX 65535

/* What a command says. */
struct claims {
    unsigned given; /* bits: rows of the table */
    char address[ADDRESS_MAX + 1];
    unsigned port; /* 0: not available */
    char identity[VALUE_MAX + 1];
};

/* ---- values: each takes one decoded, NULL where it is not available ---- */

static bool is_name(struct claims *claims, const char *value)
{
    (void)claims;
    return value == NULL || smtp_is_domain_or_literal(smtp_span_of(value), VALUE_MAX);
}

static bool is_hello(struct claims *claims, const char *value)
{
    (void)claims;
    (void)value; /* whatever it is: EHLO is due again */
    return true;
}

static bool is_protocol(struct claims *claims, const char *value)
{
    (void)claims;
    return value != NULL && (smtp_span_equal_nocase(smtp_span_of(value), SMTP_SPAN("SMTP")) ||
                             smtp_span_equal_nocase(smtp_span_of(value), SMTP_SPAN("ESMTP")));
}

/* "192.0.2.1" or "IPV6:2001:db8::1" */
static bool read_address(const char *value, char address[ADDRESS_MAX + 1])
{
    struct smtp_span text = smtp_span_of(value);
    if (smtp_is_ipv4(text)) {
        snprintf(address, ADDRESS_MAX + 1, "%.*s", ADDRESS_MAX, value);
        return true;
    }
    if (smtp_command_take_word(&text, SMTP_SPAN("IPV6:")) && smtp_is_ipv6(text)) {
        snprintf(address, ADDRESS_MAX + 1, "[%.*s]", (int)text.len, text.bytes);
        return true;
    }
    return false;
}

static bool read_port(const char *value, unsigned *port)
{
    uint64_t number = 0;
    bool good =
        value == NULL || (smtp_span_to_u64(smtp_span_of(value), PORT_MAX, &number) && number > 0);
    *port = (unsigned)number;
    return good;
}

static bool take_address(struct claims *claims, const char *value)
{
    return read_address(value != NULL ? value : "", claims->address) || value == NULL;
}

static bool take_port(struct claims *claims, const char *value)
{
    return read_port(value, &claims->port);
}

static bool is_address(struct claims *claims, const char *value)
{
    char unused[ADDRESS_MAX + 1];
    (void)claims;
    return value == NULL || read_address(value, unused);
}

static bool is_port(struct claims *claims, const char *value)
{
    unsigned unused;
    (void)claims;
    return read_port(value, &unused);
}

static bool take_login(struct claims *claims, const char *value)
{
    snprintf(claims->identity, sizeof claims->identity, "%s", value != NULL ? value : "");
    return value == NULL || smtp_is_utf8(smtp_span_of(value));
}

enum { NAME, ADDR, PORT, PROTO, HELO, LOGIN, DESTADDR, DESTPORT, ATTRIBUTE_COUNT };

static const struct attribute {
    struct smtp_span name;
    bool (*take)(struct claims *claims, const char *value);
} attributes[ATTRIBUTE_COUNT] = {
    [NAME] = {{"NAME", 4}, is_name},
    [ADDR] = {{"ADDR", 4}, take_address},
    [PORT] = {{"PORT", 4}, take_port},
    [PROTO] = {{"PROTO", 5}, is_protocol},
    [HELO] = {{"HELO", 4}, is_hello},
    [LOGIN] = {{"LOGIN", 5}, take_login},
    [DESTADDR] = {{"DESTADDR", 8}, is_address},
    [DESTPORT] = {{"DESTPORT", 8}, is_port},
};

/* ---- the command ---- */

const char smtp_server_xclient_offer[] =
    "XCLIENT NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT";
const char smtp_server_xclient_syntax[] = "XCLIENT attribute=xtext ...";

bool smtp_server_knows_xclient(const struct smtp_server_session *session)
{
    return session->config->keywords.xclient;
}

static bool take_attribute(struct claims *claims, const struct smtp_parameter *parameter)
{
    char value[VALUE_MAX + 1];
    for (unsigned i = 0; i < ATTRIBUTE_COUNT; i++) {
        if (!smtp_span_equal_nocase(parameter->keyword, attributes[i].name)) {
            continue;
        }
        bool unavailable = smtp_span_equal_nocase(parameter->value, SMTP_SPAN("[UNAVAILABLE]")) ||
                           smtp_span_equal_nocase(parameter->value, SMTP_SPAN("[TEMPUNAVAIL]"));
        if ((claims->given & (1u << i)) != 0 || !parameter->has_value ||
            !smtp_xtext_decode(parameter->value, value, sizeof value)) {
            return false;
        }
        claims->given |= 1u << i;
        return attributes[i].take(claims, unavailable ? NULL : value);
    }
    return false;
}

static bool read_claims(struct smtp_span argument, struct claims *claims)
{
    struct smtp_span rest = {argument.bytes - 1, argument.len + 1}; /* a space stands before it */
    struct smtp_parameter parameter;
    enum smtp_parameter_result result;
    while ((result = smtp_parameter_next(&rest, &parameter)) == SMTP_PARAMETER_TAKEN) {
        if (!take_attribute(claims, &parameter)) {
            return false;
        }
    }
    return result == SMTP_PARAMETER_NONE;
}

/* "192.0.2.1:25": a port without an address is another of the same address. NULL: out of memory. */
static char *peer_of(const struct smtp_server_session *session, const struct claims *claims)
{
    const char *colon = strrchr(session->peer, ':');
    struct smtp_span address = {session->peer, colon != NULL ? (size_t)(colon - session->peer)
                                                             : strlen(session->peer)};
    if ((claims->given & (1u << ADDR)) != 0) {
        address = smtp_span_of(claims->address[0] != '\0' ? claims->address : "unknown");
    } else if ((claims->given & (1u << PORT)) == 0) {
        return strdup(session->peer);
    }
    char *peer = malloc(address.len + sizeof ":65535");
    if (peer != NULL) {
        smtp_bytes_copy(peer, address);
        snprintf(peer + address.len, sizeof ":65535", ":%u", claims->port % (PORT_MAX + 1));
    }
    return peer;
}

/* Whose login an earlier XCLIENT told stays logged in; who logged in himself spoke for himself. False:
 * out of memory. */
static bool change_identity(struct smtp_server_session *session, const struct claims *claims)
{
    bool told = (claims->given & (1u << LOGIN)) != 0;
    if (!told && session->identity_told) {
        return true;
    }
    free(session->identity);
    session->identity = NULL;
    session->identity_told = told && claims->identity[0] != '\0';
    if (session->identity_told) {
        session->identity = strdup(claims->identity);
    }
    return !session->identity_told || session->identity != NULL;
}

/* As after the connection, of which TLS is a part. */
static void start_anew(struct smtp_server_session *session)
{
    free(session->helo);
    session->helo = NULL;
    session->extended = false;
    session->mail_count = 0;
    session->spoken_for = true;
    smtp_domain_set_clear(&session->recipient_domains);
    smtp_server_session_note(session, "XCLIENT: speaks for %s", session->peer);
    smtp_server_session_enter(session, SMTP_SERVER_CONNECTED);
    smtp_server_session_ask(session, &(struct smtp_server_event){.kind = SMTP_SERVER_ASK_CONNECT});
}

void smtp_server_act_xclient(struct smtp_server_session *session, struct smtp_span argument)
{
    struct claims claims = {0};
    if (!session->trusted) {
        smtp_server_session_say(session, 550, "5.7.0", "XCLIENT is of trusted peers alone");
        return;
    }
    if (!read_claims(argument, &claims)) {
        smtp_server_session_refuse_syntax(session, smtp_server_xclient_syntax);
        return;
    }
    char *peer = peer_of(session, &claims);
    if (peer == NULL || !change_identity(session, &claims)) {
        free(peer);
        smtp_server_session_fail(session);
        return;
    }
    free(session->peer);
    session->peer = peer;
    start_anew(session);
}
