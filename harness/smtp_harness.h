/* smtp_harness.h - both ends of SMTP in one process, for someone writing a test: a server on a
 * thread of its own, clients connected to it, and assertions on what was captured.
 *
 * Contract
 *   Ownership  Everything handed out (clients, messages, texts) belongs to the harness and lives
 *              until smtp_harness_stop. There is nothing else to free.
 *   Threads    A harness belongs to the thread that started it; several harnesses may run at once.
 *              The server's hooks run on the server's thread.
 *   Errors     Calls that hand out something return NULL on failure, calls that assert return a
 *              status; smtp_harness_failure says why in lines fit for a test's failure output.
 *   Frameworks Nothing here prints, exits, or needs one: Criterion, cmocka, Check, Unity or a plain
 *              main.
 *
 * Example
 *     struct smtp_harness *harness = smtp_harness_start(NULL, NULL);
 *     struct smtp_client *client = smtp_harness_client(harness);
 *     const char *to[] = {"bob@example.com"};
 *     struct smtp_envelope envelope = {.reverse_path = "ann@example.com", .forward_paths = to,
 *                                      .forward_path_count = 1};
 *     struct smtp_content content = smtp_content_text("Subject: Hi\n\nHello\n");
 *     assert(smtp_client_send(client, &envelope, content, NULL) == SMTP_OK);
 *     const struct smtp_harness_message *message;
 *     message = smtp_harness_wait(harness, "to=bob@example.com");
 *     assert(message != NULL && strcmp(smtp_harness_header(message, "Subject"), "Hi") == 0);
 *     smtp_harness_stop(harness);
 */
#ifndef SMTP_HARNESS_H
#define SMTP_HARNESS_H

#include "smtp_client.h"
#include "smtp_server.h"

#ifdef __cplusplus
extern "C" {
#endif

struct smtp_harness;
struct smtp_harness_message;

struct smtp_harness_options {
    struct smtp_server_options server; /* its first listener speaks LMTP: so do the clients */
    struct smtp_client_options client; /* for smtp_harness_client and smtp_harness_connect */
    uint64_t wait_ms;                  /* 5000: how long the waiting calls wait */
    uint64_t stop_ms;                  /* 1000: how long open transactions may take at stop */
    uint64_t fault_seed; /* of faults by chance; 0: one is drawn, see smtp_harness_faults */
    /** An address spells the reply it gets: with "+CODE" or "+CODE-ENHANCED" at the end of its local part,
     *  like "bob+450-4.7.1@example.com", as a forward-path at RCPT, as a reverse-path at MAIL. */
    bool magic_addresses;
    /** The server asks for no faults at its steps, which costs it a little each, as for load: then
     *  smtp_harness_fault is SMTP_BAD_STATE, and there are no magic addresses. */
    bool without_faults;
};
/** Sets every option to its default. */
void smtp_harness_options_init(struct smtp_harness_options *options);

/** Starts a server on a free port of 127.0.0.1 (or as the options say) and returns when it accepts.
 *  options NULL: the defaults. Hook tables are taken over, and released whatever comes of it. NULL on failure,
 *  with *error (may be NULL) filled in. */
struct smtp_harness *smtp_harness_start(const struct smtp_harness_options *options,
                                        struct smtp_error *error);
/** Closes the clients, stops the server, frees everything. NULL: nothing. */
void smtp_harness_stop(struct smtp_harness *harness);

/* ---- where it is ---- */
const char *smtp_harness_host(const struct smtp_harness *harness); /* "127.0.0.1" */
uint16_t smtp_harness_port(const struct smtp_harness *harness);
const char *
smtp_harness_url(const struct smtp_harness *harness); /* "smtp://127.0.0.1:41233", smtps, lmtp */
/** The authority that signed the server's certificate, as PEM: what another client needs to trust it.
 *  The harness's own clients trust it unless the options name another. "" where there is none. */
const char *smtp_harness_ca_pem(struct smtp_harness *harness);
struct smtp_server *smtp_harness_server(struct smtp_harness *harness);
struct smtp_mailbox *smtp_harness_mailbox(struct smtp_harness *harness);

/* ---- the other end ---- */
/** A connected client: the same one each time; NULL when it cannot connect. */
struct smtp_client *smtp_harness_client(struct smtp_harness *harness);
/** A further connected client. */
struct smtp_client *smtp_harness_connect(struct smtp_harness *harness);

/* ---- waiting and asserting; the notation is 'FIELD OP VALUE ...', all must hold of one message:
 *   FIELD  from to         the envelope's paths; `to` holds when any forward-path does
 *          helo protocol session     protocol: like ESMTPSA, UTF8SMTP, LMTP
 *          subject header.NAME     decoded; header.NAME holds when any field of that name does
 *          text html       decoded; a line end at the very end does not matter to = and !=
 *          tls             the TLS version it came over, "" for none
 *          auth            who had logged in, "" for nobody
 *          source size     the content as it came, and its octets
 *          attachments attachment.NAME   how many, and the decoded content of the file NAME
 *          count           how many messages must match (smtp_harness_expect alone)
 *   OP     = !=   equal (addresses and helo: the domain in any case)
 *          ~ !~   POSIX extended regular expression, in which ^ and $ are at each line's ends
 *          >= <=  numbers: size, attachments, session, count
 *   VALUE  a word, or "quoted" with \" and \\; so is a NAME with blanks, attachment."a b.pdf"
 * != and !~ hold exactly where = and ~ do not. NULL or "": any message. Like
 *     to=bob@example.com subject~"^Welcome" count=1
 * ---- */

/** Waits (wait_ms) for the next message that it holds of, after the last one a wait returned. NULL:
 *  none came; smtp_harness_failure shows the nearest message and what differed. */
const struct smtp_harness_message *smtp_harness_wait(struct smtp_harness *harness,
                                                     const char *expectation);
/** Waits until the mailbox holds `count` messages. SMTP_OK or SMTP_TIMED_OUT. */
enum smtp_status smtp_harness_wait_count(struct smtp_harness *harness, size_t count)
    SMTP_MUST_CHECK;
/** Asserts on all messages the mailbox holds and, until wait_ms is over, those to come: at least
 *  one (or as many as `count` says) must match. Returns as soon as that is so, or can no longer be;
 *  smtp_harness_expect_none is the way to say that nothing more comes.
 *  SMTP_OK, SMTP_NOT_AS_EXPECTED, SMTP_BAD_ARGUMENT. */
enum smtp_status smtp_harness_expect(struct smtp_harness *harness, const char *expectation)
    SMTP_MUST_CHECK;
/** Asserts that no (further, since the last wait) message that it holds of comes in `within_ms`. */
enum smtp_status smtp_harness_expect_none(struct smtp_harness *harness, const char *expectation,
                                          uint64_t within_ms) SMTP_MUST_CHECK;
/** Why the last call failed, in lines; "" when none did. */
const char *smtp_harness_failure(const struct smtp_harness *harness);

/* ---- faults: what goes wrong, where and how often, chosen. The notation is
 *  'STAGE [PATTERN]: ACTION... [FREQUENCY]':
 *   STAGE      connect           accepted, nothing said yet     PATTERN: of the peer, "127.0.0.1:*"
 *              greeting                                         of the peer
 *              ehlo              EHLO, HELO, LHLO               of the name given
 *              starttls          the command                    none
 *              tls               the handshake                  none
 *              auth              AUTH                           of the mechanism
 *              mail rcpt                                        of the path without its brackets
 *              data bdat dot     the command; the end of        of any forward-path: with LMTP a reply to
 *                                the content, also BDAT's       the dot is for those it matches alone
 *              content           while content comes            a number N: once N octets are there
 *              rset quit                                        none
 *              any               every command                  of the whole line
 *   PATTERN    a glob with * ? [...], in any case of letters, a word or "quoted"; none: all
 *   ACTION     reply CODE [ENHANCED] ["TEXT"]  4yz and 5yz: in place of the step; 2yz and 3yz: the step is
 *                                done and this is said. \n parts the lines of TEXT.
 *                                421 closes (RFC 5321 3.8) unless another ending stands with it
 *              octets "RAW"      exactly these in place of the reply; \r \n \t \" \\ \xNN
 *              delay MS          before the step; longer than the client waits, it is a reply too late
 *              twice             the reply, two times
 *              drip N            the reply octet by octet, N a second
 *              split N           the reply in segments of N octets
 *              garble            the reply with the high bit of its octets set
 *              cut N             the first N octets of the reply, then close (or what follows)
 *              close half-close reset     then, in place of the reply where no other action speaks of it
 *              hang deaf         then silence: with what comes read, or not even that
 *              certificate FLAW  (tls) expired, not-yet-valid, wrong-name, self-signed, unknown-ca,
 *                                no-intermediate
 *   FREQUENCY  once, times N, every N, from N; chance P% (of a seed); over N/s, over N/min: where so many
 *              have come in that time already; several: where all of them say so; none: always. Counted
 *              over all sessions, by fault: its matching steps, but with times those it was due in.
 *  Like 'rcpt bob@*: reply 450 4.7.1 times 2', 'dot: delay 3000 once', 'tls: cut 200 hang',
 *  'mail: reply 421 over 10/s'. Of several faults the first that is due has its way. ---- */

/** Adds a fault to the plan, from the next step on; at any time. SMTP_OK; SMTP_BAD_ARGUMENT, and
 *  smtp_harness_failure shows where the mistake is; SMTP_BAD_STATE (options.without_faults). */
enum smtp_status smtp_harness_fault(struct smtp_harness *harness, const char *fault)
    SMTP_MUST_CHECK;
/** Takes all of them back. */
void smtp_harness_clear_faults(struct smtp_harness *harness);
/** The plan, a line each with how often it was due of how many steps, and the seed where chance plays;
 *  "" where there is none. Failures show it. */
const char *smtp_harness_faults(struct smtp_harness *harness);

/* ---- messages ---- */
/** The i-th message captured (0-based), NULL beyond. */
const struct smtp_harness_message *smtp_harness_message(struct smtp_harness *harness, size_t i);
/** Its envelope and its octets. */
const struct smtp_message *smtp_harness_envelope(const struct smtp_harness_message *message);
/** The first header field of that name, unfolded, RFC 2047 words decoded to UTF-8; NULL: none. */
const char *smtp_harness_header(const struct smtp_harness_message *message, const char *name);
/** The i-th field of that name (0-based); NULL beyond. */
const char *smtp_harness_header_at(const struct smtp_harness_message *message, const char *name,
                                   size_t i);
/** The first text/plain or text/html part that is no attachment, as UTF-8, lines parted by LF;
 *  NULL: none. Octets that are not in their charset are taken for ISO 8859-1. */
const char *smtp_harness_text(const struct smtp_harness_message *message);
const char *smtp_harness_html(const struct smtp_harness_message *message);

/** One leaf of the MIME tree. */
struct smtp_harness_part {
    const char *content_type; /* "text/plain", lower case */
    const char *name;         /* file name, decoded; NULL: none */
    bool attachment;          /* Content-Disposition: attachment, or it has a file name */
    const char *bytes;        /* decoded (base64, quoted-printable); a NUL octet follows */
    size_t size_bytes;
};
size_t smtp_harness_part_count(const struct smtp_harness_message *message);
const struct smtp_harness_part *smtp_harness_part(const struct smtp_harness_message *message,
                                                  size_t i);

/** What a POSIX extended regular expression finds first in the subject, the text, or the HTML: what its
 *  first parentheses hold, or all of it where it has none; for one-time codes and the like. NULL: nothing
 *  found, or no regular expression; smtp_harness_failure says which. */
const char *smtp_harness_extract(struct smtp_harness *harness,
                                 const struct smtp_harness_message *message, const char *pattern);
/** The i-th link (0-based) of a message: "http:", "https:" and "mailto:" in the HTML's href attributes, with
 *  character references resolved, else in the text. NULL beyond. */
const char *smtp_harness_link(struct smtp_harness *harness,
                              const struct smtp_harness_message *message, size_t i);

/* ---- the conversation ---- */
/** What session `number` said (1 for the first), as a dialogue of "C: " and "S: " lines, secrets
 *  masked, content as "C: " lines too; NULL: no such session. */
const char *smtp_harness_transcript(struct smtp_harness *harness, uint64_t number);

#ifdef __cplusplus
}
#endif
#endif
