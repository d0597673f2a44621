/* tls.c - see tls.h. OpenSSL reads and writes through a BIO over two buffers: what came from the wire,
 * and what is for it. Each call begins and ends with the thread's error queue empty. */
#include "common/tls.h"

#include "common/tls_failure.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#define UNDECRYPTED_MAX ((size_t)1 << 20)
#define PENDING_MAX (SIZE_MAX / 4) /* the caller bounds what it writes before it sends */
#define STORAGE_KEPT 2048          /* of an empty buffer: an idle session stays small */
/* A connection's first octets, as many as may be on their way before anything was acknowledged (RFC 6928 2), go in records
 * that fit a segment each, so that the peer can decrypt what has come; then bulk does not pay for that. */
#define SMALL_OCTETS 14600
#define SMALL_RECORD_OCTETS 1400
#define RECORD_OCTETS 16384 /* RFC 8446 5.1 */
#define RECORD_OVERHEAD 64  /* more than any cipher adds */
#define FIRST_OCTETS 40     /* enough of a plain peer's first line to know it by */
#define SERVER_NAME_SIZE 256
#define SUBJECT_SIZE 256
/* A certificate names a host in its subject alternative names alone, and a wildcard stands for a whole
 * label (RFC 9525 6.3). */
#define HOST_FLAGS (X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT)

struct smtp_tls {
    SSL *ssl;
    BIO_METHOD *method;
    struct smtp_buffer in, out;
    char *name; /* that the peer's certificate must be for; NULL: none */
    bool established;
    bool broken;
    size_t small_left; /* octets that still go in small records */
    size_t first_len;
    char first[FIRST_OCTETS]; /* that came */
    struct smtp_tls_facts facts;
    char server_name[SERVER_NAME_SIZE];
    char peer_subject[SUBJECT_SIZE];
    char error[SMTP_ERROR_MESSAGE_SIZE];
};

/* ---- the BIO ---- */

static int wire_read(BIO *bio, char *bytes, size_t capacity, size_t *len)
{
    struct smtp_tls *tls = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    *len = capacity < tls->in.len ? capacity : tls->in.len;
    if (*len == 0) {
        BIO_set_retry_read(bio);
        return 0;
    }
    memcpy(bytes, smtp_buffer_span(&tls->in).bytes, *len);
    smtp_buffer_take(&tls->in, *len);
    if (tls->in.len == 0) {
        smtp_buffer_clear(&tls->in, STORAGE_KEPT);
    }
    return 1;
}

static int wire_write(BIO *bio, const char *bytes, size_t len, size_t *written)
{
    struct smtp_tls *tls = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    *written = smtp_buffer_append(&tls->out, bytes, len) == SMTP_OK ? len : 0;
    return *written == len;
}

static long wire_control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio, (void)number, (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

/* The method is the connection's own, as nothing here is global. */
static bool attach_wire(struct smtp_tls *tls)
{
    tls->method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "wire");
    if (tls->method == NULL || BIO_meth_set_read_ex(tls->method, wire_read) != 1 ||
        BIO_meth_set_write_ex(tls->method, wire_write) != 1 ||
        BIO_meth_set_ctrl(tls->method, wire_control) != 1) {
        return false;
    }
    BIO *bio = BIO_new(tls->method);
    if (bio == NULL) {
        return false;
    }
    BIO_set_data(bio, tls);
    BIO_set_init(bio, 1);
    SSL_set_bio(tls->ssl, bio, bio);
    return true;
}

/* ---- making one ---- */

static struct smtp_tls *new_connection(SSL_CTX *context)
{
    ERR_clear_error();
    struct smtp_tls *tls = calloc(1, sizeof *tls);
    if (tls == NULL) {
        return NULL;
    }
    tls->in = SMTP_BUFFER(UNDECRYPTED_MAX);
    tls->out = SMTP_BUFFER(PENDING_MAX);
    tls->facts = (struct smtp_tls_facts){.version = "",
                                         .cipher = "",
                                         .server_name = tls->server_name,
                                         .peer_subject = tls->peer_subject};
    tls->ssl = SSL_new(context);
    if (tls->ssl == NULL || !attach_wire(tls)) {
        smtp_tls_free(tls);
        return NULL;
    }
    SSL_set_options(tls->ssl, SSL_OP_NO_RENEGOTIATION); /* a caller's context may lack it */
    SSL_set_mode(tls->ssl, SSL_MODE_RELEASE_BUFFERS);   /* an idle session stays small */
    SSL_set_read_ahead(tls->ssl, 0); /* else what waits undecrypted would hide in OpenSSL */
    return tls;
}

struct smtp_tls *smtp_tls_new_server(struct ssl_ctx_st *context)
{
    struct smtp_tls *tls = new_connection(context);
    if (tls != NULL) {
        SSL_set_accept_state(tls->ssl);
    }
    return tls;
}

static bool is_address(const char *name)
{
    unsigned char octets[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, name, octets) == 1 || inet_pton(AF_INET6, name, octets) == 1;
}

/* SNI has no addresses (RFC 6066 3). For OpenSSL a name with a dot in front is any name below it. */
static bool expect_name(struct smtp_tls *tls, const char *name)
{
    tls->name = strdup(name + strspn(name, "."));
    if (tls->name == NULL) {
        return false;
    }
    size_t len = strlen(tls->name);
    if (len > 1 && tls->name[len - 1] == '.') { /* the root's dot is in no certificate */
        tls->name[len - 1] = '\0';
    }
    X509_VERIFY_PARAM *verify = SSL_get0_param(tls->ssl);
    if (is_address(tls->name)) {
        return X509_VERIFY_PARAM_set1_ip_asc(verify, tls->name) == 1;
    }
    X509_VERIFY_PARAM_set_hostflags(verify, HOST_FLAGS);
    return X509_VERIFY_PARAM_set1_host(verify, tls->name, 0) == 1 &&
           SSL_set_tlsext_host_name(tls->ssl, tls->name) == 1;
}

struct smtp_tls *smtp_tls_new_client(struct ssl_ctx_st *context, const char *name,
                                     struct ssl_session_st *session)
{
    struct smtp_tls *tls = new_connection(context);
    if (tls == NULL) {
        return NULL;
    }
    SSL_set_connect_state(tls->ssl);
    if ((name != NULL && !expect_name(tls, name)) ||
        (session != NULL && SSL_set_session(tls->ssl, session) != 1)) {
        smtp_tls_free(tls);
        tls = NULL;
    }
    ERR_clear_error();
    return tls;
}

void smtp_tls_free(struct smtp_tls *tls)
{
    if (tls == NULL) {
        return;
    }
    if (tls->established && !tls->broken) {
        /* Else OpenSSL makes the session one that cannot be resumed, for want of a close_notify. */
        SSL_set_shutdown(tls->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    }
    SSL_free(tls->ssl);
    BIO_meth_free(tls->method);
    smtp_buffer_free(&tls->in);
    smtp_buffer_free(&tls->out);
    free(tls->name);
    free(tls);
}

/* ---- the handshake ---- */

static enum smtp_tls_progress broken(struct smtp_tls *tls)
{
    tls->broken = true;
    ERR_clear_error();
    return SMTP_TLS_BROKEN;
}

static bool verifies(const SSL *ssl)
{
    return (SSL_get_verify_mode(ssl) & SSL_VERIFY_PEER) != 0;
}

static bool certificate_names(X509 *certificate, const char *name)
{
    return X509_check_ip_asc(certificate, name, 0) == 1 ||
           X509_check_host(certificate, name, 0, HOST_FLAGS, NULL) == 1;
}

/* A resumed session was verified by whoever made it, perhaps for another name, perhaps not at all. */
static bool resumed_rightly(struct smtp_tls *tls)
{
    const SSL *ssl = tls->ssl;
    if (SSL_is_server(ssl) || !SSL_session_reused(ssl) || !verifies(ssl)) {
        return true;
    }
    X509 *peer = SSL_get0_peer_certificate(ssl);
    if (SSL_get_verify_result(ssl) != X509_V_OK || peer == NULL) {
        smtp_tls_copy_visible(tls->error, sizeof tls->error,
                              SMTP_SPAN("the session that was resumed was made without verifying "
                                        "the certificate; connect without it"));
        return false;
    }
    if (tls->name == NULL || certificate_names(peer, tls->name)) {
        return true;
    }
    STACK_OF(X509) *alone = sk_X509_new_null();
    if (alone != NULL) {
        sk_X509_push(alone, peer);
    }
    smtp_tls_explain_certificate(X509_V_ERR_HOSTNAME_MISMATCH, alone, tls->name, tls->error,
                                 sizeof tls->error);
    sk_X509_free(alone);
    return false;
}

/* A name that does not fit is none: a part of it could be somebody else's. */
static void keep_subject(struct smtp_tls *tls, const char *bytes, long len)
{
    if (len <= 0 || (size_t)len >= sizeof tls->peer_subject) {
        return;
    }
    for (size_t i = 0; i < (size_t)len; i++) { /* UTF-8; a NUL or a line's end hides nothing */
        tls->peer_subject[i] = smtp_is_control((unsigned char)bytes[i]) ? '?' : bytes[i];
    }
}

/* The one common name, or all of the subject where there is none or more than one. */
static void learn_subject(struct smtp_tls *tls, const X509 *certificate)
{
    const X509_NAME *subject = X509_get_subject_name(certificate);
    int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    if (at >= 0 && X509_NAME_get_index_by_NID(subject, NID_commonName, at) < 0) {
        unsigned char *name = NULL;
        int len =
            ASN1_STRING_to_UTF8(&name, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
        keep_subject(tls, (char *)name, len);
        OPENSSL_free(name);
        return;
    }
    BIO *text = BIO_new(BIO_s_mem());
    if (text != NULL && X509_NAME_print_ex(text, subject, 0, XN_FLAG_RFC2253) >= 0) {
        char *bytes = NULL;
        long len = BIO_get_mem_data(text, &bytes);
        keep_subject(tls, bytes, len);
    }
    BIO_free(text);
}

static void learn_facts(struct smtp_tls *tls)
{
    const char *server_name = SSL_get_servername(tls->ssl, TLSEXT_NAMETYPE_host_name);
    if (server_name != NULL) {
        smtp_tls_copy_visible(tls->server_name, sizeof tls->server_name, smtp_span_of(server_name));
    }
    const X509 *peer = SSL_get0_peer_certificate(tls->ssl);
    if (peer != NULL && verifies(tls->ssl) && SSL_get_verify_result(tls->ssl) == X509_V_OK) {
        learn_subject(tls, peer);
    }
    tls->facts.version = SSL_get_version(tls->ssl);
    tls->facts.cipher = SSL_get_cipher_name(tls->ssl);
    tls->facts.resumed = SSL_session_reused(tls->ssl) == 1;
}

/* What a call of OpenSSL's came to; its result was not success. */
static enum smtp_tls_progress unfinished(struct smtp_tls *tls, int result)
{
    switch (SSL_get_error(tls->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        ERR_clear_error();
        return SMTP_TLS_WAITS;
    case SSL_ERROR_ZERO_RETURN:
        ERR_clear_error();
        return SMTP_TLS_ENDED;
    default:
        smtp_tls_explain(tls->ssl, tls->name, (struct smtp_span){tls->first, tls->first_len},
                         tls->error, sizeof tls->error);
        return broken(tls);
    }
}

enum smtp_tls_progress smtp_tls_handshake(struct smtp_tls *tls)
{
    if (tls->broken || tls->established) {
        return tls->broken ? SMTP_TLS_BROKEN : SMTP_TLS_DONE;
    }
    ERR_clear_error();
    int result = SSL_do_handshake(tls->ssl);
    if (result != 1) {
        enum smtp_tls_progress progress = unfinished(tls, result);
        if (progress == SMTP_TLS_ENDED) {
            smtp_tls_copy_visible(tls->error, sizeof tls->error,
                                  SMTP_SPAN("the peer ended TLS within the handshake"));
            return broken(tls);
        }
        return progress;
    }
    if (!resumed_rightly(tls)) {
        return broken(tls);
    }
    tls->established = true;
    tls->small_left = SMALL_OCTETS;
    SSL_set_split_send_fragment(tls->ssl, SMALL_RECORD_OCTETS);
    learn_facts(tls);
    ERR_clear_error();
    return SMTP_TLS_DONE;
}

/* ---- octets ---- */

bool smtp_tls_receive(struct smtp_tls *tls, const char *bytes, size_t len)
{
    if (tls->first_len < FIRST_OCTETS) {
        size_t more = FIRST_OCTETS - tls->first_len < len ? FIRST_OCTETS - tls->first_len : len;
        smtp_bytes_copy(tls->first + tls->first_len, (struct smtp_span){bytes, more});
        tls->first_len += more;
    }
    return smtp_buffer_append(&tls->in, bytes, len) == SMTP_OK;
}

size_t smtp_tls_undecrypted(const struct smtp_tls *tls)
{
    return tls->in.len;
}

enum smtp_tls_progress smtp_tls_read(struct smtp_tls *tls, char *bytes, size_t capacity,
                                     size_t *len)
{
    *len = 0;
    enum smtp_tls_progress progress = smtp_tls_handshake(tls);
    if (progress != SMTP_TLS_DONE) {
        return progress;
    }
    ERR_clear_error();
    int result = SSL_read_ex(tls->ssl, bytes, capacity, len);
    return result == 1 ? SMTP_TLS_DONE : unfinished(tls, result);
}

static bool seal(struct smtp_tls *tls, struct smtp_span plain)
{
    size_t written = 0;
    int result = plain.len == 0 ? 1 : SSL_write_ex(tls->ssl, plain.bytes, plain.len, &written);
    if (result != 1) {
        unfinished(tls, result);
        broken(tls);
    }
    return result == 1;
}

bool smtp_tls_write(struct smtp_tls *tls, struct smtp_span plain)
{
    if (tls->broken || !tls->established || plain.len == 0) {
        return !tls->broken && tls->established;
    }
    ERR_clear_error();
    size_t small = plain.len < tls->small_left ? plain.len : tls->small_left;
    size_t records = small / SMALL_RECORD_OCTETS + plain.len / RECORD_OCTETS + 2;
    if (smtp_buffer_reserve(&tls->out, plain.len + records * RECORD_OVERHEAD) == NULL) {
        smtp_tls_copy_visible(tls->error, sizeof tls->error, SMTP_SPAN("out of memory"));
        broken(tls);
        return false;
    }
    if (!seal(tls, (struct smtp_span){plain.bytes, small})) {
        return false;
    }
    tls->small_left -= small;
    if (tls->small_left == 0 && small > 0) {
        SSL_set_split_send_fragment(tls->ssl, RECORD_OCTETS);
    }
    return seal(tls, (struct smtp_span){plain.bytes + small, plain.len - small});
}

void smtp_tls_shut_down(struct smtp_tls *tls)
{
    if (tls->established && !tls->broken) {
        ERR_clear_error();
        SSL_shutdown(tls->ssl);
        ERR_clear_error();
    }
}

struct smtp_span smtp_tls_pending(const struct smtp_tls *tls)
{
    return smtp_buffer_span(&tls->out);
}

void smtp_tls_sent(struct smtp_tls *tls, size_t len)
{
    smtp_buffer_take(&tls->out, len);
    if (tls->out.len == 0) {
        smtp_buffer_clear(&tls->out, STORAGE_KEPT);
    }
}

/* ---- what is known of it ---- */

const char *smtp_tls_error(const struct smtp_tls *tls)
{
    return tls->error;
}

const struct smtp_tls_facts *smtp_tls_facts(const struct smtp_tls *tls)
{
    return &tls->facts;
}

/* The first Finished message of the handshake: the client's, or the server's where a session was
 * resumed (RFC 5929 3.1). */
static size_t unique_binding(const struct smtp_tls *tls, char *bytes)
{
    bool clients = !SSL_session_reused(tls->ssl);
    bool own = clients != (SSL_is_server(tls->ssl) != 0);
    size_t len = own ? SSL_get_finished(tls->ssl, bytes, SMTP_TLS_BINDING_MAX)
                     : SSL_get_peer_finished(tls->ssl, bytes, SMTP_TLS_BINDING_MAX);
    return len <= SMTP_TLS_BINDING_MAX ? len : 0;
}

/* Under TLS 1.2 both kinds bind nothing unless the master secret is an extended one (RFC 7627; RFC
 * 9266 4.2). */
size_t smtp_tls_binding(const struct smtp_tls *tls, enum smtp_tls_binding kind,
                        char bytes[SMTP_TLS_BINDING_MAX])
{
    static const char label[] = "EXPORTER-Channel-Binding";
    const size_t exported = 32;
    bool tls13 = SSL_version(tls->ssl) == TLS1_3_VERSION;
    if (!tls->established || tls->broken || (!tls13 && SSL_get_extms_support(tls->ssl) != 1) ||
        (tls13 && kind == SMTP_TLS_UNIQUE)) {
        return 0;
    }
    if (kind == SMTP_TLS_UNIQUE) {
        return unique_binding(tls, bytes);
    }
    ERR_clear_error();
    int result = SSL_export_keying_material(tls->ssl, (unsigned char *)bytes, exported, label,
                                            sizeof label - 1, (const unsigned char *)"", 0, 1);
    ERR_clear_error();
    return result == 1 ? exported : SMTP_TLS_BINDING_FAILED;
}

struct ssl_session_st *smtp_tls_session(const struct smtp_tls *tls)
{
    SSL_SESSION *session = tls->established ? SSL_get1_session(tls->ssl) : NULL;
    if (session != NULL && SSL_SESSION_is_resumable(session) != 1) {
        SSL_SESSION_free(session);
        session = NULL;
    }
    return session;
}

void smtp_tls_session_free(struct ssl_session_st *session)
{
    SSL_SESSION_free(session);
}
