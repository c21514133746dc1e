/* Lab 08. The Transformer block: the pieces that make depth possible.
 *
 * Attention (lab 06) with positions (lab 07) is one line.  A Transformer is many
 * blocks of it, each with a residual, a norm and a feed-forward network.  What does
 * each of them do, and why does the place of the norm decide whether it trains?
 *
 * What to look for:
 *     transformer_dataflow          every tensor of one block, for your own sentence
 *     layernorm_vs_batchnorm        along a row or down a column: padding, batches, testing
 *     residual_effect               2 to 32 layers with and without residual and norm
 *     gelu_vs_relu                  the bend, units that die, how wide
 *     prenorm_vs_postnorm_init      Xiong 2020, before training
 *     prenorm_vs_postnorm_training  the same two, trained with and without warm-up
 *     translation_comparison        the complete Transformer beside a GRU with attention
 *     attention_patterns            what its heads look at, for your own sentence
 *
 * Run it:
 *     make 08
 *     make 08 ARGS="--step 1 --sentence '나는 너를 사랑해'"
 *     make 08 ARGS="--step 6 --translate 'the small black cat drank water'"
 *
 * Chapters: dataflow.c norm.c residual.c feed_forward.c pre_post.c training.c
 * decoder_block.c translate.c own_sentence.c; block.c is the block from small
 * operations, translator.c the Transformer.  Leads to lab 09, where blocks read
 * waves, and lab 10, where a stack of them is pretrained. */
#include "transformer_block.h"

static void begin(Lab *lab, void *state)
{
    TransformerBlock *self = state;
    self->starts = lab_choose(lab, 8, 2);
    self->residual_steps = lab_choose(lab, 100, 40);
    self->rates = lab_choose(lab, 2, 1);
    self->feed_steps = lab_choose(lab, 600, 300);
    self->inits = lab_choose(lab, 64, 40);
    self->usual_inits = lab_choose(lab, 8, 2);
    self->runs = lab_choose(lab, 5, 2);
    self->train_steps = lab_choose(lab, 300, 150);
    self->pairs = lab_choose(lab, 10000, 3000);
    self->longest = lab_choose(lab, 25, 12);
    self->sentences = lab_choose(lab, 100, 50);
    self->translator_steps = lab_choose(lab, 8750, 437);
    sentence_check(self->sentence);
    int words[TRANSLATION_ENGLISH];
    if (self->translate)
        translation_words(corpus_of(lab, self), self->translate, "--translate", words); /* or says what is wrong */
}

static void end(Lab *lab, void *state)
{
    (void)lab;
    TransformerBlock *self = state;
    translation_free(self->corpus);
}

static const LabStep steps[] = {
    {"dataflow", "One sentence through one block", step_dataflow},
    {"norm", "Layer norm by hand, against batch norm", step_norm},
    {"residual", "The residual: I + dF/dx, and 2 to 32 layers", step_residual},
    {"feed-forward", "The feed-forward network", step_feed_forward},
    {"pre-post", "Pre-Norm against Post-Norm", step_pre_post},
    {"translation", "The complete Transformer translates", step_translation},
    {0},
};

int main(int argc, char **argv)
{
    TransformerBlock self = {.sentence = "the black cat drank milk"};
    const LabOption options[] = {
        {.name = "sentence",
         .value = "TEXT",
         .help = "a sentence of your own for step 1 (1 to 24 words, English or Korean)",
         .text = &self.sentence},
        {.name = "translate",
         .value = "TEXT",
         .help = "an English sentence of the corpus' words, translated in step 6",
         .text = &self.translate},
        {0},
    };
    return lab_main(argc, argv,
                    &(LabInfo){.stem = "08_transformer_block",
                               .title = "The Transformer block: the pieces that make depth possible",
                               .question = "Attention is one line. What are residual, norm and feed-forward for, and "
                                           "why does the order in which they stand decide whether it trains?",
                               .steps = steps,
                               .options = options,
                               .begin = begin,
                               .end = end},
                    &self);
}
