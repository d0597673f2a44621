/* send_message.c - see send_message.h. Knows: where the addresses and the octets come from. A made message is
 * set aside in a file without a name, so that its size is known and none of it is held. */
#include "harness/cli/send_message.h"

#include "client/address_list.h"
#include "client/client.h"
#include "client/header.h"
#include "client/protocol/path.h"
#include "common/error.h"
#include "common/utf8.h"
#include "harness/cli/send_sender.h"
#include "harness/compose.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#define PROGRAM SMTP_SEND_PROGRAM
#define ADDRESSES_MAX ((size_t)64 << 20) /* octets of all of them */

/** What cannot be mended by reading the help. */
SMTP_PRINTF(2, 3) static int failed(int status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs(PROGRAM ": ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    return status;
}

static int out_of_memory(void)
{
    return failed(EX_SOFTWARE, "out of memory");
}

/* ---- recipients ---- */

/** One address, checked and with a domain. */
static int add_address(struct smtp_send_message *message, const char *option, const char *address)
{
    struct smtp_buffer path = SMTP_BUFFER((size_t)4 * SMTP_CLIENT_PATH_MAX);
    struct smtp_error error = {.status = SMTP_OK};
    char *whole = smtp_send_qualify(address);
    enum smtp_status status =
        whole != NULL ? smtp_client_path_append(&path, whole, true, true, &error) : SMTP_NO_MEMORY;
    smtp_buffer_free(&path);
    if (status == SMTP_OK) {
        status = smtp_buffer_append(&message->addresses, whole, strlen(whole) + 1);
        message->address_count += status == SMTP_OK;
    }
    free(whole);
    const char *why = error.message[0] != '\0' ? error.message : "too many addresses";
    return status == SMTP_OK          ? 0
           : status == SMTP_NO_MEMORY ? out_of_memory()
                                      : failed(EX_USAGE, "%s: %s", option, why);
}

/** No line ends, which the list would take for folding. */
static enum smtp_status check_octets(const char *text, struct smtp_error *error)
{
    for (const char *at = text; *at != '\0'; at++) {
        if (smtp_is_control((unsigned char)*at)) {
            return smtp_error_set(error, SMTP_UNSAFE_ARGUMENT, 0,
                                  "it holds the control octet 0x%02X", (unsigned char)*at);
        }
    }
    return SMTP_OK;
}

/** The addresses of one option, names left out. */
static int add_list(struct smtp_send_message *message, const char *option, const char *text)
{
    struct smtp_buffer texts = SMTP_BUFFER(ADDRESSES_MAX);
    struct smtp_error error = {.status = SMTP_OK};
    size_t count = 0;
    int wrong = 0;
    enum smtp_status status = check_octets(text, &error);
    if (status == SMTP_OK) {
        status = smtp_client_address_list_read(smtp_span_of(text), &texts, &count, &error);
    }
    if (status != SMTP_OK || count == 0) {
        wrong = failed(EX_USAGE, "%s: %s", option,
                       status != SMTP_OK ? error.message : "there is no address in it");
    }
    const char *at = smtp_buffer_span(&texts).bytes;
    for (size_t i = 0; i < count && wrong == 0; i++) {
        wrong = add_address(message, option, at);
        at += strlen(at) + 1;
    }
    smtp_buffer_free(&texts);
    return wrong;
}

static int add_given(struct smtp_send_message *message, const struct smtp_send_options *options)
{
    const struct {
        const char *option;
        const struct smtp_cli_texts *texts;
    } lists[] = {{"--to", &options->to}, {"--cc", &options->cc}, {"--bcc", &options->bcc}};
    int wrong = 0;
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        for (size_t k = 0; k < lists[i].texts->count && wrong == 0; k++) {
            wrong = add_list(message, lists[i].option, lists[i].texts->items[k]);
        }
    }
    for (size_t i = 1; i < options->words.count && wrong == 0; i++) {
        wrong = add_list(message, "ADDRESS", options->words.items[i]);
    }
    return wrong;
}

/** Once all are there: the envelope can point to them. */
static int point_out(struct smtp_send_message *message)
{
    const char *at = smtp_buffer_span(&message->addresses).bytes;
    message->forward_paths = calloc(message->address_count + 1, sizeof *message->forward_paths);
    if (message->forward_paths == NULL) {
        return out_of_memory();
    }
    for (size_t i = 0; i < message->address_count; i++) {
        message->forward_paths[i] = at;
        at += strlen(at) + 1;
    }
    message->envelope.reverse_path = message->reverse_path;
    message->envelope.forward_paths = message->forward_paths;
    message->envelope.forward_path_count = message->address_count;
    return 0;
}

/* ---- the reverse-path ---- */

/** One address, "" and "<>" for the null reverse-path. */
static int set_reverse_path(struct smtp_send_message *message, const char *option, const char *text)
{
    struct smtp_buffer texts = SMTP_BUFFER(ADDRESSES_MAX), path = SMTP_BUFFER(ADDRESSES_MAX);
    struct smtp_error error = {.status = SMTP_OK};
    size_t count = 0;
    enum smtp_status status = check_octets(text, &error);
    bool null = text[0] == '\0' || strcmp(text, "<>") == 0;
    if (status == SMTP_OK && !null) {
        status = smtp_client_address_list_read(smtp_span_of(text), &texts, &count, &error);
    }
    if (status == SMTP_OK && !null && count == 0) {
        status = smtp_error_set(&error, SMTP_BAD_ARGUMENT, 0, "there is no address in it");
    }
    if (status == SMTP_OK) {
        message->reverse_path =
            null ? strdup("") : smtp_send_qualify(smtp_buffer_span(&texts).bytes);
        status = message->reverse_path != NULL
                     ? smtp_client_path_append(&path, message->reverse_path, false, true, &error)
                     : smtp_error_set(&error, SMTP_NO_MEMORY, 0, "out of memory");
    }
    smtp_buffer_free(&texts);
    smtp_buffer_free(&path);
    return status == SMTP_OK ? 0 : failed(EX_USAGE, "%s: %s", option, error.message);
}

static int set_given_reverse_path(struct smtp_send_message *message,
                                  const struct smtp_send_options *options)
{
    if (options->reverse_path != NULL) {
        return set_reverse_path(message, "--reverse-path", options->reverse_path);
    }
    return options->from != NULL ? set_reverse_path(message, "--from", options->from) : 0;
}

/** The user's, where neither options nor header name one. */
static int set_default_reverse_path(struct smtp_send_message *message)
{
    if (message->reverse_path == NULL) {
        message->reverse_path = smtp_send_sender();
    }
    return message->reverse_path != NULL ? 0 : out_of_memory();
}

/* ---- a message that is read ---- */

static int open_whole(struct smtp_send_message *message, const char *file)
{
    struct stat about;
    do { /* a signal may break in while a pipe has no writer yet */
        message->fd = strcmp(file, "-") != 0 ? open(file, O_RDONLY | O_CLOEXEC)
                                             : fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0);
    } while (message->fd < 0 && errno == EINTR);
    if (message->fd >= 0 && (fstat(message->fd, &about) != 0 || !S_ISDIR(about.st_mode))) {
        return 0;
    }
    errno = message->fd >= 0 ? EISDIR : errno;
    return failed(EX_NOINPUT, "cannot read %s: %s", message->name, smtp_errno_text(errno));
}

/** Which of the fields every message has are missing. */
static void find_missing(struct smtp_span header, bool *from, bool *date, bool *message_id)
{
    struct smtp_client_field field;
    *from = *date = *message_id = true;
    for (size_t at = 0; smtp_client_field_next(header, &at, &field);) {
        *from = *from && !smtp_span_equal_nocase(field.name, SMTP_SPAN("From"));
        *date = *date && !smtp_span_equal_nocase(field.name, SMTP_SPAN("Date"));
        *message_id = *message_id && !smtp_span_equal_nocase(field.name, SMTP_SPAN("Message-ID"));
    }
}

/** What -t adds, in front of all that was read; *end is the header section's. */
static int add_missing(struct smtp_send_message *message, const struct smtp_send_options *options,
                       size_t *end)
{
    bool from, date, message_id;
    struct smtp_buffer all = SMTP_BUFFER(message->header.max + ADDRESSES_MAX);
    struct smtp_span read = smtp_buffer_span(&message->header);
    find_missing((struct smtp_span){read.bytes, *end}, &from, &date, &message_id);
    char *sender =
        message->reverse_path[0] != '\0' ? strdup(message->reverse_path) : smtp_send_sender();
    char *fields = sender != NULL ? smtp_send_missing_fields(from, date, message_id,
                                                             options->full_name, sender)
                                  : NULL;
    bool line_missing = *end == 0 && read.len > 0 && strchr("\r\n", read.bytes[0]) == NULL;
    bool added = fields != NULL && smtp_buffer_append(&all, fields, strlen(fields)) == SMTP_OK &&
                 smtp_buffer_append(&all, "\r\n", line_missing ? 2 : 0) == SMTP_OK &&
                 smtp_buffer_append(&all, read.bytes, read.len) == SMTP_OK;
    if (added) {
        *end += strlen(fields);
        smtp_buffer_free(&message->header);
        smtp_cli_mail_asked_clear(&message->asked);
        message->header = all;
    } else {
        smtp_buffer_free(&all);
    }
    free(fields);
    free(sender);
    return added ? 0 : out_of_memory();
}

/** Whom the header names: with -t all of them, else who it is from, where that was not said. */
static int take_envelope(struct smtp_send_message *message, const struct smtp_send_options *options,
                         size_t end)
{
    struct smtp_client_header_envelope found = {.forward_paths = NULL};
    struct smtp_error error = {.status = SMTP_OK};
    struct smtp_span section = {smtp_buffer_span(&message->header).bytes, end};
    int wrong = 0;
    if (!options->from_header && message->reverse_path != NULL) {
        return 0;
    }
    enum smtp_status status = smtp_client_envelope_collect(&found, section, true, &error);
    if (status != SMTP_OK && options->from_header) {
        wrong = failed(EX_DATAERR, "the message's header: %s", error.message);
    }
    for (size_t i = 0; options->from_header && i < found.envelope.forward_path_count && wrong == 0;
         i++) {
        wrong = add_address(message, "the message's header", found.envelope.forward_paths[i]);
        wrong = wrong != 0 ? EX_DATAERR : 0;
    }
    if (wrong == 0 && status == SMTP_OK && message->reverse_path == NULL &&
        found.envelope.reverse_path != NULL) {
        wrong = set_reverse_path(message, "the message's header", found.envelope.reverse_path);
        wrong = wrong != 0 ? EX_DATAERR : 0;
    }
    if (wrong == 0 && message->address_count == 0) {
        wrong = failed(EX_DATAERR, "there is no address: none in To, Cc and Bcc of the message, "
                                   "none on the command line");
    }
    smtp_client_envelope_clear(&found);
    return wrong;
}

/** What an mbox has before a message is none of its fields; how long it was. */
static size_t drop_mbox_line(struct smtp_buffer *message, size_t header_end)
{
    struct smtp_span text = smtp_buffer_span(message);
    size_t len = 0;
    if (header_end >= strlen("From ") && memcmp(text.bytes, "From ", strlen("From ")) == 0) {
        const char *line_end = memchr(text.bytes, '\n', header_end);
        len = line_end != NULL ? (size_t)(line_end + 1 - text.bytes) : header_end;
    }
    smtp_buffer_take(message, len);
    return len;
}

/** Whether the first line is a field: else there is no header, but text from the first octet on. */
static bool begins_with_field(struct smtp_span message)
{
    struct smtp_client_field field;
    size_t at = 0;
    if (!smtp_client_field_next(message, &at, &field) || field.name.len == 0) {
        return false;
    }
    for (size_t i = 0; i < field.name.len; i++) {
        unsigned char octet = (unsigned char)field.name.bytes[i];
        if (octet <= ' ' || octet > '~') {
            return false;
        }
    }
    return true;
}

/** Whether the header says that the content is binary (RFC 2045 6.2), so that nothing of it may be changed and
 *  the server must offer BINARYMIME (RFC 3030 3). */
static bool is_binary(struct smtp_span section)
{
    struct smtp_client_field field;
    for (size_t at = 0; smtp_client_field_next(section, &at, &field);) {
        struct smtp_span body = smtp_span_trim_start(field.body);
        bool begins = body.len >= 6 && smtp_span_equal_nocase((struct smtp_span){body.bytes, 6},
                                                              SMTP_SPAN("binary"));
        if (begins && smtp_span_equal_nocase(field.name, SMTP_SPAN("Content-Transfer-Encoding"))) {
            return true;
        }
    }
    return false;
}

/** Reads the header section off the descriptor; all that is read comes before what is left in it. */
static int read_whole(struct smtp_send_message *message, struct smtp_send_options *options)
{
    struct smtp_client_source source;
    struct smtp_error error = {.status = SMTP_OK};
    size_t end = 0;
    message->content = smtp_content_fd(message->fd);
    smtp_client_source_init(&source, &message->content);
    enum smtp_status status = smtp_client_header_read(&source, &message->header, &end, &error);
    bool text_alone = !begins_with_field(smtp_buffer_span(&message->header));
    if (status != SMTP_OK && !(status == SMTP_LIMIT_EXCEEDED && text_alone)) {
        return failed(status == SMTP_LIMIT_EXCEEDED ? EX_DATAERR : EX_IOERR, "%s: %s",
                      message->name, error.message);
    }
    if (message->header.len == 0) {
        return failed(EX_NOINPUT, "%s is empty: a message was expected", message->name);
    }
    if (options->from_header) {
        end -= drop_mbox_line(&message->header, end);
    }
    end = begins_with_field(smtp_buffer_span(&message->header)) ? end : 0;
    int wrong = take_envelope(message, options, end);
    wrong = wrong != 0 ? wrong : set_default_reverse_path(message);
    if (wrong == 0 && options->from_header) {
        end = smtp_client_header_remove_bcc(&message->header, end);
        wrong = add_missing(message, options, &end);
    }
    struct smtp_span all = smtp_buffer_span(&message->header);
    struct smtp_span section = {all.bytes, end};
    if (message->asked.mail.body == SMTP_BODY_DETECT && is_binary(section)) {
        message->asked.mail.body = SMTP_BODY_BINARYMIME;
    }
    message->asked.mail.smtputf8 =
        message->asked.mail.smtputf8 || (smtp_has_eight_bit(section) && smtp_is_utf8(section));
    message->content.before.bytes = all.bytes;
    message->content.before.len = all.len;
    return wrong;
}

/* ---- a message that is made ---- */

/** "-", "@FILE", or the text itself, whose first '@' is doubled where it begins with one. */
static struct smtp_harness_compose_text text_of(const char *given)
{
    struct smtp_harness_compose_text text = {.text = NULL};
    if (given == NULL) {
        return text;
    }
    if (strcmp(given, "-") == 0) {
        text.path = given;
    } else if (given[0] == '@' && given[1] != '@') {
        text.path = given + 1;
    } else {
        text.text = given + (given[0] == '@');
    }
    return text;
}

static struct smtp_harness_compose_list list_of(const struct smtp_cli_texts *texts)
{
    return (struct smtp_harness_compose_list){texts->items, texts->count};
}

/** Who it is from, where --from does not say so: -f, or the user, with -F. NULL: out of memory. */
static char *make_from(const struct smtp_send_message *message,
                       const struct smtp_send_options *options)
{
    char *sender =
        message->reverse_path[0] != '\0' ? strdup(message->reverse_path) : smtp_send_sender();
    char *field = sender != NULL
                      ? smtp_send_missing_fields(true, false, false, options->full_name, sender)
                      : NULL;
    free(sender);
    if (field != NULL) {
        field[strcspn(field, "\r")] = '\0';
        memmove(field, field + strlen("From: "), strlen(field + strlen("From: ")) + 1);
    }
    return field;
}

static int compose_into(FILE *file, struct smtp_send_message *message,
                        const struct smtp_send_options *options)
{
    struct smtp_error error = {.status = SMTP_OK};
    char *from = options->from != NULL ? strdup(options->from) : make_from(message, options);
    struct smtp_harness_compose what = {
        .from = from,
        .to = list_of(&options->to),
        .cc = list_of(&options->cc),
        .subject = options->subject,
        .text = text_of(options->text),
        .html = text_of(options->html),
        .attachments = list_of(&options->attachments),
        .headers = list_of(&options->headers),
        .octets = message->asked.mail.body == SMTP_BODY_8BITMIME     ? SMTP_COMPOSE_8BIT
                  : message->asked.mail.body == SMTP_BODY_BINARYMIME ? SMTP_COMPOSE_BINARY
                                                                     : SMTP_COMPOSE_7BIT,
    };
    if (from == NULL) {
        return out_of_memory();
    }
    enum smtp_status status = smtp_harness_compose(&what, file, &error);
    free(from);
    if (status == SMTP_OK) {
        return 0;
    }
    return failed(status == SMTP_SOURCE_FAILED   ? EX_NOINPUT
                  : status == SMTP_SYSTEM_FAILED ? EX_IOERR
                  : status == SMTP_NO_MEMORY     ? EX_SOFTWARE
                                                 : EX_USAGE,
                  "%s", error.message);
}

static int make_whole(struct smtp_send_message *message, struct smtp_send_options *options)
{
    FILE *file = tmpfile();
    if (file == NULL) {
        return failed(EX_CANTCREAT, "cannot make a temporary file for the message: %s",
                      smtp_errno_text(errno));
    }
    int wrong = set_default_reverse_path(message);
    wrong = wrong != 0 ? wrong : compose_into(file, message, options);
    if (wrong == 0) {
        message->fd = fcntl(fileno(file), F_DUPFD_CLOEXEC, 0);
        if (message->fd < 0 || lseek(message->fd, 0, SEEK_SET) != 0) {
            wrong = failed(EX_IOERR, "the message cannot be read back: %s", smtp_errno_text(errno));
        }
    }
    fclose(file);
    return wrong;
}

/* ---- both ---- */

/** 0: it cannot be known. */
static uint64_t count_octets(const struct smtp_send_message *message)
{
    struct stat about;
    off_t at = lseek(message->fd, 0, SEEK_CUR);
    if (at < 0 || fstat(message->fd, &about) != 0 || !S_ISREG(about.st_mode) ||
        about.st_size < at) {
        return 0;
    }
    return message->content.before.len + (uint64_t)(about.st_size - at);
}

int smtp_send_message_make(struct smtp_send_message *message, struct smtp_send_options *options,
                           const char *file)
{
    *message = (struct smtp_send_message){.name = strcmp(file, "-") != 0 ? file : "standard input",
                                          .addresses = SMTP_BUFFER(ADDRESSES_MAX),
                                          .asked.mail = options->mail.mail,
                                          .fd = -1};
    int wrong = add_given(message, options);
    wrong = wrong != 0 ? wrong : set_given_reverse_path(message, options);
    if (wrong == 0) {
        wrong = smtp_send_options_compose(options) ? make_whole(message, options)
                                                   : open_whole(message, file);
    }
    wrong = wrong != 0 ? wrong : read_whole(message, options);
    wrong = wrong != 0 ? wrong : point_out(message);
    if (wrong == 0 &&
        !smtp_cli_mail_asked_fill(&message->asked, &options->mail, &message->envelope)) {
        wrong = EX_USAGE;
    }
    message->octets = wrong == 0 ? count_octets(message) : 0;
    return wrong;
}

void smtp_send_message_clear(struct smtp_send_message *message)
{
    free(message->reverse_path);
    free(message->forward_paths);
    smtp_buffer_free(&message->addresses);
    smtp_buffer_free(&message->header);
    smtp_cli_mail_asked_clear(&message->asked);
    if (message->fd >= 0) {
        close(message->fd);
    }
}
