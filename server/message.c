/* message.c - see message.h and smtp_mailbox.h.
 * Knows: how a message lies in memory. One block:
 *     struct smtp_message | places, a uint32_t a recipient | texts | content, NUL
 * texts: HELO name, peer, TLS version, identity, then the reverse-path, its parameters, then
 * forward-path and parameters of each recipient, each with its NUL. Offsets of 32 bits, not pointers: the block may move while
 * it grows, and the overhead of a small message stays small. Does not know: sessions, who waits for
 * it. */
#include "server/message.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct smtp_message {
    /* Handed between threads. Taking a reference needs no order (the giver holds one); giving back
     * is release, so that the last one, which acquires, frees after everybody has read. */
    atomic_uint references;
    uint32_t recipient_count;
    uint32_t texts_len;
    uint16_t protocol;   /* index into protocols */
    bool content_absent; /* it was counted, not kept */
    uint64_t session;
    size_t size_bytes; /* of the content, kept or not */
    /* Relaxed: written once by the mailbox, when a hook's thread may look already (and sees 0).
     * What makes it seen together with the message is the mailbox's lock. */
    _Atomic uint64_t number;
    union {
        size_t capacity; /* for content, without its NUL; until smtp_message_finish */
        _Atomic int64_t received_unix_ns; /* likewise relaxed; after it */
    } u;
    uint32_t places[];
};

/* The types of RFC 3848, and of RFC 6531 4.3. */
static const char *const protocols[] = {
    "",          "SMTP",       "ESMTP",    "ESMTPS",    "ESMTPA",    "ESMTPSA",
    "LMTP",      "LMTPS",      "LMTPA",    "LMTPSA",    "UTF8SMTP",  "UTF8SMTPS",
    "UTF8SMTPA", "UTF8SMTPSA", "UTF8LMTP", "UTF8LMTPS", "UTF8LMTPA", "UTF8LMTPSA",
};

static uint16_t find_protocol(const char *name)
{
    for (size_t i = 1; i < sizeof protocols / sizeof *protocols; i++) {
        if (strcmp(name, protocols[i]) == 0) {
            return (uint16_t)i;
        }
    }
    return 0;
}

static char *texts_of(const struct smtp_message *message)
{
    return (char *)(uintptr_t)(message->places + message->recipient_count);
}

static char *content_of(const struct smtp_message *message)
{
    return texts_of(message) + message->texts_len;
}

static size_t size_without_content(const struct smtp_message *message)
{
    return (size_t)(content_of(message) - (const char *)message) + 1;
}

static const char *text_after(const char *text)
{
    return text + strlen(text) + 1;
}

static char *put_text(char *at, const char *text)
{
    size_t size = strlen(text) + 1;
    memcpy(at, text, size);
    return at + size;
}

static void write_texts(struct smtp_message *message, const struct smtp_message_envelope *envelope,
                        const struct smtp_message_origin *origin)
{
    struct smtp_span texts = smtp_buffer_span(&envelope->texts);
    struct smtp_span places = smtp_buffer_span(&envelope->places);
    char *at = put_text(texts_of(message), origin->helo);
    at = put_text(at, origin->peer);
    at = put_text(at, origin->tls);
    at = put_text(at, origin->identity);
    size_t session_size = (size_t)(at - texts_of(message));
    memcpy(at, texts.bytes, texts.len);
    memcpy(message->places, places.bytes, message->recipient_count * sizeof *message->places);
    for (uint32_t i = 0; i < message->recipient_count; i++) {
        message->places[i] += (uint32_t)session_size;
    }
}

struct smtp_message *smtp_message_new(const struct smtp_message_envelope *envelope,
                                      const struct smtp_message_origin *origin,
                                      size_t content_capacity)
{
    size_t texts_len = envelope->texts.len + strlen(origin->helo) + strlen(origin->peer) +
                       strlen(origin->tls) + strlen(origin->identity) + 4;
    size_t places_size = envelope->recipient_count * sizeof(uint32_t);
    size_t fixed = sizeof(struct smtp_message) + places_size + texts_len + 1;
    if (texts_len > UINT32_MAX || envelope->recipient_count > UINT32_MAX ||
        content_capacity > SIZE_MAX - fixed) {
        return NULL;
    }
    struct smtp_message *message = malloc(fixed + content_capacity);
    if (message == NULL) {
        return NULL;
    }
    *message = (struct smtp_message){
        .recipient_count = (uint32_t)envelope->recipient_count,
        .texts_len = (uint32_t)texts_len,
        .protocol = find_protocol(origin->protocol),
        .session = origin->session,
        .u.capacity = content_capacity,
    };
    atomic_init(&message->references, 1);
    write_texts(message, envelope, origin);
    *content_of(message) = '\0';
    return message;
}

/* Moves the message to a block with this room for content. Nobody else sees it yet. */
static bool resize(struct smtp_message **message, size_t capacity)
{
    size_t fixed = size_without_content(*message);
    if (capacity > SIZE_MAX - fixed) {
        return false;
    }
    struct smtp_message *moved = realloc(*message, fixed + capacity);
    if (moved == NULL) {
        return false;
    }
    moved->u.capacity = capacity;
    *message = moved;
    return true;
}

bool smtp_message_append(struct smtp_message **message, const char *bytes, size_t len)
{
    size_t size = (*message)->size_bytes, capacity = (*message)->u.capacity;
    if (len > SIZE_MAX - size) {
        return false;
    }
    if (size + len > capacity) {
        size_t doubled = capacity > SIZE_MAX / 2 ? SIZE_MAX : capacity * 2;
        if (!resize(message, doubled > size + len ? doubled : size + len)) {
            return false;
        }
    }
    char *end = content_of(*message) + size;
    if (len > 0) {
        memcpy(end, bytes, len);
    }
    end[len] = '\0';
    (*message)->size_bytes = size + len;
    return true;
}

void smtp_message_omit(struct smtp_message *message, size_t len)
{
    message->content_absent = true;
    message->size_bytes += len;
}

void smtp_message_finish(struct smtp_message **message)
{
    if ((*message)->size_bytes < (*message)->u.capacity) {
        (void)resize(message, (*message)->size_bytes); /* where it fails, it is only larger */
    }
    atomic_init(&(*message)->u.received_unix_ns, 0);
}

void smtp_message_set_received(struct smtp_message *message, int64_t unix_ns)
{
    atomic_store_explicit(&message->u.received_unix_ns, unix_ns, memory_order_relaxed);
}

void smtp_message_set_number(struct smtp_message *message, uint64_t number)
{
    atomic_store_explicit(&message->number, number, memory_order_relaxed);
}

struct smtp_message *smtp_message_retain(struct smtp_message *message)
{
    atomic_fetch_add_explicit(&message->references, 1, memory_order_relaxed);
    return message;
}

void smtp_message_release(struct smtp_message *message)
{
    if (message != NULL &&
        atomic_fetch_sub_explicit(&message->references, 1, memory_order_acq_rel) == 1) {
        free(message);
    }
}

uint64_t smtp_message_number(const struct smtp_message *message)
{
    return atomic_load_explicit(&message->number, memory_order_relaxed);
}

uint64_t smtp_message_session(const struct smtp_message *message)
{
    return message->session;
}

int64_t smtp_message_received_unix_ns(const struct smtp_message *message)
{
    return atomic_load_explicit(&message->u.received_unix_ns, memory_order_relaxed);
}

const char *smtp_message_helo(const struct smtp_message *message)
{
    return texts_of(message);
}

const char *smtp_message_peer(const struct smtp_message *message)
{
    return text_after(smtp_message_helo(message));
}

const char *smtp_message_protocol(const struct smtp_message *message)
{
    return protocols[message->protocol];
}

const char *smtp_message_tls(const struct smtp_message *message)
{
    return text_after(smtp_message_peer(message));
}

const char *smtp_message_identity(const struct smtp_message *message)
{
    return text_after(smtp_message_tls(message));
}

const char *smtp_message_reverse_path(const struct smtp_message *message)
{
    return text_after(smtp_message_identity(message));
}

const char *smtp_message_mail_parameters(const struct smtp_message *message)
{
    return text_after(smtp_message_reverse_path(message));
}

size_t smtp_message_recipient_count(const struct smtp_message *message)
{
    return message->recipient_count;
}

const char *smtp_message_forward_path(const struct smtp_message *message, size_t i)
{
    return i < message->recipient_count ? texts_of(message) + message->places[i] : NULL;
}

const char *smtp_message_rcpt_parameters(const struct smtp_message *message, size_t i)
{
    const char *path = smtp_message_forward_path(message, i);
    return path == NULL ? NULL : text_after(path);
}

uint64_t smtp_message_size(const struct smtp_message *message)
{
    return message->size_bytes;
}

const char *smtp_message_content(const struct smtp_message *message, size_t *size_bytes)
{
    if (size_bytes != NULL) {
        *size_bytes = message->content_absent ? 0 : message->size_bytes;
    }
    return content_of(message);
}
