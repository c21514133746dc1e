/* rng.h: the course's own random numbers: the same seed, the same numbers, on
 * every machine.
 *
 * xoshiro256** (Blackman & Vigna 2018), seeded by splitmix64.  A generator is
 * an explicit argument: there is no hidden global one, so two experiments never
 * disturb each other.  Each experiment takes a stream of its own by name, so
 * that it draws the same numbers whether or not another ran before it. */
#ifndef RNG_H
#define RNG_H

#include <stddef.h>
#include <stdint.h>

#include "real.h"

typedef struct {
    uint64_t state[4];
} Rng;

/* The generator of (SEED, STREAM).  Streams of different names are unrelated. */
Rng rng_new(uint64_t seed, const char *stream);

static inline uint64_t rotate_left(uint64_t x, int k)
{
    return (x << k) | (x >> (64 - k));
}

/* 64 random bits.  (Here, because a loop that draws is faster with the state in registers.) */
static inline uint64_t rng_bits(Rng *rng)
{
    uint64_t *s = rng->state;
    uint64_t result = rotate_left(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate_left(s[3], 45);
    return result;
}

/* A whole number, uniform in 0 ... n-1, without bias; n >= 1. */
uint64_t rng_below(Rng *rng, uint64_t n);

/* Uniform in [0, 1), a multiple of 2^-53. */
double rng_uniform(Rng *rng);

/* Uniform in [low, high). */
real rng_between(Rng *rng, real low, real high);

/* Normal with mean 0 and variance 1 (Marsaglia's polar method). */
real rng_normal(Rng *rng);

/* 1 with probability P, else 0. */
int rng_chance(Rng *rng, double p);

/* An index 0 ... n-1, drawn with probability weight[i] / sum of weights. */
int rng_choose(Rng *rng, const real *weight, int n);

/* Puts N ints into random order (Fisher-Yates). */
void rng_shuffle(Rng *rng, int *items, size_t n);

#endif
