"""Large arrays are copied, filled and searched in pieces: every element once, in any shape."""

import numpy as np
import pytest
from byte_order import named

from thalweg._arguments import pieces as p

SHAPES = [(), (0,), (3, 0, 2), (7,), (8,), (9,), (16,), (17,), (1, 9), (9, 1), (2, 3, 5), (3, 2, 9),
          (4, 8), (4, 7), (2, 2, 17)]  # fmt: skip


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch):
    """Pieces of 8 elements, so that small arrays show what large ones do."""
    monkeypatch.setattr(p, "PIECE", 8)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_pieces_hold_every_element_once_in_order(shape):
    numbered = np.arange(np.prod(shape, dtype=int)).reshape(shape)
    seen = [numbered[piece] for piece in p.pieces(shape)]
    assert all(np.size(part) <= p.PIECE for part in seen)
    np.testing.assert_array_equal(np.concatenate([np.ravel(part) for part in seen] or [[]]),
                                  numbered.ravel())  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize(
    "layout", ["C", "F", "backwards", "bytes swapped", "bytes named", "objects", "read-only"]
)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_copy_is_what_numpy_makes(shape, layout, dtype):
    array = np.array(
        np.random.default_rng(3).standard_normal(shape), order="F" if layout == "F" else "C"
    )
    if layout == "backwards":
        array = array[(..., *(slice(None, None, -1),) * array.ndim)]
    if layout == "bytes swapped":
        array = array.astype(">f8")
    if layout == "bytes named":
        array = named(array)
    if layout == "objects":
        array = array.astype(object)
    array.flags.writeable = layout != "read-only"
    wanted = np.array(array, dtype, order="C")
    for made in (p.copied(array, dtype), p.contiguous(array, dtype)):
        assert made.dtype == dtype and made.dtype.byteorder == "="
        assert made.flags.c_contiguous and made.flags.aligned
        np.testing.assert_array_equal(made, wanted)
    assert not np.shares_memory(p.copied(array), array)
    if layout in ("C", "read-only") and dtype == np.float64:
        assert p.contiguous(array, dtype) is array, "what fits already is not copied"


def test_what_is_not_aligned_is_copied():
    raw = np.frombuffer(b"\0" * 81, np.uint8)[1:].view(np.float64)
    assert not raw.flags.aligned and p.contiguous(raw).flags.aligned


@pytest.mark.parametrize("shape", [s for s in SHAPES if 0 not in s], ids=str)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_every_place_is_searched(shape, bad):
    array = np.ones(shape)
    assert p.all_finite(array) and not p.has_nan(array) and p.first_not_finite(array) is None
    for place in np.ndindex(shape):
        array[...] = 1
        array[place] = array.flat[-1] = bad
        assert p.first_not_finite(array) == place
        assert not p.all_finite(array) and p.has_nan(array) == np.isnan(bad)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_masked_places_are_filled(shape):
    array, where = np.ones(shape), np.random.default_rng(4).random(shape) < 0.5
    np.testing.assert_array_equal(p.replaced(array, where, np.nan), np.where(where, np.nan, 1.0))
    assert (array == 1).all(), "the caller's array stays"
    np.testing.assert_array_equal(p.filled(shape, 2, np.int8), np.full(shape, 2, np.int8))
