/* Step 3. Encoder and decoder: one vector between them, gradients through it, and
 * whose words the decoder is fed while it learns. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "memory.h"
#include "parallel.h"
#include "seq2seq.h"

/* ---- end to end -------------------------------------------------------------------- */

/* || dLoss / d x_j || of each English word's vector: all words differ. */
static void word_gradients(const Model *model, const Pair *pair, real *norm)
{
    Tape *tape = tape_new(1);
    TranslationBatch batch = translation_batch(pair, NULL, 1, TIME_FIRST);
    tape_backward(tape, teacher_forced_loss(tape, model, &batch));
    int e = model->settings.embedding;
    for (int j = 0; j < pair->source_length; j++) {
        double sum = 0;
        for (int i = 0; i < e; i++) {
            double g = (double)model->english->grad[pair->source[j] * e + i];
            sum += g * g;
        }
        norm[j] = (real)sqrt(sum);
    }
    translation_batch_free(&batch);
    tape_free(tape);
}

static void end_to_end(Lab *lab, Seq2Seq *self)
{
    const Translation *translation = translation_of(lab, self);
    Pair pair = pair_of_text(translation, "the small black cat drank cold milk because some happy girls ate bread");
    const char *labels[TRANSLATION_ENGLISH];
    real norm[TRANSLATION_ENGLISH] = {0}, least = 0;
    Rng rng = lab_rng(lab, "untrained");
    Model *model = model_new((ModelSettings){NO_ATTENTION, FORWARDS, self->embedding, self->wide,
                                             translation->english->size, translation->french->size},
                             &rng);
    word_gradients(model, &pair, norm);
    for (int j = 0; j < pair.source_length; j++) {
        labels[j] = translation->english->word[pair.source[j]];
        least = j == 0 || norm[j] < least ? norm[j] : least;
    }
    char text[TRANSLATION_TEXT];
    trace(lab->trace,
          "The encoder reads English and ends in one vector; the decoder starts from it and says French, word by\n"
          "word, each chosen from P(y_t | y_1 ... y_t-1, x). One loss trains both, end to end:\n\n");
    trace_equation(lab->trace, HERE, "h_j = GRU(x_j, h_j-1)   s_0 = tanh(W h_S + b)   s_t = GRU([y_t-1; h_S], s_t-1)");
    trace_equation(lab->trace, HERE, "loss = -1/T sum_t log softmax(W tanh(W_s s_t + W_c h_S))[y_t]");
    trace(lab->trace,
          "\nIts gradient at the vector of each English word of an untrained model (one direction), for\n\"%s\":\n",
          pair_french(translation, &pair, text));
    trace_vector(lab->trace, HERE, "|| dLoss / dx_j ||", norm, pair.source_length, labels, 5);
    trace(lab->trace,
          "Every word is reached, but through all the steps behind it: the first word gets %.2g of the last\n"
          "one's gradient. With attention there is a path of length one to every word.\n",
          (double)(norm[1] / norm[pair.source_length - 1]));
    claim(lab->claims,
          (Claim){.id = "gradient-reaches-encoder",
                  .source = "lecture: encoder-decoder trained end to end; Sutskever 2014",
                  .statement = "the loss of the French words has a gradient at every English word (least norm)",
                  .measured = (double)least,
                  .test = ABOVE,
                  .bound = 0});
    model_free(model);
}

/* ---- whose words ---------------------------------------------------------------------- */

enum { FORCED, FREE, KINDS };
typedef struct {
    Lab *lab;
    Seq2Seq *self;
    const Translation *translation;
    Model *model[KINDS];
    LossCurve curve[KINDS];
} Forcing;

static void train_kind(int kind, void *context)
{
    Forcing *forcing = context;
    Rng batches = lab_rng(forcing->lab, "forcing batches");
    train(forcing->model[kind], forcing->translation->training, forcing->self->pairs,
          (TrainingSettings){.steps = forcing->self->forcing_steps,
                             .batch = BATCH,
                             .rate = 5e-3,
                             .free_running = kind == FREE,
                             .every = forcing->self->forcing_steps / 20},
          &batches, &forcing->curve[kind]);
}

/* The mean loss a word on test sentences of the lengths trained on, fed the reference's words or its own. */
static double test_loss(const Model *model, const Tests *test, bool own_words)
{
    double sum = 0;
    for (int bucket = 0; bucket < test->trained; bucket++) {
        Tape *tape = tape_new(1);
        tape_record(tape, false);
        TranslationBatch batch = translation_batch(test->pairs[bucket], NULL, 50, TIME_FIRST);
        sum +=
            (double)(own_words ? free_running_loss : teacher_forced_loss)(tape, model, &batch)->data[0] / test->trained;
        translation_batch_free(&batch);
        tape_free(tape);
    }
    return sum;
}

static void draw(Lab *lab, const Forcing *forcing)
{
    Figure *figure = figure_begin(lab->figures, "teacher_forcing", "The teacher's words or its own: training loss");
    Panel *panel = figure_panel(figure, NULL, "training step", "loss a word");
    panel_line(panel, "teacher forcing", forcing->curve[FORCED].step, forcing->curve[FORCED].loss,
               forcing->curve[FORCED].points);
    panel_line(panel, "free running", forcing->curve[FREE].step, forcing->curve[FREE].loss,
               forcing->curve[FREE].points);
    panel_range_y(panel, 0, 0);
    figure_end(figure);
}

static void tell(Lab *lab, const Forcing *forcing, const Tests *test)
{
    double bleu[KINDS], loss[KINDS][2];
    trace(lab->trace,
          "\nTeacher forcing feeds the decoder the reference's last word, free running the one it said itself. Two\n"
          "models with attention (%s), the same start and batches, %d steps; test sentences of up to %d words:\n\n",
          attention_name[DOT], forcing->self->forcing_steps, test->high[test->trained - 1]);
    trace_table(lab->trace, "trained by\ttraining loss\ttest loss, teacher's words\tits own words\tBLEU\texact");
    for (int kind = 0; kind < KINDS; kind++) {
        TranslationScore score = {.sentences = 0};
        double exact = 0, mean = 0;
        for (int bucket = 0; bucket < test->trained; bucket++) {
            score = score_greedy(forcing->model[kind], test->pairs[bucket], test->size);
            exact += translation_exact(&score) / test->trained;
            mean += bleu_score(&score.bleu) / test->trained;
        }
        bleu[kind] = mean;
        loss[kind][0] = test_loss(forcing->model[kind], test, false);
        loss[kind][1] = test_loss(forcing->model[kind], test, true);
        trace_row(lab->trace, "%s\t%.3f\t%.3f\t%.3f\t%.1f\t%.3f", kind == FORCED ? "teacher forcing" : "free running",
                  (double)forcing->curve[kind].loss[forcing->curve[kind].points - 1], loss[kind][0], loss[kind][1],
                  bleu[kind], exact);
    }
    trace_table_end(lab->trace);
    trace(lab->trace,
          "\nExposure: a model trained on the teacher's words has never seen its own mistakes; fed its own words it\n"
          "is %.1f times as surprised by the reference as when it is fed the teacher's.\n",
          loss[FORCED][1] / loss[FORCED][0]);
    claim(lab->claims,
          (Claim){.id = "teacher-forcing-faster",
                  .source = "lecture: teacher forcing; Williams & Zipser 1989",
                  .statement = "after the same number of steps teacher forcing has the better BLEU (difference)",
                  .measured = bleu[FORCED] - bleu[FREE],
                  .test = ABOVE,
                  .bound = 0});
    claim(lab->claims, (Claim){.id = "exposure",
                               .source = "Ranzato 2016; Bengio 2015: exposure bias",
                               .statement = "fed its own words, the teacher-forced model's test loss is higher (times)",
                               .measured = loss[FORCED][1] / loss[FORCED][0],
                               .test = ABOVE,
                               .bound = 1});
}

void step_training(Lab *lab, void *state)
{
    Seq2Seq *self = state;
    Forcing forcing = {.lab = lab, .self = self, .translation = translation_of(lab, self)};
    end_to_end(lab, self);
    for (int kind = 0; kind < KINDS; kind++) {
        Rng rng = lab_rng(lab, "forcing weights");
        forcing.model[kind] =
            model_new((ModelSettings){DOT, BOTH_WAYS, self->embedding, self->wide, forcing.translation->english->size,
                                      forcing.translation->french->size},
                      &rng);
    }
    parallel_for(lab->threads, KINDS, train_kind, &forcing);
    tell(lab, &forcing, tests_of(lab, self));
    draw(lab, &forcing);
    for (int kind = 0; kind < KINDS; kind++)
        model_free(forcing.model[kind]);
}
