"""The syntax tree of a formula, and the errors of texts that are no formula.

People write what they know from elsewhere: ``y = a*x``, ``2a``, ``np.exp(x)``, ``a exp(-x)``, a
parameter called lambda.  For each of these the error names the cause and what to write instead.
"""

import ast
import keyword
import re
from itertools import pairwise
from typing import NoReturn

# Names of kinds of nodes, for errors.
_KINDS: dict[type, str] = {
    ast.Attribute: "a dot",
    ast.Lambda: "lambda",
    ast.Subscript: "indexing with [ ]",
    ast.List: "a list",
    ast.Tuple: "a tuple",
    ast.Set: "a set",
    ast.Dict: "a dictionary",
    ast.ListComp: "a comprehension",
    ast.SetComp: "a comprehension",
    ast.DictComp: "a comprehension",
    ast.GeneratorExp: "a comprehension",
    ast.NamedExpr: "an assignment",
    ast.JoinedStr: "text in quotes",
    ast.MatMult: "the operator @",
    ast.LShift: "the operator <<",
    ast.RShift: "the operator >>",
    ast.In: "the operator in",
    ast.NotIn: "the operator not in",
    ast.Is: "the operator is",
    ast.IsNot: "the operator is not",
}

_OPERATORS = {"and", "or", "not", "if", "else", "in", "is"}  # words that stand between operands
_NAME = r"[^\W\d]\w*"
_NUMBER = r"(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_MODULES = ("np", "numpy", "math", "scipy", "sp", "torch", "jnp")


def refuse(text: str, problem: str, hint: str = "") -> NoReturn:
    """Raise ValueError with the formula, its problem and a way out."""
    shown = text if len(text) <= 80 else f"{text[:77]}..."
    raise ValueError(f"formula {shown!r}: {problem}{'; ' if hint else ''}{hint}") from None


def kind(node: ast.AST) -> str:
    """Return the name of a node's kind, for an error."""
    return _KINDS.get(type(node), f"'{type(node).__name__}'")


def syntax_tree(text: str) -> ast.expr:
    """Return the syntax tree of a formula.

    Raises
    ------
    ValueError
        The text is no expression; the message says what is wrong, at which column, and what to
        write instead.
    """
    try:
        return ast.parse(text, mode="eval").body
    except SyntaxError as error:
        problem = f"{error.msg.partition(';')[0].partition('. ')[0]} at column {error.offset or 1}"
        refuse(text, problem, _way_out(text))
    except UnicodeEncodeError as error:
        refuse(text, f"character {error.start + 1} is half of a surrogate pair")
    except (ValueError, RecursionError, MemoryError):
        refuse(text, "it is too deeply nested, or a number is too long")


def _way_out(text: str) -> str:
    """Return a hint at what the writer may have meant by a text that is no expression, or ""."""
    if equation := re.match(rf"\s*{_NAME}\s*(\([^()]*\))?\s*=(?!=)\s*", text):
        right = text[equation.end() :]
        return f"write the right-hand side only{f': {right}' if 0 < len(right) <= 40 else ''}"
    for word in re.findall(_NAME, text):
        if keyword.iskeyword(word) and word not in _OPERATORS:
            return f"{word} is a word of Python; call the parameter otherwise, such as {word}_"
    if product := re.search(rf"(?<![\w.])({_NUMBER})({_NAME})", text):
        return f"write {product[1]}*{product[2]} for {product[0]}"
    return _missing_operator(text)


def _missing_operator(text: str) -> str:
    """Return the hint if two operands have nothing but a blank between them, else ""."""
    tokens = re.findall(rf"{_NUMBER}|{_NAME}|\S", text)
    for left, right in pairwise(tokens):
        if (left == ")" or _is_operand(left)) and _is_operand(right):
            return f"write * between {left} and {right}"
    return ""


def _is_operand(token: str) -> bool:
    return re.match(r"[\w.]", token) is not None and token not in _OPERATORS and token != "."


def attribute_hint(node: ast.expr) -> str:
    """Return a hint if a node is a function or constant of a module, such as np.exp; else ""."""
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        module, name = node.value.id, node.attr
        if module in _MODULES:
            return f"write {name} for {module}.{name}"
    return ""
