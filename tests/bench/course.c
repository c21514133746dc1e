/* course.c: the time of one training step of the course's canonical workloads,
 * of attention and of matrix products, with the library in common/.
 *
 *     course --list                            the names
 *     course WORKLOAD THREADS [SECONDS]        one line, times in milliseconds of a step:
 *     WORKLOAD course-1t wall MEDIAN min MIN max MAX cpu MEDIAN gflop N rss MB loss FIRST LAST
 *
 * tests/bench/torch_peer.py defines the same workloads in PyTorch; cpu is what
 * the process used, of all threads, which other programs disturb less. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include "kernels.h"
#include "maths.h"
#include "memory.h"
#include "optim.h"
#include "transformer.h"

/* A workload at hand: STEP does one step and returns its loss, INNER times the unit that is reported. */
typedef struct Bench Bench;
struct Bench {
    real (*step)(Bench *bench);
    double flop; /* of the matrix products, forward and backward, in one step */
    int inner, threads;
    Tape *tape;
    Parameters *p;
    Optimiser *adam;
    Rng rng;
    /* what the workloads keep */
    int batch, steps, width, hidden, vocabulary, layers;
    real *x, *y, *z;
    int *ids, *targets;
    Tensor *table, *positions;
    Recurrent rnn, decoder;
    Block block[4];
    LayerNorm norm;
    Linear in, out, keys, query, score;
};

static real finish(Bench *b, Tensor *loss)
{
    tape_backward(b->tape, loss);
    optimiser_step(b->adam);
    return loss->data[0];
}

static void begin(Bench *b, real (*step)(Bench *))
{
    b->step = step;
    b->tape = tape_new(b->threads);
    b->p = parameters_new();
    b->rng = rng_new(1, "bench");
}

static void train(Bench *b, double flop)
{
    b->adam = adam_new(b->p, (Adam){.rate = 1e-3});
    b->flop = flop;
}

/* ---- a sine's next value ------------------------------------------------------ */

enum { BATCH = 32 };

static void sines(Bench *b, int steps, bool time_first)
{
    b->batch = BATCH, b->steps = steps;
    b->x = memory_new((size_t)BATCH * steps, sizeof(real), "a bench");
    b->y = memory_new(BATCH, sizeof(real), "a bench");
    for (int i = 0; i < BATCH; i++) {
        double phase = 6.28 * (double)rng_uniform(&b->rng);
        for (int t = 0; t < steps; t++)
            b->x[time_first ? t * BATCH + i : i * steps + t] = (real)sin64(phase + 0.3 * t);
        b->y[i] = (real)sin64(phase + 0.3 * steps);
    }
}

static real step_recurrent_sine(Bench *b)
{
    tape_rewind(b->tape);
    Tensor *x = tape_input(b->tape, "x", SHAPE(b->steps, b->batch, 1), b->x);
    Tensor *y = tape_input(b->tape, "y", SHAPE(1, b->batch, 1), b->y);
    Tensor *h = recurrent(b->tape, &b->rnn, x, NULL, (Sequence){0});
    Tensor *last = op_slice(b->tape, h, 0, b->steps - 1, b->steps);
    return finish(b, op_mean_squared_error(b->tape, linear(b->tape, &b->out, last), y));
}

static void recurrent_sine(Bench *b, CellKind kind)
{
    const int steps = 20, hidden = 64, gates = kind == CELL_RNN ? 1 : kind == CELL_LSTM ? 4 : 3;
    begin(b, step_recurrent_sine);
    sines(b, steps, true);
    b->rnn = recurrent_new(b->p, "rnn", kind, 1, hidden, &b->rng);
    b->out = linear_new(b->p, "out", hidden, 1, &b->rng);
    train(b, 6.0 * (BATCH * steps * gates * hidden * (1 + hidden) + BATCH * hidden));
}

static real step_encoder(Bench *b)
{
    int d = b->width;
    tape_rewind(b->tape);
    Tensor *x = tape_input(b->tape, "x", SHAPE(b->batch, b->steps, 1), b->x);
    Tensor *y = tape_input(b->tape, "y", SHAPE(b->batch, 1, 1), b->y);
    Tensor *h = op_add(b->tape, linear(b->tape, &b->in, x), tape_input(b->tape, "pe", SHAPE(b->steps, d), b->z));
    h = block(b->tape, &b->block[0], h, (BlockView){0});
    Tensor *last = op_slice(b->tape, h, 1, b->steps - 1, b->steps);
    return finish(b, op_mean_squared_error(b->tape, linear(b->tape, &b->out, last), y));
}

static void encoder_sine(Bench *b)
{
    enum { STEPS = 20, D = 32, FEED = 128 };
    begin(b, step_encoder);
    sines(b, STEPS, false);
    b->width = D;
    b->z = memory_new((size_t)STEPS * D, sizeof(real), "a bench");
    positions_sinusoidal(b->z, STEPS, D);
    b->in = linear_new(b->p, "in", 1, D, &b->rng);
    b->block[0] = block_new(b->p, "block", (BlockSettings){.d = D, .heads = 4, .feed_forward = FEED}, &b->rng);
    b->out = linear_new(b->p, "out", D, 1, &b->rng);
    train(b, 6.0 * BATCH * STEPS * (D + 4 * D * D + 2 * D * FEED + 2 * STEPS * D));
}

/* ---- the next token ----------------------------------------------------------- */

/* Random tokens in rows of STEPS; the target is the token that follows, round the row's end. */
static void tokens(Bench *b, int steps, int vocabulary, bool time_first)
{
    b->batch = BATCH, b->steps = steps, b->vocabulary = vocabulary;
    b->ids = memory_new((size_t)BATCH * steps, sizeof(int), "a bench");
    b->targets = memory_new((size_t)BATCH * steps, sizeof(int), "a bench");
    for (int i = 0; i < BATCH * steps; i++)
        b->ids[i] = (int)rng_below(&b->rng, (uint32_t)vocabulary);
    for (int i = 0; i < BATCH; i++)
        for (int t = 0; t < steps; t++) {
            int next = (t + 1) % steps;
            if (time_first)
                b->targets[t * BATCH + i] = b->ids[next * BATCH + i];
            else
                b->targets[i * steps + t] = b->ids[i * steps + next];
        }
}

static real step_recurrent_lm(Bench *b)
{
    tape_rewind(b->tape);
    Tensor *x = op_embedding(b->tape, b->table, b->ids, SHAPE(b->steps, b->batch));
    Tensor *h = recurrent(b->tape, &b->rnn, x, NULL, (Sequence){0});
    return finish(b, op_cross_entropy(b->tape, linear(b->tape, &b->out, h), b->targets));
}

static void recurrent_lm(Bench *b, CellKind kind)
{
    const int steps = 50, embed = 64, hidden = 128, v = 200, gates = kind == CELL_RNN ? 1 : kind == CELL_LSTM ? 4 : 3;
    begin(b, step_recurrent_lm);
    tokens(b, steps, v, true);
    b->table = parameter_normal(b->p, "table", SHAPE(v, embed), 1, &b->rng);
    b->rnn = recurrent_new(b->p, "rnn", kind, embed, hidden, &b->rng);
    b->out = linear_new(b->p, "out", hidden, v, &b->rng);
    train(b, 6.0 * BATCH * steps * (gates * hidden * (embed + hidden) + hidden * v));
}

static real step_gpt(Bench *b)
{
    tape_rewind(b->tape);
    Tensor *x = op_embedding(b->tape, b->table, b->ids, SHAPE(b->batch, b->steps));
    x = op_add(b->tape, x, b->positions);
    Tensor *mask = mask_causal(b->tape, b->steps);
    for (int i = 0; i < b->layers; i++)
        x = block(b->tape, &b->block[i], x, (BlockView){.mask = mask});
    Tensor *logits = op_matmul_transposed(b->tape, layer_norm(b->tape, &b->norm, x), b->table);
    return finish(b, op_cross_entropy(b->tape, logits, b->targets));
}

static void gpt(Bench *b, int d, int layers, int steps, int v)
{
    begin(b, step_gpt);
    tokens(b, steps, v, false);
    b->layers = layers;
    b->table = parameter_normal(b->p, "table", SHAPE(v, d), (real)0.02, &b->rng);
    b->positions = parameter_normal(b->p, "positions", SHAPE(steps, d), (real)0.02, &b->rng);
    BlockSettings settings = {.d = d, .heads = 4, .feed_forward = 4 * d, .pre_norm = true, .gelu = true};
    for (int i = 0; i < layers; i++)
        b->block[i] = block_new(b->p, "block", settings, &b->rng);
    b->norm = layer_norm_new(b->p, "norm", d);
    train(b, 6.0 * BATCH * steps * (layers * (12.0 * d * d + 2.0 * steps * d) + d * v));
}

/* ---- translation with additive attention -------------------------------------- */

static real step_seq2seq(Bench *b)
{
    Tape *tape = b->tape;
    int s = b->steps, n = b->batch, h = b->hidden;
    tape_rewind(tape);
    Tensor *encoded = recurrent(tape, &b->rnn, op_embedding(tape, b->table, b->ids, SHAPE(s, n)), NULL, (Sequence){0});
    Tensor *keys = op_matmul(tape, encoded, b->keys.weight); /* [S, B, H] */
    Tensor *values = op_transpose(tape, encoded, 0, 1);      /* [B, S, H] */
    Tensor *state = op_slice(tape, encoded, 0, s - 1, s);    /* [1, B, H] */
    Tensor *given = op_embedding(tape, b->positions, b->ids, SHAPE(s, n));
    Tensor *outputs[64];
    for (int t = 0; t < s; t++) {
        Tensor *q = op_reshape(tape, op_matmul(tape, state, b->query.weight), SHAPE(n, h));
        Tensor *e = op_matmul(tape, op_tanh(tape, op_add(tape, keys, q)), b->score.weight); /* [S, B, 1] */
        Tensor *a = op_softmax(tape, op_transpose(tape, op_reshape(tape, e, SHAPE(s, n)), 0, 1), NULL);
        Tensor *c = op_batched_matmul(tape, op_reshape(tape, a, SHAPE(n, 1, s)), values);
        c = op_reshape(tape, c, SHAPE(1, n, h));
        Tensor *in[] = {op_slice(tape, given, 0, t, t + 1), c};
        state = recurrent(tape, &b->decoder, op_concat(tape, in, 2, 2), op_reshape(tape, state, SHAPE(n, h)),
                          (Sequence){0});
        Tensor *both[] = {state, c};
        outputs[t] = op_concat(tape, both, 2, 2);
    }
    return finish(b, op_cross_entropy(tape, linear(tape, &b->out, op_concat(tape, outputs, s, 0)), b->targets));
}

static void seq2seq(Bench *b)
{
    const int s = 10, e = 64, h = 128, v = 200;
    begin(b, step_seq2seq);
    tokens(b, s, v, true);
    b->hidden = h;
    b->table = parameter_normal(b->p, "source", SHAPE(v, e), 1, &b->rng);
    b->positions = parameter_normal(b->p, "target", SHAPE(v, e), 1, &b->rng);
    b->rnn = recurrent_new(b->p, "encoder", CELL_GRU, e, h, &b->rng);
    b->decoder = recurrent_new(b->p, "decoder", CELL_GRU, e + h, h, &b->rng);
    b->keys.weight = parameter_glorot(b->p, "keys", SHAPE(h, h), &b->rng);
    b->query.weight = parameter_glorot(b->p, "query", SHAPE(h, h), &b->rng);
    b->score.weight = parameter_glorot(b->p, "score", SHAPE(h, 1), &b->rng);
    b->out = linear_new(b->p, "out", 2 * h, v, &b->rng);
    train(b, 6.0 * BATCH *
                 (s * (3.0 * h * (e + h) + h * h) + s * (h * h + 2.0 * s * h + 3.0 * h * (e + 2 * h) + 2.0 * h * v)));
}

/* ---- attention forward, and products ------------------------------------------ */

static real step_attention(Bench *b)
{
    Shape shape = SHAPE(1, 4, b->steps, 64);
    tape_rewind(b->tape);
    Tensor q = {.name = "q", .shape = shape, .size = shape_size(shape), .data = b->x}, k = q, v = q;
    k.data = b->y;
    v.data = b->z;
    return scaled_dot_product_attention(b->tape, &q, &k, &v, NULL, NULL)->data[0];
}

static real *normal(Bench *b, size_t n)
{
    real *x = memory_new(n, sizeof *x, "a bench");
    for (size_t i = 0; i < n; i++)
        x[i] = rng_normal(&b->rng);
    return x;
}

static void attention_forward(Bench *b, int steps)
{
    begin(b, step_attention);
    b->steps = steps;
    size_t n = (size_t)4 * steps * 64;
    b->x = normal(b, n), b->y = normal(b, n), b->z = normal(b, n);
    b->flop = 4.0 * 4 * steps * steps * 64;
}

static real step_product(Bench *b)
{
    int m = b->batch, n = b->width, k = b->hidden;
    Strided left = b->layers & 1 ? strided_transposed(b->x, m) : strided(b->x, k);
    Strided right = b->layers & 2 ? strided_transposed(b->y, k) : strided(b->y, n);
    for (int i = 0; i < b->inner; i++)
        kernel_matmul(m, n, k, left, right, b->z, n, false, b->threads);
    return b->z[0];
}

/* TURNED: 1 the left, 2 the right matrix is read transposed. */
static void product(Bench *b, int m, int n, int k, int turned)
{
    begin(b, step_product);
    b->batch = m, b->width = n, b->hidden = k, b->layers = turned;
    b->x = normal(b, (size_t)m * k), b->y = normal(b, (size_t)k * n), b->z = normal(b, (size_t)m * n);
    b->flop = 2.0 * m * n * k;
    b->inner = (int)(2e7 / b->flop) + 1;
}

/* ---- the table ----------------------------------------------------------------- */

static bool build(Bench *b, const char *name)
{
    static const char *const cells[] = {"rnn", "lstm", "gru"}; /* in the order of CellKind */
    char text[64];
    int m, n, k, used = 0;
    char turned[3] = "";
    for (int kind = 0; kind < 3; kind++) {
        snprintf(text, sizeof text, "%s-sine", cells[kind]);
        if (strcmp(name, text) == 0)
            return recurrent_sine(b, (CellKind)kind), true;
        snprintf(text, sizeof text, "%s-lm", cells[kind]);
        if (strcmp(name, text) == 0)
            return recurrent_lm(b, (CellKind)kind), true;
    }
    if (strcmp(name, "encoder-sine") == 0)
        return encoder_sine(b), true;
    if (strcmp(name, "seq2seq-bahdanau") == 0)
        return seq2seq(b), true;
    if (sscanf(name, "gpt-d%d-l%d%n", &n, &k, &used) == 2 && k >= 1 && k <= 4) {
        int steps = 64, v = 64;
        sscanf(name + used, "-t%d-v%d", &steps, &v);
        return gpt(b, n, k, steps, v), true;
    }
    if (sscanf(name, "attn-fwd-T%d", &n) == 1)
        return attention_forward(b, n), true;
    if (sscanf(name, "sgemm-%dx%dx%d-%2s", &m, &n, &k, turned) >= 3)
        return product(b, m, n, k, (turned[0] == 't') + 2 * (turned[0] && turned[1] == 't')), true;
    return false;
}

static const char *const names[] = {"rnn-sine",
                                    "gru-sine",
                                    "lstm-sine",
                                    "rnn-lm",
                                    "gru-lm",
                                    "lstm-lm",
                                    "encoder-sine",
                                    "gpt-d64-l2",
                                    "gpt-d128-l4",
                                    "seq2seq-bahdanau",
                                    "attn-fwd-T64",
                                    "attn-fwd-T256",
                                    "attn-fwd-T1024",
                                    "sgemm-16x16x16",
                                    "sgemm-32x32x32",
                                    "sgemm-64x64x64",
                                    "sgemm-128x128x128",
                                    "sgemm-256x256x256",
                                    "sgemm-512x512x512",
                                    "sgemm-1024x1024x1024",
                                    "sgemm-20x20x8-nt",
                                    "sgemm-20x8x20",
                                    "sgemm-20x8x20-tn",
                                    "sgemm-20x20x32-nt",
                                    "sgemm-64x8x64",
                                    "sgemm-33x70x100",
                                    "sgemm-64x64x16-nt",
                                    "sgemm-64x16x64",
                                    "sgemm-64x16x64-tn",
                                    "sgemm-32x256x64",
                                    "sgemm-32x512x128",
                                    "sgemm-640x128x32",
                                    "sgemm-640x32x128",
                                    "sgemm-2048x64x64",
                                    "sgemm-2048x256x64",
                                    "sgemm-2048x64x256-nt",
                                    "sgemm-1600x200x128",
                                    "sgemm-64x256x2048-tn",
                                    "sgemm-128x512x2048-tn",
                                    NULL};

static double seconds_of(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

enum { MOST_ROUNDS = 2000, FEWEST_ROUNDS = 20 };

static void measure(Bench *b, const char *name, double seconds)
{
    double wall[MOST_ROUNDS], cpu[MOST_ROUNDS], end = seconds_of(CLOCK_MONOTONIC) + seconds;
    real first = b->step(b), last = first;
    for (int i = 0; i < 4; i++)
        b->step(b);
    int n = 0;
    for (; n < FEWEST_ROUNDS || (n < MOST_ROUNDS && seconds_of(CLOCK_MONOTONIC) < end); n++) {
        double w = seconds_of(CLOCK_MONOTONIC), c = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
        last = b->step(b);
        cpu[n] = (seconds_of(CLOCK_PROCESS_CPUTIME_ID) - c) * 1e3 / b->inner;
        wall[n] = (seconds_of(CLOCK_MONOTONIC) - w) * 1e3 / b->inner;
    }
    qsort(wall, n, sizeof *wall, ascending);
    qsort(cpu, n, sizeof *cpu, ascending);
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    printf("%s course-%dt wall %.7f min %.7f max %.7f cpu %.7f gflop %.6f rss %.0f loss %.4f %.4f\n", name, b->threads,
           wall[n / 2], wall[0], wall[n - 1], cpu[n / 2], b->flop * 1e-9, (double)usage.ru_maxrss / 1024, (double)first,
           (double)last);
}

int main(int argc, char **argv)
{
    Bench bench = {.inner = 1};
    if (argc == 2 && strcmp(argv[1], "--list") == 0) {
        for (int i = 0; names[i]; i++)
            puts(names[i]);
        return 0;
    }
    bench.threads = argc > 2 ? atoi(argv[2]) : 1;
    if (argc < 2 || argc > 4 || bench.threads < 1 || !build(&bench, argv[1])) {
        fprintf(stderr, "usage: course --list | WORKLOAD [THREADS [SECONDS]]\n");
        return 2;
    }
    measure(&bench, argv[1], argc > 3 ? strtod(argv[3], NULL) : 2);
    return 0;
}
