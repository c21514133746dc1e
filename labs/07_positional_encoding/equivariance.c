/* Step 1. Without positions self-attention sees a bag of words. */
#include <math.h>
#include <string.h>

#include "maths.h"
#include "memory.h"
#include "positional.h"
#include "transformer.h"

/* ---- "I love you", by hand --------------------------------------------------- */

enum { N = 3, D = 2 };
typedef struct {
    const char *word[N];
    real x[N][D];
} Sentence;

static const Sentence I_LOVE_YOU = {{"I", "love", "you"}, {{1, .2}, {.3, 1}, {.8, -.6}}};
static const Sentence YOU_LOVE_I = {{"you", "love", "I"}, {{.8, -.6}, {.3, 1}, {1, .2}}};

/* Attention with Q = K = V = X: no trained weights stand in the way of the idea. */
static void attend(Trace *out, const Sentence *sentence, bool causal, real y[N][D])
{
    real score[N][N], weight[N][N] = {{0}};
    trace_equation(out, HERE, "score_ts = x_t . x_s / sqrt(2)%s", causal ? "  for s <= t only: the causal mask" : "");
    for (int t = 0; t < N; t++)
        for (int s = 0; s < N; s++)
            score[t][s] =
                causal && s > t
                    ? -INFINITY
                    : (sentence->x[t][0] * sentence->x[s][0] + sentence->x[t][1] * sentence->x[s][1]) / m_sqrt(D);
    trace_matrix(out, HERE, "score", score[0], N, N, sentence->word, sentence->word, 4);

    trace_equation(out, HERE, "a_ts = exp(score_ts) / sum_s' exp(score_ts')");
    for (int t = 0; t < N; t++) {
        int seen = causal ? t + 1 : N;
        real sum = 0;
        for (int s = 0; s < seen; s++)
            sum += m_exp(score[t][s]);
        for (int s = 0; s < seen; s++)
            weight[t][s] = m_exp(score[t][s]) / sum;
    }
    trace_matrix(out, HERE, "a", weight[0], N, N, sentence->word, sentence->word, 4);

    trace_equation(out, HERE, "y_t = sum_s a_ts x_s");
    for (int t = 0; t < N; t++)
        for (int i = 0; i < D; i++) {
            y[t][i] = 0;
            for (int s = 0; s < N; s++)
                y[t][i] += weight[t][s] * sentence->x[s][i];
        }
    trace_matrix(out, HERE, "y", y[0], N, D, sentence->word, NULL, 4);
}

/* x_t + PE(t), the sinusoidal table of step 2. */
static Sentence put_places(const Sentence *sentence)
{
    Sentence result = *sentence;
    real table[N * D];
    sinusoidal_table(table, N, D);
    for (int t = 0; t < N; t++)
        for (int i = 0; i < D; i++)
            result.x[t][i] += table[t * D + i];
    return result;
}

/* The largest difference between row t of A and row t of B (MOVED: the row of
 * the same word, N-1-t). */
static double difference(real a[N][D], real b[N][D], bool moved)
{
    double most = 0;
    for (int t = 0; t < N; t++)
        for (int i = 0; i < D; i++)
            most = fmax(most, fabs((double)a[t][i] - (double)b[moved ? N - 1 - t : t][i]));
    return most;
}

static void claim_by_hand(Lab *lab, double same_place, double same_word)
{
    claim(lab->claims, (Claim){.id = "not-the-same-output",
                               .source = "lecture: \"I love you\" and \"You love I\" give the same output",
                               .statement = "the two outputs are not the same: place by place they differ (by hand)",
                               .measured = same_place,
                               .test = ABOVE,
                               .bound = 0.1,
                               .corrects = true});
    claim(lab->claims, (Claim){.id = "output-moves-along",
                               .source = "lecture 07, mended: self-attention is permutation-equivariant",
                               .statement = "each word's own output is the same in both orders (by hand)",
                               .measured = same_word,
                               .test = AT_MOST,
                               .bound = 1e-6});
}

static void without_positions(Lab *lab)
{
    Trace *out = lab->trace;
    real y[2][N][D];
    trace(out, "Three words, vectors of two numbers, Q = K = V = X.\n\n");
    trace_matrix(out, HERE, "x", I_LOVE_YOU.x[0], N, D, I_LOVE_YOU.word, NULL, 1);
    attend(out, &I_LOVE_YOU, false, y[0]);
    trace(out, "\nThe same words in another order:\n\n");
    attend(out, &YOU_LOVE_I, false, y[1]);
    double same_place = difference(y[0], y[1], false), same_word = difference(y[0], y[1], true);
    trace(out,
          "\nThe rows are the same three rows in another order: \"I\" gets the same vector whether it loves or is\n"
          "loved. Compared place by place the outputs differ by up to %.4f, so they are not \"the same\n"
          "output\"; compared word by word, by %.1e: the output moved with the input.\n",
          same_place, same_word);
    claim_by_hand(lab, same_place, same_word);
}

static void with_positions(Lab *lab)
{
    Trace *out = lab->trace;
    real y[2][N][D];
    Sentence first = put_places(&I_LOVE_YOU), second = put_places(&YOU_LOVE_I);
    trace(out, "\nNow with its place added to each word, a row of the table of step 2:\n\n");
    trace_equation(out, HERE, "x_t + PE(t),  PE(t) = (sin t, cos t)");
    trace_matrix(out, HERE, "x + PE", first.x[0], N, D, first.word, NULL, 4);
    attend(out, &first, false, y[0]);
    trace(out, "\n");
    trace_matrix(out, HERE, "x + PE", second.x[0], N, D, second.word, NULL, 4);
    attend(out, &second, false, y[1]);
    trace(out, "\nThe \"I\" that loves and the \"I\" that is loved are different vectors now: by up to %.4f.\n",
          difference(y[0], y[1], true));
}

static void with_mask(Lab *lab)
{
    real y[2][N][D];
    trace(lab->trace, "\nAnd without positions, but with a causal mask:\n\n");
    attend(lab->trace, &I_LOVE_YOU, true, y[0]);
    trace(lab->trace, "\n");
    attend(lab->trace, &YOU_LOVE_I, true, y[1]);
    trace(lab->trace,
          "\nA word at the start sees only itself, one at the end sees all: the mask alone tells order. The\n"
          "vectors of the same word differ by up to %.4f.\n",
          difference(y[0], y[1], true));
}

/* ---- at full size, with trained-size layers and random orders ------------------ */

enum { PLACES = 16, WIDTH = 64, HEADS = 8, LAYERS = 2 };
typedef enum { BAG, POSITIONS, CAUSAL, KINDS } Kind;

typedef struct {
    Attention attention;
    Block block[LAYERS];
} Network;

/* Words are rows of X; place t holds word ORDER[t].  One attention layer, or a stack of blocks. */
static Tensor *run_network(Tape *tape, const Network *network, bool stack, Kind kind, const real *x, const int *order)
{
    Tensor *input = tape_input(tape, "x", SHAPE(1, PLACES, WIDTH), NULL);
    for (int t = 0; t < PLACES; t++)
        memcpy(input->data + t * WIDTH, x + order[t] * WIDTH, WIDTH * sizeof(real));
    if (kind == POSITIONS) {
        Tensor *table = tape_input(tape, "PE", SHAPE(PLACES, WIDTH), NULL);
        sinusoidal_table(table->data, PLACES, WIDTH);
        input = op_add(tape, input, table);
    }
    Tensor *mask = kind == CAUSAL ? mask_causal(tape, PLACES) : NULL;
    if (!stack)
        return attention(tape, &network->attention, input, input, mask, NULL);
    for (int l = 0; l < LAYERS; l++)
        input = block(tape, &network->block[l], input, (BlockView){.mask = mask});
    return input;
}

typedef struct {
    double word, pooled; /* largest differences: of a word's own output, of the mean over the words */
} Moved;

static Moved compare(const Tensor *a, const Tensor *b, const int *order)
{
    Moved most = {0};
    for (int i = 0; i < WIDTH; i++) {
        double pooled = 0;
        for (int t = 0; t < PLACES; t++) {
            double before = (double)a->data[order[t] * WIDTH + i], after = (double)b->data[t * WIDTH + i];
            most.word = fmax(most.word, fabs(after - before));
            pooled += (double)b->data[t * WIDTH + i] - (double)a->data[t * WIDTH + i];
        }
        most.pooled = fmax(most.pooled, fabs(pooled / PLACES));
    }
    return most;
}

static Moved shuffle_words(Lab *lab, const Positional *self, bool stack, Kind kind)
{
    Rng weights = lab_rng(lab, "equivariance weights"), words = lab_rng(lab, "equivariance words"),
        orders = lab_rng(lab, "equivariance orders");
    Parameters *parameters = parameters_new();
    Network network = {.attention = attention_new(parameters, "attention", WIDTH, HEADS, &weights)};
    for (int l = 0; l < LAYERS; l++)
        network.block[l] = block_new(parameters, "block",
                                     (BlockSettings){.d = WIDTH, .heads = HEADS, .feed_forward = 4 * WIDTH}, &weights);
    real x[PLACES * WIDTH];
    for (int i = 0; i < PLACES * WIDTH; i++)
        x[i] = rng_normal(&words);
    Moved most = {0};
    Tape *tape = tape_new(1);
    tape_record(tape, false);
    int straight[PLACES], order[PLACES];
    for (int t = 0; t < PLACES; t++)
        straight[t] = order[t] = t;
    for (int turn = 0; turn < self->permutations; turn++) {
        tape_rewind(tape);
        rng_shuffle(&orders, order, PLACES);
        Moved moved = compare(run_network(tape, &network, stack, kind, x, straight),
                              run_network(tape, &network, stack, kind, x, order), order);
        most.word = fmax(most.word, moved.word);
        most.pooled = fmax(most.pooled, moved.pooled);
    }
    tape_free(tape);
    parameters_free(parameters);
    return most;
}

static void claim_at_full_size(Lab *lab, Moved moved[2][KINDS])
{
    claim(lab->claims,
          (Claim){.id = "equivariant",
                  .source = "lecture 07, mended; Lee 2019 (Set Transformer), property 1",
                  .statement =
                      "without positions, attention moves each word's output with the word and changes nothing else",
                  .measured = moved[0][BAG].word,
                  .test = AT_MOST,
                  .bound = 1e-6});
    claim(lab->claims,
          (Claim){.id = "pooled-is-invariant",
                  .source = "lecture: \"the same output\", true once the words are averaged",
                  .statement = "the mean over the words is the same in any order (attention, and two blocks)",
                  .measured = fmax(moved[0][BAG].pooled, moved[1][BAG].pooled),
                  .test = AT_MOST,
                  .bound = 1e-6});
    claim(lab->claims, (Claim){.id = "positions-break-it",
                               .source = "lecture: position must be put back; Vaswani 2017, section 3.5",
                               .statement = "with sinusoidal positions the mean over the words depends on their order",
                               .measured = moved[0][POSITIONS].pooled,
                               .test = AT_LEAST,
                               .bound = 0.01});
    claim(lab->claims,
          (Claim){
              .id = "mask-breaks-it",
              .source = "lecture: only positions tell order; Haviv 2022: Transformer language models without "
                        "positional encodings still learn positions",
              .statement =
                  "a causal mask alone, without positions, already makes the mean over the words depend on their order",
              .measured = moved[0][CAUSAL].pooled,
              .test = AT_LEAST,
              .bound = 0.01,
              .corrects = true});
}

void step_equivariance(Lab *lab, void *state)
{
    const Positional *self = state;
    static const char *const kind_name[KINDS] = {"nothing", "sinusoidal positions", "a causal mask alone"};
    Moved moved[2][KINDS];
    without_positions(lab);
    with_positions(lab);
    with_mask(lab);
    trace(lab->trace,
          "\nAt full size (%d words, width %d, %d heads, random weights, %d random orders), the largest change:\n\n",
          PLACES, WIDTH, HEADS, self->permutations);
    trace_table(lab->trace, "network\twhat tells order\tof a word's own output\tof the mean over words");
    for (int stack = 0; stack < 2; stack++)
        for (Kind kind = BAG; kind < KINDS; kind++) {
            moved[stack][kind] = shuffle_words(lab, self, stack, kind);
            trace_row(lab->trace, "%s\t%s\t%.1e\t%.1e", stack ? "two Transformer blocks" : "attention", kind_name[kind],
                      moved[stack][kind].word, moved[stack][kind].pooled);
        }
    trace_table_end(lab->trace);
    trace(lab->trace, "\nWhat is left in the rows \"nothing\" is rounding: the same numbers added in another order.\n");
    claim_at_full_size(lab, moved);
}
