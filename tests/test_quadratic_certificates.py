"""Certificates of the quadratic form, matrices that are not symmetric, and refusals."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from quadratic_cases import LARGE, SIZES, WAYS, matrix, points, rounding

from thalweg import reference
from thalweg._core import quadratic as core
from thalweg.kernels import Symmetric, line_minimum, quadratic_form

# ---- certificates ----------------------------------------------------------------------------


@given(P=SIZES, seed=st.integers(0, 2**16), many=st.booleans())
def test_whole_numbers_are_exact(isa, P, seed, many):
    rng = np.random.default_rng(seed)
    B = rng.integers(-9, 10, (P, P))
    B = B + B.T
    x = rng.integers(-9, 10, (5, P))
    value, g = quadratic_form(B, x if many else x[0], gradient=True)
    assert np.array_equal(g, 2 * x @ B if many else 2 * x[0] @ B)
    assert np.array_equal(value, ((x @ B) * x).sum(1) if many else x[0] @ B @ x[0])
    assert np.array_equal(quadratic_form(B, x), ((x @ B) * x).sum(1))


@given(P=st.integers(1, 40), seed=st.integers(0, 2**16))
def test_the_gradient_at_the_minimum_of_a_line_is_at_right_angles_to_it(isa, P, seed):
    A = matrix(P, seed)
    B = A @ A + np.eye(P)
    B = (B + B.T) / 2
    theta, star = points(P, None, seed, "shared")
    d, _ = points(P, None, seed + 1, "none")
    alpha = line_minimum(B, theta, d, star)
    _, g = quadratic_form(B, theta + alpha * d, star, gradient=True)
    _, of_row = rounding(B, np.abs(theta - star) + np.abs(alpha * d))
    assert abs(g @ d) <= 4 * of_row @ np.abs(d)


def test_more_elements_than_32_bits_can_count(isa):
    P = 46_400  # squared: 2.15e9, above 2^31; all rows are the same memory
    row = np.ones(P)
    B = np.lib.stride_tricks.as_strided(row, (P, P), (0, row.itemsize), writeable=False)
    x = np.zeros(P)
    x[[0, 1, P // 2, -1]] = 1, 2, 3, 4
    value, g = quadratic_form(B, x, gradient=True, triangle="lower")
    assert value == 100
    assert (g == 20).all()


# ---- what is not symmetric -------------------------------------------------------------------

ASYMMETRY = "B must be symmetric, but"


@pytest.mark.parametrize("storage", ["full", "columns", "list", "sparse"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@given(P=SIZES.filter(lambda P: P > 1), data=st.data())
def test_every_pair_is_compared_and_the_worst_is_named(isa, storage, dtype, P, data):
    i = data.draw(st.integers(1, P - 1))
    j = data.draw(st.integers(0, i - 1))
    if data.draw(st.booleans()):
        i, j = j, i
    B = np.ones((P, P), dtype)
    B[i, j] = 3
    if P > 2:
        a = (max(i, j) + 1) % P if max(i, j) + 1 < P else 3 - i - j if P == 3 else min(i, j) - 1
        if 0 <= a < P and a not in (i, j):
            B[a, i] = 2  # not the worst
    given_as = {
        "full": lambda: B,
        "columns": lambda: np.asfortranarray(B),
        "list": B.tolist,
        "sparse": lambda: sp.csr_array(B),
    }[storage]()
    here = rf"B\[{i}, {j}\] = 3\.0 and B\[{j}, {i}\] = 1\.0"
    there = rf"B\[{j}, {i}\] = 1\.0 and B\[{i}, {j}\] = 3\.0"
    with pytest.raises(ValueError, match=f"{ASYMMETRY} ({here}|{there}); symmetrise=True"):
        Symmetric(given_as)


def test_rows_far_apart_are_compared_too(isa):
    B = matrix(LARGE, 0)
    for i, j in [(LARGE - 1, 0), (LARGE - 1, LARGE - 2), (700, 300), (1104, 5), (64, 63)]:
        spoilt = B.copy()
        spoilt[i, j] += 1e4
        with pytest.raises(ValueError, match=rf"B\[({i}, {j}|{j}, {i})\] = "):
            Symmetric(spoilt)


def test_a_pattern_that_is_not_symmetric_is_refused(isa):
    B = sp.csr_array(np.array([[1.0, 0.0, 2.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]))
    for A in (B, B.T.tocsr()):
        with pytest.raises(ValueError, match=ASYMMETRY):
            Symmetric(A)
    B = sp.csr_array(np.array([[1.0, 5.0], [5.0, 1.0]]))
    B.data[1] = 0  # an element that is stored and zero has no partner, and none is missed
    B = sp.csr_array((B.data[[0, 1, 3]], B.indices[[0, 1, 3]], [0, 2, 3]), shape=(2, 2))
    assert quadratic_form(Symmetric(B), np.ones(2)) == 2


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("storage", [np.asarray, sp.csr_array])
def test_what_rounding_leaves_passes(isa, dtype, storage):
    P = 30
    B = matrix(P, 3, dtype)
    B += np.tril(B, -1) * np.array(8 * np.finfo(dtype).eps, dtype)
    assert (B != B.T).any()
    theta, _ = points(P, None, 3, "none")
    of_value, _ = rounding(B.astype(float), theta)
    wanted = reference.quadratic_form(B, theta, triangle="lower")
    assert abs(quadratic_form(Symmetric(storage(B)), theta) - wanted) <= of_value


def test_symmetric_keeps_the_caller_s_array_and_cannot_change():
    B = np.eye(3)
    S = Symmetric(B)
    assert S.arrays == (B,) or np.shares_memory(S.arrays[0], B)
    assert (S.P, repr(S)) == (3, "<Symmetric 3 x 3, full lower, float64>")
    with pytest.raises(AttributeError):
        S.P = 4
    with pytest.raises(TypeError, match="has its elements already"):
        S._full(B, False)
    with pytest.raises(ValueError, match="were settled when B was made"):
        quadratic_form(S, np.ones(3), triangle="lower")
    assert Symmetric(np.eye(3), symmetrise=True).arrays[0].shape == (6,)


# ---- refusals --------------------------------------------------------------------------------

B3 = np.array([[2.0, 1.0, 0.0], [1.0, 3.0, 1.0], [0.0, 1.0, 4.0]])


UNSORTED = sp.csr_array((np.ones(4), [1, 0, 1, 0], [0, 2, 4]), shape=(2, 2))


TWICE = sp.csr_array((np.ones(3), [0, 0, 1], [0, 2, 3]), shape=(2, 2))


OUTSIDE = sp.csr_array((np.ones(2), [0, 1], [0, 1, 2]), shape=(2, 2))


OUTSIDE.indices[0] = 2


READ_ONLY = np.zeros(3)


READ_ONLY.flags.writeable = False


@pytest.mark.parametrize(
    "error, sentence, arguments, how",
    [
        (ValueError, r"B must have shape \(P, P\), got \(2, 3\)", (B3[:2], np.ones(3)), {}),
        (ValueError, r"B must have shape \(P, P\), got \(\)", (2.0, np.ones(1)), {}),
        (ValueError, r"B must have shape \(P, P\), got \(2, 3\)", (sp.csr_array(B3[:2]), B3), {}),
        (ValueError, r"packed B must have P\(P \+ 1\)/2 elements, got 7", (np.ones(7), B3), {}),
        (ValueError, r"theta must have shape \(P=3,\) or \(M, P=3\), got \(2,\)", (B3, [1, 2]), {}),
        (ValueError, r"theta must have shape .* got \(1, 1, 3\)", (B3, np.ones((1, 1, 3))), {}),
        (ValueError, r"theta_star must have shape \(P=3,\) or \(M", (B3, np.ones(3), [1.0]), {}),
        (
            ValueError,
            r"theta_star must have shape \(P=3,\) or theta's \(3,\), got \(2, 3\)",
            (B3, np.ones(3), np.ones((2, 3))),
            {},
        ),
        (TypeError, "B must be real, got complex", (B3 + 1j, np.ones(3)), {}),
        (TypeError, "theta must be numbers", (B3, ["a", "b", "c"]), {}),
        (ValueError, "triangle must be 'lower' or 'upper'", (B3, B3), {"triangle": "left"}),
        (
            ValueError,
            "symmetrise uses both triangles of B, triangle only one",
            (B3, B3),
            {"triangle": "lower", "symmetrise": True},
        ),
        (
            ValueError,
            r"B must have shape \(P, P\), got \(6,\)",
            (np.ones(6), B3),
            {"symmetrise": 1},
        ),
        (ValueError, "threads must be a whole number from 1", (B3, np.ones(3)), {"threads": 0}),
        (ValueError, "row 0 of the sparse B has columns outside", (OUTSIDE, [1, 2]), {}),
        (
            ValueError,
            "row 0 of the sparse B has columns that are",
            (UNSORTED, [1, 2]),
            {"triangle": "lower"},
        ),
        (
            ValueError,
            "row 0 of the sparse B has columns that are",
            (TWICE, [1, 2]),
            {"triangle": "upper"},
        ),
        (TypeError, "B must not be masked", (np.ma.masked_equal(B3, 4.0), np.ones(3)), {}),
        (TypeError, "theta must not be masked", (B3, np.ma.masked_equal([1.0, 2, 3], 2)), {}),
        (TypeError, "theta_star must not be", (B3, B3, np.ma.masked_equal([1.0, 2, 3], 2)), {}),
        (ValueError, "out is for the gradient", (B3, np.ones(3)), {"out": np.ones(3)}),
        (
            TypeError,
            "out must be a C-contiguous array of float64",
            (B3, np.ones(3)),
            {"gradient": True, "out": np.ones(3, np.float32)},
        ),
        (
            ValueError,
            r"out must have theta's shape \(3,\), got \(4,\)",
            (B3, np.ones(3)),
            {"gradient": True, "out": np.ones(4)},
        ),
        (
            ValueError,
            "out is read-only",
            (B3, np.ones(3)),
            {"gradient": True, "out": READ_ONLY},
        ),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(error, sentence, arguments, how):
    with pytest.raises(error, match=sentence):
        quadratic_form(*arguments, **how)


def test_an_output_that_overlaps_an_input_is_refused():
    B, memory = B3.copy(), np.ones(6)
    with pytest.raises(ValueError, match="out overlaps theta,"):
        quadratic_form(B, memory[:3], gradient=True, out=memory[2:5])
    with pytest.raises(ValueError, match="out overlaps theta_star"):
        quadratic_form(B, np.ones(3), memory[:3], gradient=True, out=memory[:3])
    for A in (B, Symmetric(B)):
        with pytest.raises(ValueError, match="out overlaps B"):
            quadratic_form(A, np.ones(3), gradient=True, out=B[1])
    assert np.array_equal(B, B3)
    assert (memory == 1).all()


@pytest.mark.parametrize("M", [None, 4])
def test_the_gradient_goes_where_it_is_wanted(isa, M):
    theta, _ = points(3, M, 0, "none")
    out = np.empty_like(theta)
    value, g = quadratic_form(B3, theta, gradient=True, out=out)
    assert g is out
    assert np.array_equal(out, quadratic_form(B3, theta, gradient=True)[1])
    assert np.array_equal(value, quadratic_form(B3, theta, gradient=True)[0])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@given(
    P=st.sampled_from([1, 3, 8, 9, 40]), M=st.one_of(st.none(), st.integers(1, 30)), data=st.data()
)
def test_the_first_number_that_is_none_is_named(isa, bad, P, M, data):
    theta, star = points(P, M, 0, "shared")
    B = matrix(P, 0)
    j = data.draw(st.integers(0, P - 1))
    spoilt = theta.copy()
    spoilt.reshape(-1, P)[-1, j] = bad
    where = f"{j}" if M is None else f"{M - 1}, {j}"
    sentence = rf"\[{where}\] is {bad}"
    for gradient in (False, True):
        with pytest.raises(ValueError, match="theta" + sentence):
            quadratic_form(B, spoilt, gradient=gradient)
    spoilt = star.copy()
    spoilt[j] = bad
    with pytest.raises(ValueError, match=rf"theta_star\[{j}\] is {bad}"):
        quadratic_form(B, theta, spoilt)
    with pytest.raises(ValueError, match=rf"^d\[{j}\] is {bad}"):
        line_minimum(B, theta, spoilt)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("M", [None, 3])
def test_an_element_that_is_none_is_named(isa, way, bad, M):
    B = matrix(20, 0)
    i, j = 17, 4
    B[i, j] = B[j, i] = bad
    B, how = WAYS[way](B)
    theta = np.zeros(20 if M is None else (M, 20))  # 0 * NaN is NaN: nothing hides
    place = r"B\[17, 4\]|B\[4, 17\]"
    if "packed" in way or way == "symmetrised":
        place = r"B\[\d+\]"
    for gradient in (False, True):
        with pytest.raises(ValueError, match=f"({place}) is {bad}"):
            quadratic_form(B, theta, gradient=gradient, **how)


def test_finite_inputs_may_overflow():
    assert quadratic_form(np.array([[1e308]]), np.array([1e10])) == np.inf


def test_no_minimum_on_the_line_is_nan():
    B = np.diag([1.0, -1.0, 0.0])
    alpha = line_minimum(B, np.ones(3), np.eye(3))
    assert alpha[0] == -1
    assert np.isnan(alpha[1:]).all()
    assert np.isnan(line_minimum(B, np.ones(3), np.zeros(3)))


def test_line_minimum_says_which_shapes_disagree():
    with pytest.raises(ValueError, match=r"theta \(2, 3\), d \(4, 3\) and theta_star \(\)"):
        line_minimum(B3, np.ones((2, 3)), np.ones((4, 3)))


def test_inputs_stay_untouched():
    B, theta, star, d = B3.copy(), np.ones((2, 3)), np.full(3, 2.0), np.eye(3)[:2]
    for asked in (
        lambda: quadratic_form(B, theta, star, gradient=True),
        lambda: quadratic_form(B, theta, star, symmetrise=True),
        lambda: line_minimum(B, theta, d, star),
    ):
        asked()
        assert np.array_equal(B, B3)
        assert (theta == 1).all()
        assert (star == 2).all()
        assert np.array_equal(d, np.eye(3)[:2])


def test_indices_spoilt_after_the_check_lead_nowhere(isa):
    B = sp.csr_array(B3)
    S = Symmetric(B)
    wanted = quadratic_form(S, np.ones(3))
    for place, index in [(0, -(2**20)), (2, 2**30), (3, 0), (5, 2**30)]:
        spoilt = S.arrays[1].copy()
        S.arrays[1][place] = index
        try:
            for theta in (np.ones(3), np.ones((9, 3))):
                with pytest.raises(
                    ValueError, match="has changed: it has columns that are unsorted"
                ):
                    quadratic_form(S, theta)
        finally:
            S.arrays[1][:] = spoilt
    S.arrays[2][1] = 2**30
    with pytest.raises(ValueError, match="has changed"):
        quadratic_form(S, np.ones(3))
    S.arrays[2][1] = 2
    assert quadratic_form(S, np.ones(3)) == wanted


@pytest.mark.parametrize(
    "call",
    [
        lambda: core.Matrix()._full(np.ones((2, 3)), False),
        lambda: core.Matrix()._full(np.ones((2, 2), int), False),
        lambda: core.Matrix()._packed(np.ones(4), 2, False),
        lambda: core.Matrix()._csr(np.ones(2), np.zeros(3, int), np.zeros(3, int), 2, False),
        lambda: core.symmetrise(np.ones((2, 2)), np.ones(3, np.float32)),
        lambda: core.evaluate(
            Symmetric(B3), np.ones(3), None, np.ones(1), np.ones(2),
            shared_star=True, many=False, threads=1,
        ),
        lambda: core.evaluate(
            Symmetric(B3), np.ones((2, 3)), None, np.ones(2), None,
            shared_star=True, many=False, threads=1,
        ),
    ],
)  # fmt: skip
def test_the_core_lets_nothing_unsafe_through(call):
    with pytest.raises((TypeError, ValueError)):
        call()
