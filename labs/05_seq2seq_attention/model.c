/* The model: GRU encoder, GRU decoder, and attention between them. */
#include "model.h"

#include <stdlib.h>

#include "maths.h"
#include "memory.h"

const char *const attention_name[ATTENTIONS] = {"none", "dot", "general", "concat", "scaled dot"};

static void scoring_new(Model *model, Rng *rng)
{
    Parameters *p = model->parameters;
    int h = model->settings.hidden, inner = h * 3 / 4;
    if (model->settings.attention == GENERAL) {
        model->score_key = parameter_glorot(p, "score.W", SHAPE(h, h), rng);
    } else if (model->settings.attention == CONCAT) {
        model->score_query = parameter_glorot(p, "score.W", SHAPE(h, inner), rng);
        model->score_key = parameter_glorot(p, "score.U", SHAPE(h, inner), rng);
        model->score_vector = parameter_glorot(p, "score.v", SHAPE(inner, 1), rng);
    }
}

Model *model_new(ModelSettings settings, Rng *rng)
{
    Model *model = memory_new(1, sizeof *model, "a model");
    Parameters *p = model->parameters = parameters_new();
    int e = settings.embedding, h = settings.hidden, units = settings.reading == BOTH_WAYS ? h / 2 : h;
    model->settings = settings;
    model->english = parameter_normal(p, "english", SHAPE(settings.english, e), (real)0.3, rng);
    model->french = parameter_normal(p, "french", SHAPE(settings.french, e), (real)0.3, rng);
    if (settings.reading != BACKWARDS)
        model->forwards = recurrent_new(p, "forwards", CELL_GRU, e, units, rng);
    if (settings.reading != FORWARDS)
        model->backwards = recurrent_new(p, "backwards", CELL_GRU, e, units, rng);
    model->start = linear_new(p, "start", h, h, rng);
    model->summary = linear_new(p, "summary", h, 3 * h, rng);
    model->decoder = recurrent_new(p, "decoder", CELL_GRU, e, h, rng);
    model->read_state = linear_new(p, "read_state", h, h, rng);
    model->read_context = linear_new(p, "read_context", h, h, rng);
    model->output = linear_new(p, "output", h, settings.french, rng);
    scoring_new(model, rng);
    return model;
}

void model_free(Model *model)
{
    if (!model)
        return;
    parameters_free(model->parameters);
    free(model);
}

size_t model_attention_parameters(const Model *model)
{
    const Tensor *part[] = {model->score_query, model->score_key, model->score_vector};
    size_t n = 0;
    for (int i = 0; i < 3; i++)
        n += part[i] ? part[i]->size : 0;
    return n;
}

/* State T of [T, B, H] as [B, H]. */
static Tensor *state_at(Tape *tape, Tensor *states, int t)
{
    return op_reshape(tape, op_slice(tape, states, 0, t, t + 1), SHAPE(states->shape.dim[1], states->shape.dim[2]));
}

Memory encode(Tape *tape, const Model *model, const int *source, const int *lengths, int steps, int batch)
{
    Memory memory = {.lengths = lengths, .steps = steps, .batch = batch};
    Tensor *x = op_embedding(tape, model->english, source, SHAPE(steps, batch)); /* [S, B, E] */
    Tensor *state[2] = {NULL, NULL}, *last[2];
    int n = 0;
    if (model->settings.reading != BACKWARDS) { /* behind the end of a sentence its last state is carried on */
        state[n] = recurrent(tape, &model->forwards, x, NULL, (Sequence){.lengths = lengths});
        last[n] = state_at(tape, state[n], steps - 1);
        n++;
    }
    if (model->settings.reading != FORWARDS) {
        state[n] = recurrent(tape, &model->backwards, x, NULL, (Sequence){.lengths = lengths, .reverse = true});
        last[n] = state_at(tape, state[n], 0);
        n++;
    }
    /* h_j = [forwards_j; backwards_j] */
    memory.annotations = n == 1 ? state[0] : op_concat(tape, state, 2, 2); /* [S, B, H] */
    memory.last = n == 1 ? last[0] : op_concat(tape, last, 2, 1);          /* [B, H] */
    memory.start = op_tanh(tape, linear(tape, &model->start, memory.last));
    if (model->settings.attention != NO_ATTENTION)
        memory.by_sentence = op_transpose(tape, memory.annotations, 0, 1); /* [B, S, H] */
    if (model->settings.attention == GENERAL)
        memory.keys = op_matmul(tape, memory.by_sentence, model->score_key);
    if (model->settings.attention == CONCAT)
        memory.keys = op_matmul(tape, memory.annotations, model->score_key);
    return memory;
}

Tensor *decode(Tape *tape, const Model *model, const Memory *memory, Tensor *state, const int *words, int steps)
{
    const Recurrent *cell = &model->decoder;
    Tensor *y = op_embedding(tape, model->french, words, SHAPE(steps, memory->batch)); /* [T, B, E] */
    Tensor *inputs = op_linear(tape, y, cell->input_weight, cell->bias, NULL);         /* [T, B, 3H] */
    inputs = op_add(tape, inputs, linear(tape, &model->summary, memory->last));
    return op_gru(tape, inputs, cell->weight, cell->recurrent_bias, state, (Sequence){0});
}

/* 1 where there is a word, 0 where there is padding: [B, T, S]. */
static Tensor *mask_of(Tape *tape, const Memory *memory, int steps)
{
    Tensor *mask = tape_input(tape, "mask", SHAPE(memory->batch, steps, memory->steps), NULL);
    real *at = mask->data;
    for (int b = 0; b < memory->batch; b++)
        for (int t = 0; t < steps; t++)
            for (int s = 0; s < memory->steps; s++)
                *at++ = s < memory->lengths[b];
    return mask;
}

/* e_tj = v . tanh(W s_t + U h_j), one t after the other: [B, T, S]. */
static Tensor *concat_scores(Tape *tape, const Model *model, const Memory *memory, Tensor *states)
{
    int steps = states->shape.dim[0], batch = memory->batch;
    Tensor *query = op_matmul(tape, states, model->score_query); /* [T, B, A] */
    Tensor **score = memory_new((size_t)steps, sizeof(Tensor *), "scores");
    for (int t = 0; t < steps; t++) {
        Tensor *inner = op_tanh(tape, op_add(tape, memory->keys, state_at(tape, query, t))); /* [S, B, A] */
        score[t] = op_reshape(tape, op_matmul(tape, inner, model->score_vector), SHAPE(1, memory->steps, batch));
    }
    Tensor *all = op_concat(tape, score, steps, 0); /* [T, S, B] */
    free(score);
    return op_transpose(tape, op_transpose(tape, all, 0, 2), 1, 2);
}

static Tensor *scores_of(Tape *tape, const Model *model, const Memory *memory, Tensor *states)
{
    if (model->settings.attention == CONCAT)
        return concat_scores(tape, model, memory, states);
    Tensor *query = op_transpose(tape, states, 0, 1); /* [B, T, H] */
    Tensor *keys = memory->keys ? memory->keys : memory->by_sentence;
    Tensor *score = op_batched_matmul_transposed(tape, query, keys);
    return model->settings.attention == SCALED ? op_scale(tape, score, 1 / m_sqrt((real)model->settings.hidden))
                                               : score;
}

/* a_t = softmax(e_t)   c_t = sum_j a_tj h_j   [T, B, H] */
static Tensor *contexts_of(Tape *tape, const Model *model, const Memory *memory, Tensor *states, Tensor **weights)
{
    Tensor *score = scores_of(tape, model, memory, states);
    Tensor *a = op_softmax(tape, score, mask_of(tape, memory, states->shape.dim[0]));
    if (weights)
        *weights = a;
    return op_transpose(tape, op_batched_matmul(tape, a, memory->by_sentence), 0, 1);
}

Tensor *read_out(Tape *tape, const Model *model, const Memory *memory, Tensor *states, Tensor **weights)
{
    if (weights)
        *weights = NULL;
    Tensor *context = model->settings.attention == NO_ATTENTION ? memory->last /* the same for every step: [B, H] */
                                                                : contexts_of(tape, model, memory, states, weights);
    /* o_t = tanh(W_s s_t + W_c c_t + b)   scores = W o_t + b */
    Tensor *read = op_add(tape, linear(tape, &model->read_state, states), linear(tape, &model->read_context, context));
    return linear(tape, &model->output, op_tanh(tape, read));
}
