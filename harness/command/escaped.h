/* escaped.h - processes that a command started and that have left its group: found by an entry of their environment,
 * which they inherit. Knows nothing of commands. */
#ifndef SMTP_HARNESS_COMMAND_ESCAPED_H
#define SMTP_HARNESS_COMMAND_ESCAPED_H

/** Kills every process that was started with this entry ("NAME=value") in its environment, until there is none. The
 *  entry must be nobody else's, and not our own. Nothing where there is no /proc. */
void smtp_command_kill_escaped(const char *entry);

#endif
