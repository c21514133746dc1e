/* evaluate.c: what the small world knows to be true. */
#include "word2vec.h"

#include <stdlib.h>
#include <string.h>

#include "memory.h"

int *categories_of(const Vocab *vocab, const WordWorld *world)
{
    int *category = memory_new((size_t)vocab->size, sizeof *category, "the categories");
    for (int w = 0; w < vocab->size; w++)
        category[w] = -1;
    const char *word;
    for (int c = 0; c < wordworld_categories(); c++)
        for (int i = 0; (word = wordworld_category_word(world, c, i)); i++) {
            int w = vocab_find(vocab, word);
            if (w != VOCAB_NONE)
                category[w] = c;
        }
    return category;
}

double purity(const Vectors *vectors, const WordWorld *world, uint64_t least, uint64_t most)
{
    enum { NEAREST = 5 };
    const Vocab *vocab = vectors->vocab;
    int *category = categories_of(vocab, world), asked = 0, same = 0;
    bool *among = memory_new((size_t)vocab->size, sizeof *among, "the categories");
    for (int w = 0; w < vocab->size; w++)
        among[w] = category[w] >= 0;
    for (int w = 0; w < vocab->size; w++) {
        if (!among[w] || vocab->count[w] < least || vocab->count[w] >= most)
            continue;
        Neighbour nearest[NEAREST];
        int n = vectors_nearest(vectors, vectors->unit + (size_t)w * vectors->stride, &w, 1, among, NEAREST, nearest);
        for (int i = 0; i < n; i++)
            same += category[nearest[i].word] == category[w];
        asked += n;
    }
    free(among);
    free(category);
    return asked ? (double)same / asked : 0;
}

/* b - a + c, each of length 1. */
static int answer(const Vectors *vectors, int a, int b, int c, real *query)
{
    int stride = vectors->stride, skip[] = {a, b, c};
    for (int i = 0; i < stride; i++)
        query[i] = vectors->unit[(size_t)b * stride + i] - vectors->unit[(size_t)a * stride + i] +
                   vectors->unit[(size_t)c * stride + i];
    Neighbour nearest;
    return vectors_nearest(vectors, query, skip, 3, NULL, 1, &nearest) ? nearest.word : -1;
}

double analogies(const Vectors *vectors, const WordWorld *world, int family, int *asked)
{
    enum { PAIRS = 64 };
    int pair[PAIRS][2], pairs = 0, right = 0;
    for (int i = 0; i < PAIRS && wordworld_pair(world, family, i, 1); i++) {
        pair[pairs][0] = vocab_find(vectors->vocab, wordworld_pair(world, family, i, 1));
        pair[pairs][1] = vocab_find(vectors->vocab, wordworld_pair(world, family, i, 2));
        pairs += pair[pairs][0] != VOCAB_NONE && pair[pairs][1] != VOCAB_NONE;
    }
    real *query = memory_new((size_t)vectors->stride, sizeof *query, "an analogy");
    *asked = 0;
    for (int i = 0; i < pairs; i++)
        for (int j = 0; j < pairs; j++)
            if (i != j) {
                right += answer(vectors, pair[i][0], pair[i][1], pair[j][0], query) == pair[j][1];
                ++*asked;
            }
    free(query);
    return *asked ? (double)right / *asked : 0;
}
