/* arena_test.c - the walls between the pieces of a workspace, in a build for the address sanitizer. */
#include <sanitizer/asan_interface.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"

static int failures;

static void expect(int condition, const char *what) {
    if (!condition)
        failures++, printf("FAILED: %s\n", what);
}

static int is_open(const void *begin, size_t size) {
    return __asan_region_is_poisoned((void *)begin, size) == NULL;
}

/* Three pieces, of which one is empty. */
static size_t lay_out(void *memory, char **piece, const ptrdiff_t *count) {
    arena a = arena_on(memory);
    for (int k = 0; k < 3; k++)
        piece[k] = TAKE(&a, char, count[k]);
    return arena_size(&a);
}

static void every_piece_ends_at_a_wall(void) {
    for (ptrdiff_t n = 0; n < 200; n++) {
        const ptrdiff_t count[3] = {n, 0, 2 * n + 1};
        char *piece[3];
        const size_t size = lay_out(NULL, piece, count);
        char *memory = malloc(size);
        expect(lay_out(memory, piece, count) == size, "a layout is as large as it was measured");
        expect(piece[2] + count[2] + GAP <= memory + size, "and inside of the memory");
        for (int k = 0; k < 3; k++) {
            expect(is_open(piece[k], (size_t)count[k]), "a piece may be used");
            for (int i = 0; i < GAP; i++)
                expect(__asan_address_is_poisoned(piece[k] + count[k] + i), "what follows it may not");
        }
        free(memory);
    }
}

static void memory_may_be_laid_out_again(void) {
    const ptrdiff_t small[3] = {1, 1, 1}, large[3] = {100, GAP, 3 * GAP};
    char *piece[3];
    char *memory = malloc(lay_out(NULL, piece, large));
    lay_out(memory, piece, small);
    lay_out(memory, piece, large);
    for (int k = 0; k < 3; k++)
        expect(is_open(piece[k], (size_t)large[k]), "no wall of an earlier layout is left");
    free(memory);
}

static void a_stack_is_left_without_walls(void) {
    char memory[3 * GAP];
    arena a = arena_on(memory);
    char *piece = TAKE(&a, char, 10);
    expect(__asan_address_is_poisoned(piece + 10), "a wall on the stack");
    arena_end(&a);
    expect(is_open(memory, sizeof memory), "and none when the work is done");
}

int main(void) {
    every_piece_ends_at_a_wall();
    memory_may_be_laid_out_again();
    a_stack_is_left_without_walls();
    printf(failures ? "%d failures\n" : "all passed\n", failures);
    return failures != 0;
}
