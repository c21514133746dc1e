/* pretrain.h: the three models of step 2, which step 3 goes on with. */
#ifndef PRETRAIN_H
#define PRETRAIN_H

#include "in_context.h"
#include "model.h"
#include "objectives.h"

/* An encoder as BERT: words + places + segments, and two answers: the masked word
 * (the model's own output) and whether the second sentence follows, from [CLS]. */
typedef struct {
    Model model;
    Tensor *segments; /* [2, d] */
    Linear follows;   /* d -> 2 */
} Encoder;
Encoder encoder_new(int vocabulary, Rng *rng);
void encoder_free(Encoder *encoder);
/* States [B, T, d]; nobody looks at padding. */
Tensor *encoder_read(Tape *tape, const Encoder *encoder, const Texts *texts);

/* An encoder and a decoder as T5: each block of the decoder looks at what it wrote
 * (causal mask) and, by cross-attention, at all that the encoder read. */
typedef struct {
    Model reader;   /* owns all parameters; its output layer is the decoder's */
    Tensor *places; /* [positions, d], the decoder's */
    Block block;
    LayerNorm last;
} EncoderDecoder;
EncoderDecoder encoder_decoder_new(int vocabulary, Rng *rng);
void encoder_decoder_free(EncoderDecoder *model);
/* Scores [B, U, V] of the next word behind each of TARGETS [B, U]. */
Tensor *encoder_decoder_scores(Tape *tape, const EncoderDecoder *model, const Texts *inputs, const int *targets,
                               int length);

/* A decoder as GPT. */
Model decoder_new(int vocabulary, Rng *rng);

/* [CLS] and the student's words (steps_pretraining.c), at most TEXT_MOST / 2, into
 * IDS, or [CLS] alone where PROMPT is NULL; how many.  Dies (exit 2) on a word that
 * the corpus has not. */
int prompt_read(const World *world, const char *prompt, int *ids);

/* ---- trained (pretrain.c) ---- */

/* The corpus, made on first use. */
const Stories *stories_of(Lab *lab, InContext *self);

/* What is asked in tests, the same at every look. */
enum { TESTS_MOST = 400 };
typedef struct {
    int n;
    Story story[TESTS_MOST];
    int length[TESTS_MOST], row[TESTS_MOST][TEXT_MOST]; /* pairs, with [MASK] where a word is asked for */
    int target[TESTS_MOST][TEXT_MOST];
    int follows[TESTS_MOST];
    Spans spans[TESTS_MOST];
} Questions;

/* Looks at each model during training: [LOOKS + 1, 3]: step and two measures. */
enum { LOOKS = 20 };
enum { ENCODER, ENCODER_DECODER, DECODER, NETWORKS };
typedef struct Pretrained {
    Encoder encoder;
    EncoderDecoder spans;
    Model decoder;
    Questions *questions;
    Parameters *looks;
    Tensor *look[NETWORKS];
} Pretrained;
Pretrained *pretrained(Lab *lab, InContext *self);
void pretrained_free(Pretrained *all);
/* Objectives, sizes and steps as a table. */
void pretraining_settings(Lab *lab, const InContext *self, const Pretrained *all);

/* Share of the masked words found; *FOLLOWS: of the pairs judged rightly. */
double encoder_accuracy(const Encoder *encoder, const Questions *questions, double *follows);
/* Share of the words in spans found, the words before being given; *LOSS: mean of -log p, marks included. */
double spans_accuracy(const EncoderDecoder *model, const Questions *questions, double *loss);
/* e to the mean of -log p of each word and the end; *LOSS without the exponential. */
double decoder_perplexity(const Model *model, const Questions *questions, double *loss);
/* The target that the encoder-decoder writes by itself, up to <Z>: its length. */
int spans_written(const EncoderDecoder *model, const Spans *spans, int *target);

#endif
