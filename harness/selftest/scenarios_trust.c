/* scenarios_trust.c - peers that speak for others, with PROXY headers and XCLIENT: believed where they are
 * trusted, closed or refused where they are not. */
#include "harness/selftest/scenarios.h"

#include <string.h>

static const char *const loopback[] = {"127.0.0.1"};
static const char *const another[] = {"192.0.2.0/24"};

static void trusting_options(struct smtp_harness_options *options, const char *const *peers)
{
    smtp_trial_options(options);
    options->server.trusted_peers = peers;
    options->server.trusted_peer_count = 1;
}

static bool sends_from(struct smtp_trial *trial, const struct smtp_ends *ends, const char *peer)
{
    return smtp_trial_send(trial, ends->client, BOB, smtp_content_text("\n"), SMTP_OK, 250) &&
           smtp_trial_count(trial, ends->harness, 1) &&
           smtp_trial_holds(
               trial, "the peer",
               smtp_message_peer(smtp_harness_envelope(smtp_harness_message(ends->harness, 0))),
               peer);
}

/** The client begins with the header, and the message has the peer that it names. */
static bool behind_a_proxy(struct smtp_trial *trial, const char *header, const char *peer)
{
    struct smtp_ends ends;
    struct smtp_harness_options options;
    trusting_options(&options, loopback);
    options.server.proxy_protocol = true;
    options.client.proxy_header = header;
    return smtp_trial_open(trial, &options, &ends) && sends_from(trial, &ends, peer);
}

static bool proxy_v1(struct smtp_trial *trial)
{
    return behind_a_proxy(trial, "v1 192.0.2.1:40112 192.0.2.2:25", "192.0.2.1:40112");
}

static bool proxy_v2(struct smtp_trial *trial)
{
    return behind_a_proxy(trial, "v2 [2001:db8::1]:40112 [2001:db8::2]:25", "[2001:db8::1]:40112");
}

static bool proxy_unknown(struct smtp_trial *trial)
{
    /* a health check of the proxy's own: the peer is who connected */
    return behind_a_proxy(trial, "v1 unknown", "127.0.0.1:");
}

static bool proxy_untrusted(struct smtp_trial *trial)
{
    struct smtp_harness_options options;
    trusting_options(&options, another);
    options.server.proxy_protocol = true;
    struct smtp_harness *harness = smtp_trial_harness(trial, &options);
    struct smtp_raw *wire = harness != NULL ? smtp_trial_raw_wire(trial, harness) : NULL;
    return wire != NULL && smtp_raw_closes(trial, wire);
}

static bool proxy_missing_or_malformed(struct smtp_trial *trial)
{
    struct smtp_harness_options options;
    trusting_options(&options, loopback);
    options.server.proxy_protocol = true;
    struct smtp_harness *harness = smtp_trial_harness(trial, &options);
    static const char *const beginnings[] = {"EHLO c.example\r\n",
                                             "PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n",
                                             "PROXY TCP4 192.0.2.1 2001:db8::2 1 2\r\n"};
    for (size_t i = 0; i < sizeof beginnings / sizeof *beginnings; i++) {
        struct smtp_raw *wire = harness != NULL ? smtp_trial_raw_wire(trial, harness) : NULL;
        if (wire == NULL || !smtp_raw_says(trial, wire, beginnings[i]) ||
            !smtp_raw_closes(trial, wire)) {
            return false;
        }
    }
    return true;
}

static bool proxy_before_tls(struct smtp_trial *trial)
{
    /* the header comes in the clear, and TLS begins behind it */
    struct smtp_ends ends;
    struct smtp_harness_options options;
    smtp_trial_tls_options(&options);
    options.server.trusted_peers = loopback;
    options.server.trusted_peer_count = 1;
    options.server.proxy_protocol = true;
    options.client.proxy_header = "v2 192.0.2.1:40112 192.0.2.2:465";
    return smtp_trial_open(trial, &options, &ends) && sends_from(trial, &ends, "192.0.2.1:40112") &&
           smtp_trial_expect(trial, ends.harness, "protocol=ESMTPS count=1");
}

static bool xclient(struct smtp_trial *trial)
{
    struct smtp_ends ends;
    struct smtp_harness_options options;
    trusting_options(&options, loopback);
    options.server.keywords.xclient = true;
    return smtp_trial_open(trial, &options, &ends) &&
           smtp_trial_is_ok(trial, "EHLO", smtp_client_ehlo(ends.client), ends.client) &&
           smtp_trial_is_ok(trial, "XCLIENT",
                            smtp_client_xclient(ends.client, "ADDR=192.0.2.7 NAME=mx.example"),
                            ends.client) &&
           sends_from(trial, &ends, "192.0.2.7");
}

static bool xclient_untrusted(struct smtp_trial *trial)
{
    struct smtp_ends ends;
    struct smtp_harness_options options;
    trusting_options(&options, another);
    options.server.keywords.xclient = true;
    if (!smtp_trial_open(trial, &options, &ends) ||
        !smtp_trial_is_ok(trial, "EHLO", smtp_client_ehlo(ends.client), ends.client) ||
        !smtp_trial_is_status(trial, "XCLIENT", smtp_client_xclient(ends.client, "ADDR=192.0.2.7"),
                              SMTP_UNSUPPORTED, ends.client)) {
        return false;
    }
    struct smtp_raw *wire = smtp_trial_wire(trial, ends.harness);
    return wire != NULL && smtp_raw_asks(trial, wire, "EHLO c.example", "250") &&
           smtp_raw_asks(trial, wire, "XCLIENT ADDR=192.0.2.7", "5") &&
           sends_from(trial, &ends, "127.0.0.1:");
}

static enum smtp_server_verdict say_yes(void *user, const struct smtp_server_session_info *session,
                                        const char *argument, struct smtp_server_reply *reply)
{
    (void)user;
    (void)session;
    return smtp_server_reply(reply, 250, "2.1.5", "%s <%s@example.com>", argument, argument);
}

static bool vrfy_expn_switches(struct smtp_trial *trial)
{
    /* RFC 5321 3.5.3, 7.3: a site may switch them off */
    struct smtp_harness_options options;
    smtp_trial_options(&options);
    options.server.hooks.vrfy = say_yes;
    options.server.hooks.expn = say_yes;
    struct smtp_harness *on = smtp_trial_harness(trial, &options);
    options.server.keywords.vrfy = options.server.keywords.expn = options.server.keywords.help =
        false;
    struct smtp_harness *off = smtp_trial_harness(trial, &options);
    struct smtp_raw *to_on = on != NULL ? smtp_trial_wire(trial, on) : NULL;
    struct smtp_raw *to_off = off != NULL ? smtp_trial_wire(trial, off) : NULL;
    return to_on != NULL && to_off != NULL &&
           smtp_raw_asks(trial, to_on, "EHLO c.example", "250") &&
           smtp_raw_asks(trial, to_on, "VRFY bob", "250 2.1.5 bob <bob@example.com>") &&
           smtp_raw_asks(trial, to_on, "EXPN list", "250 2.1.5 list") &&
           smtp_raw_asks(trial, to_on, "HELP", "214") &&
           smtp_raw_asks(trial, to_off, "EHLO c.example", "250") &&
           smtp_raw_asks(trial, to_off, "VRFY bob", "502") &&
           smtp_raw_asks(trial, to_off, "EXPN list", "502") &&
           smtp_raw_asks(trial, to_off, "HELP", "502");
}

static const struct smtp_scenario rows[] = {
    {"proxy-v1", "", "a PROXY header of text names the peer", proxy_v1},
    {"proxy-v2", "", "a binary one, with IPv6 addresses", proxy_v2},
    {"proxy-unknown", "", "one that names nobody: the peer is who connected", proxy_unknown},
    {"proxy-before-tls", "8314 3", "the header first, in the clear, then TLS", proxy_before_tls},
    {"proxy-untrusted", "", "closed at once", proxy_untrusted},
    {"proxy-malformed", "", "none, or a wrong one: closed", proxy_missing_or_malformed},
    {"xclient", "", "a trusted client names the peer, and the session begins again", xclient},
    {"xclient-untrusted", "", "neither offered nor taken", xclient_untrusted},
    {"vrfy-expn-help-switches", "5321 3.5.3", "on by a hook, off: 502", vrfy_expn_switches},
};
const struct smtp_scenario_table smtp_scenarios_trust = {rows, sizeof rows / sizeof *rows};
