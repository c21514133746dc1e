/* Encoder, encoder-decoder, decoder: the three networks of steps 1 to 3. */
#include "pretrain.h"

enum { WIDTH = 48, HEADS = 4, INNER = 96 };

static ModelSettings settings_of(int vocabulary, int layers, bool causal)
{
    return (ModelSettings){.vocabulary = vocabulary,
                           .positions = TEXT_MOST,
                           .d = WIDTH,
                           .layers = layers,
                           .heads = HEADS,
                           .feed_forward = INNER,
                           .causal = causal,
                           .tied = true};
}

Model decoder_new(int vocabulary, Rng *rng)
{
    return model_new(settings_of(vocabulary, 2, true), rng);
}

Encoder encoder_new(int vocabulary, Rng *rng)
{
    Encoder encoder = {.model = model_new(settings_of(vocabulary, 2, false), rng)};
    Parameters *parameters = encoder.model.parameters;
    encoder.segments = parameter_normal(parameters, "segments", SHAPE(2, WIDTH), (real)0.5, rng);
    encoder.follows = linear_new(parameters, "follows", WIDTH, 2, rng);
    return encoder;
}

void encoder_free(Encoder *encoder)
{
    model_free(&encoder->model);
}

/* h_0 = W_e[x] + W_p + W_s[segment]     (Devlin 2018, figure 2) */
Tensor *encoder_read(Tape *tape, const Encoder *encoder, const Texts *texts)
{
    int batch = texts->batch, length = texts->length;
    Tensor *segments = op_embedding(tape, encoder->segments, texts->segments, SHAPE(batch, length)); /* [B, T, d] */
    Tensor *mask = mask_padding(tape, texts->lengths, batch, HEADS, length, length, false);          /* [B, h, T, T] */
    return model_read(tape, &encoder->model, texts->ids, batch, length, (ModelView){.mask = mask, .add = segments});
}

EncoderDecoder encoder_decoder_new(int vocabulary, Rng *rng)
{
    EncoderDecoder model = {.reader = model_new(settings_of(vocabulary, 1, false), rng)};
    Parameters *parameters = model.reader.parameters;
    model.places = parameter_normal(parameters, "decoder.places", SHAPE(TEXT_MOST, WIDTH), (real)0.5, rng);
    model.block =
        block_new(parameters, "decoder.block",
                  (BlockSettings){
                      .d = WIDTH, .heads = HEADS, .feed_forward = INNER, .pre_norm = true, .gelu = true, .cross = true},
                  rng);
    model.last = layer_norm_new(parameters, "decoder.last", WIDTH);
    return model;
}

void encoder_decoder_free(EncoderDecoder *model)
{
    model_free(&model->reader);
}

/* y = norm(block(W_e[target] + places, memory = what the encoder read))    (Vaswani 2017, section 3.1) */
Tensor *encoder_decoder_scores(Tape *tape, const EncoderDecoder *model, const Texts *inputs, const int *targets,
                               int length)
{
    int batch = inputs->batch, from = inputs->length;
    Tensor *read_mask = mask_padding(tape, inputs->lengths, batch, HEADS, from, from, false);
    Tensor *memory = model_read(tape, &model->reader, inputs->ids, batch, from, (ModelView){.mask = read_mask});
    Tensor *words = op_embedding(tape, model->reader.words, targets, SHAPE(batch, length)); /* [B, U, d] */
    Tensor *x = op_add(tape, words, op_slice(tape, model->places, 0, 0, length));
    x = block(tape, &model->block, x,
              (BlockView){.mask = mask_causal(tape, length),
                          .memory = memory, /* [B, T, d] */
                          .memory_mask = mask_padding(tape, inputs->lengths, batch, HEADS, length, from, false)});
    return model_scores(tape, &model->reader, layer_norm(tape, &model->last, x)); /* [B, U, V] */
}
