/* as_written.h - this project's client, driven to say what a dialogue has its client say: each "C: " line is
 * the call that it takes. Knows the commands that smtp_client.h has calls for, and no other way to say them. */
#ifndef SMTP_TESTS_END_TO_END_AS_WRITTEN_H
#define SMTP_TESTS_END_TO_END_AS_WRITTEN_H

#include "client/smtp_client.h"

/** Connects and goes through the text. Whether all came as written the other end tells. */
void drive_as_written(const char *address, const char *text, const char *ca_pem);
/** The same with octets of its own in place of the client: what is written together goes out together. */
void drive_octets(const char *address, const char *text, const char *ca_pem);
/** A socket that listens on a free port and does not block, and its address behind the scheme. */
int listen_somewhere(const char *scheme, char address[64]);

#endif
