/* gates.h: what the chapters of lab 04 share. */
#ifndef GATES_H
#define GATES_H

#include "cells.h"
#include "lab.h"
#include "recall.h"

enum { MOST_LAGS = 8, MOST_LENGTHS = 4, USUAL_BIAS = 1, JUDGED_LAG = 60 };

typedef struct {
    /* step 3: gradients by distance at initialisation */
    int decay_length, decay_batch, decay_hidden, decay_inputs;
    /* step 4: recall over a lag, and the adding problem */
    int lags[MOST_LAGS], n_lags;
    int recall_steps;
    double recall_rate; /* of the gated cells */
    int judged_lag;     /* the claims are about this one */
    int lengths[MOST_LENGTHS], n_lengths;
    int adding_steps;
    int watched_length; /* step 5 looks into the network of this length */
    /* step 6: the two-directional language model */
    int sentences, sense_tests; /* of training; to classify, for each word */
    int sense_steps;
    double sense_rate;
} Config;

typedef struct Recalls Recalls; /* lag.c */
typedef struct Addings Addings; /* adding.c */

typedef struct {
    Config config;

    /* the command line's */
    int own_lag;
    double own_bias;
    bool own_bias_given;
    const char *own_sentence;

    /* made on first use */
    Recalls *recalls;
    Addings *addings;
} Gates;

/* ---- lag.c: recall over a lag ---- */

/* The ways that are compared, each trained at every lag. */
typedef enum { WAY_RNN, WAY_GRU_USUAL, WAY_GRU_LAG, WAY_LSTM_USUAL, WAY_LSTM_ONE, WAY_LSTM_LAG, WAYS } Way;
const char *way_name(Way way);
/* At --quick the usual biases are left out. */
bool way_tried(const Lab *lab, Way way);

/* What came of one training, and how the gradient fell with the distance on
 * stories of its lag, before and after: log |dL/dm_t| and its slope, where m_t is
 * the state that carries the memory: h_t, or the LSTM's c_t. */
enum { MOST_DISTANCE = 256 };
typedef struct {
    double slope;
    int n;
    double log_norm[MOST_DISTANCE];
} Decay;
typedef struct {
    RecallModel *model;
    RecallResult result;
    Decay before, after;
} Recall;

const Recall *recall_of(Lab *lab, Gates *self, Way way, int lag);
void recalls_free(Recalls *recalls);

/* ---- highway.c: gradients by distance ---- */

/* log of |dL/dm_t| for t = T - 1 - k, k = 0 ... T-1, averaged over the rows of the
 * memory OF [T, B, H] (the states themselves, or an LSTM's cells), where L is the
 * sum over the rows of a random unit vector times h_{T-1} of STATES [T, B, H].
 * -infinity where a gradient is 0. */
void gradient_by_distance(Tape *tape, Tensor *states, const Tensor *of, Rng *rng, double *log_norm);

/* Least squares: the slope of LOG_NORM[k] against k, FROM <= k < TO. */
double slope_of(const double *log_norm, int from, int to);

/* ---- adding.c: the adding problem ---- */

typedef enum { ADD_RNN, ADD_LSTM_ONE, ADD_LSTM_LAG, ADD_GRU_LAG, ADD_WAYS } AddingWay;
const char *adding_name(AddingWay way);

enum { CURVE_POINTS = 50 };
typedef struct {
    AddingWay way;
    int length;
    Parameters *parameters;
    Recurrent layer;
    Parameters *first; /* the same layer before its first step of training */
    Recurrent untrained;
    Linear output;
    double error;             /* on new sequences: mean square over variance */
    real curve[CURVE_POINTS]; /* the same during training, averaged over its part */
} Adding;

const Adding *adding_of(Lab *lab, Gates *self, AddingWay way, int length);
void addings_free(Addings *addings);

/* One batch: X [T, B, 2] holds the number and its mark, SUM [B, 1] the answer,
 * MARK[2 b] and MARK[2 b + 1] the two marked steps. */
typedef struct {
    int length, batch;
    real *x, *sum;
    int *mark;
} AddingBatch;
AddingBatch adding_batch_new(int length, int batch, Rng *rng);
void adding_batch_free(AddingBatch *batch);

/* ---- the steps ---- */

void step_lstm(Lab *lab, void *state);    /* by_hand.c */
void step_gru(Lab *lab, void *state);     /* by_hand.c */
void step_highway(Lab *lab, void *state); /* highway.c */
void step_lag(Lab *lab, void *state);     /* main.c: recall and adding */
void step_recall(Lab *lab, Gates *self);  /* lag.c */
void step_adding(Lab *lab, Gates *self);  /* adding.c */
void step_gates(Lab *lab, void *state);   /* inside.c */
void step_senses(Lab *lab, void *state);  /* senses.c */

/* Dies with status 2 if --sentence has a word that step 6 does not know. */
void senses_check_sentence(Lab *lab, const Gates *self);

#endif
