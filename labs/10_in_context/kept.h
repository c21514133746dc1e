/* kept.h: trained models in outputs/10_in_context/, used again with --load. */
#ifndef KEPT_H
#define KEPT_H

#include "in_context.h"
#include "nn.h"

/* What stands in NAME.safetensors: the PARAMETERS; RECORD, what training
 * measured (the points of a curve), which a loaded model has to show as well (or
 * NULL); and a line of numbers that says with which seed, setting and WORK (any
 * number that changes what comes out, such as steps) they were trained. */
typedef struct {
    const char *name;
    const Parameters *parameters;
    Tensor *record;
    double work;
} Kept;

/* With --load: reads the file and returns true; false if there is none yet (it is
 * trained then).  A file that is broken, or that another seed, setting or version
 * of the lab wrote, ends the program with one line.  Without --load: false. */
bool kept_load(const Lab *lab, const InContext *self, Kept kept);
void kept_save(const Lab *lab, Kept kept);

/* The parameters of N models as one list, named "0.words", "1.words" ...: several
 * models in one file.  The numbers are the models' own; parameters_free it. */
Parameters *kept_together(const Parameters *const *models, int n);

#endif
