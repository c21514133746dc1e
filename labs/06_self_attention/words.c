/* words.c: a sentence as vectors.
 *
 * Nothing is learned here.  A word's vector is drawn at random, but always the
 * same for the same word and seed, and so are the projections: what the figures
 * of steps 1 to 4 show is how the mechanism works, not what a language means. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "die.h"
#include "maths.h"
#include "self_attention.h"
#include "text.h"

Sentence sentence_new(const char *text, const char *origin)
{
    Sentence sentence;
    sentence.word = text_split(text, origin, &sentence.all);
    if (sentence.all == 0)
        die_usage("%s has no words: give it a sentence, as in %s \"I love you\"", origin, origin);
    sentence.n = sentence.all < MOST_WORDS ? sentence.all : MOST_WORDS;
    return sentence;
}

void sentence_free(Sentence *sentence)
{
    free(sentence->word);
}

const char *const *sentence_labels(const Sentence *sentence)
{
    return (const char *const *)sentence->word;
}

void trace_left_out(Lab *lab, const Sentence *sentence)
{
    if (sentence->n < sentence->all)
        trace(lab->trace, "(The sentence has %d words; the first %d are used: more could not be read in a figure.)\n\n",
              sentence->all, sentence->n);
}

Tensor *sentence_vectors(Tape *tape, const Lab *lab, const Sentence *sentence, int d)
{
    Tensor *x = tape_variable(tape, "X", SHAPE(sentence->n, d), NULL);
    for (int t = 0; t < sentence->n; t++) {
        char purpose[300];
        snprintf(purpose, sizeof purpose, "word: %s", sentence->word[t]);
        Rng rng = lab_rng(lab, purpose);
        for (int i = 0; i < d; i++)
            x->data[t * d + i] = rng_normal(&rng);
    }
    return x;
}

Attention random_layer(Parameters *parameters, const Lab *lab, int d, int heads)
{
    Rng rng = lab_rng(lab, "projections");
    Attention layer = attention_new(parameters, "attention", d, heads, &rng);
    Linear *parts[] = {&layer.query, &layer.key, &layer.value, &layer.output};
    for (int p = 0; p < 4; p++)
        for (size_t i = 0; i < parts[p]->weight->size; i++)
            parts[p]->weight->data[i] = rng_normal(&rng) / m_sqrt((real)d);
    return layer;
}

HeatmapColours weight_colours(int columns)
{
    return columns <= 8 ? WEIGHTS : MAGNITUDE;
}

void enlarge(Figure *figure, int rows, int columns)
{
    int most = rows > columns ? rows : columns, cell = most <= 5 ? 120 : 100;
    if (most <= 6)
        figure_layout(figure, 1, 310 + cell * columns, 90 + cell * rows);
    else if (most > 32)
        figure_layout(figure, 1, 1400, 1360);
}

double worst_row_sum(const real *weights, int rows, int columns)
{
    double worst = 0;
    for (int r = 0; r < rows; r++) {
        double sum = 0;
        for (int c = 0; c < columns; c++)
            sum += (double)weights[(size_t)r * columns + c];
        worst = fmax(worst, fabs(sum - 1));
    }
    return worst;
}
