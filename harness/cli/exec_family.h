/* exec_family.h - every process that descends from this one, whatever group or session it has put itself
 * into: found through /proc, since no call of the system names them. Children that were there before (a shell had
 * them, and became us by exec) are strangers, and left alone. Knows nothing of what they are. */
#ifndef SMTP_HARNESS_CLI_EXEC_FAMILY_H
#define SMTP_HARNESS_CLI_EXEC_FAMILY_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* As many as a shell script has in the background; a bound, so that nothing is allocated. */
#define SMTP_EXEC_STRANGERS_MAX 64

struct smtp_exec_family {
    pid_t strangers[SMTP_EXEC_STRANGERS_MAX];
    size_t stranger_count;
};

/** From now on what loses its parent becomes our child, instead of nobody's. */
void smtp_exec_family_adopt(struct smtp_exec_family *family);
/** Sends each of them the signal. What is born meanwhile may be missed: look again where it matters. False:
 *  without /proc, or memory, not all of them are known. */
bool smtp_exec_family_signal(const struct smtp_exec_family *family, int number);
/** Reaps the children that have ended. Whether no child is left, and so no descendant either. */
bool smtp_exec_family_is_gone(struct smtp_exec_family *family);

#endif
