/* tsan.c - what the thread sanitizer is told to leave alone, in the tests and in the program they start. */
const char *__tsan_default_suppressions(void);

/* libuv closes its descriptors by a bare system call, which the sanitizer does not see, nor that what is opened next
 * gets the same number: opening, closing and using that then looks like a race with the one before it. */
__attribute__((visibility("default"))) const char *__tsan_default_suppressions(void)
{
    return "race_top:close\nrace_top:socket\nrace_top:accept4\nrace_top:open\nrace_top:pipe2\n"
           "race_top:epoll_create1\nrace_top:eventfd\nrace_top:inotify_init1\nrace_top:dup\n"
           "race:take_file\n" /* opens by openat(), which is not seen either */;
}
