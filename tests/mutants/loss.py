"""Edits of sums over samples, and the tests that must notice them."""

EDITS = {
    ("csrc/loss/loss.c", "test_mse_kernel.py test_mse.py test_mse_functions.py"): [
        (
            "samples beyond the last are summed",
            "for (ptrdiff_t l = 0; l < rest; l++) {",
            "for (ptrdiff_t l = 0; rest && l < LANES; l++) {",
        ),
        (
            "last samples lost",
            "for (ptrdiff_t l = 0; l < rest; l++) {",
            "for (ptrdiff_t l = 1; l < rest; l++) {",
        ),
        ("last turn of a chain lost", "p < full; p += turns", "p + turns <= full; p += turns"),
        (
            "chains forgotten",
            "(s[t][0] + s[t][1]) + (s[t][2] + s[t][3])",
            "(s[t][0] + s[t][1]) + s[t][2]",
        ),
        (
            "terms of other factors in a run",
            "terms[t].b.base && terms[t + n].b.base == terms[t].b.base",
            "terms[t].b.base",
        ),
        (
            "blocks not added up",
            "sum[t * LANES + l] += (double)total[t][l]",
            "sum[t * LANES + l] = (double)total[t][l]",
        ),
        ("scale forgotten", "sum[t] *= scale_of(r->workers->terms + t)", "sum[t] *= 1"),
        ("scale of values forgotten", "scale_of(c) * (double)(c->a.base", "(double)(c->a.base"),
        (
            "step of an input ignored",
            "slot[i] = (real)as_doubles[i * step]",
            "slot[i] = (real)as_doubles[i]",
        ),
        ("step of the block ignored", "first * s->x_step[k] * size", "first * size"),
        ("float read as double", "} else if (is_float)", "} else if (is_float < 0)"),
        (
            "last chunk of samples lost",
            "for (ptrdiff_t c = 0; c < r->n_chunks; c++)\n            sum[t] +=",
            "for (ptrdiff_t c = 0; c < r->n_chunks - (c > 0); c++)\n            sum[t] +=",
        ),
        (
            "chunks depend on threads",
            "r->n_chunks = least(",
            "r->n_chunks = r->threads > 1 ? 1 + (r->n_blocks > CHUNK_BLOCKS) : least(",
        ),
        (
            "block of a chunk skipped",
            "for (ptrdiff_t block = begin; block < end;",
            "for (ptrdiff_t block = begin + (chunk > 0); block < end;",
        ),
        ("padding in J'J", "w->weight[i] = i < n", "w->weight[i] = 1"),
        ("rows of other outputs forgotten", "add_block(w->column + i * m", "add_block(w->column"),
        ("the watch is not asked", "if (block % POLL_BLOCKS == 0 &&", "if (block < 0 &&"),
    ],
}
