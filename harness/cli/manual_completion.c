/* manual_completion.c - completions made from the verbs' tables: verbs, then their options, then the
 * choices of an option; for everything else the names of files. */
#include "harness/cli/manual.h"
#include "harness/cli/verbs.h"

#include <string.h>

/* ---- bash ---- */

static void write_bash_verb(const struct smtp_cli_usage *usage, void *user)
{
    FILE *out = user;
    fprintf(out, "        options='--help");
    for (size_t i = 0; i < usage->option_count; i++) {
        if (usage->options[i].kind != SMTP_CLI_HEADING) {
            fprintf(out, " --%s", usage->options[i].name);
        }
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
                 "    local options= choices= verbs='");
    for (size_t i = 0; smtp_cli_verbs[i] != NULL; i++) {
        fprintf(out, "%s%s", i > 0 ? " " : "", smtp_cli_verbs[i]->name);
    }
    fprintf(out, "'\n    COMPREPLY=()\n"
                 "    case ${COMP_WORDS[1]} in\n");
    for (size_t i = 0; smtp_cli_verbs[i] != NULL; i++) {
        fprintf(out, "    %s)\n", smtp_cli_verbs[i]->name);
        smtp_cli_verbs[i]->describe(write_bash_verb, out);
    }
    fprintf(
        out,
        "    esac\n"
        "    if [[ $COMP_CWORD -eq 1 && $word != -* ]]; then\n"
        "        choices=$verbs\n"
        "    elif [[ -z $choices && $word == -* ]]; then\n"
        "        choices=${options:---help --version}\n"
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

static void write_zsh_option(const struct smtp_cli_option *option, FILE *out)
{
    fprintf(out, "            '%s--%s%s[", option->kind == SMTP_CLI_TEXTS ? "*" : "", option->name,
            option->value_name != NULL ? "=" : "");
    write_zsh_text(option->help, out);
    fputc(']', out);
    if (option->value_name != NULL) {
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
    fputs("' \\\n", out);
}

static void write_zsh_verb(const struct smtp_cli_usage *usage, void *user)
{
    FILE *out = user;
    fprintf(out, "        _arguments '--help[this text]' \\\n");
    for (size_t i = 0; i < usage->option_count; i++) {
        if (usage->options[i].kind != SMTP_CLI_HEADING) {
            write_zsh_option(&usage->options[i], out);
        }
    }
    fprintf(out, "            '*::word:_files'\n        ;;\n");
}

void smtp_manual_write_zsh(FILE *out)
{
    fprintf(out, "#compdef smtp-harness\n"
                 "_smtp_harness() {\n"
                 "    local -a verbs\n"
                 "    verbs=(\n");
    for (size_t i = 0; smtp_cli_verbs[i] != NULL; i++) {
        fprintf(out, "        '%s:", smtp_cli_verbs[i]->name);
        write_zsh_text(smtp_cli_verbs[i]->about, out);
        fprintf(out, "'\n");
    }
    fprintf(out, "    )\n"
                 "    if (( CURRENT == 2 )); then\n"
                 "        _describe verb verbs\n"
                 "        return\n"
                 "    fi\n"
                 "    local verb=$words[2]\n"
                 "    shift words\n"
                 "    (( CURRENT-- ))\n"
                 "    case $verb in\n");
    for (size_t i = 0; smtp_cli_verbs[i] != NULL; i++) {
        fprintf(out, "    %s)\n", smtp_cli_verbs[i]->name);
        smtp_cli_verbs[i]->describe(write_zsh_verb, out);
    }
    fprintf(out, "    esac\n"
                 "}\n"
                 "_smtp_harness \"$@\"\n");
}
