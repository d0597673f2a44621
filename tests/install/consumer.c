/* consumer.c - what a project that uses the installed libraries writes; it knows nothing of this
 * one. Uses all three faces: a harness, its server's mailbox, and the client connected to it. */
#include <smtp_client.h>
#include <smtp_harness.h>
#include <smtp_server.h>
#include <stdio.h>

int main(void)
{
    struct smtp_harness *harness = smtp_harness_start(NULL, NULL);
    struct smtp_client *client = harness != NULL ? smtp_harness_client(harness) : NULL;
    const char *to[] = {"bob@example.com"};
    struct smtp_envelope envelope = {
        .reverse_path = "ann@example.com", .forward_paths = to, .forward_path_count = 1};
    bool sent = client != NULL &&
                smtp_client_send(client, &envelope, smtp_content_text("Subject: hi\n\nHello\n"),
                                 NULL) == SMTP_OK;
    bool captured = sent && smtp_mailbox_count(smtp_harness_mailbox(harness)) == 1 &&
                    smtp_harness_wait(harness, "to=bob@example.com subject=hi") != NULL;
    smtp_harness_stop(harness);
    puts(captured ? "captured" : "nothing captured");
    return !captured;
}
