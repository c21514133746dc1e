/* tape.c: a list of operations, run backwards. */
#include "tape.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"

/* What stands in the memory of a gradient that has been used, until another is put there. */
typedef struct Spare {
    size_t size; /* of the gradient, in numbers */
    struct Spare *next;
} Spare;

struct Tape {
    Arena *arena;
    Arena *gradients; /* of the operations' results */
    Spare *spare;
    Node *last;
    Where where;
    bool record;
    int threads;
};

Tape *tape_new(int threads)
{
    Tape *tape = memory_new(1, sizeof *tape, "a tape");
    tape->arena = arena_new();
    tape->gradients = arena_new();
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
    arena_free(tape->gradients);
    free(tape);
}

void tape_rewind(Tape *tape)
{
    arena_rewind(tape->arena);
    arena_rewind(tape->gradients);
    tape->spare = NULL;
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

static bool wants_gradient(const Tensor *tensor)
{
    return tensor->grad || tensor->tape;
}

Node *tape_add(Tape *tape, const char *operation, BackwardFunction *backward, Tensor *output, Tensor *const *inputs,
               int n)
{
    bool wanted = false;
    for (int i = 0; i < n; i++)
        wanted |= inputs[i] && wants_gradient(inputs[i]);
    if (!wanted || !tape->record)
        return NULL;
    output->tape = tape;
    Node *node = arena_get(tape->arena, sizeof *node);
    *node =
        (Node){.operation = operation, .backward = backward, .output = output, .tape = tape, .previous = tape->last};
    if (n <= MOST_INPUTS) {
        memcpy(node->input, inputs, n * sizeof *inputs); // NOLINT(bugprone-sizeof-expression): pointers, here and below
    } else {
        node->more_inputs = arena_get(tape->arena, (n + 1) * sizeof *inputs); // NOLINT
        memcpy(node->more_inputs, inputs, n * sizeof *inputs);                // NOLINT
        node->more_inputs[n] = NULL;
    }
    return tape->last = node;
}

void tape_second_output(Node *node, Tensor *output)
{
    output->tape = node->tape;
    node->second_output = output;
}

Tensor *tape_passing(Tensor *tensor)
{
    tensor->passing = 1;
    return tensor;
}

/* Memory for the gradient of an operation's result: a passing one takes what another
 * of its size has left, the last one used first. */
static real *gradient_memory(Tape *tape, const Tensor *tensor)
{
    for (Spare **place = &tape->spare; tensor->passing && *place; place = &(*place)->next)
        if ((*place)->size == tensor->size) {
            void *memory = *place;
            *place = (*place)->next;
            return memory;
        }
    return arena_get(tape->gradients, tensor->size * sizeof(real));
}

/* Nobody will read the gradient of TENSOR, if it is passing. */
static void leave_gradient(Tape *tape, Tensor *tensor)
{
    if (!tensor->passing || !tensor->grad || tensor->size == 0)
        return;
    Spare *spare = (void *)tensor->grad; /* an arena gives at least 64 bytes */
    *spare = (Spare){tensor->size, tape->spare};
    tape->spare = spare;
    tensor->grad = NULL;
    tensor->reached = 0;
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
    if (!tensor->grad && tensor->tape)
        tensor->grad = gradient_memory(tensor->tape, tensor);
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
    if (!tensor->reached)
        gradient_sum(tensor);
}

static void clear_unreached_to_stay(Tensor *tensor)
{
    if (!tensor->passing)
        clear_unreached(tensor);
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
    ArenaMark mark = arena_mark(node->tape->arena);
    node->backward(node);
    arena_release(node->tape->arena, mark);
    leave_gradient(node->tape, node->output);
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
    if (!tape->last || !wants_gradient(loss))
        die_misuse(tape->where, "tape_backward: '%s' does not depend on any tensor that wants a gradient", loss->name);
    if (!isfinite(loss->data[0]))
        die_nonfinite(tape, loss);
    *gradient_sum(loss) = 1;
    for (Node *node = tape->last; node; node = node->previous)
        go_back(node);
    for (Node *node = tape->last; node; node = node->previous)
        each_tensor(node, clear_unreached_to_stay);
    for (Node *node = tape->last; node; node = node->previous)
        each_tensor(node, forget_reached);
}
