/* Lab 03. A network with memory, and why it forgets
 *
 * A recurrent network reads a word at a time and keeps what it has read in one
 * vector.  How far back can it learn to remember?  The gradient has to travel
 * the same way back, and at each word it is multiplied by the same matrix:
 * below 1 it dies out, above 1 it blows up.
 *
 * Look for
 *     hidden_states         the same words in another order leave another state
 *     sentiment             what the network thinks of a review, word by word
 *     bptt_flow             which steps a loss can still reach
 *     gradient_by_distance  straight lines on a log scale: a slope for each radius
 *     spectral_radius       that slope is the logarithm of the radius, if nothing saturates
 *     error_surface         one unit, fifty steps: a wall (Pascanu 2013, figure 6)
 *     clipping              the jump off the wall, and the rule that prevents it
 *     recall_vs_lag         what was learned about a door, against how long ago it opened
 *
 * Run
 *     make 03
 *     make 03 ARGS="--review 'the food was not good'"
 *     make 03 ARGS="--step 4 --radius 1.2"
 *     make 03 ARGS="--step 6 --lag 15 --hidden 100"
 *
 * Chapters: byhand.c shapes.c sentiment.c distance.c wall.c lag.c.  Leads to lab
 * 04, where gates decide what to keep. */
#include <math.h>

#include "die.h"
#include "text.h"
#include "vanishing.h"

#include <stdlib.h>

/* Full and --quick. */
static Config config_of(const Lab *lab)
{
    return (Config){
        .reviews = 2000,
        .held_out = 500,
        .epochs = 10,
        .units = 64,
        .inputs = 8,
        .stories = lab_choose(lab, 16, 4),
        .steps = 100,
        .random_radii = lab_choose(lab, 13, 5),
        .clip_runs = lab_choose(lab, 8, 4),
        .clip_steps = lab_choose(lab, 300, 200),
        .recall_runs = lab_choose(lab, 3, 1),
        .recall_steps = lab_choose(lab, 700, 300),
    };
}

double norm_of(const real *x, size_t n)
{
    double squares = 0;
    for (size_t i = 0; i < n; i++)
        squares += (double)x[i] * (double)x[i];
    return sqrt(squares);
}

double slope_of(const real *x, const real *y, int n)
{
    double mean_x = 0, mean_y = 0, xx = 0, xy = 0;
    for (int i = 0; i < n; i++) {
        mean_x += (double)x[i] / n;
        mean_y += (double)y[i] / n;
    }
    for (int i = 0; i < n; i++) {
        xx += ((double)x[i] - mean_x) * ((double)x[i] - mean_x);
        xy += ((double)x[i] - mean_x) * ((double)y[i] - mean_y);
    }
    return xy / xx;
}

/* Looks at the student's review before any step runs. */
static void begin(Lab *lab, void *state)
{
    Vanishing *self = state;
    self->config = config_of(lab);
    if (self->review) {
        int n;
        free(text_split(self->review, "--review", &n));
        if (n == 0)
            die_usage("--review: there is no word in it");
    }
}

static const LabStep steps[] = {
    {"by-hand", "One step of a recurrent network by hand", step_by_hand},
    {"shapes", "One cell, many uses: order, lengths, directions, layers", step_shapes},
    {"sentiment", "Many-to-one for real: is a review good or bad?", step_sentiment},
    {"vanishing", "Backpropagation through time, and what becomes of the gradient", step_vanishing},
    {"exploding", "The wall, the jump, and clipping", step_exploding},
    {"recall", "What vanishing costs: recall over a lag", step_recall},
    {0},
};

int main(int argc, char **argv)
{
    Vanishing self = {.lag = -1, .hidden = 71};
    const LabOption options[] = {
        {.name = "review", .value = "TEXT", .help = "a review of your own for step 3", .text = &self.review},
        {.name = "radius",
         .value = "R",
         .help = "one more radius of the recurrent matrix in step 4",
         .number = &self.radius,
         .low = 0.01,
         .high = 2},
        {.name = "lag",
         .value = "N",
         .help = "one more lag in step 6, in words",
         .whole = &self.lag,
         .low = 0,
         .high = 200},
        {.name = "hidden",
         .value = "N",
         .help = "units of the networks in step 6 (default 71)",
         .whole = &self.hidden,
         .low = 1,
         .high = 512},
        {0},
    };
    return lab_main(argc, argv,
                    &(LabInfo){.stem = "03_vanishing_gradients",
                               .title = "A network with memory, and why it forgets",
                               .question = "A recurrent network keeps what it has read in one vector.  How far back "
                                           "can it learn to remember?",
                               .steps = steps,
                               .options = options,
                               .begin = begin},
                    &self);
}
