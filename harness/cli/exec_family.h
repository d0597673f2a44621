/* exec_family.h - every process that descends from this one, whatever group or session it has put itself
 * into: found through /proc, since no call of the system names them. Knows nothing of what they are. */
#ifndef SMTP_HARNESS_CLI_EXEC_FAMILY_H
#define SMTP_HARNESS_CLI_EXEC_FAMILY_H

#include <stdbool.h>

/** From now on what loses its parent becomes our child, instead of nobody's. */
void smtp_exec_family_adopt(void);
/** Sends each of them the signal. What is born meanwhile may be missed: look again where it matters. False:
 *  without /proc, or memory, not all of them are known. */
bool smtp_exec_family_signal(int number);
/** Reaps the children that have ended. Whether no child is left, and so no descendant either. */
bool smtp_exec_family_is_gone(void);

#endif
