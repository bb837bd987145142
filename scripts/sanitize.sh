#!/usr/bin/env bash
# Run tests with the C code under the address and undefined-behaviour sanitizers, where every piece
# of a workspace ends at a wall (csrc/base/arena.h).
#
#   scripts/sanitize.sh [tests and options of pytest; all tests if none]
#
# The code is compiled once, for all that this processor has; TW_LEVELS="v4;v3" compiles these
# instruction sets and the base one instead, as a release does.  Needs GCC.  Works in a virtual
# environment of its own, which it removes.  The thread pool's races are looked for by .ci/run.
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python=${PYTHON:-python3}
"$python" -m venv "$work/venv"
# Packages that the caller's environment has are used, not installed once more.  Of Thalweg, the
# copy that is compiled here comes first.
packages() { "$1" -c "import sysconfig; print(sysconfig.get_path('platlib'))"; }
packages "$python" >"$(packages "$work/venv/bin/python")/caller.pth"
export PATH="$work/venv/bin:$PATH" SKBUILD_BUILD_DIR="$work/wheel"
[[ -v TW_LEVELS ]] || export CFLAGS="${CFLAGS:-} -march=native"

# no build type and no stripping, so that reports name lines
python -m pip install --quiet ".[test]" --config-settings=cmake.build-type=None --config-settings=install.strip=false \
    --config-settings=cmake.define.TW_SANITIZE=address,undefined --config-settings=cmake.define.TW_LEVELS="${TW_LEVELS-}"

# in as many processes as there are processors; where one ends with a report, that is printed and
# the tests fail; the interpreter itself is not built
# for the sanitizers: their libraries must be loaded first, its leaks are not ours, and its own
# allocator would hide an overrun of a small object; new memory up to 1 MiB is filled with a pattern,
# so that no kernel works only where its workspace happens to be zero; reports show four frames of
# where memory came from, and 64 MiB of freed memory are kept from being used again, less than is
# usual, which saves an eighth of the time
(($#)) || set -- tests
LD_PRELOAD="$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libubsan.so)" \
    ASAN_OPTIONS=detect_leaks=0:max_malloc_fill_size=1048576:malloc_context_size=4:quarantine_size_mb=64 PYTHONMALLOC=malloc python -m pytest -n auto --capture=no "$@"
