/* tls_trust_test.c - common/tls.c and tls_context.c: whose certificates are taken, what is said of those
 * that are not, and what is resumed. */
#include "common/identity.h"
#include "common/tls.h"
#include "tests/support/test.h"
#include "tests/support/tls_pair.h"

#include <openssl/ssl.h>
#include <stdio.h>
#include <unistd.h>

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

static void only_version(struct smtp_tls_pair *pair, int version)
{
    SSL_CTX_set_min_proto_version(pair->client_context, version);
    SSL_CTX_set_max_proto_version(pair->client_context, version);
}

/* The client's context anew. */
static void trust(struct smtp_tls_pair *pair, struct smtp_tls_trust as)
{
    smtp_tls_context_release(pair->client_context);
    pair->client_context = NULL;
    expect_int(smtp_tls_client_context(&pair->client_context, &as, NULL), SMTP_OK);
}

static void identity_for(struct smtp_tls_pair *pair, const char *const *names, size_t count)
{
    smtp_tls_pair_make(pair, SMTP_IDENTITY_SOUND);
    struct smtp_identity *identity;
    struct smtp_identity_options options = {.names = names, .name_count = count};
    expect_int(smtp_identity_new(&identity, &options, NULL), SMTP_OK);
    smtp_identity_release(pair->identity);
    smtp_tls_context_release(pair->server_context);
    pair->identity = identity;
    expect_int(smtp_tls_server_context(&pair->server_context, identity, NULL, false, NULL),
               SMTP_OK);
    trust(pair, (struct smtp_tls_trust){.ca_pem = smtp_identity_ca_pem(identity)});
}

/* A certificate that smtp_identity_new never makes: of the identity's, with these common names alone,
 * and no other name where `san_gone`. Signed by the authority itself. */
static void name_anew(struct smtp_identity *identity, const struct smtp_identity *authority,
                      const struct smtp_span *common_names, size_t count, bool san_gone)
{
    X509 *certificate = identity->certificate;
    X509_NAME *subject = X509_NAME_new();
    for (size_t i = 0; i < count; i++) {
        expect_int(X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_UTF8,
                                              (const unsigned char *)common_names[i].bytes,
                                              (int)common_names[i].len, -1, 0),
                   1);
    }
    expect_int(X509_set_subject_name(certificate, subject), 1);
    X509_NAME_free(subject);
    const int gone[] = {NID_authority_key_identifier, NID_subject_alt_name};
    for (size_t i = 0; i < 1 + (size_t)san_gone; i++) {
        int at = X509_get_ext_by_NID(certificate, gone[i], -1);
        if (at >= 0) {
            X509_EXTENSION_free(X509_delete_ext(certificate, at));
        }
    }
    expect_int(X509_set_issuer_name(certificate, X509_get_subject_name(authority->ca)), 1);
    expect_true(X509_sign(certificate, authority->ca_key, EVP_sha256()) > 0);
    identity->certificate = X509_dup(certificate); /* without what OpenSSL remembers of the old */
    X509_free(certificate);
}

/* ---- the server's certificate ---- */

static const struct {
    enum smtp_identity_flaw flaw;
    const char *said;  /* by the client */
    const char *alert; /* that the server gets */
} flaws[] = {
    {SMTP_IDENTITY_EXPIRED, "the certificate has expired: it was valid until ",
     "certificate expired"},
    {SMTP_IDENTITY_NOT_YET_VALID, "the certificate is not yet valid: it will be from ",
     "bad certificate"},
    {SMTP_IDENTITY_WRONG_NAME, "the certificate is for wrong.invalid, not for localhost",
     "bad certificate"},
    {SMTP_IDENTITY_SELF_SIGNED, "the certificate is self-signed: no trusted authority signed it",
     "unknown CA"},
    {SMTP_IDENTITY_UNKNOWN_CA,
     "the certificate's issuer \"/CN=SMTP harness other authority\" is an unknown authority",
     "unknown CA"},
    {SMTP_IDENTITY_NO_INTERMEDIATE,
     "the certificate's issuer \"/CN=SMTP harness intermediate\" is an unknown authority",
     "unknown CA"},
};
#define FLAWS (sizeof flaws / sizeof *flaws)

TEST(tls_trust, each_wrong_certificate_is_refused_with_its_reason_and_an_alert)
{
    for (size_t i = 0; i < FLAWS; i++) {
        struct smtp_tls_pair pair;
        smtp_tls_pair_make(&pair, flaws[i].flaw);
        for (size_t v = 0; v < 2; v++) {
            only_version(&pair, versions[v]);
            smtp_tls_pair_connect(&pair, "localhost", NULL);
            expect_true(!smtp_tls_pair_shake(&pair));
            expect_int(pair.client_progress, SMTP_TLS_BROKEN);
            expect_contains(smtp_tls_error(pair.client), flaws[i].said);
            expect_int(pair.server_progress, SMTP_TLS_BROKEN);
            char alert[96];
            snprintf(alert, sizeof alert, "the peer broke TLS off with the alert \"%s\"",
                     flaws[i].alert);
            expect_str(smtp_tls_error(pair.server), alert);
            expect_str(smtp_tls_facts(pair.client)->peer_subject, "");
            expect_true(smtp_tls_session(pair.client) == NULL);
        }
        smtp_tls_pair_free(&pair);
    }
}

TEST(tls_trust, a_client_that_does_not_look_takes_every_one_and_knows_no_subject)
{
    for (size_t i = 0; i < FLAWS; i++) {
        struct smtp_tls_pair pair;
        smtp_tls_pair_make(&pair, flaws[i].flaw);
        trust(&pair, (struct smtp_tls_trust){.insecure = true});
        smtp_tls_pair_connect(&pair, "localhost", NULL);
        expect_true(smtp_tls_pair_shake(&pair));
        expect_str(smtp_tls_facts(pair.client)->peer_subject, "");
        expect_str(smtp_tls_facts(pair.server)->server_name, "localhost");
        smtp_tls_pair_free(&pair);
    }
}

TEST(tls_trust, the_name_must_be_among_the_certificate_s_rfc9525)
{
    static const char *const names[] = {"mail.example.com", "*.example.net", "192.0.2.1",
                                        "2001:db8::1"};
    static const struct {
        const char *name;
        bool taken;
    } cases[] = {
        {"mail.example.com", true},    {"MAIL.example.COM", true},   {"mail.example.com.", true},
        {"example.com", false},        {"a.example.net", true},      {"a.b.example.net", false},
        {"example.net", false},        {"192.0.2.1", true},          {"192.0.2.2", false},
        {"2001:db8::1", true},         {"2001:db8:0:0::1", true},    {"2001:db8::2", false},
        {"mail.example.com.x", false}, {"xmail.example.com", false}, {".example.com", false},
    };
    struct smtp_tls_pair pair;
    identity_for(&pair, names, 4);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        smtp_tls_pair_connect(&pair, cases[i].name, NULL);
        if (smtp_tls_pair_shake(&pair) != cases[i].taken) {
            expect_str(smtp_tls_error(pair.client), cases[i].name);
        }
    }
    smtp_tls_pair_connect(&pair, "192.0.2.2", NULL);
    expect_true(!smtp_tls_pair_shake(&pair));
    expect_str(smtp_tls_error(pair.client),
               "the certificate is for mail.example.com, *.example.net, 192.0.2.1, 2001:db8::1, "
               "not for 192.0.2.2");
    smtp_tls_pair_free(&pair);
}

TEST(tls_trust, a_common_name_counts_for_nothing_where_there_is_no_other_rfc9525_s6_3)
{
    static const char *const names[] = {"localhost"};
    for (int san_gone = 0; san_gone < 2; san_gone++) {
        struct smtp_tls_pair pair;
        identity_for(&pair, names, 1);
        name_anew(pair.identity, pair.identity, &(struct smtp_span){"localhost", 9}, 1,
                  san_gone != 0);
        smtp_tls_context_release(pair.server_context);
        expect_int(smtp_tls_server_context(&pair.server_context, pair.identity, NULL, false, NULL),
                   SMTP_OK);
        smtp_tls_pair_connect(&pair, "localhost", NULL);
        expect_int(smtp_tls_pair_shake(&pair), san_gone == 0);
        if (san_gone != 0) {
            expect_contains(smtp_tls_error(pair.client), "not for localhost");
        }
        smtp_tls_pair_free(&pair);
    }
}

TEST(tls_trust, the_names_of_a_certificate_with_many_are_cut_not_the_one_that_was_expected)
{
    char texts[50][32];
    const char *names[50];
    for (int i = 0; i < 50; i++) {
        snprintf(texts[i], sizeof texts[i], "host-%d.example.com", i);
        names[i] = texts[i];
    }
    struct smtp_tls_pair pair;
    identity_for(&pair, names, 50);
    smtp_tls_pair_connect(&pair, "localhost", NULL);
    expect_true(!smtp_tls_pair_shake(&pair));
    expect_contains(smtp_tls_error(pair.client), "is for host-0.example.com, host-1.example.com, ");
    expect_contains(smtp_tls_error(pair.client), ", ..., not for localhost");
    smtp_tls_pair_free(&pair);
}

TEST(tls_trust, authorities_come_from_a_file_or_a_text_and_a_bad_one_is_named)
{
    char folder[] = "/tmp/smtp-tls-XXXXXX", path[64];
    expect_true(mkdtemp(folder) != NULL);
    snprintf(path, sizeof path, "%s/ca.pem", folder);
    struct smtp_tls_pair pair;
    smtp_tls_pair_make(&pair, SMTP_IDENTITY_SOUND);
    struct smtp_error error;
    struct smtp_tls_trust as = {.ca_file = path};
    struct ssl_ctx_st *context = NULL;
    expect_int(smtp_tls_client_context(&context, &as, &error), SMTP_BAD_ARGUMENT);
    expect_contains(error.message, path);
    expect_contains(error.message, "No such file");
    FILE *file = fopen(path, "w");
    fputs("no certificate\n", file);
    fclose(file);
    expect_int(smtp_tls_client_context(&context, &as, &error), SMTP_BAD_ARGUMENT);
    expect_contains(error.message, "expected certificates of authorities in PEM, found none");
    file = fopen(path, "w");
    fprintf(file, "%s-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            smtp_identity_ca_pem(pair.identity));
    fclose(file);
    expect_int(smtp_tls_client_context(&context, &as, &error), SMTP_BAD_ARGUMENT);
    expect_contains(error.message, "certificate 2 of the authorities is damaged");
    expect_true(context == NULL);
    file = fopen(path, "w");
    fputs("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n", file);
    fclose(file);
    expect_int(smtp_tls_client_context(&context, &as, &error), SMTP_TLS_FAILED);
    expect_contains(error.message, "certificate 1 of the authorities is empty, or cannot be read");
    file = fopen(path, "w");
    fputs(smtp_identity_ca_pem(pair.identity), file);
    fclose(file);
    trust(&pair, as);
    smtp_tls_pair_connect(&pair, "localhost", NULL);
    expect_true(smtp_tls_pair_shake(&pair));
    trust(&pair, (struct smtp_tls_trust){.ca_file = NULL}); /* the system's do not know it */
    smtp_tls_pair_connect(&pair, "localhost", NULL);
    expect_true(!smtp_tls_pair_shake(&pair));
    unlink(path);
    rmdir(folder);
    smtp_tls_pair_free(&pair);
}

/* ---- the client's certificate ---- */

/* The server's context anew, which asks for certificates of `authority`. */
static void ask(struct smtp_tls_pair *pair, const struct smtp_identity *authority, bool required)
{
    smtp_tls_context_release(pair->server_context);
    pair->server_context = NULL;
    expect_int(smtp_tls_server_context(&pair->server_context, pair->identity,
                                       smtp_identity_ca_pem(authority), required, NULL),
               SMTP_OK);
}

static void show(struct smtp_tls_pair *pair, const struct smtp_identity *authority,
                 const char *common_name)
{
    struct smtp_identity *own;
    expect_int(smtp_identity_new_client(&own, authority, common_name, NULL), SMTP_OK);
    trust(pair,
          (struct smtp_tls_trust){.ca_pem = smtp_identity_ca_pem(pair->identity), .identity = own});
    smtp_identity_release(own);
}

TEST(tls_client_certificate, its_common_name_reaches_the_server_resumed_too)
{
    struct smtp_tls_pair pair;
    smtp_tls_pair_make(&pair, SMTP_IDENTITY_SOUND);
    ask(&pair, pair.identity, true);
    show(&pair, pair.identity, "ann");
    for (size_t v = 0; v < 2; v++) {
        only_version(&pair, versions[v]);
        smtp_tls_pair_connect(&pair, "localhost", NULL);
        expect_true(smtp_tls_pair_shake(&pair));
        expect_str(smtp_tls_facts(pair.server)->peer_subject, "ann");
        char plain[8];
        size_t len;
        expect_int(smtp_tls_read(pair.client, plain, sizeof plain, &len), SMTP_TLS_WAITS);
        struct ssl_session_st *session = smtp_tls_session(pair.client);
        smtp_tls_pair_connect(&pair, "localhost", session);
        expect_true(smtp_tls_pair_shake(&pair));
        expect_true(smtp_tls_facts(pair.server)->resumed);
        expect_str(smtp_tls_facts(pair.server)->peer_subject, "ann");
        smtp_tls_session_free(session);
    }
    smtp_tls_pair_free(&pair);
}

static void expect_subject(const struct smtp_span *common_names, size_t count, const char *subject)
{
    struct smtp_tls_pair pair;
    smtp_tls_pair_make(&pair, SMTP_IDENTITY_SOUND);
    ask(&pair, pair.identity, true);
    struct smtp_identity *own;
    expect_int(smtp_identity_new_client(&own, pair.identity, "x", NULL), SMTP_OK);
    name_anew(own, pair.identity, common_names, count, false);
    trust(&pair,
          (struct smtp_tls_trust){.ca_pem = smtp_identity_ca_pem(pair.identity), .identity = own});
    smtp_tls_pair_connect(&pair, "localhost", NULL);
    expect_true(smtp_tls_pair_shake(&pair));
    expect_str(smtp_tls_facts(pair.server)->peer_subject, subject);
    smtp_identity_release(own);
    smtp_tls_pair_free(&pair);
}

TEST(tls_client_certificate, of_two_common_names_neither_is_its_name)
{
    static const struct smtp_span two[] = {{"ann", 3}, {"eve", 3}};
    expect_subject(two, 1, "ann");
    expect_subject(two, 2, "CN=eve,CN=ann");
}

TEST(tls_client_certificate, control_octets_of_its_name_are_question_marks)
{
    expect_subject(&(struct smtp_span){"ann\0\r\n\x7f\teve", 11}, 1, "ann?????eve");
}

static int count_certificates(X509_STORE_CTX *verify, void *count)
{
    *(int *)count = sk_X509_num(X509_STORE_CTX_get0_untrusted(verify));
    return 1;
}

TEST(tls_client_certificate, the_authority_that_signs_it_is_not_shown_as_the_server_s)
{
    struct smtp_tls_pair pair;
    int count = 0;
    smtp_tls_pair_make(&pair, SMTP_IDENTITY_NO_INTERMEDIATE);
    name_anew(pair.identity, pair.identity, &(struct smtp_span){"localhost", 9}, 1, false);
    ask(&pair, pair.identity, false);
    SSL_CTX_set_cert_verify_callback(pair.client_context, count_certificates, &count);
    smtp_tls_pair_connect(&pair, "localhost", NULL);
    expect_true(smtp_tls_pair_shake(&pair));
    expect_int(count, 1);
    smtp_tls_pair_free(&pair);
}

TEST(tls_client_certificate, required_and_not_shown_ends_the_handshake)
{
    struct smtp_tls_pair pair;
    smtp_tls_pair_make(&pair, SMTP_IDENTITY_SOUND);
    ask(&pair, pair.identity, true);
    for (size_t v = 0; v < 2; v++) {
        only_version(&pair, versions[v]);
        smtp_tls_pair_connect(&pair, "localhost", NULL);
        smtp_tls_pair_shake(&pair);
        expect_int(pair.server_progress, SMTP_TLS_BROKEN);
        expect_str(smtp_tls_error(pair.server),
                   "the client sent no certificate, and one is required");
        char plain[8]; /* under TLS 1.3 the client's handshake was over before the server looked */
        size_t len;
        expect_int(smtp_tls_read(pair.client, plain, sizeof plain, &len), SMTP_TLS_BROKEN);
        expect_contains(smtp_tls_error(pair.client), "the peer broke TLS off with the alert");
    }
    smtp_tls_pair_free(&pair);
}

TEST(tls_client_certificate, optional_may_be_left_out_but_not_be_another_authority_s)
{
    struct smtp_tls_pair pair;
    smtp_tls_pair_make(&pair, SMTP_IDENTITY_SOUND);
    struct smtp_identity *other;
    struct smtp_identity_options named = {.flaw = SMTP_IDENTITY_SOUND};
    expect_int(smtp_identity_new(&other, &named, NULL), SMTP_OK);
    ask(&pair, pair.identity, false);
    for (size_t v = 0; v < 2; v++) {
        only_version(&pair, versions[v]);
        smtp_tls_pair_connect(&pair, "localhost", NULL);
        expect_true(smtp_tls_pair_shake(&pair));
        expect_str(smtp_tls_facts(pair.server)->peer_subject, "");
    }
    show(&pair, other, "ann");
    for (size_t v = 0; v < 2; v++) {
        only_version(&pair, versions[v]);
        smtp_tls_pair_connect(&pair, "localhost", NULL);
        smtp_tls_pair_shake(&pair);
        expect_int(pair.server_progress, SMTP_TLS_BROKEN);
        expect_contains(smtp_tls_error(pair.server), "the certificate");
        expect_str(smtp_tls_facts(pair.server)->peer_subject, "");
        char plain[8];
        size_t len;
        expect_int(smtp_tls_read(pair.client, plain, sizeof plain, &len), SMTP_TLS_BROKEN);
    }
    smtp_identity_release(other);
    smtp_tls_pair_free(&pair);
}

TEST(tls_client_certificate, a_server_s_certificate_is_none)
{
    struct smtp_tls_pair pair;
    smtp_tls_pair_make(&pair, SMTP_IDENTITY_SOUND);
    ask(&pair, pair.identity, true);
    trust(&pair, (struct smtp_tls_trust){.ca_pem = smtp_identity_ca_pem(pair.identity),
                                         .identity = pair.identity});
    smtp_tls_pair_connect(&pair, "localhost", NULL);
    smtp_tls_pair_shake(&pair);
    expect_int(pair.server_progress, SMTP_TLS_BROKEN);
    expect_contains(smtp_tls_error(pair.server), "purpose");
    smtp_tls_pair_free(&pair);
}

TEST(tls_client_certificate, required_needs_an_authority)
{
    struct smtp_tls_pair pair;
    smtp_tls_pair_make(&pair, SMTP_IDENTITY_SOUND);
    struct ssl_ctx_st *context = NULL;
    struct smtp_error error;
    expect_int(smtp_tls_server_context(&context, pair.identity, NULL, true, &error),
               SMTP_BAD_ARGUMENT);
    expect_int(smtp_tls_server_context(&context, pair.identity, "", false, &error),
               SMTP_BAD_ARGUMENT);
    expect_contains(error.message, "found none");
    expect_true(context == NULL);
    smtp_tls_pair_free(&pair);
}

/* ---- resumption ---- */

/* A connection that is made, read to its end and freed, as it leaves its session. */
static struct ssl_session_st *session_of(struct smtp_tls_pair *pair, const char *name)
{
    smtp_tls_pair_connect(pair, name, NULL);
    expect_true(smtp_tls_pair_shake(pair));
    char plain[8];
    size_t len;
    expect_int(smtp_tls_read(pair->client, plain, sizeof plain, &len), SMTP_TLS_WAITS);
    struct ssl_session_st *session = smtp_tls_session(pair->client);
    expect_true(session != NULL);
    return session;
}

static void expect_resumed(struct smtp_tls_pair *pair, struct ssl_session_st *session, bool resumed)
{
    smtp_tls_pair_connect(pair, "localhost", session); /* frees the earlier ends, never shut down */
    expect_true(smtp_tls_pair_shake(pair));
    expect_int(smtp_tls_facts(pair->client)->resumed, resumed);
    expect_int(smtp_tls_facts(pair->server)->resumed, resumed);
    expect_str(smtp_tls_facts(pair->client)->peer_subject, "localhost");
    expect_str(smtp_tls_facts(pair->server)->server_name, "localhost");
}

TEST(tls_resumption, an_earlier_session_is_taken_up_again_more_than_once)
{
    struct smtp_tls_pair pair;
    smtp_tls_pair_make(&pair, SMTP_IDENTITY_SOUND);
    for (size_t v = 0; v < 2; v++) {
        only_version(&pair, versions[v]);
        struct ssl_session_st *session = session_of(&pair, "localhost");
        expect_resumed(&pair, session, true);
        expect_resumed(&pair, session, true);
        expect_resumed(&pair, NULL, false);
        smtp_tls_session_free(session);
    }
    smtp_tls_pair_free(&pair);
}

TEST(tls_resumption, works_for_a_client_without_tickets_rfc5246)
{
    struct smtp_tls_pair pair;
    smtp_tls_pair_make(&pair, SMTP_IDENTITY_SOUND);
    only_version(&pair, TLS1_2_VERSION);
    SSL_CTX_set_options(pair.client_context, SSL_OP_NO_TICKET);
    struct ssl_session_st *session = session_of(&pair, "localhost");
    expect_resumed(&pair, session, true);
    smtp_tls_session_free(session);
    smtp_tls_pair_free(&pair);
}

TEST(tls_resumption, there_is_no_session_before_the_server_gave_one)
{
    struct smtp_tls_pair pair;
    smtp_tls_pair_make(&pair, SMTP_IDENTITY_SOUND);
    smtp_tls_pair_connect(&pair, "localhost", NULL);
    expect_true(smtp_tls_session(pair.client) == NULL);
    expect_true(smtp_tls_pair_shake(&pair));
    expect_true(smtp_tls_session(pair.client) == NULL); /* TLS 1.3: behind the handshake */
    smtp_tls_pair_free(&pair);
}

TEST(tls_resumption, a_new_context_knows_no_session_of_the_old_and_makes_a_whole_handshake)
{
    struct smtp_tls_pair pair;
    smtp_tls_pair_make(&pair, SMTP_IDENTITY_SOUND);
    for (size_t v = 0; v < 2; v++) {
        only_version(&pair, versions[v]);
        struct ssl_session_st *session = session_of(&pair, "localhost");
        smtp_tls_context_release(pair.server_context);
        expect_int(smtp_tls_server_context(&pair.server_context, pair.identity, NULL, false, NULL),
                   SMTP_OK);
        expect_resumed(&pair, session, false);
        smtp_tls_session_free(session);
    }
    smtp_tls_pair_free(&pair);
}

/* Else a session would be a way around the look at the certificate. */
TEST(tls_resumption, a_session_that_was_not_verified_or_for_another_name_is_not_trusted)
{
    for (size_t v = 0; v < 2; v++) {
        struct smtp_tls_pair pair;
        smtp_tls_pair_make(&pair, SMTP_IDENTITY_EXPIRED);
        struct smtp_tls_trust as = {.ca_pem = smtp_identity_ca_pem(pair.identity)};
        trust(&pair, (struct smtp_tls_trust){.insecure = true});
        only_version(&pair, versions[v]);
        struct ssl_session_st *session = session_of(&pair, "localhost");
        trust(&pair, as);
        only_version(&pair, versions[v]);
        smtp_tls_pair_connect(&pair, "localhost", session);
        expect_true(!smtp_tls_pair_shake(&pair));
        expect_contains(smtp_tls_error(pair.client), "made without verifying the certificate");
        smtp_tls_session_free(session);
        smtp_tls_pair_free(&pair);

        smtp_tls_pair_make(&pair, SMTP_IDENTITY_SOUND);
        only_version(&pair, versions[v]);
        session = session_of(&pair, "127.0.0.1");
        smtp_tls_pair_connect(&pair, "192.0.2.1", session);
        expect_true(!smtp_tls_pair_shake(&pair));
        expect_contains(smtp_tls_error(pair.client), "not for 192.0.2.1");
        smtp_tls_session_free(session);
        smtp_tls_pair_free(&pair);
    }
}
