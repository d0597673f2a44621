/* rules_test.c - what is said of rules: their order, which a prefix selects, and that each id is one rule's. */
#include "harness/conformance/rule.h"
#include "tests/support/test.h"

TEST(rules, are_in_the_order_of_rfcs_and_sections_by_their_numbers)
{
    static const char *const ordered[] = {
        "draft-x/2/a",        "rfc1870/3/a",     "rfc5321/4.1.1/z", "rfc5321/4.1.1.4/a",
        "rfc5321/4.1.1.10/a", "rfc5321/4.1.2/a", "rfc5321/4.10/a",  "rfc10000/1/a"};
    size_t count = sizeof ordered / sizeof *ordered;
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < count; k++) {
            int expected = (i > k) - (i < k);
            expect_int(smtp_rule_compare(ordered[i], ordered[k]), expected);
        }
    }
    expect_int(smtp_rule_compare("rfc1870/3/a", "rfc1870/3/b"), 0); /* one section */
}

TEST(rules, are_selected_by_what_their_ids_begin_with)
{
    static const char *const prefixes[] = {"rfc5321/4.5", "rfc5321/4.4.1/date"};
    expect_true(smtp_rule_is_selected("rfc5321/4.5.2/dots", prefixes, 2));
    expect_true(smtp_rule_is_selected("rfc5321/4.4.1/date", prefixes, 2));
    expect_true(!smtp_rule_is_selected("rfc5321/4.4.1/date", prefixes, 1));
    expect_true(!smtp_rule_is_selected("rfc5321", prefixes, 2));
    expect_true(smtp_rule_is_selected("rfc5321", NULL, 0));
}

static void expect_ids_of_their_own(enum smtp_rule_side side)
{
    size_t count = 0;
    for (const struct smtp_rule *rule; (rule = smtp_rule_at(side, count)) != NULL; count++) {
        for (size_t i = 0; i < count; i++) {
            expect_true(strcmp(rule->id, smtp_rule_at(side, i)->id) != 0);
        }
    }
    expect_true(count > 60);
}

TEST(rules, have_ids_of_their_own)
{
    expect_ids_of_their_own(SMTP_RULE_SERVER);
    expect_ids_of_their_own(SMTP_RULE_CLIENT);
}
