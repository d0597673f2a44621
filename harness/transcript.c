/* transcript.c - see transcript.h.
 * Knows: the server's log entries, in which secrets are masked already, and how much is kept. Does not
 * know: the server, expectations, how a dialogue is drawn. */
#include "harness/transcript.h"

#include "common/clock.h"
#include "harness/lines.h"

#include <pthread.h>
#include <stdlib.h>

/* Kept of one session: enough for any dialogue that a person reads, and for the whole of most mail.
 */
#define CONTENT_KEPT_MAX ((size_t)1 << 20)
#define DIALOGUE_KEPT_MAX ((size_t)1 << 20)
/* What one line counts beside its octets, so that a million empty lines are bounded too. */
#define LINE_OVERHEAD sizeof(struct entry)
/* A server's sessions beyond these are not kept: 100000 short ones are about 100 MiB. */
#define SESSIONS_KEPT_MAX 100000

struct entry {
    enum smtp_server_log_kind kind;
    bool pipelined;
    size_t start; /* into octets */
    size_t len;
    uint64_t time_ns;
    uint64_t left_out; /* octets after it that were not kept */
};

struct smtp_harness_transcript {
    struct smtp_buffer octets;
    struct smtp_buffer entries; /* struct entry */
    size_t content_kept;
    size_t dialogue_kept;
};

struct smtp_harness_transcripts {
    pthread_mutex_t lock;                      /* for all below */
    struct smtp_harness_transcript **sessions; /* [number - 1]; NULL: said nothing */
    size_t session_count;
};

struct smtp_harness_transcripts *smtp_harness_transcripts_new(void)
{
    struct smtp_harness_transcripts *transcripts = calloc(1, sizeof *transcripts);
    if (transcripts != NULL && pthread_mutex_init(&transcripts->lock, NULL) != 0) {
        free(transcripts);
        return NULL;
    }
    return transcripts;
}

void smtp_harness_transcript_free(struct smtp_harness_transcript *transcript)
{
    if (transcript != NULL) {
        smtp_buffer_free(&transcript->octets);
        smtp_buffer_free(&transcript->entries);
        free(transcript);
    }
}

void smtp_harness_transcripts_free(struct smtp_harness_transcripts *transcripts)
{
    if (transcripts == NULL) {
        return;
    }
    for (size_t i = 0; i < transcripts->session_count; i++) {
        smtp_harness_transcript_free(transcripts->sessions[i]);
    }
    free(transcripts->sessions);
    pthread_mutex_destroy(&transcripts->lock);
    free(transcripts);
}

/* ---- keeping ---- */

static size_t entry_count(const struct smtp_harness_transcript *transcript)
{
    return transcript->entries.len / sizeof(struct entry);
}

static struct entry *entry_at(const struct smtp_harness_transcript *transcript, size_t i)
{
    return (struct entry *)(void *)(transcript->entries.bytes + transcript->entries.start) + i;
}

static struct entry *last_entry(const struct smtp_harness_transcript *transcript)
{
    size_t count = entry_count(transcript);
    return count > 0 ? entry_at(transcript, count - 1) : NULL;
}

static void leave_out(struct smtp_harness_transcript *transcript, size_t octets)
{
    struct entry *last = last_entry(transcript);
    if (last != NULL) {
        last->left_out += octets;
    }
}

/* Content that follows content makes one entry longer: its splits mean nothing. */
static bool grows(const struct smtp_harness_transcript *transcript, enum smtp_server_log_kind kind)
{
    const struct entry *last = last_entry(transcript);
    return kind == SMTP_LOG_CONTENT && last != NULL && last->kind == kind && last->left_out == 0;
}

static bool append(struct smtp_harness_transcript *transcript, enum smtp_server_log_kind kind,
                   uint64_t time_ns, struct smtp_span text)
{
    struct entry entry = {.kind = kind, .start = transcript->octets.len, .time_ns = time_ns};
    if (smtp_buffer_append(&transcript->octets, text.bytes, text.len) != SMTP_OK) {
        return false;
    }
    if (!grows(transcript, kind) &&
        smtp_buffer_append(&transcript->entries, &entry, sizeof entry) != SMTP_OK) {
        return false;
    }
    struct entry *last = last_entry(transcript);
    if (last != NULL) {
        last->len += text.len;
        last->time_ns = time_ns;
    }
    return last != NULL;
}

static void keep_content(struct smtp_harness_transcript *transcript, uint64_t time_ns,
                         struct smtp_span text)
{
    size_t room = CONTENT_KEPT_MAX - transcript->content_kept;
    struct smtp_span kept = {text.bytes, text.len < room ? text.len : room};
    bool after_a_gap = kept.len < text.len && room == 0;
    if (!after_a_gap && append(transcript, SMTP_LOG_CONTENT, time_ns, kept)) {
        transcript->content_kept += kept.len;
        leave_out(transcript, text.len - kept.len);
        return;
    }
    leave_out(transcript, text.len);
}

static void keep_line(struct smtp_harness_transcript *transcript,
                      const struct smtp_server_log_entry *entry, struct smtp_span text)
{
    size_t cost = text.len + LINE_OVERHEAD;
    struct entry *line;
    if (cost <= DIALOGUE_KEPT_MAX - transcript->dialogue_kept &&
        append(transcript, entry->kind, entry->time_ns, text) &&
        (line = last_entry(transcript)) != NULL) {
        line->pipelined = entry->pipelined;
        transcript->dialogue_kept += cost;
        return;
    }
    leave_out(transcript, text.len + 2);
}

void smtp_harness_transcript_add(struct smtp_harness_transcript *transcript,
                                 const struct smtp_server_log_entry *entry)
{
    struct smtp_span text = {entry->len > 0 ? entry->text : "", entry->len};
    if (entry->kind == SMTP_LOG_CONTENT) {
        keep_content(transcript, entry->time_ns, text);
    } else {
        keep_line(transcript, entry, text);
    }
}

void smtp_harness_transcript_client_log(void *transcript, enum smtp_client_log_kind kind,
                                        const char *text, size_t len)
{
    static const enum smtp_server_log_kind kinds[] = {[SMTP_CLIENT_LOG_COMMAND] = SMTP_LOG_COMMAND,
                                                      [SMTP_CLIENT_LOG_REPLY] = SMTP_LOG_REPLY,
                                                      [SMTP_CLIENT_LOG_CONTENT] = SMTP_LOG_CONTENT,
                                                      [SMTP_CLIENT_LOG_NOTE] = SMTP_LOG_NOTE,
                                                      [SMTP_CLIENT_LOG_TLS] = SMTP_LOG_TLS};
    const struct smtp_harness_transcript *so_far = transcript;
    const struct entry *last = last_entry(so_far);
    const struct smtp_server_log_entry entry = {
        .kind = kinds[kind],
        .pipelined = kind == SMTP_CLIENT_LOG_COMMAND && last != NULL &&
                     (last->kind == SMTP_LOG_COMMAND || last->kind == SMTP_LOG_CONTENT),
        .time_ns = smtp_clock_now_ns(),
        .text = text,
        .len = len};
    smtp_harness_transcript_add(transcript, &entry);
}

/* ---- sessions ---- */

struct smtp_harness_transcript *smtp_harness_transcript_new(void)
{
    struct smtp_harness_transcript *transcript = calloc(1, sizeof *transcript);
    if (transcript != NULL) {
        transcript->octets = SMTP_BUFFER(CONTENT_KEPT_MAX + DIALOGUE_KEPT_MAX);
        transcript->entries = SMTP_BUFFER(SIZE_MAX); /* bounded by LINE_OVERHEAD */
    }
    return transcript;
}

static bool make_room(struct smtp_harness_transcripts *transcripts, size_t count)
{
    if (count <= transcripts->session_count) {
        return true;
    }
    size_t wanted = count > transcripts->session_count * 2 ? count + 8 : count * 2;
    struct smtp_harness_transcript **sessions =
        realloc(transcripts->sessions, wanted * sizeof *sessions);
    if (sessions == NULL) {
        return false;
    }
    for (size_t i = transcripts->session_count; i < wanted; i++) {
        sessions[i] = NULL;
    }
    transcripts->sessions = sessions;
    transcripts->session_count = wanted;
    return true;
}

/* With the lock held. */
static struct smtp_harness_transcript *session_for(struct smtp_harness_transcripts *transcripts,
                                                   uint64_t number)
{
    if (number == 0 || number > SESSIONS_KEPT_MAX || !make_room(transcripts, (size_t)number)) {
        return NULL;
    }
    struct smtp_harness_transcript **at = &transcripts->sessions[number - 1];
    if (*at == NULL) {
        *at = smtp_harness_transcript_new();
    }
    return *at;
}

void smtp_harness_transcripts_log(struct smtp_harness_transcripts *transcripts,
                                  uint64_t session_number,
                                  const struct smtp_server_log_entry *entry)
{
    pthread_mutex_lock(&transcripts->lock);
    struct smtp_harness_transcript *transcript = session_for(transcripts, session_number);
    if (transcript != NULL) {
        smtp_harness_transcript_add(transcript, entry);
    }
    pthread_mutex_unlock(&transcripts->lock);
}

uint64_t smtp_harness_transcripts_last(struct smtp_harness_transcripts *transcripts)
{
    pthread_mutex_lock(&transcripts->lock);
    size_t number = transcripts->session_count;
    while (number > 0 && transcripts->sessions[number - 1] == NULL) {
        number--;
    }
    pthread_mutex_unlock(&transcripts->lock);
    return number;
}

/* ---- reading ---- */

static bool copy_buffer(struct smtp_buffer *to, const struct smtp_buffer *from)
{
    struct smtp_span all = smtp_buffer_span(from);
    return smtp_buffer_append(to, all.bytes, all.len) == SMTP_OK;
}

struct smtp_harness_transcript *
smtp_harness_transcript_copy(struct smtp_harness_transcripts *transcripts, uint64_t number)
{
    struct smtp_harness_transcript *copy = smtp_harness_transcript_new();
    if (copy == NULL) {
        return NULL;
    }
    pthread_mutex_lock(&transcripts->lock);
    const struct smtp_harness_transcript *from = number > 0 && number <= transcripts->session_count
                                                     ? transcripts->sessions[number - 1]
                                                     : NULL;
    bool copied = from != NULL && copy_buffer(&copy->octets, &from->octets) &&
                  copy_buffer(&copy->entries, &from->entries);
    pthread_mutex_unlock(&transcripts->lock);
    if (!copied) {
        smtp_harness_transcript_free(copy);
        return NULL;
    }
    return copy;
}

static size_t line_len(struct smtp_span rest, bool *has_crlf)
{
    const char *crlf = rest.len > 0 ? memmem(rest.bytes, rest.len, "\r\n", 2) : NULL;
    *has_crlf = crlf != NULL;
    return crlf != NULL ? (size_t)(crlf - rest.bytes) : rest.len;
}

bool smtp_harness_transcript_next(const struct smtp_harness_transcript *transcript,
                                  struct smtp_harness_transcript_place *place,
                                  struct smtp_harness_transcript_line *line)
{
    if (place->entry >= entry_count(transcript)) {
        return false;
    }
    const struct entry *entry = entry_at(transcript, place->entry);
    struct smtp_span rest = {smtp_buffer_span(&transcript->octets).bytes + entry->start +
                                 place->offset,
                             entry->len - place->offset};
    *line = (struct smtp_harness_transcript_line){.kind = entry->kind,
                                                  .text = rest,
                                                  .pipelined = entry->pipelined,
                                                  .has_crlf = true,
                                                  .time_ns = entry->time_ns};
    if (entry->kind == SMTP_LOG_CONTENT) {
        line->text.len = line_len(rest, &line->has_crlf);
        place->offset += line->text.len + (line->has_crlf ? 2 : 0);
    }
    if (entry->kind != SMTP_LOG_CONTENT || place->offset >= entry->len) {
        line->left_out = entry->left_out;
        *place = (struct smtp_harness_transcript_place){.entry = place->entry + 1};
    }
    return true;
}

static const char *mark_of(const struct smtp_harness_transcript_line *line)
{
    switch (line->kind) {
    case SMTP_LOG_COMMAND:
        return "C:";
    case SMTP_LOG_REPLY:
        return "S:";
    case SMTP_LOG_CONTENT:
        return line->has_crlf ? "C:" : "C|";
    case SMTP_LOG_CONNECT:
        return "# connected:";
    case SMTP_LOG_TLS:
        return "[starttls]\n#";
    case SMTP_LOG_CLOSE:
        return "# closed:";
    default:
        return "#";
    }
}

char *smtp_harness_transcript_text(const struct smtp_harness_transcript *transcript)
{
    struct smtp_harness_lines lines = SMTP_HARNESS_LINES;
    struct smtp_harness_transcript_place place = {0};
    struct smtp_harness_transcript_line line;
    while (smtp_harness_transcript_next(transcript, &place, &line)) {
        smtp_harness_lines_add(&lines, smtp_span_of(mark_of(&line)));
        if (line.text.len > 0) {
            smtp_harness_lines_add(&lines, SMTP_SPAN(" "));
            smtp_harness_lines_escape(&lines, line.text);
        }
        smtp_harness_lines_add(&lines, SMTP_SPAN("\n"));
        if (line.left_out > 0) {
            smtp_harness_lines_print(&lines, "# %llu octets left out\n",
                                     (unsigned long long)line.left_out);
        }
    }
    return smtp_harness_lines_take(&lines);
}
