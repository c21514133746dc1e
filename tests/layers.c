/* layers.c: recurrent layers, attention and Transformer blocks give PyTorch's
 * numbers and gradients. */
#include <math.h>

#include "fixture.h"
#include "nn.h"
#include "transformer.h"

/* Weights as variables, so that each test can make its layer of them. */
static Tensor *weight(Tape *tape, const Fixtures *f, const char *prefix, const char *part)
{
    return fixture_variable(tape, f, prefix, part);
}

/* The gradient of TENSOR is the fixture PREFIX + PART. */
static void compare_gradient(const Fixtures *f, const char *prefix, const char *part, const Tensor *tensor)
{
    fixture_compare(f, prefix, part, tensor->shape, tensor->grad);
}

static void backward_with_weights(Tape *tape, const Fixtures *f, const char *name, Tensor *y)
{
    Tensor *g = fixture_input(tape, f, name, ".g");
    tape_backward(tape, op_sum(tape, op_multiply(tape, y, g)));
}

/* ---- recurrent layers ---------------------------------------------------------- */

enum { MOST_WALKS = 2 };

static Recurrent cell_of(Tape *tape, const Fixtures *f, const char *prefix, CellKind kind)
{
    Recurrent cell = {.kind = kind};
    cell.input_weight = weight(tape, f, prefix, ".input_weight");
    cell.weight = weight(tape, f, prefix, ".weight");
    cell.bias = weight(tape, f, prefix, ".bias");
    if (kind == CELL_GRU)
        cell.recurrent_bias = weight(tape, f, prefix, ".recurrent_bias");
    cell.hidden = cell.weight->shape.dim[0];
    return cell;
}

static void compare_cell(const Fixtures *f, const char *prefix, const Recurrent *cell)
{
    compare_gradient(f, prefix, ".d_input_weight", cell->input_weight);
    compare_gradient(f, prefix, ".d_weight", cell->weight);
    compare_gradient(f, prefix, ".d_bias", cell->bias);
    if (cell->recurrent_bias)
        compare_gradient(f, prefix, ".d_recurrent_bias", cell->recurrent_bias);
}

/* Slice I of a [n, B, H] tensor of first states, as [B, H]. */
static Tensor *first_state(Tape *tape, Tensor *start, int i)
{
    int batch = start->shape.dim[1], hidden = start->shape.dim[2];
    return op_reshape(tape, op_slice(tape, start, 0, i, i + 1), SHAPE(batch, hidden));
}

/* One walk over X; an LSTM also needs its first cell, which recurrent() leaves at 0. */
static Tensor *walk(Tape *tape, const Recurrent *cell, Tensor *x, Tensor *h, Tensor *c, Sequence sequence)
{
    if (cell->kind != CELL_LSTM)
        return recurrent(tape, cell, x, h, sequence);
    Tensor *inputs = op_add(tape, op_matmul(tape, x, cell->input_weight), cell->bias);
    return op_lstm(tape, inputs, cell->weight, h, c, sequence, NULL);
}

/* PyTorch writes zeros beyond a row's end where the course carries the state. */
static void clear_padding(Tensor *y, const int *lengths)
{
    int steps = y->shape.dim[0], batch = y->shape.dim[1], width = y->shape.dim[2];
    for (int t = 0; lengths && t < steps; t++)
        for (int row = 0; row < batch; row++)
            if (t >= lengths[row])
                memset(y->data + ((size_t)t * batch + row) * width, 0, width * sizeof(real));
}

/* Either LAYERS on top of each other or two DIRECTIONS side by side. */
static void compare_recurrent(const Fixtures *f, const char *name, CellKind kind, int layers, int directions)
{
    Tape *tape = tape_new(1);
    Recurrent cell[MOST_WALKS];
    char prefix[MOST_WALKS][64];
    Tensor *x = weight(tape, f, name, ".x"), *start = weight(tape, f, name, ".start"), *y = x, *side[2];
    Tensor *start_cell = kind == CELL_LSTM ? weight(tape, f, name, ".start_cell") : NULL;
    int *lengths = fixture_find(f, name, ".lengths") ? fixture_ints(f, name, ".lengths") : NULL;
    for (int i = 0; i < layers * directions; i++) {
        snprintf(prefix[i], sizeof prefix[i], "%s.l%d%s", name, i / directions, i % directions ? "r" : "");
        cell[i] = cell_of(tape, f, prefix[i], kind);
        Tensor *h = first_state(tape, start, i), *c = start_cell ? first_state(tape, start_cell, i) : NULL;
        side[i % directions] = walk(tape, &cell[i], y, h, c, (Sequence){lengths, i % directions});
        if (i % directions == directions - 1)
            y = directions == 2 ? op_concat(tape, side, 2, 2) : side[0];
    }
    backward_with_weights(tape, f, name, y);
    clear_padding(y, lengths);
    fixture_compare(f, name, ".y", y->shape, y->data);
    compare_gradient(f, name, ".dx", x);
    compare_gradient(f, name, ".d_start", start);
    if (start_cell)
        compare_gradient(f, name, ".d_start_cell", start_cell);
    for (int i = 0; i < layers * directions; i++)
        compare_cell(f, prefix[i], &cell[i]);
    free(lengths);
    tape_free(tape);
}

START_TEST(recurrent_layers)
{
    Fixtures *f = fixtures_read("recurrent.txt");
    const struct {
        const char *name;
        CellKind kind;
    } kinds[] = {{"rnn", CELL_RNN}, {"lstm", CELL_LSTM}, {"gru", CELL_GRU}};
    for (int k = 0; k < 3; k++) {
        char name[64];
        compare_recurrent(f, kinds[k].name, kinds[k].kind, 1, 1);
        snprintf(name, sizeof name, "%s_lengths", kinds[k].name);
        compare_recurrent(f, name, kinds[k].kind, 1, 1);
        snprintf(name, sizeof name, "%s_bidirectional", kinds[k].name);
        compare_recurrent(f, name, kinds[k].kind, 1, 2);
        snprintf(name, sizeof name, "%s_stacked", kinds[k].name);
        compare_recurrent(f, name, kinds[k].kind, 2, 1);
    }
    fixtures_free(f);
}
END_TEST

/* ---- attention --------------------------------------------------------------- */

START_TEST(scaled_dot_products)
{
    Fixtures *f = fixtures_read("attention.txt");
    const char *names[] = {"attention", "attention_causal"};
    for (int i = 0; i < 2; i++) {
        Tape *tape = tape_new(1);
        Tensor *q = weight(tape, f, names[i], ".x0"), *k = weight(tape, f, names[i], ".x1");
        Tensor *v = weight(tape, f, names[i], ".x2");
        Tensor *y = scaled_dot_product_attention(tape, q, k, v, i ? mask_causal(tape, 4) : NULL, NULL);
        fixture_compare(f, names[i], ".y", y->shape, y->data);
        backward_with_weights(tape, f, names[i], y);
        compare_gradient(f, names[i], ".dx0", q);
        compare_gradient(f, names[i], ".dx1", k);
        compare_gradient(f, names[i], ".dx2", v);
        tape_free(tape);
    }
    fixtures_free(f);
}
END_TEST

static Linear linear_of(Tape *tape, const Fixtures *f, const char *prefix, const char *part)
{
    char text[64];
    snprintf(text, sizeof text, "%s.%s", prefix, part);
    return (Linear){weight(tape, f, text, ".weight"), weight(tape, f, text, ".bias")};
}

static void compare_linear(const Fixtures *f, const char *prefix, const char *part, const Linear *layer)
{
    char text[64];
    snprintf(text, sizeof text, "%s.%s", prefix, part);
    compare_gradient(f, text, ".d_weight", layer->weight);
    /* Adding the same to all keys moves no softmax: its true gradient is 0, and
     * both sides have rounding only. */
    if (strcmp(part, "k") == 0)
        for (size_t i = 0; i < layer->bias->size; i++)
            ck_assert_double_eq_tol((double)layer->bias->grad[i], 0, FIXTURE_TOLERANCE);
    else
        compare_gradient(f, text, ".d_bias", layer->bias);
}

static Attention attention_of(Tape *tape, const Fixtures *f, const char *prefix)
{
    return (Attention){.d = 6,
                       .heads = 2,
                       .query = linear_of(tape, f, prefix, "q"),
                       .key = linear_of(tape, f, prefix, "k"),
                       .value = linear_of(tape, f, prefix, "v"),
                       .output = linear_of(tape, f, prefix, "out")};
}

static void compare_attention(const Fixtures *f, const char *prefix, const Attention *layer)
{
    compare_linear(f, prefix, "q", &layer->query);
    compare_linear(f, prefix, "k", &layer->key);
    compare_linear(f, prefix, "v", &layer->value);
    compare_linear(f, prefix, "out", &layer->output);
}

START_TEST(multihead_self_attention)
{
    Fixtures *f = fixtures_read("attention.txt");
    const char *name = "multihead_causal";
    Tape *tape = tape_new(1);
    Attention layer = attention_of(tape, f, name);
    Tensor *x = weight(tape, f, name, ".x0"), *weights;
    Tensor *y = attention(tape, &layer, x, x, mask_causal(tape, 4), &weights);
    fixture_compare(f, name, ".y", y->shape, y->data);
    fixture_compare(f, name, ".weights", weights->shape, weights->data);
    backward_with_weights(tape, f, name, y);
    compare_gradient(f, name, ".dx0", x);
    compare_attention(f, name, &layer);
    tape_free(tape);
    fixtures_free(f);
}
END_TEST

START_TEST(multihead_cross_attention)
{
    Fixtures *f = fixtures_read("attention.txt");
    const char *name = "multihead_cross";
    Tape *tape = tape_new(1);
    Attention layer = attention_of(tape, f, name);
    Tensor *x = weight(tape, f, name, ".x0"), *memory = weight(tape, f, name, ".x1"), *weights;
    Tensor *mask = mask_padding(tape, (int[]){5, 3}, 2, 2, 3, 5, false);
    Tensor *y = attention(tape, &layer, x, memory, mask, &weights);
    fixture_compare(f, name, ".y", y->shape, y->data);
    fixture_compare(f, name, ".weights", weights->shape, weights->data);
    backward_with_weights(tape, f, name, y);
    compare_gradient(f, name, ".dx0", x);
    compare_gradient(f, name, ".dx1", memory);
    compare_attention(f, name, &layer);
    tape_free(tape);
    fixtures_free(f);
}
END_TEST

/* ---- Transformer blocks -------------------------------------------------------- */

static LayerNorm norm_of(Tape *tape, const Fixtures *f, const char *prefix, const char *part)
{
    char text[64];
    snprintf(text, sizeof text, "%s.%s", prefix, part);
    return (LayerNorm){weight(tape, f, text, ".gain"), weight(tape, f, text, ".bias")};
}

static void compare_norm(const Fixtures *f, const char *prefix, const char *part, const LayerNorm *layer)
{
    char text[64];
    snprintf(text, sizeof text, "%s.%s", prefix, part);
    compare_gradient(f, text, ".d_gain", layer->gain);
    compare_gradient(f, text, ".d_bias", layer->bias);
}

static void compare_encoder(const Fixtures *f, const char *name, bool pre_norm)
{
    Tape *tape = tape_new(1);
    char self[64];
    snprintf(self, sizeof self, "%s.attention", name);
    Block layer = {.settings = {.d = 6, .heads = 2, .feed_forward = 8, .gelu = true, .pre_norm = pre_norm},
                   .self = attention_of(tape, f, self),
                   .self_norm = norm_of(tape, f, name, "norm1"),
                   .feed_norm = norm_of(tape, f, name, "norm2"),
                   .inner = linear_of(tape, f, name, "up"),
                   .outer = linear_of(tape, f, name, "down")};
    Tensor *x = weight(tape, f, name, ".x0"), *y = block(tape, &layer, x, (BlockView){0});
    fixture_compare(f, name, ".y", y->shape, y->data);
    backward_with_weights(tape, f, name, y);
    compare_gradient(f, name, ".dx0", x);
    compare_attention(f, self, &layer.self);
    compare_norm(f, name, "norm1", &layer.self_norm);
    compare_norm(f, name, "norm2", &layer.feed_norm);
    compare_linear(f, name, "up", &layer.inner);
    compare_linear(f, name, "down", &layer.outer);
    tape_free(tape);
}

START_TEST(encoder_blocks)
{
    Fixtures *f = fixtures_read("attention.txt");
    compare_encoder(f, "encoder_post_norm", false);
    compare_encoder(f, "encoder_pre_norm", true);
    fixtures_free(f);
}
END_TEST

START_TEST(sinusoidal_positions)
{
    Fixtures *f = fixtures_read("attention.txt");
    real table[12 * 6];
    positions_sinusoidal(table, 12, 6);
    fixture_compare(f, "positions", "", SHAPE(12, 6), table);
    fixtures_free(f);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("layers");
    test_add(suite, "recurrent_layers", recurrent_layers);
    test_add(suite, "scaled_dot_products", scaled_dot_products);
    test_add(suite, "multihead_self_attention", multihead_self_attention);
    test_add(suite, "multihead_cross_attention", multihead_cross_attention);
    test_add(suite, "encoder_blocks", encoder_blocks);
    test_add(suite, "sinusoidal_positions", sinusoidal_positions);
    return test_run(suite);
}
