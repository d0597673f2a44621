/* identity.c - authorities and certificates made in memory, sound or flawed on request. Knows X.509
 * (RFC 5280); files are identity_file.c's. */
#include "common/identity.h"

#include "common/bytes.h"
#include "common/error.h"
#include "common/tls_failure.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <time.h>

#define HOUR_S ((int64_t)3600)
#define DAY_S (24 * HOUR_S)
#define VALID_S (30 * DAY_S)
#define AUTHORITY_VALID_S (3650 * DAY_S)
#define YEAR_1_UNIX_S (-62135596800)
#define YEAR_9999_UNIX_S 253402300799 /* its last second; four digits, RFC 5280 4.1.2.5.2 */
#define SERIAL_OCTETS 16              /* at most 20, RFC 5280 4.1.2.2 */
#define COMMON_NAME_MAX 64            /* ub-common-name, RFC 5280 A.1 */
#define LABEL_MAX 63                  /* RFC 1035 2.3.4 */
#define DOMAIN_NAME_MAX 253           /* the same, as text */

static const char *const default_names[] = {"localhost", "harness.test", "127.0.0.1", "::1"};
static const char *const wrong_names[] = {"wrong.invalid"};

/* What is put into a certificate. */
struct request {
    const char *common_name; /* NULL: an empty subject */
    const char *const *names;
    size_t name_count;
    int64_t from_unix_s, until_unix_s;
    const char *key_usage;
    const char *extended_key_usage; /* NULL: none */
    bool authority;
};

struct signer {
    X509 *certificate;
    EVP_PKEY *key;
};

/* ---- names ---- */

static bool is_address(const char *name)
{
    unsigned char octets[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, name, octets) == 1 || inet_pton(AF_INET6, name, octets) == 1;
}

/* Letters, digits, hyphens and underscores in labels; the first may be '*' (RFC 9525 6.3). */
static bool is_domain_name(const char *name)
{
    size_t len = strlen(name), label = 0;
    size_t at = strncmp(name, "*.", 2) == 0 ? 2 : 0;
    if (len == 0 || len > DOMAIN_NAME_MAX) {
        return false;
    }
    for (; at < len; at++) {
        unsigned char c = (unsigned char)name[at];
        if (c == '.' && label > 0) {
            label = 0;
        } else if ((smtp_is_letter_or_digit(c) || c == '-' || c == '_') && label < LABEL_MAX) {
            label++;
        } else {
            return false;
        }
    }
    return label > 0;
}

static bool push_name(GENERAL_NAMES *names, const char *text)
{
    bool address = is_address(text);
    GENERAL_NAME *name = GENERAL_NAME_new();
    ASN1_STRING *value = address ? a2i_IPADDRESS(text) : ASN1_IA5STRING_new();
    if (name == NULL || value == NULL || (!address && ASN1_STRING_set(value, text, -1) != 1)) {
        GENERAL_NAME_free(name);
        ASN1_STRING_free(value);
        return false;
    }
    GENERAL_NAME_set0_value(name, address ? GEN_IPADD : GEN_DNS, value);
    if (sk_GENERAL_NAME_push(names, name) == 0) {
        GENERAL_NAME_free(name);
        return false;
    }
    return true;
}

/* Critical where there is no subject beside it (RFC 5280 4.2.1.6). */
static bool add_names(X509 *certificate, const struct request *request)
{
    GENERAL_NAMES *names = GENERAL_NAMES_new();
    bool added = names != NULL;
    for (size_t i = 0; added && i < request->name_count; i++) {
        added = push_name(names, request->names[i]);
    }
    if (added && request->name_count > 0) {
        added = X509_add1_ext_i2d(certificate, NID_subject_alt_name, names,
                                  request->common_name == NULL, X509V3_ADD_DEFAULT) == 1;
    }
    GENERAL_NAMES_free(names);
    return added;
}

/* ---- one certificate ---- */

static bool set_serial(X509 *certificate)
{
    unsigned char octets[SERIAL_OCTETS];
    if (RAND_bytes(octets, sizeof octets) != 1) {
        return false;
    }
    octets[0] = (unsigned char)((octets[0] & 0x7F) | 0x40); /* positive and of that length */
    BIGNUM *number = BN_bin2bn(octets, sizeof octets, NULL);
    bool set =
        number != NULL && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != NULL;
    BN_free(number);
    return set;
}

static bool add_extension(X509 *certificate, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    bool added = extension != NULL && X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return added;
}

static bool set_subject(X509 *certificate, const char *common_name)
{
    return common_name == NULL ||
           X509_NAME_add_entry_by_NID(X509_get_subject_name(certificate), NID_commonName,
                                      MBSTRING_UTF8, (const unsigned char *)common_name, -1, -1,
                                      0) == 1;
}

static bool fill_in(X509 *certificate, const struct request *request, X509 *issuer, EVP_PKEY *key)
{
    return X509_set_version(certificate, X509_VERSION_3) == 1 && set_serial(certificate) &&
           ASN1_TIME_set(X509_getm_notBefore(certificate), (time_t)request->from_unix_s) != NULL &&
           ASN1_TIME_set(X509_getm_notAfter(certificate), (time_t)request->until_unix_s) != NULL &&
           set_subject(certificate, request->common_name) &&
           X509_set_issuer_name(certificate, X509_get_subject_name(issuer)) == 1 &&
           X509_set_pubkey(certificate, key) == 1 &&
           add_extension(certificate, issuer, NID_basic_constraints,
                         request->authority ? "critical,CA:TRUE" : "critical,CA:FALSE") &&
           add_extension(certificate, issuer, NID_key_usage, request->key_usage) &&
           (request->extended_key_usage == NULL ||
            add_extension(certificate, issuer, NID_ext_key_usage, request->extended_key_usage)) &&
           add_extension(certificate, issuer, NID_subject_key_identifier, "hash") &&
           add_extension(certificate, issuer, NID_authority_key_identifier, "keyid:always") &&
           add_names(certificate, request);
}

/* A new key and its certificate; by NULL: it signs itself. False: OpenSSL's queue says why. */
static bool issue(struct signer *out, const struct request *request, const struct signer *by)
{
    *out = (struct signer){X509_new(), EVP_EC_gen("P-256")};
    by = by != NULL ? by : out;
    if (out->certificate != NULL && out->key != NULL &&
        fill_in(out->certificate, request, by->certificate, out->key) &&
        X509_sign(out->certificate, by->key, EVP_sha256()) > 0) {
        return true;
    }
    X509_free(out->certificate);
    EVP_PKEY_free(out->key);
    *out = (struct signer){NULL, NULL};
    return false;
}

static void drop(struct signer *signer)
{
    X509_free(signer->certificate);
    EVP_PKEY_free(signer->key);
}

static bool issue_authority(struct signer *out, const char *common_name, const struct signer *by)
{
    int64_t now = (int64_t)time(NULL);
    struct request request = {.common_name = common_name,
                              .from_unix_s = now - DAY_S,
                              .until_unix_s = now + AUTHORITY_VALID_S,
                              .key_usage = "critical,keyCertSign,cRLSign",
                              .authority = true};
    return issue(out, &request, by);
}

/* ---- identities ---- */

/* The certificate of an identity whose authority is there already, with the flaw asked for. */
static bool issue_flawed(struct smtp_identity *identity, const struct request *request,
                         enum smtp_identity_flaw flaw)
{
    struct signer authority = {identity->ca, identity->ca_key}, other = {NULL, NULL}, made;
    const struct signer *by = flaw == SMTP_IDENTITY_SELF_SIGNED ? NULL : &authority;
    if (flaw == SMTP_IDENTITY_UNKNOWN_CA) {
        by = issue_authority(&other, "SMTP harness other authority", NULL) ? &other : NULL;
    } else if (flaw == SMTP_IDENTITY_NO_INTERMEDIATE) {
        by = issue_authority(&other, "SMTP harness intermediate", &authority) ? &other : NULL;
    }
    bool issued = (by != NULL || flaw == SMTP_IDENTITY_SELF_SIGNED) && issue(&made, request, by);
    drop(&other);
    if (issued) {
        identity->certificate = made.certificate;
        identity->key = made.key;
    }
    return issued;
}

static void share_root(struct smtp_identity *identity, const struct smtp_identity *authority)
{
    X509_up_ref(authority->ca);
    EVP_PKEY_up_ref(authority->ca_key);
    identity->ca = authority->ca;
    identity->ca_key = authority->ca_key;
}

static bool issue_root(struct smtp_identity *identity, const struct smtp_identity *authority)
{
    struct signer root;
    if (authority != NULL && authority->ca_key != NULL) {
        share_root(identity, authority);
        return true;
    }
    if (!issue_authority(&root, "SMTP harness authority", NULL)) {
        return false;
    }
    identity->ca = root.certificate;
    identity->ca_key = root.key;
    return true;
}

static struct smtp_identity *new_identity(void)
{
    struct smtp_identity *identity = calloc(1, sizeof *identity);
    if (identity != NULL) {
        atomic_init(&identity->references, 1);
    }
    return identity;
}

static enum smtp_status check_names(const struct request *request, struct smtp_error *error)
{
    if (request->name_count == 0) {
        return smtp_error_set(error, SMTP_BAD_ARGUMENT, 0,
                              "a certificate needs a name to be for: a domain name or an address");
    }
    for (size_t i = 0; i < request->name_count; i++) {
        const char *name = request->names[i];
        if (name == NULL || (!is_address(name) && !is_domain_name(name))) {
            char shown[81];
            smtp_tls_copy_visible(shown, sizeof shown, smtp_span_of(name != NULL ? name : ""));
            return smtp_error_set(error, SMTP_BAD_ARGUMENT, 0,
                                  "\"%s\" is no name for a certificate: expected a domain name in "
                                  "ASCII (perhaps \"*.\" first) or a numeric address",
                                  shown);
        }
    }
    return SMTP_OK;
}

static enum smtp_status check_validity(const struct request *request, struct smtp_error *error)
{
    if (request->from_unix_s < YEAR_1_UNIX_S || request->until_unix_s > YEAR_9999_UNIX_S) {
        return smtp_error_set(error, SMTP_BAD_ARGUMENT, 0,
                              "a certificate's validity must lie within the years 1 to 9999");
    }
    if (request->until_unix_s <= request->from_unix_s) {
        return smtp_error_set(error, SMTP_BAD_ARGUMENT, 0,
                              "a certificate's validity ends (%lld) before it begins (%lld)",
                              (long long)request->until_unix_s, (long long)request->from_unix_s);
    }
    return SMTP_OK;
}

static struct request server_request(const struct smtp_identity_options *options)
{
    int64_t now = (int64_t)time(NULL);
    struct request request = {
        .names = options->names,
        .name_count = options->name_count,
        .from_unix_s = options->valid_from_unix_s != 0 ? options->valid_from_unix_s : now - HOUR_S,
        .until_unix_s =
            options->valid_until_unix_s != 0 ? options->valid_until_unix_s : now + VALID_S,
        .key_usage = "critical,digitalSignature",
        .extended_key_usage = "serverAuth"};
    if (options->names == NULL) {
        request.names = default_names;
        request.name_count = sizeof default_names / sizeof *default_names;
    }
    if (options->flaw == SMTP_IDENTITY_WRONG_NAME) {
        request.names = wrong_names;
        request.name_count = 1;
    } else if (options->flaw == SMTP_IDENTITY_EXPIRED) {
        request.from_unix_s = now - DAY_S;
        request.until_unix_s = now - HOUR_S;
    } else if (options->flaw == SMTP_IDENTITY_NOT_YET_VALID) {
        request.from_unix_s = now + HOUR_S;
        request.until_unix_s = now + VALID_S;
    }
    return request;
}

static enum smtp_status not_made(struct smtp_identity *identity, struct smtp_error *error)
{
    smtp_identity_release(identity);
    return smtp_tls_failed(error, "the certificate could not be made");
}

enum smtp_status smtp_identity_new(struct smtp_identity **out,
                                   const struct smtp_identity_options *options,
                                   struct smtp_error *error)
{
    static const struct smtp_identity_options defaults;
    options = options != NULL ? options : &defaults;
    struct request request = server_request(options);
    enum smtp_status status = check_names(&request, error);
    status = status == SMTP_OK ? check_validity(&request, error) : status;
    if (status != SMTP_OK) {
        return status;
    }
    if (strlen(request.names[0]) <= COMMON_NAME_MAX) {
        request.common_name = request.names[0];
    }
    ERR_clear_error();
    struct smtp_identity *identity = new_identity();
    if (identity == NULL) {
        return smtp_error_set(error, SMTP_NO_MEMORY, 0, "no memory for an identity");
    }
    if (!issue_root(identity, options->authority) ||
        !issue_flawed(identity, &request, options->flaw) || !smtp_identity_write_pem(identity)) {
        return not_made(identity, error);
    }
    *out = identity;
    return SMTP_OK;
}

static bool is_common_name(const char *name)
{
    size_t len = strlen(name);
    for (size_t i = 0; i < len; i++) {
        if (smtp_is_control((unsigned char)name[i])) {
            return false;
        }
    }
    return len > 0 && len <= COMMON_NAME_MAX;
}

enum smtp_status smtp_identity_new_client(struct smtp_identity **out,
                                          const struct smtp_identity *authority,
                                          const char *common_name, struct smtp_error *error)
{
    if (authority->ca_key == NULL) {
        return smtp_error_set(error, SMTP_BAD_ARGUMENT, 0,
                              "the identity was loaded from files: its authority cannot sign");
    }
    if (!is_common_name(common_name)) {
        return smtp_error_set(error, SMTP_BAD_ARGUMENT, 0,
                              "a client certificate's common name must have 1 to %d octets and no "
                              "control characters",
                              COMMON_NAME_MAX);
    }
    ERR_clear_error();
    struct smtp_identity *identity = new_identity();
    if (identity == NULL) {
        return smtp_error_set(error, SMTP_NO_MEMORY, 0, "no memory for an identity");
    }
    share_root(identity, authority);
    int64_t now = (int64_t)time(NULL);
    struct request request = {.common_name = common_name,
                              .from_unix_s = now - HOUR_S,
                              .until_unix_s = now + VALID_S,
                              .key_usage = "critical,digitalSignature",
                              .extended_key_usage = "clientAuth"};
    if (!issue_flawed(identity, &request, SMTP_IDENTITY_SOUND) ||
        !smtp_identity_write_pem(identity)) {
        return not_made(identity, error);
    }
    *out = identity;
    return SMTP_OK;
}
