/* record.c - see record.h: a transcript becomes the text of a dialogue.
 * Knows: which commands stand before which replies, how the transcript masks secrets, what in a session varies
 * from run to run (RFC 5322 3.6.1, 3.6.4, RFC 2046 5.1.1). Does not know: files, servers (recorder.c), how a
 * dialogue is played. */
#include "harness/record.h"

#include "harness/record_names.h"

#include <strings.h>

#define IDENTIFIER_MIN 6
/* Where content has no line ends for so long, the lines of the dialogue are cut. */
#define PIECE_MAX 512

struct recording {
    struct smtp_harness_lines out;
    struct smtp_harness_lines said, answered; /* of the group of commands that is written now */
    struct smtp_record_names names;
    uint64_t left_out;
    bool proves;          /* a login that answers a challenge */
    bool sizes_vary;      /* with the header fields that do */
    bool in_header;       /* of the content to come, or that comes */
    bool field_varies;    /* the header field before: its lines go on */
    bool content_goes_on; /* the line before was content, or a command */
    bool reply_goes_on;
    bool has_content;
    bool closed;
    int code; /* of the last reply */
};

static bool begins(struct smtp_span text, struct smtp_span with)
{
    return text.len >= with.len && strncasecmp(text.bytes, with.bytes, with.len) == 0;
}

static struct smtp_span after(struct smtp_span text, size_t len)
{
    return (struct smtp_span){text.bytes + len, text.len - len};
}

/* ---- content ---- */

/* Dates and message identifiers, which whoever composes a message makes anew. */
static size_t varying_field(struct smtp_span line, enum smtp_record_base *base)
{
    static const struct {
        const char *name;
        enum smtp_record_base base;
    } fields[] = {{"Date:", SMTP_RECORD_DATE},
                  {"Resent-Date:", SMTP_RECORD_DATE},
                  {"Message-ID:", SMTP_RECORD_MESSAGE_ID},
                  {"Resent-Message-ID:", SMTP_RECORD_MESSAGE_ID}};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        struct smtp_span name = smtp_span_of(fields[i].name);
        if (begins(line, name)) {
            *base = fields[i].base;
            return name.len;
        }
    }
    return 0;
}

static void learn_boundary(struct recording *recording, struct smtp_span line)
{
    static const struct smtp_span parameter = SMTP_SPAN("boundary=");
    for (size_t i = 1; i + parameter.len < line.len; i++) {
        if (!begins(after(line, i), parameter) || strchr(" \t;", line.bytes[i - 1]) == NULL) {
            continue;
        }
        struct smtp_span value = after(line, i + parameter.len);
        bool quoted = value.bytes[0] == '"';
        value = after(value, quoted ? 1 : 0);
        size_t len = 0;
        while (len < value.len && strchr(quoted ? "\"" : "; \t(", value.bytes[len]) == NULL) {
            len++;
        }
        (void)smtp_record_name(&recording->names, SMTP_RECORD_BOUNDARY,
                               (struct smtp_span){value.bytes, len});
        return;
    }
}

static void put_field(struct recording *recording, struct smtp_harness_lines *lines,
                      struct smtp_span line, size_t name_len, enum smtp_record_base base)
{
    size_t open = name_len;
    while (open < line.len && (line.bytes[open] == ' ' || line.bytes[open] == '\t')) {
        open++;
    }
    struct smtp_span value = after(line, open);
    smtp_record_plain(lines, (struct smtp_span){line.bytes, open}, value.len == 0);
    if (value.len == 0) {
        return;
    }
    if (base == SMTP_RECORD_MESSAGE_ID && smtp_record_name(&recording->names, base, value)) {
        smtp_record_text(&recording->names, lines, value, true);
    } else {
        smtp_record_varying(&recording->names, lines, base, value);
    }
}

static void put_content_line(struct recording *recording, struct smtp_harness_lines *lines,
                             struct smtp_span line)
{
    enum smtp_record_base base = SMTP_RECORD_MESSAGE_ID;
    bool folded = line.len > 0 && (line.bytes[0] == ' ' || line.bytes[0] == '\t');
    if (recording->in_header && !folded) {
        recording->in_header = line.len > 0;
        size_t name_len = varying_field(line, &base);
        recording->field_varies = name_len > 0;
        if (name_len > 0) {
            put_field(recording, lines, line, name_len, base);
            return;
        }
    } else if (recording->in_header && recording->field_varies) {
        put_field(recording, lines, line, 0, base);
        return;
    }
    learn_boundary(recording, line);
    smtp_record_text(&recording->names, lines, line, true);
}

static void put_content(struct recording *recording,
                        const struct smtp_harness_transcript_line *line)
{
    recording->has_content = true;
    struct smtp_harness_lines *said = &recording->said;
    struct smtp_span text = line->text;
    while (text.len > PIECE_MAX) {
        smtp_harness_lines_add(said, SMTP_SPAN("C| "));
        smtp_record_plain(said, (struct smtp_span){text.bytes, PIECE_MAX}, true);
        smtp_harness_lines_add(said, SMTP_SPAN("\n"));
        text = after(text, PIECE_MAX);
    }
    if (text.len == 0 && !line->has_crlf) {
        return;
    }
    smtp_harness_lines_add(said, line->has_crlf ? SMTP_SPAN("C:") : SMTP_SPAN("C|"));
    smtp_harness_lines_add(said, text.len > 0 ? SMTP_SPAN(" ") : SMTP_SPAN(""));
    if (text.len < line->text.len || !line->has_crlf) { /* a name must have something behind it */
        smtp_record_plain(said, text, true);
    } else {
        put_content_line(recording, said, text);
    }
    smtp_harness_lines_add(said, SMTP_SPAN("\n"));
}

/* ---- commands and replies ---- */

static size_t digits(struct smtp_span text)
{
    size_t len = 0;
    while (len < text.len && smtp_is_digit((unsigned char)text.bytes[len])) {
        len++;
    }
    return len;
}

/* "BDAT 86 LAST", "MAIL FROM:<...> SIZE=86": the length of a header whose values vary. */
static void put_sized(struct recording *recording, struct smtp_span line, size_t at)
{
    struct smtp_span number = {line.bytes + at, digits(after(line, at))};
    smtp_record_text(&recording->names, &recording->said, (struct smtp_span){line.bytes, at},
                     false);
    smtp_record_varying(&recording->names, &recording->said, SMTP_RECORD_OCTETS, number);
    smtp_record_text(&recording->names, &recording->said, after(line, at + number.len), true);
}

static size_t find_size(struct smtp_span line)
{
    static const struct smtp_span size = SMTP_SPAN(" SIZE="), bdat = SMTP_SPAN("BDAT ");
    if (begins(line, bdat)) {
        return digits(after(line, bdat.len)) > 0 ? bdat.len : 0;
    }
    for (size_t i = line.len; begins(line, SMTP_SPAN("MAIL ")) && i-- > 0;) {
        if (begins(after(line, i), size) && digits(after(line, i + size.len)) > 0) {
            return i + size.len;
        }
    }
    return 0;
}

static void put_command(struct recording *recording, struct smtp_span line)
{
    static const struct smtp_span mask = SMTP_SPAN("***");
    struct smtp_harness_lines *said = &recording->said;
    bool masked = line.len >= mask.len &&
                  memcmp(line.bytes + line.len - mask.len, mask.bytes, mask.len) == 0 &&
                  (line.len == mask.len || begins(line, SMTP_SPAN("AUTH")));
    size_t size_at = recording->sizes_vary ? find_size(line) : 0;
    if (begins(line, SMTP_SPAN("MAIL"))) {
        recording->in_header = true;
        recording->field_varies = false;
    }
    recording->proves |=
        begins(line, SMTP_SPAN("AUTH CRAM-")) || begins(line, SMTP_SPAN("AUTH SCRAM-"));
    smtp_harness_lines_add(said, line.len > 0 ? SMTP_SPAN("C: ") : SMTP_SPAN("C:"));
    if (masked) {
        smtp_record_plain(said, (struct smtp_span){line.bytes, line.len - mask.len}, false);
        smtp_record_secret(&recording->names, said);
    } else if (size_at > 0) {
        put_sized(recording, line, size_at);
    } else {
        smtp_record_text(&recording->names, said, line, true);
    }
    smtp_harness_lines_add(said, SMTP_SPAN("\n"));
}

static bool is_of_identifier(char c)
{
    unsigned char octet = (unsigned char)c;
    return smtp_is_letter_or_digit(octet) || c == '-' || c == '_';
}

/* "Ok: queued as 4BzXk1", "OK: message 2": what numbers a message, and words that only a program makes up. */
static bool is_identifier(struct smtp_span text, size_t at, size_t end)
{
    static const struct smtp_span before = SMTP_SPAN("message ");
    size_t digit_count = 0;
    for (size_t i = at; i < end; i++) {
        digit_count += smtp_is_digit((unsigned char)text.bytes[i]);
    }
    return (digit_count > 0 && end - at >= IDENTIFIER_MIN) ||
           (digit_count > 0 && digit_count == end - at && at >= before.len &&
            begins(after(text, at - before.len), before));
}

static void put_identifiers(struct recording *recording, struct smtp_span text)
{
    size_t start = 0;
    for (size_t i = 0; i < text.len;) {
        size_t end = i;
        while (end < text.len && is_of_identifier(text.bytes[end])) {
            end++;
        }
        if (is_identifier(text, i, end)) {
            smtp_record_text(&recording->names, &recording->answered,
                             (struct smtp_span){text.bytes + start, i - start}, false);
            smtp_record_varying(&recording->names, &recording->answered, SMTP_RECORD_IDENTIFIER,
                                (struct smtp_span){text.bytes + i, end - i});
            start = end;
        }
        i = end + 1;
    }
    smtp_record_text(&recording->names, &recording->answered, after(text, start), true);
}

/* "FUTURERELEASE 2592000 2026-12-24T18:00:00Z" (RFC 4865 4.1): where the time stands; 0: it is not that. */
static size_t find_time(struct smtp_span text)
{
    static const struct smtp_span keyword = SMTP_SPAN("FUTURERELEASE ");
    if (!begins(text, keyword)) {
        return 0;
    }
    size_t at = keyword.len + digits(after(text, keyword.len)) + 1;
    return at < text.len ? at : 0;
}

static void put_reply(struct recording *recording, struct smtp_span line)
{
    struct smtp_harness_lines *answered = &recording->answered;
    bool coded = digits(line) == 3;
    bool alone = !recording->reply_goes_on;
    bool parted = coded && line.len > 3 && (line.bytes[3] == ' ' || line.bytes[3] == '-');
    size_t prefix = parted ? 4 : 0;
    struct smtp_span text = after(line, prefix);
    size_t time_at = find_time(text);
    recording->code = 0;
    for (size_t i = 0; coded && i < 3; i++) {
        recording->code = recording->code * 10 + (line.bytes[i] - '0');
    }
    recording->reply_goes_on = coded && line.len > 3 && line.bytes[3] == '-';
    smtp_harness_lines_add(answered, line.len > 0 ? SMTP_SPAN("S: ") : SMTP_SPAN("S:"));
    smtp_record_plain(answered, (struct smtp_span){line.bytes, prefix}, text.len == 0);
    if (recording->code == 334 && text.len > 0) {
        smtp_record_varying(&recording->names, answered, SMTP_RECORD_CHALLENGE, text);
    } else if (time_at > 0) {
        smtp_record_plain(answered, (struct smtp_span){text.bytes, time_at}, false);
        smtp_record_varying(&recording->names, answered, SMTP_RECORD_UNTIL, after(text, time_at));
    } else if (recording->code == 250 && alone && !recording->reply_goes_on) {
        put_identifiers(recording, text);
    } else {
        smtp_record_text(&recording->names, answered, text, true);
    }
    smtp_harness_lines_add(answered, SMTP_SPAN("\n"));
}

/* ---- groups ---- */

static void move(struct smtp_harness_lines *to, struct smtp_harness_lines *from)
{
    smtp_harness_lines_add(to, smtp_buffer_span(&from->buffer));
    to->failed |= from->failed;
    smtp_buffer_clear(&from->buffer, SIZE_MAX);
}

/* Commands that were sent without waiting stand together, and their replies behind them. */
static void end_group(struct recording *recording)
{
    move(&recording->out, &recording->said);
    move(&recording->out, &recording->answered);
}

static void put_comment(struct smtp_harness_lines *lines, const char *what, struct smtp_span text)
{
    smtp_harness_lines_print(lines, "# %s", what);
    smtp_harness_lines_escape(lines, text);
    smtp_harness_lines_add(lines, SMTP_SPAN("\n"));
}

static void put_close(struct recording *recording, struct smtp_span why)
{
    bool peer = memmem(why.bytes, why.len, "peer closed", 11) != NULL;
    bool reset = memmem(why.bytes, why.len, "reset by peer", 13) != NULL;
    end_group(recording);
    put_comment(&recording->out, "closed: ", why);
    smtp_harness_lines_add(&recording->out, reset  ? SMTP_SPAN("[C reset]\n")
                                            : peer ? SMTP_SPAN("[C close]\n")
                                                   : SMTP_SPAN("[S close]\n"));
    recording->closed = true;
}

static void put_handshake(struct recording *recording, struct smtp_span facts)
{
    end_group(recording);
    put_comment(&recording->out, "", facts);
    smtp_harness_lines_add(&recording->out,
                           recording->code == 0 ? SMTP_SPAN("[tls]\n") : SMTP_SPAN("[starttls]\n"));
}

static void put_line(struct recording *recording, const struct smtp_harness_transcript_line *line)
{
    switch (line->kind) {
    case SMTP_LOG_CONNECT:
        (void)smtp_record_name(&recording->names, SMTP_RECORD_PEER, line->text);
        put_comment(&recording->out, "connected: ", line->text);
        break;
    case SMTP_LOG_COMMAND:
        if (!line->pipelined) {
            end_group(recording);
        }
        put_command(recording, line->text);
        break;
    case SMTP_LOG_CONTENT:
        if (!recording->content_goes_on) { /* what it answers is written: 354 */
            end_group(recording);
        }
        put_content(recording, line);
        break;
    case SMTP_LOG_REPLY:
        put_reply(recording, line->text);
        break;
    case SMTP_LOG_NOTE:
        put_comment(&recording->answered, "", line->text);
        break;
    case SMTP_LOG_TLS:
        put_handshake(recording, line->text);
        break;
    case SMTP_LOG_CLOSE:
        put_close(recording, line->text);
        break;
    }
    if (line->kind != SMTP_LOG_NOTE) {
        recording->content_goes_on =
            line->kind == SMTP_LOG_CONTENT || line->kind == SMTP_LOG_COMMAND;
    }
    recording->left_out += line->left_out;
}

static struct recording record(const struct smtp_harness_transcript *transcript, bool sizes_vary)
{
    struct recording recording = {.out = SMTP_HARNESS_LINES,
                                  .said = SMTP_HARNESS_LINES,
                                  .answered = SMTP_HARNESS_LINES,
                                  .sizes_vary = sizes_vary};
    struct smtp_harness_transcript_place place = {0};
    struct smtp_harness_transcript_line line;
    while (smtp_harness_transcript_next(transcript, &place, &line)) {
        put_line(&recording, &line);
    }
    end_group(&recording);
    if (!recording.closed && recording.code != 0) { /* a client's log, which does not say */
        bool said_goodbye = recording.code == 221 || recording.code == 421;
        smtp_harness_lines_add(&recording.out,
                               said_goodbye ? SMTP_SPAN("[S close]\n") : SMTP_SPAN("[C close]\n"));
    }
    smtp_buffer_free(&recording.said.buffer);
    smtp_buffer_free(&recording.answered.buffer);
    return recording;
}

/* Where content varies, or its header might have, a size that is declared does. */
static bool has_sizes_that_vary(const struct recording *recording)
{
    const unsigned *counts = recording->names.counts;
    return !recording->has_content || counts[SMTP_RECORD_DATE] > 0 ||
           counts[SMTP_RECORD_MESSAGE_ID] > 0 || counts[SMTP_RECORD_BOUNDARY] > 0;
}

/* What whoever plays it has to know. */
static void put_head(struct smtp_harness_lines *head, const struct recording *recording)
{
    if (recording->left_out > 0) {
        smtp_harness_lines_print(head,
                                 "# %llu octets were left out of this recording: it cannot be "
                                 "played.\n",
                                 (unsigned long long)recording->left_out);
    }
    if (recording->proves) {
        smtp_harness_lines_add(
            head, SMTP_SPAN("# Its login answers a challenge, another one each time: this can "
                            "be played as the server alone.\n"));
    }
    for (unsigned i = 1; i <= recording->names.counts[SMTP_RECORD_SECRET]; i++) {
        struct smtp_record_names again = {.counts = {[SMTP_RECORD_SECRET] = i - 1}};
        smtp_harness_lines_add(
            head,
            SMTP_SPAN("# a secret, to be given with --set where this is played as the client: "));
        smtp_record_secret(&again, head);
        smtp_harness_lines_add(head, SMTP_SPAN("\n"));
    }
}

char *smtp_harness_record_text(const struct smtp_harness_transcript *transcript)
{
    struct smtp_harness_lines whole = SMTP_HARNESS_LINES;
    struct recording recording = record(transcript, false);
    if (has_sizes_that_vary(&recording)) { /* a size stands before the content that it depends on */
        smtp_buffer_free(&recording.out.buffer);
        recording = record(transcript, true);
    }
    put_head(&whole, &recording);
    move(&whole, &recording.out);
    smtp_buffer_free(&recording.out.buffer);
    return smtp_harness_lines_take(&whole);
}
