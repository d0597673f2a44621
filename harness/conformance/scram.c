/* scram.c - see scram.h. */
#include "harness/conformance/scram.h"

#include "common/secret.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

#define DIGEST SHA256_DIGEST_LENGTH
#define ITERATIONS_MAX 10000000

const char *smtp_scram_decode(struct smtp_talk *talk)
{
    struct smtp_buffer octets = SMTP_BUFFER(SIZE_MAX / 2);
    if (smtp_base64_decode(&octets, smtp_talk_text(talk, 0)) != SMTP_OK ||
        smtp_buffer_append(&octets, "", 1) != SMTP_OK) {
        smtp_buffer_free(&octets);
        return "";
    }
    const char *kept = smtp_check_own(talk->check, octets.bytes, free);
    return kept != NULL ? kept : "";
}

/** The value of an attribute like "r=" of the message; "" for none. */
static const char *attribute(struct smtp_check *check, const char *message, char name)
{
    while (*message != '\0') {
        size_t len = strcspn(message, ",");
        if (message[0] == name && message[1] == '=') {
            return smtp_check_text(check, "%.*s", (int)len - 2, message + 2);
        }
        message += len + (message[len] == ',');
    }
    return "";
}

bool smtp_scram_begin_as(struct smtp_scram *scram, struct smtp_talk *talk, const char *mechanism,
                         const char *gs2, const char *user)
{
    struct smtp_check *check = talk->check;
    *scram = (struct smtp_scram){.check = check, .talk = talk, .gs2 = gs2};
    if (smtp_check_goes_on(check) && !smtp_ask_offers_mechanism(talk, mechanism)) {
        smtp_check_skip(check, "AUTH %s is not offered", mechanism);
    }
    user = user != NULL ? user : check->options->user;
    scram->first_bare = smtp_check_text(check, "n=%s,r=%s", user != NULL ? user : "", check->token);
    const char *first = smtp_check_text(check, "%s%s", gs2, scram->first_bare);
    smtp_talk_try(talk, "AUTH %s %s", mechanism, smtp_ask_base64(check, smtp_span_of(first)));
    if (!smtp_talk_is(talk, "334")) {
        return smtp_check_goes_on(check); /* a refusal, for the caller to judge */
    }
    scram->server_first = smtp_scram_decode(talk);
    scram->nonce = attribute(check, scram->server_first, 'r');
    scram->salt = attribute(check, scram->server_first, 's');
    scram->iterations = (unsigned)strtoul(attribute(check, scram->server_first, 'i'), NULL, 10);
    size_t len = strlen(check->token);
    bool extends = strncmp(scram->nonce, check->token, len) == 0 && strlen(scram->nonce) > len;
    bool is_whole =
        scram->salt[0] != '\0' && scram->iterations > 0 && scram->iterations < ITERATIONS_MAX;
    return smtp_check_that(check, extends && is_whole,
                           "expected r= that extends the client's nonce, s= and i=, came \"%s\"",
                           scram->server_first);
}

bool smtp_scram_begin(struct smtp_scram *scram, struct smtp_talk *talk, const char *mechanism,
                      const char *gs2)
{
    return smtp_scram_begin_as(scram, talk, mechanism, gs2, NULL) &&
           smtp_check_that(scram->check, scram->server_first != NULL,
                           "expected 334 to the first message, came %s",
                           smtp_check_show(scram->check, talk->reply.octets));
}

static void hmac(const unsigned char key[DIGEST], const char *text, unsigned char out[DIGEST])
{
    HMAC(EVP_sha256(), key, DIGEST, (const unsigned char *)text, strlen(text), out, NULL);
}

static const char *base64(struct smtp_check *check, const unsigned char octets[DIGEST])
{
    return smtp_ask_base64(check, (struct smtp_span){(const char *)octets, DIGEST});
}

void smtp_scram_prove(struct smtp_scram *scram, const char *without_proof)
{
    struct smtp_check *check = scram->check;
    unsigned char salted[DIGEST], client_key[DIGEST], stored[DIGEST], server_key[DIGEST],
        made[DIGEST];
    struct smtp_buffer salt = SMTP_BUFFER(4096);
    if (check->is_decided) {
        scram->proof = scram->signature = "";
        return;
    }
    if (without_proof == NULL) {
        const char *binding = smtp_ask_base64(check, smtp_span_of(scram->gs2));
        without_proof = smtp_check_text(check, "c=%s,r=%s", binding, scram->nonce);
    }
    if (smtp_base64_decode(&salt, smtp_span_of(scram->salt)) != SMTP_OK) {
        smtp_check_fail(check, "expected base64 in s=, came \"%s\"", scram->salt);
    }
    const char *password = check->options->password;
    struct smtp_span octets = smtp_buffer_span(&salt);
    PKCS5_PBKDF2_HMAC(password, (int)strlen(password), (const unsigned char *)octets.bytes,
                      (int)octets.len, (int)scram->iterations, EVP_sha256(), DIGEST, salted);
    smtp_buffer_free(&salt);
    const char *auth =
        smtp_check_text(check, "%s,%s,%s", scram->first_bare, scram->server_first, without_proof);
    hmac(salted, "Client Key", client_key);
    EVP_Digest(client_key, DIGEST, stored, NULL, EVP_sha256(), NULL);
    hmac(stored, auth, made);
    for (size_t i = 0; i < DIGEST; i++) {
        made[i] ^= client_key[i];
    }
    scram->proof = smtp_check_text(check, "%s,p=%s", without_proof, base64(check, made));
    hmac(salted, "Server Key", server_key);
    hmac(server_key, auth, made);
    scram->signature = base64(check, made);
}

bool smtp_scram_is_signed(const struct smtp_scram *scram)
{
    const char *came = smtp_scram_decode(scram->talk);
    return strncmp(came, "v=", 2) == 0 && strcmp(came + 2, scram->signature) == 0;
}
