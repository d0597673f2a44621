/* links_test.c - which links a text and an HTML document have. */
#include "harness/links.h"
#include "tests/support/test.h"

typedef bool finder(const char *text, size_t *from, struct smtp_harness_lines *link);

static void expect_link(finder *find, const char *text, size_t i, const char *expected)
{
    size_t from = 0;
    char *link = NULL;
    bool found = true;
    for (size_t k = 0; found && k <= i; k++) {
        struct smtp_harness_lines lines = SMTP_HARNESS_LINES;
        free(link);
        found = find(text, &from, &lines);
        link = smtp_harness_lines_take(&lines);
    }
    expect_int(found, expected != NULL);
    expect_str(link, expected != NULL ? expected : "");
    free(link);
}

TEST(links, html_has_them_in_href_attributes)
{
    static const char html[] =
        "<p>http://text.test/</p><A class=x HREF = \"https://a.test/?x=1&amp;y=%20\">a</a>"
        "<a href='http://b.test/'>b</a><a href=mailto:c@d.test>c</a>"
        "<a href=\"#top\">no</a><a href>no</a><a data-href=\"http://no.test\">no</a>"
        "<!-- <a href=\"http://comment.test\"> --><script>'<a href=\"http://no.test\">'</script>"
        "<br/><a\n\thref=\" \nhttp://e.test/&#x263a;&#38;&#0;&copy;&bogus \" >e</a>";
    expect_link(smtp_harness_link_in_html, html, 0, "https://a.test/?x=1&y=%20");
    expect_link(smtp_harness_link_in_html, html, 1, "http://b.test/");
    expect_link(smtp_harness_link_in_html, html, 2, "mailto:c@d.test");
    expect_link(smtp_harness_link_in_html, html, 3, "http://e.test/\342\230\272&&#0;&copy;&bogus");
    expect_link(smtp_harness_link_in_html, html, 4, NULL);
}

TEST(links, broken_html_is_read_to_its_end)
{
    static const char *const rows[] = {"",         "<",          "<a",         "<a href",
                                       "<a href=", "<a href=\"", "<!--",       "<script>",
                                       "<a =",     "<a / = / >", "<a href='&", "<a href=\"&#x\">"};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *copy = strdup(rows[i]); /* on the heap, so that a step too far is seen */
        expect_link(smtp_harness_link_in_html, copy, 0, NULL);
        free(copy);
    }
    expect_link(smtp_harness_link_in_html, "<a href=\"http://x.test/", 0, "http://x.test/");
    expect_link(smtp_harness_link_in_html, "<<a href=http://x.test/>", 0, "http://x.test/");
}

TEST(links, a_text_has_them_up_to_the_end_of_the_sentence)
{
    static const char text[] = "See http://a.test/x?y=1, or (https://b.test/z).\n"
                               "<HTTP://c.test/> mailto:d@e.test; \"https://f.test/a_(b)\" "
                               "xhttp://no.test http: https:, http://g.test";
    expect_link(smtp_harness_link_in_text, text, 0, "http://a.test/x?y=1");
    expect_link(smtp_harness_link_in_text, text, 1, "https://b.test/z");
    expect_link(smtp_harness_link_in_text, text, 2, "HTTP://c.test/");
    expect_link(smtp_harness_link_in_text, text, 3, "mailto:d@e.test");
    expect_link(smtp_harness_link_in_text, text, 4, "https://f.test/a_(b)");
    expect_link(smtp_harness_link_in_text, text, 5, "http://g.test");
    expect_link(smtp_harness_link_in_text, text, 6, NULL);
    expect_link(smtp_harness_link_in_text, "", 0, NULL);
}

TEST(links, a_character_reference_is_written_in_utf8_of_each_length)
{
    static const char html[] =
        "<a href=\"http://a.test/&#x7f;&#x80;&#x7ff;&#x800;&#xffff;&#x10000;&#x10ffff;\">"
        "<a href=\"http://b.test/&#xd7ff;&#xe000;\">"
        "<a href=\"http://c.test/&#xd800;&#xdfff;&#x110000;\">";
    expect_link(smtp_harness_link_in_html, html, 0,
                "http://a.test/"
                "\177\302\200\337\277\340\240\200\357\277\277\360\220\200\200\364\217\277\277");
    expect_link(smtp_harness_link_in_html, html, 1, "http://b.test/\355\237\277\356\200\200");
    expect_link(smtp_harness_link_in_html, html, 2, "http://c.test/&#xd800;&#xdfff;&#x110000;");
}

/** That the links of both are these, each with a line end behind it. */
static void expect_links(const char *html, const char *text, const char *expected)
{
    struct smtp_harness_link_place place = {0};
    struct smtp_harness_lines lines = SMTP_HARNESS_LINES;
    while (smtp_harness_link_next(html, text, &place, &lines)) {
        smtp_harness_lines_print(&lines, "\n");
    }
    char *links = smtp_harness_lines_take(&lines);
    expect_str(links, expected);
    free(links);
}

TEST(links, the_text_s_are_a_message_s_only_where_its_html_has_none)
{
    static const char html[] = "<a href=http://a.test></a><a href=http://b.test></a>";
    static const char text[] = "a text that goes on beyond where the HTML's links end: "
                               "http://c.test http://d.test";
    expect_links(html, text, "http://a.test\nhttp://b.test\n");
    expect_links("<p>none</p>", text, "http://c.test\nhttp://d.test\n");
    expect_links(NULL, text, "http://c.test\nhttp://d.test\n");
    expect_links(html, NULL, "http://a.test\nhttp://b.test\n");
    expect_links("", "", "");
}
