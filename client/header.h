/* header.h - a message's header section as a row of fields (RFC 5322 2.2). */
#ifndef SMTP_CLIENT_HEADER_H
#define SMTP_CLIENT_HEADER_H

#include "common/bytes.h"

/** One field, folded lines and all; borrowed from the header section. */
struct smtp_client_field {
    struct smtp_span whole; /* with its line ends */
    struct smtp_span name;  /* "" for a line that is no field */
    struct smtp_span body;  /* after the colon, folding and line end kept */
};

/** The field at *at, which moves behind it; false at the end. Lines end in CRLF, LF or CR. */
bool smtp_client_field_next(struct smtp_span header, size_t *at, struct smtp_client_field *field);

/** Looks for the empty line that ends a header section, octets coming in any split. */
struct smtp_client_header_end {
    size_t looked_at; /* octets */
    bool line_start;
    bool after_cr;
};
#define SMTP_CLIENT_HEADER_END ((struct smtp_client_header_end){.line_start = true})
/** all: the message so far. True: all.bytes[looked_at] begins the empty line. */
bool smtp_client_header_end_find(struct smtp_client_header_end *search, struct smtp_span all);

#endif
