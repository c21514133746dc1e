/* pieces.c: words as the sum of their parts (fastText: Bojanowski et al. 2017).
 *
 *     where -> <where> -> <wh whe her ere re> <whe wher here ere> ... and where itself
 *
 * A word's vector is the mean of its own row and those of its n-grams, so a word
 * that was never seen has a vector too: that of its n-grams.  There are more
 * n-grams than rows: each is hashed into one of BUCKETS.  They are counted in
 * letters, not in bytes: a Hangul syllable is one letter of three bytes. */
#include "word2vec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "text.h"

enum { PIECES_MOST = 400, LETTERS_MOST = 66 };

/* FNV-1a, 32 bits. */
static uint32_t hash_bytes(const char *bytes, size_t length)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)bytes[i]) * 16777619u;
    return hash;
}

/* Where each letter of TEXT begins, and its end; returns how many letters.
 * WIDE: whether one of them is Hangul. */
static int letters_begin(const char *text, size_t *begin, bool *wide)
{
    size_t length = strlen(text), at = 0;
    int n = 0;
    *wide = false;
    while (at < length && n < LETTERS_MOST) {
        uint32_t code;
        int size = utf8_decode(text + at, length - at, &code);
        begin[n++] = at;
        *wide = *wide || (size > 0 && code >= 0xAC00 && code <= 0xD7A3);
        at += size > 0 ? (size_t)size : 1;
    }
    begin[n] = at;
    return n;
}

int pieces_of(const Pieces *pieces, const char *word, int *rows, int most)
{
    char marked[LETTERS_MOST * 4 + 8];
    size_t begin[LETTERS_MOST + 1];
    bool wide;
    int count = 0;
    snprintf(marked, sizeof marked, "<%s>", word);
    int letters = letters_begin(marked, begin, &wide);
    int least = wide ? pieces->least_wide : pieces->least, longest = wide ? pieces->most_wide : pieces->most;
    for (int i = 0; i < letters; i++)
        for (int n = least; n <= longest && i + n <= letters && n < letters && count < most; n++)
            rows[count++] = (int)(hash_bytes(marked + begin[i], begin[i + n] - begin[i]) % (uint32_t)pieces->buckets);
    return count;
}

Pieces *pieces_new(const Vocab *vocab, int buckets)
{
    Pieces *pieces = memory_new(1, sizeof *pieces, "the n-grams");
    *pieces = (Pieces){.buckets = buckets, .least = 3, .most = 5, .least_wide = 2, .most_wide = 4};
    int found[PIECES_MOST], words = vocab->size;
    pieces->begin = memory_new((size_t)words + 1, sizeof(int), "the n-grams");
    for (int w = 0; w < words; w++)
        pieces->begin[w + 1] = pieces->begin[w] + 1 + pieces_of(pieces, vocab->word[w], found, PIECES_MOST);
    pieces->rows = memory_new((size_t)pieces->begin[words], sizeof(int), "the n-grams");
    for (int w = 0; w < words; w++) {
        int *rows = pieces->rows + pieces->begin[w], n = pieces_of(pieces, vocab->word[w], rows + 1, PIECES_MOST);
        rows[0] = w;
        for (int i = 1; i <= n; i++)
            rows[i] += words; /* behind the words' own rows */
    }
    return pieces;
}

void pieces_free(Pieces *pieces)
{
    if (!pieces)
        return;
    free(pieces->begin);
    free(pieces->rows);
    free(pieces);
}
