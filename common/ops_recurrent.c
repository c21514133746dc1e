/* ops_recurrent.c: whole sequences through a recurrent cell, in one operation.
 *
 * A step of a small network is a few microseconds of arithmetic, less than the
 * overhead of a dozen small operations; so the loop over time stands here, the
 * product of all inputs with their weights is done before it (by op_matmul),
 * and the gradient of the recurrent weights after it, each as one big product.
 * tests/recurrent.c shows that the results are those of the small operations.
 *
 * All three cells share the walk over time, forwards or reversed, with rows that
 * end early: where t is beyond a row's length its state is carried unchanged, so
 * that padding changes nothing. */
#include "ops.h"

#include <string.h>

#include "kernels.h"
#include "maths.h"
#include "parallel.h"
#include "weight_gradient.h"

typedef struct {
    int steps, batch, hidden, gates; /* T, B, H; columns of the gates: H, 4H or 3H */
    const int *lengths;              /* [B], or NULL: all rows have T steps */
    bool reverse;
    int threads;
    Tensor *inputs;   /* [T, B, gates]: x W_x + b */
    Tensor *weight;   /* [H, gates] */
    Tensor *bias;     /* GRU: [3H], added to h W_h; else NULL */
    Tensor *start;    /* [B, H] or NULL: zeros */
    Tensor *start_c;  /* LSTM: [B, H] or NULL */
    Tensor *cells;    /* LSTM: [T, B, H] */
    Tensor *output;   /* [T, B, H]: the hidden states */
    real *zeros;      /* [B, H] */
    real *activation; /* LSTM, GRU: [T, B, gates]: the gates after sigmoid and tanh */
    real *candidate;  /* GRU: [T, B, H]: h W_hn + b_hn */
} Walk;

static size_t state_size(const Walk *w)
{
    return (size_t)w->batch * w->hidden;
}

/* The time of the i-th step of the walk. */
static int time_of(const Walk *w, int i)
{
    return w->reverse ? w->steps - 1 - i : i;
}

/* The hidden states (or cells) that step i started from. */
static const real *before(const Walk *w, int i, const Tensor *states, const Tensor *start)
{
    if (i > 0)
        return states->data + (size_t)time_of(w, i - 1) * state_size(w);
    return start ? start->data : w->zeros;
}

static real *gradient_before(const Walk *w, int i, Tensor *states, Tensor *start)
{
    if (i > 0)
        return states->grad + (size_t)time_of(w, i - 1) * state_size(w);
    return start ? start->grad : NULL;
}

static bool ended(const Walk *w, int t, int row)
{
    return w->lengths && t >= w->lengths[row];
}

/* ---- the cells, one row of one step ------------------------------------------ */

/* h = tanh(a), where a stands */
static void rnn_row(int n, real *h)
{
    for (int j = 0; j < n; j++)
        h[j] = m_tanh(h[j]);
}

static void rnn_row_backward(int n, const real *restrict h, const real *restrict dh, real *restrict da)
{
    for (int j = 0; j < n; j++)
        da[j] = dh[j] * (1 - h[j] * h[j]);
}

/* i, f, g, o stand side by side in a (PyTorch's order):
 * c = f c_before + i g    h = o tanh(c) */
static void lstm_row(int n, real *restrict a, const real *restrict c_before, real *restrict c, real *restrict h)
{
    real *i = a, *f = a + n, *g = a + 2 * n, *o = a + 3 * n;
    for (int j = 0; j < 2 * n; j++)
        a[j] = m_sigmoid(a[j]);
    for (int j = 0; j < n; j++)
        g[j] = m_tanh(g[j]);
    for (int j = 0; j < n; j++)
        o[j] = m_sigmoid(o[j]);
    for (int j = 0; j < n; j++)
        c[j] = m_fma(f[j], c_before[j], i[j] * g[j]);
    for (int j = 0; j < n; j++)
        h[j] = o[j] * m_tanh(c[j]);
}

static void lstm_row_backward(int n, const real *restrict a, const real *restrict c_before, const real *restrict c,
                              const real *restrict dh, const real *restrict dc_out, real *restrict da,
                              real *restrict dc_before)
{
    const real *i = a, *f = a + n, *g = a + 2 * n, *o = a + 3 * n;
    for (int j = 0; j < n; j++) { /* da's first part keeps dc for the moment; short loops become vector code */
        real tanh_c = m_tanh(c[j]);
        da[j] = m_fma(dh[j] * o[j], 1 - tanh_c * tanh_c, dc_out[j]);
        da[3 * n + j] = dh[j] * tanh_c * o[j] * (1 - o[j]);
    }
    for (int j = 0, kept = dc_before ? n : 0; j < kept; j++)
        dc_before[j] = m_fma(da[j], f[j], dc_before[j]);
    for (int j = 0; j < n; j++) {
        real dc = da[j];
        da[j] = dc * g[j] * i[j] * (1 - i[j]);
        da[n + j] = dc * c_before[j] * f[j] * (1 - f[j]);
        da[2 * n + j] = dc * i[j] * (1 - g[j] * g[j]);
    }
}

/* r, z, n stand side by side in a; x is the input after its weights, x_t W_x + b_x, and u = h W_h + b_h (PyTorch's
 * form, cuDNN's v3):
 * r = sigmoid(x_r + u_r)  z = sigmoid(x_z + u_z)  n = tanh(x_n + r u_n)
 * h = (1 - z) n + z h_before.   candidate keeps u_n. */
static void gru_row(int size, const real *restrict x, const real *restrict u, real *restrict a,
                    const real *restrict h_before, real *restrict candidate, real *restrict h)
{
    real *r = a, *z = a + size, *n = a + 2 * size;
    for (int j = 0; j < 2 * size; j++)
        a[j] = m_sigmoid(x[j] + u[j]);
    for (int j = 0; j < size; j++) {
        candidate[j] = u[2 * size + j];
        n[j] = m_tanh(m_fma(r[j], candidate[j], x[2 * size + j]));
    }
    for (int j = 0; j < size; j++)
        h[j] = m_fma(z[j], h_before[j] - n[j], n[j]);
}

/* da: gradient of a;  du: gradient of u, which differs in the candidate only. */
static void gru_row_backward(int size, const real *restrict a, const real *restrict h_before,
                             const real *restrict candidate, const real *restrict dh, real *restrict da,
                             real *restrict du, real *restrict dh_before)
{
    const real *r = a, *z = a + size, *n = a + 2 * size;
    for (int j = 0; j < size; j++) {
        real dn = dh[j] * (1 - z[j]) * (1 - n[j] * n[j]);
        du[j] = da[j] = dn * candidate[j] * r[j] * (1 - r[j]);
        du[size + j] = da[size + j] = dh[j] * (h_before[j] - n[j]) * z[j] * (1 - z[j]);
        da[2 * size + j] = dn;
        du[2 * size + j] = dn * r[j];
    }
    for (int j = 0; j < size && dh_before; j++) /* a loop of its own, so that both become vector code */
        dh_before[j] = m_fma(dh[j], z[j], dh_before[j]);
}

/* ---- the walk over time ------------------------------------------------------ */

typedef enum { RNN, LSTM, GRU } Kind;

static void forward_row(const Walk *w, Kind kind, int i, int row, const real *u)
{
    int t = time_of(w, i), n = w->hidden;
    size_t place = (size_t)t * w->batch + row, at = place * n, gate = place * w->gates, from = (size_t)row * n;
    real *h = w->output->data + at;
    const real *h_before = before(w, i, w->output, w->start) + from;
    const real *c_before = kind == LSTM ? before(w, i, w->cells, w->start_c) + from : NULL;
    if (ended(w, t, row)) {
        memcpy(h, h_before, n * sizeof(real));
        if (kind == LSTM)
            memcpy(w->cells->data + at, c_before, n * sizeof(real));
    } else if (kind == RNN) {
        rnn_row(n, h);
    } else if (kind == LSTM) {
        lstm_row(n, w->activation + gate, c_before, w->cells->data + at, h);
    } else {
        gru_row(n, w->inputs->data + gate, u + (size_t)row * w->gates, w->activation + gate, h_before,
                w->candidate + at, h);
    }
}

/* W_h or its transpose, packed once where the products of several steps use it. */
static Strided weight_of(const Walk *w, bool turned, Arena *arena)
{
    enum { SEVERAL = 4 };
    int n = turned ? w->hidden : w->gates, k = turned ? w->gates : w->hidden;
    Strided weight = turned ? strided_transposed(w->weight->data, k) : strided(w->weight->data, n);
    if (w->steps < SEVERAL)
        return weight;
    return kernel_pack(n, k, weight, arena_get(arena, kernel_packed_size(n, k) * sizeof(real)));
}

/* A share of the batch, [first, last), which walks through time by itself. */
typedef struct {
    const Walk *w;
    Kind kind;
    real *u;        /* GRU, forward: h W_h + b, [B, gates] */
    Strided weight; /* on the way back its transpose */
    real *da, *du;
} Rows;

static void share_rows(int part, const Walk *w, int *first, int *last)
{
    *first = (int)((long)w->batch * part / w->threads);
    *last = (int)((long)w->batch * (part + 1) / w->threads);
}

/* a_t = x_t W_x + b + h_before W_h.  The GRU keeps the last product apart; the RNN's a_t is where its h_t will be. */
static void walk_forward_rows(int part, void *context)
{
    const Rows *rows = context;
    const Walk *w = rows->w;
    int first, last, gates = w->gates;
    share_rows(part, w, &first, &last);
    for (int i = 0; i < w->steps; i++) {
        size_t at = ((size_t)time_of(w, i) * w->batch + first) * gates;
        Strided h = strided(before(w, i, w->output, w->start) + (size_t)first * w->hidden, w->hidden);
        if (rows->kind == GRU)
            kernel_matmul_onto(last - first, gates, w->hidden, h, rows->weight, w->bias->data, 0,
                               rows->u + (size_t)first * gates, gates, 1);
        else
            kernel_matmul_onto(last - first, gates, w->hidden, h, rows->weight, w->inputs->data + at, gates,
                               (rows->kind == RNN ? w->output->data : w->activation) + at, gates, 1);
        for (int row = first; row < last; row++)
            forward_row(w, rows->kind, i, row, rows->u);
    }
}

static void walk_forward(const Walk *w, Kind kind, Arena *arena)
{
    ArenaMark mark = arena_mark(arena);
    Rows rows = {.w = w, .kind = kind, .weight = weight_of(w, false, arena)};
    if (kind == GRU)
        rows.u = arena_get(arena, (size_t)w->batch * w->gates * sizeof(real));
    parallel_for(w->threads, w->threads, walk_forward_rows, &rows);
    arena_release(arena, mark);
}

static void backward_row(const Walk *w, Kind kind, int i, int row, real *da, real *du)
{
    int t = time_of(w, i), n = w->hidden;
    size_t place = (size_t)t * w->batch + row, at = place * n, gate = place * w->gates, from = (size_t)row * n;
    const real *dh = w->output->grad + at;
    real *dh_before = gradient_before(w, i, w->output, w->start);
    real *dc_before = kind == LSTM ? gradient_before(w, i, w->cells, w->start_c) : NULL;
    dh_before = dh_before ? dh_before + from : NULL;
    dc_before = dc_before ? dc_before + from : NULL;
    if (ended(w, t, row)) {
        memset(da + gate, 0, w->gates * sizeof(real));
        memset(du + gate, 0, w->gates * sizeof(real));
        if (dh_before)
            kernel_axpy(n, 1, dh, dh_before);
        if (dc_before)
            kernel_axpy(n, 1, w->cells->grad + at, dc_before);
    } else if (kind == RNN) {
        rnn_row_backward(n, w->output->data + at, dh, da + gate);
    } else if (kind == LSTM) {
        lstm_row_backward(n, w->activation + gate, before(w, i, w->cells, w->start_c) + from, w->cells->data + at, dh,
                          w->cells->grad + at, da + gate, dc_before);
    } else {
        gru_row_backward(n, w->activation + gate, before(w, i, w->output, w->start) + from, w->candidate + at, dh,
                         da + gate, du + gate, dh_before);
    }
}

/* W_h' += h_before^T du over all times in their order: those that started from a hidden
 * state in one piece, and the one that started from the first state. */
static void recurrent_weight_gradient(const Walk *w, const real *du, Arena *arena)
{
    int steps = w->steps, batch = w->batch;
    const real *first = w->start ? w->start->data : w->zeros, *h = w->output->data;
    Part db = w->bias ? gradient_part(w->bias) : (Part){0};
    if (db.at)
        kernel_put_rows(steps * batch, w->gates, 1, du, db.at, db.add);
    WeightGradient dw = weight_gradient(w->weight, steps * batch, arena);
    if (!w->reverse || steps == 0)
        weight_gradient_add(&dw, steps > 0 ? batch : 0, first, du, w->threads);
    if (steps > 1)
        weight_gradient_add(&dw, (steps - 1) * batch, w->reverse ? h + state_size(w) : h,
                            w->reverse ? du : du + (size_t)batch * w->gates, w->threads);
    if (w->reverse && steps > 0)
        weight_gradient_add(&dw, batch, first, du + (size_t)(steps - 1) * batch * w->gates, w->threads);
    weight_gradient_end(&dw);
}

static void walk_backward_rows(int part, void *context)
{
    const Rows *rows = context;
    const Walk *w = rows->w;
    int first, last, gates = w->gates;
    share_rows(part, w, &first, &last);
    for (int i = w->steps - 1; i >= 0; i--) {
        real *dh_before = gradient_before(w, i, w->output, w->start);
        const real *du = rows->du + ((size_t)time_of(w, i) * w->batch + first) * gates;
        for (int row = first; row < last; row++)
            backward_row(w, rows->kind, i, row, rows->da, rows->du);
        if (dh_before)
            kernel_matmul(last - first, w->hidden, gates, strided(du, gates), rows->weight,
                          dh_before + (size_t)first * w->hidden, w->hidden, true, 1);
    }
}

static void walk_backward(Node *node, Kind kind)
{
    const Walk *w = node->saved;
    size_t step = (size_t)w->batch * w->gates, all = (size_t)w->steps * step;
    Rows rows = {.w = w, .kind = kind, .weight = weight_of(w, true, tape_arena(node->tape))};
    if (w->start)
        gradient_sum(w->start); /* cleared before the threads add to it */
    if (w->start_c)
        gradient_sum(w->start_c);
    Part inputs = gradient_part(w->inputs); /* where da belongs, if nothing is there yet */
    real *da = inputs.at && !inputs.add ? inputs.at : arena_get(tape_arena(node->tape), all * sizeof(real));
    real *du = kind == GRU ? arena_get(tape_arena(node->tape), all * sizeof(real)) : da;
    rows.da = da;
    rows.du = du;
    parallel_for(w->threads, w->threads, walk_backward_rows, &rows);
    if (inputs.at && inputs.add)
        kernel_axpy((int)all, 1, da, inputs.at);
    recurrent_weight_gradient(w, du, tape_arena(node->tape));
}

static void rnn_backward(Node *node)
{
    walk_backward(node, RNN);
}

static void lstm_backward(Node *node)
{
    walk_backward(node, LSTM);
}

static void gru_backward(Node *node)
{
    walk_backward(node, GRU);
}

/* ---- the operations ---------------------------------------------------------- */

static void check_shape(Tape *tape, const char *operation, const char *role, const Tensor *tensor, Shape wanted)
{
    char a[SHAPE_TEXT], b[SHAPE_TEXT];
    if (tensor && !shapes_equal(tensor->shape, wanted))
        die_misuse(tape_where(tape), "%s: the %s '%s' %s must have the shape %s", operation, role, tensor->name,
                   shape_text(tensor->shape, a), shape_text(wanted, b));
}

static Walk *walk_new(Tape *tape, const char *operation, int gates_per_unit, Tensor *inputs, Tensor *weight,
                      Tensor *bias, Tensor *start, Sequence sequence)
{
    char a[SHAPE_TEXT], b[SHAPE_TEXT];
    if (inputs->shape.rank != 3 || weight->shape.rank != 2 || inputs->shape.dim[2] != weight->shape.dim[1] ||
        weight->shape.dim[1] != gates_per_unit * weight->shape.dim[0])
        die_misuse(tape_where(tape), "%s: inputs '%s' %s must be [steps, batch, %d H] and weight '%s' %s [H, %d H]",
                   operation, inputs->name, shape_text(inputs->shape, a), gates_per_unit, weight->name,
                   shape_text(weight->shape, b), gates_per_unit);
    Walk *w = arena_get(tape_arena(tape), sizeof *w);
    *w = (Walk){.steps = inputs->shape.dim[0],
                .batch = inputs->shape.dim[1],
                .hidden = weight->shape.dim[0],
                .gates = weight->shape.dim[1],
                .reverse = sequence.reverse,
                .threads = tape_threads(tape),
                .inputs = inputs,
                .weight = weight,
                .bias = bias,
                .start = start};
    enum { WORTH_SHARING = 1 << 24 }; /* multiply-adds of one product over all steps */
    double work = (double)w->steps * w->batch * w->hidden * w->gates;
    w->threads = work < WORTH_SHARING || w->threads < 1 ? 1 : w->threads;
    w->threads = w->threads < w->batch ? w->threads : w->batch > 0 ? w->batch : 1;
    check_shape(tape, operation, "bias", bias, SHAPE(w->gates));
    check_shape(tape, operation, "first state", start, SHAPE(w->batch, w->hidden));
    if (sequence.lengths) {
        int *lengths = arena_get(tape_arena(tape), w->batch * sizeof *lengths);
        w->lengths = memcpy(lengths, sequence.lengths, w->batch * sizeof *lengths);
    }
    w->zeros = arena_get(tape_arena(tape), state_size(w) * sizeof(real));
    memset(w->zeros, 0, state_size(w) * sizeof(real));
    w->activation = gates_per_unit > 1 ? arena_get(tape_arena(tape), inputs->size * sizeof(real)) : NULL;
    w->output = tape_output(tape, operation, SHAPE(w->steps, w->batch, w->hidden));
    return w;
}

Tensor *(op_rnn)(Tape *tape, Tensor *inputs, Tensor *weight, Tensor *start, Sequence sequence)
{
    Walk *w = walk_new(tape, "op_rnn", 1, inputs, weight, NULL, start, sequence);
    Node *node = tape_add(tape, "op_rnn", rnn_backward, w->output, (Tensor *[]){inputs, weight, start}, 3);
    if (node)
        node->saved = w;
    walk_forward(w, RNN, tape_arena(tape));
    return w->output;
}

Tensor *(op_lstm)(Tape *tape, Tensor *inputs, Tensor *weight, Tensor *start, Tensor *start_cell, Sequence sequence,
                  Tensor **cells)
{
    Walk *w = walk_new(tape, "op_lstm", 4, inputs, weight, NULL, start, sequence);
    check_shape(tape, "op_lstm", "first cell", start_cell, SHAPE(w->batch, w->hidden));
    w->start_c = start_cell;
    w->cells = tape_output(tape, "op_lstm cells", w->output->shape);
    Node *node =
        tape_add(tape, "op_lstm", lstm_backward, w->output, (Tensor *[]){inputs, weight, start, start_cell}, 4);
    if (node) {
        node->saved = w;
        tape_second_output(node, w->cells);
    }
    walk_forward(w, LSTM, tape_arena(tape));
    if (cells)
        *cells = w->cells;
    return w->output;
}

Tensor *(op_gru)(Tape *tape, Tensor *inputs, Tensor *weight, Tensor *bias, Tensor *start, Sequence sequence)
{
    Walk *w = walk_new(tape, "op_gru", 3, inputs, weight, bias, start, sequence);
    w->candidate = arena_get(tape_arena(tape), w->output->size * sizeof(real));
    Node *node = tape_add(tape, "op_gru", gru_backward, w->output, (Tensor *[]){inputs, weight, bias, start}, 4);
    if (node)
        node->saved = w;
    walk_forward(w, GRU, tape_arena(tape));
    return w->output;
}
