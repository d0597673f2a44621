/* content_source.h - where the driver draws content from: memory, FILE*, descriptor or callback,
 * one face. */
#ifndef SMTP_CLIENT_CONTENT_SOURCE_H
#define SMTP_CLIENT_CONTENT_SOURCE_H

#include "client/protocol/session.h"

struct smtp_client_source {
    struct smtp_content content;
    struct smtp_span prefix; /* comes before the content; borrowed */
    size_t prefix_at;
    size_t memory_at;
    bool in_one_piece; /* measured in memory, all of it */
    struct smtp_client_content_facts facts;
};

/** The content from where it stands now. */
void smtp_client_source_init(struct smtp_client_source *source, const struct smtp_content *content);

/** SMTP_BAD_ARGUMENT where there is no source at all. */
enum smtp_status smtp_client_source_check(const struct smtp_client_source *source,
                                          struct smtp_error *error) SMTP_MUST_CHECK;

/** Finds the facts out where that needs no second source: memory, and files that can be read again.
 *  What cannot is unknown. The source stands where it stood. SMTP_BAD_ARGUMENT, SMTP_SOURCE_FAILED.
 */
enum smtp_status smtp_client_source_measure(struct smtp_client_source *source,
                                            struct smtp_error *error) SMTP_MUST_CHECK;

/** At most `capacity` octets; *len 0 is the end. SMTP_SOURCE_FAILED. */
enum smtp_status smtp_client_source_read(struct smtp_client_source *source, char *bytes,
                                         size_t capacity, size_t *len, struct smtp_error *error)
    SMTP_MUST_CHECK;

/** Where content stands that can be read again: memory (0) and regular files; -1: it cannot. */
off_t smtp_client_content_position(const struct smtp_content *content);
/** Back to where it stood. SMTP_SOURCE_FAILED. */
enum smtp_status smtp_client_content_return(const struct smtp_content *content, off_t position,
                                            struct smtp_error *error) SMTP_MUST_CHECK;

#endif
