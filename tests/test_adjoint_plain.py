"""Sums over plain arrays, which go a short way: the same results, and nothing else's memory."""

import numpy as np
import pytest
from walls import before_a_wall

from thalweg import kernels
from thalweg._core import adjoint as core

SHAPES = [(1, 1), (7, 1), (1, 7), (5, 3), (9, 1, 1), (3, 20, 1), (4, 1, 20), (6, 5, 4), (2, 3, 70)]
RNG = np.random.default_rng(0)


def layouts(array):
    """The same numbers in memory of another order."""
    yield array
    yield np.asfortranarray(array)
    yield array[::-1].copy()[::-1]
    yield np.repeat(array, 2, axis=0)[::2]
    yield np.concatenate([array, array + np.nan], axis=-1)[..., : array.shape[-1]]
    yield array.astype(np.float32).astype(np.float64)


class Foreign:
    """An array of another library, which no short way takes."""

    def __init__(self, array):
        self.array = array

    def __array__(self, dtype=None, copy=None):
        return self.array


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_both_ways_have_the_same_bits(isa, shape, dtype):
    J, e, w = (RNG.standard_normal(s).astype(dtype) for s in (shape, shape[:-1], shape[:-1]))
    for placed, errors, weights in zip(layouts(J), layouts(e), layouts(w), strict=True):
        for each in (None, weights):
            long = Foreign(placed), errors, each
            for kernel in (kernels.vjp, kernels.adjoint_sum):
                wanted = kernel(*long)
                assert np.array_equal(kernel(placed, errors, each), wanted)
                assert kernel(placed, errors, each).shape == wanted.shape
            scaled = kernels.adjoint_sum(placed, errors, each, scale=-0.7)
            assert np.array_equal(scaled, kernels.adjoint_sum(*long, scale=-0.7))


@pytest.mark.parametrize("shape", SHAPES)
def test_a_scale_is_that_of_every_block(isa, shape):
    """A power of two, which changes no digit."""
    J, e = RNG.standard_normal(shape), RNG.standard_normal(shape[:-1])
    for dtype in (np.float64, np.float32):
        one, half = (core.sum_plain(J.astype(dtype), e, None, s, True, 1) for s in (1.0, -0.5))
        assert np.array_equal(half, -0.5 * one)


J0, E0 = np.ones((2, 3, 4)), np.ones((2, 3))


def unaligned(array):
    memory = np.zeros(array.nbytes + 1, np.uint8)[1:]
    placed = np.ndarray(array.shape, array.dtype, memory)
    placed[...] = array
    return placed


@pytest.mark.parametrize(
    ("J", "e", "weights"),
    [
        (J0.tolist(), E0, None),
        (J0, E0.tolist(), None),
        (J0, E0, E0.tolist()),
        (np.ma.array(J0), E0, None),
        (J0.astype(int), E0, None),
        (J0.astype(np.longdouble), E0, None),
        (J0.astype(">f8"), E0, None),
        (unaligned(J0), E0, None),
        (J0, unaligned(E0), None),
        (J0, E0.astype("f2"), None),
        (J0, E0, E0[0]),
        (J0, E0[:1], None),
        (J0, E0.T, None),
        (J0, E0[0], None),
        (J0[0], E0, None),
        (J0[None], E0, None),
        (J0[0, 0], E0[0], None),
        (np.ones((2, 3, 8))[:, :, ::2], E0, None),
        (np.ones((2, 1, 8))[:, :, ::2], E0[:, :1], None),
        (np.ones((2, 8, 1))[:, ::2].transpose(0, 2, 1), E0[:, :1], None),
        (np.ndarray((2, 3, 4), "f8", bytes(400), 0, (100, 32, 8)), E0, None),
        (J0[:0], E0[:0], None),
        (J0[:, :0], E0[:, :0], None),
        (J0[..., :0], E0, None),
        (np.full((2, 3, 4), np.nan), E0, None),
        (J0 * 1e200, E0 * 1e200, None),
    ],
)
def test_what_is_not_plain_is_left_to_the_long_way(J, e, weights):
    for per_block in (False, True):
        assert core.sum_plain(J, e, weights, 1.0, per_block, 1) is None


@pytest.mark.parametrize("shape", [(5, 1), (9, 3), (3, 5, 1), (7, 1, 9), (3, 5, 17), (2, 3, 33)])
def test_nothing_behind_a_jacobian_is_read(isa, shape):
    for dtype in (np.float64, np.float32):
        J, e = before_a_wall(shape, dtype), before_a_wall(shape[:-1], dtype)
        J[:], e[:] = 1, 1
        rows, each = int(np.prod(shape[:-1])), shape[-2]
        assert (kernels.adjoint_sum(J, e) == rows).all()
        assert (kernels.vjp(J, e) == each).all()
        assert (kernels.vjp(J, e, e) == each).all()
        assert (kernels.jvp(J, np.ones(shape[-1])) == shape[-1]).all()
        assert (kernels.normal_equations(J, e).JtWJ == rows).all()
