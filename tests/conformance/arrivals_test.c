/* arrivals_test.c - what a Maildir that is watched may hold besides messages. */
#include "harness/conformance/arrivals.h"
#include "tests/support/files.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <sys/stat.h>

TEST(arrivals, watching_ends_whatever_stands_in_the_maildir)
{
    char directory[64], path[80];
    struct smtp_arrivals *arrivals = NULL;
    struct smtp_error error;
    smtp_make_directory(directory);
    snprintf(path, sizeof path, "%s/new", directory);
    expect_int(mkdir(path, 0700), 0);
    expect_int(smtp_arrivals_new_maildir(&arrivals, directory, &error), SMTP_OK);
    snprintf(path, sizeof path, "%s/new/fifo", directory);
    expect_int(mkfifo(path, 0600), 0);
    smtp_arrivals_free(arrivals);
    smtp_remove_directory(directory);
}
