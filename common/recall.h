/* recall.h: a word that has to be remembered while others pass by.
 *
 *     the blue door opened   a red bird flew by  a green car turned by ...   so i entered the  blue
 *     파란 문을 열고   노란 새가 날고 빨간 차가 돌고 ...   그래서 내가 들어간 곳은  파란
 *
 * The lecture's example of a long dependency, as a task with a knob.  LAG is the
 * number of words between the opening and the question; a network's state has to
 * carry the colour over LAG + RECALL_AROUND steps, to the last word.  The things
 * that pass by have colours of their own, drawn from the same eight and
 * independently of the door's, so that nothing but the door tells the answer:
 * whoever has forgotten it is right once in eight.  Labs 03 and 04 train their
 * networks on it.
 *
 *     RecallSetting setting = recall_setting(CELL_LSTM, 40);
 *     RecallModel *model = recall_model_new(&setting, &rng);
 *     RecallResult result = recall_train(model, &rng, 1);
 *     recall_model_free(model);                                               */
#ifndef RECALL_H
#define RECALL_H

#include "optim.h"

typedef enum { RECALL_ENGLISH, RECALL_KOREAN, RECALL_LANGUAGES } RecallLanguage;

enum { RECALL_COLOURS = 8, RECALL_AROUND = 6, RECALL_LONGEST_LAG = 1000 };

/* The vocabulary: word ID's text (NULL behind the last) and the number of words.
 * The colours are 0 ... RECALL_COLOURS-1 in both languages. */
const char *recall_word(RecallLanguage language, int id);
int recall_words(RecallLanguage language);

/* Words in a story of that LAG, without the answer. */
int recall_length(RecallLanguage language, int lag);
/* Where its colour stands: 1 in English, 0 in Korean. */
int recall_cue(RecallLanguage language);

/* One batch of B stories, time first.  Row b has LAG[b] words between opening
 * and question, so it ends after LENGTHS[b] words; what stands behind does not
 * count (a Sequence with these lengths carries the last state to the end). */
typedef struct {
    int steps, batch; /* T: the longest row's words; B */
    int *ids;         /* [T, B] */
    int *lengths;     /* [B] */
    int *answers;     /* [B], the door's colour */
} RecallBatch;

/* Lags uniform in SHORTEST ... LONGEST, each row its own. */
RecallBatch recall_batch_new(RecallLanguage language, int shortest, int longest, int batch, Rng *rng);
void recall_batch_free(RecallBatch *batch);

/* Row ROW as text, words with a space between; release with free(). */
char *recall_text(RecallLanguage language, const RecallBatch *batch, int row);

/* The best guess of one who has forgotten the door: 1 in 8. */
double recall_chance(void);

/* How the gates start.  Only the bias differs: see recall_model_new. */
typedef enum {
    GATES_USUAL,   /* uniform near 0, PyTorch's default: half open, half closed */
    GATES_ONE,     /* LSTM: forget bias 1 (Gers 2000, Jozefowicz 2015); GRU: update bias 1 */
    GATES_FOR_LAG, /* forget bias ln n and input bias -ln n, GRU: update bias ln n, with n the
                      number of steps to bridge (after Tallec & Ollivier 2018, section 3) */
} RecallGates;

/* One model and one way to train it.  Recurrent weights, embedding and output
 * layer are trained together by Adam on stories never seen twice. */
typedef struct {
    RecallLanguage language;
    CellKind kind;
    int embedding, hidden;
    RecallGates gates;
    double radius;     /* RNN: recurrent weights RADIUS times an orthogonal matrix; 0: uniform */
    int shortest, lag; /* lags of training, uniform in between; tested at LAG */
    int batch;
    double rate;   /* Adam's */
    double clip;   /* norm to which gradients are clipped; 0: not at all */
    int steps;     /* at most */
    int every;     /* steps between looks at the accuracy, once the loss of 20 steps is below 1 */
    int stories;   /* for one look */
    double enough; /* accuracy at which training stops early */
} RecallSetting;

/* The settings of the labs, at about equal numbers of recurrent weights: RNN 71
 * units, GRU 38, LSTM 32 (6177, 6156, 6144); trained at one lag, tested at the
 * same.  RNN weights start orthogonal and gates start as the lag wants them. */
RecallSetting recall_setting(CellKind kind, int lag);

typedef struct {
    RecallSetting setting;
    Parameters *parameters;
    Tensor *embedding; /* [V, E] */
    Recurrent layer;
    Linear output; /* H -> V */
} RecallModel;

RecallModel *recall_model_new(const RecallSetting *setting, Rng *rng);
/* Sets the gates that keep and that let in: the biases of an LSTM's forget and
 * input gates; a GRU has one gate for both, its update bias becomes FORGET. */
void recall_set_memory(const Recurrent *layer, real forget, real input);
void recall_model_free(RecallModel *model);

/* The words' vectors [T, B, E], all hidden states [T, B, H], and from those the
 * scores [B, V] of each word as the next behind the last. */
Tensor *recall_inputs(Tape *tape, const RecallModel *model, const RecallBatch *batch);
Tensor *recall_states(Tape *tape, const RecallModel *model, Tensor *inputs, const RecallBatch *batch);
Tensor *recall_scores(Tape *tape, const RecallModel *model, Tensor *states);

/* The share of STORIES new stories of LAG whose highest score is the door's colour. */
double recall_accuracy(const RecallModel *model, int lag, int stories, Rng *rng, int threads);

/* One step of training on new stories, gradients clipped as the setting says:
 * returns the loss, *NORM is the gradients' before clipping.  A loss that is not
 * finite is returned and changes nothing. */
double recall_step(Tape *tape, const RecallModel *model, Optimiser *optimiser, Rng *rng, double *norm);

typedef struct {
    double accuracy;     /* at the lag, on 1024 new stories, after training */
    double loss;         /* the mean over the last 20 steps */
    double largest_norm; /* of all gradients met, before clipping */
    int steps;           /* of training done */
    bool diverged;       /* a loss that was not finite ended it */
} RecallResult;

/* Trains by Adam until the accuracy is enough or the steps are used up. */
RecallResult recall_train(RecallModel *model, Rng *rng, int threads);

#endif
