"""The mutants: each family is a module of data, which maps a file and its tests to edits."""

from typing import NamedTuple

import adjoint
import curves
import engine
import files
import graph
import icd
import intervals
import linear
import linear_solver
import loss
import noise
import outputs
import pivot
import quadratic
import results
import scales
import shared
import stores
import sweep
import sweep_csc
import words


class Mutant(NamedTuple):
    """One edit: ``old``, which occurs once in ``file``, becomes ``new``; ``tests`` must notice."""

    file: str
    tests: list[str]
    name: str
    old: str
    new: str


MODULES = [adjoint, quadratic, sweep, sweep_csc, linear, linear_solver, icd, pivot]
MODULES += [loss, graph, scales, engine, curves, shared, noise, outputs]
MODULES += [words, results, intervals, files, stores]
FAMILIES = {
    module.__name__: [
        Mutant(file, tests.split(), *edit)
        for (file, tests), edits in module.EDITS.items()
        for edit in edits
    ]
    for module in MODULES
}
