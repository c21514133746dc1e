/* translate.c: step 6: the complete Transformer beside lab 05's best translator. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "translators.h"

static void tell(Lab *lab, const Translators *all)
{
    int low, high;
    char columns[256] = "model\tparameters\tsteps\tof";
    for (int q = 0; q < QUARTERS; q++) {
        quarter_range(all->self, q, &low, &high);
        snprintf(columns + strlen(columns), sizeof columns - strlen(columns), "\t%d-%d", low, high);
    }
    snprintf(columns + strlen(columns), sizeof columns - strlen(columns), "\tBLEU %d-%d\tloss", low, high);
    trace_table(lab->trace, columns);
    for (int k = 0; k < MODELS; k++) {
        const Trained *m = &all->model[k];
        trace_row(lab->trace, "%s\t%zu\t%d\t%d\t%.3f\t%.3f\t%.3f\t%.3f\t%.1f\t%.3f", recipes[k].name, m->parameters,
                  m->steps, recipes[k].batch, translation_exact(&m->score[0]), translation_exact(&m->score[1]),
                  translation_exact(&m->score[2]), translation_exact(&m->score[3]),
                  bleu_score(&m->score[QUARTERS - 1].bleu), m->held_out);
        char name[64];
        snprintf(name, sizeof name, "training: %s", recipes[k].name);
        trace_timing(lab->trace, name, m->seconds, "s");
    }
    trace_table_end(lab->trace);
    trace(lab->trace,
          "\nSteps of so many sentences. Exact match by English length; BLEU and loss (the right words given) on the\n"
          "longest quarter. The seconds that training took are in timing.tsv.\n");
}

/* Shares of sentences with a mistake: nearly all are exact, and that would be a row of equal bars. */
static void draw(Lab *lab, const Translators *all)
{
    const char *labels[QUARTERS], *names[MODELS];
    char text[QUARTERS][32];
    real wrong[MODELS][QUARTERS], longest[MODELS], most = 0;
    for (int k = 0; k < MODELS; k++) {
        for (int q = 0; q < QUARTERS; q++) {
            wrong[k][q] = (real)(1 - translation_exact(&all->model[k].score[q]));
            most = wrong[k][q] > most ? wrong[k][q] : most;
        }
        longest[k] = wrong[k][QUARTERS - 1];
        names[k] = recipes[k].brief;
    }
    for (int q = 0; q < QUARTERS; q++) {
        int low, high;
        quarter_range(all->self, q, &low, &high);
        snprintf(text[q], sizeof text[q], "%d to %d", low, high);
        labels[q] = text[q];
    }
    double top = most > 0 ? 1.15 * (double)most : 1;
    Figure *figure = figure_begin(lab->figures, "translation_comparison", "English to French: mistakes in new sentences");
    figure_layout(figure, 2, 760, 580);
    Panel *panel = figure_panel(figure, "beside lab 05's best model", "English words", "sentences with a mistake (share)");
    panel_range_y(panel, 0, top);
    for (int k = RECURRENT; k <= SINUSOIDS; k++)
        panel_bars(panel, recipes[k].name, labels, wrong[k], NULL, QUARTERS);
    panel = figure_panel(figure, "one change at a time, longest quarter", NULL, "sentences with a mistake (share)");
    panel_range_y(panel, 0, top);
    panel_bars(panel, NULL, names, longest, NULL, MODELS);
    figure_end(figure);
}

static double longest_exact(const Translators *all, int kind)
{
    return translation_exact(&all->model[kind].score[QUARTERS - 1]);
}

static double longest_bleu(const Translators *all, int kind)
{
    return bleu_score(&all->model[kind].score[QUARTERS - 1].bleu);
}

/* Which of the two is ahead changes with the seed: it is told, and the handout has the means. */
static void compare(Lab *lab, const Translators *all)
{
    trace(lab->trace,
          "\nOn the longest quarter, Transformer less GRU: %+.3f in exact match, %+.1f in BLEU, after equal times.\n"
          "With the paper's sinusoids alone: %+.3f. Turning queries and keys as well (lab 07's rotary positions)\n"
          "tells self-attention which word is the one before; across, from the decoder to the encoder, the\n"
          "sinusoids say where to look.\n",
          longest_exact(all, TRANSFORMER) - longest_exact(all, RECURRENT),
          longest_bleu(all, TRANSFORMER) - longest_bleu(all, RECURRENT),
          longest_exact(all, SINUSOIDS) - longest_exact(all, RECURRENT));
}

static double planned(const Translators *all, int kind)
{
    return (double)all->model[kind].steps * recipes[kind].cost;
}

static void claim_equal_time(Lab *lab, const Translators *all, const char *few)
{
    const Trained *m = all->model;
    claim(lab->claims,
          (Claim){.id = "transformer-short-sentences",
                  .source = "Vaswani 2017",
                  .statement = "the Transformer translates sentences of the shortest quarter (exact match)",
                  .measured = translation_exact(&m[TRANSFORMER].score[0]),
                  .test = AT_LEAST,
                  .bound = 0.95,
                  .skipped = few});
    claim(lab->claims,
          (Claim){.id = "transformer-long-sentences",
                  .source = "the bound that lab 05 sets its model with attention",
                  .statement = "and those of the longest quarter as well as lab 05 asks of attention (exact match)",
                  .measured = longest_exact(all, TRANSFORMER),
                  .test = AT_LEAST,
                  .bound = 0.85,
                  .skipped = few});
    claim(lab->claims, (Claim){.id = "recurrent-long-sentences",
                               .source = "the same",
                               .statement = "lab 05's best model beside it does so too (exact match)",
                               .measured = longest_exact(all, RECURRENT),
                               .test = AT_LEAST,
                               .bound = 0.85,
                               .skipped = few});
    claim(lab->claims, (Claim){.id = "both-long-bleu",
                               .source = "the same",
                               .statement = "and so it is in BLEU (the lower of the two)",
                               .measured = fmin(longest_bleu(all, TRANSFORMER), longest_bleu(all, RECURRENT)),
                               .test = AT_LEAST,
                               .bound = 95,
                               .skipped = few});
    claim(lab->claims,
          (Claim){.id = "transformer-keeps-up",
                  .source = "Vaswani 2017, table 2: ahead of recurrent models; 0.02 is two standard errors of 400 "
                            "sentences of which 0.98 are exact",
                  .statement = "after equal times the Transformer is not behind on them, but for 0.02 of noise (exact "
                               "match, less the GRU's)",
                  .measured = longest_exact(all, TRANSFORMER) - longest_exact(all, RECURRENT),
                  .test = AT_LEAST,
                  .bound = -0.02,
                  .skipped = few});
    claim(lab->claims, (Claim){.id = "no-more-time",
                               .source = "steps times the cost of a step, measured once (translators.c)",
                               .statement = "the Transformer's training took no more time than the GRU's (ratio)",
                               .measured = planned(all, TRANSFORMER) / planned(all, RECURRENT),
                               .test = AT_MOST,
                               .bound = 1});
    claim(lab->claims, (Claim){.id = "fewer-parameters",
                               .source = "counted",
                               .statement = "and it has no more parameters (over the GRU's)",
                               .measured = (double)m[TRANSFORMER].parameters / (double)m[RECURRENT].parameters,
                               .test = AT_MOST,
                               .bound = 1});
}

static void claim_ablations(Lab *lab, const Translators *all, const char *few)
{
    const Trained *m = all->model;
    claim(lab->claims,
          (Claim){.id = "rotary-helps",
                  .source = "measured; lab 07: relative positions",
                  .statement = "with the paper's sinusoids alone fewer of the longest are exact (difference)",
                  .measured = longest_exact(all, TRANSFORMER) - longest_exact(all, SINUSOIDS),
                  .test = ABOVE,
                  .bound = 0,
                  .skipped = few});
    claim(lab->claims,
          (Claim){.id = "smoothing-hurts-perplexity",
                  .source = "Vaswani 2017, section 5.4: \"hurts perplexity\"",
                  .statement =
                      "label smoothing makes the loss on new sentences larger, the right words given (difference)",
                  .measured = m[SMOOTHED].held_out - m[TRANSFORMER].held_out,
                  .test = ABOVE,
                  .bound = 0,
                  .skipped = few});
}

void step_translation(Lab *lab, void *state)
{
    const TransformerBlock *self = state;
    decoder_block(lab);
    trace(
        lab->trace,
        "The complete Transformer: an encoder and a decoder of one block each, width %d, %d heads, FFN %d, Pre-Norm,\n"
        "sinusoidal positions, and rotary ones in self-attention; beside it lab 05's best: a GRU read both ways, a\n"
        "GRU that writes, attention by the general score (%d numbers a state). %d pairs of at most %d English\n"
        "words; the tests are sentences with at least one combination of words that no model has seen. A step of\n"
        "the GRU's %d sentences takes %d us, one of the Transformer's %d takes %d us (measured once, on one\n"
        "thread with AVX2); each is trained for %.1f seconds by that clock.\n\n",
        WIDTH, HEADS, FFN, HIDDEN, self->pairs, self->longest, recipes[RECURRENT].batch, recipes[RECURRENT].cost,
        recipes[TRANSFORMER].batch, recipes[TRANSFORMER].cost,
        self->translator_steps * 1e-6 * recipes[TRANSFORMER].cost);
    Translators *all = translators_new(lab, state);
    const char *few = lab->quick ? "trained for too few steps" : NULL;
    tell(lab, all);
    compare(lab, all);
    draw(lab, all);
    own_sentence(lab, all);
    claim_equal_time(lab, all, few);
    claim_ablations(lab, all, few);
    translators_free(all);
}
