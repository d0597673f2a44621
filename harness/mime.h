/* mime.h - GMime as this process uses it: one thread at a time. Knows nothing of messages. */
#ifndef SMTP_HARNESS_MIME_H
#define SMTP_HARNESS_MIME_H

/** Before GMime is called: starts it where nobody did, and keeps other threads out. */
void smtp_harness_mime_enter(void);
/** After it. */
void smtp_harness_mime_leave(void);

#endif
