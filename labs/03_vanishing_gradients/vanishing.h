/* vanishing.h: what the chapters of lab 03 share. */
#ifndef VANISHING_H
#define VANISHING_H

#include "lab.h"
#include "recall.h"

typedef struct {
    /* step 3: sentiment */
    int reviews, held_out; /* a language */
    int epochs;
    /* step 4: gradient against distance */
    int units, inputs, stories, steps; /* H, X, B, T */
    int random_radii;                  /* radii at which random matrices are measured */
    /* step 5: clipping */
    int clip_runs, clip_steps;
    /* step 6: recall */
    int recall_runs, recall_steps;
} Config;

typedef struct {
    Config config;

    /* the command line's */
    const char *review;
    double radius; /* 0: none besides the five */
    int lag;       /* -1: none besides those of the lab */
    int hidden;    /* of the network in step 6 */
} Vanishing;

/* The network of the lecture, written out: x W_xh + h W_hh + b, rows are states. */
typedef struct {
    Tensor *W_xh; /* [X, H] */
    Tensor *W_hh; /* [H, H] */
    Tensor *b;    /* [H] */
} RnnCell;

/* What one step computes on its way. */
typedef struct {
    Tensor *from_input;  /* x_t W_xh        [B, H] */
    Tensor *from_memory; /* h_{t-1} W_hh    [B, H] */
    Tensor *a;           /* their sum and b [B, H] */
    Tensor *h;           /* tanh(a)         [B, H] */
} RnnStep;

RnnStep rnn_step(Tape *tape, const RnnCell *cell, Tensor *x, Tensor *h);              /* byhand.c */
Tensor *rnn_step_concatenated(Tape *tape, const RnnCell *cell, Tensor *x, Tensor *h); /* byhand.c */
void bptt_by_hand(Lab *lab, Figure *figure);                                          /* byhand.c */

/* sqrt of the sum of squares, in doubles and in order. */
double norm_of(const real *x, size_t n);

/* Slope of the straight line through (x, y) by least squares. */
double slope_of(const real *x, const real *y, int n);

void step_by_hand(Lab *lab, void *state);   /* byhand.c */
void step_shapes(Lab *lab, void *state);    /* shapes.c */
void step_sentiment(Lab *lab, void *state); /* sentiment.c */
void step_vanishing(Lab *lab, void *state); /* distance.c */
void step_exploding(Lab *lab, void *state); /* wall.c */
void step_recall(Lab *lab, void *state);    /* lag.c */

#endif
