/* ngram.h: counts of n-grams, and the probabilities that can be made of them.
 *
 * Words are numbers 0 ... vocabulary-1.  A sentence is preceded by as many
 * begin marks <s> as the longest history needs and followed by one end mark
 * </s>, which is predicted like a word; the caller gives it a number.
 *
 * Counts stand in a trie: the node of "opened their" is the child `their` of
 * the node of "opened".  A walk through a text keeps the nodes of its last
 * words, so that every count of the next word is one look-up away.
 * Labs 01 and 05 count with it. */
#ifndef NGRAM_H
#define NGRAM_H

#include <stdint.h>

#include "rng.h"

enum { NGRAM_MOST = 5 }; /* the longest n */

typedef struct {
    int vocabulary;                /* words that can be predicted */
    int end;                       /* the number of </s> */
    long distinct[NGRAM_MOST + 1]; /* different n-grams seen, by n */
    /* the rest is ngram.c's: node 0 is the empty history */
    struct NGramNode *node;
    uint32_t nodes, capacity;
    uint32_t *slot, slots;
} NGrams;

/* The last words of a text, as histories: node[n] is the node of the last n
 * words, or -1 if they were never counted together. */
typedef struct {
    long node[NGRAM_MOST];
} NGramWalk;

NGrams *ngrams_new(int vocabulary, int end);
void ngrams_free(NGrams *grams);

/* Counts every n-gram of a sentence of LENGTH words, n = 1 ... NGRAM_MOST. */
void ngrams_add(NGrams *grams, const int *words, int length);

/* At a sentence's beginning; and one word further. */
NGramWalk ngrams_begin(const NGrams *grams);
void ngrams_advance(const NGrams *grams, NGramWalk *walk, int word);

/* c(h, word) and c(h) = sum over words of c(h, word), h the last n-1 words. */
uint32_t ngrams_count(const NGrams *grams, const NGramWalk *walk, int n, int word);
uint32_t ngrams_history(const NGrams *grams, const NGramWalk *walk, int n);

/* The next word, drawn with probability c(h, word) / c(h); c(h) must not be 0. */
int ngrams_sample(const NGrams *grams, const NGramWalk *walk, int n, Rng *rng);

/* Probabilities from counts.  Maximum likelihood (0 if h was never seen):
 *     P(w | h) = c(h, w) / c(h)
 * Add-k (Lidstone; k = 1: Laplace):
 *     P(w | h) = (c(h, w) + k) / (c(h) + k V)
 * Interpolation (Jelinek & Mercer 1980), from the shortest history up, where
 * LAMBDA[n] is how much a history of n-1 words is trusted, if it was seen:
 *     P_n(w | h) = lambda_n c(h, w) / c(h) + (1 - lambda_n) P_n-1(w | h'),  P_0 = 1 / V */
double probability_likelihood(uint32_t count, uint32_t history);
double probability_add_k(uint32_t count, uint32_t history, double k, int vocabulary);
double probability_interpolate(double lower, uint32_t count, uint32_t history, double lambda);

#endif
