/* serve_secure_test.c - TLS and AUTH of the program's verb `serve`: what a client finds, which files
 * come and go, and the mistakes people make on the command line. */
#include "harness/smtp_harness.h"
#include "tests/programs/serve.h"
#include "tests/support/test.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/** A folder for one test's files. */
struct folder {
    char path[64];
    char file[4][96];
};

static struct folder folder_new(void)
{
    struct folder folder = {.path = "/tmp/smtp-test-XXXXXX"};
    expect_true(mkdtemp(folder.path) != NULL);
    for (size_t i = 0; i < 4; i++) {
        snprintf(folder.file[i], sizeof folder.file[i], "%s/%zu", folder.path, i);
    }
    return folder;
}

/** Nothing may be left in it but these first files. */
static void folder_clear(struct folder *folder, size_t files)
{
    for (size_t i = 0; i < files; i++) {
        unlink(folder->file[i]);
    }
    expect_int(rmdir(folder->path), 0);
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    expect_true(file != NULL);
    expect_true(fputs(text, file) >= 0);
    expect_int(fclose(file), 0);
}

static const char *read_file(const char *path, char *text, size_t capacity)
{
    FILE *file = fopen(path, "r");
    expect_true(file != NULL);
    text[fread(text, 1, capacity - 1, file)] = '\0';
    fclose(file);
    return text;
}

static struct smtp_client_options trusting(const char *ca_file)
{
    struct smtp_client_options options;
    smtp_client_options_init(&options);
    options.tls.policy = SMTP_CLIENT_TLS_REQUIRED;
    options.tls.ca_file = ca_file;
    return options;
}

/** Connects to the URL's host and port, logs in where there is a password, sends. */
static enum smtp_status send_to(const char *url, const struct smtp_client_options *options,
                                const char *password)
{
    struct smtp_client *client = NULL;
    const char *to[] = {"bob@example.com"};
    struct smtp_envelope envelope = {
        .reverse_path = "ann@example.com", .forward_paths = to, .forward_path_count = 1};
    expect_int(smtp_client_new(&client, options), SMTP_OK);
    enum smtp_status status = smtp_client_connect(client, strstr(url, "://") + 3, 0);
    if (status == SMTP_OK && password != NULL) {
        status = smtp_client_login(client, "ann", password);
    }
    if (status == SMTP_OK) {
        status = smtp_client_send(client, &envelope, smtp_content_text("sealed\n"), NULL);
    }
    smtp_client_free(client);
    return status;
}

TEST(serve, starttls_is_on_and_the_authority_is_in_the_file_while_it_listens)
{
    struct folder folder = folder_new();
    const char *ca = folder.file[0], *ready = folder.file[1];
    char url[200], pem[8192];
    struct background serve =
        start_process(ARGV("serve", "--ca-file-out", ca, "--ready-file", ready));
    hear_url(&serve, url, sizeof url);
    expect_contains(read_file(ca, pem, sizeof pem), "-----BEGIN CERTIFICATE-----");
    expect_contains(pem, "-----END CERTIFICATE-----\n");
    struct smtp_client_options options = trusting(ca);
    expect_int(send_to(url, &options, NULL), SMTP_OK);
    expect_int(end_process(&serve, SIGTERM), 0);
    folder_clear(&folder, 0); /* both were taken away */
}

TEST(serve, an_smtps_listener_is_told_as_such)
{
    struct folder folder = folder_new();
    const char *ca = folder.file[0], *ready = folder.file[1];
    char urls[2][200], text[512];
    struct background serve =
        start_process(ARGV("serve", "--listen", "smtps://127.0.0.1:0", "--listen", "127.0.0.1:0",
                           "--ca-file-out", ca, "--ready-file", ready));
    hear_url(&serve, urls[0], sizeof urls[0]);
    hear_url(&serve, urls[1], sizeof urls[1]);
    expect_true(strncmp(urls[0], "smtps://127.0.0.1:", 18) == 0);
    expect_true(strncmp(urls[1], "smtp://127.0.0.1:", 17) == 0);
    read_file(ready, text, sizeof text);
    expect_true(strncmp(text, urls[0], strlen(urls[0])) == 0);
    struct smtp_client_options options = trusting(ca);
    options.tls.policy = SMTP_CLIENT_TLS_IMPLICIT;
    expect_int(send_to(urls[0], &options, NULL), SMTP_OK);
    expect_int(end_process(&serve, SIGTERM), 0);
    folder_clear(&folder, 0);
}

TEST(serve, no_tls_takes_starttls_out)
{
    char url[200];
    struct background serve = start_process(ARGV("serve", "--no-tls"));
    hear_url(&serve, url, sizeof url);
    struct smtp_client_options options = trusting(NULL);
    expect_int(send_to(url, &options, NULL), SMTP_UNSUPPORTED);
    options.tls.policy = SMTP_CLIENT_TLS_NEVER;
    expect_int(send_to(url, &options, NULL), SMTP_OK);
    expect_int(end_process(&serve, SIGTERM), 0);
}

TEST(serve, tls_and_a_login_can_be_required)
{
    struct folder folder = folder_new();
    const char *ca = folder.file[0];
    char url[200];
    struct background serve = start_process(
        ARGV("serve", "--tls-required", "--auth-required", "--auth", "bob:x", "--auth",
             "ann:a:secret", "--auth-mechanisms", "PLAIN,LOGIN", "--ca-file-out", ca));
    hear_url(&serve, url, sizeof url);
    struct smtp_client_options options = trusting(ca), plain;
    smtp_client_options_init(&plain);
    expect_int(send_to(url, &plain, NULL), SMTP_REFUSED_PERMANENT);
    expect_int(send_to(url, &options, NULL), SMTP_REFUSED_PERMANENT);
    expect_int(send_to(url, &options, "a"), SMTP_REFUSED_PERMANENT);
    expect_int(send_to(url, &options, "a:secret"), SMTP_OK); /* the first ':' parts them */
    expect_int(end_process(&serve, SIGTERM), 0);
    folder_clear(&folder, 0);
}

/* Others on the machine can read a process's arguments. */
TEST(serve, the_passwords_are_wiped_from_its_arguments)
{
    char url[200], path[64], arguments[512];
    struct background serve = start_process(ARGV("serve", "--auth", "ann:correct-horse"));
    hear_url(&serve, url, sizeof url);
    snprintf(path, sizeof path, "/proc/%d/cmdline", (int)serve.pid);
    FILE *file = fopen(path, "r");
    expect_true(file != NULL);
    size_t len = fread(arguments, 1, sizeof arguments, file);
    fclose(file);
    expect_true(memmem(arguments, len, "ann", 3) != NULL);
    expect_true(memmem(arguments, len, "horse", 5) == NULL);
    expect_int(end_process(&serve, SIGTERM), 0);
}

TEST(serve, a_password_may_go_in_the_clear_where_that_was_said)
{
    char url[200];
    struct smtp_client *client = NULL;
    struct smtp_client_credentials credentials = {
        .identity = "ann", .password = "secret", .mechanism = "PLAIN", .plain_without_tls = true};
    struct background serve =
        start_process(ARGV("serve", "--auth", "ann:secret", "--plain-without-tls", "--no-tls"));
    hear_url(&serve, url, sizeof url);
    expect_int(smtp_client_new(&client, NULL), SMTP_OK);
    expect_int(smtp_client_connect(client, url + strlen("smtp://"), 0), SMTP_OK);
    expect_int(smtp_client_auth(client, &credentials), SMTP_OK);
    smtp_client_free(client);
    expect_int(end_process(&serve, SIGTERM), 0);
}

TEST(serve, a_certificate_is_for_the_names_asked_for)
{
    struct folder folder = folder_new();
    const char *ca = folder.file[0];
    char url[200];
    struct background serve =
        start_process(ARGV("serve", "--certificate-name", "mail.example.com", "--certificate-name",
                           "192.0.2.1", "--ca-file-out", ca));
    hear_url(&serve, url, sizeof url);
    struct smtp_client_options options = trusting(ca);
    expect_int(send_to(url, &options, NULL), SMTP_TLS_FAILED);
    options.tls.name = "mail.example.com";
    expect_int(send_to(url, &options, NULL), SMTP_OK);
    options.tls.name = "192.0.2.1";
    expect_int(send_to(url, &options, NULL), SMTP_OK);
    expect_int(end_process(&serve, SIGTERM), 0);
    folder_clear(&folder, 0);
}

TEST(serve, each_flaw_is_found_by_a_client_that_looks)
{
    static const char *const flaws[] = {"expired",     "not-yet-valid", "wrong-name",
                                        "self-signed", "unknown-ca",    "no-intermediate"};
    struct folder folder = folder_new();
    const char *ca = folder.file[0];
    for (size_t i = 0; i < sizeof flaws / sizeof *flaws; i++) {
        char url[200];
        struct background serve =
            start_process(ARGV("serve", "--flaw", flaws[i], "--ca-file-out", ca));
        hear_url(&serve, url, sizeof url);
        struct smtp_client_options options = trusting(ca);
        expect_int(send_to(url, &options, NULL), SMTP_TLS_FAILED);
        options.tls.insecure = true;
        expect_int(send_to(url, &options, NULL), SMTP_OK);
        expect_int(end_process(&serve, SIGTERM), 0);
    }
    folder_clear(&folder, 0);
}

TEST(serve, the_user_s_own_certificate_and_whose_clients_it_takes)
{
    struct folder folder = folder_new();
    struct smtp_identity *identity = NULL, *ann = NULL;
    expect_int(smtp_identity_new(&identity, NULL, NULL), SMTP_OK);
    expect_int(smtp_identity_new_client(&ann, identity, "ann", NULL), SMTP_OK);
    write_file(folder.file[0], smtp_identity_certificate_pem(identity));
    write_file(folder.file[1], smtp_identity_key_pem(identity));
    write_file(folder.file[2], smtp_identity_ca_pem(identity));
    char url[200];
    struct background serve = start_process(
        ARGV("serve", "--certificate", folder.file[0], "--key", folder.file[1], "--client-ca",
             folder.file[2], "--auth", "ann:unused", "--auth-mechanisms", "external"));
    hear_url(&serve, url, sizeof url);
    struct smtp_client_options options = trusting(folder.file[2]);
    options.tls.identity = ann;
    struct smtp_client *client = NULL;
    struct smtp_client_credentials credentials = {.mechanism = "EXTERNAL"};
    expect_int(smtp_client_new(&client, &options), SMTP_OK);
    expect_int(smtp_client_connect(client, url + strlen("smtp://"), 0), SMTP_OK);
    expect_int(smtp_client_auth(client, &credentials), SMTP_OK);
    smtp_client_free(client);
    expect_int(end_process(&serve, SIGTERM), 0);
    smtp_identity_release(identity);
    smtp_identity_release(ann);
    folder_clear(&folder, 3);
}

/* ---- mistakes ---- */

TEST(serve, files_that_are_not_there_or_wrong_are_named)
{
    struct folder folder = folder_new();
    struct smtp_identity *identity = NULL, *other = NULL;
    expect_int(smtp_identity_new(&identity, NULL, NULL), SMTP_OK);
    expect_int(smtp_identity_new(&other, NULL, NULL), SMTP_OK);
    const char *certificate = folder.file[0], *key = folder.file[1], *none = folder.file[2];
    write_file(certificate, smtp_identity_certificate_pem(identity));
    write_file(key, "no key at all\n");
    expect_wrong(ARGV("serve", "--certificate", none), none);
    expect_wrong(ARGV("serve", "--certificate", key), key);
    expect_wrong(ARGV("serve", "--certificate", certificate, "--key", none), none);
    expect_wrong(ARGV("serve", "--certificate", certificate, "--key", key), key);
    write_file(key, smtp_identity_key_pem(other));
    expect_wrong(ARGV("serve", "--certificate", certificate, "--key", key), key);
    expect_wrong(ARGV("serve", "--client-ca", none), none);
    write_file(key, "no certificate at all\n");
    expect_wrong(ARGV("serve", "--client-ca", key), "certificate");
    smtp_identity_release(identity);
    smtp_identity_release(other);
    folder_clear(&folder, 2);
}

TEST(serve, options_that_contradict_are_named)
{
    expect_wrong(ARGV("serve", "--no-tls", "--listen", "smtps://127.0.0.1:0"),
                 "--no-tls and --listen smtps:// exclude each other");
    expect_wrong(ARGV("serve", "--no-tls", "--tls-required"),
                 "--no-tls and --tls-required exclude each other");
    expect_wrong(ARGV("serve", "--no-tls", "--ca-file-out", "x"), "--no-tls and --ca-file-out");
    expect_wrong(ARGV("serve", "--no-tls", "--flaw", "expired"), "--no-tls and --flaw");
    expect_wrong(ARGV("serve", "--no-tls", "--certificate", "x"), "--no-tls and --certificate");
    expect_wrong(ARGV("serve", "--no-tls", "--client-ca", "x"), "--no-tls and --client-ca");
    expect_wrong(ARGV("serve", "--certificate", "x", "--flaw", "expired"),
                 "--certificate and --flaw exclude each other");
    expect_wrong(ARGV("serve", "--certificate", "x", "--ca-file-out", "y"),
                 "--certificate and --ca-file-out exclude each other");
    expect_wrong(ARGV("serve", "--certificate", "x", "--certificate-name", "y"),
                 "--certificate and --certificate-name exclude each other");
    expect_wrong(ARGV("serve", "--key", "x"), "--key needs --certificate");
    expect_wrong(ARGV("serve", "--auth-required"), "--auth-required needs --auth USER:PASSWORD");
    expect_wrong(ARGV("serve", "--auth-mechanisms", "PLAIN"), "--auth-mechanisms needs --auth");
    expect_wrong(ARGV("serve", "--plain-without-tls"), "--plain-without-tls needs --auth");
    expect_wrong(ARGV("serve", "--auth", "a:b", "--auth-mechanisms", "PLAIN,NTLM"), "\"NTLM\"");
    expect_wrong(ARGV("serve", "--flaw", "rusty"), "no-intermediate, not 'rusty'");
    expect_wrong(ARGV("serve", "--certificate-name", "a b"), "a b");
    expect_wrong(ARGV("serve", "--ca-file", "x"), "did you mean '--ca-file-out'?");
}

/** A wrong command line with a password in it, which the complaint must not have. */
static void expect_discreet(const char *const argv[], const char *complaint)
{
    struct ended ended = run_to_end(argv);
    expect_int(ended.exit_status, 2);
    expect_contains(ended.err, complaint);
    expect_true(strstr(ended.err, "hush") == NULL);
    expect_true(strstr(ended.out, "hush") == NULL);
    ended_clear(&ended);
}

TEST(serve, no_complaint_shows_a_password)
{
    expect_discreet(ARGV("serve", "--auth", "ann:ok", "--auth", "hush"),
                    "--auth takes USER:PASSWORD; there is no ':' in number 2");
    expect_discreet(ARGV("serve", "--auth", ":hush"), "there is no USER in number 1");
    expect_discreet(ARGV("serve", "--auth", "ann:"), "there is no PASSWORD in number 1");
    expect_discreet(ARGV("serve", "--auth=hush"), "there is no ':'");
    expect_discreet(ARGV("serve", "--aut=ann:hush"), "did you mean '--auth'?");
    expect_discreet(ARGV("serve", "--auth", "ann:ok", "bob:hush"), "'bob:...' is not an option");
    expect_discreet(ARGV("serve", "--auth-required=ann:hush"), "--auth-required takes no value");
    expect_discreet(ARGV("serve", "--auth", "ann:hush", "--listen", "nowhere"), "nowhere");
}

TEST(serve, a_file_that_cannot_be_written_is_named_and_leaves_nothing)
{
    struct ended ended = run_to_end(ARGV("serve", "--ca-file-out", "/nonexistent/ca.pem"));
    expect_int(ended.exit_status, 2);
    expect_contains(ended.err, "cannot write /nonexistent/ca.pem: ");
    ended_clear(&ended);
    struct folder folder = folder_new();
    ended = run_to_end(
        ARGV("serve", "--ca-file-out", folder.file[0], "--ready-file", "/nonexistent/ready"));
    expect_int(ended.exit_status, 2);
    expect_contains(ended.err, "cannot write /nonexistent/ready: ");
    ended_clear(&ended);
    folder_clear(&folder, 0);
}
