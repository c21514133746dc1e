/* bleu.h: how much of a translation is in the reference (Papineni 2002).
 *
 *     Bleu bleu = {0};
 *     for (each sentence ...)
 *         bleu_add(&bleu, translation, length, reference, its_length);
 *     double score = bleu_score(&bleu);
 *
 * Corpus BLEU-4 with one reference a sentence, 0 ... 100.  Words are numbers.
 * Labs 05 and 08 are measured with it. */
#ifndef BLEU_H
#define BLEU_H

enum { BLEU_MOST = 4 }; /* the longest n-gram compared */

/* Sums over all sentences. */
typedef struct {
    long matched[BLEU_MOST + 1];  /* n-grams that are in the reference too, each no more often than there */
    long possible[BLEU_MOST + 1]; /* n-grams of the translations */
    long translated_words, words_wanted;
} Bleu;

void bleu_add(Bleu *bleu, const int *translation, int length, const int *reference, int reference_length);

/* 100 BP exp(1/4 sum_n log p_n) with p_n = matched / possible (eq. in section 2.3)
 * and the brevity penalty BP = min(1, exp(1 - wanted / translated)).  Without
 * smoothing: 0 if no n-gram of some length matched. */
double bleu_score(const Bleu *bleu);

/* p_n by itself, and BP. */
double bleu_precision(const Bleu *bleu, int n);
double bleu_brevity(const Bleu *bleu);

#endif
