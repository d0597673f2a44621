/* play_options.h - what can be said to `play`, and what it means. */
#ifndef SMTP_HARNESS_CLI_PLAY_OPTIONS_H
#define SMTP_HARNESS_CLI_PLAY_OPTIONS_H

#include "common/address.h"
#include "harness/cli/options.h"
#include "harness/dialogue/dialogue.h"

#define SMTP_PLAY_PROGRAM "smtp-harness play"

struct smtp_play_options {
    /* as given */
    struct smtp_cli_words files;
    const char *connect, *listen; /* one of them */
    const char *ready_file, *ca_file_out;
    uint64_t repeat, timeout_ms, accept_timeout_ms, tolerance_ms;
    struct smtp_cli_texts set;
    const char *ca_file, *tls_name, *certificate_file, *key_file;
    bool insecure;
    bool verbose, explain, json, tap;
    const char *record, *junit;

    /* what that comes to */
    struct smtp_address address;
    bool is_lmtp;
    struct smtp_dialogue_options dialogue;
    struct smtp_dialogue_variable variables[SMTP_CLI_TEXTS_MAX];
    char *names[SMTP_CLI_TEXTS_MAX]; /* of them; owned */
    struct smtp_identity *identity;
};

/** Shows the reader the usage, whose options write to *options; sets the defaults. */
void smtp_play_options_use(struct smtp_play_options *options, smtp_cli_reader *reader, void *user);
/** 0; else what is wrong is said, and this is the exit status. Clear in any case. */
int smtp_play_options_apply(struct smtp_play_options *options);
void smtp_play_options_clear(struct smtp_play_options *options);

#endif
