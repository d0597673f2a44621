/* smuggle.c - see smuggle.h. */
#include "harness/conformance/smuggle.h"

#include "harness/conformance/arrivals.h"
#include "harness/conformance/settled.h"

#define SMUGGLED_REPLIES 3 /* to MAIL, RCPT and DATA */
#define SEQUENCES_MAX 4    /* of one scenario */
#define BEHIND "The second."

/** What stands behind the sequence; the code of a reply that comes before the true end, 0: none. */
static int write_behind(struct smtp_talk *talk)
{
    struct smtp_check *check = talk->check;
    smtp_talk_write(talk, "MAIL FROM:<%s>\r\nRCPT TO:<%s>\r\nDATA\r\n%s" BEHIND, check->sender,
                    check->recipient, smtp_ask_header(check));
    return smtp_talk_read_if(talk, check->quiet_ms);
}

/** The content up to the sequence, first alone: whoever sees its end there says so, or refuses what comes behind it where that
 *  is in the same packet. */
static int write_content(struct smtp_talk *talk, struct smtp_span sequence)
{
    struct smtp_check *check = talk->check;
    smtp_talk_write(talk, "%sThe first.", smtp_ask_header(check));
    smtp_talk_put(talk, sequence);
    int early = smtp_talk_read_if(talk, check->quiet_ms);
    return early != 0 || smtp_talk_is_over(talk) ? early : write_behind(talk);
}

/** A reply before the true end that accepts: how far did it go? */
static void fail_early(struct smtp_talk *talk, struct smtp_span sequence)
{
    struct smtp_check *check = talk->check;
    const char *shown = smtp_check_show(check, sequence);
    const char *first = smtp_check_show(check, talk->reply.octets);
    bool took_data = write_behind(talk) == 354;
    for (int i = 1; i < SMUGGLED_REPLIES && !took_data; i++) {
        took_data = smtp_talk_read_if(talk, check->quiet_ms) == 354;
    }
    smtp_check_fail(check, "%s: %s was taken for the end of the content (%s)%s",
                    took_data ? "exploitable" : "not strict", shown, first,
                    took_data ? ", and the commands behind it were carried out up to DATA"
                              : "; what stood behind it was not carried out");
}

/** One reply to QUIT, no more; a server may also have closed, saying nothing else. */
static void look_at_step(struct smtp_talk *talk, struct smtp_span sequence)
{
    struct smtp_check *check = talk->check;
    smtp_talk_line(talk, "QUIT");
    int code = smtp_talk_read_if(talk, SMTP_TALK_ANY_TIME);
    smtp_check_that(check, code == 221 || code == 421 || (code == 0 && smtp_talk_is_over(talk)),
                    "expected 221 to QUIT after the message with %s, came %s: out of step",
                    smtp_check_show(check, sequence), smtp_check_show(check, talk->reply.octets));
}

/** What was taken arrives whole: else the reply was to an end that is none, late, and what came behind it is lost. */
static void look_at_whole(struct smtp_check *check, struct smtp_span sequence, size_t before)
{
    struct smtp_arrival arrivals[SEQUENCES_MAX];
    if (before == SEQUENCES_MAX || !smtp_arrivals_wait_many(check, arrivals, before + 1)) {
        return;
    }
    for (size_t i = 0; i <= before; i++) {
        smtp_check_that(
            check, smtp_span_has(arrivals[i].content, BEHIND),
            "not strict: %s was taken for the end of the content: what stands behind it "
            "did not arrive",
            smtp_check_show(check, sequence));
    }
}

/** Nothing arrives that was hidden, and of what was refused nothing at all. before: what had arrived earlier. */
static void look_at_arrivals(struct smtp_check *check, struct smtp_span sequence, size_t before,
                             bool refused)
{
    size_t count = smtp_settled(check) - before;
    smtp_check_that(check, count <= 1, "exploitable: a second message arrived behind %s",
                    smtp_check_show(check, sequence));
    smtp_check_that(
        check, count == 0 || !refused,
        "not strict: %s was taken for the end of the content: what stands before it arrived, and "
        "the rest was refused",
        smtp_check_show(check, sequence));
}

void smtp_smuggle(struct smtp_check *check, struct smtp_span sequence)
{
    bool sees_arrivals = check->options->arrivals != NULL;
    size_t before = sees_arrivals && check->message_count > 0 ? smtp_arrivals_settled(check) : 0;
    struct smtp_talk *talk = smtp_ask_hello(check);
    smtp_ask_data(talk);
    int early = write_content(talk, sequence);
    bool refused = early / 100 == 4 || early / 100 == 5;
    if (early / 100 == 2) {
        fail_early(talk, sequence);
    }
    if (early == 0 && !smtp_talk_is_over(talk)) { /* else it is refused already */
        smtp_talk_write(talk, "\r\n.\r\n");
        refused = smtp_talk_expect(talk, "250 4yz 5yz") / 100 != 2;
    }
    if (!smtp_talk_is_over(talk)) {
        look_at_step(talk, sequence);
    }
    if (sees_arrivals && !refused) {
        look_at_whole(check, sequence, before);
    }
    if (sees_arrivals) {
        look_at_arrivals(check, sequence, before, refused);
    }
}
