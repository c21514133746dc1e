/* Step 2. One cell, many uses: order, lengths, directions, layers. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "measure.h"
#include "memory.h"
#include "vanishing.h"

enum { WORDS = 5, UNITS = 8, VECTOR = 4, TAGS = 3 };
static const char *const morphemes[WORDS] = {"나", "는", "너", "를", "사랑해"};

/* An untrained network: what is shown here does not depend on training. */
typedef struct {
    Parameters *parameters;
    Tensor *embedding;              /* [5, 4] */
    Recurrent cell, reverse, upper; /* 4 -> 8, 4 -> 8, 8 -> 8 */
    Linear classes, tags, words;    /* 8 -> 2, 8 -> 3, 8 -> 5 */
    Linear both;                    /* 16 -> 3 */
} Network;

static Network network_new(Rng *rng)
{
    Parameters *p = parameters_new();
    Network n = {.parameters = p};
    n.embedding = parameter_normal(p, "embedding", SHAPE(WORDS, VECTOR), 1, rng);
    n.cell = recurrent_new(p, "cell", CELL_RNN, VECTOR, UNITS, rng);
    n.reverse = recurrent_new(p, "reverse", CELL_RNN, VECTOR, UNITS, rng);
    n.upper = recurrent_new(p, "upper", CELL_RNN, UNITS, UNITS, rng);
    n.classes = linear_new(p, "classes", UNITS, 2, rng);
    n.tags = linear_new(p, "tags", UNITS, TAGS, rng);
    n.words = linear_new(p, "words", UNITS, WORDS, rng);
    n.both = linear_new(p, "both", 2 * UNITS, TAGS, rng);
    return n;
}

/* Vectors [T, B, 4] of the words with these numbers. */
static Tensor *vectors(Tape *tape, const Network *n, const int *ids, int steps, int batch)
{
    return op_embedding(tape, n->embedding, ids, SHAPE(steps, batch));
}

/* States [T, B, 8] of the cell read forwards. */
static Tensor *read(Tape *tape, const Network *n, Tensor *x, const int *lengths)
{
    return recurrent(tape, &n->cell, x, NULL, (Sequence){.lengths = lengths});
}

/* The state after the last word [1, B, 8]. */
static Tensor *last_of(Tape *tape, Tensor *states)
{
    int steps = states->shape.dim[0];
    return op_slice(tape, states, 0, steps - 1, steps);
}

/* ---- uses -------------------------------------------------------------------- */

/* One-to-many: the first input is given, every further one is the word the
 * network itself has just said.  Returns how many it said. */
static int say(Tape *tape, const Network *n, int first, int *said, int most)
{
    Tensor *h = NULL;
    int word = first;
    for (int t = 0; t < most; t++) {
        Tensor *states = recurrent(tape, &n->cell, vectors(tape, n, &word, 1, 1), h, (Sequence){0});
        h = op_reshape(tape, states, SHAPE(1, UNITS));
        const Tensor *scores = linear(tape, &n->words, h); /* [1, 5] */
        word = 0;
        for (int i = 1; i < WORDS; i++)
            word = scores->data[i] > scores->data[word] ? i : word;
        said[t] = word;
    }
    return most;
}

/* [h forwards ; h backwards] at every word: [T, B, 16] */
static Tensor *both_directions(Tape *tape, const Network *n, Tensor *x)
{
    Tensor *backwards = recurrent(tape, &n->reverse, x, NULL, (Sequence){.reverse = true});
    return op_concat(tape, (Tensor *[]){read(tape, n, x, NULL), backwards}, 2, 2);
}

/* The states of one layer are the inputs of the next. */
static Tensor *two_layers(Tape *tape, const Network *n, Tensor *x)
{
    return recurrent(tape, &n->upper, read(tape, n, x, NULL), NULL, (Sequence){0});
}

static void use(Lab *lab, const char *name, const Tensor *in, const Tensor *states, const Tensor *out,
                const char *example)
{
    char a[SHAPE_TEXT], b[SHAPE_TEXT], c[SHAPE_TEXT];
    trace_row(lab->trace, "%s\t%s\t%s\t%s\t%s", name, shape_text(in->shape, a), shape_text(states->shape, b),
              shape_text(out->shape, c), example);
}

static void uses(Lab *lab, Tape *tape, const Network *n)
{
    static const int sentence[WORDS] = {0, 1, 2, 3, 4};
    int said[WORDS];
    Tensor *x = vectors(tape, n, sentence, WORDS, 1), *states = read(tape, n, x, NULL);
    Tensor *both = both_directions(tape, n, x), *deep = two_layers(tape, n, x);
    trace(lab->trace,
          "The same cell of %d units on `나 는 너 를 사랑해`, word vectors of %d numbers; shapes are\n"
          "[words, sentences, numbers]:\n\n",
          UNITS, VECTOR);
    trace_table(lab->trace, "use\tin\tstates\tout\tfor example");
    use(lab, "many-to-one", x, states, linear(tape, &n->classes, last_of(tape, states)), "sentiment (step 3)");
    use(lab, "many-to-many", x, states, linear(tape, &n->tags, states), "a tag for each word");
    use(lab, "bidirectional", x, both, linear(tape, &n->both, both), "tags that know what follows");
    use(lab, "stacked", x, deep, linear(tape, &n->tags, deep), "layers on layers");
    trace_row(lab->trace, "one-to-many\t[1, 1, %d]\t[%d, 1, %d]\t%d words\ta caption for a picture", VECTOR, WORDS,
              UNITS, say(tape, n, 0, said, WORDS));
    trace_table_end(lab->trace);
    trace(lab->trace, "\nOne-to-many feeds its own words back.  Untrained, after 나 it says:");
    for (int t = 0; t < WORDS; t++)
        trace(lab->trace, " %s", morphemes[said[t]]);
    trace(lab->trace, "\n");
}

/* ---- order ------------------------------------------------------------------- */

static void order(Lab *lab, Tape *tape, const Network *n)
{
    static const int pair[WORDS * 2] = {0, 2, 1, 1, 2, 0, 3, 3, 4, 4}; /* two sentences, time first */
    static const char *const texts[2] = {"나 는 너 를 사랑해", "너 는 나 를 사랑해"};
    static const char *const units[UNITS] = {"1", "2", "3", "4", "5", "6", "7", "8"};
    const Tensor *states = read(tape, n, vectors(tape, n, pair, WORDS, 2), NULL); /* [5, 2, 8] */
    int bag = 0;
    for (int word = 0; word < WORDS; word++) {
        int count[2] = {0};
        for (int i = 0; i < WORDS * 2; i++)
            count[i % 2] += pair[i] == word;
        bag += abs(count[0] - count[1]);
    }
    Figure *figure =
        figure_begin(lab->figures, "hidden_states", "The same five words in another order leave another state");
    trace(lab->trace,
          "\nWho loves whom?  `나 는 너 를 사랑해` (I love you) and `너 는 나 를 사랑해` (you love me)\n"
          "have the same words.  Counts of words that differ: %d.  The states do differ:\n\n",
          bag);
    for (int s = 0; s < 2; s++) {
        const char *labels[WORDS];
        real by_unit[UNITS * WORDS], by_word[WORDS * UNITS];
        for (int t = 0; t < WORDS; t++) {
            labels[t] = morphemes[pair[t * 2 + s]];
            for (int j = 0; j < UNITS; j++)
                by_unit[j * WORDS + t] = by_word[t * UNITS + j] = states->data[(t * 2 + s) * UNITS + j];
        }
        trace_matrix(lab->trace, states->where, texts[s], by_word, WORDS, UNITS, labels, NULL, 2);
        panel_heatmap(figure_panel(figure, texts[s], "word", "unit of the hidden state"), by_unit, UNITS, WORDS, units,
                      labels, SIGNED);
    }
    figure_end(figure);
    const real *last = states->data + (size_t)(WORDS - 1) * 2 * UNITS;
    real difference[UNITS];
    for (int j = 0; j < UNITS; j++)
        difference[j] = last[j] - last[UNITS + j];
    double apart = norm_of(difference, UNITS);
    trace(lab->trace, "\nDistance of the two last states: %.3f.  Figure hidden_states.\n", apart);
    claim(lab->claims,
          (Claim){.id = "bag-is-blind",
                  .source = "lecture: 나는 너를 사랑해 / 너는 나를 사랑해",
                  .statement = "to a bag of words (lab 01) the two sentences are the same (counts that differ)",
                  .measured = bag,
                  .test = EQUALS,
                  .bound = 0});
    claim(lab->claims,
          (Claim){.id = "order-matters",
                  .source = "lecture: a recurrent network reads in order",
                  .statement =
                      "the same words in another order leave even an untrained network in another state (distance)",
                  .measured = apart,
                  .test = ABOVE,
                  .bound = 0.01});
}

/* ---- lengths ----------------------------------------------------------------- */

enum { SENTENCES = 3 };
static const int lengths[SENTENCES] = {5, 3, 1};
static const int sentences[SENTENCES][WORDS] = {{0, 1, 2, 3, 4}, {2, 3, 4}, {4}}; /* the rest is padding: number 0 */

/* States after the last word [3, 8] of a batch padded to STEPS words; with or
 * without telling where sentences end.  The loss weighs every unit differently,
 * and its gradient is left in the parameters. */
static void run_padded(const Network *n, int steps, bool told, real *last)
{
    Tape *tape = tape_new(1);
    int *ids = memory_new((size_t)steps * SENTENCES, sizeof *ids, "padded sentences");
    real weights[SENTENCES * UNITS];
    for (int s = 0; s < SENTENCES; s++)
        for (int t = 0; t < lengths[s]; t++)
            ids[t * SENTENCES + s] = sentences[s][t];
    for (int i = 0; i < SENTENCES * UNITS; i++)
        weights[i] = (real)(i % 7 - 3) / 4;
    Tensor *final = last_of(tape, read(tape, n, vectors(tape, n, ids, steps, SENTENCES), told ? lengths : NULL));
    memcpy(last, final->data, final->size * sizeof(real));
    tape_backward(tape, op_sum(tape, op_multiply(tape, final, tape_input(tape, "weights", final->shape, weights))));
    free(ids);
    tape_free(tape);
}

/* Each sentence alone, without any padding; gradients are added up in SUM. */
static void run_alone(const Network *n, real *last, real *sum)
{
    const Tensor *W = n->cell.weight;
    for (int s = 0; s < SENTENCES; s++) {
        Tape *tape = tape_new(1);
        real weights[UNITS];
        for (int j = 0; j < UNITS; j++)
            weights[j] = (real)((s * UNITS + j) % 7 - 3) / 4;
        Tensor *final = last_of(tape, read(tape, n, vectors(tape, n, sentences[s], lengths[s], 1), NULL));
        memcpy(last + (size_t)s * UNITS, final->data, UNITS * sizeof(real));
        tape_backward(tape, op_sum(tape, op_multiply(tape, final, tape_input(tape, "weights", final->shape, weights))));
        for (size_t i = 0; i < W->size; i++)
            sum[i] += W->grad[i];
        tape_free(tape);
    }
}

static void padding(Lab *lab, const Network *n)
{
    static const char *const texts[SENTENCES] = {"나 는 너 를 사랑해", "너 를 사랑해", "사랑해"};
    real alone[SENTENCES * UNITS], padded[SENTENCES * UNITS], longer[SENTENCES * UNITS], untold[SENTENCES * UNITS];
    real sum[UNITS * UNITS] = {0}, gradient[UNITS * UNITS];
    const Tensor *W = n->cell.weight;
    run_alone(n, alone, sum);
    run_padded(n, WORDS, false, untold);
    run_padded(n, WORDS, true, padded);
    memcpy(gradient, W->grad, sizeof gradient);
    run_padded(n, 4 * WORDS, true, longer);
    double states = fmax(largest_difference(alone, padded, SENTENCES * UNITS),
                         largest_difference(alone, longer, SENTENCES * UNITS));
    double gradients = largest_difference(sum, gradient, W->size);
    double more = largest_difference(gradient, W->grad, W->size);
    double broken = largest_difference(alone, untold, SENTENCES * UNITS);

    trace(lab->trace, "\nThree sentences of 5, 3 and 1 words in one batch: the short ones are padded.  Where a\n"
                      "sentence has ended its state is carried unchanged (a mask), or it is not:\n\n");
    trace_table(lab->trace, "sentence\tunit 1 alone\tpadded, masked\tpadded, not masked");
    for (int s = 0; s < SENTENCES; s++)
        trace_row(lab->trace, "%s\t%.4f\t%.4f\t%.4f", texts[s], (double)alone[s * UNITS], (double)padded[s * UNITS],
                  (double)untold[s * UNITS]);
    trace_table_end(lab->trace);
    trace(lab->trace,
          "\nAll units, largest difference from each sentence alone: %g masked, %.3f not masked.\n"
          "The gradient of W_hh: %.1e from the sum of the three alone; padded to 20 words\n"
          "instead of 5: %g.\n",
          states, broken, gradients, more);
    claim(lab->claims, (Claim){.id = "padding-states",
                               .source = "lecture: variable lengths in a batch",
                               .statement = "masked padding leaves every state as it was, to the bit",
                               .measured = states,
                               .test = EQUALS,
                               .bound = 0});
    claim(lab->claims,
          (Claim){.id = "padding-gradients",
                  .source = "lecture: variable lengths in a batch",
                  .statement = "masked padding leaves the gradient as it was, to the bit, however long it is",
                  .measured = more,
                  .test = EQUALS,
                  .bound = 0});
    claim(lab->claims,
          (Claim){.id = "batch-is-the-sum",
                  .source = "lecture: variable lengths in a batch",
                  .statement = "a padded batch's gradient is the sum over its sentences alone (largest difference)",
                  .measured = gradients,
                  .test = AT_MOST,
                  .bound = 1e-5});
    claim(lab->claims,
          (Claim){.id = "padding-unmasked",
                  .source = "lecture: variable lengths in a batch",
                  .statement = "without a mask the padding is read like words (largest difference in a state)",
                  .measured = broken,
                  .test = ABOVE,
                  .bound = 0.01});
}

/* ---- directions -------------------------------------------------------------- */

/* |d h_1 / d x_5|: does the first word's state know of the last word? */
static double influence_of_last_on_first(const Network *n, bool both)
{
    static const int sentence[WORDS] = {0, 1, 2, 3, 4};
    Tape *tape = tape_new(1);
    const Tensor *copy = vectors(tape, n, sentence, WORDS, 1);
    Tensor *x = tape_variable(tape, "x", copy->shape, copy->data);
    Tensor *states = both ? both_directions(tape, n, x) : read(tape, n, x, NULL);
    tape_backward(tape, op_sum(tape, op_slice(tape, states, 0, 0, 1)));
    double influence = norm_of(x->grad + (size_t)(WORDS - 1) * VECTOR, VECTOR);
    tape_free(tape);
    return influence;
}

static void directions(Lab *lab, const Network *n)
{
    double forwards = influence_of_last_on_first(n, false), both = influence_of_last_on_first(n, true);
    trace(lab->trace,
          "\nDoes the state at the first word know of the last?  Gradient of h_1 by x_5:\n"
          "%g read forwards, %.2e read in both directions.\n",
          forwards, both);
    claim(lab->claims,
          (Claim){.id = "forward-sees-no-future",
                  .source = "lecture: bidirectional networks; Schuster & Paliwal 1997",
                  .statement = "read forwards, a state does not depend on later words at all (gradient of the first "
                               "state by the last word)",
                  .measured = forwards,
                  .test = EQUALS,
                  .bound = 0});
    claim(lab->claims,
          (Claim){.id = "bidirectional-sees-it",
                  .source = "lecture: bidirectional networks; Schuster & Paliwal 1997",
                  .statement = "read in both directions, it does (gradient of the first state by the last word)",
                  .measured = both,
                  .test = ABOVE,
                  .bound = 0});
}

void step_shapes(Lab *lab, void *state)
{
    (void)state;
    Rng rng = lab_rng(lab, "shapes");
    Network network = network_new(&rng);
    Tape *tape = tape_new(1);
    tape_record(tape, false);
    uses(lab, tape, &network);
    order(lab, tape, &network);
    padding(lab, &network);
    directions(lab, &network);
    tape_free(tape);
    parameters_free(network.parameters);
}
