/* server_options.h - what can be said about a server on the command line of every verb that has one, and what
 * it means. Knows nothing of the verbs. */
#ifndef SMTP_HARNESS_CLI_SERVER_OPTIONS_H
#define SMTP_HARNESS_CLI_SERVER_OPTIONS_H

#include "harness/cli/options.h"
#include "harness/fault.h"
#include "server/smtp_server.h"

#define SMTP_CLI_SERVER_ROWS 32
#define SMTP_CLI_SERVER_TABLES_MAX 8

struct smtp_cli_server_options {
    const char *program; /* for complaints: "smtp-harness serve" */

    /* as given */
    struct smtp_cli_texts listen;
    struct smtp_cli_texts trust, offer, hide, limit;
    uint64_t size_limit, recipient_limit, line_limit, workers;
    unsigned bare_lf;
    bool no_tls, tls_required;
    struct smtp_cli_texts certificate_names;
    unsigned flaw;
    const char *certificate_file, *key_file, *client_ca_file;
    struct smtp_cli_texts auth;
    bool auth_required, plain_without_tls;
    const char *auth_mechanisms;
    struct smtp_cli_texts faults; /* each as smtp_harness.h describes them */
    uint64_t fault_seed;          /* 0: one is drawn */
    bool magic_addresses;
    const char *record; /* a directory; NULL: nothing is recorded */

    /* what that comes to */
    struct smtp_server_options
        server; /* its receivers are `tables`; see smtp_cli_server_options_add */
    struct smtp_server_hooks tables[SMTP_CLI_SERVER_TABLES_MAX];
    struct smtp_server_user users[SMTP_CLI_TEXTS_MAX];
    char *client_ca_pem;
};

/** Sets the defaults, and fills in the rows of a verb's table whose options write to *options. The argv that is
 *  read by them is written to: the secrets in it are wiped by the clear. */
void smtp_cli_server_options_use(struct smtp_cli_server_options *options, const char *program,
                                 struct smtp_cli_option rows[SMTP_CLI_SERVER_ROWS]);
/** Fills `server` in, reading the files that are named; but for the faults, which a harness takes as they
 *  are, or smtp_cli_server_options_plan. False: what is wrong is said; clear and end. */
bool smtp_cli_server_options_apply(struct smtp_cli_server_options *options);
/** Adds what records, and makes its directory; behind smtp_cli_server_options_apply, which writes no file. False: what is
 *  wrong is said. */
bool smtp_cli_server_options_record(struct smtp_cli_server_options *options);
/** For a server without a harness: makes the plan of faults, and its table is server.hooks then. *plan, which
 *  may be told the server and is freed behind it, stays NULL where there is none. False: what is wrong
 *  is said. */
bool smtp_cli_server_options_plan(struct smtp_cli_server_options *options,
                                  struct smtp_harness_faults **plan);
/** A further table for the server; it is taken over. */
void smtp_cli_server_options_add(struct smtp_cli_server_options *options,
                                 const struct smtp_server_hooks *table);
/** Gives the tables back, where no server took them over. */
void smtp_cli_server_options_release_tables(struct smtp_cli_server_options *options);
/** Once the server has its copy: frees, and wipes the secrets, in argv too, where others can see
 *  them. */
void smtp_cli_server_options_clear(struct smtp_cli_server_options *options);

#endif
