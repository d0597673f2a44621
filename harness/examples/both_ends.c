/* both_ends.c - both halves of the article in one process: a server on its own thread, a client
 * that sends to it, and a look at what was captured. */
#include "smtp_harness.h"

#include <stdio.h>

int main(void)
{
    struct smtp_error error;
    struct smtp_harness *harness = smtp_harness_start(NULL, &error);
    if (harness == NULL) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    const char *to[] = {"bob@example.com"};
    struct smtp_envelope envelope = {
        .reverse_path = "ann@example.com", .forward_paths = to, .forward_path_count = 1};
    struct smtp_content content = smtp_content_text("From: Ann <ann@example.com>\n"
                                                    "To: Bob <bob@example.com>\n"
                                                    "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\n\n"
                                                    "Hello Bob,\nboth ends are one program.\n");
    struct smtp_client *client = smtp_harness_client(harness);
    const struct smtp_harness_message *message = NULL;
    if (client != NULL && smtp_client_send(client, &envelope, content, NULL) != SMTP_OK) {
        fprintf(stderr, "%s\n", smtp_client_error(client)->message);
    } else if (client != NULL) {
        message = smtp_harness_wait(harness, "to=bob@example.com");
    }
    if (message != NULL) {
        printf("From: %s\nTo: %s\nSubject: %s\n\n%s", smtp_harness_header(message, "From"),
               smtp_harness_header(message, "To"), smtp_harness_header(message, "Subject"),
               smtp_harness_text(message));
    } else {
        fprintf(stderr, "%s\n", smtp_harness_failure(harness));
    }
    smtp_harness_stop(harness);
    return message != NULL ? 0 : 1;
}
