/* smtputf8_test.c - addresses that are not ASCII (RFC 6531, RFC 5890): as they are with SMTPUTF8, A-labels
 * or a clear refusal without. */
#include "client/protocol/command.h"
#include "client/protocol/idn.h"
#include "common/deadline.h"
#include "tests/support/test.h"
#include "tests/unit/client/asked.h"

#include <stdio.h>

#define UTF8 "SMTPUTF8\n8BITMIME\n"
#define BUECHER                                                                                    \
    "b\xC3\xBC"                                                                                    \
    "cher.example"
#define BOEB                                                                                       \
    "b\xC3\xB6"                                                                                    \
    "b"

/* rfc6531/3.4/smtputf8-when-needed */
TEST(client_smtputf8, is_said_where_an_address_or_the_caller_needs_it_and_nowhere_else_rfc6531_3_4)
{
    static const struct {
        const char *from, *to;
        bool asked;
        const char *said;
    } rows[] = {
        {"ann@x", "bob@y", false, "MAIL FROM:<ann@x>\r\nRCPT TO:<bob@y>\r\nDATA\r\n"},
        {"ann@x", "bob@y", true, "MAIL FROM:<ann@x> SMTPUTF8\r\nRCPT TO:<bob@y>\r\nDATA\r\n"},
        {"ann@x", BOEB "@y", false,
         "MAIL FROM:<ann@x> SMTPUTF8\r\nRCPT TO:<" BOEB "@y>\r\nDATA\r\n"},
        {BOEB "@x", "bob@y", false,
         "MAIL FROM:<" BOEB "@x> SMTPUTF8\r\nRCPT TO:<bob@y>\r\nDATA\r\n"},
        {"ann@x", "bob@" BUECHER, false,
         "MAIL FROM:<ann@x> SMTPUTF8\r\nRCPT TO:<bob@" BUECHER ">\r\nDATA\r\n"},
        {"", "bo b" BOEB "@y", false,
         "MAIL FROM:<> SMTPUTF8\r\nRCPT TO:<\"bo b" BOEB "\"@y>\r\nDATA\r\n"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct smtp_mail_options mail = {.smtputf8 = rows[i].asked};
        struct asked asked = ask_paths(UTF8, rows[i].from, rows[i].to, &mail);
        expect_str(asked.message, "");
        expect_str(asked.said, rows[i].said);
    }
}

/* rfc6531/3.2/no-utf8-unless-offered */
TEST(client_smtputf8, a_domain_goes_as_a_labels_where_it_is_not_offered_rfc6531_3_2)
{
    struct asked asked = ask_paths("", "ann@" BUECHER, "bob@\xE4\xBE\x8B\xE3\x81\x88.test", NULL);
    expect_str(asked.said, "MAIL FROM:<ann@xn--bcher-kva.example>\r\n"
                           "RCPT TO:<bob@xn--r8jz45g.test>\r\nDATA\r\n");
    asked = ask_paths("SMTPUTF8\n", "ann@x", "bob@" BUECHER, NULL); /* counts with 8BITMIME alone */
    expect_contains(asked.said, "RCPT TO:<bob@xn--bcher-kva.example>\r\n");
    asked = ask_paths(NULL, "ann@x", "bob@" BUECHER, NULL);
    expect_contains(asked.said, "MAIL FROM:<ann@x>\r\n");
}

TEST(client_smtputf8, a_local_part_needs_it_and_nothing_is_sent_without_rfc6531_3_2)
{
    static const char *const offers[] = {"", "8BITMIME\n", "SMTPUTF8\n", NULL};
    for (size_t i = 0; i < sizeof(offers) / sizeof(offers[0]); i++) {
        struct asked asked = ask_paths(offers[i], "ann@x", BOEB "@y", NULL);
        expect_int(asked.status, SMTP_UNSUPPORTED);
        expect_contains(asked.message, "SMTPUTF8");
        asked = ask_paths(offers[i], BOEB "@y", "bob@y", NULL);
        expect_int(asked.status, SMTP_UNSUPPORTED);
        struct smtp_mail_options mail = {.smtputf8 = true};
        asked = ask_paths(offers[i], "ann@x", "bob@y", &mail);
        expect_int(asked.status, SMTP_UNSUPPORTED);
        expect_contains(asked.message, "the message needs SMTPUTF8");
    }
}

/* One transaction decides for all its paths. */
TEST(client_smtputf8, one_local_part_decides_for_the_whole_envelope)
{
    static const char *const paths[] = {"bob@y", "cat@" BUECHER, BOEB "@z"};
    struct smtp_envelope envelope = {
        .reverse_path = "ann@" BUECHER, .forward_paths = paths, .forward_path_count = 3};
    struct asked_of utf8 = {.offered = UTF8}, plain = {.offered = ""};
    struct asked asked = ask_envelope(&utf8, &envelope);
    expect_str(asked.said, "MAIL FROM:<ann@" BUECHER "> SMTPUTF8\r\nRCPT TO:<bob@y>\r\n"
                           "RCPT TO:<cat@" BUECHER ">\r\nRCPT TO:<" BOEB "@z>\r\nDATA\r\n");
    expect_int(ask_envelope(&plain, &envelope).status, SMTP_UNSUPPORTED);
    envelope.forward_path_count = 2;
    asked = ask_envelope(&plain, &envelope);
    expect_contains(asked.said, "RCPT TO:<cat@xn--bcher-kva.example>\r\n");
}

TEST(client_smtputf8, an_address_that_is_no_utf8_is_refused_everywhere)
{
    static const char *const bad[] = {
        "b\xF6@y",
        "b\xC3@y",
        "b\xC0\xAE@y",
        "b\xED\xA0\x80@y",
        "b\xF4\x90\x80\x80@y",
        ("bob@b\xFC"
         "cher"),
        "bob@\xC3.x",
        "\"\xFF\"@y",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        expect_int(ask_paths(UTF8, "ann@x", bad[i], NULL).status, SMTP_BAD_ARGUMENT);
        expect_int(ask_paths("", bad[i], "bob@y", NULL).status, SMTP_BAD_ARGUMENT);
    }
    expect_int(ask_paths(UTF8, "ann@x", BOEB "\r\nRSET\r\n@y", NULL).status, SMTP_UNSAFE_ARGUMENT);
    expect_int(ask_paths(UTF8, "ann@x", BOEB "@y> SIZE=1", NULL).status, SMTP_UNSAFE_ARGUMENT);
}

/* RFC 6531 3.3: the domain is of U-labels, also where it goes as it is. */
TEST(client_smtputf8, a_domain_of_wrong_labels_is_refused_and_the_label_named)
{
    static const char *const bad[] = {
        "bob@a.\xE2\x98\x83\xE2\x80\x8B.-.x", /* what is left of it is no label */
        "bob@-\xC3\xBC.example",              /* a hyphen first */
        "bob@\xC3\xBC\xE3\x80\x82x.example",  /* an ideographic full stop would make it two */
        "bob@\xC3\xBC\xEF\xBC\x8Fx.example",  /* a full-width slash */
        "bob@[IPv6:\xC3\xBC]",
        "bob@\xC3\xBC..example",
        "bob@\xCC\x88x.example", /* a combining mark first */
        "bob@\xC3\xBC_.example",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct asked asked = ask_paths(UTF8, "ann@x", bad[i], NULL);
        expect_str(asked.status == SMTP_BAD_ARGUMENT ? "refused" : bad[i], "refused");
        expect_int(ask_paths("", "ann@x", bad[i], NULL).status, SMTP_BAD_ARGUMENT);
    }
    struct asked asked = ask_paths("", "ann@x", "bob@good.\xCC\x88x.example", NULL);
    expect_contains(asked.message, "the label \"\xCC\x88x\"");
}

/* RFC 5321 4.5.3.1 counts octets, not characters. */
TEST(client_smtputf8, limits_of_a_path_are_in_octets)
{
    char path[400] = "";
    for (size_t i = 0; i < 32; i++) {
        memcpy(path + 2 * i, "\xC3\xB6", 3);
    }
    memcpy(path + 64, "@y", 3);
    expect_int(ask_paths(UTF8, "ann@x", path, NULL).status, SMTP_OK);
    memcpy(path + 64, "z@y", 4);
    expect_int(ask_paths(UTF8, "ann@x", path, NULL).status, SMTP_BAD_ARGUMENT);
    char label[64], long_path[400];
    memset(label, 'a', 63);
    label[63] = '\0';
    snprintf(long_path, sizeof(long_path), "b@%s.%s.%s.%.54s\xC3\xB6", label, label, label, label);
    expect_int(ask_paths(UTF8, "ann@x", long_path, NULL).status, SMTP_OK);
    expect_int(ask_paths("", "ann@x", long_path, NULL).status, SMTP_BAD_ARGUMENT);
}

static enum smtp_status a_labels(const char *domain, char *out, size_t size)
{
    struct smtp_error error = {0};
    struct smtp_buffer made = SMTP_BUFFER(1 << 16);
    enum smtp_status status = smtp_client_idn_append(&made, smtp_span_of(domain), &error);
    struct smtp_span all = smtp_buffer_span(&made);
    snprintf(out, size, "%.*s", (int)all.len, all.bytes);
    smtp_buffer_free(&made);
    return status;
}

TEST(client_idn, labels_that_are_not_ascii_become_a_labels_rfc5891)
{
    static const char *const rows[][2] = {
        {BUECHER, "xn--bcher-kva.example"},
        {"B\xC3\x9C"
         "CHER.Example",
         "xn--bcher-kva.Example"}, /* ASCII labels stay as they are */
        {"bu\xCC\x88"
         "cher.example",
         "xn--bcher-kva.example"},          /* composed first */
        {"fa\xC3\x9F.de", "xn--fa-hia.de"}, /* nontransitional */
        {"xn--bcher-kva.example", "xn--bcher-kva.example"},
        {"plain.example", "plain.example"},
        {"", ""},
        {"\xC3\xBC.", "xn--tda."},
    };
    char made[300];
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        expect_int(a_labels(rows[i][0], made, sizeof(made)), SMTP_OK);
        expect_str(made, rows[i][1]);
    }
}

TEST(client_idn, a_label_too_long_for_63_octets_is_refused)
{
    char domain[600], made[600];
    memset(domain, 'a', 60);
    memcpy(domain + 60, "\xC3\xBC", 3);
    expect_int(a_labels(domain, made, sizeof(made)), SMTP_BAD_ARGUMENT);
    for (size_t i = 0; i < 550; i += 2) {
        memcpy(domain + i, "\xC3\xBC", 3);
    }
    expect_int(a_labels(domain, made, sizeof(made)), SMTP_BAD_ARGUMENT);
}

/* RFC 5321 2.3.5: the name is a domain of LDH labels. */
TEST(client_idn, the_name_for_ehlo_goes_as_a_labels)
{
    struct smtp_error error = {0};
    struct smtp_buffer out = SMTP_BUFFER(1 << 16);
    struct smtp_client_command ehlo = {
        .verb = "EHLO ", .kind = SMTP_CLIENT_DOMAIN, .argument = BUECHER};
    expect_int(smtp_client_command_append(&out, &ehlo, &error), SMTP_OK);
    struct smtp_span line = smtp_buffer_span(&out);
    expect_bytes(line.bytes, line.len, "EHLO xn--bcher-kva.example\r\n", 28);
    ehlo.argument = "b\xFC"
                    "cher.example";
    expect_int(smtp_client_command_append(&out, &ehlo, &error), SMTP_BAD_ARGUMENT);
    ehlo.argument = "\xCC\x88.example";
    expect_int(smtp_client_command_append(&out, &ehlo, &error), SMTP_BAD_ARGUMENT);
    smtp_buffer_free(&out);
}

/* ---- command by command ---- */

static void hear(struct smtp_client_session *session, const char *reply)
{
    struct smtp_client_event event;
    size_t used = 0;
    smtp_client_session_receive(session, reply, strlen(reply), &used, 0);
    expect_true(smtp_client_session_next_event(session, &event));
}

static enum smtp_status say(struct smtp_client_session *session, enum smtp_client_stage stage,
                            const struct smtp_client_command *command, const char *line)
{
    struct smtp_span parts[SMTP_CLIENT_PENDING_PARTS];
    enum smtp_status status = smtp_client_session_command(session, stage, command, 0);
    if (status == SMTP_OK) {
        expect_int(smtp_client_session_pending(session, parts), 1);
        expect_bytes(parts[0].bytes, parts[0].len, line, strlen(line));
        smtp_client_session_sent(session, parts[0].len, 0);
        hear(session, "250-x\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n");
    }
    return status;
}

TEST(client_smtputf8, mail_decides_for_the_rcpt_commands_after_it)
{
    struct smtp_client_options options;
    smtp_client_options_init(&options);
    struct smtp_client_session *session = smtp_client_session_new(&options);
    smtp_client_session_open(session, 0, SMTP_NEVER);
    hear(session, "220 x\r\n");
    struct smtp_client_command ehlo = {
        .verb = "EHLO ", .kind = SMTP_CLIENT_DOMAIN, .argument = "c"};
    struct smtp_client_command mail = {
        .verb = "MAIL FROM:", .kind = SMTP_CLIENT_REVERSE_PATH, .argument = "a@x"};
    struct smtp_client_command rcpt = {
        .verb = "RCPT TO:", .kind = SMTP_CLIENT_FORWARD_PATH, .argument = BOEB "@" BUECHER};
    struct smtp_client_command rset = {.verb = "RSET"};
    expect_int(say(session, SMTP_STAGE_EHLO, &ehlo, "EHLO c\r\n"), SMTP_OK);
    expect_int(say(session, SMTP_STAGE_MAIL, &mail, "MAIL FROM:<a@x>\r\n"), SMTP_OK);
    expect_int(say(session, SMTP_STAGE_RCPT, &rcpt, ""), SMTP_UNSUPPORTED);
    expect_contains(smtp_client_session_error(session)->message, "MAIL did not say");
    rcpt.argument = "bob@" BUECHER;
    expect_int(say(session, SMTP_STAGE_RCPT, &rcpt, "RCPT TO:<bob@xn--bcher-kva.example>\r\n"),
               SMTP_OK);
    expect_int(say(session, SMTP_STAGE_RSET, &rset, "RSET\r\n"), SMTP_OK);
    mail.parameters = "smtputf8";
    rcpt.argument = BOEB "@" BUECHER;
    expect_int(say(session, SMTP_STAGE_MAIL, &mail, "MAIL FROM:<a@x> smtputf8\r\n"), SMTP_OK);
    expect_int(say(session, SMTP_STAGE_RCPT, &rcpt, "RCPT TO:<" BOEB "@" BUECHER ">\r\n"), SMTP_OK);
    smtp_client_session_free(session);
}
