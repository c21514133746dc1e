/* steady.c: a training step asks the system for memory once: from the second step
 * on, everything is in arenas that are rewound and packing space that is kept. */
#define _GNU_SOURCE
#include "dies.h"
#include "optim.h"
#include "transformer.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif

enum { B = 4, T = 24, D = 32, CLASSES = 19, STEPS = 20 };

typedef struct {
    Tape *tape;
    Parameters *p;
    Tensor *table;
    Recurrent cell[3];
    Block block;
    Linear head;
    Optimiser *adam;
} Model;

static Model model_new(void)
{
    Rng rng = rng_new(1, "steady");
    Model m = {.tape = tape_new(1), .p = parameters_new()};
    m.table = parameter_normal(m.p, "table", SHAPE(CLASSES, D), 1, &rng);
    for (int kind = CELL_RNN; kind <= CELL_GRU; kind++)
        m.cell[kind] = recurrent_new(m.p, "cell", (CellKind)kind, D, D, &rng);
    m.block = block_new(m.p, "block", (BlockSettings){.d = D, .heads = 4, .feed_forward = 4 * D, .gelu = true}, &rng);
    m.head = linear_new(m.p, "head", D, CLASSES, &rng);
    m.adam = adam_new(m.p, (Adam){.rate = 1e-3});
    return m;
}

static void step(Model *m, int number)
{
    int ids[T * B];
    for (int i = 0; i < T * B; i++)
        ids[i] = (i * 7 + number) % CLASSES;
    tape_rewind(m->tape);
    Tensor *x = op_embedding(m->tape, m->table, ids, SHAPE(T, B));
    for (int kind = CELL_RNN; kind <= CELL_GRU; kind++)
        x = recurrent(m->tape, &m->cell[kind], x, NULL, (Sequence){0});
    x = op_transpose(m->tape, x, 0, 1);
    x = block(m->tape, &m->block, x, (BlockView){.mask = mask_causal(m->tape, T)});
    tape_backward(m->tape, op_cross_entropy(m->tape, linear(m->tape, &m->head, x), ids));
    clip_by_norm(m->p, 1);
    optimiser_step(m->adam);
}

/* All that the C library holds, in use or not. */
static size_t from_the_system(void)
{
#ifdef __GLIBC__
    struct mallinfo2 info = mallinfo2();
    return info.arena + info.hblkhd;
#else
    return 0;
#endif
}

static size_t in_use(void)
{
#ifdef __GLIBC__
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
#else
    return 0;
#endif
}

START_TEST(a_step_allocates_nothing_after_the_first)
{
    Model m = model_new();
    step(&m, 0);
    step(&m, 1);
    int blocks = arena_blocks(tape_arena(m.tape));
    size_t used = arena_used(tape_arena(m.tape)), taken = from_the_system(), held = in_use();
    for (int number = 2; number < STEPS; number++) {
        step(&m, number);
        ck_assert_int_eq(arena_blocks(tape_arena(m.tape)), blocks);
        ck_assert_uint_eq(arena_used(tape_arena(m.tape)), used);
        if (!SANITIZED) {
            ck_assert_uint_eq(from_the_system(), taken);
            ck_assert_uint_eq(in_use(), held);
        }
    }
    optimiser_free(m.adam);
    parameters_free(m.p);
    tape_free(m.tape);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("steady");
    test_add(suite, "a_step_allocates_nothing_after_the_first", a_step_allocates_nothing_after_the_first);
    return test_run(suite);
}
