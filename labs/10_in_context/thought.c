/* Step 6. Answering at once, and step by step. */
#include <math.h>
#include <stdio.h>

#include "sums.h"

enum { FIRST_HARD = 5, FOLLOWED = 200 };
#define CHANCE (1.0 / DIGITS)

static const char *const model_name[SUM_MODELS] = {"answers only", "steps only", "both"};

/* ---- one question, four prompts ------------------------------------------------------- */

static void one_question(Lab *lab, const Sums *all)
{
    Tape *tape = tape_new(1);
    char example[SUM_TEXT], question[SUM_TEXT];
    trace(lab->trace,
          "\nOne question, asked in four ways; the model with both forms writes what stands behind = or think:\n\n");
    trace_table(lab->trace, "prompt\texample before it\twritten\tright");
    for (Prompt prompt = 0; prompt < PROMPTS; prompt++) {
        int ids[WITH_EXAMPLE], same[WITH_EXAMPLE];
        Rng rng = lab_rng(lab, "sums shown"), again = rng;
        int words = sum_question(&rng, prompt, MOST_TERMS, ids), before = words - SUM_PLACES;
        sum_question(&again, prompt, MOST_TERMS, same);
        sum_write(tape, &all->model[ON_BOTH], prompt, ids, 1, 0);
        char right[SUM_TEXT];
        trace_row(lab->trace, "%s\t%s\t%s\t%s", prompt_name(prompt), before ? sum_print(ids, example) : "",
                  sum_print(ids + before, question), sum_print(same + before, right));
    }
    trace_table_end(lab->trace);
    tape_free(tape);
}

/* ---- all questions ----------------------------------------------------------------------- */

static void row_of(Lab *lab, const Sums *all, int kind, Prompt prompt)
{
    const Answers *a = &all->answers[kind][prompt];
    trace_row(lab->trace, "%s\t%s\t%.3f\t%.3f\t%.3f\t%.3f\t%.3f\t%.1f", model_name[kind], prompt_name(prompt),
              a->accuracy[2], a->accuracy[3], a->accuracy[4], a->accuracy[5], a->accuracy[6], a->words[MOST_TERMS]);
}

static void tell(Lab *lab, const Sums *all)
{
    trace_table(lab->trace, "trained on\tasked\t2 terms\t3\t4\t5\t6\twords written for 6");
    row_of(lab, all, ON_ANSWERS, ZERO_SHOT);
    row_of(lab, all, ON_ANSWERS, TRIGGER);
    row_of(lab, all, ON_STEPS, TRIGGER);
    for (Prompt prompt = 0; prompt < PROMPTS; prompt++)
        row_of(lab, all, ON_BOTH, prompt);
    trace_table_end(lab->trace);
}

/* A step is replaced by a wrong one (1 more): the share of answers that are 1 more too. */
static double follows_steps(Lab *lab, const Sums *all)
{
    int ids[FOLLOWED * SUM_PLACES], right[FOLLOWED], followed = 0;
    enum { GIVEN = 3, LAST = ASKS + MOST_TERMS - 1 };
    Rng rng = lab_rng(lab, "sums with a wrong step");
    Tape *tape = tape_new(1);
    for (int i = 0; i < FOLLOWED; i++) {
        int *text = ids + i * SUM_PLACES;
        sum_question(&rng, TRIGGER, MOST_TERMS, text);
        right[i] = text[LAST];
        text[ASKS + GIVEN] = (text[ASKS + GIVEN] + 1) % DIGITS;
    }
    sum_write(tape, &all->model[ON_STEPS], TRIGGER, ids, FOLLOWED, GIVEN);
    for (int i = 0; i < FOLLOWED; i++)
        followed += ids[i * SUM_PLACES + LAST] == (right[i] + 1) % DIGITS;
    tape_free(tape);
    return (double)followed / FOLLOWED;
}

static void draw_line(Panel *panel, const char *label, const Sums *all, int kind, Prompt prompt)
{
    real x[MOST_TERMS], y[MOST_TERMS];
    int n = 0;
    for (int terms = LEAST_TERMS; terms <= MOST_TERMS; terms++, n++) {
        x[n] = (real)terms;
        y[n] = (real)all->answers[kind][prompt].accuracy[terms];
    }
    panel_line(panel, label, x, y, n);
}

static void draw(Lab *lab, const Sums *all)
{
    const real ends[] = {LEAST_TERMS, MOST_TERMS}, chance[] = {(real)CHANCE, (real)CHANCE};
    Figure *figure = figure_begin(lab->figures, "chain_of_thought", "A sum modulo 7: at once, or in steps");
    figure_layout(figure, 2, 660, 540);
    Panel *panel = figure_panel(figure, "two models, equal work", "terms in the sum", "accuracy");
    panel_range_y(panel, 0, 1.05);
    draw_line(panel, "trained on answers", all, ON_ANSWERS, ZERO_SHOT);
    draw_line(panel, "trained on answers, asked with think:", all, ON_ANSWERS, TRIGGER);
    draw_line(panel, "trained on steps", all, ON_STEPS, TRIGGER);
    panel_reference(panel, "guessing", ends, chance, 2);
    panel = figure_panel(figure, "one model, four prompts", "terms in the sum", "accuracy");
    panel_range_y(panel, 0, 1.05);
    for (Prompt prompt = 0; prompt < PROMPTS; prompt++)
        draw_line(panel, prompt_name(prompt), all, ON_BOTH, prompt);
    panel_reference(panel, "guessing", ends, chance, 2);
    figure_end(figure);
}

/* ---- claims ---------------------------------------------------------------------------------- */

/* Accuracy at five and six terms: the lower, the higher, and the differences of two prompts. */
typedef struct {
    double least, most;
} Range;

static Range hard(const Answers *a, const Answers *minus)
{
    Range range = {2, -2};
    for (int n = FIRST_HARD; n <= MOST_TERMS; n++) {
        double x = a->accuracy[n] - (minus ? minus->accuracy[n] : 0);
        range.least = fmin(range.least, x);
        range.most = fmax(range.most, x);
    }
    return range;
}

/* Largest difference between the first two, as a share: parameters, and words read in training. */
static double unequal(const Sums *all)
{
    double parameters = (double)parameters_count(all->model[ON_STEPS].parameters);
    return fmax(fabs((double)parameters_count(all->model[ON_ANSWERS].parameters) / parameters - 1),
                fabs(sums_work(all, ON_ANSWERS) / sums_work(all, ON_STEPS) - 1));
}

static void claim_models(Lab *lab, const Sums *all, double follows)
{
    claim(lab->claims,
          (Claim){.id = "equal-terms",
                  .source = "lab: a fair comparison",
                  .statement = "the models trained on answers and on steps have equally many parameters, and read "
                               "equally many words in training (largest difference, as a share)",
                  .measured = unequal(all),
                  .test = AT_MOST,
                  .bound = 0.01});
    claim(lab->claims, (Claim){.id = "at-once-fails",
                               .source = "Wei 2022, section 3",
                               .statement = "trained on answers, five and six terms stay within 10 points of guessing, "
                                            "1/7 (higher accuracy)",
                               .measured = hard(&all->answers[ON_ANSWERS][ZERO_SHOT], NULL).most,
                               .test = AT_MOST,
                               .bound = CHANCE + 0.1});
    claim(lab->claims, (Claim){.id = "steps-solve",
                               .source = "Wei 2022, section 3; Nye 2021",
                               .statement = "trained on steps, five and six terms are right (lower accuracy)",
                               .measured = hard(&all->answers[ON_STEPS][TRIGGER], NULL).least,
                               .test = AT_LEAST,
                               .bound = 0.95});
    claim(lab->claims,
          (Claim){.id = "prompting-alone",
                  .source = "Wei 2022, figure 4: small models gain nothing",
                  .statement = "a model that has seen no steps gains at most 10 points from being asked to "
                               "think (larger gain at five and six terms)",
                  .measured = hard(&all->answers[ON_ANSWERS][TRIGGER], &all->answers[ON_ANSWERS][ZERO_SHOT]).most,
                  .test = AT_MOST,
                  .bound = 0.1});
    claim(lab->claims, (Claim){.id = "answer-follows-steps",
                               .source = "lab: is what is written also used?",
                               .statement = "with its third step replaced by 1 more, the answer is 1 more (share)",
                               .measured = follows,
                               .test = AT_LEAST,
                               .bound = 0.9});
}

static void claim_prompts(Lab *lab, const Sums *all)
{
    const Answers *a = all->answers[ON_BOTH];
    const char *few = lab->quick ? "the model with both forms is trained for too few steps" : NULL;
    claim(lab->claims, (Claim){.id = "trigger-helps",
                               .source = "Kojima 2022: \"let's think step by step\"",
                               .statement = "one model with both forms: think: instead of = lifts five and six terms "
                                            "(smaller gain)",
                               .measured = hard(&a[TRIGGER], &a[ZERO_SHOT]).least,
                               .test = AT_LEAST,
                               .bound = 0.5,
                               .skipped = few});
    claim(lab->claims, (Claim){.id = "example-in-steps-helps",
                               .source = "Wei 2022, figure 1",
                               .statement = "behind the same =, an example answered in steps lifts five and six terms "
                                            "above an example answered at once (smaller gain)",
                               .measured = hard(&a[ONE_SHOT_STEPS], &a[ONE_SHOT]).least,
                               .test = AT_LEAST,
                               .bound = 0.5,
                               .skipped = few});
    claim(lab->claims,
          (Claim){.id = "example-alone",
                  .source = "Wei 2022, section 3.3: ablations",
                  .statement = "an example answered at once gains at most 10 points over none (larger gain "
                               "at five and six terms): the steps carry it, not the example",
                  .measured = hard(&a[ONE_SHOT], &a[ZERO_SHOT]).most,
                  .test = AT_MOST,
                  .bound = 0.1});
}

void step_thought(Lab *lab, void *state)
{
    const Sums *all = sums(lab, state);
    double follows = follows_steps(lab, all);
    trace(lab->trace,
          "Sums of %d to %d numbers of days, counted by the week: modulo %d. Three models of %zu parameters that\n"
          "start as one: trained on answers (3 6 5 1 = 1 .), on steps (3 6 5 1 think: 2 0 1 .), both reading %.0f\n"
          "thousand words in training; and on both forms, half of the texts with an example before the question\n"
          "(behind which = means: likewise), %.0f thousand words.\n\n",
          LEAST_TERMS, MOST_TERMS, DIGITS, parameters_count(all->model[ON_BOTH].parameters),
          sums_work(all, ON_STEPS) / 1000, sums_work(all, ON_BOTH) / 1000);
    tell(lab, all);
    one_question(lab, all);
    trace(lab->trace,
          "\nIn steps each word needs one look at the word before, one at the next term, and a table of 49 sums:\n"
          "two layers have room for that. At once, five additions would have to fit into the same two layers.\n"
          "What is written is used: with the third step replaced by 1 more, %.3f of the answers are 1 more.\n\n"
          "What this shows: the same weights do more when they may write down what lies between. What it does not:\n"
          "these models were trained on such steps. Asked to think, the one that never saw any gains nothing; why\n"
          "a large model can do it from one sentence in its prompt cannot be seen here.\n",
          follows);
    draw(lab, all);
    claim_models(lab, all, follows);
    claim_prompts(lab, all);
}
