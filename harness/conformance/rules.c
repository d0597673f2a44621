/* rules.c - the tables of rules in the order of RFCs and sections, and what can be said of a rule's id. */
#include "harness/conformance/rules.h"

#include "common/bytes.h"

#include <stdlib.h>
#include <string.h>

/* NULL ends each */
static const struct smtp_rule_table *const servers[] = {
    &smtp_rules_server_rfc5321_2,
    &smtp_rules_server_rfc5321_2_3_8,
    &smtp_rules_server_rfc5321_4_1_1_4,
    &smtp_rules_server_rfc5321_4_5_2,
    &smtp_rules_server_rfc5321_3,
    &smtp_rules_server_rfc5321_4_1_1,
    &smtp_rules_server_rfc5321_4_1,
    &smtp_rules_server_rfc5321_4_2,
    &smtp_rules_server_rfc5321_4_4,
    &smtp_rules_server_rfc5321_4_5,
    &smtp_rules_server_rfc5321_6,
    &smtp_rules_server_rfc1870,
    &smtp_rules_server_rfc2034,
    &smtp_rules_server_rfc2920,
    &smtp_rules_server_rfc3030,
    &smtp_rules_server_rfc3207,
    &smtp_rules_server_rfc4954,
    &smtp_rules_server_sasl,
    &smtp_rules_server_rfc6531,
    &smtp_rules_server_rfc3461,
    &smtp_rules_server_rfc2033,
    &smtp_rules_server_extensions,
    NULL,
};
static const struct smtp_rule_table *const clients[] = {
    &smtp_rules_client_rfc5321_session,
    &smtp_rules_client_rfc5321_content,
    &smtp_rules_client_rfc5321_replies,
    &smtp_rules_client_extensions,
    &smtp_rules_client_rfc3461,
    &smtp_rules_client_tls,
    &smtp_rules_client_auth,
    &smtp_rules_client_further,
    NULL,
};

const struct smtp_rule *smtp_rule_at(enum smtp_rule_side side, size_t i)
{
    const struct smtp_rule_table *const *table = side == SMTP_RULE_SERVER ? servers : clients;
    for (; *table != NULL; table++) {
        if (i < (*table)->count) {
            return &(*table)->rules[i];
        }
        i -= (*table)->count;
    }
    return NULL;
}

const char *smtp_rule_level_name(enum smtp_rule_level level)
{
    static const char *const names[] = {"MUST", "MUST NOT", "SHOULD", "SHOULD NOT"};
    return names[level];
}

bool smtp_rule_counts(enum smtp_rule_level level, bool strict)
{
    return strict || level == SMTP_MUST || level == SMTP_MUST_NOT;
}

size_t smtp_rule_section_len(const char *id)
{
    const char *last = strrchr(id, '/');
    return last != NULL ? (size_t)(last - id) : 0;
}

bool smtp_rule_is_selected(const char *id, const char *const *prefixes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strncmp(id, prefixes[i], strlen(prefixes[i])) == 0) {
            return true;
        }
    }
    return count == 0;
}

int smtp_rule_compare(const char *id, const char *other)
{
    size_t len = smtp_rule_section_len(id), other_len = smtp_rule_section_len(other);
    const char *end = id + len, *other_end = other + other_len;
    while (id < end && other < other_end) {
        bool are_numbers =
            smtp_is_digit((unsigned char)*id) && smtp_is_digit((unsigned char)*other);
        unsigned long mine = (unsigned char)*id, its = (unsigned char)*other;
        if (are_numbers) {
            char *next, *other_next;
            mine = strtoul(id, &next, 10);
            its = strtoul(other, &other_next, 10);
            id = next - 1;
            other = other_next - 1;
        }
        if (mine != its) {
            return mine < its ? -1 : 1;
        }
        id++;
        other++;
    }
    return (id < end) - (other < other_end);
}
