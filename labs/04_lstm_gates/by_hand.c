/* Steps 1 and 2. One step of an LSTM and one of a GRU, by hand. */
#include <math.h>
#include <string.h>

#include "gates.h"
#include "measure.h"

enum { IN = 2, H = 3, MOST_GATES = 4 * H };

static const char *const units[H] = {"unit 1", "unit 2", "unit 3"};
static const char *const lstm_columns[4 * H] = {"i1", "i2", "i3", "f1", "f2", "f3", "g1", "g2", "g3", "o1", "o2", "o3"};
static const char *const gru_columns[3 * H] = {"r1", "r2", "r3", "z1", "z2", "z3", "n1", "n2", "n3"};

/* Weights of the worked examples: gates side by side, i f g o and r z n. */
typedef struct {
    real input[IN * MOST_GATES], past[H * MOST_GATES], bias[MOST_GATES];
} Weights;

// clang-format off
static const Weights LSTM_WEIGHTS = {
    .input = {/* i */ 1.0, -0.5, 0.5,  /* f */ 0.5, 1.0, -1.0,  /* g */ 1.5, 0.5, -1.0, /* o */ 0.5, -0.5, 1.0,
              /* i */ 0.5, 1.0, -1.5,  /* f */ -0.5, 0.5, 1.0,  /* g */ -0.5, 1.0, 0.5, /* o */ 1.0, 0.5, -0.5},
    .past = {/* i */ 0.5, -1.0, 0.0,   /* f */ 1.0, 0.0, 0.5,   /* g */ 0.5, -0.5, 1.0, /* o */ 0.0, 1.0, -0.5,
             /* i */ -0.5, 0.5, 1.0,   /* f */ 0.0, 1.0, -0.5,  /* g */ 1.0, 0.5, 0.0,  /* o */ 0.5, 0.0, 1.0,
             /* i */ 1.0, 0.0, -0.5,   /* f */ 0.5, -0.5, 1.0,  /* g */ 0.0, 1.0, -0.5, /* o */ -0.5, 1.0, 0.5},
    .bias = {/* i */ 0.0, 0.0, 0.0,    /* f */ 1.0, 1.0, 1.0,   /* g */ 0.0, 0.0, 0.0,  /* o */ 0.2, 0.2, 0.2},
};
static const Weights GRU_WEIGHTS = {
    .input = {/* r */ 1.0, -0.5, 0.5,  /* z */ 0.5, 1.0, -1.0,  /* n */ 1.5, 0.5, -1.0,
              /* r */ 0.5, 1.0, -1.5,  /* z */ -0.5, 0.5, 1.0,  /* n */ -0.5, 1.0, 0.5},
    .past = {/* r */ 0.5, -1.0, 0.0,   /* z */ 1.0, 0.0, 0.5,   /* n */ 0.5, -0.5, 1.0,
             /* r */ -0.5, 0.5, 1.0,   /* z */ 0.0, 1.0, -0.5,  /* n */ 1.0, 0.5, 0.0,
             /* r */ 1.0, 0.0, -0.5,   /* z */ 0.5, -0.5, 1.0,  /* n */ 0.0, 1.0, -0.5},
    .bias = {/* r */ 0.0, 0.0, 0.0,    /* z */ 1.0, 1.0, 1.0,   /* n */ 0.0, 0.0, 0.0},
};
/* The state before, and three words one after the other. */
static const real H_BEFORE[H] = {(real)0.2, (real)-0.4, (real)0.1};
static const real C_BEFORE[H] = {(real)0.8, (real)-0.5, (real)0.3};
enum { WORDS = 3 };
static const real X[WORDS][IN] = {{(real)0.5, (real)-1.0}, {(real)1.0, (real)0.5}, {(real)-1.0, (real)0.2}};
// clang-format on

static Recurrent layer_with(Parameters *parameters, CellKind kind, const Weights *weights)
{
    Rng rng = rng_new(0, "replaced at once");
    Recurrent layer = recurrent_new(parameters, "layer", kind, IN, H, &rng);
    memcpy(layer.input_weight->data, weights->input, layer.input_weight->size * sizeof(real));
    memcpy(layer.weight->data, weights->past, layer.weight->size * sizeof(real));
    memcpy(layer.bias->data, weights->bias, layer.bias->size * sizeof(real));
    for (int j = 0; layer.recurrent_bias && j < 3 * H; j++)
        layer.recurrent_bias->data[j] = 0;
    return layer; /* cppcheck-suppress returnDanglingLifetime */
}

static void show_layer(Lab *lab, const Recurrent *layer, const char *const *columns)
{
    static const char *const inputs[IN] = {"x1", "x2"}, *const past[H] = {"h1", "h2", "h3"};
    int gates = tensor_columns(layer->weight);
    trace_matrix(lab->trace, HERE, "W_x: from the word", layer->input_weight->data, IN, gates, inputs, columns, 1);
    trace_matrix(lab->trace, HERE, "W_h: from the state before", layer->weight->data, H, gates, past, columns, 1);
    trace_vector(lab->trace, HERE, "b", layer->bias->data, gates, columns, 1);
}

/* A row of three units with its equation and the line that computed it. */
static void show(Lab *lab, const char *equation, const Tensor *y)
{
    trace_equation(lab->trace, y->where, "%s", equation);
    trace_vector(lab->trace, y->where, y->name, y->data, H, units, 4);
}

/* ---- step 1: forward ------------------------------------------------------------------ */

static void show_step(Lab *lab, const LstmStep *s)
{
    show(lab, "f_t = sigmoid(x W_xf + h' W_hf + b_f)      the forget gate", s->f);
    show(lab, "i_t = sigmoid(x W_xi + h' W_hi + b_i)      the input gate", s->i);
    show(lab, "g_t = tanh(x W_xg + h' W_hg + b_g)         the candidate", s->g);
    show(lab, "o_t = sigmoid(x W_xo + h' W_ho + b_o)      the output gate", s->o);
    show(lab, "f_t c'                                     what is kept", s->kept);
    show(lab, "i_t g_t                                    what is added", s->added);
    show(lab, "c_t = f_t c' + i_t g_t", s->c);
    show(lab, "h_t = o_t tanh(c_t)", s->h);
}

/* ---- step 1: backward ----------------------------------------------------------------- */

typedef struct {
    real dc_before[H], dh_before[H], da[4 * H];
} Backward;

/* From dL/dh_t, with no other use of c_t, to the state before: plain loops. */
static Backward backward_by_hand(Lab *lab, const LstmStep *s, const Recurrent *layer, const real *dh)
{
    Trace *out = lab->trace;
    const real *f = s->f->data, *i = s->i->data, *g = s->g->data, *o = s->o->data, *c = s->c->data;
    real tanh_c[H], dc[H];
    Backward b = {0};

    for (int j = 0; j < H; j++) {
        tanh_c[j] = s->h->data[j] / o[j];
        dc[j] = dh[j] * o[j] * (1 - tanh_c[j] * tanh_c[j]);
    }
    trace_equation(out, HERE, "dL/dc_t = dL/dh_t o_t (1 - tanh(c_t)^2)");
    trace_vector(out, HERE, "dL/dc", dc, H, units, 4);

    for (int j = 0; j < H; j++)
        b.dc_before[j] = dc[j] * f[j];
    trace_equation(out, HERE, "dL/dc' = dL/dc_t f_t                       the highway");
    trace_vector(out, HERE, "dL/dc'", b.dc_before, H, units, 4);

    for (int j = 0; j < H; j++) {
        b.da[LSTM_INPUT * H + j] = dc[j] * g[j] * i[j] * (1 - i[j]);
        b.da[LSTM_FORGET * H + j] = dc[j] * C_BEFORE[j] * f[j] * (1 - f[j]);
        b.da[LSTM_CANDIDATE * H + j] = dc[j] * i[j] * (1 - g[j] * g[j]);
        b.da[LSTM_OUTPUT * H + j] = dh[j] * tanh_c[j] * o[j] * (1 - o[j]);
    }
    trace_equation(out, HERE, "da: the same before the gates' sigmoids and tanh;");
    trace_equation(out, HERE, "  da_i = dc g i (1 - i)                    da_f = dc c' f (1 - f)");
    trace_equation(out, HERE, "  da_g = dc i (1 - g^2)                    da_o = dh tanh(c) o (1 - o)");
    trace_vector(out, HERE, "da", b.da, 4 * H, lstm_columns, 4);

    for (int k = 0; k < H; k++)
        for (int a = 0; a < 4 * H; a++)
            b.dh_before[k] += b.da[a] * layer->weight->data[k * 4 * H + a];
    trace_equation(out, HERE, "dL/dh'_k = sum_a da_a W_h[k, a]            through every gate");
    trace_vector(out, HERE, "dL/dh'", b.dh_before, H, units, 4);
    (void)c;
    return b;
}

/* The worked step, forward and backward; returns it on TAPE. */
static LstmStep by_hand(Lab *lab, Tape *tape, const Recurrent *layer)
{
    static const real upstream[H] = {1, (real)-0.5, (real)0.25};
    Tensor *x = tape_input(tape, "x", SHAPE(1, IN), X[0]);
    Tensor *h = tape_variable(tape, "h'", SHAPE(1, H), H_BEFORE);
    Tensor *c = tape_variable(tape, "c'", SHAPE(1, H), C_BEFORE);
    trace_vector(lab->trace, x->where, "x_t: the word", x->data, IN, NULL, 1);
    trace_vector(lab->trace, h->where, "h': the hidden state before", h->data, H, units, 1);
    trace_vector(lab->trace, c->where, "c': the cell before", c->data, H, units, 1);
    trace(lab->trace, "\nForward.  Products without a matrix are element by element: each unit has its own gates.\n\n");
    LstmStep s = lstm_step(tape, layer, x, h, c);
    show_step(lab, &s);

    trace(lab->trace, "\nBackward, from a given dL/dh_t:\n\n");
    trace_vector(lab->trace, HERE, "dL/dh (given)", upstream, H, units, 2);
    Backward b = backward_by_hand(lab, &s, layer, upstream);
    Tensor *weights = tape_input(tape, "dL/dh", SHAPE(1, H), upstream);
    Tensor *weighted = op_multiply(tape, s.h, weights);
    tape_backward(tape, op_sum(tape, weighted));
    double worst = largest_difference(b.dc_before, c->grad, H);
    worst = fmax(worst, largest_difference(b.dh_before, h->grad, H));
    worst = fmax(worst, largest_difference(b.da, layer->bias->grad, 4 * H));
    claim(lab->claims, (Claim){.id = "lstm-gradient-by-hand",
                               .statement = "the gradients of one step worked out by hand (dL/dc', dL/dh', dL/db) are "
                                            "those of backpropagation",
                               .source = "lecture: LSTM; Hochreiter & Schmidhuber 1997, appendix A",
                               .measured = worst,
                               .test = AT_MOST,
                               .bound = 1e-6});
    return s;
}

/* ---- step 1: the extremes ------------------------------------------------------------- */

typedef struct {
    const char *label;
    real forget, input; /* biases far out: the gates are nearly 0 or 1 whatever x and h' say */
    real c[H];
} Extreme;

static void run_extreme(const Recurrent *layer, Extreme *extreme, real *g)
{
    Tape *tape = tape_new(1);
    tape_record(tape, false);
    recurrent_set_bias(layer, LSTM_FORGET, extreme->forget);
    recurrent_set_bias(layer, LSTM_INPUT, extreme->input);
    LstmStep s =
        lstm_step(tape, layer, tape_input(tape, "x", SHAPE(1, IN), X[0]), tape_input(tape, "h'", SHAPE(1, H), H_BEFORE),
                  tape_input(tape, "c'", SHAPE(1, H), C_BEFORE));
    memcpy(extreme->c, s.c->data, sizeof extreme->c);
    memcpy(g, s.g->data, H * sizeof *g);
    tape_free(tape);
}

/* Unit 1 keeps, unit 2 replaces, unit 3 adds, in the same step. */
static void run_mixed(Lab *lab, const Recurrent *layer, const real *g)
{
    static const real forget[H] = {12, -12, 12}, input[H] = {-12, 12, 12};
    Extreme mixed = {"each unit its own way", 0, 0, {0}};
    real expected[H] = {C_BEFORE[0], g[1], C_BEFORE[2] + g[2]}, ignored[H];
    Tape *tape = tape_new(1);
    tape_record(tape, false);
    memcpy(layer->bias->data + LSTM_FORGET * H, forget, sizeof forget);
    memcpy(layer->bias->data + LSTM_INPUT * H, input, sizeof input);
    LstmStep s =
        lstm_step(tape, layer, tape_input(tape, "x", SHAPE(1, IN), X[0]), tape_input(tape, "h'", SHAPE(1, H), H_BEFORE),
                  tape_input(tape, "c'", SHAPE(1, H), C_BEFORE));
    memcpy(mixed.c, s.c->data, sizeof mixed.c);
    memcpy(ignored, s.f->data, sizeof ignored);
    trace(lab->trace, "\nGates are vectors.  One step in which unit 1 keeps, unit 2 replaces and unit 3 adds:\n\n");
    trace_vector(lab->trace, s.f->where, "f", s.f->data, H, units, 4);
    trace_vector(lab->trace, s.i->where, "i", s.i->data, H, units, 4);
    trace_vector(lab->trace, s.c->where, "c", s.c->data, H, units, 4);
    claim(lab->claims, (Claim){.id = "gates-are-vectors",
                               .statement = "in one step one unit keeps its cell, one replaces it and one adds to it: "
                                            "each unit has gates of its own (largest difference)",
                               .source = "lecture: f_t (element-wise product) c_{t-1}",
                               .measured = largest_difference(mixed.c, expected, H),
                               .test = AT_MOST,
                               .bound = 1e-3});
    tape_free(tape);
}

/* One unit over time: c_t = f c_{t-1} + i g_t with gates held fixed. */
static void draw_extremes(Lab *lab, const Extreme *extremes, int n, const real *g)
{
    enum { STEPS = 24, LINES = 4 };
    static const struct {
        const char *label;
        real f, i;
    } fixed[LINES] = {{"f = 0, i = 1: follows the input", 0, 1},
                      {"f = 1, i = 0: keeps its first value", 1, 0},
                      {"f = 1, i = 1: adds everything up", 1, 1},
                      {"f = 0.8, i = 1: adds and leaks", (real)0.8, 1}};
    const char *rows[6] = {"c before", "candidate g"};
    real cells[6 * H], step[STEPS], input[STEPS] = {0}, c[STEPS] = {0};
    memcpy(cells, C_BEFORE, sizeof C_BEFORE);
    memcpy(cells + H, g, H * sizeof *g);
    for (int e = 0; e < n; e++) {
        rows[2 + e] = extremes[e].label;
        memcpy(cells + (size_t)(2 + e) * H, extremes[e].c, H * sizeof *cells);
    }
    Figure *figure =
        figure_begin(lab->figures, "gate_extremes", "What a cell does when its gates are all open or shut");
    figure_layout(figure, 2, 720, 480);
    panel_heatmap(figure_panel(figure, "one step: the new cell", NULL, NULL), cells, 2 + n, H, rows, units, SIGNED);
    Panel *panel = figure_panel(figure, "one unit over time", "step", "cell");
    input[4] = 1;
    input[11] = (real)-0.6;
    input[17] = (real)0.8;
    for (int t = 0; t < STEPS; t++)
        step[t] = (real)t;
    for (int line = 0; line < LINES; line++) {
        for (int t = 0; t < STEPS; t++)
            c[t] = fixed[line].f * (t > 0 ? c[t - 1] : (real)0.5) + fixed[line].i * input[t];
        panel_line(panel, fixed[line].label, step, c, STEPS);
    }
    figure_end(figure);
}

static void extremes(Lab *lab, const Recurrent *layer)
{
    enum { CASES = 4 };
    Extreme cases[CASES] = {{"f=0 i=1: drop", -12, 12, {0}},
                            {"f=1 i=0: keep", 12, -12, {0}},
                            {"f=1 i=1: add", 12, 12, {0}},
                            {"f=0 i=0: wipe", -12, -12, {0}}};
    real g[H];
    trace(lab->trace, "\nThe lecture's extremes: biases of +12 or -12 push the gates of the same step to 1 or 0.\n\n");
    trace_table(lab->trace, "case\tunit 1\tunit 2\tunit 3\tc_t is");
    static const char *const meaning[CASES] = {"g_t: the past is dropped", "c': the present is ignored", "c' + g_t",
                                               "0"};
    for (int e = 0; e < CASES; e++) {
        run_extreme(layer, &cases[e], g);
        if (e == 0) {
            trace_row(lab->trace, "c' (before)\t%.4f\t%.4f\t%.4f\t", (double)C_BEFORE[0], (double)C_BEFORE[1],
                      (double)C_BEFORE[2]);
            trace_row(lab->trace, "g_t (candidate)\t%.4f\t%.4f\t%.4f\t", (double)g[0], (double)g[1], (double)g[2]);
        }
        trace_row(lab->trace, "%s\t%.4f\t%.4f\t%.4f\t%s", cases[e].label, (double)cases[e].c[0], (double)cases[e].c[1],
                  (double)cases[e].c[2], meaning[e]);
    }
    trace_table_end(lab->trace);
    claim(lab->claims, (Claim){.id = "past-dropped",
                               .statement = "with f near 0 and i near 1 the new cell is the candidate: the past is "
                                            "dropped (largest difference)",
                               .source = "lecture: f = 0, i = 1",
                               .measured = largest_difference(cases[0].c, g, H),
                               .test = AT_MOST,
                               .bound = 1e-3});
    claim(lab->claims, (Claim){.id = "present-ignored",
                               .statement = "with f near 1 and i near 0 the new cell is the old one: the present is "
                                            "ignored (largest difference)",
                               .source = "lecture: f = 1, i = 0",
                               .measured = largest_difference(cases[1].c, C_BEFORE, H),
                               .test = AT_MOST,
                               .bound = 1e-3});
    run_mixed(lab, layer, g);
    draw_extremes(lab, cases, CASES, g);
}

/* ---- step 1: the written-out step and the fast layer ------------------------------------ */

typedef struct {
    double states, gradients; /* largest differences */
} Agreement;

/* Both ways over a whole random sequence, the same loss, all gradients. */
static Agreement written_out_against_fast(CellKind kind, Rng *rng)
{
    enum { STEPS = 12, BATCH = 4, INPUTS = 5, HIDDEN = 8 };
    Agreement worst = {0, 0};
    Parameters *parameters = parameters_new();
    Recurrent layer = recurrent_new(parameters, "layer", kind, INPUTS, HIDDEN, rng);
    Tape *tape = tape_new(1);
    Tensor *x = tape_variable(tape, "x", SHAPE(STEPS, BATCH, INPUTS), NULL);
    Tensor *weights = tape_input(tape, "weights of the loss", SHAPE(STEPS, BATCH, HIDDEN), NULL);
    for (size_t i = 0; i < x->size; i++)
        x->data[i] = rng_normal(rng);
    for (size_t i = 0; i < weights->size; i++)
        weights->data[i] = rng_normal(rng);

    Tensor *fast = recurrent(tape, &layer, x, NULL, (Sequence){0}), *all[STEPS];
    Tensor *h = tape_input(tape, "h", SHAPE(BATCH, HIDDEN), NULL),
           *c = tape_input(tape, "c", SHAPE(BATCH, HIDDEN), NULL);
    for (int t = 0; t < STEPS; t++) {
        Tensor *slice = op_slice(tape, x, 0, t, t + 1);
        Tensor *x_t = op_reshape(tape, slice, SHAPE(BATCH, INPUTS));
        if (kind == CELL_LSTM) {
            LstmStep s = lstm_step(tape, &layer, x_t, h, c);
            h = s.h, c = s.c;
        } else {
            h = gru_step(tape, &layer, x_t, h, RESET_AFTER_PRODUCT).h;
        }
        all[t] = op_reshape(tape, h, SHAPE(1, BATCH, HIDDEN));
    }
    Tensor *slow = op_concat(tape, all, STEPS, 0);
    worst.states = largest_difference(fast->data, slow->data, fast->size);

    Tensor *ways[2] = {fast, slow};
    real *gradient[2][4] = {{NULL}};
    Tensor *of[4] = {x, layer.input_weight, layer.weight, layer.bias};
    for (int way = 0; way < 2; way++) {
        Tensor *weighted = op_multiply(tape, ways[way], weights);
        tape_backward(tape, op_sum(tape, weighted));
        for (int i = 0; i < 4; i++)
            gradient[way][i] = memcpy(arena_get(parameters->arena, of[i]->size * sizeof(real)), of[i]->grad,
                                      of[i]->size * sizeof(real));
    }
    for (int i = 0; i < 4; i++)
        worst.gradients = fmax(worst.gradients, largest_difference(gradient[0][i], gradient[1][i], of[i]->size));
    tape_free(tape);
    parameters_free(parameters);
    return worst;
}

static void draw_steps(Lab *lab, const Recurrent *layer)
{
    enum { ROWS = 10 };
    static const char *const rows[ROWS] = {"h before", "c before", "f", "i", "g", "f c", "i g", "c", "o", "h"};
    static const char *const titles[WORDS] = {"step 1 (the one by hand)", "step 2", "step 3"};
    Figure *figure =
        figure_begin(lab->figures, "lstm_step", "Three steps of one LSTM of three units: f, i, g, o, c, h");
    figure_layout(figure, WORDS, 460, 620);
    Tape *tape = tape_new(1);
    tape_record(tape, false);
    Tensor *h = tape_input(tape, "h", SHAPE(1, H), H_BEFORE), *c = tape_input(tape, "c", SHAPE(1, H), C_BEFORE);
    for (int t = 0; t < WORDS; t++) {
        LstmStep s = lstm_step(tape, layer, tape_input(tape, "x", SHAPE(1, IN), X[t]), h, c);
        const Tensor *parts[ROWS] = {h, c, s.f, s.i, s.g, s.kept, s.added, s.c, s.o, s.h};
        real cells[ROWS * H];
        for (int r = 0; r < ROWS; r++)
            memcpy(cells + r * H, parts[r]->data, H * sizeof(real));
        panel_heatmap(figure_panel(figure, titles[t], NULL, NULL), cells, ROWS, H, rows, units, SIGNED);
        h = s.h, c = s.c;
    }
    tape_free(tape);
    figure_end(figure);
}

void step_lstm(Lab *lab, void *state)
{
    (void)state;
    Parameters *parameters = parameters_new();
    Recurrent layer = layer_with(parameters, CELL_LSTM, &LSTM_WEIGHTS);
    Tape *tape = tape_new(1);
    trace(lab->trace, "A cell c runs through time beside the hidden state h, and three gates, each a vector of\n"
                      "numbers between 0 and 1, decide what it keeps (f), takes in (i) and shows (o).\n"
                      "Vectors are rows here: x W, with the weights of the gates i f g o side by side.\n\n");
    show_layer(lab, &layer, lstm_columns);
    by_hand(lab, tape, &layer);
    tape_free(tape);
    draw_steps(lab, &layer);
    extremes(lab, &layer);

    Rng rng = lab_rng(lab, "written out, LSTM");
    Agreement a = written_out_against_fast(CELL_LSTM, &rng);
    trace(lab->trace,
          "\nThese equations differ from the lecture's notes in two places: W_hg multiplies the state of\n"
          "the step before (h_t cannot be used, it is made of g_t), and o_t has a bias of its own.  Written\n"
          "out like this they give the numbers of the library's layer, which is checked against PyTorch:\n"
          "over 12 steps of a random network the largest difference is %.1e in h, %.1e in any gradient.\n",
          a.states, a.gradients);
    claim(lab->claims,
          (Claim){.id = "lstm-equations",
                  .statement = "W_hg multiplies h_{t-1} and o_t has a bias of its own: so written, the steps equal the "
                               "library's LSTM over 12 steps, states and gradients (largest difference)",
                  .source = "lecture: the LSTM's equations; Hochreiter & Schmidhuber 1997; Gers 2000",
                  .measured = fmax(a.states, a.gradients),
                  .test = AT_MOST,
                  .bound = 1e-5,
                  .corrects = true});
    parameters_free(parameters);
}

/* ---- step 2: the GRU -------------------------------------------------------------------- */

static GruStep gru_by_hand(Lab *lab, Tape *tape, const Recurrent *layer, ResetPlace place, bool shown)
{
    Tensor *x = tape_input(tape, "x", SHAPE(1, IN), X[0]), *h = tape_input(tape, "h'", SHAPE(1, H), H_BEFORE);
    GruStep s = gru_step(tape, layer, x, h, place);
    if (!shown)
        return s;
    trace_vector(lab->trace, x->where, "x_t: the word", x->data, IN, NULL, 1);
    trace_vector(lab->trace, h->where, "h': the state before", h->data, H, units, 1);
    show(lab, "r_t = sigmoid(x W_xr + h' W_hr + b_r)      the reset gate: is the past heard?", s.r);
    show(lab, "z_t = sigmoid(x W_xz + h' W_hz + b_z)      the update gate: how much stays", s.z);
    trace_equation(lab->trace, s.u->where, "u_t = r_t (h' W_hn)                        what the past says");
    trace_vector(lab->trace, s.u->where, "u", s.u->data, H, units, 4);
    show(lab, "n_t = tanh(x W_xn + b_n + u_t)             the candidate", s.n);
    show(lab, "h_t = (1 - z_t) n_t + z_t h'               one gate forgets and lets in", s.h);
    return s;
}

static void two_forms(Lab *lab, const Recurrent *layer, const GruStep *after)
{
    Tape *tape = tape_new(1);
    tape_record(tape, false);
    GruStep before = gru_by_hand(lab, tape, layer, RESET_BEFORE_PRODUCT, false);
    double apart = largest_difference(before.h->data, after->h->data, H);
    trace(lab->trace, "\nTwo forms of the GRU are in use.  The lecture's (Cho 2014) resets h' and then multiplies:\n"
                      "u_t = (r_t h') W_hn; cuDNN, PyTorch and this library multiply first: u_t = r_t (h' W_hn).\n\n");
    trace_table(lab->trace, "form\tu 1\tu 2\tu 3\th 1\th 2\th 3");
    const GruStep *forms[2] = {&before, after};
    for (int i = 0; i < 2; i++) {
        const real *u = forms[i]->u->data, *h = forms[i]->h->data;
        trace_row(lab->trace, "%s\t%.4f\t%.4f\t%.4f\t%.4f\t%.4f\t%.4f", i ? "r (h' W): PyTorch" : "(r h') W: Cho 2014",
                  (double)u[0], (double)u[1], (double)u[2], (double)h[0], (double)h[1], (double)h[2]);
    }
    trace_table_end(lab->trace);
    recurrent_set_bias(layer, GRU_RESET, 30); /* sigmoid(30) is 1 in a float */
    GruStep open[2] = {gru_by_hand(lab, tape, layer, RESET_BEFORE_PRODUCT, false),
                       gru_by_hand(lab, tape, layer, RESET_AFTER_PRODUCT, false)};
    double open_apart = largest_difference(open[0].h->data, open[1].h->data, H);
    trace(lab->trace,
          "\nThey differ by up to %.4f in h here, and by %.1e where the reset gate is open (r = 1).\n"
          "Weights trained in one form are no use in the other.\n",
          apart, open_apart);
    claim(lab->claims, (Claim){.id = "gru-forms-differ",
                               .statement = "the GRU with the reset gate before the product (lecture) and after it "
                                            "(cuDNN, PyTorch) gives different states from the same weights",
                               .source = "lecture; Cho 2014, eq. 8; PyTorch's manual of nn.GRU",
                               .measured = apart,
                               .test = AT_LEAST,
                               .bound = 0.001});
    claim(lab->claims, (Claim){.id = "gru-forms-agree-when-open",
                               .statement = "with the reset gate open the two forms are the same",
                               .source = "lecture; Cho 2014, eq. 8",
                               .measured = open_apart,
                               .test = AT_MOST,
                               .bound = 1e-6});
    tape_free(tape);
}

static void count_parameters(Lab *lab)
{
    enum { INPUTS = 100, HIDDEN = 128 };
    static const struct {
        CellKind kind;
        const char *name;
    } cells[3] = {{CELL_RNN, "RNN"}, {CELL_GRU, "GRU"}, {CELL_LSTM, "LSTM"}};
    size_t count[3];
    trace(lab->trace,
          "\nParameters for inputs of %d and %d hidden units: a matrix from the word, one from the past\n"
          "and a bias, for every gate and the candidate.\n\n",
          INPUTS, HIDDEN);
    trace_table(lab->trace, "cell\tW_x\tW_h\tb\tall\ttimes the RNN's");
    for (int i = 0; i < 3; i++) {
        Parameters *parameters = parameters_new();
        Rng rng = lab_rng(lab, "counting");
        Recurrent layer = recurrent_new(parameters, cells[i].name, cells[i].kind, INPUTS, HIDDEN, &rng);
        count[i] = layer.input_weight->size + layer.weight->size + layer.bias->size;
        trace_row(lab->trace, "%s\t%zu\t%zu\t%zu\t%zu\t%.2f", cells[i].name, layer.input_weight->size,
                  layer.weight->size, layer.bias->size, count[i], (double)count[i] / (double)count[0]);
        parameters_free(parameters);
    }
    trace_table_end(lab->trace);
    trace(lab->trace,
          "\n(PyTorch counts two biases a gate, in all three cells alike; this library's GRU has the second\n"
          "one too, because inside the reset it is not the same as the first.)\n");
    for (int i = 1; i < 3; i++)
        claim(lab->claims, (Claim){.id = i == 1 ? "gru-parameters" : "lstm-parameters",
                                   .statement = i == 1 ? "a GRU has 3 times the parameters of an RNN of its size"
                                                       : "an LSTM has 4 times the parameters of an RNN of its size",
                                   .source = "lecture: RNN : GRU : LSTM = 1 : 3 : 4",
                                   .measured = (double)count[i] / (double)count[0],
                                   .test = EQUALS,
                                   .bound = i + 2});
}

void step_gru(Lab *lab, void *state)
{
    (void)state;
    Parameters *parameters = parameters_new();
    Recurrent layer = layer_with(parameters, CELL_GRU, &GRU_WEIGHTS);
    Tape *tape = tape_new(1);
    trace(lab->trace, "The GRU has no cell beside its state and two gates instead of three: what it forgets, it fills\n"
                      "with the candidate.\n\n");
    show_layer(lab, &layer, gru_columns);
    GruStep s = gru_by_hand(lab, tape, &layer, RESET_AFTER_PRODUCT, true);
    Rng rng = lab_rng(lab, "written out, GRU");
    Agreement a = written_out_against_fast(CELL_GRU, &rng);
    trace(lab->trace,
          "\nOver 12 steps of a random network the written-out steps and the library's layer differ by at most\n"
          "%.1e in h and %.1e in any gradient.\n",
          a.states, a.gradients);
    claim(lab->claims, (Claim){.id = "gru-equations",
                               .statement = "the written-out GRU equals the library's over 12 steps, states and "
                                            "gradients (largest difference)",
                               .source = "Cho 2014; lecture: GRU",
                               .measured = fmax(a.states, a.gradients),
                               .test = AT_MOST,
                               .bound = 1e-5});
    two_forms(lab, &layer, &s);
    tape_free(tape);
    count_parameters(lab);
    parameters_free(parameters);
}
