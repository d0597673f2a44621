/* manual_completion.c - completions made from the verbs' tables: verbs, a word at a time, then their options, then
 * the choices of an option or word; for everything else the names of files. */
#include "harness/cli/manual.h"
#include "harness/cli/verbs.h"

#include <string.h>

/** The words are some of a few: "man|bash|zsh". */
static bool are_choices(const struct smtp_cli_words *words)
{
    return words != NULL && strchr(words->name, '|') != NULL;
}

static void write_choices(const char *name, FILE *out)
{
    for (; *name != '\0'; name++) {
        fputc(*name == '|' ? ' ' : *name, out);
    }
}

#define SECOND_WORDS_SIZE 80

/** The first verb of some that share their first word. */
static bool begins_several(const struct smtp_cli_verb_words *words)
{
    return words->second[0] != '\0' && !words->is_again;
}

/* ---- bash ---- */

/** Of verbs with two words: the second, and how they are told from each other. */
static void write_bash_second_words(FILE *out)
{
    fprintf(out, "    case $verb in\n");
    for (size_t i = 0; smtp_cli_verbs[i] != NULL; i++) {
        struct smtp_cli_verb_words words = smtp_cli_verb_words(i);
        char seconds[SECOND_WORDS_SIZE];
        if (begins_several(&words)) {
            smtp_cli_second_words(words.first, " ", seconds, sizeof seconds);
            fprintf(out,
                    "    %s)\n"
                    "        verb+=\" ${COMP_WORDS[2]}\"\n"
                    "        options=--help\n"
                    "        [[ $COMP_CWORD -ne 2 || $word == -* ]] || choices='%s'\n"
                    "        ;;\n",
                    words.first, seconds);
        }
    }
    fprintf(out, "    esac\n");
}

static void write_bash_verb(const struct smtp_cli_usage *usage, void *user)
{
    FILE *out = user;
    fprintf(out, "        options='--help");
    for (size_t i = 0; i < usage->option_count; i++) {
        if (usage->options[i].kind != SMTP_CLI_HEADING) {
            fprintf(out, " --%s", usage->options[i].name);
        }
        if (usage->options[i].letter != 0) {
            fprintf(out, " -%c", usage->options[i].letter);
        }
    }
    if (are_choices(usage->words)) {
        fprintf(out, "'\n        words='");
        write_choices(usage->words->name, out);
    }
    fprintf(out, "'\n        case $previous in\n");
    for (size_t i = 0; i < usage->option_count; i++) {
        const struct smtp_cli_option *option = &usage->options[i];
        if (option->kind != SMTP_CLI_CHOICE) {
            continue;
        }
        fprintf(out, "        --%s) choices='", option->name);
        for (size_t n = 0; option->choices[n] != NULL; n++) {
            fprintf(out, "%s%s", n > 0 ? " " : "", option->choices[n]);
        }
        fprintf(out, "' ;;\n");
    }
    fprintf(out, "        esac\n        ;;\n");
}

void smtp_manual_write_bash(FILE *out)
{
    fprintf(out, "# bash completion for smtp-harness\n"
                 "_smtp_harness() {\n"
                 "    local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}\n"
                 "    local verb=${COMP_WORDS[1]} options= words= choices= verbs='");
    for (size_t i = 0; smtp_cli_verbs[i] != NULL; i++) {
        struct smtp_cli_verb_words words = smtp_cli_verb_words(i);
        fprintf(out, "%s%s", i > 0 && !words.is_again ? " " : "",
                words.is_again ? "" : words.first);
    }
    fprintf(out, "'\n    COMPREPLY=()\n"
                 "    if [[ $previous == = ]]; then\n" /* it parts words there */
                 "        previous=${COMP_WORDS[COMP_CWORD-2]}\n"
                 "    elif [[ $word == = ]]; then\n"
                 "        word=\n"
                 "    fi\n"
                 "    [[ $verb != -* ]] || verb=selftest\n");
    write_bash_second_words(out);
    fprintf(out, "    case $verb in\n");
    for (size_t i = 0; smtp_cli_verbs[i] != NULL; i++) {
        fprintf(out, "    '%s')\n", smtp_cli_verbs[i]->name);
        smtp_cli_verbs[i]->describe(write_bash_verb, out);
    }
    fprintf(
        out,
        "    esac\n"
        "    if [[ $COMP_CWORD -eq 1 && $word != -* ]]; then\n"
        "        choices=$verbs\n"
        "    elif [[ -z $choices && $word == -* ]]; then\n"
        "        choices=$options\n"
        "        (( COMP_CWORD > 1 )) || choices+=' --version'\n"
        "    elif [[ -z $choices && $previous != -* ]]; then\n"
        "        choices=$words\n"
        "    fi\n"
        "    [[ -z $choices ]] || mapfile -t COMPREPLY < <(compgen -W \"$choices\" -- \"$word\")\n"
        "}\n"
        "complete -o default -o bashdefault -F _smtp_harness smtp-harness\n");
}

/* ---- zsh ---- */

/** Inside '...[ ]' of _arguments: the first line of the help. */
static void write_zsh_text(const char *text, FILE *out)
{
    for (; *text != '\0' && *text != '\n'; text++) {
        if (*text == '\'') {
            fputs("'\\''", out);
        } else {
            if (strchr("[]:\\", *text) != NULL) {
                fputc('\\', out);
            }
            fputc(*text, out);
        }
    }
}

static void write_zsh_value(const struct smtp_cli_option *option, FILE *out)
{
    fputc(':', out);
    write_zsh_text(option->value_name, out);
    fputc(':', out);
    if (option->kind == SMTP_CLI_CHOICE) {
        for (size_t n = 0; option->choices[n] != NULL; n++) {
            fprintf(out, "%s%s", n > 0 ? " " : "(", option->choices[n]);
        }
        fputc(')', out);
    } else if (option->kind != SMTP_CLI_NUMBER) {
        fputs("_files", out);
    }
}

static void write_zsh_option(const struct smtp_cli_option *option, bool as_letter, FILE *out)
{
    fprintf(out, "            '%s", option->kind == SMTP_CLI_TEXTS ? "*" : "");
    if (as_letter) {
        fprintf(out, "-%c%s[", option->letter, option->value_name != NULL ? "+" : "");
    } else {
        fprintf(out, "--%s%s[", option->name, option->value_name != NULL ? "=" : "");
    }
    write_zsh_text(option->help, out);
    fputc(']', out);
    if (option->value_name != NULL) {
        write_zsh_value(option, out);
    }
    fputs("' \\\n", out);
}

/** What stands behind the options: a command with its own completion, some of a few words, or files. */
static void write_zsh_words(const struct smtp_cli_words *words, FILE *out)
{
    if (words == NULL) {
        return;
    }
    fprintf(out, "            '");
    if (words->end_options) {
        fputs("*:::command:{ [[ $words[1] != -- ]] || { shift words; (( CURRENT-- )) }; _normal }",
              out);
    } else if (are_choices(words)) {
        fprintf(out, ":word:(");
        write_choices(words->name, out);
        fputc(')', out);
    } else {
        fprintf(out, "*:word:_files");
    }
    fputs("' \\\n", out);
}

static void write_zsh_verb(const struct smtp_cli_usage *usage, void *user)
{
    FILE *out = user;
    fprintf(out, "        _arguments '--help[this text]' \\\n");
    for (size_t i = 0; i < usage->option_count; i++) {
        if (usage->options[i].kind != SMTP_CLI_HEADING) {
            write_zsh_option(&usage->options[i], false, out);
        }
        if (usage->options[i].letter != 0) {
            write_zsh_option(&usage->options[i], true, out);
        }
    }
    write_zsh_words(usage->words, out);
    fprintf(out, "            $more\n        ;;\n");
}

static void write_zsh_described(const char *word, const char *about, FILE *out)
{
    fprintf(out, "        '%s:", word);
    write_zsh_text(about, out);
    fprintf(out, "'\n");
}

/** Of verbs with two words: the second, and how they are told from each other. */
static void write_zsh_second_words(FILE *out)
{
    fprintf(out, "    case $verb in\n");
    for (size_t i = 0; smtp_cli_verbs[i] != NULL; i++) {
        struct smtp_cli_verb_words words = smtp_cli_verb_words(i);
        if (!begins_several(&words)) {
            continue;
        }
        fprintf(out, "    %s)\n        verbs=(\n", words.first);
        size_t n = i;
        do {
            write_zsh_described(smtp_cli_verb_words(n).second, smtp_cli_verbs[n]->about, out);
            n++;
        } while (smtp_cli_verbs[n] != NULL && smtp_cli_verb_words(n).is_again);
        fprintf(out, "        )\n"
                     "        if (( CURRENT == 2 )); then\n"
                     "            _describe verb verbs\n"
                     "            return\n"
                     "        fi\n"
                     "        verb+=\" $words[2]\"\n"
                     "        shift words\n"
                     "        (( CURRENT-- ))\n"
                     "        ;;\n");
    }
    fprintf(out, "    esac\n");
}

void smtp_manual_write_zsh(FILE *out)
{
    fprintf(out, "#compdef smtp-harness\n"
                 "_smtp_harness() {\n"
                 "    local -a verbs\n"
                 "    verbs=(\n");
    for (size_t i = 0; smtp_cli_verbs[i] != NULL; i++) {
        struct smtp_cli_verb_words words = smtp_cli_verb_words(i);
        char seconds[SECOND_WORDS_SIZE];
        smtp_cli_second_words(words.first, " or ", seconds, sizeof seconds);
        if (!words.is_again) {
            write_zsh_described(words.first,
                                begins_several(&words) ? seconds : smtp_cli_verbs[i]->about, out);
        }
    }
    fprintf(out, "    )\n"
                 "    local verb=selftest\n"
                 "    local -a more\n"
                 "    if [[ $words[2] == -* ]]; then\n"
                 "        more=('--version[the version]')\n"
                 "    elif (( CURRENT == 2 )); then\n"
                 "        _describe verb verbs\n"
                 "        return\n"
                 "    else\n"
                 "        verb=$words[2]\n"
                 "        shift words\n"
                 "        (( CURRENT-- ))\n"
                 "    fi\n");
    write_zsh_second_words(out);
    fprintf(out, "    case $verb in\n");
    for (size_t i = 0; smtp_cli_verbs[i] != NULL; i++) {
        fprintf(out, "    '%s')\n", smtp_cli_verbs[i]->name);
        smtp_cli_verbs[i]->describe(write_zsh_verb, out);
    }
    fprintf(out, "    esac\n"
                 "}\n"
                 "_smtp_harness \"$@\"\n");
}
