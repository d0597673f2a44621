/* rules.h - the tables of rules, one file a section of an RFC. */
#ifndef SMTP_HARNESS_CONFORMANCE_RULES_H
#define SMTP_HARNESS_CONFORMANCE_RULES_H

#include "harness/conformance/rule.h"

extern const struct smtp_rule_table smtp_rules_server_rfc5321_2;       /* the SMTP model */
extern const struct smtp_rule_table smtp_rules_server_rfc5321_2_3_8;   /* lines */
extern const struct smtp_rule_table smtp_rules_server_rfc5321_4_1_1_4; /* DATA */
extern const struct smtp_rule_table smtp_rules_server_rfc5321_4_5_2;   /* transparency */
extern const struct smtp_rule_table smtp_rules_server_rfc5321_3;       /* procedures */
extern const struct smtp_rule_table smtp_rules_server_rfc5321_4_1_1;   /* commands */
extern const struct smtp_rule_table
    smtp_rules_server_rfc5321_4_1; /* addresses, order of commands */
extern const struct smtp_rule_table smtp_rules_server_rfc5321_4_2; /* replies */
extern const struct smtp_rule_table smtp_rules_server_rfc5321_4_4; /* trace */
extern const struct smtp_rule_table smtp_rules_server_rfc5321_4_5; /* the minimum, sizes, times */
extern const struct smtp_rule_table smtp_rules_server_rfc5321_6;   /* failures and loops */
extern const struct smtp_rule_table smtp_rules_server_rfc1870;     /* SIZE */
extern const struct smtp_rule_table smtp_rules_server_rfc2034;     /* enhanced status codes */
extern const struct smtp_rule_table smtp_rules_server_rfc2920;     /* pipelining */
extern const struct smtp_rule_table smtp_rules_server_rfc3030;     /* chunking, 8-bit */
extern const struct smtp_rule_table smtp_rules_server_rfc3207;     /* STARTTLS, TLS */
extern const struct smtp_rule_table smtp_rules_server_rfc4954;     /* AUTH */
extern const struct smtp_rule_table smtp_rules_server_sasl;        /* mechanisms */
extern const struct smtp_rule_table smtp_rules_server_rfc6531;     /* SMTPUTF8 */
extern const struct smtp_rule_table smtp_rules_server_rfc3461;     /* DSN */
extern const struct smtp_rule_table smtp_rules_server_rfc2033;     /* LMTP */
extern const struct smtp_rule_table smtp_rules_server_extensions;  /* further extensions */
extern const struct smtp_rule_table smtp_rules_client_rfc5321_session; /* sessions */
extern const struct smtp_rule_table smtp_rules_client_rfc5321_content; /* content and addresses */
extern const struct smtp_rule_table
    smtp_rules_client_rfc5321_replies;                            /* replies, recipients, times */
extern const struct smtp_rule_table smtp_rules_client_extensions; /* extensions */
extern const struct smtp_rule_table smtp_rules_client_rfc3461;    /* DSN */
extern const struct smtp_rule_table smtp_rules_client_tls;        /* TLS */
extern const struct smtp_rule_table smtp_rules_client_auth;       /* AUTH and its mechanisms */
extern const struct smtp_rule_table smtp_rules_client_further;    /* LMTP, 521, LIMITS */

#endif
