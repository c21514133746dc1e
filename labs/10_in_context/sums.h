/* sums.h: the task of step 6: a sum of days, counted by the week (modulo 7), at
 * once or step by step.
 *
 *     3 6 5 1 = 1 .                          the answer at once
 *     3 6 5 1 think: 2 0 1 .                 each partial sum modulo 7; the last is the answer
 *     2 6 4 = 1 5 .   3 6 5 1 = 2 0 1 .      an example before the question, answered in steps
 *
 * (Seven is prime: modulo 10 a model can at least learn odd and even.)
 * A text has one width for 2 to 6 terms: places without a term, and those behind
 * the end, hold a blank. */
#ifndef SUMS_H
#define SUMS_H

#include "in_context.h"
#include "model.h"

enum {
    DIGITS = 7,
    LEAST_TERMS = 2,
    MOST_TERMS = 6,
    BLANK = DIGITS, /* words: the digits, and these */
    EQUALS_SIGN,
    THINK,
    END,
    SUM_WORDS,
    SUM_PLACES = 2 * MOST_TERMS + 1, /* terms, = or think:, up to five partial sums, the end */
    ASKS = MOST_TERMS                /* the place of = or think: */
};

typedef enum { AT_ONCE, IN_STEPS } Form;

/* One text of N terms with its answer in FORM, behind SIGN. */
void sum_text(Rng *rng, int n, Form form, int sign, int *ids);

/* "3 6 5 1 think: 2 0 1 ." without blanks, into TEXT, which is the result. */
enum { SUM_TEXT = 80 };
const char *sum_print(const int *ids, char text[SUM_TEXT]);

/* Three models, equal in all but their texts: = answered at once; think: answered
 * in steps; and both, half of the texts with an example of their form before
 * them (behind which = means: like the example). */
enum { ON_ANSWERS, ON_STEPS, ON_BOTH, SUM_MODELS };

/* Four ways to ask (Brown 2020; Wei 2022; Kojima 2022). */
typedef enum { ZERO_SHOT, TRIGGER, ONE_SHOT, ONE_SHOT_STEPS, PROMPTS } Prompt;
const char *prompt_name(Prompt prompt);

typedef struct {
    double accuracy[MOST_TERMS + 1]; /* by number of terms; the answer is the word before the end */
    double words[MOST_TERMS + 1];    /* words written, without the end */
} Answers;

typedef struct Sums {
    int places; /* read in training by each model, its work */
    int steps[SUM_MODELS];
    int tests; /* questions for each number of terms */
    Model model[SUM_MODELS];
    Answers answers[SUM_MODELS][PROMPTS];
} Sums;
Sums *sums(Lab *lab, InContext *self);
void sums_free(Sums *all);

/* A question with an example of FORM before it or none: IDS [WITH_EXAMPLE or
 * SUM_PLACES], of which all behind = or think: is what is right. */
enum { WITH_EXAMPLE = 2 * SUM_PLACES };
int sum_question(Rng *rng, Prompt prompt, int n, int *ids);

/* Lets MODEL write what follows = or think: in BATCH such texts; the first GIVEN
 * words there are left as they stand. */
void sum_write(Tape *tape, const Model *model, Prompt prompt, int *ids, int batch, int given);

/* Equal work: words that a model reads in training. */
double sums_work(const Sums *all, int kind);

#endif
