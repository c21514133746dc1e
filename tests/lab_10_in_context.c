/* Tests of lab 10: its claims over seeds that were not looked at while it was
 * written, its reference trace with any number of threads, its figures, trained
 * models that are kept, bad input, and the corpus and the objectives by themselves. */
#define _GNU_SOURCE
#define STEM "10_in_context"
int lab_under_test(int argc, char **argv);
#define main lab_under_test
#include "../labs/10_in_context/main.c"
#undef main

#define LLVMFuzzerTestOneInput fuzz_prompt
#include "fuzz/prompt.c"

#include "dies.h"
#include "../labs/10_in_context/guesses.h"
#include "../labs/10_in_context/labelled.h"
#include "fuzz/replay.h"
#include "lab_runs.h"

/* ---- the lab as a whole ------------------------------------------------------ */

START_TEST(claims_hold_over_seeds)
{
    free(ledger_of("8101"));
}
END_TEST

START_TEST(trace_ledger_and_figures)
{
    static const char *const figures[] = {"masking_counts",        "attention_masks",  "pretraining_curves",
                                          "finetuning_vs_scratch", "shots_and_size",   "induction_head",
                                          "phase_change",          "chain_of_thought", "parameter_counts"};
    check_files(figures, sizeof figures / sizeof *figures);
}
END_TEST

START_TEST(steps_run_alone)
{
    check_steps_alone(7);
}
END_TEST

/* ---- models that are kept (kept.c) ----------------------------------------------- */

static void overwrite(const char *name, const char *text)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", STEM, name);
    FILE *file = fopen(in(folder, path), "wb");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
}

/* With --load the same comes out, without training; what another seed trained, and
 * what is no such file, is refused with one line that names it. */
START_TEST(kept_models)
{
    ck_assert_int_eq(run("--quick", "--no-plots", "--step", "2", NULL), 0);
    char *trained = written("trace.txt"), *curves = written("pretraining_curves.tsv");
    ck_assert_int_eq(run("--quick", "--no-plots", "--step", "2", "--load", NULL), 0);
    char *loaded = written("trace.txt"), *curves_again = written("pretraining_curves.tsv");
    ck_assert(strcmp(strstr(trained, "Step 2 of"), strstr(loaded, "Step 2 of")) == 0); /* the first lines say --load */
    ck_assert(strcmp(curves, curves_again) == 0);
    ASSERT_SAYS(DIES(1, run("--quick", "--no-plots", "--step", "2", "--load", "--seed", "7", NULL)),
                "encoder.safetensors was trained with another --seed or setting");
    overwrite("decoder.safetensors", "no model");
    ASSERT_SAYS(DIES(1, run("--quick", "--no-plots", "--step", "2", "--load", NULL)), "decoder.safetensors");
    char *after = written("trace.txt"); /* a run that fails leaves the earlier files whole */
    ck_assert(strcmp(loaded, after) == 0);
    free(after);
    free(trained);
    free(loaded);
    free(curves);
    free(curves_again);
}
END_TEST

START_TEST(own_prompt_and_bad_input)
{
    static const char *const bad[][2] = {
        {"--prompt=the zebra", "'zebra' is not among the words"},
        {"--prompt=[CLS]", "'[' is not among the words"},
        {"--prompt=", "needs a word"},
        {"--prompt=caf\xe9", "--prompt"},
        {"--prompt=the the the the the the the the the the the the the the the the the", "17 words are too many"},
        {"--load=x", "--load"},
        {"--step=8", "8"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ASSERT_SAYS(DIES(2, run_lab("42", "--no-plots", bad[i][0], NULL, NULL)), bad[i][1]);
    ck_assert_int_eq(run("--quick", "--no-plots", "--step", "2", "--prompt", "the cook jane", NULL), 0);
    char *trace = written("trace.txt"), *claims = written("claims.tsv");
    ck_assert_ptr_nonnull(strstr(trace, "        the cook jane "));
    check_verdict(claims, "greedy-is-one-text", "skipped");
    free(trace);
    free(claims);
}
END_TEST

/* ---- the corpus and the objectives (steps 1 to 3) ------------------------------- */

START_TEST(spans_come_back)
{
    World *world = world_new();
    Rng rng = rng_new(1, "spans");
    for (int i = 0; i < 2000; i++) {
        Story story = story_draw(world, FOR_CORPUS, &rng);
        int words[STORY_MOST], back[STORY_MOST], n = story_words(&story, words);
        Spans spans = spans_take(words, n, &rng);
        ck_assert_int_le(spans.targets, 9);
        ck_assert_int_eq(spans.inputs + spans.targets, n + 5); /* <X> and <Y> twice, <Z> */
        ck_assert_int_eq(spans_restore(&spans, back), n);
        ck_assert_mem_eq(words, back, (size_t)n * sizeof *words);
        for (int s = 1; s < spans.inputs; s++) /* two spans never touch */
            ck_assert(spans.input[s] != SPAN_Y || spans.input[s - 1] != SPAN_X);
        spans.target[0] = SPAN_Y;
        ck_assert_int_eq(spans_restore(&spans, back), -1);
    }
    world_free(world);
}
END_TEST

START_TEST(masks_touch_what_they_may)
{
    World *world = world_new();
    Rng rng = rng_new(2, "masks");
    MaskCounts counts = {0};
    for (int i = 0; i < 2000; i++) {
        Story story = story_draw(world, FOR_CORPUS, &rng);
        int row[TEXT_MOST], masked[TEXT_MOST], target[TEXT_MOST];
        int n = pair_row(&story.sentence[0], &story.sentence[1], row);
        memcpy(masked, row, sizeof row);
        mask_words(world, masked, target, n, &counts, &rng);
        for (int t = 0; t < n; t++) {
            ck_assert_int_eq(target[t] == NO_TARGET ? masked[t] : target[t], row[t]);
            ck_assert(row[t] >= SPECIALS || target[t] == NO_TARGET);
        }
    }
    ck_assert_int_eq(counts.masked + counts.random + counts.kept, counts.chosen);
    world_free(world);
}
END_TEST

START_TEST(classes_stay_apart)
{
    Rng rng = rng_new(3, "stories");
    Stories *stories = stories_new(2000, &rng);
    for (int i = 0; i < 300; i++) {
        Story test = story_draw(stories->world, i % 2 ? FOR_TESTS : FOR_LABELS, &rng);
        for (int s = 0; s < 2; s++) {
            ck_assert(!stories_contain(stories, &test.sentence[s]));
            ck_assert(stories_contain(stories, &stories->story[i].sentence[s]));
        }
    }
    stories_free(stories);
}
END_TEST

/* Examples are of the class that is asked for, balanced, and say what they should. */
START_TEST(labelled_examples)
{
    World *world = world_new();
    Rng rng = rng_new(4, "labelled");
    for (int task = 0; task < TASKS; task++)
        for (int i = 0; i < 200; i++) {
            Example e = example_draw(world, (Task)task, i % 2 ? FOR_TESTS : FOR_LABELS, i, &rng);
            for (int s = 0; s < e.sentences; s++)
                ck_assert_int_eq(sentence_class(&e.sentence[s]), i % 2 ? FOR_TESTS : FOR_LABELS);
            if (task != ANSWERS) {
                ck_assert_int_eq(e.answer, i % task_classes((Task)task));
                continue;
            }
            bool where = e.row[1] == world_find(world, "where"); /* a span: a place, or a name of two words */
            ck_assert(e.row[1] == world_find(world, "who") || where);
            ck_assert_int_eq(e.row[e.length - 1], SEP);
            ck_assert_int_lt(e.answer, e.length);
            ck_assert_int_le(e.end - e.answer, 1);
            ck_assert(where || e.end == e.answer + 1);
            ck_assert(!where || e.row[e.answer - 1] == world_find(world, "in"));
        }
    world_free(world);
}
END_TEST

/* The bigram guess is the most frequent follower in the corpus; the guess between falls back on it. */
START_TEST(guesses_count)
{
    Rng rng = rng_new(5, "guesses");
    Stories *stories = stories_new(500, &rng);
    Guesses *guesses = guesses_new(stories);
    int was = world_find(stories->world, "new"), counts[512] = {0}, best = 0;
    for (int i = 0; i < stories->n; i++) {
        int words[STORY_MOST], n = story_words(&stories->story[i], words);
        for (int t = 0; t + 1 < n; t++)
            counts[words[t + 1]] += words[t] == was;
    }
    for (int w = 0; w < world_words(stories->world); w++)
        best = counts[w] > counts[best] ? w : best;
    ck_assert_int_eq(guess_bigram(guesses, was), best);
    ck_assert_int_eq(guess_between(guesses, was, MASK), best);
    guesses_free(guesses);
    stories_free(stories);
}
END_TEST

/* ---- mappings, sums and the model (steps 4 to 7) --------------------------------- */

/* A text keeps to one mapping, the one of its number, of the class that was asked for. */
START_TEST(mappings_are_kept)
{
    enum { TEXTS = 500 };
    int ids[TEXTS * PLACES], answers[TEXTS * ASKED], numbers[TEXTS];
    Rng rng = rng_new(5, "mappings");
    for (int for_tests = 0; for_tests < 2; for_tests++) {
        mapping_texts(&rng, for_tests, TEXTS, ids, answers, numbers);
        for (int i = 0; i < TEXTS; i++) {
            ck_assert_int_eq(mapping_is_for_tests(numbers[i]), for_tests);
            for (int k = 0; k < ASKED; k++) {
                int symbol = ids[i * PLACES + 2 * k], label = SYMBOLS + (numbers[i] >> 3 * symbol) % LABELS;
                ck_assert(symbol >= 0 && symbol < SYMBOLS);
                ck_assert_int_eq(answers[i * ASKED + k], label);
                ck_assert(k == SHOTS || ids[i * PLACES + 2 * k + 1] == label);
            }
        }
    }
}
END_TEST

START_TEST(sums_are_right)
{
    Rng rng = rng_new(6, "sums");
    char text[SUM_TEXT];
    for (int n = LEAST_TERMS; n <= MOST_TERMS; n++)
        for (int i = 0; i < 100; i++) {
            int ids[SUM_PLACES], sum = 0;
            sum_text(&rng, n, IN_STEPS, THINK, ids);
            for (int k = 0; k < n; k++) {
                sum = (sum + ids[k]) % DIGITS;
                ck_assert(k == 0 || ids[ASKS + k] == sum);
            }
            ck_assert_int_eq(ids[ASKS], THINK);
            ck_assert_int_eq(ids[ASKS + n], END);
            sum_text(&rng, n, AT_ONCE, EQUALS_SIGN, ids);
            ck_assert_int_eq(ids[ASKS + 2], END);
        }
    const int shown[SUM_PLACES] = {3, 6, 5, 1, BLANK, BLANK, THINK, 2, 0, 1, END, BLANK, BLANK};
    ck_assert_str_eq(sum_print(shown, text), "3 6 5 1 think: 2 0 1 .");
}
END_TEST

START_TEST(words_are_chosen)
{
    const real scores[] = {0, 3, 1, 2};
    int count[4] = {0};
    Rng rng = rng_new(7, "words");
    ck_assert_int_eq(choose_word(scores, 4, (Choice){0}, NULL), 1);
    for (int i = 0; i < 2000; i++)
        count[choose_word(scores, 4, (Choice){.temperature = 1, .top_k = 2}, &rng)]++;
    ck_assert_int_eq(count[0] + count[2], 0);
    ck_assert_double_eq_tol(count[1] / 2000.0, 0.731, 0.04); /* e^3 / (e^3 + e^2) */
}
END_TEST

/* What is written word by word is the largest score of a reading of the whole; a
 * causal model's states do not depend on what comes later. */
START_TEST(writing_is_reading)
{
    enum { B = 3, LENGTH = 4, MOST = 10, FIRST = 2 };
    Rng rng = rng_new(8, "model");
    Model model = model_new(
        (ModelSettings){.vocabulary = 9, .positions = 12, .d = 8, .layers = 2, .heads = 2, .causal = true}, &rng);
    int ids[B * MOST];
    for (int i = 0; i < B * MOST; i++)
        ids[i] = i * 5 % 9;
    Tape *tape = tape_new(1);
    model_write(tape, &model, ids, B, (Writing){.length = LENGTH, .most = MOST, .start = FIRST, .end = -1}, NULL);
    tape_rewind(tape);
    Tensor *states = model_read(tape, &model, ids, B, MOST, (ModelView){.start = FIRST});
    const real *scores = model_scores(tape, &model, states)->data;
    for (int b = 0; b < B; b++)
        for (int t = LENGTH; t < MOST; t++)
            ck_assert_int_eq(choose_word(scores + (b * MOST + t - 1) * 9, 9, (Choice){0}, NULL), ids[b * MOST + t]);
    ASSERT_SAYS(DIES(1, model_read(tape, &model, ids, B, MOST, (ModelView){.start = 3})), "places 3 to 12 of 12");
    tape_free(tape);
    model_free(&model);
}
END_TEST

/* What fuzzing found worth keeping. */
START_TEST(fuzzed)
{
    replay("tests/fuzz/prompt", fuzz_prompt, 10);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lab 10, in context");
    test_add(suite, "fuzzed", fuzzed);
    add_run(suite, "claims_hold_over_seeds", claims_hold_over_seeds, 0);
    add_run(suite, "trace_ledger_and_figures", trace_ledger_and_figures, 0);
    add_run(suite, "steps_run_alone", steps_run_alone, 0);
    add_run(suite, "kept_models", kept_models, 0);
    add_run(suite, "own_prompt_and_bad_input", own_prompt_and_bad_input, 0);
    add_run(suite, "labelled_examples", labelled_examples, 0);
    add_run(suite, "guesses_count", guesses_count, 0);
    add_run(suite, "spans_come_back", spans_come_back, 0);
    add_run(suite, "masks_touch_what_they_may", masks_touch_what_they_may, 0);
    add_run(suite, "classes_stay_apart", classes_stay_apart, 0);
    add_run(suite, "mappings_are_kept", mappings_are_kept, 0);
    add_run(suite, "sums_are_right", sums_are_right, 0);
    add_run(suite, "words_are_chosen", words_are_chosen, 0);
    add_run(suite, "writing_is_reading", writing_is_reading, 0);
    return test_run(suite);
}
