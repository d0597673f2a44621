/* cells.c - see cells.h. The file has a line a cell: column, row, value, parted by tabs. Tests run beside
 * each other: a line is one write to the file's end. */
#include "tests/peers/cells.h"

#include "tests/support/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

const char *const mechanisms[MECHANISM_COUNT] = {
    "PLAIN",
    "LOGIN",
    "CRAM-MD5",
    "SCRAM-SHA-1",
    "SCRAM-SHA-256",
    "SCRAM-SHA-1-PLUS",
    "SCRAM-SHA-256-PLUS",
    "EXTERNAL",
    "XOAUTH2",
    "OAUTHBEARER",
};

static void record(const char *peer, const char *row, const char *value)
{
    char line[200];
    int len = snprintf(line, sizeof line, "%s\t%s\t%s\n", peer, row, value);
    int file = open(PEERS_CELLS, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    expect_true(len > 0 && (size_t)len < sizeof line && file >= 0);
    expect_int(write(file, line, (size_t)len), len);
    close(file);
}

void cell_ok(const char *peer, enum way way, const char *row)
{
    static const char *const letters[] = {"S", "I", "C"};
    record(peer, row, letters[way]);
}

void cell_lacking(const char *peer, const char *row)
{
    record(peer, row, "-");
}
