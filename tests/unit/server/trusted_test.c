/* trusted_test.c - server/trusted.c */
#include "server/trusted.h"
#include "tests/support/test.h"

static bool trusts(const char *entry, const char *peer)
{
    struct smtp_server_trusted trusted;
    struct smtp_error error = {0};
    if (smtp_server_trusted_init(&trusted, &entry, 1, &error) != SMTP_OK) {
        SMTP_TEST_FAIL("%s", error.message);
    }
    bool found = smtp_server_trusts(&trusted, peer);
    smtp_server_trusted_clear(&trusted);
    return found;
}

static void expect_refused(const char *entry, const char *why)
{
    const char *entries[] = {"127.0.0.1", entry};
    struct smtp_server_trusted trusted;
    struct smtp_error error = {0};
    expect_int(smtp_server_trusted_init(&trusted, entries, 2, &error), SMTP_BAD_ARGUMENT);
    expect_contains(error.message, "trusted_peers[1]");
    expect_contains(error.message, entry != NULL ? entry : "");
    expect_contains(error.message, why);
}

TEST(trusted, nobody_is_by_default)
{
    struct smtp_server_trusted trusted;
    expect_int(smtp_server_trusted_init(&trusted, NULL, 0, NULL), SMTP_OK);
    expect_true(!smtp_server_trusts(&trusted, "127.0.0.1:25"));
    expect_true(!smtp_server_trusts(&trusted, "unix:"));
    smtp_server_trusted_clear(&trusted);
}

TEST(trusted, an_address_is_matched_whole_and_with_any_port)
{
    expect_true(trusts("127.0.0.1", "127.0.0.1:1"));
    expect_true(trusts("127.0.0.1", "127.0.0.1:65535"));
    expect_true(!trusts("127.0.0.1", "127.0.0.2:1"));
    expect_true(!trusts("127.0.0.1", "127.0.0.11:1"));
    expect_true(trusts("::1", "[::1]:25"));
    expect_true(trusts("2001:DB8:0::1", "[2001:db8::1]:25"));
    expect_true(!trusts("::1", "[::2]:25"));
}

TEST(trusted, a_network_is_matched_by_its_first_bits)
{
    expect_true(trusts("10.0.0.0/8", "10.255.0.1:25"));
    expect_true(!trusts("10.0.0.0/8", "11.0.0.1:25"));
    expect_true(trusts("192.0.2.128/25", "192.0.2.129:25"));
    expect_true(!trusts("192.0.2.128/25", "192.0.2.127:25"));
    expect_true(trusts("192.0.2.6/31", "192.0.2.7:25"));
    expect_true(!trusts("192.0.2.6/31", "192.0.2.8:25"));
    expect_true(trusts("0.0.0.0/0", "203.0.113.9:25"));
    expect_true(trusts("192.0.2.1/32", "192.0.2.1:25"));
    expect_true(!trusts("192.0.2.1/32", "192.0.2.0:25"));
    expect_true(trusts("2001:db8::/32", "[2001:db8:ffff::1]:25"));
    expect_true(!trusts("2001:db8::/32", "[2001:db9::1]:25"));
    expect_true(trusts("2001:db8::/33", "[2001:db8:7fff::1]:25"));
    expect_true(!trusts("2001:db8::/33", "[2001:db8:8000::1]:25"));
    expect_true(trusts("::1/128", "[::1]:25"));
}

TEST(trusted, all_of_one_family_is_none_of_another)
{
    expect_true(!trusts("0.0.0.0/0", "[::1]:25"));
    expect_true(!trusts("::/0", "127.0.0.1:25"));
    expect_true(!trusts("::/0", "unix:"));
    expect_true(!trusts("0.0.0.0/0", "unix:"));
    expect_true(!trusts("unix:", "127.0.0.1:25"));
    expect_true(!trusts("unix:", "[::]:25"));
}

TEST(trusted, an_IPv4_address_written_as_IPv6_is_the_IPv4_address)
{
    expect_true(trusts("127.0.0.1", "[::ffff:127.0.0.1]:25"));
    expect_true(trusts("::ffff:127.0.0.1", "127.0.0.1:25"));
    expect_true(trusts("::ffff:10.0.0.0/104", "10.9.9.9:25"));
    expect_true(!trusts("::ffff:10.0.0.0/104", "11.9.9.9:25"));
    expect_true(!trusts("::/0", "[::ffff:127.0.0.1]:25"));
}

TEST(trusted, a_unix_peer_with_and_without_a_path)
{
    expect_true(trusts("unix:", "unix:"));
    expect_true(trusts("unix:", "unix:/run/mail"));
}

TEST(trusted, what_is_no_address_is_not)
{
    static const char *const peers[] = {"",          "unknown", "unknown:0",     "127.0.0.1",
                                        "[::1",      ":25",     "127.0.0.1.:25", "localhost:25",
                                        "127.1:25x", "uni:"};
    for (size_t i = 0; i < sizeof peers / sizeof *peers; i++) {
        if (trusts("0.0.0.0/0", peers[i]) || trusts("::/0", peers[i]) ||
            trusts("unix:", peers[i])) {
            SMTP_TEST_FAIL("\"%s\" is trusted", peers[i]);
        }
    }
}

TEST(trusted, an_entry_that_is_none_is_named_with_what_is_wrong)
{
    expect_refused("", "must be an IPv4 or IPv6 address");
    expect_refused(NULL, "must be an IPv4 or IPv6 address");
    expect_refused("localhost", "must be an IPv4 or IPv6 address");
    expect_refused("127.0.0.1:25", "without a port");
    expect_refused("[::1]", "must be an IPv4 or IPv6 address");
    expect_refused("127.1", "must be an IPv4 or IPv6 address");
    expect_refused("127.0.0.256", "must be an IPv4 or IPv6 address");
    expect_refused(" 127.0.0.1", "must be an IPv4 or IPv6 address");
    expect_refused("unix:/run/mail", "unix:");
    expect_refused("10.0.0.0/33", "0 to 32");
    expect_refused("10.0.0.0/", "0 to 32");
    expect_refused("10.0.0.0/-1", "0 to 32");
    expect_refused("10.0.0.0/8/8", "0 to 32");
    expect_refused("::/129", "0 to 128");
    expect_refused("10.0.0.1/8", "beyond its prefix");
    expect_refused("192.0.2.129/25", "beyond its prefix");
    expect_refused("2001:db8::1/32", "beyond its prefix");
    expect_refused("0000:0000:0000:0000:0000:0000:0000:0000:0000:0001",
                   "must be an IPv4 or IPv6 address");
}
