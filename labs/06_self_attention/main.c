/* Lab 06. Self-attention: everyone looks at everyone.
 *
 * The attention of lab 05 let a decoder look back at the source.  What if every
 * word of one sentence looks at every other, all at once, and there is no
 * recurrence at all?  How is "who looks at whom" computed, what keeps its
 * numbers healthy, and what does it cost?
 *
 * What to look for:
 *     attention_weights          one matrix says who looks at whom
 *     scaling_effect             why the scores are divided by sqrt(d_k)
 *     longer_sequence, masks     a longer sentence; looking at padding and at the future forbidden
 *     cross_attention            one sentence looks at another
 *     self_attention_components  X, Q, K, V, scores, weights, output side by side
 *     multi_head_attention       several looks at once
 *     head_specialisation        what heads are for: several look-ups in one layer
 *     rnn_vs_attention           operations, memory, steps, and paths of the gradient
 *     mistakes                   four ways to get it wrong
 *
 * Run it:
 *     make 06
 *     make 06 ARGS="--sentence '나는 너를 사랑해'"
 *     make 06 ARGS="--step scores --qkv my.tsv"
 *
 * Where it leads: nothing here knows the order of the words (lab 07), and one
 * layer is not yet a Transformer (lab 08). */
#include "die.h"
#include "self_attention.h"

static const char DEFAULT_SHORT[] = "나는 너를 사랑해";
static const char DEFAULT_LONG[] = "The animal didn't cross the street because it was too tired";
static const char DEFAULT_OTHER[] = "I love you";

static void begin(Lab *lab, void *state)
{
    SelfAttention *self = state;
    (void)lab;
    if (self->d % self->heads)
        die_usage("--heads %d does not divide --dimension %d: every head takes dimension / heads numbers", self->heads,
                  self->d);
    self->sentence = sentence_new(self->text ? self->text : DEFAULT_SHORT, "--sentence");
    self->longer = sentence_new(self->text ? self->text : DEFAULT_LONG, "--sentence");
    self->other = sentence_new(self->other_text ? self->other_text : DEFAULT_OTHER, "--other");
    self->qkv = self->qkv_file ? qkv_read(self->qkv_file) : NULL;
}

static void end(Lab *lab, void *state)
{
    SelfAttention *self = state;
    (void)lab;
    sentence_free(&self->sentence);
    sentence_free(&self->longer);
    sentence_free(&self->other);
    qkv_free(self->qkv);
}

int main(int argc, char **argv)
{
    SelfAttention self = {.d = 8, .heads = 4};
    static const LabStep steps[] = {
        {"scores", "Scaled dot-product attention by hand", step_scores},
        {"scaling", "Why the scores are divided by sqrt(d_k)", step_scaling},
        {"masks", "A longer sentence, what must not be seen, and another sentence", step_masks},
        {"heads", "All components, and several heads", step_heads},
        {"lookups", "What heads are for: several look-ups at once", step_lookups},
        {"rnn", "A recurrent network and self-attention: what each costs", step_rnn},
        {"mistakes", "Four mistakes and what they look like", step_mistakes},
        {0},
    };
    const LabOption options[] = {
        {.name = "sentence",
         .value = "TEXT",
         .help = "the words of steps 1 to 4, English or Korean (at most 48 are used)",
         .text = &self.text},
        {.name = "other",
         .value = "TEXT",
         .help = "step 3: the sentence that cross-attention looks at (default: I love you)",
         .text = &self.other_text},
        {.name = "qkv",
         .value = "FILE",
         .help = "step 1: take Q, K and V from this file: a line that is just Q, K or V, then its rows, numbers "
                 "separated by tabs; lines that begin with # are skipped",
         .text = &self.qkv_file},
        {.name = "dimension",
         .value = "N",
         .help = "steps 1, 3, 4: numbers a word",
         .whole = &self.d,
         .low = 1,
         .high = MOST_DIMENSION},
        {.name = "heads",
         .value = "N",
         .help = "step 4: heads; must divide the dimension",
         .whole = &self.heads,
         .low = 1,
         .high = 16},
        {0},
    };
    return lab_main(argc, argv,
                    &(LabInfo){.stem = "06_self_attention",
                               .title = "Self-attention: everyone looks at everyone",
                               .question = "What if every word looks at every other word at once, without any "
                                           "recurrence? How is it computed, what keeps it healthy, what does it cost?",
                               .steps = steps,
                               .options = options,
                               .begin = begin,
                               .end = end},
                    &self);
}
