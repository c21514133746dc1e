/* Step 5. Attention by hand, and four ways to score. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "maths.h"
#include "seq2seq.h"

/* ---- by hand ------------------------------------------------------------------------ */

/* The first step of a decoder: seven annotations and one query, two numbers each. */
enum { WORDS = 7, WIDE = 2 };
static const char *const words[WORDS] = {"the", "small", "black", "cat", "drank", "cold", "milk"};
static const real annotation[WORDS * WIDE] = {1.0, 0.2, 0.1, 0.9, 0.2, 1.0, 0.8, 0.6, -0.5, 0.4, 0.0, 0.8, 0.6, -0.4};
static const real query[WIDE] = {1.5, 0.5};
static const real weight_general[WIDE * WIDE] = {1.0, 0.5, -0.5, 1.0};
static const real weight_query[WIDE * WIDE] = {1.0, 0.0, 0.5, 1.0}, weight_key[WIDE * WIDE] = {1.0, -0.5, 0.0, 1.0};
static const real vector[WIDE] = {1.0, -1.0};

typedef struct {
    Tensor *s, *h, *scores, *weights, *context;
} ByHand;

static ByHand attend(Tape *tape, AttentionKind kind)
{
    ByHand x = {.s = tape_variable(tape, "s_1", SHAPE(1, WIDE), query),
                .h = tape_variable(tape, "h", SHAPE(WORDS, WIDE), annotation)};
    Tensor *keys = x.h;
    if (kind == GENERAL) /* s . (W h_j) */
        keys = op_matmul(tape, x.h, tape_input(tape, "W", SHAPE(WIDE, WIDE), weight_general));
    if (kind == CONCAT) { /* v . tanh(W s + U h_j) */
        Tensor *from_query = op_matmul(tape, x.s, tape_input(tape, "W", SHAPE(WIDE, WIDE), weight_query));
        Tensor *from_keys = op_matmul(tape, x.h, tape_input(tape, "U", SHAPE(WIDE, WIDE), weight_key));
        Tensor *inner = op_tanh(tape, op_add(tape, from_keys, op_reshape(tape, from_query, SHAPE(WIDE))));
        Tensor *e = op_matmul(tape, inner, tape_input(tape, "v", SHAPE(WIDE, 1), vector));
        x.scores = op_reshape(tape, e, SHAPE(1, WORDS));
    } else { /* s . h_j */
        x.scores = op_matmul_transposed(tape, x.s, keys);
    }
    if (kind == SCALED)
        x.scores = op_scale(tape, x.scores, 1 / m_sqrt(WIDE));
    x.weights = op_softmax(tape, x.scores, NULL); /* a_j = e^e_j / sum_k e^e_k   [1, 7] */
    x.context = op_matmul(tape, x.weights, x.h);  /* c = sum_j a_j h_j           [1, 2] */
    return x;
}

/* Backward, from L = c_1 + c_2, by the formulas; the largest difference to the tape's:
 *     dL/da_j = dL/dc . h_j   dL/de_j = a_j (dL/da_j - sum_k a_k dL/da_k)   dL/ds = sum_j dL/de_j h_j   (dot) */
static double backward_by_hand(Lab *lab, Tape *tape, const ByHand *x)
{
    real da[WORDS], de[WORDS], ds[WIDE] = {0, 0}, mean = 0;
    tape_backward(tape, op_sum(tape, x->context));
    for (int j = 0; j < WORDS; j++) {
        da[j] = annotation[j * WIDE] + annotation[j * WIDE + 1];
        mean += x->weights->data[j] * da[j];
    }
    for (int j = 0; j < WORDS; j++) {
        de[j] = x->weights->data[j] * (da[j] - mean);
        for (int i = 0; i < WIDE; i++)
            ds[i] += de[j] * annotation[j * WIDE + i];
    }
    trace(lab->trace, "\nBackward, from L = c_1 + c_2:\n");
    trace_vector(lab->trace, HERE, "dL/da_j = h_j1 + h_j2", da, WORDS, words, 3);
    trace_vector(lab->trace, HERE, "dL/de_j = a_j (dL/da_j - sum_k a_k dL/da_k)", de, WORDS, words, 4);
    trace_vector(lab->trace, HERE, "dL/ds_1 = sum_j dL/de_j h_j", ds, WIDE, NULL, 4);
    trace_vector(lab->trace, x->s->where, "the same from the tape", x->s->grad, WIDE, NULL, 4);
    return fmax(fabs((double)(ds[0] - x->s->grad[0])), fabs((double)(ds[1] - x->s->grad[1])));
}

static void by_hand(Lab *lab)
{
    static const AttentionKind kinds[] = {DOT, GENERAL, CONCAT, SCALED};
    static const char *const formula[] = {"e_j = s_1 . h_j", "e_j = s_1 . (h_j W)", "e_j = v . tanh(s_1 W + h_j U)",
                                          "e_j = s_1 . h_j / sqrt(2)"};
    Tape *tape = tape_new(1);
    real rows[4 * WORDS];
    const char *names[4];
    trace(lab->trace, "The decoder is at its first word. Its state asks, and each of the seven words answers:\n\n");
    trace_matrix(lab->trace, HERE, "h_1 ... h_7", annotation, WORDS, WIDE, words, NULL, 2);
    trace_vector(lab->trace, HERE, "s_1", query, WIDE, NULL, 2);
    double difference = 0, sums = 0;
    for (int k = 0; k < 4; k++) {
        ByHand x = attend(tape, kinds[k]);
        trace(lab->trace, "\n%s:  %s\n", attention_name[kinds[k]], formula[k]);
        trace_vector(lab->trace, x.scores->where, "e", x.scores->data, WORDS, words, 4);
        trace_vector(lab->trace, x.weights->where, "a = softmax(e)", x.weights->data, WORDS, words, 4);
        trace_vector(lab->trace, x.context->where, "c = sum_j a_j h_j", x.context->data, WIDE, NULL, 4);
        double sum = 0;
        for (int j = 0; j < WORDS; j++) {
            rows[k * WORDS + j] = x.weights->data[j];
            sum += (double)x.weights->data[j];
        }
        sums = fmax(sums, fabs(sum - 1));
        names[k] = attention_name[kinds[k]];
        if (kinds[k] == DOT)
            difference = backward_by_hand(lab, tape, &x);
    }
    Figure *figure = figure_begin(lab->figures, "attention_by_hand", "One query, seven words: the weights a_j");
    panel_heatmap(figure_panel(figure, NULL, NULL, NULL), rows, 4, WORDS, names, words, WEIGHTS);
    figure_end(figure);
    claim(lab->claims, (Claim){.id = "weights-sum-to-one",
                               .source = "lecture: attention weights are a distribution",
                               .statement = "the seven weights sum to 1 for every way of scoring (largest difference)",
                               .measured = sums,
                               .test = AT_MOST,
                               .bound = 1e-6});
    claim(lab->claims, (Claim){.id = "attention-backward",
                               .source = "lecture: attention is differentiable",
                               .statement = "the gradient at the query by the formulas is the tape's (difference)",
                               .measured = difference,
                               .test = AT_MOST,
                               .bound = 1e-6});
    tape_free(tape);
}

/* ---- four ways, trained ---------------------------------------------------------------- */

enum { WAYS = 4 };
static const ModelId ways[WAYS] = {WITH_CONCAT, WITH_GENERAL, WITH_DOT, WITH_SCALED};

static void draw(Lab *lab, const Seq2Seq *self, const Tests *test, const ByLength *result)
{
    Figure *figure = figure_begin(lab->figures, "scoring_functions", "Four ways to score");
    figure_layout(figure, 2, 640, 520);
    Panel *curves = figure_panel(figure, "learning", "training step", "loss a word");
    panel_log_y(curves);
    Panel *bars = figure_panel(figure, "exact translations", "English words", "share of sentences");
    panel_range_y(bars, 0, 1.35);
    const char *names[MOST_BUCKETS];
    for (int i = 0; i < test->buckets; i++)
        names[i] = test->name[i];
    for (int w = 0; w < WAYS; w++) {
        const LossCurve *curve = &self->curve[ways[w]];
        const char *name = attention_name[self->model[ways[w]]->settings.attention];
        real exact[MOST_BUCKETS];
        for (int i = 0; i < test->buckets; i++)
            exact[i] = (real)result[w].exact[i];
        panel_line(curves, name, curve->step, curve->loss, curve->points);
        panel_bars(bars, name, names, exact, NULL, test->buckets);
    }
    figure_end(figure);
}

static void four_ways(Lab *lab, Seq2Seq *self)
{
    const Tests *test = tests_of(lab, self);
    ByLength result[WAYS];
    double content[WAYS], worst = 1, least_content = 1;
    int last = test->trained - 1;
    models_need(lab, self, ways, WAYS);
    trace(lab->trace,
          "\nTrained alike (%d steps of %d pairs, H = %d), on sentences of up to %d words. Exact translations by\n"
          "length; the last column is beyond anything trained on:\n\n",
          self->steps, BATCH, self->wide, self->longest);
    char heading[256] = "score\tparameters\tloss";
    size_t used = strlen(heading);
    for (int i = 0; i < test->buckets; i++)
        used += (size_t)snprintf(heading + used, sizeof heading - used, "\t%s", test->name[i]);
    snprintf(heading + used, sizeof heading - used, "\tcontent words aligned, %s", test->name[last]);
    trace_table(lab->trace, heading);
    for (int w = 0; w < WAYS; w++) {
        const Model *model = self->model[ways[w]];
        const LossCurve *curve = &self->curve[ways[w]];
        result[w] = by_length(lab, self, ways[w]);
        Agreement agreement = agreement_of(model, test->pairs[last], test->size);
        content[w] = agreement_content(&agreement);
        char row[256];
        int at = 0;
        for (int i = 0; i < test->buckets; i++)
            at += snprintf(row + at, sizeof row - (size_t)at, "\t%.3f", result[w].exact[i]);
        trace_row(lab->trace, "%s\t%zu\t%.4f%s\t%.3f", attention_name[model->settings.attention],
                  model_attention_parameters(model), curve->points ? (double)curve->loss[curve->points - 1] : 0, row,
                  content[w]);
        if (ways[w] != WITH_SCALED) {
            worst = result[w].exact[last] < worst ? result[w].exact[last] : worst;
            least_content = content[w] < least_content ? content[w] : least_content;
        }
    }
    trace_table_end(lab->trace);
    const char *few = lab->quick ? "the models are trained for too few steps" : NULL;
    claim(lab->claims, (Claim){.id = "scores-all-work",
                               .source = "lecture: dot, general, concat; Luong 2015, table 4",
                               .statement = "dot, general and concat all translate the longest sentences trained on "
                                            "(least share of exact translations)",
                               .measured = worst,
                               .test = AT_LEAST,
                               .bound = 0.85,
                               .skipped = few});
    claim(lab->claims,
          (Claim){.id = "scores-all-align",
                  .source = "Bahdanau 2015, section 5.2.1",
                  .statement = "and there their content words look at the word they come from (least share)",
                  .measured = least_content,
                  .test = AT_LEAST,
                  .bound = 0.95,
                  .skipped = few});
    draw(lab, self, test, result);
}

void step_attention(Lab *lab, void *state)
{
    by_hand(lab);
    four_ways(lab, state);
}
