/* load_options.h - what can be said to `load`, and what it means. Knows nothing of how load is run. */
#ifndef SMTP_HARNESS_CLI_LOAD_OPTIONS_H
#define SMTP_HARNESS_CLI_LOAD_OPTIONS_H

#include "harness/cli/client_options.h"
#include "harness/load/load.h"
#include "harness/load/own.h"

#define SMTP_LOAD_PROGRAM "smtp-harness load"

struct smtp_load_options {
    struct smtp_cli_words words; /* the URL, or with --merge the files */
    bool merge;

    /* as given */
    uint64_t sessions, session_messages, in_flight, threads, workers;
    uint64_t messages, duration_s, warm_up_s, rate;
    const char *size;
    uint64_t recipients;
    const char *from;
    struct smtp_cli_texts to;
    unsigned way, scheme;
    bool json, quiet;
    const char *plot;
    struct smtp_cli_client_options client;

    /* what that comes to; not with --merge */
    bool own; /* there is no URL: the other end is in this process */
    char own_url[32];
    struct smtp_letters *letters;
    struct smtp_client_target target; /* with own: its host is still to be set */
    char *addresses;                  /* made for --recipients */
    const char **forward_paths;
    struct smtp_load_plan plan;
};

/** Sets the defaults and shows `reader` the usage, whose options write to *options. */
void smtp_load_options_use(struct smtp_load_options *options, smtp_cli_reader *reader, void *user);
/** 0, or what is wrong is said: an exit status. Clear in any case. */
int smtp_load_options_apply(struct smtp_load_options *options);
void smtp_load_options_clear(struct smtp_load_options *options);
/** "20 sessions, 10,000 messages of 1024 octets, pipelined", for the head of the table. */
void smtp_load_options_describe(const struct smtp_load_options *options, char *text, size_t size);
/** What our own end is to be. */
struct smtp_load_own_options smtp_load_options_own(const struct smtp_load_options *options);

#endif
