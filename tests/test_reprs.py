"""What is printed when its name is typed: a few lines, without addresses, whatever the size."""

import dataclasses
import inspect
import re
from html import unescape

import numpy as np
import pytest

import thalweg as tw

x = np.linspace(0, 5, 20)


def decay(x, a, tau):
    return a * np.exp(-x / tau)


def fits(batch):
    y = np.broadcast_to(decay(x, 2, 1.5) + 0.1 * np.cos(9 * x), (*batch, 20))
    return tw.fit(decay, x, y, p0=[1, 1])


BOWL = tw.QuadraticLoss(np.eye(3))
DESCENT = tw.minimize(BOWL, [1, 2, 3])
METHODS = [
    (tw.GradientDescent(), "GradientDescent()"),
    (tw.GradientDescent(0.1), "GradientDescent(step_size=0.1)"),
    (tw.HeavyBall(0.1, momentum=0.5), "HeavyBall(step_size=0.1, momentum=0.5)"),
    (tw.ConjugateGradient(), "ConjugateGradient()"),
    (tw.Newton(line_search=None), "Newton(line_search=None)"),
    (tw.SteepestDescent(tw.StrongWolfe(c2=0.5)),
     "SteepestDescent(line_search=StrongWolfe(c2=0.5))"),
    (tw.LBFGS(preconditioner=tw.Diagonal()), "LBFGS(preconditioner=Diagonal())"),
    (tw.CoordinateDescent("random", seed=3), "CoordinateDescent(order='random', seed=3)"),
    (tw.ProximalGradient([1.0, 2.0]), "ProximalGradient(l1=[1.0, 2.0])"),
    (tw.ProximalGradient(np.ones(2)), "ProximalGradient(l1=[1., 1.])"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "text"), METHODS, ids=[text for _, text in METHODS])
def test_a_method_shows_the_call_that_makes_it(method, text):
    assert repr(method) == text


def test_large_settings_show_their_shape_and_functions_their_name():
    def half(v):
        return v / 2

    assert repr(tw.ProximalGradient(np.ones(300))) == "ProximalGradient(l1=<array of shape (300,)>)"
    assert repr(tw.LBFGS(preconditioner=half)) == "LBFGS(preconditioner=half)"
    assert repr(tw.Given(np.eye(9))) == "Given(M=<array of shape (9, 9)>)"
    assert repr(tw.Block([[k] for k in range(99)])) == "Block(blocks=<list>)"
    sparse = pytest.importorskip("scipy.sparse")
    matrix = tw.Given(sparse.eye_array(9, format="csr"))
    assert repr(matrix) == "Given(M=<csr_array of shape (9, 9)>)"


def test_results():
    one, many, images = fits(()), fits((4,)), fits((2, 3))
    assert re.fullmatch(
        r"<FitResult: \w+\n a = [\d.]+ \+- [\d.]+, tau = [\d.]+ \+- [\d.]+\n"
        r" chi2 = [\d.]+, dof = 18, \d+ steps>",
        repr(one),
    )
    assert repr(many) == "<FitResult: 4 fits, 4 succeeded\n of a, tau>"
    assert repr(images) == "<FitResult: 6 fits (2, 3), 6 succeeded\n of a, tau>"
    assert repr(DESCENT) == (
        "<DescentResult: ConjugateGradient, 1 iterations, GTOL\n"
        " loss = 0, ||gradient|| = 0\n theta = [0., 0., 0.]>"
    )
    assert repr(DESCENT.history) == "<History: 2 points, loss 14 to 0>"


SHOWN = [
    fits(()), fits((1000,)), DESCENT, DESCENT.history, tw.models.gaussian, tw.models.polynomial(3),
    tw.minimize(tw.QuadraticLoss(np.eye(300)), np.ones(300)), tw.info(), BOWL,
    tw.MSELoss(decay, x, x), tw.LinearLeastSquares(np.eye(3), [1, 2, 3]),
    tw.FunctionLoss(lambda x: (x**2).sum(), lambda x: 2 * x), tw.diagnose(BOWL, [1, 2, 3]),
    tw.diagnose(tw.QuadraticLoss(np.diag([1.0, -1.0])), [1, 2]), *(m for m, _ in METHODS),
]  # fmt: skip


@pytest.mark.parametrize("shown", SHOWN, ids=lambda shown: type(shown).__name__)
def test_few_lines_and_no_addresses(shown):
    lines = repr(shown).splitlines()
    assert len(lines) <= 5 and max(map(len, lines)) <= 200
    assert " at 0x" not in repr(shown) and "<function" not in repr(shown)


RESULTS = [DESCENT, DESCENT.history, tw.diagnose(BOWL, [1, 2, 3])]


@pytest.mark.parametrize("shown", RESULTS, ids=lambda shown: type(shown).__name__)
def test_notebooks_show_the_same_lines(shown):
    html, lines = shown._repr_html_(), repr(shown)[1:-1].splitlines()
    assert html.startswith(f"<b>{type(shown).__name__}</b> ")
    parts = [unescape(part).strip() for part in html.replace("</b>", ":").split("<br>")]
    assert parts == ["<b>" * (k == 0) + line.strip() for k, line in enumerate(lines)]


@pytest.mark.parametrize("shown", [fits(()), fits((2, 3))], ids=["one", "many"])
def test_notebooks_show_fits_as_a_table(shown):
    html = shown._repr_html_()
    assert html.startswith("<p><b>FitResult</b>: ") and html.count("<table>") == 1
    rows = re.findall(r"<tr><th>(\w+)</th>", html)
    assert tuple(rows) == shown.names
    for name in shown.names:
        assert f"<td>{np.median(shown[name]):.6g}"[:9] in html


def test_what_users_have_named_is_text_in_a_notebook():
    script = "<script>alert(1)</script>"
    r = dataclasses.replace(fits((4,)), names=("a", script))
    assert script in repr(r) and script not in r._repr_html_()
    assert "&lt;script&gt;" in r._repr_html_()


CLASSES = [type(method) for method, _ in METHODS] + [
    tw.Nesterov, tw.GaussNewton, tw.LevenbergMarquardt, tw.StrongWolfe, tw.Block, tw.Given
]  # fmt: skip


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_settings_after_the_first_are_told_by_name(kind):
    first, *others = inspect.signature(kind).parameters.values()
    assert first.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
    assert all(p.kind is inspect.Parameter.KEYWORD_ONLY for p in others)


def test_groups_are_told_in_two_lines():
    x = np.linspace(0, 3, 20)
    y = np.exp(-x) * np.arange(1.0, 7)[:, None]
    r = tw.fit("a*exp(-x/t)", x, y, [1, 1], shared="t", groups=[0, 0, 0, 1, 1, 1])
    assert repr(r.groups).splitlines() == [
        "<Groups: 2 of 6 data sets, 2 succeeded",
        " number, status, chi2, n_used, n_free, success, dof for each data set>",
    ]
