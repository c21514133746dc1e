/* ibm1.h: IBM Model 1 (Brown 1993): words translate words, order does not count.
 *
 *     P(f_1 ... f_m | e_1 ... e_l) = const / (l+1)^m  prod_j sum_i t(f_j | e_i)
 *
 * e_0 is the empty word, from which a word may come as well.  The table t is found
 * by expectation and maximisation (EM). */
#ifndef IBM1_H
#define IBM1_H

#include "translation.h"

enum { IBM1_ROUNDS = 10 };
typedef struct {
    int given, said; /* words of the side that is given (e), and of the side that is made (f) */
    bool french_from_english;
    double *t;                 /* [given + 1, said]: t(f | e); the last row is the empty word's */
    double log_p[IBM1_ROUNDS]; /* of the training pairs before each round, per word made */
} Ibm1;

Ibm1 *ibm1_train(const Pair *pairs, int n, int english, int french, bool french_from_english);
void ibm1_free(Ibm1 *model);

double ibm1_t(const Ibm1 *model, int said, int given);
/* log P(said | given) of a pair, without the constant. */
double ibm1_log_p(const Ibm1 *model, const Pair *pair);
/* The English word that each French one most likely comes from (french_from_english). */
int ibm1_aligned(const Ibm1 *model, const Pair *pair, int t);

#endif
