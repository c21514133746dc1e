/* finetune.h: a few labelled examples, with pretraining and without. */
#ifndef FINETUNE_H
#define FINETUNE_H

#include "labelled.h"
#include "pretrain.h"

/* What a model starts from. */
typedef enum { FROM_ALL, FROM_WORDS, FROM_SCRATCH, STARTS } Begin;

/* One model, fine-tuned on N labelled examples. */
typedef struct {
    Task task;
    Begin begin;
    int n, steps, batch;
    double rate;
    const Pretrained *pretrained;
    const World *world;
} Tuning;

/* Trains on TRAIN [n] and gives the score on TEST: accuracy, or F1 of whole
 * entities. */
double tune(const Tuning *tuning, const Example *train, const Example *test, int tests, Rng *rng);

#endif
