/* identity_test.c - common/identity.c and identity_file.c: what stands in the certificates that are made,
 * and what is said of files that do not fit. */
#include "common/smtp_tls.h"
#include "tests/support/test.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static struct smtp_identity *made(struct smtp_identity_options options)
{
    struct smtp_identity *identity = NULL;
    struct smtp_error error = {.message = ""};
    enum smtp_status status = smtp_identity_new(&identity, &options, &error);
    expect_str(error.message, "");
    expect_int(status, SMTP_OK);
    return identity;
}

static X509 *parsed(const char *pem)
{
    BIO *source = BIO_new_mem_buf(pem, -1);
    X509 *certificate = PEM_read_bio_X509(source, NULL, NULL, NULL);
    BIO_free(source);
    expect_true(certificate != NULL);
    return certificate;
}

static void expect_common_name(const X509 *certificate, const char *expected)
{
    char text[256] = "";
    X509_NAME_oneline(X509_get_subject_name(certificate), text, sizeof text);
    expect_str(text, expected);
}

static int64_t unix_s(const ASN1_TIME *time_of)
{
    struct tm parts;
    expect_int(ASN1_TIME_to_tm(time_of, &parts), 1);
    return (int64_t)timegm(&parts);
}

TEST(identity, by_default_is_for_this_host_s_names_and_addresses_for_a_month)
{
    struct smtp_identity *identity = NULL;
    expect_int(smtp_identity_new(&identity, NULL, NULL), SMTP_OK);
    X509 *own = parsed(smtp_identity_certificate_pem(identity));
    X509 *ca = parsed(smtp_identity_ca_pem(identity));
    expect_common_name(own, "/CN=localhost");
    expect_int(X509_check_host(own, "localhost", 0, 0, NULL), 1);
    expect_int(X509_check_host(own, "harness.test", 0, 0, NULL), 1);
    expect_int(X509_check_ip_asc(own, "127.0.0.1", 0), 1);
    expect_int(X509_check_ip_asc(own, "::1", 0), 1);
    expect_int(X509_check_ip_asc(own, "127.0.0.2", 0), 0);
    int64_t now = (int64_t)time(NULL);
    int64_t from = unix_s(X509_get0_notBefore(own)), until = unix_s(X509_get0_notAfter(own));
    expect_true(from <= now - 3600 && from > now - 3700);
    expect_true(until <= now + 30 * 86400 && until > now + 30 * 86400 - 100);
    expect_int(X509_verify(own, X509_get0_pubkey(ca)), 1);
    X509_free(own);
    X509_free(ca);
    smtp_identity_release(identity);
}

TEST(identity, has_the_extensions_that_verifiers_ask_for_rfc5280_s4_2)
{
    struct smtp_identity *identity = made((struct smtp_identity_options){.names = NULL});
    struct smtp_identity *client;
    expect_int(smtp_identity_new_client(&client, identity, "ann", NULL), SMTP_OK);
    X509 *own = parsed(smtp_identity_certificate_pem(identity));
    X509 *ca = parsed(smtp_identity_ca_pem(identity));
    X509 *anns = parsed(smtp_identity_certificate_pem(client));
    expect_int(X509_check_ca(ca), 1);
    expect_int(X509_check_ca(own), 0);
    expect_int(X509_get_key_usage(ca), KU_KEY_CERT_SIGN | KU_CRL_SIGN);
    expect_int(X509_get_key_usage(own), KU_DIGITAL_SIGNATURE);
    expect_int(X509_get_extended_key_usage(own), XKU_SSL_SERVER);
    expect_int(X509_get_extended_key_usage(anns), XKU_SSL_CLIENT);
    expect_common_name(anns, "/CN=ann");
    expect_int(X509_verify(anns, X509_get0_pubkey(ca)), 1);
    expect_str(smtp_identity_ca_pem(client), smtp_identity_ca_pem(identity));
    expect_int(ASN1_OCTET_STRING_cmp(X509_get0_authority_key_id(own), X509_get0_subject_key_id(ca)),
               0);
    expect_true(
        ASN1_OCTET_STRING_cmp(X509_get0_subject_key_id(own), X509_get0_subject_key_id(ca)) != 0);
    expect_int(X509_get_version(own), X509_VERSION_3);
    expect_int(ASN1_STRING_length(X509_get0_serialNumber(own)), 16);
    expect_true(ASN1_INTEGER_cmp(X509_get0_serialNumber(own), X509_get0_serialNumber(anns)) != 0);
    X509_free(own);
    X509_free(ca);
    X509_free(anns);
    smtp_identity_release(client);
    smtp_identity_release(identity);
}

TEST(identity, is_for_the_names_and_the_time_asked_for)
{
    static const char *const names[] = {"*.example.com", "192.0.2.7", "2001:db8::7"};
    struct smtp_identity *identity =
        made((struct smtp_identity_options){.names = names,
                                            .name_count = 3,
                                            .valid_from_unix_s = 1000000000,
                                            .valid_until_unix_s = 4000000000});
    X509 *own = parsed(smtp_identity_certificate_pem(identity));
    expect_common_name(own, "/CN=*.example.com");
    expect_int(X509_check_host(own, "a.example.com", 0, 0, NULL), 1);
    expect_int(X509_check_host(own, "localhost", 0, 0, NULL), 0);
    expect_int(X509_check_ip_asc(own, "192.0.2.7", 0), 1);
    expect_int(X509_check_ip_asc(own, "2001:db8::7", 0), 1);
    expect_int(unix_s(X509_get0_notBefore(own)), 1000000000);
    expect_int(unix_s(X509_get0_notAfter(own)), 4000000000);
    X509_free(own);
    smtp_identity_release(identity);
}

/* A common name has at most 64 octets; without a subject the names are critical (RFC 5280 4.2.1.6). */
TEST(identity, a_first_name_too_long_for_a_common_name_stands_among_the_names_alone)
{
    static const char *const names[] = {
        "a-label-of-thirty-nine-octets-in-all-1.a-label-of-thirty-nine-octets-in-all-2.example"};
    struct smtp_identity *identity =
        made((struct smtp_identity_options){.names = names, .name_count = 1});
    X509 *own = parsed(smtp_identity_certificate_pem(identity));
    expect_common_name(own, "");
    expect_int(X509_check_host(own, names[0], 0, 0, NULL), 1);
    int critical = 0;
    GENERAL_NAMES_free(X509_get_ext_d2i(own, NID_subject_alt_name, &critical, NULL));
    expect_int(critical, 1);
    X509_free(own);
    smtp_identity_release(identity);
}

TEST(identity, what_is_no_name_is_refused)
{
    static const char *const bad[] = {
        "",
        ".",
        "a..b",
        "a.b.",
        "*",
        "*.",
        "a.*.b",
        "a b",
        "a\nb",
        "a/b",
        "m\xC3\xBCller.example",
        "127.0.0.1/8",
        "[::1]",
        "::1%lo",
        "ann@example.com",
        "a,b",
        "DNS:a",
        "a-label-of-sixty-four-octets-which-is-one-more-than-may-stand-in-n.example",
    };
    struct smtp_identity *identity = NULL;
    struct smtp_error error;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const char *names[] = {"localhost", bad[i]};
        struct smtp_identity_options options = {.names = names, .name_count = 2};
        if (smtp_identity_new(&identity, &options, &error) != SMTP_BAD_ARGUMENT) {
            expect_str("refused", bad[i]);
        }
        expect_contains(error.message, "is no name for a certificate");
    }
    const char *const none[] = {NULL};
    struct smtp_identity_options options = {.names = none, .name_count = 0};
    expect_int(smtp_identity_new(&identity, &options, &error), SMTP_BAD_ARGUMENT);
    options.name_count = 1;
    expect_int(smtp_identity_new(&identity, &options, &error), SMTP_BAD_ARGUMENT);
    expect_true(identity == NULL);
}

TEST(identity, a_validity_that_ends_before_it_begins_or_cannot_be_told_is_refused)
{
    static const struct {
        int64_t from, until;
    } bad[] = {{2000000000, 1000000000}, {2000000000, 2000000000}, {0, 1},        {4000000000, 0},
               {0, 300000000000},        {0, INT64_MAX},           {INT64_MIN, 0}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct smtp_identity *identity = NULL;
        struct smtp_identity_options options = {.valid_from_unix_s = bad[i].from,
                                                .valid_until_unix_s = bad[i].until};
        struct smtp_error error;
        expect_int(smtp_identity_new(&identity, &options, &error), SMTP_BAD_ARGUMENT);
        expect_contains(error.message, "validity");
        expect_int(ERR_peek_error(), 0);
    }
}

TEST(identity, a_client_s_common_name_is_bounded_and_visible)
{
    struct smtp_identity *identity = made((struct smtp_identity_options){.names = NULL});
    struct smtp_identity *client = NULL;
    struct smtp_error error;
    char longest[66];
    memset(longest, 'a', sizeof longest);
    longest[64] = '\0';
    expect_int(smtp_identity_new_client(&client, identity, "", &error), SMTP_BAD_ARGUMENT);
    expect_int(smtp_identity_new_client(&client, identity, "a\nb", &error), SMTP_BAD_ARGUMENT);
    expect_int(smtp_identity_new_client(&client, identity, "\xFF\xFE", &error), SMTP_TLS_FAILED);
    expect_int(ERR_peek_error(), 0);
    expect_int(smtp_identity_new_client(&client, identity, longest, &error), SMTP_OK);
    smtp_identity_release(client);
    expect_int(smtp_identity_new_client(&client, identity, "J\xC3\xBCrgen", &error), SMTP_OK);
    smtp_identity_release(client);
    longest[64] = 'a', longest[65] = '\0';
    expect_int(smtp_identity_new_client(&client, identity, longest, &error), SMTP_BAD_ARGUMENT);
    smtp_identity_release(identity);
    smtp_identity_release(NULL);
}

static void *use_and_release(void *of)
{
    struct smtp_identity *identity = of;
    for (int i = 0; i < 1000; i++) {
        expect_contains(smtp_identity_ca_pem(smtp_identity_retain(identity)), "BEGIN CERTIFICATE");
        smtp_identity_release(identity);
    }
    struct smtp_identity *client;
    expect_int(smtp_identity_new_client(&client, identity, "ann", NULL), SMTP_OK);
    smtp_identity_release(client);
    smtp_identity_release(identity);
    return NULL;
}

TEST(identity, is_shared_by_threads_and_goes_with_the_last)
{
    struct smtp_identity *identity = made((struct smtp_identity_options){.names = NULL});
    pthread_t threads[4];
    for (size_t i = 0; i < 4; i++) {
        expect_int(
            pthread_create(&threads[i], NULL, use_and_release, smtp_identity_retain(identity)), 0);
    }
    smtp_identity_release(identity);
    for (size_t i = 0; i < 4; i++) {
        expect_int(pthread_join(threads[i], NULL), 0);
    }
}

/* ---- files ---- */

static void write_file(const char *path, const char *a, const char *b)
{
    FILE *file = fopen(path, "w");
    expect_true(file != NULL && fputs(a, file) >= 0 && fputs(b, file) >= 0 && fclose(file) == 0);
}

struct files {
    char folder[32], certificate[64], key[64];
    struct smtp_identity *identity;
};

static void make_files(struct files *files)
{
    snprintf(files->folder, sizeof files->folder, "/tmp/smtp-tls-XXXXXX");
    expect_true(mkdtemp(files->folder) != NULL);
    snprintf(files->certificate, sizeof files->certificate, "%s/certificate.pem", files->folder);
    snprintf(files->key, sizeof files->key, "%s/key.pem", files->folder);
    files->identity = made((struct smtp_identity_options){.names = NULL});
    write_file(files->certificate, smtp_identity_certificate_pem(files->identity), "");
    write_file(files->key, smtp_identity_key_pem(files->identity), "");
}

static void remove_files(struct files *files)
{
    unlink(files->certificate);
    unlink(files->key);
    rmdir(files->folder);
    smtp_identity_release(files->identity);
}

TEST(identity_file, certificate_chain_and_key_come_back_as_they_were_written)
{
    struct files files;
    make_files(&files);
    struct smtp_identity *loaded = NULL;
    const char *ca_pem = smtp_identity_ca_pem(files.identity);
    write_file(files.certificate, smtp_identity_certificate_pem(files.identity), ca_pem);
    expect_int(smtp_identity_load(&loaded, files.certificate, files.key, NULL), SMTP_OK);
    expect_str(smtp_identity_key_pem(loaded), smtp_identity_key_pem(files.identity));
    expect_contains(smtp_identity_certificate_pem(loaded),
                    smtp_identity_certificate_pem(files.identity));
    expect_contains(smtp_identity_certificate_pem(loaded), ca_pem);
    expect_str(smtp_identity_ca_pem(loaded), "");
    struct smtp_identity *client = NULL;
    struct smtp_error error;
    expect_int(smtp_identity_new_client(&client, loaded, "ann", &error), SMTP_BAD_ARGUMENT);
    expect_contains(error.message, "loaded from files");
    smtp_identity_release(loaded);
    remove_files(&files);
}

TEST(identity_file, the_key_may_stand_in_the_certificate_s_file_before_or_behind_it)
{
    struct files files;
    make_files(&files);
    const char *certificate = smtp_identity_certificate_pem(files.identity);
    const char *key = smtp_identity_key_pem(files.identity);
    for (int order = 0; order < 2; order++) {
        struct smtp_identity *loaded = NULL;
        write_file(files.certificate, order ? key : certificate, order ? certificate : key);
        expect_int(smtp_identity_load(&loaded, files.certificate, NULL, NULL), SMTP_OK);
        expect_str(smtp_identity_key_pem(loaded), key);
        smtp_identity_release(loaded);
    }
    remove_files(&files);
}

static void expect_refused(const char *certificate, const char *key, const char *file,
                           const char *said)
{
    struct smtp_identity *loaded = NULL;
    struct smtp_error error;
    expect_int(smtp_identity_load(&loaded, certificate, key, &error), SMTP_BAD_ARGUMENT);
    expect_contains(error.message, file);
    expect_contains(error.message, said);
    expect_int(ERR_peek_error(), 0);
    expect_true(loaded == NULL);
}

TEST(identity_file, what_is_wrong_with_a_file_is_said_with_its_name)
{
    struct files files;
    make_files(&files);
    expect_refused("/nowhere/a.pem", NULL, "/nowhere/a.pem", "No such file");
    expect_refused(files.certificate, "/nowhere/b.pem", "/nowhere/b.pem", "No such file");
    expect_refused(files.folder, NULL, files.folder, "");
    expect_refused(files.key, files.key, files.key, "-----BEGIN CERTIFICATE-----");
    expect_refused(files.certificate, files.certificate, files.certificate,
                   "expected a private key");
    write_file(files.key, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "");
    expect_refused(files.certificate, files.key, files.key, "expected a private key");
    write_file(files.key, "", "");
    expect_refused(files.certificate, files.key, files.key, "expected a private key");
    static const char damaged[] = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    write_file(files.certificate, damaged, "");
    expect_refused(files.certificate, files.key, files.certificate, "certificate 1 is damaged");
    write_file(files.certificate, smtp_identity_certificate_pem(files.identity), damaged);
    expect_refused(files.certificate, files.key, files.certificate, "certificate 2 is damaged");
    remove_files(&files);
}

/* Of which OpenSSL says as much as where it had no memory: nothing. */
TEST(identity, a_certificate_with_nothing_in_it_is_refused)
{
    struct smtp_identity *identity = NULL;
    struct smtp_error error;
    struct files files;
    make_files(&files);
    write_file(files.certificate, "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n", "");
    expect_int(smtp_identity_load(&identity, files.certificate, files.key, &error),
               SMTP_TLS_FAILED);
    expect_contains(error.message, "certificate 1 is empty, or cannot be read");
    expect_true(identity == NULL);
    remove_files(&files);
}

TEST(identity_file, a_key_of_another_certificate_is_refused)
{
    struct files files;
    make_files(&files);
    struct smtp_identity *other = made((struct smtp_identity_options){.names = NULL});
    write_file(files.key, smtp_identity_key_pem(other), "");
    expect_refused(files.certificate, files.key, files.key,
                   "does not belong to the certificate in");
    write_file(files.key, smtp_identity_key_pem(files.identity), "");
    write_file(files.certificate, smtp_identity_ca_pem(files.identity),
               smtp_identity_certificate_pem(files.identity)); /* the chain first */
    expect_refused(files.certificate, files.key, files.certificate, "must be the first");
    smtp_identity_release(other);
    remove_files(&files);
}

TEST(identity_file, an_encrypted_key_is_refused_and_nobody_is_asked_at_the_terminal)
{
    struct files files;
    make_files(&files);
    EVP_PKEY *key = EVP_EC_gen("P-256");
    FILE *file = fopen(files.key, "w");
    expect_int(PEM_write_PKCS8PrivateKey(file, key, EVP_aes_128_cbc(), "tanstaaf", 8, NULL, NULL),
               1);
    fclose(file);
    EVP_PKEY_free(key);
    expect_refused(files.certificate, files.key, files.key, "without a passphrase");
    remove_files(&files);
}
