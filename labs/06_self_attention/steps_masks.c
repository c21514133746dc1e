/* steps_masks.c: step 3: a longer sentence, padding and the future masked, and
 * cross-attention. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "measure.h"
#include "memory.h"
#include "self_attention.h"

enum { PADS = 2 };

/* ---- a longer sentence --------------------------------------------------------- */

/* "street 0.21, tired 0.15, because 0.12": the words that a row looks at most. */
static void favourites(char *text, size_t size, const real *row, const Sentence *at, int most)
{
    bool taken[MOST_WORDS] = {false};
    size_t length = 0;
    for (int k = 0; k < most && k < at->n; k++) {
        int best = 0;
        for (int s = 0; s < at->n; s++)
            if (!taken[s] && (taken[best] || row[s] > row[best]))
                best = s;
        taken[best] = true;
        if (length < size)
            length += (size_t)snprintf(text + length, size - length, "%s%s %.2f", k ? ", " : "", at->word[best],
                                       (double)row[best]);
    }
}

/* The largest difference between the rows of equal words; -1: no word comes twice. */
static double twins_differ(const real *weights, const Sentence *sentence)
{
    double worst = -1;
    int n = sentence->n;
    for (int a = 0; a < n; a++)
        for (int b = 0; b < a; b++)
            if (strcmp(sentence->word[a], sentence->word[b]) == 0)
                worst = fmax(worst, largest_difference(weights + a * n, weights + b * n, (size_t)n));
    return worst;
}

static void longer_sentence(Lab *lab, const SelfAttention *self, const Attention *layer)
{
    const Sentence *sentence = &self->longer;
    const char *const *words = sentence_labels(sentence);
    Tape *tape = tape_new(1);
    Tensor *x = sentence_vectors(tape, lab, sentence, self->d), *weights;
    multi_head(tape, layer, x, x, NULL, &weights);
    trace_left_out(lab, sentence);
    trace(lab->trace, "%d words, %d weights. Whom each word looks at most (the vectors are random):\n\n", sentence->n,
          sentence->n * sentence->n);
    trace_table(lab->trace, "word\tlooks at");
    for (int t = 0; t < sentence->n; t++) {
        char text[1000];
        favourites(text, sizeof text, weights->data + t * sentence->n, sentence, 3);
        trace_row(lab->trace, "%s\t%s", words[t], text);
    }
    trace_table_end(lab->trace);

    Figure *figure = figure_begin(lab->figures, "longer_sequence", "Every word looks at every word");
    enlarge(figure, sentence->n, sentence->n);
    panel_heatmap(figure_panel(figure, NULL, "looked at (key)", "looking (query)"), weights->data, sentence->n,
                  sentence->n, words, words, weight_colours(sentence->n));
    figure_end(figure);

    double twins = twins_differ(weights->data, sentence);
    if (twins >= 0)
        trace(lab->trace,
              "\nA word that comes twice looks at the others in the same way from both places, and is looked at\n"
              "in the same way: attention does not know where a word stands. Lab 07 mends that.\n");
    claim(lab->claims, (Claim){.id = "place-does-not-matter",
                               .statement = "a word that comes twice has the same weights at both places: no order yet",
                               .source = "lecture: self-attention has no positions (lab 07)",
                               .measured = twins,
                               .test = EQUALS,
                               .bound = 0,
                               .skipped = twins < 0 ? "no word comes twice in this sentence" : NULL});
    tape_free(tape);
}

/* ---- masks ---------------------------------------------------------------------- */

/* 1 where position t may look at s: at no padding, and with CAUSAL not ahead. */
static Tensor *mask_of(Tape *tape, int positions, int length, bool causal)
{
    Tensor *mask = tape_input(tape, "mask", SHAPE(positions, positions), NULL);
    for (int t = 0; t < positions; t++)
        for (int s = 0; s < positions; s++)
            mask->data[t * positions + s] = s < length && (!causal || s <= t);
    return mask;
}

/* The words and behind them PADS times <pad>. */
static Sentence padded(const Sentence *sentence)
{
    static char pad[] = "<pad>";
    Sentence result = {.n = sentence->n + PADS, .all = sentence->n + PADS};
    result.word = memory_new((size_t)result.n, sizeof *result.word, "a padded sentence");
    for (int t = 0; t < result.n; t++)
        result.word[t] = t < sentence->n ? sentence->word[t] : pad;
    return result;
}

/* S with -inf where MASK is 0, and its softmax, in numbers. */
static void trace_masked(Lab *lab, const Tensor *x, const Attention *layer, const Tensor *mask, const Sentence *padded)
{
    const char *const *words = sentence_labels(padded);
    Tape *tape = tape_new(1);
    Tensor *in = tape_input(tape, "X", x->shape, x->data), *weights;
    Tensor *q = op_matmul(tape, in, layer->query.weight), *k = op_matmul(tape, in, layer->key.weight);
    Tensor *scores = op_scale(tape, op_matmul_transposed(tape, q, k), (real)(1 / sqrt(layer->d)));
    trace_equation(lab->trace, HERE, "S_ts = -inf where t must not look at s, and exp(-inf) = 0");
    for (size_t i = 0; i < scores->size; i++)
        if (mask->data[i] == 0)
            scores->data[i] = -INFINITY;
    trace_matrix(lab->trace, HERE, "S, masked", scores->data, padded->n, padded->n, words, words, 2);
    multi_head(tape, layer, in, in, mask, &weights);
    trace_matrix(lab->trace, HERE, "A = softmax(S)", weights->data, padded->n, padded->n, words, words, 4);
    tape_free(tape);
}

/* The largest weight where MASK is 0. */
static double forbidden_weight(const Tensor *weights, const Tensor *mask)
{
    double largest = 0;
    for (size_t i = 0; i < weights->size; i++)
        if (mask->data[i] == 0)
            largest = fmax(largest, fabs((double)weights->data[i]));
    return largest;
}

/* How much the outputs before the last word move when the last word is replaced. */
static double leak(const Tensor *x, const Attention *layer, bool causal)
{
    int n = x->shape.dim[0], d = x->shape.dim[1];
    Tape *tape = tape_new(1);
    Tensor *before = tape_input(tape, "X", x->shape, x->data), *after = tape_input(tape, "X'", x->shape, x->data);
    for (int i = 0; i < d; i++)
        after->data[(n - 1) * d + i] = -after->data[(n - 1) * d + i] + 1;
    Tensor *mask = causal ? mask_of(tape, n, n, true) : NULL;
    Tensor *y = multi_head(tape, layer, before, before, mask, NULL);
    Tensor *z = multi_head(tape, layer, after, after, mask, NULL);
    double moved = largest_difference(y->data, z->data, (size_t)(n - 1) * d);
    tape_free(tape);
    return moved;
}

static void claim_masks(Lab *lab, double forbidden, double sums, double padding, double leak_with, double leak_without,
                        const char *skipped)
{
    claim(lab->claims, (Claim){.id = "masked-weights-are-zero",
                               .statement = "the largest weight on padding or on the future is exactly 0",
                               .source = "Vaswani 2017, section 3.2.3: -inf before the softmax",
                               .measured = forbidden,
                               .test = EQUALS,
                               .bound = 0});
    claim(lab->claims, (Claim){.id = "masked-rows-sum-to-one",
                               .statement = "under every mask the weights of each query still sum to 1",
                               .source = "softmax over what is allowed",
                               .measured = sums,
                               .test = AT_MOST,
                               .bound = 1e-6});
    claim(lab->claims, (Claim){.id = "padding-changes-nothing",
                               .statement = "with the padding mask a padded sentence has the outputs of the sentence "
                                            "alone",
                               .source = "lecture: padding mask",
                               .measured = padding,
                               .test = AT_MOST,
                               .bound = 1e-6});
    claim(lab->claims, (Claim){.id = "future-does-not-leak",
                               .statement = "with the causal mask, replacing the last word changes nothing before it, "
                                            "to the bit",
                               .source = "lecture: sees the future -> mask",
                               .measured = leak_with,
                               .test = EQUALS,
                               .bound = 0,
                               .skipped = skipped});
    claim(lab->claims, (Claim){.id = "future-leaks-without-mask",
                               .statement = "without it, it does",
                               .source = "lecture: sees the future",
                               .measured = leak_without,
                               .test = AT_LEAST,
                               .bound = 1e-4,
                               .skipped = skipped});
}

static void masks(Lab *lab, const SelfAttention *self, const Attention *layer)
{
    static const char *const titles[] = {"no mask", "padding mask", "causal mask", "causal and padding"};
    const Sentence *sentence = &self->sentence;
    Sentence with_pads = padded(sentence);
    const char *const *words = sentence_labels(&with_pads);
    int n = sentence->n, all = with_pads.n;
    double forbidden = 0, sums = 0, padding = 0;
    Tape *tape = tape_new(1);
    Tensor *x = sentence_vectors(tape, lab, &with_pads, self->d), *weights;
    Tensor *alone = op_slice(tape, x, 0, 0, n);
    Tensor *unpadded = multi_head(tape, layer, alone, alone, NULL, NULL);

    trace(lab->trace, "\nMasks: a batch holds sentences of different length, so short ones are padded, and nobody may\n"
                      "look at the padding; and a model that writes word by word may not look ahead.\n\n");
    Figure *figure = figure_begin(lab->figures, "masks", "Where looking is forbidden, the weight is exactly 0");
    for (int kind = 0; kind < 4; kind++) {
        bool causal = kind >= 2, no_pads = kind % 2 == 1;
        Tensor *mask = mask_of(tape, all, no_pads ? n : all, causal);
        Tensor *y = multi_head(tape, layer, x, x, mask, &weights);
        forbidden = fmax(forbidden, forbidden_weight(weights, mask));
        sums = fmax(sums, worst_row_sum(weights->data, all, all));
        if (kind == 1)
            padding = largest_difference(unpadded->data, y->data, (size_t)n * self->d);
        if (kind == 3)
            trace_masked(lab, x, layer, mask, &with_pads);
        panel_heatmap(figure_panel(figure, titles[kind], NULL, NULL), weights->data, all, all, words, words, WEIGHTS);
    }
    figure_end(figure);

    double with = n > 1 ? leak(alone, layer, true) : 0, without = n > 1 ? leak(alone, layer, false) : 0;
    trace(lab->trace,
          "\nThe leak test: replace the last word and look at the outputs before it. With the causal mask\n"
          "they move by %g, without it by %.3f.\n",
          with, without);
    claim_masks(lab, forbidden, sums, padding, with, without, n > 1 ? NULL : "a sentence of one word has no future");
    tape_free(tape);
    free(with_pads.word);
}

/* ---- cross-attention ---------------------------------------------------------------- */

static void cross_attention(Lab *lab, const SelfAttention *self, const Attention *layer)
{
    const Sentence *from = &self->sentence, *at = &self->other;
    Tape *tape = tape_new(1);
    Tensor *x = sentence_vectors(tape, lab, from, self->d), *memory = sentence_vectors(tape, lab, at, self->d);
    Tensor *weights, *y = multi_head(tape, layer, x, memory, NULL, &weights);
    char shape[SHAPE_TEXT];
    trace(lab->trace,
          "\nCross-attention: the queries come from one sentence, keys and values from another. The decoder\n"
          "of lab 05 looked at the source in this way; so does the Transformer's (lab 08).\n\n");
    trace_left_out(lab, at);
    trace_matrix(lab->trace, HERE, "A", weights->data, from->n, at->n, sentence_labels(from), sentence_labels(at), 4);
    trace(lab->trace, "    the output has one row a query: %s\n", shape_text(y->shape, shape));
    Figure *figure = figure_begin(lab->figures, "cross_attention", "One sentence looks at another");
    enlarge(figure, from->n, at->n);
    panel_heatmap(figure_panel(figure, NULL, "keys and values", "queries"), weights->data, from->n, at->n,
                  sentence_labels(from), sentence_labels(at), weight_colours(at->n));
    figure_end(figure);
    claim(lab->claims, (Claim){.id = "cross-rows-sum-to-one",
                               .statement = "in cross-attention, too, the weights of every query sum to 1",
                               .source = "Vaswani 2017, section 3.2.3",
                               .measured = worst_row_sum(weights->data, from->n, at->n),
                               .test = AT_MOST,
                               .bound = 1e-6});
    tape_free(tape);
}

void step_masks(Lab *lab, void *state)
{
    SelfAttention *self = state;
    Parameters *parameters = parameters_new();
    Attention layer = random_layer(parameters, lab, self->d, 1);
    longer_sentence(lab, self, &layer);
    masks(lab, self, &layer);
    cross_attention(lab, self, &layer);
    parameters_free(parameters);
}
