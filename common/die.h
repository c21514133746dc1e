/* die.h: the ways a program ends early, and the place in the source that a
 * message or a number belongs to.
 *
 * Every message is one line on stderr that starts with the program's name and
 * says what was wrong and, where it can, what to do about it.  All of them end
 * in exit(), so that unfinished files are removed (files.h). */
#ifndef DIE_H
#define DIE_H

/* A line of source: which line of a lab made a tensor, a number, a mistake. */
typedef struct {
    const char *file;
    int line;
} Where;

#define HERE ((Where){__FILE__, __LINE__})

/* The file name of WHERE without its folders: "02_word2vec.c". */
const char *where_file(Where where);

/* The environment failed: no such file, disk full.  Exit status 1. */
_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The command line was wrong.  Exit status 2. */
_Noreturn void die_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The library was misused (shapes that do not fit): prints "FILE:LINE: ...",
 * the line of the caller.  Exit status 1. */
_Noreturn void die_misuse(Where where, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
