/* vocab.h: words and their numbers, with counts. */
#ifndef VOCAB_H
#define VOCAB_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    int size;         /* number of different words */
    char **word;      /* word[id], ended by '\0' */
    uint64_t *count;  /* how often each was added */
    uint64_t total;   /* sum of counts */
    /* the rest is vocab.c's: a hash table from word to id */
    int capacity;
    uint32_t *slot;
    uint32_t slots;
} Vocab;

enum { VOCAB_NONE = -1 };

Vocab *vocab_new(void);
void vocab_free(Vocab *vocab);

/* Counts one occurrence of a word; a new one gets the next number (first seen,
 * first numbered).  Returns its number. */
int vocab_add(Vocab *vocab, const char *word, size_t length);

/* The number of a word, or VOCAB_NONE. */
int vocab_find(const Vocab *vocab, const char *word);
int vocab_find_bytes(const Vocab *vocab, const char *word, size_t length);

/* Renumbers: by falling count (ties by the word's bytes), dropping words seen
 * fewer than CUT_OFF times and, if MOST > 0, all but the MOST frequent. */
void vocab_sort_by_count(Vocab *vocab, uint64_t cut_off, int most);

/* Renumbers by the words' bytes (UTF-8 order is code-point order). */
void vocab_sort_by_word(Vocab *vocab);

#endif
