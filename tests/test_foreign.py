"""SciPy's functions and the user's own in recorded models: values, derivatives and fits."""

import ctypes
import ctypes.util
import pickle
import subprocess
import sys
import warnings
from copy import deepcopy
from functools import cache

import numpy as np
import pytest
from tape_tools import run

import thalweg as tw
from thalweg import reference
from thalweg._core.operations import opcode
from thalweg._core.tape import Tape
from thalweg.model.autodiff import gradient
from thalweg.model.foreign import restored, scipy_operation
from thalweg.model.graph import NUMPY, Graph, evaluate
from thalweg.model.identities import IDENTITIES
from thalweg.model.symbol import symbols_of

special = pytest.importorskip("scipy.special")
EPS = np.finfo(float).eps
DRAWS = 40


def operation(name):
    """The operation of a function of SciPy."""
    return scipy_operation(getattr(special, name), symbols_of)


@cache
def exported():
    """The names of all functions of SciPy that have an operation."""
    ufuncs = {n: f for n, f in vars(special).items() if isinstance(f, np.ufunc) and f.nout == 1}
    return tuple(n for n, f in sorted(ufuncs.items()) if f.nin <= 3 and operation(n) is not None)


def apply(op, *operands, dtype=np.float64):
    """One operation on rows of operands, by a tape."""
    n = len(operands)
    code = [(opcode(op), n, *[*range(n), 0, 0][:3])]
    return run(Tape(0, n, [], (0, n, 1), code, (0, 0, 1), (), [n]), operands, (), dtype)[0]


def operands_of(ufunc, rng):
    """Operands between 0 and 1, and beyond it, at which the function has finite values."""
    some = rng.uniform(0.05, 0.95, (DRAWS, ufunc.nin)), rng.uniform(0.5, 6, (DRAWS, ufunc.nin))
    rows = np.concatenate(some)
    with np.errstate(all="ignore"), warnings.catch_warnings(action="ignore"):
        return rows[np.isfinite(ufunc(*rows.T))]


def test_most_functions_of_scipy_have_an_operation():
    assert len(exported()) > 150
    for name in ("jv", "gammainc", "betainc", "expn", "kv", "eval_legendre", "hyp1f1"):
        assert name in exported()


@pytest.mark.parametrize("name", exported())
def test_values_are_scipys(name):
    ufunc = getattr(special, name)
    rows = operands_of(ufunc, np.random.default_rng(0))
    with np.errstate(all="ignore"), warnings.catch_warnings(action="ignore"):
        wanted = ufunc(*rows.T)
        np.testing.assert_array_equal(apply(operation(name), *rows.T), wanted)
        single = apply(operation(name), *rows.T, dtype=np.float32)
        wanted = ufunc(*rows.astype(np.float32).astype(float).T).astype(np.float32)
    np.testing.assert_array_equal(single, wanted)


def by_differences(ufunc, j, rows):
    """The derivatives by operand j as the specification has them."""
    scalar = lambda *a: float(ufunc(*a))  # noqa: E731
    with np.errstate(all="ignore"), warnings.catch_warnings(action="ignore"):
        return np.array([reference.foreign.derivative(scalar, (j,), row) for row in rows])


@pytest.mark.parametrize("name", sorted(IDENTITIES))
def test_identities_are_derivatives(name):
    """The difference has an error of about 1e-10 where the function is smooth."""
    ufunc, op = getattr(special, name), operation(name)
    rows = operands_of(ufunc, np.random.default_rng(1))
    if name in ("kn", "yn", "expn"):
        rows[:, 0] = np.ceil(rows[:, 0])
    g = Graph(0, ufunc.nin)
    x = [g.x(i) for i in range(ufunc.nin)]
    for j, identity in enumerate(IDENTITIES[name]):
        if identity is None:
            continue
        node = gradient(g, g.add(op, *x), [x[j]])
        with np.errstate(all="ignore"), warnings.catch_warnings(action="ignore"):
            [got] = evaluate(g, node, x=list(rows.T))
        wanted = by_differences(ufunc, j, rows)
        seen = np.isfinite(wanted) & np.isfinite(got)
        assert seen.sum() > len(rows) // 2 > 5
        np.testing.assert_allclose(got[seen], wanted[seen], rtol=3e-8, atol=3e-9, err_msg=name)


@pytest.mark.parametrize("name", ["jv", "gammainc", "betainc", "ellipk", "struve", "hyp1f1", "psi"])
def test_differences_are_their_specification(name):
    """To the rounding of a difference: 2^11 eps of the values."""
    ufunc, op = getattr(special, name), operation(name)
    rows = operands_of(ufunc, np.random.default_rng(2))
    size = np.abs(ufunc(*rows.T)) / np.minimum(np.abs(rows).min(axis=1), 1)
    for j in range(ufunc.nin):
        if f"{op} by {j}" not in NUMPY:
            continue
        got, wanted = apply(f"{op} by {j}", *rows.T), by_differences(ufunc, j, rows)
        np.testing.assert_allclose(got, wanted, rtol=1e-9, atol=2**12 * EPS * size.max())


@pytest.mark.parametrize(
    ("op", "exact", "least"),
    [
        ("log", lambda x: 1 / x, 1e-9),  # ends at 0
        ("sqrt", lambda x: 0.5 / np.sqrt(x), 1e-9),
        ("cos", lambda x: -np.sin(x), 0.0),  # smooth at 0, where its slope vanishes
        ("exp", np.exp, 0.0),
    ],
)
def test_a_difference_holds_at_any_distance_from_zero(op, exact, least):
    x = np.concatenate([[least], np.geomspace(1e-9, 100, 60)])
    with np.errstate(all="ignore"):
        got = np.array([reference.foreign.derivative(getattr(np, op), (0,), (v,)) for v in x])
    compiled = tw.function(of_libm(op))
    slope = apply(f"{compiled._operation} by 0", x)
    for values in (got, slope):
        error = np.abs(values - exact(x)) / np.maximum(np.abs(exact(x)), 1e-3)
        assert error.max() < 1e-8


def test_second_derivatives_are_differences_of_differences():
    g = Graph(0, 2)
    a, x = g.x(0), g.x(1)
    value = g.add(operation("stdtr"), a, x)
    [slope] = gradient(g, value, [a])
    by_a, by_x = gradient(g, slope, [a, x])
    rows = np.random.default_rng(3).uniform(0.5, 3, (20, 2)).T
    crossed, twice = evaluate(g, [by_x, by_a], x=list(rows))
    h = 1e-4
    size = lambda a: np.exp(special.gammaln((a + 1) / 2) - special.gammaln(a / 2))  # noqa: E731
    shape = lambda a: (1 + rows[1] ** 2 / a) ** (-(a + 1) / 2)  # noqa: E731
    density = lambda a: size(a) * shape(a) / np.sqrt(a * np.pi)  # noqa: E731
    np.testing.assert_allclose(
        crossed, (density(rows[0] + h) - density(rows[0] - h)) / (2 * h), atol=1e-6
    )
    second = sum(
        w * special.stdtr(rows[0] + k * 1e-3, rows[1]) for k, w in ((-1, 1), (0, -2), (1, 1))
    )
    np.testing.assert_allclose(twice, second / 1e-6, atol=1e-5)
    with pytest.raises(ValueError, match="beyond the second"):
        gradient(g, by_a, [a])


# ---- fits ------------------------------------------------------------------------------------

X = np.linspace(0.2, 9, 60)


def bessel(x, a, k):
    """A Bessel function of order 1.5."""
    return a * special.jv(1.5, k * x)


def distribution(x, a, shape, scale):
    """A distribution function, whose derivative by the shape is a difference."""
    return a * special.gammainc(shape, x / scale)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(
    ("model", "truth", "start"),
    [(bessel, (2.0, 1.3), (1.0, 1.2)), (distribution, (2.0, 3.0, 1.5), (1.0, 2.0, 1.0))],
)
def test_a_model_with_a_function_of_scipy_is_recorded_and_right(model, truth, start, dtype):
    """No warning of a model that Python calls, which is an error here."""
    rng = np.random.default_rng(4)
    y = (model(X, *truth) + 0.01 * rng.standard_normal((33, len(X)))).astype(dtype)
    r = tw.fit(model, X.astype(dtype), y, start, dtype=dtype, threads=2)
    assert r.success.all()
    close = 1e-6 if dtype == np.float64 else 2e-3
    optimize = pytest.importorskip("scipy.optimize")
    for k in (0, 7, 32):
        wanted, cov = optimize.curve_fit(
            model, X, y[k].astype(float), start, xtol=1e-12, ftol=1e-12
        )
        np.testing.assert_allclose(r.params[k], wanted, rtol=close)
        np.testing.assert_allclose(r.cov[k], cov, rtol=max(close, 1e-3) * 3, atol=1e-3 * cov.max())
        alone = tw.fit(model, X.astype(dtype), y[k], start, dtype=dtype, threads=1)
        np.testing.assert_array_equal(alone.params, r.params[k])


def test_results_are_copied_and_pickled_and_read_in_another_process(tmp_path):
    r = tw.fit("a*x", X, bessel(X, 2, 1.3), [1.0]).problem.recording.graph.copy()
    r.add(operation("jv"), r.const(1.5), r.x(0))
    for other in (deepcopy(r), pickle.loads(pickle.dumps(r))):
        assert other.nodes == r.nodes
    (tmp_path / "graph").write_bytes(pickle.dumps(r))
    code = "import pickle, sys; print(pickle.load(open(sys.argv[1], 'rb')).nodes[-1])"
    told = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "graph")], capture_output=True, text=True
    )
    assert told.stdout.strip() == str(r.nodes[-1]), told.stderr


def test_a_graph_with_functions_that_are_not_known_here_finds_them(monkeypatch):
    g = Graph(1, 1)
    g.add(operation("jv"), g.theta(0), g.x(0))
    monkeypatch.delitem(NUMPY, "scipy.special.jv")
    assert pickle.loads(pickle.dumps(g)).nodes == g.nodes
    assert NUMPY["scipy.special.jv"] is special.jv
    with pytest.raises(ValueError, match="a function of another one"):
        restored(1, [("theta", 0), ("f at 0x10", 0)], symbols_of)


def test_a_ufunc_that_is_not_scipys_is_not_taken_for_it():
    other = np.frompyfunc(lambda a, b: a + b, 2, 1)
    assert operation("exp2") is not None and scipy_operation(np.exp2, symbols_of) is None
    with pytest.warns(tw.SlowModelWarning):
        tw.fit(lambda x, a: other(a, x).astype(float), X, X + 1, [0.5])


# ---- functions of the user's -------------------------------------------------------------------


def of_libm(name, arity=1):
    """A function of the C library, through ctypes."""
    pointer = getattr(ctypes.CDLL(ctypes.util.find_library("m")), name)
    pointer.argtypes, pointer.restype = [ctypes.c_double] * arity, ctypes.c_double
    return pointer


def of_capsule(name):
    """A capsule of SciPy's."""
    return importlib_cython().__pyx_capi__[name]


def importlib_cython():
    """The module with SciPy's compiled functions."""
    from scipy.special import cython_special

    return cython_special


@pytest.mark.parametrize("arity", [1, 2, 3])
def test_functions_of_ctypes(arity):
    name = {1: "lgamma", 2: "hypot", 3: "fma"}[arity]
    f = tw.function(of_libm(name, arity))
    values = np.random.default_rng(5).uniform(0.5, 4, (arity, 7))
    wanted = {1: special.gammaln, 2: np.hypot, 3: lambda a, b, c: a * b + c}[arity](*values)
    np.testing.assert_allclose(f(*values), wanted, rtol=1e-14)
    assert np.ndim(f(*values[:, 0])) == 0 and f(values[:1].T, *values[1:, :1, None]).shape == (7, 1)
    assert name in repr(f)


def test_other_kinds_of_pointers():
    scipy = pytest.importorskip("scipy")
    for pointer in (of_capsule("j0"), scipy.LowLevelCallable(of_libm("j0")), of_libm("j0")):
        np.testing.assert_allclose(tw.function(pointer)(X), special.j0(X), atol=1e-14)


def test_functions_of_numba():
    numba = pytest.importorskip("numba")

    @numba.cfunc("float64(float64, float64)")
    def stretched(t, beta):
        return np.exp(-(t**beta))

    f = tw.function(stretched)
    y = 2 * np.exp(-((X / 3) ** 0.7))
    r = tw.fit(lambda x, a, tau, beta: a * f(x / tau, beta), X, y, [1, 2, 1])
    assert r.success and np.allclose(r.params, [2, 3, 0.7], rtol=1e-7)


def test_functions_of_cffi():
    ffi = pytest.importorskip("cffi").FFI()
    ffi.cdef("double lgamma(double);")
    f = tw.function(ffi.dlopen(ctypes.util.find_library("m")).lgamma)
    np.testing.assert_allclose(f(X), special.gammaln(X), atol=1e-14)


@pytest.mark.parametrize("given", ["function", "pointer", "python"])
def test_derivatives_may_be_given(given):
    cos = of_libm("cos")
    slope = {"function": tw.function(cos), "pointer": cos, "python": lambda a: np.cos(a)}[given]
    f = tw.function(of_libm("sin"), derivatives=[slope], name=f"sine by {given}")
    g = Graph(0, 1)
    [node] = gradient(g, g.add(f._operation, g.x(0)), [g.x(0)])
    [got] = evaluate(g, [node], x=[X])
    np.testing.assert_allclose(got, np.cos(X), rtol=1e-15, atol=1e-15)
    assert " by 0" not in str(g.nodes)
    r = tw.fit(lambda x, a, k: a * f(k * x), X, 2 * np.sin(1.1 * X), [1, 1.05])
    assert r.success and np.allclose(r.params, [2, 1.1])


def test_one_function_is_one_operation_however_often_it_is_made():
    pointer = of_libm("j1")
    assert tw.function(pointer)._operation == tw.function(pointer)._operation
    slopes = [of_libm("j0")]  # not its derivative, but a pointer
    first, again = (tw.function(pointer, derivatives=slopes) for _ in range(2))
    assert first._operation == again._operation != tw.function(pointer)._operation


def test_what_is_no_such_function_is_refused():
    libm = ctypes.CDLL(ctypes.util.find_library("m"))
    untold, floats = libm.tgamma, of_libm("cbrt")
    floats.argtypes = [ctypes.c_float]
    four = of_libm("fmod", 4)
    for pointer, words in (
        (untold, "argtypes"),
        (floats, "1 to 3 doubles"),
        (four, "1 to 3 doubles"),
        (of_capsule("wofz"), "1 to 3 doubles")
        if "wofz" in importlib_cython().__pyx_capi__
        else (floats, "1 to 3"),
        (np.sin, "write a Python function into the model"),
        (lambda x: x, "write a Python function into the model"),
        (12345, "pointer must be"),
        (None, "pointer must be"),
    ):
        with pytest.raises(TypeError, match=words):
            tw.function(pointer)
    sin = of_libm("sin")
    with pytest.raises(ValueError, match="one entry for each of the 1 operands, got 2"):
        tw.function(sin, derivatives=[None, None])
    with pytest.raises(ValueError, match="must take all 1 operands"):
        tw.function(sin, derivatives=[of_libm("hypot", 2)])
    f = tw.function(sin)
    with pytest.raises(TypeError, match="takes 1 numbers, got 2"):
        f(1.0, 2.0)
    with pytest.raises(TypeError, match="make it anew"):
        pickle.dumps(f)
