/* visit_plain.c - what a plain server says to each command. */
#include "harness/conformance/visit_run.h"

#include <stdio.h>

#define NAME "check.example"

struct smtp_span smtp_visit_word(struct smtp_span line, size_t n)
{
    size_t at = 0;
    for (;; n--) {
        while (at < line.len && line.bytes[at] == ' ') {
            at++;
        }
        size_t begin = at;
        while (at < line.len && line.bytes[at] != ' ') {
            at++;
        }
        if (n == 0 || begin == at) {
            return (struct smtp_span){line.bytes + begin, at - begin};
        }
    }
}

bool smtp_visit_has_word(struct smtp_span line, size_t n, const char *word)
{
    return smtp_span_equal_nocase(smtp_visit_word(line, n), smtp_span_of(word));
}

static bool is_lmtp(const struct smtp_visit_session *session)
{
    return session->run->task->lmtp;
}

static const char *say_greeting(struct smtp_visit_session *session, struct smtp_span line)
{
    (void)line;
    return is_lmtp(session) ? "220 " NAME " LMTP\r\n" : "220 " NAME " ESMTP\r\n";
}

/** The keywords as lines of a reply, the last word of the list first in the reply's order. */
static const char *say_hello(struct smtp_visit_session *session, struct smtp_span line)
{
    struct smtp_check *check = session->run->seen.check;
    bool is_lhlo = smtp_visit_has_word(line, 0, "LHLO");
    if (is_lhlo != is_lmtp(session)) {
        return is_lhlo ? "500 5.5.1 This is SMTP\r\n" : "500 5.5.1 This is LMTP\r\n";
    }
    const struct smtp_visit_run *run = session->run;
    bool has_own = session->in_tls && run->tls_keywords != NULL;
    const char *rest = has_own ? run->tls_keywords : run->keywords, *reply = "250";
    const char *text = NAME;
    int text_len = (int)strlen(NAME);
    while (rest != NULL && *rest != '\0') {
        size_t len = strcspn(rest, ";");
        bool is_starttls =
            smtp_span_equal_nocase((struct smtp_span){rest, len}, SMTP_SPAN("STARTTLS"));
        if (len > 0 && (has_own || !session->in_tls || !is_starttls)) {
            reply = smtp_check_text(check, "%s-%.*s\r\n250", reply, text_len, text);
            text = rest;
            text_len = (int)len;
        }
        rest += len + (rest[len] == ';');
    }
    return smtp_check_text(check, "%s %.*s\r\n", reply, text_len, text);
}

static const char *say_helo(struct smtp_visit_session *session, struct smtp_span line)
{
    (void)line;
    return is_lmtp(session) ? "500 5.5.1 This is LMTP\r\n" : "250 " NAME "\r\n";
}

static const char *say_mail(struct smtp_visit_session *session, struct smtp_span line)
{
    (void)line;
    if (!session->had_hello) {
        return "503 5.5.1 EHLO first\r\n";
    }
    return session->had_mail ? "503 5.5.1 There is a transaction already\r\n" : "250 2.1.0 OK\r\n";
}

static const char *say_rcpt(struct smtp_visit_session *session, struct smtp_span line)
{
    (void)line;
    return session->had_mail ? "250 2.1.5 OK\r\n" : "503 5.5.1 MAIL first\r\n";
}

static const char *say_data(struct smtp_visit_session *session, struct smtp_span line)
{
    (void)line;
    if (session->rcpt_count == 0) {
        return session->had_mail ? "554 5.5.1 No valid recipients\r\n" : "503 5.5.1 MAIL first\r\n";
    }
    return "354 Go ahead\r\n";
}

/** LMTP has a reply for each recipient (RFC 2033 4.2). */
static const char *say_end(struct smtp_visit_session *session, struct smtp_span line)
{
    (void)line;
    const char *reply = "250 2.0.0 OK\r\n";
    for (size_t i = 1; is_lmtp(session) && i < session->rcpt_count; i++) {
        reply = smtp_check_text(session->run->seen.check, "%s250 2.0.0 OK\r\n", reply);
    }
    return reply;
}

static const char *say_bdat(struct smtp_visit_session *session, struct smtp_span line)
{
    if (session->rcpt_count == 0 || session->was_chunk_refused) {
        return "503 5.5.1 RCPT first\r\n";
    }
    return smtp_visit_has_word(line, 2, "LAST") ? say_end(session, line) : "250 2.0.0 OK\r\n";
}

#define LOGIN_USERNAME "334 VXNlcm5hbWU6\r\n"
#define LOGIN_PASSWORD "334 UGFzc3dvcmQ6\r\n"
#define LOGGED_IN "235 2.7.0 Welcome\r\n"

static const char *say_auth(struct smtp_visit_session *session, struct smtp_span line)
{
    bool has_initial = smtp_visit_word(line, 2).len > 0;
    session->lines_wanted = 0;
    if (smtp_visit_has_word(line, 1, "LOGIN")) {
        session->lines_wanted = has_initial ? 0 : 1;
        return has_initial ? LOGIN_PASSWORD : LOGIN_USERNAME;
    }
    if (smtp_visit_has_word(line, 1, "PLAIN") || smtp_visit_has_word(line, 1, "EXTERNAL")) {
        return has_initial ? LOGGED_IN : "334 \r\n";
    }
    return "504 5.5.4 No such mechanism\r\n";
}

static const char *say_line(struct smtp_visit_session *session, struct smtp_span line)
{
    if (smtp_span_equal(line, SMTP_SPAN("*"))) {
        return "501 5.7.0 Given up\r\n";
    }
    if (session->lines_wanted > 0) {
        session->lines_wanted--;
        return LOGIN_PASSWORD;
    }
    return LOGGED_IN;
}

static const struct {
    const char *name, *reply;
    const char *(*say)(struct smtp_visit_session *session, struct smtp_span line);
} plainly[] = {
    {"connect", NULL, say_greeting},
    {"EHLO", NULL, say_hello},
    {"HELO", NULL, say_helo},
    {"MAIL", NULL, say_mail},
    {"RCPT", NULL, say_rcpt},
    {"DATA", NULL, say_data},
    {"dot", NULL, say_end},
    {"BDAT", NULL, say_bdat},
    {"AUTH", NULL, say_auth},
    {"line", NULL, say_line},
    {"STARTTLS", "220 2.0.0 Begin\r\n", NULL},
    {"RSET", "250 2.0.0 OK\r\n", NULL},
    {"NOOP", "250 2.0.0 OK\r\n", NULL},
    {"VRFY", "252 2.5.2 Try and see\r\n", NULL},
    {"QUIT", "221 2.0.0 Bye\r\n", NULL},
};

/** Every reply with a line before its last; but for 334, whose text means something. */
static const char *paired(struct smtp_check *check, const char *reply)
{
    const char *pairs = "";
    while (*reply != '\0') {
        int len = (int)strcspn(reply, "\n") + 1;
        bool is_last = reply[3] == ' ' && strncmp(reply, "334", 3) != 0;
        pairs = is_last ? smtp_check_text(check, "%s%.3s-A line before it\r\n%.*s", pairs, reply,
                                          len, reply)
                        : smtp_check_text(check, "%s%.*s", pairs, len, reply);
        reply += len;
    }
    return pairs;
}

const char *smtp_visit_plain(struct smtp_visit_session *session, const char *name,
                             struct smtp_span line)
{
    const char *reply = "500 5.5.1 No such command\r\n";
    for (size_t i = 0; i < sizeof plainly / sizeof *plainly; i++) {
        if (strcmp(name, plainly[i].name) == 0) {
            reply = plainly[i].say != NULL ? plainly[i].say(session, line) : plainly[i].reply;
        }
    }
    /* the first line of an EHLO reply names the server, so that one stays as it is */
    bool is_paired = session->run->script->pair_lines && strcmp(name, "EHLO") != 0;
    return is_paired ? paired(session->run->seen.check, reply) : reply;
}
