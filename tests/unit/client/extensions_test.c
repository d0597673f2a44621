/* extensions_test.c - what an EHLO reply is understood to offer. */
#include "client/protocol/extensions.h"
#include "tests/support/test.h"

#include <stdio.h>

static struct smtp_client_extensions offered(const char *text)
{
    struct smtp_client_extensions extensions;
    smtp_client_extensions_init(&extensions);
    expect_int(smtp_client_extensions_read(&extensions, text), SMTP_OK);
    return extensions;
}

/* RFC 5321 4.1.1.1: keywords in any case */
TEST(client_extensions, keywords_are_found_in_any_case)
{
    struct smtp_client_extensions e =
        offered("mx.test hello\npipelining\nSize 1000\n8bitmime\nX-Thing a b=c  d");
    expect_true(e.pipelining && e.eight_bit_mime && e.size);
    expect_int(e.size_max, 1000);
    expect_str(smtp_client_extensions_find(&e, "X-THING"), "a b=c  d");
    expect_str(smtp_client_extensions_find(&e, "PIPELINING"), "");
    expect_str(smtp_client_extensions_find(&e, "STARTTLS"), NULL);
    smtp_client_extensions_clear(&e);
}

TEST(client_extensions, the_first_line_offers_nothing)
{
    struct smtp_client_extensions e = offered("PIPELINING hello");
    expect_true(!e.pipelining);
    expect_int(e.count, 0);
    smtp_client_extensions_clear(&e);
}

/* RFC 1870 4: none or 0 is no fixed maximum */
TEST(client_extensions, size_without_a_number_has_no_maximum)
{
    static const char *const texts[] = {"x\nSIZE", "x\nSIZE 0", "x\nSIZE many",
                                        "x\nSIZE 99999999999999999999"};
    for (size_t i = 0; i < 4; i++) {
        struct smtp_client_extensions e = offered(texts[i]);
        expect_true(e.size);
        expect_int(e.size_max, 0);
        smtp_client_extensions_clear(&e);
    }
}

TEST(client_extensions, both_forms_of_auth_become_one)
{
    struct smtp_client_extensions e =
        offered("x\nAUTH=LOGIN PLAIN\nAUTH PLAIN CRAM-MD5\nauth=login");
    expect_str(smtp_client_extensions_find(&e, "AUTH"), "LOGIN PLAIN CRAM-MD5");
    expect_int(e.count, 1);
    smtp_client_extensions_clear(&e);
}

TEST(client_extensions, lines_that_are_no_ehlo_line_are_passed_over)
{
    struct smtp_client_extensions e = offered("x\n\n \n-A\nSIZE=5\nPIPELINING;\n8BITMIME \nDSN\tx");
    expect_int(e.count, 1);
    expect_true(e.eight_bit_mime && !e.size && !e.pipelining);
    smtp_client_extensions_clear(&e);
}

TEST(client_extensions, another_reply_forgets_the_one_before)
{
    struct smtp_client_extensions e = offered("x\nPIPELINING\nSIZE 10");
    expect_int(smtp_client_extensions_read(&e, "x\n8BITMIME"), SMTP_OK);
    expect_true(!e.pipelining && !e.size && e.eight_bit_mime);
    expect_int(e.size_max, 0);
    smtp_client_extensions_clear(&e);
}

TEST(client_extensions, a_flood_of_keywords_is_bounded)
{
    static char text[64000] = "x";
    for (size_t at = 1; at + 3 < sizeof(text); at += 3) {
        memcpy(text + at, "\nAB", 3);
    }
    struct smtp_client_extensions e = offered(text);
    expect_int(e.count, SMTP_CLIENT_EXTENSIONS_MAX);
    smtp_client_extensions_clear(&e);
}

static void expect_limits(const char *limits, uint64_t mail_max, uint64_t rcpt_max,
                          uint64_t rcpt_domain_max)
{
    struct smtp_client_extensions extensions;
    char text[200];
    smtp_client_extensions_init(&extensions);
    snprintf(text, sizeof(text), "x\n%s", limits);
    expect_int(smtp_client_extensions_read(&extensions, text), SMTP_OK);
    expect_int(extensions.mail_max, mail_max);
    expect_int(extensions.rcpt_max, rcpt_max);
    expect_int(extensions.rcpt_domain_max, rcpt_domain_max);
    /* rfc9422/3.6/limits-latest-ehlo */
    expect_int(smtp_client_extensions_read(&extensions, "x\nPIPELINING"), SMTP_OK);
    expect_int(extensions.mail_max + extensions.rcpt_max + extensions.rcpt_domain_max, 0);
    smtp_client_extensions_clear(&extensions);
}

/* rfc9422/3.7/limits-unknown-ignored */
TEST(client_extensions, limits_are_read_and_bad_ones_ignored_one_by_one_rfc9422_3_7)
{
    expect_limits("LIMITS MAILMAX=3 RCPTMAX=20 RCPTDOMAINMAX=1", 3, 20, 1);
    expect_limits("limits rcptmax=999999", 0, 999999, 0);
    expect_limits("LIMITS FOO=1 RCPTMAX=0 MAILMAX=abc RCPTDOMAINMAX=1", 0, 0, 1);
    expect_limits("LIMITS RCPTMAX RCPTMAX= RCPTMAX=-1 RCPTMAX=01 RCPTMAX=1000000 MAILMAX=7", 7, 0,
                  0);
    expect_limits("LIMITS RCPTMAX=5 RCPTMAX=3 RCPTMAX=4", 0, 3, 0);
    expect_limits("LIMITS", 0, 0, 0);
    expect_limits("LIMITS =5 RCPTMAX==5 RCPTMAXX=5", 0, 0, 0);
    expect_limits("SIZE 5", 0, 0, 0);
}
