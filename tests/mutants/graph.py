"""Edits of graphs, and of how they are lowered to tapes, and the tests that must notice them."""

EDITS = {
    ("src/thalweg/_core/graph.pyx", "test_graph.py"): [
        ("constants are one", "and memcmp(&node.value, &other.value, sizeof(double)) == 0", ""),
        ("hash without operands", "at[node.ids[k]].order % INTEGERS", "k"),
    ],
    ("src/thalweg/_core/graph.pyx", "test_remembered_tables.py"): [
        ("twin without its rules", "        other.exact = self.exact\n", ""),
    ],
    ("src/thalweg/model/remembered.py", "test_remembered.py"): [
        ("names that have changed", "or not _same(kept.values, values)", ""),
        ("an attribute of any module", "if value is not np and value is not math:", "if False:"),
        ("arrays of the closure", "type(v) in _NUMBERS or", "hasattr(v, 'dtype') or"),
        ("floating-point errors", 'np.errstate(all="raise")', 'np.errstate(all="ignore")'),
        ("instructions of any kind", "elif what not in _PLAIN and", "elif False and"),
    ],
    ("src/thalweg/model/remembered.py", "test_remembered_tables.py"): [
        (
            "one graph for all",
            "        return None\n    return kept.graph.twin(), kept.output\n\n\ndef remembered",
            "        return None\n    return kept.graph, kept.output\n\n\ndef remembered",
        ),
    ],
    ("src/thalweg/model/tape.py", "test_remembered_tables.py"): [
        ("nodes of one twin alone", "if output < graph.n_first else None", ""),
        ("any free parameters", "of = output, tuple(free), graph.n_x", "of = output, graph.n_x"),
    ],
    ("src/thalweg/_core/simplify.pxi", "test_graph.py"): [
        ("operands as they come", "    if g.at[a].order <= g.at[b].order:", "    if a <= b:"),
        (
            "sign of a factor",
            "return _neg(g, _mul(g, a, right.ids[0]))",
            "return _mul(g, a, right.ids[0])",
        ),
        (
            "difference of constants",
            "left.value - g.at[right.ids[0]].value",
            "left.value + g.at[right.ids[0]].value",
        ),
        (
            "scale of a higher stage",
            "if node.depends | of_scale != whole:",
            "if node.depends | of_scale == whole:",
        ),
        ("condition twisted", "c, a, b = g.at[c].ids[0], b, a", "c = g.at[c].ids[0]"),
    ],
    ("csrc/tape/foreign.h", "test_foreign.py"): [
        ("foreign: second order", "near + (near - far) / 3", "near"),
        ("foreign: every length will do", "*rough = !(", "*rough = 0 && !("),
        ("foreign: no end at 0", "k == 1 && 0 < size && size < 1 ? size : length", "length"),
        (
            "foreign: by another operand",
            "moved[wrt] = a[wrt] + move[k]",
            "moved[0] = a[0] + move[k]",
        ),
        ("foreign: all lanes are one", "memcmp(a, before, sizeof a) != 0", "l == 0"),
        ("foreign: a derivative is a value", "foreign_value(f, order - 1, moved)", "f->arity"),
    ],
    ("csrc/tape/incomplete.c", "test_incomplete.py"): [
        ("incomplete: series ends early", "while (x >= k || share >", "while (share > 1e9 *"),
        ("incomplete: term of the fraction", "c = n * (a - n)", "c = n * (a + n)"),
        ("incomplete: slope of the fraction", "(1 - n * d - c", "(1 + n * d - c"),
        ("incomplete: the other side", "x <= a + 1 ?", "x <= 1 ?"),
        ("incomplete: expansion without its correction", "(1 + 1 / (6 * a))", "1"),
        ("incomplete: nothing at 0", "    if (x == 0)\n        return 0;\n", ""),
    ],
    ("src/thalweg/model/foreign.py", "test_foreign.py"): [
        (
            "foreign: any ufunc of the name",
            "ufunc.__name__, None) is not ufunc",
            "ufunc.__name__, None) is None",
        ),
        ("foreign: identities unused", "if identity is None else", "if True else"),
        ("foreign: graphs of others", "        scipy_operation(ufunc, as_symbols)\n", ""),
    ],
    ("src/thalweg/_core/lower.pyx", "test_tape.py"): [
        ("a product fused twice", "or self.user[sum.ids[place]] != 1", ""),
        ("fms for fnma", "FNMA if place else FMS", "FMS if place else FNMA"),
        ("outputs overwritten", "self.user[self.walk.outputs[n]] = FOR_EVER", "pass"),
        (
            "registers given back twice",
            "self.user[j] = FOR_EVER  # so that it is given back once, if it is two operands",
            "pass",
        ),
        ("registers given back early", "self.user[j] == i and", ""),
    ],
    ("csrc/vecmath/quotient.h", "test_vecmath.py"): [
        ("quotient rounded up", "rest += v_and(rest < 0, unit);", ""),
        ("remainder of the other sign", "(b < 0) != (rest < 0)), b)", "(b < 0) == (rest < 0)), b)"),
        ("quotient of another sign", "(b < 0) != (rest < 0)));", "(b < 0) == (rest < 0)));"),
    ],
    ("csrc/vecmath/voigt.h", "test_vecmath_voigt.py"): [
        ("one order too many", "(2 * m + k + 2)", "(2 * m + k + 3)"),
        ("Gaussian by the Faddeeva function", "(gamma == 0) & (sigma > 0)", "(gamma < 0)"),
    ],
    ("src/thalweg/_core/value.pyx", "test_shared_data.py"): [
        (
            "conditions of formulas added as booleans",
            "self._condition and is_condition(other)",
            "1",
        ),
    ],
    ("src/thalweg/_core/value.pyx", "test_reductions.py"): [
        ("numbers of each fit not noted", "if not self.own or len", "if True or len"),
    ],
    ("src/thalweg/model/numbers_of_x.py", "test_reductions.py"): [
        ("own x: numbers of the first data set", "any(v != values[0] for v in values)", "False"),
    ],
    ("src/thalweg/model/numbers_of_x.py", "test_numbers_of_x.py"): [
        ("numbers of x are constants", "if not recorder.reads:", "if True:"),
        ("numbers of x: not moved", "low + _SHIFT * width", "low"),
        ("numbers of x: steps of the same ratio", "+ (_BEND * width) * u", "+ 0 * u"),
        ("numbers of x: of one width", "(high - low) or abs(low) or 1.0", "(high - low) or 0.0"),
        (
            "numbers of x: of another course",
            "if len(others) == len(recorder.numbers) else NONE",
            "",
        ),
    ],
    ("src/thalweg/model/asked.py", "test_numbers_of_x.py"): [
        ("outputs of what reads x", "recorder.own = own", "pass"),
    ],
    ("src/thalweg/_core/value.pyx", "test_graph.py"): [
        (
            "swapped difference",
            "op, self.lift(other), self._id, 0)",
            "op, self._id, self.lift(other), 0)",
        ),
    ],
    ("src/thalweg/model/present.py", "test_present.py"): [
        ("missing x: read all the same", "if known is None else numbers[known]", ""),
        (
            "missing x: put back anywhere",
            "every[known] = numbers",
            "every[: len(numbers)] = numbers",
        ),
        ("missing x: the same for all fits", "isinstance(recorder.data, Uneven)", "False"),
        ("missing x: rows of an image", "if len(recorder.points) > 1:", "if False:"),
    ],
    ("src/thalweg/fitting/by_calls.py", "test_present.py"): [
        ("missing x: called with all", "_each(lambda row: row[..., known], x)", "x"),
    ],
    ("src/thalweg/fitting/problem.py", "test_present.py"): [
        (
            "missing x: of another variable",
            "any(row.step and has_nan(row.array) for row in x):",
            "False:",
        ),
    ],
    ("src/thalweg/model/autodiff.py", "test_domain_ends.py"): [
        ("factors of 0 beside infinity", "if g.stage(factor) & ON_X and", "if False and"),
        (
            "tangents of 0 beside infinity",
            "if _is_foreign(op) and graph.stage(tangent[operand]) & ON_X:",
            "if False:",
        ),
    ],
    ("src/thalweg/model/partials.py", "test_domain_ends.py"): [
        ("steep ends of arcs", 'return _finite_recip(g, g.add("sqrt", a))', "return _rsqrt(g, a)"),
    ],
}
