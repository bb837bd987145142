"""Formulas as text, such as ``"a*exp(-t/tau) + c"``.

The text is parsed by `ast` into a syntax tree, and the tree is translated, node by node, into
nested functions of the values of its names.  Nothing is ever handed to `eval`: a kind of node that
is not translated here is refused.  The result is a callable like any model function, so it runs on
numbers, on arrays and on the symbols of `trace`.

Numbers are float64 from the start, so ``9**9**9`` is infinity and not a computation without end.
"""

import ast
import math
import operator
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from functools import lru_cache
from inspect import Parameter, Signature
from typing import Any, NoReturn

import numpy as np

from .calls import arguments_of, by_place, meant_model, model_named, model_names
from .symbol import Symbol
from .syntax import attribute_hint, kind, refuse, syntax_tree
from .vocabulary import BINARY, CALLED, COMPARE, CONSTANTS, FUNCTIONS, LOGICAL, UNARY

Values = Sequence[Any]  # the values of the independent variables, then those of the parameters
Part = float | Callable[[Values], Any]  # a part of a formula: a constant, or a function of values

_MAX_DEPTH = 200  # two Python frames a level stay well below the interpreter's limit of 1000


def _apply(function: Callable[..., Any], *parts: Part) -> Part:
    """Return the part that applies a function to parts: a constant if they are all constants."""
    numbers = [np.float64(part) for part in parts if isinstance(part, float)]
    if len(numbers) == len(parts):
        with np.errstate(all="ignore"):
            return float(function(*numbers))
    values = [_constant(part) if isinstance(part, float) else part for part in parts]
    if len(values) == 1:
        (only,) = values
        return lambda env: function(only(env))
    if len(values) == 2:
        left, right = values
        return lambda env: function(left(env), right(env))
    return lambda env: function(*[value(env) for value in values])


def _chain(first: Part, parts: Sequence[tuple[Callable[..., Any], Part]]) -> Part:
    """Return ((first o part) o part) o ..., computed in one loop instead of nested calls."""
    start = _constant(first) if isinstance(first, float) else first
    links = [(f, _constant(p) if isinstance(p, float) else p) for f, p in parts]

    def value(env: Values) -> Any:
        total = start(env)
        for function, part in links:
            total = function(total, part(env))
        return total

    return value


def _constant(value: float) -> Callable[[Values], float]:
    return lambda env: value


class _Translator:
    """Translates a syntax tree into functions, and collects the names of the parameters."""

    def __init__(self, text: str, independent: Sequence[str], params: Sequence[str] | None) -> None:
        self.text = text
        self.independent = independent
        self.known = params
        self.position = {name: i for i, name in enumerate((*independent, *(params or ())))}
        self.used: set[str] = set()
        self.depth = 0
        self.rules: dict[type, Callable[[Any], Part]] = {
            ast.BinOp: self._binary,
            ast.UnaryOp: self._unary,
            ast.BoolOp: self._logical,
            ast.Compare: self._compare,
            ast.IfExp: self._conditional,
            ast.Call: self._call,
            ast.Constant: self._number,
            ast.Name: self._name,
        }

    def refuse(self, node: ast.AST, problem: str, hint: str = "") -> NoReturn:
        bytes_before = self.text.encode()[: getattr(node, "col_offset", 0)]
        column = len(bytes_before.decode()) + 1
        refuse(self.text, f"{problem} at column {column}", hint)

    def translate(self, node: ast.expr) -> Part:
        rule = self.rules.get(type(node))
        if rule is None:
            self.refuse(node, f"{kind(node)} has no meaning in a formula", attribute_hint(node))
        if self.depth >= _MAX_DEPTH:
            self.refuse(node, f"nesting deeper than {_MAX_DEPTH} levels")
        self.depth += 1
        part = rule(node)
        self.depth -= 1
        return part

    def _binary(self, node: ast.BinOp) -> Part:
        """Translate an operation, or a chain of them such as a sum, from left to right."""
        links: list[ast.BinOp] = []
        first: ast.expr = node
        while isinstance(first, ast.BinOp):
            if isinstance(first.op, ast.BitXor):
                hint = "write ** for powers"
                self.refuse(first, "the operator ^ has no meaning in a formula", hint)
            if type(first.op) not in BINARY:
                self.refuse(first, f"{kind(first.op)} has no meaning in a formula")
            links.append(first)
            first = first.left
        chain = [(BINARY[type(link.op)], link) for link in reversed(links)]
        value = self.translate(first)
        parts = [(function, self.translate(link.right)) for function, link in chain]
        while parts and isinstance(value, float) and isinstance(parts[0][1], float):
            function, part = parts.pop(0)
            value = _apply(function, value, part)
        if len(parts) > 1:
            return _chain(value, parts)
        return _apply(parts[0][0], value, parts[0][1]) if parts else value

    def _unary(self, node: ast.UnaryOp) -> Part:
        return _apply(UNARY[type(node.op)], self.translate(node.operand))

    def _logical(self, node: ast.BoolOp) -> Part:
        return _apply(LOGICAL[type(node.op)], *map(self.translate, node.values))

    def _compare(self, node: ast.Compare) -> Part:
        operands = list(map(self.translate, (node.left, *node.comparators)))
        for op in node.ops:
            if type(op) not in COMPARE:
                self.refuse(node, f"{kind(op)} has no meaning in a formula")
        links = [
            _apply(COMPARE[type(op)], a, b)
            for op, a, b in zip(node.ops, operands, operands[1:], strict=False)
        ]
        return _apply(LOGICAL[ast.And], *links) if len(links) > 1 else links[0]

    def _conditional(self, node: ast.IfExp) -> Part:
        body, test, otherwise = map(self.translate, (node.body, node.test, node.orelse))
        return _apply(np.where, test, body, otherwise)

    def _call(self, node: ast.Call) -> Part:
        if not isinstance(node.func, ast.Name):
            hint = attribute_hint(node.func) or "write * for products"
            self.refuse(node, "only a function's name may stand before ( )", hint)
        name, given = node.func.id, len(node.args) + len(node.keywords)
        known = FUNCTIONS if name in self.position else CALLED
        arity, function = known.get(name, (0, None))
        if function is None or (given != arity and model_named(name) is not None):
            return self._call_of_model(node, name)
        if node.keywords:
            self.refuse(node, f"{name} takes no arguments by name")
        if given != arity and (arity or given < 2):
            wanted = f"{arity} argument{'s' * (arity != 1)}" if arity else "two arguments or more"
            self.refuse(node, f"{name} takes {wanted}, not {given},")
        return _apply(function, *map(self.translate, node.args))

    def _call_of_model(self, node: ast.Call, name: str) -> Part:
        model = model_named(name)
        if model is None:
            if name in self.position:
                self.refuse(node, f"{name} is not a function", "write * for products")
            known = [*CALLED, *model_names()]
            self.refuse(node, f"{name} is an unknown function", _did_you_mean(name, known))
        given = list(map(self.translate, node.args))
        named = {keyword.arg or "**": self.translate(keyword.value) for keyword in node.keywords}
        try:
            parts = arguments_of(model, given, named, 0.0)
        except ValueError as error:
            self.refuse(node, f"wrong call of a model, {error},")
        return _apply(by_place(model), *parts)

    def _number(self, node: ast.Constant) -> Part:
        value = node.value
        if isinstance(value, complex):
            return lambda env: value
        if isinstance(value, bool) or not isinstance(value, int | float):
            what = "text in quotes" if isinstance(value, str) else repr(value)
            self.refuse(node, f"{what} has no meaning in a formula")
        try:
            return float(value)
        except OverflowError:
            return math.inf

    def _name(self, node: ast.Name) -> Part:
        name = node.id
        if name not in self.position:
            if name in CONSTANTS:
                return CONSTANTS[name]
            if name in FUNCTIONS:
                self.refuse(node, f"{name} is a function", f"write {name}(...)")
            if self.known is not None:
                self.refuse(node, f"{name} is unknown", _did_you_mean(name, self.position))
            self.position[name] = len(self.position)
        self.used.add(name)
        return operator.itemgetter(self.position[name])


def _did_you_mean(name: str, known: Any) -> str:
    close = get_close_matches(name, known, n=1)
    return f"did you mean {close[0]}?" if close else ""


class Formula:
    """A formula that is called like a model function, ``formula(x, *parameters)``.

    Attributes
    ----------
    text : str
        What was parsed.
    independent : tuple of str
        Names of the independent variables; if there are several, x is a sequence of them.
    names : tuple of str
        Names of the parameters, in the order of the call.
    """

    __slots__ = ("_value", "independent", "names", "text")

    def __init__(
        self, text: str, independent: tuple[str, ...], names: tuple[str, ...], value: Part
    ) -> None:
        self.text, self.independent, self.names = text, independent, names
        self._value = _constant(value) if isinstance(value, float) else value

    def __call__(self, x: Any, *params: Any) -> Any:
        """Return the formula's value for numbers, arrays that broadcast, or recorded symbols."""
        variables = (x,) if len(self.independent) == 1 else tuple(x)
        if len(variables) != len(self.independent):
            raise ValueError(
                f"x must hold the {len(self.independent)} variables "
                f"{', '.join(self.independent)}, got {len(variables)}"
            )
        if len(params) != len(self.names):
            raise TypeError(
                f"the formula takes {len(self.names)} parameters "
                f"({', '.join(self.names)}), got {len(params)}"
            )
        return self._value([*map(_operand, variables), *map(_operand, params)])

    @property
    def __signature__(self) -> Signature:
        several = len(self.independent) > 1
        first = "_".join(self.independent) if several else self.independent[0]
        return Signature([Parameter(n, Parameter.POSITIONAL_ONLY) for n in (first, *self.names)])

    def __repr__(self) -> str:
        return f"Formula({self.text!r}, independent={self.independent}, names={self.names})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Formula) and self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())

    def __reduce__(self) -> Any:
        return parse, self._identity()

    def _identity(self) -> tuple[Any, ...]:
        return self.text, self.independent, self.names


def _operand(value: Any) -> Any:
    """Return a symbol unchanged, else NumPy's floats, which do not raise: 1 / 0 is infinite."""
    if type(value) is Symbol:
        return value
    array = np.asarray(value)
    return array if array.dtype.kind == "f" else array.astype(float)


def parse(
    formula: str, independent: str | Sequence[str], params: Sequence[str] | None = None
) -> Formula:
    """Return a formula as a function ``f(x, *parameters)``.

    Parameters
    ----------
    formula : str
        Numbers, also imaginary ones such as 1j, names, ``+ - * / ** // %``, comparisons, ``and or
        not``, ``a if c else b``, the constants pi, e and inf, and the functions of `vocabulary`.
    independent : str or sequence of str
        Name or names of the independent variables.
    params : sequence of str, optional
        Names of the parameters in the order wanted; default: every other name, in order of first
        appearance.  A parameter or variable named like a constant hides it.

    Returns
    -------
    Formula
        Runs on numbers, arrays and symbols, and with `scipy.optimize.curve_fit`.

    Raises
    ------
    ValueError
        The text is no such formula; the message says what is wrong and at which column.

    Examples
    --------
    >>> decay = parse("a*exp(-t/tau) + c", "t")
    >>> decay.names
    ('a', 'tau', 'c')
    >>> float(decay(0.0, 2.0, 5.0, 1.0))
    3.0
    """
    text = " ".join(formula.split())
    variables = (independent,) if isinstance(independent, str) else tuple(independent)
    names = None if params is None else tuple(params)
    _check_names(text, variables, names or ())
    return _parsed(text, variables, names)


@lru_cache(maxsize=256)  # a loop of fits gives the same text again and again
def _parsed(text: str, variables: tuple[str, ...], names: tuple[str, ...] | None) -> Formula:
    translator = _Translator(text, variables, names)
    value = translator.translate(syntax_tree(text))
    if translator.used.isdisjoint(variables):
        found = [name for name in translator.position if name in translator.used]
        hint = f"name it with independent=; the names found are {', '.join(found) or 'none'}"
        hint += meant_model(found)
        refuse(text, f"the independent variable {' or '.join(variables)} does not occur", hint)
    for name in [n for n in names or () if n not in translator.used]:
        refuse(text, f"the parameter {name} does not occur")
    return Formula(text, variables, tuple(translator.position)[len(variables) :], value)


class Expression:
    """A formula of parameters alone, called with their values: ``expression(*parameters)``.

    Attributes
    ----------
    text : str
        What was parsed.
    names : tuple of str
        The parameters that occur, in the order of the call.
    """

    __slots__ = ("_value", "known", "names", "text")

    def __init__(self, text: str, known: tuple[str, ...]) -> None:
        translator = _Translator(text, known, ())
        value = translator.translate(syntax_tree(text))
        self.text, self.known = text, known
        self.names = tuple(name for name in known if name in translator.used)
        self._value = _constant(value) if isinstance(value, float) else value

    def __call__(self, *params: Any) -> Any:
        """Return the value for numbers, arrays that broadcast, or recorded symbols."""
        given = dict(zip(self.names, map(_operand, params), strict=True))
        return self._value([given.get(name) for name in self.known])

    def __reduce__(self) -> Any:
        return Expression, (self.text, self.known)


def expression(formula: str, names: Sequence[str]) -> Expression:
    """Return a formula of parameters as a function of those that occur in it.

    Raises
    ------
    ValueError
        The text is no formula, or uses a name that is not among ``names``.

    Examples
    --------
    >>> twice = expression("2*a", ["a", "b"])
    >>> twice.names, float(twice(3.0))
    (('a',), 6.0)
    """
    return _expression(" ".join(formula.split()), tuple(names))


_expression = lru_cache(maxsize=256)(Expression)  # a loop of fits gives the same text again


def _check_names(text: str, independent: Sequence[str], params: Sequence[str]) -> None:
    every = (*independent, *params)
    if not independent:
        refuse(text, "there is no independent variable")
    for name in every:
        if not (isinstance(name, str) and name.isidentifier()):
            refuse(text, f"{name!r} is not a name")
        if every.count(name) > 1:
            refuse(text, f"the name {name} is given twice")
