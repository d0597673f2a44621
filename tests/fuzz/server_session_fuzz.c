/* server_session_fuzz.c - the server's core under whatever a client says. The first octets choose how it is set up and how
 * what follows is cut; the same said in one piece, octet by octet, and cut by chance must come to the same replies and the same
 * messages. Knows: what a reply looks like, what may be in a message. Does not know: which reply is right (unit tests). */
#include "common/deadline.h"
#include "server/message.h"
#include "server/protocol/session.h"
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>

#define PENDING_MAX ((size_t)1 << 17)
#define SECOND_NS UINT64_C(1000000000)

static const struct smtp_tls_facts facts = {.version = "TLSv1.3",
                                            .cipher = "TLS_AES_256_GCM_SHA384",
                                            .server_name = "",
                                            .peer_subject = "ann"};

/* What the first octets chose. */
struct setting {
    struct smtp_server_session_config config;
    bool lmtp, trusted, implicit_tls, streams;
    unsigned mood; /* how the driver decides */
    unsigned cuts;
    unsigned end; /* how it ends */
};

/* One way of saying it all. */
struct run {
    const struct setting *setting;
    struct smtp_server_session *session;
    struct smtp_buffer said; /* all replies */
    struct smtp_buffer kept; /* messages */
    unsigned steps;          /* of an exchange of AUTH */
    unsigned question;
    bool content_open; /* some was given, and its fate not told */
};

static int64_t noon(void)
{
    return 1795608000;
}

/* ---- what it is asked ---- */

static unsigned hash(unsigned value, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        value = (value ^ (unsigned char)text[i]) * 16777619u;
    }
    return value ^ value >> 15;
}

/* The same at the same place, however it was cut. */
static unsigned chance(struct run *run, const struct smtp_server_event *event, unsigned of)
{
    const char *texts[] = {event->name, event->path, event->parameters, event->argument};
    unsigned value = hash(run->setting->mood, (const char *)&event->kind, sizeof event->kind);
    value = hash(value, (const char *)&run->question, sizeof run->question);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        value = texts[i] != NULL ? hash(value, texts[i], strlen(texts[i])) : value;
    }
    run->question++;
    return run->setting->mood == 0 ? of - 1 : value % of;
}

static void answer_auth(struct run *run, const struct smtp_server_event *event)
{
    struct smtp_server_auth_answer answer = {.step = SMTP_SERVER_AUTH_ACCEPTED, .identity = "ann"};
    FUZZ_HOLDS(event->name != NULL && event->first == (run->steps == 0));
    if (event->has_response) {
        char *copy = fuzz_copy(event->response);
        free(copy);
    }
    unsigned drawn = chance(run, event, 8);
    if (run->steps < 3 && drawn < 3) {
        answer.step = SMTP_SERVER_AUTH_CHALLENGE;
        answer.challenge = (struct smtp_span){"challenge", drawn * 4};
    } else if (drawn < 6) {
        answer.step = (enum smtp_server_auth_step)(SMTP_SERVER_AUTH_REFUSED + drawn % 3);
        answer.disconnect = drawn == 5;
    }
    run->steps = answer.step == SMTP_SERVER_AUTH_CHALLENGE ? run->steps + 1 : 0;
    smtp_server_session_answer_auth(run->session, &answer, SECOND_NS);
}

static bool has_bare_line_end(struct smtp_span octets)
{
    for (size_t i = 0; i < octets.len; i++) {
        bool cr = octets.bytes[i] == '\r', lf = octets.bytes[i] == '\n';
        if ((cr && (i + 1 == octets.len || octets.bytes[i + 1] != '\n')) ||
            (lf && (i == 0 || octets.bytes[i - 1] != '\r'))) {
            return true;
        }
    }
    return false;
}

static void check_message(const struct run *run, const struct smtp_message *message)
{
    const struct smtp_server_session_config *config = &run->setting->config;
    struct smtp_span content;
    content.bytes = smtp_message_content(message, &content.len);
    const char *parameters = smtp_message_mail_parameters(message);
    bool binary = smtp_span_has_nocase(smtp_span_of(parameters), "BINARYMIME");
    size_t recipients = smtp_message_recipient_count(message);
    FUZZ_HOLDS(recipients > 0);
    FUZZ_HOLDS(config->limits.recipients == 0 || recipients <= config->limits.recipients);
    FUZZ_HOLDS(content.len == 0 || content.bytes[content.len] == '\0');
    FUZZ_HOLDS(config->limits.message_octets == 0 ||
               smtp_message_size(message) <= config->limits.message_octets);
    if (config->bare_line_end != SMTP_BARE_ACCEPT && !binary) {
        FUZZ_HOLDS(!has_bare_line_end(content));
    }
}

static void keep(struct run *run, const struct smtp_message *message)
{
    size_t len = 0;
    const char *content = smtp_message_content(message, &len);
    fuzz_append(&run->kept, "FROM ", 5);
    const char *path = smtp_message_reverse_path(message);
    fuzz_append(&run->kept, path, strlen(path));
    for (size_t i = 0; i < smtp_message_recipient_count(message); i++) {
        path = smtp_message_forward_path(message, i);
        fuzz_append(&run->kept, "\nTO ", 4);
        fuzz_append(&run->kept, path, strlen(path));
    }
    fuzz_append(&run->kept, "\n", 1);
    fuzz_append(&run->kept, content, len);
    fuzz_append(&run->kept, "\nEND\n", 5);
}

static void answer_question(struct run *run, const struct smtp_server_event *event)
{
    size_t count = 1;
    bool is_message = event->kind == SMTP_SERVER_ASK_MESSAGE;
    if (is_message) {
        count = smtp_message_recipient_count(event->message);
        run->content_open = false;
        check_message(run, event->message);
        FUZZ_HOLDS(count > 0);
    }
    struct smtp_server_reply *replies = calloc(count, sizeof *replies);
    FUZZ_HOLDS(replies != NULL);
    enum smtp_server_verdict verdict = SMTP_ACCEPT;
    bool content_step = event->kind == SMTP_SERVER_ASK_STEP &&
                        event->step->kind == SMTP_STEP_CONTENT; /* as often as it is cut */
    unsigned drawn = content_step ? 15 : chance(run, event, 16);
    if (drawn == 0) {
        verdict = smtp_server_reply(&replies[0], 554, "5.7.1", "Not\nthis \xC3\xA9\r one");
    } else if (drawn == 1) {
        (void)smtp_server_reply(&replies[count - 1], 451, NULL, "Later");
        verdict = is_message && run->setting->lmtp ? SMTP_ACCEPT : SMTP_REFUSE;
    } else if (drawn == 2) {
        verdict = SMTP_DISCONNECT;
    }
    if (is_message) {
        if (verdict == SMTP_ACCEPT) {
            keep(run, event->message);
        }
        smtp_message_release(event->message);
    }
    smtp_server_session_answer(run->session, verdict, replies, SECOND_NS);
    free(replies);
}

static void handle(struct run *run, const struct smtp_server_event *event)
{
    switch (event->kind) {
    case SMTP_SERVER_START_TLS: /* what follows stands for what comes through TLS */
        FUZZ_HOLDS(run->setting->config.starttls);
        FUZZ_HOLDS(smtp_server_session_tls(run->session) == NULL);
        smtp_server_session_tls_started(run->session, &facts, false, SECOND_NS);
        FUZZ_HOLDS(smtp_server_session_helo(run->session)[0] == '\0');
        FUZZ_HOLDS(smtp_server_session_identity(run->session)[0] == '\0');
        break;
    case SMTP_SERVER_ASK_AUTH:
        answer_auth(run, event);
        break;
    case SMTP_SERVER_AUTH_CANCELLED:
        run->steps = 0;
        break;
    case SMTP_SERVER_RESET:
    case SMTP_SERVER_CLOSED:
        break;
    default:
        answer_question(run, event);
        break;
    }
}

/* ---- what it says ---- */

/* Returns whether there was anything to do. */
static bool settle(struct run *run)
{
    struct smtp_server_event event;
    bool any = false;
    while (smtp_server_session_next_event(run->session, &event)) {
        handle(run, &event);
        any = true;
    }
    struct smtp_span owed = smtp_server_session_pending(run->session);
    FUZZ_HOLDS(owed.len <= PENDING_MAX);
    fuzz_append(&run->said, owed.bytes, owed.len);
    smtp_server_session_sent(run->session, owed.len);
    FUZZ_HOLDS(smtp_server_session_pending(run->session).len == 0);
    return any || owed.len > 0;
}

/* Each line is CRLF-ended, at most 512 octets (a challenge of AUTH apart), with a code that the lines of a reply share. */
static void check_replies(const struct run *run)
{
    struct smtp_span rest = smtp_buffer_span(&run->said);
    char code[3] = "";
    while (rest.len > 0) {
        const char *end = memchr(rest.bytes, '\n', rest.len);
        FUZZ_HOLDS(end != NULL);
        size_t len = (size_t)(end - rest.bytes) + 1;
        FUZZ_HOLDS(len >= 5 && end[-1] == '\r');
        FUZZ_HOLDS(rest.bytes[0] >= '2' && rest.bytes[0] <= '5');
        FUZZ_HOLDS(len <= 512 || memcmp(rest.bytes, "334 ", 4) == 0);
        FUZZ_HOLDS(code[0] == '\0' || memcmp(code, rest.bytes, 3) == 0);
        FUZZ_HOLDS(memchr(rest.bytes, '\0', len) == NULL &&
                   memchr(rest.bytes, '\r', len - 2) == NULL);
        memcpy(code, rest.bytes, 3);
        FUZZ_HOLDS(rest.bytes[3] == ' ' || rest.bytes[3] == '-');
        code[0] = rest.bytes[3] == ' ' ? '\0' : code[0];
        rest = (struct smtp_span){rest.bytes + len, rest.len - len};
    }
    FUZZ_HOLDS(code[0] == '\0');
}

/* Nothing is answered before a line is whole, but for a chunk of BDAT and where the session ends. */
static void check_cause(const struct run *run, size_t said_before, char last)
{
    FUZZ_HOLDS(run->said.len == said_before || last == '\n' ||
               run->setting->config.keywords.chunking || smtp_server_session_ended(run->session));
}

/* ---- the log and the content, as they come ---- */

static void log_line(void *user, enum smtp_server_log_kind kind, struct smtp_span text)
{
    (void)user;
    FUZZ_HOLDS(kind <= SMTP_LOG_CLOSE);
    char *copy = fuzz_copy(text);
    free(copy);
}

static bool take_content(void *user, const struct smtp_message *message, struct smtp_span octets)
{
    struct run *run = user;
    FUZZ_HOLDS(octets.len > 0 && smtp_message_recipient_count(message) > 0);
    run->content_open = true;
    return true;
}

static void drop_content(void *user)
{
    struct run *run = user;
    FUZZ_HOLDS(run->content_open);
    run->content_open = false;
}

/* ---- one way ---- */

static void open_session(struct run *run)
{
    const struct smtp_server_session_start start = {.number = 1,
                                                    .peer = "127.0.0.1:1",
                                                    .lmtp = run->setting->lmtp,
                                                    .trusted = run->setting->trusted,
                                                    .user = run};
    run->session = smtp_server_session_new(&run->setting->config, &start);
    FUZZ_HOLDS(run->session != NULL);
    if (run->setting->implicit_tls) {
        smtp_server_session_open_tls(run->session, SECOND_NS);
        FUZZ_HOLDS(smtp_server_session_pending(run->session).len == 0);
        smtp_server_session_tls_started(run->session, &facts, true, SECOND_NS);
    } else {
        smtp_server_session_open(run->session, SECOND_NS);
    }
    (void)settle(run);
}

static void feed(struct run *run, struct smtp_span octets)
{
    char *copy = fuzz_copy(octets);
    for (size_t at = 0; at < octets.len;) {
        size_t before = run->said.len;
        size_t used =
            smtp_server_session_receive(run->session, copy + at, octets.len - at, SECOND_NS);
        FUZZ_HOLDS(used <= octets.len - at);
        bool moved = settle(run);
        FUZZ_HOLDS(used > 0 || moved); /* else it would never go on */
        at += used;
        if (octets.len == 1) {
            check_cause(run, before, copy[0]);
        }
    }
    free(copy);
}

static void end(struct run *run)
{
    uint64_t due_ns = smtp_server_session_deadline_ns(run->session);
    bool ended = smtp_server_session_ended(run->session);
    switch (run->setting->end) {
    case 0:
        FUZZ_HOLDS(ended || due_ns != SMTP_NEVER);
        if (!ended) {
            smtp_server_session_expire(run->session, due_ns - 1);
            FUZZ_HOLDS(!smtp_server_session_ended(run->session));
            smtp_server_session_expire(run->session, due_ns);
            FUZZ_HOLDS(smtp_server_session_ended(run->session));
            (void)settle(run);
        }
        break;
    case 1:
        smtp_server_session_shut_down(run->session, SECOND_NS);
        (void)settle(run);
        break;
    case 2:
        smtp_server_session_cut(run->session);
        FUZZ_HOLDS(smtp_server_session_ended(run->session));
        break;
    default:
        break;
    }
    smtp_server_session_free(run->session);
    FUZZ_HOLDS(!run->content_open);
}

/* What comes in one piece with STARTTLS is refused, and rightly: a piece ends behind a line with that word. */
static size_t before_tls(struct smtp_span text)
{
    for (size_t at = 0; at < text.len;) {
        const char *lf = memchr(text.bytes + at, '\n', text.len - at);
        size_t end = lf != NULL ? (size_t)(lf - text.bytes) + 1 : text.len;
        if (smtp_span_has_nocase((struct smtp_span){text.bytes + at, end - at}, "STARTTLS")) {
            return end;
        }
        at = end;
    }
    return text.len;
}

static struct run say(const struct setting *setting, struct smtp_span text, unsigned cut_octet)
{
    struct run run = {
        .setting = setting, .said = SMTP_BUFFER(SIZE_MAX), .kept = SMTP_BUFFER(SIZE_MAX)};
    struct fuzz_cuts cuts = fuzz_cuts(cut_octet);
    struct run *here = &run;
    open_session(here);
    for (size_t left = 0; text.len > 0;) {
        left = left > 0 ? left : before_tls(text);
        size_t piece = fuzz_cut(&cuts, left);
        feed(here, (struct smtp_span){text.bytes, piece});
        left -= piece;
        text = (struct smtp_span){text.bytes + piece, text.len - piece};
    }
    end(here);
    check_replies(here);
    return run;
}

/* ---- the setting ---- */

static void choose_limits(struct smtp_server_limits *limits, unsigned bits)
{
    limits->message_octets = (bits & 1) != 0 ? 40 : limits->message_octets;
    limits->text_line_octets = (bits & 2) != 0 ? 20 : limits->text_line_octets;
    limits->command_line_octets = (bits & 4) != 0 ? 64 : limits->command_line_octets;
    limits->recipients = (bits & 8) != 0 ? 2 : limits->recipients;
    limits->commands = (bits & 16) != 0 ? 12 : 0;
    limits->errors = (bits & 32) != 0 ? 3 : limits->errors;
    limits->messages = (bits & 64) != 0 ? 2 : 0;
    limits->recipient_domains = (bits & 128) != 0 ? 2 : 0;
    limits->each_command = (bits & 128) != 0 ? 6 : 0;
    limits->auth_line_octets = (bits & 4) != 0 ? 80 : limits->auth_line_octets;
    limits->deliver_by_s = (bits & 8) != 0 ? 60 : 0;
}

static void choose_keywords(struct smtp_server_keywords *keywords, unsigned bits)
{
    keywords->pipelining = (bits & 1) == 0;
    keywords->size = keywords->limits = (bits & 2) == 0;
    keywords->eight_bit_mime = (bits & 4) == 0;
    keywords->smtputf8 = keywords->smtputf8 && keywords->eight_bit_mime;
    keywords->chunking = (bits & 8) == 0;
    keywords->binary_mime = keywords->chunking && keywords->eight_bit_mime;
    keywords->enhanced_status_codes = (bits & 16) == 0;
    keywords->future_release = keywords->deliver_by = keywords->mt_priority = (bits & 32) == 0;
    keywords->xclient = keywords->expn = (bits & 64) == 0;
    keywords->dsn = keywords->vrfy = keywords->help = (bits & 128) == 0;
}

static void choose(struct setting *setting, struct fuzz_input *input)
{
    static struct smtp_server_options options;
    smtp_server_options_init(&options);
    unsigned bits = fuzz_octet(input), more = fuzz_octet(input);
    *setting = (struct setting){
        .config = {.hostname = "mx.test",
                   .greeting_text = "ESMTP",
                   .bare_line_end = (enum smtp_server_bare_line_end)(bits % 3),
                   .limits = options.limits,
                   .keywords = options.keywords,
                   .unix_time_s = noon,
                   .starttls = (bits & 8) == 0,
                   .auth_required = (bits & 16) != 0,
                   .mechanisms_clear = (bits & 32) == 0 ? "PLAIN CRAM-MD5" : "",
                   .mechanisms_tls = (bits & 32) == 0 ? "PLAIN CRAM-MD5 EXTERNAL" : "LOGIN",
                   .mechanisms_too_weak = "XOAUTH2",
                   .log = (more & 1) == 0 ? log_line : NULL,
                   .discard_content = (more & 2) != 0},
        .lmtp = (bits & 64) != 0,
        .trusted = (bits & 128) == 0,
        .implicit_tls = (more & 4) != 0,
        .end = more >> 3 & 3,
    };
    struct smtp_server_session_config *config = &setting->config;
    if ((more & 32) != 0) {
        config->content = take_content;
        config->drop = drop_content;
    }
    config->starttls = config->starttls && !setting->implicit_tls;
    config->tls_required = config->starttls && (more & 64) != 0;
    config->asks = (more & 128) != 0 ? ~0u & ~(1u << SMTP_SERVER_ASK_STEP) : 0;
    choose_limits(&config->limits, fuzz_octet(input));
    choose_keywords(&config->keywords, fuzz_octet(input));
    setting->mood = fuzz_octet(input);
    if (setting->mood % 4 == 3) {
        config->asks |= 1u << SMTP_SERVER_ASK_STEP;
    }
    setting->cuts = fuzz_octet(input);
    if (config->bare_line_end == SMTP_BARE_REFUSE_AND_CLOSE) {
        config->limits.message_octets = 0; /* which of the two is seen first depends on the cuts */
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *octets, size_t len)
{
    struct fuzz_input input = {octets, len};
    struct setting setting;
    choose(&setting, &input);
    struct run whole = say(&setting, fuzz_rest(&input), 0);
    const unsigned cuts[] = {1, setting.cuts};
    for (size_t i = 0; i < 2; i++) {
        struct run cut = say(&setting, fuzz_rest(&input), cuts[i]);
        FUZZ_ALIKE(&whole.said, &cut.said);
        FUZZ_ALIKE(&whole.kept, &cut.kept);
        smtp_buffer_free(&cut.said);
        smtp_buffer_free(&cut.kept);
    }
    smtp_buffer_free(&whole.said);
    smtp_buffer_free(&whole.kept);
    return 0;
}
