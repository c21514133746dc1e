/* Lab 09. Sequence modeling: RNN against Transformer on sine waves
 *
 * "The Transformer is better at sequences": the claim that started it all, tested
 * where everything can be known. Twenty values of a sine wave in, the next one
 * out. Who says it best, at equal parameters, at equal time? With noise, at
 * frequencies never seen, on longer inputs, further ahead? And what is there to
 * learn at all, where two values and a multiplication are exact?
 *
 * Look for
 *     sample_sequences        waves, and what needs no learning
 *     training_curves         six networks, equal steps and equal time
 *     performance_comparison  their errors
 *     beyond                  noise, other frequencies, longer inputs
 *     horizon                 predictions fed back: another order of merit
 *     attention_patterns      where the last position looks, by distance
 *     multihead_analysis      every head of every run
 *     position_importance     what a prediction depends on
 *     ablation                no positions, one head, two blocks
 *     length_and_time         the price of length
 *     failures                a rate too high, a model too small, data too few
 *     own_series              a series of your own, continued
 *
 * Run
 *     make 09
 *     make 09 ARGS="--step 1-2"
 *     make 09 ARGS="--step 11 --series temperatures.txt --next 30"
 *
 * Chapters: samples.c by_hand.c compare.c beyond.c looking.c importance.c
 * ablation.c length.c failures.c own.c (with series.c); the waves in waves.c, the
 * networks in models.c and training.c, the trained ones in study.c. Leads to lab 10, where
 * the sequences are words. */
#include "modeling.h"

static void begin(Lab *lab, void *state)
{
    Modeling *self = state;
    self->steps = lab_choose(lab, 700, 200);
    self->runs = lab_choose(lab, 5, 2);
    self->noisy_runs = lab_choose(lab, 3, 1);
    self->ablation_runs = lab_choose(lab, 3, 2);
    self->tests = lab_choose(lab, 500, 200);
    self->looked_at = lab_choose(lab, 200, 100);
    own_check(self);
}

static void end(Lab *lab, void *state)
{
    (void)lab;
    study_free(state);
}

static const LabStep steps[] = {
    {"samples", "Waves, and what needs no learning", step_samples},
    {"by-hand", "One step of each network by hand", step_by_hand},
    {"curves", "Training at equal parameters: equal steps, equal time", step_curves},
    {"comparison", "Who says the next value best?", step_comparison},
    {"beyond", "Noise, unseen frequencies, longer inputs, further ahead", step_beyond},
    {"attention", "What the last position looks at", step_attention},
    {"importance", "What a prediction depends on", step_importance},
    {"ablation", "What the Transformer owes to its parts", step_ablation},
    {"length", "The price of length", step_length},
    {"failures", "Failures on purpose", step_failures},
    {"own", "A series of your own", step_own},
    {0},
};

int main(int argc, char **argv)
{
    Modeling self = {.next = 20};
    const LabOption options[] = {
        {.name = "series",
         .value = "FILE",
         .help = "a series of your own for step 11: one number a line, 60 to 20000",
         .text = &self.series},
        {.name = "next",
         .value = "N",
         .help = "how many values of it to predict (default 20)",
         .whole = &self.next,
         .low = 1,
         .high = 200},
        {0},
    };
    return lab_main(
        argc, argv,
        &(LabInfo){.stem = "09_sequence_modeling",
                   .title = "Sequence modeling: RNN against Transformer on sine waves",
                   .question = "The claim that started it all, tested: is the Transformer better at sequences?",
                   .steps = steps,
                   .options = options,
                   .begin = begin,
                   .end = end},
        &self);
}
