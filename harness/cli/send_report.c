/* send_report.c - see send_report.h. What a server said is shown so that it can do no harm to a terminal, or to
 * who reads the lines. */
#include "harness/cli/send_report.h"

#include "common/utf8.h"
#include "harness/report/text.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

/* ---- one recipient ---- */

struct fate {
    const char *address;
    enum smtp_status status;
    enum smtp_client_stage stage;
    struct smtp_reply reply;
};

static struct fate fate_of(const struct smtp_send_outcome *outcome, size_t i)
{
    const struct smtp_send_result *result = outcome->result;
    struct fate fate = {.address = outcome->envelope->forward_paths[i],
                        .status = outcome->status,
                        .stage = outcome->stage,
                        .reply = outcome->reply};
    if (result != NULL && i < result->recipient_count) {
        const struct smtp_recipient_result *recipient = &result->recipients[i];
        fate.status = recipient->status;
        fate.stage = recipient->stage;
        fate.reply = recipient->reply;
    }
    return fate;
}

static const char *word_of(enum smtp_status status)
{
    switch (status) {
    case SMTP_OK:
        return "ok";
    case SMTP_REFUSED_TRANSIENT:
        return "temporary";
    case SMTP_REFUSED_PERMANENT:
        return "permanent";
    case SMTP_DELIVERY_UNKNOWN:
        return "unknown";
    default:
        return "not-sent";
    }
}

static size_t count_accepted(const struct smtp_send_outcome *outcome)
{
    size_t count = 0;
    for (size_t i = 0; i < outcome->envelope->forward_path_count; i++) {
        count += fate_of(outcome, i).status == SMTP_OK;
    }
    return count;
}

/* ---- the exit status ---- */

static int status_of_refusal(const struct fate *fate)
{
    if (fate->status == SMTP_REFUSED_TRANSIENT) {
        return EX_TEMPFAIL;
    }
    bool login = fate->stage == SMTP_STAGE_AUTH || fate->reply.code == 530 ||
                 fate->reply.code == 535; /* RFC 4954 6 */
    return login ? EX_NOPERM : EX_UNAVAILABLE;
}

static int status_of(const struct fate *fate)
{
    switch (fate->status) {
    case SMTP_OK:
        return EX_OK;
    case SMTP_BAD_ARGUMENT:
    case SMTP_UNSAFE_ARGUMENT:
        return EX_USAGE;
    case SMTP_REFUSED_TRANSIENT:
    case SMTP_REFUSED_PERMANENT:
        return status_of_refusal(fate);
    case SMTP_CONNECT_FAILED:
    case SMTP_TIMED_OUT:
    case SMTP_CLOSED:
    case SMTP_DELIVERY_UNKNOWN:
        return EX_TEMPFAIL;
    case SMTP_PROTOCOL_VIOLATION:
    case SMTP_TLS_FAILED:
        return EX_PROTOCOL;
    case SMTP_UNSUPPORTED:
        return fate->stage == SMTP_STAGE_AUTH ? EX_NOPERM : EX_UNAVAILABLE;
    case SMTP_RESOLVE_FAILED:
    case SMTP_LIMIT_EXCEEDED:
        return EX_UNAVAILABLE;
    case SMTP_SOURCE_FAILED:
        return EX_IOERR;
    default:
        return EX_SOFTWARE;
    }
}

int smtp_send_worse_status(int one, int other)
{
    static const int worst_first[] = {EX_TEMPFAIL, EX_PROTOCOL, EX_NOPERM, EX_UNAVAILABLE};
    for (size_t i = 0; i < sizeof worst_first / sizeof *worst_first; i++) {
        if (one == worst_first[i] || other == worst_first[i]) {
            return worst_first[i];
        }
    }
    return one != EX_OK ? one : other;
}

int smtp_send_exit_status(const struct smtp_send_outcome *outcome)
{
    int worst = EX_OK;
    for (size_t i = 0; i < outcome->envelope->forward_path_count; i++) {
        struct fate fate = fate_of(outcome, i);
        worst = smtp_send_worse_status(worst, status_of(&fate));
    }
    return worst;
}

/* ---- for a person ---- */

static void print_safely(FILE *out, const char *text)
{
    size_t len = strlen(text);
    bool utf8 = smtp_is_utf8((struct smtp_span){text, len});
    for (size_t i = 0; i < len; i++) {
        unsigned char octet = (unsigned char)text[i];
        bool control = smtp_is_control(octet) || (octet > 127 && !utf8) ||
                       (octet == 0xC2 && (unsigned char)text[i + 1] < 0xA0); /* U+0080 to U+009F */
        if (octet == '\n') {
            putc(' ', out);
        } else if (control) {
            smtp_text_escape(out, text + i, 1);
        } else {
            putc(octet, out);
        }
    }
}

void smtp_send_report_lines(FILE *out, const struct smtp_send_outcome *outcome)
{
    for (size_t i = 0; i < outcome->envelope->forward_path_count; i++) {
        struct fate fate = fate_of(outcome, i);
        if (outcome->name != NULL) {
            print_safely(out, outcome->name);
            fprintf(out, ": ");
        }
        print_safely(out, fate.address);
        fprintf(out, ": %s", word_of(fate.status));
        if (fate.reply.code > 0) {
            fprintf(out, ", %d ", fate.reply.code);
            if (fate.reply.enhanced.class_digit > 0) {
                fprintf(out, "%d.%d.%d ", fate.reply.enhanced.class_digit,
                        fate.reply.enhanced.subject, fate.reply.enhanced.detail);
            }
            print_safely(out, fate.reply.text);
        }
        fprintf(out, "\n");
    }
}

/* ---- for a program ---- */

/** UTF-8 as it is, else with escapes. */
static json_t *text_value(const char *text)
{
    char *escaped = NULL;
    size_t len = 0;
    if (smtp_is_utf8(smtp_span_of(text))) {
        return json_string(text);
    }
    FILE *out = open_memstream(&escaped, &len);
    if (out == NULL) {
        return NULL;
    }
    smtp_text_escape(out, text, strlen(text));
    json_t *value = fclose(out) == 0 ? json_string(escaped) : NULL;
    free(escaped);
    return value;
}

/** The reply's members; they are null where there was none. */
static void set_reply(json_t *object, const struct smtp_reply *reply)
{
    char enhanced[16];
    bool there = reply->code > 0, has_enhanced = there && reply->enhanced.class_digit > 0;
    snprintf(enhanced, sizeof enhanced, "%d.%d.%d", reply->enhanced.class_digit,
             reply->enhanced.subject, reply->enhanced.detail);
    json_object_set_new(object, "code", there ? json_integer(reply->code) : json_null());
    json_object_set_new(object, "enhanced", has_enhanced ? json_string(enhanced) : json_null());
    json_object_set_new(object, "text", there ? text_value(reply->text) : json_null());
}

static bool print_object(FILE *out, json_t *object)
{
    bool printed = object != NULL && json_dumpf(object, out, JSON_COMPACT) == 0;
    fprintf(out, "\n");
    json_decref(object);
    return printed;
}

/** An object that begins with the message's name, where it has one. */
static json_t *begin_object(const struct smtp_send_outcome *outcome)
{
    json_t *object = json_object();
    if (outcome->name != NULL) {
        json_object_set_new(object, "file", text_value(outcome->name));
    }
    return object;
}

static bool print_recipient(FILE *out, const struct smtp_send_outcome *outcome, size_t i)
{
    const struct fate fate = fate_of(outcome, i);
    json_t *object = begin_object(outcome);
    json_object_set_new(object, "address", text_value(fate.address));
    json_object_set_new(object, "status", json_string(word_of(fate.status)));
    json_object_set_new(object, "stage", json_string(smtp_client_stage_name(fate.stage)));
    set_reply(object, &fate.reply);
    return print_object(out, object);
}

bool smtp_send_report_json(FILE *out, const struct smtp_send_outcome *outcome)
{
    size_t count = outcome->envelope->forward_path_count;
    bool printed = true;
    for (size_t i = 0; i < count; i++) {
        printed = print_recipient(out, outcome, i) && printed;
    }
    json_t *object = begin_object(outcome);
    json_object_set_new(object, "recipients", json_integer((json_int_t)count));
    json_object_set_new(object, "accepted", json_integer((json_int_t)count_accepted(outcome)));
    json_object_set_new(object, "status", json_string(smtp_status_name(outcome->status)));
    json_object_set_new(object, "exit", json_integer(smtp_send_exit_status(outcome)));
    json_object_set_new(object, "error",
                        outcome->status == SMTP_OK ? json_null()
                                                   : text_value(outcome->error->message));
    return print_object(out, object) && printed;
}
