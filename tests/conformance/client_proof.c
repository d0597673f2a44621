/* client_proof.c - see client_proof.h. */
#include "tests/conformance/client_proof.h"

#include "harness/conformance/suite.h"
#include "tests/conformance/at_once.h"
#include "tests/support/test.h"

#include <stdarg.h>
#include <stdio.h>

#define TIMEOUT_MS 30000
#define QUIET_MS 100
#define JOBS 3
#define WORDS_MAX 16

/** One rule by one client. */
struct judgement {
    const struct smtp_client_proof *proof;
    bool wrong;
    char *complaint; /* NULL: it came out as it must */
};

static void complain(struct judgement *judgement, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (vasprintf(&judgement->complaint, format, arguments) < 0) {
        abort();
    }
    va_end(arguments);
}

static void look(void *user, const struct smtp_suite_result *result)
{
    static const char *const words[] = {"pass", "fail", "skip"};
    struct judgement *judgement = user;
    const char *detail = judgement->proof->detail;
    enum smtp_verdict expected = judgement->wrong ? SMTP_FAIL : SMTP_PASS;
    const struct smtp_report_result shown = {.dialogues = result->dialogues,
                                             .dialogue_count = result->dialogue_count};
    char *dialogue = smtp_report_dialogue_text(&shown);
    if (result->verdict != expected) {
        complain(judgement, "expected %s, came %s: %s\n%s", words[expected], words[result->verdict],
                 result->detail, dialogue != NULL ? dialogue : "");
    } else if (judgement->wrong && detail != NULL && strstr(result->detail, detail) == NULL) {
        complain(judgement, "failed, not because of \"%s\" but: %s\n%s", detail, result->detail,
                 dialogue != NULL ? dialogue : "");
    }
    free(dialogue);
}

static const struct smtp_rule *find_rule(const char *id)
{
    for (size_t i = 0; smtp_rule_at(SMTP_RULE_CLIENT, i) != NULL; i++) {
        if (strcmp(smtp_rule_at(SMTP_RULE_CLIENT, i)->id, id) == 0) {
            return smtp_rule_at(SMTP_RULE_CLIENT, i);
        }
    }
    return NULL;
}

static void judge(struct judgement *judgement)
{
    const struct smtp_client_proof *proof = judgement->proof;
    const struct smtp_rule *rule = find_rule(proof->id);
    const char *flaws = judgement->wrong ? proof->flaw : proof->right;
    char text[200], *state = NULL;
    char *command[WORDS_MAX] = {"python3", "-I", "-S", CROOKED_CLIENT};
    if (rule == NULL) {
        complain(judgement, "there is no such rule");
        return;
    }
    snprintf(text, sizeof text, "%s", flaws != NULL ? flaws : "");
    size_t count = 4;
    for (char *word = strtok_r(text, " ", &state); word != NULL && count + 1 < WORDS_MAX;
         word = strtok_r(NULL, " ", &state)) {
        command[count++] = word;
    }
    const struct smtp_check_options options = {
        .timeout_ms = TIMEOUT_MS,
        .quiet_ms = QUIET_MS,
        .slow = proof->slow,
        .slow_divisor = 300,
        .command = command,
        .abilities = ~0u, /* the crooked client heeds every word of its task */
    };
    smtp_suite_judge(rule, &options, look, judgement);
}

static void work(void *item)
{
    judge(item);
}

void smtp_client_proofs_hold(const struct smtp_client_proof *proofs, size_t count)
{
    struct judgement *judgements = calloc(2 * count, sizeof *judgements);
    struct at_once all = {work, judgements, sizeof *judgements, 2 * count, 0};
    expect_true(judgements != NULL);
    for (size_t i = 0; i < all.count; i++) {
        judgements[i].proof = &proofs[i / 2];
        judgements[i].wrong = i % 2 == 0;
    }
    at_once(&all, JOBS);
    char complaints[20000] = "";
    for (size_t i = 0; i < all.count; i++) {
        struct judgement *judgement = &judgements[i];
        if (judgement->complaint != NULL) {
            size_t len = strlen(complaints);
            snprintf(complaints + len, sizeof complaints - len, "\n%s (%s), by the %s client: %s",
                     judgement->proof->id, judgement->proof->flaw,
                     judgement->wrong ? "wrong" : "right", judgement->complaint);
            free(judgement->complaint);
        }
    }
    free(judgements);
    if (complaints[0] != '\0') {
        SMTP_TEST_FAIL("%s", complaints);
    }
}
