/* text_json.h - any octets as a JSON string. */
#ifndef SMTP_HARNESS_REPORT_TEXT_JSON_H
#define SMTP_HARNESS_REPORT_TEXT_JSON_H

#include <jansson.h>

/** The text; where it is not UTF-8, escaped first as text.h does. NULL: out of memory. */
json_t *smtp_report_json_string(const char *text);

#endif
