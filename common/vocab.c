/* vocab.c: a hash table with open addressing, and the words in the order of their numbers. */
#include "vocab.h"

#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "die.h"
#include "memory.h"

/* The hash stands beside the id: most probes that miss never touch the word. */
typedef struct VocabSlot {
    uint32_t hash;
    uint32_t id_and_one; /* 0: free */
} Slot;

/* Words lie one behind the other in large blocks: a million mallocs saved. */
typedef struct VocabBlock {
    struct VocabBlock *next;
    size_t used, size;
    char bytes[];
} Block;

enum { FIRST_SLOTS = 1024, BLOCK_SIZE = 1 << 16 };

/* FNV-1a's step (xor, multiply) on eight bytes at a time, then a mix of the
 * high bits into the low ones.  Its order is never visible, so the machine's
 * byte order may enter it. */
static uint32_t hash_of(const char *word, size_t length)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325) ^ length, piece;
    for (; length >= 8; word += 8, length -= 8) {
        memcpy(&piece, word, 8);
        hash = (hash ^ piece) * UINT64_C(0x9e3779b97f4a7c15);
        hash ^= hash >> 32;
    }
    for (piece = 0; length > 0; length--)
        piece = piece << 8 | (unsigned char)*word++;
    hash = (hash ^ piece) * UINT64_C(0x9e3779b97f4a7c15);
    return (uint32_t)(hash ^ hash >> 32);
}

Vocab *vocab_new(void)
{
    Vocab *vocab = memory_new(1, sizeof *vocab, "a vocabulary");
    vocab->slots = FIRST_SLOTS;
    vocab->slot = memory_new(vocab->slots, sizeof *vocab->slot, "a vocabulary");
    return vocab;
}

static void free_blocks(Block *block)
{
    while (block) {
        Block *next = block->next;
        free(block);
        block = next;
    }
}

void vocab_free(Vocab *vocab)
{
    if (!vocab)
        return;
    free_blocks(vocab->text);
    free(vocab->word);
    free(vocab->count);
    free(vocab->slot);
    free(vocab);
}

/* strncmp ends at the stored word's '\0', so it never reads beyond it. */
static bool is_word(const char *stored, const char *word, size_t length)
{
    return strncmp(stored, word, length) == 0 && stored[length] == '\0';
}

/* The slot where the word is, or the free one where it would go. */
static Slot *find_slot(const Vocab *vocab, const char *word, size_t length, uint32_t hash)
{
    for (uint32_t i = hash & (vocab->slots - 1);; i = (i + 1) & (vocab->slots - 1)) {
        Slot *slot = &vocab->slot[i];
        if (!slot->id_and_one || (slot->hash == hash && is_word(vocab->word[slot->id_and_one - 1], word, length)))
            return slot;
    }
}

/* Puts a slot that is known to be new into its place. */
static void place(Vocab *vocab, Slot new)
{
    uint32_t i = new.hash &(vocab->slots - 1);
    while (vocab->slot[i].id_and_one)
        i = (i + 1) & (vocab->slots - 1);
    vocab->slot[i] = new;
}

static void grow_table(Vocab *vocab)
{
    Slot *old = vocab->slot;
    uint32_t slots = vocab->slots;
    if (slots > UINT32_MAX / 2)
        die("a vocabulary of %d words is the largest this program can hold", vocab->size);
    vocab->slots = 2 * slots;
    vocab->slot = memory_new(vocab->slots, sizeof *vocab->slot, "the vocabulary's table");
    for (uint32_t i = 0; i < slots; i++)
        if (old[i].id_and_one)
            place(vocab, old[i]);
    free(old);
}

static void grow_list(Vocab *vocab)
{
    if (vocab->capacity > INT_MAX / 2)
        die("a vocabulary of %d words is the largest this program can hold", vocab->size);
    vocab->capacity = vocab->capacity ? 2 * vocab->capacity : FIRST_SLOTS;
    vocab->word = memory_resize(vocab->word, (size_t)vocab->capacity, sizeof *vocab->word, "the vocabulary");
    vocab->count = memory_resize(vocab->count, (size_t)vocab->capacity, sizeof *vocab->count, "the vocabulary");
}

static char *store_bytes(Vocab *vocab, const char *word, size_t length)
{
    Block *block = vocab->text;
    if (!block || block->size - block->used <= length) {
        size_t size = length < BLOCK_SIZE ? BLOCK_SIZE : length + 1;
        block = memory_resize(NULL, 1, sizeof *block + size, "the vocabulary's words");
        *block = (Block){.next = vocab->text, .size = size};
        vocab->text = block;
    }
    char *stored = memcpy(block->bytes + block->used, word, length);
    stored[length] = '\0';
    block->used += length + 1;
    return stored;
}

int vocab_add(Vocab *vocab, const char *word, size_t length)
{
    uint32_t hash = hash_of(word, length);
    Slot *slot = find_slot(vocab, word, length, hash);
    vocab->total++;
    if (slot->id_and_one) {
        vocab->count[slot->id_and_one - 1]++;
        return (int)slot->id_and_one - 1;
    }
    if (memchr(word, '\0', length))
        die_misuse(HERE, "vocab_add: a word must not contain '\\0'");
    if (vocab->size == vocab->capacity)
        grow_list(vocab);
    int id = vocab->size++;
    vocab->word[id] = store_bytes(vocab, word, length);
    vocab->count[id] = 1;
    *slot = (Slot){hash, (uint32_t)id + 1};
    if ((uint64_t)vocab->size * 2 > vocab->slots) /* at most half full */
        grow_table(vocab);
    return id;
}

int vocab_find_bytes(const Vocab *vocab, const char *word, size_t length)
{
    return (int)find_slot(vocab, word, length, hash_of(word, length))->id_and_one - 1;
}

int vocab_find(const Vocab *vocab, const char *word)
{
    return vocab_find_bytes(vocab, word, strlen(word));
}

/* ---- renumbering ------------------------------------------------------- */

typedef struct {
    char *word;
    uint64_t count;
} Entry;

static int compare_words(const void *a, const void *b)
{
    return strcmp(((const Entry *)a)->word, ((const Entry *)b)->word);
}

/* Words are different, so no two entries are equal and any sort gives one order. */
static int compare_counts(const void *a, const void *b)
{
    const Entry *left = a, *right = b;
    if (left->count != right->count)
        return left->count > right->count ? -1 : 1;
    return compare_words(a, b);
}

static void renumber(Vocab *vocab, int (*compare)(const void *, const void *), uint64_t cut_off, int most)
{
    Entry *entry = memory_new((size_t)vocab->size, sizeof *entry, "sorting the vocabulary");
    int kept = 0;
    for (int i = 0; i < vocab->size; i++)
        if (vocab->count[i] >= cut_off)
            entry[kept++] = (Entry){vocab->word[i], vocab->count[i]};
    qsort(entry, (size_t)kept, sizeof *entry, compare);
    if (most > 0 && kept > most)
        kept = most;

    memset(vocab->slot, 0, vocab->slots * sizeof *vocab->slot);
    vocab->size = kept;
    vocab->total = 0;
    for (int i = 0; i < kept; i++) {
        vocab->word[i] = entry[i].word;
        vocab->count[i] = entry[i].count;
        vocab->total += entry[i].count;
        place(vocab, (Slot){hash_of(entry[i].word, strlen(entry[i].word)), (uint32_t)i + 1});
    }
    free(entry);
}

void vocab_forget(Vocab *vocab, uint64_t cut_off)
{
    Block *old = vocab->text;
    int kept = 0;
    vocab->text = NULL;
    memset(vocab->slot, 0, vocab->slots * sizeof *vocab->slot);
    for (int i = 0; i < vocab->size; i++) {
        if (vocab->count[i] < cut_off) {
            vocab->total -= vocab->count[i];
            continue;
        }
        size_t length = strlen(vocab->word[i]);
        vocab->word[kept] = store_bytes(vocab, vocab->word[i], length);
        vocab->count[kept] = vocab->count[i];
        place(vocab, (Slot){hash_of(vocab->word[kept], length), (uint32_t)kept + 1});
        kept++;
    }
    vocab->size = kept;
    free_blocks(old);
}

void vocab_sort_by_count(Vocab *vocab, uint64_t cut_off, int most)
{
    renumber(vocab, compare_counts, cut_off, most);
}

void vocab_sort_by_word(Vocab *vocab)
{
    renumber(vocab, compare_words, 0, 0);
}
