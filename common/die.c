/* die.c: one line on stderr, then exit. */
#define _GNU_SOURCE
#include "die.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *program_name(void)
{
#ifdef __APPLE__
    return getprogname();
#else
    return program_invocation_short_name;
#endif
}

/* One line: control bytes in a user's words must not steer the terminal. */
static void print_message(const char *format, va_list arguments)
{
    char message[16384];
    vsnprintf(message, sizeof message, format, arguments);
    for (char *c = message; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = '?';
    fprintf(stderr, "%s\n", message);
}

const char *where_file(Where where)
{
    const char *slash = strrchr(where.file, '/');
    return slash ? slash + 1 : where.file;
}

void die(const char *format, ...)
{
    va_list arguments;
    fflush(stdout);
    fprintf(stderr, "%s: ", program_name());
    va_start(arguments, format);
    print_message(format, arguments);
    va_end(arguments);
    exit(1);
}

void die_usage(const char *format, ...)
{
    va_list arguments;
    fflush(stdout);
    fprintf(stderr, "%s: ", program_name());
    va_start(arguments, format);
    print_message(format, arguments);
    va_end(arguments);
    exit(2);
}

void die_misuse(Where where, const char *format, ...)
{
    va_list arguments;
    fflush(stdout);
    fprintf(stderr, "%s: %s:%d: ", program_name(), where_file(where), where.line);
    va_start(arguments, format);
    print_message(format, arguments);
    va_end(arguments);
    exit(1);
}
