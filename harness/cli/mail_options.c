/* mail_options.c - see mail_options.h. The client itself knows which values it takes, and which the server
 * offers; here is how they are written. */
#include "harness/cli/mail_options.h"

#include "common/bytes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define BY_MAX 999999999 /* seconds, RFC 2852 4 */

static struct smtp_cli_option with_letter(char letter, struct smtp_cli_option option)
{
    option.letter = letter;
    return option;
}

void smtp_cli_mail_options_use(struct smtp_cli_mail_options *options, const char *program,
                               struct smtp_cli_option rows[SMTP_CLI_MAIL_ROWS])
{
    *options = (struct smtp_cli_mail_options){.program = program};
    rows[0] = smtp_cli_heading("What is asked of the server, which must offer it:");
    rows[1] = with_letter('B', smtp_cli_text("body", "TYPE", &options->body,
                                             "7BIT, 8BITMIME, BINARYMIME (by its octets)"));
    rows[2] = smtp_cli_flag(0, "smtputf8", &options->smtputf8, "SMTPUTF8 in any case (RFC 6531)");
    rows[3] = smtp_cli_flag(0, "requiretls", &options->require_tls, "TLS all the way (RFC 8689)");
    rows[4] = with_letter('N', smtp_cli_text("notify", "LIST", &options->notify,
                                             "DSN: success,failure,delay or never (RFC 3461)"));
    rows[5] = with_letter('R', smtp_cli_text("ret", "WHAT", &options->dsn_return,
                                             "comes back with a DSN: full, hdrs"));
    rows[6] = with_letter('V', smtp_cli_text("envid", "TEXT", &options->mail.dsn_envelope_id,
                                             "names the message in a DSN"));
    rows[7] = smtp_cli_texts("orcpt", "ADDR", &options->original_recipients,
                             "the original recipient: one for all, or one each");
    rows[8] = smtp_cli_number("hold-for", &options->hold_for_s, 1, 999999999,
                              "seconds until it is released (RFC 4865)");
    rows[9] = smtp_cli_text("hold-until", "TIME", &options->hold_until,
                            "the same, like 2026-12-24T18:00:00Z");
    rows[10] = smtp_cli_text("by", "S;MODE", &options->by,
                             "seconds; N notify, R return, T trace: '120;R',\n"
                             "'-60;NT' (RFC 2852)");
    rows[11] = smtp_cli_text("priority", "N", &options->priority, "-9 to 9 (RFC 6710)");
    rows[12] = smtp_cli_text("auth-param", "ADDR", &options->mail.auth,
                             "who submitted it; '' for <> (RFC 4954 5)");
    rows[13] = smtp_cli_texts("mail-parameter", "KEY=VALUE", &options->mail_parameters,
                              "any other of MAIL; more than once");
    rows[14] = smtp_cli_texts("rcpt-parameter", "KEY=VALUE", &options->rcpt_parameters,
                              "any other of every RCPT; more than once");
}

/* ---- reading ---- */

struct word {
    const char *word;
    int meaning;
};

/** The word's meaning, in any case of letters; false: none has it. */
static bool find_word(const struct word *words, size_t count, struct smtp_span given, int *meaning)
{
    for (size_t i = 0; i < count; i++) {
        if (smtp_span_equal_nocase(smtp_span_of(words[i].word), given)) {
            *meaning = words[i].meaning;
            return true;
        }
    }
    return false;
}

static bool read_body(struct smtp_cli_mail_options *options)
{
    static const struct word words[] = {{"7BIT", SMTP_BODY_7BIT},
                                        {"8BITMIME", SMTP_BODY_8BITMIME},
                                        {"BINARYMIME", SMTP_BODY_BINARYMIME}};
    int meaning = SMTP_BODY_DETECT;
    if (options->body != NULL && !find_word(words, 3, smtp_span_of(options->body), &meaning)) {
        smtp_cli_wrong(options->program, "--body takes 7BIT, 8BITMIME or BINARYMIME, not '%s'",
                       options->body);
        return false;
    }
    options->mail.body = (enum smtp_body)meaning;
    return true;
}

static bool read_return(struct smtp_cli_mail_options *options)
{
    static const struct word words[] = {{"full", SMTP_DSN_RETURN_FULL},
                                        {"hdrs", SMTP_DSN_RETURN_HEADERS}};
    int meaning = SMTP_DSN_RETURN_UNSAID;
    if (options->dsn_return != NULL &&
        !find_word(words, 2, smtp_span_of(options->dsn_return), &meaning)) {
        smtp_cli_wrong(options->program, "--ret takes full or hdrs, not '%s'", options->dsn_return);
        return false;
    }
    options->mail.dsn_return = (enum smtp_dsn_return)meaning;
    return true;
}

static bool read_notify(struct smtp_cli_mail_options *options)
{
    static const struct word words[] = {{"never", SMTP_NOTIFY_NEVER},
                                        {"success", SMTP_NOTIFY_SUCCESS},
                                        {"failure", SMTP_NOTIFY_FAILURE},
                                        {"delay", SMTP_NOTIFY_DELAY}};
    const char *at = options->notify;
    bool known = true;
    while (at != NULL && known) {
        struct smtp_span word = {at, strcspn(at, ",")};
        int meaning = 0;
        known = find_word(words, 4, word, &meaning);
        options->notify_when |= (unsigned)meaning;
        at = at[word.len] == ',' ? at + word.len + 1 : NULL;
    }
    bool never = (options->notify_when & SMTP_NOTIFY_NEVER) != 0;
    if (!known || (never && options->notify_when != SMTP_NOTIFY_NEVER)) {
        smtp_cli_wrong(options->program,
                       "--notify takes never, or some of success,failure,delay; not '%s'",
                       options->notify);
        return false;
    }
    return true;
}

/** A number with its sign. */
static bool read_signed(struct smtp_span text, int64_t max, int64_t *out)
{
    uint64_t value;
    bool negative = text.len > 0 && text.bytes[0] == '-';
    struct smtp_span digits = {text.bytes + negative, text.len - negative};
    if (!smtp_span_to_u64(digits, (uint64_t)max, &value)) {
        return false;
    }
    *out = negative ? -(int64_t)value : (int64_t)value;
    return true;
}

/** "120;R", "-60;NT": as in RFC 2852 4. */
static bool read_by(struct smtp_cli_mail_options *options)
{
    static const struct word modes[] = {{"N", SMTP_DELIVER_BY_NOTIFY},
                                        {"NT", SMTP_DELIVER_BY_NOTIFY},
                                        {"R", SMTP_DELIVER_BY_RETURN},
                                        {"RT", SMTP_DELIVER_BY_RETURN}};
    if (options->by == NULL) {
        return true;
    }
    struct smtp_span seconds = {options->by, strcspn(options->by, ";")};
    const char *mode = options->by + seconds.len + (options->by[seconds.len] == ';');
    int meaning = 0;
    if (!read_signed(seconds, BY_MAX, &options->mail.deliver_by_s) ||
        !find_word(modes, 4, smtp_span_of(mode), &meaning) ||
        (meaning == SMTP_DELIVER_BY_RETURN && options->mail.deliver_by_s <= 0)) {
        smtp_cli_wrong(options->program,
                       "--by takes SECONDS;MODE like '120;R' (more than 0 with R) or '-60;NT', "
                       "not '%s'",
                       options->by);
        return false;
    }
    options->mail.deliver_by = (enum smtp_deliver_by)meaning;
    options->mail.deliver_by_trace = mode[1] != '\0';
    return true;
}

static bool read_priority(struct smtp_cli_mail_options *options)
{
    int64_t priority = 0;
    if (options->priority == NULL) {
        return true;
    }
    if (!read_signed(smtp_span_of(options->priority), 9, &priority)) {
        smtp_cli_wrong(options->program, "--priority takes a number from -9 to 9, not '%s'",
                       options->priority);
        return false;
    }
    options->mail.has_priority = true;
    options->mail.priority = (int)priority;
    return true;
}

/** All in one, a space between; *out stays NULL where there is none. False: out of memory. */
static bool join(const struct smtp_cli_texts *texts, char **out)
{
    size_t size = 1;
    for (size_t i = 0; i < texts->count; i++) {
        size += strlen(texts->items[i]) + 1;
    }
    *out = texts->count > 0 ? calloc(1, size) : NULL;
    for (size_t i = 0; i < texts->count && *out != NULL; i++) {
        size_t len = strlen(*out);
        snprintf(*out + len, size - len, "%s%s", i > 0 ? " " : "", texts->items[i]);
    }
    return texts->count == 0 || *out != NULL;
}

bool smtp_cli_mail_options_apply(struct smtp_cli_mail_options *options)
{
    struct smtp_mail_options *mail = &options->mail;
    mail->smtputf8 = options->smtputf8;
    mail->require_tls = options->require_tls;
    mail->hold_for_s = options->hold_for_s;
    mail->hold_until = options->hold_until;
    if (mail->auth != NULL && strcmp(mail->auth, "<>") == 0) {
        mail->auth = "";
    }
    if (mail->hold_for_s > 0 && mail->hold_until != NULL) {
        smtp_cli_wrong(options->program, "--hold-for and --hold-until exclude each other");
        return false;
    }
    return read_body(options) && read_return(options) && read_notify(options) && read_by(options) &&
           read_priority(options) &&
           join(&options->mail_parameters, &options->all_mail_parameters) &&
           join(&options->rcpt_parameters, &options->all_rcpt_parameters);
}

void smtp_cli_mail_options_clear(struct smtp_cli_mail_options *options)
{
    free(options->all_mail_parameters);
    free(options->all_rcpt_parameters);
}

bool smtp_cli_mail_asked_fill(struct smtp_cli_mail_asked *asked,
                              const struct smtp_cli_mail_options *options,
                              struct smtp_envelope *envelope)
{
    size_t count = envelope->forward_path_count, given = options->original_recipients.count;
    if (given > 1 && given != count) {
        smtp_cli_wrong(options->program,
                       "--orcpt is given %zu times for %zu recipients: once for all, or one each",
                       given, count);
        return false;
    }
    asked->rcpt = calloc(count + 1, sizeof *asked->rcpt);
    asked->parameters_each_rcpt = calloc(count + 1, sizeof *asked->parameters_each_rcpt);
    if (asked->rcpt == NULL || asked->parameters_each_rcpt == NULL) {
        fprintf(stderr, "%s: out of memory for %zu recipients\n", options->program, count);
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        asked->rcpt[i].notify = options->notify_when;
        asked->rcpt[i].original_recipient =
            given > 0 ? options->original_recipients.items[given > 1 ? i : 0] : NULL;
        asked->parameters_each_rcpt[i] = options->all_rcpt_parameters;
    }
    envelope->mail = &asked->mail;
    envelope->rcpt = asked->rcpt;
    envelope->mail_parameters = options->all_mail_parameters;
    envelope->rcpt_parameters =
        options->all_rcpt_parameters != NULL ? asked->parameters_each_rcpt : NULL;
    return true;
}

void smtp_cli_mail_asked_clear(struct smtp_cli_mail_asked *asked)
{
    free(asked->rcpt);
    free(asked->parameters_each_rcpt);
}
