/* gradients.c: the derivative of every operation and every layer against central
 * differences, in the double build (a float's are off by percents).
 *
 * For loss L = sum of y times fixed random weights, plus the same once more with
 * other weights, and each number v that y depends on, backward's dL/dv is compared with the five-point difference
 *     (L(v - 2h) - 8 L(v - h) + 8 L(v + h) - L(v + 2h)) / 12h,   h = 0.001,
 * whose own error is of the order h^4 = 1e-12.  The relative error is
 *     |a - n| / max(|a|, |n|, FLOOR)
 * with FLOOR = 1e-3: losses are of the order 1 to 100 and pass through dozens of
 * operations, so their last digits are noise of about 1e-14 to 1e-13, which the
 * division by h makes 1e-11 to 1e-10: a derivative below 1e-3 cannot be told to
 * six digits this way.  (Typical ones are between 0.1 and 10.) */
#include <math.h>

#include "maths.h"
#include "memory.h"
#include "nn.h"
#include "test.h"
#include "transformer.h"

#define TOLERANCE 1e-6
#define FLOOR 1e-3
#define STEP 1e-3

/* x[0], x[1] ... are the tensors of the shapes listed; a layer adds its own
 * parameters behind them, which are checked too. */
enum { MOST_TENSORS = 9 };
typedef struct {
    Tape *tape;
    Parameters *parameters;
    Tensor **x;
    Linear linear;
    LayerNorm norm;
    Recurrent cell;
    Attention attention;
    Block block;
} Model;

typedef void Build(Model *m, Rng *rng);
typedef Tensor *Compute(Tape *tape, Tensor **x, Model *m);
typedef enum { NORMAL, POSITIVE, NOT_NEAR_ZERO } Values;

typedef struct {
    const char *covers; /* the public function */
    Compute *compute;
    int n;
    Shape shape[MOST_TENSORS];
    Values values;
    Build *build;
} Case;

#define GRADIENT_OF(name, ...)                                                                                         \
    static Tensor *name(Tape *tape, Tensor **x, Model *m)                                                              \
    {                                                                                                                  \
        (void)m;                                                                                                       \
        return __VA_ARGS__;                                                                                            \
    }

/* ---- what is computed -------------------------------------------------------- */

static Tensor *positions_table(Tape *tape, int positions, int d)
{
    Tensor *table = tape_input(tape, "turns", SHAPE(positions, d), NULL);
    positions_sinusoidal(table->data, positions, d);
    return table;
}

// clang-format off
GRADIENT_OF(add,           op_add(tape, x[0], x[1]))
GRADIENT_OF(add_itself,    op_add(tape, x[0], x[0]))
GRADIENT_OF(subtract,      op_subtract(tape, x[0], x[1]))
GRADIENT_OF(subtract_row,  op_subtract(tape, x[0], op_reshape(tape, op_slice(tape, x[0], 0, 0, 1), SHAPE(4))))
GRADIENT_OF(multiply,      op_multiply(tape, x[0], x[1]))
GRADIENT_OF(square,        op_multiply(tape, x[0], x[0]))
GRADIENT_OF(scale,         op_scale(tape, x[0], (real)-2.5))
GRADIENT_OF(tanh_,         op_tanh(tape, x[0]))
GRADIENT_OF(sigmoid,       op_sigmoid(tape, x[0]))
GRADIENT_OF(relu,          op_relu(tape, x[0]))
GRADIENT_OF(gelu,          op_gelu(tape, x[0]))
GRADIENT_OF(exp_,          op_exp(tape, x[0]))
GRADIENT_OF(log_,          op_log(tape, x[0]))
GRADIENT_OF(matmul,        op_matmul(tape, x[0], x[1]))
GRADIENT_OF(matmul_itself, op_matmul(tape, x[0], x[0]))
GRADIENT_OF(matmul_transposed,        op_matmul_transposed(tape, x[0], x[1]))
GRADIENT_OF(matmul_transposed_itself, op_matmul_transposed(tape, x[0], x[0]))
GRADIENT_OF(batched_matmul,           op_batched_matmul(tape, x[0], x[1]))
GRADIENT_OF(batched_matmul_transposed,        op_batched_matmul_transposed(tape, x[0], x[1]))
GRADIENT_OF(batched_matmul_transposed_itself, op_batched_matmul_transposed(tape, x[0], x[0]))
GRADIENT_OF(reshape,         op_reshape(tape, x[0], SHAPE(2, 2, 3)))
GRADIENT_OF(transpose_01,    op_transpose(tape, x[0], 0, 1))
GRADIENT_OF(transpose_31,    op_transpose(tape, x[0], 3, 1))
GRADIENT_OF(transpose_02,    op_transpose(tape, x[0], 0, 2))
GRADIENT_OF(transpose_22,    op_transpose(tape, x[0], 2, 2))
GRADIENT_OF(slice_first,     op_slice(tape, x[0], 0, 1, 2))
GRADIENT_OF(slice_middle,    op_slice(tape, x[0], 1, 1, 3))
GRADIENT_OF(slice_last,      op_slice(tape, x[0], 2, 0, 3))
GRADIENT_OF(concat_middle,   op_concat(tape, x, 3, 1))
GRADIENT_OF(concat_of_nine,  op_concat(tape, ((Tensor *[]){x[0], x[1], x[0], x[0], x[1], x[1], x[0], x[1], x[0]}), 9, 0))
GRADIENT_OF(embedding,       op_embedding(tape, x[0], (int[]){4, 0, 4, 2, 4, 1}, SHAPE(2, 3)))
GRADIENT_OF(sum,             op_sum(tape, x[0]))
GRADIENT_OF(mean,            op_mean(tape, x[0]))
GRADIENT_OF(softmax,         op_softmax(tape, x[0], NULL))
GRADIENT_OF(softmax_causal,  op_softmax(tape, x[0], mask_causal(tape, 4)))
GRADIENT_OF(softmax_row,     op_softmax(tape, x[0], tape_input(tape, "mask", SHAPE(4), (real[]){1, 0, 1, 1})))
GRADIENT_OF(softmax_nothing_allowed,
            op_softmax(tape, x[0], tape_input(tape, "mask", SHAPE(2, 3), (real[]){0, 0, 0, 1, 1, 0})))
GRADIENT_OF(layer_norm_op,   op_layer_norm(tape, x[0], x[1], x[2], (real)1e-5))
GRADIENT_OF(layer_norm_itself, op_layer_norm(tape, x[0], x[0], x[0], (real)0.1))
GRADIENT_OF(cross_entropy,   op_cross_entropy(tape, x[0], (int[]){0, -1, 4, 2, 2, -1}))
GRADIENT_OF(mean_squared_error, op_mean_squared_error(tape, x[0], x[1]))
GRADIENT_OF(rnn,             op_rnn(tape, x[0], x[1], x[2], (Sequence){0}))
GRADIENT_OF(rnn_reversed,    op_rnn(tape, x[0], x[1], NULL, (Sequence){(int[]){4, 2}, true}))
GRADIENT_OF(lstm,            op_lstm(tape, x[0], x[1], x[2], x[3], (Sequence){(int[]){4, 2}, false}, NULL))
GRADIENT_OF(lstm_reversed,   op_lstm(tape, x[0], x[1], x[2], NULL, (Sequence){(int[]){3, 4}, true}, NULL))
GRADIENT_OF(gru,             op_gru(tape, x[0], x[1], x[2], x[3], (Sequence){(int[]){4, 2}, false}))
GRADIENT_OF(gru_reversed,    op_gru(tape, x[0], x[1], x[2], NULL, (Sequence){(int[]){3, 4}, true}))
GRADIENT_OF(linear_op,       op_linear(tape, x[0], x[1], x[2], NULL))
GRADIENT_OF(linear_plus,     op_linear(tape, x[0], x[1], x[2], x[3]))
GRADIENT_OF(linear_itself,   op_linear(tape, x[0], x[0], x[1], x[0]))
GRADIENT_OF(feed_forward_gelu, op_feed_forward(tape, x[0], x[1], x[2], x[3], x[4], true, x[5]))
GRADIENT_OF(feed_forward_itself, op_feed_forward(tape, x[0], x[1], x[2], x[3], x[4], true, x[0]))
GRADIENT_OF(feed_forward_relu, op_feed_forward(tape, x[0], x[1], x[2], x[3], x[4], false, NULL))
GRADIENT_OF(attention_op,    op_attention(tape, x[0], x[1], x[2], NULL, 2))
GRADIENT_OF(attention_op_masked, op_attention(tape, x[0], x[1], x[1], mask_padding(tape, (int[]){2, 4}, 2, 2, 3, 4, false), 2))
GRADIENT_OF(attention_op_causal, op_attention(tape, x[0], x[0], x[0], mask_causal(tape, 40), 1))
GRADIENT_OF(rotary,          op_rotary(tape, x[0], positions_table(tape, 3, 4), 2))
GRADIENT_OF(linear_layer,    linear(tape, &m->linear, x[0]))
GRADIENT_OF(layer_norm_layer, layer_norm(tape, &m->norm, x[0]))
GRADIENT_OF(recurrent_layer, recurrent(tape, &m->cell, x[0], x[1], (Sequence){(int[]){3, 2}, false}))
GRADIENT_OF(dot_product,     scaled_dot_product_attention(tape, x[0], x[1], x[2], NULL, NULL))
GRADIENT_OF(self_attention,  attention(tape, &m->attention, x[0], x[0], mask_causal(tape, 3), NULL))
GRADIENT_OF(cross_attention, attention(tape, &m->attention, x[0], x[1],
                                       mask_padding(tape, (int[]){2, 4}, 2, 2, 3, 4, false), NULL))
// clang-format on

/* The same generator every time, so that the same elements are dropped. */
static Tensor *dropout(Tape *tape, Tensor **x, Model *m)
{
    (void)m;
    Rng rng = rng_new(3, "dropout");
    return op_dropout(tape, x[0], (real)0.4, &rng);
}

/* Hidden states and cells both count. */
static Tensor *lstm_cells(Tape *tape, Tensor **x, Model *m)
{
    (void)m;
    Tensor *cells, *states = op_lstm(tape, x[0], x[1], x[2], x[3], (Sequence){0}, &cells);
    return op_concat(tape, ((Tensor *[]){states, cells}), 2, 2);
}

static Tensor *dot_product_and_weights(Tape *tape, Tensor **x, Model *m)
{
    (void)m;
    Tensor *weights, *y = scaled_dot_product_attention(tape, x[0], x[0], x[0], mask_causal(tape, 3), &weights);
    return op_concat(tape, ((Tensor *[]){y, weights}), 2, 2);
}

static Tensor *encoder_block(Tape *tape, Tensor **x, Model *m)
{
    return block(tape, &m->block, x[0], (BlockView){0});
}

static Tensor *decoder_block(Tape *tape, Tensor **x, Model *m)
{
    Rng rng = rng_new(4, "dropout");
    BlockView view = {.mask = mask_causal(tape, 3), .memory = x[1], .dropout = &rng};
    return block(tape, &m->block, x[0], view);
}

static void build_linear(Model *m, Rng *rng)
{
    m->linear = linear_new(m->parameters, "linear", 4, 3, rng);
}

static void build_norm(Model *m, Rng *rng)
{
    (void)rng;
    m->norm = layer_norm_new(m->parameters, "norm", 4);
}

static void build_rnn(Model *m, Rng *rng)
{
    m->cell = recurrent_new(m->parameters, "rnn", CELL_RNN, 4, 3, rng);
}

static void build_lstm(Model *m, Rng *rng)
{
    m->cell = recurrent_new(m->parameters, "lstm", CELL_LSTM, 4, 3, rng);
}

static void build_gru(Model *m, Rng *rng)
{
    m->cell = recurrent_new(m->parameters, "gru", CELL_GRU, 4, 3, rng);
}

static void build_attention(Model *m, Rng *rng)
{
    m->attention = attention_new(m->parameters, "attention", 4, 2, rng);
}

static void build_encoder(Model *m, Rng *rng)
{
    m->block =
        block_new(m->parameters, "encoder", (BlockSettings){.d = 4, .heads = 2, .feed_forward = 6, .gelu = true}, rng);
}

static void build_decoder(Model *m, Rng *rng)
{
    BlockSettings settings = {
        .d = 4, .heads = 1, .feed_forward = 5, .gelu = true, .pre_norm = true, .cross = true, .dropout = (real)0.3};
    m->block = block_new(m->parameters, "decoder", settings, rng);
}

static const Case cases[] = {
    // clang-format off
    {"op_add",      add,          2, {SHAPE(2, 3, 4), SHAPE(2, 3, 4)}, NORMAL, NULL},
    {"op_add",      add,          2, {SHAPE(2, 3, 4), SHAPE(3, 4)}, NORMAL, NULL},
    {"op_add",      add,          2, {SHAPE(2, 3, 4), SHAPE(4)}, NORMAL, NULL},
    {"op_add",      add,          2, {SHAPE(2, 3), SCALAR}, NORMAL, NULL},
    {"op_add",      add_itself,   1, {SHAPE(2, 3)}, NORMAL, NULL},
    {"op_subtract", subtract,     2, {SHAPE(2, 3, 4), SHAPE(2, 3, 4)}, NORMAL, NULL},
    {"op_subtract", subtract,     2, {SHAPE(2, 3, 4), SHAPE(4)}, NORMAL, NULL},
    {"op_subtract", subtract_row, 1, {SHAPE(3, 4)}, NORMAL, NULL},
    {"op_multiply", multiply,     2, {SHAPE(2, 3, 4), SHAPE(2, 3, 4)}, NORMAL, NULL},
    {"op_multiply", multiply,     2, {SHAPE(2, 3, 4), SHAPE(3, 4)}, NORMAL, NULL},
    {"op_multiply", multiply,     2, {SHAPE(2, 3, 4), SCALAR}, NORMAL, NULL},
    {"op_multiply", square,       1, {SHAPE(3, 4)}, NORMAL, NULL},
    {"op_scale",    scale,        1, {SHAPE(3, 4)}, NORMAL, NULL},
    {"op_tanh",     tanh_,        1, {SHAPE(5, 7)}, NORMAL, NULL},
    {"op_sigmoid",  sigmoid,      1, {SHAPE(5, 7)}, NORMAL, NULL},
    {"op_relu",     relu,         1, {SHAPE(5, 7)}, NOT_NEAR_ZERO, NULL},
    {"op_gelu",     gelu,         1, {SHAPE(5, 7)}, NORMAL, NULL},
    {"op_exp",      exp_,         1, {SHAPE(5, 7)}, NORMAL, NULL},
    {"op_log",      log_,         1, {SHAPE(5, 7)}, POSITIVE, NULL},
    {"op_dropout",  dropout,      1, {SHAPE(5, 7)}, NORMAL, NULL},
    {"op_matmul",   matmul,       2, {SHAPE(3, 4), SHAPE(4, 5)}, NORMAL, NULL},
    {"op_matmul",   matmul,       2, {SHAPE(2, 3, 4), SHAPE(4, 5)}, NORMAL, NULL},
    {"op_matmul",   matmul,       2, {SHAPE(2, 1, 3, 4), SHAPE(4, 1)}, NORMAL, NULL},
    {"op_matmul",   matmul,       2, {SHAPE(4), SHAPE(4, 3)}, NORMAL, NULL},
    {"op_matmul",   matmul_itself, 1, {SHAPE(4, 4)}, NORMAL, NULL},
    {"op_matmul_transposed", matmul_transposed,        2, {SHAPE(3, 4), SHAPE(5, 4)}, NORMAL, NULL},
    {"op_matmul_transposed", matmul_transposed,        2, {SHAPE(2, 3, 4), SHAPE(5, 4)}, NORMAL, NULL},
    {"op_matmul_transposed", matmul_transposed_itself, 1, {SHAPE(3, 4)}, NORMAL, NULL},
    {"op_batched_matmul", batched_matmul, 2, {SHAPE(3, 2, 4), SHAPE(3, 4, 5)}, NORMAL, NULL},
    {"op_batched_matmul", batched_matmul, 2, {SHAPE(2, 3, 2, 4), SHAPE(2, 3, 4, 5)}, NORMAL, NULL},
    {"op_batched_matmul", batched_matmul, 2, {SHAPE(2, 4), SHAPE(4, 5)}, NORMAL, NULL},
    {"op_batched_matmul_transposed", batched_matmul_transposed,        2, {SHAPE(3, 2, 4), SHAPE(3, 5, 4)}, NORMAL, NULL},
    {"op_batched_matmul_transposed", batched_matmul_transposed,        2, {SHAPE(2, 3, 2, 4), SHAPE(2, 3, 5, 4)}, NORMAL, NULL},
    {"op_batched_matmul_transposed", batched_matmul_transposed_itself, 1, {SHAPE(2, 3, 4)}, NORMAL, NULL},
    {"op_reshape",   reshape,      1, {SHAPE(4, 3)}, NORMAL, NULL},
    {"op_transpose", transpose_01, 1, {SHAPE(2, 3)}, NORMAL, NULL},
    {"op_transpose", transpose_31, 1, {SHAPE(2, 3, 2, 4)}, NORMAL, NULL},
    {"op_transpose", transpose_02, 1, {SHAPE(2, 3, 4)}, NORMAL, NULL},
    {"op_transpose", transpose_22, 1, {SHAPE(2, 3, 4)}, NORMAL, NULL},
    {"op_slice",     slice_first,  1, {SHAPE(3, 3, 4)}, NORMAL, NULL},
    {"op_slice",     slice_middle, 1, {SHAPE(3, 3, 4)}, NORMAL, NULL},
    {"op_slice",     slice_last,   1, {SHAPE(3, 3, 4)}, NORMAL, NULL},
    {"op_concat",    concat_middle, 3, {SHAPE(2, 1, 3), SHAPE(2, 4, 3), SHAPE(2, 2, 3)}, NORMAL, NULL},
    {"op_concat",    concat_of_nine, 2, {SHAPE(2, 3), SHAPE(1, 3)}, NORMAL, NULL},
    {"op_embedding", embedding,    1, {SHAPE(5, 3)}, NORMAL, NULL},
    {"op_sum",       sum,          1, {SHAPE(4, 5)}, NORMAL, NULL},
    {"op_mean",      mean,         1, {SHAPE(4, 5)}, NORMAL, NULL},
    {"op_softmax",   softmax,      1, {SHAPE(2, 3, 4)}, NORMAL, NULL},
    {"op_softmax",   softmax,      1, {SHAPE(1)}, NORMAL, NULL},
    {"op_softmax",   softmax_causal, 1, {SHAPE(2, 2, 4, 4)}, NORMAL, NULL},
    {"op_softmax",   softmax_row,  1, {SHAPE(3, 4)}, NORMAL, NULL},
    {"op_softmax",   softmax_nothing_allowed, 1, {SHAPE(2, 2, 3)}, NORMAL, NULL},
    {"op_layer_norm", layer_norm_op, 3, {SHAPE(2, 3, 5), SHAPE(5), SHAPE(5)}, NORMAL, NULL},
    {"op_layer_norm", layer_norm_itself, 1, {SHAPE(5)}, NORMAL, NULL},
    {"op_cross_entropy", cross_entropy, 1, {SHAPE(6, 5)}, NORMAL, NULL},
    {"op_cross_entropy", cross_entropy, 1, {SHAPE(3, 2, 5)}, NORMAL, NULL},
    {"op_mean_squared_error", mean_squared_error, 2, {SHAPE(3, 4), SHAPE(3, 4)}, NORMAL, NULL},
    {"op_rnn",  rnn,           3, {SHAPE(4, 2, 3), SHAPE(3, 3), SHAPE(2, 3)}, NORMAL, NULL},
    {"op_rnn",  rnn_reversed,  2, {SHAPE(4, 2, 3), SHAPE(3, 3)}, NORMAL, NULL},
    {"op_lstm", lstm,          4, {SHAPE(4, 2, 12), SHAPE(3, 12), SHAPE(2, 3), SHAPE(2, 3)}, NORMAL, NULL},
    {"op_lstm", lstm_cells,    4, {SHAPE(4, 2, 12), SHAPE(3, 12), SHAPE(2, 3), SHAPE(2, 3)}, NORMAL, NULL},
    {"op_lstm", lstm_reversed, 3, {SHAPE(4, 2, 12), SHAPE(3, 12), SHAPE(2, 3)}, NORMAL, NULL},
    {"op_gru",  gru,           4, {SHAPE(4, 2, 9), SHAPE(3, 9), SHAPE(9), SHAPE(2, 3)}, NORMAL, NULL},
    {"op_gru",  gru_reversed,  3, {SHAPE(4, 2, 9), SHAPE(3, 9), SHAPE(9)}, NORMAL, NULL},
    {"op_linear", linear_op,     3, {SHAPE(2, 3, 4), SHAPE(4, 5), SHAPE(5)}, NORMAL, NULL},
    {"op_linear", linear_plus,   4, {SHAPE(3, 4), SHAPE(4, 5), SHAPE(5), SHAPE(3, 5)}, NORMAL, NULL},
    {"op_linear", linear_itself, 2, {SHAPE(4, 4), SHAPE(4)}, NORMAL, NULL},
    {"op_feed_forward", feed_forward_gelu,   6, {SHAPE(7, 3), SHAPE(3, 5), SHAPE(5), SHAPE(5, 4), SHAPE(4), SHAPE(7, 4)}, NORMAL, NULL},
    {"op_feed_forward", feed_forward_itself, 5, {SHAPE(2, 3, 4), SHAPE(4, 5), SHAPE(5), SHAPE(5, 4), SHAPE(4)}, NORMAL, NULL},
    {"op_feed_forward", feed_forward_relu,   5, {SHAPE(3, 2), SHAPE(2, 4), SHAPE(4), SHAPE(4, 2), SHAPE(2)}, NORMAL, NULL},
    {"op_attention", attention_op,        3, {SHAPE(2, 3, 4), SHAPE(2, 5, 4), SHAPE(2, 5, 6)}, NORMAL, NULL},
    {"op_attention", attention_op_masked, 2, {SHAPE(2, 3, 4), SHAPE(2, 4, 4)}, NORMAL, NULL},
    {"op_rotary", rotary, 1, {SHAPE(2, 3, 8)}, NORMAL, NULL},
    {"op_attention", attention_op_causal, 1, {SHAPE(40, 3)}, NORMAL, NULL},
    {"linear",     linear_layer,     1, {SHAPE(2, 3, 4)}, NORMAL, build_linear},
    {"layer_norm", layer_norm_layer, 1, {SHAPE(2, 3, 4)}, NORMAL, build_norm},
    {"recurrent",  recurrent_layer,  2, {SHAPE(3, 2, 4), SHAPE(2, 3)}, NORMAL, build_rnn},
    {"recurrent",  recurrent_layer,  2, {SHAPE(3, 2, 4), SHAPE(2, 3)}, NORMAL, build_lstm},
    {"recurrent",  recurrent_layer,  2, {SHAPE(3, 2, 4), SHAPE(2, 3)}, NORMAL, build_gru},
    {"scaled_dot_product_attention", dot_product, 3, {SHAPE(2, 3, 4), SHAPE(2, 5, 4), SHAPE(2, 5, 2)}, NORMAL, NULL},
    {"scaled_dot_product_attention", dot_product_and_weights, 1, {SHAPE(2, 3, 4)}, NORMAL, NULL},
    {"attention", self_attention,  1, {SHAPE(2, 3, 4)}, NORMAL, build_attention},
    {"attention", cross_attention, 2, {SHAPE(2, 3, 4), SHAPE(2, 4, 4)}, NORMAL, build_attention},
    {"block",     encoder_block,   1, {SHAPE(2, 3, 4)}, NORMAL, build_encoder},
    {"block",     decoder_block,   2, {SHAPE(2, 3, 4), SHAPE(2, 5, 4)}, NORMAL, build_decoder},
    // clang-format on
};
enum { CASES = sizeof cases / sizeof *cases };

/* ---- the check --------------------------------------------------------------- */

static real draw(Rng *rng, Values values)
{
    real x = rng_normal(rng);
    if (values == POSITIVE)
        return (real)0.2 + m_abs(x);
    if (values == NOT_NEAR_ZERO) /* a kink there: no derivative, and differences straddle it */
        return x < 0 ? x - (real)0.01 : x + (real)0.01;
    return x;
}

/* All of X are parameters of one set, followed by the layer's own. */
static Model model_new(const Case *c, Rng *rng)
{
    Model model = {.tape = tape_new(1), .parameters = parameters_new()};
    for (int i = 0; i < c->n; i++)
        parameter_zeros(model.parameters, "x", c->shape[i]);
    if (c->build)
        c->build(&model, rng);
    model.x = model.parameters->tensor;
    for (int i = 0; i < model.parameters->n; i++)
        for (size_t j = 0; j < model.x[i]->size; j++)
            model.x[i]->data[j] = draw(rng, c->values);
    return model;
}

/* sum of y times weights of a stream of its own. */
static Tensor *weighted_sum(const Case *c, Model *model, const char *stream)
{
    Tape *tape = model->tape;
    Tensor *y = c->compute(tape, model->x, model);
    Rng rng = rng_new(2, stream);
    Tensor *weights = tape_input(tape, "weights", y->shape, NULL);
    for (size_t i = 0; i < y->size; i++)
        weights->data[i] = rng_normal(&rng);
    return op_sum(tape, op_multiply(tape, y, weights));
}

/* Everything is computed twice from the same x: a backward that sets a gradient
 * where it should add to it is found. */
static Tensor *loss_of(const Case *c, Model *model)
{
    tape_rewind(model->tape);
    Tensor *first = weighted_sum(c, model, "first"), *second = weighted_sum(c, model, "second");
    return op_add(model->tape, first, second);
}

static double loss_at(const Case *c, Model *model, real *v, double value)
{
    *v = (real)value;
    return (double)loss_of(c, model)->data[0];
}

static double difference(const Case *c, Model *model, real *v)
{
    double at = (double)*v;
    double far_left = loss_at(c, model, v, at - 2 * STEP), left = loss_at(c, model, v, at - STEP);
    double right = loss_at(c, model, v, at + STEP), far_right = loss_at(c, model, v, at + 2 * STEP);
    *v = (real)at;
    return (far_left - 8 * left + 8 * right - far_right) / (12 * STEP);
}

/* The largest relative error over all numbers of one case. */
static double worst_error(const Case *c)
{
    Rng rng = rng_new(1, "gradients");
    Model model = model_new(c, &rng);
    Parameters *p = model.parameters;
    real *analytic = memory_new(parameters_count(p), sizeof(real), "gradients"), *next = analytic;
    double worst = 0, largest = 0;
    tape_backward(model.tape, loss_of(c, &model));
    for (int i = 0; i < p->n; next += p->tensor[i++]->size)
        memcpy(next, p->tensor[i]->grad, p->tensor[i]->size * sizeof(real));
    next = analytic;
    for (int i = 0; i < p->n; i++)
        for (size_t j = 0; j < p->tensor[i]->size; j++) {
            double a = (double)*next++, n = difference(c, &model, &p->tensor[i]->data[j]);
            worst = fmax(worst, fabs(a - n) / fmax(fmax(fabs(a), fabs(n)), FLOOR));
            largest = fmax(largest, fabs(a));
        }
    ck_assert_msg(largest > 0 || strcmp(c->covers, "op_softmax") == 0, "%s: all derivatives are 0", c->covers);
    free(analytic);
    parameters_free(p);
    tape_free(model.tape);
    return worst;
}

START_TEST(equal_central_differences)
{
    if (!REAL_IS_DOUBLE)
        return;
    double worst = 0;
    const char *where = "";
    for (int i = 0; i < CASES; i++) {
        double error = worst_error(&cases[i]);
        ck_assert_msg(error < TOLERANCE, "case %d, %s: the gradient is off by %.3g of its size", i, cases[i].covers,
                      error);
        if (error > worst) {
            worst = error;
            where = cases[i].covers;
        }
    }
    printf("gradients: %d cases, the largest relative error is %.2g (%s)\n", CASES, worst, where);
}
END_TEST

/* ---- nothing is left out ------------------------------------------------------- */

static int is_covered(const char *name, size_t length)
{
    for (int i = 0; i < CASES; i++)
        if (strlen(cases[i].covers) == length && strncmp(cases[i].covers, name, length) == 0)
            return 1;
    return 0;
}

/* How many functions HEADER declares as "Tensor *NAME(Tape *tape, ..."; each must
 * have a case here. */
static int covered_in(const char *header)
{
    char line[512], prefix[] = "Tensor *";
    int found = 0;
    FILE *file = fopen(header, "r");
    ck_assert_msg(file, "cannot open %s: run the tests from the root of the repository", header);
    while (fgets(line, sizeof line, file)) {
        const char *name = line + strlen(prefix), *end = strstr(line, "(Tape *tape");
        if (strncmp(line, prefix, strlen(prefix)) != 0 || !end)
            continue;
        if (strncmp(name, "mask_", 5) == 0) /* masks have no derivative */
            continue;
        ck_assert_msg(is_covered(name, (size_t)(end - name)), "%s: %.*s has no case in gradients.c", header,
                      (int)(end - name), name);
        found++;
    }
    fclose(file);
    return found;
}

START_TEST(every_operation_and_layer_has_a_case)
{
    ck_assert_int_ge(covered_in("common/ops.h"), 28);
    ck_assert_int_ge(covered_in("common/nn.h"), 3);
    ck_assert_int_ge(covered_in("common/transformer.h"), 3);
}
END_TEST

int main(void)
{
    if (!REAL_IS_DOUBLE)
        printf("gradients: central differences need the double build (make check runs it): skipped here\n");
    Suite *suite = suite_create("gradients");
    test_add(suite, "equal_central_differences", equal_central_differences);
    test_add(suite, "every_operation_and_layer_has_a_case", every_operation_and_layer_has_a_case);
    return test_run(suite);
}
