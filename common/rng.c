/* rng.c: xoshiro256** and the distributions drawn from it. */
#include "rng.h"

#include "die.h"
#include "maths.h"

/* splitmix64 (Steele, Lea & Flood 2014): turns any number into a well mixed one. */
static uint64_t splitmix64(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

Rng rng_new(uint64_t seed, const char *stream)
{
    uint64_t state = seed;
    for (const char *c = stream; *c; c++)
        state = splitmix64(&state) ^ (unsigned char)*c;
    Rng rng;
    for (int i = 0; i < 4; i++)
        rng.state[i] = splitmix64(&state);
    return rng;
}

/* Lemire 2019: the high half of a 128-bit product, redrawn in the few cases
 * that would favour some results. */
uint64_t rng_below(Rng *rng, uint64_t n)
{
    if (n == 0)
        die_misuse(HERE, "rng_below: a number below 0 was asked for");
    unsigned __int128 product = (unsigned __int128)rng_bits(rng) * n;
    if ((uint64_t)product < n) {
        uint64_t threshold = -n % n;
        while ((uint64_t)product < threshold)
            product = (unsigned __int128)rng_bits(rng) * n;
    }
    return (uint64_t)(product >> 64);
}

double rng_uniform(Rng *rng)
{
    return (double)(rng_bits(rng) >> 11) * 0x1p-53;
}

real rng_between(Rng *rng, real low, real high)
{
    return low + (high - low) * (real)(rng_bits(rng) >> 40) * (real)0x1p-24;
}

real rng_normal(Rng *rng)
{
    double x, y, square;
    do {
        x = 2 * rng_uniform(rng) - 1;
        y = 2 * rng_uniform(rng) - 1;
        square = x * x + y * y;
    } while (square >= 1 || square == 0);
    return (real)(x * sqrt(-2 * log64(square) / square));
}

int rng_chance(Rng *rng, double p)
{
    return rng_uniform(rng) < p;
}

int rng_choose(Rng *rng, const real *weight, int n)
{
    double total = 0;
    for (int i = 0; i < n; i++)
        total += weight[i];
    double left = rng_uniform(rng) * total;
    for (int i = 0; i < n - 1; i++) {
        left -= weight[i];
        if (left < 0)
            return i;
    }
    return n - 1;
}

void rng_shuffle(Rng *rng, int *items, size_t n)
{
    for (size_t i = n; i > 1; i--) {
        size_t j = rng_below(rng, i);
        int swap = items[i - 1];
        items[i - 1] = items[j];
        items[j] = swap;
    }
}
