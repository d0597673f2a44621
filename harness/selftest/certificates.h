/* certificates.h - identities and TLS contexts that live as long as a trial. Knows OpenSSL, so that a
 * scenario can do what a caller with a context of its own does. NULL everywhere: a failure is noted. */
#ifndef SMTP_HARNESS_SELFTEST_CERTIFICATES_H
#define SMTP_HARNESS_SELFTEST_CERTIFICATES_H

#include "harness/selftest/trial.h"

/** For localhost and the loopback addresses. */
struct smtp_identity *smtp_trial_identity(struct smtp_trial *trial, enum smtp_identity_flaw flaw);
/** For this name alone. */
struct smtp_identity *smtp_trial_identity_for(struct smtp_trial *trial, const char *name);
/** A client's, signed by the authority. */
struct smtp_identity *smtp_trial_client_identity(struct smtp_trial *trial,
                                                 const struct smtp_identity *authority,
                                                 const char *common_name);

/** A client's SSL_CTX made by hand: it verifies by that authority, and speaks up to that version
 *  (TLS1_2_VERSION). */
struct ssl_ctx_st *smtp_trial_client_context(struct smtp_trial *trial, const char *ca_pem,
                                             int newest_version);
/** A server's, made by hand, with the identity's certificate. */
struct ssl_ctx_st *smtp_trial_server_context(struct smtp_trial *trial,
                                             const struct smtp_identity *identity);

#endif
