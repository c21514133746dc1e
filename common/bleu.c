/* bleu.c: clipped n-gram matches, summed over a corpus. */
#include "bleu.h"

#include <stdbool.h>

#include "maths.h"

static bool equal(const int *a, const int *b, int n)
{
    for (int i = 0; i < n; i++)
        if (a[i] != b[i])
            return false;
    return true;
}

/* How often the N-gram at GRAM stands in WORDS up to (and with) its LAST place. */
static int count(const int *gram, int n, const int *words, int last)
{
    int times = 0;
    for (int i = 0; i <= last; i++)
        times += equal(gram, words + i, n);
    return times;
}

void bleu_add(Bleu *bleu, const int *translation, int length, const int *reference, int reference_length)
{
    bleu->translated_words += length;
    bleu->words_wanted += reference_length;
    for (int n = 1; n <= BLEU_MOST; n++)
        for (int i = 0; i + n <= length; i++) {
            /* the k-th time it comes here counts if it comes k times there */
            int here = count(translation + i, n, translation, i);
            int there = count(translation + i, n, reference, reference_length - n);
            bleu->matched[n] += here <= there;
            bleu->possible[n]++;
        }
}

double bleu_precision(const Bleu *bleu, int n)
{
    return bleu->possible[n] ? (double)bleu->matched[n] / (double)bleu->possible[n] : 0;
}

double bleu_brevity(const Bleu *bleu)
{
    if (bleu->translated_words == 0)
        return 0;
    double ratio = (double)bleu->words_wanted / (double)bleu->translated_words;
    return ratio <= 1 ? 1 : exp64(1 - ratio);
}

double bleu_score(const Bleu *bleu)
{
    double sum = 0;
    for (int n = 1; n <= BLEU_MOST; n++) {
        if (bleu->matched[n] == 0)
            return 0;
        sum += log64(bleu_precision(bleu, n));
    }
    return 100 * bleu_brevity(bleu) * exp64(sum / BLEU_MOST);
}
