/* serve_tell.c - see serve_tell.h. */
#include "harness/cli/serve_tell.h"

#include "common/address.h"
#include "common/error.h"
#include "harness/cli/whole_file.h"

#include <arpa/inet.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *scheme_of(const struct smtp_server *server, size_t i)
{
    return smtp_server_is_lmtp(server, i)                             ? "lmtp://"
           : smtp_server_is_implicit_tls(server, i)                   ? "smtps://"
           : strncmp(smtp_server_address(server, i), "unix:", 5) == 0 ? ""
                                                                      : "smtp://";
}

static void write_urls(const struct smtp_server *server, const char *before, FILE *out)
{
    const char *address;
    for (size_t i = 0; (address = smtp_server_address(server, i)) != NULL; i++) {
        fprintf(out, "%s%s%s\n", before, scheme_of(server, i), address);
    }
}

static void write_json(const struct smtp_server *server, FILE *out)
{
    json_t *urls = json_array();
    const char *address;
    for (size_t i = 0; (address = smtp_server_address(server, i)) != NULL; i++) {
        json_array_append_new(urls, json_sprintf("%s%s", scheme_of(server, i), address));
    }
    json_t *line = json_pack("{s:o, s:I}", "listening", urls, "pid", (json_int_t)getpid());
    json_dumpf(line, out, JSON_COMPACT);
    putc('\n', out);
    json_decref(line);
}

static bool write_ready_file(const struct smtp_serve_tell *tell, const char *program,
                             const struct smtp_server *server)
{
    char *urls = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&urls, &len);
    if (out != NULL) {
        write_urls(server, "", out);
    }
    bool written =
        out != NULL && fclose(out) == 0 && smtp_cli_write_file(program, tell->ready_file, urls);
    free(urls);
    return written;
}

static bool write_ca_file(const struct smtp_serve_tell *tell, const char *program,
                          struct smtp_server *server)
{
    const char *pem = smtp_server_ca_pem(server);
    if (pem[0] == '\0') {
        fprintf(stderr, "%s: the certificate cannot be made\n", program);
        return false;
    }
    return smtp_cli_write_file(program, tell->ca_file, pem);
}

static bool write_pid_file(const struct smtp_serve_tell *tell, const char *program)
{
    char text[24];
    snprintf(text, sizeof text, "%ld\n", (long)getpid());
    return smtp_cli_write_file(program, tell->pid_file, text);
}

/* Under the stream's lock: whoever reads the lines may send a message at once, which is printed too. */
static bool write_lines(const struct smtp_serve_tell *tell, const char *program,
                        const struct smtp_server *server)
{
    flockfile(stdout);
    if (tell->json) {
        write_json(server, stdout);
    } else {
        write_urls(server, "listening on ", stdout);
        if (tell->pid) {
            printf("process %ld\n", (long)getpid());
        }
    }
    bool written = fflush(stdout) == 0 && ferror(stdout) == 0;
    int why = errno;
    funlockfile(stdout);
    if (!written) {
        fprintf(stderr, "%s: cannot write to standard output: %s\n", program, smtp_errno_text(why));
    }
    return written;
}

/* The ready file behind the others: whoever waits for it finds them there; and whoever reads the lines
 * finds all files. */
bool smtp_serve_tell(const struct smtp_serve_tell *tell, const char *program,
                     struct smtp_server *server)
{
    bool told = (tell->ca_file == NULL || write_ca_file(tell, program, server)) &&
                (tell->pid_file == NULL || write_pid_file(tell, program)) &&
                (tell->ready_file == NULL || write_ready_file(tell, program, server)) &&
                write_lines(tell, program, server);
    if (!told) {
        smtp_serve_tell_no_more(tell);
        smtp_serve_tell_end(tell);
    }
    return told;
}

/** Whether nobody but this machine reaches it there. */
static bool is_near(const char *text)
{
    struct smtp_address address;
    struct smtp_error unused;
    struct in_addr ipv4;
    struct in6_addr ipv6;
    if (smtp_address_parse(text, 0, &address, &unused) != SMTP_OK) {
        return false;
    }
    if (address.kind == SMTP_ADDRESS_UNIX) {
        return true;
    }
    if (inet_pton(AF_INET, address.host, &ipv4) == 1) {
        return ntohl(ipv4.s_addr) >> 24 == IN_LOOPBACKNET;
    }
    return inet_pton(AF_INET6, address.host, &ipv6) == 1 && IN6_IS_ADDR_LOOPBACK(&ipv6);
}

void smtp_serve_tell_wide(const struct smtp_serve_tell *tell, const char *program,
                          const struct smtp_server *server)
{
    const char *address;
    for (size_t i = 0; (address = smtp_server_address(server, i)) != NULL; i++) {
        bool open = !tell->auth_required;
        bool readable = !tell->tls_required && !smtp_server_is_implicit_tls(server, i);
        if ((!open && !readable) || is_near(address)) {
            continue;
        }
        fprintf(stderr, "%s: warning: %s%s is reached from other machines: %s%s%s\n", program,
                scheme_of(server, i), address,
                !open          ? ""
                : tell->relays ? "anybody may have mail relayed (see --auth-required)"
                               : "anybody may hand mail in (see --auth-required)",
                open && readable ? "; " : "",
                readable ? "mail may be read on its way (see --tls-required)" : "");
    }
}

void smtp_serve_tell_no_more(const struct smtp_serve_tell *tell)
{
    smtp_cli_take_file_away(tell->ready_file);
    smtp_cli_take_file_away(tell->ca_file);
}

void smtp_serve_tell_end(const struct smtp_serve_tell *tell)
{
    smtp_cli_take_file_away(tell->pid_file);
}
