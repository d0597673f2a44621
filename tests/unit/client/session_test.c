/* session_test.c - dialogues as data, run against the client's core without a socket: S: lines go
 * in, C: lines come out, nothing else when the server speaks; whole, line by line, byte by byte. */
#include "client/protocol/session.h"
#include "common/deadline.h"
#include "tests/support/test.h"

#include <stdio.h>

#define EHLO "S: 220 mx.test\nC: EHLO [127.0.0.1]\nS: 250 mx.test\n"
#define EHLO_ALL                                                                                   \
    "S: 220 mx.test\nC: EHLO [127.0.0.1]\nS: 250-mx.test\nS: 250-PIPELINING\nS: 250-SIZE 1000\n"   \
    "S: 250 8BITMIME\n"
#define MAIL_SIZE "C: MAIL FROM:<ann@x> SIZE=20\n"
#define BODY "C: Subject: x\nC: \nC: ..a\nC: .\n"
#define CONTENT "Subject: x\n\n.a"

struct dialogue {
    const char *what;
    const char *recipients; /* parted by spaces */
    const char *lines;      /* [close] and [timeout] are the driver's; [hold] leaves content open */
    enum smtp_status status;
    enum smtp_client_stage stage;
    const char *results; /* code@stage of each recipient; NULL: no transaction came to be */
    bool ended;
};

static const struct dialogue dialogues[] = {
    {"lock-step where PIPELINING is not offered", "b@x c@x",
     EHLO "C: MAIL FROM:<ann@x>\nS: 250 ok\nC: RCPT TO:<b@x>\nS: 250 ok\nC: RCPT TO:<c@x>\n"
          "S: 250 ok\nC: DATA\nS: 354 go\n" BODY "S: 250 2.0.0 taken\n",
     SMTP_OK, SMTP_STAGE_DOT, "250@final dot 250@final dot", false},
    {"one group where it is", "b@x c@x",
     EHLO_ALL MAIL_SIZE "C: RCPT TO:<b@x>\nC: RCPT TO:<c@x>\nC: DATA\n"
                        "S: 250 ok\nS: 250 ok\nS: 250 ok\nS: 354 go\n" BODY "S: 250 taken\n",
     SMTP_OK, SMTP_STAGE_DOT, "250@final dot 250@final dot", false},
    /* RFC 5321 4.2 */
    {"replies of several lines everywhere, with misleading texts", "b@x",
     "S: 220-a\nS: 220-b\nS: 220 c\nC: EHLO [127.0.0.1]\nS: 250-x\nS: 250 HELP\n"
     "C: MAIL FROM:<ann@x>\nS: 250-550 no\nS: 250-421 no\nS: 250 ok\nC: RCPT TO:<b@x>\n"
     "S: 250-User unknown\nS: 250 550 5.1.1\nC: DATA\nS: 354-a\nS: 354-554 b\nS: 354 c\n" BODY
     "S: 250-552 full\nS: 250 fine\n",
     SMTP_OK, SMTP_STAGE_DOT, "250@final dot", false},
    {"codes alone", "b@x",
     "S: 220\nC: EHLO [127.0.0.1]\nS: 250\nC: MAIL FROM:<ann@x>\nS: 250\nC: RCPT TO:<b@x>\nS: 250\n"
     "C: DATA\nS: 354\n" BODY "S: 250\n",
     SMTP_OK, SMTP_STAGE_DOT, "250@final dot", false},
    {"unknown codes count by their first digit", "b@x c@x d@x",
     "S: 220 x\nC: EHLO [127.0.0.1]\nS: 259 x\nC: MAIL FROM:<ann@x>\nS: 259 x\nC: RCPT TO:<b@x>\n"
     "S: 299 x\nC: RCPT TO:<c@x>\nS: 499 x\nC: RCPT TO:<d@x>\nS: 599 x\nC: DATA\nS: 354 x\n" BODY
     "S: 299 x\n",
     SMTP_PARTLY_REFUSED, SMTP_STAGE_RCPT, "299@final dot 499@RCPT 599@RCPT", false},
    /* RFC 2920 3.1: matched by counting */
    {"the recipient refused in the middle of a group is the one reported", "b@x c@x d@x",
     EHLO_ALL MAIL_SIZE "C: RCPT TO:<b@x>\nC: RCPT TO:<c@x>\nC: RCPT TO:<d@x>\nC: DATA\n"
                        "S: 250 ok\nS: 250 ok\nS: 550-5.1.1 no\nS: 550 5.1.1 such\nS: 250 ok\n"
                        "S: 354 go\n" BODY "S: 250 taken\n",
     SMTP_PARTLY_REFUSED, SMTP_STAGE_RCPT, "250@final dot 550@RCPT 250@final dot", false},
    /* RFC 2920 3.1: a lone dot and no content */
    {"DATA taken though every recipient of the group was refused", "b@x c@x",
     EHLO_ALL MAIL_SIZE "C: RCPT TO:<b@x>\nC: RCPT TO:<c@x>\nC: DATA\n"
                        "S: 250 ok\nS: 550 no\nS: 550 no\nS: 354 go\nC: .\nS: 250 taken\n",
     SMTP_REFUSED_PERMANENT, SMTP_STAGE_RCPT, "550@RCPT 550@RCPT", false},
    {"every recipient of the group and DATA refused", "b@x c@x",
     EHLO_ALL MAIL_SIZE "C: RCPT TO:<b@x>\nC: RCPT TO:<c@x>\nC: DATA\n"
                        "S: 250 ok\nS: 450 no\nS: 550 no\nS: 503 no\nC: RSET\nS: 250 ok\n",
     SMTP_REFUSED_TRANSIENT, SMTP_STAGE_RCPT, "450@RCPT 550@RCPT", false},
    {"every recipient refused in lock-step: no DATA", "b@x c@x",
     EHLO "C: MAIL FROM:<ann@x>\nS: 250 ok\nC: RCPT TO:<b@x>\nS: 550 no\nC: RCPT TO:<c@x>\n"
          "S: 551 no\nC: RSET\nS: 250 ok\n",
     SMTP_REFUSED_PERMANENT, SMTP_STAGE_RCPT, "550@RCPT 551@RCPT", false},
    /* RFC 1870 6.2 */
    {"MAIL refused for good in lock-step", "b@x c@x",
     EHLO "C: MAIL FROM:<ann@x>\nS: 552 5.3.4 too big\nC: RSET\nS: 250 ok\n",
     SMTP_REFUSED_PERMANENT, SMTP_STAGE_MAIL, "552@MAIL 552@MAIL", false},
    {"MAIL refused for now in a group", "b@x",
     EHLO_ALL MAIL_SIZE "C: RCPT TO:<b@x>\nC: DATA\nS: 452 later\nS: 503 no\nS: 503 no\nC: RSET\n"
                        "S: 250 ok\n",
     SMTP_REFUSED_TRANSIENT, SMTP_STAGE_MAIL, "452@MAIL", false},
    {"MAIL refused in a group, and DATA taken all the same", "b@x",
     EHLO_ALL MAIL_SIZE
     "C: RCPT TO:<b@x>\nC: DATA\nS: 550 no\nS: 250 ok\nS: 354 go\nC: .\nS: 250 ok\n",
     SMTP_REFUSED_PERMANENT, SMTP_STAGE_MAIL, "550@MAIL", false},
    /* RFC 5321 3.3: not one octet of content */
    {"DATA answered 250", "b@x",
     EHLO
     "C: MAIL FROM:<ann@x>\nS: 250 ok\nC: RCPT TO:<b@x>\nS: 250 ok\nC: DATA\nS: 250 ok\nC: RSET\n"
     "S: 250 ok\n",
     SMTP_PROTOCOL_VIOLATION, SMTP_STAGE_DATA, "250@DATA", false},
    {"DATA answered 334", "b@x",
     EHLO
     "C: MAIL FROM:<ann@x>\nS: 250 ok\nC: RCPT TO:<b@x>\nS: 250 ok\nC: DATA\nS: 334 ok\nC: RSET\n"
     "S: 250 ok\n",
     SMTP_PROTOCOL_VIOLATION, SMTP_STAGE_DATA, "334@DATA", false},
    {"DATA refused for now", "b@x",
     EHLO
     "C: MAIL FROM:<ann@x>\nS: 250 ok\nC: RCPT TO:<b@x>\nS: 250 ok\nC: DATA\nS: 451 no\nC: RSET\n"
     "S: 250 ok\n",
     SMTP_REFUSED_TRANSIENT, SMTP_STAGE_DATA, "451@DATA", false},
    {"DATA refused for good, after one recipient was", "b@x c@x",
     EHLO_ALL MAIL_SIZE
     "C: RCPT TO:<b@x>\nC: RCPT TO:<c@x>\nC: DATA\nS: 250 ok\nS: 550 no\nS: 250 ok\n"
     "S: 554 no\nC: RSET\nS: 250 ok\n",
     SMTP_REFUSED_PERMANENT, SMTP_STAGE_RCPT, "550@RCPT 554@DATA", false},
    /* RFC 5321 4.5.3.1.10 */
    {"552 to RCPT is for now", "b@x",
     EHLO
     "C: MAIL FROM:<ann@x>\nS: 250 ok\nC: RCPT TO:<b@x>\nS: 552 too many\nC: RSET\nS: 250 ok\n",
     SMTP_REFUSED_TRANSIENT, SMTP_STAGE_RCPT, "552@RCPT", false},
    {"the message refused after the dot", "b@x",
     EHLO "C: MAIL FROM:<ann@x>\nS: 250 ok\nC: RCPT TO:<b@x>\nS: 250 ok\nC: DATA\nS: 354 go\n" BODY
          "S: 554 5.6.0 spam\n",
     SMTP_REFUSED_PERMANENT, SMTP_STAGE_DOT, "554@final dot", false},
    /* RFC 5321 3.8: 421 and a lost connection are temporary, anywhere */
    {"421 to MAIL", "b@x", EHLO "C: MAIL FROM:<ann@x>\nS: 421 bye\n", SMTP_REFUSED_TRANSIENT,
     SMTP_STAGE_MAIL, "421@MAIL", true},
    {"421 to the second RCPT of a group", "b@x c@x",
     EHLO_ALL MAIL_SIZE
     "C: RCPT TO:<b@x>\nC: RCPT TO:<c@x>\nC: DATA\nS: 250 ok\nS: 550 no\nS: 421 bye\n",
     SMTP_REFUSED_TRANSIENT, SMTP_STAGE_RCPT, "550@RCPT 421@RCPT", true},
    {"421 to DATA", "b@x",
     EHLO "C: MAIL FROM:<ann@x>\nS: 250 ok\nC: RCPT TO:<b@x>\nS: 250 ok\nC: DATA\nS: 421 bye\n",
     SMTP_REFUSED_TRANSIENT, SMTP_STAGE_DATA, "421@DATA", true},
    {"421 to the dot", "b@x",
     EHLO "C: MAIL FROM:<ann@x>\nS: 250 ok\nC: RCPT TO:<b@x>\nS: 250 ok\nC: DATA\nS: 354 go\n" BODY
          "S: 421 bye\n",
     SMTP_REFUSED_TRANSIENT, SMTP_STAGE_DOT, "421@final dot", true},
    {"421 to RSET", "b@x", EHLO "C: MAIL FROM:<ann@x>\nS: 550 no\nC: RSET\nS: 421 bye\n",
     SMTP_REFUSED_PERMANENT, SMTP_STAGE_MAIL, "550@MAIL", true},
    {"RSET refused ends the session", "b@x",
     EHLO "C: MAIL FROM:<ann@x>\nS: 550 no\nC: RSET\nS: 500 no\n", SMTP_REFUSED_PERMANENT,
     SMTP_STAGE_MAIL, "550@MAIL", true},
    {"lost after MAIL", "b@x", EHLO "C: MAIL FROM:<ann@x>\n[close]\n", SMTP_CLOSED, SMTP_STAGE_MAIL,
     "0@MAIL", true},
    {"lost in a group after one refusal", "b@x c@x",
     EHLO_ALL MAIL_SIZE
     "C: RCPT TO:<b@x>\nC: RCPT TO:<c@x>\nC: DATA\nS: 250 ok\nS: 550 no\n[close]\n",
     SMTP_CLOSED, SMTP_STAGE_RCPT, "550@RCPT 0@RCPT", true},
    {"lost after DATA", "b@x",
     EHLO "C: MAIL FROM:<ann@x>\nS: 250 ok\nC: RCPT TO:<b@x>\nS: 250 ok\nC: DATA\n[close]\n",
     SMTP_CLOSED, SMTP_STAGE_DATA, "0@DATA", true},
    {"lost before the dot was wholly sent", "b@x",
     EHLO
     "C: MAIL FROM:<ann@x>\nS: 250 ok\nC: RCPT TO:<b@x>\nS: 250 ok\nC: DATA\nS: 354 go\n[close]\n",
     SMTP_CLOSED, SMTP_STAGE_CONTENT, "0@content", true},
    {"lost after the dot: unknown", "b@x",
     EHLO "C: MAIL FROM:<ann@x>\nS: 250 ok\nC: RCPT TO:<b@x>\nS: 250 ok\nC: DATA\nS: 354 go\n" BODY
          "[close]\n",
     SMTP_DELIVERY_UNKNOWN, SMTP_STAGE_DOT, "0@final dot", true},
    {"no answer to the dot: unknown", "b@x c@x",
     EHLO_ALL MAIL_SIZE
     "C: RCPT TO:<b@x>\nC: RCPT TO:<c@x>\nC: DATA\nS: 250 ok\nS: 550 no\nS: 250 ok\n"
     "S: 354 go\n" BODY "[timeout]\n",
     SMTP_DELIVERY_UNKNOWN, SMTP_STAGE_RCPT, "550@RCPT 0@final dot", true},
    /* RFC 5321 4.3.2: neither taken nor refused, and a server that may wait for more content */
    {"354 to the dot: unknown", "b@x",
     EHLO "C: MAIL FROM:<ann@x>\nS: 250 ok\nC: RCPT TO:<b@x>\nS: 250 ok\nC: DATA\nS: 354 go\n" BODY
          "S: 354 more\n",
     SMTP_DELIVERY_UNKNOWN, SMTP_STAGE_DOT, "0@final dot", true},
    {"354 to the lone dot", "b@x",
     EHLO_ALL MAIL_SIZE
     "C: RCPT TO:<b@x>\nC: DATA\nS: 250 ok\nS: 550 no\nS: 354 go\nC: .\nS: 354 more\n",
     SMTP_REFUSED_PERMANENT, SMTP_STAGE_RCPT, "550@RCPT", true},
    {"lost after the lone dot: nothing was to be delivered", "b@x",
     EHLO_ALL MAIL_SIZE
     "C: RCPT TO:<b@x>\nC: DATA\nS: 250 ok\nS: 550 no\nS: 354 go\nC: .\n[close]\n",
     SMTP_REFUSED_PERMANENT, SMTP_STAGE_RCPT, "550@RCPT", true},
    {"no answer to MAIL", "b@x", EHLO "C: MAIL FROM:<ann@x>\n[timeout]\n", SMTP_TIMED_OUT,
     SMTP_STAGE_MAIL, "0@MAIL", true},
    {"refused in the middle of the content", "b@x",
     EHLO
     "C: MAIL FROM:<ann@x>\nS: 250 ok\nC: RCPT TO:<b@x>\nS: 250 ok\nC: DATA\n[hold]\nS: 354 go\n"
     "C: Subject: x\nC: \nS: 552 5.3.4 too big\n",
     SMTP_REFUSED_PERMANENT, SMTP_STAGE_CONTENT, "552@content", true},
    {"accepted in the middle of the content: no message was given", "b@x",
     EHLO
     "C: MAIL FROM:<ann@x>\nS: 250 ok\nC: RCPT TO:<b@x>\nS: 250 ok\nC: DATA\n[hold]\nS: 354 go\n"
     "C: Subject: x\nC: \nS: 250 taken\n",
     SMTP_PROTOCOL_VIOLATION, SMTP_STAGE_CONTENT, "0@content", true},
    /* RFC 5321 4.2: out of range */
    {"150 to MAIL", "b@x", EHLO "C: MAIL FROM:<ann@x>\nS: 150 x\n", SMTP_PROTOCOL_VIOLATION,
     SMTP_STAGE_MAIL, "0@MAIL", true},
    {"650 to MAIL", "b@x", EHLO "C: MAIL FROM:<ann@x>\nS: 650 x\n", SMTP_PROTOCOL_VIOLATION,
     SMTP_STAGE_MAIL, "0@MAIL", true},
    {"words to MAIL", "b@x", EHLO "C: MAIL FROM:<ann@x>\nS: hello there\n", SMTP_PROTOCOL_VIOLATION,
     SMTP_STAGE_MAIL, "0@MAIL", true},
    {"354 to RCPT is no acceptance", "b@x",
     EHLO "C: MAIL FROM:<ann@x>\nS: 250 ok\nC: RCPT TO:<b@x>\nS: 354 go\nC: RSET\nS: 250 ok\n",
     SMTP_PROTOCOL_VIOLATION, SMTP_STAGE_RCPT, "354@RCPT", false},
    /* without a transaction */
    {"a greeting that refuses", "b@x", "S: 554 go away\n", SMTP_REFUSED_PERMANENT,
     SMTP_STAGE_GREETING, NULL, false},
    {"421 as the greeting", "b@x", "S: 421 busy\n", SMTP_REFUSED_TRANSIENT, SMTP_STAGE_GREETING,
     NULL, true},
    {"lost before the greeting", "b@x", "S: 220-wait\n[close]\n", SMTP_CLOSED, SMTP_STAGE_GREETING,
     NULL, true},
    {"no greeting", "b@x", "[timeout]\n", SMTP_TIMED_OUT, SMTP_STAGE_GREETING, NULL, true},
    {"EHLO refused", "b@x", "S: 220 x\nC: EHLO [127.0.0.1]\nS: 502 what\n", SMTP_REFUSED_PERMANENT,
     SMTP_STAGE_EHLO, NULL, false},
    {"421 to EHLO", "b@x", "S: 220 x\nC: EHLO [127.0.0.1]\nS: 421 bye\n", SMTP_REFUSED_TRANSIENT,
     SMTP_STAGE_EHLO, NULL, true},
};

struct play {
    const struct dialogue *dialogue;
    struct smtp_client_session *session;
    struct smtp_envelope envelope;
    char recipients[80];
    const char *paths[8];
    uint64_t now_ns;
    bool hold;
    bool over;
    enum smtp_status status; /* of what ended it */
    enum smtp_client_stage stage;
    bool transaction;
};

#define PLAY_FAIL(play, ...)                                                                       \
    do {                                                                                           \
        char text_[400];                                                                           \
        snprintf(text_, sizeof(text_), __VA_ARGS__);                                               \
        SMTP_TEST_FAIL("%s: %s", (play)->dialogue->what, text_);                                   \
    } while (0)

static void set_recipients(struct play *play)
{
    snprintf(play->recipients, sizeof(play->recipients), "%s", play->dialogue->recipients);
    char *at = play->recipients;
    while (at != NULL) {
        play->paths[play->envelope.forward_path_count++] = at;
        at = strchr(at, ' ');
        if (at != NULL) {
            *at++ = '\0';
        }
    }
    play->envelope.reverse_path = "ann@x";
    play->envelope.forward_paths = play->paths;
}

static void on_reply(struct play *play, const struct smtp_client_event *event)
{
    play->status = event->status;
    play->stage = event->stage;
    if (event->status != SMTP_OK) {
        play->over = true;
    } else if (event->stage == SMTP_STAGE_GREETING) {
        struct smtp_client_command ehlo = {
            .verb = "EHLO ", .kind = SMTP_CLIENT_DOMAIN, .argument = "[127.0.0.1]"};
        expect_int(smtp_client_session_command(play->session, SMTP_STAGE_EHLO, &ehlo, play->now_ns),
                   SMTP_OK);
    } else {
        struct smtp_client_content_facts facts = {.size_known = true, .size_bytes = 20};
        expect_int(smtp_client_session_send(play->session, &play->envelope, &facts, play->now_ns),
                   SMTP_OK);
    }
}

static void on_event(struct play *play, const struct smtp_client_event *event)
{
    struct smtp_client_session *session = play->session;
    switch (event->kind) {
    case SMTP_CLIENT_EVENT_REPLY:
        on_reply(play, event);
        break;
    case SMTP_CLIENT_EVENT_CONTENT_WANTED:
        expect_int(smtp_client_session_content(
                       session, CONTENT, play->hold ? strlen("Subject: x\n\n") : strlen(CONTENT),
                       play->now_ns),
                   SMTP_OK);
        if (!play->hold) {
            expect_int(smtp_client_session_content_end(session, play->now_ns), SMTP_OK);
        }
        break;
    case SMTP_CLIENT_EVENT_TRANSACTION_DONE:
    case SMTP_CLIENT_EVENT_ENDED:
        play->transaction = event->kind == SMTP_CLIENT_EVENT_TRANSACTION_DONE;
        play->status = event->status;
        play->stage = event->stage;
        play->over = true;
    }
}

static void handle_events(struct play *play)
{
    struct smtp_client_event event;
    while (smtp_client_session_next_event(play->session, &event)) {
        on_event(play, &event);
    }
}

static void hear(struct play *play, const char *octets, size_t len, size_t piece)
{
    while (len > 0) {
        size_t part = piece > 0 && piece < len ? piece : len, used = 0;
        smtp_client_session_receive(play->session, octets, part, &used, play->now_ns);
        handle_events(play);
        if (used == 0) {
            break;
        }
        octets += used;
        len -= used;
    }
    if (len > 0 && !smtp_client_session_ended(play->session)) {
        PLAY_FAIL(play, "%zu octets of the server were not taken", len);
    }
}

/* The next line out must be this one. */
static void expect_line(struct play *play, const char *line, size_t len)
{
    struct smtp_span parts[SMTP_CLIENT_PENDING_PARTS];
    int count = smtp_client_session_pending(play->session, parts);
    if (count != 1 || parts[0].len < len + 2 || memcmp(parts[0].bytes, line, len) != 0 ||
        memcmp(parts[0].bytes + len, "\r\n", 2) != 0) {
        PLAY_FAIL(play, "expected C: %.*s, came \"%.*s\"", (int)len, line,
                  count > 0 ? (int)parts[0].len : 0, count > 0 ? parts[0].bytes : "");
    }
    smtp_client_session_sent(play->session, len + 2, play->now_ns);
}

static void expect_silence(struct play *play)
{
    struct smtp_span parts[SMTP_CLIENT_PENDING_PARTS];
    if (smtp_client_session_pending(play->session, parts) > 0) {
        PLAY_FAIL(play, "the client sent \"%.*s\" too early", (int)parts[0].len, parts[0].bytes);
    }
}

/* All S: lines up to the next other line, as octets. */
static const char *gather(const char *at, char *octets, size_t *len)
{
    *len = 0;
    while (strncmp(at, "S: ", 3) == 0) {
        size_t line = strcspn(at, "\n");
        memcpy(octets + *len, at + 3, line - 3);
        memcpy(octets + *len + line - 3, "\r\n", 2);
        *len += line - 1;
        at += line + 1;
    }
    return at;
}

static const char *play_step(struct play *play, const char *at, size_t piece)
{
    size_t line = strcspn(at, "\n");
    if (strncmp(at, "S: ", 3) == 0) {
        char octets[1000];
        size_t len;
        expect_silence(play);
        at = gather(at, octets, &len);
        hear(play, octets, len, piece);
        return at;
    }
    if (strncmp(at, "C: ", 3) == 0) {
        expect_line(play, at + 3, line - 3);
    } else if (strncmp(at, "[close]", 7) == 0) {
        smtp_client_session_lost(play->session);
    } else if (strncmp(at, "[timeout]", 9) == 0) {
        play->now_ns = smtp_client_session_deadline_ns(play->session);
        expect_true(play->now_ns != SMTP_NEVER);
        smtp_client_session_expire(play->session, play->now_ns - 1);
        expect_true(!smtp_client_session_ended(play->session));
        smtp_client_session_expire(play->session, play->now_ns);
    } else {
        play->hold = true;
    }
    handle_events(play);
    return at + line + 1;
}

static void describe_results(const struct smtp_send_result *result, char *out, size_t size)
{
    size_t len = 0;
    out[0] = '\0';
    for (size_t i = 0; i < result->recipient_count; i++) {
        const struct smtp_recipient_result *one = &result->recipients[i];
        len += (size_t)snprintf(out + len, size - len, "%s%d@%s", i > 0 ? " " : "", one->reply.code,
                                smtp_client_stage_name(one->stage));
    }
}

static void check_end(struct play *play)
{
    const struct dialogue *row = play->dialogue;
    if (!play->over) {
        PLAY_FAIL(play, "it does not end");
    }
    expect_silence(play);
    if (play->status != row->status || play->stage != row->stage) {
        PLAY_FAIL(play, "expected %s at %s, came %s at %s", smtp_status_name(row->status),
                  smtp_client_stage_name(row->stage), smtp_status_name(play->status),
                  smtp_client_stage_name(play->stage));
    }
    if (smtp_client_session_ended(play->session) != row->ended) {
        PLAY_FAIL(play, "the session %s", row->ended ? "goes on" : "ended");
    }
    char results[200] = "";
    if (play->transaction) {
        describe_results(smtp_client_session_result(play->session), results, sizeof(results));
    }
    if (strcmp(results, row->results != NULL ? row->results : "") != 0) {
        PLAY_FAIL(play, "results: expected %s, came %s", row->results, results);
    }
}

static void play(const struct dialogue *dialogue, size_t piece)
{
    struct smtp_client_options options;
    smtp_client_options_init(&options);
    struct play play = {
        .dialogue = dialogue, .session = smtp_client_session_new(&options), .now_ns = 1};
    set_recipients(&play);
    smtp_client_session_open(play.session, play.now_ns, SMTP_NEVER);
    for (const char *at = dialogue->lines; *at != '\0';) {
        at = play_step(&play, at, piece);
    }
    check_end(&play);
    smtp_client_session_free(play.session);
}

TEST(client_session, dialogues_go_as_written_with_whole_reads)
{
    for (size_t i = 0; i < sizeof(dialogues) / sizeof(dialogues[0]); i++) {
        play(&dialogues[i], 0);
    }
}

TEST(client_session, dialogues_go_as_written_under_any_split)
{
    for (size_t i = 0; i < sizeof(dialogues) / sizeof(dialogues[0]); i++) {
        for (size_t piece = 1; piece < 80; piece++) {
            play(&dialogues[i], piece);
        }
    }
}

/* ---- what the dialogues cannot say ---- */

static struct smtp_client_session *session_after(const struct smtp_client_options *options,
                                                 const char *ehlo_reply)
{
    struct smtp_client_session *session = smtp_client_session_new(options);
    struct smtp_client_event event;
    struct smtp_span parts[SMTP_CLIENT_PENDING_PARTS];
    struct smtp_client_command ehlo = {
        .verb = "EHLO ", .kind = SMTP_CLIENT_DOMAIN, .argument = "x"};
    size_t used;
    smtp_client_session_open(session, 0, SMTP_NEVER);
    smtp_client_session_receive(session, "220 x\r\n", 7, &used, 0);
    expect_true(smtp_client_session_next_event(session, &event));
    expect_int(smtp_client_session_command(session, SMTP_STAGE_EHLO, &ehlo, 0), SMTP_OK);
    expect_int(smtp_client_session_pending(session, parts), 1);
    smtp_client_session_sent(session, parts[0].len, 0);
    smtp_client_session_receive(session, ehlo_reply, strlen(ehlo_reply), &used, 0);
    expect_true(smtp_client_session_next_event(session, &event));
    return session;
}

static const char *const bob[] = {"bob@x"};
static const struct smtp_envelope to_bob = {
    .reverse_path = "ann@x", .forward_paths = bob, .forward_path_count = 1};

static void expect_refused_unsent(const char *ehlo_reply, const struct smtp_envelope *envelope,
                                  struct smtp_client_content_facts facts, enum smtp_status status)
{
    struct smtp_client_options options;
    struct smtp_span parts[SMTP_CLIENT_PENDING_PARTS];
    smtp_client_options_init(&options);
    struct smtp_client_session *session = session_after(&options, ehlo_reply);
    expect_int(smtp_client_session_send(session, envelope, &facts, 0), status);
    expect_int(smtp_client_session_error(session)->status, status);
    expect_int(smtp_client_session_pending(session, parts), 0);
    /* and the session is as usable as before */
    facts = (struct smtp_client_content_facts){0};
    expect_int(smtp_client_session_send(session, &to_bob, &facts, 0), SMTP_OK);
    expect_int(smtp_client_session_pending(session, parts), 1);
    expect_true(memcmp(parts[0].bytes, "MAIL FROM:<ann@x>\r\n", 19) == 0);
    smtp_client_session_free(session);
}

TEST(client_session, what_the_server_cannot_take_is_not_begun)
{
    struct smtp_client_content_facts facts = {.bits = SMTP_CLIENT_EIGHT_BIT};
    struct smtp_client_content_facts large = {.size_known = true, .size_bytes = 1001};
    expect_refused_unsent("250 x\r\n", &to_bob, facts, SMTP_UNSUPPORTED);
    expect_refused_unsent("250-x\r\n250 SIZE 1000\r\n", &to_bob, large, SMTP_UNSUPPORTED);
    facts = (struct smtp_client_content_facts){.has_long_line = true}; /* RFC 5322 2.1.1 */
    expect_refused_unsent("250 x\r\n", &to_bob, facts, SMTP_BAD_ARGUMENT);
}

TEST(client_session, a_bad_envelope_is_refused_whole_before_an_octet)
{
    static const char *const second_bad[] = {"bob@x", "c@x>\r\nDATA"};
    struct smtp_client_content_facts none = {0};
    struct smtp_envelope envelope = {
        .reverse_path = "ann@x", .forward_paths = second_bad, .forward_path_count = 2};
    expect_refused_unsent("250 x\r\n", &envelope, none, SMTP_UNSAFE_ARGUMENT);
    expect_refused_unsent("250-x\r\n250 PIPELINING\r\n", &envelope, none, SMTP_UNSAFE_ARGUMENT);
    envelope = (struct smtp_envelope){
        .reverse_path = "ann@x", .forward_paths = bob, .forward_path_count = 0};
    expect_refused_unsent("250 x\r\n", &envelope, none, SMTP_BAD_ARGUMENT);
    envelope = (struct smtp_envelope){.reverse_path = "ann@x",
                                      .forward_paths = bob,
                                      .forward_path_count = 1,
                                      .mail_parameters = "ret=full body=8bitmime"};
    expect_refused_unsent("250 x\r\n", &envelope, none, SMTP_BAD_ARGUMENT);
}

static void expect_mail(const char *ehlo_reply, struct smtp_client_content_facts facts,
                        const char *line)
{
    struct smtp_client_options options;
    struct smtp_span parts[SMTP_CLIENT_PENDING_PARTS];
    smtp_client_options_init(&options);
    struct smtp_client_session *session = session_after(&options, ehlo_reply);
    expect_int(smtp_client_session_send(session, &to_bob, &facts, 0), SMTP_OK);
    expect_int(smtp_client_session_pending(session, parts), 1);
    expect_bytes(parts[0].bytes, parts[0].len, line, strlen(line));
    smtp_client_session_free(session);
}

/* RFC 6152 3, RFC 1870 6, RFC 5321 4.1.1.3 */
TEST(client_session, size_and_body_are_declared_only_where_offered_and_needed)
{
    struct smtp_client_content_facts eight = {
        .size_known = true, .size_bytes = 7, .bits = SMTP_CLIENT_EIGHT_BIT};
    struct smtp_client_content_facts seven = {.size_known = true, .size_bytes = 7};
    struct smtp_client_content_facts unknown = {.bits = SMTP_CLIENT_BITS_UNKNOWN};
    const char *all = "250-x\r\n250-size 1000\r\n250 8BitMime\r\n";
    expect_mail(all, eight, "MAIL FROM:<ann@x> SIZE=7 BODY=8BITMIME\r\n");
    expect_mail(all, seven, "MAIL FROM:<ann@x> SIZE=7\r\n");
    expect_mail(all, unknown, "MAIL FROM:<ann@x> BODY=8BITMIME\r\n");
    expect_mail("250 x\r\n", seven, "MAIL FROM:<ann@x>\r\n");
    expect_mail("250 x\r\n", unknown, "MAIL FROM:<ann@x>\r\n");
}

/* RFC 5321 4.1.1.3 */
TEST(client_session, parameters_whose_extension_is_not_offered_are_not_sent)
{
    static const char *const notify[] = {"NOTIFY=NEVER"};
    struct smtp_client_content_facts none = {0};
    struct smtp_envelope rcpt = {.reverse_path = "ann@x",
                                 .forward_paths = bob,
                                 .forward_path_count = 1,
                                 .rcpt_parameters = notify};
    struct smtp_envelope mail = {.reverse_path = "ann@x",
                                 .forward_paths = bob,
                                 .forward_path_count = 1,
                                 .mail_parameters = "ret=full"};
    expect_refused_unsent("250-x\r\n250 SIZE\r\n", &rcpt, none, SMTP_UNSUPPORTED);
    expect_refused_unsent("250-x\r\n250 SIZE\r\n", &mail, none, SMTP_UNSUPPORTED);
}

static void expect_single(const char *ehlo_reply, const char *parameters, enum smtp_status status,
                          const char *line)
{
    struct smtp_client_options options;
    struct smtp_span parts[SMTP_CLIENT_PENDING_PARTS] = {SMTP_SPAN("")};
    smtp_client_options_init(&options);
    struct smtp_client_session *session = session_after(&options, ehlo_reply);
    struct smtp_client_command mail = {.verb = "MAIL FROM:",
                                       .kind = SMTP_CLIENT_REVERSE_PATH,
                                       .argument = "ann@x",
                                       .parameters = parameters};
    expect_int(smtp_client_session_command(session, SMTP_STAGE_MAIL, &mail, 0), status);
    (void)smtp_client_session_pending(session, parts);
    expect_bytes(parts[0].bytes, parts[0].len, line, strlen(line));
    smtp_client_session_free(session);
}

/* RFC 5321 4.1.1.3: a single command is held to the same */
TEST(client_session, a_single_mail_has_only_parameters_that_were_offered)
{
    expect_single("250-x\r\n250 SIZE\r\n", "size=7", SMTP_OK, "MAIL FROM:<ann@x> size=7\r\n");
    expect_single("250 x\r\n", "SIZE=7", SMTP_UNSUPPORTED, "");
    expect_single("250-x\r\n250 SIZE\r\n", "SIZE=7 BODY=8BITMIME", SMTP_UNSUPPORTED, "");
    expect_single("250 x\r\n", "RET=HDRS", SMTP_UNSUPPORTED, "");
    expect_single("250 x\r\n", "XOWN=1", SMTP_OK, "MAIL FROM:<ann@x> XOWN=1\r\n");
    expect_single("502 what\r\n", "SIZE=7", SMTP_OK, "MAIL FROM:<ann@x>\r\n");
}

/* RFC 5321 3.8: 421 may come at any time, also while a command is half sent */
TEST(client_session, a_421_to_half_a_command_is_a_421)
{
    struct smtp_client_options options;
    struct smtp_client_event event;
    struct smtp_client_command noop = {.verb = "NOOP"};
    size_t used;
    smtp_client_options_init(&options);
    for (int bye = 0; bye < 2; bye++) {
        struct smtp_client_session *session = session_after(&options, "250 x\r\n");
        expect_int(smtp_client_session_command(session, SMTP_STAGE_COMMAND, &noop, 0), SMTP_OK);
        smtp_client_session_sent(session, 2, 0);
        smtp_client_session_receive(session, bye ? "421 x\r\n" : "250 x\r\n", 7, &used, 0);
        expect_true(smtp_client_session_next_event(session, &event));
        expect_int(event.status, bye ? SMTP_REFUSED_TRANSIENT : SMTP_PROTOCOL_VIOLATION);
        expect_true(smtp_client_session_ended(session));
        smtp_client_session_free(session);
    }
}

/* RFC 6152 3: a high octet that turns up in a stream goes nowhere */
TEST(client_session, high_octets_in_a_stream_end_the_session_where_8bitmime_is_not_offered)
{
    struct smtp_client_options options;
    struct smtp_span parts[SMTP_CLIENT_PENDING_PARTS];
    struct smtp_client_event event;
    size_t used;
    smtp_client_options_init(&options);
    struct smtp_client_session *session = session_after(&options, "250-x\r\n250 PIPELINING\r\n");
    struct smtp_client_content_facts unknown = {.bits = SMTP_CLIENT_BITS_UNKNOWN};
    expect_int(smtp_client_session_send(session, &to_bob, &unknown, 0), SMTP_OK);
    expect_int(smtp_client_session_pending(session, parts), 1);
    smtp_client_session_sent(session, parts[0].len, 0);
    smtp_client_session_receive(session, "250 a\r\n250 b\r\n354 c\r\n", 21, &used, 0);
    expect_true(smtp_client_session_next_event(session, &event));
    expect_int(event.kind, SMTP_CLIENT_EVENT_CONTENT_WANTED);
    expect_int(smtp_client_session_content(session, "seven\r\n", 7, 0), SMTP_OK);
    expect_int(smtp_client_session_content(session, "\xC3\xB6\r\n", 4, 0), SMTP_UNSUPPORTED);
    expect_true(smtp_client_session_ended(session));
    expect_int(smtp_client_session_pending(session, parts), 0);
    expect_true(smtp_client_session_next_event(session, &event));
    expect_int(smtp_client_session_result(session)->status, SMTP_UNSUPPORTED);
    smtp_client_session_free(session);
}

static void expect_unsolicited(const char *octets, enum smtp_status status)
{
    struct smtp_client_options options;
    smtp_client_options_init(&options);
    for (int queued = 0; queued < 2; queued++) {
        struct smtp_client_session *session = session_after(&options, "250 x\r\n");
        struct smtp_client_command noop = {.verb = "NOOP"};
        size_t used;
        if (queued == 1) { /* a command that is not sent yet cannot be answered */
            expect_int(smtp_client_session_command(session, SMTP_STAGE_COMMAND, &noop, 0), SMTP_OK);
        }
        smtp_client_session_receive(session, octets, strlen(octets), &used, 0);
        expect_true(smtp_client_session_ended(session));
        expect_int(smtp_client_session_error(session)->status, status);
        expect_int(smtp_client_session_command(session, SMTP_STAGE_COMMAND, &noop, 0),
                   SMTP_BAD_STATE);
        smtp_client_session_free(session);
    }
}

TEST(client_session, octets_that_nothing_was_asked_for_end_the_session)
{
    expect_unsolicited("250 ok\r\n", SMTP_PROTOCOL_VIOLATION);
    expect_unsolicited("2", SMTP_PROTOCOL_VIOLATION);
    expect_unsolicited("421 bye\r\n", SMTP_CLOSED);
}

/* RFC 5321 4.5.3.2: each phase has its own time, and it starts anew with each reply */
TEST(client_session, each_phase_has_its_own_deadline)
{
    struct smtp_client_options options;
    struct smtp_span parts[SMTP_CLIENT_PENDING_PARTS];
    struct smtp_client_event event;
    size_t used;
    smtp_client_options_init(&options);
    uint64_t ms = SMTP_NS_PER_MS, now = 1000 * ms;
    struct smtp_client_session *session = session_after(&options, "250 x\r\n");
    struct smtp_client_content_facts facts = {0};
    expect_int(smtp_client_session_deadline_ns(session), SMTP_NEVER);
    expect_int(smtp_client_session_send(session, &to_bob, &facts, now), SMTP_OK);
    expect_int(smtp_client_session_deadline_ns(session), now + 300000 * ms);
    static const char *const replies[] = {"250 a\r\n", "250 b\r\n", "354 c\r\n"};
    static const uint64_t next_ms[] = {300000, 120000, 180000};
    for (size_t i = 0; i < 3; i++) {
        (void)smtp_client_session_pending(session, parts);
        smtp_client_session_sent(session, parts[0].len, now);
        now += 1000 * ms;
        smtp_client_session_receive(session, replies[i], 7, &used, now);
        expect_int(smtp_client_session_deadline_ns(session), now + next_ms[i] * ms);
    }
    expect_true(smtp_client_session_next_event(session, &event));
    expect_int(smtp_client_session_content(session, "abc\r\n", 5, now), SMTP_OK);
    expect_int(smtp_client_session_content_end(session, now), SMTP_OK);
    now += 5 * ms;
    smtp_client_session_sent(session, 1, now); /* a block taken in part counts as progress */
    expect_int(smtp_client_session_deadline_ns(session), now + 180000 * ms);
    smtp_client_session_sent(session, 7, now);
    expect_int(smtp_client_session_deadline_ns(session), now + 600000 * ms);
    smtp_client_session_free(session);
}

TEST(client_session, the_overall_deadline_comes_before_all_others)
{
    struct smtp_client_options options;
    struct smtp_client_event event;
    smtp_client_options_init(&options);
    struct smtp_client_session *session = smtp_client_session_new(&options);
    smtp_client_session_open(session, 0, 5);
    expect_int(smtp_client_session_deadline_ns(session), 5);
    smtp_client_session_expire(session, 5);
    expect_true(smtp_client_session_next_event(session, &event));
    expect_int(event.status, SMTP_TIMED_OUT);
    expect_contains(smtp_client_session_error(session)->message, "overall");
    smtp_client_session_free(session);
}
