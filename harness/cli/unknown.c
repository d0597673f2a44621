/* unknown.c - see unknown.h. Shows of a word that may hold a password only what is before its first colon. */
#include "harness/cli/unknown.h"

#include "harness/cli/verbs.h"
#include "harness/nearest.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define HINT_MAX 200
#define NAME_MIN 3

/** Adds to a hint; what is beyond its end is left out. */
static void add(char hint[HINT_MAX], const char *before, const char *word, const char *behind)
{
    size_t len = strlen(hint);
    snprintf(hint + len, HINT_MAX - len, "%s%s%s", before, word, behind);
}

/* ---- the verbs that have it ---- */

struct owners {
    const char *program; /* this one has it not */
    const char *word;
    size_t len;
    const char *verbs[SMTP_CLI_VERBS_MAX];
    const char *option;
    size_t count;
};

static void look_for_owner(const struct smtp_cli_usage *usage, void *user)
{
    struct owners *owners = user;
    const struct smtp_cli_option *option = smtp_cli_find(usage, owners->word, owners->len);
    if (option != NULL && strcmp(usage->program, owners->program) != 0) {
        owners->verbs[owners->count++] = strchr(usage->program, ' ') + 1;
        owners->option = option->name;
    }
}

/** "'serve' and 'exec' have it", or nothing. */
static void add_owners(const struct smtp_cli_usage *usage, const char *word, size_t len,
                       char hint[HINT_MAX])
{
    bool is_letter = word[1] != '-';
    struct owners owners = {.program = usage->program, .word = word, .len = is_letter ? 2 : len};
    for (size_t i = 0; smtp_cli_verbs[i] != NULL && word[1] != '\0'; i++) {
        smtp_cli_verbs[i]->describe(look_for_owner, &owners);
    }
    for (size_t i = 0; i < owners.count; i++) {
        bool is_last = i + 1 == owners.count;
        add(hint, i == 0 ? "; '" : is_last ? " and '" : ", '", owners.verbs[i], "'");
    }
    if (owners.count > 0) {
        add(hint, owners.count == 1 ? " has it" : " have it", "", "");
    }
    if (owners.count == 1 && is_letter) {
        add(hint, ": --", owners.option, "");
    }
}

/* ---- the near one ---- */

static void add_near_letter(const struct smtp_cli_usage *usage, char letter, char hint[HINT_MAX])
{
    for (size_t i = 0; i < usage->option_count; i++) {
        const struct smtp_cli_option *option = &usage->options[i];
        if (option->letter != 0 &&
            tolower((unsigned char)option->letter) == tolower((unsigned char)letter)) {
            const char known[] = {option->letter, '\0'};
            add(hint, "; did you mean '-", known, "'?");
            return;
        }
    }
}

static void add_near_name(const struct smtp_cli_usage *usage, const char *name, size_t len,
                          char hint[HINT_MAX])
{
    char typed[64];
    snprintf(typed, sizeof typed, "%.*s", (int)len, name);
    struct smtp_nearest nearest = {.typed = typed};
    smtp_nearest_offer(&nearest, "help");
    for (size_t i = 0; i < usage->option_count; i++) {
        if (usage->options[i].kind != SMTP_CLI_HEADING) {
            smtp_nearest_offer(&nearest, usage->options[i].name);
        }
    }
    if (nearest.word != NULL) {
        add(hint, "; did you mean '--", nearest.word, "'?");
    }
}

void smtp_cli_unknown_option(const struct smtp_cli_usage *usage, const char *word, size_t len)
{
    char hint[HINT_MAX] = "";
    if (len == 2) {
        add_near_letter(usage, word[1], hint);
    } else if (len > 2 && word[1] == '-') {
        add_near_name(usage, word + 2, len - 2, hint);
    } else if (len > NAME_MIN) { /* -print; but -bs is two letters */
        add_near_name(usage, word + 1, len - 1, hint);
    }
    if (hint[0] == '\0') {
        add_owners(usage, word, len, hint);
    }
    smtp_cli_wrong(usage->program, "there is no option '%.*s'%s", (int)len, word, hint);
}

void smtp_cli_unknown_word(const struct smtp_cli_usage *usage, const char *word)
{
    int shown = (int)strcspn(word, ":");
    const char *rest = word[shown] == ':' ? ":..." : "";
    char hint[HINT_MAX] = "";
    if (usage->words != NULL) {
        smtp_cli_wrong(usage->program, "'%.*s%s' is one word too many: it takes %s", shown, word,
                       rest, usage->words->name);
        return;
    }
    if (usage->lone_word != NULL) {
        snprintf(hint, sizeof hint, "; did you mean '--%s %.*s%s'?", usage->lone_word, shown, word,
                 rest);
    }
    smtp_cli_wrong(usage->program, "'%.*s%s' is not an option%s", shown, word, rest, hint);
}

/** The first word is one of those that need a second. */
static int unknown_second(const char *first, const char *second, const char *seconds)
{
    char program[64];
    struct smtp_nearest nearest = {.typed = second};
    snprintf(program, sizeof program, "smtp-harness %s", first);
    for (size_t i = 0; smtp_cli_verbs[i] != NULL; i++) {
        struct smtp_cli_verb_words words = smtp_cli_verb_words(i);
        if (strcmp(words.first, first) == 0) {
            smtp_nearest_offer(&nearest, words.second);
        }
    }
    if (nearest.word != NULL) {
        return smtp_cli_wrong(program, "there is no verb '%s %s'; did you mean '%s %s'?", first,
                              second, first, nearest.word);
    }
    return smtp_cli_wrong(program, "behind '%s' stands what is meant: %s", first, seconds);
}

int smtp_cli_unknown_verb(const char *word, const char *second)
{
    struct smtp_cli_verb_words words[SMTP_CLI_VERBS_MAX];
    struct smtp_nearest nearest = {.typed = word};
    char hint[HINT_MAX] = "", seconds[64];
    smtp_cli_second_words(word, " or ", seconds, sizeof seconds);
    if (seconds[0] != '\0') {
        return unknown_second(word, second, seconds);
    }
    smtp_nearest_offer(&nearest, "--help");
    smtp_nearest_offer(&nearest, "--version");
    for (size_t i = 0; smtp_cli_verbs[i] != NULL; i++) {
        words[i] = smtp_cli_verb_words(i);
        smtp_nearest_offer(&nearest, words[i].first);
    }
    if (nearest.word != NULL) {
        add(hint, "; did you mean '", nearest.word, "'?");
    } else {
        for (size_t i = 0; smtp_cli_verbs[i] != NULL; i++) {
            add(hint, i == 0 ? "; there are " : ", ", smtp_cli_verbs[i]->name, "");
        }
    }
    return smtp_cli_wrong("smtp-harness", "there is no verb '%s'%s", word, hint);
}
