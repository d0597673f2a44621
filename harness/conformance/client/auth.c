/* auth.c - AUTH and its mechanisms as a client speaks them (RFC 4954, 4616, 2195, LOGIN, 7628, 5802). */
#include "common/secret.h"
#include "harness/conformance/rules.h"
#include "harness/conformance/scram.h"
#include "harness/conformance/see.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Where they may be told: inside TLS, if the client can. */
static struct smtp_task with_login(struct smtp_check *check, const char *mechanism,
                                   const char *user, const char *password)
{
    return (struct smtp_task){.tls = (check->options->abilities & SMTP_NEEDS_TLS) != 0
                                         ? SMTP_TASK_STARTTLS
                                         : SMTP_TASK_CLEAR,
                              .login = true,
                              .mechanism = mechanism,
                              .user = user,
                              .password = password};
}

/** Visits a server that offers these mechanisms and answers AUTH and the lines behind it so. */
static struct smtp_visit *log_in(struct smtp_check *check, const struct smtp_task *task,
                                 const char *mechanisms, const struct smtp_answer *answers,
                                 size_t count)
{
    const char *inside = smtp_check_text(check, "AUTH %s", mechanisms);
    const char *keywords = task->tls == SMTP_TASK_STARTTLS ? "STARTTLS" : inside;
    return smtp_visit(check, task,
                      &(struct smtp_script){.answers = answers,
                                            .answer_count = count,
                                            .keywords = keywords,
                                            .tls_keywords = inside});
}
#define LOG_IN(check, task, mechanisms, rows)                                                      \
    log_in((check), (task), (mechanisms), (rows), sizeof(rows) / sizeof *(rows))

static const char *text_of(struct smtp_check *check, struct smtp_span line)
{
    return smtp_check_text(check, "%.*s", (int)line.len, line.bytes);
}

/** Base64 decoded; its length, SIZE_MAX: it is none. Lives as long as the check. */
static struct smtp_span decoded(struct smtp_check *check, const char *text)
{
    struct smtp_buffer octets = SMTP_BUFFER(SIZE_MAX / 2);
    bool is = smtp_base64_decode(&octets, smtp_span_of(text)) == SMTP_OK &&
              smtp_buffer_append(&octets, "", 1) == SMTP_OK;
    size_t len = is ? octets.len - 1 : 0;
    const char *kept = is ? smtp_check_own(check, octets.bytes, free) : NULL;
    if (!is) {
        smtp_buffer_free(&octets);
    }
    return (struct smtp_span){kept != NULL ? kept : "", len};
}

/* ---- RFC 4954 ---- */

static void auth_ir_empty_equals(struct smtp_check *check)
{
    static const struct smtp_answer answers[] = {{.command = "AUTH", .reply = "235 2.7.0 In\r\n"}};
    struct smtp_task task = with_login(check, "EXTERNAL", "", "");
    struct smtp_visit *visit = LOG_IN(check, &task, "EXTERNAL", answers);
    const struct smtp_visit_command *auth = smtp_visit_find(visit, "AUTH", 0);
    if (visit != NULL && auth == NULL) {
        smtp_check_skip(check, "the client does not speak EXTERNAL without a certificate");
    }
    if (auth != NULL) {
        const char *line = text_of(check, auth->line);
        smtp_check_that(check,
                        strcasecmp(line, "AUTH EXTERNAL =") == 0 ||
                            strcasecmp(line, "AUTH EXTERNAL") == 0,
                        "expected AUTH EXTERNAL =, came %s", smtp_check_show(check, auth->line));
    }
}

#define COMMAND_LINE_OCTETS 512

static void auth_ir_too_long(struct smtp_check *check)
{
    char token[601];
    memset(token, 't', sizeof token - 1);
    token[sizeof token - 1] = '\0';
    static const struct smtp_answer answers[] = {
        {.command = "AUTH", .argument = "BEARER ", .reply = "235 2.7.0 In\r\n"},
        {.command = "AUTH", .argument = "XOAUTH2 ", .reply = "235 2.7.0 In\r\n"},
        {.command = "AUTH", .reply = "334 \r\n"},
        {.command = "line", .reply = "235 2.7.0 In\r\n"}};
    struct smtp_task task = with_login(check, "OAUTHBEARER", NULL, token);
    struct smtp_visit *visit = LOG_IN(check, &task, "OAUTHBEARER XOAUTH2", answers);
    const struct smtp_visit_command *auth = smtp_visit_find(visit, "AUTH", 0);
    if (visit != NULL && auth == NULL) {
        smtp_check_skip(check, "the client speaks no OAUTHBEARER");
    }
    smtp_check_that(check, auth == NULL || auth->line.len + 2 <= COMMAND_LINE_OCTETS,
                    "expected an AUTH line of 512 octets at most, came %zu",
                    auth != NULL ? auth->line.len + 2 : 0);
}

static void auth_bad_challenge_cancel(struct smtp_check *check)
{
    static const struct smtp_answer answers[] = {
        {.command = "AUTH", .reply = "334 not!base64\r\n"},
        {.command = "line", .reply = "501 5.5.2 Cancelled\r\n"}};
    struct smtp_task task = with_login(check, "CRAM-MD5", NULL, NULL);
    struct smtp_visit *visit = LOG_IN(check, &task, "CRAM-MD5", answers);
    const struct smtp_visit_command *line = smtp_visit_find(visit, "line", 0);
    if (visit != NULL && smtp_visit_count(visit, "AUTH", NULL) == 0) {
        smtp_check_skip(check, "the client speaks no CRAM-MD5");
    }
    smtp_check_that(check,
                    visit == NULL || (line != NULL && smtp_span_equal(line->line, SMTP_SPAN("*"))),
                    "expected \"*\" after a challenge that is no base64, came %s",
                    line != NULL ? smtp_check_show(check, line->line) : "nothing");
}

static void auth_one_line_response(struct smtp_check *check)
{
    static const char *const prompts[] = {"334\r\n", "334 \r\n"};
    char password[201];
    memset(password, 'p', sizeof password - 1);
    password[sizeof password - 1] = '\0';
    size_t logins = 0;
    for (size_t i = 0; i < 2; i++) {
        const struct smtp_answer answers[] = {
            {.command = "AUTH", .argument = "LOGIN ", .reply = prompts[i]},
            {.command = "AUTH", .argument = "PLAIN ", .reply = "235 2.7.0 In\r\n"},
            {.command = "AUTH", .reply = prompts[i]},
            {.command = "line", .argument = "cHBw", .reply = "235 2.7.0 In\r\n"},
            {.command = "line", .from = 1, .to = 1, .reply = prompts[i]},
            {.command = "line", .reply = "235 2.7.0 In\r\n"}};
        struct smtp_task task = with_login(check, NULL, NULL, password);
        struct smtp_visit *visit = LOG_IN(check, &task, i == 0 ? "PLAIN" : "LOGIN", answers);
        if (visit == NULL) {
            return;
        }
        for (size_t c = 0; c < visit->command_count; c++) {
            bool is_response = strcmp(visit->commands[c].name, "line") == 0;
            smtp_check_that(check,
                            !is_response ||
                                decoded(check, text_of(check, visit->commands[c].line)).len > 0,
                            "expected one line of base64, came %s",
                            smtp_check_show(check, visit->commands[c].line));
        }
        size_t count = smtp_visit_count(visit, "AUTH", NULL);
        logins += count;
        smtp_check_that(
            check, count == 0 || visit->outcome == SMTP_VISIT_SENT,
            "expected the prompt %s to be understood and the message to be sent, it was not",
            smtp_check_show(check, smtp_span_of(prompts[i])));
    }
    if (logins == 0) {
        smtp_check_skip(check, "the client speaks neither PLAIN nor LOGIN");
    }
}

static void plain_to(struct smtp_check *check, enum smtp_identity_flaw flaw, const char *what)
{
    const struct smtp_task task = {.tls = SMTP_TASK_STARTTLS, .login = true, .mechanism = NULL};
    struct smtp_visit *visit = smtp_visit(check, &task,
                                          &(struct smtp_script){.keywords = "STARTTLS;AUTH PLAIN",
                                                                .tls_keywords = "AUTH PLAIN",
                                                                .flaw = flaw});
    if (visit != NULL) {
        smtp_visit_expect_none(
            visit, "AUTH",
            smtp_check_text(check, "AUTH PLAIN to a server with %s certificate", what));
    }
}

static void plain_needs_verified_server(struct smtp_check *check)
{
    plain_to(check, SMTP_IDENTITY_SELF_SIGNED, "a self-signed");
    plain_to(check, SMTP_IDENTITY_WRONG_NAME, "another host's");
}

/* ---- the mechanisms ---- */

/** The first response of AUTH PLAIN: on its line, or on the one behind the prompt. */
static void plain_response(struct smtp_check *check, const char *user, const char *password)
{
    static const struct smtp_answer answers[] = {
        {.command = "AUTH", .argument = "PLAIN ", .reply = "235 2.7.0 In\r\n"},
        {.command = "AUTH", .reply = "334 \r\n"},
        {.command = "line", .reply = "235 2.7.0 In\r\n"}};
    struct smtp_task task = with_login(check, "PLAIN", user, password);
    struct smtp_visit *visit = LOG_IN(check, &task, "PLAIN", answers);
    const struct smtp_visit_command *auth = smtp_visit_find(visit, "AUTH", 0);
    if (auth == NULL) {
        smtp_check_skip(check, "the client speaks no PLAIN");
        return;
    }
    const char *line = text_of(check, auth->line);
    const struct smtp_visit_command *behind = smtp_visit_find(visit, "line", 0);
    const char *response = strlen(line) > 11 ? line + 11
                           : behind != NULL  ? text_of(check, behind->line)
                                             : "";
    struct smtp_span message = decoded(check, response);
    size_t authzid = strnlen(message.bytes, message.len);
    size_t user_len = strlen(user), password_len = strlen(password);
    bool fits = message.len == authzid + 2 + user_len + password_len &&
                memcmp(message.bytes + authzid + 1, user, user_len + 1) == 0 &&
                memcmp(message.bytes + authzid + 1 + user_len + 1, password, password_len) == 0 &&
                (authzid == 0 || strcmp(message.bytes, user) == 0);
    smtp_check_that(check, fits, "expected [authzid] NUL %s NUL password, came %s", user,
                    smtp_check_show(check, message));
}

static void plain_message_form(struct smtp_check *check)
{
    plain_response(check, "ann", "sesame");
    plain_response(check, "ann\xC3\xA9", "s\xC3\xA9same");
}

#define CHALLENGE "<1896.697170952@check.example>"

static void cram_response(struct smtp_check *check, const char *user, const char *password)
{
    const char *challenge =
        smtp_check_text(check, "334 %s\r\n", smtp_ask_base64(check, SMTP_SPAN(CHALLENGE)));
    const struct smtp_answer answers[] = {{.command = "AUTH", .reply = challenge},
                                          {.command = "line", .reply = "235 2.7.0 In\r\n"}};
    struct smtp_task task = with_login(check, "CRAM-MD5", user, password);
    struct smtp_visit *visit = LOG_IN(check, &task, "CRAM-MD5", answers);
    const struct smtp_visit_command *line = smtp_visit_find(visit, "line", 0);
    if (line == NULL) {
        smtp_check_skip(check, "the client speaks no CRAM-MD5");
        return;
    }
    unsigned char digest[16];
    char hex[33];
    HMAC(EVP_md5(), password, (int)strlen(password), (const unsigned char *)CHALLENGE,
         sizeof CHALLENGE - 1, digest, NULL);
    for (size_t i = 0; i < sizeof digest; i++) {
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    }
    const char *wanted = smtp_check_text(check, "%s %s", user, hex);
    struct smtp_span came = decoded(check, text_of(check, line->line));
    smtp_check_that(check, smtp_span_equal(came, smtp_span_of(wanted)), "expected \"%s\", came %s",
                    wanted, smtp_check_show(check, came));
}

static void cram_md5_response(struct smtp_check *check)
{
    char longer[101];
    memset(longer, 'k', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    cram_response(check, "ann", "0123456789");
    cram_response(check, "ann lee", longer);
}

static void login_prompt_text_ignored(struct smtp_check *check)
{
    static const char *const prompts[] = {"VXNlciBOYW1lAA==", "VXNlcm5hbWU6", "Zm9v", ""};
    const char *user = smtp_ask_base64(check, SMTP_SPAN("ann"));
    const char *password = smtp_ask_base64(check, SMTP_SPAN("sesame"));
    for (size_t i = 0; i < sizeof prompts / sizeof *prompts; i++) {
        const char *prompt = smtp_check_text(check, "334 %s\r\n", prompts[i]);
        const struct smtp_answer answers[] = {
            {.command = "AUTH", .reply = prompt},
            {.command = "line", .argument = user, .from = 1, .to = 1, .reply = prompt},
            {.command = "line", .argument = password, .from = 1, .reply = "235 2.7.0 In\r\n"},
            {.command = "line", .reply = "535 5.7.8 No\r\n"}};
        struct smtp_task task = with_login(check, "LOGIN", "ann", "sesame");
        struct smtp_visit *visit = LOG_IN(check, &task, "LOGIN", answers);
        if (visit == NULL || smtp_visit_count(visit, "AUTH", NULL) == 0) {
            smtp_check_skip(check, "the client speaks no LOGIN");
            return;
        }
        bool has_initial = smtp_visit_find(visit, "AUTH", 0)->line.len > sizeof "AUTH LOGIN" - 1;
        const struct smtp_visit_command *first = smtp_visit_find(visit, "line", 0);
        bool in_order = first != NULL &&
                        smtp_span_equal(first->line, smtp_span_of(has_initial ? password : user));
        smtp_check_that(check, in_order && visit->outcome == SMTP_VISIT_SENT,
                        "expected the user's name and then the password whatever the prompt is "
                        "(%s), they did not come",
                        prompts[i]);
    }
    struct smtp_task task = with_login(check, NULL, "ann", "sesame");
    struct smtp_visit *visit = log_in(check, &task, "LOGIN PLAIN", NULL, 0);
    smtp_check_that(check, visit == NULL || smtp_visit_count(visit, "AUTH", "LOGIN") == 0,
                    "expected PLAIN where both are offered, came LOGIN");
}

static void oauth_dummy_response(struct smtp_check *check)
{
    static const char json[] =
        "334 eyJzdGF0dXMiOiJpbnZhbGlkX3Rva2VuIn0=\r\n"; /* {"status":"invalid_token"} */
    static const struct smtp_answer answers[] = {
        {.command = "AUTH", .argument = "BEARER ", .reply = json},
        {.command = "AUTH", .reply = "334 \r\n"},
        {.command = "line", .argument = "AQ==", .reply = "535 5.7.8 No\r\n"},
        {.command = "line", .argument = "*", .reply = "501 5.7.0 No\r\n"},
        {.command = "line", .reply = json}};
    struct smtp_task task = with_login(check, "OAUTHBEARER", "ann", "token42");
    struct smtp_visit *visit = LOG_IN(check, &task, "OAUTHBEARER", answers);
    if (visit == NULL || smtp_visit_count(visit, "AUTH", "BEARER") == 0) {
        smtp_check_skip(check, "the client speaks no OAUTHBEARER");
        return;
    }
    size_t lines = smtp_visit_count(visit, "line", NULL);
    const struct smtp_visit_command *auth = smtp_visit_find(visit, "AUTH", 0);
    const struct smtp_visit_command *last =
        lines > 0 ? smtp_visit_find(visit, "line", lines - 1) : NULL;
    if (!smtp_check_that(check,
                         last != NULL && (smtp_span_equal(last->line, SMTP_SPAN("AQ==")) ||
                                          smtp_span_equal(last->line, SMTP_SPAN("*"))),
                         "expected AQ== or * after the error, came %s",
                         last != NULL ? smtp_check_show(check, last->line) : "nothing")) {
        return;
    }
    const char *line = text_of(check, auth->line);
    const char *response =
        strlen(line) > 17 ? line + 17 : text_of(check, smtp_visit_find(visit, "line", 0)->line);
    struct smtp_span message = decoded(check, response);
    bool fits = message.len > 4 && (message.bytes[0] == 'n' || message.bytes[0] == 'y') &&
                message.bytes[1] == ',' &&
                smtp_span_has(message, "\x01"
                                       "auth=Bearer token42\x01") &&
                memcmp(message.bytes + message.len - 2, "\x01\x01", 2) == 0;
    smtp_check_that(check, fits,
                    "expected a GS2 header, auth=Bearer and two octets 01 at the end, came %s",
                    smtp_check_show(check, message));
    smtp_visit_expect_not_sent(visit);
}

/* ---- SCRAM ---- */

enum scram_defect { NONCE_IS_OTHER, SIGNATURE_IS_WRONG, NO_SIGNATURE };

static const char *reply_334(struct smtp_check *check, const char *text)
{
    return smtp_check_text(check, "334 %s\r\n", smtp_ask_base64(check, smtp_span_of(text)));
}

/** The client's nonce of its first message: "...r=NONCE". */
static const char *nonce_of(struct smtp_check *check, struct smtp_span line)
{
    const char *text = text_of(check, line), *space = strrchr(text, ' ');
    struct smtp_span message = decoded(check, space != NULL ? space + 1 : text);
    const char *at = strstr(message.bytes, ",r=");
    return at != NULL ? at + 3 : "";
}

static void first_message(struct smtp_visit *visit, struct smtp_talk *talk, struct smtp_span line)
{
    const char *nonce = nonce_of(visit->check, line);
    smtp_talk_write(
        talk, "%s",
        nonce[0] == '\0'
            ? "334 \r\n"
            : reply_334(visit->check,
                        smtp_check_text(visit->check, "r=%sserver,s=c2FsdHNhbHQ=,i=4096", nonce)));
}

static void other_nonce(struct smtp_visit *visit, struct smtp_talk *talk, struct smtp_span line)
{
    (void)line;
    smtp_talk_write(talk, "%s", reply_334(visit->check, "r=notyours42,s=c2FsdHNhbHQ=,i=4096"));
}

static void scram(struct smtp_check *check, enum scram_defect defect)
{
    const char *wrong = reply_334(check, "v=d3Jvbmcgc2lnbmF0dXJlIG9mIHRoZSBzZXJ2ZXI=");
    const struct smtp_answer answers[] = {
        {.command = "AUTH", .act = defect == NONCE_IS_OTHER ? other_nonce : first_message},
        {.command = "line",
         .from = 1,
         .to = 1,
         .reply = defect == NO_SIGNATURE ? "235 2.7.0 In\r\n" : wrong},
        {.command = "line", .argument = "*", .reply = "501 5.7.0 Cancelled\r\n"},
        {.command = "line", .reply = "235 2.7.0 In\r\n"},
    };
    struct smtp_task task = with_login(check, "SCRAM-SHA-256", "ann", "sesame");
    struct smtp_visit *visit = LOG_IN(check, &task, "SCRAM-SHA-256", answers);
    static const char *const what[] = {"a nonce that does not begin with its own",
                                       "a wrong signature", "235 without a signature"};
    if (visit == NULL || smtp_visit_count(visit, "AUTH", "SCRAM") == 0) {
        smtp_check_skip(check, "the client speaks no SCRAM-SHA-256");
        return;
    }
    smtp_visit_expect_none(visit, "MAIL", smtp_check_text(check, "MAIL after %s", what[defect]));
    smtp_visit_expect_not_sent(visit);
}

static void scram_verifies_server(struct smtp_check *check)
{
    scram(check, NONCE_IS_OTHER);
    scram(check, SIGNATURE_IS_WRONG);
    scram(check, NO_SIGNATURE);
}

static const struct smtp_rule rows[] = {
    {"rfc2195/2/cram-md5-response", SMTP_MUST, SMTP_NEEDS_LOGIN,
     "The response is user, space and 32 lower-case hex digits of HMAC-MD5 over the whole "
     "challenge; secrets over 64 octets are hashed first. [level inferred]",
     "[creds] Known challenge and secrets of 10 and 100 octets; compare with the computed "
     "value; user names with spaces are kept.",
     cram_md5_response},
    {"rfc4616/2/plain-message-form", SMTP_MUST, SMTP_NEEDS_LOGIN,
     "The message is [authzid] NUL authcid NUL password in UTF-8; no NUL inside a field.",
     "[creds] Decode the captured response for ASCII and non-ASCII credentials; exactly "
     "two NUL; a password holding NUL is refused by the client.",
     plain_message_form},
    {"rfc4954/4/auth-ir-empty-equals", SMTP_MUST, SMTP_NEEDS_LOGIN | SMTP_NEEDS_MECHANISM,
     "An empty initial response is sent as =.",
     "[creds] Offer EXTERNAL to a client without authorization identity; AUTH EXTERNAL =, "
     "never a bare trailing space.",
     auth_ir_empty_equals},
    {"rfc4954/4/auth-ir-too-long", SMTP_MUST_NOT, SMTP_NEEDS_LOGIN | SMTP_NEEDS_MECHANISM,
     "The initial-response form is not used when the AUTH line would pass 512 octets. "
     "[known deviation: most clients send long tokens on the AUTH line (memory)]",
     "[creds] Use a 600-octet OAuth token; client sends AUTH alone and waits for 334.",
     auth_ir_too_long},
    {"rfc4954/4/auth-bad-challenge-cancel", SMTP_MUST, SMTP_NEEDS_LOGIN,
     "An undecodable challenge makes the client send * alone.",
     "[creds] Answer AUTH CRAM-MD5 with 334 not!base64; next line is *.",
     auth_bad_challenge_cancel},
    {"rfc4954/4/auth-one-line-response", SMTP_MUST, SMTP_NEEDS_LOGIN,
     "Each response is one line of base64, without inner line breaks, however long. [level "
     "inferred]",
     "[creds] Use a 200-character password; response has no CRLF after 76 characters; bare "
     "334 CRLF and 334 SP CRLF are both accepted as prompts.",
     auth_one_line_response},
    {"rfc4954/14/plain-needs-verified-server", SMTP_MUST_NOT, SMTP_NEEDS_LOGIN | SMTP_NEEDS_TLS,
     "PLAIN is not used when the certificate is missing, invalid or for another host. "
     "[known deviation: many libraries do not verify by default, e.g. Python smtplib "
     "starttls without context (memory)]",
     "[tls] Self-signed and wrong-name certificate, AUTH PLAIN offered; no AUTH PLAIN "
     "seen.",
     plain_needs_verified_server},
    {"rfc5802/5/scram-verifies-server", SMTP_MUST, SMTP_NEEDS_LOGIN,
     "The client treats a missing or wrong server signature as failure, also when 235 "
     "follows, and checks that the nonce starts with its own.",
     "[creds] Fake server: wrong v=; 235 without any v=; nonce not extending the client "
     "nonce; each must end in failure and no MAIL.",
     scram_verifies_server},
    {"rfc7628/3.2.3/oauth-dummy-response", SMTP_MUST, SMTP_NEEDS_LOGIN | SMTP_NEEDS_MECHANISM,
     "After the error challenge the client sends the single octet 01 (AQ==) or cancels "
     "with *.",
     "[creds] Answer 334 with JSON error; next line is AQ== or *; then 535 is reported as "
     "failure. First message has the GS2 header, auth=Bearer token and two final 01 "
     "octets.",
     oauth_dummy_response},
    {"draft-murchison-sasl-login-00/2/login-prompt-text-ignored", SMTP_MUST, SMTP_NEEDS_LOGIN,
     "The client sends user name, then password, whatever the prompts say, and prefers "
     "PLAIN when both are offered. [level inferred]",
     "[creds] Prompts User Name, Username:, foo and empty; answers come in order. Offer "
     "LOGIN PLAIN: PLAIN is used.",
     login_prompt_text_ignored},
};
SMTP_RULE_TABLE(smtp_rules_client_auth, rows);
