/* Step 2. One-hot times a matrix is a row look-up. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "memory.h"
#include "onehot.h"

/* h = x W:  h_j = sum_k x_k W_kj,  x [1 x v], W [v x d], h [1 x d].
 * Returns how many multiplications that took. */
static long product(real *h, const real *x, const real *W, int v, int d)
{
    long multiplications = 0;
    for (int j = 0; j < d; j++)
        h[j] = 0;
    for (int k = 0; k < v; k++, multiplications += d)
        for (int j = 0; j < d; j++)
            h[j] += x[k] * W[(size_t)k * (size_t)d + (size_t)j];
    return multiplications;
}

/* h = W[id]: the same, by copying row id. */
static void look_up(real *h, const real *W, int id, int d)
{
    memcpy(h, W + (size_t)id * (size_t)d, (size_t)d * sizeof *h);
}

static void fill_random(real *W, size_t n, Rng *rng)
{
    for (size_t i = 0; i < n; i++)
        W[i] = rng_between(rng, -1, 1);
}

/* Small enough for paper: three words, four hidden units, forward and backward. */
static void by_hand(Lab *lab)
{
    enum { V = 3, D = 4 };
    static const char *const words[V] = {"hotel", "conference", "walk"};
    static const real W[V * D] = {
        (real)0.1, (real)0.2,  (real)0.3,  (real)0.4, //
        (real)0.5, (real)-0.6, (real)0.7,  (real)0.8, //
        (real)0.9, (real)1.0,  (real)-1.1, (real)1.2,
    };
    static const real delta[D] = {(real)0.01, (real)-0.02, (real)0.03, (real)0.04};
    real x[V], h[D], dW[V * D];
    trace(lab->trace, "The first thing a network does with a word is to multiply it by a matrix, h = x W:\n\n");
    one_hot(x, 1, V);
    product(h, x, W, V, D);
    trace_vector(lab->trace, HERE, "x = one-hot(conference)", x, V, words, 0);
    trace_matrix(lab->trace, HERE, "W", W, V, D, words, NULL, 1);
    trace_equation(lab->trace, HERE, "h_j = sum_k x_k W_kj = 0 W_0j + 1 W_1j + 0 W_2j");
    trace_vector(lab->trace, HERE, "h = x W, which is row 1 of W", h, D, NULL, 1);

    trace(lab->trace, "\nBackwards, only the row that was used learns anything:\n\n");
    trace_vector(lab->trace, HERE, "dL/dh (given)", delta, D, NULL, 2);
    /* dL/dW_kj = x_k dL/dh_j */
    for (int k = 0; k < V; k++)
        for (int j = 0; j < D; j++)
            dW[k * D + j] = x[k] * delta[j];
    trace_equation(lab->trace, HERE, "dL/dW_kj = x_k dL/dh_j");
    trace_matrix(lab->trace, HERE, "dL/dW", dW, V, D, words, NULL, 2);
}

/* The lecture's size, 50,000 words and 100 hidden units, on a few random words. */
static void at_full_size(Lab *lab, const OneHot *self)
{
    enum { WORDS = 8, REPEAT = 1000 };
    int v = self->config.vocabulary, d = self->config.hidden;
    Rng rng = lab_rng(lab, "lookup");
    real *W = memory_new((size_t)v * (size_t)d, sizeof *W, "W_xh");
    real *x = memory_new((size_t)v, sizeof *x, "x");
    real *h = memory_new((size_t)d, sizeof *h, "h"), *row = memory_new((size_t)d, sizeof *row, "a row");
    long multiplications = 0;
    int different = 0;
    double product_time = 0, copy_time = 0;
    fill_random(W, (size_t)v * (size_t)d, &rng);
    for (int i = 0; i < WORDS; i++) {
        int id = (int)rng_below(&rng, (uint64_t)v);
        one_hot(x, id, v);
        double start = clock_seconds();
        multiplications += product(h, x, W, v, d);
        double middle = clock_seconds();
        for (int r = 0; r < REPEAT; r++) {
            look_up(row, W, id, d);
            __asm__ volatile("" ::"r"(row) : "memory"); /* so that the copies are made */
        }
        product_time += middle - start;
        copy_time += (clock_seconds() - middle) / REPEAT;
        different += memcmp(h, row, (size_t)d * sizeof *h) != 0;
    }
    multiplications /= WORDS;
    trace(lab->trace, "\nThe same with the lecture's sizes, V = %d and d = %d, for %d random words:\n\n", v, d, WORDS);
    trace_table(lab->trace, "way\tmultiplications\tnumbers copied");
    trace_row(lab->trace, "x W\t%ld\t0", multiplications);
    trace_row(lab->trace, "row of W\t0\t%d", d);
    trace_table_end(lab->trace);
    trace(lab->trace,
          "\nWords for which the two results differ in any bit: %d of %d.  A sum of zeros and one\n"
          "number is that number, exactly.  No program multiplies by a one-hot vector: an\n"
          "`embedding layer` is this look-up.\n",
          different, WORDS);
    trace_timing(lab->trace, "one-hot product", 1e6 * product_time / WORDS, "microseconds a word");
    trace_timing(lab->trace, "row look-up", 1e6 * copy_time / WORDS, "microseconds a word");
    claim(lab->claims, (Claim){.id = "lookup-equals-product",
                               .source = "lecture: one-hot input of a network",
                               .statement = "one-hot times a matrix is a row of the matrix to the last bit (words of 8 "
                                            "that differ)",
                               .measured = different,
                               .test = EQUALS,
                               .bound = 0});
    claim(lab->claims,
          (Claim){.id = "lookup-cost",
                  .source = "lecture: x_t of 50k, h of 100",
                  .statement = "the product takes V = 50,000 multiplications for every number the look-up copies",
                  .measured = (double)multiplications / d,
                  .test = EQUALS,
                  .bound = 50000});
    free(W);
    free(x);
    free(h);
    free(row);
}

/* Where the parameters of the lecture's recurrent network are. */
static void parameters(Lab *lab, const OneHot *self)
{
    const long v = self->config.vocabulary, h = self->config.hidden, c = self->config.classes;
    const long xh = v * h, hh = h * h, hy = h * c, total = xh + hh + hy;
    trace(lab->trace, "\nThe lecture's recurrent network reads x_t (%ld), keeps h (%ld), tells %ld classes apart:\n\n",
          v, h, c);
    trace_table(lab->trace, "matrix\tshape\tparameters\tbytes (32-bit)\tshare");
    trace_row(lab->trace, "W_xh\t%ld x %ld\t%ld\t%ld\t%.2f %%", v, h, xh, 4 * xh, 100.0 * (double)xh / (double)total);
    trace_row(lab->trace, "W_hh\t%ld x %ld\t%ld\t%ld\t%.2f %%", h, h, hh, 4 * hh, 100.0 * (double)hh / (double)total);
    trace_row(lab->trace, "W_hy\t%ld x %ld\t%ld\t%ld\t%.2f %%", h, c, hy, 4 * hy, 100.0 * (double)hy / (double)total);
    trace_row(lab->trace, "all\t\t%ld\t%ld\t100.00 %%", total, 4 * total);
    trace_table_end(lab->trace);
    trace(lab->trace, "\nNearly all of the network is the table of its words.\n");
    claim(lab->claims, (Claim){.id = "network-parameters",
                               .source = "lecture: W_xh 50k x 100, W_hh 100 x 100, W_hy 100 x 2",
                               .statement = "the lecture's network has 5,010,200 weights",
                               .measured = (double)total,
                               .test = EQUALS,
                               .bound = 5010200});
    claim(lab->claims, (Claim){.id = "network-is-its-words",
                               .source = "lecture: the same sizes",
                               .statement = "the share of them that stands in the table of words",
                               .measured = (double)xh / (double)total,
                               .test = AT_LEAST,
                               .bound = 0.99});
}

void step_lookup(Lab *lab, void *state)
{
    by_hand(lab);
    at_full_size(lab, state);
    parameters(lab, state);
}
