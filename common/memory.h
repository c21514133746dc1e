/* memory.h: malloc that does not return NULL.
 *
 * A lab that runs out of memory has nothing better to do than to say so: each
 * of these ends the program with one line that names what the memory was for. */
#ifndef MEMORY_H
#define MEMORY_H

#include <stddef.h>

/* COUNT elements of SIZE bytes, zeroed, aligned to 64 bytes (a cache line and
 * the widest vector register).  COUNT 0 gives a valid pointer.  Release with
 * free().  WHAT goes into the message: "the vocabulary". */
void *memory_new(size_t count, size_t size, const char *what);

/* BYTES for much that is written before it is read: not zeroed, aligned as
 * memory_new's, and large ones in the large pages of systems that have them. */
void *memory_large(size_t bytes, const char *what);

/* Like realloc, for arrays that grow: the new part is not zeroed, the alignment
 * is malloc's.  OLD may be NULL (but never from memory_new: its alignment would
 * be lost). */
void *memory_resize(void *old, size_t count, size_t size, const char *what);

/* A copy of a string; release with free(). */
char *memory_copy_text(const char *text);

#endif
