/* scenarios_content.c - content, octet for octet: what the client was given, with its line ends
 * repaired, is what the mailbox holds. */
#include "harness/selftest/scenarios.h"

#include <string.h>

/** Sends `given` on fresh ends and expects exactly `kept` to be captured. */
static bool arrives_as(struct smtp_trial *trial, struct smtp_span given, struct smtp_span kept)
{
    struct smtp_ends ends;
    return smtp_trial_open(trial, NULL, &ends) &&
           smtp_trial_send(trial, ends.client, BOB, smtp_content_memory(given.bytes, given.len),
                           SMTP_OK, 250) &&
           smtp_trial_count(trial, ends.harness, 1) &&
           smtp_trial_captured(trial, ends.harness, 0, ANN, BOB, kept);
}

static bool plain_text(struct smtp_trial *trial)
{
    struct smtp_ends ends;
    if (!smtp_trial_open(trial, NULL, &ends) ||
        !smtp_trial_send(trial, ends.client, BOB,
                         smtp_content_text("Subject: Hello\nTo: bob@example.com\n\nHello, Bob.\n"),
                         SMTP_OK, 250)) {
        return false;
    }
    const struct smtp_harness_message *message =
        smtp_harness_wait(ends.harness, "to=bob@example.com subject=Hello");
    if (message == NULL) {
        return smtp_trial_fail(trial, "%s", smtp_harness_failure(ends.harness));
    }
    return smtp_trial_is_text(trial, "the subject", smtp_harness_header(message, "Subject"),
                              "Hello") &&
           smtp_trial_is_text(trial, "the protocol",
                              smtp_message_protocol(smtp_harness_envelope(message)), "ESMTP") &&
           smtp_trial_captured(
               trial, ends.harness, 0, ANN, BOB,
               SMTP_SPAN("Subject: Hello\r\nTo: bob@example.com\r\n\r\nHello, Bob.\r\n"));
}

static bool dots_in_every_position(struct smtp_trial *trial)
{
    /* RFC 5321 4.5.2: at the very beginning, alone, doubled, after a blank, at the very end */
    struct smtp_span dots = SMTP_SPAN(".\r\n..\r\n...\r\n.a\r\na.\r\n .\r\n. \r\n\r\n.\r\n\r\n"
                                      "a.b\r\n.\r\n.QUIT\r\n..\r\n.");
    struct smtp_span kept = SMTP_SPAN(".\r\n..\r\n...\r\n.a\r\na.\r\n .\r\n. \r\n\r\n.\r\n\r\n"
                                      "a.b\r\n.\r\n.QUIT\r\n..\r\n.\r\n");
    return arrives_as(trial, dots, kept);
}

static bool empty_message(struct smtp_trial *trial)
{
    return arrives_as(trial, SMTP_SPAN(""), SMTP_SPAN(""));
}

static bool no_last_crlf(struct smtp_trial *trial)
{
    return arrives_as(trial, SMTP_SPAN("Subject: cut\r\n\r\nno line end"),
                      SMTP_SPAN("Subject: cut\r\n\r\nno line end\r\n"));
}

static bool bare_line_ends_repaired(struct smtp_trial *trial)
{
    return arrives_as(trial, SMTP_SPAN("a\nb\rc\r\nd\n\re\n.\nf\r.\rg\r"),
                      SMTP_SPAN("a\r\nb\r\nc\r\nd\r\n\r\ne\r\n.\r\nf\r\n.\r\ng\r\n"));
}

static bool eight_bit(struct smtp_trial *trial)
{
    struct smtp_ends ends;
    char content[300] = "Subject: 8-bit\r\n\r\n";
    size_t len = strlen(content);
    for (int octet = 128; octet < 256; octet++) {
        content[len++] = (char)octet;
    }
    memcpy(content + len, "\r\n", 2);
    len += 2;
    if (!smtp_trial_open(trial, NULL, &ends) ||
        !smtp_trial_send(trial, ends.client, BOB, smtp_content_memory(content, len), SMTP_OK,
                         250) ||
        !smtp_trial_count(trial, ends.harness, 1)) {
        return false;
    }
    const struct smtp_message *message =
        smtp_harness_envelope(smtp_harness_message(ends.harness, 0));
    return smtp_trial_holds(trial, "the parameters of MAIL (RFC 6152)",
                            smtp_message_mail_parameters(message), "BODY=8BITMIME") &&
           smtp_trial_captured(trial, ends.harness, 0, ANN, BOB, (struct smtp_span){content, len});
}

static bool every_ascii_octet(struct smtp_trial *trial)
{
    /* RFC 5321 4.5.2: all 128 codes but CR and LF as line ends reach the recipient, NUL too */
    char content[140];
    size_t len = 0;
    for (int octet = 0; octet < 128; octet++) {
        if (octet != '\r' && octet != '\n') {
            content[len++] = (char)octet;
        }
    }
    memcpy(content + len, "\r\n", 2);
    struct smtp_span all = {content, len + 2};
    return arrives_as(trial, all, all);
}

/** Lines of many lengths, some of them beginning with dots, that fill `size` octets exactly. */
static void fill_with_lines(char *bytes, size_t size)
{
    uint32_t state = 2463534242; /* xorshift: the same octets in every run */
    size_t at = 0;
    while (at < size) {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        size_t line = 2 + state % 990; /* with its CRLF; below the limit of 1000 */
        line = size - at < line + 2 ? size - at : line;
        memset(bytes + at, (int)('!' + state % 90), line - 2);
        if (state % 3 == 0 && line > 2) {
            bytes[at] = '.';
        }
        memcpy(bytes + at + line - 2, "\r\n", 2);
        at += line;
    }
}

static bool ten_mebibytes(struct smtp_trial *trial)
{
    size_t size = (size_t)10 << 20;
    char *content = smtp_trial_alloc(trial, size);
    if (content == NULL) {
        return false;
    }
    fill_with_lines(content, size);
    struct smtp_span span = {content, size};
    return arrives_as(trial, span, span);
}

/** `width` letters and CRLF into text; the first is a dot where wanted. */
static struct smtp_span one_line(char *text, size_t width, bool dot)
{
    memset(text, 'x', width);
    if (dot) {
        text[0] = '.';
    }
    memcpy(text + width, "\r\n", 2);
    return (struct smtp_span){text, width + 2};
}

static bool longest_lines(struct smtp_trial *trial)
{
    /* RFC 5321 4.5.3.1.6: 1000 octets with CRLF, the stuffed dot not counted */
    struct smtp_ends ends;
    char letters[1002], dotted[1002], longer[1002];
    struct smtp_span allowed = one_line(letters, 998, false);
    struct smtp_span stuffed = one_line(dotted, 998, true);
    struct smtp_span beyond = one_line(longer, 999, false);
    return smtp_trial_open(trial, NULL, &ends) &&
           smtp_trial_send(trial, ends.client, BOB, smtp_content_memory(allowed.bytes, allowed.len),
                           SMTP_OK, 250) &&
           smtp_trial_send(trial, ends.client, BOB, smtp_content_memory(stuffed.bytes, stuffed.len),
                           SMTP_OK, 250) &&
           smtp_trial_send(trial, ends.client, BOB, smtp_content_memory(beyond.bytes, beyond.len),
                           SMTP_REFUSED_PERMANENT, 0) &&
           smtp_trial_count(trial, ends.harness, 2) &&
           smtp_trial_captured(trial, ends.harness, 0, ANN, BOB, allowed) &&
           smtp_trial_captured(trial, ends.harness, 1, ANN, BOB, stuffed);
}

/** Hands out a text in pieces of 1, 2, 3, ... octets. */
struct slow_source {
    struct smtp_span left;
    size_t piece;
};

static ssize_t read_piece(void *user, char *bytes, size_t capacity)
{
    struct slow_source *source = user;
    size_t len = ++source->piece;
    len = len < source->left.len ? len : source->left.len;
    len = len < capacity ? len : capacity;
    memcpy(bytes, source->left.bytes, len);
    source->left = (struct smtp_span){source->left.bytes + len, source->left.len - len};
    return (ssize_t)len;
}

static bool content_from_a_callback(struct smtp_trial *trial)
{
    struct smtp_ends ends;
    struct slow_source source = {.left = SMTP_SPAN("Subject: pieces\n\n.\n..\r\n.\r\r\nend")};
    return smtp_trial_open(trial, NULL, &ends) &&
           smtp_trial_send(trial, ends.client, BOB, smtp_content_callback(read_piece, &source),
                           SMTP_OK, 250) &&
           smtp_trial_count(trial, ends.harness, 1) &&
           smtp_trial_captured(trial, ends.harness, 0, ANN, BOB,
                               SMTP_SPAN("Subject: pieces\r\n\r\n.\r\n..\r\n.\r\n\r\nend\r\n"));
}

static bool mime_parts_decoded(struct smtp_trial *trial)
{
    struct smtp_ends ends;
    const char *content = "From: ann@example.com\n"
                          "Subject: =?UTF-8?Q?Gr=C3=BC=C3=9Fe?=\n"
                          "MIME-Version: 1.0\n"
                          "Content-Type: multipart/mixed; boundary=b\n\n"
                          "--b\nContent-Type: text/plain; charset=utf-8\n\nHello\n"
                          "--b\nContent-Type: application/octet-stream\n"
                          "Content-Disposition: attachment; filename=a.bin\n"
                          "Content-Transfer-Encoding: base64\n\nAAEC/w==\n--b--\n";
    if (!smtp_trial_open(trial, NULL, &ends) ||
        !smtp_trial_send(trial, ends.client, BOB, smtp_content_text(content), SMTP_OK, 250)) {
        return false;
    }
    const struct smtp_harness_message *message =
        smtp_harness_wait(ends.harness, "attachments=1 attachment.a.bin~\"\"");
    if (message == NULL) {
        return smtp_trial_fail(trial, "%s", smtp_harness_failure(ends.harness));
    }
    size_t last = smtp_harness_part_count(message) - 1;
    const struct smtp_harness_part *part = smtp_harness_part(message, last);
    return smtp_trial_is_text(trial, "the subject", smtp_harness_header(message, "Subject"),
                              "Gr\303\274\303\237e") &&
           smtp_trial_holds(trial, "the text", smtp_harness_text(message), "Hello") &&
           smtp_trial_is_text(trial, "the attachment's name", part->name, "a.bin") &&
           smtp_trial_is_octets(trial, "the attachment",
                                (struct smtp_span){part->bytes, part->size_bytes},
                                SMTP_SPAN("\0\1\2\377"));
}

static const struct smtp_scenario rows[] = {
    {"plain-text", "5321 4.5.2", "its header decoded, its octets compared", plain_text},
    {"mime-parts-decoded", "2045", "an encoded subject, a text and an attachment",
     mime_parts_decoded},
    {"dots-in-every-position", "5321 4.5.2", "lines that begin with dots, wherever they stand",
     dots_in_every_position},
    {"empty-message", "5321 4.1.1.4", "no octet of content at all", empty_message},
    {"no-last-crlf", "5321 4.1.1.4", "a last line without its end gets one", no_last_crlf},
    {"bare-line-ends-repaired", "5321 2.3.8", "CR and LF alone become CRLF before they are sent",
     bare_line_ends_repaired},
    {"every-ascii-octet", "5321 4.5.2", "each of the 128 codes arrives, NUL too",
     every_ascii_octet},
    {"eight-bit", "6152 3", "octets 128 to 255, sent with BODY=8BITMIME", eight_bit},
    {"longest-lines", "5321 4.5.3.1.6", "998 octets and CRLF pass, one more is refused",
     longest_lines},
    {"content-from-a-callback", "5321 4.5.2", "content in pieces of 1, 2, 3, ... octets",
     content_from_a_callback},
    {"ten-mebibytes", "5321 4.5.3.1.7", "10 MiB, every octet compared", ten_mebibytes},
};
const struct smtp_scenario_table smtp_scenarios_content = {rows, sizeof rows / sizeof *rows};
