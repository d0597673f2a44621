/* scenarios.c - the tables as one list. */
#include "harness/selftest/scenarios.h"

static const struct smtp_scenario_table *const tables[] = {
    &smtp_scenarios_content,    &smtp_scenarios_envelope,   &smtp_scenarios_session,
    &smtp_scenarios_peers,      &smtp_scenarios_threads,    &smtp_scenarios_safety,
    &smtp_scenarios_tls,        &smtp_scenarios_tls_wrong,  &smtp_scenarios_auth,
    &smtp_scenarios_auth_wrong, &smtp_scenarios_extensions, &smtp_scenarios_chunking,
    &smtp_scenarios_trust,      &smtp_scenarios_streams,    &smtp_scenarios_lmtp,
    &smtp_scenarios_receivers,  &smtp_scenarios_faults,     &smtp_scenarios_fault_actions,
};
static const size_t table_count = sizeof tables / sizeof *tables;

size_t smtp_scenario_count(void)
{
    size_t count = 0;
    for (size_t i = 0; i < table_count; i++) {
        count += tables[i]->count;
    }
    return count;
}

const struct smtp_scenario *smtp_scenario_at(size_t i)
{
    for (size_t t = 0; t < table_count; t++) {
        if (i < tables[t]->count) {
            return &tables[t]->rows[i];
        }
        i -= tables[t]->count;
    }
    return NULL;
}
