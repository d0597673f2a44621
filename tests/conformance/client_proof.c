/* client_proof.c - see client_proof.h. */
#include "tests/conformance/client_proof.h"

#include "tests/conformance/proof.h"
#include "tests/support/test.h"

#include <stdio.h>

#define TIMEOUT_MS 30000
#define QUIET_MS 100
#define JOBS 3
#define WORDS_MAX 16

/** One rule by one client. */
struct judgement {
    struct smtp_proof proof;
    const char *words;
    bool slow;
};

static void judge(void *item)
{
    struct judgement *judgement = item;
    char text[200], *state = NULL;
    char *command[WORDS_MAX] = {PYTHON_PROGRAM, "-I", "-S", CROOKED_CLIENT};
    snprintf(text, sizeof text, "%s", judgement->words);
    size_t count = 4;
    for (char *word = strtok_r(text, " ", &state); word != NULL && count + 1 < WORDS_MAX;
         word = strtok_r(NULL, " ", &state)) {
        command[count++] = word;
    }
    const struct smtp_check_options options = {
        .timeout_ms = TIMEOUT_MS,
        .quiet_ms = QUIET_MS,
        .slow = judgement->slow,
        .slow_divisor = 300,
        .command = command,
        .abilities = ~0u, /* the crooked client heeds every word of its task */
    };
    smtp_proof_judge(&judgement->proof, &options);
}

static struct judgement by_wrong_client(const struct smtp_client_proof *row)
{
    const char *detail = row->skips != NULL ? row->skips : row->detail;
    return (struct judgement){.proof = {.side = SMTP_RULE_CLIENT,
                                        .id = row->id,
                                        .by = row->flaw,
                                        .expected = row->skips != NULL   ? SMTP_SKIP
                                                    : row->warns != NULL ? SMTP_PASS
                                                                         : SMTP_FAIL,
                                        .detail = detail,
                                        .warning = row->warns},
                              .words = row->flaw,
                              .slow = row->slow};
}

static struct judgement by_right_client(const struct smtp_client_proof *row)
{
    const char *words = row->right != NULL ? row->right : "";
    return (struct judgement){
        .proof = {.side = SMTP_RULE_CLIENT, .id = row->id, .by = "the right client"},
        .words = words,
        .slow = row->slow};
}

/* Whether a row before has the same rule judged by the same right client. */
static bool is_judged(const struct smtp_client_proof *proofs, size_t i)
{
    const char *right = proofs[i].right != NULL ? proofs[i].right : "";
    for (size_t k = 0; k < i; k++) {
        const char *other = proofs[k].right != NULL ? proofs[k].right : "";
        if (strcmp(proofs[k].id, proofs[i].id) == 0 && strcmp(other, right) == 0 &&
            proofs[k].slow == proofs[i].slow) {
            return true;
        }
    }
    return false;
}

void smtp_client_proofs_hold(const struct smtp_client_proof *proofs, size_t count)
{
    struct judgement *judgements = calloc(2 * count, sizeof *judgements);
    size_t judged = 0;
    expect_true(judgements != NULL);
    for (size_t i = 0; i < count; i++) {
        judgements[judged++] = by_wrong_client(&proofs[i]);
        if (!is_judged(proofs, i)) {
            judgements[judged++] = by_right_client(&proofs[i]);
        }
    }
    smtp_proofs_hold(judgements, sizeof *judgements, judged, judge, JOBS);
}
