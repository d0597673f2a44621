/* send_progress_test.c - the bar of the verb `send`: when it is drawn, what it tells, that nothing of it stays. */
#include "harness/cli/send_progress.h"
#include "tests/support/test.h"

#define MS 1000000ULL
#define MIB 1048576ULL

struct drawing {
    struct smtp_send_progress progress;
    char *text;
    size_t len;
};

static void drawing_begin(struct drawing *drawing, uint64_t total)
{
    *drawing = (struct drawing){.progress.total = total};
    drawing->progress.out = open_memstream(&drawing->text, &drawing->len);
    expect_true(drawing->progress.out != NULL);
}

/** All that was drawn. */
static void drawing_end(struct drawing *drawing, const char *expected)
{
    smtp_send_progress_end(&drawing->progress);
    expect_int(fclose(drawing->progress.out), 0);
    expect_str(drawing->text, expected);
    free(drawing->text);
}

TEST(send_progress, content_that_takes_less_than_a_second_has_no_bar)
{
    struct drawing drawing;
    drawing_begin(&drawing, 2 * MIB);
    smtp_send_progress_add(&drawing.progress, MIB, 5 * MS);
    smtp_send_progress_add(&drawing.progress, MIB, 1004 * MS);
    drawing_end(&drawing, "");
}

TEST(send_progress, the_bar_is_drawn_ten_times_a_second_at_most_and_taken_away)
{
    struct drawing drawing;
    drawing_begin(&drawing, 4 * MIB);
    smtp_send_progress_add(&drawing.progress, MIB, 5 * MS);
    smtp_send_progress_add(&drawing.progress, MIB, 1005 * MS);
    smtp_send_progress_add(&drawing.progress, MIB / 2, 1104 * MS);
    smtp_send_progress_add(&drawing.progress, MIB / 2, 2005 * MS);
    drawing_end(&drawing, "\r[###############...............]  50%  2.0 of 4.0 MiB, 2.0 MiB/s\033[K"
                          "\r[######################........]  75%  3.0 of 4.0 MiB, 1.5 MiB/s\033[K"
                          "\r\033[K");
}

TEST(send_progress, octets_that_are_added_on_the_way_never_make_it_more_than_all)
{
    struct drawing drawing;
    drawing_begin(&drawing, MIB);
    smtp_send_progress_add(&drawing.progress, MIB, 5 * MS);
    smtp_send_progress_add(&drawing.progress, MIB, 1005 * MS);
    drawing_end(&drawing,
                "\r[##############################] 100%  2.0 of 2.0 MiB, 2.0 MiB/s\033[K\r\033[K");
}

TEST(send_progress, what_comes_off_a_pipe_has_no_bar_but_its_speed)
{
    struct drawing drawing;
    drawing_begin(&drawing, 0);
    smtp_send_progress_add(&drawing.progress, MIB, 5 * MS);
    smtp_send_progress_add(&drawing.progress, MIB, 2005 * MS);
    drawing_end(&drawing, "\r2.0 MiB, 1.0 MiB/s\033[K\r\033[K");
}

TEST(send_progress, where_nothing_is_drawn_octets_are_counted_alone)
{
    struct smtp_send_progress progress = {.total = MIB};
    smtp_send_progress_add(&progress, 5, 5 * MS);
    smtp_send_progress_add(&progress, 5, 5000 * MS);
    smtp_send_progress_end(&progress);
    expect_int(progress.sent, 10);
}
