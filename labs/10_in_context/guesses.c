/* Guesses: counts of words and of their neighbours. */
#include "guesses.h"

#include <stdlib.h>

#include "memory.h"

struct Guesses {
    int words;
    int *count;    /* [V, V, V]: left, right, word */
    int *behind;   /* [V, V]: left, word */
    int *anywhere; /* [V] */
};

Guesses *guesses_new(const Stories *stories)
{
    Guesses *g = memory_new(1, sizeof *g, "the guesses");
    size_t v = (size_t)world_words(stories->world);
    g->words = (int)v;
    g->count = memory_new(v * v * v, sizeof *g->count, "the guesses");
    g->behind = memory_new(v * v, sizeof *g->behind, "the guesses");
    g->anywhere = memory_new(v, sizeof *g->anywhere, "the guesses");
    for (int i = 0; i < stories->n; i++) {
        int row[TEXT_MOST], n = pair_row(&stories->story[i].sentence[0], &stories->story[i].sentence[1], row);
        for (int t = 1; t + 1 < n; t++) {
            if (row[t] < SPECIALS)
                continue;
            g->count[((size_t)row[t - 1] * v + (size_t)row[t + 1]) * v + (size_t)row[t]]++;
            g->behind[(size_t)row[t - 1] * v + (size_t)row[t]]++;
            g->anywhere[row[t]]++;
        }
    }
    return g;
}

void guesses_free(Guesses *g)
{
    free(g->count);
    free(g->behind);
    free(g->anywhere);
    free(g);
}

static int most(const int *count, int n)
{
    int best = 0;
    for (int i = 1; i < n; i++)
        if (count[i] > count[best])
            best = i;
    return best;
}

int guess_unigram(const Guesses *g)
{
    return most(g->anywhere, g->words);
}

int guess_bigram(const Guesses *g, int left)
{
    return most(g->behind + (size_t)left * (size_t)g->words, g->words);
}

int guess_between(const Guesses *g, int left, int right)
{
    const int *count = g->count + ((size_t)left * (size_t)g->words + (size_t)right) * (size_t)g->words;
    int best = most(count, g->words);
    return count[best] ? best : guess_bigram(g, left);
}
