/* serve_test.c - the program's verb `serve` between others: what it delivers is read by Python, and it is started
 * on sockets that are there already. */
#include "client/smtp_client.h"
#include "tests/peers/letters.h"
#include "tests/peers/program.h"
#include "tests/support/test.h"

#include <stdio.h>

#define SECONDS 60
#define READY_MS 10000

/** Where the words are in what it says, from *at on; moves *at behind them. */
static const char *hear(struct program *program, size_t *at, const char *words)
{
    ssize_t place = program_says(program, *at, words, READY_MS);
    if (place < 0) {
        SMTP_TEST_FAIL("%s did not say \"%s\": %s", program->name, words, program->said + *at);
    }
    *at = (size_t)place + strlen(words);
    return program->said + *at;
}

static void send_letters(const char *address, const struct letter letters[LETTER_COUNT])
{
    const char *to[] = {"bob@example.com", "carol@example.com"};
    struct smtp_envelope envelope = {.reverse_path = "ann@example.org", .forward_paths = to};
    struct smtp_client *client;
    expect_int(smtp_client_new(&client, NULL), SMTP_OK);
    expect_int(smtp_client_connect(client, address, 0), SMTP_OK);
    for (size_t i = 0; i < LETTER_COUNT; i++) {
        struct smtp_content content = smtp_content_memory(letters[i].octets, letters[i].len);
        envelope.forward_path_count = 1 + i % 2;
        expect_int(smtp_client_send(client, &envelope, content, NULL), SMTP_OK);
    }
    smtp_client_free(client);
}

/** What the reader printed is these letters with LF line ends, each with its sender, and its recipient where it has one alone. */
static void expect_read(const struct program *reader, const struct letter letters[LETTER_COUNT])
{
    const char *at = reader->said;
    for (size_t i = 0; i < LETTER_COUNT; i++) {
        size_t len;
        char head[256], *text = letter_with_lf(&letters[i], &len);
        snprintf(head, sizeof head, "from <ann@example.org>\n%soctets %zu\n",
                 i % 2 == 0 ? "to bob@example.com\n" : "", len);
        size_t left = reader->said_len - (size_t)(at - reader->said);
        expect_true(left >= strlen(head) + len);
        expect_bytes(at, strlen(head), head, strlen(head));
        expect_bytes(at + strlen(head), len, text, len);
        at += strlen(head) + len;
        free(text);
    }
    expect_int(reader->said_len, at - reader->said);
}

TEST_WITHIN(peers, python_reads_the_maildir_that_serve_delivers_into, SECONDS)
{
    struct letter letters[LETTER_COUNT];
    struct program serve, reader;
    char *directory = make_directory(), maildir[128], address[64];
    snprintf(maildir, sizeof maildir, "%s/Mail", directory);
    letters_make(letters);
    program_start(&serve, (const char *[]){SMTP_HARNESS, "serve", "--maildir", maildir,
                                           "--exit-after", "4", "--idle-exit", "20", NULL});
    size_t at = 0;
    hear(&serve, &at, "listening on smtp://");
    size_t begin = at;
    hear(&serve, &at, "\n");
    snprintf(address, sizeof address, "%.*s", (int)(at - 1 - begin), serve.said + begin);
    send_letters(address, letters);
    expect_int(program_wait(&serve), 0);
    program_start(&reader, (const char *[]){"/usr/bin/python3", PEERS_SOURCE "/read_maildir.py",
                                            maildir, NULL});
    int status = program_wait(&reader);
    if (status != 0) {
        SMTP_TEST_FAIL("read_maildir.py ended with %d: %s", status, reader.said);
    }
    expect_read(&reader, letters);
    program_free(&reader);
    program_free(&serve);
    remove_directory(directory);
    letters_free(letters);
}

TEST_WITHIN(peers, serve_takes_the_sockets_that_its_parent_listens_on, SECONDS)
{
    struct program serve;
    unsigned ports[3];
    char words[64];
    program_start(&serve, (const char *[]){"/usr/bin/python3", PEERS_SOURCE "/activate.py", "smtp",
                                           "smtps", "lmtp", "--", SMTP_HARNESS, "serve", "--json",
                                           "--exit-after", "1", "--idle-exit", "20", NULL});
    size_t at = 0;
    for (size_t i = 0; i < 3; i++) {
        ports[i] = (unsigned)strtoul(hear(&serve, &at, "port "), NULL, 10);
    }
    hear(&serve, &at, "\"listening\":[");
    snprintf(words, sizeof words, "\"smtp://127.0.0.1:%u\"", ports[0]);
    hear(&serve, &at, words);
    snprintf(words, sizeof words, ",\"smtps://127.0.0.1:%u\"", ports[1]);
    hear(&serve, &at, words);
    snprintf(words, sizeof words, ",\"lmtp://127.0.0.1:%u\"]", ports[2]);
    hear(&serve, &at, words);
    hear(&serve, &at, "\"text\":\"before it was there\\n\"");
    expect_int(program_wait(&serve), 0);
    program_free(&serve);
}
