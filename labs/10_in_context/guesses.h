/* guesses.h: what counting can do: the guesses that the models have to beat. */
#ifndef GUESSES_H
#define GUESSES_H

#include "objectives.h"

/* How often each word was seen, after each word, and between each two, in the
 * pairs of the corpus (marks included as neighbours). */
typedef struct Guesses Guesses;
Guesses *guesses_new(const Stories *stories);
void guesses_free(Guesses *guesses);

/* The word most often seen: anywhere; behind LEFT; between LEFT and RIGHT (where
 * these two were never met: behind LEFT). */
int guess_unigram(const Guesses *guesses);
int guess_bigram(const Guesses *guesses, int left);
int guess_between(const Guesses *guesses, int left, int right);

#endif
