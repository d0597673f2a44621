/* date_time.h - UTC as RFC 3339 5.6 writes it, "2026-11-25T17:30:00Z", in seconds since 1970. */
#ifndef SMTP_SERVER_PROTOCOL_DATE_TIME_H
#define SMTP_SERVER_PROTOCOL_DATE_TIME_H

#include "common/bytes.h"

#define SMTP_DATE_TIME_SIZE 21 /* with its NUL */

/** From the year 1970 to 9999. */
void smtp_date_time_write(int64_t unix_s, char text[SMTP_DATE_TIME_SIZE]);
/** Takes a fraction of a second too, and drops it. False: it is no date and time in UTC. */
bool smtp_date_time_read(struct smtp_span text, int64_t *unix_s);

#endif
