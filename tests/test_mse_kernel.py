"""Sums over samples against their specification."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mse_cases import data, recorded

from thalweg import reference
from thalweg._core import loss as core
from thalweg.model.graph import Graph
from thalweg.model.tape import lower_terms

DTYPES = (np.float64, np.float32)


# Across the bounds of lane groups, of blocks (512 samples here) and of chunks (16 blocks), and more
# chunks than there may be.
SIZES = (1, 7, 8, 9, 511, 512, 513, 8191, 8193, 40_000)


MANY = 600_000


def rounding(size, n_samples, dtype=np.float64, depth=40):
    """How far sums of terms of this total size may be off: each term by its operations, in eps of
    its own size, and pairwise sums by no more than one eps for each level."""
    return (depth + np.log2(n_samples + 1)) * np.finfo(dtype).eps * size


THETA = (0.7, -0.4)


def run_sums(terms, columns, dtype, theta=THETA, threads=1):
    out = np.full(terms.n, np.nan)
    samples = core.Samples(columns, len(columns[0]))
    core.sums(terms, samples, dtype == np.float32, np.array(theta, dtype), out, threads)
    return out


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("K", SIZES)
def test_sums_equal_the_reference(isa, dtype, K):
    graph, outputs = recorded(K)
    x = data(K).astype(np.float32)  # the same numbers in both types
    terms = lower_terms(graph, outputs)
    each = reference.loss.values(graph, outputs, [x.astype(float)], THETA)
    wanted = reference.loss.sums(graph, outputs, [x.astype(float)], THETA)
    tolerance = rounding(np.abs(each).sum(axis=0), K, dtype)
    for column in (x, x.astype(float), np.repeat(x, 3)[::3], np.repeat(x.astype(float), 2)[::2]):
        got = run_sums(terms, [column], dtype)
        assert (np.abs(got - wanted) <= tolerance).all()
    got = run_sums(terms, [x[::-1]], dtype)
    assert (np.abs(got - wanted) <= tolerance).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("K", SIZES)
def test_values_equal_the_reference(isa, dtype, K):
    graph, outputs = recorded(K)
    x = data(K)
    terms = lower_terms(graph, outputs)
    out = np.full((K, terms.n), np.nan)
    theta = np.array(THETA, dtype)
    core.values(terms, core.Samples([x], K), dtype == np.float32, theta, out, 2)
    wanted = reference.loss.values(graph, outputs, [x], THETA)
    # float32 rounds the inputs first: exp(x) of |x| <= 2 errs by 2 eps, and -3 a u v by more
    np.testing.assert_allclose(out, wanted, rtol=0, atol=60 * np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n_rows", [1, 2, 7])
@pytest.mark.parametrize("K", SIZES)
def test_normal_equals_the_reference(isa, dtype, n_rows, K):
    graph, outputs = recorded(K)
    x = data(K).astype(np.float32).astype(float)
    terms = lower_terms(graph, outputs, products=False)
    m = len(outputs) // n_rows
    out = np.full(m * (m + 1) // 2, np.nan)
    theta = np.array(THETA, dtype)
    core.normal(terms, core.Samples([x], K), dtype == np.float32, theta, n_rows, out, 2)
    wanted = reference.loss.normal(graph, outputs, [x], THETA, n_rows)
    size = np.sqrt(np.outer(np.diag(wanted), np.diag(wanted)))
    # blocks of 512 samples are added one after the other in the element type
    tolerance = rounding(size, K, dtype, depth=60 + K / 512)
    lower = np.tril_indices(m)
    assert (np.abs(out - wanted[lower]) <= tolerance[lower]).all()


@given(
    K=st.integers(1, 3000),
    columns=st.integers(1, 4),
    seed=st.integers(0, 2**32 - 1),
    threads=st.integers(1, 3),
)
@settings(max_examples=40)
def test_columns_of_an_array(isa, K, columns, seed, threads):
    """Inputs are read where they are, whatever their step."""
    rng = np.random.default_rng(seed)
    table = rng.standard_normal((K, columns))
    graph = Graph(1, columns)
    outputs = [graph.add("mul", graph.theta(0), graph.x(i)) for i in range(columns)]
    outputs += [graph.add("mul", graph.x(0), graph.x(columns - 1))]
    theta = rng.standard_normal(1)
    got = run_sums(lower_terms(graph, outputs), list(table.T), np.float64, theta, threads)
    products = np.c_[table * theta, table[:, 0] * table[:, -1]]
    size = np.abs(products).sum(axis=0)
    assert (np.abs(got - products.sum(axis=0)) <= rounding(size, K)).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_same_bits_for_any_number_of_threads(isa, dtype):
    graph, outputs = recorded(MANY)
    x = data(MANY)
    theta = np.array(THETA, dtype)
    found = []
    for products in (True, False):
        terms = lower_terms(graph, outputs, products=products)
        found.append([run_sums(terms, [x], dtype, threads=n) for n in (1, 2, 3, 8)])
    triangle = np.empty((3, 14 * 15 // 2))
    samples = core.Samples([x], MANY)
    for out, n in zip(triangle, (1, 2, 5), strict=True):
        core.normal(terms, samples, dtype == np.float32, theta, 1, out, n)
    for sums in (*found, triangle):
        for other in sums[1:]:
            np.testing.assert_array_equal(sums[0], other)


def test_many_samples_are_summed_as_exactly_as_few(isa):
    """600,000 float32 products: their sums are float64 beyond a block."""
    graph, outputs = recorded(MANY)
    x = data(MANY)
    got = run_sums(lower_terms(graph, outputs), [x], np.float32, threads=2)
    each = reference.loss.values(graph, outputs, [x], THETA)
    # float32 rounds each term, and the additions within a block, of which 16 are in a chain
    tolerance = 60 * np.finfo(np.float32).eps * np.abs(each).sum(axis=0)
    wanted = reference.loss.sums(graph, outputs, [x], THETA)
    assert (np.abs(got - wanted) <= tolerance).all()


def test_scales_and_products_stay_out_of_the_tape():
    graph, outputs = recorded(5)
    with_products, without = (lower_terms(graph, outputs, products=p) for p in (True, False))
    assert with_products.tape.sizes["block_code"] < without.tape.sizes["block_code"]


def test_refusals_of_the_core():
    graph, outputs = recorded(5)
    terms = lower_terms(graph, outputs)
    out, theta = np.empty(terms.n), np.array(THETA)
    samples = core.Samples([np.ones(5)], 5)
    with pytest.raises(ValueError, match="reads 1 columns, got 2"):
        core.sums(terms, core.Samples([np.ones(5)] * 2, 5), False, theta, out)
    with pytest.raises(ValueError, match=r"column 0 must have shape \(5,\)"):
        core.Samples([np.ones(4)], 5)
    with pytest.raises(TypeError, match="an array of format 'd' or 'f' is needed"):
        core.Samples([np.ones(5, int)], 5)
    with pytest.raises(ValueError, match="14 terms cannot be 3 rows"):
        core.normal(terms, samples, False, theta, 3, out)
    with pytest.raises(ValueError, match="must be one slot"):
        core.normal(terms, samples, False, theta, 1, out)
    with pytest.raises(ValueError, match="term 0 uses a slot"):
        core.Terms(terms.tape, [(-1, 10**6, -1)])
    with pytest.raises(ValueError, match="an array of 14 elements"):
        core.sums(terms, samples, False, theta, np.empty(3))
