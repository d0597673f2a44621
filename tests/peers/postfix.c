/* postfix.c - see postfix.h. */
#include "tests/peers/postfix.h"

#include "tests/support/test.h"

#include <dirent.h>
#include <stdio.h>

#define READY_MS 10000
#define PORT_TRIES 5 /* a free port can be taken by another before the server has it */

/* What it said before Postfix's log. */
static void read_facts(struct postfix *postfix, bool secure)
{
    expect_int(sscanf(postfix->program.said, "mail %127s", postfix->maildir), 1);
    if (secure) {
        const char *login = strstr(postfix->program.said, "\nlogin ");
        expect_true(login != NULL);
        expect_int(sscanf(login, " login %63s %63s %511s", postfix->user, postfix->password,
                          postfix->token),
                   3);
    }
}

static void start(struct postfix *postfix, const char *certificate, const char *next)
{
    *postfix = (struct postfix){0};
    for (int i = 0; i < PORT_TRIES; i++) {
        struct arguments arguments = {0};
        postfix->port = free_port();
        postfix->tls_port = free_port();
        postfix->proxy_port = free_port();
        arguments_add(&arguments, (const char *[]){PEERS_SOURCE "/postfix", PEERS_POSTFIX, NULL});
        argument(&arguments, "%u", postfix->port);
        argument(&arguments, "--proxy");
        argument(&arguments, "%u", postfix->proxy_port);
        if (certificate != NULL) {
            argument(&arguments, "--tls");
            argument(&arguments, "%u", postfix->tls_port);
            arguments_add(&arguments, (const char *[]){certificate, PEERS_DOVECOT, NULL});
        }
        if (next != NULL) {
            arguments_add(&arguments, (const char *[]){"--next", next, NULL});
        }
        program_start(&postfix->program, arguments.argv);
        if (program_says(&postfix->program, 0, "daemon started", READY_MS) >= 0) {
            read_facts(postfix, certificate != NULL);
            return;
        }
        if (strstr(postfix->program.said, "Address already in use") == NULL) {
            break;
        }
        program_stop(&postfix->program);
        program_free(&postfix->program);
    }
    SMTP_TEST_FAIL("Postfix did not start: %s", postfix->program.said);
}

void postfix_start(struct postfix *postfix, const char *certificate)
{
    start(postfix, certificate, NULL);
}

void postfix_start_to(struct postfix *postfix, const char *next)
{
    start(postfix, NULL, next);
}

void postfix_stop(struct postfix *postfix)
{
    program_end_input(&postfix->program);
    expect_int(program_wait(&postfix->program), 0);
    program_free(&postfix->program);
}

void postfix_logs(struct postfix *postfix, const char *words)
{
    ssize_t found = program_says(&postfix->program, postfix->heard_octets, words, READY_MS);
    if (found < 0) {
        SMTP_TEST_FAIL("not heard: %s; Postfix said: %s", words, postfix->program.said);
    }
    postfix->heard_octets = (size_t)found + strlen(words);
}

void postfix_delivers(struct postfix *postfix, size_t count)
{
    struct program *program = &postfix->program;
    for (size_t i = 0; i < count; i++) {
        ssize_t found = program_says(program, postfix->heard_octets, "status=", READY_MS);
        if (found < 0 || program_says(program, (size_t)found, "\n", READY_MS) < 0 ||
            strncmp(program->said + found, "status=sent", 11) != 0) {
            SMTP_TEST_FAIL("delivery %zu of %zu; Postfix said: %s", i, count, program->said);
        }
        postfix->heard_octets = (size_t)found + 1;
    }
}

/* Whether the mail is a copy of the letter, with the words in its trace header. */
static bool is_copy(char *mail, const struct letter *letter, const char *words)
{
    char subject[64];
    size_t content_len;
    snprintf(subject, sizeof subject, "\nSubject: %s\n", letter->name);
    bool is = strstr(mail, subject) != NULL;
    if (is) {
        char *content = strstr(mail, "\nFrom: ");
        expect_true(content != NULL);
        content++;
        char *octets = with_crlf(content, strlen(content), &content_len);
        expect_bytes(octets, content_len, letter->octets, letter->len);
        free(octets);
        *content = '\0';
        expect_contains(mail, "\nReceived: from client.test (unknown [127.0.0.1])\n");
        is = strstr(mail, words) != NULL;
    }
    return is;
}

/* Goes through what was delivered. */
static char *next_mail(const struct postfix *postfix, DIR *directory)
{
    char path[512];
    struct dirent *entry = readdir(directory);
    while (entry != NULL && entry->d_name[0] == '.') {
        entry = readdir(directory);
    }
    if (entry == NULL) {
        return NULL;
    }
    size_t len;
    snprintf(path, sizeof path, "%s/new/%s", postfix->maildir, entry->d_name);
    return read_file(path, &len);
}

static DIR *open_new(const struct postfix *postfix)
{
    char path[512];
    snprintf(path, sizeof path, "%s/new", postfix->maildir);
    DIR *directory = opendir(path);
    expect_true(directory != NULL);
    return directory;
}

size_t postfix_has(const struct postfix *postfix, const struct letter *letter, const char *words)
{
    size_t count = 0;
    DIR *directory = open_new(postfix);
    for (char *mail; (mail = next_mail(postfix, directory)) != NULL; free(mail)) {
        count += is_copy(mail, letter, words);
    }
    closedir(directory);
    return count;
}

char *postfix_find(const struct postfix *postfix, const char *words)
{
    DIR *directory = open_new(postfix);
    char *mail;
    while ((mail = next_mail(postfix, directory)) != NULL && strstr(mail, words) == NULL) {
        free(mail);
    }
    closedir(directory);
    return mail;
}
