/* sasl_scram.c - SCRAM (RFC 5802, RFC 7677), the client's side: three messages, and the server's proof.
 * Knows: what is signed, what a server's messages must hold. Does not know: which mechanism was offered
 * and chosen (sasl.c, sasl_choice.c), base64 around the messages (client/protocol/session_auth.c). */
#include "client/sasl_scram.h"

#include "client/protocol/auth.h"
#include "common/error.h"
#include "common/secret.h"

#include <gsasl.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdlib.h>

/* How often a server may have the password hashed (RFC 5802 5.1, i=): about two seconds' work. More is
 * an attack on the client's time. */
#define ITERATIONS_MAX 2000000
/* 144 bits that nobody guesses; base64 of them needs no padding. */
#define NONCE_OCTETS 18
/* AuthMessage: three messages, each of one line. */
#define MESSAGES_MAX ((size_t)4 * SMTP_CLIENT_RESPONSE_MAX)

struct smtp_client_scram {
    const EVP_MD *digest;
    char *password;              /* as SASLprep leaves it */
    struct smtp_buffer bound;    /* what c= says: the GS2 header, then the channel binding data */
    size_t header_len;           /* of the GS2 header */
    struct smtp_buffer messages; /* client-first-message-bare, which grows to AuthMessage */
    size_t nonce_at;             /* where the client's nonce begins in client-first-message-bare */
    unsigned char signature[EVP_MAX_MD_SIZE]; /* the server's, as it must be */
    unsigned answers;                         /* given so far */
    bool proved;                              /* the signature came */
};
#define ANSWERS 3

/* What a server-first-message says. */
struct server_first {
    struct smtp_span nonce;
    struct smtp_buffer salt;
    uint64_t iterations;
};

static enum smtp_status violation(struct smtp_error *error, const char *what)
{
    return smtp_error_set(error, SMTP_PROTOCOL_VIOLATION, 0, "%s", what);
}

static enum smtp_status append(struct smtp_buffer *out, const char *text)
{
    return smtp_buffer_append(out, text, strlen(text));
}

/* ---- what other mechanisms have too ---- */

/* RFC 5801 4: ',' and '=' would end a field. */
static enum smtp_status append_saslname(struct smtp_buffer *out, const char *name)
{
    enum smtp_status status = SMTP_OK;
    for (const char *at = name; *at != '\0' && status == SMTP_OK; at++) {
        status = *at == ','   ? append(out, "=2C")
                 : *at == '=' ? append(out, "=3D")
                              : smtp_buffer_append(out, at, 1);
    }
    return status;
}

enum smtp_status smtp_client_gs2_header(struct smtp_buffer *out, const char *flag, const char *name)
{
    bool named = name != NULL && *name != '\0';
    enum smtp_status status = append(out, flag);
    status = status == SMTP_OK ? append(out, named ? ",a=" : ",") : status;
    status = status == SMTP_OK && named ? append_saslname(out, name) : status;
    return status == SMTP_OK ? append(out, ",") : status;
}

enum smtp_status smtp_client_saslprep(char **out, const char *text, struct smtp_error *error)
{
    int code = gsasl_saslprep(text, GSASL_ALLOW_UNASSIGNED, out, NULL);
    if (code == GSASL_OK) {
        return SMTP_OK;
    }
    *out = NULL;
    return code == GSASL_MALLOC_ERROR
               ? smtp_error_set(error, SMTP_NO_MEMORY, 0, "out of memory for AUTH")
               : smtp_error_set(error, SMTP_BAD_ARGUMENT, 0,
                                "the identity or the password holds characters that SASLprep "
                                "(RFC 4013) forbids");
}

/* ---- client-first-message ---- */

static enum smtp_status append_nonce(struct smtp_buffer *out, const char *given)
{
    unsigned char octets[NONCE_OCTETS];
    if (given != NULL) {
        return append(out, given);
    }
    if (RAND_bytes(octets, sizeof(octets)) != 1) {
        return SMTP_SYSTEM_FAILED;
    }
    return smtp_base64_append(out, (struct smtp_span){(const char *)octets, sizeof(octets)});
}

static enum smtp_status compose_first(struct smtp_client_scram *scram,
                                      const struct smtp_client_scram_options *options,
                                      const char *identity, struct smtp_error *error)
{
    enum smtp_status status =
        smtp_client_gs2_header(&scram->bound, options->flag, options->authorization_identity);
    scram->header_len = scram->bound.len;
    if (status == SMTP_OK) {
        status = smtp_buffer_append(&scram->bound, options->binding.bytes, options->binding.len);
    }
    status = status == SMTP_OK ? append(&scram->messages, "n=") : status;
    status = status == SMTP_OK ? append_saslname(&scram->messages, identity) : status;
    status = status == SMTP_OK ? append(&scram->messages, ",r=") : status;
    scram->nonce_at = scram->messages.len;
    status = status == SMTP_OK ? append_nonce(&scram->messages, options->nonce) : status;
    switch (status) {
    case SMTP_OK:
        return SMTP_OK;
    case SMTP_LIMIT_EXCEEDED:
        return smtp_error_set(error, status, 0, "the identity is too long for SCRAM");
    case SMTP_NO_MEMORY:
        return smtp_error_set(error, status, 0, "out of memory for AUTH");
    default:
        return smtp_error_set(error, status, 0, "OpenSSL gave no random octets");
    }
}

static enum smtp_status say_first(struct smtp_client_scram *scram, struct smtp_buffer *response)
{
    struct smtp_span bare = smtp_buffer_span(&scram->messages);
    enum smtp_status status =
        smtp_buffer_append(response, smtp_buffer_span(&scram->bound).bytes, scram->header_len);
    return status == SMTP_OK ? smtp_buffer_append(response, bare.bytes, bare.len) : status;
}

/* ---- what the server says ---- */

/* Takes "NAME=value" and the ',' behind it off the front. */
static bool take_attribute(struct smtp_span *rest, char name, struct smtp_span *value)
{
    if (rest->len < 2 || rest->bytes[0] != name || rest->bytes[1] != '=') {
        return false;
    }
    const char *comma = memchr(rest->bytes, ',', rest->len);
    size_t len = comma != NULL ? (size_t)(comma - rest->bytes) : rest->len;
    *value = (struct smtp_span){rest->bytes + 2, len - 2};
    len += comma != NULL ? 1 : 0;
    *rest = (struct smtp_span){rest->bytes + len, rest->len - len};
    return true;
}

/* RFC 5802 5.1, m=: an extension that must be known, and there is none. */
static bool wants_extension(struct smtp_span message)
{
    return (message.len >= 2 && memcmp(message.bytes, "m=", 2) == 0) ||
           memmem(message.bytes, message.len, ",m=", 3) != NULL;
}

/* RFC 5802 5.1: the nonce is the client's, and more; extensions behind i= may be there. */
static enum smtp_status read_first(const struct smtp_client_scram *scram,
                                   struct smtp_span challenge, struct server_first *first,
                                   struct smtp_error *error)
{
    struct smtp_span own = smtp_buffer_span(&scram->messages), salt, iterations;
    own = (struct smtp_span){own.bytes + scram->nonce_at, own.len - scram->nonce_at};
    if (!take_attribute(&challenge, 'r', &first->nonce) ||
        !take_attribute(&challenge, 's', &salt) || !take_attribute(&challenge, 'i', &iterations)) {
        return violation(error, "the server's first message is not r=, s=, i= (RFC 5802 7)");
    }
    if (first->nonce.len <= own.len || memcmp(first->nonce.bytes, own.bytes, own.len) != 0) {
        return violation(error, "the server's nonce does not begin with the client's, or adds "
                                "nothing (RFC 5802 5.1)");
    }
    enum smtp_status status = smtp_base64_decode(&first->salt, salt);
    if (status == SMTP_NO_MEMORY) {
        return status;
    }
    if (status != SMTP_OK || first->salt.len == 0) {
        return violation(error, "the server's salt (s=) is no base64");
    }
    if (!smtp_span_to_u64(iterations, ITERATIONS_MAX, &first->iterations) ||
        first->iterations == 0) {
        return violation(error, "the server wants the password hashed i= times, which is no number "
                                "of 1 to 2000000");
    }
    return SMTP_OK;
}

/* ---- client-final-message ---- */

static bool hmac(const struct smtp_client_scram *scram, const unsigned char *key,
                 struct smtp_span text, unsigned char *out)
{
    return HMAC(scram->digest, key, EVP_MD_get_size(scram->digest),
                (const unsigned char *)text.bytes, text.len, out, NULL) != NULL;
}

/* RFC 5802 3: the client's proof, and the signature that the server must give. */
static bool sign(struct smtp_client_scram *scram, const struct server_first *first,
                 unsigned char proof[EVP_MAX_MD_SIZE])
{
    unsigned char salted[EVP_MAX_MD_SIZE] = {0}, key[EVP_MAX_MD_SIZE] = {0};
    unsigned char stored[EVP_MAX_MD_SIZE] = {0};
    struct smtp_span salt = smtp_buffer_span(&first->salt);
    struct smtp_span message = smtp_buffer_span(&scram->messages);
    int len = EVP_MD_get_size(scram->digest);
    bool done = PKCS5_PBKDF2_HMAC(scram->password, (int)strlen(scram->password),
                                  (const unsigned char *)salt.bytes, (int)salt.len,
                                  (int)first->iterations, scram->digest, len, salted) == 1 &&
                hmac(scram, salted, SMTP_SPAN("Client Key"), key) &&
                EVP_Digest(key, (size_t)len, stored, NULL, scram->digest, NULL) == 1 &&
                hmac(scram, stored, message, proof);
    for (int i = 0; i < len; i++) {
        proof[i] ^= key[i];
    }
    done = done && hmac(scram, salted, SMTP_SPAN("Server Key"), key) &&
           hmac(scram, key, message, scram->signature);
    smtp_secret_wipe(salted, sizeof(salted));
    smtp_secret_wipe(key, sizeof(key));
    smtp_secret_wipe(stored, sizeof(stored));
    return done;
}

/* AuthMessage; *final: where client-final-message-without-proof begins in it. */
static enum smtp_status compose_final(struct smtp_client_scram *scram, struct smtp_span challenge,
                                      struct smtp_span nonce, size_t *final)
{
    struct smtp_buffer *messages = &scram->messages;
    enum smtp_status status = append(messages, ",");
    status =
        status == SMTP_OK ? smtp_buffer_append(messages, challenge.bytes, challenge.len) : status;
    status = status == SMTP_OK ? append(messages, ",") : status;
    *final = messages->len;
    status = status == SMTP_OK ? append(messages, "c=") : status;
    status =
        status == SMTP_OK ? smtp_base64_append(messages, smtp_buffer_span(&scram->bound)) : status;
    status = status == SMTP_OK ? append(messages, ",r=") : status;
    return status == SMTP_OK ? smtp_buffer_append(messages, nonce.bytes, nonce.len) : status;
}

static enum smtp_status say_final(struct smtp_client_scram *scram, struct smtp_span challenge,
                                  struct smtp_buffer *response, struct smtp_error *error)
{
    struct server_first first = {.salt = SMTP_BUFFER(SMTP_CLIENT_RESPONSE_MAX)};
    unsigned char proof[EVP_MAX_MD_SIZE] = {0};
    size_t final = 0;
    enum smtp_status status = read_first(scram, challenge, &first, error);
    status = status == SMTP_OK ? compose_final(scram, challenge, first.nonce, &final) : status;
    if (status == SMTP_OK && !sign(scram, &first, proof)) {
        status = smtp_error_set(error, SMTP_SYSTEM_FAILED, 0, "OpenSSL could not hash");
    }
    smtp_buffer_free(&first.salt);
    struct smtp_span said = smtp_buffer_span(&scram->messages);
    status = status == SMTP_OK ? smtp_buffer_append(response, said.bytes + final, said.len - final)
                               : status;
    status = status == SMTP_OK ? append(response, ",p=") : status;
    struct smtp_span octets = {(const char *)proof, (size_t)EVP_MD_get_size(scram->digest)};
    return status == SMTP_OK ? smtp_base64_append(response, octets) : status;
}

/* ---- server-final-message ---- */

static enum smtp_status hear_final(struct smtp_client_scram *scram, struct smtp_span challenge,
                                   struct smtp_error *error)
{
    struct smtp_buffer given = SMTP_BUFFER(SMTP_CLIENT_RESPONSE_MAX);
    struct smtp_span value;
    if (take_attribute(&challenge, 'e', &value)) {
        return SMTP_OK; /* server-error in place of the signature; a 5yz reply follows */
    }
    struct smtp_span known = {(const char *)scram->signature,
                              (size_t)EVP_MD_get_size(scram->digest)};
    enum smtp_status status = take_attribute(&challenge, 'v', &value)
                                  ? smtp_base64_decode(&given, value)
                                  : SMTP_BAD_ARGUMENT;
    scram->proved = status == SMTP_OK && smtp_secret_equal(known, smtp_buffer_span(&given));
    smtp_buffer_free(&given);
    return scram->proved || status == SMTP_NO_MEMORY
               ? status
               : violation(error, "the server's signature is wrong: it does not know the password "
                                  "(RFC 5802 5)");
}

/* ---- an exchange ---- */

enum smtp_status smtp_client_scram_answer(void *user, struct smtp_span challenge,
                                          struct smtp_buffer *response, struct smtp_error *error)
{
    struct smtp_client_scram *scram = user;
    enum smtp_status status;
    if (scram->answers == ANSWERS) {
        scram->proved = false;
        return violation(error, "the server asks for more than the mechanism has to say");
    }
    scram->answers++;
    status = wants_extension(challenge)
                 ? violation(error, "the server wants an extension of SCRAM (m=); there is none")
             : scram->answers == 1 ? say_first(scram, response)
             : scram->answers == 2 ? say_final(scram, challenge, response, error)
                                   : hear_final(scram, challenge, error);
    if (status != SMTP_OK) {
        scram->answers = ANSWERS; /* nothing goes on from here */
    }
    return status;
}

bool smtp_client_scram_is_complete(const void *user)
{
    const struct smtp_client_scram *scram = user;
    return scram->proved;
}

enum smtp_status smtp_client_scram_new(struct smtp_client_scram **out,
                                       const struct smtp_client_scram_options *options,
                                       struct smtp_error *error)
{
    struct smtp_client_scram *scram = calloc(1, sizeof(*scram));
    char *identity = NULL;
    *out = scram;
    if (scram == NULL) {
        return smtp_error_set(error, SMTP_NO_MEMORY, 0, "out of memory for AUTH");
    }
    scram->digest = options->sha256 ? EVP_sha256() : EVP_sha1();
    scram->bound = SMTP_BUFFER(SMTP_CLIENT_RESPONSE_MAX);
    scram->messages = SMTP_BUFFER(MESSAGES_MAX);
    enum smtp_status status = smtp_client_saslprep(&identity, options->identity, error);
    status = status == SMTP_OK ? smtp_client_saslprep(&scram->password, options->password, error)
                               : status;
    if (status == SMTP_OK && identity != NULL && *identity == '\0') { /* RFC 5802 5.1 */
        status = smtp_error_set(error, SMTP_BAD_ARGUMENT, 0,
                                "SASLprep (RFC 4013) leaves nothing of the identity");
    }
    status = status == SMTP_OK && identity != NULL ? compose_first(scram, options, identity, error)
                                                   : status;
    smtp_secret_free(identity);
    if (status != SMTP_OK) {
        smtp_client_scram_free(scram);
        *out = NULL;
    }
    return status;
}

void smtp_client_scram_free(struct smtp_client_scram *scram)
{
    if (scram == NULL) {
        return;
    }
    smtp_secret_free(scram->password);
    smtp_secret_free_buffer(&scram->bound);
    smtp_buffer_free(&scram->messages);
    smtp_secret_wipe(scram, sizeof(*scram));
    free(scram);
}
