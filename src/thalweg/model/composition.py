"""Models that are composed of others: sums, differences, products and quotients.

``gaussian + line`` is a model as any other: a function ``f(x, *params)`` that calls its parts with
their parameters.  It runs on symbols too, so the engine gets one recorded program of it, with exact
derivatives, as of a function that calls the parts by hand.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from inspect import Parameter, Signature
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._arguments.spelling import spelled
from . import of_text
from .arithmetic import Composable
from .calls import model_named
from .composed_guess import guess_of_sum, why_no_guess
from .composed_text import text_of
from .parts import (
    OPERATIONS,
    Branch,
    Part,
    Tree,
    names_of,
    part_of,
    parts_of,
    variables_of,
    with_one_constant,
    with_prefix,
)


@spelled
@dataclass(frozen=True, repr=False)
class ComposedModel(Composable):
    """A model composed of others by ``+ - * /``; made by these operators, not by its class.

    Call it like a function, ``model(x, *params)``; parameters of shape (..., 1) broadcast against x
    of shape (N,).

    Parts that share names of parameters are numbered: the names that they share get ``_1``,
    ``_2``, ...; `prefixed` gives them other names.  A sum has one constant: where several of its
    parts have one, such as ``offset`` and ``intercept``, offsets are left out, and one ``offset``
    comes last if all of them are offsets.

    Attributes
    ----------
    tree : Tree
        The parts and the operations on them, as they were combined.
    names : tuple of str
        The names of the parameters, in the order of the parts.
    independent : tuple of str
        The names of the independent variables; empty if all parts are functions of the user's.
    formula : str
        The model as text: a formula, unless a part is a function of the user's.

    Raises
    ------
    ValueError
        Parts take different numbers of variables, or names collide.

    Examples
    --------
    >>> import thalweg as tw
    >>> model = tw.models.gaussian + tw.models.line
    >>> model.names
    ('amplitude', 'x0', 'sigma', 'slope', 'intercept')
    >>> model.formula
    'gaussian(x, amplitude, x0, sigma) + line(x, slope, intercept)'
    >>> (tw.models.gaussian + tw.models.gaussian).names
    ('amplitude_1', 'x0_1', 'sigma_1', 'amplitude_2', 'x0_2', 'sigma_2', 'offset')
    >>> float(model(2.0, 3.0, 2.0, 1.0, 0.5, 1.0))
    5.0
    """

    tree: Tree
    names: tuple[str, ...] = field(init=False, compare=False)
    independent: tuple[str, ...] = field(init=False, compare=False)
    formula: str = field(init=False, compare=False)
    _settled: Tree = field(init=False, compare=False)  # the tree in which each sum has one constant

    def __post_init__(self) -> None:
        settled = with_one_constant(self.tree)
        parts = list(parts_of(settled))
        own, independent = names_of(parts), variables_of(parts)
        names = tuple(name for part in own for name in part)
        if both := [name for name in independent if name in names]:
            raise ValueError(
                f"{both[0]} is a variable of one part and a parameter of another; give the part a "
                'prefix, such as model.prefixed("a_")'
            )
        text = text_of(settled, own, independent)
        first = next(n for n in ("_".join(independent), "x", "x_values") if n and n not in names)
        signature = [Parameter(n, Parameter.POSITIONAL_ONLY) for n in (first, *names)]
        details = {
            "names": names,
            "independent": independent,
            "formula": text,
            "name": text,  # what results call the model
            "restorable": all(part.is_text for part in parts),
            "__name__": text,
            "__signature__": Signature(signature),  # what curve_fit counts
            "_settled": settled,
        }
        for key, value in details.items():
            object.__setattr__(self, key, value)

    def __reduce__(self) -> Any:
        return ComposedModel, (self.tree,)

    def __repr__(self) -> str:
        variables, names = ", ".join(self.independent) or "x", ", ".join(self.names)
        return f"<ComposedModel ({variables}; {names}):\n {self.formula}>"

    def __call__(self, x: Any, *params: Any) -> Any:
        """Return f(x, *params)."""
        if len(params) != len(self.names):
            raise TypeError(
                f"the model takes {len(self.names)} parameters ({', '.join(self.names)}), "
                f"got {len(params)}"
            )
        return _value(self._settled, x, iter(params))

    @property
    def guesses(self) -> bool:
        """Whether the model finds start values: it is a sum of built-in models and numbers."""
        return not why_no_guess(self._settled)

    def guess(self, x: ArrayLike | Sequence[ArrayLike], y: ArrayLike) -> NDArray[np.float64]:
        """Return start values for every data set in y, for a sum of built-in models and numbers.

        Lines and polynomials start as the line through the ends of the data.  The other parts are
        guessed one after the other, each from what those before it leave, and then all of them
        again from what the others leave.  Peaks of one kind are put in the order of x0.

        Parameters
        ----------
        x : array_like, shape (N,) or (..., N), or a sequence of two such arrays
            The independent variable, or variables.
        y : array_like, shape (..., N)
            The data; a value that is not finite is a missing point.

        Returns
        -------
        ndarray, shape (..., P)
            Start values, all finite.

        Raises
        ------
        ValueError
            A part has no start values of its own, or the shapes of x and y do not fit.

        Examples
        --------
        >>> import numpy as np
        >>> import thalweg as tw
        >>> x = np.linspace(0, 10, 100)
        >>> model = tw.models.gaussian + tw.models.line
        >>> truth = 5.0, 4.0, 0.5, 0.3, 1.0
        >>> bool(np.all(abs(model.guess(x, model(x, *truth)) - truth) < 0.2))
        True
        """
        if reason := why_no_guess(self._settled):
            raise ValueError(f"p0 is needed: {reason}")
        return guess_of_sum(self._settled, x, y)


def _value(tree: Tree, x: Any, params: Iterator[Any]) -> Any:
    """The value of a tree; each part takes its parameters from those that are left."""
    if isinstance(tree, float):
        return tree
    if isinstance(tree, Part):
        return tree.info.function(x, *tree.full([next(params) for _ in tree.own_names]))
    left = _value(tree.left, x, params)
    return OPERATIONS[tree.op](left, _value(tree.right, x, params))


def of(model: Any, independent: str | Sequence[str] | None = None) -> ComposedModel:
    """Return a function, a formula or a built-in model as a model that operators combine.

    Parameters
    ----------
    model : callable, str or Model
        ``f(x, a, b, ...)``, which names its parameters; a formula of x, or of x and y; or a
        built-in model or its name.
    independent : str or sequence of str, optional
        The independent variables of a formula.

    Raises
    ------
    ValueError
        The function does not name its parameters, or the formula is wrong.
    TypeError
        The model is none of these.

    Examples
    --------
    >>> import thalweg as tw
    >>> def background(x, level, rise):
    ...     return level + rise * x**2
    >>> model = tw.models.of(background) + tw.models.gaussian
    >>> model.names
    ('level', 'rise', 'amplitude', 'x0', 'sigma')
    """
    if isinstance(model, ComposedModel):
        return model
    return ComposedModel(_part(model, independent))


def _part(model: Any, independent: str | Sequence[str] | None = None) -> Part:
    return part_of(of_text(model, independent) if isinstance(model, str) else model)


_SIGNS: dict[type, str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}


def of_names(text: str) -> ComposedModel | None:
    """Return the model that names of built-in models and operators compose; None if a text is not.

    Examples
    --------
    >>> of_names("gaussian + 2*line").names
    ('amplitude', 'x0', 'sigma', 'slope', 'intercept')
    """
    try:
        model = _composed(ast.parse(text.strip(), mode="eval").body)
    except (SyntaxError, LookupError, ArithmeticError, RecursionError):
        return None
    return model if isinstance(model, ComposedModel) else None


def _composed(node: ast.expr) -> Any:
    """The model or the number of a syntax tree; LookupError if it is something else."""
    if isinstance(node, ast.BinOp) and type(node.op) in _SIGNS:
        return _operation(_SIGNS[type(node.op)], _composed(node.left), _composed(node.right))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return _operation("*", -1.0, _composed(node.operand))
    if isinstance(node, ast.Name) and (model := model_named(node.id)) is not None:
        return model
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return float(node.value)
    raise LookupError(ast.unparse(node))


def _operation(op: str, left: Any, right: Any) -> Any:
    numbers = isinstance(left, float) and isinstance(right, float)
    return OPERATIONS[op](left, right) if numbers else combined(op, left, right)


def prefixed(model: Any, prefix: str) -> ComposedModel:
    """Return the model with a prefix; see `Composable.prefixed`."""
    composed = of(model)
    if not (isinstance(prefix, str) and (prefix + "a").isidentifier()):
        raise ValueError(f"a prefix begins a name of Python, such as 'a_', got {prefix!r}")
    return ComposedModel(with_prefix(composed.tree, prefix))


def combined(op: str, left: Any, right: Any) -> Any:
    """Return the model ``left op right``; NotImplemented if one of them is no model or number."""
    first, second = _tree(left), _tree(right)
    if first is None or second is None:
        return NotImplemented
    if op == "/" and second == 0.0:
        raise ValueError("a model cannot be divided by 0")
    if op == "+" and first == 0.0:  # sum() begins with 0
        return ComposedModel(second)
    try:
        return ComposedModel(Branch(op, first, second))
    except RecursionError:
        raise ValueError(
            "the model is composed of too many parts; a function that adds them in a loop is not"
        ) from None


def _tree(value: Any) -> Tree | None:
    if isinstance(value, ComposedModel):
        return value.tree
    if isinstance(value, Real) and not isinstance(value, bool | np.bool_):
        number = float(value)
        if not np.isfinite(number):
            raise ValueError(f"a model is combined with finite numbers, not with {number}")
        return number
    return _part(value) if isinstance(value, str) or callable(value) else None
