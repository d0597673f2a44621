/* crooked_scram.c - see crooked_scram.h. */
#include "tests/conformance/crooked_scram.h"

#include "common/secret.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define IDLE_MS 10000
#define LINE_MAX_OCTETS 1000
#define MESSAGE_MAX 600

struct scram {
    int fd;
    const struct smtp_crooked_scram *how;
    char line[LINE_MAX_OCTETS]; /* without its CRLF */
    char message[MESSAGE_MAX];  /* what the line's base64 says */
    char nonce[MESSAGE_MAX];    /* the whole one */
    const char *binding;        /* what c= must be */
    bool is_named_badly;        /* and that is to be told at the end */
};

static void say(const struct scram *scram, const char *reply)
{
    ssize_t written = write(scram->fd, reply, strlen(reply));
    (void)written; /* a client that is gone is seen at the next read */
}

/** Reads a line; false: the client is gone. It says nothing before it has its reply, so nothing follows the line. */
static bool hear(struct scram *scram)
{
    size_t len = 0;
    while (len + 1 < sizeof scram->line) {
        struct pollfd item = {.fd = scram->fd, .events = POLLIN};
        ssize_t more = poll(&item, 1, IDLE_MS) > 0
                           ? read(scram->fd, scram->line + len, sizeof scram->line - 1 - len)
                           : -1;
        if (more <= 0) {
            return false;
        }
        len += (size_t)more;
        if (len >= 2 && scram->line[len - 2] == '\r' && scram->line[len - 1] == '\n') {
            scram->line[len - 2] = '\0';
            return true;
        }
    }
    return false;
}

static bool decode(struct scram *scram, const char *base64)
{
    struct smtp_buffer octets = SMTP_BUFFER(MESSAGE_MAX);
    bool held = smtp_base64_decode(&octets, smtp_span_of(base64)) == SMTP_OK;
    struct smtp_span text = smtp_buffer_span(&octets);
    snprintf(scram->message, sizeof scram->message, "%.*s", held ? (int)text.len : 0,
             held && text.len > 0 ? text.bytes : "");
    smtp_buffer_free(&octets);
    return held;
}

static void challenge(struct scram *scram, const char *message)
{
    char reply[2 * MESSAGE_MAX];
    struct smtp_buffer base64 = SMTP_BUFFER(sizeof reply);
    if (smtp_base64_append(&base64, smtp_span_of(message)) == SMTP_OK) {
        struct smtp_span text = smtp_buffer_span(&base64);
        snprintf(reply, sizeof reply, "334 %.*s\r\n", (int)text.len, text.bytes);
        say(scram, reply);
    }
    smtp_buffer_free(&base64);
}

/** Whether a "=" stands in ",n=NAME,": of =2C and =3D none is sent. */
static bool has_bad_name(const char *name)
{
    return memchr(name + 3, '=', strcspn(name + 3, ",")) != NULL;
}

/** The client's first message: "n,,n=NAME,r=NONCE". */
static bool takes_first(struct scram *scram)
{
    const char *name = strstr(scram->message, ",n="), *nonce = strstr(scram->message, ",r=");
    if (name == NULL || nonce == NULL ||
        (!scram->how->takes_any_name && !scram->how->refuses_names_late && has_bad_name(name))) {
        return false;
    }
    scram->is_named_badly = scram->how->refuses_names_late && has_bad_name(name);
    scram->binding = scram->message[0] == 'y' ? "c=eSws," : "c=biws,";
    snprintf(scram->nonce, sizeof scram->nonce, "%s%s", nonce + 3,
             scram->how->adds_no_nonce ? "" : "server");
    return true;
}

/** Its final one: "c=BINDING,r=NONCE,p=PROOF". */
static bool takes_final(const struct scram *scram)
{
    const struct smtp_crooked_scram *how = scram->how;
    const char *nonce = strstr(scram->message, "r="), *proof = strstr(scram->message, ",p=");
    if (nonce == NULL || proof == NULL) {
        return false;
    }
    size_t len = strcspn(nonce + 2, ",");
    bool is_nonce = len == strlen(scram->nonce) && strncmp(nonce + 2, scram->nonce, len) == 0;
    bool is_binding = strstr(scram->message, scram->binding) != NULL;
    bool is_mandatory = strncmp(scram->message, "m=", 2) == 0;
    bool is_extended = nonce + 2 + len != proof;
    bool is_refused = scram->is_named_badly || (how->refuses_y && scram->binding[2] == 'e');
    return !is_refused && (is_nonce || how->takes_any_nonce) &&
           (is_binding || how->takes_any_binding) && (!is_mandatory || how->takes_any_extension) &&
           (!is_extended || !how->refuses_all_extensions);
}

static void exchange(struct scram *scram, const char *base64)
{
    char first[2 * MESSAGE_MAX];
    if (!decode(scram, base64) || !takes_first(scram)) {
        say(scram, "535 No\r\n");
        return;
    }
    snprintf(first, sizeof first, "r=%s,s=c2FsdA==,i=%u", scram->nonce,
             scram->how->iterations > 0 ? scram->how->iterations : 4096);
    challenge(scram, first);
    if (!hear(scram)) {
        return;
    }
    if (!decode(scram, scram->line) || !takes_final(scram)) {
        if (scram->how->says_why) {
            challenge(scram, "e=other-error");
            (void)hear(scram);
        }
        say(scram, "535 No\r\n");
        return;
    }
    if (!scram->how->says_235_at_once) {
        challenge(scram, "v=AAAA");
        if (!hear(scram)) {
            return;
        }
    }
    say(scram, "235 Welcome\r\n");
}

void smtp_crooked_scram_serve(int connection, const struct smtp_crooked_scram *how)
{
    struct scram scram = {.fd = connection, .how = how};
    say(&scram, "220 crooked.test\r\n");
    while (hear(&scram)) {
        if (strncmp(scram.line, "AUTH SCRAM-SHA-256 ", 19) == 0) {
            exchange(&scram, scram.line + 19);
            return;
        }
        say(&scram, "250-crooked.test\r\n250 AUTH SCRAM-SHA-256 SCRAM-SHA-256-PLUS\r\n");
    }
}
