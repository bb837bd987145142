#!/usr/bin/env bash
# Cross-compile the C library and its native tests for other systems, and run the tests where an
# emulator is installed.
#
#     scripts/cross.sh [TARGET ...]
#
# TARGET is x86_64-windows-gnu (run by wine), aarch64-linux-musl (run by qemu-aarch64) or
# aarch64-macos (compiled only); all without one.  The compiler is clang as `zig cc`, from the
# package ziglang of PyPI, which needs no other tools.  A test that fails, and a target that does
# not compile, end the script with exit status 1.  TW_LEVELS names the instruction sets of x86-64
# beside the base one, v3 if it is not set; each takes minutes.
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet "ziglang>=0.15,<0.18" "cmake>=3.25,<5" ninja
export PATH="$work/venv/bin:$PATH" ZIG_GLOBAL_CACHE_DIR="$work/zig"

toolchain() { # toolchain TARGET: the file by which CMake finds the compiler
    local system=Linux processor=${1%%-*}
    case $1 in *windows*) system=Windows ;; *macos*) system=Darwin ;; esac
    printf '#!/bin/sh\nexec python -m ziglang cc -target %s "$@"\n' "$1" >"$work/cc-$1"
    printf '#!/bin/sh\nexec python -m ziglang ar "$@"\n' >"$work/ar"
    printf '#!/bin/sh\nexec python -m ziglang ranlib "$@"\n' >"$work/ranlib"
    chmod +x "$work/cc-$1" "$work/ar" "$work/ranlib"
    cat >"$work/$1.cmake" <<TOOLCHAIN
set(CMAKE_SYSTEM_NAME $system)
set(CMAKE_SYSTEM_PROCESSOR $processor)
set(CMAKE_C_COMPILER "$work/cc-$1")
set(CMAKE_AR "$work/ar")
set(CMAKE_RANLIB "$work/ranlib")
TOOLCHAIN
}

emulator() { # emulator TARGET: the command that runs its programs, or nothing
    case $1 in
    *windows*) command -v wine || command -v wine64 || ls /usr/lib/wine/wine64 2>/dev/null || true ;;
    aarch64-linux*) command -v qemu-aarch64 || true ;;
    esac
}

targets=("$@")
[[ ${#targets[@]} -gt 0 ]] || targets=(x86_64-windows-gnu aarch64-linux-musl aarch64-macos)
for target in "${targets[@]}"; do
    echo "=== $target"
    toolchain "$target"
    cmake -G Ninja -S . -B "$work/$target" -DCMAKE_TOOLCHAIN_FILE="$work/$target.cmake" \
        -DTW_NATIVE_TESTS=ON -DTW_DEV=ON -DCMAKE_BUILD_TYPE=Release -DTW_LEVELS="${TW_LEVELS-v3}" >"$work/log" || { cat "$work/log" && exit 1; }
    cmake --build "$work/$target" >"$work/log" || { tail -40 "$work/log" && exit 1; }
    run=$(emulator "$target")
    if [[ ! $run ]]; then
        echo "compiled; not run, for there is no emulator"
        continue
    fi
    for program in pool_test fit_example; do
        file=$(find "$work/$target" -maxdepth 1 -name "$program*" -type f -executable | head -1)
        [[ $file ]] || file=$(find "$work/$target" -maxdepth 1 -name "$program.exe")
        WINEDEBUG=-all WINEPREFIX="$work/wine" timeout 300 "$run" "$file" --no-fork
    done
done
