/* zipf.c: a text for the skip-gram workload, on standard output: 1 000 000 words in
 * lines of 20, the word of rank r of 10 000 with probability proportional to 1/r,
 * the same at every run. */
#include <stdio.h>

#include "rng.h"

enum { TOKENS = 1000000, WORDS = 10000, LINE = 20 };

int main(void)
{
    static double sum[WORDS + 1]; /* of 1/r up to each rank */
    for (int r = 1; r <= WORDS; r++)
        sum[r] = sum[r - 1] + 1.0 / r;
    Rng rng = rng_new(1, "zipf");
    for (int i = 1; i <= TOKENS; i++) {
        double x = rng_uniform(&rng) * sum[WORDS];
        int low = 0, high = WORDS - 1; /* the rank whose share x falls into */
        while (low < high) {
            int middle = (low + high) / 2;
            if (x < sum[middle + 1])
                high = middle;
            else
                low = middle + 1;
        }
        printf("w%d%c", low, i % LINE ? ' ' : '\n');
    }
    return fflush(stdout) != 0;
}
