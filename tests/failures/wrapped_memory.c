/* wrapped_memory.c - what allocates, each counted and made to fail as failing.h says, and all of it noted, so that
 * what is not given back is seen without a sanitizer, too. Functions of the C library that allocate inside are here
 * by their own names.
 * Not failed: libuv's growing of its table of watched descriptors, its only use of realloc here, at which it aborts by
 * design; GLib's (GMime), likewise; GNU SASL's, which has no hook. OpenSSL's are those of openssl_memory.c. */
#include "tests/failures/failing.h"

#include <errno.h>
#include <regex.h>
#include <search.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#define HERE __builtin_return_address(0)

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_reallocarray(void *old, size_t count, size_t size);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t len);
void __real_free(void *pointer);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_reallocarray(void *old, size_t count, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t len);
int __wrap_asprintf(char **out, const char *format, ...) __attribute__((format(printf, 2, 3)));
int __wrap_vasprintf(char **out, const char *format, va_list arguments)
    __attribute__((format(printf, 2, 0)));
void __wrap_free(void *pointer);
void *__real_tsearch(const void *key, void **root, __compar_fn_t compare);
void *__wrap_tsearch(const void *key, void **root, __compar_fn_t compare);
int __real_regcomp(regex_t *out, const char *pattern, int flags);
int __wrap_regcomp(regex_t *out, const char *pattern, int flags);

static bool fails(const void *caller)
{
    if (failing_strike(FAILING_ALLOCATION, caller) == 0) {
        return false;
    }
    errno = ENOMEM;
    return true;
}

static void *noted(void *pointer, const void *caller)
{
    failing_note(pointer, (struct failing_place){.caller = caller});
    return pointer;
}

void *__wrap_malloc(size_t size)
{
    return fails(HERE) ? NULL : noted(__real_malloc(size), HERE);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails(HERE) ? NULL : noted(__real_calloc(count, size), HERE);
}

/* The old block is forgotten before another thread can get its address. */
static void *grown(void *old, size_t size, const void *caller)
{
    failing_forget(old);
    void *pointer = __real_realloc(old, size);
    return noted(pointer != NULL || size == 0 ? pointer : old, caller);
}

void *__wrap_realloc(void *old, size_t size)
{
    return fails(HERE) ? NULL : grown(old, size, HERE);
}

void *__wrap_reallocarray(void *old, size_t count, size_t size)
{
    return fails(HERE) ? NULL : grown(old, count * size, HERE);
}

char *__wrap_strdup(const char *text)
{
    return fails(HERE) ? NULL : noted(__real_strdup(text), HERE);
}

char *__wrap_strndup(const char *text, size_t len)
{
    return fails(HERE) ? NULL : noted(__real_strndup(text, len), HERE);
}

__attribute__((format(printf, 2, 0))) static int print(char **out, const char *format,
                                                       va_list arguments, const void *caller)
{
    va_list again;
    va_copy(again, arguments);
    int len = vsnprintf(NULL, 0, format, arguments);
    *out = len < 0 || fails(caller) ? NULL : noted(__real_malloc((size_t)len + 1), caller);
    if (*out != NULL) {
        vsnprintf(*out, (size_t)len + 1, format, again);
    }
    va_end(again);
    return *out != NULL ? len : -1;
}

int __wrap_vasprintf(char **out, const char *format, va_list arguments)
{
    return print(out, format, arguments, HERE);
}

int __wrap_asprintf(char **out, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int len = print(out, format, arguments, HERE);
    va_end(arguments);
    return len;
}

void __wrap_free(void *pointer)
{
    failing_forget(pointer);
    __real_free(pointer);
}

void *__wrap_tsearch(const void *key, void **root, __compar_fn_t compare)
{
    return fails(HERE) ? NULL : __real_tsearch(key, root, compare);
}

int __wrap_regcomp(regex_t *out, const char *pattern, int flags)
{
    return fails(HERE) ? REG_ESPACE : __real_regcomp(out, pattern, flags);
}

/* ---- libuv's ---- */

static void *libuv_realloc(void *old, size_t size)
{
    return grown(old, size, HERE);
}

__attribute__((constructor)) static void replace_allocator(void)
{
    uv_replace_allocator(__wrap_malloc, libuv_realloc, __wrap_calloc, __wrap_free);
}
