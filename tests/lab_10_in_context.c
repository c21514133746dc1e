/* Tests of lab 10: its claims over seeds that were not looked at while it was
 * written, its reference trace with any number of threads, its figures, trained
 * models that are kept, bad input, and the corpus and the objectives by themselves. */
#define _GNU_SOURCE
#define STEM "10_in_context"
int lab_under_test(int argc, char **argv);
#define main lab_under_test
#include "../labs/10_in_context/main.c"
#undef main

#include "dies.h"
#include "../labs/10_in_context/guesses.h"
#include "../labs/10_in_context/labelled.h"
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

/* Each of steps 1 to 3 runs alone and writes the claims that it writes among the others. */
START_TEST(steps_run_alone)
{
    check_steps_alone(3);
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

int main(void)
{
    Suite *suite = suite_create("lab 10, in context");
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
    return test_run(suite);
}
