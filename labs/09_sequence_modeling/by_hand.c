/* Step 2. One forward step of each network with numbers for paper, and one way back. */
#include <math.h>

#include "maths.h"
#include "measure.h"
#include "modeling.h"

/* Three values of a wave with f = pi/3, and the one that comes next. */
enum { T = 3, UNITS = 2 };
static const real wave[T] = {0, (real)0.866, (real)0.866};
#define NEXT 0

static void show(Lab *lab, const Tensor *tensor, const char *equation)
{
    trace_vector(lab->trace, tensor->where, equation, tensor->data, (int)tensor->size, NULL, 4);
}

static void show_matrix(Lab *lab, const Tensor *tensor, const char *name)
{
    trace_matrix(lab->trace, tensor->where, name, tensor->data, tensor_rows(tensor), tensor_columns(tensor), NULL, NULL,
                 4);
}

/* ---- RNN: forward and backward ------------------------------------------------------ */

typedef struct {
    Tensor *W_x, *W_h, *b, *w, *x[T], *h[T + 1], *a[T], *y; /* index t of h is time t */
} Tiny;

/* h_t = tanh(x_t W_x + h_{t-1} W_h + b)      y = h_3 w */
static Tiny tiny_rnn(Tape *tape)
{
    static const real W_x[] = {1, (real)-0.5}, W_h[] = {(real)0.5, (real)0.25, (real)-1, (real)0.5};
    static const real b[] = {0, (real)0.1}, w[] = {1, (real)0.5}, zero[] = {0, 0};
    Tiny n = {0};
    n.W_x = tape_variable(tape, "W_x", SHAPE(1, UNITS), W_x);
    n.W_h = tape_variable(tape, "W_h", SHAPE(UNITS, UNITS), W_h);
    n.b = tape_variable(tape, "b", SHAPE(UNITS), b);
    n.w = tape_variable(tape, "w", SHAPE(UNITS, 1), w);
    n.h[0] = tape_variable(tape, "h_0", SHAPE(1, UNITS), zero);
    for (int t = 0; t < T; t++) {
        n.x[t] = tape_input(tape, "x", SHAPE(1, 1), wave + t);
        n.a[t] = op_add(tape, op_add(tape, op_matmul(tape, n.x[t], n.W_x), op_matmul(tape, n.h[t], n.W_h)), n.b);
        n.h[t + 1] = op_tanh(tape, n.a[t]);
    }
    n.y = op_matmul(tape, n.h[T], n.w);
    return n;
}

/* dL/dy = 2 (y - target)   dL/dh_3 = dL/dy w^T   dL/da_t = dL/dh_t (1 - h_t^2)
 * dL/dW_h gets h_{t-1}^T dL/da_t from every step   dL/dh_{t-1} = dL/da_t W_h^T      */
static double rnn_backward(Lab *lab, Tape *tape, const Tiny *n)
{
    static const char *const da_name[T] = {"dL/da_1 = dL/dh_1 (1 - h_1^2)", "dL/da_2 = dL/dh_2 (1 - h_2^2)",
                                           "dL/da_3 = dL/dh_3 (1 - h_3^2)"};
    static const char *const dh_name[T] = {"dL/dh_1 = dL/da_2 W_h^T", "dL/dh_2 = dL/da_3 W_h^T", "dL/dh_3 = dL/dy w^T"};
    Tensor *target = tape_input(tape, "target", SHAPE(1, 1), (const real[]){NEXT});
    Tensor *one = tape_input(tape, "1", SHAPE(1, UNITS), (const real[]){1, 1}), *sum = NULL;
    Tensor *dy = op_scale(tape, op_subtract(tape, n->y, target), 2);
    show(lab, dy, "dL/dy = 2 (y - target)");
    Tensor *dh = op_matmul_transposed(tape, dy, n->w);
    for (int t = T - 1; t >= 0; t--) {
        show(lab, dh, dh_name[t]);
        Tensor *da = op_multiply(tape, dh, op_subtract(tape, one, op_multiply(tape, n->h[t + 1], n->h[t + 1])));
        show(lab, da, da_name[t]);
        Tensor *share = op_matmul(tape, op_transpose(tape, n->h[t], 0, 1), da);
        sum = sum ? op_add(tape, sum, share) : share;
        dh = op_matmul_transposed(tape, da, n->W_h);
    }
    show_matrix(lab, sum, "dL/dW_h = h_2^T dL/da_3 + h_1^T dL/da_2 + h_0^T dL/da_1");
    real by_hand[UNITS * UNITS];
    for (int i = 0; i < UNITS * UNITS; i++)
        by_hand[i] = sum->data[i];
    tape_backward(tape, op_mean_squared_error(tape, n->y, target));
    return largest_difference(by_hand, n->W_h->grad, UNITS * UNITS);
}

static void rnn(Lab *lab, Tape *tape)
{
    static const char *const a_name[T] = {"a_1 = x_1 W_x + h_0 W_h + b", "a_2 = x_2 W_x + h_1 W_h + b",
                                          "a_3 = x_3 W_x + h_2 W_h + b"};
    static const char *const h_name[T] = {"h_1 = tanh(a_1)", "h_2 = tanh(a_2)", "h_3 = tanh(a_3)"};
    Tiny n = tiny_rnn(tape);
    trace(lab->trace, "RNN (lab 03), two units. Three values of a wave with f = pi/3; the next one is 0.\n\n");
    trace_vector(lab->trace, HERE, "x_1 x_2 x_3", wave, T, NULL, 3);
    show(lab, n.W_x, "W_x");
    show_matrix(lab, n.W_h, "W_h");
    show(lab, n.b, "b");
    show(lab, n.w, "w");
    trace(lab->trace, "\n");
    for (int t = 0; t < T; t++) {
        show(lab, n.a[t], a_name[t]);
        show(lab, n.h[t + 1], h_name[t]);
    }
    show(lab, n.y, "y = h_3 w");
    trace(lab->trace, "\nThe loss is (y - target)^2, and the way back through the three steps:\n\n");
    double differs = rnn_backward(lab, tape, &n);
    trace(lab->trace, "\nThe tape finds the same dL/dW_h; largest difference %.1e\n", differs);
    claim(lab->claims, (Claim){.id = "way-back-by-hand",
                               .source = "backpropagation through time (lab 03)",
                               .statement = "the gradient written out over three steps is the tape's (difference)",
                               .measured = differs,
                               .test = AT_MOST,
                               .bound = 1e-6});
}

/* ---- LSTM and GRU: one step of one unit ----------------------------------------------- */

static real sigmoid(real x)
{
    return 1 / (1 + m_exp(-x));
}

/* One unit as a layer of nn: gates' weights of x, of h, and biases in the layer's order. */
static Recurrent one_unit(Parameters *p, CellKind kind, int gates, const real *of_x, const real *of_h, const real *bias,
                          Rng *overwritten)
{
    Recurrent layer = recurrent_new(p, "cell", kind, 1, 1, overwritten);
    for (int g = 0; g < gates; g++) {
        layer.input_weight->data[g] = of_x[g];
        layer.weight->data[g] = of_h[g];
        layer.bias->data[g] = bias[g];
    }
    if (layer.recurrent_bias)
        for (size_t g = 0; g < layer.recurrent_bias->size; g++)
            layer.recurrent_bias->data[g] = 0;
    return layer;
}

/* The layer's state after x, started at 0. */
static double layer_says(Tape *tape, const Recurrent *layer, const real *x, int steps)
{
    Tensor *in = tape_input(tape, "x", SHAPE(steps, 1, 1), x);
    return (double)recurrent(tape, layer, in, NULL, (Sequence){0})->data[steps - 1];
}

static double lstm(Lab *lab, Tape *tape, Parameters *p)
{
    const real wx[] = {1, (real)0.5, 1, (real)-0.5}, wh[] = {(real)0.5, 1, (real)0.5, 1}, b[] = {0, 1, 0, (real)0.5};
    real c = 0, h = 0;
    trace(lab->trace,
          "\nLSTM (lab 04), one unit, two steps: x = 0.866, 0.866. Weights of x, of h and biases in the order\n"
          "i f g o: (1 0.5 1 -0.5), (0.5 1 0.5 1), (0 1 0 0.5). c_0 = h_0 = 0.\n\n");
    for (int t = 1; t < T; t++) {
        real i = sigmoid(wx[0] * wave[t] + wh[0] * h + b[0]), f = sigmoid(wx[1] * wave[t] + wh[1] * h + b[1]);
        real g = m_tanh(wx[2] * wave[t] + wh[2] * h + b[2]), o = sigmoid(wx[3] * wave[t] + wh[3] * h + b[3]);
        c = f * c + i * g;
        h = o * m_tanh(c);
        trace_equation(lab->trace, HERE, "i = %.4f  f = %.4f  g = %.4f  o = %.4f", (double)i, (double)f, (double)g,
                       (double)o);
        trace(lab->trace, "    c_%d = f c_%d + i g = %.4f      h_%d = o tanh(c_%d) = %.4f\n", t, t - 1, (double)c, t, t,
              (double)h);
    }
    Rng rng = rng_new(1, "overwritten");
    Recurrent layer = one_unit(p, CELL_LSTM, 4, wx, wh, b, &rng);
    return fabs((double)h - layer_says(tape, &layer, wave + 1, 2));
}

static double gru(Lab *lab, Tape *tape, Parameters *p)
{
    const real wx[] = {1, (real)-0.5, 1}, wh[] = {(real)0.5, 1, (real)-0.5}, b[] = {0, 0, (real)0.1};
    real h = 0;
    trace(lab->trace, "\nGRU (lab 04), one unit, two steps. Weights of x, of h and biases in the order r z n:\n"
                      "(1 -0.5 1), (0.5 1 -0.5), (0 0 0.1). h_0 = 0.\n\n");
    for (int t = 1; t < T; t++) {
        real r = sigmoid(wx[0] * wave[t] + wh[0] * h + b[0]), z = sigmoid(wx[1] * wave[t] + wh[1] * h + b[1]);
        real n = m_tanh(wx[2] * wave[t] + b[2] + r * wh[2] * h);
        h = (1 - z) * n + z * h;
        trace_equation(lab->trace, HERE, "r = %.4f  z = %.4f  n = %.4f", (double)r, (double)z, (double)n);
        trace(lab->trace, "    h_%d = (1 - z) n + z h_%d = %.4f\n", t, t - 1, (double)h);
    }
    Rng rng = rng_new(1, "overwritten");
    Recurrent layer = one_unit(p, CELL_GRU, 3, wx, wh, b, &rng);
    return fabs((double)h - layer_says(tape, &layer, wave + 1, 2));
}

static void gated(Lab *lab, Tape *tape)
{
    Parameters *p = parameters_new();
    double differs = lstm(lab, tape, p);
    differs = fmax(differs, gru(lab, tape, p));
    claim(lab->claims, (Claim){.id = "gates-by-hand",
                               .source = "Hochreiter & Schmidhuber 1997; Cho 2014",
                               .statement = "LSTM and GRU by hand end where the library's layers end (difference)",
                               .measured = differs,
                               .test = AT_MOST,
                               .bound = 1e-6});
    parameters_free(p);
}

/* ---- convolution ----------------------------------------------------------------------- */

static void convolution(Lab *lab, Tape *tape)
{
    enum { LENGTH = 6 };
    static const real x[LENGTH] = {0, 1, 1, 0, -1, -1}, w[KERNEL] = {-1, 0, 1}; /* for x_{t-2}, x_{t-1}, x_t */
    Linear kernel = {tape_variable(tape, "kernel", SHAPE(KERNEL, 1), w),
                     tape_variable(tape, "bias", SHAPE(1), (const real[]){0})};
    trace(lab->trace,
          "\nCausal convolution: kernel, activation map, pooling. this kernel, y_t = x_t - x_{t-2} (with zeros\n"
          "before the start), asks how much the wave has risen over two steps.\n\n");
    Tensor *in = tape_input(tape, "x", SHAPE(1, LENGTH, 1), x), *y = causal_convolution(tape, &kernel, in);
    Tensor *map = op_relu(tape, y), *pooled = max_pool(tape, map);
    show(lab, in, "x");
    show(lab, kernel.weight, "kernel");
    show(lab, y, "y_t = sum_j kernel_j x_{t-2+j}");
    show(lab, map, "activation map = ReLU(y)");
    show(lab, pooled, "max pooling, two and two");
    double differs = 0;
    for (int t = 0; t < LENGTH; t++) {
        double sum = 0;
        for (int j = 0; j < KERNEL; j++)
            sum += t - 2 + j >= 0 ? (double)(w[j] * x[t - 2 + j]) : 0;
        differs = fmax(differs, fabs(sum - (double)y->data[t]));
    }
    claim(lab->claims, (Claim){.id = "convolution-by-hand",
                               .source = "y_t = sum_j w_j x_{t-2+j}",
                               .statement = "slices, side by side, times a matrix is a convolution (difference)",
                               .measured = differs,
                               .test = AT_MOST,
                               .bound = 1e-6});
}

/* ---- attention of the last position ----------------------------------------------------- */

static void transformer(Lab *lab, Tape *tape)
{
    real places[T * UNITS];
    positions_sinusoidal(places, T, UNITS);
    Tensor *x = tape_input(tape, "x", SHAPE(T, 1), wave);
    Tensor *W = tape_variable(tape, "W", SHAPE(1, UNITS), (const real[]){1, 0});
    Tensor *pe = tape_input(tape, "PE", SHAPE(T, UNITS), places), *e = op_matmul(tape, x, W), *h = op_add(tape, e, pe);
    Tensor *q = op_slice(tape, h, 0, T - 1, T); /* [1, 2] */
    Tensor *scores = op_scale(tape, op_matmul_transposed(tape, q, h), 1 / m_sqrt((real)UNITS));
    Tensor *weights = op_softmax(tape, scores, NULL), *seen = op_matmul(tape, weights, h);
    Tensor *gain = tape_input(tape, "gain", SHAPE(UNITS), (const real[]){1, 1});
    Tensor *bias = tape_input(tape, "bias", SHAPE(UNITS), (const real[]){0, 0});
    Tensor *a = op_add(tape, q, seen), *norm = op_layer_norm(tape, a, gain, bias, (real)1e-5);
    trace(lab->trace, "\nTransformer (labs 06 to 08), width 2, one head, Q = K = V = h: each value becomes a vector,\n"
                      "its place is added, and the last position looks at all.\n\n");
    show_matrix(lab, e, "x_t W, W = (1 0)");
    show_matrix(lab, pe, "PE: sin t, cos t (lab 07)");
    show_matrix(lab, h, "h_t = x_t W + PE(t)");
    show(lab, q, "q = h_3");
    show(lab, scores, "scores = q h^T / sqrt(2)");
    show(lab, weights, "weights = softmax(scores)");
    show(lab, seen, "what is seen = weights h");
    show(lab, a, "residual: h_3 + what is seen");
    show(lab, norm, "layer norm");
    trace(lab->trace,
          "\n(The norm of two numbers only says which is larger; of 32 it says more.) The FFN, a second residual\n"
          "and norm, and a last row of weights make the prediction.\n");
    double sum = 0;
    for (int t = 0; t < T; t++)
        sum += (double)weights->data[t];
    claim(lab->claims, (Claim){.id = "weights-by-hand",
                               .source = "softmax",
                               .statement = "the weights of the last position sum to 1",
                               .measured = sum,
                               .test = EQUALS,
                               .bound = 1,
                               .tolerance = 1e-6});
}

void step_by_hand(Lab *lab, void *state)
{
    (void)state;
    Tape *tape = tape_new(1);
    rnn(lab, tape);
    gated(lab, tape);
    convolution(lab, tape);
    transformer(lab, tape);
    tape_free(tape);
}
