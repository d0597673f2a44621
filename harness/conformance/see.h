/* see.h - what rules for clients ask of a visit: bodies, bare line ends, parameters. Made of visit.h. */
#ifndef SMTP_HARNESS_CONFORMANCE_SEE_H
#define SMTP_HARNESS_CONFORMANCE_SEE_H

#include "harness/conformance/visit.h"

/** The header of a task's message: From, To, Subject with the check's token, Date, Message-ID, the empty line. */
const char *smtp_see_header(struct smtp_check *check);
/** That and a body, for smtp_task.content. */
struct smtp_span smtp_see_content(struct smtp_check *check, struct smtp_span body);
/** What stands behind the first empty line. */
struct smtp_span smtp_see_body(struct smtp_span content);
/** The text of a MIME message, decoded to UTF-8; "" where it has none. Lives as long as the check. */
const char *smtp_see_text(struct smtp_check *check, struct smtp_span content);
/** Fails unless one message came whole with exactly that body. */
void smtp_see_expect_body(struct smtp_visit *visit, struct smtp_span body);
/** The first CR or LF outside a pair; NULL: there is none. */
const char *smtp_see_bare(struct smtp_span octets);
/** The path of a MAIL or RCPT line, without its brackets; empty: there is none. */
struct smtp_span smtp_see_path(struct smtp_span line);
/** What stands behind the path of a MAIL or RCPT line, without the space before it. */
struct smtp_span smtp_see_parameters(struct smtp_span line);
/** The value of the parameter of that name in a MAIL or RCPT line, of the last where there are more; *count: how many
 *  there are. Empty for none, and without a value. */
struct smtp_span smtp_see_value(struct smtp_span line, const char *keyword, size_t *count);
/** Fails where a command of that name has any parameter. */
void smtp_see_no_parameters(struct smtp_visit *visit, const char *name);
/** Skips where the client sends no MAIL to a plain server: that it sends none elsewhere then shows nothing. */
void smtp_see_needs_mail(struct smtp_check *check);
/** Visits by one script of one answer in place of the plain ones: `command` is answered with `reply`. */
struct smtp_visit *smtp_see_answered(struct smtp_check *check, const struct smtp_task *task,
                                     const char *command, const char *reply);

#endif
