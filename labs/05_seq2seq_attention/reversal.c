/* Step 8. Reversing the source (Sutskever 2014, section 3.3). */
#include "seq2seq.h"

void step_reversal(Lab *lab, void *state)
{
    static const ModelId ids[] = {READS_FORWARDS, READS_BACKWARDS};
    Seq2Seq *self = state;
    const Tests *test = tests_of(lab, self);
    models_need(lab, self, ids, 2);
    ByLength result[2] = {by_length(lab, self, READS_FORWARDS), by_length(lab, self, READS_BACKWARDS)};
    trace(lab->trace,
          "Sutskever 2014 fed the plain encoder the source backwards: its first word then stands next to the first\n"
          "French one, and the way is short where the decoder begins. Here are two encoders with one direction, H = "
          "%d:\n\n",
          self->wide);
    trace_table(lab->trace, "English words\tforwards, BLEU\texact\tbackwards, BLEU\texact");
    const char *names[MOST_BUCKETS];
    real bleu[2][MOST_BUCKETS];
    double gain = 0;
    for (int i = 0; i < test->buckets; i++) {
        names[i] = test->name[i];
        for (int r = 0; r < 2; r++)
            bleu[r][i] = (real)result[r].bleu[i];
        trace_row(lab->trace, "%s\t%.1f\t%.3f\t%.1f\t%.3f", names[i], result[0].bleu[i], result[0].exact[i],
                  result[1].bleu[i], result[1].exact[i]);
        gain += i < test->trained ? (result[1].bleu[i] - result[0].bleu[i]) / test->trained : 0;
    }
    trace_table_end(lab->trace);
    trace(
        lab->trace,
        "\nBackwards gains %.1f BLEU on average over the lengths trained on. The trick shortens the way to the first\n"
        "words and lengthens it to the last; where GRUs bridge a sentence of this length anyway there is nothing\n"
        "to gain. Attention makes the way to every word equally short.\n",
        gain);
    Figure *figure = figure_begin(lab->figures, "reversed_source", "The plain encoder reads forwards or backwards");
    Panel *panel = figure_panel(figure, NULL, "English words", "BLEU");
    panel_range_y(panel, 0, 110);
    panel_bars(panel, "forwards", names, bleu[0], NULL, test->buckets);
    panel_bars(panel, "backwards", names, bleu[1], NULL, test->buckets);
    figure_end(figure);
    claim(lab->claims,
          (Claim){.id = "reversal-gains-nothing",
                  .source = "Sutskever 2014, section 3.3: reversing the source helps",
                  .statement = "here the plain encoder gains nothing by reading the source backwards (mean BLEU)",
                  .measured = gain,
                  .test = AT_MOST,
                  .bound = 2,
                  .corrects = true,
                  .skipped = lab->quick ? "the models are trained for too few steps" : NULL});
}
