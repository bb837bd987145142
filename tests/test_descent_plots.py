"""Pictures of descents: the axes hold the points, the level lines and the numbers they should."""

import sys

import numpy as np
import pytest

from thalweg.conditioning import diagnose
from thalweg.descent.minimize import minimize
from thalweg.losses import LinearLeastSquares, Loss, QuadraticLoss
from thalweg.model.graph import Graph, evaluate
from thalweg.model.operations import count_operations
from thalweg.model.trace import RecordingError
from thalweg.optimizers import (
    ConjugateGradient,
    CoordinateDescent,
    GradientDescent,
    Newton,
    SteepestDescent,
)

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")

import matplotlib.pyplot as plt  # noqa: E402 - after the backend is chosen

from thalweg import plot  # noqa: E402

B = np.array([[2.0, 1.2], [1.2, 1.5]])
STAR = np.array([1.0, -0.5])
LOSS = QuadraticLoss(B, STAR)
START = [-2.0, 2.0]
PARABOLA = QuadraticLoss([[1.0]], [2.0])


@pytest.fixture(autouse=True)
def draw_and_close():
    """Every picture is also drawn, which finds what setting it up does not."""
    yield
    for number in plt.get_fignums():
        plt.figure(number).canvas.draw()
    plt.close("all")


def descend(loss=LOSS, start=START, method=None, **options):
    return minimize(loss, start, method or SteepestDescent(), record=True, **options)


def line(ax, label):
    """The line with a label, as points (n, 2)."""
    (found,) = [artist for artist in ax.lines if artist.get_label() == label]
    return found.get_xydata()


# ---- losses and ways -----------------------------------------------------------------------------


def test_steps_lie_on_the_curve():
    r = descend(PARABOLA, [-1], GradientDescent(step_size=0.2))
    ax = plot.steps(PARABOLA, r)
    points = line(ax, "GradientDescent")
    assert np.array_equal(points[:, 0], r.history.theta[:, 0])
    assert np.allclose(points[:, 1], r.history.loss, rtol=1e-12, atol=1e-300)
    curve = ax.lines[0].get_xydata()
    assert np.allclose(curve[:, 1], (curve[:, 0] - 2) ** 2, rtol=1e-12, atol=1e-300)
    assert ax.get_xlim()[0] < -1 and ax.get_xlim()[1] > 2


def test_contours_hold_every_way():
    results = [descend(method=m) for m in (SteepestDescent(), ConjugateGradient())]
    ax = plot.contours(LOSS, results, labels=["one", "two"])
    for label, r in zip(("one", "two"), results, strict=True):
        assert np.array_equal(line(ax, label), r.history.theta)
    assert ax.get_aspect() == 1
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["one", "two"]
    assert plot.contours(LOSS, results[0], ax=ax) is ax


def level_paths(ax):
    lines = ax.collections[0]
    paths = zip(lines.levels, lines.get_paths(), strict=True)
    return [(level, path.vertices) for level, path in paths if len(path.vertices)]


def test_on_a_level_line_the_loss_is_the_level():
    ax = plot.contours(LOSS, limits=((-2, 4), (-3, 2)))
    drawn = level_paths(ax)
    highest = drawn[-1][0]
    seen = 0
    for level, points in drawn:
        for point in points:
            # marching squares interpolates linearly in cells of 1/120 of a side
            assert LOSS.value(point) == pytest.approx(level, abs=2e-4 * highest)
            seen += 1
    assert seen > 500


def test_the_level_lines_of_a_loss_that_is_not_quadratic():
    class Rosenbrock(Loss):
        n_params = 2

        def value_and_gradient(self, theta):
            a, b = theta
            gradient = [-2 * (1 - a) - 400 * a * (b - a * a), 200 * (b - a * a)]
            return (1 - a) ** 2 + 100 * (b - a * a) ** 2, np.array(gradient)

    loss = Rosenbrock()
    ax = plot.contours(loss, limits=((-1.5, 1.5), (-0.5, 2)))
    for level, points in level_paths(ax)[5:]:
        for point in points[::7]:
            assert loss.value(point) == pytest.approx(level, rel=0.1)


def test_a_section_of_a_loss_with_more_parameters():
    rng = np.random.default_rng(1)
    loss = LinearLeastSquares(rng.normal(size=(9, 4)), rng.normal(size=9))
    r = descend(loss, np.zeros(4), Newton())
    ax = plot.contours(loss, r, parameters=(1, 3), names=["a", "b"])
    assert np.array_equal(line(ax, "Newton"), r.history.theta[:, [1, 3]])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("a", "b")
    for level, points in level_paths(ax)[3:]:
        theta = r.theta.copy()
        theta[[1, 3]] = points[0]
        assert loss.value(theta) == pytest.approx(level, rel=1e-2)
    assert plot.contours(loss, r, parameters=(0, -1)).get_ylabel() == r"$\theta_{3}$"


def test_parameters_of_very_different_size_have_scales_of_their_own():
    loss = QuadraticLoss(np.diag([1.0, 1e-6]))
    ax = plot.contours(loss, descend(loss, [1, 1000], Newton()))
    assert ax.get_aspect() == "auto"


def test_a_constant_loss_has_no_level_lines():
    loss = QuadraticLoss(np.zeros((2, 2)))
    assert not plot.contours(loss, limits=((0, 1), (0, 1))).collections


def test_three_step_sizes():
    for loss, start in ((PARABOLA, [-1.0]), (LOSS, START)):
        axes = plot.step_sizes(loss, start, max_iter=10)
        titles = [ax.get_title() for ax in axes]
        assert [title.split(": ")[1] for title in titles] == ["too small", "good", "too large"]
        d = diagnose(loss, start)
        assert titles[1].startswith(rf"$\alpha$ = {d.best_step:.3g}")
        assert len({ax.get_xlim() for ax in axes}) == 1
        assert all(ax.get_legend() is None for ax in axes)
    (ax,) = plot.step_sizes(LOSS, START, [0.1])
    assert ax.get_title() == r"$\alpha$ = 0.1: good"


def test_valleys_are_as_narrow_as_they_say():
    axes = plot.valleys([4, 100])
    assert [ax.get_title().split(":")[0] for ax in axes] == [r"$\kappa$ = 4", r"$\kappa$ = 100"]
    for ax, kappa in zip(axes, (4, 100), strict=True):
        _, points = level_paths(ax)[3]
        radius = np.hypot(*points.T)
        # a polygon on a grid: the thin side has few points
        assert radius.max() / radius.min() == pytest.approx(np.sqrt(kappa), rel=0.1)
    plot.valleys([1])


def test_the_staircase_moves_one_parameter_at_a_time():
    r = descend(method=CoordinateDescent())
    ax = plot.staircase(LOSS, r)
    corners = line(ax, "CoordinateDescent")
    assert np.array_equal(corners[::2], r.history.theta)
    moved = np.diff(corners, axis=0) != 0
    assert (moved.sum(axis=1) <= 1).all()
    single = descend(method=CoordinateDescent(updates=1), max_iter=2 * r.n_iter, gtol=0)
    assert np.allclose(corners, single.history.theta[: len(corners)], rtol=0, atol=1e-14)


def test_sphered_level_lines_are_circles():
    left, right = plot.sphered(QuadraticLoss([[4, 1.5], [1.5, 1]]), [1.5, 0.8])
    for level, points in level_paths(right)[:-3]:  # the outer ones are cut by the frame
        radius = np.hypot(*points.T)
        assert np.allclose(radius, np.sqrt(2 * level), rtol=0.02)
    gradient, newton = (c for c in right.collections if type(c).__name__ == "Quiver")
    directions = np.array([[q.U[0], q.V[0]] for q in (gradient, newton)])
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    assert np.allclose(directions[0], directions[1])
    (newton,) = [c for c in left.collections if type(c).__name__ == "Quiver"][1:]
    assert np.allclose([newton.U[0], newton.V[0]], [-1.5, -0.8])


# ---- curves --------------------------------------------------------------------------------------


def test_convergence_with_predictions():
    results = [descend(method=m) for m in (GradientDescent(), SteepestDescent())]
    d = diagnose(LOSS, START)
    ax = plot.convergence(results, d)
    assert ax.get_yscale() == "log"
    for r in results:
        name = r.method.name
        curve = line(ax, name)
        assert np.array_equal(curve[:, 1], r.history.gradient_norm)
    dashed = next(a for a in ax.lines if a.get_linestyle() == "--").get_xydata()
    start, rate = results[0].history.gradient_norm[0], d.rates["GradientDescent"]
    assert np.allclose(dashed[:, 1], start * rate ** dashed[:, 0])
    crosses = [a.get_xydata()[0] for a in ax.lines if a.get_marker() == "X" and a.get_xydata().size]
    assert [x for x, _ in crosses] == [d.predicted_iterations[r.method.name] for r in results]


def test_convergence_of_the_loss():
    r = descend()
    ax = plot.convergence(r, quantity="loss", labels=["mine"])
    assert np.array_equal(line(ax, "mine")[:, 1], r.history.loss)
    assert ax.get_ylabel() == "loss"


class Bent(Loss):
    def __init__(self, hessian):
        self.H, self.n_params = np.asarray(hessian, float), len(hessian)

    def value_and_gradient(self, theta):
        return 0.0, np.ones(self.n_params)

    def hessian(self, theta):
        return self.H


def test_the_spectrum_shows_every_eigenvalue():
    d = diagnose(LOSS, START)
    ax = plot.spectrum(d)
    assert np.array_equal(ax.lines[0].get_ydata(), d.spectrum[::-1])
    assert "positive definite" in ax.get_title()
    ax = plot.spectrum(diagnose(Bent(np.diag([2, 0, -1])), np.zeros(3)))
    assert line(ax, r"$\sigma_i$").tolist() == [[1, 2]]
    assert line(ax, r"$-\sigma_i$").tolist() == [[3, 1]]
    assert line(ax, r"$\sigma_i = 0$").tolist() == [[2, 0]]
    assert "indefinite" in ax.get_title()
    plot.spectrum(diagnose(Bent(np.zeros((2, 2))), np.zeros(2)))


def test_a_diagnosis_draws_itself():
    d = diagnose(LOSS, START)
    left, right = d.plot()
    assert len(left.lines) == 1
    counts = {
        label.get_text(): bar.get_width()
        for label, bar in zip(right.get_yticklabels(), right.patches, strict=True)
    }
    assert counts == d.predicted_iterations
    never = diagnose(Bent(np.diag([2, -1])), np.zeros(2)).plot()[1]
    assert {text.get_text() for text in never.texts} == {" never"}


# ---- propagation ---------------------------------------------------------------------------------


def two_outputs(y, a, b, c):
    return a * np.exp(-y / b), np.tanh(a * y + c)


def test_propagation_shows_shapes_and_costs():
    ax = plot.propagation(two_outputs)
    words = [text.get_text() for text in ax.texts]
    counted = count_operations(two_outputs)
    assert words.count("(2, 3)") == 2 and words.count("(3,)") == 2 and words.count("(2,)") == 2
    assert f"forwards: {counted.forward} operations per point" in words
    assert f"backwards: {counted.backward} operations per point" in words
    cells = len(ax.patches)
    assert cells == 2 + 6 + 3 + 3 + 2 + 6


def test_long_sides_are_dotted():
    def wide(y, a, b, c, d, e, f, g, h, i, j):
        return [k + a * y + b * c * d * e * f * g * h * i * j for k in range(12)]

    ax = plot.propagation(wide)
    assert len(ax.patches) == 7 + 49 + 7 + 7 + 7 + 49
    assert "(12, 10)" in [text.get_text() for text in ax.texts]


def test_operations_of_known_models():
    line = count_operations("a + b*x")
    assert (line.names, line.n_outputs, line.model) == (("a", "b"), 1, 2)
    # v_0 + v_1 x, and a + b x
    assert line.forward == 4
    # e 1 and e x, and a + b x; the derivatives 1 and x are known before
    assert line.backward == 3 and line.jacobian == 2
    assert count_operations(two_outputs).backward <= 4 * count_operations(two_outputs).model
    assert count_operations("gaussian2d").names[0] == "amplitude"
    assert count_operations(lambda xy, a: a * xy[0] + xy[1], n_inputs=2).model == 2


def test_what_is_counted_is_what_is_computed():
    graph = Graph(1, 1)
    square = graph.add("square", graph.add("mul", graph.theta(0), graph.x(0)))
    assert evaluate(graph, [square], x=[2.0], theta=[3.0]) == [36]
    assert graph.count([square]) == count_operations(lambda x, a: (a * x) ** 2).model == 2


# ---- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("draw", "sentence"),
    [
        (
            lambda: plot.steps(LOSS, descend()),
            "steps draws a loss of one parameter, this one has 2",
        ),
        (lambda: plot.contours(PARABOLA), "contours needs a loss of two parameters or more; steps"),
        (lambda: plot.contours(LOSS), "contours needs results to draw, or limits"),
        (
            lambda: plot.contours(LOSS, minimize(LOSS, START, SteepestDescent())),
            "the result holds no points: minimize with record=True keeps them",
        ),
        (lambda: plot.contours(LOSS, descend(), labels=[]), "labels must be one per result, got 0"),
        (
            lambda: plot.contours(LOSS, descend(), parameters=(0, 2)),
            r"parameters must be two of the 2 of this loss, got \(0, 2\)",
        ),
        (
            lambda: plot.step_sizes(Bent(np.diag([1, -1])), [0, 0]),
            "step_sizes must be given: the Hessian is indefinite at the start",
        ),
        (
            lambda: plot.step_sizes(LOSS, START, ax=plt.subplots(2)[1]),
            "ax must be 3 Axes, got 2",
        ),
        (lambda: plot.valleys([4, 0.5]), "a condition number is 1 or more, got 0.5"),
        (lambda: plot.valleys([np.nan]), "a condition number is 1 or more, got nan"),
        (
            lambda: plot.staircase(LOSS, descend(), order=[0, 0]),
            r"order must hold each of the 2 parameters once, got \(0, 0\)",
        ),
        (lambda: plot.sphered(PARABOLA, [1]), "sphered draws a loss of two parameters, this one"),
        (lambda: plot.sphered(LOSS, STAR), "sphered needs a theta where the gradient is not 0"),
        (
            lambda: plot.sphered(Bent(np.diag([1, -1])), [0, 0]),
            "sphered needs a positive definite Hessian at theta",
        ),
        (lambda: plot.convergence([]), "there is no result to draw"),
        (
            lambda: plot.convergence(descend(), quantity="x"),
            "quantity must be gradient_norm or loss",
        ),
        (lambda: plot.convergence(descend(), labels=["a", "b"]), "labels must be one per result"),
        (
            lambda: plot.diagnosis(diagnose(LOSS, START), ax=plt.subplots()[1]),
            "ax must be 2 Axes, got 1",
        ),
        (lambda: plot.propagation(lambda x, *p: p[0]), "must name its parameters, as in f"),
    ],
)
def test_refused(draw, sentence):
    with pytest.raises(ValueError, match=sentence):
        draw()


def test_a_model_that_cannot_be_recorded_is_told_with_its_place():
    def branches(x, a):
        if a > 0:
            return a * x
        return x

    def misspelt(x, a):
        return a * y  # noqa: F821

    for model, line, words in (
        (branches, 1, r"cannot be recorded: bool\(\).*np.where"),
        (misspelt, 1, "it raised NameError: name 'y' is not defined"),
        (lambda x, a: [], None, "it returns no value"),
    ):
        for call in (plot.propagation, count_operations):
            with pytest.raises(RecordingError, match=words) as caught:
                call(model)
            if line is not None:
                first = model.__code__.co_firstlineno
                assert (caught.value.file, caught.value.line) == (__file__, first + line)


def test_without_matplotlib_the_extra_is_named(monkeypatch):
    r, d = descend(), diagnose(LOSS, START)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    for draw in (
        lambda: plot.contours(LOSS, r),
        lambda: plot.valleys(),
        lambda: plot.convergence(r),
        lambda: d.plot(),
        lambda: plot.spectrum(d),
        lambda: plot.propagation("a*x"),
    ):
        with pytest.raises(ModuleNotFoundError) as missing:
            draw()
        assert str(missing.value) == "plots need matplotlib: python -m pip install matplotlib"
