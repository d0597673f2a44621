/* options.c - reads a command line by a verb's table of options. Names the wrong word in every complaint, and the near one where there is one. */
#include "harness/cli/options.h"

#include "common/bytes.h"
#include "harness/cli/help.h"
#include "harness/cli/unknown.h"
#include "harness/nearest.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void complain(const char *program, const char *format, va_list arguments)
{
    fprintf(stderr, "%s: ", program);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
}

int smtp_cli_wrong(const char *program, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    complain(program, format, arguments);
    va_end(arguments);
    fprintf(stderr, "Try '%s --help'.\n", program);
    return 2;
}

int smtp_cli_failed(const char *program, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    complain(program, format, arguments);
    va_end(arguments);
    return 2;
}

/* ---- the rows ---- */

struct smtp_cli_option smtp_cli_heading(const char *text)
{
    return (struct smtp_cli_option){.kind = SMTP_CLI_HEADING, .name = "", .help = text};
}

struct smtp_cli_option smtp_cli_flag(char letter, const char *name, bool *target, const char *help)
{
    return (struct smtp_cli_option){
        .kind = SMTP_CLI_FLAG, .letter = letter, .name = name, .target = target, .help = help};
}

struct smtp_cli_option smtp_cli_text(const char *name, const char *value_name, const char **target,
                                     const char *help)
{
    return (struct smtp_cli_option){.kind = SMTP_CLI_TEXT,
                                    .name = name,
                                    .value_name = value_name,
                                    .target = target,
                                    .help = help};
}

struct smtp_cli_option smtp_cli_texts(const char *name, const char *value_name,
                                      struct smtp_cli_texts *target, const char *help)
{
    return (struct smtp_cli_option){.kind = SMTP_CLI_TEXTS,
                                    .name = name,
                                    .value_name = value_name,
                                    .target = target,
                                    .help = help};
}

struct smtp_cli_option smtp_cli_number(const char *name, uint64_t *target, uint64_t min,
                                       uint64_t max, const char *help)
{
    return (struct smtp_cli_option){.kind = SMTP_CLI_NUMBER,
                                    .name = name,
                                    .value_name = "N",
                                    .target = target,
                                    .min = min,
                                    .max = max,
                                    .help = help};
}

struct smtp_cli_option smtp_cli_choice(const char *name, const char *value_name, unsigned *target,
                                       const char *const *choices, const char *help)
{
    return (struct smtp_cli_option){.kind = SMTP_CLI_CHOICE,
                                    .name = name,
                                    .value_name = value_name,
                                    .target = target,
                                    .choices = choices,
                                    .help = help};
}

/* ---- reading ---- */

const struct smtp_cli_option *smtp_cli_find(const struct smtp_cli_usage *usage, const char *word,
                                            size_t len)
{
    for (size_t i = 0; i < usage->option_count; i++) {
        const struct smtp_cli_option *option = &usage->options[i];
        if (len == 2 && word[0] == '-' && option->letter != 0 && word[1] == option->letter) {
            return option;
        }
        if (len > 2 && strlen(option->name) == len - 2 && memcmp(word, "--", 2) == 0 &&
            memcmp(word + 2, option->name, len - 2) == 0) {
            return option;
        }
    }
    return NULL;
}

static bool set_number(const struct smtp_cli_usage *usage, const struct smtp_cli_option *option,
                       const char *value)
{
    uint64_t number = 0;
    if (!smtp_span_to_u64(smtp_span_of(value), option->max, &number) || number < option->min) {
        smtp_cli_wrong(usage->program,
                       "--%s takes a number from %" PRIu64 " to %" PRIu64 ", not '%s'",
                       option->name, option->min, option->max, value);
        return false;
    }
    *(uint64_t *)option->target = number;
    return true;
}

static bool set_choice(const struct smtp_cli_usage *usage, const struct smtp_cli_option *option,
                       const char *value)
{
    for (unsigned i = 0; option->choices[i] != NULL; i++) {
        if (strcmp(option->choices[i], value) == 0) {
            *(unsigned *)option->target = i;
            return true;
        }
    }
    char choices[120] = "";
    size_t len = 0;
    struct smtp_nearest nearest = {.typed = value};
    for (size_t i = 0; option->choices[i] != NULL && len < sizeof choices; i++) {
        smtp_nearest_offer(&nearest, option->choices[i]);
        len += (size_t)snprintf(choices + len, sizeof choices - len, "%s%s", i > 0 ? "|" : "",
                                option->choices[i]);
    }
    smtp_cli_wrong(usage->program, "--%s takes %s, not '%s'" SMTP_NEAREST_FORMAT, option->name,
                   choices, value, SMTP_NEAREST_ARGUMENTS(nearest));
    return false;
}

static bool add_text(const struct smtp_cli_usage *usage, const struct smtp_cli_option *option,
                     const char *value)
{
    struct smtp_cli_texts *texts = option->target;
    if (texts->count == SMTP_CLI_TEXTS_MAX) {
        smtp_cli_wrong(usage->program, "--%s is given more than %d times", option->name,
                       SMTP_CLI_TEXTS_MAX);
        return false;
    }
    texts->items[texts->count++] = value;
    return true;
}

/** What names a thing cannot be empty: it comes of a variable that is not set. */
static bool names_a_thing(const struct smtp_cli_option *option)
{
    static const char *const things[] = {"FILE", "DIR", "PATH", "URL", "NOTATION"};
    for (size_t i = 0; i < sizeof things / sizeof *things; i++) {
        if (option->value_name != NULL && strcmp(option->value_name, things[i]) == 0) {
            return true;
        }
    }
    return false;
}

static bool set_value(const struct smtp_cli_usage *usage, const struct smtp_cli_option *option,
                      const char *value)
{
    if (value[0] == '\0' && names_a_thing(option)) {
        smtp_cli_wrong(usage->program, "--%s needs a value: %s; it is empty", option->name,
                       option->value_name);
        return false;
    }
    switch (option->kind) {
    case SMTP_CLI_TEXT:
        *(const char **)option->target = value;
        return true;
    case SMTP_CLI_TEXTS:
        return add_text(usage, option, value);
    case SMTP_CLI_NUMBER:
        return set_number(usage, option, value);
    case SMTP_CLI_CHOICE:
        return set_choice(usage, option, value);
    case SMTP_CLI_FLAG:
    case SMTP_CLI_HEADING:
        break;
    }
    smtp_cli_wrong(usage->program, "--%s takes no value", option->name);
    return false;
}

/** Whether what stands in a value's place is the next option. */
static bool is_option(const struct smtp_cli_usage *usage, const char *word)
{
    size_t len = strcspn(word, "=");
    return len > 2 && smtp_cli_find(usage, word, len) != NULL;
}

/** Takes one option with its value from argv[*at] on, and moves *at past it. */
static bool take(const struct smtp_cli_usage *usage, int argc, char **argv, int *at)
{
    const char *word = argv[(*at)++];
    size_t len = strcspn(word, "=");
    const struct smtp_cli_option *option = smtp_cli_find(usage, word, len);
    if (option == NULL && word[0] == '-' && word[1] != '-' && word[1] != '\0') { /* "-lVALUE" */
        option = smtp_cli_find(usage, word, 2);
        if (option != NULL && option->kind != SMTP_CLI_FLAG) {
            return set_value(usage, option, word + 2);
        }
        option = NULL;
    }
    if (option == NULL) {
        word[0] == '-' ? smtp_cli_unknown_option(usage, word, len)
                       : smtp_cli_unknown_word(usage, word);
        return false;
    }
    if (word[len] == '=') {
        return set_value(usage, option, word + len + 1);
    }
    if (option->kind == SMTP_CLI_FLAG) {
        *(bool *)option->target = true;
        return true;
    }
    if (*at == argc) {
        smtp_cli_wrong(usage->program, "%s needs a value: %s", word, option->value_name);
        return false;
    }
    if (strcmp(argv[*at], "--") == 0 || is_option(usage, argv[*at])) {
        smtp_cli_wrong(usage->program, "%s needs a value: %s; '%s' is none (else write %s=%s)",
                       word, option->value_name, argv[*at], word, argv[*at]);
        return false;
    }
    return set_value(usage, option, argv[(*at)++]);
}

/** Whether a word is none of the options; "-" alone is a file name. */
static bool is_word(const char *word)
{
    return word[0] != '-' || word[1] == '\0';
}

static bool asks_for_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strncmp(word, "--help=", 7) == 0 ||
           strcmp(word, "-h") == 0;
}

static bool has_enough_words(const struct smtp_cli_usage *usage)
{
    if (usage->words == NULL || usage->words->count >= usage->words->min) {
        return true;
    }
    smtp_cli_wrong(usage->program, "%s is missing", usage->words->name);
    return false;
}

enum smtp_cli_parsed smtp_cli_parse(const struct smtp_cli_usage *usage, int argc, char **argv)
{
    struct smtp_cli_words none = {.max = 0};
    struct smtp_cli_words *words = usage->words != NULL ? usage->words : &none;
    bool options_end = false;
    words->items = argv + 1;
    words->count = 0;
    for (int at = 1; at < argc;) {
        if (!options_end && strcmp(argv[at], "--") == 0) {
            options_end = true;
            at++;
        } else if (options_end || (words->count < words->max && is_word(argv[at]))) {
            if (words->count == words->max) {
                smtp_cli_unknown_word(usage, argv[at]);
                return SMTP_CLI_WRONG;
            }
            words->items[words->count++] = argv[at++];
            options_end = options_end || words->end_options;
        } else if (asks_for_help(argv[at])) {
            const char *which = at + 1 < argc ? argv[at + 1] : "";
            smtp_cli_print_help(usage,
                                strcmp(which, "all") == 0 || strcmp(argv[at], "--help=all") == 0);
            return SMTP_CLI_HELP;
        } else if (!take(usage, argc, argv, &at)) {
            return SMTP_CLI_WRONG;
        }
    }
    return has_enough_words(usage) ? SMTP_CLI_RUN : SMTP_CLI_WRONG;
}

void smtp_cli_parse_line(const struct smtp_cli_usage *usage, void *user)
{
    struct smtp_cli_line *line = user;
    line->parsed = smtp_cli_parse(usage, line->argc, line->argv);
}
