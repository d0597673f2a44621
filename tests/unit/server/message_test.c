/* message_test.c - server/message.c */
#include "server/message.h"
#include "tests/support/test.h"

#include <malloc.h>

static const struct smtp_message_origin origin = {
    7, "client.example", "127.0.0.1:40112", "ESMTP", "", ""};

static void add_text(struct smtp_message_envelope *envelope, const char *text)
{
    expect_int(smtp_buffer_append(&envelope->texts, text, strlen(text) + 1), SMTP_OK);
}

static void make_envelope(struct smtp_message_envelope *envelope, size_t recipient_count)
{
    *envelope = (struct smtp_message_envelope){SMTP_BUFFER(1 << 20), SMTP_BUFFER(1 << 20), 0};
    add_text(envelope, "ann@example.com");
    add_text(envelope, "BODY=8BITMIME");
    for (size_t i = 0; i < recipient_count; i++) {
        uint32_t place = (uint32_t)envelope->texts.len;
        char path[] = "rcpt?@example.com";
        path[4] = (char)('a' + i % 26);
        expect_int(smtp_buffer_append(&envelope->places, &place, sizeof place), SMTP_OK);
        add_text(envelope, path);
        add_text(envelope, i == 1 ? "NOTIFY=NEVER" : "");
        envelope->recipient_count++;
    }
}

static struct smtp_message *make_message(size_t recipient_count, size_t capacity)
{
    struct smtp_message_envelope envelope;
    make_envelope(&envelope, recipient_count);
    struct smtp_message *message = smtp_message_new(&envelope, &origin, capacity);
    expect_true(message != NULL);
    smtp_buffer_free(&envelope.texts); /* the message has its own copy */
    smtp_buffer_free(&envelope.places);
    return message;
}

TEST(message, keeps_envelope_and_session_as_given)
{
    struct smtp_message *message = make_message(3, 0);
    expect_str(smtp_message_reverse_path(message), "ann@example.com");
    expect_str(smtp_message_mail_parameters(message), "BODY=8BITMIME");
    expect_int(smtp_message_recipient_count(message), 3);
    expect_str(smtp_message_forward_path(message, 0), "rcpta@example.com");
    expect_str(smtp_message_forward_path(message, 2), "rcptc@example.com");
    expect_str(smtp_message_rcpt_parameters(message, 0), "");
    expect_str(smtp_message_rcpt_parameters(message, 1), "NOTIFY=NEVER");
    expect_str(smtp_message_forward_path(message, 3), NULL);
    expect_str(smtp_message_rcpt_parameters(message, 3), NULL);
    expect_int(smtp_message_session(message), 7);
    expect_str(smtp_message_helo(message), "client.example");
    expect_str(smtp_message_peer(message), "127.0.0.1:40112");
    expect_str(smtp_message_protocol(message), "ESMTP");
    expect_str(smtp_message_tls(message), "");
    expect_str(smtp_message_identity(message), "");
    smtp_message_release(message);
}

TEST(message, says_how_it_was_protected_rfc3848_rfc6531_4_3)
{
    static const char *const protocols[] = {
        "",          "SMTP",       "ESMTP",    "ESMTPS",    "ESMTPA",    "ESMTPSA",
        "LMTP",      "LMTPS",      "LMTPA",    "LMTPSA",    "UTF8SMTP",  "UTF8SMTPS",
        "UTF8SMTPA", "UTF8SMTPSA", "UTF8LMTP", "UTF8LMTPS", "UTF8LMTPA", "UTF8LMTPSA"};
    struct smtp_message_envelope envelope;
    make_envelope(&envelope, 2);
    for (size_t i = 0; i < sizeof protocols / sizeof *protocols; i++) {
        struct smtp_message_origin own = origin;
        own.protocol = protocols[i];
        own.tls = "TLSv1.3";
        own.identity = "j\xc3\xbcrgen";
        struct smtp_message *message = smtp_message_new(&envelope, &own, 0);
        expect_true(message != NULL);
        expect_str(smtp_message_protocol(message), protocols[i]);
        expect_str(smtp_message_tls(message), "TLSv1.3");
        expect_str(smtp_message_identity(message), "j\xc3\xbcrgen");
        expect_str(smtp_message_peer(message), "127.0.0.1:40112");
        expect_str(smtp_message_reverse_path(message), "ann@example.com");
        expect_str(smtp_message_forward_path(message, 1), "rcptb@example.com");
        smtp_message_release(message);
    }
    smtp_buffer_free(&envelope.texts);
    smtp_buffer_free(&envelope.places);
}

TEST(message, content_grows_in_any_steps_and_keeps_every_octet)
{
    static char expected[100000];
    for (size_t i = 0; i < sizeof expected; i++) {
        expected[i] = (char)(i * 31); /* NUL octets among them */
    }
    for (size_t step = 1; step < sizeof expected; step = step * 7 + 3) {
        struct smtp_message *message = make_message(2, 10);
        for (size_t at = 0; at < sizeof expected; at += step) {
            size_t len = sizeof expected - at < step ? sizeof expected - at : step;
            expect_true(smtp_message_append(&message, expected + at, len));
        }
        smtp_message_finish(&message);
        size_t size = 0;
        const char *content = smtp_message_content(message, &size);
        expect_bytes(content, size, expected, sizeof expected);
        expect_int(content[size], '\0');
        expect_str(smtp_message_forward_path(message, 1), "rcptb@example.com");
        smtp_message_release(message);
    }
}

TEST(message, an_empty_one_has_a_nul_and_no_octets)
{
    struct smtp_message *message = make_message(1, 0);
    size_t size = 1;
    smtp_message_finish(&message);
    expect_str(smtp_message_content(message, &size), "");
    expect_int(size, 0);
    smtp_message_release(message);
}

TEST(message, an_impossible_size_is_refused_and_nothing_changes)
{
    struct smtp_message *message = make_message(1, 4);
    expect_true(smtp_message_append(&message, "abcd", 4));
    expect_true(!smtp_message_append(&message, "", SIZE_MAX - 2));
    expect_str(smtp_message_content(message, NULL), "abcd");
    smtp_message_release(message);
}

TEST(message, number_and_time_are_set_later)
{
    struct smtp_message *message = make_message(1, 100);
    smtp_message_finish(&message);
    expect_int(smtp_message_number(message), 0);
    expect_int(smtp_message_received_unix_ns(message), 0);
    smtp_message_set_received(message, 1234567890);
    smtp_message_set_number(message, 12);
    expect_int(smtp_message_number(message), 12);
    expect_int(smtp_message_received_unix_ns(message), 1234567890);
    smtp_message_release(message);
}

TEST(message, lives_until_the_last_reference_is_given_back)
{
    struct smtp_message *message = make_message(1, 0);
    expect_true(smtp_message_retain(message) == message);
    smtp_message_release(message);
    expect_str(smtp_message_helo(message), "client.example"); /* the address sanitizer looks on */
    smtp_message_release(message);
    smtp_message_release(NULL);
}

#ifndef SMTP_PLAIN_RUNNER /* under which a sanitizer has an allocator of its own */
/* Envelope strings, header, places and the allocator's own: 150 octets for an ordinary message. */
TEST(message, costs_at_most_150_octets_over_its_content)
{
    static char content[1024];
    struct smtp_message *message = make_message(1, 300);
    expect_true(smtp_message_append(&message, content, sizeof content));
    smtp_message_finish(&message);
    expect_true(malloc_usable_size(message) + sizeof(size_t) <= sizeof content + 150);
    smtp_message_release(message);
}

/* RFC 1870 6: a declared size is only a promise. */
TEST(message, gives_back_the_room_that_its_content_did_not_need)
{
    struct smtp_message *message = make_message(1, 100000);
    expect_true(smtp_message_append(&message, "short", 5));
    smtp_message_finish(&message);
    expect_true(malloc_usable_size(message) < 1000);
    expect_str(smtp_message_content(message, NULL), "short");
    smtp_message_release(message);
}
#endif
