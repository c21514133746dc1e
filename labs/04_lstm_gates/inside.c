/* Step 5. What the gates learned: a look into the LSTM that can add. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gates.h"
#include "memory.h"

/* The written-out steps of the trained network over one batch: every gate of
 * every unit at every step, [T, B, H] each. */
typedef struct {
    int steps, batch, hidden;
    AddingBatch data;
    real *f, *i, *o, *c, *h, *added;
} Inside;

static real *room(const Inside *in)
{
    return memory_new((size_t)in->steps * in->batch * in->hidden, sizeof(real), "gates");
}

static Inside look_inside(const Recurrent *layer, int length, int batch, Rng *rng)
{
    Inside in = {.steps = length, .batch = batch, .hidden = layer->hidden};
    in.data = adding_batch_new(length, batch, rng);
    in.f = room(&in), in.i = room(&in), in.o = room(&in), in.c = room(&in), in.h = room(&in), in.added = room(&in);
    Tape *tape = tape_new(1);
    tape_record(tape, false);
    Shape shape = SHAPE(batch, layer->hidden);
    Tensor *h = tape_input(tape, "h", shape, NULL), *c = tape_input(tape, "c", shape, NULL);
    for (int t = 0; t < length; t++) {
        size_t at = (size_t)t * h->size, bytes = h->size * sizeof(real);
        Tensor *x = tape_input(tape, "x", SHAPE(batch, 2), in.data.x + (size_t)t * batch * 2);
        LstmStep s = lstm_step(tape, layer, x, h, c);
        memcpy(in.f + at, s.f->data, bytes);
        memcpy(in.i + at, s.i->data, bytes);
        memcpy(in.o + at, s.o->data, bytes);
        memcpy(in.c + at, s.c->data, bytes);
        memcpy(in.h + at, s.h->data, bytes);
        memcpy(in.added + at, s.added->data, bytes);
        h = s.h, c = s.c;
    }
    tape_free(tape);
    return in;
}

static void inside_free(Inside *in)
{
    adding_batch_free(&in->data);
    free(in->f);
    free(in->i);
    free(in->o);
    free(in->c);
    free(in->h);
    free(in->added);
}

static double at(const Inside *in, const real *what, int t, int row, int unit)
{
    return (double)what[((size_t)t * in->batch + row) * in->hidden + unit];
}

/* ---- which units carry the sum ---------------------------------------------------------------- */

/* Units whose last cell goes with the answer, weighted by what the output makes
 * of them: |correlation of c_T with the sum| x spread of h_T x |weight|. */
typedef struct {
    int unit;
    double correlation, importance;
} Carrier;

static Carrier carrier_of(const Inside *in, const Adding *model, int unit)
{
    int last = in->steps - 1, n = in->batch;
    double mean_c = 0, mean_y = 0, mean_h = 0, cc = 0, yy = 0, cy = 0, hh = 0;
    for (int row = 0; row < n; row++) {
        double c = at(in, in->c, last, row, unit);
        mean_c += c / n;
        mean_y += (double)in->data.sum[row] / n;
        mean_h += at(in, in->h, last, row, unit) / n;
    }
    for (int row = 0; row < n; row++) {
        double c = at(in, in->c, last, row, unit), y = (double)in->data.sum[row] - mean_y;
        double h = at(in, in->h, last, row, unit) - mean_h;
        cc += (c - mean_c) * (c - mean_c);
        yy += y * y;
        cy += (c - mean_c) * y;
        hh += h * h;
    }
    double correlation = cy / sqrt(cc * yy + 1e-30);
    double weight = fabs((double)model->output.weight->data[unit]);
    return (Carrier){unit, correlation, fabs(correlation) * sqrt(hh / n) * weight};
}

enum { CARRIERS = 2 };

static void find_carriers(const Inside *in, const Adding *model, Carrier best[CARRIERS])
{
    best[0] = best[1] = (Carrier){.importance = -1};
    for (int unit = 0; unit < in->hidden; unit++) {
        Carrier c = carrier_of(in, model, unit);
        if (c.importance > best[0].importance) {
            best[1] = best[0];
            best[0] = c;
        } else if (c.importance > best[1].importance) {
            best[1] = c;
        }
    }
}

/* ---- what their gates do ------------------------------------------------------------------------ */

/* Means over sequences and carriers: at the marked steps and at all others. */
typedef struct {
    double forget_between; /* from the first mark to the end, the marks apart */
    double input_at, input_else, added_at, added_else;
} Habits;

static bool marked(const Inside *in, int t, int row)
{
    return t == in->data.mark[2 * row] || t == in->data.mark[2 * row + 1];
}

static Habits habits_of(const Inside *in, const Carrier carriers[CARRIERS])
{
    Habits h = {0, 0, 0, 0, 0};
    int between = 0, at_mark = 0, elsewhere = 0;
    for (int t = 0; t < in->steps; t++)
        for (int row = 0; row < in->batch; row++)
            for (int k = 0; k < CARRIERS; k++) {
                double i = at(in, in->i, t, row, carriers[k].unit);
                double added = fabs(at(in, in->added, t, row, carriers[k].unit));
                if (marked(in, t, row)) {
                    h.input_at += i, h.added_at += added, at_mark++;
                    continue;
                }
                h.input_else += i, h.added_else += added, elsewhere++;
                if (t > in->data.mark[2 * row])
                    h.forget_between += at(in, in->f, t, row, carriers[k].unit), between++;
            }
    h.forget_between /= between;
    h.input_at /= at_mark, h.added_at /= at_mark;
    h.input_else /= elsewhere, h.added_else /= elsewhere;
    return h;
}

static void trace_habits(Lab *lab, const char *name, const Habits *h)
{
    trace_row(lab->trace, "%s\t%.3f\t%.3f\t%.3f\t%.1f\t%.1f", name, h->forget_between, h->input_at, h->input_else,
              h->input_at / h->input_else, h->added_at / h->added_else);
}

/* ---- figures -------------------------------------------------------------------------------------- */

enum { SHOWN_UNITS = 8 };

/* One gate in one sequence, a unit a row, the carriers on top. */
static void gate_panel(Figure *figure, const char *title, const Inside *in, const real *gate, int row, const int *order,
                       const char *const *units, const char *const *steps)
{
    real *cells = memory_new((size_t)SHOWN_UNITS * in->steps, sizeof *cells, "a heatmap");
    for (int r = 0; r < SHOWN_UNITS; r++)
        for (int t = 0; t < in->steps; t++)
            cells[(size_t)r * in->steps + t] = (real)at(in, gate, t, row, order[r]);
    panel_heatmap(figure_panel(figure, title, NULL, NULL), cells, SHOWN_UNITS, in->steps, units, steps, WEIGHTS);
    free(cells);
}

static void draw_gates(Lab *lab, const Inside *in, int row, const Carrier carriers[CARRIERS])
{
    int order[SHOWN_UNITS], n = 0;
    char unit_text[SHOWN_UNITS][32];
    const char *units[SHOWN_UNITS], **steps = memory_new((size_t)in->steps, sizeof *steps, "labels");
    for (int k = 0; k < CARRIERS; k++)
        order[n++] = carriers[k].unit;
    for (int unit = 0; n < SHOWN_UNITS; unit++)
        if (unit != carriers[0].unit && unit != carriers[1].unit)
            order[n++] = unit;
    for (int r = 0; r < n; r++) {
        snprintf(unit_text[r], sizeof unit_text[r], "%s%d", r < CARRIERS ? "sum: unit " : "unit ", order[r] + 1);
        units[r] = unit_text[r];
    }
    for (int t = 0; t < in->steps; t++)
        steps[t] = marked(in, t, row) ? "MARK" : "";
    Figure *figure =
        figure_begin(lab->figures, "gates_heatmap",
                     "The gates of an LSTM that adds two marked numbers (8 of its units, time to the right)");
    figure_layout(figure, 1, 1100, 230);
    gate_panel(figure, "input gate i: opens at the marks in the units that carry the sum", in, in->i, row, order, units,
               steps);
    gate_panel(figure, "forget gate f: stays open, 1 keeps everything", in, in->f, row, order, units, steps);
    gate_panel(figure, "output gate o", in, in->o, row, order, units, steps);
    figure_end(figure);
    free(steps);
}

/* A carrier's cell over time, scaled so that it can be compared with the
 * sum of the marked numbers so far. */
static void draw_cell(Lab *lab, const Inside *in, const Carrier *carrier)
{
    enum { SHOWN = 4 };
    double cy = 0, cc = 0, mean = 0;
    int last = in->steps - 1;
    for (int row = 0; row < in->batch; row++)
        mean += at(in, in->c, last, row, carrier->unit) / in->batch;
    for (int row = 0; row < in->batch; row++) {
        double c = at(in, in->c, last, row, carrier->unit) - mean;
        cy += c * (double)in->data.sum[row];
        cc += c * c;
    }
    double scale = cy / cc;
    real *step = memory_new((size_t)in->steps, sizeof *step, "steps"),
         *cell = memory_new((size_t)in->steps, sizeof *cell, "a cell"),
         *sum = memory_new((size_t)in->steps, sizeof *sum, "a sum");
    Figure *figure =
        figure_begin(lab->figures, "cell_state", "One cell keeps the sum (scaled to the units of the answer)");
    figure_layout(figure, 2, 620, 400);
    for (int row = 0; row < SHOWN; row++) {
        char title[64];
        snprintf(title, sizeof title, "sequence %d", row + 1);
        for (int t = 0; t < in->steps; t++) {
            step[t] = (real)(t + 1);
            cell[t] = (real)(scale * (at(in, in->c, t, row, carrier->unit) - mean));
            sum[t] = t > 0 ? sum[t - 1] : 0;
            if (marked(in, t, row))
                sum[t] += in->data.x[((size_t)t * in->batch + row) * 2];
        }
        Panel *panel = figure_panel(figure, title, "step", "value");
        panel_range_y(panel, -2.2, 2.2);
        panel_line(panel, "the cell", step, cell, in->steps);
        panel_reference(panel, "sum of the marked numbers so far", step, sum, in->steps);
    }
    figure_end(figure);
    free(step);
    free(cell);
    free(sum);
}

/* ---- the same question to the story's LSTM --------------------------------------------------------- */

/* Mean of the input gate over all units at the door's colour, at the colours that
 * do not count, and at other words. */
static void story_gates(Lab *lab, Gates *self)
{
    enum { STORIES = 64 };
    int lag = self->config.judged_lag;
    const RecallModel *model = recall_of(lab, self, WAY_LSTM_LAG, lag)->model;
    Rng rng = lab_rng(lab, "stories to look into");
    RecallBatch batch = recall_batch_new(RECALL_ENGLISH, lag, lag, STORIES, &rng);
    double sum[3] = {0}, kept = 0;
    int count[3] = {0}, steps_kept = 0;
    Tape *tape = tape_new(1);
    tape_record(tape, false);
    Tensor *all = recall_inputs(tape, model, &batch);
    Shape shape = SHAPE(STORIES, model->layer.hidden);
    Tensor *h = tape_input(tape, "h", shape, NULL), *c = tape_input(tape, "c", shape, NULL);
    for (int t = 0; t < batch.steps; t++) {
        Tensor *slice = op_slice(tape, all, 0, t, t + 1);
        Tensor *x = op_reshape(tape, slice, SHAPE(STORIES, model->setting.embedding));
        LstmStep s = lstm_step(tape, &model->layer, x, h, c);
        for (int row = 0; row < STORIES; row++) {
            int kind = t == recall_cue(RECALL_ENGLISH) ? 0 : batch.ids[t * STORIES + row] < RECALL_COLOURS ? 1 : 2;
            for (int j = 0; j < model->layer.hidden; j++) {
                sum[kind] += (double)s.i->data[row * model->layer.hidden + j];
                kept += (double)s.f->data[row * model->layer.hidden + j];
                count[kind]++, steps_kept++;
            }
        }
        h = s.h, c = s.c;
    }
    tape_free(tape);
    recall_batch_free(&batch);
    trace(lab->trace,
          "\nAnd the LSTM of the door's colour?  Over all its units the input gate is %.3f at the door's colour,\n"
          "%.3f at the colours that do not count and %.3f at other words; the forget gate %.3f.  The picture of\n"
          "an input gate that opens for the cue alone is found where a number has to be held, and not here,\n"
          "where one of eight colours has to be: a network has more than one way to remember.\n",
          sum[0] / count[0], sum[1] / count[1], sum[2] / count[2], kept / steps_kept);
}

void step_gates(Lab *lab, void *state)
{
    enum { SEQUENCES = 64 };
    Gates *self = state;
    int length = self->config.watched_length;
    const Adding *model = adding_of(lab, self, ADD_LSTM_LAG, length);
    Rng rng = lab_rng(lab, "sequences to look into"), untrained_rng = rng;
    Inside in = look_inside(&model->layer, length, SEQUENCES, &rng);
    Carrier carriers[CARRIERS];
    find_carriers(&in, model, carriers);

    Inside before = look_inside(&model->untrained, length, SEQUENCES, &untrained_rng);
    Habits trained = habits_of(&in, carriers), untrained = habits_of(&before, carriers);
    trace(lab->trace,
          "The LSTM that adds over %d steps (error %.4f), with the same weights in the written-out steps, so\n"
          "that every gate can be read.  Of its %d units, these carry the sum (correlation of the last cell\n"
          "with the answer): unit %d (%.3f) and unit %d (%.3f).  Their gates, on average:\n\n",
          length, model->error, in.hidden, carriers[0].unit + 1, carriers[0].correlation, carriers[1].unit + 1,
          carriers[1].correlation);
    trace_table(lab->trace, "network\tf over the lag\ti at the marks\ti elsewhere\tratio\tratio of |i g|");
    trace_habits(lab, "trained", &trained);
    trace_habits(lab, "the same before training", &untrained);
    trace_table_end(lab->trace);
    trace(lab->trace,
          "\nf alone proves nothing: its bias holds it open from the start.  What was learned is when to open i.\n");

    claim(lab->claims,
          (Claim){.id = "forget-gate-stays-open",
                  .statement = "on the units that carry the sum the forget gate stays open over the lag (mean)",
                  .source = "lecture: the forget gate keeps what matters; Gers 2000",
                  .measured = trained.forget_between,
                  .test = AT_LEAST,
                  .bound = 0.95});
    claim(lab->claims,
          (Claim){.id = "input-gate-opens-at-mark",
                  .statement = "their input gate opens at the marks (its mean there over its mean elsewhere)",
                  .source = "lecture: the input gate; Hochreiter & Schmidhuber 1997, section 3",
                  .measured = trained.input_at / trained.input_else,
                  .test = AT_LEAST,
                  .bound = 5});
    claim(lab->claims, (Claim){.id = "input-gate-untrained",
                               .statement = "before training the same ratio is near 1: the gate has learned to open",
                               .source = "the same network before its first step",
                               .measured = untrained.input_at / untrained.input_else,
                               .test = BETWEEN,
                               .bound = 0.7,
                               .upper = 1.4});
    draw_gates(lab, &in, 0, carriers);
    draw_cell(lab, &in, &carriers[fabs(carriers[1].correlation) > fabs(carriers[0].correlation)]);
    inside_free(&before);
    inside_free(&in);
    story_gates(lab, self);
}
