/* Step 4. Learning from the text alone. */
#include <math.h>
#include <stdio.h>

#include "mapping.h"
#include "maths.h"

enum { SHOWN_SHOTS = 8 };

/* ---- one text, question by question ---------------------------------------------- */

/* p = softmax(scores) of the WORDS words. */
static void softmax(const real *scores, double *p)
{
    double sum = 0, top = (double)scores[0];
    for (int i = 1; i < WORDS; i++)
        top = (double)scores[i] > top ? (double)scores[i] : top;
    for (int i = 0; i < WORDS; i++)
        sum += p[i] = exp64((double)scores[i] - top);
    for (int i = 0; i < WORDS; i++)
        p[i] /= sum;
}

static void one_text(Lab *lab, const Mappings *all)
{
    const Model *model = &mappings_learner(all, 0, LARGEST)->model;
    Tape *tape = tape_new(1);
    tape_record(tape, false);
    Tensor *scores = model_scores(tape, model, model_read(tape, model, all->ids, 1, PLACES, (ModelView){0}));
    trace(lab->trace,
          "\nA text of the test, read by the largest model (before each row it has seen the rows above):\n\n");
    trace_table(lab->trace, "shots\tsymbol\tshown before\tlabel\tmodel says\tp(label)\tbest possible p");
    for (int k = 0; k < ASKED; k++) {
        double p[WORDS];
        softmax(scores->data + 2 * k * WORDS, p);
        int says = 0;
        for (int i = 1; i < WORDS; i++)
            says = p[i] > p[says] ? i : says;
        trace_row(lab->trace, "%d\t%s\t%s\t%s\t%s\t%.3f\t%.3f", k, mapping_word(all->ids[2 * k]),
                  all->shown[k] ? "yes" : "no", mapping_word(all->answers[k]), mapping_word(says), p[all->answers[k]],
                  all->shown[k] ? 1 : 1.0 / LABELS);
    }
    trace_table_end(lab->trace);
    tape_free(tape);
}

/* ---- all texts ---------------------------------------------------------------------- */

static const int told[] = {0, 1, 2, 4, 8, 16};
enum { TOLD = sizeof told / sizeof *told };

static void row_of(Lab *lab, const char *name, const char *parameters, const double *accuracy)
{
    trace_row(lab->trace, "%s\t%s\t%.3f\t%.3f\t%.3f\t%.3f\t%.3f\t%.3f", name, parameters, accuracy[told[0]],
              accuracy[told[1]], accuracy[told[2]], accuracy[told[3]], accuracy[told[4]], accuracy[told[5]]);
}

static void tell(Lab *lab, const Mappings *all)
{
    trace_table(lab->trace, "model\tparameters\t0 shots\t1\t2\t4\t8\t16");
    for (int kind = 0; kind < KINDS; kind++) {
        double accuracy[ASKED];
        char parameters[16];
        for (int k = 0; k < ASKED; k++)
            accuracy[k] = mappings_accuracy(all, kind, k);
        snprintf(parameters, sizeof parameters, "%zu",
                 parameters_count(mappings_learner(all, 0, kind)->model.parameters));
        row_of(lab, mapping_kind(kind), parameters, accuracy);
    }
    row_of(lab, "most frequent label", "", all->counting);
    row_of(lab, "best possible", "", all->bayes);
    trace_table_end(lab->trace);
}

static void draw(Lab *lab, const Mappings *all)
{
    real x[ASKED], y[ASKED];
    Figure *figure = figure_begin(lab->figures, "shots_and_size", "Learning a new mapping from the text alone");
    figure_layout(figure, 1, 1000, 640);
    Panel *panel = figure_panel(figure, NULL, "examples in the text (shots)", "accuracy");
    panel_range_y(panel, 0, 1);
    panel_range_x(panel, 0, SHOTS);
    panel_key(panel, KEY_OUTSIDE);
    for (int kind = 0; kind < KINDS; kind++) {
        char label[64];
        for (int k = 0; k < ASKED; k++) {
            x[k] = (real)k;
            y[k] = (real)mappings_accuracy(all, kind, k);
        }
        snprintf(label, sizeof label, "%s, %zu parameters", mapping_kind(kind),
                 parameters_count(mappings_learner(all, 0, kind)->model.parameters));
        panel_line(panel, label, x, y, ASKED);
    }
    for (int k = 0; k < ASKED; k++)
        y[k] = (real)all->bayes[k];
    panel_reference(panel, "best possible", x, y, ASKED);
    for (int k = 0; k < ASKED; k++)
        y[k] = (real)all->counting[k];
    panel_reference(panel, "most frequent label", x, y, ASKED);
    figure_end(figure);
}

/* The smallest rise from one entry of TOLD to the next. */
static double least_rise(const Mappings *all, int kind)
{
    double least = 1;
    for (int i = 1; i < TOLD; i++)
        least = fmin(least, mappings_accuracy(all, kind, told[i]) - mappings_accuracy(all, kind, told[i - 1]));
    return least;
}

static double least_step_of_size(const Mappings *all)
{
    double least = 1;
    for (int size = 1; size < SIZES; size++)
        least = fmin(least, mappings_accuracy(all, size, SHOTS) - mappings_accuracy(all, size - 1, SHOTS));
    return least;
}

static double farthest_from_best(const Mappings *all)
{
    double most = 0;
    for (int k = 0; k < ASKED; k++)
        most = fmax(most, fabs(all->bayes[k] - mappings_accuracy(all, LARGEST, k)));
    return most;
}

static int models_changed(const Mappings *all)
{
    int changed = 0;
    for (int i = 0; i < all->runs * KINDS; i++)
        changed += all->learner[i].before != all->learner[i].after;
    return changed;
}

static void claim_shots(Lab *lab, const Mappings *all)
{
    claim(lab->claims, (Claim){.id = "mappings-are-new",
                               .source = "lab: otherwise it would be memory",
                               .statement = "no mapping of the test texts was met in training (test texts with one)",
                               .measured = all->leaked,
                               .test = EQUALS,
                               .bound = 0});
    claim(lab->claims, (Claim){.id = "zero-shot-is-chance",
                               .source = "Brown 2020, figure 1.2",
                               .statement = "without an example the largest model guesses (accuracy; chance is 0.125)",
                               .measured = mappings_accuracy(all, LARGEST, 0),
                               .test = BETWEEN,
                               .bound = 0.095,
                               .upper = 0.155});
    claim(lab->claims,
          (Claim){.id = "shots-help",
                  .source = "Brown 2020, figure 1.2: zero < one < few",
                  .statement = "the largest model's accuracy rises from 0 to 1, 2, 4, 8 and 16 shots (least rise)",
                  .measured = least_rise(all, LARGEST),
                  .test = ABOVE,
                  .bound = 0});
    claim(lab->claims,
          (Claim){.id = "size-helps",
                  .source = "Brown 2020, figure 1.2: larger is better",
                  .statement = "at 16 shots accuracy rises from each of the four sizes to the next (least rise)",
                  .measured = least_step_of_size(all),
                  .test = ABOVE,
                  .bound = 0,
                  .skipped = lab->quick ? "one model of each size, trained for too few steps" : NULL});
    claim(lab->claims, (Claim){.id = "near-the-best-possible",
                               .source = "Bayes: 1 if the symbol was shown, else 1/8",
                               .statement = "at every number of shots from 0 to 16 the largest model is within 4 "
                                            "points of the best possible reader (largest difference)",
                               .measured = farthest_from_best(all),
                               .test = AT_MOST,
                               .bound = 0.04,
                               .skipped = lab->quick ? "one model, trained for too few steps" : NULL});
    claim(
        lab->claims,
        (Claim){.id = "nothing-was-updated",
                .source = "Brown 2020: \"without any gradient updates\"",
                .statement = "reading all test texts changes no bit of any model's weights (models whose hash changed)",
                .measured = models_changed(all),
                .test = EQUALS,
                .bound = 0});
}

void step_shots(Lab *lab, void *state)
{
    const Mappings *all = mappings(lab, state);
    trace(lab->trace,
          "Every text has a mapping of its own from %d symbols to %d labels, drawn from %d possible ones; it\n"
          "shows %d pairs and asks for the label at every symbol. %d mappings were met in training; the %d\n"
          "test texts use others. Four sizes of the same model with two layers (and one with a single layer,\n"
          "for step 5), %d of each, %d steps of 16 texts. Mean accuracy:\n\n",
          SYMBOLS, LABELS, MAPPINGS, SHOTS, all->met, all->tests, all->runs, all->steps);
    tell(lab, all);
    trace(lab->trace,
          "\nThe hash of the first largest model's weights before the test texts were read: %016llx, and after: "
          "%016llx.\n",
          (unsigned long long)mappings_learner(all, 0, LARGEST)->before,
          (unsigned long long)mappings_learner(all, 0, LARGEST)->after);
    one_text(lab, all);
    trace(lab->trace, "\nWhat is learned here is in no weight: it is in the text, and gone when the text is.\n");
    draw(lab, all);
    claim_shots(lab, all);
}
