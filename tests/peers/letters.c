/* letters.c - see letters.h. Every letter has the header fields that senders like to add. */
#include "tests/peers/letters.h"

#include "tests/support/test.h"

#include <stdio.h>

#define LARGE_OCTETS ((size_t)1 << 20)
#define LINE_OCTETS 997 /* the large letter's longest line: below the 998 of RFC 5322 2.1.1 */

#define FIELDS(subject)                                                                            \
    "From: ann@example.org\r\nTo: bob@example.com\r\nSubject: " subject "\r\n"                     \
    "Date: Thu, 01 Jan 2026 00:00:00 +0000\r\nMessage-ID: <" subject "@example.org>\r\n"           \
    "MIME-Version: 1.0\r\n"

static const char *const short_letters[LETTER_LARGE] = {
    [LETTER_PLAIN] = FIELDS("plain") "\r\nHello Bob,\r\n\r\nthree lines.\r\n",
    [LETTER_DOTS] =
        FIELDS("dots") "\r\n.\r\n..\r\n...\r\n.first\r\nlast.\r\n a . b \r\n\r\n.\r\n\r\n..\r\n",
    [LETTER_EIGHT_BIT] = FIELDS("eight-bit") "Content-Type: text/plain; charset=utf-8\r\n"
                                             "Content-Transfer-Encoding: 8bit\r\n\r\n"
                                             "Gr\xc3\xbc\xc3\x9f"
                                             "e \xe2\x82\xac\r\n.\xff\xfe\x80\r\n",
};

static void make_large(struct letter *letter)
{
    static const char fields[] = FIELDS("large") "\r\n";
    letter->octets = calloc(1, LARGE_OCTETS + LINE_OCTETS + 3);
    expect_true(letter->octets != NULL);
    memcpy(letter->octets, fields, sizeof fields - 1);
    letter->len = sizeof fields - 1;
    for (size_t line = 0; letter->len < LARGE_OCTETS; line++) {
        size_t len = line * 7 % (LINE_OCTETS + 1);
        memset(letter->octets + letter->len, (int)('a' + line % 26), len);
        if (len > 0 && line % 3 == 0) {
            letter->octets[letter->len] = '.';
        }
        memcpy(letter->octets + letter->len + len, "\r\n", 2);
        letter->len += len + 2;
    }
}

void letters_make(struct letter letters[LETTER_COUNT])
{
    static const char *const names[LETTER_COUNT] = {"plain", "dots", "eight-bit", "large"};
    for (size_t i = 0; i < LETTER_LARGE; i++) {
        letters[i] = (struct letter){names[i], strdup(short_letters[i]), strlen(short_letters[i]),
                                     i == LETTER_EIGHT_BIT};
        expect_true(letters[i].octets != NULL);
    }
    letters[LETTER_LARGE] = (struct letter){.name = names[LETTER_LARGE]};
    make_large(&letters[LETTER_LARGE]);
}

void letters_free(struct letter letters[LETTER_COUNT])
{
    for (size_t i = 0; i < LETTER_COUNT; i++) {
        free(letters[i].octets);
    }
}

void letter_add(struct letter *letter, const char *text)
{
    size_t len = strlen(text);
    letter->octets = realloc(letter->octets, letter->len + len + 1);
    expect_true(letter->octets != NULL);
    memcpy(letter->octets + letter->len, text, len + 1);
    letter->len += len;
}

char *letter_with_lf(const struct letter *letter, size_t *len)
{
    char *out = calloc(1, letter->len + 1);
    expect_true(out != NULL);
    *len = 0;
    for (size_t i = 0; i < letter->len; i++) {
        if (letter->octets[i] != '\r') {
            out[(*len)++] = letter->octets[i];
        }
    }
    return out;
}

char *letter_as_commands(const struct letter *letter, const char *reverse_path,
                         const char *forward_path, const char *before, const char *behind,
                         size_t *len)
{
    char *out = NULL;
    FILE *file = open_memstream(&out, len);
    expect_true(file != NULL);
    fprintf(file, "%sMAIL FROM:<%s>%s\r\nRCPT TO:<%s>\r\nDATA\r\n", before, reverse_path,
            letter->eight_bit ? " BODY=8BITMIME" : "", forward_path);
    for (size_t i = 0; i < letter->len; i++) {
        if (letter->octets[i] == '.' && (i == 0 || letter->octets[i - 1] == '\n')) {
            fputc('.', file);
        }
        fputc(letter->octets[i], file);
    }
    fprintf(file, ".\r\n%s", behind);
    expect_int(fclose(file), 0);
    return out;
}

char *with_crlf(const char *text, size_t len, size_t *out_len)
{
    char *out = calloc(2, len + 1);
    expect_true(out != NULL);
    *out_len = 0;
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '\n') {
            out[(*out_len)++] = '\r';
        }
        out[(*out_len)++] = text[i];
    }
    return out;
}
