/* heap.c - see heap.h.
 * Knows: glibc lets the heap of a thread other than the first grow page by page, with an mprotect
 * and a fault each: a sixth of what a kept message costs. A large block that is taken and given
 * back at once leaves its room to the heap, and one call fills all its pages. With another
 * allocator this is an idle malloc every hundred messages. Does not know: messages. */
#include "server/heap.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

/* Below the 128 KiB from where malloc maps a block by itself, and free gives the heap's end
 * back. */
#define ROOM_OCTETS ((size_t)100 * 1024)
#define PAGE_OCTETS 4096u   /* where pages are larger, madvise refuses and nothing is filled */
#define MESSAGE_OCTETS 160u /* a message's header, envelope and place in the heap */

#ifdef MADV_POPULATE_WRITE /* Linux 5.14 */
static void fill_pages(char *room)
{
    uintptr_t begin = ((uintptr_t)room + PAGE_OCTETS - 1) / PAGE_OCTETS * PAGE_OCTETS;
    uintptr_t end = ((uintptr_t)room + ROOM_OCTETS) / PAGE_OCTETS * PAGE_OCTETS;
    (void)madvise((void *)begin, end - begin, MADV_POPULATE_WRITE); /* refused: filled when used */
}
#else
static void fill_pages(char *room)
{
    *(volatile char *)room = 0; /* so that the compiler leaves malloc and free where they are */
}
#endif

void smtp_server_heap_filled(struct smtp_server_heap *heap, size_t octets)
{
    heap->filled_octets += octets + MESSAGE_OCTETS;
    if (heap->filled_octets < ROOM_OCTETS) {
        return;
    }
    heap->filled_octets = 0;
    char *room = malloc(ROOM_OCTETS);
    if (room != NULL) {
        fill_pages(room);
        free(room);
    }
}
