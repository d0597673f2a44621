/* content.c - takes the content of DATA apart on its way in (RFC 5321 4.5.2), and looks at that of BDAT.
 * Knows: CRLF, leading dots and the end mark, under any split of the input; bare CR and LF; the
 * length of lines. Does not know: headers, limits, replies (see session.c).
 *
 * The whole art is to do this in runs: a run is a stretch of input that is content as it stands,
 * many lines as a rule, so that it can be copied at once. Runs end at dots that are taken out. */
#include "server/protocol/content.h"

#include <string.h>

#define STRETCH 64 /* octets looked at in one go */
#define PLAIN_MAX                                                                                  \
    4096 /* and before they are taken: so much is looked at again, at most, where a line is too long */

void smtp_content_decoder_init(struct smtp_content_decoder *decoder, size_t line_limit,
                               bool verbatim)
{
    *decoder = (struct smtp_content_decoder){.place = SMTP_CONTENT_LINE_START,
                                             .verbatim = verbatim,
                                             .line_at = 1,
                                             .line_limit = line_limit};
}

static void note_first(uint64_t *first, uint64_t octet)
{
    if (*first == 0) {
        *first = octet;
    }
}

/* Of the first line over the limit the length is followed to its end. */
static void measure_line(struct smtp_content_decoder *decoder)
{
    if (decoder->line_limit == 0 || decoder->line_octets <= decoder->line_limit) {
        return;
    }
    note_first(&decoder->long_line_at, decoder->line_at);
    if (decoder->long_line_at == decoder->line_at) {
        decoder->long_line_octets = decoder->line_octets;
    }
}

/* The input of one step, and the run that grows in it. */
struct run {
    const char *begin;
    const char *at;      /* the next octet to look at */
    const char *end;     /* of the input */
    const char *next_lf; /* the first LF at or after `at` as far as searched, else `end` */
};

static uint64_t octet_at(const struct smtp_content_decoder *decoder, const struct run *run,
                         const char *place)
{
    return decoder->wire_octets + (uint64_t)(place - run->begin) + 1;
}

/* run->at is behind a line end. */
static void begin_line(struct smtp_content_decoder *decoder, const struct run *run)
{
    decoder->line_octets = 0;
    decoder->line_at = octet_at(decoder, run, run->at);
    decoder->place = SMTP_CONTENT_LINE_START;
}

static void advance(struct smtp_content_decoder *decoder, struct run *run, const char *to)
{
    decoder->line_octets += (uint64_t)(to - run->at);
    run->at = to;
}

/* Inside a line: up to its CRLF, or past the bare CR or LF that is not one, or to the input's end.
 */
static void take_line(struct smtp_content_decoder *decoder, struct run *run)
{
    if (run->next_lf == NULL || run->next_lf < run->at) {
        const char *lf = memchr(run->at, '\n', (size_t)(run->end - run->at));
        run->next_lf = lf != NULL ? lf : run->end;
    }
    const char *cr = memchr(run->at, '\r', (size_t)(run->next_lf - run->at));
    if (cr != NULL) {
        advance(decoder, run, cr + 1);
        decoder->place = SMTP_CONTENT_LINE_CR;
    } else if (run->next_lf < run->end) {
        note_first(&decoder->bare_lf_at, octet_at(decoder, run, run->next_lf));
        advance(decoder, run, run->next_lf + 1);
    } else {
        advance(decoder, run, run->end);
    }
}

/* After a CR inside a line: the LF that makes it a line end, or else it was bare. */
static void take_after_cr(struct smtp_content_decoder *decoder, struct run *run)
{
    if (*run->at == '\n') {
        advance(decoder, run, run->at + 1);
        measure_line(decoder);
        begin_line(decoder, run);
    } else {
        note_first(&decoder->bare_cr_at, octet_at(decoder, run, run->at) - 1);
        decoder->place = SMTP_CONTENT_LINE;
    }
}

/* As many octets as every processor compares at once; where it cannot, the compiler sees to it. */
typedef unsigned char octets __attribute__((vector_size(16)));
typedef uint64_t halves __attribute__((vector_size(16)));

static octets load(const char *at)
{
    octets loaded;
    memcpy(&loaded, at, sizeof loaded);
    return loaded;
}

/* Whether a stretch reads as plain lines do: an LF behind each CR, a CR before each LF, no dot behind an LF. Of
 * an LF that it begins with, the stretch before has told. Looks at two octets behind it. */
static bool is_plain(const char *stretch)
{
    octets odd = {0};
    for (size_t i = 0; i < STRETCH; i += sizeof odd) {
        octets line_end = load(stretch + i + 1) == '\n';
        odd |=
            ((load(stretch + i) == '\r') ^ line_end) | (line_end & (load(stretch + i + 2) == '.'));
    }
    const halves folded = (halves)odd;
    return (folded[0] | folded[1]) == 0;
}

/* Lines that came whole: each stretch as long as the limit holds the end of one, or one is longer. */
static bool within_limit(size_t limit, const char *at, const char *end)
{
    while (limit != 0 && (size_t)(end - at) > limit) {
        const char *lf = memrchr(at, '\n', limit);
        if (lf == NULL) {
            return false;
        }
        at = lf + 1;
    }
    return true;
}

/* The common case by itself, for speed: at the start of a line, takes lines that came whole, without
 * a dot to be removed, anything bare or a line too long. What is not so is left to the places. */
static void take_plain_lines(struct smtp_content_decoder *decoder, struct run *run)
{
    const char *at = run->at;
    if (*at == '\n') {
        return; /* bare; of any other LF the octet before it is looked at */
    }
    while (run->end - at > STRETCH + 1 && at - run->at < PLAIN_MAX && is_plain(at)) {
        at += STRETCH;
    }
    const char *lf = memrchr(run->at, '\n', (size_t)(at - run->at));
    if (lf != NULL && within_limit(decoder->line_limit, run->at, lf + 1)) {
        run->at = lf + 1;
        begin_line(decoder, run);
    }
}

static struct smtp_content_step step(struct smtp_content_decoder *decoder, const struct run *run,
                                     struct smtp_span keep, bool ended)
{
    size_t used = (size_t)(run->at - run->begin);
    decoder->wire_octets += used;
    return (struct smtp_content_step){used, keep, ended};
}

/* After a dot at the start of a line and maybe a CR: the end mark, or content that goes on. The dot
 * itself is gone in either case. True when the step is made. */
static bool take_after_dot(struct smtp_content_decoder *decoder, struct run *run,
                           struct smtp_content_step *out)
{
    struct smtp_span nothing = {run->begin, 0};
    if (decoder->place == SMTP_CONTENT_DOT) {
        if (*run->at != '\r') {
            decoder->place = SMTP_CONTENT_LINE;
            return false;
        }
        decoder->place = SMTP_CONTENT_DOT_CR;
        run->at++;
        *out = step(decoder, run, nothing, false);
        return true;
    }
    if (*run->at == '\n') {
        run->at++;
        *out = step(decoder, run, nothing, true);
        return true;
    }
    /* the CR was held back as a part of the end mark; it was a bare one of the line */
    note_first(&decoder->bare_cr_at, decoder->wire_octets);
    decoder->line_octets++;
    decoder->place = SMTP_CONTENT_LINE;
    *out = step(decoder, run, SMTP_SPAN("\r"), false);
    return true;
}

struct smtp_content_step smtp_content_decode(struct smtp_content_decoder *decoder,
                                             const char *bytes, size_t len)
{
    struct run run = {.begin = bytes, .at = bytes, .end = bytes + len, .next_lf = NULL};
    struct smtp_content_step out;
    if (len > 0 && (decoder->place == SMTP_CONTENT_DOT || decoder->place == SMTP_CONTENT_DOT_CR) &&
        take_after_dot(decoder, &run, &out)) {
        return out;
    }
    while (run.at < run.end) {
        switch (decoder->place) {
        case SMTP_CONTENT_LINE_START:
            if (*run.at == '.' && !decoder->verbatim) {
                struct smtp_span keep = {bytes, (size_t)(run.at - bytes)};
                decoder->place = SMTP_CONTENT_DOT;
                run.at++;
                return step(decoder, &run, keep, false);
            }
            take_plain_lines(decoder, &run);
            if (run.at < run.end && (*run.at != '.' || decoder->verbatim)) {
                decoder->place = SMTP_CONTENT_LINE;
            }
            break;
        case SMTP_CONTENT_LINE_CR:
            take_after_cr(decoder, &run);
            break;
        default:
            take_line(decoder, &run);
            break;
        }
    }
    measure_line(decoder);
    return step(decoder, &run, (struct smtp_span){bytes, len}, false);
}

void smtp_content_decode_end(struct smtp_content_decoder *decoder)
{
    if (decoder->place == SMTP_CONTENT_LINE_CR) {
        note_first(&decoder->bare_cr_at, decoder->wire_octets);
    }
}
