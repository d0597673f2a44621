/* print.c - prints each message for a person to read: envelope and content, between two lines.
 * Knows: the form. Does not know: who reads it. */
#include "common/bytes.h"
#include "common/error.h"
#include "server/receivers/delivery.h"
#include "server/smtp_receivers.h"

#include <errno.h>
#include <stdio_ext.h>
#include <string.h>

/* The peer's address without its port. */
static int host_len(const char *peer)
{
    const char *colon = strncmp(peer, "unix:", 5) != 0 ? strrchr(peer, ':') : NULL;
    return colon != NULL ? (int)(colon - peer) : (int)strlen(peer);
}

static void print_path(FILE *file, const char *name, const char *path, const char *parameters)
{
    fprintf(file, "%s: <%s>%s%s\n", name, path, *parameters != '\0' ? " " : "", parameters);
}

static void print_envelope(FILE *file, const struct smtp_server_session_info *session,
                           const struct smtp_message *message)
{
    fprintf(file, "X-Peer: %.*s\n", host_len(session->peer), session->peer);
    fprintf(file, "X-Helo: %s\n", smtp_message_helo(message));
    fprintf(file, "X-Protocol: %s\n", smtp_message_protocol(message));
    print_path(file, "X-MailFrom", smtp_message_reverse_path(message),
               smtp_message_mail_parameters(message));
    for (size_t i = 0; i < smtp_message_recipient_count(message); i++) {
        print_path(file, "X-RcptTo", smtp_message_forward_path(message, i),
                   smtp_message_rcpt_parameters(message, i));
    }
}

/* CRLF as LF; the last line is ended where it is not. */
static void print_content(FILE *file, struct smtp_span content)
{
    bool ended = true;
    while (content.len > 0) {
        const char *lf = memchr(content.bytes, '\n', content.len);
        size_t len = lf != NULL ? (size_t)(lf - content.bytes) + 1 : content.len;
        bool crlf = lf != NULL && len > 1 && lf[-1] == '\r';
        fwrite(content.bytes, 1, crlf ? len - 2 : len, file);
        if (crlf) {
            putc('\n', file);
        }
        ended = lf != NULL;
        content = (struct smtp_span){content.bytes + len, content.len - len};
    }
    if (!ended) {
        putc('\n', file);
    }
}

static enum smtp_server_verdict on_message(void *user,
                                           const struct smtp_server_session_info *session,
                                           struct smtp_message *message,
                                           struct smtp_server_reply *reply)
{
    FILE *file = user;
    struct smtp_span content;
    content.bytes = smtp_message_content(message, &content.len);
    flockfile(file);
    errno = 0;
    clearerr(file);
    fputs("---------- MESSAGE FOLLOWS ----------\n", file);
    print_envelope(file, session, message);
    print_content(file, content);
    fputs("------------ END MESSAGE ------------\n", file);
    bool failed = fflush(file) != 0 || ferror(file) != 0;
    int sys_errno = errno != 0 ? errno : EIO;
    if (failed) {
        __fpurge(file); /* what is left of it would stand before the next */
    }
    funlockfile(file);
    return failed ? smtp_delivery_refuse(sys_errno, reply) : SMTP_ACCEPT;
}

static void on_release(void *user)
{
    (void)user; /* the file is the caller's */
}

enum smtp_status smtp_receiver_print(struct smtp_server_hooks *out, FILE *file,
                                     struct smtp_error *error)
{
    *out = (struct smtp_server_hooks){0};
    if (file == NULL) {
        return smtp_error_set(error, SMTP_BAD_ARGUMENT, 0, "the file to print to is NULL");
    }
    *out = (struct smtp_server_hooks){
        .user = file, .blocking = true, .message = on_message, .release = on_release};
    return SMTP_OK;
}
