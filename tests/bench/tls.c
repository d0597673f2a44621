/* tls.c - the program: `tls acceptor`, `tls server`, `tls identity CERTIFICATE KEY`, `tls source PORT
 * SESSIONS THREADS starttls|implicit full|resumed`, `tls memory OCTETS`, `tls message OCTETS tls|plain`.
 * Knows: its arguments, and this server with its defaults. The rest is the other tls_ files'. */
#include "tests/bench/tls.h"

#include "common/bytes.h"
#include "server/smtp_server.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static int usage(void)
{
    fputs("usage: tls acceptor | tls server | tls identity CERTIFICATE KEY | tls source PORT "
          "SESSIONS "
          "THREADS starttls|implicit full|resumed | tls memory OCTETS | tls message OCTETS "
          "tls|plain\n",
          stderr);
    return 2;
}

static int failed(const struct smtp_error *error)
{
    fprintf(stderr, "tls: %s\n", error->message);
    return 1;
}

/* Prints the two ports, STARTTLS's and implicit TLS's; ends with standard input. */
static int serve(void)
{
    static const char *const listen[] = {"127.0.0.1:0", "smtps://127.0.0.1:0"};
    struct smtp_server_options options;
    smtp_server_options_init(&options);
    options.listen = listen;
    options.listen_count = 2;
    struct smtp_server *server = NULL;
    struct smtp_error error = {0};
    if (smtp_server_new(&server, &options, &error) != SMTP_OK ||
        smtp_server_start(server, &error) != SMTP_OK) {
        smtp_server_free(server);
        return failed(&error);
    }
    printf("%u %u\n", (unsigned)smtp_server_port(server, 0), (unsigned)smtp_server_port(server, 1));
    fflush(stdout);
    char ignored[64];
    while (read(STDIN_FILENO, ignored, sizeof ignored) > 0) {
    }
    smtp_server_free(server);
    return 0;
}

static bool write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    bool written = file != NULL && fputs(text, file) >= 0;
    return file != NULL && fclose(file) == 0 && written;
}

static int write_identity(const char *certificate_file, const char *key_file)
{
    struct smtp_identity *identity = NULL;
    struct smtp_error error = {0};
    if (smtp_identity_new(&identity, NULL, &error) != SMTP_OK) {
        return failed(&error);
    }
    bool written = write_text(certificate_file, smtp_identity_certificate_pem(identity)) &&
                   write_text(key_file, smtp_identity_key_pem(identity));
    smtp_identity_release(identity);
    return written ? 0 : 1;
}

/* One of two words: the first is true. */
static bool parse_choice(const char *word, const char *yes, const char *no, bool *out)
{
    *out = strcmp(word, yes) == 0;
    return *out || strcmp(word, no) == 0;
}

static int run_source(char **words)
{
    uint64_t port = 0, threads = 0;
    struct tls_load load = {0};
    if (!smtp_span_to_u64(smtp_span_of(words[0]), UINT16_MAX, &port) ||
        !smtp_span_to_u64(smtp_span_of(words[1]), UINT64_MAX, &load.session_count) ||
        !smtp_span_to_u64(smtp_span_of(words[2]), TLS_THREADS_MAX, &threads) || threads == 0 ||
        !parse_choice(words[3], "starttls", "implicit", &load.starttls) ||
        !parse_choice(words[4], "resumed", "full", &load.resumed)) {
        return usage();
    }
    load.port = (uint16_t)port;
    load.thread_count = (unsigned)threads;
    return tls_source(&load);
}

static int run_stream(int argc, char **argv)
{
    uint64_t size_octets = 0;
    bool secure = false;
    if (!smtp_span_to_u64(smtp_span_of(argv[2]), SIZE_MAX / 4, &size_octets) || size_octets == 0) {
        return usage();
    }
    if (argc == 3 && strcmp(argv[1], "memory") == 0) {
        return tls_memory((size_t)size_octets);
    }
    return argc == 4 && strcmp(argv[1], "message") == 0 &&
                   parse_choice(argv[3], "tls", "plain", &secure)
               ? tls_message((size_t)size_octets, secure)
               : usage();
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN); /* a peer that has gone is told by write() */
    if (argc == 2 && strcmp(argv[1], "acceptor") == 0) {
        return tls_acceptor();
    }
    if (argc == 2 && strcmp(argv[1], "server") == 0) {
        return serve();
    }
    if (argc == 4 && strcmp(argv[1], "identity") == 0) {
        return write_identity(argv[2], argv[3]);
    }
    if (argc == 7 && strcmp(argv[1], "source") == 0) {
        return run_source(argv + 2);
    }
    return argc >= 3 ? run_stream(argc, argv) : usage();
}
