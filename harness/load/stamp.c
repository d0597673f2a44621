/* stamp.c - see stamp.h. The checksum is for accidents, not for enemies: fast, and each octet counts by its place. */
#include "harness/load/stamp.h"

#define NAME "X-Load: "
#define NAME_LEN (sizeof NAME - 1)
#define DIGITS 16
#define ODD UINT64_C(0x9E3779B97F4A7C15) /* 2^64 by the golden ratio */

static uint64_t mixed(uint64_t sum, uint64_t word)
{
    sum = (sum ^ word) * ODD;
    return sum ^ (sum >> 29);
}

uint64_t smtp_stamp_sum(struct smtp_span octets)
{
    uint64_t sums[4] = {1, 2, 3, 4}; /* side by side, since each step waits for the one before */
    size_t at = 0;
    for (; at + 32 <= octets.len; at += 32) {
        uint64_t words[4];
        memcpy(words, octets.bytes + at, sizeof words);
        for (int i = 0; i < 4; i++) {
            sums[i] = mixed(sums[i], words[i]);
        }
    }
    uint64_t sum = octets.len;
    for (int i = 0; i < 4; i++) {
        sum = mixed(sum, sums[i]);
    }
    for (; at < octets.len; at++) {
        sum = mixed(sum, (unsigned char)octets.bytes[at]);
    }
    return sum;
}

static void write_digits(char digits[DIGITS], uint64_t value)
{
    for (int i = DIGITS - 1; i >= 0; i--, value >>= 4) {
        digits[i] = "0123456789abcdef"[value & 15];
    }
}

static bool read_digits(const char *digits, uint64_t *value)
{
    *value = 0;
    for (int i = 0; i < DIGITS; i++) {
        char digit = digits[i];
        unsigned part = digit >= '0' && digit <= '9'   ? (unsigned)(digit - '0')
                        : digit >= 'a' && digit <= 'f' ? (unsigned)(digit - 'a') + 10
                                                       : 16;
        if (part == 16) {
            return false;
        }
        *value = *value << 4 | part;
    }
    return true;
}

void smtp_stamp_write(char line[SMTP_STAMP_LEN], uint64_t number, uint64_t sum)
{
    memcpy(line, NAME, NAME_LEN);
    write_digits(line + NAME_LEN, number);
    line[NAME_LEN + DIGITS] = ' ';
    write_digits(line + NAME_LEN + DIGITS + 1, mixed(sum, number));
    memcpy(line + SMTP_STAMP_LEN - 2, "\r\n", 2);
}

bool smtp_stamp_read(struct smtp_span content, uint64_t *number)
{
    uint64_t sum = 0;
    if (content.len < SMTP_STAMP_LEN || memcmp(content.bytes, NAME, NAME_LEN) != 0 ||
        !read_digits(content.bytes + NAME_LEN, number) ||
        !read_digits(content.bytes + NAME_LEN + DIGITS + 1, &sum) ||
        content.bytes[NAME_LEN + DIGITS] != ' ' ||
        memcmp(content.bytes + SMTP_STAMP_LEN - 2, "\r\n", 2) != 0) {
        return false;
    }
    const struct smtp_span rest = {content.bytes + SMTP_STAMP_LEN, content.len - SMTP_STAMP_LEN};
    return sum == mixed(smtp_stamp_sum(rest), *number);
}
