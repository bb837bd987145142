"""Edits of models of several outputs and of complex models, and the tests that must notice."""

EDITS = {
    ("src/thalweg/model/pairs.py", "test_complex_symbols.py"): [
        ("pairs: a product that conjugates", "_difference(_product(a, c), _product(b, d))",
         "_sum(_product(a, c), _product(b, d))"),
        ("pairs: quotients overflow", "r = 1.0 / np.hypot(c, d)",
         "r = 1.0 / np.sqrt(c * c + d * d)"),
        ("pairs: roots of the wrong side", "np.where(b < 0, -t, t), rest)", "t, rest)"),
        ("pairs: tanh overflows", "decay = np.where(a < 0, 2.0 * a, -2.0 * a)", "decay = -2.0 * a"),
        ("pairs: the angle of imaginary numbers", "_HALF_PI * np.sign(b)", "_HALF_PI + 0 * b"),
        ("pairs: logarithms near 1", "np.where((size > 0.5) & (size < 2.0), near, np.log(size))",
         "np.log(size)"),
    ],
    ("src/thalweg/model/several.py", "test_outputs.py test_outputs_layout.py"): [
        ("outputs: the choice is off by one", "first + half - 0.5", "first + half + 0.5"),
        ("outputs: parts swapped", "first[::2], first[1::2]", "first[1::2], first[::2]"),
        ("outputs: numbers of points", "number = np.repeat(", "number = np.tile("),
    ],
    ("src/thalweg/fitting/outputs.py", "test_outputs.py test_outputs_layout.py"): [
        ("outputs: a part alone is missing", "np.where(np.isnan(y), complex(np.nan, np.nan), y)",
         "y + 0"),
        ("outputs: one sigma for both parts", "[value.real, value.imag] if value.dtype",
         "[value.real, value.real] if value.dtype"),
        ("outputs: the first axis holds them", "max((a for a in range(y.ndim) if a not in axes)",
         "min((a for a in range(y.ndim) if a not in axes)"),
    ],
    ("src/thalweg/fitting/resampling.py", "test_outputs_with.py"): [
        ("outputs: residuals of any output", "(self.u - self.mean)[self.first + places]",
         "(self.u - self.mean)[places]"),
        ("outputs: draws of their own", "self.alike = n_outputs if", "self.alike = 1 if"),
        ("outputs: half a number left out", ".repeat(2, axis=1).reshape(-1)",
         ".repeat(2, axis=1).reshape(-1)[::-1]"),
    ],
    ("src/thalweg/fitting/goodness.py", "test_outputs_with.py"): [
        ("outputs: one mean", "    if data.several is not None:  # each", "    if False:  # each"),
    ],
}  # fmt: skip
