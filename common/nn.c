/* nn.c: parameters and layers. */
#define KEEP_CALLERS_LINE
#include "nn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels.h"
#include "maths.h"
#include "memory.h"

Parameters *parameters_new(void)
{
    Parameters *parameters = memory_new(1, sizeof *parameters, "the parameters");
    parameters->arena = arena_new();
    parameters->where = HERE;
    return parameters;
}

void parameters_free(Parameters *parameters)
{
    if (!parameters)
        return;
    arena_free(parameters->arena);
    free(parameters->tensor);
    free(parameters);
}

Parameters *(parameters_at)(Parameters *parameters, const char *file, int line)
{
    parameters->where = (Where){file, line};
    return parameters;
}

size_t parameters_count(const Parameters *parameters)
{
    size_t count = 0;
    for (int i = 0; i < parameters->n; i++)
        count += parameters->tensor[i]->size;
    return count;
}

uint64_t parameters_hash(const Parameters *parameters)
{
    uint64_t hash = 0xcbf29ce484222325;
    for (int i = 0; i < parameters->n; i++) {
        const unsigned char *bytes = (const unsigned char *)parameters->tensor[i]->data;
        for (size_t j = 0; j < parameters->tensor[i]->size * sizeof(real); j++)
            hash = (hash ^ bytes[j]) * 0x100000001b3;
    }
    return hash;
}

Tensor *(parameter_constant)(Parameters *parameters, const char *name, Shape shape, real value)
{
    size_t size = strlen(name) + 1;
    char *own_name = memcpy(arena_get(parameters->arena, size), name, size);
    Tensor *tensor = tensor_new(parameters->arena, own_name, shape, parameters->where);
    tensor_want_gradient(parameters->arena, tensor);
    for (size_t i = 0; i < tensor->size; i++)
        tensor->data[i] = value;
    if (parameters->n == parameters->capacity) {
        parameters->capacity = parameters->capacity ? 2 * parameters->capacity : 16;
        parameters->tensor = memory_resize(parameters->tensor, parameters->capacity,
                                           sizeof *parameters->tensor, // NOLINT(bugprone-sizeof-expression): pointers
                                           "the parameters");
    }
    return parameters->tensor[parameters->n++] = tensor;
}

Tensor *(parameter_zeros)(Parameters *parameters, const char *name, Shape shape)
{
    return parameter_constant(parameters, name, shape, 0);
}

Tensor *(parameter_normal)(Parameters *parameters, const char *name, Shape shape, real sd, Rng *rng)
{
    Tensor *tensor = parameter_zeros(parameters, name, shape);
    for (size_t i = 0; i < tensor->size; i++)
        tensor->data[i] = sd * rng_normal(rng);
    return tensor;
}

Tensor *(parameter_uniform)(Parameters *parameters, const char *name, Shape shape, real limit, Rng *rng)
{
    Tensor *tensor = parameter_zeros(parameters, name, shape);
    for (size_t i = 0; i < tensor->size; i++)
        tensor->data[i] = rng_between(rng, -limit, limit);
    return tensor;
}

Tensor *(parameter_glorot)(Parameters *parameters, const char *name, Shape shape, Rng *rng)
{
    Tensor like = {.shape = shape};
    real limit = m_sqrt(6 / (real)(tensor_rows(&like) + tensor_columns(&like)));
    return parameter_uniform(parameters, name, shape, limit, rng);
}

/* Row i less its part along each earlier row, then scaled to GAIN. */
static void orthogonalise_row(real *matrix, int n, int i, real gain)
{
    real *row = matrix + (size_t)i * n;
    for (int pass = 0; pass < 2; pass++) /* the second removes what rounding left */
        for (int j = 0; j < i; j++) {
            const real *other = matrix + (size_t)j * n;
            kernel_axpy(n, -kernel_dot(row, other, n) / (gain * gain), other, row);
        }
    real scale = gain / m_sqrt(kernel_dot(row, row, n));
    for (int k = 0; k < n; k++)
        row[k] *= scale;
}

Tensor *(parameter_orthogonal)(Parameters *parameters, const char *name, int n, real gain, Rng *rng)
{
    Tensor *tensor = parameter_normal(parameters, name, SHAPE(n, n), 1, rng);
    for (int i = 0; i < n; i++)
        orthogonalise_row(tensor->data, n, i, gain);
    return tensor;
}

enum { NAME_MAX_LENGTH = 128 };

/* "NAME.PART"; the parameter keeps a copy. */
static const char *part_name(char text[NAME_MAX_LENGTH], const char *name, const char *part)
{
    snprintf(text, NAME_MAX_LENGTH, "%s.%s", name, part);
    return text;
}

Linear(linear_new)(Parameters *parameters, const char *name, int in, int out, Rng *rng)
{
    char text[NAME_MAX_LENGTH];
    Linear layer;
    layer.weight = parameter_glorot(parameters, part_name(text, name, "weight"), SHAPE(in, out), rng);
    layer.bias = parameter_zeros(parameters, part_name(text, name, "bias"), SHAPE(out));
    return layer;
}

Tensor *(linear)(Tape *tape, const Linear *layer, Tensor *x)
{
    return op_linear(tape, x, layer->weight, layer->bias, NULL);
}

LayerNorm(layer_norm_new)(Parameters *parameters, const char *name, int d)
{
    char text[NAME_MAX_LENGTH];
    LayerNorm layer;
    layer.gain = parameter_constant(parameters, part_name(text, name, "gain"), SHAPE(d), 1);
    layer.bias = parameter_zeros(parameters, part_name(text, name, "bias"), SHAPE(d));
    return layer;
}

Tensor *(layer_norm)(Tape *tape, const LayerNorm *layer, Tensor *x)
{
    return op_layer_norm(tape, x, layer->gain, layer->bias, (real)1e-5);
}

static int gates_of(CellKind kind)
{
    return kind == CELL_RNN ? 1 : kind == CELL_LSTM ? 4 : 3;
}

Recurrent(recurrent_new)(Parameters *parameters, const char *name, CellKind kind, int in, int hidden, Rng *rng)
{
    char text[NAME_MAX_LENGTH];
    int gates = gates_of(kind) * hidden;
    real limit = 1 / m_sqrt((real)hidden);
    Recurrent layer = {.kind = kind, .hidden = hidden};
    layer.input_weight =
        parameter_uniform(parameters, part_name(text, name, "input_weight"), SHAPE(in, gates), limit, rng);
    layer.weight = parameter_uniform(parameters, part_name(text, name, "weight"), SHAPE(hidden, gates), limit, rng);
    layer.bias = parameter_uniform(parameters, part_name(text, name, "bias"), SHAPE(gates), limit, rng);
    if (kind == CELL_GRU)
        layer.recurrent_bias =
            parameter_uniform(parameters, part_name(text, name, "recurrent_bias"), SHAPE(gates), limit, rng);
    return layer;
}

Tensor *(recurrent)(Tape *tape, const Recurrent *layer, Tensor *x, Tensor *start, Sequence sequence)
{
    Tensor *inputs = tape_passing(op_linear(tape, x, layer->input_weight, layer->bias, NULL));
    if (layer->kind == CELL_RNN)
        return op_rnn(tape, inputs, layer->weight, start, sequence);
    if (layer->kind == CELL_LSTM)
        return op_lstm(tape, inputs, layer->weight, start, NULL, sequence, NULL);
    return op_gru(tape, inputs, layer->weight, layer->recurrent_bias, start, sequence);
}

void recurrent_set_bias(const Recurrent *layer, Gate gate, real value)
{
    if ((int)gate >= gates_of(layer->kind))
        die_misuse(HERE, "recurrent_set_bias: '%s' has no gate %d", layer->bias->name, (int)gate);
    for (int j = 0; j < layer->hidden; j++) {
        layer->bias->data[(size_t)gate * layer->hidden + j] = value;
        if (layer->recurrent_bias)
            layer->recurrent_bias->data[(size_t)gate * layer->hidden + j] = 0;
    }
}
