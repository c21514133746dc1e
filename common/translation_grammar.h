/* translation_grammar.h: the grammar behind translation.h: a sentence as clauses,
 * and its two sides. */
#ifndef TRANSLATION_GRAMMAR_H
#define TRANSLATION_GRAMMAR_H

#include "translation.h"

typedef enum { NO_ARTICLE, THE, A, SOME, DETERMINERS } Determiner;

/* "a small black cat": numbers in the tables of nouns and adjectives. */
typedef struct {
    int noun;
    bool plural;
    Determiner determiner;
    int adjectives, adjective[2]; /* in the English order */
} NounPhrase;

/* SUBJECT (that VERB OBJECT) VERB OBJECT */
typedef struct {
    NounPhrase subject, object, relative_object;
    bool relative;
    int verb, relative_verb;
} Clause;

enum { MOST_CLAUSES = 5 };
typedef struct {
    int clauses;
    Clause clause[MOST_CLAUSES];
    int conjunction[MOST_CLAUSES]; /* in front of clause 1, 2, ... */
} Sentence;

enum { MOST_NOUNS = 40, MOST_ADJECTIVES = 20, MOST_VERBS = 20 };
typedef struct Combinations {
    bool adjective[MOST_ADJECTIVES][MOST_NOUNS]; /* held out: never in training */
    bool object[MOST_VERBS][MOST_NOUNS];
} Combinations;

void combinations_draw(Combinations *combinations, Rng *rng);

/* A sentence of CLAUSES clauses; WITHOUT (or NULL): without these combinations. */
void sentence_draw(Sentence *sentence, int clauses, const Combinations *without, Rng *rng);
int sentence_length(const Sentence *sentence); /* English words */
int sentence_new_combinations(const Sentence *sentence, const Combinations *combinations);

/* Both sides with their alignment. */
void sentence_write(const Sentence *sentence, const Vocab *english, const Vocab *french, Pair *pair);

/* English words to a sentence; false if the grammar has none such. */
bool sentence_read(Sentence *sentence, const char *const *words, int n);

/* All words of both languages, in the order of the tables. */
void grammar_words(Vocab *english, Vocab *french);

#endif
