/* date_time.c - see date_time.h. Knows the calendar; does not know what time it is. */
#include "server/protocol/date_time.h"

#include <stdio.h>

#define DAY_S 86400

static bool is_leap(int year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int days_of_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return days[month - 1] + (month == 2 && is_leap(year) ? 1 : 0);
}

/* From the first day of the year 1. */
static int days_before_year(int year)
{
    int full = year - 1;
    return full * 365 + full / 4 - full / 100 + full / 400;
}

void smtp_date_time_write(int64_t unix_s, char text[SMTP_DATE_TIME_SIZE])
{
    int days = (int)(unix_s / DAY_S) + days_before_year(1970);
    int in_day = (int)(unix_s % DAY_S);
    int year = days / 366 + 1; /* or some years later: each has had 366 days at most */
    while (days_before_year(year + 1) <= days) {
        year++;
    }
    int month = 1;
    int day = days - days_before_year(year);
    while (month < 12 && day >= days_of_month(year, month)) {
        day -= days_of_month(year, month++);
    }
    char all[80]; /* whatever the numbers are */
    snprintf(all, sizeof all, "%04d-%02d-%02dT%02d:%02d:%02dZ", year, month, day + 1, in_day / 3600,
             in_day / 60 % 60, in_day % 60);
    memcpy(text, all, SMTP_DATE_TIME_SIZE - 1);
    text[SMTP_DATE_TIME_SIZE - 1] = '\0';
}

/* Digits of the picture are read into numbers, one a run; all else must be there as it is. */
static bool read_picture(struct smtp_span *text, const char *picture, int numbers[])
{
    size_t len = strlen(picture);
    int run = -1;
    if (text->len < len) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        char c = text->bytes[i];
        if (picture[i] != '0') {
            if (c != picture[i]) {
                return false;
            }
            continue;
        }
        if (!smtp_is_digit((unsigned char)c)) {
            return false;
        }
        if (i == 0 || picture[i - 1] != '0') {
            numbers[++run] = 0;
        }
        numbers[run] = numbers[run] * 10 + (c - '0');
    }
    text->bytes += len;
    text->len -= len;
    return true;
}

static bool skip_fraction(struct smtp_span *text)
{
    size_t len = 1;
    if (text->len == 0 || text->bytes[0] != '.') {
        return true;
    }
    while (len < text->len && smtp_is_digit((unsigned char)text->bytes[len])) {
        len++;
    }
    text->bytes += len;
    text->len -= len;
    return len > 1;
}

bool smtp_date_time_read(struct smtp_span text, int64_t *unix_s)
{
    enum { YEAR, MONTH, DAY, HOUR, MINUTE, SECOND, COUNT };
    int of[COUNT];
    if (!read_picture(&text, "0000-00-00T00:00:00", of) || !skip_fraction(&text) ||
        !smtp_span_equal(text, SMTP_SPAN("Z"))) {
        return false;
    }
    if (of[YEAR] < 1 || of[MONTH] < 1 || of[MONTH] > 12 || of[DAY] < 1 ||
        of[DAY] > days_of_month(of[YEAR], of[MONTH]) || of[HOUR] > 23 || of[MINUTE] > 59 ||
        of[SECOND] > 60) { /* a leap second */
        return false;
    }
    int days = days_before_year(of[YEAR]) - days_before_year(1970) + of[DAY] - 1;
    for (int month = 1; month < of[MONTH]; month++) {
        days += days_of_month(of[YEAR], month);
    }
    *unix_s = (((int64_t)days * 24 + of[HOUR]) * 60 + of[MINUTE]) * 60 + of[SECOND];
    return true;
}
