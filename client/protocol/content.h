/* content.h - message content on its way out: line ends, dots, the final dot (RFC 5321 4.5.2). */
#ifndef SMTP_CLIENT_PROTOCOL_CONTENT_H
#define SMTP_CLIENT_PROTOCOL_CONTENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SMTP_CLIENT_DOT_SIZE 5   /* CRLF . CRLF */
#define SMTP_CLIENT_LINE_MAX 998 /* octets of a line without its CRLF (RFC 5322 2.1.1) */

/** Plain data; the same octets give the same result under any split. */
struct smtp_client_encoder {
    bool line_start; /* the next octet begins a line */
    bool after_cr;   /* CR was the last octet and is out as CRLF: a following LF is part of it */
    bool chunked;    /* for BDAT (RFC 3030): no dot is doubled, and none ends it; set after init */
    bool eight_bit;  /* an octet above 127 was seen */
    bool repaired;   /* a line end was */
    bool stuffed;    /* a dot begins a line */
    bool long_line;  /* one has more than SMTP_CLIENT_LINE_MAX octets */
    uint64_t line_octets; /* of the present line, so far */
    uint64_t size_bytes;  /* of the repaired content without stuffed dots: what RFC 1870 counts */
};

void smtp_client_encoder_init(struct smtp_client_encoder *encoder);

/** Encodes len octets into out, which has room for 2 * len, and returns how many it made. out NULL:
 *  only measures. */
size_t smtp_client_encoder_feed(struct smtp_client_encoder *encoder, const char *bytes, size_t len,
                                char *out);
/** The end of the content: adds a missing last CRLF and, but for BDAT, the final dot's line. out NULL:
 *  only measures. */
size_t smtp_client_encoder_finish(struct smtp_client_encoder *encoder, char *out);

#endif
