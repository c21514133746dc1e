/* Step 4, second half. The adding problem (Hochreiter & Schmidhuber 1997, task 4).
 *
 *     number   0.3 -0.7  0.1  0.9 -0.2 ...      a number in -1 ... 1 at every step,
 *     mark      0    1    0    0    1  ...      two of them marked, one in each half:
 *     answer  -0.7 - 0.2 = -0.9                 what do the marked ones add up to?
 *
 * Whoever answers 0 has an error of 1 in units of the answer's variance, 2/3. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gates.h"
#include "maths.h"
#include "memory.h"
#include "optim.h"
#include "parallel.h"

/* ---- data ---------------------------------------------------------------------------------- */

AddingBatch adding_batch_new(int length, int batch, Rng *rng)
{
    AddingBatch b = {.length = length, .batch = batch};
    b.x = memory_new((size_t)length * batch * 2, sizeof(real), "sequences to add");
    b.sum = memory_new(batch, sizeof(real), "sums");
    b.mark = memory_new(2 * (size_t)batch, sizeof(int), "marks");
    for (int t = 0; t < length; t++)
        for (int row = 0; row < batch; row++)
            b.x[((size_t)t * batch + row) * 2] = rng_between(rng, -1, 1);
    for (int i = 0; i < 2 * batch; i++) {
        int row = i / 2, half = length / 2;
        b.mark[i] = i % 2 * half + (int)rng_below(rng, (uint64_t)half);
        real *x = b.x + ((size_t)b.mark[i] * batch + row) * 2;
        x[1] = 1;
        b.sum[row] += x[0];
    }
    return b;
}

void adding_batch_free(AddingBatch *batch)
{
    free(batch->x);
    free(batch->sum);
    free(batch->mark);
}

/* ---- model --------------------------------------------------------------------------------- */

/* About equal numbers of recurrent parameters; each kind's rate is the best of a
 * few that were tried. */
static const struct {
    const char *name;
    CellKind kind;
    int hidden;
    double rate;
} ways[ADD_WAYS] = {
    [ADD_RNN] = {"RNN", CELL_RNN, 35, 1e-3},
    [ADD_LSTM_ONE] = {"LSTM, forget bias 1", CELL_LSTM, 16, 1e-2},
    [ADD_LSTM_LAG] = {"LSTM, biases for the length", CELL_LSTM, 16, 2e-2},
    [ADD_GRU_LAG] = {"GRU, biases for the length", CELL_GRU, 19, 2e-2},
};

const char *adding_name(AddingWay way)
{
    return ways[way].name;
}

/* The gate that keeps starts at sigmoid(log T), which forgets over T steps, and an
 * LSTM's input gate nearly shut (after Tallec & Ollivier 2018, eq. 16, who draw a
 * time scale for each unit). */
static void biases_for_length(const Recurrent *layer, int length)
{
    real b = (real)log64(length);
    recall_set_memory(layer, b, -b);
}

/* All singular values of W_h are 1: the kindest start for an RNN's gradient (Le 2015). */
static void orthogonal(const Recurrent *layer, Rng *rng)
{
    Parameters *scratch = parameters_new();
    const Tensor *q = parameter_orthogonal(scratch, "orthogonal", layer->hidden, 1, rng);
    memcpy(layer->weight->data, q->data, q->size * sizeof(real));
    parameters_free(scratch);
}

static void make_model(Adding *model, Rng *rng)
{
    model->parameters = parameters_new();
    model->layer = recurrent_new(model->parameters, "layer", ways[model->way].kind, 2, ways[model->way].hidden, rng);
    model->output = linear_new(model->parameters, "output", model->layer.hidden, 1, rng);
    if (model->way == ADD_RNN)
        orthogonal(&model->layer, rng);
    if (model->way == ADD_LSTM_ONE)
        recurrent_set_bias(&model->layer, LSTM_FORGET, 1);
    if (model->way == ADD_LSTM_LAG || model->way == ADD_GRU_LAG)
        biases_for_length(&model->layer, model->length);
}

/* A copy of the layer as it starts, for step 5. */
static void keep_first(Adding *model)
{
    Rng rng = rng_new(0, "replaced at once");
    const Recurrent *from = &model->layer;
    Recurrent *to = &model->untrained;
    model->first = parameters_new();
    *to = recurrent_new(model->first, "layer", from->kind, 2, from->hidden, &rng);
    memcpy(to->input_weight->data, from->input_weight->data, from->input_weight->size * sizeof(real));
    memcpy(to->weight->data, from->weight->data, from->weight->size * sizeof(real));
    memcpy(to->bias->data, from->bias->data, from->bias->size * sizeof(real));
}

/* The answer is read off the last state: h_T W + b, [B, 1]. */
static Tensor *answers(Tape *tape, const Adding *model, const AddingBatch *batch)
{
    Tensor *x = tape_input(tape, "x", SHAPE(batch->length, batch->batch, 2), batch->x);
    Tensor *states = recurrent(tape, &model->layer, x, NULL, (Sequence){0}); /* [T, B, H] */
    Tensor *last = op_slice(tape, states, 0, batch->length - 1, batch->length);
    return linear(tape, &model->output, op_reshape(tape, last, SHAPE(batch->batch, model->layer.hidden)));
}

/* ---- training -------------------------------------------------------------------------------- */

static const double VARIANCE = 2.0 / 3; /* of a sum of two numbers uniform in -1 ... 1 */

static double test_error(const Adding *model, Rng *rng)
{
    enum { BATCHES = 8, BATCH = 128 };
    Tape *tape = tape_new(1);
    tape_record(tape, false);
    double error = 0;
    for (int i = 0; i < BATCHES; i++) {
        tape_rewind(tape);
        AddingBatch batch = adding_batch_new(model->length, BATCH, rng);
        const Tensor *y = answers(tape, model, &batch);
        for (int row = 0; row < BATCH; row++) {
            double off = (double)y->data[row] - (double)batch.sum[row];
            error += off * off / (BATCHES * BATCH);
        }
        adding_batch_free(&batch);
    }
    tape_free(tape);
    return error / VARIANCE;
}

/* Adam on sequences never seen twice; the rate is held for the first half and
 * then falls to nearly 0. */
static void train(Adding *model, int steps, Rng *rng)
{
    enum { BATCH = 32 };
    double rate = ways[model->way].rate;
    Optimiser *adam = adam_new(model->parameters, (Adam){.rate = rate});
    Tape *tape = tape_new(1);
    for (int step = 0; step < steps; step++) {
        double left = 2 * (1 - (double)step / steps) + 0.02;
        AddingBatch batch = adding_batch_new(model->length, BATCH, rng);
        tape_rewind(tape);
        Tensor *target = tape_input(tape, "sum", SHAPE(BATCH, 1), batch.sum);
        Tensor *loss = op_mean_squared_error(tape, answers(tape, model, &batch), target);
        tape_backward(tape, loss);
        clip_by_norm(model->parameters, 1);
        optimiser_set_rate(adam, rate * (left < 1 ? left : 1));
        optimiser_step(adam);
        int part = step * CURVE_POINTS / steps;
        model->curve[part] += (real)((double)loss->data[0] / VARIANCE * CURVE_POINTS / steps);
        adding_batch_free(&batch);
    }
    tape_free(tape);
    optimiser_free(adam);
    model->error = test_error(model, rng);
}

struct Addings {
    const Lab *lab;
    const Config *config;
    Adding model[MOST_LENGTHS * ADD_WAYS];
    int n;
};

static void train_one(int index, void *context)
{
    Addings *all = context;
    Adding *model = &all->model[index];
    char stream[64];
    snprintf(stream, sizeof stream, "adding %d over %d", (int)model->way, model->length);
    Rng rng = lab_rng(all->lab, stream);
    make_model(model, &rng);
    keep_first(model);
    train(model, all->config->adding_steps, &rng);
}

static Addings *addings(Lab *lab, Gates *self)
{
    if (self->addings)
        return self->addings;
    Addings *all = self->addings = memory_new(1, sizeof *all, "the adding problem");
    all->lab = lab;
    all->config = &self->config;
    for (int l = self->config.n_lengths - 1; l >= 0; l--) /* the longest first: they take longest */
        for (int way = 0; way < ADD_WAYS; way++)
            all->model[all->n++] = (Adding){.way = (AddingWay)way, .length = self->config.lengths[l]};
    trace_aside(lab->trace, "training %d networks to add ...\n", all->n);
    parallel_for(lab->threads, all->n, train_one, all);
    return all;
}

const Adding *adding_of(Lab *lab, Gates *self, AddingWay way, int length)
{
    Addings *all = addings(lab, self);
    for (int i = 0; i < all->n; i++)
        if (all->model[i].way == way && all->model[i].length == length)
            return &all->model[i];
    die_misuse(HERE, "nothing was trained on sequences of %d", length);
}

void addings_free(Addings *all)
{
    for (int i = 0; all && i < all->n; i++) {
        parameters_free(all->model[i].parameters);
        parameters_free(all->model[i].first);
    }
    free(all);
}

/* ---- the step ---------------------------------------------------------------------------------- */

static void draw_adding(Lab *lab, Gates *self)
{
    const Config *config = &self->config;
    int longest = config->lengths[config->n_lengths - 1];
    real length[MOST_LENGTHS], error[MOST_LENGTHS], step[CURVE_POINTS];
    Figure *figure = figure_begin(lab->figures, "adding_problem", "The adding problem: error in units of the variance");
    figure_layout(figure, 2, 700, 520);
    Panel *by_length = figure_panel(figure, "after training", "length of the sequence", "mean square error / variance");
    panel_log_y(by_length);
    panel_range_y(by_length, 1e-4, 3);
    char title[64];
    snprintf(title, sizeof title, "during training, length %d", longest);
    Panel *by_step = figure_panel(figure, title, "training step", "mean square error / variance");
    panel_log_y(by_step);
    panel_range_y(by_step, 1e-4, 3);
    for (int i = 0; i < CURVE_POINTS; i++)
        step[i] = (real)((i + 0.5) * config->adding_steps / CURVE_POINTS);
    for (int way = 0; way < ADD_WAYS; way++) {
        for (int l = 0; l < config->n_lengths; l++) {
            length[l] = (real)config->lengths[l];
            error[l] = (real)adding_of(lab, self, (AddingWay)way, config->lengths[l])->error;
        }
        panel_line(by_length, ways[way].name, length, error, config->n_lengths);
        panel_line(by_step, ways[way].name, step, adding_of(lab, self, (AddingWay)way, longest)->curve, CURVE_POINTS);
    }
    panel_horizontal(by_length, "always answering 0", 1);
    panel_horizontal(by_step, "always answering 0", 1);
    figure_end(figure);
}

static void show_task(Lab *lab)
{
    enum { SHOWN = 10 };
    static const char *const rows[2] = {"number", "mark"};
    Rng rng = lab_rng(lab, "an example to add");
    AddingBatch b = adding_batch_new(SHOWN, 1, &rng);
    real cells[2 * SHOWN];
    for (int t = 0; t < SHOWN; t++) {
        cells[t] = b.x[2 * t];
        cells[SHOWN + t] = b.x[2 * t + 1];
    }
    trace(lab->trace, "Two marked numbers are to be added, %d steps long here:\n\n", SHOWN);
    trace_matrix(lab->trace, HERE, "x", cells, 2, SHOWN, rows, NULL, 2);
    trace(lab->trace, "    answer: %.2f %+.2f = %.2f\n\n", (double)cells[b.mark[0]], (double)cells[b.mark[1]],
          (double)b.sum[0]);
    adding_batch_free(&b);
}

void step_adding(Lab *lab, Gates *self)
{
    const Config *config = &self->config;
    int longest = config->lengths[config->n_lengths - 1];
    show_task(lab);
    addings(lab, self);
    trace(lab->trace, "Error in units of the variance (1: always answering 0) after %d steps of 32 sequences:\n\n",
          config->adding_steps);
    char line[128] = "network\tunits\tparameters";
    for (int l = 0; l < config->n_lengths; l++)
        snprintf(line + strlen(line), sizeof line - strlen(line), "\tT = %d", config->lengths[l]);
    trace_table(lab->trace, line);
    for (int way = 0; way < ADD_WAYS; way++) {
        const Adding *first = adding_of(lab, self, (AddingWay)way, longest);
        snprintf(line, sizeof line, "%s\t%d\t%zu", ways[way].name, first->layer.hidden,
                 parameters_count(first->parameters));
        for (int l = 0; l < config->n_lengths; l++)
            snprintf(line + strlen(line), sizeof line - strlen(line), "\t%.4f",
                     adding_of(lab, self, (AddingWay)way, config->lengths[l])->error);
        trace_row(lab->trace, "%s", line);
    }
    trace_table_end(lab->trace);
    trace(lab->trace,
          "\nThe biases for the length are log T for the gate that keeps, -log T for the LSTM's input gate.  What\n"
          "was tried for the RNN: orthogonal weights, Adam at %g, this many steps.  More of everything might\n"
          "get it further; the gated cells need no more.\n",
          ways[ADD_RNN].rate);
    draw_adding(lab, self);
    claim(lab->claims,
          (Claim){.id = "adding-lstm",
                  .statement = "the LSTM with gate biases for the length solves the adding problem over 100 "
                               "steps (error over variance)",
                  .source = "Hochreiter & Schmidhuber 1997, task 4; Tallec & Ollivier 2018",
                  .measured = adding_of(lab, self, ADD_LSTM_LAG, longest)->error,
                  .test = AT_MOST,
                  .bound = 0.01});
    claim(lab->claims, (Claim){.id = "adding-gru",
                               .statement = "so does the GRU",
                               .source = "Cho 2014; Tallec & Ollivier 2018",
                               .measured = adding_of(lab, self, ADD_GRU_LAG, longest)->error,
                               .test = AT_MOST,
                               .bound = 0.01});
    claim(lab->claims,
          (Claim){.id = "adding-rnn",
                  .statement = "an RNN of the same number of parameters, trained as long, is hardly better "
                               "than always answering 0 (error over variance)",
                  .source = "lecture: long-term dependencies; Hochreiter & Schmidhuber 1997, task 4",
                  .measured = adding_of(lab, self, ADD_RNN, longest)->error,
                  .test = AT_LEAST,
                  .bound = 0.9});
}
