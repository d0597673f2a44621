/* fault_fuzz.c - the notation of faults: any text is read or refused with a reason; what is read is kept as it was written, read
 * again it is the same, and its frequency counts right whatever numbers stand in it. */
#include "harness/fault_plan.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

static void check_frequency(struct smtp_harness_fault_entry *entry)
{
    uint64_t due = 0;
    for (uint64_t i = 1; i <= 40; i++) {
        due += smtp_harness_fault_is_due(entry, i * 1000000000, i * 7919, i % 5 != 0);
        FUZZ_HOLDS(entry->steps == i);
    }
    FUZZ_HOLDS(due <= entry->times);
    FUZZ_HOLDS(due <= (entry->from > 40 ? 0 : 41 - entry->from));
    FUZZ_HOLDS(entry->every == 0 || due <= 40 / entry->every + 1);
}

static void check_alike(const struct smtp_harness_fault_entry *a,
                        const struct smtp_harness_fault_entry *b)
{
    FUZZ_HOLDS(a->stage == b->stage && (a->pattern == NULL) == (b->pattern == NULL));
    FUZZ_HOLDS(a->pattern == NULL || strcmp(a->pattern, b->pattern) == 0);
    FUZZ_HOLDS(a->fault.reply.code == b->fault.reply.code);
    FUZZ_HOLDS(strcmp(a->fault.reply.text, b->fault.reply.text) == 0);
    FUZZ_HOLDS(a->fault.delay_ms == b->fault.delay_ms && a->fault.ending == b->fault.ending);
    FUZZ_HOLDS(a->times == b->times && a->every == b->every && a->chance == b->chance);
}

static void check_fault(const char *text)
{
    struct smtp_harness_fault_entry entry, again;
    struct smtp_harness_lines why = SMTP_HARNESS_LINES;
    enum smtp_status status = smtp_harness_fault_parse(text, &entry, &why);
    if (status == SMTP_OK) {
        FUZZ_HOLDS(entry.fault.octet_count <= sizeof entry.fault.octets);
        FUZZ_HOLDS(entry.fault.reply.code == 0 ||
                   (entry.fault.reply.code >= 200 && entry.fault.reply.code <= 599));
        FUZZ_HOLDS(entry.stage <= SMTP_FAULT_ANY && entry.chance <= SMTP_FAULT_CERTAIN);
        enum smtp_status second = smtp_harness_fault_parse(entry.text, &again, &why);
        if (strcmp(text, entry.text) == 0) { /* else it has control octets */
            FUZZ_HOLDS(second == SMTP_OK);
            check_alike(&entry, &again);
        }
        smtp_harness_fault_clear(&again);
        check_frequency(&entry);
    } else {
        FUZZ_HOLDS(status == SMTP_BAD_ARGUMENT && why.buffer.len > 0);
    }
    smtp_harness_fault_clear(&entry);
    smtp_buffer_free(&why.buffer);
}

int LLVMFuzzerTestOneInput(const uint8_t *octets, size_t len)
{
    struct fuzz_input input = {octets, len};
    char *text = fuzz_text(fuzz_rest(&input));
    check_fault(text);
    struct smtp_harness_faults *faults = smtp_harness_faults_new(1, true);
    struct smtp_harness_lines why = SMTP_HARNESS_LINES, told = SMTP_HARNESS_LINES;
    FUZZ_HOLDS(faults != NULL);
    bool added = smtp_harness_faults_add(faults, text, &why) == SMTP_OK;
    FUZZ_HOLDS(smtp_harness_faults_is_empty(faults) == !added);
    smtp_harness_faults_tell(faults, &told);
    FUZZ_HOLDS((told.buffer.len > 0) == added);
    smtp_harness_faults_free(faults);
    smtp_buffer_free(&why.buffer);
    smtp_buffer_free(&told.buffer);
    free(text);
    return 0;
}
