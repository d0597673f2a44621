/* tour.h - a session that touches every command, well and badly used, for rules about every reply. */
#ifndef SMTP_HARNESS_CONFORMANCE_TOUR_H
#define SMTP_HARNESS_CONFORMANCE_TOUR_H

#include "harness/conformance/ask.h"

/** Goes through all of it and asks `look` of each reply (talk->reply). verb: "greeting", "EHLO", "MAIL", "dot" and so
 *  on. with_helo: the session is opened by HELO. Ends with QUIT and the end of the connection; a reply too many or
 *  too few fails the check there. A reply of another kind than it must be ends it, and the check is skipped; look NULL:
 *  it fails. */
void smtp_tour(struct smtp_check *check, bool with_helo,
               void (*look)(struct smtp_talk *talk, const char *verb));

#endif
