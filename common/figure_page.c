/* figure_page.c: what every panel is made of: words, axes, and the labels around
 * them. */
#define _GNU_SOURCE
#include "figure_page.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "maths.h"
#include "memory.h"
#include "text.h"

/* ---- words ------------------------------------------------------------------- */

/* About how wide a letter is drawn, in ems; rather too wide than too narrow. */
static double letter_width(uint32_t c)
{
    if (c >= 0x1f000 && c < 0x20000)
        return 1.35; /* emoji */
    if (c >= 0x1100)
        return c >= 0x2000 && c < 0x2e80 ? 0.8 : 1.0;
    if (c >= 0x80)
        return 0.7;
    if (c && strchr("iljtfrI.,:;'|!()[] ", (int)c))
        return 0.38;
    if (strchr("WM%@", (int)c))
        return 0.97;
    if ((c >= 'A' && c <= 'Z') || strchr("mw&", (int)c))
        return 0.8;
    return 0.6;
}

double page_pixels(double points)
{
    return points * 4 / 3;
}

/* The next letter of TEXT, which is valid UTF-8 by now. */
static int next_letter(const char *text, uint32_t *c)
{
    int size = utf8_decode(text, strlen(text), c);
    return size > 0 ? size : 1;
}

double page_text_width(const char *text, double points)
{
    double width = 0;
    uint32_t c;
    while (text && *text) {
        text += next_letter(text, &c);
        width += letter_width(c);
    }
    return width * page_pixels(points);
}

/* Puts a word into the block, shortened to MOST pixels; returns its number. */
static int add_word(Page *page, const char *text, double points, double most)
{
    bool whole = page_text_width(text, points) <= most;
    double room = (most - page_pixels(points)) / page_pixels(points);
    fputc('=', page->words);
    while (*text) {
        uint32_t c;
        int size = next_letter(text, &c);
        room -= letter_width(c);
        if (!whole && room < 0) {
            fputs(page->dots, page->words);
            break;
        }
        fprintf(page->words, "%.*s", size, text);
        text += size;
    }
    fputc('\n', page->words);
    return ++page->word_count;
}

double page_x(const Page *page, double x)
{
    return x / page->width;
}

double page_y(const Page *page, double y)
{
    return 1 - y / page->height;
}

/* TEXT at (X, Y): ALIGN is left, center or right; ANGLE in degrees. */
void page_text(Page *page, const char *text, double x, double y, const char *align, int angle, double points,
               const char *style, double most)
{
    if (!text || !*text)
        return;
    int word = add_word(page, text, points, most);
    fprintf(page->body, "set label %d say(%d) at screen %.5f, screen %.5f %s rotate by %d font '%s%s,%.3g' ",
            ++page->tags, word, page_x(page, x), page_y(page, y), align, angle, page->font, style, points);
    fprintf(page->body, "tc rgb '#222222' noenhanced front\n");
}

/* A title in one line, or in two if it is long. */
void page_title(Page *page, const char *text, double x, double y, double points, double most)
{
    if (!text || page_text_width(text, points) <= most) {
        page_text(page, text, x, y, "center", 0, points, ":Bold", most);
        return;
    }
    char *first = memory_copy_text(text);
    char *space = NULL;
    for (char *c = first; *c; c++)
        if (*c == ' ') {
            *c = '\0';
            if (page_text_width(first, points) <= most)
                space = c;
            *c = ' ';
        }
    if (space)
        *space = '\0';
    page_text(page, first, x, y, "center", 0, points, ":Bold", most);
    if (space)
        page_text(page, space + 1, x, y + LINE_HEIGHT, "center", 0, points, ":Bold", most);
    free(first);
}

double page_title_height(const char *text, double points, double most)
{
    if (!text || !*text)
        return GAP;
    return page_text_width(text, points) <= most ? LINE_HEIGHT + GAP : 2 * LINE_HEIGHT + GAP;
}

/* ---- axes ---------------------------------------------------------------------- */

void axis_stretch(Axis *axis, double value)
{
    if (!isfinite(value) || (axis->log && value <= 0))
        return;
    axis->low = fmin(axis->low, value);
    axis->high = fmax(axis->high, value);
}

/* Room around the data: a fraction of the range on each side. */
void axis_pad(Axis *axis, double before, double after)
{
    if (axis->low > axis->high) { /* no data that can be drawn */
        axis->low = axis->log ? 1 : 0;
        axis->high = axis->log ? 10 : 1;
    }
    if (axis->log) {
        double ratio = log64(axis->high / axis->low);
        ratio = ratio < 0.1 ? 0.7 : ratio;
        axis->low *= exp64(-before * ratio);
        axis->high *= exp64(after * ratio);
        return;
    }
    double range = axis->high - axis->low;
    if (!(range > fabs(axis->high) * 1e-9)) {
        range = fabs(axis->high) > 0 ? fabs(axis->high) : 1;
        before = after = 0.5;
    }
    axis->low -= before * range;
    axis->high += after * range;
}

void axis_choose(Axis *axis, double low, double high)
{
    if (!(low < high) || (axis->log && low <= 0))
        return;
    axis->low = low;
    axis->high = high;
}

/* Round numbers 1, 2, 5 x 10^k apart, at most MOST of them. */
static void linear_tics(Axis *axis, int most)
{
    double range = axis->high - axis->low, step = 1;
    static const double up[] = {2, 2.5, 2};
    while (step > range / most)
        step /= 10;
    for (int i = 0; range / step > most; i++)
        step *= up[i % 3];
    double first = ceil(axis->low / step - 1e-9);
    for (int i = 0; axis->tics < MOST_TICS && (first + i) * step <= axis->high + 1e-9 * step; i++)
        axis->tic[axis->tics++] = (first + i) * step;
}

static double power_of_ten(int exponent)
{
    double power = 1;
    for (; exponent > 0; exponent--)
        power *= 10;
    for (; exponent < 0; exponent++)
        power /= 10;
    return power;
}

/* The largest power of ten that is not above VALUE. */
static int exponent_below(double value)
{
    int exponent = 0;
    while (power_of_ten(exponent) > value)
        exponent--;
    while (power_of_ten(exponent + 1) <= value)
        exponent++;
    return exponent;
}

/* Powers of ten, fewer if there are many, with 2 and 5 between if few. */
static void log_tics(Axis *axis, int most)
{
    static const double between[] = {1, 2, 5};
    int first = exponent_below(axis->low), last = exponent_below(axis->high);
    int powers = last - first + 1, skip = powers <= most ? 1 : (powers + most - 1) / most;
    for (int exponent = first; exponent <= last; exponent++)
        for (int m = 0; m < 3; m++) {
            double tic = power_of_ten(exponent) * between[m];
            bool wanted = m == 0 ? (exponent - first) % skip == 0 : powers <= 2;
            if (wanted && tic >= axis->low * 0.999999 && tic <= axis->high * 1.000001 && axis->tics < MOST_TICS)
                axis->tic[axis->tics++] = tic;
        }
}

void axis_tics(Axis *axis, double length, double apart)
{
    int most = (int)(length / apart);
    most = most < 2 ? 2 : most > 12 ? 12 : most;
    axis->tics = 0;
    if (axis->log)
        log_tics(axis, most);
    else
        linear_tics(axis, most);
}

/* "1e+06" as "1e6". */
void page_shorten_exponent(char *text)
{
    char *e = strchr(text, 'e');
    if (!e)
        return;
    char *from = e + 1, *to = e + 1;
    if (*from == '-')
        *to++ = *from;
    from += strspn(from, "+-0");
    memmove(to, from, strlen(from) + 1);
}

void page_tic_text(char text[32], double value)
{
    snprintf(text, 32, "%.6g", fabs(value) < 1e-12 ? 0.0 : value);
    page_shorten_exponent(text);
}

static double widest_tic(const Axis *axis)
{
    double widest = 0;
    char text[32];
    for (int i = 0; i < axis->tics; i++) {
        page_tic_text(text, axis->tic[i]);
        widest = fmax(widest, page_text_width(text, TIC));
    }
    return widest;
}

/* Where VALUE lies between 0 (low) and 1 (high). */
static double along(const Axis *axis, double value)
{
    if (axis->log)
        return log64(value / axis->low) / log64(axis->high / axis->low);
    return (value - axis->low) / (axis->high - axis->low);
}

void page_axis(Page *page, const char *name, const Axis *axis, bool labels)
{
    fprintf(page->body, "set %srange [%.9g:%.9g]\n", name, axis->low, axis->high);
    fprintf(page->body, axis->log ? "set logscale %s\n" : "unset logscale %s\n", name);
    if (!labels) {
        fprintf(page->body, "unset %stics\n", name);
        return;
    }
    fprintf(page->body, "set %stics scale 0.6 nomirror font '%s,%d' tc rgb '#222222' (", name, page->font, TIC);
    for (int i = 0; i < axis->tics; i++) {
        char text[32];
        page_tic_text(text, axis->tic[i]);
        fprintf(page->body, "%s'%s' %.9g", i ? ", " : "", text, fabs(axis->tic[i]) < 1e-12 ? 0.0 : axis->tic[i]);
    }
    fprintf(page->body, ")\n");
}

/* ---- the plot and its surroundings ------------------------------------------- */

double view_x(const View *view, double x)
{
    return view->plot.left + along(&view->x, x) * (view->plot.right - view->plot.left);
}

double view_y(const View *view, double y)
{
    return view->plot.bottom - along(&view->y, y) * (view->plot.bottom - view->plot.top);
}

bool view_shows(const View *view, double x, double y)
{
    return isfinite(x) && isfinite(y) && !(view->x.log && x <= 0) && !(view->y.log && y <= 0) && x >= view->x.low &&
           x <= view->x.high && y >= view->y.low && y <= view->y.high;
}

/* Leaves room in BOX for labels and key; what is left is the plot. */
void view_frame(const Panel *panel, View *view, Box box)
{
    double key_right = panel->key == KEY_OUTSIDE ? key_width(panel, (box.right - box.left) * 0.4) : 0;
    double height = box.bottom - box.top;
    axis_tics(&view->y, height - 150, 52);
    view->plot.top = box.top + page_title_height(panel->title, PANEL_TITLE, box.right - box.left - 2 * GAP);
    view->plot.bottom = box.bottom - GAP - key_height(panel, box.right - box.left - 2 * GAP) - TIC_ROOM -
                        (panel->x_label ? LINE_HEIGHT : 0);
    view->plot.left = box.left + GAP + (panel->y_label ? LINE_HEIGHT : 0) + widest_tic(&view->y) + GAP;
    view->plot.right = box.right - 2.5 * GAP - key_right;
    axis_tics(&view->x, view->plot.right - view->plot.left, 80);
    double apart = widest_tic(&view->x) + 3 * GAP;
    if (apart > 80)
        axis_tics(&view->x, view->plot.right - view->plot.left, apart);
}

void page_margins(Page *page, const Box *plot)
{
    fprintf(page->body, "set lmargin at screen %.5f\nset rmargin at screen %.5f\n", page_x(page, plot->left),
            page_x(page, plot->right));
    fprintf(page->body, "set tmargin at screen %.5f\nset bmargin at screen %.5f\n", page_y(page, plot->top),
            page_y(page, plot->bottom));
}

/* The place nearest to MIDDLE where something of twice HALF fits between LOW
 * and HIGH. */
static double inside(double middle, double half, double low, double high)
{
    return fmax(fmin(middle, high - half), low + half);
}

/* Title and axis labels, around the plot and centred on it as far as BOX has
 * room; BELOW is where the tics' labels end. */
void page_labels(Page *page, const Panel *panel, const Box *box, const Box *plot, double below)
{
    double width = box->right - box->left - 2 * GAP, title = fmin(page_text_width(panel->title, PANEL_TITLE), width);
    page_title(page, panel->title, inside((plot->left + plot->right) / 2, title / 2, box->left + GAP, box->right - GAP),
               box->top + LINE_HEIGHT / 2.0 + 2, PANEL_TITLE, width);
    if (panel->x_label) {
        double most = fmin(page_text_width(panel->x_label, AXIS), width);
        double middle = inside((plot->left + plot->right) / 2, most / 2, box->left + GAP, box->right - GAP);
        page_text(page, panel->x_label, middle, below + LINE_HEIGHT / 2.0, "center", 0, AXIS, "", most);
    }
    if (panel->y_label) {
        double bottom = panel->key == KEY_BELOW && key_entries(panel) ? below : box->bottom - GAP;
        double most = fmin(page_text_width(panel->y_label, AXIS), bottom - box->top - GAP);
        double middle = inside((plot->top + plot->bottom) / 2, most / 2, box->top + GAP, bottom);
        page_text(page, panel->y_label, box->left + GAP / 2.0 + LINE_HEIGHT / 2.0, middle, "center", 90, AXIS, "",
                  most);
    }
}

void page_number(FILE *stream, double value)
{
    if (isfinite(value))
        fprintf(stream, " %.9g", value);
    else
        fputs(" NaN", stream);
}

/* ---- labels under an axis ------------------------------------------------------- */

/* The blank at which TEXT is best broken in two, NULL if it has none. */
static const char *middle_blank(const char *text, double points, double *width)
{
    const char *best = NULL;
    double whole = page_text_width(text, points), before = 0;
    *width = whole;
    for (const char *c = text; *c;) {
        uint32_t letter;
        if (*c == ' ' && fmax(before, whole - before) < *width) {
            *width = fmax(before, whole - before);
            best = c;
        }
        c += next_letter(c, &letter);
        before += letter_width(letter) * page_pixels(points);
    }
    return best;
}

static double widest_label(char *const *labels, int n, int lines, double points)
{
    double widest = 0;
    for (int i = 0; i < n; i++) {
        double width = page_text_width(labels[i], points);
        if (lines == 2)
            middle_blank(labels[i], points, &width);
        widest = fmax(widest, width);
    }
    return widest;
}

Under page_lay_under(char *const *labels, int n, double apart, double most)
{
    Under under = {TIC, fmax(most, apart - GAP), TIC_ROOM, 1, 0, 1};
    double widest = widest_label(labels, n, 1, TIC);
    if (n == 0 || widest + GAP <= apart)
        return under;
    if (widest_label(labels, n, 2, TIC) + GAP <= apart) {
        under.lines = 2;
        under.depth += LINE_HEIGHT;
        return under;
    }
    while (under.points > SMALLEST && page_pixels(under.points) * 1.1 > apart)
        under.points--;
    while (page_pixels(under.points) * 1.1 > apart * under.every)
        under.every++;
    widest = fmin(widest * under.points / TIC, under.most);
    under.angle = apart >= 1.7 * page_pixels(under.points) ? 40 : 90;
    under.depth = under.angle == 90 ? widest + 1.5 * GAP : widest * 0.66 + 2 * GAP;
    return under;
}

static void put_two_lines(Page *page, const char *text, double x, double y, const Under *under)
{
    double width;
    const char *blank = middle_blank(text, under->points, &width);
    char *copy = memory_copy_text(text);
    if (blank && under->lines == 2)
        copy[blank - text] = '\0';
    page_text(page, copy, x, y, "center", 0, under->points, "", under->most);
    if (blank && under->lines == 2)
        page_text(page, copy + (blank - text) + 1, x, y + LINE_HEIGHT, "center", 0, under->points, "", under->most);
    free(copy);
}

void page_under(Page *page, char *const *labels, int n, const Under *under, double left, double apart, double top)
{
    for (int i = 0; i < n; i += under->every) {
        double x = left + (i + 0.5) * apart;
        if (under->angle == 0)
            put_two_lines(page, labels[i], x, top + 6 + LINE_HEIGHT / 2.0, under);
        else
            page_text(page, labels[i], x + (under->angle == 40 ? 4 : 0), top + 10, "right", under->angle, under->points,
                      "", under->most);
    }
}
