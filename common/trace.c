/* trace.c: one formatter, two readers: the terminal (with colour) and trace.txt
 * (without).
 *
 * Text is laid out once, with marks for the styles in it (bytes that no text
 * has, since control bytes are made visible on the way in), and the marks
 * become escape sequences for the terminal and nothing for the file. */
#include "trace.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "files.h"
#include "memory.h"
#include "text.h"

/* Style marks. */
#define PLAIN "\001"
#define BOLD "\002"
#define DIM "\003"
#define GREEN "\004"
#define YELLOW "\005"
#define RED "\006"
static const char *const escape_of[] = {"", "\033[0m", "\033[1m", "\033[2m", "\033[32m", "\033[33m", "\033[31m"};

enum { SOURCE_COLUMN = 72, MOST_SHOWN = 12, MOST_COLUMNS = 64 };

typedef struct {
    char *bytes;
    size_t length, capacity;
} Buffer;

struct Trace {
    bool quiet, colour;
    Output *file;
    char *folder;
    Buffer table;   /* cells ended by '\0', rows one after another */
    int columns;    /* of the table being collected, 0: none */
    int table_rows; /* with the heading */
    Buffer timing;  /* lines of timing.tsv */
};

static void buffer_add(Buffer *buffer, const char *bytes, size_t length)
{
    if (buffer->length + length + 1 > buffer->capacity) {
        buffer->capacity = 2 * (buffer->length + length + 1);
        buffer->bytes = memory_resize(buffer->bytes, buffer->capacity, 1, "the trace");
    }
    if (length)
        memcpy(buffer->bytes + buffer->length, bytes, length);
    buffer->length += length;
    buffer->bytes[buffer->length] = '\0';
}

static void buffer_say(Buffer *buffer, const char *text)
{
    buffer_add(buffer, text, strlen(text));
}

/* Ends a line, without blanks at its end. */
static void buffer_end_line(Buffer *buffer)
{
    while (buffer->length && buffer->bytes[buffer->length - 1] == ' ')
        buffer->length--;
    buffer_say(buffer, "\n");
}

static void buffer_pad(Buffer *buffer, int columns)
{
    for (; columns > 0; columns--)
        buffer_add(buffer, " ", 1);
}

/* printf into memory of its own. */
static char *format_text(const char *format, va_list arguments)
{
    va_list again;
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments); // NOLINT(clang-analyzer-valist.Uninitialized): it is
    char *text = memory_resize(NULL, (size_t)length + 1, 1, "a line of the trace");
    vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    return text;
}

/* Control bytes in a user's words must not steer the terminal: they are shown
 * as Unicode's pictures of them (U+2400 ...).  KEEP are let through. */
static void add_visibly(Buffer *buffer, const char *text, const char *keep)
{
    for (; *text; text++) {
        unsigned char byte = (unsigned char)*text;
        char picture[3] = {'\xe2', '\x90', (char)(0x80 + (byte == 0x7f ? 0x21 : byte))};
        if ((byte < 0x20 || byte == 0x7f) && !strchr(keep, byte))
            buffer_add(buffer, picture, 3);
        else if (byte == 0xc2 && (unsigned char)text[1] >= 0x80 && (unsigned char)text[1] < 0xa0)
            buffer_say(buffer, "\xef\xbf\xbd"), text++; /* U+0080 ... U+009F: controls too */
        else
            buffer_add(buffer, text, 1);
    }
}

/* ---- where it goes ----------------------------------------------------------- */

Trace *trace_open(const char *folder, bool quiet)
{
    Trace *trace = memory_new(1, sizeof *trace, "the trace");
    char *path = path_join(folder, "trace", ".txt");
    const char *no_colour = getenv("NO_COLOR");
    const char *terminal = getenv("TERM");
    trace->quiet = quiet;
    trace->colour = isatty(STDOUT_FILENO) && !(no_colour && *no_colour) && !(terminal && strcmp(terminal, "dumb") == 0);
    trace->folder = memory_copy_text(folder);
    trace->file = output_open(path);
    free(path);
    return trace;
}

/* Nobody reads any more (`lab | head`): a quiet end.  Else say why. */
static void check_terminal(void)
{
    if (!ferror(stdout))
        return;
    int error = errno;
    clearerr(stdout);
    if (error == EPIPE)
        exit(1);
    die("cannot write to standard output: %s", strerror(error));
}

static void put_marked(FILE *stream, const char *text, bool colour)
{
    for (; *text; text++) {
        if (*text > *RED || *text < *PLAIN)
            putc(*text, stream);
        else if (colour)
            fputs(escape_of[(int)*text], stream);
    }
}

static void put(Trace *trace, const char *text, bool file_too)
{
    if (!trace->quiet) {
        put_marked(stdout, text, trace->colour);
        fflush(stdout); /* it is read as it happens, through a pipe too */
        check_terminal();
    }
    if (file_too)
        put_marked(output_stream(trace->file), text, false);
}

static void put_buffer(Trace *trace, Buffer *buffer)
{
    put(trace, buffer->bytes ? buffer->bytes : "", true);
    free(buffer->bytes);
}

static void write_timing(Trace *trace)
{
    if (!trace->timing.bytes)
        return;
    char *path = path_join(trace->folder, "timing", ".tsv");
    Output *output = output_open(path);
    fprintf(output_stream(output), "name\tvalue\tunit\n%s", trace->timing.bytes);
    output_close(output);
    free(path);
}

void trace_close(Trace *trace)
{
    if (trace->columns)
        trace_table_end(trace);
    if (!trace->quiet) {
        fflush(stdout);
        check_terminal();
    }
    output_close(trace->file);
    write_timing(trace);
    free(trace->timing.bytes);
    free(trace->folder);
    free(trace);
}

/* ---- text --------------------------------------------------------------------- */

void trace(Trace *trace, const char *format, ...)
{
    va_list arguments;
    Buffer out = {0};
    va_start(arguments, format);
    char *text = format_text(format, arguments);
    va_end(arguments);
    add_visibly(&out, text, "\n\t");
    free(text);
    put_buffer(trace, &out);
}

void trace_aside(Trace *trace, const char *format, ...)
{
    va_list arguments;
    Buffer out = {0};
    va_start(arguments, format);
    char *text = format_text(format, arguments);
    va_end(arguments);
    buffer_say(&out, DIM);
    add_visibly(&out, text, "\n\t");
    buffer_say(&out, PLAIN);
    free(text);
    put(trace, out.bytes, false);
    free(out.bytes);
}

void trace_heading(Trace *trace, const char *format, ...)
{
    va_list arguments;
    Buffer out = {0};
    va_start(arguments, format);
    char *text = format_text(format, arguments);
    va_end(arguments);
    buffer_say(&out, "\n" BOLD);
    add_visibly(&out, text, "");
    buffer_say(&out, PLAIN "\n");
    for (int i = text_width(text); i > 0; i--)
        buffer_say(&out, "=");
    buffer_say(&out, "\n\n");
    free(text);
    put_buffer(trace, &out);
}

/* TEXT, indented, and the line of source at the right. */
static void add_with_source(Buffer *out, Where where, const char *text, const char *style)
{
    char source[300];
    snprintf(source, sizeof source, "%s:%d", where_file(where), where.line);
    buffer_say(out, "    ");
    buffer_say(out, style);
    add_visibly(out, text, "");
    buffer_say(out, PLAIN);
    int gap = SOURCE_COLUMN - 4 - text_width(text);
    buffer_pad(out, gap < 2 ? 2 : gap);
    buffer_say(out, DIM);
    buffer_say(out, source);
    buffer_say(out, PLAIN "\n");
}

void trace_equation(Trace *trace, Where where, const char *format, ...)
{
    va_list arguments;
    Buffer out = {0};
    va_start(arguments, format);
    char *text = format_text(format, arguments);
    va_end(arguments);
    add_with_source(&out, where, text, "");
    free(text);
    put_buffer(trace, &out);
}

void trace_mark(Trace *trace, TraceColour colour, const char *word, int width, const char *format, ...)
{
    static const char *const style[] = {PLAIN, GREEN, YELLOW, RED, DIM};
    va_list arguments;
    Buffer out = {0};
    va_start(arguments, format);
    char *text = format_text(format, arguments);
    va_end(arguments);
    buffer_say(&out, "  ");
    buffer_say(&out, style[colour]);
    add_visibly(&out, word, "");
    buffer_say(&out, PLAIN);
    buffer_pad(&out, width - text_width(word));
    add_visibly(&out, text, "\n\t");
    free(text);
    put_buffer(trace, &out);
}

void trace_wrapped(Trace *trace, int indent, int width, const char *text)
{
    Buffer out = {0};
    int column = 0;
    while (*text) {
        size_t length = strcspn(text, " \n");
        char *word = memory_resize(NULL, length + 1, 1, "a word");
        memcpy(word, text, length);
        word[length] = '\0';
        int columns = text_width(word);
        if (length && column && column + 1 + columns > width) {
            buffer_say(&out, "\n");
            column = 0;
        }
        if (length) {
            buffer_pad(&out, column ? 1 : indent);
            column += column ? 1 + columns : indent + columns;
            add_visibly(&out, word, "");
        }
        free(word);
        text += length + (text[length] != '\0');
    }
    buffer_say(&out, "\n");
    put_buffer(trace, &out);
}

/* ---- matrices ------------------------------------------------------------------- */

/* The index shown at place I of those shown, or -1 for the gap in the middle. */
static int shown(int i, int n)
{
    if (n <= MOST_SHOWN)
        return i;
    if (i < MOST_SHOWN / 2)
        return i;
    return i == MOST_SHOWN / 2 ? -1 : n - MOST_SHOWN + i - 1;
}

static int shown_count(int n)
{
    return n <= MOST_SHOWN ? n : MOST_SHOWN + 1;
}

static void number_text(char *text, size_t size, double value, int decimals)
{
    if (isnan(value))
        snprintf(text, size, "nan"); /* printf's own has a sign on some systems */
    else if (isinf(value))
        snprintf(text, size, value > 0 ? "inf" : "-inf");
    else
        snprintf(text, size, "%.*f", decimals, value);
    if (text[0] == '-' && strspn(text, "-0.") == strlen(text))
        memmove(text, text + 1, strlen(text)); /* "-0.00" */
}

static void add_cell(Buffer *out, const char *text, int width, bool right)
{
    int gap = width - text_width(text);
    if (right)
        buffer_pad(out, gap);
    add_visibly(out, text, "");
    if (!right)
        buffer_pad(out, gap);
}

static int widest(const char *const *labels, int n)
{
    int width = 0;
    for (int i = 0; labels && i < shown_count(n); i++)
        if (shown(i, n) >= 0 && text_width(labels[shown(i, n)]) > width)
            width = text_width(labels[shown(i, n)]);
    return width;
}

/* The width of each shown column: its label and its numbers. */
static void column_widths(int *width, const real *data, int rows, int columns, const char *const *labels, int decimals)
{
    char text[400];
    for (int c = 0; c < shown_count(columns); c++) {
        int column = shown(c, columns);
        width[c] = column < 0 ? 3 : labels ? text_width(labels[column]) : 0;
        for (int r = 0; column >= 0 && r < shown_count(rows); r++) {
            if (shown(r, rows) < 0)
                continue;
            number_text(text, sizeof text, (double)data[(size_t)shown(r, rows) * columns + column], decimals);
            if ((int)strlen(text) > width[c])
                width[c] = (int)strlen(text);
        }
    }
}

static void add_matrix_row(Buffer *out, const real *row, int columns, const int *width, int decimals)
{
    char text[400];
    for (int c = 0; c < shown_count(columns); c++) {
        int column = shown(c, columns);
        if (row && column >= 0)
            number_text(text, sizeof text, (double)row[column], decimals);
        buffer_say(out, "  ");
        add_cell(out, row && column >= 0 ? text : "...", width[c], true);
    }
    buffer_end_line(out);
}

static void add_cut(Buffer *out, const char *what, int n)
{
    char text[120];
    if (n <= MOST_SHOWN)
        return;
    snprintf(text, sizeof text, "      (%ss %d to %d of %d are not shown)\n", what, MOST_SHOWN / 2 + 1,
             n - MOST_SHOWN / 2, n);
    buffer_say(out, DIM);
    buffer_say(out, text);
    buffer_say(out, PLAIN);
}

static void add_column_labels(Buffer *out, const char *const *labels, int columns, const int *width, int indent)
{
    if (!labels)
        return;
    buffer_pad(out, indent);
    for (int c = 0; c < shown_count(columns); c++) {
        buffer_say(out, "  ");
        add_cell(out, shown(c, columns) < 0 ? "..." : labels[shown(c, columns)], width[c], true);
    }
    buffer_end_line(out);
}

static void add_matrix(Buffer *out, const real *data, int rows, int columns, const char *const *row_labels,
                       const char *const *column_labels, int decimals)
{
    int width[MOST_SHOWN + 1] = {0};
    int label_width = widest(row_labels, rows);
    column_widths(width, data, rows, columns, column_labels, decimals);
    add_column_labels(out, column_labels, columns, width, 6 + label_width);
    for (int r = 0; r < shown_count(rows); r++) {
        int row = shown(r, rows);
        buffer_say(out, "      ");
        add_cell(out,
                 row < 0      ? (label_width >= 3 ? "..." : "")
                 : row_labels ? row_labels[row]
                              : "",
                 label_width, false);
        add_matrix_row(out, row < 0 ? NULL : data + (size_t)row * columns, columns, width, decimals);
    }
    add_cut(out, "row", rows);
    add_cut(out, "column", columns);
}

void trace_matrix(Trace *trace, Where where, const char *name, const real *data, int rows, int columns,
                  const char *const *row_labels, const char *const *column_labels, int decimals)
{
    Buffer out = {0}, title = {0};
    char shape[64];
    snprintf(shape, sizeof shape, " [%d x %d]", rows, columns);
    buffer_say(&title, name);
    buffer_say(&title, shape);
    add_with_source(&out, where, title.bytes, "");
    add_matrix(&out, data, rows, columns, row_labels, column_labels, decimals);
    free(title.bytes);
    put_buffer(trace, &out);
}

void trace_vector(Trace *trace, Where where, const char *name, const real *data, int n, const char *const *labels,
                  int decimals)
{
    Buffer out = {0}, title = {0};
    char shape[64];
    snprintf(shape, sizeof shape, " [%d]", n);
    buffer_say(&title, name);
    buffer_say(&title, shape);
    add_with_source(&out, where, title.bytes, "");
    add_matrix(&out, data, 1, n, NULL, labels, decimals);
    free(title.bytes);
    put_buffer(trace, &out);
}

/* ---- tables ------------------------------------------------------------------------ */

/* Appends one row of cells to the table: cells are separated by tabs. */
static void collect_row(Trace *trace, const char *text)
{
    int cells = 0;
    size_t length = strlen(text);
    if (length && text[length - 1] == '\n')
        length--;
    for (size_t begin = 0, i = 0; i <= length; i++)
        if (i == length || text[i] == '\t') {
            if (++cells > trace->columns)
                die_misuse(HERE, "a row of a trace table has more than its %d columns: %s", trace->columns, text);
            buffer_add(&trace->table, text + begin, i - begin);
            buffer_add(&trace->table, "", 1);
            begin = i + 1;
        }
    for (; cells < trace->columns; cells++)
        buffer_add(&trace->table, "", 1);
    trace->table_rows++;
}

void trace_table(Trace *trace, const char *columns)
{
    if (trace->columns)
        trace_table_end(trace);
    trace->columns = 1;
    trace->table_rows = 0;
    trace->table.length = 0;
    for (const char *c = columns; *c; c++)
        trace->columns += *c == '\t';
    if (trace->columns > MOST_COLUMNS)
        die_misuse(HERE, "a trace table has %d columns; the most is %d", trace->columns, MOST_COLUMNS);
    collect_row(trace, columns);
}

void trace_row(Trace *trace, const char *format, ...)
{
    va_list arguments;
    if (!trace->columns)
        die_misuse(HERE, "trace_row outside of trace_table ... trace_table_end");
    va_start(arguments, format);
    char *text = format_text(format, arguments);
    va_end(arguments);
    collect_row(trace, text);
    free(text);
}

/* Digits with what belongs to them: "-0.25", "12 %", "1.2e-05", "3 x 4". */
static bool is_number(const char *cell)
{
    if (strcmp(cell, "nan") == 0 || strcmp(cell, "inf") == 0 || strcmp(cell, "-inf") == 0 || strcmp(cell, "-") == 0)
        return true;
    return strpbrk(cell, "0123456789") && strspn(cell, "0123456789+-.,eE% x/<>=~") == strlen(cell) &&
           !strchr("eEx/", cell[0]);
}

/* Widths of the columns, and whether every cell under the heading is a number. */
static void measure_table(const Trace *trace, int *width, bool *right)
{
    const char *cell = trace->table.bytes;
    for (int c = 0; c < trace->columns; c++) {
        width[c] = 0;
        right[c] = trace->table_rows > 1;
    }
    for (int r = 0; r < trace->table_rows; r++)
        for (int c = 0; c < trace->columns; c++, cell += strlen(cell) + 1) {
            if (text_width(cell) > width[c])
                width[c] = text_width(cell);
            if (r > 0 && *cell && !is_number(cell))
                right[c] = false;
        }
}

void trace_table_end(Trace *trace)
{
    int width[MOST_COLUMNS];
    bool right[MOST_COLUMNS];
    Buffer out = {0};
    const char *cell = trace->table.bytes;
    measure_table(trace, width, right);
    for (int r = 0; r < trace->table_rows; r++) {
        buffer_say(&out, r == 0 ? "    " DIM : "    ");
        for (int c = 0; c < trace->columns; c++, cell += strlen(cell) + 1) {
            bool last = c == trace->columns - 1;
            buffer_say(&out, c ? "  " : "");
            add_cell(&out, cell, last && !right[c] ? 0 : width[c], right[c]);
        }
        buffer_say(&out, r == 0 ? PLAIN : "");
        buffer_end_line(&out);
    }
    free(trace->table.bytes);
    trace->table = (Buffer){0};
    trace->columns = 0;
    put_buffer(trace, &out);
}

/* ---- times --------------------------------------------------------------------------- */

void trace_timing(Trace *trace, const char *name, double value, const char *unit)
{
    char number[64];
    snprintf(number, sizeof number, fabs(value) < 1000 ? "%.3g" : "%.0f", value);
    add_visibly(&trace->timing, name, "");
    buffer_say(&trace->timing, "\t");
    buffer_say(&trace->timing, number);
    buffer_say(&trace->timing, "\t");
    add_visibly(&trace->timing, unit, "");
    buffer_say(&trace->timing, "\n");
    trace_aside(trace, "    %s: %s %s\n", name, number, unit);
}
