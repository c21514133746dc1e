/* Kept models: parameters, what was measured, and what they were trained with. */
#include "kept.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "files.h"
#include "memory.h"
#include "weights.h"

/* "seed" [4], 16 bits a number, for these are exact in a float; --quick; the work. */
enum { SEED_PARTS = 4, QUICK = SEED_PARTS, WORK, STAMPS };

static void stamp(const Lab *lab, double work, real *stamps)
{
    for (int i = 0; i < SEED_PARTS; i++)
        stamps[i] = (real)(lab->seed >> 16 * i & 0xffff);
    stamps[QUICK] = lab->quick;
    stamps[WORK] = (real)work;
}

/* All that stands in the file, as one list; the tensors stay their owners'. */
static Parameters everything(Kept kept, Tensor *stamps)
{
    Parameters all = {.n = kept.parameters->n};
    all.tensor = memory_new((size_t)all.n + 2, sizeof(Tensor *), "the kept tensors");
    memcpy(all.tensor, kept.parameters->tensor, (size_t)all.n * sizeof(Tensor *));
    all.tensor[all.n++] = stamps;
    if (kept.record)
        all.tensor[all.n++] = kept.record;
    return all;
}

static Parameters *stamps_new(void)
{
    Parameters *parameters = parameters_new();
    parameter_zeros(parameters, "trained with: seed, quick, work", SHAPE(STAMPS));
    return parameters;
}

bool kept_load(const Lab *lab, const InContext *self, Kept kept)
{
    if (!self->load)
        return false;
    char *path = path_join(lab->folder, kept.name, ".safetensors");
    FILE *file = fopen(path, "rb");
    bool found = file;
    if (found) {
        fclose(file);
        real expected[STAMPS];
        Parameters *own = stamps_new();
        Parameters all = everything(kept, own->tensor[0]);
        weights_load(path, &all);
        stamp(lab, kept.work, expected);
        if (memcmp(expected, own->tensor[0]->data, sizeof expected) != 0) // NOLINT: the same bits
            die("%s was trained with another --seed or setting; without --load it is trained again", path);
        trace_aside(lab->trace, "(%s is used as it was trained before)\n", path);
        parameters_free(own);
        free(all.tensor);
    } else {
        trace_aside(lab->trace, "(there is no %s yet: it is trained and kept)\n", path);
    }
    free(path);
    return found;
}

void kept_save(const Lab *lab, Kept kept)
{
    Parameters *own = stamps_new();
    Parameters all = everything(kept, own->tensor[0]);
    char *path = path_join(lab->folder, kept.name, ".safetensors");
    stamp(lab, kept.work, own->tensor[0]->data);
    weights_save(path, &all);
    free(path);
    free(all.tensor);
    parameters_free(own);
}

Parameters *kept_together(const Parameters *const *models, int n)
{
    Parameters *all = parameters_new();
    for (int i = 0; i < n; i++)
        all->capacity += models[i]->n;
    all->tensor = memory_resize(all->tensor, (size_t)all->capacity, sizeof(Tensor *), "the kept models");
    for (int i = 0; i < n; i++)
        for (int t = 0; t < models[i]->n; t++) {
            enum { MOST_NAME = 128 };
            Tensor *tensor = all->tensor[all->n++] = arena_get(all->arena, sizeof *tensor);
            char *name = arena_get(all->arena, MOST_NAME);
            *tensor = *models[i]->tensor[t];
            snprintf(name, MOST_NAME, "%d.%s", i, tensor->name);
            tensor->name = name;
        }
    return all;
}
