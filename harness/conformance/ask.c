/* ask.c - see ask.h. */
#include "harness/conformance/ask.h"

#include "common/net.h"
#include "common/secret.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_PORT 25
#define EHLO_NAME "check.example"

/* ---- sessions ---- */

enum smtp_status smtp_ask_reach(const struct smtp_check_options *options, uint64_t deadline_ns,
                                struct smtp_address *address, int *fd, struct smtp_error *error)
{
    enum smtp_status status = smtp_address_parse(options->address, DEFAULT_PORT, address, error);
    return status == SMTP_OK ? smtp_net_connect(address, NULL, deadline_ns, fd, error) : status;
}

struct smtp_talk *smtp_ask_connect_clear(struct smtp_check *check)
{
    struct smtp_address address;
    struct smtp_error error;
    int fd = -1;
    if (check->is_decided) {
        return check->nowhere;
    }
    if (smtp_ask_reach(check->options, check->deadline_ns, &address, &fd, &error) != SMTP_OK) {
        smtp_check_fail(check, "no connection: %s", error.message);
        return check->nowhere;
    }
    check->tls_name = smtp_check_text(check, "%s", address.host);
    return smtp_talk_new(check, fd, true);
}

struct smtp_talk *smtp_ask_connect(struct smtp_check *check)
{
    struct smtp_talk *talk = smtp_ask_connect_clear(check);
    if (check->options->implicit_tls) {
        smtp_talk_begin_tls(talk);
    }
    return talk;
}

/** The first word of the greeting, where it can stand behind an '@'. */
static const char *domain_of(struct smtp_talk *talk)
{
    struct smtp_span text = smtp_talk_text(talk, 0);
    size_t len = 0;
    while (len < text.len && strchr(" \t<>@\"\\", text.bytes[len]) == NULL &&
           !smtp_is_control((unsigned char)text.bytes[len])) {
        len++;
    }
    return len > 0 ? smtp_check_text(talk->check, "%.*s", (int)len, text.bytes) : "localhost";
}

static void learn_names(struct smtp_talk *talk)
{
    struct smtp_check *check = talk->check;
    const struct smtp_check_options *options = check->options;
    if (check->domain[0] != '\0' || check->is_decided) {
        return;
    }
    check->domain = domain_of(talk);
    if (options->recipient_count == 0) {
        check->recipient = smtp_check_text(check, "postmaster@%s", check->domain);
    }
    if (options->bad_recipient == NULL) {
        check->bad_recipient = smtp_check_text(check, "%s@%s", check->token, check->domain);
    }
}

struct smtp_talk *smtp_ask_greeted(struct smtp_check *check)
{
    struct smtp_talk *talk = smtp_ask_connect(check);
    smtp_talk_expect_step(talk, "220 ~521 ~554");
    if (smtp_talk_is(talk, "521 554")) { /* RFC 5321 3.1, 7504 */
        smtp_check_skip(check, "it takes no mail: %s", smtp_check_show(check, talk->reply.octets));
    }
    learn_names(talk);
    return talk;
}

const char *smtp_ask_ehlo_line(const struct smtp_check *check)
{
    return check->options->lmtp ? "LHLO " EHLO_NAME : "EHLO " EHLO_NAME;
}

void smtp_ask_keep_keywords(struct smtp_talk *talk)
{
    smtp_buffer_clear(&talk->keywords, SIZE_MAX);
    for (size_t i = 1; i < talk->reply.line_count; i++) {
        struct smtp_span line = smtp_talk_text(talk, i);
        if (smtp_buffer_append(&talk->keywords, line.bytes, line.len) != SMTP_OK ||
            smtp_buffer_append(&talk->keywords, "\n", 1) != SMTP_OK) {
            smtp_check_skip(talk->check, "out of memory");
        }
    }
}

void smtp_ask_ehlo(struct smtp_talk *talk)
{
    smtp_talk_ask(talk, "250", "%s", smtp_ask_ehlo_line(talk->check));
    smtp_ask_keep_keywords(talk);
}

void smtp_ask_starttls(struct smtp_talk *talk)
{
    if (smtp_ask_needs(talk, "STARTTLS")) {
        smtp_talk_ask(talk, "220", "STARTTLS");
        smtp_talk_begin_tls(talk);
    }
}

void smtp_ask_begin_tls_if_told(struct smtp_talk *talk)
{
    if (talk->check->options->starttls && !talk->check->options->implicit_tls) {
        smtp_ask_ehlo(talk);
        smtp_ask_starttls(talk);
    }
}

struct smtp_talk *smtp_ask_fresh(struct smtp_check *check)
{
    struct smtp_talk *talk = smtp_ask_greeted(check);
    smtp_ask_begin_tls_if_told(talk);
    return talk;
}

struct smtp_talk *smtp_ask_open(struct smtp_check *check)
{
    struct smtp_talk *talk = smtp_ask_fresh(check);
    smtp_ask_ehlo(talk);
    return talk;
}

struct smtp_talk *smtp_ask_hello(struct smtp_check *check)
{
    struct smtp_talk *talk = smtp_ask_open(check);
    smtp_ask_log_in_if_told(talk);
    return talk;
}

struct smtp_talk *smtp_ask_hello_clear(struct smtp_check *check)
{
    if (check->options->implicit_tls) {
        smtp_check_skip(check, "TLS is spoken from the first octet");
    }
    struct smtp_talk *talk = smtp_ask_greeted(check);
    smtp_ask_ehlo(talk);
    return talk;
}

struct smtp_talk *smtp_ask_secured(struct smtp_check *check)
{
    struct smtp_talk *talk = smtp_ask_for_login(check);
    if (talk->wire.tls == NULL) {
        smtp_ask_needs(talk, "STARTTLS");
    }
    smtp_ask_log_in_if_told(talk);
    return talk;
}

/* ---- a login ---- */

const char *smtp_ask_base64(struct smtp_check *check, struct smtp_span octets)
{
    struct smtp_buffer text = SMTP_BUFFER(SIZE_MAX / 2);
    if (smtp_base64_append(&text, octets) != SMTP_OK ||
        smtp_buffer_append(&text, "", 1) != SMTP_OK) {
        smtp_buffer_free(&text);
        text.bytes = NULL;
    }
    const char *kept = smtp_check_own(check, text.bytes, free);
    return kept != NULL ? kept : "";
}

const char *smtp_ask_plain(struct smtp_check *check, const char *user, const char *password)
{
    char *message = NULL;
    int len = asprintf(&message, "%c%s%c%s", 0, user, 0, password);
    if (smtp_check_own(check, len < 0 ? NULL : message, free) == NULL) {
        return "";
    }
    return smtp_ask_base64(check, (struct smtp_span){message, (size_t)len});
}

static bool lists(struct smtp_span words, const char *word)
{
    size_t len = strlen(word);
    for (size_t at = 0; at + len <= words.len; at++) {
        bool begins = at == 0 || words.bytes[at - 1] == ' ';
        bool ends = at + len == words.len || words.bytes[at + len] == ' ';
        if (begins && ends &&
            smtp_span_equal_nocase((struct smtp_span){words.bytes + at, len}, smtp_span_of(word))) {
            return true;
        }
    }
    return false;
}

bool smtp_ask_offers_mechanism(const struct smtp_talk *talk, const char *mechanism)
{
    struct smtp_span mechanisms;
    return smtp_ask_parameters(talk, "AUTH", &mechanisms) && lists(mechanisms, mechanism);
}

/** Whether the login could be tried: its last reply is there. */
static bool try_to_log_in(struct smtp_talk *talk)
{
    struct smtp_check *check = talk->check;
    const char *user = check->options->user, *password = check->options->password;
    if (smtp_ask_offers_mechanism(talk, "PLAIN")) {
        smtp_talk_secret_line(talk, "AUTH PLAIN ", smtp_ask_plain(check, user, password));
        smtp_talk_read(talk);
        return true;
    }
    if (!smtp_ask_offers_mechanism(talk, "LOGIN")) {
        return false;
    }
    if (smtp_talk_try(talk, "AUTH LOGIN") == 334 &&
        smtp_talk_try(talk, "%s", smtp_ask_base64(check, smtp_span_of(user))) == 334) {
        smtp_talk_secret_line(talk, "", smtp_ask_base64(check, smtp_span_of(password)));
        smtp_talk_read(talk);
    }
    return true;
}

void smtp_ask_log_in(struct smtp_talk *talk)
{
    struct smtp_check *check = talk->check;
    if (!smtp_check_goes_on(check)) {
        return;
    }
    if (!try_to_log_in(talk)) {
        smtp_check_skip(check, "neither AUTH PLAIN nor LOGIN is offered");
    }
    smtp_check_that(check, smtp_talk_is(talk, "235"), "expected 235 to the login, came %s",
                    smtp_check_show(check, talk->reply.octets));
}

void smtp_ask_log_in_if_told(struct smtp_talk *talk)
{
    struct smtp_check *check = talk->check;
    bool is_told = check->options->user != NULL && check->options->password != NULL;
    if (smtp_check_goes_on(check) && is_told && try_to_log_in(talk) &&
        !smtp_talk_is(talk, "235 504 530 534 538")) {
        smtp_check_skip(check, "the login is refused: %s",
                        smtp_check_show(check, talk->reply.octets));
    }
}

struct smtp_talk *smtp_ask_for_login(struct smtp_check *check)
{
    struct smtp_talk *talk = smtp_ask_open(check);
    if (smtp_check_goes_on(check) && talk->wire.tls == NULL && smtp_ask_offers(talk, "STARTTLS")) {
        smtp_ask_starttls(talk);
        smtp_ask_ehlo(talk);
    }
    return talk;
}

struct smtp_talk *smtp_ask_logged_in(struct smtp_check *check)
{
    struct smtp_talk *talk = smtp_ask_for_login(check);
    smtp_ask_log_in(talk);
    return talk;
}

/* ---- what was offered ---- */

bool smtp_ask_parameters(const struct smtp_talk *talk, const char *keyword, struct smtp_span *out)
{
    struct smtp_span rest = smtp_buffer_span(&talk->keywords);
    size_t len = strlen(keyword);
    while (rest.len > 0) {
        size_t line = (size_t)((const char *)memchr(rest.bytes, '\n', rest.len) - rest.bytes);
        bool ends = line == len || (line > len && rest.bytes[len] == ' ');
        if (ends &&
            smtp_span_equal_nocase((struct smtp_span){rest.bytes, len}, smtp_span_of(keyword))) {
            *out = smtp_span_trim_start((struct smtp_span){rest.bytes + len, line - len});
            return true;
        }
        rest = (struct smtp_span){rest.bytes + line + 1, rest.len - line - 1};
    }
    *out = (struct smtp_span){"", 0};
    return false;
}

bool smtp_ask_offers(const struct smtp_talk *talk, const char *keyword)
{
    struct smtp_span parameters;
    return smtp_ask_parameters(talk, keyword, &parameters);
}

bool smtp_ask_needs(struct smtp_talk *talk, const char *keyword)
{
    if (smtp_check_goes_on(talk->check) && !smtp_ask_offers(talk, keyword)) {
        smtp_check_skip(talk->check, "%s is not offered", keyword);
    }
    return smtp_check_goes_on(talk->check);
}

/* ---- transactions ---- */

void smtp_ask_mail(struct smtp_talk *talk)
{
    smtp_talk_step(talk, "250", "MAIL FROM:<%s>", talk->check->sender);
}

const char *smtp_ask_sender(struct smtp_check *check, const char *local_part)
{
    const char *at = strrchr(check->sender, '@');
    return smtp_check_text(check, "%s%s", local_part, at != NULL ? at : "@example.com");
}

void smtp_ask_mail_from(struct smtp_talk *talk, const char *sender)
{
    if (smtp_talk_try(talk, "MAIL FROM:<%s>", sender) != 250) {
        smtp_check_skip(talk->check, "it does not take <%s>", sender);
    }
}

void smtp_ask_rcpt(struct smtp_talk *talk, const char *recipient)
{
    smtp_talk_step(talk, "250 251", "RCPT TO:<%s>", recipient);
}

void smtp_ask_begin(struct smtp_talk *talk)
{
    smtp_ask_mail(talk);
    smtp_ask_rcpt(talk, talk->check->recipient);
}

void smtp_ask_data(struct smtp_talk *talk)
{
    smtp_ask_begin(talk);
    smtp_talk_step(talk, "354", "DATA");
}

/** The header of every message: complete, so that nobody adds to it. */
const char *smtp_ask_header(struct smtp_check *check)
{
    return smtp_check_text(check,
                           "From: <%s>\r\nTo: <%s>\r\nSubject: %s\r\n"
                           "Date: Thu, 01 Jan 2026 00:00:00 +0000\r\n"
                           "Message-ID: <%s.%u@" EHLO_NAME ">\r\n\r\n",
                           check->sender, check->recipient, check->token, check->token,
                           ++check->message_count);
}

const char *smtp_ask_message(struct smtp_check *check)
{
    return smtp_check_text(check, "%sA line.\r\n.\r\n", smtp_ask_header(check));
}

/** What the server says of the message: one reply, for LMTP of its one recipient. */
void smtp_ask_send(struct smtp_talk *talk)
{
    smtp_talk_step(talk, "354", "DATA");
    smtp_talk_write(talk, "%s", smtp_ask_message(talk->check));
    smtp_talk_expect_step(talk, "250");
}

void smtp_ask_deliver(struct smtp_talk *talk)
{
    smtp_ask_begin(talk);
    smtp_ask_send(talk);
}

void smtp_ask_deliver_body(struct smtp_talk *talk, struct smtp_span body)
{
    struct smtp_buffer whole = SMTP_BUFFER(SIZE_MAX / 2);
    const char *header = smtp_ask_header(talk->check);
    smtp_ask_data(talk);
    if (smtp_buffer_append(&whole, header, strlen(header)) == SMTP_OK &&
        smtp_buffer_append(&whole, body.bytes, body.len) == SMTP_OK &&
        smtp_buffer_append(&whole, ".\r\n", 3) == SMTP_OK) {
        smtp_talk_put(talk, smtp_buffer_span(&whole));
    } else {
        smtp_check_skip(talk->check, "out of memory");
    }
    smtp_buffer_free(&whole);
    smtp_talk_expect_step(talk, "250");
}

void smtp_ask_in_step(struct smtp_talk *talk)
{
    smtp_talk_ask(talk, "250", "NOOP");
    smtp_talk_stays_silent(talk, "after the reply to NOOP");
}

void smtp_ask_quit(struct smtp_talk *talk)
{
    smtp_talk_ask(talk, "221", "QUIT");
    smtp_talk_ends(talk);
}

bool smtp_ask_bad_recipient(struct smtp_talk *talk)
{
    struct smtp_check *check = talk->check;
    int code = smtp_talk_try(talk, "RCPT TO:<%s>", check->bad_recipient);
    if (code / 100 == 2) {
        smtp_check_skip(check, "%s is accepted; --bad-recipient names one that is not",
                        check->bad_recipient);
    } else if (code != 0 && code / 100 != 4 && code / 100 != 5) {
        smtp_check_fail(check, "a refused recipient: expected 5yz, came %s",
                        smtp_check_show(check, talk->reply.octets));
    }
    return smtp_check_goes_on(check);
}
