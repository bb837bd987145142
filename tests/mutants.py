"""Break the engine on purpose and expect the tests to notice: ``python tests/mutants.py [name]``.

A test that has never failed proves nothing.  Each mutant is one edit of a file in csrc/.  It is
built in a copy of the source, for the instruction set that every processor has, and the tests of
`SUITE` must fail there.  Mutants that survive are printed and make the exit status 1; so does an
edit whose text is no longer in the file.  The source tree itself is not touched.

Needs what an editable install needs (cmake, ninja, cython, cython-cmake) and the extra ``test``.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import cython_cmake

ROOT = Path(__file__).resolve().parent.parent
SUITE = [
    "test_tape.py",
    "test_engine.py",
    "test_invariance.py",
    "test_certificates.py",
    "test_bounds.py",
    "test_peer_cases.py",
    "test_fit.py",
    "test_vecmath.py",
]
TIME_LIMIT = 120  # seconds; a mutant that never ends is noticed too


class Mutant(NamedTuple):
    """One edit: ``old``, which occurs once in csrc/``file``, becomes ``new``."""

    name: str
    file: str
    old: str
    new: str


MUTANTS = [
    # sums
    Mutant("weight not squared", "normal.h",
           "w2 = v_load(weight + p * LANES + o) * v_load(weight + p * LANES + o)",
           "w2 = v_load(weight + p * LANES + o)"),
    Mutant("weightless NaN counted", "normal.h",
           "weight ? v_and(v_load(weight + p * LANES + o) > 0, value) : value", "value"),
    Mutant("triangle index", "normal.h",
           "return i * (i + 1) / 2 + j", "return i * (i - 1) / 2 + j"),
    Mutant("block not added", "normal.h", "v_load(s) + total[i][j]", "total[i][j]"),
    Mutant("residual sign, lanes", "lanes.h",
           "v_load(y + p * LANES + o) - v_load(f.base + p * f.step + o)",
           "v_load(f.base + p * f.step + o) - v_load(y + p * LANES + o)"),
    Mutant("residual sign, points", "points.h",
           "v_load(r->y + p * LANES + v) - v_load(f.base + p * f.step + v)",
           "v_load(f.base + p * f.step + v) - v_load(r->y + p * LANES + v)"),
    Mutant("last chunk lost", "points.h", "c < o->n_chunks; c++)\n            sum +=",
           "c < o->n_chunks - 1; c++)\n            sum +="),
    Mutant("chunk order", "points.h", "sum += o->chunk_sum[c * T + t]",
           "sum += o->chunk_sum[(o->threads > 1 ? o->n_chunks - 1 - c : c) * T + t]"),
    Mutant("padding weighs", "points.h",
           "r->y[i] = r->weight[i] = 0", "r->y[i] = 0, r->weight[i] = 1"),
    Mutant("partial forgotten", "lanes.h",
           "g->partial |= job->sigma != NULL || data.used < job->n_points", "g->partial |= 0"),
    # orthogonal factorisation
    Mutant("reflection sign", "orthogonal.h", "-copysign(sqrt(", "copysign(sqrt("),
    Mutant("diagonal not scaled back", "orthogonal.h",
           "*diagonal = beta * largest", "*diagonal = beta"),
    Mutant("reflection factor", "orthogonal.h", "* (-head / beta)", "* (head / beta)"),
    # steps
    Mutant("damping on no diagonal", "step.h", "LOAD(s->sum, tri(i, i)) + damping(s, i, o)",
           "LOAD(s->sum, tri(i, i))"),
    Mutant("lambda grows after success", "damped.h",
           "v_sel(kept, down, up)", "v_sel(kept, up, down)"),
    Mutant("nu does not double", "damped.h", "v_min(2 * nu, v_set((real)0x1p60))", "nu"),
    Mutant("cubic sign", "damped.h", "1 - q * q * q", "1 + q * q * q"),
    Mutant("scale is not the maximum", "damped.h", "v_max(trial, before)", "trial"),
    Mutant("noise rule", "damped.h", "(in_noise & (actual >= -noise))", "in_noise"),
    Mutant("rises are kept", "damped.h", "(actual > 0)", "(actual > -chi2)"),
    Mutant("rejected step converges", "damped.h", "stop(s, o, moved & small_step(",
           "stop(s, o, ~fresh & small_step("),
    Mutant("the undamped step is not asked", "covariance.h", "resume = met & ~poor",
           "resume = 0 & ~poor"),
    Mutant("the undamped step has no noise", "covariance.h",
           "v_max(SLACK * least * chi2, noise_of_chi2(s, o))", "SLACK * least * chi2"),
    Mutant("stopped lanes leave the box", "step.h", "(status >= RUNNING) & (status <= TW_GTOL)",
           "status == RUNNING"),
    Mutant("noise of the model forgotten", "damped.h",
           "size2 = v_max(theta * theta * LOAD(s->sum, tri(j, j)), size2)", "size2 += 0 * theta"),
    Mutant("xtol absolute", "damped.h", "xtol * v_abs(LOAD(s->theta, s->free_theta[j]))",
           "xtol"),
    Mutant("xtol without the residual", "damped.h", "limit = xtol * xtol * chi2",
           "limit = 0 * chi2"),
    Mutant("ftol ignores the promise", "damped.h", "(promised <= t->ftol * chi2) & ", ""),
    Mutant("ftol absolute", "damped.h",
           "(promised <= t->ftol * chi2) & (actual <= t->ftol * chi2)",
           "(promised <= t->ftol) & (actual <= t->ftol)"),
    Mutant("exact too early", "damped.h", "16 * REAL_EPS * REAL_EPS * LOAD", "REAL_EPS * LOAD"),
    Mutant("promise without damping", "step.h",
           "d * (g + LOAD(s->lambda, 0) * LOAD(s->scale2, i) * d)", "d * g"),
    Mutant("promise of a cut step", "step.h", "2 * gain - loss", "2 * gain + loss"),
    Mutant("gtol not squared", "step.h", "t->gtol * t->gtol", "t->gtol"),
    Mutant("gtol of a cut step", "step.h", "~cut & (LOAD(s->promised, 0) <= least)",
           "(LOAD(s->promised, 0) <= least)"),
    Mutant("substitution", "step.h", "LOAD(s->work, i) - r * LOAD(s->pivot, i)",
           "LOAD(s->work, i) + r * LOAD(s->pivot, i)"),
    Mutant("second attempt keeps the worse", "damped.h",
           "LOAD(s->first_sum, last) < LOAD(s->sum, last)",
           "LOAD(s->first_sum, last) > LOAD(s->sum, last)"),
    # bounds
    Mutant("held is ignored", "step.h", "v_sel(MASK(s->held, i), LOAD(s->step, i), d)", "d"),
    Mutant("bound sticks", "step.h", "(theta <= LOAD(s->lower, parameter)) & (descent <= 0)",
           "(theta <= LOAD(s->lower, parameter))"),
    Mutant("released outwards", "step.h", "& (descent >= 0)", "& (descent <= 0)"),
    Mutant("steps of held parameters forgotten", "step.h", "r -= v_and(MASK(s->held, j)",
           "r -= 0 * v_and(MASK(s->held, j)"),
    Mutant("lands beside the bound", "step.h",
           "v_sel(held & (d < 0), LOAD(s->lower, parameter), trial)", "trial"),
    Mutant("bounds of the first fit", "sample.h", "ROW(real, job->lower, job->bound_step)[j]",
           "((const real *)job->lower)[j]"),
    # data and results
    Mutant("NaN is used", "sample.h", "!(y[i] != y[i])", "1"),
    Mutant("sigma squared", "sample.h", "1 / error", "1 / (error * error)"),
    Mutant("fixed counted as free", "sample.h", "n -= ROW(uint8_t", "n -= 0 * ROW(uint8_t"),
    Mutant("covariance without chi2 / dof", "outcome.h", "job->absolute_sigma ? 1 :",
           "job->absolute_sigma || 1 ? 1 :"),
    Mutant("covariance factor", "covariance.h",
           "? 0 : factor * s->unit", "? 0 : 2 * factor * s->unit"),
    Mutant("covariance of a bound", "covariance.h",
           "(theta <= LOAD(s->lower, parameter))", "(theta != theta)"),
    Mutant("singular not noticed", "covariance.h", "!(inflation <= most)", "inflation < 0"),
    Mutant("poor pivots trusted", "covariance.h", "poor = factorise(s, POOR_PIVOT, o)",
           "factorise(s, POOR_PIVOT, o)"),
    # tapes and their layout
    Mutant("later blocks read the first", "tape.h", "o.base + start * o.advance", "o.base"),
    Mutant("x of the first fit", "tape.h",
           "(const real *)x[k] + fit * x_step[k]", "(const real *)x[k]"),
    Mutant("fnma sign", "tape_ops.h", "c - a * b", "c + a * b"),
    Mutant("fms sign", "tape_ops.h", "a *b - c", "a *b + c"),
    Mutant("where swaps", "tape_ops.h", "v_sel(a != 0, b, c)", "v_sel(a != 0, c, b)"),
    Mutant("less or equal", "tape_ops.h",
           "TW_OP2(less, v_bool(a < b))", "TW_OP2(less, v_bool(a <= b))"),
    Mutant("stale lane", "lanes.h",
           "begin_fit(&g->s, lane);", "if (fit < LANES) begin_fit(&g->s, lane);"),
]  # fmt: skip

# `python -c BOOT FOLDER ARGUMENTS` runs pytest on the package in FOLDER/src; the import hook of an
# editable install would prefer its own.
BOOT = """
import sys
folder, *arguments = sys.argv[1:]
sys.meta_path[:] = [f for f in sys.meta_path if "ScikitBuild" not in type(f).__name__]
sys.path[:0] = [folder + "/src"]
import pytest, thalweg
assert thalweg.__file__.startswith(folder), thalweg.__file__
sys.exit(pytest.main(arguments))
"""


def run(*command, folder, **options):
    """Run a command quietly in a folder."""
    return subprocess.run(
        [str(c) for c in command],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        **options,
    )


def prepare(folder):
    """Copy the source and configure a build of the base instruction set."""
    for name in ("csrc", "src", "tests"):
        ignored = shutil.ignore_patterns("__pycache__", "*.so", ".hypothesis")
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", folder)
    lines = (ROOT / "CMakeLists.txt").read_text().splitlines()
    kept = [
        line for line in lines if not line.strip().startswith(("tw_variant(v3", "tw_variant(v4"))
    ]
    (folder / "CMakeLists.txt").write_text("\n".join(kept).replace("-O3", "-O1"))
    modules = Path(cython_cmake.__file__).parent / "cmake"
    done = run(
        *("cmake", "-G", "Ninja", "-S", ".", "-B", "build"),
        *(f"-DPython_EXECUTABLE={sys.executable}", f"-DCMAKE_MODULE_PATH={modules}"),
        folder=folder,
    )
    if done.returncode:
        raise SystemExit(done.stdout)


def build(folder):
    """Compile, and put the module where the copy of the package finds it."""
    done = run("ninja", "-C", "build", folder=folder)
    if done.returncode:
        return done.stdout
    for module in (folder / "build").glob("engine*.so"):
        shutil.copy(module, folder / "src" / "thalweg" / "_core")
    return ""


def fails(folder, keyword):
    """Whether the suite fails; and the first test that did."""
    arguments = ["-x", "-q", "--no-header", "-p", "no:cacheprovider", "-k", keyword]
    arguments += ["--hypothesis-profile", "mutants"]
    arguments += [f"tests/{name}" for name in SUITE if (folder / "tests" / name).exists()]
    environment = os.environ | {"THALWEG_NUM_THREADS": "2"}
    command = (sys.executable, "-c", BOOT, folder, *arguments)
    try:
        done = run(*command, folder=folder, timeout=TIME_LIMIT, env=environment)
    except subprocess.TimeoutExpired:
        return True, "it never ends"
    failed = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return done.returncode != 0, failed[0][:110] if failed else done.stdout[-300:].strip()


def try_mutant(folder, mutant, keyword):
    """Return whether the mutant was noticed, and by what."""
    file = folder / "csrc" / mutant.file
    original = file.read_text()
    if original.count(mutant.old) != 1:
        return False, f"its text occurs {original.count(mutant.old)} times in {mutant.file}"
    try:
        file.write_text(original.replace(mutant.old, mutant.new))
        error = build(folder)
        return (False, f"it does not compile: {error[-300:]}") if error else fails(folder, keyword)
    finally:
        file.write_text(original)


def main():
    """Try the mutants named on the command line, or all; return how many survived."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", help="parts of names; all mutants if none")
    parser.add_argument("-k", dest="keyword", default="", help="as of pytest: the tests to run")
    arguments = parser.parse_args()
    names, keyword = arguments.names, arguments.keyword
    chosen = [m for m in MUTANTS if not names or any(name in m.name for name in names)]
    survivors = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary).resolve()
        prepare(folder)
        error = build(folder)
        if error:
            raise SystemExit(error)
        broken, why = fails(folder, keyword)
        if broken:
            raise SystemExit(f"the tests fail without any mutant: {why}")
        for mutant in chosen:
            start = time.perf_counter()
            noticed, why = try_mutant(folder, mutant, keyword)
            verdict = "noticed" if noticed else "SURVIVED"
            print(
                f"{verdict:8} {time.perf_counter() - start:5.1f} s  {mutant.name}: {why}",
                flush=True,
            )
            if not noticed:
                survivors.append(mutant.name)
    print(f"{len(chosen) - len(survivors)} of {len(chosen)} mutants noticed")
    return len(survivors)


if __name__ == "__main__":
    sys.exit(1 if main() else 0)
