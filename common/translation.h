/* translation.h: English and French from one grammar: sentence pairs whose every
 * word's origin is known.
 *
 *     the small black cat that drank water saw a tired dog
 *     le petit chat noir qui a bu de l' eau a vu un chien fatigué
 *
 * A synchronous grammar builds both sentences at once: adjectives change sides
 * and order, articles and adjectives take the noun's gender and number, le and la
 * lose their vowel before another, "milk" needs an article that English does not
 * have, and two or more clauses make a long sentence.  So each French word knows
 * the English one that it comes from: the gold alignment.
 *
 * Labs 05 (recurrent networks with and without attention) and 08 (a Transformer)
 * translate it; the same seed is the same corpus in both. */
#ifndef TRANSLATION_H
#define TRANSLATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bleu.h"
#include "rng.h"
#include "vocab.h"

/* The first numbers of both vocabularies: padding, start, end, a word unknown. */
enum { TRANSLATION_PAD, TRANSLATION_SOS, TRANSLATION_EOS, TRANSLATION_UNK, TRANSLATION_SPECIAL };

/* No sentence has more words, English or French (without <SOS> and <EOS>). */
enum { TRANSLATION_ENGLISH = 48, TRANSLATION_FRENCH = 80 };

/* What kind of word it is.  A content word comes from one English word by itself;
 * articles and the auxiliary "a"/"ont" also need a noun's gender or number. */
typedef enum { FRENCH_CONTENT, FRENCH_ARTICLE, FRENCH_AUXILIARY } FrenchKind;

typedef struct {
    int source_length, target_length; /* without <SOS> and <EOS> */
    int new_combinations;             /* how many of its combinations are never in training */
    int16_t source[TRANSLATION_ENGLISH], target[TRANSLATION_FRENCH];
    /* The gold alignment of each French word: the English word (0, 1, ...) it
     * translates; and the noun that decides its form too, or -1. */
    int8_t aligned[TRANSLATION_FRENCH], governed[TRANSLATION_FRENCH];
    uint8_t kind[TRANSLATION_FRENCH];
} Pair;

typedef struct {
    int pairs;   /* of training, all different; 10000 is what the labs use */
    int longest; /* English words of the longest, at most TRANSLATION_ENGLISH */
} TranslationSettings;

typedef struct {
    TranslationSettings settings;
    Vocab *english, *french; /* the same whatever the seed */
    Pair *training;          /* [pairs] */
    /* the rest is translation.c's */
    struct Combinations *combinations;
    Vocab *seen; /* the English side of all training pairs */
} Translation;

/* The corpus of SEED.  One in eight combinations of an adjective with a noun, and
 * of a verb with its object, chosen by SEED alone (and "black cat" always), is
 * never in training.  One, two or three clauses a pair; dies on more pairs than
 * there are sentences. */
Translation *translation_new(TranslationSettings settings, uint64_t seed);
void translation_free(Translation *translation);

/* N different pairs of SHORTEST to LONGEST English words, at least 4, none of them in training
 * (checked), and each with at least one combination that never was.  Up to the
 * longest of training they have up to three clauses as well, beyond it up to five; free(). */
Pair *translation_tests(const Translation *translation, int shortest, int longest, int n, Rng *rng);

/* As many English sentences of the same kind as are wanted, without a promise
 * about training: for language models and examples.  TRAINING: only with
 * combinations that training may have. */
void translation_draw(const Translation *translation, int shortest, int longest, bool training, Rng *rng, Pair *pair);

/* An English sentence as the grammar reads it: false if it is not one of the
 * grammar's.  WORDS are numbers of the English vocabulary. */
bool translation_parse(const Translation *translation, const int *words, int length, Pair *pair);

/* TEXT's words, lower-cased, as numbers of VOCAB (TRANSLATION_UNK for others), at
 * most MOST; returns how many TEXT has, also beyond MOST.  ORIGIN is for the message about
 * bytes that are not UTF-8 (exit 2).  *UNKNOWN (or NULL) gets the first word that
 * is not in VOCAB, to be freed, or NULL. */
int translation_read(const Vocab *vocab, const char *text, const char *origin, int *ids, int most, char **unknown);

/* The same for a sentence that a student typed, which a model shall translate: WORDS gets its 1 ...
 * TRANSLATION_ENGLISH words, all of them in the corpus, and their number is returned.  Else
 * one line that names OPTION and the word, and exit 2. */
int translation_words(const Translation *translation, const char *text, const char *option,
                      int words[TRANSLATION_ENGLISH]);

/* The words with a space between, but none behind an apostrophe: "de l'eau". */
enum { TRANSLATION_TEXT = 1024 };
const char *translation_text(const Vocab *vocab, const int *ids, int n, char text[TRANSLATION_TEXT]);
const char *pair_english(const Translation *translation, const Pair *pair, char text[TRANSLATION_TEXT]);
const char *pair_french(const Translation *translation, const Pair *pair, char text[TRANSLATION_TEXT]);

/* ---- batches ------------------------------------------------------------------- */

/* ORDER gets 0 ... n-1 in random order, but so that each run of BATCH numbers has
 * pairs of about the same length, and little is padding: shuffled, sorted by
 * length 20 batches at a time, and those batches shuffled again. */
enum { TRANSLATION_BUCKET = 20 };
void translation_order(const Pair *pairs, int n, int batch, Rng *rng, int *order);

/* SIZE pairs as rows of numbers: recurrent networks want time first ([S, B]),
 * Transformers the sentences ([B, S]). */
typedef enum { TIME_FIRST, BATCH_FIRST } BatchLayout;
typedef struct {
    int size;                             /* B */
    int source_steps, target_steps;       /* S, T: of the longest, <EOS> counted in T only */
    int *source;                          /* [S, B] or [B, S], <PAD> behind the end */
    int *target_in;                       /* [T, B] or [B, T]: <SOS> y_1 ... y_n, <PAD> */
    int *target_out;                      /* the same shape: y_1 ... y_n <EOS>, and -1 for what does not count */
    int *source_lengths, *target_lengths; /* [B]; n + 1 with <EOS> */
} TranslationBatch;

/* Pairs order[0] ... order[n-1] (ORDER NULL: the first n). */
TranslationBatch translation_batch(const Pair *pairs, const int *order, int n, BatchLayout layout);
void translation_batch_free(TranslationBatch *batch);

/* ---- measuring ------------------------------------------------------------------ */

typedef struct {
    Bleu bleu;
    int sentences, exact; /* exact: equal to the reference word for word */
} TranslationScore;

/* WORDS is what a model said, without <SOS> and <EOS>. */
void translation_score(TranslationScore *score, const Pair *pair, const int *words, int length);
double translation_exact(const TranslationScore *score); /* a share, 0 ... 1 */

#endif
