/* extensions.h - what an EHLO reply offers (RFC 5321 4.1.1.1). */
#ifndef SMTP_CLIENT_PROTOCOL_EXTENSIONS_H
#define SMTP_CLIENT_PROTOCOL_EXTENSIONS_H

#include "common/bytes.h"

#define SMTP_CLIENT_EXTENSIONS_MAX 100 /* keywords kept; about 40 are registered */

struct smtp_client_extensions {
    struct smtp_buffer texts; /* "KEYWORD\0parameters\0" each */
    size_t count;
    bool pipelining;
    bool eight_bit_mime;
    bool chunking;    /* RFC 3030 */
    bool binary_mime; /* likewise */
    bool size;
    uint64_t size_max; /* RFC 1870 4: 0 for no fixed maximum */
    /* RFC 9422 4: 1..999999; 0: not said */
    uint64_t mail_max;        /* transactions a session */
    uint64_t rcpt_max;        /* RCPT commands a transaction */
    uint64_t rcpt_domain_max; /* different domains in the RCPT commands of a session */
};

void smtp_client_extensions_init(struct smtp_client_extensions *extensions);
/** Forgets all (RFC 5321 4.1.1.1: a new connection, HELO, STARTTLS). Storage is kept. */
void smtp_client_extensions_forget(struct smtp_client_extensions *extensions);
void smtp_client_extensions_clear(struct smtp_client_extensions *extensions); /* frees */

/** Forgets all and takes the text of an EHLO reply: lines joined by '\n', the first is the server's
 *  name. Lines that are no EHLO line are passed over. SMTP_NO_MEMORY leaves nothing offered. */
enum smtp_status smtp_client_extensions_read(struct smtp_client_extensions *extensions,
                                             const char *text) SMTP_MUST_CHECK;

/** The parameters of a keyword, in any case; "" for none; NULL where it is not offered. */
const char *smtp_client_extensions_find(const struct smtp_client_extensions *extensions,
                                        const char *keyword);

/** Whether a keyword's parameters, parted by spaces, hold the word, in any case. */
bool smtp_client_words_have(const char *words, const char *word);

#endif
