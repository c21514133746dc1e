/* decoder_block.c: step 6, first part: the decoder's block, and that it does not see what comes. */
#include <math.h>

#include "transformer_block.h"
#include "translators.h"

/* Changes the last word and looks for a change before it; the same without a mask. */
static double leak(Tape *tape, const Block *layer, Tensor *x, Tensor *memory, bool masked)
{
    int length = x->shape.dim[1], d = x->shape.dim[2];
    BlockView view = {.mask = masked ? mask_causal(tape, length) : NULL, .memory = memory};
    Tensor *changed = tape_input(tape, "changed", x->shape, x->data);
    for (int i = 0; i < d; i++)
        changed->data[(length - 1) * d + i] += i % 2 ? 1 : -1;
    Tensor *y = block_written_out(tape, layer, x, view, (Robbed){0}, NULL);
    Tensor *z = block_written_out(tape, layer, changed, view, (Robbed){0}, NULL);
    double most = 0;
    for (int i = 0; i < (length - 1) * d; i++)
        most = fmax(most, fabs((double)y->data[i] - (double)z->data[i]));
    return most;
}

static Tensor *random_words(Tape *tape, const char *name, int n, int d, Rng *rng)
{
    Tensor *x = tape_input(tape, name, SHAPE(1, n, d), NULL);
    for (size_t i = 0; i < x->size; i++)
        x->data[i] = rng_normal(rng);
    return x;
}

void decoder_block(Lab *lab)
{
    enum { D = 8, T = 5, S = 4 };
    char shape[SHAPE_TEXT];
    Rng rng = lab_rng(lab, "decoder block");
    Tape *tape = tape_new(1);
    Parameters *parameters = parameters_new();
    Block layer =
        block_new(parameters, "decoder",
                  (BlockSettings){.d = D, .heads = 2, .feed_forward = 4 * D, .pre_norm = true, .cross = true}, &rng);
    Tensor *x = random_words(tape, "x", T, D, &rng), *memory = random_words(tape, "memory", S, D, &rng);
    Tensor *self, *cross, *mask = mask_causal(tape, T);
    Flow flow = {0};
    BlockView view = {.mask = mask, .memory = memory, .weights = &self, .cross_weights = &cross};
    block_written_out(tape, &layer, x, view, (Robbed){0}, &flow);
    trace(lab->trace,
          "A decoder's block has three sublayers: attention over the words said so far, attention over what the\n"
          "encoder made of the source (%d words here), and the FFN. %d words said, width %d, Pre-Norm:\n\n",
          S, T, D);
    for (int i = 0; i < flow.n; i++)
        trace_equation(lab->trace, flow.tensor[i]->where, "%-20s %s", flow.tensor[i]->name,
                       shape_text(flow.tensor[i]->shape, shape));
    trace(lab->trace, "\n");
    trace_matrix(lab->trace, self->where, "who looks at whom, head 1", self->data, T, T, NULL, NULL, 3);
    trace_matrix(lab->trace, cross->where, "and at the source, head 1", cross->data, T, S, NULL, NULL, 3);
    double masked = leak(tape, &layer, x, memory, true), open = leak(tape, &layer, x, memory, false);
    trace(lab->trace,
          "\nThe last word is changed: what comes out before it changes by %g with the mask, by up to %.3f without.\n"
          "So all words of a translation can be trained at once, and none has seen its own answer.\n\n",
          masked, open);
    claim(lab->claims, (Claim){.id = "decoder-does-not-leak",
                               .source = "lecture: masked decoder block; Vaswani 2017, section 3.2.3",
                               .statement = "changing the last word changes nothing before it, to the bit",
                               .measured = masked,
                               .test = EQUALS,
                               .bound = 0});
    claim(lab->claims, (Claim){.id = "without-mask-it-leaks",
                               .source = "the same",
                               .statement = "without the mask it does (largest change)",
                               .measured = open,
                               .test = ABOVE,
                               .bound = 0.001});
    tape_free(tape);
    parameters_free(parameters);
}
