/* links.h - the links in a text or an HTML document. Knows how each writes them, nothing of messages. */
#ifndef SMTP_HARNESS_LINKS_H
#define SMTP_HARNESS_LINKS_H

#include "harness/lines.h"

/** The i-th link (0-based) of an HTML document's href attributes, or of a text; appended to *link. False: there
 *  is none. */
bool smtp_harness_link_in_html(const char *html, size_t i, struct smtp_harness_lines *link);
bool smtp_harness_link_in_text(const char *text, size_t i, struct smtp_harness_lines *link);

#endif
