/* submit.c - the article's function that sends through Gmail, for any submission server (RFC 6409):
 * EHLO, STARTTLS, login, one message, QUIT. What goes wrong is said in one line.
 *     client_submit HOST[:PORT] USER RECIPIENT        USER logs in, and is the sender; port 587
 * The environment:
 *     SMTP_PASSWORD   the password: whoever lists the processes does not see it, as he would an argument
 *     SMTP_CA_FILE    who signed the server's certificate; without it, an authority the system trusts */
#include "smtp_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum smtp_status send_message(struct smtp_client *client, const char *from, const char *to)
{
    char text[1000];
    struct smtp_envelope envelope = {
        .reverse_path = from, .forward_paths = &to, .forward_path_count = 1};
    snprintf(text, sizeof(text),
             "From: <%s>\nTo: <%s>\nSubject: Hello\n\n"
             "This message was submitted under TLS, after a login.\n",
             from, to);
    return smtp_client_send(client, &envelope, smtp_content_text(text), NULL);
}

static enum smtp_status submit(struct smtp_client *client, const char *server, const char *user,
                               const char *password, const char *recipient)
{
    uint16_t port =
        strchr(server, ':') != NULL ? 0 : SMTP_SUBMISSION_PORT; /* 0: the one in server */
    enum smtp_status status = smtp_client_connect(client, server, port);
    if (status == SMTP_OK) {
        status = smtp_client_ehlo(client);
    }
    if (status == SMTP_OK) {
        status = smtp_client_starttls(client); /* verifies the certificate, or fails */
    }
    if (status == SMTP_OK) {
        status = smtp_client_ehlo(client); /* what was said in the clear does not count */
    }
    if (status == SMTP_OK) {
        status = smtp_client_login(client, user, password);
    }
    if (status == SMTP_OK) {
        status = send_message(client, user, recipient);
    }
    if (status == SMTP_OK) {
        printf("sent: %d %s\n", smtp_client_reply(client)->code, smtp_client_reply(client)->text);
        status = smtp_client_quit(client);
    }
    return status;
}

int main(int argc, char **argv)
{
    const char *password = getenv("SMTP_PASSWORD");
    struct smtp_client_options options;
    struct smtp_client *client;
    if (argc != 4) {
        fprintf(stderr, "usage: SMTP_PASSWORD=... client_submit HOST[:PORT] USER RECIPIENT\n");
        return 2;
    }
    if (password == NULL) {
        fprintf(stderr, "client_submit: put the password into the environment, as SMTP_PASSWORD\n");
        return 2;
    }
    smtp_client_options_init(&options);
    options.tls.policy = SMTP_CLIENT_TLS_REQUIRED; /* nothing but EHLO and STARTTLS goes without */
    options.tls.ca_file = getenv("SMTP_CA_FILE");
    if (smtp_client_new(&client, &options) != SMTP_OK) {
        fprintf(stderr, "out of memory\n");
        return 1;
    }
    enum smtp_status status = submit(client, argv[1], argv[2], password, argv[3]);
    if (status != SMTP_OK) {
        fprintf(stderr, "not sent: %s\n", smtp_client_error(client)->message);
    }
    smtp_client_free(client);
    return status == SMTP_OK ? 0 : 1;
}
