/* server_proof.h - that each rule for servers can fail: it is judged against a server that breaks just that rule,
 * and against one that keeps it. A table of proofs stands beside each table of rules. */
#ifndef SMTP_TESTS_CONFORMANCE_SERVER_PROOF_H
#define SMTP_TESTS_CONFORMANCE_SERVER_PROOF_H

#include "harness/conformance/arrivals.h"
#include "harness/conformance/suite.h"
#include "harness/smtp_harness.h"

/* Who talks, in our own server and in every proof's own peer; the server refuses PROOF_BAD and takes all else. */
#define PROOF_RECIPIENT "ann@harness.test"
#define PROOF_OTHER "bob@harness.test"
#define PROOF_BAD "nobody@harness.test"
#define PROOF_USER "ann"
#define PROOF_PASSWORD "open sesame"

/** What our own server is, and so the right behaviour. */
enum smtp_proof_with {
    PROOF_IMPLICIT_TLS = 1 << 0,
    PROOF_LMTP = 1 << 1,
    PROOF_MAILDIR = 1 << 2,  /* delivers into one, where the suite sees it */
    PROOF_RELAY = 1 << 3,    /* relays to the suite's sink */
    PROOF_LOGIN = 1 << 4,    /* the suite has PROOF_USER's password */
    PROOF_STARTTLS = 1 << 5, /* --tls */
    PROOF_REFUSES = 1 << 7,  /* whatever `mangle` lets arrive is refused, too */
    PROOF_SLOW = 1 << 6,     /* --slow */
    PROOF_MX = 1 << 8,       /* --role mx */
    PROOF_SUBMISSION = 1 << 9,
    PROOF_LONG_LOGIN = 1 << 10, /* as PROOF_LOGIN, with 255 octets each */
};

/** A message that our own server took, and what is made of it. */
struct smtp_proof_mail {
    struct smtp_arrival arrival; /* as it arrives; each span may be set to what lives long enough */
    unsigned copies;             /* how often it arrives: 1 */
    unsigned late_ms; /* after what time, of four at most; the content is by smtp_proof_text then */
    struct smtp_arrival notification; /* what tells of it */
    unsigned sink_port;               /* of the next hop; 0: there is none */
    struct smtp_proof_kept *kept;     /* by smtp_proof_text */
};

struct smtp_server_proof {
    const char *id;
    unsigned with;
    /** Changes what our own server is, right and wrong one both; NULL: nothing. */
    void (*configure)(struct smtp_harness_options *options);

    /* ---- the wrong server: our own with some of these, or another ---- */
    const char *faults[4]; /* asked before the one that refuses PROOF_BAD */
    void (*spoil)(struct smtp_harness_options *options); /* likewise of what it is */
    /** Changes what arrives, which then goes no other way; it may be one that the sink refused. False: nothing arrives. Called once a message. */
    bool (*mangle)(struct smtp_proof_mail *mail);
    /** Before `mangle`: makes the notification, which arrives as well. False: there is none. NULL: likewise. */
    bool (*notify)(struct smtp_proof_mail *mail);
    const char *dialogue; /* a server that says this (dialogue.h); sessions one after the other */
    /** A server that this is, for each connection, on its own thread; it closes nothing. arrivals: NULL where the suite
     *  sees none. */
    void (*serve)(int connection, struct smtp_arrivals *arrivals);
    const char *detail; /* a part of why it failed, so that it is for that reason; NULL: any */
    bool is_mute;       /* it is in saying nothing at all: the wait for it is shorter */

    /* ---- the right server, where it is not our own ---- */
    unsigned right_with; /* besides `with` */
    const char *right_dialogue;
    void (*right_serve)(int connection, struct smtp_arrivals *arrivals);
    bool (*right_mangle)(struct smtp_proof_mail *mail);
    bool (*right_notify)(struct smtp_proof_mail *mail);
    const char *right_warning; /* a part of what it is warned of, "": nothing; NULL: either */
    enum smtp_verdict
        right_verdict; /* SMTP_PASS, but for a rule that our own server need not show */
};

/** A text that lives as long as the mail. */
const char *smtp_proof_text(struct smtp_proof_mail *mail, const char *format, ...)
    SMTP_PRINTF(2, 3);

/** Judges all of a table, several at a time, each twice; the test fails with what did not come out as it must. */
void smtp_server_proofs_hold(const struct smtp_server_proof *proofs, size_t count);
#define SMTP_SERVER_PROOFS_HOLD(rows) smtp_server_proofs_hold((rows), sizeof(rows) / sizeof *(rows))

#endif
