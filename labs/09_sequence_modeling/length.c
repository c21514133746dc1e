/* Step 9. The price of length: operations counted, and time measured. */
#include <stdio.h>

#include "clock.h"
#include "modeling.h"

enum { LENGTHS = 6, TIMED = 3, TIMED_BATCH = 8 };
static const int lengths[LENGTHS] = {10, 20, 40, 80, 160, 320};

/* Multiplications and additions of one prediction.  A block looks from every position: K, Q, V
 * and output 4 d^2, FFN 2 d 4d, each times T; scores and weighted sum 2 T^2 d; all times 2. */
static double block_operations(double t, double d)
{
    return 2 * (t * (4 * d * d + 8 * d * d) + 2 * t * t * d);
}

/* h_t = tanh(x_t W_x + h_{t-1} W_h + b), T times. */
static double rnn_operations(double t, double h)
{
    return 2 * t * (h * h + 2 * h);
}

/* The shortest of REPEATS times of forward and backward. */
static double step_time(const Model *model, const Waves *waves, int repeats)
{
    double best = 1e300;
    Tape *tape = tape_new(1);
    for (int i = 0; i <= repeats; i++) {
        double start = clock_thread_seconds();
        tape_rewind(tape);
        Tensor *x = tape_input(tape, "x", SHAPE(waves->n, waves->settings.inputs, 1), waves->inputs);
        Tensor *y = tape_input(tape, "y", SHAPE(waves->n, 1), waves->targets);
        tape_backward(tape, op_mean_squared_error(tape, model_predict(tape, model, x, NULL), y));
        double took = clock_thread_seconds() - start;
        best = i > 0 && took < best ? took : best; /* the first one asks for memory */
    }
    tape_free(tape);
    return best;
}

static void count(Lab *lab)
{
    trace(lab->trace,
          "Operations of one forward step over a sequence of T values (multiplications and additions), and\n"
          "how many steps have to wait for one another:\n\n");
    trace_table(lab->trace,
                "T\tblock, width 32\tof these for T x T\tsteps in a row\tRNN 112\tsteps in a row\tblock / RNN");
    for (int i = 0; i < LENGTHS; i++) {
        double t = lengths[i], b = block_operations(t, 32), r = rnn_operations(t, 112);
        trace_row(lab->trace, "%d\t%.0f\t%.0f%%\t1\t%.0f\t%d\t%.2f", lengths[i], b, 100 * 4 * t * t * 32 / b, r,
                  lengths[i], b / r);
    }
    trace_table_end(lab->trace);
    trace(lab->trace,
          "\nThe RNN's work grows as T, the block's as T + T^2 / 192: the square is half of it at T = 6 d = 192.\n"
          "But the RNN's T products come one after the other, and each is small; the block's are a few large ones.\n"
          "What that means in time is in timing.tsv and the figure length_and_time, and differs between machines\n"
          "(on one with thousands of units that compute side by side the block gains most).\n");
    claim(lab->claims,
          (Claim){.id = "quadratic",
                  .source = "Vaswani 2017, table 1: n^2 d against n d^2",
                  .statement = "from T = 160 to 320 the work of the RNN doubles, that of a block grows by more "
                               "(ratio)",
                  .measured = block_operations(320, 32) / block_operations(160, 32),
                  .test = ABOVE,
                  .bound = rnn_operations(320, 112) / rnn_operations(160, 112)});
}

/* An untrained RNN forgets: over 160 values its gradients shrink below the smallest normal
 * number, and with such numbers a processor is many times slower, which is not what is asked
 * here.  Orthogonal weights keep them. */
static void keep_gradients(Model *model, Rng *rng)
{
    Parameters *scratch = parameters_new();
    const Tensor *weight = parameter_orthogonal(scratch, "weight", model->settings.width, 1, rng);
    for (size_t i = 0; i < weight->size; i++)
        model->cell.weight->data[i] = weight->data[i];
    parameters_free(scratch);
}

void step_length(Lab *lab, void *state)
{
    static const struct {
        const char *name;
        ModelSettings settings;
    } timed[TIMED] = {{"Transformer, 1 block", {.kind = TRANSFORMER, .width = 32}},
                      {"Transformer, 2 blocks", {.kind = TRANSFORMER, .width = 32, .layers = 2}},
                      {"RNN 112", {.kind = RNN, .width = 112}}};
    (void)state;
    count(lab);
    real x[LENGTHS], y[TIMED][LENGTHS];
    for (int i = 0; i < LENGTHS; i++) {
        WaveSettings settings = waves_usual();
        settings.inputs = lengths[i];
        Rng rng = lab_rng(lab, "timed waves");
        Waves *waves = waves_new(settings, TIMED_BATCH);
        waves_draw(waves, &rng);
        x[i] = (real)lengths[i];
        for (int m = 0; m < TIMED; m++) {
            char name[64];
            Rng weights = lab_rng(lab, "timed weights");
            Model *model = model_new(timed[m].settings, INPUTS, &weights);
            if (timed[m].settings.kind == RNN)
                keep_gradients(model, &weights);
            double took = step_time(model, waves, lab_choose(lab, 10, 3));
            snprintf(name, sizeof name, "a step, %s, %d values", timed[m].name, lengths[i]);
            trace_timing(lab->trace, name, 1000 * took, "ms");
            y[m][i] = (real)(1000 * took);
            model_free(model);
        }
        waves_free(waves);
    }
    Figure *figure = figure_begin(lab->figures, "length_and_time", "Time of a training step against length");
    Panel *panel = figure_panel(figure, NULL, "values read (T)", "ms (8 sequences, one thread)");
    panel_log_x(panel);
    panel_log_y(panel);
    for (int m = 0; m < TIMED; m++)
        panel_line(panel, timed[m].name, x, y[m], LENGTHS);
    figure_end(figure);
}
