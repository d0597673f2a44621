/* tsan.c - what the thread sanitizer is told to leave alone, in the tests and in the program they start. */
const char *__tsan_default_suppressions(void);

/* libuv closes its sockets by a bare system call, which the sanitizer does not see, nor that openat() gets the
 * same number later: closing that file then looks like a race with the last read of the socket. */
__attribute__((visibility("default"))) const char *__tsan_default_suppressions(void)
{
    return "race_top:close\n";
}
