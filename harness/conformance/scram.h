/* scram.h - the client's part of SCRAM (RFC 5802, RFC 7677) by hand, so that each of its messages can be wrong. */
#ifndef SMTP_HARNESS_CONFORMANCE_SCRAM_H
#define SMTP_HARNESS_CONFORMANCE_SCRAM_H

#include "harness/conformance/ask.h"

struct smtp_scram {
    struct smtp_check *check;
    struct smtp_talk *talk;
    const char *gs2;          /* "n,,", "y,," */
    const char *first_bare;   /* "n=user,r=nonce" */
    const char *server_first; /* as it came, decoded */
    const char *nonce;        /* the server's, which begins with ours */
    const char *salt;         /* in base64 */
    unsigned iterations;
    const char *proof;     /* client-final-message: smtp_scram_prove */
    const char *signature; /* the server's, in base64, as it must be */
};

/** AUTH with the first message of the suite's user, and what the server says to it: the nonce must begin with the
 *  client's. user NULL: the suite's; else as it stands in the message. Skips where the mechanism is not offered. False: the
 *  check is decided. */
bool smtp_scram_begin_as(struct smtp_scram *scram, struct smtp_talk *talk, const char *mechanism,
                         const char *gs2, const char *user);
bool smtp_scram_begin(struct smtp_scram *scram, struct smtp_talk *talk, const char *mechanism,
                      const char *gs2);
/** Makes the final message and the signature; without_proof NULL: "c=BASE64,r=NONCE" as it should be. */
void smtp_scram_prove(struct smtp_scram *scram, const char *without_proof);
/** Whether the talk's last reply, decoded, is "v=" and the right signature. */
bool smtp_scram_is_signed(const struct smtp_scram *scram);
/** The text of the talk's last reply, decoded from base64; "" where it is none. Lives as long as the check. */
const char *smtp_scram_decode(struct smtp_talk *talk);

#endif
