/* heap.h - room for captured messages, asked of the kernel many messages at a time. */
#ifndef SMTP_SERVER_HEAP_H
#define SMTP_SERVER_HEAP_H

#include <stddef.h>

/** What a thread's heap has been filled with since it last grew; zero-initialise. One thread's
 *  own. */
struct smtp_server_heap {
    size_t filled_octets;
};

/** This thread keeps `octets` more: where that has used up the room, makes room for the next
 *  ones. */
void smtp_server_heap_filled(struct smtp_server_heap *heap, size_t octets);

#endif
