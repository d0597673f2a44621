/* message_json.h - a captured message as one JSON object: envelope, header and parts decoded. Knows nothing of
 * where it is printed. */
#ifndef SMTP_HARNESS_REPORT_MESSAGE_JSON_H
#define SMTP_HARNESS_REPORT_MESSAGE_JSON_H

#include "harness/smtp_harness.h"

#include <jansson.h>

/** The members, in this order; what is not there is null:
 *      number session time peer helo protocol tls auth   time: RFC 3339, UTC
 *      from parameters      the reverse-path without its brackets, and MAIL's parameters as given
 *      to                   [{"path", "parameters"}], a forward-path each
 *      size                 octets of the content
 *      subject text html    decoded
 *      links                those of the HTML, or where it has none, the text's, as smtp_harness_link has them
 *      headers              [{"name", "value"}], values unfolded and decoded
 *      attachments          [{"name", "type", "size"}]
 *      content              only with_content: as it came; null where it is not UTF-8, and then
 *      content_base64       is its octets
 *  Octets elsewhere that are not UTF-8 are U+FFFD.
 *  @param number  of the message, which may have none yet.
 *  @return a reference for the caller; NULL: out of memory. */
json_t *smtp_report_message(const struct smtp_harness_message *message, uint64_t number,
                            bool with_content);

#endif
