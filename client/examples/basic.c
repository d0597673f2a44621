/* basic.c - the article's basic client: sends one message to a server, or says clearly why not.
 *     client_basic [HOST [PORT]]        default: localhost 1025 */
#include "smtp_client.h"

#include <stdio.h>
#include <stdlib.h>

static const char text[] = "From: Ann <ann@example.com>\n"
                           "To: Bob <bob@example.com>\n"
                           "Subject: Hello\n"
                           "\n"
                           "This message was sent by a small C program.\n";

static enum smtp_status send_one(struct smtp_client *client, const char *host, uint16_t port)
{
    const char *to[] = {"bob@example.com"};
    struct smtp_envelope envelope = {
        .reverse_path = "ann@example.com", .forward_paths = to, .forward_path_count = 1};
    enum smtp_status status = smtp_client_connect(client, host, port);
    if (status == SMTP_OK) {
        status = smtp_client_send(client, &envelope, smtp_content_text(text), NULL);
    }
    if (status == SMTP_OK) {
        printf("sent: %d %s\n", smtp_client_reply(client)->code, smtp_client_reply(client)->text);
        status = smtp_client_quit(client);
    }
    return status;
}

int main(int argc, char **argv)
{
    const char *host = argc > 1 ? argv[1] : "localhost";
    unsigned long port = argc > 2 ? strtoul(argv[2], NULL, 10) : 1025;
    struct smtp_client *client;
    if (argc > 3 || port == 0 || port > UINT16_MAX) {
        fprintf(stderr, "usage: client_basic [HOST [PORT]]\n");
        return 2;
    }
    if (smtp_client_new(&client, NULL) != SMTP_OK) {
        fprintf(stderr, "out of memory\n");
        return 1;
    }
    enum smtp_status status = send_one(client, host, (uint16_t)port);
    if (status != SMTP_OK) {
        fprintf(stderr, "not sent: %s\n", smtp_client_error(client)->message);
    }
    smtp_client_free(client);
    return status == SMTP_OK ? 0 : 1;
}
