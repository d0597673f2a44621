/* mime.c - see mime.h. */
#include "harness/mime.h"

#include <gmime/gmime.h>
#include <pthread.h>

/* GMime keeps its types, charset tables and allocator for the process, has no handle to hang them
 * on, and cannot be started again once shut down: started once and for good, and used by one thread
 * at a time, of however many harnesses. */
static pthread_once_t gmime_started = PTHREAD_ONCE_INIT;
static pthread_mutex_t gmime_lock = PTHREAD_MUTEX_INITIALIZER;

void smtp_harness_mime_enter(void)
{
    pthread_mutex_lock(&gmime_lock);
    pthread_once(&gmime_started, g_mime_init);
}

void smtp_harness_mime_leave(void)
{
    pthread_mutex_unlock(&gmime_lock);
}
