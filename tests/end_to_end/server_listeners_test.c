/* server_listeners_test.c - where a server listens: IPv4, IPv6, Unix sockets, several at once, and
 * what is said when it cannot; and the options that are refused. */
#include "common/net.h"
#include "server/smtp_server.h"
#include "tests/support/test.h"
#include "tests/support/wire.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static struct smtp_server *started_on(const char *const *listen, size_t count)
{
    struct smtp_server_options options;
    struct smtp_server *server = NULL;
    struct smtp_error error = {0};
    smtp_server_options_init(&options);
    options.listen = listen;
    options.listen_count = count;
    if (smtp_server_new(&server, &options, &error) != SMTP_OK ||
        smtp_server_start(server, &error) != SMTP_OK) {
        SMTP_TEST_FAIL("%s", error.message);
    }
    return server;
}

static void expect_service(const char *address)
{
    struct smtp_wire wire;
    expect_true(smtp_wire_connect(&wire, address));
    expect_contains(smtp_wire_reply(&wire), "220 ");
    expect_contains(smtp_wire_ask(&wire, "NOOP"), "250 ");
    expect_contains(smtp_wire_ask(&wire, "QUIT"), "221 ");
    expect_true(smtp_wire_closed(&wire));
    smtp_wire_close(&wire);
}

static void make_path(char *path, size_t size)
{
    char folder[] = "/tmp/smtp-listen-XXXXXX";
    expect_true(mkdtemp(folder) != NULL);
    snprintf(path, size, "unix:%s/s", folder);
}

static void remove_folder(char *path)
{
    *strrchr(path, '/') = '\0';
    expect_int(rmdir(path + 5), 0);
}

TEST(server_listeners, ipv6_is_served_and_told_in_brackets)
{
    struct smtp_server *server = started_on((const char *const[]){"[::1]:0"}, 1);
    char expected[64];
    snprintf(expected, sizeof expected, "[::1]:%u", (unsigned)smtp_server_port(server, 0));
    expect_str(smtp_server_address(server, 0), expected);
    expect_service(smtp_server_address(server, 0));
    smtp_server_free(server);
}

TEST(server_listeners, localhost_is_the_ipv4_loopback_without_any_look_up)
{
    struct smtp_server *server = started_on((const char *const[]){"localhost:0"}, 1);
    expect_contains(smtp_server_address(server, 0), "127.0.0.1:");
    expect_service(smtp_server_address(server, 0));
    smtp_server_free(server);
}

TEST(server_listeners, a_unix_socket_is_served_and_its_file_goes_with_the_server)
{
    char path[64];
    make_path(path, sizeof path);
    struct smtp_server *server = started_on((const char *const[]){path}, 1);
    expect_str(smtp_server_address(server, 0), path);
    expect_int(smtp_server_port(server, 0), 0);
    expect_service(path);
    smtp_server_stop(server, 1000);
    expect_true(access(path + 5, F_OK) != 0);
    expect_int(smtp_server_start(server, NULL), SMTP_OK);
    expect_service(path);
    smtp_server_free(server);
    remove_folder(path);
}

TEST(server_listeners, the_peer_of_a_unix_socket_is_called_unix)
{
    char path[64];
    struct smtp_wire wire;
    make_path(path, sizeof path);
    struct smtp_server *server = started_on((const char *const[]){path}, 1);
    expect_true(smtp_wire_connect(&wire, path));
    expect_contains(smtp_wire_reply(&wire), "220 ");
    expect_contains(smtp_wire_ask(&wire, "HELO c"), "250 ");
    expect_contains(smtp_wire_ask(&wire, "MAIL FROM:<>"), "250 ");
    expect_contains(smtp_wire_ask(&wire, "RCPT TO:<a@b.example>"), "250 ");
    expect_contains(smtp_wire_ask(&wire, "DATA"), "354 ");
    expect_contains(smtp_wire_ask(&wire, "x\r\n."), "250 ");
    struct smtp_message *message = smtp_mailbox_get(smtp_server_mailbox(server), 1);
    expect_str(smtp_message_peer(message), "unix:");
    smtp_message_release(message);
    smtp_server_free(server);
    remove_folder(path);
}

TEST(server_listeners, several_at_once_are_served_by_several_workers)
{
    char path[64];
    make_path(path, sizeof path);
    const char *listen[] = {"127.0.0.1:0", "[::1]:0", path, "127.0.0.1:0"};
    struct smtp_server_options options;
    struct smtp_server *server = NULL;
    smtp_server_options_init(&options);
    options.listen = listen;
    options.listen_count = 4;
    options.workers = 3;
    expect_int(smtp_server_new(&server, &options, NULL), SMTP_OK);
    for (int round = 0; round < 2; round++) {
        expect_int(smtp_server_start(server, NULL), SMTP_OK);
        for (size_t i = 0; i < 12; i++) {
            expect_service(smtp_server_address(server, i % 4));
        }
        smtp_server_stop(server, 1000);
    }
    expect_true(smtp_server_port(server, 0) != smtp_server_port(server, 3));
    smtp_server_free(server);
    remove_folder(path);
}

TEST(server_listeners, an_address_in_use_is_said_with_its_reason_and_nothing_stays_open)
{
    struct smtp_server *first = started_on((const char *const[]){"127.0.0.1:0"}, 1);
    struct smtp_server *second = NULL;
    struct smtp_server_options options;
    struct smtp_error error;
    smtp_server_options_init(&options);
    options.listen = (const char *const[]){"127.0.0.1:0", smtp_server_address(first, 0)};
    options.listen_count = 2;
    expect_int(smtp_server_new(&second, &options, NULL), SMTP_OK);
    unsigned descriptors = smtp_count_descriptors();
    expect_int(smtp_server_start(second, &error), SMTP_LISTEN_FAILED);
    expect_int(error.status, SMTP_LISTEN_FAILED);
    expect_contains(error.message, smtp_server_address(first, 0));
    expect_contains(error.message, "in use");
    expect_true(smtp_server_address(second, 0) == NULL);
    expect_int(smtp_count_descriptors(), descriptors);
    smtp_server_stop(first, 1000);
    expect_int(smtp_server_start(second, &error), SMTP_OK); /* free now */
    expect_service(smtp_server_address(second, 1));
    smtp_server_free(first);
    smtp_server_free(second);
}

TEST(server_listeners, a_stale_unix_socket_is_taken_over_and_a_live_one_is_not)
{
    char path[64], other[80];
    make_path(path, sizeof path);
    struct smtp_server *first = started_on((const char *const[]){path}, 1);
    struct smtp_server *second = NULL;
    struct smtp_server_options options;
    struct smtp_error error;
    smtp_server_options_init(&options);
    options.listen = (const char *const[]){path};
    options.listen_count = 1;
    expect_int(smtp_server_new(&second, &options, NULL), SMTP_OK);
    expect_int(smtp_server_start(second, &error), SMTP_LISTEN_FAILED);
    expect_contains(error.message, path);
    expect_service(path);
    /* A second name for the socket outlives its server, as a crash would leave it. */
    snprintf(other, sizeof other, "%s.kept", path + 5);
    expect_int(link(path + 5, other), 0);
    smtp_server_free(first);
    expect_int(rename(other, path + 5), 0);
    expect_int(smtp_server_start(second, &error), SMTP_OK);
    expect_service(path);
    smtp_server_free(second);
    remove_folder(path);
}

static void expect_refused(const struct smtp_server_options *options, const char *option,
                           const char *came)
{
    struct smtp_server *server = (void *)&server;
    struct smtp_error error = {0};
    expect_int(smtp_server_new(&server, options, &error), SMTP_BAD_ARGUMENT);
    expect_true(server == NULL);
    expect_int(error.status, SMTP_BAD_ARGUMENT);
    expect_contains(error.message, option);
    expect_contains(error.message, came);
}

TEST(server_options, a_number_out_of_range_is_refused_with_option_range_and_value)
{
    struct smtp_server_options options;
    smtp_server_options_init(&options);
    options.workers = 0;
    expect_refused(&options, "workers must be from 1 to 64", "it is 0");
    options.workers = 65;
    expect_refused(&options, "workers must be from 1 to 64", "it is 65");
    smtp_server_options_init(&options);
    options.bare_line_end = (enum smtp_server_bare_line_end)7;
    expect_refused(&options, "bare_line_end", "it is 7");
    smtp_server_options_init(&options);
    options.limits.local_part_octets = 0;
    expect_refused(&options, "limits.local_part_octets must be from 1", "it is 0");
    smtp_server_options_init(&options);
    options.limits.command_line_octets = 10;
    expect_refused(&options, "limits.command_line_octets must be from 64", "it is 10");
    smtp_server_options_init(&options);
    options.limits.text_line_octets = 2;
    expect_refused(&options, "limits.text_line_octets must be 0", "it is 2");
}

TEST(server_options, the_ends_of_each_range_are_taken)
{
    struct smtp_server_options options;
    struct smtp_server *server = NULL;
    smtp_server_options_init(&options);
    options.workers = 64;
    options.bare_line_end = SMTP_BARE_ACCEPT;
    options.limits.local_part_octets = 65535;
    options.limits.path_octets = 2;
    options.limits.command_line_octets = 1048576;
    options.limits.text_line_octets = 3; /* one octet and its CRLF */
    expect_int(smtp_server_new(&server, &options, NULL), SMTP_OK);
    smtp_server_free(server);
}

/* A CR or LF there would let the greeting say replies of its own. */
TEST(server_options, names_that_would_break_a_reply_line_are_refused)
{
    struct smtp_server_options options;
    smtp_server_options_init(&options);
    options.hostname = "evil\r\n250 ok";
    expect_refused(&options, "hostname", "octet 5 of it is 13");
    options.hostname = "";
    expect_refused(&options, "hostname must have 1 to 255 octets", "it has 0");
    options.hostname = "two words";
    expect_refused(&options, "hostname", "without spaces");
    options.hostname = NULL;
    options.greeting_text = "a\nb";
    expect_refused(&options, "greeting_text", "octet 2 of it is 10");
    options.greeting_text = "caf\xc3\xa9"; /* RFC 5321 4.2: textstring is ASCII */
    expect_refused(&options, "greeting_text", "octet 4 of it is 195");
}

TEST(server_options, addresses_that_cannot_be_are_refused_before_anything_is_bound)
{
    struct smtp_server_options options;
    smtp_server_options_init(&options);
    options.listen = (const char *const[]){"127.0.0.1:0", "mail.example.com:25"};
    options.listen_count = 2;
    expect_refused(&options, "listen[1]", "mail.example.com");
    options.listen = (const char *const[]){"127.0.0.1:99999"};
    options.listen_count = 1;
    expect_refused(&options, "listen[0]", "99999");
    options.listen = (const char *const[]){NULL};
    expect_refused(&options, "listen[0]", "NULL");
    options.listen_count = 0;
    expect_refused(&options, "listen_count", "it is 0");
}

TEST(server_options, are_copied)
{
    char name[] = "copied.example";
    char address[] = "127.0.0.1:0";
    const char *listen[] = {address};
    struct smtp_server_options options;
    struct smtp_server *server = NULL;
    struct smtp_wire wire;
    smtp_server_options_init(&options);
    options.hostname = name;
    options.greeting_text = NULL;
    options.listen = listen;
    options.listen_count = 1;
    expect_int(smtp_server_new(&server, &options, NULL), SMTP_OK);
    memset(name, 'x', sizeof name - 1);
    memset(address, 'x', sizeof address - 1);
    listen[0] = NULL;
    expect_int(smtp_server_start(server, NULL), SMTP_OK);
    expect_true(smtp_wire_connect(&wire, smtp_server_address(server, 0)));
    expect_str(smtp_wire_reply(&wire), "220 copied.example ESMTP");
    smtp_wire_close(&wire);
    smtp_server_free(server);
}

/* ---- sockets that somebody else has opened ---- */

static int listening_on(const char *text)
{
    struct smtp_address address;
    int fd = -1;
    expect_int(smtp_address_parse(text, 0, &address, NULL), SMTP_OK);
    expect_int(smtp_net_listen(&address, &fd, NULL), SMTP_OK);
    return fd;
}

TEST(server_listeners, a_socket_that_listens_is_taken_over_and_its_address_is_told)
{
    char path[64];
    char listen[2][32];
    make_path(path, sizeof path);
    int tcp = listening_on("127.0.0.1:0");
    expect_int(fcntl(tcp, F_SETFL, 0), 0); /* as systemd hands it over: it blocks */
    struct smtp_address address;
    char expected[SMTP_ADDRESS_TEXT_SIZE];
    smtp_address_of_socket(tcp, false, &address);
    smtp_address_format(&address, expected);
    snprintf(listen[0], sizeof listen[0], "smtp://fd:%d", tcp);
    snprintf(listen[1], sizeof listen[1], "fd:%d", listening_on(path));
    struct smtp_server *server = started_on((const char *const[]){listen[0], listen[1]}, 2);
    expect_str(smtp_server_address(server, 0), expected);
    expect_str(smtp_server_address(server, 1), path);
    expect_service(expected);
    expect_service(path);
    smtp_server_stop(server, 1000);
    expect_int(fcntl(tcp, F_GETFD), -1);
    expect_int(access(path + 5, F_OK), 0); /* whoever has made it removes it */
    expect_int(smtp_server_start(server, NULL), SMTP_OK);
    expect_str(smtp_server_address(server, 0), expected);
    expect_service(expected);
    smtp_server_free(server);
    remove_folder(path);
}

static void expect_not_taken(const char *const *listen, size_t count, const char *why)
{
    struct smtp_server_options options;
    struct smtp_server *server = NULL;
    struct smtp_error error = {0};
    smtp_server_options_init(&options);
    options.listen = listen;
    options.listen_count = count;
    expect_int(smtp_server_new(&server, &options, &error), SMTP_BAD_ARGUMENT);
    expect_contains(error.message, why);
}

TEST(server_listeners, a_descriptor_that_does_not_listen_is_refused_with_what_it_is)
{
    char listen[32];
    int idle = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int datagrams = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int file = open("/dev/null", O_RDONLY | O_CLOEXEC);
    const struct {
        int fd;
        const char *why;
    } rows[] = {{idle, "does not listen"},
                {datagrams, "is no TCP or Unix stream socket"},
                {file, "is no socket"},
                {987, "is not open"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        snprintf(listen, sizeof listen, "fd:%d", rows[i].fd);
        expect_not_taken((const char *const[]){listen}, 1, rows[i].why);
    }
    expect_not_taken((const char *const[]){"fd:"}, 1, "listen[0]: a number of a descriptor");
    expect_not_taken((const char *const[]){"fd:-1"}, 1, "listen[0]: a number of a descriptor");
    close(idle);
    close(datagrams);
    close(file);
    int twice = listening_on("127.0.0.1:0");
    snprintf(listen, sizeof listen, "fd:%d", twice);
    expect_not_taken((const char *const[]){listen, listen}, 2, "listen[1]: descriptor");
    expect_int(fcntl(twice, F_GETFD) >= 0, 1); /* it stays the caller's */
    close(twice);
}
