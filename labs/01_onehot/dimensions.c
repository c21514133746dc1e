/* Step 4. The curse of dimensionality: what long vectors cost, and what they lose. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "maths.h"
#include "memory.h"
#include "onehot.h"

/* ---- memory ------------------------------------------------------------------ */

enum { NUMBER = 4 /* bytes of a 32-bit number */, EMBEDDING = 100 /* dimensions */ };

static double dense_bytes(double v)
{
    return v * NUMBER;
}

/* "676 TB", in powers of ten as disks are sold. */
static const char *bytes_text(char text[32], double bytes)
{
    static const char *const unit[] = {"bytes", "kB", "MB", "GB", "TB"};
    int u = 0;
    while (bytes >= 1000 && u < 4) {
        bytes /= 1000;
        u++;
    }
    snprintf(text, 32, "%.*f %s", bytes < 10 && u > 0 ? 1 : 0, bytes, unit[u]);
    return text;
}

enum { LISTS = 4 };
static const char *const LIST[LISTS] = {"speech", "Penn Treebank", "a big vocabulary", "Google 1T"};
static const double WORDS[LISTS] = {20e3, 50e3, 500e3, 13e6};

static void memory_of_words(Lab *lab)
{
    trace(lab->trace,
          "One word as V numbers of %d bytes, as the index of its 1, as a vector of %d numbers;\n"
          "and the whole vocabulary written down so:\n\n",
          NUMBER, EMBEDDING);
    trace_table(lab->trace, "vocabulary\tV\tone-hot\tindex\tembedding\tall one-hot\tall embeddings");
    for (int i = 0; i < LISTS; i++) {
        char one[32], all[32], table[32];
        double v = WORDS[i];
        trace_row(lab->trace, "%s\t%.0f\t%s\t%d bytes\t%d bytes\t%s\t%s", LIST[i], v, bytes_text(one, dense_bytes(v)),
                  NUMBER, NUMBER * EMBEDDING, bytes_text(all, v * dense_bytes(v)),
                  bytes_text(table, v * NUMBER * EMBEDDING));
    }
    trace_table_end(lab->trace);
    trace(lab->trace,
          "\nThe index is the smallest of all and is what programs store.  It is the network\n"
          "behind it that needs a vector: %d numbers are enough where one-hot takes V.\n",
          EMBEDDING);
    claim(lab->claims,
          (Claim){.id = "memory-google",
                  .source = "lecture: 20k, 50k, 500k, 13M words",
                  .statement = "at 13 million words a dense one-hot vector takes 130,000 times the memory of a "
                               "100-dimensional embedding",
                  .measured = dense_bytes(13e6) / (NUMBER * EMBEDDING),
                  .test = EQUALS,
                  .bound = 130000});
}

static void draw_memory(Lab *lab)
{
    enum { N = 25 };
    real v[N], dense[N], sparse[N], embedding[N], all_dense[N], all_sparse[N], all_embedding[N];
    const double step = 1.7782794100389228; /* the fourth root of 10: 100 ... 10^8 in 25 steps */
    double size = 100;
    for (int i = 0; i < N; i++, size *= step) { // NOLINT(cert-flp30-c): i counts
        v[i] = (real)size;
        dense[i] = (real)dense_bytes(size);
        sparse[i] = NUMBER;
        embedding[i] = NUMBER * EMBEDDING;
        all_dense[i] = (real)(size * dense_bytes(size));
        all_sparse[i] = (real)(size * NUMBER);
        all_embedding[i] = (real)(size * NUMBER * EMBEDDING);
    }
    real lecture_v[LISTS], lecture_bytes[LISTS];
    for (int i = 0; i < LISTS; i++) {
        lecture_v[i] = (real)WORDS[i];
        lecture_bytes[i] = (real)dense_bytes(WORDS[i]);
    }
    Figure *figure = figure_begin(lab->figures, "memory_vs_vocabulary", "What a vocabulary costs");
    figure_layout(figure, 2, 700, 580);
    Panel *word = figure_panel(figure, "one word", "words in the vocabulary", "bytes");
    panel_log_x(word);
    panel_log_y(word);
    panel_line(word, "dense one-hot", v, dense, N);
    panel_line(word, "100-dimensional embedding", v, embedding, N);
    panel_line(word, "index of the 1", v, sparse, N);
    panel_points(word, "the lecture's vocabularies", lecture_v, lecture_bytes, LIST, LISTS);
    Panel *all = figure_panel(figure, "the whole vocabulary", "words in the vocabulary", "bytes");
    panel_log_x(all);
    panel_log_y(all);
    panel_line(all, "dense one-hot", v, all_dense, N);
    panel_line(all, "100-dimensional embedding", v, all_embedding, N);
    panel_line(all, "index of the 1", v, all_sparse, N);
    figure_end(figure);
}

/* ---- distances ----------------------------------------------------------------- */

static int compare_doubles(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

static double median(double *values, int n)
{
    qsort(values, (size_t)n, sizeof *values, compare_doubles);
    return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

static void uniform_point(real *x, int d, Rng *rng)
{
    for (int i = 0; i < d; i++)
        x[i] = rng_between(rng, 0, 1);
}

/* x = A z: a point of d numbers that has only INNER degrees of freedom. */
enum { INNER = 5 };
static void inner_point(real *x, const real *A, int d, Rng *rng)
{
    real z[INNER];
    uniform_point(z, INNER, rng);
    for (int i = 0; i < d; i++) {
        x[i] = 0;
        for (int k = 0; k < INNER; k++)
            x[i] += A[i * INNER + k] * z[k];
    }
}

/* The median over queries of (Dmax - Dmin) / Dmin to all points (Beyer et al. 1999). */
static double relative_contrast(const Config *config, int d, bool inner, Rng *rng)
{
    int n = config->points, queries = config->queries;
    real *points = memory_new((size_t)n * (size_t)d, sizeof *points, "random points");
    real *query = memory_new((size_t)d, sizeof *query, "a query");
    real *A = memory_new((size_t)d * INNER, sizeof *A, "a projection");
    double *contrast = memory_new((size_t)queries, sizeof *contrast, "contrasts");
    for (int i = 0; i < d * INNER; i++)
        A[i] = rng_normal(rng);
    for (int i = 0; i < n; i++)
        inner ? inner_point(points + (size_t)i * (size_t)d, A, d, rng)
              : uniform_point(points + (size_t)i * (size_t)d, d, rng);
    for (int q = 0; q < queries; q++) {
        double nearest = INFINITY, farthest = 0;
        inner ? inner_point(query, A, d, rng) : uniform_point(query, d, rng);
        for (int i = 0; i < n; i++) {
            double apart = distance(query, points + (size_t)i * (size_t)d, d);
            nearest = apart < nearest ? apart : nearest;
            farthest = apart > farthest ? apart : farthest;
        }
        contrast[q] = (farthest - nearest) / nearest;
    }
    double middle = median(contrast, queries);
    free(points);
    free(query);
    free(A);
    free(contrast);
    return middle;
}

enum { DIMENSIONS = 8 };
static const int DIMENSION[DIMENSIONS] = {2, 5, 10, 20, 50, 100, 300, 1000};

typedef struct {
    real d[DIMENSIONS], uniform[DIMENSIONS], inner[DIMENSIONS], sigma[DIMENSIONS], theory[DIMENSIONS];
} Curves;

static void measure_contrast(Lab *lab, const OneHot *self, Curves *curves)
{
    Rng rng = lab_rng(lab, "contrast");
    int rises = 0;
    trace(lab->trace,
          "\nIn one-hot space every other word is sqrt(2) away: the farthest is no farther than the\n"
          "nearest.  Random points in a cube come close to that as dimensions are added.  To %d\n"
          "points from a random query (median of %d queries):\n\n",
          self->config.points, self->config.queries);
    trace_equation(lab->trace, HERE, "relative contrast = (Dmax - Dmin) / Dmin");
    for (int i = 0; i < DIMENSIONS; i++) {
        int d = DIMENSION[i];
        curves->d[i] = (real)d;
        curves->uniform[i] = (real)relative_contrast(&self->config, d, false, &rng);
        curves->inner[i] = (real)relative_contrast(&self->config, d, true, &rng);
        rises += i > 0 && curves->uniform[i] >= curves->uniform[i - 1];
    }
    trace_table(lab->trace, "dimensions\tin the whole cube\ton a sheet of 5 dimensions");
    for (int i = 0; i < DIMENSIONS; i++)
        trace_row(lab->trace, "%d\t%.3f\t%.3f", DIMENSION[i], (double)curves->uniform[i], (double)curves->inner[i]);
    trace_table_end(lab->trace);
    trace(lab->trace,
          "\nThe last column is the way out: points that have only %d degrees of freedom keep their\n"
          "near and far, however many numbers describe them.  Real data are like that, and a\n"
          "learned embedding can be.\n",
          INNER);
    const int last = DIMENSIONS - 1;
    claim(lab->claims,
          (Claim){.id = "contrast-falls",
                  .source = "lecture: curse of dimensionality; Beyer et al. 1999, theorem 1",
                  .statement = "the relative contrast of random points falls whenever dimensions are added "
                               "(times it did not, 2 to 1000)",
                  .measured = rises,
                  .test = EQUALS,
                  .bound = 0});
    claim(lab->claims, (Claim){.id = "contrast-vanishes",
                               .source = "Beyer et al. 1999, section 5",
                               .statement = "in 1000 dimensions the farthest of 1000 points is hardly farther than the "
                                            "nearest (relative contrast)",
                               .measured = (double)curves->uniform[last],
                               .test = BELOW,
                               .bound = 0.25});
    claim(lab->claims,
          (Claim){.id = "contrast-of-structure",
                  .source = "Beyer et al. 1999, section 4",
                  .statement = "data of 5 degrees of freedom keep their contrast in 1000 dimensions (times that "
                               "of the cube)",
                  .measured = (double)(curves->inner[last] / curves->uniform[last]),
                  .test = AT_LEAST,
                  .bound = 10});
}

static void measure_cosines(Lab *lab, const OneHot *self, Curves *curves)
{
    Rng rng = lab_rng(lab, "cosines");
    int n = self->config.random_vectors;
    double worst = 0;
    trace(lab->trace, "\nDirections too: the cosines of %d random vectors with each other have mean 0 and\n\n", n);
    trace_equation(lab->trace, HERE, "sigma = 1 / sqrt(d)");
    trace_table(lab->trace, "dimensions\tsigma measured\t1 / sqrt(d)");
    for (int i = 0; i < DIMENSIONS; i++) {
        int d = DIMENSION[i], pairs = 0;
        double squares = 0;
        real *x = memory_new((size_t)n * (size_t)d, sizeof *x, "random vectors");
        for (int k = 0; k < n * d; k++)
            x[k] = rng_normal(&rng);
        for (int a = 0; a < n; a++)
            for (int b = 0; b < a; b++, pairs++) {
                double c = cosine(x + a * d, x + b * d, d);
                squares += c * c;
            }
        double sigma = sqrt(squares / pairs), theory = 1 / sqrt(d), error = fabs(sigma / theory - 1);
        curves->sigma[i] = (real)sigma;
        curves->theory[i] = (real)theory;
        worst = error > worst ? error : worst;
        trace_row(lab->trace, "%d\t%.4f\t%.4f", d, sigma, theory);
        free(x);
    }
    trace_table_end(lab->trace);
    trace(lab->trace, "\nIn 300 dimensions a cosine of 0.3 is five sigma from chance: there is room for very\n"
                      "many directions that are nearly, not exactly, orthogonal.  Figure distance_concentration.\n");
    claim(lab->claims,
          (Claim){.id = "random-cosines",
                  .source = "geometry: for random directions E cos^2 = 1/d",
                  .statement = "cosines of random vectors have sigma = 1/sqrt(d) (largest relative error, d = 2 "
                               "to 1000)",
                  .measured = worst,
                  .test = AT_MOST,
                  .bound = 0.07});
}

static void draw_concentration(Lab *lab, const Curves *curves)
{
    Figure *figure =
        figure_begin(lab->figures, "distance_concentration", "In many dimensions everything is equally far");
    figure_layout(figure, 2, 640, 520);
    Panel *contrast = figure_panel(figure, "farthest against nearest of 1000 points", "dimensions",
                                   "relative contrast (Dmax - Dmin) / Dmin");
    panel_log_x(contrast);
    panel_log_y(contrast);
    panel_line(contrast, "points in the whole cube", curves->d, curves->uniform, DIMENSIONS);
    panel_line(contrast, "points on a sheet of 5 dimensions", curves->d, curves->inner, DIMENSIONS);
    Panel *sigma = figure_panel(figure, "cosine of two random vectors", "dimensions", "standard deviation");
    panel_log_x(sigma);
    panel_log_y(sigma);
    panel_points(sigma, "measured", curves->d, curves->sigma, NULL, DIMENSIONS);
    panel_reference(sigma, "1 / sqrt(d)", curves->d, curves->theory, DIMENSIONS);
    figure_end(figure);
}

void step_dimensions(Lab *lab, void *state)
{
    Curves curves;
    memory_of_words(lab);
    draw_memory(lab);
    measure_contrast(lab, state, &curves);
    measure_cosines(lab, state, &curves);
    draw_concentration(lab, &curves);
}
