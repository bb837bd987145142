"""Run every benchmark, write the results file of this version and machine, print the table.

    python bench/run.py

A missed target is printed and does not fail the run; an answer that is not what it should be does.
Take other work off the machine first: a busy neighbour halves every number but the ratios.
"""

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

import accuracy
import compare_mri
import store

HERE = Path(__file__).parent


def timed_cases():
    """Run the pytest cases in a process of their own; return the exit status and the results."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "results.json"
        command = [sys.executable, "-m", "pytest", str(HERE), "-q", f"--results={file}"]
        run = subprocess.run(command, cwd=HERE.parent)
        return run.returncode, json.loads(file.read_text()) if file.exists() else []


def main():
    failed, results = timed_cases()
    rows, certified = accuracy.measure()
    accuracy.print_rows(rows)
    results += certified
    if accuracy.optimize is not None:
        results += [compare_mri.compare(name) for name in compare_mri.available()]
    file = store.update(results, [asdict(row) for row in rows])
    print(store.table(results))
    verdicts = [store.met(result) for result in results]
    print(f"targets: {verdicts.count(True)} met, {verdicts.count(False)} missed; {file}")
    if failed or accuracy.missed(rows):
        sys.exit("an answer is wrong: see above")


if __name__ == "__main__":
    main()
