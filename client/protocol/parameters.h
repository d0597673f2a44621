/* parameters.h - what is asked for with MAIL and RCPT, as esmtp-params (RFC 5321 4.1.2). */
#ifndef SMTP_CLIENT_PROTOCOL_PARAMETERS_H
#define SMTP_CLIENT_PROTOCOL_PARAMETERS_H

#include "client/smtp_client.h"
#include "common/bytes.h"

#define SMTP_CLIENT_ENVID_MAX 100         /* in xtext, RFC 3461 4.4 */
#define SMTP_CLIENT_RCPT_OPTIONS_MAX 500  /* RFC 3461 4: by so much RCPT may grow */
#define SMTP_CLIENT_SECONDS_MAX 999999999 /* nine digits: RFC 4865 3, RFC 2852 4 */

/** Appends each option as " KEYWORD=value", but for body and smtputf8, which depend on the content and
 *  the paths. SMTP_BAD_ARGUMENT: a value out of range, or two that exclude each other;
 *  SMTP_UNSAFE_ARGUMENT: a control octet; SMTP_NO_MEMORY. On failure what was appended is of no use. */
enum smtp_status smtp_client_mail_options_append(struct smtp_buffer *out,
                                                 const struct smtp_mail_options *options,
                                                 struct smtp_error *error) SMTP_MUST_CHECK;
/** smtputf8: whether a recipient that is not ASCII may go as it is (RFC 6533 3). */
enum smtp_status smtp_client_rcpt_options_append(struct smtp_buffer *out,
                                                 const struct smtp_rcpt_options *options,
                                                 bool smtputf8, struct smtp_error *error)
    SMTP_MUST_CHECK;

/** Appends raw esmtp-params with a space before them, or nothing for NULL and "". smtputf8: values may be
 *  UTF-8 (RFC 6531 3.3). Statuses as above. */
enum smtp_status smtp_client_parameters_append(struct smtp_buffer *out, const char *parameters,
                                               bool smtputf8, struct smtp_error *error)
    SMTP_MUST_CHECK;
/** The value of the keyword, in any case, among esmtp-params: "" where it has none; NULL bytes where it is
 *  not there, and for NULL. */
struct smtp_span smtp_client_parameters_find(const char *parameters, const char *keyword);
bool smtp_client_parameters_have(const char *parameters, const char *keyword);

/** SMTP_BAD_ARGUMENT where a keyword stands twice among esmtp-params. */
enum smtp_status smtp_client_parameters_check_repeats(struct smtp_span parameters,
                                                      struct smtp_error *error) SMTP_MUST_CHECK;

/** Whether it is a time of RFC 3339 in UTC, "2026-12-24T18:00:00Z", that can be; two of them compare as
 *  texts do. */
bool smtp_client_is_utc_time(struct smtp_span text);

#endif
