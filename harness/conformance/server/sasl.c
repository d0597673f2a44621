/* sasl.c - the mechanisms: PLAIN (RFC 4616), CRAM-MD5 (RFC 2195), LOGIN, OAUTHBEARER (RFC 7628), SCRAM (RFC 5802, 7677). */
#include "harness/conformance/ask.h"
#include "harness/conformance/rules.h"
#include "harness/conformance/scram.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>

static struct smtp_talk *begin(struct smtp_check *check, const char *mechanism)
{
    struct smtp_talk *talk = smtp_ask_for_login(check);
    if (smtp_ask_needs(talk, "AUTH") && !smtp_ask_offers_mechanism(talk, mechanism)) {
        smtp_check_skip(check, "AUTH %s is not offered", mechanism);
    }
    return talk;
}

/* ---- PLAIN ---- */

#define FIELD_OCTETS 255

/** The message with these fields and NULs between and, where that is said, behind them. */
static const char *plain(struct smtp_check *check, const char *authzid, const char *user,
                         const char *password, bool third_nul)
{
    size_t len = strlen(authzid) + strlen(user) + strlen(password) + 2 + third_nul;
    char *message = smtp_check_own(check, calloc(1, len + 1), free);
    if (message == NULL) {
        return "";
    }
    size_t at = strlen(authzid);
    memcpy(message, authzid, at);
    memcpy(message + at + 1, user, strlen(user));
    at += 1 + strlen(user);
    memcpy(message + at + 1, password, strlen(password));
    return smtp_ask_base64(check, (struct smtp_span){message, len});
}

/** One login each, on a connection of its own. */
static void try_plain(struct smtp_check *check, const char *codes, const char *message)
{
    struct smtp_talk *talk = begin(check, "PLAIN");
    smtp_talk_ask(talk, "334", "AUTH PLAIN");
    smtp_talk_secret_line(talk, "", message);
    smtp_talk_expect(talk, codes);
}

static void plain_field_sizes(struct smtp_check *check)
{
    const char *user = check->options->user, *password = check->options->password;
    char longest[FIELD_OCTETS + 1];
    memset(longest, 'x', FIELD_OCTETS);
    longest[FIELD_OCTETS] = '\0';
    try_plain(check, "235", plain(check, "", user, password, false));
    /* a stranger, and so refused, for that reason and not for the sizes */
    try_plain(check, "535", plain(check, "", longest, longest, false));
    try_plain(check, "535 501", plain(check, "", user, password, true));
    try_plain(check, "535 501", plain(check, "", user, "", false));
    try_plain(check, "535 501", plain(check, check->token, user, password, false));
}

/* ---- CRAM-MD5 ---- */

/** AUTH CRAM-MD5 and its challenge, decoded: "<...@...>". */
static const char *challenge(struct smtp_talk *talk)
{
    smtp_talk_ask(talk, "334", "AUTH CRAM-MD5");
    const char *text = smtp_scram_decode(talk);
    const char *at = strchr(text, '@');
    size_t len = strlen(text);
    bool is_id = len > 4 && text[0] == '<' && text[len - 1] == '>' && at != NULL && at > text + 1 &&
                 at < text + len - 2;
    smtp_check_that(talk->check, is_id, "expected a message id in angle brackets, came \"%s\"",
                    text);
    return text;
}

static const char *digest_of(struct smtp_check *check, const char *password, const char *text)
{
    unsigned char digest[16];
    char hex[33];
    HMAC(EVP_md5(), password, (int)strlen(password), (const unsigned char *)text, strlen(text),
         digest, NULL);
    for (size_t i = 0; i < sizeof digest; i++) {
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    }
    const char *response = smtp_check_text(check, "%s %s", check->options->user, hex);
    return smtp_ask_base64(check, smtp_span_of(response));
}

static void cram_md5_challenge(struct smtp_check *check)
{
    struct smtp_talk *talk = begin(check, "CRAM-MD5");
    const char *first = challenge(talk);
    smtp_talk_ask(talk, "535", "%s", digest_of(check, check->token, first));
    const char *second = challenge(talk);
    smtp_check_that(check, strcmp(first, second) != 0, "expected a fresh challenge, came %s twice",
                    first);
    smtp_talk_ask(talk, "235", "%s", digest_of(check, check->options->password, second));
}

/* ---- LOGIN ---- */

static void login_two_prompts(struct smtp_check *check)
{
    struct smtp_talk *talk = begin(check, "LOGIN");
    const char *user = smtp_ask_base64(check, smtp_span_of(check->options->user));
    const char *password = smtp_ask_base64(check, smtp_span_of(check->options->password));
    smtp_talk_ask(talk, "334", "AUTH LOGIN");
    const char *first = smtp_scram_decode(talk);
    smtp_talk_ask(talk, "334", "%s", user);
    const char *second = smtp_scram_decode(talk);
    smtp_talk_secret_line(talk, "", password);
    smtp_talk_expect(talk, "235");
    if (smtp_check_goes_on(check) &&
        (strcmp(first, "User Name") != 0 || strcmp(second, "Password") != 0)) {
        smtp_check_warn(check,
                        "the prompts are \"User Name\" and \"Password\", came \"%s\" and \"%s\"",
                        first, second);
    }
    talk = begin(check, "LOGIN");
    if (smtp_talk_try(talk, "AUTH LOGIN %s", user) == 334) { /* a server need not take it */
        smtp_talk_secret_line(talk, "", password);
        smtp_talk_expect(talk, "235");
    }
}

/* ---- OAUTHBEARER ---- */

static void begin_oauth(struct smtp_talk *talk)
{
    struct smtp_check *check = talk->check;
    const char *message = smtp_check_text(check,
                                          "n,a=%s,\x01"
                                          "port=25\x01"
                                          "unknown=yes\x01"
                                          "auth=Bearer %s\x01\x01",
                                          check->options->user, check->token);
    smtp_talk_ask(talk, "334", "AUTH OAUTHBEARER %s",
                  smtp_ask_base64(check, smtp_span_of(message)));
    const char *json = smtp_scram_decode(talk);
    smtp_check_that(check, json[0] == '{' && strstr(json, "\"status\"") != NULL,
                    "expected JSON with \"status\" in 334, came %s",
                    smtp_check_show(check, talk->reply.octets));
}

static void oauth_error_then_535(struct smtp_check *check)
{
    struct smtp_talk *talk = begin(check, "OAUTHBEARER");
    begin_oauth(talk);
    smtp_talk_ask(talk, "535 ~5yz", "AQ==");
    begin_oauth(talk);
    smtp_talk_ask(talk, "501 ~5yz", "*");
}

/* ---- SCRAM ---- */

#define MECHANISM "SCRAM-SHA-256"

/** Sends the final message and reads the outcome. Before it a 334 may come with the server's own final message, which
 *  says why it fails, too (RFC 5802 7, "e="); it is answered with nothing (RFC 4954 4). */
static void send_final(struct smtp_talk *talk, const struct smtp_scram *scram)
{
    smtp_talk_try(talk, "%s", smtp_ask_base64(talk->check, smtp_span_of(scram->proof)));
    if (smtp_talk_is(talk, "334")) {
        smtp_talk_try(talk, "%s", "");
    }
}

/** That exchange fails, begun as it is. */
static void expect_refused(struct smtp_talk *talk, struct smtp_scram *scram)
{
    smtp_scram_prove(scram, NULL);
    send_final(talk, scram);
    smtp_check_that(talk->check, smtp_talk_is(talk, "5yz"),
                    "the first message \"%s%s\": expected 5yz, came %s", scram->gs2,
                    scram->first_bare, smtp_check_show(talk->check, talk->reply.octets));
}

/** A whole exchange with a final message that is as it should be but for what stands before its proof. */
static void finish_scram(struct smtp_check *check, const char *gs2,
                         const char *(*change)(struct smtp_scram *scram), const char *codes)
{
    struct smtp_talk *talk = begin(check, MECHANISM);
    struct smtp_scram scram;
    if (!smtp_scram_begin(&scram, talk, MECHANISM, gs2)) {
        return;
    }
    smtp_scram_prove(&scram, change(&scram));
    send_final(talk, &scram);
    smtp_check_that(check, smtp_talk_is(talk, codes),
                    "the final message \"%s\": expected %s, came %s", scram.proof, codes,
                    smtp_check_show(check, talk->reply.octets));
}

static const char *other_nonce(struct smtp_scram *scram)
{
    return smtp_check_text(scram->check, "c=biws,r=%sx", scram->nonce);
}

static const char *other_binding(struct smtp_scram *scram)
{
    return smtp_check_text(scram->check, "c=eSws,r=%s", scram->nonce);
}

static const char *mandatory_extension(struct smtp_scram *scram)
{
    return smtp_check_text(scram->check, "m=1,c=biws,r=%s", scram->nonce);
}

static const char *optional_extension(struct smtp_scram *scram)
{
    return smtp_check_text(scram->check, "c=biws,r=%s,x=1", scram->nonce);
}

static void scram_server_checks(struct smtp_check *check)
{
    finish_scram(check, "n,,", optional_extension, "235");
    finish_scram(check, "n,,", other_nonce, "535 501 5yz");
    finish_scram(check, "n,,", other_binding, "535 501 5yz");
    finish_scram(check, "n,,", mandatory_extension, "535 501 5yz");
    struct smtp_talk *talk = begin(check, MECHANISM);
    struct smtp_scram scram;
    if (smtp_scram_begin_as(&scram, talk, MECHANISM, "n,,", "a=ZZb") &&
        scram.server_first != NULL) {
        expect_refused(talk, &scram);
    }
}

static const char *as_it_is(struct smtp_scram *scram)
{
    (void)scram;
    return NULL;
}

static void scram_downgrade_check(struct smtp_check *check)
{
    struct smtp_talk *talk = begin(check, MECHANISM "-PLUS");
    struct smtp_scram scram;
    if (smtp_scram_begin_as(&scram, talk, MECHANISM, "y,,", NULL) && scram.server_first != NULL) {
        expect_refused(talk, &scram);
    } else if (smtp_check_goes_on(check)) {
        smtp_check_that(check, smtp_talk_is(talk, "5yz"), "expected a refusal of \"y,,\", came %s",
                        smtp_check_show(check, talk->reply.octets));
    }
    finish_scram(check, "n,,", as_it_is, "235 5yz");
}

#define ITERATIONS 4096

static void scram_iterations(struct smtp_check *check)
{
    struct smtp_talk *talk = begin(check, MECHANISM);
    struct smtp_scram scram;
    if (smtp_scram_begin(&scram, talk, MECHANISM, "n,,")) {
        smtp_check_that(check, scram.iterations >= ITERATIONS,
                        "expected %d iterations or more, came %u", ITERATIONS, scram.iterations);
    }
}

static const struct smtp_rule rows[] = {
    {"rfc2195/2/cram-md5-challenge", SMTP_MUST, SMTP_NEEDS_LOGIN,
     "The challenge is a msg-id in angle brackets with the server name, fresh each time; a "
     "right digest passes and a wrong one fails. [level inferred]",
     "[creds] Two AUTH CRAM-MD5 runs: challenges parse, differ; check 235 and 535.",
     cram_md5_challenge},
    {"rfc4616/2/plain-field-sizes", SMTP_MUST, SMTP_NEEDS_LOGIN,
     "Identity and password of up to 255 octets each are accepted; empty password, extra "
     "NUL and unauthorised authzid fail.",
     "[creds] Log in: 235; as a stranger with name and password of 255 octets each: 535, no "
     "refusal of their size; then message with three NULs, empty password, other authzid: "
     "535 or 501.",
     plain_field_sizes},
    {"rfc5802/5.1/scram-server-checks", SMTP_MUST, SMTP_NEEDS_LOGIN,
     "SCRAM fails on changed nonce, wrong c= value, m= attribute, bad =XX escape in the "
     "user name; unknown optional attributes are ignored; the server nonce extends the "
     "client nonce.",
     "[creds] SCRAM-SHA-256 by hand with each defect: never 235; correct run with an extra "
     "x=1 attribute: 235.",
     scram_server_checks},
    {"rfc5802/6/scram-downgrade-check", SMTP_MUST, SMTP_NEEDS_LOGIN,
     "A y flag is refused by a server that supports channel binding.",
     "[creds] If SCRAM-SHA-256-PLUS is offered: use SCRAM-SHA-256 with y,, header; must "
     "fail; n,, may pass.",
     scram_downgrade_check},
    {"rfc7628/3.2.2/oauth-error-then-535", SMTP_MUST, SMTP_NEEDS_LOGIN,
     "A bad token gives a 334 with base64 JSON holding status; only after the client dummy "
     "response comes the failure code; unknown keys are ignored (3.1). [level inferred]",
     "[creds] AUTH OAUTHBEARER with a bad token: 334 JSON with status; send AQ==: 535; "
     "repeat with *: 501.",
     oauth_error_then_535},
    {"rfc7677/4/scram-iterations", SMTP_SHOULD, SMTP_NEEDS_LOGIN,
     "The iteration count is at least 4096.", "[creds] Read i= from the server-first message.",
     scram_iterations},
    {"draft-murchison-sasl-login-00/2/login-two-prompts", SMTP_SHOULD, SMTP_NEEDS_LOGIN,
     "LOGIN asks for the user name, then the password; prompt texts are User Name and "
     "Password. [known deviation: nearly all servers send Username: and Password: "
     "(memory)]",
     "[creds] AUTH LOGIN, check two 334 prompts, then 235; also with user name as initial "
     "response, if accepted.",
     login_two_prompts},
};
SMTP_RULE_TABLE(smtp_rules_server_sasl, rows);
