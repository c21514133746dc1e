/* lab_08_transformer_block.c: its claims over seeds, its trace and ledger byte for
 * byte, its options; and the parts: the block against the library's, label
 * smoothing, the two translators. */
#define _GNU_SOURCE
#define STEM "08_transformer_block"
#include "../labs/05_seq2seq_attention/model.c" /* what the GRU translator is compared with */
int lab_under_test(int argc, char **argv);
#define main lab_under_test
#include "../labs/08_transformer_block/main.c"
#undef main

#include <math.h>

#include "../labs/08_transformer_block/recurrent_translator.h"
#include "../labs/08_transformer_block/translator.h"
#include "dies.h"
#include "lab_runs.h"
#include "measure.h"

START_TEST(claims_hold_over_seeds)
{
    static const char *const seeds[] = {"1001", "1002"};
    for (size_t i = 0; i < sizeof seeds / sizeof *seeds; i++) {
        char *claims = ledger_of(seeds[i]);
        check_verdict(claims, "at-least-one", "corrects");
        check_verdict(claims, "pre-norm-trains", "holds");
        check_verdict(claims, "decoder-does-not-leak", "holds");
        free(claims);
    }
}
END_TEST

START_TEST(trace_ledger_and_figures)
{
    static const char *const figures[] = {
        "transformer_dataflow", "attention_patterns",       "layernorm_vs_batchnorm",       "residual_effect",
        "gelu_vs_relu",         "prenorm_vs_postnorm_init", "prenorm_vs_postnorm_training", "translation_comparison"};
    check_files(figures, 8);
}
END_TEST

START_TEST(steps_run_alone)
{
    check_steps_alone(6);
}
END_TEST

START_TEST(own_sentence)
{
    ck_assert_int_eq(run_lab("42", "--step=1", "--sentence=나는 너를 사랑해", NULL, NULL), 0);
    char *trace = written("trace.txt");
    ck_assert_ptr_nonnull(strstr(trace, "사랑해"));
    free(trace);
    ck_assert_int_eq(run_lab("42", "--step=1", "--sentence=`id`", NULL, NULL), 0);
    ck_assert_int_eq(run_lab("42", "--step=1", "--no-plots", "--sentence=alone", NULL), 0);
    char *claims = written("claims.tsv");
    check_verdict(claims, "sum-is-uneven", "skipped");
    check_verdict(claims, "norm-means", "holds");
    free(claims);
}
END_TEST

START_TEST(own_translation)
{
    ck_assert_int_eq(run_lab("42", "--step=6", "--no-plots", "--translate=The HAPPY girl drank water", NULL), 0);
    char *trace = written("trace.txt");
    ck_assert_ptr_nonnull(strstr(trace, "\"The HAPPY girl drank water\" becomes \""));
    free(trace);
}
END_TEST

START_TEST(bad_input)
{
    static const char *const bad[][2] = {
        {"--sentence=", "--sentence"},
        {"--sentence= \t ", "--sentence"},
        {"--sentence=caf\xe9 au lait", "--sentence"},
        {"--sentence=a b c d e f g h i j k l m n o p q r s t u v w x y", "has 25"},
        {"--translate=", "--translate"},
        {"--translate= \t", "no word in it"},
        {"--translate=caf\xe9", "--translate"},
        {"--translate=the black zeppelin", "\"zeppelin\" is not among the words"},
        {"--step=7", "7"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ASSERT_SAYS(DIES(2, run_lab("42", "--no-plots", bad[i][0], NULL, NULL)), bad[i][1]);
    char text[400] = "--translate=cat";
    for (int i = 0; i < TRANSLATION_ENGLISH; i++)
        strcat(text, " cat");
    ASSERT_SAYS(DIES(2, run_lab("42", "--no-plots", text, NULL, NULL)), "49 words are too many");
}
END_TEST

/* ---- the block ------------------------------------------------------------------- */

enum { B = 2, T = 6, S = 4, D = 16, H = 4 };

static Tensor *random_words(Tape *tape, const char *stream, int places)
{
    Rng rng = rng_new(1, stream);
    Tensor *x = tape_variable(tape, stream, SHAPE(B, places, D), NULL);
    for (size_t i = 0; i < x->size; i++)
        x->data[i] = rng_normal(&rng);
    return x;
}

static double most_different(const real *a, const real *b, size_t n)
{
    double most = 0;
    for (size_t i = 0; i < n; i++)
        most = fmax(most, fabs((double)a[i] - (double)b[i]) / fmax(1, fabs((double)b[i])));
    return most;
}

/* Output and all gradients of the block written out in the lab are those of the
 * library's, which is tested against PyTorch: Pre- and Post-Norm, ReLU and GELU,
 * with and without cross-attention, with masks, with and without rotary positions. */
START_TEST(block_equals_the_library)
{
    for (int kind = 0; kind < 32; kind++) {
        Rng rng = rng_new(2, "block");
        Parameters *parameters = parameters_new();
        Block layer = block_new(
            parameters, "block",
            (BlockSettings){
                .d = D, .heads = H, .feed_forward = 4 * D, .pre_norm = kind & 1, .gelu = kind & 2, .cross = kind & 4},
            &rng);
        Tape *tape = tape_new(1);
        Tensor *x = random_words(tape, "x", T), *memory = random_words(tape, "memory", S);
        Tensor *weight = random_words(tape, "w", T), *y[2], *seen[2];
        const int lengths[B] = {3, 4};
        real *gradient[64];
        for (int side = 0; side < 2; side++) {
            Tensor *turns = tape_input(tape, "turns", SHAPE(T, D / H), NULL);
            positions_sinusoidal(turns->data, T, D / H);
            BlockView view = {.mask = mask_causal(tape, T),
                              .turns = kind & 16 ? turns : NULL,
                              .memory = memory,
                              .memory_mask = mask_padding(tape, lengths, B, H, T, S, false),
                              .weights = &seen[side]};
            y[side] = side ? block(tape, &layer, x, view)
                           : block_written_out(tape, &layer, x, view, (Robbed){.library = kind & 8}, NULL);
            tape_backward(tape, op_sum(tape, op_multiply(tape, y[side], weight)));
            for (int p = 0; p <= parameters->n; p++) {
                Tensor *of = p < parameters->n ? parameters->tensor[p] : x;
                if (side) {
                    ck_assert_msg(most_different(gradient[p], of->grad, of->size) < 2e-5, "kind %d: %s", kind,
                                  of->name);
                    free(gradient[p]);
                } else {
                    gradient[p] = malloc(of->size * sizeof(real));
                    memcpy(gradient[p], of->grad, of->size * sizeof(real));
                }
            }
        }
        ck_assert(most_different(y[0]->data, y[1]->data, x->size) < 1e-5);
        ck_assert(most_different(seen[0]->data, seen[1]->data, seen[0]->size) < 1e-6);
        tape_free(tape);
        parameters_free(parameters);
    }
}
END_TEST

START_TEST(sorting)
{
    int ids[50 * 8], sorted[50 * 8];
    Rng rng = rng_new(3, "sorting");
    sorting_draw(&rng, 5, 50, 8, ids, sorted);
    for (int b = 0; b < 50; b++) {
        int count[5] = {0};
        for (int t = 0; t < 8; t++) {
            count[ids[b * 8 + t]]++;
            count[sorted[b * 8 + t]]--;
            ck_assert(t == 0 || sorted[b * 8 + t - 1] <= sorted[b * 8 + t]);
        }
        for (int c = 0; c < 5; c++)
            ck_assert_int_eq(count[c], 0);
    }
}
END_TEST

/* Against the definition: (1 - e) onehot + e / V as the target distribution. */
START_TEST(label_smoothing)
{
    enum { ROWS = 4, V = 5 };
    const int targets[ROWS] = {1, -1, 4, 0};
    const double e = 0.1;
    Rng rng = rng_new(4, "smoothing");
    Tape *tape = tape_new(1);
    Tensor *logits = tape_variable(tape, "logits", SHAPE(2, 2, V), NULL);
    for (size_t i = 0; i < logits->size; i++)
        logits->data[i] = 2 * rng_normal(&rng);
    Tensor *loss = smoothed_cross_entropy(tape, logits, targets, (real)e);
    tape_backward(tape, loss);
    double want = 0;
    for (int r = 0; r < ROWS; r++) {
        double sum = 0;
        for (int c = 0; c < V; c++)
            sum += exp((double)logits->data[r * V + c]);
        for (int c = 0; c < V; c++) {
            double p = exp((double)logits->data[r * V + c]) / sum, q = e / V + (c == targets[r]) * (1 - e);
            want -= targets[r] >= 0 ? q * log(p) / 3 : 0;
            ck_assert_double_eq_tol((double)logits->grad[r * V + c], targets[r] >= 0 ? (p - q) / 3 : 0, 1e-6);
        }
    }
    ck_assert_double_eq_tol((double)loss->data[0], want, 1e-5);
    ck_assert(smoothed_cross_entropy(tape, logits, targets, 0)->data[0] ==
              op_cross_entropy(tape, logits, targets)->data[0]);
    tape_free(tape);
}
END_TEST

/* Greedy decoding, a word at a time, says what the network fed its own words says
 * all at once. */
START_TEST(greedy_agrees_with_teacher_forcing)
{
    const int ids[2 * 4] = {4, 5, 6, 7, 8, 9, 0, 0}, lengths[2] = {4, 2};
    int out[2 * 6];
    Rng rng = rng_new(5, "translator");
    Translator t = translator_new((TranslatorSettings){.source_words = 12,
                                                     .target_words = 11,
                                                     .d = D,
                                                     .heads = H,
                                                     .feed_forward = 2 * D,
                                                     .blocks = 2,
                                                     .rotary = true},
                                  &rng);
    Tape *tape = tape_new(1);
    Source source = {2, 4, ids, lengths};
    translator_greedy(tape, &t, source, TRANSLATION_SOS, TRANSLATION_EOS, TRANSLATION_PAD, 6, out);
    for (int b = 0; b < 2; b++) {
        int said = 0, in[7] = {TRANSLATION_SOS};
        while (said < 6 && out[b * 6 + said] != TRANSLATION_PAD)
            said++;
        memcpy(in + 1, out + b * 6, (size_t)said * sizeof(int));
        Source one = {1, lengths[b], ids + 4 * b, lengths + b}; /* alone and without padding */
        Tensor *memory = translator_encode(tape, &t, one, NULL, NULL);
        const real *logits = translator_decode(tape, &t, memory, one, in, said + 1, NULL, NULL, NULL)->data;
        for (int i = 0; i < said; i++, logits += 11)
            for (int w = 0; w < 11; w++)
                ck_assert(logits[w] <= logits[out[b * 6 + i]] + 1e-5);
    }
    tape_free(tape);
    translator_free(&t);
}
END_TEST

/* The GRU beside the Transformer is lab 05's model with the general score: the same weights from
 * the same random numbers, the same logits; and greedily it says what lab 05's says. */
START_TEST(recurrent_translator_is_lab_05s)
{
    enum { SAID = 5, ROWS = 3 };
    Translation *corpus = translation_new((TranslationSettings){200, 12}, 6);
    int english = corpus->english->size, french = corpus->french->size;
    Rng rng = rng_new(6, "recurrent translator"), same = rng_new(6, "recurrent translator");
    RecurrentTranslator t = recurrent_translator_new((RecurrentSettings){english, french, 8, 16}, &rng);
    Model *model = model_new((ModelSettings){.attention = GENERAL,
                                             .reading = BOTH_WAYS,
                                             .embedding = 8,
                                             .hidden = 16,
                                             .english = english,
                                             .french = french},
                             &same);
    TranslationBatch batch = translation_batch(corpus->training, NULL, ROWS, TIME_FIRST);
    Tape *tape = tape_new(1);
    Memory memory = encode(tape, model, batch.source, batch.source_lengths, batch.source_steps, ROWS);
    Tensor *states = decode(tape, model, &memory, memory.start, batch.target_in, batch.target_steps);
    Tensor *theirs = read_out(tape, model, &memory, states, NULL);
    Tensor *mine = recurrent_translator_read(tape, &t, &batch);
    ck_assert_mem_eq(mine->data, theirs->data, theirs->size * sizeof(real));
    int out[ROWS * SAID], last[ROWS] = {TRANSLATION_SOS, TRANSLATION_SOS, TRANSLATION_SOS};
    Tensor *state = memory.start;
    recurrent_translator_greedy(tape, &t, &batch, SAID, out);
    memory = encode(tape, model, batch.source, batch.source_lengths, batch.source_steps, ROWS);
    state = memory.start;
    for (int i = 0; i < SAID; i++) {
        states = decode(tape, model, &memory, state, last, 1);
        state = op_reshape(tape, states, SHAPE(ROWS, 16));
        const real *row = read_out(tape, model, &memory, states, NULL)->data;
        for (int b = 0; b < ROWS; b++) {
            bool ended = i > 0 && (last[b] == TRANSLATION_EOS || last[b] == TRANSLATION_PAD);
            last[b] = ended ? TRANSLATION_PAD : argmax(row + b * french, french);
            ck_assert_int_eq(out[b * SAID + i], last[b] == TRANSLATION_EOS ? TRANSLATION_PAD : last[b]);
        }
    }
    tape_free(tape);
    translation_batch_free(&batch);
    model_free(model);
    recurrent_translator_free(&t);
    translation_free(corpus);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lab 08, the Transformer block");
    add_run(suite, "claims_hold_over_seeds", claims_hold_over_seeds, 0);
    add_run(suite, "trace_ledger_and_figures", trace_ledger_and_figures, 0);
    add_run(suite, "steps_run_alone", steps_run_alone, 0);
    add_run(suite, "own_sentence", own_sentence, 0);
    add_run(suite, "own_translation", own_translation, 0);
    add_run(suite, "bad_input", bad_input, 0);
    add_run(suite, "block_equals_the_library", block_equals_the_library, 0);
    add_run(suite, "sorting", sorting, 0);
    add_run(suite, "label_smoothing", label_smoothing, 0);
    add_run(suite, "greedy_agrees_with_teacher_forcing", greedy_agrees_with_teacher_forcing, 0);
    add_run(suite, "recurrent_translator_is_lab_05s", recurrent_translator_is_lab_05s, 0);
    return test_run(suite);
}
