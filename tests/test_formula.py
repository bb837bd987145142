"""Formulas as text: the same as functions, and sentences for everything else."""

import inspect
import pickle

import numpy as np
import pytest
import scipy.optimize
import scipy.special
from expressions import models
from hypothesis import given

from thalweg.model.formula import FUNCTIONS, parse
from thalweg.model.graph import evaluate
from thalweg.model.trace import RecordingError, parameter_names, record
from thalweg.model.vocabulary import SPECIAL

EPS = np.finfo(float).eps
X = np.array([-1.5, 0.0, 0.4, 1.0, 2.5])
T = np.linspace(0.0, 4.0, 30)


def key(function, n_x, n_params):
    graph, output, _ = record(function, n_x, n_params, 5, single=n_x == 1)
    return graph.key([output])


def decay(t, a, tau, c):
    return a * np.exp(-t / tau) + c


def gaussian(xy, a, x0, y0, s):
    x, y = xy
    return a * np.exp(-((x - x0) ** 2 + (y - y0) ** 2) / (2 * s**2))


@pytest.mark.parametrize(
    ("text", "independent", "function"),
    [
        ("a*exp(-t/tau) + c", "t", decay),
        ("c0 + a*exp(-t/tau)", "t", lambda t, c0, a, tau: decay(t, a, tau, c0)),
        ("a*exp(-((x - x0)**2 + (y - y0)**2)/(2*s**2))", ("x", "y"), gaussian),
        ("a if 0 < x <= 1 else b*x", "x", lambda x, a, b: np.where((0 < x) & (x <= 1), a, b * x)),
        ("2 * 3 * x ** -1 * k", "x", lambda x, k: k * 6 / x),
        ("+x % k // 2", "x", lambda x, k: x % k // 2),
        ("2 * pi * e * x", "x", lambda x: 2 * np.pi * np.e * x),
        (
            "min(a, x, b) + max(x, 1)",
            "x",
            lambda x, a, b: np.minimum(np.minimum(a, x), b) + np.maximum(x, 1),
        ),
        ("not (x < a or x > b and x != 3)", "x", lambda x, a, b: ~((x < a) | ((x > b) & (x != 3)))),
        ("(x < a) | ~(x == b) & (x >= a)", "x", lambda x, a, b: (x < a) | (~(x == b) & (x >= a))),
        ("ln(x)*μ", "x", lambda x, μ: np.log(x) * μ),
        (" a *\n  x ", "x", lambda x, a: a * x),
    ],
)
def test_a_formula_is_the_function_it_reads_like(text, independent, function):
    formula = parse(text, independent)
    n_x = len(formula.independent)
    assert key(formula, n_x, len(formula.names)) == key(function, n_x, len(formula.names))


@given(models)
def test_the_text_of_a_function_is_the_function(model):
    names = ("p0", "p1", "p2")
    text = model.text.replace("np.", "")
    text = f"0*(x + p0 + p1 + p2) + {text}"  # every name occurs
    formula = parse(text, "x", names)
    with np.errstate(all="ignore"):
        assert key(formula, 1, 3) == key(
            lambda x, *p: 0 * (x + p[0] + p[1] + p[2]) + model.function(x, *p), 1, 3
        )


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_every_function_gives_the_same_recorded_and_computed(name):
    arity, _ = FUNCTIONS[name]
    points = 1 + X[1:] if name in ("acosh", "arccosh") else abs(X[1:]) / 3 + 0.01
    formula = parse(f"{name}({', '.join(['x', 'a', 'b'][: arity or 2])})", "x")
    params = [0.3, 0.7][: len(formula.names)]
    graph, output, _ = record(formula, 1, len(params), len(points), single=True)
    [recorded] = evaluate(graph, [output], x=[points], theta=params)
    # the recorded logarithms and powers are scaled: one or two roundings more
    np.testing.assert_allclose(recorded, formula(points, *params), rtol=20 * EPS, atol=EPS)


@pytest.mark.parametrize("name", sorted(SPECIAL))
def test_a_function_of_scipy_is_one_where_it_is_called(name):
    arity, _ = SPECIAL[name]
    first = "2" if name in ("expn", "kn", "yn") else "a"
    names = [first, "x"] if arity == 2 else ["x"] if arity == 1 else ["a", "b", "x"]
    formula, points = parse(f"{name}({', '.join(names)})", "x"), abs(X[1:]) / 9 + 0.01
    params = [0.3, 0.7][: len(formula.names)]
    given = [{"a": 0.3, "b": 0.7, "2": 2.0, "x": points}[each] for each in names]
    np.testing.assert_array_equal(formula(points, *params), getattr(scipy.special, name)(*given))
    graph, output, _ = record(formula, 1, len(params), len(points), single=True)
    [recorded] = evaluate(graph, [output], x=[points], theta=params)
    np.testing.assert_array_equal(recorded, formula(points, *params))
    assert parse(f"{name}*x", "x")(points, 3.0)[0] == 3 * points[0]  # else it is a parameter
    with pytest.raises(ValueError, match="is not a function"):
        parse(f"{name}*x + {name}({', '.join(names)})", "x")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("erf(x)", scipy.special.erf(X)),
        ("erfcx(x)", scipy.special.erfcx(X)),
        ("exp1(x)", scipy.special.exp1(X)),
        ("expit(x)", scipy.special.expit(X)),
        ("voigt(x, 0.5, 0.2)", scipy.special.voigt_profile(X, 0.5, 0.2)),
        ("sinc(x)", np.sinc(X)),
        ("heaviside(x, 0.5)", np.heaviside(X, 0.5)),
        ("where(x > 0, sqrt(abs(x)), 0)", np.sqrt(np.maximum(X, 0))),
        ("x / 0 if x < 0 else 0*x", np.where(X < 0, -np.inf, 0)),
        ("exp(-inf) + x", X),
    ],
)
def test_values_on_arrays(text, wanted):
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(parse(text, "x")(X), wanted, rtol=20 * EPS, atol=EPS)


def test_numbers_lists_and_integers_are_operands():
    formula = parse("a / x ** b", "x")
    assert formula(2.0, 6, 1) == 3.0
    np.testing.assert_array_equal(formula([1, 2], 6, -1), [6.0, 12.0])
    with np.errstate(all="ignore"):
        assert np.isinf(formula(0.0, 1.0, 1.0))
        assert np.isnan(formula(-1.0, 1.0, 0.5))  # a number, not a complex one


def test_names_are_in_order_of_appearance():
    assert parse("b*x + a - b*c", "x").names == ("b", "a", "c")
    assert parse("u if v < x else w", "x").names == ("u", "v", "w")
    assert parse("b*x + a", "x", params=["a", "b"]).names == ("a", "b")
    assert parse("e*x + pi", "x", params=["pi", "e"])(1.0, 10.0, 2.0) == 12.0
    assert parse("exp(-e/2)", "e").names == ()


def test_a_formula_has_the_signature_of_a_function():
    formula = parse("a*exp(-t/tau) + c", "t")
    assert str(inspect.signature(formula)) == "(t, a, tau, c, /)"
    assert parameter_names(formula) == ("a", "tau", "c")
    assert parameter_names(parse("a*x*y", ["x", "y"])) == ("a",)


def test_a_formula_is_a_value():
    formula = parse("a*exp(-t/tau) + c", "t")
    again = pickle.loads(pickle.dumps(formula))
    assert again == formula and hash(again) == hash(formula) and again != parse("a*t", "t")
    assert again(0.0, 1.0, 2.0, 3.0) == 4.0
    assert repr(formula) == (
        "Formula('a*exp(-t/tau) + c', independent=('t',), names=('a', 'tau', 'c'))"
    )


def test_a_formula_works_with_curve_fit():
    formula = parse("a*exp(-t/tau) + c", "t")
    truth = [2.0, 1.5, 0.3]
    found, _ = scipy.optimize.curve_fit(formula, T, decay(T, *truth))
    np.testing.assert_allclose(found, truth, rtol=1e-6)  # curve_fit stops at 1.5e-8


def test_absurd_numbers_end_at_once():
    formula = parse("9**9**9**9 * x", "x")
    assert formula(1.0) == np.inf
    assert parse(f"1{'0' * 400} * x", "x")(1.0) == np.inf


def test_long_sums_are_no_deep_nesting():
    assert parse("+".join(["x"] * 190), "x")(1.0) == 190.0


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a^x", "the operator ^ has no meaning in a formula at column 1; write ** for powers"),
        ("a*epx(x)", "epx is an unknown function at column 3; did you mean exp?"),
        ("a*foo(x)", "foo is an unknown function at column 3"),
        ("exp*x", "exp is a function at column 1; write exp(...)"),
        ("a*2(x)", "only a function's name may stand before ( ) at column 3; write * for products"),
        ("a + a(x)", "a is not a function at column 5; write * for products"),
        ("erf(x, 2)", "erf takes 1 argument, not 2, at column 1"),
        ("hypot(x)", "hypot takes 2 arguments, not 1, at column 1"),
        ("min(x)", "min takes two arguments or more, not 1, at column 1"),
        ("exp(x=1)", "exp takes no arguments by name at column 1"),
        ("a*x.real", "a dot has no meaning in a formula at column 3"),
        ("a*x[0]", "indexing with [ ] has no meaning in a formula at column 3"),
        ("lambda x: x", "lambda has no meaning in a formula at column 1"),
        ("[x for x in a]", "a comprehension has no meaning in a formula at column 1"),
        ("'x'*a", "text in quotes has no meaning in a formula at column 1"),
        ("f'{x}'", "text in quotes has no meaning in a formula at column 1"),
        ("μ*τ.x", "a dot has no meaning in a formula at column 3"),
        ("True*x", "True has no meaning in a formula at column 1"),
        ("a @ x", "the operator @ has no meaning in a formula at column 1"),
        ("a + (x in b)", "the operator in has no meaning in a formula at column 6"),
        ("(y := x)", "an assignment has no meaning in a formula at column 2"),
        ("__import__('os').system('ls')", "only a function's name may stand before ( )"),
        ("open('x')", "open is an unknown function at column 1"),
        (
            "a*t",
            "the independent variable x does not occur; name it with independent=; "
            "the names found are a, t",
        ),
        ("a*(x", "at column"),
        ("2x", "at column 1"),
        ("", "at column 1"),
        ("-" * 300 + "x", "nesting deeper than 200 levels at column 201"),
        ("(" * 150 + "x" + ")" * 149, "at column"),
        ("x" + "+x" * 20000, "it is too deeply nested"),
        ("x*" + "1" * 6000, "at column 1"),
    ],
)
def test_what_is_no_formula_is_refused_in_one_sentence(text, sentence):
    with pytest.raises(ValueError) as caught:
        parse(text, "x")
    message = str(caught.value)
    assert message.startswith("formula ") and sentence in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("a*x + tua", "x", ["a", "tau"]), "tua is unknown at column 7; did you mean tau?"),
        (("a*x", "x", ["a", "b"]), "the parameter b does not occur"),
        (("a*x", "x", ["a", "a"]), "the name a is given twice"),
        (("a*x", "x", ["x", "a"]), "the name x is given twice"),
        (("a*x", "x", ["a b"]), "'a b' is not a name"),
        (("a*x", [], None), "there is no independent variable"),
        (("a*t", ["x", "y"], None), "the independent variable x or y does not occur"),
    ],
)
def test_names_that_do_not_fit_are_refused(arguments, sentence):
    with pytest.raises(ValueError, match="formula 'a") as caught:
        parse(*arguments)
    assert sentence in str(caught.value)


def test_a_call_with_the_wrong_number_of_arguments_is_refused():
    formula = parse("a*x*y", ["x", "y"])
    with pytest.raises(TypeError, match=r"takes 1 parameters \(a\), got 2"):
        formula((X, X), 1.0, 2.0)
    with pytest.raises(ValueError, match="x must hold the 2 variables x, y, got 3"):
        formula((X, X, X), 1.0)
    with pytest.raises(RecordingError, match="it raised TypeError: the formula takes 1 parameters"):
        record(formula, 2, 3, 5, single=False)
