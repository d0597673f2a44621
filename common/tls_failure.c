/* tls_failure.c - see tls_failure.h. */
#include "common/tls_failure.h"

#include "common/error.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdarg.h>
#include <stdio.h>

#define NAMES_TEXT_SIZE 160 /* of a certificate's names; more of them is "..." */
#define NAME_TEXT_SIZE 256  /* of one name */

/* The entry to tell: the earliest of the SSL layer's, as those of the layers below say less; else the
 * earliest. Empties the queue. */
static unsigned long take_failure(void)
{
    unsigned long code = ERR_get_error(), next = code;
    while (next != 0 && ERR_GET_LIB(next) != ERR_LIB_SSL) {
        next = ERR_get_error();
    }
    ERR_clear_error();
    return next != 0 ? next : code;
}

static const char *reason_text(unsigned long code)
{
    const char *reason = ERR_reason_error_string(code);
    return reason != NULL ? reason
           : code != 0    ? "an unnamed error of OpenSSL"
                          : "OpenSSL does not say why";
}

const char *smtp_tls_queue_reason(void)
{
    return reason_text(take_failure());
}

/* The earliest entry tells, as what comes of it stands behind it. */
static bool ran_out_of_memory(void)
{
    unsigned long first = ERR_peek_error();
    return ERR_GET_REASON(first) == (ERR_SYSTEM_ERROR(first) ? ENOMEM : ERR_R_MALLOC_FAILURE);
}

/* Without an entry nobody knows: not each malloc that fails makes one, nor does PEM with nothing in it. A BIO that has no
 * memory says that it could not begin, and a decoder that something is wrong inside. */
bool smtp_tls_input_is_bad(void)
{
    unsigned long first = ERR_peek_error();
    int reason = ERR_GET_REASON(first);
    return first != 0 && !ran_out_of_memory() &&
           (ERR_SYSTEM_ERROR(first) ||
            (reason != ERR_R_INIT_FAIL && reason != ERR_R_INTERNAL_ERROR));
}

enum smtp_status smtp_tls_failed(struct smtp_error *error, const char *format, ...)
{
    char what[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    enum smtp_status status = ran_out_of_memory() ? SMTP_NO_MEMORY : SMTP_TLS_FAILED;
    return smtp_error_set(error, status, 0, "%s: %s", what, smtp_tls_queue_reason());
}

enum smtp_status smtp_tls_open_file(BIO **out, const char *file, const char *what,
                                    struct smtp_error *error)
{
    ERR_clear_error();
    errno = 0;
    *out = BIO_new_file(file, "r");
    int sys_errno = errno;
    if (*out != NULL) {
        return SMTP_OK;
    }
    if (!smtp_tls_input_is_bad()) {
        return smtp_tls_failed(error, "%s: the %s cannot be read", file, what);
    }
    ERR_clear_error();
    return smtp_error_set(error, SMTP_BAD_ARGUMENT, sys_errno, "%s: the %s cannot be read (%s)",
                          file, what, smtp_errno_text(sys_errno));
}

void smtp_tls_copy_visible(char *to, size_t size, struct smtp_span from)
{
    size_t len = from.len < size - 1 ? from.len : size - 1;
    for (size_t i = 0; i < len; i++) {
        to[i] = from.bytes[i];
        if (smtp_is_control((unsigned char)to[i]) || (unsigned char)to[i] > 127) {
            to[i] = '?';
        }
    }
    to[len] = '\0';
}

static struct smtp_span span_of_string(const ASN1_STRING *string)
{
    return (struct smtp_span){(const char *)ASN1_STRING_get0_data(string),
                              (size_t)ASN1_STRING_length(string)};
}

/* One name as text; "" for a kind that no host is verified by. */
static void name_text(const GENERAL_NAME *name, char *text, size_t size)
{
    text[0] = '\0';
    if (name->type == GEN_DNS) {
        smtp_tls_copy_visible(text, size, span_of_string(name->d.dNSName));
    } else if (name->type == GEN_IPADD) {
        struct smtp_span address = span_of_string(name->d.iPAddress);
        if (address.len == 4 || address.len == 16) {
            int family = address.len == 4 ? AF_INET : AF_INET6;
            inet_ntop(family, address.bytes, text, (socklen_t)size);
        }
    }
}

/* "a.example, 127.0.0.1"; "" where the certificate names no host. */
static void names_text(const X509 *certificate, char *text, size_t size)
{
    text[0] = '\0';
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    size_t used = 0;
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        char one[NAME_TEXT_SIZE];
        name_text(sk_GENERAL_NAME_value(names, i), one, sizeof one);
        size_t more = strlen(one) + (used > 0 ? 2 : 0);
        if (one[0] == '\0') {
            continue;
        }
        if (used + more + sizeof ", ..." > size) {
            snprintf(text + used, size - used, "%s", used > 0 ? ", ..." : "...");
            break;
        }
        snprintf(text + used, size - used, "%s%s", used > 0 ? ", " : "", one);
        used += more;
    }
    GENERAL_NAMES_free(names);
}

static void explain_name(const X509 *certificate, const char *name, char *text, size_t size)
{
    char names[NAMES_TEXT_SIZE];
    names_text(certificate, names, sizeof names);
    if (names[0] != '\0') {
        snprintf(text, size, "the certificate is for %s, not for %s", names, name);
    } else {
        snprintf(text, size,
                 "the certificate is not for %s: it has no subject alternative name (a common name "
                 "does not count)",
                 name);
    }
}

/* Which of the chain it is: the peer's own is at 0. */
static void explain_time(const STACK_OF(X509) * chain, bool expired, char *text, size_t size)
{
    const X509 *certificate = NULL;
    const ASN1_TIME *time = NULL;
    int at = -1;
    do {
        at++;
        certificate = sk_X509_value(chain, at);
        time = expired ? X509_get0_notAfter(certificate) : X509_get0_notBefore(certificate);
    } while (at + 1 < sk_X509_num(chain) && (X509_cmp_current_time(time) < 0) != expired);
    char when[32] = "?";
    BIO *words = BIO_new(BIO_s_mem());
    if (words != NULL && ASN1_TIME_print(words, time) == 1) {
        int len = BIO_read(words, when, sizeof when - 1);
        when[len > 0 ? len : 0] = '\0';
    }
    BIO_free(words);
    const char *whose = at > 0 ? " of an authority in its chain" : "";
    if (expired) {
        snprintf(text, size, "the certificate%s has expired: it was valid until %s", whose, when);
    } else {
        snprintf(text, size, "the certificate%s is not yet valid: it will be from %s", whose, when);
    }
}

static void explain_issuer(const STACK_OF(X509) * chain, char *text, size_t size)
{
    const X509 *last = sk_X509_value(chain, sk_X509_num(chain) - 1);
    char issuer[NAME_TEXT_SIZE] = "";
    X509_NAME_oneline(X509_get_issuer_name(last), issuer, sizeof issuer);
    char shown[100];
    smtp_tls_copy_visible(shown, sizeof shown, smtp_span_of(issuer));
    snprintf(text, size,
             "the certificate's issuer \"%s\" is an unknown authority; trust it, or have an "
             "intermediate's certificate sent along",
             shown);
}

void smtp_tls_explain_certificate(long code, const STACK_OF(X509) * chain, const char *name,
                                  char *text, size_t size)
{
    bool have_chain = sk_X509_num(chain) > 0;
    if (have_chain && name != NULL &&
        (code == X509_V_ERR_HOSTNAME_MISMATCH || code == X509_V_ERR_IP_ADDRESS_MISMATCH)) {
        explain_name(sk_X509_value(chain, 0), name, text, size);
    } else if (have_chain &&
               (code == X509_V_ERR_CERT_HAS_EXPIRED || code == X509_V_ERR_CERT_NOT_YET_VALID)) {
        explain_time(chain, code == X509_V_ERR_CERT_HAS_EXPIRED, text, size);
    } else if (code == X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT) {
        snprintf(text, size, "the certificate is self-signed: no trusted authority signed it");
    } else if (have_chain && (code == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY ||
                              code == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT ||
                              code == X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE ||
                              code == X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN)) {
        explain_issuer(chain, text, size);
    } else {
        snprintf(text, size, "the certificate is not accepted: %s",
                 X509_verify_cert_error_string(code));
    }
}

/* A record of TLS begins with its type; a peer that speaks first and no TLS, or none at all, begins
 * otherwise. */
static bool looks_like_tls(struct smtp_span first)
{
    return first.len == 0 || (first.bytes[0] >= SSL3_RT_CHANGE_CIPHER_SPEC &&
                              first.bytes[0] <= SSL3_RT_APPLICATION_DATA);
}

void smtp_tls_explain(const SSL *ssl, const char *name, struct smtp_span first, char *text,
                      size_t size)
{
    unsigned long code = take_failure();
    int reason = ERR_GET_LIB(code) == ERR_LIB_SSL ? ERR_GET_REASON(code) : 0;
    char shown[41];
    smtp_tls_copy_visible(shown, sizeof shown, first);
    if (!looks_like_tls(first)) {
        snprintf(text, size, "expected TLS, came \"%s\": the peer does not speak TLS here", shown);
    } else if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED) {
        smtp_tls_explain_certificate(SSL_get_verify_result(ssl), SSL_get0_verified_chain(ssl), name,
                                     text, size);
    } else if (reason > SSL_AD_REASON_OFFSET) {
        int alert = reason - SSL_AD_REASON_OFFSET;
        snprintf(text, size, "the peer broke TLS off with the alert \"%s\"",
                 alert == TLS13_AD_CERTIFICATE_REQUIRED /* OpenSSL has no word for it */
                     ? "certificate required"
                     : SSL_alert_desc_string_long(alert));
    } else if (reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE) {
        snprintf(text, size, "the client sent no certificate, and one is required");
    } else {
        snprintf(text, size, "TLS failed: %s", reason_text(code));
    }
}
