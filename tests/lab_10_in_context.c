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
#include "lab_runs.h"

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

int main(void)
{
    Suite *suite = suite_create("lab 10, in context");
    add_run(suite, "spans_come_back", spans_come_back, 0);
    add_run(suite, "masks_touch_what_they_may", masks_touch_what_they_may, 0);
    add_run(suite, "classes_stay_apart", classes_stay_apart, 0);
    return test_run(suite);
}
