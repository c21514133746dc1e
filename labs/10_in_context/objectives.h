/* objectives.h: three ways to make a question and its answer out of plain text,
 * with nobody to label it. */
#ifndef OBJECTIVES_H
#define OBJECTIVES_H

#include "stories.h"

/* Texts of one batch, padded to the longest. */
enum { TEXT_MOST = 32, BATCH_MOST = 64, NO_TARGET = -1 };
typedef struct {
    int batch, length; /* B, T */
    int lengths[BATCH_MOST];
    int ids[BATCH_MOST * TEXT_MOST];      /* [B, T] */
    int segments[BATCH_MOST * TEXT_MOST]; /* [B, T]: 0, or 1 behind the first [SEP] */
    int targets[BATCH_MOST * TEXT_MOST];  /* [B, T]: the word that is asked for, or NO_TARGET */
} Texts;

/* Sets lengths, ids and padding from ROWS of TEXT_MOST words; no targets. */
void texts_set(Texts *texts, const int (*rows)[TEXT_MOST], const int *lengths, int n);

/* ---- BERT (Devlin 2018, section 3.1) ---- */

/* [CLS] a [SEP] b [SEP]: its words into ROW, how many as the result. */
int pair_row(const Sentence *a, const Sentence *b, int *row);

/* 15 % of the words are asked for; of these 80 % are replaced by [MASK], 10 % by a
 * random word, and 10 % stay.  Marks as [CLS] are never chosen. */
typedef struct {
    long words, chosen, masked, random, kept;
} MaskCounts;
void mask_words(const World *world, int *ids, int *targets, int n, MaskCounts *counts, Rng *rng);

/* ---- T5 (Raffel 2020, section 3.1.4) ---- */

/* Two spans of one to three words, drawn so that neither touches the other; in
 * their place stand <X> and <Y>.  TARGET: <X> words <Y> words <Z>. */
typedef struct {
    int inputs, targets;
    int input[TEXT_MOST], target[TEXT_MOST];
} Spans;
Spans spans_take(const int *words, int n, Rng *rng);

/* The way back: how many words, or -1 if the marks do not fit. */
int spans_restore(const Spans *spans, int *words);

/* ---- GPT (Radford 2018, eq. 1) ---- */

/* [CLS] words [SEP]; at each place the next word is asked for. */
int next_word_row(const Story *story, int *row);
void next_word_targets(Texts *texts);

/* The words of a story without any marks. */
int story_words(const Story *story, int *words);

#endif
