/* stages.c - see stages.h. */
#include "tests/failures/stages.h"

#include "common/address.h"
#include "common/net.h"
#include "server/smtp_mailbox.h"
#include "tests/support/files.h"
#include "tests/support/test.h"

#include <errno.h>
#include <stdio.h>

static const char *const letters[LETTERS + 1] = {
    "",
    "Subject: letter 1\r\n\r\n.Body of one\r\n",
    "Subject: letter 2\r\n\r\nBody of two\r\n",
    "Subject: letter 3\r\n\r\nBody of three\r\n",
    "Subject: letter 4\r\n\r\nBody of four\r\n",
    "Subject: letter 5\r\n\r\nBody of five\r\n",
    "Subject: letter 6\r\n\r\nBody of six\r\n",
    "Subject: letter 7\r\n\r\nBody of seven\r\n",
    "Subject: letter 8\r\n\r\nBody of eight\r\n",
};

const struct smtp_client_credentials stage_credentials = {
    .identity = "ann", .password = "secret", .token = "secret", .plain_without_tls = true};

const char *stage_letter(size_t i)
{
    return letters[i];
}

const struct smtp_envelope *stage_envelope(void)
{
    static const char *const to[] = {"bob@example.com"};
    static const struct smtp_envelope envelope = {
        .reverse_path = "ann@example.com", .forward_paths = to, .forward_path_count = 1};
    return &envelope;
}

void stage_told(struct stage *stage, size_t i, enum smtp_status status)
{
    stage->letters[i].tried = true;
    stage->letters[i].status = status;
}

void stage_defaults(struct stage *stage)
{
    smtp_server_options_init(&stage->options);
    smtp_client_options_init(&stage->client);
    stage->options.tls.mode = SMTP_SERVER_TLS_OFF;
    stage->client.timeouts = (struct smtp_client_timeouts){
        .connect_ms = STAGE_WAIT_MS,
        .greeting_ms = STAGE_WAIT_MS,
        .handshake_ms = STAGE_WAIT_MS,
        .command_ms = STAGE_WAIT_MS,
        .data_ms = STAGE_WAIT_MS,
        .content_ms = STAGE_WAIT_MS,
        .final_ms = STAGE_WAIT_MS,
        .quit_ms = STAGE_WAIT_MS,
    };
}

void stage_start(struct stage *stage)
{
    struct smtp_error error = {0};
    if (smtp_server_new(&stage->server, &stage->options, &error) != SMTP_OK ||
        smtp_server_start(stage->server, &error) != SMTP_OK) {
        SMTP_TEST_FAIL("%s", error.message);
    }
    snprintf(stage->address, sizeof stage->address, "%s%s",
             smtp_server_is_lmtp(stage->server, 0) ? "lmtp://" : "",
             smtp_server_address(stage->server, 0));
}

int stage_listen(struct stage *stage)
{
    struct smtp_address address;
    int listener = -1;
    expect_int(smtp_address_parse("127.0.0.1:0", 0, &address, NULL), SMTP_OK);
    expect_int(smtp_net_listen(&address, &listener, NULL), SMTP_OK);
    smtp_address_of_socket(listener, false, &address);
    smtp_address_format(&address, stage->address);
    return listener;
}

void stage_make_folder(struct stage *stage)
{
    smtp_make_directory(stage->folder);
}

void stage_secure(struct stage *stage)
{
    static struct smtp_identity *identity;
    struct smtp_error error = {0};
    if (identity == NULL && smtp_identity_new(&identity, NULL, &error) != SMTP_OK) {
        SMTP_TEST_FAIL("%s", error.message);
    }
    stage->options.tls.mode = SMTP_SERVER_TLS_OFFERED;
    stage->options.tls.identity = identity;
    stage->client.tls.policy = SMTP_CLIENT_TLS_REQUIRED;
    stage->client.tls.ca_pem = smtp_identity_ca_pem(identity);
}

void stage_ask_login(struct stage *stage, const char *mechanisms)
{
    static const struct smtp_server_user users[] = {{"ann", "secret"}};
    stage->options.auth.users = users;
    stage->options.auth.user_count = 1;
    stage->options.auth.required = true;
    stage->options.auth.mechanisms = mechanisms;
    stage->options.auth.plain_without_tls = true;
}

/* ---- sending ---- */

struct smtp_client *stage_connect(struct stage *stage, size_t i)
{
    struct smtp_client *client = NULL;
    enum smtp_status status = smtp_client_new(&client, &stage->client);
    if (status == SMTP_OK) {
        status = smtp_client_connect(client, stage->address, 0);
    }
    if (status != SMTP_OK) {
        stage_told(stage, i, status);
        smtp_client_free(client);
        client = NULL;
    }
    return client;
}

enum smtp_status stage_send(struct stage *stage, struct smtp_client *client, size_t i)
{
    enum smtp_status status =
        smtp_client_send(client, stage_envelope(), smtp_content_text(letters[i]), NULL);
    stage_told(stage, i, status);
    return status;
}

void stage_send_two(struct stage *stage)
{
    struct smtp_client *client = NULL;
    enum smtp_status status = smtp_client_new(&client, &stage->client);
    for (size_t i = 1; i <= 2; i++) {
        if (client != NULL && !smtp_client_is_connected(client)) {
            status = smtp_client_connect(client, stage->address, 0);
        }
        if (client != NULL && smtp_client_is_connected(client)) {
            (void)stage_send(stage, client, i);
        } else {
            stage_told(stage, i, status);
        }
    }
    if (client != NULL) {
        (void)smtp_client_quit(client);
    }
    smtp_client_free(client);
}

/* ---- judging ---- */

void stage_judge_letter(struct stage *stage, size_t i, unsigned times)
{
    if (!stage->letters[i].tried) {
        if (times > 0) {
            stage_wrong(stage, "letter %zu came, and was never sent", i);
        }
        return;
    }
    enum smtp_status status = stage->letters[i].status;
    bool may_be = status == SMTP_OK || status == SMTP_DELIVERY_UNKNOWN;
    bool may_not = status != SMTP_OK;
    if (times > 1 || (times == 1 && !may_be) || (times == 0 && !may_not)) {
        stage_wrong(stage, "letter %zu is there %u times, its sender was told %s", i, times,
                    smtp_status_name(status));
    }
    if (stage->must_hold && status != SMTP_OK) {
        stage_wrong(stage, "letter %zu: %s", i, smtp_status_name(status));
    }
    if (status == SMTP_TIMED_OUT || status == SMTP_PROTOCOL_VIOLATION ||
        status == SMTP_REFUSED_PERMANENT || status == SMTP_BAD_STATE ||
        (status == SMTP_BAD_ARGUMENT && stage->how == ENOMEM)) { /* what was asked was right */
        stage_wrong(stage, "letter %zu: its sender was told %s", i, smtp_status_name(status));
    }
}

static size_t number_of(const struct smtp_message *message)
{
    size_t len = 0;
    const char *content = smtp_message_content(message, &len);
    size_t i = LETTERS + 1, own = 0;
    do { /* a relay puts its trace before it */
        own = strlen(letters[--i]);
    } while (i > 0 && (own > len || memcmp(letters[i], content + len - own, own) != 0));
    return own == len || strncmp(content, "Received: ", 10) == 0 ? i : 0;
}

static unsigned times_captured(struct stage *stage, size_t wanted)
{
    struct smtp_mailbox *mailbox = smtp_server_mailbox(stage->server);
    struct smtp_message *message;
    unsigned times = 0;
    for (uint64_t i = 1; (message = smtp_mailbox_get(mailbox, i)) != NULL; i++) {
        times += number_of(message) == wanted;
        smtp_message_release(message);
    }
    return times;
}

void stage_judge(struct stage *stage)
{
    if (times_captured(stage, 0) > 0) {
        stage_wrong(stage, "a message is there that nobody has sent");
    }
    for (size_t i = 1; i <= LETTERS; i++) {
        stage_judge_letter(stage, i, times_captured(stage, i));
    }
}

void stage_send_another(struct stage *stage)
{
    struct smtp_client *client = NULL;
    enum smtp_status status = smtp_client_new(&client, &stage->client);
    const char *why = "";
    if (status == SMTP_OK) {
        status = smtp_client_connect(client, stage->address, 0);
    }
    if (status == SMTP_OK && stage->options.auth.user_count > 0) {
        status = smtp_client_auth(client, &stage_credentials);
    }
    if (status == SMTP_OK) {
        status =
            smtp_client_send(client, stage_envelope(), smtp_content_text(letters[LETTERS]), NULL);
    }
    if (client != NULL) {
        why = smtp_client_error(client)->message;
    }
    if (status != SMTP_OK) {
        stage_wrong(stage, "another letter afterwards: %s %s", smtp_status_name(status), why);
    }
    stage_told(stage, LETTERS, status);
    smtp_client_free(client);
}

void stage_end(struct stage *stage)
{
    smtp_server_free(stage->server);
    if (stage->folder[0] != '\0') {
        smtp_remove_directory(stage->folder);
    }
}

void stage_finish(struct stage *stage)
{
    stage_send_another(stage);
    smtp_server_stop(stage->server, 1000);
    stage_judge(stage);
    stage_end(stage);
}
