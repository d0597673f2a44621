/* serve_record_test.c - the dialogues that `serve --record` leaves. */
#include "tests/programs/serve.h"
#include "tests/support/files.h"
#include "tests/support/test.h"
#include "tests/support/wire.h"

#include <signal.h>
#include <stdio.h>

TEST(serve_record, each_session_is_recorded_as_a_dialogue)
{
    struct smtp_wire wire;
    char folder[64], made[128], file[160], url[200];
    smtp_make_directory(folder);
    snprintf(made, sizeof made, "%s/made", folder);
    snprintf(file, sizeof file, "%s/session-1.smtp", made);
    struct background serve = start_process(ARGV("serve", "--record", made));
    hear_url(&serve, url, sizeof url);
    enter(&wire, url);
    expect_contains(smtp_wire_ask(&wire, "MAIL FROM:<ann@example.com>"), "250 ");
    expect_contains(smtp_wire_ask(&wire, "QUIT"), "221 ");
    expect_true(smtp_wire_closed(&wire));
    smtp_wire_close(&wire);
    expect_int(end_process(&serve, SIGTERM), 0);
    char *dialogue = smtp_read_file(file, NULL);
    expect_contains(dialogue, "C: MAIL FROM:<ann@example.com>\n");
    expect_contains(dialogue, "S: 221 ");
    free(dialogue);
    smtp_remove_directory(folder);
    expect_wrong(ARGV("serve", "--record", "/dev/null/x"), "--record: ");
}
