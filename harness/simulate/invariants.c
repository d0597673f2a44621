/* invariants.c - see invariants.h. */
#include "harness/simulate/invariants.h"

/* In the mailbox once at most, whole, and only what was given whole. */
static void check_kept(struct smtp_sim_run *run, struct smtp_message *message)
{
    size_t len = 0, number = smtp_sim_letter_number(smtp_message_reverse_path(message));
    const char *content = smtp_message_content(message, &len);
    struct smtp_sim_letter *letter = &run->letters[number];
    struct smtp_span expected = smtp_buffer_span(&letter->expected);
    letter->kept++;
    if (letter->disturbed) {
        return; /* a client that was told what was not so may have ended it with a dot alone */
    }
    if (!letter->given || letter->unended) {
        smtp_sim_breach(run, "message %zu is in the mailbox, and its client never ended it",
                        number);
    }
    if (!smtp_span_equal((struct smtp_span){content, len}, expected)) {
        size_t at = 0;
        while (at < len && at < expected.len && content[at] == expected.bytes[at]) {
            at++;
        }
        smtp_sim_breach(run,
                        "message %zu is not what was sent: %zu octets in place of %zu, the first "
                        "that differs at %zu",
                        number, len, expected.len, at);
    }
}

static bool is_refusal(enum smtp_status status)
{
    return status == SMTP_REFUSED_TRANSIENT || status == SMTP_REFUSED_PERMANENT;
}

/* The client says what is so: who has it, that nobody has it, or that it cannot know. */
static void check_told(struct smtp_sim_run *run, const struct smtp_sim_letter *letter)
{
    const char *name = smtp_status_name(letter->status);
    const unsigned all = (1u << letter->envelope.forward_path_count) - 1;
    bool accepted = letter->status == SMTP_OK || letter->status == SMTP_PARTLY_REFUSED;
    if (!letter->begun) {
        if (letter->kept > 0) {
            smtp_sim_breach(run, "message %zu is in the mailbox, and was never begun",
                            letter->number);
        }
        return;
    }
    if (!letter->answered) {
        smtp_sim_breach(run, "message %zu: the client never told what became of it",
                        letter->number);
        return;
    }
    if (letter->status == SMTP_DELIVERY_UNKNOWN && letter->unended) {
        smtp_sim_breach(run, "message %zu: the client does not know, though it never ended it",
                        letter->number);
    }
    if (run->plan.is_calm && letter->status != SMTP_OK) {
        smtp_sim_breach(run, "message %zu: %s, though nothing went wrong", letter->number, name);
    }
    if (letter->disturbed) {
        return; /* it was told what was not so */
    }
    if (accepted && letter->kept == 0) {
        smtp_sim_breach(run, "message %zu: %s, and it is not in the mailbox", letter->number, name);
    }
    if (!accepted && letter->status != SMTP_DELIVERY_UNKNOWN && letter->kept > 0) {
        smtp_sim_breach(run, "message %zu: %s, and it is in the mailbox", letter->number, name);
    }
    if (letter->status == SMTP_OK && letter->taken != all) {
        smtp_sim_breach(run, "message %zu: %s, and only recipients %#x of %#x have it",
                        letter->number, name, letter->taken, all);
    }
    if (accepted && letter->taken != letter->kept_for) {
        smtp_sim_breach(run,
                        "message %zu: the client says recipients %#x have it, and the server keeps "
                        "it for %#x",
                        letter->number, letter->taken, letter->kept_for);
    }
}

static void count(struct smtp_sim_run *run, const struct smtp_sim_letter *letter)
{
    struct smtp_sim_counts *counts = run->counts;
    counts->messages++;
    counts->kept += letter->kept;
    counts->refused += is_refusal(letter->status);
    counts->unknown += letter->status == SMTP_DELIVERY_UNKNOWN;
}

void smtp_sim_check_letters(struct smtp_sim_run *run)
{
    struct smtp_mailbox_cursor cursor = run->before;
    struct smtp_message *message;
    while (smtp_mailbox_next(run->mailbox, &cursor, NULL, NULL, 0, &message) == SMTP_OK) {
        check_kept(run, message);
        smtp_message_release(message);
    }
    for (size_t i = 0; i < run->letter_count; i++) {
        const struct smtp_sim_letter *letter = &run->letters[i];
        if (letter->kept > 1) {
            smtp_sim_breach(run, "message %zu is in the mailbox %u times", i, letter->kept);
        }
        check_told(run, letter);
        count(run, letter);
    }
}
