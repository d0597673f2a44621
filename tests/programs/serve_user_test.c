/* serve_user_test.c - whom `serve` runs as, and what it says where strangers reach it. Root's part runs where the
 * tests are root's; elsewhere it is looked at that nobody else is believed. */
#include "harness/smtp_harness.h"
#include "tests/programs/serve.h"
#include "tests/support/files.h"
#include "tests/support/test.h"

#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOBODY 65534
#define NOBODY_TEXT "65534:65534"
#define UNSHARE "/usr/bin/unshare"

static void expect_only_root_may(void)
{
    expect_failed(ARGV("serve", "--run-as", NOBODY_TEXT), "only root can become somebody else");
}

static bool is_root(void)
{
    return geteuid() == 0;
}

/** Each thread of it is that user and group alone, has no capability, and gets none. */
static void expect_nobody(pid_t pid)
{
    static const char *const lines[] = {"\nUid:\t65534\t65534\t65534\t65534\n",
                                        "\nGid:\t65534\t65534\t65534\t65534\n",
                                        "\nGroups:\t65534 \n",
                                        "\nCapPrm:\t0000000000000000\n",
                                        "\nCapEff:\t0000000000000000\n",
                                        "\nNoNewPrivs:\t1\n"};
    char directory[64], path[128], name[100], status[4096];
    snprintf(directory, sizeof directory, "/proc/%ld/task", (long)pid);
    expect_true(smtp_count_entries(directory, "", name, sizeof name) >= 2);
    snprintf(path, sizeof path, "%s/status", name);
    for (int i = 0; i < 2; i++) { /* one of its threads, and the first */
        FILE *file = fopen(path, "re");
        expect_true(file != NULL);
        status[fread(status, 1, sizeof status - 1, file)] = '\0';
        fclose(file);
        for (size_t k = 0; k < sizeof lines / sizeof *lines; k++) {
            expect_contains(status, lines[k]);
        }
        snprintf(path, sizeof path, "/proc/%ld/status", (long)pid);
    }
}

static void expect_message_taken(const char *url)
{
    struct smtp_wire wire;
    enter(&wire, url);
    expect_contains(smtp_wire_ask(&wire, "MAIL FROM:<ann@example.com>"), "250 ");
    expect_contains(smtp_wire_ask(&wire, "RCPT TO:<bob@example.com>"), "250 ");
    expect_contains(smtp_wire_ask(&wire, "DATA"), "354 ");
    expect_contains(smtp_wire_ask(&wire, "text\r\n."), "250 ");
    smtp_wire_close(&wire);
}

static void expect_owner(const char *path)
{
    struct stat status;
    expect_int(stat(path, &status), 0);
    expect_int(status.st_uid, NOBODY);
    expect_int(status.st_gid, NOBODY);
}

TEST(serve_user, root_becomes_somebody_else_before_it_writes_or_accepts_anything)
{
    char folder[64], maildir[80], record[80], unix_socket[80], listener[96], url[200];
    if (!is_root()) {
        expect_only_root_may();
        return;
    }
    smtp_make_directory(folder);
    expect_int(chown(folder, NOBODY, NOBODY), 0);
    snprintf(maildir, sizeof maildir, "%s/mail", folder);
    snprintf(record, sizeof record, "%s/record", folder);
    snprintf(unix_socket, sizeof unix_socket, "%s/socket", folder);
    snprintf(listener, sizeof listener, "unix:%s", unix_socket);
    struct background serve = start_process(
        ARGV("serve", "--run-as", NOBODY_TEXT, "--listen", "127.0.0.1:0", "--listen", listener,
             "--listen", "lmtp://[::1]:0", "--maildir", maildir, "--record", record));
    hear_url(&serve, url, sizeof url);
    expect_true(strncmp(url, "smtp://127.0.0.1:", 17) == 0);
    expect_nobody(serve.pid);
    expect_message_taken(url);
    hear_url(&serve, url, sizeof url);
    expect_str(url, listener);
    hear_url(&serve, url, sizeof url);
    expect_true(strncmp(url, "lmtp://[::1]:", 13) == 0);
    expect_message_taken(url);
    expect_owner(maildir);
    expect_owner(record);
    expect_owner(unix_socket);
    expect_int(smtp_count_entries(maildir, "new", NULL, 0), 2);
    expect_int(end_process(&serve, SIGTERM), 0);
    expect_int(access(unix_socket, F_OK), -1);
    smtp_remove_directory(folder);
}

/** A port below 1024 that is free now. */
static int privileged_port(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    expect_int(bindresvport(fd, &at), 0);
    expect_int(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    close(fd);
    return ntohs(at.sin_port);
}

TEST(serve_user, it_listens_and_reads_its_key_where_only_root_may)
{
    char folder[64], key[80], certificate[80], address[64], expected[96], url[200];
    if (!is_root()) {
        expect_only_root_may();
        return;
    }
    smtp_make_directory(folder); /* root's alone */
    snprintf(key, sizeof key, "%s/key", folder);
    snprintf(certificate, sizeof certificate, "%s/certificate", folder);
    struct ended made = run_to_end(
        (const char *const[]){"/usr/bin/openssl", "req", "-x509", "-newkey", "ed25519", "-nodes",
                              "-subj", "/CN=localhost", "-keyout", key, "-out", certificate, NULL});
    expect_int(made.exit_status, 0);
    ended_clear(&made);
    snprintf(address, sizeof address, "127.0.0.1:%d", privileged_port());
    snprintf(expected, sizeof expected, "smtp://%s", address);
    struct background serve =
        start_process(ARGV("serve", "--run-as", NOBODY_TEXT, "--listen", address, "--certificate",
                           certificate, "--key", key));
    hear_url(&serve, url, sizeof url);
    expect_str(url, expected);
    expect_nobody(serve.pid);
    expect_message_taken(url);
    expect_int(end_process(&serve, SIGTERM), 0);
    smtp_remove_directory(folder);
}

TEST(serve_user, what_only_root_could_write_it_does_not_write)
{
    char folder[64], maildir[80];
    if (!is_root()) {
        expect_only_root_may();
        return;
    }
    smtp_make_directory(folder);
    snprintf(maildir, sizeof maildir, "%s/mail", folder);
    expect_wrong(ARGV("serve", "--run-as", NOBODY_TEXT, "--maildir", maildir), "ermission denied");
    expect_int(access(maildir, F_OK), -1);
    smtp_remove_directory(folder);
}

TEST(serve_user, who_is_not_there_or_is_root_is_told)
{
    expect_wrong(ARGV("serve", "--run-as", "no such one"), "there is no user 'no such one'");
    expect_wrong(ARGV("serve", "--run-as", ""), "run-as");
    expect_wrong(ARGV("serve", "--run-as", ":65534"), "there is no user ''");
    expect_wrong(ARGV("serve", "--run-as", "65534:no such"), "there is no group 'no such'");
    expect_wrong(ARGV("serve", "--run-as", "65534:"), "there is no group ''");
    expect_wrong(ARGV("serve", "--run-as", "4294967295"), "there is no user '4294967295'");
    expect_wrong(ARGV("serve", "--run-as", "4294967294"), "say 4294967294:GROUP");
    expect_wrong(ARGV("serve", "--run-as", "root"), "other than root's, not 'root'");
    expect_wrong(ARGV("serve", "--run-as", "65534:0"), "other than root's, not '65534:0'");
}

TEST(serve_user, an_address_that_is_taken_is_told)
{
    char url[200];
    if (!is_root()) {
        expect_only_root_may();
        return;
    }
    struct background first = start_process(ARGV("serve"));
    hear_url(&first, url, sizeof url);
    expect_failed(ARGV("serve", "--run-as", NOBODY_TEXT, "--listen", url), "in use");
    expect_int(end_process(&first, SIGTERM), 0);
}

/* ---- who reaches it ---- */

/** Standard error of a server that ends by itself. */
static void expect_said(const char *const argv[], const char *const said[3])
{
    struct ended ended = run_to_end(argv);
    expect_int(ended.exit_status, 0);
    for (size_t i = 0; i < 3 && said[i] != NULL; i++) {
        expect_contains(ended.err, said[i]);
    }
    expect_true(said[0] != NULL || strstr(ended.err, "warning") == NULL);
    ended_clear(&ended);
}

TEST(serve_user, on_loopback_and_unix_sockets_there_is_no_warning)
{
    char folder[64], listener[96];
    smtp_make_directory(folder);
    snprintf(listener, sizeof listener, "lmtp://unix:%s/socket", folder);
    expect_said(ARGV("serve", "--idle-exit", "1", "--listen", "127.0.0.1:0", "--listen",
                     "127.8.0.1:0", "--listen", "[::1]:0", "--listen", "localhost:0", "--listen",
                     listener),
                (const char *const[3]){NULL});
    smtp_remove_directory(folder);
}

/** In a network of its own, where nobody else is; false: there is none to be had here. */
static bool has_own_network(void)
{
    struct ended ended =
        run_to_end((const char *const[]){UNSHARE, "-r", "--net", "/bin/true", NULL});
    int status = ended.exit_status;
    ended_clear(&ended);
    return status == 0;
}
#define ALONE(...)                                                                                 \
    ((const char *const[]){UNSHARE, "-r", "--net", SMTP_HARNESS, "serve", "--idle-exit", "1",      \
                           __VA_ARGS__, NULL})

TEST(serve_user, wider_than_loopback_is_warned_of_by_what_is_not_asked_for)
{
    if (!has_own_network()) {
        fprintf(stderr, "skipped: no network of its own to be had\n");
        return;
    }
    expect_said(ALONE("--listen", "0.0.0.0:0"),
                (const char *const[3]){"warning: smtp://0.0.0.0:", "hand mail in (see --auth-requ",
                                       "read on its way (see --tls-required)"});
    expect_said(
        ALONE("--listen", "[::]:0", "--tls-required"),
        (const char *const[3]){"warning: smtp://[::]:",
                               "machines: anybody may hand mail in (see --auth-required)\n"});
    expect_said(ALONE("--listen", "smtps://0.0.0.0:0", "--relay", "smtp://127.0.0.1:9"),
                (const char *const[3]){"warning: smtps://0.0.0.0:", "have mail relayed (see"});
    expect_said(ALONE("--listen", "0.0.0.0:0", "--auth", "ann:x", "--auth-required"),
                (const char *const[3]){"other machines: mail may be read on its way"});
    expect_said(
        ALONE("--listen", "0.0.0.0:0", "--auth", "ann:x", "--auth-required", "--tls-required"),
        (const char *const[3]){NULL});
}
