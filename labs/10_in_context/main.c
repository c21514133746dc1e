/* Lab 10. Pretraining, and learning without learning
 *
 * A Transformer (lab 08) is a machine; what is it trained on, and what for?  One
 * text without labels gives three kinds of questions and answers.  What is learned
 * from them makes a few labelled examples go further; and a model that only ever
 * predicts the next word learns, at last, to learn from its prompt.
 *
 * Look for
 *     masking_counts           BERT's 15 % and 80-10-10, counted
 *     attention_masks          who sees whom: encoder, encoder-decoder, decoder
 *     pretraining_curves       three models learn from plain text
 *     finetuning_vs_scratch    few labels, with pretraining and without
 *     shots_and_size           a new mapping in every text: more shots, larger models
 *     induction_head           two heads that find what the last symbol means
 *     phase_change             the step of training at which they appear
 *     chain_of_thought         a sum modulo 7, at once and in steps
 *     parameter_counts         from GPT-1 to GPT-3, computed
 *
 * Run
 *     make 10
 *     make 10 ARGS="--step 1"
 *
 *     make 10 ARGS="--step 2 --prompt 'the cook jane'"
 *     make 10 ARGS="--load"                  with the models that an earlier run has trained
 *
 * Chapters: steps_objectives.c and steps_pretraining.c (with the corpus in stories.c,
 * the objectives in objectives.c, the networks in networks.c, their training in
 * pretrain.c, what counting reaches in guesses.c), steps_finetuning.c (with
 * labelled.c and finetune.c), shots.c and induction.c (with mapping.c), thought.c
 * (with sums.c), counts.c.  model.c is the Transformer of all, kept.c keeps trained
 * models.  The last lab. */
#include "mapping.h"
#include "pretrain.h"
#include "sums.h"

static void begin(Lab *lab, void *state)
{
    InContext *self = state;
    self->stories = 9000;
    self->tests = lab_choose(lab, 400, 150);
    self->steps[ENCODER] = lab_choose(lab, 3200, 100);
    self->steps[ENCODER_DECODER] = lab_choose(lab, 3000, 80);
    self->steps[DECODER] = lab_choose(lab, 2000, 250);
    if (self->prompt)
        pretraining_check_prompt(self->prompt);
}

static void end(Lab *lab, void *state)
{
    InContext *self = state;
    (void)lab;
    sums_free(self->sums);
    mappings_free(self->mappings);
    pretrained_free(self->pretrained);
    stories_free(self->corpus);
}

static const LabStep steps[] = {
    {"objectives", "Three ways to make questions out of plain text", step_objectives},
    {"pretraining", "Three models learn from plain text", step_pretraining},
    {"finetuning", "Few labelled examples, with pretraining and without", step_finetuning},
    {"shots", "Learning from the text alone", step_shots},
    {"induction", "How it is done: induction heads", step_induction},
    {"thought", "At once, and step by step", step_thought},
    {"counts", "GPT-1 to GPT-3, counted", step_counts},
    {0},
};

int main(int argc, char **argv)
{
    InContext self = {0};
    const LabOption options[] = {
        {.name = "load", .help = "use the models that an earlier run left in the output folder", .given = &self.load},
        {.name = "prompt",
         .value = "TEXT",
         .help = "step 2: how the generated texts begin (words of the corpus)",
         .text = &self.prompt},
        {0},
    };
    return lab_main(
        argc, argv,
        &(LabInfo){.stem = "10_in_context",
                   .title = "Pretraining, and learning without learning",
                   .question = "What can a model learn from text that nobody labelled, and then from its prompt alone?",
                   .steps = steps,
                   .options = options,
                   .begin = begin,
                   .end = end},
        &self);
}
