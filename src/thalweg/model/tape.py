"""Lower an expression graph to the flat program that csrc/tape.h runs.

Every node goes to the stage in which it is needed least often: what depends on x alone is computed
once per data set, what depends on theta alone once per evaluation, the rest once per point and
evaluation.  Constants and parameters are slots of the second kind.  In the block stage a product
that only one sum uses becomes one fused instruction, and registers are given back after their
last use, so that a block of points stays in the first cache.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence

from .._core.engine import Tape, operations
from .autodiff import gradient
from .graph import ON_THETA, ON_X, Graph, Node

OPCODE = {name: number for number, (name, _) in enumerate(operations())}
_LEAVES = ("const", "theta", "x")
_BLOCK = ON_X | ON_THETA

_TAPES: dict[Hashable, Tape] = {}
_MOST_TAPES = 256

# how a sum of a product and something is one instruction: (op, place of the product) -> fused op
_FUSED = {("add", 0): "fma", ("add", 1): "fma", ("sub", 0): "fms", ("sub", 1): "fnma"}


def compile_model(graph: Graph, output: int, free: Sequence[int]) -> Tape:
    """Return the tape of node ``output`` and its derivatives with respect to parameters ``free``.

    Equal formulas share one tape, however they were written: it is kept by the graph's key.
    """
    key = (graph.key((output,)), tuple(free), graph.n_x)
    tape = _TAPES.get(key)
    if tape is None:
        derivatives = gradient(graph, output, [graph.theta(j) for j in free])
        tape = lower(graph, [output, *derivatives], free)
        if len(_TAPES) >= _MOST_TAPES:
            _TAPES.clear()  # formulas with ever new constants; the others come back at once
        _TAPES[key] = tape
    return tape


def lower(graph: Graph, outputs: Sequence[int], free: Sequence[int]) -> Tape:
    """Return the tape whose outputs are nodes ``outputs``: f, then one per parameter ``free``."""
    order = _schedule(graph.nodes, outputs)
    program = _fuse(graph, order, outputs)
    constants = [i for i in order if graph.nodes[i][0] == "const"]
    slot = {i: s for s, i in enumerate(constants)}
    slot |= {graph.theta(j): len(constants) + j for j in range(graph.n_theta)}
    lane = [i for i in program if graph.depends[i] == ON_THETA]
    point = [i for i in program if graph.depends[i] == ON_X]
    block = [i for i in program if graph.depends[i] == _BLOCK]
    n_lane = len(constants) + graph.n_theta + len(lane)
    n_point = graph.n_x + len(point)
    slot |= {i: len(constants) + graph.n_theta + s for s, i in enumerate(lane)}
    slot |= {graph.x(i): n_lane + i for i in range(graph.n_x)}
    slot |= {i: n_lane + graph.n_x + s for s, i in enumerate(point)}
    copies = {i for i in outputs if graph.depends[i] == ON_X}
    registers, n_block = _allocate(program, block, outputs, n_lane + n_point)
    slot |= registers
    copied = {i: n_lane + n_point + n_block + k for k, i in enumerate(sorted(copies))}
    code = [_row(program[i], slot[i], slot) for i in point + lane + block]
    code += [_row(("copy", i), copied[i], slot) for i in copied]
    return Tape(
        n_theta=graph.n_theta,
        n_x=graph.n_x,
        constants=[graph.nodes[i][1] for i in constants],
        n_slots=(n_lane, n_point, n_block + len(copied)),
        code=code,
        n_code=(len(point), len(lane), len(block) + len(copied)),
        free_theta=tuple(free),
        output=[copied.get(i, slot[i]) for i in outputs],
    )


def _schedule(nodes: Sequence[Node], outputs: Sequence[int]) -> list[int]:
    """Return the needed nodes, operands first, each as late as a walk from the outputs meets it."""
    order: dict[int, None] = {}
    stack = [*reversed(outputs)]
    while stack:
        i = stack[-1]
        waiting = [j for j in nodes[i][1:] if j not in order] if nodes[i][0] not in _LEAVES else []
        if waiting:
            stack.extend(reversed(waiting))
            continue
        order[stack.pop()] = None
    return list(order)


def _fuse(graph: Graph, order: Sequence[int], outputs: Sequence[int]) -> dict[int, Node]:
    """Return the operations to run, in order, with products fused into the sum that uses them."""
    nodes, depends = graph.nodes, graph.depends
    program = {i: nodes[i] for i in order if nodes[i][0] not in _LEAVES}
    uses = Counter(j for node in program.values() for j in node[1:])
    uses.update(outputs)
    for i in list(program):
        if depends[i] != _BLOCK:
            continue
        op, *operands = program[i]
        for place, j in enumerate(operands):
            fused = _FUSED.get((op, place))
            if not fused or uses[j] != 1 or depends[j] != _BLOCK:
                continue
            factors = program[j][1:] * 2 if program[j][0] == "square" else program[j][1:]
            if program[j][0] in ("mul", "square"):
                program[i] = (fused, *factors, operands[1 - place])
                del program[j]
                break
    return program


def _allocate(
    program: dict[int, Node], block: Sequence[int], outputs: Sequence[int], first: int
) -> tuple[dict[int, int], int]:
    """Return the register of each node of the block stage, and how many registers there are."""
    last = {j: i for i in block for j in program[i][1:]}
    last |= dict.fromkeys(outputs, -1)
    register: dict[int, int] = {}
    idle: list[int] = []
    count = 0
    for i in block:
        for j in dict.fromkeys(program[i][1:]):
            if last[j] == i and j in register:
                idle.append(register[j])
        if not idle:
            idle.append(first + count)
            count += 1
        register[i] = idle.pop()
    return register, count


def _row(node: Node, out: int, slot: dict[int, int]) -> tuple[int, int, int, int, int]:
    inputs = [slot[j] for j in node[1:]]
    first, second, third = (inputs + inputs[:1] * 2)[:3]
    return OPCODE[node[0]], out, first, second, third
