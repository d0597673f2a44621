/* nearest_test.c - harness/nearest.c: which word a mistyped one was meant to be. */
#include "harness/nearest.h"
#include "tests/support/test.h"

static const char *nearest_to(const char *typed)
{
    static const char *const words[] = {"from", "to", "form", "subject", "attachments"};
    struct smtp_nearest nearest = {.typed = typed};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        smtp_nearest_offer(&nearest, words[i]);
    }
    return nearest.word;
}

TEST(nearest, the_word_with_the_fewest_changes_wins)
{
    expect_str(nearest_to("fron"), "from");
    expect_str(nearest_to("orm"), "form");
    expect_str(nearest_to("sbject"), "subject");
    expect_str(nearest_to("from"), "from");
    expect_str(nearest_to("form"), "form");
}

TEST(nearest, the_beginning_of_a_word_is_near_to_it)
{
    expect_str(nearest_to("att"), "attachments");
    expect_str(nearest_to("subj"), "subject");
    expect_true(nearest_to("at") == NULL || strcmp(nearest_to("at"), "attachments") != 0);
}

TEST(nearest, what_is_like_nothing_has_no_nearest_word)
{
    expect_true(nearest_to("zzzzzz") == NULL);
    expect_true(nearest_to("recipient") == NULL);
}
