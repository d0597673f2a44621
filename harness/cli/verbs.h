/* verbs.h - the verbs of smtp-harness, one file each. argv[0] is the verb's own word. */
#ifndef SMTP_HARNESS_CLI_VERBS_H
#define SMTP_HARNESS_CLI_VERBS_H

/** What a verb returns to the shell. */
enum smtp_cli_exit {
    SMTP_EXIT_HELD = 0,     /* all held */
    SMTP_EXIT_NOT_HELD = 1, /* something did not hold */
    SMTP_EXIT_USAGE = 2,    /* a wrong command line, or it could not run */
};

int smtp_verb_selftest(int argc, char **argv);
int smtp_verb_serve(int argc, char **argv);

#endif
