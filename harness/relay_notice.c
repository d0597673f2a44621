/* relay_notice.c - see relay_notice.h. Knows the form of a notification; nothing of what a relay does else. */
#include "harness/relay_notice.h"

#include "common/clock.h"
#include "harness/lines.h"
#include "server/smtp_receivers.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define NS_PER_S INT64_C(1000000000)
#define BOUNDARY "=_relayed_"

/** The value of a parameter like "NOTIFY=", up to the next space; "" for none. */
static struct smtp_span value_of(const char *parameters, const char *name)
{
    size_t len = strlen(name);
    while (*parameters != '\0') {
        parameters += strspn(parameters, " ");
        size_t end = strcspn(parameters, " ");
        if (end > len && strncasecmp(parameters, name, len) == 0) {
            return (struct smtp_span){parameters + len, end - len};
        }
        parameters += end;
    }
    return (struct smtp_span){"", 0};
}

static bool wants_success(const char *rcpt_parameters)
{
    struct smtp_span notify = value_of(rcpt_parameters, "NOTIFY=");
    for (size_t at = 0; at + 7 <= notify.len; at++) {
        if (strncasecmp(notify.bytes + at, "SUCCESS", 7) == 0) {
            return true;
        }
    }
    return false;
}

/* ---- xtext (RFC 3461 4) ---- */

static int digit_of(char octet)
{
    static const char digits[] = "0123456789ABCDEF";
    const char *at = octet != '\0' ? strchr(digits, octet) : NULL;
    return at != NULL ? (int)(at - digits) : -1;
}

/** "Name: VALUE" with the value decoded; no field of an octet that cannot stand in one. */
static void add_field(struct smtp_harness_lines *lines, const char *name, struct smtp_span xtext)
{
    struct smtp_harness_lines value = SMTP_HARNESS_LINES;
    bool fits = xtext.len > 0;
    for (size_t i = 0; i < xtext.len && fits; i++) {
        char octet = xtext.bytes[i];
        if (octet == '+' && i + 2 < xtext.len) {
            octet = (char)(digit_of(xtext.bytes[i + 1]) * 16 + digit_of(xtext.bytes[i + 2]));
            i += 2;
        }
        fits = octet >= ' ' && octet <= '~';
        smtp_harness_lines_add(&value, (struct smtp_span){&octet, 1});
    }
    char *text = smtp_harness_lines_take(&value);
    if (fits && text != NULL) {
        smtp_harness_lines_print(lines, "%s: %s\r\n", name, text);
    }
    free(text);
}

/* ---- the notification ---- */

static void add_header(struct smtp_harness_lines *lines, const char *hostname,
                       const struct smtp_message *message)
{
    char date[64] = "";
    time_t now = (time_t)(smtp_clock_unix_ns() / NS_PER_S);
    struct tm utc;
    if (gmtime_r(&now, &utc) != NULL) {
        (void)strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S +0000", &utc);
    }
    smtp_harness_lines_print(
        lines,
        "From: Mail delivery <mailer-daemon@%s>\r\nTo: <%s>\r\nSubject: Relayed\r\nDate: %s\r\n"
        "Message-ID: <relayed.%lld.%llu@%s>\r\nAuto-Submitted: auto-replied\r\n"
        "MIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=delivery-status;\r\n"
        " boundary=\"" BOUNDARY "\"\r\n\r\n--" BOUNDARY "\r\n\r\n"
        "The message was passed on to a server that tells of deliveries no more.\r\n"
        "--" BOUNDARY "\r\nContent-Type: message/delivery-status\r\n\r\n"
        "Reporting-MTA: dns; %s\r\n",
        hostname, smtp_message_reverse_path(message), date,
        (long long)smtp_message_received_unix_ns(message),
        (unsigned long long)smtp_message_session(message), hostname, hostname);
    add_field(lines, "Original-Envelope-Id",
              value_of(smtp_message_mail_parameters(message), "ENVID="));
}

static void add_recipient(struct smtp_harness_lines *lines, const struct smtp_message *message,
                          size_t i)
{
    smtp_harness_lines_print(lines, "\r\n");
    add_field(lines, "Original-Recipient",
              value_of(smtp_message_rcpt_parameters(message, i), "ORCPT="));
    smtp_harness_lines_print(lines,
                             "Final-Recipient: rfc822; %s\r\nAction: relayed\r\nStatus: 2.1.9\r\n",
                             smtp_message_forward_path(message, i));
}

/** The header section alone (RFC 3461 6.2): a success need not return more. */
static void add_original(struct smtp_harness_lines *lines, const struct smtp_message *message)
{
    size_t size;
    const char *content = smtp_message_content(message, &size);
    const char *end = size > 0 ? memmem(content, size, "\r\n\r\n", 4) : NULL;
    size_t len = end != NULL ? (size_t)(end - content) + 2 : size;
    smtp_harness_lines_print(lines,
                             "\r\n--" BOUNDARY "\r\nContent-Type: text/rfc822-headers\r\n\r\n");
    smtp_harness_lines_add(lines, (struct smtp_span){content, len});
    smtp_harness_lines_print(lines, "\r\n--" BOUNDARY "--\r\n");
}

void smtp_relay_notify(struct smtp_client *client, const char *hostname,
                       const struct smtp_message *message)
{
    const char *sender = smtp_message_reverse_path(message);
    struct smtp_harness_lines lines = SMTP_HARNESS_LINES;
    size_t told = 0;
    if (sender[0] == '\0' || smtp_client_extension(client, "DSN") != NULL) {
        return;
    }
    for (size_t i = 0; i < smtp_message_recipient_count(message); i++) {
        if (!wants_success(smtp_message_rcpt_parameters(message, i))) {
            continue;
        }
        if (told++ == 0) {
            add_header(&lines, hostname, message);
        }
        add_recipient(&lines, message, i);
    }
    if (told == 0) {
        return;
    }
    add_original(&lines, message);
    size_t len = lines.buffer.len;
    char *text = smtp_harness_lines_take(&lines);
    const struct smtp_envelope envelope = {.forward_paths = &sender, .forward_path_count = 1};
    if (text != NULL) { /* what came of the message is told already, whatever comes of this */
        enum smtp_status ignored =
            smtp_client_send(client, &envelope, smtp_content_memory(text, len), NULL);
        (void)ignored;
    }
    free(text);
}
