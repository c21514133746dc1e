/* steps_lookups.c: step 5: what several heads are for.
 *
 * A sequence of 16 places, at each a symbol (8 symbols, each twice) and a value.
 * At every place four questions have to be answered at once: what value is at
 * the previous place, at the next, at the first, and at the other place with the
 * same symbol?  One attention layer, no feed-forward part: one head can look at
 * one place at a time, so one head is not enough.
 *
 * A value is four bits, and an answer is four yes-or-no answers.  (Asked for one
 * of sixteen, two heads can cheat: each looks at a different mixture of three
 * places, and differences of the two mixtures take the three values apart.  A
 * sum of signs cannot be taken apart in this way.) */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "maths.h"
#include "memory.h"
#include "optim.h"
#include "parallel.h"
#include "self_attention.h"

enum {
    T = 16,
    SYMBOLS = 8,
    BITS = 4,
    VALUES = 1 << BITS,
    BATCH = 32,
    WIDTH = 32,
    LOOKUPS = 4,
    MODELS = 4,
    MOST_HEADS = 8
};
enum { PREVIOUS, NEXT, FIRST, SAME };
static const char *const lookup_name[LOOKUPS] = {"previous", "next", "first", "same symbol"};
static const int heads_of[MODELS] = {1, 2, 4, 8};

typedef struct {
    int symbol[BATCH * T], value[BATCH * T], position[BATCH * T];
    int place[BATCH * T * LOOKUPS];         /* where the answer stands, or -1 */
    int target[BATCH * T * LOOKUPS * BITS]; /* the bits of the answer, or -1 */
} Data;

typedef struct {
    Parameters *parameters;
    Tensor *symbols, *values, *positions;
    Attention layer;
    Linear readout; /* to 4 answers of 4 bits, two logits each */
} Model;

/* What is known of a trained model. */
typedef struct {
    int heads;
    size_t parameters;
    double loss; /* mean of the last 50 steps of training */
    double accuracy, of_lookup[LOOKUPS];
    real on_place[MOST_HEADS * LOOKUPS]; /* mean weight of head h on the place of look-up l */
    double diversity;                    /* Jensen-Shannon, bits, between heads */
    Data example;                        /* sequence 0 is drawn */
    real weights[MOST_HEADS * T * T];    /* of that sequence */
} Result;

/* Every model is trained from several starts, and the one with the lowest loss in
 * training is kept: two starts of four heads in three get stuck with two on the same look-up. */
typedef struct {
    Lab *lab;
    int steps, tests, starts;
    Result *result; /* [models, starts] */
} Job;

static void draw_data(Rng *rng, Data *data)
{
    for (int b = 0; b < BATCH; b++) {
        int *symbol = data->symbol + b * T, *value = data->value + b * T;
        for (int t = 0; t < T; t++) {
            symbol[t] = t % SYMBOLS;
            value[t] = (int)rng_below(rng, VALUES);
            data->position[b * T + t] = t;
        }
        rng_shuffle(rng, symbol, T);
        for (int t = 0; t < T; t++) {
            int *place = data->place + (b * T + t) * LOOKUPS, *target = data->target + (b * T + t) * LOOKUPS * BITS;
            place[PREVIOUS] = t - 1;
            place[NEXT] = t + 1 < T ? t + 1 : -1;
            place[FIRST] = 0;
            for (int s = 0; s < T; s++)
                if (s != t && symbol[s] == symbol[t])
                    place[SAME] = s;
            for (int i = 0; i < LOOKUPS * BITS; i++)
                target[i] = place[i / BITS] < 0 ? -1 : value[place[i / BITS]] >> i % BITS & 1;
        }
    }
}

static Model model_new(int heads, Rng *rng)
{
    Model model = {.parameters = parameters_new()};
    model.symbols = parameter_normal(model.parameters, "symbols", SHAPE(SYMBOLS, WIDTH), 1, rng);
    model.values = parameter_normal(model.parameters, "values", SHAPE(VALUES, WIDTH), 1, rng);
    model.positions = parameter_normal(model.parameters, "positions", SHAPE(T, WIDTH), 1, rng);
    model.layer = attention_new(model.parameters, "attention", WIDTH, heads, rng);
    model.readout = linear_new(model.parameters, "readout", WIDTH, LOOKUPS * BITS * 2, rng);
    return model;
}

/* x = symbol + value + position;  y = MultiHead(x);  logits [B, T, 4 x 4, 2] */
static Tensor *answer(Tape *tape, const Model *model, const Data *data, Tensor **weights)
{
    Shape shape = SHAPE(BATCH, T);
    Tensor *x = op_add(tape, op_embedding(tape, model->symbols, data->symbol, shape),
                       op_embedding(tape, model->values, data->value, shape)); /* [B, T, d] */
    x = op_add(tape, x, op_embedding(tape, model->positions, data->position, shape));
    Tensor *y = attention(tape, &model->layer, x, x, NULL, weights); /* [B, T, d] */
    return op_reshape(tape, linear(tape, &model->readout, y), SHAPE(BATCH, T, LOOKUPS * BITS, 2));
}

/* An answer is right if all its bits are. */
static void count_right(const Tensor *logits, const Data *data, double right[LOOKUPS], double asked[LOOKUPS])
{
    for (int i = 0; i < BATCH * T * LOOKUPS; i++) {
        bool all = true;
        for (int bit = i * BITS; bit < (i + 1) * BITS; bit++)
            all &= (logits->data[2 * bit + 1] > logits->data[2 * bit]) == data->target[bit];
        asked[i % LOOKUPS] += data->place[i] >= 0;
        right[i % LOOKUPS] += data->place[i] >= 0 && all;
    }
}

/* Adds each head's weight on the place of each look-up. */
static void watch_heads(const Tensor *weights, const Data *data, int heads, double *on_place)
{
    for (int b = 0; b < BATCH; b++)
        for (int h = 0; h < heads; h++)
            for (int t = 0; t < T; t++)
                for (int l = 0; l < LOOKUPS; l++) {
                    int place = data->place[(b * T + t) * LOOKUPS + l];
                    if (place >= 0)
                        on_place[h * LOOKUPS + l] += (double)weights->data[((b * heads + h) * T + t) * T + place];
                }
}

/* Jensen-Shannon divergence of two heads' weights in bits, mean over B x T rows. */
static double heads_apart(const Tensor *weights, int heads, int one, int other)
{
    double sum = 0;
    for (int b = 0; b < BATCH; b++)
        for (int i = 0; i < T * T; i++) {
            double p = (double)weights->data[(b * heads + one) * T * T + i];
            double q = (double)weights->data[(b * heads + other) * T * T + i], mean = (p + q) / 2;
            sum += p > 0 ? p / 2 * log64(p / mean) : 0;
            sum += q > 0 ? q / 2 * log64(q / mean) : 0;
        }
    return sum / (BATCH * T) / log64(2);
}

static double all_heads_apart(const Tensor *weights, int heads)
{
    double sum = 0;
    for (int one = 0; one < heads; one++)
        for (int other = 0; other < one; other++)
            sum += heads_apart(weights, heads, one, other);
    return heads > 1 ? sum / (heads * (heads - 1) / 2.0) : 0;
}

static void test_model(const Model *model, Rng *rng, int tests, Result *r)
{
    double right[LOOKUPS] = {0}, asked[LOOKUPS] = {0}, on_place[MOST_HEADS * LOOKUPS] = {0}, apart = 0;
    Tape *tape = tape_new(1);
    Tensor *weights = NULL;
    tape_record(tape, false);
    for (int i = 0; i < tests; i++) {
        tape_rewind(tape);
        draw_data(rng, &r->example);
        Tensor *logits = answer(tape, model, &r->example, &weights);
        count_right(logits, &r->example, right, asked);
        watch_heads(weights, &r->example, r->heads, on_place);
        apart += all_heads_apart(weights, r->heads) / tests;
    }
    double all = 0, all_asked = 0;
    for (int l = 0; l < LOOKUPS; l++) {
        r->of_lookup[l] = right[l] / asked[l];
        all += right[l];
        all_asked += asked[l];
        for (int h = 0; h < r->heads; h++)
            r->on_place[h * LOOKUPS + l] = (real)(on_place[h * LOOKUPS + l] / asked[l]);
    }
    r->accuracy = all / all_asked;
    r->diversity = apart;
    memcpy(r->weights, weights->data, (size_t)r->heads * T * T * sizeof(real));
    tape_free(tape);
}

static void train(int index, void *context)
{
    Job *job = context;
    Result *r = &job->result[index];
    char stream[40];
    r->heads = heads_of[index / job->starts];
    snprintf(stream, sizeof stream, "look-ups, %d heads, start %d", r->heads, index % job->starts);
    Rng rng = lab_rng(job->lab, stream), test_rng = lab_rng(job->lab, "look-ups, test");
    Model model = model_new(r->heads, &rng);
    Optimiser *adam = adam_new(model.parameters, (Adam){.rate = 8e-3});
    Tape *tape = tape_new(1);
    Data data;
    for (int step = 0; step < job->steps; step++) {
        draw_data(&rng, &data);
        tape_rewind(tape);
        Tensor *loss = op_cross_entropy(tape, answer(tape, &model, &data, NULL), data.target);
        r->loss += step >= job->steps - 50 ? (double)loss->data[0] / 50 : 0;
        tape_backward(tape, loss);
        optimiser_step(adam);
    }
    r->parameters = parameters_count(model.parameters);
    test_model(&model, &test_rng, job->tests, r);
    tape_free(tape);
    optimiser_free(adam);
    parameters_free(model.parameters);
}

/* ---- what is shown ------------------------------------------------------------------- */

/* The head with the most weight on the place of look-up L. */
static int head_for(const Result *r, int l)
{
    int best = 0;
    for (int h = 1; h < r->heads; h++)
        if (r->on_place[h * LOOKUPS + l] > r->on_place[best * LOOKUPS + l])
            best = h;
    return best;
}

static const char *head_name(int h)
{
    static const char *const names[MOST_HEADS] = {"head 1", "head 2", "head 3", "head 4",
                                                  "head 5", "head 6", "head 7", "head 8"};
    return names[h];
}

static void trace_results(Lab *lab, const Result *result, const Job *job)
{
    const Result *last = &result[MODELS - 1];
    const char *names[MOST_HEADS];
    for (int h = 0; h < MOST_HEADS; h++)
        names[h] = head_name(h);
    trace(lab->trace,
          "A sequence has %d places, each with one of %d symbols (every symbol comes twice) and a value of %d bits.\n"
          "At every place four questions at once: what value is at the previous place, the next, the first, and\n"
          "the other place with the same symbol? One attention layer of width %d, every model with %zu parameters;\n"
          "guessing gives %.3f. Each is trained for %d steps from %d start%s; the start with the lowest loss in\n"
          "training is kept.\n\n",
          T, SYMBOLS, BITS, WIDTH, last->parameters, 1.0 / VALUES, job->steps, job->starts, job->starts > 1 ? "s" : "");
    trace_table(lab->trace, "heads\tright\tprevious\tnext\tfirst\tsame symbol\theads apart, bit");
    for (int i = 0; i < MODELS; i++) {
        const Result *r = &result[i];
        char apart[16] = "-";
        if (r->heads > 1)
            snprintf(apart, sizeof apart, "%.2f", r->diversity);
        trace_row(lab->trace, "%d\t%.3f\t%.3f\t%.3f\t%.3f\t%.3f\t%s", r->heads, r->accuracy, r->of_lookup[PREVIOUS],
                  r->of_lookup[NEXT], r->of_lookup[FIRST], r->of_lookup[SAME], apart);
    }
    trace_table_end(lab->trace);
    trace(lab->trace,
          "\nA head has one softmax: it looks at one place well, or at several badly. So the number of look-ups\n"
          "that a layer can do is about its number of heads. Who does what, of 8 heads (some look-ups are shared;\n"
          "in the figure, C7 is a place with symbol C and value 7):\n\n");
    trace_matrix(lab->trace, HERE, "mean weight on the place that is asked for", last->on_place, MOST_HEADS, LOOKUPS,
                 names, lookup_name, 2);
}

static void draw_accuracy(Figure *figure, const Result *result)
{
    static const char *const label[MODELS] = {"1 head", "2 heads", "4 heads", "8 heads"};
    Panel *panel = figure_panel(figure, "right answers", NULL, "share right");
    panel_range_y(panel, 0, 1.15);
    for (int i = 0; i < MODELS; i++) {
        real right[LOOKUPS];
        for (int l = 0; l < LOOKUPS; l++)
            right[l] = (real)result[i].of_lookup[l];
        panel_bars(panel, label[i], lookup_name, right, NULL, LOOKUPS);
    }
    panel_horizontal(panel, "guessing", 1.0 / VALUES);
}

static void draw_results(Lab *lab, const Result *result)
{
    const Result *r = &result[MODELS - 1];
    const char *names[MOST_HEADS], *words[T];
    char text[T][16];
    for (int h = 0; h < MOST_HEADS; h++)
        names[h] = head_name(h);
    for (int t = 0; t < T; t++) { /* "C7": symbol C, value 7 */
        snprintf(text[t], sizeof text[t], "%c%d", 'A' + r->example.symbol[t], r->example.value[t]);
        words[t] = text[t];
    }
    Figure *figure = figure_begin(lab->figures, "head_specialisation", "Four look-ups at once: each needs a head");
    figure_layout(figure, 3, 520, 470);
    draw_accuracy(figure, result);
    panel_heatmap(figure_panel(figure, "8 heads: who looks where", NULL, NULL), r->on_place, MOST_HEADS, LOOKUPS, names,
                  lookup_name, WEIGHTS);
    for (int l = 0; l < LOOKUPS; l++) {
        char title[80];
        snprintf(title, sizeof title, "%s: %s", head_name(head_for(r, l)), lookup_name[l]);
        panel_heatmap(figure_panel(figure, title, NULL, NULL), r->weights + head_for(r, l) * T * T, T, T, words, words,
                      WEIGHTS);
    }
    figure_end(figure);
}

static void claim_heads(Lab *lab, const Result *r)
{
    static const char *const id[LOOKUPS] = {"head-for-previous", "head-for-next", "head-for-first",
                                            "head-for-same-symbol"};
    static const char *const place[LOOKUPS] = {"the previous place", "the next place", "the first place",
                                               "the place with the same symbol"};
    for (int l = 0; l < LOOKUPS; l++) {
        char statement[160];
        int h = head_for(r, l);
        snprintf(statement, sizeof statement, "of 8 heads, head %d looks at %s: its mean weight there", h + 1,
                 place[l]);
        claim(lab->claims, (Claim){.id = id[l],
                                   .statement = statement,
                                   .source = "Vaswani 2017, section 4: heads learn to perform different tasks",
                                   .measured = (double)r->on_place[h * LOOKUPS + l],
                                   .test = AT_LEAST,
                                   .bound = 0.4});
    }
}

static void claim_results(Lab *lab, const Result *result)
{
    size_t least = result[0].parameters, most = least;
    for (int i = 1; i < MODELS; i++) {
        least = result[i].parameters < least ? result[i].parameters : least;
        most = result[i].parameters > most ? result[i].parameters : most;
    }
    claim(lab->claims, (Claim){.id = "one-head-fails",
                               .statement = "one head cannot do four look-ups at once: share right",
                               .source = "Vaswani 2017, section 3.2.2: with a single head, averaging inhibits this",
                               .measured = result[0].accuracy,
                               .test = AT_MOST,
                               .bound = 0.65});
    claim(lab->claims, (Claim){.id = "two-heads-fail",
                               .statement = "nor can two",
                               .source = "the same",
                               .measured = result[1].accuracy,
                               .test = AT_MOST,
                               .bound = 0.65});
    claim(lab->claims, (Claim){.id = "four-heads-nearly",
                               .statement = "four heads have just enough",
                               .source = "lecture: several heads, several relations",
                               .measured = result[2].accuracy,
                               .test = AT_LEAST,
                               .bound = 0.85,
                               .skipped = lab->quick ? "four heads need several starts" : NULL});
    claim(lab->claims, (Claim){.id = "eight-heads-solve-it",
                               .statement = "eight heads have room to spare",
                               .source = "lecture: several heads, several relations",
                               .measured = result[3].accuracy,
                               .test = AT_LEAST,
                               .bound = 0.95});
    claim(lab->claims, (Claim){.id = "equal-parameters",
                               .statement = "all four models have the same number of parameters: the difference",
                               .source = "Vaswani 2017, section 3.2.2",
                               .measured = (double)(most - least),
                               .test = EQUALS,
                               .bound = 0});
    claim_heads(lab, &result[3]);
    claim(lab->claims, (Claim){.id = "heads-differ",
                               .statement = "the eight heads look at different places: Jensen-Shannon divergence in "
                                            "bits, of 1",
                               .source = "lecture: different heads, different views",
                               .measured = result[3].diversity,
                               .test = AT_LEAST,
                               .bound = 0.5});
}

/* The start with the lowest loss in training. */
static const Result *best_start(const Result *of_model, int starts)
{
    const Result *best = of_model;
    for (int i = 1; i < starts; i++)
        if (of_model[i].loss < best->loss)
            best = &of_model[i];
    return best;
}

void step_lookups(Lab *lab, void *state)
{
    Job job = {lab, 400, 10, lab_choose(lab, 16, 1), NULL};
    Result *best = memory_new(MODELS, sizeof *best, "the results of the look-ups");
    (void)state;
    job.result = memory_new((size_t)MODELS * job.starts, sizeof *job.result, "the results of the look-ups");
    parallel_for(lab->threads, MODELS * job.starts, train, &job);
    for (int i = 0; i < MODELS; i++)
        best[i] = *best_start(job.result + i * job.starts, job.starts);
    trace_results(lab, best, &job);
    draw_results(lab, best);
    claim_results(lab, best);
    free(job.result);
    free(best);
}
