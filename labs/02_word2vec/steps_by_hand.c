/* steps_by_hand.c: step 2: one update of skip-gram, every number shown.
 *
 * Seven words, vectors of three numbers.  The centre is "into", the neighbour
 * that was there is "banking".  Everything can be redone on paper. */
#include "word2vec.h"

#include <string.h>

#include "maths.h"

enum { V = 7, D = 3 };

static const char *const words[V] = {"problems", "turning", "into", "banking", "crises", "as", "before"};
static const char *const axes[D] = {"1", "2", "3"};

/* W: row w is the vector of word w as a centre.  U: the same as a context. */
typedef struct {
    real W[V][D], U[V][D];
} Tables;

static const Tables START = {
    .W = {{.2, -.4, .1}, {.5, .3, -.2}, {.6, -.1, .4}, {-.3, .7, .2}, {.1, .5, -.6}, {-.2, .2, .3}, {.4, -.5, -.1}},
    .U = {{.3, .1, -.2}, {-.1, .4, .2}, {.2, -.3, .1}, {.5, .2, .6}, {-.4, .1, .3}, {.1, -.2, -.5}, {-.3, .3, -.1}},
};

/* ---- the loss alone, in double, for the check by central differences ------------------ */

/* x points to W and then U: 2 x V x D numbers. */
static double softmax_loss(const double *x, int centre, int context)
{
    double sum = 0, score[V];
    for (int w = 0; w < V; w++) {
        score[w] = 0;
        for (int i = 0; i < D; i++)
            score[w] += x[centre * D + i] * x[(V + w) * D + i];
        sum += exp64(score[w]);
    }
    return log64(sum) - score[context];
}

/* The largest difference between GRADIENT and (L(x + e) - L(x - e)) / 2e. */
static double worst_difference(const Tables *at, const Tables *gradient, int centre, int context)
{
    double x[2 * V * D], g[2 * V * D], worst = 0;
    const double e = 1e-4;
    for (int i = 0; i < V * D; i++) {
        x[i] = (double)at->W[i / D][i % D];
        x[V * D + i] = (double)at->U[i / D][i % D];
        g[i] = (double)gradient->W[i / D][i % D];
        g[V * D + i] = (double)gradient->U[i / D][i % D];
    }
    for (int i = 0; i < 2 * V * D; i++) {
        double keep = x[i];
        x[i] = keep + e;
        double above = softmax_loss(x, centre, context);
        x[i] = keep - e;
        double below = softmax_loss(x, centre, context);
        x[i] = keep;
        double difference = __builtin_fabs((above - below) / (2 * e) - g[i]);
        worst = difference > worst ? difference : worst;
    }
    return worst;
}

/* ---- by hand -------------------------------------------------------------------------- */

static real loss_now(const Tables *t, int centre, int context)
{
    double x[2 * V * D];
    for (int i = 0; i < V * D; i++) {
        x[i] = (double)t->W[i / D][i % D];
        x[V * D + i] = (double)t->U[i / D][i % D];
    }
    return (real)softmax_loss(x, centre, context);
}

/* Forward: one-hot, hidden, scores, softmax, loss.  P gets the probabilities. */
static real forward(Lab *lab, const Tables *t, int centre, int context, real p[V])
{
    Trace *out = lab->trace;
    real x[V] = {0}, h[D] = {0}, s[V], sum = 0;

    trace_equation(out, HERE, "x = one-hot of the centre, \"%s\"", words[centre]);
    x[centre] = 1;
    trace_vector(out, HERE, "x", x, V, words, 0);

    trace_equation(out, HERE, "h = x W: the row of the centre, nothing else");
    for (int w = 0; w < V; w++)
        for (int i = 0; i < D; i++)
            h[i] += x[w] * t->W[w][i];
    trace_vector(out, HERE, "h", h, D, axes, 1);

    trace_equation(out, HERE, "s_w = u_w . h");
    for (int w = 0; w < V; w++) {
        s[w] = 0;
        for (int i = 0; i < D; i++)
            s[w] += t->U[w][i] * h[i];
    }
    trace_vector(out, HERE, "s", s, V, words, 2);

    trace_equation(out, HERE, "p_w = exp(s_w) / sum_v exp(s_v)");
    for (int w = 0; w < V; w++)
        sum += m_exp(s[w]);
    for (int w = 0; w < V; w++)
        p[w] = m_exp(s[w]) / sum;
    trace_vector(out, HERE, "p", p, V, words, 4);

    trace_equation(out, HERE, "L = -log p_%s = -log %.4f", words[context], (double)p[context]);
    real loss = -m_log(p[context]);
    trace(out, "    L = %.4f   (knowing nothing: log 7 = %.4f)\n\n", (double)loss, (double)m_log(V));
    return loss;
}

/* Backward: e = p - y, dL/du_w = e_w h, dL/dh = sum_w e_w u_w. */
static void backward(Lab *lab, const Tables *t, int centre, int context, const real p[V], Tables *gradient)
{
    Trace *out = lab->trace;
    const real *h = t->W[centre];
    real e[V];
    memset(gradient, 0, sizeof *gradient);

    trace_equation(out, HERE, "e_w = dL/ds_w = p_w - 1 if w was there, else p_w");
    for (int w = 0; w < V; w++)
        e[w] = p[w] - (w == context);
    trace_vector(out, HERE, "e", e, V, words, 4);

    trace_equation(out, HERE, "dL/du_w = e_w h");
    for (int w = 0; w < V; w++)
        for (int i = 0; i < D; i++)
            gradient->U[w][i] = e[w] * h[i];
    trace_matrix(out, HERE, "dL/dU", gradient->U[0], V, D, words, axes, 4);

    trace_equation(out, HERE, "dL/dh = sum_w e_w u_w, all of it for the row of \"%s\"", words[centre]);
    for (int w = 0; w < V; w++)
        for (int i = 0; i < D; i++)
            gradient->W[centre][i] += e[w] * t->U[w][i];
    trace_vector(out, HERE, "dL/dh", gradient->W[centre], D, axes, 4);
}

static void update(Lab *lab, Tables *t, const Tables *gradient, int centre, real rate)
{
    Trace *out = lab->trace;
    trace_equation(out, HERE, "u_w <- u_w - %.1f dL/du_w", (double)rate);
    for (int w = 0; w < V; w++)
        for (int i = 0; i < D; i++)
            t->U[w][i] -= rate * gradient->U[w][i];
    trace_matrix(out, HERE, "U", t->U[0], V, D, words, axes, 4);
    trace_equation(out, HERE, "w_%s <- w_%s - %.1f dL/dh", words[centre], words[centre], (double)rate);
    for (int i = 0; i < D; i++)
        t->W[centre][i] -= rate * gradient->W[centre][i];
    trace_vector(out, HERE, "w", t->W[centre], D, axes, 4);
}

/* The same pair by negative sampling: three yes-or-no questions. */
static void noise_by_hand(Lab *lab, const Tables *t, int centre, const int asked[3])
{
    Trace *out = lab->trace;
    const real *h = t->W[centre];
    real s[3], p[3], e[3], loss = 0;
    const char *names[3];
    trace(out,
          "\nThe same question by negative sampling: was it %s (yes), %s or %s (noise: no)?\n"
          "Three rows of U are read and moved, not all seven.\n\n",
          words[asked[0]], words[asked[1]], words[asked[2]]);
    for (int t0 = 0; t0 < 3; t0++) {
        s[t0] = 0;
        names[t0] = words[asked[t0]];
        for (int i = 0; i < D; i++)
            s[t0] += t->U[asked[t0]][i] * h[i];
        p[t0] = m_sigmoid(s[t0]);
        e[t0] = p[t0] - (t0 == 0);
        loss -= m_log(t0 == 0 ? p[t0] : 1 - p[t0]);
    }
    trace_equation(out, HERE, "s_w = u_w . h");
    trace_vector(out, HERE, "s", s, 3, names, 2);
    trace_equation(out, HERE, "p_w = sigmoid(s_w) = 1 / (1 + exp(-s_w))");
    trace_vector(out, HERE, "p", p, 3, names, 4);
    trace_equation(out, HERE, "e_w = p_w - 1 for yes, p_w for no; the rest as above");
    trace_vector(out, HERE, "e", e, 3, names, 4);
    trace_equation(out, HERE, "L = -log p_yes - sum log(1 - p_no)");
    trace(out, "    L = %.4f   (knowing nothing: 3 log 2 = %.4f)\n", (double)loss, (double)(3 * m_log(2)));
}

void step_by_hand(Lab *lab, void *state)
{
    enum { INTO = 2, BANKING = 3 };
    static const int asked[3] = {BANKING, 0, 5};
    const real rate = 1;
    (void)state;
    Tables table = START, gradient;
    real p[V];
    trace(lab->trace, "Skip-gram has two tables: W, whose rows are the vectors of words as centres (the word vectors\n"
                      "in the end), and U, the vectors of words as neighbours.\n\n");
    trace_matrix(lab->trace, HERE, "W", table.W[0], V, D, words, axes, 1);
    trace_matrix(lab->trace, HERE, "U", table.U[0], V, D, words, axes, 1);
    trace(lab->trace, "Forward: how probable is \"banking\" beside \"into\"?\n\n");
    real before = forward(lab, &table, INTO, BANKING, p);
    trace(lab->trace, "Backward: which way should every number move?\n\n");
    backward(lab, &table, INTO, BANKING, p, &gradient);
    double worst = worst_difference(&table, &gradient, INTO, BANKING);
    trace(lab->trace, "Update, one step down the gradient:\n\n");
    update(lab, &table, &gradient, INTO, rate);
    real after = loss_now(&table, INTO, BANKING);
    trace(lab->trace,
          "The same question again: L = %.4f before, %.4f after. Only the row of \"into\" in W moved, but\n"
          "every row of U did: that is what a large vocabulary makes expensive.\n",
          (double)before, (double)after);
    Tables again = START;
    noise_by_hand(lab, &again, INTO, asked);

    claim(lab->claims, (Claim){.id = "update-lowers-loss",
                               .statement = "after one update the same question has a lower loss",
                               .source = "lecture 2: gradient descent",
                               .measured = (double)(after - before),
                               .test = BELOW,
                               .bound = 0});
    claim(lab->claims, (Claim){.id = "gradient-by-hand",
                               .statement = "the gradient by hand agrees with central differences of the loss",
                               .source = "lecture 2: dL/du_w = (p_w - y_w) h, dL/dh = sum (p_w - y_w) u_w",
                               .measured = worst,
                               .test = AT_MOST,
                               .bound = 1e-6});
}
