/* in_context.h: what the chapters of lab 10 share. */
#ifndef IN_CONTEXT_H
#define IN_CONTEXT_H

#include "lab.h"

typedef struct {
    /* the student's */
    const char *prompt; /* step 2: how the generated texts begin, or NULL */
    bool load;          /* use the models that an earlier run has trained */
    /* set by main.c */
    int stories;  /* in the corpus of steps 1 to 3 */
    int tests;    /* stories in a test */
    int steps[3]; /* of pretraining: encoder, encoder-decoder, decoder */
    /* made on first use */
    struct Stories *corpus;        /* steps 1 to 3: stories.h */
    struct Pretrained *pretrained; /* steps 2 and 3: pretrain.h */
    struct Mappings *mappings;     /* steps 4 and 5: mapping.h */
    struct Sums *sums;             /* step 6: sums.h */
} InContext;

/* Dies unless the generated texts of step 2 can begin so. */
void pretraining_check_prompt(const char *prompt);

void step_objectives(Lab *lab, void *state);  /* steps_objectives.c */
void step_pretraining(Lab *lab, void *state); /* steps_pretraining.c */
void step_finetuning(Lab *lab, void *state);  /* steps_finetuning.c */
void step_shots(Lab *lab, void *state);       /* shots.c */
void step_induction(Lab *lab, void *state);   /* induction.c */
void step_thought(Lab *lab, void *state);     /* thought.c */
void step_counts(Lab *lab, void *state);      /* counts.c */

#endif
