"""A recording is used again only where a new one would be the same, bit for bit."""

import functools
import itertools
import math
import random
import types

import numpy as np
import pytest
from remembered_tools import X, decay, kept, recorded, same_as_anew

import thalweg as tw
from thalweg.model import remembered, trace

K, GROWTH, LIST, ARRAY = 2.0, np.exp, [2.0], np.array(2.0)


@pytest.fixture(autouse=True)
def forgotten():
    """Nothing is remembered from other tests."""
    remembered._KEPT.clear()
    remembered._NAMES.clear()


def of_global(x, a, tau):
    return K * a * GROWTH(-x / tau) + math.pi


def of_locals(x, a, tau):
    """Words before, variables of its own, and a ufunc by a name of its own."""
    z = x / -tau
    z -= 0.25
    f = np.exp
    return +f(z) * a * np.sqrt(2.0) + (x > 1) * ~(x <= 2)


@pytest.mark.parametrize("function", [decay, of_global, of_locals, lambda x, a, b: a + b * x])
def test_plain_functions_are_remembered(function):
    first = same_as_anew(function)
    assert kept() == 1
    entry = next(iter(remembered._KEPT.values()))
    assert same_as_anew(function) == first
    assert next(iter(remembered._KEPT.values())) is entry
    with np.errstate(all="raise"):
        assert same_as_anew(function, X + 1.0) == first  # the numbers of x do not matter


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("n", [1, 31, 32, 33, 257])
def test_fits_have_the_same_bits(n, dtype, monkeypatch):
    x = np.linspace(0.1, 4, n + 2).astype(dtype)
    y = decay(x, 3, 1.5).astype(dtype) + np.cos(9 * x).astype(dtype) / 50
    fits = [tw.fit(decay, x, y, [1, 1], dtype=dtype) for _ in range(3)]
    assert kept() == 1
    monkeypatch.setattr(trace, "remembered", lambda *_: None)
    anew = tw.fit(decay, x, y, [1, 1], dtype=dtype)
    for r in fits:
        assert r.params.tobytes() == anew.params.tobytes()
        assert r.cov.tobytes() == anew.cov.tobytes()
        assert r.chi2.tobytes() == anew.chi2.tobytes()


# ---- what changes between two calls --------------------------------------------------------------


def test_a_global_that_changes_is_seen(monkeypatch):
    first = same_as_anew(of_global)
    monkeypatch.setitem(globals(), "K", 3.0)
    second = same_as_anew(of_global)
    monkeypatch.setitem(globals(), "GROWTH", np.sin)
    third = same_as_anew(of_global)
    monkeypatch.setitem(globals(), "K", ARRAY)
    fourth = same_as_anew(of_global)
    monkeypatch.setitem(globals(), "GROWTH", lambda x: x)
    fifth = same_as_anew(of_global)
    assert len({repr(r) for r in (first, second, third, fourth, fifth)}) == 5


def test_an_attribute_of_a_module_that_changes_is_seen(monkeypatch):
    first = same_as_anew(decay)
    monkeypatch.setattr(np, "exp", np.sin)
    assert same_as_anew(decay) != first
    monkeypatch.setattr(np, "exp", lambda x: 1 + x)
    assert same_as_anew(decay) != first


def test_another_module_of_the_name_is_seen():
    other = types.ModuleType("numpy")
    other.exp = np.sin
    names = {"np": np}
    function = types.FunctionType(decay.__code__, names)
    first = same_as_anew(function)
    names["np"] = other
    assert same_as_anew(function) != first
    del names["np"]
    with pytest.raises(trace.RecordingError, match="np"):
        recorded(function)


def test_a_closure_that_changes_is_seen():
    def made(k):
        def model(x, a, b):
            return a * x + k * b

        def change(value):
            nonlocal k
            k = value

        return model, change

    model, change = made(2.0)
    first = same_as_anew(model)
    change(3.0)
    assert same_as_anew(model) != first
    assert len({repr(same_as_anew(made(k)[0])) for k in (2.0, 2, 5.0, -0.0, X)}) == 4
    change([1.0])
    with pytest.raises(trace.RecordingError):
        recorded(model)


def test_other_code_in_a_function_is_seen():
    def model(x, a, b):
        return a * x + b

    first = same_as_anew(model)
    model.__code__ = decay.__code__
    assert same_as_anew(model) != first
    model.__code__ = decay.__code__.replace(co_names=("np", "sin"))
    assert same_as_anew(model) != first


def test_names_of_a_run_text_are_its_own():
    text, found = "def model(x, a, b):\n    return a * x + b * k", set()
    for k in (1.0, 2.0, 3.0):
        names = {"k": k}
        exec(text, names)
        found.add(repr(same_as_anew(names["model"])))
    assert len(found) == 3


def test_globals_that_answer_otherwise_are_not_remembered():
    class Counting(dict):
        def __getitem__(self, name):
            return float(next(self.count)) if name == "k" else super().__getitem__(name)

    names = Counting(k=0.0)
    names.count = itertools.count(2)
    function = types.FunctionType(compile("lambda x, a, b: a * k", "", "eval").co_consts[0], names)
    assert recorded(function) != recorded(function)
    assert kept() == 0


# ---- what is recorded at each call ---------------------------------------------------------------

SEEN, RNG = [], np.random.default_rng(0)


class Of:
    k = 2.0

    def method(self, x, a, b):
        return a * x + self.k * b

    def __call__(self, x, a, b):
        return a * x + self.k * b


def appends(x, a, b):
    SEEN.append(1)
    return a * x + b


def of_mean(x, a, b):
    return a * (x - x.mean()) + b


def of_length(x, a, b):
    return a * x / len(x) + b


def of_shape(x, a, b):
    return a * x / x.shape[0] + b


def of_item(x, a, b):
    return a * (x - x[0]) + b


def branching(x, a, b):
    return a * x if K > 1 else b * x


def looping(x, a, b):
    for _ in range(3):
        a = a * x
    return a + b


def changes_global(x, a, b):
    global COUNT
    COUNT = 1
    return a * x + b


def of_list(x, a, b):
    return a * x + LIST[0] * b


def of_array(x, a, b):
    return a * x + ARRAY * b


def of_random(x, a, b):
    return a * x + b * random.random()


def of_numpy_random(x, a, b):
    return a * x + b * RNG.standard_normal()


def of_class(x, a, b):
    return a * x + Of.k * b


def of_helper(x, a, b):
    return decay(x, a, b)


def of_default(x, a, b=2.0):
    return a * x + b


def imports(x, a, b):
    import numpy

    return numpy.exp(a * x) + b


def prints(x, a, b):
    print("called")
    return a * x + b


def with_words(x, a, *, b):
    return a * x + b


EACH_CALL = [
    *(appends, of_mean, of_length, of_shape, of_item, branching, looping, changes_global, of_list),
    *(
        of_array,
        of_random,
        of_numpy_random,
        of_class,
        of_helper,
        imports,
        prints,
        Of(),
        Of().method,
    ),
    functools.partial(lambda k, x, a, b: a * x + k * b, 2.0),
    functools.wraps(decay)(lambda *args: decay(*args)),
]


@pytest.mark.parametrize("function", EACH_CALL)
def test_what_may_change_is_recorded_at_each_call(function):
    for _ in range(2):
        recorded(function)
    assert kept() == 0


def test_numbers_of_x_and_things_changed_in_place_are_seen(monkeypatch):
    for function in (of_mean, of_length, of_shape, of_item):
        assert same_as_anew(function, X) != same_as_anew(function, np.arange(1.0, 9.0))
    for function in (of_random, of_numpy_random):
        assert recorded(function) != recorded(function)
    before = [same_as_anew(f) for f in (of_list, of_array, of_class, Of(), of_helper)]
    monkeypatch.setattr(Of, "k", 5.0)
    monkeypatch.setitem(globals(), "decay", lambda x, a, b: a + b)
    LIST[0] = ARRAY[...] = 5.0
    try:
        after = [same_as_anew(f) for f in (of_list, of_array, of_class, Of(), of_helper)]
    finally:
        LIST[0] = ARRAY[...] = 2.0
    assert all(a != b for a, b in zip(before, after, strict=True))


def test_a_side_effect_happens_at_each_call():
    SEEN.clear()
    for n in range(1, 4):
        recorded(appends)
        assert len(SEEN) == n


def test_defaults_count_only_where_they_are_used():
    first = same_as_anew(of_default, n_params=1)
    assert kept() == 0
    of_default.__defaults__ = (3.0,)
    try:
        assert same_as_anew(of_default, n_params=1) != first
    finally:
        of_default.__defaults__ = (2.0,)
    same_as_anew(of_default)
    assert kept() == 1


def test_any_number_of_parameters():
    def model(x, *p):
        return p[0] * x

    assert same_as_anew(model, n_params=1) != same_as_anew(model, n_params=2)
    assert same_as_anew(with_words_by_place, n_params=2) and kept() == 0


def with_words_by_place(x, *theta):
    return with_words(x, theta[0], b=theta[1])


def test_settings_of_floating_point_errors_are_obeyed():
    def overflows(x, a, b):
        return a * x + b * np.exp(1e4)

    with np.errstate(over="ignore"):
        recorded(overflows)
    assert kept() == 0
    with np.errstate(over="raise"), pytest.raises(trace.RecordingError, match="overflow"):
        recorded(overflows)


def test_functions_that_fail_are_told_each_time():
    def wrong(x, a, b):
        return a * x + "b"

    for _ in range(2):
        with pytest.raises(trace.RecordingError, match="type str"):
            recorded(wrong)
    assert kept() == 0
