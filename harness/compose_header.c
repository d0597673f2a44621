/* compose_header.c - see compose_header.h. What goes in is checked before GMime sees it: no octet that
 * would add a field, no address that the envelope would not take, no word too long to be folded. */
#include "harness/compose_header.h"

#include "client/address_list.h"
#include "common/error.h"
#include "common/utf8.h"

#include <string.h>
#include <strings.h>
#include <sys/random.h>

/* What does not fold: a line has at most 998 octets (RFC 5322 2.1.1), and a field's name stands before it. */
#define WORD_MAX 800
#define FIELD_NAME_MAX 76
#define FIELD_MAX ((size_t)1 << 16) /* octets of one value */

/* ---- checking ---- */

static enum smtp_status check_value(const char *what, const char *value, struct smtp_error *error)
{
    size_t word = 0, len = strlen(value);
    bool after_blank = false;
    for (const char *at = value; *at != '\0'; at++) {
        unsigned char octet = (unsigned char)*at;
        if (smtp_is_control(octet) && octet != '\t') {
            return smtp_error_set(
                error, SMTP_UNSAFE_ARGUMENT, 0,
                "%s holds the control octet 0x%02X, which would add to the header", what, octet);
        }
        bool blank = octet == ' ' || octet == '\t';
        word = blank && !after_blank ? 0 : word + 1; /* a run of blanks does not fold either */
        after_blank = blank;
        if (word > WORD_MAX) {
            return smtp_error_set(
                error, SMTP_BAD_ARGUMENT, 0,
                "%s has a word, or blanks, of more than %d octets, which no line can "
                "hold (RFC 5322 2.1.1)",
                what, WORD_MAX);
        }
    }
    if (len > FIELD_MAX) {
        return smtp_error_set(error, SMTP_BAD_ARGUMENT, 0, "%s has %zu octets; at most %zu will do",
                              what, len, FIELD_MAX);
    }
    if (!smtp_is_utf8(smtp_span_of(value))) {
        return smtp_error_set(error, SMTP_BAD_ARGUMENT, 0, "%s is not UTF-8", what);
    }
    return SMTP_OK;
}

static enum smtp_status check_addresses(const char *what, const char *value,
                                        struct smtp_error *error)
{
    struct smtp_buffer texts = SMTP_BUFFER(FIELD_MAX * 2);
    size_t count = 0;
    enum smtp_status status = check_value(what, value, error);
    if (status == SMTP_OK) {
        status = smtp_client_address_list_read(smtp_span_of(value), &texts, &count, error);
    }
    if (status == SMTP_OK && count == 0) {
        status = smtp_error_set(error, SMTP_BAD_ARGUMENT, 0, "%s holds no address", what);
    }
    smtp_buffer_free(&texts);
    return status;
}

static enum smtp_status check_lists(const char *what, const struct smtp_harness_compose_list *list,
                                    struct smtp_error *error)
{
    enum smtp_status status = SMTP_OK;
    for (size_t i = 0; i < list->count && status == SMTP_OK; i++) {
        status = check_addresses(what, list->items[i], error);
    }
    return status;
}

/** The name before the colon; len 0: there is none. */
static struct smtp_span name_of(const char *header)
{
    const char *colon = strchr(header, ':');
    size_t len = colon != NULL ? (size_t)(colon - header) : 0;
    return (struct smtp_span){header, len};
}

static bool is_field_name(struct smtp_span name)
{
    for (size_t i = 0; i < name.len; i++) {
        unsigned char octet = (unsigned char)name.bytes[i];
        if (octet <= ' ' || octet > '~') {
            return false;
        }
    }
    return name.len > 0 && name.len <= FIELD_NAME_MAX;
}

static bool is(struct smtp_span name, const char *text)
{
    return smtp_span_equal_nocase(name, smtp_span_of(text));
}

/** Who makes that field here; NULL: nobody. */
static const char *made_by(struct smtp_span name)
{
    static const struct {
        const char *name, *option;
    } made[] = {{"From", "--from"}, {"To", "--to"},           {"Cc", "--cc"},
                {"Bcc", "--bcc"},   {"Subject", "--subject"}, {"MIME-Version", "the program"}};
    for (size_t i = 0; i < sizeof made / sizeof *made; i++) {
        if (is(name, made[i].name)) {
            return made[i].option;
        }
    }
    const struct smtp_span content = SMTP_SPAN("Content-");
    return name.len >= content.len &&
                   smtp_span_equal_nocase((struct smtp_span){name.bytes, content.len}, content)
               ? "the program"
               : NULL;
}

/** RFC 5322 3.6: at most once. */
static bool stands_alone(struct smtp_span name)
{
    static const char *const names[] = {"Date",     "Message-ID",  "Sender",
                                        "Reply-To", "In-Reply-To", "References"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (is(name, names[i])) {
            return true;
        }
    }
    return false;
}

static const char *find_header(const struct smtp_harness_compose_list *headers, size_t count,
                               struct smtp_span name)
{
    for (size_t i = 0; i < count; i++) {
        if (smtp_span_equal_nocase(name_of(headers->items[i]), name)) {
            const char *value = headers->items[i] + name.len + 1;
            return value + strspn(value, " \t");
        }
    }
    return NULL;
}

static enum smtp_status check_header(const struct smtp_harness_compose_list *headers, size_t i,
                                     struct smtp_error *error)
{
    struct smtp_span name = name_of(headers->items[i]);
    if (!is_field_name(name)) {
        return smtp_error_set(
            error, SMTP_BAD_ARGUMENT, 0,
            "--header takes 'NAME: VALUE', the NAME of 1 to %d octets of printable "
            "ASCII without blanks; number %zu has none",
            FIELD_NAME_MAX, i + 1);
    }
    const char *maker = made_by(name);
    if (maker != NULL) {
        return smtp_error_set(error, SMTP_BAD_ARGUMENT, 0,
                              "--header %.*s: that field is made by %s", (int)name.len, name.bytes,
                              maker);
    }
    if (stands_alone(name) && find_header(headers, i, name) != NULL) {
        return smtp_error_set(error, SMTP_BAD_ARGUMENT, 0,
                              "--header %.*s: that field may stand there once (RFC 5322 3.6)",
                              (int)name.len, name.bytes);
    }
    char what[FIELD_NAME_MAX + 16];
    snprintf(what, sizeof what, "--header %.*s", (int)name.len, name.bytes);
    return check_value(what, headers->items[i] + name.len + 1, error);
}

enum smtp_status smtp_harness_compose_check(const struct smtp_harness_compose *what,
                                            struct smtp_error *error)
{
    enum smtp_status status = check_addresses("--from", what->from, error);
    if (status == SMTP_OK) {
        status = check_lists("--to", &what->to, error);
    }
    if (status == SMTP_OK) {
        status = check_lists("--cc", &what->cc, error);
    }
    if (status == SMTP_OK && what->subject != NULL) {
        status = check_value("--subject", what->subject, error);
    }
    for (size_t i = 0; i < what->headers.count && status == SMTP_OK; i++) {
        status = check_header(&what->headers, i, error);
    }
    return status;
}

/* ---- filling in ---- */

static void add_addresses(InternetAddressList *to, const char *text)
{
    InternetAddressList *parsed = internet_address_list_parse(NULL, text);
    if (parsed != NULL) {
        internet_address_list_append(to, parsed);
        g_object_unref(parsed);
    }
}

static void add_list(InternetAddressList *to, const struct smtp_harness_compose_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        add_addresses(to, list->items[i]);
    }
}

/** RFC 5322 3.6.4: unique, at the domain of who it is from. */
static void make_message_id(GMimeMessage *message)
{
    InternetAddress *from = internet_address_list_get_address(g_mime_message_get_from(message), 0);
    const char *address =
        from != NULL && INTERNET_ADDRESS_IS_MAILBOX(from)
            ? internet_address_mailbox_get_idn_addr(INTERNET_ADDRESS_MAILBOX(from))
            : NULL;
    const char *at = address != NULL ? strrchr(address, '@') : NULL;
    uint64_t number[2] = {0, 0};
    if (getrandom(number, sizeof number, 0) != sizeof number) {
        number[0] = (uint64_t)g_get_real_time();
    }
    char *id = g_strdup_printf("%016" G_GINT64_MODIFIER "x%016" G_GINT64_MODIFIER "x@%s", number[0],
                               number[1], at != NULL ? at + 1 : "localhost");
    g_mime_message_set_message_id(message, id);
    g_free(id);
}

static void add_date(GMimeMessage *message)
{
    GDateTime *now = g_date_time_new_now_local();
    g_mime_message_set_date(message, now);
    g_date_time_unref(now);
}

/** RFC 5322 3.6.2: where several wrote it, one of them has to be named as who sends it. */
static void add_sender(GMimeMessage *message)
{
    InternetAddressList *from = g_mime_message_get_from(message);
    InternetAddress *first = internet_address_list_get_address(from, 0);
    if (internet_address_list_length(from) > 1 && INTERNET_ADDRESS_IS_MAILBOX(first)) {
        internet_address_list_add(g_mime_message_get_sender(message), first);
    }
}

void smtp_harness_compose_add_header(GMimeMessage *message, const struct smtp_harness_compose *what)
{
    if (find_header(&what->headers, what->headers.count, SMTP_SPAN("Date")) == NULL) {
        add_date(message);
    }
    add_addresses(g_mime_message_get_from(message), what->from);
    if (find_header(&what->headers, what->headers.count, SMTP_SPAN("Sender")) == NULL) {
        add_sender(message);
    }
    add_list(g_mime_message_get_to(message), &what->to);
    add_list(g_mime_message_get_cc(message), &what->cc);
    if (what->subject != NULL) {
        g_mime_message_set_subject(message, what->subject, "utf-8");
    }
    if (find_header(&what->headers, what->headers.count, SMTP_SPAN("Message-ID")) == NULL) {
        make_message_id(message);
    }
    for (size_t i = 0; i < what->headers.count; i++) {
        struct smtp_span span = name_of(what->headers.items[i]);
        const char *value = what->headers.items[i] + span.len + 1;
        char name[FIELD_NAME_MAX + 1];
        snprintf(name, sizeof name, "%.*s", (int)span.len, span.bytes);
        g_mime_object_append_header(GMIME_OBJECT(message), name, value + strspn(value, " \t"),
                                    "utf-8");
    }
}
