/* Lab 08. The Transformer block: the pieces that make depth possible */
#include "die.h"
#include "transformer_block.h"

static void begin(Lab *lab, void *state)
{
    TransformerBlock *self = state;
    self->starts = lab_choose(lab, 8, 4);
    self->residual_steps = lab_choose(lab, 100, 50);
    self->rates = lab_choose(lab, 2, 1);
    self->feed_steps = lab_choose(lab, 600, 300);
    self->inits = lab_choose(lab, 32, 24);
    self->usual_inits = lab_choose(lab, 8, 2);
    self->runs = lab_choose(lab, 5, 2);
    self->train_steps = lab_choose(lab, 300, 150);
    self->pairs = lab_choose(lab, 10000, 3000);
    self->longest = lab_choose(lab, 25, 12);
    self->sentences = lab_choose(lab, 100, 50);
    self->recurrent_steps = lab_choose(lab, 800, 100);
    self->transformer_steps = lab_choose(lab, 3800, 450);
    sentence_check(self->sentence);
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
    TransformerBlock self = {.sentence = "the black cat drank milk", .translate = "the black cat drank milk"};
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
                               .begin = begin},
                    &self);
}
