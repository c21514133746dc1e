/* parts.h: a text in three parts, with the n-gram counts of one looked up for all. */
#ifndef PARTS_H
#define PARTS_H

#include "corpus.h"
#include "ngram.h"

/* Of ten sentences eight are for training, one for choosing the smoothing
 * constants (validation), one for the result (test). */
typedef enum { TRAINING, VALIDATION, TEST, PARTS } Part;
Part part_of(long sentence);

/* For every word of a part, and every n: c(h, w) and c(h) in the training text. */
typedef struct {
    long words;
    uint32_t *count[NGRAM_MOST + 1], *history[NGRAM_MOST + 1];
} Counts;

typedef struct {
    int *ids;    /* all sentences, one behind the other */
    int *length; /* of each */
    long words, sentences;
    Vocab *vocab;  /* of the training part, and <unk> and </s> */
    NGrams *grams; /* of the training part */
    Counts counts[PARTS];
} Text;

enum { UNKNOWN, END };   /* <unk> and </s>, the first two numbers of the vocabulary */
enum { LONGEST = 1000 }; /* a line of more words is several sentences */

/* Reads the first MOST_WORDS words of CORPUS, which is at its first line and
 * has the words ALL. */
Text *text_read(Corpus *corpus, const Vocab *all, long most_words);
void text_free(Text *text);

#endif
