/* labelled.h: five small tasks that somebody did label, on sentences that no
 * pretraining has seen. */
#ifndef LABELLED_H
#define LABELLED_H

#include "objectives.h"

typedef enum {
    TOPIC,     /* [CLS] sentence [SEP]: one of four */
    SENTIMENT, /* the same: good or bad, "not awful" among them (SST-2's kind) */
    ENTITIES,  /* the same: a tag for every word: B-PER I-PER B-LOC I-LOC O */
    INFERENCE, /* [START] premise [DELIM] hypothesis [EXTRACT]: entailed, contradicted, or neither (Radford 2018) */
    ANSWERS,   /* [CLS] question [SEP] two sentences [SEP]: the span that answers (SQuAD's kind) */
    TASKS
} Task;
const char *task_name(Task task);
int task_classes(Task task); /* width of the answer layer */

enum { TASK_MOST = 512, TASK_SENTENCES = 2 };
typedef struct {
    int length, row[TEXT_MOST];
    int target[TEXT_MOST];             /* ENTITIES: a tag for each place, or NO_TARGET */
    int answer, end;                   /* the class; ANSWERS: first and last place of the span */
    Sentence sentence[TASK_SENTENCES]; /* what it was made of, to look for it in the corpus */
    int sentences;
} Example;

/* Example I of a balanced set: class I % classes.  Its sentences are of that class. */
Example example_draw(const World *world, Task task, SentenceClass class, int i, Rng *rng);

#endif
