/* residual.c: step 3: what y = x + F(x) does to the way back, and what the norm adds. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "maths.h"
#include "memory.h"
#include "parallel.h"
#include "transformer_block.h"

/* ---- dy/dx = I + dF/dx, by hand ---------------------------------------------------- */

enum { D = 4, INNER = 8 };

/* F(x) = ReLU(x W_1) W_2; row i of JACOBIAN [D, D] is d y_i / d x, one backward a row. */
static void jacobian(Tape *tape, const real *at, Tensor *w1, Tensor *w2, bool residual, real *out)
{
    for (int i = 0; i < D; i++) {
        tape_rewind(tape);
        Tensor *x = tape_variable(tape, "x", SHAPE(1, D), at);
        Tensor *f = op_matmul(tape, op_relu(tape, op_matmul(tape, x, w1)), w2); /* [1, D] */
        Tensor *y = residual ? op_add(tape, x, f) : f;
        tape_backward(tape, op_sum(tape, op_slice(tape, y, 1, i, i + 1)));
        memcpy(out + i * D, x->grad, D * sizeof(real));
    }
}

/* How F changes the diagonal, over many random layers: the share of the entries
 * below 1, and the smallest one. */
static void many_layers(const Lab *lab, Tape *tape, double *below, double *least)
{
    enum { LAYERS = 200 };
    Rng rng = lab_rng(lab, "many layers");
    real at[D], j[D * D];
    int count = 0;
    *least = INFINITY;
    for (int l = 0; l < LAYERS; l++) {
        Parameters *parameters = parameters_new();
        Tensor *w1 = parameter_glorot(parameters, "W_1", SHAPE(D, INNER), &rng);
        Tensor *w2 = parameter_glorot(parameters, "W_2", SHAPE(INNER, D), &rng);
        for (int i = 0; i < D; i++)
            at[i] = rng_normal(&rng);
        jacobian(tape, at, w1, w2, true, j);
        for (int i = 0; i < D; i++) {
            count += j[i * D + i] < 1;
            *least = fmin(*least, (double)j[i * D + i]);
        }
        parameters_free(parameters);
    }
    *below = (double)count / (LAYERS * D);
}

/* y = x + F(x) with F(x) = -x: nothing is left. */
static double cancelled(Tape *tape, const real *at)
{
    tape_rewind(tape);
    Tensor *x = tape_variable(tape, "x", SHAPE(1, D), at);
    tape_backward(tape, op_sum(tape, op_add(tape, x, op_scale(tape, x, -1))));
    double most = 0;
    for (int i = 0; i < D; i++)
        most = fmax(most, fabs((double)x->grad[i]));
    return most;
}

static void by_hand(Lab *lab)
{
    const real at[D] = {1, -1, (real)0.5, 2};
    real with[D * D], without[D * D], sum[D * D], worst = 0;
    double below, least;
    Rng rng = lab_rng(lab, "one layer");
    Parameters *parameters = parameters_new();
    Tape *tape = tape_new(1);
    Tensor *w1 = parameter_glorot(parameters, "W_1", SHAPE(D, INNER), &rng);
    Tensor *w2 = parameter_glorot(parameters, "W_2", SHAPE(INNER, D), &rng);
    jacobian(tape, at, w1, w2, false, without);
    jacobian(tape, at, w1, w2, true, with);
    for (int i = 0; i < D * D; i++) {
        sum[i] = without[i] + (i % (D + 1) == 0);
        worst = (real)fmax((double)worst, fabs((double)(sum[i] - with[i])));
    }
    trace(lab->trace, "One layer, y = x + F(x) with F(x) = ReLU(x W_1) W_2, at x = (1, -1, 0.5, 2):\n\n");
    trace_equation(lab->trace, HERE, "dy/dx = I + dF/dx");
    trace_matrix(lab->trace, HERE, "dF/dx", without, D, D, NULL, NULL, 4);
    trace_matrix(lab->trace, HERE, "dy/dx, by the tape", with, D, D, NULL, NULL, 4);
    many_layers(lab, tape, &below, &least);
    double nothing = cancelled(tape, at);
    trace(lab->trace,
          "\nThe notes say that thanks to the 1 the derivative is always at least 1. It is 1 plus something, and the\n"
          "something can be negative: of the diagonals of 200 random layers %.0f %% are below 1 (the least is\n"
          "%.2f), and with F(x) = -x nothing is left at all (%g). What the 1 does: multiplied out over L layers,\n"
          "    (I + F_L') ... (I + F_1') = I + sum of F_l' + sum of F_k' F_l' + ...\n"
          "there is one path of 2^L on which nothing is multiplied, however many layers there are.\n",
          100 * below, least, nothing);
    claim(lab->claims, (Claim){.id = "residual-jacobian",
                               .source = "lecture: dy/dx = 1 + dF/dx; He 2016, eq. 5",
                               .statement = "dy/dx = I + dF/dx (largest difference)",
                               .measured = (double)worst,
                               .test = AT_MOST,
                               .bound = 1e-6});
    claim(lab->claims, (Claim){.id = "at-least-one",
                               .source = "lecture: \"always at least 1\"",
                               .statement = "dF/dx can be negative: a share of all diagonals of dy/dx is below 1",
                               .measured = below,
                               .test = AT_LEAST,
                               .bound = 0.25,
                               .corrects = true});
    claim(lab->claims, (Claim){.id = "can-be-zero",
                               .source = "lecture: \"never vanishes\"",
                               .statement = "with F(x) = -x the derivative is 0",
                               .measured = nothing,
                               .test = EQUALS,
                               .bound = 0,
                               .corrects = true});
    tape_free(tape);
    parameters_free(parameters);
}

/* ---- four combinations, 2 ... 32 layers ----------------------------------------------- */

enum { WITHOUT, NORM_ONLY, RESIDUAL_ONLY, BOTH, COMBINATIONS };
static const char *const combination_name[COMBINATIONS] = {"neither", "norm only", "residual only", "both (Pre-Norm)"};
enum { DEPTHS = 5, RATES = 2, LETTERS = 8, LENGTH = 8, BATCH = 16, WIDTH = 32, HEADS = 4, FFN = 64 };
#define MOST_GRADIENT 1e30 /* where the stream has overflowed and there is no loss */
static const int depths[DEPTHS] = {2, 4, 8, 16, 32};
static const double rates[RATES] = {3e-3, 1e-2};

static Stack combination(int kind, int layers, Rng *rng)
{
    return stack_new((StackSettings){.letters = LETTERS,
                                     .d = WIDTH,
                                     .heads = HEADS,
                                     .feed_forward = FFN,
                                     .layers = layers,
                                     .pre_norm = true,
                                     .robbed = {.no_residual = kind == WITHOUT || kind == NORM_ONLY,
                                                .no_norm = kind == WITHOUT || kind == RESIDUAL_ONLY,
                                                .library = true}},
                     rng);
}

/* Cosine between the states of different places, on average: 1 if all words have
 * become the same word. */
static double sameness(const Tensor *x)
{
    int length = x->shape.dim[1], d = x->shape.dim[2], pairs = 0;
    double sum = 0;
    for (int b = 0; b < x->shape.dim[0]; b++)
        for (int t = 0; t < length; t++)
            for (int s = 0; s < t; s++, pairs++) {
                const real *u = x->data + (b * length + t) * d, *v = x->data + (b * length + s) * d;
                double dot = 0, uu = 0, vv = 0;
                for (int i = 0; i < d; i++) {
                    dot += (double)u[i] * (double)v[i];
                    uu += (double)u[i] * (double)u[i];
                    vv += (double)v[i] * (double)v[i];
                }
                sum += uu > 0 && vv > 0 ? dot / sqrt(uu) / sqrt(vv) : 1;
            }
    return sum / pairs;
}

typedef struct {
    double gradient; /* geometric mean over the starts: ||dL/dW|| of the first layer's FFN */
    double same;     /* cosine between places after the last layer */
    double accuracy; /* after training, the better of the rates */
    double rate;     /* which */
} Outcome;

typedef struct {
    const Lab *lab;
    const TransformerBlock *self;
    int stride; /* 2 under --quick: 2, 8 and 32 layers */
    Outcome outcome[DEPTHS][COMBINATIONS];
} Job;

static double first_gradient(const Lab *lab, int kind, int layers, int start, double *same)
{
    char purpose[32];
    int ids[BATCH * LENGTH], sorted[BATCH * LENGTH];
    Tensor *states[32 + 1];
    snprintf(purpose, sizeof purpose, "start %d", start);
    Rng rng = lab_rng(lab, purpose), letters = lab_rng(lab, "letters at the start");
    Stack stack = combination(kind, layers, &rng);
    Tape *tape = tape_new(1);
    sorting_draw(&letters, LETTERS, BATCH, LENGTH, ids, sorted);
    Tensor *logits = stack_read(tape, &stack, ids, BATCH, LENGTH, states);
    *same = sameness(states[layers]);
    const Tensor *w = stack.block[0].inner.weight;
    Tensor *loss = op_cross_entropy(tape, logits, sorted);
    bool finite = isfinite((double)loss->data[0]);
    double square = finite ? 0 : MOST_GRADIENT * MOST_GRADIENT;
    if (finite)
        tape_backward(tape, loss);
    for (size_t i = 0; finite && i < w->size; i++)
        square += (double)w->grad[i] * (double)w->grad[i];
    tape_free(tape);
    stack_free(&stack);
    return sqrt(square);
}

static void one_outcome(int index, void *context)
{
    Job *job = context;
    int kind = index % COMBINATIONS, depth = DEPTHS - 1 - index / COMBINATIONS; /* the longest first */
    if (depth % job->stride)
        return;
    Outcome *outcome = &job->outcome[depth][kind];
    double logs = 0, same = 0;
    for (int start = 0; start < job->self->starts; start++) {
        double one;
        logs += log64(first_gradient(job->lab, kind, depths[depth], start, &one)) / job->self->starts;
        same += one / job->self->starts;
    }
    *outcome = (Outcome){.gradient = exp64(logs), .same = same, .accuracy = -1};
    for (int r = 0; r < job->self->rates && r < RATES; r++) {
        Rng rng = lab_rng(job->lab, "start 0"), letters = lab_rng(job->lab, "letters of training");
        Stack stack = combination(kind, depths[depth], &rng);
        int steps = job->self->residual_steps;
        Training training = {.length = LENGTH, .batch = BATCH, .steps = steps, .warmup = steps / 5, .rate = rates[r]};
        double accuracy = stack_train(&stack, training, NULL, &letters);
        if (accuracy > outcome->accuracy) {
            outcome->accuracy = accuracy;
            outcome->rate = rates[r];
        }
        stack_free(&stack);
    }
}

static void draw(Lab *lab, const Job *job)
{
    real x[DEPTHS], y[3][DEPTHS];
    Figure *figure = figure_begin(lab->figures, "residual_effect", "Residual and norm: what each does alone");
    figure_layout(figure, 3, 620, 560);
    Panel *panel[3] = {
        figure_panel(figure, "before training: the way back", "layers", "gradient at the first layer"),
        figure_panel(figure, "before training: are all words the same?", "layers", "cosine between places"),
        figure_panel(figure, "after training", "layers", "accuracy of sorting")};
    panel_log_y(panel[0]);
    panel_range_y(panel[1], 0, 1.05);
    panel_range_y(panel[2], 0, 1.05);
    for (int i = 0; i < 3; i++)
        panel_log_x(panel[i]);
    for (int kind = 0; kind < COMBINATIONS; kind++) {
        int n = 0;
        for (int i = 0; i < DEPTHS; i += job->stride, n++) {
            x[n] = (real)depths[i];
            y[0][n] = (real)job->outcome[i][kind].gradient;
            y[1][n] = (real)job->outcome[i][kind].same;
            y[2][n] = (real)job->outcome[i][kind].accuracy;
        }
        for (int i = 0; i < 3; i++)
            panel_line(panel[i], combination_name[kind], x, y[i], n);
    }
    panel_horizontal(panel[2], "guessing", 1.0 / LETTERS);
    figure_end(figure);
}

static void tell(Lab *lab, const Job *job)
{
    trace_table(lab->trace, "residual, norm\tlayers\tgradient at the first\tsame words\taccuracy\trate");
    for (int kind = 0; kind < COMBINATIONS; kind++)
        for (int i = 0; i < DEPTHS; i += job->stride) {
            const Outcome *o = &job->outcome[i][kind];
            trace_row(lab->trace, "%s\t%d\t%.2e\t%.3f\t%.3f\t%g", combination_name[kind], depths[i], o->gradient,
                      o->same, o->accuracy, o->rate);
        }
    trace_table_end(lab->trace);
    trace(lab->trace,
          "\nNeither: every layer takes a share of the gradient, and 32 take all of it. The residual alone: the\n"
          "stream grows in every layer, and the way back with it. The norm alone: the gradient's size looks as\n"
          "healthy as with both, and nothing is learned: each attention averages, without the residual nothing\n"
          "keeps the words apart, and after 32 layers all places hold the same vector (cosine %.3f; Dong 2021).\n"
          "A gradient's size says nothing about what it still knows. Both: it trains at any depth.\n",
          job->outcome[DEPTHS - 1][NORM_ONLY].same);
}

/* What counts as a gradient that is gone, or too large, 30 layers further down. */
#define VANISHES 1e-3
#define EXPLODES 1e3

static void claims(Lab *lab, const Job *job)
{
    const Outcome *deep = job->outcome[DEPTHS - 1], *shallow = job->outcome[0];
    double lowest = 1;
    for (int i = 0; i < DEPTHS; i += job->stride)
        lowest = fmin(lowest, job->outcome[i][BOTH].accuracy);
    claim(lab->claims, (Claim){.id = "neither-vanishes",
                               .source = "lecture: deep stacks are hard to train",
                               .statement = "with neither, the first layer's gradient vanishes: 32 layers over 2",
                               .measured = deep[WITHOUT].gradient / shallow[WITHOUT].gradient,
                               .test = AT_MOST,
                               .bound = VANISHES});
    claim(lab->claims, (Claim){.id = "residual-alone-explodes",
                               .source = "Zhang 2019 (Fixup), section 2",
                               .statement = "with the residual alone it explodes: 32 layers over 2",
                               .measured = deep[RESIDUAL_ONLY].gradient / shallow[RESIDUAL_ONLY].gradient,
                               .test = AT_LEAST,
                               .bound = EXPLODES});
    claim(lab->claims,
          (Claim){.id = "norm-alone-looks-healthy",
                  .source = "the same two bounds",
                  .statement = "with the norm alone the gradient looks healthy, it does neither: 32 layers over 2",
                  .measured = deep[NORM_ONLY].gradient / shallow[NORM_ONLY].gradient,
                  .test = BETWEEN,
                  .bound = VANISHES,
                  .upper = EXPLODES});
    claim(lab->claims, (Claim){.id = "norm-alone-same-words",
                               .source = "Dong 2021: attention alone loses rank",
                               .statement = "but at 32 layers all words have become the same (cosine between places)",
                               .measured = deep[NORM_ONLY].same,
                               .test = AT_LEAST,
                               .bound = 0.95});
    claim(lab->claims, (Claim){.id = "norm-alone-does-not-train",
                               .source = "lecture: residual and norm",
                               .statement = "and it does not train: accuracy at 32 layers (guessing: 0.125)",
                               .measured = deep[NORM_ONLY].accuracy,
                               .test = AT_MOST,
                               .bound = 0.3});
    claim(lab->claims, (Claim){.id = "others-do-not-train",
                               .source = "the same",
                               .statement = "nor do neither and the residual alone (larger accuracy at 32 layers)",
                               .measured = fmax(deep[WITHOUT].accuracy, deep[RESIDUAL_ONLY].accuracy),
                               .test = AT_MOST,
                               .bound = 0.3});
    claim(lab->claims, (Claim){.id = "both-train",
                               .source = "lecture: residual and norm make depth possible",
                               .statement = "with both, all depths from 2 to 32 train (lowest accuracy)",
                               .measured = lowest,
                               .test = AT_LEAST,
                               .bound = 0.85,
                               .skipped = lab->quick ? "trained for too few steps" : NULL});
    claim(lab->claims,
          (Claim){.id = "both-train-deep",
                  .source = "the same",
                  .statement =
                      "with both, 32 layers learn where the other three do not (accuracy, over the best of them)",
                  .measured = deep[BOTH].accuracy - fmax(deep[NORM_ONLY].accuracy,
                                                         fmax(deep[WITHOUT].accuracy, deep[RESIDUAL_ONLY].accuracy)),
                  .test = AT_LEAST,
                  .bound = 0.3});
}

void step_residual(Lab *lab, void *state)
{
    Job job = {.lab = lab, .self = state, .stride = lab->quick ? 2 : 1};
    by_hand(lab);
    trace(lab->trace,
          "\nWhole stacks of 2 to 32 blocks (width %d, %d heads, ReLU), with and without each. Before training: the\n"
          "gradient of the first block's FFN (mean over %d starts). After %d steps of Adam on sorting %d letters\n"
          "(rate %s): accuracy; guessing is %.3f.\n\n",
          WIDTH, HEADS, job.self->starts, job.self->residual_steps, LENGTH,
          job.self->rates == 1 ? "0.003" : "0.003 or 0.01, whichever is better", 1.0 / LETTERS);
    parallel_for(lab->threads, DEPTHS * COMBINATIONS, one_outcome, &job);
    tell(lab, &job);
    draw(lab, &job);
    claims(lab, &job);
}
