/* path_test.c - server/protocol/path.c and command.c */
#include "server/protocol/command.h"
#include "server/protocol/path.h"
#include "tests/support/test.h"

static enum smtp_path_fault read_path(const char *text, enum smtp_path_kind kind,
                                      struct smtp_span *rest)
{
    struct smtp_server_options options;
    struct smtp_path inside;
    smtp_server_options_init(&options);
    *rest = smtp_span_of(text);
    return smtp_path_read(rest, kind, &options.limits, &inside);
}

TEST(path, takes_what_rfc5321_4_1_2_allows)
{
    static const char *const good[] = {
        "<a@b>",
        "<a.b+c!#$%&'*/=?^_`{|}~-@b-c.d1.e>",
        "<\"a b@c\"@d>",
        "<\"a\\\"\\\\b\"@d>",
        "<\"\"@d>",
        "<@a.b,@c:x@y>",
        "<a@[127.0.0.1]>",
        "<a@[127.000.000.001]>", /* Snum = 1*3DIGIT, 4.1.3 */
        "<a@[IPv6:::1]>",
        "<a@[ipv6:1:2:3:4:5:6:7:8]>",
        "<a@[IPv6:1::8]>",
        "<a@[IPv6:1:2:3::4:5:6]>",
        "<a@[IPv6:::ffff:1.2.3.4]>",
        "<a@[x-tag:content]>",
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct smtp_span rest;
        if (read_path(good[i], SMTP_FORWARD_PATH, &rest) != SMTP_PATH_OK || rest.len != 0) {
            SMTP_TEST_FAIL("refused: %s", good[i]);
        }
    }
}

TEST(path, refuses_what_the_grammar_does_not_have)
{
    static const char *const bad[] = {
        "",
        "<",
        "<a",
        "<a@",
        "<a@b",
        "a@b",
        "<a>",
        "<a@b c>",
        "<.a@b>",
        "<a.@b>",
        "<a..b@c>",
        "<a@.b>",
        "<a@b..c>",
        "<a@b-.c>",
        "<a@b_c>",
        "<\"a@b>",
        "<\"a\"b@c>",
        "<\"a\n\"@c>",
        "<@a,b:x@y>",
        "<@a x@y>",
        "<a@[1.2.3]>",
        "<a@[1.2.3.256]>",
        "<a@[1.2.3.0004]>",
        "<a@[IPv6:]>",
        "<a@[IPv6:1:2]>",
        "<a@[IPv6:1::2::3]>",
        "<a@[IPv6:12345::]>",
        "<a@[IPv6:1:2:3:4:5:6:7:8:9]>",
        "<a@[IPv6:1:2:3:4:5:6:7::8]>",
        "<a@[IPv6:1:2:3:4:5:6::7]>", /* six groups beside "::", 4.1.3 */
        "<a@[IPv6:::1:2:3:4:5:1.2.3.4]>",
        "<a@[IPv6:1:2:3:4:5::6:1.2.3.4]>",
        "<a@[]>",
        "<a@[tag:]>",
        "<a@[tag:a b]>",
        "<a@[tag:a\\b]>",
        "<a@[tag:a[b]>",
        "<a@[tag-:a]>",
        "<\"a\x7f\"@c>",
        "<<a@b>>",
        "<postmaster",
        "<\"a\\",
        "<a\"b\"@c>",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct smtp_span rest;
        if (read_path(bad[i], SMTP_FORWARD_PATH, &rest) == SMTP_PATH_OK) {
            SMTP_TEST_FAIL("taken: %s", bad[i]);
        }
    }
}

TEST(path, the_null_path_is_a_reverse_path_and_postmaster_a_forward_path_rfc5321_4_5_1)
{
    struct smtp_span rest;
    expect_int(read_path("<>", SMTP_REVERSE_PATH, &rest), SMTP_PATH_OK);
    expect_int(read_path("<>", SMTP_FORWARD_PATH, &rest), SMTP_PATH_MALFORMED);
    expect_int(read_path("<pOstMaster>", SMTP_FORWARD_PATH, &rest), SMTP_PATH_OK);
    expect_int(read_path("<postmaster>", SMTP_REVERSE_PATH, &rest), SMTP_PATH_MALFORMED);
    expect_int(read_path("<postmasterx>", SMTP_FORWARD_PATH, &rest), SMTP_PATH_MALFORMED);
}

static enum smtp_path_fault read_within(size_t local_part, size_t domain, size_t path)
{
    struct smtp_server_limits limits = {
        .local_part_octets = local_part, .domain_octets = domain, .path_octets = path};
    struct smtp_span text = SMTP_SPAN("<ab@cd.ef>");
    struct smtp_path inside;
    return smtp_path_read(&text, SMTP_FORWARD_PATH, &limits, &inside);
}

TEST(path, each_limit_is_kept_to_the_octet_rfc5321_4_5_3_1)
{
    expect_int(read_within(2, 5, 10), SMTP_PATH_OK);
    expect_int(read_within(1, 5, 10), SMTP_PATH_LOCAL_PART_TOO_LONG);
    expect_int(read_within(2, 4, 10), SMTP_PATH_DOMAIN_TOO_LONG);
    expect_int(read_within(2, 5, 9), SMTP_PATH_TOO_LONG);
    expect_true(smtp_is_domain_or_literal(SMTP_SPAN("cd.ef"), 5));
    expect_true(!smtp_is_domain_or_literal(SMTP_SPAN("cd.ef"), 4));
    expect_true(!smtp_is_domain_or_literal(SMTP_SPAN("cd.ef>"), 6));
}

TEST(path, stops_at_its_bracket)
{
    struct smtp_span rest;
    expect_int(read_path("<a@b> SIZE=1", SMTP_REVERSE_PATH, &rest), SMTP_PATH_OK);
    expect_bytes(rest.bytes, rest.len, " SIZE=1", 7);
}

TEST(path, never_reads_beyond_its_text)
{
    static const char text[] = "<@a,@b:\"x\\\" y\"@[IPv6:1::2]>";
    for (size_t len = 0; len < sizeof text - 1; len++) {
        char *copy = malloc(len + (len == 0)); /* exact: the address sanitizer watches its end */
        struct smtp_server_options options;
        smtp_server_options_init(&options);
        memcpy(copy, text, len);
        struct smtp_span span = {copy, len};
        struct smtp_path inside;
        expect_true(smtp_path_read(&span, SMTP_FORWARD_PATH, &options.limits, &inside) !=
                    SMTP_PATH_OK);
        free(copy);
    }
}

TEST(command, takes_a_line_apart_once)
{
    struct smtp_command command = smtp_command_parse(SMTP_SPAN("MAIL  FROM:<a@b> \t"));
    expect_bytes(command.verb.bytes, command.verb.len, "MAIL", 4);
    expect_bytes(command.argument.bytes, command.argument.len, "FROM:<a@b>", 10);
    expect_true(!command.has_bare_line_end && !command.has_control);
    expect_true(smtp_command_parse(SMTP_SPAN("NO\nOP")).has_bare_line_end);
    expect_true(smtp_command_parse(SMTP_SPAN("NOOP \a")).has_control);
    expect_int(smtp_command_parse(SMTP_SPAN("")).verb.len, 0);
}

TEST(command, reads_parameters_by_the_grammar_rfc5321_4_1_2)
{
    struct smtp_span text = SMTP_SPAN(" SIZE=10  X-Y z=a/b+c");
    struct smtp_parameter parameter;
    expect_int(smtp_parameter_next(&text, &parameter), SMTP_PARAMETER_TAKEN);
    expect_bytes(parameter.value.bytes, parameter.value.len, "10", 2);
    expect_int(smtp_parameter_next(&text, &parameter), SMTP_PARAMETER_TAKEN);
    expect_true(!parameter.has_value);
    expect_bytes(parameter.keyword.bytes, parameter.keyword.len, "X-Y", 3);
    expect_int(smtp_parameter_next(&text, &parameter), SMTP_PARAMETER_TAKEN);
    expect_int(smtp_parameter_next(&text, &parameter), SMTP_PARAMETER_NONE);
    static const char *const bad[] = {"SIZE=1", " =1",     " -A=1",  " A=", " A=b=c",
                                      " A_B=1", " A=\x7f", " A\x80", " A;B"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        text = smtp_span_of(bad[i]);
        if (smtp_parameter_next(&text, &parameter) != SMTP_PARAMETER_MALFORMED) {
            SMTP_TEST_FAIL("taken: %s", bad[i]);
        }
    }
}
