/* Lab 07. Positional encoding: order, put back
 *
 * Self-attention (lab 06) sees a bag of words: nothing in softmax(QK^T)V knows
 * which word came first.  How is order put back, what exactly does each way add,
 * and does it still work on sentences longer than any that was trained on?
 *
 * Look for
 *     positional_encoding_sinusoidal  the table, place by dimension (also as a raster)
 *     wavelengths                     clocks that tick from every 6 places to every 47,000
 *     relative_position               PE . PE depends on the distance alone, and ripples
 *     encoding_comparison             what the six ways add, side by side
 *     position_effect                 attention over your own sentence, with and without
 *     order_task                      "which came first?": a coin toss without positions
 *     extrapolation                   trained up to length 20, tested up to 40
 *     learned_bias                    what T5's heads found out about distances
 *
 * Run
 *     make 07
 *     make 07 ARGS="--positions 100 --dimensions 128"
 *     make 07 ARGS="--step 5 --sentence '나는 너를 사랑하고 너는 나를 사랑한다'"
 *
 * Chapters: equivariance.c sinusoids.c rotation.c scores.c sentence.c order.c
 * longer.c (with the ways and the small model in ways.c).  Leads to lab 08, whose
 * Transformer adds the sinusoidal table to its words. */
#include "die.h"
#include "positional.h"

static void begin(Lab *lab, void *state)
{
    Positional *self = state;
    self->permutations = lab_choose(lab, 50, 10);
    self->order_steps = lab_choose(lab, 400, 200);
    self->steps = lab_choose(lab, 800, 400);
    self->runs = lab_choose(lab, 2, 1);
    self->tests = lab_choose(lab, 500, 200);
    if (self->dimensions % 2)
        die_usage("--dimensions %d: sine and cosine come in pairs, so an even number is needed", self->dimensions);
    sentence_check(self->sentence);
}

static const LabStep steps[] = {
    {"equivariance", "Without positions: a bag of words", step_equivariance},
    {"sinusoids", "The sinusoidal table", step_sinusoids},
    {"rotation", "A shift is a rotation; what two places have in common", step_rotation},
    {"scores", "Seven ways, and what each adds to the scores", step_scores},
    {"sentence", "Attention over one sentence, with and without", step_sentence},
    {"order", "A question about order", step_order},
    {"longer", "Longer than trained", step_longer},
    {0},
};

int main(int argc, char **argv)
{
    Positional self = {.positions = 50, .dimensions = 64, .sentence = "the dog saw the other dog"};
    const LabOption options[] = {
        {.name = "positions",
         .value = "N",
         .help = "rows of the sinusoidal table",
         .whole = &self.positions,
         .low = 2,
         .high = 1000},
        {.name = "dimensions",
         .value = "D",
         .help = "its columns, an even number",
         .whole = &self.dimensions,
         .low = 2,
         .high = 512},
        {.name = "sentence",
         .value = "TEXT",
         .help = "a sentence of your own for step 5 (2 to 40 words)",
         .text = &self.sentence},
        {0},
    };
    return lab_main(
        argc, argv,
        &(LabInfo){.stem = "07_positional_encoding",
                   .title = "Positional encoding: order, put back",
                   .question = "Attention sees a bag of words: how is order put back, and how far does it carry?",
                   .steps = steps,
                   .options = options,
                   .begin = begin},
        &self);
}
