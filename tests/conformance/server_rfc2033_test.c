/* server_rfc2033_test.c - the rules of RFC 2033 for servers (LMTP) can fail, and hold where they are kept. */
#include "tests/conformance/server_proof.h"
#include "tests/support/test.h"

#define LHLO(keyword)                                                                              \
    "S: 220 a.test\nC: LHLO ...\nS: 250-a.test\nS: 250-ENHANCEDSTATUSCODES\nS: 250-" keyword       \
    "\nS: 250 PIPELINING\n"
#define MAIL "C: MAIL ...\nS: 250 Ok\n"
#define RCPT "C: RCPT ...\nS: 250 Ok\n"
#define BAD "C: RCPT ...\nS: 550 No\n"
#define RCPTS RCPT BAD RCPT RCPT
#define DATA "C: DATA\nS: 354 Go on\nC: ...\nC: .\n"
#define CHUNK "C: BDAT ...\nC: ...\nC:\n"
#define LAST "C: BDAT 9 LAST\nC: A line.\n"
#define TAKEN "S: 250 Taken\n"
#define NO_HELLO "S: 220 a.test\nC: EHLO ...\nS: 500 No\n"

static const struct smtp_server_proof lmtp[] = {
    {"rfc2033/4.1/lmtp-no-helo", .with = PROOF_LMTP,
     .dialogue = "S: 220 a.test\nC: EHLO ...\nS: 250 a.test\n", .detail = "came \"250 a.test"},
    {"rfc2033/4.1/lmtp-no-helo", .with = PROOF_LMTP,
     .dialogue = NO_HELLO "C: HELO ...\nS: 250 a.test\n", .detail = "came \"250 a.test"},
    {"rfc2033/4.1/lmtp-no-helo", .with = PROOF_LMTP,
     .dialogue = NO_HELLO "C: HELO ...\nS: 500 No\nC: LHLO ...\nS: 250-a.test\nS: 250 PIPELINING\n",
     .detail = "expected PIPELINING and ENHANCEDSTATUSCODES"},
    {"rfc2033/4.2/lmtp-data-no-recipient-503", .with = PROOF_LMTP,
     .dialogue = LHLO("HELP") MAIL BAD "C: DATA\nS: 354 Go on\n",
     .detail = "expected 503; came \"354"},
    {"rfc2033/4.2/lmtp-data-no-recipient-503", .with = PROOF_LMTP,
     .faults = {"data: reply 554 5.5.1"}, .detail = "expected 503; came \"554"},
    {"rfc2033/4.2/lmtp-reply-per-recipient", .with = PROOF_LMTP,
     .dialogue = LHLO("HELP") MAIL RCPTS DATA TAKEN "[S close]\n", .detail = "expected 250"},
    {"rfc2033/4.2/lmtp-reply-per-recipient", .with = PROOF_LMTP,
     .dialogue = LHLO("HELP") MAIL RCPTS DATA TAKEN TAKEN TAKEN TAKEN "C: NOOP\nS: 250 Ok\n",
     .detail = "after the reply to NOOP"},
    {"rfc2033/4.2/lmtp-reply-per-recipient", .with = PROOF_LMTP,
     .dialogue = LHLO("HELP") MAIL RCPTS DATA "S: 250 " PROOF_OTHER " has it\n" TAKEN TAKEN,
     .detail = "expected the reply for <" PROOF_RECIPIENT ">"},
    {"rfc2033/4.2/lmtp-reply-per-recipient", .with = PROOF_LMTP,
     .dialogue = LHLO("HELP") MAIL RCPTS DATA TAKEN "S: 250 " PROOF_RECIPIENT " has it\n" TAKEN,
     .detail = "expected the reply for <" PROOF_OTHER ">"},
    {"rfc2033/4.2/lmtp-reply-per-recipient", .with = PROOF_LMTP,
     .dialogue = LHLO("HELP") MAIL RCPTS DATA TAKEN TAKEN "S: 250 " PROOF_OTHER " has it\n",
     .detail = "expected the reply for <" PROOF_RECIPIENT ">"},
    /* a name that holds another */
    {"rfc2033/4.2/lmtp-reply-per-recipient", .with = PROOF_LMTP,
     .dialogue = LHLO("HELP") MAIL RCPTS DATA "S: 250 " PROOF_OTHER " has it, jo" PROOF_RECIPIENT
                                              " too\n" TAKEN TAKEN,
     .detail = "expected the reply for <" PROOF_RECIPIENT ">",
     .right_dialogue = LHLO("HELP") MAIL RCPTS DATA "S: 250 <re" PROOF_OTHER "> has it\n" TAKEN
                                                    "S: 250 " PROOF_RECIPIENT ".\n"
                                                    "C: NOOP\nS: 250 Ok\nC: QUIT\n"},
    {"rfc2033/4.3/lmtp-bdat-last-replies", .with = PROOF_LMTP,
     .dialogue = LHLO("CHUNKING") MAIL RCPTS CHUNK "S: 503 DATA, please\n",
     .detail = "expected 250; came \"503"},
    {"rfc2033/4.3/lmtp-bdat-last-replies", .with = PROOF_LMTP,
     .dialogue = LHLO("CHUNKING") MAIL RCPTS CHUNK "S: 250 Ok\n" LAST TAKEN "[S close]\n",
     .detail = "expected 250"},
    {"rfc2033/4.3/lmtp-bdat-last-replies", .with = PROOF_LMTP,
     .dialogue = LHLO("CHUNKING") MAIL RCPTS CHUNK "S: 250 Ok\n" LAST TAKEN TAKEN TAKEN
                                                   "C: NOOP\nS: 250 Ok\n" MAIL BAD
                                                   "C: BDAT 3 LAST\nC| xyz\nS: 503 No recipient\n",
     .detail = "expected 250; came \"503"},
};

TEST_WITHIN(server_rfc2033, each_rule_fails_a_server_that_breaks_it_and_passes_one_that_does_not,
            60)
{
    SMTP_SERVER_PROOFS_HOLD(lmtp);
}
