"""The private core against callers that lie: every case ends in a sentence, none in C's memory.

Nobody reaches these functions by the public ones, which check first.  But what C reads and writes
must not depend on that: here are missing arrays, lengths that are not true and products of sizes
that overflow.  Under scripts/sanitize.sh each is also free of undefined behaviour.
"""

import numpy as np
import pytest

import thalweg as tw
from thalweg._core import adjoint, dispatch, engine, graph, loss, lower, quadratic, sweep, value
from thalweg._core.tape import Tape, evaluate, evaluate_rows
from thalweg.model.symbol import Symbol
from thalweg.model.tape import OPCODE

MISSING = "is needed, got None"
GIANT = r"there is no array of|more memory than"
HUGE = 2**62  # times 4 it is 0 in 64 bits: an empty array would seem to fit


class Liar(list):
    """A list that is longer or shorter than it says."""

    def __init__(self, values, says):
        super().__init__(values)
        self.says = says

    def __len__(self):
        return self.says


class LyingArray(np.ndarray):
    """An array that says it has a thousand rows."""

    def __len__(self):
        return 1000


# ---- the engine --------------------------------------------------------------------------------


def line_tape(**changes):
    """f = a x, with its derivative x."""
    fields = dict(n_theta=1, n_x=1, constants=[], n_slots=(1, 1, 2), n_code=(0, 0, 2))
    code = [(OPCODE["mul"], 2, 0, 1, 0), (OPCODE["copy"], 3, 1, 1, 1)]
    fields |= dict(code=code, free_theta=(0,), output=[2, 3])
    return Tape(**fields | changes)


def job(tape=None, is_float=False, n_fits=2, n_points=3, **changes):
    B, N = np.clip([n_fits, n_points], 0, [2, 3])
    out = dict(theta=np.empty((B, 1)), covariance=np.empty((B, 1)), chi2=np.empty(B))
    out |= dict(n_iter=np.empty(B, np.int32), n_used=np.empty(B, np.int64))
    out |= dict(status=np.zeros(B, np.int8), detail=np.empty(B, np.int32))
    fields = dict(x=[(np.arange(1.0, N + 1), 0)], y=np.ones((B, N)), start=(np.ones(1), 0))
    fields |= dict(out=out | changes.pop("out", {}), options=(1e-9, 1e-9, 1e-9, 10, 1))
    return engine.Job(tape or line_tape(), is_float, n_fits, n_points, **fields | changes)


def test_the_job_of_these_tests_runs():
    results = dict(theta=np.empty((2, 1)))
    assert job(out=results).run(1).error is None
    np.testing.assert_allclose(results["theta"], 6 / 14)


@pytest.mark.parametrize("name", ["y", "x", "start"])
def test_a_job_without_an_array_that_it_needs_is_refused(name):
    missing = {"y": None, "x": [(None, 0)], "start": (None, 0)}
    with pytest.raises(TypeError, match=MISSING):
        job(**{name: missing[name]})


@pytest.mark.parametrize(
    "name", ["theta", "covariance", "chi2", "n_iter", "n_used", "status", "detail"]
)
def test_a_job_without_a_place_for_a_result_is_refused(name):
    with pytest.raises(TypeError, match=MISSING):
        job(out={name: None})


@pytest.mark.parametrize("size", [HUGE, 2**63 - 1, -1])
def test_counts_of_fits_and_points_that_overflow_are_refused(size):
    with pytest.raises(ValueError, match="there is no array of"):
        job(n_fits=size, n_points=4)
    with pytest.raises((ValueError, MemoryError), match=GIANT):
        job(n_fits=4, n_points=size)
    with pytest.raises((ValueError, MemoryError), match=GIANT):
        job(n_fits=0, n_points=size)


def test_a_list_of_x_that_lies_about_its_length_is_read_for_what_it_holds():
    arrays = [(np.ones(3), 0)] * 200
    with pytest.raises(ValueError, match="does not fit its tape"):
        job(x=Liar(arrays, 1))


@pytest.mark.parametrize("name", ["x", "start", "sigma", "mask", "f_scale"])
def test_rows_that_are_missing_are_refused(name):
    for rows in [(None, 0), (None, 1)] + [None] * (name in ("x", "start")):
        with pytest.raises(TypeError):
            job(**{name: [rows] if name == "x" else rows})


def test_trials_of_a_job_without_fits_are_refused():
    tape = Tape(1, 0, [], (1, 0, 0), [], (0, 0, 0), (0,), [])
    with pytest.raises(ValueError, match="no fit"):
        engine.Trials(job(tape, n_fits=0, x=[]), np.empty(1))
    trials = engine.Trials(job(tape, x=[]), np.empty(1))
    for f, J in [(None, np.ones((3, 1))), (np.ones(3), None)]:
        with pytest.raises(TypeError, match=MISSING):
            trials.next(f, J, 0.0)


def test_code_that_lies_about_its_length_is_read_for_what_it_holds():
    code = [(OPCODE["mul"], 2, 0, 1, 0)] * 5000
    with pytest.raises(ValueError, match="does not add up"):
        line_tape(code=Liar(code, 2))
    with pytest.raises(ValueError, match="does not add up"):
        line_tape(code=Liar(code[:1], 2))
    for fields in (dict(output=Liar([2] * 999, 2)), dict(free_theta=Liar([0] * 999, 1))):
        with pytest.raises(ValueError, match="for each derivative"):
            line_tape(**fields)
    with pytest.raises(ValueError, match="fewer slots"):
        line_tape(constants=Liar([1.0] * 5000, 0))


@pytest.mark.parametrize("slots", [(1, 1, 2**31 - 1), (2**31 - 1, 1, 2), (2**30, 2**30, 2**30)])
def test_counts_of_slots_that_overflow_are_refused(slots):
    with pytest.raises(OverflowError, match="slots are more than"):
        line_tape(n_slots=slots)
    with pytest.raises(ValueError, match="fewer slots"):
        line_tape(n_theta=2**31 - 1)


def test_evaluating_with_missing_arrays_or_overflowing_counts_is_refused():
    x, theta, out = [np.ones(3)], np.ones(1), np.empty((2, 3))
    evaluate(line_tape(), False, 3, x, theta, out)
    for arguments in ([[None], theta, out], [x, None, out], [x, theta, None]):
        with pytest.raises(TypeError, match=MISSING):
            evaluate(line_tape(), False, 3, *arguments)
    with pytest.raises(ValueError, match="do not fit the tape"):
        evaluate(line_tape(), False, 3, Liar(x * 200, 1), theta, out)
    with pytest.raises(ValueError, match="do not fit the tape"):
        evaluate_rows(line_tape(), False, 1, 3, x, [], theta, out)
    for rows, points in [(HUGE, 4), (4, HUGE), (-1, 3), (1, -1)]:
        with pytest.raises((ValueError, MemoryError)):
            evaluate_rows(line_tape(), False, rows, points, x, [1], theta, out)


def test_a_setting_of_threads_that_changes_meanwhile_harms_no_workspace():
    """The callback changes what a job without a number of threads of its own would use."""
    x = np.linspace(0, 1, 600)
    y = np.exp(-x) + np.random.default_rng(0).normal(0, 0.1, (4000, 600))
    want = tw.fit("a*exp(-b*x)", x, y, [1, 1], threads=1)
    dispatch.set_num_threads(1)
    try:
        got = tw.fit("a*exp(-b*x)", x, y, [1, 1], callback=lambda *_: dispatch.set_num_threads(64))
    finally:
        dispatch.set_num_threads(0)
    np.testing.assert_array_equal(got.params, want.params)


# ---- graphs and values ---------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [value.Value, Symbol])
@pytest.mark.parametrize(
    "use",
    [
        lambda s: -s,
        abs,
        lambda s: s + s,
        lambda s: s * 2,
        lambda s: 2 - s,
        lambda s: s**2,
        lambda s: s // 2,
        lambda s: 2 % s,
        lambda s: s < s,
        lambda s: ~s,
        lambda s: s & s,
        lambda s: s._apply("exp", s),
    ],
)
def test_a_value_that_was_never_initialised_belongs_to_no_graph(kind, use):
    with pytest.raises(TypeError, match="belongs to no graph"):
        use(kind.__new__(kind))


def test_a_value_of_a_recorder_without_a_graph_is_refused():
    class Recorder:
        graph = None

    with pytest.raises(TypeError, match="without a graph"):
        value.Value(Recorder(), 0)


def test_a_value_that_is_initialised_anew_never_points_beyond_its_graph():
    class Recorder:
        def __init__(self, n_theta):
            self.graph = graph.Graph(n_theta, 0)

    symbol = value.Value(Recorder(100), 99)
    with pytest.raises(IndexError, match="no node 99"):
        symbol.__init__(Recorder(1), 99)
    assert (-symbol)._id == 100


def test_outputs_that_lie_about_their_number_are_read_for_what_they_are():
    g = graph.Graph(3, 1)
    outputs = Liar([0, 1, 2] * 3000, 1)
    assert len(g.key(outputs)[2]) == 9000
    assert len(lower.lower_slots(g, outputs)[1]) == 9000

    class Changing:
        """A number of a node that is another one each time."""

        def __init__(self):
            self.numbers = iter([0, 10**6, 10**6, 10**6])

        def __int__(self):
            return next(self.numbers)

        __index__ = __int__

    assert g.key([Changing()]) == g.key([0])
    assert lower.lower_slots(g, [Changing()])[1] == lower.lower_slots(g, [0])[1]
    with pytest.raises(IndexError, match="no node"):
        g.key([10**6])


# ---- sums over samples ---------------------------------------------------------------------------


def test_samples_and_terms_that_lie_or_are_missing_are_refused():
    tape = line_tape(free_theta=(), output=())
    terms = loss.Terms(tape, Liar([(-1, 2, -1)] * 3000, 1))
    assert terms.n == 3000
    samples = loss.Samples(Liar([np.ones(5)] * 300, 1), 5)
    assert samples.n_columns == 300
    terms, samples = loss.Terms(tape, [(-1, 2, -1)]), loss.Samples([np.ones(5)], 5)
    total = np.empty(1)
    loss.sums(terms, samples, False, np.ones(1), total)
    assert total == 5
    for theta, out in [(None, total), (np.ones(1), None)]:
        with pytest.raises(TypeError, match=MISSING):
            loss.sums(terms, samples, False, theta, out)
    with pytest.raises(ValueError, match="number of samples must not be negative"):
        loss.Samples([], -1)


def test_more_samples_than_an_array_has_elements_are_refused():
    tape = Tape(1, 0, [], (1, 0, 0), [], (0, 0, 0), (), [])
    terms, samples = loss.Terms(tape, [(-1, 0, -1)] * 4), loss.Samples([], HUGE)
    with pytest.raises(ValueError, match="there is no array of"):
        loss.values(terms, samples, False, np.ones(1), np.empty(0))


# ---- kernels -----------------------------------------------------------------------------------


EACH = (np.zeros(2), np.zeros(2), np.full(2, -np.inf), np.full(2, np.inf), 1.0)


def sweeper(theta=0, residual=0, each=EACH, M=1, A=0):
    A = np.ones((3, 2)) if isinstance(A, int) else A
    theta = np.zeros((1, 2)) if isinstance(theta, int) else theta
    residual = np.ones((1, 3)) if isinstance(residual, int) else residual
    return sweep.Sweeper(A, theta, residual, None, each, M, False, 2, 1)


@pytest.mark.parametrize(
    "missing",
    [
        dict(theta=None),
        dict(residual=None),
        *(dict(each=(*EACH[:k], None, *EACH[k + 1 :])) for k in range(4)),
    ],
)
def test_a_sweep_without_an_array_that_it_needs_is_refused(missing):
    with pytest.raises(TypeError, match=MISSING):
        sweeper(**missing)


def test_sweeps_of_overflowing_sizes_or_lying_orders_are_refused():
    with pytest.raises(ValueError, match="there is no array of"):
        sweeper(A=np.ones((3, 4)), theta=np.zeros(0), M=HUGE, each=(*[np.zeros(4)] * 4, 1.0))
    order, change = np.array([0, 1]), np.empty(1)
    one = sweeper()
    assert one.run(order, 0, 2, 1, False, change, np.empty((1, 1))) == (0, -1)
    for missing in ((None, np.empty((1, 1))), (change, None)):
        with pytest.raises(TypeError, match=MISSING):
            one.run(order, 0, 2, 1, False, *missing)
    with pytest.raises(ValueError, match="cut at the wrong place"):
        one.run(order[:1].view(LyingArray), 0, 2, 1, False, change, np.empty((1, 1)))


def gram_sweeps(**changes):
    arrays = dict(gram=np.eye(2), theta=np.zeros((1, 2)), q=np.ones((1, 2)), each=EACH)
    arrays |= dict(order=np.array([0, 1]), M=1, sweeps=1, choices=0, change=np.empty(1))
    arrays |= dict(fall=np.empty((1, 1)), threads=1)
    arrays |= changes
    sweep.gram_sweeps(*arrays.values())
    return arrays["theta"]


def test_gram_sweeps_without_an_array_or_with_a_lying_order_are_safe():
    assert (gram_sweeps() == 1).all()
    for name in ("theta", "q", "change", "fall"):
        with pytest.raises(TypeError, match=MISSING):
            gram_sweeps(**{name: None})
    assert (gram_sweeps(order=np.array([0, 1]).view(LyingArray)) == 1).all()
    with pytest.raises(ValueError, match="there is no array of"):
        gram_sweeps(M=HUGE, theta=np.zeros(0), q=np.zeros(0))


def sparse_sweep(**changes):
    fields = dict(weights=None, each=EACH, order=None, greedy=False, sweeps=1, centered=False)
    fields |= dict(theta=np.zeros((2, 1)), residual=np.ones((2, 1)), intercept=None, b=None)
    fields |= dict(change=np.empty(1), fall=np.empty((1, 1)), drift=None, threads=1)
    fields |= changes
    matrix = (np.array([0, 1, 2]), np.array([0, 1]), np.ones(2))
    return sweep.sparse_sweep(fields.pop("shape", (2, 2, 1)), *matrix, **fields)


def test_sparse_sweeps_without_an_array_or_of_overflowing_sizes_are_refused():
    assert sparse_sweep()[0] == 0
    lacking = [dict(each=(*EACH[:k], None, *EACH[k + 1 :])) for k in range(4)]
    lacking += [{name: None} for name in ("theta", "residual", "change", "fall")]
    for missing in lacking:
        with pytest.raises(TypeError, match=MISSING):
            sparse_sweep(**missing)
    with pytest.raises(ValueError, match="there is no array of"):
        sparse_sweep(shape=(2, 2, 2**63 - 1), theta=np.zeros(0))
    with pytest.raises(ValueError, match="need the mean, too"):
        sparse_sweep(centered=True, intercept=np.zeros(1), curvature=np.ones(2))
    with pytest.raises(ValueError, match="elements"):
        sparse_sweep(curvature=np.ones(1))


def matrix(method="_full", *arguments):
    made = quadratic.Matrix()
    getattr(made, method)(*arguments or (np.eye(3), False))
    return made


def quadratic_form(B, theta, value, gradient=None, many=False):
    how = dict(shared_star=True, many=many, threads=1)
    return quadratic.evaluate(B, theta, None, value, gradient, **how)


def test_quadratic_forms_of_what_is_no_matrix_are_refused():
    for shape in ((), (3,), (3, 2), (1, 1, 1)):
        with pytest.raises(ValueError, match=r"two axes|square array"):
            matrix("_full", np.ones(shape), False)
    for P in (HUGE, -1, -2):
        with pytest.raises(ValueError):
            matrix("_packed", np.ones(0), P, False)
        with pytest.raises(ValueError):
            matrix("_csr", np.ones(0), np.ones(0, int), np.ones(0, int), P, False)
    with pytest.raises(TypeError, match="Matrix, got NoneType"):
        quadratic_form(None, np.ones(3), np.empty(1))


def test_quadratic_forms_without_an_array_that_they_need_are_refused():
    value = np.empty(1)
    quadratic_form(matrix(), np.ones(3), value)
    assert value == 3
    with pytest.raises(TypeError, match=MISSING):
        quadratic_form(matrix(), None, value)
    with pytest.raises(TypeError):
        quadratic_form(matrix(), np.ones(3), None)
    for many in (False, True):
        with pytest.raises(ValueError):
            quadratic_form(matrix(), np.ones(3), value.view(LyingArray), many=many)


def test_adjoint_sums_without_an_array_or_of_overflowing_sizes_are_refused():
    J, e = np.ones((2, 3, 4)), np.ones((2, 3))
    jacobian = adjoint.Jacobian(J, e, None, 2, 3, False)
    for call in (
        lambda: jacobian.sum(1.0, 1, None),
        lambda: jacobian.jvp(None, 1, np.empty((2, 3))),
        lambda: jacobian.jvp(np.ones(4), 1, None),
        lambda: jacobian.normal(1, None, np.empty(4), np.empty(1)),
        lambda: jacobian.normal(1, np.empty((4, 4)), None, np.empty(1)),
        lambda: jacobian.normal(1, np.empty((4, 4)), np.empty(4), None),
        lambda: adjoint.Jacobian(None, e, None, 2, 3, False),
    ):
        with pytest.raises(TypeError):
            call()
    with pytest.raises(ValueError, match="e is needed"):
        adjoint.Jacobian(J, None, None, 2, 3, False).sum(1.0, 1, np.empty(4))
    nothing = (np.ones(1, int), np.ones(0, int), np.ones(0), 4)
    for K, Nx in [(HUGE, 4), (4, HUGE), (-1, 1), (1, -1)]:
        with pytest.raises(ValueError, match="there is no array of"):
            adjoint.Jacobian(nothing, None, None, K, Nx, False)
    wide = adjoint.Jacobian((np.zeros(1, int), *nothing[1:3], HUGE), None, None, 0, 1, True)
    with pytest.raises(ValueError, match="there is no array of"):
        wide.normal(1, np.empty(0), np.empty(0), np.empty(0))
