/* Tests of lab 05: its claims over seeds that were not looked at while it was
 * written, its reference trace with any number of threads, its figures, the
 * student's own sentence, bad input, and IBM Model 1, the model's gradients and
 * the search by themselves. */
#define _GNU_SOURCE
#define STEM "05_seq2seq_attention"
int lab_under_test(int argc, char **argv);
#define main lab_under_test
#include "../labs/05_seq2seq_attention/main.c"
#undef main

#include <math.h>

#define LLVMFuzzerTestOneInput fuzz_translate
#include "fuzz/translate.c"

#include "dies.h"
#include "fuzz/replay.h"
#include "lab_runs.h"
#include "maths.h"

/* ---- the lab as a whole ------------------------------------------------------ */

START_TEST(claims_hold_over_seeds)
{
    static const char *const seeds[] = {"8101", "8102"};
    for (size_t i = 0; i < sizeof seeds / sizeof *seeds; i++) {
        char *claims = ledger_of(seeds[i]);
        check_verdict(claims, "channel-blind-to-order", "holds");
        check_verdict(claims, "teacher-forcing-faster", "holds");
        check_verdict(claims, "greedy-astray", "holds");
        check_verdict(claims, "beam-finds", "holds");
        check_verdict(claims, "attention-gap", "holds");
        check_verdict(claims, "plain-longer-still-falls", "skipped");
        free(claims);
    }
}
END_TEST

START_TEST(trace_ledger_and_figures)
{
    static const char *const figures[] = {"ibm1_table",        "teacher_forcing",   "beam_tree",      "beam_width",
                                          "attention_by_hand", "scoring_functions", "bleu_by_length", "alignment_1",
                                          "alignment_2",       "ibm1_alignment",    "reversed_source"};
    check_files(figures, sizeof figures / sizeof *figures);
}
END_TEST

START_TEST(steps_run_alone)
{
    check_steps_alone(4); /* 5 to 8 train the models of 6: too long to do again here */
}
END_TEST

/* ---- the student's own --------------------------------------------------------- */

START_TEST(own_sentence)
{
    ck_assert_int_eq(run_lab("42", "--step=7", "--translate=The HAPPY girl drank cold water", "--beam=3", NULL), 0);
    char *trace = written("trace.txt");
    ck_assert_ptr_nonnull(strstr(trace, "la fille heureuse a bu de l'eau froide"));
    ck_assert_ptr_nonnull(strstr(trace, "beam 3:"));
    free(trace);
    /* the model that this run left, read again: the same picture */
    char *cells = written("alignment_1.tsv");
    ck_assert_int_eq(run_lab("42", "--step=7", "--translate=the happy girl drank cold water", "--load", NULL), 0);
    char *again = written("alignment_1.tsv");
    ck_assert_str_eq(cells, again);
    free(cells);
    free(again);
    /* in the vocabulary, but no sentence of the grammar */
    ck_assert_int_eq(run_lab("42", "--step=7", "--translate=milk milk cat", "--load", NULL), 0);
    trace = written("trace.txt");
    ck_assert_ptr_nonnull(strstr(trace, "not a sentence of the grammar"));
    free(trace);
}
END_TEST

START_TEST(other_scores)
{
    static const char *const scores[] = {"--score=general", "--score=concat"};
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(run_lab("42", "--step=7", "--no-plots", scores[i], NULL), 0);
        char *claims = written("claims.tsv");
        check_verdict(claims, "lecture-sentence", "holds");
        free(claims);
    }
}
END_TEST

START_TEST(bad_input)
{
    static const char *const bad[][2] = {
        {"--translate=the zebra drank milk", "\"zebra\" is not among the words"},
        {"--translate=", "--translate"},
        {"--translate= \t", "no word in it"},
        {"--translate=caf\xe9", "--translate"},
        {"--translate=the cat <EOS> milk", "\"<\" is not among the words"},
        {"--beam=0", "--beam"},
        {"--beam=11", "--beam"},
        {"--score=cosine", "--score"},
        {"--step=9", "9"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ASSERT_SAYS(DIES(2, run_lab("42", "--no-plots", bad[i][0], NULL, NULL)), bad[i][1]);
    char text[400] = "--translate=cat";
    for (int i = 0; i < TRANSLATION_ENGLISH; i++)
        strcat(text, " cat");
    ASSERT_SAYS(DIES(2, run_lab("42", "--no-plots", text, NULL, NULL)), "49 words are too many");
    ASSERT_SAYS(DIES(1, run_lab("42", "--no-plots", "--load", "--step=7", NULL)), "dot_quick.safetensors");
}
END_TEST

/* ---- IBM Model 1 ------------------------------------------------------------------ */

/* Brown 1993's kind of example: das Haus, das Buch, ein Buch. */
START_TEST(em_finds_the_words)
{
    enum { THE = 4, HOUSE, BOOK, A, DAS = 4, HAUS, BUCH, EIN };
    static const Pair pairs[] = {
        {.source_length = 2, .target_length = 2, .source = {THE, HOUSE}, .target = {DAS, HAUS}},
        {.source_length = 2, .target_length = 2, .source = {THE, BOOK}, .target = {DAS, BUCH}},
        {.source_length = 2, .target_length = 2, .source = {A, BOOK}, .target = {EIN, BUCH}},
    };
    Ibm1 *model = ibm1_train(pairs, 3, 8, 8, true);
    ck_assert(ibm1_t(model, DAS, THE) > 0.8);
    ck_assert(ibm1_t(model, HAUS, HOUSE) > 0.8);
    ck_assert(ibm1_t(model, BUCH, BOOK) > 0.8);
    ck_assert(ibm1_t(model, EIN, A) > 0.8);
    for (int e = THE; e <= A; e++) {
        double sum = 0;
        for (int f = 0; f < 8; f++)
            sum += ibm1_t(model, f, e);
        ck_assert_double_eq_tol(sum, 1, 1e-12);
    }
    for (int round = 1; round < IBM1_ROUNDS; round++)
        ck_assert(model->log_p[round] >= model->log_p[round - 1] - 1e-12);
    ck_assert_int_eq(ibm1_aligned(model, &pairs[1], 1), 1);
    ibm1_free(model);
}
END_TEST

/* ---- the model --------------------------------------------------------------------- */

static Model *small_model(const Translation *translation, AttentionKind kind)
{
    Rng rng = rng_new(3, "model");
    return model_new((ModelSettings){kind, BOTH_WAYS, 6, 8, translation->english->size, translation->french->size},
                     &rng);
}

/* What is behind a sentence's end changes nothing: each alone as in a batch. */
START_TEST(padding_changes_nothing)
{
    Translation *translation = translation_new((TranslationSettings){40, 20}, 1);
    for (AttentionKind kind = NO_ATTENTION; kind < ATTENTIONS; kind++) {
        Model *model = small_model(translation, kind);
        Tape *tape = tape_new(1);
        TranslationBatch all = translation_batch(translation->training, NULL, 8, TIME_FIRST);
        double sum = 0, words = 0;
        for (int i = 0; i < 8; i++) {
            sum -= pair_log_p(model, &translation->training[i]);
            words += translation->training[i].target_length + 1;
        }
        ck_assert_double_eq_tol((double)teacher_forced_loss(tape, model, &all)->data[0], sum / words, 1e-5);
        translation_batch_free(&all);
        tape_free(tape);
        model_free(model);
    }
    translation_free(translation);
}
END_TEST

/* A beam of one is greedy; hypotheses come best first and their log P is the model's own. */
START_TEST(beams_are_what_they_say)
{
    Translation *translation = translation_new((TranslationSettings){400, 10}, 2);
    Model *model = small_model(translation, CONCAT);
    Rng rng = rng_new(5, "batches");
    train(model, translation->training, 400, (TrainingSettings){.steps = 60, .batch = 16, .rate = 1e-2}, &rng, NULL);
    enum { N = 12, K = 4 };
    Hypothesis found[N * K], greedy[N];
    beam_search(model, translation->training, N, K, 0, found, NULL, NULL);
    beam_search(model, translation->training, N, 1, 0, greedy, NULL, NULL);
    for (int i = 0; i < N * K; i++) {
        const Hypothesis *h = &found[i];
        ck_assert(i % K == 0 || h->log_p <= found[i - 1].log_p);
        if (h->words[h->length - 1] != TRANSLATION_EOS)
            continue;
        Pair pair = translation->training[i / K];
        pair.target_length = h->length - 1;
        for (int t = 0; t < pair.target_length; t++)
            pair.target[t] = (int16_t)h->words[t];
        ck_assert_double_eq_tol(pair_log_p(model, &pair), h->log_p, 1e-3);
    }
    for (int i = 0; i < N; i++) { /* greedy takes the best word in each step */
        Hypothesis one;
        beam_search(model, &translation->training[i], 1, 1, 0, &one, NULL, NULL);
        ck_assert_int_eq(one.length, greedy[i].length);
        ck_assert_mem_eq(one.words, greedy[i].words, (size_t)one.length * sizeof(int));
    }
    model_free(model);
    translation_free(translation);
}
END_TEST

/* Attention rows are distributions over the sentence's own words. */
START_TEST(attention_is_a_distribution)
{
    Translation *translation = translation_new((TranslationSettings){20, 20}, 3);
    for (AttentionKind kind = DOT; kind < ATTENTIONS; kind++) {
        Model *model = small_model(translation, kind);
        for (int i = 0; i < 5; i++) {
            const Pair *pair = &translation->training[i];
            real weights[(TRANSLATION_FRENCH + 1) * TRANSLATION_ENGLISH];
            attention_of_pair(model, pair, weights);
            for (int t = 0; t <= pair->target_length; t++) {
                double sum = 0;
                for (int s = 0; s < pair->source_length; s++)
                    sum += (double)weights[t * pair->source_length + s];
                ck_assert_double_eq_tol(sum, 1, 1e-5);
            }
        }
        model_free(model);
    }
    translation_free(translation);
}
END_TEST

/* What fuzzing found worth keeping. */
START_TEST(fuzzed)
{
    replay("tests/fuzz/translate", fuzz_translate, 10);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lab 05, seq2seq and attention");
    test_add(suite, "fuzzed", fuzzed);
    add_run(suite, "claims_hold_over_seeds", claims_hold_over_seeds, 0);
    add_run(suite, "trace_ledger_and_figures", trace_ledger_and_figures, 0);
    add_run(suite, "steps_run_alone", steps_run_alone, 0);
    add_run(suite, "own_sentence", own_sentence, 0);
    add_run(suite, "other_scores", other_scores, 0);
    add_run(suite, "bad_input", bad_input, 0);
    add_run(suite, "em_finds_the_words", em_finds_the_words, 0);
    add_run(suite, "padding_changes_nothing", padding_changes_nothing, 0);
    add_run(suite, "beams_are_what_they_say", beams_are_what_they_say, 0);
    add_run(suite, "attention_is_a_distribution", attention_is_a_distribution, 0);
    return test_run(suite);
}
