/* envelope_test.c - address lists, header sections, and the envelope made of them. RFC
 * 5322 3.4, 3.6. */
#include "client/address_list.h"
#include "client/client.h"
#include "client/header.h"
#include "tests/support/test.h"

#include <stdio.h>

struct list_row {
    const char *body;
    const char *addresses; /* joined by '|'; NULL: SMTP_BAD_ARGUMENT */
};

static void check_list(const struct list_row *row)
{
    struct smtp_buffer texts = SMTP_BUFFER(1 << 20);
    struct smtp_error error = {0};
    size_t count = 0;
    enum smtp_status status =
        smtp_client_address_list_read(smtp_span_of(row->body), &texts, &count, &error);
    if (row->addresses == NULL) {
        expect_int(status, SMTP_BAD_ARGUMENT);
        expect_contains(error.message, "address");
    } else {
        char joined[400] = "";
        size_t len = 0;
        expect_str(error.message, "");
        for (size_t i = 0, at = 0; i < count; i++) {
            const char *one = smtp_buffer_span(&texts).bytes + at;
            len +=
                (size_t)snprintf(joined + len, sizeof(joined) - len, "%s%s", i > 0 ? "|" : "", one);
            at += strlen(one) + 1;
        }
        expect_str(joined, row->addresses);
    }
    smtp_buffer_free(&texts);
}

TEST(client_address_list, addresses_are_found_in_every_form)
{
    static const struct list_row rows[] = {
        {" bob@x", "bob@x"},
        {" bob@x, c@y ,d@z", "bob@x|c@y|d@z"},
        {"Bob <bob@x>", "bob@x"},
        {"B\xC3\xB6"
         "b <b\xC3\xB6"
         "b@\xC3\xBC.x>",
         "b\xC3\xB6"
         "b@\xC3\xBC.x"},
        {"\"Bob, the <b@z>\" <bob@x>", "bob@x"},
        {"\"Bob \\\" x\" <bob@x>, c@y", "bob@x|c@y"},
        {"Bob (a (nested) comment \\) here) <bob@x> (c@y)", "bob@x"},
        {"bob@x (a \\) b)", "bob@x"},
        {"\"a\r\n b\"@x", "\"a b\"@x"}, /* RFC 5322 3.2.4: folding is no part of it */
        {"bob(comment)@x", "bob@x"},
        {"bob @ x . org", "bob@x.org"},
        {"\"john smith\"@x", "\"john smith\"@x"},
        {"<\"a>b\"@x>", "\"a>b\"@x"},
        {"Friends: bob@x, C <c@y>;", "bob@x|c@y"},
        {"Nobody:;", ""},
        {"A: a@x; , B: b@y;, c@z", "a@x|b@y|c@z"},
        {"A: a@x", "a@x"},
        {"", ""},
        {" , ,", ""},
        {"Bob\r\n <bob@x>,\r\n\tc@y\r\n", "bob@x|c@y"},
        {"bob@[127.0.0.1], <c@[IPv6:::1]>", "bob@[127.0.0.1]|c@[IPv6:::1]"},
        {"<@a,@b:bob@x>", "bob@x"},
        {"=?utf-8?q?B=C3=B6b?= <bob@x>", "bob@x"},
        {"B\xC3\xB6"
         "b <bob@x>",
         "bob@x"},
        {"J. R. Smith <bob@x>", "bob@x"},
        {"two words bob@x", NULL},
        {"<bob@x", NULL},
        {"bob@x>", NULL},
        {"<<bob@x>>", NULL},
        {"<bob@x> c@y", NULL},
        {"<bob@x><c@y>", NULL},
        {"<>", NULL},
        {"<bob x@y>", NULL},
        {"(open bob@x", NULL},
        {"\"open bob@x", NULL},
        {"bob@x;", NULL},
        {"A: B: c@x;;", NULL},
        {"\"x", NULL},
        {"\"x\\", NULL},
        {"(", NULL},
        {"(\\", NULL},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        check_list(&rows[i]);
    }
}

/* The stack overflow by nesting that other parsers had. */
TEST(client_address_list, deep_nesting_is_an_error_and_no_crash)
{
    static char body[300000];
    memset(body, '(', sizeof(body) - 1);
    check_list(&(struct list_row){body, NULL});
    memset(body, ':', sizeof(body) - 1);
    check_list(&(struct list_row){body, NULL});
    memset(body, '<', sizeof(body) - 1);
    check_list(&(struct list_row){body, NULL});
}

TEST(client_address_list, comments_nest_as_deep_as_the_bound_and_no_deeper)
{
    char body[2 * SMTP_CLIENT_COMMENT_DEPTH_MAX + 20];
    for (size_t extra = 0; extra < 2; extra++) {
        size_t depth = SMTP_CLIENT_COMMENT_DEPTH_MAX + extra;
        memset(body, '(', depth);
        memset(body + depth, ')', depth);
        memcpy(body + 2 * depth, "bob@x", 6);
        check_list(&(struct list_row){body, extra == 0 ? "bob@x" : NULL});
    }
}

TEST(client_address_list, control_octets_are_unsafe)
{
    struct smtp_buffer texts = SMTP_BUFFER(1000);
    size_t count = 0;
    struct smtp_span with_nul = {"a@x\0b", 5};
    expect_int(smtp_client_address_list_read(with_nul, &texts, &count, NULL), SMTP_UNSAFE_ARGUMENT);
    expect_int(texts.len, 0);
    smtp_buffer_free(&texts);
}

TEST(client_address_list,
     control_octets_in_quotations_and_literals_are_unsafe_but_for_folding_and_tabs)
{
    static const struct {
        struct smtp_span body;
        enum smtp_status status;
    } rows[] = {
        {{"\"a\0b\"@x, c@y", 13},
         SMTP_UNSAFE_ARGUMENT}, /* which would be three addresses for two */
        {{"a@[1\0]", 7}, SMTP_UNSAFE_ARGUMENT},
        {{"\"a\\\0b\"@x", 9}, SMTP_UNSAFE_ARGUMENT},
        {{"\"a\\\rb\"@x", 9}, SMTP_UNSAFE_ARGUMENT},
        {{"\"a\x1b\"@x", 6}, SMTP_UNSAFE_ARGUMENT},
        {{"\"a\tb\"@x", 7}, SMTP_OK},
        {{"\"a\r\n b\"@x", 9}, SMTP_OK},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct smtp_buffer texts = SMTP_BUFFER(1 << 20);
        size_t count = 0;
        expect_int(smtp_client_address_list_read(rows[i].body, &texts, &count, NULL),
                   rows[i].status);
        expect_int(count, rows[i].status == SMTP_OK ? 1 : 0);
        expect_int(texts.len > 0, count);
        smtp_buffer_free(&texts);
    }
}

TEST(client_header, its_end_is_found_under_any_split)
{
    static const char *const messages[] = {"A: b\r\nC: d\r\n\r\nbody",
                                           "A: b\nC: d\n\nbody",
                                           "A: b\rC: d\r\rbody",
                                           "A: b\n\r\nbody",
                                           "\r\nbody",
                                           "\nbody",
                                           "A: b\r\n\nbody"};
    static const size_t ends[] = {12, 10, 10, 5, 0, 0, 6};
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        size_t len = strlen(messages[i]);
        for (size_t cut = 0; cut <= len; cut++) {
            struct smtp_client_header_end search = SMTP_CLIENT_HEADER_END;
            bool found = smtp_client_header_end_find(&search, (struct smtp_span){messages[i], cut});
            expect_true(found == (cut > ends[i]));
            found =
                found || smtp_client_header_end_find(&search, (struct smtp_span){messages[i], len});
            expect_true(found);
            expect_int(search.looked_at, ends[i]);
        }
    }
}

/* Reads an envelope: "reverse-path > path|path", and what is left of the message, into out. */
static enum smtp_status read_envelope(const char *message, char *summary, size_t size, char *rest,
                                      size_t rest_size)
{
    struct smtp_content content = smtp_content_text(message);
    struct smtp_client_source source;
    struct smtp_client_header_envelope envelope;
    struct smtp_buffer header = {0};
    smtp_client_source_init(&source, &content);
    enum smtp_status status = smtp_client_envelope_read(&envelope, &source, &header, NULL);
    summary[0] = '\0';
    if (status == SMTP_OK) {
        size_t len = (size_t)snprintf(summary, size, "%s >", envelope.envelope.reverse_path);
        for (size_t i = 0; i < envelope.envelope.forward_path_count; i++) {
            len += (size_t)snprintf(summary + len, size - len, " %s",
                                    envelope.envelope.forward_paths[i]);
        }
        size_t got = 1, made = 0;
        while (got > 0) {
            expect_int(
                smtp_client_source_read(&source, rest + made, rest_size - made - 1, &got, NULL),
                SMTP_OK);
            made += got;
        }
        rest[made] = '\0';
    }
    smtp_client_envelope_clear(&envelope);
    smtp_buffer_free(&header);
    return status;
}

struct envelope_row {
    const char *message;
    const char *summary; /* NULL: SMTP_BAD_ARGUMENT */
    const char *rest;    /* NULL: the message as it is */
};

TEST(client_envelope, it_is_read_from_the_header_and_bcc_is_left_out)
{
    static const struct envelope_row rows[] = {
        {"From: Ann <ann@x>\nTo: bob@y\n\nhi\n", "ann@x > bob@y", NULL},
        {"From: ann@x, ben@x\nTo: bob@y\n\n", "ann@x > bob@y", NULL},
        {"From: ann@x, ben@x\nSender: sam@x\nto: bob@y\n\n", "sam@x > bob@y", NULL},
        {"FROM : ann@x\nTo: b@y, c@y\nCc: G: d@y;\nTo: e@y\n\n", "ann@x > b@y c@y e@y d@y", NULL},
        {"From: ann@x\r\nBcc: secret@y,\r\n other@y\r\nTo: bob@y\r\n\r\nBcc: body\r\n",
         "ann@x > bob@y secret@y other@y", "From: ann@x\r\nTo: bob@y\r\n\r\nBcc: body\r\n"},
        {"bcc:\n s@y\nFrom: ann@x\n\nhi", "ann@x > s@y", "From: ann@x\n\nhi"},
        {"From: ann@x\nTo: b@y,\n\tc@y\nBcc:\n\ts@y\n\n", "ann@x > b@y c@y s@y",
         "From: ann@x\nTo: b@y,\n\tc@y\n\n"},
        {"From: ann@x\nBcc: s@y", "ann@x > s@y", "From: ann@x\n"},
        {"Resent-From: r@z\nResent-To: t@z\nResent-Bcc: u@z\nFrom: ann@x\nTo: bob@y\nBcc: q@y\n\n",
         "r@z > t@z u@z", "Resent-From: r@z\nResent-To: t@z\nFrom: ann@x\nTo: bob@y\n\n"},
        {"Resent-Sender: s@z\nResent-From: r@z\nResent-To: t@z\nFrom: a@x\nTo: b@y\n\n",
         "s@z > t@z", NULL},
        {"Resent-From: r@z\nResent-To: t@z\nResent-From: q@z\nResent-To: u@z\nFrom: a@x\n\n", NULL,
         NULL},
        {"Resent-Date: now\nFrom: a@x\nTo: b@y\n\n", NULL, NULL},
        {"To: bob@y\n\n", NULL, NULL},
        {"From: ann@x\n\nTo: bob@y\n", NULL, NULL},
        {"From: ann@x\nTo: undisclosed recipients:;\n\n", NULL, NULL},
        {"", NULL, NULL},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char summary[200], rest[400];
        enum smtp_status status =
            read_envelope(rows[i].message, summary, sizeof(summary), rest, sizeof(rest));
        expect_int(status, rows[i].summary != NULL ? SMTP_OK : SMTP_BAD_ARGUMENT);
        if (rows[i].summary != NULL) {
            expect_str(summary, rows[i].summary);
            expect_str(rest, rows[i].rest != NULL ? rows[i].rest : rows[i].message);
        }
    }
}

static ssize_t endless(void *user, char *bytes, size_t capacity)
{
    size_t *given = user;
    memset(bytes, 'a', capacity);
    *given += capacity;
    return (ssize_t)capacity;
}

TEST(client_envelope, an_endless_header_section_is_cut_off)
{
    size_t given = 0;
    struct smtp_content content = smtp_content_callback(endless, &given);
    struct smtp_client_source source;
    struct smtp_client_header_envelope envelope;
    struct smtp_buffer header = {0};
    smtp_client_source_init(&source, &content);
    expect_int(smtp_client_envelope_read(&envelope, &source, &header, NULL), SMTP_LIMIT_EXCEEDED);
    expect_true(given <= (1 << 20) + 16384);
    smtp_client_envelope_clear(&envelope);
    smtp_buffer_free(&header);
}

/* rfc6531/3.4/smtputf8-when-needed: what is sent decides, not what is left out of it */
TEST(client_envelope, a_header_that_holds_utf8_needs_smtputf8_rfc6531_3_4)
{
    static const struct {
        const char *message;
        bool smtputf8;
    } rows[] = {
        {"From: ann@x\nTo: bob@y\n\n\xC3\xB6", false},
        {"From: ann@x\nTo: b\xC3\xB6"
         "b@y\n\n",
         true},
        {"From: ann@x\nTo: bob@y\nSubject: \xC3\xB6\n\n", true},
        {"From: ann@x\nTo: bob@y\nBcc: b\xC3\xB6"
         "b@y\n\n",
         false},
        {"From: ann@x\nTo: bob@y\nSubject: \xF6\n\n", false}, /* no UTF-8: as it was */
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct smtp_content content = smtp_content_text(rows[i].message);
        struct smtp_client_source source;
        struct smtp_client_header_envelope envelope;
        struct smtp_buffer header = {0};
        smtp_client_source_init(&source, &content);
        expect_int(smtp_client_envelope_read(&envelope, &source, &header, NULL), SMTP_OK);
        expect_int(envelope.envelope.mail->smtputf8, rows[i].smtputf8);
        smtp_client_envelope_clear(&envelope);
        smtp_buffer_free(&header);
    }
}

/* ---- sources ---- */

static void check_facts(struct smtp_content content, bool size_known, size_t size, int bits)
{
    struct smtp_client_source source;
    smtp_client_source_init(&source, &content);
    expect_int(smtp_client_source_measure(&source, NULL), SMTP_OK);
    expect_int(source.facts.size_known, size_known);
    expect_int(source.facts.size_bytes, size);
    expect_int(source.facts.bits, bits);
    char bytes[100];
    size_t len = 0;
    expect_int(smtp_client_source_read(&source, bytes, sizeof(bytes), &len, NULL), SMTP_OK);
    expect_bytes(bytes, len, ".a\n\xC3\xB6", 5); /* all of it is still there */
}

static ssize_t give_once(void *user, char *bytes, size_t capacity)
{
    bool *given = user;
    if (*given || capacity < 5) {
        return 0;
    }
    *given = true;
    memcpy(bytes, ".a\n\xC3\xB6", 5);
    return 5;
}

TEST(client_source, facts_are_found_where_content_can_be_read_twice)
{
    FILE *file = tmpfile();
    expect_true(file != NULL);
    fputs("skipped.a\n\xC3\xB6", file);
    expect_int(fseek(file, 7, SEEK_SET), 0);
    bool given = false;
    check_facts(smtp_content_text(".a\n\xC3\xB6"), true, 8, SMTP_CLIENT_EIGHT_BIT);
    check_facts(smtp_content_file(file), true, 8, SMTP_CLIENT_EIGHT_BIT);
    rewind(file);
    expect_int(fseek(file, 7, SEEK_SET), 0);
    fflush(file);
    check_facts(smtp_content_fd(fileno(file)), true, 8, SMTP_CLIENT_EIGHT_BIT);
    check_facts(smtp_content_callback(give_once, &given), false, 0, SMTP_CLIENT_BITS_UNKNOWN);
    fclose(file);
}

/* The header section was read before its size was asked for. */
TEST(client_source, a_file_is_measured_with_its_header_and_given_whole)
{
    static const char whole[] = "From: ann@x\nTo: bob@y\n\n.hi\n";
    struct smtp_client_source source;
    struct smtp_client_header_envelope envelope;
    struct smtp_buffer header = {0};
    FILE *file = tmpfile();
    expect_true(file != NULL);
    fputs("From: ann@x\nBcc: sue@y\nTo: bob@y\n\n.hi\n", file);
    rewind(file);
    struct smtp_content content = smtp_content_file(file);
    smtp_client_source_init(&source, &content);
    expect_int(smtp_client_envelope_read(&envelope, &source, &header, NULL), SMTP_OK);
    expect_int(smtp_client_source_measure(&source, NULL), SMTP_OK);
    expect_int(source.facts.size_bytes, strlen(whole) + 4); /* each LF is a CRLF */
    char bytes[200];
    size_t made = 0, len = 1;
    while (len > 0) {
        expect_int(smtp_client_source_read(&source, bytes + made, sizeof(bytes) - made, &len, NULL),
                   SMTP_OK);
        made += len;
    }
    expect_bytes(bytes, made, whole, strlen(whole));
    smtp_client_envelope_clear(&envelope);
    smtp_buffer_free(&header);
    fclose(file);
}

static ssize_t boast(void *user, char *bytes, size_t capacity)
{
    (void)user;
    (void)bytes;
    return (ssize_t)capacity + 1;
}

TEST(client_source, a_callback_that_claims_more_than_there_is_room_for_has_failed)
{
    struct smtp_client_source source;
    struct smtp_content content = smtp_content_callback(boast, NULL);
    char octets[10];
    size_t len = 0;
    smtp_client_source_init(&source, &content);
    expect_int(smtp_client_source_read(&source, octets, sizeof(octets), &len, NULL),
               SMTP_SOURCE_FAILED);
}

TEST(client_source, a_source_that_is_not_there_is_refused)
{
    struct smtp_content contents[] = {smtp_content_text(NULL), smtp_content_file(NULL),
                                      smtp_content_callback(NULL, NULL)};
    for (size_t i = 0; i < 3; i++) {
        struct smtp_client_source source;
        smtp_client_source_init(&source, &contents[i]);
        expect_int(smtp_client_source_measure(&source, NULL), SMTP_BAD_ARGUMENT);
    }
    struct smtp_client_source source;
    struct smtp_content closed = smtp_content_fd(-1);
    char octet;
    size_t len;
    smtp_client_source_init(&source, &closed);
    expect_int(smtp_client_source_read(&source, &octet, 1, &len, NULL), SMTP_SOURCE_FAILED);
}
