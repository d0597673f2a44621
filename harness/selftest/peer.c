/* peer.c - the scripted peer's thread. Until it is joined, only the thread touches wire and status.
 */
#include "harness/selftest/peer.h"

#include "common/address.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/net.h"
#include "harness/selftest/raw.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ANSWER_MAX 4096 /* octets that a step makes */

struct smtp_peer {
    const struct smtp_peer_step *steps;
    size_t step_count;
    int listener;
    uint64_t deadline_ns;
    char address[SMTP_ADDRESS_TEXT_SIZE];
    pthread_t thread;
    bool joined;
    struct smtp_raw wire;    /* the thread's; the owner's once joined */
    enum smtp_status status; /* likewise */
};

static enum smtp_status drip(struct smtp_raw *wire, const char *text)
{
    enum smtp_status status = SMTP_OK;
    for (; *text != '\0' && status == SMTP_OK; text++) {
        status = smtp_raw_say(wire, text, 1);
    }
    return status;
}

static enum smtp_status say_made(struct smtp_raw *wire, const struct smtp_peer_step *step)
{
    struct smtp_buffer answer = SMTP_BUFFER(ANSWER_MAX);
    enum smtp_status status = SMTP_NOT_AS_EXPECTED;
    if (step->make(smtp_buffer_span(&wire->heard), &answer)) {
        struct smtp_span made = smtp_buffer_span(&answer);
        status = smtp_raw_say(wire, made.bytes, made.len);
    }
    smtp_buffer_free(&answer);
    return status;
}

static enum smtp_status play_step(struct smtp_raw *wire, const struct smtp_peer_step *step)
{
    struct smtp_span part;
    switch (step->act) {
    case SMTP_PEER_SAY:
        return smtp_raw_say(wire, step->text, strlen(step->text));
    case SMTP_PEER_DRIP:
        return drip(wire, step->text);
    case SMTP_PEER_HEAR:
        return smtp_raw_hear(wire, step->text, &part);
    case SMTP_PEER_MAKE:
        return say_made(wire, step);
    }
    return SMTP_BAD_ARGUMENT;
}

static enum smtp_status accept_one(struct smtp_peer *peer)
{
    for (;;) {
        enum smtp_status status = smtp_net_wait(peer->listener, false, peer->deadline_ns);
        if (status != SMTP_OK) {
            return status;
        }
        int fd = smtp_net_accept(peer->listener);
        if (fd >= 0) {
            smtp_raw_init(&peer->wire, fd, peer->deadline_ns);
            return SMTP_OK;
        }
        if (errno != EAGAIN) {
            return SMTP_SYSTEM_FAILED;
        }
    }
}

static void *play(void *user)
{
    struct smtp_peer *peer = user;
    peer->status = accept_one(peer);
    for (size_t i = 0; i < peer->step_count && peer->status == SMTP_OK; i++) {
        peer->status = play_step(&peer->wire, &peer->steps[i]);
    }
    smtp_raw_close(&peer->wire);
    return NULL;
}

static enum smtp_status listen_on_loopback(struct smtp_peer *peer, struct smtp_error *error)
{
    struct smtp_address address;
    enum smtp_status status = smtp_address_parse("127.0.0.1:0", 0, &address, error);
    if (status == SMTP_OK) {
        status = smtp_net_listen(&address, &peer->listener, error);
    }
    if (status == SMTP_OK) {
        smtp_address_of_socket(peer->listener, false, &address);
        smtp_address_format(&address, peer->address);
    }
    return status;
}

struct smtp_peer *smtp_peer_start(const struct smtp_peer_step *steps, size_t step_count,
                                  uint64_t limit_ms, struct smtp_error *error)
{
    struct smtp_peer *peer = calloc(1, sizeof *peer);
    if (peer == NULL) {
        smtp_error_set(error, SMTP_NO_MEMORY, 0, "no memory for a scripted peer");
        return NULL;
    }
    peer->steps = steps;
    peer->step_count = step_count;
    peer->deadline_ns = smtp_deadline_after(smtp_clock_now_ns(), limit_ms);
    smtp_raw_init(&peer->wire, -1, peer->deadline_ns);
    if (listen_on_loopback(peer, error) != SMTP_OK) {
        free(peer);
        return NULL;
    }
    int failure = pthread_create(&peer->thread, NULL, play, peer);
    if (failure != 0) {
        smtp_error_set(error, SMTP_SYSTEM_FAILED, failure, "no thread for a scripted peer");
        close(peer->listener);
        free(peer);
        return NULL;
    }
    return peer;
}

const char *smtp_peer_address(const struct smtp_peer *peer)
{
    return peer->address;
}

enum smtp_status smtp_peer_finish(struct smtp_peer *peer, struct smtp_span *heard)
{
    if (!peer->joined) {
        pthread_join(peer->thread, NULL);
        peer->joined = true;
    }
    *heard = smtp_buffer_span(&peer->wire.heard);
    return peer->status;
}

void smtp_peer_free(struct smtp_peer *peer)
{
    if (peer == NULL) {
        return;
    }
    struct smtp_span heard;
    enum smtp_status ignored = smtp_peer_finish(peer, &heard);
    (void)ignored;
    close(peer->listener);
    smtp_raw_clear(&peer->wire);
    free(peer);
}
