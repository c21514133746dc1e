/* model.c: one Transformer for all of lab 10. */
#include "model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "maths.h"
#include "measure.h"
#include "memory.h"

Model model_new(ModelSettings settings, Rng *rng)
{
    if (settings.layers < 1 || settings.layers > MOST_LAYERS)
        die_misuse(HERE, "model: %d layers are not 1 to %d", settings.layers, MOST_LAYERS);
    if (!settings.feed_forward)
        settings.feed_forward = 4 * settings.d;
    if (settings.spread <= 0)
        settings.spread = (real)0.5;
    real sd = settings.spread;
    Model model = {.settings = settings, .parameters = parameters_new()};
    model.words = parameter_normal(model.parameters, "words", SHAPE(settings.vocabulary, settings.d), sd, rng);
    model.places = parameter_normal(model.parameters, "places", SHAPE(settings.positions, settings.d), sd, rng);
    for (int i = 0; i < settings.layers; i++) {
        char name[16];
        snprintf(name, sizeof name, "block%d", i);
        model.block[i] = block_new(model.parameters, name,
                                   (BlockSettings){.d = settings.d,
                                                   .heads = settings.heads,
                                                   .feed_forward = settings.feed_forward,
                                                   .pre_norm = true,
                                                   .gelu = true},
                                   rng);
    }
    model.last = layer_norm_new(model.parameters, "last", settings.d);
    if (!settings.tied)
        model.output = linear_new(model.parameters, "output", settings.d, settings.vocabulary, rng);
    return model;
}

void model_free(Model *model)
{
    parameters_free(model->parameters);
    *model = (Model){0};
}

/* h_0 = W_e[x] + W_p;   h_i = block_i(h_(i-1));   read = norm(h_n)      (Radford 2018, eq. 2) */
Tensor *model_read(Tape *tape, const Model *model, const int *ids, int batch, int length, ModelView view)
{
    const ModelSettings *settings = &model->settings;
    int end = view.start + length;
    if (view.start < 0 || end > settings->positions)
        die_misuse(HERE, "model: words at the places %d to %d of %d", view.start, end - 1, settings->positions);
    Tensor *words = op_embedding(tape, model->words, ids, SHAPE(batch, length)); /* [B, T, d] */
    Tensor *x = op_add(tape, words, op_slice(tape, model->places, 0, view.start, end));
    if (view.add)
        x = op_add(tape, x, view.add);
    const Tensor *mask = view.mask ? view.mask : settings->causal ? mask_causal(tape, length) : NULL;
    for (int i = 0; i < settings->layers; i++)
        x = block(tape, &model->block[i], x,
                  (BlockView){.mask = mask, .weights = view.weights ? &view.weights[i] : NULL});
    return layer_norm(tape, &model->last, x);
}

Tensor *model_rows(Tape *tape, Tensor *states, const int *rows, int n)
{
    Tensor *all = op_reshape(tape, states, SHAPE(tensor_rows(states), tensor_columns(states)));
    return op_embedding(tape, all, rows, SHAPE(n));
}

Tensor *model_scores(Tape *tape, const Model *model, Tensor *states)
{
    return model->settings.tied ? op_matmul_transposed(tape, states, model->words)
                                : linear(tape, &model->output, states);
}

/* The score that is smaller than exactly k - 1 others (of equal ones the first counts as larger). */
static real score_of_rank(const real *scores, int n, int k)
{
    for (int i = 0; i < n; i++) {
        int larger = 0;
        for (int j = 0; j < n; j++)
            larger += scores[j] > scores[i] || (j < i && scores[j] >= scores[i]);
        if (larger == k - 1)
            return scores[i];
    }
    return scores[argmax(scores, n)];
}

/* p_i = e^(s_i / temperature) / sum, over the k largest  (Fan 2018: top-k) */
int choose_word(const real *scores, int vocabulary, Choice choice, Rng *rng)
{
    int best = argmax(scores, vocabulary);
    if (choice.temperature <= 0)
        return best;
    int k = choice.top_k > 0 && choice.top_k < vocabulary ? choice.top_k : vocabulary;
    real least = score_of_rank(scores, vocabulary, k);
    real *weight = memory_new((size_t)vocabulary, sizeof *weight, "the probabilities of the next word");
    for (int i = 0; i < vocabulary; i++)
        if (scores[i] >= least)
            weight[i] = (real)exp64((double)(scores[i] - scores[best]) / choice.temperature);
    int word = rng_choose(rng, weight, vocabulary);
    free(weight);
    return word;
}

/* The next word of each row, whose first T words are given. */
static void write_word(Tape *tape, const Model *model, int *ids, int batch, int t, Writing writing, Rng *rng)
{
    int vocabulary = model->settings.vocabulary;
    int *so_far = memory_new((size_t)batch * (size_t)t, sizeof *so_far, "the words so far");
    int *last = memory_new((size_t)batch, sizeof *last, "the last places");
    for (int b = 0; b < batch; b++) {
        memcpy(so_far + b * t, ids + b * writing.most, (size_t)t * sizeof *ids);
        last[b] = b * t + t - 1;
    }
    tape_rewind(tape);
    Tensor *states = model_read(tape, model, so_far, batch, t, (ModelView){.start = writing.start}); /* [B, t, d] */
    const real *scores = model_scores(tape, model, model_rows(tape, states, last, batch))->data;     /* [B, V] */
    for (int b = 0; b < batch; b++)
        ids[b * writing.most + t] = choose_word(scores + b * vocabulary, vocabulary, writing.choice, rng);
    free(so_far);
    free(last);
}

static bool all_ended(const int *ids, int batch, int t, Writing writing)
{
    for (int b = 0; b < batch; b++) {
        bool ended = false;
        for (int i = writing.length; i < t; i++)
            ended |= ids[b * writing.most + i] == writing.end;
        if (!ended)
            return false;
    }
    return true;
}

void model_write(Tape *tape, const Model *model, int *ids, int batch, Writing writing, Rng *rng)
{
    tape_record(tape, false);
    for (int t = writing.length; t < writing.most && !all_ended(ids, batch, t, writing); t++)
        write_word(tape, model, ids, batch, t, writing, rng);
    tape_record(tape, true);
}
