/* as_written.c - see as_written.h. */
#include "tests/end_to_end/as_written.h"

#include "tests/support/test.h"
#include "tests/support/wire.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <strings.h>
#include <sys/socket.h>

/* ---- the lines of a dialogue ---- */

#define LINE_OCTETS 512

struct line {
    char speaker; /* 'C', 'S', '|' (octets of the client's), '[', 0: the end */
    char text[LINE_OCTETS];
    size_t len;
};

static int hex(char c)
{
    return smtp_is_digit((unsigned char)c) ? c - '0' : (c | 32) - 'a' + 10;
}

/* The escapes that the dialogues of the RFCs need. */
static void unescape(struct line *line, const char *text, size_t len)
{
    line->len = 0;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (c == '\\') {
            c = text[++i];
            if (c == 'x') {
                c = (char)(hex(text[i + 1]) * 16 + hex(text[i + 2]));
                i += 2;
            } else {
                c = c == 'r' ? '\r' : c == 'n' ? '\n' : c;
            }
        }
        line->text[line->len++] = c;
    }
    line->text[line->len] = '\0';
}

/* The next line that is no comment; *at moves behind it. */
static struct line next(const char **at)
{
    struct line line = {0};
    while (**at == '#' || **at == '\n' || strncmp(*at, "[compare", 8) == 0) {
        *at += strcspn(*at, "\n") + 1;
    }
    size_t len = strcspn(*at, "\n");
    if (len > 0 && **at == '[') {
        line.speaker = '[';
        snprintf(line.text, sizeof line.text, "%.*s", (int)len, *at);
    } else if (len > 0) {
        size_t text_at = len > 2 ? 3 : len;
        expect_true(len - text_at < LINE_OCTETS);
        line.speaker = (*at)[0] == 'C' && (*at)[1] == '|' ? '|' : (*at)[0];
        unescape(&line, *at + text_at, len - text_at);
    }
    *at += len + ((*at)[len] == '\n');
    return line;
}

static struct line peek(const char *at)
{
    return next(&at);
}

/* ---- content ---- */

struct content {
    char octets[8192];
    size_t len;
};

static void add(struct content *content, const struct line *line, size_t from)
{
    expect_true(content->len + line->len + 2 < sizeof content->octets);
    memcpy(content->octets + content->len, line->text + from, line->len - from);
    content->len += line->len - from;
    if (line->speaker == 'C') {
        memcpy(content->octets + content->len, "\r\n", 2);
        content->len += 2;
    }
}

/* After DATA, up to the dot alone; nothing where the server did not ask for it. */
static struct content content_of(const char **at)
{
    struct content content = {.len = 0};
    const char *ahead = *at;
    while (peek(ahead).speaker == 'S') {
        struct line reply = next(&ahead);
        if (strncmp(reply.text, "354", 3) == 0) {
            *at = ahead;
        }
    }
    if (*at != ahead) {
        return content;
    }
    for (struct line line = next(at); strcmp(line.text, ".") != 0; line = next(at)) {
        expect_int(line.speaker, 'C');
        add(&content, &line, line.text[0] == '.' ? 1 : 0);
    }
    return content;
}

static struct content chunk_of(const char **at, size_t len)
{
    struct content content = {.len = 0};
    while (content.len < len) {
        struct line line = next(at);
        add(&content, &line, 0);
    }
    expect_int(content.len, len);
    return content;
}

/* ---- commands ---- */

static bool is(const struct line *line, const char *verb)
{
    return strncasecmp(line->text, verb, strlen(verb)) == 0;
}

/* "MAIL FROM:<path> parameters": the path without its brackets, and what follows. */
static const char *path_of(struct line *line, const char **parameters)
{
    char *open = strchr(line->text, '<'), *close = strchr(line->text, '>');
    expect_true(open != NULL && close != NULL);
    *close = '\0';
    *parameters = close[1] == ' ' ? close + 2 : NULL;
    return open + 1;
}

/* MAIL, RCPTs and DATA in one write: a whole message. */
static void send_whole(struct smtp_client *client, struct line mail, const char **at)
{
    struct line recipients[8];
    const char *paths[8], *parameters;
    struct smtp_envelope envelope = {.reverse_path = path_of(&mail, &parameters),
                                     .forward_paths = paths};
    while (peek(*at).speaker == 'C' && envelope.forward_path_count < 8) {
        struct line *line = &recipients[envelope.forward_path_count];
        *line = next(at);
        if (is(line, "DATA")) {
            break;
        }
        paths[envelope.forward_path_count++] = path_of(line, &parameters);
    }
    struct content content = content_of(at);
    (void)!smtp_client_send(client, &envelope, smtp_content_memory(content.octets, content.len),
                            NULL);
}

static bool ask_first(void *user, const char *challenge, size_t challenge_len,
                      const char **response, size_t *response_len)
{
    static const char plain[] = "test\0test\0001234";
    (void)user, (void)challenge_len;
    *response = challenge != NULL ? plain : NULL;
    *response_len = challenge != NULL ? sizeof plain - 1 : 0;
    return true;
}

/* With the line that answers the challenge, where the dialogue has one. */
static enum smtp_status log_in(struct smtp_client *client, const struct line *line, const char **at)
{
    const struct smtp_client_credentials tim = {
        .identity = "tim", .password = "tanstaaftanstaaf", .mechanism = "CRAM-MD5"};
    const struct smtp_client_credentials credentials = {.identity = "test",
                                                        .password = "1234",
                                                        .authorization_identity = "test",
                                                        .mechanism = "PLAIN",
                                                        .plain_without_tls = true};
    if (is(line, "AUTH PLAIN ")) {
        return smtp_client_auth(client, &credentials);
    }
    while (next(at).speaker != 'C') {
    }
    return is(line, "AUTH CRAM-MD5") ? smtp_client_auth(client, &tim)
                                     : smtp_client_auth_with(client, "PLAIN", ask_first, NULL);
}

static enum smtp_status chunk(struct smtp_client *client, const struct line *line, const char **at)
{
    char *end;
    size_t len = strtoul(line->text + strlen("BDAT "), &end, 10);
    struct content content = chunk_of(at, len);
    return smtp_client_bdat(client, content.octets, content.len, strcmp(end, " LAST") == 0);
}

static enum smtp_status say(struct smtp_client *client, struct line line, const char **at)
{
    const char *parameters, *path;
    if (is(&line, "EHLO") || is(&line, "LHLO")) {
        return smtp_client_ehlo(client);
    } else if (is(&line, "HELO")) {
        return smtp_client_helo(client);
    } else if (is(&line, "MAIL")) {
        path = path_of(&line, &parameters);
        return smtp_client_mail(client, path, parameters);
    } else if (is(&line, "RCPT")) {
        path = path_of(&line, &parameters);
        return smtp_client_rcpt(client, path, parameters);
    } else if (is(&line, "DATA")) {
        struct content content = content_of(at);
        return smtp_client_data(client, smtp_content_memory(content.octets, content.len));
    } else if (is(&line, "BDAT")) {
        return chunk(client, &line, at);
    } else if (is(&line, "VRFY")) {
        return smtp_client_vrfy(client, line.text + strlen("VRFY "));
    } else if (is(&line, "EXPN")) {
        return smtp_client_expn(client, line.text + strlen("EXPN "));
    } else if (is(&line, "AUTH")) {
        return log_in(client, &line, at);
    } else if (is(&line, "STARTTLS")) {
        return smtp_client_starttls(client);
    } else if (is(&line, "QUIT")) {
        return smtp_client_quit(client);
    }
    return is(&line, "RSET")   ? smtp_client_rset(client)
           : is(&line, "NOOP") ? smtp_client_noop(client)
           : is(&line, "HELP") ? smtp_client_help(client, NULL)
                               : smtp_client_command(client, line.text);
}

/* The name it says hello with. */
static void find_helo_name(const char *text, char name[LINE_OCTETS])
{
    name[0] = '\0';
    for (struct line line = next(&text); line.speaker != 0 && name[0] == '\0'; line = next(&text)) {
        if (line.speaker == 'C' &&
            (is(&line, "EHLO ") || is(&line, "HELO ") || is(&line, "LHLO "))) {
            memcpy(name, line.text + 5, line.len - 4);
        }
    }
}

void drive_as_written(const char *address, const char *text, const char *ca_pem)
{
    char helo_name[LINE_OCTETS];
    struct smtp_client_options options;
    struct smtp_client *client;
    smtp_client_options_init(&options);
    find_helo_name(text, helo_name);
    options.helo_name = helo_name[0] != '\0' ? helo_name : NULL;
    options.tls.ca_pem = ca_pem;
    options.timeouts.overall_ms = 5000;
    expect_int(smtp_client_new(&client, &options), SMTP_OK);
    enum smtp_status status = smtp_client_connect(client, address, 0);
    for (struct line line = next(&text); status == SMTP_OK && line.speaker != 0;
         line = next(&text)) {
        if (line.speaker != 'C') {
            continue;
        }
        if (is(&line, "MAIL") && peek(text).speaker == 'C') {
            send_whole(client, line, &text);
        } else {
            (void)!say(client, line, &text);
        }
    }
    smtp_client_free(client);
}

void drive_octets(const char *address, const char *text, const char *ca_pem)
{
    struct smtp_wire wire;
    (void)ca_pem;
    expect_true(smtp_wire_connect(&wire, address));
    for (struct line line = next(&text); line.speaker != 0; line = next(&text)) {
        if (line.speaker == 'S') {
            if (line.len > 3 && line.text[3] == ' ') {
                (void)smtp_wire_reply(&wire);
            }
        } else if (line.speaker != '[') {
            struct content content = {.len = 0};
            add(&content, &line, 0);
            while (peek(text).speaker == 'C' || peek(text).speaker == '|') {
                line = next(&text);
                add(&content, &line, 0);
            }
            expect_true(smtp_wire_send(&wire, content.octets, content.len));
        }
    }
    smtp_wire_close(&wire);
}

int listen_somewhere(const char *scheme, char address[64])
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof name;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    expect_int(bind(fd, (struct sockaddr *)&name, sizeof name), 0);
    expect_int(listen(fd, 5), 0);
    expect_int(getsockname(fd, (struct sockaddr *)&name, &len), 0);
    snprintf(address, 64, "%s127.0.0.1:%u", scheme, ntohs(name.sin_port));
    return fd;
}
