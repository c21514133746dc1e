/* Step 1. One step by hand; and the same backwards, for step 4.
 *
 * The lecture writes h_t = tanh(W_hh h_{t-1} + W_xh x_t + b) for columns.  Here a
 * state is a row, so that a batch is a matrix: the same products, written from
 * the other side. */
#include <math.h>

#include "maths.h"
#include "measure.h"
#include "vanishing.h"

/* a_t = x_t W_xh + h_{t-1} W_hh + b      h_t = tanh(a_t)                (Elman 1990) */
RnnStep rnn_step(Tape *tape, const RnnCell *cell, Tensor *x, Tensor *h)
{
    RnnStep step;
    step.from_input = op_matmul(tape, x, cell->W_xh);
    step.from_memory = op_matmul(tape, h, cell->W_hh);
    step.a = op_add(tape, op_add(tape, step.from_input, step.from_memory), cell->b);
    step.h = op_tanh(tape, step.a);
    return step;
}

/* The same as one product: h_t = tanh([x_t, h_{t-1}] [W_xh; W_hh] + b). */
Tensor *rnn_step_concatenated(Tape *tape, const RnnCell *cell, Tensor *x, Tensor *h)
{
    Tensor *both = op_concat(tape, (Tensor *[]){x, h}, 2, 1);                /* [B, X + H] */
    Tensor *W = op_concat(tape, (Tensor *[]){cell->W_xh, cell->W_hh}, 2, 0); /* [X + H, H] */
    return op_tanh(tape, op_add(tape, op_matmul(tape, both, W), cell->b));
}

/* ---- a network for paper ----------------------------------------------------- */

enum { WORDS = 3, UNITS = 2, CLASSES = 2 };
static const char *const words[WORDS] = {"나는", "너를", "사랑해"};
static const char *const classes[CLASSES] = {"positive", "negative"};

typedef struct {
    RnnCell cell;
    Tensor *W_hy;         /* [2, 2] */
    Tensor *x[WORDS];     /* [1, 3] one-hot */
    Tensor *h[WORDS + 1]; /* [1, 2]; h[0] = 0 */
    RnnStep step[WORDS];
    Tensor *logits, *y; /* [1, 2] */
} Tiny;

static Tensor *numbers(Tape *tape, Where where, const char *name, Shape shape, const real *values)
{
    Tensor *tensor = tape_variable(tape, name, shape, values);
    tensor->where = where;
    return tensor;
}

static Tiny tiny_new(Tape *tape)
{
    static const real W_xh[] = {(real)0.5, (real)-0.3, (real)0.8, (real)0.2, (real)0.1, (real)0.9};
    static const real W_hh[] = {(real)0.6, (real)-0.4, (real)0.3, (real)0.7};
    static const real b[] = {(real)0.1, (real)-0.2};
    static const real W_hy[] = {(real)1.0, (real)-1.0, (real)0.5, (real)-0.5};
    static const real zero[UNITS] = {0};
    static const real one_hot[WORDS][WORDS] = {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}};
    Tiny tiny = {.cell = {.W_xh = numbers(tape, HERE, "W_xh", SHAPE(WORDS, UNITS), W_xh),
                          .W_hh = numbers(tape, HERE, "W_hh", SHAPE(UNITS, UNITS), W_hh),
                          .b = numbers(tape, HERE, "b", SHAPE(UNITS), b)}};
    tiny.W_hy = numbers(tape, HERE, "W_hy", SHAPE(UNITS, CLASSES), W_hy);
    tiny.h[0] = numbers(tape, HERE, "h_0", SHAPE(1, UNITS), zero);
    for (int t = 0; t < WORDS; t++)
        tiny.x[t] = numbers(tape, HERE, "x", SHAPE(1, WORDS), one_hot[t]);
    return tiny;
}

/* y = softmax(h_3 W_hy) after three words. */
static void tiny_run(Tape *tape, Tiny *tiny)
{
    for (int t = 0; t < WORDS; t++) {
        tiny->step[t] = rnn_step(tape, &tiny->cell, tiny->x[t], tiny->h[t]);
        tiny->h[t + 1] = tiny->step[t].h;
    }
    tiny->logits = op_matmul(tape, tiny->h[WORDS], tiny->W_hy);
    tiny->y = op_softmax(tape, tiny->logits, NULL);
}

/* NAME = EQUATION above its numbers, with the line that computed them. */
static void show(Lab *lab, const Tensor *tensor, const char *equation, const char *const *labels)
{
    trace_vector(lab->trace, tensor->where, equation, tensor->data, (int)tensor->size, labels, 4);
}

static void show_matrix(Lab *lab, const Tensor *tensor, const char *name, const char *const *rows)
{
    trace_matrix(lab->trace, tensor->where, name, tensor->data, tensor_rows(tensor), tensor_columns(tensor), rows, NULL,
                 4);
}

static void trace_forward(Lab *lab, const Tiny *tiny)
{
    trace(lab->trace, "Three words, two units of memory, two classes; small enough for paper.  Each word\n"
                      "is a one-hot vector, so x_t W_xh is a row of W_xh (lab 01).\n\n");
    show_matrix(lab, tiny->cell.W_xh, "W_xh", words);
    show_matrix(lab, tiny->cell.W_hh, "W_hh", NULL);
    show(lab, tiny->cell.b, "b", NULL);
    trace(lab->trace, "\nThe first word, 나는.  Nothing has been read yet: h_0 = 0.\n\n");
    show(lab, tiny->step[0].from_input, "x_1 W_xh", NULL);
    show(lab, tiny->step[0].from_memory, "h_0 W_hh", NULL);
    show(lab, tiny->step[0].a, "a_1 = x_1 W_xh + h_0 W_hh + b", NULL);
    show(lab, tiny->step[0].h, "h_1 = tanh(a_1)", NULL);
    trace(lab->trace, "\nThe second, 너를, is added to what the first has left behind:\n\n");
    show(lab, tiny->step[1].from_input, "x_2 W_xh", NULL);
    show(lab, tiny->step[1].from_memory, "h_1 W_hh", NULL);
    show(lab, tiny->step[1].a, "a_2 = x_2 W_xh + h_1 W_hh + b", NULL);
    show(lab, tiny->step[1].h, "h_2 = tanh(a_2)", NULL);
    trace(lab->trace, "\nThe third, 사랑해, with the same W_xh, W_hh and b:\n\n");
    show(lab, tiny->step[2].a, "a_3 = x_3 W_xh + h_2 W_hh + b", NULL);
    show(lab, tiny->step[2].h, "h_3 = tanh(a_3)", NULL);
    trace(lab->trace, "\nWhat has been read is judged from the last state:\n\n");
    show_matrix(lab, tiny->W_hy, "W_hy", NULL);
    show(lab, tiny->logits, "h_3 W_hy", classes);
    show(lab, tiny->y, "y = softmax(h_3 W_hy)", classes);
}

/* The two ways to write a step, over all three words. */
static double concatenation_differs(Tape *tape, const Tiny *tiny)
{
    double largest = 0;
    Tensor *h = tiny->h[0];
    for (int t = 0; t < WORDS; t++) {
        h = rnn_step_concatenated(tape, &tiny->cell, tiny->x[t], h);
        largest = fmax(largest, largest_difference(h->data, tiny->h[t + 1]->data, UNITS));
    }
    return largest;
}

/* Weights of a recurrent network against those of the feed-forward network that
 * it becomes when unrolled over T words, each layer with weights of its own. */
static void count_parameters(Lab *lab)
{
    const long v = 50000, h = 100, c = 2; /* the lecture's sizes */
    static const int lengths[] = {1, 5, 20, 100};
    trace(lab->trace, "\nUnrolled over T words it is a feed-forward network of T layers, all of which share\n"
                      "their weights.  With the lecture's sizes (V = 50000, h = 100, 2 classes):\n\n");
    trace_table(lab->trace, "words T\tshared weights\tweights of its own in each layer\tratio");
    double ratio = 0;
    for (int i = 0; i < 4; i++) {
        long cell = v * h + h * h + h, shared = cell + h * c, own = lengths[i] * cell + h * c;
        ratio = (double)own / (double)shared;
        trace_row(lab->trace, "%d\t%ld\t%ld\t%.2f", lengths[i], shared, own, ratio);
    }
    trace_table_end(lab->trace);
    trace(lab->trace, "\nA sentence may be of any length: there is no more to learn for it.\n");
    claim(lab->claims,
          (Claim){.id = "shared-weights",
                  .source = "lecture: weights are shared over time",
                  .statement = "unrolled over 100 words, a feed-forward network with weights of its own in "
                               "each layer has this many times the recurrent network's",
                  .measured = ratio,
                  .test = BETWEEN,
                  .bound = 99,
                  .upper = 100});
}

void step_by_hand(Lab *lab, void *state)
{
    (void)state;
    Tape *tape = tape_new(1);
    Tiny tiny = tiny_new(tape);
    tiny_run(tape, &tiny);
    trace(lab->trace, "    h_t = tanh(W_hh h_{t-1} + W_xh x_t + b)     y = softmax(W_hy h_T)\n\n"
                      "The lecture writes columns.  Here vectors are rows, so that a batch of them is a\n"
                      "matrix; the products are the same, written from the other side.\n\n");
    trace_forward(lab, &tiny);

    double differs = concatenation_differs(tape, &tiny);
    trace(lab->trace,
          "\nThe same with word and memory side by side and the two matrices stacked:\n"
          "h_t = tanh([x_t, h_{t-1}] [W_xh; W_hh] + b).  Largest difference in any state: %.1e\n",
          differs);
    claim(lab->claims, (Claim){.id = "concatenation",
                               .source = "lecture: the same written with [x, h]",
                               .statement = "one product with [x, h] gives the same states (largest difference)",
                               .measured = differs,
                               .test = AT_MOST,
                               .bound = 1e-6});
    count_parameters(lab);
    tape_free(tape);
}

/* ---- backwards --------------------------------------------------------------- */

/* What the way back computes; index t stands for time t + 1. */
typedef struct {
    Tensor *d_logits, *dW_hy;
    Tensor *dh[WORDS], *slope[WORDS], *da[WORDS];
    Tensor *dW_hh[WORDS]; /* the share of each step */
    Tensor *sum_W_hh;
} Backward;

/* Cross-entropy after softmax: d_logits = y - target.  Then, for t = T ... 1:
 *     da_t = dh_t (1 - h_t^2)         the derivative of tanh
 *     dW_hh gets h_{t-1}^T da_t       the share of step t
 *     dh_{t-1} = da_t W_hh^T          the way to the step before                 */
static Backward tiny_backward(Tape *tape, const Tiny *tiny, const Tensor *target)
{
    Backward back;
    Tensor *one = tape_input(tape, "1", SHAPE(1, UNITS), (const real[UNITS]){1, 1});
    Tensor *wanted = tape_input(tape, "target", SHAPE(1, CLASSES), target->data);
    back.d_logits = op_subtract(tape, tiny->y, wanted);
    back.dW_hy = op_matmul(tape, op_transpose(tape, tiny->h[WORDS], 0, 1), back.d_logits);
    back.dh[WORDS - 1] = op_matmul_transposed(tape, back.d_logits, tiny->W_hy);
    for (int t = WORDS - 1; t >= 0; t--) {
        Tensor *h = tiny->h[t + 1];
        back.slope[t] = op_subtract(tape, one, op_multiply(tape, h, h));
        back.da[t] = op_multiply(tape, back.dh[t], back.slope[t]);
        back.dW_hh[t] = op_matmul(tape, op_transpose(tape, tiny->h[t], 0, 1), back.da[t]);
        back.sum_W_hh = t == WORDS - 1 ? back.dW_hh[t] : op_add(tape, back.sum_W_hh, back.dW_hh[t]);
        if (t > 0)
            back.dh[t - 1] = op_matmul_transposed(tape, back.da[t], tiny->cell.W_hh);
    }
    return back;
}

static void trace_backward(Lab *lab, const Tiny *tiny, const Backward *back)
{
    trace(lab->trace, "The network of step 1, now the other way.  The right answer is `positive`:\n\n");
    show(lab, tiny->y, "y = softmax(h_3 W_hy)", classes);
    show(lab, back->d_logits, "dL/dlogits = y - (1 0)", classes);
    show_matrix(lab, back->dW_hy, "dL/dW_hy = h_3^T dL/dlogits", NULL);
    static const char *const to_state[] = {"dL/dh_1 = dL/da_2 W_hh^T", "dL/dh_2 = dL/da_3 W_hh^T",
                                           "dL/dh_3 = dL/dlogits W_hy^T"};
    static const char *const slopes[] = {"tanh'(a_1) = 1 - h_1^2", "tanh'(a_2) = 1 - h_2^2", "tanh'(a_3) = 1 - h_3^2"};
    static const char *const to_sum[] = {"dL/da_1 = dL/dh_1 (1 - h_1^2)", "dL/da_2 = dL/dh_2 (1 - h_2^2)",
                                         "dL/da_3 = dL/dh_3 (1 - h_3^2)"};
    static const char *const shares[] = {"share of step 1 in dL/dW_hh = h_0^T dL/da_1, and h_0 = 0",
                                         "share of step 2 in dL/dW_hh = h_1^T dL/da_2",
                                         "share of step 3 in dL/dW_hh = h_2^T dL/da_3"};
    for (int t = WORDS - 1; t >= 0; t--) {
        trace(lab->trace, "\nStep %d, %s:\n\n", t + 1, words[t]);
        show(lab, back->dh[t], to_state[t], NULL);
        show(lab, back->slope[t], slopes[t], NULL);
        show(lab, back->da[t], to_sum[t], NULL);
        show_matrix(lab, back->dW_hh[t], shares[t], NULL);
    }
    trace(lab->trace, "\nThe weights are shared, so their gradient is the sum of what every step asks for:\n\n");
    show_matrix(lab, back->sum_W_hh, "dL/dW_hh = the three shares together", NULL);
}

/* How much of the loss arrives at each step, as bars. */
static void draw_backward(Figure *figure, const Backward *back)
{
    static const char *const steps[WORDS] = {"1 나는", "2 너를", "3 사랑해"};
    real to_state[WORDS], shares[WORDS];
    for (int t = 0; t < WORDS; t++) {
        to_state[t] = (real)norm_of(back->dh[t]->data, UNITS);
        shares[t] = (real)norm_of(back->dW_hh[t]->data, UNITS * UNITS);
    }
    Panel *panel = figure_panel(figure, "Three steps by hand", "step", "norm");
    panel_bars(panel, "dL/dh_t", steps, to_state, NULL, WORDS);
    panel_bars(panel, "share in dL/dW_hh", steps, shares, NULL, WORDS);
}

void bptt_by_hand(Lab *lab, Figure *figure)
{
    Tape *tape = tape_new(1), *hand = tape_new(1);
    Tiny tiny = tiny_new(tape), copy = tiny_new(hand);
    tiny_run(tape, &tiny);
    tape_record(hand, false);
    tiny_run(hand, &copy);
    Tensor *target = tape_input(hand, "target", SHAPE(1, CLASSES), (const real[CLASSES]){1, 0});
    Backward back = tiny_backward(hand, &copy, target);
    trace_backward(lab, &copy, &back);
    draw_backward(figure, &back);

    tape_backward(tape, op_cross_entropy(tape, tiny.logits, (const int[]){0}));
    double differs = largest_difference(back.sum_W_hh->data, tiny.cell.W_hh->grad, UNITS * UNITS);
    for (int t = 0; t < WORDS; t++)
        differs = fmax(differs, largest_difference(back.dh[t]->data, tiny.h[t + 1]->grad, UNITS));
    trace(lab->trace, "\nThe tape, which differentiates by itself, finds the same; largest difference %.1e\n", differs);
    claim(lab->claims,
          (Claim){.id = "bptt-by-hand",
                  .source = "lecture: backpropagation through time; Werbos 1990",
                  .statement = "written out over three steps it is the tape's gradient (largest difference)",
                  .measured = differs,
                  .test = AT_MOST,
                  .bound = 1e-6});
    tape_free(tape);
    tape_free(hand);
}
