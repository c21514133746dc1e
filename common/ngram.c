/* ngram.c: a trie in two arrays: nodes, and a hash table from (parent, word) to node. */
#include "ngram.h"

#include <stdlib.h>

#include "die.h"
#include "memory.h"

typedef struct NGramNode {
    uint32_t parent;
    int word;
    uint32_t count;             /* c(h, w) of this n-gram */
    uint32_t history;           /* c(h) of this n-gram as a history */
    uint32_t first, last, next; /* its children in the order they came, and the next of its parent's (0: none) */
} Node;

enum { FIRST = 4096 };

static uint32_t slot_of(const NGrams *grams, uint32_t parent, int word)
{
    uint64_t key = (uint64_t)parent << 32 | (uint32_t)word;
    key *= UINT64_C(0x9e3779b97f4a7c15);
    uint32_t at = (uint32_t)(key >> 32) & (grams->slots - 1);
    for (;; at = (at + 1) & (grams->slots - 1)) {
        uint32_t node = grams->slot[at];
        if (node == 0 || (grams->node[node].parent == parent && grams->node[node].word == word))
            return at;
    }
}

static long child(const NGrams *grams, long parent, int word)
{
    if (parent < 0)
        return -1;
    uint32_t node = grams->slot[slot_of(grams, (uint32_t)parent, word)];
    return node ? (long)node : -1; /* node 0, the root, is nobody's child */
}

static void grow(NGrams *grams)
{
    if (grams->capacity > UINT32_MAX / 4)
        die("more n-grams than this program can count; use a shorter text");
    grams->capacity *= 2;
    grams->slots *= 2;
    grams->node = memory_resize(grams->node, grams->capacity, sizeof *grams->node, "n-grams");
    free(grams->slot);
    grams->slot = memory_new(grams->slots, sizeof *grams->slot, "n-grams");
    for (uint32_t i = 1; i < grams->nodes; i++)
        grams->slot[slot_of(grams, grams->node[i].parent, grams->node[i].word)] = i;
}

static uint32_t child_made(NGrams *grams, uint32_t parent, int word)
{
    uint32_t at = slot_of(grams, parent, word);
    if (grams->slot[at])
        return grams->slot[at];
    if (grams->nodes == grams->capacity) {
        grow(grams);
        at = slot_of(grams, parent, word);
    }
    uint32_t new = grams->nodes++;
    Node *node = grams->node;
    node[new] = (Node){.parent = parent, .word = word};
    if (node[parent].first)
        node[node[parent].last].next = new;
    else
        node[parent].first = new;
    node[parent].last = new;
    return grams->slot[at] = new;
}

NGrams *ngrams_new(int vocabulary, int end)
{
    if (end < 0 || end >= vocabulary)
        die_misuse(HERE, "ngrams_new: </s> is number %d of a vocabulary of %d", end, vocabulary);
    NGrams *grams = memory_new(1, sizeof *grams, "n-grams");
    grams->vocabulary = vocabulary;
    grams->end = end;
    grams->capacity = FIRST;
    grams->slots = 2 * FIRST;
    grams->node = memory_resize(NULL, grams->capacity, sizeof *grams->node, "n-grams");
    grams->slot = memory_new(grams->slots, sizeof *grams->slot, "n-grams");
    grams->node[0] = (Node){0};
    grams->nodes = 1;
    uint32_t node = 0; /* histories of <s> alone; <s> has the number behind the last word */
    for (int n = 1; n < NGRAM_MOST; n++)
        node = child_made(grams, node, vocabulary);
    return grams;
}

void ngrams_free(NGrams *grams)
{
    if (!grams)
        return;
    free(grams->node);
    free(grams->slot);
    free(grams);
}

NGramWalk ngrams_begin(const NGrams *grams)
{
    NGramWalk walk = {{0}};
    for (int n = 1; n < NGRAM_MOST; n++)
        walk.node[n] = child(grams, walk.node[n - 1], grams->vocabulary);
    return walk;
}

void ngrams_advance(const NGrams *grams, NGramWalk *walk, int word)
{
    for (int n = NGRAM_MOST - 1; n > 0; n--)
        walk->node[n] = child(grams, walk->node[n - 1], word);
}

void ngrams_add(NGrams *grams, const int *words, int length)
{
    NGramWalk walk = ngrams_begin(grams);
    for (int t = 0; t <= length; t++) {
        int word = t < length ? words[t] : grams->end;
        if (word < 0 || word >= grams->vocabulary)
            die_misuse(HERE, "ngrams_add: word %d of a vocabulary of %d", word, grams->vocabulary);
        for (int n = NGRAM_MOST; n > 0; n--) { /* longest first: node[n] becomes the new history */
            uint32_t history = (uint32_t)walk.node[n - 1], gram = child_made(grams, history, word);
            grams->distinct[n] += grams->node[gram].count == 0;
            grams->node[gram].count++;
            grams->node[history].history++;
            if (n < NGRAM_MOST)
                walk.node[n] = gram;
        }
    }
}

uint32_t ngrams_count(const NGrams *grams, const NGramWalk *walk, int n, int word)
{
    long node = child(grams, walk->node[n - 1], word);
    return node < 0 ? 0 : grams->node[node].count;
}

uint32_t ngrams_history(const NGrams *grams, const NGramWalk *walk, int n)
{
    return walk->node[n - 1] < 0 ? 0 : grams->node[walk->node[n - 1]].history;
}

int ngrams_sample(const NGrams *grams, const NGramWalk *walk, int n, Rng *rng)
{
    uint32_t history = ngrams_history(grams, walk, n);
    if (history == 0)
        die_misuse(HERE, "ngrams_sample: this history of %d words was never counted", n - 1);
    uint64_t left = rng_below(rng, history);
    uint32_t node = grams->node[walk->node[n - 1]].first;
    for (; left >= grams->node[node].count; node = grams->node[node].next)
        left -= grams->node[node].count;
    return grams->node[node].word;
}

double probability_likelihood(uint32_t count, uint32_t history)
{
    return history > 0 ? (double)count / history : 0;
}

double probability_add_k(uint32_t count, uint32_t history, double k, int vocabulary)
{
    return (count + k) / (history + k * vocabulary);
}

double probability_interpolate(double lower, uint32_t count, uint32_t history, double lambda)
{
    return history > 0 ? lambda * ((double)count / history) + (1 - lambda) * lower : lower;
}
