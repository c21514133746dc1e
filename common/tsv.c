/* tsv.c: numbers and words in TSV files. */
#include "tsv.h"

#include <math.h>

void tsv_number(FILE *stream, double value)
{
    if (isfinite(value))
        fprintf(stream, "%.9g", value == 0 ? 0.0 : value);
    else
        fputs("NaN", stream);
}

void tsv_word(FILE *stream, const char *word)
{
    for (; *word; word++) {
        switch (*word) {
        case '\t':
            fputs("\\t", stream);
            break;
        case '\n':
            fputs("\\n", stream);
            break;
        case '\r':
            fputs("\\r", stream);
            break;
        case '\\':
            fputs("\\\\", stream);
            break;
        default:
            putc(*word, stream);
        }
    }
}
