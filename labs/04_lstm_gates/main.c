/* Lab 04. LSTM and GRU: deciding what to keep
 *
 * A plain recurrent network overwrites its memory at every step, and the
 * gradient that could teach it otherwise dies on the way back (lab 03).  What if
 * the network had a place that nothing touches unless it decides so?
 *
 * That is the cell of the LSTM, and its gates are the decision.  On the way back
 * the gradient through the cell is multiplied by the forget gates and by nothing
 * else.  How far that reaches is not magic but a number one can set: the bias of
 * the gate.
 *
 * Look for
 *     lstm_step          f, i, g, o, c, h of three steps, every number
 *     gate_extremes      gates all open or shut: dropped, kept, added up
 *     gradient_highway   how much gradient arrives, by forget bias
 *     recall_vs_lag      which colour had the door? RNN, GRU, LSTM
 *     adding_problem     two numbers in a hundred
 *     gates_heatmap      the input gate opens at the marks
 *     cell_state         one cell keeps the books
 *     contextual_senses  bank and bank, 은행 and 은행: one word, two vectors
 *
 * Run
 *     make 04
 *     make 04 ARGS="--step 3 --forget-bias 4"
 *     make 04 ARGS="--step 4 --lag 30"
 *     make 04 ARGS="--step 6 --sentence 'the girl sat on the bank today .'"
 *
 * Chapters: by_hand.c (with cells.c, the mechanism), highway.c, lag.c, adding.c,
 * inside.c, senses.c (with senses_sentences.c, senses_model.c).  Leads to lab 05: two such networks translate. */
#include "gates.h"

/* Into the rising list, unless it is there. */
static void add_lag(Config *config, int lag)
{
    int l = config->n_lags;
    for (int i = 0; i < config->n_lags; i++)
        if (config->lags[i] == lag)
            return;
    for (; l > 0 && config->lags[l - 1] > lag; l--)
        config->lags[l] = config->lags[l - 1];
    config->lags[l] = lag;
    config->n_lags++;
}

/* Full and --quick. */
static Config config_of(const Lab *lab, const Gates *self)
{
    Config config = {
        .decay_length = 100,
        .decay_batch = 16,
        .decay_hidden = 64,
        .decay_inputs = 64,
        .recall_steps = 800,
        .recall_rate = 1.5e-2,
        .judged_lag = JUDGED_LAG,
        .lengths = {10, 30, 60, 100},
        .n_lengths = lab_choose(lab, 4, 3),
        .adding_steps = lab_choose(lab, 600, 300),
        .watched_length = 60,
        .sentences = 4000,
        .sense_tests = lab_choose(lab, 100, 50),
        .sense_steps = lab_choose(lab, 800, 450),
        .sense_rate = lab->quick ? 4e-2 : 3e-2,
    };
    static const int full[] = {5, 10, 20, 40, 60}, quick[] = {10, 60};
    const int *lags = lab->quick ? quick : full;
    for (int l = 0, n = lab->quick ? 2 : 5; l < n; l++)
        add_lag(&config, lags[l]);
    add_lag(&config, self->own_lag);
    return config;
}

static void begin(Lab *lab, void *state)
{
    Gates *self = state;
    self->config = config_of(lab, self);
    self->own_bias_given = self->own_bias != USUAL_BIAS;
    if (self->own_sentence)
        senses_check_sentence(lab, self);
}

static void end(Lab *lab, void *state)
{
    Gates *self = state;
    (void)lab;
    recalls_free(self->recalls);
    addings_free(self->addings);
}

void step_lag(Lab *lab, void *state)
{
    step_recall(lab, state);
    trace(lab->trace, "\n");
    step_adding(lab, state);
}

static const LabStep steps[] = {
    {"lstm", "One step of an LSTM by hand", step_lstm},
    {"gru", "One step of a GRU by hand, and what each cell costs", step_gru},
    {"highway", "The gradient's highway", step_highway},
    {"lag", "Remembering over a lag: a door's colour, and two numbers", step_lag},
    {"gates", "What the gates learned", step_gates},
    {"senses", "The same word, two vectors", step_senses},
    {0},
};

int main(int argc, char **argv)
{
    Gates self = {.own_bias = USUAL_BIAS, .own_lag = JUDGED_LAG}; /* among what is tried anyway */
    const LabOption options[] = {
        {.name = "forget-bias",
         .value = "B",
         .help = "steps 3, 4: also cells whose forget bias is B",
         .number = &self.own_bias,
         .low = -10,
         .high = 10},
        {.name = "lag",
         .value = "N",
         .help = "step 4: also stories of this lag",
         .whole = &self.own_lag,
         .low = 1,
         .high = 200},
        {.name = "sentence",
         .value = "TEXT",
         .help = "step 6: which sense has bank, bat, 은행 or 눈 in it?",
         .text = &self.own_sentence},
        {0},
    };
    return lab_main(argc, argv,
                    &(LabInfo){.stem = "04_lstm_gates",
                               .title = "LSTM and GRU: deciding what to keep",
                               .question = "What if a network had a memory that nothing touches unless it decides so?",
                               .steps = steps,
                               .options = options,
                               .begin = begin,
                               .end = end},
                    &self);
}
