/* pre_post.c: step 5: Pre-Norm against Post-Norm, before any training.
 *
 * Xiong 2020 proves two things about a stack as it is on the first day; here they
 * are measured under the paper's own conditions, and beside them in a Transformer
 * as it is usually started. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "maths.h"
#include "memory.h"
#include "parallel.h"
#include "transformer_block.h"

enum { WIDTH = 64, LENGTH = 16, MOST_BATCH = 8, CLASSES = 16, DEPTHS = 5, DEEPEST = 32, SHOWN = 3 /* depth 24 */ };
static const int depths[DEPTHS] = {2, 6, 12, 24, 32};
enum { POST, PRE, WIRINGS };
enum { PAPER, USUAL, STARTS };

/* The paper's conditions (Xiong 2020, section 3.2): every number of the embeddings
 * is N(0, 1); W_Q = W_K = 0, so that all words look at all words alike; all other
 * matrices [d, d], also the FFN's, are N(0, 1/d), biases 0; the loss is that of one
 * word with a random target.  The usual start: four heads, an FFN of 4 d, Glorot's
 * uniform weights, sinusoidal positions, and the mean loss of sorting the letters of
 * eight rows. */
static void as_in_the_paper(Block *layer, Rng *rng)
{
    Linear *all[] = {&layer->self.query,  &layer->self.key, &layer->self.value,
                     &layer->self.output, &layer->inner,    &layer->outer};
    for (int m = 0; m < 6; m++)
        for (size_t i = 0; i < all[m]->weight->size; i++) {
            real normal = rng_normal(rng) / m_sqrt(WIDTH);
            all[m]->weight->data[i] = m < 2 ? 0 : normal;
        }
}

static BlockSettings settings_of(int start)
{
    return (BlockSettings){
        .d = WIDTH, .heads = start == PAPER ? 1 : 4, .feed_forward = start == PAPER ? WIDTH : 4 * WIDTH};
}

/* The words, and what each should become: -1 where nobody asks. */
static Tensor *words(Tape *tape, int start, Parameters *parameters, Rng *rng, int *targets)
{
    int ids[MOST_BATCH * LENGTH];
    if (start == PAPER) {
        Tensor *x = tape_input(tape, "x", SHAPE(1, LENGTH, WIDTH), NULL);
        for (size_t i = 0; i < x->size; i++)
            x->data[i] = rng_normal(rng);
        for (int i = 0; i < LENGTH; i++)
            targets[i] = -1;
        targets[0] = (int)rng_below(rng, CLASSES);
        return x;
    }
    Tensor *embedding = parameter_normal(parameters, "embedding", SHAPE(CLASSES, WIDTH), 1, rng);
    Tensor *table = tape_input(tape, "positions", SHAPE(LENGTH, WIDTH), NULL);
    sorting_draw(rng, CLASSES, MOST_BATCH, LENGTH, ids, targets);
    positions_sinusoidal(table->data, LENGTH, WIDTH);
    return op_add(tape, op_embedding(tape, embedding, ids, SHAPE(MOST_BATCH, LENGTH)), table); /* [B, T, d] */
}

/* Mean over the words of ||x||^2 / d. */
static double mean_square(const Tensor *x)
{
    double sum = 0;
    for (size_t i = 0; i < x->size; i++)
        sum += (double)x->data[i] * (double)x->data[i];
    return sum / (double)x->size;
}

static double gradient_of(const Tensor *w)
{
    double square = 0;
    for (size_t i = 0; i < w->size; i++)
        square += (double)w->grad[i] * (double)w->grad[i];
    return sqrt(square);
}

/* Of one start: SIZE, mean ||x||^2 / d after each block (under Post-Norm of the sum
 * that its last norm reads: the paper's x^{post,5}), and GRADIENT, the norm of the
 * gradient of each FFN's second matrix; for stacks of all depths. */
typedef struct {
    double size[WIRINGS][DEPTHS][DEEPEST], gradient[WIRINGS][DEPTHS][DEEPEST];
} Measured;

/* What a start is made of: the same for all depths and both wirings. */
typedef struct {
    Block layer[DEEPEST];
    LayerNorm last;
    Linear answer;
    real words[MOST_BATCH * LENGTH * WIDTH];
    Shape shape;
    int targets[MOST_BATCH * LENGTH];
} Start;

static void start_new(Start *made, int start, Parameters *parameters, Rng *rng)
{
    Tape *tape = tape_new(1);
    const Tensor *x = words(tape, start, parameters, rng, made->targets);
    made->shape = x->shape;
    memcpy(made->words, x->data, x->size * sizeof(real));
    for (int l = 0; l < DEEPEST; l++) {
        made->layer[l] = block_new(parameters, "block", settings_of(start), rng);
        if (start == PAPER)
            as_in_the_paper(&made->layer[l], rng);
    }
    made->last = layer_norm_new(parameters, "last", WIDTH);
    made->answer = linear_new(parameters, "answer", WIDTH, CLASSES, rng);
    tape_free(tape);
}

/* The first LAYERS layers of MADE, forward and back. */
static void one_stack(Start *made, Tape *tape, int wiring, int layers, double *size, double *gradient)
{
    tape_rewind(tape);
    Tensor *x = tape_input(tape, "x", made->shape, made->words);
    for (int l = 0; l < layers; l++) {
        Flow flow = {0};
        made->layer[l].settings.pre_norm = wiring == PRE;
        x = block_written_out(tape, &made->layer[l], x, (BlockView){0}, (Robbed){.library = true}, &flow);
        size[l] = mean_square(wiring == PRE ? x : flow.tensor[flow.n - 2]);
    }
    Tensor *logits = linear(tape, &made->answer, wiring == PRE ? layer_norm(tape, &made->last, x) : x);
    tape_backward(tape, op_cross_entropy(tape, logits, made->targets)); /* logits [B, T, classes] */
    for (int l = 0; l < layers; l++)
        gradient[l] = gradient_of(made->layer[l].outer.weight);
}

typedef struct {
    const Lab *lab;
    int inits[STARTS];
    Measured *one[STARTS]; /* [inits] */
    Measured mean[STARTS];
} Starts;

static void one_start(int index, void *context)
{
    Starts *all = context;
    int start = index < all->inits[USUAL] ? USUAL : PAPER, i = start == USUAL ? index : index - all->inits[USUAL];
    Measured *one = &all->one[start][i];
    char purpose[48];
    snprintf(purpose, sizeof purpose, "%s start %d", start == USUAL ? "usual" : "paper's", i);
    Rng rng = lab_rng(all->lab, purpose);
    Parameters *parameters = parameters_new();
    Tape *tape = tape_new(1);
    Start *made = memory_new(1, sizeof *made, "a start");
    start_new(made, start, parameters, &rng);
    for (int wiring = 0; wiring < WIRINGS; wiring++)
        for (int depth = 0; depth < DEPTHS; depth++)
            one_stack(made, tape, wiring, depths[depth], one->size[wiring][depth], one->gradient[wiring][depth]);
    free(made);
    tape_free(tape);
    parameters_free(parameters);
}

static void average(Starts *all, int start)
{
    Measured *mean = &all->mean[start];
    for (int i = 0; i < all->inits[start]; i++)
        for (int wiring = 0; wiring < WIRINGS; wiring++)
            for (int depth = 0; depth < DEPTHS; depth++)
                for (int l = 0; l < depths[depth]; l++) {
                    mean->size[wiring][depth][l] += all->one[start][i].size[wiring][depth][l] / all->inits[start];
                    mean->gradient[wiring][depth][l] +=
                        all->one[start][i].gradient[wiring][depth][l] / all->inits[start];
                }
}

/* The last layer's gradient at each depth. */
static double last(const Starts *all, int start, int wiring, int depth)
{
    return all->mean[start].gradient[wiring][depth][depths[depth] - 1];
}

/* ---- showing ------------------------------------------------------------------------ */

static void tell_sizes(Lab *lab, const Starts *all)
{
    const double *post = all->mean[PAPER].size[POST][DEPTHS - 1], *pre = all->mean[PAPER].size[PRE][DEPTHS - 1];
    trace(lab->trace, "||x||^2 / d, mean over all words and %d starts, %d layers:\n\n", all->inits[PAPER], DEEPEST);
    trace_table(lab->trace, "after layer\tPost-Norm (paper: 1.5)\t1 + l/2\tPre-Norm\t1 + 3 l/2");
    for (int l = 0; l < DEEPEST; l = l < 3 ? l + 1 : l < 4 ? 7 : l + 8)
        trace_row(lab->trace, "%d\t%.3f\t%.1f\t%.2f\t%.1f", l + 1, post[l], 1 + (l + 1) / 2.0, pre[l],
                  1 + 3 * (l + 1) / 2.0);
    trace_table_end(lab->trace);
}

static void tell_gradients(Lab *lab, const Starts *all)
{
    trace(lab->trace, "\nThe gradient of the last FFN's second matrix, against depth:\n\n");
    trace_table(lab->trace,
                "layers\tPost, paper\tPre, paper\t1/sqrt(L)\tPre x ||x||\tPost, usual\tPre, usual\tPre x ||x||");
    for (int i = 0; i < DEPTHS; i++)
        trace_row(lab->trace, "%d\t%.3f\t%.3f\t%.3f\t%.3f\t%.3f\t%.3f\t%.3f", depths[i], last(all, PAPER, POST, i),
                  last(all, PAPER, PRE, i), last(all, PAPER, PRE, 0) * sqrt(2.0 / depths[i]),
                  last(all, PAPER, PRE, i) * sqrt(all->mean[PAPER].size[PRE][i][depths[i] - 1]),
                  last(all, USUAL, POST, i), last(all, USUAL, PRE, i),
                  last(all, USUAL, PRE, i) * sqrt(all->mean[USUAL].size[PRE][i][depths[i] - 1]));
    trace_table_end(lab->trace);
    trace(
        lab->trace,
        "\n(1/sqrt(L) is scaled to meet Pre-Norm at 2 layers; ||x|| in units of sqrt(d).) Post-Norm's gradient does "
        "not\n"
        "fall with depth; Pre-Norm's does. Why: the last norm divides by ||x||, and ||x|| grows with depth: times the\n"
        "||x|| that was measured, what is left hardly depends on depth. In the paper's conditions ||x||^2 grows from\n"
        "1 by 0.5 a layer at first and, as all words come to share a part, by more: %.1f at 32 layers, about as L.\n"
        "The usual start departs from the theorem, which is about the loss of one word: it falls more slowly than\n"
        "1/sqrt(L), also times ||x||. Its loss is the mean of many words; with depth they become alike (step 3),\n"
        "and what their gradients have in common adds up where before it cancelled.\n"
        "\nThe gradient of each FFN at depth %d, first, middle and last layer:\n\n",
        all->mean[PAPER].size[PRE][DEPTHS - 1][DEEPEST - 1], depths[SHOWN]);
    trace_table(lab->trace, "start\twiring\tfirst\tmiddle\tlast");
    for (int start = 0; start < STARTS; start++)
        for (int wiring = 0; wiring < WIRINGS; wiring++) {
            const double *g = all->mean[start].gradient[wiring][SHOWN];
            trace_row(lab->trace, "%s\t%s\t%.3f\t%.3f\t%.3f", start == PAPER ? "paper's" : "usual",
                      wiring == PRE ? "Pre-Norm" : "Post-Norm", g[0], g[depths[SHOWN] / 2], g[depths[SHOWN] - 1]);
        }
    trace_table_end(lab->trace);
}

static void draw(Lab *lab, const Starts *all)
{
    static const char *const name[STARTS][WIRINGS] = {{"Post-Norm", "Pre-Norm"},
                                                      {"Post-Norm, usual start", "Pre-Norm, usual start"}};
    real x[DEEPEST], y[DEEPEST], low[DEEPEST], high[DEEPEST], flat[DEEPEST];
    Figure *figure = figure_begin(lab->figures, "prenorm_vs_postnorm_init", "Before training (Xiong 2020)");
    figure_layout(figure, 3, 640, 580);
    Panel *panel = figure_panel(figure, "the stream", "layer", "||x||^2 / d");
    for (int l = 0; l < DEEPEST; l++) {
        x[l] = (real)(l + 1);
        low[l] = 1 + x[l] / 2;
        high[l] = 1 + 3 * x[l] / 2;
        flat[l] = (real)1.5;
    }
    panel_log_y(panel);
    panel_range_y(panel, 1, 60);
    for (int wiring = 0; wiring < WIRINGS; wiring++) {
        for (int l = 0; l < DEEPEST; l++)
            y[l] = (real)all->mean[PAPER].size[wiring][DEPTHS - 1][l];
        panel_line(panel, name[PAPER][wiring], x, y, DEEPEST);
    }
    panel_reference(panel, "1 + l/2", x, low, DEEPEST);
    panel_reference(panel, "1 + 3 l/2", x, high, DEEPEST);
    panel_reference(panel, "3/2", x, flat, DEEPEST);
    panel = figure_panel(figure, "the last FFN's gradient", "layers", "gradient norm");
    panel_range_y(panel, 0, 0);
    for (int start = 0; start < STARTS; start++)
        for (int wiring = 0; wiring < WIRINGS; wiring++) {
            for (int i = 0; i < DEPTHS; i++) {
                x[i] = (real)depths[i];
                y[i] = (real)last(all, start, wiring, i);
            }
            panel_line(panel, name[start][wiring], x, y, DEPTHS);
        }
    for (int i = 0; i < DEPTHS; i++)
        y[i] = (real)last(all, PAPER, PRE, 0) * m_sqrt(2 / (real)depths[i]);
    panel_reference(panel, "1/sqrt(L)", x, y, DEPTHS);
    panel = figure_panel(figure, "every FFN's gradient, 24 layers", "layer", "gradient norm");
    for (int start = 0; start < STARTS; start++)
        for (int wiring = 0; wiring < WIRINGS; wiring++) {
            for (int l = 0; l < depths[SHOWN]; l++) {
                x[l] = (real)(l + 1);
                y[l] = (real)all->mean[start].gradient[wiring][SHOWN][l];
            }
            panel_line(panel, name[start][wiring], x, y, depths[SHOWN]);
        }
    figure_end(figure);
}

static void claim_sizes(Lab *lab, const Starts *all)
{
    const double *post = all->mean[PAPER].size[POST][DEPTHS - 1], *pre = all->mean[PAPER].size[PRE][DEPTHS - 1];
    double off = 0;
    int inside = 0;
    for (int l = 0; l < DEEPEST; l++) {
        off = fmax(off, fabs(post[l] / 1.5 - 1));
        inside += pre[l] >= 1 + (l + 1) / 2.0 && pre[l] <= 1 + 3 * (l + 1) / 2.0;
    }
    claim(lab->claims, (Claim){.id = "post-norm-stream",
                               .source = "Xiong 2020, lemma 2",
                               .statement = "Post-Norm: E||x||^2 = 3d/2 at every layer (largest relative error of 32)",
                               .measured = off,
                               .test = AT_MOST,
                               .bound = 0.1});
    claim(lab->claims, (Claim){.id = "pre-norm-stream",
                               .source = "Xiong 2020, lemma 2",
                               .statement = "Pre-Norm: (1 + l/2) d <= E||x||^2 <= (1 + 3l/2) d (layers of 32 inside)",
                               .measured = inside,
                               .test = EQUALS,
                               .bound = DEEPEST});
}

static void claim_gradients(Lab *lab, const Starts *all)
{
    double low = INFINITY, high = 0;
    for (int i = 0; i < DEPTHS; i++) {
        double product = last(all, PAPER, PRE, i) * sqrt(all->mean[PAPER].size[PRE][i][depths[i] - 1]);
        low = fmin(low, product);
        high = fmax(high, product);
    }
    claim(
        lab->claims,
        (Claim){.id = "post-norm-gradient",
                .source = "Xiong 2020, theorem 1",
                .statement =
                    "Post-Norm: the last FFN's gradient does not fall with depth by more than a tenth (24 layers over 2)",
                .measured = last(all, PAPER, POST, SHOWN) / last(all, PAPER, POST, 0),
                .test = AT_LEAST,
                .bound = 0.9});
    claim(lab->claims, (Claim){.id = "pre-norm-gradient",
                               .source = "Xiong 2020, theorem 1",
                               .statement = "Pre-Norm: it falls (24 layers over 2)",
                               .measured = last(all, PAPER, PRE, SHOWN) / last(all, PAPER, PRE, 0),
                               .test = AT_MOST,
                               .bound = 0.55});
    double root = sqrt(2.0 / depths[SHOWN]), usual = last(all, USUAL, PRE, SHOWN) / last(all, USUAL, PRE, 0);
    claim(lab->claims,
          (Claim){.id = "pre-norm-root",
                  .source = "Xiong 2020, theorem 1: O(1/sqrt(L))",
                  .statement =
                      "under the paper's conditions it falls as 1/sqrt(L) (24 layers over 2, over the root's fall)",
                  .measured = last(all, PAPER, PRE, SHOWN) / last(all, PAPER, PRE, 0) / root,
                  .test = EQUALS,
                  .bound = 1,
                  .tolerance = 0.25});
    claim(lab->claims, (Claim){.id = "pre-norm-usual-falls",
                               .source = "the same, in a Transformer as it is usually started",
                               .statement = "with the usual start it falls too (24 layers over 2)",
                               .measured = usual,
                               .test = AT_MOST,
                               .bound = 0.8,
                               .skipped = lab->quick ? "too few starts" : NULL});
    claim(lab->claims, (Claim){.id = "pre-norm-usual-slower",
                               .source = "measured: the loss of many words that have become alike",
                               .statement = "but more slowly than 1/sqrt(L) (over the root's fall)",
                               .measured = usual / root,
                               .test = ABOVE,
                               .bound = 1,
                               .skipped = lab->quick ? "too few starts" : NULL});
    claim(lab->claims,
          (Claim){.id = "gradient-times-stream",
                  .source = "its proof: the last norm divides by ||x||",
                  .statement = "times the measured ||x|| it hardly depends on depth (largest over smallest of 2 to 32)",
                  .measured = high / low,
                  .test = AT_MOST,
                  .bound = 1.35});
    const double *post = all->mean[PAPER].gradient[POST][SHOWN], *pre = all->mean[PAPER].gradient[PRE][SHOWN];
    claim(lab->claims, (Claim){.id = "post-norm-by-layer",
                               .source = "Xiong 2020, figure 3: Post-Norm's is large near the output",
                               .statement = "by layer, at depth 24: Post-Norm's last gradient is at least half of "
                                            "its first (last over first)",
                               .measured = post[depths[SHOWN] - 1] / post[0],
                               .test = AT_LEAST,
                               .bound = 0.5});
    claim(lab->claims, (Claim){.id = "pre-norm-by-layer",
                               .source = "measured: only the last layers' gradients are divided by the whole ||x||",
                               .statement = "Pre-Norm's last is at most half of its first (last over first)",
                               .measured = pre[depths[SHOWN] - 1] / pre[0],
                               .test = AT_MOST,
                               .bound = 0.5});
}

void at_the_start(Lab *lab, const TransformerBlock *self)
{
    Starts *all = memory_new(1, sizeof *all, "the measurements");
    all->lab = lab;
    all->inits[PAPER] = self->inits;
    all->inits[USUAL] = self->usual_inits;
    for (int start = 0; start < STARTS; start++)
        all->one[start] = memory_new((size_t)all->inits[start], sizeof(Measured), "the measurements");
    trace_equation(lab->trace, HERE, "Post-Norm: x = norm(x + f(x))     Pre-Norm: x = x + f(norm(x))");
    trace(lab->trace,
          "\nUnder the paper's conditions: words N(0, I), W_Q = W_K = 0, all other matrices %d x %d, N(0, 1/d).\n\n",
          WIDTH, WIDTH);
    parallel_for(lab->threads, all->inits[PAPER] + all->inits[USUAL], one_start, all);
    for (int start = 0; start < STARTS; start++) {
        average(all, start);
        free(all->one[start]);
    }
    tell_sizes(lab, all);
    tell_gradients(lab, all);
    draw(lab, all);
    claim_sizes(lab, all);
    claim_gradients(lab, all);
    free(all);
}

void step_pre_post(Lab *lab, void *state)
{
    at_the_start(lab, state);
    with_warmup(lab, state);
}
