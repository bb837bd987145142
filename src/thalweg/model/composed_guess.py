"""Start values of sums of built-in models, for a whole batch at once.

Lines and polynomials first become the line through the ends of the data, where peaks and decays
have least to say.  Each other part is then guessed, in order, from what the parts before it leave
of the data.  Then every part is guessed again from what all the others leave (backfitting), a few
times.

A peak is guessed from the neighbourhood of the largest deviation from the median of the data: from
the points around it that deviate by more than half as much, and half as many on either side.  So
the first peak is the largest, the second one the largest of the rest.  Peaks mostly point the same
way, so a deviation against the direction of the first one counts half.  A single peak is guessed
again from all data.

Source: J. H. Friedman, W. Stuetzle, "Projection pursuit regression", J. Am. Stat. Assoc. 76 (1981).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from .guess import Array, by_chunks
from .parts import Part, Tree, terms_of
from .peaks import PEAKS
from .registry import OFFSET, Model

_ROUNDS = 2  # how often every part is guessed again
_ENDS = 10  # an end is a tenth of the points
_AGAINST = 0.5  # what a deviation against the direction of the first peak counts
_CHUNK = 2**18  # values of y in one chunk, so that what a guess copies stays small


class _Term(NamedTuple):
    """A part of a sum and its factor."""

    part: Part
    factor: float

    def values(self, x: Any, params: Array) -> Array:
        """Return its values (..., N) for parameters (..., P)."""
        every = self.part.full(list(np.moveaxis(params, -1, 0)[..., None]))
        value = np.asarray(self.part.info.function(x, *every))
        return self.factor * value

    @property
    def is_peak(self) -> bool:
        """Whether it is a peak of one variable."""
        return isinstance(self.part.model, Model) and self.part.model.estimate in PEAKS

    @property
    def rank(self) -> int:
        """When it is guessed: lines and polynomials first, then what is broad, then peaks."""
        if self.part.model is None:  # the constant of the sum
            return 3
        return 2 if self.is_peak else 0 if self.is_baseline else 1

    @property
    def is_baseline(self) -> bool:
        """Whether it is a line or a polynomial."""
        return self.part.info.label == "line" or self.part.info.label.startswith("polynomial")


def why_no_guess(tree: Tree) -> str:
    """Return why a composed model has no start values of its own; empty if it has."""
    terms = [term for _, term in terms_of(tree) if not isinstance(term, float)]
    parts = [term for term in terms if isinstance(term, Part)]
    if len(parts) < len(terms):
        return "products and quotients of models have no start values of their own"
    spots = [part for part in parts if len(part.info.independent) > 1]
    if len(spots) > 1:
        return f"a sum of {len(spots)} models of two variables has no start values of its own"
    unknown = [p for p in parts if p.info.guess is None and p.model is not None]
    return f"{unknown[0].info.label} has no start values of its own" if unknown else ""


def guess_of_sum(tree: Tree, x: Any, y: Any) -> Array:
    """Return start values (..., P) for data y (..., N) by chunks of fits."""
    terms = [_Term(term, factor) for factor, term in terms_of(tree) if isinstance(term, Part)]
    level = sum(factor * term for factor, term in terms_of(tree) if isinstance(term, float))
    dims = max(len(term.part.info.independent) for term in terms)
    count = sum(len(term.part.own_names) for term in terms)

    def guess(x: list[Array], y: Array) -> Array:
        own = tuple(c[0] if len(c) == 1 else c for c in x)
        return _guessed(terms, own if dims > 1 else own[0], y - level)

    return by_chunks(guess, x, y, dims, count, _CHUNK, _CHUNK)


def _guessed(terms: Sequence[_Term], x: Any, y: Array) -> Array:
    """The start values (F, P) of a chunk of fits."""
    params = [np.zeros((len(y), len(term.part.own_names))) for term in terms]
    values = [np.zeros_like(y) for _ in terms]
    several = sum(term.is_peak for term in terms) > 1
    way: Array | None = None  # the direction of the first peak, (F, 1)

    def guess(k: int, again: bool) -> None:
        nonlocal way
        rest = y - sum(v for j, v in enumerate(values) if j != k)
        if terms[k].is_peak and (several or not again):
            rest, way = _around_largest(rest, way)
        params[k] = _of_part(terms[k], x, rest / terms[k].factor, again)
        values[k] = terms[k].values(x, params[k])

    order = sorted(range(len(terms)), key=lambda k: terms[k].rank)
    for again in (False, *[True] * _ROUNDS):
        for k in order:
            guess(k, again)
    _sort_peaks(terms, params)
    return np.concatenate(params, axis=-1)


def _of_part(term: _Term, x: Any, rest: Array, again: bool) -> Array:
    """The parameters (F, P) of a part from the data that the others leave."""
    part = term.part
    if part.model is None:  # the constant of the sum
        seen = np.isfinite(rest)
        total = np.where(seen, rest, 0.0).sum(-1)
        mean: Array = total / np.maximum(seen.sum(-1), 1)
        return mean[:, None]
    if term.is_baseline and not again:
        return _through_ends(x, rest, part)
    assert part.info.guess is not None
    every = part.info.guess(x, rest)
    place = part.place_left_out
    return every if place is None else np.delete(every, place, axis=-1)


def _through_ends(x: Array, y: Array, part: Part) -> Array:
    """The line through the medians of the first and the last points, as a line or a polynomial."""
    n = max(1, y.shape[-1] // _ENDS)
    u = np.broadcast_to(x, y.shape)
    (u0, u1), (v0, v1) = ((_middle(a[:, :n]), _middle(a[:, -n:])) for a in (u, y))
    slope = np.where(u1 != u0, (v1 - v0) / np.where(u1 != u0, u1 - u0, 1.0), 0.0)
    ends = {"slope": slope, "intercept": v0 - slope * u0}
    ends |= {"c0": ends["intercept"], "c1": slope}
    out = np.zeros((len(y), len(part.names)))
    for j, name in enumerate(part.info.names or ()):
        out[:, j] = ends.get(name, 0.0)
    return np.where(np.isfinite(out), out, 0.0)


def _middle(values: Array) -> Array:
    """The medians (F,) of values (F, n), those that are not finite left out; 0 if none is left."""
    seen = np.where(np.isfinite(values), values, np.inf)
    ordered, count = np.sort(seen, axis=-1), np.isfinite(values).sum(-1)
    place = np.maximum(count - 1, 0) // 2
    middle = np.take_along_axis(ordered, place[:, None], -1)[:, 0]
    return np.where(count > 0, middle, 0.0)


def _around_largest(y: Array, way: Array | None) -> tuple[Array, Array]:
    """The data (F, N) in the neighbourhood of their largest deviation from their median, else NaN.

    Each deviation is first averaged with its two neighbours, so that single points count less.  One
    against the direction ``way`` (F, 1) counts half; without it the largest deviation gives it.
    """
    N = y.shape[-1]
    if N < 3:
        return y, np.ones((len(y), 1))
    d = np.where(np.isfinite(y), y - _middle(y)[:, None], 0.0)
    smooth = np.pad(d, ((0, 0), (1, 1)), mode="edge")
    smooth = (smooth[:, :-2] + smooth[:, 1:-1] + smooth[:, 2:]) / 3
    size = abs(smooth)
    if way is not None:
        size = np.where(smooth * way < 0, _AGAINST * size, size)
    place, at = np.argmax(size, axis=-1)[:, None], np.arange(N)
    peak = np.take_along_axis(smooth, place, -1)
    below = smooth * np.sign(peak) <= 0.5 * abs(peak)
    left = np.where(below & (at < place), at, -1).max(-1, keepdims=True)
    right = np.where(below & (at > place), at, N).min(-1, keepdims=True)
    half = (right - left) // 2
    near = np.where((at > left - half) & (at < right + half), y, np.nan)
    return near, np.sign(peak) if way is None else way


def _sort_peaks(terms: Sequence[_Term], params: list[Array]) -> None:
    """Put the parameters of equal peaks in the order of their centres x0."""
    alike = defaultdict(list)
    for k, term in enumerate(terms):
        if term.is_peak:
            alike[term.part.info.label, term.factor, term.part.left_out].append(k)
    for places in alike.values():
        names = terms[places[0]].part.info.names or ()
        stacked = np.stack([params[k] for k in places])
        j = [n for n in names if n != OFFSET].index("x0")
        order = np.argsort(stacked[..., j], axis=0, kind="stable")
        stacked = np.take_along_axis(stacked, order[..., None], 0)
        for k, rows in zip(places, stacked, strict=True):
            params[k] = rows
