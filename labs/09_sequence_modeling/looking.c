/* Step 6. What the last position looks at, by distance and by head. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "maths.h"
#include "modeling.h"

enum { HEADS = 4, NEAR = 7, MIDDLE = 14 }; /* distances 0 ... 6, 7 ... 13, 14 ... 19 */

/* Weights by run, head and distance from the last value, mean over test waves. */
typedef struct {
    double weight[MOST_RUNS][HEADS][INPUTS];
    double without[MOST_RUNS][HEADS]; /* error without this head, over the error with it */
    double waves_differ;              /* mean standard deviation of a weight from wave to wave */
} Looking;

static void average_weights(const Model *model, const Waves *waves, double weight[HEADS][INPUTS], double *differ)
{
    Tape *tape = tape_new(1);
    tape_record(tape, false);
    Tensor *x = tape_input(tape, "x", SHAPE(waves->n, INPUTS, 1), waves->inputs), *weights;
    model_predict(tape, model, x, &weights); /* [B, heads, 1, T] */
    for (int h = 0; h < HEADS; h++)
        for (int t = 0; t < INPUTS; t++) {
            double sum = 0, squares = 0;
            for (int i = 0; i < waves->n; i++) {
                double w = (double)weights->data[(i * HEADS + h) * INPUTS + t];
                sum += w / waves->n;
                squares += w * w / waves->n;
            }
            weight[h][INPUTS - 1 - t] = sum;
            *differ += sqrt(fmax(0, squares - sum * sum)) / HEADS / INPUTS;
        }
    tape_free(tape);
}

/* A head's result enters through its rows of the output matrix: without them it is silent. */
static double error_without(Model *model, int head, const Waves *waves)
{
    enum { D = 32, ROWS = D / HEADS };
    real kept[ROWS * D], *rows = model->encoder[0].attention.output.weight->data + head * ROWS * D;
    for (int i = 0; i < ROWS * D; i++) {
        kept[i] = rows[i];
        rows[i] = 0;
    }
    double error = model_error(model, waves);
    for (int i = 0; i < ROWS * D; i++)
        rows[i] = kept[i];
    return error;
}

static double entropy(const double *weight)
{
    double sum = 0;
    for (int k = 0; k < INPUTS; k++)
        sum -= weight[k] > 0 ? weight[k] * log64(weight[k]) : 0;
    return sum;
}

static int largest(const double *weight)
{
    int best = 0;
    for (int k = 1; k < INPUTS; k++)
        best = weight[k] > weight[best] ? k : best;
    return best;
}

/* Mean over runs and heads of the weight at distance K. */
static double mean_weight(const Modeling *self, const Looking *looking, int k)
{
    double sum = 0;
    for (int run = 0; run < self->runs; run++)
        for (int h = 0; h < HEADS; h++)
            sum += looking->weight[run][h][k] / HEADS / self->runs;
    return sum;
}

static double share(const Modeling *self, const Looking *looking, int from, int to)
{
    double sum = 0;
    for (int k = from; k < to; k++)
        sum += mean_weight(self, looking, k);
    return sum;
}

static void tell_heads(Lab *lab, const Modeling *self, const Looking *looking)
{
    trace(lab->trace, "Its four heads, run by run (20 equal weights would be 0.05 each, entropy %.2f):\n\n",
          log64(INPUTS));
    trace_table(lab->trace, "run\thead\tlooks most at t-\twith weight\tentropy\tmean distance\terror without it");
    for (int run = 0; run < self->runs; run++)
        for (int h = 0; h < HEADS; h++) {
            const double *w = looking->weight[run][h];
            double distance = 0;
            for (int k = 0; k < INPUTS; k++)
                distance += k * w[k];
            trace_row(lab->trace, "%d\t%d\t%d\t%.2f\t%.2f\t%.1f\tx %.0f", run + 1, h + 1, largest(w), w[largest(w)],
                      entropy(w), distance, looking->without[run][h]);
        }
    trace_table_end(lab->trace);
}

static void tell_distance(Lab *lab, const Modeling *self, const Looking *looking)
{
    trace(lab->trace, "\nThe mean over all heads and runs, by distance (0 is the last value itself):\n\n");
    trace_table(lab->trace, "distance\t0\t1\t2\t3\t4\t5\t6\t7\t8\t9");
    char text[2][256];
    int length[2] = {snprintf(text[0], sizeof text[0], "weight"), snprintf(text[1], sizeof text[1], "10 further")};
    for (int k = 0; k < INPUTS; k++)
        length[k / 10] += snprintf(text[k / 10] + length[k / 10], sizeof text[0] - (size_t)length[k / 10], "\t%.3f",
                                   mean_weight(self, looking, k));
    trace_row(lab->trace, "%s", text[0]);
    trace_row(lab->trace, "%s", text[1]);
    trace_table_end(lab->trace);
    trace(lab->trace,
          "\nNear (0 to 6) %.2f in all, %.3f each; middle (7 to 13) %.2f, %.3f each; far (14 to 19) %.2f, %.3f each.\n"
          "From wave to wave a weight differs by %.3f (standard deviation): heads look at values, not only places.\n",
          share(self, looking, 0, NEAR), share(self, looking, 0, NEAR) / NEAR, share(self, looking, NEAR, MIDDLE),
          share(self, looking, NEAR, MIDDLE) / (MIDDLE - NEAR), share(self, looking, MIDDLE, INPUTS),
          share(self, looking, MIDDLE, INPUTS) / (INPUTS - MIDDLE), looking->waves_differ);
}

static void draw_patterns(Lab *lab, const Modeling *self, const Looking *looking)
{
    real x[INPUTS], y[INPUTS];
    Figure *figure = figure_begin(lab->figures, "attention_patterns", "What the last position looks at");
    figure_layout(figure, 2, 640, 520);
    Panel *panel = figure_panel(figure, "mean over heads, run by run", "distance from the last value", "weight");
    for (int run = 0; run < self->runs; run++) {
        char label[16];
        for (int k = 0; k < INPUTS; k++) {
            x[k] = (real)k;
            y[k] = 0;
            for (int h = 0; h < HEADS; h++)
                y[k] += (real)looking->weight[run][h][k] / HEADS;
        }
        snprintf(label, sizeof label, "run %d", run + 1);
        panel_line(panel, label, x, y, INPUTS);
    }
    panel_horizontal(panel, "all alike", 1.0 / INPUTS);
    panel = figure_panel(figure, "mean over runs, and the lecture's", "distance from the last value", "weight");
    for (int k = 0; k < INPUTS; k++)
        y[k] = (real)mean_weight(self, looking, k);
    panel_line(panel, "measured", x, y, INPUTS);
    const real lecture_x[] = {0, NEAR - 1, NEAR, MIDDLE - 1, MIDDLE, INPUTS - 1};
    const real low[] = {(real)0.3, (real)0.3, (real)0.1, (real)0.1, (real)0.05, (real)0.05};
    const real high[] = {(real)0.5, (real)0.5, (real)0.2, (real)0.2, (real)0.05, (real)0.05};
    panel_reference(panel, "lecture, from", lecture_x, low, 6);
    panel_reference(panel, "lecture, to", lecture_x, high, 6);
    figure_end(figure);
}

static void draw_heads(Lab *lab, const Modeling *self, const Looking *looking)
{
    static char rows[MOST_RUNS * HEADS][24], columns[INPUTS][8];
    const char *row_labels[MOST_RUNS * HEADS], *column_labels[INPUTS];
    real cells[MOST_RUNS * HEADS * INPUTS];
    int n = (self->runs < 3 ? self->runs : 3) * HEADS; /* as many as can be read */
    for (int r = 0; r < n; r++) {
        snprintf(rows[r], sizeof rows[r], "run %d, head %d", r / HEADS + 1, r % HEADS + 1);
        row_labels[r] = rows[r];
        for (int k = 0; k < INPUTS; k++)
            cells[r * INPUTS + k] = (real)looking->weight[r / HEADS][r % HEADS][k];
    }
    for (int k = 0; k < INPUTS; k++) {
        snprintf(columns[k], sizeof columns[k], "%d", k);
        column_labels[k] = columns[k];
    }
    Figure *figure =
        figure_begin(lab->figures, "multihead_analysis", "Every head: weight by distance from the last value");
    Panel *panel = figure_panel(figure, NULL, "distance", NULL);
    panel_heatmap(panel, cells, n, INPUTS, row_labels, column_labels, MAGNITUDE);
    figure_end(figure);
}

static void claims(Lab *lab, const Modeling *self, const Looking *looking)
{
    int rises = 0;
    double apart = 0, silenced = 0;
    for (int k = 1; k < INPUTS; k++)
        rises += mean_weight(self, looking, k) > mean_weight(self, looking, k - 1);
    for (int run = 0; run < self->runs; run++)
        for (int h = 0; h < HEADS; h++) {
            double distance = 0;
            for (int k = 0; k < INPUTS; k++)
                distance += fabs(looking->weight[run][h][k] - looking->weight[run][(h + 1) % HEADS][k]) / 2;
            apart += distance / HEADS / self->runs;
            silenced += log64(looking->without[run][h]) / HEADS / self->runs;
        }
    claim(lab->claims, (Claim){.id = "not-monotone",
                               .source = "lecture: near past 0.3-0.5, middle 0.1-0.2, far 0.05",
                               .statement = "attention does not simply fall with distance: at so many of 19 distances "
                                            "the mean weight is larger than one step nearer",
                               .measured = rises,
                               .test = AT_LEAST,
                               .bound = 3,
                               .corrects = true});
    claim(lab->claims,
          (Claim){.id = "before-last",
                  .source = "the same; y_t = c y_{t-1} - y_{t-2}",
                  .statement = "the value before the last gets more weight than the last, which the residual "
                               "brings anyway (ratio)",
                  .measured = mean_weight(self, looking, 1) / mean_weight(self, looking, 0),
                  .test = ABOVE,
                  .bound = 1,
                  .corrects = true});
    claim(lab->claims, (Claim){.id = "heads-differ",
                               .source = "lecture: each head sees something else",
                               .statement = "two heads of a model give so much of their weight to different values",
                               .measured = apart,
                               .test = AT_LEAST,
                               .bound = 0.2});
    claim(lab->claims, (Claim){.id = "heads-needed",
                               .source = "one head silenced",
                               .statement = "without one of its heads the error of a trained model is a multiple "
                                            "(geometric mean over heads and runs)",
                               .measured = exp64(silenced),
                               .test = AT_LEAST,
                               .bound = 3});
}

void step_attention(Lab *lab, void *state)
{
    Modeling *self = state;
    Looking looking = {0};
    study_train(lab, self, EQUAL_STEPS, ARM_TRANSFORMER, ARM_TRANSFORMER);
    for (int run = 0; run < self->runs; run++) {
        Trained *trained = &self->trained[EQUAL_STEPS][ARM_TRANSFORMER][run];
        double differ = 0;
        average_weights(trained->model, self->look, looking.weight[run], &differ);
        looking.waves_differ += differ / self->runs;
        for (int h = 0; h < HEADS; h++)
            looking.without[run][h] = error_without(trained->model, h, self->test) / trained->error;
    }
    trace(lab->trace,
          "One block, and its last position makes the prediction. Where does it look? Weights of the\n"
          "trained Transformers of step 3, mean over %d waves.\n\n",
          self->looked_at);
    tell_heads(lab, self, &looking);
    tell_distance(lab, self, &looking);
    draw_patterns(lab, self, &looking);
    draw_heads(lab, self, &looking);
    claims(lab, self, &looking);
}
