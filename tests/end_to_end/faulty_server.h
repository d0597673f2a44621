/* faulty_server.h - for tests of faults: a server with a plan of one step that goes wrong, and what it
 * noticed. Each ends the test where it fails. */
#ifndef SMTP_TESTS_END_TO_END_FAULTY_SERVER_H
#define SMTP_TESTS_END_TO_END_FAULTY_SERVER_H

#include "tests/end_to_end/tls_server.h"

#include <stdatomic.h>

struct faulty {
    enum smtp_server_step_kind kind;
    const char *verb;        /* of COMMAND; NULL: any */
    uint64_t content_octets; /* of CONTENT: once so many are there */
    size_t session;          /* 0: of any */
    int times;               /* 0: always */
    struct smtp_server_fault fault;
    struct smtp_server_options options; /* to be changed before faulty_start */
    /* below: faulty_start's */
    struct smtp_server *server;
    struct ssl_ctx_st *trust;
    struct diary diary;
    atomic_int due;  /* how often it was */
    char seen[256];  /* the last step of that kind: "VERB argument|forward-paths|content octets" */
    bool is_secured; /* the sessions of faulty_open are under TLS */
};

/** The step that will go wrong; the fault is to be filled in. */
struct faulty faulty_step(enum smtp_server_step_kind kind, const char *verb);
void faulty_start(struct faulty *faulty, bool under_tls);
/** A session up to its EHLO's reply. */
void faulty_open(struct faulty *faulty, struct smtp_wire *wire);
/** Up to the reply to RCPT. */
void faulty_open_transaction(struct faulty *faulty, struct smtp_wire *wire);
size_t faulty_message_count(const struct faulty *faulty);
/** The server and all that belongs to it. */
void faulty_stop(struct faulty *faulty);

#define SILENCE_MS 300 /* is long enough for what should not come */
enum wire_end { WIRE_ENDED, WIRE_RESET, WIRE_SILENT };
/** All octets up to the peer's end, or to silence for so long, NUL-terminated; how it ended. */
enum wire_end rest_of(struct smtp_wire *wire, char *octets, size_t size, uint64_t wait_ms);
/** The same, which must end so. */
void expect_rest(struct smtp_wire *wire, char *octets, size_t size, enum wire_end end);
/** What one read brings, where something comes within wait_ms; 0: nothing. In the clear. */
size_t one_read(struct smtp_wire *wire, char *octets, size_t size, uint64_t wait_ms);

#endif
