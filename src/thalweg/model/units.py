"""Rewrite a recorded model in other units, so that no value inside it overflows or underflows.

The square of a width of 1e-200 is 0 in floating point, and a quotient by it is infinite or NaN.  So
every node of the graph is given a unit, a power of two, and holds its value in that unit:

    x_i = 2^e_i x_i',  theta_j = 2^c_j theta_j',  (a b)' = a' b' in the product of both units,

The units of products, quotients, powers and roots follow from those of their operands.  Sums and
comparisons convert both sides to the larger unit; exponentials, logarithms and angles convert their
operands to the unit 1.  The factors of these conversions are parameters of the new graph, one power
of two for each fit.  To multiply by a power of two changes no digit, unless the product overflows
or underflows.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from .graph import Graph, reachable
from .tables import WITH_TABLES, Tables

STEP = 12  # exponents of units are multiples of it, so that roots of units are powers of two, too

Array = np.ndarray[Any, np.dtype[Any]]
# The powers of the base units (of the variables, of the parameters, and each larger of two units)
# whose product a unit is.
Powers = dict[tuple[Any, ...], Fraction]

_SAME = ("copy", "neg", "abs")
_LIKE_SUMS = ("add", "sub", "minimum", "maximum", "hypot", "remainder")
_OF_RATIOS = ("less", "less_equal", "equal", "not_equal", "atan2", "floor_divide")
_AS_THEY_ARE = ("sign", "not", "and", "or")
_POWERS = {
    "recip": Fraction(-1),
    "square": Fraction(2),
    "sqrt": Fraction(1, 2),
    "cbrt": Fraction(1, 3),
}
_PLAIN = STEP  # constants from 2^-12 to 2^12 stay as they are written


class Unit(NamedTuple):
    """A unit 2^exponent, which may differ between K fits; units of one `key` are equal.

    ``raised`` holds further factors, units to the power of a node, such as the unit of x**b.
    """

    powers: Powers
    exponent: Array  # int, (K,)
    raised: dict[int, Unit] = {}  # noqa: RUF012 (never written to)

    def times(self, other: Unit, sign: int = 1) -> Unit:
        """Return the product of two units, or the quotient for sign -1."""
        powers = dict(self.powers)
        for base, power in other.powers.items():
            powers[base] = powers.get(base, Fraction(0)) + sign * power
        kept = {base: power for base, power in powers.items() if power}
        raised = dict(self.raised)
        for node, unit in other.raised.items():
            before = raised.get(node, Unit({}, np.zeros_like(unit.exponent)))
            raised[node] = before.times(unit, sign)
        raised = {node: unit for node, unit in raised.items() if unit.powers}
        return Unit(kept, self.exponent + sign * other.exponent, raised)

    def to_the(self, power: Fraction) -> Unit | None:
        """Return a power of the unit, or None if its exponents might not be whole."""
        powers = {base: p * power for base, p in self.powers.items() if p * power}
        raised = {node: unit.to_the(power) for node, unit in self.raised.items()}
        if any(STEP % p.denominator for p in powers.values()) or None in raised.values():
            return None
        exponent = self.exponent * power.numerator // power.denominator
        return Unit(powers, exponent, raised)  # type: ignore[arg-type]

    @property
    def key(self) -> Any:
        """Return the key of the unit; units of the same key are equal for every fit."""
        raised = frozenset((node, unit.key) for node, unit in self.raised.items())
        return frozenset(self.powers.items()), raised


class Rewritten(NamedTuple):
    """The model in other units: a graph whose last parameters are the factors of conversions."""

    graph: Graph
    output: int
    factors: Array  # int, (K, number of factors): each factor is 2 to the power of this


def in_units(graph: Graph, output: int, x: Array, theta: Array, value: Array) -> Rewritten:
    """Return a model whose variables, parameters and value are in other units.

    Parameters
    ----------
    graph, output
        The model.
    x, theta : ndarray of int, (K, n_x) and (K, P)
        Exponents of the units of variables and parameters for K fits, multiples of `STEP`.
    value : ndarray of int, (K,)
        The exponent of the unit of the model's value.
    """
    model = _Model(x, theta, graph.tables)
    nodes = graph.nodes
    for i in reachable(nodes, [output]):
        op, *operands = nodes[i]
        if op in WITH_TABLES:
            model.place[i] = model.with_table(op, operands[:-1], int(nodes[operands[-1]][1]))
        else:
            model.place[i] = model.of(op, operands)
    end = model.to(model.place[output], Unit({("value",): Fraction(1)}, value))
    new = Graph(graph.n_theta + len(model.factors), graph.n_x)
    new.tables = model.tables
    numbers: list[int] = []
    for op, *operands in model.nodes:
        if op == "factor":
            numbers.append(new.theta(graph.n_theta + operands[0]))
        elif op in ("const", "theta", "x"):
            numbers.append(getattr(new, op)(*operands))
        else:
            numbers.append(new.intern(op, *(numbers[k] for k in operands)))
    factors = np.stack(model.factors, axis=1) if model.factors else np.zeros((len(value), 0), int)
    return Rewritten(new, numbers[end], factors)


class _Model:
    """The nodes of the new graph, collected before the number of its parameters is known."""

    def __init__(self, x: Array, theta: Array, tables: Tables | None) -> None:
        self.x, self.theta = x, theta
        self.tables = None if tables is None else tables.copy()
        self.one = Unit({}, np.zeros(len(x), x.dtype))
        self.place: dict[int, int] = {}  # the new node of each node of the old graph
        self.nodes: list[tuple[Any, ...]] = []
        self.units: list[Unit] = []
        self.factors: list[Array] = []
        self.known: dict[Any, int] = {}  # the nodes of factors, by their powers
        self.turned: dict[Any, int] = {}  # nodes converted to other units, by node and unit
        self.larger: dict[Any, Unit] = {}  # the larger of two units, by the keys of both

    def node(self, unit: Unit, *node: Any) -> int:
        self.nodes.append(node)
        self.units.append(unit)
        return len(self.nodes) - 1

    def of(self, op: str, operands: list[Any]) -> int:
        """Return the node of an operation on nodes of the old graph."""
        if op == "const":
            return self.constant(*operands)
        if op in ("x", "theta"):
            exponent = (self.x if op == "x" else self.theta)[:, operands[0]]
            return self.node(Unit({(op, *operands): Fraction(1)}, exponent), op, *operands)
        ids = [self.place[k] for k in operands]
        if op == "pow":
            return self.power(*ids)
        if op == "where":
            unit, *both = self.alike(*ids[1:])
            return self.node(unit, op, ids[0], *both)
        if op in ("mul", "div"):
            a, b = (self.units[k] for k in ids)
            return self.node(a.times(b, 1 if op == "mul" else -1), op, *ids)
        if op in _LIKE_SUMS or op in _OF_RATIOS:
            unit, *ids = self.alike(*ids)
            return self.node(unit if op in _LIKE_SUMS else self.one, op, *ids)
        if op == "voigt":  # a density has the inverse unit of its three lengths
            unit, x, _ = self.alike(ids[0], ids[1])
            unit, x, gamma = self.alike(x, ids[2])
            return self.node(self.one.times(unit, -1), op, x, self.to(ids[1], unit), gamma)
        if op in _SAME:
            return self.node(self.units[ids[0]], op, *ids)
        raised = self.units[ids[0]].to_the(_POWERS[op]) if op in _POWERS else None
        if raised is not None:
            return self.node(raised, op, *ids)
        if op not in _AS_THEY_ARE:
            ids = [self.to(k, self.one) for k in ids]
        return self.node(self.one, op, *ids)

    def constant(self, value: float) -> int:
        exponent, unit = self.own_unit(value)
        return self.node(unit, "const", float(np.ldexp(value, -exponent)))

    def own_unit(self, size: float) -> tuple[int, Unit]:
        """Return the unit of numbers of this size, and its exponent; 1 for sizes near 1."""
        exponent = int(np.frexp(size)[1])
        if not np.isfinite(size) or size == 0 or abs(exponent) <= _PLAIN:
            return 0, self.one
        exponent = STEP * round(exponent / STEP)
        return exponent, Unit({("two",): Fraction(exponent)}, self.one.exponent + exponent)

    def with_table(self, op: str, operands: list[int], number: int) -> int:
        """Return the node of an operation with a table: curves keep their unit (`tables`)."""
        assert self.tables is not None
        table = self.tables[number]
        unit, ids = self.one, [self.place[k] for k in operands]
        if op == "lookup":
            ids = [self.to(ids[0], self.one)]
        elif ids:
            ids = [self.to(ids[0], self.one)] if self.units[ids[0]].raised else ids[:1]
            unit = self.units[ids[0]]
            ids += [self.to(self.place[k], self.one) for k in operands[1:]]
        if table.kind in ("curve", "band", "dense"):
            exponent, own = self.own_unit(float(np.abs(table.values).max()))
            unit = unit.times(own)
            number = self.tables.add(table.in_unit(exponent)) if exponent else number
        return self.node(unit, op, *ids, self.node(self.one, "const", float(number)))

    def power(self, base: int, exponent: int) -> int:
        op, *value = self.nodes[exponent]
        if op == "const" and not self.units[exponent].powers and np.isfinite(value[0]):
            power = Fraction(value[0]).limit_denominator(STEP)
            unit = self.units[base].to_the(power) if power == value[0] else None
            if unit is not None:
                return self.node(unit, "pow", base, exponent)
        exponent, unit = self.to(exponent, self.one), self.units[base]
        if unit.raised:
            base, unit = self.to(base, self.one), self.one
        raised = {exponent: unit} if unit.powers else {}
        return self.node(Unit({}, self.one.exponent, raised), "pow", base, exponent)

    def alike(self, a: int, b: int) -> tuple[Unit, int, int]:
        """Return the larger of two nodes' units, and both nodes in it."""
        ours, theirs = self.units[a], self.units[b]
        if ours.key == theirs.key or self.nodes[b] == ("const", 0.0):
            return ours, a, b
        if self.nodes[a] == ("const", 0.0):
            return theirs, a, b
        if ours.raised or theirs.raised:
            return self.one, self.to(a, self.one), self.to(b, self.one)
        key = ours.key, theirs.key
        if key not in self.larger:
            exponent = -(-np.maximum(ours.exponent, theirs.exponent) // STEP) * STEP
            unit = Unit({("larger", len(self.larger)): Fraction(1)}, exponent)
            self.larger[key] = self.larger[key[::-1]] = unit
        unit = self.larger[key]
        return unit, self.to(a, unit), self.to(b, unit)

    def to(self, node: int, unit: Unit) -> int:
        """Return the node converted to another unit."""
        key = node, unit.key
        if key not in self.turned:
            ratio = self.units[node].times(unit, -1)
            for exponent, of in ratio.raised.items():
                power = self.node(self.one, "pow", self.factor(of), exponent)
                node = self.node(self.one, "mul", power, node)
            if ratio.powers:
                node = self.node(unit, "mul", self.factor(ratio), node)
            self.turned[key] = node
        return self.turned[key]

    def factor(self, unit: Unit) -> int:
        """Return the node of the factor that a unit is, a power of two."""
        key = frozenset(unit.powers.items())
        if key not in self.known:
            self.factors.append(unit.exponent)
            self.known[key] = self.node(self.one, "factor", len(self.factors) - 1)
        return self.known[key]
