/* content.h - the octets after 354, taken apart on their way in (RFC 5321 4.1.1.4, 4.5.2); and those of
 * chunks, which are looked at alone (RFC 3030 2). */
#ifndef SMTP_SERVER_PROTOCOL_CONTENT_H
#define SMTP_SERVER_PROTOCOL_CONTENT_H

#include "common/bytes.h"

enum smtp_content_place {
    SMTP_CONTENT_LINE_START, /* after CRLF, or at the very beginning */
    SMTP_CONTENT_DOT,        /* after a dot at the start of a line */
    SMTP_CONTENT_DOT_CR,     /* after that dot and a CR */
    SMTP_CONTENT_LINE,
    SMTP_CONTENT_LINE_CR, /* after a CR inside a line */
};

/** Where it is, and what it noticed first; octets are counted from 1 as they came over the wire. */
struct smtp_content_decoder {
    enum smtp_content_place place;
    bool verbatim;         /* no dot is removed and no end mark known: chunks of BDAT */
    uint64_t wire_octets;  /* taken so far, dots and end mark included */
    uint64_t line_octets;  /* of the open line so far, with CRLF, without a stuffed dot */
    uint64_t line_at;      /* its first octet */
    size_t line_limit;     /* 0: none */
    uint64_t long_line_at; /* first octet of the first line over the limit; 0: none */
    uint64_t long_line_octets;
    uint64_t bare_cr_at; /* octet; 0: none */
    uint64_t bare_lf_at;
};

/** What one step came to. */
struct smtp_content_step {
    size_t used;           /* octets of the input it took */
    struct smtp_span keep; /* octets of content; of the input, or constant */
    bool ended;            /* the end mark was the last of what it took */
};

/** line_limit: octets a line may have, with its CRLF and without a stuffed dot; 0: any number. */
void smtp_content_decoder_init(struct smtp_content_decoder *decoder, size_t line_limit,
                               bool verbatim);

/** Takes octets up to the next dot that is to be removed, the end mark, or the end of the input.
 *  Call again while octets are left and it has not ended. Only CRLF.CRLF ends content; a bare CR or
 *  LF is kept and noticed. Linear in the input, whatever it holds. */
struct smtp_content_step smtp_content_decode(struct smtp_content_decoder *decoder,
                                             const char *bytes, size_t len);
/** Of verbatim content no more comes: a CR at its very end was a bare one. */
void smtp_content_decode_end(struct smtp_content_decoder *decoder);

#endif
