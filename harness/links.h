/* links.h - the links in a text or an HTML document. Knows how each writes them, nothing of messages. */
#ifndef SMTP_HARNESS_LINKS_H
#define SMTP_HARNESS_LINKS_H

#include "harness/lines.h"

/** The next link of an HTML document's href attributes, or of a text, from its octet *from on, which is then the
 *  one behind it; appended to *link. False: there is none. */
bool smtp_harness_link_in_html(const char *html, size_t *from, struct smtp_harness_lines *link);
bool smtp_harness_link_in_text(const char *text, size_t *from, struct smtp_harness_lines *link);

/** How far the links of a message have been taken; all zero: none yet. */
struct smtp_harness_link_place {
    size_t from;
    bool in_text;
};

/** The next one of both, either of which may be NULL: those of the HTML, or where it has none, the text's. */
bool smtp_harness_link_next(const char *html, const char *text,
                            struct smtp_harness_link_place *place, struct smtp_harness_lines *link);

#endif
