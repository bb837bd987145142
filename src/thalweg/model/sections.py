"""Lower a graph whose points mix to a tape with sections (csrc/tape/contract.h).

A mixing node needs its curve at all points, so the program falls into parts that are run one after
the other: a section for each level of mixing nodes and length of curve, and at last the model and
its derivatives.  Each part becomes a graph of its own, in which the results of earlier parts are
leaves: a curve is read from its slot, and a total is one more parameter.  `thalweg._core.lower`
lowers each as it lowers any graph, and the programs are joined here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from .._core import lower as compiled
from .._core.operations import opcodes
from .._core.tape import Curves, Tape
from .graph import LEAVES, ON_X, Graph, evaluate, reachable
from .tables import KINDS, MIXING, Table, table

_OPCODE = opcodes()
_COPY, _CURVE, _LOOKUP = (_OPCODE[name] for name in ("copy", "curve", "lookup"))


def lower(graph: Graph, outputs: Sequence[int], free: Sequence[int]) -> Tape:
    """Return the tape whose outputs are nodes ``outputs``: f, then one per parameter ``free``."""
    if graph.tables is None:
        return compiled.lower(graph, outputs, free)
    return _Sections(graph, outputs).tape(free)


class _Mix(NamedTuple):
    node: int
    table: int
    curve: int  # the node of its curve
    shift: int | None  # the node of its shift


class _Part(NamedTuple):
    """A lowered part of the program: its fields (`lower.lay_out`), and the slots of its outputs."""

    fields: dict[str, Any]
    slots: list[int]


class _Sections:
    """The parts of a program, and the curve slots that they share."""

    def __init__(self, graph: Graph, outputs: Sequence[int]) -> None:
        self.graph, self.outputs = graph, [int(i) for i in outputs]
        self.nodes = graph.nodes
        self.order = reachable(self.nodes, outputs)
        self.tables: list[Table] = list(graph.tables.items)
        self.curves: list[tuple[int, int]] = []  # points, and the table of a curve of numbers or -1
        self.curve_of: dict[int, int] = {}  # the curve slot of each node that has one
        self.total_of: dict[int, int] = {}  # the number of each total
        self._fix_constants()
        self.stages = self._stages()

    # ---- what is known before

    def _fix_constants(self) -> None:
        """Compute the curves that depend on neither x nor theta, which are curves of numbers."""
        fixed: set[int] = set()
        for i in self.order:
            op, *operands = self.nodes[i]
            if op == "const" or (op not in LEAVES and fixed.issuperset(operands)):
                fixed.add(i)
        self.fixed = {i for i in fixed if self.nodes[i][0] != "const"}

    def _stages(self) -> list[tuple[int, list[_Mix]]]:
        """The mixing nodes by level and number of points, in the order in which they can run."""
        level: dict[int, int] = {}
        found: dict[tuple[int, int], list[_Mix]] = {}
        for i in self.order:
            op, *operands = self.nodes[i]
            level[i] = 0 if op in LEAVES else max(level[k] for k in operands)
            if op not in MIXING or i in self.fixed:
                continue
            number = int(self.nodes[operands[-1]][1])
            mix = _Mix(i, number, operands[0], operands[1] if op == "moved" else None)
            found.setdefault((level[i], self.tables[number].n_in), []).append(mix)
            level[i] += 1
            if op == "total":
                self.total_of[i] = len(self.total_of)
        return [(points, found[lev, points]) for lev, points in sorted(found)]

    # ---- curve slots

    def _new_curve(self, points: int, of_table: int = -1) -> int:
        self.curves.append((points, of_table))
        return len(self.curves) - 1

    def _slot_of(self, i: int, points: int) -> int:
        """The curve slot of a node that is read as a curve."""
        if i not in self.curve_of:
            [values] = evaluate(self.graph, [i])
            values = np.broadcast_to(values, points if np.size(values) == 1 else np.shape(values))
            self.tables.append(table("curve", 0, values.size, values=values))
            self.curve_of[i] = self._new_curve(values.size, len(self.tables) - 1)
        return self.curve_of[i]

    # ---- parts

    def part(self, outputs: Sequence[int], points: int, copies: bool = False) -> _Part:
        """Lower the nodes ``outputs``, whose points are so many."""
        graph = self.graph
        P = graph.n_theta
        own = Graph(P + len(self.total_of), graph.n_x)
        place: dict[int, int] = {}
        for i in self._needed(outputs):
            op, *operands = self.nodes[i]
            if op in LEAVES:
                place[i] = getattr(own, op)(*operands)
            elif i in self.total_of:
                place[i] = own.theta(P + self.total_of[i])
            elif i in self.fixed or op in MIXING:
                place[i] = own.intern("curve", own.const(float(self._slot_of(i, points))))
            else:
                place[i] = own.intern(op, *[place[k] for k in operands])
        ids = [place[i] for i in outputs]
        on_x = sorted({i for i in ids if own.stage(i) == ON_X}) if copies else []
        return _Part(*compiled.lay_out(own, ids, on_x))

    def _needed(self, outputs: Sequence[int]) -> list[int]:
        """The nodes that ``outputs`` need, up to those that earlier parts have computed."""
        seen = set(outputs)
        waiting = list(seen)
        while waiting:
            i = waiting.pop()
            op, *operands = self.nodes[i]
            if op in LEAVES or op in MIXING or i in self.fixed:
                continue
            waiting += set(operands) - seen
            seen.update(operands)
        return sorted(seen)

    def tape(self, free: Sequence[int]) -> Tape:
        """Lower all parts and join them."""
        parts: list[_Part] = []
        mixes: list[list[_Mix]] = []
        for points, of_stage in self.stages:
            wanted = [m.curve for m in of_stage] + [
                m.shift for m in of_stage if m.shift is not None
            ]
            stored = [i for i in dict.fromkeys(wanted) if not self._is_curve(i)]
            parts.append(self.part(stored, points))
            mixes.append(of_stage)
            for m in of_stage:
                if m.node not in self.total_of:
                    self.curve_of[m.node] = self._new_curve(self.tables[m.table].n_out)
        last = self.part(self.outputs, self.graph.tables.n_points, copies=True)
        return _Joined(self, parts, last).tape(mixes, free)

    def _is_curve(self, i: int) -> bool:
        """Whether a node is read from a curve slot that holds it already."""
        return i in self.fixed or (self.nodes[i][0] in MIXING and i not in self.total_of)


class _Joined:
    """Parts whose slots are numbered together: constants, theta, totals, results, points, blocks.

    Slots of a block are used by one part after the other.
    """

    def __init__(self, sections: _Sections, parts: list[_Part], last: _Part) -> None:
        self.sections, self.parts, self.last = sections, parts, last
        every = [*parts, last]
        P, T = sections.graph.n_theta, len(sections.total_of)
        self.n_theta, self.n_totals, self.n_x = P, T, sections.graph.n_x
        self.constants: list[float] = [c for part in every for c in part.fields["constants"]]
        self.first_theta = len(self.constants)
        counts = [len(part.fields["constants"]) for part in every]
        lanes = [
            part.fields["n_slots"][0] - n - P - T for part, n in zip(every, counts, strict=True)
        ]
        points = [part.fields["n_slots"][1] - self.n_x for part in every]
        self.n_lane: int = self.first_theta + P + T + sum(lanes)
        self.n_point: int = self.n_x + sum(points)
        self.n_block: int = max(part.fields["n_slots"][2] for part in every)
        self.starts: list[tuple[int, int, int]] = [
            (sum(counts[:k]), self.first_theta + P + T + sum(lanes[:k]), sum(points[:k]))
            for k in range(len(every))
        ]

    def slot(self, k: int, slot: int) -> int:
        """The number of a slot of part k among those of all."""
        part = [*self.parts, self.last][k]
        n_const, shared = len(part.fields["constants"]), self.n_theta + self.n_totals
        n_lane, n_point = (int(n) for n in part.fields["n_slots"][:2])
        constants, results, points = self.starts[k]
        if slot < n_const:
            return constants + slot
        if slot < n_const + shared:
            return self.first_theta + slot - n_const
        if slot < n_lane:
            return results + slot - n_const - shared
        if slot < n_lane + self.n_x:
            return self.n_lane + slot - n_lane
        if slot < n_lane + n_point:
            return self.n_lane + self.n_x + points + slot - n_lane - self.n_x
        return self.n_lane + self.n_point + slot - n_lane - n_point

    def curve(self, number: int) -> int:
        """The slot of a curve."""
        return self.n_lane + self.n_point + self.n_block + number

    def code(self, k: int) -> list[list[tuple[int, ...]]]:
        """The code of part k for points, lanes and blocks, with the slots of all."""
        fields = [*self.parts, self.last][k].fields
        rows: list[tuple[int, ...]] = []
        for op, out, *operands in fields["code"]:
            a, b, c = (self.slot(k, i) for i in operands)
            if op == _CURVE:
                a = b = c = self.curve(int(fields["constants"][operands[0]]))
            if op == _LOOKUP:
                b = c = int(fields["constants"][operands[1]])
            rows.append((_COPY if op == _CURVE else op, self.slot(k, out), a, b, c))
        n_point, n_lane, _ = fields["n_code"]
        return [rows[:n_point], rows[n_point : n_point + n_lane], rows[n_point + n_lane :]]

    def tape(self, mixes: list[list[_Mix]], free: Sequence[int]) -> Tape:
        """Return the tape of all parts."""
        codes = [self.code(k) for k in range(len(self.parts) + 1)]
        point = [row for code in codes for row in code[0]]
        of_sections: list[tuple[int, ...]] = []
        sections, rows = [], []
        for k, (of_stage, (_, lane, block)) in enumerate(zip(mixes, codes, strict=False)):
            store, stored = self._mixes(k, of_stage)
            points = self.sections.stages[k][0]
            sections.append((points, len(lane), len(block), len(store), len(stored)))
            rows += stored
            of_sections += [*lane, *block, *store]
        _, lane, block = codes[-1]
        tables = self.sections.tables
        n_points = self.sections.graph.tables.n_points
        curves = Curves(
            n_points, sections, rows, self.sections.curves, [_fields(each) for each in tables]
        )
        return Tape(
            self.n_theta,
            self.n_x,
            self.constants,
            (self.n_lane, self.n_point, self.n_block),
            [*point, *lane, *block, *of_sections],
            (len(point), len(lane), len(block)),
            tuple(free),
            [self.slot(len(self.parts), slot) for slot in self.last.slots],
            curves,
        )

    def _mixes(self, k: int, mixes: list[_Mix]) -> tuple[list[tuple[int, ...]], list[Any]]:
        """The instructions that store the curves of a section, and its mixes."""
        own, found = self.sections, []
        wanted = [m.curve for m in mixes] + [m.shift for m in mixes if m.shift is not None]
        stored = [i for i in dict.fromkeys(wanted) if not own._is_curve(i)]
        slots = dict(zip(stored, (self.slot(k, s) for s in self.parts[k].slots), strict=True))
        store: dict[int, tuple[int, ...]] = {}
        held: dict[int, int] = {}
        for m in mixes:
            if own._is_curve(m.curve):
                into = self.curve(own._slot_of(m.curve, own.tables[m.table].n_in))
            else:
                if m.curve not in held:
                    held[m.curve] = self.curve(own._new_curve(own.tables[m.table].n_in))
                into = held[m.curve]
                store[m.curve] = (_COPY, into, *[slots[m.curve]] * 3)
            if m.node in own.total_of:
                out = self.first_theta + self.n_theta + own.total_of[m.node]
            else:
                out = self.curve(own.curve_of[m.node])
            found.append((m.table, into, out, 0 if m.shift is None else slots[m.shift]))
        return list(store.values()), found


def _fields(each: Table) -> tuple[Any, ...]:
    """What `Curves` takes of a table."""
    with np.errstate(over="ignore"):
        floats = each.values.astype(np.float32)
    return (KINDS.index(each.kind), each.n_in, each.n_out, each.offset, each.values, floats)
