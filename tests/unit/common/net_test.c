/* net_test.c - common/net.c, over loopback sockets with ports the system picks. */
#include "common/clock.h"
#include "common/net.h"
#include "tests/support/test.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static uint64_t soon(void)
{
    return smtp_deadline_after(smtp_clock_now_ns(), 10000);
}

/* A listener on a free port of the host; address tells which. */
static int listen_on(const char *host, struct smtp_address *address)
{
    int fd = -1;
    expect_int(smtp_address_parse(host, 0, address, NULL), SMTP_OK);
    expect_int(smtp_net_listen(address, &fd, NULL), SMTP_OK);
    smtp_address_of_socket(fd, false, address);
    return fd;
}

static int connect_to(const struct smtp_address *address)
{
    int fd = -1;
    expect_int(smtp_net_connect(address, NULL, soon(), &fd, NULL), SMTP_OK);
    return fd;
}

static int accept_from(int listener)
{
    expect_int(smtp_net_wait(listener, false, soon()), SMTP_OK);
    return smtp_net_accept(listener);
}

/* Two ends of one TCP connection. */
static void make_pair(int ends[2])
{
    struct smtp_address address;
    int listener = listen_on("127.0.0.1", &address);
    ends[0] = connect_to(&address);
    ends[1] = accept_from(listener);
    expect_true(ends[1] >= 0);
    close(listener);
}

static void expect_exchange(int from, int to)
{
    char octets[8];
    size_t len = 0;
    const struct iovec parts[] = {{.iov_base = (char[]){"ab"}, .iov_len = 2},
                                  {.iov_base = (char[]){"cd"}, .iov_len = 2}};
    expect_int(smtp_net_write(from, parts, 2, soon(), &len), SMTP_OK);
    expect_int(len, 4);
    expect_int(smtp_net_read(to, octets, sizeof octets, soon(), &len), SMTP_OK);
    expect_bytes(octets, len, "abcd", 4);
}

TEST(net, both_ends_of_a_connection_exchange_octets_and_know_each_other)
{
    int ends[2];
    struct smtp_address own, peer;
    make_pair(ends);
    expect_exchange(ends[0], ends[1]);
    expect_exchange(ends[1], ends[0]);
    smtp_address_of_socket(ends[0], false, &own);
    smtp_address_of_socket(ends[1], true, &peer);
    expect_str(peer.host, "127.0.0.1");
    expect_int(peer.port, own.port);
}

TEST(net, descriptors_are_non_blocking_close_on_exec_and_do_not_delay_small_writes)
{
    int ends[2];
    make_pair(ends);
    for (int i = 0; i < 2; i++) {
        int on = 0;
        socklen_t len = sizeof on;
        expect_true((fcntl(ends[i], F_GETFL) & O_NONBLOCK) != 0);
        expect_true((fcntl(ends[i], F_GETFD) & FD_CLOEXEC) != 0);
        expect_int(getsockopt(ends[i], IPPROTO_TCP, TCP_NODELAY, &on, &len), 0);
        expect_true(on != 0);
    }
}

TEST(net, a_read_ends_at_its_deadline)
{
    int ends[2];
    char octet;
    size_t len = 1;
    make_pair(ends);
    uint64_t start_ns = smtp_clock_now_ns();
    uint64_t deadline_ns = smtp_deadline_after(start_ns, 20);
    expect_int(smtp_net_read(ends[0], &octet, 1, deadline_ns, &len), SMTP_TIMED_OUT);
    expect_int(len, 0);
    expect_true(smtp_clock_now_ns() >= deadline_ns);
}

TEST(net, a_write_nobody_reads_ends_at_its_deadline)
{
    int ends[2];
    static char octets[65536];
    const struct iovec part = {octets, sizeof octets};
    enum smtp_status status = SMTP_OK;
    make_pair(ends);
    for (int i = 0; i < 10000 && status == SMTP_OK; i++) {
        size_t len = 0;
        uint64_t deadline_ns = smtp_deadline_after(smtp_clock_now_ns(), 20);
        status = smtp_net_write(ends[0], &part, 1, deadline_ns, &len);
    }
    expect_int(status, SMTP_TIMED_OUT);
}

/* The default action of SIGPIPE would end this test's process. */
TEST_ALONE(net, writing_to_a_peer_that_has_gone_is_closed_and_no_signal)
{
    int ends[2];
    const struct iovec part = {.iov_base = (char[]){"x"}, .iov_len = 1};
    enum smtp_status status = SMTP_OK;
    signal(SIGPIPE, SIG_DFL);
    make_pair(ends);
    close(ends[1]);
    for (int i = 0; i < 1000 && status == SMTP_OK; i++) {
        size_t len = 0;
        status = smtp_net_write(ends[0], &part, 1, soon(), &len);
    }
    expect_int(status, SMTP_CLOSED);
}

TEST(net, end_of_file_and_reset_are_closed)
{
    int ends[2];
    char octet;
    size_t len = 0;
    make_pair(ends);
    close(ends[1]);
    expect_int(smtp_net_read(ends[0], &octet, 1, soon(), &len), SMTP_CLOSED);
    close(ends[0]);

    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    make_pair(ends);
    expect_int(setsockopt(ends[1], SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
    close(ends[1]);
    expect_int(smtp_net_read(ends[0], &octet, 1, soon(), &len), SMTP_CLOSED);
}

TEST(net, a_refused_connection_says_host_port_and_reason)
{
    struct smtp_address address;
    struct smtp_error error;
    char text[SMTP_ADDRESS_TEXT_SIZE];
    int fd = 0;
    close(listen_on("127.0.0.1", &address)); /* a port nobody listens on now */
    smtp_address_format(&address, text);
    expect_int(smtp_net_connect(&address, NULL, soon(), &fd, &error), SMTP_CONNECT_FAILED);
    expect_int(fd, -1);
    expect_int(error.sys_errno, ECONNREFUSED);
    expect_contains(error.message, text);
    expect_contains(error.message, "refused");
}

TEST(net, a_port_in_use_says_address_and_reason)
{
    struct smtp_address address;
    struct smtp_error error;
    char text[SMTP_ADDRESS_TEXT_SIZE];
    int fd = 0;
    int first = listen_on("127.0.0.1", &address);
    smtp_address_format(&address, text);
    expect_int(smtp_net_listen(&address, &fd, &error), SMTP_LISTEN_FAILED);
    expect_int(fd, -1);
    expect_int(error.sys_errno, EADDRINUSE);
    expect_contains(error.message, text);
    expect_contains(error.message, "in use");
    close(first);
}

TEST(net, a_port_can_be_listened_on_again_at_once)
{
    struct smtp_address address;
    int fd = -1;
    int listener = listen_on("127.0.0.1", &address);
    int client = connect_to(&address);
    close(accept_from(listener)); /* this end closes first: TIME_WAIT is on the listener's port */
    close(client);
    close(listener);
    expect_int(smtp_net_listen(&address, &fd, NULL), SMTP_OK);
    close(fd);
}

TEST(net, the_source_address_is_bound)
{
    struct smtp_address address, peer;
    int fd = -1;
    int listener = listen_on("127.0.0.1", &address);
    expect_int(smtp_net_connect(&address, "127.0.0.2", soon(), &fd, NULL), SMTP_OK);
    int accepted = accept_from(listener);
    smtp_address_of_socket(accepted, true, &peer);
    expect_str(peer.host, "127.0.0.2");
#ifdef IP_BIND_ADDRESS_NO_PORT
    int on = 0; /* its port may serve other connections to other peers */
    socklen_t len = sizeof on;
    expect_int(getsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, &len), 0);
    expect_int(on, 1);
#endif
    close(fd);
    close(accepted);
    expect_int(smtp_net_connect(&address, "::1", soon(), &fd, NULL), SMTP_CONNECT_FAILED);
    expect_int(smtp_net_connect(&address, "name", soon(), &fd, NULL), SMTP_CONNECT_FAILED);
}

/* The backlog of a Unix or TCP listener that nobody accepts from takes the connection: what times
 * out is only a deadline that has passed already. */
TEST(net, a_deadline_in_the_past_still_fails_in_time)
{
    struct smtp_address address;
    struct smtp_error error;
    int fd = -1;
    close(listen_on("127.0.0.1", &address));
    expect_true(smtp_net_connect(&address, NULL, 1, &fd, &error) != SMTP_OK);
}

static void make_path(char *path, size_t size)
{
    char folder[] = "/tmp/smtp-net-XXXXXX";
    expect_true(mkdtemp(folder) != NULL);
    snprintf(path, size, "unix:%s/s", folder);
}

static void remove_path(char *path)
{
    unlink(path + 5);
    *strrchr(path, '/') = '\0';
    rmdir(path + 5);
}

TEST(net, a_unix_socket_that_nobody_listens_on_is_taken_over_and_a_live_one_is_not)
{
    char path[64];
    struct smtp_address address;
    struct smtp_error error;
    int first = -1, second = -1;
    make_path(path, sizeof path);
    expect_int(smtp_address_parse(path, 0, &address, NULL), SMTP_OK);
    expect_int(smtp_net_listen(&address, &first, NULL), SMTP_OK);
    expect_int(smtp_net_listen(&address, &second, &error), SMTP_LISTEN_FAILED);
    expect_int(error.sys_errno, EADDRINUSE);
    close(first); /* its file stays */
    expect_int(smtp_net_listen(&address, &second, NULL), SMTP_OK);
    int client = connect_to(&address);
    int accepted = accept_from(second);
    expect_exchange(client, accepted);
    remove_path(path);
}

TEST(net, a_file_that_is_no_socket_is_never_taken_over)
{
    char path[64];
    struct smtp_address address;
    int fd = -1;
    make_path(path, sizeof path);
    int file = open(path + 5, O_CREAT | O_WRONLY, 0600);
    expect_true(file >= 0);
    close(file);
    expect_int(smtp_address_parse(path, 0, &address, NULL), SMTP_OK);
    expect_int(smtp_net_listen(&address, &fd, NULL), SMTP_LISTEN_FAILED);
    expect_int(access(path + 5, F_OK), 0);
    remove_path(path);
}

/* "[::]" takes IPv6 alone, so that "0.0.0.0" may stand beside it on the same port; where somebody else
 * has that port just now, another will do. */
TEST(net, ipv4_and_ipv6_listen_side_by_side_on_one_port)
{
    struct smtp_address six, four;
    enum smtp_status status = SMTP_LISTEN_FAILED;
    for (int attempt = 0; attempt < 20 && status != SMTP_OK; attempt++) {
        int first = -1, second = -1;
        expect_int(smtp_address_parse("[::]:0", 0, &six, NULL), SMTP_OK);
        expect_int(smtp_address_parse("0.0.0.0:0", 0, &four, NULL), SMTP_OK);
        if (smtp_net_listen(&six, &first, NULL) != SMTP_OK) {
            return; /* a machine without IPv6 */
        }
        smtp_address_of_socket(first, false, &six);
        four.port = six.port;
        status = smtp_net_listen(&four, &second, NULL);
        close(first);
        if (status == SMTP_OK) {
            close(second);
        }
    }
    expect_int(status, SMTP_OK);
}
