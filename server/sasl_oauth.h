/* sasl_oauth.h - the messages of XOAUTH2 and OAUTHBEARER (RFC 7628) taken apart. */
#ifndef SMTP_SERVER_SASL_OAUTH_H
#define SMTP_SERVER_SASL_OAUTH_H

#include <stdbool.h>
#include <stddef.h>

/** What a client said; points into its message. */
struct smtp_server_oauth {
    const char *identity; /* "" for none, of OAUTHBEARER alone */
    const char *token;
};

/** Takes apart len octets with a NUL behind them, changing them. False: not of the form. */
bool smtp_server_xoauth2_parse(char *message, size_t len, struct smtp_server_oauth *out);
/** The same of OAUTHBEARER: RFC 7628 3.1, its token as RFC 6750 2.1 has it. */
bool smtp_server_oauthbearer_parse(char *message, size_t len, struct smtp_server_oauth *out);

#endif
