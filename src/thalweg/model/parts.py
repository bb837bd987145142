"""The parts of a composed model, and the tree of operations that combines them.

A tree is a part, a number, or an operation on two trees.  A part is a built-in model, a formula or
a function of the user's, with the names of its parameters.

The constant of a sum.  Most built-in models end in a constant, ``offset``.  In a sum of several
parts only the sum of their constants can be found, so a sum has one: where several parts have a
constant of their own, the ``offset`` of each is left out, and if all these constants are offsets,
the sum gets one ``offset``, its last parameter.  A parameter is a constant of its part if the
derivative of the part by it is 1 everywhere, such as the ``intercept`` of a line.
"""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Union

from . import ModelInfo, as_model
from .autodiff import gradient
from .formula import Formula
from .registry import OFFSET, Model
from .trace import RecordingError, record

OPERATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}


@dataclass(frozen=True)
class Part:
    """A model within a composed one.

    Attributes
    ----------
    model : Model, Formula or callable
        What was combined; None for the constant of a sum.
    info : ModelInfo
    names : tuple of str
        The names of its parameters, with their prefix.
    constant : str or None
        The parameter, without its prefix, that is added to its values.
    left_out : bool
        Whether its offset is left out.
    """

    model: Any
    info: ModelInfo = field(compare=False)
    names: tuple[str, ...]
    constant: str | None
    left_out: bool = False

    @property
    def has_offset(self) -> bool:
        """Whether it is a built-in model with an offset."""
        return isinstance(self.model, Model) and self.constant == OFFSET

    @property
    def is_text(self) -> bool:
        """Whether text alone tells what it is: a built-in model, a formula or a constant."""
        return self.model is None or isinstance(self.model, Model | Formula)

    @property
    def own_names(self) -> tuple[str, ...]:
        """The names of the parameters that are not left out."""
        places = range(len(self.names))
        return tuple(self.names[j] for j in places if j != self.place_left_out)

    @property
    def place_left_out(self) -> int | None:
        """The place of the offset that is left out."""
        return (self.info.names or ()).index(OFFSET) if self.left_out else None

    def full(self, params: Sequence[Any]) -> list[Any]:
        """Return the arguments of the function from the parameters that are not left out."""
        every, place = list(params), self.place_left_out
        if place is not None:
            every.insert(place, 0.0)
        return every


@dataclass(frozen=True)
class Branch:
    """An operation on two trees."""

    op: str
    left: Tree
    right: Tree


Tree = Union[Part, Branch, float]  # noqa: UP007 - the classes refer to it before it exists


def _constant_of_sum(x: Any, offset: Any) -> Any:
    return offset


SUM_OFFSET = Part(
    None, ModelInfo(_constant_of_sum, (OFFSET,), None, None, OFFSET), (OFFSET,), OFFSET
)


def part_of(model: Any) -> Part:
    """Return a built-in model, a formula or a function as a part.

    Raises
    ------
    ValueError
        The function does not name its parameters.
    """
    info = as_model(model)
    if info.names is None or info.takes_names:
        raise ValueError(
            f"{info.label} cannot be combined with models, as *args and **kwargs do not name its "
            "parameters; write them as f(x, a, b)"
        )
    return Part(model, info, info.names, _constant(info))


def _constant(info: ModelInfo) -> str | None:
    """The parameter that is added to a model's values; None if there is none or it is not known."""
    names = info.names or ()
    for n_x in (1, 2) if info.n_x is None else (info.n_x,):
        try:
            graph, output, _ = record(info.function, n_x, len(names), 2, single=n_x == 1)
        except RecordingError:
            continue
        slopes = gradient(graph, output, [graph.theta(j) for j in range(len(names))])
        one = graph.const(1.0)
        return next((name for name, slope in zip(names, slopes, strict=True) if slope == one), None)
    return None


def parts_of(tree: Tree) -> Iterator[Part]:
    """Yield the parts of a tree from left to right."""
    waiting = [tree]
    while waiting:
        tree = waiting.pop()
        if isinstance(tree, Part):
            yield tree
        elif isinstance(tree, Branch):
            waiting += [tree.right, tree.left]


def terms_of(tree: Tree) -> Iterator[tuple[float, Tree]]:
    """Yield the terms of a sum with their factors; a number is a term of its own."""
    waiting = [(1.0, tree)]
    while waiting:
        factor, tree = waiting.pop()
        if not isinstance(tree, Branch):
            yield factor, tree
        elif tree.op in "+-":
            waiting += [(factor if tree.op == "+" else -factor, tree.right), (factor, tree.left)]
        elif isinstance(tree.right, float):
            by = tree.right if tree.op == "*" else 1 / tree.right
            waiting.append((factor * by, tree.left))
        elif isinstance(tree.left, float) and tree.op == "*":
            waiting.append((factor * tree.left, tree.right))
        else:
            yield factor, tree


def with_one_constant(tree: Tree) -> Tree:
    """Return a tree in which every sum has one constant; see above."""
    terms = [term for _, term in terms_of(tree)]
    constants = [term for term in terms if isinstance(term, Part) and term.constant]
    several, of_terms = len(constants) > 1, {id(term) for term in terms}

    def settled(branch: Tree) -> Tree:
        if isinstance(branch, Part):
            return replace(branch, left_out=True) if several and branch.has_offset else branch
        if not isinstance(branch, Branch):
            return branch
        each = with_one_constant if id(branch) in of_terms else settled
        return Branch(branch.op, each(branch.left), each(branch.right))

    new = settled(tree)
    if several and all(part.has_offset for part in constants):
        return Branch("+", new, SUM_OFFSET)
    return new


def names_of(parts: Sequence[Part]) -> list[tuple[str, ...]]:
    """Return the names of the parameters of each part, in which no name occurs twice.

    Parts that share names are numbered from 1, and the names that they share get the number of
    their part: ``amplitude_1``, ``amplitude_2``.

    Raises
    ------
    ValueError
        Two parameters would still have the same name.
    """
    counts = Counter(name for part in parts for name in part.own_names)
    number, every = 0, []
    for part in parts:
        shared = {name for name in part.own_names if counts[name] > 1}
        number += bool(shared)
        every.append(tuple(f"{n}_{number}" if n in shared else n for n in part.own_names))
    [(name, times)] = Counter(n for names in every for n in names).most_common(1) or [("", 0)]
    if times > 1:
        raise ValueError(
            f"two parameters of the composed model would be called {name}; give a part a prefix, "
            'such as model.prefixed("a_")'
        )
    return every


def with_prefix(tree: Tree, prefix: str) -> Tree:
    """Return a tree with a prefix before the names of all parameters."""
    if isinstance(tree, Part):
        return replace(tree, names=tuple(prefix + name for name in tree.names))
    if isinstance(tree, Branch):
        left, right = (with_prefix(side, prefix) for side in (tree.left, tree.right))
        return Branch(tree.op, left, right)
    return tree


def variables_of(parts: Sequence[Part]) -> tuple[str, ...]:
    """Return the names of the independent variables; none if no part tells them.

    Raises
    ------
    ValueError
        Parts take different numbers of variables.
    """
    told = [part for part in parts if part.info.independent]
    for part in told:
        first, own = told[0].info, part.info
        if len(own.independent) != len(first.independent):
            raise ValueError(
                f"{first.label} takes {', '.join(first.independent)} and {own.label} takes "
                f"{', '.join(own.independent)}: a formula combines them, such as "
                '"gaussian2d(x, y, a, x0, y0, s) + line(x, m, c)"'
            )
    return told[0].info.independent if told else ()
