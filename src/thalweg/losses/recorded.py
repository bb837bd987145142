"""The mean squared error of a recorded model: which sums over samples each quantity needs.

The graph of one sample has as inputs the model's variables y, the target x and the weight w, and as
parameters theta and a direction d.  From its nodes

    e_i = x_i - f_i(y; theta),      l = w sum_i e_i^2

all derivatives follow by differentiation (model/autodiff.py), and csrc/loss/loss.c sums them over
the samples:

    value and gradient    l and w e' J, by reverse accumulation of f from w e: backward propagation
    J d                   forward accumulation of f along d
    e' J                  reverse accumulation of f from e, whose elements are further inputs
    H d                   reverse over forward: the gradient of dl/dtheta d (Pearlmutter, "Fast
                          exact multiplication by the Hessian", Neural Computation 6, 1994)
    Gauss-Newton          all of J, block by block, and its products

Each of these programs is made when it is first used.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from .._arguments.check import Array, count
from .._arguments.pieces import contiguous
from .._core import loss as core
from ..model import ModelInfo
from ..model.autodiff import gradient, jvp, vjp
from ..model.graph import Graph
from ..model.tape import lower_terms
from ..model.ties import TiedFunction, read_ties
from ..model.trace import record_outputs

_Column = np.ndarray[Any, np.dtype[Any]]


class RecordedModel:
    """Sums over K samples of a recorded model's squared error.

    Parameters
    ----------
    function : callable
        ``f(y, a, b, ...)``, or ``f(y, theta)`` if ``vector``.
    columns : sequence of ndarray, each (K,)
        The independent variables; float64 or float32, with any stride.
    targets : ndarray, shape (K, Nx)
    weights : ndarray, shape (K,) or (K, Nx), or None
    n_params : int
    single, vector : bool
        As of `thalweg.model.trace.record_outputs`.
    dtype : dtype
        The type of the arithmetic.
    threads : int
        The number of threads; 0 for as many as processors.
    """

    has_hessian = has_jvp = True

    def __init__(
        self,
        function: Callable[..., Any],
        columns: Sequence[_Column],
        targets: _Column,
        weights: _Column | None,
        *,
        n_params: int,
        single: bool,
        vector: bool,
        dtype: np.dtype[Any],
        threads: int,
    ) -> None:
        given = dict(n_params=n_params, single=single, vector=vector, dtype=dtype, threads=threads)
        self._made_of = function, columns, targets, weights, given
        self.targets, self.weights = targets, weights
        K, n_outputs = targets.shape
        graph, outputs, arrays = record_outputs(
            function, len(columns), n_params, K, single=single, vector=vector, room=n_params
        )
        if len(outputs) != n_outputs:
            raise ValueError(
                f"the model returns {len(outputs)} value{'s' * (len(outputs) != 1)} per sample, "
                f"but targets have Nx={n_outputs}"
            )
        self._graph, self._f, self.n_params = graph, outputs, n_params
        self._dtype, self._threads = dtype, threads
        self._theta = [graph.theta(j) for j in range(n_params)]
        self._d = [graph.theta(n_params + j) for j in range(n_params)]
        x = [graph.append_x() for _ in range(n_outputs)]
        self._e = [graph.add("sub", a, b) for a, b in zip(x, outputs, strict=True)]
        w = [] if weights is None else list(weights.reshape(K, -1).T)
        self._w = [graph.append_x() for _ in w]
        self._weighted_e = self._weighted(self._e)
        # without simplification, which might square -e, a node that nothing else needs
        squares = [graph.intern("square", e) for e in self._e]
        self._l = self._weighted_sum(squares)
        self._columns = [*columns, *arrays, *targets.T, *w]
        self._samples = core.Samples(self._columns, K)
        self._used = _used(self._columns, weights, self._samples)

    def __reduce__(self) -> tuple[Any, ...]:
        """Return how to record the model anew from the same function and data."""
        return _recorded, self._made_of

    # ---- values and derivatives -------------------------------------------------------------

    def loss(self, theta: Array) -> float:
        """Return sum_k w_k |e_k|^2."""
        return float(self._sums(self._loss_terms, theta)[0])

    def loss_and_gradient(self, theta: Array) -> tuple[float, Array]:
        """Return the loss and its gradient, shape (P,), in one pass."""
        sums = self._sums(self._gradient_terms, theta)
        return float(sums[0]), -2.0 * sums[1:]

    def residuals(self, theta: Array) -> Array:
        """Return e, shape (K, Nx)."""
        return self._values(self._residual_terms, theta)

    def jvp(self, theta: Array, v: Array) -> Array:
        """Return J v, shape (K, Nx)."""
        return self._values(self._jvp_terms, theta, v)

    def vjp(self, theta: Array, e: Array) -> Array:
        """Return sum_k e_k' J_k, shape (P,); e has shape (K, Nx)."""
        samples = core.Samples([*self._columns, *e.T], len(e))
        return self._sums(self._vjp_terms, theta, samples=samples)

    def hessian_vector(self, theta: Array, d: Array) -> Array:
        """Return the second derivatives of `loss` times d, shape (P,)."""
        return self._sums(self._hessian_terms, theta, d)

    def gauss_newton(self, theta: Array) -> Array:
        """Return sum_k w_k J_k' J_k, shape (P, P)."""
        P = self.n_params
        triangle = np.empty(P * (P + 1) // 2)
        core.normal(
            self._jacobian_terms,
            self._used,
            self._is_float,
            self._parameters(theta),
            len(self._f),
            triangle,
            self._threads,
        )
        product = np.empty((P, P))
        rows, columns = np.tril_indices(P)
        product[rows, columns] = product[columns, rows] = triangle
        return product

    def along(self, theta: Array, d: Array) -> tuple[float, float, float]:
        """Return sum w |e|^2, sum w e'J d and sum w |J d|^2, in one pass."""
        loss, slope, curvature = self._sums(self._along_terms, theta, d)
        return float(loss), float(slope), float(curvature)

    @cached_property
    def is_linear(self) -> bool:
        """Whether J does not depend on theta."""
        graph = self._graph
        slopes = jvp(graph, self._f, self._theta, self._d)
        second = [i for s in slopes for i in gradient(graph, s, self._theta)]
        return all(graph.nodes[i] == ("const", 0.0) for i in second)

    # ---- programs ---------------------------------------------------------------------------

    @cached_property
    def _loss_terms(self) -> core.Terms:
        return lower_terms(self._graph, [self._l])

    @cached_property
    def _gradient_terms(self) -> core.Terms:
        descent = vjp(self._graph, self._f, self._weighted_e, self._theta)
        return lower_terms(self._graph, [self._l, *descent])

    @cached_property
    def _residual_terms(self) -> core.Terms:
        return lower_terms(self._graph, self._e)

    @cached_property
    def _jvp_terms(self) -> core.Terms:
        return lower_terms(self._graph, jvp(self._graph, self._f, self._theta, self._d))

    @cached_property
    def _vjp_terms(self) -> core.Terms:
        graph = self._graph.copy()  # only this program reads the further inputs
        seeds = [graph.append_x() for _ in self._f]
        return lower_terms(graph, vjp(graph, self._f, seeds, self._theta))

    @cached_property
    def _hessian_terms(self) -> core.Terms:
        [slope] = jvp(self._graph, [self._l], self._theta, self._d)
        return lower_terms(self._graph, gradient(self._graph, slope, self._theta))

    @cached_property
    def _jacobian_terms(self) -> core.Terms:
        graph = self._graph
        rows = []
        for k, f in enumerate(self._f):
            row = gradient(graph, f, self._theta)
            if self._w:
                root = graph.add("sqrt", self._w[k % len(self._w)])
                row = [graph.add("mul", root, i) for i in row]
            rows += row
        return lower_terms(graph, rows, products=False)

    @cached_property
    def _along_terms(self) -> core.Terms:
        graph = self._graph
        t = jvp(graph, self._f, self._theta, self._d)
        pairs = zip(self._weighted_e, t, strict=True)
        slope = _sum(graph, [graph.add("mul", a, b) for a, b in pairs])
        size = self._weighted_sum([graph.add("square", a) for a in t])
        return lower_terms(graph, [self._l, slope, size])

    # ---- passes -----------------------------------------------------------------------------

    @property
    def _is_float(self) -> bool:
        return bool(self._dtype == np.float32)

    def _weighted(self, nodes: Sequence[int]) -> list[int]:
        """Return the nodes times their weights, one weight for all nodes or one for each."""
        if not self._w:
            return list(nodes)
        weights = self._w * len(nodes) if len(self._w) == 1 else self._w
        return [self._graph.add("mul", w, i) for w, i in zip(weights, nodes, strict=True)]

    def _weighted_sum(self, nodes: Sequence[int]) -> int:
        if len(self._w) == 1:
            return self._graph.add("mul", self._w[0], _sum(self._graph, nodes))
        return _sum(self._graph, self._weighted(nodes))

    def _parameters(self, theta: Array, d: Array | None = None) -> _Column:
        parameters = np.zeros(2 * self.n_params, self._dtype)
        parameters[: self.n_params] = theta
        if d is not None:
            parameters[self.n_params :] = d
        return parameters

    def _sums(
        self,
        terms: core.Terms,
        theta: Array,
        d: Array | None = None,
        samples: core.Samples | None = None,
    ) -> Array:
        out = np.empty(terms.n)
        samples = self._used if samples is None else samples
        parameters = self._parameters(theta, d)
        core.sums(terms, samples, self._is_float, parameters, out, self._threads)
        return out

    def _values(self, terms: core.Terms, theta: Array, d: Array | None = None) -> Array:
        out = np.empty((self._samples.n_samples, terms.n))
        parameters = self._parameters(theta, d)
        core.values(terms, self._samples, self._is_float, parameters, out, self._threads)
        return out


def _recorded(
    function: Callable[..., Any],
    columns: Sequence[_Column],
    targets: _Column,
    weights: _Column | None,
    given: dict[str, Any],
) -> RecordedModel:
    """Record a model anew; arrays that were sent to another process may lie anywhere in memory."""
    aligned = [contiguous(column) for column in columns]
    weights = None if weights is None else contiguous(weights)
    return RecordedModel(function, aligned, contiguous(targets), weights, **given)


def _used(columns: Sequence[_Column], weights: _Column | None, every: Any) -> Any:
    """Return the samples of positive weight: another one might overflow, and 0 times inf is NaN."""
    if weights is None or (weights > 0).all():
        return every
    used = weights > 0 if weights.ndim == 1 else (weights > 0).any(axis=1)
    if used.all() or not used.any():
        return every
    return core.Samples([np.ascontiguousarray(column[used]) for column in columns], int(used.sum()))


def _sum(graph: Graph, nodes: Sequence[int]) -> int:
    total = nodes[0]
    for node in nodes[1:]:
        total = graph.add("add", total, node)
    return total


def parameters_of(info: ModelInfo, n_params: int | None) -> tuple[int, tuple[str, ...] | None]:
    """Return P and the names of the parameters, None if the model takes them as one array."""
    if n_params is not None:
        return count(n_params, "n_params", 1, 2**31 - 1), None
    if not info.names:
        raise ValueError(
            f"{info.label} does not name its parameters; write f(y, a, b, ...), or f(y, theta) "
            "with n_params"
        )
    return len(info.names), info.names


def with_ties(
    info: ModelInfo, n_params: int, names: tuple[str, ...] | None, tied: Any
) -> tuple[ModelInfo, int, tuple[str, ...] | None]:
    """Return the model as a function of the parameters that are not tied, P and their names."""
    if tied is not None and names is None:
        raise ValueError("tied needs parameters with names; with n_params they have none")
    ties = read_ties(tied, names or (), info.independent or ("x", "y"))
    if ties is None:
        return info, n_params, names
    function = TiedFunction(info.function, ties, of_open=True)
    return info._replace(function=function), len(ties.open), ties.open_names
