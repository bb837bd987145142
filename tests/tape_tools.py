"""Run single operations and whole tapes through the compiled library, for tests of their values."""

from collections.abc import Sequence

import numpy as np

from thalweg._core.tape import Tape, evaluate
from thalweg.model.tape import OPCODE

Array = np.ndarray


def apply(op: str, *arrays: Array) -> Array:
    """Return one operation on arrays of equal length (N,), all float64 or all float32."""
    arrays = tuple(np.ascontiguousarray(a) for a in np.broadcast_arrays(*arrays))
    n = len(arrays)
    inputs = [*range(n), 0, 0][:3]  # the x inputs are the point slots 0 ... n - 1
    tape = Tape(
        n_theta=0,
        n_x=n,
        constants=[],
        n_slots=(0, n, 1),
        code=[(OPCODE[op], n, *inputs)],
        n_code=(0, 0, 1),
        free_theta=(),
        output=[n],
    )
    return run(tape, arrays, (), arrays[0].dtype)[0]


def run(tape: Tape, x: Sequence[Array], theta: Sequence[float], dtype: np.dtype) -> Array:
    """Return f and its derivatives at one theta (P,), shape (1 + F, N)."""
    dtype = np.dtype(dtype)
    assert dtype in (np.float64, np.float32)
    x = [np.ascontiguousarray(v, dtype).reshape(-1) for v in x]
    out = np.empty((1 + len(tape.free_theta), len(x[0])), dtype)
    evaluate(tape, dtype == np.float32, len(x[0]), x, np.array(theta, dtype), out)
    return out
