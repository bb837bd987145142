"""How many threads a call uses, what a fork leaves of them, and which instruction set they run."""

import os
import subprocess
import sys

import numpy as np
import pytest

import thalweg as tw
from thalweg._core import dispatch

COUNT = "import thalweg._core.dispatch as e; print(e.get_num_threads())"


def processors():
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def said_by(script, **environment):
    """Return what a process of its own prints last, without the settings of this one."""
    names = ("THALWEG_NUM_THREADS", "OMP_NUM_THREADS", "THALWEG_SIMD")
    kept = {k: v for k, v in os.environ.items() if k not in names}
    done = subprocess.run(
        [sys.executable, "-c", script], env=kept | environment, capture_output=True, text=True,
        timeout=120, check=True,
    )  # fmt: skip
    return done.stdout.splitlines()[-1]


@pytest.mark.parametrize(
    ("environment", "threads"),
    [
        ({}, None),
        ({"THALWEG_NUM_THREADS": "3"}, 3),
        ({"THALWEG_NUM_THREADS": "3", "OMP_NUM_THREADS": "7"}, 3),
        ({"OMP_NUM_THREADS": "5,2"}, 5),  # for nested loops: the outer one's counts
        ({"THALWEG_NUM_THREADS": "0", "OMP_NUM_THREADS": "4"}, 4),
        ({"THALWEG_NUM_THREADS": "-2"}, None),
        ({"THALWEG_NUM_THREADS": "many"}, None),
        ({"THALWEG_NUM_THREADS": "100000"}, 256),
    ],
)
def test_the_environment_says_how_many_threads(environment, threads):
    assert int(said_by(COUNT, **environment)) == (threads or min(processors(), 256))


def test_a_setting_comes_before_the_environment_and_is_taken_back():
    before = dispatch.get_num_threads()
    try:
        for asked, used in ((3, 3), (1, 1), (100_000, 256), (0, before), (-5, before)):
            dispatch.set_num_threads(asked)
            assert dispatch.get_num_threads() == used
    finally:
        dispatch.set_num_threads(0)


def test_users_set_the_number_of_threads():
    before = tw.get_num_threads()
    try:
        tw.set_num_threads(3)
        assert tw.get_num_threads() == dispatch.get_num_threads() == 3 == tw.info().threads
        for wrong in (0, -1, "many", 1.5):
            with pytest.raises(ValueError, match=r"^n must be "):
                tw.set_num_threads(wrong)
        assert tw.get_num_threads() == 3
    finally:
        tw.set_num_threads(None)
    assert tw.get_num_threads() == before


def a_loss(seen=None):
    """|theta|^2 / 2, which notes how many threads a call would use where it is asked."""

    def value(theta):
        if seen is not None:
            seen.add(tw.get_num_threads())
        return 0.5 * theta @ theta

    return tw.FunctionLoss(value, lambda theta: theta, lambda theta: np.eye(len(theta)))


class Residuals(tw.LeastSquares):
    """r = theta, noting the same."""

    n_params, names = 2, ("a", "b")
    seen: set

    def value_and_gradient(self, theta):
        return theta @ theta, 2 * theta

    def residuals(self, theta):
        self.seen.add(tw.get_num_threads())
        return theta

    def jvp(self, theta, v):
        return v

    def vjp(self, theta, e):
        return e

    def gauss_newton(self, theta):
        return np.eye(2)


def asked_of_an_adjoint(seen, **threads):
    loss = Residuals()
    loss.seen = seen
    return tw.check_adjoint(loss, [1.0, 2.0], **threads)


CALLS = {
    "minimize": lambda seen, **threads: tw.minimize(a_loss(seen), [1.0, 2.0], **threads),
    "diagnose": lambda seen, **threads: tw.diagnose(a_loss(seen), [1.0, 2.0], **threads),
    "check_gradient": lambda seen, **threads: tw.check_gradient(a_loss(seen), [1.0], **threads),
    "check_adjoint": asked_of_an_adjoint,
    "curve_fit": lambda seen, **threads: tw.curve_fit(
        lambda x, a: a * x, np.arange(3.0), np.arange(3.0), **threads
    ),
}


@pytest.mark.parametrize("call", CALLS)
def test_a_call_is_told_how_many_threads_it_may_use(call):
    before = tw.get_num_threads()
    for threads in (1, 3, None):
        seen = set()
        CALLS[call](seen, threads=threads)
        assert tw.get_num_threads() == before
        if call in ("minimize", "check_gradient", "check_adjoint"):
            assert seen == {threads or before}
    for wrong in (0, 257, 1.5, "many"):
        with pytest.raises(ValueError, match=r"^threads must be a whole number"):
            CALLS[call](set(), threads=wrong)


def test_an_inner_call_keeps_the_limit_of_the_outer_one():
    inner, outer = set(), set()

    def value(theta):
        outer.add(tw.get_num_threads())
        tw.check_gradient(a_loss(inner), [1.0], threads=5)
        outer.add(tw.get_num_threads())
        return 0.5 * theta @ theta

    try:
        tw.set_num_threads(8)
        tw.check_gradient(tw.FunctionLoss(value, lambda theta: theta), [1.0], threads=2)
        assert inner == outer == {2}
        with pytest.raises(ZeroDivisionError):
            tw.minimize(tw.FunctionLoss(lambda t: 1 / 0, lambda t: t), [1.0], threads=2)
        assert tw.get_num_threads() == 8
    finally:
        tw.set_num_threads(None)


def test_no_bit_depends_on_the_threads_of_a_call():
    x = np.linspace(0.01, 5, 70_001)
    y = 2 * np.exp(-x / 1.5) + 0.01 * np.random.default_rng(1).normal(size=x.size)

    def decay(x, a, tau):
        return a * np.exp(-x / tau)

    loss, start = tw.MSELoss(decay, x, y), [1.0, 1.0]

    def found(threads):
        r = tw.minimize(loss, start, threads=threads, record=True)
        d = tw.diagnose(loss, start, threads=threads)
        popt, pcov = tw.curve_fit(decay, x, y, p0=start, threads=threads)
        gradient = tw.check_gradient(loss, start, threads=threads).differences
        return [r.theta, r.history.theta, d.spectrum, popt, pcov, gradient]

    one = found(1)
    for threads in (2, 3, None):
        for got, wanted in zip(found(threads), one, strict=True):
            np.testing.assert_array_equal(got, wanted)


def test_info_tells_what_runs_here():
    told = tw.info()
    assert told.version == tw.__version__ and told.numpy == np.__version__
    assert told.instruction_set in told.available == tuple(dispatch.variants())
    lines = str(told).splitlines()
    assert lines[:5] == repr(told).splitlines() and len(lines) == 9
    assert told.libraries["scipy"] in lines[7] and told.folder in lines[6]
    assert 1 <= told.processors and f"processors       {told.processors}" in lines[5]
    assert lines[0] == f"thalweg          {tw.__version__}"
    assert f"threads          {tw.get_num_threads()}" in lines


def test_info_tells_the_settings_of_the_environment(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setenv("THALWEG_NUM_THREADS", "3")
    assert tw.info().settings["THALWEG_NUM_THREADS"] == "3"
    assert "THALWEG_NUM_THREADS=3" in str(tw.info()) and "OMP" not in str(tw.info())


FORK = """
import os, sys
import numpy as np
import thalweg as tw

def a_fit():
    x = np.linspace(0, 4, 30)
    y = np.exp(-x / np.linspace(0.8, 2, 3000)[:, None])
    return tw.fit("a*exp(-x/t)", x, y, p0={"a": 0.9, "t": 1.0}, threads=3).params

wanted = a_fit()
child = os.fork()
same = np.array_equal(a_fit(), wanted)
if child == 0:
    sys.exit(7 if same else 1)
ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
print(same, ended)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_process_starts_threads_of_its_own():
    """The parent's are gone there, and waiting for them would have no end."""
    assert said_by(FORK) == "True 7"


def test_an_instruction_set_is_chosen_by_its_name():
    best, *_ = dispatch.variants()
    script = "import thalweg._core.dispatch as e; print(e.active_variant())"
    assert said_by(script) == best
    for name in dispatch.variants():
        assert said_by(script, THALWEG_SIMD=name) == name
    with pytest.raises(ValueError, match="instruction set 'abacus' is not available here"):
        dispatch.select_variant("abacus")
    refused = "try: e.active_variant()\nexcept ValueError as error: print(error)"
    said = said_by(f"import thalweg._core.dispatch as e\n{refused}", THALWEG_SIMD="abacus")
    assert said.startswith("THALWEG_SIMD: instruction set 'abacus' is not available here; this")
