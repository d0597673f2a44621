/* maildir_durable_test.c - what a durable Maildir has made sure of when it accepts: the file's octets before
 * it is moved to new, its name there before the 250. fsync is this program's own here, and looks. */
#include "server/smtp_receivers.h"
#include "tests/support/files.h"
#include "tests/support/test.h"
#include "tests/unit/server/made_message.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct watch {
    const char *path; /* of the Maildir */
    unsigned files, directories;
    int file_errno, directory_errno; /* with which they fail */
} watch;

int fsync(int fd)
{
    struct stat status;
    if (watch.path == NULL) { /* of another test */
        return (int)syscall(SYS_fsync, fd);
    }
    expect_int(fstat(fd, &status), 0);
    bool is_directory = S_ISDIR(status.st_mode);
    unsigned in_new = smtp_count_entries(watch.path, "new", NULL, 0);
    unsigned in_tmp = smtp_count_entries(watch.path, "tmp", NULL, 0);
    expect_int(in_new, is_directory ? 1 : 0);
    expect_int(in_tmp, is_directory ? 0 : 1);
    expect_true(is_directory || status.st_size > 100); /* its trace field, and all behind it */
    watch.files += !is_directory;
    watch.directories += is_directory;
    errno = is_directory ? watch.directory_errno : watch.file_errno;
    return errno != 0 ? -1 : (int)syscall(SYS_fsync, fd);
}

/* The code of the reply to one message. */
static int deliver_one(bool durable)
{
    char path[64];
    void *user = NULL;
    struct smtp_server_hooks table;
    struct smtp_server_reply reply = {0};
    struct smtp_server_session_info session = made_session(&user);
    watch.path = smtp_make_directory(path);
    expect_int(smtp_receiver_maildir(
                   &table, &(struct smtp_maildir){.path = path, .durable = durable}, NULL),
               SMTP_OK);
    struct smtp_message *message = made_message(&(struct made){.content = "Subject: hi\r\n\r\n"});
    expect_true(table.content(table.user, &session, message, "Subject: hi\r\n\r\n", 15));
    bool accepted = table.message(table.user, &session, message, &reply) == SMTP_ACCEPT;
    expect_int(smtp_count_entries(path, "new", NULL, 0), accepted ? 1 : 0);
    expect_int(smtp_count_entries(path, "tmp", NULL, 0), 0);
    smtp_message_release(message);
    table.release(table.user);
    smtp_remove_directory(path);
    return accepted ? 250 : reply.code;
}

TEST(maildir, a_durable_message_is_synced_then_moved_then_its_directory_is_synced_RFC_5321_6_1)
{
    expect_int(deliver_one(true), 250);
    expect_int(watch.files, 1);
    expect_int(watch.directories, 1);
}

TEST(maildir, one_that_need_not_be_durable_is_not_synced)
{
    expect_int(deliver_one(false), 250);
    expect_int(watch.files + watch.directories, 0);
}

TEST(maildir, octets_that_cannot_be_synced_are_no_message_RFC_5321_6_1)
{
    watch.file_errno = EIO;
    expect_int(deliver_one(true), 451);
    watch.file_errno = ENOSPC;
    expect_int(deliver_one(true), 452);
    expect_int(watch.directories, 0);
}

TEST(maildir, a_name_that_cannot_be_synced_is_no_message_RFC_5321_6_1)
{
    watch.directory_errno = EIO;
    expect_int(deliver_one(true), 451);
    expect_int(watch.directories, 1);
}
