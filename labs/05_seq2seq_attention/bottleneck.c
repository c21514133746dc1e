/* Step 6. The bottleneck: BLEU against length, with and without attention
 * (Bahdanau 2015, figure 2). */
#include <stdio.h>
#include <string.h>

#include "seq2seq.h"

enum { CURVES = 8, LONGER = CURVES };
static const struct {
    ModelId id;
    bool narrow, brief, attention;
} curves[CURVES] = {
    {PLAIN, false, false, false},
    {WITH_DOT, false, false, true},
    {PLAIN_BRIEF, false, true, false},
    {ATTENTION_BRIEF, false, true, true},
    {PLAIN_NARROW, true, false, false},
    {ATTENTION_NARROW, true, false, true},
    {PLAIN_NARROW_BRIEF, true, true, false},
    {ATTENTION_NARROW_BRIEF, true, true, true},
};

static void tell_row(Lab *lab, const Tests *test, const char *name, const Model *model, const ByLength *result)
{
    char row[256];
    int at = 0;
    for (int i = 0; i < test->buckets; i++)
        at += snprintf(row + at, sizeof row - (size_t)at, "\t%.1f", result->bleu[i]);
    for (int i = 0; i < test->buckets; i++)
        at += snprintf(row + at, sizeof row - (size_t)at, "\t%.2f", result->exact[i]);
    trace_row(lab->trace, "%s\t%zu%s", name, parameters_count(model->parameters), row);
}

static void tell(Lab *lab, const Seq2Seq *self, const Tests *test, const ByLength *result)
{
    char heading[256] = "model\tparameters", name[64];
    size_t used = strlen(heading);
    for (int i = 0; i < 2 * test->buckets; i++)
        used += (size_t)snprintf(heading + used, sizeof heading - used, "\t%s %s", i < test->buckets ? "BLEU" : "exact",
                                 test->name[i % test->buckets]);
    trace_table(lab->trace, heading);
    for (int c = 0; c < CURVES; c++) {
        snprintf(name, sizeof name, "%s, H = %d, to %d", curves[c].attention ? "attention" : "plain",
                 curves[c].narrow ? self->narrow : self->wide, curves[c].brief ? self->brief : self->longest);
        tell_row(lab, test, name, self->model[curves[c].id], &result[c]);
    }
    if (!lab->quick)
        tell_row(lab, test, "plain, 5 times the steps", self->model[PLAIN_LONGER], &result[LONGER]);
    trace_table_end(lab->trace);
}

static void line(Panel *panel, const char *label, const Tests *test, const double *bleu)
{
    real x[MOST_BUCKETS], y[MOST_BUCKETS];
    for (int i = 0; i < test->buckets; i++) {
        x[i] = (real)(test->low[i] + test->high[i]) / 2;
        y[i] = (real)bleu[i];
    }
    panel_line(panel, label, x, y, test->buckets);
}

static void draw(Lab *lab, const Seq2Seq *self, const Tests *test, const ByLength *result)
{
    Figure *figure = figure_begin(lab->figures, "bleu_by_length", "The bottleneck: BLEU against length");
    figure_layout(figure, 2, 640, 560);
    for (int narrow = 0; narrow < 2; narrow++) {
        char title[64], label[64];
        snprintf(title, sizeof title, "H = %d", narrow ? self->narrow : self->wide);
        Panel *panel = figure_panel(figure, title, "English words", "BLEU");
        panel_range_y(panel, 0, 105);
        for (int c = 0; c < CURVES; c++)
            if (curves[c].narrow == (narrow == 1)) {
                int longest = curves[c].brief ? self->brief : self->longest;
                snprintf(label, sizeof label, "%s attention, trained to %d", curves[c].attention ? "with" : "without",
                         longest);
                line(panel, label, test, result[c].bleu);
            }
        if (!narrow && !lab->quick)
            line(panel, "without, 5 times the steps", test, result[LONGER].bleu);
        real edge[2] = {(real)self->longest + (real)0.5, (real)self->longest + (real)0.5}, height[2] = {0, 105};
        panel_reference(panel, "longest trained on", edge, height, 2);
    }
    figure_end(figure);
}

static double least(const double *x, int n)
{
    double smallest = x[0];
    for (int i = 1; i < n; i++)
        smallest = x[i] < smallest ? x[i] : smallest;
    return smallest;
}

static void claims(Lab *lab, const Tests *test, const ByLength *plain, const ByLength *attention,
                   const ByLength *longer)
{
    int last = test->trained - 1;
    const char *few = lab->quick ? "the models are trained for too few steps" : NULL;
    claim(lab->claims,
          (Claim){.id = "attention-longest-exact",
                  .source = "Bahdanau 2015, figure 2",
                  .statement = "with attention the longest sentences trained on are translated exactly (share)",
                  .measured = attention->exact[last],
                  .test = AT_LEAST,
                  .bound = 0.85,
                  .skipped = few});
    claim(lab->claims, (Claim){.id = "attention-longest-bleu",
                               .source = "Bahdanau 2015, figure 2: no fall with length",
                               .statement = "and their BLEU is as high as that of short ones",
                               .measured = attention->bleu[last],
                               .test = AT_LEAST,
                               .bound = 95,
                               .skipped = few});
    claim(lab->claims, (Claim){.id = "attention-twenty-words",
                               .source = "the same",
                               .statement = "up to 20 words nearly all are exact (least share of the lengths)",
                               .measured = least(attention->exact, last),
                               .test = AT_LEAST,
                               .bound = 0.95,
                               .skipped = few});
    claim(lab->claims, (Claim){.id = "plain-longest-falls",
                               .source = "lecture: the bottleneck of one vector; Cho 2014b; Bahdanau 2015, figure 2",
                               .statement = "without attention BLEU falls with length, on the longest trained on to",
                               .measured = plain->bleu[last],
                               .test = BELOW,
                               .bound = 35});
    claim(lab->claims, (Claim){.id = "attention-gap",
                               .source = "lecture: bottleneck -> attention",
                               .statement = "BLEU that attention adds on the longest sentences trained on",
                               .measured = attention->bleu[last] - plain->bleu[last],
                               .test = AT_LEAST,
                               .bound = 20});
    const char *long_training = lab->quick ? "it takes too long" : NULL;
    claim(lab->claims, (Claim){.id = "plain-short-solved",
                               .source = "Sutskever 2014; Cho 2014b",
                               .statement = "without attention, trained five times longer, short sentences are solved "
                                            "(share of exact translations)",
                               .measured = longer ? longer->exact[0] : 0,
                               .test = AT_LEAST,
                               .bound = 0.7,
                               .skipped = long_training});
    claim(lab->claims, (Claim){.id = "plain-longer-still-falls",
                               .source = "is it only too little training?",
                               .statement = "that model still loses BLEU from the shortest to the longest",
                               .measured = longer ? longer->bleu[0] - longer->bleu[last] : 0,
                               .test = AT_LEAST,
                               .bound = 40,
                               .skipped = long_training});
    claim(lab->claims,
          (Claim){.id = "beyond-training",
                  .source = "Bahdanau 2015, section 5.2.2: long sentences",
                  .statement = "beyond the lengths trained on attention fails too: BLEU lost to the last length",
                  .measured = attention->bleu[last] - attention->bleu[test->buckets - 1],
                  .test = AT_LEAST,
                  .bound = 5,
                  .skipped = few});
}

void step_bottleneck(Lab *lab, void *state)
{
    static const ModelId needed[] = {PLAIN_LONGER,       PLAIN,
                                     WITH_DOT,           PLAIN_BRIEF,
                                     ATTENTION_BRIEF,    ATTENTION_NARROW,
                                     PLAIN_NARROW,       ATTENTION_NARROW_BRIEF,
                                     PLAIN_NARROW_BRIEF, READS_FORWARDS,
                                     READS_BACKWARDS};
    enum { STEP_8 = 2 }; /* its two models, last, on a core that would wait for PLAIN_LONGER */
    Seq2Seq *self = state;
    const Tests *test = tests_of(lab, self);
    ByLength result[CURVES + 1];
    if (lab->quick)
        models_need(lab, self, needed + 1, CURVES);
    else
        models_need(lab, self, needed, 1 + CURVES + (lab->threads > 1 ? STEP_8 : 0));
    for (int c = 0; c < CURVES; c++)
        result[c] = by_length(lab, self, curves[c].id);
    if (!lab->quick)
        result[LONGER] = by_length(lab, self, PLAIN_LONGER);
    trace(lab->trace,
          "The plain decoder has one vector for the whole sentence, at every step the same; with attention it takes\n"
          "a new average of all annotations each time (dot: not one parameter more). Nothing else differs. Two widths, "
          "trained on sentences of up\n"
          "to %d or of up to %d words (%d pairs, %d steps); %d test sentences a length, none in training and each\n"
          "with a combination of words that never was:\n\n",
          self->longest, self->brief, self->pairs, self->steps, test->size);
    tell(lab, self, test, result);
    trace(lab->trace,
          "\nA vector has a fixed size, a sentence has not: the plain model's BLEU falls with every word, a wider\n"
          "vector only moves the fall, and so does more training. Lengths never trained on are hard for both.\n");
    draw(lab, self, test, result);
    claims(lab, test, &result[0], &result[1], lab->quick ? NULL : &result[LONGER]);
}
