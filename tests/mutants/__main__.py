"""Break the source on purpose and expect the tests to notice: ``python tests/mutants``.

A test that has never failed proves nothing.  Each mutant is one edit of one file (families.py); the
tests named with it must fail.  The source tree itself is not touched: the edits are made in a copy
below build/mutants, which is compiled for the instruction set that every processor has, and which a
later run takes up again, so that only the file under edit is compiled.

Needs what an editable install needs (cmake, ninja, cython, cython-cmake) and the extra ``test``.
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import cython_cmake
from families import FAMILIES, Mutant

ROOT = Path(__file__).resolve().parents[2]
COPY = ROOT / "build" / "mutants"
TIME_LIMIT = 300  # seconds; a mutant that never ends is noticed too

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


def run(*command, **options):
    """Run a command quietly in the copy; return its exit status and what it printed."""
    done = subprocess.run(
        [str(c) for c in command],
        cwd=COPY,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        **options,
    )
    return done.returncode, done.stdout


def prepare():
    """Bring the copy up to date, touching no file that is, and configure its build."""
    patterns = ("*.t*", "csrc/**/*.*", "src/**/*.p*", "tests/**/*.*")
    for source in (file for pattern in patterns for file in ROOT.glob(pattern)):
        target = COPY / source.relative_to(ROOT)
        if source.is_dir() or source.suffix == ".pyc":
            continue
        if not target.exists() or target.read_bytes() != source.read_bytes():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
    modules = Path(cython_cmake.__file__).parent / "cmake"
    failed, output = run(
        *("cmake", "-G", "Ninja", "-S", ".", "-B", "out", "-DCMAKE_BUILD_TYPE=Release"),
        *("-DTW_LEVELS=", f"-DPython_EXECUTABLE={sys.executable}"),
        f"-DCMAKE_MODULE_PATH={modules}",
    )
    if failed:
        raise SystemExit(output)


def build():
    """Compile, and put the modules where the package finds them; return what went wrong."""
    failed, output = run("ninja", "-C", "out")
    for module in (COPY / "out").glob("*.so"):
        shutil.copy2(module, COPY / "src" / "thalweg" / "_core")
    return output if failed else ""


def first_failure(tests, limit):
    """Return the first test that fails within so many seconds, or an empty string."""
    options = ("-x", "-q", "--no-header", "-p", "no:cacheprovider")
    profile = ("--hypothesis-profile", "mutants")
    files = [f"tests/{name}" for name in tests]
    # glibc: fresh memory holds garbage, so that zeros come from those who write them
    environment = os.environ | {"THALWEG_NUM_THREADS": "2", "MALLOC_PERTURB_": "85"}
    command = (sys.executable, "-c", BOOT, COPY, *options, *profile, *files)
    try:
        failed, output = run(*command, timeout=limit, env=environment)
    except subprocess.TimeoutExpired:
        return "it never ends"
    if failed < 0:
        return f"signal {-failed} ends it"
    lines = [line for line in output.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return (lines[0] if lines else output[-300:].strip()) if failed else ""


def try_mutant(mutant: Mutant):
    """Return whether the mutant was noticed, and by what, or why it is none."""
    file = COPY / mutant.file
    original = file.read_text()
    if original.count(mutant.old) != 1:
        return "NO MUTANT", f"its text occurs {original.count(mutant.old)} times in {mutant.file}"
    file.write_text(original.replace(mutant.old, mutant.new))
    try:
        if error := build():
            return "NO MUTANT", f"it does not compile: {error[-300:]}"
        why = first_failure(mutant.tests, TIME_LIMIT)
        return ("noticed", why) if why else ("SURVIVED", " ".join(mutant.tests))
    finally:
        file.write_text(original)


def chosen_mutants():
    """Return the mutants the command line asks for; print them if that is all it asks."""
    parser = argparse.ArgumentParser(
        prog="python tests/mutants", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("names", nargs="*", help="parts of names; all mutants if none")
    parser.add_argument("--only", choices=FAMILIES, help="the mutants of one family")
    parser.add_argument("--list", action="store_true", help="print them instead of trying them")
    arguments = parser.parse_args()
    families = [arguments.only] if arguments.only else FAMILIES
    chosen = [
        mutant
        for family in families
        for mutant in FAMILIES[family]
        if not arguments.names or any(name in mutant.name for name in arguments.names)
    ]
    if arguments.list:
        for mutant in chosen:
            print(f"{mutant.file}: {mutant.name} ({' '.join(mutant.tests)})")
        raise SystemExit(0)
    return chosen


def main():
    """Try the mutants chosen; return how many were not noticed."""
    chosen, missed = chosen_mutants(), 0
    prepare()
    tests = sorted({test for m in chosen for test in m.tests})
    if broken := build() or first_failure(tests, TIME_LIMIT * len(tests)):
        raise SystemExit(f"without any mutant: {broken}")
    for mutant in chosen:
        start = time.perf_counter()
        verdict, why = try_mutant(mutant)
        missed += verdict != "noticed"
        seconds = time.perf_counter() - start
        print(f"{verdict:9} {seconds:5.1f} s  {mutant.name}: {why[:110]}", flush=True)
    print(f"{len(chosen) - missed} of {len(chosen)} mutants noticed")
    return missed


if __name__ == "__main__":
    sys.exit(1 if main() else 0)
