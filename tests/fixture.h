/* fixture.h: reads the reference values in tests/oracle/ and compares with them.
 *
 *     Fixtures *f = fixtures_read("ops.txt");
 *     Tensor *x = fixture_variable(tape, f, "tanh.x0");
 *     fixture_compare(f, "tanh.y", y->shape, y->data);
 *
 * The files were written by tests/oracle/make_fixtures.py; the tests run from
 * the root of the repository. */
#ifndef FIXTURE_H
#define FIXTURE_H

#include <math.h>
#include <string.h>

#include "tape.h"
#include "test.h"

/* How far a number may be from PyTorch's, relative to its own size or to a tenth
 * of the tensor's largest, whichever is more: a small sum of large terms has the
 * rounding of the large ones. */
#define FIXTURE_TOLERANCE (REAL_IS_DOUBLE ? 1e-6 : 1e-5)

enum { FIXTURE_NAME = 64 };
typedef struct {
    char name[FIXTURE_NAME];
    Shape shape;
    size_t size;
    double *value;
} Fixture;

typedef struct {
    int n;
    Fixture *fixture;
} Fixtures;

/* "NAME [2, 3] v v v v v v" */
static inline Fixture fixture_parse(char *line)
{
    Fixture fixture = {.shape = SCALAR};
    char *at = strchr(line, ' ');
    ck_assert_msg(at && at - line < FIXTURE_NAME, "not a fixture: %.40s", line);
    memcpy(fixture.name, line, (size_t)(at - line));
    for (at += 2; *at != ']'; at += strspn(at, ", "))
        fixture.shape.dim[fixture.shape.rank++] = (int)strtol(at, &at, 10);
    fixture.size = shape_size(fixture.shape);
    fixture.value = malloc((fixture.size + 1) * sizeof(double));
    at++;
    for (size_t i = 0; i < fixture.size; i++) {
        char *end;
        fixture.value[i] = strtod(at, &end);
        ck_assert_msg(end > at, "%s has fewer values than its shape says", fixture.name);
        at = end;
    }
    ck_assert_str_eq(at, "\n");
    return fixture;
}

static inline Fixtures *fixtures_read(const char *name)
{
    char path[256], *line = NULL;
    size_t capacity = 0;
    snprintf(path, sizeof path, "tests/oracle/%s", name);
    FILE *file = fopen(path, "r");
    ck_assert_msg(file, "cannot open %s: run the tests from the root of the repository", path);
    Fixtures *fixtures = calloc(1, sizeof *fixtures);
    while (getline(&line, &capacity, file) > 0) {
        if (line[0] == '#')
            continue;
        fixtures->fixture = realloc(fixtures->fixture, (fixtures->n + 1) * sizeof(Fixture));
        fixtures->fixture[fixtures->n++] = fixture_parse(line);
    }
    free(line);
    fclose(file);
    return fixtures;
}

static inline void fixtures_free(Fixtures *fixtures)
{
    for (int i = 0; i < fixtures->n; i++)
        free(fixtures->fixture[i].value);
    free(fixtures->fixture);
    free(fixtures);
}

/* The fixture "CASE" + "PART", or NULL. */
static inline const Fixture *fixture_find(const Fixtures *fixtures, const char *name, const char *part)
{
    size_t length = strlen(name);
    for (int i = 0; i < fixtures->n; i++) {
        const char *whole = fixtures->fixture[i].name;
        if (strncmp(whole, name, length) == 0 && strcmp(whole + length, part) == 0)
            return &fixtures->fixture[i];
    }
    return NULL;
}

static inline const Fixture *fixture_get(const Fixtures *fixtures, const char *name, const char *part)
{
    const Fixture *fixture = fixture_find(fixtures, name, part);
    ck_assert_msg(fixture, "there is no fixture %s%s", name, part);
    return fixture;
}

static inline void fixture_copy(const Fixture *fixture, real *to)
{
    for (size_t i = 0; i < fixture->size; i++)
        to[i] = (real)fixture->value[i];
}

static inline Tensor *fixture_variable(Tape *tape, const Fixtures *fixtures, const char *name, const char *part)
{
    const Fixture *fixture = fixture_get(fixtures, name, part);
    Tensor *tensor = tape_variable(tape, fixture->name, fixture->shape, NULL);
    fixture_copy(fixture, tensor->data);
    return tensor;
}

static inline Tensor *fixture_input(Tape *tape, const Fixtures *fixtures, const char *name, const char *part)
{
    const Fixture *fixture = fixture_get(fixtures, name, part);
    Tensor *tensor = tape_input(tape, fixture->name, fixture->shape, NULL);
    fixture_copy(fixture, tensor->data);
    return tensor;
}

/* The values as ints (targets, ids, lengths); free() them. */
static inline int *fixture_ints(const Fixtures *fixtures, const char *name, const char *part)
{
    const Fixture *fixture = fixture_get(fixtures, name, part);
    int *ints = malloc(fixture->size * sizeof *ints);
    for (size_t i = 0; i < fixture->size; i++)
        ints[i] = (int)fixture->value[i];
    return ints;
}

static inline double fixture_largest(const Fixture *fixture)
{
    double largest = 0;
    for (size_t i = 0; i < fixture->size; i++)
        largest = fmax(largest, fabs(fixture->value[i]));
    return largest;
}

/* Fails with the first number of DATA that is further from the reference than
 * FIXTURE_TOLERANCE. */
static inline void fixture_compare_data(const Fixtures *fixtures, const char *name, const char *part, const real *data)
{
    const Fixture *want = fixture_get(fixtures, name, part);
    double floor = fixture_largest(want) / 10;
    for (size_t i = 0; i < want->size; i++) {
        double error = fabs((double)data[i] - want->value[i]), size = fmax(fabs(want->value[i]), floor);
        ck_assert_msg(error <= FIXTURE_TOLERANCE * size, "%s[%zu] is %.9g, PyTorch has %.9g", want->name, i,
                      (double)data[i], want->value[i]);
    }
}

static inline void fixture_compare(const Fixtures *fixtures, const char *name, const char *part, Shape shape,
                                   const real *data)
{
    char ours[SHAPE_TEXT], theirs[SHAPE_TEXT];
    const Fixture *want = fixture_get(fixtures, name, part);
    ck_assert_msg(shapes_equal(shape, want->shape), "%s%s has the shape %s, PyTorch's is %s", name, part,
                  shape_text(shape, ours), shape_text(want->shape, theirs));
    fixture_compare_data(fixtures, name, part, data);
}

#endif
