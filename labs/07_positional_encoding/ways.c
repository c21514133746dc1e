/* ways.c: the seven ways, and the attention that they enter. */
#include "ways.h"

#include "maths.h"
#include "transformer.h"

const char *const way_name[WAYS] = {"none", "linear", "learned", "sinusoidal", "T5 bias", "ALiBi", "rotary"};

Positions positions_new(Parameters *parameters, Way way, int d, int heads, int trained, int places, Rng *rng)
{
    Positions positions = {.way = way, .d = d, .heads = heads, .trained = trained};
    if (way == LINEAR)
        positions.direction = parameter_normal(parameters, "direction", SHAPE(d), 1, rng);
    if (way == LEARNED)
        positions.table = parameter_normal(parameters, "positions", SHAPE(places, d), 1, rng);
    if (way == T5_BIAS) /* not 0, from where both directions look alike and training is slow to start */
        positions.bias = parameter_normal(parameters, "bias", SHAPE(T5_BUCKETS, heads), 1 / m_sqrt((real)d), rng);
    return positions;
}

/* ---- added to the words ---------------------------------------------------- */

/* Places 0 ... PLACES-1 of the table p: [places, d]. */
static Tensor *absolute(Tape *tape, const Positions *positions, int places)
{
    int d = positions->d;
    if (positions->way == LINEAR) { /* p_t = t / T w */
        Tensor *ramp = tape_input(tape, "t / T", SHAPE(places, 1), NULL);
        for (int t = 0; t < places; t++)
            ramp->data[t] = (real)t / (real)positions->trained;
        return op_matmul(tape, ramp, op_reshape(tape, positions->direction, SHAPE(1, d)));
    }
    if (positions->way == LEARNED) /* p_t = table[t] */
        return op_slice(tape, positions->table, 0, 0, places);
    Tensor *p = tape_input(tape, "sinusoidal", SHAPE(places, d), NULL);
    positions_sinusoidal(p->data, places, d); /* written out in sinusoids.c */
    return p;
}

Tensor *positions_add(Tape *tape, const Positions *positions, Tensor *x, int start)
{
    Way way = positions->way;
    if (way != LINEAR && way != LEARNED && way != SINUSOIDAL)
        return x;
    int end = start + x->shape.dim[1];
    return op_add(tape, x, op_slice(tape, absolute(tape, positions, end), 0, start, end));
}

/* ---- rotary: pair i of q_t is turned by the angle t w_i, w_i = 10000^(-2i / d_h) ---- */

/* (a, b) -> (a cos - b sin, b cos + a sin) = (a, b) cos + (-b, a) sin */
Tensor *positions_turn(Tape *tape, const Positions *positions, Tensor *x)
{
    if (positions->way != ROTARY)
        return x;
    int places = x->shape.dim[2], width = x->shape.dim[3];
    Tensor *cosine = tape_input(tape, "cos", SHAPE(places, width), NULL);
    Tensor *sine = tape_input(tape, "sin", SHAPE(places, width), NULL);
    Tensor *quarter = tape_input(tape, "quarter turn", SHAPE(width, width), NULL); /* (a, b) -> (-b, a) */
    const double log_10000 = 9.210340371976184;
    for (int i = 0; i + 1 < width; i += 2) {
        double frequency = exp64(-log_10000 * i / width);
        quarter->data[(i + 1) * width + i] = -1;
        quarter->data[i * width + i + 1] = 1;
        for (int t = 0; t < places; t++) {
            cosine->data[t * width + i] = cosine->data[t * width + i + 1] = (real)cos64(t * frequency);
            sine->data[t * width + i] = sine->data[t * width + i + 1] = (real)sin64(t * frequency);
        }
    }
    return op_add(tape, op_multiply(tape, x, cosine), op_multiply(tape, op_matmul(tape, x, quarter), sine));
}

/* ---- added to the scores --------------------------------------------------- */

int t5_bucket(int offset)
{
    if (offset < 0)
        return T5_SIDE + t5_bucket(-offset);
    if (offset < T5_EXACT)
        return offset;
    double part = log64((double)offset / T5_EXACT) / log64((double)T5_MOST_OFFSET / T5_EXACT);
    int bucket = T5_EXACT + (int)(part * (T5_SIDE - T5_EXACT));
    return bucket < T5_SIDE ? bucket : T5_SIDE - 1;
}

real alibi_slope(int head, int heads)
{
    const double log_2 = 0.6931471805599453;
    return (real)exp64(-log_2 * 8 * (head + 1) / heads);
}

Tensor *positions_bias(Tape *tape, const Positions *positions, int places)
{
    if (positions->way == T5_BIAS) { /* b[bucket(t - s), h], one row a pair of places */
        int *buckets = arena_get(tape_arena(tape), (size_t)places * (size_t)places * sizeof *buckets);
        for (int s = 0; s < places; s++)
            for (int t = 0; t < places; t++)
                buckets[s * places + t] = t5_bucket(t - s);
        Tensor *pairs = op_embedding(tape, positions->bias, buckets, SHAPE(places, places)); /* [s, t, h] */
        return op_transpose(tape, pairs, 0, 2);                                              /* [h, t, s] */
    }
    if (positions->way != ALIBI)
        return NULL;
    Tensor *bias = tape_input(tape, "ALiBi", SHAPE(positions->heads, places, places), NULL);
    real *cell = bias->data;
    for (int h = 0; h < positions->heads; h++)
        for (int t = 0; t < places; t++)
            for (int s = 0; s < places; s++)
                *cell++ = -alibi_slope(h, positions->heads) * (real)(t > s ? t - s : s - t);
    return bias;
}

/* ---- attention ------------------------------------------------------------- */

Heads heads_new(Parameters *parameters, const char *name, int d, int heads, Rng *rng)
{
    Attention made = attention_new(parameters, name, d, heads, rng);
    return (Heads){heads, made.query, made.key, made.value, made.output};
}

/* [B, T, d] -> [B, h, T, d / h] */
static Tensor *split(Tape *tape, Tensor *x, int heads)
{
    int batch = x->shape.dim[0], places = x->shape.dim[1], d = x->shape.dim[2];
    return op_transpose(tape, op_reshape(tape, x, SHAPE(batch, places, heads, d / heads)), 1, 2);
}

/* softmax(turn(Q) turn(K)^T / sqrt(d_h) + bias) V */
Tensor *heads_attend(Tape *tape, const Heads *layer, const Positions *positions, Tensor *x, const Tensor *mask,
                     Tensor **weights)
{
    int places = x->shape.dim[1];
    Tensor *q = positions_turn(tape, positions, split(tape, linear(tape, &layer->query, x), layer->heads));
    Tensor *k = positions_turn(tape, positions, split(tape, linear(tape, &layer->key, x), layer->heads));
    Tensor *v = split(tape, linear(tape, &layer->value, x), layer->heads);
    Tensor *scores = op_batched_matmul_transposed(tape, q, k); /* [B, h, T, T] */
    scores = op_scale(tape, scores, 1 / m_sqrt((real)tensor_columns(q)));
    Tensor *bias = positions_bias(tape, positions, places);
    if (bias)
        scores = op_add(tape, scores, bias);
    Tensor *softmax = op_softmax(tape, scores, mask);
    if (weights)
        *weights = softmax;
    Tensor *heads = op_transpose(tape, op_batched_matmul(tape, softmax, v), 1, 2); /* [B, T, h, d / h] */
    return linear(tape, &layer->output, op_reshape(tape, heads, x->shape));
}

/* ---- a small Transformer, Pre-Norm (lab 08 takes it apart) --------------------- */

Reader reader_new(ReaderSettings settings, Rng *rng)
{
    int d = settings.d;
    Parameters *p = parameters_new();
    Reader reader = {.settings = settings, .parameters = p};
    reader.embedding = parameter_normal(p, "embedding", SHAPE(settings.vocabulary, d), 1, rng);
    for (int l = 0; l < settings.layers; l++) {
        reader.layer[l].before_heads = layer_norm_new(p, "before_heads", d);
        reader.layer[l].heads = heads_new(p, "heads", d, settings.heads, rng);
        reader.layer[l].before_feed = layer_norm_new(p, "before_feed", d);
        reader.layer[l].inner = linear_new(p, "inner", d, 2 * d, rng);
        reader.layer[l].outer = linear_new(p, "outer", 2 * d, d, rng);
    }
    reader.last = layer_norm_new(p, "last", d);
    reader.positions = positions_new(p, settings.way, d, settings.heads, settings.trained, settings.places, rng);
    return reader;
}

void reader_free(Reader *reader)
{
    parameters_free(reader->parameters);
}

Tensor *reader_read(Tape *tape, const Reader *reader, const int *ids, int batch, int length, int start)
{
    const Positions *positions = &reader->positions;
    Tensor *mask = reader->settings.causal ? mask_causal(tape, length) : NULL;
    Tensor *x = op_embedding(tape, reader->embedding, ids, SHAPE(batch, length)); /* [B, T, d] */
    x = positions_add(tape, positions, x, start);
    for (int l = 0; l < reader->settings.layers; l++) {
        Tensor *seen = layer_norm(tape, &reader->layer[l].before_heads, x);
        x = op_add(tape, x, heads_attend(tape, &reader->layer[l].heads, positions, seen, mask, NULL));
        Tensor *inner = linear(tape, &reader->layer[l].inner, layer_norm(tape, &reader->layer[l].before_feed, x));
        x = op_add(tape, x, linear(tape, &reader->layer[l].outer, op_relu(tape, inner)));
    }
    return layer_norm(tape, &reader->last, x);
}
