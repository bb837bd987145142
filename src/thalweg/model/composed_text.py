"""A composed model as text: a formula that calls its built-in models and contains its formulas."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence

from .formula import Formula
from .parts import Part, Tree

_RANK = {"+": 1, "-": 1, "*": 2, "/": 2}
_ATOM = 3  # the rank of a call, a name or a number


def text_of(tree: Tree, names: Sequence[tuple[str, ...]], independent: Sequence[str]) -> str:
    """Return a tree as text, each part with its names, and the variables by their names."""
    return _text(tree, iter(names), independent or ("x",))[0]


def _text(
    tree: Tree, names: Iterator[tuple[str, ...]], independent: Sequence[str]
) -> tuple[str, int]:
    """The text of a tree and the rank of its outermost operation."""
    if isinstance(tree, float):
        return _number(tree), _ATOM if tree >= 0 else 0
    if isinstance(tree, Part):
        return _of_part(tree, next(names), independent), _ATOM
    rank = _RANK[tree.op]
    left, of_left = _text(tree.left, names, independent)
    right, of_right = _text(tree.right, names, independent)
    left = left if of_left >= rank or isinstance(tree.left, float) else f"({left})"
    # a - (b - c) and a / (b * c) need parentheses, a + (b + c) and a * (b * c) keep their order
    right = right if of_right > rank else f"({right})"
    sign = f" {tree.op} " if rank == 1 else tree.op
    return f"{left}{sign}{right}", rank


def _of_part(part: Part, names: Sequence[str], independent: Sequence[str]) -> str:
    if part.model is None:  # the constant of a sum
        return names[0]
    if isinstance(part.info.function, Formula):
        formula = part.info.function
        new = zip((*formula.independent, *formula.names), (*independent, *names), strict=True)
        return f"({_renamed(formula.text, dict(new))})"
    label = part.info.label if part.info.label.isidentifier() else "function"
    return f"{label}({', '.join([*independent, *names])})"


def _renamed(text: str, new: Mapping[str, str]) -> str:
    """The text of a formula with other names of its variables and parameters."""
    tree = ast.parse(text, mode="eval")
    called = {node.func for node in ast.walk(tree) if isinstance(node, ast.Call)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node not in called:
            node.id = new.get(node.id, node.id)
    return ast.unparse(tree)


def _number(value: float) -> str:
    return f"{value:.0f}" if value.is_integer() and abs(value) < 1e15 else repr(value)
