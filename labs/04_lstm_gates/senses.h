/* senses.h: what the three files of step 6 share: the sentences of words that
 * mean two things (senses_sentences.c), and the two-directional language model
 * that reads them (senses_model.c); senses.c asks it which sense is meant. */
#ifndef SENSES_H
#define SENSES_H

#include "gates.h"
#include "grammar.h"
#include "vocab.h"

/* ---- the sentences ---- */

enum { WORDS = 4, SENSES = 2, LONGEST = 32 };
typedef struct {
    const char *word;
    const char *sense[SENSES], *rule[SENSES];
} Subject;
extern const Subject subjects[WORDS];

/* A sentence between its <s> and </s>, as numbers. */
typedef struct {
    int id[LONGEST];
    int length;
    int at; /* where the ambiguous word stands */
} Sentence;

typedef struct {
    Grammar *grammar;
    Vocab *vocab;
    int begin, end;         /* the numbers of <s> and </s> */
    int word[WORDS];        /* of the ambiguous words */
    int n;                  /* sentences to train on, */
    Sentence *train;        /* [n] */
    int per_sense;          /* and of each sense: from training (for the centroids), and never trained on */
    Sentence *known, *held; /* [WORDS][SENSES][per_sense] */
} Corpus;

Corpus *corpus_new(Lab *lab, const Config *config);
void corpus_free(Corpus *corpus);

/* The student's words (senses.c), of CORPUS and one of them ambiguous; dies
 * (exit 2) if they are not. */
Sentence senses_read_sentence(const Corpus *corpus, const char *text);

/* Traces a sentence, its ambiguous word in brackets. */
void trace_sentence(Lab *lab, const Corpus *corpus, const Sentence *s);

/* ---- the model ---- */

enum { FORWARD, BACKWARD, DIRECTIONS, LAYERS = 2, EMBEDDING = 24, HIDDEN = 32 };

/* With MEET, the second layer reads both directions of the first, as a stacked
 * bidirectional network does: the mistake. */
typedef struct {
    bool meet;
    Parameters *parameters;
    Tensor *embedding; /* [V, E], the word vectors */
    Recurrent layer[DIRECTIONS][LAYERS];
    Linear output; /* H -> V, for both directions */
} Model;

Model model_new(int words, bool meet, Rng *rng);

/* A batch of sentences, time first; shorter rows are filled up with </s>. */
typedef struct {
    int steps, batch;
    int *ids, *lengths;       /* [T, B], [B] */
    int *targets[DIRECTIONS]; /* [T, B]: the next word, the word before; -1 where there is none */
} Batch;

Batch batch_of(const Sentence *const *sentences, int n);
void batch_free(Batch *batch);

/* All layers' states [T, B, ...]: states[d][0] are the word vectors, the same for
 * both directions; states[d][l] comes from layer l. */
typedef struct {
    Tensor *at[DIRECTIONS][LAYERS + 1];
} States;

States states_of(Tape *tape, const Model *model, const Batch *batch);

/* What is trained, by parallel_for(..., 2, train_model, &training). */
typedef struct {
    const Lab *lab;
    const Config *config;
    const Corpus *corpus;
    Model model[2];                   /* [0] as it should be, [1] with directions that meet */
    double perplexity[2][DIRECTIONS]; /* on held-out sentences */
} Training;

void train_model(int index, void *context);

/* The largest change of the scores for a word when that word is replaced. */
double leak_of(const Model *model, const Corpus *corpus);

/* Perplexity of the held-out words by their frequency in training alone. */
double unigram_perplexity(const Corpus *corpus);

#endif
