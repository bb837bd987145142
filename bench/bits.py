"""Hash what every kernel computes, for each instruction set and element type.

``python bench/bits.py`` prints one line per kernel; two builds whose lines are equal compute the
same bits.  So a move of code that should change nothing can be shown to change nothing:

    python bench/bits.py > before; ...; python bench/bits.py | diff before -
"""

import hashlib

import numpy as np
import scipy.sparse

import thalweg as tw
from thalweg import kernels
from thalweg._core import dispatch


def arrays_of(result):
    """Every array of a result, in a fixed order: of tuples and of objects with arrays inside."""
    if result is None or isinstance(result, str | bool):
        return []
    if isinstance(result, tuple | list):
        return [array for part in result for array in arrays_of(part)]
    if hasattr(result, "__dict__") or hasattr(result, "__slots__"):
        names = sorted(getattr(result, "__dict__", None) or result.__slots__)
        return [array for name in names for array in arrays_of(getattr(result, name))]
    return [np.asarray(result)]


def digest(result):
    """The hash of all bits of a result."""
    total = hashlib.sha256()
    for array in arrays_of(result):
        total.update(f"{array.dtype} {array.shape} ".encode())
        total.update(np.ascontiguousarray(array).tobytes())
    return total.hexdigest()[:16]


def fits(rng, dtype):
    """Fits side by side and one by one, easy ones and such as need later attempts."""
    for n in (7, 40, 600, 9000):
        x = np.linspace(0.1, 6, n)
        truth = rng.uniform(0.5, 3, (21, 3))
        y = truth[:, :1] * np.exp(-x / truth[:, 1:2]) + truth[:, 2:]
        y = (y + 0.02 * rng.standard_normal(y.shape)).astype(dtype)
        p0 = truth * np.exp(rng.uniform(-1.5, 1.5, truth.shape))
        for threads in (1, 2):
            for options in ({}, {"sigma": 0.5 + x / 6}, {"bounds": ([0, 0.2, -1], [9, 9, 9])}):
                start = np.clip(p0, 0.2, 9)
                r = tw.fit(
                    "a*exp(-x/tau)+c", x, y, p0=start, dtype=dtype, threads=threads, **options
                )
                yield r.params, r.cov, r.chi2, r.status, r.n_iter, r.attempts


def sums(rng, dtype):
    """Adjoint accumulation, products and normal equations, dense, of many shapes."""
    for shape in ((1, 1, 1), (50, 1, 3), (300, 5, 5), (70, 9, 17), (3, 400, 33), (1000, 2, 70)):
        J = rng.standard_normal(shape).astype(dtype)
        e, w = rng.standard_normal(shape[:2]), rng.uniform(0, 2, shape[:2])
        v = rng.standard_normal(shape[2])
        yield kernels.adjoint_sum(J, e), kernels.adjoint_sum(J, e, weights=w)
        yield kernels.vjp(J, e), kernels.jvp(J, v)
        yield kernels.normal_equations(J, e, weights=w)


def quadratics(rng, dtype):
    """Quadratic forms of whole matrices and of triangles, at one point and at many."""
    for P in (1, 4, 9, 64, 130, 515):
        B = rng.standard_normal((P, P)).astype(dtype)
        theta = rng.standard_normal((7, P))
        yield kernels.quadratic_form(B, theta[0]), kernels.quadratic_form(B, theta)
        yield kernels.quadratic_form(B, theta[0], triangle="lower")


def sweeps(rng, dtype):
    """Coordinate-descent sweeps over dense matrices, with every kind of penalty."""
    for n, P in ((30, 3), (300, 17), (2500, 40)):
        A = np.asfortranarray(rng.standard_normal((n, P)).astype(dtype))
        b = rng.standard_normal(n)
        for options in ({}, {"l1": 0.5, "l2": 0.1}, {"bounds": (0.0, None)}, {"order": "greedy"}):
            theta, residual = np.zeros(P), b.copy()
            swept = kernels.coordinate_sweep(A, theta, residual, sweeps=3, **options)
            yield theta, residual, swept


def sparse_sweeps(rng, dtype):
    """Coordinate-descent sweeps over sparse columns, one right-hand side and several."""
    for n, P, shape in ((30, 3, ()), (300, 17, (3,)), (2500, 40, (9,))):
        A = rng.standard_normal((n, P)) * (rng.random((n, P)) < 0.2)
        A = scipy.sparse.csc_array(A.astype(dtype))
        b = rng.standard_normal((n, *shape))
        for centered in (None, True, False):
            for options in ({}, {"l1": 0.5, "l2": 0.1}, {"bounds": (0.0, None)}):
                theta, residual = np.zeros((P, *shape)), b.copy()
                free = None if centered is None else np.zeros(shape or 1)
                options |= {"intercept": free, "centered": centered, "sweeps": 3}
                swept = kernels.coordinate_sweep(A, theta, residual, **options)
                yield theta, residual, free, swept
        theta, residual = np.zeros((P, *shape)), b.copy()
        yield theta, residual, kernels.coordinate_sweep(A, theta, residual, order="greedy")


def losses(rng, dtype):
    """Value, gradient and Gauss-Newton matrix of a recorded loss."""
    x = rng.uniform(0, 5, 5000).astype(dtype)
    y = (2 * np.exp(-x / 1.5)).astype(dtype)
    loss = tw.MSELoss(lambda x, a, tau: a * np.exp(-x / tau), x, y)
    theta = np.array([1.5, 2.0])
    yield loss.value(theta), loss.gradient(theta), loss.gauss_newton(theta)


def main():
    """Print kernel, instruction set, element type and hash."""
    for variant in dispatch.variants():
        dispatch.select_variant(variant)
        for dtype in (np.float64, np.float32):
            for kernel in (fits, sums, quadratics, sweeps, sparse_sweeps, losses):
                found = list(kernel(np.random.default_rng(1), dtype))
                print(f"{kernel.__name__:13s} {variant:5s} {np.dtype(dtype).name} {digest(found)}")


if __name__ == "__main__":
    main()
