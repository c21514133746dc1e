/* inject.c: see inject.h.
 *
 * __wrap_f is what a program calls for f, and __real_f is f (ld's --wrap).
 * What happens inside the C library is not counted, so streams are ours
 * (fopencookie): their reading, writing and growing can fail like the rest. */
#define _GNU_SOURCE
#include "inject.h"

#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DEPTH = 5, MOST_PLACES = 8192 };

static struct {
    pthread_mutex_t mutex;
    int number, count;
    bool places, lasting;
    const char *failed;
    uint64_t seen[MOST_PLACES];
    const char *report;
} plan = {.mutex = PTHREAD_MUTEX_INITIALIZER};

void fault_plan(int number, bool places, bool lasting)
{
    plan.number = number;
    plan.places = places;
    plan.lasting = lasting;
    plan.count = 0;
    plan.failed = NULL;
    memset(plan.seen, 0, sizeof plan.seen);
}

int fault_count(void)
{
    return plan.count;
}

const char *fault_name(void)
{
    return plan.failed;
}

/* Whether the callers of FUNCTION are a chain not seen before (FNV-1a). */
static bool is_new_place(const char *function)
{
    void *caller[DEPTH];
    int depth = backtrace(caller, DEPTH);
    uint64_t hash = 14695981039346656037u ^ (uintptr_t)function;
    for (int i = 0; i < depth; i++)
        hash = (hash ^ (uintptr_t)caller[i]) * 1099511628211u;
    hash |= 1;
    for (uint64_t at = hash % MOST_PLACES, tried = 0; tried < MOST_PLACES; at = (at + 1) % MOST_PLACES, tried++) {
        if (plan.seen[at] == hash)
            return false;
        if (plan.seen[at] == 0) {
            plan.seen[at] = hash;
            return true;
        }
    }
    return false;
}

static bool fails(const char *function)
{
    pthread_mutex_lock(&plan.mutex);
    bool fault = plan.lasting && plan.failed && strcmp(plan.failed, function) == 0;
    if (!plan.failed && (!plan.places || is_new_place(function)) && ++plan.count == plan.number) {
        plan.failed = function;
        fault = true;
    }
    pthread_mutex_unlock(&plan.mutex);
    return fault;
}

/* ---- calls with a plain result ------------------------------------------------- */

#define WRAP(type, name, parameters, arguments, failure, error)                                                        \
    type __real_##name parameters;                                                                                     \
    type __wrap_##name parameters;                                                                                     \
    type __wrap_##name parameters                                                                                      \
    {                                                                                                                  \
        if (fails(#name)) {                                                                                            \
            errno = error;                                                                                             \
            return failure;                                                                                            \
        }                                                                                                              \
        return __real_##name arguments;                                                                                \
    }

typedef void *Start(void *);
WRAP(void *, malloc, (size_t size), (size), NULL, ENOMEM)
WRAP(void *, calloc, (size_t count, size_t size), (count, size), NULL, ENOMEM)
WRAP(void *, realloc, (void *old, size_t size), (old, size), NULL, ENOMEM)
WRAP(int, posix_memalign, (void **memory, size_t alignment, size_t size), (memory, alignment, size), ENOMEM, 0)
WRAP(char *, strdup, (const char *text), (text), NULL, ENOMEM)
WRAP(char *, realpath, (const char *path, char *resolved), (path, resolved), NULL, ENOMEM)
WRAP(int, pthread_create, (pthread_t * thread, const pthread_attr_t *how, Start *run, void *argument),
     (thread, how, run, argument), EAGAIN, 0)
WRAP(int, mkdir, (const char *path, mode_t mode), (path, mode), -1, ENOSPC)
WRAP(int, rename, (const char *from, const char *to), (from, to), -1, ENOSPC)
WRAP(int, stat, (const char *path, struct stat *status), (path, status), -1, EIO)
WRAP(int, fstat, (int file, struct stat *status), (file, status), -1, EIO)
WRAP(int, access, (const char *path, int mode), (path, mode), -1, EIO)
WRAP(int, flock, (int file, int how), (file, how), -1, ENOLCK)
WRAP(off_t, lseek, (int file, off_t offset, int from), (file, offset, from), -1, EIO)
WRAP(ssize_t, read, (int file, void *bytes, size_t size), (file, bytes, size), -1, EIO)
WRAP(int, pipe, (int ends[2]), (ends), -1, EMFILE)
WRAP(FILE *, tmpfile, (void), (), NULL, ENOSPC)
WRAP(ssize_t, getline, (char **line, size_t *room, FILE *stream), (line, room, stream), -1, ENOMEM)
WRAP(ssize_t, __getdelim, (char **line, size_t *room, int end, FILE *stream), (line, room, end, stream), -1, ENOMEM)

pid_t __real_fork(void);
pid_t __wrap_fork(void);
pid_t __wrap_fork(void)
{
    if (fails("fork")) {
        errno = EAGAIN;
        return -1;
    }
    pid_t process = __real_fork();
    if (process == 0)
        fault_plan(0, false, false); /* a child becomes another program */
    return process;
}

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    int mode = flags & O_CREAT ? va_arg(arguments, int) : 0;
    va_end(arguments);
    if (!fails("open"))
        return __real_open(path, flags, mode);
    errno = EMFILE;
    return -1;
}

int __wrap_asprintf(char **text, const char *format, ...);
int __wrap_asprintf(char **text, const char *format, ...)
{
    va_list arguments;
    *text = NULL;
    if (fails("asprintf"))
        return -1;
    va_start(arguments, format);
    int length = vasprintf(text, format, arguments);
    va_end(arguments);
    return length;
}

int __wrap___asprintf_chk(char **text, int flag, const char *format, ...);
int __wrap___asprintf_chk(char **text, int flag, const char *format, ...)
{
    va_list arguments;
    (void)flag;
    *text = NULL;
    if (fails("asprintf"))
        return -1;
    va_start(arguments, format);
    int length = vasprintf(text, format, arguments);
    va_end(arguments);
    return length;
}

/* ---- streams -------------------------------------------------------------------- */

/* A file, or the memory of open_memstream; OURS is what the program sees. */
typedef struct Stream {
    struct Stream *next;
    FILE *file, *ours;
    char *bytes, **where;
    size_t length, *size;
} Stream;

static Stream *streams; /* of one thread: labs open files in no other */

int __real_fileno(FILE *stream);
int __wrap_fileno(FILE *stream);
int __wrap_fileno(FILE *stream)
{
    for (Stream *s = streams; s; s = s->next)
        if (s->ours == stream && s->file)
            return __real_fileno(s->file);
    return __real_fileno(stream);
}

static ssize_t stream_read(void *cookie, char *bytes, size_t size)
{
    Stream *stream = cookie;
    if (fails("fread")) {
        errno = EIO;
        return -1;
    }
    return __real_read(__real_fileno(stream->file), bytes, size);
}

static ssize_t stream_write(void *cookie, const char *bytes, size_t size)
{
    Stream *stream = cookie;
    if (fails(stream->file ? "fwrite" : "fwrite to memory")) {
        errno = stream->file ? ENOSPC : ENOMEM;
        return 0;
    }
    if (stream->file)
        return write(__real_fileno(stream->file), bytes, size);
    char *grown = __real_realloc(stream->bytes, stream->length + size + 1);
    if (!grown)
        return 0;
    stream->bytes = grown;
    memcpy(grown + stream->length, bytes, size);
    stream->length += size;
    grown[stream->length] = '\0';
    *stream->where = grown;
    *stream->size = stream->length;
    return (ssize_t)size;
}

static int stream_seek(void *cookie, off64_t *place, int from)
{
    Stream *stream = cookie;
    if (!stream->file || fails("fseek"))
        return errno = EIO, -1;
    off_t at = __real_lseek(__real_fileno(stream->file), *place, from);
    *place = at;
    return at < 0 ? -1 : 0;
}

static int stream_close(void *cookie)
{
    Stream *stream = cookie;
    int result = stream->file ? fclose(stream->file) : 0;
    if (stream->file && fails("fclose")) {
        errno = EIO;
        result = -1;
    }
    for (Stream **s = &streams; *s; s = &(*s)->next)
        if (*s == stream) {
            *s = stream->next;
            break;
        }
    free(stream);
    return result;
}

static FILE *stream_new(FILE *file, const char *mode, char **where, size_t *size)
{
    static const cookie_io_functions_t functions = {stream_read, stream_write, stream_seek, stream_close};
    Stream *stream = __real_calloc(1, sizeof *stream);
    stream->file = file;
    stream->where = where;
    stream->size = size;
    stream->next = streams;
    streams = stream;
    return stream->ours = fopencookie(stream, mode, functions);
}

FILE *__real_fdopen(int file, const char *mode);
FILE *__wrap_fdopen(int file, const char *mode);
FILE *__wrap_fdopen(int file, const char *mode)
{
    if (!fails("fdopen"))
        return stream_new(__real_fdopen(file, mode), mode, NULL, NULL);
    errno = ENOMEM;
    return NULL;
}

FILE *__real_fopen(const char *path, const char *mode);
FILE *__wrap_fopen(const char *path, const char *mode);
FILE *__wrap_fopen(const char *path, const char *mode)
{
    bool fault = fails("fopen");
    errno = EMFILE;
    FILE *file = fault ? NULL : __real_fopen(path, mode);
    return file ? stream_new(file, mode, NULL, NULL) : NULL;
}

FILE *__wrap_open_memstream(char **where, size_t *size);
FILE *__wrap_open_memstream(char **where, size_t *size)
{
    if (fails("open_memstream")) {
        errno = ENOMEM;
        return NULL;
    }
    *where = __real_calloc(1, 1);
    *size = 0;
    return stream_new(NULL, "w", where, size);
}

/* ---- a lab under the environment ------------------------------------------------ */

static void report(void)
{
    FILE *file = __real_fopen(plan.report, "w");
    if (file) {
        fprintf(file, "%d\n", plan.count);
        fclose(file);
    }
}

__attribute__((constructor)) static void begin(void)
{
    const char *fault = getenv("FAULT");
    plan.report = getenv("FAULT_COUNT");
    if (plan.report)
        atexit(report);
    if (plan.report || fault)
        fault_plan(fault ? atoi(fault) : 0, true, fault && strchr(fault, '+'));
}
