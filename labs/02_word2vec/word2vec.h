/* word2vec.h: what the chapters of lab 02 share.
 *
 *     text.c      text as numbers: a corpus in memory, or a file that is streamed
 *     huffman.c   the binary tree of hierarchical softmax
 *     reader.c    sentences -> subsampled words -> windows -> training examples
 *     learn.c     skip-gram and CBOW: one example and its gradient
 *     learn_six.c     the same for the usual five noise words, fast
 *     learn_window.c  all pairs of a window against the same noise words
 *     train.c     a whole training
 *     vectors.c   neighbours, analogies, categories; files of vectors
 *     pieces.c    character n-grams (fastText)
 *     glove.c     co-occurrence counts and weighted least squares (GloVe)
 *     steps_*.c   the steps of the lecture, in its order; main.c lists them */
#ifndef WORD2VEC_H
#define WORD2VEC_H

#include <stdbool.h>
#include <stdint.h>

#include "corpus.h"
#include "kernels.h"
#include "lab.h"
#include "rng.h"
#include "vocab.h"
#include "wordworld.h"

/* ---- text.c: text as numbers ---------------------------------------------- */

enum { LINE_WORDS = 1000 }; /* a longer line of a file is several sentences */

/* Sentences of word numbers, in memory or read from a file on the way. */
typedef struct {
    Vocab *vocab;
    uint64_t tokens; /* known words in one pass over the text */
    uint64_t missing; /* a word seen at most so often may be missing (corpus_count_frequent) */
    int *ids;        /* sentence s is ids[start[s]] ... ids[start[s + 1] - 1] */
    long *start;
    int sentences;
    Corpus *corpus; /* instead of ids: a file too large for memory */
} Text;

/* Sentences of the small world, at least TOKENS words. */
Text *text_of_world(const WordWorld *world, Rng *rng, long tokens);
/* A file: one pass counts its words now, and a second keeps their numbers where
 * they are few enough; else training passes read the file.  MIN_COUNT and
 * MOST as in vocab_sort_by_count.  Dies where there is nothing to learn from. */
Text *text_of_corpus(Corpus *corpus, const char *name, int min_count, int most);
void text_free(Text *text);

/* ---- huffman.c: the tree of hierarchical softmax -------------------------- */

/* The path to word w: nodes node[begin[w]] ... node[begin[w+1] - 1] from the
 * root, and at each the side: 0 left, 1 right. */
typedef struct {
    int words;
    int *begin, *node;
    signed char *side;
} Huffman;

Huffman *huffman_new(const uint64_t *counts, int words);
void huffman_free(Huffman *tree);

/* ---- reader.c: examples to learn from ------------------------------------- */

typedef enum { SKIPGRAM, CBOW } ModelKind;
typedef enum { NEGATIVE_SAMPLING, HIERARCHICAL_SOFTMAX, FULL_SOFTMAX } LossKind;

/* How to train. */
typedef struct {
    ModelKind model;
    LossKind loss;
    int dimension;      /* of the vectors */
    int window;         /* words on each side, at most: a centre takes 1 ... window, drawn evenly */
    int negatives;      /* noise words an example */
    int epochs;         /* passes over the text */
    real rate;          /* learning rate; falls linearly to a thousandth of itself */
    double subsample;   /* a word of frequency f > this is kept with probability (sqrt(f/t) + 1) t/f; 0: all are kept */
    bool fixed_window;  /* all WINDOW words on each side count */
    bool shared_noise;  /* skip-gram: all pairs of a window share their noise words, and are learned from at once */
    double noise_power; /* noise words by count^this: 0.75 */
    int threads;        /* with 2, examples are made while others are learned from */
} Setting;

/* Examples in the order they are learned from: word PREDICTED[e] from the words
 * INPUT[begin[e]] ... INPUT[begin[e+1] - 1], which must score above the noise
 * words NEGATIVE[e * negatives] ...  An example is one pair of skip-gram, a window
 * of CBOW, or with shared noise a window of skip-gram: as many pairs as it has
 * input words. */
typedef struct {
    int examples;
    int *begin, *input, *predicted, *negative;
    real rate;
    double words; /* of the text, read until here (over all epochs) */
} Batch;

typedef struct Reader Reader;

/* Reads TEXT for SETTING.epochs passes.  Sentences in memory come in a new
 * random order each pass, a file's in the file's. */
Reader *reader_new(Text *text, const Setting *setting, Rng rng);
/* The next examples, in force until the next call; NULL when there are none. */
const Batch *reader_next(Reader *reader);
void reader_free(Reader *reader);

/* Draws a word with probability proportional to count^power (the alias method:
 * Walker 1974, Vose 1991): two looks into a small table, however many words. */
typedef struct {
    int size;
    struct {
        uint32_t keep; /* of 2^32: keep the column, else take its alias */
        int alias;
    } * column;
} Sampler;
Sampler *sampler_new(const uint64_t *counts, int words, double power);
int sampler_draw(const Sampler *sampler, Rng *rng);
void sampler_free(Sampler *sampler);

/* ---- pieces.c: words as the sum of their parts ---------------------------- */

typedef struct {
    int buckets;               /* rows behind those of the words */
    int *begin, *rows;         /* word w is rows[begin[w]] ... : its own row and its n-grams' */
    int least, most;           /* length of the n-grams in code points */
    int least_wide, most_wide; /* the same for Hangul */
} Pieces;

/* The n-grams of every word: 3 to 5 letters, of Hangul 2 to 4. */
Pieces *pieces_new(const Vocab *vocab, int buckets);
/* The buckets of any word's n-grams, at most MOST; returns how many. */
int pieces_of(const Pieces *pieces, const char *word, int *rows, int most);
void pieces_free(Pieces *pieces);

/* ---- learn.c, train.c: the model ---------------------------------------------------- */

/* Rows are padded with zeros to a multiple of LANES elements: STRIDE apart. */
typedef struct {
    int words, dimension, stride;
    int inputs;           /* rows of INPUT: the words (and n-grams) */
    int outputs;          /* rows of OUTPUT: context words, or inner nodes of the tree */
    real *input;          /* inputs x stride: the word vectors */
    real *output;         /* outputs x stride */
    Huffman *tree;        /* for hierarchical softmax */
    const Pieces *pieces; /* for n-grams, or NULL */
} Model;

/* What training tells: its course and its cost. */
typedef struct {
    int epochs;
    real *loss;           /* mean loss an example, of each epoch */
    double examples;      /* learned from, in all */
    double multiply_adds; /* counted, not measured */
    double seconds;       /* measured: for timings only */
    double words;         /* of the text, in all epochs */
} Course;

Model *model_new(Text *text, const Setting *setting, const Pieces *pieces, Rng *rng);
void model_free(Model *model);

/* Trains a new model.  PROGRESS and COURSE may be NULL; free COURSE->loss. */
Model *train(Text *text, const Setting *setting, const Pieces *pieces, Rng rng, Progress *progress, Course *course);

/* One example, for tests and for the curious: the loss of predicting WORD
 * against the noise words, given the hidden vector H.  With RATE > 0 the output
 * rows take a step down the gradient and GRADIENT (if not NULL, zeroed by the
 * caller) is given -RATE dloss/dh.  PLAIN: the textbook's three loops instead of
 * the fused ones; the results are the same to the bit. */
double learn_example(const Model *model, LossKind loss, const real *h, int word, const int *negatives, int count,
                     real rate, real *gradient, bool plain);

/* A window, for tests: the loss of predicting WORD from each of the PAIRS input
 * rows INPUTS[0] ... against the same noise words.  All rows take their step,
 * computed from the rows as they were before: one of gradient descent for the
 * sum of the pairs' losses.  PLAIN as above, the loss but for its last digits. */
double learn_window_once(const Model *model, const int *inputs, int pairs, int word, const int *negatives, int count,
                         real rate, bool plain);

/* ---- vectors.c: words as points -------------------------------------------- */

/* Words with a vector each, as given and with length 1 (rows STRIDE apart). */
typedef struct {
    Vocab *vocab; /* owned: word -> number */
    int words, dimension, stride;
    real *raw, *unit;
} Vectors;

/* The input vectors of a trained model (with n-grams: the mean of the pieces). */
Vectors *vectors_of_model(const Model *model, const Vocab *vocab);
/* Any matrix, WORDS x DIMENSION with rows STRIDE apart. */
Vectors *vectors_of_matrix(const Vocab *vocab, const real *rows, int dimension, int stride);
void vectors_free(Vectors *vectors);

/* Cosine of two words' vectors; dies on a word it does not know. */
real vectors_cosine(const Vectors *vectors, const char *a, const char *b);

/* A neighbour and its cosine. */
typedef struct {
    int word;
    real cosine;
} Neighbour;

/* The K words nearest to the direction QUERY (stride elements), nearest first,
 * without the words of SKIP (N_SKIP numbers) and, where AMONG is not NULL, only
 * words with among[w] true.  Returns how many. */
int vectors_nearest(const Vectors *vectors, const real *query, const int *skip, int n_skip, const bool *among, int k,
                    Neighbour *nearest);

/* In word2vec's text format, "WORDS DIMENSION" and a line a word, which gensim's
 * KeyedVectors.load_word2vec_format reads; every digit that a real needs. */
void vectors_save(const Vectors *vectors, const char *path);
/* Reads such a file; dies with one line that names the line that is wrong. */
Vectors *vectors_load(const char *path);

/* Words of VOCAB spelled most like WORD (edit distance over code points, at most
 * 2), nearest first; returns how many. */
int near_spellings(const Vocab *vocab, const char *word, int *found, int most);

/* The first two principal components of ROWS (n x dimension, rows STRIDE
 * apart): xy gets n pairs, share the part of the variance each explains. */
void principal_components(const real *rows, int n, int dimension, int stride, real *xy, real share[2]);

/* ---- glove.c: vectors from counts -------------------------------------------- */

/* How often each word (row) has each other (column) within WINDOW words, each
 * time counted as 1, or as 1 / distance.  WORDS x WORDS; free(). */
real *count_neighbours(const Text *text, int window, bool by_distance);
/* LOSS gets the mean weighted squared error of each epoch. */
Vectors *glove_train(const Text *text, const real *counts, int dimension, int epochs, Rng rng, real *loss);

/* ---- evaluate.c: what the small world knows to be true --------------------- */

/* Of the 5 nearest category words to each category word, the share that is of
 * the same category; over the words with least <= count < most. */
double purity(const Vectors *vectors, const WordWorld *world, uint64_t least, uint64_t most);
/* b - a + c = d over all ordered pairs of pairs of a family: the share of right
 * answers among all words but a, b, c. */
double analogies(const Vectors *vectors, const WordWorld *world, int family, int *asked);
/* Category of each word of VOCAB, or -1. */
int *categories_of(const Vocab *vocab, const WordWorld *world);

/* ---- main.c and the steps ----------------------------------------------------- */

/* The options for a text of one's own (step 9), and what several steps share,
 * made when the first of them asks. */
typedef struct {
    const char *corpus, *vectors_file, *similar, *model, *loss, *noise;
    int dimension, window, epochs, negatives, min_count, max_words;
    double rate, subsample;
    bool replace_bad_bytes;

    WordWorld *world;
    Text *text;
    int *category;          /* of each word of the text, or -1 */
    Vectors *vectors[2][2]; /* [ModelKind][NEGATIVE_SAMPLING or HIERARCHICAL_SOFTMAX] */
    Course course[2][2];
    Vectors *window_vectors; /* of skip-gram with noise words that a window shares */
    Course window_course;
} Word2Vec;

/* How the small world is trained on, unless a step says otherwise. */
Setting world_setting(const Lab *lab, ModelKind model, LossKind loss);
/* The small world, its text, and the four models trained on it. */
void need_text(Lab *lab, Word2Vec *self);
void need_models(Lab *lab, Word2Vec *self);

/* The neighbours of WORD as a row of a table or as a list; if WORD is unknown,
 * one line that says so, with near spellings. */
void trace_neighbours(Lab *lab, const Vectors *vectors, const char *word, int k);
/* K neighbours of WORD as one text "finance .93, credit .81"; free(). */
char *neighbours_text(const Vectors *vectors, const char *word, int k);

void step_windows(Lab *lab, void *state);
void step_by_hand(Lab *lab, void *state);
void step_losses(Lab *lab, void *state);
void step_space(Lab *lab, void *state);
void step_rare(Lab *lab, void *state);
void step_pmi(Lab *lab, void *state);
void step_glove(Lab *lab, void *state);
void step_pieces(Lab *lab, void *state);
void step_own_text(Lab *lab, void *state);

#endif
