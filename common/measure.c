/* measure.c: what an experiment asks of rows of numbers. */
#include "measure.h"

#include <math.h>

int argmax(const real *x, int n)
{
    int best = 0;
    for (int i = 1; i < n; i++)
        if (x[i] > x[best])
            best = i;
    return best;
}

double largest_difference(const real *a, const real *b, size_t n)
{
    double largest = 0;
    for (size_t i = 0; i < n; i++) {
        double difference = fabs((double)a[i] - (double)b[i]);
        if (difference > largest || isnan(difference))
            largest = difference;
    }
    return largest;
}
