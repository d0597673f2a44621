/* tour.c - see tour.h. */
#include "harness/conformance/tour.h"

#include <stdlib.h>
#include <string.h>

#define LONG_LINE                                                                                  \
    600 /* longer than any command need be (RFC 5321 4.5.3.1.4), shorter than what closes a session */

struct stop {
    const char *verb, *line, *codes;
};

static void visit(struct smtp_talk *talk, const struct stop *stop,
                  void (*look)(struct smtp_talk *talk, const char *verb))
{
    if (look == NULL) {
        smtp_talk_step(talk, stop->codes, "%s", stop->line);
        return;
    }
    smtp_talk_try(talk, "%s", stop->line);
    if (smtp_check_goes_on(talk->check)) {
        look(talk, stop->verb);
    }
    if (smtp_check_goes_on(talk->check) && !smtp_talk_is(talk, stop->codes)) {
        smtp_check_skip(talk->check, "the rest of its replies is not seen: it answers %s with %s",
                        stop->verb, smtp_check_show(talk->check, talk->reply.octets));
    }
}

static const char *long_line(struct smtp_check *check)
{
    char *line = smtp_check_own(check, malloc(LONG_LINE + 1), free);
    if (line == NULL) {
        return "";
    }
    memset(line, 'x', LONG_LINE);
    memcpy(line, "VRFY ", 5);
    line[LONG_LINE] = '\0';
    return line;
}

static void see_commands(struct smtp_talk *talk,
                         void (*look)(struct smtp_talk *talk, const char *verb))
{
    struct smtp_check *check = talk->check;
    const char *mail = smtp_check_text(check, "MAIL FROM:<%s>", check->sender);
    const char *rcpt = smtp_check_text(check, "RCPT TO:<%s>", check->recipient);
    const struct stop stops[] = {
        {"NOOP", "NOOP", "250"},
        {"HELP", "HELP", "2yz 4yz 5yz"},
        {"VRFY", "VRFY postmaster", "2yz 4yz 5yz"},
        {"EXPN", "EXPN postmaster", "2yz 4yz 5yz"},
        {"RCPT", rcpt, "5yz"},
        {"MAIL", "MAIL FROM:<unclosed", "2yz 4yz 5yz"},
        {"RSET", "RSET", "250"},
        {"MAIL", mail, "250"},
        {"RCPT", smtp_check_text(check, "RCPT TO:<%s>", check->bad_recipient), "2yz 4yz 5yz"},
        {"RCPT", rcpt, "250 251"},
        {"RSET", "RSET", "250"},
        {"DATA", "DATA", "5yz"},
        {"unknown", "XYZZY", "5yz"},
        {"VRFY", long_line(check), "2yz 4yz 5yz"},
        {"MAIL", mail, "250"},
        {"RCPT", rcpt, "250 251"},
        {"DATA", "DATA", "354"},
    };
    for (size_t i = 0; i < sizeof stops / sizeof *stops; i++) {
        visit(talk, &stops[i], look);
    }
    smtp_talk_write(talk, "%s", smtp_ask_message(check));
    smtp_talk_expect(talk, "250");
    if (look != NULL && smtp_check_goes_on(check)) {
        look(talk, "dot");
    }
}

void smtp_tour(struct smtp_check *check, bool with_helo,
               void (*look)(struct smtp_talk *talk, const char *verb))
{
    struct smtp_talk *talk = smtp_ask_greeted(check);
    if (look != NULL && smtp_check_goes_on(check)) {
        look(talk, "greeting");
    }
    const char *hello = with_helo ? "HELO check.example" : smtp_ask_ehlo_line(check);
    smtp_ask_begin_tls_if_told(talk);
    visit(talk, &(struct stop){with_helo ? "HELO" : "EHLO", hello, "250"}, look);
    smtp_ask_keep_keywords(talk);
    smtp_ask_log_in_if_told(talk);
    see_commands(talk, look);
    visit(talk, &(struct stop){"QUIT", "QUIT", "221"}, look);
    smtp_talk_ends(talk);
}
