#!/usr/bin/env bash
# Play the newcomer: an empty folder, an empty environment, and nothing but what the README and the
# first page of the documentation say.
#
#   scripts/newcomer.sh [--quick]
#
# Runs the README's two commands (--quick: the first one only) and its ten lines, then every line of
# Python of docs/start.md, each page as one script, and tells how long each took and what importing
# Thalweg adds to importing NumPy.  Ends with the first failure.  Takes what git has committed.
set -euo pipefail
cd "$(dirname "$0")/.."

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
git archive HEAD | tar -x -C "$place"
cd "$place"
"${PYTHON:-python3}" -m venv "$place/venv"
export PATH="$place/venv/bin:$PATH" VIRTUAL_ENV="$place/venv" HOME="$place"
unset PYTHONPATH

blocks() { # blocks LANGUAGE FILE: the code blocks of a page in that language
    awk -v fence="\`\`\`$1" '$0 == "```" {inside = 0} inside; $0 == fence {inside = 1}' "$2"
}

timed() { # timed NAME COMMAND...
    local name=$1 start=$SECONDS
    shift
    "$@" >"$place/log" 2>&1 || { cat "$place/log" && echo "failed: $name" && exit 1; }
    echo "$name: $((SECONDS - start)) s"
}

blocks sh README.md >commands # one line for each of the README's two commands
[[ $(wc -l <commands) == 2 ]] || { echo "README.md has other than two commands" && exit 1; }
timed "$(sed -n 1p commands)" bash -ec "$(sed -n 1p commands)"
[[ -s misra1a.png ]] || { echo "the first command made no picture" && exit 1; }
for page in README.md docs/start.md; do
    blocks python "$page" >example.py
    timed "the examples of $page" python example.py
done
python - <<'END'
import subprocess, sys, time

def seconds(code):  # the best of nine, each in a process of its own
    def once():
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        return time.perf_counter() - start
    return min(once() for _ in range(9))

both, alone = seconds("import numpy, thalweg"), seconds("import numpy")
print(f"import thalweg: {1e3 * (both - alone):.0f} ms beside NumPy's {1e3 * alone:.0f}")
END
[[ ${1-} == --quick ]] || timed "$(sed -n 2p commands)" bash -ec "$(sed -n 2p commands)"
