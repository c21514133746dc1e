/* positional.h: what the chapters of lab 07 share. */
#ifndef POSITIONAL_H
#define POSITIONAL_H

#include "lab.h"
#include "ways.h"

typedef struct {
    /* the student's */
    int positions, dimensions; /* the sinusoidal table: rows and columns */
    const char *sentence;      /* step 5 */
    /* set by main.c */
    int permutations; /* random orders tried in step 1 */
    int order_steps;  /* training steps of the order task */
    int steps, runs;  /* training steps of one model of step 7, and how many models of each kind */
    int tests;        /* sequences a test */
} Positional;

/* PE [positions, d] by its definition (Vaswani 2017, section 3.5), even d:
 *     PE(pos, 2i) = sin(pos w_i)   PE(pos, 2i+1) = cos(pos w_i)   w_i = 1 / 10000^(2i/d) */
void sinusoidal_table(real *table, int positions, int d);
double sinusoidal_frequency(int i, int d); /* w_i of pair i = 0 ... d/2 - 1 */

/* Dies unless TEXT is a sentence that step 5 can show. */
void sentence_check(const char *text);

void step_equivariance(Lab *lab, void *state); /* equivariance.c */
void step_sinusoids(Lab *lab, void *state);    /* sinusoids.c */
void step_rotation(Lab *lab, void *state);     /* rotation.c */
void step_scores(Lab *lab, void *state);       /* scores.c */
void step_sentence(Lab *lab, void *state);     /* sentence.c */
void step_order(Lab *lab, void *state);        /* order.c */
void step_longer(Lab *lab, void *state);       /* longer.c */

#endif
