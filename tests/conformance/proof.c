/* proof.c - see proof.h. */
#include "tests/conformance/proof.h"

#include "tests/conformance/at_once.h"
#include "tests/support/test.h"

#include <stdarg.h>
#include <stdio.h>

void smtp_proof_complain(struct smtp_proof *proof, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (proof->complaint == NULL && vasprintf(&proof->complaint, format, arguments) < 0) {
        abort();
    }
    va_end(arguments);
}

static bool has(const char *text, const char *part)
{
    return part == NULL || strstr(text, part) != NULL;
}

static void look(void *user, const struct smtp_suite_result *result)
{
    static const char *const words[] = {"pass", "fail", "skip"};
    struct smtp_proof *proof = user;
    const struct smtp_report_result shown = {.dialogues = result->dialogues,
                                             .dialogue_count = result->dialogue_count};
    char *text = smtp_report_dialogue_text(&shown);
    const char *dialogue = text != NULL ? text : "";
    if (result->verdict != proof->expected) {
        smtp_proof_complain(proof, "expected %s, came %s: %s\n%s", words[proof->expected],
                            words[result->verdict], result->detail, dialogue);
    } else if (!has(result->detail, proof->detail)) {
        smtp_proof_complain(proof, "%s, not because of \"%s\" but: %s\n%s", words[result->verdict],
                            proof->detail, result->detail, dialogue);
    } else if (!has(result->warning, proof->warning) ||
               (proof->warning != NULL && proof->warning[0] == '\0' &&
                result->warning[0] != '\0')) {
        smtp_proof_complain(proof, "expected the warning \"%s\", came \"%s\"\n%s", proof->warning,
                            result->warning, dialogue);
    }
    free(text);
}

static const struct smtp_rule *find_rule(const struct smtp_proof *proof)
{
    const struct smtp_rule *rule;
    for (size_t i = 0; (rule = smtp_rule_at(proof->side, i)) != NULL; i++) {
        if (strcmp(rule->id, proof->id) == 0) {
            return rule;
        }
    }
    return NULL;
}

void smtp_proof_judge(struct smtp_proof *proof, const struct smtp_check_options *options)
{
    const struct smtp_rule *rule = find_rule(proof);
    if (rule == NULL) {
        smtp_proof_complain(proof, "there is no such rule");
    } else if (proof->complaint == NULL) {
        smtp_suite_judge(rule, options, look, proof);
    }
}

void smtp_proofs_hold(void *items, size_t size, size_t count, void (*work)(void *item), size_t jobs)
{
    struct at_once all = {work, items, size, count, 0};
    char *complaints = NULL;
    size_t len = 0;
    at_once(&all, jobs);
    FILE *out = open_memstream(&complaints, &len);
    expect_true(out != NULL);
    for (size_t i = 0; i < count; i++) {
        struct smtp_proof *proof = (void *)((char *)items + i * size);
        if (proof->complaint != NULL) {
            fprintf(out, "\n%s, by %s: %s", proof->id, proof->by, proof->complaint);
            free(proof->complaint);
        }
    }
    fclose(out);
    free(items);
    if (len > 0) {
        SMTP_TEST_FAIL("%s", complaints);
    }
    free(complaints);
}
