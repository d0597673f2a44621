/* reply_reader.h - takes replies (RFC 5321 4.2) apart, however the octets are split. */
#ifndef SMTP_CLIENT_PROTOCOL_REPLY_READER_H
#define SMTP_CLIENT_PROTOCOL_REPLY_READER_H

#include "client/smtp_client.h"
#include "common/bytes.h"

/* RFC 5321 4.5.3.1.5 allows 512 octets a line and says nothing on the number of lines; servers in
 * the field exceed the first. These bound what a hostile server can make a client keep. */
#define SMTP_CLIENT_REPLY_LINE_MAX 8192
#define SMTP_CLIENT_REPLY_LINES_MAX 1000
#define SMTP_CLIENT_REPLY_MAX 65536

struct smtp_client_reply_reader {
    struct smtp_buffer line; /* the part of a line that has come, where its end has not */
    struct smtp_buffer text; /* of the reply's lines so far, joined by '\n' */
    int code;
    struct smtp_enhanced_code enhanced;
    size_t lines;
    size_t octets;
    bool complete;
    uint64_t looked_at; /* octets looked at in search of line ends: the work done, for a test */
    void (*on_line)(void *user, struct smtp_span line); /* each line without CRLF; NULL: none */
    void *user;
};

void smtp_client_reply_reader_init(struct smtp_client_reply_reader *reader);
void smtp_client_reply_reader_clear(struct smtp_client_reply_reader *reader); /* frees */
/** Forgets the octets of an unfinished reply. */
void smtp_client_reply_reader_restart(struct smtp_client_reply_reader *reader);

/** Takes octets up to the end of one reply: *used may be less than len. reader->complete tells that
 *  one is there; the next call starts another. SMTP_PROTOCOL_VIOLATION, SMTP_LIMIT_EXCEEDED,
 *  SMTP_NO_MEMORY: the reader is of no more use. */
enum smtp_status smtp_client_reply_reader_feed(struct smtp_client_reply_reader *reader,
                                               const char *bytes, size_t len, size_t *used,
                                               struct smtp_error *error) SMTP_MUST_CHECK;

/** The complete reply; its text lives until the next feed. */
struct smtp_reply smtp_client_reply_reader_reply(const struct smtp_client_reply_reader *reader);

#endif
