"""Edits of models whose points mix, and the tests that must notice them."""

EDITS = {
    ("csrc/tape/operators.h", "test_sizes_mixing.py"): [
        (
            "band: first tap forgotten",
            "first = most(0, -floor_of(size - 1 - at, stride)),",
            "first = most(1, -floor_of(size - 1 - at, stride)),",
        ),
        (
            "band: last tap forgotten",
            "last = least(n_taps - 1, floor_of(end, stride));",
            "last = least(n_taps - 2, floor_of(end, stride));",
        ),
        (
            "band: edge of points side by side",
            "if (first + e >= 0 && first + e < size)",
            "if (first + e > 0 && first + e < size)",
        ),
        (
            "band: edge of fits side by side",
            "if (first >= 0 && first < size)",
            "if (first > 0 && first < size)",
        ),
        (
            "band: whole too early",
            "whole = most(0, -floor_of(size - 1 - end, stride)),",
            "whole = most(0, -floor_of(size - 1 - at, stride)),",
        ),
        (
            "band: offset of lanes",
            "const ptrdiff_t offset = (ptrdiff_t)t->offset * stride;",
            "const ptrdiff_t offset = (ptrdiff_t)t->offset;",
        ),
        (
            "band: the rest is left",
            "for (; q < end; q += step)",
            "for (; q + step < end; q += step)",
        ),
        (
            "dense: the last rows are left",
            "    for (; i < end; i++)\n        dense_rows",
            "    for (; i < end - 1; i++)\n        dense_rows",
        ),
        (
            "dense: row of another",
            "total[r][v] += v_set(K[r * n_in + j])",
            "total[r][v] += v_set(K[j])",
        ),
        (
            "dense: the last points are left",
            "for (ptrdiff_t j = whole; j < n; j++)",
            "for (ptrdiff_t j = whole; j < n - 1; j++)",
        ),
        (
            "sums: of one lane",
            "sum += v_load(o->in + i * LANES + v));",
            "sum = v_load(o->in + i * LANES + v));",
        ),
        (
            "sums: each point alone",
            "(real)(total += (double)o->in[i])",
            "(real)(total = (double)o->in[i])",
        ),
        (
            "total: the last points are left",
            "        lane[i - whole] += (double)o->in[i];",
            "        lane[i - whole] += 0 * (double)o->in[i];",
        ),
        (
            "moved: the other way",
            "const double below = floor(-s);",
            "const double below = floor(s);",
        ),
        ("moved: no share", "here + share * (next - here)", "here"),
        ("moved: the end is lost", "j >= -1 && j < n - 1 ?", "j >= 0 && j < n - 1 ?"),
    ],
    ("csrc/tape/operators.h", "test_mixing.py"): [
        (
            "slope: none",
            "t->kind == TW_TABLE_SLOPE ? next - here",
            "t->kind == TW_TABLE_SLOPE ? next - next",
        ),
    ],
    ("csrc/tape/lookup.h", "test_mixing.py"): [
        ("lookup: piece on the right", "if (place[middle] <= a)", "if (place[middle] <= a - 0.5)"),
        ("lookup: left end", "a < x[0] ? beyond[0] : a", "a < x[0] ? beyond[1] : a"),
        ("lookup: right end", "return beyond[1];", "return beyond[0];"),
        ("lookup: before is forgotten", "before = a;", "before = a, value += (real)1e-3;"),
    ],
    ("csrc/tape/curves.h", "test_mixing.py"): [
        (
            "sections: code of the first",
            "code += s->n_block_code + s->n_store_code;",
            "code += s->n_block_code;",
        ),
        (
            "sections: stored at the beginning",
            "s->n_store_code, start, n, start);",
            "s->n_store_code, start, n, 0);",
        ),
        ("sections: one mix", "run_mix(m, mix++, watch);", "run_mix(m, mix, watch);"),
    ],
    ("csrc/fit/points.h", "test_mixing_fits.py"): [
        ("curves: lanes of others", "    else if (part)\n", "    else if (0)\n"),
        (
            "curves: made by none",
            "        take_trial(one, one->workers);\n    if (one->threads",
            "        (void)0;\n    if (one->threads",
        ),
    ],
    ("src/thalweg/model/mixes.py", "test_mixing.py"): [
        ("a shift adds", 'graph.add("sub", f, b)', 'graph.add("add", f, b)'),
        (
            "slope of another table",
            "moved(graph, number + 1, a, rest[0])",
            "moved(graph, number, a, rest[0])",
        ),
        (
            "factors are lost",
            'return graph.add("mul", operands[0], _linear(graph, operands[1], operator))',
            "return _linear(graph, operands[1], operator)",
        ),
        ("total of a number", "every if i == one else", "one if i == one else"),
    ],
    ("src/thalweg/model/autodiff.py", "test_mixing.py"): [
        (
            "mixes do not depend on parameters",
            "for i in mixes.mixing_nodes(graph, output):",
            "for i in []:",
        ),
    ],
    ("src/thalweg/model/sections.py", "test_mixing.py"): [
        ("levels: all at once", "            level[i] += 1\n", "            level[i] += 0\n"),
        ("totals: one for all", "self.total_of[i] = len(self.total_of)", "self.total_of[i] = 0"),
    ],
    ("src/thalweg/model/graph.py", "test_mixing.py"): [
        (
            "tables are not in the key",
            "return key if self.tables is None else (key, self.tables.key)",
            "return key",
        ),
    ],
    ("src/thalweg/model/units.py", "test_mixing_fits.py"): [
        ("units: the response has none", "unit = unit.times(own)", "unit = unit"),
        (
            "units: a shift has one",
            "ids += [self.to(self.place[k], self.one) for k in operands[1:]]",
            "ids += [self.place[k] for k in operands[1:]]",
        ),
    ],
    ("src/thalweg/model/curves.py", "test_mixing.py"): [
        ("same: another middle", '"same": ((taps - 1) // 2, n)', '"same": (taps // 2, n)'),
        ("a piece begins elsewhere", "offset=old.offset + start", "offset=old.offset"),
        (
            "trapezoids: whole ends",
            "weights = np.append(half, 0.0) + np.append(0.0, half)",
            "weights = np.append(half, half[-1:]) + np.append(0.0, half)",
        ),
    ],
}
