/* model.h: an encoder-decoder, without attention and with four kinds of it.
 *
 * Shapes: B sentences, S English words, T French ones (<EOS> counted), E the width
 * of a word's vector, H of a state, A of concat's inner layer, V French words.
 * Time stands first: [S, B, E]. */
#ifndef MODEL_H
#define MODEL_H

#include "nn.h"
#include "translation.h"

/* How well a query s and an annotation h_j fit (Luong 2015, section 3.1):
 *     dot      s . h_j
 *     general  s . (W h_j)
 *     concat   v . tanh(W s + U h_j)     (Bahdanau 2015, appendix A.1.2)
 *     scaled   s . h_j / sqrt(H)         (Vaswani 2017, eq. 1) */
typedef enum { NO_ATTENTION, DOT, GENERAL, CONCAT, SCALED, ATTENTIONS } AttentionKind;
extern const char *const attention_name[ATTENTIONS];

/* How the encoder reads: both ways, half of the units each; or one way with all
 * of them: from the first word to the last, or from the last to the first. */
typedef enum { BOTH_WAYS, FORWARDS, BACKWARDS } Reading;

typedef struct {
    AttentionKind attention;
    Reading reading;
    int embedding, hidden; /* E, H: even */
    int english, french;   /* words */
} ModelSettings;

typedef struct {
    ModelSettings settings;
    Parameters *parameters;
    Tensor *english, *french; /* embeddings [V_e, E], [V, E] */
    Recurrent forwards, backwards, decoder;
    Linear start;                                   /* last state of the encoder -> first of the decoder */
    Linear summary;                                 /* the same -> what every step of the decoder is given */
    Tensor *score_query, *score_key, *score_vector; /* W [H, A], U [H, A] (general: W [H, H]), v [A, 1] */
    Linear read_state, read_context, output;
} Model;

Model *model_new(ModelSettings settings, Rng *rng);
void model_free(Model *model);
/* Numbers in the scoring function alone. */
size_t model_attention_parameters(const Model *model);

/* What the encoder knows of B sentences. */
typedef struct {
    Tensor *annotations; /* h_1 ... h_S [S, B, H] */
    Tensor *by_sentence; /* the same [B, S, H] */
    Tensor *keys;        /* general: W h_j [B, S, H]; concat: U h_j [S, B, A]; else NULL */
    Tensor *last;        /* the last state [B, H]: all there is without attention */
    Tensor *start;       /* s_0 [B, H] */
    const int *lengths;
    int steps, batch;
} Memory;
Memory encode(Tape *tape, const Model *model, const int *source, const int *lengths, int steps, int batch);

/* From s_0 or any state [B, H] on: T words in [T, B], all states out [T, B, H]. */
Tensor *decode(Tape *tape, const Model *model, const Memory *memory, Tensor *state, const int *words, int steps);

/* Scores of the next word [T, B, V] from states; WEIGHTS (or NULL) gets the
 * attention [B, T, S], NULL for a model without. */
Tensor *read_out(Tape *tape, const Model *model, const Memory *memory, Tensor *states, Tensor **weights);

#endif
