/* modeling.h: what the chapters of lab 09 share. */
#ifndef MODELING_H
#define MODELING_H

#include "lab.h"
#include "models.h"

/* The competitors: the lecture's RNN of 64 units, and five models of about the
 * same number of parameters. */
typedef enum { ARM_TRANSFORMER, ARM_RNN64, ARM_RNN, ARM_LSTM, ARM_GRU, ARM_CONVOLUTION, ARMS } Arm;
typedef struct {
    const char *name;
    ModelSettings settings;
    double
        rate; /* Adam's: of 0.005, 0.01, 0.02 the best mean of four runs of 1000 steps, on other seeds than the lab's */
    int cost; /* measured time of a training step, in hundredths of a Transformer's (study.c) */
} Competitor;
extern const Competitor competitors[ARMS];

/* Three ways to share out work: the same number of steps for all; the same time,
 * the Transformer's; the same number of steps on noisy inputs. */
typedef enum { EQUAL_STEPS, EQUAL_TIME, NOISY, BUDGETS } Budget;
#define TRAINING_NOISE 0.2

enum { MOST_RUNS = 5, LOOKS = 20, INPUTS = 20, HORIZON = 20, BATCH = 32 };
typedef struct {
    Model *model; /* NULL: not trained yet */
    Outcome outcome;
    double seconds; /* that training took: for trace_timing only */
    double error;   /* on the test waves */
    real curve[LOOKS];
} Trained;

typedef struct {
    /* the student's */
    const char *series; /* --series FILE, or NULL */
    int next;           /* --next N values of it to say */
    /* set by main.c */
    int steps, runs, noisy_runs, ablation_runs;
    int tests, looked_at; /* test waves; those of a look while training */
    double *values;       /* of the series */
    int count;
    /* made on first use */
    Waves *test, *look; /* clean */
    Trained trained[BUDGETS][ARMS][MOST_RUNS];
} Modeling;

/* ---- study.c: the trained models, made on first use ---- */

void study_train(Lab *lab, Modeling *self, Budget budget, Arm first, Arm last);
const Waves *study_test(Lab *lab, Modeling *self); /* HORIZON values ahead */
int study_runs(const Modeling *self, Budget budget);
int study_steps(const Modeling *self, Budget budget, Arm arm);
void study_free(Modeling *self);
Training study_training(Arm arm, int steps);
/* A stream for run RUN of PURPOSE. */
Rng run_rng(const Lab *lab, const char *purpose, int run);

/* Mean and standard deviation over runs; the geometric mean, for errors that
 * differ by factors. */
typedef struct {
    double mean, sd, geometric;
} Spread;
Spread spread_of(const double *values, int n);
Spread study_error(const Modeling *self, Budget budget, Arm arm);
/* Of all runs of one arm on other waves. */
Spread study_error_on(const Modeling *self, Budget budget, Arm arm, const Waves *waves);

/* ---- the steps ---- */

void step_samples(Lab *lab, void *state);    /* samples.c */
void step_by_hand(Lab *lab, void *state);    /* by_hand.c */
void step_curves(Lab *lab, void *state);     /* compare.c */
void step_comparison(Lab *lab, void *state); /* compare.c */
void step_beyond(Lab *lab, void *state);     /* beyond.c */
void step_attention(Lab *lab, void *state);  /* looking.c */
void step_importance(Lab *lab, void *state); /* importance.c */
void step_ablation(Lab *lab, void *state);   /* ablation.c */
void step_length(Lab *lab, void *state);     /* length.c */
void step_failures(Lab *lab, void *state);   /* failures.c */
void step_own(Lab *lab, void *state);        /* own.c */
void own_check(Modeling *self);              /* reads --series; dies if it cannot be used */

#endif
