/* ends.h: a fuzzer of what may end the program: by design it says one line and
 * calls exit.
 *
 *     bool came_back = ends_well(body, context);
 *
 * BODY returns, or exits with 1 or 2 after one line without control bytes; all
 * else aborts.  Under the fuzzer (FUZZING; linked with --wrap of what is below)
 * exit jumps back here, and what BODY had allocated and opened is taken away
 * again.  In the tests BODY runs in a process of its own. */
#ifndef ENDS_H
#define ENDS_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

typedef void EndsBody(void *context);

static void check_end(int status, const char *said)
{
    size_t length = strlen(said);
    bool line = length > 1 && strchr(said, '\n') == said + length - 1;
    for (const char *c = said; *c; c++)
        line &= ((unsigned char)*c >= ' ' && *c != 0x7f) || *c == '\n';
    if (status != 1 && status != 2)
        abort();
    if (!line) {
        fprintf(stdout, "not one clean line: %s\n", said);
        abort();
    }
}

/* DATA as a file; its path. */
static inline const char *as_file(const void *data, size_t size)
{
    static int file = -1;
    static char path[64];
    if (file < 0)
        file = memfd_create("fuzz", 0);
    if (ftruncate(file, 0) != 0 || pwrite(file, data, size, 0) != (ssize_t)size)
        abort();
    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)getpid(), file);
    return path;
}

/* DATA as an argument of the command line, which ends at its first NUL: false if it is none. */
static inline bool as_argument(char text[4096], const void *data, size_t size)
{
    if (size >= 4096 || memchr(data, '\0', size))
        return false;
    memcpy(text, data, size);
    text[size] = '\0';
    return true;
}

#ifdef FUZZING
#include <setjmp.h>

enum { MOST_LIVE = 1 << 16, MOST_OPEN = 16 };
static struct {
    bool on;
    int status;
    jmp_buf back;
    void *live[MOST_LIVE];
    int lives;
    FILE *open[MOST_OPEN];
} ends;

static void *took(void *memory)
{
    if (ends.on && memory) {
        if (ends.lives == MOST_LIVE)
            abort();
        ends.live[ends.lives++] = memory;
    }
    return memory;
}

static void gave(void *memory)
{
    for (int i = ends.lives - 1; ends.on && memory && i >= 0; i--)
        if (ends.live[i] == memory) {
            ends.live[i] = ends.live[--ends.lives];
            return;
        }
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
int __real_posix_memalign(void **memory, size_t alignment, size_t size);
void __real_free(void *memory);
FILE *__real_fopen(const char *path, const char *mode);
int __real_fclose(FILE *file);
ssize_t __real_getline(char **line, size_t *room, FILE *file);
ssize_t __real___getdelim(char **line, size_t *room, int end, FILE *file);
_Noreturn void __real_exit(int status);
void *__wrap_malloc(size_t size)
{
    return took(__real_malloc(size));
}
void *__wrap_calloc(size_t count, size_t size)
{
    return took(__real_calloc(count, size));
}
void *__wrap_realloc(void *old, size_t size)
{
    gave(old);
    return took(__real_realloc(old, size));
}
int __wrap_posix_memalign(void **memory, size_t alignment, size_t size)
{
    int status = __real_posix_memalign(memory, alignment, size);
    if (status == 0)
        took(*memory);
    return status;
}
void __wrap_free(void *memory)
{
    gave(memory);
    __real_free(memory);
}
FILE *__wrap_fopen(const char *path, const char *mode)
{
    FILE *file = __real_fopen(path, mode);
    for (int i = 0; ends.on && file && i < MOST_OPEN; i++)
        if (!ends.open[i]) {
            ends.open[i] = file;
            break;
        }
    return file;
}
int __wrap_fclose(FILE *file)
{
    for (int i = 0; i < MOST_OPEN; i++)
        if (ends.open[i] == file)
            ends.open[i] = NULL;
    return __real_fclose(file);
}
ssize_t __wrap_getline(char **line, size_t *room, FILE *file)
{
    gave(*line);
    ssize_t length = __real_getline(line, room, file);
    took(*line);
    return length;
}
ssize_t __wrap___getdelim(char **line, size_t *room, int end, FILE *file) /* what getline may be a macro of */
{
    gave(*line);
    ssize_t length = __real___getdelim(line, room, end, file);
    took(*line);
    return length;
}
_Noreturn void __wrap_exit(int status)
{
    if (!ends.on)
        __real_exit(status);
    ends.status = status;
    longjmp(ends.back, 1);
}

static bool ends_well(EndsBody *body, void *context)
{
    static char said[8192];
    FILE *kept = stderr;
    memset(said, 0, sizeof said);
    stderr = fmemopen(said, sizeof said, "w");
    bool back = setjmp(ends.back) == 0;
    if (back) {
        ends.on = true;
        body(context);
    }
    ends.on = false;
    fclose(stderr);
    stderr = kept;
    for (int i = 0; i < MOST_OPEN; i++)
        if (ends.open[i]) {
            __real_fclose(ends.open[i]);
            ends.open[i] = NULL;
        }
    if (back && ends.lives)
        abort(); /* a leak */
    while (ends.lives)
        __real_free(ends.live[--ends.lives]);
    if (!back && ends.status != 0)
        check_end(ends.status, said);
    return back;
}

#else

static bool ends_well(EndsBody *body, void *context)
{
    char said[8192] = "";
    FILE *err = tmpfile();
    int status;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        dup2(fileno(err), STDERR_FILENO);
        body(context);
        _exit(77);
    }
    waitpid(child, &status, 0);
    rewind(err);
    said[fread(said, 1, sizeof said - 1, err)] = '\0';
    fclose(err);
    bool back = WIFEXITED(status) && WEXITSTATUS(status) == 77;
    if (!back && !(WIFEXITED(status) && WEXITSTATUS(status) == 0))
        check_end(WIFEXITED(status) ? WEXITSTATUS(status) : 99, said);
    return back;
}
#endif

#endif
