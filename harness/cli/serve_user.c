/* serve_user.c - see serve_user.h. */
#include "harness/cli/serve_user.h"

#include "common/bytes.h"
#include "common/error.h"
#include "common/net.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define ID_MAX (UINT32_MAX - 1) /* -1 means "as it is" to setresuid(2) */
#define NO_GROUP ((gid_t)-1)
#define NAME_SIZE 256
#define RECORD_SIZE 16384 /* of a user or group with all its members */

/* ---- who is meant ---- */

static bool find_user(struct smtp_serve_user *user, const char *name)
{
    struct passwd record, *found = NULL;
    char memory[RECORD_SIZE];
    uint64_t number;
    if (getpwnam_r(name, &record, memory, sizeof memory, &found) != 0 || found == NULL) {
        if (!smtp_span_to_u64(smtp_span_of(name), ID_MAX, &number)) {
            return false;
        }
        user->uid = (uid_t)number;
        user->gid = NO_GROUP; /* the one of that number may be anybody's, and may have rights */
        (void)getpwuid_r(user->uid, &record, memory, sizeof memory, &found);
    }
    if (found != NULL) {
        user->uid = found->pw_uid;
        user->gid = found->pw_gid;
    }
    return true;
}

static bool find_group(struct smtp_serve_user *user, const char *name)
{
    struct group record, *found = NULL;
    char memory[RECORD_SIZE];
    uint64_t number;
    if (getgrnam_r(name, &record, memory, sizeof memory, &found) == 0 && found != NULL) {
        user->gid = found->gr_gid;
        return true;
    }
    bool is_number = smtp_span_to_u64(smtp_span_of(name), ID_MAX, &number);
    user->gid = is_number ? (gid_t)number : user->gid;
    return is_number;
}

bool smtp_serve_user_find(struct smtp_serve_user *user, const char *program)
{
    char name[NAME_SIZE];
    if (user->text == NULL) {
        return true;
    }
    const char *colon = strchr(user->text, ':');
    size_t len = colon != NULL ? (size_t)(colon - user->text) : strlen(user->text);
    snprintf(name, sizeof name, "%.*s", (int)(len < sizeof name ? len : sizeof name), user->text);
    if (!find_user(user, name)) {
        smtp_cli_wrong(program, "--run-as: there is no user '%s'", name);
        return false;
    }
    if (colon != NULL && !find_group(user, colon + 1)) {
        smtp_cli_wrong(program, "--run-as: there is no group '%s'", colon + 1);
        return false;
    }
    if (user->gid == NO_GROUP) {
        smtp_cli_wrong(program, "--run-as: user '%s' is in no list and has no group: say %s:GROUP",
                       name, name);
        return false;
    }
    if (user->uid == 0 || user->gid == 0) {
        smtp_cli_wrong(program, "--run-as takes a user and a group other than root's, not '%s'",
                       user->text);
        return false;
    }
    if (geteuid() != 0) {
        smtp_cli_failed(program, "--run-as %s: only root can become somebody else", user->text);
        return false;
    }
    return true;
}

/* ---- listening ---- */

/** What stands behind the scheme; the scheme is in front of it. */
static const char *behind_scheme(const char *text)
{
    const char *mark = strstr(text, "://");
    return mark != NULL ? mark + strlen("://") : text;
}

static bool starts_with(const char *text, const char *beginning)
{
    return strncmp(text, beginning, strlen(beginning)) == 0;
}

bool smtp_serve_user_listen(struct smtp_serve_user *user, const char *program,
                            struct smtp_cli_texts *listen)
{
    for (size_t i = 0; user->text != NULL && i < listen->count; i++) {
        const char *text = listen->items[i], *where = behind_scheme(text);
        struct smtp_address address;
        struct smtp_error error = {.message = ""};
        int fd = -1;
        if (starts_with(where, "unix:") || starts_with(where, "fd:")) {
            continue;
        }
        if (smtp_address_parse(where, 0, &address, &error) != SMTP_OK ||
            smtp_net_listen(&address, &fd, &error) != SMTP_OK) {
            smtp_cli_failed(program, "--listen %s: %s", text, error.message);
            return false;
        }
        snprintf(user->listeners[i], sizeof user->listeners[i], "%.*sfd:%d", (int)(where - text),
                 text, fd);
        listen->items[i] = user->listeners[i];
    }
    return true;
}

/* ---- becoming it ---- */

/** Real, effective and saved, and no further group; root cannot be had again. */
static bool has_become(const struct smtp_serve_user *user)
{
    uid_t uids[3];
    gid_t gids[3], further[2];
    return getresuid(&uids[0], &uids[1], &uids[2]) == 0 && uids[0] == user->uid &&
           uids[1] == user->uid && uids[2] == user->uid &&
           getresgid(&gids[0], &gids[1], &gids[2]) == 0 && gids[0] == user->gid &&
           gids[1] == user->gid && gids[2] == user->gid && getgroups(2, further) == 1 &&
           further[0] == user->gid && setuid(0) != 0 && seteuid(0) != 0 && setgid(0) != 0 &&
           setegid(0) != 0;
}

bool smtp_serve_user_become(const struct smtp_serve_user *user, const char *program)
{
    if (user->text == NULL) {
        return true;
    }
    /* Groups first: whoever is no longer root cannot let go of them. */
    if (setgroups(1, &user->gid) != 0 || setresgid(user->gid, user->gid, user->gid) != 0 ||
        setresuid(user->uid, user->uid, user->uid) != 0 ||
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        smtp_cli_failed(program, "--run-as %s: %s", user->text, smtp_errno_text(errno));
        return false;
    }
    if (!has_become(user)) {
        smtp_cli_failed(program, "--run-as %s: root's rights would not go", user->text);
        return false;
    }
    return true;
}
