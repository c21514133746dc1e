/* real.h: the number type of the whole course.
 *
 * Labs compute in 32-bit floats, as the field does.  The same sources built
 * with -DREAL_DOUBLE compute in 64 bits, where central differences are exact
 * enough to check every gradient to 1e-6 (in 32 bits they are off by tens of
 * percent at worst). */
#ifndef REAL_H
#define REAL_H

#include <float.h>

#ifdef REAL_DOUBLE
typedef double real;
#define REAL_IS_DOUBLE 1
#define REAL_EPSILON   DBL_EPSILON
#define REAL_MAX       DBL_MAX
#else
typedef float real;
#define REAL_IS_DOUBLE 0
#define REAL_EPSILON   FLT_EPSILON
#define REAL_MAX       FLT_MAX
#endif

#endif
