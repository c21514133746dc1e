/* Step 5. Attention over one sentence, with and without positions. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "maths.h"
#include "memory.h"
#include "positional.h"
#include "text.h"

enum { MOST_WORDS = 40, WIDTH = 64, HEADS = 4, SHOWN_WAYS = 4 };
static const Way shown[SHOWN_WAYS] = {NONE, SINUSOIDAL, ALIBI, ROTARY};

void sentence_check(const char *text)
{
    int n;
    free(text_split(text, "--sentence", &n));
    if (n < 2 || n > MOST_WORDS)
        die_usage("--sentence: a sentence of 2 to %d words is needed, this one has %d", MOST_WORDS, n);
}

/* Every word is a random vector, and the same word always the same one.  Q = K = X,
 * and nothing is trained: a word looks for words like itself.  Numbers of standard
 * deviation 0.6 leave room in the softmax for more than the word itself. */
static void word_vectors(const Lab *lab, char **words, int n, real *x)
{
    char purpose[300];
    for (int t = 0; t < n; t++) {
        snprintf(purpose, sizeof purpose, "word %s", words[t]);
        Rng rng = lab_rng(lab, purpose);
        for (int i = 0; i < WIDTH; i++)
            x[t * WIDTH + i] = (real)0.6 * rng_normal(&rng);
    }
}

/* softmax(Q K^T / sqrt(d) + bias) of the words at places 0 ... n-1. */
static void attend(const real *x, int n, Way way, real *weights)
{
    Positions positions = {.way = way, .d = WIDTH, .heads = HEADS, .trained = n};
    Tape *tape = tape_new(1);
    Tensor *placed = positions_add(tape, &positions, tape_input(tape, "x", SHAPE(1, n, WIDTH), x), 0);
    Tensor *q = positions_turn(tape, &positions, op_reshape(tape, placed, SHAPE(1, 1, n, WIDTH)));
    Tensor *score = op_scale(tape, op_batched_matmul_transposed(tape, q, q), 1 / m_sqrt(WIDTH)); /* [1, 1, n, n] */
    score = op_reshape(tape, score, SHAPE(1, n, n));
    Tensor *bias = positions_bias(tape, &positions, n);
    if (bias)
        score = op_add(tape, score, op_slice(tape, bias, 0, 0, 1)); /* the first head: slope 1/4 */
    Tensor *softmax = op_softmax(tape, score, NULL);
    memcpy(weights, softmax->data, softmax->size * sizeof(real));
    tape_free(tape);
}

/* The first word that comes again, and where: false if none does. */
static bool find_twice(char **words, int n, int *first, int *again)
{
    for (*first = 0; *first < n; ++*first)
        for (*again = *first + 1; *again < n; ++*again)
            if (strcmp(words[*first], words[*again]) == 0)
                return true;
    return false;
}

static double row_difference(const real *weights, int n, int first, int again)
{
    double most = 0;
    for (int s = 0; s < n; s++)
        most = fmax(most, fabs((double)weights[first * n + s] - (double)weights[again * n + s]));
    return most;
}

/* Turning the sentence round: the largest change of the weight between two words. */
static double reversed_difference(const real *x, int n, Way way, const real *weights)
{
    real *back = memory_new((size_t)n * WIDTH, sizeof *back, "a sentence"),
         *turned = memory_new((size_t)n * (size_t)n, sizeof *turned, "weights");
    for (int t = 0; t < n; t++)
        memcpy(back + t * WIDTH, x + (n - 1 - t) * WIDTH, WIDTH * sizeof(real));
    attend(back, n, way, turned);
    double most = 0;
    for (int t = 0; t < n; t++)
        for (int s = 0; s < n; s++)
            most = fmax(most, fabs((double)weights[t * n + s] - (double)turned[(n - 1 - t) * n + n - 1 - s]));
    free(back);
    free(turned);
    return most;
}

static void claims(Lab *lab, char **words, int n, const real *x, real *const *weights)
{
    int first, again;
    const char *once = find_twice(words, n, &first, &again) ? NULL : "no word occurs twice in the sentence";
    double plain = once ? 0 : row_difference(weights[0], n, first, again);
    double placed = once ? 0 : row_difference(weights[1], n, first, again);
    if (!once)
        trace(
            lab->trace,
            "\n\"%s\" stands at places %d and %d. Without positions both look at the sentence in the same way, to the\n"
            "last bit (largest difference %g); with sinusoidal positions the two rows differ by up to %.3f.\n",
            words[first], first, again, plain, placed);
    claim(lab->claims,
          (Claim){.id = "same-word-same-look",
                  .source = "lecture: without positions a word is the same word everywhere",
                  .statement =
                      "without positions a word that comes twice has the same attention weights both times, to the bit",
                  .measured = plain,
                  .test = EQUALS,
                  .bound = 0,
                  .skipped = once});
    claim(lab->claims, (Claim){.id = "positions-tell-apart",
                               .source = "lecture: effect of positions on the weights",
                               .statement = "with sinusoidal positions its two rows of weights differ",
                               .measured = placed,
                               .test = AT_LEAST,
                               .bound = 0.02,
                               .skipped = once});
    claim(
        lab->claims,
        (Claim){.id = "reversed-sentence",
                .source = "lecture 07: permutation-equivariance, in the weights",
                .statement = "without positions every pair of words keeps its weight when the sentence is turned round",
                .measured = reversed_difference(x, n, NONE, weights[0]),
                .test = AT_MOST,
                .bound = 1e-6});
}

void step_sentence(Lab *lab, void *state)
{
    const Positional *self = state;
    static const char *const title[SHOWN_WAYS] = {"no positions", "sinusoidal", "ALiBi (slope 1/4)", "rotary"};
    int n;
    char **words = text_split(self->sentence, "--sentence", &n);
    const char *const *labels = (const char *const *)words;
    real *x = memory_new((size_t)n * WIDTH, sizeof *x, "a sentence"), *weights[SHOWN_WAYS];
    word_vectors(lab, words, n, x);
    trace(
        lab->trace,
        "\"%s\"\n\nRandom word vectors, Q = K = X, nothing trained: a word looks for words like itself. What changes\n"
        "from one picture to the next is the positions alone.\n\n",
        self->sentence);
    trace_equation(lab->trace, HERE, "a = softmax(Q K^T / sqrt(d) + bias)");
    Figure *figure =
        figure_begin(lab->figures, "position_effect", "One sentence, looked at with and without positions");
    figure_layout(figure, 2, n > 10 ? 0 : 540, n > 10 ? 0 : 480); /* the numbers of a short one fit a slide */
    for (int w = 0; w < SHOWN_WAYS; w++) {
        weights[w] = memory_new((size_t)n * (size_t)n, sizeof **weights, "weights");
        attend(x, n, shown[w], weights[w]);
        trace(lab->trace, "%s%s:\n", w ? "\n" : "", title[w]);
        trace_matrix(lab->trace, HERE, "a", weights[w], n, n, labels, labels, 2);
        panel_heatmap(figure_panel(figure, title[w], NULL, NULL), weights[w], n, n, labels, labels, WEIGHTS);
    }
    figure_end(figure);
    claims(lab, words, n, x, weights);
    for (int w = 0; w < SHOWN_WAYS; w++)
        free(weights[w]);
    free(x);
    free(words);
}
