/* openssl_memory.c - OpenSSL's own allocations, by its own hook, each counted and made to fail as failing.h says, and noted.
 * Its hook is taken before it allocates anything: it refuses it afterwards.
 * All are failed. Not noted is the cache of its method stores (crypto/property/property.c, a node of crypto/lhash for each
 * entry), which is the process's: where something fails OpenSSL may ask for an algorithm that it was not asked for before
 * (an alert's cipher), or anew (after core_namemap.c:182 failed), and keeps what it found. With 3.0.19 nothing else was left,
 * and nothing crashed; what it does once a process, before the first run, is not failed. */
#include "tests/failures/failing.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool fails(struct failing_place place)
{
    if (failing_strike_at(FAILING_OPENSSL, place) == 0) {
        return false;
    }
    errno = ENOMEM;
    return true;
}

void *__real_malloc(size_t size);
void *__real_realloc(void *old, size_t size);
void __real_free(void *pointer);

static void note(void *pointer, struct failing_place place)
{
    if (strstr(place.caller, "crypto/property/") == NULL &&
        strstr(place.caller, "crypto/lhash/") == NULL) {
        failing_note(pointer, place);
    }
}

static void *take(size_t size, const char *file, int line)
{
    struct failing_place place = {file, line};
    if (size == 0 || fails(place)) {
        return NULL;
    }
    void *pointer = __real_malloc(size);
    note(pointer, place);
    return pointer;
}

static void give_back(void *pointer, const char *file, int line)
{
    (void)file;
    (void)line;
    failing_forget(pointer);
    __real_free(pointer);
}

/* The old block is forgotten before another thread can get its address. */
static void *grow(void *old, size_t size, const char *file, int line)
{
    struct failing_place place = {file, line};
    if (size == 0) {
        give_back(old, file, line);
        return NULL;
    }
    if (fails(place)) {
        return NULL;
    }
    failing_forget(old);
    void *pointer = __real_realloc(old, size);
    note(pointer != NULL ? pointer : old, place);
    return pointer;
}

__attribute__((constructor)) static void take_hook(void)
{
    if (CRYPTO_set_mem_functions(take, grow, give_back) != 1) {
        fputs("OpenSSL has allocated before its hook was taken\n", stderr);
        abort();
    }
}
