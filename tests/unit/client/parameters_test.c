/* parameters_test.c - what is asked for with MAIL and RCPT: how it is written, what is refused before an
 * octet goes out, and that nothing is sent which the server does not offer. */
#include "client/protocol/parameters.h"
#include "tests/support/test.h"
#include "tests/unit/client/asked.h"

#include <stdio.h>

static const struct asked_of everything = {
    .offered = "DSN\nREQUIRETLS\nFUTURERELEASE 86400 2026-12-24T18:00:00Z\nDELIVERBY 120\n"
               "MT-PRIORITY MIXER\nAUTH PLAIN\n8BITMIME\nSMTPUTF8\nSIZE\nBINARYMIME\nCHUNKING\n",
    .tls = true,
};

struct mail_row {
    struct smtp_mail_options mail;
    const char *parameters; /* of the MAIL line */
};

static void expect_mail(const struct mail_row *row)
{
    char line[1024];
    struct asked asked = ask_mail(&everything, &row->mail);
    expect_str(asked.message, "");
    expect_int(asked.status, SMTP_OK);
    snprintf(line, sizeof(line), "MAIL FROM:<ann@x>%s\r\n", row->parameters);
    asked.said[strcspn(asked.said, "\n") + 1] = '\0';
    expect_str(asked.said, line);
}

/* rfc3461/4/dsn-parameters-well-formed, RFC 3461 4.3, 4.4; RFC 8689 2; RFC 4865 3; RFC 2852 4; RFC 6710
 * 3; RFC 4954 5 */
TEST(client_parameters, each_option_of_mail_is_one_parameter)
{
    static const struct mail_row rows[] = {
        {{.dsn_return = SMTP_DSN_RETURN_FULL}, " RET=FULL"},
        {{.dsn_return = SMTP_DSN_RETURN_HEADERS}, " RET=HDRS"},
        {{.dsn_envelope_id = "QQ314159"}, " ENVID=QQ314159"},
        {{.dsn_envelope_id = "a b+c=d/~"}, " ENVID=a+20b+2Bc+3Dd/~"},
        {{.require_tls = true}, " REQUIRETLS"},
        {{.hold_for_s = 1}, " HOLDFOR=1"},
        {{.hold_for_s = 86400}, " HOLDFOR=86400"},
        {{.hold_until = "2026-12-24T18:00:00Z"}, " HOLDUNTIL=2026-12-24T18:00:00Z"},
        {{.deliver_by = SMTP_DELIVER_BY_NOTIFY, .deliver_by_s = 0}, " BY=0;N"},
        {{.deliver_by = SMTP_DELIVER_BY_NOTIFY, .deliver_by_s = -999999999}, " BY=-999999999;N"},
        {{.deliver_by = SMTP_DELIVER_BY_RETURN, .deliver_by_s = 120, .deliver_by_trace = true},
         " BY=120;RT"},
        {{.deliver_by = SMTP_DELIVER_BY_RETURN, .deliver_by_s = 999999999}, " BY=999999999;R"},
        {{.has_priority = true, .priority = -9}, " MT-PRIORITY=-9"},
        {{.has_priority = true}, " MT-PRIORITY=0"},
        {{.has_priority = true, .priority = 9}, " MT-PRIORITY=9"},
        {{.auth = ""}, " AUTH=<>"},
        {{.auth = "e+mc2=@example.com"}, " AUTH=e+2Bmc2+3D@example.com"},
        {{.auth = "john smith@x"}, " AUTH=\"john+20smith\"@x"},
        {{.auth = "b\xC3\xB6@x"}, " AUTH=b+C3+B6@x"},
        {{0}, ""},
        {{.dsn_return = SMTP_DSN_RETURN_FULL,
          .dsn_envelope_id = "1",
          .require_tls = true,
          .hold_for_s = 2,
          .deliver_by = SMTP_DELIVER_BY_NOTIFY,
          .deliver_by_s = 3,
          .has_priority = true,
          .priority = 4,
          .auth = "a@b"},
         " REQUIRETLS RET=FULL ENVID=1 HOLDFOR=2 BY=3;N MT-PRIORITY=4 AUTH=a@b"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        expect_mail(&rows[i]);
    }
}

struct bad_mail {
    struct smtp_mail_options mail;
    enum smtp_status status;
    const char *message; /* part of it */
};

static const struct bad_mail bad_mails[] = {
    {{.dsn_return = (enum smtp_dsn_return)7}, SMTP_BAD_ARGUMENT, "dsn_return"},
    {{.dsn_envelope_id = ""}, SMTP_BAD_ARGUMENT, "the envelope identifier has 0 octets"},
    {{.dsn_envelope_id = "a\r\nRCPT TO:<x@y>"}, SMTP_UNSAFE_ARGUMENT, "0x0D at position 1"},
    {{.dsn_envelope_id = "a\n"}, SMTP_UNSAFE_ARGUMENT, "0x0A"},
    {{.dsn_envelope_id = "a\x7F"}, SMTP_UNSAFE_ARGUMENT, "0x7F"},
    {{.dsn_envelope_id = "a\xC3\xB6"}, SMTP_BAD_ARGUMENT, "above 127"},
    {{.hold_for_s = 1000000000}, SMTP_BAD_ARGUMENT, "999999999"},
    {{.hold_for_s = 1, .hold_until = "2026-12-24T18:00:00Z"}, SMTP_BAD_ARGUMENT, "exclude"},
    {{.hold_until = ""}, SMTP_BAD_ARGUMENT, "RFC 3339"},
    {{.hold_until = "2026-12-24T18:00:00+01:00"}, SMTP_BAD_ARGUMENT, "RFC 3339"},
    {{.hold_until = "2026-12-24T18:00:00Z RET=FULL"}, SMTP_BAD_ARGUMENT, "RFC 3339"},
    {{.hold_until = "2026-12-24 18:00:00Z"}, SMTP_BAD_ARGUMENT, "RFC 3339"},
    {{.hold_until = "2026-13-24T18:00:00Z"}, SMTP_BAD_ARGUMENT, "RFC 3339"},
    {{.hold_until = "2026-00-24T18:00:00Z"}, SMTP_BAD_ARGUMENT, "RFC 3339"},
    {{.hold_until = "2026-12-00T18:00:00Z"}, SMTP_BAD_ARGUMENT, "RFC 3339"},
    {{.hold_until = "2026-02-29T18:00:00Z"}, SMTP_BAD_ARGUMENT, "RFC 3339"},
    {{.hold_until = "2026-12-24T24:00:00Z"}, SMTP_BAD_ARGUMENT, "RFC 3339"},
    {{.hold_until = "2026-12-24T18:60:00Z"}, SMTP_BAD_ARGUMENT, "RFC 3339"},
    {{.deliver_by = (enum smtp_deliver_by)9}, SMTP_BAD_ARGUMENT, "deliver_by"},
    {{.deliver_by_s = 5}, SMTP_BAD_ARGUMENT, "need deliver_by"},
    {{.deliver_by_trace = true}, SMTP_BAD_ARGUMENT, "need deliver_by"},
    {{.deliver_by = SMTP_DELIVER_BY_RETURN}, SMTP_BAD_ARGUMENT, "above 0"},
    {{.deliver_by = SMTP_DELIVER_BY_RETURN, .deliver_by_s = -1}, SMTP_BAD_ARGUMENT, "above 0"},
    {{.deliver_by = SMTP_DELIVER_BY_NOTIFY, .deliver_by_s = 1000000000},
     SMTP_BAD_ARGUMENT,
     "999999999"},
    {{.deliver_by = SMTP_DELIVER_BY_NOTIFY, .deliver_by_s = INT64_MIN},
     SMTP_BAD_ARGUMENT,
     "999999999"},
    {{.has_priority = true, .priority = 10}, SMTP_BAD_ARGUMENT, "between -9 and 9"},
    {{.has_priority = true, .priority = -10}, SMTP_BAD_ARGUMENT, "between -9 and 9"},
    {{.priority = 1}, SMTP_BAD_ARGUMENT, "has_priority"},
    {{.auth = "a@b\r\nRSET"}, SMTP_UNSAFE_ARGUMENT, "control octet"},
    {{.auth = "a@b> SIZE=1"}, SMTP_UNSAFE_ARGUMENT, "outside quotes"},
    {{.auth = "nobody"}, SMTP_BAD_ARGUMENT, "local-part@domain"},
};

TEST(client_parameters, a_value_out_of_range_is_refused_and_nothing_is_sent)
{
    for (size_t i = 0; i < sizeof(bad_mails) / sizeof(bad_mails[0]); i++) {
        struct asked asked = ask_mail(&everything, &bad_mails[i].mail);
        expect_contains(asked.message, bad_mails[i].message);
        expect_int(asked.status, bad_mails[i].status);
    }
}

TEST(client_parameters, an_envelope_id_has_100_octets_of_xtext_at_most_rfc3461_4_4)
{
    char id[128];
    struct smtp_mail_options mail = {.dsn_envelope_id = id};
    memset(id, 'x', sizeof(id));
    id[100] = '\0';
    expect_int(ask_mail(&everything, &mail).status, SMTP_OK);
    id[100] = 'x';
    id[101] = '\0';
    expect_int(ask_mail(&everything, &mail).status, SMTP_BAD_ARGUMENT);
    id[99] = '\0';
    id[0] = '+'; /* three octets: 101 */
    expect_int(ask_mail(&everything, &mail).status, SMTP_BAD_ARGUMENT);
}

TEST(client_parameters, a_time_is_a_real_one_in_utc_rfc3339)
{
    expect_true(smtp_client_is_utc_time(SMTP_SPAN("2024-02-29T23:59:60Z")));
    expect_true(smtp_client_is_utc_time(SMTP_SPAN("2000-02-29T00:00:00Z")));
    expect_true(!smtp_client_is_utc_time(SMTP_SPAN("2100-02-29T00:00:00Z")));
    expect_true(!smtp_client_is_utc_time(SMTP_SPAN("2024-04-31T00:00:00Z")));
    expect_true(!smtp_client_is_utc_time(SMTP_SPAN("2024-02-29T23:59:61Z")));
    expect_true(!smtp_client_is_utc_time(SMTP_SPAN("2024-02-29T23:59:5xZ")));
}

/* ---- RCPT ---- */

struct rcpt_row {
    struct smtp_rcpt_options rcpt;
    const char *parameters;
};

static void expect_rcpt(const struct rcpt_row *row)
{
    char line[1024];
    struct asked asked = ask_rcpt(&everything, &row->rcpt);
    expect_str(asked.message, "");
    expect_int(asked.status, SMTP_OK);
    snprintf(line, sizeof(line), "\r\nRCPT TO:<bob@y>%s\r\n", row->parameters);
    expect_contains(asked.said, line);
}

/* rfc3461/4/dsn-parameters-well-formed, RFC 3461 4.1, 4.2; RFC 6533 3 */
TEST(client_parameters, each_option_of_rcpt_is_one_parameter)
{
    static const struct rcpt_row rows[] = {
        {{0}, ""},
        {{.notify = SMTP_NOTIFY_NEVER}, " NOTIFY=NEVER"},
        {{.notify = SMTP_NOTIFY_SUCCESS}, " NOTIFY=SUCCESS"},
        {{.notify = SMTP_NOTIFY_DELAY | SMTP_NOTIFY_FAILURE}, " NOTIFY=FAILURE,DELAY"},
        {{.notify = SMTP_NOTIFY_DELAY | SMTP_NOTIFY_FAILURE | SMTP_NOTIFY_SUCCESS},
         " NOTIFY=SUCCESS,FAILURE,DELAY"},
        {{.original_recipient = "bob@example.com"}, " ORCPT=rfc822;bob@example.com"},
        {{.original_recipient = "bob+tag@example.com"}, " ORCPT=rfc822;bob+2Btag@example.com"},
        {{.original_recipient = "rfc822;a=b@example.com"}, " ORCPT=rfc822;a+3Db@example.com"},
        {{.original_recipient = "\"a;b c\"@x"}, " ORCPT=rfc822;\"a;b+20c\"@x"},
        {{.original_recipient = "X400;/C=US/O=x/"}, " ORCPT=X400;/C+3DUS/O+3Dx/"},
        {{.original_recipient = "b\xC3\xB6"
                                "b@x"},
         " ORCPT=utf-8;b\\x{F6}b@x"},
        {{.original_recipient = "utf-8;\xE2\x82\xAC+\\= @x"},
         " ORCPT=utf-8;\\x{20AC}\\x{2B}\\x{5C}\\x{3D}\\x{20}@x"},
        {{.original_recipient = "\xF0\x9F\x98\x80@x"}, " ORCPT=utf-8;\\x{1F600}@x"},
        {{.notify = SMTP_NOTIFY_NEVER, .original_recipient = "a@b"},
         " NOTIFY=NEVER ORCPT=rfc822;a@b"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        expect_rcpt(&rows[i]);
    }
}

/* RFC 6533 3: utf-8-addr-unitext */
TEST(client_parameters, an_original_recipient_goes_as_utf8_in_a_transaction_of_smtputf8)
{
    static const char *const paths[] = {"b\xC3\xB6@y"};
    struct smtp_rcpt_options rcpt = {.original_recipient = "b\xC3\xB6+@y"};
    struct smtp_envelope envelope = {
        .reverse_path = "ann@x", .forward_paths = paths, .forward_path_count = 1, .rcpt = &rcpt};
    struct asked asked = ask_envelope(&everything, &envelope);
    expect_str(asked.said, "MAIL FROM:<ann@x> SMTPUTF8\r\n"
                           "RCPT TO:<b\xC3\xB6@y> ORCPT=utf-8;b\xC3\xB6\\x{2B}@y\r\nDATA\r\n");
}

TEST(client_parameters, what_no_option_of_rcpt_can_be_is_refused)
{
    static const struct {
        struct smtp_rcpt_options rcpt;
        enum smtp_status status;
    } rows[] = {
        {{.notify = SMTP_NOTIFY_NEVER | SMTP_NOTIFY_SUCCESS}, SMTP_BAD_ARGUMENT},
        {{.notify = 16}, SMTP_BAD_ARGUMENT},
        {{.original_recipient = ""}, SMTP_BAD_ARGUMENT},
        {{.original_recipient = "rfc822;"}, SMTP_BAD_ARGUMENT},
        {{.original_recipient = "rfc822;b\xC3\xB6@x"}, SMTP_BAD_ARGUMENT},
        {{.original_recipient = "b\xC3@x"}, SMTP_BAD_ARGUMENT},
        {{.original_recipient = "utf-8;\xED\xA0\x80@x"}, SMTP_BAD_ARGUMENT},
        {{.original_recipient = "a@b\r\nDATA"}, SMTP_UNSAFE_ARGUMENT},
        {{.original_recipient = "utf-8;b\xC3\xB6\n@x"}, SMTP_UNSAFE_ARGUMENT},
        {{.original_recipient = "rfc822;a@b\x01"}, SMTP_UNSAFE_ARGUMENT},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        expect_int(ask_rcpt(&everything, &rows[i].rcpt).status, rows[i].status);
    }
}

TEST(client_parameters, an_original_recipient_fits_what_rcpt_may_grow_by_rfc3461_4)
{
    char address[600];
    struct smtp_rcpt_options rcpt = {.original_recipient = address};
    memset(address, 'x', sizeof(address));
    size_t most = 500 - strlen(" ORCPT=rfc822;");
    address[most] = '\0';
    expect_int(ask_rcpt(&everything, &rcpt).status, SMTP_OK);
    address[most] = 'x';
    address[most + 1] = '\0';
    expect_int(ask_rcpt(&everything, &rcpt).status, SMTP_BAD_ARGUMENT);
}

/* ---- what the server offers ---- */

static void expect_unsupported(const struct asked *asked, const char *extension)
{
    char part[64];
    snprintf(part, sizeof(part), "needs %s, which the server does not offer", extension);
    expect_contains(asked->message, part);
    expect_int(asked->status, SMTP_UNSUPPORTED);
}

/* RFC 5321 4.1.1.3; rfc3461/4/dsn-parameters-well-formed: not offered, none appears */
TEST(client_parameters, an_option_whose_extension_is_not_offered_is_unsupported)
{
    static const struct {
        struct smtp_mail_options mail;
        const char *extension;
    } rows[] = {
        {{.dsn_return = SMTP_DSN_RETURN_FULL}, "DSN"},
        {{.dsn_envelope_id = "1"}, "DSN"},
        {{.require_tls = true}, "REQUIRETLS"},
        {{.hold_for_s = 1}, "FUTURERELEASE"},
        {{.hold_until = "2026-12-24T18:00:00Z"}, "FUTURERELEASE"},
        {{.deliver_by = SMTP_DELIVER_BY_NOTIFY}, "DELIVERBY"},
        {{.has_priority = true}, "MT-PRIORITY"},
        {{.auth = ""}, "AUTH"},
    };
    struct asked_of nothing = {.offered = "", .tls = true}, helo = {.offered = NULL, .tls = true};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct asked asked = ask_mail(&nothing, &rows[i].mail);
        expect_unsupported(&asked, rows[i].extension);
        asked = ask_mail(&helo, &rows[i].mail);
        expect_unsupported(&asked, rows[i].extension);
    }
    struct smtp_rcpt_options notify = {.notify = SMTP_NOTIFY_NEVER};
    struct smtp_rcpt_options original = {.original_recipient = "a@b"};
    struct asked asked = ask_rcpt(&nothing, &notify);
    expect_unsupported(&asked, "DSN");
    asked = ask_rcpt(&nothing, &original);
    expect_unsupported(&asked, "DSN");
}

/* rfc8689/2/requiretls-only-in-tls */
TEST(client_parameters, requiretls_is_asked_for_under_verified_tls_alone_rfc8689_2)
{
    struct smtp_mail_options mail = {.require_tls = true};
    struct asked_of in_the_clear = {.offered = "REQUIRETLS\n"};
    struct asked_of unverified = {.offered = "REQUIRETLS\n", .tls = true, .insecure = true};
    struct asked_of verified = {.offered = "REQUIRETLS\n", .tls = true};
    struct asked asked = ask_mail(&in_the_clear, &mail);
    expect_int(asked.status, SMTP_BAD_STATE);
    expect_contains(asked.message, "under TLS alone");
    asked = ask_mail(&unverified, &mail);
    expect_int(asked.status, SMTP_BAD_STATE);
    expect_contains(asked.message, "verified");
    unverified.own_context = true; /* then it is the caller who verifies */
    expect_int(ask_mail(&unverified, &mail).status, SMTP_OK);
    asked = ask_mail(&verified, &mail);
    expect_contains(asked.said, "MAIL FROM:<ann@x> REQUIRETLS\r\n");
    static const char *const bob[] = {"bob@y"};
    struct smtp_envelope raw = {.reverse_path = "ann@x",
                                .forward_paths = bob,
                                .forward_path_count = 1,
                                .mail_parameters = "requiretls"};
    expect_int(ask_envelope(&in_the_clear, &raw).status, SMTP_BAD_STATE);
    expect_int(ask_envelope(&verified, &raw).status, SMTP_OK);
}

TEST(client_parameters, a_hold_within_what_the_server_offers_rfc4865_4)
{
    static const struct {
        const char *offer;
        struct smtp_mail_options mail;
        enum smtp_status status;
    } rows[] = {
        {"FUTURERELEASE 60 2026-12-24T18:00:00Z\n", {.hold_for_s = 60}, SMTP_OK},
        {"FUTURERELEASE 60 2026-12-24T18:00:00Z\n", {.hold_for_s = 61}, SMTP_UNSUPPORTED},
        {"FUTURERELEASE 60 2026-12-24T18:00:00Z\n",
         {.hold_until = "2026-12-24T18:00:00Z"},
         SMTP_OK},
        {"FUTURERELEASE 60 2026-12-24T18:00:00Z\n",
         {.hold_until = "2026-12-24T18:00:01Z"},
         SMTP_UNSUPPORTED},
        {"FUTURERELEASE\n", {.hold_for_s = 999999999}, SMTP_OK},
        {"FUTURERELEASE 60 0\n", {.hold_until = "9999-12-31T23:59:59Z"}, SMTP_OK},
        {"FUTURERELEASE x y\n", {.hold_until = "9999-12-31T23:59:59Z"}, SMTP_OK},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct asked_of of = {.offered = rows[i].offer};
        expect_int(ask_mail(&of, &rows[i].mail).status, rows[i].status);
    }
}

TEST(client_parameters, a_time_to_return_by_is_not_below_the_servers_least_rfc2852_3)
{
    struct asked_of of = {.offered = "DELIVERBY 120\n"}, unsaid = {.offered = "DELIVERBY\n"};
    struct smtp_mail_options by = {.deliver_by = SMTP_DELIVER_BY_RETURN, .deliver_by_s = 119};
    expect_int(ask_mail(&of, &by).status, SMTP_UNSUPPORTED);
    expect_int(ask_mail(&unsaid, &by).status, SMTP_OK);
    by.deliver_by_s = 120;
    expect_int(ask_mail(&of, &by).status, SMTP_OK);
    by = (struct smtp_mail_options){.deliver_by = SMTP_DELIVER_BY_NOTIFY, .deliver_by_s = -5};
    expect_int(ask_mail(&of, &by).status, SMTP_OK);
}

/* ---- raw parameters ---- */

static struct asked ask_raw(const char *mail_parameters, const char *rcpt_parameters,
                            const struct smtp_mail_options *mail,
                            const struct smtp_rcpt_options *rcpt)
{
    static const char *const bob[] = {"bob@y"};
    struct smtp_envelope envelope = {.reverse_path = "ann@x",
                                     .forward_paths = bob,
                                     .forward_path_count = 1,
                                     .mail_parameters = mail_parameters,
                                     .rcpt_parameters = &rcpt_parameters,
                                     .mail = mail,
                                     .rcpt = rcpt};
    return ask_envelope(&everything, &envelope);
}

TEST(client_parameters, raw_ones_stand_behind_the_options_and_do_not_repeat_them)
{
    struct smtp_mail_options full = {.dsn_return = SMTP_DSN_RETURN_FULL};
    struct smtp_rcpt_options never = {.notify = SMTP_NOTIFY_NEVER};
    struct asked asked = ask_raw("ENVID=1 X-OWN", "ORCPT=rfc822;a@b", &full, &never);
    expect_str(asked.said, "MAIL FROM:<ann@x> RET=FULL ENVID=1 X-OWN\r\n"
                           "RCPT TO:<bob@y> NOTIFY=NEVER ORCPT=rfc822;a@b\r\nDATA\r\n");
    asked = ask_raw("ret=HDRS", NULL, &full, NULL);
    expect_contains(asked.message, "RET stands twice");
    expect_int(asked.status, SMTP_BAD_ARGUMENT);
    expect_int(ask_raw(NULL, "Notify=DELAY", NULL, &never).status, SMTP_BAD_ARGUMENT);
    expect_int(ask_raw("X=1 Y=2 x=3", NULL, NULL, NULL).status, SMTP_BAD_ARGUMENT);
    expect_int(ask_raw("X=1 XY=2 Y=3", NULL, NULL, NULL).status, SMTP_OK);
}

TEST(client_parameters, what_the_client_declares_itself_is_refused_in_an_envelope)
{
    expect_int(ask_raw("SIZE=1", NULL, NULL, NULL).status, SMTP_BAD_ARGUMENT);
    expect_int(ask_raw("body=8BITMIME", NULL, NULL, NULL).status, SMTP_BAD_ARGUMENT);
    expect_int(ask_raw("SMTPUTF8", NULL, NULL, NULL).status, SMTP_BAD_ARGUMENT);
}

TEST(client_parameters, one_is_found_by_its_keyword_in_any_case)
{
    struct smtp_span value = smtp_client_parameters_find("A=b RET=full NO", "ret");
    expect_bytes(value.bytes, value.len, "full", 4);
    expect_true(smtp_client_parameters_have("A=b NO", "no"));
    expect_int(smtp_client_parameters_find("A=b NO", "no").len, 0);
    expect_true(!smtp_client_parameters_have("A=RET", "RET"));
    expect_true(!smtp_client_parameters_have(NULL, "RET"));
}
