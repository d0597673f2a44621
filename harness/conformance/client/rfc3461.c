/* rfc3461.c - delivery status notifications, as a client asks for them (RFC 3461). */
#include "harness/conformance/rules.h"
#include "harness/conformance/see.h"

#include <string.h>
#include <strings.h>

/** What xtext (up to a space or the end) stands for is exactly that: +XX in upper case, no other '+' and no '='. */
static bool is_xtext_of(const char *text, const char *meant)
{
    static const char digits[] = "0123456789ABCDEF";
    for (; *text != '\0' && *text != ' '; text++, meant++) {
        char octet = *text;
        if (octet == '+') {
            const char *high = text[1] != '\0' ? strchr(digits, text[1]) : NULL;
            const char *low = high != NULL && text[2] != '\0' ? strchr(digits, text[2]) : NULL;
            if (low == NULL) {
                return false;
            }
            octet = (char)((high - digits) * 16 + (low - digits));
            text += 2;
        } else if (octet <= ' ' || octet > '~' || octet == '=') {
            return false;
        }
        if (octet != *meant) {
            return false;
        }
    }
    return *meant == '\0';
}

/** NEVER alone, or of the others a list (RFC 3461 4.1). */
static bool is_notify(struct smtp_span value)
{
    static const char *const events[] = {"SUCCESS", "FAILURE", "DELAY"};
    if (smtp_span_equal_nocase(value, SMTP_SPAN("NEVER"))) {
        return true;
    }
    for (bool goes_on = true; goes_on;) {
        const char *comma = memchr(value.bytes, ',', value.len);
        size_t len = comma != NULL ? (size_t)(comma - value.bytes) : value.len;
        bool is_event = false;
        for (size_t i = 0; i < sizeof events / sizeof *events; i++) {
            is_event = is_event || smtp_span_equal_nocase((struct smtp_span){value.bytes, len},
                                                          smtp_span_of(events[i]));
        }
        if (!is_event) {
            return false;
        }
        goes_on = comma != NULL;
        value = (struct smtp_span){value.bytes + len + goes_on, value.len - len - goes_on};
    }
    return true;
}

static const char *value_text(struct smtp_check *check, struct smtp_span line, const char *keyword,
                              size_t *count)
{
    struct smtp_span value = smtp_see_value(line, keyword, count);
    return smtp_check_text(check, "%.*s", (int)value.len, value.bytes);
}

static void expect_dsn_of_mail(struct smtp_check *check, struct smtp_span line, const char *envid)
{
    size_t envids, rets;
    bool is_envid = is_xtext_of(value_text(check, line, "ENVID", &envids), envid);
    const char *ret = value_text(check, line, "RET", &rets);
    smtp_check_that(check, envids == 1 && is_envid, "expected one ENVID in xtext, came %s",
                    smtp_check_show(check, line));
    smtp_check_that(
        check,
        rets == 0 || (rets == 1 && (strcasecmp(ret, "HDRS") == 0 || strcasecmp(ret, "FULL") == 0)),
        "expected one RET at most, FULL or HDRS, came %s", smtp_check_show(check, line));
}

static void expect_dsn_of_rcpt(struct smtp_check *check, struct smtp_span line, const char *to)
{
    size_t orcpts, notifies;
    const char *orcpt = value_text(check, line, "ORCPT", &orcpts);
    bool is_of_it = strncasecmp(orcpt, "rfc822;", 7) == 0 && is_xtext_of(orcpt + 7, to);
    smtp_check_that(check, orcpts == 0 || (orcpts == 1 && is_of_it),
                    "expected one ORCPT of the address in xtext, came %s",
                    smtp_check_show(check, line));
    bool is_list = is_notify(smtp_see_value(line, "NOTIFY", &notifies));
    smtp_check_that(check, notifies == 1 && is_list,
                    "expected one NOTIFY, NEVER alone or a list of the others, came %s",
                    smtp_check_show(check, line));
}

static void dsn_parameters_well_formed(struct smtp_check *check)
{
    static const char *const notifies[] = {"FAILURE,DELAY", "NEVER"};
    static const char *const recipients[] = {"bob+x@example.com", NULL};
    struct smtp_task task = {.to = recipients, .envid = "a b+c=d", .ret = "HDRS"};
    size_t rcpts = 0;
    for (size_t i = 0; i < sizeof notifies / sizeof *notifies; i++) {
        task.notify = notifies[i];
        struct smtp_visit *visit =
            smtp_visit(check, &task, &(struct smtp_script){.keywords = "DSN"});
        const struct smtp_visit_command *mail = smtp_visit_find(visit, "MAIL", 0),
                                        *rcpt = smtp_visit_find(visit, "RCPT", 0);
        if (mail != NULL && rcpt != NULL) {
            expect_dsn_of_mail(check, mail->line, task.envid);
            expect_dsn_of_rcpt(check, rcpt->line, recipients[0]);
            rcpts++;
        }
    }
    struct smtp_visit *visit = smtp_visit(check, &task, &(struct smtp_script){.keywords = "SIZE"});
    for (size_t i = 0; visit != NULL && i < visit->command_count; i++) {
        struct smtp_span parameters = smtp_see_parameters(visit->commands[i].line);
        bool has_any = smtp_span_has_nocase(parameters, "ENVID=") ||
                       smtp_span_has_nocase(parameters, "RET=") ||
                       smtp_span_has_nocase(parameters, "NOTIFY=") ||
                       smtp_span_has_nocase(parameters, "ORCPT=");
        smtp_check_that(check, !has_any,
                        "expected no DSN parameter where it is not offered, came %s",
                        smtp_check_show(check, visit->commands[i].line));
    }
    if (rcpts == 0) {
        smtp_check_skip(check, "the client sends no RCPT with these parameters");
    }
}

static const struct smtp_rule rows[] = {
    {"rfc3461/4/dsn-parameters-well-formed", SMTP_MUST, SMTP_NEEDS_DSN | SMTP_NEEDS_TO,
     "DSN parameters are xtext-coded with upper-case hex, used once each, NEVER alone; on "
     "first submission ORCPT names the RCPT address. The MUSTs stand in 4.1 to 4.5.",
     "Offer DSN; ask for ENVID with space, plus and equals sign; RCPT with plus sign; "
     "parse the capture. DSN not offered: none appears.",
     dsn_parameters_well_formed},
};
SMTP_RULE_TABLE(smtp_rules_client_rfc3461, rows);
