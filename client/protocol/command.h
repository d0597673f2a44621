/* command.h - the one place where command lines are made (RFC 5321 4.1). */
#ifndef SMTP_CLIENT_PROTOCOL_COMMAND_H
#define SMTP_CLIENT_PROTOCOL_COMMAND_H

#include "client/smtp_client.h"
#include "common/bytes.h"

/* RFC 5321 4.5.3.1.4 says 512 octets and lets extensions add to it; the largest addition is AUTH's
 * (RFC 4954 4: 12288). */
#define SMTP_CLIENT_COMMAND_MAX 12288

enum smtp_client_argument_kind {
    SMTP_CLIENT_NO_ARGUMENT,
    SMTP_CLIENT_DOMAIN,       /* of EHLO and HELO */
    SMTP_CLIENT_REVERSE_PATH, /* NULL or "": the null reverse-path */
    SMTP_CLIENT_FORWARD_PATH,
    SMTP_CLIENT_TEXT,   /* any text without control octets; "" and NULL: none */
    SMTP_CLIENT_SECRET, /* the same, masked in the log: a line of AUTH, which may be empty */
};

/** A command before it is a line. */
struct smtp_client_command {
    const char *verb; /* with what stands before the argument: "MAIL FROM:", "EHLO "; a constant */
    enum smtp_client_argument_kind kind;
    const char *argument;
    const char *parameters; /* esmtp-params, RFC 5321 4.1.2; NULL or "": none */
    bool declare_size;      /* SIZE=size_bytes, RFC 1870 */
    uint64_t size_bytes;
    enum smtp_body body; /* BODY=, RFC 6152, RFC 3030; SMTP_BODY_DETECT: not said. That of mail
                          * is the caller's wish, and not read here */
    const struct smtp_mail_options *mail; /* further parameters of MAIL; NULL: none */
    const struct smtp_rcpt_options *rcpt; /* of RCPT; NULL: none */
    bool smtputf8; /* the transaction is one of RFC 6531: MAIL says so, and paths go as they are */
};

/** Appends the command's line with CRLF, or nothing. SMTP_UNSAFE_ARGUMENT where an argument holds a
 *  control octet or would add to the command, SMTP_BAD_ARGUMENT, SMTP_LIMIT_EXCEEDED,
 *  SMTP_NO_MEMORY. */
enum smtp_status smtp_client_command_append(struct smtp_buffer *out,
                                            const struct smtp_client_command *command,
                                            struct smtp_error *error) SMTP_MUST_CHECK;

#endif
