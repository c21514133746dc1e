/* onehot.h: what the chapters of lab 01 share. */
#ifndef ONEHOT_H
#define ONEHOT_H

#include <stdbool.h>

#include "corpus.h"
#include "lab.h"
#include "wordworld.h"

typedef struct {
    int text_tokens;    /* words of the built-in text */
    double zipf;        /* its exponent inside a category */
    double noise;       /* its share of sentences that fit any noun */
    int shown_tokens;   /* rows of the raster */
    int vocabulary;     /* the lecture's V, */
    int hidden;         /* its hidden units */
    int classes;        /* and its classes */
    int pairs_of;       /* words among which every pair is compared */
    int window;         /* neighbours on each side */
    int points;         /* random points around a query */
    int queries;        /* queries per dimension */
    int random_vectors; /* for the cosines of random vectors */
    int most_tokens;    /* of a student's text for the n-gram model */
    int samples;        /* sentences sampled per order */
} Config;

typedef struct {
    Config config;

    /* the command line's */
    const char *corpus_file;
    const char *query;
    bool replace_bad_bytes;

    /* made on first use */
    WordWorld *world;
    char *text; /* the built-in text, one sentence a line */
    Vocab *vocab, *builtin_vocab;
} OneHot;

/* The text of this run, at its first line: the student's file or the built-in
 * one.  Close it after use.  And all its words, the most frequent first. */
Corpus *onehot_corpus(const Lab *lab, OneHot *self);
const Vocab *onehot_vocab(const Lab *lab, OneHot *self);

/* The same of the built-in text. */
Corpus *onehot_builtin(const Lab *lab, OneHot *self);
const Vocab *onehot_builtin_vocab(const Lab *lab, OneHot *self);

/* Why a claim about the built-in text is not tested on another (or NULL). */
const char *onehot_other_text(const OneHot *self);

/* x = (0 ... 0 1 0 ... 0) with SIZE elements, the 1 at ID. */
void one_hot(real *x, int id, int size);

/* x . y and |x - y| and x . y / (|x| |y|) (0 if either is 0), summed in order in doubles. */
double dot_product(const real *x, const real *y, int n);
double distance(const real *x, const real *y, int n);
double cosine(const real *x, const real *y, int n);

void step_symbols(Lab *lab, void *state);    /* symbols.c */
void step_lookup(Lab *lab, void *state);     /* lookup.c */
void step_orthogonal(Lab *lab, void *state); /* orthogonal.c */
void step_dimensions(Lab *lab, void *state); /* dimensions.c */
void step_documents(Lab *lab, void *state);  /* documents.c */
void step_ngrams(Lab *lab, void *state);     /* counting.c */

void ngrams_of_text(Lab *lab, OneHot *self); /* smoothing.c: its second half */

#endif
