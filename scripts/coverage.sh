#!/usr/bin/env bash
# Print how much of the code the tests run: branches of the Python code, lines of the C code.
#
#   scripts/coverage.sh [tests and options of pytest; all tests if none]
#
# The C code is compiled once, without optimisation, for all that this processor has; what only
# another instruction set needs is not counted.  Needs GCC.  Works in a virtual environment of its
# own, which it removes.
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
export PATH="$work/venv/bin:$PATH" SKBUILD_BUILD_DIR="$work/build" CFLAGS="${CFLAGS:-} -march=native"

python -m pip install --quiet ".[test]" "coverage>=7.10" "gcovr>=8" -C cmake.build-type=None \
    -C install.strip=false -C cmake.define.TW_COVERAGE=ON -C cmake.define.TW_LEVELS=

# a test that fails is reported and does not end the count
(($#)) || set -- tests
export COVERAGE_FILE="$work/coverage" # pyproject.toml says what is counted
python -m coverage run -m pytest -q "$@" || failed=$?
python -m coverage combine --quiet
python -m coverage report --show-missing --skip-covered
# some lines do run more than four thousand million times, which gcovr takes for a fault of gcov
gcovr --gcov-suspicious-hits-threshold=0 --root . --filter csrc/ --merge-mode-functions=separate --txt-metric line "$work/build"
exit "${failed:-0}"
