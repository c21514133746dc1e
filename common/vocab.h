/* vocab.h: words and their numbers, with counts.
 *
 * Numbers are given in the order in which words are first seen, until one of
 * the sorts below renumbers; nothing here ever depends on the order of a hash
 * table.  A word is any bytes but '\0'. */
#ifndef VOCAB_H
#define VOCAB_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    int size;        /* number of different words */
    char **word;     /* word[id], ended by '\0' */
    uint64_t *count; /* how often each was added */
    uint64_t total;  /* sum of counts */
    /* the rest is vocab.c's */
    int capacity;            /* of word and count */
    struct VocabSlot *slot;  /* a hash table from word to id */
    uint32_t slots;          /* its size, a power of two */
    struct VocabBlock *text; /* the words' bytes */
} Vocab;

enum { VOCAB_NONE = -1 };

Vocab *vocab_new(void);
void vocab_free(Vocab *vocab); /* NULL is fine */

/* Counts one occurrence of a word; a new one gets the next number (first seen,
 * first numbered).  Returns its number. */
int vocab_add(Vocab *vocab, const char *word, size_t length);

/* The number of a word, or VOCAB_NONE. */
int vocab_find(const Vocab *vocab, const char *word);
int vocab_find_bytes(const Vocab *vocab, const char *word, size_t length);

/* Renumbers: by falling count (ties by the word's bytes), dropping words seen
 * fewer than CUT_OFF times and, if MOST > 0, all but the MOST frequent.  The
 * total is that of the words kept. */
void vocab_sort_by_count(Vocab *vocab, uint64_t cut_off, int most);

/* Forgets the words seen fewer than CUT_OFF times and gives their memory back; the
 * others keep their order. */
void vocab_forget(Vocab *vocab, uint64_t cut_off);

/* Renumbers by the words' bytes (UTF-8 order is code-point order). */
void vocab_sort_by_word(Vocab *vocab);

#endif
