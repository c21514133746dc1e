/* The task of recall: stories as promised, nothing but the door tells the
 * answer, rows of different length, and networks that learn it. */
#include "recall.h"
#include "test.h"

#include <math.h>

static RecallSetting small(CellKind kind, int lag)
{
    RecallSetting setting = recall_setting(kind, lag);
    setting.steps = 400;
    return setting;
}

START_TEST(stories_read_as_promised)
{
    Rng rng = rng_new(1, "stories");
    RecallBatch english = recall_batch_new(RECALL_ENGLISH, 7, 7, 1, &rng);
    RecallBatch korean = recall_batch_new(RECALL_KOREAN, 4, 4, 1, &rng);
    char *text = recall_text(RECALL_ENGLISH, &english, 0), colour[3][32], thing[32], deed[32];
    int end = 0;
    ck_assert_int_eq(sscanf(text, "the %31s door opened a %31s %31s %31s by a %31s so i entered the%n", colour[0],
                            colour[1], thing, deed, colour[2], &end),
                     5);
    ck_assert_int_eq(end, (int)strlen(text));
    ck_assert_str_eq(colour[0], recall_word(RECALL_ENGLISH, english.answers[0]));
    free(text);
    text = recall_text(RECALL_KOREAN, &korean, 0);
    end = 0;
    ck_assert_int_eq(sscanf(text, "%31s 문을 열고 %31s %31s %31s %31s 그래서 내가 들어간 곳은%n", colour[0], colour[1],
                            thing, deed, colour[2], &end),
                     5);
    ck_assert_int_eq(end, (int)strlen(text));
    ck_assert_str_eq(colour[0], recall_word(RECALL_KOREAN, korean.answers[0]));
    free(text);
    recall_batch_free(&english);
    recall_batch_free(&korean);
}
END_TEST

START_TEST(the_distance_is_the_lag_and_six)
{
    for (RecallLanguage language = 0; language < RECALL_LANGUAGES; language++) {
        Rng rng = rng_new(2, "lengths");
        RecallBatch batch = recall_batch_new(language, 0, 30, 200, &rng);
        int shortest = 1000;
        for (int row = 0; row < batch.batch; row++) {
            shortest = batch.lengths[row] < shortest ? batch.lengths[row] : shortest;
            ck_assert_int_eq(batch.ids[recall_cue(language) * batch.batch + row], batch.answers[row]);
        }
        ck_assert_int_eq(shortest, recall_length(language, 0));
        ck_assert_int_eq(batch.steps, recall_length(language, 30));
        ck_assert_int_eq(recall_length(language, 30) - 1 - recall_cue(language), 30 + RECALL_AROUND);
        for (int i = 0; i < batch.steps * batch.batch; i++)
            ck_assert_ptr_nonnull(recall_word(language, batch.ids[i]));
        ck_assert_ptr_null(recall_word(language, recall_words(language)));
        recall_batch_free(&batch);
    }
}
END_TEST

/* The colours that pass by say nothing about the door: each is the door's in an
 * eighth of all cases, and the one seen most often is no better a guess. */
START_TEST(only_the_door_tells)
{
    Rng rng = rng_new(3, "independence");
    enum { STORIES = 8000 };
    RecallBatch batch = recall_batch_new(RECALL_ENGLISH, 40, 40, STORIES, &rng);
    int of_answer[RECALL_COLOURS] = {0}, same = 0, passing = 0, unmentioned_right = 0, unmentioned = 0;
    for (int row = 0; row < STORIES; row++) {
        int seen[RECALL_COLOURS] = {0}, missing = 0;
        of_answer[batch.answers[row]]++;
        for (int t = 4; t < 44; t++) {
            int id = batch.ids[t * STORIES + row];
            if (id < RECALL_COLOURS) {
                seen[id]++;
                same += id == batch.answers[row];
                passing++;
            }
        }
        for (int c = 0; c < RECALL_COLOURS; c++)
            missing += !seen[c];
        unmentioned += missing;
        unmentioned_right += !seen[batch.answers[row]];
    }
    double chance = recall_chance();
    for (int c = 0; c < RECALL_COLOURS; c++)
        ck_assert_double_eq_tol(of_answer[c] / (double)STORIES, chance, 0.015);
    ck_assert_int_eq(passing, 8 * STORIES);
    ck_assert_double_eq_tol(same / (double)passing, chance, 0.01);
    ck_assert_double_eq_tol(unmentioned_right / (double)unmentioned, chance, 0.02);
    recall_batch_free(&batch);
}
END_TEST

/* A row of a batch with longer rows scores as it does alone. */
START_TEST(padding_changes_nothing)
{
    for (CellKind kind = CELL_RNN; kind <= CELL_GRU; kind++) {
        Rng rng = rng_new(4, "padding");
        RecallSetting setting = recall_setting(kind, 12);
        RecallModel *model = recall_model_new(&setting, &rng);
        RecallBatch batch = recall_batch_new(RECALL_ENGLISH, 0, 12, 6, &rng);
        Tape *tape = tape_new(1);
        Tensor *together =
            recall_scores(tape, model, recall_states(tape, model, recall_inputs(tape, model, &batch), &batch));
        for (int row = 0; row < batch.batch; row++) {
            int ids[64], words = tensor_columns(together);
            for (int t = 0; t < batch.lengths[row]; t++)
                ids[t] = batch.ids[t * batch.batch + row];
            RecallBatch one = {batch.lengths[row], 1, ids, &batch.lengths[row], &batch.answers[row]};
            Tensor *alone =
                recall_scores(tape, model, recall_states(tape, model, recall_inputs(tape, model, &one), &one));
            ck_assert_mem_eq(alone->data, together->data + row * words, words * sizeof(real));
        }
        tape_free(tape);
        recall_batch_free(&batch);
        recall_model_free(model);
    }
}
END_TEST

START_TEST(gates_start_as_asked)
{
    Rng rng = rng_new(5, "gates");
    RecallSetting setting = recall_setting(CELL_LSTM, 94);
    RecallModel *lstm = recall_model_new(&setting, &rng);
    double open = log(100);
    ck_assert_double_eq_tol((double)lstm->layer.bias->data[LSTM_FORGET * setting.hidden], open, 1e-5);
    ck_assert_double_eq_tol((double)lstm->layer.bias->data[LSTM_INPUT * setting.hidden], -open, 1e-5);
    recall_model_free(lstm);
    setting = recall_setting(CELL_GRU, 94);
    setting.gates = GATES_ONE;
    RecallModel *gru = recall_model_new(&setting, &rng);
    ck_assert_double_eq_tol((double)gru->layer.bias->data[GRU_UPDATE * setting.hidden], 1, 1e-6);
    recall_model_free(gru);
    setting = recall_setting(CELL_RNN, 94);
    setting.radius = 0.5;
    RecallModel *rnn = recall_model_new(&setting, &rng);
    double row = 0;
    for (int j = 0; j < setting.hidden; j++)
        row += (double)rnn->layer.weight->data[j] * (double)rnn->layer.weight->data[j];
    ck_assert_double_eq_tol(sqrt(row), 0.5, 1e-4);
    recall_model_free(rnn);
}
END_TEST

/* Each cell learns a short lag in both languages, and two threads change nothing. */
START_TEST(networks_learn_a_short_lag)
{
    for (CellKind kind = CELL_RNN; kind <= CELL_GRU; kind++) {
        uint64_t hash[2];
        for (int threads = 1; threads <= 2; threads++) {
            Rng rng = rng_new(6, "short");
            RecallSetting setting = small(kind, 4);
            setting.language = kind == CELL_GRU ? RECALL_KOREAN : RECALL_ENGLISH;
            RecallModel *model = recall_model_new(&setting, &rng);
            RecallResult result = recall_train(model, &rng, threads);
            ck_assert_double_ge(result.accuracy, 0.98);
            ck_assert_int_lt(result.steps, setting.steps);
            ck_assert(!result.diverged && result.largest_norm > 0);
            hash[threads - 1] = parameters_hash(model->parameters);
            recall_model_free(model);
        }
        ck_assert_uint_eq(hash[0], hash[1]);
    }
}
END_TEST

START_TEST(an_untrained_network_guesses)
{
    Rng rng = rng_new(7, "untrained");
    RecallSetting setting = small(CELL_GRU, 20);
    setting.steps = 0;
    RecallModel *model = recall_model_new(&setting, &rng);
    RecallResult result = recall_train(model, &rng, 1);
    ck_assert_double_le(result.accuracy, recall_chance() + 0.05);
    ck_assert_int_eq(result.steps, 0);
    recall_model_free(model);
}
END_TEST

START_TEST(a_lag_below_zero_is_misuse)
{
    Rng rng = rng_new(8, "misuse");
    recall_batch_new(RECALL_ENGLISH, -1, 4, 2, &rng);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("recall");
    test_add(suite, "stories_read_as_promised", stories_read_as_promised);
    test_add(suite, "the_distance_is_the_lag_and_six", the_distance_is_the_lag_and_six);
    test_add(suite, "only_the_door_tells", only_the_door_tells);
    test_add(suite, "padding_changes_nothing", padding_changes_nothing);
    test_add(suite, "gates_start_as_asked", gates_start_as_asked);
    test_add(suite, "networks_learn_a_short_lag", networks_learn_a_short_lag);
    test_add(suite, "an_untrained_network_guesses", an_untrained_network_guesses);
    test_add_exit(suite, "a_lag_below_zero_is_misuse", a_lag_below_zero_is_misuse, 1);
    return test_run(suite);
}
