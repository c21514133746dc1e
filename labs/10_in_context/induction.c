/* Step 5. How it is done: induction heads. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "mapping.h"

enum { DRAWN = 17, TEXTS = 200, AROUND = 100 }; /* AROUND: training steps before the jump */
#define JUMP 0.6                                /* accuracy at 13 to 16 shots by which a model has jumped: half-way */

static real at_look(const Learner *learner, int i, int what)
{
    return learner->look[i * LOOKED + what];
}

/* ---- what the heads of one model do ----------------------------------------------- */

typedef struct {
    int layers, heads;
    double previous[MOST_LAYERS][8]; /* weight from a label to the symbol before it */
    double prefix[MOST_LAYERS][8];   /* mapping_prefix_score */
    double without[MOST_LAYERS][8];  /* accuracy at 16 shots with the head silenced */
    double accuracy;                 /* with all heads */
} Heads;

/* Mean over labels at places t = 1, 3, ... of A[t, t - 1]. */
static double previous_score(const Tensor *weights, int head)
{
    int texts = weights->shape.dim[0], heads = weights->shape.dim[1], count = 0;
    double sum = 0;
    for (int i = 0; i < texts; i++)
        for (int t = 1; t < PLACES; t += 2, count++)
            sum += (double)weights->data[((i * heads + head) * PLACES + t) * PLACES + t - 1];
    return sum / count;
}

/* Accuracy at 16 shots on the first TEXTS test texts. */
static double last_accuracy(Tape *tape, const Model *model, const Mappings *all, Tensor **weights)
{
    int rows[TEXTS], right = 0;
    tape_rewind(tape);
    for (int i = 0; i < TEXTS; i++)
        rows[i] = i * PLACES + PLACES - 1;
    Tensor *states = model_read(tape, model, all->ids, TEXTS, PLACES, (ModelView){.weights = weights});
    const real *scores = model_scores(tape, model, model_rows(tape, states, rows, TEXTS))->data;
    for (int i = 0; i < TEXTS; i++)
        right += choose_word(scores + i * WORDS, WORDS, (Choice){0}, NULL) == all->answers[i * ASKED + SHOTS];
    return (double)right / TEXTS;
}

/* The same with one head silenced: what it says is multiplied by rows h d_k ...
 * (h + 1) d_k - 1 of W_O, which are 0 meanwhile. */
static double silenced(Tape *tape, const Model *model, const Mappings *all, int layer, int head)
{
    enum { MOST = 32 * 32 };
    real kept[MOST];
    int d = model->settings.d, width = d / model->settings.heads;
    real *rows = model->block[layer].self.output.weight->data + head * width * d;
    memcpy(kept, rows, (size_t)(width * d) * sizeof *rows);
    memset(rows, 0, (size_t)(width * d) * sizeof *rows);
    double accuracy = last_accuracy(tape, model, all, NULL);
    memcpy(rows, kept, (size_t)(width * d) * sizeof *rows);
    return accuracy;
}

static Heads look_at_heads(const Model *model, const Mappings *all)
{
    Heads found = {.layers = model->settings.layers, .heads = model->settings.heads};
    Tensor *weights[MOST_LAYERS];
    Tape *tape = tape_new(1);
    tape_record(tape, false);
    found.accuracy = last_accuracy(tape, model, all, weights);
    for (int layer = 0; layer < found.layers; layer++)
        for (int head = 0; head < found.heads; head++) {
            found.previous[layer][head] = previous_score(weights[layer], head);
            found.prefix[layer][head] = mapping_prefix_score(weights, layer, head, all->ids);
        }
    for (int layer = 0; layer < found.layers; layer++)
        for (int head = 0; head < found.heads; head++)
            found.without[layer][head] = silenced(tape, model, all, layer, head);
    tape_free(tape);
    return found;
}

static int best_previous(const Heads *found)
{
    int best = 0;
    for (int head = 1; head < found->heads; head++)
        best = found->previous[0][head] > found->previous[0][best] ? head : best;
    return best;
}

static void tell_heads(Lab *lab, const Heads *found)
{
    trace(lab->trace,
          "\nThe heads of the first model with two layers. previous: how much a label looks at the symbol before\n"
          "it. prefix matching: how much the last symbol looks at labels behind the same symbol. silenced: the\n"
          "accuracy at 16 shots (%.3f) when the head says nothing:\n\n",
          found->accuracy);
    trace_table(lab->trace, "head\tprevious\tprefix matching\tsilenced");
    for (int layer = 0; layer < found->layers; layer++)
        for (int head = 0; head < found->heads; head++)
            trace_row(lab->trace, "layer %d, head %d\t%.3f\t%.3f\t%.3f", layer + 1, head + 1,
                      found->previous[layer][head], found->prefix[layer][head], found->without[layer][head]);
    trace_table_end(lab->trace);
}

/* ---- the head, drawn ----------------------------------------------------------------- */

/* One text whose last symbol was there before: the first such of the test. */
static int text_with_answer(const Mappings *all)
{
    int i = 0;
    while (i < all->tests - 1 && !all->shown[i * ASKED + DRAWN / 2])
        i++;
    return i;
}

static void tell_row(Lab *lab, const int *ids, const real *row)
{
    trace_equation(lab->trace, HERE, "layer 2: A[t, s] = softmax_s(q_t . k_s / sqrt(d_k)), t = %d, '%s'", DRAWN,
                   mapping_word(ids[DRAWN - 1]));
    trace(lab->trace, "\n");
    trace_table(lab->trace, "place s\tword\tword before it\tweight");
    for (int s = 0; s < DRAWN; s++)
        if (row[s] >= (real)0.02)
            trace_row(lab->trace, "%d\t%s\t%s\t%.3f", s + 1, mapping_word(ids[s]), s ? mapping_word(ids[s - 1]) : "",
                      (double)row[s]);
    trace_table_end(lab->trace);
}

static void draw_heads(Lab *lab, const Mappings *all, const Learner *learner, const Heads *found)
{
    static const char *const title[] = {"layer 1: the word before", "layer 2: what stood behind my like"};
    const int *ids = all->ids + text_with_answer(all) * PLACES;
    int best = (int)at_look(learner, all->looks - 1, LOOK_HEAD);
    int head[] = {best_previous(found), best % found->heads}, layer[] = {0, best / found->heads};
    const char *words[DRAWN];
    Tensor *weights[MOST_LAYERS] = {NULL};
    Tape *tape = tape_new(1);
    tape_record(tape, false);
    model_read(tape, &learner->model, ids, 1, DRAWN, (ModelView){.weights = weights});
    trace(lab->trace, "\nA text:");
    for (int t = 0; t < DRAWN; t++)
        trace(lab->trace, " %s", words[t] = mapping_word(ids[t]));
    trace(lab->trace, " ?   Where the induction head (layer %d, head %d) looks from its last word:\n\n", layer[1] + 1,
          head[1] + 1);
    Figure *figure =
        figure_begin(lab->figures, "induction_head", "Two heads that find what the last symbol means in this text");
    figure_layout(figure, 2, 760, 720);
    for (int i = 0; i < 2; i++) {
        const real *matrix = weights[layer[i]]->data + head[i] * DRAWN * DRAWN;
        Panel *panel = figure_panel(figure, title[i], "looked at", "looking");
        panel_heatmap(panel, matrix, DRAWN, DRAWN, words, words, WEIGHTS);
        if (i == 1)
            tell_row(lab, ids, matrix + (DRAWN - 1) * DRAWN);
    }
    figure_end(figure);
    tape_free(tape);
}

/* ---- the jump -------------------------------------------------------------------------- */

/* The first look at which the accuracy is JUMP, or -1. */
static int jump_of(const Mappings *all, int run)
{
    for (int i = 0; i < all->looks; i++)
        if (at_look(mappings_learner(all, run, LARGEST), i, LOOK_ACCURACY) >= (real)JUMP)
            return i;
    return -1;
}

/* The prefix-matching score AROUND steps before the jump; 1 if there was none. */
static double score_before(const Mappings *all, int run)
{
    int jump = jump_of(all, run), before = jump - AROUND / EVERY;
    return jump < 0 ? 1 : (double)at_look(mappings_learner(all, run, LARGEST), before < 0 ? 0 : before, LOOK_PREFIX);
}

static double score_after(const Mappings *all, int run, int kind)
{
    return (double)at_look(mappings_learner(all, run, kind), all->looks - 1, LOOK_PREFIX);
}

/* Olsson 2022: the loss late in the text minus the loss early in it. */
static real in_context_score(const Learner *learner, int i)
{
    return at_look(learner, i, LOOK_LATE_LOSS) - at_look(learner, i, LOOK_EARLY_LOSS);
}

static void tell_jumps(Lab *lab, const Mappings *all)
{
    trace(lab->trace,
          "The same models as in step 4, looked at every %d steps of training. A model has jumped when its\n"
          "accuracy at 13 to 16 shots is %.1f. in-context score: loss at 13 to 16 shots minus loss at 1 to 4.\n"
          "prefix matching: of the head that has most of it at the end.\n\n",
          EVERY, JUMP);
    trace_table(lab->trace,
                "model\tjumped at step\tprefix matching, 100 before\tat the end\tin-context score\taccuracy");
    for (int kind = LARGEST; kind <= ONE_LAYER; kind++)
        for (int run = 0; run < all->runs; run++) {
            const Learner *learner = mappings_learner(all, run, kind);
            char jumped[16] = "never", before[16] = "";
            if (kind == LARGEST && jump_of(all, run) >= 0) {
                snprintf(jumped, sizeof jumped, "%d", jump_of(all, run) * EVERY);
                snprintf(before, sizeof before, "%.3f", score_before(all, run));
            }
            trace_row(lab->trace, "%s, run %d\t%s\t%s\t%.3f\t%.3f\t%.3f", kind == LARGEST ? "two layers" : "one layer",
                      run + 1, jumped, before, score_after(all, run, kind),
                      (double)in_context_score(learner, all->looks - 1), learner->accuracy[SHOTS]);
        }
    trace_table_end(lab->trace);
}

static void draw_curve(Panel *panel, const Mappings *all, int run, int kind, int what)
{
    enum { MOST_LOOKS = 200 };
    real x[MOST_LOOKS], y[MOST_LOOKS];
    const Learner *learner = mappings_learner(all, run, kind);
    for (int i = 0; i < all->looks; i++) {
        x[i] = at_look(learner, i, LOOK_STEP);
        y[i] = what == LOOKED ? in_context_score(learner, i) : at_look(learner, i, what);
    }
    char label[32];
    snprintf(label, sizeof label, "two layers, run %d", run + 1);
    if (kind == LARGEST)
        panel_line(panel, label, x, y, all->looks);
    else
        panel_reference(panel, "one layer", x, y, all->looks);
}

static void draw_jumps(Lab *lab, const Mappings *all)
{
    static const struct {
        int what; /* LOOKED: the in-context score */
        const char *title;
    } panels[] = {{LOOK_ORDER, "next symbol, when it follows the alphabet"},
                  {LOOK_PREFIX, "prefix matching of the best head"},
                  {LOOKED, "in-context score: late loss - early loss"},
                  {LOOK_ACCURACY, "accuracy at 13 to 16 shots"}};
    Figure *figure = figure_begin(lab->figures, "phase_change", "The jump: from one kind of reader to another");
    figure_layout(figure, 2, 580, 410);
    for (int p = 0; p < 4; p++) {
        Panel *panel = figure_panel(figure, panels[p].title, "training step", NULL);
        panel_key(panel, p < 2 ? KEY_NONE : KEY_BELOW);
        for (int run = 0; run < all->runs; run++)
            draw_curve(panel, all, run, LARGEST, panels[p].what);
        draw_curve(panel, all, 0, ONE_LAYER, panels[p].what);
    }
    figure_end(figure);
}

/* ---- claims ------------------------------------------------------------------------------ */

/* The two least values so far. */
typedef struct {
    double least, second;
} Least;

static void least_add(Least *two, double x)
{
    two->second = fmin(two->second, fmax(two->least, x));
    two->least = fmin(two->least, x);
}

/* About one run of two layers in eighty does not jump, in 600 steps or in 900: what is
 * claimed of them is claimed of all runs but one, if there is more than one. */
static double all_but_one(const Mappings *all, Least two)
{
    return all->runs > 1 ? two.second : two.least;
}

static void claim_layers(Lab *lab, const Mappings *all)
{
    const char *too_soon = lab->quick ? "training ends too soon after the jump" : NULL;
    double one = 0, most_of_one = 0;
    Least two = {INFINITY, INFINITY}, before = two, after = two; /* BEFORE: of negative scores, for the largest */
    for (int run = 0; run < all->runs; run++) {
        one = fmax(one, mappings_learner(all, run, ONE_LAYER)->accuracy[SHOTS]);
        most_of_one = fmax(most_of_one, score_after(all, run, ONE_LAYER));
        least_add(&two, mappings_learner(all, run, LARGEST)->accuracy[SHOTS]);
        least_add(&before, -score_before(all, run));
        least_add(&after, score_after(all, run, LARGEST));
    }
    claim(lab->claims, (Claim){.id = "one-layer-fails",
                               .source = "Olsson 2022, argument 4: induction needs two layers",
                               .statement = "one layer with more parameters than two is right at most 4 times in 10 "
                                            "at 16 shots (largest accuracy of the runs)",
                               .measured = one,
                               .test = AT_MOST,
                               .bound = 0.4});
    claim(lab->claims,
          (Claim){.id = "two-layers-succeed",
                  .source = "Olsson 2022",
                  .statement = "two layers are right at least 8 times in 10 (least accuracy of all runs but one)",
                  .measured = all_but_one(all, two),
                  .test = AT_LEAST,
                  .bound = 0.8,
                  .skipped = too_soon});
    claim(lab->claims,
          (Claim){.id = "induction-head",
                  .source = "Olsson 2022: prefix matching",
                  .statement = "after the jump the best head gives nine tenths of its weight to labels that stood "
                               "behind the same symbol (least score of all runs but one)",
                  .measured = all_but_one(all, after),
                  .test = AT_LEAST,
                  .bound = 0.9,
                  .skipped = too_soon});
    claim(lab->claims,
          (Claim){.id = "no-head-before",
                  .source = "Olsson 2022, argument 1: both come together",
                  .statement = "100 steps before the jump the same head does not (largest score of all runs but one)",
                  .measured = -all_but_one(all, before),
                  .test = AT_MOST,
                  .bound = 0.25});
    claim(lab->claims, (Claim){.id = "no-head-in-one-layer",
                               .source = "Olsson 2022, argument 4",
                               .statement = "no head of one layer ever becomes one (largest score of the runs)",
                               .measured = most_of_one,
                               .test = AT_MOST,
                               .bound = 0.25});
}

void step_induction(Lab *lab, void *state)
{
    const Mappings *all = mappings(lab, state);
    const Learner *first = mappings_learner(all, 0, LARGEST);
    Heads found = look_at_heads(&first->model, all);
    tell_jumps(lab, all);
    tell_heads(lab, &found);
    draw_heads(lab, all, first, &found);
    trace(lab->trace,
          "\nTwo heads make one: in layer 1 a label takes up the symbol before it, so that it carries \"I stood\n"
          "behind a C\"; in layer 2 the last symbol, a C, looks for a label that carries C. One layer cannot: when\n"
          "it looks, no label carries anything but itself.\n");
    draw_jumps(lab, all);
    claim_layers(lab, all);
}
