"""Wherever outputs, points, weights and gaps lie, the fit is that of one row of real numbers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import thalweg as tw

START = (0.5, 0.5, 0.5)


def plane(x, a, b, c):
    return a + b * x, c * x**2, a - c * x


def complex_line(x, a, b, c):
    return a + b * x + 1j * (c * x - a)


def complex_pair(x, a, b, c):
    return a + 1j * b * x, (c - 1j * a) * x


# model, number of outputs or None, real outputs at x as an array (R, N)
MODELS = {
    "three outputs": (plane, 3, lambda x, a, b, c: [a + b * x, c * x**2, a - c * x]),
    "complex": (complex_line, None, lambda x, a, b, c: [a + b * x, c * x - a]),
    "two complex outputs": (
        complex_pair,
        2,
        lambda x, a, b, c: [a + 0 * x, b * x, c * x, -a * x],
    ),
}


def in_one_row(real):
    """The model of x and of the number of the output."""

    def model(xk, a, b, c):
        x, k = xk
        value = 0.0 * x
        for j, part in enumerate(real(x, a, b, c)):
            value = np.where(k == j, part, value)
        return value

    return model


def parts(values, is_complex, number):
    """Real outputs (..., R, N) of data as a model gives them."""
    if not is_complex:
        return values
    both = np.stack([values.real, values.imag], axis=-2)
    if number is None:
        return both
    return both.reshape(*values.shape[:-2], 2 * number, values.shape[-1])


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_the_fit_is_that_of_one_row(data):
    name = data.draw(st.sampled_from(list(MODELS)))
    model, number, real = MODELS[name]
    N = data.draw(st.sampled_from([4, 7, 8, 9, 16, 17, 33]))
    batch = data.draw(st.sampled_from([(), (1,), (3,), (2, 2), (9,)]))
    rng = np.random.default_rng(data.draw(st.integers(0, 10**6)))
    is_complex = name != "three outputs"
    own_x = data.draw(st.booleans())
    x = rng.uniform(-1, 1, (*batch, N) if own_x else N)
    shape = (*batch, N) if number is None else (*batch, number, N)
    y = rng.normal(size=shape) + (1j * rng.normal(size=shape) if is_complex else 0)
    R = len(real(np.zeros(1), 0, 0, 0))
    flat_y = parts(y, is_complex, number).reshape(*batch, R * N)
    options, flat = {}, {}
    if data.draw(st.booleans()):
        sigma_shape = data.draw(st.sampled_from(sigma_shapes(shape, number, N)))
        sigma = rng.uniform(0.5, 2, sigma_shape)
        if is_complex and data.draw(st.booleans()):
            sigma = sigma + 1j * rng.uniform(0.5, 2, sigma_shape)
        options["sigma"] = sigma
        wide = np.broadcast_to(sigma, shape)
        wide = wide * (1 + 1j) if is_complex and not np.iscomplexobj(wide) else wide
        flat["sigma"] = parts(wide, is_complex, number).reshape(*batch, R * N)
    if data.draw(st.booleans()):
        mask = rng.random(data.draw(st.sampled_from([shape, (N,)]))) < 0.2
        options["mask"] = mask
        wide = np.broadcast_to(mask, shape)
        wide = wide + 1j * wide if is_complex else wide
        flat["mask"] = parts(wide, is_complex, number).reshape(*batch, R * N) > 0
    if data.draw(st.booleans()):
        gaps = rng.random(shape) < 0.1
        y = np.where(gaps, np.nan, y)
        wide = np.where(gaps, complex(np.nan, np.nan), y) if is_complex else y
        flat_y = parts(wide, is_complex, number).reshape(*batch, R * N)
    dtype = data.draw(st.sampled_from([np.float64, np.float32]))
    r = tw.fit(model, x, y, START, dtype=dtype, **options)
    wide_x = np.concatenate([x] * R, axis=-1)
    k = np.repeat(np.arange(float(R)), N)
    one = tw.fit(in_one_row(real), (wide_x, k), flat_y, START, dtype=dtype, axis=-1, **flat)
    assert (r.n_used == one.n_used).all()
    good = r.success & one.success
    assert (good | (r.n_used < 6)).all()
    tolerance = 1e-6 if dtype == np.float64 else 2e-2
    error = np.abs(r.params - one.params)[good]
    assert (error <= tolerance * (one.stderr[good] + np.abs(one.params[good]))).all()
    fitted = parts(r.fitted, is_complex, number).reshape(*batch, R * N)
    size = 1 + np.abs(one.params).max(-1, keepdims=True)
    assert (np.abs(fitted - one.fitted)[good] <= (tolerance * size)[good]).all()


def sigma_shapes(shape, number, N):
    shapes = [(), (N,), shape]
    return shapes if number is None else [*shapes, (number, 1), (number, N), (*shape[:-1], 1)]


@pytest.mark.parametrize("name", MODELS)
def test_any_axes(name):
    model, number, _ = MODELS[name]
    x, rng = np.linspace(-1, 1, 7), np.random.default_rng(1)
    shape = (3, 2, 7) if number is None else (3, 2, number, 7)
    y = rng.normal(size=shape) + (0 if name == "three outputs" else 1j * rng.normal(size=shape))
    r = tw.fit(model, x, y, START)
    for axis in range(y.ndim):
        moved = np.moveaxis(y, -1, axis)
        for where in (axis, axis - y.ndim):
            again = tw.fit(model, x, moved, START, axis=where)
            assert (again.params == r.params).all()
            assert again.fitted.shape == y.shape
