/* scenarios_peers.c - the client against scripted servers that no real one would want to be: gone
 * at the worst moment, slow, wordy, absent. */
#include "common/address.h"
#include "harness/selftest/scenarios.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

/** A scripted peer and a client connected to it. */
struct pair {
    struct smtp_peer *peer;
    struct smtp_client *client;
};

static bool open_pair(struct smtp_trial *trial, const struct smtp_peer_step *steps,
                      size_t step_count, struct pair *pair)
{
    struct smtp_client_options options;
    smtp_client_options_init(&options);
    options.helo_name = "client.test";
    pair->peer = smtp_trial_peer(trial, steps, step_count);
    pair->client = pair->peer != NULL ? smtp_trial_client(trial, &options) : NULL;
    return pair->client != NULL &&
           smtp_trial_is_status(trial, "smtp_client_connect",
                                smtp_client_connect(pair->client, smtp_peer_address(pair->peer), 0),
                                SMTP_OK, pair->client);
}

/** The script was played to its end, and this is every octet the peer was sent. */
static bool stage_is(struct smtp_trial *trial, const struct smtp_send_result *result,
                     enum smtp_client_stage stage)
{
    return smtp_trial_is_text(trial, "the stage", smtp_client_stage_name(result->stage),
                              smtp_client_stage_name(stage));
}

/** What a message to BOB looks like in lock-step, around its content. */
#define TALK(content)                                                                              \
    "EHLO client.test\r\nMAIL FROM:<" ANN ">\r\nRCPT TO:<" BOB ">\r\nDATA\r\n" content ".\r\n"

static const struct smtp_peer_step gone_mid_data[] = {
    SAY("220 peer.test ESMTP\r\n"), HEAR("EHLO client.test\r\n"),
    SAY("250 peer.test\r\n"),       HEAR("\r\n"),
    SAY("250 sender\r\n"),          HEAR("\r\n"),
    SAY("250 recipient\r\n"),       HEAR("DATA\r\n"),
    SAY("354 go on\r\n"),           HEAR("the first line\r\n"),
};

static bool server_gone_mid_data(struct smtp_trial *trial)
{
    struct pair pair;
    struct smtp_envelope envelope = {
        .reverse_path = ANN, .forward_paths = (const char *[]){BOB}, .forward_path_count = 1};
    const struct smtp_send_result *result = NULL;
    size_t size = (size_t)16 << 20; /* more than both socket buffers take */
    char *content = smtp_trial_alloc(trial, size);
    if (content == NULL || !open_pair(trial, gone_mid_data, COUNT(gone_mid_data), &pair)) {
        return false;
    }
    memset(content, 'x', size);
    memcpy(content, "the first line\n", strlen("the first line\n"));
    enum smtp_status status =
        smtp_client_send(pair.client, &envelope, smtp_content_memory(content, size), &result);
    return smtp_trial_is_status(trial, "smtp_client_send", status, SMTP_CLOSED, pair.client) &&
           stage_is(trial, result, SMTP_STAGE_CONTENT) &&
           smtp_trial_is_true(trial, "the client is not connected any more",
                              !smtp_client_is_connected(pair.client));
}

static const struct smtp_peer_step gone_after_dot[] = {
    SAY("220 peer.test ESMTP\r\n"), HEAR("EHLO client.test\r\n"),
    SAY("250 peer.test\r\n"),       HEAR("\r\n"),
    SAY("250 sender\r\n"),          HEAR("\r\n"),
    SAY("250 recipient\r\n"),       HEAR("DATA\r\n"),
    SAY("354 go on\r\n"),           HEAR("\r\n.\r\n"),
};

static bool server_gone_after_dot(struct smtp_trial *trial)
{
    struct pair pair;
    struct smtp_envelope envelope = {
        .reverse_path = ANN, .forward_paths = (const char *[]){BOB}, .forward_path_count = 1};
    const struct smtp_send_result *result = NULL;
    if (!open_pair(trial, gone_after_dot, COUNT(gone_after_dot), &pair)) {
        return false;
    }
    enum smtp_status status =
        smtp_client_send(pair.client, &envelope, smtp_content_text("once\n"), &result);
    return smtp_trial_is_status(trial, "smtp_client_send", status, SMTP_DELIVERY_UNKNOWN,
                                pair.client) &&
           stage_is(trial, result, SMTP_STAGE_DOT) &&
           smtp_trial_is_status(trial, "the recipient", result->recipients[0].status,
                                SMTP_DELIVERY_UNKNOWN, NULL) &&
           smtp_trial_is_number(trial, "accepted", result->accepted_count, 0) &&
           smtp_peer_heard(trial, pair.peer, SMTP_SPAN(TALK("once\r\n")));
}

static const struct smtp_peer_step dripping[] = {
    DRIP("220 peer.test ESMTP\r\n"),
    HEAR("EHLO client.test\r\n"),
    DRIP("250-peer.test\r\n250-ENHANCEDSTATUSCODES\r\n250 8BITMIME\r\n"),
    HEAR("\r\n"),
    DRIP("250 2.1.0 sender\r\n"),
    HEAR("\r\n"),
    DRIP("250 2.1.5 recipient\r\n"),
    HEAR("DATA\r\n"),
    DRIP("354 go on\r\n"),
    HEAR("\r\n.\r\n"),
    DRIP("250-2.0.0 taken\r\n250 2.0.0 as number 7\r\n"),
    HEAR("QUIT\r\n"),
    DRIP("221 2.0.0 bye\r\n"),
};

static bool reply_in_single_octets(struct smtp_trial *trial)
{
    struct pair pair;
    return open_pair(trial, dripping, COUNT(dripping), &pair) &&
           smtp_trial_send(trial, pair.client, BOB, smtp_content_text("slow\n"), SMTP_OK, 250) &&
           smtp_trial_is_text(trial, "the reply's text", smtp_client_reply(pair.client)->text,
                              "taken\nas number 7") &&
           smtp_trial_is_true(trial, "8BITMIME is known",
                              smtp_client_has_extension(pair.client, "8BITMIME")) &&
           smtp_trial_is_status(trial, "QUIT", smtp_client_quit(pair.client), SMTP_OK,
                                pair.client) &&
           smtp_peer_heard(trial, pair.peer, SMTP_SPAN(TALK("slow\r\n") "QUIT\r\n"));
}

static const struct smtp_peer_step wordy[] = {
    SAY("220-peer.test welcomes you\r\n220-at length\r\n220 now speak\r\n"),
    HEAR("EHLO client.test\r\n"),
    SAY("250 peer.test\r\n"),
    HEAR("\r\n"),
    SAY("250-sender\r\n250 noted\r\n"),
    HEAR("\r\n"),
    SAY("250-recipient\r\n250-noted\r\n250\r\n"), /* a last line of the code alone, 4.2.1 */
    HEAR("DATA\r\n"),
    SAY("354-well then\r\n354 go on\r\n"),
    HEAR("\r\n.\r\n"),
    SAY("250-one\r\n250-two\r\n250 three\r\n"),
    HEAR("QUIT\r\n"),
    SAY("221-good\r\n221 bye\r\n"),
};

static bool multi_line_replies(struct smtp_trial *trial)
{
    /* RFC 5321 4.2: to any command, the greeting and the end of data included */
    struct pair pair;
    return open_pair(trial, wordy, COUNT(wordy), &pair) &&
           smtp_trial_is_text(trial, "the greeting", smtp_client_reply(pair.client)->text,
                              "peer.test welcomes you\nat length\nnow speak") &&
           smtp_trial_send(trial, pair.client, BOB, smtp_content_text("words\n"), SMTP_OK, 250) &&
           smtp_trial_is_text(trial, "the last reply", smtp_client_reply(pair.client)->text,
                              "one\ntwo\nthree") &&
           smtp_trial_is_status(trial, "QUIT", smtp_client_quit(pair.client), SMTP_OK,
                                pair.client) &&
           smtp_peer_heard(trial, pair.peer, SMTP_SPAN(TALK("words\r\n") "QUIT\r\n"));
}

static const struct smtp_peer_step answers_after_the_group[] = {
    SAY("220 peer.test ESMTP\r\n"),
    HEAR("EHLO client.test\r\n"),
    SAY("250-peer.test\r\n250 PIPELINING\r\n"),
    HEAR("\r\nDATA\r\n"), /* a client that waits for the reply to MAIL never gets here */
    SAY("250 sender\r\n250 recipient\r\n354 go on\r\n"),
    HEAR("\r\n.\r\n"),
    SAY("250 taken\r\n"),
};

static bool pipelined_group(struct smtp_trial *trial)
{
    /* RFC 2920 3.1: MAIL, RCPT and DATA before any of their replies; content after 354 */
    struct pair pair;
    return open_pair(trial, answers_after_the_group, COUNT(answers_after_the_group), &pair) &&
           smtp_trial_send(trial, pair.client, BOB, smtp_content_text("group\n"), SMTP_OK, 250) &&
           smtp_peer_heard(trial, pair.peer, SMTP_SPAN(TALK("group\r\n")));
}

static const struct smtp_peer_step leaves_after_421[] = {
    SAY("220 peer.test ESMTP\r\n"),  HEAR("EHLO client.test\r\n"),
    SAY("250 peer.test\r\n"),        HEAR("\r\n"),
    SAY("421 4.3.2 going down\r\n"),
};

static bool server_shuts_down_at_mail(struct smtp_trial *trial)
{
    /* RFC 5321 3.8: 421 in any state is a failure for now */
    struct pair pair;
    return open_pair(trial, leaves_after_421, COUNT(leaves_after_421), &pair) &&
           smtp_trial_send(trial, pair.client, BOB, smtp_content_text("later\n"),
                           SMTP_REFUSED_TRANSIENT, 421);
}

static const struct smtp_peer_step no_smtp[] = {SAY("HTTP/1.1 400 Bad Request\r\n\r\n")};

static bool not_an_smtp_server(struct smtp_trial *trial)
{
    struct smtp_peer *peer = smtp_trial_peer(trial, no_smtp, COUNT(no_smtp));
    struct smtp_client *client = peer != NULL ? smtp_trial_client(trial, NULL) : NULL;
    return client != NULL &&
           smtp_trial_is_status(trial, "smtp_client_connect",
                                smtp_client_connect(client, smtp_peer_address(peer), 0),
                                SMTP_PROTOCOL_VIOLATION, client) &&
           smtp_peer_heard(trial, peer, SMTP_SPAN(""));
}

/** Binds a port and does not listen on it: nobody else can, and connecting is refused. */
static int reserve_port(struct smtp_address *address)
{
    struct sockaddr_in loopback = {.sin_family = AF_INET,
                                   .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && bind(fd, (struct sockaddr *)&loopback, sizeof loopback) != 0) {
        close(fd);
        return -1;
    }
    if (fd >= 0) {
        smtp_address_of_socket(fd, false, address);
    }
    return fd;
}

static bool nothing_listening(struct smtp_trial *trial)
{
    struct smtp_address address;
    char port[8];
    struct smtp_client *client = smtp_trial_client(trial, NULL);
    int fd = client != NULL ? reserve_port(&address) : -1;
    if (fd < 0) {
        return smtp_trial_fail(trial, "no port can be bound");
    }
    snprintf(port, sizeof port, "%u", address.port);
    enum smtp_status status = smtp_client_connect(client, "127.0.0.1", address.port);
    close(fd);
    const char *message = smtp_client_error(client)->message;
    return smtp_trial_is_status(trial, "smtp_client_connect", status, SMTP_CONNECT_FAILED,
                                client) &&
           smtp_trial_holds(trial, "the error names the host", message, "127.0.0.1") &&
           smtp_trial_holds(trial, "the error names the port", message, port) &&
           smtp_trial_holds(trial, "the error names the reason", message, "refused");
}

static const struct smtp_scenario rows[] = {
    {"nothing-listening", "", "the error says host, port and the reason", nothing_listening},
    {"not-an-smtp-server", "5321 4.2", "an HTTP server greets; nothing is said to it",
     not_an_smtp_server},
    {"pipelined-group", "2920 3.1", "MAIL, RCPT and DATA in one write", pipelined_group},
    {"multi-line-replies", "5321 4.2.1", "every reply on several lines", multi_line_replies},
    {"reply-in-single-octets", "5321 4.2", "every reply octet by octet", reply_in_single_octets},
    {"server-shuts-down-at-mail", "5321 3.8", "421 to MAIL is a failure for now",
     server_shuts_down_at_mail},
    {"server-gone-mid-data", "5321 3.8", "the connection ends inside the content",
     server_gone_mid_data},
    {"server-gone-after-dot", "1047", "no reply to the dot: unknown whether delivered",
     server_gone_after_dot},
};
const struct smtp_scenario_table smtp_scenarios_peers = {rows, sizeof rows / sizeof *rows};
