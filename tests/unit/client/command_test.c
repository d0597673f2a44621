/* command_test.c - every command line the client makes, and those it must not make. */
#include "client/protocol/command.h"
#include "tests/support/test.h"

#include <stdio.h>

static char line[SMTP_CLIENT_COMMAND_MAX + 1];
static struct smtp_error error;

/* Builds a command into `line`; the buffer must be as it was after a failure. */
static enum smtp_status build(const struct smtp_client_command *command)
{
    struct smtp_buffer out = SMTP_BUFFER(1 << 20);
    expect_int(smtp_buffer_append(&out, "before", 6), SMTP_OK);
    enum smtp_status status = smtp_client_command_append(&out, command, &error);
    struct smtp_span all = smtp_buffer_span(&out);
    if (status != SMTP_OK) {
        expect_bytes(all.bytes, all.len, "before", 6);
    }
    snprintf(line, sizeof(line), "%.*s", (int)(all.len - 6), all.bytes + 6);
    smtp_buffer_free(&out);
    return status;
}

static enum smtp_status build_path(const char *path, bool forward)
{
    struct smtp_client_command command = {.verb = forward ? "RCPT TO:" : "MAIL FROM:",
                                          .kind = forward ? SMTP_CLIENT_FORWARD_PATH
                                                          : SMTP_CLIENT_REVERSE_PATH,
                                          .argument = path};
    return build(&command);
}

static enum smtp_status build_parameters(const char *parameters)
{
    struct smtp_client_command command = {.verb = "MAIL FROM:",
                                          .kind = SMTP_CLIENT_REVERSE_PATH,
                                          .argument = "a@b",
                                          .parameters = parameters};
    return build(&command);
}

static enum smtp_status build_helo(const char *name)
{
    struct smtp_client_command command = {
        .verb = "EHLO ", .kind = SMTP_CLIENT_DOMAIN, .argument = name};
    return build(&command);
}

struct path_row {
    const char *path;
    const char *line;
};

/* RFC 5321 4.1.2: quoted as little as it needs; 2.4: case is kept. */
TEST(client_command, paths_are_written_with_the_least_quoting)
{
    static const struct path_row rows[] = {
        {"bob@example.com", "RCPT TO:<bob@example.com>\r\n"},
        {"MiXeD@Example.ORG", "RCPT TO:<MiXeD@Example.ORG>\r\n"},
        {"x.y@example.org", "RCPT TO:<x.y@example.org>\r\n"},
        {"\"x.y\"@example.org", "RCPT TO:<x.y@example.org>\r\n"},
        {"\"john smith\"@example.org", "RCPT TO:<\"john smith\"@example.org>\r\n"},
        {"john smith@example.org", "RCPT TO:<\"john smith\"@example.org>\r\n"},
        {"\"a@b\"@example.org", "RCPT TO:<\"a@b\"@example.org>\r\n"},
        {"a@b@example.org", "RCPT TO:<\"a@b\"@example.org>\r\n"},
        {"\"a>b\"@example.org", "RCPT TO:<\"a>b\"@example.org>\r\n"},
        {"\"q\\\"\\\\\\z\"@example.org", "RCPT TO:<\"q\\\"\\\\z\"@example.org>\r\n"},
        {"\"\"@example.org", "RCPT TO:<\"\"@example.org>\r\n"},
        {"a..b@example.org", "RCPT TO:<\"a..b\"@example.org>\r\n"},
        {"user@[127.0.0.1]", "RCPT TO:<user@[127.0.0.1]>\r\n"},
        {"user@[IPv6:::1]", "RCPT TO:<user@[IPv6:::1]>\r\n"},
        {"user@[IPv6:1:2:3::4:5:6]", "RCPT TO:<user@[IPv6:1:2:3::4:5:6]>\r\n"},
        {"user@[IPv6:2001:db8::1:192.0.2.1]", "RCPT TO:<user@[IPv6:2001:db8::1:192.0.2.1]>\r\n"},
        {"user@localhost", "RCPT TO:<user@localhost>\r\n"},
        {"postmaster", "RCPT TO:<postmaster>\r\n"},
        {"Postmaster", "RCPT TO:<Postmaster>\r\n"},
        {"!#$%&'*+-/=?^_`{|}~@x", "RCPT TO:<!#$%&'*+-/=?^_`{|}~@x>\r\n"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        expect_int(build_path(rows[i].path, true), SMTP_OK);
        expect_str(line, rows[i].line);
    }
}

TEST(client_command, an_empty_reverse_path_is_the_null_path)
{
    expect_int(build_path("", false), SMTP_OK);
    expect_str(line, "MAIL FROM:<>\r\n");
    expect_int(build_path(NULL, false), SMTP_OK);
    expect_str(line, "MAIL FROM:<>\r\n");
    expect_int(build_path("", true), SMTP_BAD_ARGUMENT);
    expect_int(build_path("postmaster", false), SMTP_BAD_ARGUMENT);
}

/* RFC 5321 2.3.8; what others let through is in each row. */
TEST(client_command, no_address_begins_another_command)
{
    static const char *const paths[] = {
        "a@b>\r\nRCPT TO:<victim@x",
        "a@b\rDATA",
        "a@b\nDATA",
        "\"a\r\nDATA\"@b",
        "\"a\\\r\\\nDATA\"@b",
        "a@b\x7f",
        "\x01@b",
        "a\tb@c",
        "a@b> SIZE=1 X=<c",
        "x>y@z",
        "<a@b>",
        "a@b>",
        "\"q\"@b> NOTIFY=NEVER",
        "a@[1.2.3.4]>\r\nDATA",
    };
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        expect_int(build_path(paths[i], true), SMTP_UNSAFE_ARGUMENT);
        expect_int(build_path(paths[i], false), SMTP_UNSAFE_ARGUMENT);
        expect_true(strpbrk(error.message, "\r\n\x7f\x01") == NULL);
    }
}

TEST(client_command, what_is_no_path_is_refused)
{
    static const char *const paths[] = {
        "bob",
        "@x",
        "bob@",
        "a@b, c@d",
        "a@b;c@d",
        "Bob bob@x y",
        " bob@x",
        "bob @x",
        "bob@x ",
        "bob@-x.org",
        "bob@x-.org",
        "bob@x..org",
        "bob@.org",
        "bob@x.org.",
        "bob@x_y.org",
        "\"open@x",
        "\"a\"b@x",
        "a\"b@x",
        "a\\b@x",
        "bob@[1.2.3]",
        "bob@[1.2.3.256]",
        "bob@[IPv6:1::2::3]",
        "bob@[IPv6:12345::]",
        "bob@[]",
        "bob@[1.2.3.4",
        "@a,@b:c@d",
        "bob@[IPv6:1:2:3:4:5:6:7]",
        "bob@[IPv6:1:2:3:4::5:6:7:8]",
        "bob@[IPv6:1:2:3:4:5:6::7]",
        "bob@[IPv6:::1:2:3:4:5:1.2.3.4]",
        "bob@[1.2.3.4.5]",
        "bob@[x-tag:a\\b]",
    };
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        enum smtp_status status = build_path(paths[i], true);
        if (status != SMTP_BAD_ARGUMENT) {
            expect_str(paths[i], "SMTP_BAD_ARGUMENT for it");
        }
    }
}

static void fill(char *out, char c, size_t len)
{
    memset(out, c, len);
    out[len] = '\0';
}

/* RFC 5321 4.5.3.1.1, 4.5.3.1.2, 4.5.3.1.3; RFC 1035 2.3.4 */
TEST(client_command, the_limits_of_a_path_are_kept_to_the_octet)
{
    char local[80], path[400];
    fill(local, 'a', 64);
    snprintf(path, sizeof(path), "%s@x", local);
    expect_int(build_path(path, true), SMTP_OK);
    snprintf(path, sizeof(path), "%sa@x", local);
    expect_int(build_path(path, true), SMTP_BAD_ARGUMENT);

    /* quotation marks and backslashes are octets of it */
    fill(local, 'a', 60);
    snprintf(path, sizeof(path), "%s a@x", local);
    expect_int(build_path(path, true), SMTP_OK);
    snprintf(path, sizeof(path), "%s aa@x", local);
    expect_int(build_path(path, true), SMTP_BAD_ARGUMENT);

    fill(local, 'b', 63);
    snprintf(path, sizeof(path), "u@%s", local);
    expect_int(build_path(path, true), SMTP_OK);
    snprintf(path, sizeof(path), "u@%sb", local);
    expect_int(build_path(path, true), SMTP_BAD_ARGUMENT);

    /* <u@ + 252 octets + > is 256 */
    snprintf(path, sizeof(path), "u@%s.%s.%s.%.60s", local, local, local, local);
    expect_int(strlen(path), 254);
    expect_int(build_path(path, true), SMTP_OK);
    expect_int(strlen(line), strlen("RCPT TO:") + 256 + 2);
    snprintf(path, sizeof(path), "uu@%s.%s.%s.%.60s", local, local, local, local);
    expect_int(build_path(path, true), SMTP_BAD_ARGUMENT);
}

/* RFC 5321 4.1.2: esmtp-param */
TEST(client_command, parameters_follow_the_grammar)
{
    expect_int(build_parameters("RET=HDRS ENVID=QQ314159"), SMTP_OK);
    expect_str(line, "MAIL FROM:<a@b> RET=HDRS ENVID=QQ314159\r\n");
    expect_int(build_parameters("SMTPUTF8"), SMTP_OK);
    expect_int(build_parameters(""), SMTP_OK);
    expect_str(line, "MAIL FROM:<a@b>\r\n");
    static const char *const bad[] = {
        " A=b", "A=b ", "A=b  C=d", "A=", "=b", "A=b=c", "-A=b", "A_B=c", "A=\xC3\xB6", "A=b,C d=",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        expect_int(build_parameters(bad[i]), SMTP_BAD_ARGUMENT);
    }
    expect_int(build_parameters("ENVID=a\r\nRCPT TO:<x@y>"), SMTP_UNSAFE_ARGUMENT);
    expect_int(build_parameters("ENVID=a\n"), SMTP_UNSAFE_ARGUMENT);
    expect_int(build_parameters("A=b\tC=d"), SMTP_UNSAFE_ARGUMENT);
}

TEST(client_command, size_and_body_stand_before_other_parameters)
{
    struct smtp_client_command command = {.verb = "MAIL FROM:",
                                          .kind = SMTP_CLIENT_REVERSE_PATH,
                                          .argument = "a@b",
                                          .parameters = "RET=FULL",
                                          .declare_size = true,
                                          .size_bytes = UINT64_MAX,
                                          .body = SMTP_BODY_8BITMIME};
    expect_int(build(&command), SMTP_OK);
    expect_str(line, "MAIL FROM:<a@b> SIZE=18446744073709551615 BODY=8BITMIME RET=FULL\r\n");
}

TEST(client_command, helo_names_are_domains_or_literals)
{
    expect_int(build_helo("client.example.com"), SMTP_OK);
    expect_str(line, "EHLO client.example.com\r\n");
    expect_int(build_helo("[127.0.0.1]"), SMTP_OK);
    expect_int(build_helo("[IPv6:::1]"), SMTP_OK);
    expect_int(build_helo("a\r\nMAIL FROM:<x@y>"), SMTP_UNSAFE_ARGUMENT);
    expect_int(build_helo("a b"), SMTP_UNSAFE_ARGUMENT);
    expect_int(build_helo("a\nb"), SMTP_UNSAFE_ARGUMENT);
    expect_int(build_helo(""), SMTP_BAD_ARGUMENT);
    expect_int(build_helo("127.0.0.1 "), SMTP_UNSAFE_ARGUMENT);
    expect_int(build_helo("a_b"), SMTP_BAD_ARGUMENT);
}

/* RFC 5321 4.5.3.1.2 */
TEST(client_command, a_domain_has_255_octets_at_most)
{
    char label[80], domain[400];
    fill(label, 'a', 63);
    snprintf(domain, sizeof(domain), "%s.%s.%s.%s", label, label, label, label);
    expect_int(strlen(domain), 255);
    expect_int(build_helo(domain), SMTP_OK);
    snprintf(domain, sizeof(domain), "%s.%s.%s.%.61s.a", label, label, label, label);
    expect_int(strlen(domain), 255);
    expect_int(build_helo(domain), SMTP_OK);
    snprintf(domain, sizeof(domain), "%s.%s.%s.%.61s.aa", label, label, label, label);
    expect_int(build_helo(domain), SMTP_BAD_ARGUMENT);
}

TEST(client_command, free_text_is_one_line)
{
    struct smtp_client_command command = {
        .verb = "VRFY", .kind = SMTP_CLIENT_TEXT, .argument = "bob"};
    expect_int(build(&command), SMTP_OK);
    expect_str(line, "VRFY bob\r\n");
    command.argument = NULL;
    expect_int(build(&command), SMTP_OK);
    expect_str(line, "VRFY\r\n");
    command.argument = "a\r\nb";
    expect_int(build(&command), SMTP_UNSAFE_ARGUMENT);
    command.argument = "a\033b";
    expect_int(build(&command), SMTP_UNSAFE_ARGUMENT);
    command.verb = "";
    command.argument = "";
    expect_int(build(&command), SMTP_BAD_ARGUMENT);
}

TEST(client_command, a_line_beyond_the_bound_is_refused_and_not_cut)
{
    static char text[SMTP_CLIENT_COMMAND_MAX];
    struct smtp_client_command command = {.verb = "", .kind = SMTP_CLIENT_TEXT, .argument = text};
    fill(text, 'x', SMTP_CLIENT_COMMAND_MAX - 2);
    expect_int(build(&command), SMTP_OK);
    fill(text, 'x', SMTP_CLIENT_COMMAND_MAX - 1);
    expect_int(build(&command), SMTP_LIMIT_EXCEEDED);
}
