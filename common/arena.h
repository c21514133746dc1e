/* arena.h: memory for one training step, given back all at once.
 *
 * A step of training makes hundreds of tensors that die together.  An arena
 * hands out memory from large blocks and takes everything back in one move;
 * after the first step it asks the system for nothing more. */
#ifndef ARENA_H
#define ARENA_H

#include <stddef.h>

typedef struct Arena Arena;

/* Blocks grow as needed, so no size has to be guessed. */
Arena *arena_new(void);
void arena_free(Arena *arena);

/* BYTES of memory aligned to 64, not cleared; valid until the next rewind. */
void *arena_get(Arena *arena, size_t bytes);

/* Takes everything back.  A debug build (-DDEBUG) fills the memory with junk,
 * so that what still points there shows. */
void arena_rewind(Arena *arena);

/* What has been handed out since the mark is taken back. */
typedef struct {
    void *block;
    size_t used;
} ArenaMark;
ArenaMark arena_mark(const Arena *arena);
void arena_release(Arena *arena, ArenaMark mark);

/* Bytes handed out since the last rewind. */
size_t arena_used(const Arena *arena);

/* How many times the arena asked the system for memory. */
int arena_blocks(const Arena *arena);

#endif
