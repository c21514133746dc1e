/* arena.c: a chain of blocks and a mark that moves through them. */
#include "arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"

enum { ALIGNMENT = 64, FIRST_BLOCK = 1 << 16 };

static const char *const what_for = "the tensors of a training step";

typedef struct Block {
    struct Block *next;
    size_t size, used;
    unsigned char *bytes;
} Block;

struct Arena {
    Block *first, *current;
    int blocks;
};

static Block *block_new(size_t size)
{
    Block *block = memory_new(1, sizeof *block, "an arena");
    block->bytes = memory_large(size, what_for);
    block->size = size;
    return block;
}

Arena *arena_new(void)
{
    Arena *arena = memory_new(1, sizeof *arena, "an arena");
    arena->first = arena->current = block_new(FIRST_BLOCK);
    arena->blocks = 1;
    return arena;
}

void arena_free(Arena *arena)
{
    if (!arena)
        return;
    for (Block *block = arena->first, *next; block; block = next) {
        next = block->next;
        free(block->bytes);
        free(block);
    }
    free(arena);
}

void *arena_get(Arena *arena, size_t bytes)
{
    if (bytes > SIZE_MAX - ALIGNMENT)
        return memory_new(bytes, 1, what_for); /* says so and ends the program */
    bytes = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    Block *block = arena->current;
    while (block->size - block->used < bytes) {
        if (!block->next) { /* each block at least doubles the last, so there are few */
            size_t size = 2 * block->size;
            block->next = block_new(size > bytes ? size : bytes);
            arena->blocks++;
        }
        block = arena->current = block->next;
    }
    void *memory = block->bytes + block->used;
    block->used += bytes;
    return memory;
}

ArenaMark arena_mark(const Arena *arena)
{
    return (ArenaMark){arena->current, arena->current->used};
}

void arena_release(Arena *arena, ArenaMark mark)
{
    arena->current = mark.block;
    for (Block *block = mark.block; block; block = block->next, mark.used = 0) {
#ifdef DEBUG
        memset(block->bytes + mark.used, 0xff, block->used - mark.used); /* all bits set is NaN, and a wild pointer */
#endif
        block->used = mark.used;
    }
}

void arena_rewind(Arena *arena)
{
    arena_release(arena, (ArenaMark){arena->first, 0});
}

size_t arena_used(const Arena *arena)
{
    size_t used = 0;
    for (const Block *block = arena->first; block; block = block->next)
        used += block->used;
    return used;
}

int arena_blocks(const Arena *arena)
{
    return arena->blocks;
}
