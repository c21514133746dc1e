/* memory.c: allocation that ends the program with a reason when it fails. */
#define _GNU_SOURCE
#include "memory.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "die.h"

enum { ALIGNMENT = 64, HUGE_PAGE = 1 << 21 };

static size_t bytes_of(size_t count, size_t size, const char *what)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) || bytes > SIZE_MAX - ALIGNMENT)
        die("%s would need %zu times %zu bytes, more than this machine can address", what, count, size);
    return bytes ? bytes : 1;
}

static _Noreturn void die_out_of_memory(size_t bytes, const char *what)
{
    die("out of memory: %s needs %.1f MB; close other programs or use a smaller setting", what, bytes / 1e6);
}

void *memory_new(size_t count, size_t size, const char *what)
{
    size_t bytes = bytes_of(count, size, what);
    void *memory = NULL;
    if (posix_memalign(&memory, ALIGNMENT, bytes) != 0)
        die_out_of_memory(bytes, what);
    return memset(memory, 0, bytes);
}

void *memory_large(size_t bytes, const char *what)
{
    void *memory = NULL;
    bytes = bytes_of(bytes, 1, what);
    if (posix_memalign(&memory, bytes < HUGE_PAGE ? ALIGNMENT : HUGE_PAGE, bytes) != 0)
        die_out_of_memory(bytes, what);
#ifdef MADV_HUGEPAGE
    if (bytes >= HUGE_PAGE)
        madvise(memory, bytes, MADV_HUGEPAGE); /* advice: without it everything works, a little slower */
#endif
    return memory;
}

void *memory_resize(void *old, size_t count, size_t size, const char *what)
{
    size_t bytes = bytes_of(count, size, what);
    void *memory = realloc(old, bytes);
    if (!memory)
        die_out_of_memory(bytes, what);
    return memory;
}

char *memory_copy_text(const char *text)
{
    size_t length = strlen(text) + 1;
    return memcpy(memory_resize(NULL, length, 1, "a piece of text"), text, length);
}
