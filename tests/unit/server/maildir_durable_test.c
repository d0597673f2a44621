/* maildir_durable_test.c - what a durable Maildir has made sure of when it accepts: the file's octets before
 * it is moved to new, its name there before the 250. fsync is this program's own here, and looks. */
#include "server/smtp_receivers.h"
#include "tests/support/files.h"
#include "tests/support/test.h"
#include "tests/unit/server/made_message.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct watch {
    const char *path; /* of the Maildir, once it is open */
    unsigned files, directories;
    _Atomic unsigned before;         /* directories, before it was; sessions deliver at once */
    int file_errno, directory_errno; /* with which they fail */
} watch;

int fsync(int fd)
{
    struct stat status;
    expect_int(fstat(fd, &status), 0);
    bool is_directory = S_ISDIR(status.st_mode);
    if (watch.path == NULL) {
        watch.before += is_directory;
        errno = watch.directory_errno;
        return errno != 0 ? -1 : (int)syscall(SYS_fsync, fd);
    }
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

/* The code of the reply to one message, where files and directories are synced with these errors. */
static int deliver_one(bool durable, int file_errno, int directory_errno)
{
    char path[64];
    void *user = NULL;
    struct smtp_server_hooks table;
    struct smtp_server_reply reply = {0};
    struct smtp_server_session_info session = made_session(&user);
    watch = (struct watch){0};
    smtp_make_directory(path);
    expect_int(smtp_receiver_maildir(
                   &table, &(struct smtp_maildir){.path = path, .durable = durable}, NULL),
               SMTP_OK);
    watch.path = path;
    watch.file_errno = file_errno;
    watch.directory_errno = directory_errno;
    struct smtp_message *message = made_message(&(struct made){.content = "Subject: hi\r\n\r\n"});
    expect_true(table.content(table.user, &session, message, "Subject: hi\r\n\r\n", 15));
    bool accepted = table.message(table.user, &session, message, &reply) == SMTP_ACCEPT;
    expect_int(smtp_count_entries(path, "new", NULL, 0), accepted ? 1 : 0);
    expect_int(smtp_count_entries(path, "tmp", NULL, 0), 0);
    smtp_message_release(message);
    table.release(table.user);
    smtp_remove_directory(path);
    watch.path = NULL;
    watch.directory_errno = 0;
    return accepted ? 250 : reply.code;
}

TEST(maildir, a_durable_message_is_synced_then_moved_then_its_directory_is_synced_RFC_5321_6_1)
{
    expect_int(deliver_one(true, 0, 0), 250);
    expect_int(watch.files, 1);
    expect_int(watch.directories, 1);
}

TEST(maildir, one_that_need_not_be_durable_is_not_synced)
{
    expect_int(deliver_one(false, 0, 0), 250);
    expect_int(watch.files + watch.directories, 0);
}

TEST(maildir, octets_that_cannot_be_synced_are_no_message_RFC_5321_6_1)
{
    expect_int(deliver_one(true, EIO, 0), 451);
    expect_int(watch.directories, 0);
    expect_int(deliver_one(true, ENOSPC, 0), 452);
    expect_int(watch.directories, 0);
}

TEST(maildir, a_name_that_cannot_be_synced_is_no_message_RFC_5321_6_1)
{
    expect_int(deliver_one(true, 0, EIO), 451);
    expect_int(watch.directories, 1);
}

/* How many directories are synced before it is open. */
static unsigned count_synced(const char *path, bool durable)
{
    struct smtp_server_hooks table;
    watch.before = 0;
    expect_int(smtp_receiver_maildir(
                   &table, &(struct smtp_maildir){.path = path, .durable = durable}, NULL),
               SMTP_OK);
    table.release(table.user);
    return watch.before;
}

TEST(maildir, a_durable_one_that_is_made_is_synced_in_its_folder_with_its_own_RFC_5321_6_1)
{
    char folder[64], path[80];
    struct smtp_server_hooks table;
    struct smtp_error error = {.message = ""};
    smtp_make_directory(folder);
    snprintf(path, sizeof path, "%s/volatile", folder);
    expect_int(count_synced(path, false), 0);
    expect_int(count_synced(path, true), 1);
    snprintf(path, sizeof path, "%s/mail", folder);
    expect_int(count_synced(path, true), 2);
    watch.directory_errno = EIO;
    expect_int(smtp_receiver_maildir(&table, &(struct smtp_maildir){.path = path, .durable = true},
                                     &error),
               SMTP_BAD_ARGUMENT);
    watch.directory_errno = 0;
    smtp_remove_directory(folder);
}
