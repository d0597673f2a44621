/* exchange.h - a SASL exchange in memory, for the tests of server/sasl*.c. Each function ends the test
 * where it fails. */
#ifndef SMTP_TESTS_UNIT_SERVER_EXCHANGE_H
#define SMTP_TESTS_UNIT_SERVER_EXCHANGE_H

#include "server/sasl.h"

struct exchange {
    struct smtp_server_users
        users; /* ann: "secret", "b\xc3\xb6" "b": UTF-8, long: 255 octets each */
    struct smtp_server_sasl_source source;
    struct smtp_server_exchange *exchange;
    struct smtp_server_auth_answer answer; /* the last one */
    char binding[2][16];                   /* channel binding data of each kind; "": none */
    /* what a hook was told last, and what it says */
    unsigned decided;
    char mechanism[32], identity[300], authorization[300], secret[300]; /* secret "(none)": NULL */
    enum smtp_server_verdict verdict;
    unsigned looked_up;
};

extern const char exchange_long_name[256]; /* 255 octets */

void exchange_init(struct exchange *exchange);
void exchange_clear(struct exchange *exchange);
/** The hooks decide from now on. */
void exchange_hook_auth(struct exchange *exchange, enum smtp_server_verdict verdict);
void exchange_hook_password(struct exchange *exchange); /* "hook": "of the hook", "empty": "" */

/** Ends the exchange before, if there is one. */
void exchange_begin(struct exchange *exchange, const char *mechanism);
enum smtp_server_auth_step exchange_nothing(struct exchange *exchange); /* no response */
enum smtp_server_auth_step exchange_say(struct exchange *exchange, const char *bytes, size_t len);
enum smtp_server_auth_step exchange_text(struct exchange *exchange, const char *text);
/** The last challenge, NUL-terminated. */
const char *exchange_challenge(const struct exchange *exchange, char text[1000]);

/** A whole exchange with libgsasl's client, which must be content with the server when it is let in;
 *  authorization may be NULL. Its last step. */
enum smtp_server_auth_step exchange_log_in(struct exchange *exchange, const char *mechanism,
                                           const char *identity, const char *authorization,
                                           const char *password);

#define EXCHANGE_SAY(exchange, literal) exchange_say(exchange, "" literal, sizeof(literal) - 1)

#endif
