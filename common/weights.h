/* weights.h: trained parameters in a file that other programs read.
 *
 * The format is safetensors (https://github.com/huggingface/safetensors): the
 * length N of a header in 8 bytes, N bytes of JSON that say for each name its
 * type, shape and place, and the numbers, little-endian, one tensor after the
 * other.  Nothing in it can be executed or unpacked, equal weights are equal
 * bytes, and NumPy reads it in a few lines (tests/oracle/check_weights.py):
 *
 *     n = int.from_bytes(file.read(8), "little")
 *     header = json.loads(file.read(n))
 *     numpy.frombuffer(...)  of  header[name]["data_offsets"]
 *
 * The labs' floats are "F32"; a double build writes and reads "F64". */
#ifndef WEIGHTS_H
#define WEIGHTS_H

#include <stdbool.h>
#include <stdio.h>

#include "nn.h"

/* Writes all PARAMETERS, beside and renamed.  Dies if PATH cannot be written, if
 * two parameters have one name, or if a name is not UTF-8 or is longer than 255
 * bytes. */
void weights_save(const char *path, const Parameters *parameters);

/* Reads all PARAMETERS.  The file must hold exactly these: every name with its
 * type and shape, and no other.  Whatever else it is (cut short, another format,
 * lying about sizes), the program dies with one line that names PATH, the
 * parameter, what was found and what was expected; everything is checked against
 * the parameters before any memory is taken or any number read. */
void weights_load(const char *path, const Parameters *parameters);

/* The same from an open FILE that can be sought in; false, with the reason in
 * MESSAGE, where weights_load dies. */
enum { WEIGHTS_MESSAGE = 512 };
bool weights_read(FILE *file, const Parameters *parameters, char message[WEIGHTS_MESSAGE]);

#endif
