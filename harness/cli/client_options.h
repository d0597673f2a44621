/* client_options.h - what can be said about a client on the command line of every verb that has one, and what
 * it means. Knows nothing of the verbs and of messages. */
#ifndef SMTP_HARNESS_CLI_CLIENT_OPTIONS_H
#define SMTP_HARNESS_CLI_CLIENT_OPTIONS_H

#include "client/url.h"
#include "harness/cli/options.h"

#define SMTP_CLI_CLIENT_ROWS 23

struct smtp_cli_client_options {
    const char *program; /* for complaints: "smtp-harness send" */

    /* as given */
    unsigned tls;
    const char *ca_file, *tls_name, *certificate_file, *key_file;
    bool insecure;
    const char *user, *password_file, *mechanism, *authorize_as;
    bool plain_without_tls;
    const char *helo_name, *source_address, *proxy_header, *xclient;
    bool no_pipelining, no_chunking, long_lines;
    uint64_t chunk_octets;
    struct smtp_cli_texts timeouts;

    /* what that comes to */
    struct smtp_client_url url;
    struct smtp_client_options client;          /* its log is the verb's to set */
    struct smtp_client_credentials credentials; /* identity and mechanism NULL: no login */
    char *password;
};

/** Sets the defaults, and fills in the rows of a verb's table whose options write to *options. */
void smtp_cli_client_options_use(struct smtp_cli_client_options *options, const char *program,
                                 struct smtp_cli_option rows[SMTP_CLI_CLIENT_ROWS]);
/** Fills url, client and credentials in; `word`: the URL, a word of argv, which is wiped there, where others can
 *  see it. The password: the URL's, else --password-file's, else SMTP_PASSWORD of the environment. Whom to
 *  trust: the URL's, else --ca, else SMTP_CA_FILE, else the system's.
 *  @return 0; else what is wrong is said, and this is what it was: EX_USAGE, EX_CONFIG (a file that cannot be
 *          used, a password that is not there). Clear in any case. */
int smtp_cli_client_options_apply(struct smtp_cli_client_options *options, const char *word);
/** Connects as they say: hello, TLS, XCLIENT, login. *stage: where it failed. */
enum smtp_status smtp_cli_client_options_connect(const struct smtp_cli_client_options *options,
                                                 struct smtp_client *client,
                                                 enum smtp_client_stage *stage) SMTP_MUST_CHECK;
/** Frees, and wipes the secrets. */
void smtp_cli_client_options_clear(struct smtp_cli_client_options *options);

#endif
