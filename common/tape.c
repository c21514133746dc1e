/* tape.c: a list of operations, run backwards. */
#include "tape.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"

struct Tape {
    Arena *arena;
    Node *last;
    Where where;
    bool record;
    int threads;
};

Tape *tape_new(int threads)
{
    Tape *tape = memory_new(1, sizeof *tape, "a tape");
    tape->arena = arena_new();
    tape->record = true;
    tape->threads = threads;
    tape->where = HERE;
    return tape;
}

void tape_free(Tape *tape)
{
    if (!tape)
        return;
    arena_free(tape->arena);
    free(tape);
}

void tape_rewind(Tape *tape)
{
    arena_rewind(tape->arena);
    tape->last = NULL;
}

void tape_record(Tape *tape, bool on)
{
    tape->record = on;
}

Arena *tape_arena(Tape *tape)
{
    return tape->arena;
}

int tape_threads(const Tape *tape)
{
    return tape->threads;
}

Tape *(tape_at)(Tape *tape, const char *file, int line)
{
    tape->where = (Where){file, line};
    return tape;
}

Where tape_where(const Tape *tape)
{
    return tape->where;
}

Tensor *tape_output(Tape *tape, const char *name, Shape shape)
{
    return tensor_new(tape->arena, name, shape, tape->where);
}

Tensor *(tape_input)(Tape *tape, const char *name, Shape shape, const real *data)
{
    Tensor *tensor = tape_output(tape, name, shape);
    if (data)
        memcpy(tensor->data, data, tensor->size * sizeof(real));
    else
        memset(tensor->data, 0, tensor->size * sizeof(real));
    return tensor;
}

Tensor *(tape_variable)(Tape *tape, const char *name, Shape shape, const real *data)
{
    Tensor *tensor = (tape_input)(tape, name, shape, data);
    tensor_want_gradient(tape->arena, tensor);
    return tensor;
}

Node *tape_add(Tape *tape, const char *operation, BackwardFunction *backward, Tensor *output, Tensor *const *inputs,
               int n)
{
    bool wanted = false;
    for (int i = 0; i < n; i++)
        wanted |= inputs[i] && inputs[i]->grad;
    if (!wanted || !tape->record)
        return NULL;
    output->grad = arena_get(tape->arena, output->size * sizeof(real));
    Node *node = arena_get(tape->arena, sizeof *node);
    *node =
        (Node){.operation = operation, .backward = backward, .output = output, .tape = tape, .previous = tape->last};
    if (n <= MOST_INPUTS) {
        memcpy(node->input, inputs, n * sizeof *inputs);
    } else {
        node->more_inputs = arena_get(tape->arena, (n + 1) * sizeof *inputs);
        memcpy(node->more_inputs, inputs, n * sizeof *inputs);
        node->more_inputs[n] = NULL;
    }
    return tape->last = node;
}

void tape_second_output(Node *node, Tensor *output)
{
    output->grad = arena_get(node->tape->arena, output->size * sizeof(real));
    node->second_output = output;
}

/* Calls VISIT for each tensor that NODE wrote or read. */
static void each_tensor(Node *node, void (*visit)(Tensor *tensor))
{
    visit(node->output);
    if (node->second_output)
        visit(node->second_output);
    for (int i = 0; i < MOST_INPUTS; i++)
        if (node->input[i])
            visit(node->input[i]);
    for (Tensor **input = node->more_inputs; input && *input; input++)
        visit(*input);
}

Part gradient_part(Tensor *tensor)
{
    Part part = {tensor->grad, tensor->reached};
    if (part.at) /* a tensor without gradient may be another thread's too: it is not touched */
        tensor->reached = 1;
    return part;
}

real *gradient_sum(Tensor *tensor)
{
    Part part = gradient_part(tensor);
    if (part.at && !part.add)
        memset(part.at, 0, tensor->size * sizeof(real));
    return part.at;
}

static void clear_unreached(Tensor *tensor)
{
    if (tensor->grad && !tensor->reached)
        gradient_sum(tensor);
}

static void forget_reached(Tensor *tensor)
{
    if (tensor->grad)
        tensor->reached = 0;
}

/* The chain rule through NODE, unless the loss does not depend on what it made. */
static void go_back(Node *node)
{
    bool second = node->second_output && node->second_output->reached;
    if (!node->output->reached && !second)
        return;
    clear_unreached(node->output);
    if (node->second_output)
        clear_unreached(node->second_output);
    node->backward(node);
}

static bool is_finite(const Tensor *tensor)
{
    for (size_t i = 0; i < tensor->size; i++)
        if (!isfinite(tensor->data[i]))
            return false;
    return true;
}

const Tensor *tape_first_nonfinite(const Tape *tape)
{
    const Tensor *first = NULL; /* nodes are visited from the last back: the last one found is the first */
    for (Node *node = tape->last; node; node = node->previous) {
        if (!is_finite(node->output))
            first = node->output;
        if (node->second_output && !is_finite(node->second_output))
            first = node->second_output;
        for (Tensor **input = node->more_inputs; input && *input; input++)
            if (!is_finite(*input))
                first = *input;
        for (int i = MOST_INPUTS - 1; i >= 0; i--)
            if (node->input[i] && !is_finite(node->input[i]))
                first = node->input[i];
    }
    return first;
}

static _Noreturn void die_nonfinite(const Tape *tape, const Tensor *loss)
{
    const Tensor *bad = tape_first_nonfinite(tape);
    if (!bad)
        bad = loss;
    die_misuse(bad->where,
               "the loss is %g: the first tensor with a number that is not finite is '%s'; "
               "a smaller learning rate or clipping of the gradient usually helps",
               (double)loss->data[0], bad->name);
}

void(tape_backward)(Tape *tape, Tensor *loss)
{
    char shape[SHAPE_TEXT];
    if (loss->size != 1)
        die_misuse(tape->where, "tape_backward: the loss '%s' must be one number, its shape is %s", loss->name,
                   shape_text(loss->shape, shape));
    if (!tape->last || !loss->grad)
        die_misuse(tape->where, "tape_backward: '%s' does not depend on any tensor that wants a gradient", loss->name);
    if (!isfinite(loss->data[0]))
        die_nonfinite(tape, loss);
    *gradient_sum(loss) = 1;
    for (Node *node = tape->last; node; node = node->previous)
        go_back(node);
    for (Node *node = tape->last; node; node = node->previous)
        each_tensor(node, clear_unreached);
    for (Node *node = tape->last; node; node = node->previous)
        each_tensor(node, forget_reached);
}
