/* steps_mistakes.c: step 7: four mistakes, and what each looks like. */
#define _GNU_SOURCE
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "die.h"
#include "maths.h"
#include "measure.h"
#include "self_attention.h"

/* Wide enough for forgotten scaling to show, and short enough to be read. */
enum { WIDTH = 64, MOST_SHOWN = 5 };

typedef struct {
    Tensor *right, *columns, *unscaled, *masked, *masked_late, *mended; /* weights [n, n] */
    Tensor *out, *out_late;                                             /* outputs [n, d] of the two masks */
} Weights;

static Tensor *causal(Tape *tape, int n)
{
    Tensor *mask = tape_input(tape, "causal mask", SHAPE(n, n), NULL);
    for (int t = 0; t < n; t++)
        for (int s = 0; s <= t; s++)
            mask->data[t * n + s] = 1;
    return mask;
}

static Tensor *rows_divided_by_their_sum(Tape *tape, const Tensor *weights)
{
    int n = weights->shape.dim[0];
    Tensor *result = tape_input(tape, "divided", weights->shape, weights->data);
    for (int t = 0; t < n; t++) {
        real sum = 0;
        for (int s = 0; s < n; s++)
            sum += weights->data[t * n + s];
        for (int s = 0; s < n; s++)
            result->data[t * n + s] /= sum;
    }
    return result;
}

/* Every way to get from scores to weights. */
static Weights all_weights(Tape *tape, const Attention *layer, Tensor *x)
{
    Weights w;
    Tensor *q = op_matmul(tape, x, layer->query.weight), *k = op_matmul(tape, x, layer->key.weight);
    Tensor *v = op_matmul(tape, x, layer->value.weight), *mask = causal(tape, x->shape.dim[0]);
    Tensor *raw = op_matmul_transposed(tape, q, k), *scores = op_scale(tape, raw, 1 / m_sqrt((real)WIDTH));

    w.right = op_softmax(tape, scores, NULL);
    w.columns = op_transpose(tape, op_softmax(tape, op_transpose(tape, scores, 0, 1), NULL), 0, 1); /* wrong axis */
    w.unscaled = op_softmax(tape, raw, NULL);                                                       /* no 1/sqrt(d) */
    w.masked = op_softmax(tape, scores, mask);        /* -inf before the softmax */
    w.masked_late = op_multiply(tape, w.right, mask); /* 0 after the softmax */
    w.mended = rows_divided_by_their_sum(tape, w.masked_late);
    w.out = op_matmul(tape, w.masked, v);
    w.out_late = op_matmul(tape, w.masked_late, v);
    return w;
}

static double sum_of_row(const Tensor *w, int t)
{
    int n = w->shape.dim[1];
    double sum = 0;
    for (int s = 0; s < n; s++)
        sum += (double)w->data[t * n + s];
    return sum;
}

static double sum_of_column(const Tensor *w, int s)
{
    int n = w->shape.dim[1];
    double sum = 0;
    for (int t = 0; t < n; t++)
        sum += (double)w->data[t * n + s];
    return sum;
}

static double worst_column_sum(const Tensor *w)
{
    double worst = 0;
    for (int s = 0; s < w->shape.dim[1]; s++)
        worst = fmax(worst, fabs(sum_of_column(w, s) - 1));
    return worst;
}

/* The largest weight of a row, averaged over rows. */
static double mean_largest(const Tensor *w)
{
    int n = w->shape.dim[0];
    double sum = 0;
    for (int t = 0; t < n; t++) {
        real largest = 0;
        for (int s = 0; s < n; s++)
            largest = w->data[t * n + s] > largest ? w->data[t * n + s] : largest;
        sum += (double)largest;
    }
    return sum / n;
}

/* How much the outputs before the last word move when it is replaced. */
typedef struct {
    double masked, masked_late;
} Leak;

static Leak leak(const Attention *layer, const Tensor *x, const Weights *before)
{
    int n = x->shape.dim[0];
    Tape *tape = tape_new(1);
    Tensor *changed = tape_input(tape, "X'", x->shape, x->data);
    for (int i = 0; i < WIDTH; i++)
        changed->data[(n - 1) * WIDTH + i] = 1 - changed->data[(n - 1) * WIDTH + i];
    Weights after = all_weights(tape, layer, changed);
    size_t earlier = (size_t)(n - 1) * WIDTH;
    Leak moved = {largest_difference(before->out->data, after.out->data, earlier),
                  largest_difference(before->out_late->data, after.out_late->data, earlier)};
    tape_free(tape);
    return moved;
}

/* ---- heads that do not divide the width ---------------------------------------------- */

/* What the library says, without the name of the program and the place: the
 * mistake ends the program, so a copy of this process makes it. */
static int message_of_three_heads(char *text, size_t size)
{
    int ends[2], status = 0;
    size_t length = 0;
    fflush(NULL); /* nothing unwritten that the copy could write again */
    if (pipe(ends) != 0)
        die("cannot make a pipe for step 7");
    pid_t child = fork();
    if (child < 0)
        die("cannot start a process for step 7");
    if (child == 0) {
        Rng rng = rng_new(1, "three heads");
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        attention_new(parameters_new(), "attention", 8, 3, &rng);
        _exit(0);
    }
    close(ends[1]);
    for (ssize_t got; length < size - 1 && (got = read(ends[0], text + length, size - 1 - length)) > 0;)
        length += (size_t)got;
    text[length] = '\0';
    close(ends[0]);
    waitpid(child, &status, 0);
    const char *message = strstr(text, "attention '");
    memmove(text, message ? message : text, strlen(message ? message : text) + 1);
    text[strcspn(text, "\n")] = '\0';
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static bool all_words_equal(const Sentence *sentence)
{
    for (int t = 1; t < sentence->n; t++)
        if (strcmp(sentence->word[t], sentence->word[0]) != 0)
            return false;
    return true;
}

/* ---- what is shown ------------------------------------------------------------------------ */

static void trace_sums(Lab *lab, const Sentence *sentence, const Weights *w)
{
    trace_table(lab->trace, "what a row sums to\tright\twrong axis\tno scaling\tmask before\tmask after");
    for (int t = 0; t < sentence->n; t++)
        trace_row(lab->trace, "%s\t%.3f\t%.3f\t%.3f\t%.3f\t%.3f", sentence->word[t], sum_of_row(w->right, t),
                  sum_of_row(w->columns, t), sum_of_row(w->unscaled, t), sum_of_row(w->masked, t),
                  sum_of_row(w->masked_late, t));
    trace_table_end(lab->trace);
}

static void draw(Lab *lab, const Sentence *sentence, const Weights *w)
{
    const char *const *words = sentence_labels(sentence);
    const Tensor *all[] = {w->right, w->columns, w->unscaled, w->masked, w->masked_late};
    static const char *const title[] = {"right", "mistake 1: softmax over the wrong axis", "mistake 2: no scaling",
                                        "right, with a causal mask", "mistake 3: mask after the softmax"};
    int n = sentence->n;
    Figure *figure = figure_begin(lab->figures, "mistakes", "Three mistakes that run without an error");
    figure_layout(figure, 3, 500, 420);
    for (int i = 0; i < 5; i++)
        panel_heatmap(figure_panel(figure, title[i], NULL, NULL), all[i]->data, n, n, words, words, WEIGHTS);
    real sums[3][MOST_WORDS], place[MOST_WORDS];
    for (int t = 0; t < n; t++) {
        place[t] = (real)(t + 1);
        sums[0][t] = (real)sum_of_row(w->right, t);
        sums[1][t] = (real)sum_of_row(w->columns, t);
        sums[2][t] = (real)sum_of_row(w->masked_late, t);
    }
    Panel *panel = figure_panel(figure, "what the rows sum to", "word", "sum of its weights");
    panel_line(panel, "right", place, sums[0], n);
    panel_line(panel, "wrong axis", place, sums[1], n);
    panel_line(panel, "mask after", place, sums[2], n);
    figure_end(figure);
}

static void claim_mistakes(Lab *lab, const Weights *w, Leak moved, int status, const char *skipped)
{
    int n = w->right->shape.dim[0];
    claim(lab->claims, (Claim){.id = "wrong-axis-rows",
                               .statement = "softmax over the wrong axis: the worst row sum is off by",
                               .source = "lecture: softmax over the keys",
                               .measured = worst_row_sum(w->columns->data, n, n),
                               .test = AT_LEAST,
                               .bound = 0.05,
                               .skipped = skipped});
    claim(lab->claims, (Claim){.id = "wrong-axis-columns",
                               .statement = "what sums to 1 then are the columns, off by at most",
                               .source = "definition of softmax",
                               .measured = worst_column_sum(w->columns),
                               .test = AT_MOST,
                               .bound = 1e-6});
    claim(lab->claims, (Claim){.id = "scaling-forgotten",
                               .statement = "without scaling, at d = 64, the mean largest weight grows by",
                               .source = "lecture: why scaling",
                               .measured = mean_largest(w->unscaled) - mean_largest(w->right),
                               .test = AT_LEAST,
                               .bound = 0.05,
                               .skipped = skipped});
    claim(lab->claims, (Claim){.id = "late-mask-rows",
                               .statement = "a mask after the softmax: the worst row sum is off by",
                               .source = "lecture: mask before the softmax",
                               .measured = worst_row_sum(w->masked_late->data, n, n),
                               .test = AT_LEAST,
                               .bound = 0.05,
                               .skipped = skipped});
    claim(lab->claims, (Claim){.id = "late-mask-leaks",
                               .statement = "and the future leaks through the denominator: replacing the last word "
                                            "moves earlier outputs by",
                               .source = "lecture: mask before the softmax",
                               .measured = moved.masked_late,
                               .test = AT_LEAST,
                               .bound = 1e-4,
                               .skipped = skipped});
    claim(lab->claims, (Claim){.id = "late-mask-mended",
                               .statement = "divided by its sum each row is right again, to",
                               .source = "exp(s) / sum over the allowed",
                               .measured = largest_difference(w->mended->data, w->masked->data, w->masked->size),
                               .test = AT_MOST,
                               .bound = 1e-5});
    claim(lab->claims, (Claim){.id = "three-heads-of-eight",
                               .statement = "3 heads at width 8 end the program with a message: exit status",
                               .source = "Vaswani 2017, section 3.2.2: d_k = d / h",
                               .measured = status,
                               .test = EQUALS,
                               .bound = 1});
}

void step_mistakes(Lab *lab, void *state)
{
    SelfAttention *self = state;
    Sentence first = self->longer, *sentence = &first;
    char message[400];
    first.n = first.n < MOST_SHOWN ? first.n : MOST_SHOWN;
    Parameters *parameters = parameters_new();
    Attention layer = random_layer(parameters, lab, WIDTH, 1);
    Tape *tape = tape_new(1);
    Tensor *x = sentence_vectors(tape, lab, sentence, WIDTH);
    Weights w = all_weights(tape, &layer, x);
    Leak moved = sentence->n > 1 ? leak(&layer, x, &w) : (Leak){0, 0};
    int status = message_of_three_heads(message, sizeof message);

    trace(lab->trace,
          "Three mistakes run without an error. The sums of the rows betray two of them (width %d, the first\n"
          "%d words):\n\n",
          WIDTH, sentence->n);
    trace_sums(lab, sentence, &w);
    trace(lab->trace,
          "\n1. Softmax over the wrong axis: the queries compete for each key, and a word's weights sum to\n"
          "   anything. Whatever is wrong: look at the row sums first.\n"
          "2. No scaling: the rows sum to 1, but the mean largest weight is %.2f instead of %.2f (step 2).\n"
          "3. Mask after the softmax: the future is gone from the row, but not from the denominator. Rows\n"
          "   sum to less than 1, and replacing the last word moves earlier outputs by %.3f (mask before:\n"
          "   %g). Dividing each row by its sum mends it.\n"
          "4. Heads that do not divide the width: here the library stops, and says\n\n   %s\n",
          mean_largest(w.unscaled), mean_largest(w.right), moved.masked_late, moved.masked, message);
    draw(lab, sentence, &w);
    claim_mistakes(lab, &w, moved, status, all_words_equal(sentence) ? "all words of this sentence are equal" : NULL);
    tape_free(tape);
    parameters_free(parameters);
}
